"""Lesson 7, what is worked out rather than programmed: gradients by hand, sizes, a published function's slip, and the trained network."""

import numpy as np

from ..data import load_mnist
from .exercise import HandExercise, Misconception, ModelExercise, Property
from .lesson_07 import (
    _d_kernel_working,
    _d_x_working,
    conv2d_backward,
    published_transposed_conv2d,
    transposed_conv2d,
)

# ------------------------------------------------------------------------------------------------ L7.1 to L7.3: by hand

IMAGE = np.array([[1, 2, 0], [0, 1, 3], [2, 1, 1]])
KERNEL = np.array([[1, 3], [2, -1]])
D_OUT = np.array([[3, 1], [0, -2]])

_D_X, _D_KERNEL = conv2d_backward(D_OUT, IMAGE, KERNEL)
_WINDOWS = [IMAGE[i : i + 2, j : j + 2] for i, j in np.ndindex(2, 2)]


def _hidden(working):
    """As a card for an answer worked out by hand: without the products, which are the exercise."""
    return None if working is None else working.__class__(**{**vars(working), "show_products": False})


def _overwritten():
    d_x = np.zeros((3, 3))
    for (i, j), d in np.ndenumerate(D_OUT):
        d_x[i : i + 2, j : j + 2] = d * KERNEL
    return d_x


def _unweighted():
    d_x = np.zeros((3, 3))
    for i, j in np.ndindex(2, 2):
        d_x[i : i + 2, j : j + 2] += KERNEL
    return d_x


KERNEL_BY_HAND = HandExercise(
    name="L7.1",
    title="the kernel's gradient by hand",
    points=2,
    expected=_D_KERNEL,
    explain=lambda index: _hidden(_d_kernel_working(index, [D_OUT.astype(float)], [IMAGE.astype(float)], 1, 0)),
    misconceptions=(
        Misconception(
            "that-is-d-x", "This is the gradient of the image. The kernel has four weights, so its gradient has four numbers.", _D_X
        ),
        Misconception(
            "turned",
            "The four numbers are turned by 180 degrees. The top left weight met the top left pixel of each window.",
            _D_KERNEL[::-1, ::-1],
        ),
        Misconception("transposed", "Rows and columns are swapped. The entry at (0, 1) belongs to the top *right* weight.", _D_KERNEL.T),
        Misconception(
            "last-window-only",
            "This is what the last window says. All four windows used the kernel: add them up.",
            D_OUT[1, 1] * _WINDOWS[3],
        ),
        Misconception("first-window-only", "This is what the first window says. Add what the other three say.", D_OUT[0, 0] * _WINDOWS[0]),
        Misconception(
            "not-weighted", "The windows were added up as they are. Each counts times its entry of the output's gradient.", sum(_WINDOWS)
        ),
        Misconception(
            "kernel-instead-of-window",
            "The kernel was weighted and added up. The gradient of a weight is the pixel that it was multiplied with.",
            KERNEL * D_OUT.sum(),
        ),
        Misconception("mean", "This is the mean of what the windows say. Their shares add up.", _D_KERNEL / 4),
    ),
    hints=(
        "The top left weight was used four times, once in each window. With which four pixels was it multiplied?",
        "Take each of these pixels times the gradient of the output it helped to make, and add up.",
        "The four pixels of the top left weight are the top left 2×2 part of the image, lying just as the four gradients do.",
        "So slide the gradient over the image like a kernel: four places, four numbers.",
    ),
)

IMAGE_BY_HAND = HandExercise(
    name="L7.2",
    title="the image's gradient by hand",
    points=2,
    expected=_D_X,
    explain=lambda index: _hidden(_d_x_working(index, [D_OUT.astype(float)], [KERNEL.astype(float)], 1, 0)),
    misconceptions=(
        Misconception(
            "that-is-d-kernel",
            "This is the gradient of the kernel. The image has nine pixels, so its gradient has nine numbers.",
            _D_KERNEL,
        ),
        Misconception(
            "kernel-turned",
            "The kernel was turned by 180 degrees before it was laid down. Lay it down as it is.",
            conv2d_backward(D_OUT, IMAGE, KERNEL[::-1, ::-1])[0],
        ),
        Misconception(
            "overwritten",
            "Where windows overlap, only the last one counts here. A pixel gets the sum of what its windows say.",
            _overwritten(),
        ),
        Misconception("not-weighted", "Each window laid down the plain kernel. It is weighted with the output's gradient.", _unweighted()),
        Misconception("transposed", "Rows and columns are swapped.", _D_X.T),
        Misconception(
            "sign-turned", "Every sign is turned. A gradient points uphill; the minus comes later, in the step of the optimizer.", -_D_X
        ),
    ),
    hints=(
        "Begin with an empty 3×3 grid. Each window lays down the kernel on its four pixels, times its entry of the output's gradient.",
        "The first window lays down 3 · kernel on the top left four pixels. The second lays 1 · kernel one column further right, and "
        "so on.",
        "Where copies overlap, add. The pixel in the middle lies under all four.",
        "The middle one: 3 · (−1) + 1 · 2 + 0 · 3 + (−2) · 1.",
    ),
)

BIAS_BY_HAND = HandExercise(
    name="L7.3",
    title="the bias's gradient",
    points=1,
    expected=D_OUT.sum(),
    misconceptions=(
        Misconception("number-of-cells", "These are the cells of the output. Each counts as much as the loss cares about it.", D_OUT.size),
        Misconception("one", "For one output cell the factor is 1. The bias was added to four of them.", 1),
        Misconception("mean", "This is the mean over the cells. They add up.", D_OUT.mean()),
        Misconception("last-cell-only", "This is the last cell alone. The bias was added to all four.", D_OUT[1, 1]),
        Misconception("first-cell-only", "This is the first cell alone. The bias was added to all four.", D_OUT[0, 0]),
        Misconception(
            "signs-dropped", "The signs were dropped. One cell wants the bias larger, another smaller: signs count.", np.abs(D_OUT).sum()
        ),
        Misconception("none", "A bias is learned like any weight, so it has a gradient. Here it is not zero.", 0),
    ),
    hints=(
        "If the bias grows by a little, how much does each output cell grow?",
        "Each of the four grows by just as much. How much does the loss change for each of them?",
        "Add up the output's gradient.",
    ),
)

# ------------------------------------------------------------------------------------------------ L7.4: sizes

SIZES = ((7, 4, 2, 1), (9, 4, 2, 1), (16, 2, 2, 0), (16, 3, 2, 0), (16, 4, 2, 0))  # size, kernel, stride, padding
CHANNELS = (64, 32, 4)  # in, out, kernel
_WEIGHTS = CHANNELS[0] * CHANNELS[1] * CHANNELS[2] ** 2


def _sizes(formula, parameters=_WEIGHTS + CHANNELS[1]):
    return [*(formula(n, k, s, p) for n, k, s, p in SIZES), parameters]


def _right_size(n, k, s, p):
    return (n - 1) * s - 2 * p + k


TRANSPOSED_SIZES = HandExercise(
    name="L7.4",
    title="sizes and parameters",
    points=2,
    expected=_sizes(_right_size),
    labels=("7 rows", "9 columns", "16, kernel 2", "16, kernel 3", "16, kernel 4", "parameters"),
    misconceptions=(
        Misconception(
            "forward-formula",
            "These are the sizes of an ordinary convolution, which become smaller. Solve its formula for the size of the input.",
            _sizes(lambda n, k, s, p: (n + 2 * p - k) // s + 1),
        ),
        Misconception(
            "always-doubled",
            "Stride 2 does not simply double. The last copy of the kernel begins at 2(n − 1) and covers k cells.",
            _sizes(lambda n, k, s, p: n * s),
        ),
        Misconception(
            "padding-added",
            "Padding makes the result of a transposed convolution *smaller*: what the forward convolution added, this one cuts off.",
            _sizes(lambda n, k, s, p: (n - 1) * s + 2 * p + k),
        ),
        Misconception(
            "padding-ignored", "The padding is missing: it is cut off on both sides.", _sizes(lambda n, k, s, p: (n - 1) * s + k)
        ),
        Misconception("padding-once", "The padding is cut off on *both* sides.", _sizes(lambda n, k, s, p: (n - 1) * s - p + k)),
        Misconception(
            "one-step-too-many",
            "Between n copies there are n − 1 steps.",
            _sizes(lambda n, k, s, p: n * s - 2 * p + k),
        ),
        Misconception("bias-forgotten", "The sizes are right. The parameters lack the biases.", _sizes(_right_size, _WEIGHTS)),
        Misconception(
            "bias-of-the-inputs",
            "The sizes are right. There is one bias for each *output* channel.",
            _sizes(_right_size, _WEIGHTS + CHANNELS[0]),
        ),
        Misconception(
            "input-channels-forgotten",
            "The sizes are right. The parameters count one kernel for each output channel; there is one for each *pair* of an input and an "
            "output channel.",
            _sizes(_right_size, CHANNELS[1] * CHANNELS[2] ** 2 + CHANNELS[1]),
        ),
    ),
    hints=(
        "Where does the last copy of the kernel begin, and how many cells does it cover?",
        "n copies lie s apart: the last begins at (n − 1) · s and covers k cells. The padding p is cut off on both sides.",
        "(n − 1) · s − 2p + k for each axis. The weights are one kernel for each pair of input and output channel, plus one bias for "
        "each output channel.",
    ),
)

# ------------------------------------------------------------------------------------------------ L7.5: find the bug

_MAP, _TALL = np.ones((3, 4)), np.ones((3, 2))
_RIGHT_SHAPE = np.array(transposed_conv2d(_MAP, _TALL).shape)
_PUBLISHED_SHAPE = np.array(published_transposed_conv2d(_MAP, _TALL).shape)

PUBLISHED_SHAPES = HandExercise(
    name="L7.5",
    title="a published function",
    points=2,
    expected=[_PUBLISHED_SHAPE, _RIGHT_SHAPE],
    labels=("what the published function returns", "what is right"),
    misconceptions=(
        Misconception(
            "no-slip-seen",
            "Both are the right shape. Follow the published lines with the kernel's 3 rows and 2 columns: what is `pad`?",
            [_RIGHT_SHAPE, _RIGHT_SHAPE],
        ),
        Misconception(
            "the-other-way-round",
            "The two shapes are right, the other way round: the first is what the function gives.",
            [_RIGHT_SHAPE, _PUBLISHED_SHAPE],
        ),
        Misconception("slip-in-both", "Both are what the function returns. What should it return?", [_PUBLISHED_SHAPE, _PUBLISHED_SHAPE]),
        Misconception(
            "sides-swapped",
            "Rows and columns are swapped: shapes are written rows first.",
            [_PUBLISHED_SHAPE[::-1], _RIGHT_SHAPE[::-1]],
        ),
        Misconception(
            "padded-by-the-width",
            "The first would be right for `pad = kW - 1`. The line says kH.",
            [[5, 8], _RIGHT_SHAPE],
        ),
    ),
    hints=(
        "Spread out with stride 2, the 3×4 map has 5 rows and 7 columns. How large is it after `np.pad(x_up, pad)`?",
        "`np.pad` with one number pads all four sides. `pad` is kH - 1.",
        "From the padded size take kH − 1 rows and kW − 1 columns off. For the right shape use (n − 1) · s + k on each axis.",
    ),
)

# ------------------------------------------------------------------------------------------------ the network

ENOUGH = 0.97  # of the test digits
NOISE = 3  # of 255: far too little to see


def _scores(network, images):
    """What a network says to images (N, 28, 28) of bytes: an array (N, 10)."""
    batches = [np.asarray(network(images[k : k + 500, None].astype(np.float32) / 255)) for k in range(0, len(images), 500)]
    return np.concatenate(batches)


def _wrong_scores(network):
    scores = np.asarray(network(load_mnist("test")[0][:3, None].astype(np.float32) / 255))
    if scores.shape != (3, 10):
        return f"for 3 images it gave shape {scores.shape}, not (3, 10)."
    if not np.isfinite(scores).all():
        return "there are NaN or infinite scores."
    return None


def _reads(share, count):
    """A reason function: does the network read this share of `count` test digits?

    They come in an order of their own each time, and not quite as they stand in the file: knowing the file by heart is no help.
    """

    def reason(network, seed):
        images, labels = load_mnist("test")
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(images))[:count]
        noise = rng.uniform(-NOISE, NOISE, size=(count, *images.shape[1:]))
        right = np.mean(_scores(network, images[chosen] + noise).argmax(axis=1) == labels[chosen])
        return None if right >= share else f"it reads {100 * right:.2f} % of them."

    return reason


def _guesses(network, factor=1.0):
    return _scores(lambda x: network(factor * x), load_mnist("test")[0][:500]).argmax(axis=1)


def _right_of_500(guesses):
    return np.mean(guesses == load_mnist("test")[1][:500])


NUMPY_CNN = ModelExercise(
    name="numpy_cnn",
    may_call=("conv2d", "max_pool2d", "avg_pool2d", "global_avg_pool", "adaptive_avg_pool2d"),
    title="a network of your own",
    points=4,
    expects="a network: something to call with images (N, 1, 28, 28) that returns scores (N, 10)",
    accepts=callable,
    properties=(
        Property("gives ten scores for each image", 0.25, _wrong_scores),
        Property("reads 90 % of 1,000 test digits", 0.25, _reads(0.90, 1000), seeded=True),
        Property("reads 97 % of all 10,000 test digits", 0.5, _reads(ENOUGH, 10000), seeded=True),
    ),
    misconceptions=(
        Misconception(
            "diverged",
            "The scores are no numbers any more: the training took steps that were too long. Begin again with a new network and a smaller "
            "learning rate.",
            lambda network: not np.isfinite(_scores(network, load_mnist("test")[0][:3])).all(),
        ),
        Misconception(
            "other-scale",
            "It reads images of bytes, from 0 to 255. Train it on the images of this lesson, from 0 to 1.",
            lambda network: _right_of_500(_guesses(network)) < 0.9 <= _right_of_500(_guesses(network, 255.0)),
        ),
        Misconception(
            "one-answer-for-all",
            "It gives the same digit for every image. Either it has not been trained, or too long a step has switched all its ReLUs off.",
            lambda network: len(np.unique(_guesses(network))) == 1,
        ),
        Misconception(
            "guessing",
            "It guesses: about one in ten is right. Has it been trained? If the loss did not fall, check the gradients of its parts.",
            lambda network: _right_of_500(_guesses(network)) < 0.2,
        ),
    ),
    hints=(
        "Conv, ReLU, pool, conv, ReLU, flatten, linear. Follow the sizes with your formula: the linear layer wants to know how many "
        "numbers come in.",
        "28 → 5×5 kernel → 24 → pooling → 12 → 3×3 kernel with stride 2 → 5. With 16 filters that makes 16 · 5 · 5 = 400 numbers.",
        "convolution(1, 8, 5), ReLU(), pooling(), convolution(8, 16, 3, stride=2), ReLU(), Flatten(), Linear(400, 10, rng=rng)",
        "Then train(network). If it stays below 97 %, train it again: it goes on from where it is.",
    ),
)

EXERCISES = (KERNEL_BY_HAND, IMAGE_BY_HAND, BIAS_BY_HAND, TRANSPOSED_SIZES, PUBLISHED_SHAPES, NUMPY_CNN)
