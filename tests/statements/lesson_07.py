"""The numbers in lesson 7. What its demonstrations print, `test_lesson_07.py` looks at."""

import re

import numpy as np
import torch
import torch.nn.functional as F
from lessons import Lesson

from course_lib.checks.lesson_07_hand import CHANNELS, ENOUGH, SIZES
from course_lib.convolution import convolution_matrix

from . import Statements

LESSON = Statements("07_backpropagation")

# ------------------------------------------------------------------------------------------------ settings and quotations

LESSON.given(
    "the top left 2×2 part of the image", r"\frac{1}{2} \sum (Y - T)^2", r"\frac{L(w + h) - L(w - h)}{2 h}", "turned by 180 degrees"
)
LESSON.given("a step of `1e-5`", "a step near `1e-5`", "`step=1e-14`")
LESSON.given("A batch of 50 digits and 8 filters")
LESSON.given("the window holds 1, 5, 3 and 4", "if the 3 becomes 3.01? If the 5 becomes 5.01?")
LESSON.given("Take a 3×4 map, a 3×2 kernel")
LESSON.given("makes a 16×16 map", "into an 8×8 map")

# ------------------------------------------------------------------------------------------------ results

WHOLE = Lesson("07_backpropagation")
AUTOMATIC, BY_HAND = (WHOLE.points(kind) for kind in ("code", "markdown"))
LESSON.states("plan", "Of the {} points, {} are checked at once and {} (the", AUTOMATIC + BY_HAND, AUTOMATIC, BY_HAND)

LESSON.states("step-sizes", "holds about {:.0f} digits", -np.log10(np.finfo(np.float64).eps))
BATCH, COUNT = (int(re.search(rf"{name}=([\d_]+)", WHOLE.cells["network-parts"].source)[1]) for name in ("batch", "count"))  # of `train`
LESSON.states("network", "called {:,} times", COUNT // BATCH)
LESSON.states("taps", "sees {:,} batches", COUNT // BATCH)
LESSON.states("network-reading", "One pass over {:,} digits", COUNT)
LESSON.states("pooling", "The output is {:.0f}", F.max_pool2d(torch.tensor([[[1.0, 5.0], [3.0, 4.0]]]), 2).item())

(ROWS, COLUMNS), (IN, OUT, _) = (SIZES[0][0], SIZES[1][0]), CHANNELS
LESSON.states("sizes", "on a {}×{} map, then for {} cells", ROWS, COLUMNS, SIZES[2][0])
LESSON.states("sizes", "a kernel of {}, of {} and of {}", *(kernel for _, kernel, *_ in SIZES[2:]))
LESSON.states("sizes", "({} channels in, {} out)", IN, OUT)

MATRIX = convolution_matrix(np.ones((1, 1, 2, 2)), (1, 3, 4))
LESSON.states("matrix-reading", "takes {} pixels to {} outputs. Its transpose takes {} numbers to {}", *MATRIX.shape[::-1], *MATRIX.shape)
LESSON.states("think-7-b", "{} equations for {} unknowns", *convolution_matrix(np.ones((1, 1, 2, 2)), (1, 16, 16), stride=2).shape)
LESSON.states("network-reading", "reads **{:.0f} %**", 100 * ENOUGH)
