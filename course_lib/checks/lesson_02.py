"""Lesson 2, convolution from scratch: what the student's functions are checked with.

Each misconception is the wrong function itself. Where one is nothing but the right one with another window, size or
combination, it is written as `_slide(...)` with that one thing changed, so that the difference is all there is to read.
"""

import math

import numpy as np

from .. import arithmetic, convolution
from .exercise import Case, CodeExercise, Draw, Misconception, Working

# ------------------------------------------------------------------------------------------------ right answers


def conv2d(image, kernel, padding=0, stride=1, dilation=1):
    """The right answer for one image and one kernel: (H, W), (kH, kW) -> (oH, oW), in float64."""
    image, kernel = np.asarray(image, dtype=float), np.asarray(kernel, dtype=float)
    return convolution.conv2d(image[None], kernel[None, None], padding=padding, stride=stride, dilation=dilation)[0]


def conv_layer(x, w, b, stride=1, padding=0):
    """The right answer for a layer: (N, C, H, W), (O, C, kH, kW), (O,) -> (N, O, oH, oW), in float64."""
    x, w, b = (np.asarray(a, dtype=float) for a in (x, w, b))
    return convolution.conv2d(x, w, b, stride=stride, padding=padding)


def im2col(image, kernel_height, kernel_width):
    """One row a window, in reading order: (H, W) -> (oH * oW, kH * kW)."""
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(image, dtype=float), (kernel_height, kernel_width))
    return windows.reshape(-1, kernel_height * kernel_width)


# ------------------------------------------------------------------------------------------------ wrong answers


def _conv2d(image, kernel, padding=0, stride=1, dilation=1):
    """As `conv2d`, without refusing: where no window fits, what NumPy makes of an output of size 0 (nothing) or less (an error)."""
    sizes = [(n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(np.shape(image), np.shape(kernel), strict=True)]
    return conv2d(image, kernel, padding, stride, dilation) if min(sizes) > 0 else np.zeros(sizes)


def _sum(window, kernel):
    return np.sum(window * kernel)


def _slide(image, kernel, stride=1, size=None, covers=None, combine=_sum, dtype=float):
    """The loop that students write, with each of its decisions open to being wrong."""
    image, kernel = np.asarray(image), np.asarray(kernel)
    (height, width), (kernel_height, kernel_width) = image.shape, covers or kernel.shape
    rows, columns = size or ((height - kernel_height) // stride + 1, (width - kernel_width) // stride + 1)
    output = np.zeros((rows, columns), dtype=dtype)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            output[i, j] = combine(image[top : top + kernel_height, left : left + kernel_width], kernel)
    return output


def _sizes(image, kernel):
    return (*np.shape(image), *np.shape(kernel))


def _mean_of_products(image, kernel):
    return conv2d(image, kernel) / np.size(kernel)


def _output_of_image_size(image, kernel):
    output = np.zeros(np.shape(image))
    right = conv2d(image, kernel)
    output[: right.shape[0], : right.shape[1]] = right
    return output


def _one_row_and_column_short(image, kernel):
    return conv2d(image, kernel)[:-1, :-1]


def _windows_cut_at_the_edge(image, kernel):
    below, right = (n - 1 for n in np.shape(kernel))
    return conv2d(np.pad(np.asarray(image, dtype=float), ((0, below), (0, right))), kernel)


def _last_row_and_column_empty(image, kernel):
    output = conv2d(image, kernel)
    output[-1], output[:, -1] = 0, 0
    return output


def _never_reset(image, kernel):
    return np.cumsum(conv2d(image, kernel)).reshape(conv2d(image, kernel).shape)


def _reset_by_row(image, kernel):
    return np.cumsum(conv2d(image, kernel), axis=1)


def _only_first(rows, columns):
    """The output of a loop that returns too early: the first so many rows and columns, and zeros."""

    def answer(image, kernel):
        right = conv2d(image, kernel)
        output = np.zeros_like(right)
        output[:rows, :columns] = right[:rows, :columns]
        return output

    return answer


def _as_stored(values, dtype):
    """What is left of the right values in an output of this dtype, which cuts decimals off and wraps."""
    return values if np.issubdtype(dtype, np.floating) else np.trunc(values).astype(np.int64).astype(dtype)


def _image_dtype(image, kernel):
    """In an output of the image's dtype; the products are computed in the arrays' own."""
    exact = _slide(image, kernel, combine=lambda window, kernel: np.sum(window * kernel))
    return _as_stored(exact, np.asarray(image).dtype)


def _rows_and_columns_swapped(image, kernel):
    height, width, kernel_height, kernel_width = _sizes(image, kernel)
    return _slide(image, kernel, size=(width - kernel_width + 1, height - kernel_height + 1))


def _kernel_height_twice(image, kernel):
    height, width, kernel_height, _ = _sizes(image, kernel)
    return _slide(image, kernel, size=(height - kernel_height + 1, width - kernel_height + 1), covers=(kernel_height, kernel_height))


def _image_height_twice(image, kernel):
    height, _, kernel_height, kernel_width = _sizes(image, kernel)
    return _slide(image, kernel, size=(height - kernel_height + 1, height - kernel_width + 1))


def _three_by_three(image, kernel):
    height, width, *_ = _sizes(image, kernel)
    return _slide(image, kernel, size=(height - 2, width - 2), covers=(3, 3))


def _padded_unasked(image, kernel):
    _, _, kernel_height, kernel_width = _sizes(image, kernel)
    return conv2d(image, kernel, padding=(kernel_height // 2, kernel_width // 2))


def _whole_numbers(image, kernel):
    return np.trunc(conv2d(image, kernel))


def _sum_overflows(image, kernel):
    return _slide(image, kernel, combine=lambda window, kernel: np.sum(window * kernel, dtype=(window * kernel).dtype))


FLIPPED = "The kernel was turned upside down and left to right before sliding. That is convolution as mathematicians write it; here, \
and in PyTorch, the kernel is laid on the image as it is."

OVERFLOW = "Right for floats, but whole numbers grew too large for their type: in uint8, 200 * 2 is 144. Convert the image to float first."

SLIDING = (  # slips that any sliding window can have; each takes (image, kernel)
    Misconception("flipped-kernel", FLIPPED, lambda image, kernel: conv2d(image, np.asarray(kernel)[::-1, ::-1])),
    Misconception(
        "rows-flipped",
        "The kernel's rows came in the opposite order. Row 0 of the kernel belongs over the top row of the window.",
        lambda image, kernel: conv2d(image, np.asarray(kernel)[::-1]),
    ),
    Misconception(
        "columns-flipped",
        "The kernel's columns came in the opposite order. Column 0 of the kernel belongs over the left column of the window.",
        lambda image, kernel: conv2d(image, np.asarray(kernel)[:, ::-1]),
    ),
    Misconception(
        "transposed-kernel",
        "The kernel's rows were used as columns. Multiply entry (m, n) of the window by entry (m, n) of the kernel.",
        lambda image, kernel: _conv2d(image, np.asarray(kernel).T),
    ),
    Misconception(
        "transposed-output",
        "The output's rows and columns are exchanged. The window at row i, column j belongs in output[i, j].",
        lambda image, kernel: conv2d(image, kernel).T,
    ),
    Misconception(
        "mean-for-sum",
        "The products were averaged. A convolution adds them up and does not divide.",
        _mean_of_products,
    ),
    Misconception(
        "max-for-sum",
        "The largest product was taken. That is close to max pooling; a convolution adds all the products.",
        lambda image, kernel: _slide(image, kernel, combine=lambda window, kernel: np.max(window * kernel)),
    ),
    Misconception(
        "matrix-product",
        "Window and kernel were multiplied as matrices (@ or np.dot). Here entry meets entry: window * kernel, then the sum.",
        lambda image, kernel: _slide(image, kernel, combine=lambda window, kernel: np.sum(window @ kernel)),
    ),
    Misconception(
        "kernel-ignored",
        "The pixels of the window were added up without the kernel's weights.",
        lambda image, kernel: _slide(image, kernel, combine=lambda window, kernel: np.sum(window)),
    ),
    Misconception(
        "accumulator-not-reset",
        "Each value also holds the sums of the windows before it. Start the sum at zero for every window.",
        _never_reset,
    ),
    Misconception(
        "accumulator-reset-by-row",
        "Each value also holds the sums before it in its row. Start the sum at zero for every window: inside the inner loop.",
        _reset_by_row,
    ),
    Misconception(
        "last-product-only",
        "Only the last product of each window is left: each overwrote the one before. Add them up (+=).",
        lambda image, kernel: _slide(image, kernel, combine=lambda window, kernel: float(window[-1, -1]) * kernel[-1, -1]),
    ),
    Misconception(
        "returned-after-first-row",
        "Only the first row of the output is filled. Does `return` stand inside the outer loop? It ends the function: move it out.",
        _only_first(1, None),
    ),
    Misconception(
        "returned-after-first-value",
        "Only the first value of the output is filled. Does `return` stand inside the loops? It ends the function: move it out.",
        _only_first(1, 1),
    ),
    Misconception(
        "off-by-one",
        "The last row and the last column are missing. An image of 5 holds windows of 3 starting at 0, 1 and 2: that is 5 - 3 + 1.",
        _one_row_and_column_short,
    ),
    Misconception(
        "last-windows-missing",
        "The last row and column of the output stayed at zero. range(n) ends before n by itself, so no - 1 is needed there.",
        _last_row_and_column_empty,
    ),
    Misconception(
        "windows-cut-at-the-edge",
        "Windows were started at every pixel, and those over the edge were cut off. Only whole windows count: H - kH + 1 of them.",
        _windows_cut_at_the_edge,
    ),
    Misconception(
        "image-size-output",
        "The output is as large as the image, its last rows and columns never filled. Only H - kH + 1 windows fit.",
        _output_of_image_size,
    ),
    Misconception(
        "height-width-swapped",
        "Height and width are exchanged in the output's size. `shape` is (rows, columns): height first.",
        _rows_and_columns_swapped,
    ),
    Misconception(
        "kernel-height-twice",
        "The kernel's height was used for its width too. Kernels need not be square.",
        _kernel_height_twice,
    ),
    Misconception(
        "image-height-twice",
        "The image's height was used for its width too. Images need not be square.",
        _image_height_twice,
    ),
    Misconception(
        "three-by-three",
        "It works for 3x3 kernels only. Take kH and kW from kernel.shape.",
        _three_by_three,
    ),
    Misconception(
        "integer-output",
        "Everything after the decimal point was lost. An output of an integer dtype cuts what is stored in it; np.zeros(shape) has floats.",
        _whole_numbers,
    ),
    Misconception(
        "output-of-image-dtype",
        "Right for floats. But the output took the image's dtype, and in an array of whole numbers decimals and large sums get lost.",
        _image_dtype,
    ),
    Misconception("overflow", OVERFLOW, _slide),
    Misconception(
        "sum-overflow",
        "The products and their sum grew too large for their type: uint8 counts to 255 and starts again. Convert the image to float first.",
        _sum_overflows,
    ),
    Misconception(
        "all-zeros",
        "The output stayed at zero. Is the sum stored in output[i, j]?",
        lambda image, kernel: np.zeros_like(conv2d(image, kernel)),
    ),
    Misconception(
        "flat-output",
        "The values are right, but they stand in one long row. The output has a row for each row of windows: reshape it.",
        lambda image, kernel: conv2d(image, kernel).ravel(),
    ),
    Misconception(
        "extra-axes",
        "The output has axes that nobody asked for. One image and one kernel give one map: (oH, oW).",
        lambda image, kernel: conv2d(image, kernel)[None, None],
    ),
)


def _with(misconception, answer):
    return Misconception(misconception.slug, misconception.sentence, answer)


def _named(slug):
    return next(m for m in SLIDING if m.slug == slug)


def _carried(*slugs):
    """Misconceptions of the plain sliding window, met again in a function with padding and stride."""

    def carry(misconception):
        def answer(image, kernel, padding=0, stride=1):
            output = misconception.answer(np.pad(np.asarray(image), padding), kernel)
            return output[..., ::stride, ::stride] if stride > 1 else output

        return _with(misconception, answer)

    return tuple(carry(_named(slug)) for slug in slugs)


# ------------------------------------------------------------------------------------------------ cases


_rng = np.random.default_rng(20)
_fixed = Draw(lambda low, high: int(_rng.integers(low, high, endpoint=True)))  # the same numbers every time
IMAGE_3X4, IMAGE_4X6, IMAGE_6X4, IMAGE_5X7 = (_fixed.integers(*shape) for shape in ((3, 4), (4, 6), (6, 4), (5, 7)))
KERNEL_2X2, KERNEL_2X3, KERNEL_3X2, KERNEL_3X3 = (_fixed.integers(*shape) for shape in ((2, 2), (2, 3), (3, 2), (3, 3)))
HALVES = KERNEL_2X2 + 0.5
BYTES = np.array([[200, 3, 180, 90], [7, 250, 60, 1], [120, 0, 255, 30]], dtype=np.uint8)
SMALL_BYTES = np.array([[2, 3], [1, 2]], dtype=np.uint8)
SIGNED_BYTES = np.array([[100, -100, 90], [-128, 127, 5]], dtype=np.int8)
WHOLE = IMAGE_4X6.astype(np.int64)

PARTS = {"core": 0.8, "integers": 0.2}


def _plain_cases(**kwargs):
    return (
        Case((IMAGE_3X4, KERNEL_2X2), kwargs),
        Case((IMAGE_4X6, KERNEL_2X3), kwargs, layout="read-only"),
        Case((IMAGE_6X4, KERNEL_3X2), kwargs),
        Case((IMAGE_5X7, KERNEL_3X3), kwargs, layout="strided"),
        Case((IMAGE_3X4, np.array([[-2.0]])), kwargs),
        Case((IMAGE_3X4, IMAGE_3X4[::-1].copy()), kwargs),
        Case((IMAGE_4X6 / 4, HALVES), kwargs, layout="fortran"),
        Case((WHOLE, KERNEL_2X3 / 2), kwargs, part="integers"),
        Case((BYTES, SMALL_BYTES), kwargs, part="integers"),
        Case((SIGNED_BYTES, np.array([[2, -1]], dtype=np.int8)), kwargs, part="integers"),
    )


def _random_image_kernel(draw, dilation=1):
    kernel = draw.integer(1, 3), draw.integer(1, 3)
    image = [dilation * (size - 1) + 1 + draw.integer(0, 3) for size in kernel]
    return draw.integers(*image), draw.integers(*kernel)


def working(index, image, kernel, padding=0, stride=1, dilation=1, show_products=True):
    """How one output value of a plain convolution comes about."""
    padded, kernel = np.pad(np.asarray(image, dtype=float), padding), np.asarray(kernel, dtype=float)
    rows = index[0] * stride + dilation * np.arange(kernel.shape[0])
    columns = index[1] * stride + dilation * np.arange(kernel.shape[1])
    mask = np.zeros(padded.shape, dtype=bool)
    mask[np.ix_(rows, columns)] = True
    return Working((padded,), mask, (padded[np.ix_(rows, columns)],), (kernel,), show_products=show_products)


# ------------------------------------------------------------------------------------------------ output_size


def _size_with(formula):
    def answer(size, kernel, padding=0, stride=1, dilation=1):
        return formula(size, kernel, padding, stride, dilation)

    return answer


OUTPUT_SIZE = CodeExercise(
    name="output_size",
    title="the size of the output",
    points=2,
    reference=arithmetic.output_size,
    signature="output_size(size, kernel, padding=0, stride=1, dilation=1)",
    exact=True,
    cases=(
        Case((7, 3)),
        Case((28, 5)),
        Case((28, 3), {"padding": 1}),
        Case((28, 3), {"padding": 1, "stride": 2}),
        Case((32, 5, 0, 2)),
        Case((224, 7, 3, 2)),
        Case((10, 4, 1, 3)),
        Case((7, 3, 0, 1, 2)),
        Case((11, 3, 2, 2, 3)),
        Case((9, 2, 1, 4, 2)),
        Case((10, 1, 0, 4)),
        Case((5, 5)),
        Case((1, 1)),
    ),
    random_case=lambda draw: Case(
        (draw.integer(12, 40), draw.integer(1, 6), draw.integer(0, 3), draw.integer(1, 4), draw.integer(1, 2)),
    ),
    misconceptions=(
        Misconception(
            "no-floor",
            "Half a window does not count: when the stride does not divide, round the division down (//).",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - d * (k - 1) - 1) / s + 1),
        ),
        Misconception(
            "ceil",
            "The division was rounded up. A last window that would reach past the edge is left out, so round down.",
            _size_with(lambda n, k, p, s, d: math.ceil((n + 2 * p - d * (k - 1) - 1) / s) + 1),
        ),
        Misconception(
            "rounded",
            "The division was rounded to the nearest number. A window that does not fit whole is left out: round down.",
            _size_with(lambda n, k, p, s, d: math.floor((n + 2 * p - d * (k - 1) - 1) / s + 0.5) + 1),
        ),
        Misconception(
            "plus-one-forgotten",
            "One is missing: the window at position 0 counts too, so add 1 after dividing.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - d * (k - 1) - 1) // s),
        ),
        Misconception(
            "plus-one-inside",
            "The 1 was added before dividing. Divide first, then add the window at position 0.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - d * (k - 1)) // s),
        ),
        Misconception(
            "padding-once",
            "The padding was counted on one side only. It goes on both: 2 * padding.",
            _size_with(lambda n, k, p, s, d: (n + p - d * (k - 1) - 1) // s + 1),
        ),
        Misconception(
            "padding-ignored",
            "The padding is not in the result.",
            _size_with(lambda n, k, p, s, d: (n - d * (k - 1) - 1) // s + 1),
        ),
        Misconception(
            "stride-ignored",
            "The stride is not in the result.",
            _size_with(lambda n, k, p, s, d: n + 2 * p - d * (k - 1)),
        ),
        Misconception(
            "dilation-ignored",
            "The dilation is not in the result. A dilated kernel covers more pixels than it has taps: count them in the picture.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - k) // s + 1),
        ),
        Misconception(
            "dilation-times-kernel",
            "A kernel of 3 with dilation 2 covers 5 pixels, not 6: there are gaps between the taps only, and one fewer than taps.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - d * k) // s + 1),
        ),
        Misconception(
            "one-gap-only",
            "The dilation was added to the kernel's size once. There is a gap between every two taps: kernel - 1 of them.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - (k + d - 1)) // s + 1),
        ),
        Misconception(
            "dilation-for-stride",
            "The dilation was used as a step of the window. It spreads the kernel's taps; the window still moves by the stride.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p - k) // (s * d) + 1),
        ),
        Misconception(
            "divided-too-early",
            "The stride divided the padded size alone. Take away what the kernel covers first, then divide.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p) // s - d * (k - 1)),
        ),
        Misconception(
            "kernel-added",
            "The output came out larger than the padded image. A larger kernel has fewer places: take it away.",
            _size_with(lambda n, k, p, s, d: (n + 2 * p + d * (k - 1)) // s + 1),
        ),
    ),
    hints=(
        "How far can the window's left edge travel before its right edge leaves the padded image?",
        "The padded image is size + 2 * padding wide. The dilated kernel covers dilation * (kernel - 1) + 1 of it.",
        "The left edge can move (padded size - covered) pixels, in steps of the stride. Count the steps, and the place where it started.",
        "(size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1",
    ),
)

# ------------------------------------------------------------------------------------------------ conv2d

CONV2D = CodeExercise(
    name="conv2d",
    title="convolution in plain loops (7.1)",
    points=5,
    reference=conv2d,
    signature="conv2d(image, kernel)",
    cases=_plain_cases(),
    random_case=lambda draw: Case(_random_image_kernel(draw)),
    parts=PARTS,
    explain=working,
    misconceptions=(
        *SLIDING,
        Misconception(
            "padded-unasked",
            "Zeros were added around the image. This first version has no padding: only windows that lie wholly inside count.",
            _padded_unasked,
        ),
    ),
    hints=(
        "How many places are there for the window, down and across? That is the output's shape.",
        "For the output at (i, j), the window's top left pixel is image[i, j]. Which slice of the image has the kernel's shape?",
        "patch = image[i:i + kH, j:j + kW], then multiply it by the kernel entry by entry and add up.",
        "Two loops, over i in range(H - kH + 1) and j in range(W - kW + 1), and in them: output[i, j] = np.sum(patch * kernel). "
        "If whole numbers go wrong, convert the image to float before the loops.",
    ),
)

# ------------------------------------------------------------------------------------------------ conv2d_padded


def _padded_by(pad):
    """A wrong way of padding: pad(image, padding, kernel) -> the padded image."""
    return lambda image, kernel, padding=0: _conv2d(pad(np.asarray(image, dtype=float), padding, np.asarray(kernel)), kernel)


PADDING = (
    Misconception(
        "never-padded",
        "The padding argument changes nothing. Put that many rows and columns of zeros around the image first.",
        _padded_by(lambda image, p, kernel: image),
    ),
    Misconception(
        "always-padded",
        "The image was padded by 1 whatever was asked for. Use the argument: padding=0 means none, padding=2 means two.",
        _padded_by(lambda image, p, kernel: np.pad(image, 1)),
    ),
    Misconception(
        "padded-to-same",
        "The padding was chosen from the kernel, to keep the size. Use the number that the caller gave.",
        _padded_by(lambda image, p, kernel: np.pad(image, [(n // 2, n // 2) for n in kernel.shape])),
    ),
    Misconception(
        "padded-twice",
        "The image was padded twice over. `padding` counts the rows added on each side.",
        _padded_by(lambda image, p, kernel: np.pad(image, 2 * p)),
    ),
    Misconception(
        "padded-before-only",
        "Zeros were added above and to the left only. They belong on all four sides.",
        _padded_by(lambda image, p, kernel: np.pad(image, ((p, 0), (p, 0)))),
    ),
    Misconception(
        "padded-after-only",
        "Zeros were added below and to the right only. They belong on all four sides.",
        _padded_by(lambda image, p, kernel: np.pad(image, ((0, p), (0, p)))),
    ),
    Misconception(
        "rows-padded-only",
        "Only rows were added. The left and the right side need zeros too.",
        _padded_by(lambda image, p, kernel: np.pad(image, ((p, p), (0, 0)))),
    ),
    Misconception(
        "columns-padded-only",
        "Only columns were added. The top and the bottom need zeros too.",
        _padded_by(lambda image, p, kernel: np.pad(image, ((0, 0), (p, p)))),
    ),
    Misconception(
        "padded-with-ones",
        "The border was filled with ones. Zero padding adds pixels that are black: 0.",
        _padded_by(lambda image, p, kernel: np.pad(image, p, constant_values=1)),
    ),
    Misconception(
        "edge-padding",
        "The border repeats the outermost pixels (mode='edge'). Here the border is zeros.",
        _padded_by(lambda image, p, kernel: np.pad(image, p, mode="edge")),
    ),
    Misconception(
        "wrap-padding",
        "The border comes from the opposite side of the image (mode='wrap'). Here the border is zeros.",
        _padded_by(lambda image, p, kernel: np.pad(image, p, mode="wrap")),
    ),
    Misconception(
        "mirror-padding",
        "The border mirrors the image (mode='symmetric'). Here the border is zeros.",
        _padded_by(lambda image, p, kernel: np.pad(image, p, mode="symmetric")),
    ),
    Misconception(
        "reflect-padding",
        "The border mirrors the image without its outermost pixels (mode='reflect'). Here the border is zeros.",
        _padded_by(lambda image, p, kernel: np.pad(image, p, mode="reflect")),
    ),
    Misconception(
        "output-padded",
        "The zeros were put around the output instead of the image. Then the kernel never meets them.",
        lambda image, kernel, padding=0: np.pad(_conv2d(image, kernel), padding),
    ),
    Misconception(
        "kernel-padded",
        "The kernel was padded instead of the image: it grew, and fewer windows fit.",
        lambda image, kernel, padding=0: _conv2d(image, np.pad(np.asarray(kernel), padding)),
    ),
)


def _padded_cases(**kwargs):
    return (
        Case((IMAGE_3X4, KERNEL_2X2), kwargs),
        Case((IMAGE_3X4, KERNEL_2X2), {"padding": 0, **kwargs}),
        Case((IMAGE_3X4, KERNEL_2X3), {"padding": 1, **kwargs}),
        Case((IMAGE_4X6, KERNEL_3X2), {"padding": 2, **kwargs}, layout="read-only"),
        Case((IMAGE_5X7, KERNEL_3X3), {"padding": 1, **kwargs}, layout="strided"),
        Case((np.array([[3.0, -2.0]]), np.array([[0.5]])), {"padding": 1, **kwargs}),
        Case((np.array([[3.0], [5.0]]), KERNEL_3X2), {"padding": 2, **kwargs}, layout="fortran"),
        Case((WHOLE, KERNEL_2X3 / 2), {"padding": 1, **kwargs}, part="integers"),
        Case((BYTES, SMALL_BYTES), {"padding": 1, **kwargs}, part="integers"),
    )


CONV2D_PADDED = CodeExercise(
    name="conv2d_padded",
    title="padding (7.2)",
    points=3,
    reference=conv2d,
    signature="conv2d_padded(image, kernel, padding=0)",
    cases=_padded_cases(),
    random_case=lambda draw: Case(_random_image_kernel(draw), {"padding": draw.integer(0, 2)}),
    parts=PARTS,
    explain=working,
    misconceptions=PADDING + _carried(*(slip.slug for slip in SLIDING)),
    hints=(
        "Padding changes the image, not the sliding. What would you hand to your conv2d?",
        "np.pad adds a border: np.pad(image, 1) puts one row or column of zeros on each side.",
        "Make a padded copy, np.pad(image, padding), and give it to conv2d together with the kernel.",
    ),
)

# ------------------------------------------------------------------------------------------------ conv2d_strided


def _stride_in_shape_only(image, kernel, padding=0, stride=1):
    right = conv2d(image, kernel, padding, stride)
    return conv2d(image, kernel, padding)[: right.shape[0], : right.shape[1]]


def _strided_loop(image, kernel, padding, stride, **changed):
    """The loop over the padded image, in floats."""
    return _slide(np.pad(np.asarray(image, dtype=float), padding), kernel, stride, **changed)


def _strided_sizes(lengths, kernel_lengths, stride):
    return [(n - k) // stride + 1 for n, k in zip(lengths, kernel_lengths, strict=True)]


def _strided_swapped(image, kernel, padding=0, stride=1):
    lengths = [n + 2 * padding for n in np.shape(image)]
    return _strided_loop(image, kernel, padding, stride, size=_strided_sizes(lengths, np.shape(kernel), stride)[::-1])


def _strided_kernel_height_twice(image, kernel, padding=0, stride=1):
    covers = (len(kernel), len(kernel))
    return _strided_loop(image, kernel, padding, stride, covers=covers)


def _strided_three_by_three(image, kernel, padding=0, stride=1):
    return _strided_loop(image, kernel, padding, stride, covers=(3, 3))


def _padding_not_in_shape(image, kernel, padding=0, stride=1):
    return _strided_loop(image, kernel, padding, stride, size=_strided_sizes(np.shape(image), np.shape(kernel), stride))


def _as_many_windows_as_without_stride(image, kernel, padding=0, stride=1):
    lengths = [n + 2 * padding for n in np.shape(image)]
    return _strided_loop(image, kernel, padding, stride, size=_strided_sizes(lengths, np.shape(kernel), 1))


def _ceil_over_the_edge(image, kernel, padding=0, stride=1):
    sizes = [math.ceil((n + 2 * padding - k) / stride) + 1 for n, k in zip(np.shape(image), np.shape(kernel), strict=True)]
    return _strided_loop(image, kernel, padding, stride, size=sizes)


def _stride_in_window_only(image, kernel, padding=0, stride=1):
    every = conv2d(image, kernel, padding)
    output = np.zeros(every.shape)
    kept = every[::stride, ::stride]
    output[: kept.shape[0], : kept.shape[1]] = kept
    return output


def _gaps_in_output(image, kernel, padding=0, stride=1):
    every = conv2d(image, kernel, padding)
    output = np.zeros(every.shape)
    output[::stride, ::stride] = every[::stride, ::stride]
    return output


def _ceil_size(image, kernel, padding=0, stride=1):
    right = conv2d(image, kernel, padding, stride)
    sizes = [math.ceil((n + 2 * padding - k) / stride) + 1 for n, k in zip(np.shape(image), np.shape(kernel), strict=True)]
    output = np.zeros(sizes)
    output[: right.shape[0], : right.shape[1]] = right
    return output


def _without_plus_one(image, kernel, padding=0, stride=1):
    return conv2d(image, kernel, padding, stride)[:-1, :-1]


def _strided_sum(axis):
    """A running sum over the windows that the stride leaves."""

    def answer(image, kernel, padding=0, stride=1):
        right = conv2d(image, kernel, padding, stride)
        return np.cumsum(right, axis=axis).reshape(right.shape)

    return answer


def _kernel_steps(image, kernel, padding=0, stride=1):
    rows, columns = np.shape(kernel)
    return conv2d(image, kernel, padding)[::rows, ::columns]


def _pixels_skipped(image, kernel, padding=0, stride=1):
    return _conv2d(np.pad(np.asarray(image, dtype=float), padding)[::stride, ::stride], kernel)


STRIDE = (
    Misconception(
        "stride-ignored",
        "The window moves one pixel at a time whatever the stride.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding),
    ),
    Misconception(
        "stride-in-shape-only",
        "The output has the right size, but the windows still move by 1. The window of output (i, j) starts at (i * stride, j * stride).",
        _stride_in_shape_only,
    ),
    Misconception(
        "stride-in-window-only",
        "The windows move by the stride, but there are as many as for stride 1: the last of them begin beyond the edge. The size takes "
        "the stride too: (padded - kernel) // stride + 1.",
        _as_many_windows_as_without_stride,
    ),
    Misconception(
        "output-too-large",
        "The windows move by the stride, but the output is as large as for stride 1, so most of it stays empty.",
        _stride_in_window_only,
    ),
    Misconception(
        "gaps-in-output",
        "The values stand `stride` places apart, with zeros between. The window at (i * stride, j * stride) belongs in output[i, j].",
        _gaps_in_output,
    ),
    Misconception(
        "stride-on-rows-only",
        "The stride was used going down but not going across.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding, (stride, 1)),
    ),
    Misconception(
        "stride-on-columns-only",
        "The stride was used going across but not going down.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding, (1, stride)),
    ),
    Misconception(
        "ceil",
        "The output's size was rounded up. A window that would reach past the edge is left out: round down (//).",
        _ceil_size,
    ),
    Misconception(
        "last-windows-over-the-edge",
        "The number of windows was rounded up, so the last ones hang over the edge, where there are no pixels. Round down (//).",
        _ceil_over_the_edge,
    ),
    Misconception(
        "plus-one-forgotten",
        "The last row and column are missing. The size is (padded - kernel) // stride + 1: the window at position 0 counts too.",
        _without_plus_one,
    ),
    Misconception(
        "stride-plus-one",
        "The window moves by stride + 1. Stride 2 means starting at 0, 2, 4: one pixel is skipped, not two.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding, stride + 1),
    ),
    Misconception(
        "starts-late",
        "The first window starts at `stride` instead of 0.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding)[stride - 1 :: stride, stride - 1 :: stride],
    ),
    Misconception(
        "kernel-as-stride",
        "The window moves by its own size, so that windows never overlap. It should move by the stride.",
        _kernel_steps,
    ),
    Misconception(
        "pixels-skipped",
        "Pixels were thrown away before sliding, image[::stride, ::stride]. The window moves in steps; what it covers stays whole.",
        _pixels_skipped,
    ),
    Misconception(
        "dilation-for-stride",
        "The kernel was spread out (that is dilation) instead of moved in larger steps.",
        lambda image, kernel, padding=0, stride=1: _conv2d(image, kernel, padding, 1, stride),
    ),
    Misconception(
        "padding-ignored",
        "The padding got lost. Pad first, then slide.",
        lambda image, kernel, padding=0, stride=1: _conv2d(image, kernel, 0, stride),
    ),
    Misconception(
        "padding-once",
        "The padding was counted once in the output's size. It lies on both sides: H + 2 * padding.",
        lambda image, kernel, padding=0, stride=1: _conv2d(
            np.pad(np.asarray(image, dtype=float), ((padding, 0), (padding, 0))), kernel, 0, stride
        ),
    ),
    Misconception(
        "padding-not-in-shape",
        "The image is padded, but the output's size was computed without the padding. Take height and width of the padded image.",
        _padding_not_in_shape,
    ),
    Misconception(
        "padded-twice",
        "The image was padded twice over: once before, and once more inside another function. `padding` rows on each side are enough.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, 2 * padding, stride),
    ),
    Misconception(
        "always-padded",
        "The image was padded by 1 whatever was asked for. Use the argument: padding=0 means none, padding=2 means two.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, 1, stride),
    ),
    Misconception("height-width-swapped", _named("height-width-swapped").sentence, _strided_swapped),
    Misconception("kernel-height-twice", _named("kernel-height-twice").sentence, _strided_kernel_height_twice),
    Misconception("three-by-three", _named("three-by-three").sentence, _strided_three_by_three),
    Misconception(
        "padding-scaled",
        "The padding was multiplied by the stride. Pad by the number that the caller gave.",
        lambda image, kernel, padding=0, stride=1: conv2d(image, kernel, padding * stride, stride),
    ),
)

CONV2D_STRIDED = CodeExercise(
    name="conv2d_strided",
    title="stride (7.3)",
    points=4,
    reference=conv2d,
    signature="conv2d_strided(image, kernel, padding=0, stride=1)",
    cases=(
        Case((IMAGE_3X4, KERNEL_2X2)),
        Case((IMAGE_4X6, KERNEL_2X3), {"stride": 2}),
        Case((IMAGE_5X7, KERNEL_3X2), {"stride": 2, "padding": 1}, layout="read-only"),
        Case((IMAGE_6X4, KERNEL_2X2), {"stride": 3}),
        Case((IMAGE_5X7, KERNEL_3X3), {"stride": 2}, layout="strided"),
        Case((IMAGE_5X7, KERNEL_2X3), {"stride": 3, "padding": 2}),
        Case((IMAGE_4X6, KERNEL_3X3, 1, 2), layout="fortran"),
        Case((IMAGE_3X4, np.array([[-2.0]])), {"stride": 2}),
        Case((IMAGE_3X4, IMAGE_3X4 + 1), {"stride": 4}),
        Case((IMAGE_6X4, KERNEL_3X2), {"padding": 1}),
        Case((WHOLE, KERNEL_2X3 / 2), {"padding": 1, "stride": 2}, part="integers"),
        Case((BYTES, SMALL_BYTES), {"stride": 2}, part="integers"),
    ),
    random_case=lambda draw: Case(_random_image_kernel(draw), {"padding": draw.integer(0, 2), "stride": draw.integer(1, 3)}),
    parts=PARTS,
    explain=working,
    misconceptions=STRIDE
    + _carried(
        "flipped-kernel",
        "rows-flipped",
        "columns-flipped",
        "transposed-kernel",
        "transposed-output",
        "mean-for-sum",
        "max-for-sum",
        "kernel-ignored",
        "last-product-only",
        "integer-output",
        "output-of-image-dtype",
        "overflow",
        "sum-overflow",
        "all-zeros",
    )
    + tuple(_with(_named(slug), _strided_sum(axis)) for slug, axis in (("accumulator-not-reset", None), ("accumulator-reset-by-row", 1))),
    hints=(
        "With stride 2 the windows start at 0, 2, 4, ... Where does window number i start?",
        "Two things change: how many windows there are, and where each of them begins.",
        "The size is (padded height - kH) // stride + 1. Round down: a window that does not fit is left out.",
        "In the loop: row = i * stride, col = j * stride, patch = padded[row:row + kH, col:col + kW].",
    ),
)

# ------------------------------------------------------------------------------------------------ im2col


def _im2col_by_loops(image, kernel_height, kernel_width):
    """As `im2col`, without refusing a window that is too large: then the list of windows is empty."""
    fits = all(n >= k for n, k in zip(np.shape(image), (kernel_height, kernel_width), strict=True))
    return im2col(image, kernel_height, kernel_width) if fits else np.zeros(0)


def _random_im2col_case(draw):
    image, kernel = _random_image_kernel(draw)
    return Case((image, *kernel.shape))


IM2COL = CodeExercise(
    name="im2col",
    title="every window as a row",
    points=3,
    reference=im2col,
    signature="im2col(image, kernel_height, kernel_width)",
    cases=(
        Case((IMAGE_3X4, 2, 2)),
        Case((IMAGE_4X6, 2, 3), layout="read-only"),
        Case((IMAGE_6X4, 3, 2), layout="strided"),
        Case((IMAGE_3X4, 1, 1)),
        Case((IMAGE_3X4, 3, 4), layout="fortran"),
        Case((WHOLE / 4, 3, 3)),
    ),
    random_case=_random_im2col_case,
    misconceptions=(
        Misconception(
            "one-column-a-window",
            "The matrix is turned on its side: here each window is a row. (Some libraries make it a column and turn the product round.)",
            lambda image, kh, kw: im2col(image, kh, kw).T,
        ),
        Misconception(
            "windows-down-first",
            "The windows go down before they go across. Go through them as one reads: along each row, then the next row.",
            lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(np.asarray(image), (kh, kw)).swapaxes(0, 1).reshape(-1, kh * kw),
        ),
        Misconception(
            "pixels-down-first",
            "The pixels of a window go down before they go across. Flatten each window row by row, as kernel.ravel() does.",
            lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(np.asarray(image), (kh, kw)).swapaxes(2, 3).reshape(-1, kh * kw),
        ),
        Misconception(
            "windows-side-by-side",
            "The windows do not overlap. With stride 1 the next window begins one pixel on.",
            lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(np.asarray(image), (kh, kw))[::kh, ::kw].reshape(-1, kh * kw),
        ),
        Misconception(
            "not-flattened",
            "The windows are still a grid. Make it a matrix: one row for each window, one column for each pixel of the window.",
            lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(np.asarray(image), (kh, kw)),
        ),
        Misconception(
            "patches-not-flattened",
            "There is one entry for each window, but each is still a small image. Flatten each patch: patch.ravel().",
            lambda image, kh, kw: im2col(image, kh, kw).reshape(-1, kh, kw),
        ),
        Misconception(
            "sums-instead-of-windows",
            "The windows were summed. Keep the pixels: one row for each window, kernel_height * kernel_width numbers in it.",
            lambda image, kh, kw: im2col(image, kh, kw).sum(axis=1),
        ),
        Misconception(
            "integer-output",
            _named("integer-output").sentence,
            lambda image, kh, kw: np.trunc(im2col(image, kh, kw)),
        ),
        Misconception(
            "one-long-row",
            "All windows stand in one long row. Each window is a row of its own.",
            lambda image, kh, kw: im2col(image, kh, kw).ravel(),
        ),
        Misconception(
            "height-width-swapped",
            "The window is kernel_width high and kernel_height wide: the two are exchanged.",
            lambda image, kh, kw: _im2col_by_loops(image, kw, kh),
        ),
        Misconception(
            "windows-flipped",
            "Each window is turned round. Flatten it as it is: top left pixel first.",
            lambda image, kh, kw: im2col(image, kh, kw)[:, ::-1],
        ),
        Misconception(
            "off-by-one",
            "The windows in the last row and column are missing: there are (H - kernel_height + 1) * (W - kernel_width + 1) of them.",
            lambda image, kh, kw: _im2col_by_loops(np.asarray(image)[:-1, :-1], kh, kw),
        ),
        Misconception(
            "every-pixel-a-start",
            "Windows were started at every pixel, and those that begin near the edge hang over it. Only H - kernel_height + 1 starts fit.",
            lambda image, kh, kw: _im2col_by_loops(np.pad(np.asarray(image), ((0, kh - 1), (0, kw - 1))), kh, kw),
        ),
        Misconception(
            "all-zeros",
            "The matrix stayed at zero. Is each window stored in its row?",
            lambda image, kh, kw: np.zeros_like(im2col(image, kh, kw)),
        ),
    ),
    hints=(
        "How many windows are there, and how many pixels has each? That is the shape of the matrix.",
        "Use the two loops of conv2d, but keep the patch instead of summing it.",
        "patch.ravel() flattens a patch row by row. Append each to a list and make an array of the list.",
        "Window (i, j) belongs in row i * oW + j, where oW = W - kernel_width + 1.",
    ),
)

# ------------------------------------------------------------------------------------------------ conv2d_dilated


def _dilated(dilate):
    """A wrong way of dilating, in floats: dilate(image, kernel, dilation) -> the output."""
    return lambda image, kernel, dilation=1: dilate(np.asarray(image, dtype=float), np.asarray(kernel, dtype=float), dilation)


def _undilated_size(image, kernel, dilation):
    right = conv2d(image, kernel, dilation=dilation)
    size = [n - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True)]
    output = np.zeros(size)
    output[: right.shape[0], : right.shape[1]] = right
    return output


def _dilated_products(image, kernel, dilation):
    """Each window's products (oH, oW, kH, kW), in the arrays' own dtype."""
    image, kernel = np.asarray(image), np.asarray(kernel)
    covered = [dilation * (n - 1) + 1 for n in kernel.shape]
    return np.lib.stride_tricks.sliding_window_view(image, covered)[..., ::dilation, ::dilation] * kernel


def _overflowing_dilation(image, kernel, dilation=1):
    return np.sum(_dilated_products(image, kernel, dilation), axis=(2, 3))


def _dilation_sum_overflows(image, kernel, dilation=1):
    products = _dilated_products(image, kernel, dilation)
    return np.sum(products, axis=(2, 3), dtype=products.dtype)


def _dilated_image_dtype(image, kernel, dilation=1):
    return _as_stored(_overflowing_dilation(image, kernel, dilation), np.asarray(image).dtype)


def _undilated_loop(image, kernel, dilation):
    """As many windows as if there were no gaps; a slice ends where the image does."""
    rows, columns = (n - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    reach = [dilation * (k - 1) + 1 for k in kernel.shape]
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + reach[0] : dilation, j : j + reach[1] : dilation] * kernel)
    return output


def _gap_after_last_tap(image, kernel, dilation):
    spread = np.zeros([n * dilation for n in kernel.shape])
    spread[::dilation, ::dilation] = kernel
    return _conv2d(image, spread)


def _dilated_running_sum(axis):
    def answer(image, kernel, dilation):
        right = conv2d(image, kernel, dilation=dilation)
        return np.cumsum(right, axis=axis).reshape(right.shape)

    return _dilated(answer)


def _random_dilated_case(draw):
    dilation = draw.integer(1, 3)
    return Case(_random_image_kernel(draw, dilation), {"dilation": dilation})


CONV2D_DILATED = CodeExercise(
    name="conv2d_dilated",
    title="dilation",
    points=3,
    reference=lambda image, kernel, dilation=1: conv2d(image, kernel, dilation=dilation),
    signature="conv2d_dilated(image, kernel, dilation=1)",
    cases=(
        Case((IMAGE_3X4, KERNEL_2X2)),
        Case((IMAGE_4X6, KERNEL_2X3), {"dilation": 2}, layout="read-only"),
        Case((IMAGE_5X7, KERNEL_3X3), {"dilation": 2}),
        Case((IMAGE_6X4, KERNEL_3X2), {"dilation": 2}, layout="strided"),
        Case((IMAGE_4X6, KERNEL_2X2), {"dilation": 3}, layout="fortran"),
        Case((IMAGE_5X7.T.copy(), KERNEL_3X2), {"dilation": 3}),
        Case((IMAGE_3X4, np.array([[-2.0]])), {"dilation": 3}),
        Case((IMAGE_5X7, KERNEL_2X3), {"dilation": 1}),
        Case((WHOLE, KERNEL_2X3 / 2), {"dilation": 2}, part="integers"),
        Case((BYTES, SMALL_BYTES), {"dilation": 2}, part="integers"),
    ),
    random_case=_random_dilated_case,
    parts=PARTS,
    explain=lambda index, image, kernel, dilation=1: working(index, image, kernel, dilation=dilation),
    misconceptions=(
        Misconception(
            "dilation-ignored",
            "The taps lie side by side whatever the dilation.",
            _dilated(lambda image, kernel, d: conv2d(image, kernel)),
        ),
        Misconception(
            "stride-for-dilation",
            "The window moved in larger steps: that is stride. Dilation spreads the taps of a window; windows still start at 0, 1, 2, ...",
            _dilated(lambda image, kernel, d: conv2d(image, kernel, stride=d)),
        ),
        Misconception(
            "one-gap-too-many",
            "The taps lie dilation + 1 apart. Dilation 2 means that taps are 2 pixels apart, with one pixel between.",
            _dilated(lambda image, kernel, d: _conv2d(image, kernel, dilation=d + 1)),
        ),
        Misconception(
            "gap-after-last-tap",
            "A gap was counted after the last tap too. The taps reach over dilation * (kernel - 1) + 1 pixels, not dilation * kernel.",
            _dilated(_gap_after_last_tap),
        ),
        Misconception(
            "both-stride-and-dilation",
            "The taps are spread, and the windows also move in larger steps, as in image[::d, ::d]. Dilation leaves the stride at 1.",
            _dilated(lambda image, kernel, d: conv2d(image, kernel, stride=d, dilation=d)),
        ),
        Misconception(
            "dilated-rows-only",
            "The taps are spread going down but not going across.",
            _dilated(lambda image, kernel, d: conv2d(image, kernel, dilation=(d, 1))),
        ),
        Misconception(
            "dilated-columns-only",
            "The taps are spread going across but not going down.",
            _dilated(lambda image, kernel, d: conv2d(image, kernel, dilation=(1, d))),
        ),
        Misconception(
            "undilated-size",
            "The output's size was computed as if there were no gaps, so its last rows and columns stay at zero.",
            _dilated(_undilated_size),
        ),
        Misconception(
            "windows-over-the-edge",
            "There are as many windows as if there were no gaps, and the last ones reach beyond the edge. The size takes the dilation too.",
            _dilated(_undilated_loop),
        ),
        Misconception("flipped-kernel", FLIPPED, _dilated(lambda image, kernel, d: conv2d(image, kernel[::-1, ::-1], dilation=d))),
        Misconception(
            "transposed-kernel",
            _named("transposed-kernel").sentence,
            _dilated(lambda image, kernel, d: _conv2d(image, kernel.T, dilation=d)),
        ),
        Misconception(
            "transposed-output",
            _named("transposed-output").sentence,
            _dilated(lambda image, kernel, d: conv2d(image, kernel, dilation=d).T),
        ),
        Misconception(
            "mean-for-sum",
            _named("mean-for-sum").sentence,
            _dilated(lambda image, kernel, d: conv2d(image, kernel, dilation=d) / kernel.size),
        ),
        Misconception(
            "max-for-sum",
            _named("max-for-sum").sentence,
            lambda image, kernel, dilation=1: np.max(_dilated_products(np.asarray(image, dtype=float), kernel, dilation), axis=(2, 3)),
        ),
        Misconception(
            "kernel-ignored",
            _named("kernel-ignored").sentence,
            _dilated(lambda image, kernel, d: conv2d(image, np.ones_like(kernel), dilation=d)),
        ),
        Misconception("accumulator-not-reset", _named("accumulator-not-reset").sentence, _dilated_running_sum(None)),
        Misconception("accumulator-reset-by-row", _named("accumulator-reset-by-row").sentence, _dilated_running_sum(1)),
        Misconception(
            "off-by-one",
            "The last row and the last column are missing. The size is H - dilation * (kH - 1): the window at 0 counts too.",
            _dilated(lambda image, kernel, d: conv2d(image, kernel, dilation=d)[:-1, :-1]),
        ),
        Misconception("overflow", OVERFLOW, _overflowing_dilation),
        Misconception("sum-overflow", _named("sum-overflow").sentence, _dilation_sum_overflows),
        Misconception("output-of-image-dtype", _named("output-of-image-dtype").sentence, _dilated_image_dtype),
        Misconception(
            "integer-output",
            _named("integer-output").sentence,
            _dilated(lambda image, kernel, d: np.trunc(conv2d(image, kernel, dilation=d))),
        ),
        Misconception(
            "all-zeros",
            _named("all-zeros").sentence,
            _dilated(lambda image, kernel, d: np.zeros_like(conv2d(image, kernel, dilation=d))),
        ),
    ),
    hints=(
        "Which pixels does a 2x2 kernel with dilation 2 touch when its top left tap lies on (0, 0)?",
        "Slices can take steps: image[0:5:2] takes pixels 0, 2 and 4.",
        "With dilation d the kernel covers d * (kH - 1) + 1 rows. How many windows of that height fit?",
        "patch = image[i:i + d * (kH - 1) + 1:d, j:j + d * (kW - 1) + 1:d]",
    ),
)

# ------------------------------------------------------------------------------------------------ conv_layer


def _layer(answer):
    def wrong(x, w, b, stride=1, padding=0):
        x, w, b = (np.asarray(a, dtype=float) for a in (x, w, b))
        return answer(x, w, b, stride, padding)

    return wrong


def _zero(b):
    return np.zeros_like(b)


def _only_first_image(x, w, b, s, p):
    output = np.zeros_like(conv_layer(x, w, b, s, p))
    output[0] = conv_layer(x, w, b, s, p)[0]
    return output


def _filters_accumulate(x, w, b, s, p):
    return np.cumsum(conv_layer(x, w, _zero(b), s, p), axis=1) + b[:, None, None]


def _stride_in_layer_shape_only(x, w, b, s, p):
    right = conv_layer(x, w, b, s, p)
    return conv_layer(x, w, b, 1, p)[..., : right.shape[2], : right.shape[3]]


def _overflowing_layer(x, w, b, stride=1, padding=0):
    x, w, b = np.asarray(x), np.asarray(w), np.asarray(b)
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    products = windows[:, None] * w[None, :, :, None, None]  # (N, O, C, oH, oW, kH, kW)
    return products.sum(axis=(2, 5, 6)) + b[:, None, None]


def _layer_maps(x, w, b, stride, above_left=0, below_right=0):
    """A layer as loops that do not ask whether a window fits, with a border as wide as told."""
    padded = np.pad(x, ((0, 0), (0, 0), (above_left, below_right), (above_left, below_right)))
    maps = [[sum(_slide(*pair, stride) for pair in zip(image, box, strict=True)) for box in w] for image in padded]
    return np.array(maps) + b[:, None, None]


def _layer_loop(x, w, b, s, p, size, covers=None):
    """The loops that students write, with the output's size, or what a window covers, open to being wrong."""
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    height, width = covers or w.shape[2:]
    output = np.zeros((len(x), len(w), *size))
    for n, o, i, j in np.ndindex(output.shape):
        box = padded[n, :, i * s : i * s + height, j * s : j * s + width]
        output[n, o, i, j] = np.sum(box * w[o]) + b[o]
    return output


def _layer_sizes(x, w, s, p):
    return _strided_sizes([n + 2 * p for n in x.shape[2:]], w.shape[2:], s)


def _layer_kernel_height_twice(x, w, b, s, p):
    covers = (w.shape[2], w.shape[2])
    size = _strided_sizes([n + 2 * p for n in x.shape[2:]], covers, s)
    return _layer_loop(x, w, b, s, p, size, covers)


def _layer_padding_not_in_shape(x, w, b, s, p):
    rows, columns = _strided_sizes(x.shape[2:], w.shape[2:], s)
    if min(rows, columns) < 1:
        return np.zeros((len(x), len(w), rows, columns))
    return conv_layer(x, w, b, s, p)[..., :rows, :columns]


def _layer_in_image_dtype(x, w, b, stride=1, padding=0):
    return _as_stored(_overflowing_layer(x, w, b, stride, padding), np.asarray(x).dtype)


def _channels_kept_apart(x, w, b, s, p):
    maps = [conv_layer(x[:, c : c + 1], w[:, c : c + 1], b, s, p) for c in range(w.shape[1])]
    return np.stack(maps, axis=2)


def _ceil_layer(x, w, b, s, p):
    right = conv_layer(x, w, b, s, p)
    sizes = [math.ceil((n + 2 * p - k) / s) + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True)]
    output = np.zeros((*right.shape[:2], *sizes))
    output[..., : right.shape[2], : right.shape[3]] = right
    return output


def _running_layer(x, w, b, s, p):
    right = conv_layer(x, w, _zero(b), s, p)
    return np.cumsum(right).reshape(right.shape) + b[:, None, None]


LAYER = (
    Misconception("overflow", OVERFLOW, _overflowing_layer),
    Misconception("output-of-image-dtype", _named("output-of-image-dtype").sentence, _layer_in_image_dtype),
    Misconception(
        "bias-forgotten",
        "The bias is missing: add b[o] to every value of feature map o.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, _zero(b), s, p)),
    ),
    Misconception(
        "bias-per-tap",
        "The bias was added once for every weight of the kernel. Add it once, after the sum.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b * w[0].size, s, p)),
    ),
    Misconception(
        "bias-per-channel",
        "The bias was added once for every input channel. Sum over the channels first, then add it once.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b * w.shape[1], s, p)),
    ),
    Misconception(
        "one-bias-for-all",
        "All feature maps got the first filter's bias. Feature map o gets b[o].",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, np.full_like(b, b[0]), s, p)),
    ),
    Misconception(
        "bias-summed",
        "Every feature map got the sum of all biases. Feature map o gets b[o] alone.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, np.full_like(b, b.sum()), s, p)),
    ),
    Misconception("bias-subtracted", "The bias was subtracted. Add it.", _layer(lambda x, w, b, s, p: conv_layer(x, w, -b, s, p))),
    Misconception(
        "first-channel-only",
        "Only the first input channel was used. A filter reaches through all of them: (C, kH, kW) weights, one sum.",
        _layer(lambda x, w, b, s, p: conv_layer(x[:, :1], w[:, :1], b, s, p)),
    ),
    Misconception(
        "last-channel-only",
        "Only the last input channel is left: each channel overwrote the one before. Add the channels up (+=).",
        _layer(lambda x, w, b, s, p: conv_layer(x[:, -1:], w[:, -1:], b, s, p)),
    ),
    Misconception(
        "channels-averaged",
        "The channels were averaged. Add them up.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w / w.shape[1], b, s, p)),
    ),
    Misconception(
        "channels-not-summed",
        "Each input channel still has a map of its own. Add the channels up: a filter makes one map.",
        _layer(_channels_kept_apart),
    ),
    Misconception(
        "largest-channel",
        "Of the channels' sums the largest was kept. Add them up.",
        _layer(lambda x, w, b, s, p: _channels_kept_apart(x, w, _zero(b), s, p).max(axis=2) + b[:, None, None]),
    ),
    Misconception(
        "same-kernel-for-all-channels",
        "Every input channel met the kernel of the first. A filter has a kernel of its own for each channel: w[o, c].",
        _layer(lambda x, w, b, s, p: conv_layer(x, np.repeat(w[:, :1], w.shape[1], axis=1), b, s, p)),
    ),
    Misconception(
        "first-filter-only",
        "Every feature map came from the first filter. Feature map o comes from w[o].",
        _layer(lambda x, w, b, s, p: conv_layer(x, np.repeat(w[:1], len(w), axis=0), b, s, p)),
    ),
    Misconception(
        "filters-accumulate",
        "Each feature map also holds the sums of the filters before it. Start from zero for every filter.",
        _layer(_filters_accumulate),
    ),
    Misconception(
        "accumulator-not-reset",
        "Each value also holds the sums of the windows before it. Start the sum at zero for every window.",
        _layer(_running_layer),
    ),
    Misconception(
        "filters-added",
        "All feature maps are the same: the sum over every filter. Feature map o comes from w[o] alone.",
        _layer(lambda x, w, b, s, p: np.repeat(conv_layer(x, w, b, s, p).sum(axis=1, keepdims=True), len(w), axis=1)),
    ),
    Misconception(
        "first-image-only",
        "Only the first image of the batch was worked on; the others stayed at zero. Loop over the whole batch.",
        _layer(_only_first_image),
    ),
    Misconception(
        "batch-forgotten",
        "There is one result for the whole batch. Each image has its own: the output starts with N.",
        _layer(lambda x, w, b, s, p: conv_layer(x[:1], w, b, s, p)[0]),
    ),
    Misconception(
        "images-added",
        "All images of the batch were added into one. Each has its own output: the output starts with N.",
        _layer(lambda x, w, b, s, p: conv_layer(x.sum(axis=0, keepdims=True), w, b, s, p)),
    ),
    Misconception(
        "images-and-filters-swapped",
        "Images and filters are exchanged in the output. Its shape is (N, O, oH, oW): images first.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, s, p).transpose(1, 0, 2, 3)),
    ),
    Misconception(
        "channels-last",
        "The feature maps came out last, (N, oH, oW, O). Here and in PyTorch they stand second: (N, O, oH, oW).",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, s, p).transpose(0, 2, 3, 1)),
    ),
    Misconception("flipped-kernel", FLIPPED, _layer(lambda x, w, b, s, p: conv_layer(x, w[:, :, ::-1, ::-1], b, s, p))),
    Misconception(
        "transposed-kernel",
        _named("transposed-kernel").sentence,
        _layer(lambda x, w, b, s, p: _layer_maps(x, w.swapaxes(2, 3), b, s, p, p)),
    ),
    Misconception(
        "transposed-output",
        "The output's rows and columns are exchanged. The window at row i, column j belongs in output[n, o, i, j].",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, s, p).swapaxes(2, 3)),
    ),
    Misconception(
        "channels-reversed",
        "The filter's channels met the image's channels in the opposite order.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w[:, ::-1], b, s, p)),
    ),
    Misconception(
        "stride-ignored",
        "The window moves one pixel at a time whatever the stride.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, 1, p)),
    ),
    Misconception(
        "stride-in-shape-only",
        "The output has the right size, but the windows still move by 1.",
        _layer(_stride_in_layer_shape_only),
    ),
    Misconception(
        "stride-in-window-only",
        "The windows move by the stride, but there are as many as for stride 1: the last of them begin beyond the edge. The size takes "
        "the stride too: (padded - kernel) // stride + 1.",
        _layer(lambda x, w, b, s, p: _layer_loop(x, w, b, s, p, _layer_sizes(x, w, 1, p))),
    ),
    Misconception(
        "height-width-swapped",
        _named("height-width-swapped").sentence,
        _layer(lambda x, w, b, s, p: _layer_loop(x, w, b, s, p, _layer_sizes(x, w, s, p)[::-1])),
    ),
    Misconception("kernel-height-twice", _named("kernel-height-twice").sentence, _layer(_layer_kernel_height_twice)),
    Misconception(
        "stride-on-rows-only",
        "The stride was used going down but not going across.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, (s, 1), p)),
    ),
    Misconception(
        "stride-on-columns-only",
        "The stride was used going across but not going down.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, (1, s), p)),
    ),
    Misconception(
        "ceil",
        "The output's size was rounded up. A window that would reach past the edge is left out: round down (//).",
        _layer(_ceil_layer),
    ),
    Misconception(
        "plus-one-forgotten",
        "The last row and column are missing. The size is (padded - kernel) // stride + 1: the window at position 0 counts too.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, s, p)[..., :-1, :-1]),
    ),
    Misconception(
        "padding-ignored",
        "The padding got lost. Pad the last two axes, then slide.",
        _layer(lambda x, w, b, s, p: _layer_maps(x, w, b, s)),
    ),
    Misconception(
        "padding-once",
        "Zeros were added above and to the left only. They belong on all four sides.",
        _layer(lambda x, w, b, s, p: _layer_maps(x, w, b, s, p)),
    ),
    Misconception(
        "padded-twice",
        "The images were padded twice over. `padding` counts the rows added on each side.",
        _layer(lambda x, w, b, s, p: conv_layer(x, w, b, s, 2 * p)),
    ),
    Misconception(
        "padding-not-in-shape",
        "The images are padded, but the output's size was computed without the padding. Take height and width of the padded images.",
        _layer(_layer_padding_not_in_shape),
    ),
    Misconception(
        "relu-added",
        "Negative values were set to zero. That is the activation (ReLU), a layer of its own; a convolution keeps its sign.",
        _layer(lambda x, w, b, s, p: np.maximum(conv_layer(x, w, b, s, p), 0)),
    ),
    Misconception("mean-for-sum", _named("mean-for-sum").sentence, _layer(lambda x, w, b, s, p: conv_layer(x, w / w[0].size, b, s, p))),
    Misconception("integer-output", _named("integer-output").sentence, _layer(lambda x, w, b, s, p: np.trunc(conv_layer(x, w, b, s, p)))),
    Misconception(
        "all-zeros",
        "The output stayed at zero. Is the sum stored in output[n, o, i, j]?",
        _layer(lambda x, w, b, s, p: np.zeros_like(conv_layer(x, w, b, s, p))),
    ),
)


def _layer_arguments(draw, n, c, o, height, width, kernel_height, kernel_width):
    weights = draw.integers(o, c, kernel_height, kernel_width, low=-3, high=3)
    return draw.integers(n, c, height, width), weights, draw.integers(o, low=-9, high=9) + 0.5


def _layer_case(*shape, part="core", layout="plain", **kwargs):
    return Case(_layer_arguments(_fixed, *shape), kwargs, part, layout)


def _random_layer_case(draw):
    n, c, o = (draw.integer(1, 3) for _ in range(3))
    kernel = draw.integer(1, 3), draw.integer(1, 3)
    image = [size + draw.integer(0, 3) for size in kernel]
    return Case(_layer_arguments(draw, n, c, o, *image, *kernel), {"stride": draw.integer(1, 3), "padding": draw.integer(0, 2)})


def _layer_working(index, x, w, b, stride=1, padding=0):
    n, o, i, j = index
    parts = [working((i, j), channel, kernel, padding, stride) for channel, kernel in zip(x[n], w[o], strict=True)]
    inputs, windows, kernels = (tuple(getattr(part, name)[0] for part in parts) for name in ("inputs", "windows", "kernels"))
    return Working(inputs, parts[0].mask, windows, kernels, bias=float(b[o]))


_BYTE_LAYER = (
    np.random.default_rng(3).integers(0, 256, size=(2, 2, 3, 4)).astype(np.uint8),
    np.array([[[[2, 1]], [[3, 2]]]], dtype=np.uint8),
    np.array([1], dtype=np.uint8),
)

CONV_LAYER = CodeExercise(
    name="conv_layer",
    title="a convolutional layer",
    points=6,
    reference=conv_layer,
    signature="conv_layer(x, w, b, stride=1, padding=0)",
    cases=(
        _layer_case(1, 1, 1, 3, 4, 2, 2),
        _layer_case(1, 2, 1, 3, 4, 2, 3),
        _layer_case(1, 1, 3, 4, 3, 2, 2),
        _layer_case(2, 3, 2, 4, 5, 3, 2, layout="read-only"),
        _layer_case(2, 2, 3, 5, 6, 2, 3, stride=2),
        _layer_case(2, 3, 2, 4, 6, 3, 3, padding=1, layout="strided"),
        _layer_case(3, 2, 2, 5, 7, 3, 2, stride=3, padding=2, layout="fortran"),
        _layer_case(2, 3, 4, 3, 5, 1, 1),
        _layer_case(1, 2, 2, 2, 3, 2, 3),
        Case(_BYTE_LAYER, {"padding": 1}, part="integers"),
    ),
    random_case=_random_layer_case,
    parts=PARTS,
    explain=_layer_working,
    misconceptions=LAYER,
    hints=(
        "Begin with one image and one filter: what do you do with three channels that you did not have to do with one?",
        "For one window: patch has shape (C, kH, kW), and so has w[o]. Multiply them entry by entry, add up everything, then add b[o].",
        "Pad only the last two axes: np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).",
        "Loops over n, o, i, j, and in them: output[n, o, i, j] = np.sum(x[n, :, row:row + kH, col:col + kW] * w[o]) + b[o]. "
        "The loops over n and o can go once you have seen it work.",
    ),
)

# ------------------------------------------------------------------------------------------------ conv_parameters


def _count_with(formula):
    def answer(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
        return formula(in_channels, out_channels, kernel_height, kernel_width, bool(bias), groups)

    return answer


def _random_count_case(draw):
    groups = draw.integer(1, 4)
    channels = groups * draw.integer(1, 8), groups * draw.integer(1, 8)
    return Case((*channels, draw.integer(1, 5), draw.integer(1, 5)), {"groups": groups, "bias": bool(draw.integer(0, 1))})


CONV_PARAMETERS = CodeExercise(
    name="conv_parameters",
    title="counting a layer's parameters",
    points=3,
    reference=arithmetic.conv_parameters,
    signature="conv_parameters(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1)",
    exact=True,
    cases=(
        Case((1, 16, 5, 5)),
        Case((3, 64, 3, 3)),
        Case((3, 64, 3, 3, False)),
        Case((2, 5, 3, 4)),
        Case((4, 8, 3, 3), {"bias": False}),
        Case((32, 64, 1, 1)),
        Case((32, 32, 3, 3), {"groups": 32}),
        Case((8, 12, 3, 2), {"groups": 4}),
        Case((6, 4, 2, 5), {"groups": 2, "bias": False}),
        Case((1, 1, 1, 1)),
    ),
    random_case=_random_count_case,
    misconceptions=(
        Misconception(
            "bias-forgotten",
            "The biases are missing: one for each output channel, when bias is True.",
            _count_with(lambda c, o, h, w, b, g: o * (c // g) * h * w),
        ),
        Misconception(
            "bias-always",
            "The biases were counted although bias=False.",
            _count_with(lambda c, o, h, w, b, g: o * ((c // g) * h * w + 1)),
        ),
        Misconception(
            "one-bias-for-all",
            "One bias was counted for the whole layer. Each output channel has its own.",
            _count_with(lambda c, o, h, w, b, g: o * (c // g) * h * w + b),
        ),
        Misconception(
            "bias-per-kernel",
            "A bias was counted for every pair of input and output channel. There is one for each output channel.",
            _count_with(lambda c, o, h, w, b, g: o * (c // g) * (h * w + b)),
        ),
        Misconception(
            "bias-per-input-channel",
            "As many biases as input channels were counted. There is one for each output channel.",
            _count_with(lambda c, o, h, w, b, g: o * (c // g) * h * w + b * c),
        ),
        Misconception(
            "one-input-channel",
            "The input channels are missing. Each filter has a kernel for every input channel that it sees.",
            _count_with(lambda c, o, h, w, b, g: o * (h * w + b)),
        ),
        Misconception(
            "one-filter",
            "The weights of a single filter were counted. There are out_channels of them.",
            _count_with(lambda c, o, h, w, b, g: (c // g) * h * w + b * o),
        ),
        Misconception(
            "height-twice",
            "The kernel's height was used for its width too.",
            _count_with(lambda c, o, h, w, b, g: o * ((c // g) * h * h + b)),
        ),
        Misconception(
            "sides-added",
            "The kernel's height and width were added. A kernel has height times width weights.",
            _count_with(lambda c, o, h, w, b, g: o * ((c // g) * (h + w) + b)),
        ),
        Misconception(
            "channels-added",
            "The two channel numbers were added. Each of the filters has a kernel for each input channel: multiply them.",
            _count_with(lambda c, o, h, w, b, g: (o + c // g) * h * w + b * o),
        ),
        Misconception(
            "bias-per-weight",
            "As many biases as weights were counted. There is one for each output channel.",
            _count_with(lambda c, o, h, w, b, g: o * (c // g) * h * w * (1 + b)),
        ),
        Misconception(
            "groups-ignored",
            "The groups are not in the result. With g groups each filter sees in_channels / g channels.",
            _count_with(lambda c, o, h, w, b, g: o * (c * h * w + b)),
        ),
        Misconception(
            "groups-twice",
            "Both channel numbers were divided by the groups, for one group only. All g groups together have out_channels filters.",
            _count_with(lambda c, o, h, w, b, g: (o // g) * (c // g) * h * w + b * o),
        ),
        Misconception(
            "groups-divide-biases",
            "The biases were divided by the groups too. Each output channel keeps its own.",
            _count_with(lambda c, o, h, w, b, g: o * (c * h * w + b) // g),
        ),
        Misconception(
            "groups-multiplied",
            "The weights were multiplied by the groups. Groups make a layer smaller: each filter sees fewer channels.",
            _count_with(lambda c, o, h, w, b, g: o * (c * g * h * w + b)),
        ),
    ),
    hints=(
        "How many weights has one filter? It is a small box, not a square.",
        "One filter has in_channels / groups kernels of kernel_height x kernel_width weights.",
        "There are out_channels filters, and each has one bias when bias is True.",
        "out_channels * (in_channels // groups * kernel_height * kernel_width + (1 if bias else 0))",
    ),
)

EXERCISES = (OUTPUT_SIZE, CONV2D, CONV2D_PADDED, CONV2D_STRIDED, IM2COL, CONV2D_DILATED, CONV_LAYER, CONV_PARAMETERS)
