"""Figures of lesson 2: one axis, strides, channels, dilation, groups, convolution as a matrix, and speed."""

import matplotlib.pyplot as plt
import numpy as np

from .drawing import BLUE, INK, LINE, MARK_EDGE, MARK_FILL, TONES, Picture, bare_axes, draw_grid, number_text


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
        draw_grid(ax, [[str(n) for n in range(size)]])
        for n in unused:
            ax.add_patch(plt.Rectangle((n, 0), 1, 1, facecolor="none", edgecolor=LINE, hatch="///"))
        for number, start in enumerate(starts):
            y = 1.75 + 0.9 * number
            ax.plot([start + 0.1, start + span - 0.1], [y, y], color=BLUE, linewidth=2)
            for tap in range(kernel):
                ax.add_patch(plt.Rectangle((start + tap * dilation + 0.2, y - 0.3), 0.6, 0.6, color=BLUE))
        options = f"kernel {kernel}" + (f", stride {stride}" if stride > 1 else "") + (f", dilation {dilation}" if dilation > 1 else "")
        note = f", pixel {unused[0]} unused" if unused else ""
        ax.set_title(f"{size} pixels, {options}:\n{len(starts)} windows{note}", size=11)
        bare_axes(ax, max(size for size, *_ in rows), 6)
        words.append(f"{size} pixels, {options}: windows start at {', '.join(map(str, starts))}{note}")
    figure.tight_layout()
    return Picture(figure, "Windows along one axis, each drawn as a bar under the pixels it covers. " + ". ".join(words) + ".")


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
        draw_grid(ax, [np.pad(row, width, mode=mode)], mark=added, top=top)
        ax.text(-0.3, top + 0.5, label, ha="right", va="center", size=11)
    ax.set_title(f"The row {' '.join(map(str, row))}, padded by {width} on each side (added pixels framed)", size=12)
    bare_axes(ax, size, 1.35 * len(modes) - 0.35)
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
        ax.add_patch(plt.Rectangle((j, i), 1, 1, facecolor="white", edgecolor=LINE, hatch=None if covered else "///"))
    for row in downs:
        for column in acrosses:
            inset = 0.1
            frame = plt.Rectangle((column + inset, row + inset), kernel - 2 * inset, kernel - 2 * inset)
            frame.set(facecolor="none", edgecolor=BLUE, linewidth=2)
            ax.add_patch(frame)
            ax.plot(column + 0.5, row + 0.5, "o", color=MARK_EDGE, markersize=11)
    bare_axes(ax, width, height)
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
        ax.add_patch(plt.Rectangle(corner, width, height, facecolor=tone, edgecolor=INK, linewidth=1.2))
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
    _box(ax, 0, middle, 4, 4, channels, TONES, f"image\n({channels}, H, W)")
    for layer in reversed(range(channels)):  # the window, through all sheets
        ax.add_patch(plt.Rectangle((0.5 + 0.32 * layer, middle + 0.6 - 0.32 * layer), 1.2, 1.2, fc=MARK_FILL, ec=MARK_EDGE, linewidth=2))
    for number in range(filters):
        y = 3.6 * number + 0.6
        _box(ax, 8.2, y, 1.2, 1.2, channels, TONES, f"filter {number}\n({channels}, kH, kW)")
        ax.annotate("", (7.8, y + 0.5), (5.0, middle + 1.6), arrowprops={"arrowstyle": "->", "color": LINE})
        step = f"multiply, add all\n{channels} x kH x kW products,\nadd bias b[{number}]"
        ax.text(12.8, y - 0.1, step, ha="center", va="center", size=10)
        ax.annotate("", (15.2, y + 1.2), (10.4, y + 1.2), arrowprops={"arrowstyle": "->", "color": INK})
        _box(ax, 15.6, y - 0.5, 2.6, 2.2, 1, "white", f"feature map {number}")
        ax.add_patch(plt.Rectangle((15.9, y - 0.2), 0.4, 0.4, facecolor=MARK_FILL, edgecolor=MARK_EDGE, linewidth=2))
    bare_axes(ax, 18.6, total + 0.4, margin=0.4)
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
        tone = TONES[c % len(TONES)]
        draw_grid(ax, window[c], f"window, channel {c}", top=top, fill=tone)
        draw_grid(ax, kernel[c], f"filter, channel {c}", left=width + 3, top=top, fill=tone)
        draw_grid(ax, window[c] * kernel[c], "products", left=2 * width + 6, top=top, fill=tone)
        for x, sign in ((width + 1.5, "×"), (2 * width + 4.5, "=")):
            ax.text(x, middle, sign, ha="center", va="center", size=16)
        ax.text(3 * width + 6.8, middle, f"sum {number_text(sums[c])}", va="center", size=12)
    bottom = channels * (height + 1.4) - 0.5
    parts = " + ".join(number_text(s) if s >= 0 else f"({number_text(s)})" for s in sums)
    total = f"{parts} + bias {number_text(bias)} = {number_text(sums.sum() + bias)}"
    ax.text(1.5 * width + 4, bottom + 0.2, f"one output value:  {total}", ha="center", va="center", size=13, weight="bold")
    bare_axes(ax, 3 * width + 10, bottom + 0.4)
    ax.set_ylim(bottom + 0.8, -1.2)
    ax.set_title("All channels of one window add up to one number", size=12)
    return Picture(figure, f"{channels} channels of a window times the filter's channels, each summed: {total}.")


def show_dilation(kernel, dilations, size):
    """Show which pixels a square kernel touches at several dilations, its top left tap on pixel (0, 0)."""
    figure, axes = plt.subplots(1, len(dilations), figsize=(3.3 * len(dilations), 3.7))
    for ax, dilation in zip(axes, dilations, strict=True):
        mask = _covered((size, size), (0, 0), (kernel, kernel), dilation)
        draw_grid(ax, np.full((size, size), ""), mark=mask)
        for row, column in np.argwhere(mask):
            ax.plot(column + 0.5, row + 0.5, "o", color=MARK_EDGE)
        span = np.flatnonzero(mask.any(axis=0))[-1] + 1
        frame = plt.Rectangle((0, 0), span, span, facecolor="none", edgecolor=BLUE, linewidth=3, zorder=4)
        ax.add_patch(frame)
        bare_axes(ax, size, size)
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
                ax.plot([0.45, 2.55], [c, o], color=(BLUE, MARK_EDGE)[group % 2], linestyle=("-", "--")[group % 2], linewidth=1.5)
                wires += 1
        for x, count, letter in ((0, inputs, "in"), (3, outputs, "out")):
            for n in range(count):
                ax.text(x, n, f"{letter} {n}", ha="center", va="center", size=10, bbox={"boxstyle": "round", "fc": "white", "ec": INK})
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
    draw_grid(ax, image, "image", mark=_covered(image.shape, window, kernel.shape), left=left, top=middle - image.shape[0] / 2)
    left += image.shape[1] + 2.2
    ax.annotate("", (left - 0.4, middle), (left - 1.8, middle), arrowprops={"arrowstyle": "->", "color": INK})
    draw_grid(ax, matrix, "one row for each window", mark=marked_row, left=left, top=middle - len(matrix) / 2)
    left += matrix.shape[1] + 1.3
    ax.text(left - 0.65, middle, "@", ha="center", va="center", size=15)
    draw_grid(ax, kernel.reshape(-1, 1), "kernel", left=left, top=middle - kernel.size / 2, fill=TONES[0])
    left += 2.3
    ax.text(left - 0.65, middle, "=", ha="center", va="center", size=15)
    draw_grid(ax, output.reshape(-1, 1), "product", mark=marked_value, left=left, top=middle - len(matrix) / 2)
    left += 3.2
    ax.annotate("", (left - 0.4, middle), (left - 1.8, middle), arrowprops={"arrowstyle": "->", "color": INK})
    draw_grid(ax, output.reshape(rows, columns), "feature map", mark=marked_cell, left=left, top=middle - rows / 2)
    bare_axes(ax, left + columns, high)
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
    draw_grid(ax, text, mark=matrix != 0, size=9)
    bare_axes(ax, matrix.shape[1], matrix.shape[0])
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
    bars = ax.barh(names, milliseconds, color=[LINE if name == baseline else BLUE for name in names])
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
