"""Lesson 7, backpropagation: what the student's gradients are checked with.

As in lesson 2 each misconception is the wrong function itself: the loop over windows that students write, with one thing changed.
"""

from dataclasses import replace

import numpy as np

from .. import convolution, pooling
from .exercise import Case, CodeExercise, Draw, Misconception, Working
from .lesson_02 import CONV_LAYER

_rng = np.random.default_rng(7)
_fixed = Draw(lambda low, high: int(_rng.integers(low, high, endpoint=True)))

# ------------------------------------------------------------------------------------------------ right answers


def conv2d(x, kernel, stride=1, padding=0):
    """The convolution whose gradients are wanted: (H, W), (kH, kW) -> (oH, oW), in float64."""
    x, kernel = np.asarray(x, dtype=float), np.asarray(kernel, dtype=float)
    return convolution.conv2d(x[None], kernel[None, None], stride=stride, padding=padding)[0]


def conv2d_backward(d_out, x, kernel, stride=1, padding=0):
    """The right answer for one image and one kernel, in float64: (d_x, d_kernel)."""
    d_out, x, kernel = (np.asarray(a, dtype=float) for a in (d_out, x, kernel))
    d_x, d_kernel, _ = convolution.conv2d_backward(d_out[None], x[None], kernel[None, None], stride, padding)
    return d_x[0], d_kernel[0, 0]


def conv_layer_backward(d_out, x, w, stride=1, padding=0):
    """The right answer for a layer, in float64: (d_x, d_w, d_b)."""
    return convolution.conv2d_backward(*(np.asarray(a, dtype=float) for a in (d_out, x, w)), stride, padding)


def numeric_d_kernel(x, kernel, target, step=1e-5):
    """What a central difference of half the squared error gives. The loss is quadratic, so it is exact for every step."""
    return conv2d_backward(conv2d(x, kernel) - target, x, kernel)[1]


def max_pool2d_backward(d_out, x, pool_size=2, stride=2):
    """The right answer for maps (N, C, H, W), in float64."""
    return pooling.max_pool2d_backward(np.asarray(d_out, dtype=float), x, pool_size, stride)


def transposed_conv2d(x, kernel, stride=2):
    """The right answer for one map and one kernel, in float64."""
    x, kernel = np.asarray(x, dtype=float), np.asarray(kernel, dtype=float)
    return convolution.conv_transpose2d(x[None], kernel[None, None], stride=stride)[0]


# ------------------------------------------------------------------------------------------------ conv2d_backward


def _walk(d_out, x, kernel, stride=1, padding=0, to_kernel=None, to_x=None, dtype=float):
    """The loop over windows that students write: (gradient of the padded image, gradient of the kernel).

    `to_kernel` and `to_x` say what becomes of the sum so far, from (so far, d_out[i, j], window, kernel).
    """
    d_out, x, kernel = (np.asarray(a, dtype=float) for a in (d_out, x, kernel))
    padded = np.pad(x, padding)
    d_padded, d_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    height, width = kernel.shape
    to_kernel = to_kernel or (lambda sofar, d, window, kernel: sofar + d * window)
    to_x = to_x or (lambda sofar, d, window, kernel: sofar + d * kernel)
    for i, j in np.ndindex(d_out.shape):
        here = slice(i * stride, i * stride + height), slice(j * stride, j * stride + width)
        d_kernel = to_kernel(d_kernel, d_out[i, j], padded[here], kernel)
        d_padded[here] = to_x(d_padded[here], d_out[i, j], padded[here], kernel)
    return d_padded, d_kernel


def _inner(padded, padding):
    height, width = padded.shape[-2:]
    return padded[..., padding : height - padding, padding : width - padding]


def _backward(**changed):
    """A wrong way of adding up, as a function with the exercise's parameters."""

    def answer(d_out, x, kernel, stride=1, padding=0):
        d_padded, d_kernel = _walk(d_out, x, kernel, stride, padding, **changed)
        return _inner(d_padded, padding), d_kernel

    return answer


def _after(change):
    """A wrong end: change(d_padded, d_kernel, d_out, padding) -> (d_x, d_kernel)."""

    def answer(d_out, x, kernel, stride=1, padding=0):
        return change(*_walk(d_out, x, kernel, stride, padding), np.asarray(d_out, dtype=float), padding)

    return answer


def _stride_ignored(d_out, x, kernel, stride=1, padding=0):
    return _backward()(d_out, x, kernel, 1, padding)


def _padding_ignored(d_out, x, kernel, stride=1, padding=0):
    """The windows are cut from the unpadded image; slices that leave it are short, and what is missing counts as zero."""
    below = padding * 2 + np.asarray(kernel).shape[0], padding * 2 + np.asarray(kernel).shape[1]
    room = np.pad(np.asarray(x, dtype=float), ((0, below[0]), (0, below[1])))
    d_room, d_kernel = _walk(d_out, room, kernel, stride)
    return d_room[: len(x), : np.shape(x)[1]], d_kernel


def _zeros_like_integers(d_out, x, kernel, stride=1, padding=0):
    if np.asarray(x).dtype.kind != "f" or np.asarray(kernel).dtype.kind != "f":
        np.zeros(1, dtype=int).__iadd__(np.ones(1))  # NumPy refuses to add decimals to whole numbers in place
    return conv2d_backward(d_out, x, kernel, stride, padding)


def _cut_to_whole_numbers(d_out, x, kernel, stride=1, padding=0):
    d_x, d_kernel = conv2d_backward(d_out, x, kernel, stride, padding)
    whole = [np.asarray(a).dtype.kind != "f" for a in (x, kernel)]
    return np.trunc(d_x) if whole[0] else d_x, np.trunc(d_kernel) if whole[1] else d_kernel


def _cut_cell_by_cell(d_out, x, kernel, stride=1, padding=0):
    """Single cells of `zeros_like` arrays: NumPy stores what fits, after each addition."""
    d_out, x, kernel = np.asarray(d_out), np.asarray(x), np.asarray(kernel)
    padded = np.pad(x, padding)
    d_padded, d_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    for i, j in np.ndindex(d_out.shape):
        for m, n in np.ndindex(kernel.shape):
            here = i * stride + m, j * stride + n
            d_kernel[m, n] += d_out[i, j] * padded[here]
            d_padded[here] += d_out[i, j] * kernel[m, n]
    return _inner(d_padded, padding), d_kernel


def _met(size, kernel, stride, index):
    """Along one axis: windows that cover an index, and the taps with which they do."""
    windows = [i for i in range(size) if 0 <= index - i * stride < kernel]
    return windows, [index - i * stride for i in windows]


def _d_x_working(index, d_maps, kernels, stride, padding, of="d_out"):
    """How one entry of the input's gradient comes about, from maps (oH, oW) and as many kernels."""
    (rows, row_taps), (columns, column_taps) = (
        _met(size, k, stride, n + padding) for size, k, n in zip(d_maps[0].shape, kernels[0].shape, index, strict=True)
    )
    if not rows or not columns:
        return None  # no window ever saw this pixel
    mask = np.zeros(d_maps[0].shape, dtype=bool)
    mask[np.ix_(rows, columns)] = True
    seen = tuple(d[np.ix_(rows, columns)] for d in d_maps)
    weights = tuple(k[np.ix_(row_taps, column_taps)] for k in kernels)
    return Working(
        tuple(d_maps), mask, seen, weights, names=(of, "the cells whose copies land here", "the weights that they lay down here")
    )


def _d_kernel_working(index, d_maps, images, stride, padding):
    """How one entry of a kernel's gradient comes about: what its tap saw in each image, times the gradients of what it helped to make."""
    rows, columns = (n + stride * np.arange(size) for n, size in zip(index, d_maps[0].shape, strict=True))
    padded = [np.pad(image, padding) for image in images]
    mask = np.zeros(padded[0].shape, dtype=bool)
    mask[np.ix_(rows, columns)] = True
    seen = tuple(image[np.ix_(rows, columns)] for image in padded)
    return Working(
        tuple(padded), mask, seen, tuple(d_maps), names=("the padded image" if padding else "the image", "what this tap saw", "d_out")
    )


def _backward_working(part, index, d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = (np.asarray(a, dtype=float) for a in (d_out, x, kernel))
    if part == "d_x":
        return _d_x_working(index, [d_out], [kernel], stride, padding)
    return _d_kernel_working(index, [d_out], [x], stride, padding)


def _backward_arguments(draw, height, width, kernel_height, kernel_width, stride=1, padding=0):
    rows, columns = ((n + 2 * padding - k) // stride + 1 for n, k in ((height, kernel_height), (width, kernel_width)))
    return draw.integers(rows, columns), draw.integers(height, width), draw.integers(kernel_height, kernel_width, low=-3, high=3)


def _backward_case(*shape, part="core", layout="plain", **kwargs):
    return Case(_backward_arguments(_fixed, *shape, **kwargs), kwargs, part, layout)


def _random_backward_case(draw):
    kernel = draw.integer(1, 3), draw.integer(1, 3)
    options = {"stride": draw.integer(1, 3), "padding": draw.integer(0, 2)}
    return Case(_backward_arguments(draw, *(k + draw.integer(0, 3) for k in kernel), *kernel, **options), options)


_HALVES = np.array([[0.5, -1.5, 0.25], [1.0, 0.5, -0.75]])
_WHOLE_IMAGE = np.array([[1, 2, 0, 4], [0, 3, 5, 1], [2, 1, 1, 3]])
_WHOLE_KERNEL = np.array([[1, -2], [3, 1]])

CONV2D_BACKWARD = CodeExercise(
    name="conv2d_backward",
    may_call=("conv2d",),
    title="the gradients of a convolution",
    points=4,
    reference=conv2d_backward,
    signature="conv2d_backward(d_out, x, kernel, stride=1, padding=0)",
    outputs=("d_x", "d_kernel"),
    cases=(
        Case((np.array([[2.0, 1.0], [0.0, -1.0]]), np.array([[1.0, 2, 0], [0, 1, 3], [2, 1, 1]]), np.array([[1.0, 3], [2, -1]]))),
        _backward_case(3, 5, 2, 3),
        _backward_case(4, 5, 3, 2, layout="read-only"),
        _backward_case(6, 5, 2, 3, stride=2),
        _backward_case(4, 6, 3, 2, padding=1, layout="strided"),
        _backward_case(5, 8, 3, 2, stride=3, padding=2, layout="fortran"),
        _backward_case(7, 4, 2, 2, stride=3),  # the last rows and columns meet no window
        _backward_case(3, 4, 1, 1),
        _backward_case(2, 3, 2, 3),
        Case((_HALVES, _WHOLE_IMAGE, _WHOLE_KERNEL), part="integers"),
        Case((np.pad(_HALVES, 1) + 0.5, _WHOLE_IMAGE.astype(np.uint8), _WHOLE_KERNEL), {"padding": 1}, part="integers"),
    ),
    random_case=_random_backward_case,
    parts={"core": 0.85, "integers": 0.15},
    explain=_backward_working,
    misconceptions=(
        Misconception(
            "kernel-flipped-in-d-x",
            "In d_x the kernel was turned by 180 degrees. The loop that adds `d_out[i, j] * kernel` to a window takes it as it is; "
            "the turned "
            "kernel belongs to the other way of computing the same, sliding over d_out.",
            _backward(to_x=lambda sofar, d, window, kernel: sofar + d * kernel[::-1, ::-1]),
        ),
        Misconception(
            "d-kernel-turned",
            "d_kernel came out turned by 180 degrees. Its top left entry belongs to the tap that saw the top left pixel of each window.",
            _after(lambda d_padded, d_kernel, d_out, p: (_inner(d_padded, p), d_kernel[::-1, ::-1])),
        ),
        Misconception(
            "windows-overwrite",
            "In d_x a window writes over what earlier windows left there. A pixel that several windows saw gets the sum: use `+=`.",
            _backward(to_x=lambda sofar, d, window, kernel: d * kernel),
        ),
        Misconception(
            "last-window-only",
            "d_kernel holds what the last window says. The same kernel made all outputs, so all windows add to it: use `+=`.",
            _backward(to_kernel=lambda sofar, d, window, kernel: d * window),
        ),
        Misconception(
            "overwritten-everywhere",
            "Both gradients hold what the last window says. Wherever a number took part several times, what comes back adds up: use `+=`.",
            _backward(to_kernel=lambda sofar, d, window, kernel: d * window, to_x=lambda sofar, d, window, kernel: d * kernel),
        ),
        Misconception(
            "padding-left-on",
            "d_x still has the rows and columns of the padding. The caller's image had none: cut them off at the end.",
            _after(lambda d_padded, d_kernel, d_out, p: (d_padded, d_kernel)),
        ),
        Misconception(
            "padding-cut-on-one-side",
            "The padding was cut off above and to the left only. It is there on all four sides.",
            _after(lambda d_padded, d_kernel, d_out, p: (d_padded[p:, p:], d_kernel)),
        ),
        Misconception(
            "empty-slice",
            "Without padding d_x came out empty: `[p:-p]` with p = 0 is `[0:0]`, which holds nothing. Cut with `[p:p + height]`.",
            _after(lambda d_padded, d_kernel, d_out, p: (d_padded[p:-p, p:-p], d_kernel)),
        ),
        Misconception(
            "padding-ignored",
            "The windows were cut from the image without its padding. Pad first, as the forward pass did.",
            _padding_ignored,
        ),
        Misconception(
            "stride-ignored",
            "The windows start one pixel apart, whatever the stride. Output (i, j) came from the window at (i * stride, j * stride).",
            _stride_ignored,
        ),
        Misconception(
            "other-order",
            "The two gradients came in the other order. The function returns d_x first, then d_kernel.",
            _after(lambda d_padded, d_kernel, d_out, p: (d_kernel, _inner(d_padded, p))),
        ),
        Misconception(
            "window-and-kernel-swapped",
            "Each gradient got what belongs to the other. In a product of a weight and a pixel, the weight's gradient is the pixel, "
            "and the "
            "pixel's gradient is the weight.",
            _backward(
                to_kernel=lambda sofar, d, window, kernel: sofar + d * kernel,
                to_x=lambda sofar, d, window, kernel: sofar + d * window,
            ),
        ),
        Misconception(
            "d-out-forgotten",
            "d_kernel adds up the windows alone. Each window counts as much as the loss cares about its output: times d_out[i, j].",
            _backward(to_kernel=lambda sofar, d, window, kernel: sofar + window),
        ),
        Misconception(
            "d-out-forgotten-twice",
            "d_out is in neither result. What a window sends back is multiplied by the gradient of its output, d_out[i, j].",
            _backward(to_kernel=lambda sofar, d, window, kernel: sofar + window, to_x=lambda sofar, d, window, kernel: sofar + kernel),
        ),
        Misconception(
            "mean-over-windows",
            "d_kernel is the mean over the windows. The loss is not a mean over windows here: what they say adds up.",
            _after(lambda d_padded, d_kernel, d_out, p: (_inner(d_padded, p), d_kernel / d_out.size)),
        ),
        Misconception(
            "sign-turned",
            "Both gradients have the other sign. A gradient points uphill; the minus comes later, when the optimizer takes its step.",
            _after(lambda d_padded, d_kernel, d_out, p: (-_inner(d_padded, p), -d_kernel)),
        ),
        Misconception(
            "zeros-like-integers",
            "With whole numbers in the image or the kernel, `np.zeros_like` makes an array of whole numbers, and NumPy refuses to add "
            "decimals to it. Make the arrays of zeros in float: `np.zeros(kernel.shape)`.",
            _zeros_like_integers,
        ),
        Misconception(
            "decimals-cut-off",
            "With whole numbers in the image or the kernel the gradient lost its decimals. A gradient is never a whole number for long: "
            "collect it in an array of floats.",
            _cut_to_whole_numbers,
        ),
        Misconception(
            "decimals-cut-off-cell-by-cell",
            "With whole numbers in the image or the kernel, `np.zeros_like` makes an array of whole numbers. Into a single cell of it "
            "NumPy stores what fits and drops the decimals without a word. Collect in floats: `np.zeros(kernel.shape)`.",
            _cut_cell_by_cell,
        ),
    ),
    hints=(
        "Take the loops of your forward convolution. For output (i, j) you have the window and the kernel. What has d_out[i, j] to "
        "say to each?",
        "A weight's gradient is the pixel it was multiplied with, times d_out[i, j]. A pixel's gradient is the weight, times d_out[i, j].",
        "d_kernel += d_out[i, j] * window, and for the image the same slice as the window: d_padded[...] += d_out[i, j] * kernel.",
        "Pad x first and make d_padded = np.zeros(padded.shape). At the end d_x = d_padded[padding:padding + H, padding:padding + W].",
    ),
)

# ------------------------------------------------------------------------------------------------ numeric_d_kernel


def _loss(x, kernel, target):
    return 0.5 * np.sum((conv2d(x, kernel) - target) ** 2)


def _differences(quotient):
    """Go through the taps: quotient(loss of a kernel, kernel, tap, step) -> an entry."""

    def answer(x, kernel, target, step=1e-5):
        kernel = np.asarray(kernel, dtype=float)
        gradient = np.zeros(kernel.shape)
        for tap in np.ndindex(kernel.shape):
            gradient[tap] = quotient(lambda moved: _loss(x, moved, target), kernel, tap, step)
        return gradient

    return answer


def _moved(kernel, tap, by):
    kernel = kernel.copy()
    kernel[tap] += by
    return kernel


def _never_moved_back(x, kernel, target, step=1e-5):
    kernel = np.array(kernel, dtype=float)
    gradient = np.zeros(kernel.shape)
    for tap in np.ndindex(kernel.shape):
        kernel[tap] += step
        above = _loss(x, kernel, target)
        kernel[tap] -= 2 * step
        gradient[tap] = (above - _loss(x, kernel, target)) / (2 * step)
    return gradient


def _all_at_once(x, kernel, target, step=1e-5):
    kernel = np.asarray(kernel, dtype=float)
    slope = (_loss(x, kernel + step, target) - _loss(x, kernel - step, target)) / (2 * step)
    return np.full(kernel.shape, slope)


def _step_lost_in_whole_numbers(x, kernel, target, step=1e-5):
    if np.asarray(kernel).dtype.kind == "f":
        return numeric_d_kernel(x, kernel, target)
    kernel = np.asarray(kernel)

    def moved(tap, by):
        copy = kernel.copy()
        copy[tap] = copy[tap] + by  # stored in whole numbers: the step is cut off
        return copy

    gradient = np.zeros(kernel.shape)
    for tap in np.ndindex(kernel.shape):
        gradient[tap] = (_loss(x, moved(tap, step), target) - _loss(x, moved(tap, -step), target)) / (2 * step)
    return gradient


def _refuses_whole_numbers(x, kernel, target, step=1e-5):
    if np.asarray(kernel).dtype.kind != "f":
        np.zeros(1, dtype=int).__iadd__(np.ones(1))
    return numeric_d_kernel(x, kernel, target)


def _numeric_case(height, width, kernel_height, kernel_width, layout="plain", **kwargs):
    x, kernel = _fixed.integers(height, width), _fixed.integers(kernel_height, kernel_width, low=-3, high=3)
    return Case((x, kernel, _fixed.integers(height - kernel_height + 1, width - kernel_width + 1)), kwargs, layout=layout)


def _random_numeric_case(draw):
    kernel = draw.integer(1, 3), draw.integer(1, 3)
    height, width = (k + draw.integer(0, 3) for k in kernel)
    x, weights = draw.integers(height, width), draw.integers(*kernel, low=-3, high=3)
    return Case((x, weights, draw.integers(height - kernel[0] + 1, width - kernel[1] + 1)), {"step": 0.5})


NUMERIC_D_KERNEL = CodeExercise(
    name="numeric_d_kernel",
    may_call=("conv2d",),
    title="a gradient by trying",
    points=2,
    reference=numeric_d_kernel,
    signature="numeric_d_kernel(x, kernel, target, step=1e-5)",
    cases=(
        Case((np.array([[1.0, 2.0, 0.0]]), np.array([[1.0, -1.0]]), np.array([[0.0, 1.0]])), {"step": 0.5}),
        _numeric_case(3, 4, 2, 3, step=0.5),
        _numeric_case(4, 6, 3, 2, step=0.25, layout="read-only"),
        _numeric_case(4, 5, 2, 2),
        _numeric_case(3, 5, 1, 1, step=2.0, layout="strided"),
        _numeric_case(2, 3, 2, 3, step=1.0, layout="fortran"),
        Case((_WHOLE_IMAGE, _WHOLE_KERNEL, _HALVES), part="integers"),
        Case((_WHOLE_IMAGE, _WHOLE_KERNEL, _HALVES), {"step": 0.5}, part="integers"),
    ),
    random_case=_random_numeric_case,
    parts={"core": 0.75, "integers": 0.25},
    misconceptions=(
        Misconception(
            "forward-difference",
            "Each weight was moved up only. Half a step is then missing on the other side: with step 0.5 it shows. Take the loss a step "
            "above and a step below.",
            _differences(lambda loss, kernel, tap, step: (loss(_moved(kernel, tap, step)) - loss(kernel)) / step),
        ),
        Misconception(
            "backward-difference",
            "Each weight was moved down only. Take the loss a step above and a step below.",
            _differences(lambda loss, kernel, tap, step: (loss(kernel) - loss(_moved(kernel, tap, -step))) / step),
        ),
        Misconception(
            "twice-too-large",
            "The slope is twice too large: from a step below to a step above it is two steps. Divide by 2 * step.",
            _differences(lambda loss, kernel, tap, step: (loss(_moved(kernel, tap, step)) - loss(_moved(kernel, tap, -step))) / step),
        ),
        Misconception(
            "divided-by-two-only",
            "The difference was divided by 2 alone. A slope is rise over run: divide by 2 * step.",
            _differences(lambda loss, kernel, tap, step: (loss(_moved(kernel, tap, step)) - loss(_moved(kernel, tap, -step))) / 2),
        ),
        Misconception(
            "multiplied-by-step",
            "`/ 2 * step` divides by 2 and then multiplies by the step. Put 2 * step in brackets.",
            _differences(lambda loss, kernel, tap, step: (loss(_moved(kernel, tap, step)) - loss(_moved(kernel, tap, -step))) / 2 * step),
        ),
        Misconception(
            "not-divided",
            "These are differences of the loss, not slopes. Divide by how far you went: 2 * step.",
            _differences(lambda loss, kernel, tap, step: loss(_moved(kernel, tap, step)) - loss(_moved(kernel, tap, -step))),
        ),
        Misconception(
            "never-moved-back",
            "A weight stays where it was moved while the next one is tried. Begin each weight with a fresh copy of the kernel.",
            _never_moved_back,
        ),
        Misconception(
            "all-at-once",
            "All weights were moved together, so every entry is the same. Move one weight at a time.",
            _all_at_once,
        ),
        Misconception(
            "below-minus-above",
            "The sign is turned: loss above minus loss below.",
            _differences(lambda loss, kernel, tap, step: (loss(_moved(kernel, tap, -step)) - loss(_moved(kernel, tap, step))) / (2 * step)),
        ),
        Misconception(
            "same-kernel-twice",
            "All slopes are zero: the loss was taken twice for the same kernel. Hand the moved copy to `loss`, not the kernel itself.",
            _differences(lambda loss, kernel, tap, step: 0.0),
        ),
        Misconception(
            "step-lost",
            "With whole numbers in the kernel the step is lost: a copy of it stores whole numbers only. Copy it in float.",
            _step_lost_in_whole_numbers,
        ),
        Misconception(
            "refuses-whole-numbers",
            "With whole numbers in the kernel NumPy refuses to add the step to a copy of it. Copy it in float: `kernel.astype(float)`.",
            _refuses_whole_numbers,
        ),
    ),
    hints=(
        "A slope is how much the loss rises, divided by how far you went. Which two kernels do you compare for weight (m, n)?",
        "Two copies of the kernel: in one, weight (m, n) is larger by the step; in the other, smaller by it. Nothing else differs. "
        "`above = kernel` is no copy but a second name for the same array: moving it changes the argument.",
        "(loss(above) - loss(below)) / (2 * step)",
        "Loop over the taps with np.ndindex(kernel.shape). In the loop: above, below = kernel.astype(float), kernel.astype(float); "
        "above[m, n] += step; below[m, n] -= step.",
    ),
)

# ------------------------------------------------------------------------------------------------ max_pool2d_backward


def _pool(d_out, x, pool_size, stride, passes, seen=None):
    """The loop over windows: passes(sofar, d, window) -> what the window's cells hold now. `seen` is how the windows lie."""
    d_out, x = np.asarray(d_out, dtype=float), np.asarray(x, dtype=float)
    d_x = np.zeros(x.shape)
    step, size = seen or (stride, pool_size)
    for n, c, i, j in np.ndindex(d_out.shape):
        here = n, c, slice(i * step, i * step + size), slice(j * step, j * step + size)
        if x[here].size:
            d_x[here] = passes(d_x[here], d_out[n, c, i, j], x[here])
    return d_x


def _pool_backward(passes, seen=None):
    def answer(d_out, x, pool_size=2, stride=2):
        return _pool(d_out, x, pool_size, stride, passes, seen and seen(pool_size, stride))

    return answer


def _first(window, which=0):
    winner = np.zeros(window.shape)
    winner[tuple(np.argwhere(window == window.max())[which])] = 1
    return winner


def _column_first(window):
    return _first(window.T).T


def _same_place_in_all_channels(d_out, x, pool_size=2, stride=2):
    d_out, x = np.asarray(d_out, dtype=float), np.asarray(x, dtype=float)
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(d_out.shape):
        here = slice(i * stride, i * stride + pool_size), slice(j * stride, j * stride + pool_size)
        if d_out.shape[1]:
            d_x[(n, c, *here)] += d_out[n, c, i, j] * _first(x[(n, 0, *here)])
    return d_x


def _first_image_only(d_out, x, pool_size=2, stride=2):
    right = max_pool2d_backward(d_out, x, pool_size, stride)
    right[1:] = 0
    return right


def _nothing_but_zeros(d_out, x, pool_size=2, stride=2):
    return np.zeros(np.shape(x))


def _place_without_the_window(d_out, x, pool_size=2, stride=2):
    d_out, x = np.asarray(d_out, dtype=float), np.asarray(x, dtype=float)
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(d_out.shape):
        window = x[n, c, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        d_x[n, c, row, column] += d_out[n, c, i, j]
    return d_x


def _taps_overwrite(d_out, x, pool_size=2, stride=2):
    d_out, x = np.asarray(d_out, dtype=float), np.asarray(x, dtype=float)
    d_x, free = np.zeros(x.shape), np.ones(d_out.shape, dtype=bool)
    y = pooling.max_pool2d(x, pool_size, stride)
    for tap in np.ndindex(pool_size, pool_size):
        here = (..., *(slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip(tap, d_out.shape[2:], strict=True)))
        wins = free & (x[here] == y)
        d_x[here] = wins * d_out
        free &= ~wins
    return d_x


def _refused_by_bytes(d_out, x, pool_size=2, stride=2):
    if np.asarray(x).dtype.kind != "f":
        np.zeros(1, dtype=int).__iadd__(np.ones(1))  # NumPy refuses to add decimals to whole numbers in place
    return max_pool2d_backward(d_out, x, pool_size, stride)


def _cut_by_bytes(d_out, x, pool_size=2, stride=2):
    return max_pool2d_backward(d_out, x, pool_size, stride).astype(np.asarray(x).dtype)


_ADD = {
    "first": lambda sofar, d, window: sofar + d * _first(window),
    "last": lambda sofar, d, window: sofar + d * _first(window, -1),
    "by column": lambda sofar, d, window: sofar + d * _column_first(window),
    "all": lambda sofar, d, window: sofar + d * (window == window.max()),
    "shared": lambda sofar, d, window: sofar + d * (window == window.max()) / np.sum(window == window.max()),
}


def _distinct(draw, *shape):
    """Maps in which no two values are the same, so that no window has a tie."""
    numbers, size = list(range(-(int(np.prod(shape)) // 2), int(np.prod(shape)))), int(np.prod(shape))
    return np.array([numbers.pop(draw.integer(0, len(numbers) - 1)) for _ in range(size)], dtype=float).reshape(shape)


def _pool_arguments(draw, n, c, height, width, pool_size=2, stride=2):
    rows, columns = ((size - pool_size) // stride + 1 for size in (height, width))
    return draw.integers(n, c, rows, columns, low=1, high=9) * (1 - 2 * draw.integers(n, c, rows, columns, low=0, high=1)), _distinct(
        draw, n, c, height, width
    )


def _pool_case(*shape, part="core", layout="plain", **kwargs):
    return Case(_pool_arguments(_fixed, *shape, **kwargs), kwargs, part, layout)


def _random_pool_case(draw):
    options = {"pool_size": draw.integer(1, 3), "stride": draw.integer(1, 3)}
    shape = draw.integer(1, 2), draw.integer(1, 2), *(options["pool_size"] + draw.integer(0, 3) for _ in range(2))
    return Case(_pool_arguments(draw, *shape, **options), options)


_TIES = np.array([[[[0.0, 5, 0, 0], [5, 5, 0, 0], [-1, -1, 2, 7], [-1, -1, 7, 7]]]])
_ALL_NEGATIVE = np.array([[[[-3.0, -1, -8, -4], [-2, -6, -5, -7]]]])

MAX_POOL2D_BACKWARD = CodeExercise(
    name="max_pool2d_backward",
    title="the gradient of max pooling",
    points=3,
    reference=max_pool2d_backward,
    signature="max_pool2d_backward(d_out, x, pool_size=2, stride=2)",
    cases=(
        Case((np.array([[[[10.0, -20.0]]]]), _ALL_NEGATIVE)),
        Case((np.array([[[[10.0, -20.0]]]]), np.array([[[[1.0, 5, 2], [0, 3, 4]]]])), {"stride": 1}),  # one winner of two windows
        _pool_case(1, 1, 4, 6),
        _pool_case(2, 3, 4, 2, layout="read-only"),
        _pool_case(1, 2, 5, 7),  # 2 does not divide them: a row and a column are in no window
        _pool_case(2, 2, 5, 4, pool_size=3, stride=1, layout="strided"),
        _pool_case(1, 2, 5, 7, pool_size=3, stride=2, layout="fortran"),
        _pool_case(1, 1, 5, 8, pool_size=2, stride=3),
        _pool_case(1, 2, 3, 2, pool_size=1, stride=1),
        Case((np.array([[[[1.0, 10.0], [100.0, 1000.0]]]]), _TIES), part="ties"),
        Case((np.array([[[[1.0, 10.0, 100.0]]]]), np.array([[[[3.0, 3, 3, 1], [3, 3, 3, 3]]]])), {"stride": 1}, part="ties"),
        Case((np.array([[[[0.5, 1.5]]]]), np.array([[[[0, 0, 4, 4], [0, 0, 200, 200]]]], dtype=np.uint8)), part="ties"),
    ),
    random_case=_random_pool_case,
    parts={"core": 0.8, "ties": 0.2},
    misconceptions=(
        Misconception(
            "every-winner",
            "Where several cells share the maximum, each of them got the whole gradient. One output cannot send back more than it got: the "
            "first of them takes it.",
            _pool_backward(_ADD["all"]),
        ),
        Misconception(
            "shared-among-winners",
            "Where several cells share the maximum, they shared the gradient. That is a fair rule too, but not the usual one: the "
            "first of them takes it.",
            _pool_backward(_ADD["shared"]),
        ),
        Misconception(
            "last-winner",
            "Where several cells share the maximum, the last of them took the gradient. The rule is the first, row by row.",
            _pool_backward(_ADD["last"]),
        ),
        Misconception(
            "first-by-column",
            "Where several cells share the maximum, the first going *down* took the gradient. The rule is the first row by row.",
            _pool_backward(_ADD["by column"]),
        ),
        Misconception(
            "shared-evenly",
            "Every cell of a window got an equal share. That is the gradient of *average* pooling; here one cell made the output.",
            _pool_backward(lambda sofar, d, window: sofar + d / window.size),
        ),
        Misconception(
            "to-everyone",
            "Every cell of a window got the gradient. Only the largest one made the output; a small change of the others changes nothing.",
            _pool_backward(lambda sofar, d, window: sofar + d),
        ),
        Misconception(
            "to-the-smallest",
            "The smallest cell of each window got the gradient.",
            _pool_backward(lambda sofar, d, window: sofar + d * _first(-window)),
        ),
        Misconception(
            "to-the-corner",
            "The top left cell of each window got the gradient, whoever was largest.",
            _pool_backward(lambda sofar, d, window: sofar + d * (np.arange(window.size).reshape(window.shape) == 0)),
        ),
        Misconception(
            "windows-overwrite",
            "A window writes over what earlier windows left there. Where windows overlap, what they send back adds up: use `+=`.",
            _pool_backward(lambda sofar, d, window: d * _first(window)),
        ),
        Misconception(
            "winner-overwritten",
            "A cell that wins in several windows kept what the last one sent. It adds up: use `+=`.",
            _pool_backward(lambda sofar, d, window: np.where(_first(window), d, sofar)),
        ),
        Misconception(
            "times-the-value",
            "The gradient was multiplied by the maximum itself. The output *is* the maximum: if it grows by a little, so does the output. "
            "The factor is 1.",
            _pool_backward(lambda sofar, d, window: sofar + d * _first(window) * window.max()),
        ),
        Misconception(
            "value-instead-of-gradient",
            "The maxima themselves were sent back. What comes back is d_out, and goes to where the maximum was.",
            _pool_backward(lambda sofar, d, window: sofar + _first(window) * window.max()),
        ),
        Misconception(
            "ones-instead-of-gradient",
            "There is a 1 at each maximum. It should be the output's gradient, d_out.",
            _pool_backward(lambda sofar, d, window: sofar + _first(window)),
        ),
        Misconception(
            "positive-maxima-only",
            "Maxima that are not positive got nothing. A maximum may be negative; cutting those off is the job of ReLU.",
            _pool_backward(lambda sofar, d, window: sofar + d * _first(window) * (window.max() > 0)),
        ),
        Misconception(
            "stride-ignored",
            "The windows were laid side by side, whatever the stride. Output (i, j) came from the window at (i * stride, j * stride).",
            _pool_backward(_ADD["first"], seen=lambda pool_size, stride: (pool_size, pool_size)),
        ),
        Misconception(
            "pool-size-ignored",
            "The windows are as large as the stride, whatever pool_size is.",
            _pool_backward(_ADD["first"], seen=lambda pool_size, stride: (stride, stride)),
        ),
        Misconception(
            "always-two-by-two",
            "The windows are 2×2 with stride 2, whatever was asked for.",
            _pool_backward(_ADD["first"], seen=lambda pool_size, stride: (2, 2)),
        ),
        Misconception(
            "place-in-the-window",
            "`argmax` tells the place *in the window*. In the image that place lies i * stride further down and j * stride further right.",
            _place_without_the_window,
        ),
        Misconception(
            "first-channel-decides",
            "The winners of channel 0 got the gradients of all channels. Each channel has its own maxima.",
            _same_place_in_all_channels,
        ),
        Misconception(
            "first-image-only",
            "Only the first image of the batch got anything.",
            _first_image_only,
        ),
        Misconception(
            "taps-overwrite",
            "A cell of the window writes over what earlier ones left at the same pixel. Where windows overlap, what they send back adds "
            "up: `d_x[...] += wins * d_out`, not `=`.",
            _taps_overwrite,
        ),
        Misconception(
            "zeros-like-integers",
            "With whole numbers in the maps, `np.zeros_like(x)` makes an array of whole numbers, and NumPy refuses to add decimals to it. "
            "Make it of floats: `np.zeros(x.shape)`.",
            _refused_by_bytes,
        ),
        Misconception(
            "decimals-cut-off",
            "With whole numbers in the maps the gradient lost its decimals: `np.zeros_like(x)` makes an array of whole numbers, and a "
            "single cell of it drops them without a word. Make it of floats: `np.zeros(x.shape)`.",
            _cut_by_bytes,
        ),
        Misconception("all-zeros", "The gradient stayed at zero everywhere. Is it added to d_x?", _nothing_but_zeros),
    ),
    hints=(
        "If the largest cell of a window grows by a little, so does the output. If another cell does, nothing happens. So who gets "
        "d_out, and what factor?",
        "Go over the cells (m, n) of the window, not over the image: x[:, :, m:m + (oH - 1) * stride + 1:stride, ...] holds that "
        "cell of every window at once.",
        "Compute the maxima y first. Cell (m, n) wins where it equals y and no earlier cell of that window has won: keep a mask of "
        "windows still open.",
        "wins = free & (cell == y), then d_x[that slice] += wins * d_out, then free &= ~wins. Begin with "
        "free = np.ones(d_out.shape, dtype=bool).",
    ),
)

# ------------------------------------------------------------------------------------------------ conv_forward

_HALF_WEIGHTS = Case((np.array([[[[1.0, 2, 3], [4, 5, 7]]]]), np.array([[[[0.5, -1.5]]]]), np.array([0.25])))  # decimals in the weights

CONV_FORWARD = replace(
    CONV_LAYER,
    cases=(*CONV_LAYER.cases, _HALF_WEIGHTS),
    name="conv_forward",
    title="a fast convolutional layer",
    points=2,
    signature="conv_forward(x, w, b, stride=1, padding=0)",
    hints=(
        "Instead of asking what one window sees, ask what one tap sees: tap (m, n) meets one pixel of every window. Where do these "
        "pixels lie?",
        "They start at row m, lie `stride` apart, and there are oH of them: rows m, m + stride, ..., m + (oH - 1) * stride.",
        "seen = x[:, :, m:m + (oH - 1) * stride + 1:stride, n:n + (oW - 1) * stride + 1:stride] has shape (N, C, oH, oW).",
        'y += np.einsum("nchw,oc->nohw", seen, w[:, :, m, n]) for each tap, and b[:, None, None] once at the end. '
        "np.tensordot(w[:, :, m, n], seen, axes=(1, 1)) is faster; it gives (O, N, oH, oW).",
    ),
)

# ------------------------------------------------------------------------------------------------ conv_layer_backward


def _layer_walk(d_out, x, w, stride=1, padding=0, w_used=None):
    """The gradients (of the padded images, of the weights, of the biases) by the loop over taps; `w_used` changes the weights in d_x."""
    d_out, x, w = (np.asarray(a, dtype=float) for a in (d_out, x, w))
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    used = w if w_used is None else w_used(w)
    d_padded, d_w = np.zeros(padded.shape), np.zeros(w.shape)
    for m, n in np.ndindex(w.shape[2:]):
        rows, columns = (slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip((m, n), d_out.shape[2:], strict=True))
        d_w[:, :, m, n] = np.einsum("nohw,nchw->oc", d_out, padded[:, :, rows, columns])
        d_padded[:, :, rows, columns] += np.einsum("nohw,oc->nchw", d_out, used[:, :, m, n])
    return d_padded, d_w, d_out.sum(axis=(0, 2, 3))


def _layer(change):
    """A wrong end: change(d_x, d_w, d_b, d_out, x) -> the three."""

    def answer(d_out, x, w, stride=1, padding=0):
        d_padded, d_w, d_b = _layer_walk(d_out, x, w, stride, padding)
        return change(_inner(d_padded, padding), d_w, d_b, np.asarray(d_out, dtype=float), np.asarray(x))

    return answer


def _layer_padding_left_on(d_out, x, w, stride=1, padding=0):
    return _layer_walk(d_out, x, w, stride, padding)


def _layer_kernels_turned(d_out, x, w, stride=1, padding=0):
    d_padded, d_w, d_b = _layer_walk(d_out, x, w, stride, padding, w_used=lambda w: w[:, :, ::-1, ::-1])
    return _inner(d_padded, padding), d_w, d_b


def _layer_taps_overwrite(d_out, x, w, stride=1, padding=0):
    d_padded, d_w, d_b = _layer_walk(d_out, x, w, stride, padding)
    d_padded, d_out, w = np.zeros(d_padded.shape), np.asarray(d_out, dtype=float), np.asarray(w, dtype=float)
    for m, n in np.ndindex(w.shape[2:]):
        rows, columns = (slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip((m, n), d_out.shape[2:], strict=True))
        d_padded[:, :, rows, columns] = np.einsum("nohw,oc->nchw", d_out, w[:, :, m, n])
    return _inner(d_padded, padding), d_w, d_b


def _layer_stride_ignored(d_out, x, w, stride=1, padding=0):
    d_padded, d_w, d_b = _layer_walk(d_out, x, w, 1, padding)
    return _inner(d_padded, padding), d_w, d_b


def _layer_padding_ignored(d_out, x, w, stride=1, padding=0):
    x, room = np.asarray(x, dtype=float), [(0, 2 * padding + k) for k in np.shape(w)[2:]]
    d_room, d_w, d_b = _layer_walk(d_out, np.pad(x, ((0, 0), (0, 0), *room)), w, stride)
    return d_room[:, :, : x.shape[2], : x.shape[3]], d_w, d_b


def _one_image(which):
    def answer(d_out, x, w, stride=1, padding=0):
        d_x, d_w, d_b = conv_layer_backward(d_out, x, w, stride, padding)
        return d_x, conv_layer_backward(d_out[which], x[which], w, stride, padding)[1], d_b

    return answer


def _first_filter_only(d_out, x, w, stride=1, padding=0):
    _, d_w, d_b = conv_layer_backward(d_out, x, w, stride, padding)
    return conv_layer_backward(d_out[:, :1], x, w[:1], stride, padding)[0], d_w, d_b


def _last_filter_only(d_out, x, w, stride=1, padding=0):
    _, d_w, d_b = conv_layer_backward(d_out, x, w, stride, padding)
    return conv_layer_backward(d_out[:, -1:], x, w[-1:], stride, padding)[0], d_w, d_b


def _channels_added(d_out, x, w, stride=1, padding=0):
    d_x, d_w, d_b = conv_layer_backward(d_out, x, w, stride, padding)
    return d_x, np.broadcast_to(d_w.sum(axis=1, keepdims=True), d_w.shape), d_b


def _layer_backward_working(part, index, d_out, x, w, stride=1, padding=0):
    d_out, x, w = (np.asarray(a, dtype=float) for a in (d_out, x, w))
    if part == "d_x":
        n, c, *place = index
        return _d_x_working(place, list(d_out[n]), list(w[:, c]), stride, padding)
    if part == "d_w" and len(x) == 1:  # the card would call several images channels
        o, c, *place = index
        return _d_kernel_working(place, list(d_out[:, o]), list(x[:, c]), stride, padding)
    return None


def _layer_arguments(draw, n, c, o, height, width, kernel_height, kernel_width, stride=1, padding=0):
    rows, columns = ((size + 2 * padding - k) // stride + 1 for size, k in ((height, kernel_height), (width, kernel_width)))
    return draw.integers(n, o, rows, columns), draw.integers(n, c, height, width), draw.integers(o, c, kernel_height, kernel_width)


def _layer_case(*shape, part="core", layout="plain", **kwargs):
    return Case(_layer_arguments(_fixed, *shape, **kwargs), kwargs, part, layout)


def _random_layer_case(draw):
    kernel = draw.integer(1, 3), draw.integer(1, 3)
    options = {"stride": draw.integer(1, 3), "padding": draw.integer(0, 2)}
    sizes = *(draw.integer(1, 3) for _ in range(3)), *(k + draw.integer(0, 3) for k in kernel)
    return Case(_layer_arguments(draw, *sizes, *kernel, **options), options)


CONV_LAYER_BACKWARD = CodeExercise(
    name="conv_layer_backward",
    may_call=("conv2d",),
    title="the gradients of a layer",
    points=4,
    reference=conv_layer_backward,
    signature="conv_layer_backward(d_out, x, w, stride=1, padding=0)",
    outputs=("d_x", "d_w", "d_b"),
    cases=(
        _layer_case(1, 1, 1, 3, 4, 2, 2),
        _layer_case(1, 2, 1, 3, 4, 2, 3),
        _layer_case(1, 1, 3, 4, 3, 2, 2),
        _layer_case(3, 1, 1, 3, 4, 2, 2, layout="read-only"),
        _layer_case(2, 3, 2, 4, 5, 3, 2),
        _layer_case(2, 2, 3, 6, 5, 2, 3, stride=2),
        _layer_case(2, 3, 2, 4, 6, 3, 2, padding=1, layout="strided"),
        _layer_case(2, 2, 2, 5, 8, 3, 2, stride=3, padding=2, layout="fortran"),
        _layer_case(2, 3, 4, 3, 5, 1, 1),
        Case((np.array([[_HALVES]]), _WHOLE_IMAGE[None, None], _WHOLE_KERNEL[None, None]), part="integers"),
    ),
    random_case=_random_layer_case,
    parts={"core": 0.85, "integers": 0.15},
    explain=_layer_backward_working,
    misconceptions=(
        Misconception(
            "kernels-flipped-in-d-x",
            "In d_x the kernels were turned by 180 degrees. The loop over taps takes each weight where it is.",
            _layer_kernels_turned,
        ),
        Misconception(
            "d-w-turned",
            "d_w came out turned by 180 degrees. Tap (m, n) of d_w comes from what tap (m, n) saw.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w[:, :, ::-1, ::-1], d_b)),
        ),
        Misconception(
            "taps-overwrite",
            "In d_x a tap writes over what earlier taps left there. A pixel that several taps met gets the sum: use `+=`.",
            _layer_taps_overwrite,
        ),
        Misconception(
            "padding-left-on",
            "d_x still has the rows and columns of the padding. Cut them off at the end.",
            _layer_padding_left_on,
        ),
        Misconception(
            "padding-ignored",
            "What the taps saw was cut from the images without their padding. Pad first, as the forward pass did.",
            _layer_padding_ignored,
        ),
        Misconception(
            "stride-ignored",
            "The pixels that a tap meets were taken one apart, whatever the stride. They lie `stride` apart.",
            _layer_stride_ignored,
        ),
        Misconception(
            "mean-over-the-batch",
            "d_w is the mean over the images. The loss already holds its mean, in d_out; here the images add up.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w / len(x), d_b)),
        ),
        Misconception(
            "means-over-the-batch",
            "d_w and d_b are means over the images. The loss already holds its mean, in d_out; here the images add up.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w / len(x), d_b / len(x))),
        ),
        Misconception(
            "first-image-only",
            "d_w comes from the first image alone. All images used the same weights, so all of them add to it.",
            _one_image(slice(0, 1)),
        ),
        Misconception(
            "last-image-only",
            "d_w comes from the last image alone. All images used the same weights: add them up with `+=`.",
            _one_image(slice(-1, None)),
        ),
        Misconception(
            "first-filter-only",
            "d_x comes from the first filter alone. A pixel was seen by every filter, so all of them add to it.",
            _first_filter_only,
        ),
        Misconception(
            "last-filter-only",
            "d_x comes from the last filter alone. A pixel was seen by every filter: add them up with `+=`.",
            _last_filter_only,
        ),
        Misconception(
            "channels-added",
            "In d_w the input channels were added up. Each channel has its own weights, and each weight its own gradient.",
            _channels_added,
        ),
        Misconception(
            "bias-by-image",
            "d_b has a row for each image. There is one bias for each filter: add up over the images too.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w, d_out.sum(axis=(2, 3)))),
        ),
        Misconception(
            "one-bias",
            "d_b is one number. Each filter has its own bias: leave the axis of the filters when you add up.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w, d_out.sum())),
        ),
        Misconception(
            "bias-mean",
            "d_b is a mean. The bias was added to every output cell, so the gradients of all cells add up.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w, d_out.mean(axis=(0, 2, 3)))),
        ),
        Misconception(
            "bias-mean-over-cells",
            "d_b is a mean over the rows and columns. The bias was added to every output cell, so their gradients add up.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w, d_out.mean(axis=(2, 3)).sum(axis=0))),
        ),
        Misconception(
            "bias-counts-cells",
            "d_b counts output cells. Each cell counts as much as the loss cares about it: add up d_out.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_x, d_w, np.full(d_b.shape, d_out[:, 0].size))),
        ),
        Misconception(
            "other-order",
            "The gradients came in another order. The function returns d_x, then d_w, then d_b.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_w, d_b, d_x)),
        ),
        Misconception(
            "weights-first",
            "d_w came before d_x. The function returns d_x, then d_w, then d_b.",
            _layer(lambda d_x, d_w, d_b, d_out, x: (d_w, d_x, d_b)),
        ),
        Misconception(
            "decimals-cut-off",
            "With whole numbers in the images or the weights the gradients lost their decimals. Collect them in arrays of floats.",
            lambda d_out, x, w, stride=1, padding=0: tuple(
                np.trunc(a) if np.asarray(x).dtype.kind != "f" else a for a in conv_layer_backward(d_out, x, w, stride, padding)
            ),
        ),
    ),
    hints=(
        "In the forward pass, tap (m, n) met `seen`, one pixel of every window, and `w[:, :, m, n]` decided what it adds to which "
        "map. Go back along the same way.",
        'd_w[:, :, m, n]: what tap (m, n) saw, times d_out, added up over images and windows: np.einsum("nohw,nchw->oc", d_out, seen).',
        'd_x, at the same slice as `seen`: np.einsum("nohw,oc->nchw", d_out, w[:, :, m, n]), added with +=.',
        "d_b = d_out.sum(axis=(0, 2, 3)). At the end cut the padding off: d_x[:, :, padding:padding + H, padding:padding + W].",
    ),
)

# ------------------------------------------------------------------------------------------------ transposed_conv2d


def _stamps(x, kernel, stride=2, size=None, rule=None, step=None):
    """Lay down one weighted copy of the kernel for each cell; rule(sofar, value, kernel) -> what stands there now."""
    x, kernel = np.asarray(x, dtype=float), np.asarray(kernel, dtype=float)
    rule = rule or (lambda sofar, value, kernel: sofar + value * kernel)
    down, right = step or (stride, stride)
    (height, width), (kernel_height, kernel_width) = x.shape, kernel.shape
    room = np.zeros(((height - 1) * down + kernel_height, (width - 1) * right + kernel_width))
    for i, j in np.ndindex(x.shape):
        here = slice(i * down, i * down + kernel_height), slice(j * right, j * right + kernel_width)
        room[here] = rule(room[here], x[i, j], kernel)
    if size is None:
        return room
    rows, columns = size(x.shape, kernel.shape, stride)
    output = np.zeros((max(rows, 0), max(columns, 0)))
    part = room[: len(output), : output.shape[1]]
    output[: part.shape[0], : part.shape[1]] = part
    return output


def _stamping(**changed):
    return lambda x, kernel, stride=2: _stamps(x, kernel, stride, **changed)


def _other_kernel(change):
    return lambda x, kernel, stride=2: _stamps(x, change(np.asarray(kernel)), stride)


def _correlated(padded, kernel):
    return conv2d(padded, kernel) if all(n >= k for n, k in zip(padded.shape, kernel.shape, strict=True)) else np.zeros((0, 0))


def spread_out(x, stride):
    """Put `stride - 1` rows and columns of zeros between the cells of a map."""
    rows, columns = ((n - 1) * stride + 1 for n in np.shape(x))
    wide = np.zeros((rows, columns))
    wide[::stride, ::stride] = x
    return wide


def published_transposed_conv2d(x, kernel, stride=2):
    """As a published page has it: padded on all sides by the kernel's height less 1."""
    kernel = np.asarray(kernel, dtype=float)
    return _correlated(np.pad(spread_out(x, stride), kernel.shape[0] - 1), kernel[::-1, ::-1])


def _padded_by_the_width(x, kernel, stride=2):
    kernel = np.asarray(kernel, dtype=float)
    return _correlated(np.pad(spread_out(x, stride), kernel.shape[1] - 1), kernel[::-1, ::-1])


def _pixels_repeated(x, kernel, stride=2):
    kernel = np.asarray(kernel, dtype=float)
    wide = np.kron(np.asarray(x, dtype=float), np.ones((stride, stride)))
    return _correlated(np.pad(wide, [(k - 1, k - 1) for k in kernel.shape]), kernel[::-1, ::-1])


def _zeros_after_the_last(x, kernel, stride=2):
    kernel = np.asarray(kernel, dtype=float)
    wide = np.zeros([n * stride for n in np.shape(x)])
    wide[::stride, ::stride] = x
    return _correlated(np.pad(wide, [(k - 1, k - 1) for k in kernel.shape]), kernel[::-1, ::-1])


def _not_padded(x, kernel, stride=2):
    return _correlated(spread_out(x, stride), np.asarray(kernel, dtype=float)[::-1, ::-1])


def _convolved(x, kernel, stride=2):
    x, kernel = np.asarray(x, dtype=float), np.asarray(kernel, dtype=float)
    return conv2d(x, kernel, stride) if all(n >= k for n, k in zip(x.shape, kernel.shape, strict=True)) else np.zeros((0, 0))


def _no_room(x, kernel, stride=2):
    x, kernel = np.asarray(x, dtype=float), np.asarray(kernel, dtype=float)
    output = np.zeros([n * stride for n in x.shape])
    for i, j in np.ndindex(x.shape):
        output[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]] += x[i, j] * kernel
    return output


def _transposed_working(index, x, kernel, stride=2):
    return _d_x_working(index, [np.asarray(x, dtype=float)], [np.asarray(kernel, dtype=float)], stride, 0, of="the map")


def _stamp_case(height, width, kernel_height, kernel_width, part="core", layout="plain", **kwargs):
    return Case((_fixed.integers(height, width), _fixed.integers(kernel_height, kernel_width, low=-3, high=3)), kwargs, part, layout)


def _random_stamp_case(draw):
    arguments = draw.integers(draw.integer(1, 4), draw.integer(1, 4)), draw.integers(draw.integer(1, 3), draw.integer(1, 3), low=-3)
    return Case(arguments, {"stride": draw.integer(1, 3)})


TRANSPOSED_CONV2D = CodeExercise(
    name="transposed_conv2d",
    may_call=("conv2d",),
    title="the transposed convolution",
    points=3,
    reference=transposed_conv2d,
    signature="transposed_conv2d(x, kernel, stride=2)",
    cases=(
        Case((np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0, 3.0], [4, 5, 6], [7, 8, 9]]))),
        _stamp_case(3, 4, 3, 2),
        _stamp_case(3, 4, 2, 3, layout="read-only"),
        _stamp_case(2, 3, 3, 3, stride=1, layout="strided"),
        _stamp_case(2, 3, 2, 1, stride=3),  # gaps between the copies
        _stamp_case(3, 2, 2, 4, stride=3, layout="fortran"),
        _stamp_case(2, 3, 1, 1),
        _stamp_case(1, 1, 2, 3),
        _stamp_case(4, 2, 2, 2),
        Case((_WHOLE_KERNEL, _HALVES), part="integers"),
        Case((np.array([[100, 200], [50, 0]], dtype=np.uint8), _HALVES[:1]), {"stride": 1}, part="integers"),
    ),
    random_case=_random_stamp_case,
    parts={"core": 0.85, "integers": 0.15},
    explain=_transposed_working,
    misconceptions=(
        Misconception(
            "kernel-turned",
            "Every copy of the kernel is turned by 180 degrees. If you slide over a spread-out map, turn the kernel first; if you lay down "
            "copies, take it as it is.",
            _other_kernel(lambda kernel: kernel[::-1, ::-1]),
        ),
        Misconception(
            "kernel-transposed",
            "The kernel's rows and columns were swapped. In *transposed convolution* it is the convolution's big matrix that is "
            "transposed.",
            _other_kernel(lambda kernel: kernel.T),
        ),
        Misconception(
            "padded-by-the-height",
            "The map was padded by kH - 1 on all sides. Going across it takes kW - 1. For square kernels nobody notices.",
            published_transposed_conv2d,
        ),
        Misconception(
            "padded-by-the-width",
            "The map was padded by kW - 1 on all sides. Going down it takes kH - 1. For square kernels nobody notices.",
            _padded_by_the_width,
        ),
        Misconception(
            "copies-overwrite",
            "Where copies of the kernel overlap, the later one stays. They add up: use `+=`.",
            _stamping(rule=lambda sofar, value, kernel: value * kernel),
        ),
        Misconception(
            "stride-always-two",
            "The copies lie 2 apart, whatever the stride.",
            lambda x, kernel, stride=2: _stamps(x, kernel, 2),
        ),
        Misconception(
            "stride-ignored", "The copies lie one cell apart, whatever the stride.", lambda x, kernel, stride=2: _stamps(x, kernel, 1)
        ),
        Misconception(
            "stride-in-rows-only",
            "The copies are `stride` apart going down, and one apart going across.",
            lambda x, kernel, stride=2: _stamps(x, kernel, step=(stride, 1)),
        ),
        Misconception(
            "stride-in-columns-only",
            "The copies are `stride` apart going across, and one apart going down.",
            lambda x, kernel, stride=2: _stamps(x, kernel, step=(1, stride)),
        ),
        Misconception(
            "side-by-side",
            "The copies were laid side by side without overlap. They lie `stride` apart: a kernel larger than the stride overlaps.",
            lambda x, kernel, stride=2: _stamps(x, kernel, step=np.shape(kernel)),
        ),
        Misconception(
            "exactly-stride-times",
            "The output has stride times the size of the map. That is only so when the kernel is as large as the stride: the last "
            "copy begins at "
            "(H - 1) * stride and needs kH rows.",
            _stamping(size=lambda map_size, kernel, stride: [n * stride for n in map_size]),
        ),
        Misconception(
            "no-room-for-the-last-copy",
            "The output was given stride times the size of the map, and a copy of a larger kernel does not fit in there. The last copy "
            "begins at (H - 1) * stride and needs kH rows.",
            _no_room,
        ),
        Misconception(
            "cut-to-the-spread-map",
            "What the kernel lays down beyond the spread-out map is missing. The last copy begins at (H - 1) * stride and needs kH rows.",
            _stamping(size=lambda map_size, kernel, stride: [(n - 1) * stride + 1 for n in map_size]),
        ),
        Misconception(
            "one-stride-too-large",
            "There are `stride` empty rows and columns too many. The last copy begins at (H - 1) * stride, not at H * stride.",
            _stamping(size=lambda map_size, kernel, stride: [n * stride + k for n, k in zip(map_size, kernel, strict=True)]),
        ),
        Misconception(
            "zeros-after-the-last",
            "Zeros were also put after the last row and column. They belong *between* the cells only.",
            _zeros_after_the_last,
        ),
        Misconception(
            "not-padded",
            "The spread-out map was not padded before the kernel slid over it. Each cell must meet every tap: pad by kH - 1 and kW - 1.",
            _not_padded,
        ),
        Misconception(
            "pixels-repeated",
            "Each cell was repeated instead of being followed by zeros. That is enlarging by copying; here there are zeros between "
            "the cells.",
            _pixels_repeated,
        ),
        Misconception(
            "ordinary-convolution",
            "This is the ordinary convolution with that stride: the map became smaller. The transposed one goes the other way.",
            _convolved,
        ),
        Misconception(
            "kernel-not-weighted",
            "Every copy of the kernel is the same. A copy is multiplied by the cell that lays it down.",
            _stamping(rule=lambda sofar, value, kernel: sofar + kernel),
        ),
        Misconception(
            "divided-by-overlaps",
            "Where copies overlap, their mean was taken. They add up: the transposed convolution does not undo a convolution, it is "
            "its transpose.",
            lambda x, kernel, stride=2: (
                _stamps(x, kernel, stride) / np.maximum(1, _stamps(np.ones(np.shape(x)), np.ones(np.shape(kernel)), stride))
            ),
        ),
        Misconception(
            "decimals-cut-off",
            "With whole numbers in the map the decimals were lost. Collect in an array of floats.",
            lambda x, kernel, stride=2: (
                np.trunc(transposed_conv2d(x, kernel, stride)) if np.asarray(x).dtype.kind != "f" else transposed_conv2d(x, kernel, stride)
            ),
        ),
    ),
    hints=(
        "You have written it already: it is what conv2d_backward does to get d_x. Read x as d_out; you may call it, with an array of zeros "
        "for the image.",
        "Cell (i, j) lays down x[i, j] * kernel with its top left corner at (i * stride, j * stride). How large must the output be "
        "for the last one?",
        "output = np.zeros(((H - 1) * stride + kH, (W - 1) * stride + kW)), in floats.",
        "Two loops, and in them: output[i * stride:i * stride + kH, j * stride:j * stride + kW] += x[i, j] * kernel.",
    ),
)

EXERCISES = (CONV2D_BACKWARD, NUMERIC_D_KERNEL, MAX_POOL2D_BACKWARD, CONV_FORWARD, CONV_LAYER_BACKWARD, TRANSPOSED_CONV2D)
