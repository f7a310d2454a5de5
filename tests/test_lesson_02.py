"""Lesson 2: what its text states is recomputed, its demonstrations show what they claim, its model answers pass."""

import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from lessons import Lesson, LessonTests

from course_lib.checks import check
from course_lib.checks.lesson_02_hand import IMAGE_OF_4_1, PADDING_MODES, WRONG_FUNCTIONS, unnoticed

LESSON = Lesson("02_convolution_from_scratch")
K_OF_4_1 = np.array([[1, 0, -1]] * 3)


@pytest.fixture(scope="module")
def results():
    return LESSON.results


def correlate(image, kernel):
    return scipy.signal.correlate2d(image, kernel, mode="valid")


class TestTheLesson(LessonTests):
    lesson = LESSON


def test_two_hours_are_for_the_class_a_break_included():
    assert 100 <= sum(minutes for where, _, _, minutes, _ in LESSON.plan() if where == "in class") <= 110


def test_untouched_demonstrations_ask_for_the_function_kindly():
    waiting = [name for name, (printed, _) in LESSON.untouched.items() if "have not written yet" in printed]
    assert {"conv2d-verify-run", "padded-verify-run", "strided-verify-run", "separable-run", "photo-run"} <= set(waiting)


def test_convolution_by_matrix_waits_for_im2col():
    assert LESSON.untouched["by-matrix-run"][1].startswith("First `im2col`")
    assert LESSON.results["by-matrix-run"][1].passed


def test_lesson_loads_no_torch():
    imports = LESSON.cells["set-up"].source.split("def attempt")[0]
    code = f"{imports}\nimport sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
    assert not any("torch" in cell.source for cell in LESSON.cells.values() if cell.cell_type == "code")


# ------------------------------------------------------------------------------------------------ 1 and 2: size, loops


def test_layer_of_exercise_5_1_has_9216_values():
    assert F.conv2d(torch.zeros(1, 1, 28, 28), torch.zeros(16, 1, 5, 5)).numel() == 9216


def test_formula_without_rounding_promises_half_a_window():
    assert (32 + 2 * 1 - 3) / 2 + 1 == 16.5
    assert F.conv2d(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 3, 3), padding=1, stride=2).shape[-1] == 16


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "windows"), [(7, 3, 1, 1, "5 windows"), (8, 3, 2, 1, "3 windows"), (7, 3, 1, 2, "3 windows")]
)
def test_figure_of_one_axis(results, size, kernel, stride, dilation, windows):
    outputs = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), stride=stride, dilation=dilation).shape[-1]
    titles = [ax.get_title() for ax in results["sizes-figure"][1].figure.axes]
    assert f"{outputs} windows" == windows
    assert any(title.startswith(f"{size} pixels") and windows in title for title in titles)


def test_numbers_of_4_1(results):
    np.testing.assert_array_equal(results["conv2d-verify-run"][1], correlate(IMAGE_OF_4_1, K_OF_4_1))
    np.testing.assert_array_equal(results["conv2d-verify-run"][1], [[-3, -1], [-1, -3]])


def test_page_with_dots_is_filled_in(results):
    np.testing.assert_array_equal(results["conv2d-dots-run"][1], [[7, 6, 9], [4, 7, 4], [5, 3, 6]])


# ------------------------------------------------------------------------------------------------ 3: tests


def test_printed_test_lets_three_of_four_wrong_functions_pass(results):
    lines = dict(line.split(maxsplit=1) for line in results["weak-test"][0].splitlines())
    assert lines == {"upside_down": "passes", "turned": "is noticed", "transposed": "passes", "whole_numbers": "passes"}


def test_why_the_printed_test_is_weak():
    output = correlate(IMAGE_OF_4_1, K_OF_4_1)
    np.testing.assert_array_equal(K_OF_4_1, K_OF_4_1[::-1])
    np.testing.assert_array_equal(output, output.T)
    np.testing.assert_array_equal(output, output[::-1, ::-1])
    assert IMAGE_OF_4_1.shape == (4, 4)


def test_check_names_all_four(results):
    names = [line.split()[1] for line in results["weak-test-checked"][0].splitlines()]
    assert names == ["rows-flipped", "flipped-kernel", "transposed-output", "integer-output"]
    assert results["weak-test-checked"][1].misconception == "rows-flipped"


def test_published_tests_of_7_2_and_7_3_let_the_flip_pass(results):
    lines = {line.split()[0]: re.findall(r"passes|is noticed", line) for line in results["strided-tests-run"][0].splitlines()}
    assert lines["turned"] == lines["upside_down"] == ["passes", "passes"]
    assert lines["transposed"] == ["is noticed", "is noticed"]
    assert lines["whole_numbers"] == ["passes", "is noticed"]


@pytest.mark.parametrize("name", WRONG_FUNCTIONS)
def test_better_test_is_passed_by_no_wrong_function(name):
    kernel = np.array([[1, 2, 3], [-4, 5, 0.5]])
    right, wrong = correlate(IMAGE_OF_4_1, kernel), WRONG_FUNCTIONS[name](IMAGE_OF_4_1, kernel)
    assert right.shape != wrong.shape or not np.allclose(right, wrong)


@pytest.mark.parametrize(
    ("kernel", "slug", "passing"),
    [
        (np.ones((2, 3)), "constant-kernel", 4),
        ([[1, 2, 3], [4, 5, 6]], "whole-numbers-only", 1),
        ([[1, 0.5, 2], [1, 0.5, 2]], "symmetric-kernel", 1),
        ([[1, 0.5, 1], [2, 3, 2]], "symmetric-kernel", 1),
        ([[1, 2, 0.5], [0.5, 2, 1]], "symmetric-kernel", 1),
    ],
)
def test_weak_test_kernel_is_named(kernel, slug, passing):
    verdict = check("2.1", kernel)
    assert not verdict.passed
    assert verdict.misconception == slug
    assert len(unnoticed(kernel)) == passing
    assert all(name in verdict.message for name in unnoticed(kernel))


# ------------------------------------------------------------------------------------------------ 4: bytes, sizes


def test_bytes_start_again(results):
    assert results["bytes-clock"][0].split("\n")[:2] == ["[44 44 44]", "132"]
    assert 150 * 2 - 256 == 44
    patch, kernel = np.full((3, 3), 200, np.uint8), np.full((3, 3), 2, np.uint8)
    assert check("2.2", [np.sum(patch * kernel), 9 * 400]).passed


def test_subtracted_bytes(results):
    assert results["bytes-digit-figure"][0] == "in floats from -254.0 to 255.0\nin bytes from 0 to 255\n"
    assert np.array_equal(np.zeros(2, np.uint8) - np.array([1, 254], np.uint8), [255, 2])


def test_kernels_that_do_not_fit(results):
    assert results["too-large-run"][0] == "a 4x4 kernel: []\na 5x5 kernel: negative dimensions are not allowed\n"
    assert "does not fit" in results["too-large-library"][0]


# ------------------------------------------------------------------------------------------------ 5: padding, stride


def test_numbers_of_6_3(results):
    np.testing.assert_array_equal(results["padded-verify-run"][1], [[-2, -1, 4], [3, 0, 7], [16, 11, 22]])


def test_published_edge_figure_has_one_explanation():
    image, kernel = np.array([[10, 10, 50]] * 3), np.array([[-1, 0, 1]] * 3)
    assert correlate(image, kernel).item() == 120
    figure = np.array([[0, 40, 0]] * 3)
    found = [
        (number, divisor)
        for number, mode in PADDING_MODES.items()
        for divisor in range(1, 121)
        if np.allclose(correlate(np.pad(image, 1, mode=mode), kernel) / divisor, figure)
    ]
    assert found == [(3, 3)]
    assert check("2.3", found[0]).passed


def test_padding_modes_are_numbered_alike_in_lesson_and_check():
    shown = re.findall(r'"(\d): [^"]+": "(\w+)"', LESSON.cells["padding-modes-figure"].source)
    assert {int(number): mode for number, mode in shown} == PADDING_MODES


def test_corners_of_stride_2():
    pixels = torch.arange(25.0).reshape(1, 1, 5, 5)
    first = F.unfold(pixels, 3, stride=2)[0, 0].long()  # the top left pixel of each window
    assert check("2.4", [[int(n) // 5, int(n) % 5] for n in first]).passed


def test_figure_of_stride_leaves_two_columns_out(results):
    picture = results["stride-figure"][1]
    assert "rows 0, 3 and columns 0, 3" in picture.alt
    assert "14 pixels are in no window" in picture.alt


def test_numbers_of_7_3(results):
    expected = F.conv2d(torch.arange(36.0).reshape(1, 1, 6, 6), torch.ones(1, 1, 3, 3), padding=1, stride=2)[0, 0]
    assert expected.tolist() == [[14, 30, 42], [75, 126, 144], [147, 234, 252]]
    np.testing.assert_allclose(results["strided-verify-run"][1], expected)


# ------------------------------------------------------------------------------------------------ 6 and 7: channels, layouts


def test_figure_of_channels_adds_up(results):
    window, kernel = [[[1, 2], [0, 1]], [[3, 0], [1, 2]]], [[[1, -1], [2, 0]], [[0, 1], [1, 1]]]
    value = F.conv2d(torch.tensor([window]).float(), torch.tensor([kernel]).float(), torch.tensor([10.0])).item()
    assert results["channels-numbers"][1].alt.endswith(f"= {value:.0f}.")


def test_numpy_stretches_the_gray_window(results):
    first, second = results["broadcasting-run"][0].splitlines()
    assert first == "(1, 2, 2) (3, 2, 2) 24"
    assert "1 channels" in second
    with pytest.raises(RuntimeError):
        F.conv2d(torch.ones(1, 1, 2, 2), torch.ones(1, 3, 2, 2))


def test_published_padding_takes_channels_last_only(results):
    first, second = results["pad-axes-run"][0].splitlines()
    assert first == "(7, 8, 3)"
    assert "broadcast" in second


def test_transpose_moves_weights_and_reshape_does_not(results):
    keras = np.arange(120).reshape(2, 3, 4, 5)
    moved = keras.transpose(3, 2, 0, 1)
    for (u, v, c, o), weight in np.ndenumerate(keras):
        assert moved[o, c, u, v] == weight
    assert "equal entries: 2 of 120" in results["layouts-run"][0]
    assert keras.reshape(5, 4, 2, 3)[2, 1, 0, 2] != keras[0, 2, 1, 2]  # the model answer's test notices
    assert moved[2, 1, 0, 2] == keras[0, 2, 1, 2]


def test_64_color_filters_have_1728_weights():
    assert torch.nn.Conv2d(3, 64, 3).weight.numel() == 1728


# ------------------------------------------------------------------------------------------------ 8 and 9: dilation, groups


def test_dilated_size(results):
    assert results["dilation-size"][1] == F.conv1d(torch.zeros(1, 1, 28), torch.zeros(1, 1, 5), dilation=3).shape[-1] == 16
    assert (28 - 5) // 1 + 1 == 24


@pytest.mark.parametrize("bias", [False, True])
def test_saving_of_a_depthwise_pair(results, bias):
    def count(*layers):
        return sum(parameter.numel() for layer in layers for parameter in layer.parameters())

    plain = count(torch.nn.Conv2d(32, 64, 3, bias=bias))
    pair = count(torch.nn.Conv2d(32, 32, 3, groups=32, bias=bias), torch.nn.Conv2d(32, 64, 1, bias=bias))
    assert f"bias={bias}: {plain:,} against {pair:,}, that is {plain / pair:.2f} times" in results["separable-run"][0]
    assert (plain, pair) == ((18496, 2432) if bias else (18432, 2336))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_figure_of_groups_counts_kernels(results, groups):
    kernels = torch.nn.Conv2d(4, 4, 3, groups=groups).weight.shape[:2].numel()
    assert f"groups={groups}: {kernels} pairs" in results["groups-figure"][1].alt


# ------------------------------------------------------------------------------------------------ 10 and 11: five ways, speed


def test_windows_are_a_view_and_im2col_copies_nine_times(results):
    printed = results["strided-view"][0]
    assert "same memory as the image: True" in printed
    image, columns = map(int, re.findall(r"\d{4,}", printed))
    assert image == 8 * 30 * 30 * 8
    assert columns == 9 * 8 * 28 * 28 * 8


def test_matrix_of_a_convolution(results):
    assert "36 of 64 entries" in results["sparse-figure"][1].figure.axes[0].get_title()
    weight = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    columns = [F.conv2d(one.reshape(1, 1, 4, 4), weight).ravel() for one in torch.eye(16)]
    assert int((torch.stack(columns) != 0).sum()) == 36


def test_five_ways_and_the_students_agree(results):
    lines = dict(line.split(maxsplit=1) for line in results["agree-run"][0].splitlines())
    assert set(lines) == {"im2col", "strided", "fft", "sparse", "yours"}
    assert max(float(line.split()[-1]) for line in lines.values()) < 2e-14


def test_products_of_the_timed_layer():
    assert 16 * 28 * 28 * 8 * 3 * 3 == 903_168


def test_order_of_magnitude_of_the_measured_speeds(results):
    rows = {line[:18].strip(): line[18:].split() for line in results["speed-run"][0].splitlines()[2:]}
    assert len(rows) == 7
    assert float(rows["im2col"][1].replace(",", "")) > 200  # far beyond "10-50x" against Python loops
    assert float(rows["im2col"][2]) > 2  # against compiled ones: the right order
    assert next(iter(rows)) == "loops"


def test_fourier_wins_for_large_kernels(results):
    line = {one.get_label(): one.get_ydata() for one in results["speed-size-figure"][1].figure.axes[0].lines}
    assert line["im2col"][0] < line["fft"][0]
    assert line["im2col"][-1] > 2 * line["fft"][-1]


def test_photograph_has_three_maps(results):
    axes = [ax for ax in results["photo-run"][1].figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in axes] == [
        "the photograph",
        "0: mean",
        "1: left minus right",
        "2: red minus blue",
    ]
