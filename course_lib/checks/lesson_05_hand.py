"""Lesson 5, the answers that are worked out rather than programmed: shapes, counts, receptive fields, shifts, and published claims."""

import math

from ..arithmetic import conv_parameters, output_size
from .exercise import DesignExercise, HandExercise, Misconception
from .lesson_05 import receptive_field

# ------------------------------------------------------------------------------------------------ 9.4, two layers

STACKING = HandExercise(
    name="9.4",
    title="two layers, three shapes",
    points=2,
    expected=[[1, 4, 28, 28], [8, 4, 3, 3], [1, 8, 28, 28]],
    labels=("after conv1", "the weights of conv2", "after conv2"),
    misconceptions=(
        Misconception(
            "weights-without-depth",
            "The kernels of conv2 are boxes: as deep as the four maps that conv1 gives.",
            [[1, 4, 28, 28], [8, 1, 3, 3], [1, 8, 28, 28]],
        ),
        Misconception(
            "in-before-out",
            "torch puts the number of filters first: (C_out, C_in, kH, kW).",
            [[1, 4, 28, 28], [4, 8, 3, 3], [1, 8, 28, 28]],
        ),
        Misconception(
            "padding-ignored",
            "These are the sizes without padding. padding=1 keeps 28 for a 3x3 kernel.",
            [[1, 4, 26, 26], [8, 4, 3, 3], [1, 8, 24, 24]],
        ),
        Misconception(
            "maps-multiply",
            "Eight filters for each of four maps would be 32. But each filter adds up all four maps: eight filters, eight maps.",
            [[1, 4, 28, 28], [8, 4, 3, 3], [1, 32, 28, 28]],
        ),
        Misconception(
            "maps-add-up",
            "The four maps of conv1 are used up: conv2 gives its own eight, not twelve.",
            [[1, 4, 28, 28], [8, 4, 3, 3], [1, 12, 28, 28]],
        ),
        Misconception(
            "channels-last",
            "torch puts the channels second: (N, C, H, W).",
            [[1, 28, 28, 4], [3, 3, 4, 8], [1, 28, 28, 8]],
        ),
    ),
    hints=(
        "As many maps come out as there are filters: the second number of nn.Conv2d.",
        "28 + 2 - 3 + 1 is 28: with padding 1 a 3x3 kernel keeps the size.",
        "Weights are (C_out, C_in, kH, kW). For conv2, C_in is the number of maps that conv1 gives.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.1, parameters of conv2


def _with_and_without_bias(count):
    return [count(False), count(True)]


SECOND_LAYER = HandExercise(
    name="L5.1",
    title="parameters of the second layer",
    points=1,
    expected=_with_and_without_bias(lambda bias: conv_parameters(4, 8, 3, 3, bias)),
    labels=("without biases", "with biases"),
    misconceptions=(
        Misconception("one-input-channel", "A filter of conv2 looks at all four maps, so it has 4 times 9 weights.", [72, 80]),
        Misconception("one-filter", "That is one filter. There are eight.", [36, 37]),
        Misconception("bias-per-kernel", "There is one bias for each filter, not for each of its four kernels.", [288, 320]),
        Misconception("bias-per-input-channel", "There are as many biases as output channels: eight.", [288, 292]),
        Misconception("one-bias", "Each of the eight filters has a bias of its own.", [288, 289]),
        Misconception("exchanged", "The two numbers are exchanged: first without biases.", [296, 288]),
    ),
    hints=(
        "One filter is a box of 4 x 3 x 3 weights.",
        "There are eight filters, and each has at most one bias.",
        "8 * 36 weights, and 8 biases.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.2, receptive fields by hand

MNIST_LAYERS = ((3, 1), (2, 2), (3, 1), (2, 2))


def _grown(layers, field=receptive_field):
    return [field(layers[:n]) for n in range(1, len(layers) + 1)]


FIELD_BY_HAND = HandExercise(
    name="L5.2",
    title="what each value sees",
    points=2,
    expected=_grown(MNIST_LAYERS),
    labels=("after the first convolution", "after the first pooling", "after the second convolution", "after the second pooling"),
    misconceptions=(
        Misconception(
            "strides-ignored",
            "After the first pooling neighbors lie two pixels apart. So the second convolution reaches 2 steps of 2 pixels further.",
            [3, 4, 6, 7],
        ),
        Misconception(
            "pooling-ignored", "Pooling sees a window too: a value of a 2x2 pooling sees two values along each axis.", [3, 3, 5, 5]
        ),
        Misconception(
            "pooling-doubles",
            "Pooling does not double what is seen: its two values see overlapping pixels. It doubles the distance between neighbors.",
            [3, 6, 8, 16],
        ),
        Misconception("only-two-convolutions", "That is for convolutions alone. The poolings between them spread the steps.", [3, 5, 7, 9]),
        Misconception(
            "stride-too-early",
            "A pooling's own window is one step wide in the values before it. Its stride counts from the next layer on.",
            [3, 5, 9, 13],
        ),
        Misconception("kernels-added", "Windows overlap: a kernel of 3 adds 2 steps, a pooling of 2 adds 1.", [3, 5, 8, 10]),
    ),
    hints=(
        "Begin with 3. A value of the pooling sees two neighbors of the maps before it. How many pixels do the two see together?",
        "After the pooling, neighbors lie 2 pixels apart. The second convolution sees three of them.",
        "3, then 3 + 1, then + 2 steps of 2 pixels, then + 1 step of 2 pixels.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.3, small kernels against a large one

WIDTH = 64


def _weights(kernel, layers, bias=False):
    return layers * conv_parameters(WIDTH, WIDTH, kernel, kernel, bias)


SMALL_KERNELS = HandExercise(
    name="L5.3",
    title="three small layers or one large",
    points=1,
    expected=(_weights(3, 3), _weights(7, 1)),
    labels=("three 3x3 layers", "one 7x7 layer"),
    misconceptions=(
        Misconception("one-channel-pair", "That is for one input and one output channel. Here are 64 of each: 64 * 64 kernels.", (27, 49)),
        Misconception(
            "channels-once",
            "Each of the 64 filters has a kernel for each of the 64 input channels: 64 * 64 kernels.",
            (27 * WIDTH, 49 * WIDTH),
        ),
        Misconception(
            "biases-counted", "The biases are counted here. Asked are the weights alone.", (_weights(3, 3, True), _weights(7, 1, True))
        ),
        Misconception("one-small-layer", "That is one 3x3 layer. There are three.", (_weights(3, 1), _weights(7, 1))),
        Misconception("exchanged", "The two numbers are exchanged.", (_weights(7, 1), _weights(3, 3))),
    ),
    hints=(
        "One 3x3 layer from 64 to 64 channels has 64 * 64 * 9 weights.",
        "Three of them, one after the other: three times as many.",
        "The large one: 64 * 64 * 49.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.4, ten layers


def _after(layers):
    size = 28
    for _ in range(layers):
        size = output_size(size, 3)
    return size


def _how_many_fit():
    layers = 0
    while _after(layers) >= 3:
        layers += 1
    return layers


TEN_LAYERS = HandExercise(
    name="L5.4",
    title="ten layers without padding",
    points=2,
    expected=(_after(10), receptive_field(((3, 1),) * 10), _how_many_fit()),
    labels=("size after ten layers", "pixels that a value then sees", "how many such layers fit"),
    misconceptions=(
        Misconception(
            "one-pixel-a-layer", "A 3x3 kernel without padding takes away one pixel on each side: two along an axis.", (18, 11, 26)
        ),
        Misconception(
            "one-layer-too-many",
            "The size after 13 layers is 2, and a 3x3 window no longer fits in it.",
            (_after(10), 21, 14),
        ),
        Misconception("stops-too-early", "A size of 4 still holds a 3x3 window: one more layer fits.", (_after(10), 21, 12)),
        Misconception("kernels-added", "Ten kernels of 3 overlap: each layer adds two pixels to what is seen.", (_after(10), 30, 13)),
        Misconception("pixel-forgotten", "A value sees itself before the first layer, so begin with 1.", (_after(10), 20, 13)),
        Misconception("pairs-of-layers", "From 28 to 24 took two layers. Ten layers means ten, not ten pairs.", (-12, 41, 6)),
    ),
    hints=(
        "28, 26, 24, ... How much does each layer take away?",
        "What a value sees grows by as much as the size shrinks, and begins at 1.",
        "Go on until the size is below 3.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.5, a published pooling

PUBLISHED_SIZES = (6, 13, 112)


def _both(size):
    return [size // 2, output_size(size, 3, stride=2)]


PUBLISHED_POOLING = HandExercise(
    name="L5.5",
    title="when does the page's size differ?",
    points=1,
    expected=[_both(size) for size in PUBLISHED_SIZES],
    labels=tuple(f"H = {size}" for size in PUBLISHED_SIZES),
    misconceptions=(
        Misconception(
            "exchanged",
            "The columns are exchanged: first the page's H // stride, then how many windows fit.",
            [_both(n)[::-1] for n in PUBLISHED_SIZES],
        ),
        Misconception(
            "page-is-right",
            "In 6 rows, windows of 3 can start in row 0 and row 2. One that starts in row 4 would reach over the edge: it does not count.",
            [[n // 2] * 2 for n in PUBLISHED_SIZES],
        ),
        Misconception(
            "plus-one-forgotten", "The window at position 0 counts too: add 1.", [[n // 2, (n - 3) // 2] for n in PUBLISHED_SIZES]
        ),
        Misconception("no-floor", "There are no half windows. // rounds down.", [[n / 2, (n - 3) / 2 + 1] for n in PUBLISHED_SIZES]),
    ),
    hints=(
        "The page: H // stride. The truth: how many whole windows of 3 fit, in steps of 2?",
        "(H - 3) // 2 + 1",
        "For 13 both give the same. That is why nobody notices.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.6, the smallest shift

SHIFTED_STACKS = {
    "3x3 convolution, stride 1, then ReLU": ((3, 1),),
    "2x2 max pooling, stride 2": ((2, 2),),
    "convolution, pooling, convolution, pooling": MNIST_LAYERS,
    "5x5 convolution with stride 3, then 2x2 pooling with stride 2": ((5, 3), (2, 2)),
}


def _stacks(value):
    return [value(layers) for layers in SHIFTED_STACKS.values()]


SMALLEST_SHIFT = HandExercise(
    name="L5.6",
    title="the smallest shift",
    points=2,
    expected=_stacks(lambda layers: math.prod(stride for _, stride in layers)),
    labels=tuple(SHIFTED_STACKS),
    misconceptions=(
        Misconception(
            "always-one", "A stride of 2 looks at every second place. Moved by one pixel, it looks at the places between.", [1, 1, 1, 1]
        ),
        Misconception(
            "strides-added",
            "The strides were added, and 2 + 2 happens to be 2 * 2. Strides multiply: after a stride of 3, one step of a pooling with "
            "stride 2 is two times 3 pixels.",
            _stacks(lambda layers: sum(stride for _, stride in layers if stride > 1) or 1),
        ),
        Misconception(
            "all-strides-added",
            "The strides were added, those of 1 too. Strides multiply, and a stride of 1 changes nothing.",
            _stacks(lambda layers: sum(stride for _, stride in layers)),
        ),
        Misconception(
            "steps-added",
            "Strides multiply: one step after two poolings of stride 2 is 4 pixels of the image.",
            _stacks(lambda layers: 1 + sum(stride - 1 for _, stride in layers)),
        ),
        Misconception("last-stride", "All the strides on the way count, not the last one only.", _stacks(lambda layers: layers[-1][1])),
        Misconception("first-stride", "All the strides on the way count, not the first one only.", _stacks(lambda layers: layers[0][1])),
        Misconception(
            "largest-stride", "The strides multiply; the largest alone is not enough.", _stacks(lambda layers: max(s for _, s in layers))
        ),
        Misconception(
            "receptive-field",
            "That is how much a value sees. What counts here is how far apart neighboring outputs look: the steps, not the windows.",
            _stacks(receptive_field),
        ),
    ),
    hints=(
        "When the image moves by exactly one step of the outputs, the maps move by one place. How long is that step, in pixels?",
        "After a stride of 2, one step is 2 pixels. After another stride of 2?",
        "Multiply the strides.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.7, the pair that breaks it


def _stays_whole(position):
    return bool((position % 1 == 0).all())


def _judge_position(position):
    if not _stays_whole(position):
        return "Pixels have whole numbers."
    if (position < 0).any() or (position > 26).any():
        return "Row and column lie between 0 and 26, so that the pixel below and to the right is still in the image."
    before, after = position // 2, (position + 1) // 2
    if (before == after).all():
        return f"Both pixels fall in cell ({before[0]:.0f}, {before[1]:.0f}) of the pooled map."
    return None


BROKEN_PAIR = DesignExercise(
    name="L5.7",
    title="the pair that breaks it",
    points=1,
    judge_value=_judge_position,
    shape=(2,),
    misconceptions=(
        Misconception(
            "published-pair",
            "That is the page's own pair, (10, 20) and (11, 21). Where do the windows of a 2x2 pooling begin?",
            lambda position: bool((position == [10, 20]).all()),
        ),
        Misconception(
            "outside",
            "That pixel, or the one below and to the right of it, is outside the 28x28 image.",
            lambda position: bool((position < 0).any() or (position > 26).any()),
        ),
        Misconception(
            "both-even",
            "Windows begin in even rows and columns. A pixel at an even row and an even column is the first of its window, and its "
            "diagonal neighbor the last of the same one.",
            lambda position: bool((position % 2 == 0).all()),
        ),
    ),
    hints=(
        "The windows of a 2x2 pooling with stride 2 begin in rows 0, 2, 4, ... Which two rows share a window?",
        "Rows 10 and 11 share one. Rows 11 and 12 do not.",
        "Any position with an odd row or an odd column will do.",
    ),
)

# ------------------------------------------------------------------------------------------------ 9.5

CONV_COUNTS = HandExercise(
    name="9.5A",
    title="parameters of two layers",
    points=1,
    expected=(conv_parameters(1, 16, 3, 3), conv_parameters(16, 32, 3, 3)),
    labels=("conv1", "conv2"),
    misconceptions=(
        Misconception(
            "published-formula",
            "That is the page's N x (k x k + 1). It holds for one input channel. A filter of conv2 has 16 kernels.",
            (160, 320),
        ),
        Misconception("biases-forgotten", "The biases are missing: one for each filter.", (144, 4608)),
        Misconception("one-bias", "Each filter has a bias of its own.", (145, 4609)),
        Misconception("bias-per-kernel", "There is one bias for each filter, not for each of its kernels.", (160, 32 * 16 * 10)),
        Misconception(
            "with-positions", "The image's size plays no part: the same weights are used at every position.", (160 * 784, 4640 * 784)
        ),
    ),
    hints=(
        "One filter of conv1 has 9 weights and a bias.",
        "One filter of conv2 looks at 16 maps: 16 * 9 weights and a bias.",
        "16 * 10, and 32 * 145.",
    ),
)


def _dense(before, after, bias=True):
    return before * after + (after if bias else 0)


DENSE_COUNTS = HandExercise(
    name="9.5B",
    title="the same with dense layers",
    points=1,
    expected=(_dense(784, 16), _dense(784, 32 * 28 * 28)),
    labels=("784 to 16 numbers", "784 to as many numbers as conv2 gives"),
    misconceptions=(
        Misconception(
            "biases-forgotten", "The biases are missing: one for each output.", (_dense(784, 16, False), _dense(784, 32 * 784, False))
        ),
        Misconception(
            "outputs-only", "That is how many numbers come out. Each of them has a weight for every input, and a bias.", (16, 32 * 784)
        ),
        Misconception("one-map", "conv2 gives 32 maps of 28x28 numbers. That is for one.", (_dense(784, 16), _dense(784, 784))),
        Misconception("channels-for-outputs", "conv2 gives 32 maps, not 32 numbers: 32 x 28 x 28.", (_dense(784, 16), _dense(784, 32))),
        Misconception(
            "from-the-16-maps",
            "Asked is a layer from the 784 pixels, not from the maps of conv1.",
            (_dense(784, 16), _dense(16 * 784, 32 * 784)),
        ),
    ),
    hints=(
        "A dense layer has a weight for each pair of input and output, and a bias for each output.",
        "conv2 gives 32 * 28 * 28 = 25,088 numbers.",
        "784 * 25,088 weights, and 25,088 biases.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.8, the bottleneck

_INNER = conv_parameters(256, 64, 1, 1, False), conv_parameters(64, 64, 3, 3, False), conv_parameters(64, 256, 1, 1, False)

BOTTLENECK = HandExercise(
    name="L5.8",
    title="the bottleneck",
    points=1,
    expected=(sum(_INNER), conv_parameters(256, 256, 3, 3, False)),
    labels=("bottleneck", "plain 3x3"),
    misconceptions=(
        Misconception("biases-counted", "The biases are counted here. Asked are the weights alone.", (sum(_INNER) + 64 + 64 + 256, 590080)),
        Misconception("middle-only", "The two 1x1 layers have weights too.", (_INNER[1], 589824)),
        Misconception(
            "nine-everywhere",
            "A 1x1 kernel has one weight for each pair of channels, not nine.",
            (9 * sum((_INNER[0], _INNER[1] // 9, _INNER[2])), 589824),
        ),
        Misconception(
            "one-thin-layer",
            "There are two 1x1 layers: one makes the maps fewer, one makes them many again.",
            (_INNER[0] + _INNER[1], 589824),
        ),
        Misconception("ones-only", "The 3x3 layer in the middle is missing.", (_INNER[0] + _INNER[2], 589824)),
        Misconception("exchanged", "The two numbers are exchanged.", (589824, sum(_INNER))),
    ),
    hints=(
        "A 1x1 layer from 256 to 64 channels has 256 * 64 weights.",
        "The middle has 64 * 64 * 9.",
        "16,384 + 36,864 + 16,384; and 256 * 256 * 9.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.9, three totals


def _separable_total(depthwise_bias, pointwise_bias):
    return conv_parameters(128, 128, 3, 3, depthwise_bias, groups=128) + conv_parameters(128, 256, 1, 1, pointwise_bias)


THREE_TOTALS = HandExercise(
    name="L5.9",
    title="three totals for one pair of layers",
    points=2,
    expected=(_separable_total(False, False), _separable_total(True, True), 1),
    labels=("without biases", "with both biases", "which layer has its biases in 34,048"),
    misconceptions=(
        Misconception(
            "the-other-layer",
            "With the biases of the 1x1 layer alone the total is 34,176.",
            (_separable_total(False, False), _separable_total(True, True), 2),
        ),
        Misconception(
            "as-published",
            "The page's own expression, without biases, does not give 34,048. Work it out.",
            (34048, _separable_total(True, True), 1),
        ),
        Misconception(
            "groups-forgotten",
            "That counts a plain 3x3 layer from 128 to 128. The depthwise layer has one kernel for each channel.",
            (conv_parameters(128, 128, 3, 3, False) + 128 * 256, conv_parameters(128, 128, 3, 3) + 128 * 256 + 256, 1),
        ),
        Misconception("plain-layer", "That is the plain 3x3 layer from 128 to 256.", (294912, 295168, 1)),
        Misconception(
            "exchanged",
            "The first two are exchanged: first without biases.",
            (_separable_total(True, True), _separable_total(False, False), 1),
        ),
    ),
    hints=(
        "Depthwise: 128 kernels of 9 weights. Pointwise: 128 * 256 weights.",
        "128 biases in the first layer, 256 in the second.",
        "How much more is 34,048 than the total without biases?",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.10, the MNIST network

MNIST_COUNTS = HandExercise(
    name="L5.10",
    title="count a network",
    points=1,
    expected=(conv_parameters(1, 32, 3, 3), conv_parameters(32, 64, 3, 3), _dense(64 * 5 * 5, 10)),
    labels=("first convolution", "second convolution", "dense layer"),
    misconceptions=(
        Misconception(
            "biases-forgotten", "The biases are missing: one for each output channel, and ten in the dense layer.", (288, 18432, 16000)
        ),
        Misconception("one-input-channel", "A filter of the second convolution looks at all 32 maps.", (320, 640, 16010)),
        Misconception(
            "pooling-forgotten", "The dense layer comes after the second pooling: 64 maps of 5x5.", (320, 18496, _dense(64 * 11 * 11, 10))
        ),
        Misconception("rounded-up", "Pooling 11x11 by 2 gives 5x5: half a window does not count.", (320, 18496, _dense(64 * 6 * 6, 10))),
        Misconception(
            "maps-as-numbers",
            "The dense layer takes every value of the 64 maps, 64 x 5 x 5, not one for each map.",
            (320, 18496, _dense(64, 10)),
        ),
    ),
    hints=(
        "For the convolutions: C_out * (C_in * 9 + 1).",
        "28, 26, 13, 11, 5: so 64 * 5 * 5 numbers reach the dense layer.",
        "The dense layer: 1,600 * 10 weights and 10 biases.",
    ),
)

# ------------------------------------------------------------------------------------------------ L5.11, the error

WRONG_SIZE = HandExercise(
    name="L5.11",
    title="predict the error",
    points=1,
    expected=(64 * (224 // 4) ** 2, 64 * (32 // 4) ** 2),
    labels=("what arrives", "what the layer expects"),
    misconceptions=(
        Misconception("exchanged", "The two numbers are exchanged: first what arrives.", (4096, 200704)),
        Misconception("channels-forgotten", "64 maps arrive, each of that size.", (56**2, 8**2)),
        Misconception("one-pooling", "There are two poolings: 224, 112, 56.", (64 * 112**2, 64 * 16**2)),
        Misconception("three-channels", "Three channels go in. After the second convolution there are 64.", (3 * 56**2, 3 * 8**2)),
        Misconception("no-pooling", "The two poolings are missing: 224, 112, 56.", (64 * 224**2, 64 * 32**2)),
    ),
    hints=(
        "Convolutions with padding 1 keep the size. Each pooling halves it.",
        "224, 112, 56. How many maps, and so how many numbers?",
        "64 * 56 * 56 arrive, 64 * 8 * 8 are expected.",
    ),
)

EXERCISES = (
    STACKING,
    SECOND_LAYER,
    FIELD_BY_HAND,
    SMALL_KERNELS,
    TEN_LAYERS,
    PUBLISHED_POOLING,
    SMALLEST_SHIFT,
    BROKEN_PAIR,
    CONV_COUNTS,
    DENSE_COUNTS,
    BOTTLENECK,
    THREE_TOTALS,
    MNIST_COUNTS,
    WRONG_SIZE,
)
