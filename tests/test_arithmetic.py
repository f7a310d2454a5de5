"""Convolution arithmetic against torch's layers, and against counting."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from course_lib.arithmetic import conv_macs, conv_parameters, output_size, receptive_field, same_padding

small = st.integers(1, 4)


@settings(max_examples=150)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 4), st.integers(1, 5), small)
def test_output_size_counts_the_places_where_the_window_fits(size, kernel, padding, stride, dilation):
    starts = range(-padding, size + padding, stride)
    places = [start for start in starts if start + dilation * (kernel - 1) < size + padding]
    if places:
        assert output_size(size, kernel, padding, stride, dilation) == len(places)
    else:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, kernel, padding, stride, dilation)


@settings(max_examples=50)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 3), small, small)
def test_output_size_is_torchs(size, kernel, padding, stride, dilation):
    layer = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
    try:
        expected = layer(torch.zeros(1, 1, size)).shape[-1]
    except RuntimeError:
        with pytest.raises(ValueError, match="does not fit"):
            output_size(size, kernel, padding, stride, dilation)
    else:
        assert output_size(size, kernel, padding=padding, stride=stride, dilation=dilation) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"size": 3, "kernel": 5},
            r"a kernel of 5 with dilation 1 spans 5 cells and does not fit an input of 3 with padding 0 \(3 cells\)",
        ),
        (
            {"size": 5, "kernel": 3, "padding": 1, "dilation": 4},
            r"kernel of 3 with dilation 4 spans 9 .* input of 5 with padding 1 \(7 cells\)",
        ),
        ({"size": 0, "kernel": 1}, "size must be at least 1, got 0"),
        ({"size": 5, "kernel": 0}, "kernel must be at least 1, got 0"),
        ({"size": 5, "kernel": 3, "stride": 0}, "stride must be at least 1, got 0"),
        ({"size": 5, "kernel": 3, "dilation": -1}, "dilation must be at least 1, got -1"),
        ({"size": 5, "kernel": 3, "padding": -1}, "padding must be at least 0, got -1"),
        ({"size": 5.0, "kernel": 3}, r"size must be a whole number, got 5.0 \(float\)"),
        ({"size": 5, "kernel": "3"}, r"kernel must be a whole number, got '3' \(str\)"),
        ({"size": 5, "kernel": 3, "stride": True}, r"stride must be a whole number, got True \(bool\)"),
        ({"size": 5, "kernel": 3, "stride": np.True_}, "stride must be a whole number, got np.True_"),
        ({"size": (5, 5), "kernel": 3}, r"size must be a whole number, got \(5, 5\) \(tuple\)"),
        ({"size": math.nan, "kernel": 3}, "size must be a whole number, got nan"),
    ],
)
def test_output_size_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        output_size(**arguments)


def test_numpy_integers_are_whole_numbers():
    result = output_size(np.int64(7), np.uint8(3))
    assert (result, type(result)) == (5, int)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's own, about speed
@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_is_torchs(kernel, dilation):
    """One lit cell shows where torch puts the kernel's first tap: at `before` cells to the right of it."""
    before, after = same_padding(kernel, dilation)
    assert before + after == dilation * (kernel - 1)
    impulse, weight = torch.zeros(1, 1, 41), torch.zeros(1, 1, kernel)
    impulse[0, 0, 20], weight[0, 0, 0] = 1, 1
    y = nn.functional.conv1d(impulse, weight, padding="same", dilation=dilation)
    assert y.shape[-1] == 41
    assert int(y.argmax()) == 20 + before


def test_same_padding_refuses():
    with pytest.raises(ValueError, match="kernel must be at least 1, got 0"):
        same_padding(0)
    with pytest.raises(ValueError, match=r"dilation must be a whole number, got 1\.5"):
        same_padding(3, 1.5)


layers = st.tuples(small, small, small, small, st.integers(1, 3))


@settings(max_examples=50)
@given(layers, st.booleans())
def test_conv_parameters_counts_torchs(layer, bias):
    group_channels, group_outputs, kernel_height, kernel_width, groups = layer
    channels = group_channels * groups, group_outputs * groups
    conv = nn.Conv2d(*channels, (kernel_height, kernel_width), bias=bias, groups=groups)
    assert conv_parameters(*channels, kernel_height, kernel_width, bias=bias, groups=groups) == sum(p.numel() for p in conv.parameters())


def counted_macs(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups):
    """Every product, one at a time."""
    group = [set(range(c, in_channels, groups)) for c in range(groups)]
    outputs = [(o % groups, i, j) for o in range(out_channels) for i in range(output_height) for j in range(output_width)]
    return sum(len(group[g]) for g, _, _ in outputs for _ in range(kernel_height) for _ in range(kernel_width))


@settings(max_examples=50)
@given(layers, small, small)
def test_conv_macs_counts_every_product(layer, output_height, output_width):
    group_channels, group_outputs, *kernel, groups = layer
    arguments = group_channels * groups, group_outputs * groups, *kernel, output_height, output_width, groups
    assert conv_macs(*arguments) == counted_macs(*arguments)


def test_known_layers():
    assert conv_parameters(1, 6, 5, 5) == 156  # LeNet-5's first
    assert conv_parameters(32, 32, 3, 3, bias=False, groups=32) == 288  # depthwise
    assert conv_macs(3, 64, 7, 7, 112, 112) == 118_013_952  # ResNet's first, on 224x224


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 3}, "groups=3 must divide in_channels=4 and out_channels=6"),
        ({"groups": 0}, "groups must be at least 1, got 0"),
        ({"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ({"out_channels": -6}, "out_channels must be at least 1, got -6"),
        ({"kernel_height": 2.5}, "kernel_height must be a whole number, got 2.5"),
        ({"kernel_width": 0}, "kernel_width must be at least 1, got 0"),
    ],
)
def test_impossible_layers_are_refused(options, message):
    arguments = {"in_channels": 4, "out_channels": 6, "kernel_height": 3, "kernel_width": 3} | options
    with pytest.raises(ValueError, match=message):
        conv_parameters(**arguments)
    with pytest.raises(ValueError, match=message):
        conv_macs(**arguments, output_height=2, output_width=2)


def test_conv_macs_refuses_an_impossible_output():
    with pytest.raises(ValueError, match="output_width must be at least 1, got 0"):
        conv_macs(1, 1, 3, 3, 1, 0)


@settings(max_examples=40)
@given(st.lists(st.tuples(small, st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=4))
def test_receptive_field_is_what_a_gradient_reaches(layers):
    field = receptive_field(layers)
    assume(field <= 200)
    x = torch.ones(1, 1, field, requires_grad=True, dtype=torch.float64)
    y = x
    for kernel, stride, dilation in layers:
        y = nn.functional.conv1d(y, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride, dilation=dilation)
    assert y.numel() == 1  # the field is just large enough for one output cell
    y.sum().backward()
    reached = x.grad.flatten().nonzero().flatten()
    assert (int(reached[0]), int(reached[-1])) == (0, field - 1)


def test_known_receptive_fields():
    assert receptive_field([]) == 1
    assert receptive_field([(3, 1, 1)] * 10) == 21
    mnist_model = [(3, 1, 1), (2, 2, 1), (3, 1, 1), (2, 2, 1)]
    assert [receptive_field(mnist_model[: depth + 1]) for depth in range(4)] == [3, 4, 8, 10]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([(3, 1)], r"layers\[0\] must be \(kernel, stride, dilation\), got \(3, 1\)"),
        ([(3, 1, 1), 3], r"layers\[1\] must be \(kernel, stride, dilation\), got 3"),
        ([(3, 1, 1), (3, 0, 1)], r"stride of layers\[1\] must be at least 1, got 0"),
        ([(0, 1, 1)], r"kernel of layers\[0\] must be at least 1, got 0"),
    ],
)
def test_impossible_stacks_are_refused(layers, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(layers)
