"""Lesson 3, the answers that are worked out, read off or designed: what a kernel's numbers say, borders, names, own kernels."""

import numpy as np

from ..kernels import CLASSIC_KERNELS, describe_kernel
from .exercise import DesignExercise, HandExercise, Misconception
from .lesson_02 import conv2d
from .lesson_03 import SOBEL_DOWN, SOBEL_RIGHT, edge_strength_and_angle

NAMES = tuple(CLASSIC_KERNELS)
KERNELS = tuple(CLASSIC_KERNELS.values())

# ------------------------------------------------------------------------------------------------ L3.1 and L3.2: sums, ranges

SUMS = HandExercise(
    name="L3.1",
    title="what becomes of an even region",
    points=2,
    expected=[kernel.sum() for kernel in KERNELS],
    labels=NAMES,
    misconceptions=(
        Misconception(
            "scale-forgotten",
            "The two blurs are divided by 9 and by 16, as the picture says. Divided, their numbers add up to 1.",
            [kernel.sum() * scale for kernel, scale in zip(KERNELS, (1, 9, 16, 1, 1, 1, 1, 1), strict=True)],
        ),
        Misconception(
            "signs-ignored",
            "The minus signs were left out. What is subtracted does not make a region brighter.",
            [np.abs(kernel).sum() for kernel in KERNELS],
        ),
        Misconception(
            "positive-part-only",
            "Only the positive numbers were added. The negative ones meet the same brightness and count as well.",
            [kernel[kernel > 0].sum() for kernel in KERNELS],
        ),
        Misconception(
            "minus-means-zero",
            "Not every kernel with minus signs adds up to 0. Add up Sharpen and Emboss once more.",
            [1, 1, 1, 0, 0, 0, 0, 0],
        ),
        Misconception("middle-entry", "These are the entries in the middle. Add up all nine.", [kernel[1, 1] for kernel in KERNELS]),
    ),
    hints=(
        "In an even region every weight meets the same brightness. What can be taken out of the sum?",
        "Nine products, all with the same pixel value: the sum of the weights, times that value.",
        "Laplacian: 4 - 1 - 1 - 1 - 1. Emboss: the row sums are -3, 1 and 3.",
    ),
)

_RANGED = ("Sharpen", "Sobel Vertical", "Emboss")


def value_range(kernel):
    """The smallest and the largest value that a kernel can give on pixels from 0 to 1."""
    return [kernel[kernel < 0].sum(), kernel[kernel > 0].sum()]


RANGES = HandExercise(
    name="L3.2",
    title="the smallest and the largest value",
    points=2,
    expected=[value_range(CLASSIC_KERNELS[name]) for name in _RANGED],
    labels=_RANGED,
    misconceptions=(
        Misconception(
            "as-pixels",
            "A map is not an image: nothing keeps its values between 0 and 1. Which pixels would make the sum as large as possible?",
            [[0, 1]] * 3,
        ),
        Misconception(
            "single-weights",
            "These are the smallest and the largest weight. A window can have more than one bright pixel at a time.",
            [[CLASSIC_KERNELS[name].min(), CLASSIC_KERNELS[name].max()] for name in _RANGED],
        ),
        Misconception(
            "all-bright",
            "With all pixels at 1 the negative weights count too. Choose each of the nine pixels by itself.",
            [[0, CLASSIC_KERNELS[name].sum()] for name in _RANGED],
        ),
        Misconception(
            "never-negative",
            "The largest values are right. The smallest can be below 0: make only the pixels under negative weights bright.",
            [[0, value_range(CLASSIC_KERNELS[name])[1]] for name in _RANGED],
        ),
        Misconception(
            "exchanged",
            "Smallest and largest are exchanged: the smallest comes first.",
            [value_range(CLASSIC_KERNELS[name])[::-1] for name in _RANGED],
        ),
    ),
    hints=(
        "You may choose each of the nine pixels between 0 and 1. Which would you make bright for the largest value?",
        "Largest: 1 under each positive weight, 0 elsewhere. The value is then the sum of the positive weights.",
        "Smallest: the other way round, the sum of the negative weights. Sobel Vertical: -1 - 2 - 1.",
    ),
)

# ------------------------------------------------------------------------------------------------ L3.3: which is it

UNNAMED = ("Edge (Laplacian)", "Sobel Vertical", "Box Blur", "Emboss", "Sobel Horizontal", "Sharpen")
"""The kernels of the maps A to F, in this order."""


def _number(name):
    return NAMES.index(name) + 1


def _with_exchanged(first, second):
    exchange = {first: second, second: first}
    return [_number(exchange.get(name, name)) for name in UNNAMED]


WHICH_MAP = HandExercise(
    name="L3.3",
    title="which map is which?",
    points=2,
    expected=[_number(name) for name in UNNAMED],
    labels=tuple(f"map {letter}" for letter in "ABCDEF"),
    misconceptions=(
        Misconception(
            "sobels-exchanged",
            "The two Sobel kernels are exchanged. Where does the map answer: on strokes that run down the page or across it?",
            _with_exchanged("Sobel Vertical", "Sobel Horizontal"),
        ),
        Misconception(
            "sharpen-and-laplacian",
            "Sharpen and Laplacian are exchanged. What becomes of the inside of a stroke, which is even: 0, or as bright as before?",
            _with_exchanged("Sharpen", "Edge (Laplacian)"),
        ),
        Misconception(
            "sharpen-and-emboss",
            "Sharpen and Emboss are exchanged. One of the two treats all sides of a stroke alike, the other has a bright and a dark side.",
            _with_exchanged("Sharpen", "Emboss"),
        ),
        Misconception(
            "emboss-and-laplacian",
            "Emboss and Laplacian are exchanged. One of the two treats all sides of a stroke alike.",
            _with_exchanged("Emboss", "Edge (Laplacian)"),
        ),
        Misconception("order-of-the-table", "That is the order of the picture with the kernels. The maps were mixed.", [2, 4, 5, 6, 7, 8]),
    ),
    hints=(
        "Begin with the map that has no negative values at all. Only one of these six kernels has no minus sign.",
        "Two maps are 0 inside the strokes on one kind of edge only. Look at the upper and lower ends of the strokes.",
        "Emboss looks lit from one corner. Sharpen keeps the inside of strokes bright, the Laplacian makes it 0.",
    ),
)

# ------------------------------------------------------------------------------------------------ L3.4: borders

RAMP_ROW = np.array([[10.0, 20, 30, 40]])
_SLOPE = np.array([[-1.0, 0, 1]])


def ends(mode):
    """The outermost two values of the ramp's slope, the border continued in this way."""
    row = conv2d(np.pad(RAMP_ROW, ((0, 0), (1, 1)), mode=mode), _SLOPE)[0]
    return [row[0], row[-1]]


BORDERS = HandExercise(
    name="L3.4",
    title="the slope at the border",
    points=2,
    expected=[ends(mode) for mode in ("constant", "edge", "reflect")],
    labels=("zeros", "border repeated", "mirrored"),
    misconceptions=(
        Misconception(
            "true-slope-everywhere",
            "That is what one would wish for. But the outer windows hold one pixel that is not in the image. What stands there?",
            [[20, 20]] * 3,
        ),
        Misconception(
            "left-minus-right",
            "The signs are turned: the kernel takes the right neighbor minus the left one.",
            [[-value for value in ends(mode)] for mode in ("constant", "edge", "reflect")],
        ),
        Misconception(
            "mirror-repeats-the-border",
            "You mirrored with the border pixel repeated: 10 10 20. This mode mirrors around the border pixel: 20 10 20.",
            [ends("constant"), ends("edge"), ends("edge")],
        ),
        Misconception(
            "repeated-means-flat",
            "With the border repeated only one of the two neighbors is a copy: at the left end, 20 - 10. It is not 0.",
            [ends("constant"), [0, 0], [0, 0]],
        ),
        Misconception(
            "zeros-do-not-count",
            "The zeros count as pixels. At the right end the window holds 30, 40 and 0.",
            [[20, 30], ends("edge"), ends("reflect")],
        ),
    ),
    hints=(
        "Write the row down with one more pixel on each side, once for each of the three ways.",
        "Zeros: 0 10 20 30 40 0. Repeated: 10 10 20 30 40 40. Mirrored: 20 10 20 30 40 30.",
        "At the left end the value is the second of the original pixels minus the added one.",
    ),
)

# ------------------------------------------------------------------------------------------------ L3.5: names and directions

RAMP_RIGHT = np.tile(np.arange(5.0), (5, 1))


def _middle_of_ramp():
    down, right = conv2d(RAMP_RIGHT, SOBEL_DOWN)[1, 1], conv2d(RAMP_RIGHT, SOBEL_RIGHT)[1, 1]
    strength, angle = (values[2, 2] for values in edge_strength_and_angle(RAMP_RIGHT))
    return [down, right, strength, angle, np.degrees(np.arctan2(right, down))]


_RAMP_VALUES = _middle_of_ramp()

PUBLISHED_NAMES = HandExercise(
    name="L3.5",
    title="a published name, put to the test",
    points=3,
    expected=_RAMP_VALUES,
    labels=("Sobel Horizontal", "Sobel Vertical", "strength", "angle", "angle as published"),
    misconceptions=(
        Misconception(
            "names-taken-at-their-word",
            "Sobel Horizontal is named after the edges that it finds: those that run across. On this image no two rows differ.",
            [8, 0, 8, 90, 0],
        ),
        Misconception(
            "kernels-exchanged",
            "The angles are right, the two kernels are exchanged. Sobel Horizontal subtracts the row above from the row below, and here no "
            "two rows differ.",
            [8, 0, 8, 0, 90],
        ),
        Misconception(
            "upwards-counted",
            "Right but for a sign: rows are counted downwards, so a positive slope downwards points down, and down is 90 degrees.",
            [0, 8, 8, 0, -90],
        ),
        Misconception("radians", "Right, but the last angle is in radians. np.degrees turns it into degrees.", [0, 8, 8, 0, np.pi / 2]),
        Misconception(
            "angles-exchanged",
            "The two angles are exchanged. Brightness rises to the right here, and right is 0 degrees.",
            [0, 8, 8, 90, 0],
        ),
        Misconception(
            "one-row-only",
            "That is one row of the kernel with weights 1. The three rows of Sobel Vertical count 1, 2 and 1 times.",
            [0, 2, 2, 0, 90],
        ),
        Misconception(
            "slope-per-pixel",
            "Brightness rises by 1 a pixel, that is so. But the kernel compares columns that lie 2 apart, with weights 1 + 2 + 1.",
            [0, 1, 1, 0, 90],
        ),
        Misconception(
            "published-angle-unchanged",
            "The first four are right. Put them into the published formula: its G_x is the output of Sobel Horizontal.",
            [0, 8, 8, 0, 0],
        ),
    ),
    hints=(
        "Take any window, such as 1 2 3, three times over, and lay each kernel on it.",
        "Sobel Horizontal subtracts the row above from the row below. Are they different? Sobel Vertical: 1 + 2 + 1 times (3 - 1).",
        "As published, G_x is the first of these numbers and G_y is the second: arctan2(8, 0).",
    ),
)

# ------------------------------------------------------------------------------------------------ 8.3 and L3.6: ten digits

FIRST_OF_EACH = (1, 3, 5, 7, 2, 0, 13, 15, 17, 4)  # in MNIST's training half; the tests look it up
LAST_OF_EACH = (59987, 59994, 59991, 59996, 59975, 59997, 59998, 59988, 59999, 59992)  # likewise

TEN_DIGITS = HandExercise(
    name="8.3",
    title="the first of each digit",
    points=1,
    expected=FIRST_OF_EACH,
    labels=tuple(f"the first {digit}" for digit in range(10)),
    misconceptions=(
        Misconception(
            "counted-from-one",
            "Each index is one too large. Images are counted from 0.",
            [index + 1 for index in FIRST_OF_EACH],
        ),
        Misconception(
            "in-order-of-appearance",
            "These are the right images in the order in which they appear. Wanted is the first 0, then the first 1, and so on.",
            sorted(FIRST_OF_EACH),
        ),
        Misconception(
            "digits-instead-of-indices",
            "These are the digits in the order in which they first appear. Wanted are indices: where the first 0 is, where the first 1 is.",
            sorted(range(10), key=FIRST_OF_EACH.__getitem__),
        ),
        Misconception(
            "other-half", "Those are the indices in the test half. Use the labels loaded above.", [3, 2, 1, 18, 4, 8, 11, 0, 61, 7]
        ),
        Misconception(
            "last-of-each",
            "That is where each digit stands for the last time. Wanted is the first time: the smallest index of each.",
            LAST_OF_EACH,
        ),
        Misconception("just-counted", "That counts to nine. At which index do the labels hold a 0 for the first time?", list(range(10))),
    ),
    hints=(
        "labels == 0 is an array of True and False. At which index is the first True?",
        "np.flatnonzero(labels == 0) lists all the indices of zeros, in order.",
        "[int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]",
    ),
)

LOST_LABELS = HandExercise(
    name="L3.6",
    title="where are the labels?",
    points=1,
    expected=2,
    misconceptions=(
        Misconception(
            "order",
            'The order makes no difference: axis("off") hides the labels whenever the figure is drawn at last. Try it in the cell above.',
            1,
        ),
        Misconception("size", "The labels are not too small. They are not drawn at all, whatever their size.", 3),
        Misconception("layout", "tight_layout makes room for what is drawn. The labels are not drawn.", 4),
    ),
    hints=(
        'What does axis("off") switch off? Not the picture. Then what?',
        "It switches off the whole axis: frame, ticks and both labels. Which repair gets rid of the ticks and keeps the labels?",
        "Change the cell above and run it: it counts the dark pixels where the labels should be.",
    ),
)

# ------------------------------------------------------------------------------------------------ L3.7, L3.8, 8.4: designs

_TO_THE_RIGHT = np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]])


def _judge_move(kernel):
    if np.allclose(kernel, _TO_THE_RIGHT, atol=1e-6):
        return None
    if not kernel.any():
        return "All weights are 0, so the image disappears."
    if np.count_nonzero(np.abs(kernel) > 1e-6) > 1:
        return "Several weights are not 0, so each new pixel is mixed from several old ones. Moving takes one old pixel for each new one."
    if not np.isclose(kernel.sum(), 1, atol=1e-6):
        return f"The brightness is multiplied by {kernel.sum():.4g}. It should stay as it is."
    row, column = (int(place) - 1 for place in np.argwhere(np.abs(kernel) > 1e-6)[0])
    moved = [
        f"{abs(step)} pixel {way[step > 0]}" for step, way in ((row, ("down", "up")), (column, ("to the right", "to the left"))) if step
    ]
    return f"This one moves the image {' and '.join(moved)}." if moved else "This one leaves the image where it is."


MOVE = DesignExercise(
    name="L3.7",
    title="one pixel to the right",
    points=1,
    judge_value=_judge_move,
    shape=(3, 3),
    misconceptions=(
        Misconception(
            "moved-the-other-way",
            "The weight stands on the right, so each new pixel is its right neighbor: the image moves to the left.",
            lambda kernel: np.allclose(kernel, _TO_THE_RIGHT[:, ::-1]),
        ),
        Misconception(
            "other-axis",
            "Rows and columns are exchanged: the weight stands above or below the middle.",
            lambda kernel: any(np.allclose(kernel, other) for other in (_TO_THE_RIGHT.T, _TO_THE_RIGHT.T[::-1])),
        ),
        Misconception(
            "nothing-moves",
            "That is the identity: each new pixel is the old one at the same place.",
            lambda kernel: np.allclose(kernel, CLASSIC_KERNELS["Identity"]),
        ),
    ),
    hints=(
        "Which old pixel should each new pixel be equal to?",
        "If the image moves to the right, a new pixel shows what stood one pixel to its left.",
        "One weight is 1, all others are 0. Lay the kernel on the image: which weight lies on the left neighbor?",
    ),
)


def _judge_motion(kernel):
    diagonal = np.diag(kernel)
    if not kernel.any():
        return "All weights are 0, so the image disappears."
    if np.abs(kernel - np.diag(diagonal)).max() > 1e-6:
        return "There are weights beside the diagonal. The smear should run from the top left to the bottom right and nowhere else."
    if (diagonal <= 1e-6).any():
        return "Each of the five pixels along the way should leave its trace, with a positive weight."
    if np.ptp(diagonal) > 1e-3:
        return "The five weights differ. The camera moved evenly, so each place counts the same."
    if not np.isclose(kernel.sum(), 1, atol=1e-3):
        return f"The weights add up to {kernel.sum():.4g}, so the photograph changes its brightness."
    return None


MOTION = DesignExercise(
    name="L3.8",
    title="a shaky hand",
    points=1,
    judge_value=_judge_motion,
    shape=(5, 5),
    misconceptions=(
        Misconception(
            "too-bright",
            "The trace is right, but the weights add up to 5. The picture was exposed once, not five times.",
            lambda kernel: np.allclose(kernel, np.eye(5)),
        ),
        Misconception(
            "other-diagonal",
            "That smears from the top right to the bottom left.",
            lambda kernel: np.allclose(kernel, np.diag(np.diag(kernel[::-1]))[::-1]) and kernel[0, 4] != 0,
        ),
        Misconception(
            "blurred-all-around",
            "That is a box blur, out of focus in all directions. A moving camera smears in one direction only.",
            lambda kernel: np.allclose(kernel, kernel[0, 0]) and kernel[0, 0] != 0,
        ),
        Misconception(
            "sideways-or-upright",
            "That smears along a row or a column.",
            lambda kernel: (np.count_nonzero(kernel.any(axis=0)) == 1) != (np.count_nonzero(kernel.any(axis=1)) == 1),
        ),
    ),
    hints=(
        "While the shutter was open the camera saw the scene from five places. The photograph is the average of five moved images.",
        "Each moved image is a kernel with one weight, as in the exercise before. What is the average of five such kernels?",
        "Five weights along the main diagonal, each 1/5. np.eye(5) is close to it.",
    ),
)

_SIDE = 9
_ROWS, _COLUMNS = np.indices((_SIDE, _SIDE))
DOWNHILL_EDGES = tuple((offset < _COLUMNS - _ROWS).astype(float) for offset in (-1, 0))  # run from top left to bottom right
UPHILL_EDGES = tuple((_SIDE - 1 + offset < _ROWS + _COLUMNS).astype(float) for offset in (-1, 0))


def _along(kernel, edges):
    """How strongly a kernel answers right on an edge, whichever side its middle line belongs to."""
    return min(float(np.abs(conv2d(image, kernel)).diagonal().min()) for image in edges)


def _anywhere(kernel, edges):
    """The largest answer, in size, of a kernel to an edge and what lies beside it."""
    return max(float(np.abs(conv2d(image, kernel)).max()) for image in edges)


def _judge_diagonal(kernel):
    size = np.abs(kernel).max()
    if not size:
        return "All weights are 0, so it answers to nothing."
    if abs(kernel.sum()) > 1e-3 * size:
        return f"The weights add up to {kernel.sum():.4g}. An edge detector should give 0 where nothing changes."
    wanted, other = _along(kernel, DOWNHILL_EDGES), _anywhere(kernel, UPHILL_EDGES)
    if wanted < 0.5 * size:
        return f"An edge from the top left to the bottom right gives {wanted:.4g}: nothing to speak of."
    if other > 0.1 * wanted:
        return (
            f"An edge from the top left to the bottom right gives {wanted:.4g}, but one from the top right to the bottom left gives "
            f"{other:.4g}. It should hardly answer to that."
        )
    return None


def _close_to_multiple(kernel, other):
    scale = np.sum(kernel * other) / np.sum(other**2)
    return bool(scale) and np.allclose(kernel, scale * other, atol=1e-6 * np.abs(kernel).max())


DIAGONAL = DesignExercise(
    name="8.4",
    title="a kernel for diagonal edges",
    points=3,
    judge_value=_judge_diagonal,
    shape=(3, 3),
    misconceptions=(
        Misconception(
            "other-diagonal",
            "This is a good kernel for the other diagonal. Mirror it.",
            lambda kernel: _judge_diagonal(kernel[:, ::-1]) is None,
        ),
        Misconception(
            "not-turned",
            "That is a Sobel or Prewitt kernel as it is. It answers to both diagonals alike. Turn it by half of a right angle.",
            lambda kernel: any(
                _close_to_multiple(kernel, other)
                for other in (SOBEL_RIGHT, SOBEL_DOWN, np.array([[-1, 0, 1]] * 3), np.array([[-1, 0, 1]] * 3).T)
            ),
        ),
        Misconception(
            "asymmetric-only",
            "One side of the diagonal has weights, the other has none. That is asymmetric, as a published page asks for, and not enough: "
            "even regions do not give 0. What is added on one side must be taken away on the other.",
            lambda kernel: bool(np.triu(kernel, 1).any()) != bool(np.tril(kernel, -1).any()) and bool(abs(kernel.sum()) > 1e-9),
        ),
        Misconception(
            "line-detector",
            "The positive weights lie on the diagonal itself. That finds thin diagonal lines. An edge has a bright side and a dark side.",
            lambda kernel: _is_line_detector(kernel),
        ),
        Misconception(
            "all-edges",
            "This answers to edges of every direction.",
            lambda kernel: np.allclose(kernel, np.rot90(kernel)) and bool(abs(kernel.sum()) < 1e-6 * np.abs(kernel).max()),
        ),
    ),
    hints=(
        "An edge has two sides. Here they are the corner at the top right and the corner at the bottom left.",
        "Positive weights on one side of the diagonal, negative ones on the other, 0 on the diagonal itself.",
        "To give exactly 0 on the other diagonal: for each weight at (m, n), its opposite at (n, m). In NumPy: K.T == -K.",
    ),
)


def _is_line_detector(kernel):
    """Symmetric about the main diagonal, one sign along it and the other beside it, and 0 on even regions."""
    line, beside = np.diag(kernel), kernel[~np.eye(3, dtype=bool)]
    opposite = bool((line * line[1] > 0).all() and (beside * line[1] <= 0).all())
    return opposite and np.allclose(kernel, kernel.T) and bool(abs(kernel.sum()) <= 1e-3 * np.abs(kernel).max())


# ------------------------------------------------------------------------------------------------ L3.9: separable or not

CANDIDATES = {
    "Gaussian Blur": CLASSIC_KERNELS["Gaussian Blur"],
    "Sharpen": CLASSIC_KERNELS["Sharpen"],
    "Edge (Laplacian)": CLASSIC_KERNELS["Edge (Laplacian)"],
    "Sobel Horizontal": SOBEL_DOWN,
    "Emboss": CLASSIC_KERNELS["Emboss"],
    "one pixel to the right": _TO_THE_RIGHT,
    "a shaky hand": np.eye(5) / 5,
}

_SEPARABLE = [int(describe_kernel(kernel).separable) for kernel in CANDIDATES.values()]

SEPARABLE = HandExercise(
    name="L3.9",
    title="which kernels can be split?",
    points=1,
    expected=_SEPARABLE,
    labels=tuple(CANDIDATES),
    misconceptions=(
        Misconception("all-of-them", "Not every kernel can be split. In Sharpen, is the middle row a multiple of the top row?", [1] * 7),
        Misconception(
            "symmetric-means-separable",
            "Symmetry is something else: the Laplacian is as symmetric as can be. Ask whether every row is a multiple of one row.",
            [1, 1, 1, 0, 0, 0, 1],
        ),
        Misconception(
            "blurs-only",
            "Not only blurs: minus signs do no harm, and neither do rows of zeros, which are 0 times any row.",
            [1, 0, 0, 0, 0, 0, 0],
        ),
        Misconception("yes-and-no-exchanged", "Yes and no are exchanged: 1 stands for yes.", [1 - value for value in _SEPARABLE]),
        Misconception(
            "zeros-spoil-it",
            "A kernel with a single weight can be split too: its rows of zeros are 0 times the row with the weight.",
            [1, 0, 0, 1, 0, 0, 0],
        ),
        Misconception(
            "a-line-is-a-line",
            "The diagonal line looks simple, but its five rows are all different directions: none is a multiple of another.",
            [1, 0, 0, 1, 0, 1, 1],
        ),
        Misconception(
            "emboss-looks-even",
            "In Emboss, the top row is -2 -1 0 and the middle row -1 1 1. No number makes the one out of the other.",
            [1, 0, 0, 1, 1, 1, 0],
        ),
        Misconception(
            "diagonals-too",
            "Emboss and the diagonal line change along a diagonal, and their rows are no multiples of one row: compare two rows of each.",
            [1, 0, 0, 1, 1, 1, 1],
        ),
    ),
    hints=(
        "A kernel can be split when all its rows are multiples of one row. A row of zeros is 0 times any row.",
        "Gaussian Blur: the rows are 1, 2 and 1 times the row 1 2 1. Sharpen: is -1 5 -1 a multiple of 0 -1 0?",
        "np.linalg.matrix_rank(kernel) is 1 for those that can be split.",
    ),
)

EXERCISES = (SUMS, RANGES, WHICH_MAP, BORDERS, PUBLISHED_NAMES, TEN_DIGITS, LOST_LABELS, MOVE, MOTION, DIAGONAL, SEPARABLE)
