"""Every lesson in a real kernel, through release and grading: the solution earns all automatic points, the untouched release none."""

import shutil
from datetime import UTC, datetime

import nbformat
import pytest
from grading_course import REPOSITORY, hand_in, read

from autograder import grading, intake, release
from autograder.course import CONFIG, Course
from autograder.notebooks import is_test

GRADED = sorted(intake.graded_lessons(Course(REPOSITORY)))
# In these a network is trained: `make test` runs their cells in `test_lesson_06.py` and `test_lesson_07.py`, and not once more.
LONG = ("06", "07")
EACH = pytest.mark.parametrize(
    "lesson", [pytest.param(lesson, marks=pytest.mark.slow if lesson.startswith(LONG) else ()) for lesson in GRADED]
)
DUE = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def course(request, tmp_path_factory):
    """A course of the lessons whose tests run, in which one student has everything right and one has done nothing, graded."""
    chosen = sorted(
        {item.callspec.params["lesson"] for item in request.session.items if item.path == request.path and hasattr(item, "callspec")}
    )
    root = tmp_path_factory.mktemp("whole")
    shutil.copy(REPOSITORY / CONFIG, root)
    for lesson in chosen:
        shutil.copytree(REPOSITORY / "solutions" / lesson, root / "solutions" / lesson, ignore=shutil.ignore_patterns("*.py", ".*"))
    course = Course(root)
    release.release(course, course.lessons(), DUE)
    for lesson in chosen:
        untouched = read(course.notebook("release", lesson))
        model = {cell.id: cell.source for cell in read(course.notebook("source", lesson)).cells}
        hand_in(root / "handed in", "untouched", nbformat.from_dict(untouched), f"{lesson}.ipynb")
        for cell in untouched.cells:
            cell.source = model[cell.id]
        hand_in(root / "handed in", "solution", untouched, f"{lesson}.ipynb")
    assert {outcome.state for outcome in intake.collect(course, root / "handed in")} == {"collected"}
    course.graded = {(one.student, one.lesson): one for one in grading.grade(course, chosen)}
    course.rows = {(row.student, row.lesson): row for row in grading.table(course, chosen)}
    return course


def automatic(course, student, lesson):
    """Points by test cell: (earned, to be had)."""
    tests = {cell.id: cell.metadata.nbgrader.points for cell in read(course.notebook("release", lesson)).cells if is_test(cell)}
    assert tests
    scores = course.rows[student, lesson].scores
    return {name: (scores[name], points) for name, points in tests.items()}


def test_all_eight_lessons_are_graded():
    assert [lesson[:2] for lesson in GRADED] == ["01", "02", "03", "04", "05", "06", "07", "08"]


@EACH
def test_the_solution_earns_every_point_without_a_note(course, lesson):
    assert course.graded["solution", lesson].state == "graded"
    assert not course.graded["solution", lesson].notes
    missed = {name: points for name, points in automatic(course, "solution", lesson).items() if points[0] != points[1]}
    assert not missed


@EACH
def test_the_untouched_release_earns_nothing_and_runs_through(course, lesson):
    assert course.graded["untouched", lesson].state == "graded"
    assert not course.graded["untouched", lesson].notes
    tests = automatic(course, "untouched", lesson)
    assert all(earned == 0 for earned, _ in tests.values())
    for cell in read(course.notebook("autograded", lesson, "untouched")).cells:
        assert cell.id not in tests or "not done yet" in str(cell.outputs).lower(), cell.id


@EACH
@pytest.mark.parametrize("student", ["solution", "untouched"])
def test_no_cell_raises_but_those_left_blank(course, lesson, student):
    cells = read(course.notebook("autograded", lesson, student)).cells
    raised = [
        (cell.id, output.ename)
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "error" and output.ename != "NotImplementedError"
    ]
    assert raised == []
