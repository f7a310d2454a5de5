"""Release: from the solutions to the notebooks that students get, with nbgrader's GenerateAssignment."""

import ast
import copy
import filecmp
import re
import shutil
import tempfile
import warnings
from datetime import UTC
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearSolutions
from traitlets import Unicode

from .course import CourseError

FIELDS = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}
KINDS = {  # (cell type, grade, solution, locked): what such a cell is
    ("code", False, True, False): "solution",
    ("code", True, False, True): "test",
    ("markdown", True, True, False): "manual answer",
    ("markdown", False, False, True): "read-only text",
    ("code", False, False, True): "read-only code",
}


class ClearRegions(ClearSolutions):
    """Clear the solution regions; what stands in their place depends on where they were.

    Inside a function the stub raises, so that a check says "not done yet". At top level it is only a comment: there the line
    before the region already holds a blank such as ``answer = ...``, and an error would stop the student's *Run all*.
    """

    answer_stub = Unicode("# Your answer here.", help="what replaces a solution region at top level").tag(config=True)

    def _replace_solution_region(self, cell, language):
        replaced = super()._replace_solution_region(cell, language)
        if cell.cell_type == "code":
            top_level = re.compile(f"^{re.escape(self.code_stub[language])}$", re.MULTILINE)
            cell.source = top_level.sub(lambda _: self.answer_stub, cell.source)
        return replaced


def problems(path):
    """What is wrong with a source notebook, one sentence each; an empty list when it can be released.

    Parameters
    ----------
    path : pathlib.Path
        A notebook in `solutions/`.
    """
    try:
        notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
        with warnings.catch_warnings(action="ignore"):
            nbformat.validate(copy.deepcopy(notebook))  # a copy: it would mend double ids unasked
    except Exception as error:  # whatever the reader stumbles over
        return [f"it is no valid notebook: {str(error).splitlines()[0]}"]
    found = []
    if notebook.nbformat_minor < 5:
        found.append(f"it is of format 4.{notebook.nbformat_minor}, whose cells have no ids; save it as 4.5 or newer")
    for what, names in {
        "cell id": [cell.get("id") for cell in notebook.cells],
        "grade id": [cell.metadata.nbgrader.get("grade_id") for cell in notebook.cells if "nbgrader" in cell.metadata],
    }.items():
        found += [f"two cells share the {what} {name!r}" for name in sorted({name for name in names if name and names.count(name) > 1})]
    for number, cell in enumerate(notebook.cells, 1):
        found += [f"cell {number} ({cell.get('id')}): {problem}" for problem in _cell_problems(cell)]
    return found


def _cell_problems(cell):
    meta = cell.metadata.get("nbgrader")
    regions = re.findall(r"(BEGIN|END) SOLUTION", cell.source)
    if meta is None:
        return ["it holds a solution region but no nbgrader metadata, so the answer would be released"] if regions else []
    missing = sorted(FIELDS - set(meta))
    if missing:
        return [f"its nbgrader metadata lacks {', '.join(missing)}"]
    kind = KINDS.get((cell.cell_type, meta["grade"], meta["solution"], meta["locked"]))
    if kind is None or meta["task"]:
        return [f"its nbgrader metadata makes it none of these: {', '.join(KINDS.values())}"]
    found = []
    if cell.get("id") != meta["grade_id"]:
        found.append(f"its cell id differs from its grade id {meta['grade_id']!r}")
    if meta["grade"] and not meta.get("points", 0) > 0:
        found.append("it is graded, but worth no points")
    if kind == "solution" and (not regions or regions != ["BEGIN", "END"] * (len(regions) // 2)):
        found.append("a solution cell needs its answer between ### BEGIN SOLUTION and ### END SOLUTION")
    if kind != "solution" and regions:
        found.append(f"it holds a solution region, but is a {kind}")
    if kind == "test":
        found += _test_problems(cell.source)
    return found


def _test_problems(source):
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        return [f"a test cell must be plain Python, and this is none: {error.msg} in line {error.lineno}"]
    tests = [node for node in ast.walk(ast.Module(body, [])) if isinstance(node, (ast.Assert, ast.Raise, ast.Call))]
    if not tests and not (body and isinstance(body[-1], ast.Expr)):
        return [
            "a test cell must test something: check(...), an assert, or a last line whose value is the points; this one gives all points"
        ]
    return []


def build(course, lessons, folder, db_url=None):
    """Build the release of some lessons in a folder.

    Parameters
    ----------
    course : Course
    lessons : list of str
    folder : pathlib.Path
        Gets one folder a lesson.
    db_url : str, optional
        The gradebook that learns of the lessons; the course's own by default.
    """
    for lesson in lessons:
        found = problems(course.notebook("source", lesson))
        if found:
            raise CourseError("\n  ".join([f"{lesson} cannot be released:", *found]))
    changes = {"release_directory": str(folder)} | ({"db_url": db_url} if db_url else {})
    for lesson in lessons:
        try:
            course.convert("GenerateAssignment", lesson, **changes)
        except CourseError as error:
            reason = str(error)
            if "submissions associated with it" in reason:
                reason = (
                    "its graded cells have changed, but the gradebook already holds hand-ins for the old ones. Put the cells back, "
                    f"or start a new class: set gradebook.db aside, or run `nbgrader db assignment remove {lesson} --force`."
                )
            raise CourseError(f"{lesson} cannot be released: {reason}") from error


def release(course, lessons, due=None):
    """Release lessons: write `notebooks/` and tell the gradebook.

    Parameters
    ----------
    course : Course
    lessons : list of str
    due : datetime.datetime, optional
        When the lessons are due; hand-ins after it count as late.

    Returns
    -------
    dict of str to bool
        For each lesson whether its release has changed.
    """
    with tempfile.TemporaryDirectory() as folder:
        build(course, lessons, Path(folder))
        changed = {lesson: bool(_differences(Path(folder, lesson), course.folder("release") / lesson)) for lesson in lessons}
        for lesson in lessons:
            if changed[lesson]:
                target = course.folder("release") / lesson
                if target.exists():
                    shutil.rmtree(target)
                shutil.copytree(Path(folder, lesson), target)
    course.forget_tests()
    if due is not None:
        with course.gradebook() as gradebook:
            for lesson in lessons:
                gradebook.update_or_create_assignment(lesson, duedate=due.astimezone(UTC).replace(tzinfo=None))
    return changed


def due_date(course, lesson):
    """When a lesson is due, in this machine's time zone, or None."""
    with course.gradebook() as gradebook:
        when = gradebook.find_assignment(lesson).duedate
    return when and when.replace(tzinfo=UTC).astimezone()


def stale(course):
    """Files of `notebooks/` that are not what a release would write now; an empty list when all are."""
    lessons = course.lessons()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as elsewhere:
        build(course, lessons, Path(folder), db_url=f"sqlite:///{elsewhere}/gradebook.db")
        released = course.folder("release")
        found = [f"{lesson}/{name}" for lesson in lessons for name in _differences(Path(folder, lesson), released / lesson)]
    return found + [
        f"{name} (no such lesson in {course.folder('source').name}/)" for name in course.lessons("release") if name not in lessons
    ]


def _differences(first, second):
    """Names of files that two folders do not have in common, byte for byte. Jupyter's checkpoints do not count."""

    def files(folder):
        return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts}

    names = files(first) | files(second)
    return sorted(name for name in names if not _same(first / name, second / name))


def _same(first, second):
    return first.is_file() and second.is_file() and filecmp.cmp(first, second, shallow=False)


def points(path):
    """Points of a notebook: (automatic, manual)."""
    notebook = nbformat.read(path, as_version=4)
    graded = [cell.metadata.nbgrader for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    return sum(meta.points for meta in graded if not meta.solution), sum(meta.points for meta in graded if meta.solution)
