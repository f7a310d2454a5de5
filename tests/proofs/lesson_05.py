"""Lesson 5: wrong answers as students write them, and right ones that nobody expects.

A function's name says what it does. `rejects("slug")` means: wrong, and to be called so. `rejects("slug", None)`: the name would be true,
but the slip shows in another way than the misconception, so it may go unnamed. `rejects()`: wrong, and nothing that has a name.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
import torch.nn.functional as F

from course_lib.checks.lesson_05_hand import PUBLISHED_SIZES

from . import Proof, named, worked_out

RECEPTIVE_FIELD, MAX_POOL2D, EQUIVARIANCE_ERROR = (Proof(name) for name in ("receptive_field", "max_pool2d", "equivariance_error"))
CONV_MACS, DEPTHWISE_SEPARABLE, RESIDUAL_BLOCK = (Proof(name) for name in ("conv_macs", "depthwise_separable", "residual_block"))

# ================================================================================================ receptive_field: right ones


@RECEPTIVE_FIELD.accepts
def backwards_from_the_last_layer(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


@RECEPTIVE_FIELD.accepts
def by_recursion(layers):
    if not layers:
        return 1
    (kernel, stride), *rest = layers
    return (by_recursion(rest) - 1) * stride + kernel


@RECEPTIVE_FIELD.accepts
def sum_of_products_in_one_line(layers):
    return 1 + sum((k - 1) * math.prod(s for _, s in layers[:n]) for n, (k, _) in enumerate(layers))


@RECEPTIVE_FIELD.accepts
def cumulative_products(layers):
    kernels, strides = np.array(layers).T
    return np.int64(1 + np.sum((kernels - 1) * np.concatenate([[1], np.cumprod(strides)[:-1]])))


@RECEPTIVE_FIELD.accepts
def first_and_last_pixel(layers):
    first = last = 0
    for kernel, stride in layers[::-1]:
        first, last = first * stride, last * stride + kernel - 1
    return last - first + 1


@RECEPTIVE_FIELD.accepts
def set_of_pixels(layers):
    seen = {0}
    for kernel, stride in layers[::-1]:
        seen = {place * stride + tap for place in seen for tap in range(kernel)}
    return max(seen) - min(seen) + 1


@RECEPTIVE_FIELD.accepts
def float32(layers):
    return np.float32(sum_of_products_in_one_line(layers))


@RECEPTIVE_FIELD.accepts
def array_without_axes(layers):
    return np.array(backwards_from_the_last_layer(layers))


@RECEPTIVE_FIELD.accepts
def matrices_multiplied(layers):
    product = torch.eye(3, dtype=torch.int64)  # acts on (field, jump, 0)
    for kernel, stride in layers:
        product = torch.tensor([[1, kernel - 1, 0], [0, stride, 0], [0, 0, 1]]) @ product
    return (product @ torch.tensor([1, 1, 0]))[0]


@RECEPTIVE_FIELD.accepts
def largest_place_found_backwards(layers):
    return 1 + int(sum(Fraction(k - 1) * math.prod(s for _, s in layers[:n]) for n, (k, _) in enumerate(layers)))


# ================================================================================================ receptive_field: wrong ones


@RECEPTIVE_FIELD.rejects("strides-ignored")
def rule_for_plain_stacks(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers)


@RECEPTIVE_FIELD.rejects("stride-too-early")
def jump_before_field(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        jump *= stride
        field += (kernel - 1) * jump
    return field


@RECEPTIVE_FIELD.rejects("last-stride-only")
def jump_overwritten(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field = field + (kernel - 1) * jump
        jump = stride
    return field


@RECEPTIVE_FIELD.rejects("start-forgotten")
def field_from_zero(layers):
    field, jump = 0, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
    return field


@RECEPTIVE_FIELD.rejects()
def jump_from_zero(layers):
    field, jump = 1, 0
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump = max(jump, 1) * stride
    return field


@RECEPTIVE_FIELD.rejects()
def every_layer_adds_two(layers):
    return 2 * len(layers) + 1


@RECEPTIVE_FIELD.rejects()
def every_layer_adds_its_stride(layers):
    return 1 + sum(k - 1 + s - 1 for k, s in layers)


@RECEPTIVE_FIELD.rejects()
def kernel_times_stride(layers):
    return sum(k * s for k, s in layers)


@RECEPTIVE_FIELD.rejects()
def pair_read_the_wrong_way_round(layers):
    return backwards_from_the_last_layer([(s, k) for k, s in layers])


@RECEPTIVE_FIELD.rejects()
def half_the_kernel_on_one_side(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += kernel // 2 * jump
        jump *= stride
    return field


@RECEPTIVE_FIELD.rejects()
def size_of_the_output(layers):
    size = 28
    for kernel, stride in layers:
        size = (size - kernel) // stride + 1
    return size


@RECEPTIVE_FIELD.rejects()
def returns_inside_the_loop(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * jump
        jump *= stride
        return field
    return 1


@RECEPTIVE_FIELD.rejects("no-return")
def printed(layers):
    print(sum_of_products_in_one_line(layers))


@RECEPTIVE_FIELD.rejects()
def both_axes(layers):
    return (sum_of_products_in_one_line(layers),) * 2


@RECEPTIVE_FIELD.rejects()
def all_stages(layers):
    return [sum_of_products_in_one_line(layers[: n + 1]) for n in range(len(layers))]


# ================================================================================================ max_pool2d: right ones


def views(x, pool_size, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (pool_size, pool_size), axis=(2, 3))[:, :, ::stride, ::stride]


@MAX_POOL2D.accepts
def sliding_windows(x, pool_size=2, stride=2):
    return views(x, pool_size, stride).max(axis=(-2, -1))


@MAX_POOL2D.accepts
def torch_itself(x, pool_size=2, stride=2):
    return F.max_pool2d(torch.tensor(np.ascontiguousarray(x), dtype=torch.float64), pool_size, stride)


@MAX_POOL2D.accepts
def maximum_filter_of_scipy(x, pool_size=2, stride=2):
    middle = pool_size // 2
    largest = scipy.ndimage.maximum_filter(x.astype(float), size=(1, 1, pool_size, pool_size))
    rows, columns = (n - pool_size + 1 for n in x.shape[2:])
    return largest[:, :, middle : middle + rows : stride, middle : middle + columns : stride]


@MAX_POOL2D.accepts
def shifted_copies(x, pool_size=2, stride=2):
    rows, columns = (n - pool_size + 1 for n in x.shape[2:])
    best = np.full((*x.shape[:2], rows, columns), -np.inf)
    for u, v in itertools.product(range(pool_size), repeat=2):
        best = np.maximum(best, x[:, :, u : u + rows, v : v + columns])
    return best[:, :, ::stride, ::stride]


@MAX_POOL2D.accepts
def six_loops_over_scalars(x, pool_size=2, stride=2):
    images, channels, height, width = x.shape
    output = np.empty((images, channels, (height - pool_size) // stride + 1, (width - pool_size) // stride + 1), dtype=np.float32)
    for n, c, i, j in np.ndindex(*output.shape):
        best = x[n, c, i * stride, j * stride]
        for u, v in np.ndindex(pool_size, pool_size):
            best = max(best, x[n, c, i * stride + u, j * stride + v])
        output[n, c, i, j] = best
    return output


@MAX_POOL2D.accepts
def nested_lists(x, pool_size=2, stride=2):
    starts = [range(0, n - pool_size + 1, stride) for n in x.shape[2:]]
    return [[[[float(m[i : i + pool_size, j : j + pool_size].max()) for j in starts[1]] for i in starts[0]] for m in image] for image in x]


@MAX_POOL2D.accepts
def rows_first_then_columns(x, pool_size=2, stride=2):
    rows = np.stack([x[:, :, i : i + pool_size].max(axis=2) for i in range(0, x.shape[2] - pool_size + 1, stride)], axis=2)
    return np.stack([rows[..., j : j + pool_size].max(axis=3) for j in range(0, x.shape[3] - pool_size + 1, stride)], axis=3)


@MAX_POOL2D.accepts
def unfolded(x, pool_size=2, stride=2):
    images, channels, height, width = x.shape
    columns = F.unfold(torch.tensor(np.array(x, dtype=np.float64)), pool_size, stride=stride)
    best = columns.reshape(images, channels, pool_size**2, -1).amax(dim=2)
    return best.reshape(images, channels, (height - pool_size) // stride + 1, -1).numpy()


@MAX_POOL2D.accepts
def sorted_windows_in_fortran_order(x, pool_size=2, stride=2):
    windows = views(x, pool_size, stride)
    return np.asfortranarray(np.sort(windows.reshape(*windows.shape[:4], -1), axis=-1)[..., -1])


@MAX_POOL2D.accepts
def minus_the_smallest_of_minus_x(x, pool_size=2, stride=2):
    return -views(-x.astype(float), pool_size, stride).min(axis=(4, 5))


# ================================================================================================ max_pool2d: wrong ones


@MAX_POOL2D.rejects("size-from-stride-only")
def as_published(x, pool_size=2, stride=2):
    batch_size, channels, height, width = x.shape
    output = np.zeros((batch_size, channels, height // stride, width // stride))
    for i, j in np.ndindex(*output.shape[2:]):
        window = x[:, :, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        output[:, :, i, j] = np.max(window, axis=(2, 3))
    return output


@MAX_POOL2D.rejects("ceil")
def torch_with_ceil_mode_by_hand(x, pool_size=2, stride=2):
    rows, columns = (-(-(n - pool_size) // stride) + 1 for n in x.shape[2:])
    output = np.zeros((*x.shape[:2], rows, columns))
    for i, j in np.ndindex(rows, columns):
        output[:, :, i, j] = x[:, :, i * stride :, j * stride :][:, :, :pool_size, :pool_size].max(axis=(2, 3))
    return output


@MAX_POOL2D.rejects("zero-joins-in")
def running_maximum_from_zero(x, pool_size=2, stride=2):
    windows = views(x, pool_size, stride)
    best = np.zeros(windows.shape[:4])
    for u, v in np.ndindex(pool_size, pool_size):
        best = np.maximum(best, windows[..., u, v])
    return best


@MAX_POOL2D.rejects("mean-for-max")
def average(x, pool_size=2, stride=2):
    return F.avg_pool2d(torch.tensor(np.array(x, dtype=float)), pool_size, stride).numpy()


@MAX_POOL2D.rejects("stride-ignored")
def every_window(x, pool_size=2, stride=2):
    return views(x, pool_size, 1).max(axis=(4, 5))


@MAX_POOL2D.rejects("stride-is-the-window")
def default_stride_of_torch(x, pool_size=2, stride=2):
    return F.max_pool2d(torch.tensor(np.array(x, dtype=float)), pool_size)


@MAX_POOL2D.rejects("corner-for-max")
def skipping(x, pool_size=2, stride=2):
    return views(x, pool_size, stride)[..., 0, 0]


@MAX_POOL2D.rejects("stride-in-shape-only")
def windows_at_i_and_j(x, pool_size=2, stride=2):
    output = np.zeros(views(x, pool_size, stride).shape[:4])
    for i, j in np.ndindex(*output.shape[2:]):
        output[:, :, i, j] = x[:, :, i : i + pool_size, j : j + pool_size].max(axis=(2, 3))
    return output


@MAX_POOL2D.rejects()
def maximum_over_one_axis_of_the_window(x, pool_size=2, stride=2):
    return views(x, pool_size, stride).max(axis=-1)[..., 0]


@MAX_POOL2D.rejects("channels-pooled-too", None)
def all_axes_but_the_first(x, pool_size=2, stride=2):
    output = np.zeros(views(x, pool_size, stride).shape[:4])
    for i, j in np.ndindex(*output.shape[2:]):
        window = x[:, :, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size]
        output[:, :, i, j] = window.max(axis=(1, 2, 3))[:, None]
    return output


@MAX_POOL2D.rejects("pool-size-for-stride")
def windows_a_window_apart(x, pool_size=2, stride=2):
    output = np.zeros(views(x, pool_size, stride).shape[:4])
    for i, j in np.ndindex(*output.shape[2:]):
        top, left = i * pool_size, j * pool_size
        output[:, :, i, j] = x[:, :, top : top + pool_size, left : left + pool_size].max(axis=(2, 3))
    return output


@MAX_POOL2D.rejects("largest-of-everything")
def largest_of_the_whole_batch(x, pool_size=2, stride=2):
    output = np.zeros(views(x, pool_size, stride).shape[:4])
    for i, j in np.ndindex(*output.shape[2:]):
        output[:, :, i, j] = np.max(x[:, :, i * stride : i * stride + pool_size, j * stride : j * stride + pool_size])
    return output


@MAX_POOL2D.rejects()
def padded_to_keep_the_last_window(x, pool_size=2, stride=2):
    padded = np.pad(x, ((0, 0), (0, 0), (0, pool_size - 1), (0, pool_size - 1)))
    return views(padded, pool_size, stride).max(axis=(4, 5))


@MAX_POOL2D.rejects()
def reshaped_into_blocks(x, pool_size=2, stride=2):
    images, channels, height, width = x.shape
    rows, columns = height // pool_size, width // pool_size
    whole = x[:, :, : rows * pool_size, : columns * pool_size]
    return whole.reshape(images, channels, rows, pool_size, columns, pool_size).max(axis=(3, 4))


@MAX_POOL2D.rejects()
def place_of_the_largest(x, pool_size=2, stride=2):
    windows = views(x, pool_size, stride)
    return windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)


@MAX_POOL2D.rejects("transposed-output")
def stored_at_j_i(x, pool_size=2, stride=2):
    return views(x, pool_size, stride).max(axis=(4, 5)).transpose(0, 1, 3, 2)


@MAX_POOL2D.rejects("changes-argument")
def in_place(x, pool_size=2, stride=2):
    output = views(x, pool_size, stride).max(axis=(4, 5)).astype(float)
    x[:] = 0
    return output


@MAX_POOL2D.rejects()
def without_batch_axis(x, pool_size=2, stride=2):
    return views(x, pool_size, stride).max(axis=(4, 5))[0]


@MAX_POOL2D.rejects("no-return")
def nothing_returned(x, pool_size=2, stride=2):
    views(x, pool_size, stride).max(axis=(4, 5))


# ================================================================================================ equivariance_error: right ones


def overlap(y, down, right):
    return y[:, : y.shape[1] - down, : y.shape[2] - right]


@EQUIVARIANCE_ERROR.accepts
def end_as_none_for_zero(y, y_moved, down, right):
    y, y_moved = y.astype(float), y_moved.astype(float)
    return np.max(np.abs(y[:, : -down or None, : -right or None] - y_moved[:, down:, right:]))


@EQUIVARIANCE_ERROR.accepts
def rolled_and_cut(y, y_moved, down, right):
    rolled = np.roll(y, (down, right), axis=(1, 2)).astype(float)
    return np.abs(rolled - y_moved)[:, down:, right:].max()


@EQUIVARIANCE_ERROR.accepts
def nan_moved_in(y, y_moved, down, right):
    moved = np.full(y.shape, np.nan)
    moved[:, down:, right:] = overlap(y, down, right)
    return np.nanmax(np.abs(y_moved - moved))


@EQUIVARIANCE_ERROR.accepts
def three_loops(y, y_moved, down, right):
    worst = 0
    for c, r, k in np.ndindex(*y.shape):
        if r >= down and k >= right:
            worst = max(worst, abs(float(y_moved[c, r, k]) - float(y[c, r - down, k - right])))
    return worst


@EQUIVARIANCE_ERROR.accepts
def infinity_norm(y, y_moved, down, right):
    difference = y_moved[:, down:, right:].astype(float) - overlap(y, down, right)
    return np.linalg.norm(difference.ravel(), ord=np.inf)


@EQUIVARIANCE_ERROR.accepts
def torch_tensors(y, y_moved, down, right):
    y, y_moved = (torch.tensor(np.array(a, dtype=np.float32)) for a in (y, y_moved))
    return (y_moved[:, down:, right:] - overlap(y, down, right)).abs().amax()


@EQUIVARIANCE_ERROR.accepts
def by_recursion_over_the_shift(y, y_moved, down, right):
    if down:
        return by_recursion_over_the_shift(y[:, :-1], y_moved[:, 1:], down - 1, right)
    if right:
        return by_recursion_over_the_shift(y[:, :, :-1], y_moved[:, :, 1:], 0, right - 1)
    return np.abs(np.subtract(y, y_moved, dtype=float)).max()


@EQUIVARIANCE_ERROR.accepts
def larger_of_both_signs(y, y_moved, down, right):
    difference = y_moved[:, down:, right:].astype(float) - overlap(y, down, right)
    return max(difference.max(), -difference.min())


@EQUIVARIANCE_ERROR.accepts
def kernel_with_a_single_one(y, y_moved, down, right):
    kernel = np.zeros((1, down + 1, right + 1))
    kernel[0, -1, -1] = 1  # a true convolution with it moves the maps
    moved = scipy.signal.convolve(y.astype(float), kernel, method="direct")[:, : y.shape[1], : y.shape[2]]
    return np.abs(moved - y_moved)[:, down:, right:].max()


# ================================================================================================ equivariance_error: wrong ones


@EQUIVARIANCE_ERROR.rejects("not-moved-back")
def pixel_by_pixel(y, y_moved, down, right):
    return np.abs(y.astype(float) - y_moved).max()


@EQUIVARIANCE_ERROR.rejects("moved-the-other-way")
def up_and_left(y, y_moved, down, right):
    return np.abs(y[:, down:, right:].astype(float) - overlap(y_moved, down, right)).max()


@EQUIVARIANCE_ERROR.rejects("wrapped-around")
def rolled(y, y_moved, down, right):
    return np.abs(np.roll(np.roll(y.astype(float), down, axis=1), right, axis=2) - y_moved).max()


@EQUIVARIANCE_ERROR.rejects("minus-nothing")
def minus_zero(y, y_moved, down, right):
    return np.abs(y[:, :-down, :-right].astype(float) - y_moved[:, down:, right:]).max()


@EQUIVARIANCE_ERROR.rejects("no-absolute-value")
def signed(y, y_moved, down, right):
    return (y_moved[:, down:, right:].astype(float) - overlap(y, down, right)).max()


@EQUIVARIANCE_ERROR.rejects("overflow")
def old_minus_new_in_their_own_type(y, y_moved, down, right):
    return np.abs(overlap(y, down, right) - y_moved[:, down:, right:]).max()


@EQUIVARIANCE_ERROR.rejects("absolute-value-too-late-old-minus-new")
def size_of_the_largest_old_minus_new(y, y_moved, down, right):
    return abs((overlap(y, down, right).astype(float) - y_moved[:, down:, right:]).max())


@EQUIVARIANCE_ERROR.rejects("no-absolute-value-old-minus-new")
def signed_the_other_way(y, y_moved, down, right):
    return (overlap(y, down, right).astype(float) - y_moved[:, down:, right:]).max()


@EQUIVARIANCE_ERROR.rejects()
def root_of_the_mean_square(y, y_moved, down, right):
    return np.sqrt(((y_moved[:, down:, right:].astype(float) - overlap(y, down, right)) ** 2).mean())


@EQUIVARIANCE_ERROR.rejects()
def share_of_the_range(y, y_moved, down, right):
    return np.abs(y_moved[:, down:, right:].astype(float) - overlap(y, down, right)).max() / max(np.ptp(y.astype(float)), 1)


@EQUIVARIANCE_ERROR.rejects()
def how_many_differ(y, y_moved, down, right):
    return (y_moved[:, down:, right:] != overlap(y, down, right)).sum()


@EQUIVARIANCE_ERROR.rejects()
def whole_map_of_differences(y, y_moved, down, right):
    return np.abs(y_moved[:, down:, right:].astype(float) - overlap(y, down, right))


@EQUIVARIANCE_ERROR.rejects()
def one_number_a_channel(y, y_moved, down, right):
    return np.abs(y_moved[:, down:, right:].astype(float) - overlap(y, down, right)).max(axis=(1, 2))


@EQUIVARIANCE_ERROR.rejects()
def yes_or_no(y, y_moved, down, right):
    return np.allclose(y_moved[:, down:, right:], overlap(y, down, right))


@EQUIVARIANCE_ERROR.rejects()
def channels_moved_as_rows(y, y_moved, down, right):
    return np.abs(y_moved.astype(float) - np.roll(y, (down, right), axis=(0, 1))).max()


@EQUIVARIANCE_ERROR.rejects()
def cut_on_both_sides(y, y_moved, down, right):
    moved = np.roll(y, (down, right), axis=(1, 2)).astype(float)
    return np.abs(moved - y_moved)[:, down : -down or None, right : -right or None].max(initial=0)


@EQUIVARIANCE_ERROR.rejects("changes-argument")
def subtracted_in_place(y, y_moved, down, right):
    right_answer = np.abs(y_moved[:, down:, right:].astype(float) - overlap(y, down, right)).max()
    y_moved[:, down:, right:] -= overlap(y, down, right)
    return right_answer


@EQUIVARIANCE_ERROR.rejects()
def sizes_compared(y, y_moved, down, right):
    return abs(np.abs(y_moved[:, down:, right:]).max().astype(float) - np.abs(overlap(y, down, right)).max())


# ================================================================================================ conv_macs: right ones

CONV_MACS.right |= {
    "one line": lambda c, o, h, w, oh, ow, groups=1: o * oh * ow * (c // groups) * h * w,
    "group by group": lambda c, o, h, w, oh, ow, groups=1: groups * (c // groups) * (o // groups) * h * w * oh * ow,
    "float, because / gives one": lambda c, o, h, w, oh, ow, groups=1: c / groups * o * h * w * oh * ow,
    "math.prod": lambda c, o, h, w, oh, ow, groups=1: math.prod((o, c, h, w, oh, ow)) // groups,
    "np.prod": lambda c, o, h, w, oh, ow, groups=1: np.prod([o, c // groups, h, w, oh, ow], dtype=np.int64),
    "float32": lambda c, o, h, w, oh, ow, groups=1: np.float32(o * c // groups * h * w * oh * ow),
    "array without axes": lambda c, o, h, w, oh, ow, groups=1: np.array(o * c // groups * h * w * oh * ow),
    "torch, from shapes": lambda c, o, h, w, oh, ow, groups=1: (
        torch.empty(o, c // groups, h, w, device="meta").numel() * torch.empty(oh, ow, device="meta").numel()
    ),
    "exact fractions": lambda c, o, h, w, oh, ow, groups=1: Fraction(c, groups) * o * h * w * oh * ow,
    "added up": lambda c, o, h, w, oh, ow, groups=1: sum(c // groups * h * w for _ in range(o) for _ in range(oh * ow)),
    "recursion over groups": lambda c, o, h, w, oh, ow, groups=1: macs_by_recursion(c, o, h * w, oh * ow, groups),
}


def macs_by_recursion(c, o, taps, positions, groups):
    if groups == 1:
        return c * o * taps * positions
    small = c // groups, o // groups
    return macs_by_recursion(*small, taps, positions, 1) + macs_by_recursion(c - small[0], o - small[1], taps, positions, groups - 1)


# ================================================================================================ conv_macs: wrong ones


@CONV_MACS.rejects("weights-only")
def parameters(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels * out_channels * kernel_height * kernel_width // groups


@CONV_MACS.rejects("flops")
def multiplications_and_additions(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return 2 * out_channels * output_height * output_width * (in_channels // groups) * kernel_height * kernel_width


@CONV_MACS.rejects("groups-ignored")
def groups_never_used(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    total = 0
    for _ in range(out_channels):
        total += in_channels * kernel_height * kernel_width * output_height * output_width
    return total


@CONV_MACS.rejects("biases-counted")
def parameters_times_positions(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return (in_channels // groups * kernel_height * kernel_width + 1) * out_channels * output_height * output_width


@CONV_MACS.rejects()
def one_addition_less(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return (2 * (in_channels // groups) * kernel_height * kernel_width - 1) * out_channels * output_height * output_width


@CONV_MACS.rejects()
def size_of_the_input_guessed(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    taps = in_channels // groups * kernel_height * kernel_width
    return out_channels * taps * (output_height + kernel_height - 1) * (output_width + kernel_width - 1)


@CONV_MACS.rejects()
def everything_added(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels + out_channels + kernel_height + kernel_width + output_height + output_width


@CONV_MACS.rejects()
def in_millions(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels // groups * out_channels * kernel_height * kernel_width * output_height * output_width / 1e6


@CONV_MACS.rejects()
def kernel_width_twice(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels // groups * out_channels * kernel_width**2 * output_height * output_width


@CONV_MACS.rejects()
def output_width_twice(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels // groups * out_channels * kernel_height * kernel_width * output_width**2


@CONV_MACS.rejects()
def nine_taps_typed_in(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return in_channels // groups * out_channels * 9 * output_height * output_width


@CONV_MACS.rejects("no-return")
def macs_printed(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    print(in_channels // groups * out_channels * kernel_height * kernel_width * output_height * output_width)


@CONV_MACS.rejects()
def as_a_shape(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    return out_channels, in_channels // groups * kernel_height * kernel_width, output_height * output_width


# ================================================================================================ depthwise_separable: right ones


@DEPTHWISE_SEPARABLE.accepts
def one_plain_convolution(x, depthwise, pointwise):
    return F.conv2d(x, pointwise * depthwise[:, 0])  # (O, C, 1, 1) times (C, kH, kW)


@DEPTHWISE_SEPARABLE.accepts
def einsum_over_windows(x, depthwise, pointwise):
    windows = x.unfold(2, depthwise.shape[2], 1).unfold(3, depthwise.shape[3], 1)
    return torch.einsum("nchwuv,cuv,oc->nohw", windows, depthwise[:, 0], pointwise[:, :, 0, 0])


@DEPTHWISE_SEPARABLE.accepts
def numpy_and_scipy(x, depthwise, pointwise):
    x, depthwise, pointwise = x.numpy(), depthwise.numpy(), pointwise.numpy()
    apart = [[scipy.signal.correlate2d(m, k[0], mode="valid") for m, k in zip(image, depthwise, strict=True)] for image in x]
    return np.tensordot(np.array(apart), pointwise[:, :, 0, 0], axes=(1, 1)).transpose(0, 3, 1, 2)


@DEPTHWISE_SEPARABLE.accepts
def channel_by_channel(x, depthwise, pointwise):
    maps = [F.conv2d(x[:, c : c + 1], depthwise[c : c + 1]) for c in range(x.shape[1])]
    return sum(m * pointwise[None, :, c] for c, m in enumerate(maps))


@DEPTHWISE_SEPARABLE.accepts
def layers_with_their_weights_set(x, depthwise, pointwise):
    channels = x.shape[1]
    first = torch.nn.Conv2d(channels, channels, tuple(depthwise.shape[2:]), groups=channels, bias=False)
    second = torch.nn.Conv2d(channels, pointwise.shape[0], 1, bias=False)
    first.weight.data, second.weight.data = depthwise, pointwise
    return torch.nn.Sequential(first, second)(x)  # a gradient goes with it


@DEPTHWISE_SEPARABLE.accepts
def pointwise_as_a_matrix(x, depthwise, pointwise):
    apart = F.conv2d(x, depthwise, groups=len(depthwise))
    return (pointwise[:, :, 0, 0] @ apart.flatten(2)).reshape(len(x), -1, *apart.shape[2:])


@DEPTHWISE_SEPARABLE.accepts
def pointwise_as_a_linear_layer_in_float64(x, depthwise, pointwise):
    apart = F.conv2d(x.double(), depthwise.double(), None, 1, 0, 1, x.size(1))
    return F.linear(apart.movedim(1, -1), pointwise.double().flatten(1)).movedim(-1, 1)


@DEPTHWISE_SEPARABLE.accepts
def fourier(x, depthwise, pointwise):
    sizes = [n + k - 1 for n, k in zip(x.shape[2:], depthwise.shape[2:], strict=True)]
    both = torch.fft.rfft2(x, s=sizes) * torch.fft.rfft2(depthwise[:, 0].flip(1, 2), s=sizes)
    apart = torch.fft.irfft2(both, s=sizes)[:, :, depthwise.shape[2] - 1 : x.shape[2], depthwise.shape[3] - 1 : x.shape[3]]
    return torch.einsum("nchw,oc->nohw", apart, pointwise[..., 0, 0])


@DEPTHWISE_SEPARABLE.accepts
def image_by_image_as_nested_lists(x, depthwise, pointwise):
    return [F.conv2d(F.conv2d(image[None], depthwise, groups=len(image)), pointwise)[0].tolist() for image in x]


# ================================================================================================ depthwise_separable: wrong ones


@DEPTHWISE_SEPARABLE.rejects("groups-do-not-fit")
def without_groups(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise), pointwise)


@DEPTHWISE_SEPARABLE.rejects("pointwise-first")
def mixed_before(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, pointwise), depthwise, groups=len(depthwise))


@DEPTHWISE_SEPARABLE.rejects("pointwise-forgotten")
def first_step_only(x, depthwise, pointwise):
    return F.conv2d(x, depthwise, groups=x.shape[1])


@DEPTHWISE_SEPARABLE.rejects("relu-between")
def activation_between(x, depthwise, pointwise):
    return F.conv2d(F.relu(F.conv2d(x, depthwise, groups=x.shape[1])), pointwise)


@DEPTHWISE_SEPARABLE.rejects("padded-unasked")
def padding_same(x, depthwise, pointwise):
    kernel = depthwise.shape[2:]
    return F.conv2d(F.conv2d(x, depthwise, groups=x.shape[1], padding=(kernel[0] // 2, kernel[1] // 2)), pointwise)


@DEPTHWISE_SEPARABLE.rejects("groups-do-not-fit")
def groups_in_the_second_step(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise), pointwise, groups=x.shape[1])


@DEPTHWISE_SEPARABLE.rejects("groups-do-not-fit")
def groups_in_both_steps(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise, groups=x.shape[1]), pointwise, groups=x.shape[1])


@DEPTHWISE_SEPARABLE.rejects()
def batch_for_channels(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise, groups=x.shape[0]), pointwise)


@DEPTHWISE_SEPARABLE.rejects()
def depthwise_twice(x, depthwise, pointwise):
    apart = F.conv2d(x, depthwise, groups=x.shape[1])
    return F.conv2d(F.conv2d(apart, depthwise, groups=x.shape[1]), pointwise)


@DEPTHWISE_SEPARABLE.rejects()
def strided(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise, groups=x.shape[1], stride=2), pointwise)


@DEPTHWISE_SEPARABLE.rejects()
def both_steps_added(x, depthwise, pointwise):
    apart = F.conv2d(x, depthwise, groups=x.shape[1])
    mixed = F.conv2d(x, pointwise)[..., : apart.shape[2], : apart.shape[3]]
    return apart.sum(dim=1, keepdim=True) + mixed


@DEPTHWISE_SEPARABLE.rejects()
def weights_of_pointwise_transposed(x, depthwise, pointwise):
    apart = F.conv2d(x, depthwise, groups=x.shape[1])
    return F.conv2d(apart, pointwise.reshape(pointwise.shape[1], -1).T[:, :, None, None])


@DEPTHWISE_SEPARABLE.rejects()
def kernels_transposed(x, depthwise, pointwise):
    return F.conv2d(F.conv2d(x, depthwise.transpose(2, 3), groups=x.shape[1]), pointwise)


@DEPTHWISE_SEPARABLE.rejects("changes-argument")
def kernels_scaled_in_place(x, depthwise, pointwise):
    output = one_plain_convolution(x, depthwise, pointwise)
    depthwise *= 2
    return output


@DEPTHWISE_SEPARABLE.rejects("no-return")
def both_steps_and_no_return(x, depthwise, pointwise):
    F.conv2d(F.conv2d(x, depthwise, groups=x.shape[1]), pointwise)


@DEPTHWISE_SEPARABLE.rejects()
def new_layers_with_weights_of_their_own(x, depthwise, pointwise):
    torch.manual_seed(1)
    channels = x.shape[1]
    first = torch.nn.Conv2d(channels, channels, tuple(depthwise.shape[2:]), groups=channels)
    return torch.nn.Conv2d(channels, len(pointwise), 1)(first(x)).detach()


# ================================================================================================ residual_block: right ones


def same(x, w, b):
    return F.conv2d(x, w, b, padding=1)


def branch(x, w1, b1, w2, b2):
    return same(torch.relu(same(x, w1, b1)), w2, b2)


@RESIDUAL_BLOCK.accepts
def modules_with_their_weights_set(x, w1, b1, w2, b2):
    layers = [torch.nn.Conv2d(w.shape[1], len(w), 3, padding=1) for w in (w1, w2)]
    for layer, w, b in zip(layers, (w1, w2), (b1, b2), strict=True):
        layer.load_state_dict({"weight": w, "bias": b})
    return torch.nn.ReLU()(layers[1](torch.nn.ReLU()(layers[0](x))) + x)


@RESIDUAL_BLOCK.accepts
def clamped(x, w1, b1, w2, b2):
    return (x + F.conv2d(F.conv2d(x, w1, b1, 1, 1).clamp(min=0), w2, b2, 1, 1)).clamp(min=0)


@RESIDUAL_BLOCK.accepts
def padding_by_name(x, w1, b1, w2, b2):
    out = F.conv2d(x, w1, bias=b1, padding="same").relu()
    out = F.conv2d(out, w2, bias=b2, padding="same")
    out += x  # into the new tensor
    return F.relu_(out)


@RESIDUAL_BLOCK.accepts
def padded_by_hand(x, w1, b1, w2, b2):
    inner = torch.relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), w1) + b1[:, None, None])
    return torch.relu(x + F.conv2d(F.pad(inner, (1, 1, 1, 1)), w2) + b2.view(1, -1, 1, 1))


@RESIDUAL_BLOCK.accepts
def identity_in_the_kernel(x, w1, b1, w2, b2):
    """The shortcut as further channels, which the second convolution copies."""
    inner = torch.cat([torch.relu(same(x, w1, b1)), x], dim=1)
    copy = torch.zeros_like(w2)
    for c in range(len(w2)):
        copy[c, c, 1, 1] = 1
    return torch.relu(same(inner, torch.cat([w2, copy], dim=1), b2))


@RESIDUAL_BLOCK.accepts
def numpy_and_scipy_in_float64(x, w1, b1, w2, b2):
    def layer(x, w, b):
        return np.array([[sum(map(one, image, kernels)) + bias for kernels, bias in zip(w, b, strict=True)] for image in x.astype(float)])

    def one(channel, kernel):
        return scipy.ndimage.correlate(channel, kernel, mode="constant")

    x, w1, b1, w2, b2 = (tensor.numpy() for tensor in (x, w1, b1, w2, b2))
    return np.maximum(x + layer(np.maximum(layer(x, w1, b1), 0), w2, b2), 0)


@RESIDUAL_BLOCK.accepts
def unfolded_columns(x, w1, b1, w2, b2):
    def layer(x, w, b):
        return (w.flatten(1) @ F.unfold(x, 3, padding=1) + b[:, None]).reshape(x.shape)

    return torch.where((total := x + layer(layer(x, w1, b1).relu(), w2, b2)) > 0, total, 0)


@RESIDUAL_BLOCK.accepts
def image_by_image_as_lists(x, w1, b1, w2, b2):
    return [torch.relu(image + branch(image[None], w1, b1, w2, b2)[0]).tolist() for image in x]


@RESIDUAL_BLOCK.accepts
def absolute_value_makes_a_relu(x, w1, b1, w2, b2):
    inner = same(x, w1, b1)
    out = x + same((inner + inner.abs()) / 2, w2, b2)
    return ((out + out.abs()) / 2).requires_grad_()


# ================================================================================================ residual_block: wrong ones


@RESIDUAL_BLOCK.rejects("shortcut-forgotten")
def plain_block(x, w1, b1, w2, b2):
    return torch.relu(branch(x, w1, b1, w2, b2))


@RESIDUAL_BLOCK.rejects("relu-before-the-sum")
def sum_after_the_relu(x, w1, b1, w2, b2):
    return x + torch.relu(branch(x, w1, b1, w2, b2))


@RESIDUAL_BLOCK.rejects("last-relu-forgotten")
def no_relu_at_the_end(x, w1, b1, w2, b2):
    return branch(x, w1, b1, w2, b2) + x


@RESIDUAL_BLOCK.rejects("padding-forgotten")
def without_padding(x, w1, b1, w2, b2):
    return torch.relu(x + F.conv2d(torch.relu(F.conv2d(x, w1, b1)), w2, b2))


@RESIDUAL_BLOCK.rejects("shortcut-from-the-middle")
def variable_overwritten(x, w1, b1, w2, b2):
    x = torch.relu(same(x, w1, b1))
    return torch.relu(same(x, w2, b2) + x)


@RESIDUAL_BLOCK.rejects("concatenated")
def put_side_by_side(x, w1, b1, w2, b2):
    return torch.relu(torch.cat([x, branch(x, w1, b1, w2, b2)], dim=1))


@RESIDUAL_BLOCK.rejects("changes-argument")
def added_into_x(x, w1, b1, w2, b2):
    x += branch(x, w1, b1, w2, b2)
    return torch.relu(x)


@RESIDUAL_BLOCK.rejects()
def shortcut_twice(x, w1, b1, w2, b2):
    return torch.relu(x + x + branch(x, w1, b1, w2, b2))


@RESIDUAL_BLOCK.rejects()
def no_relu_at_all(x, w1, b1, w2, b2):
    return x + same(same(x, w1, b1), w2, b2)


@RESIDUAL_BLOCK.rejects()
def three_convolutions(x, w1, b1, w2, b2):
    return torch.relu(x + same(torch.relu(branch(x, w1, b1, w2, b2)), w2, b2))


@RESIDUAL_BLOCK.rejects()
def biases_exchanged(x, w1, b1, w2, b2):
    return torch.relu(x + branch(x, w1, b2, w2, b1))


@RESIDUAL_BLOCK.rejects()
def first_bias_forgotten(x, w1, b1, w2, b2):
    return torch.relu(x + same(torch.relu(F.conv2d(x, w1, padding=1)), w2, b2))


@RESIDUAL_BLOCK.rejects()
def second_bias_forgotten(x, w1, b1, w2, b2):
    return torch.relu(x + F.conv2d(torch.relu(same(x, w1, b1)), w2, padding=1))


@RESIDUAL_BLOCK.rejects()
def sigmoid_for_relu(x, w1, b1, w2, b2):
    return torch.sigmoid(x + branch(x, w1, b1, w2, b2))


@RESIDUAL_BLOCK.rejects()
def leaky_relu(x, w1, b1, w2, b2):
    return F.leaky_relu(x + branch(x, w1, b1, w2, b2))


@RESIDUAL_BLOCK.rejects()
def padded_by_two_once(x, w1, b1, w2, b2):
    return torch.relu(x + F.conv2d(torch.relu(F.conv2d(x, w1, b1, padding=2)), w2, b2))


@RESIDUAL_BLOCK.rejects()
def branch_without_the_shortcut_or_relu(x, w1, b1, w2, b2):
    return branch(x, w1, b1, w2, b2)


@RESIDUAL_BLOCK.rejects()
def normalized_as_in_the_paper(x, w1, b1, w2, b2):
    out = branch(x, w1, b1, w2, b2)
    return torch.relu(x + out / (out.std() + 1))


@RESIDUAL_BLOCK.rejects("no-return")
def computed_and_dropped(x, w1, b1, w2, b2):
    torch.relu(x + branch(x, w1, b1, w2, b2))


# ================================================================================================ answers worked out

BROKEN_PAIR = Proof(
    "L5.7",
    wrong={
        "as published": named("published-pair", [10, 20]),
        "both even": named("both-even", [4, 6]),
        "top left": named("both-even", [0, 0]),
        "last pixel": named("outside", [27, 27]),
        "negative": named("outside", [-1, 3]),
        "far away": named("outside", (200, 301)),
        "between pixels": [10.5, 21],
        "two pixels": [[11, 21], [12, 22]],
        "one number": 11,
        "half written": [11, ...],
    },
    right={
        "the neighbor of the published pair": [11, 21],
        "odd row": (3, 8),
        "odd column": [8, 3],
        "array": np.array([25, 26]),
        "float32": np.array([1, 1], np.float32),
        "torch tensor": torch.tensor([9, 20]),
        "np.int64": [np.int64(0), np.int64(25)],
    },
)

PROOFS = (
    worked_out(
        "9.4",
        wrong={
            "as it stands in the call": [[1, 4, 3, 3], [4, 8, 3, 3], [4, 8, 3, 3]],
            "only the first map": [[1, 1, 28, 28], [8, 4, 3, 3], [1, 1, 28, 28]],
            "three numbers": [[4, 28, 28], [8, 4, 3], [8, 28, 28]],
            "weights of conv1": [[1, 4, 28, 28], [4, 1, 3, 3], [1, 8, 28, 28]],
            "padding adds": [[1, 4, 30, 30], [8, 4, 3, 3], [1, 8, 32, 32]],
        },
    ),
    worked_out(
        "L5.1", wrong={"one number": 288, "four filters": [144, 148], "both the same": [288, 288], "with the size": [288 * 784, 296 * 784]}
    ),
    worked_out(
        "L5.2",
        wrong={
            "read off the figure from above": [2, 4, 8, 10],
            "areas": [9, 16, 64, 100],
            "sizes of the maps": [26, 13, 11, 5],
            "one step too few": [3, 4, 6, 8],
            "last only": 10,
        },
    ),
    RECEPTIVE_FIELD,
    worked_out(
        "L5.3",
        wrong={
            "two small layers": [73728, 200704],
            "25 for 49": [110592, 102400],
            "ratio": 0.55,
            "equal": [200704, 200704],
            "by 64": named("channels-once", [110592 // 64, 200704 // 64]),
        },
    ),
    worked_out(
        "L5.4",
        wrong={
            "after nine": [10, 19, 13],
            "only the size": 8,
            "padded": [28, 21, 13],
            "size and field exchanged": [21, 8, 13],
            "all layers of two pixels": [8, 21, 26],
        },
    ),
    MAX_POOL2D,
    worked_out(
        "L5.5",
        wrong={
            "windows of 2": [[n // 2, n // 2 + 1] for n in PUBLISHED_SIZES],
            "stride 3": [[n // 2, n // 3] for n in PUBLISHED_SIZES],
            "stride 1": [[n // 2, n - 2] for n in PUBLISHED_SIZES],
            "a row each": [[3, 6, 56], [2, 6, 55]],
            "one list": [3, 2, 6, 6, 56, 55],
        },
    ),
    EQUIVARIANCE_ERROR,
    worked_out(
        "L5.6",
        wrong={
            "kernels": [3, 2, 3, 5],
            "all strides as powers": [1, 2, 4, 8],
            "never": [0, 0, 0, 0],
            "one number": 4,
            "last by kernels": [1, 2, 4, 10],
            "3 + 2": named("strides-added", [1, 2, 4, 5]),
            "every stride added": named("all-strides-added", [1, 2, 6, 5]),
        },
    ),
    BROKEN_PAIR,
    worked_out(
        "9.5A",
        wrong={
            "total": 4800,
            "exchanged": [4640, 160],
            "without channels in conv1 too": [144, 288],
            "one filter": [10, 145],
            "bias of 16": [160, 4624],
        },
    ),
    worked_out(
        "9.5B",
        wrong={
            "exchanged": [19694080, 12560],
            "rounded": [12560, 19700000],
            "from one pixel": [32, 50176],
            "one number": 19694080,
            "ratio": [12560, 4102.9],
        },
    ),
    CONV_MACS,
    worked_out(
        "L5.8",
        wrong={
            "ratio": 8.47,
            "one of the ends twice": [16384 * 3 + 36864, 589824],
            "64 to 64 for the plain one": [69632, 36864],
            "equal": [69632, 69632],
            "thousands": [69.632, 589.824],
        },
    ),
    DEPTHWISE_SEPARABLE,
    worked_out(
        "L5.9",
        wrong={
            "both layers": [33920, 34304, 3],
            "two numbers": [33920, 34304],
            "neither": [33920, 34304, 0],
            "all published": [34048, 34048, 1],
            "only pointwise": [32768, 33024, 1],
        },
    ),
    RESIDUAL_BLOCK,
    worked_out(
        "L5.10",
        wrong={
            "total": 34826,
            "in another order": [18496, 320, 16010],
            "first of color": [896, 18496, 16010],
            "padding": [320, 18496, 31370],
            "dropout halves": [320, 18496, 8010],
        },
    ),
    worked_out(
        "L5.11",
        wrong={
            "one side": [56, 8],
            "with the batch": [401408, 4096],
            "before the second layer": [100352, 2048],
            "one number": 200704,
            "pixels of the photograph": [150528, 3072],
        },
    ),
)
