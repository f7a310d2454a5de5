"""Sliding window: a kernel goes over an image step by step, and the reader says beforehand what comes out."""

import copy

import numpy as np

from .board import (
    MINUS,
    Explorer,
    Operation,
    button,
    cells,
    film,
    heading,
    library_conv2d,
    number,
    question,
    remark,
    row,
    said,
    slider,
    switch,
    written,
)

IMAGE = ((0, 1, 2, 0, 1), (3, 0, 1, 2, 0), (1, 2, 0, 4, 1), (0, 1, 3, 0, 2))  # no pattern: every window gives something of its own
KERNEL = ((1, 2), (0, -1))  # unlike itself however it is turned, so that no slip goes unnoticed
LARGEST = {"image": 8, "kernel": 4}
MOST_FRAMES = 12
PACE = 900  # milliseconds for each window while it plays

# Slips of the checks (`course_lib.checks.lesson_02`) that somebody can make with a pencil: in a window, and in where it lies.
LIKELY_SLIPS = ("flipped-kernel", "kernel-ignored", "mean-for-sum", "max-for-sum")
RARE_SLIPS = ("transposed-kernel", "matrix-product", "rows-flipped", "columns-flipped")
PADDING_SLIPS = ("never-padded", "edge-padding", "padded-with-ones", "mirror-padding", "reflect-padding", "wrap-padding")
STRIDE_SLIPS = ("stride-ignored", "stride-plus-one", "kernel-as-stride", "dilation-for-stride", "pixels-skipped", "padding-ignored")
DILATION_SLIPS = ("dilation-ignored", "one-gap-too-many", "stride-for-dilation", "both-stride-and-dilation")


def sliding_window(image=IMAGE, kernel=KERNEL, conv2d=None):
    """Slide a kernel over an image, window by window, and predict each value before it is shown.

    Parameters
    ----------
    image : array_like, (H, W)
        At most 8 rows and columns; every number can be changed in the explorer.
    kernel : array_like, (kH, kW)
        At most 4 rows and columns.
    conv2d : callable, optional
        The function that fills the output: `conv2d(image, kernel)`, perhaps with `padding`, `stride` and `dilation`. By default the
        library's.

    Returns
    -------
    SlidingWindow
        Shows itself in a notebook.

    Raises
    ------
    ValueError
        For an image or a kernel that is no matrix of numbers, or is too large to be shown.
    """
    return SlidingWindow(image, kernel, conv2d)


class SlidingWindow(Explorer):
    """The explorer that `sliding_window` returns."""

    title = "Sliding window"
    summary = "Slide a kernel over an image, step by step, and predict each value before it is shown."

    def __init__(self, image=IMAGE, kernel=KERNEL, conv2d=None):
        self.image, self.kernel = _matrix("image", image), _matrix("kernel", kernel)
        self.options = {"padding": 0, "stride": 1, "dilation": 1}
        self.operation = Operation(conv2d)
        self.asking, self.playing, self.typed = True, False, ""
        self._start()

    # ------------------------------------------------------------------------------------------------ the arithmetic

    @property
    def shape(self):
        """The output's size (oH, oW); (0, 0) where the window does not fit."""
        padding, stride, dilation = self.options.values()  # by hand: an explorer can be made where the library's arithmetic is not
        spare = [n + 2 * padding - dilation * (k - 1) - 1 for n, k in zip(self.image.shape, self.kernel.shape, strict=True)]
        return tuple(n // stride + 1 for n in spare) if min(spare) >= 0 else (0, 0)

    def window(self, at):
        """The padded image's rows and columns, as an index, that the window of output `at` lies on."""
        stride, dilation = self.options["stride"], self.options["dilation"]
        return np.ix_(*(i * stride + dilation * np.arange(k) for i, k in zip(at, self.kernel.shape, strict=True)))

    @property
    def padded(self):
        return np.pad(self.image, self.options["padding"])

    def products(self, at):
        """What lies under the window, times the kernel, entry by entry (kH, kW)."""
        return self.padded[self.window(at)] * self.kernel

    def slip(self, at, answer):
        """The known slip, as (name, sentence), that gives this wrong answer for the window `at`; None where there is none."""
        right = float(self.products(at).sum())
        for name, sentence, value in self._slips(at):
            if not _same(value, right) and _same(value, answer):
                return name, sentence
        for place, value in np.ndenumerate(library_conv2d(self.image, self.kernel, **self.options)):
            if _same(value, answer):
                return "another window", f"That is the value at row {place[0]}, column {place[1]}. Look where the frame lies now."
        return None

    def _slips(self, at):
        """(name, sentence, wrong value) of each slip that applies here, likely ones first."""
        from ..checks.lesson_02 import CONV2D, CONV2D_DILATED, CONV2D_PADDED, CONV2D_STRIDED

        padding, stride, dilation = self.options.values()
        padded, window = self.padded, self.padded[self.window(at)]
        calls = [(CONV2D, LIKELY_SLIPS, (0, 0), (window, self.kernel))]  # exercise, slips, place, arguments
        if dilation == 1 and padding:
            calls.append((CONV2D_PADDED, PADDING_SLIPS, tuple(stride * i for i in at), (self.image, self.kernel, padding)))
        if dilation == 1 and stride > 1:
            calls.append((CONV2D_STRIDED, STRIDE_SLIPS, at, (self.image, self.kernel, padding, stride)))
        if dilation > 1 and stride == 1:
            calls.append((CONV2D_DILATED, DILATION_SLIPS, at, (padded, self.kernel, dilation)))
        calls.append((CONV2D, RARE_SLIPS, (0, 0), (window, self.kernel)))
        for exercise, slugs, place, arguments in calls:
            for slip in _chosen(exercise, slugs):
                yield slip.slug, slip.sentence, _value(slip.answer, place, *arguments)
        sign = "A minus sign got lost: a negative weight takes away what lies under it."
        yield "sign-lost", sign, float((window * np.abs(self.kernel)).sum())

    # ------------------------------------------------------------------------------------------------ what a reader does

    def _start(self):
        """Begin again at the first window, with an empty output."""
        self.at, self.playing, self.judgement, self.typed = (0, 0), False, ("", ""), ""
        self.seen = np.zeros(self.shape, dtype=bool)
        self._run()

    def _run(self):
        """Fill the output anew: run the function once for each change, not for each page."""
        self._computed = None

    @property
    def output(self):
        """What the function answers (oH, oW), and what was wrong with it in words."""
        if self._computed is None:
            self._computed = self.operation(self.image, self.kernel, **self.options)
        return self._computed

    @property
    def wrong(self):
        """Where the function's values are not the sums of the products (oH, oW)."""
        right = library_conv2d(self.image, self.kernel, **self.options)
        return ~np.isclose(self.output[0], right, rtol=1e-4, atol=1e-5)

    @property
    def done(self):
        return bool(self.seen.all())

    def _go(self, places):
        """Move on in reading order; stay inside."""
        flat = np.ravel_multi_index(self.at, self.shape) + places
        self.at = tuple(int(i) for i in np.unravel_index(min(max(flat, 0), self.seen.size - 1), self.shape))
        self.judgement, self.typed = ("", ""), ""

    def _reveal(self):
        self.seen[self.at] = True
        if not self.judgement[0].startswith("Right"):
            self.judgement = "", ""

    def do_step(self, _value):
        """Show the value of this window; from a window that is shown already, go on to the next."""
        if not self.seen.size:
            return
        if not self.seen[self.at]:
            self._reveal()
        elif not self.done:
            self._go(1)
            if not self.asking:
                self._reveal()

    def do_back(self, _value):
        if self.seen.size:
            self.seen[self.at] = False
            self._go(-1)

    def do_again(self, _value):
        self._start()

    def do_play(self, _value):
        self.playing = not self.playing and self.seen.size > 0
        if self.playing and self.done:
            self._start()
            self.playing = True

    def do_tick(self, _value):
        """While it plays: one window more."""
        if self.playing and self.seen[self.at] and not self.done:
            self._go(1)
        if self.playing:
            self._reveal()
        self.playing = self.playing and not self.done

    def do_go(self, value):
        """Go to the window of an output cell."""
        self.at, self.judgement, self.typed, self.playing = tuple(map(int, value.split(","))), ("", ""), "", False
        if not self.asking:
            self._reveal()

    def do_asking(self, value):
        self.asking = value == "on"

    def do_predict(self, value):
        """Judge what somebody says goes here."""
        self.typed = value
        answer = number(value)
        if answer is None:
            self.judgement = f"“{value}” is not a number." if value.strip() else "Type a number first.", "bad"
            return
        products = self.products(self.at)
        if _same(answer, products.sum()):
            self.judgement = "Right.", "good"
            self.seen[self.at] = True
        elif found := self.slip(self.at, answer):
            name, sentence = found
            self.judgement = f"Not {written(answer)}. It looks like a known slip, {name.replace('-', ' ')}: {sentence}", "bad"
        else:
            self.judgement = f"Not {written(answer)}. Multiply what lies under the frame by the kernel, entry by entry, and add up.", "bad"

    def _edit(self, matrix, value):
        i, j, text = value.split(",", 2)
        new = number(text)
        if new is None:
            self.judgement = f"“{text}” is not a number; the cell keeps {written(matrix[int(i), int(j)])}.", "bad"
            return
        matrix[int(i), int(j)] = new
        self.judgement, self.typed = ("", ""), ""
        self._run()

    def do_image(self, value):
        self._edit(self.image, value)

    def do_kernel(self, value):
        self._edit(self.kernel, value)

    def _set(self, option, value):
        self.options[option] = int(value)
        self._start()

    def do_padding(self, value):
        self._set("padding", value)

    def do_stride(self, value):
        self._set("stride", value)

    def do_dilation(self, value):
        self._set("dilation", value)

    def _resize(self, name, axis, value):
        old = getattr(self, name)
        shape = list(old.shape)
        shape[axis] = int(value)
        setattr(self, name, np.resize(old, shape) if axis == 0 else np.resize(old.T, shape[::-1]).T.copy())
        self._start()

    def do_image_rows(self, value):
        self._resize("image", 0, value)

    def do_image_columns(self, value):
        self._resize("image", 1, value)

    def do_kernel_rows(self, value):
        self._resize("kernel", 0, value)

    def do_kernel_columns(self, value):
        self._resize("kernel", 1, value)

    # ------------------------------------------------------------------------------------------------ what is seen

    def page(self, live):
        return heading(self.title, self.operation.whose) + self._tables(live) + self._sentences() + (self._controls() if live else "")

    def still(self):
        """The window on its way over the image."""
        places = list(np.ndindex(*self.shape))
        frames = [self._frame(at) for at in places[:: -(-len(places) // MOST_FRAMES)]] if places else [self]
        return film([frame.page(live=False) for frame in frames])

    def _frame(self, at):
        frame = copy.copy(self)
        frame.at = at
        flat = np.arange(self.seen.size).reshape(self.shape)
        frame.seen, frame.judgement = flat <= flat[at], ("", "")
        return frame

    def _tables(self, live):
        edge = self.options["padding"]
        padded = self.padded
        outside = np.pad(np.zeros(self.image.shape, dtype=bool), edge, constant_values=True)
        image, kernel = ("image", "kernel") if live else (None, None)
        if not self.seen.size:
            return row(
                cells(padded, "image", do=image, marks={"padding": outside}, first=(-edge, -edge)), cells(self.kernel, "kernel", do=kernel)
            )
        here = np.zeros(padded.shape, dtype=bool)
        here[self.window(self.at)] = True
        shown = bool(self.seen[self.at])
        hidden = np.full(self.kernel.shape, not shown)
        now = np.zeros(self.shape, dtype=bool)
        now[self.at] = True
        values, _ = self.output
        wrong = self.seen & self.wrong
        blanks = {place: "?" if place == self.at else "·" for place in np.ndindex(*self.shape) if not self.seen[place]}
        products = self.products(self.at)
        return row(
            cells(padded, "image", do=image, marks={"padding": outside, "window": here}, first=(-edge, -edge)),
            cells(self.kernel, "kernel", do=kernel),
            cells(products, "products", marks={"hidden": hidden}, texts={} if shown else dict.fromkeys(np.ndindex(*hidden.shape), "·")),
            cells(
                values, "output", pick="go" if live else None, texts=blanks,
                marks={"hidden": ~self.seen & ~now, "window": now & self.seen, "next": now & ~self.seen, "wrong": wrong},
            ),
        )  # fmt: skip

    def _sentences(self):
        """What there is to say: about this window, about the prediction, and about the student's function."""
        if not self.seen.size:
            span = [self.options["dilation"] * (k - 1) + 1 for k in self.kernel.shape]
            room = [n + 2 * self.options["padding"] for n in self.image.shape]
            sizes = f"The window spans {span[0]}×{span[1]} pixels, and there are only {room[0]}×{room[1]}"
            told = f"{sizes}: it fits nowhere, and nothing comes out."
            return said(told, "bad") + remark("")
        i, j = self.at
        if self.seen[self.at]:
            told = f"Row {i}, column {j} of the output: {self.written_out(self.at)}"
            told = f"{self.judgement[0]} {told}".strip() if self.judgement[1] != "bad" else f"{self.judgement[0]} {told}"
        else:
            told = self.judgement[0] or f"What goes at row {i}, column {j} of the output?"
        wrong = self.wrong
        # a wrong value is told when it can be seen: before, it would answer the question
        trouble = "" if wrong.any() and not (wrong & self.seen).any() else self.output[1]
        return said(told, self.judgement[1]) + remark(trouble, "bad" if trouble else "")

    def written_out(self, at):
        """The products of a window and their sum, as a line."""
        weights, pixels = self.kernel.ravel(), self.padded[self.window(at)].ravel()
        terms = [f"{written(pixel)}·{_bracketed(weight)}" for pixel, weight in zip(pixels, weights, strict=True)]
        return f"{' + '.join(terms)} = {written(self.products(at).sum())}"

    def _controls(self):
        empty = not self.seen.size
        at_end = empty or self.done
        shown = not empty and bool(self.seen[self.at])
        playing = f" data-every='{PACE}' data-play='tick'" if self.playing else ""
        where = f"Row {self.at[0]}, column {self.at[1]}:"
        take = [name for name in self.options if name in self.operation.takes]
        ranges = {"padding": (0, 2), "stride": (1, 3), "dilation": (1, 3)}
        sizes = [
            slider(f"{name}_{side}", f"{name} {side}", getattr(self, name).shape[axis], 1, LARGEST[name])
            for name in ("image", "kernel")
            for axis, side in enumerate(("rows", "columns"))
        ]
        return (
            row(
                question("predict", where, "Check", value=self.typed, off=empty or shown),
                button("step", "Next window" if shown else "Show it", off=at_end and (empty or shown)),
                button("back", "Back", off=empty or (self.at == (0, 0) and not shown)),
                button("play", "Pause" if self.playing else "Play", off=empty),
                button("again", "Start over", off=empty),
                switch("asking", "ask me first", self.asking),
            )
            + f"<div class='explorer-row'{playing}>{''.join(slider(name, name, self.options[name], *ranges[name]) for name in take)}</div>"
            + f"<details><summary>Other sizes</summary>{row(*sizes)}</details>"
            + remark("Every number of the image and of the kernel can be changed; a click on the output goes to its window.")
        )


def _matrix(name, values):
    """A small matrix of numbers, as floats, or an error that says what was given."""
    try:
        matrix = np.array(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a matrix of numbers (rows, columns), got {values!r}") from None
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ValueError(f"{name} must be a matrix of finite numbers (rows, columns), got shape {matrix.shape}")
    if max(matrix.shape) > LARGEST[name]:
        raise ValueError(f"{name} must have at most {LARGEST[name]} rows and columns to be shown here, got shape {matrix.shape}")
    return matrix


def _chosen(exercise, slugs):
    """The misconceptions of an exercise that are named, in the order of the names."""
    known = {slip.slug: slip for slip in exercise.misconceptions}
    return [known[slug] for slug in slugs]


def _value(answer, place, *arguments):
    """One value of what a slip answers; NaN where it has none there, or breaks down on these sizes."""
    try:
        return float(np.asarray(answer(*arguments), dtype=float)[place])
    except (ValueError, IndexError):
        return float("nan")


def _same(value, other):
    """Are they the same, for somebody who rounds to two decimals?"""
    return abs(value - other) <= 0.0051


def _bracketed(value):
    text = written(value)
    return f"({text})" if text.startswith(MINUS) else text
