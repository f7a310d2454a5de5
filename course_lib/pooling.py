"""Pooling: what a window of a feature map comes down to, channel by channel. Forward only; shapes as torch has them."""

import numpy as np

from course_lib.arithmetic import pair
from course_lib.convolution import as_batch, pad2d, real_array, sliding_windows


def max_pool2d(x, pool_size=2, stride=None, padding=0):
    """Return the largest value of each window, as `torch.nn.functional.max_pool2d` does.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps; integers are welcome. `N` may be 0.
    pool_size : int or (int, int)
        Window, (rows, columns).
    stride : int or (int, int), optional
        Step of the window; by default its size, so that windows neither overlap nor leave gaps.
    padding : int or (int, int)
        Cells of minus infinity (for integers, the smallest there is) on both sides: they never win. At most half the window.

    Returns
    -------
    ndarray, (N, C, H_out, W_out) or (C, H_out, W_out)
        Of the type of `x`; sizes as `course_lib.arithmetic.output_size` has them: rows and columns that fill no window are left out.
        A NaN in a window is its maximum.

    Raises
    ------
    ValueError
        When `x` has another rank, a window does not fit the padded map, or an option is out of its range.

    Examples
    --------
    >>> max_pool2d([[[1, 5, 2, 0], [3, 4, 7, 6]]])
    array([[[5, 7]]])
    """
    x = real_array("x", x)
    lowest = {"f": -np.inf, "b": False}.get(x.dtype.kind)
    windows = _windows(x, pool_size, stride, padding, np.iinfo(x.dtype).min if lowest is None else lowest)
    return _unbatched(windows.max(axis=(-2, -1)), x)


def avg_pool2d(x, pool_size=2, stride=None, padding=0, count_include_pad=True):
    """Return the mean of each window, as `torch.nn.functional.avg_pool2d` does.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps. `N` may be 0.
    pool_size : int or (int, int)
        Window, (rows, columns).
    stride : int or (int, int), optional
        Step of the window; by default its size.
    padding : int or (int, int)
        Zeros on both sides, at most half the window.
    count_include_pad : bool
        Whether the zeros of the padding count: divide by the window's size, or by how many cells of the map it holds.

    Returns
    -------
    ndarray, (N, C, H_out, W_out) or (C, H_out, W_out)
        Floats of the type of `x`; integers give float64, with nothing cut off (torch rounds theirs towards zero). A NaN in a
        window is its mean.

    Raises
    ------
    ValueError
        When `x` has another rank, a window does not fit the padded map, or an option is out of its range.

    Examples
    --------
    >>> avg_pool2d([[[1, 5, 2, 0], [3, 4, 7, 6]]])
    array([[[3.25, 3.75]]])
    """
    x = _as_floats(real_array("x", x))
    windows = _windows(x, pool_size, stride, padding, 0)
    if count_include_pad:
        return _unbatched(windows.mean(axis=(-2, -1)), x)
    inside = _windows(np.ones((1, *x.shape[-3:]), x.dtype), pool_size, stride, padding, 0)
    return _unbatched(windows.mean(axis=(-2, -1)) / inside.mean(axis=(-2, -1)), x)


def global_avg_pool(x):
    """Return the mean of each feature map.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps of any size.

    Returns
    -------
    ndarray, (N, C) or (C,)
        Floats of the type of `x`; integers give float64.

    Raises
    ------
    ValueError
        When `x` has another rank or an empty axis other than N.
    """
    x = _as_floats(real_array("x", x))
    return _unbatched(as_batch(x).mean(axis=(-2, -1)), x)


def adaptive_avg_pool2d(x, output_size):
    """Return means over as many windows as are asked for, as `torch.nn.functional.adaptive_avg_pool2d` does.

    Output row `i` is the mean of the input rows from `floor(i * H / H_out)` to before `ceil((i + 1) * H / H_out)`, and so for
    columns: the windows cover the map, and overlap where the sizes do not divide. An output larger than the map repeats cells.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps of any size.
    output_size : int or (int, int)
        (H_out, W_out), at least 1.

    Returns
    -------
    ndarray, (N, C, H_out, W_out) or (C, H_out, W_out)
        Floats of the type of `x`; integers give float64.

    Raises
    ------
    ValueError
        When `x` has another rank, or `output_size` is not one or two whole numbers of at least 1.

    Examples
    --------
    >>> adaptive_avg_pool2d([[[1, 2, 3], [4, 5, 6]]], (1, 2))
    array([[[3., 4.]]])
    """
    x = _as_floats(real_array("x", x))
    maps, size = as_batch(x), pair("output_size", output_size, 1)
    rows, columns = (_bins(cells, bins) for cells, bins in zip(maps.shape[2:], size, strict=True))
    y = np.empty((*maps.shape[:2], *size), x.dtype)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            y[:, :, i, j] = maps[:, :, row, column].mean(axis=(-2, -1))
    return _unbatched(y, x)


def _bins(cells, bins):
    """Return the windows of adaptive pooling along one axis; `-(-a // b)` is a / b rounded up."""
    return [slice(i * cells // bins, -(-(i + 1) * cells // bins)) for i in range(bins)]


def _as_floats(x):
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _unbatched(y, x):
    return y if x.ndim == 4 else y[0]


def _windows(x, pool_size, stride, padding, value):
    """Check the options of a pooling, and return its windows of `x`, (N, C, H_out, W_out, rows, columns)."""
    maps, pool = as_batch(x), pair("pool_size", pool_size, 1)
    stride = pool if stride is None else pair("stride", stride, 1)
    padding = pair("padding", padding, 0)
    if 2 * padding[0] > pool[0] or 2 * padding[1] > pool[1]:
        raise ValueError(f"padding must be at most half the window (a window of padding has no value), got {padding} for pool_size {pool}")
    padded = pad2d(maps, [(cells, cells) for cells in padding], value)
    if pool[0] > padded.shape[2] or pool[1] > padded.shape[3]:
        raise ValueError(
            f"the {pool[0]}x{pool[1]} window does not fit: x {x.shape} with padding {padding} has {padded.shape[2]}x{padded.shape[3]} cells"
        )
    return sliding_windows(padded, pool, stride)
