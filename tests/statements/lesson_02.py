"""The numbers in lesson 2. Its figures of speed are its own run's: `test_lesson_02.py` holds them to their order of magnitude."""

import numpy as np
import torch
import torch.nn.functional as F
from lessons import Lesson

from course_lib import conv2d

from . import Statements

LESSON = Statements("02_convolution_from_scratch")


# ------------------------------------------------------------------------------------------------ other means to the results


def correlate(image, kernel, **options):
    """Torch's convolution of one image with one kernel, as whole numbers."""
    image, kernel = (torch.as_tensor(np.asarray(array), dtype=torch.double)[None, None] for array in (image, kernel))
    return F.conv2d(image, kernel, **options)[0, 0].numpy().round().astype(int).tolist()


def parameters(*layers):
    return sum(parameter.numel() for layer in layers for parameter in layer.parameters())


def wrapped(value):
    """What is left of a whole number in a byte."""
    return int(np.array(value).astype(np.uint8))


IMAGE_4_1 = [[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]]
KERNEL_4_1 = [[1, 0, -1]] * 3
IMAGE_OF_DOTS = [[1, 2, 3, 0, 1], [0, 1, 2, 3, 0], [1, 0, 1, 2, 1], [2, 1, 0, 1, 0], [0, 1, 2, 0, 1]]
CROSS = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]

# ------------------------------------------------------------------------------------------------ settings and quotations

LESSON.given("4.1", "7.1", "7.2", "7.3", "by 180 degrees")  # exercises, and half a turn
LESSON.given(
    "a step is 2",
    "take 2 away",
    r"\lceil n/2 \rceil",
    "For 32 pixels",
    "lie 2 pixels apart",
    "or a 3 typed",
    "**2 rows and 3 columns**",
    "(3, H, W)",
    "(H, W, 3)",
)
LESSON.given(
    "from 0 to 255", "The product 150 × 2", "value 200", "weights of 2", "−254 becomes", "Dividing by 255", "of 4×4 and 5×5 that size"
)
LESSON.given(r"\begin{bmatrix} 10 & 10 & 50 \\ 10 & 10 & 50 \\ 10 & 10 & 50 \end{bmatrix}")
LESSON.given(r"\begin{bmatrix} 0 & 40 & 0 \\ 0 & 40 & 0 \\ 0 & 40 & 0 \end{bmatrix}")  # published
LESSON.given('"indices are 0, 2, 4, … NOT: 0, 2, 4"', "and say 24", "10-50x")  # published
LESSON.given(
    "Here a 4×4",
    "the numbers 0 to 35",
    "Times 9",
    "kernels of 2×3, 4 input channels and 5 filters",
    "shape `(2, 3, 4, 5)`",
    "an axis of 28 pixels",
)
LESSON.given("w[2, 1, 0, 2]", "w[0, 2, 1, 2]", "`a[1:6:2]`", "from 32 to 64 channels", "depthwise 3×3 and a", "layer with 8 channels")
LESSON.given(
    "filters of 3×3", "a layer of 8 channels", "on my laptop, im2col took 0.4 ms: about 20 times", "about 4,000 times"
)  # a student's

# ------------------------------------------------------------------------------------------------ results

LESSON.states("plan", "{} are checked at once and {}", *(Lesson(LESSON.folder).points(kind) for kind in ("code", "markdown")))
LESSON.states("sizes-reading", "Pixel {} is never used", 2 * 2 + 3)  # the one after the window that starts at 4, the last that fits
LESSON.states("sizes-reading", "it promises {} outputs", (32 + 2 * 1 - 3) / 2 + 1)

_FIRST = correlate(IMAGE_4_1, KERNEL_4_1)
LESSON.states("conv2d-verify", "you found {}, {}, {}, {}", *_FIRST[0], *_FIRST[1])
LESSON.states("conv2d-dots", "the {} at the top left", correlate(IMAGE_OF_DOTS, CROSS)[0][0])
LESSON.states("weak-test-why", r"\begin{{bmatrix}} {} & {} \\ {} & {} \end{{bmatrix}}", *_FIRST[0], *_FIRST[1])

LESSON.states("bytes", "no room for {}", np.iinfo(np.uint8).max + 1)
LESSON.states("bytes", "is {}, and", 150 * 2)
LESSON.states("bytes-exercise", "3 × {}.", wrapped(150 * 2))
LESSON.states("bytes-rule", "−1 becomes {}, and −254 becomes {}", wrapped(-1), wrapped(-254))

LESSON.states("published-figure", "it is {}", correlate([[10, 10, 50]] * 3, [[-1, 0, 1]] * 3)[0][0])
_SEVEN_3 = correlate(np.arange(36).reshape(6, 6), np.ones((3, 3)), padding=1, stride=2)
LESSON.states("strided-verify", "{} {} {}, {} {} {}, {} {} {}", *np.ravel(_SEVEN_3))

_GRAY, _COLOR = [[1, 2], [0, 1]], [[[weight] * 2] * 2 for weight in (1, 2, 3)]
LESSON.states("broadcasting-why", "gave {},", F.conv2d(torch.tensor([[_GRAY] * 3]), torch.tensor([_COLOR])).item())
_LAYER = torch.nn.Conv2d(3, 64, 3)
LESSON.states("layouts", "`({}, {}, {}, {})`: right for Keras", *_LAYER.weight.permute(2, 3, 1, 0).shape)
LESSON.states("layouts", "wants `({}, {}, {}, {})`", *_LAYER.weight.shape)
LESSON.states("layouts", "{:,} weights", _LAYER.weight.numel())
LESSON.states("layouts", "You need `({}, {}, {}, {})`", *np.empty((2, 3, 4, 5)).transpose(3, 2, 0, 1).shape)

LESSON.states("conv2d-dilated", "the elements {}, {} and {}", *list(range(7))[1:6:2])
_PAIRS = {
    bias: (
        parameters(torch.nn.Conv2d(32, 64, 3, bias=bias)),
        parameters(torch.nn.Conv2d(32, 32, 3, groups=32, bias=bias), torch.nn.Conv2d(32, 64, 1, bias=bias)),
    )
    for bias in (False, True)
}
LESSON.states("separable-why", "compares {:,} with {:,}", *_PAIRS[False])
LESSON.states("separable-why", "the plain layer {:,}", _PAIRS[True][0])


def order_of_rounding():
    """The power of ten of the largest difference between two ways to add up the same products."""
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, 3, 11, 14)), rng.normal(size=(6, 3, 3, 2))
    return np.log10(max(np.abs(conv2d(x, w, method=method) - conv2d(x, w, method="loops")).max() for method in ("im2col", "fft", "sparse")))


LESSON.measured("agree-why", "about $10^{{{}}}$", printed=-15, value=order_of_rounding, within=1)
LESSON.states("speed", "{:,} products", torch.nn.Conv2d(8, 16, 3, padding=1)(torch.zeros(1, 8, 28, 28)).numel() * 8 * 3 * 3)
LESSON.states("photo-filters", "boxes of `({}, {}, {})`", *torch.nn.Conv2d(3, 3, 3).weight.shape[1:])
