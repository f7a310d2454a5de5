"""Lesson 2, the answers that are worked out rather than programmed: a test kernel, an overflow, a padding mode, window corners."""

import numpy as np

from .exercise import DesignExercise, HandExercise, Misconception, agree
from .lesson_02 import conv2d

# ------------------------------------------------------------------------------------------------ 2.1

IMAGE_OF_4_1 = np.array([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]])

WRONG_FUNCTIONS = {  # what a test has to notice
    "kernel upside down": lambda image, kernel: conv2d(image, kernel[::-1]),
    "kernel mirrored left to right": lambda image, kernel: conv2d(image, kernel[:, ::-1]),
    "kernel turned by 180 degrees": lambda image, kernel: conv2d(image, kernel[::-1, ::-1]),
    "output transposed": lambda image, kernel: conv2d(image, kernel).T,
    "decimals cut off": lambda image, kernel: np.trunc(conv2d(image, kernel)),
}


def unnoticed(kernel):
    """Names of the wrong functions that give the right answer for this kernel on the image of exercise 4.1."""
    kernel = np.asarray(kernel, dtype=float)
    right = conv2d(IMAGE_OF_4_1, kernel)
    return [name for name, wrong in WRONG_FUNCTIONS.items() if agree(wrong(IMAGE_OF_4_1, kernel), right)]


def _judge_test_kernel(kernel):
    names = unnoticed(kernel)
    return f"These wrong functions still pass your test: {'; '.join(names)}." if names else None


TEST_KERNEL = DesignExercise(
    name="2.1",
    title="a better test",
    points=2,
    judge_value=_judge_test_kernel,
    shape=(2, 3),
    misconceptions=(
        Misconception(
            "constant-kernel",
            "All entries are the same. Whichever way such a kernel is turned, it stays itself.",
            lambda kernel: bool((kernel == kernel.flat[0]).all()),
        ),
        Misconception(
            "whole-numbers-only",
            "Image and kernel are whole numbers, so every sum is whole, and nobody sees whether decimals get lost.",
            lambda kernel: unnoticed(kernel) == ["decimals cut off"],
        ),
        Misconception(
            "symmetric-kernel",
            "The kernel looks the same after being turned or mirrored in one of the three ways, so a function that does so is not noticed.",
            lambda kernel: any(np.array_equal(kernel, other) for other in (kernel[::-1], kernel[:, ::-1], kernel[::-1, ::-1])),
        ),
    ),
    hints=(
        "A wrong function is noticed when its output differs from the right one. What must the kernel not be equal to?",
        "Six different numbers are never equal to themselves turned or mirrored.",
        "One entry that is not whole, such as 0.5, makes the sums keep decimals.",
    ),
)

# ------------------------------------------------------------------------------------------------ 2.2

_PIXELS = np.full(9, 200, dtype=np.uint8)
_WEIGHTS = np.full(9, 2, dtype=np.uint8)
_IN_BYTES = int(np.sum(_PIXELS * _WEIGHTS))
_RIGHT = int(np.sum(_PIXELS.astype(float) * _WEIGHTS))

OVERFLOW = HandExercise(
    name="2.2",
    title="a sum in bytes",
    points=2,
    expected=(_IN_BYTES, _RIGHT),
    labels=("what NumPy gives", "what is right"),
    misconceptions=(
        Misconception(
            "sum-wraps-too",
            "Each product is a byte, but np.sum adds bytes in a wider type. Only the products start again at 0.",
            (_RIGHT % 256, _RIGHT),
        ),
        Misconception(
            "stops-at-255",
            "Bytes do not stop at 255. They go on from 0, as a clock does after 12.",
            (9 * 255, _RIGHT),
        ),
        Misconception(
            "clock-of-255",
            "A byte has 256 values, 0 to 255. So it starts again after 256 steps: take 256 away, not 255.",
            (int(np.sum((_PIXELS.astype(int) * _WEIGHTS) % 255)), _RIGHT),
        ),
        Misconception("one-product", "That is one product. There are nine to add.", (_IN_BYTES // 9, _RIGHT)),
        Misconception("exchanged", "The two numbers are exchanged: first what NumPy gives, then what is right.", (_RIGHT, _IN_BYTES)),
    ),
    hints=(
        "Begin with one product, 200 * 2, and take 256 away until what is left is below 256.",
        "All nine products are the same byte. Their sum is computed in a wider type and is not cut.",
        "400 - 256 is 144.",
    ),
)

# ------------------------------------------------------------------------------------------------ 2.3

PADDING_MODES = {1: "constant", 2: "edge", 3: "reflect", 4: "wrap"}

PUBLISHED_FIGURE = HandExercise(
    name="2.3",
    title="which padding, which scale?",
    points=2,
    expected=(3, 3),
    labels=("the padding mode", "the divisor"),
    misconceptions=(
        Misconception(
            "zeros-in-the-middle",
            "The value in the very middle fits. But with zeros around the image the outer columns do not come out as 0.",
            (1, 3),
        ),
        Misconception(
            "edge-repeated",
            "Repeating the last column puts 50 beside 50. Then the window at the right edge still sees 10 on its left and 50 on its right.",
            (2, 3),
        ),
        Misconception(
            "wrapped-around",
            "Wrapped around, the 50 stands left of the first column. Then the window at the left edge gives 10 - 50 three times, not 0.",
            (4, 3),
        ),
        Misconception(
            "divided-by-nine",
            "Nine is the number of weights. But the kernel's three rows give 3 x 40 in the middle, and the figure shows 40.",
            (3, 9),
        ),
        Misconception("not-scaled", "The mode is right. In the middle the kernel gives 120, and the figure shows 40.", (3, 1)),
    ),
    hints=(
        "All three rows of the image are equal, so look at one row. Pad 10 10 50 by one on each side in all four ways.",
        "A value is right neighbor minus left neighbor, three times over (once for each row of the kernel).",
        "For the left and the right column of the output to be 0, a pixel's two neighbors must be equal there.",
    ),
)

# ------------------------------------------------------------------------------------------------ 2.4


def _corners(starts):
    return [[row, column] for row in starts for column in starts]


CORNERS = HandExercise(
    name="2.4",
    title="where the windows start",
    points=1,
    expected=_corners(range(0, 5 - 3 + 1, 2)),
    misconceptions=(
        Misconception(
            "as-published",
            "That is the published picture. A window of 3 that starts in row 3 needs the rows 3, 4 and 5, and the last row is row 4.",
            [[0, 0], [0, 2], [3, 0], [3, 2]],
        ),
        Misconception(
            "windows-side-by-side",
            "These windows do not overlap: they move by their own size. Stride 2 moves them by 2.",
            _corners((0, 3)),
        ),
        Misconception(
            "stride-one", "Those are the first windows with stride 1. Stride 2 moves the window by two pixels.", _corners((0, 1))
        ),
        Misconception(
            "half-outside",
            "A window that starts at 4 covers 4, 5 and 6, and the last pixel is 4. A window must fit whole.",
            _corners((0, 2, 4)),
        ),
        Misconception(
            "counted-from-one",
            "Rows and columns are counted from 0. (If these are the middles of the windows: wanted are their top left pixels.)",
            _corners((1, 3)),
        ),
        Misconception(
            "down-first",
            "The corners are right, the order is not: along the first row of windows, then the next.",
            [[0, 0], [2, 0], [0, 2], [2, 2]],
        ),
    ),
    hints=(
        "Look at one axis first: where can a window of 3 start in 5 pixels, in steps of 2?",
        "The first start is always 0. The last one leaves room for a whole window.",
        "Each start going down goes with each start going across.",
    ),
)

EXERCISES = (TEST_KERNEL, OVERFLOW, PUBLISHED_FIGURE, CORNERS)
