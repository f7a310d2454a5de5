"""Lesson 7: its demonstrations show what the text says, its published code is wrong as told, and its network learns."""

import re
import time

import numpy as np
import torch
import torch.nn.functional as F
from lessons import Lesson, LessonTests

from course_lib import check
from course_lib.checks.lesson_07 import published_transposed_conv2d, transposed_conv2d
from course_lib.checks.lesson_07_hand import D_OUT, IMAGE, KERNEL, SIZES

LESSON = Lesson("07_backpropagation")


class TestTheLesson(LessonTests):
    lesson = LESSON


def tensor(array):
    return torch.tensor(np.asarray(array), dtype=torch.float64)


def printed(cell):
    return LESSON.results[cell][0]


def test_untouched_demonstrations_ask_for_the_function_kindly():
    waiting = {name for name, (text, _) in LESSON.untouched.items() if "have not written yet" in text or "Train a network first" in text}
    assert waiting == {
        "backward-verify-run",
        "gradient-check-run",
        "taps-speed-run",
        "adjoint-run",
        "network-result-run",
    }


def test_class_and_home_take_what_the_plan_says():
    minutes = {"in class": 0, "at home": 0}
    for where, _, _, stated, _ in LESSON.plan():
        minutes[where] += stated
    assert 60 < minutes["in class"] < 75  # "a good hour"
    assert 45 <= minutes["at home"] < 60  # "not quite an hour at home"


def test_numbers_of_the_hand_example_are_those_of_the_exercises():
    source = LESSON.cells["shares-figure"].source
    for name, array in {"image": IMAGE, "kernel": KERNEL, "d_out": D_OUT}.items():
        assert f"{name} = np.array({array.tolist()})" in source


def test_what_was_found_by_hand_is_what_autograd_finds():
    image, kernel, bias = tensor(IMAGE).requires_grad_(), tensor(KERNEL).requires_grad_(), tensor(0.0).requires_grad_()
    (F.conv2d(image[None, None], kernel[None, None], bias[None])[0, 0] * tensor(D_OUT)).sum().backward()
    d_x, d_kernel = LESSON.results["backward-verify-run"][1]
    np.testing.assert_array_equal(d_x, image.grad)
    np.testing.assert_array_equal(d_kernel, kernel.grad)
    assert "= [[3, 0], [-1, 4]]" in LESSON.cells["ex-L7-1"].source
    assert bias.grad == 3 + 1 + 0 - 2


def test_the_middle_pixel_is_worked_out_as_the_comment_says():
    assert "3 * -1 + 1 * 2 + 0 * 3 - 2 * 1 = -3" in LESSON.cells["ex-L7-2"].source
    assert LESSON.results["backward-verify-run"][1][0][1, 1] == -3


def test_whole_numbers_refuse_decimals_and_a_single_cell_drops_them():
    refused, dropped = printed("zeros-like-run").splitlines()
    assert refused.startswith("UFuncTypeError Cannot cast")
    assert dropped == "0 + 0.5 is now 0"


def test_slow_functions_are_told_before_the_training_and_the_library_stands_in(monkeypatch, capsys):
    names = {"time": time}
    exec(LESSON.cells["network-speed"].source.split("\n\n\ndigits")[0], names)
    quick_enough, clock = names["quick_enough"], iter([0.0, 9.0, 0.0, 0.001, 0.0, 0.1, *3 * [0.0, 0.1]])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert quick_enough(abs, round, -1) is abs
    assert capsys.readouterr().out == ""
    assert quick_enough(abs, round, -1) is round
    assert capsys.readouterr().out.startswith("abs is slow: about 5 minutes")


def test_the_model_answers_are_fast_enough():
    assert printed("network-speed") == ""
    assert LESSON.untouched["network-speed"][0] == ""


def test_cards_name_what_they_show():
    turned = check("L7.2", [[0, 0, 0]] * 3)
    for shown in (str(turned), turned._repr_html_()):
        assert "d_out" in shown
        assert "the weights that they lay down here" in shown
        assert not re.search("window|kernel", shown)
    wrong = check("transposed_conv2d", lambda x, kernel, stride=2: transposed_conv2d(x, kernel, stride) + 1)
    assert "In the map, the cells whose copies land here:" in str(wrong)
    assert "the map, framed: the cells whose copies land here" in wrong._repr_html_()
    by_kernel = str(check("L7.1", [[0, 0], [0, 0]]))
    assert "In the image, what this tap saw:" in by_kernel
    assert "Times d_out:" in by_kernel


def test_gradients_agree_to_ten_digits_and_a_slip_to_none():
    yours, turned = (float(number) for number in re.findall(r": (\S+)$", printed("gradient-check-run"), flags=re.MULTILINE))
    assert yours < 1e-10
    assert turned > 0.3


def test_a_step_of_1e_14_is_off_by_percents_and_1e_5_by_nothing_to_speak_of():
    def off(step):
        slope = (np.tanh(0.7 + step) - np.tanh(0.7 - step)) / (2 * step)
        return abs(slope * np.cosh(0.7) ** 2 - 1)

    assert 0.001 < np.median([off(step) for step in 1e-14 * np.linspace(0.7, 1.4, 101)]) < 0.03
    assert off(1e-5) < 1e-9


def test_the_friends_check_of_a_kernel_is_off_by_a_percent_or_two():
    rng = np.random.default_rng(0)
    x, kernel, target = rng.normal(size=(5, 6)), rng.normal(size=(3, 2)), rng.normal(size=(3, 5))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2))
    right = np.einsum("ij,ijmn->mn", np.einsum("ijmn,mn->ij", windows, kernel) - target, windows)

    def loss(weights):
        return 0.5 * np.sum((np.einsum("ijmn,mn->ij", windows, weights) - target) ** 2)

    def off(step):
        units = np.eye(6).reshape(6, 3, 2)
        tried = np.reshape([(loss(kernel + step * unit) - loss(kernel - step * unit)) / (2 * step) for unit in units], (3, 2))
        return np.abs(tried - right).max() / np.abs(right).max()

    assert 0.005 < np.median([off(step) for step in 1e-14 * np.linspace(0.9, 1.1, 101)]) < 0.035


def test_tap_by_tap_is_many_times_faster():
    assert int(re.search(r"(\d+) times faster", printed("taps-speed-run"))[1]) > 20


def test_the_transposed_convolution_is_the_adjoint_and_not_the_inverse():
    assert re.findall(r": +(True|False)$", printed("adjoint-run"), flags=re.MULTILINE) == ["True", "True", "False"]


def test_the_matrix_is_that_of_the_convolution():
    matrix = re.search(r"small_kernel = .*?matrix = .*?\n", LESSON.cells["matrix-figure"].source, flags=re.DOTALL)[0]
    namespace = {"np": np, "conv2d": lambda x, kernel: F.conv2d(tensor(x)[None, None], tensor(kernel)[None, None])[0, 0].numpy()}
    exec(matrix, namespace)
    image = np.arange(12.0).reshape(3, 4) ** 2
    np.testing.assert_allclose(namespace["matrix"] @ image.ravel(), namespace["conv2d"](image, namespace["small_kernel"]).ravel())


def test_sizes_are_those_of_torch():
    for (size, kernel, stride, padding), expected in zip(SIZES, [14, 18, 32, 33, 34], strict=True):
        y = F.conv_transpose1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), stride=stride, padding=padding)
        assert y.shape[-1] == expected
    assert (
        sum(parameter.numel() for parameter in torch.nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1).parameters()) == 64 * 32 * 16 + 32
    )


def test_the_published_lines_are_right_for_square_kernels_only():
    text = LESSON.cells["published-transposed"].source
    lines = re.search(r"```python\n(.*?)```", text, flags=re.DOTALL)[1]

    def published(x, kernel):
        conv2d = lambda image, kernel: F.conv2d(tensor(image)[None, None], tensor(kernel.copy())[None, None])[0, 0].numpy()  # noqa: E731
        names = {"np": np, "conv2d": conv2d, "x": x, "kernel": kernel, "stride": 2, "kH": len(kernel), "H": x.shape[0], "W": x.shape[1]}
        exec(lines, names)
        return names["output"]

    rng = np.random.default_rng(0)
    for shape in ((2, 2), (3, 3), (3, 2), (2, 3)):
        x, kernel = rng.normal(size=(3, 4)), rng.normal(size=shape)
        right = F.conv_transpose2d(tensor(x)[None, None], tensor(kernel)[None, None], stride=2)[0, 0].numpy()
        got = published(x, kernel)
        np.testing.assert_allclose(got, published_transposed_conv2d(x, kernel))
        assert (got.shape == right.shape and np.allclose(got, right)) == (shape[0] == shape[1])
    assert published(np.ones((3, 4)), np.ones((3, 2))).shape == (7, 10)


def test_growing_the_winner_changes_the_output_and_growing_another_does_not():
    for window, output in (([1, 5, 3, 4], 5), ([1, 5, 3.01, 4], 5), ([1, 5.01, 3, 4], 5.01)):
        assert F.max_pool2d(tensor(window).reshape(1, 2, 2), 2).item() == output


def test_the_network_reads_more_than_97_percent():
    share, numbers = re.match(r"([\d.]+)% of 5,000 test digits, with ([\d,]+) learned", printed("network-result-run")).groups()
    assert float(share) > 97.5  # and not by luck
    assert numbers == "5,386"


def test_the_network_trains_in_well_under_a_minute():
    seconds = re.findall(r"([\d.]+) s$", printed("ex-numpy-cnn"), flags=re.MULTILINE)
    assert float(seconds[-1]) < 120  # twice what it may take: this machine may be busy
