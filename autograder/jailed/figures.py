"""Takes the place of the library's figures and explorers in a student's kernel: nobody looks at them while a notebook is graded.

They take longer than all the rest of a lesson; and some compute on their way what exercises ask for.
"""

import sys

from jailed import library as _library


class Picture:
    """What a figure gives in a graded run: a line of text."""

    def __init__(self, figure=None, alt=""):
        if figure is not None and "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(figure)

    def __repr__(self):
        return "A picture stands here in the notebook. It is not drawn while the notebook is graded."


def moved_by(image, shift):
    """An image moved by whole pixels (down, right); what leaves is lost and zeros move in."""
    return _library.ask("figures.drawing", "moved_by", (image, shift), {})


def __getattr__(name):
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lambda *anything, **more: Picture()
