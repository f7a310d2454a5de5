"""Lesson 7: wrong gradients as students write them, and right ones that nobody expects.

A function's name says what it does; `rejects` and `accepts` as in lesson 2. The networks here are read from a table of the test digits,
so that each has exactly the accuracy it needs, in no time.
"""

import functools
import itertools
from dataclasses import replace

import numpy as np
import scipy.signal
import scipy.sparse
import torch
import torch.nn.functional as F

from course_lib import load_mnist
from course_lib.layers import Flatten, Linear, Sequential

from . import Proof, Wrong, named, worked_out
from .lesson_02 import CONV_LAYER

CONV2D_BACKWARD, NUMERIC_D_KERNEL, MAX_POOL2D_BACKWARD, CONV_LAYER_BACKWARD, TRANSPOSED_CONV2D, NUMPY_CNN = (
    Proof(name)
    for name in (
        "conv2d_backward",
        "numeric_d_kernel",
        "max_pool2d_backward",
        "conv_layer_backward",
        "transposed_conv2d",
        "numpy_cnn",
    )
)
CONV_FORWARD = replace(CONV_LAYER, name="conv_forward", wrong=dict(CONV_LAYER.wrong), right=dict(CONV_LAYER.right), _verdicts={})


def floats(*arrays):
    return tuple(np.array(a, dtype=float) for a in arrays)


def doubles(*arrays):
    return tuple(torch.tensor(np.array(a, dtype=float)) for a in arrays)


def cut(padded, padding):
    height, width = padded.shape[-2:]
    return padded[..., padding : height - padding, padding : width - padding]


def around(x, padding):
    return np.pad(x, [(0, 0)] * (x.ndim - 2) + [(padding, padding)] * 2)


def windows_of(x, size, stride):
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=(-2, -1))[..., ::stride, ::stride, :, :]


def spread(d_out, stride, missing=(0, 0)):
    """Zeros between the cells, and after them what the stride left over."""
    wide = np.zeros((*d_out.shape[:-2], *((n - 1) * stride + 1 + more for n, more in zip(d_out.shape[-2:], missing, strict=True))))
    wide[..., : (d_out.shape[-2] - 1) * stride + 1 : stride, : (d_out.shape[-1] - 1) * stride + 1 : stride] = d_out
    return wide


def left_over(x, kernel, stride, padding):
    return tuple((n + 2 * padding - k) % stride for n, k in zip(x.shape[-2:], kernel.shape[-2:], strict=True))


def autograd(function, d_out, *leaves):
    leaves = [leaf.requires_grad_() for leaf in leaves]
    function(*leaves).backward(d_out)
    return tuple(leaf.grad for leaf in leaves)


# ================================================================================================ conv2d_backward: right ones


@CONV2D_BACKWARD.accepts
def two_loops(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    padded, (rows, columns) = np.pad(x, padding), kernel.shape
    d_padded, d_kernel = np.zeros(padded.shape), np.zeros(kernel.shape)
    for i, j in np.ndindex(d_out.shape):
        here = slice(i * stride, i * stride + rows), slice(j * stride, j * stride + columns)
        d_kernel += d_out[i, j] * padded[here]
        d_padded[here] += d_out[i, j] * kernel
    return cut(d_padded, padding), d_kernel


@CONV2D_BACKWARD.accepts
def four_loops_that_skip_the_padding(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    d_x, d_kernel = np.zeros(x.shape), np.zeros(kernel.shape)
    for i, j, m, n in itertools.product(*map(range, (*d_out.shape, *kernel.shape))):
        row, column = i * stride + m - padding, j * stride + n - padding
        if 0 <= row < x.shape[0] and 0 <= column < x.shape[1]:
            d_x[row, column] += d_out[i, j] * kernel[m, n]
            d_kernel[m, n] += d_out[i, j] * x[row, column]
    return d_x, d_kernel


@CONV2D_BACKWARD.accepts
def scipy_both_ways(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    wide = spread(d_out, stride, left_over(x, kernel, stride, padding))
    d_kernel = scipy.signal.correlate2d(np.pad(x, padding), wide, mode="valid")
    return cut(scipy.signal.convolve2d(wide, kernel, mode="full"), padding), d_kernel


@CONV2D_BACKWARD.accepts
def torch_autograd(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = doubles(d_out, x, kernel)
    return autograd(lambda x, kernel: F.conv2d(x[None, None], kernel[None, None], None, stride, padding)[0, 0], d_out, x, kernel)


@CONV2D_BACKWARD.accepts
def torch_in_float32_as_a_list(d_out, x, kernel, stride=1, padding=0):
    return [gradient.float() for gradient in torch_autograd(d_out, x, kernel, stride, padding)]


@CONV2D_BACKWARD.accepts
def einsum_and_taps(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    padded = np.pad(x, padding)
    d_padded = np.zeros(padded.shape)
    for m, n in np.ndindex(kernel.shape):
        rows, columns = (slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip((m, n), d_out.shape, strict=True))
        d_padded[rows, columns] += kernel[m, n] * d_out
    return cut(d_padded, padding), np.einsum("ij,ijmn->mn", d_out, windows_of(padded, kernel.shape, stride))


@CONV2D_BACKWARD.accepts
def matrix_and_its_transpose(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    padded = np.pad(x, padding)
    cells = windows_of(np.arange(padded.size).reshape(padded.shape), kernel.shape, stride).reshape(d_out.size, kernel.size)
    matrix = scipy.sparse.lil_array((d_out.size, padded.size))
    for row, seen in enumerate(cells):
        matrix[row, seen] = kernel.ravel()
    d_padded = (matrix.T @ d_out.ravel()).reshape(padded.shape)
    return cut(d_padded, padding), (padded.ravel()[cells].T @ d_out.ravel()).reshape(kernel.shape)


@CONV2D_BACKWARD.accepts
def add_at(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    padded = np.pad(x, padding)
    cells = windows_of(np.arange(padded.size).reshape(padded.shape), kernel.shape, stride)
    d_padded = np.zeros(padded.size)
    np.add.at(d_padded, cells, d_out[:, :, None, None] * kernel)
    d_kernel = np.tensordot(d_out, padded.ravel()[cells], axes=2)
    return cut(d_padded.reshape(padded.shape), padding), d_kernel


@CONV2D_BACKWARD.accepts
def finite_differences(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    gradients = np.zeros(x.shape), np.zeros(kernel.shape)
    for array, gradient in zip((x, kernel), gradients, strict=True):
        for cell in np.ndindex(array.shape):
            array[cell] += 1
            above = np.einsum("ijmn,mn->ij", windows_of(np.pad(x, padding), kernel.shape, stride), kernel)
            array[cell] -= 2
            below = np.einsum("ijmn,mn->ij", windows_of(np.pad(x, padding), kernel.shape, stride), kernel)
            array[cell] += 1
            gradient[cell] = np.sum((above - below) * d_out) / 2
    return gradients


@CONV2D_BACKWARD.accepts
def nested_lists(d_out, x, kernel, stride=1, padding=0):
    return tuple(gradient.tolist() for gradient in two_loops(d_out, x, kernel, stride, padding))


@CONV2D_BACKWARD.accepts
def fortran_order(d_out, x, kernel, stride=1, padding=0):
    return tuple(map(np.asfortranarray, two_loops(d_out, x, kernel, stride, padding)))


# ================================================================================================ conv2d_backward: wrong ones


@CONV2D_BACKWARD.rejects("kernel-flipped-in-d-x")
def full_correlation_with_the_kernel_as_it_is(d_out, x, kernel, stride=1, padding=0):
    d_out, x, kernel = floats(d_out, x, kernel)
    wide = spread(d_out, stride, left_over(x, kernel, stride, padding))
    return cut(scipy.signal.correlate2d(wide, kernel, mode="full"), padding), two_loops(d_out, x, kernel, stride, padding)[1]


@CONV2D_BACKWARD.rejects("d-kernel-turned")
def true_convolution_with_d_out(d_out, x, kernel, stride=1, padding=0):
    d_x, d_kernel = two_loops(d_out, x, kernel, stride, padding)
    return d_x, np.rot90(d_kernel, 2)


@CONV2D_BACKWARD.rejects("zeros-like-integers")
def as_the_published_page(d_out, x, kernel, stride=1, padding=0):
    x_pad = np.pad(x, padding) if padding > 0 else x
    height, width = kernel.shape
    d_kernel, d_x_pad = np.zeros_like(kernel), np.zeros_like(x_pad)
    for i, j in np.ndindex(d_out.shape):
        here = slice(i * stride, i * stride + height), slice(j * stride, j * stride + width)
        d_kernel += d_out[i, j] * x_pad[here]
        d_x_pad[here] += d_out[i, j] * kernel
    return (d_x_pad[padding:-padding, padding:-padding] if padding > 0 else d_x_pad), d_kernel


@CONV2D_BACKWARD.rejects("decimals-cut-off-cell-by-cell")
def four_loops_into_zeros_like(d_out, x, kernel, stride=1, padding=0):
    x_pad = np.pad(x, padding)
    d_x_pad, d_kernel = np.zeros_like(x_pad), np.zeros_like(kernel)
    for m, n, i, j in itertools.product(*map(range, (*kernel.shape, *d_out.shape))):
        d_kernel[m, n] += d_out[i, j] * x_pad[i * stride + m, j * stride + n]
    for i, j, m, n in itertools.product(*map(range, (*d_out.shape, *kernel.shape))):
        d_x_pad[i * stride + m, j * stride + n] += d_out[i, j] * kernel[m, n]
    return cut(d_x_pad, padding), d_kernel


@CONV2D_BACKWARD.rejects("other-order")
def kernel_first(d_out, x, kernel, stride=1, padding=0):
    return two_loops(d_out, x, kernel, stride, padding)[::-1]


@CONV2D_BACKWARD.rejects()
def only_d_kernel(d_out, x, kernel, stride=1, padding=0):
    return two_loops(d_out, x, kernel, stride, padding)[1]


@CONV2D_BACKWARD.rejects()
def with_the_bias(d_out, x, kernel, stride=1, padding=0):
    return *two_loops(d_out, x, kernel, stride, padding), np.sum(d_out)


@CONV2D_BACKWARD.rejects("no-return", None)
def nothing_returned(d_out, x, kernel, stride=1, padding=0):
    two_loops(d_out, x, kernel, stride, padding)


@CONV2D_BACKWARD.rejects("changes-argument")
def collects_in_the_kernel(d_out, x, kernel, stride=1, padding=0):
    answer = two_loops(d_out, x, kernel, stride, padding)
    kernel *= 0
    return answer


@CONV2D_BACKWARD.rejects()
def one_window_row_too_few(d_out, x, kernel, stride=1, padding=0):
    shortened = np.array(d_out, dtype=float)
    shortened[-1] = 0
    return two_loops(shortened, x, kernel, stride, padding)


@CONV2D_BACKWARD.rejects()
def three_by_three_kernel(d_out, x, kernel, stride=1, padding=0):
    return two_loops(d_out, x, np.resize(kernel, (3, 3)), stride, padding)


# ================================================================================================ numeric_d_kernel


def loss(x, kernel, target):
    return 0.5 * np.sum((np.einsum("ijmn,mn->ij", windows_of(np.asarray(x, float), np.shape(kernel), 1), kernel) - target) ** 2)


def gradient_by_reasoning(x, kernel, target, step=1e-5):
    x, kernel, target = floats(x, kernel, target)
    windows = windows_of(x, kernel.shape, 1)
    return np.einsum("ij,ijmn->mn", np.einsum("ijmn,mn->ij", windows, kernel) - target, windows)


def by_taps(entry):
    def answer(x, kernel, target, step=1e-5):
        x, kernel, target = floats(x, kernel, target)
        gradient = np.zeros(kernel.shape)
        for tap in np.ndindex(kernel.shape):
            unit = np.zeros(kernel.shape)
            unit[tap] = 1
            gradient[tap] = entry(lambda moved: loss(x, moved, target), kernel, unit, step)
        return gradient

    return answer


NUMERIC_D_KERNEL.right |= {
    "central differences": by_taps(lambda f, kernel, unit, h: (f(kernel + h * unit) - f(kernel - h * unit)) / (2 * h)),
    "by reasoning instead": gradient_by_reasoning,
    "a step of its own": by_taps(lambda f, kernel, unit, h: (f(kernel + 1e-4 * unit) - f(kernel - 1e-4 * unit)) / 2e-4),
    "five points": by_taps(
        lambda f, kernel, unit, h: (
            (8 * (f(kernel + h * unit) - f(kernel - h * unit)) - f(kernel + 2 * h * unit) + f(kernel - 2 * h * unit)) / (12 * h)
        )
    ),
    "mean of both sides": by_taps(
        lambda f, kernel, unit, h: ((f(kernel + h * unit) - f(kernel)) / h + (f(kernel) - f(kernel - h * unit)) / h) / 2
    ),
    "half a step to each side": by_taps(lambda f, kernel, unit, h: (f(kernel + h / 2 * unit) - f(kernel - h / 2 * unit)) / h),
    "a list of lists": lambda x, kernel, target, step=1e-5: gradient_by_reasoning(x, kernel, target).tolist(),
    "float32": lambda x, kernel, target, step=1e-5: gradient_by_reasoning(x, kernel, target).astype(np.float32),
    "Fortran order": lambda x, kernel, target, step=1e-5: np.asfortranarray(gradient_by_reasoning(x, kernel, target)),
    "torch autograd": lambda x, kernel, target, step=1e-5: autograd(
        lambda k: ((F.conv2d(doubles(x)[0][None, None], k[None, None])[0, 0] - doubles(target)[0]) ** 2).sum() / 2,
        torch.tensor(1.0, dtype=torch.float64),
        *doubles(kernel),
    )[0],
}


@NUMERIC_D_KERNEL.accepts
def moved_there_and_back(x, kernel, target, step=1e-5):
    kernel, gradient = np.array(kernel, dtype=float), np.zeros(np.shape(kernel))
    for m, n in np.ndindex(kernel.shape):
        before = kernel[m, n]
        kernel[m, n] = before + step
        above = loss(x, kernel, target)
        kernel[m, n] = before - step
        gradient[m, n] = (above - loss(x, kernel, target)) / (2 * step)
        kernel[m, n] = before
    return gradient


NUMERIC_D_KERNEL.wrong |= {
    "one side": named("forward-difference", by_taps(lambda f, kernel, unit, h: (f(kernel + h * unit) - f(kernel)) / h)),
    "one side, divided by two steps": Wrong(by_taps(lambda f, kernel, unit, h: (f(kernel + h * unit) - f(kernel)) / (2 * h))),
    "over one step": named("twice-too-large", by_taps(lambda f, kernel, unit, h: (f(kernel + h * unit) - f(kernel - h * unit)) / h)),
    "above plus below": Wrong(by_taps(lambda f, kernel, unit, h: (f(kernel + h * unit) + f(kernel - h * unit)) / (2 * h))),
    "times instead of plus": Wrong(by_taps(lambda f, kernel, unit, h: (f(kernel * (1 + h * unit)) - f(kernel * (1 - h * unit))) / (2 * h))),
    "the loss itself": Wrong(lambda x, kernel, target, step=1e-5: loss(x, kernel, target)),
    "d_out is the output": Wrong(lambda x, kernel, target, step=1e-5: gradient_by_reasoning(x, kernel, np.zeros(np.shape(target)))),
    "turned": Wrong(lambda x, kernel, target, step=1e-5: gradient_by_reasoning(x, kernel, target)[::-1, ::-1]),
    "a flat list": Wrong(lambda x, kernel, target, step=1e-5: gradient_by_reasoning(x, kernel, target).ravel()),
    "squares": Wrong(by_taps(lambda f, kernel, unit, h: ((f(kernel + h * unit) - f(kernel - h * unit)) / (2 * h)) ** 2)),
    "sizes only": Wrong(by_taps(lambda f, kernel, unit, h: abs(f(kernel + h * unit) - f(kernel - h * unit)) / (2 * h))),
}


@NUMERIC_D_KERNEL.rejects("changes-argument")
def moves_the_callers_kernel(x, kernel, target, step=1e-5):
    answer = gradient_by_reasoning(x, kernel, target)
    kernel += np.ones_like(kernel)
    return answer


@NUMERIC_D_KERNEL.rejects("never-moved-back")
def there_and_not_back(x, kernel, target, step=1e-5):
    kernel, gradient = np.array(kernel, dtype=float), np.zeros(np.shape(kernel))
    for tap in np.ndindex(kernel.shape):
        kernel[tap] += step
        above = loss(x, kernel, target)
        kernel[tap] -= 2 * step
        below = loss(x, kernel, target)
        gradient[tap] = (above - below) / (2 * step)
    return gradient


# ================================================================================================ max_pool2d_backward


def first_winner(window):
    place = np.zeros(window.size)
    place[window.argmax()] = 1
    return place.reshape(window.shape)


@MAX_POOL2D_BACKWARD.accepts
def four_loops_and_argmax(d_out, x, pool_size=2, stride=2):
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(np.shape(d_out)):
        window = x[n, c, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        row, column = np.unravel_index(np.argmax(window), window.shape)
        d_x[n, c, i * stride + row, j * stride + column] += d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.accepts
def torch_autograd_of_max_pool(d_out, x, pool_size=2, stride=2):
    d_out, x = doubles(d_out, x)
    return autograd(lambda x: F.max_pool2d(x, pool_size, stride), d_out, x)[0]


@MAX_POOL2D_BACKWARD.accepts
def torch_unpool_with_indices(d_out, x, pool_size=2, stride=2):
    d_out, x = doubles(d_out, x)
    _, places = F.max_pool2d(x, pool_size, stride, return_indices=True)
    return torch.zeros(*x.shape[:2], x[0, 0].numel()).double().scatter_add(2, places.flatten(2), d_out.flatten(2)).view(x.shape)


@MAX_POOL2D_BACKWARD.accepts
def windows_and_add_at(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    cells = windows_of(np.arange(x.size).reshape(x.shape), (pool_size, pool_size), stride).reshape(*d_out.shape, -1)
    best = x.ravel()[cells].argmax(axis=-1)
    d_x = np.zeros(x.size)
    np.add.at(d_x, np.take_along_axis(cells, best[..., None], -1)[..., 0], d_out)
    return d_x.reshape(x.shape)


@MAX_POOL2D_BACKWARD.accepts
def bincount(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    cells = windows_of(np.arange(x.size).reshape(x.shape), (pool_size, pool_size), stride).reshape(*d_out.shape, -1)
    places = np.take_along_axis(cells, x.ravel()[cells].argmax(-1)[..., None], -1)
    return np.bincount(places.ravel(), weights=d_out.ravel(), minlength=x.size).reshape(x.shape)


@MAX_POOL2D_BACKWARD.accepts
def taps_backward_so_that_the_first_comes_last(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    y = windows_of(x, (pool_size, pool_size), stride).max(axis=(-2, -1))
    owner = np.zeros(y.shape, dtype=int)
    taps = list(np.ndindex(pool_size, pool_size))
    slices = [tuple(slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip(tap, y.shape[2:], strict=True)) for tap in taps]
    for number in reversed(range(len(taps))):
        owner[x[(..., *slices[number])] == y] = number
    d_x = np.zeros(x.shape)
    for number, here in enumerate(slices):
        d_x[(..., *here)] += np.where(owner == number, d_out, 0)
    return d_x


@MAX_POOL2D_BACKWARD.accepts
def sorting_each_window(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(d_out.shape):
        cells = list(itertools.product(range(i * stride, i * stride + pool_size), range(j * stride, j * stride + pool_size)))
        row, column = sorted(cells, key=lambda cell: -x[n, c, cell[0], cell[1]])[0]  # a stable sort: the first of equals stays first
        d_x[n, c, row, column] += d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.accepts
def float32(d_out, x, pool_size=2, stride=2):
    return four_loops_and_argmax(d_out, x, pool_size, stride).astype(np.float32)


@MAX_POOL2D_BACKWARD.accepts
def lists_of_lists(d_out, x, pool_size=2, stride=2):
    return four_loops_and_argmax(d_out, x, pool_size, stride).tolist()


@MAX_POOL2D_BACKWARD.rejects("every-winner")
def mask_of_equal_values(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(d_out.shape):
        here = n, c, slice(i * stride, i * stride + pool_size), slice(j * stride, j * stride + pool_size)
        d_x[here] += (x[here] == np.max(x[here])) * d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.rejects("windows-overwrite")
def mask_assigned(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    d_x = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(d_out.shape):
        here = n, c, slice(i * stride, i * stride + pool_size), slice(j * stride, j * stride + pool_size)
        d_x[here] = first_winner(x[here]) * d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.rejects("taps-overwrite")
def tap_by_tap_assigned(d_out, x, pool_size=2, stride=2):
    d_out, x = floats(d_out, x)
    best = windows_of(x, (pool_size, pool_size), stride).reshape(*d_out.shape, -1).argmax(axis=-1)
    d_x = np.zeros(x.shape)
    for number, (m, n) in enumerate(np.ndindex(pool_size, pool_size)):
        down, across = (slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip((m, n), d_out.shape[2:], strict=True))
        d_x[:, :, down, across] = np.where(best == number, d_out, 0)
    return d_x


@MAX_POOL2D_BACKWARD.rejects("decimals-cut-off")
def single_cells_of_zeros_like(d_out, x, pool_size=2, stride=2):
    d_x = np.zeros_like(x)
    for n, c, i, j in np.ndindex(d_out.shape):
        window = x[n, c, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        d_x[n, c, i * stride + row, j * stride + column] += d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.rejects("zeros-like-integers")
def windows_of_zeros_like(d_out, x, pool_size=2, stride=2):
    d_x = np.zeros_like(x)
    for n, c, i, j in np.ndindex(d_out.shape):
        here = n, c, slice(i * stride, i * stride + pool_size), slice(j * stride, j * stride + pool_size)
        d_x[here] += first_winner(x[here]) * d_out[n, c, i, j]
    return d_x


@MAX_POOL2D_BACKWARD.rejects()
def pooled_backward_by_repeating(d_out, x, pool_size=2, stride=2):
    wide = np.kron(d_out, np.ones((pool_size, pool_size)))
    return np.resize(wide, x.shape)


@MAX_POOL2D_BACKWARD.rejects()
def gradient_of_the_output_returned(d_out, x, pool_size=2, stride=2):
    return np.array(d_out)


@MAX_POOL2D_BACKWARD.rejects()
def sizes_of_the_gradient_only(d_out, x, pool_size=2, stride=2):
    return np.abs(four_loops_and_argmax(d_out, x, pool_size, stride))


@MAX_POOL2D_BACKWARD.rejects("changes-argument")
def winners_cleared_in_x(d_out, x, pool_size=2, stride=2):
    answer = four_loops_and_argmax(d_out, x, pool_size, stride)
    x[answer != 0] = 0
    return answer


@MAX_POOL2D_BACKWARD.rejects()
def largest_of_the_whole_map(d_out, x, pool_size=2, stride=2):
    d_x = np.zeros(x.shape)
    for n, c in np.ndindex(x.shape[:2]):
        d_x[n, c][np.unravel_index(x[n, c].argmax(), x.shape[2:])] = np.sum(d_out[n, c])
    return d_x


# ================================================================================================ conv_forward


@CONV_FORWARD.accepts
def one_product_a_tap(x, w, b, stride=1, padding=0):
    x, w, b = floats(x, w, b)
    x = around(x, padding)
    rows, columns = ((n - k) // stride + 1 for n, k in zip(x.shape[2:], w.shape[2:], strict=True))
    y = np.zeros((len(w), len(x), rows, columns))
    for m, n in np.ndindex(w.shape[2:]):
        seen = x[:, :, m : m + (rows - 1) * stride + 1 : stride, n : n + (columns - 1) * stride + 1 : stride]
        y += np.tensordot(w[:, :, m, n], seen, axes=(1, 1))
    return y.swapaxes(0, 1) + b[:, None, None]


@CONV_FORWARD.rejects("stride-ignored")
def taps_without_the_step(x, w, b, stride=1, padding=0):
    return one_product_a_tap(x, w, b, 1, padding)


@CONV_FORWARD.rejects()
def bias_in_the_loop_over_taps(x, w, b, stride=1, padding=0):
    return one_product_a_tap(x, w, np.array(b, dtype=float) * w[0, 0].size, stride, padding)


@CONV_FORWARD.rejects("images-and-filters-swapped")
def axes_left_as_tensordot_gives_them(x, w, b, stride=1, padding=0):
    return one_product_a_tap(x, w, b, stride, padding).swapaxes(0, 1)


# ================================================================================================ conv_layer_backward


def layer_by_taps(d_out, x, w, stride=1, padding=0):
    d_out, x, w = floats(d_out, x, w)
    padded = around(x, padding)
    d_padded, d_w = np.zeros(padded.shape), np.zeros(w.shape)
    for m, n in np.ndindex(w.shape[2:]):
        rows, columns = (slice(t, t + (size - 1) * stride + 1, stride) for t, size in zip((m, n), d_out.shape[2:], strict=True))
        d_w[:, :, m, n] = np.einsum("nohw,nchw->oc", d_out, padded[:, :, rows, columns])
        d_padded[:, :, rows, columns] += np.einsum("nohw,oc->nchw", d_out, w[:, :, m, n])
    return cut(d_padded, padding), d_w, d_out.sum(axis=(0, 2, 3))


CONV_LAYER_BACKWARD.accepts(layer_by_taps)


@CONV_LAYER_BACKWARD.accepts
def image_by_image_with_two_loops(d_out, x, w, stride=1, padding=0):
    d_x, d_w = np.zeros(x.shape), np.zeros(w.shape)
    for n, o, c in np.ndindex(len(x), *w.shape[:2]):
        to_x, to_w = two_loops(d_out[n, o], x[n, c], w[o, c], stride, padding)
        d_x[n, c] += to_x
        d_w[o, c] += to_w
    return d_x, d_w, np.einsum("noij->o", np.asarray(d_out, dtype=float))


@CONV_LAYER_BACKWARD.accepts
def torch_autograd_of_a_layer(d_out, x, w, stride=1, padding=0):
    d_out, x, w = doubles(d_out, x, w)
    bias = torch.zeros(len(w), dtype=torch.float64)
    return autograd(lambda x, w, b: F.conv2d(x, w, b, stride, padding), d_out, x, w, bias)


@CONV_LAYER_BACKWARD.accepts
def torch_grad_module(d_out, x, w, stride=1, padding=0):
    d_out, x, w = doubles(d_out, x, w)
    d_x = torch.nn.grad.conv2d_input(x.shape, w, d_out, stride, padding)
    return d_x, torch.nn.grad.conv2d_weight(x, w.shape, d_out, stride, padding), d_out.sum((0, 2, 3))


@CONV_LAYER_BACKWARD.accepts
def columns_and_fold(d_out, x, w, stride=1, padding=0):
    d_out, x, w = doubles(d_out, x, w)
    columns, rows = F.unfold(x, w.shape[2:], padding=padding, stride=stride), d_out.flatten(2)
    d_w = torch.einsum("nop,nkp->ok", rows, columns).view(w.shape)
    d_x = F.fold(torch.einsum("ok,nop->nkp", w.flatten(1), rows), x.shape[2:], w.shape[2:], padding=padding, stride=stride)
    return d_x, d_w, rows.sum((0, 2))


@CONV_LAYER_BACKWARD.accepts
def windows_and_tensordot(d_out, x, w, stride=1, padding=0):
    d_out, x, w = floats(d_out, x, w)
    d_w = np.tensordot(d_out, windows_of(around(x, padding), w.shape[2:], stride), axes=((0, 2, 3), (0, 2, 3)))
    wide = spread(d_out, stride, left_over(x, w, stride, padding))
    room = np.pad(wide, ((0, 0), (0, 0), *((k - 1, k - 1) for k in w.shape[2:])))
    d_padded = np.tensordot(windows_of(room, w.shape[2:], 1), w[:, :, ::-1, ::-1], axes=((1, 4, 5), (0, 2, 3)))
    return cut(np.moveaxis(d_padded, -1, 1), padding), d_w, d_out.sum(axis=(0, 2, 3))


@CONV_LAYER_BACKWARD.accepts
def a_list_in_float32(d_out, x, w, stride=1, padding=0):
    return [gradient.astype(np.float32) for gradient in layer_by_taps(d_out, x, w, stride, padding)]


@CONV_LAYER_BACKWARD.accepts
def bias_through_a_channel_of_ones(d_out, x, w, stride=1, padding=0):
    d_out, x, w = floats(d_out, x, w)
    room = around(x, padding)
    d_x, d_more, _ = layer_by_taps(
        d_out, np.concatenate([room, np.ones_like(room[:, :1])], 1), np.concatenate([w, 0 * w[:, :1]], 1), stride
    )
    return cut(d_x[:, :-1], padding), d_more[:, :-1], d_more[:, -1, 0, 0]


@CONV_LAYER_BACKWARD.accepts
def in_fortran_order(d_out, x, w, stride=1, padding=0):
    return tuple(map(np.asfortranarray, layer_by_taps(d_out, x, w, stride, padding)))


@CONV_LAYER_BACKWARD.rejects("mean-over-the-batch")
def batch_mean_of_the_weights(d_out, x, w, stride=1, padding=0):
    d_x, _, d_b = layer_by_taps(d_out, x, w, stride, padding)
    shares = [layer_by_taps(d_out[n : n + 1], x[n : n + 1], w, stride, padding)[1] for n in range(len(x))]
    return d_x, np.mean(shares, axis=0), d_b


@CONV_LAYER_BACKWARD.rejects("last-image-only")
def weights_assigned_in_the_loop_over_images(d_out, x, w, stride=1, padding=0):
    d_x, d_w, d_b = layer_by_taps(d_out, x, w, stride, padding)
    for n in range(len(x)):
        d_w = layer_by_taps(d_out[n : n + 1], x[n : n + 1], w, stride, padding)[1]
    return d_x, d_w, d_b


@CONV_LAYER_BACKWARD.rejects("bias-by-image")
def bias_summed_over_cells_only(d_out, x, w, stride=1, padding=0):
    return *layer_by_taps(d_out, x, w, stride, padding)[:2], np.sum(d_out, axis=(-2, -1))


@CONV_LAYER_BACKWARD.rejects()
def two_values(d_out, x, w, stride=1, padding=0):
    return layer_by_taps(d_out, x, w, stride, padding)[:2]


@CONV_LAYER_BACKWARD.rejects()
def bias_as_a_column(d_out, x, w, stride=1, padding=0):
    d_x, d_w, d_b = layer_by_taps(d_out, x, w, stride, padding)
    return d_x, d_w, d_b[:, None, None]


@CONV_LAYER_BACKWARD.rejects()
def weights_with_channels_first(d_out, x, w, stride=1, padding=0):
    d_x, d_w, d_b = layer_by_taps(d_out, x, w, stride, padding)
    return d_x, d_w.swapaxes(0, 1), d_b


@CONV_LAYER_BACKWARD.rejects("changes-argument")
def steps_at_once(d_out, x, w, stride=1, padding=0):
    gradients = layer_by_taps(d_out, x, w, stride, padding)
    w -= np.ones_like(w)
    return gradients


# ================================================================================================ transposed_conv2d


@TRANSPOSED_CONV2D.accepts
def copies_added(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    output = np.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)])
    for (i, j), value in np.ndenumerate(x):
        output[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]] += value * kernel
    return output


@TRANSPOSED_CONV2D.accepts
def spread_and_full_convolution(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    return scipy.signal.convolve2d(spread(x, stride), kernel, mode="full")


@TRANSPOSED_CONV2D.accepts
def by_fft(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    return scipy.signal.fftconvolve(spread(x, stride), kernel, mode="full")


@TRANSPOSED_CONV2D.accepts
def spread_padded_and_turned(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    room = np.pad(spread(x, stride), [(k - 1, k - 1) for k in kernel.shape])
    return np.einsum("ijmn,mn->ij", windows_of(room, kernel.shape, 1), kernel[::-1, ::-1])


@TRANSPOSED_CONV2D.accepts
def torch_conv_transpose(x, kernel, stride=2):
    x, kernel = doubles(x, kernel)
    return F.conv_transpose2d(x[None, None], kernel[None, None], stride=stride)[0, 0]


@TRANSPOSED_CONV2D.accepts
def gradient_of_a_convolution(x, kernel, stride=2):
    x, kernel = doubles(x, kernel)
    image = torch.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)], dtype=torch.float64)
    return autograd(lambda image: F.conv2d(image[None, None], kernel[None, None], stride=stride)[0, 0], x, image)[0]


@TRANSPOSED_CONV2D.accepts
def tap_by_tap(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    output = np.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)])
    for (m, n), weight in np.ndenumerate(kernel):
        output[m : m + (x.shape[0] - 1) * stride + 1 : stride, n : n + (x.shape[1] - 1) * stride + 1 : stride] += weight * x
    return output


@TRANSPOSED_CONV2D.accepts
def kronecker_where_nothing_overlaps_else_copies(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    return np.kron(x, kernel) if kernel.shape == (stride, stride) else copies_added(x, kernel, stride)


@TRANSPOSED_CONV2D.accepts
def a_list_of_floats(x, kernel, stride=2):
    return copies_added(x, kernel, stride).tolist()


@TRANSPOSED_CONV2D.accepts
def in_float32(x, kernel, stride=2):
    return copies_added(x, kernel, stride).astype(np.float32)


@TRANSPOSED_CONV2D.accepts
def a_call_of_the_backward_pass(x, kernel, stride=2):
    image = np.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)])
    d_image = np.zeros(image.shape)
    for i, j in np.ndindex(x.shape):  # as conv2d_backward: nothing is turned into floats beforehand
        d_image[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]] += x[i, j] * kernel
    return d_image


@TRANSPOSED_CONV2D.accepts
def conv2d_backward_with_an_image_of_zeros(x, kernel, stride=2):
    image = np.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)])
    return two_loops(x, image, kernel, stride)[0]


@TRANSPOSED_CONV2D.rejects("no-room-for-the-last-copy")
def as_large_as_stride_times_the_map(x, kernel, stride=2):
    output = np.zeros((x.shape[0] * stride, x.shape[1] * stride))
    for (i, j), value in np.ndenumerate(np.asarray(x, dtype=float)):
        output[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]] += value * kernel
    return output


@TRANSPOSED_CONV2D.rejects("copies-overwrite")
def copies_assigned(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    output = np.zeros([(n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True)])
    for (i, j), value in np.ndenumerate(x):
        output[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]] = value * kernel
    return output


@TRANSPOSED_CONV2D.rejects("padded-by-the-height")
def as_the_published_page_has_it(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    room = np.pad(spread(x, stride), kernel.shape[0] - 1)
    return (
        scipy.signal.correlate2d(room, kernel[::-1, ::-1], mode="valid")
        if min(np.subtract(room.shape, kernel.shape)) >= 0
        else room[:0, :0]
    )


@TRANSPOSED_CONV2D.rejects("kernel-turned")
def correlation_in_full_mode(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    return scipy.signal.correlate2d(spread(x, stride), kernel, mode="full")


@TRANSPOSED_CONV2D.rejects("stride-always-two")
def stride_typed(x, kernel, stride=2):
    return copies_added(x, kernel, 2)


@TRANSPOSED_CONV2D.rejects("exactly-stride-times")
def cropped_to_twice_the_size(x, kernel, stride=2):
    output = np.zeros([n * stride for n in np.shape(x)])
    right = copies_added(x, kernel, stride)[: output.shape[0], : output.shape[1]]
    output[: right.shape[0], : right.shape[1]] = right
    return output


@TRANSPOSED_CONV2D.rejects()
def same_size_as_the_spread_map(x, kernel, stride=2):
    x, kernel = floats(x, kernel)
    return scipy.signal.convolve2d(spread(x, stride), kernel, mode="same")


@TRANSPOSED_CONV2D.rejects()
def map_and_kernel_exchanged(x, kernel, stride=2):
    return copies_added(kernel, x, stride)


@TRANSPOSED_CONV2D.rejects("changes-argument")
def kernel_turned_in_place(x, kernel, stride=2):
    answer = copies_added(x, kernel, stride)
    kernel[:] = kernel[::-1, ::-1].copy() + 1
    return answer


# ================================================================================================ by hand

HAND = (
    worked_out(
        "L7.1",
        {
            "windows added": named("not-weighted", [[4, 6], [4, 6]]),
            "signs lost": [[7, 8], [3, 8]],
            "d_out slid over the kernel": [[7]],
            "one number": 6,
            "flat": [3, 0, -1, 4],
            "the kernel": [[1, 3], [2, -1]],
        },
        {"NumPy matrix": np.matrix([[3, 0], [-1, 4]])},
    ),
    worked_out(
        "L7.2",
        {
            "only the corners": [[3, 0, 3], [0, 0, 0], [0, 0, 2]],
            "middle forgotten": [[3, 10, 3], [6, 0, -7], [0, -4, 2]],
            "nine weights": [[1, 3, 0], [2, -1, 0], [0, 0, 0]],
            "flat": [3, 10, 3, 6, -3, -7, 0, -4, 2],
            "times the image": [[3, 20, 0], [0, -3, -21], [0, -4, 2]],
        },
    ),
    worked_out("L7.3", {"a list": [2], "the four cells": [[3, 1], [0, -2]], "text": "2"}),
    worked_out(
        "L7.4",
        {
            "kernel of 3 doubled": [14, 18, 32, 32, 34, 32800],
            "one kernel for each filter": named("input-channels-forgotten", [14, 18, 32, 33, 34, 544]),
            "one parameter short": [14, 18, 32, 33, 34, 32799],
            "no channels": [14, 18, 32, 33, 34, 17],
            "five answers": [14, 18, 32, 33, 34],
            "not begun": [..., ..., ..., ..., ..., ...],
        },
    ),
    worked_out(
        "L7.5",
        {
            "only what is right": [7, 8],
            "sum of sizes": [[7, 10], [8, 9]],
            "spread, not slid": [[9, 11], [7, 8]],
            "spread without padding": [[5, 7], [7, 8]],
            "half": [[7, 10], [..., ...]],
        },
    ),
)

# ================================================================================================ numpy_cnn


@functools.cache
def table():
    """Some sums of pixels, and those sums for each test digit: enough to know a digit again, also when it has changed a little."""
    weights = np.random.default_rng(0).normal(size=(784, 32))
    return weights, load_mnist("test")[0].reshape(-1, 784) @ weights


def numbers_of(images):
    """Which of the test digits images (N, 784) of 0 to 255 are."""
    weights, known = table()
    sums = images @ weights
    return ((known**2).sum(axis=1) - 2 * sums @ known.T).argmin(axis=1)


def reader(wrong=0, factor=1.0):
    """A network that reads all test digits but the last so many, by looking them up. `factor` takes its images back to 0 to 1."""
    labels = load_mnist("test")[1]

    def network(x):
        numbers = numbers_of(np.asarray(x, dtype=np.float64)[:, 0].reshape(len(x), 784) / factor * 255)
        return np.eye(10)[(labels[numbers] + (numbers >= len(labels) - wrong)) % 10]

    return network


class AsAnObject:
    def __init__(self, wrong=0):
        self.network = reader(wrong)

    def __call__(self, x):
        return self.network(x)


class AsAModule(torch.nn.Module):
    def forward(self, x):
        return torch.tensor(reader()(x))


def untrained():
    rng = np.random.default_rng(0)
    return Sequential(Flatten(), Linear(784, 10, rng=rng))


def diverged():
    network = untrained()
    network.layers[1].weight.value[:] = np.nan
    return network


NUMPY_CNN.right |= {
    "a function": reader(),
    "97 percent and no more": lambda x: reader(300)(x),
    "an object that can be called": AsAnObject(100),
    "scores in float32": lambda x: reader()(x).astype(np.float32),
    "scores as lists": lambda x: reader()(x).tolist(),
    "negative scores": lambda x: reader()(x) - 100,
    "a torch module": AsAModule(),
}
NUMPY_CNN.wrong |= {
    "one digit too few": Wrong(reader(301)),
    "96 percent": Wrong(reader(400)),
    "80 percent": Wrong(reader(2000)),
    "never trained": named("guessing", untrained()),
    "not a number": named("diverged", diverged()),
    "always a seven": named("one-answer-for-all", lambda x: np.eye(10)[np.full(len(x), 7)]),
    "trained on bytes": named("other-scale", reader(factor=255.0)),
    "digits instead of scores": Wrong(lambda x: reader()(x).argmax(axis=1)),
    "flattened images expected": Wrong(lambda x: reader()(x.reshape(len(x), 1, 784)[:, :, :0])),
    "one score too few": Wrong(lambda x: reader()(x)[:, :9]),
    "the class": Wrong(AsAnObject),
    "an accuracy": Wrong(0.98),
    "a list of layers": Wrong([Flatten()]),
    "not begun": Wrong(...),
}

PROOFS = (
    CONV2D_BACKWARD,
    NUMERIC_D_KERNEL,
    MAX_POOL2D_BACKWARD,
    CONV_FORWARD,
    CONV_LAYER_BACKWARD,
    TRANSPOSED_CONV2D,
    *HAND,
    NUMPY_CNN,
)
