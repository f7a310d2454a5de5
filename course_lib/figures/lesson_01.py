"""Figures of lesson 1: windows, padding, stride, shared weights, feature maps."""

import string

import matplotlib.pyplot as plt
import numpy as np

from ..arithmetic import output_size
from ..convolution import conv2d
from .drawing import (
    CELL,
    INK,
    LINE,
    MARK_EDGE,
    MARK_FILL,
    QUIET,
    SIGNED,
    WEIGHT_STYLES,
    Picture,
    as_matrix,
    draw_image,
    draw_matrix,
    in_words,
    lay_out,
    moved_by,
    sized,
    tick,
    written,
)


def show_window(image, kernel, at=(0, 0), padding=0, stride=1):
    """One output value worked out: the image with the window framed, the kernel, the products and their sum.

    Parameters
    ----------
    image : array_like, (H, W)
    kernel : array_like, (kH, kW)
    at : (int, int)
        Which output value: its row and column in the *output*.
    padding : int
        Zeros around the image, drawn hatched.
    stride : int
        Step of the window.

    Raises
    ------
    ValueError
        When the kernel does not fit, or there is no such output value.
    """
    image, kernel = as_matrix("image", image, float), as_matrix("kernel", kernel, float)
    size = tuple(output_size(n, k, padding, stride) for n, k in zip(image.shape, kernel.shape, strict=True))
    if not all(0 <= place < n for place, n in zip(at, size, strict=True)):
        raise ValueError(f"at={tuple(at)} is outside the output, which has {size[0]} rows and {size[1]} columns (numbered from 0)")
    padded = np.pad(image, padding)
    place = tuple(slice(a * stride, a * stride + k) for a, k in zip(at, kernel.shape, strict=True))
    mark, faint = np.zeros(padded.shape, bool), np.pad(np.zeros(image.shape, bool), padding, constant_values=True)
    mark[place] = True
    window = padded[place]
    products = window * kernel
    terms = [f"{written(p)}\N{MIDDLE DOT}{_factor(w)}" for p, w in zip(window.ravel(), kernel.ravel(), strict=True)]
    result = f"output[{at[0]}, {at[1]}]"
    foot = f"{' + '.join(terms) if len(terms) <= 9 else 'sum of the products'} = {written(products.sum())}"
    titles = [f"image {sized(image.shape)}, window framed", f"kernel {sized(kernel.shape)}", "products,\nentry by entry"]
    figure, axes = lay_out(
        [padded.shape, kernel.shape, products.shape],
        titles,
        ("\N{MULTIPLICATION SIGN}", "="),
        f"{result} = {written(products.sum())}",
        foot,
    )
    draw_matrix(axes[0], padded, mark, faint, border=padding)
    draw_matrix(axes[1], kernel, ticks=False)
    draw_matrix(axes[2], products, ticks=False)
    alt = (
        f"How {result} comes about. The {sized(image.shape)} image{f', padded with zeros by {padding}' if padding else ''}: "
        f"{in_words(padded)}. The window starts at row {at[0] * stride - padding}, column {at[1] * stride - padding}: {in_words(window)}. "
        f"The kernel: {in_words(kernel)}. The products: {in_words(products)}. They add up to {written(products.sum())}."
    )
    return Picture(figure, alt)


def _factor(value):
    return f"({written(value)})" if value < 0 else written(value)


def show_padding(image, padding=1):
    """An image with zeros around it, drawn hatched; its own rows and columns keep their numbers."""
    image = as_matrix("image", image, float)
    padded = np.pad(image, padding)
    faint = np.pad(np.zeros(image.shape, bool), padding, constant_values=True)
    title = f"{sized(image.shape)} image, padding {padding}: {sized(padded.shape)}"
    figure, axes = lay_out([padded.shape], [title])
    draw_matrix(axes[0], padded, faint=faint, border=padding)
    return Picture(figure, f"{title}. The zeros around it are hatched. Rows: {in_words(padded)}.")


def window_counts(height, width, kernel, padding=0, stride=1):
    """How many windows see each pixel: an array of int, (height, width). The kernel is square."""
    padded = np.zeros((height + 2 * padding, width + 2 * padding), dtype=int)
    for i in range(output_size(height, kernel, padding, stride)):
        for j in range(output_size(width, kernel, padding, stride)):
            padded[i * stride : i * stride + kernel, j * stride : j * stride + kernel] += 1
    return padded[padding : padding + height, padding : padding + width]


def coverage_map(height, width, kernel, padding=0, stride=1):
    """For each pixel the number of windows that see it, written and shaded: the more windows, the darker."""
    counts = window_counts(height, width, kernel, padding, stride)
    options = "".join(f", {name} {value}" for name, value, plain in (("padding", padding, 0), ("stride", stride, 1)) if value != plain)
    title = f"windows that see each pixel\n{sized((height, width))} image, {sized((kernel, kernel))} kernel{options or ', no padding'}"
    figure, axes = lay_out([counts.shape], [title])
    draw_matrix(axes[0], counts, tint=counts / counts.max())
    return Picture(figure, f"{title.replace(chr(10), ', ')}. Rows: {in_words(counts)}.")


def show_flatten(shape, pixels):
    """An image whose cells hold their flat index, and the vector it becomes, with some pixels framed in both.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    pixels : sequence of (int, int)
        The (row, column) of the pixels to frame.
    """
    rows, columns = shape
    index = np.arange(rows * columns).reshape(rows, columns)
    mark = np.zeros(shape, bool)
    for pixel in pixels:
        mark[pixel] = True
    shade = np.repeat(0.7 * np.arange(rows)[:, None] / max(rows - 1, 1), columns, axis=1)
    width, cell = max(rows * columns * CELL * 0.85, 5.0), CELL * 0.85
    height = (rows + 1) * cell + 1.9
    figure = plt.figure(figsize=(width + 0.8, height))
    top = figure.add_axes([0.5 - columns * cell / 2 / (width + 0.8), (height - 0.75 - rows * cell) / height,
                           columns * cell / (width + 0.8), rows * cell / height])  # fmt: skip
    draw_matrix(top, index, mark, tint=shade)
    top.set_ylabel("row", fontsize=9, color=QUIET)
    line = figure.add_axes([0.4 / (width + 0.8), 0.35 / height, rows * columns * cell / (width + 0.8), cell / height])
    draw_matrix(line, index.reshape(1, -1), mark.reshape(1, -1), tint=shade.reshape(1, -1), ticks=False)
    names = f"the {sized(shape)} image, each cell with its flat index"
    figure.text(0.5, 1 - 0.05 / height, names, ha="center", va="top", fontsize=10, color=INK)
    figure.text(0.5, (0.5 + cell) / height, "the same after flattening: one row after the other", ha="center", fontsize=10, color=INK)
    places = ", ".join(f"pixel ({r}, {c}) at index {index[r, c]}" for r, c in pixels)
    return Picture(figure, f"A {sized(shape)} image flattened row by row into {rows * columns} numbers. Framed: {places}.")


def show_stride_positions(size, kernel, stride=1, padding=0):
    """Every place of a window along one axis, one line for each; pixels that no window reaches are crossed out.

    Parameters
    ----------
    size, kernel, stride, padding : int
        As in `course_lib.output_size`.
    """
    count = output_size(size, kernel, padding, stride)
    reached = (count - 1) * stride + kernel
    cell = CELL
    width, height = (size + 2 * padding) * cell + 2.2, (count + 1) * cell * 0.8 + 0.8
    figure, ax = plt.subplots(figsize=(width, height))
    for x in range(size + 2 * padding):
        zero, unseen = not padding <= x < padding + size, x >= reached
        ax.add_patch(
            plt.Rectangle((x, 0), 1, 0.9, facecolor="#f0f1f3" if zero else "white", edgecolor=LINE, hatch="////" if zero else None)
        )
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if zero else None
        ax.text(x + 0.5, 0.45, "0" if zero else str(x - padding), ha="center", va="center", fontsize=9, color=QUIET, bbox=box)
        if unseen:
            ax.plot([x + 0.1, x + 0.9, np.nan, x + 0.1, x + 0.9], [0.08, 0.82, np.nan, 0.82, 0.08], color=INK, linewidth=1.2)
    for number in range(count):
        y = number + 1.15
        ax.add_patch(plt.Rectangle((number * stride, y), kernel, 0.7, facecolor=MARK_FILL, edgecolor=MARK_EDGE, linewidth=1.6))
        ax.text(size + 2 * padding + 0.3, y + 0.35, f"output {number}", va="center", fontsize=9, color=INK)
    ax.text(size + 2 * padding + 0.3, 0.45, "pixels", va="center", fontsize=9, color=QUIET)
    ax.set(xlim=(-0.1, size + 2 * padding + 3.2), ylim=(count + 1.1, -0.1))
    ax.axis("off")
    title = f"{size} pixels, kernel {kernel}, padding {padding}, stride {stride}: {count} window{'s' if count > 1 else ''}"
    ax.set_title(title, fontsize=10, color=INK, loc="left")
    starts = ", ".join(str(number * stride - padding) for number in range(count))
    left = size + 2 * padding - reached
    return Picture(
        figure, f"{title}, starting at {starts}. {f'The last {left} cells are in no window.' if left else 'They reach the end.'}"
    )


def show_shared_weights(inputs=5, kernel=3):
    """A fully connected layer beside a convolution along one axis, every connection drawn; equal weights look alike."""
    outputs = output_size(inputs, kernel)
    if kernel > len(WEIGHT_STYLES):
        raise ValueError(f"only kernels of up to {len(WEIGHT_STYLES)} weights can be drawn so that they are told apart, got {kernel}")
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    offset = (inputs - outputs) / 2
    dense, shared = inputs * outputs, kernel * outputs
    for ax, full in zip(axes, (True, False), strict=True):
        for o in range(outputs):
            for i in range(inputs):
                if full:
                    ax.plot([0, 1], [i, o + offset], color=LINE, linewidth=1, zorder=1)
                elif 0 <= i - o < kernel:
                    color, dashes = WEIGHT_STYLES[i - o]
                    name = f"weight {i - o}" if o == 0 else None
                    ax.plot([0, 1], [i, o + offset], color=color, linestyle=dashes, linewidth=2, zorder=1, label=name)
        for x, count, shift, name in ((0, inputs, 0, "in"), (1, outputs, offset, "out")):
            for n in range(count):
                ax.scatter(x, n + shift, s=620, facecolor="white", edgecolor=INK, zorder=2)
                ax.text(x, n + shift, f"{name}{n}", ha="center", va="center", fontsize=9, color=INK, zorder=3)
        ax.set(xlim=(-0.15, 1.15), ylim=(inputs - 0.4, -0.6))
        ax.axis("off")
    axes[0].set_title(f"fully connected:\n{dense} connections, {dense} weights", fontsize=10, color=INK)
    axes[1].set_title(f"convolution, kernel {kernel}:\n{shared} connections, {kernel} weights", fontsize=10, color=INK)
    axes[1].legend(loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=kernel, frameon=False, fontsize=9, handlelength=3)
    alt = (
        f"Left, a fully connected layer from {inputs} inputs to {outputs} outputs: every input meets every output, {dense} connections "
        f"with {dense} different weights. Right, a convolution with a kernel of {kernel}: output o meets inputs o to o+{kernel - 1} only, "
        f"{shared} connections, and the same {kernel} weights serve every output."
    )
    return Picture(figure, alt)


def show_weight_matrix(kernel_shape, image_shape):
    """The matrix that does what a convolution does: one row for each output, one column for each pixel, weights named a, b, c, ...

    Parameters
    ----------
    kernel_shape, image_shape : (int, int)
        No padding, stride 1; at most 26 weights.
    """
    names = np.array(list(string.ascii_lowercase[: kernel_shape[0] * kernel_shape[1]])).reshape(kernel_shape)
    size = [output_size(n, k) for n, k in zip(image_shape, kernel_shape, strict=True)]
    outputs, pixels = size[0] * size[1], image_shape[0] * image_shape[1]
    matrix, kind = np.full((outputs, pixels), "", dtype=object), np.zeros((outputs, pixels))
    for row, (i, j) in enumerate(np.ndindex(*size)):
        for m, n in np.ndindex(*kernel_shape):
            column = (i + m) * image_shape[1] + j + n
            matrix[row, column] = str(names[m, n])
            kind[row, column] = (m + 1) / kernel_shape[0]
    used = int((kind > 0).sum())
    title = (
        f"{outputs}\N{MULTIPLICATION SIGN}{pixels} matrix: {used} of {matrix.size} entries hold a weight, {names.size} different weights"
    )
    figure, axes = lay_out([kernel_shape, matrix.shape], ["kernel", title])
    shade = np.repeat((np.arange(kernel_shape[0])[:, None] + 1) / kernel_shape[0], kernel_shape[1], axis=1)
    draw_matrix(axes[0], names.astype(object), tint=shade, ticks=False)
    draw_matrix(axes[1], matrix, tint=kind)
    axes[1].set_ylabel("output", fontsize=9, color=QUIET)
    axes[1].text(pixels / 2 - 0.5, outputs - 0.3, "pixel, by its flat index", ha="center", va="top", fontsize=9, color=QUIET)
    for column in range(image_shape[1], pixels, image_shape[1]):  # a heavier line where the next row of the image begins
        axes[1].plot([column - 0.5] * 2, [-0.5, outputs - 0.5], color=INK, linewidth=1.6, zorder=4)
    rows = "; ".join(" ".join(entry or "0" for entry in row) for row in matrix)
    return Picture(figure, f"A convolution of a {sized(image_shape)} image with a {sized(kernel_shape)} kernel as a {title}. Rows: {rows}.")


def _maps(image, kernels):
    stack = np.asarray(kernels, dtype=float)
    return conv2d(np.asarray(image, dtype=float)[None], stack[:, None])


def show_feature_maps(image, kernels, names):
    """An image, and under each kernel the feature map that it makes, on a signed color scale of its own, centered on zero.

    Parameters
    ----------
    image : array_like, (H, W)
    kernels : array_like, (N, kH, kW)
    names : sequence of str
        One for each kernel.
    """
    image = as_matrix("image", image, float)
    maps = _maps(image, kernels)
    figure, axes = plt.subplots(
        2, len(maps) + 1, figsize=(2.6 * (len(maps) + 1), 4.6), layout="constrained", height_ratios=[1, 2], squeeze=False
    )
    axes[0, 0].axis("off")
    draw_image(axes[1, 0], image, f"image\n{sized(image.shape)}", cmap="gray")
    for column, (kernel, name, values) in enumerate(zip(kernels, names, maps, strict=True), start=1):
        kernel, limit = as_matrix("each kernel", kernel), np.abs(values).max() or 1.0
        draw_matrix(axes[0, column], kernel, ticks=False)
        axes[0, column].set_aspect("equal")
        axes[0, column].set_title(name, fontsize=10, color=INK)
        title = f"feature map {column - 1}\n{sized(values.shape)}"
        shown = draw_image(axes[1, column], values, title, cmap=SIGNED, vmin=-limit, vmax=limit)
        bar = figure.colorbar(shown, ax=axes[1, column], orientation="horizontal", shrink=0.8, ticks=[-limit, 0, limit], format=tick)
        bar.ax.tick_params(labelsize=8, labelcolor=QUIET)
    described = ". ".join(
        f"{name}, kernel {in_words(kernel)}: map from {written(round(values.min(), 2))} to {written(round(values.max(), 2))}"
        for kernel, name, values in zip(kernels, names, maps, strict=True)
    )
    return Picture(figure, f"A {sized(image.shape)} image and its {len(maps)} feature maps, each {sized(maps[0].shape)}. {described}.")


def show_equivariance(image, kernel, shift):
    """An image and its feature map, and below them the same for the image moved by `shift` = (rows, columns); zeros move in.

    Both rows of pictures share their scales, so that the eye can compare them.
    """
    image = as_matrix("image", image, float)
    moved = moved_by(image, shift)
    maps = _maps(image, [kernel])[0], _maps(moved, [kernel])[0]
    limit = max(np.abs(maps[0]).max(), np.abs(maps[1]).max()) or 1.0
    figure, axes = plt.subplots(2, 2, figsize=(6.2, 5.6), layout="constrained")
    words = _move_in_words(shift)
    for row, (picture, values, name) in enumerate(zip((image, moved), maps, ("image", f"moved {words}"), strict=True)):
        draw_image(axes[row, 0], picture, name, cmap="gray", vmin=image.min(), vmax=image.max())
        shown = draw_image(axes[row, 1], values, f"feature map of the {'moved ' if row else ''}image", cmap=SIGNED, vmin=-limit, vmax=limit)
    figure.colorbar(shown, ax=axes[:, 1], shrink=0.7).set_label("value (0 is gray)", fontsize=9, color=INK)
    same = np.allclose(moved_by(maps[0], shift), maps[1])
    alt = (
        f"Top, a {sized(image.shape)} image and its feature map. Bottom, the image moved {words}, and its feature map, which "
        f"is {'the upper one moved by the same amount' if same else 'not everywhere the upper one moved by the same amount'}."
    )
    return Picture(figure, alt)


def _move_in_words(shift):
    (down, right) = shift
    return f"{abs(down)} {'down' if down >= 0 else 'up'}, {abs(right)} {'right' if right >= 0 else 'left'}"
