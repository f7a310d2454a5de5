"""Lesson 1, hand calculations: the answers that students work out with pencil and paper.

Right and wrong answers are computed here, not typed: a misconception's value is what the misconception yields.
"""

import numpy as np

from .exercise import HandExercise, Misconception
from .lesson_02 import FLIPPED, conv2d, working

IMAGE = np.array([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]])
VERTICAL_EDGES = np.array([[1, 0, -1]] * 3)

EXERCISES = (
    HandExercise(
        name="4.1",
        title="your first convolution",
        points=4,
        expected=conv2d(IMAGE, VERTICAL_EDGES),
        explain=lambda index: working(index, IMAGE, VERTICAL_EDGES, show_products=False),
        misconceptions=(Misconception("flipped-kernel", FLIPPED, conv2d(IMAGE, VERTICAL_EDGES[::-1, ::-1])),),
        hints=(
            "How many places are there for a 3x3 window on a 4x4 image?",
            "Lay the kernel on the top left 3x3 corner. The column of zeros drops out: left column minus right column is all that is left.",
            "Top left: (1 + 0 + 1) - (0 + 3 + 2).",
        ),
    ),
)
