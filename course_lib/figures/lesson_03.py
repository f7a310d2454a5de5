"""Figures of lesson 3: kernels as numbers, maps with a sign, arrows along which brightness rises."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter

from ..convolution import conv2d
from ..kernels import CLASSIC_KERNELS
from .drawing import BLUE, CELL, INK, MARK_EDGE, QUIET, SIGNED, Picture, draw_grid, in_words, tick, written


def _whole(kernel):
    """A kernel as whole numbers and what they are divided by, where 16 or less does it."""
    for divisor in range(1, 17):
        if np.allclose(kernel * divisor, np.round(kernel * divisor)):
            return np.round(kernel * divisor), divisor
    return kernel, 1


def show_kernels(kernels, columns=4, title="Eight classic kernels"):
    """Show kernels as numbers, numbered from 1.

    Parameters
    ----------
    kernels : mapping of str to (kH, kW)
        Name to kernel.
    columns : int
        How many stand side by side.
    title : str
        Over all of them.
    """
    rows = -(-len(kernels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * 2.5, rows * 2.1 + 0.3), squeeze=False, layout="constrained")
    words = []
    for ax in axes.ravel():
        ax.axis("off")
    for number, (ax, (name, kernel)) in enumerate(zip(axes.ravel(), kernels.items(), strict=False), 1):
        whole, divisor = _whole(np.asarray(kernel))
        draw_grid(ax, np.vectorize(written)(whole))
        height, width = whole.shape
        ax.set(xlim=(-0.3, width + 0.3), ylim=(height + 0.3, -0.3), aspect="equal")
        scale = f", divided by {divisor}" if divisor > 1 else ""
        ax.set_title(f"{number} · {name}{scale}", size=10, color=INK)
        words.append(f"{number} {name}: {in_words(whole)}" + (f", all divided by {divisor}" if divisor > 1 else ""))
    figure.suptitle(title, size=12)
    return Picture(figure, f"{title}. {'. '.join(words)}.")


def show_signed_maps(maps, titles, title, columns=3, words=None):
    """Show feature maps, each on a scale of its own: gray where nothing is negative, else centered on zero.

    Parameters
    ----------
    maps : sequence of (H, W)
    titles : sequence of str
        One for each.
    title : str
        Over all of them.
    columns : int
        How many stand side by side.
    words : sequence of str, optional
        What each shows, for the text alternative; its range is told in any case.
    """
    rows = -(-len(maps) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.75 * columns, 2.45 * rows + 0.5), squeeze=False, layout="constrained")
    for ax in axes.ravel():
        ax.axis("off")
    told = []
    for ax, values, name, seen in zip(axes.ravel(), maps, titles, words or [""] * len(maps), strict=False):
        values = np.asarray(values)
        bound = float(np.abs(values).max()) or 1.0
        negative = values.min() < -1e-9
        scale = {"cmap": SIGNED, "vmin": -bound, "vmax": bound} if negative else {"cmap": "gray", "vmin": 0, "vmax": bound}
        shown = ax.imshow(values, interpolation="nearest", **scale)
        bar = figure.colorbar(shown, ax=ax, shrink=0.85, format=FuncFormatter(tick))
        bar.ax.tick_params(labelsize=8, labelcolor=QUIET, length=2)
        ax.set_title(name, size=10, color=INK)
        told.append(f"{name}: {seen + ', ' if seen else ''}from {written(values.min())} to {written(values.max())}")
    figure.suptitle(title, size=12)
    scales = "Gray scales start at 0; on the others dark is negative and light positive."
    return Picture(figure, f"{_sentence(title)} {scales} {'. '.join(told)}.")


def _sentence(title):
    """A title as a sentence of its own."""
    return title if title.endswith(("?", ".")) else f"{title}."


_MIXED = (  # kernels as exercise L3.3 has them, and their maps in words
    ("Edge (Laplacian)", "fine lines, light just inside the border of each stroke and dark just outside; 0 within wide strokes"),
    ("Sobel Vertical", "light on the left sides of strokes, dark on their right sides, nothing along their upper and lower sides"),
    ("Box Blur", "a soft copy of the digit, nothing negative"),
    ("Emboss", "strokes light, most of all on their upper left sides, and dark on their lower right sides"),
    ("Sobel Horizontal", "light on the upper sides of strokes, dark on their lower sides, nothing along their left and right sides"),
    ("Sharpen", "strokes light all through, lightest along their border, with a fine dark line around them"),
)


def show_mixed_maps(image):
    """Show an image and six maps of it, A to F, that do not say which of the classic kernels made them.

    Parameters
    ----------
    image : (H, W)
        Zeros are added around it.
    """
    maps = [conv2d(image[None], CLASSIC_KERNELS[name][None, None], padding=1)[0] for name, _ in _MIXED]
    titles = ["the digit", *(f"map {letter}" for letter in "ABCDEF")]
    words = ["white on black", *(seen for _, seen in _MIXED)]
    return show_signed_maps([image, *maps], titles, "Which kernel made which map?", 4, words)


def show_row_and_slope(row, kernel, title):
    """Show brightness along a row of pixels, and below it what a kernel makes of it.

    Parameters
    ----------
    row : (W,)
        Brightness.
    kernel : (k,)
        Of odd length. The row's ends are repeated.
    title : str
        Over both.
    """
    row, kernel = np.asarray(row, dtype=float), np.asarray(kernel, dtype=float)
    slope = np.correlate(np.pad(row, len(kernel) // 2, mode="edge"), kernel, mode="valid")
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(8.2, 4.2), sharex=True, layout="constrained")
    pixels = np.arange(len(row))
    top.bar(pixels, row, width=1, color=BLUE, edgecolor="white", linewidth=0.5)
    top.set_ylabel("brightness")
    bottom.bar(pixels, slope, width=1, color=np.where(slope < 0, INK, MARK_EDGE), edgecolor="white", linewidth=0.5)
    bottom.axhline(0, color=INK, linewidth=0.8)
    bottom.set(xlabel="column", ylabel="answer of the kernel")
    figure.suptitle(title, size=12)
    peaks = f"largest {written(slope.max())} at column {slope.argmax()}, smallest {written(slope.min())} at column {slope.argmin()}"
    return Picture(figure, f"{title}. Bars of brightness, and below them the kernel's answer: {peaks}, 0 where brightness does not change.")


def show_arrows(image, strength, angles, weakest=0.5, title=""):
    """Show an image with an arrow at each edge pixel, as long as the edge is strong.

    Parameters
    ----------
    image, strength : (H, W)
        The arrows' lengths are shares of the largest strength.
    angles : mapping of str to (H, W)
        One panel each: degrees, 0 to the right and 90 downwards.
    weakest : float
        Share of the largest strength below which no arrow is drawn.
    title : str
        Over all of them.
    """
    rows, columns = np.nonzero(strength >= weakest * strength.max())
    length = strength[rows, columns] / strength.max()
    figure, axes = plt.subplots(1, len(angles), figsize=(4.6 * len(angles), 4.9), squeeze=False, layout="constrained")
    words = []
    for ax, (name, angle) in zip(axes[0], angles.items(), strict=True):
        turned = np.radians(angle[rows, columns])
        high = float(np.max(image)) or 1.0
        ax.imshow(image, cmap="gray", vmin=-2 * high, vmax=high, interpolation="nearest")  # pale, so that arrows stand out
        ax.quiver(
            columns, rows, length * np.cos(turned), length * np.sin(turned),
            angles="xy", scale_units="xy", scale=0.55, color=MARK_EDGE, width=0.006, headwidth=4,
        )  # fmt: skip
        ax.set(xticks=[0, image.shape[1] - 1], yticks=[0, image.shape[0] - 1])
        ax.tick_params(labelsize=8, labelcolor=QUIET, length=2)
        ax.set_title(name, size=11, color=INK)
        inwards = _share_uphill(image, rows, columns, turned)
        words.append(f"{name}: {inwards:.0f} % of the arrows point to a brighter pixel")
    if title:
        figure.suptitle(title, size=12)
    return Picture(figure, f"{_sentence(title or 'Edge directions')} {len(rows)} arrows. {'; '.join(words)}.")


def _share_uphill(image, rows, columns, turned):
    """Percentage of arrows whose head lies on a brighter pixel than their opposite end."""
    ahead, behind = (
        image[
            np.clip(np.round(rows + step * np.sin(turned)).astype(int), 0, image.shape[0] - 1),
            np.clip(np.round(columns + step * np.cos(turned)).astype(int), 0, image.shape[1] - 1),
        ]
        for step in (1, -1)
    )
    return 100 * float(np.mean(ahead > behind))


def show_rows_of_maps(rows, row_titles, column_titles, title, width=1.0):
    """Show several rows of small gray images, each row on one scale, with labels at the left that stay visible.

    Parameters
    ----------
    rows : sequence of sequences of (H, W)
    row_titles, column_titles : sequence of str
    title : str
        Over all of them.
    width : float
        Of one image, in inches.
    """
    count, (high, wide) = len(column_titles), np.shape(rows[0][0])
    size = width * count + 0.4, 1.1 * width * high / wide * len(rows) + 0.5
    figure, axes = plt.subplots(len(rows), count, figsize=size, squeeze=False, layout="constrained")
    for line, images, name in zip(axes, rows, row_titles, strict=True):
        brightest = max(float(np.max(image)) for image in images)
        for ax, image in zip(line, images, strict=True):
            ax.imshow(image, cmap="gray", vmin=0, vmax=brightest, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        line[0].set_ylabel(name, size=11)
    for ax, name in zip(axes[0], column_titles, strict=True):
        ax.set_title(name, size=11)
    figure.suptitle(title, size=12)
    return Picture(figure, f"{title}. Rows: {', '.join(row_titles)}. Columns: {', '.join(column_titles)}.")


def show_split(column, row):
    """Show a column times a row as the kernel that they make.

    Parameters
    ----------
    column, row : (kH,) and (kW,)
    """
    column, row = np.asarray(column, dtype=float), np.asarray(row, dtype=float)
    kernel = np.outer(column, row)
    height, width = kernel.shape
    figure, ax = plt.subplots(figsize=((width * 2 + 6) * CELL, (height + 1.4) * CELL))
    draw_grid(ax, np.vectorize(written)(column[:, None]), "column")
    ax.text(1.6, height / 2, "\N{MULTIPLICATION SIGN}", ha="center", va="center", size=15)
    draw_grid(ax, np.vectorize(written)(row[None]), "row", left=2.2, top=(height - 1) / 2)
    ax.text(2.2 + width + 0.6, height / 2, "=", ha="center", va="center", size=15)
    draw_grid(ax, np.vectorize(written)(kernel), "kernel", left=3.4 + width)
    ax.set(xlim=(-0.3, 3.7 + 2 * width), ylim=(height + 0.3, -1.2), aspect="equal")
    ax.axis("off")
    alt = f"The column {in_words(column[None])} times the row {in_words(row[None])} makes the kernel {in_words(kernel)}."
    ax.set_title("Each entry: its row's number times its column's number", size=11)
    return Picture(figure, alt)
