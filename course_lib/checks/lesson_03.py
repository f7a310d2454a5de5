"""Lesson 3, classic kernels: the functions that the student writes, and what they are checked with.

Answers that are worked out, and kernels that are designed, stand in `lesson_03_hand.py`.
"""

import math
from dataclasses import replace

import numpy as np

from ..kernels import CLASSIC_KERNELS
from .exercise import Case, CodeExercise, Draw, Misconception, as_array
from .lesson_02 import conv2d, working

SOBEL_RIGHT, SOBEL_DOWN = CLASSIC_KERNELS["Sobel Vertical"], CLASSIC_KERNELS["Sobel Horizontal"]
PREWITT_RIGHT = np.array([[-1.0, 0, 1]] * 3)
FLAT = 1e-9  # an edge weaker than this is none, and has no direction

# ------------------------------------------------------------------------------------------------ right answers


def filter_image(image, kernel, mode="constant"):
    """The right answer: pad (H, W) by half of the kernel's sides, then slide: (H, W), in float64."""
    return conv2d(_padded(image, np.shape(kernel), mode), kernel)


def _padded(image, kernel_shape, mode):
    return np.pad(np.asarray(image, dtype=float), _margins(kernel_shape), mode=mode)


def _margins(kernel_shape):
    return [(side // 2, side // 2) for side in kernel_shape]


def slopes(image):
    """How fast brightness rises to the right and downwards, as the Sobel kernels tell it, the border repeated."""
    return filter_image(image, SOBEL_RIGHT, "edge"), filter_image(image, SOBEL_DOWN, "edge")


def edge_strength_and_angle(image):
    """The right answer: (H, W) -> strength and angle in degrees, both (H, W)."""
    right, down = slopes(image)
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


def split_kernel(kernel):
    """The right answer for a kernel of rank 1: (kH, kW) -> column (kH,) and row (kW,)."""
    kernel = np.asarray(kernel, dtype=float)
    i, j = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    return kernel[:, j] / kernel[i, j], kernel[i].copy()


def gaussian_kernel(size, sigma):
    """The right answer: (size, size), adds up to 1."""
    bell = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    bell /= bell.sum()
    return np.outer(bell, bell)


# ------------------------------------------------------------------------------------------------ 8.1, filter_image


def _with_margins(margins):
    """The right answer but for how many pixels are added: a function of the kernel's shape."""

    def answer(image, kernel, mode="constant"):
        padded = np.pad(np.asarray(image, dtype=float), margins(np.shape(kernel)), mode=mode)
        if min(n - k for n, k in zip(padded.shape, np.shape(kernel), strict=True)) < 0:
            raise ValueError("the kernel does not fit")
        return conv2d(padded, kernel)

    return answer


def _always(other):
    """The right answer but for the border, which is always continued in one way."""
    return lambda image, kernel, mode="constant": filter_image(image, kernel, other)


def _frame_around_the_output(image, kernel, mode="constant"):
    return np.pad(conv2d(image, kernel), _margins(np.shape(kernel)), mode=mode)


def _random_filter(draw: Draw):
    shape = draw.integer(3, 6), draw.integer(3, 6)
    kernel = 2 * draw.integer(0, 1) + 1, 2 * draw.integer(0, 1) + 1
    mode = ("constant", "edge", "reflect")[draw.integer(0, 2)]
    return Case((draw.integers(*shape), draw.integers(*kernel)), {"mode": mode})


_GRID = np.array([[3.0, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8], [9, 7, 9, 3], [2, 3, 8, 4]])
_ODD = np.array([[1.0, 2, 0], [-1, 3, 1], [0, -2, 4]])
_WIDE = np.array([[1.0, -2, 0.5, 3, 2]])

FILTER_IMAGE = CodeExercise(
    name="filter_image",
    may_call=("conv2d",),
    title="a map of the image's size",
    points=2,
    reference=filter_image,
    signature='filter_image(image, kernel, mode="constant")',
    explain=lambda index, image, kernel, mode="constant": working(index, _padded(image, np.shape(kernel), mode), kernel),
    parts={"core": 0.5, "modes": 0.5},
    cases=(
        Case((_GRID, _ODD)),
        Case((_GRID[:3, :4], np.array([[2.0]]))),
        Case((_GRID, _WIDE)),
        Case((_GRID[:4], np.arange(15.0).reshape(5, 3) - 4), layout="fortran"),
        Case((_GRID.astype(np.uint8), _ODD), layout="read-only"),
        Case((_GRID, _ODD), {"mode": "edge"}, part="modes"),
        Case((_GRID, _WIDE), {"mode": "reflect"}, part="modes"),
        Case((_GRID[:3], _WIDE.T), {"mode": "reflect"}, part="modes", layout="strided"),
    ),
    random_case=_random_filter,
    misconceptions=(
        Misconception(
            "not-padded",
            "Nothing was added around the image, so the map is smaller than it. Pad first, then slide.",
            lambda image, kernel, mode="constant": _with_margins(lambda shape: 0)(image, kernel, mode),
        ),
        Misconception(
            "always-one-pixel",
            "One pixel was added on each side, whatever the kernel. That fits 3x3 kernels only. How far does a kernel of 5 hang over?",
            _with_margins(lambda shape: 1),
        ),
        Misconception(
            "whole-kernel-added",
            "As many pixels as the kernel is long were added on each side. It hangs over by half of that, rounded down.",
            _with_margins(lambda shape: [(side, side) for side in shape]),
        ),
        Misconception(
            "full-padding",
            "k - 1 pixels were added on each side: every window that touches the image. For a map of the image's size it is k // 2.",
            _with_margins(lambda shape: [(side - 1, side - 1) for side in shape]),
        ),
        Misconception(
            "height-for-both",
            "The kernel's height was used for the columns too. Rows are padded by half of its height, columns by half of its width.",
            _with_margins(lambda shape: shape[0] // 2),
        ),
        Misconception(
            "width-for-both",
            "The kernel's width was used for the rows too. Rows are padded by half of its height, columns by half of its width.",
            _with_margins(lambda shape: shape[1] // 2),
        ),
        Misconception(
            "sides-exchanged",
            "Height and width are exchanged: rows were padded by half of the kernel's width, and columns by half of its height.",
            _with_margins(lambda shape: _margins(shape[::-1])),
        ),
        Misconception(
            "one-side-only",
            "All the pixels were added at the top and on the left. Half of them belong at the bottom and on the right, or the map moves.",
            _with_margins(lambda shape: [(side - 1, 0) for side in shape]),
        ),
        Misconception(
            "output-padded",
            "The frame was added to the map, after sliding. Those values were never computed. Pad the image, then slide.",
            _frame_around_the_output,
        ),
        Misconception(
            "flipped-kernel",
            "The kernel was turned by 180 degrees. That is convolution as mathematicians write it; here the kernel is used as it is.",
            lambda image, kernel, mode="constant": filter_image(image, np.asarray(kernel)[::-1, ::-1], mode),
        ),
        Misconception(
            "mode-ignored",
            "Right with zeros, but the border is always zeros. Hand `mode` on to np.pad.",
            _always("constant"),
        ),
        Misconception(
            "always-repeated",
            "The border is always continued by repeating its pixels. Hand `mode` on to np.pad: without it, np.pad adds zeros.",
            _always("edge"),
        ),
    ),
    hints=(
        "conv2d makes the image smaller. How much larger must the image be before, so that it comes out in its old size?",
        "A 3x3 kernel hangs over by 1 pixel on each side, a 5x5 kernel by 2. In general: by k // 2, if k is odd.",
        "np.pad takes a pair (before, after) for each axis: first for the rows, then for the columns. It takes mode= as well.",
        "down, across = kernel.shape[0] // 2, kernel.shape[1] // 2, then conv2d(np.pad(image, ((down, down), (across, across)), "
        "mode=mode), kernel)",
    ),
)

# ------------------------------------------------------------------------------------------------ 8.2, strength and angle


def comparable(value, image):
    """What `check` compares of a (strength, angle) pair: the angle's whole turns taken out, and 0 where there is no edge."""
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return value
    outcome = as_array(value[1])
    strength = edge_strength_and_angle(image)[0]
    if outcome.value is None or outcome.value.shape != strength.shape:
        return value
    angle = np.where(strength < FLAT, 0.0, outcome.value)  # no edge, no direction: any angle will do
    with np.errstate(invalid="ignore"):
        angle = 180 - (180 - angle) % 360  # 270 degrees are -90, and -180 are 180
    return value[0], np.where(angle < -180 + 1e-3, angle + 360, angle)


def _window_of_slopes(_, index, image):
    """The window and the kernel that lies on it, without their products: the values come from two such sums."""
    one = working(index, _padded(image, SOBEL_RIGHT.shape, "edge"), SOBEL_RIGHT)
    return replace(one, show_products=False, names=("the padded image", "the window", "Sobel Vertical for g_x, and its transpose for g_y"))


def _from_slopes(strength=np.hypot, angle=lambda right, down: np.degrees(np.arctan2(down, right)), of=slopes):
    """The right answer with one of its three steps open to being wrong."""

    def answer(image):
        right, down = of(image)
        with np.errstate(divide="ignore", invalid="ignore"):
            return strength(right, down), angle(right, down)

    return answer


def _slopes_with(kernel, mode="edge"):
    return lambda image: (filter_image(image, kernel, mode), filter_image(image, np.asarray(kernel).T, mode))


def _valid_slopes(image):
    return conv2d(image, SOBEL_RIGHT), conv2d(image, SOBEL_DOWN)


def _slopes_in_bytes(image):
    """Slices subtracted in the image's own type: bytes cannot be negative."""
    image = np.pad(np.asarray(image), 1, mode="edge")
    across = image[:, 2:] - image[:, :-2]
    down = image[2:] - image[:-2]
    return (
        1.0 * across[:-2] + 2.0 * across[1:-1] + 1.0 * across[2:],
        1.0 * down[:, :-2] + 2.0 * down[:, 1:-1] + 1.0 * down[:, 2:],
    )


def _exchanged(image):
    strength, angle = edge_strength_and_angle(image)
    return angle, strength


def _random_image(draw: Draw):
    return Case((draw.integers(draw.integer(3, 5), draw.integer(3, 5), low=0, high=9),))


EDGES = CodeExercise(
    name="edge_strength_and_angle",
    may_call=("conv2d",),
    title="the strength and the angle of edges",
    points=4,
    reference=edge_strength_and_angle,
    signature="edge_strength_and_angle(image)",
    outputs=("strength", "angle"),
    observe=comparable,
    explain=_window_of_slopes,
    parts={"core": 0.75, "bytes": 0.25},
    cases=(
        Case((np.array([[1.0, 2, 4], [1, 3, 5]]),)),
        Case((_GRID,)),
        Case((_GRID[:3].T / 4,), layout="fortran"),
        Case((np.array([[0.0, 0, 0, 0, 0], [0, 9, 9, 9, 0], [0, 9, 9, 9, 0], [0, 0, 0, 0, 0]]),)),
        Case((np.array([[0.0, 0.5, -1], [2, 0.25, 3], [1, -0.5, 0], [7, 1, 2]]),), layout="read-only"),
        Case((np.array([[200, 10, 30, 250], [0, 90, 255, 40], [7, 180, 60, 3]], dtype=np.uint8),), part="bytes"),
        Case((np.array([[0, 0, 255], [0, 255, 255], [10, 20, 30], [255, 0, 128]], dtype=np.uint8),), part="bytes", layout="strided"),
    ),
    random_case=_random_image,
    misconceptions=(
        Misconception(
            "as-published",
            "The angle is measured from the wrong axis. Either the arguments of arctan2 are exchanged (the downward slope comes first), or "
            "the two kernels are (Sobel Vertical gives the slope to the right). The strength cannot show this: it is the same either way.",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan2(right, down))),
        ),
        Misconception(
            "half-the-directions",
            "A quotient cannot tell a slope to the right from one to the left, and fails where the right slope is 0. Use np.arctan2.",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan(down / right))),
        ),
        Misconception(
            "radians",
            "The angle is in radians. np.degrees turns it into degrees.",
            _from_slopes(angle=lambda right, down: np.arctan2(down, right)),
        ),
        Misconception(
            "upside-down",
            "Up and down are exchanged in the angle. In an image rows are counted downwards, so 90 degrees point down here.",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan2(-down, right))),
        ),
        Misconception(
            "towards-the-dark",
            "All arrows point the opposite way, from bright to dark. Were the kernels turned, or their signs changed?",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan2(-down, -right))),
        ),
        Misconception(
            "edge-direction",
            "Your angle runs along the edge. Asked for is the direction in which brightness rises: across the edge, 90 degrees off.",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan2(down, right)) + 90),
        ),
        Misconception(
            "angle-of-sizes",
            "The angle was computed from the slopes without their signs, so it only knows a quarter of all directions.",
            _from_slopes(angle=lambda right, down: np.degrees(np.arctan2(np.abs(down), np.abs(right)))),
        ),
        Misconception(
            "root-forgotten",
            "The strength is right squared + down squared. The square root is missing.",
            _from_slopes(strength=lambda right, down: right**2 + down**2),
        ),
        Misconception(
            "sizes-added",
            "The strength is |right| + |down|: the way round the corner. The straight way is the root of the sum of squares.",
            _from_slopes(strength=lambda right, down: np.abs(right) + np.abs(down)),
        ),
        Misconception(
            "larger-of-the-two",
            "The strength is the larger of the two slopes. An edge that runs diagonally is stronger than either.",
            _from_slopes(strength=lambda right, down: np.maximum(np.abs(right), np.abs(down))),
        ),
        Misconception(
            "slopes-added",
            "The two slopes were added before anything else. Where one is 3 and the other -3, they cancel, and the edge is gone.",
            _from_slopes(strength=lambda right, down: np.abs(right + down)),
        ),
        Misconception(
            "one-slope-only",
            "The strength knows only the slope to the right. Edges that run across the image are missing from it.",
            _from_slopes(strength=lambda right, down: np.abs(right)),
        ),
        Misconception(
            "prewitt",
            "These are the kernels with the weights 1 1 1 (Prewitt's). Sobel's middle row and column count twice: 1 2 1.",
            _from_slopes(of=_slopes_with(PREWITT_RIGHT)),
        ),
        Misconception(
            "border-of-zeros",
            'Right inside, but there is a frame of edges around the image: it was continued with zeros. Use mode="edge".',
            _from_slopes(of=_slopes_with(SOBEL_RIGHT, "constant")),
        ),
        Misconception(
            "mirrored-border",
            'Right inside, but the image was continued by mirroring it. Asked for is its border repeated: mode="edge".',
            _from_slopes(of=_slopes_with(SOBEL_RIGHT, "reflect")),
        ),
        Misconception(
            "border-lost",
            "The maps are smaller than the image. Continue the image by one pixel on each side first.",
            _from_slopes(of=_valid_slopes),
        ),
        Misconception(
            "divided-by-eight",
            "Both slopes were divided by 8. That gives brightness per pixel, a good idea, but here the kernels are used as they are.",
            _from_slopes(of=lambda image: tuple(slope / 8 for slope in slopes(image))),
        ),
        Misconception("values-exchanged", "The two values came in the other order: first the strength, then the angle.", _exchanged),
        Misconception(
            "bytes-overflow",
            "Right for floats. But bytes cannot be negative: in uint8, 10 - 200 is 66. Convert the image to float first.",
            _from_slopes(of=_slopes_in_bytes),
        ),
    ),
    hints=(
        "First two maps: one from the kernel that answers to brightness rising to the right, one from its transpose.",
        'filter_image(image, kernel, mode="edge") gives each map in the right size.',
        "Strength: the length of the arrow (right, down). np.hypot(right, down) is that. Angle: np.arctan2 takes the downward part first.",
        "strength = np.hypot(right, down) and angle = np.degrees(np.arctan2(down, right)). Return both, in this order.",
    ),
)

# ------------------------------------------------------------------------------------------------ split_kernel


def assembled(value, kernel):
    """What `check` compares of a (column, row) pair: the kernel that they make."""
    if isinstance(value, (str, dict, set)) or not hasattr(value, "__len__") or len(value) != 2:
        raise ValueError("expected two values, (column, row)")
    parts = [as_array(part) for part in value]
    for name, part in zip(("column", "row"), parts, strict=True):
        if part.value is None:
            raise ValueError(f"{name}: {part.problem}")
        if part.value.size != max(part.value.shape, default=1):
            raise ValueError(f"{name} should be one line of numbers, got shape {part.value.shape}")
    return np.outer(parts[0].value, parts[1].value)


def _through(row, column):
    """Column and row through one entry, chosen by position."""

    def answer(kernel):
        kernel = np.asarray(kernel, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            return kernel[:, column] / kernel[row, column], kernel[row]

    return answer


def _pivot(kernel):
    return np.unravel_index(np.abs(kernel).argmax(), np.shape(kernel))


def _not_divided(kernel):
    i, j = _pivot(kernel)
    return kernel[:, j], kernel[i]


def _divided_twice(kernel):
    i, j = _pivot(kernel)
    return kernel[:, j] / kernel[i, j], kernel[i] / kernel[i, j]


def _singular_value_forgotten(kernel):
    column, _, row = np.linalg.svd(kernel)
    return column[:, 0], row[0]


def _by_sums(kernel):
    with np.errstate(divide="ignore", invalid="ignore"):
        return kernel.sum(axis=1), kernel.sum(axis=0) / kernel.sum()


def _other_way_round(kernel):
    column, row = split_kernel(kernel)
    return row, column


def _sign_lost(kernel):
    i, j = _pivot(kernel)
    return np.abs(kernel[:, j]) / np.abs(kernel[i, j]), np.abs(kernel[i])


def _largest_not_in_size(kernel):
    i, j = np.unravel_index(kernel.argmax(), kernel.shape)
    return kernel[:, j] / kernel[i, j], kernel[i]


def _random_separable(draw: Draw):
    column = np.array([draw.integer(-2, 3) for _ in range(draw.integer(1, 4))], dtype=float)
    row = np.array([draw.integer(-2, 3) for _ in range(draw.integer(1, 4))], dtype=float)
    column[draw.integer(0, len(column) - 1)] = 1 + draw.integer(0, 2)  # never all zero
    row[draw.integer(0, len(row) - 1)] = -1 - draw.integer(0, 2)
    return Case((np.outer(column, row),))


SPLIT_KERNEL = CodeExercise(
    name="split_kernel",
    title="a kernel as a column and a row",
    points=3,
    reference=split_kernel,
    signature="split_kernel(kernel)",
    observe=assembled,
    cases=(
        Case((np.outer([1.0, 2, 1], [1, 0, -1]),)),
        Case((np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),)),
        Case((np.outer([0.0, 3, -1, 2], [0, 2, 1]) / 4,), layout="read-only"),
        Case((np.outer([1.0, 2], [-3, -1, -2]),), layout="fortran"),
        Case((np.outer([-1.0, 0, 1], [1, 2, 1]),)),
        Case((np.array([[-2.0, 4]]),)),
        Case((np.outer([0.0, 1], [-3, -1]),)),
        Case((np.ones((3, 5)) / 15,), layout="strided"),
        Case((np.array([[0, 0], [0, 3]]),)),
    ),
    random_case=_random_separable,
    misconceptions=(
        Misconception(
            "through-the-corner",
            "The column and the row through the top left entry were used. Where that entry is 0, dividing by it gives no numbers. "
            "Use a column and a row that cross at an entry that is not 0.",
            _through(0, 0),
        ),
        Misconception(
            "through-the-middle",
            "The column and the row through the middle entry were used. Where that entry is 0, as in a Sobel kernel, dividing by it "
            "gives no numbers.",
            lambda kernel: _through(kernel.shape[0] // 2, kernel.shape[1] // 2)(kernel),
        ),
        Misconception(
            "not-divided",
            "Every entry comes out too large by one factor: the entry where column and row cross. Divide one of the two by it.",
            _not_divided,
        ),
        Misconception("divided-twice", "Column and row were both divided by the entry where they cross. Once is enough.", _divided_twice),
        Misconception(
            "singular-value-forgotten",
            "The two directions are right. The singular value, which is the size of the kernel, is missing: multiply one of them by it.",
            _singular_value_forgotten,
        ),
        Misconception(
            "by-sums",
            "The sums of the rows and of the columns do it for blurs. Where a kernel adds up to 0, as Sobel's do, they are lost.",
            _by_sums,
        ),
        Misconception(
            "other-way-round",
            "That is the kernel's transpose: column and row came in the other order.",
            _other_way_round,
        ),
        Misconception("sign-lost", "The sizes are right, the signs are gone. np.abs helps to find an entry; do not keep it.", _sign_lost),
        Misconception(
            "largest-not-in-size",
            "The largest entry was looked for, and in a kernel without positive numbers that may be a 0. Look for the largest in size.",
            _largest_not_in_size,
        ),
    ),
    hints=(
        "In a separable kernel every row is a multiple of every other row. So one row of it, if not all 0, can be your row.",
        "Find an entry that is not 0, say at (i, j). Take row i as it is. Column j is the right column, but for one factor.",
        "Where row i and column j cross, the product is kernel[i, j] twice over. Divide the column by it.",
        "i, j = np.unravel_index(np.abs(kernel).argmax(), kernel.shape) finds the entry that is largest in size.",
    ),
)

# ------------------------------------------------------------------------------------------------ gaussian_kernel


def _bell(bell, middle=lambda size: (size - 1) / 2):
    """A kernel made from another bell: a function of the distance and of sigma, then normalized."""

    def answer(size, sigma):
        values = np.array([bell(d, sigma) for d in np.arange(size) - middle(size)])
        kernel = np.outer(values, values)
        return kernel / kernel.sum()

    return answer


def _true_bell(d, sigma):
    return math.exp(-(d**2) / (2 * sigma**2))


def _peak_one(size, sigma):
    kernel = gaussian_kernel(size, sigma)
    return kernel / kernel.max()


def _density(size, sigma):
    return _peak_one(size, sigma) / (2 * math.pi * sigma**2)


def _one_line(size, sigma):
    return gaussian_kernel(size, sigma).sum(axis=0)


def _rows_add_up_to_one(size, sigma):
    kernel = gaussian_kernel(size, sigma)
    return kernel / kernel.sum(axis=1, keepdims=True)


def _random_bell(draw: Draw):
    return Case((2 * draw.integer(0, 3) + 1, draw.integer(2, 8) / 4))


GAUSSIAN = CodeExercise(
    name="gaussian_kernel",
    title="a Gaussian kernel of any width",
    points=2,
    reference=gaussian_kernel,
    signature="gaussian_kernel(size, sigma)",
    cases=(Case((3, 1.0)), Case((5, 1.5)), Case((3, 0.5)), Case((7, 2)), Case((1, 1.0)), Case((5, 0.8))),
    random_case=_random_bell,
    misconceptions=(
        Misconception(
            "peak-one",
            "The shape is right, but the numbers do not add up to 1, so the image gets brighter. Divide by their sum.",
            _peak_one,
        ),
        Misconception(
            "formula-of-the-density",
            "The factor of the bell curve belongs to a curve that never ends. A small kernel cuts it off, so divide by the actual sum.",
            _density,
        ),
        Misconception(
            "one-dimensional",
            "That is one line of numbers. np.outer makes a square of a column and a row.",
            _one_line,
        ),
        Misconception(
            "sigma-not-squared",
            "The distance is squared, sigma is not. Both are: d**2 / (2 * sigma**2).",
            _bell(lambda d, sigma: math.exp(-(d**2) / (2 * sigma))),
        ),
        Misconception(
            "two-forgotten",
            "There is a 2 before sigma squared. Without it the bell is too narrow.",
            _bell(lambda d, sigma: math.exp(-(d**2) / sigma**2)),
        ),
        Misconception(
            "divided-by-two-only",
            "The exponent is -d**2 / 2 * sigma**2, which Python reads from left to right: put brackets around 2 * sigma**2.",
            _bell(lambda d, sigma: math.exp(-(d**2) / 2 * sigma**2)),
        ),
        Misconception(
            "distance-not-squared",
            "The distance is not squared. That makes a tent with a sharp tip instead of a bell.",
            _bell(lambda d, sigma: math.exp(-abs(d) / (2 * sigma**2))),
        ),
        Misconception(
            "middle-in-the-corner",
            "The bell's middle is at the top left. Distances are counted from the middle of the kernel, (size - 1) / 2.",
            _bell(_true_bell, middle=lambda size: 0),
        ),
        Misconception(
            "half-a-pixel-off",
            "The middle of 3 pixels, 0, 1 and 2, is 1, not 3 / 2. The bell is half a pixel off.",
            _bell(_true_bell, middle=lambda size: size / 2),
        ),
        Misconception(
            "each-row-adds-up-to-one",
            "Each row adds up to 1, so the whole kernel adds up to its size. The kernel as a whole should add up to 1.",
            _rows_add_up_to_one,
        ),
        Misconception(
            "box",
            "All the numbers are the same: a box blur. Near pixels should count more than distant ones.",
            lambda size, sigma: np.full((size, size), 1 / size**2),
        ),
    ),
    hints=(
        "First one line of numbers: how far is each pixel from the middle? For size 5: -2, -1, 0, 1, 2.",
        "np.arange(size) - (size - 1) / 2 gives these distances. The bell is np.exp(-d**2 / (2 * sigma**2)).",
        "Divide the line by its sum. Then np.outer(line, line) adds up to 1 as well.",
    ),
)

EXERCISES = (FILTER_IMAGE, EDGES, SPLIT_KERNEL, GAUSSIAN)
