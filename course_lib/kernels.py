"""The eight classic kernels, and what a kernel's numbers say about what it does."""

from types import MappingProxyType
from typing import NamedTuple

import numpy as np


def _frozen(values, scale=1):
    kernel = np.array(values, dtype=float) / scale
    kernel.setflags(write=False)
    return kernel


CLASSIC_KERNELS = MappingProxyType(
    {
        "Identity": _frozen([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
        "Box Blur": _frozen([[1, 1, 1], [1, 1, 1], [1, 1, 1]], scale=9),
        "Gaussian Blur": _frozen([[1, 2, 1], [2, 4, 2], [1, 2, 1]], scale=16),
        "Sharpen": _frozen([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "Edge (Laplacian)": _frozen([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
        "Sobel Horizontal": _frozen([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
        "Sobel Vertical": _frozen([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        "Emboss": _frozen([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]),
    }
)
"""Name to kernel, float64 (3, 3), all read-only; `.copy()` one to change it.

The Sobel kernels are named after the edges that they find: "Sobel Horizontal" differentiates *down* the rows, and so
answers to horizontal edges.
"""


class KernelDescription(NamedTuple):
    """What can be read off a kernel's numbers. `str()` of it is a sentence or two."""

    total: float
    """Sum of the numbers: what a flat region of brightness 1 becomes."""
    symmetric: bool
    """Unchanged by half a turn, so that cross-correlation and convolution give the same."""
    antisymmetric_axis: int | None
    """The axis (0 down the rows, 1 along them) whose reversal changes every sign; None when neither or both do."""
    separable: bool
    """The outer product of a column and a row (rank 1): two 1-D passes do its work."""
    slope: tuple[float, float]
    """Answer to brightness that rises by 1 a pixel (down, to the right), measured from the kernel's middle."""
    effect: str
    """What it does, in words."""

    @property
    def keeps_brightness(self):
        """Whether a flat region stays as it is: the numbers add up to 1."""
        return bool(np.isclose(self.total, 1))

    @property
    def zero_sum(self):
        """Whether a flat region becomes 0: only changes are seen."""
        return bool(np.isclose(self.total, 0, atol=1e-9))

    def __str__(self):
        flat = "keeps the brightness" if self.keeps_brightness else "flat regions become 0" if self.zero_sum else "changes the brightness"
        half_turn = "the same after half a turn" if self.symmetric else "not the same after half a turn (flipping it matters)"
        parts = f"Its numbers add up to {self.total:.4g} ({flat}), it is {half_turn} and {'' if self.separable else 'not '}separable."
        return f"It {self.effect}. {parts}"


def describe_kernel(kernel):
    """Return what a kernel's numbers say about it.

    Parameters
    ----------
    kernel : array_like, (kH, kW)
        Real, finite numbers.

    Returns
    -------
    KernelDescription
        With `str()` for a sentence or two.

    Raises
    ------
    ValueError
        When it is not a 2-D array of finite numbers.

    Examples
    --------
    >>> describe_kernel(CLASSIC_KERNELS["Sobel Vertical"]).antisymmetric_axis
    1
    """
    try:
        values = np.asarray(kernel, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"a kernel must be a 2-D array of numbers, got {kernel!r}") from None
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a kernel must have shape (kH, kW) with no axis empty, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a kernel must hold finite numbers, got {kernel!r}")
    scale = np.abs(values).max()
    kernel = np.where(np.abs(values) <= 1e-12 * scale, 0, values)  # rounding is no structure

    def same(a, b):
        return bool(np.allclose(a, b, rtol=0, atol=1e-9 * scale))

    negated = [axis for axis in (0, 1) if same(np.flip(kernel, axis), -kernel)]
    down, right = (np.arange(size) - (size - 1) / 2 for size in kernel.shape)
    slope = float((kernel.sum(axis=1) * down).sum()), float((kernel.sum(axis=0) * right).sum())
    slope = tuple(0.0 if abs(value) <= 1e-9 * scale else value for value in slope)
    return KernelDescription(
        total=float(kernel.sum()),
        symmetric=same(np.rot90(kernel, 2), kernel),
        antisymmetric_axis=negated[0] if len(negated) == 1 else None,
        separable=bool(np.linalg.matrix_rank(kernel) == 1),
        slope=slope,
        effect=_effect(kernel, slope, same),
    )


def _effect(kernel, slope, same):
    """Say what a kernel does: the first of these that its numbers show."""
    total = kernel.sum()
    if not kernel.any():
        return "gives 0 everywhere"
    if total < 0 and not same(total, 0):
        return _effect(-kernel, tuple(-value for value in slope), same) + ", and turns the image into its negative"
    if np.count_nonzero(kernel) == 1:
        moved = "leaves the image where it is" if not any(slope) and kernel.size % 2 else "moves the image"
        return moved if same(total, 1) else f"{moved} and multiplies it by {total:.4g}"
    if (kernel >= 0).all():
        return "blurs: each pixel becomes " + ("an average" if same(total, 1) else "a weighted sum") + " of its neighborhood"
    if same(total, 0):
        if any(slope):
            return f"differentiates: it answers to brightness that rises {_direction(slope)}"
        return "answers to points, lines and edges, and not to flat or evenly rising brightness"
    if any(slope):
        return f"embosses: it adds the rise in brightness {_direction(slope)} to the image, as if light fell across it"
    if kernel.size % 2 and kernel.argmax() == kernel.size // 2:
        return "sharpens: it adds to the image what sets each pixel off from its neighborhood"
    return "mixes each pixel's neighborhood, some of it with the opposite sign"


def _direction(slope):
    down, right = slope
    words = ["downwards" if down > 0 else "upwards"] * (down != 0) + ["to the right" if right > 0 else "to the left"] * (right != 0)
    return " and ".join(words)
