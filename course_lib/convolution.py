"""Two-dimensional convolution: one contract, that of `torch.nn.functional.conv2d`, and five ways to keep it.

`conv2d` checks its arguments, pads, and hands over to one of

==========  ====================================================================================================
`loops`     one loop for each index of the formula: the specification, to be read
`im2col`    every window becomes a column of a matrix, and the convolution a matrix product, part by part: memory is slow
`strided`   the windows are a view of the image's own memory, contracted with the kernel
`fft`       a product of spectra: the cost does not depend on the kernel's size
`sparse`    a matrix that holds the kernel once per output cell, times the image as a vector
==========  ====================================================================================================

As everywhere in deep learning the kernel is *not* flipped: this is cross-correlation.

`conv2d_backward` has its gradients, and `conv_transpose2d` the transposed convolution: both rest on adding windows back where
`conv2d` takes them from (`add_windows`, the adjoint of `sliding_windows`).
"""

import math
from typing import NamedTuple

import numpy as np

from course_lib.arithmetic import dilated_size, output_size, pair, same_padding, whole_number


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, method="im2col"):
    """Convolve images with kernels, as `torch.nn.functional.conv2d` does.

    `y[n, o, i, j] = bias[o] + sum over c, u, v of weight[o, c, u, v] * x[n, c, i*stride + u*dilation, j*stride + v*dilation]`
    on the zero-padded `x`, where `c` runs over the input channels of the group of `o`.

    Parameters
    ----------
    x : array_like, (N, C_in, H, W) or (C_in, H, W)
        Images. `N` may be 0.
    weight : array_like, (C_out, C_in / groups, kH, kW)
        Kernels.
    bias : array_like, (C_out,), optional
        Added to each output channel.
    stride, dilation : int or (int, int)
        Step of the window, and step between the kernel's cells, for (rows, columns); at least 1.
    padding : int or (int, int) or "valid" or "same"
        Zeros added on both sides, for (rows, columns). "valid" is 0. "same" keeps H and W: it needs stride 1, and gives an even
        kernel its odd zero at the bottom and the right.
    groups : int
        Groups of channels that do not see each other; divides C_in and C_out. `groups=C_in` is a depthwise convolution.
    method : {"im2col", "strided", "fft", "sparse", "loops"}
        How to compute it. All give the same numbers, up to the rounding of floats.

    Returns
    -------
    ndarray, (N, C_out, H_out, W_out) or (C_out, H_out, W_out)
        A new array; sizes as `course_lib.arithmetic.output_size` has them. Integers (and booleans) throughout give int64, exactly;
        otherwise the type is NumPy's promotion of the arguments' types: float32 stays float32, uint8 with float32 gives float32.
        float16 adds up in float32.

    Raises
    ------
    ValueError
        When shapes do not go together, the (dilated) kernel does not fit the padded image, an option is out of its range, the values are
        not real numbers, an integer result could leave int64, or `method="fft"` cannot be exact (NaN, infinity, integers too large).

    Examples
    --------
    >>> conv2d([[[1, 2, 3], [4, 5, 6]]], [[[[1, 0], [0, 1]]]])
    array([[[6, 8]]])
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    x, weight = real_array("x", x), real_array("weight", weight)
    images = as_batch(x)
    geometry = conv_geometry(images.shape[1:], weight.shape, stride, padding, dilation, groups)
    arrays = [images, weight]
    if bias is not None:
        arrays.append(real_array("bias", bias))
        if arrays[2].shape != weight.shape[:1]:
            raise ValueError(f"bias must have shape ({len(weight)},), one for each kernel of weight {weight.shape}, got {arrays[2].shape}")
    work, result = _number_types(*arrays)
    if work.kind == "i":
        _check_integers_fit(*arrays)
    images, weight = images.astype(work, copy=False), weight.astype(work, copy=False)
    with np.errstate(invalid="ignore"):  # infinity times zero is NaN here as in torch, without a warning
        y = METHODS[method](pad2d(images, geometry.margins), weight, geometry)
    if bias is not None:
        y = y + arrays[2].astype(work, copy=False)[:, None, None]
    y = y.astype(result, copy=False)
    return y if x.ndim == 4 else y[0]


def conv2d_backward(d_out, x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Return the gradients of a loss by a convolution's input, kernels and bias, given its gradient by the output.

    Each product `weight[o, c, u, v] * x[n, c, row, column]` of `conv2d` takes part once in each gradient: the kernel's cell gets
    `d_out[n, o, i, j]` times what it saw, the input's cell gets `d_out[n, o, i, j]` times the weight that met it, and the bias of `o`
    gets `d_out[n, o, i, j]` itself. So `d_weight` is a convolution of `x` with `d_out`, and `d_x` the transposed convolution of `d_out`.

    Parameters
    ----------
    d_out : array_like, (N, C_out, H_out, W_out) or (C_out, H_out, W_out)
        Gradient of the loss by `conv2d(x, weight, bias, stride, padding, dilation, groups)`, of its shape.
    x : array_like, (N, C_in, H, W) or (C_in, H, W)
        Images that were convolved.
    weight : array_like, (C_out, C_in / groups, kH, kW)
        Kernels.
    stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    d_x : ndarray, of the shape of `x`
    d_weight : ndarray, of the shape of `weight`
        Summed over the images.
    d_bias : ndarray, (C_out,)
        Summed over images and cells.

    All three have NumPy's promotion of the arguments' types (float32 stays float32); integers throughout give float64.

    Raises
    ------
    ValueError
        As `conv2d`, and when `d_out` has not the shape of the output.

    Notes
    -----
    The gradients are those of LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition*
    (Proceedings of the IEEE, 1998); written as matrices in Dumoulin and Visin (arXiv:1603.07285), section 4.1.

    Examples
    --------
    >>> d_x, d_weight, d_bias = conv2d_backward([[[1.0, 10.0]]], [[[1.0, 2.0, 3.0]]], [[[[4.0, 5.0]]]])
    >>> d_x, d_weight, d_bias
    (array([[[ 4., 45., 50.]]]), array([[[[21., 32.]]]]), array([11.]))
    """
    d_out, x, weight = real_array("d_out", d_out), real_array("x", x), real_array("weight", weight)
    images = as_batch(x)
    geometry = conv_geometry(images.shape[1:], weight.shape, stride, padding, dilation, groups)
    expected = (*x.shape[:-3], len(weight), *geometry.out_size)
    if d_out.shape != expected:
        raise ValueError(f"d_out must have the output's shape {expected} (x {x.shape}, weight {weight.shape}), got {d_out.shape}")
    result = np.result_type(d_out, x, weight)
    result = result if result.kind == "f" else np.dtype(np.float64)
    work = np.promote_types(result, np.float32)
    d_out, images, weight = (array.astype(work, copy=False) for array in (as_batch(d_out), images, weight))
    padded = pad2d(images, geometry.margins)
    with np.errstate(invalid="ignore"):  # as in conv2d
        if geometry.stride == (1, 1):
            d_x = _full_convolution(d_out, weight, images.shape[2:], geometry)
        else:
            d_x = pad2d(_add_columns(d_out, weight, padded.shape[2:], geometry), _negative(geometry.margins))
        d_rows = d_out.reshape(len(images), geometry.groups, len(weight) // geometry.groups, math.prod(geometry.out_size))
        windows = sliding_windows(padded, weight.shape[2:], geometry.stride, geometry.dilation)
        d_weight = np.zeros((geometry.groups, math.prod(weight.shape[1:]), len(weight) // geometry.groups), work)
        for some, rows, places in _parts(windows):
            columns = _columns(windows[some, :, rows], geometry.groups)
            d_weight += (columns @ d_rows[some, ..., places].swapaxes(2, 3)).sum(axis=0)
        d_weight, d_bias = d_weight.swapaxes(1, 2).reshape(weight.shape), d_rows.sum(axis=(0, 3)).reshape(len(weight))
    return d_x.reshape(x.shape).astype(result, copy=False), d_weight.astype(result, copy=False), d_bias.astype(result, copy=False)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    """Return the transposed convolution, as `torch.nn.functional.conv_transpose2d` does.

    Every cell of `x` lays down a copy of the kernel, weighted by its value, `stride` cells from its neighbor's; copies that overlap
    add up, and `padding` is cut off all around. It is the *adjoint* of `conv2d` with the same `weight` and options, not its inverse:
    `sum(conv2d(a, weight) * x) = sum(a * conv_transpose2d(x, weight))` for every `a`. It gives back the shape, not the values
    ("deconvolution" is a misnomer).

    Parameters
    ----------
    x : array_like, (N, C_in, H, W) or (C_in, H, W)
        Feature maps. `N` may be 0.
    weight : array_like, (C_in, C_out / groups, kH, kW)
        Kernels, as the convolution from C_out to C_in channels has them.
    bias : array_like, (C_out,), optional
        Added to each output channel.
    stride, dilation : int or (int, int)
        Step between the copies, and between a copy's cells, for (rows, columns); at least 1.
    padding : int or (int, int)
        Cells cut off on both sides.
    output_padding : int or (int, int)
        Rows and columns added at the bottom and the right (before `padding` is cut off). With a stride of `s` there are `s` sizes that
        `conv2d` takes to the same size: this says which one to give back. Less than the stride or the dilation, whichever is larger.
    groups : int
        As in `conv2d`; divides C_in.

    Returns
    -------
    ndarray, (N, C_out, H_out, W_out) or (C_out, H_out, W_out)
        With `H_out = (H - 1) * stride - 2 * padding + dilation * (kH - 1) + 1 + output_padding`, and so for columns. Types as in `conv2d`.

    Raises
    ------
    ValueError
        When shapes do not go together, an option is out of its range, `padding` leaves nothing, the values are not real numbers, or an
        integer result could leave int64.

    Notes
    -----
    Dumoulin and Visin, *A guide to convolution arithmetic for deep learning* (arXiv:1603.07285), section 4.

    Examples
    --------
    >>> conv_transpose2d([[[1, 2, 3]]], [[[[1, 1, 1]]]], stride=2)
    array([[[1, 1, 3, 2, 5, 3, 3]]])
    """
    x, weight = real_array("x", x), real_array("weight", weight)
    maps = as_batch(x)
    stride, padding, dilation = pair("stride", stride, 1), pair("padding", padding, 0), pair("dilation", dilation, 1)
    output_padding, groups = pair("output_padding", output_padding, 0), whole_number("groups", groups, 1)
    in_channels, *size = maps.shape[1:]
    if weight.ndim != 4 or min(weight.shape) < 1 or len(weight) != in_channels:
        raise ValueError(
            f"weight must have shape (C_in, C_out / groups, kH, kW) with no axis empty and C_in={in_channels} as in x {x.shape}, "
            f"got {weight.shape}"
        )
    if in_channels % groups:
        raise ValueError(f"groups={groups} must divide the channels of x, got C_in={in_channels} (x {x.shape})")
    if any(extra >= max(step, gap) for extra, step, gap in zip(output_padding, stride, dilation, strict=True)):
        raise ValueError(f"output_padding must be less than stride {stride} or dilation {dilation}, got {output_padding}")
    canvas = [
        (cells - 1) * step + dilated_size(kernel, gap) + extra
        for cells, step, kernel, gap, extra in zip(size, stride, weight.shape[2:], dilation, output_padding, strict=True)
    ]
    if any(cells <= 2 * cut for cells, cut in zip(canvas, padding, strict=True)):
        raise ValueError(
            f"padding {padding} cuts off on both sides, and leaves nothing of the {canvas[0]}x{canvas[1]} cells; use a smaller one"
        )
    arrays, out_channels = [maps, weight], groups * weight.shape[1]
    if bias is not None:
        arrays.append(real_array("bias", bias))
        if arrays[2].shape != (out_channels,):
            raise ValueError(
                f"bias must have shape ({out_channels},), one for each output channel of weight {weight.shape} with groups={groups}, "
                f"got {arrays[2].shape}"
            )
    work, result = _number_types(*arrays)
    if work.kind == "i":
        seen = weight.reshape(groups, in_channels // groups, *weight.shape[1:]).swapaxes(1, 2)  # the kernels that make an output channel
        _check_integers_fit(maps, seen.reshape(out_channels, in_channels // groups, *weight.shape[2:]), *arrays[2:])
    margins = tuple((cut, cut) for cut in padding)
    geometry = Geometry(stride, dilation, groups, margins, tuple(size))
    with np.errstate(invalid="ignore"):  # as in conv2d
        y = pad2d(_add_columns(maps.astype(work, copy=False), weight.astype(work, copy=False), canvas, geometry), _negative(margins))
    if bias is not None:
        y = y + arrays[2].astype(work, copy=False)[:, None, None]
    y = y.astype(result, copy=False)
    return y if x.ndim == 4 else y[0]


# --- the five: from x, (N, C_in, H, W), checked and already padded, to (N, C_out, H_out, W_out) without bias ---


def _loops(x, weight, geometry):
    (step_i, step_j), (step_u, step_v) = geometry.stride, geometry.dilation
    out_channels, group_channels, kernel_height, kernel_width = weight.shape
    y = np.zeros((len(x), out_channels, *geometry.out_size), x.dtype)
    for n, o, i, j in np.ndindex(y.shape):
        first = o // (out_channels // geometry.groups) * group_channels  # of the input channels that o's group sees
        for c in range(group_channels):
            for u in range(kernel_height):
                for v in range(kernel_width):
                    y[n, o, i, j] += weight[o, c, u, v] * x[n, first + c, i * step_i + u * step_u, j * step_j + v * step_v]
    return y


def _im2col(x, weight, geometry):
    groups = geometry.groups
    kernels = weight.reshape(groups, len(weight) // groups, math.prod(weight.shape[1:]))
    windows = sliding_windows(x, weight.shape[2:], geometry.stride, geometry.dilation)
    y = np.empty((len(x), groups, len(weight) // groups, math.prod(geometry.out_size)), x.dtype)
    for images, rows, places in _parts(windows):
        np.matmul(kernels, _columns(windows[images, :, rows], groups), out=y[images, ..., places])
    return y.reshape(len(x), len(weight), *geometry.out_size)


def _strided(x, weight, geometry):
    windows = sliding_windows(x, weight.shape[2:], geometry.stride, geometry.dilation)
    grouped = zip(np.split(weight, geometry.groups), np.split(windows, geometry.groups, axis=1), strict=True)
    # tensordot sums over (C, kH, kW): the maps of a group come as (C_out / groups, N, H_out, W_out)
    maps = [np.tensordot(kernels, views, axes=((1, 2, 3), (1, 4, 5))) for kernels, views in grouped]
    return np.ascontiguousarray(np.concatenate(maps).swapaxes(0, 1))


def _fft(x, weight, geometry):
    _check_fft_is_exact(x, weight)
    groups, stride, dilation = geometry.groups, geometry.stride, geometry.dilation
    images, _, height, width = x.shape
    out_channels, group_channels, *kernel = weight.shape
    span = dilated_size(kernel[0], dilation[0]), dilated_size(kernel[1], dilation[1])
    kernels = np.zeros((out_channels, group_channels, *span), weight.dtype)
    kernels[..., :: dilation[0], :: dilation[1]] = weight
    # A spectrum's rounding errors are as large for small pixels as for large ones: double precision keeps them below float32's own.
    double = np.promote_types(x.dtype, np.float64)
    frequencies = height, width // 2 + 1
    image_spectra = np.fft.rfft2(x.astype(double))
    image_spectra = image_spectra.reshape(images, groups, group_channels, *frequencies)
    kernel_spectra = np.fft.rfft2(kernels.astype(double), s=(height, width))
    kernel_spectra = kernel_spectra.reshape(groups, out_channels // groups, group_channels, *frequencies)
    # The conjugate makes the product a correlation. It wraps around at the border, where no window of the padded image starts.
    spectra = np.einsum("ngchw,gochw->ngohw", image_spectra, kernel_spectra.conj())
    everywhere = np.fft.irfft2(spectra, s=(height, width)).reshape(images, out_channels, height, width)
    y = everywhere[..., : height - span[0] + 1 : stride[0], : width - span[1] + 1 : stride[1]]
    return np.rint(y).astype(x.dtype) if x.dtype.kind == "i" else y.astype(x.dtype)


def _sparse(x, weight, geometry):
    matrix = convolution_matrix(weight, x.shape[1:], geometry.stride, 0, geometry.dilation, geometry.groups)
    y = matrix @ x.reshape(len(x), math.prod(x.shape[1:])).T  # one column for each image
    return np.ascontiguousarray(y.T).reshape(len(x), len(weight), *geometry.out_size)


METHODS = {"im2col": _im2col, "strided": _strided, "fft": _fft, "sparse": _sparse, "loops": _loops}


# --- their parts ---


def pad2d(x, margins, value=0):
    """Return `x`, (..., H, W), with `((top, bottom), (left, right))` cells of `value` around it; `x` itself when all are 0.

    Negative margins cut off as many cells.
    """
    if not any(map(any, margins)):
        return x
    shape = *x.shape[:-2], *(sum(sides, size) for sides, size in zip(margins, x.shape[-2:], strict=True))
    padded = np.full(shape, value, x.dtype) if value else np.zeros(shape, x.dtype)  # np.pad takes three times as long
    padded[..., *_within(margins)] = x[..., *_within(_negative(margins))]
    return padded


def _within(margins):
    """Return the slices of rows and columns that leave out margins, where they are positive."""
    return tuple(slice(max(before, 0), -after if after > 0 else None) for before, after in margins)


def _negative(margins):
    return tuple((-before, -after) for before, after in margins)


def sliding_windows(x, kernel_size, stride=(1, 1), dilation=(1, 1)):
    """Return every window of `x`, (N, C, H, W), as a read-only view (N, C, H_out, W_out, kH, kW). Nothing is copied."""
    span = dilated_size(kernel_size[0], dilation[0]), dilated_size(kernel_size[1], dilation[1])
    windows = np.lib.stride_tricks.sliding_window_view(x, span, axis=(2, 3))
    return windows[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def add_windows(windows, size, stride=(1, 1), dilation=(1, 1)):
    """Return maps ``(N, C, *size)`` with every window added where `sliding_windows` takes it from: the adjoint of `sliding_windows`.

    Windows that overlap add up; cells in no window stay 0. `windows` is (N, C, H_out, W_out, kH, kW).
    """
    maps = np.zeros((*windows.shape[:2], *size), windows.dtype)
    for tap in np.ndindex(*windows.shape[4:]):
        met = map(_met_by, tap, windows.shape[2:4], stride, dilation)
        maps[:, :, *met] += windows[:, :, :, :, *tap]
    return maps


def im2col(x, kernel_size, stride=1, padding=0, dilation=1):
    """Return every window of the padded images as a column, as `torch.nn.functional.unfold` does.

    Parameters
    ----------
    x : array_like, (N, C, H, W)
        Images.
    kernel_size, stride, padding, dilation : int or (int, int)
        As in `conv2d`.

    Returns
    -------
    ndarray, (N, C * kH * kW, H_out * W_out)
        Of the type of `x`. `weight.reshape(C_out, -1) @ im2col(x, (kH, kW))` is the convolution.

    Raises
    ------
    ValueError
        As `conv2d`.
    """
    x, kernel_size = real_array("x", x), pair("kernel_size", kernel_size, 1)
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    geometry = conv_geometry(x.shape[1:], (1, x.shape[1], *kernel_size), stride, padding, dilation, 1)
    return _columns(sliding_windows(pad2d(x, geometry.margins), kernel_size, geometry.stride, geometry.dilation))[:, 0]


def convolution_matrix(weight, input_shape, stride=1, padding=0, dilation=1, groups=1):
    """Return the sparse matrix that convolves a flattened image: a convolution is linear, so there is one.

    Row `(o, i, j)` holds the kernel of output channel `o` over the input cells that output cell `(i, j)` sees. The matrix
    times `x.ravel()` is `conv2d(x, weight, ...).ravel()`; its transpose is the transposed convolution.

    Parameters
    ----------
    weight : array_like, (C_out, C_in / groups, kH, kW)
        Kernels.
    input_shape : (C_in, H, W)
        Shape of one image, before padding.
    stride, padding, dilation, groups
        As in `conv2d`.

    Returns
    -------
    scipy.sparse.csr_array, (C_out * H_out * W_out, C_in * H * W)
        Of the type that `conv2d` gives for `weight`. Padding has no columns; zeros of the kernel are stored.

    Raises
    ------
    ValueError
        As `conv2d`.
    """
    from scipy import sparse  # only this function needs SciPy, which would double the time to import the module

    weight = real_array("weight", weight)
    geometry = conv_geometry(input_shape, weight.shape, stride, padding, dilation, groups)
    work, _ = _number_types(weight)
    if work.kind == "i":
        _check_integers_fit(np.ones(1, int), weight)
    cells = np.arange(math.prod(input_shape)).reshape(1, *input_shape)
    seen = sliding_windows(pad2d(cells, geometry.margins, value=-1), weight.shape[2:], geometry.stride, geometry.dilation)[0]
    # All entries, indexed by (group, output channel in it, i, j, input channel in it, u, v)
    out_channels, group_channels, kernel_height, kernel_width = weight.shape
    shape = (geometry.groups, out_channels // geometry.groups, *geometry.out_size, group_channels, kernel_height, kernel_width)
    outputs = np.arange(out_channels * math.prod(geometry.out_size)).reshape(*shape[:4], 1, 1, 1)
    inputs = np.moveaxis(seen.reshape(geometry.groups, group_channels, *seen.shape[1:]), 1, 3)[:, None]
    values = weight.astype(work).reshape(*shape[:2], 1, 1, *shape[4:])
    row, column, value = (np.broadcast_to(part, shape).ravel() for part in (outputs, inputs, values))
    inside = column >= 0
    size = (outputs.size, cells.size)
    return sparse.csr_array((value[inside], (row[inside], column[inside])), shape=size)


# The columns of a whole batch take kH * kW times the memory of its images, and memory is slow. So they are made part by part: each small
# enough for a processor's cache, and used before the next is made.
AT_ONCE = 1 << 17  # numbers in a part
FEWEST = 64  # windows in a part: a product of narrower matrices is slow


def _parts(windows):
    """Cut windows, (N, C, H_out, W_out, kH, kW), into parts of whole rows.

    Yields
    ------
    images, rows, places : slice
        Of N, of H_out, and of the same rows in a map that is written as one line of H_out * W_out cells.
    """
    images, channels, height, width, *kernel = windows.shape
    fitting = max(AT_ONCE // (channels * math.prod(kernel)), FEWEST)
    deep, high = max(1, fitting // (height * width)), math.ceil(height / math.ceil(height * width / fitting))
    for n in range(0, images, deep):
        for i in range(0, height, high):
            yield slice(n, n + deep), slice(i, i + high), slice(i * width, (i + high) * width)


def _columns(windows, groups=1):
    """Return windows (N, C, H_out, W_out, kH, kW), copied, as columns (N, groups, C / groups * kH * kW, H_out * W_out)."""
    images, channels, height, width, *kernel = windows.shape
    columns = windows.transpose(0, 1, 4, 5, 2, 3).copy()
    return columns.reshape(images, groups, channels // groups * math.prod(kernel), height * width)


def _add_columns(y, weight, size, geometry):
    """Return `y`, (N, C_out, H_out, W_out), times the transpose of the convolution: (N, C_in, *size), the padding still around it."""
    groups, channels, (kernel_height, kernel_width) = geometry.groups, geometry.groups * weight.shape[1], weight.shape[2:]
    (step, step_across), (gap, gap_across), (_, width) = geometry.stride, geometry.dilation, geometry.out_size
    kernels = weight.reshape(groups, len(weight) // groups, math.prod(weight.shape[1:])).swapaxes(1, 2)
    y = y.reshape(len(y), groups, len(weight) // groups, math.prod(geometry.out_size))
    x = np.zeros((len(y), channels, *size), y.dtype)
    for images, rows, places in _parts(sliding_windows(x, weight.shape[2:], geometry.stride, geometry.dilation)):
        columns = kernels @ y[images, ..., places]
        height = columns.shape[3] // width
        columns = columns.reshape(len(columns), channels, kernel_height, kernel_width, height, width)
        # As `add_windows` does, but first the rows of the kernel, for all its columns, and then these: that is fewer and longer additions.
        seen = x[images, :, rows.start * step : (rows.start + height - 1) * step + dilated_size(kernel_height, gap)]
        strips = np.zeros((len(seen), channels, kernel_width, seen.shape[2], width), x.dtype)
        for u in range(kernel_height):
            strips[:, :, :, _met_by(u, height, step, gap)] += columns[:, :, u]
        for v in range(kernel_width):
            seen[..., _met_by(v, width, step_across, gap_across)] += strips[:, :, v]
    return x


def _full_convolution(d_out, weight, size, geometry):
    """Return the gradient by the images, (N, C_in, *size), for stride 1: it is a convolution, with each kernel flipped.

    `_add_columns` would do too, in twice the time: adding takes longer than copying.
    """
    groups, (out_channels, group_channels, *kernel) = geometry.groups, weight.shape
    flipped = weight.reshape(groups, out_channels // groups, group_channels, *kernel)[..., ::-1, ::-1].swapaxes(1, 2)
    flipped = flipped.reshape(groups * group_channels, out_channels // groups, *kernel)
    spans = (gap * (cells - 1) for gap, cells in zip(geometry.dilation, kernel, strict=True))
    margins = tuple((span - before, span - after) for span, (before, after) in zip(spans, geometry.margins, strict=True))
    return _im2col(pad2d(d_out, margins), flipped, geometry._replace(margins=margins, out_size=tuple(size)))


def _met_by(cell, windows, step, gap):
    """Return the rows (or columns) of the padded map that one row (or column) of the kernel meets, in all windows at once."""
    return slice(cell * gap, cell * gap + (windows - 1) * step + 1, step)


# --- what is asked of the arguments ---


class Geometry(NamedTuple):
    """A convolution's options, checked and written out: all but `groups` as `(rows, columns)`."""

    stride: tuple[int, int]
    dilation: tuple[int, int]
    groups: int
    margins: tuple[tuple[int, int], tuple[int, int]]
    """Padding: `((top, bottom), (left, right))`."""
    out_size: tuple[int, int]


def conv_geometry(input_shape, weight_shape, stride=1, padding=0, dilation=1, groups=1):
    """Check that a convolution is possible, and return its `Geometry`.

    Parameters
    ----------
    input_shape : (C_in, H, W)
    weight_shape : (C_out, C_in / groups, kH, kW)
    stride, padding, dilation, groups
        As in `conv2d`.

    Raises
    ------
    ValueError
        When it is not possible, with the shapes and options that are at odds.
    """
    input_shape, weight_shape = tuple(input_shape), tuple(weight_shape)
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"an image must have shape (C, H, W) with no axis empty, got {input_shape}")
    if len(weight_shape) != 4 or min(weight_shape) < 1:
        advice = "; one 2-D kernel becomes kernel[None, None]" if len(weight_shape) == 2 else ""
        raise ValueError(f"weight must have shape (C_out, C_in / groups, kH, kW) with no axis empty, got {weight_shape}{advice}")
    stride, dilation, groups = pair("stride", stride, 1), pair("dilation", dilation, 1), whole_number("groups", groups, 1)
    channels, *size = input_shape
    out_channels, group_channels, *kernel = weight_shape
    if channels % groups or out_channels % groups:
        raise ValueError(
            f"groups={groups} must divide the channels of the image and of the output, got C_in={channels} (image {input_shape}) "
            f"and C_out={out_channels} (weight {weight_shape})"
        )
    if group_channels != channels // groups:
        raise ValueError(
            f"the image has {channels} channels (shape {input_shape}), so with groups={groups} weight must have shape "
            f"({out_channels}, {channels // groups}, {kernel[0]}, {kernel[1]}), got {weight_shape}"
        )
    margins = _margins(padding, kernel, stride, dilation)
    span = tuple(dilated_size(k, d) for k, d in zip(kernel, dilation, strict=True))
    padded = tuple(cells + before + after for cells, (before, after) in zip(size, margins, strict=True))
    if span[0] > padded[0] or span[1] > padded[1]:
        raise ValueError(
            f"the kernel does not fit: {kernel[0]}x{kernel[1]} with dilation {dilation} spans {span[0]}x{span[1]}, "
            f"and the {size[0]}x{size[1]} image with padding {padding!r} has {padded[0]}x{padded[1]} "
            f"(image {input_shape}, weight {weight_shape})"
        )
    out_size = tuple(output_size(p, k, stride=s, dilation=d) for p, k, s, d in zip(padded, kernel, stride, dilation, strict=True))
    return Geometry(stride, dilation, groups, margins, out_size)


def real_array(name, values):
    """Return `values` as an array of real numbers (booleans count), without copying an array.

    Raises
    ------
    ValueError
        When they are ragged, complex, text or objects.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be an array, with rows of equal length: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must hold real numbers, got dtype {array.dtype} and shape {array.shape}")
    return array


def as_batch(x):
    """Return `x`, (N, C, H, W) or (C, H, W), as (N, C, H, W).

    Raises
    ------
    ValueError
        When `x` has another rank, or an empty axis other than N.
    """
    if x.ndim not in (3, 4) or 0 in x.shape[-3:]:
        advice = "; one gray image becomes image[None]" if x.ndim == 2 else ""
        raise ValueError(f"x must have shape (N, C, H, W) or (C, H, W) with only N allowed to be 0, got {x.shape}{advice}")
    return x if x.ndim == 4 else x[None]


def _margins(padding, kernel, stride, dilation):
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding == "same":
            if stride != (1, 1):
                raise ValueError(f'padding="same" needs stride 1, got stride {stride}: with a larger step the size cannot stay the same')
            return same_padding(kernel[0], dilation[0]), same_padding(kernel[1], dilation[1])
        raise ValueError(f'padding must be a whole number, a pair, "same" or "valid", got {padding!r}')
    rows, columns = pair("padding", padding, 0)
    return (rows, rows), (columns, columns)


def _number_types(*arrays):
    """Return the type to compute in and the type to give back."""
    if all(array.dtype.kind in "biu" for array in arrays):
        return np.dtype(np.int64), np.dtype(np.int64)
    result = np.result_type(*arrays)
    return np.promote_types(result, np.float32), result


def _check_integers_fit(x, weight, bias=None):
    """Raise ValueError when a sum could leave int64. The bound is a float: the spare factor of two covers its rounding."""
    largest = [max(int(array.max()), -int(array.min())) if array is not None and array.size else 0 for array in (x, bias)]
    heaviest = np.abs(weight.astype(np.float64)).sum(axis=(1, 2, 3)).max()
    bound = max(1, largest[0]) * max(1.0, heaviest) + largest[1]
    if bound >= 2**62:
        raise ValueError(f"the integers are too large: results could reach {bound:.1e}, near int64's limit of 9.2e18; give floats instead")


def _check_fft_is_exact(x, weight):
    if x.dtype.kind == "f":
        if not (np.isfinite(x).all() and np.isfinite(weight).all()):
            raise ValueError('method="fft" would spread a NaN or an infinity over the whole map; use another method')
        return
    # Standard bound on the rounding of a transformed product; rounding to whole numbers is right while it stays under a half.
    size = np.linalg.norm(x.astype(np.float64)) * np.linalg.norm(weight.astype(np.float64))
    if size * np.finfo(np.float64).eps * 4 * math.log2(math.prod(x.shape[1:]) + 1) >= 0.5:
        raise ValueError('method="fft" cannot give exact integers this large; use another method, or give floats')
