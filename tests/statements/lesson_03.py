"""The numbers in lesson 3."""

import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from lessons import Lesson
from scipy.signal import correlate2d

from course_lib import CLASSIC_KERNELS, load_mnist

from . import Statements
from .lesson_01 import digits_read, train

LESSON = Statements("03_classic_kernels")

# ------------------------------------------------------------------------------------------------ other means to the results

DIGIT = load_mnist("train")[0][7] / 255
DIAGONAL = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]])
ONE_SIDED = np.triu(DIAGONAL)
ROWS, COLUMNS = np.indices((9, 9))


def same(image, kernel):
    """A map of the image's size, zeros around the image."""
    return correlate2d(np.asarray(image, dtype=float), kernel, mode="same")


def slopes(image):
    return same(image, CLASSIC_KERNELS["Sobel Vertical"]), same(image, CLASSIC_KERNELS["Sobel Horizontal"])


def strongest(kernel, scene):
    return int(np.abs(correlate2d(scene.astype(float), kernel, mode="valid")).max())


@cache
def slopes_of_digits(split):
    """Both slopes of all digits, (N, 2, 28, 28), a quarter of them, so that they lie between -1 and 1."""
    kernels = np.stack([CLASSIC_KERNELS["Sobel Vertical"], CLASSIC_KERNELS["Sobel Horizontal"]])[:, None]
    images = torch.from_numpy(load_mnist(split)[0])[:, None].float() / 255
    return F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), torch.from_numpy(kernels).float()) / 4


@cache
def read_by_edges(directions):
    """How many of a hundred unseen digits an MLP reads after three epochs, from edge strengths or from both slopes."""
    edges = [slopes_of_digits(split) for split in ("train", "test")]
    x, x_test = (each.flatten(1) if directions else each.norm(dim=1).flatten(1) for each in edges)
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    for _ in range(3):
        train(model, x, torch.from_numpy(load_mnist("train")[1]))
    with torch.no_grad():
        return 100 * (model(x_test).argmax(1).numpy() == load_mnist("test")[1]).mean()


def values_of(name):
    return same(DIGIT, CLASSIC_KERNELS[name])


def off_by():
    """By how many degrees the published angle is off, on average over the pixels that have one."""
    right, down = slopes(DIGIT)
    turn = np.exp(1j * (np.angle(down + 1j * right) - np.angle(right + 1j * down)))
    return np.degrees(np.abs(np.angle(turn)))[np.hypot(right, down) > 0].mean()


# ------------------------------------------------------------------------------------------------ settings and quotations

LESSON.given("Number 1, Identity, and number 3, Gaussian Blur", "A map of −0.01 to 0.01", "one of −4 to 4")
LESSON.given("(a 10 beside a 10)", "by 10 from pixel to pixel: 10 20 30 40", "With +4 in the middle", "each row is 0 1 2 3 4")
LESSON.given("counted 1, 2 and 1 times", r"\sqrt{g_x^2 + g_y^2}", "90 degrees point", "and so on up to 9", "the loops of an 8 or a 6")
LESSON.given("needs 25×25", "For 25×25", "a 25×25 Gaussian", "1 2 1", r"e^{-d^2 / (2 \sigma^2)}")

# ------------------------------------------------------------------------------------------------ results

notebook = Lesson(LESSON.folder)
automatic, by_hand = (notebook.points(kind) for kind in ("code", "markdown"))
LESSON.states("plan", "Of the {} points, {} are checked at once and {} ", automatic + by_hand, automatic, by_hand)

for name in ("Sharpen", "Edge (Laplacian)", "Sobel Horizontal", "Sobel Vertical", "Emboss"):
    low, high = values_of(name).min(), values_of(name).max()
    LESSON.states("grid-reading", "| {} | {:.2f} | {:.2f} |", name, low, high)
LESSON.states("grid-reading", "the ±{} that they could reach", int(np.clip(CLASSIC_KERNELS["Sobel Vertical"], 0, None).sum()))
LESSON.states("grid-reading", "far below its {}", int(np.clip(CLASSIC_KERNELS["Sharpen"], 0, None).sum()))

published = same([[10, 10, 50]] * 3, [[-1, 0, 1]] * 3).astype(int)
LESSON.states("frames-why", "It says {} in the middle of the first column, and {} in the last", published[1, 0], published[1, -1])
LESSON.states("borders-why", "None of the three gives {} at both ends", *np.unique(np.correlate([10, 20, 30, 40], [-1, 0, 1]).astype(int)))

ramp = np.tile(np.arange(5.0), (5, 1))
LESSON.states("names", "The strength is {} either way", int(np.hypot(*slopes(ramp))[2, 2]))
strength = np.hypot(*slopes(DIGIT))
peak = np.unravel_index(strength.argmax(), strength.shape)
LESSON.states(
    "arrows-reading",
    "The largest strength is {:.3f}, at pixel ({}, {}), and all of them add up to {:.2f}",
    strength.max(),
    *peak,
    strength.sum(),
)
LESSON.states("arrows-reading", "off by {:.0f} degrees on average", off_by())

LESSON.states("ten", "each of the {} training images", len(load_mnist("train")[1]))
for cell, template, printed, run in (
    ("think-3-a-question", "| the pixels | {} % |", 96.9, digits_read),
    ("think-3-a-question", "| the strength of the edges | {} % |", 94.3, lambda: read_by_edges(directions=False)),
    ("think-3-a-question", "| both slopes, $g_x$ and $g_y$ | {} % |", 97.4, lambda: read_by_edges(directions=True)),
    ("think-3-a", "still reads {} %", 94.3, lambda: read_by_edges(directions=False)),
):
    LESSON.measured(cell, template, printed=printed, value=run, within=0.7)
LESSON.states("think-3-a", "({:.1f} % against {:.1f} %)", 100 - 94.3, 100 - 96.9)  # from the figures just measured

SCENES = np.ones((9, 9)), COLUMNS > ROWS, COLUMNS + ROWS > 8, COLUMNS > 4
answers = {strongest(ONE_SIDED, scene) for scene in SCENES}
LESSON.states("antisymmetry-why", "kernel answers {} to everything", *answers)
of_diagonal = [strongest(DIAGONAL, scene) for scene in SCENES]
LESSON.states("antisymmetry-why", "The published kernel gives {}, {}, {} and {}", *of_diagonal)
LESSON.states("antisymmetry-why", "an edge straight down still gets {}", of_diagonal[-1])
FINER = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
LESSON.given("`[[0, 1, -1], [-1, 0, 1], [1, -1, 0]]`")
LESSON.states("antisymmetry-why", "gives {}, {}, {} and {}.", *[strongest(FINER, scene) for scene in SCENES])
LESSON.states("antisymmetry-why", "values go from {:.2f} to {:.2f}", same(DIGIT, DIAGONAL).min(), same(DIGIT, DIAGONAL).max())

LESSON.states("split", "and that is {}", 25 * 25)
LESSON.states("split-why", "3 + 3 = 6 products for each pixel instead of {}", CLASSIC_KERNELS["Sobel Vertical"].size)
LESSON.states("split-why", "it is {} instead of {}", 25 + 25, 25 * 25)
LESSON.states("two-passes", "a sigma of {:.2f}", math.sqrt(1 / (2 * math.log(2))))  # where the bell at distance 1 is half its peak
