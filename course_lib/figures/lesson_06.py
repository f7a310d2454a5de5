"""Figures of lesson 6: the network, its training, its mistakes, what its filters see, and what a shift does to it."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from .drawing import BLUE, INK, LINE, MARK_EDGE, MARK_FILL, QUIET, TONES, Picture

_STYLES = ((BLUE, "-", "o"), (MARK_EDGE, "--", "s"), (INK, ":", "^"), (QUIET, "-.", "D"))  # told apart by dashes and markers too


def show_lenet():
    """LeNet-5 as it is built today: the stack of maps after each layer, drawn to scale, and the rows of numbers at its end."""
    maps = [("digit", 1, 28), ("C1", 6, 28), ("S2", 6, 14), ("C3", 16, 10), ("S4", 16, 5)]
    rows = [("C5", 120), ("F6", 84), ("output", 10)]
    between = [
        "5×5 convolution\npadding 2, ReLU",
        "2×2 maximum",
        "5×5 convolution\nReLU",
        "2×2 maximum",
        "dense\nReLU",
        "dense\nReLU",
        "dense",
    ]
    figure, ax = plt.subplots(figsize=(11.5, 3.4))
    left, ends = 0.0, []
    for number, (name, count, size) in enumerate(maps):
        step = 0.9 if count < 16 else 0.5
        for index in range(count):
            corner = left + index * step, -size / 2 - index * step
            fill = TONES[number % 2] if number else "white"
            ax.add_patch(plt.Rectangle(corner, size, size, facecolor=fill, edgecolor=LINE, linewidth=0.8))
        width = size + (count - 1) * step
        ax.text(left + width / 2, 19, name, ha="center", va="bottom", size=11, weight="bold", color=INK)
        ax.text(left + width / 2, 18.5, f"{count}×{size}×{size}", ha="center", va="top", size=9.5, color=INK)
        ends.append((left, left + width))
        left += width + 17
    for name, count in rows:
        tall = count / 4
        ax.add_patch(plt.Rectangle((left, -tall / 2), 3, tall, facecolor=TONES[2], edgecolor=LINE, linewidth=0.8))
        ax.text(left + 1.5, 19, name, ha="center", va="bottom", size=11, weight="bold", color=INK)
        ax.text(left + 1.5, 18.5, f"{count}", ha="center", va="top", size=9.5, color=INK)
        ends.append((left, left + 3))
        left += 20
    for (_, right), (start, _), text in zip(ends, ends[1:], between, strict=False):
        ax.annotate("", (start - 1, 0), (right + 1, 0), arrowprops={"arrowstyle": "->", "color": QUIET})
        ax.text((right + start) / 2, -19, text, ha="center", va="top", size=8.5, color=INK)
    ax.set(xlim=(-3, left - 12), ylim=(-26, 24), aspect="equal")
    ax.axis("off")
    ax.set_title("LeNet-5: each stack holds the maps after one layer", size=12, color=INK)
    figure.tight_layout()
    words = [f"{name} {count}×{size}×{size}" for name, count, size in maps] + [f"{name} {count}" for name, count in rows]
    return Picture(
        figure, f"LeNet-5, layer by layer: {', '.join(words)}. Between them: {'; '.join(text.replace(chr(10), ', ') for text in between)}."
    )


def show_training(histories, window=40):
    """How trainings went: the loss step by step, and what share of the test digits was right after each epoch.

    Parameters
    ----------
    histories : mapping of str to course_lib.training.History
        One line each.
    window : int
        Steps whose mean is drawn: single batches jump up and down.
    """
    figure, (losses, accuracy) = plt.subplots(1, 2, figsize=(10.5, 3.7), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.15)  # inches: else the right panel's label touches the left panel
    words = []
    for (name, history), (color, dashes, marker) in zip(histories.items(), _STYLES, strict=False):
        smooth = np.convolve(history.losses, np.ones(window) / window, mode="valid")
        epochs = len(history.test_accuracy)
        steps = (np.arange(len(smooth)) + (window + 1) / 2) * epochs / len(history.losses)
        losses.plot(steps, smooth, color=color, linestyle=dashes, label=name)
        reached = 100 * np.array(history.test_accuracy)
        accuracy.plot(range(1, epochs + 1), reached, color=color, linestyle=dashes, marker=marker, label=name)
        for epoch, value in enumerate(reached, 1):
            accuracy.annotate(f"{value:.2f}", (epoch, value), xytext=(0, 7), textcoords="offset points", ha="center", size=8.5, color=color)
        told = ", ".join(f"{value:.2f} %" for value in reached)
        words.append(f"{name}: the loss falls from {smooth[0]:.2f} to {smooth[-1]:.3f}; right after each epoch: {told}")
    losses.set(yscale="log", xlabel="epochs", ylabel="cross-entropy (log scale)")
    losses.yaxis.set_major_locator(FixedLocator([digit * 10.0**power for power in range(-5, 3) for digit in (1, 2, 5)]))
    losses.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    losses.yaxis.set_minor_locator(NullLocator())
    losses.set_title(f"Loss, mean of {window} steps", size=11)
    accuracy.set(xlabel="epochs", ylabel="test digits right, in %")
    accuracy.set_title("Accuracy on the test digits", size=11)
    accuracy.set_xticks(range(1, max(len(history.test_accuracy) for history in histories.values()) + 1))
    accuracy.margins(x=0.12, y=0.15)
    for ax in (losses, accuracy):
        ax.grid(color="#e5e7ea")
        ax.legend(fontsize=9, loc="best")
    return Picture(figure, f"Training. {'. '.join(words)}.")


def show_confusion(matrix, title="What the digits were taken for"):
    """A confusion matrix: rows are the true digits, columns the answers; mistakes are the darker the more there are of them.

    Parameters
    ----------
    matrix : array_like of int, (classes, classes)
        Counts.
    """
    matrix = np.asarray(matrix)
    classes = len(matrix)
    mistakes = matrix * ~np.eye(classes, dtype=bool)
    figure, ax = plt.subplots(figsize=(6.2, 5.4), layout="constrained")
    shown = ax.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(1, mistakes.max()))
    for (row, column), count in np.ndenumerate(matrix):
        dark = mistakes[row, column] > 0.6 * mistakes.max()
        color = "white" if dark and row != column else INK if count else QUIET
        ax.text(column, row, f"{count}", ha="center", va="center", size=9 if row == column else 10, color=color)
        if row == column:
            ax.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor="none", edgecolor=LINE, linewidth=1.2))
    ax.set(xticks=range(classes), yticks=range(classes), xlabel="taken for", ylabel="the digit is a")
    ax.set_title(title, size=12)
    scale = figure.colorbar(shown, ax=ax, shrink=0.8, label="mistakes (the diagonal is not colored)")
    scale.locator = MaxNLocator(integer=True)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:3]
    worst = [np.unravel_index(place, mistakes.shape) for place in order]
    told = ", ".join(f"{mistakes[place]} times a {place[0]} for a {place[1]}" for place in worst)
    return Picture(figure, f"{title}: {np.trace(matrix)} of {matrix.sum()} right. The commonest mistakes: {told}.")


def show_mistakes(images, mistakes, columns=6):
    """Images that a network got wrong, each with what it is and what it was taken for.

    Parameters
    ----------
    images : ndarray, (N, H, W)
        All of them: a mistake knows its index.
    mistakes : sequence of course_lib.training.Mistake
    """
    rows = -(-len(mistakes) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(1.65 * columns, 2.05 * rows + 0.4), squeeze=False, layout="constrained")
    for ax in axes.ravel():
        ax.axis("off")
    for ax, mistake in zip(axes.ravel(), mistakes, strict=False):
        ax.imshow(images[mistake.index], cmap="gray_r", interpolation="nearest")
        ax.set_title(f"a {mistake.label}, taken for\na {mistake.predicted} ({100 * mistake.confidence:.0f} % sure)", size=9, color=INK)
    figure.suptitle("The worst mistakes: the right digit was held least probable", size=12)
    told = "; ".join(f"a {one.label} taken for a {one.predicted}, {100 * one.confidence:.0f} % sure" for one in mistakes)
    return Picture(figure, f"{len(mistakes)} digits that the network got wrong: {told}.")


def show_responses(image, filters, maps, names, title):
    """An image, and below each filter what it makes of that image.

    Parameters
    ----------
    image : ndarray, (H, W)
    filters : sequence of ndarray, (kH, kW)
        Signed: each is shown on a scale of its own, centred on zero.
    maps : sequence of ndarray, (H, W)
        Signed, all on one scale, centred on zero.
    names : sequence of str
        One for each filter.
    """
    count, bound = len(filters), max(float(np.abs(one).max()) for one in maps) or 1.0
    figure, axes = plt.subplots(2, count + 1, figsize=(1.55 * (count + 1) + 0.8, 3.7), layout="constrained")
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
    axes[0, 0].axis("off")
    axes[0, 0].text(1.0, 0.5, "filter", ha="right", va="center", size=11, transform=axes[0, 0].transAxes)
    axes[1, 0].imshow(image, cmap="gray_r", interpolation="nearest")
    axes[1, 0].set_title("the digit", size=9.5)
    for ax, below, kernel, response, name in zip(axes[0, 1:], axes[1, 1:], filters, maps, names, strict=True):
        own = float(np.abs(kernel).max()) or 1.0
        ax.imshow(kernel, cmap="RdBu_r", vmin=-own, vmax=own, interpolation="nearest")
        ax.set_title(name, size=9.5)
        shown = below.imshow(response, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    figure.colorbar(shown, ax=axes[1, :], shrink=0.9, label="answer")
    figure.suptitle(title, size=12)
    told = "; ".join(f"{name}: answers from {one.min():.2f} to {one.max():.2f}" for name, one in zip(names, maps, strict=True))
    return Picture(figure, f"{title}. Filters above, the map that each makes of the digit below; red is positive, blue negative. {told}.")


def show_accuracy_by_shift(shifts, curves):
    """What share of digits is right when all are moved.

    Parameters
    ----------
    shifts : sequence of int
        Pixels, down and to the right alike.
    curves : mapping of str to sequence of float
        For each network the share that is right, from 0 to 1.
    """
    figure, ax = plt.subplots(figsize=(7.6, 4.1), layout="constrained")
    for number, ((name, values), (color, dashes, marker)) in enumerate(zip(curves.items(), _STYLES, strict=False)):
        percent = 100 * np.asarray(values)
        ax.plot(shifts, percent, color=color, linestyle=dashes, marker=marker, label=name)
        for shift, value in zip(shifts, percent, strict=True):
            offset = (0, 7 if number == 0 else -14)
            ax.annotate(f"{value:.1f}", (shift, value), xytext=offset, textcoords="offset points", ha="center", size=8.5, color=color)
    ax.axhline(10, color=LINE, linewidth=0.8)
    ax.text(shifts[0], 10.8, "guessing", size=8.5, color=QUIET)
    ax.set(xticks=shifts, xlabel="pixels down, and as many to the right", ylabel="digits right, in %", ylim=(0, 108))
    ax.margins(x=0.08)
    ax.grid(color="#e5e7ea")
    ax.legend(fontsize=9)
    ax.set_title("Moved digits: how many are still right", size=12)
    told = ". ".join(
        f"{name}: {', '.join(f'{100 * value:.1f} % at {shift}' for shift, value in zip(shifts, values, strict=True))}"
        for name, values in curves.items()
    )
    return Picture(figure, f"Share of digits that are right when all are moved by so many pixels down and right. {told}.")


def show_bars(names, groups, title):
    """Accuracies side by side: for each name a group of bars.

    Parameters
    ----------
    names : sequence of str
        Under the groups.
    groups : mapping of str to sequence of float
        From a label to one accuracy, from 0 to 1, for each name.
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.9), layout="constrained")
    width, fills = 0.8 / len(groups), (("white", "///"), (MARK_FILL, ""))
    least = min(min(values) for values in groups.values())
    for number, ((label, values), (fill, hatch)) in enumerate(zip(groups.items(), fills, strict=False)):
        places = np.arange(len(names)) + (number - (len(groups) - 1) / 2) * width
        bars = ax.bar(places, 100 * np.asarray(values), width, label=label, facecolor=fill, edgecolor=INK, hatch=hatch, linewidth=0.8)
        ax.bar_label(bars, fmt="%.2f", size=9, padding=2)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="test digits right, in %", ylim=(np.floor(100 * least) - 1, 100.6))
    ax.set_title(f"{title} (the axis does not start at 0)", size=11.5)
    figure.legend(fontsize=9, loc="outside lower center", ncols=len(groups))
    told = "; ".join(f"{name}, {label}: {100 * values[n]:.2f} %" for n, name in enumerate(names) for label, values in groups.items())
    return Picture(figure, f"{title}. {told}.")
