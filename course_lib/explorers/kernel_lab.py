"""Kernel lab: a kernel on an image, as networks lay it on and turned as in mathematics, side by side."""

import functools
import json

import numpy as np

from ..kernels import CLASSIC_KERNELS, describe_kernel
from .board import Explorer, Operation, button, cells, choice, heading, image, number, panel, remark, ring, row, said, scale, written

OWN = "your own"
SIDE = 28  # rows and columns of the image that one draws
SOURCES = {"digit": "a digit", "photo": "the photograph", "drawing": "my drawing"}
PHOTO = (slice(40, 552, 8), slice(0, 512, 8))  # reduced to 64 by 64: a function of nested loops takes no longer than a blink
MOVES = {"ArrowUp": (-1, 0), "ArrowDown": (1, 0), "ArrowLeft": (0, -1), "ArrowRight": (0, 1)}
WIDTH = 196


def kernel_lab(conv2d=None):
    """Try the eight classic kernels, and one's own, on a digit, on the photograph and on a drawn image.

    Parameters
    ----------
    conv2d : callable, optional
        The function that computes both results: `conv2d(image, kernel)` on matrices. By default the library's.

    Returns
    -------
    KernelLab
        Shows itself in a notebook.
    """
    return KernelLab(conv2d)


class KernelLab(Explorer):
    """The explorer that `kernel_lab` returns."""

    title = "Kernel lab"
    summary = "Try the classic kernels, and your own, on a digit, a photograph and a drawing; turned and not turned."

    def __init__(self, conv2d=None):
        self.operation = Operation(conv2d)
        self.source, self.name = "digit", "Sobel Vertical"
        self.kernel = np.array(CLASSIC_KERNELS[self.name])
        self.drawing = np.zeros((SIDE, SIDE))
        self.at = 14, 14  # the pixel that is asked for, or where one draws
        self.trouble = ""
        self._forget()

    # ------------------------------------------------------------------------------------------------ the arithmetic

    @property
    def image(self):
        """What the kernel goes over, (H, W) from 0 to 1."""
        return self.drawing if self.source == "drawing" else _shipped(self.source)

    def _forget(self):
        self._computed = None

    @property
    def maps(self):
        """The results without and with the kernel turned by half a turn, and what was wrong with the function in words."""
        if self._computed is None:
            laid, trouble = self.operation(self.image, self.kernel)
            turned, also = self.operation(self.image, self.kernel[::-1, ::-1])
            self._computed = laid, turned, trouble or also
        return self._computed

    @property
    def window(self):
        """The place in the results, (row, column), of the window whose middle is nearest to the pixel."""
        return tuple(min(max(i - k // 2, 0), n - k) for i, k, n in zip(self.at, self.kernel.shape, self.image.shape, strict=True))

    # ------------------------------------------------------------------------------------------------ what a reader does

    def do_source(self, value):
        self.source, self.trouble = value, ""
        self.at = tuple(n // 2 for n in self.image.shape)
        self._forget()

    def do_name(self, value):
        self.name, self.trouble = value, ""
        if value in CLASSIC_KERNELS:
            self.kernel = np.array(CLASSIC_KERNELS[value])
            self._forget()

    def do_kernel(self, value):
        i, j, text = value.split(",", 2)
        new = number(text)
        if new is None:
            self.trouble = f"“{text}” is not a number; the cell keeps {written(self.kernel[int(i), int(j)])}."
            return
        self.kernel[int(i), int(j)] = new
        self.name, self.trouble = OWN, ""
        self._forget()

    def do_turn(self, _value):
        self.kernel = self.kernel[::-1, ::-1].copy()
        self.name, self.trouble = OWN, ""
        self._forget()

    def do_clear(self, _value):
        self.drawing = np.zeros((SIDE, SIDE))
        self._forget()

    def do_probe(self, value):
        """Ask for the pixel that the pointer is on; on a drawing, draw there."""
        stroke = json.loads(value)
        for row_, column in stroke["points"]:
            self._move_to(int(row_), int(column))
            if self.source == "drawing":
                self._ink(1.0)

    def do_key(self, key):
        """Arrow keys move; on a drawing, space and Enter draw, Delete and Backspace rub out."""
        if key in MOVES:
            self._move_to(*(i + step for i, step in zip(self.at, MOVES[key], strict=True)))
        elif self.source == "drawing":
            self._ink(1.0 if key in (" ", "Enter") else 0.0)

    def _move_to(self, *at):
        self.at = tuple(min(max(i, 0), n - 1) for i, n in zip(at, self.image.shape, strict=True))

    def _ink(self, value):
        """Draw with a pen of two by two pixels."""
        i, j = self.at
        self.drawing[i : i + 2, j : j + 2] = value
        self._forget()

    # ------------------------------------------------------------------------------------------------ what is seen

    def page(self, live):
        return heading(self.title, self.operation.whose) + (self._controls() if live else "") + self._pictures(live) + self._sentences()

    def _controls(self):
        names = {name: name for name in (*CLASSIC_KERNELS, OWN)}
        return row(
            choice("source", "image", SOURCES, self.source),
            choice("name", "kernel", names, self.name),
            button("turn", "Turn it by half a turn"),
            button("clear", "Clear", off=self.source != "drawing"),
        )

    def _pictures(self, live):
        laid, turned, _ = self.maps
        limit = float(max(np.abs(laid).max(), np.abs(turned).max())) or 1.0
        rows, columns = self.image.shape
        act = f"data-paint='probe' data-keys='key' tabindex='0' data-rows='{rows}' data-columns='{columns}'" if live else ""
        what = f"{SOURCES[self.source]}: arrow keys choose a pixel" + (", space draws, Delete rubs out" if self.source == "drawing" else "")
        width = round(WIDTH * laid.shape[1] / columns)  # pixels of all pictures are equally large: a result is smaller than the image
        results = [
            panel(name, ring(image(values, _alt(values), True, limit, width=width), self.window, values.shape), scale(limit))
            for name, values in (("laid on as it is", laid), ("turned first", turned))
        ]
        shown = ring(image(self.image, what, width=WIDTH, attributes=act), self.at, self.image.shape)
        return row(panel("image", shown), cells(self.kernel, "kernel", do="kernel" if live else None), *results)

    def _sentences(self):
        laid, turned, trouble = self.maps
        i, j = self.window
        effect = describe_kernel(self.kernel).effect
        difference = float(np.abs(laid - turned).max())
        if np.array_equal(self.kernel, self.kernel[::-1, ::-1]):
            turning = "Turned by half a turn this kernel is the same, and so are the results."
        else:
            turning = f"Turning this kernel matters: the results differ by up to {written(difference)}."
        here = f"The window at row {i}, column {j} gives {written(laid[i, j])} as it is, {written(turned[i, j])} turned."
        return (
            remark(f"In words: this kernel {effect}. Its numbers add up to {written(self.kernel.sum())}. {turning}")
            + said(f"{self.trouble} {here}".strip(), "bad" if self.trouble else "")
            + remark(trouble, "bad" if trouble else "")
        )


def _alt(values):
    return f"Result of {values.shape[0]} by {values.shape[1]} values, from {written(values.min())} to {written(values.max())}."


@functools.cache
def _shipped(source):
    """An image of the course, (H, W) from 0 to 1."""
    from ..data import load_mnist, load_photo

    values = load_photo()[PHOTO] if source == "photo" else load_mnist("train")[0][0]
    values = values / 255
    values.setflags(write=False)
    return values
