"""What all explorers share: a page that Python writes and the browser only shows.

An explorer keeps its state in Python, writes all that is to be seen as HTML, and has one method for each thing that a reader can do. The
front-end (`board.js`, the same for all) puts the HTML into the output so that focus and what is being typed stay, and sends back what was
clicked, typed, dragged or pressed. So an explorer can be followed, tested and shown on paper without a browser.

To build one, derive from `Explorer`::

    class Counter(Explorer):
        title = "Counter"

        def __init__(self):
            self.count = 0

        def do_add(self, value):                     # the button below; `value` is a text
            self.count += int(value)

        def page(self, live):                        # HTML; with `live` false nothing can be clicked: leave the controls out
            return row(button("add", "One more", value=1)) + said(f"{self.count} so far.")

and write a function that returns it, under the explorer's public name. What the helpers below make needs no script of its own:

==============================  ===================================================================================================
`heading`                       its title, and whose function it runs
`button`, `slider`, `choice`,   controls; each has a visible label, works with the keyboard, and calls `do_NAME(value)` with a text
`switch`, `question`            (a switch: "on" or "off"; a slider: at every step, the latest only if Python is slow)
`cells`                         an array as a table of numbers, of text fields (`do=`, called with "row,column,text") or of buttons
                                (`pick=`, called with "row,column"); arrow keys move between cells; masks mark them
`image`, `ring`, `scale`        an array as a picture, gray or signed (diverging, centred on zero); with one value framed; its color scale
`row`, `panel`                  side by side, and below each other where there is no room; a captioned part
`said`                          the sentence that says what happened: screen readers read it out when it changes
`film`                          pages shown in turn, without Python or a script: for `Explorer.still`
==============================  ===================================================================================================

Any element may carry these attributes itself: `data-do="name"` (with `value`); `data-keys="name"` on an element with tabindex="0"
(called with the key's name: ArrowUp ... Enter, space as " ", Delete, Backspace); `data-paint="name"` with `data-rows` and `data-columns`
on a picture (called with JSON, `{"points": [[row, column], ...], "start": bool}` in fractions of cells, while a pointer draws or taps);
`data-every="400" data-play="name"` on any one element: called again and again, so many milliseconds apart, for as long as the attributes
are there. A page keeps its order of elements while it changes: an element that comes and goes takes the focus with it, so that `off=True`
is better than leaving a button out. Colors come from `board.css`, which follows JupyterLab's light and dark theme; use its classes.

At its top an explorer's file imports NumPy and this file and nothing heavier, and `__init__` computes nothing: while a hand-in is graded,
explorers are plain text, and most of the library lies elsewhere.
"""

import base64
import contextlib
import ctypes
import functools
import html
import inspect
import io
import os
import threading
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent
SECONDS = 2.0  # for one call of a student's function; on what an explorer shows, a right one takes milliseconds
MINUS = "\N{MINUS SIGN}"


def is_plain():
    """Is nobody here who could move anything? While nbgrader runs a notebook, and in the jail of a graded hand-in."""
    return any(name in os.environ for name in ("NBGRADER_EXECUTION", "COURSE_LIBRARY"))


class Explorer:
    """What all explorers are. Derived classes have a `title`, a `page`, and a method `do_NAME(value)` for each control NAME.

    Attributes
    ----------
    title : str
        Its name, as a heading.
    summary : str
        What it lets one do, in a sentence: all that is left of it in plain text.
    """

    title = summary = ""

    def page(self, live):
        """All that is to be seen, as HTML; `live` is False where no kernel listens."""
        raise NotImplementedError

    def still(self):
        """What is shown where no kernel listens: by default the page without its controls; better a `film`."""
        return self.page(live=False)

    def receive(self, name, value):
        """Do what the page asks for.

        Raises
        ------
        ValueError
            For a name that the explorer does not know.
        """
        action = getattr(self, f"do_{name}", None)
        if action is None:
            raise ValueError(f"{type(self).__name__} has no control {name!r}")
        action(value)

    def __str__(self):
        return f"Explorer: {self.title}. {self.summary} (To use it, run this cell in a notebook.)"

    __repr__ = __str__

    def _repr_html_(self):
        return f"<style>{style()}</style><div class='explorer explorer-still'>{self.still()}</div>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        if is_plain():
            return {"text/plain": str(self)}
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return {"text/plain": str(self), "text/html": self._repr_html_(), "application/vnd.jupyter.widget-view+json": view}

    @functools.cached_property
    def widget(self):
        """The widget that stands for it in the browser; made when it is first shown."""
        return _widget_class()(self)


@functools.cache
def _widget_class():
    """The widget's class, made when the first explorer is shown: its library is no part of what a plain import costs."""
    import anywidget
    import traitlets

    class Board(anywidget.AnyWidget):
        """An explorer's page, its title, and how many messages were answered."""

        _esm = (FOLDER / "board.js").read_text(encoding="utf-8")
        _css = style()
        page = traitlets.Unicode().tag(sync=True)
        title = traitlets.Unicode().tag(sync=True)
        answered = traitlets.Int().tag(sync=True)

        def __init__(self, explorer):
            super().__init__(page=explorer.page(live=True), title=explorer.title)
            self.explorer = explorer
            self.on_msg(self._on_message)

        def _on_message(self, _widget, content, _buffers):
            try:
                self.explorer.receive(content["do"], content.get("value", ""))
            finally:  # an answer without a new page, too, lets the browser go on
                with self.hold_sync():
                    self.page = self.explorer.page(live=True)
                    self.answered += 1

    return Board


@functools.cache
def style():
    """The style sheet of all explorers."""
    return (FOLDER / "board.css").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------- whose function


class Operation:
    """A function on one image and one kernel as an explorer uses it: the student's own, or the library's `conv2d`.

    Parameters
    ----------
    function : callable, optional
        `function(image, kernel)`, perhaps with `padding`, `stride` and `dilation`, on matrices. Without one, the library's.
    """

    OPTIONS = ("padding", "stride", "dilation")

    def __init__(self, function=None):
        if function is not None and not callable(function):
            raise TypeError(f"conv2d must be a function, such as your own conv2d (without parentheses), got {type(function).__name__}")
        self.function = function
        self.name = getattr(function, "__name__", "function")

    @property
    def whose(self):
        """For the heading: `using your conv2d`."""
        return f"using your {self.name}" if self.function else "using the library’s conv2d"

    @functools.cached_property
    def takes(self):
        """The options that the function takes."""
        if self.function is None:
            return self.OPTIONS
        try:
            parameters = inspect.signature(self.function).parameters
        except (TypeError, ValueError):
            return ()
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            return self.OPTIONS
        return tuple(name for name in self.OPTIONS if name in parameters)

    def __call__(self, image, kernel, padding=0, stride=1, dilation=1):
        """Run it.

        Returns
        -------
        values : ndarray, (oH, oW)
            What it answered, where that can be shown; else the library's answer.
        trouble : str
            What was wrong with it; "" when nothing was.
        """
        options = {"padding": padding, "stride": stride, "dilation": dilation}
        right = library_conv2d(image, kernel, **options)
        if self.function is None:
            return right, ""
        from ..checks.exercise import Case, Sink, TimeLimitReached, call, first_wrong, time_limit

        needed = {name: value for name, value in options.items() if name in self.takes}
        missing = [name for name, value in options.items() if name not in self.takes and value != (name != "padding")]
        if missing:
            return right, f"Your {self.name} takes no {' and no '.join(missing)}: these are the library’s numbers."
        case = Case((np.array(image, dtype=float), np.array(kernel, dtype=float)), needed)
        try:
            with time_limit(SECONDS), _thread_limit(SECONDS, TimeLimitReached):
                outcome = call(self.function, case, Sink())
        except TimeLimitReached:
            return right, f"Your {self.name} did not finish in {SECONDS:.0f} seconds: these are the library’s numbers."
        if not outcome.done:
            return right, f"Your {self.name} is not done yet: these are the library’s numbers."
        if outcome.problem or outcome.value is None:
            return right, f"Your {self.name} has a problem. {outcome.problem} These are the library’s numbers."
        if outcome.value.shape != right.shape:
            shapes = f"shape {outcome.value.shape}, and {right.shape} was expected"
            return right, f"Your {self.name} gave {shapes}: these are the library’s numbers."
        wrong = first_wrong(outcome.value, right)
        if wrong is None:
            return outcome.value, ""
        got, expected = written(outcome.value[wrong]), written(right[wrong])
        return (
            outcome.value,
            f"At row {wrong[0]}, column {wrong[1]} your {self.name} gives {got}; the window’s products add up to {expected}.",
        )


@contextlib.contextmanager
def _thread_limit(seconds, reached):
    """Raise `reached` in the code inside after so many seconds, outside the main thread: there no timer's signal comes.

    JupyterLab lets a kernel answer an explorer in a thread of its own, while a cell runs.
    """
    if threading.current_thread() is threading.main_thread():
        yield
        return
    ended, lock, thread = False, threading.Lock(), threading.get_ident()

    def stop():
        with lock:
            if not ended:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(reached))

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            ended = True
        timer.cancel()


def library_conv2d(image, kernel, padding=0, stride=1, dilation=1):
    """The library's convolution of one image with one kernel, both matrices."""
    from ..convolution import conv2d

    image, kernel = np.asarray(image, dtype=float), np.asarray(kernel, dtype=float)
    return conv2d(image[None], kernel[None, None], padding=padding, stride=stride, dilation=dilation)[0]


# ---------------------------------------------------------------------------------------------------- numbers


def written(value):
    """A number as it is read: integers without a point, others to two decimals, a real minus sign."""
    value = round(float(value), 2) + 0.0  # + 0.0 turns a negative zero into zero
    return (f"{value:.0f}" if value == round(value) else f"{value:.2f}").replace("-", MINUS)


def number(text):
    """The number that somebody typed (with a point or a comma, a fraction, any minus sign), or None."""
    text = str(text).strip().replace(MINUS, "-").replace(",", ".")
    above, slash, below = text.partition("/")
    try:
        value = float(above) / float(below) if slash else float(text)
    except (ValueError, ZeroDivisionError):
        return None
    return value if np.isfinite(value) and abs(value) < 1e6 else None


# ---------------------------------------------------------------------------------------------------- parts of a page


def escape(text):
    """Plain text as HTML."""
    return html.escape(str(text), quote=True)


def heading(title, note=""):
    """An explorer's title and a note beside it, such as whose function runs."""
    note = f" <span class='explorer-note'>{escape(note)}</span>" if note else ""
    return f"<p class='explorer-title'><strong>{escape(title)}</strong>{note}</p>"


def row(*parts):
    """Parts side by side, and below each other where there is no room."""
    return f"<div class='explorer-row'>{''.join(parts)}</div>"


def panel(caption, *parts):
    """A part of the page with a caption, named so for screen readers too."""
    return f"<div class='explorer-panel' role='group' aria-label='{escape(caption)}'><p>{escape(caption)}</p>{''.join(parts)}</div>"


def said(text, kind=""):
    """What happened, read out by screen readers when it changes; `kind` is "", "good" or "bad". There should be one on a page, always."""
    return f"<p class='explorer-said {kind}' role='status'>{escape(text)}</p>"


def remark(text, kind=""):
    """A sentence that is not read out; `kind` as in `said`."""
    return f"<p class='explorer-remark {kind}'>{escape(text)}</p>"


def button(do, label, value="", off=False, pressed=None):
    """A button. Switched off it keeps the focus; `pressed` makes it one that stays down."""
    state = " aria-disabled='true'" if off else f" data-do='{do}'"
    state += "" if pressed is None else f" aria-pressed='{str(bool(pressed)).lower()}'"
    return f"<button type='button' value='{escape(value)}'{state}>{escape(label)}</button>"


def slider(do, label, value, low, high, step=1, off=False):
    """A slider with its value beside it."""
    state = "disabled" if off else f"data-do='{do}'"
    field = f"<input type='range' min='{low}' max='{high}' step='{step}' value='{value}' aria-label='{escape(label)}' {state}>"
    return f"<label class='explorer-control'><span>{escape(label)}</span>{field}<output>{written(value)}</output></label>"


def choice(do, label, options, value):
    """A list to choose from; `options` are texts, or a dict from values to texts."""
    options = options if isinstance(options, dict) else {option: option for option in options}
    entries = (f"<option value='{escape(k)}'{' selected' * (str(k) == str(value))}>{escape(v)}</option>" for k, v in options.items())
    field = f"<select data-do='{do}' aria-label='{escape(label)}'>"
    return f"<label class='explorer-control'><span>{escape(label)}</span>{field}{''.join(entries)}</select></label>"


def switch(do, label, on):
    """A check box; its action gets "on" or "off"."""
    return (
        f"<label class='explorer-control'><input type='checkbox' data-do='{do}'{' checked' * bool(on)}><span>{escape(label)}</span></label>"
    )


def question(do, label, submit, value="", off=False):
    """A text field with a button; Enter in the field does the same as the button."""
    state, waits = ("", " readonly") if off else (f" data-do='{do}'", "")
    field = f"<input class='explorer-answer' value='{escape(value)}' autocomplete='off' aria-label='{escape(label)}'{waits}>"
    press = f"<button type='submit'{' aria-disabled=true' * off}>{escape(submit)}</button>"
    return f"<form class='explorer-control'{state}><label><span>{escape(label)}</span>{field}</label>{press}</form>"


def cells(array, caption, do=None, pick=None, marks=None, texts=None, tints=None, first=(0, 0)):
    """An array as a table.

    Parameters
    ----------
    array : (rows, columns)
        Numbers.
    caption : str
        Above it; names its cells for screen readers too.
    do, pick : str, optional
        Makes each cell a text field, or a button, with this action.
    marks : dict from str to mask, optional
        Classes of `board.css` for cells: window, padding, hidden, unseen, wrong, next.
    texts : dict from (row, column) to str, optional
        What stands in a cell in place of its number.
    tints : (rows, columns), optional
        How strongly each cell is colored, 0 to 1.
    first : (int, int)
        The numbers of the first row and column: negative where padding comes first.
    """
    array, marks, texts = np.asarray(array), marks or {}, texts or {}
    columns = [_signed_text(j + first[1]) for j in range(array.shape[1])]
    lines = [f"<tr><td class='corner'></td>{''.join(f'<th scope=col>{name}</th>' for name in columns)}</tr>"]
    for i in range(array.shape[0]):
        line = [f"<th scope='row'>{_signed_text(i + first[0])}</th>"]
        for j in range(array.shape[1]):
            names = [name for name, mask in marks.items() if mask is not None and mask[i][j]]
            text = escape(texts.get((i, j), written(array[i, j])))
            at = f"{i + first[0]},{j + first[1]}"
            label = f"{escape(caption)}, row {i + first[0]}, column {j + first[1]}"
            if do and "padding" not in names:
                text = f"<input value='{text}' data-do='{do}' data-at='{at}' aria-label='{label}' autocomplete='off'>"
            elif pick:
                text = f"<button type='button' data-do='{pick}' value='{at}' aria-label='{label}: {text}'>{text}</button>"
            tint = f" style='--tint:{100 * float(tints[i][j]):.0f}%'" if tints is not None else ""
            line.append(f"<td class='{' '.join(names)}'{tint}>{text}</td>")
        lines.append(f"<tr>{''.join(line)}</tr>")
    grid = " data-grid" if do or pick else ""
    return f"<table class='explorer-cells'{grid}><caption>{escape(caption)}</caption><tbody>{''.join(lines)}</tbody></table>"


def _signed_text(value):
    return str(value).replace("-", MINUS)


def image(array, alt, signed=False, limit=None, low=0.0, high=1.0, width=200, attributes=""):
    """An array as a picture.

    Parameters
    ----------
    array : (H, W)
        Its values.
    alt : str
        What it shows, for somebody who cannot see it.
    signed : bool
        True for a diverging scale centred on zero: blue below, red above, as in the figures of the lessons.
    limit : float, optional
        The largest absolute value of the signed scale; by default that of the array.
    low, high : float
        What is black and what is white on the gray scale.
    width : int
        Pixels on the page.
    attributes : str
        More attributes of the element, such as `data-paint='draw' data-rows='28' data-columns='28'`.
    """
    data = base64.b64encode(png(array, signed, limit, low, high)).decode()
    return f"<img class='explorer-image' alt='{escape(alt)}' style='width:{width}px' {attributes} src='data:image/png;base64,{data}'>"


def ring(picture, at, shape):
    """A picture of an array of this shape with a frame around the value at (row, column)."""
    top, left, high, wide = 100 * at[0] / shape[0], 100 * at[1] / shape[1], 100 / shape[0], 100 / shape[1]
    place = f"top:{top:.2f}%;left:{left:.2f}%;height:{high:.2f}%;width:{wide:.2f}%"
    return f"<div class='explorer-ring'>{picture}<span style='{place}'></span></div>"


def scale(limit):
    """The signed color scale of `image`, with the numbers at its ends and in its middle."""
    ends = f"<span>{written(-limit)}</span><span>0</span><span>{written(limit)}</span>"
    return f"<div class='explorer-scale'>{ends}</div>"


def png(array, signed=False, limit=None, low=0.0, high=1.0):
    """An array (H, W) as the bytes of a PNG file, one pixel for each value; see `image`."""
    from PIL import Image

    array = np.asarray(array, dtype=float)
    if signed:
        from matplotlib import colormaps  # the color scale of the lessons' figures

        bound = limit or float(np.abs(array).max(initial=0)) or 1.0
        pixels = colormaps["RdBu_r"](np.clip(array / bound / 2 + 0.5, 0, 1), bytes=True)[..., :3]
    else:
        pixels = (np.clip((array - low) / ((high - low) or 1.0), 0, 1) * 255).round().astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, "png", compress_level=1)
    return stream.getvalue()


def film(pages, seconds=1.2):
    """Pages shown in turn, each for so many seconds, again and again; on paper, and for who wants no motion, the last one only."""
    total = len(pages) * seconds
    share = 100 / len(pages)
    name = f"explorer-film-{len(pages)}"
    frames = "".join(
        f"<div style='animation:{name} {total:g}s {number * seconds - total:g}s step-end infinite'>{page}</div>"
        for number, page in enumerate(pages)
    )
    turn = f"@keyframes {name}{{0%{{visibility:visible}}{share:.4f}%{{visibility:hidden}}100%{{visibility:hidden}}}}"
    return f"<style>{turn}</style><div class='explorer-film'>{frames}</div>"
