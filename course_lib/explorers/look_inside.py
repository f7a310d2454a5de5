"""Look inside: draw a digit, and see what every layer of a trained network makes of it."""

import base64
import copy
import functools
import io
import json

import numpy as np

from .board import Explorer, button, film, heading, image, panel, remark, row, said

SIZE, MARGIN = 28, 14  # the network's image, and how much paper lies beyond it on each side: what moves out can come back
PEN = 1.2  # pixels, half of a stroke's width; MNIST's strokes are two to three pixels wide
CANVAS = 252  # pixels on the page
CHANGES = 4  # the number of a test digit that is read as another one when it has moved four pixels down and to the right
COLUMNS, GAP = 8, 0.35  # maps in a line, and the gray between them
NO_INK = "Nothing is drawn yet."
HOW = (
    "Draw with the mouse or a finger, about as large as the dashed square. Or go to the image with Tab: "
    "arrow keys move the pen, space puts it down or lifts it, Delete clears."
)
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def stroke(paper, start, end):
    """Draw a line on paper (H, W), from 0 (none) to 1 (full ink), between two points (row, column); the middle of a cell is at a half."""
    cells = np.indices(paper.shape).transpose(1, 2, 0) + 0.5
    start, along = np.asarray(start, float), np.asarray(end, float) - start
    share = np.clip((cells - start) @ along / max(along @ along, 1e-9), 0, 1)  # how far along the line the nearest point is
    distance = np.linalg.norm(cells - start - share[..., None] * along, axis=2)
    np.maximum(paper, np.clip(PEN + 0.5 - distance, 0, 1), out=paper)


def middle_of(ink):
    """The center of mass of ink (H, W), as (row, column)."""
    weights = ink / ink.sum()
    return tuple(float((np.indices(ink.shape)[axis] * weights).sum()) for axis in (0, 1))


def mosaic(maps):
    """Maps (C, H, W) from -1 to 1 as one picture, eight in a line at most, with a gray line between them."""
    count, height, width = maps.shape
    columns = min(count, COLUMNS)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), GAP)
    for number, one in enumerate(maps):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = one
    return sheet


class LookInside(Explorer):
    """The explorer; see `look_inside`."""

    title = "Look inside"
    summary = "Draw a digit and see what each layer of a trained network makes of it, and what it answers."

    def __init__(self, model=None):
        if model is not None and not callable(model):
            raise TypeError(f"model must be a trained network, such as your own lenet, got {type(model).__name__}")
        self.model = model
        self.sample, self.paper = 0, None  # a test digit, by number, until something is drawn on the paper
        self.moved, self.before = (0, 0), None  # how far it was moved, down and right, and what was answered before that
        self.pen, self.is_down, self.last = None, False, None  # the keyboard's pen, once it is used, and where the last stroke ended

    # ------------------------------------------------------------------------------------------------ what a reader does

    def do_draw(self, value):
        drawn = json.loads(value)
        self._start_drawing()
        points = [(row - self.moved[0] + MARGIN, column - self.moved[1] + MARGIN) for row, column in drawn["points"]]
        self._line(points, fresh=drawn["start"])

    def do_key(self, key):
        self.pen = self.pen or (SIZE // 2, SIZE // 2)
        if key in ("Delete", "Backspace"):
            self.do_clear()
        elif key in (" ", "Enter"):
            self._start_drawing()
            self.is_down = not self.is_down
            if self.is_down:
                self._dot(fresh=True)
        elif key.startswith("Arrow"):
            step = MOVES[key.removeprefix("Arrow").lower()]
            self.pen = tuple(min(max(place + n, 0), SIZE - 1) for place, n in zip(self.pen, step, strict=True))
            if self.is_down:
                self._dot(fresh=False)

    def do_clear(self, _value=""):
        self.paper = np.zeros((SIZE + 2 * MARGIN,) * 2)
        self.moved, self.before, self.is_down, self.last = (0, 0), None, False, None

    def do_sample(self, _value):
        self.do_clear()
        self.sample, self.paper = (self.sample + 1) % len(_test_digits()), None

    def do_move(self, way):
        self._move(n + step for n, step in zip(self.moved, MOVES[way], strict=True))

    def do_center(self, _value):
        ink = self._drawn()
        if ink.any():
            self._move(round(MARGIN + (SIZE - 1) / 2 - place) for place in middle_of(ink))

    def _move(self, places):
        self.before = self.before or self._answer()
        self.moved = tuple(min(max(place, -MARGIN), MARGIN) for place in places)

    def _start_drawing(self):
        """A first stroke takes the test digit away."""
        if self.paper is None:
            self.do_clear()

    def _dot(self, fresh):
        self._line([tuple(place - move + MARGIN + 0.5 for place, move in zip(self.pen, self.moved, strict=True))], fresh)

    def _line(self, points, fresh):
        self.before = None
        for point in points:
            stroke(self.paper, point if fresh or self.last is None else self.last, point)
            self.last, fresh = point, False

    # ------------------------------------------------------------------------------------------------ what the network says

    def _drawn(self):
        if self.paper is None:
            return np.pad(_test_digits()[self.sample] / 255, MARGIN)
        return self.paper

    def pixels(self):
        """What the network sees: bytes (28, 28)."""
        top, left = (MARGIN - place for place in self.moved)
        return (self._drawn()[top : top + SIZE, left : left + SIZE] * 255).round().astype(np.uint8)

    def stages(self):
        """What each layer makes of it, as `network.stages` says, and what was wrong with the student's network ("" if nothing)."""
        from . import network

        images = self.pixels()[None]
        if self.model is None:
            return network.stages(_network(), images), ""
        try:
            return network.stages(self.model, images), ""
        except Exception as error:  # whatever a student's network does, the explorer goes on
            text = str(error).splitlines()[0][:200] if str(error) else ""
            return network.stages(
                _network(), images
            ), f"Your network has a problem, so this is the library’s. {type(error).__name__}: {text}"

    def _answer(self):
        from .network import probabilities

        chances = probabilities(self.stages()[0][-1][1])[0]
        return int(chances.argmax()), float(chances.max())

    # ------------------------------------------------------------------------------------------------ what is to be seen

    def page(self, live):
        from .network import probabilities

        stages, trouble = self.stages()
        chances = probabilities(stages[-1][1])[0]
        pixels = self.pixels()
        parts = [
            heading(self.title, self._whose()),
            said(self._told(pixels, chances, live)),
            remark(trouble, "bad") if self.model is not None else "",
        ]
        canvas = [_canvas(pixels, self.pen, self.is_down, live)]
        if live:
            canvas += [
                row(button("clear", "Clear"), button("sample", "A test digit"), button("center", "To the middle")),
                row(*(button("move", f"{arrow} {way}", way) for way, arrow in zip(MOVES, "↑↓←→", strict=True))),
                f"<p class='explorer-note' style='max-width:{CANVAS}px'>{HOW}</p>",
            ]
        layers = [*(_stage(name, values[0]) for name, values in stages[:-1]), panel("the answer", _bars(chances))]
        beside = f"<div style='flex:1 1 300px;min-width:0'>{row(*layers)}</div>"
        return "".join([*parts, row(panel("the image, 28×28", *canvas), beside)])

    def still(self):
        frames = []
        for shift in range(5):
            frame = copy.copy(self)
            frame.sample, frame.paper = CHANGES, None
            frame.before = frame._answer() if shift else None
            frame.moved = shift, shift
            frames.append(frame.page(live=False))
        return film(frames, seconds=1.5)

    def _whose(self):
        return "using the library’s network, a relative of LeNet-5" if self.model is None else "using your network"

    def _told(self, pixels, chances, live):
        text = f"The network says {chances.argmax()}, with a probability of {_share(chances.max())}." if pixels.any() else NO_INK
        if any(self.moved):
            ways = (("up", "down"), ("left", "right"))
            text += f" Moved {', '.join(f'{abs(n)} {names[n > 0]}' for n, names in zip(self.moved, ways, strict=True) if n)}."
            if self.before:
                text += f" Before that it said {self.before[0]}, {_share(self.before[1])}."
        if live and self.pen:
            text += f" Pen {'down' if self.is_down else 'up'} at row {self.pen[0]}, column {self.pen[1]}."
        return text


def look_inside(model=None):
    """Explore what a trained network makes of a digit that you draw.

    Parameters
    ----------
    model : torch.nn.Module, optional
        Your own network: images (N, 1, 28, 28) in, standardized as `course_lib.training` does it, scores (N, 10) out. Without one, a
        relative of LeNet-5 that comes with the course, trained as in lesson 6 and run by NumPy.

    Returns
    -------
    Explorer
    """
    return LookInside(model)


@functools.cache
def _network():
    from .network import load_network

    return load_network()


@functools.cache
def _test_digits():
    from ..data import load_mnist

    return load_mnist("test")[0][:20]


def _canvas(pixels, pen, is_down, live):
    """The image as it is drawn on, with a dashed square where MNIST's digits lie, and the pen."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    data = base64.b64encode(stream.getvalue()).decode()
    parts = [
        f"<image width='{SIZE}' height='{SIZE}' style='image-rendering:pixelated' href='data:image/png;base64,{data}'/>",
        "<rect x='4' y='4' width='20' height='20' fill='none' stroke='#8c959f' stroke-width='0.12' stroke-dasharray='0.5'/>",
    ]
    attributes = "role='img' aria-label='the image'"
    if live:
        attributes = (
            f"tabindex='0' role='application' data-paint='draw' data-keys='key' data-rows='{SIZE}' data-columns='{SIZE}' "
            "aria-label='the image, to draw on: arrow keys move the pen, space puts it down or lifts it, Delete clears'"
        )
    if live and pen:
        fill = "#f08c00" if is_down else "none"
        parts.append(f"<circle cx='{pen[1] + 0.5}' cy='{pen[0] + 0.5}' r='0.6' fill='{fill}' stroke='#f08c00' stroke-width='0.25'/>")
    return f"<svg class='explorer-image' viewBox='0 0 {SIZE} {SIZE}' style='width:{CANVAS}px' {attributes}>{''.join(parts)}</svg>"


def _share(chance):
    """A probability as text; what is not quite certain is not called so."""
    return "over 99%" if chance > 0.99 else f"{chance:.0%}"


def _bars(chances):
    """Ten probabilities as a table with bars; the largest in bold."""
    lines = []
    for digit, chance in enumerate(chances):
        weight = "bold" if chance == chances.max() else "normal"
        bar = f"<div style='background:#2f7fd6;height:0.8em;width:{chance * 100:.1f}%'></div>"
        cells = (
            f"<th scope='row' style='padding:0 0.5em;font-weight:inherit'>{digit}</th><td style='width:9em;padding:0'>{bar}</td>"
            f"<td style='padding:0 0 0 0.5em;text-align:right;white-space:nowrap'>{_share(chance)}</td>"
        )
        lines.append(f"<tr style='font-weight:{weight}'>{cells}</tr>")
    return f"<table style='border-collapse:collapse;margin:0;font-size:inherit;color:inherit'><tbody>{''.join(lines)}</tbody></table>"


def _stage(name, values):
    """What a layer gives, on one gray scale from 0 to its largest value; with values of both signs, on the signed scale."""
    top = float(np.abs(values).max()) or 1.0
    if values.ndim == 1:
        maps, what = _as_block(values), f"{len(values)} numbers"
    else:
        maps, what = values, f"{len(values)} maps, {values.shape[1]}×{values.shape[2]}"
    signed = values.min() < 0
    sheet = mosaic(maps / top)
    alt = f"{name}: {what}, the largest value {top:.3g}"
    zoom = 3 if maps.shape[1] >= 20 else 4 if len(maps) > 1 and maps.shape[1] >= 8 else 7
    return panel(f"{name}: {what}", image(sheet, alt, signed=signed, limit=1, width=zoom * sheet.shape[1]))


def _as_block(numbers):
    """Numbers in a row as one map, about twice as wide as high; what is missing to the last line stays 0."""
    columns = int(np.ceil((2 * len(numbers)) ** 0.5))
    block = np.zeros(-(-len(numbers) // columns) * columns)
    block[: len(numbers)] = numbers
    return block.reshape(1, -1, columns)
