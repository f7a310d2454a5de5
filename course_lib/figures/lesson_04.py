"""Figures of lesson 4: what goes into a PyTorch layer and comes out, filters with their maps, and the order of numbers in memory."""

import matplotlib.pyplot as plt
import numpy as np

from .drawing import BLUE, INK, LINE, MARK_EDGE, MARK_FILL, QUIET, Picture, bare_axes, written

_SIGNED_MAP = "RdBu_r"


def show_conv2d_call(x_shape, in_channels, out_channels, kernel_size, **options):
    """Show a layer as a box: the shapes of what goes in, of what it holds, and of what comes out.

    Parameters
    ----------
    x_shape : tuple
        (N, C, H, W) of the images.
    in_channels, out_channels, kernel_size, **options
        As `torch.nn.Conv2d` takes them.
    """
    import torch
    from torch import nn

    layer = nn.Conv2d(in_channels, out_channels, kernel_size, **options)
    with torch.no_grad():
        y_shape = tuple(layer(torch.zeros(x_shape)).shape)
    weight = tuple(layer.weight.shape)
    given = [str(in_channels), str(out_channels), str(kernel_size), *(f"{name}={value}" for name, value in options.items())]
    figure, ax = plt.subplots(figsize=(11, 2.9))
    held = [f"weight  {weight}", "filters, channels, kernel height and width"]
    held += [f"bias  {tuple(layer.bias.shape)}: one for each filter"] if layer.bias is not None else ["no bias"]
    boxes = (
        (0.0, 2.6, "images x", [str(tuple(x_shape)), "images, channels,", "height, width"]),
        (3.6, 5.0, f"nn.Conv2d({', '.join(given)})", held),
        (9.6, 2.6, "feature maps", [str(y_shape), "images, filters,", "height, width"]),
    )
    for left, width, title, lines in boxes:
        marked = left == 3.6
        ax.add_patch(
            plt.Rectangle(
                (left, 0.9), width, 1.7, facecolor=MARK_FILL if marked else "white", edgecolor=MARK_EDGE if marked else INK, linewidth=1.5
            )
        )
        ax.text(left + width / 2, 0.75, title, ha="center", va="bottom", size=11, weight="bold", color=INK)
        for number, line in enumerate(lines):
            size = 11 if number == 0 else 10
            ax.text(left + width / 2, 1.25 + 0.5 * number, line, ha="center", va="center", size=size, color=INK if number == 0 else QUIET)
    for left, right in ((2.65, 3.55), (8.65, 9.55)):
        ax.annotate("", (right, 1.75), (left, 1.75), arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.5})
    bare_axes(ax, 12.2, 2.9, margin=0.1)
    ax.set_ylim(2.9, 0.1)
    held_words = f"weights {weight}" + ("" if layer.bias is None else f" and biases {tuple(layer.bias.shape)}")
    return Picture(figure, f"Images {tuple(x_shape)} go into nn.Conv2d({', '.join(given)}), which holds {held_words}; out come {y_shape}.")


def show_filters_and_maps(image, rows):
    """Show filters above the feature maps that they give of one image, a pair of rows for each group of filters.

    Parameters
    ----------
    image : ndarray, (H, W)
    rows : mapping of str to (kernels, maps, names)
        For each group: (n, kH, kW), (n, oH, oW), and n names.
    """
    count = max(len(names) for _, _, names in rows.values())
    figure = plt.figure(figsize=(2.15 * (count + 1) + 0.9, 3.75 * len(rows) + 0.3), layout="constrained")
    grid = figure.add_gridspec(2 * len(rows), count + 1, height_ratios=[1, 1.55] * len(rows))
    words = []
    for number, (group, (kernels, maps, names)) in enumerate(rows.items()):
        ax = figure.add_subplot(grid[2 * number + 1, 0])
        ax.imshow(image, cmap="gray")
        ax.set(xticks=[], yticks=[])
        ax.set_title("the image", size=10)
        ax = figure.add_subplot(grid[2 * number, 0])
        ax.text(0.5, 0.5, group, ha="center", va="center", size=12, weight="bold", color=INK)
        ax.axis("off")
        for column, (kernel, feature_map, name) in enumerate(zip(kernels, np.asarray(maps), names, strict=True), start=1):
            ax = figure.add_subplot(grid[2 * number, column])
            _kernel(ax, np.asarray(kernel), name)
            ax = figure.add_subplot(grid[2 * number + 1, column])
            bound = float(np.abs(feature_map).max()) or 1.0
            ax.imshow(feature_map, cmap=_SIGNED_MAP, vmin=-bound, vmax=bound, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.set_xlabel(f"{written(feature_map.min())} to {written(feature_map.max())}", size=9)
        words.append(f"{group}: {', '.join(names)}")
    figure.suptitle("Each filter (numbers) above its feature map: red is positive, white zero, blue negative", size=12)
    return Picture(figure, f"One image, and filters above the feature maps that they give of it. {'; '.join(words)}.")


def _kernel(ax, kernel, name):
    """A kernel as cells with its numbers, tinted by their sign."""
    bound = float(np.abs(kernel).max()) or 1.0
    ax.imshow(kernel, cmap=_SIGNED_MAP, vmin=-2 * bound, vmax=2 * bound)  # half the map's range: the numbers stay readable
    for (i, j), value in np.ndenumerate(kernel):
        ax.text(j, i, written(value), ha="center", va="center", size=7.5, color=INK)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, size=10)


def show_smoothness(values, spread):
    """Show how much neighbors in a map are alike, as dots on a line from 0 to 1, with the spread of many random ones.

    Parameters
    ----------
    values : mapping of str to float
        Correlation of neighboring values, by name.
    spread : (str, sequence of float)
        A name, and the values of many maps of that kind: drawn as a band with their median.
    """
    name, many = spread
    everything = dict(sorted({**values, name: float(np.median(many))}.items(), key=lambda item: item[1]))
    figure, ax = plt.subplots(figsize=(8.4, 0.42 * len(everything) + 1.2))
    for row, (label, value) in enumerate(everything.items()):
        if label == name:
            low, high = np.percentile(many, [5, 95])
            ax.plot([low, high], [row, row], color=MARK_EDGE, linewidth=8, alpha=0.35, solid_capstyle="butt")
        ax.plot(value, row, "D" if label == name else "o", color=MARK_EDGE if label == name else BLUE, markersize=8)
        ax.text(1.04, row, written(value), va="center", size=10, color=INK)
    ax.set(
        yticks=range(len(everything)), xlim=(-0.08, 1.02), ylim=(-0.6, len(everything) - 0.4), xlabel="correlation of neighboring values"
    )
    ax.set_yticklabels(everything)
    ax.axvline(0, color=LINE, linewidth=1)
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(f"How alike are neighbors? (band: 9 of 10 of the {len(many)} random maps)", size=12)
    words = [f"{label} {written(value)}" for label, value in everything.items()]
    return Picture(figure, f"Correlation of neighboring values, from least to most: {'; '.join(words)}.")


def show_memory_order(height=2, width=3):
    """Show how the numbers of one color image follow each other in memory, channels first and channels last."""
    colors = (("R", "#f6c9c4"), ("G", "#cfe8cf"), ("B", "#cfdcf3"))
    indices = [[(c, i, j) for c in range(3) for i in range(height) for j in range(width)]]
    indices.append([(c, i, j) for i in range(height) for j in range(width) for c in range(3)])
    titles = (f"PyTorch (C, H, W) = (3, {height}, {width})", f"Keras, image files (H, W, C) = ({height}, {width}, 3)")
    figure, ax = plt.subplots(figsize=(11, 2.9))
    for row, (order, title) in enumerate(zip(indices, titles, strict=True)):
        top = 2.3 * row
        ax.text(0, top - 0.2, title, va="bottom", size=11, weight="bold", color=INK)
        for place, (c, i, j) in enumerate(order):
            letter, color = colors[c]
            ax.add_patch(plt.Rectangle((place, top), 1, 1, facecolor=color, edgecolor=LINE))
            ax.text(place + 0.5, top + 0.5, f"{letter}{i}{j}", ha="center", va="center", size=10, color=INK)
        step = height * width if row == 0 else 3
        for start in range(0, len(order), step):
            ax.add_patch(plt.Rectangle((start, top), step, 1, facecolor="none", edgecolor=INK, linewidth=2.2))
    bare_axes(ax, 3 * height * width, 3.4)
    ax.set_ylim(3.5, -1.1)
    ax.set_title("One small color image in memory: R12 is the red of row 1, column 2", size=12)
    words = " ".join(f"{'RGB'[c]}{i}{j}" for c, i, j in indices[0]), " ".join(f"{'RGB'[c]}{i}{j}" for c, i, j in indices[1])
    return Picture(
        figure, f"A color image of {height} rows and {width} columns in memory. Channels first: {words[0]}. Channels last: {words[1]}."
    )


def show_gabors(size=15, angles=(0, 45, 90, 135)):
    """Show edge filters of several directions, as first layers learn them: waves that fade out (Gabor functions).

    The angles are degrees, in lesson 3's sense: where brightness rises, 0 to the right and 90 down.
    """
    figure, axes = plt.subplots(1, len(angles) + 1, figsize=(2.3 * (len(angles) + 1), 2.7), layout="constrained")
    half = size // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / half
    fading = np.exp(-3 * (x**2 + y**2))
    filters = {
        f"brighter at {angle}°": fading * np.sin(4 * (x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle)))) for angle in angles
    }
    filters["blob"] = fading * (1 - 3 * (x**2 + y**2))
    for ax, (name, values) in zip(axes, filters.items(), strict=True):
        bound = np.abs(values).max()
        ax.imshow(values, cmap=_SIGNED_MAP, vmin=-bound, vmax=bound, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, size=10)
    figure.suptitle("Computed from a formula: what many learned first filters resemble (red positive, blue negative)", size=12)
    return Picture(
        figure, f"Five filters of {size}x{size} weights: {', '.join(filters)}. Each edge filter is a positive band beside a negative one."
    )
