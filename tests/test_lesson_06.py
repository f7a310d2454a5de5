"""Lesson 6: its run reaches what it promises, and its demonstrations show what the text says of them."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lessons import Lesson, LessonTests

from course_lib.data import load_mnist
from course_lib.models import LeNet5

LESSON = Lesson("06_cnn_training")


class TestTheLesson(LessonTests):
    lesson = LESSON


def printed(cell):
    return LESSON.results[cell][0]


def alt(cell):
    return LESSON.results[cell][1].alt


def percentages(text):
    return [float(number) for number in re.findall(r"(\d+\.\d+) %", text)]


def curves():
    """From network to the percentages after each epoch."""
    return {part.split(":")[0]: percentages(part) for part in alt("curves").removeprefix("Training. ").split(". ") if "%" in part}


def shifts():
    """From network to the percentages at shifts 0 to 4."""
    return {
        name: percentages(part) for name, part in re.findall(r"(LeNet-5|dense network): ((?:[\d.]+ % at \d(?:, )?)+)", alt("shift-figure"))
    }


def bars():
    """From (network, kind of digits) to the percentage."""
    found = re.findall(r"(dense network|LeNet-5), ([a-z ]+): ([\d.]+) %", alt("shuffle-run"))
    return {(name, kind): float(value) for name, kind, value in found}


# ------------------------------------------------------------------------------------------------ 1 and 2: loss, step


def test_both_losses_are_the_same_number():
    yours, torchs = (float(line.split()[1]) for line in printed("cross-entropy-torch-run").splitlines())
    assert yours == pytest.approx(torchs, abs=1e-12)


def test_gradients_add_up():
    assert printed("grad-adds").split() == ["6.0", "12.0"]


def test_the_first_loss_is_that_of_knowing_nothing_and_the_last_is_small():
    losses = [float(line.split()[-1]) for line in printed("first-steps-run").splitlines()]
    assert losses[0] == pytest.approx(-np.log(0.1), abs=0.15)
    assert losses[0] > 2 * losses[1] > 4 * losses[-1]


# ------------------------------------------------------------------------------------------------ 3 to 5: trained


def test_the_dense_network_reaches_its_number():
    assert 98.0 <= curves()["dense network"][-1] <= 98.8


def test_lenet_reaches_99_percent_in_three_epochs():
    reached = curves()["LeNet-5"]
    assert len(reached) == 3
    assert reached[-1] >= 99.0


def test_the_dense_network_makes_about_twice_as_many_mistakes():
    found = curves()  # 1.9 to 2.4 times on the machines where it was trained
    assert 1.5 < (100 - found["dense network"][-1]) / (100 - found["LeNet-5"][-1]) < 3


def test_the_students_lenet_is_the_librarys():
    assert LESSON.results["lenet-trace"][1].parameters == sum(parameter.numel() for parameter in LeNet5().parameters()) == 61_706


def test_most_parameters_are_in_c5_and_most_work_in_the_convolutions():
    layers = LESSON.results["lenet-trace"][1].layers
    dense = [layer for layer in layers if layer.kind == "Linear"]
    convolutions = [layer for layer in layers if layer.kind == "Conv2d"]
    assert dense[0].parameters > 0.5 * 61_706
    assert sum(layer.macs for layer in convolutions) > 0.8 * sum(layer.macs for layer in layers)
    assert 2_000 < sum(layer.parameters for layer in convolutions) < 4_000  # "a few thousand weights"


# ------------------------------------------------------------------------------------------------ 6 and 7: mistakes, filters


def test_the_commonest_mistake_is_the_darkest_entry():
    count, label, predicted = map(
        int, re.search(r"most often, (\d+) times, a (\d) is taken for a (\d)", printed("most-confused-run")).groups()
    )
    assert f"{count} times a {label} for a {predicted}" in alt("confusion-figure")


def test_fewer_than_a_hundred_digits_are_wrong():
    right = int(re.search(r"(\d+) of 10000 right", alt("confusion-figure"))[1])
    assert 40 <= 10_000 - right < 100


def test_twelve_mistakes_are_shown_and_some_are_held_nearly_certain():
    confidence = [int(number) for number in re.findall(r"(\d+) % sure", alt("worst-figure"))]
    assert len(confidence) == 12
    assert max(confidence) >= 95


def test_some_learned_filters_are_positive_on_one_side_and_negative_on_the_other():
    kernels = [image.get_array() for ax in LESSON.results["filters-figure"][1].figure.axes for image in ax.images]
    kernels = [kernel for kernel in kernels if kernel.shape == (5, 5)]
    rows, columns = np.mgrid[-2:3, -2:3]
    assert len(kernels) == 6

    def explained_by_a_slope(kernel):
        slopes = [(kernel * axis).sum() ** 2 / (axis**2).sum() for axis in (rows, columns)]
        return sum(slopes) / ((kernel - kernel.mean()) ** 2).sum()

    assert sorted(map(explained_by_a_slope, kernels))[-2] > 0.25  # of noise, a twelfth


# ------------------------------------------------------------------------------------------------ 8 and 9: moved, shuffled


def test_both_forgive_a_pixel_and_four_cost_lenet_most_digits():
    lenet, dense = shifts()["LeNet-5"], shifts()["dense network"]
    assert len(lenet) == len(dense) == 5
    assert lenet == sorted(lenet, reverse=True)
    assert lenet[0] - lenet[1] < 1
    assert dense[0] - dense[1] < 2.5
    assert dense[0] - dense[2] > 2 * (lenet[0] - lenet[2])
    assert lenet[4] < 50
    assert all(a > b for a, b in zip(lenet, dense, strict=True))


def test_most_digits_have_four_empty_pixels_around_them():
    images = load_mnist("test")[0]
    assert (images[:, :4] > 0).mean() + (images[:, :, :4] > 0).mean() < 0.01


def test_one_pooling_keeps_a_good_part_the_same_and_two_next_to_nothing():
    counts = {name: (int(same), int(alive)) for name, same, alive in re.findall(r"(S\d): (\d+) of (\d+)", printed("shift-maps-run"))}
    assert counts["S2"][0] > 0.25 * counts["S2"][1]
    assert counts["S4"][0] < 0.1 * counts["S4"][1]


def test_c1_moves_along_with_the_digit():
    torch.manual_seed(0)
    digit = torch.rand(1, 1, 28, 28)
    moved = torch.roll(digit, (1, 1), dims=(2, 3))
    weights = torch.rand(6, 1, 5, 5)
    here, there = (F.conv2d(image, weights, padding=2) for image in (digit, moved))
    torch.testing.assert_close(there[:, :, 4:-3, 4:-3], here[:, :, 3:-4, 3:-4])


def test_shuffled_pixels_cost_the_dense_network_nothing_and_lenet_its_lead():
    found = bars()
    assert found["LeNet-5", "digits"] - found["dense network", "digits"] > 1
    assert abs(found["dense network", "digits"] - found["dense network", "shuffled digits"]) < 0.5
    assert found["LeNet-5", "shuffled digits"] < found["dense network", "shuffled digits"]
    assert found["LeNet-5", "digits"] - found["LeNet-5", "shuffled digits"] > 3
