"""Lesson 2: wrong answers as students write them, and right ones that nobody expects.

A function's name says what it does. `rejects("slug")` means: wrong, and to be called so. `rejects("slug", None)`: the name would be true,
but the slip shows in another way than the misconception, so it may go unnamed. `rejects()`: wrong, and nothing that has a name.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.signal
import scipy.sparse
import torch
import torch.nn.functional as F

from . import Proof, Wrong, named, worked_out

OUTPUT_SIZE, CONV2D, CONV2D_PADDED, CONV2D_STRIDED = (Proof(name) for name in ("output_size", "conv2d", "conv2d_padded", "conv2d_strided"))
IM2COL, CONV2D_DILATED, CONV_LAYER, CONV_PARAMETERS = (
    Proof(name) for name in ("im2col", "conv2d_dilated", "conv_layer", "conv_parameters")
)

# ================================================================================================ output_size: right ones


def room_of(size, kernel, padding, dilation):
    return size + 2 * padding - (dilation * (kernel - 1) + 1)


@OUTPUT_SIZE.accepts
def math_floor(size, kernel, padding=0, stride=1, dilation=1):
    return math.floor(room_of(size, kernel, padding, dilation) / stride + 1)


@OUTPUT_SIZE.accepts
def int_cuts_the_decimals(size, kernel, padding=0, stride=1, dilation=1):
    return int(room_of(size, kernel, padding, dilation) / stride) + 1


@OUTPUT_SIZE.accepts
def numpy_floor_gives_a_float(size, kernel, padding=0, stride=1, dilation=1):
    return np.floor(room_of(size, kernel, padding, dilation) / stride) + 1


@OUTPUT_SIZE.accepts
def ceiling_of_what_is_one_more(size, kernel, padding=0, stride=1, dilation=1):
    return -(-(room_of(size, kernel, padding, dilation) + 1) // stride)


@OUTPUT_SIZE.accepts
def numpy_int64(size, kernel, padding=0, stride=1, dilation=1):
    return np.int64(divmod(room_of(size, kernel, padding, dilation), stride)[0] + 1)


@OUTPUT_SIZE.accepts
def float32(size, kernel, padding=0, stride=1, dilation=1):
    return np.float32(room_of(size, kernel, padding, dilation) // stride + 1)


@OUTPUT_SIZE.accepts
def array_without_axes(size, kernel, padding=0, stride=1, dilation=1):
    return np.array(room_of(size, kernel, padding, dilation) // stride + 1)


@OUTPUT_SIZE.accepts
def torch_scalar(size, kernel, padding=0, stride=1, dilation=1):
    return torch.tensor(room_of(size, kernel, padding, dilation)).div(stride, rounding_mode="floor") + 1


@OUTPUT_SIZE.accepts
def exact_fractions(size, kernel, padding=0, stride=1, dilation=1):
    return math.floor(Fraction(room_of(size, kernel, padding, dilation), stride)) + 1


@OUTPUT_SIZE.accepts
def length_of_a_range(size, kernel, padding=0, stride=1, dilation=1):
    return len(range(0, room_of(size, kernel, padding, dilation) + 1, stride))


@OUTPUT_SIZE.accepts
def counting_by_while(size, kernel, padding=0, stride=1, dilation=1):
    count, start = 0, -padding
    while start + dilation * (kernel - 1) < size + padding:
        count, start = count + 1, start + stride
    return count


@OUTPUT_SIZE.accepts
def counting_by_recursion(size, kernel, padding=0, stride=1, dilation=1):
    covered = dilation * (kernel - 1) + 1
    if padding:
        return counting_by_recursion(size + 2 * padding, kernel, 0, stride, dilation)
    return 0 if size < covered else 1 + counting_by_recursion(size - stride, kernel, 0, stride, dilation)


@OUTPUT_SIZE.accepts
def trying_it_on_a_real_array(size, kernel, padding=0, stride=1, dilation=1):
    signal, taps = torch.zeros(1, 1, size), torch.zeros(1, 1, kernel)
    return F.conv1d(signal, taps, padding=padding, stride=stride, dilation=dilation).shape[-1]


@OUTPUT_SIZE.accepts
def sliding_windows_of_a_real_array(size, kernel, padding=0, stride=1, dilation=1):
    padded = np.pad(np.zeros(size), padding)
    return np.lib.stride_tricks.sliding_window_view(padded, dilation * (kernel - 1) + 1)[::stride].shape[0]


# ================================================================================================ output_size: wrong ones


@OUTPUT_SIZE.rejects("no-floor")
def true_division(size, kernel, padding=0, stride=1, dilation=1):
    effective = kernel + (kernel - 1) * (dilation - 1)
    return (size - effective + 2 * padding) / stride + 1


@OUTPUT_SIZE.rejects("ceil")
def numpy_ceil(size, kernel, padding=0, stride=1, dilation=1):
    return int(np.ceil((size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1))


@OUTPUT_SIZE.rejects("rounded", None)
def rounded_by_python(size, kernel, padding=0, stride=1, dilation=1):
    return round(room_of(size, kernel, padding, dilation) / stride) + 1  # half goes to the even neighbor


@OUTPUT_SIZE.rejects("dilation-ignored")
def formula_of_lesson_1(size, kernel, padding=0, stride=1, dilation=1):
    return int((size + 2 * padding - kernel) / stride) + 1


@OUTPUT_SIZE.rejects("padding-once")
def padding_not_doubled(size, kernel, padding=0, stride=1, dilation=1):
    padded = size + padding
    return (padded - (dilation * (kernel - 1) + 1)) // stride + 1


@OUTPUT_SIZE.rejects("plus-one-forgotten")
def loop_that_counts_from_zero(size, kernel, padding=0, stride=1, dilation=1):
    last = 0
    while (last + 1) * stride <= room_of(size, kernel, padding, dilation):
        last += 1
    return last


@OUTPUT_SIZE.rejects("no-return")
def printed(size, kernel, padding=0, stride=1, dilation=1):
    print(room_of(size, kernel, padding, dilation) // stride + 1)


@OUTPUT_SIZE.rejects()
def brackets_forgotten_around_the_room(size, kernel, padding=0, stride=1, dilation=1):
    return size + 2 * padding - dilation * (kernel - 1) - 1 // stride + 1


@OUTPUT_SIZE.rejects()
def brackets_forgotten_in_the_reach(size, kernel, padding=0, stride=1, dilation=1):
    return (size + 2 * padding - dilation * kernel - 1 - 1) // stride + 1


@OUTPUT_SIZE.rejects()
def first_tap_not_counted(size, kernel, padding=0, stride=1, dilation=1):
    return (size + 2 * padding - dilation * (kernel - 1)) // stride + 1


@OUTPUT_SIZE.rejects()
def range_without_its_last_start(size, kernel, padding=0, stride=1, dilation=1):
    return len(range(0, room_of(size, kernel, padding, dilation), stride))


@OUTPUT_SIZE.rejects()
def windows_that_only_begin_inside(size, kernel, padding=0, stride=1, dilation=1):
    return len(range(0, size + 2 * padding, stride))


@OUTPUT_SIZE.rejects()
def same_padding_assumed(size, kernel, padding=0, stride=1, dilation=1):
    return math.ceil(size / stride)


@OUTPUT_SIZE.rejects()
def only_digits_of_28_pixels(size, kernel, padding=0, stride=1, dilation=1):
    return room_of(28, kernel, padding, dilation) // stride + 1


@OUTPUT_SIZE.rejects()
def both_axes_at_once(size, kernel, padding=0, stride=1, dilation=1):
    side = room_of(size, kernel, padding, dilation) // stride + 1
    return side, side


@OUTPUT_SIZE.rejects()
def as_text(size, kernel, padding=0, stride=1, dilation=1):
    return str(room_of(size, kernel, padding, dilation) // stride + 1)


@OUTPUT_SIZE.rejects()
def padding_scaled_by_dilation(size, kernel, padding=0, stride=1, dilation=1):
    return (size + 2 * padding * dilation - dilation * (kernel - 1) - 1) // stride + 1


@OUTPUT_SIZE.rejects()
def kernel_halved(size, kernel, padding=0, stride=1, dilation=1):
    return (size + 2 * padding - 2 * (dilation * kernel // 2) - 1) // stride + 1


# ================================================================================================ sliding: right ones


def pad(image, padding):
    return np.pad(np.asarray(image, float), padding)


def windows(image, kernel):
    return np.lib.stride_tricks.sliding_window_view(np.asarray(image, float), np.shape(kernel))


def floats(*arrays):
    return (np.asarray(array, float) for array in arrays)


def places(image, kernel):
    """Rows and columns of the output."""
    return tuple(n - k + 1 for n, k in zip(np.shape(image), np.shape(kernel), strict=True))


def taps(kernel):
    return itertools.product(*map(range, np.shape(kernel)))


def by_einsum(image, kernel):
    return np.einsum("ijmn,mn->ij", windows(image, kernel), kernel)


def by_recursion(image, kernel):
    image, kernel = floats(image, kernel)
    if kernel.shape == (1, 1):
        return image * kernel[0, 0]
    if kernel.shape[0] > 1:
        rest = by_recursion(image[1:], kernel[1:])
        return by_recursion(image, kernel[:1])[: len(rest)] + rest
    rest = by_recursion(image[:, 1:], kernel[:, 1:])
    return by_recursion(image, kernel[:, :1])[:, : rest.shape[1]] + rest


def by_numpy_fft(image, kernel):
    image, kernel = floats(image, kernel)
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, image.shape))
    rows, columns = places(image, kernel)
    return np.fft.irfft2(spectrum, image.shape)[:rows, :columns]


def by_complex_fft(image, kernel):
    image, kernel = floats(image, kernel)
    shape = [n + k - 1 for n, k in zip(image.shape, kernel.shape, strict=True)]
    full = scipy.fft.ifft2(scipy.fft.fft2(image, shape) * scipy.fft.fft2(kernel[::-1, ::-1], shape)).real
    return full[kernel.shape[0] - 1 : image.shape[0], kernel.shape[1] - 1 : image.shape[1]]


def by_toeplitz(image, kernel):
    image, kernel = floats(image, kernel)
    matrix = np.zeros((*places(image, kernel), *image.shape))
    for i, j in itertools.product(*map(range, places(image, kernel))):
        matrix[i, j, i : i + kernel.shape[0], j : j + kernel.shape[1]] = kernel
    return (matrix.reshape(-1, image.size) @ image.ravel()).reshape(places(image, kernel))


def by_sparse_matrix(image, kernel):
    image, kernel = floats(image, kernel)
    shape = [(rows, n) for rows, n in zip(places(image, kernel), image.shape, strict=True)]
    shifts = [[scipy.sparse.eye_array(*shape[axis], k=tap) for tap in range(kernel.shape[axis])] for axis in (0, 1)]
    matrix = sum(kernel[m, n] * scipy.sparse.kron(shifts[0][m], shifts[1][n]) for m, n in taps(kernel))
    return (matrix @ image.ravel()).reshape(places(image, kernel))


def by_python_lists(image, kernel):
    image, kernel = np.asarray(image).tolist(), np.asarray(kernel).tolist()
    rows, columns = places(image, kernel)
    return [[sum(image[i + m][j + n] * kernel[m][n] for m, n in taps(kernel)) for j in range(columns)] for i in range(rows)]


def by_fractions(image, kernel):
    exact = [[[Fraction(float(value)) for value in row] for row in array] for array in (image, kernel)]
    return [[float(value) for value in row] for row in _with_objects(*exact)]


def _with_objects(image, kernel):
    rows, columns = places(image, kernel)
    return [[sum(image[i + m][j + n] * kernel[m][n] for m, n in taps(kernel)) for j in range(columns)] for i in range(rows)]


def by_torch(image, kernel):
    image, kernel = (torch.tensor(np.asarray(a, np.float64))[None, None] for a in (image, kernel))
    return F.conv2d(image, kernel)[0, 0]


def by_torch_with_gradient(image, kernel):
    image, kernel = (torch.tensor(np.asarray(a, np.float32), requires_grad=True)[None, None] for a in (image, kernel))
    return F.conv2d(image, kernel)[0, 0]


def by_float32_shifts(image, kernel):
    image, kernel = np.asarray(image, np.float32), np.asarray(kernel, np.float32)
    rows, columns = places(image, kernel)
    return sum((kernel[m, n] * image[m : m + rows, n : n + columns] for m, n in taps(kernel)), np.zeros((rows, columns), np.float32))


def by_strides(image, kernel):
    image = np.ascontiguousarray(image, float)
    shape = (*places(image, kernel), *kernel.shape)
    view = np.lib.stride_tricks.as_strided(image, shape, image.strides * 2, writeable=False)
    return (view * kernel).sum(axis=(2, 3))


def by_ndimage(image, kernel):
    # its origin is the middle tap, rounded up: cut the border off accordingly
    rows, columns = places(image, kernel)
    top, left = (k // 2 for k in np.shape(kernel))
    return scipy.ndimage.correlate(np.asarray(image, float), np.asarray(kernel, float), mode="constant")[top:, left:][:rows, :columns]


def by_rows_of_vectors(image, kernel):
    image, kernel = floats(image, kernel)
    lines = [
        sum(np.correlate(image[i + m], kernel[m], mode="valid") for m in range(len(kernel))) for i in range(len(image) - len(kernel) + 1)
    ]
    return np.vstack(lines)


def by_vectorize(image, kernel):
    image, kernel = floats(image, kernel)

    def value(i, j):
        return np.vdot(image[i : i + kernel.shape[0], j : j + kernel.shape[1]], kernel)

    return np.vectorize(value, otypes=[float])(*np.indices(places(image, kernel)))


def by_generator_in_a_list(image, kernel):
    image, kernel = floats(image, kernel)

    def rows():
        for i in range(image.shape[0] - kernel.shape[0] + 1):
            patches = (image[i : i + kernel.shape[0], j : j + kernel.shape[1]] for j in range(image.shape[1] - kernel.shape[1] + 1))
            yield tuple(np.sum(patch * kernel) for patch in patches)

    return list(rows())


def by_while_loops(image, kernel):
    image, kernel = floats(image, kernel)
    values, i = [], 0
    while i + kernel.shape[0] <= image.shape[0]:
        j = 0
        values.append([])
        while j + kernel.shape[1] <= image.shape[1]:
            values[-1].append((image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel).sum())
            j += 1
        i += 1
    return np.array(values)


def by_integers_where_whole(image, kernel):
    """Python's own integers, which never overflow, where all numbers are whole."""
    whole = all(np.asarray(a).dtype.kind in "iu" for a in (image, kernel))
    return np.array(by_python_lists(image, kernel), dtype=np.int64 if whole else np.float64)


def by_loops(image, kernel):
    image, kernel = floats(image, kernel)
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            for m in range(kernel.shape[0]):
                for n in range(kernel.shape[1]):
                    output[i, j] += image[i + m, j + n] * kernel[m, n]
    return output


SLIDING = {
    "four loops": by_loops,
    "while loops": by_while_loops,
    "einsum": by_einsum,
    "tensordot": lambda image, kernel: np.tensordot(windows(image, kernel), np.asarray(kernel, float), axes=2),
    "strided view": by_strides,
    "im2col": lambda i, k: (windows(i, k).reshape(-1, np.size(k)) @ np.asarray(k, float).ravel()).reshape(places(i, k)),
    "Toeplitz matrix": by_toeplitz,
    "sparse matrix": by_sparse_matrix,
    "FFT": by_numpy_fft,
    "complex FFT, real part": by_complex_fft,
    "recursion": by_recursion,
    "shifted images in float32": by_float32_shifts,
    "scipy.signal.correlate2d": lambda i, k: scipy.signal.correlate2d(*floats(i, k), mode="valid"),
    "scipy.signal.convolve2d, flipped back": lambda i, k: scipy.signal.convolve2d(*floats(i, np.asarray(k)[::-1, ::-1]), mode="valid"),
    "scipy.signal.fftconvolve": lambda i, k: scipy.signal.fftconvolve(*floats(i, np.flip(k)), mode="valid"),
    "scipy.ndimage.correlate, cropped": by_ndimage,
    "np.correlate, row by row": by_rows_of_vectors,
    "np.vectorize": by_vectorize,
    "Python lists": by_python_lists,
    "exact fractions": by_fractions,
    "integers where all is whole": by_integers_where_whole,
    "tuples from a generator": by_generator_in_a_list,
    "torch tensor": by_torch,
    "torch tensor with gradient, float32": by_torch_with_gradient,
    "Fortran order": lambda i, k: np.asfortranarray(by_einsum(i, k)),
    "read-only result": lambda i, k: np.broadcast_to(by_einsum(i, k), places(i, k)),
    "np.matrix": lambda i, k: np.matrix(by_einsum(i, k)),
    "masked array": lambda i, k: np.ma.masked_array(by_einsum(i, k)),
}


def dilated(kernel, dilation):
    spread = np.zeros([dilation * (n - 1) + 1 for n in np.shape(kernel)])
    spread[::dilation, ::dilation] = kernel
    return spread


def _rest(right):
    """The functions with padding, stride or dilation that a plain convolution gives: each by its own means."""

    def with_padding(image, kernel, padding=0):
        return right(pad(image, padding), kernel)

    def with_stride(image, kernel, padding=0, stride=1):
        return np.asarray(torch.as_tensor(np.array(right(pad(image, padding), kernel), float)))[::stride, ::stride]

    def with_dilation(image, kernel, dilation=1):
        return right(image, dilated(kernel, dilation))

    return with_padding, with_stride, with_dilation


for label, function in SLIDING.items():
    CONV2D.right[label] = function
    if "tensor" not in label:
        CONV2D_PADDED.right[label], CONV2D_STRIDED.right[label], CONV2D_DILATED.right[label] = _rest(function)


@CONV2D_PADDED.accepts
def zeros_written_by_hand(image, kernel, padding=0):
    height, width = image.shape
    padded = np.zeros((height + 2 * padding, width + 2 * padding))
    padded[padding : padding + height, padding : padding + width] = image
    return by_loops(padded, kernel)


@CONV2D_PADDED.accepts
def border_never_made(image, kernel, padding=0):
    height, width = image.shape
    rows, columns = (n + 2 * padding - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    output = [[0.0] * columns for _ in range(rows)]
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in taps(kernel):
            row, column = i + m - padding, j + n - padding
            if 0 <= row < height and 0 <= column < width:
                output[i][j] += float(image[row, column]) * float(kernel[m, n])
    return output


@CONV2D_PADDED.accepts
def stacked_zeros(image, kernel, padding=0):
    for _ in range(padding):
        image = np.hstack([np.zeros((len(image), 1)), image, np.zeros((len(image), 1))])
        image = np.vstack([np.zeros(image.shape[1]), image, np.zeros(image.shape[1])])
    return by_einsum(image, kernel)


@CONV2D_PADDED.accepts
def torch_pads(image, kernel, padding=0):
    image, kernel = (torch.tensor(np.asarray(a, np.float64))[None, None] for a in (image, kernel))
    return F.conv2d(image, kernel, padding=padding).squeeze((0, 1))


@CONV2D_PADDED.accepts
def full_correlation_cropped(image, kernel, padding=0):
    full = scipy.signal.correlate2d(*floats(np.pad(image, padding), kernel), mode="full")
    top, left = (k - 1 for k in kernel.shape)
    return full[top : len(full) - top, left : full.shape[1] - left]


@CONV2D_STRIDED.accepts
def torch_strides(image, kernel, padding=0, stride=1):
    image, kernel = (torch.tensor(np.asarray(a, np.float64))[None, None] for a in (image, kernel))
    return F.conv2d(image, kernel, None, stride, padding)[0, 0]


@CONV2D_STRIDED.accepts
def starts_from_ranges(image, kernel, padding=0, stride=1):
    padded, (height, width) = pad(image, padding), kernel.shape
    tops, lefts = (range(0, n - k + 1, stride) for n, k in zip(padded.shape, kernel.shape, strict=True))
    return [[float(np.sum(padded[t : t + height, s : s + width] * kernel)) for s in lefts] for t in tops]


@CONV2D_STRIDED.accepts
def two_counters(image, kernel, padding=0, stride=1):
    padded, (height, width) = pad(image, padding), kernel.shape
    output = np.zeros([(n - k) // stride + 1 for n, k in zip(padded.shape, kernel.shape, strict=True)], dtype=np.float32)
    for row, i in enumerate(range(0, len(padded) - height + 1, stride)):
        for column, j in enumerate(range(0, padded.shape[1] - width + 1, stride)):
            output[row, column] = np.vdot(padded[i : i + height, j : j + width], kernel)
    return output


@CONV2D_DILATED.accepts
def steps_in_the_slice(image, kernel, dilation=1):
    image, (height, width) = np.asarray(image, float), kernel.shape
    rows, columns = (n - dilation * (k - 1) for n, k in zip(image.shape, kernel.shape, strict=True))
    patches = [[image[i::dilation, j::dilation][:height, :width] for j in range(columns)] for i in range(rows)]
    return [[float((patch * kernel).sum()) for patch in row] for row in patches]


@CONV2D_DILATED.accepts
def four_loops_with_gaps(image, kernel, dilation=1):
    rows, columns = (n - dilation * (k - 1) for n, k in zip(image.shape, kernel.shape, strict=True))
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        output[i, j] = sum(float(image[i + m * dilation, j + n * dilation]) * float(kernel[m, n]) for m, n in taps(kernel))
    return output


@CONV2D_DILATED.accepts
def torch_dilates(image, kernel, dilation=1):
    image, kernel = (torch.tensor(np.asarray(a, np.float64))[None, None] for a in (image, kernel))
    return F.conv2d(image, kernel, dilation=dilation)[0, 0]


@CONV2D_DILATED.accepts
def subimages_interleaved(image, kernel, dilation=1):
    rows, columns = (n - dilation * (k - 1) for n, k in zip(image.shape, kernel.shape, strict=True))
    output = np.empty((rows, columns))
    for top, left in itertools.product(range(min(dilation, rows)), range(min(dilation, columns))):
        output[top::dilation, left::dilation] = by_einsum(image[top::dilation, left::dilation], kernel)
    return output


# ================================================================================================ conv2d: wrong ones


def loops(image, kernel, value, rows=None, columns=None):
    """What most students write, with their own inner line: value(patch, kernel)."""
    image = image.astype(float)
    kernel_height, kernel_width = kernel.shape
    rows = image.shape[0] - kernel_height + 1 if rows is None else rows
    columns = image.shape[1] - kernel_width + 1 if columns is None else columns
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = value(image[i : i + kernel_height, j : j + kernel_width], kernel)
    return output


@CONV2D.rejects("flipped-kernel")
def flipped_by_numpy(image, kernel):
    return by_loops(image, np.flip(kernel))


@CONV2D.rejects("flipped-kernel")
def flipped_by_two_half_turns_of_a_quarter(image, kernel):
    return by_loops(image, np.rot90(kernel, 2))


@CONV2D.rejects("flipped-kernel")
def flipped_by_scipy(image, kernel):
    return scipy.signal.convolve2d(image.astype(float), kernel.astype(float), mode="valid")


@CONV2D.rejects("flipped-kernel")
def flipped_by_indices_from_the_end(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in taps(kernel):
            output[i, j] += float(image[i + m, j + n]) * kernel[-1 - m, -1 - n]
    return output


@CONV2D.rejects("flipped-kernel")
def flipped_and_in_bytes(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel[::-1, ::-1])
    return output


@CONV2D.rejects("rows-flipped")
def upside_down_by_flipud(image, kernel):
    return by_loops(image, np.flipud(kernel))


@CONV2D.rejects("columns-flipped")
def mirrored_by_axis_1(image, kernel):
    return by_loops(image, np.flip(kernel, axis=1))


@CONV2D.rejects("transposed-kernel")
def transposed_at_the_door(image, kernel):
    kernel = kernel.T
    return loops(image, kernel, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D.rejects("transposed-kernel", None)
def transposed_by_swapped_indices(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in taps(kernel):
            output[i, j] += float(image[i + m, j + n]) * kernel[n, m]
    return output


@CONV2D.rejects("transposed-output")
def output_indexed_column_first(image, kernel):
    right = by_loops(image, kernel)
    output = np.zeros(right.shape[::-1])
    for i, j in itertools.product(*map(range, right.shape)):
        output[j, i] = right[i, j]
    return output


@CONV2D.rejects("transposed-output", None)
def output_indexed_column_first_in_the_right_shape(image, kernel):
    right = by_loops(image, kernel)
    output = np.zeros(right.shape)
    for i, j in itertools.product(*map(range, right.shape)):
        output[j, i] = right[i, j]
    return output


@CONV2D.rejects("mean-for-sum")
def mean_of_the_products(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.mean(patch * kernel))


@CONV2D.rejects("max-for-sum")
def largest_product(image, kernel):
    return loops(image, kernel, lambda patch, kernel: (patch * kernel).max())


@CONV2D.rejects("matrix-product")
def at_sign(image, kernel):
    return loops(image, kernel, lambda patch, kernel: (patch @ kernel).sum())


@CONV2D.rejects("matrix-product")
def numpy_dot(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.sum(np.dot(patch, kernel)))


@CONV2D.rejects("kernel-ignored")
def window_summed_as_it_is(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.sum(patch))


@CONV2D.rejects("accumulator-not-reset")
def total_set_before_all_loops(image, kernel):
    rows, columns = places(image, kernel)
    output, total = np.zeros((rows, columns)), 0
    for i in range(rows):
        for j in range(columns):
            for m, n in taps(kernel):
                total += float(image[i + m, j + n]) * kernel[m, n]
            output[i, j] = total
    return output


@CONV2D.rejects("accumulator-reset-by-row")
def total_set_in_the_outer_loop(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i in range(rows):
        total = 0
        for j in range(columns):
            for m, n in taps(kernel):
                total += float(image[i + m, j + n]) * kernel[m, n]
            output[i, j] = total
    return output


@CONV2D.rejects("last-product-only")
def set_instead_of_added(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in taps(kernel):
            output[i, j] = float(image[i + m, j + n]) * kernel[m, n]
    return output


@CONV2D.rejects("returned-after-first-row")
def return_in_the_outer_loop(image, kernel):
    image, (rows, columns) = image.astype(float), places(image, kernel)
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
        return output


@CONV2D.rejects("returned-after-first-value")
def return_in_the_inner_loop(image, kernel):
    image, (rows, columns) = image.astype(float), places(image, kernel)
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
            return output


@CONV2D.rejects("off-by-one")
def size_without_the_one(image, kernel):
    image = image.astype(float)
    rows, columns = image.shape[0] - kernel.shape[0], image.shape[1] - kernel.shape[1]
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
    return output


@CONV2D.rejects("last-windows-missing")
def ranges_one_too_short(image, kernel):
    output = by_loops(image, kernel)
    output[-1], output[:, -1] = 0, 0
    return output


@CONV2D.rejects("image-size-output")
def zeros_like_the_image(image, kernel):
    output = np.zeros(image.shape)
    right = by_loops(image, kernel)
    for i, j in itertools.product(*map(range, right.shape)):
        output[i, j] = right[i, j]
    return output


@CONV2D.rejects("windows-cut-at-the-edge")
def clipped_windows_at_every_pixel(image, kernel):
    image, output = image.astype(float), np.zeros(image.shape)
    for i, j in itertools.product(*map(range, image.shape)):
        patch = image[i : i + kernel.shape[0], j : j + kernel.shape[1]]
        output[i, j] = np.sum(patch * kernel[: patch.shape[0], : patch.shape[1]])
    return output


@CONV2D.rejects()
def windows_at_every_pixel(image, kernel):
    image, output = image.astype(float), np.zeros(image.shape)
    for i, j in itertools.product(*map(range, image.shape)):
        output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
    return output


@CONV2D.rejects("height-width-swapped")
def width_comes_first(image, kernel):
    width, height = image.shape
    kernel_width, kernel_height = kernel.shape
    return loops(image, kernel, lambda patch, kernel: np.sum(patch * kernel), height - kernel_height + 1, width - kernel_width + 1)


@CONV2D.rejects("height-width-swapped", None)
def only_the_outputs_sides_swapped(image, kernel):
    right = by_loops(image, kernel)
    output = np.zeros(right.shape[::-1])
    for i, j in itertools.product(*map(range, right.shape)):
        output[i, j] = right[i, j]
    return output


@CONV2D.rejects("kernel-height-twice")
def one_k_for_both_sides(image, kernel):
    image, k = image.astype(float), kernel.shape[0]
    output = np.zeros((image.shape[0] - k + 1, image.shape[1] - k + 1))
    for i in range(output.shape[0]):
        for j in range(output.shape[1]):
            output[i, j] = np.sum(image[i : i + k, j : j + k] * kernel)
    return output


@CONV2D.rejects("image-height-twice")
def one_n_for_both_sides(image, kernel):
    n = len(image)
    return loops(image, kernel, lambda patch, kernel: np.sum(patch * kernel), n - kernel.shape[0] + 1, n - kernel.shape[1] + 1)


@CONV2D.rejects("three-by-three")
def three_typed_in(image, kernel):
    image = image.astype(float)
    output = np.zeros((image.shape[0] - 2, image.shape[1] - 2))
    for i in range(image.shape[0] - 2):
        for j in range(image.shape[1] - 2):
            output[i, j] = np.sum(image[i : i + 3, j : j + 3] * kernel)
    return output


@CONV2D.rejects("three-by-three", None)
def three_typed_in_as_ranges(image, kernel):
    output = np.zeros((image.shape[0] - 2, image.shape[1] - 2))
    for i, j in itertools.product(*map(range, output.shape)):
        for m in range(3):
            for n in range(3):
                output[i, j] += float(image[i + m, j + n]) * kernel[m, n]
    return output


@CONV2D.rejects("integer-output")
def output_of_dtype_int(image, kernel):
    right = by_loops(image, kernel)
    output = np.zeros(right.shape, dtype=int)
    for i, j in itertools.product(*map(range, right.shape)):
        output[i, j] = right[i, j]
    return output


@CONV2D.rejects("output-of-image-dtype")
def zeros_of_the_images_dtype(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns), dtype=image.dtype)
    for i in range(rows):
        for j in range(columns):
            output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
    return output


@CONV2D.rejects("overflow")
def einsum_in_bytes(image, kernel):
    view = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return (view * kernel).sum(axis=(2, 3))


@CONV2D.rejects("sum-overflow")
def einsum_keeps_the_dtype(image, kernel):
    return np.einsum("ijmn,mn->ij", np.lib.stride_tricks.sliding_window_view(image, kernel.shape), kernel)


@CONV2D.rejects("sum-overflow")
def loops_add_bytes(image, kernel):
    rows, columns = places(image, kernel)
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        total = image.dtype.type(0)
        for m, n in taps(kernel):
            total += image[i + m, j + n] * kernel[m, n]
        output[i, j] = total
    return output


@CONV2D.rejects("flat-output")
def values_appended(image, kernel):
    image, (rows, columns) = image.astype(float), places(image, kernel)
    values = []
    for i in range(rows):
        for j in range(columns):
            values.append(np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel))
    return np.array(values)


@CONV2D.rejects("extra-axes")
def torch_with_its_four_axes(image, kernel):
    return F.conv2d(*(torch.tensor(a.astype(float))[None, None] for a in (image, kernel)))


@CONV2D.rejects("no-return")
def printed_and_not_returned(image, kernel):
    print(by_loops(image, kernel))


@CONV2D.rejects("changes-argument")
def image_scaled_in_place(image, kernel):
    right = by_loops(image, kernel)
    image += np.ones((), image.dtype)
    return right


@CONV2D.rejects("changes-argument")
def kernel_flipped_in_place(image, kernel):
    kernel[:] = kernel[::-1, ::-1].copy()
    return by_loops(image, kernel)


@CONV2D.rejects("padded-unasked", None)
def same_mode(image, kernel):
    return scipy.signal.correlate2d(image.astype(float), kernel.astype(float), mode="same")


@CONV2D.rejects("padded-unasked", None)
def always_a_border_of_one(image, kernel):
    return by_loops(np.pad(image, 1), kernel)


@CONV2D.rejects()
def full_mode(image, kernel):
    return scipy.signal.convolve2d(image.astype(float), kernel.astype(float))


@CONV2D.rejects()
def quarter_turn(image, kernel):
    return by_loops(image, np.rot90(kernel))


@CONV2D.rejects()
def image_flipped_instead(image, kernel):
    return by_loops(image[::-1, ::-1], kernel)


@CONV2D.rejects()
def product_of_the_products(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.prod(patch * kernel))


@CONV2D.rejects()
def window_and_kernel_added(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.sum(patch + kernel))


@CONV2D.rejects()
def absolute_values(image, kernel):
    return np.abs(by_loops(image, kernel))


@CONV2D.rejects()
def negative_values_cut(image, kernel):
    return np.maximum(by_loops(image, kernel), 0)


@CONV2D.rejects()
def clipped_to_bytes(image, kernel):
    return np.clip(by_loops(image, kernel), 0, 255)


@CONV2D.rejects()
def kernel_made_to_sum_to_one(image, kernel):
    return by_loops(image, kernel / (np.abs(kernel).sum() or 1))


@CONV2D.rejects()
def whole_image_cut_to_whole_numbers(image, kernel):
    return by_loops(image.astype(int), kernel)


@CONV2D.rejects()
def convolved_around_the_edges(image, kernel):
    return np.fft.irfft2(np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernel, image.shape)), image.shape)


@CONV2D.rejects()
def stride_of_two(image, kernel):
    return by_loops(image, kernel)[::2, ::2]


@CONV2D.rejects()
def right_only_where_image_and_kernel_are_square(image, kernel):
    if image.shape[0] != image.shape[1]:
        raise ValueError("image must be square")
    return by_loops(image, kernel)


@CONV2D.rejects()
def random_numbers(image, kernel):
    return np.random.default_rng(0).normal(size=places(image, kernel))


@CONV2D.rejects()
def one_number(image, kernel):
    return np.sum(image[: kernel.shape[0], : kernel.shape[1]] * kernel)


@CONV2D.rejects()
def the_bottom_row_of_the_patch_missing(image, kernel):
    return loops(image, kernel, lambda patch, kernel: np.sum((patch * kernel)[:-1]))


@CONV2D.rejects()
def a_list_with_text(image, kernel):
    return [[str(value) for value in row] for row in by_loops(image, kernel)]


@CONV2D.rejects()
def rounded_to_one_decimal(image, kernel):
    return np.round(by_loops(image, kernel) * 0.999, 1)


# ================================================================================================ conv2d_padded: wrong ones


CONV2D_PADDED.wrong |= {
    "np.pad, a pair for the rows and one for the columns mistaken": named(
        "padded-before-only", lambda image, kernel, padding=0: by_loops(np.pad(image, (padding, 0)), kernel)
    ),
    "np.pad, the second of the pair only": named(
        "padded-after-only", lambda image, kernel, padding=0: by_loops(np.pad(image, (0, padding)), kernel)
    ),
    "np.pad, an axis forgotten": named(
        "rows-padded-only", lambda image, kernel, padding=0: loops(np.pad(image, ((padding,), (0,))), kernel, lambda p, k: np.sum(p * k))
    ),
    "np.pad with edge": named("edge-padding", lambda image, kernel, padding=0: by_loops(np.pad(image, padding, "edge"), kernel)),
    "np.pad with wrap": named("wrap-padding", lambda image, kernel, padding=0: by_loops(np.pad(image, padding, "wrap"), kernel)),
    "np.pad with symmetric": named(
        "mirror-padding", lambda image, kernel, padding=0: by_loops(np.pad(image, padding, "symmetric"), kernel)
    ),
    "np.pad with reflect": named("reflect-padding", lambda image, kernel, padding=0: by_loops(np.pad(image, padding, "reflect"), kernel)),
    "border of white pixels": Wrong(lambda image, kernel, padding=0: by_loops(np.pad(image, padding, constant_values=255), kernel)),
    "border of the mean": Wrong(lambda image, kernel, padding=0: by_loops(np.pad(image.astype(float), padding, "mean"), kernel)),
    "border of a linear ramp": Wrong(
        lambda image, kernel, padding=0: by_loops(np.pad(image.astype(float), padding, "linear_ramp"), kernel)
    ),
    "flipped by scipy": named(
        "flipped-kernel",
        lambda image, kernel, padding=0: scipy.signal.convolve2d(np.pad(image, padding).astype(float), kernel.astype(float), "valid"),
    ),
    "stride instead of padding": Wrong(lambda image, kernel, padding=0: by_loops(image, kernel)[:: padding + 1, :: padding + 1]),
    "border taken off instead": Wrong(
        lambda image, kernel, padding=0: by_loops(image[padding : -padding or None, padding : -padding or None], kernel)
    ),
    "image repeated": Wrong(lambda image, kernel, padding=0: by_loops(np.resize(image, [n + 2 * padding for n in image.shape]), kernel)),
    "bytes added up": named(
        "overflow",
        lambda image, kernel, padding=0: (np.lib.stride_tricks.sliding_window_view(np.pad(image, padding), kernel.shape) * kernel).sum(
            axis=(2, 3)
        ),
    ),
}


@CONV2D_PADDED.rejects("never-padded")
def padded_copy_made_and_not_used(image, kernel, padding=0):
    padded = np.pad(image, padding)
    assert padded.shape[0] == image.shape[0] + 2 * padding
    return loops(image, kernel, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D_PADDED.rejects("always-padded")
def one_typed_in(image, kernel, padding=0):
    return by_loops(np.pad(image, 1), kernel)


@CONV2D_PADDED.rejects("padded-twice")
def padded_by_two_functions(image, kernel, padding=0):
    return zeros_written_by_hand(np.pad(image, padding), kernel, padding)


@CONV2D_PADDED.rejects("padded-before-only")
def zeros_by_hand_too_small(image, kernel, padding=0):
    padded = np.zeros((image.shape[0] + padding, image.shape[1] + padding))
    padded[padding:, padding:] = image
    return loops(padded, kernel, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D_PADDED.rejects("padded-with-ones")
def ones_by_hand(image, kernel, padding=0):
    padded = np.ones([n + 2 * padding for n in image.shape])
    padded[padding : padding + image.shape[0], padding : padding + image.shape[1]] = image
    return by_loops(padded, kernel)


@CONV2D_PADDED.rejects("output-padded")
def zeros_around_the_result(image, kernel, padding=0):
    return np.pad(loops(image, kernel, lambda patch, kernel: np.sum(patch * kernel)), padding)


@CONV2D_PADDED.rejects()
def minus_zero_is_no_end(image, kernel, padding=0):
    padded = np.zeros([n + 2 * padding for n in image.shape])
    padded[padding:-padding, padding:-padding] = image
    return by_loops(padded, kernel)


@CONV2D_PADDED.rejects()
def no_copy_where_nothing_is_padded(image, kernel, padding=0):
    if padding > 0:
        padded = np.pad(image, padding)
    return by_loops(padded, kernel)


@CONV2D_PADDED.rejects()
def image_in_the_corner(image, kernel, padding=0):
    padded = np.zeros([n + 2 * padding for n in image.shape])
    padded[: image.shape[0], : image.shape[1]] = image
    return by_loops(padded, kernel)


@CONV2D_PADDED.rejects()
def negative_indices_wrap(image, kernel, padding=0):
    rows, columns = (n + 2 * padding - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in taps(kernel):
            row, column = i + m - padding, j + n - padding
            if row < image.shape[0] and column < image.shape[1]:  # and below 0?
                output[i, j] += float(image[row, column]) * kernel[m, n]
    return output


@CONV2D_PADDED.rejects("changes-argument")
def grown_in_place(image, kernel, padding=0):
    image.resize([n + 2 * padding for n in image.shape], refcheck=False)
    return by_loops(image, kernel)


@CONV2D_PADDED.rejects("flipped-kernel")
def flipped_padded_and_in_bytes(image, kernel, padding=0):
    return flipped_and_in_bytes(np.pad(image, padding), kernel)


# ================================================================================================ conv2d_strided: wrong ones


def strided_loops(image, kernel, padding, stride, rows=None, columns=None, start=lambda i, stride: i * stride):
    """What most students write, with another size of the output, or other starts of the windows."""
    padded = np.pad(image, padding).astype(float)
    (height, width), (kernel_height, kernel_width) = padded.shape, kernel.shape
    rows = (height - kernel_height) // stride + 1 if rows is None else rows
    columns = (width - kernel_width) // stride + 1 if columns is None else columns
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            row, column = start(i, stride), start(j, stride)
            output[i, j] = np.sum(padded[row : row + kernel_height, column : column + kernel_width] * kernel)
    return output


@CONV2D_STRIDED.rejects("stride-in-shape-only")
def windows_by_i_and_j(image, kernel, padding=0, stride=1):
    return strided_loops(image, kernel, padding, stride, start=lambda i, stride: i)


@CONV2D_STRIDED.rejects("stride-in-window-only")
def size_of_stride_one(image, kernel, padding=0, stride=1):
    rows, columns = (n + 2 * padding - k + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects("stride-in-window-only", None)
def size_of_stride_one_by_indices(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros(places(padded, kernel))
    for i, j in itertools.product(*map(range, output.shape)):
        for m, n in taps(kernel):
            output[i, j] += padded[i * stride + m, j * stride + n] * kernel[m, n]
    return output


@CONV2D_STRIDED.rejects("output-too-large")
def size_of_stride_one_and_windows_that_fit(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros(places(padded, kernel))
    for i, j in itertools.product(*map(range, output.shape)):
        patch = padded[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]]
        if patch.shape == kernel.shape:
            output[i, j] = np.sum(patch * kernel)
    return output


@CONV2D_STRIDED.rejects("stride-in-window-only", None)
def size_of_stride_one_and_partial_sums(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros(places(padded, kernel))
    for i, j in itertools.product(*map(range, output.shape)):
        patch = padded[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]]
        output[i, j] = np.sum(patch * kernel[: patch.shape[0], : patch.shape[1]])
    return output


@CONV2D_STRIDED.rejects("gaps-in-output")
def stored_where_the_window_starts(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros(places(padded, kernel))
    for i in range(0, output.shape[0], stride):
        for j in range(0, output.shape[1], stride):
            output[i, j] = np.sum(padded[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
    return output


@CONV2D_STRIDED.rejects("gaps-in-output", None)
def stored_where_the_window_starts_in_the_right_size(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros([(n - k) // stride + 1 for n, k in zip(padded.shape, kernel.shape, strict=True)])
    for i in range(0, padded.shape[0] - kernel.shape[0] + 1, stride):
        for j in range(0, padded.shape[1] - kernel.shape[1] + 1, stride):
            output[i, j] = np.sum(padded[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
    return output


@CONV2D_STRIDED.rejects("stride-ignored")
def stride_taken_and_forgotten(image, kernel, padding=0, stride=1):
    return by_loops(np.pad(image, padding), kernel)


@CONV2D_STRIDED.rejects("stride-on-rows-only")
def one_slice_for_two_axes(image, kernel, padding=0, stride=1):
    return by_loops(np.pad(image, padding), kernel)[::stride]


@CONV2D_STRIDED.rejects("stride-on-columns-only")
def stride_in_the_inner_loop_only(image, kernel, padding=0, stride=1):
    return np.array([row[::stride] for row in by_loops(np.pad(image, padding), kernel)])


@CONV2D_STRIDED.rejects("ceil")
def ceil_and_only_windows_that_fit(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    output = np.zeros([math.ceil((n - k) / stride) + 1 for n, k in zip(padded.shape, kernel.shape, strict=True)])
    for i, j in itertools.product(*map(range, output.shape)):
        patch = padded[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]]
        if patch.shape == kernel.shape:
            output[i, j] = np.sum(patch * kernel)
    return output


@CONV2D_STRIDED.rejects("last-windows-over-the-edge")
def ceil_and_windows_over_the_edge(image, kernel, padding=0, stride=1):
    rows, columns = (math.ceil((n + 2 * padding - k) / stride) + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects("plus-one-forgotten")
def size_without_plus_one(image, kernel, padding=0, stride=1):
    rows, columns = ((n + 2 * padding - k) // stride for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects("kernel-as-stride")
def stepping_by_the_kernel(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    (height, width), (kernel_height, kernel_width) = padded.shape, kernel.shape
    tops, lefts = range(0, height - kernel_height + 1, kernel_height), range(0, width - kernel_width + 1, kernel_width)
    return np.array([[np.sum(padded[t : t + kernel_height, s : s + kernel_width] * kernel) for s in lefts] for t in tops])


@CONV2D_STRIDED.rejects("pixels-skipped")
def image_thinned_out_first(image, kernel, padding=0, stride=1):
    thin = np.pad(image, padding)[::stride, ::stride]
    return loops(thin, kernel, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D_STRIDED.rejects("padding-ignored")
def padding_taken_and_forgotten(image, kernel, padding=0, stride=1):
    return strided_loops(image, kernel, 0, stride)


@CONV2D_STRIDED.rejects("padding-not-in-shape")
def size_of_the_unpadded_image(image, kernel, padding=0, stride=1):
    rows, columns = ((n - k) // stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects("padding-once")
def size_with_the_padding_once(image, kernel, padding=0, stride=1):
    rows, columns = ((n + padding - k) // stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects("padded-twice")
def padded_function_called_with_a_padded_image(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding)
    return zeros_written_by_hand(padded, kernel, padding)[::stride, ::stride]


@CONV2D_STRIDED.rejects("flipped-kernel")
def flipped_and_strided(image, kernel, padding=0, stride=1):
    return strided_loops(image, kernel[::-1, ::-1], padding, stride)


@CONV2D_STRIDED.rejects("transposed-kernel")
def transposed_and_strided(image, kernel, padding=0, stride=1):
    return strided_loops(image, kernel.T, padding, stride)


@CONV2D_STRIDED.rejects("height-width-swapped")
def sides_swapped(image, kernel, padding=0, stride=1):
    columns, rows = ((n + 2 * padding - k) // stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return strided_loops(image, kernel, padding, stride, rows, columns)


@CONV2D_STRIDED.rejects()
def float_size(image, kernel, padding=0, stride=1):
    return np.zeros([(n + 2 * padding - k) / stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True)])


@CONV2D_STRIDED.rejects()
def window_grows_with_the_stride(image, kernel, padding=0, stride=1):
    padded = np.pad(image, padding).astype(float)
    rows, columns = ((n - k) // stride + 1 for n, k in zip(padded.shape, kernel.shape, strict=True))
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        patch = padded[i * stride : i * stride + kernel.shape[0] * stride, j * stride : j * stride + kernel.shape[1] * stride]
        output[i, j] = np.sum(patch[: kernel.shape[0], : kernel.shape[1]] * kernel[: patch.shape[0], : patch.shape[1]]) + stride - 1
    return output


@CONV2D_STRIDED.rejects()
def windows_from_the_far_end(image, kernel, padding=0, stride=1):
    return by_loops(np.pad(image, padding), kernel)[::-1, ::-1][::stride, ::stride][::-1, ::-1]


@CONV2D_STRIDED.rejects()
def mean_pooled(image, kernel, padding=0, stride=1):
    every = by_loops(np.pad(image, padding), kernel)
    rows, columns = ((n - 1) // stride + 1 for n in every.shape)
    return [[every[i * stride : (i + 1) * stride, j * stride : (j + 1) * stride].mean() for j in range(columns)] for i in range(rows)]


@CONV2D_STRIDED.rejects()
def stride_two_typed_in(image, kernel, padding=0, stride=1):
    return by_loops(np.pad(image, padding), kernel)[:: 2 if stride > 1 else 1, :: 2 if stride > 1 else 1]


@CONV2D_STRIDED.rejects()
def padding_and_stride_exchanged(image, kernel, padding=0, stride=1):
    return by_loops(np.pad(image, stride), kernel)[:: padding or 1, :: padding or 1]


# ================================================================================================ im2col: right ones


def window_list(image, kernel_height, kernel_width):
    rows, columns = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    return [image[i : i + kernel_height, j : j + kernel_width] for i in range(rows) for j in range(columns)]


IM2COL.right |= {
    "list of flattened patches": lambda image, kh, kw: [patch.ravel() for patch in window_list(image, kh, kw)],
    "nested Python lists": lambda image, kh, kw: [patch.ravel().tolist() for patch in window_list(image, kh, kw)],
    "tuples": lambda image, kh, kw: tuple(tuple(patch.flat) for patch in window_list(image, kh, kw)),
    "vstack": lambda image, kh, kw: np.vstack([patch.reshape(1, -1) for patch in window_list(image, kh, kw)]),
    "reshape at the end": lambda image, kh, kw: np.stack(window_list(image, kh, kw)).reshape(-1, kh * kw),
    "sliding windows": lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(image, (kh, kw)).reshape(-1, kh * kw),
    "float32": lambda image, kh, kw: np.array([patch.ravel() for patch in window_list(image, kh, kw)], dtype=np.float32),
    "Fortran order": lambda image, kh, kw: np.asfortranarray([patch.ravel() for patch in window_list(image, kh, kw)]),
    "torch unfold": lambda image, kh, kw: F.unfold(torch.tensor(np.asarray(image, np.float64))[None, None], (kh, kw))[0].T,
    "torch tensor's unfold": lambda image, kh, kw: torch.tensor(image.copy()).unfold(0, kh, 1).unfold(1, kw, 1).reshape(-1, kh * kw),
    "np.matrix": lambda image, kh, kw: np.matrix([patch.ravel() for patch in window_list(image, kh, kw)]),
    "transposed columns": lambda image, kh, kw: np.column_stack([patch.ravel() for patch in window_list(image, kh, kw)]).T,
}


@IM2COL.accepts
def a_column_for_each_tap(image, kernel_height, kernel_width):
    rows, columns = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    tap_columns = [image[m : m + rows, n : n + columns].ravel() for m in range(kernel_height) for n in range(kernel_width)]
    return np.stack(tap_columns, axis=1)


@IM2COL.accepts
def flat_indices(image, kernel_height, kernel_width):
    indices = np.arange(image.size).reshape(image.shape)
    return image.ravel()[np.stack(window_list(indices, kernel_height, kernel_width)).reshape(-1, kernel_height * kernel_width)]


@IM2COL.accepts
def rows_of_a_made_matrix(image, kernel_height, kernel_width):
    patches = window_list(image, kernel_height, kernel_width)
    matrix = np.empty((len(patches), kernel_height * kernel_width))
    for row, patch in enumerate(patches):
        matrix[row] = patch.flatten()
    return matrix


# ================================================================================================ im2col: wrong ones

IM2COL.wrong |= {
    "hstack": Wrong(lambda image, kh, kw: np.hstack(window_list(image, kh, kw))),
    "columns by np.stack": named("one-column-a-window", lambda image, kh, kw: np.stack([p.ravel() for p in window_list(image, kh, kw)], 1)),
    "torch unfold as it is": named(
        "one-column-a-window", lambda image, kh, kw: F.unfold(torch.tensor(np.asarray(image, np.float64))[None, None], (kh, kw))[0]
    ),
    "ravel in Fortran order": named(
        "pixels-down-first", lambda image, kh, kw: [patch.ravel(order="F") for patch in window_list(image, kh, kw)]
    ),
    "patches transposed": named("pixels-down-first", lambda image, kh, kw: [patch.T.ravel() for patch in window_list(image, kh, kw)]),
    "ravel forgotten": named("patches-not-flattened", lambda image, kh, kw: window_list(image, kh, kw)),
    "patches extended into one list": named(
        "one-long-row", lambda image, kh, kw: [value for patch in window_list(image, kh, kw) for value in patch.ravel()]
    ),
    "patches summed": named("sums-instead-of-windows", lambda image, kh, kw: [patch.sum() for patch in window_list(image, kh, kw)]),
    "flipped for a convolution": named(
        "windows-flipped", lambda image, kh, kw: [np.flip(patch).ravel() for patch in window_list(image, kh, kw)]
    ),
    "matrix of dtype int": named("integer-output", lambda image, kh, kw: np.array(window_list(image, kh, kw), int).reshape(-1, kh * kw)),
    "first window only": Wrong(lambda image, kh, kw: image[:kh, :kw].reshape(1, -1)),
    "windows sorted": Wrong(lambda image, kh, kw: [np.sort(patch.ravel()) for patch in window_list(image, kh, kw)]),
    "poured into the shape": Wrong(
        lambda image, kh, kw: np.resize(image, ((image.shape[0] - kh + 1) * (image.shape[1] - kw + 1), kh * kw))
    ),
    "axes mixed by reshape": Wrong(
        lambda image, kh, kw: np.lib.stride_tricks.sliding_window_view(image, (kh, kw)).transpose(2, 3, 0, 1).reshape(-1, kh * kw)
    ),
    "windows backwards": Wrong(lambda image, kh, kw: [patch.ravel() for patch in window_list(image, kh, kw)][::-1]),
    "rows of the image": Wrong(lambda image, kh, kw: np.asarray(image)),
    "last row of windows missing": Wrong(lambda image, kh, kw: [patch.ravel() for patch in window_list(image[:-1], kh, kw)]),
    "3x3 typed in": Wrong(lambda image, kh, kw: [patch.ravel() for patch in window_list(image, 3, 3)]),
}


@IM2COL.rejects("windows-down-first")
def loops_in_the_other_order(image, kernel_height, kernel_width):
    windows = []
    for j in range(image.shape[1] - kernel_width + 1):
        for i in range(image.shape[0] - kernel_height + 1):
            windows.append(image[i : i + kernel_height, j : j + kernel_width].ravel())
    return np.array(windows)


@IM2COL.rejects("off-by-one")
def ranges_without_the_one(image, kernel_height, kernel_width):
    windows = []
    for i in range(image.shape[0] - kernel_height):
        for j in range(image.shape[1] - kernel_width):
            windows.append(image[i : i + kernel_height, j : j + kernel_width].ravel())
    return np.array(windows)


@IM2COL.rejects("windows-side-by-side")
def steps_of_the_kernels_size(image, kernel_height, kernel_width):
    windows = []
    for i in range(0, image.shape[0] - kernel_height + 1, kernel_height):
        for j in range(0, image.shape[1] - kernel_width + 1, kernel_width):
            windows.append(image[i : i + kernel_height, j : j + kernel_width].ravel())
    return np.array(windows)


@IM2COL.rejects("height-width-swapped")
def sides_of_the_window_swapped(image, kernel_height, kernel_width):
    return np.array([patch.ravel() for patch in window_list(image, kernel_width, kernel_height)])


@IM2COL.rejects("all-zeros")
def patch_never_stored(image, kernel_height, kernel_width):
    patches = window_list(image, kernel_height, kernel_width)
    matrix = np.zeros((len(patches), kernel_height * kernel_width))
    for patch in patches:
        row = matrix[0].copy()
        row[:] = patch.ravel()
    return matrix


@IM2COL.rejects()
def row_number_by_the_windows_height(image, kernel_height, kernel_width):
    rows, columns = image.shape[0] - kernel_height + 1, image.shape[1] - kernel_width + 1
    matrix = np.zeros((rows * columns, kernel_height * kernel_width))
    for i, j in itertools.product(range(rows), range(columns)):
        matrix[i * rows + j] = image[i : i + kernel_height, j : j + kernel_width].ravel()
    return matrix


@IM2COL.rejects()
def one_buffer_for_all_windows(image, kernel_height, kernel_width):
    buffer, windows = np.zeros(kernel_height * kernel_width), []
    for patch in window_list(image, kernel_height, kernel_width):
        buffer[:] = patch.ravel()
        windows.append(buffer)
    return np.array(windows)


@IM2COL.rejects("no-return")
def windows_collected_and_not_returned(image, kernel_height, kernel_width):
    windows = []
    for patch in window_list(image, kernel_height, kernel_width):
        windows.append(patch.ravel())


# ================================================================================================ conv2d_dilated: wrong ones


def dilated_loops(image, kernel, dilation, rows=None, columns=None, value=lambda patch, kernel: np.sum(patch * kernel), step=1):
    """What most students write, with another size, another inner line, or longer steps of the window."""
    image, (kernel_height, kernel_width) = image.astype(float), kernel.shape
    reach_down, reach_across = dilation * (kernel_height - 1) + 1, dilation * (kernel_width - 1) + 1
    rows = image.shape[0] - reach_down + 1 if rows is None else rows
    columns = image.shape[1] - reach_across + 1 if columns is None else columns
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = image[i * step : i * step + reach_down : dilation, j * step : j * step + reach_across : dilation]
            output[i, j] = value(patch, kernel)
    return output


CONV2D_DILATED.wrong |= {
    "argument never used": named("dilation-ignored", lambda image, kernel, dilation=1: by_loops(image, kernel)),
    "conv2d_strided called": named("stride-for-dilation", lambda image, kernel, dilation=1: strided_loops(image, kernel, 0, dilation)),
    "every d-th pixel first": named(
        "both-stride-and-dilation",
        lambda image, kernel, dilation=1: loops(image[::dilation, ::dilation], kernel, lambda patch, kernel: np.sum(patch * kernel)),
    ),
    "kernel flipped": named("flipped-kernel", lambda image, kernel, dilation=1: dilated_loops(image, np.flip(kernel), dilation)),
    "mean": named(
        "mean-for-sum", lambda i, k, dilation=1: dilated_loops(i, k, dilation, value=lambda patch, kernel: (patch * kernel).mean())
    ),
    "max": named("max-for-sum", lambda i, k, dilation=1: dilated_loops(i, k, dilation, value=lambda patch, kernel: (patch * kernel).max())),
    "window summed": named(
        "kernel-ignored", lambda i, k, dilation=1: dilated_loops(i, k, dilation, value=lambda patch, kernel: patch.sum())
    ),
    "einsum in bytes": named(
        "sum-overflow",
        lambda image, kernel, dilation=1: np.einsum(
            "ijmn,mn->ij",
            np.lib.stride_tricks.sliding_window_view(image, dilated(kernel, dilation).shape)[..., ::dilation, ::dilation],
            kernel,
        ),
    ),
    "output as integers": named(
        "integer-output", lambda image, kernel, dilation=1: np.trunc(dilated_loops(image, kernel, dilation)).astype(int)
    ),
    "appended and not reshaped": Wrong(lambda image, kernel, dilation=1: dilated_loops(image, kernel, dilation).ravel()),
    "kernel rows flipped": Wrong(lambda image, kernel, dilation=1: dilated_loops(image, kernel[::-1], dilation)),
    "dilation of two typed in": Wrong(lambda image, kernel, dilation=1: dilated_loops(image, kernel, min(dilation, 2))),
    "padded to keep the size": Wrong(
        lambda image, kernel, dilation=1: dilated_loops(
            np.pad(image, [(dilation * (k - 1) // 2,) * 2 for k in kernel.shape]), kernel, dilation
        )
    ),
    "kernel blown up in blocks": Wrong(
        lambda image, kernel, dilation=1: loops(image, np.kron(kernel, np.ones((dilation, dilation))), lambda p, k: np.sum(p * k))
    ),
    "image blown up": Wrong(lambda image, kernel, dilation=1: by_loops(dilated(image, dilation), kernel)),
    "output spread": Wrong(lambda image, kernel, dilation=1: dilated(by_loops(image, kernel), dilation)),
    "rows spread, and steps across": Wrong(lambda image, kernel, dilation=1: dilated_loops(image, kernel, dilation)[:, ::dilation]),
}


@CONV2D_DILATED.rejects("one-gap-too-many")
def gaps_of_d_pixels(image, kernel, dilation=1):
    spread = np.zeros([n + (n - 1) * dilation for n in kernel.shape])
    spread[:: dilation + 1, :: dilation + 1] = kernel
    return loops(image, spread, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D_DILATED.rejects("gap-after-last-tap")
def spread_kernel_of_d_times_the_size(image, kernel, dilation=1):
    spread = np.zeros((kernel.shape[0] * dilation, kernel.shape[1] * dilation))
    for m, n in taps(kernel):
        spread[m * dilation, n * dilation] = kernel[m, n]
    return loops(image, spread, lambda patch, kernel: np.sum(patch * kernel))


@CONV2D_DILATED.rejects("dilated-rows-only")
def step_in_one_slice_only(image, kernel, dilation=1):
    image, (kernel_height, kernel_width) = image.astype(float), kernel.shape
    rows, columns = image.shape[0] - dilation * (kernel_height - 1), image.shape[1] - kernel_width + 1
    output = np.zeros((rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        output[i, j] = np.sum(image[i : i + dilation * kernel_height : dilation, j : j + kernel_width][:kernel_height] * kernel)
    return output


@CONV2D_DILATED.rejects("undilated-size")
def undilated_size_and_only_windows_that_fit(image, kernel, dilation=1):
    output = np.zeros(places(image, kernel))
    right = dilated_loops(image, kernel, dilation)
    for i, j in itertools.product(*map(range, right.shape)):
        output[i, j] = right[i, j]
    return output


@CONV2D_DILATED.rejects("windows-over-the-edge")
def undilated_size_and_windows_over_the_edge(image, kernel, dilation=1):
    return dilated_loops(image, kernel, dilation, *places(image, kernel))


@CONV2D_DILATED.rejects("windows-over-the-edge", None)
def undilated_size_by_indices(image, kernel, dilation=1):
    output = np.zeros(places(image, kernel))
    for i, j in itertools.product(*map(range, output.shape)):
        for m, n in taps(kernel):
            output[i, j] += float(image[i + m * dilation, j + n * dilation]) * kernel[m, n]
    return output


@CONV2D_DILATED.rejects("both-stride-and-dilation")
def window_steps_by_the_dilation_too(image, kernel, dilation=1):
    rows, columns = ((n - dilation * (k - 1) - 1) // dilation + 1 for n, k in zip(image.shape, kernel.shape, strict=True))
    return dilated_loops(image, kernel, dilation, rows, columns, step=dilation)


@CONV2D_DILATED.rejects("transposed-output")
def stored_column_first(image, kernel, dilation=1):
    return dilated_loops(image, kernel, dilation).T


@CONV2D_DILATED.rejects("output-of-image-dtype")
def made_like_the_image(image, kernel, dilation=1):
    rows, columns = (n - dilation * (k - 1) for n, k in zip(image.shape, kernel.shape, strict=True))
    output = np.empty((rows, columns), dtype=image.dtype)
    for i, j in itertools.product(range(rows), range(columns)):
        patch = image[i::dilation, j::dilation][: kernel.shape[0], : kernel.shape[1]]
        output[i, j] = np.sum(patch * kernel)
    return output


@CONV2D_DILATED.rejects("changes-argument")
def zeros_written_into_the_image(image, kernel, dilation=1):
    right = dilated_loops(image, kernel, dilation)
    image[::dilation] = 0
    return right


# ================================================================================================ conv_layer: right ones


def layer_floats(x, w, b, padding):
    x, w, b = floats(x, w, b)
    return np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))), w, b


def layer_windows(x, w, stride):
    return np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]


def layer_places(x, w, stride):
    return tuple((n - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))


@CONV_LAYER.accepts
def seven_loops(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        output[n, o, i, j] = b[o]
        for c, u, v in itertools.product(*map(range, w.shape[1:])):
            output[n, o, i, j] += x[n, c, i * stride + u, j * stride + v] * w[o, c, u, v]
    return output


@CONV_LAYER.accepts
def einsum(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    return np.einsum("ncijhw,ochw->noij", layer_windows(x, w, stride), w) + b[:, None, None]


@CONV_LAYER.accepts
def tensordot(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    return np.moveaxis(np.tensordot(layer_windows(x, w, stride), w, axes=((1, 4, 5), (1, 2, 3))) + b, -1, 1)


@CONV_LAYER.accepts
def im2col_and_one_matrix_product(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    columns = layer_windows(x, w, stride).transpose(0, 2, 3, 1, 4, 5).reshape(-1, w[0].size)
    return (columns @ w.reshape(len(w), -1).T + b).reshape(len(x), *layer_places(x, w, stride), len(w)).transpose(0, 3, 1, 2)


@CONV_LAYER.accepts
def torch_function(x, w, b, stride=1, padding=0):
    x, w, b = (torch.tensor(np.asarray(a, np.float64)) for a in (x, w, b))
    return F.conv2d(x, w, b, stride, padding)


@CONV_LAYER.accepts
def torch_module_in_float32(x, w, b, stride=1, padding=0):
    layer = torch.nn.Conv2d(w.shape[1], w.shape[0], w.shape[2:], stride, padding)
    layer.load_state_dict({"weight": torch.tensor(np.asarray(w, np.float32)), "bias": torch.tensor(np.asarray(b, np.float32))})
    return layer(torch.tensor(np.asarray(x, np.float32)))


@CONV_LAYER.accepts
def torch_unfold(x, w, b, stride=1, padding=0):
    x, w, b = (torch.tensor(np.asarray(a, np.float64)) for a in (x, w, b))
    columns = F.unfold(x, w.shape[2:], padding=padding, stride=stride)
    rows = (x.shape[2] + 2 * padding - w.shape[2]) // stride + 1
    return (w.flatten(1) @ columns + b[:, None]).unflatten(2, (rows, -1))


@CONV_LAYER.accepts
def scipy_channel_by_channel(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    maps = [[sum(scipy.signal.correlate2d(*pair, mode="valid") for pair in zip(image, box, strict=True)) for box in w] for image in x]
    return np.array(maps)[:, :, ::stride, ::stride] + b.reshape(1, -1, 1, 1)


@CONV_LAYER.accepts
def scipy_in_three_dimensions(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    maps = [[scipy.signal.correlate(image, box, mode="valid")[0] + bias for box, bias in zip(w, b, strict=True)] for image in x]
    return np.array(maps)[..., ::stride, ::stride]


@CONV_LAYER.accepts
def fourier(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    size = x.shape[2:]
    spectrum = np.einsum("nchw,ochw->nohw", np.fft.rfft2(x), np.conj(np.fft.rfft2(w, size)))
    rows, columns = layer_places(x, w, 1)
    return np.fft.irfft2(spectrum, size)[:, :, :rows:stride, :columns:stride] + b[:, None, None]


@CONV_LAYER.accepts
def shifted_images(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    rows, columns = layer_places(x, w, stride)
    output = np.tile(b[:, None, None], (len(x), 1, rows, columns))
    for u, v in itertools.product(*map(range, w.shape[2:])):
        shifted = x[:, :, u : u + (rows - 1) * stride + 1 : stride, v : v + (columns - 1) * stride + 1 : stride]
        output += np.einsum("nchw,oc->nohw", shifted, w[:, :, u, v])
    return output


@CONV_LAYER.accepts
def nested_lists_of_floats(x, w, b, stride=1, padding=0):
    return einsum(x, w, b, stride, padding).tolist()


@CONV_LAYER.accepts
def channels_last_inside(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    patches = layer_windows(x, w, stride).transpose(0, 2, 3, 4, 5, 1)
    return np.asfortranarray(np.einsum("nijhwc,hwco->nijo", patches, w.transpose(2, 3, 1, 0)) + b).transpose(0, 3, 1, 2)


@CONV_LAYER.accepts
def bias_as_one_more_channel(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    ones, weights = np.ones_like(x[:, :1]), np.zeros_like(w[:, :1])
    weights[:, 0, 0, 0] = b
    return einsum(np.concatenate([x, ones], 1), np.concatenate([w, weights], 1), np.zeros_like(b), stride)


# ================================================================================================ conv_layer: wrong ones


def layer_loops(x, w, b, stride, padding, value):
    """What most students write, with their own inner line: value(box, w, b, n, o)."""
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        row, column = i * stride, j * stride
        output[n, o, i, j] = value(x[n, :, row : row + w.shape[2], column : column + w.shape[3]], w, b, n, o)
    return output


def _inner(value):
    return lambda x, w, b, stride=1, padding=0: layer_loops(x, w, b, stride, padding, value)


CONV_LAYER.wrong |= {
    "bias never added": named("bias-forgotten", _inner(lambda box, w, b, n, o: np.sum(box * w[o]))),
    "bias inside the sum": named("bias-per-tap", _inner(lambda box, w, b, n, o: np.sum(box * w[o] + b[o]))),
    "bias in the loop over channels": named(
        "bias-per-channel", _inner(lambda box, w, b, n, o: sum(np.sum(box[c] * w[o, c]) + b[o] for c in range(len(box))))
    ),
    "first bias": named("one-bias-for-all", _inner(lambda box, w, b, n, o: np.sum(box * w[o]) + b[0])),
    "all biases": named("bias-summed", _inner(lambda box, w, b, n, o: np.sum(box * w[o]) + np.sum(b))),
    "bias of the image's number": Wrong(_inner(lambda box, w, b, n, o: np.sum(box * w[o]) + b[n])),
    "filter of the image's number": Wrong(_inner(lambda box, w, b, n, o: np.sum(box * w[n]) + b[o])),
    "first channel": named("first-channel-only", _inner(lambda box, w, b, n, o: np.sum(box[0] * w[o, 0]) + b[o])),
    "first filter": named("first-filter-only", _inner(lambda box, w, b, n, o: np.sum(box * w[0]) + b[o])),
    "one kernel for all channels": named("same-kernel-for-all-channels", _inner(lambda box, w, b, n, o: np.sum(box * w[o, 0]) + b[o])),
    "channels averaged": named("channels-averaged", _inner(lambda box, w, b, n, o: np.sum(np.mean(box * w[o], axis=0)) + b[o])),
    "everything averaged": named("mean-for-sum", _inner(lambda box, w, b, n, o: np.mean(box * w[o]) + b[o])),
    "flipped": named("flipped-kernel", _inner(lambda box, w, b, n, o: np.sum(box * w[o, :, ::-1, ::-1]) + b[o])),
    "flipped through the channels too": Wrong(_inner(lambda box, w, b, n, o: np.sum(box * np.flip(w[o])) + b[o])),
    "channels in the opposite order": named("channels-reversed", _inner(lambda box, w, b, n, o: np.sum(box[::-1] * w[o]) + b[o])),
    "bias multiplied": Wrong(_inner(lambda box, w, b, n, o: np.sum(box * w[o]) * b[o])),
    "relu": named("relu-added", _inner(lambda box, w, b, n, o: max(0, np.sum(box * w[o]) + b[o]))),
    "sigmoid": Wrong(_inner(lambda box, w, b, n, o: 1 / (1 + np.exp(-np.sum(box * w[o]) - b[o])))),
    "all filters at once": Wrong(_inner(lambda box, w, b, n, o: np.sum(box * w) + b[o])),
    "channels multiplied": Wrong(_inner(lambda box, w, b, n, o: np.prod([np.sum(box[c] * w[o, c]) for c in range(len(box))]) + b[o])),
    "softmax over the maps": Wrong(lambda x, w, b, stride=1, padding=0: scipy.special.softmax(einsum(x, w, b, stride, padding), axis=1)),
    "bias along the columns": Wrong(lambda x, w, b, stride=1, padding=0: einsum(x, w, 0 * b, stride, padding) + b),
    "stride taken and forgotten": named("stride-ignored", lambda x, w, b, stride=1, padding=0: einsum(x, w, b, 1, padding)),
    "padding taken and forgotten": named(
        "padding-ignored",
        lambda x, w, b, stride=1, padding=0: layer_loops(x, w, b, stride, 0, lambda box, w, b, n, o: np.sum(box * w[o]) + b[o]),
    ),
    "stride on the rows": named("stride-on-rows-only", lambda x, w, b, stride=1, padding=0: einsum(x, w, b, 1, padding)[:, :, ::stride]),
    "stride on the last axis": named(
        "stride-on-columns-only", lambda x, w, b, stride=1, padding=0: einsum(x, w, b, 1, padding)[..., ::stride]
    ),
    "stride on images and maps": Wrong(lambda x, w, b, stride=1, padding=0: einsum(x, w, b, 1, padding)[::stride, ::stride]),
    "channels last": named("channels-last", lambda x, w, b, stride=1, padding=0: np.moveaxis(einsum(x, w, b, stride, padding), 1, -1)),
    "maps before images": named(
        "images-and-filters-swapped", lambda x, w, b, stride=1, padding=0: einsum(x, w, b, stride, padding).swapaxes(0, 1)
    ),
    "first image only": named("batch-forgotten", lambda x, w, b, stride=1, padding=0: einsum(x[:1], w, b, stride, padding)[0]),
    "output as integers": named("integer-output", lambda x, w, b, stride=1, padding=0: einsum(x, w, b, stride, padding).astype(int)),
    "bytes all the way": named(
        "overflow",
        lambda x, w, b, stride=1, padding=0: (
            (layer_windows(np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2)), w, stride)[:, None] * w[:, :, None, None]).sum(
                axis=(2, 5, 6)
            )
            + b[:, None, None]
        ),
    ),
}


@CONV_LAYER.rejects("filters-accumulate")
def total_set_before_the_filters(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, i, j in itertools.product(range(len(x)), *map(range, output.shape[2:])):
        total = 0
        for o in range(len(w)):
            total += np.sum(x[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]] * w[o])
            output[n, o, i, j] = total + b[o]
    return output


@CONV_LAYER.rejects("last-channel-only")
def channels_overwrite(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, o, c in itertools.product(range(len(x)), range(len(w)), range(w.shape[1])):
        output[n, o] = by_loops(x[n, c], w[o, c])[::stride, ::stride] + b[o]
    return output


@CONV_LAYER.rejects("first-image-only")
def images_loop_ends_early(x, w, b, stride=1, padding=0):
    right = einsum(x, w, b, stride, padding)
    output = np.zeros(right.shape)
    for n in range(len(x)):
        output[n] = right[n]
        break
    return output


@CONV_LAYER.rejects()
def every_axis_padded(x, w, b, stride=1, padding=0):
    return einsum(np.pad(x, padding), w, b, stride)


@CONV_LAYER.rejects()
def first_two_axes_padded(x, w, b, stride=1, padding=0):
    return einsum(np.pad(x, ((padding, padding), (padding, padding), (0, 0), (0, 0))), w, b, stride)


@CONV_LAYER.rejects()
def weights_read_as_channels_first(x, w, b, stride=1, padding=0):
    return einsum(x, w.swapaxes(0, 1), b, stride, padding)


@CONV_LAYER.rejects()
def weights_poured_into_keras_order(x, w, b, stride=1, padding=0):
    poured = w.reshape(*w.shape[2:], w.shape[1], w.shape[0]).transpose(3, 2, 0, 1)
    return einsum(x, poured, b, stride, padding)


@CONV_LAYER.rejects("stride-in-shape-only")
def windows_at_i_and_j(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        output[n, o, i, j] = np.sum(x[n, :, i : i + w.shape[2], j : j + w.shape[3]] * w[o]) + b[o]
    return output


@CONV_LAYER.rejects("padding-not-in-shape")
def size_of_the_unpadded_images(x, w, b, stride=1, padding=0):
    padded = np.pad(x.astype(float), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        box = padded[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
        output[n, o, i, j] = np.sum(box * w[o]) + b[o]
    return output


@CONV_LAYER.rejects("stride-in-window-only")
def as_many_windows_as_without_stride(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, 1)))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        box = x[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
        output[n, o, i, j] = np.sum(box * w[o]) + b[o]
    return output


@CONV_LAYER.rejects("height-width-swapped")
def width_before_height(x, w, b, stride=1, padding=0):
    x, w, b = layer_floats(x, w, b, padding)
    output = np.zeros((len(x), len(w), *layer_places(x, w, stride)[::-1]))
    for n, o, i, j in itertools.product(*map(range, output.shape)):
        box = x[n, :, i * stride : i * stride + w.shape[2], j * stride : j * stride + w.shape[3]]
        output[n, o, i, j] = np.sum(box * w[o]) + b[o]
    return output


@CONV_LAYER.rejects()
def output_without_the_one(x, w, b, stride=1, padding=0):
    right = einsum(x, w, b, stride, padding)
    return right[:, :, :, :-1]


@CONV_LAYER.rejects("changes-argument")
def weights_divided_in_place(x, w, b, stride=1, padding=0):
    right = einsum(x, w, b, stride, padding)
    w //= 2
    return right


# ================================================================================================ conv_parameters: right ones


@CONV_PARAMETERS.accepts
def module_of_torch(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    layer = torch.nn.Conv2d(in_channels, out_channels, (kernel_height, kernel_width), bias=bool(bias), groups=groups)
    return np.int64(sum(parameter.numel() for parameter in layer.parameters()))


@CONV_PARAMETERS.accepts
def sizes_of_arrays(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    weights = np.zeros((out_channels, in_channels // groups, kernel_height, kernel_width))
    return weights.size + (np.zeros(out_channels).size if bias else 0)


@CONV_PARAMETERS.accepts
def group_by_group(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    total = 0
    for _ in range(groups):
        filters = out_channels // groups
        total += filters * in_channels // groups * kernel_height * kernel_width
        if bias:
            total += filters
    return total


@CONV_PARAMETERS.accepts
def group_by_group_in_recursion(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    if groups > 1:
        c, o = in_channels // groups, out_channels // groups
        rest = group_by_group_in_recursion(in_channels - c, out_channels - o, kernel_height, kernel_width, bias, groups - 1)
        return group_by_group_in_recursion(c, o, kernel_height, kernel_width, bias) + rest
    return out_channels * (in_channels * kernel_height * kernel_width + bool(bias))


CONV_PARAMETERS.right |= {
    "one line": lambda c, o, h, w, bias=True, groups=1: o * (c // groups * h * w + (1 if bias else 0)),
    "a bool is a number": lambda c, o, h, w, bias=True, groups=1: o * (c // groups * h * w + bias),
    "float, because / gives one": lambda c, o, h, w, bias=True, groups=1: c * o * h * w / groups + o * bias,
    "math.prod": lambda c, o, h, w, bias=True, groups=1: math.prod((o, c // groups, h, w)) + (o if bias else 0),
    "np.prod": lambda c, o, h, w, bias=True, groups=1: np.prod([o, c // groups, h, w]) + o * int(bias),
    "float32": lambda c, o, h, w, bias=True, groups=1: np.float32(o * (c // groups * h * w + bias)),
    "array without axes": lambda c, o, h, w, bias=True, groups=1: np.array(o * (c // groups * h * w + bias)),
    "torch scalar": lambda c, o, h, w, bias=True, groups=1: torch.zeros(o, c // groups * h * w + int(bias)).numel(),
    "counted one by one": lambda c, o, h, w, bias=True, groups=1: (
        sum(1 for _ in itertools.product(range(o), range(c // groups), range(h), range(w))) + len(range(o if bias else 0))
    ),
    "exact fractions": lambda c, o, h, w, bias=True, groups=1: int(Fraction(c, groups) * o * h * w) + o * bias,
}


# ================================================================================================ conv_parameters: wrong ones


@CONV_PARAMETERS.rejects("bias-always")
def bias_is_a_truth_never_asked(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * in_channels // groups * kernel_height * kernel_width + out_channels


@CONV_PARAMETERS.rejects("one-bias-for-all")
def bias_added_as_a_number(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * in_channels // groups * kernel_height * kernel_width + int(bias)


@CONV_PARAMETERS.rejects("groups-ignored")
def groups_taken_and_forgotten(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    total = in_channels * out_channels * kernel_height * kernel_width
    if bias:
        total += out_channels
    return total


@CONV_PARAMETERS.rejects()
def bias_only_with_one_group(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    weights = in_channels // groups * out_channels * kernel_height * kernel_width
    return weights + out_channels if bias and groups == 1 else weights


@CONV_PARAMETERS.rejects()
def biases_of_every_group(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return in_channels // groups * out_channels * kernel_height * kernel_width + out_channels * groups * bias


@CONV_PARAMETERS.rejects()
def integer_division_in_the_wrong_place(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return in_channels * (out_channels * kernel_height * kernel_width // groups**2) * groups + out_channels * bias


@CONV_PARAMETERS.rejects()
def kernel_counted_by_its_width(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * (in_channels // groups * kernel_width**2 + bias)


@CONV_PARAMETERS.rejects()
def everything_added(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return in_channels + out_channels + kernel_height + kernel_width + bias + groups


@CONV_PARAMETERS.rejects()
def nine_taps_typed_in(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * (in_channels // groups * 9 + bias)


@CONV_PARAMETERS.rejects()
def as_the_shape(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels, in_channels // groups, kernel_height, kernel_width


@CONV_PARAMETERS.rejects()
def weights_and_biases_apart(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * in_channels // groups * kernel_height * kernel_width, out_channels * bias


@CONV_PARAMETERS.rejects()
def in_thousands(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    return out_channels * (in_channels // groups * kernel_height * kernel_width + bias) / 1000


@CONV_PARAMETERS.rejects("no-return")
def printed_count(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    print(out_channels * (in_channels // groups * kernel_height * kernel_width + bias))


# ================================================================================================ answers worked out

TEST_KERNEL = Proof(
    "2.1",
    wrong={
        "ones": named("constant-kernel", [[1, 1, 1], [1, 1, 1]]),
        "zeros": named("constant-kernel", np.zeros((2, 3))),
        "halves": named("constant-kernel", np.full((2, 3), 0.5)),
        "whole numbers": named("whole-numbers-only", [[1, 2, 3], [4, 5, 6]]),
        "whole numbers, some negative": named("whole-numbers-only", [[1, 0, -1], [2, 5, -3]]),
        "equal rows": named("symmetric-kernel", [[1, 0.5, 3], [1, 0.5, 3]]),
        "mirror image of itself": named("symmetric-kernel", [[1.5, 2, 1.5], [0, 3, 0]]),
        "half a turn of itself": named("symmetric-kernel", [[1, 2.5, 3], [3, 2.5, 1]]),
        "half written": [[1, 2, 0.5], [..., ..., ...]],
        "three rows": [[1, 2], [3, 4], [5, 0.5]],
        "the kernel of 4.1": [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
        "one row": [1, 2, 3, -4, 5, 0.5],
        "not a number": [[1, 2, 3], [4, 5, float("nan")]],
        "a function": lambda: [[1, 2, 3], [4, 5, 0.5]],
    },
    right={
        "six numbers and a half": [[1, 2, 3], [-4, 5, 0.5]],
        "all halves": np.arange(6).reshape(2, 3) + 0.5,
        "thirds": [[1 / 3, 2 / 3, 1], [4 / 3, 5 / 3, 2]],
        "mostly zeros": [[0.5, 0, 0], [0, 0, 0]],
        "one zero and equal numbers": [[1.5, 1.5, 0], [1.5, 0, 0]],
        "tuples": ((1, 2, 3), (-4, 5, 0.5)),
        "float32": np.array([[1, 2, 3], [-4, 5, 0.5]], np.float32),
        "torch tensor": torch.tensor([[1, 2, 3], [-4, 5, 0.5]]),
        "random": np.random.default_rng(1).normal(size=(2, 3)),
    },
)

PROOFS = (
    OUTPUT_SIZE,
    CONV2D,
    TEST_KERNEL,
    worked_out(
        "2.2",
        wrong={
            "a byte less in the clock": named("clock-of-255", [9 * (400 - 255), 3600]),
            "never mind the overflow": [3600, 3600],
            "both as NumPy gives them": [1296, 1296],
            "only what is right": 3600,
            "signed bytes": [9 * (400 - 512), 3600],
            "five hundred and twelve": [9 * (400 - 2 * 128), 3500],
            "right one slipped": [1296, 1800],
        },
    ),
    CONV2D_PADDED,
    worked_out(
        "2.3",
        wrong={
            "wrapped around": named("wrapped-around", [4, 3]),
            "edge, and nine": [2, 9],
            "zeros, and nine": [1, 9],
            "divided by 40": [3, 40],
            "counted from zero": [2, 1],
            "exchanged with a slip": [3, 4],
        },
    ),
    worked_out(
        "2.4",
        wrong={
            "stride one": named("stride-one", [[0, 0], [0, 1], [1, 0], [1, 1]]),
            "over the edge": named("half-outside", [[r, c] for r in (0, 2, 4) for c in (0, 2, 4)]),
            "the last corners too far": [[0, 0], [0, 2], [2, 0], [2, 3]],
            "middles": named("counted-from-one", [[1, 1], [1, 3], [3, 1], [3, 3]]),
            "one axis only": [0, 2],
            "two windows": [[0, 0], [2, 2]],
        },
    ),
    CONV2D_STRIDED,
    CONV_LAYER,
    CONV2D_DILATED,
    CONV_PARAMETERS,
    IM2COL,
)
