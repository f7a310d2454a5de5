"""Figures of lesson 8: gradients by hand, other ways to slide, patches, what mixes them, and famous networks compared."""

import math

import matplotlib.pyplot as plt
import numpy as np

from ..convolution import conv2d
from ..kernels import CLASSIC_KERNELS
from .drawing import BLUE, INK, LINE, MARK_EDGE, QUIET, Picture, as_matrix


def show_gradient_histograms(image, cell=16, directions=9):
    """Show what was computed of an image before features were learned: in each cell, how much edge runs in which direction.

    Parameters
    ----------
    image : (H, W)
    cell : int
        Side of a cell in pixels.
    directions : int
        How many directions are told apart in half a turn.
    """
    image = as_matrix("image", image, dtype=float)
    right, down = (conv2d(image[None], CLASSIC_KERNELS[name][None, None], padding=1)[0] for name in ("Sobel Vertical", "Sobel Horizontal"))
    strength, along = np.hypot(right, down), (np.arctan2(down, right) + np.pi / 2) % np.pi  # an edge runs across its gradient
    strength[[0, -1]], strength[:, [0, -1]] = 0, 0  # the border's edges are made by the padding
    rows, columns = image.shape[0] // cell, image.shape[1] // cell
    bins = (along / np.pi * directions).astype(int) % directions
    sums = np.zeros((rows, columns, directions))
    for i in range(rows):
        for j in range(columns):
            box = np.s_[i * cell : (i + 1) * cell, j * cell : (j + 1) * cell]
            sums[i, j] = np.bincount(bins[box].ravel(), strength[box].ravel(), directions)
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 4.9), layout="constrained")
    axes[0].imshow(image, cmap="gray")
    axes[0].set_title(f"the photograph, in cells of {cell}×{cell} pixels", fontsize=10, color=INK)
    axes[1].imshow(np.ones_like(image), cmap="gray", vmin=0, vmax=1)
    axes[1].set_title("in each cell: how much edge, in which direction", fontsize=10, color=INK)
    for at in range(cell, max(image.shape), cell):
        axes[0].axvline(at - 0.5, color="white", linewidth=0.4) if at < image.shape[1] else None
        axes[0].axhline(at - 0.5, color="white", linewidth=0.4) if at < image.shape[0] else None
    longest = np.quantile(sums.max(axis=-1), 0.9)
    for (i, j, n), amount in np.ndenumerate(sums):
        angle, half = (n + 0.5) * np.pi / directions, 0.5 * cell * min(1.0, amount / longest)
        x, y = (j + 0.5) * cell, (i + 0.5) * cell
        step = half * np.cos(angle), half * np.sin(angle)
        axes[1].plot([x - step[0], x + step[0]], [y - step[1], y + step[1]], color=INK, linewidth=1.1)
    for ax in axes:
        ax.set(xticks=[], yticks=[], xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    figure.suptitle("Features by hand: histograms of oriented gradients", fontsize=12, fontweight="bold", color=INK)
    alt = (
        f"Left the photograph, cut into {rows} by {columns} cells. Right, in each cell, {directions} strokes of different directions; "
        "each is as long as there is edge of that direction in the cell. The strokes trace the outline of the person."
    )
    return Picture(figure, alt)


# ---------------------------------------------------------------------------------------------------- other ways to slide


def show_sampling(offsets, size=9):
    """Show where the nine taps of a 3×3 kernel take their pixels: side by side, dilated, and at places of their own.

    Parameters
    ----------
    offsets : (3, 3, 2)
        How far (down, right) each tap of the third kernel is moved from its place.
    size : int
        Side of the drawn piece of the map.
    """
    offsets, middle = np.asarray(offsets, dtype=float), size // 2
    steps = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1), indexing="ij"), axis=-1)
    kinds = {
        "ordinary:\nside by side": (steps, steps),
        "dilation 2:\nspread evenly": (2 * steps, 2 * steps),
        "deformable:\neach tap moved": (steps + offsets, steps),
    }
    figure, axes = plt.subplots(1, 3, figsize=(8.4, 3.9), layout="constrained")
    for ax, (title, (places, origins)) in zip(axes, kinds.items(), strict=True):
        for row in range(size):
            for column in range(size):
                ax.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="white", edgecolor="#d0d7de", linewidth=0.8))
        ax.add_patch(plt.Rectangle((middle - 0.5, middle - 0.5), 1, 1, facecolor="#ffd8a8", edgecolor=MARK_EDGE, linewidth=1.5))
        for place, origin in zip(places.reshape(-1, 2), origins.reshape(-1, 2), strict=True):
            (y, x), (from_y, from_x) = middle + place, middle + origin
            if not np.array_equal(place, origin):
                ax.plot(from_x, from_y, "o", color="white", markeredgecolor=LINE, markersize=7)
                ax.annotate("", (x, y), (from_x, from_y), arrowprops={"arrowstyle": "->", "color": QUIET, "linewidth": 1})
            ax.plot(x, y, "o", color=BLUE, markersize=9)
        ax.set(xlim=(-0.6, size - 0.4), ylim=(size - 0.4, -0.6), aspect="equal", xticks=[], yticks=[])
        ax.set_title(title, fontsize=11, color=INK)
        for spine in ax.spines.values():
            spine.set_visible(False)
    figure.suptitle("Where the nine taps look, for the output at the framed pixel\n", fontsize=12, fontweight="bold", color=INK)
    alt = (
        "Three grids of pixels, each with the nine places that a 3×3 kernel reads. Ordinary: the pixel and its eight neighbors. Dilation "
        "2: the same pattern, every second pixel. Deformable: arrows move each tap to a place of its own, between the pixels as well."
    )
    return Picture(figure, alt)


def show_dilated_stacks(*stacks, size=17):
    """Show in one dimension which inputs reach one output through a stack of layers with kernels of 3.

    Parameters
    ----------
    *stacks : tuple of int
        The dilations of the layers, from the input on: one panel each.
    size : int
        How many inputs are drawn.
    """
    figure, axes = plt.subplots(1, len(stacks), figsize=(4.6 * len(stacks), 3.0), squeeze=False, layout="constrained")
    words, middle = [], size // 2
    for ax, dilations in zip(axes[0], stacks, strict=True):
        reached = {middle}
        for level in range(len(dilations), 0, -1):
            step = dilations[level - 1]
            for at in reached:
                for tap in (-step, 0, step):
                    ax.plot([at, at + tap], [level, level - 1], color=BLUE, linewidth=1.1, zorder=1)
            below = {at + tap for at in reached for tap in (-step, 0, step)}
            _dots(ax, level, size, reached)
            reached = below
        _dots(ax, 0, size, reached)
        name = ", ".join(map(str, dilations))
        width = max(reached) - min(reached) + 1
        ax.set_title(f"dilations {name}:\none output sees {width} inputs", fontsize=11, color=INK)
        ax.set(xlim=(-0.7, size - 0.3), ylim=(-0.5, len(dilations) + 0.5), xticks=[])
        ax.set_yticks(range(len(dilations) + 1), ["input", *(f"layer {n}" for n in range(1, len(dilations) + 1))])
        ax.tick_params(length=0, labelsize=9, labelcolor=INK)
        for spine in ax.spines.values():
            spine.set_visible(False)
        words.append(f"with dilations {name} one output sees {width} neighboring inputs")
    figure.suptitle("Three layers with kernels of 3, along one axis", fontsize=12, fontweight="bold", color=INK)
    return Picture(figure, f"Rows of dots, the input below and three layers above, joined by the taps of kernels of 3: {'; '.join(words)}.")


def _dots(ax, level, size, reached):
    for at in range(size):
        used = at in reached
        ax.plot(at, level, "o", color=BLUE if used else "white", markeredgecolor=BLUE if used else LINE, markersize=7, zorder=2)


# ---------------------------------------------------------------------------------------------------- patches


def show_patches(image, patch_size):
    """Show an image cut into patches, and the patches as the list that a transformer takes.

    Parameters
    ----------
    image : (H, W, 3) or (H, W)
        Its sides are multiples of the patch size.
    patch_size : int
    """
    image = np.asarray(image)
    rows, columns = image.shape[0] // patch_size, image.shape[1] // patch_size
    patches = [
        image[i * patch_size : (i + 1) * patch_size, j * patch_size : (j + 1) * patch_size] for i in range(rows) for j in range(columns)
    ]
    per_line = 2 * columns
    lines = math.ceil(len(patches) / per_line)
    figure = plt.figure(figsize=(8.6, 4.0))
    left = figure.add_axes([0.02, 0.06, 0.34, 0.76])
    left.imshow(image, cmap="gray")
    for n in range(1, columns):
        left.axvline(n * patch_size - 0.5, color="white", linewidth=1.5)
    for n in range(1, rows):
        left.axhline(n * patch_size - 0.5, color="white", linewidth=1.5)
    left.set(xticks=[], yticks=[])
    left.set_title(f"{image.shape[0]}×{image.shape[1]} pixels,\npatches of {patch_size}×{patch_size}", fontsize=11, color=INK)
    right = figure.add_axes([0.4, 0.06, 0.59, 0.76])
    for number, patch in enumerate(patches):
        line, place = divmod(number, per_line)
        corner = place * 1.15, line * 1.5
        right.imshow(patch, cmap="gray", extent=(corner[0], corner[0] + 1, corner[1] + 1, corner[1]), vmin=image.min(), vmax=image.max())
        right.add_patch(plt.Rectangle(corner, 1, 1, facecolor="none", edgecolor=LINE, linewidth=0.8))
        if line == 0 or place == 0 or number == len(patches) - 1:
            right.text(corner[0] + 0.5, corner[1] - 0.06, number, ha="center", va="bottom", fontsize=8, color=INK)
    right.set(xlim=(-0.1, 1.15 * per_line), ylim=(1.5 * lines - 0.3, -0.45), aspect="equal")
    right.axis("off")
    right.set_title(f"{len(patches)} patches, numbered in reading order", fontsize=11, color=INK)
    figure.suptitle("An image as a row of patches", fontsize=12, fontweight="bold", color=INK)
    alt = (
        f"Left an image of {image.shape[0]} by {image.shape[1]} pixels with white lines that cut it into {rows} rows of {columns} patches. "
        f"Right the {len(patches)} patches one after the other, numbered from 0 along the rows."
    )
    return Picture(figure, alt)


def show_mixing(matrices, titles, images=()):
    """Show matrices that mix patches: row i says with which weights output i is made of the patches.

    Parameters
    ----------
    matrices : sequence of (n, n)
        No entry below zero. Each on a scale of its own, from 0 to its largest entry.
    titles : sequence of str
    images : sequence of (H, W) or None
        What each matrix belongs to, drawn above it; None where it belongs to every image.
    """
    matrices = [as_matrix("each matrix", matrix, dtype=float) for matrix in matrices]
    images = list(images) or [None] * len(matrices)
    figure, axes = plt.subplots(
        2, len(matrices), figsize=(3.1 * len(matrices), 5.7), gridspec_kw={"height_ratios": [1, 3.2]}, layout="constrained"
    )
    for (above, ax), matrix, title, image in zip(axes.T, matrices, titles, images, strict=True):
        if image is None:
            above.text(0.5, 0.5, "any image", ha="center", va="center", fontsize=11, color=INK, style="italic", transform=above.transAxes)
        else:
            above.imshow(image, cmap="gray")
        above.axis("off")
        shown = ax.imshow(matrix, cmap="Greys", vmin=0, vmax=matrix.max(), interpolation="nearest")
        figure.colorbar(shown, ax=ax, location="bottom", shrink=0.9, label="weight").ax.tick_params(labelsize=8)
        ax.set_title(title, fontsize=11, color=INK)
        last = len(matrix) - 1
        ax.set(xticks=[0, last], yticks=[0, last], xlabel="is made of patch")
        ax.tick_params(labelsize=8, labelcolor=QUIET, length=2)
    axes[1, 0].set_ylabel("output")
    figure.suptitle("Who mixes with whom", fontsize=12, fontweight="bold", color=INK)
    alt = (
        "Square matrices of weights, dark where large, each on its own scale, for "
        f"{'; '.join(title.replace(chr(10), ' ') for title in titles)}. The matrix of the convolution has dark stripes along its "
        "diagonal and a row of patches away from it, and is white elsewhere. Those of attention have weights everywhere, and differ "
        "from image to image."
    )
    return Picture(figure, alt)


# ---------------------------------------------------------------------------------------------------- networks


def show_networks(networks):
    """Show networks by how many parameters they have and how often they err.

    Parameters
    ----------
    networks : sequence of (name, kind, parameters, error)
        `kind` is "convolutions" or "attention"; the error in percent.
    """
    figure, ax = plt.subplots(figsize=(7.4, 4.4), layout="constrained")
    marks = {"convolutions": ("o", BLUE), "attention": ("s", MARK_EDGE)}
    for kind, (marker, color) in marks.items():
        points = [(parameters, error) for _, its_kind, parameters, error in networks if its_kind == kind]
        ax.plot(*zip(*points, strict=True), marker, color=color, markersize=9, label=f"built of {kind}")
    ax.set(xscale="log", xlabel="parameters, in millions (logarithmic scale)", ylabel="top-5 error in percent")
    ax.set_xticks([5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"])
    ax.minorticks_off()
    ax.set(xlim=(4, 260), ylim=(0, max(error for *_, error in networks) * 1.12))
    ax.grid(color="#d0d7de", linewidth=0.7)
    ax.legend(loc="upper left", fontsize=9)
    ax.set_title("More parameters, fewer errors?", fontsize=12, fontweight="bold", color=INK)
    for name, _, parameters, error in networks:
        crowded = any(other < error and abs(math.log(p / parameters)) < 0.3 and error - other < 1 for _, _, p, other in networks)
        aside = (0, 9) if crowded else (9, -3)  # above its point, where another point's name stands to the right
        ax.annotate(name, (parameters, error), aside, textcoords="offset points", fontsize=9, color=INK, ha="center" if crowded else "left")
    described = "; ".join(f"{name} {parameters:.1f} million, {error:.1f} %" for name, _, parameters, error in networks)
    return Picture(figure, f"Points: parameters to the right, top-5 error on ImageNet upward. {described}.")
