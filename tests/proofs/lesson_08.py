"""Lesson 8: wrong answers as students write them, and right ones that nobody expects. As in `lesson_02.py`."""

import itertools

import numpy as np
import torch
import torch.nn.functional as F

from course_lib import convolution

from . import Proof, named, worked_out

PATCHES, FILTERS = Proof("image_to_patches"), Proof("patch_filters")

# ================================================================================================ image_to_patches: right ones


@PATCHES.accepts
def loops_and_ravel(image, patch_size=16):
    patches = []
    for i in range(0, image.shape[0], patch_size):
        for j in range(0, image.shape[1], patch_size):
            patches.append(image[i : i + patch_size, j : j + patch_size, :].ravel())
    return np.array(patches)


@PATCHES.accepts
def reshape_and_transpose(image, patch_size=16):
    height, width, channels = image.shape
    p = patch_size
    return image.reshape(height // p, p, width // p, p, channels).swapaxes(1, 2).reshape(-1, p * p * channels)


@PATCHES.accepts
def every_patch_size_th_window(image, patch_size=16):
    windows = np.lib.stride_tricks.sliding_window_view(image, (patch_size, patch_size), axis=(0, 1))[::patch_size, ::patch_size]
    return windows.transpose(0, 1, 3, 4, 2).reshape(-1, patch_size**2 * image.shape[2])


@PATCHES.accepts
def unfold_and_mend_the_order(image, patch_size=16):
    x = torch.tensor(np.array(image, dtype=float)).permute(2, 0, 1)[None]
    columns = F.unfold(x, patch_size, stride=patch_size)[0].T
    return columns.reshape(len(columns), image.shape[2], -1).transpose(1, 2).flatten(1)


@PATCHES.accepts
def torch_unfold_method(image, patch_size=16):
    x = torch.tensor(np.array(image))
    boxes = x.unfold(0, patch_size, patch_size).unfold(1, patch_size, patch_size)  # rows, columns, C, p, p
    return boxes.permute(0, 1, 3, 4, 2).reshape(-1, patch_size**2 * image.shape[2])


@PATCHES.accepts
def einsum_with_names(image, patch_size=16):
    height, width, channels = image.shape
    grid = image.reshape(height // patch_size, patch_size, width // patch_size, patch_size, channels)
    return np.einsum("ipjqc->ijpqc", grid).reshape(-1, patch_size * patch_size * channels)


@PATCHES.accepts
def by_splitting(image, patch_size=16):
    strips = np.split(image, len(image) // patch_size)
    return [patch.flatten() for strip in strips for patch in np.split(strip, strip.shape[1] // patch_size, axis=1)]


@PATCHES.accepts
def plain_lists(image, patch_size=16):
    height, width, channels = image.shape
    return [
        [float(image[i + m, j + n, c]) for m in range(patch_size) for n in range(patch_size) for c in range(channels)]
        for i in range(0, height, patch_size)
        for j in range(0, width, patch_size)
    ]


@PATCHES.accepts
def by_fancy_indices(image, patch_size=16):
    height, width, _ = image.shape
    rows, columns = np.arange(height).reshape(-1, 1, patch_size, 1), np.arange(width).reshape(1, -1, 1, patch_size)
    return image[rows, columns].reshape(height * width // patch_size**2, -1)


@PATCHES.accepts
def convolution_with_one_hot_filters(image, patch_size=16):
    p, channels = patch_size, image.shape[2]
    filters = np.eye(p * p * channels).reshape(p, p, channels, -1).transpose(3, 2, 0, 1)
    maps = convolution.conv2d(np.array(image, dtype=float).transpose(2, 0, 1)[None], filters, stride=p)
    return maps[0].reshape(p * p * channels, -1).T


@PATCHES.accepts
def recursion_strip_by_strip(image, patch_size=16):
    if len(image) == 0:
        return np.zeros((0, patch_size**2 * image.shape[2]))
    strip = image[:patch_size]
    first = [strip[:, j : j + patch_size].reshape(1, -1) for j in range(0, strip.shape[1], patch_size)]
    return np.concatenate([*first, recursion_strip_by_strip(image[patch_size:], patch_size)])


@PATCHES.accepts
def float32_in_fortran_order(image, patch_size=16):
    return np.asfortranarray(reshape_and_transpose(image.astype(np.float32), patch_size))


@PATCHES.accepts
def filled_row_by_row(image, patch_size=16):
    height, width, channels = image.shape
    across = width // patch_size
    out = np.empty((height // patch_size * across, patch_size * patch_size * channels))
    for number in range(len(out)):
        i, j = divmod(number, across)
        out[number] = image[i * patch_size :, j * patch_size :][:patch_size, :patch_size].reshape(-1)
    return out


# ================================================================================================ image_to_patches: wrong ones


@PATCHES.rejects("plain-reshape")
def reshape_by_count(image, patch_size=16):
    count = image.shape[0] * image.shape[1] // patch_size**2
    return np.reshape(image, (count, -1))


@PATCHES.rejects("down-first")
def loops_exchanged(image, patch_size=16):
    return np.array(
        [
            image[i : i + patch_size, j : j + patch_size].ravel()
            for j in range(0, image.shape[1], patch_size)
            for i in range(0, image.shape[0], patch_size)
        ]
    )


@PATCHES.rejects("channels-first")
def unfold_as_it_is(image, patch_size=16):
    x = torch.tensor(np.array(image, dtype=float)).permute(2, 0, 1)[None]
    return F.unfold(x, patch_size, stride=patch_size)[0].T


@PATCHES.rejects()
def unfold_not_even_turned(image, patch_size=16):  # two slips at once
    x = torch.tensor(np.array(image, dtype=float)).permute(2, 0, 1)[None]
    return F.unfold(x, patch_size, stride=patch_size)[0]


@PATCHES.rejects("columns-first-within")
def pixels_transposed(image, patch_size=16):
    boxes = reshape_and_transpose(image, patch_size).reshape(-1, patch_size, patch_size, image.shape[2])
    return boxes.transpose(0, 2, 1, 3).reshape(len(boxes), -1)


@PATCHES.rejects()
def flattened_in_fortran_order(image, patch_size=16):  # channels first and columns first
    return np.array(
        [
            image[i : i + patch_size, j : j + patch_size].flatten("F")
            for i in range(0, image.shape[0], patch_size)
            for j in range(0, image.shape[1], patch_size)
        ]
    )


@PATCHES.rejects("overlapping")
def step_forgotten(image, patch_size=16):
    height, width, _ = image.shape
    return np.array(
        [
            image[i : i + patch_size, j : j + patch_size].ravel()
            for i in range(height - patch_size + 1)
            for j in range(width - patch_size + 1)
        ]
    )


@PATCHES.rejects("not-flattened")
def boxes(image, patch_size=16):
    return reshape_and_transpose(image, patch_size).reshape(-1, patch_size, patch_size, image.shape[2])


@PATCHES.rejects("plain-reshape")
def grid_without_moving_axes(image, patch_size=16):
    height, width, channels = image.shape
    grid = image.reshape(height // patch_size, patch_size, width // patch_size, patch_size, channels)
    return grid.reshape(-1, patch_size * patch_size * channels)


@PATCHES.rejects("every-nth-pixel")
def slices_with_a_step(image, patch_size=16):
    starts = itertools.product(range(patch_size), repeat=2)
    return np.stack([image[i::patch_size, j::patch_size].flatten() for i, j in starts])


@PATCHES.rejects("height-twice")
def square_image_assumed(image, patch_size=16):
    size = image.shape[0]
    return np.array(
        [image[i : i + patch_size, j : j + patch_size].ravel() for i in range(0, size, patch_size) for j in range(0, size, patch_size)]
    )


@PATCHES.rejects()
def width_twice(image, patch_size=16):
    size = image.shape[1]
    return np.array(
        [image[i : i + patch_size, j : j + patch_size].ravel() for i in range(0, size, patch_size) for j in range(0, size, patch_size)]
    )


@PATCHES.rejects()
def always_sixteen(image, patch_size=16):
    return loops_and_ravel(image, 16)


@PATCHES.rejects()
def last_patch_left_out(image, patch_size=16):
    return np.array(
        [
            image[i : i + patch_size, j : j + patch_size].ravel()
            for i in range(0, image.shape[0] - patch_size, patch_size)
            for j in range(0, image.shape[1] - patch_size, patch_size)
        ]
    )


@PATCHES.rejects()
def window_one_too_small(image, patch_size=16):
    return np.array(
        [
            image[i : i + patch_size - 1, j : j + patch_size - 1].ravel()
            for i in range(0, image.shape[0], patch_size)
            for j in range(0, image.shape[1], patch_size)
        ]
    )


@PATCHES.rejects("returned-too-early")
def return_in_the_inner_loop(image, patch_size=16):
    for i in range(0, image.shape[0], patch_size):
        for j in range(0, image.shape[1], patch_size):
            return image[i : i + patch_size, j : j + patch_size].ravel()


@PATCHES.rejects("first-row-only")
def return_in_the_outer_loop(image, patch_size=16):
    patches = []
    for i in range(0, image.shape[0], patch_size):
        for j in range(0, image.shape[1], patch_size):
            patches.append(image[i : i + patch_size, j : j + patch_size].ravel())
        return np.array(patches)


@PATCHES.rejects("no-return")
def nothing_returned(image, patch_size=16):
    loops_and_ravel(image, patch_size)


@PATCHES.rejects()
def all_in_one_row(image, patch_size=16):
    return np.concatenate(loops_and_ravel(image, patch_size))


@PATCHES.rejects()
def normalized_unasked(image, patch_size=16):
    return loops_and_ravel(image, patch_size) / 255


@PATCHES.rejects("averaged")
def mean_of_each_patch(image, patch_size=16):
    return reshape_and_transpose(image, patch_size).reshape(-1, patch_size**2, image.shape[2]).mean(axis=1)


@PATCHES.rejects("one-channel")
def first_channel(image, patch_size=16):
    return loops_and_ravel(image[:, :, :1], patch_size)


@PATCHES.rejects("changes-argument")
def image_set_to_zero_on_the_way(image, patch_size=16):
    patches = loops_and_ravel(image, patch_size)
    image[:] = 0
    return patches


@PATCHES.rejects()
def image_taken_as_channels_first(image, patch_size=16):
    return loops_and_ravel(image.transpose(1, 2, 0), patch_size)


# ================================================================================================ patch_filters: right ones


@FILTERS.accepts
def name_the_axes_and_transpose(weights, patch_size):
    return weights.reshape(patch_size, patch_size, -1, weights.shape[1]).transpose(3, 2, 0, 1)


@FILTERS.accepts
def turned_first(weights, patch_size):
    return weights.T.reshape(weights.shape[1], patch_size, patch_size, -1).transpose(0, 3, 1, 2)


@FILTERS.accepts
def filter_by_filter(weights, patch_size):
    return np.stack([column.reshape(patch_size, patch_size, -1).transpose(2, 0, 1) for column in weights.T])


@FILTERS.accepts
def entry_by_entry(weights, patch_size):
    length, filters = weights.shape
    channels = length // patch_size**2
    out = np.zeros((filters, channels, patch_size, patch_size))
    for o, c, m, n in np.ndindex(out.shape):
        out[o, c, m, n] = weights[(m * patch_size + n) * channels + c, o]
    return out


@FILTERS.accepts
def every_channels_th_row(weights, patch_size):
    channels = len(weights) // patch_size**2
    kernels = [weights[c::channels].reshape(patch_size, patch_size, -1) for c in range(channels)]
    return np.stack(kernels).transpose(3, 0, 1, 2)


@FILTERS.accepts
def by_einsum(weights, patch_size):
    return np.einsum("mnco->ocmn", weights.reshape(patch_size, patch_size, -1, weights.shape[1]))


@FILTERS.accepts
def by_torch(weights, patch_size):
    return torch.tensor(np.array(weights)).reshape(patch_size, patch_size, -1, weights.shape[1]).permute(3, 2, 0, 1)


@FILTERS.accepts
def by_moveaxis(weights, patch_size):
    return np.moveaxis(weights.reshape(patch_size, patch_size, -1, weights.shape[1]), (2, 3), (1, 0))


@FILTERS.accepts
def what_unit_patches_meet(weights, patch_size):
    """Each weight is found by asking what a patch with a single one gives."""
    length, filters = weights.shape
    channels = length // patch_size**2
    out = np.zeros((channels, patch_size, patch_size, filters))
    for c, m, n in np.ndindex(channels, patch_size, patch_size):
        patch = np.zeros((patch_size, patch_size, channels))
        patch[m, n, c] = 1
        out[c, m, n] = patch.ravel() @ weights
    return out.transpose(3, 0, 1, 2)


@FILTERS.accepts
def nested_lists_in_float32(weights, patch_size):
    return name_the_axes_and_transpose(weights.astype(np.float32), patch_size).tolist()


@FILTERS.accepts
def two_swaps(weights, patch_size):
    box = weights.reshape(patch_size, patch_size, -1, weights.shape[1])
    return np.asfortranarray(box.swapaxes(0, 3).swapaxes(1, 2).swapaxes(2, 3))


# ================================================================================================ patch_filters: wrong ones


@FILTERS.rejects("poured")
def reshape_only(weights, patch_size):
    return np.reshape(weights, (weights.shape[1], -1, patch_size, patch_size))


@FILTERS.rejects("poured")
def view_by_torch(weights, patch_size):
    return torch.tensor(np.array(weights)).contiguous().view(weights.shape[1], -1, patch_size, patch_size)


@FILTERS.rejects("channels-first-rows")
def turned_and_reshaped(weights, patch_size):
    return weights.T.reshape(weights.shape[1], -1, patch_size, patch_size)


@FILTERS.rejects("channels-first-rows")
def read_as_channel_row_column(weights, patch_size):
    return weights.reshape(-1, patch_size, patch_size, weights.shape[1]).transpose(3, 0, 1, 2)


@FILTERS.rejects("rows-and-columns-exchanged")
def all_axes_reversed(weights, patch_size):
    return weights.reshape(patch_size, patch_size, -1, weights.shape[1]).T


@FILTERS.rejects("kernels-flipped")
def turned_by_half(weights, patch_size):
    return np.rot90(name_the_axes_and_transpose(weights, patch_size), 2, axes=(2, 3))


@FILTERS.rejects()
def rows_flipped(weights, patch_size):
    return name_the_axes_and_transpose(weights, patch_size)[:, :, ::-1]


@FILTERS.rejects()
def columns_flipped(weights, patch_size):
    return name_the_axes_and_transpose(weights, patch_size)[..., ::-1]


@FILTERS.rejects("not-transposed")
def only_named(weights, patch_size):
    return weights.reshape(patch_size, patch_size, -1, weights.shape[1])


@FILTERS.rejects("channels-last")
def filters_first_only(weights, patch_size):
    return np.moveaxis(weights.reshape(patch_size, patch_size, -1, weights.shape[1]), -1, 0)


@FILTERS.rejects("channels-and-filters-exchanged")
def channels_before_filters(weights, patch_size):
    return weights.reshape(patch_size, patch_size, -1, weights.shape[1]).transpose(2, 3, 0, 1)


@FILTERS.rejects("rows-as-filters")
def cut_along_rows(weights, patch_size):
    return np.reshape(weights, (weights.shape[1], patch_size, patch_size, -1)).transpose(0, 3, 1, 2)


@FILTERS.rejects("one-flat-filter-each")
def only_turned(weights, patch_size):
    return weights.transpose()


@FILTERS.rejects()
def matrix_as_it_was(weights, patch_size):
    return weights


@FILTERS.rejects()
def three_channels_assumed(weights, patch_size):
    return weights.reshape(patch_size, patch_size, 3, weights.shape[1]).transpose(3, 2, 0, 1)


@FILTERS.rejects()
def patches_of_sixteen_assumed(weights, patch_size):
    return weights.reshape(16, 16, -1, weights.shape[1]).transpose(3, 2, 0, 1)


@FILTERS.rejects("one-filter")
def first_column_only(weights, patch_size):
    return weights[:, 0].reshape(1, patch_size, patch_size, -1).transpose(0, 3, 1, 2)


@FILTERS.rejects()
def mean_of_the_channels(weights, patch_size):
    return name_the_axes_and_transpose(weights, patch_size).mean(axis=1, keepdims=True)


@FILTERS.rejects()
def bias_added_unasked(weights, patch_size):
    return name_the_axes_and_transpose(weights, patch_size) + 1


@FILTERS.rejects("no-return")
def no_value(weights, patch_size):
    name_the_axes_and_transpose(weights, patch_size)


@FILTERS.rejects()
def whole_numbers(weights, patch_size):
    return name_the_axes_and_transpose(weights.astype(int), patch_size)


@FILTERS.rejects("changes-argument")
def scaled_in_place(weights, patch_size):
    weights *= 2
    return name_the_axes_and_transpose(weights / 2, patch_size)


# ================================================================================================ answers worked out by hand

PROOFS = (
    PATCHES,
    FILTERS,
    worked_out(
        "L8.1",
        {
            "counted in two dimensions": [9, 31, 36, 14],
            "the first pixel forgotten, and the square": named("first-pixel-forgotten", [3, 30, 36, 49]),
            "three weights a layer": [3, 31, 12, 14],
            "biases counted": [3, 31, 40, 14],
            "receptive field as an area": [3, 961, 36, 14],
            "size with padding": [7, 31, 36, 14],
        },
    ),
    worked_out(
        "L8.2",
        {
            "a patch counted in pixels": [196, 256, 590_592, 38_416],
            "fourteen patches, pairs right": named("one-row-of-patches", [14, 768, 590_592, 38_416]),
            "patches of one strip": named("one-side-only", [14, 768, 590_592, 196]),
            "class token counted": [197, 768, 590_592, 38_809],
            "one bias for all": [196, 768, 589_825, 38_416],
            "parameters for every patch": [196, 768, 196 * 590_592, 38_416],
        },
    ),
    worked_out(
        "L8.3",
        {
            "all both": named("same-attention-everywhere", [3, 3, 3, 3, 3, 3]),
            "(b) both": [1, 3, 3, 2, 2, 1],
            "(f) attention": [1, 2, 3, 2, 2, 2],
            "all attention": [2, 2, 2, 2, 2, 2],
            "five answers": [1, 2, 3, 2, 2],
        },
    ),
    worked_out(
        "L8.4",
        {
            "accuracy": [1, 96_400, 8.178],
            "percent": named("percent-not-images", [2, 96.4, 8.178]),
            "one decimal": named("one-decimal", [2, 96_400, 8.2]),
            "the page's four billion, doubled": [2, 96_400, 8],
            "in FLOPs, not billions": named("not-in-billions", [2, 96_400, 8_178_000_000]),
            "all images": [2, 100_000, 8.178],
        },
    ),
    worked_out(
        "L8.5",
        {
            "corners only": [20, 4, 4, 9],
            "middle forgotten, and three lines": named("a-line-missed", [20, 3, 4, 9]),
            "all eight lines": named("all-lines", [25, 8, 4, 9]),
            "as many lines as inputs": named("inputs-not-lines", [25, 4, 4, 5]),
            "size kept": [25, 4, 7, 9],
            "one arrow a weight and output, twice": [25, 4, 4, 6],
        },
    ),
    worked_out(
        "L8.6",
        {
            "one bias for all": [27_001, 3_154_176, 6_644, 102_764_544],
            "maps of 223": [28_000, 64 * 223 * 223, 6_644, 102_764_544],
            "a decimal fraction of a unit": [28_000, 3_154_176, 6_643.28, 102_764_544],
            "one map into VGG's layer": [28_000, 3_154_176, 6_644, 49 * 4096 + 4096],
            "in millions": [0.028, 3.15, 6_644, 102.76],
        },
    ),
    worked_out(
        "L8.7",
        {
            "all ones": named("takes-invariance", [1, 1, 1, 1, 1]),
            "two slips": named("takes-invariance", [1, 3, 1, 3, 1]),
            "(a) without any rule": [3, 3, 1, 3, 2],
            "(b) not convolved": [2, 2, 1, 3, 2],
            "(d) not even without a bias": [2, 3, 1, 2, 2],
            "(e) syntax": [2, 3, 1, 3, 3],
        },
    ),
)
