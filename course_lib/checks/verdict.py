"""What `check` and `hint` answer: plain text that reads well anywhere, and the same as a card in a notebook."""

import html
import os
import re
from dataclasses import dataclass, field

import numpy as np

LARGEST_DRAWN = 12  # rows or columns of a matrix that still fit on a card


@dataclass(frozen=True)
class Working:
    """One output value worked out: the input with the window marked, the kernel, the products and their sum.

    Parameters
    ----------
    inputs : tuple of ndarray
        The padded input, one 2-D array a channel.
    mask : ndarray of bool
        True where the window's taps lie on the input.
    windows, kernels : tuple of ndarray
        What lies under the window, and the kernel over it, one 2-D array a channel.
    bias : float
        Added to the sum of the products.
    show_products : bool
        False for answers worked out by hand: there the products are the exercise.
    names : tuple of str
        For what is no window of an input under a kernel: names for (the inputs, what is framed there, what it is multiplied with),
        such as ``("d_out", "the copies that land here", "their weights")``.
    """

    inputs: tuple
    mask: np.ndarray
    windows: tuple
    kernels: tuple
    bias: float = 0.0
    show_products: bool = True
    names: tuple = ()

    @property
    def products(self):
        return tuple(window * kernel for window, kernel in zip(self.windows, self.kernels, strict=True))

    @property
    def total(self):
        return float(sum(product.sum() for product in self.products)) + self.bias


@dataclass(frozen=True)
class Failure:
    """The smallest case that an answer gets wrong: the call, where it first differs, and what was there."""

    call: str
    arguments: tuple = ()  # (name, value) pairs
    index: tuple | None = None
    expected: object = None
    got: object = None
    working: Working | None = None
    seed: int | None = None  # set when the case was a random one


@dataclass(frozen=True)
class Verdict:
    """What `check` found.

    Attributes
    ----------
    name, title : str
        The exercise.
    passed : bool
        True when every case is right.
    score : float
        From 0 to 1: the share of the points earned.
    misconception : str or None
        The slug of the misconception that reproduces every answer given.
    message : str
        What happened, in plain words.
    points : float
        What the exercise is worth.
    failure : Failure or None
        The smallest failing case.
    advice : str
        What to try next.
    """

    name: str
    passed: bool
    score: float
    message: str
    title: str = ""
    points: float = 0
    misconception: str | None = None
    sentence: str = ""
    failure: Failure | None = None
    advice: str = ""
    notes: tuple = field(default=())

    @property
    def earned(self):
        """Points earned, a float from 0 to `points`."""
        return round(self.score * self.points, 6)

    @property
    def heading(self):
        state = "Right" if self.passed else "Partly right" if self.score > 0 else "Not yet"
        title = f"{self.name}, {self.title}" if self.title else self.name
        points = f" ({self.earned:.3g} of {self.points:g} points)" if self.points else ""
        return f"{state}: {title}{points}"

    def __str__(self):
        return "\n".join([self.heading, *self._paragraphs()])

    def _paragraphs(self):
        lines = [self.message]
        if self.misconception:
            lines.append(f"Known slip: {self.misconception}. {self.sentence}")
        if self.failure:
            lines += failure_text(self.failure)
        lines += self.notes
        if self.advice:
            lines.append(self.advice)
        return [line for line in lines if line]

    def __repr__(self):
        return str(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        # nbgrader reads partial credit from an output's plain text; people read the card
        plain = f"{self.earned:g}" if os.environ.get("NBGRADER_EXECUTION") else str(self)
        return {"text/plain": plain, "text/html": self._repr_html_()}

    def _repr_html_(self):
        parts = [f"<p>{_prose(self.message)}</p>"] if self.message else []
        if self.misconception:
            name = self.misconception.replace("-", " ")
            parts.append(f"<p style='{_NAMED}'><strong>Known slip: {_escape(name)}.</strong> {_prose(self.sentence)}</p>")
        if self.failure:
            parts.append(failure_html(self.failure))
        parts += [f"<p>{_prose(note)}</p>" for note in self.notes]
        if self.advice:
            parts.append(f"<p>{_prose(self.advice)}</p>")
        return card_html(self.heading, "".join(parts), good=self.passed)


@dataclass(frozen=True)
class Hint:
    """One hint of an exercise; shows itself as a card."""

    name: str
    number: int
    count: int
    text: str

    @property
    def heading(self):
        return f"{self.name}: hint {self.number} of {self.count}" if self.count else self.name

    def __str__(self):
        return f"{self.heading}\n{self.text}"

    __repr__ = __str__

    def _repr_html_(self):
        paragraphs = "".join(f"<p>{_prose(part)}</p>" for part in self.text.split("\n\n"))
        return card_html(self.heading, paragraphs, good=None)


class CheckFailed(Exception):
    """Raised by `check` while nbgrader validates a notebook, so that its dialog shows the verdict and no traceback."""

    def _render_traceback_(self):
        return str(self).splitlines()


# ---------------------------------------------------------------------------------------------------- text


def format_number(value):
    """A number as a reader wants it: integers without a point, others to five digits."""
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:.5g}"


def format_value(value):
    """Any argument or answer in one short line; arrays small enough as nested lists."""
    if value is None or isinstance(value, (bool, str)):
        return repr(value)
    if isinstance(value, (int, float, np.number)):
        return format_number(value)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
    except Exception:
        text = repr(value)
        return text if len(text) < 80 else f"{text[:77]}..."
    if array.size > LARGEST_DRAWN**2:
        return f"an array of shape {array.shape}"
    return _nested(array)


def _nested(array):
    if array.ndim == 0:
        return format_number(array)
    return "[" + ", ".join(_nested(row) for row in array) + "]"


def matrix_text(matrix, mask=None):
    """A 2-D array as aligned text; entries under the mask in brackets."""
    entries = [[format_number(value) for value in row] for row in matrix]
    if mask is not None:
        entries = [
            [f"[{entry}]" if marked else f" {entry} " for entry, marked in zip(row, marks, strict=True)]
            for row, marks in zip(entries, mask, strict=True)
        ]
    width = max((len(entry) for row in entries for entry in row), default=0)
    return ["    " + " ".join(entry.rjust(width) for entry in row) for row in entries]


def _drawable(matrix):
    return matrix is not None and np.ndim(matrix) == 2 and 0 < max(np.shape(matrix)) <= LARGEST_DRAWN and min(np.shape(matrix)) > 0


def failure_text(failure):
    """The lines that describe a failing case without pictures."""
    lines = [f"Smallest case that fails: {failure.call}" if failure.call else ""]
    lines += [f"  {name} = {format_value(value)}" for name, value in failure.arguments]
    lines.append(f"  {difference(failure)}")
    working = failure.working
    if working and all(_drawable(window) for window in working.windows):
        for channel, (window, kernel) in enumerate(zip(working.windows, working.kernels, strict=True)):
            window_name, kernel_name = _text_names(working, channel)
            lines += [f"  {window_name}:", *matrix_text(window), f"  {kernel_name}:", *matrix_text(kernel)]
            if working.show_products:
                lines += ["  Their products:", *matrix_text(window * kernel)]
        if working.show_products:
            lines.append(f"  {_sum_line(working)}")
    if failure.seed is not None:
        lines.append(f"  (a random case; the same ones come again with seed={failure.seed})")
    return [line for line in lines if line.strip()]


def _text_names(working, channel):
    """What the text calls the window and the kernel of one channel."""
    if working.names:
        image, framed, weights = working.names
        of = f" {channel}" if len(working.windows) > 1 else ""
        return f"In {image}{of}, {framed}", f"Times {weights}{of}"
    of = f" (channel {channel})" if len(working.windows) > 1 else ""
    return f"The window there{of}", "The kernel over it"


def difference(failure):
    """One line: where expected and got first differ."""
    expected, got, index = failure.expected, failure.got, failure.index
    if got is None:
        return ""
    if expected is None:
        return f"{_place(index)}you have {format_value(got[index] if index else got)}."
    if np.shape(expected) != np.shape(got):
        return f"Expected shape {np.shape(expected)}, got shape {np.shape(got)}."
    if index:
        return f"{_place(index)}expected {format_value(expected[index])}, got {format_value(got[index])}."
    return f"Expected {format_value(expected)}, got {format_value(got)}."


def _place(index):
    return f"At index {_index(index)}: " if index else ""


def _index(index):
    return str(index[0]) if len(index) == 1 else "(" + ", ".join(map(str, index)) + ")"


def _sum_line(working):
    shown = " + ".join(format_number(product.sum()) for product in working.products)
    if working.bias:
        shown += f" + bias {format_number(working.bias)}"
    total = format_number(working.total)
    return f"The products add up to {total}." if shown == total else f"The products add up: {shown} = {total}."


# ---------------------------------------------------------------------------------------------------- cards

# JupyterLab's own theme variables with a plain fallback, so that a card suits a light and a dark theme and a bare page
_INK = "var(--jp-ui-font-color1, #1f2328)"
_PAPER = "var(--jp-layout-color1, #ffffff)"
_LINE = "var(--jp-border-color1, #8c959f)"
_CARD = f"border:1px solid {_LINE};border-left-width:6px;padding:0.4em 1em;margin:0.4em 0;max-width:60em;color:{_INK};background:{_PAPER};"
_NAMED = f"border:1px dashed {_LINE};padding:0.4em 0.8em;"
_ROW = "display:flex;flex-wrap:wrap;align-items:flex-start;"
_CELL = f"border:1px solid {_LINE};padding:0.15em 0.5em;text-align:right;min-width:1.6em;color:{_INK};background:{_PAPER};"
_MARKED = "background:#ffd8a8;color:#1f2328;font-weight:bold;outline:2px solid #b35900;outline-offset:-2px;"
_EDGE = {True: "#2c7a3f", False: "#b35900", None: "#2f5f9e"}


def _escape(text):
    return html.escape(str(text), quote=True)


def _prose(text):
    """A sentence for a card: what stands between backticks in code type."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _escape(text))


def card_html(heading, body, good):
    """A card: framed, with a colored edge that only repeats what the heading says in words."""
    return f"<div style='{_CARD}border-left-color:{_EDGE[good]};'><p><strong>{_escape(heading)}</strong></p>{body}</div>"


def matrix_html(matrix, caption, mask=None):
    """A 2-D array as a captioned table; entries under the mask are marked by frame, weight and color together."""
    rows = []
    for i, row in enumerate(matrix):
        cells = []
        for j, value in enumerate(row):
            marked = mask is not None and mask[i][j]
            cells.append(f"<td style='{_CELL}{_MARKED if marked else ''}'>{_escape(format_number(value))}</td>")
        rows.append("<tr>" + "".join(cells) + "</tr>")
    caption = f"<caption style='text-align:left;color:{_INK};caption-side:top;white-space:nowrap;padding:0;'>{_escape(caption)}</caption>"
    return f"<table style='border-collapse:collapse;margin:0.3em 1.2em 0.3em 0;'>{caption}{''.join(rows)}</table>"


def failure_html(failure):
    """The same as a picture: the input with its window framed, the kernel, the products, expected and got."""
    parts = [f"<p>Smallest case that fails: <code>{_escape(failure.call)}</code></p>"] if failure.call else []
    working = failure.working
    if working and all(_drawable(matrix) for matrix in (*working.inputs, *working.windows)):
        rows = _working_rows(working)
        others = [(name, value) for name, value in failure.arguments if np.ndim(value) < 2]
    else:
        rows = [[matrix_html(np.asarray(value), name) for name, value in failure.arguments if _drawable(value)]]
        others = [(name, value) for name, value in failure.arguments if not _drawable(value)]
    if failure.got is not None:
        answers = (("expected", failure.expected), ("got", failure.got))
        rows[-1] += [matrix_html(value, name, _one_mark(value, failure)) for name, value in answers if _drawable(value)]
    parts += [f"<div style='{_ROW}'>{''.join(tables)}</div>" for tables in rows if tables]
    sentences = [f"<strong>{_escape(difference(failure))}</strong>"] if failure.got is not None else []
    if working and working.show_products:
        sentences.append(_escape(_sum_line(working)))
    if failure.seed is not None:
        sentences.append(f"A random case; the same ones come again with <code>seed={failure.seed}</code>.")
    if others:
        values = ", ".join(f"<code>{_escape(name)} = {_escape(format_value(value))}</code>" for name, value in others)
        parts.append(f"<p>{values}</p>")
    if sentences:
        parts.append(f"<p>{' '.join(sentences)}</p>")
    return "".join(parts)


def _one_mark(value, failure):
    mask = np.zeros(np.shape(value), dtype=bool)
    if failure.index and np.shape(failure.expected) in ((), np.shape(failure.got)):
        mask[failure.index] = True
    return mask


def _working_rows(working):
    rows = []
    for channel, (image, window, kernel) in enumerate(zip(working.inputs, working.windows, working.kernels, strict=True)):
        of = f" {channel}" if len(working.inputs) > 1 else ""
        name, framed, weights = working.names or ("input", "window", "kernel")
        caption = f"{name}{of}, framed: {framed}" if working.names else f"{name}{of}, window framed"
        tables = [matrix_html(image, caption, working.mask), matrix_html(kernel, f"{weights}{of}")]
        if working.show_products:
            tables.append(matrix_html(window * kernel, f"products{of}"))
        rows.append(tables)
    return rows
