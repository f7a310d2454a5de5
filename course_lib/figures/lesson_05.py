"""Figures of lesson 5: what a value of a deep layer sees, pooling, building blocks, and where a network spends its weights and its time."""

import matplotlib.pyplot as plt
import numpy as np

from .drawing import BLUE, INK, LINE, MARK_EDGE, MARK_FILL, QUIET, TONES, WEIGHT_STYLES, Picture, bare_axes, draw_grid, number_text, sized


def _seen_below(count, kernel, stride, seen):
    """Of `count` values in a layer, which are seen by the values `seen` of the next one."""
    mask = np.zeros(count, dtype=bool)
    for index in np.flatnonzero(seen):
        mask[index * stride : index * stride + kernel] = True
    return mask


def show_field_cones(*stacks):
    """What one value of the last layer sees, along one axis, layer by layer down to the pixels.

    Parameters
    ----------
    *stacks : (title, size, layers)
        One panel each: its title, how many pixels there are, and the layers as (name, kernel, stride), from the image on.
    """
    figure, axes = plt.subplots(
        1, len(stacks), figsize=(5.6 * len(stacks), 3.6), squeeze=False, gridspec_kw={"width_ratios": [stack[1] + 5 for stack in stacks]}
    )
    told = []
    for ax, (title, size, layers) in zip(axes[0], stacks, strict=True):
        sizes, places = [size], [np.arange(size, dtype=float)]
        for _, kernel, stride in layers:
            count = (sizes[-1] - kernel) // stride + 1
            below = places[-1]
            places.append(np.array([below[i * stride : i * stride + kernel].mean() for i in range(count)]))
            sizes.append(count)
        seen = [np.arange(sizes[-1]) == sizes[-1] // 2]
        for level in range(len(layers), 0, -1):
            seen.insert(0, _seen_below(sizes[level - 1], layers[level - 1][1], layers[level - 1][2], seen[0]))
        for level in range(1, len(sizes)):
            _, kernel, stride = layers[level - 1]
            for index in np.flatnonzero(seen[level]):
                for below in range(index * stride, index * stride + kernel):
                    ax.plot([places[level][index], places[level - 1][below]], [level, level - 1], color=LINE, linewidth=0.9, zorder=1)
        for level, (at, mask) in enumerate(zip(places, seen, strict=True)):
            ax.scatter(at[~mask], np.full((~mask).sum(), level), s=60, facecolor="white", edgecolor=LINE, zorder=2)
            ax.scatter(
                at[mask], np.full(mask.sum(), level), s=85, marker="s", facecolor=MARK_FILL, edgecolor=MARK_EDGE, linewidth=1.5, zorder=3
            )
            name = f"{mask.sum()} pixels" if level == 0 else layers[level - 1][0]
            ax.text(-1, level, name, ha="right", va="center", fontsize=9, color=INK)
        ax.set(xlim=(-5.2, size - 0.4), ylim=(-0.4, len(layers) + 0.4))
        ax.axis("off")
        ax.set_title(title, fontsize=11, color=INK)
        names = ", ".join(name for name, *_ in layers)
        told.append(f"{title}: layers {names}. One value of the last layer depends on {seen[0].sum()} pixels in a row")
    figure.tight_layout()
    return Picture(figure, ". ".join(told) + ".")


def show_fields_on_image(image, corner, fields, labels):
    """Squares of the given sides on an image, all with the same top left pixel: what values of different layers see of it."""
    figure, ax = plt.subplots(figsize=(4.6, 4.6))
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=3 * float(np.max(image)), interpolation="nearest")  # faint, so that the squares stand out
    styles = (*WEIGHT_STYLES, ("#2c7a3f", "-."))
    for side, label, (color, dash) in zip(fields, labels, styles, strict=True):
        square = plt.Rectangle((corner[1] - 0.5, corner[0] - 0.5), side, side, facecolor="none", edgecolor=color, linewidth=2.4)
        square.set(linestyle=dash, label=f"{label}: {sized((side, side))}")
        ax.add_patch(square)
    ax.set(xticks=[0, image.shape[1] - 1], yticks=[0, image.shape[0] - 1])
    ax.tick_params(labelsize=8, labelcolor=QUIET)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, fontsize=9)
    ax.set_title("What one value sees of the image", fontsize=11, color=INK)
    sides = "; ".join(f"{label}: {side} by {side} pixels" for label, side in zip(labels, fields, strict=True))
    return Picture(figure, f"A digit with squares that share one corner. {sides}.")


def show_pooling(values, pool=2, stride=2):
    """A map with the windows of a pooling, and their largest values and means beside it. The windows must not overlap."""
    values = np.asarray(values, dtype=float)
    rows, columns = ((n - pool) // stride + 1 for n in values.shape)
    largest, mean, mark = np.zeros((rows, columns)), np.zeros((rows, columns)), np.zeros(values.shape, dtype=bool)
    for i in range(rows):
        for j in range(columns):
            window = values[i * stride : i * stride + pool, j * stride : j * stride + pool]
            largest[i, j], mean[i, j] = window.max(), window.mean()
            row, column = np.unravel_index(window.argmax(), window.shape)
            mark[i * stride + row, j * stride + column] = True
    figure, ax = plt.subplots(figsize=(8.6, 0.5 * values.shape[0] + 1.1))
    draw_grid(ax, values, "a feature map", mark=mark)
    for i in range(rows):
        for j in range(columns):
            ax.add_patch(plt.Rectangle((j * stride, i * stride), pool, pool, facecolor="none", edgecolor=BLUE, linewidth=3, zorder=4))
    top = (values.shape[0] - rows) / 2
    draw_grid(ax, largest, "largest", left=values.shape[1] + 2, top=top, mark=np.ones(largest.shape, dtype=bool))
    draw_grid(ax, mean, "mean", left=values.shape[1] + columns + 4, top=top, size=9)
    bare_axes(ax, values.shape[1] + 2 * columns + 4, values.shape[0], margin=1)
    words = ["; ".join(" ".join(number_text(v) for v in row) for row in part) for part in (values, largest, mean)]
    return Picture(
        figure, f"A map of {words[0]}, cut into {pool} by {pool} windows. Their largest values: {words[1]}. Their means: {words[2]}."
    )


def show_differences(image, differences, titles, title=""):
    """An image, and maps of differences on one signed scale, where white is no difference."""
    figure, axes = plt.subplots(1, len(differences) + 1, figsize=(3.4 * (len(differences) + 1), 3.5), layout="constrained")
    axes[0].imshow(image, cmap="gray", interpolation="nearest")
    limit = max(np.abs(d).max() for d in differences)
    for ax, difference in zip(axes[1:], differences, strict=True):
        shown = ax.imshow(difference, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    for ax, name in zip(axes, titles, strict=True):
        ax.set_title(name, fontsize=10, color=INK)
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_edgecolor(LINE)
    figure.colorbar(shown, ax=axes[-1], shrink=0.8, label="difference")
    if title:
        figure.suptitle(title, fontsize=12)
    described = "; ".join(
        f"{name.replace(chr(10), ' ')}: {np.mean(d != 0):.0%} of the values differ" for name, d in zip(titles[1:], differences, strict=True)
    )
    return Picture(figure, f"{title}. {described}.")


def _box(ax, left, bottom, text, width=1.7, fill="white"):
    ax.add_patch(plt.Rectangle((left, bottom), width, 0.9, facecolor=fill, edgecolor=INK, linewidth=1.2))
    ax.text(left + width / 2, bottom + 0.45, text, ha="center", va="center", fontsize=10, color=INK)


def _arrow(ax, start, end):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.3})


def show_residual_drawing():
    """The residual block as boxes and arrows: two convolutions, and a path around them."""
    figure, ax = plt.subplots(figsize=(10, 2.5))
    ax.text(0.1, 0.45, "x", ha="center", va="center", fontsize=13, color=INK)
    boxes = [("conv w1, b1", TONES[0]), ("ReLU", "white"), ("conv w2, b2", TONES[0]), ("+", MARK_FILL), ("ReLU", "white")]
    left, widths = 1.2, (1.9, 1.1, 1.9, 0.8, 1.1)
    _arrow(ax, (0.3, 0.45), (left, 0.45))
    for (text, fill), width in zip(boxes, widths, strict=True):
        _box(ax, left, 0, text, width, fill)
        _arrow(ax, (left + width, 0.45), (left + width + 0.6, 0.45))
        if text == "+":
            middle = left + width / 2
        left += width + 0.6
    ax.plot([0.7, 0.7, middle], [0.45, 1.7, 1.7], color=INK, linewidth=1.3)
    _arrow(ax, (middle, 1.7), (middle, 0.9))
    ax.text((0.7 + middle) / 2, 1.8, "shortcut: x as it is", ha="center", va="bottom", fontsize=10, color=INK)
    ax.set(xlim=(-0.2, left + 0.2), ylim=(-0.2, 2.2))
    ax.axis("off")
    ax.set_title("A residual block", fontsize=12, color=INK)
    return Picture(
        figure,
        "x goes through a convolution with w1 and b1, a ReLU, and a convolution with w2 and b2. A shortcut carries x around all three. "
        "The two are added, and a ReLU follows.",
    )


def show_bottleneck_drawing(wide, narrow):
    """Two ways through `wide` channels, drawn by width: one 3x3 convolution, and a bottleneck of three layers."""
    figure, axes = plt.subplots(1, 2, figsize=(9.6, 2.9), gridspec_kw={"width_ratios": (1, 2)}, layout="constrained")
    for ax, name, widths, layers in (
        (axes[0], "plain", (wide, wide), ("3×3",)),
        (axes[1], "bottleneck", (wide, narrow, narrow, wide), ("1×1", "3×3", "1×1")),
    ):
        for number, channels in enumerate(widths):
            height = channels / wide * 3
            ax.add_patch(plt.Rectangle((2.6 * number, -height / 2), 0.8, height, facecolor=TONES[0], edgecolor=INK))
            ax.text(2.6 * number + 0.4, 0, f"{channels}", ha="center", va="center", fontsize=10, color=INK)
            if number:
                _arrow(ax, (2.6 * number - 1.7, 0), (2.6 * number - 0.1, 0))
                ax.text(2.6 * number - 0.9, 0.15, layers[number - 1], ha="center", va="bottom", fontsize=10, color=INK)
        ax.set(xlim=(-0.3, 2.6 * len(widths) - 1.3), ylim=(-1.8, 1.8))
        ax.axis("off")
        ax.set_title(f"{name}: channels from layer to layer", fontsize=11, color=INK)
    return Picture(
        figure,
        f"Plain: {wide} channels, a 3x3 convolution, {wide} channels. Bottleneck: {wide} channels, a 1x1 convolution, {narrow}, "
        f"a 3x3 convolution, {narrow}, a 1x1 convolution, {wide}.",
    )


def show_depth_curves(curves, title, label):
    """How one measured number changes from block to block, on a logarithmic scale; `curves` goes from a name to the numbers."""
    figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
    for (name, values), (color, dash) in zip(curves.items(), WEIGHT_STYLES, strict=False):
        ax.plot(range(len(values)), values, color=color, linestyle=dash, linewidth=2, label=name)
        ax.annotate(f"{values[-1]:,.3g}", (len(values) - 1, values[-1]), (4, 0), textcoords="offset points", fontsize=9, va="center")
    ax.set(yscale="log", xlabel="blocks passed", ylabel=label, xlim=(0, len(values) + 1))
    ax.set_xticks(range(0, len(values), 5))
    ax.grid(color="#e4e7eb")
    ax.legend()
    ax.set_title(title, fontsize=12, color=INK)
    ends = "; ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, values in curves.items())
    return Picture(figure, f"{title}: {ends}, over {len(values) - 1} blocks.")


def show_costs(traced, kinds=("Conv2d", "Linear")):
    """Where a traced network has its parameters and where it spends its multiplications: two bars for each layer with weights."""
    layers = [layer for layer in traced.layers if layer.kind in kinds]
    names = [f"{'conv' if layer.kind == 'Conv2d' else 'dense'} {layer.parameters:,}" for layer in layers]
    figure, axes = plt.subplots(1, 2, figsize=(9.4, 0.5 * len(layers) + 1.3), sharey=True, layout="constrained")
    told = []
    for ax, what, hatch in ((axes[0], "parameters", ""), (axes[1], "macs", "///")):
        counts = [getattr(layer, what) for layer in layers]
        total = sum(counts)
        ax.barh(range(len(layers)), [100 * n / total for n in counts], color=TONES[0], edgecolor=BLUE, hatch=hatch)
        for row, n in enumerate(counts):
            ax.text(100 * n / total + 1, row, f"{n:,}", va="center", fontsize=9, color=INK)
        label = "multiplications (MACs)" if what == "macs" else what
        ax.set(xlim=(0, 125), xlabel=f"% of {total:,} {label}", xticks=(0, 25, 50, 75, 100))
        told.append(f"{label}: " + ", ".join(f"{name.split()[0]} {n:,}" for name, n in zip(names, counts, strict=True)))
    axes[0].set_yticks(range(len(layers)), [name.split()[0] + f" {row + 1}" for row, name in enumerate(names)])
    axes[0].invert_yaxis()
    figure.suptitle(f"{traced.model}: where the parameters are, and where the work is", fontsize=12, color=INK)
    return Picture(figure, f"{traced.model}, layer by layer. {'. '.join(told)}.")
