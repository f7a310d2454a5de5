"""Pooling: what a window of a feature map comes down to, channel by channel, and the gradients. Shapes as torch has them.

Each `..._backward(d_out, x, ...)` takes the gradient of a loss by the pooling's output, and what the pooling was given, and returns the
gradient by `x`: a maximum passes it to the cell that won, a mean shares it out. Where windows overlap, what they send adds up.
"""

import math

import numpy as np

from course_lib.arithmetic import pair
from course_lib.convolution import add_windows, as_batch, pad2d, real_array, sliding_windows


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
    windows = _windows(x, pool_size, stride, padding, _lowest(x.dtype))
    y = windows[..., 0, 0].copy()
    for tap in np.ndindex(*windows.shape[4:]):  # one cell of all windows at once: many times faster than window by window
        np.maximum(y, windows[..., *tap], out=y)
    return _unbatched(y, x)


def max_pool2d_backward(d_out, x, pool_size=2, stride=None, padding=0):
    """Return the gradient by the input of `max_pool2d`: that of each output goes, whole, to the cell that was its maximum.

    Parameters
    ----------
    d_out : array_like, (N, C, H_out, W_out) or (C, H_out, W_out)
        Gradient of the loss by `max_pool2d(x, pool_size, stride, padding)`, of its shape.
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps that were pooled.
    pool_size, stride, padding
        As in `max_pool2d`.

    Returns
    -------
    ndarray, of the shape of `x`
        Floats of the type of `d_out`; integers give float64. Of equal maxima in a window the first, row by row, gets it all, as in
        torch; of several NaN the last. Padding gets nothing.

    Raises
    ------
    ValueError
        As `max_pool2d`, and when `d_out` has not the shape of the output.

    Examples
    --------
    >>> max_pool2d_backward([[[10.0, 20.0]]], [[[1, 5, 7, 0], [3, 5, 7, 6]]])
    array([[[ 0., 10., 20.,  0.],
            [ 0.,  0.,  0.,  0.]]])
    """
    x = real_array("x", x)
    windows = _windows(x, pool_size, stride, padding, _lowest(x.dtype))
    (stride, padding), out_size, (rows, columns) = _steps(pool_size, stride, padding), windows.shape[2:4], windows.shape[4:]
    d_out = _gradient(d_out, (*x.shape[:-2], *out_size))
    # Each window's leader, as the number of its cell: at first the first that is no padding, which even minus infinity beats.
    top, left = (np.maximum(0, cut - step * np.arange(size)) for cut, step, size in zip(padding, stride, out_size, strict=True))
    numbers = np.arange(rows * columns, dtype=np.min_scalar_type(rows * columns))  # small integers are compared many at a time
    leader = np.broadcast_to((top[:, None] * columns + left).astype(numbers.dtype), windows.shape[:4]).copy()
    best = np.full(leader.shape, _lowest(x.dtype), x.dtype)
    for number, tap in zip(numbers, np.ndindex(rows, columns), strict=True):
        cell = windows[..., *tap]
        wins = (cell > best) | (cell != cell)  # only NaN differs from itself
        np.maximum(leader, wins * number, out=leader)  # the last that wins: numbers only grow
        np.maximum(best, cell, out=best)
    d_windows = np.where(leader == numbers.reshape(rows, columns, 1, 1, 1, 1), d_out.reshape(leader.shape), d_out.dtype.type(0))
    return _add_windows(np.moveaxis(d_windows, (0, 1), (4, 5)), x, stride, padding)


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
    y = np.zeros(windows.shape[:4], np.promote_types(x.dtype, np.float32))  # halves add up in single precision
    for tap in np.ndindex(*windows.shape[4:]):  # as in max_pool2d
        y += windows[..., *tap]
    if count_include_pad:
        cells = math.prod(windows.shape[4:])
    else:
        cells = _windows(np.ones((1, *x.shape[-3:]), y.dtype), pool_size, stride, padding, 0).sum(axis=(-2, -1))
    return _unbatched((y / cells).astype(x.dtype, copy=False), x)


def avg_pool2d_backward(d_out, x, pool_size=2, stride=None, padding=0, count_include_pad=True):
    """Return the gradient by the input of `avg_pool2d`: that of each output is shared out evenly over its window.

    Parameters
    ----------
    d_out : array_like, (N, C, H_out, W_out) or (C, H_out, W_out)
        Gradient of the loss by `avg_pool2d(x, pool_size, stride, padding, count_include_pad)`, of its shape.
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps that were pooled; only their shape matters.
    pool_size, stride, padding, count_include_pad
        As in `avg_pool2d`.

    Returns
    -------
    ndarray, of the shape of `x`
        Floats of the type of `d_out`; integers give float64.

    Raises
    ------
    ValueError
        As `avg_pool2d`, and when `d_out` has not the shape of the output.

    Examples
    --------
    >>> avg_pool2d_backward([[[4.0, 8.0]]], [[[1, 5, 7, 0], [3, 5, 7, 6]]])
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    x = real_array("x", x)
    inside = _windows(np.ones((1, *as_batch(x).shape[1:])), pool_size, stride, padding, 0)
    d_out = _gradient(d_out, (*x.shape[:-2], *inside.shape[2:4]))
    cells = math.prod(inside.shape[4:]) if count_include_pad else inside.sum(axis=(-2, -1))
    share = (d_out / cells).astype(d_out.dtype, copy=False).reshape(-1, *inside.shape[1:4])
    windows = np.broadcast_to(share[..., None, None], (*share.shape, *inside.shape[4:]))
    return _add_windows(windows, x, *_steps(pool_size, stride, padding))


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


def global_avg_pool_backward(d_out, x):
    """Return the gradient by the input of `global_avg_pool`: that of each mean is shared out evenly over its map.

    Parameters
    ----------
    d_out : array_like, (N, C) or (C,)
        Gradient of the loss by `global_avg_pool(x)`, of its shape.
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps that were pooled; only their shape matters.

    Returns
    -------
    ndarray, of the shape of `x`
        Floats of the type of `d_out`; integers give float64.

    Raises
    ------
    ValueError
        As `global_avg_pool`, and when `d_out` has not the shape of the output.
    """
    x = real_array("x", x)
    size = as_batch(x).shape[2:]
    d_out = _gradient(d_out, x.shape[:-2])
    return np.broadcast_to(d_out[..., None, None] / d_out.dtype.type(math.prod(size)), x.shape).copy()


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


def adaptive_avg_pool2d_backward(d_out, x):
    """Return the gradient by the input of `adaptive_avg_pool2d`: that of each output is shared out evenly over its window.

    Parameters
    ----------
    d_out : array_like, (N, C, H_out, W_out) or (C, H_out, W_out)
        Gradient of the loss by `adaptive_avg_pool2d(x, (H_out, W_out))`.
    x : array_like, (N, C, H, W) or (C, H, W)
        Feature maps that were pooled; only their shape matters.

    Returns
    -------
    ndarray, of the shape of `x`
        Floats of the type of `d_out`; integers give float64.

    Raises
    ------
    ValueError
        When `x` has another rank, or `d_out` other leading axes than `x`.

    Examples
    --------
    >>> adaptive_avg_pool2d_backward([[[4.0, 6.0]]], [[[1, 2, 3]]])
    array([[[2., 5., 3.]]])
    """
    x = real_array("x", x)
    maps, out_size = as_batch(x), np.shape(d_out)[-2:]
    if len(out_size) < 2 or min(out_size) < 1:
        raise ValueError(f"d_out must have shape (N, C, H_out, W_out) or (C, H_out, W_out), got {np.shape(d_out)}")
    d_out = as_batch(_gradient(d_out, (*x.shape[:-2], *out_size)))
    rows, columns = (_bins(cells, bins) for cells, bins in zip(maps.shape[2:], out_size, strict=True))
    d_x = np.zeros(maps.shape, d_out.dtype)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cells = (row.stop - row.start) * (column.stop - column.start)
            d_x[:, :, row, column] += d_out[:, :, i, j, None, None] / d_out.dtype.type(cells)
    return _unbatched(d_x, x)


def _bins(cells, bins):
    """Return the windows of adaptive pooling along one axis; `-(-a // b)` is a / b rounded up."""
    return [slice(i * cells // bins, -(-(i + 1) * cells // bins)) for i in range(bins)]


def _steps(pool_size, stride, padding):
    """Return a pooling's stride and padding, written out as `(rows, columns)`."""
    return pair("stride", pool_size if stride is None else stride, 1), pair("padding", padding, 0)


def _lowest(dtype):
    """Return the value of padding, which no cell of a map is less than."""
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _gradient(d_out, shape):
    """Return `d_out` as floats, after comparing its shape with that of the output."""
    d_out = _as_floats(real_array("d_out", d_out))
    if d_out.shape != shape:
        raise ValueError(f"d_out must have the output's shape {shape}, got {d_out.shape}")
    return d_out


def _add_windows(windows, x, stride, padding):
    """Return the windows' sum on the map that they were taken from, in the shape of `x`."""
    rows, columns = padding
    height, width = x.shape[-2:]
    padded = add_windows(windows, (height + 2 * rows, width + 2 * columns), stride)
    return padded[..., rows : rows + height, columns : columns + width].reshape(x.shape)


def _as_floats(x):
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _unbatched(y, x):
    return y if x.ndim == 4 else y[0]


def _windows(x, pool_size, stride, padding, value):
    """Check the options of a pooling, and return its windows of `x`, (N, C, H_out, W_out, rows, columns)."""
    maps, pool = as_batch(x), pair("pool_size", pool_size, 1)
    stride, padding = _steps(pool_size, stride, padding)
    if 2 * padding[0] > pool[0] or 2 * padding[1] > pool[1]:
        raise ValueError(f"padding must be at most half the window (a window of padding has no value), got {padding} for pool_size {pool}")
    padded = pad2d(maps, [(cells, cells) for cells in padding], value)
    if pool[0] > padded.shape[2] or pool[1] > padded.shape[3]:
        raise ValueError(
            f"the {pool[0]}x{pool[1]} window does not fit: x {x.shape} with padding {padding} has {padded.shape[2]}x{padded.shape[3]} cells"
        )
    return sliding_windows(padded, pool, stride)
