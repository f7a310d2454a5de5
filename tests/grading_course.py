"""A course of two tiny lessons, built in a folder: what the tests of `autograder` work on."""

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parents[1]
LESSONS = ("01_numbers", "02_words")


def meta(grade_id, kind, points=None):
    grade, solution, locked = {"solution": (False, True, False), "test": (True, False, True), "manual": (True, True, False)}[kind]
    values = {"grade": grade, "grade_id": grade_id, "locked": locked, "schema_version": 3, "solution": solution, "task": False}
    return {"nbgrader": values | ({"points": points} if points else {})}


def text(name, source):
    return new_markdown_cell(source, id=name)


def code(name, source):
    return new_code_cell(source, id=name)


def solution(name, source):
    return new_code_cell(source, id=name, metadata=meta(name, "solution"))


def test_cell(name, source, points):
    return new_code_cell(source, id=name, metadata=meta(name, "test", points))


def manual(name, source, points):
    return new_markdown_cell(source, id=name, metadata=meta(name, "manual", points))


test_cell.__test__ = False  # no pytest test


def numbers():
    return [
        text("title", "# Numbers"),
        code("imports", "import math"),
        text("about-double", "Write `double(x)`."),
        solution("ex-1", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"),
        test_cell("check-1", "2 * (double(3) == 6)", 2),
        text("about-root", "What is the root of 16?"),
        solution("ex-2", "answer_2 = ...  # a number\n### BEGIN SOLUTION\nanswer_2 = 4\n### END SOLUTION"),
        test_cell("check-2", "1.0 * (answer_2 == 4)", 1),
        text("about-think", "Why?"),
        manual("think-1", "Because 4 x 4 = 16. (Rubric: 2 points for the product.)", 2),
        solution("ex-3", "def area(r):\n    ### BEGIN SOLUTION\n    return math.pi * r * r\n    ### END SOLUTION"),
        test_cell("check-3", "3 if abs(area(1) - 3.14159) < 1e-4 else 1 if area(1) > 0 else 0", 3),
        text("end", "Well done."),
    ]


def words():
    return [
        text("title", "# Words"),
        solution("ex-4", "def shout(word):\n    ### BEGIN SOLUTION\n    return word.upper()\n    ### END SOLUTION"),
        test_cell("check-4", '4 * (shout("ah") == "AH")', 4),
    ]


def write_notebook(path, cells):
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def make_course(root):
    """Write the course's sources and settings into a folder; return the `Course`."""
    from autograder.course import Course

    shutil.copy(REPOSITORY / "nbgrader_config.py", root / "nbgrader_config.py")
    for lesson, cells in zip(LESSONS, (numbers(), words()), strict=True):
        write_notebook(root / "solutions" / lesson / f"{lesson}.ipynb", cells)
    return Course(root)


def released_course(folder):
    """A released course in a folder: `make_course`, then notebooks/ and the gradebook."""
    from autograder.release import release

    course = make_course(folder)
    release(course, course.lessons())
    return course


def read(path):
    return nbformat.read(path, as_version=4)


def solved(course, lesson="01_numbers"):
    """The notebook of a student who has everything right."""
    notebook = read(course.notebook("release", lesson))
    for cell, answer in zip(notebook.cells, read(course.notebook("source", lesson)).cells, strict=True):
        cell.source = answer.source
    return notebook


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def hand_in(folder, student, notebook, name="01_numbers.ipynb"):
    """Put a file (a notebook or bytes) into a student's folder of hand-ins."""
    path = folder / student / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(notebook, bytes):
        path.write_bytes(notebook)
    else:
        nbformat.write(notebook, path)
    return path
