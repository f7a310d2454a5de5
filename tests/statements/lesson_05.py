"""The numbers in lesson 5."""

import itertools
import math
from functools import cache

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from course_lib.models import CifarCNN, DepthwiseSeparable, MnistCNN, SimpleCNN, trace

from . import Statements

LESSON = Statements("05_stacked_convolutions")


# ------------------------------------------------------------------------------------------------ other means to the results


def seen(*layers):
    """Pixels that one value depends on, from the derivatives that torch finds; layers are (kernel, stride)."""
    pixels = torch.ones(1, 1, 60, requires_grad=True)
    output = pixels
    for kernel, stride in layers:
        output = F.conv1d(output, torch.ones(1, 1, kernel), stride=stride)
    output[0, 0, 1].backward()
    return int((pixels.grad != 0).sum())


def parameters(*layers):
    return sum(p.numel() for layer in layers for p in layer.parameters())


def convolution(*args, **kwargs):
    return nn.Conv2d(*args, **kwargs, device="meta")


def dense(*sizes):
    return [nn.Linear(before, after, device="meta") for before, after in itertools.pairwise(sizes)]


def output_of(*layers, size):
    return nn.Sequential(*layers)(torch.zeros(1, 1, size, size)).shape[-1]


@cache
def resnet50():
    with torch.device("meta"):
        return trace(torchvision.models.resnet50(), (3, 224, 224))


def resnet50_values():
    return sum(math.prod(layer.output_shape) for layer in resnet50().layers if layer.kind == "Conv2d")


def first_batch_with_more_activations():
    return math.floor(resnet50().parameters / resnet50_values()) + 1


def step_of(module):
    """The smallest move of the image that moves the output by whole places: the product of the strides."""
    return math.prod(layer.stride if isinstance(layer.stride, int) else layer.stride[0] for layer in module if hasattr(layer, "stride"))


# ------------------------------------------------------------------------------------------------ settings and quotations

LESSON.given(
    "`(1, 1, 28, 28)`", "each kernel is only 3×3", "Two 3×3 layers", "one 5×5 layer", "2 × (3×3) = 18 vs 5×5 = 25",
    "made of 3×3 layers", "64 of each there are", "64 × 64 such pairs", "Three 3×3 layers", "one 7×7 layer",
    "64 channels in and 64 out", "3×3 layers", "28×28", "24×24", "6×6 map", "0 to 35", "windows of 3", "Window 3", "6, 13 and 112",
    "`pool_size` 2 and `stride` 2", "28 pixels, kernel 3", "Stride 2 halves", "moves by 2", "2×2 max pooling", "96×96", "poolings of 2",
    "(10, 20) or (11, 21)", "moved by 3 pixels", "a 6 and a 9", "for 3 pixels", "the 784 pixels", "to 16 numbers", "784 → 16 → 32",
    "784 → 12,544", "ResNet-50", "4 bytes", "4 billion", "expensive 3×3", "256 → 64 → 64 → 256", "256 → 256", "plain 3×3 layer",
    "a 3×3 layer", "depthwise 3×3", "128 to 256 channels", "3x3x128 + 1x1x128x256 = 34,048", "are in 34,048", "2 = pointwise",
    "20 such blocks", "after 20 blocks", "to 10 scores", "32×32", "to 32 and to 64 maps", "224×224", "LeNet-5", "by a factor of 4,000",
    "exercise 9.5",
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ 1 and 2: stacks

LESSON.states("plan", "{} are checked at once and {} (the cells", 31, 4)
LESSON.states("fields", "The merged kernel was {0}×{0}", 3 + 3 - 1)
LESSON.states("fields", "depends on {0}×{0} pixels", seen((3, 1), (3, 1)))
LESSON.states("fields-reading", "sees {} pixels, two see {}, three see {}", *(seen(*[(3, 1)] * n) for n in (1, 2, 3)))
LESSON.states("fields-reading", "Each layer adds {}", seen((3, 1), (3, 1)) - seen((3, 1)))
LESSON.states("fields-reading", "$n$ layers see ${}n + 1$", seen(*[(3, 1)] * 4) - seen(*[(3, 1)] * 3))
LESSON.states("measured-field-why", "sees {0}×{0} pixels", seen((3, 1), (2, 2), (3, 1), (2, 2)))
LESSON.states(
    "measured-field-why",
    "{:,} weights against {:,}",
    2 * parameters(convolution(64, 64, 3, bias=False)),
    parameters(convolution(64, 64, 5, bias=False)),
)

# ------------------------------------------------------------------------------------------------ 4: moving

LESSON.given("7 has become 9")
LESSON.states("equivariance-text", "the error is {}", 9 - 7)
LESSON.states("measure-shifts-why", "a step of {} pixels", step_of(MnistCNN().features))
LESSON.given("for 2 pixels than for 1", "Moved by 2", "`flip` turns `k2` by 180 degrees")
LESSON.states("measure-shifts-why", "and {} pixels off both", step_of(MnistCNN().features) // 2)
LESSON.states("think-5-a", "in steps of {} pixels", step_of(MnistCNN().features))
LESSON.states("published-pair", "fall in cell ({}, {})", 10 // 2, 21 // 2)

# ------------------------------------------------------------------------------------------------ 5: costs

PAIR = convolution(1, 16, 3, padding=1), convolution(16, 32, 3, padding=1)
LARGE = dense(784, 32 * 28 * 28)
SMALL = dense(784, 16, 32)

LESSON.states("equivalent", "is {:,.1f}. The division is right", parameters(*LARGE) / parameters(*PAIR))
LESSON.states("equivalent", "have {:,} parameters, {:.1f} times", parameters(*SMALL), parameters(*SMALL) / parameters(*PAIR))
LESSON.states("equivalent", "give {} numbers", SMALL[-1].out_features)
LESSON.states("equivalent", "{:,}. Dense layers with", LARGE[0].out_features)
LESSON.states("equivalent", "→ {:,}, have {:.1f} million", LARGE[0].out_features, parameters(*dense(784, 16 * 28 * 28, 32 * 28 * 28)) / 1e6)
LESSON.states("macs-why", "{:,} MACs together", trace(nn.Sequential(*PAIR), (1, 28, 28)).macs)
LESSON.states("memory-why", "{:.0f} MB against {:.0f} MB", 4 * resnet50().parameters / 1e6, 4 * resnet50_values() / 1e6)
LESSON.states("memory-why", "a batch of {} on", first_batch_with_more_activations())
LESSON.states("memory-why", "{:.3f} billion", resnet50().macs / 1e9)

# ------------------------------------------------------------------------------------------------ 6: cheaper layers

LESSON.states("cheaper", "has {:,} parameters", parameters(convolution(256, 64, 1)))
LESSON.states("cheaper", "back {:,}", parameters(convolution(64, 256, 1)))
LESSON.states("ex-L5-9-text", "{:,} weights", parameters(convolution(128, 256, 3, bias=False)))
LESSON.states(
    "saving",
    "a factor of {:.2f}",
    parameters(convolution(128, 256, 3, bias=False)) / parameters(DepthwiseSeparable(128, 256, 3, bias=False)),
)

# ------------------------------------------------------------------------------------------------ 7: deeper


def growth_per_block(blocks=20, channels=32):
    """How many times larger values become in a residual block of random weights without normalization, on (geometric) average."""
    torch.manual_seed(0)
    x, scale = torch.randn(2, channels, 16, 16), math.sqrt(2 / (9 * channels))
    for _ in range(blocks):
        w1, w2 = torch.randn(2, channels, channels, 3, 3) * scale
        x = torch.relu(x + F.conv2d(torch.relu(F.conv2d(x, w1, padding=1)), w2, padding=1))
    return x.std().item() ** (1 / blocks)


LESSON.measured("growth-why", "about {}-fold here", printed=1.33, value=growth_per_block, within=0.03)

# ------------------------------------------------------------------------------------------------ 8: networks

LESSON.states("mnist-why", "{:,} parameters", parameters(MnistCNN()))
LESSON.states("mnist-why", "{:,} parameters", parameters(CifarCNN()))
LESSON.states("mnist-why", "{:,} + {:,} + {:,}", *(layer.parameters for layer in trace(CifarCNN(), (3, 32, 32)).layers if layer.parameters))
LESSON.states("simple-text", "its {} maps", SimpleCNN().classifier[-1].in_features)
LESSON.states("simple-why", "{:,} parameters", parameters(SimpleCNN()))
LESSON.states("simple-why", "{:.2f} million MACs", trace(SimpleCNN(), (3, 32, 32)).macs / 1e6)
LESSON.states("simple-why", "{:.1f} million for", trace(SimpleCNN(), (3, 224, 224)).macs / 1e6)
