"""Where every lesson stands: what is graded, what is not, who is missing, and what to do next."""

from dataclasses import dataclass, field
from pathlib import Path

from . import intake

STATES = ("graded", "stale", "waiting", "failed", "missing")
HEADS = {state: state for state in STATES} | {"waiting": "not graded yet"}
# All that is read of nbgrader's gradebook, in three questions. Its own interface takes seconds to load and asks once for each hand-in.
STUDENTS = "SELECT id FROM student"
DUE = "SELECT name FROM assignment WHERE duedate IS NOT NULL"
BY_HAND = """
    SELECT assignment.name, submitted_assignment.student_id, COUNT(*)
    FROM grade
    JOIN submitted_notebook ON submitted_notebook.id = grade.notebook_id
    JOIN submitted_assignment ON submitted_assignment.id = submitted_notebook.assignment_id
    JOIN assignment ON assignment.id = submitted_assignment.assignment_id
    WHERE grade.needs_manual_grade
    GROUP BY assignment.name, submitted_assignment.student_id
"""


@dataclass
class Standing:
    """The students of a lesson, by the state that their newest hand-in is in.

    Attributes
    ----------
    graded : list of str
        Graded, and nothing has changed since.
    stale : list of str
        Graded, but the hand-in, the release, the tests, the library or the settings have changed since.
    waiting : list of str
        Handed in and not graded yet.
    failed : list of str
        Could not be graded; `grade` tries again.
    missing : list of str
        Known from elsewhere in the course, but nothing was handed in.
    by_hand : dict of str to int
        How many answers of a student wait for somebody to grade them.
    has_due_date : bool
    """

    lesson: str
    graded: list = field(default_factory=list)
    stale: list = field(default_factory=list)
    waiting: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    missing: list = field(default_factory=list)
    by_hand: dict = field(default_factory=dict)
    has_due_date: bool = False

    @property
    def is_under_way(self):
        """Has anybody handed it in, or is there a day by which they must?"""
        return self.has_due_date or any(getattr(self, state) for state in STATES if state != "missing")


def standings(course, lessons):
    """Where lessons stand, those without points left aside.

    Parameters
    ----------
    course : Course
    lessons : list of str

    Returns
    -------
    list of Standing
    """
    releases = intake.graded_lessons(course)
    students, due, by_hand = _gradebook(course)
    handed_in = {}
    for path in course.folder("submitted").glob("[!.]*/[!.]*"):
        handed_in.setdefault(path.name, set()).add(path.parent.name)
    students |= {path.name for path in course.received.glob("[!.]*") if path.is_dir()}.union(*handed_in.values())
    found = []
    for lesson in lessons:
        if lesson in releases:
            one = Standing(lesson, by_hand=by_hand.get(lesson, {}), has_due_date=lesson in due)
            for student in sorted(students):
                is_there = student in handed_in.get(lesson, ())
                getattr(one, _state(course, student, lesson, releases[lesson]) if is_there else "missing").append(student)
            found.append(one)
    return found


def _gradebook(course):
    """The students whom the gradebook knows, the lessons with a due date, and by lesson and student how many answers wait for a person."""
    import sqlalchemy

    default = f"sqlite:///{course.root / 'gradebook.db'}"  # as nbgrader has it
    url = sqlalchemy.make_url(course.config.CourseDirectory.get("db_url") or default)
    if url.drivername.startswith("sqlite"):
        url = url.set(database=str(course.root / (url.database or "")))
        if not Path(url.database).is_file():  # to connect would create it
            return set(), set(), {}
    engine = sqlalchemy.create_engine(url)
    by_hand = {}
    try:
        with engine.connect() as connection:
            students = {name for (name,) in connection.execute(sqlalchemy.text(STUDENTS))}
            due = {name for (name,) in connection.execute(sqlalchemy.text(DUE))}
            for lesson, student, count in connection.execute(sqlalchemy.text(BY_HAND)):
                by_hand.setdefault(lesson, {})[student] = count
    finally:
        engine.dispose()
    return students, due, by_hand


def _state(course, student, lesson, release):
    """What state a hand-in is in: "graded", "stale", "waiting" or "failed"."""
    records = intake.records(course, student, lesson)
    graded = records[-1].get("graded") if records else None
    if not graded:
        return "stale" if any("graded" in record for record in records) else "waiting"
    if graded["key"] is None:
        return "failed"
    from .grading import is_stale  # loads nbgrader, which is not needed before anything is graded

    return "stale" if not intake.is_as_collected(course, student, lesson) or is_stale(course, records[-1], release) else "graded"


def print_standings(found, lesson=None, students=False, print=print):
    """Print a line a lesson, and what to do next.

    Parameters
    ----------
    found : list of Standing
    lesson : str, optional
        The one lesson that was asked for, as it was named: the commands to type next then name it too.
    students : bool
        Print also who is in which state.
    """
    shown = [one for one in found if lesson or one.is_under_way]
    width = max((len(one.lesson) for one in shown), default=0)
    if shown:
        print(f"{'lesson':{width}}  " + "  ".join(f"{head:>7}" for head in HEADS.values()) + "  to grade by hand")
    for one in shown:
        counts = "  ".join(f"{len(getattr(one, state)):{max(7, len(head))}}" for state, head in HEADS.items())
        print(f"{one.lesson:{width}}  {counts}  {_answers(one.by_hand) if one.by_hand else '-'}")
        for state in STATES if students else ():
            if getattr(one, state):
                print(f"    {HEADS[state]}: {', '.join(getattr(one, state))}")
        if students and one.by_hand:
            print(f"    to grade by hand: {', '.join(f'{student} ({count})' for student, count in sorted(one.by_hand.items()))}")
    others = [one.lesson for one in found if one not in shown]
    if others:
        print(f"not collected yet: {', '.join(others)}")
    print("")
    for line in _next(found, f" LESSON={lesson}" if lesson else ""):
        print(line)


def _answers(by_hand):
    answers, students = sum(by_hand.values()), len(by_hand)
    return f"{answers} answer{'s' * (answers > 1)} of {students} student{'s' * (students > 1)}"


def _next(found, lesson):
    """What to do next, most urgent first."""
    counts = {state: sum(len(getattr(one, state)) for one in found) for state in STATES}
    ungraded = [f"{counts[state]} {HEADS[state]}" for state in ("waiting", "stale", "failed") if counts[state]]
    by_hand = any(one.by_hand for one in found)
    if ungraded:
        yield f"Next: make grade{lesson} ({', '.join(ungraded)})."
    if counts["failed"]:
        yield f"Why some failed: make table{lesson} NOTES=yes."
    if by_hand:
        yield f"{'Then' if ungraded else 'Next'}: make formgrader, for the answers to grade by hand."
    if not ungraded and not by_hand:
        done = f"Next: make feedback{lesson}, and make report{lesson}."
        yield done if counts["graded"] else "Nobody has handed in anything yet. Next: make collect FROM=path."
