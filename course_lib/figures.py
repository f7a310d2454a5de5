"""Figures of the lessons: what is worth looking at rather than reading. Each function returns a `Picture`."""

import base64
import html
import io
import string

import matplotlib.pyplot as plt
import numpy as np

from .arithmetic import output_size
from .convolution import conv2d


class Picture:
    """A finished matplotlib figure with a text alternative; shows itself in a notebook as an image with that text.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        It is closed here, so that the notebook does not show it a second time.
    alt : str
        What the picture shows, for somebody who cannot see it.
    """

    def __init__(self, figure, alt):
        self.figure, self.alt = figure, alt
        plt.close(figure)

    def __repr__(self):
        return f"Figure: {self.alt}"

    def png(self, dpi=160):
        """The picture as PNG bytes."""
        stream = io.BytesIO()
        self.figure.savefig(stream, format="png", dpi=dpi, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        return stream.getvalue()

    def _repr_html_(self):
        data = base64.b64encode(self.png()).decode()
        alt = html.escape(self.alt, quote=True)
        width = round(self.figure.get_figwidth() * 96)
        return f'<img alt="{alt}" style="max-width:100%;width:{width}px" src="data:image/png;base64,{data}">'


# ---------------------------------------------------------------------------------------------------- style

CELL = 0.42  # inches: one cell of a drawn matrix
INK, QUIET, LINE = "#1f2328", "#57606a", "#8c959f"
MARK_FILL, MARK_EDGE = "#ffd8a8", "#b35900"  # as on the cards of `check`: a marked cell has a fill, a frame and bold type
WEIGHT_STYLES = (("#0072b2", "-"), ("#b35900", "--"), ("#1f2328", ":"))  # told apart by dashes as well as by color
SIGNED = "cividis"  # dark is negative, gray is zero, light is positive: the order survives grayscale and color-blindness


def _written(value):
    """A number as it stands in a cell: integers without a point, others to two decimals, a real minus sign."""
    value = round(float(value), 2) + 0.0  # + 0.0 turns a negative zero into zero
    text = f"{value:.0f}" if value == round(value) else f"{value:.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _rows(array):
    """A matrix in words, for a text alternative."""
    return "; ".join(" ".join(map(_text, row)) for row in np.atleast_2d(array))


def _text(value):
    return value if isinstance(value, str) else _written(value)


def _matrix(name, values, dtype=None):
    matrix = np.asarray(values, dtype=dtype)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"{name} must be a matrix (rows, columns) with no side empty, got shape {matrix.shape}")
    return matrix


def _sized(shape):
    return f"{shape[0]}\N{MULTIPLICATION SIGN}{shape[1]}"


def _lay_out(shapes, titles, symbols=(), title="", foot="", cell=CELL):
    """Axes for matrices of these shapes side by side, their cells all of one size, with a symbol in each gap."""
    lines = max(text.count("\n") + 1 for text in titles)
    widths = [max(columns * cell, max(map(len, text.split("\n"))) * 0.082) for (_, columns), text in zip(shapes, titles, strict=True)]
    gap, tall = 0.75, max(rows for rows, _ in shapes) * cell
    above, below = 0.35 + 0.2 * lines + (0.4 if title else 0), 0.3 + (0.4 if foot else 0)
    width, height = sum(widths) + gap * (len(shapes) + 0.2), tall + above + below
    figure, left, axes = plt.figure(figsize=(width, height)), gap * 0.6, []
    _keep_canvas(figure)
    for number, ((rows, columns), text, slot) in enumerate(zip(shapes, titles, widths, strict=True)):
        bottom = below + (tall - rows * cell) / 2
        ax = figure.add_axes([(left + (slot - columns * cell) / 2) / width, bottom / height, columns * cell / width, rows * cell / height])
        figure.text(
            (left + slot / 2) / width, (bottom + rows * cell + 0.3) / height, text, ha="center", va="bottom", fontsize=10, color=INK
        )
        axes.append(ax)
        left += slot + gap
        if number < len(symbols):
            middle = (left - gap / 2) / width, (below + tall / 2) / height
            figure.text(*middle, symbols[number], ha="center", va="center", fontsize=15, color=INK)
    if title:
        figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", fontsize=12, fontweight="bold", color=INK)
    if foot:
        figure.text(0.5, 0.12 / height, foot, ha="center", va="bottom", fontsize=10, color=INK)
    return figure, axes


def _keep_canvas(figure):
    """Let nothing of the figure be cropped, so that cells come out at the same size in all figures."""
    figure.add_artist(plt.Rectangle((0, 0), 1, 1, facecolor="none", edgecolor="none"))


def _draw(ax, array, mark=None, faint=None, tint=None, ticks=True, border=0):
    """A matrix as a grid of written cells.

    `mark` and `faint` are masks: framed cells, and hatched cells such as padding. `tint` gives each cell a lightness from 0 (white)
    to 1. `border` cells on each side do not count in the row and column numbers.
    """
    rows, columns = array.shape
    for i in range(rows):
        for j in range(columns):
            value, hatched = array[i, j], faint is not None and faint[i][j]
            shade = 1 - 0.45 * float(tint[i][j]) if tint is not None else 1.0
            face = "#f0f1f3" if hatched else (shade, shade, shade)
            ax.add_patch(
                plt.Rectangle(
                    (j - 0.5, i - 0.5), 1, 1, facecolor=face, edgecolor=LINE, linewidth=0.8, hatch="////" if hatched else None, zorder=1
                )
            )
            marked = mask_at(mark, i, j)
            if marked:
                ax.add_patch(plt.Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=MARK_FILL, edgecolor=MARK_EDGE, linewidth=1.8, zorder=2))
            text = _text(value)
            ax.text(
                j, i, text, ha="center", va="center", fontsize=11 if len(text) < 4 else 9, color=INK, zorder=3,
                fontweight="bold" if marked else "normal",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8} if hatched and not marked else None,
            )  # fmt: skip
    ax.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.45, -0.55))
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0, labelsize=8, labelcolor=QUIET, top=False, labeltop=True, bottom=False, labelbottom=False, pad=1)
    if ticks:
        ax.set_xticks(range(border, columns - border), range(columns - 2 * border))
        ax.set_yticks(range(border, rows - border), range(rows - 2 * border))
    else:
        ax.set(xticks=[], yticks=[])


def mask_at(mask, i, j):
    """Is this cell under the mask? No mask, no cell."""
    return mask is not None and bool(mask[i][j])


# ---------------------------------------------------------------------------------------------------- matrices


def show_grids(arrays, titles, mark=None, symbols=(), title="", foot=""):
    """Matrices side by side, with their numbers written in the cells.

    Parameters
    ----------
    arrays : sequence of (rows, columns)
        Numbers, or short texts.
    titles : sequence of str
        One above each.
    mark : sequence of (mask or None), optional
        For each matrix, the cells to frame.
    symbols : sequence of str
        Between neighbors, such as ``"="``.
    title, foot : str
        Above and below everything.
    """
    arrays = [_matrix("each array", array) for array in arrays]
    figure, axes = _lay_out([array.shape for array in arrays], titles, symbols, title, foot)
    masks = mark if mark is not None else [None] * len(arrays)
    for ax, array, mask in zip(axes, arrays, masks, strict=True):
        _draw(ax, array, mask)
    described = [f"{name.replace(chr(10), ' ')}: {_rows(array)}" for name, array in zip(titles, arrays, strict=True)]
    return Picture(figure, ". ".join([*([title] if title else []), *described, *([foot] if foot else [])]))


def show_grid(array, mark=None, title=""):
    """One matrix with its numbers (or short texts) written in the cells, row and column numbers beside it, and framed cells."""
    return show_grids([array], [title], [mark])


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
    image, kernel = _matrix("image", image, float), _matrix("kernel", kernel, float)
    size = tuple(output_size(n, k, padding, stride) for n, k in zip(image.shape, kernel.shape, strict=True))
    if not all(0 <= place < n for place, n in zip(at, size, strict=True)):
        raise ValueError(f"at={tuple(at)} is outside the output, which has {size[0]} rows and {size[1]} columns (numbered from 0)")
    padded = np.pad(image, padding)
    place = tuple(slice(a * stride, a * stride + k) for a, k in zip(at, kernel.shape, strict=True))
    mark, faint = np.zeros(padded.shape, bool), np.pad(np.zeros(image.shape, bool), padding, constant_values=True)
    mark[place] = True
    window = padded[place]
    products = window * kernel
    terms = [f"{_written(p)}\N{MIDDLE DOT}{_factor(w)}" for p, w in zip(window.ravel(), kernel.ravel(), strict=True)]
    result = f"output[{at[0]}, {at[1]}]"
    foot = f"{' + '.join(terms) if len(terms) <= 9 else 'sum of the products'} = {_written(products.sum())}"
    titles = [f"image {_sized(image.shape)}, window framed", f"kernel {_sized(kernel.shape)}", "products,\nentry by entry"]
    figure, axes = _lay_out(
        [padded.shape, kernel.shape, products.shape],
        titles,
        ("\N{MULTIPLICATION SIGN}", "="),
        f"{result} = {_written(products.sum())}",
        foot,
    )
    _draw(axes[0], padded, mark, faint, border=padding)
    _draw(axes[1], kernel, ticks=False)
    _draw(axes[2], products, ticks=False)
    alt = (
        f"How {result} comes about. The {_sized(image.shape)} image{f', padded with zeros by {padding}' if padding else ''}: "
        f"{_rows(padded)}. The window starts at row {at[0] * stride - padding}, column {at[1] * stride - padding}: {_rows(window)}. "
        f"The kernel: {_rows(kernel)}. The products: {_rows(products)}. They add up to {_written(products.sum())}."
    )
    return Picture(figure, alt)


def _factor(value):
    return f"({_written(value)})" if value < 0 else _written(value)


def show_padding(image, padding=1):
    """An image with zeros around it, drawn hatched; its own rows and columns keep their numbers."""
    image = _matrix("image", image, float)
    padded = np.pad(image, padding)
    faint = np.pad(np.zeros(image.shape, bool), padding, constant_values=True)
    title = f"{_sized(image.shape)} image, padding {padding}: {_sized(padded.shape)}"
    figure, axes = _lay_out([padded.shape], [title])
    _draw(axes[0], padded, faint=faint, border=padding)
    return Picture(figure, f"{title}. The zeros around it are hatched. Rows: {_rows(padded)}.")


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
    title = f"windows that see each pixel\n{_sized((height, width))} image, {_sized((kernel, kernel))} kernel{options or ', no padding'}"
    figure, axes = _lay_out([counts.shape], [title])
    _draw(axes[0], counts, tint=counts / counts.max())
    return Picture(figure, f"{title.replace(chr(10), ', ')}. Rows: {_rows(counts)}.")


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
    _draw(top, index, mark, tint=shade)
    top.set_ylabel("row", fontsize=9, color=QUIET)
    line = figure.add_axes([0.4 / (width + 0.8), 0.35 / height, rows * columns * cell / (width + 0.8), cell / height])
    _draw(line, index.reshape(1, -1), mark.reshape(1, -1), tint=shade.reshape(1, -1), ticks=False)
    names = f"the {_sized(shape)} image, each cell with its flat index"
    figure.text(0.5, 1 - 0.05 / height, names, ha="center", va="top", fontsize=10, color=INK)
    figure.text(0.5, (0.5 + cell) / height, "the same after flattening: one row after the other", ha="center", fontsize=10, color=INK)
    places = ", ".join(f"pixel ({r}, {c}) at index {index[r, c]}" for r, c in pixels)
    return Picture(figure, f"A {_sized(shape)} image flattened row by row into {rows * columns} numbers. Framed: {places}.")


# ---------------------------------------------------------------------------------------------------- windows along one axis


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


# ---------------------------------------------------------------------------------------------------- the layer


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
    figure, axes = _lay_out([kernel_shape, matrix.shape], ["kernel", title])
    shade = np.repeat((np.arange(kernel_shape[0])[:, None] + 1) / kernel_shape[0], kernel_shape[1], axis=1)
    _draw(axes[0], names.astype(object), tint=shade, ticks=False)
    _draw(axes[1], matrix, tint=kind)
    axes[1].set_ylabel("output", fontsize=9, color=QUIET)
    axes[1].text(pixels / 2 - 0.5, outputs - 0.3, "pixel, by its flat index", ha="center", va="top", fontsize=9, color=QUIET)
    for column in range(image_shape[1], pixels, image_shape[1]):  # a heavier line where the next row of the image begins
        axes[1].plot([column - 0.5] * 2, [-0.5, outputs - 0.5], color=INK, linewidth=1.6, zorder=4)
    rows = "; ".join(" ".join(entry or "0" for entry in row) for row in matrix)
    return Picture(
        figure, f"A convolution of a {_sized(image_shape)} image with a {_sized(kernel_shape)} kernel as a {title}. Rows: {rows}."
    )


# ---------------------------------------------------------------------------------------------------- images


def _show_image(ax, image, title, **options):
    shown = ax.imshow(image, interpolation="nearest", **options)
    ax.set_title(title, fontsize=10, color=INK)
    rows, columns = image.shape
    ax.set(xticks=[0, columns - 1], yticks=[0, rows - 1])
    ax.tick_params(labelsize=8, labelcolor=QUIET, length=2)
    return shown


def show_images(images, titles, alt):
    """Gray images side by side, all on one scale, with their first and last row and column numbered.

    Parameters
    ----------
    images : sequence of (H, W)
    titles : sequence of str
    alt : str
        What they show, for somebody who cannot see them.
    """
    images = [_matrix("each image", image) for image in images]
    low, high = min(image.min() for image in images), max(image.max() for image in images)
    figure, axes = plt.subplots(1, len(images), figsize=(2.6 * len(images), 2.9), squeeze=False, layout="constrained")
    for ax, image, title in zip(axes[0], images, titles, strict=True):
        _show_image(ax, image, title, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
    return Picture(figure, alt)


def _tick(value, _position):
    return _written(value)


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
    image = _matrix("image", image, float)
    maps = _maps(image, kernels)
    figure, axes = plt.subplots(
        2, len(maps) + 1, figsize=(2.6 * (len(maps) + 1), 4.6), layout="constrained", height_ratios=[1, 2], squeeze=False
    )
    axes[0, 0].axis("off")
    _show_image(axes[1, 0], image, f"image\n{_sized(image.shape)}", cmap="gray")
    for column, (kernel, name, values) in enumerate(zip(kernels, names, maps, strict=True), start=1):
        kernel, limit = _matrix("each kernel", kernel), np.abs(values).max() or 1.0
        _draw(axes[0, column], kernel, ticks=False)
        axes[0, column].set_aspect("equal")
        axes[0, column].set_title(name, fontsize=10, color=INK)
        title = f"feature map {column - 1}\n{_sized(values.shape)}"
        shown = _show_image(axes[1, column], values, title, cmap=SIGNED, vmin=-limit, vmax=limit)
        bar = figure.colorbar(shown, ax=axes[1, column], orientation="horizontal", shrink=0.8, ticks=[-limit, 0, limit], format=_tick)
        bar.ax.tick_params(labelsize=8, labelcolor=QUIET)
    described = ". ".join(
        f"{name}, kernel {_rows(kernel)}: map from {_written(round(values.min(), 2))} to {_written(round(values.max(), 2))}"
        for kernel, name, values in zip(kernels, names, maps, strict=True)
    )
    return Picture(figure, f"A {_sized(image.shape)} image and its {len(maps)} feature maps, each {_sized(maps[0].shape)}. {described}.")


def show_equivariance(image, kernel, shift):
    """An image and its feature map, and below them the same for the image moved by `shift` = (rows, columns); zeros move in.

    Both rows of pictures share their scales, so that the eye can compare them.
    """
    image = _matrix("image", image, float)
    moved = moved_by(image, shift)
    maps = _maps(image, [kernel])[0], _maps(moved, [kernel])[0]
    limit = max(np.abs(maps[0]).max(), np.abs(maps[1]).max()) or 1.0
    figure, axes = plt.subplots(2, 2, figsize=(6.2, 5.6), layout="constrained")
    words = _move_in_words(shift)
    for row, (picture, values, name) in enumerate(zip((image, moved), maps, ("image", f"moved {words}"), strict=True)):
        _show_image(axes[row, 0], picture, name, cmap="gray", vmin=image.min(), vmax=image.max())
        shown = _show_image(
            axes[row, 1], values, f"feature map of the {'moved ' if row else ''}image", cmap=SIGNED, vmin=-limit, vmax=limit
        )
    figure.colorbar(shown, ax=axes[:, 1], shrink=0.7).set_label("value (0 is gray)", fontsize=9, color=INK)
    same = np.allclose(moved_by(maps[0], shift), maps[1])
    alt = (
        f"Top, a {_sized(image.shape)} image and its feature map. Bottom, the image moved {words}, and its feature map, which "
        f"is {'the upper one moved by the same amount' if same else 'not everywhere the upper one moved by the same amount'}."
    )
    return Picture(figure, alt)


def _move_in_words(shift):
    (down, right) = shift
    return f"{abs(down)} {'down' if down >= 0 else 'up'}, {abs(right)} {'right' if right >= 0 else 'left'}"


def moved_by(image, shift):
    """An image moved by whole pixels (down, right); what leaves is lost and zeros move in."""
    moved = np.zeros_like(image)
    (down, right), (rows, columns) = shift, image.shape
    target = slice(max(down, 0), rows + min(down, 0)), slice(max(right, 0), columns + min(right, 0))
    origin = slice(max(-down, 0), rows + min(-down, 0)), slice(max(-right, 0), columns + min(-right, 0))
    moved[target] = image[origin]
    return moved


# ---------------------------------------------------------------------------------------------------- Lesson 2

_BLUE, _ORANGE, _PALE, _INK, _SOFT = "#2f5f9e", "#b35900", "#ffd8a8", "#1f2328", "#8c959f"
_TONES = ("#dbe7f6", "#ffe8cc", "#e3f1df")  # fills of channels 0, 1, 2: told apart by their labels too


def _number(value):
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"


def _grid(ax, values, title="", mark=None, left=0.0, top=0.0, fill="white", size=11):
    """Draw a small matrix as cells with its numbers, marked cells in orange and bold; (left, top) is its corner in cells."""
    values = np.asarray(values)
    for (i, j), value in np.ndenumerate(values):
        marked = mark is not None and mark[i][j]
        cell = plt.Rectangle((left + j, top + i), 1, 1, facecolor=_PALE if marked else fill, edgecolor=_ORANGE if marked else _SOFT)
        cell.set(linewidth=2 if marked else 1, zorder=2 if marked else 1)
        ax.add_patch(cell)
        text = value if isinstance(value, str) else _number(value)
        ax.text(left + j + 0.5, top + i + 0.5, text, ha="center", va="center", size=size, weight="bold" if marked else "normal", zorder=3)
    if title:
        ax.text(left + values.shape[1] / 2, top - 0.3, title, ha="center", va="bottom", size=11)


def _bare(ax, width, height, margin=0.2):
    """An axis in cells, row 0 on top, without ticks."""
    ax.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin), aspect="equal")
    ax.axis("off")


def _covered(shape, corner, size, dilation=1):
    mask = np.zeros(shape, dtype=bool)
    mask[np.ix_(corner[0] + dilation * np.arange(size[0]), corner[1] + dilation * np.arange(size[1]))] = True
    return mask


def show_window_starts(*rows):
    """Where windows lie along one axis.

    Parameters
    ----------
    *rows : tuple of int
        One panel each: (size, kernel, stride, dilation).
    """
    figure, axes = plt.subplots(1, len(rows), figsize=(3.6 * len(rows), 2.9), squeeze=False)
    words = []
    for ax, (size, kernel, stride, dilation) in zip(axes[0], rows, strict=True):
        span = dilation * (kernel - 1) + 1
        starts = range(0, size - span + 1, stride)
        reached = starts[-1] + span
        unused = [n for n in range(size) if n >= reached]
        _grid(ax, [[str(n) for n in range(size)]])
        for n in unused:
            ax.add_patch(plt.Rectangle((n, 0), 1, 1, facecolor="none", edgecolor=_SOFT, hatch="///"))
        for number, start in enumerate(starts):
            y = 1.75 + 0.9 * number
            ax.plot([start + 0.1, start + span - 0.1], [y, y], color=_BLUE, linewidth=2)
            for tap in range(kernel):
                ax.add_patch(plt.Rectangle((start + tap * dilation + 0.2, y - 0.3), 0.6, 0.6, color=_BLUE))
        options = f"kernel {kernel}" + (f", stride {stride}" if stride > 1 else "") + (f", dilation {dilation}" if dilation > 1 else "")
        note = f", pixel {unused[0]} unused" if unused else ""
        ax.set_title(f"{size} pixels, {options}:\n{len(starts)} windows{note}", size=11)
        _bare(ax, max(size for size, *_ in rows), 6)
        words.append(f"{size} pixels, {options}: windows start at {', '.join(map(str, starts))}{note}")
    figure.tight_layout()
    return Picture(figure, "Windows along one axis, each drawn as a bar under the pixels it covers. " + ". ".join(words) + ".")


def show_maps(images, titles, title="", signed=False, limit=None, value_label="value", columns=None):
    """Show images or feature maps side by side, on one common color scale.

    Parameters
    ----------
    images : sequence of ndarray, (H, W) or (H, W, 3)
        Color images are shown as they are.
    titles : sequence of str
        One for each.
    title : str
        Over all of them.
    signed : bool or sequence of bool
        True for values with a sign: a diverging scale centred on zero, blue below and red above. One for all, or one for each.
    limit : float, optional
        Largest absolute value of the signed scale; by default each map's own.
    value_label : str
        What the numbers are, beside the color bars.
    """
    count = len(images)
    columns = columns or count
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.3 * columns, 3.3 * rows + 0.3), squeeze=False, layout="constrained")
    signs = [signed] * count if isinstance(signed, bool) else list(signed)
    for ax in axes.ravel()[count:]:
        ax.axis("off")
    for ax, image, name, has_sign in zip(axes.ravel(), images, titles, signs, strict=False):
        ax.set_title(name, size=11)
        ax.set(xticks=[], yticks=[])
        if np.ndim(image) == 3:
            ax.imshow(image)
            continue
        bound = limit or float(np.abs(image).max()) or 1.0
        scale = {"cmap": "RdBu_r", "vmin": -bound, "vmax": bound} if has_sign else {"cmap": "gray"}
        shown = ax.imshow(image, interpolation="nearest", **scale)
        figure.colorbar(shown, ax=ax, shrink=0.75, label=value_label if ax is axes.ravel()[count - 1] else "")
    if title:
        figure.suptitle(title, size=12)
    return Picture(figure, f"{title or 'Images'}, side by side: {'; '.join(name.replace(chr(10), ' ') for name in titles)}.")


def show_padding_modes(row, width, modes):
    """Show one row of pixels, padded in each of NumPy's modes.

    Parameters
    ----------
    row : sequence of int
        The pixels.
    width : int
        How many are added on each side.
    modes : mapping of str to str
        From the label shown to the mode of `numpy.pad`.
    """
    figure, ax = plt.subplots(figsize=(8.5, 0.75 * len(modes) + 0.9))
    size = len(row) + 2 * width
    added = np.array([[n < width or n >= size - width for n in range(size)]])
    for number, (label, mode) in enumerate(modes.items()):
        top = 1.35 * number
        _grid(ax, [np.pad(row, width, mode=mode)], mark=added, top=top)
        ax.text(-0.3, top + 0.5, label, ha="right", va="center", size=11)
    ax.set_title(f"The row {' '.join(map(str, row))}, padded by {width} on each side (added pixels framed)", size=12)
    _bare(ax, size, 1.35 * len(modes) - 0.35)
    ax.set_xlim(-5.2, size + 0.2)
    words = [f"{label}: {' '.join(map(str, np.pad(row, width, mode=mode)))}" for label, mode in modes.items()]
    return Picture(figure, f"The row {' '.join(map(str, row))} padded by {width} on each side. {'; '.join(words)}.")


def show_stride(height, width, kernel, stride):
    """Show where a square window starts on an image when it moves in steps, and which pixels it never covers."""
    figure, ax = plt.subplots(figsize=(5.4, 4.6))
    downs, acrosses = (range(0, n - kernel + 1, stride) for n in (height, width))
    used = np.zeros((height, width), dtype=bool)
    for row in downs:
        for column in acrosses:
            used[row : row + kernel, column : column + kernel] = True
    for (i, j), covered in np.ndenumerate(used):
        ax.add_patch(plt.Rectangle((j, i), 1, 1, facecolor="white", edgecolor=_SOFT, hatch=None if covered else "///"))
    for row in downs:
        for column in acrosses:
            inset = 0.1
            frame = plt.Rectangle((column + inset, row + inset), kernel - 2 * inset, kernel - 2 * inset)
            frame.set(facecolor="none", edgecolor=_BLUE, linewidth=2)
            ax.add_patch(frame)
            ax.plot(column + 0.5, row + 0.5, "o", color=_ORANGE, markersize=11)
    _bare(ax, width, height)
    ax.axis("on")
    ax.set(xticks=np.arange(width) + 0.5, yticks=np.arange(height) + 0.5, xlabel="column", ylabel="row")
    ax.set_xticklabels(range(width))
    ax.set_yticklabels(range(height))
    ax.tick_params(length=0)
    ax.set_title(
        f"{height}x{width} image, {kernel}x{kernel} window, stride {stride}:\nwindows start at the dots; hatched pixels are in no window",
        size=11,
    )
    alt = (
        f"A grid of {height} rows and {width} columns. {kernel}x{kernel} windows start in rows {', '.join(map(str, downs))} "
        f"and columns {', '.join(map(str, acrosses))}; {int((~used).sum())} pixels are in no window."
    )
    return Picture(figure, alt)


def _box(ax, x, y, width, height, layers, fill, label=""):
    """A stack of `layers` sheets, drawn slantwise from back to front; returns the front sheet's corner."""
    for layer in reversed(range(layers)):
        corner = (x + 0.32 * layer, y - 0.32 * layer)
        tone = fill[layer % len(fill)] if isinstance(fill, tuple) else fill
        ax.add_patch(plt.Rectangle(corner, width, height, facecolor=tone, edgecolor=_INK, linewidth=1.2))
    ax.text(x + (width + 0.32 * (layers - 1)) / 2, y + height + 0.25, label, ha="center", va="top", size=11)
    return x, y


def show_filter_boxes(channels=3, filters=2):
    """Show that a filter is a box as deep as the image, and that each filter gives one feature map.

    Parameters
    ----------
    channels, filters : int
        Channels of the image, and number of filters.
    """
    figure, ax = plt.subplots(figsize=(9.6, 2.1 * filters + 1.6))
    total = 3.6 * filters
    middle = total / 2 - 2.5
    _box(ax, 0, middle, 4, 4, channels, _TONES, f"image\n({channels}, H, W)")
    for layer in reversed(range(channels)):  # the window, through all sheets
        ax.add_patch(
            plt.Rectangle((0.5 + 0.32 * layer, middle + 0.6 - 0.32 * layer), 1.2, 1.2, facecolor=_PALE, edgecolor=_ORANGE, linewidth=2)
        )
    for number in range(filters):
        y = 3.6 * number + 0.6
        _box(ax, 8.2, y, 1.2, 1.2, channels, _TONES, f"filter {number}\n({channels}, kH, kW)")
        ax.annotate("", (7.8, y + 0.5), (5.0, middle + 1.6), arrowprops={"arrowstyle": "->", "color": _SOFT})
        step = f"multiply, add all\n{channels} x kH x kW products,\nadd bias b[{number}]"
        ax.text(12.8, y - 0.1, step, ha="center", va="center", size=10)
        ax.annotate("", (15.2, y + 1.2), (10.4, y + 1.2), arrowprops={"arrowstyle": "->", "color": _INK})
        _box(ax, 15.6, y - 0.5, 2.6, 2.2, 1, "white", f"feature map {number}")
        ax.add_patch(plt.Rectangle((15.9, y - 0.2), 0.4, 0.4, facecolor=_PALE, edgecolor=_ORANGE, linewidth=2))
    _bare(ax, 18.6, total + 0.4, margin=0.4)
    ax.set_ylim(max(total, middle + 5.6) + 0.2, -0.9)
    ax.set_title("A filter is a box: as deep as the image. One filter, one feature map.", size=12)
    alt = (
        f"An image drawn as {channels} sheets one behind the other, with a window that goes through all of them. {filters} filters, each a "
        f"box of {channels} small sheets, are laid into the window; each gives one number, a cell of its own flat feature map."
    )
    return Picture(figure, alt)


def show_channel_sum(window, kernel, bias):
    """Show one output value of a filter with several channels, with its numbers.

    Parameters
    ----------
    window, kernel : array_like, (C, kH, kW)
        What lies under the filter, and the filter.
    bias : float
        Added at the end.
    """
    window, kernel = np.asarray(window), np.asarray(kernel)
    channels, height, width = window.shape
    figure, ax = plt.subplots(figsize=(8.6, 0.62 * channels * (height + 1.4) + 0.4))
    sums = (window * kernel).sum(axis=(1, 2))
    for c in range(channels):
        top, middle = c * (height + 1.4), c * (height + 1.4) + height / 2
        tone = _TONES[c % len(_TONES)]
        _grid(ax, window[c], f"window, channel {c}", top=top, fill=tone)
        _grid(ax, kernel[c], f"filter, channel {c}", left=width + 3, top=top, fill=tone)
        _grid(ax, window[c] * kernel[c], "products", left=2 * width + 6, top=top, fill=tone)
        for x, sign in ((width + 1.5, "×"), (2 * width + 4.5, "=")):
            ax.text(x, middle, sign, ha="center", va="center", size=16)
        ax.text(3 * width + 6.8, middle, f"sum {_number(sums[c])}", va="center", size=12)
    bottom = channels * (height + 1.4) - 0.5
    parts = " + ".join(_number(s) if s >= 0 else f"({_number(s)})" for s in sums)
    total = f"{parts} + bias {_number(bias)} = {_number(sums.sum() + bias)}"
    ax.text(1.5 * width + 4, bottom + 0.2, f"one output value:  {total}", ha="center", va="center", size=13, weight="bold")
    _bare(ax, 3 * width + 10, bottom + 0.4)
    ax.set_ylim(bottom + 0.8, -1.2)
    ax.set_title("All channels of one window add up to one number", size=12)
    return Picture(figure, f"{channels} channels of a window times the filter's channels, each summed: {total}.")


def show_dilation(kernel, dilations, size):
    """Show which pixels a square kernel touches at several dilations, its top left tap on pixel (0, 0)."""
    figure, axes = plt.subplots(1, len(dilations), figsize=(3.3 * len(dilations), 3.7))
    for ax, dilation in zip(axes, dilations, strict=True):
        mask = _covered((size, size), (0, 0), (kernel, kernel), dilation)
        _grid(ax, np.full((size, size), ""), mark=mask)
        for row, column in np.argwhere(mask):
            ax.plot(column + 0.5, row + 0.5, "o", color=_ORANGE)
        span = np.flatnonzero(mask.any(axis=0))[-1] + 1
        frame = plt.Rectangle((0, 0), span, span, facecolor="none", edgecolor=_BLUE, linewidth=3, zorder=4)
        ax.add_patch(frame)
        _bare(ax, size, size)
        ax.set_title(f"dilation {dilation}", size=11)
    figure.tight_layout()
    figure.suptitle(f"A {kernel}x{kernel} kernel: always {kernel**2} taps (dots), over a larger and larger area (frame)", size=12, y=1.03)
    taps = f"{kernel}x{kernel} kernel with dilation {', '.join(map(str, dilations))}"
    return Picture(figure, f"Pixels that a {taps} touches: always {kernel**2}, further and further apart.")


def show_groups(cases):
    """Show which input channels each output channel sees.

    Parameters
    ----------
    cases : sequence of tuple
        One panel each: (input channels, output channels, groups).
    """
    figure, axes = plt.subplots(1, len(cases), figsize=(3.3 * len(cases), 3.6))
    words = []
    for ax, (inputs, outputs, groups) in zip(axes, cases, strict=True):
        wires = 0
        for o in range(outputs):
            group = o // (outputs // groups)
            for c in range(group * inputs // groups, (group + 1) * inputs // groups):
                ax.plot([0.45, 2.55], [c, o], color=(_BLUE, _ORANGE)[group % 2], linestyle=("-", "--")[group % 2], linewidth=1.5)
                wires += 1
        for x, count, letter in ((0, inputs, "in"), (3, outputs, "out")):
            for n in range(count):
                ax.text(x, n, f"{letter} {n}", ha="center", va="center", size=10, bbox={"boxstyle": "round", "fc": "white", "ec": _INK})
        ax.set(xlim=(-0.7, 3.7), ylim=(max(inputs, outputs) - 0.4, -0.6))
        ax.axis("off")
        ax.set_title(f"groups={groups}" + (" (depthwise)" if groups == inputs else "") + f"\n{wires} kernels", size=11)
        words.append(f"groups={groups}: {wires} pairs of input and output channel")
    figure.suptitle("Each line is one kernel: which output channel sees which input channel", size=12)
    figure.tight_layout()
    return Picture(figure, f"Wiring of input channels to output channels. {'; '.join(words)}.")


def show_im2col(image, kernel, window):
    """Show the same window twice: on the image, and as a row of the matrix of all windows.

    Parameters
    ----------
    image, kernel : array_like, (H, W) and (kH, kW)
        What is convolved.
    window : (int, int)
        Which output value to follow.
    """
    image, kernel = np.asarray(image), np.asarray(kernel)
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    rows, columns = windows.shape[:2]
    matrix = windows.reshape(rows * columns, -1)
    output = matrix @ kernel.ravel()
    number = window[0] * columns + window[1]
    figure, ax = plt.subplots(figsize=(10.5, 4.6))
    marked_row = np.zeros(matrix.shape, dtype=bool)
    marked_row[number] = True
    marked_value = np.zeros((len(matrix), 1), dtype=bool)
    marked_value[number] = True
    marked_cell = np.zeros((rows, columns), dtype=bool)
    marked_cell[window] = True
    high = max(len(matrix), image.shape[0])
    middle = high / 2
    left = 0.0
    _grid(ax, image, "image", mark=_covered(image.shape, window, kernel.shape), left=left, top=middle - image.shape[0] / 2)
    left += image.shape[1] + 2.2
    ax.annotate("", (left - 0.4, middle), (left - 1.8, middle), arrowprops={"arrowstyle": "->", "color": _INK})
    _grid(ax, matrix, "one row for each window", mark=marked_row, left=left, top=middle - len(matrix) / 2)
    left += matrix.shape[1] + 1.3
    ax.text(left - 0.65, middle, "@", ha="center", va="center", size=15)
    _grid(ax, kernel.reshape(-1, 1), "kernel", left=left, top=middle - kernel.size / 2, fill=_TONES[0])
    left += 2.3
    ax.text(left - 0.65, middle, "=", ha="center", va="center", size=15)
    _grid(ax, output.reshape(-1, 1), "product", mark=marked_value, left=left, top=middle - len(matrix) / 2)
    left += 3.2
    ax.annotate("", (left - 0.4, middle), (left - 1.8, middle), arrowprops={"arrowstyle": "->", "color": _INK})
    _grid(ax, output.reshape(rows, columns), "feature map", mark=marked_cell, left=left, top=middle - rows / 2)
    _bare(ax, left + columns, high)
    ax.set_ylim(high + 0.3, -1.3)
    ax.set_title("im2col: the window framed on the image is the row framed in the matrix", size=12)
    alt = (
        f"A {image.shape[0]}x{image.shape[1]} image with the window at {window} framed; beside it the matrix of all {len(matrix)} windows, "
        f"where row {number} holds the same {kernel.size} numbers; the matrix times the kernel as a column gives the feature map's values."
    )
    return Picture(figure, alt)


def show_convolution_matrix(matrix, kernel):
    """Show a convolution as the matrix it is: zeros blank, other entries with the number of the kernel's weight.

    Parameters
    ----------
    matrix : ndarray, (outputs, inputs)
        The matrix of a kernel whose entries are all different and not zero.
    kernel : ndarray, (kH, kW)
        That kernel.
    """
    weights = {value: number for number, value in enumerate(np.ravel(kernel), 1)}
    figure, ax = plt.subplots(figsize=(9, 3))
    text = np.array([[f"k{weights[v]}" if v else "" for v in row] for row in matrix])
    _grid(ax, text, mark=matrix != 0, size=9)
    _bare(ax, matrix.shape[1], matrix.shape[0])
    filled = int((matrix != 0).sum())
    ax.set_title(f"One row for each output value, one column for each pixel: {filled} of {matrix.size} entries are not zero", size=12)
    return Picture(
        figure,
        f"A matrix of {matrix.shape[0]} rows and {matrix.shape[1]} columns. Each row holds the same weights, shifted; the rest is zero.",
    )


def show_times(times, baseline):
    """Show run times as bars on a logarithmic scale.

    Parameters
    ----------
    times : mapping of str to float
        Seconds for each way of computing.
    baseline : str
        Which of them the others are compared with.
    """
    figure, ax = plt.subplots(figsize=(8.6, 0.42 * len(times) + 1.3))
    names = list(times)
    milliseconds = [1000 * times[name] for name in names]
    bars = ax.barh(names, milliseconds, color=[_SOFT if name == baseline else _BLUE for name in names])
    for bar, name in zip(bars, names, strict=True):
        ratio = times[baseline] / times[name]
        text = "  1x" if name == baseline else f"  {ratio:,.0f}x" if ratio >= 10 else f"  {ratio:.1f}x"
        ax.text(bar.get_width(), bar.get_y() + bar.get_height() / 2, text, va="center", size=10)
    ax.set(xscale="log", xlabel="milliseconds, logarithmic scale (shorter is faster)")
    ax.set_xlim(min(milliseconds) / 2, max(milliseconds) * 6)
    ax.invert_yaxis()
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(f"The same layer, measured here; numbers: how many times faster than {baseline}", size=11)
    words = [f"{name} {value:.3g} ms" for name, value in zip(names, milliseconds, strict=True)]
    return Picture(figure, f"Bar chart of run times: {'; '.join(words)}.")


def show_times_by_size(sizes, times):
    """Show how run times grow with the kernel.

    Parameters
    ----------
    sizes : sequence of int
        Kernel sizes.
    times : mapping of str to sequence of float
        Seconds for each size, for each way of computing.
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.6))
    for (name, seconds), style in zip(times.items(), ("o-", "s--", "^:", "d-."), strict=False):
        ax.plot(sizes, [1000 * s for s in seconds], style, label=name)
    ax.set(xlabel="size of the kernel, in pixels across", ylabel="milliseconds, logarithmic scale", yscale="log", xticks=list(sizes))
    ax.grid(alpha=0.3)
    ax.legend()
    ax.set_title("Small kernels and large ones: who is faster?", size=12)
    words = [f"{name}: {', '.join(f'{1000 * s:.2g}' for s in seconds)} ms" for name, seconds in times.items()]
    return Picture(figure, f"Run times for kernels of {', '.join(map(str, sizes))} pixels. {'; '.join(words)}.")
