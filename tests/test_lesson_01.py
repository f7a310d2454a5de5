"""Lesson 1: the answers are right by other means, slips are named, and its demonstrations show what its text says of them."""

import json
import re
import warnings

import nbformat
import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from lessons import SOLUTIONS, Lesson, LessonTests
from statements.lesson_01 import convolutional, dense, mlp, places, train

from course_lib import figures, load_mnist
from course_lib.checks import EXERCISES, check, lesson_01
from course_lib.checks.exercise import DesignExercise, HandExercise

LESSON = Lesson("01_hand_calculations")
HAND = [exercise for exercise in lesson_01.EXERCISES if isinstance(exercise, HandExercise)]
SLIPS = [(exercise.name, slip) for exercise in HAND for slip in exercise.misconceptions]
IMAGE = torch.tensor([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]]).double()


def correlate(image, kernel, padding=0, stride=1):
    image, kernel = (torch.as_tensor(np.asarray(a), dtype=torch.double) for a in (image, kernel))
    return F.conv2d(image[None, None], kernel[None, None], padding=padding, stride=stride)[0, 0].numpy()


class TestTheLesson(LessonTests):
    lesson = LESSON


# ------------------------------------------------------------------------------------------------ answers, by other means

VERTICAL = [[1, 0, -1]] * 3
LAPLACIAN = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
RAMP = np.arange(1, 10).reshape(3, 3)
EXPECTED = {
    "0.1": lambda: 2 * 1 + 5 * 2 - 3,
    "1.1": lambda: np.flatnonzero(np.array(list("..X." + ".XX." + "..X." + "....")) == "X"),
    "1.2": lambda: dense(224 * 224 * 3, 256),
    "3.1": lambda: scipy.signal.correlate2d(np.tile([1, 0], 13)[:25].reshape(5, 5), [[1, 0, 1], [0, 1, 0], [1, 0, 1]], mode="valid"),
    "3.2": lambda: [np.correlate([1, 2, 4, 8], [1, 0, -1], "valid"), np.convolve([1, 2, 4, 8], [1, 0, -1], "valid")],
    "4.1": lambda: correlate(IMAGE, VERTICAL),
    "4.2A": lambda: IMAGE[1, 1].item(),
    "4.2B": lambda: F.avg_pool2d(IMAGE[None], 3, stride=1)[0, 0, 0].item(),
    "4.2C": lambda: IMAGE[1:3, 1:3].numpy(),
    "4.3": lambda: [places(n, k, 0, 1) for n, k in ((7, 3), (28, 5), (32, 3), (100, 7))],
    "4.4": lambda: scipy.signal.convolve2d(IMAGE, VERTICAL, mode="valid"),
    "5.1": lambda: convolutional(1, 16, 5),
    "5.1b": lambda: convolutional(3, 16, 5),
    "5.2": lambda: torch.nn.Conv2d(1, 16, 5)(torch.zeros(1, 28, 28)).shape,
    "5.3": lambda: dense(784, 16 * 24 * 24),
    "5.4": lambda: matrix_facts(),
    "6.1": lambda: [places(*row) for row in SIZES],
    "6.1b": lambda: [(n + 2 * p - k) / s + 1 for n, k, p, s in SIZES],
    "6.2b": lambda: sorted({k - 2 * p for k in range(1, 40) for p in range(20) if places(32, k, p, 2) == 16}),
    "6.3": lambda: correlate(RAMP, LAPLACIAN, padding=1),
    "6.3b": lambda: correlate(np.pad(RAMP, 1, mode="edge"), LAPLACIAN),
    "6.4": lambda: coverage_facts(),
    "6.5": lambda: [places(10, 4, 1, 1), places(10, 4, 2, 1), 3],
    "6.6": lambda: [(r, c) for r in range(0, 5, 2) for c in range(0, 6, 2) if r + 3 <= 5 and c + 3 <= 6],
}
SIZES = ((28, 3, 0, 1), (28, 3, 1, 1), (28, 5, 2, 1), (28, 3, 1, 2), (32, 5, 0, 2), (224, 7, 3, 2))


def matrix_facts():
    """Feed unit vectors through torch: the columns of the matrix are what comes out."""
    kernel = torch.tensor([[[2.0, 3.0, 5.0]]])
    matrix = F.conv1d(torch.eye(7)[:, None], kernel)[:, 0].T
    return [*matrix.shape, int((matrix != 0).sum()), len(matrix[matrix != 0].unique())]


def windows_over(padding):
    """The gradient of the sum of all windows' sums counts, for each pixel, the windows that see it."""
    image = torch.zeros(1, 1, 5, 5, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, 3, 3), padding=padding).sum().backward()
    return image.grad[0, 0].numpy()


def coverage_facts():
    counts = windows_over(1)
    return [counts[0, 0], counts[0, 2], counts[2, 2], next(p for p in range(5) if np.ptp(windows_over(p)) == 0)]


def test_every_hand_exercise_has_an_independent_answer():
    assert set(EXPECTED) == {exercise.name for exercise in HAND}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_answer_is_right(name):
    answer = np.asarray(EXPECTED[name](), dtype=float)
    assert np.allclose(np.asarray(EXERCISES[name].expected, dtype=float), answer)
    verdict = check(name, answer)
    assert verdict.passed
    assert verdict.score == 1


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=lambda value: getattr(value, "slug", value))
def test_a_slip_is_named_and_its_card_can_be_shown(name, slip):
    verdict = check(name, slip.answer)
    assert (verdict.passed, verdict.misconception) == (False, slip.slug)
    assert slip.sentence.replace("'", "&#x27;").replace('"', "&quot;") in verdict._repr_html_()


@pytest.mark.parametrize("exercise", lesson_01.EXERCISES, ids=lambda exercise: exercise.name)
def test_each_exercise_names_at_least_five_slips_and_starts_undone(exercise):
    assert len(exercise.misconceptions) >= 5
    for blank in (..., [..., ...], [[1, ...], [2, 3]]):
        verdict = check(exercise.name, blank)
        assert (verdict.score, "not done yet" in verdict.message.lower()) == (0, True)


@pytest.mark.parametrize("exercise", [e for e in HAND if e.labels], ids=lambda exercise: exercise.name)
def test_each_part_that_is_right_counts(exercise):
    answer = np.array(exercise.expected, dtype=float)
    answer[-1] += 1.25
    verdict = check(exercise.name, answer)
    assert verdict.score == pytest.approx(1 - 1 / len(exercise.labels))
    assert exercise.labels[-1] in verdict.message


@pytest.mark.parametrize("name", ["4.1", "6.3"])
def test_a_wrong_window_is_shown_without_its_products(name):
    answer = np.array(EXERCISES[name].expected, dtype=float)
    answer[0, 0] += 7
    card = check(name, answer)._repr_html_()
    assert "window framed" in card
    assert "products" not in card


# ------------------------------------------------------------------------------------------------ 6.2, judged by its property


def test_design_agrees_with_torch_on_every_small_choice():
    image = torch.zeros(1, 1, 32, 32)
    for k in range(1, 20):
        for p in range(0, 4):
            for s in range(1, 4):
                works = F.conv2d(image, torch.zeros(1, 1, k, k), padding=p, stride=s).shape[-2:] == (16, 16)
                assert check("6.2", (k, p, s)).passed == works


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        ((3, 2, 1), "wrong-order"),
        ((1, 1, 2), "off-by-one"),
        ((5, 4, 2), "padding-once"),
        ((3, 0, 2), "rounded-up"),
        ((2, 3, 2), "padding-forgotten"),
    ],
)
def test_design_names_the_slip(answer, slug):
    assert check("6.2", answer).misconception == slug


@pytest.mark.parametrize(
    "answer", [(0, 0, 2), (3, -1, 2), (3, 1, 0), (3, 1, 2.5), (40, 0, 2), (3, 1), [[3, 1, 2]], "3, 1, 2", float("nan")]
)
def test_design_tells_what_is_wrong_with_an_impossible_answer(answer):
    verdict = check("6.2", answer)
    assert not verdict.passed
    assert verdict.message


def test_design_has_hints_and_slips():
    assert isinstance(EXERCISES["6.2"], DesignExercise)
    assert len(EXERCISES["6.2"].hints) >= 3


# ------------------------------------------------------------------------------------------------ the notebooks


def test_every_exercise_of_the_lesson_is_checked_once():
    checked = [re.fullmatch(r'check\("([^"]+)", (answer_\w+)\)', cell.source).groups() for cell in LESSON.graded("code")]
    assert sorted(name for name, _ in checked) == sorted(exercise.name for exercise in lesson_01.EXERCISES if exercise.points)
    assert all(variable == "answer_" + name.replace(".", "_") for name, variable in checked)


def test_two_hours_are_for_the_class_a_break_included():
    assert 100 <= sum(minutes for where, _, _, minutes, _ in LESSON.plan() if where == "in class") <= 110


def test_the_text_after_a_summary_line_is_set_off():
    """Markdown inside <details> is only rendered after an empty line."""
    for path in SOLUTIONS.glob("*/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for after in re.findall(r"</summary>\n(.*)\n", cell.source):
                assert after == ""


def test_the_lesson_imports_neither_torch_nor_scipy():
    code = "\n".join(cell.source for cell in LESSON.cells.values() if cell.cell_type == "code")
    assert not re.search(r"^\s*(import|from) (torch|scipy)", code, re.MULTILINE)


# ------------------------------------------------------------------------------------------------ what the lesson says and shows


def test_numbers_in_the_comments_of_the_model_answers():
    solutions = "\n".join(cell.source for cell in LESSON.cells.values() if cell.cell_type == "code" and "nbgrader" in cell.metadata)
    assert dense(224 * 224 * 3, 256) == 38_535_424
    assert 16 * 24 * 24 == 9_216
    assert dense(784, 9_216) == 7_234_560
    assert round(dense(784, 9_216) / convolutional(1, 16, 5)) == 17_391
    assert [n for n in (38_535_424, 9_216, 7_234_560, 17_391, 150_528) if f"{n:,}" not in solutions] == []
    first = np.array([[-3, -1], [-1, -3]])
    assert np.array_equal(first, first.T)
    assert np.array_equal(first, first[::-1, ::-1])
    assert IMAGE[0, 0] == IMAGE[1, 1]
    assert places(32, 17, 0, 1) == 16
    assert {2 * p - k for k in range(1, 33) for p in range(33) if k <= 32 + 2 * p and places(32, k, p, 3) == 16} == {13, 14, 15}
    assert places(32, 3, 8, 3) == 16
    line, kernel = torch.arange(10.0)[None], torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
    with warnings.catch_warnings():  # torch says, once a process, that it must pad unevenly
        warnings.simplefilter("ignore")
        same = F.conv1d(line[None], kernel, padding="same")
    assert torch.equal(same, F.conv1d(F.pad(line[None], (1, 2)), kernel))


def test_cross_and_laplacian_look_the_same_after_half_a_turn():
    for kernel in ([[1, 0, 1], [0, 1, 0], [1, 0, 1]], LAPLACIAN):
        assert np.array_equal(np.asarray(kernel)[::-1, ::-1], kernel)
    assert not np.array_equal(np.asarray(VERTICAL)[::-1, ::-1], VERTICAL)


def test_the_checkerboard_has_two_kinds_of_windows():
    board = (np.indices((5, 5)).sum(axis=0) + 1) % 2
    cross = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert np.unique(correlate(board, cross)).tolist() == [0, 5]
    assert correlate(np.ones((3, 3)), cross) == 5


def test_shuffling_pixels_and_weights_alike_changes_no_sum():
    assert LESSON.results["shuffled-sum"][0] == "all sums as before: True\n"


def test_few_bright_pixels_of_the_moved_digit_were_bright_before():
    common, moved = map(int, re.findall(r"\d+", LESSON.results["moved"][0]))
    assert common < 0.4 * moved


def test_matrix_and_window_give_the_same():
    printed = [float(number) for number in re.findall(r"[\d.]+", LESSON.results["matrix-try"][0])]
    image = [[1, 0, 2, 0], [0, 3, 0, 1], [2, 0, 1, 0], [0, 1, 0, 2]]
    assert printed == correlate(image, np.arange(1, 10).reshape(3, 3)).ravel().tolist()


def test_flat_image_and_its_border():
    response = correlate(np.full((5, 5), 5), LAPLACIAN, padding=1)
    assert response[2, 2] == 0
    assert response[0, 0] == 10


def test_published_formulas_for_same_padding_agree_for_odd_kernels_only():
    assert all(k // 2 == (k - 1) // 2 == (k - 1) / 2 for k in range(1, 20, 2))
    assert all(k // 2 != (k - 1) // 2 for k in range(2, 20, 2))


def test_moved_digit_and_its_map():
    digit = load_mnist("train")[0][7] / 255
    assert np.array_equal(figures.moved_by(digit, (3, 4)), np.roll(digit, (3, 4), axis=(0, 1)))  # nothing leaves the image
    moved = figures.moved_by(digit, (-3, 4))
    assert np.isclose(moved.sum(), digit.sum())
    assert np.allclose(correlate(moved, VERTICAL), figures.moved_by(correlate(digit, VERTICAL), (-3, 4)))
    assert not np.allclose(correlate(moved, VERTICAL), correlate(digit, VERTICAL))


def test_an_mlp_does_not_mind_shuffled_pixels():
    """Training on shuffled pixels, from weights shuffled in the same way, is the same training: hence the same 97 %."""
    images, labels = load_mnist("test")
    x, y = torch.from_numpy(images.reshape(-1, 784)).double()[:2000] / 255, torch.from_numpy(labels)[:2000]
    order = torch.from_numpy(np.random.default_rng(0).permutation(784))
    plain, shuffled = mlp().double(), mlp().double()
    shuffled[0].weight.data = shuffled[0].weight.data[:, order].contiguous()
    train(plain, x, y)
    train(shuffled, x[:, order], y)
    assert torch.allclose(plain(x), shuffled(x[:, order]))
    assert torch.allclose(plain[0].weight[:, order], shuffled[0].weight)


def test_no_answer_stands_in_the_text():
    """What the exercises ask for is not given away elsewhere: not as a typed value, and not as a number that only they have."""
    shown = [cell.source for cell in LESSON.cells.values() if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata]
    plain = "\n".join(shown).replace("{,}", ",").replace(" ", "")
    for exercise in HAND:
        typed = json.dumps(np.asarray(exercise.expected, dtype=float).astype(int).tolist()).replace(" ", "")
        if np.ndim(exercise.expected) and exercise.name != "0.1":
            assert typed not in plain, exercise.name
    for number in ("38,535,424", "7,234,560", "9,216", "416", "1,216", "1216", "14.5", "112.5", "1.11", "10/9", "verticaledge"):
        assert number not in plain
