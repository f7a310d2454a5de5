"""Output-size lab: how large the output is, which pixels no window ever covers, and how often each is covered."""

import numpy as np

from .board import Explorer, cells, film, heading, remark, row, said, slider

RANGES = {"size": (1, 16), "kernel": (1, 7), "padding": (0, 3), "stride": (1, 4), "dilation": (1, 3)}
START = {"size": 8, "kernel": 3, "padding": 0, "stride": 2, "dilation": 1}
LABELS = {"size": "input size"}
TOUR = ({}, {"padding": 1}, {"stride": 1}, {"dilation": 2}, {"kernel": 2, "stride": 3})  # what is shown where nothing can be moved


def output_size():
    """Move size, kernel, padding, stride and dilation, and see the formula with its numbers and what each pixel gives to the output.

    Returns
    -------
    OutputSize
        Shows itself in a notebook.
    """
    return OutputSize()


class OutputSize(Explorer):
    """The explorer that `output_size` returns."""

    title = "Output-size lab"
    summary = "See how size, kernel, padding, stride and dilation make the output's size, and which pixels no window covers."

    def __init__(self):
        self.numbers = dict(START)

    # ------------------------------------------------------------------------------------------------ the arithmetic

    @property
    def span(self):
        """Pixels from the first to the last tap of a window."""
        return self.numbers["dilation"] * (self.numbers["kernel"] - 1) + 1

    @property
    def padded(self):
        return self.numbers["size"] + 2 * self.numbers["padding"]

    @property
    def output(self):
        """The output's size; 0 where no window fits."""
        from ..arithmetic import output_size

        return output_size(**self.numbers) if self.span <= self.padded else 0

    @property
    def taps(self):
        """What each window covers: a mask (output, padded)."""
        covered = np.zeros((self.output, self.padded), dtype=bool)
        for window in range(self.output):
            start = window * self.numbers["stride"]
            covered[window, start : start + self.span : self.numbers["dilation"]] = True
        return covered

    @property
    def counts(self):
        """How many windows cover each pixel of the input, along one axis (size,)."""
        edge = self.numbers["padding"]
        return self.taps.sum(axis=0)[edge : edge + self.numbers["size"]]

    def formula(self):
        """The formula with the numbers in it, as a line."""
        n, k, p, s, d = (self.numbers[name] for name in ("size", "kernel", "padding", "stride", "dilation"))
        above = self.padded - self.span
        line = f"⌊({n} + 2·{p} − {d}·({k} − 1) − 1) / {s}⌋ + 1"
        if above < 0:
            return f"{line}: above the line stands {above}".replace("-", "−")
        return f"{line} = ⌊{above} / {s}⌋ + 1 = {above // s} + 1 = {self.output}"

    # ------------------------------------------------------------------------------------------------ what a reader does

    def do_size(self, value):
        self.numbers["size"] = int(value)

    def do_kernel(self, value):
        self.numbers["kernel"] = int(value)

    def do_padding(self, value):
        self.numbers["padding"] = int(value)

    def do_stride(self, value):
        self.numbers["stride"] = int(value)

    def do_dilation(self, value):
        self.numbers["dilation"] = int(value)

    # ------------------------------------------------------------------------------------------------ what is seen

    def page(self, live):
        return heading(self.title) + (self._controls() if live else self._settings()) + self._sentences() + self._tables()

    def still(self):
        """A tour of what the numbers do."""
        frames = []
        for change in TOUR:
            explorer = OutputSize()
            explorer.numbers |= change
            frames.append(explorer.page(live=False))
        return film(frames, seconds=3)

    def _controls(self):
        return row(*(slider(name, LABELS.get(name, name), self.numbers[name], *bounds) for name, bounds in RANGES.items()))

    def _settings(self):
        return remark(", ".join(f"{LABELS.get(name, name)} {value}" for name, value in self.numbers.items()) + ".")

    def _sentences(self):
        formula = f"<p class='explorer-formula'>output size = {self.formula()}</p>"
        if not self.output:
            told = f"The kernel spans {_pixels(self.span)}, and the padded input has only {self.padded}: no window fits."
            return formula + said(told, "bad")
        return formula + said(f"Output size {self.output}. {self._lost()}")

    def _lost(self):
        """Which pixels no window covers, and why, in words."""
        unseen = np.flatnonzero(self.counts == 0)
        if not len(unseen):
            return "Every pixel is covered by at least one window."
        listed = ", ".join(map(str, unseen))
        last = int(np.flatnonzero(self.counts)[-1]) if self.counts.any() else -1
        why = "the next window would reach past the edge" if (unseen > last).all() else "the taps pass over"
        if (unseen > last).any() and not (unseen > last).all():
            why = "the taps pass over, and beyond the last window"
        return f"Never seen, along each axis: pixel{'s' * (len(unseen) > 1)} {listed} ({why})."

    def _tables(self):
        edge, size = self.numbers["padding"], self.numbers["size"]
        if not self.output:
            return "<div></div>"
        taps, counts = self.taps, self.counts
        outside = np.pad(np.zeros(size, dtype=bool), edge, constant_values=True)
        marks = {"padding": np.broadcast_to(outside, taps.shape), "window": taps}
        dots = {place: "●" if taps[place] else "" for place in np.ndindex(*taps.shape)}
        windows = cells(taps, "one axis: a row for each window, ● where its taps lie", marks=marks, texts=dots, first=(0, -edge))
        each = np.outer(counts, counts)
        both = cells(each, "both axes: how many windows cover each pixel", marks={"unseen": each == 0}, tints=each / max(each.max(), 1))
        return f"<div class='explorer-row explorer-small'>{windows}{both}</div>"


def _pixels(count):
    return f"{count} pixel{'s' * (count != 1)}"
