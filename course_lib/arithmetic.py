"""Convolution arithmetic: sizes, parameters, operations and receptive fields, in whole numbers.

Every function takes the numbers of one axis or one layer and returns exact integers. The relations are those of
Dumoulin and Visin, *A guide to convolution arithmetic for deep learning* (arXiv:1603.07285), sections 2 and 5.
"""

import operator
from collections.abc import Iterable


def whole_number(name, value, minimum):
    """Return `value` as an `int`, or say why it is not a whole number of at least `minimum`.

    Python and NumPy integers are taken; booleans and floats, even 2.0, are not: they are nearly always a slip.

    Raises
    ------
    ValueError
        When `value` is no whole number, or is less than `minimum`. `name` opens the message.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(f"{name} must be a whole number, got {value!r} ({type(value).__name__})")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def pair(name, value, minimum):
    """Return `value`, a whole number or a pair (tuple, list or array) of them, as `(rows, columns)`.

    Raises
    ------
    ValueError
        When `value` is neither, or a number in it is less than `minimum`.
    """
    if isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1:
        if len(value) != 2:
            raise ValueError(f"{name} must be a whole number or a pair (rows, columns), got {len(value)} values: {value!r}")
        return whole_number(f"{name}[0]", value[0], minimum), whole_number(f"{name}[1]", value[1], minimum)
    number = whole_number(name, value, minimum)
    return number, number


def dilated_size(kernel, dilation=1):
    """Return how many cells a dilated kernel spans along one axis: `dilation * (kernel - 1) + 1`."""
    return whole_number("dilation", dilation, 1) * (whole_number("kernel", kernel, 1) - 1) + 1


def output_size(size, kernel, padding=0, stride=1, dilation=1):
    """Return the size of a convolution's output along one axis.

    `floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1`: the number of places where the window fits.

    Parameters
    ----------
    size, kernel : int
        Cells of the input and of the kernel along this axis, at least 1.
    padding : int
        Cells added at *each* end, at least 0.
    stride, dilation : int
        Step of the window, and step between the kernel's cells, at least 1.

    Raises
    ------
    ValueError
        When the (dilated) kernel does not fit the padded input, or an argument is not a whole number in its range.

    Examples
    --------
    >>> output_size(28, 5, padding=2, stride=2)
    14
    """
    size, padding = whole_number("size", size, 1), whole_number("padding", padding, 0)
    stride, span = whole_number("stride", stride, 1), dilated_size(kernel, dilation)
    padded = size + 2 * padding
    if span > padded:
        raise ValueError(
            f"a kernel of {kernel} with dilation {dilation} spans {span} cells and does not fit an input of {size} "
            f"with padding {padding} ({padded} cells)"
        )
    return (padded - span) // stride + 1


def same_padding(kernel, dilation=1):
    """Return the padding `(before, after)` that keeps an axis at its size, for stride 1.

    The two add up to `dilation * (kernel - 1)`. When that is odd (an even kernel) the extra cell comes after, at the
    bottom or the right, as `torch.nn.Conv2d(padding="same")` has it.

    Examples
    --------
    >>> same_padding(3), same_padding(4), same_padding(3, dilation=2)
    ((1, 1), (1, 2), (2, 2))
    """
    total = dilated_size(kernel, dilation) - 1
    return total // 2, total - total // 2


def conv_parameters(in_channels, out_channels, kernel_height, kernel_width, bias=True, groups=1):
    """Return the number of learned numbers in a convolutional layer.

    `out_channels * (in_channels / groups) * kernel_height * kernel_width`, and one bias for each output channel.
    The size of the image plays no part.

    Raises
    ------
    ValueError
        When `groups` does not divide both channel counts, or an argument is not a whole number of at least 1.

    Examples
    --------
    >>> conv_parameters(3, 64, 3, 3)
    1792
    """
    weights = out_channels * _taps(in_channels, out_channels, kernel_height, kernel_width, groups)
    return weights + out_channels if bias else weights


def conv_macs(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
    """Return the multiply-accumulates (MACs) that a convolutional layer spends on one image.

    Every output value costs one MAC for each weight of its kernel. One MAC is two FLOPs. As usual, products with
    padding are counted, and adding the bias is not.

    Parameters
    ----------
    in_channels, out_channels, kernel_height, kernel_width, groups : int
        The layer.
    output_height, output_width : int
        Size of its *output*, see `output_size`.

    Raises
    ------
    ValueError
        When `groups` does not divide both channel counts, or an argument is not a whole number of at least 1.

    Examples
    --------
    >>> conv_macs(1, 16, 3, 3, 28, 28)
    112896
    """
    taps = _taps(in_channels, out_channels, kernel_height, kernel_width, groups)
    return taps * out_channels * whole_number("output_height", output_height, 1) * whole_number("output_width", output_width, 1)


def receptive_field(layers):
    """Return how many input cells, along one axis, one cell of the last layer sees.

    Each layer adds `dilation * (kernel - 1)` steps of the grid it works on, and that grid's step, in input cells, is
    the product of the strides before it. Pooling counts as a layer; an image's border does not (the field may reach into padding).

    Parameters
    ----------
    layers : sequence of (kernel, stride, dilation)
        From the input on. No layers: a cell sees itself, 1.

    Raises
    ------
    ValueError
        When a layer is not three whole numbers of at least 1.

    Examples
    --------
    >>> receptive_field([(3, 1, 1), (2, 2, 1), (3, 1, 1)])  # convolution, pooling, convolution
    8
    """
    field, jump = 1, 1
    for index, layer in enumerate(layers):
        if not isinstance(layer, Iterable) or len(numbers := tuple(layer)) != 3:
            raise ValueError(f"layers[{index}] must be (kernel, stride, dilation), got {layer!r}")
        kernel, stride, dilation = (
            whole_number(f"{name} of layers[{index}]", number, 1)
            for name, number in zip(("kernel", "stride", "dilation"), numbers, strict=True)
        )
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def _taps(in_channels, out_channels, kernel_height, kernel_width, groups):
    """Return the weights behind one output value, after checking a layer's numbers."""
    in_channels, out_channels = whole_number("in_channels", in_channels, 1), whole_number("out_channels", out_channels, 1)
    groups = whole_number("groups", groups, 1)
    if in_channels % groups or out_channels % groups:
        raise ValueError(f"groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
    return in_channels // groups * whole_number("kernel_height", kernel_height, 1) * whole_number("kernel_width", kernel_width, 1)
