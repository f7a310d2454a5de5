"""The numbers in lesson 1."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from lessons import Lesson

from course_lib import load_mnist

from . import Statements

LESSON = Statements("01_hand_calculations")


# ------------------------------------------------------------------------------------------------ other means to the results


def correlate(image, kernel, padding=0):
    image, kernel = (torch.as_tensor(np.asarray(array), dtype=torch.double) for array in (image, kernel))
    return F.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0].numpy().astype(int).tolist()


def places(size, kernel, padding=0, stride=1):
    """How many windows fit, counted one by one."""
    return sum(1 for start in range(-padding, size + padding - kernel + 1, stride))


def dense(inputs, outputs, bias=True):
    return sum(p.numel() for p in torch.nn.Linear(inputs, outputs, bias=bias, device="meta").parameters())


def convolutional(*args, **kwargs):
    return sum(p.numel() for p in torch.nn.Conv2d(*args, **kwargs, device="meta").parameters())


def matrix_of(image, kernel):
    """The matrix of a convolution of `image` (H, W) with a kernel of different weights: what unit vectors give, as columns."""
    units = torch.eye(image[0] * image[1]).reshape(-1, 1, *image)
    weights = torch.arange(1.0, kernel[0] * kernel[1] + 1).reshape(1, 1, *kernel)
    return F.conv2d(units, weights).reshape(len(units), -1).T


def mlp():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))


def train(model, x, y, batch=512):
    optimizer = torch.optim.Adam(model.parameters(), 4e-3)
    for images, labels in zip(x.split(batch), y.split(batch), strict=True):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()


@cache
def digits_read(shuffled=False):
    """How many of a hundred unseen digits an MLP reads after three epochs, with the pixels in their order or all shuffled alike."""
    (images, labels), (test_images, test_labels) = load_mnist("train"), load_mnist("test")
    order = np.random.default_rng(0).permutation(784) if shuffled else slice(None)
    x, x_test = (torch.from_numpy(each.reshape(-1, 784)[:, order]).float() / 255 for each in (images, test_images))
    model = mlp()
    for _ in range(3):
        train(model, x, torch.from_numpy(labels))
    with torch.no_grad():
        return 100 * (model(x_test).argmax(1).numpy() == test_labels).mean()


CROSS = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
CHECKERBOARD = (np.indices((5, 5)).sum(axis=0) + 1) % 2
IMAGE = np.array([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]])
LAPLACIAN = [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
RAMP = np.arange(1, 10).reshape(3, 3)

# ------------------------------------------------------------------------------------------------ settings and quotations

LESSON.given("4.1", "4.2A", "4.2B", "4.2C", "5.1", "5.1b", "6.1b", "6.2b", "6.3", "6.3b")  # exercises
LESSON.given("with 784 inputs, 256", "and 10 outputs", "from 784", "from 784 inputs to 16 outputs", "| 784 | 256 |", "256 units")
LESSON.given("inputs 0 and 500", "224×224 pixels", "VGG-16", "A 6 has a loop", "Problem 2", "Problem 3")
LESSON.given('"features 3, 6, 7"', '"20,000 times fewer', "12,560 parameters, 30 times more")  # published
LESSON.given("by 3 pixels down and 4 to the right", "the digit 3 pixels up and 4 to the right", "the same 3", "about a 3", "with a 3")
LESSON.given("5×5 checkerboard", "| 28×28 |", "weights of this kernel", "every pixel is 5", "between 5 and 0")
LESSON.given("The signal is 1, 2, 4, 8", "A line has 7 pixels, and the window covers 3", "A line of 7 inputs", "filters of 5×5")
LESSON.given("rows 0–2, columns 0–2", "rows 0–2, columns 1–3", r"\frac{1}{9}", "such as `7 / 4`")
LESSON.given("| 7×7 | 3×3 |", "| 28×28 | 5×5 |", "| 32×32 | 3×3 |", "| 100×100 | 7×7 |")
LESSON.given("Take 5 inputs in a line and 3 outputs", "+ w_2", r"\text{in}_{i+2}", "of size 3", "not 256", "the kernel 1, 2, ..., 9")
LESSON.given(
    "It has 64 filters on 3 color channels",
    "5 pixels, kernel 3",
    "the line has 6 pixels",
    "(n + 2 * p - k)",
    "(k - 1)/2",
    r"\lfloor k/2 \rfloor",
)
LESSON.given(
    r"\lfloor (k-1)/2 \rfloor", "Try $k = 4$ on an input of 10", "an image of 5 rows and **6 columns**", "C k^2", "and with $p = 2$"
)
LESSON.given("The input is 32×32, and you want 16×16", "keep the size at 10", "center (2, 2)", "The image and the kernel are 3×3")
for _row in ((28, 3, 0, 1), (28, 3, 1, 1), (28, 5, 2, 1), (28, 3, 1, 2), (32, 5, 0, 2), (224, 7, 3, 2)):
    LESSON.given("| {0}×{0} | {1}×{1} | {2} | {3} | ? |".format(*_row))
LESSON.given(  # published, and wrong
    r"15 = \left\lfloor \frac{32 + 2p - k}{2} \right\rfloor \quad\Rightarrow\quad 30 = 32 + 2p - k \quad\Rightarrow\quad k - 2p = 2",
    "*not* 2",
)
LESSON.given("In most textbooks of mathematics the 4", "left of the 4 there is a 4", "bright pixels (7, 8, 9)")

# ------------------------------------------------------------------------------------------------ results

LESSON.states("plan", "{} are checked at once and {}", *(Lesson(LESSON.folder).points(kind) for kind in ("code", "markdown")))
LESSON.measured("recap", "about {} % of digits", printed=97, value=digits_read, within=1)
LESSON.measured("why-not", "the network's {} %", printed=97, value=digits_read, within=1)
LESSON.measured("shuffled-result", "still reads about {} %", printed=97, value=lambda: digits_read(shuffled=True), within=1)

_FLAT = np.arange(28 * 28).reshape(28, 28)
LESSON.states("flat-index", "$W = {}$", _FLAT.shape[1])
LESSON.states("flat-index", "pixel (1, 0) has index {}.", _FLAT[1, 0])
LESSON.states("flat-index", "inputs 0 and {} are neighbors", _FLAT[1, 0])
LESSON.states("recap-size", "that makes {:,} parameters", dense(784, 256))
LESSON.states("recap-size", "has {:,}", dense(784, 256) + dense(256, 10))
LESSON.states("why-not", "has {:,} parameters", dense(512 * 7 * 7, 4096))  # VGG-16's first fully connected layer

LESSON.states("checkerboard-predict", "the output is {}.", correlate(CHECKERBOARD, CROSS)[0][0])
LESSON.states("ex-3-1-text", "Also {}.", correlate(np.ones((3, 3)), CROSS)[0][0])
LESSON.states("size-formula", "$5 - 3 + 1 = {}$", places(5, 3))

_WINDOW = [
    rf"{pixel}\cdot{f' {weight}' if weight >= 0 else f'({weight})'}"
    for pixel, weight in zip(IMAGE[:3, :3].ravel(), [1, 0, -1] * 3, strict=True)
]
LESSON.states("ex-4-1-text", r" \;+\; ".join(" + ".join(["{}"] * 3) for _ in range(3)), *_WINDOW)
LESSON.states("ex-4-2C-text", "{}, {}, {} and {} ninths", *np.ravel(correlate(IMAGE, [[1, 1, 1]] * 3)))
LESSON.states("ex-4-2C-text", "from 0 to {}", IMAGE.max())
LESSON.states("think-4-2", "would give {}", IMAGE[:2, :2].tolist())
LESSON.states("think-4-2", "the middles give {}", IMAGE[1:3, 1:3].tolist())
LESSON.states("think-4-2", "In 4.1 the output is {}", correlate(IMAGE, [[1, 0, -1]] * 3))

LESSON.states("layer", "{} connections, {} weights", *[dense(5, 3, bias=False)] * 2)
LESSON.states("compare", r"= {:,}$", dense(784, 256))
LESSON.states("compare", "| {0}×{0} | $3", places(28, 3))
LESSON.states("compare", "The division is right: {:,}", dense(784, 256) // convolutional(1, 1, 3))
LESSON.states("compare", "from 784 to {}", places(28, 3) ** 2)
LESSON.states("compare", "{:,} times as many", dense(784, places(28, 3) ** 2) // convolutional(1, 1, 3))

_MATRIX = matrix_of((4, 4), (3, 3))
LESSON.states("matrix", "has {} entries", _MATRIX.shape[1])
LESSON.states("matrix", "a {0}×{0} output, flattened {1} entries", places(4, 3), _MATRIX.shape[0])
LESSON.states("matrix", "has {} rows and {} columns", *_MATRIX.shape)
LESSON.states("matrix", "of its {} entries", _MATRIX.numel())
LESSON.states("matrix-text", "move by {} places", int((_MATRIX[2] != 0).nonzero()[0]) - int((_MATRIX[0] != 0).nonzero()[0]))
LESSON.states("matrix-text", "{} entries, but only {} numbers", int((_MATRIX != 0).sum()), len(_MATRIX[_MATRIX != 0].unique()))

_MAPS = torch.nn.Conv2d(1, 3, 3)(torch.zeros(1, 28, 28)).shape
LESSON.states("feature-maps-text", "({}, {}, {}): **(channels", *_MAPS)
LESSON.states("feature-maps-text", "$(B, {}, {}, {})$", *_MAPS)

_SHRINKING = [40]
while _SHRINKING[-1] >= 7:
    _SHRINKING.append(places(_SHRINKING[-1], 7))
LESSON.states("padding", "{}, then {}, {}, {}, and {}.", *_SHRINKING[:5])
LESSON.states("padding", "Two more leave {},", _SHRINKING[-1])
LESSON.states("same-padding", "one for $k = 3$, two for $k = {}$", next(k for k in range(9) if places(10, k, padding=2) == 10))
_STARTS = list(range(0, 6 - 3 + 1, 2))  # of the windows on 6 pixels
LESSON.states("stride", "starts at pixels {}, {}, {}, and so on", *range(0, 5, 2))
LESSON.states("formula", "would need pixel {}", _STARTS[-1] + 2 + 3 - 1)
LESSON.states("formula", "pixel {} is never looked at", max(set(range(6)) - {start + m for start in _STARTS for m in range(3)}))
LESSON.states("ex-6-1-text", "no biases: {:,} weights", convolutional(3, 64, 7, bias=False))
LESSON.states("ex-6-2b-text", "a padding that do give {}", places(32, 3, 1, 2))
LESSON.states("ex-6-2b-text", "really give {}", places(32, 3, 1, 2))
LESSON.states("ex-6-3-text", "the output is {0}×{0}", places(3, 3, 1))

_ZEROS, _EDGE = correlate(RAMP, LAPLACIAN, padding=1), correlate(np.pad(RAMP, 1, mode="edge"), LAPLACIAN)
LESSON.states("think-6-3", "the top row of 6.3 is {}, {}, {}", *_ZEROS[0])
LESSON.states("think-6-3", "({}, {}, {}, {})", *_ZEROS[2], _ZEROS[1][2])
LESSON.states("think-6-3", "between {} and {}", np.min(_EDGE), np.max(_EDGE))
