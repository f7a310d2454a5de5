"""The lessons that are attacked: the course's own, cut down to a few exercises so that a run takes seconds, and another instructor's."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.notebooks import is_test

REPOSITORY = Path(__file__).resolve().parents[2]
HANDS = "01_hand_calculations"
SCRATCH = "02_convolution_from_scratch"
KERNELS = "03_classic_kernels"
PYTORCH = "04_pytorch_verification"
TRAINING = "06_cnn_training"
BACKWARD = "07_backpropagation"
GENERIC = "20_another_course"
IN_THE_SOURCES = "perch-8812"  # stands in every lesson's sources and in no release: must be seen nowhere


@dataclass(frozen=True)
class Lesson:
    """A lesson's cells, and the exercises that a hostile hand-in answers honestly: by answer cell its test cells."""

    cells: tuple
    answered: dict = field(default_factory=dict)


def _exercises(*names, answered, before=()):
    cells = ("set-up", *before, *(cell for name in names for cell in (f"ex-{name}", f"check-{name}")))
    return Lesson(cells, {f"ex-{name}": (f"check-{name}",) for name in answered})


LESSONS = {
    HANDS: _exercises("4-1", "4-3", "5-2", answered=("4-3", "5-2")),
    SCRATCH: _exercises("output-size", "conv2d", "2-2", "conv2d-padded", "conv-parameters", "im2col", answered=("output-size", "2-2")),
    KERNELS: _exercises("filter-image", "8-4", answered=("8-4",)),
    PYTORCH: _exercises("load-kernel", "agrees", "9-3", answered=("9-3",)),
    TRAINING: _exercises("cross-entropy", "train-step", "make-lenet", "trained-lenet", "l6-4", answered=("cross-entropy", "l6-4")),
    BACKWARD: _exercises("L7-1", "conv2d-backward", "max-pool2d-backward", "numpy-cnn", answered=("L7-1",), before=("pooling-forward",)),
    GENERIC: Lesson(
        (),
        {"ex-first": ("check-first",), "ex-choice": ("check-choice",), "ex-last": ("check-last",)},
    ),
}


def _meta(name, grade, points=None):
    values = {"grade": grade, "grade_id": name, "locked": grade, "schema_version": 3, "solution": not grade, "task": False}
    return {"nbgrader": values | ({"points": points} if points else {})}


def _answer(name, head, body):
    """An answer cell; its head stays in the release and its body does not."""
    indent = "    " if head.startswith("def ") else ""
    lines = [head, f"{indent}### BEGIN SOLUTION", *(indent + line for line in body.splitlines()), f"{indent}### END SOLUTION"]
    return new_code_cell("\n".join(lines), id=name, metadata=_meta(name, grade=False))


def _test(name, points, source):
    return new_code_cell(source, id=name, metadata=_meta(name, grade=True, points=points))


def generic():
    """A lesson as any instructor would write it: tests that are expressions over what students define, one with a hidden part."""
    return [
        new_markdown_cell("# Another course", id="title"),
        new_code_cell("import math\n\nimport numpy as np", id="set-up"),
        _answer("ex-first", "first = ...  # a number", "first = 4"),
        _test("check-first", 1, "1.0 * (first == 4)"),
        _answer("ex-double", "def double(x):", "return 2 * x"),
        _test(
            "check-double",
            2,
            "2 * (\n    double(3) == 6\n    ### BEGIN HIDDEN TESTS\n    and double(-7731) == -15462\n    ### END HIDDEN TESTS\n)",
        ),
        _answer("ex-area", "def area(r):", "return math.pi * r * r"),
        _test("check-area", 3, "3 if abs(area(1) - 3.14159) < 1e-4 and abs(area(7.5) - 176.71459) < 1e-3 else 0"),
        _answer("ex-scaled", "def scaled(values):", "values = np.asarray(values, float)\nreturn values / values.sum()"),
        _test(
            "check-scaled",
            2,
            "2 * bool(np.allclose(scaled([1.0, 3.0]), [0.25, 0.75]) and np.allclose(scaled([2, 2, 4]), [0.25, 0.25, 0.5]))",
        ),
        _answer("ex-total", "def total(values):", "return sum(values)"),
        _test("check-total", 2, "(lambda values: 2 * (total(values) == sum(values)))([1.5, 2.5, 40])"),
        _answer("ex-shout", "def shout(word):", "return word.upper()"),
        _test("check-shout", 4, 'sum(shout(word) == word.upper() for word in ("ah", "oh", "straße", ""))'),
        _answer("ex-choice", "choice = ...  # a word", 'choice = "both"'),
        _test("check-choice", 3, '{"both": 3, "first": 1}.get(choice)'),
        _answer("ex-cleaned", "def cleaned(values):", "return np.abs(values)"),
        _test("check-cleaned", 2, "(lambda values: 2 * bool(np.all(cleaned(values) == np.abs(values))))(np.array([1.5, -2.0, 3.0]))"),
        _answer("ex-last", "last = ...  # a list", "last = [1, 4, 9]"),
        _test("check-last", 1, "1 * (list(last) == [n * n for n in (1, 2, 3)])"),
    ]


def build(root):
    """Write the sources of these lessons into a folder and release them; return the `Course`."""
    from autograder.course import Course
    from autograder.release import release

    shutil.copy(REPOSITORY / "nbgrader_config.py", root / "nbgrader_config.py")
    for name, lesson in LESSONS.items():
        if name == GENERIC:
            cells = generic()
        else:
            whole = {cell.id: cell for cell in read(REPOSITORY / "solutions" / name / f"{name}.ipynb").cells}
            cells = [whole[cell] for cell in lesson.cells]
        for cell in cells:
            cell.source = cell.source.replace("### BEGIN SOLUTION", f"### BEGIN SOLUTION\n{_indent(cell.source)}# {IN_THE_SOURCES}")
        kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
        path = root / "solutions" / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}), path)
    built = Course(root)
    release(built, built.lessons())
    return built


def _indent(source):
    return "    " if "\n    ### BEGIN" in source else ""


def read(path):
    return nbformat.read(path, as_version=4)


def cell_of(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def honest(classroom, lesson):
    """The hand-in that attacks start from: the lesson as released, with the exercises answered that its `Lesson` names."""
    handed_in = read(classroom.notebook("release", lesson))
    source = read(classroom.notebook("source", lesson))
    for name in LESSONS[lesson].answered:
        cell_of(handed_in, name).source = cell_of(source, name).source.replace(f"# {IN_THE_SOURCES}", "# mine")
    return handed_in


__all__ = ["GENERIC", "IN_THE_SOURCES", "LESSONS", "Lesson", "build", "cell_of", "honest", "is_test", "read"]
