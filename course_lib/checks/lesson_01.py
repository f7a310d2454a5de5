"""Lessons 0 and 1: answers that students work out with pencil and paper.

Right and wrong answers are computed here, not typed: a misconception's value is what the misconception yields.
"""

import math

import numpy as np

from ..arithmetic import conv_parameters, output_size, same_padding
from .exercise import DesignExercise, HandExercise, Misconception
from .lesson_02 import FLIPPED, SLIDING, conv2d, working

# ------------------------------------------------------------------------------------------------ what the lesson works on

STROKE = np.array([[0, 0, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]])  # the X pixels of exercise 1.1
CHECKERBOARD = (np.indices((5, 5)).sum(axis=0) + 1) % 2
CROSS = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
SIGNAL, DIFFERENCE = np.array([[1, 2, 4, 8]]), np.array([[1, 0, -1]])
IMAGE = np.array([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]])
VERTICAL_EDGES = np.array([[1, 0, -1]] * 3)
IDENTITY = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
BLUR = np.ones((3, 3)) / 9
RAMP = np.arange(1, 10).reshape(3, 3)
LAPLACIAN = np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]])
WINDOW, WEIGHTS = np.array([2, 5, 3]), np.array([1, 2, -1])  # of the warm-up

# ------------------------------------------------------------------------------------------------ slips that recur


def _turned(kernel):
    return kernel[::-1, ::-1]


def _slips(image, kernel, *slugs):
    """Slips of the sliding window, each with the answer that it gives for this image and kernel."""
    known = {slip.slug: slip for slip in SLIDING}
    return tuple(Misconception(slug, known[slug].sentence, known[slug].answer(image, kernel)) for slug in slugs)


def _mirrored(image, kernel, mode):
    """Padding by one with something else than zeros; `mode` as `numpy.pad` has it."""
    return conv2d(np.pad(image, 1, mode=mode), kernel)


SIZES_4_3 = ((7, 3), (28, 5), (32, 3), (100, 7))
SIZES_6_1 = ((28, 3, 0, 1), (28, 3, 1, 1), (28, 5, 2, 1), (28, 3, 1, 2), (32, 5, 0, 2), (224, 7, 3, 2))
LABELS_6_1 = tuple(f"input {size}, kernel {k}, padding {p}, stride {s}" for size, k, p, s in SIZES_6_1)


def _sizes(formula, rows):
    return [formula(*row) for row in rows]


def _unrounded(size, kernel, padding, stride):
    return (size + 2 * padding - kernel) / stride + 1


# ------------------------------------------------------------------------------------------------ lesson 0

WARM_UP = HandExercise(
    name="0.1",
    title="a warm-up",
    points=0,
    expected=WINDOW @ WEIGHTS,
    misconceptions=(
        Misconception(
            "weights-reversed",
            "The weights were taken from right to left. The first weight belongs to the first number.",
            WINDOW @ WEIGHTS[::-1],
        ),
        Misconception("weights-ignored", "The numbers were added up as they are. Multiply each by its weight first.", WINDOW.sum()),
        Misconception("sign-lost", "The last weight is negative: its product is taken away, not added.", WINDOW @ np.abs(WEIGHTS)),
        Misconception("mean-for-sum", "The products were averaged. Add them up and do not divide.", (WINDOW * WEIGHTS).mean()),
        Misconception("not-added", "The products are right. Now add them up: the answer is one number.", WINDOW * WEIGHTS),
    ),
    hints=(
        "Line up the two rows and multiply what stands one above the other.",
        "The three products are 2 times 1, 5 times 2, and 3 times -1.",
        "Add them up: 2 + 10 - 3.",
    ),
)

# ------------------------------------------------------------------------------------------------ 1: flattening

_ROWS, _COLUMNS = np.nonzero(STROKE)

FLAT_INDICES = HandExercise(
    name="1.1",
    title="where the stroke went",
    points=2,
    expected=np.ravel_multi_index((_ROWS, _COLUMNS), STROKE.shape),
    misconceptions=(
        Misconception(
            "counted-from-one",
            "Counted from 1. Here, as in Python, rows, columns and flat indices start at 0.",
            _ROWS * 4 + _COLUMNS + 1,
        ),
        Misconception(
            "printed-vector",
            "That is the vector as it was printed, and the print is wrong. Flatten the image yourself, row after row.",
            [2, 6, 7, 11],
        ),
        Misconception(
            "printed-vector-from-one",
            "That is the printed vector, counted from 1. The print is wrong, and here we count from 0.",
            [3, 7, 8, 12],
        ),
        Misconception(
            "printed-text",
            "That is what the printed sentence says: it counts from 1 and leaves one X out. There are four, counted from 0.",
            [3, 6, 7],
        ),
        Misconception(
            "one-missing",
            "One X is missing: there are four in the image.",
            (_ROWS * 4 + _COLUMNS)[:3],
        ),
        Misconception(
            "column-by-column",
            "Flattened column by column. NumPy goes along the rows: index = r * W + c.",
            np.sort(_COLUMNS * 4 + _ROWS),
        ),
        Misconception(
            "column-by-column-unsorted",
            "Row and column were exchanged. A row is W pixels long, so index = r * W + c.",
            _COLUMNS * 4 + _ROWS,
        ),
        Misconception(
            "row-one-too-short",
            "Each row was counted as 3 pixels long. It has 4: columns 0 to 3.",
            _ROWS * 3 + _COLUMNS,
        ),
    ),
    hints=(
        "Write the rows one after the other on one line, and number the places from 0.",
        "Pixel (r, c) lands at index r * W + c, and this image is W = 4 pixels wide.",
        "The first X is at row 0, column 2: index 0 * 4 + 2 = 2. The last one is at row 2, column 2.",
    ),
)

_PIXELS, _UNITS = 224 * 224, 256

DENSE_PARAMETERS = HandExercise(
    name="1.2",
    title="parameters of a first layer",
    points=2,
    expected=(_PIXELS * 3 + 1) * _UNITS,
    misconceptions=(
        Misconception("bias-forgotten", "The biases are missing: one for each of the 256 units.", _PIXELS * 3 * _UNITS),
        Misconception(
            "channels-forgotten",
            "A color image has three numbers for each pixel, so there are three times as many inputs.",
            (_PIXELS + 1) * _UNITS,
        ),
        Misconception("channels-and-bias-forgotten", "The three colors and the 256 biases are missing.", _PIXELS * _UNITS),
        Misconception("one-bias", "Every unit has a bias of its own: 256 of them, not one.", _PIXELS * 3 * _UNITS + 1),
        Misconception("bias-per-input", "A bias belongs to a unit, not to an input.", _PIXELS * 3 * _UNITS + _PIXELS * 3),
        Misconception("inputs-only", "That is the number of inputs. Each of them has a weight to each of the 256 units.", _PIXELS * 3),
        Misconception("sides-added", "Height and width were added. The image has 224 times 224 pixels.", ((224 + 224) * 3 + 1) * _UNITS),
    ),
    hints=(
        "How many numbers come in? Height times width times colors.",
        "Every unit has one weight for each of the 150,528 numbers that come in, and one bias.",
        "256 units, each with 150,528 + 1 parameters.",
    ),
)

# ------------------------------------------------------------------------------------------------ 3: the operation

CHECKERBOARD_MAP = HandExercise(
    name="3.1",
    title="the whole map",
    points=2,
    expected=conv2d(CHECKERBOARD, CROSS),
    explain=lambda index: working(index, CHECKERBOARD, CROSS, show_products=False),
    misconceptions=(
        *_slips(CHECKERBOARD, CROSS, "kernel-ignored", "mean-for-sum", "matrix-product", "off-by-one", "image-size-output"),
        Misconception(
            "fits-or-not",
            "These are 1 where the window looks like the kernel, 0 where it does not. The output counts the matches: add up all products.",
            conv2d(CHECKERBOARD, CROSS) / CROSS.sum(),
        ),
        Misconception(
            "padded",
            "The window was also laid over the border, on pixels that do not exist. Here it stays inside the image.",
            conv2d(CHECKERBOARD, CROSS, padding=1),
        ),
        Misconception(
            "kernel-steps",
            "The window moved on by its own width. It moves by one pixel, so neighboring windows overlap.",
            conv2d(CHECKERBOARD, CROSS, stride=3),
        ),
        Misconception(
            "inverted", "The pattern is the other way round. What did the window at (0, 0) give?", 5 - conv2d(CHECKERBOARD, CROSS)
        ),
    ),
    hints=(
        "You know the first two values of the first row already. How many windows fit beside each other in 5 columns?",
        "There are only two different windows: one with a 1 in its middle, and one with a 0 in its middle.",
        "A window with a 1 in its middle looks like the kernel itself and gives 5. In a window with a 0 in its middle no 1 meets a 1.",
    ),
)

_CORRELATED, _CONVOLVED = conv2d(SIGNAL, DIFFERENCE)[0], conv2d(SIGNAL, _turned(DIFFERENCE))[0]
_UNWEIGHTED = conv2d(SIGNAL, np.ones((1, 3)))[0]

TWO_DEFINITIONS = HandExercise(
    name="3.2",
    title="with and without the flip",
    points=2,
    expected=[_CORRELATED, _CONVOLVED],
    labels=("cross-correlation", "convolution"),
    misconceptions=(
        Misconception(
            "names-swapped", "Right numbers under the wrong names: convolution is the one that flips.", [_CONVOLVED, _CORRELATED]
        ),
        Misconception("never-flipped", "Both rows are without the flip. For the second, turn the kernel around first.", [_CORRELATED] * 2),
        Misconception("always-flipped", "Both rows are with the flip. For the first, lay the kernel on as it is.", [_CONVOLVED] * 2),
        Misconception(
            "output-reversed",
            "In the second row the results stand in the wrong order. Flip the kernel; the windows still come from left to right.",
            [_CORRELATED, _CONVOLVED[::-1]],
        ),
        Misconception("weights-ignored", "The numbers were added up without the weights.", [_UNWEIGHTED] * 2),
        Misconception(
            "middle-counted",
            "The middle weight is 0: the number under it drops out.",
            [conv2d(SIGNAL, [[1, 1, -1]])[0], conv2d(SIGNAL, [[-1, 1, 1]])[0]],
        ),
        Misconception(
            "full",
            "The kernel also hung over the ends. Here it stays inside: 4 numbers and a kernel of 3 give 2 results.",
            [np.convolve(SIGNAL[0], DIFFERENCE[0, ::-1]), np.convolve(SIGNAL[0], DIFFERENCE[0])],
        ),
    ),
    hints=(
        "Two windows fit: 1, 2, 4 and 2, 4, 8. So each row of the answer has two numbers.",
        "Without the flip the first window gives 1 * 1 + 2 * 0 + 4 * (-1).",
        "Flipped, the kernel reads -1, 0, 1. What does that do to every result?",
    ),
)

# ------------------------------------------------------------------------------------------------ 4: hand calculations

FIRST_CONVOLUTION = HandExercise(
    name="4.1",
    title="your first convolution",
    points=4,
    expected=conv2d(IMAGE, VERTICAL_EDGES),
    explain=lambda index: working(index, IMAGE, VERTICAL_EDGES, show_products=False),
    misconceptions=(
        Misconception(
            "flipped-kernel",
            f"{FLIPPED} (Taking the left column away from the right one gives the same.)",
            conv2d(IMAGE, _turned(VERTICAL_EDGES)),
        ),
        *_slips(IMAGE, VERTICAL_EDGES, "transposed-kernel", "mean-for-sum", "max-for-sum", "matrix-product"),
        *_slips(IMAGE, VERTICAL_EDGES, "kernel-ignored", "accumulator-not-reset", "image-size-output"),
        Misconception(
            "sign-lost",
            "The minus signs of the right column were lost: its three numbers are taken away.",
            conv2d(IMAGE, np.abs(VERTICAL_EDGES)),
        ),
        Misconception(
            "one-row-only",
            "Only the top row of each window was used. The kernel has three rows.",
            conv2d(IMAGE[:3], VERTICAL_EDGES[:1])[:2],
        ),
        Misconception(
            "padded",
            "The window also went over the border. Without padding only 2 x 2 windows fit.",
            conv2d(IMAGE, VERTICAL_EDGES, padding=1),
        ),
    ),
    hints=(
        "How many places are there for a 3x3 window on a 4x4 image?",
        "Lay the kernel on the top left 3x3 corner. The column of zeros drops out: left column minus right column is all that is left.",
        "Top left: (1 + 0 + 1) - (0 + 3 + 2). The other three go the same way.",
    ),
)

_FIRST = (0, 0)

IDENTITY_AT_CORNER = HandExercise(
    name="4.2A",
    title="the identity kernel, one value",
    points=1,
    expected=conv2d(IMAGE, IDENTITY)[_FIRST],
    misconceptions=(
        Misconception(
            "kernel-ignored", "The nine pixels were added up. Multiply each by its weight: eight weights are 0.", IMAGE[:3, :3].sum()
        ),
        Misconception("mean-for-sum", "The products were averaged. Add them up and do not divide.", conv2d(IMAGE, IDENTITY)[_FIRST] / 9),
        Misconception("all-zeros", "Not everything drops out: one weight is 1. Which pixel lies under it?", 0),
        Misconception("last-of-window", "That is the last pixel of the window. The 1 of the kernel lies elsewhere.", IMAGE[2, 2]),
        Misconception(
            "middle-of-image",
            "That is the average of the four pixels in the middle of the image. The kernel picks one pixel of the window.",
            IMAGE[1:3, 1:3].mean(),
        ),
        Misconception("added-on-top", "The sum of the pixels was added on top. Only products count.", IMAGE[:3, :3].sum() + IMAGE[1, 1]),
    ),
    hints=(
        "Eight of the nine products are zero whatever the pixels are.",
        "Which pixel of the window lies under the 1?",
        "The window covers rows 0 to 2 and columns 0 to 2 of the image. The 1 is in its middle, at row 1, column 1.",
    ),
)

_CORNER_SUM = IMAGE[:3, :3].sum()

BLUR_AT_CORNER = HandExercise(
    name="4.2B",
    title="the blur kernel, one value",
    points=1,
    expected=conv2d(IMAGE, BLUR)[_FIRST],
    misconceptions=(
        Misconception("ninth-forgotten", "That is the sum of the nine pixels. Every weight is 1/9, not 1.", _CORNER_SUM),
        Misconception("divided-by-eight", "Divided by 8. The pixel in the middle counts too: nine pixels.", _CORNER_SUM / 8),
        Misconception(
            "middle-left-out", "The middle pixel was left out. It has weight 1/9 as all the others.", (_CORNER_SUM - IMAGE[1, 1]) / 8
        ),
        Misconception("divided-by-three", "Divided by the side of the kernel. It has 9 weights, not 3.", _CORNER_SUM / 3),
        Misconception(
            "zeros-not-counted",
            "Divided by the number of pixels that are not 0. A pixel of 0 is a pixel.",
            _CORNER_SUM / np.count_nonzero(IMAGE[:3, :3]),
        ),
        Misconception("rounded", "Rounded too far. Give two decimals, or write the fraction.", round(_CORNER_SUM / 9)),
        Misconception("one-decimal", "Rounded too far. Give two decimals, or write the fraction.", round(_CORNER_SUM / 9, 1)),
    ),
    hints=(
        "All nine weights are the same. So add up the pixels first, and weigh them once.",
        "The nine pixels add up to 10.",
        "10 times 1/9. Python may do it for you: 10 / 9.",
    ),
)

IDENTITY_MAP = HandExercise(
    name="4.2C",
    title="the identity kernel, all values",
    points=2,
    expected=conv2d(IMAGE, IDENTITY),
    explain=lambda index: working(index, IMAGE, IDENTITY, show_products=False),
    misconceptions=(
        Misconception(
            "corner-for-middle",
            "That copies the top left pixel of each window. At (0, 0) the two happen to agree, and that is why one value is a weak test.",
            IMAGE[:2, :2],
        ),
        Misconception("last-for-middle", "That copies the bottom right pixel of each window.", IMAGE[2:, 2:]),
        Misconception("one-row-up", "Right columns, but the row above the middle.", IMAGE[:2, 1:3]),
        Misconception("one-column-left", "Right rows, but the column left of the middle.", IMAGE[1:3, :2]),
        Misconception(
            "whole-image",
            "That is the whole image. A 3x3 window has only four places here, so there are four values.",
            IMAGE,
        ),
        Misconception("transposed-output", "Rows and columns of the answer are exchanged.", conv2d(IMAGE, IDENTITY).T),
        *_slips(IMAGE, IDENTITY, "kernel-ignored", "mean-for-sum"),
    ),
    hints=(
        "For each of the four windows: which pixel lies under the 1?",
        "The windows start at (0, 0), (0, 1), (1, 0) and (1, 1). Their middles are one row and one column further.",
        "The middle of the window at (0, 1) is the pixel at row 1, column 2.",
    ),
)

OUTPUT_SIZES = HandExercise(
    name="4.3",
    title="output sizes",
    points=2,
    expected=_sizes(output_size, SIZES_4_3),
    labels=tuple(f"input {size}, kernel {kernel}" for size, kernel in SIZES_4_3),
    misconceptions=(
        Misconception(
            "off-by-one",
            "One too few everywhere. Count the starts for input 7, kernel 3: they are 0, 1, 2, 3 and 4.",
            _sizes(lambda n, k: n - k, SIZES_4_3),
        ),
        Misconception(
            "size-kept",
            "The output got the input's size. Without padding the window cannot start in the last rows.",
            _sizes(lambda n, k: n, SIZES_4_3),
        ),
        Misconception(
            "kernel-added",
            "Larger than the input: the kernel's size takes away, it does not add.",
            _sizes(lambda n, k: n + k - 1, SIZES_4_3),
        ),
        Misconception(
            "side-by-side",
            "As many windows as fit beside each other without overlap. With stride 1 they overlap.",
            _sizes(lambda n, k: n // k, SIZES_4_3),
        ),
        Misconception(
            "always-minus-two",
            "Minus 2 is right for a kernel of 3 only. Larger kernels take more away.",
            _sizes(lambda n, k: n - 2, SIZES_4_3),
        ),
        Misconception(
            "half-a-kernel",
            "Half a kernel was taken away. It is lost on both sides.",
            _sizes(lambda n, k: n - k // 2, SIZES_4_3),
        ),
        Misconception(
            "area",
            "Those are the numbers of values in the output. The question is its side.",
            _sizes(lambda n, k: (n - k + 1) ** 2, SIZES_4_3),
        ),
    ),
    hints=(
        "Where does the last window start, and how many starts are there if the first is 0?",
        "A window of k pixels that ends at the last pixel, n - 1, starts at n - k.",
        "The starts are 0, 1, ..., n - k. That is n - k + 1 of them: for 7 and 3 it is 7 - 3 + 1.",
    ),
)

SCIPY_RESULT = HandExercise(
    name="4.4",
    title="the same with the flip",
    points=2,
    expected=conv2d(IMAGE, _turned(VERTICAL_EDGES)),
    misconceptions=(  # no window is drawn with it: the kernel over it would be the turned one, which is the exercise
        Misconception(
            "not-flipped",
            "That is the result of 4.1, without a flip; or the kernel was turned upside down only, which leaves this one as it is.",
            conv2d(IMAGE, VERTICAL_EDGES),
        ),
        Misconception(
            "transposed-kernel",
            "The kernel's rows were made its columns. A flip turns it by half a turn, and columns stay columns.",
            conv2d(IMAGE, VERTICAL_EDGES.T),
        ),
        Misconception(
            "quarter-turn",
            "The kernel was turned by a quarter turn. A flip in both directions is half a turn.",
            conv2d(IMAGE, np.rot90(VERTICAL_EDGES)),
        ),
        Misconception(
            "full-mode",
            'That is mode="full", where the kernel may hang over the border. With mode="valid" it stays inside.',
            conv2d(IMAGE, _turned(VERTICAL_EDGES), padding=2),
        ),
        Misconception(
            "same-mode",
            'That is mode="same", padded to the size of the image. With mode="valid" the window stays inside.',
            conv2d(IMAGE, _turned(VERTICAL_EDGES), padding=1),
        ),
        Misconception(
            "output-flipped-too",
            "The answer has another order. The flip turns the kernel, and the windows stay where they are.",
            conv2d(IMAGE, _turned(VERTICAL_EDGES))[:, ::-1],
        ),
    ),
    hints=(
        "Turn the kernel upside down and left to right. What does it look like?",
        "Compare each weight with the weight that stood there before. What happened to all of them?",
        "Every weight changed its sign. So what happens to every sum?",
    ),
)

# ------------------------------------------------------------------------------------------------ 5: the layer

_FILTERS, _SIDE, _KERNEL = 16, 28, 5
_OUT = output_size(_SIDE, _KERNEL)
_LAYER_OUTPUTS = _FILTERS * _OUT * _OUT

CONV_PARAMETER_COUNT = HandExercise(
    name="5.1",
    title="parameters of a convolutional layer",
    points=2,
    expected=conv_parameters(1, _FILTERS, _KERNEL, _KERNEL),
    misconceptions=(
        Misconception(
            "bias-forgotten", "The biases are missing: one for each filter.", conv_parameters(1, _FILTERS, _KERNEL, _KERNEL, bias=False)
        ),
        Misconception("one-bias", "Each of the 16 filters has a bias of its own.", _FILTERS * _KERNEL**2 + 1),
        Misconception("kernel-only", "That is the number of weights in one filter. There are 16 filters, each with a bias.", _KERNEL**2),
        Misconception("one-filter", "That is one filter with its bias. There are 16.", _KERNEL**2 + 1),
        Misconception("side-for-area", "A 5x5 filter has 25 weights, not 5.", _FILTERS * (_KERNEL + 1)),
        Misconception(
            "fully-connected",
            "That is a fully connected layer with 16 outputs. In a convolution the image's size plays no part.",
            (_SIDE**2 + 1) * _FILTERS,
        ),
        Misconception("outputs-counted", "That is the number of output values, not of parameters.", _LAYER_OUTPUTS),
        Misconception(
            "weights-per-place",
            "Weights were counted anew for every place. The same filter is used at all of them.",
            _FILTERS * (_KERNEL**2 + 1) * _OUT**2,
        ),
    ),
    hints=(
        "What does one filter consist of?",
        "One filter has 5 * 5 weights and one bias.",
        "16 filters with 25 + 1 parameters each.",
    ),
)

COLOR_PARAMETER_COUNT = HandExercise(
    name="5.1b",
    title="the same layer on a color image",
    points=1,
    expected=conv_parameters(3, _FILTERS, _KERNEL, _KERNEL),
    misconceptions=(
        Misconception(
            "channels-forgotten",
            "That is the layer for one channel. On a color image each filter has 5 * 5 weights for each of the three channels.",
            conv_parameters(1, _FILTERS, _KERNEL, _KERNEL),
        ),
        Misconception(
            "bias-forgotten", "The biases are missing: one for each filter.", conv_parameters(3, _FILTERS, _KERNEL, _KERNEL, bias=False)
        ),
        Misconception(
            "bias-per-channel",
            "A bias was counted for every channel of a filter. It is added once, after the channels have been added up.",
            _FILTERS * 3 * (_KERNEL**2 + 1),
        ),
        Misconception("channels-added", "The channels multiply the weights: 3 * 25, not 3 + 25.", _FILTERS * (3 + _KERNEL**2 + 1)),
        Misconception("one-filter", "That is one filter with its bias. There are 16.", 3 * _KERNEL**2 + 1),
        Misconception("one-bias", "Each of the 16 filters has a bias of its own.", _FILTERS * 3 * _KERNEL**2 + 1),
    ),
    hints=(
        "One filter now reaches through all three channels. How many weights is that?",
        "3 * 5 * 5 weights, and still one bias for the filter.",
        "16 filters with 75 + 1 parameters each.",
    ),
)

LAYER_SHAPE = HandExercise(
    name="5.2",
    title="shape of the output",
    points=1,
    expected=(_FILTERS, _OUT, _OUT),
    misconceptions=(
        Misconception(
            "channels-last", "Right numbers, but here the channels come first: (channels, height, width).", (_OUT, _OUT, _FILTERS)
        ),
        Misconception("size-kept", "Without padding the maps are smaller than the image.", (_FILTERS, _SIDE, _SIDE)),
        Misconception("off-by-one", "One too small: n - k + 1.", (_FILTERS, _SIDE - _KERNEL, _SIDE - _KERNEL)),
        Misconception("one-map", "There are 16 filters, and each makes a map of its own.", (1, _OUT, _OUT)),
        Misconception("maps-forgotten", "That is one map. There are 16 of them, and their number is part of the shape.", (_OUT, _OUT)),
        Misconception(
            "batch-axis", "Right for a batch of one image. The question is one image, without the batch axis.", (1, _FILTERS, _OUT, _OUT)
        ),
        Misconception("shape-of-weights", "That is the shape of the weights, not of the output.", (_FILTERS, _KERNEL, _KERNEL)),
    ),
    hints=(
        "How large is one feature map? Exercise 4.3 had this very case.",
        "One map for each filter, stacked with the filter's number first.",
        "(number of filters, 28 - 5 + 1, 28 - 5 + 1).",
    ),
)

EQUIVALENT_DENSE = HandExercise(
    name="5.3",
    title="an honest comparison",
    points=2,
    expected=(_SIDE**2 + 1) * _LAYER_OUTPUTS,
    misconceptions=(
        Misconception(
            "sixteen-outputs",
            "That layer gives 16 numbers. The convolution gives 16 whole maps, so the two are not equivalent.",
            (_SIDE**2 + 1) * _FILTERS,
        ),
        Misconception("bias-forgotten", "The biases are missing: one for each output.", _SIDE**2 * _LAYER_OUTPUTS),
        Misconception("one-map", "That gives one map. The convolution gives 16.", (_SIDE**2 + 1) * _OUT**2),
        Misconception(
            "outputs-of-image-size",
            "Those outputs are as large as the image. Without padding each map is smaller: see 5.2.",
            (_SIDE**2 + 1) * _FILTERS * _SIDE**2,
        ),
        Misconception("one-bias", "Every output has a bias of its own.", _SIDE**2 * _LAYER_OUTPUTS + 1),
        Misconception("outputs-counted", "That is the number of outputs. Each of them sees all 784 pixels.", _LAYER_OUTPUTS),
        Misconception("convolution-counted", "That is the convolution itself.", conv_parameters(1, _FILTERS, _KERNEL, _KERNEL)),
    ),
    hints=(
        "Equivalent means: the same number of inputs and the same number of outputs. How many outputs does the convolution have?",
        "16 maps of 24 * 24 values: 9,216 outputs.",
        "Each of the 9,216 outputs has 784 weights and one bias.",
    ),
)

_INPUTS, _TAPS = 7, 3
_MATRIX_ROWS = output_size(_INPUTS, _TAPS)

AS_A_MATRIX = HandExercise(
    name="5.4",
    title="the layer as a matrix",
    points=2,
    expected=(_MATRIX_ROWS, _INPUTS, _MATRIX_ROWS * _TAPS, _TAPS),
    labels=("rows", "columns", "entries with a weight", "different weights"),
    misconceptions=(
        Misconception(
            "transposed",
            "Rows and columns are exchanged. The matrix stands left of the input: one row for each output, one column for each input.",
            (_INPUTS, _MATRIX_ROWS, _MATRIX_ROWS * _TAPS, _TAPS),
        ),
        Misconception(
            "fully-connected",
            "That is the fully connected layer: every entry used, and all different.",
            (_MATRIX_ROWS, _INPUTS, _MATRIX_ROWS * _INPUTS, _MATRIX_ROWS * _INPUTS),
        ),
        Misconception(
            "weights-not-shared",
            "Each row has its own three weights here. In a convolution all rows hold the same three.",
            (_MATRIX_ROWS, _INPUTS, _MATRIX_ROWS * _TAPS, _MATRIX_ROWS * _TAPS),
        ),
        Misconception(
            "size-kept",
            "As many outputs as inputs need padding. Without it the kernel has fewer places.",
            (_INPUTS, _INPUTS, _INPUTS * _TAPS - 2, _TAPS),
        ),
        Misconception(
            "off-by-one",
            "One output is missing: n - k + 1.",
            (_MATRIX_ROWS - 1, _INPUTS, (_MATRIX_ROWS - 1) * _TAPS, _TAPS),
        ),
        Misconception(
            "zero-counted",
            "The zeros between the weights are not weights: nothing learns them.",
            (_MATRIX_ROWS, _INPUTS, _MATRIX_ROWS * _TAPS, _TAPS + 1),
        ),
    ),
    hints=(
        "One row for each output, one column for each input. How many places does a kernel of 3 have on 7 inputs?",
        "Each row holds the whole kernel once, and zeros elsewhere.",
        "Five rows with three weights each; and every row holds the same three.",
    ),
)

# ------------------------------------------------------------------------------------------------ 6: padding and stride

GENERAL_SIZES = HandExercise(
    name="6.1",
    title="sizes with padding and stride",
    points=3,
    expected=_sizes(output_size, SIZES_6_1),
    labels=LABELS_6_1,
    misconceptions=(
        Misconception(
            "padding-forgotten",
            "The padding was left out. It adds p pixels on both sides.",
            [output_size(n, k, 0, s) for n, k, p, s in SIZES_6_1],
        ),
        Misconception(
            "padding-once",
            "The padding was added once. It is on both sides: 2p.",
            _sizes(lambda n, k, p, s: (n + p - k) // s + 1, SIZES_6_1),
        ),
        Misconception("stride-forgotten", "The stride was left out: divide by s.", [output_size(n, k, p) for n, k, p, s in SIZES_6_1]),
        Misconception("off-by-one", "The + 1 at the end is missing.", _sizes(lambda n, k, p, s: (n + 2 * p - k) // s, SIZES_6_1)),
        Misconception(
            "rounded-up",
            "Rounded up. A window that does not fit entirely is not used: round down.",
            _sizes(lambda n, k, p, s: math.ceil(_unrounded(n, k, p, s)), SIZES_6_1),
        ),
        Misconception(
            "not-rounded",
            "A size is a whole number: round down.",
            _sizes(_unrounded, SIZES_6_1),
        ),
        Misconception(
            "divided-too-early",
            "The stride divided the input's size only. Take the kernel away first: (n + 2p - k) / s.",
            _sizes(lambda n, k, p, s: (n + 2 * p) // s - k + 1, SIZES_6_1),
        ),
    ),
    hints=(
        "Padded, the input is n + 2p pixels long. Take the kernel away, divide by the stride, round down, add 1.",
        "Fourth row: 28 + 2 - 3 = 27. Half of it is 13.5; rounded down 13; and 1 more.",
        "The last two rows: (32 - 5) / 2 = 13.5 and (224 + 6 - 7) / 2 = 111.5. Round down, add 1.",
    ),
)

BEFORE_ROUNDING = HandExercise(
    name="6.1b",
    title="which rows need the floor",
    points=2,
    expected=_sizes(_unrounded, SIZES_6_1),
    labels=LABELS_6_1,
    misconceptions=(
        Misconception(
            "already-rounded",
            "Those are the rounded sizes, and that is what the print says. Work out the fraction and leave it as it is.",
            _sizes(output_size, SIZES_6_1),
        ),
        Misconception(
            "rounded-up", "Those are rounded up. Leave the fraction as it is.", _sizes(lambda *row: math.ceil(_unrounded(*row)), SIZES_6_1)
        ),
        Misconception("off-by-one", "The + 1 at the end is missing.", _sizes(lambda *row: _unrounded(*row) - 1, SIZES_6_1)),
        Misconception("padding-forgotten", "The padding was left out.", [_unrounded(n, k, 0, s) for n, k, p, s in SIZES_6_1]),
        Misconception(
            "padding-once",
            "The padding was added once. It is on both sides: 2p.",
            _sizes(lambda n, k, p, s: (n + p - k) / s + 1, SIZES_6_1),
        ),
    ),
    hints=(
        "Same formula as in 6.1, without rounding. With stride 1 nothing changes.",
        "Fourth row: 27 / 2 + 1.",
        "The last three rows end in .5.",
    ),
)

_FROM, _TO = 32, 16


def _judge_design(value):
    k, p, s = value
    if not all(number == round(number) for number in value):
        return "Kernel, padding and stride are whole numbers."
    if k < 1 or s < 1 or p < 0:
        return "The kernel and the stride are at least 1, and the padding at least 0."
    if k > _FROM + 2 * p:
        return f"A kernel of {k:.0f} does not fit: padded, the input has {_FROM + 2 * p:.0f} pixels."
    size = output_size(_FROM, int(k), int(p), int(s))
    return None if size == _TO else f"That gives {size} x {size}; wanted is {_TO} x {_TO}."


def _would_fit(formula):
    """A predicate: does this wrong size formula call a design right?"""

    def fits(value):
        k, p, s = value
        possible = all(number == round(number) for number in value) and k >= 1 and p >= 0 and s >= 1
        return possible and formula(k, p, s) == _TO

    return fits


DESIGN = DesignExercise(
    name="6.2",
    title="from 32 to 16",
    points=2,
    shape=(3,),
    judge_value=_judge_design,
    misconceptions=(
        Misconception(
            "wrong-order",
            "In another order it would do. The answer is (kernel, padding, stride), in this order.",
            lambda value: any(
                _judge_design(value[list(order)]) is None for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1))
            ),
        ),
        Misconception(
            "off-by-one",
            "It would do if the size were (n + 2p - k) / s. Do not forget the + 1.",
            _would_fit(lambda k, p, s: (_FROM + 2 * p - k) // s),
        ),
        Misconception(
            "padding-once",
            "It would do if the padding were added on one side only. It is on both: 2p.",
            _would_fit(lambda k, p, s: (_FROM + p - k) // s + 1),
        ),
        Misconception(
            "rounded-up",
            "It would do if the size were rounded up. It is rounded down.",
            _would_fit(lambda k, p, s: math.ceil((_FROM + 2 * p - k) / s) + 1),
        ),
        Misconception(
            "padding-forgotten",
            "It would do without the padding. The padding makes the input longer.",
            _would_fit(lambda k, p, s: (_FROM - k) // s + 1),
        ),
    ),
    hints=(
        "Half the size: which stride does most of the work?",
        "With stride 2 the floor of (32 + 2p - k) / 2 must be 15. So 32 + 2p - k is 30 or 31.",
        "Take p = 0: then 32 - k must be 30 or 31. Or take p = 1 and look for k again.",
    ),
)

_FITTING = sorted({k - 2 * p for k in range(1, 33) for p in range(k) if k <= _FROM + 2 * p and output_size(_FROM, k, p, 2) == _TO})

ALL_DESIGNS = HandExercise(
    name="6.2b",
    title="what the print left out",
    points=1,
    expected=_FITTING,
    misconceptions=(
        Misconception("floor-dropped", "That is what the print has. It dropped the floor, and lost the case k = 3, p = 1.", [2]),
        Misconception("only-the-odd", "Only half of it: k = 2 with p = 0 fits as well. What is k - 2p there?", [1]),
        Misconception("zero-included", "k - 2p = 0 makes the padded input too long: (32 + 0) / 2 + 1 = 17.", [0, 1, 2]),
        Misconception("too-low", "k - 2p = 0 gives 17, so it does not fit. Try k = 2, p = 0 instead.", [0, 1]),
        Misconception("too-high", "k - 2p = 3 gives (32 - 3) // 2 + 1 = 15. Try k = 3, p = 1 instead.", [2, 3]),
        Misconception("three-included", "k - 2p = 3 gives (32 - 3) // 2 + 1 = 15.", [1, 2, 3]),
        Misconception("other-order", "Both are right. Please give the smaller one first.", _FITTING[::-1]),
        Misconception("numerators", "Those are the values of 32 + 2p - k. The question is k - 2p.", [30, 31]),
    ),
    hints=(
        "floor(x / 2) = 15 holds for two whole numbers x. Which?",
        "32 + 2p - k = 30 or 31.",
        "Move 32 to the other side: k - 2p = 32 - 30 or 32 - 31.",
    ),
)

PADDED_LAPLACIAN = HandExercise(
    name="6.3",
    title="a convolution with padding",
    points=3,
    expected=conv2d(RAMP, LAPLACIAN, padding=1),
    explain=lambda index: working(index, RAMP, LAPLACIAN, padding=1, show_products=False),
    misconceptions=(
        Misconception(
            "sign-changed",
            "All signs are the other way round. The 4 in the middle is positive, and the neighbors are taken away.",
            conv2d(RAMP, -LAPLACIAN, padding=1),
        ),
        Misconception("not-padded", "Without padding one window fits. With padding 1 there are 3 x 3.", conv2d(RAMP, LAPLACIAN)),
        Misconception(
            "border-repeated", "The border pixels were repeated outside. Here zeros lie outside.", _mirrored(RAMP, LAPLACIAN, "edge")
        ),
        Misconception("mirrored", "The image was mirrored at its border. Here zeros lie outside.", _mirrored(RAMP, LAPLACIAN, "reflect")),
        Misconception(
            "wrapped-around", "The image was continued from its other side. Here zeros lie outside.", _mirrored(RAMP, LAPLACIAN, "wrap")
        ),
        Misconception(
            "middle-left-out",
            "The middle pixel is missing: it counts four times.",
            conv2d(RAMP, LAPLACIAN - 4 * IDENTITY, padding=1),
        ),
        Misconception(
            "neighbors-left-out", "The four neighbors are missing: each is taken away once.", conv2d(RAMP, 4 * IDENTITY, padding=1)
        ),
        Misconception(
            "neighbors-added",
            "The neighbors were added. Their weight is -1: they are taken away.",
            conv2d(RAMP, np.abs(LAPLACIAN), padding=1),
        ),
        Misconception(
            "middle-once",
            "The middle pixel was counted once. Its weight is 4.",
            conv2d(RAMP, LAPLACIAN - 3 * IDENTITY, padding=1),
        ),
        Misconception(
            "diagonals-too",
            "The diagonal neighbors were taken away too. Their weight is 0.",
            conv2d(RAMP, LAPLACIAN - np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]), padding=1),
        ),
    ),
    hints=(
        "Only five weights are not zero. Each value is 4 times a pixel, minus its neighbors above, below, left and right.",
        "Neighbors outside the image are 0. In the corners two are outside, at the edges one.",
        "Top left: 4 * 1 - 2 - 4. Middle: 4 * 5 - 2 - 4 - 6 - 8.",
    ),
)

REPEATED_BORDER = HandExercise(
    name="6.3b",
    title="the same without the zeros",
    points=2,
    expected=_mirrored(RAMP, LAPLACIAN, "edge"),
    explain=lambda index: working(index, np.pad(RAMP, 1, mode="edge"), LAPLACIAN, show_products=False),
    misconceptions=(
        Misconception(
            "zeros-outside", "That is the result of 6.3. Now the border pixels are repeated outside.", conv2d(RAMP, LAPLACIAN, padding=1)
        ),
        Misconception(
            "mirrored",
            "The image was mirrored at its border, so that a pixel's inner neighbor came again. Repeat the border pixel itself.",
            _mirrored(RAMP, LAPLACIAN, "reflect"),
        ),
        Misconception(
            "wrapped-around", "The image was continued from its other side. Repeat the border pixel.", _mirrored(RAMP, LAPLACIAN, "wrap")
        ),
        Misconception(
            "sign-changed",
            "All signs are the other way round: 4 times the middle, minus the neighbors.",
            _mirrored(RAMP, -LAPLACIAN, "edge"),
        ),
        Misconception("not-padded", "Without padding one window fits. Here there are 3 x 3.", conv2d(RAMP, LAPLACIAN)),
        Misconception(
            "neighbors-added",
            "The neighbors were added. Their weight is -1: they are taken away.",
            _mirrored(RAMP, np.abs(LAPLACIAN), "edge"),
        ),
    ),
    hints=(
        "Write the 5x5 padded image first: each border pixel comes once more outside.",
        "Only the windows at the border change. A pixel that repeats itself takes one of the four away.",
        "Top left: 4 * 1 - 1 - 1 - 2 - 4, because above and left of the corner lies the corner's own value.",
    ),
)


def _counts(size, kernel, padding):
    """How many windows see each pixel of a square image: every window adds one to what it covers."""
    windows = output_size(size, kernel, padding)
    counts = conv2d(np.ones((windows, windows)), np.ones((kernel, kernel)), padding=kernel - 1)
    return counts[padding : padding + size, padding : padding + size].astype(int)


def _three_places(counts):
    return [counts[0, 0], counts[0, 2], counts[2, 2]]


_EVEN_FROM = next(p for p in range(5) if np.ptp(_counts(5, 3, p)) == 0)

COVERAGE = HandExercise(
    name="6.4",
    title="who sees the border",
    points=2,
    expected=[*_three_places(_counts(5, 3, 1)), _EVEN_FROM],
    labels=("corner", "middle of an edge", "center", "smallest padding"),
    misconceptions=(
        Misconception("not-padded", "Those are the counts without padding.", [*_three_places(_counts(5, 3, 0)), _EVEN_FROM]),
        Misconception(
            "padding-mends-all",
            "Padding 1 keeps the size, but it does not make the border as well seen as the center. Count the windows over the corner.",
            [*_three_places(_counts(5, 3, 2)), 1],
        ),
        Misconception(
            "one-is-enough", "The counts are right. They differ, so padding 1 is not enough.", [*_three_places(_counts(5, 3, 1)), 1]
        ),
        Misconception("whole-kernel", "The counts are right. Less than 3 is enough.", [*_three_places(_counts(5, 3, 1)), 3]),
        Misconception(
            "edge-as-corner", "At an edge a window can slide along: it has more places than at the corner.", [4, 4, 9, _EVEN_FROM]
        ),
        Misconception("all-windows", "That is the number of all windows. How many of them cover the pixel?", [25, 25, 25, _EVEN_FROM]),
    ),
    hints=(
        "Rows and columns can be counted apart, and multiplied. In how many places can a window of 3 lie so that it covers row 0?",
        "With padding 1 the windows may start at -1, 0, 1, 2 and 3. Row 0 is covered by those that start at -1 and 0. And row 2?",
        "Corner: 2 * 2. Middle of an edge: 2 * 3. For the last question: the window must be able to start at -2.",
    ),
)

_EVEN, _WIDE = 4, 10

EVEN_KERNEL = HandExercise(
    name="6.5",
    title="same padding for an even kernel",
    points=1,
    expected=[output_size(_WIDE, _EVEN, (_EVEN - 1) // 2), output_size(_WIDE, _EVEN, _EVEN // 2), sum(same_padding(_EVEN))],
    labels=("size with p = 1", "size with p = 2", "zeros needed in all"),
    misconceptions=(
        Misconception("both-keep-the-size", "Work both out: neither gives 10.", [_WIDE, _WIDE, sum(same_padding(_EVEN))]),
        Misconception(
            "exchanged",
            "The two sizes are exchanged: more padding makes the output larger.",
            [output_size(_WIDE, _EVEN, 2), output_size(_WIDE, _EVEN, 1), sum(same_padding(_EVEN))],
        ),
        Misconception("four-zeros", "Four zeros are p = 2 on both sides, and that gives 11: one too many.", [9, 11, 4]),
        Misconception("two-zeros", "Two zeros are p = 1 on both sides, and that gives 9: one too few.", [9, 11, 2]),
        Misconception("off-by-one", "The + 1 at the end is missing.", [8, 10, 3]),
        Misconception("padding-once", "The padding is on both sides: 2p.", [_WIDE + 1 - _EVEN + 1, _WIDE + 2 - _EVEN + 1, 3]),
        Misconception(
            "padding-per-side", "Sizes right. Half a zero does not exist: how many are needed on the two sides together?", [9, 11, 1.5]
        ),
    ),
    hints=(
        "Use the formula of 6.1 twice, with H = 10, k = 4, s = 1.",
        "10 + 2 - 4 + 1 and 10 + 4 - 4 + 1.",
        "Without padding 4 - 1 pixels are lost. So many zeros are needed, left and right together.",
    ),
)


def _starts(rows, columns):
    return [[r, c] for r in rows for c in columns]


_DOWN, _ACROSS = (range(0, size - 3 + 1, 2) for size in (5, 6))

STARTS = HandExercise(
    name="6.6",
    title="where windows start",
    points=1,
    expected=_starts(_DOWN, _ACROSS),
    labels=("first window", "second window", "third window", "fourth window"),
    misconceptions=(
        Misconception(
            "printed", "That is what the print has: row 3 is three rows further. With stride 2 it is two.", _starts((0, 3), (0, 2))
        ),
        Misconception("kernel-steps", "The window moved on by its own width. It moves by the stride, 2.", _starts((0, 3), (0, 3))),
        Misconception("stride-one", "Those are the first windows with stride 1.", _starts((0, 1), (0, 1))),
        Misconception("counted-from-one", "Counted from 1. Rows and columns start at 0.", _starts((1, 3), (1, 3))),
        Misconception(
            "down-first", "Right places. In reading order the second window lies right of the first.", [[0, 0], [2, 0], [0, 2], [2, 2]]
        ),
        Misconception(
            "last-column-reached",
            "A window that starts at column 3 would reach the last column, but with stride 2 it starts at 0, 2, 4, ...",
            _starts((0, 2), (0, 3)),
        ),
        Misconception("half-outside", "A window at column 4 covers columns 4, 5 and 6: the image ends at 5.", _starts((0, 2), (0, 2, 4))),
    ),
    hints=(
        "Rows and columns go separately. Which rows can a window of 3 start at, in steps of 2, in 5 rows?",
        "Rows 0 and 2. Columns: 0 and 2; 4 would reach beyond column 5.",
        "In reading order: both windows that start at row 0, then both that start at row 2.",
    ),
)

EXERCISES = (
    WARM_UP,
    FLAT_INDICES,
    DENSE_PARAMETERS,
    CHECKERBOARD_MAP,
    TWO_DEFINITIONS,
    FIRST_CONVOLUTION,
    IDENTITY_AT_CORNER,
    BLUR_AT_CORNER,
    IDENTITY_MAP,
    OUTPUT_SIZES,
    SCIPY_RESULT,
    CONV_PARAMETER_COUNT,
    COLOR_PARAMETER_COUNT,
    LAYER_SHAPE,
    EQUIVALENT_DENSE,
    AS_A_MATRIX,
    GENERAL_SIZES,
    BEFORE_ROUNDING,
    DESIGN,
    ALL_DESIGNS,
    PADDED_LAPLACIAN,
    REPEATED_BORDER,
    COVERAGE,
    EVEN_KERNEL,
    STARTS,
)
