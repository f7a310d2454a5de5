"""Equivariance: move the image and convolve, convolve and move the map, and compare."""

import copy
import functools
import itertools

import numpy as np

from .asking import ask, named
from .board import Explorer, Operation, choice, film, heading, image, panel, remark, row, said, scale, slider, switch

SIZE, FARTHEST = 28, 6  # pixels: the side of the image, and how far it can be moved
CORNER, COARSE = (62, 152), 7  # of the piece of the photograph, and how many of its pixels a side become one
IMAGES = ("the photograph", "a digit")
ROUNDING = 1e-9  # as a share of the range of a map
POOLINGS = {"none": "none", "max": "max, 2×2", "average": "average, 2×2"}


def view(world, down, right, size=SIZE):
    """A square piece of a larger image, with what is in it moved down and to the right: real pixels move in.

    Parameters
    ----------
    world : ndarray, (size + 2 * margin, size + 2 * margin)
    down, right : int
        From `-margin` to `margin`.
    """
    margin = (len(world) - size) // 2
    return world[margin - down : margin - down + size, margin - right : margin - right + size]


def inside(count, size, step, reach, padding):
    """Which of `count` values, along one axis, see no padding: each sees `reach` pixels, and neighbors lie `step` apart."""
    first = np.arange(count) * step - padding
    return (first >= 0) & (first + reach <= size)


def compare(y, moved, down, right, step, counts=None):
    """Compare a map, moved, with the map of the moved image.

    Parameters
    ----------
    y, moved : ndarray, (H, W)
        The maps of the image and of the moved image.
    down, right : int
        Pixels that the image has moved by, 0 or more.
    step : int
        Pixels from one value of a map to the next.
    counts : ndarray of bool, (H, W), optional
        Which values of a map count; all by default.

    Returns
    -------
    places : (int, int)
        By how many places the map was moved. Where no whole number is right, the nearest that fits best.
    difference : ndarray, (H, W)
        NaN where a value has no partner, or does not count.
    """
    counts = np.ones(y.shape, bool) if counts is None else counts
    height, width = y.shape
    best = None
    for n, m in itertools.product(sorted({down // step, -(-down // step)}), sorted({right // step, -(-right // step)})):
        difference = np.full(y.shape, np.nan)
        both = counts[n:, m:] & counts[: height - n, : width - m]
        difference[n:, m:] = np.where(both, moved[n:, m:] - y[: height - n, : width - m], np.nan)
        error = largest(difference)
        if best is None or error < best[0]:
            best = error, (n, m), difference
    return best[1:]


def largest(difference):
    """The largest absolute difference; 0 where nothing is compared."""
    return float(np.max(np.abs(difference), where=~np.isnan(difference), initial=0))


@functools.cache
def _world(name):
    """An image with what lies around it, in floats from 0 to 1."""
    from ..data import load_mnist, load_photo

    if name == "a digit":
        return np.pad(load_mnist("test")[0][0] / 255, FARTHEST)
    side = SIZE + 2 * FARTHEST
    (top, left), far = CORNER, side * COARSE
    piece = load_photo()[top : top + far, left : left + far] / 255
    return piece.reshape(side, COARSE, side, COARSE).mean(axis=(1, 3))


class Equivariance(Explorer):
    """The explorer; see `equivariance`."""

    title = "Equivariance"
    summary = "Move the image and convolve, or convolve and move the map: see when both give the same."

    def __init__(self, conv2d=None, max_pool2d=None):
        self.operation, self.pooling = Operation(conv2d), max_pool2d
        self.pooling_name = named(max_pool2d, "max_pool2d") if max_pool2d is not None else "max_pool2d"
        self.image, self.kernel = IMAGES[0], "Sobel Vertical"
        self.down = self.right = self.stride = 1
        self.pool, self.padded, self.trimmed = "none", False, False

    # ------------------------------------------------------------------------------------------------ what a reader does

    def do_image(self, name):
        self.image = name if name in IMAGES else self.image

    def do_kernel(self, name):
        self.kernel = name if name in _kernels() else self.kernel

    def do_down(self, value):
        self.down = min(max(int(value), 0), FARTHEST)

    def do_right(self, value):
        self.right = min(max(int(value), 0), FARTHEST)

    def do_stride(self, value):
        self.stride = min(max(int(value), 1), 3)

    def do_pool(self, name):
        self.pool = name if name in POOLINGS else self.pool

    def do_padded(self, value):
        self.padded = value == "on"

    def do_trimmed(self, value):
        self.trimmed = value == "on"

    # ------------------------------------------------------------------------------------------------ what comes of it

    @property
    def step(self):
        """Pixels from one value of the map to the next."""
        return self.stride * (1 if self.pool == "none" else 2)

    def maps(self):
        """The map of the image, the map of the moved image, and what was wrong with a student's function ("" if nothing)."""
        results = [self._map(view(_world(self.image), *move)) for move in ((0, 0), (self.down, self.right))]
        return results[0][0], results[1][0], results[0][1] or results[1][1]

    def _map(self, pixels):
        padded = np.pad(pixels, int(self.padded))
        values, trouble = self.operation(padded, _kernels()[self.kernel])
        values = values[:: self.stride, :: self.stride]  # what a stride leaves out
        if self.pool == "none":
            return values, trouble
        from ..pooling import avg_pool2d, max_pool2d

        stack = values[None, None]
        if self.pool == "average":
            return avg_pool2d(stack, 2)[0, 0], trouble
        pooled = max_pool2d(stack, 2)[0, 0]
        if self.pooling is None:
            return pooled, trouble
        answer, problem = ask(self.pooling, self.pooling_name, stack, 2, 2)
        if not problem and answer.shape != (1, 1, *pooled.shape):
            problem = f"Your {self.pooling_name} gave shape {answer.shape}, and {(1, 1, *pooled.shape)} was expected."
        if problem:
            return pooled, trouble or f"{problem} These are the library’s numbers."
        if not np.allclose(answer[0, 0], pooled):
            trouble = trouble or f"Your {self.pooling_name} gives other numbers than the library’s; these are yours."
        return answer[0, 0], trouble

    def comparison(self):
        """What the page shows: the two maps, the first one moved, by how many places, the difference, and what was wrong."""
        y, moved, trouble = self.maps()
        counts = np.outer(*(self._inside(count) for count in y.shape)) if self.trimmed else None
        places, difference = compare(y, moved, self.down, self.right, self.step, counts)
        return y, moved, places, difference, trouble

    def _inside(self, count):
        reach = 3 + (self.stride if self.pool != "none" else 0)
        return inside(count, SIZE, self.step, reach, int(self.padded))

    # ------------------------------------------------------------------------------------------------ what is to be seen

    def page(self, live):
        y, moved, places, difference, trouble = self.comparison()
        limit = float(max(np.abs(y).max(), np.abs(moved).max())) or 1.0
        shifted = np.full(y.shape, np.nan)
        shifted[places[0] :, places[1] :] = y[: len(y) - places[0], : y.shape[1] - places[1]]
        text, reason, kind = self._told(y, moved, difference)
        own = self.operation.function or self.pooling
        note = self.operation.whose + (f" and your {self.pooling_name}" if self.pooling else "")
        box = _box(difference)
        panels = [
            _gray("the image", view(_world(self.image), 0, 0)),
            _signed("its map", y, limit),
            _signed(f"the map, moved {_way(*places)}", shifted, limit, box),
            _gray(f"the image, moved {_way(self.down, self.right)}", view(_world(self.image), self.down, self.right)),
            _signed("the map of this", moved, limit, box),
            _signed("difference, where both are", difference, limit, box),
        ]
        columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:0.3em 16px;max-width:600px;align-items:end"
        return "".join(
            [
                heading(self.title, note),
                self._controls() if live else remark(self._setting()),
                said(text, kind),
                remark(reason),
                remark(trouble, "bad" if trouble else "") if own else "",
                f"<div style='{columns}'>{''.join(panels)}</div>",
                f"<div style='max-width:600px'>{scale(limit)}</div>",
            ]
        )

    def still(self):
        frames = []
        for pool, shift in (("none", 1), ("max", 1), ("max", 2)):
            frame = copy.copy(self)
            frame.pool, frame.down, frame.right = pool, shift, shift
            frames.append(frame.page(live=False))
        return film(frames, seconds=3)

    def _controls(self):
        return (
            row(choice("image", "Image", IMAGES, self.image), choice("kernel", "Kernel", list(_kernels()), self.kernel))
            + row(slider("down", "Move down", self.down, 0, FARTHEST), slider("right", "Move right", self.right, 0, FARTHEST))
            + row(
                choice("stride", "Stride", [1, 2, 3], self.stride),
                choice("pool", "Then pooling", POOLINGS, self.pool),
                switch("padded", "Padding of 1", self.padded),
                switch("trimmed", "Leave the border out", self.trimmed),
            )
        )

    def _setting(self):
        pooling = "no pooling" if self.pool == "none" else f"then {POOLINGS[self.pool]} pooling"
        return f"{self.kernel}, stride {self.stride}, {pooling}, padding {int(self.padded)}."

    def _told(self, y, moved, difference):
        """Whether both are the same, why they are not, and the kind of what is said."""
        error, spread = largest(difference), float(np.ptp(y)) or 1.0
        compared = int((~np.isnan(difference)).sum())
        if not compared:
            return "Nothing is left to compare.", "", ""
        between = next((n for n in (self.down, self.right) if n % self.step), 0)
        whole = f"The image moved by whole steps of the map, {_count(self.step, 'pixel')} each."
        broken = (
            f"One step of the map is {self.step} pixels, so {_count(between, 'pixel')} would be {between / self.step:.3g} steps. "
            "A map cannot move by that; the nearest whole move that fits best is shown."
        )
        if not (self.down or self.right):
            return "Nothing has moved yet.", "", ""
        if error <= ROUNDING * spread:
            text = f"No difference in any of {compared} values: convolving and moving can be swapped."
            return text, broken if between else whole, "good"
        unlike = int((np.abs(np.nan_to_num(difference)) > ROUNDING * spread).sum())
        text = f"They differ in {unlike} of {compared} values, by up to {error / spread:.0%} of the map’s range."
        if between:
            return text, broken, "bad"
        counts = np.outer(*(self._inside(count) for count in y.shape))
        if self.padded and largest(compare(y, moved, self.down, self.right, self.step, counts)[1]) <= ROUNDING * spread:
            return text, "All of it is at the border: the zeros of the padding do not move along.", "bad"
        return text, f"{whole} Where no border is in the way, a convolution gives no difference then.", "bad"


def equivariance(conv2d=None, max_pool2d=None):
    """Explore whether a feature map moves along with the image.

    Parameters
    ----------
    conv2d : callable, optional
        Your own `conv2d(image, kernel)`, on matrices; without one, the library's.
    max_pool2d : callable, optional
        Your own `max_pool2d(x, pool_size, stride)`, on (N, C, H, W).

    Returns
    -------
    Explorer
    """
    return Equivariance(conv2d, max_pool2d)


def _kernels():
    from ..kernels import CLASSIC_KERNELS

    return CLASSIC_KERNELS


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _way(down, right):
    """How far something was moved, short enough for a caption."""
    return f"↓{down} →{right}"


def _gray(caption, values):
    return panel(caption, image(values, f"{caption}, {values.shape[0]} by {values.shape[1]} pixels", width=148))


def _signed(caption, values, limit, box=None):
    """A map on a scale centred on zero, with a frame around what is compared."""
    rows, columns = values.shape
    filled = np.nan_to_num(values)
    alt = f"{caption}, {rows} by {columns} values from {filled.min():.3g} to {filled.max():.3g}"
    picture = image(filled, alt, signed=True, limit=limit, width=148)
    if box is None:
        return panel(caption, picture)
    top, left, bottom, right = box
    place = f"top:{top / rows:.2%};left:{left / columns:.2%};height:{(bottom - top) / rows:.2%};width:{(right - left) / columns:.2%}"
    return panel(caption, f"<div class='explorer-ring'>{picture}<span style='{place}'></span></div>")


def _box(difference):
    """First row, first column, and the ends of what is compared; None where nothing is."""
    rows, columns = np.nonzero(~np.isnan(difference))
    return (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) if len(rows) else None
