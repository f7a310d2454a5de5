"""Lesson 4: its demonstrations show what the text claims, its model answers pass, and its hand answers are what PyTorch says."""

import numpy as np
import pytest
import scipy.signal
import torch
from lessons import Lesson, LessonTests
from torch import nn

from course_lib import figures
from course_lib.checks import EXERCISES, check
from course_lib.checks.lesson_04_hand import BATCH, CALLS, FIRST_WEIGHTS, LAYER_A, LAYER_B, MESSAGES, SIGNAL, TAPS
from course_lib.kernels import CLASSIC_KERNELS

LESSON = Lesson("04_pytorch_verification")


class TestTheLesson(LessonTests):
    lesson = LESSON


def printed(cell):
    return LESSON.results[cell][0]


# ------------------------------------------------------------------------------------------------ answers worked out by hand


def test_the_shapes_of_l4_1_are_those_of_the_layers():
    a, b = nn.Conv2d(**LAYER_A), nn.Conv2d(**LAYER_B)
    x = a(torch.zeros(BATCH))
    shapes = a.weight.shape, x.shape, b.weight.shape, b(x).shape
    assert [tuple(shape) for shape in shapes] == [tuple(row) for row in EXERCISES["L4.1"].expected]
    assert "nn.Conv2d(3, 8, kernel_size=(2, 5))" in LESSON.cells["read-shapes"].source
    assert "nn.Conv2d(8, 16, kernel_size=3, stride=2, padding=1, groups=4)" in LESSON.cells["read-shapes"].source


@pytest.mark.parametrize(("code", "bound"), list(zip(FIRST_WEIGHTS, EXERCISES["9.3"].expected, strict=True)))
def test_first_weights_lie_within_the_bound_of_9_3_and_fill_it(code, bound):
    torch.manual_seed(0)
    largest = max(eval(code, {"nn": nn}).weight.abs().max().item() for _ in range(200))
    assert 0.97 * bound < largest <= bound
    assert code in LESSON.cells["ex-9-3"].source


def test_the_published_formula_and_code_of_l4_2():
    formula = [sum(SIGNAL[k] * TAPS[i - k] for k in range(len(SIGNAL)) if 0 <= i - k < len(TAPS)) for i in (2, 3)]
    code = [np.sum(np.array(SIGNAL[i : i + 3]) * TAPS) for i in (0, 1)]
    np.testing.assert_array_equal(EXERCISES["L4.2"].expected, [formula, code])


def test_kernels_of_l4_3_that_notice_a_flip_on_the_digit():
    digit = np.random.default_rng(0).normal(size=(9, 8))
    notice = [
        int(
            not np.allclose(
                scipy.signal.correlate2d(digit, kernel, mode="valid"), scipy.signal.convolve2d(digit, kernel, mode="valid"), atol=1e-9
            )
        )
        for kernel in CLASSIC_KERNELS.values()
    ]
    assert notice == list(EXERCISES["L4.3"].expected)


@pytest.mark.parametrize(("code", "number"), CALLS.items(), ids=CALLS)
def test_the_layer_of_l4_4_answers_as_expected(code, number):
    layer, x = nn.Conv2d(3, 8, 3), eval(code, {"np": np, "torch": torch})
    if number == 0:
        layer(x)
        return
    with pytest.raises((RuntimeError, TypeError)) as raised:
        layer(x)
    assert MESSAGES[number] in str(raised.value)


def test_calls_and_messages_of_l4_4_stand_in_the_text():
    text = LESSON.cells["errors"].source
    for letter, code in zip("abcdefg", CALLS, strict=True):
        assert f"- {letter}: `{code}`" in text
    for number, message in MESSAGES.items():
        assert f"{number}. `{message}`" in text


# ------------------------------------------------------------------------------------------------ demonstrations


def test_the_layer_takes_one_image_and_a_batch():
    assert "parameters 320" in printed("layer-run")
    assert "one image  (32, 26, 26)" in printed("layer-run")
    assert "a batch    (20, 32, 26, 26)" in printed("layer-run")


def test_the_functional_gives_the_nine_numbers_of_lesson_2():
    image = [[1, 2, 3, 0, 1], [0, 1, 2, 3, 0], [1, 0, 1, 2, 1], [2, 1, 0, 1, 0], [0, 1, 2, 0, 1]]
    expected = scipy.signal.correlate2d(image, [[1, 0, 1], [0, 1, 0], [1, 0, 1]], mode="valid")
    assert str(expected.astype(float)) in printed("functional-run")


def test_weights_are_watched():
    assert "a leaf Variable that requires grad is being used in an in-place operation" in printed("load-watched")


def test_numpy_and_pytorch_differ_by_rounding_only():
    equal, total = (int(word) for word in printed("numpy-pytorch-run").split("\n")[0].split() if word.isdigit())
    assert 0 < equal < total == 784  # "many values differ"
    assert largest_difference() < 1e-6
    assert "agree: True" in printed("agrees-run")
    assert "mirror image: False" in printed("agrees-run")


def largest_difference():
    return float(printed("numpy-pytorch-run").split()[-1])


def test_the_order_of_additions_counts():
    assert [line.split()[-1] for line in printed("order-run").splitlines()] == ["0.0", "1.0"]


def test_allclose_stretches_shapes():
    assert printed("allclose-run").split() == ["True", "True"]


def test_only_the_blur_has_no_blue():
    ranges = [ax.get_xlabel() for ax in LESSON.results["several-run"][1].figure.axes if ax.get_xlabel()]
    assert [label.startswith("0 to") for label in ranges] == [False, False, False, True]


def likeness():
    """From name to correlation, as the figure shows it."""
    ax = LESSON.results["random-measure-run"][1].figure.axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    return dict(zip(names, (float(text.get_text().replace("\N{MINUS SIGN}", "-")) for text in ax.texts), strict=True))


def test_random_filters_give_pictures_and_not_noise():
    found = likeness()
    assert found["random filters"] > found["Sobel Vertical"] > 0.6
    assert abs(found["white noise"]) < 0.1
    assert min((value, name) for name, value in found.items() if name != "white noise")[1] == "Edge (Laplacian)"


def test_the_layer_correlates_and_scipy_convolves():
    lines = [line.split() for line in printed("flip-run").splitlines()]
    layer, convolved, correlated = (line[-4:] for line in lines[:3])
    assert layer == correlated == ["-3.0", "-1.0", "-1.0", "-3.0"]
    assert convolved == ["3.0", "1.0", "1.0", "3.0"]


def test_the_published_formula_reads_backwards():
    layer, down, up = (line.split()[-3:] for line in printed("backwards-run").splitlines())
    assert layer == down != up


def test_reshape_tears_the_photograph():
    moved, poured = (ax.images[0].get_array() for ax in LESSON.results["torn-figure"][1].figure.axes if ax.get_title())
    assert moved.shape == poured.shape
    photo = LESSON.results["torn-figure"][1].alt
    assert "after reshape" in photo
    assert np.corrcoef(moved[:, 1:].ravel(), moved[:, :-1].ravel())[0, 1] > 0.9
    assert np.corrcoef(poured[1:].ravel(), poured[:-1].ravel())[0, 1] < 0.5


def test_options_change_what_the_quiz_and_the_text_say():
    rows = {line[:35].strip(): line[35:] for line in printed("options-run").splitlines()}
    plain = rows["(nothing)"]
    weights = {name: row.split("output")[0] for name, row in rows.items()}
    assert [name for name, row in weights.items() if row != weights["(nothing)"]] == ["groups=4"]
    same_output = [name for name, row in rows.items() if row.split("parameters")[0] == plain.split("parameters")[0]]
    assert same_output == ["(nothing)", "bias=False"]


def test_stride_2_does_not_always_halve():
    assert [line.split()[-1] for line in printed("sizes-run").splitlines()] == ["26", "28", "24", "13", "112"]


def test_nothing_of_the_bias_survives_the_normalization():
    before, after = (float(word.strip(",")) for word in printed("bias-run").split() if word[0].isdigit())
    assert before == pytest.approx(5, abs=1e-4)
    assert after < 1e-4


def test_untouched_demonstrations_ask_for_the_function_kindly():
    waiting = [name for name, (text, _) in LESSON.untouched.items() if "have not written yet" in text]
    assert waiting == ["numpy-pytorch-run", "several-run"]


# ------------------------------------------------------------------------------------------------ verdicts that students get often


def test_a_layer_with_its_random_bias_is_named():
    def load_kernel(kernel, padding=0):
        layer = nn.Conv2d(1, 1, kernel.shape, padding=padding)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(kernel)[None, None])
        return layer

    verdict = check("load_kernel", load_kernel, seed=1)
    assert verdict.misconception == "bias-left-on"
    assert "bias" in verdict.message


@pytest.mark.parametrize("seed", range(5))
def test_a_layer_that_was_never_loaded_is_named(seed):
    torch.manual_seed(seed)
    verdict = check("load_kernel", lambda kernel, padding=0: nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False), seed=seed)
    assert verdict.misconception == "kernel-not-loaded"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("load_kernel", EXERCISES["load_kernel"].misconceptions[0].answer),
        ("feature_maps", lambda image, kernels, padding=0: torch.tensor(EXERCISES["feature_maps"].reference(image, kernels, padding))),
        ("images_to_tensor", lambda images: EXERCISES["images_to_tensor"].reference(images).double()),
    ],
)
def test_what_a_check_finds_is_not_told_as_the_students_own_error(name, answer):
    verdict = check(name, answer, seed=1)
    assert verdict.misconception
    assert "It raised" not in str(verdict)


def test_a_list_of_maps_can_be_drawn():
    maps = [[[0.0, 1], [2, 3]]]
    picture = figures.show_filters_and_maps(np.eye(2), {"one": (np.ones((1, 1, 1)), maps, ["name"])})
    assert "one: name" in picture.alt


def test_a_wrong_value_is_shown_with_its_window():
    verdict = check("from_keras", EXERCISES["from_keras"].misconceptions[0].answer, seed=1)
    assert "The window there" in str(verdict)
