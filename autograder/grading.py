"""Grade what lies in `submitted/`, and tabulate the class. nbgrader keeps the books.

A hand-in is run in a worker (see `cluster.py`); what came of it is kept at once (see `ledger.py`); then nbgrader's Autograde enters it into
the gradebook, in this process, the only one that writes there. A process that is killed at any point leaves nothing that the
next one does not put right.
"""

import contextlib
import hashlib
import json
from dataclasses import dataclass, field

import nbformat
import sqlalchemy
from nbformat.v4 import new_code_cell
from nbgrader.api import MissingEntry
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme
from nbgrader.utils import determine_grade, is_solution
from traitlets.config import Config

from . import cluster, intake, ledger
from .course import CONFIG, CourseError, make_durable, write_json
from .execution import error, is_test, stopped

GROWN = (10, 100, 1_000, 10_000)  # hand-ins entered in one go, after which the database takes stock of itself


@dataclass
class Graded:
    """What became of one hand-in.

    Its state is "graded", "unchanged" since it was graded, "failed" (then it counts zero until it is tried again), or "replaced" (by a
    newer one that came meanwhile; nothing was entered).
    """

    student: str
    lesson: str
    state: str
    seconds: float = 0.0
    notes: list = field(default_factory=list)


def grade(course, lessons, student=None, again=False, unsafe=False, pool=None):
    """Grade hand-ins: run them in workers, enter what comes of it into the gradebook.

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
    pool : cluster.Pool, optional
        Where they run; by default in processes of this machine, one a processor. One that is given stays open.

    Yields
    ------
    Graded
        First all that is unchanged.

    Raises
    ------
    CourseError
        At once, when student code cannot be jailed here, or another process grades one of the lessons; at the end, when hand-ins wait for a
        lesson that the gradebook does not know.
    """
    with contextlib.ExitStack() as stack:
        pool = pool or stack.enter_context(cluster.Pool())
        pool.check(unsafe)
        releases, unknown, waiting = intake.graded_lessons(course), [], []
        for lesson in lessons:
            names = [name for name in handed_in(course, lesson) if student in (None, name)]
            if lesson not in releases or not names:
                continue
            stack.enter_context(ledger.alone(course, lesson))
            try:
                _require_in_gradebook(course, lesson, releases[lesson])
            except CourseError as problem:  # somebody handed in early: no reason to leave the other lessons
                unknown.append(str(problem))
                continue
            entered = _entered(course, lesson)
            for name in names:
                one = _look(course, lesson, name, releases[lesson], again, unsafe, entered)
                if one.state == "waiting":
                    waiting.append((lesson, name))
                else:
                    yield one
        yield from _grade(course, releases, waiting, unsafe, pool)
    if unknown:
        raise CourseError("\n".join(unknown))


def _look(course, lesson, student, release, again, unsafe, entered):
    """Is there anything to do about a hand-in? Its state is "waiting" if so."""
    try:
        record = intake.admit(course, student, lesson, release)
        if again:
            ledger.ask_again(course, key(course, record, unsafe))
        elif student in entered and _is_done(course, record, unsafe):
            return Graded(student, lesson, "unchanged", notes=record["graded"]["notes"])
    except Exception as problem:
        return _fail(course, lesson, student, problem)
    return Graded(student, lesson, "waiting")


def _grade(course, releases, waiting, unsafe, pool):
    """Grade hand-ins, named by lesson and student: first those that a grader ran which was killed before it entered them."""
    failed = []

    def prepared(pairs):
        for lesson, student in pairs:
            try:
                record = intake.admit(course, student, lesson, releases[lesson])
                yield (lesson, student, key(course, record, unsafe)), record
            except Exception as problem:
                failed.append(_fail(course, lesson, student, problem))

    def drained():
        while failed:
            yield failed.pop()

    missing = []
    for (lesson, student, name), _ in prepared(waiting):
        recorded = ledger.read(course, name)
        if isinstance(recorded, dict):
            yield _enter(course, lesson, student, releases[lesson], name, recorded, unsafe)
        else:
            missing.append((lesson, student))
    yield from drained()
    tasks = ((job, task(course, record, unsafe)) for job, record in prepared(missing))
    for done, ((lesson, student, name), outcome) in enumerate(pool.run(tasks, unsafe), 1):
        yield _enter(course, lesson, student, releases[lesson], name, outcome, unsafe)
        if done in GROWN:
            _take_stock(course)
        yield from drained()
    yield from drained()


def _take_stock(course):
    """Let the database look at what is in its tables, so that it finds one student's grades without looking at everybody's."""
    with contextlib.suppress(sqlalchemy.exc.DatabaseError), course.gradebook() as gradebook:  # in use, or damaged: no reason to stop
        gradebook.db.execute(sqlalchemy.text("ANALYZE"))
        gradebook.db.commit()


def task(course, record, unsafe=False):
    """What a worker needs to run a hand-in, and nothing else: see `execution.execute`."""
    path = course.notebook("submitted", record["lesson"], record["student"])
    release = nbformat.read(course.notebook("release", record["lesson"]), as_version=4)
    tests = course.tests(record["lesson"])
    for cell in release.cells:
        if is_test(cell):
            cell.source = tests.get(cell.metadata.nbgrader.grade_id, cell.source)
    return {
        "lesson": record["lesson"],
        "notebook": path.read_text(encoding="utf-8"),
        "release": nbformat.writes(release),
        "seed": _seed(course, record),
        "settings": _settings(course),
        "unsafe": unsafe,
    }


def _seed(course, record):
    """Where the random cases of a hand-in start: the same for each regrade, others for a changed hand-in, known to nobody beforehand."""
    return int(_hash(ledger.secret(course), record["lesson"], record["notebook_sha256"])[:32], 16)


def _settings(course):
    """The course's settings for running cells."""
    together = dict(course.config.Execute) | dict(course.config.BoundedExecute)
    return {name: value for name, value in together.items() if name != "jail"}


def _hash(*texts):
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def key(course, record, unsafe=False):
    """A hash of all that the execution of a hand-in follows from: the name of its record in the ledger.

    Parameters
    ----------
    course : Course
    record : dict
        What intake knows of the hand-in.
    unsafe : bool
    """
    facts = [record["lesson"], record["notebook_sha256"], record["release"], course.tests(record["lesson"])]
    facts += [_seed(course, record), _settings(course), _code(), unsafe]
    return _hash(json.dumps(facts, sort_keys=True, default=str))


def _code():
    return cluster.code()


def _books_key(course, record, unsafe):
    """A hash of all that a hand-in's place in the gradebook follows from, besides what people decide."""
    return _hash(key(course, record, unsafe), record["handed_in"], (course.root / CONFIG).read_text())


def is_stale(course, record, release=None):
    """Would a hand-in be graded anew, were it graded now?

    Parameters
    ----------
    course : Course
    record : dict
        What intake knows of the newest hand-in of a student for a lesson (`intake.latest`).
    release : NotebookNode, optional
        The lesson's release, where it is read already.

    Returns
    -------
    bool
        True also for what was never graded, and for what failed.
    """
    if "graded" not in record or "notebook_sha256" not in record:
        return True
    release = release or nbformat.read(course.notebook("release", record["lesson"]), as_version=4)
    return record["release"] != intake.fingerprint(release) or not _is_done(course, record, record["graded"].get("unsafe", False))


def _is_done(course, record, unsafe):
    """Is all done about a hand-in, by the files? The gradebook may have been lost all the same."""
    lesson, student, graded = record["lesson"], record["student"], record.get("graded", {})
    return (
        graded.get("key") == _books_key(course, record, unsafe)
        and ledger.holds(course, graded.get("record", ""))
        and not ledger.is_unfinished(course, lesson, student)
        and course.notebook("autograded", lesson, student).is_file()
    )


def _entered(course, lesson):
    """The students of whom the gradebook has a hand-in for a lesson."""
    with course.gradebook() as gradebook:
        return {one.student.id for one in gradebook.find_assignment(lesson).submissions}


def handed_in(course, lesson):
    """The students of whom something lies in `submitted/` for a lesson."""
    return sorted(path.parent.name for path in course.folder("submitted").glob(f"[!.]*/{lesson}"))


def _require_in_gradebook(course, lesson, release):
    """Grading uses the cells that the gradebook knows: they must be those of the release, which lacks hidden tests only."""
    with course.gradebook() as gradebook:
        try:
            known = {cell.name: _visible(cell.source) for cell in gradebook.find_notebook(lesson, lesson).source_cells}
        except MissingEntry:
            known = {}
    released = {cell.metadata.nbgrader.grade_id: cell.source for cell in release.cells if "nbgrader" in cell.metadata}
    if known != released:
        what = "does not know" if not known else "has an older version of"
        raise CourseError(f"The gradebook {what} {lesson}. Release it first: python -m autograder release {lesson}")


def _visible(source):
    """The text of a cell without what students do not get to see: hidden tests, and how a written answer is to be marked."""
    cell = new_code_cell(source)
    ClearHiddenTests()._remove_hidden_test_region(cell)
    ClearMarkScheme()._remove_mark_scheme_region(cell)
    return cell.source


# ---------------------------------------------------------------------------------------------------- into the gradebook


def _enter(course, lesson, student, release, name, outcome, unsafe):
    """Keep what came of a hand-in and enter it into the gradebook.

    Parameters
    ----------
    name : str
        The key under which it was run.
    outcome : dict or Exception
        As `Pool.run` gives it.
    """
    try:
        record = intake.admit(course, student, lesson, release)
        if key(course, record, unsafe) != name:
            return Graded(student, lesson, "replaced", notes=["It was handed in anew while it was graded: grade again."])
        if isinstance(outcome, cluster.WorkersDiedError):
            notebook = _read(course.notebook("submitted", lesson, student))
            outcome = _nothing(lesson, notebook, f"Not graded: {outcome} Does it take more memory than there is?")
        if isinstance(outcome, Exception):
            raise outcome
        before = ledger.begin(course, lesson, student, _standing(course, lesson, student))
        ledger.write(course, name, outcome)
        course.convert("Autograde", lesson, student, settings=_putting_in(course, outcome))
        _keep_judgements(course, lesson, student, before, record["problem"])
        make_durable(course.notebook("autograded", lesson, student))
        seconds, notes = outcome["seconds"], outcome["notes"]
        graded = {"key": _books_key(course, record, unsafe), "record": name, "notes": notes, "seconds": round(seconds, 1), "unsafe": unsafe}
        _remember(course, record, graded)
        ledger.end(course, lesson, student)
        return Graded(student, lesson, "graded", seconds, notes)
    except Exception as problem:  # one bad hand-in never stops the others
        return _fail(course, lesson, student, problem)


def _fail(course, lesson, student, problem):
    """Let a hand-in count zero until it is tried again, for a reason that is no fault of the student's."""
    told = f"{problem}".strip()
    reason = f"Not graded: {told if isinstance(problem, CourseError) else ': '.join(filter(None, (type(problem).__name__, told)))}"
    notes = [reason]
    try:
        _score_nothing(course, lesson, student, reason)
        record = intake.latest(course, student, lesson)
        if record and "notebook_sha256" in record:
            _remember(course, record, {"key": None, "record": None, "notes": notes, "seconds": 0})
    except Exception as further:
        notes.append(f"The gradebook could not be told: {type(further).__name__}: {further}")
    return Graded(student, lesson, "failed", 0, notes)


def _remember(course, record, graded):
    path = course.received / record["student"] / record["lesson"] / f"{record['kept']}.json"
    write_json(path, record | {"graded": graded})


def _nothing(lesson, notebook, reason):
    """The record of a hand-in that could not be run: no points, for a reason."""
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        "lesson": lesson,
        "cells": {cell.id: {"outputs": [error("NotGraded", reason)] if is_test(cell) else [], "seconds": 0.0} for cell in codes},
        "verdicts": {
            cell.id: stopped(reason) | {"of": float(cell.metadata.nbgrader.points), "seconds": 0.0} for cell in codes if is_test(cell)
        },
        "notes": [reason],
        **dict.fromkeys(("seconds", "cpu_seconds", "peak_memory", "restarts"), 0),
    }


def _putting_in(course, record):
    """Settings by which nbgrader's Autograde puts a record's outputs into the notebook where it would run the cells."""
    usual = course.config.Autograde.autograde_preprocessors
    others = [one for one in usual if not str(one).endswith(("Execute", "FailClosed"))]
    return Config({"Autograde": {"autograde_preprocessors": [lambda notebook, resources: (put_in(notebook, record), resources), *others]}})


def put_in(notebook, record):
    """Put a record's outputs into a notebook, such that nbgrader scores each test cell as its verdict says.

    Raises
    ------
    ValueError
        Where nbgrader would score otherwise, or the record is of another notebook.
    """
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if cell.id not in record["cells"]:
            raise ValueError(f"the record has no cell {cell.id}")
        cell.outputs, cell.execution_count = [nbformat.from_dict(output) for output in record["cells"][cell.id]["outputs"]], None
        if is_test(cell):
            verdict, scored = record["verdicts"].get(cell.id), determine_grade(cell)
            if not verdict or scored != (verdict["points"], verdict["of"]):
                told = f"{verdict['points']:g} of {verdict['of']:g}" if verdict else "nothing"
                raise ValueError(f"nbgrader would score {scored[0]:g} of {scored[1]:g} for {cell.id}, where its verdict says {told}")
    return notebook


def _read(path):
    """A notebook of ours, or None where there is none or but a part of it."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return None


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
            grade.name: [grade.auto_score, texts.get(grade.name)]
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
            if before.get(grade.name) == [grade.auto_score, texts.get(grade.name)]:
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
            cell.outputs = [error("NotGraded", reason)] if is_test(cell) else []
    path = course.notebook("autograded", lesson, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


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
    seconds: float = 0.0  # that running it took
    most: dict = field(default_factory=dict)  # graded cell -> points to be had
    waiting: tuple = ()  # graded cells that somebody must look at
    name: str = ""  # where it is known

    @property
    def who(self):
        return f"{self.student}  {self.name}".rstrip()


def table(course, lessons, student=None):
    """Where every student stands in some lessons, from the gradebook.

    Returns
    -------
    list of Row
    """
    rows = []
    with course.gradebook() as gradebook:
        names = {one.id: f"{one.first_name or ''} {one.last_name or ''}".strip() for one in gradebook.students}
        for lesson in lessons:
            try:
                submissions = {one.student.id: one for one in gradebook.find_assignment(lesson).submissions}
            except MissingEntry:
                submissions = {}
            ids = sorted({*submissions, *handed_in(course, lesson)})
            rows += [_row(course, lesson, one, submissions.get(one), names.get(one, "")) for one in ids if student in (None, one)]
    return rows


def _row(course, lesson, student, submission, name):
    record = intake.latest(course, student, lesson) or {}
    if submission is None:
        return Row(student, lesson, (0, 0), (0, 0), (0, 0), "not graded yet", {}, name=name)
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
    if submission.score == 0 and not record.get("problem") and _is_blank(course, lesson, student):
        states.append("nothing answered")
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
        graded.get("seconds", 0.0),
        {grade.name: grade.max_score for grade in grades},
        tuple(grade.name for grade in grades if grade.needs_manual_grade),
        name,
    )


def _is_blank(course, lesson, student):
    """Is every answer in a hand-in what the release has in its place?"""
    handed_in, release = _read(course.notebook("submitted", lesson, student)), _read(course.notebook("release", lesson))
    if not handed_in or not release:
        return False
    answers = [cell for cell in release.cells if is_solution(cell)]
    texts = _texts(handed_in)
    return all(texts.get(cell.id) == cell.source for cell in answers)


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
        lines.append((row.who, row.lesson, *scores, row.state, "" if all_notes else short))
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads) - 1)]
    for number, line in enumerate(lines):
        cells = [text.rjust(width) if 2 <= i <= 4 else text.ljust(width) for i, (text, width) in enumerate(zip(line, widths, strict=False))]
        print("  ".join([*cells, line[-1]]).rstrip())
        if number and all_notes:
            for note in rows[number - 1].notes:
                print(f"    {note}")


def print_points(rows, width=100, print=print):
    """Print the points of each exercise, a table a lesson. What is too wide for a line goes on in another table below.

    Parameters
    ----------
    rows : list of Row
    width : int
        Letters in a line.
    print : callable
    """
    for lesson in dict.fromkeys(row.lesson for row in rows):
        mine = [row for row in rows if row.lesson == lesson]
        most = {name: points for row in mine for name, points in row.most.items()}
        columns = [_points_column(name, points, mine) for name, points in most.items()]
        columns.append(["total", f"of {max(row.total[1] for row in mine):g}", *(f"{row.total[0]:g}" for row in mine)])
        columns.append(["time", "in s", *(f"{row.seconds:.0f}" for row in mine)])
        students = _column(["student", "", *(row.who for row in mine)], str.ljust)
        states = _column(["state", "", *(row.state for row in mine)], str.ljust)
        blocks, room = [[]], width - len(students[0])
        for column in [*(_column(column, str.rjust) for column in columns), states]:
            if blocks[-1] and sum(len(one[0]) + 2 for one in [*blocks[-1], column]) > room:
                blocks.append([])
            blocks[-1].append(column)
        print(f"\n{lesson}")
        for number, block in enumerate(blocks):
            if number:
                print("")
            for line in zip(students, *block, strict=True):
                print("  ".join(line).rstrip())
    if any(row.waiting for row in rows):
        print("\n? waits to be graded by hand")


def _points_column(name, most, rows):
    """An exercise's column: its name without what all names have in common, the points to be had, everybody's points."""
    cells = ["?" if name in row.waiting else f"{row.scores[name]:g}" if name in row.scores else "" for row in rows]
    return [name.removeprefix("check-"), f"of {most:g}", *cells]


def _column(texts, justify):
    width = max(len(text) for text in texts)
    return [justify(text, width) for text in texts]
