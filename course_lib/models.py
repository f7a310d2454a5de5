"""The torch networks of the lessons, and `trace`: what each layer gives, and what it costs.

All take images (N, C, H, W) and give one score (logit) for each of ten classes, (N, 10); the blocks give feature maps. Weights start as
torch starts them: call `torch.manual_seed` first for a network that can be had again.
"""

import html
import math
from typing import NamedTuple

import torch
from torch import nn

from course_lib.arithmetic import conv_macs, whole_number


class MLP(nn.Module):
    """Two dense layers, 784 to 256 to 10, with a ReLU between them: 203,530 parameters. It sees pixels in a row, not a picture.

    Takes (N, 1, 28, 28), or anything else that flattens to (N, 784).
    """

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))

    def forward(self, x):
        return self.layers(x)


class _ConvNet(nn.Module):
    """`features` turns images into feature maps, and `classifier` turns these into scores: the two halves of every network below."""

    def __init__(self, features, classifier):
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.features(x))


class LeNet5(_ConvNet):
    """LeNet-5 as it is built today: 61,706 parameters.

    (1, 28, 28) becomes (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), then 400, 120, 84 and 10 numbers. The network of LeCun, Bottou,
    Bengio and Haffner (*Gradient-based learning applied to document recognition*, 1998, section II.B) differs: its images are 32x32 (here
    28x28 and a padding of 2), C3 connects only some of the maps, pooling has a weight and a bias for each map, and its output layer is
    made of radial basis functions. It has 60,000 trainable parameters.

    Parameters
    ----------
    activation : class
        `nn.ReLU`, as is usual today, or `nn.Tanh`, as in 1998.
    pool : class
        `nn.MaxPool2d`, or `nn.AvgPool2d`, which is closer to 1998.
    """

    def __init__(self, activation=nn.ReLU, pool=nn.MaxPool2d):
        super().__init__(
            [nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2), nn.Conv2d(6, 16, 5), activation(), pool(2)],
            [nn.Flatten(), nn.Linear(400, 120), activation(), nn.Linear(120, 84), activation(), nn.Linear(84, 10)],
        )


class MnistCNN(_ConvNet):
    """Two convolutions without padding for images (N, 1, 28, 28), dropout, and one dense layer: 34,826 parameters."""

    def __init__(self):
        super().__init__(
            [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)],
            [nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 5 * 5, 10)],
        )


class CifarCNN(_ConvNet):
    """Two convolutions and one dense layer for color images (N, 3, 32, 32), and no other size: 60,362 parameters."""

    def __init__(self):
        super().__init__(
            [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)],
            [nn.Flatten(), nn.Linear(64 * 8 * 8, 10)],
        )


class SimpleCNN(_ConvNet):
    """Three convolutions, each halved by pooling, and one dense layer on the mean of each map: 94,538 parameters.

    Made for (N, 3, 32, 32). Because of the mean it takes every size from 8x8 up, with the same parameters.
    """

    def __init__(self):
        features = []
        for before, after in [(3, 32), (32, 64), (64, 128)]:
            features += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(features, [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)])


class ResidualBlock(nn.Module):
    """`relu(x + f(x))`, where `f` is a 3x3 convolution, a ReLU, and a 3x3 convolution: feature maps (N, C, H, W) keep their shape.

    The block of He et al. (*Deep residual learning for image recognition*, arXiv:1512.03385, figure 2) without its batch normalization, so
    that nothing hides what the sum does. `18 * channels**2 + 2 * channels` parameters.

    Parameters
    ----------
    channels : int
        C, of the input and the output.
    """

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu2 = nn.ReLU()

    def forward(self, x):
        return self.relu2(x + self.conv2(self.relu1(self.conv1(x))))


class DepthwiseSeparable(nn.Module):
    """A convolution in two cheap steps: one kernel for each channel (depthwise), then a 1x1 convolution that mixes them (pointwise).

    Takes the place of `nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)`: the same shapes, and
    `in_channels * kernel_size**2 + in_channels * out_channels` weights instead of `in_channels * out_channels * kernel_size**2`.
    As in MobileNet (Howard et al., arXiv:1704.04861, section 3.1), less what stands between the two steps there.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, bias
        As of `torch.nn.Conv2d`. Stride and padding are those of the depthwise step; both steps have a bias, or none.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, bias=True):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, kernel_size, stride, padding, groups=in_channels, bias=bias)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def forward(self, x):
        return self.pointwise(self.depthwise(x))


# ---------------------------------------------------------------------------------------------------- shapes and counts


class TracedLayer(NamedTuple):
    """One line of a `Trace`. Shape and MACs are those of one image: the batch axis N is left out."""

    name: str
    """Where it is in the network, as in `model.named_modules()`."""
    kind: str
    """Its class."""
    output_shape: tuple[int, ...]
    parameters: int
    """Learned numbers. A layer that is called again brings no new ones."""
    macs: int
    """Multiply-accumulates of a convolution or a linear layer, as in `course_lib.arithmetic.conv_macs`. Of other layers, 0."""


class Trace(NamedTuple):
    """What `trace` found. Shows itself as a table, and prints as one."""

    model: str
    input_shape: tuple[int, ...]
    layers: tuple[TracedLayer, ...]

    @property
    def parameters(self):
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self):
        return sum(layer.macs for layer in self.layers)

    def __str__(self):
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        sides = [str.ljust, str.ljust, str.ljust, str.rjust, str.rjust]  # words to the left, numbers to the right
        lines = ["  ".join(side(*cell) for side, *cell in zip(sides, row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([self._title(), *lines])

    __repr__ = __str__

    def _repr_html_(self):
        def line(row, tags):
            sides = ("left", "left", "left", "right", "right")
            cells = [
                f'<{tag} style="text-align:{side}">{html.escape(text)}</{tag[:2]}>'
                for text, tag, side in zip(row, tags, sides, strict=True)
            ]
            return f"<tr>{''.join(cells)}</tr>"

        head, *body = self._rows()
        head = line(head, ['th scope="col"'] * 5)
        caption = f'<caption style="text-align:left">{html.escape(self._title())}</caption>'
        lines = [line(row, ('th scope="row"', "td", "td", "td", "td")) for row in body]
        return f"<table>{caption}<thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"

    def _title(self):
        return f"{self.model} on one image of {_sized(self.input_shape)}"

    def _rows(self):
        head = ("layer", "kind", "output", "parameters", "MACs")
        rows = [(row.name, row.kind, _sized(row.output_shape), f"{row.parameters:,}", f"{row.macs:,}") for row in self.layers]
        return [head, *rows, ("total", "", "", f"{self.parameters:,}", f"{self.macs:,}")]


def _sized(shape):
    return "\N{MULTIPLICATION SIGN}".join(map(str, shape))


def trace(model, input_shape):
    """Send one blank image through a network, and list its layers in the order in which they are called.

    A layer is a module without modules inside, or with parameters of its own. What `forward` computes without a module, such as a sum or
    `torch.relu`, has no line. Parameters that no layer brought up share one at the end, `(elsewhere)`: the total is always the network's.
    The network is run in evaluation mode, and is left as it was.

    Parameters
    ----------
    model : torch.nn.Module
    input_shape : (C, H, W)
        Of one image; or whatever the network takes, without the batch axis N.

    Returns
    -------
    Trace
        Its `layers`, and its `parameters` and `macs`: totals.

    Raises
    ------
    ValueError
        When the model is no torch module, or `input_shape` has a batch axis or is not made of whole numbers.
    RuntimeError
        torch's own, when the network does not take such an image.

    Examples
    --------
    >>> print(trace(MLP(), (1, 28, 28)))
    MLP on one image of 1×28×28
    layer     kind     output  parameters     MACs
    layers.0  Flatten  784              0        0
    layers.1  Linear   256        200,960  200,704
    layers.2  ReLU     256              0        0
    layers.3  Linear   10           2,570    2,560
    total                         203,530  203,264
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module, such as LeNet5(), got {model!r}")
    input_shape = _image_shape(input_shape)
    layers, counted = [], set()

    def note(module, inputs, output):
        output = output[0] if isinstance(output, tuple) else output  # attention and recurrent layers give more than their output
        shape, parameters = tuple(output.shape[1:]), count(module.parameters(recurse=False))
        layers.append(TracedLayer(names[module], type(module).__name__, shape, parameters, _macs(module, inputs[0], output)))

    def count(parameters):
        new = {id(parameter): parameter.numel() for parameter in parameters if id(parameter) not in counted}
        counted.update(new)
        return sum(new.values())

    names = {module: name or "(itself)" for name, module in model.named_modules()}
    modes = {module: module.training for module in names}
    hooks = [module.register_forward_hook(note) for module in names if _is_layer(module)]
    like = next(model.parameters(), torch.empty(0))
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape, dtype=like.dtype, device=like.device))
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes.items():
            module.training = training
    if elsewhere := count(model.parameters()):
        layers.append(TracedLayer("(elsewhere)", "", (), elsewhere, 0))
    return Trace(type(model).__name__, input_shape, tuple(layers))


def _image_shape(shape):
    if not isinstance(shape, tuple | list) or not 1 <= len(shape) <= 3:
        raise ValueError(f"input_shape must be the shape of one image, (C, H, W), without the batch axis, got {shape!r}")
    return tuple(whole_number(f"input_shape[{axis}]", size, 1) for axis, size in enumerate(shape))


def _is_layer(module):
    return not list(module.children()) or bool(list(module.parameters(recurse=False)))


def _macs(module, x, y):
    """Multiply-accumulates for one image. Each value of the output (transposed: of the input) meets one slice of the weights."""
    if isinstance(module, nn.Conv2d):
        return conv_macs(module.in_channels, module.out_channels, *module.kernel_size, *y.shape[-2:], module.groups)
    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv3d):
        return module.weight[0].numel() * math.prod(y.shape[1:])
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return module.weight[0].numel() * math.prod(x.shape[1:])
    return 0
