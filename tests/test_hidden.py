"""Hidden tests, as nbgrader's instructors know them: they count, and nobody but the gradebook and the checker ever sees them."""

import nbformat
import pytest
from grading_course import REPOSITORY, code, hand_in, read, solution, solved, test_cell, text, write_notebook

from autograder import feedback, grading, intake, release
from autograder.course import Course

LESSON = "01_squares"
HIDDEN = """\
assert square(3) == 9, "the square of 3 is 9"
### BEGIN HIDDEN TESTS
secret_number = 1234567
assert close(square(-secret_number), secret_number**2)
### END HIDDEN TESTS
"""
CELLS = [
    text("title", "# Squares"),
    code("given", "def close(a, b):\n    return abs(a - b) < 1e-9"),
    solution("ex-square", "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION"),
    test_cell("check-square", HIDDEN, 4),
]
LOOKING = """\
import sys
def square(x):
    frame = sys._getframe()
    while frame:
        print(frame.f_code, list(frame.f_locals))
        frame = frame.f_back
    return x * 3
"""
ANSWERS = {
    "right": "def square(x):\n    return x**2",
    "visible": "def square(x):\n    return x * 3",
    "generous": "def close(a, b):\n    return True\ndef square(x):\n    return 9",
    "looking": LOOKING,
}
SCORES = {"perfect": 4, "right": 4, "visible": 0, "generous": 0, "looking": 0}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    root = tmp_path_factory.mktemp("hidden")
    (root / "nbgrader_config.py").write_text((REPOSITORY / "nbgrader_config.py").read_text())
    write_notebook(root / "solutions" / LESSON / f"{LESSON}.ipynb", CELLS)
    course = Course(root)
    release.release(course, course.lessons())
    for student, answer in ANSWERS.items():
        notebook = solved(course, LESSON)
        notebook.cells[2].source = answer
        hand_in(root / "handed in", student, notebook, f"{LESSON}.ipynb")
    hand_in(root / "handed in", "perfect", solved(course, LESSON), f"{LESSON}.ipynb")
    assert {one.state for one in intake.collect(course, root / "handed in")} == {"collected"}
    course.graded = {one.student: one for one in grading.grade(course, [LESSON])}
    assert not [why for *_, why in feedback.feedback(course, [LESSON]) if why]
    return course


def test_students_do_not_get_hidden_tests(course):
    assert "HIDDEN" not in course.notebook("release", LESSON).read_text()


@pytest.mark.parametrize("student", SCORES)
def test_hidden_tests_count(course, student):
    assert course.graded[student].state == "graded"
    (row,) = grading.table(course, [LESSON], student)
    assert row.scores == {"check-square": SCORES[student]}


@pytest.mark.parametrize("folder", ["autograded", "feedback", "submitted", "records"])
def test_hidden_tests_are_in_nothing_that_grading_writes(course, folder):
    files = [path for path in (course.root / folder).rglob("*") if path.is_file()]
    assert files
    for path in files:
        told = path.read_text(encoding="utf-8", errors="replace")
        assert "secret_number" not in told, path
        assert "HIDDEN TESTS" not in told, path


def test_what_a_visible_test_says_is_told(course):
    page = (course.folder("feedback") / "generous" / LESSON / f"{LESSON}.html").read_text()
    assert "A check of this answer fails" in page or "the square of 3 is 9" in page


def test_a_changed_hidden_test_is_graded_anew(course):
    assert {one.state for one in grading.grade(course, [LESSON])} == {"unchanged"}
    source = read(course.notebook("source", LESSON))
    source.cells[3].source = source.cells[3].source.replace("1234567", "7654321")
    nbformat.write(source, course.notebook("source", LESSON))
    release.release(course, [LESSON])
    assert {one.state for one in grading.grade(course, [LESSON])} == {"graded"}
