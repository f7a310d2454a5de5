"""Grade what lies in `submitted/`, return feedback, and tabulate the class. nbgrader keeps the books."""

import contextlib
import functools
import hashlib
import importlib.util
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.api import MissingEntry
from nbgrader.utils import is_grade, is_solution

from . import intake, sandbox
from .course import CONFIG, CourseError, write_json
from .execution import REASONS, error


@dataclass
class Graded:
    """What became of one hand-in: "graded", "unchanged" since it was graded, or "failed" (then it counts zero until it is tried again)."""

    student: str
    lesson: str
    state: str
    seconds: float = 0.0
    notes: list = field(default_factory=list)


def grade(course, lessons, student=None, again=False, unsafe=False):
    """Grade hand-ins one at a time, with nbgrader's Autograde in this process.

    A hand-in that cannot be graded counts zero, with the reason in the gradebook; it never stops the others.

    Parameters
    ----------
    course : Course
    lessons : list of str
    student : str, optional
        Only this student's.
    again : bool
        Also what is graded and has not changed.
    unsafe : bool
        Run students' code with the rights of whoever grades, not in a jail.

    Yields
    ------
    Graded

    Raises
    ------
    CourseError
        At once, when student code cannot be jailed here; at the end, when hand-ins wait for a lesson that the gradebook does not know.
    """
    if not unsafe:
        sandbox.require_jail()
    course.config.BoundedExecute.jail = "never" if unsafe else "always"
    releases, unknown = intake.graded_lessons(course), []
    for lesson in lessons:
        names = [name for name in handed_in(course, lesson) if student in (None, name)]
        if lesson in releases and names:
            try:
                _require_in_gradebook(course, lesson, releases[lesson])
            except CourseError as error:  # somebody handed in early: no reason to leave the other lessons
                unknown.append(str(error))
                continue
            for name in names:
                yield _grade_one(course, lesson, name, releases[lesson], again)
    if unknown:
        raise CourseError("\n".join(unknown))


def handed_in(course, lesson):
    """The students of whom something lies in `submitted/` for a lesson."""
    return sorted(path.parent.name for path in course.folder("submitted").glob(f"[!.]*/{lesson}"))


def _require_in_gradebook(course, lesson, release):
    """Grading uses the cells that the gradebook knows: they must be those of the release."""
    with course.gradebook() as gradebook:
        try:
            known = {cell.name: cell.checksum for cell in gradebook.find_notebook(lesson, lesson).source_cells}
        except MissingEntry:
            known = {}
    released = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.checksum for cell in release.cells if "nbgrader" in cell.metadata}
    if known != released:
        what = "does not know" if not known else "has an older version of"
        raise CourseError(f"The gradebook {what} {lesson}. Release it first: python -m autograder release {lesson}")


def _grade_one(course, lesson, student, release, again):
    start = time.monotonic()
    record = None
    try:
        record = intake.admit(course, student, lesson, release)
        key = _key(course, record)
        if not again and record.get("graded", {}).get("key") == key and _is_graded(course, lesson, student):
            return Graded(student, lesson, "unchanged", notes=record["graded"]["notes"])
        before = _standing(course, lesson, student)
        with _check_seed(course, lesson):
            course.convert("Autograde", lesson, student)
        _keep_judgements(course, lesson, student, before, record["problem"])
        notes = _reasons(course.notebook("autograded", lesson, student))
        seconds = time.monotonic() - start
        _remember(course, record, {"key": key, "notes": notes, "seconds": round(seconds, 1)})
        return Graded(student, lesson, "graded", seconds, notes)
    except Exception as problem:  # one bad hand-in never stops the others
        reason = f"Not graded: {problem if isinstance(problem, CourseError) else f'{type(problem).__name__}: {problem}'}"
        notes = [reason]
        try:
            _score_nothing(course, lesson, student, reason)
            if record:
                _remember(course, record, {"key": None, "notes": notes, "seconds": 0})
        except Exception as further:
            notes.append(f"The gradebook could not be told: {type(further).__name__}: {further}")
        return Graded(student, lesson, "failed", time.monotonic() - start, notes)


def _key(course, record):
    """A hash of all that a grade follows from: the rebuilt notebook, its time, the settings, the checks and how cells are run."""
    facts = [record["notebook_sha256"], record["handed_in"], record["release"], (course.root / CONFIG).read_text(), _code()]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


@functools.cache
def _code():
    """A hash of the library and of how cells are run."""
    package = importlib.util.find_spec("course_lib")
    folders = [Path(folder) for folder in package.submodule_search_locations] if package else []
    digest = hashlib.sha256()
    rooms = [Path(__file__).with_name(name) for name in ("execution.py", "sandbox.py")]
    for path in [*(path for folder in folders for path in sorted(folder.rglob("*.py"))), *rooms]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_graded(course, lesson, student):
    if not course.notebook("autograded", lesson, student).is_file():
        return False
    with course.gradebook() as gradebook:
        try:
            gradebook.find_submission(lesson, student)
        except MissingEntry:
            return False
    return True


def _remember(course, record, graded):
    path = course.received / record["student"] / record["lesson"] / f"{record['kept']}.json"
    write_json(path, record | {"graded": graded})


@contextlib.contextmanager
def _check_seed(course, lesson):
    """Give a whole class the same random cases, which follow from a secret of this course: the same hand-in, the same grade."""
    path = course.received / ".seed"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(secrets.token_hex(16))
    seed = int(hashlib.sha256(f"{path.read_text()} {lesson}".encode()).hexdigest()[:8], 16)
    before = os.environ.get("COURSE_CHECK_SEED")
    os.environ["COURSE_CHECK_SEED"] = str(seed)
    try:
        yield
    finally:
        os.environ.pop("COURSE_CHECK_SEED")
        if before is not None:
            os.environ["COURSE_CHECK_SEED"] = before


def _read(path):
    return nbformat.read(path, as_version=4) if path.is_file() else None


def _reasons(path):
    """The plain reasons that grading itself gave in a graded notebook."""
    found = []
    for cell in _read(path).cells:
        errors = [output for output in cell.get("outputs", ()) if output.output_type == "error" and output.ename in REASONS]
        found += [f"{cell.id}: {one.evalue}" for one in errors]
    return found


# ---------------------------------------------------------------------------------------------------- the gradebook


def _grades(gradebook, lesson, student):
    return gradebook.find_submission_notebook(lesson, lesson, student).grades


def _standing(course, lesson, student):
    """What people have judged so far: by cell the automatic score, the answer's text, and whether the judgement is done."""
    notebook = _read(course.notebook("autograded", lesson, student))
    texts = _texts(notebook)
    with course.gradebook() as gradebook:
        try:
            grades = _grades(gradebook, lesson, student)
        except MissingEntry:
            return {}
        return {
            grade.name: (grade.auto_score, texts.get(grade.name))
            for grade in grades
            if grade.manual_score is not None and not grade.needs_manual_grade
        }


def _texts(notebook):
    return {cell.id: cell.source for cell in notebook.cells} if notebook else {}


def _keep_judgements(course, lesson, student, before, problem):
    """Regrading asks for every manual grade anew; ask only where the answer has changed. And say why a file could not be read."""
    texts = _texts(_read(course.notebook("autograded", lesson, student)))
    with course.gradebook() as gradebook:
        for grade in _grades(gradebook, lesson, student):
            if grade.name in before and before[grade.name] == (grade.auto_score, texts.get(grade.name)):
                grade.needs_manual_grade = False
        if problem:
            for comment in gradebook.find_submission_notebook(lesson, lesson, student).comments:
                comment.auto_comment = f"This hand-in could not be read. {problem}"
        gradebook.db.commit()


def _score_nothing(course, lesson, student, reason):
    """Write zero for every graded cell, with the reason, into the gradebook and a notebook that feedback can be made of."""
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(lesson, student)
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                grade.auto_score, grade.needs_manual_grade = 0, False
            for comment in notebook.comments:
                comment.auto_comment = reason
        gradebook.db.commit()
    notebook = _read(course.notebook("submitted", lesson, student)) or _read(course.notebook("release", lesson))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [error("NotGraded", reason)] if is_grade(cell) and not is_solution(cell) else []
    path = course.notebook("autograded", lesson, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


# ---------------------------------------------------------------------------------------------------- feedback


def feedback(course, lessons, student=None):
    """Write `feedback/STUDENT/LESSON/LESSON.html` for what is graded.

    Yields
    ------
    tuple of (str, str, str or None)
        Student, lesson, and what went wrong, if anything.
    """
    for lesson in lessons:
        for path in sorted(course.folder("autograded").glob(f"[!.]*/{lesson}/{lesson}.ipynb")):
            name = path.parents[1].name
            if student in (None, name):
                try:
                    course.convert("GenerateFeedback", lesson, name)
                    yield name, lesson, None
                except Exception as problem:  # one bad hand-in never stops the others
                    yield name, lesson, str(problem)


# ---------------------------------------------------------------------------------------------------- table


@dataclass
class Row:
    """A student's standing in a lesson. Scores are (earned, to be had)."""

    student: str
    lesson: str
    automatic: tuple
    manual: tuple
    total: tuple
    state: str
    scores: dict  # graded cell -> points
    notes: list = field(default_factory=list)


def table(course, lessons, student=None):
    """Where every student stands in some lessons, from the gradebook.

    Returns
    -------
    list of Row
    """
    rows = []
    with course.gradebook() as gradebook:
        for lesson in lessons:
            try:
                submissions = {one.student.id: one for one in gradebook.find_assignment(lesson).submissions}
            except MissingEntry:
                submissions = {}
            names = sorted({*submissions, *handed_in(course, lesson)})
            rows += [_row(course, lesson, name, submissions.get(name)) for name in names if student in (None, name)]
    return rows


def _row(course, lesson, student, submission):
    record = intake.latest(course, student, lesson) or {}
    if submission is None:
        return Row(student, lesson, (0, 0), (0, 0), (0, 0), "not graded yet", {})
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    code = [grade for grade in grades if grade.cell_type == "code"]
    written = [grade for grade in grades if grade.cell_type != "code"]
    waiting = sum(grade.needs_manual_grade for grade in grades)
    penalty = sum(notebook.late_submission_penalty or 0 for notebook in submission.notebooks)
    graded = record.get("graded", {})
    states = [f"{waiting} to grade by hand" if waiting else "graded"]
    if graded and graded.get("key") is None:
        states = ["failed"]
    elif record.get("notebook_sha256") and not graded:
        states = ["a newer hand-in waits"]
    if submission.total_seconds_late > 0:
        states.append(f"late by {_duration(submission.total_seconds_late)}")
    if penalty:
        states.append(f"penalty {penalty:g}")
    notes = (
        ([record["problem"]] if record.get("problem") else []) + graded.get("notes", []) + record.get("notes", []) + record.get("mends", [])
    )
    return Row(
        student,
        lesson,
        _sum(code),
        _sum(written),
        (submission.score - penalty, submission.max_score),
        ", ".join(states),
        {grade.name: grade.score for grade in grades},
        notes,
    )


def _sum(grades):
    return sum(grade.score for grade in grades), sum(grade.max_score for grade in grades)


def _duration(seconds):
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def print_table(rows, all_notes=False, print=print):
    """Print rows as text, at most one note a row unless all are wanted."""
    heads = ("student", "lesson", "automatic", "by hand", "total", "state", "notes")
    lines = [heads]
    for row in rows:
        scores = (f"{earned:g}/{most:g}" for earned, most in (row.automatic, row.manual, row.total))
        first, more = row.notes[:1], len(row.notes) - 1
        short = "".join(first) + (f" (and {more} more)" if more > 0 else "")
        lines.append((row.student, row.lesson, *scores, row.state, "" if all_notes else short))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    for number, line in enumerate(lines):
        cells = [text.rjust(width) if 2 <= i <= 4 else text.ljust(width) for i, (text, width) in enumerate(zip(line, widths, strict=False))]
        print("  ".join([*cells, line[-1]]).rstrip())
        if number and all_notes:
            for note in rows[number - 1].notes:
                print(f"    {note}")
