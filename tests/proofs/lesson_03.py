"""Lesson 3: wrong answers as students write them, and right ones that nobody expects. `lesson_02.py` says what the marks mean."""

import cmath
import math

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
import torch.nn.functional as F

from course_lib.checks import EXERCISES

from . import Proof, named, worked_out

FILTER, EDGES, SPLIT, GAUSSIAN = (Proof(name) for name in ("filter_image", "edge_strength_and_angle", "split_kernel", "gaussian_kernel"))

SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])

# ================================================================================================ filter_image: right ones


def padded(image, kernel, mode):
    (height, width) = np.shape(kernel)
    return np.pad(np.asarray(image, float), ((height // 2,) * 2, (width // 2,) * 2), mode=mode)


def windows_of(image, kernel, mode):
    return np.lib.stride_tricks.sliding_window_view(padded(image, kernel, mode), np.shape(kernel))


@FILTER.accepts
def einsum_over_sliding_windows(image, kernel, mode="constant"):
    return np.einsum("ijmn,mn->ij", windows_of(image, kernel, mode), kernel)


@FILTER.accepts
def tensordot_over_sliding_windows(image, kernel, mode="constant"):
    return np.tensordot(windows_of(image, kernel, mode), kernel, axes=2)


@FILTER.accepts
def scipy_signal_with_its_own_correlate(image, kernel, mode="constant"):
    return scipy.signal.correlate2d(padded(image, kernel, mode), kernel, mode="valid")


@FILTER.accepts
def scipy_ndimage_names_for_borders(image, kernel, mode="constant"):
    names = {"constant": "constant", "edge": "nearest", "reflect": "mirror", "wrap": "grid-wrap"}
    return scipy.ndimage.correlate(np.asarray(image, float), np.asarray(kernel, float), mode=names[mode])


@FILTER.accepts
def fourier_transform(image, kernel, mode="constant"):
    return scipy.signal.fftconvolve(padded(image, kernel, mode), np.asarray(kernel)[::-1, ::-1], mode="valid")


@FILTER.accepts
def torch_tensor_returned(image, kernel, mode="constant"):
    image = torch.tensor(padded(image, kernel, mode))
    return F.conv2d(image[None, None], torch.tensor(np.asarray(kernel, float))[None, None])[0, 0]


@FILTER.accepts
def im2col_and_a_matrix_product(image, kernel, mode="constant"):
    rows = windows_of(image, kernel, mode).reshape(np.size(image), -1)
    return np.asfortranarray((rows @ np.ravel(kernel)).reshape(np.shape(image)))


@FILTER.accepts
def plain_lists(image, kernel, mode="constant"):
    image, kernel = padded(image, kernel, mode).tolist(), np.asarray(kernel).tolist()
    height, width = len(kernel), len(kernel[0])
    return [
        [sum(image[i + m][j + n] * kernel[m][n] for m in range(height) for n in range(width)) for j in range(len(image[0]) - width + 1)]
        for i in range(len(image) - height + 1)
    ]


@FILTER.accepts
def shifted_images_in_float32(image, kernel, mode="constant"):
    big, (height, width) = padded(image, kernel, mode).astype(np.float32), np.shape(image)
    return sum(np.float32(weight) * big[m : m + height, n : n + width] for (m, n), weight in np.ndenumerate(kernel))


@FILTER.accepts
def by_recursion_over_rows(image, kernel, mode="constant"):
    def rows(big):
        if len(big) < len(kernel):
            return []
        line = [np.sum(big[: len(kernel), j : j + kernel.shape[1]] * kernel) for j in range(big.shape[1] - kernel.shape[1] + 1)]
        return [line, *rows(big[1:])]

    return rows(padded(image, kernel, mode))


# ================================================================================================ filter_image: wrong ones


@FILTER.rejects("flipped-kernel")
def scipy_convolve_flips(image, kernel, mode="constant"):
    return scipy.signal.convolve2d(padded(image, kernel, mode), kernel, mode="valid")


@FILTER.rejects("mode-ignored")
def scipy_same_knows_zeros_only(image, kernel, mode="constant"):
    return scipy.signal.correlate2d(np.asarray(image, float), kernel, mode="same")


@FILTER.rejects("not-padded")
def mode_handed_to_nobody(image, kernel, mode="constant"):
    return scipy.signal.correlate2d(np.asarray(image, float), kernel, mode="valid")


@FILTER.rejects("full-padding")
def scipy_full_with_pad(image, kernel, mode="constant"):
    margins = [(side - 1, side - 1) for side in kernel.shape]
    return scipy.signal.correlate2d(np.pad(image.astype(float), margins, mode=mode), kernel, mode="valid")


@FILTER.rejects()
def reflect_repeats_the_border(image, kernel, mode="constant"):
    return einsum_over_sliding_windows(image, kernel, {"reflect": "symmetric"}.get(mode, mode))


@FILTER.rejects()
def transposed_kernel(image, kernel, mode="constant"):
    return scipy.ndimage.correlate(np.asarray(image, float), np.asarray(kernel, float).T, mode="constant")


@FILTER.rejects()
def normalized_unasked(image, kernel, mode="constant"):
    return einsum_over_sliding_windows(image, kernel, mode) / (np.abs(kernel).sum() or 1)


@FILTER.rejects()
def clipped_to_pixels(image, kernel, mode="constant"):
    return np.clip(einsum_over_sliding_windows(image, kernel, mode), 0, 255)


@FILTER.rejects()
def size_of_values_only(image, kernel, mode="constant"):
    return np.abs(einsum_over_sliding_windows(image, kernel, mode))


@FILTER.rejects()
def stored_as_bytes(image, kernel, mode="constant"):
    return einsum_over_sliding_windows(image, kernel, mode).astype(np.int64).astype(np.uint8)


@FILTER.rejects()
def stretched_from_zero_to_one(image, kernel, mode="constant"):
    values = einsum_over_sliding_windows(image, kernel, mode)
    return (values - values.min()) / (np.ptp(values) or 1)


@FILTER.rejects("no-return")
def shown_and_not_returned(image, kernel, mode="constant"):
    print(einsum_over_sliding_windows(image, kernel, mode))


@FILTER.rejects()
def mean_of_products(image, kernel, mode="constant"):
    return (windows_of(image, kernel, mode) * kernel).mean(axis=(2, 3))


@FILTER.rejects()
def three_by_three_margins_cut_off(image, kernel, mode="constant"):
    big = np.pad(np.asarray(image, float), kernel.shape[0], mode="constant")
    return scipy.signal.correlate2d(big, kernel, mode="same")[1:-1, 1:-1]


# ================================================================================================ strength and angle: right ones


def slopes(image, mode="nearest"):
    image = np.asarray(image, float)
    return scipy.ndimage.correlate(image, SOBEL, mode=mode), scipy.ndimage.correlate(image, SOBEL.T, mode=mode)


@EDGES.accepts
def complex_numbers(image):
    right, down = slopes(image)
    arrow = right + 1j * down
    return np.abs(arrow), np.angle(arrow, deg=True)


@EDGES.accepts
def a_list_of_two_lists(image):
    right, down = slopes(image)
    return [np.hypot(right, down).tolist(), np.degrees(np.arctan2(down, right)).tolist()]


@EDGES.accepts
def angles_from_0_to_360(image):
    right, down = slopes(image)
    return np.sqrt(right**2 + down**2), np.degrees(np.arctan2(down, right)) % 360


@EDGES.accepts
def scipy_sobel(image):
    image = np.asarray(image, float)
    right, down = (scipy.ndimage.sobel(image, axis, mode="nearest") for axis in (1, 0))
    return np.hypot(right, down), np.rad2deg(np.arctan2(down, right))


@EDGES.accepts
def two_passes(image):
    image = np.pad(np.asarray(image, float), 1, mode="edge")
    across, down = image[:, 2:] - image[:, :-2], image[2:] - image[:-2]
    right = across[:-2] + 2 * across[1:-1] + across[2:]
    below = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    return np.hypot(right, below), np.degrees(np.arctan2(below, right))


@EDGES.accepts
def torch_tensors(image):
    image = torch.tensor(np.asarray(image, np.float32))[None, None]
    kernels = torch.tensor(np.stack([SOBEL, SOBEL.T]), dtype=torch.float32)[:, None]
    right, down = F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernels)[0]
    return torch.hypot(right, down), torch.rad2deg(torch.atan2(down, right))


@EDGES.accepts
def fourier_with_its_rounding(image):
    big = np.pad(np.asarray(image, float), 1, mode="edge")
    right, down = (scipy.signal.fftconvolve(big, kernel[::-1, ::-1], mode="valid") for kernel in (SOBEL, SOBEL.T))
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.accepts
def nan_nowhere_pixel_by_pixel(image):
    strength, angle = np.zeros(np.shape(image), order="F"), np.zeros(np.shape(image), order="F")
    for (i, j), right in np.ndenumerate(slopes(image)[0]):
        length, turn = cmath.polar(complex(right, slopes(image)[1][i, j]))
        strength[i, j], angle[i, j] = length, math.degrees(turn)
    return strength, angle


@EDGES.accepts
def another_angle_where_there_is_no_edge(image):
    right, down = slopes(image)
    strength = np.hypot(right, down)
    return strength, np.where(strength > 0, np.degrees(np.arctan2(down, right)), -45)


@EDGES.accepts
def stacked_in_one_array_and_unpacked(image):
    right, down = slopes(image)
    return tuple(np.stack([np.hypot(right, down), np.degrees(np.arctan2(down, right))]))


# ================================================================================================ strength and angle: wrong ones


@EDGES.rejects("as-published")
def names_taken_for_directions(image):
    down, right = slopes(image)
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects("border-of-zeros")
def scipy_constant_border(image):
    right, down = slopes(image, mode="constant")
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects("mirrored-border")
def scipy_mirror(image):
    right, down = slopes(image, mode="mirror")
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects("towards-the-dark")
def scipy_convolve_turns_both_kernels(image):
    image = np.asarray(image, float)
    right, down = (scipy.ndimage.convolve(image, kernel, mode="nearest") for kernel in (SOBEL, SOBEL.T))
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects()
def only_the_strength(image):
    return np.hypot(*slopes(image))


@EDGES.rejects()
def numpy_gradient(image):
    down, right = np.gradient(np.asarray(image, float))
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects("no-return")
def printed(image):
    print(np.hypot(*slopes(image)))


@EDGES.rejects()
def angle_modulo_180(image):
    right, down = slopes(image)
    return np.hypot(right, down), np.degrees(np.arctan2(down, right)) % 180


@EDGES.rejects()
def slopes_instead_of_strength_and_angle(image):
    return slopes(image)


@EDGES.rejects()
def scharr_weights(image):
    kernel = np.array([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]])
    right, down = (scipy.ndimage.correlate(np.asarray(image, float), k, mode="nearest") for k in (kernel, kernel.T))
    return np.hypot(right, down), np.degrees(np.arctan2(down, right))


@EDGES.rejects()
def degrees_taken_twice(image):
    right, down = slopes(image)
    return np.hypot(right, down), np.degrees(np.degrees(np.arctan2(down, right)))


@EDGES.rejects()
def strength_as_mean(image):
    right, down = slopes(image)
    return np.sqrt((right**2 + down**2) / 2), np.degrees(np.arctan2(down, right))


@EDGES.rejects()
def weak_edges_dropped(image):
    right, down = slopes(image)
    strength = np.hypot(right, down)
    return np.where(strength < 0.5 * strength.max(), 0, strength), np.degrees(np.arctan2(down, right))


@EDGES.rejects()
def strength_up_to_one(image):
    right, down = slopes(image)
    strength = np.hypot(right, down)
    return strength / (strength.max() or 1), np.degrees(np.arctan2(down, right))


# ================================================================================================ split_kernel: right ones


def pivot(kernel):
    return np.unravel_index(np.abs(kernel).argmax(), kernel.shape)


@SPLIT.accepts
def singular_values(kernel):
    u, s, v = np.linalg.svd(kernel)
    return u[:, 0] * s[0], v[0]


@SPLIT.accepts
def singular_values_shared_fairly(kernel):
    u, s, v = np.linalg.svd(kernel)
    return u[:, 0] * np.sqrt(s[0]), np.sqrt(s[0]) * v[0]


@SPLIT.accepts
def column_kept_and_row_divided(kernel):
    i, j = pivot(kernel)
    return kernel[:, j], kernel[i] / kernel[i, j]


@SPLIT.accepts
def as_matrices(kernel):
    i, j = pivot(kernel)
    return kernel[:, j : j + 1] / kernel[i, j], kernel[i : i + 1]


@SPLIT.accepts
def first_entry_that_is_not_zero(kernel):
    i, j = np.argwhere(kernel != 0)[0]
    return list(kernel[:, j] / kernel[i, j]), kernel[i].tolist()


@SPLIT.accepts
def last_row_that_is_not_zero_by_projection(kernel):
    row = kernel[np.any(kernel, axis=1)][-1]
    return kernel @ row / (row @ row), row


@SPLIT.accepts
def torch_svd(kernel):
    u, s, v = torch.linalg.svd(torch.tensor(kernel, dtype=torch.float64))
    return u[:, 0] * s[0], v[0]


@SPLIT.accepts
def float32_least_squares(kernel):
    row = kernel[np.abs(kernel).sum(axis=1).argmax()]
    column = np.linalg.lstsq(row[:, None], kernel.T, rcond=None)[0][0]
    return column.astype(np.float32), row.astype(np.float32)


@SPLIT.accepts
def power_iteration(kernel):
    row = kernel[pivot(kernel)[0]].astype(float)
    for _ in range(3):
        row = kernel.T @ (kernel @ row)
        row /= np.linalg.norm(row)
    return kernel @ row, row


@SPLIT.accepts
def eigenvector_of_the_products(kernel):
    row = np.linalg.eigh(kernel.T @ kernel)[1][:, -1]
    return np.dot(kernel, row), row


# ================================================================================================ split_kernel: wrong ones


@SPLIT.rejects("other-way-round")
def row_first(kernel):
    i, j = pivot(kernel)
    return kernel[i], kernel[:, j] / kernel[i, j]


@SPLIT.rejects("not-divided")
def both_lines_as_they_are(kernel):
    i, j = pivot(kernel)
    return kernel[:, j].tolist(), kernel[i].tolist()


@SPLIT.rejects("through-the-corner")
def division_by_the_corner(kernel):
    return kernel[:, 0], kernel[0] / kernel[0, 0]


@SPLIT.rejects()
def means_of_rows_and_columns(kernel):
    return kernel.mean(axis=1), kernel.mean(axis=0)


@SPLIT.rejects()
def sums_of_rows_and_columns(kernel):
    return kernel.sum(axis=1), kernel.sum(axis=0)


@SPLIT.rejects("sign-lost")
def sums_of_sizes(kernel):
    return np.abs(kernel).sum(axis=1), np.abs(kernel).sum(axis=0) / np.abs(kernel).sum()


@SPLIT.rejects()
def last_row_and_column(kernel):
    return kernel[:, -1] / kernel[-1, -1], kernel[-1]


@SPLIT.rejects()
def diagonal_and_ones(kernel):
    return np.diag(kernel), np.ones(kernel.shape[1])


@SPLIT.rejects()
def largest_of_each(kernel):
    return kernel.max(axis=1), kernel.max(axis=0) / kernel.max()


@SPLIT.rejects()
def whole_kernel_twice(kernel):
    return kernel, kernel


@SPLIT.rejects()
def only_the_row(kernel):
    return kernel[pivot(kernel)[0]]


@SPLIT.rejects("no-return")
def nothing_returned(kernel):
    i, j = pivot(kernel)
    kernel[:, j] / kernel[i, j], kernel[i]


@SPLIT.rejects("changes-argument")
def kernel_divided_in_place(kernel):
    i, j = pivot(kernel)
    row = kernel[i].copy()
    kernel /= kernel[i, j]
    return kernel[:, j], row


@SPLIT.rejects()
def singular_value_twice(kernel):
    u, s, v = np.linalg.svd(kernel)
    return u[:, 0] * s[0], v[0] * s[0]


# ================================================================================================ gaussian_kernel: right ones


def distances(size):
    return np.arange(size) - size // 2


@GAUSSIAN.accepts
def two_dimensional_at_once(size, sigma):
    y, x = np.mgrid[:size, :size] - size // 2
    kernel = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return kernel / kernel.sum()


@GAUSSIAN.accepts
def with_the_factor_of_the_density(size, sigma):
    density = np.exp(-(distances(size) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    kernel = density[:, None] @ density[None]
    return kernel / kernel.sum()


@GAUSSIAN.accepts
def scipy_window(size, sigma):
    bell = scipy.signal.windows.gaussian(size, sigma)
    return np.outer(bell, bell) / bell.sum() ** 2


@GAUSSIAN.accepts
def a_blurred_point(size, sigma):
    point = np.zeros((size, size))
    point[size // 2, size // 2] = 1
    kernel = scipy.ndimage.gaussian_filter(point, sigma, radius=size // 2, mode="constant")
    return kernel / kernel.sum()


@GAUSSIAN.accepts
def softmax_of_the_exponents(size, sigma):
    line = torch.softmax(-(torch.tensor(distances(size), dtype=torch.float64) ** 2) / (2 * sigma**2), dim=0)
    return line[:, None] * line


@GAUSSIAN.accepts
def plain_lists_of_floats(size, sigma):
    middle = size // 2
    kernel = [[math.exp(-((i - middle) ** 2 + (j - middle) ** 2) / (2 * sigma**2)) for j in range(size)] for i in range(size)]
    total = sum(map(sum, kernel))
    return [[value / total for value in row] for row in kernel]


@GAUSSIAN.accepts
def float32_by_einsum(size, sigma):
    bell = np.exp(-0.5 * (distances(size) / sigma) ** 2).astype(np.float32)
    return np.einsum("i,j->ij", bell, bell) / bell.sum() ** 2


@GAUSSIAN.accepts
def powers_of_one_number(size, sigma):
    kernel = np.power.outer(np.exp(-1 / (2 * sigma**2)), np.add.outer(distances(size) ** 2, distances(size) ** 2))
    return np.asfortranarray(kernel / kernel.sum())


@GAUSSIAN.accepts
def linspace_and_meshgrid(size, sigma):
    line = np.linspace(-(size - 1) / 2, (size - 1) / 2, size)
    x, y = np.meshgrid(line, line)
    kernel = np.exp(-(np.hypot(x, y) ** 2) / (2 * sigma**2))
    return kernel / np.sum(kernel)


# ================================================================================================ gaussian_kernel: wrong ones


@GAUSSIAN.rejects("peak-one")
def not_divided_by_the_sum(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / (2 * sigma**2))
    return np.outer(bell, bell)


@GAUSSIAN.rejects("sigma-not-squared")
def sigma_taken_for_the_variance(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / (2 * sigma))
    return np.outer(bell, bell) / bell.sum() ** 2


@GAUSSIAN.rejects()
def sign_forgotten(size, sigma):
    bell = np.exp(distances(size) ** 2 / (2 * sigma**2))
    return np.outer(bell, bell) / bell.sum() ** 2


@GAUSSIAN.rejects()
def normalized_by_the_sum_of_one_line(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / (2 * sigma**2))
    return np.outer(bell, bell) / bell.sum()


@GAUSSIAN.rejects()
def added_instead_of_multiplied(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / (2 * sigma**2))
    kernel = bell[:, None] + bell
    return kernel / kernel.sum()


@GAUSSIAN.rejects()
def dot_product(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / (2 * sigma**2))
    return bell @ bell


@GAUSSIAN.rejects()
def range_without_its_end(size, sigma):
    bell = np.exp(-(np.arange(-(size // 2), size // 2) ** 2) / (2 * sigma**2))
    return np.outer(bell, bell) / (bell.sum() ** 2 or 1)


@GAUSSIAN.rejects()
def random_numbers(size, sigma):
    kernel = np.abs(np.random.default_rng(0).normal(0, sigma, (size, size)))
    return kernel / kernel.sum()


@GAUSSIAN.rejects()
def always_the_classic_one(size, sigma):
    return np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


@GAUSSIAN.rejects()
def binomial_weights(size, sigma):
    line = np.array([math.comb(size - 1, n) for n in range(size)]) / 2 ** (size - 1)
    return np.outer(line, line)


@GAUSSIAN.rejects()
def always_sigma_one(size, sigma):
    bell = np.exp(-(distances(size) ** 2) / 2)
    return np.outer(bell, bell) / bell.sum() ** 2


@GAUSSIAN.rejects("no-return")
def bell_printed(size, sigma):
    print(np.exp(-(distances(size) ** 2) / (2 * sigma**2)))


# ================================================================================================ designs

EYE = np.eye(5)

MOVE = Proof(
    "L3.7",
    wrong={
        "the other way": named("moved-the-other-way", [[0, 0, 0], [0, 0, 1], [0, 0, 0]]),
        "down": named("other-axis", [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
        "up": named("other-axis", [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
        "the identity": named("nothing-moves", [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        "down and right": [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
        "half and half": [[0, 0, 0], [0.5, 0.5, 0], [0, 0, 0]],
        "difference": [[0, 0, 0], [1, -1, 0], [0, 0, 0]],
        "twice as bright": [[0, 0, 0], [2, 0, 0], [0, 0, 0]],
        "whole column": [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
        "nothing": np.zeros((3, 3)),
        "one row only": [1, 0, 0],
    },
    right={
        "plain Python": [[0, 0, 0], [1, 0, 0], [0, 0, 0]],
        "array": np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 0]]),
        "torch tensor": torch.tensor([[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
        "an outer product in Fortran order": np.asfortranarray(np.outer([0, 1, 0], [1, 0, 0])),
        "booleans": np.eye(3, k=-1, dtype=bool) & (np.arange(3)[:, None] == 1),
        "float32": np.float32([[0, 0, 0], [1, 0, 0], [0, 0, 0]]),
    },
)

MOTION = Proof(
    "L3.8",
    wrong={
        "not divided": named("too-bright", EYE),
        "the other diagonal": named("other-diagonal", EYE[::-1] / 5),
        "a box blur": named("blurred-all-around", np.full((5, 5), 1 / 25)),
        "along the row": named("sideways-or-upright", np.outer(EYE[2], np.ones(5)) / 5),
        "along the column": named("sideways-or-upright", np.outer(np.ones(5), EYE[2]) / 5),
        "divided by 25": EYE / 25,
        "three places only": np.diag([0, 1, 1, 1, 0]) / 3,
        "uneven": np.diag([1, 2, 3, 2, 1]) / 9,
        "one place": np.diag([0, 0, 1, 0, 0]),
        "both diagonals": (EYE + EYE[::-1]) / 10,
        "nothing": np.zeros((5, 5)),
        "three by three": np.eye(3) / 3,
    },
    right={
        "an array": EYE / 5,
        "plain Python": [[0.2 if i == j else 0 for j in range(5)] for i in range(5)],
        "torch tensor": torch.eye(5) / 5,
        "diagflat in Fortran order": np.asfortranarray(np.diagflat([0.2] * 5)),
        "float32": (EYE / 5).astype(np.float32),
        "normalized by its sum": EYE / EYE.sum(),
    },
)

DIAGONAL = Proof(
    "8.4",
    wrong={
        "the other diagonal": named("other-diagonal", [[2, 1, 0], [1, 0, -1], [0, -1, -2]]),
        "Sobel as it is": named("not-turned", SOBEL),
        "Sobel downwards, halved": named("not-turned", SOBEL.T / 2),
        "Prewitt": named("not-turned", [[1, 0, -1]] * 3),
        "one side only": named("asymmetric-only", [[0, 1, 2], [0, 0, 1], [0, 0, 0]]),
        "a diagonal line": named("line-detector", [[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]),
        "Laplacian": named("all-edges", [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
        "eight neighbors": named("all-edges", [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
        "identity matrix": np.eye(3),
        "antisymmetric but blind": [[0, 1, -2], [-1, 0, 1], [2, -1, 0]],
        "a sum of one": [[0, 1, 2], [-1, 1, 1], [-2, -1, 0]],
        "Emboss": [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]],
        "one sign wrong": [[0, 1, 2], [1, 0, 1], [-2, -1, 0]],
        "nothing": np.zeros((3, 3)),
        "two by two": [[0, 1], [-1, 0]],
    },
    right={
        "as published": [[0, 1, 2], [-1, 0, 1], [-2, -1, 0]],
        "dark side exchanged": [[0, -1, -2], [1, 0, -1], [2, 1, 0]],
        "Prewitt turned": [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]],
        "corners only": torch.tensor([[0, 0, 1], [0, 0, 0], [-1, 0, 0]]),
        "without corners": np.float32([[0, 1, 0], [-1, 0, 1], [0, -1, 0]]),
        "weighted by distance": np.array([[0, 1, math.sqrt(2)], [-1, 0, 1], [-math.sqrt(2), -1, 0]]),
        "Sobel plus its transpose": (SOBEL - SOBEL.T) / 4,
        "hundredfold": np.array([[0, 3, 10], [-3, 0, 3], [-10, -3, 0]]) * 100,
    },
)

# ================================================================================================ worked out


def changed(name, index, value):
    """The right answer with one entry changed."""
    answer = np.array(EXERCISES[name].expected, dtype=float)
    answer[index] = value
    return answer


PROOFS = (
    worked_out("L3.1", {"one slip": changed("L3.1", 7, 0), "all 1": [1] * 8, "a single number": 1, "text": ["1"] * 8}),
    worked_out(
        "L3.2", {"a slip in Emboss": changed("L3.2", (2, 1), 4), "largest only": [5, 4, 5], "Sobel as -8 to 8": [[-4, 5], [-8, 8], [-4, 5]]}
    ),
    worked_out(
        "L3.3",
        {
            "counted from zero": (np.array(EXERCISES["L3.3"].expected) - 1).tolist(),
            "Gaussian for box": changed("L3.3", 2, 3),
            "letters": list("EGBHFD"),
            "five only": [5, 7, 2, 8, 6],
        },
    ),
    FILTER,
    worked_out(
        "L3.4",
        {
            "a slip": changed("L3.4", (0, 1), -20),
            "all 0": [[0, 0]] * 3,
            "left ends only": [20, 10, 0],
            "halved": [[10, -15], [5, 5], [0, 0]],
        },
    ),
    worked_out(
        "L3.5",
        {
            "radians": named("radians", [0, 8, 8, 0, math.pi / 2]),
            "downwards is -90": named("upwards-counted", [0, 8, 8, 0, -90]),
            "squared strength": [0, 8, 64, 0, 90],
            "names trusted, in two decimals of radians": [8, 0, 8, 1.57, 0],
        },
    ),
    EDGES,
    worked_out(
        "8.3", {"the second zero": changed("8.3", 0, 21), "labels": list(range(1, 11)), "nine of them": [1, 3, 5, 7, 2, 0, 13, 15, 17]}
    ),
    worked_out("L3.6", {"a fifth": 5, "zero": 0, "two of them": [2, 3], "text": "2"}),
    MOVE,
    MOTION,
    DIAGONAL,
    worked_out("L3.9", {"Emboss too": named("emboss-looks-even", changed("L3.9", 4, 1)), "none": [0] * 7, "ranks": [1, 2, 2, 1, 3, 1, 5]}),
    SPLIT,
    GAUSSIAN,
)
