"""Lesson 8: patches of an image, convolutions of other kinds, networks counted, and the errata hunt.

The numbers of published texts are quoted; what they should be is computed here.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from .. import arithmetic
from .exercise import Case, CodeExercise, HandExercise, Misconception, is_close


@dataclass(frozen=True, kw_only=True)
class TableExercise(HandExercise):
    """Several questions in one answer, where a slip in one of them is named whatever the others are.

    A misconception's answer differs from the right one at some labels. It is named when the student's answer is the same at all of these.
    """

    def judge(self, answer, seed=None):
        verdict = super().judge(answer, seed)
        if verdict.passed or verdict.misconception or not isinstance(answer, (list, tuple, np.ndarray)) or len(answer) != len(self.labels):
            return verdict
        found = [slip for slip in self.misconceptions if self._made(slip, answer)]
        if not found:
            return verdict
        told = dict.fromkeys(slip.sentence for slip in found)  # each says which question it is about
        return replace(verdict, misconception=found[0].slug, sentence="\n".join(told))

    def _made(self, slip, answer):
        different = [i for i, (one, other) in enumerate(zip(slip.answer, self.expected, strict=True)) if one != other]
        return all(
            isinstance(answer[i], (int, float, np.number)) and is_close(answer[i], slip.answer[i], self._tolerance(slip.answer[i]))
            for i in different
        )


# ------------------------------------------------------------------------------------------------ L8.1: other ways to slide

_DILATIONS = (1, 2, 4, 8)
_SIZE = arithmetic.output_size(7, 3, dilation=2)
_FIELD = arithmetic.receptive_field([(3, 1, dilation) for dilation in _DILATIONS])
_WEIGHTS = len(_DILATIONS) * 9
_SEPARATED = 7 + 7

OTHER_WAYS = TableExercise(
    name="L8.1",
    title="taps apart, and kernels taken apart",
    points=2,
    expected=(_SIZE, _FIELD, _WEIGHTS, _SEPARATED),
    labels=("outputs", "receptive field", "weights of the four layers", "products, taken apart"),
    misconceptions=(
        Misconception(
            "dilation-forgotten",
            "Questions 1 and 2: these are right for kernels without dilation. Spread taps cover more pixels: d (k - 1) + 1 of them.",
            (arithmetic.output_size(7, 3), arithmetic.receptive_field([(3, 1, 1)] * 4), _WEIGHTS, _SEPARATED),
        ),
        Misconception(
            "gaps-count-as-weights",
            "Question 3: what lies between the taps has no weights. Each of the kernels has nine, however far apart they are.",
            (_SIZE, _FIELD, sum((2 * d + 1) ** 2 for d in _DILATIONS), _SEPARATED),
        ),
        Misconception(
            "fields-added",
            "Question 2: those are the widths of the four kernels, added. Each layer adds what its kernel covers less one, because its "
            "middle tap was there before.",
            (_SIZE, sum(2 * d + 1 for d in _DILATIONS), _WEIGHTS, _SEPARATED),
        ),
        Misconception(
            "first-pixel-forgotten",
            "Question 2: that is what the layers add. To what? Before the first layer, an output would see one pixel: itself.",
            (_SIZE, _FIELD - 1, _WEIGHTS, _SEPARATED),
        ),
        Misconception(
            "last-layer-only",
            "Question 2: that is what the last kernel covers of the map below it. Each cell of that map already sees several pixels.",
            (_SIZE, 2 * 8 + 1, _WEIGHTS, _SEPARATED),
        ),
        Misconception(
            "d-times-k",
            "Question 1: three taps have two gaps between them, not three. They cover d (k - 1) + 1 pixels.",
            (7 - 2 * 3 + 1, _FIELD, _WEIGHTS, _SEPARATED),
        ),
        Misconception(
            "still-square",
            "Question 4: that is what the whole 7x7 kernel needs. The column has seven weights, and so has the row.",
            (_SIZE, _FIELD, _WEIGHTS, 49),
        ),
    ),
    hints=(
        "Taps that lie d apart: k of them cover d (k - 1) + 1 pixels. Put that in the place of k.",
        "For the receptive field begin with 1. Each layer adds d (k - 1).",
        "7 - 5 + 1. Then 1 + 2 + 4 + 8 + 16. The gaps have no weights. The last: a column of seven, then a row of seven.",
    ),
)

# ------------------------------------------------------------------------------------------------ image_to_patches


def image_to_patches(image, patch_size=16):
    """The right answer: (H, W, C) -> (number of patches, patch_size * patch_size * C), in reading order."""
    image = np.asarray(image)
    height, width, channels = image.shape
    grid = image.reshape(height // patch_size, patch_size, width // patch_size, patch_size, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(-1, patch_size * patch_size * channels)


def _boxes(image, patch_size):
    """The patches as boxes: (rows of patches, columns of patches, patch_size, patch_size, C)."""
    height, width, channels = np.shape(image)
    flat = image_to_patches(image, patch_size)
    return flat.reshape(height // patch_size, width // patch_size, patch_size, patch_size, channels)


def _flat(boxes):
    return boxes.reshape(boxes.shape[0] * boxes.shape[1], -1)


def _overlapping(image, patch_size=16):
    image = np.asarray(image)
    windows = np.lib.stride_tricks.sliding_window_view(image, (patch_size, patch_size), axis=(0, 1))
    return _flat(windows.transpose(0, 1, 3, 4, 2))


def _every_nth_pixel(image, patch_size=16):
    return np.array([np.asarray(image)[i::patch_size, j::patch_size].ravel() for i in range(patch_size) for j in range(patch_size)])


def _height_twice(image, patch_size=16):
    height, patches = len(image), []
    for i in range(0, height, patch_size):
        patches += [np.asarray(image)[i : i + patch_size, j : j + patch_size].ravel() for j in range(0, height, patch_size)]
    return np.array(patches)


def _first_only(image, patch_size=16):
    return image_to_patches(image, patch_size)[0]


def _first_row_only(image, patch_size=16):
    return image_to_patches(np.asarray(image)[:patch_size], patch_size)


PATCH_SLIPS = (
    Misconception(
        "plain-reshape",
        "reshape alone cuts the image's memory into equal lengths. Those are pieces of rows, not squares: pixels below each other end up "
        "in different pieces.",
        lambda image, patch_size=16: np.asarray(image).reshape(-1, patch_size * patch_size * np.shape(image)[2]),
    ),
    Misconception(
        "down-first",
        "The patches are right, but they come column by column. Go along the first row of patches, then the next, as one reads.",
        lambda image, patch_size=16: _flat(_boxes(image, patch_size).swapaxes(0, 1)),
    ),
    Misconception(
        "channels-first",
        "Within a patch, all of the first channel comes before the second. Wanted is pixel by pixel: the channels of a pixel stand side "
        "by side, as they do in the image. (F.unfold of PyTorch has your order.)",
        lambda image, patch_size=16: _flat(_boxes(image, patch_size).transpose(0, 1, 4, 2, 3)),
    ),
    Misconception(
        "columns-first-within",
        "Within a patch, the pixels come column by column. Wanted is row by row.",
        lambda image, patch_size=16: _flat(_boxes(image, patch_size).swapaxes(2, 3)),
    ),
    Misconception(
        "overlapping",
        "The window moved by one pixel, so the patches overlap. Here each pixel belongs to one patch: move by the patch's own size.",
        _overlapping,
    ),
    Misconception(
        "not-flattened",
        "The patches are right, but still boxes. Flatten each of them into one row.",
        lambda image, patch_size=16: _boxes(image, patch_size).reshape(-1, patch_size, patch_size, np.shape(image)[2]),
    ),
    Misconception(
        "grid-kept",
        "The rows are right, but they still stand in a grid. A transformer takes one list of patches: (number of patches, length).",
        lambda image, patch_size=16: image_to_patches(image, patch_size).reshape(*_boxes(image, patch_size).shape[:2], -1),
    ),
    Misconception(
        "patches-as-columns",
        "Each patch is a column. Here each patch is a row.",
        lambda image, patch_size=16: image_to_patches(image, patch_size).T,
    ),
    Misconception(
        "every-nth-pixel",
        "image[i::p, j::p] takes pixels that lie p apart. A patch is a square of neighbors: image[i : i + p, j : j + p].",
        _every_nth_pixel,
    ),
    Misconception(
        "height-twice",
        "The height was used for the columns as well. Images are rarely square.",
        _height_twice,
    ),
    Misconception(
        "returned-too-early",
        "Only the first patch came out. Does the `return` stand inside the loop?",
        _first_only,
    ),
    Misconception(
        "first-row-only",
        "Only the first row of patches came out. Does the `return` stand inside the outer loop?",
        _first_row_only,
    ),
    Misconception(
        "one-channel",
        "Only the first channel is there. A patch keeps all the channels of its pixels.",
        lambda image, patch_size=16: image_to_patches(np.asarray(image)[:, :, :1], patch_size),
    ),
    Misconception(
        "averaged",
        "Each patch became its mean. That is average pooling; here all the numbers of a patch are kept.",
        lambda image, patch_size=16: _boxes(image, patch_size).mean(axis=(2, 3)).reshape(-1, np.shape(image)[2]),
    ),
)


def _numbered(height, width, channels, start=1, dtype=float):
    """An image whose numbers are all different."""
    return np.arange(start, start + height * width * channels).astype(dtype).reshape(height, width, channels)


def _random_image(draw):
    size, rows, columns, channels = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 4), draw.integer(1, 3)
    return Case((draw.integers(size * rows, size * columns, channels), size))


PATCHES = CodeExercise(
    name="image_to_patches",
    title="an image as a row of patches",
    points=4,
    reference=image_to_patches,
    signature="image_to_patches(image, patch_size=16)",
    cases=(
        Case((_numbered(2, 4, 1), 2)),
        Case((_numbered(4, 6, 2), 2)),
        Case((_numbered(6, 4, 3, start=-20), 2)),
        Case((_numbered(3, 9, 2), 3), layout="read-only"),
        Case((_numbered(6, 9, 1), 3), layout="fortran"),
        Case((_numbered(2, 3, 3), 1)),
        Case((_numbered(3, 3, 2), 3)),
        Case((_numbered(4, 8, 2, dtype=np.uint8), 4), layout="strided"),
        Case((_numbered(16, 32, 1),)),
    ),
    random_case=_random_image,
    misconceptions=PATCH_SLIPS,
    hints=(
        "It is the double loop of lesson 2, with a window of patch_size and a stride of patch_size. The window is kept instead of summed.",
        "range(0, H, patch_size) gives the rows at which patches start. image[i : i + patch_size, j : j + patch_size] takes all channels.",
        "Append each patch's .ravel() to a list, and return np.array of that list after both loops.",
    ),
)

# ------------------------------------------------------------------------------------------------ patch_filters


def patch_filters(weights, patch_size):
    """The right answer: (patch_size * patch_size * C, D), rows in the order (row, column, channel) -> (D, C, patch_size, patch_size)."""
    return _as_box(weights, patch_size).transpose(3, 2, 0, 1)


def _as_box(weights, patch_size):
    """The rows of the matrix as what they are: (patch_size, patch_size, C, D)."""
    weights = np.asarray(weights)
    return weights.reshape(patch_size, patch_size, -1, weights.shape[1])


def _wanted_shape(weights, patch_size):
    length, filters = np.shape(weights)
    return filters, length // patch_size**2, patch_size, patch_size


FILTER_SLIPS = (
    Misconception(
        "poured",
        "reshape alone fits the shape and mixes the filters: it never moves a number. Give each axis its name first, then transpose.",
        lambda weights, patch_size: np.asarray(weights).reshape(_wanted_shape(weights, patch_size)),
    ),
    Misconception(
        "channels-first-rows",
        "The rows of the matrix were read as (channel, row, column). In your patches the channel changes fastest: (row, column, channel).",
        lambda weights, patch_size: np.asarray(weights).T.reshape(_wanted_shape(weights, patch_size)),
    ),
    Misconception(
        "rows-and-columns-exchanged",
        "Each kernel is mirrored at its diagonal: its rows became columns. Of two axes with the same length, look which is which.",
        lambda weights, patch_size: _as_box(weights, patch_size).transpose(3, 2, 1, 0),
    ),
    Misconception(
        "kernels-flipped",
        "The kernels were turned upside down and left to right. Cross-correlation lays them on the patch as they are.",
        lambda weights, patch_size: patch_filters(weights, patch_size)[:, :, ::-1, ::-1],
    ),
    Misconception(
        "not-transposed",
        "The axes have the right names but not their places: (row, column, channel, filter) is Keras' order. Filter and channel go first.",
        _as_box,
    ),
    Misconception(
        "channels-last",
        "The filters come first, but the channels last. PyTorch wants (filters, channels, rows, columns).",
        lambda weights, patch_size: _as_box(weights, patch_size).transpose(3, 0, 1, 2),
    ),
    Misconception(
        "channels-and-filters-exchanged",
        "Channels and filters are exchanged. The first axis counts the filters: one for each column of the matrix.",
        lambda weights, patch_size: _as_box(weights, patch_size).transpose(2, 3, 0, 1),
    ),
    Misconception(
        "rows-as-filters",
        "The matrix was cut along its rows, as if a row belonged to one filter. Each column is a filter: it meets a whole patch.",
        lambda weights, patch_size: np.asarray(weights).reshape(np.shape(weights)[1], patch_size, patch_size, -1).transpose(0, 3, 1, 2),
    ),
    Misconception(
        "one-filter",
        "Only one filter came out. The matrix has as many as it has columns.",
        lambda weights, patch_size: patch_filters(np.asarray(weights)[:, :1], patch_size),
    ),
    Misconception(
        "one-flat-filter-each",
        "Each filter is still one long row. Cut it into channels, rows and columns.",
        lambda weights, patch_size: np.asarray(weights).T,
    ),
)


def _random_matrix(draw):
    size, channels, filters = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 4)
    return Case((draw.integers(size * size * channels, filters), size))


def _numbered_matrix(size, channels, filters, start=1):
    return _numbered(1, size * size * channels, filters, start)[0]


FILTERS = CodeExercise(
    name="patch_filters",
    title="the same as a convolution",
    points=3,
    reference=patch_filters,
    signature="patch_filters(weights, patch_size)",
    cases=(
        Case((_numbered_matrix(2, 1, 1), 2)),
        Case((_numbered_matrix(2, 2, 3), 2)),
        Case((_numbered_matrix(2, 3, 4, start=-17), 2), layout="read-only"),
        Case((_numbered_matrix(3, 1, 2), 3), layout="fortran"),
        Case((_numbered_matrix(3, 2, 5) / 4, 3), layout="strided"),
        Case((_numbered_matrix(1, 3, 2), 1)),
    ),
    random_case=_random_matrix,
    misconceptions=FILTER_SLIPS,
    hints=(
        "Lesson 2, section 7: first give each axis its name, then move the axes. Which four axes hide in the matrix's two?",
        "weights.reshape(patch_size, patch_size, C, D) has the axes (row, column, channel, filter). C may be -1: NumPy works it out.",
        "Wanted is (filter, channel, row, column). In that order, the axes have the numbers 3, 2, 0 and 1.",
    ),
)

# ------------------------------------------------------------------------------------------------ L8.2: the first layer of a ViT

_SIDE, _PATCH, _FILTERS = 224, 16, 768
_PATCH_COUNT = (_SIDE // _PATCH) ** 2
_LENGTH = _PATCH * _PATCH * 3
_EMBEDDING = arithmetic.conv_parameters(3, _FILTERS, _PATCH, _PATCH)

FIRST_LAYER = TableExercise(
    name="L8.2",
    title="the first layer of ViT-B/16",
    points=2,
    expected=(_PATCH_COUNT, _LENGTH, _EMBEDDING, _PATCH_COUNT**2),
    labels=("patches", "numbers in a patch", "parameters", "pairs"),
    misconceptions=(
        Misconception(
            "biases-forgotten",
            "Question 3: those are the weights alone. Each of the 768 filters has a bias too.",
            (_PATCH_COUNT, _LENGTH, _EMBEDDING - _FILTERS, _PATCH_COUNT**2),
        ),
        Misconception(
            "one-channel",
            "Questions 2 and 3: the image is in color, so a patch has three numbers for each of its pixels.",
            (_PATCH_COUNT, _PATCH**2, arithmetic.conv_parameters(1, _FILTERS, _PATCH, _PATCH), _PATCH_COUNT**2),
        ),
        Misconception(
            "one-side-only",
            "Question 1: so many patches stand side by side. There are as many rows of them.",
            (_SIDE // _PATCH, _LENGTH, _EMBEDDING, (_SIDE // _PATCH) ** 2),
        ),
        Misconception(
            "one-row-of-patches",
            "Question 1: so many patches stand side by side. There are as many rows of them.",
            (_SIDE // _PATCH, _LENGTH, _EMBEDDING, _PATCH_COUNT**2),
        ),
        Misconception(
            "overlapping",
            "Question 1: that counts windows which move by one pixel. The patches do not overlap: the stride is 16.",
            ((_SIDE - _PATCH + 1) ** 2, _LENGTH, _EMBEDDING, (_SIDE - _PATCH + 1) ** 4),
        ),
        Misconception(
            "each-pair-once",
            "Question 4: every patch asks every patch. What A asks of B is not what B asks of A, and each asks itself as well.",
            (_PATCH_COUNT, _LENGTH, _EMBEDDING, _PATCH_COUNT * (_PATCH_COUNT - 1) // 2),
        ),
        Misconception(
            "not-itself",
            "Question 4: a patch asks itself as well. The matrix of weights is full, with its diagonal.",
            (_PATCH_COUNT, _LENGTH, _EMBEDDING, _PATCH_COUNT * (_PATCH_COUNT - 1)),
        ),
    ),
    hints=(
        "224 / 16 patches stand side by side, and as many below each other.",
        "The layer is a convolution from 3 to 768 channels with a 16x16 kernel. Lesson 2 counts its parameters.",
        "768 filters of 16 * 16 * 3 weights, and 768 biases. The pairs are the number of patches, squared.",
    ),
)

# ------------------------------------------------------------------------------------------------ L8.3: which has it

_CONVOLUTION, _ATTENTION, _BOTH = 1, 2, 3

WHICH_HAS_IT = TableExercise(
    name="L8.3",
    title="convolution, attention, or both",
    points=2,
    expected=(_CONVOLUTION, _ATTENTION, _BOTH, _ATTENTION, _ATTENTION, _CONVOLUTION),
    labels=("a", "b", "c", "d", "e", "f"),
    misconceptions=(
        Misconception(
            "same-attention-everywhere",
            "(a): the projections of attention are shared, as the printed sentence says, but what mixes the patches "
            "is computed from the patches: another image, another matrix.",
            (_BOTH, _ATTENTION, _BOTH, _ATTENTION, _ATTENTION, _CONVOLUTION),
        ),
        Misconception(
            "parameters-grow",
            "(c): What grows in attention is the matrix of weights, and that is computed, not learned. The "
            "projections act on one patch at a time.",
            (_CONVOLUTION, _ATTENTION, _CONVOLUTION, _ATTENTION, _ATTENTION, _CONVOLUTION),
        ),
        Misconception(
            "exchanged",
            "The numbers 1 and 2 are exchanged: 1 is convolution, 2 is attention.",
            (_ATTENTION, _CONVOLUTION, _BOTH, _CONVOLUTION, _CONVOLUTION, _ATTENTION),
        ),
        Misconception(
            "order-for-granted",
            "(d): You have seen it run: of shuffled patches, attention makes the same rows, shuffled.",
            (_CONVOLUTION, _ATTENTION, _BOTH, _CONVOLUTION, _ATTENTION, _CONVOLUTION),
        ),
        Misconception(
            "work-grows-alike",
            "(e): For twice the places a convolution has twice the windows. Attention compares all pairs.",
            (_CONVOLUTION, _ATTENTION, _BOTH, _ATTENTION, _BOTH, _CONVOLUTION),
        ),
        Misconception(
            "all-convolution",
            "Not all of them. Go through them with the two matrices of the picture before you.",
            (_CONVOLUTION,) * 6,
        ),
    ),
    hints=(
        "(a), (b) and (f) can be seen in the picture of the three matrices.",
        "(c): do the shapes of the query and key matrices contain the number of patches?",
        "(d) is the experiment with the shuffled patches. (e): the attention matrix has a row and a column for each patch.",
    ),
)

# ------------------------------------------------------------------------------------------------ L8.4: the table of famous networks

_RESNET_50_MACS = 4.089  # billions; a test counts them
_PUBLISHED = {"AlexNet": 15.3, "ResNet": 3.6}  # percent, as printed
_TEST_IMAGES = 100_000
_RIGHT_IMAGES = round(_TEST_IMAGES * (100 - _PUBLISHED["ResNet"]) / 100)

PUBLISHED_TABLE = TableExercise(
    name="L8.4",
    title="a column without a name",
    points=2,
    expected=(2, _RIGHT_IMAGES, 2 * _RESNET_50_MACS),
    labels=("what is counted", "images", "billions of FLOPs"),
    misconceptions=(
        Misconception(
            "read-as-accuracy",
            "Question 1: then AlexNet would be better than ResNet, and would be wrong about six images in seven. The column counts errors.",
            (1, round(_TEST_IMAGES * _PUBLISHED["ResNet"] / 100), 2 * _RESNET_50_MACS),
        ),
        Misconception(
            "images-missed",
            "Question 2: those are the images that it got wrong. The question is about the others.",
            (2, _TEST_IMAGES - _RIGHT_IMAGES, 2 * _RESNET_50_MACS),
        ),
        Misconception(
            "percent-not-images",
            "Question 2: that is how many of 100 images. The question is about 100,000.",
            (2, 100 - _PUBLISHED["ResNet"], 2 * _RESNET_50_MACS),
        ),
        Misconception(
            "not-in-billions",
            "Question 3: that is the number of FLOPs. Give it in billions, as the cell gives the multiply-adds.",
            (2, _RIGHT_IMAGES, round(2 * _RESNET_50_MACS * 1e9)),
        ),
        Misconception(
            "one-decimal",
            "Question 3: nearly. Give two decimals, please.",
            (2, _RIGHT_IMAGES, round(2 * _RESNET_50_MACS, 1)),
        ),
        Misconception(
            "macs-for-flops",
            "Question 3: that is the number of multiply-adds. Each of them is a multiplication and an addition.",
            (2, _RIGHT_IMAGES, _RESNET_50_MACS),
        ),
        Misconception(
            "halved",
            "Question 3: one multiply-add is two operations, so there are more operations than multiply-adds.",
            (2, _RIGHT_IMAGES, _RESNET_50_MACS / 2),
        ),
        Misconception(
            "other-network",
            "Question 2: that is AlexNet's line of the table. The question is about ResNet.",
            (2, round(_TEST_IMAGES * (100 - _PUBLISHED["AlexNet"]) / 100), 2 * _RESNET_50_MACS),
        ),
    ),
    hints=(
        "The networks became better from year to year. Do the numbers rise or fall?",
        "3.6 of 100 images are wrong, the others right. There are 100,000.",
        "Twice the 4.089 that the cell above has counted.",
    ),
)

# ------------------------------------------------------------------------------------------------ the hunt

_PATCH_1_TO_9 = np.arange(1, 10).reshape(3, 3)
_CROSS = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
_LINES = [*_PATCH_1_TO_9, *_PATCH_1_TO_9.T, _PATCH_1_TO_9.diagonal(), _PATCH_1_TO_9[:, ::-1].diagonal()]
_DOT = int((_PATCH_1_TO_9 * _CROSS).sum())
_PRINTED_DOT = 15
_FITTING = sum(int(line.sum()) == _PRINTED_DOT for line in _LINES)
_HALF_OF_7 = arithmetic.output_size(7, 3, padding=1, stride=2)
_ARROWS = 3 * 3

WRONG_NUMBERS = TableExercise(
    name="L8.5",
    title="numbers",
    points=3,
    expected=(_DOT, _FITTING, _HALF_OF_7, _ARROWS),
    labels=("a", "b", "c", "d"),
    misconceptions=(
        Misconception(
            "printed-sum", "(a) is what the page prints. Add the five products yourself.", (_PRINTED_DOT, _FITTING, _HALF_OF_7, _ARROWS)
        ),
        Misconception(
            "all-nine",
            "(a) adds all nine pixels. Where the filter has a 0, the pixel does not count.",
            (int(_PATCH_1_TO_9.sum()), _FITTING, _HALF_OF_7, _ARROWS),
        ),
        Misconception(
            "one-line-only", "(b): there is more than one. Try rows, columns and both diagonals.", (_DOT, 1, _HALF_OF_7, _ARROWS)
        ),
        Misconception("diagonals-only", "(b): the two diagonals, yes. Try the rows and columns as well.", (_DOT, 2, _HALF_OF_7, _ARROWS)),
        Misconception(
            "a-line-missed",
            "(b): you have found most of them. The lines go through the middle: is there one more?",
            (_DOT, _FITTING - 1, _HALF_OF_7, _ARROWS),
        ),
        Misconception(
            "all-lines", "(b): there are so many lines. Not on all of them do the numbers add up to 15.", (_DOT, 8, _HALF_OF_7, _ARROWS)
        ),
        Misconception("half-of-seven", "(c): no map has half a row. Count the windows.", (_DOT, _FITTING, 3.5, _ARROWS)),
        Misconception(
            "rounded-down",
            "(c): a half is cut off before 1 is added, not after. Or draw the row with its padding, and count the windows that fit.",
            (_DOT, _FITTING, 3, _ARROWS),
        ),
        Misconception(
            "arrows-as-drawn",
            "(d) is what the page draws, one arrow for each output. But each output needs as many pixels as the kernel has weights.",
            (_DOT, _FITTING, _HALF_OF_7, 3),
        ),
        Misconception(
            "inputs-not-lines",
            "(d): that is how many inputs there are. Some of them are joined to more than one output; count the lines.",
            (_DOT, _FITTING, _HALF_OF_7, 5),
        ),
        Misconception("fully-connected", "(d): that joins every output to every input.", (_DOT, _FITTING, _HALF_OF_7, 15)),
    ),
    hints=(
        "(a): the filter keeps the pixels 1, 3, 5, 7 and 9. (c): lesson 2's formula, with its rounding.",
        "(b): 4 + 5 + 6 is one of them. There are eight lines to try: three rows, three columns, two diagonals.",
        "(c): (7 + 2 - 3) // 2 + 1. (d): the first output sees the inputs 1, 2 and 3.",
    ),
)

_THOUSAND_FILTERS = arithmetic.conv_parameters(3, 1000, 3, 3)
_SIDE_AFTER = arithmetic.output_size(_SIDE, 3)
_OUTPUTS = 64 * _SIDE_AFTER**2
_INPUTS = _SIDE * _SIDE * 3
_UNITS_FOR_A_BILLION = math.ceil(10**9 / _INPUTS)
_VGG_FC6 = 7 * 7 * 512 * 4096 + 4096

COMPARED = TableExercise(
    name="L8.6",
    title="compared with what",
    points=3,
    expected=(_THOUSAND_FILTERS, _OUTPUTS, _UNITS_FOR_A_BILLION, _VGG_FC6),
    labels=("a", "b", "c", "d"),
    misconceptions=(
        Misconception(
            "nine-for-each-filter",
            "(a): a filter on a color image has a kernel for each of the three channels.",
            (arithmetic.conv_parameters(1, 1000, 3, 3), _OUTPUTS, _UNITS_FOR_A_BILLION, _VGG_FC6),
        ),
        Misconception(
            "biases-forgotten",
            "(a) and (d) are the weights alone. Biases count too.",
            (_THOUSAND_FILTERS - 1000, _OUTPUTS, _UNITS_FOR_A_BILLION, _VGG_FC6 - 4096),
        ),
        Misconception(
            "size-kept",
            "(b): without padding a 3x3 kernel loses a pixel on each side.",
            (_THOUSAND_FILTERS, 64 * _SIDE**2, _UNITS_FOR_A_BILLION, _VGG_FC6),
        ),
        Misconception(
            "one-map",
            "(b) is the size of one map. There are 64 filters.",
            (_THOUSAND_FILTERS, _SIDE_AFTER**2, _UNITS_FOR_A_BILLION, _VGG_FC6),
        ),
        Misconception(
            "outputs-are-filters",
            "(b): 64 is what the dense layer gives. A filter gives a number at every position.",
            (_THOUSAND_FILTERS, 64, _UNITS_FOR_A_BILLION, _VGG_FC6),
        ),
        Misconception(
            "one-too-few",
            "(c): with that many there are not quite a billion weights yet.",
            (_THOUSAND_FILTERS, _OUTPUTS, _UNITS_FOR_A_BILLION - 1, _VGG_FC6),
        ),
        Misconception(
            "gray-image",
            "(c): that would be for a gray image. This one has three numbers for each pixel.",
            (_THOUSAND_FILTERS, _OUTPUTS, math.ceil(10**9 / _SIDE**2), _VGG_FC6),
        ),
    ),
    hints=(
        "(a): conv_parameters of lesson 2, with 3 channels and 1000 filters. (d): inputs times units, and a bias for each unit.",
        "(b): 64 maps of (224 - 2) by (224 - 2).",
        "(c): 1,000,000,000 / 150,528, rounded up, because less would not be a billion. (d): 7 * 7 * 512 inputs.",
    ),
)

WORDS = TableExercise(
    name="L8.7",
    title="words",
    points=4,
    expected=(2, 3, 1, 3, 2),
    labels=("a", "b", "c", "d", "e"),
    misconceptions=(
        Misconception(
            "takes-invariance",
            "(a): Move the image, and look at the map: it is not the same map, it has moved as well.",
            (1, 3, 1, 3, 2),
        ),
        Misconception(
            "three-dimensional-missed",
            "(b): How many axes does the kernel slide along in a scan made of slices, or in a film?",
            (2, 1, 1, 3, 2),
        ),
        Misconception(
            "believes-the-range",
            "(c): Look at the counts printed in section 5: is the smallest ResNet there inside that range?",
            (2, 3, 2, 3, 2),
        ),
        Misconception(
            "bias-is-not-linear",
            "(d): Take an image of zeros: it is its own double. What does a layer with a bias give for it, and is that its own double?",
            (2, 3, 1, 1, 2),
        ),
        Misconception(
            "plain-python",
            "(e): In a Python file that would be so. In a notebook the name exists, so no error comes. What does a line do that only "
            "names a value?",
            (2, 3, 1, 3, 1),
        ),
        Misconception(
            "prints-are-right",
            "Each of these sentences was printed, and each of them is wrong. And in a notebook, blanks of underscores are no error.",
            (1, 1, 2, 1, 1),
        ),
    ),
    hints=(
        "(a) was measured in lesson 5. For (c) look at the table that section 5 printed.",
        "(b): a layer for volumes slides along three axes. The table in section 2 names it.",
        "(d): a window gives the sum of weights times pixels, plus the bias. Double the pixels: which part doubles? "
        "(e): try it in a new cell.",
    ),
)

EXERCISES = (OTHER_WAYS, PATCHES, FILTERS, FIRST_LAYER, WHICH_HAS_IT, PUBLISHED_TABLE, WRONG_NUMBERS, COMPARED, WORDS)
