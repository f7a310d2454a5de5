"""Figures of lesson 7: what a window sends back, gradient checks, pooling, one tap at a time, copies of a kernel, and a trained network."""

import matplotlib.pyplot as plt
import numpy as np

from .drawing import (
    BLUE,
    INK,
    LINE,
    QUIET,
    WEIGHT_STYLES,
    Picture,
    as_matrix,
    bare_axes,
    draw_grid,
    draw_matrix,
    in_words,
    lay_out,
    sized,
    written,
)


def _window(shape, corner, size):
    mask = np.zeros(shape, dtype=bool)
    mask[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] = True
    return mask


def show_share(image, kernel, d_out, position):
    """What one window of a convolution sends back: to the kernel, and to its pixels.

    Parameters
    ----------
    image : array_like, (H, W)
    kernel : array_like, (kH, kW)
    d_out : array_like, (oH, oW)
        The gradient of the loss by the output.
    position : (int, int)
        The window, as (i, j) of its output.
    """
    image, kernel, d_out = as_matrix("image", image, float), as_matrix("kernel", kernel, float), as_matrix("d_out", d_out, float)
    mask, value = _window(image.shape, position, kernel.shape), d_out[tuple(position)]
    patch, share = image[mask].reshape(kernel.shape), np.zeros(image.shape)
    share[mask] = value * kernel.ravel()
    marked = np.zeros(d_out.shape, dtype=bool)
    marked[tuple(position)] = True
    panels = (
        (image, mask, "image,\nits window"),
        (kernel, None, "kernel"),
        (d_out, marked, "gradient of\nthe output"),
        (value * patch, None, f"to the kernel:\n{written(value)} · window"),
        (share, mask, f"to the image:\n{written(value)} · kernel"),
    )
    figure, axes = lay_out(
        [panel.shape for panel, *_ in panels],
        [text for *_, text in panels],
        ("", "", "→", ""),
        title=f"What the window of output {tuple(position)} sends back",
    )
    for ax, (values, marks, _) in zip(axes, panels, strict=True):
        draw_matrix(ax, values, mark=marks, ticks=False)
    return Picture(
        figure,
        f"Output {tuple(position)} has the gradient {written(value)}. Its window of the image holds {in_words(patch)}, and the kernel is "
        f"{in_words(kernel)}. To the kernel's gradient it adds {in_words(value * patch)}; to the image's gradient it adds, at the window, "
        f"{in_words(value * kernel)}.",
    )


def show_step_sizes():
    """Show how far a numeric slope of tanh is off, over the size of the step, from one side and from both."""
    steps = 10.0 ** np.arange(-15, 0.1, 0.25)
    at, slope = 0.7, 1 - np.tanh(0.7) ** 2
    forward = np.abs((np.tanh(at + steps) - np.tanh(at)) / steps - slope) / slope
    central = np.abs((np.tanh(at + steps) - np.tanh(at - steps)) / (2 * steps) - slope) / slope
    figure, ax = plt.subplots(figsize=(7.2, 3.9))
    for errors, label, (color, dashes) in (
        (forward, "step above only", WEIGHT_STYLES[1]),
        (central, "step above and below", WEIGHT_STYLES[0]),
    ):
        ax.loglog(steps, np.maximum(errors, 1e-16), dashes, color=color, label=label)
    ax.set(xlabel="step", ylabel="relative error of the slope", title="Too long a step, or too short: the slope of tanh at 0.7")
    ax.grid(color="#e5e7eb")
    ax.legend(frameon=False)
    figure.tight_layout()
    best = steps[central.argmin()]
    return Picture(
        figure,
        "Relative error of a numeric slope over the step, both on logarithmic axes. Each curve falls from right to left, as the step "
        "becomes "
        "shorter, and rises again, jagged, when it becomes shorter still. From one side the lowest error is about "
        f"{forward.min():.0e}; from both sides about {central.min():.0e}, at a step near {best:.0e}.",
    )


def show_pool_gradient(x, d_out, pool_size=2):
    """Show where the gradient of max pooling goes: to the largest cell of each window (windows side by side).

    Parameters
    ----------
    x : array_like, (H, W)
        A feature map.
    d_out : array_like, (H / pool_size, W / pool_size)
        The gradient by the pooled map.
    pool_size : int
    """
    x, d_out = as_matrix("x", x, float), as_matrix("d_out", d_out, float)
    winners, d_x, shared = np.zeros(x.shape, dtype=bool), np.zeros(x.shape), np.zeros(x.shape)
    for i, j in np.ndindex(d_out.shape):
        here = slice(i * pool_size, (i + 1) * pool_size), slice(j * pool_size, (j + 1) * pool_size)
        m, n = np.unravel_index(x[here].argmax(), x[here].shape)
        winners[i * pool_size + m, j * pool_size + n] = True
        shared[here] = d_out[i, j] / pool_size**2
    d_x[winners] = np.repeat(np.repeat(d_out, pool_size, 0), pool_size, 1)[winners]
    panels = (
        (x, winners, "feature map,\nwinners framed"),
        (d_out, None, "gradient of\nthe output"),
        (d_x, winners, "max pooling:\nthe winner takes it"),
        (shared, None, "average pooling:\nequal shares"),
    )
    figure, axes = lay_out([panel.shape for panel, *_ in panels], [text for *_, text in panels], ("", "→", "or"), title="Pooling, backward")
    for ax, (values, marks, _) in zip(axes, panels, strict=True):
        draw_matrix(ax, values, mark=marks, ticks=False)
        for edge in range(pool_size, values.shape[1] if values.shape == x.shape else 0, pool_size):
            ax.axvline(edge - 0.5, color=INK, linewidth=2)
        for edge in range(pool_size, values.shape[0] if values.shape == x.shape else 0, pool_size):
            ax.axhline(edge - 0.5, color=INK, linewidth=2)
    return Picture(
        figure,
        f"A feature map {in_words(x)}, pooled in windows of {sized((pool_size, pool_size))}. The output's gradient is {in_words(d_out)}. "
        f"Backward, max pooling gives {in_words(d_x)}; average pooling gives {in_words(shared)}.",
    )


def show_tap(height, width, kernel, stride, taps):
    """Show which pixels single taps of a square kernel meet, one panel a tap.

    Parameters
    ----------
    height, width, kernel, stride : int
        An image, and the windows on it.
    taps : sequence of (int, int)
        Taps (m, n) of the kernel.
    """
    rows, columns = ((size - kernel) // stride + 1 for size in (height, width))
    figure, axes = plt.subplots(1, len(taps), figsize=(3.5 * len(taps), 3.9), squeeze=False)
    words = []
    for ax, (m, n) in zip(axes[0], taps, strict=True):
        met = np.zeros((height, width), dtype=bool)
        met[m : m + (rows - 1) * stride + 1 : stride, n : n + (columns - 1) * stride + 1 : stride] = True
        labels = np.full((height, width), "", dtype=object)
        for (i, j), (row, column) in zip(np.ndindex(rows, columns), np.argwhere(met), strict=True):
            labels[row, column] = f"{i},{j}"
        draw_grid(ax, labels, mark=met, size=9)
        ax.add_patch(plt.Rectangle((0, 0), kernel, kernel, fill=False, edgecolor=BLUE, linewidth=2.5, linestyle="--", zorder=4))
        ax.set_title(f"tap ({m}, {n}): rows {m}, {m + stride}, …\ncolumns {n}, {n + stride}, …", size=11)
        bare_axes(ax, width, height)
        words.append(f"tap ({m}, {n}) meets " + ", ".join(f"({row}, {column})" for row, column in np.argwhere(met).tolist()))
    figure.suptitle(f"What one tap meets: {sized((height, width))} image, {sized((kernel, kernel))} kernel, stride {stride}", size=12)
    figure.text(0.5, 0.02, "Framed: the pixel, with the output (i, j) it counts for. Dashed: the first window.", ha="center", color=QUIET)
    figure.tight_layout(rect=(0, 0.05, 1, 0.96))
    return Picture(
        figure, f"A {sized((height, width))} image under a {sized((kernel, kernel))} kernel with stride {stride}: " + "; ".join(words)
    )


def show_copies(x, kernel, stride):
    """Show a transposed convolution: the map, the kernel, and the sum of the copies, framed where copies overlap."""
    x, kernel = as_matrix("x", x, float), as_matrix("kernel", kernel, float)
    size = tuple((n - 1) * stride + k for n, k in zip(x.shape, kernel.shape, strict=True))
    output, count = np.zeros(size), np.zeros(size, dtype=int)
    for i, j in np.ndindex(x.shape):
        here = slice(i * stride, i * stride + kernel.shape[0]), slice(j * stride, j * stride + kernel.shape[1])
        output[here] += x[i, j] * kernel
        count[here] += 1
    first = np.zeros(size)
    first[: kernel.shape[0], : kernel.shape[1]] = x[0, 0] * kernel
    second = np.zeros(size)
    second[: kernel.shape[0], stride : stride + kernel.shape[1]] = x[0, 1] * kernel
    panels = (
        (x, None, "map"),
        (kernel, None, "kernel"),
        (first, first != 0, f"copy of cell (0, 0):\n{written(x[0, 0])} · kernel"),
        (second, second != 0, f"copy of cell (0, 1):\n{written(x[0, 1])} · kernel"),
        (output, count > 1, "all copies added,\nframed where they overlap"),
    )
    figure, axes = lay_out(
        [panel.shape for panel, *_ in panels],
        [text for *_, text in panels],
        ("", "→", "+", "+ … ="),
        title=f"A transposed convolution with stride {stride}",
    )
    for ax, (values, marks, _) in zip(axes, panels, strict=True):
        draw_matrix(ax, values, mark=marks, ticks=False)
    return Picture(
        figure,
        f"The map {in_words(x)} and the kernel {in_words(kernel)}. Each cell lays down the kernel times its value, copies lie "
        f"{stride} apart, "
        f"and where they overlap they add up: {in_words(output)}.",
    )


def show_matrix_and_transpose(matrix, names=("image", "output")):
    """Show the matrix of a convolution and its transpose.

    Parameters
    ----------
    matrix : array_like, (outputs, inputs)
    names : (str, str)
        What goes in and what comes out of the convolution.
    """
    matrix = as_matrix("matrix", matrix, float)
    limit = np.abs(matrix).max()
    tall = matrix.shape[1] * 0.31
    figure, axes = plt.subplots(
        1, 2, figsize=(matrix.shape[1] * 0.27 + matrix.shape[0] * 0.27 + 3.2, tall + 1.1), width_ratios=matrix.shape[::-1]
    )
    for ax, values, title in (
        (axes[0], matrix, f"the convolution, {sized(matrix.shape)}:\n{names[0]} in, {names[1]} out"),
        (axes[1], matrix.T, f"its transpose, {sized(matrix.T.shape)}:\n{names[1]} in, {names[0]} out"),
    ):
        ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)  # zero is white
        for (i, j), value in np.ndenumerate(values):
            if value:
                ax.text(j, i, written(value), ha="center", va="center", size=7, color="white" if abs(value) > 0.6 * limit else INK)
        ax.set_xticks(np.arange(values.shape[1] + 1) - 0.5, [])
        ax.set_yticks(np.arange(values.shape[0] + 1) - 0.5, [])
        ax.grid(color=LINE, linewidth=0.6)
        ax.tick_params(length=0)
        ax.set_title(title, size=10)
        ax.set(xlabel="cells that go in", ylabel="cells that come out")
    figure.tight_layout()
    used = np.count_nonzero(matrix)
    return Picture(
        figure,
        f"Two matrices of colored cells. Left the matrix of a convolution, {matrix.shape[0]} rows and {matrix.shape[1]} columns, with "
        f"{used} entries that are "
        "not zero: in each row the kernel's weights, moved further from row to row. Right its transpose: the same weights with rows and "
        "columns exchanged, so that each column holds the kernel.",
    )


def show_loss_curve(losses, title="Training"):
    """Show the loss of every batch, and its running mean over 50 batches.

    Parameters
    ----------
    losses : sequence of float
    title : str
    """
    losses = np.asarray(losses, dtype=float)
    width = min(50, len(losses))
    mean = np.convolve(losses, np.ones(width) / width, mode="valid")
    figure, ax = plt.subplots(figsize=(7.2, 3.2))
    ax.plot(losses, color=LINE, linewidth=0.7, label="each batch")
    ax.plot(np.arange(width - 1, len(losses)), mean, color=BLUE, linewidth=2, label=f"mean of the last {width}")
    ax.set(xlabel="batch", ylabel="cross-entropy", title=title, ylim=(0, None))
    ax.grid(color="#e5e7eb")
    ax.legend(frameon=False)
    figure.tight_layout()
    return Picture(
        figure,
        f"The loss over {len(losses)} batches. Its running mean over {width} batches begins at {mean[0]:.2f} and ends at {mean[-1]:.2f}.",
    )


def show_own_filters(weights):
    """Show the filters of a first layer, (filters, 1, kH, kW), all on one scale centred on zero."""
    weights = np.asarray(weights, dtype=float)[:, 0]
    limit, columns = np.abs(weights).max(), min(8, len(weights))
    rows = -(-len(weights) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.15 * columns + 0.9, 1.35 * rows + 0.5), squeeze=False, layout="constrained")
    for number, ax in enumerate(axes.flat):
        ax.axis("off")
        if number < len(weights):
            shown = ax.imshow(weights[number], cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(f"filter {number}", size=9)
    figure.suptitle("What the first layer has learned: blue is negative, white zero, red positive", size=11)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="weight")
    return Picture(
        figure,
        f"The {len(weights)} filters of the first layer, {sized(weights.shape[1:])} each, from {written(weights.min())} to "
        f"{written(weights.max())}.",
    )
