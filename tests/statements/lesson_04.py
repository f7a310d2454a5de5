"""Lesson 4, verification with PyTorch: where each number of its text comes from."""

import numpy as np
import scipy.signal
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.checks.lesson_04 import TOLERANCE
from course_lib.kernels import CLASSIC_KERNELS

from . import Statements

LESSON = Statements("04_pytorch_verification")


def shape(tensor):
    """A shape as the text writes it."""
    return f"({', '.join(map(str, tensor.shape))})"


def points(kind):
    """The points of the lesson's cells of one kind, as its plan adds them up."""
    from lessons import Lesson

    return Lesson(LESSON.folder).points(kind)


# What the text chooses, and what published pages and PyTorch's own messages say.
LESSON.given(
    "One image (1, 28, 28)",
    "shape (32, 3, 28, 28)",
    "the 5×5 example",
    "on a 3 from MNIST",
    "kernels on the 3",
    "with the 3 as image",
    "a bias of 5 ",
    "[1, 2, 4, 8]",
    "`1 / 7`",
    "for 200 random filters",
    "0° to the right, 90° down",
    "the filter at 0°",
    "2. `to have 3 channels, but got 32 channels instead`",
    "one layer sees 3×3 pixels",
    "turns the kernel by 180 degrees",
    "with 64 bits for each number, PyTorch with 32",  # the names of the types: float64 and float32
)

LESSON.states(
    "plan",
    "Of the {} points, {} are checked at once and {} (the cells",
    points("code") + points("markdown"),
    points("code"),
    points("markdown"),
)

# ------------------------------------------------------------------------------------------------ 1 and 2: layers

_layer = nn.Conv2d(1, 32, 3)
LESSON.states("layer-reading", "becomes {}", shape(_layer(torch.zeros(1, 28, 28))))
LESSON.states(
    "layer-reading",
    "and {} biases, {} numbers",
    _layer.bias.numel(),
    sum(parameter.numel() for parameter in _layer.parameters()),
)

_example = torch.tensor([[1.0, 2, 3, 0, 1], [0, 1, 2, 3, 0], [1, 0, 1, 2, 1], [2, 1, 0, 1, 0], [0, 1, 2, 0, 1]])[None, None]
_cross = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])[None, None]
LESSON.states("load-reading", "weights of shape {}", shape(nn.Conv2d(1, 1, 3).weight))
LESSON.states("load-reading", "with the {:.0f} at the top left", F.conv2d(_example, _cross)[0, 0, 0, 0].item())
LESSON.states("load-reading", "with a padding of 1 a map of {}×{}", *F.conv2d(_example, _cross, padding=1).shape[2:])


# ------------------------------------------------------------------------------------------------ 3: rounding


def largest_difference():
    """Between float64 by SciPy and float32 by PyTorch: the Sobel kernel on the lesson's digit."""
    from course_lib import load_mnist

    digit, kernel = load_mnist("train")[0][7] / 255, CLASSIC_KERNELS["Sobel Vertical"]
    exact = scipy.signal.correlate2d(digit, kernel, mode="same")
    x, w = (torch.tensor(values, dtype=torch.float32)[None, None] for values in (digit, kernel))
    return np.abs(exact - F.conv2d(x, w, padding=1)[0, 0].numpy()).max()


LESSON.measured("equal", "by about {:.7f}", 2e-7, largest_difference, within=1e-7)
LESSON.states("equal", "its steps are {:.8f} wide", np.finfo(np.float32).eps)
LESSON.states("equal-reading", "at most {0:.5f}, or by {0:.5f} of the size of the value", TOLERANCE)

# ------------------------------------------------------------------------------------------------ 4 and 5: several filters, random filters

_four = nn.Conv2d(1, 4, 3, bias=False)
LESSON.states("several", "the shape {}: {} numbers", shape(_four.weight), _four.weight.numel())


def likeness(name):
    """What the lesson's figure shows under this name."""
    from test_lesson_04 import likeness as shown

    return lambda: shown()[name]


LESSON.measured("random-where", "{} at the median", 0.79, likeness("random filters"), within=0.005)
LESSON.measured("random-where", "at the median against {}", 0.84, likeness("the digit"), within=0.005)
LESSON.measured("random-where", "the Laplacian, with {}", 0.16, likeness("Edge (Laplacian)"), within=0.005)

_first, _second = ({(row, column + start) for row in range(3) for column in range(3)} for start in (0, 1))
LESSON.states("think-4-a", "share {} of their {} pixels", len(_first & _second), len(_first))

# ------------------------------------------------------------------------------------------------ 6 and 7: names and axes

LESSON.states("flip-names", "grows to {}×{}", *scipy.signal.convolve2d(np.ones((4, 4)), np.ones((3, 3)), mode="full").shape)
for _images, _channels, _size in (("gray digits", 1, 28), ("color photographs", 3, 224)):
    _first_order = torch.zeros(32, _channels, _size, _size)
    _orders = shape(_first_order), shape(_first_order.permute(0, 2, 3, 1))
    LESSON.states("layouts", "| 32 " + _images + " | `{}` | `{}` |", *_orders)

# ------------------------------------------------------------------------------------------------ 9: options

LESSON.states("bias", "28 becomes {}", nn.Conv2d(1, 1, 3, stride=2)(torch.zeros(1, 28, 28)).shape[-1])
LESSON.given("The fourth: 28 becomes")
