"""Receptive field: stack layers, choose a value, and see what it depends on in every layer below."""

import base64
import copy
import functools
import io
import json
from typing import NamedTuple

import numpy as np

from .asking import ask, named
from .board import Explorer, button, choice, escape, film, heading, is_plain, panel, remark, row, said

SIZE = 28  # of the image
MOST_LAYERS = 6
STACKS = {
    "a network for MNIST": [(3, 1), (2, 2), (3, 1), (2, 2)],
    "LeNet-5": [(5, 1, 1, 2), (2, 2), (5, 1), (2, 2)],
    "three 3×3 convolutions": [(3, 1), (3, 1), (3, 1)],
    "one 7×7 convolution": [(7, 1)],
    "strides of 2": [(3, 2), (3, 2), (3, 2)],
    "dilations 1, 2 and 4": [(3, 1, 1), (3, 1, 2), (3, 1, 4)],
    "padding of 1": [(3, 1, 1, 1), (3, 1, 1, 1), (3, 1, 1, 1)],
}
CHOICES = {"kernel": range(1, 8), "stride": range(1, 5), "dilation": range(1, 5), "padding": range(4)}
_NEEDED = "layers must be (kernel, stride), (kernel, stride, dilation) or (kernel, stride, dilation, padding)"


class Layer(NamedTuple):
    """A convolution or a pooling, along either axis."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: int = 0

    @property
    def kind(self):
        """What has windows that touch and do not overlap is usually a pooling."""
        return "pooling" if self.kernel == self.stride > 1 and not self.padding else "convolution"

    @property
    def span(self):
        return self.dilation * (self.kernel - 1) + 1


def map_sizes(layers, size=SIZE):
    """The size of the image and of each layer's map, from the image on.

    Raises
    ------
    ValueError
        When a kernel does not fit.
    """
    from ..arithmetic import output_size

    sizes = [size]
    for layer in layers:
        sizes.append(output_size(sizes[-1], layer.kernel, layer.padding, layer.stride, layer.dilation))
    return sizes


def jumps(layers):
    """How many pixels lie between neighbors: in the image, and in each layer's map."""
    return [int(step) for step in np.cumprod([1, *(layer.stride for layer in layers)])]


def paths(layers, sizes, index):
    """On how many ways one value of the last layer gets to each value below, along one axis.

    Parameters
    ----------
    layers : sequence of Layer
    sizes : sequence of int
        As `map_sizes` gives them.
    index : int
        The place of the value in the last layer.

    Returns
    -------
    list of ndarray of int
        One for the image and one for each layer. In all but the last, padding (that of the layer above) stands at both ends: it is zeros,
        and nothing lies below it.
    """
    counts = np.zeros(sizes[len(layers)], int)
    counts[index] = 1
    found = [counts]
    for layer, size in zip(reversed(layers), reversed(sizes[: len(layers)]), strict=True):
        below = np.zeros(size + 2 * layer.padding, int)
        for place in np.flatnonzero(counts):
            below[place * layer.stride + layer.dilation * np.arange(layer.kernel)] += counts[place]
        found.insert(0, below)
        counts = below[layer.padding : layer.padding + size]
    return found


def working(layers):
    """The receptive field along one axis, with its numbers: `1 + 2·1 + 1·1 = 4`."""
    terms = [f"{layer.span - 1}·{jump}" for layer, jump in zip(layers, jumps(layers), strict=False)]
    return f"{' + '.join(['1', *terms])} = {span(layers)}"


def span(layers):
    """The receptive field along one axis, the border of the image aside."""
    from ..arithmetic import receptive_field

    return receptive_field([layer[:3] for layer in layers])


class ReceptiveField(Explorer):
    """The explorer; see `receptive_field`."""

    title = "Receptive field"
    summary = "Stack layers, choose a value in one of them, and see which pixels it depends on."

    def __init__(self, layers=None, function=None):
        layers = STACKS["a network for MNIST"] if layers is None else layers
        self.layers = [_as_layer(layer) for layer in layers]
        if not 1 <= len(self.layers) <= MOST_LAYERS:
            raise ValueError(f"{_NEEDED}: from one to {MOST_LAYERS} of them, got {len(self.layers)}")
        if not is_plain():
            map_sizes(self.layers)
        self.function = function
        self.name = named(function, "receptive_field") if function is not None else ""
        self.level, self.cell, self.refused = len(self.layers), None, ""

    # ------------------------------------------------------------------------------------------------ what a reader does

    def receive(self, name, value):
        kind, _, rest = name.partition("-")
        if kind == "pick":
            row, column = json.loads(value)["points"][-1]
            margin = self._margin(int(rest))
            self._choose(int(rest), int(np.floor(row)) - margin, int(np.floor(column)) - margin)
        elif kind == "move":
            down, right = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}.get(value, (0, 0))
            chosen = self.cell if self.level == int(rest) and self.cell else self._middle(int(rest))
            self._choose(int(rest), chosen[0] + down, chosen[1] + right)
        elif kind == "layer":
            number, field = rest.split("-")
            changed = list(self.layers)
            changed[int(number)] = changed[int(number)]._replace(**{field: int(value)})
            self._change(changed)
        else:
            super().receive(name, value)

    def do_stack(self, name):
        if name in STACKS:
            self._change([_as_layer(layer) for layer in STACKS[name]])

    def do_add(self, kind):
        self._change([*self.layers, Layer(2, 2) if kind == "pooling" else Layer(3)])

    def do_remove(self, _value):
        if len(self.layers) > 1:
            self._change(self.layers[:-1])

    def _change(self, layers):
        """Take other layers, if they fit; then look at a value in the middle of the last one."""
        try:
            map_sizes(layers)
            self.refused = ""
        except ValueError as error:
            self.refused = f"That does not fit: {error}."
            return
        self.layers, self.level, self.cell = layers[:MOST_LAYERS], min(len(layers), MOST_LAYERS), None

    def _choose(self, level, row, column):
        last = map_sizes(self.layers)[level] - 1
        self.level, self.cell, self.refused = level, (min(max(row, 0), last), min(max(column, 0), last)), ""

    # ------------------------------------------------------------------------------------------------ what is to be seen

    def _middle(self, level):
        return (map_sizes(self.layers)[level] // 2,) * 2

    def _margin(self, level):
        """The padding around a map: that of the layer above."""
        return self.layers[level].padding if level < len(self.layers) else 0

    def page(self, live):
        sizes = map_sizes(self.layers)
        chosen = self.cell or self._middle(self.level)
        below = self.layers[: self.level]
        seen = [paths(below, sizes, index) for index in chosen]
        note = f"using your {self.name}" if self.function else "using the library’s receptive_field"
        maps = [self._panel(level, sizes, seen, chosen, live) for level in range(len(sizes))]
        parts = [heading(self.title, note)]
        if live:
            stack = next((name for name, layers in STACKS.items() if [_as_layer(layer) for layer in layers] == self.layers), "your own")
            full = len(self.layers) >= MOST_LAYERS
            parts.append(
                row(
                    choice("stack", "Stack", [*STACKS, *(["your own"] if stack == "your own" else [])], stack),
                    button("add", "Add a convolution", "convolution", off=full),
                    button("add", "Add a pooling", "pooling", off=full),
                    button("remove", "Remove the last layer", off=len(self.layers) == 1),
                )
            )
        parts.append(said(self.refused or self._told(sizes, seen, chosen), "bad" if self.refused else ""))
        parts.append(remark(f"1, and each layer’s steps times their length: {working(below)}." if below else ""))
        if self.function:
            parts.append(self._students(below))
        parts.append(row(*maps))
        if live:
            parts.append(remark("Click a value in any map, or go to a map with Tab and move with the arrow keys."))
        return "".join(parts)

    def still(self):
        frames = []
        for level in range(1, len(self.layers) + 1):
            frame = copy.copy(self)
            frame.level, frame.cell = level, None
            frames.append(frame.page(live=False))
        return film(frames, seconds=2)

    def _name(self, level):
        if level == 0:
            return "the image"
        kind = self.layers[level - 1].kind
        number = sum(layer.kind == kind for layer in self.layers[:level])
        return f"{kind} {number}"

    def _panel(self, level, sizes, seen, chosen, live):
        size, name, margin = sizes[level], self._name(level), self._margin(level)
        field, step = span(self.layers[:level]), jumps(self.layers)[level]
        facts = f"{size}×{size} values, each sees {field}×{field}, {step} px apart" if level else f"{size}×{size} pixels"
        if level > self.level:
            marks = np.zeros((size + 2 * margin,) * 2)
            inner = None
        else:
            rows, columns = (np.pad(axis[level], margin if level == self.level else 0) for axis in seen)
            marks = np.outer(rows, columns)
            inner = chosen if level == self.level else None
        attributes = ""
        if live:
            attributes = (
                f"tabindex='0' data-paint='pick-{level}' data-keys='move-{level}' data-rows='{size + 2 * margin}' "
                f"data-columns='{size + 2 * margin}'"
            )
        label = f"{name}, {size} by {size} values"
        label += ": arrow keys choose one" if live else f", {np.count_nonzero(marks)} of them marked"
        attributes += f" role='{'application' if live else 'img'}' aria-label='{escape(label)}'"
        picture = _map_svg(size, margin, marks, inner, None if level else _digit(), attributes)
        parts = [picture, f"<p class='explorer-note' style='max-width:8.2em'>{facts}</p>"]
        if live and level:
            layer = self.layers[level - 1]._asdict()
            fields = [choice(f"layer-{level - 1}-{name}", name, list(values), layer[name]) for name, values in CHOICES.items()]
            parts.append(f"<div style='display:grid;gap:0.2em;justify-items:end;width:max-content'>{''.join(fields)}</div>")
        return panel(name, *parts)

    def _told(self, sizes, seen, chosen):
        place = f"Row {chosen[0]}, column {chosen[1]} of {self._name(self.level)}"
        if self.level == 0:
            return f"{place} is a pixel. It sees itself. Choose a value in a map further right."
        margin = self._margin(0)
        axes = [np.flatnonzero(axis[0][margin : margin + sizes[0]]) for axis in seen]
        counts = [len(axis) for axis in axes]
        text = f"{place} sees {counts[0]}×{counts[1]} pixels of {sizes[0]}×{sizes[0]}"
        if not all(counts):
            return f"{place} sees no pixel at all: only padding."
        text += ": " + ", ".join(f"{name} {axis[0]} to {axis[-1]}" for name, axis in zip(("rows", "columns"), axes, strict=True))
        if any(axis[-1] - axis[0] + 1 > len(axis) for axis in axes):
            text += ", with gaps"
        wide = max(axis[-1] - axis[0] + 1 for axis in axes), min(axis[-1] - axis[0] + 1 for axis in axes)
        if wide[1] < span(self.layers[: self.level]):
            text += ". The rest of its field is padding"
        return text + "."

    def _students(self, below):
        """What the student's function says of the same layers; of none an empty line, so that the page keeps its order."""
        if not below:
            return remark("")
        pairs = [(layer.span, layer.stride) for layer in below]
        answer, trouble = ask(self.function, self.name, pairs)
        if trouble:
            return remark(f"{trouble} The picture is the library’s.", "bad")
        called = f"Your {self.name}({pairs})"
        wide = " (a kernel with dilation counts as one as wide as its reach)" if any(layer.dilation > 1 for layer in below) else ""
        if answer.size == 1 and float(answer.reshape(())) == span(below):
            return remark(f"{called} gives {span(below)}, too{wide}.", "good")
        got = f"{float(answer.reshape(())):g}" if answer.size == 1 else f"an array of shape {answer.shape}"
        return remark(f"{called} gives {got}; the picture shows {span(below)}{wide}.", "bad")


def receptive_field(layers=None, function=None):
    """Explore what a value of a stack of layers depends on.

    Parameters
    ----------
    layers : sequence of tuples, optional
        `(kernel, stride)`, `(kernel, stride, dilation)` or `(kernel, stride, dilation, padding)` of each layer, from the image on; at most
        six. They can be changed in the explorer.
    function : callable, optional
        Your own `receptive_field(layers)` of lesson 5, whose answer is set beside the picture.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        When the layers are not such tuples, or do not fit an image of 28×28.
    """
    return ReceptiveField(layers, function)


def _as_layer(values):
    try:
        layer = Layer(*(int(value) for value in values))
    except (TypeError, ValueError):
        raise ValueError(f"{_NEEDED}, got {values!r}") from None
    for name, number in layer._asdict().items():
        if number not in CHOICES[name]:
            raise ValueError(f"{name} must lie from {CHOICES[name][0]} to {CHOICES[name][-1]} here, got {number} in {values!r}")
    return layer


@functools.cache
def _digit():
    from ..data import load_mnist

    return load_mnist("test")[0][0]


def _map_svg(size, margin, marks, chosen, image, attributes):
    """A map as cells, the marked ones the stronger the more ways lead to them, with its padding around it."""
    whole, corner = size + 2 * margin, -margin
    width = max(108, 6 * whole)
    parts = []
    if margin:
        parts.append(f"<rect x='{corner}' y='{corner}' width='{whole}' height='{whole}' fill='var(--shade, #eceef1)'/>")
        parts.append(f"<rect x='0' y='0' width='{size}' height='{size}' fill='var(--paper, #ffffff)'/>")
    if image is not None:
        parts.append(_svg_image(np.repeat(image[..., None], 4, axis=2) | np.array([0, 0, 0, 255], np.uint8), 0))
    lines = "".join(f"M0 {n}H{size}M{n} 0V{size}" for n in range(size + 1))
    parts.append(f"<path d='{lines}' fill='none' stroke='var(--line, #8c959f)' stroke-width='0.04'/>")
    if marks.any():
        colors = np.zeros((whole, whole, 4), np.uint8)
        colors[..., :3] = 240, 140, 0
        colors[..., 3] = np.where(marks > 0, 90 + 120 * (marks / marks.max()) ** 0.5, 0)
        parts.append(_svg_image(colors, corner))
        rows, columns = (np.flatnonzero(marks.any(axis=axis)) for axis in (1, 0))
        box = columns[0] + corner, rows[0] + corner, columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
        parts.append(
            "<rect x='{}' y='{}' width='{}' height='{}' fill='none' stroke='#b35900' stroke-width='2.5' "
            "vector-effect='non-scaling-stroke'/>".format(*box)
        )
    if chosen:
        parts.append(f"<rect x='{chosen[1]}' y='{chosen[0]}' width='1' height='1' fill='#b35900'/>")
    view_box = f"{corner} {corner} {whole} {whole}"
    return f"<svg class='explorer-image' viewBox='{view_box}' style='width:{width}px' {attributes}>{''.join(parts)}</svg>"


def _svg_image(pixels, corner):
    """Pixels (H, W, 4) as an element of an SVG picture, one unit each."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    data = base64.b64encode(stream.getvalue()).decode()
    side = len(pixels)
    return (
        f"<image x='{corner}' y='{corner}' width='{side}' height='{side}' style='image-rendering:pixelated' "
        f"href='data:image/png;base64,{data}'/>"
    )
