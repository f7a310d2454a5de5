"""Lesson 5: what its demonstrations show, beside what holds for every lesson."""

import ast
import itertools
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lessons import Lesson, LessonTests
from torch import nn

from course_lib.checks import check
from course_lib.checks.lesson_05 import published_avg_pool2d, published_max_pool2d, receptive_field
from course_lib.checks.lesson_05_hand import MNIST_LAYERS, PUBLISHED_SIZES
from course_lib.models import CifarCNN, DepthwiseSeparable, MnistCNN, ResidualBlock, SimpleCNN, trace
from course_lib.quizzes import FOLDER

LESSON = Lesson("05_stacked_convolutions")


class TestTheLesson(LessonTests):
    lesson = LESSON


def printed(cell):
    return LESSON.results[cell][0]


def numbers_of(line):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", line)]


# ------------------------------------------------------------------------------------------------ 1: two layers


def test_shapes_of_9_4_are_those_of_torch():
    conv1, conv2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
    first = conv1(torch.zeros(1, 1, 28, 28))
    assert check("9.4", [first.shape, conv2.weight.shape, conv2(first).shape]).passed
    assert check("L5.1", [conv2.weight.numel(), sum(p.numel() for p in conv2.parameters())]).passed


def test_two_layers_merge_into_one_unless_a_relu_stands_between():
    first, second, third = printed("collapse-run").splitlines()
    assert first.endswith("(5, 5)")
    assert numbers_of(second)[-1] < 1e-4
    assert numbers_of(third)[-1] > 0.1


# ------------------------------------------------------------------------------------------------ 2: receptive fields


def test_figure_counts_what_is_seen():
    alt = LESSON.results["fields-figure"][1].alt
    assert re.findall(r"depends on (\d+) pixels", alt) == ["7", "10"]


def test_measured_receptive_field_is_the_computed_one():
    assert printed("measured-field-run").splitlines() == ["measured: 10", "computed: 10"]
    assert "convolution 1: 3 by 3" in LESSON.results["measured-field-run"][1].alt


@pytest.mark.parametrize("layers", [MNIST_LAYERS, MNIST_LAYERS[:3], ((3, 1),) * 10], ids=["four", "three", "ten"])
def test_receptive_fields_as_torch_sees_them(layers):
    pixels = torch.rand(1, 1, 40, requires_grad=True)
    output = pixels
    for kernel, stride in layers:
        output = F.conv1d(output, torch.rand(1, 1, kernel), stride=stride)
    output[0, 0, 2].backward()
    assert receptive_field(layers) == int((pixels.grad != 0).sum())


# ------------------------------------------------------------------------------------------------ 3: pooling


def test_published_pooling_is_wrong_where_the_lesson_says():
    sizes = [
        [published_max_pool2d(np.zeros((1, 1, n, n)), 3, 2).shape[2], F.max_pool2d(torch.zeros(1, n, n), 3, 2).shape[1]]
        for n in PUBLISHED_SIZES
    ]
    assert check("L5.5", sizes).passed


def test_published_pooling_is_right_when_window_and_stride_are_2():
    for n in range(2, 30):
        x = np.random.default_rng(n).normal(size=(1, 1, n, n + 3))
        np.testing.assert_allclose(published_max_pool2d(x), F.max_pool2d(torch.tensor(x), 2).numpy())


def test_published_average_has_nine_values_of_which_four_are_right():
    numbers = np.arange(36.0).reshape(1, 1, 6, 6)
    published = published_avg_pool2d(numbers, 3, 2)[0, 0]
    right = F.avg_pool2d(torch.tensor(numbers), 3, 2)[0, 0].numpy()
    assert published[0].tolist() == [7, 9, 10.5]
    assert right.tolist() == [[7, 9], [19, 21]]
    assert np.array_equal(published[:2, :2], right)
    assert published.size == 9
    assert np.isin(published, right).sum() == right.size == 4
    assert "10.5" in printed("published-pooling-run")


def test_shapes_of_the_whole_family():
    shapes = re.findall(r"-> (\(.+?\))$", printed("pooling-kinds-run"), flags=re.MULTILINE)
    assert shapes == ["(2, 8, 7, 10)", "(2, 8, 7, 10)", "(2, 8, 3, 2)", "(2, 8, 1, 1)"]
    assert "convolution: (2, 8, 7, 10)" in printed("pooling-kinds-run")


# ------------------------------------------------------------------------------------------------ 4: equivariance


def test_partners_in_the_figure_agree_in_all_places_but_one():
    source = LESSON.cells["partners-figure"].source
    y, y_moved = (np.array(ast.literal_eval(text)) for text in re.findall(r"= np\.array\((.+)\)", source))
    differences = y_moved[1:, 1:] - y[:2, :3]
    assert np.count_nonzero(differences) == 1
    assert (y[1, 2], y_moved[2, 3], differences.max()) == (7, 9, 2)


def table():
    return {
        line[:22].strip(): [float(n) for n in re.findall(r"([\d.]+)%", line)] for line in printed("measure-shifts-run").splitlines()[1:]
    }


def test_a_convolution_is_exactly_equivariant_and_padding_is_not():
    assert table()["3x3 convolution"] == [0, 0, 0]
    assert min(table()["the same, padding 1"]) > 5


def test_strides_and_poolings_are_equivariant_in_steps():
    for name in ("the same, stride 2", "max pooling 2"):
        one, two, four = table()[name]
        assert one > 5
        assert two == four == 0
    one, two, four = table()["conv-pool-conv-pool"]
    assert 5 < one < two  # halfway between two whole moves is farther off than a quarter
    assert four == 0


def test_only_the_border_differs_under_padding():
    axes = LESSON.results["border-figure"][1].figure.axes
    difference = np.abs(axes[1].images[0].get_array())
    assert difference[1:-1, 1:-1].max() < 1e-6
    assert difference[-1].max() > 0.01


@pytest.mark.parametrize(
    ("layers", "step"), [(((3, 1),), 1), (((2, 2),), 2), (MNIST_LAYERS, 4), (((5, 3), (2, 2)), 6)], ids=["one", "two", "three", "four"]
)
def test_smallest_shift_by_trying(layers, step):
    signal = torch.rand(1, 1, 80, generator=torch.Generator().manual_seed(1))
    kernels = [torch.rand(1, 1, kernel, generator=torch.Generator().manual_seed(2)) for kernel, _ in layers]

    def run(shift):
        x = signal[..., 20 - shift : 70 - shift]
        for kernel, (_, stride) in zip(kernels, layers, strict=True):
            x = F.conv1d(x, kernel, stride=stride)
        return x[0, 0]

    def moves(shift):
        before, after = run(0), run(shift)
        return any(torch.allclose(after[n:], before[: len(before) - n]) for n in range(1, 7))

    assert next(shift for shift in itertools.count(1) if moves(shift)) == step


def test_one_seventh_of_pooled_noise_stays():
    unchanged = numbers_of(printed("invariance-run").splitlines()[0])[-1]
    assert unchanged == pytest.approx(100 / 7, abs=1)


def test_global_mean_hardly_changes_and_a_dense_layer_does():
    mean, dense = ([float(n) for n in re.findall(r"([\d.]+)%", line)] for line in printed("invariance-run").splitlines()[1:])
    assert max(mean) < 5
    assert min(dense) > 10


# ------------------------------------------------------------------------------------------------ 5: costs


def test_9_5_by_torch():
    conv1, conv2 = nn.Conv2d(1, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
    with torch.device("meta"):
        small, large = nn.Linear(784, 16), nn.Linear(784, 32 * 28 * 28)
    assert check("9.5A", [sum(p.numel() for p in layer.parameters()) for layer in (conv1, conv2)]).passed
    assert check("9.5B", [sum(p.numel() for p in layer.parameters()) for layer in (small, large)]).passed
    traced = trace(nn.Sequential(conv1, conv2), (1, 28, 28))
    assert printed("macs-run").splitlines() == [f"conv{n + 1}: {layer.macs}" for n, layer in enumerate(traced.layers)]


def test_memory_of_resnet50():
    convolutions, parameters, values, macs = printed("memory-run").splitlines()
    assert convolutions.endswith(" 53")
    assert parameters.endswith("102 MB")
    assert values.endswith("44 MB")
    assert macs.endswith("4,089,184,256")


# ------------------------------------------------------------------------------------------------ 6 and 7: blocks


def test_bottleneck_and_separable_counts_by_torch():
    def count(*layers):
        return sum(p.numel() for layer in layers for p in layer.parameters())

    thin = nn.Conv2d(256, 64, 1, bias=False), nn.Conv2d(64, 64, 3, bias=False), nn.Conv2d(64, 256, 1, bias=False)
    assert check("L5.8", [count(*thin), count(nn.Conv2d(256, 256, 3, bias=False))]).passed
    totals = [count(DepthwiseSeparable(128, 256, 3, bias=bias)) for bias in (False, True)]
    assert check("L5.9", [*totals, 1]).passed
    assert count(nn.Conv2d(128, 128, 3, groups=128), nn.Conv2d(128, 256, 1, bias=False)) == 34048


def test_model_answers_are_the_library_blocks():
    separable, block = DepthwiseSeparable(3, 5, 3, bias=False), ResidualBlock(4)
    functions = LESSON.results
    assert functions["check-depthwise-separable"][1].passed
    assert functions["check-residual-block"][1].passed
    x = torch.rand(2, 3, 6, 7)
    expected = F.conv2d(F.conv2d(x, separable.depthwise.weight, groups=3), separable.pointwise.weight)
    assert torch.allclose(separable(x), expected, atol=1e-6)
    assert block(torch.rand(2, 4, 6, 7)).shape == (2, 4, 6, 7)


def test_a_block_of_zeros_lets_x_through():
    assert printed("residual-zero-run").splitlines() == [
        "parameters: 73,856",
        "the block gives back x: True",
        "a plain block gives zeros only: True",
    ]


def test_values_grow_without_normalization():
    lines = LESSON.results["growth-figure"][1].figure.axes[0].lines
    page, normalized, plain = (line.get_ydata()[-1] for line in lines[:3])
    assert page > 200
    assert page ** (1 / 20) == pytest.approx(1.33, abs=0.03)
    assert normalized < 10
    assert 0.01 < plain < 10


# ------------------------------------------------------------------------------------------------ 8: networks


def test_traces_are_those_of_the_sources():
    shapes = [layer.output_shape for layer in LESSON.results["mnist-trace"][1].layers]
    assert [s for s, _ in itertools.groupby(shapes)] == [(32, 26, 26), (32, 13, 13), (64, 11, 11), (64, 5, 5), (1600,), (10,)]
    assert LESSON.results["mnist-trace"][1].parameters == 34826
    assert trace(CifarCNN(), (3, 32, 32)).parameters == 60362
    simple = LESSON.results["simple-run"][1]
    assert (simple.parameters, simple.macs) == (94538, 10323200)
    assert check("L5.10", [layer.parameters for layer in trace(MnistCNN(), (1, 28, 28)).layers if layer.parameters]).passed


def test_which_calls_fail():
    cifar, simple, last = printed("simple-run").splitlines()
    assert "2x200704 and 4096x10" in cifar
    assert simple.endswith("-> (2, 10)")
    assert "to have 3 channels, but got 32 channels" in last
    with pytest.raises(RuntimeError):
        SimpleCNN()(torch.zeros(1, 32, 32, 3))


def test_its_quizzes_exist():
    stored = (FOLDER / "lesson_05.json").read_text(encoding="utf-8")
    for name in re.findall(r'quiz\("(.+?)"\)', "\n".join(cell.source for cell in LESSON.cells.values())):
        assert f'"{name}": [' in stored
