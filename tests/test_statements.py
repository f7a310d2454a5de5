"""What the lessons state is recomputed: every number in their text has its place in `statements`."""

import importlib
import pkgutil

import pytest
import statements
from statements import SOLUTIONS, Statements, false_equations, normal, value_of

LESSONS = {
    module.name: importlib.import_module(f"statements.{module.name}").LESSON
    for module in pkgutil.iter_modules(statements.__path__)
    if module.name.startswith("lesson_")
}
BY_NAME = pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
RUNS = [pytest.param(*run, id=f"{lesson.folder}: {run[0]}: {run[1].format(run[2])}") for lesson in LESSONS.values() for run in lesson.runs]


def test_every_lesson_is_bound():
    assert [lesson.folder for lesson in LESSONS.values()] == sorted(folder.name for folder in SOLUTIONS.iterdir() if folder.is_dir())


@BY_NAME
def test_every_number_is_accounted_for_and_every_equation_holds(lesson):
    problems = lesson.problems()
    assert not problems, f"{len(problems)} numbers in {lesson.folder} that nothing recomputes:\n" + "\n".join(problems)


@BY_NAME
def test_what_is_recomputed_stands_in_its_cell(lesson):
    assert lesson.missing() == []


@BY_NAME
def test_no_setting_is_idle(lesson):
    assert lesson.idle() == []


@pytest.mark.parametrize(("cell", "template", "printed", "value", "within"), RUNS)
def test_a_measured_figure_is_what_a_run_gives(cell, template, printed, value, within):
    assert abs(value() - printed) <= within


# ------------------------------------------------------------------------------------------------ the mechanism itself


@pytest.mark.parametrize(
    "text",
    [
        "16 × 24 × 24 = 9,216 values",
        r"$\left\lfloor \frac{32 + 2 \cdot 1 - 3}{2} \right\rfloor + 1 = 16$",
        "10/9 = 1.111, rounded",
        "2² + 1 = 5 = 10/2",
        "20,096 ≈ 20,000",
        "3 − 4 = −1",
    ],
)
def test_true_equations_are_worked_out(text):
    false, spans = false_equations(normal(text))
    assert not false
    assert len(spans) == 1


@pytest.mark.parametrize("text", ["(28 + 2 − 3)/2 + 1 = 14", "1 + 3 + 5 + 7 + 9 = 15", "10/9 = 1.112", "3 × 4 = 12 = 13"])
def test_false_equations_are_found(text):
    false, _ = false_equations(normal(text))
    assert len(false) == 1


@pytest.mark.parametrize("text", ["__import__('os')", "a + 1", "2 +", "f(3)", "'a' * 3"])
def test_what_is_not_arithmetic_has_no_value(text):
    assert value_of(text) is None


@pytest.fixture
def lesson():
    made = Statements("a lesson")
    made.cells = {"one": normal("A 28×28 digit has 784 pixels, and the layer 200,704 weights.")}
    return made


def test_a_number_that_nothing_recomputes_is_found(lesson):
    lesson.given("28×28 digit")
    lesson.states("one", "{} weights", 784 * 256)
    assert [problem.split(" in ")[0] for problem in lesson.problems()] == ["one: 784"]


def test_a_wrong_number_is_missing_and_unaccounted_for(lesson):
    lesson.states("one", "{} weights", 784 * 255)
    assert lesson.missing() == ["one: '199920 weights'"]
    assert any("200704" in problem for problem in lesson.problems())


def test_a_setting_covers_whole_numbers_only(lesson):
    lesson.given("28", "78")
    assert lesson.idle() == ["78"]
    assert [problem.split(" in ")[0] for problem in lesson.problems()] == ["one: 784", "one: 200704"]
