"""Lesson 4, the answers that are worked out rather than programmed: shapes, first weights, flipped kernels, error messages."""

import numpy as np

from ..arithmetic import output_size
from ..kernels import CLASSIC_KERNELS
from .exercise import HandExercise, Misconception

# ------------------------------------------------------------------------------------------------ L4.1

BATCH = (32, 3, 28, 28)
LAYER_A = {"in_channels": 3, "out_channels": 8, "kernel_size": (2, 5)}
LAYER_B = {"in_channels": 8, "out_channels": 16, "kernel_size": (3, 3), "stride": 2, "padding": 1, "groups": 4}


def shapes_of(x_shape, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1):
    """The shapes of a layer's weights and of its output for a batch of this shape."""
    sizes = (output_size(n, k, padding, stride) for n, k in zip(x_shape[2:], kernel_size, strict=True))
    return (out_channels, in_channels // groups, *kernel_size), (x_shape[0], out_channels, *sizes)


_WEIGHT_A, _OUT_A = shapes_of(BATCH, **LAYER_A)
_WEIGHT_B, _OUT_B = shapes_of(_OUT_A, **LAYER_B)

READ_SHAPES = HandExercise(
    name="L4.1",
    title="read the shapes",
    points=2,
    expected=(_WEIGHT_A, _OUT_A, _WEIGHT_B, _OUT_B),
    labels=("weights of A", "output of A", "weights of B", "output of B"),
    misconceptions=(
        Misconception(
            "input-channels-first",
            "The shapes of the outputs are right. The weights begin with the number of filters, that is, of output channels.",
            ((3, 8, 2, 5), _OUT_A, (2, 16, 3, 3), _OUT_B),
        ),
        Misconception(
            "channels-exchanged",
            "The outputs are right. In the weights C_in and C_out are exchanged: filters, that is output channels, come first, and the "
            "groups divide the input channels.",
            ((3, 8, 2, 5), _OUT_A, (8, 4, 3, 3), _OUT_B),
        ),
        Misconception(
            "channels-exchanged-groups-ignored",
            "The outputs are right. In the weights C_in and C_out are exchanged: filters, that is output channels, come first. And with 4 "
            "groups a filter of B sees a fourth of the input channels.",
            ((3, 8, 2, 5), _OUT_A, (8, 16, 3, 3), _OUT_B),
        ),
        Misconception(
            "in-and-out-exchanged",
            "C_in and C_out are exchanged everywhere. nn.Conv2d takes first the channels that come in, then how many go out: one for each "
            "filter.",
            ((3, 8, 2, 5), (32, 3, *_OUT_A[2:]), (8, 4, 3, 3), (32, 8, *_OUT_B[2:])),
        ),
        Misconception(
            "groups-ignored",
            "All is right but the depth of B's filters. With 4 groups, a filter sees a fourth of the input channels.",
            (_WEIGHT_A, _OUT_A, (16, 8, 3, 3), _OUT_B),
        ),
        Misconception(
            "order-of-keras",
            "These weights are in Keras' order, height and width first. PyTorch puts the channels first, filters before everything.",
            ((2, 5, 3, 8), _OUT_A, (3, 3, 2, 16), _OUT_B),
        ),
        Misconception(
            "kernel-sides-exchanged",
            "A pair (2, 5) means 2 rows and 5 columns: height first.",
            ((8, 3, 5, 2), (32, 8, 24, 27), _WEIGHT_B, (32, 16, 12, 14)),
        ),
        Misconception(
            "rounded-up",
            "One size of B's output is rounded up. A window that does not fit whole is left out: round down.",
            (_WEIGHT_A, _OUT_A, _WEIGHT_B, (32, 16, 14, 13)),
        ),
        Misconception(
            "batch-left-out",
            "The 32 images of the batch stay 32 images: they are the first number of every output.",
            (_WEIGHT_A, (1, *_OUT_A[1:]), _WEIGHT_B, (1, *_OUT_B[1:])),
        ),
    ),
    hints=(
        "Weights: filters, channels that one filter sees, kernel height, kernel width. Output: images, filters, height, width.",
        "A: without padding each side loses the kernel's side less one. So 28 - 2 + 1 rows. And how many columns?",
        "B takes what A gives. With 4 groups each of its filters sees 8 / 4 channels.",
        "B, for n pixels: (n + 2 - 3) // 2 + 1.",
    ),
)

# ------------------------------------------------------------------------------------------------ 9.3

FIRST_WEIGHTS = {  # (in, out, kernel size, groups): how torch draws a layer's first weights depends on these
    "nn.Conv2d(1, 4, 3)": (1, 4, 3, 1),
    "nn.Conv2d(4, 8, 1)": (4, 8, 1, 1),
    "nn.Conv2d(16, 32, 5)": (16, 32, 5, 1),
    "nn.Conv2d(32, 64, 3, groups=32)": (32, 64, 3, 32),
}


def _bounds(count):
    """1 / sqrt(n) for every layer, n counted from (in, out, kernel size, groups)."""
    return tuple(1 / np.sqrt(count(*layer)) for layer in FIRST_WEIGHTS.values())


RANDOM_WEIGHTS = HandExercise(
    name="9.3",
    title="where random weights lie",
    points=2,
    expected=_bounds(lambda c, o, k, g: c // g * k * k),
    labels=tuple(FIRST_WEIGHTS),
    misconceptions=(
        Misconception(
            "root-forgotten",
            "This is 1 divided by the number of products. The bound is 1 divided by its square root.",
            tuple(bound**2 for bound in _bounds(lambda c, o, k, g: c // g * k * k)),
        ),
        Misconception(
            "filters-counted",
            "You counted the filters. One output value comes from one filter only: its products are what counts.",
            _bounds(lambda c, o, k, g: o * k * k),
        ),
        Misconception(
            "channels-forgotten",
            "You counted one kernel. A filter has one for each of the channels that it sees.",
            _bounds(lambda c, o, k, g: k * k),
        ),
        Misconception(
            "groups-ignored",
            "The last layer has 32 groups: each of its filters sees one channel, not 32.",
            _bounds(lambda c, o, k, g: c * k * k),
        ),
        Misconception(
            "all-weights-counted",
            "You counted all weights of the layer. What counts is how many products go into one output value.",
            _bounds(lambda c, o, k, g: c // g * o * k * k),
        ),
        Misconception(
            "kernel-side-only",
            "A 3x3 kernel has nine taps, not three.",
            _bounds(lambda c, o, k, g: c // g * k),
        ),
    ),
    hints=(
        "For each layer: how many products are added up for one output value?",
        "Channels that one filter sees, times kernel height, times kernel width.",
        "The first layer: 1 x 3 x 3 = 9 products, and the root of 9 is 3.",
        "The third: 16 x 5 x 5 = 400. The last sees one channel: 9 again.",
    ),
)

# ------------------------------------------------------------------------------------------------ L4.2

SIGNAL, TAPS = (1, 2, 4, 8), (1, 0, -1)
CORRELATED = tuple(int(value) for value in np.correlate(SIGNAL, TAPS, mode="valid"))
CONVOLVED = tuple(int(value) for value in np.convolve(SIGNAL, TAPS, mode="valid"))

BOXED_FORMULA = HandExercise(
    name="L4.2",
    title="the formula in the box",
    points=2,
    expected=(CONVOLVED, CORRELATED),
    labels=("what the formula gives", "what the code gives"),
    misconceptions=(
        Misconception(
            "exchanged",
            "The two are exchanged: it is the formula, with its i - k, that runs backwards through g.",
            (CORRELATED, CONVOLVED),
        ),
        Misconception(
            "formula-not-flipped",
            "The formula's i - k was read as i + k. While k goes up, i - k goes down: g is met from its end.",
            (CORRELATED, CORRELATED),
        ),
        Misconception(
            "code-flipped",
            "The code multiplies window and kernel as they lie. It flips nothing.",
            (CONVOLVED, CONVOLVED),
        ),
        Misconception(
            "read-backwards",
            "Flipping the kernel is not the same as writing the results down in the opposite order.",
            (CORRELATED[::-1], CORRELATED),
        ),
        Misconception(
            "windows-from-the-start",
            "At i = 0 and i = 1 the formula asks for numbers of f in front of the first. All of g meets f for the first time at i = 2.",
            (tuple(int(v) for v in np.convolve(SIGNAL, TAPS)[:2]), CORRELATED),
        ),
    ),
    hints=(
        "The code first: the windows are 1 2 4 and 2 4 8. Multiply each with 1 0 -1 and add.",
        "The formula at i = 2: f[0] g[2] + f[1] g[1] + f[2] g[0].",
        "At i = 3: f[1] g[2] + f[2] g[1] + f[3] g[0]. The numbers of f go up while those of g go down.",
    ),
)

# ------------------------------------------------------------------------------------------------ L4.3


def _answers(question):
    """1 or 0 for every classic kernel."""
    return tuple(int(not question(kernel)) for kernel in CLASSIC_KERNELS.values())


NOTICES = HandExercise(
    name="L4.3",
    title="who notices a flip?",
    points=2,
    expected=_answers(lambda k: np.array_equal(k, k[::-1, ::-1])),
    labels=tuple(CLASSIC_KERNELS),
    misconceptions=(
        Misconception(
            "sign-overlooked",
            "A half turn of a Sobel kernel gives its negative. All edges keep their places and change their sign: a test notices that.",
            _answers(lambda k: np.array_equal(k, k[::-1, ::-1]) or np.array_equal(k, -k[::-1, ::-1])),
        ),
        Misconception(
            "emboss-overlooked",
            "Emboss stays itself when transposed, and a half turn is something else: its corners -2 and 2 change places.",
            tuple(int(name.startswith("Sobel")) for name in CLASSIC_KERNELS),
        ),
        Misconception(
            "upside-down-only",
            "This is right for turning upside down. A half turn mirrors left to right as well.",
            _answers(lambda k: np.array_equal(k, k[::-1])),
        ),
        Misconception(
            "left-to-right-only",
            "This is right for mirroring left to right. A half turn turns upside down as well.",
            _answers(lambda k: np.array_equal(k, k[:, ::-1])),
        ),
        Misconception(
            "yes-and-no-exchanged",
            "Yes and no are exchanged: 1 is for the kernels that would notice.",
            tuple(1 - answer for answer in _answers(lambda k: np.array_equal(k, k[::-1, ::-1]))),
        ),
        Misconception(
            "negative-weights",
            "Having negative weights is not the point. The Laplacian has them, and looks the same after a half turn.",
            _answers(lambda k: (k >= 0).all()),
        ),
    ),
    hints=(
        "Turn each kernel by 180 degrees in your head: top left goes to bottom right, top to bottom, left to right.",
        "If it looks the same afterwards, no image can tell the two operations apart.",
        "Five of the eight stay the same.",
        "CLASSIC_KERNELS[name][::-1, ::-1] turns one by 180 degrees.",
    ),
)

# ------------------------------------------------------------------------------------------------ L4.4

CALLS = {  # given to nn.Conv2d(3, 8, 3): which of the messages comes back, 0 for none
    "torch.zeros(3, 32, 32)": 0,
    "torch.zeros(1, 32, 32, 3)": 2,
    "torch.zeros(32, 32)": 1,
    "torch.zeros(1, 3, 2, 40)": 3,
    "np.zeros((1, 3, 32, 32))": 5,
    "torch.tensor(np.zeros((1, 3, 32, 32)))": 4,
    "torch.zeros(32, 3, 3, 3)": 0,
}
MESSAGES = {
    1: "Expected 3D (unbatched) or 4D (batched) input to conv2d",
    2: "to have 3 channels, but got 32 channels instead",
    3: "Kernel size can't be greater than actual input size",
    4: "Input type (double) and bias type (float) should be the same",
    5: "conv2d() received an invalid combination of arguments",
}


def _with(**changes):
    """The right numbers with some of them changed, by the letter of the call."""
    answers = list(CALLS.values())
    for letter, answer in changes.items():
        answers["abcdefg".index(letter)] = answer
    return tuple(answers)


PREDICT_ERRORS = HandExercise(
    name="L4.4",
    title="which error?",
    points=3,
    expected=tuple(CALLS.values()),
    labels=tuple("abcdefg"),
    misconceptions=(
        Misconception(
            "batch-required",
            "All right but one: three axes are welcome as well. A layer takes them for one image, (C, H, W).",
            _with(a=1),
        ),
        Misconception(
            "channels-last-works",
            "All right but b: the layer reads axis 1 as the channels, and there it finds a height of 32.",
            _with(b=0),
        ),
        Misconception(
            "gray-by-itself",
            "All right but c: two axes are not enough, also for a gray image. And the number of axes is looked at first.",
            _with(c=2),
        ),
        Misconception(
            "double-is-fine",
            "All right but f: NumPy's zeros are float64, torch.tensor keeps that, and the layer's weights are float32.",
            _with(f=0),
        ),
        Misconception(
            "array-and-tensor-exchanged",
            "e and f are exchanged: an array is refused for not being a tensor, a float64 tensor for its type.",
            _with(e=4, f=5),
        ),
        Misconception(
            "kernel-as-large-as-image",
            "All right but g: a kernel as large as the image fits once. The map has one value.",
            _with(g=3),
        ),
        Misconception(
            "batch-as-channels",
            "All right but g: the 32 stands in front and counts images. The channels are the 3 after it.",
            _with(g=2),
        ),
    ),
    hints=(
        "Ask in this order: is it a tensor, how many axes, does axis 1 (or axis 0 of three) say 3, is the type float32, does a window fit?",
        "Three axes are one image, (C, H, W). Four are a batch, (N, C, H, W).",
        "NumPy makes float64 (double), and torch.tensor keeps the type. torch.zeros makes float32.",
        "Two of the seven calls raise no error.",
    ),
)

EXERCISES = (READ_SHAPES, RANDOM_WEIGHTS, BOXED_FORMULA, NOTICES, PREDICT_ERRORS)
