"""Explorers: what a lesson lets its reader move. Each shows itself in a notebook, and runs the reader's own function where it gets one.

`board.py` holds what all of them share and tells how to build one; each explorer has a file of its own.
"""

# Each name is that of its file too. Bound here, the function stays what the name means, whatever imports the file later. That costs little:
# at their top the files import nothing heavier than NumPy.

from .equivariance import equivariance
from .kernel_lab import kernel_lab
from .look_inside import look_inside
from .output_size import output_size
from .receptive_field import receptive_field
from .sliding_window import sliding_window

__all__ = ["equivariance", "kernel_lab", "look_inside", "output_size", "receptive_field", "sliding_window"]
