"""Lesson 4, the same in PyTorch: what the student's functions are checked with.

Functions that return a layer are judged by what the layer makes of a fixed image. A layer that still holds random numbers gives other
values each time, so it is recognized by its weights instead: `observe` then raises an error of its own, and the error has a name.
`TorchExercise` tells such an error as a finding, and gives PyTorch's most frequent messages names as well.
Torch is imported inside the functions, so that the other lessons do not wait for it.
"""

from dataclasses import dataclass, replace

import numpy as np

from .. import convolution
from .exercise import Case, CodeExercise, Misconception, Working
from .lesson_02 import working

# ------------------------------------------------------------------------------------------------ what is looked at


class NotALayer(TypeError):
    """Something else than a layer came back."""


class RandomBias(ValueError):
    """The layer has a bias that nobody set."""


class RandomWeights(ValueError):
    """The layer's weights are still those that it was made with."""


class NotATensor(TypeError):
    """Something else than a tensor came back."""


class NotFloat32(TypeError):
    """A tensor of another type came back."""


class NotAnArray(TypeError):
    """A tensor came back where an array was asked for."""


FINDINGS = {kind.__name__ for kind in (NotALayer, RandomBias, RandomWeights, NotATensor, NotFloat32, NotAnArray)}
MESSAGES = {  # a piece of what PyTorch says, and the name under which it counts as a slip of one kind
    "a leaf Variable that requires grad": "WeightsAreWatched",
    "as parameter 'weight'": "TensorAssigned",
    ") should be the same": "TypesDiffer",
}


@dataclass(frozen=True, kw_only=True)
class TorchExercise(CodeExercise):
    """A function that calls PyTorch. What `observe` finds is told as a finding, and frequent errors are told apart by their message."""

    def call(self, function, case, sink):
        outcome = super().call(function, case, sink)
        if outcome.error in FINDINGS:
            told = outcome.problem.removeprefix(f"It raised {outcome.error}: ")
            return replace(outcome, problem=told[:1].upper() + told[1:])
        return replace(
            outcome, error=next((name for piece, name in MESSAGES.items() if outcome.error and piece in outcome.problem), outcome.error)
        )


PROBE = np.array(
    [
        [1, 0, 2, 5, 0, 1, 3],
        [0, 3, 1, 0, 2, 0, 1],
        [4, 0, 0, 1, 0, 2, 0],
        [0, 1, 0, 0, 3, 0, 2],
        [2, 0, 1, 4, 0, 0, 1],
        [0, 2, 0, 1, 0, 5, 0],
    ],
    dtype=float,
)
"""The image on which layers are tried: 6x7, no two rows or columns alike."""


def _as_layer(value):
    from torch import nn

    if not isinstance(value, nn.Module):
        raise NotALayer(f"Expected the layer itself (an nn.Conv2d), got a {type(value).__name__}")
    return value


def _parameter(layer, name):
    """The array of this name in the layer, or None."""
    value = getattr(layer, name, None)
    return value.detach().double().numpy() if hasattr(value, "detach") else None


def _run(layer, x):
    """What a layer makes of an array, in the layer's own float type and with its random parts (dropout) switched off."""
    import torch

    parameters = [parameter for parameter in layer.parameters() if parameter.is_floating_point()]
    with torch.no_grad():
        return layer.eval()(torch.tensor(x, dtype=parameters[0].dtype if parameters else torch.float32))


def _looks_untouched(values, fan_in, wanted):
    """Do these numbers lie where torch draws them from, and are they nothing that was wanted?"""
    values, wanted = np.ravel(values), np.ravel(wanted)
    bound = 1 / np.sqrt(fan_in) + 1e-6
    strangers = ~np.isclose(values[:, None], wanted[None], atol=1e-6).any(axis=1)
    return values.size > 1 and bool((np.abs(values) <= bound).all() and strangers.all() and len(np.unique(values)) == values.size)


# ------------------------------------------------------------------------------------------------ 9.1 load_kernel


def load_kernel(kernel, padding=0):
    """The right answer: a layer with one filter, which is this kernel."""
    return _layer(np.asarray(kernel, dtype=float)[None, None], padding=padding)


def _layer(weight, bias=None, **options):
    """A layer with these weights (O, C, kH, kW), as float32."""
    import torch
    from torch import nn

    weight = torch.tensor(np.ascontiguousarray(weight), dtype=torch.float32)
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], tuple(weight.shape[2:]), bias=bias is not None, **options)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(torch.tensor(np.asarray(bias), dtype=torch.float32))
    return layer


def _map_of_probe(layer, kernel, padding=0):
    """The layer's feature map of the probe image, (oH, oW)."""
    layer = _as_layer(layer)
    bias, weight = _parameter(layer, "bias"), _parameter(layer, "weight")
    if bias is not None and np.abs(bias).max() > 1e-7:
        raise RandomBias(f"the layer has a bias, {float(bias.ravel()[0]):.3f}, and adds it to every value")
    if weight is not None and _looks_untouched(weight, max(weight[0].size, 1), [*np.ravel(kernel), 0]):
        raise RandomWeights("the layer's weights are not those of the kernel: it still has its first, random ones")
    output = _run(layer, PROBE[None, None])
    return output[0, 0] if output.ndim == 4 and output.shape[:2] == (1, 1) else output


def _with_bias(kernel, padding=0):
    layer = load_kernel(kernel, padding)
    return _layer(layer.weight.detach().numpy(), bias=[0.25], padding=padding)


def _random_layer(kernel, padding=0):
    import torch
    from torch import nn

    layer = nn.Conv2d(1, 1, np.shape(kernel), padding=padding, bias=False)
    with torch.no_grad():  # numbers of the usual range that are certainly not the kernel's
        layer.weight.copy_((torch.arange(np.size(kernel)).reshape(layer.weight.shape) + 0.37) * 0.9 / np.size(kernel) ** 1.5)
    return layer


def _always_three(kernel, padding=0):
    return _copied_into(kernel, (3, 3), padding)


def _square(kernel, padding=0):
    return _copied_into(kernel, (len(kernel),) * 2, padding)


def _copied_into(kernel, size, padding):
    """A layer made for kernels of this size, whatever the kernel's own is."""
    import torch
    from torch import nn

    layer = nn.Conv2d(1, 1, size, padding=padding, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.asarray(kernel, dtype=float)))
    return layer


def _padding_as_stride(kernel, padding=0):
    return _layer(np.asarray(kernel)[None, None], stride=padding)


def _transposed_and_poured(kernel, padding=0):
    return load_kernel(np.asarray(kernel).T.reshape(np.shape(kernel)), padding)


def _probe_working(index, kernel, padding=0):
    return working(index, PROBE, kernel, padding)


def _new_layer(kernels, padding=0):
    """A layer for kernels (n, kH, kW), still with its first weights, and these kernels as a tensor of its weights' shape."""
    from torch import nn

    kernels = np.asarray(kernels, dtype=float)
    layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)
    return layer, _tensor(kernels[:, None])


def _tensor(values):
    import torch

    return torch.tensor(np.ascontiguousarray(values), dtype=torch.float32)


def _without_no_grad(kernels, padding=0):
    layer, weight = _new_layer(kernels, padding)
    layer.weight.copy_(weight)
    return layer


def _tensor_as_weight(kernels, padding=0):
    layer, layer.weight = _new_layer(kernels, padding)
    return layer


WATCHED = "PyTorch watches a layer's weights. Change them inside `with torch.no_grad():`, which says that this is not training."
ASSIGNED = "A layer's weight cannot be replaced by a plain tensor. Write into it: `layer.weight.copy_(...)`, inside `torch.no_grad()`."

_K = {
    "4.1": np.array([[1.0, 0, -1], [2, 0, -1], [1, 0.5, -3]]),
    "wide": np.array([[1.0, -2, 0, 3], [0.5, 4, -1, 2]]),
    "tall": np.array([[2.0], [-1], [0.25]]),
    "small": np.array([[1.0, 2], [-3, 4]]),
    "whole": np.array([[1, -2, 0], [3, 5, -4]]),
    "five": np.arange(25.0).reshape(5, 5) - 7,
}

LOAD_KERNEL = TorchExercise(
    name="load_kernel",
    title="your kernel in nn.Conv2d (9.1)",
    points=4,
    reference=load_kernel,
    signature="load_kernel(kernel, padding=0)",
    cases=(
        Case((_K["4.1"],)),
        Case((_K["small"],), {"padding": 1}),
        Case((_K["wide"],), {"padding": 2}),
        Case((_K["tall"],)),
        Case((_K["4.1"],), {"padding": 1}, layout="read-only"),
        Case((_K["five"],), {"padding": 2}, layout="fortran"),
        Case((_K["whole"],), {"padding": 3}),
    ),
    random_case=lambda draw: Case(
        (draw.integers(draw.integer(1, 4), draw.integer(2, 4), low=-4, high=5) + 0.5,), {"padding": draw.integer(0, 2)}
    ),
    observe=_map_of_probe,
    explain=_probe_working,
    misconceptions=(
        Misconception(
            "bias-left-on",
            "A new layer has a bias, a random number that it adds to every value. Your own conv2d has none, so switch it off.",
            _with_bias,
        ),
        Misconception(
            "kernel-not-loaded",
            "The layer was made, but its weights are still the random ones it was born with. The kernel has to be copied into `weight`.",
            _random_layer,
        ),
        Misconception(
            "padding-forgotten",
            "Padding is not passed on: the layer must be told how much to pad when it is made.",
            lambda kernel, padding=0: load_kernel(kernel),
        ),
        Misconception(
            "padding-always-1",
            "The layer always pads by 1. That is right for the Sobel kernel of the example; here the caller says how much.",
            lambda kernel, padding=0: load_kernel(kernel, 1),
        ),
        Misconception(
            "padding-as-stride",
            "In nn.Conv2d(1, 1, size, ...) the fourth value is the stride, not the padding. Write `padding=` in front of it.",
            _padding_as_stride,
        ),
        Misconception(
            "always-3x3",
            "The layer is made for 3x3 kernels. The size should come from the kernel that is given, height and width.",
            _always_three,
        ),
        Misconception(
            "always-square",
            "One number as kernel_size means a square. For kernels of any height and width, kernel_size takes a pair.",
            _square,
        ),
        Misconception(
            "kernel-flipped",
            "The kernel was turned by 180 degrees on the way in. nn.Conv2d does not flip, and neither did you in lesson 2.",
            lambda kernel, padding=0: load_kernel(np.asarray(kernel)[::-1, ::-1], padding),
        ),
        Misconception(
            "kernel-transposed",
            "Rows and columns of the kernel are exchanged. The last two axes of `weight` are height and width, as in the kernel.",
            _transposed_and_poured,
        ),
        Misconception(
            "decimals-cut-off",
            "The kernel lost its decimals on the way: it went through a type for whole numbers.",
            lambda kernel, padding=0: load_kernel(np.trunc(kernel), padding),
        ),
        Misconception("no-grad-forgotten", WATCHED, lambda kernel, padding=0: _without_no_grad(np.asarray(kernel)[None], padding)),
        Misconception("tensor-assigned", ASSIGNED, lambda kernel, padding=0: _tensor_as_weight(np.asarray(kernel)[None], padding)),
        Misconception(
            "output-returned",
            "The layer itself is wanted, so that the caller can use it on any image. What came back is no layer.",
            lambda kernel, padding=0: np.asarray(kernel),
        ),
    ),
    hints=(
        "Three steps: make a layer with one input and one output channel, copy the kernel into its weights, return the layer.",
        "nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False) has weights of shape (1, 1, kH, kW).",
        "The weights belong to the layer and it keeps watch over them. Change them inside `with torch.no_grad():`.",
        "with torch.no_grad(): layer.weight.copy_(torch.tensor(kernel)[None, None])",
    ),
)

# ------------------------------------------------------------------------------------------------ agrees

TOLERANCE = 1e-5


def agrees(a, b):
    """The right answer: equal shapes, no two entries further apart than 1e-5, or 1e-5 of the size of the entry of b where that is more."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    return a.shape == b.shape and bool((np.abs(a - b) <= TOLERANCE * np.maximum(1, np.abs(b))).all())


def _compared(test, shapes=True):
    """A comparison that asks something else; without `shapes`, NumPy stretches arrays to fit."""

    def answer(a, b):
        a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
        return (not shapes or a.shape == b.shape) and bool(test(a, b))

    return answer


def _limit(b):
    return TOLERANCE * np.maximum(1, np.abs(b))


_SMALL = np.array([[1.0, -2, 0.5], [3, 0, -4]])
_LARGE = np.array([[250000.0, -3], [40, 1000000]])
_NEGATIVE = np.array([[-1000000.0, -3]])
_SQUARE = np.array([[1.0, 2], [3, 4]])


def _nudged(array, index, by):
    nudged = np.array(array, dtype=float)
    nudged[index] += by
    return nudged


AGREES = CodeExercise(
    name="agrees",
    title="equal, up to rounding",
    points=3,
    reference=agrees,
    signature="agrees(a, b)",
    truth=True,
    exact=True,
    cases=(
        Case((_SMALL, _SMALL.copy())),
        Case((_SMALL, _SMALL + 3e-7)),
        Case((_SMALL, _nudged(_SMALL, (1, 1), 3e-4))),
        Case((_SMALL, _nudged(_SMALL, (1, 1), 1.5e-5))),
        Case((_nudged(_SMALL, (0, 2), -0.25), _SMALL)),
        Case((_nudged(_SMALL, (0, 2), 0.25), _SMALL)),
        Case((np.array([[1.0, 2, 3]]), np.array([[1.0, 2, 3], [1, 2, 3]]))),
        Case((np.array([[1.0, 2, 3]]), np.array([1.0, 2, 3]))),
        Case((np.array([[1.0, 2, 3, 4]]), np.array([[1.0, 2], [3, 4]]))),
        Case((_SQUARE, _SQUARE.T)),
        Case((_SQUARE, -_SQUARE)),
        Case((_SQUARE, np.array([[0.0, 3], [3, 4]]))),
        Case((_LARGE, _LARGE * (1 + 2e-6))),
        Case((_LARGE, _LARGE * (1 + 2e-4))),
        Case((np.array([[5.0, 7], [9, 0]]), np.array([[7.0, 5], [0, 9]]))),
        Case((_nudged(np.zeros((30, 40)), (29, 39), 0.004), np.zeros((30, 40)))),
        Case((_nudged(np.full((2, 3), 1e-7), (0, 0), 2e-7), np.full((2, 3), 1e-7)), layout="read-only"),
        Case((_SMALL.astype(np.float32), _SMALL)),
        Case((_nudged(_NEGATIVE, (0, 0), 2), _NEGATIVE)),
    ),
    random_case=lambda draw: _random_pair(draw),
    misconceptions=(
        Misconception(
            "exactly-equal",
            "This asks whether the arrays are equal to the last digit. Two right programs round in different places: allow a little.",
            _compared(lambda a, b: (a == b).all()),
        ),
        Misconception(
            "sign-ignored",
            "The absolute value is missing: where a is far below b the difference is negative, and so it is less than any limit.",
            _compared(lambda a, b: (a - b <= _limit(b)).all()),
        ),
        Misconception(
            "plain-allclose",
            "np.allclose stretches shapes that do not fit, and near zero its own limit is far smaller than 0.00001. Mind both.",
            _compared(lambda a, b: np.allclose(a, b), shapes=False),
        ),
        Misconception(
            "shapes-not-compared",
            "NumPy stretches an array of one row over one of many before it subtracts (broadcasting). Compare the shapes first.",
            _compared(lambda a, b: _stretched(a, b), shapes=False),
        ),
        Misconception(
            "only-shapes",
            "Arrays of one shape can hold quite different numbers. Look at the numbers as well.",
            _compared(lambda a, b: True),
        ),
        Misconception(
            "sums-compared",
            "Equal sums do not make equal arrays: the same numbers in other places have the same sum.",
            _compared(lambda a, b: abs(a.sum() - b.sum()) <= _limit(b.sum())),
        ),
        Misconception(
            "any-instead-of-all",
            "It is enough here that a single pair of entries agrees. Every pair should.",
            _compared(lambda a, b: (np.abs(a - b) <= _limit(b)).any()),
        ),
        Misconception(
            "mean-difference",
            "An average over many entries hides the one that is wrong. Look at the largest difference, not at the mean.",
            _compared(lambda a, b: (np.abs(a - b)).mean() <= _limit(b).max()),
        ),
        Misconception(
            "absolute-limit-only",
            "With numbers in the millions, float32 itself is coarser than 0.00001. The limit must grow with the numbers.",
            _compared(lambda a, b: (np.abs(a - b) <= TOLERANCE).all()),
        ),
        Misconception(
            "relative-limit-only",
            "Near zero, a limit in proportion to b is next to nothing. It should never be smaller than 0.00001.",
            _compared(lambda a, b: (np.abs(a - b) <= TOLERANCE * np.abs(b)).all()),
        ),
        Misconception(
            "limit-without-abs",
            "A negative entry of b makes the limit small again. What counts is the size of the entry: np.abs(b).",
            _compared(lambda a, b: (np.abs(a - b) <= TOLERANCE * np.maximum(1, b)).all()),
        ),
        Misconception(
            "limit-too-generous",
            "Differences of a few thousandths pass. Rounding in float32 is thousands of times smaller than that.",
            _compared(lambda a, b: (np.abs(a - b) <= 1e-2 * np.maximum(1, np.abs(b))).all()),
        ),
        Misconception(
            "answer-turned-round",
            "True and False are exchanged: it says True when the arrays differ.",
            lambda a, b: not agrees(a, b),
        ),
    ),
    hints=(
        "Two questions: do the shapes agree, and is every difference small enough? Ask the first one first.",
        "The size of a difference is np.abs(a - b). The limit is an array as well: 1e-5 * np.maximum(1, np.abs(b)).",
        "`<=` between two arrays gives an array of True and False; `.all()` is True when all of them are.",
        "return a.shape == b.shape and bool((np.abs(a - b) <= limit).all())",
    ),
)


def _stretched(a, b):
    return (np.abs(a - b) <= _limit(b)).all()


def _random_pair(draw):
    """Two arrays of one shape that agree, that differ in one place, or that differ in all by little."""
    a = draw.integers(draw.integer(1, 3), draw.integer(2, 4))
    kind, place = draw.integer(0, 2), tuple(draw.integer(0, n - 1) for n in a.shape)
    return Case((a, [a * (1 + 1e-6), _nudged(a, place, 0.01 * (2 * draw.integer(0, 1) - 1)), a[::-1] + 2e-6][kind]))


# ------------------------------------------------------------------------------------------------ 9.2 feature_maps


def feature_maps(image, kernels, padding=0):
    """The right answer: one map for each kernel, (n, oH, oW)."""
    image, kernels = np.asarray(image, dtype=float), np.asarray(kernels, dtype=float)
    return convolution.conv2d(image[None], kernels[:, None], padding=padding)


def _maps_of(value, image, kernels, padding=0):
    """The student's maps as an array; each off by one number of its own means that the bias was left on."""
    from .exercise import as_array

    if hasattr(value, "detach") or (isinstance(value, (list, tuple)) and any(hasattr(part, "detach") for part in value)):
        raise NotAnArray("Expected a NumPy array, got what PyTorch computed: a tensor.")
    got = as_array(value).value
    wanted = feature_maps(image, kernels, padding)
    if got is not None and got.shape == wanted.shape and got.size > len(got):
        off = (got - wanted).reshape(len(got), -1)
        if np.ptp(off, axis=1).max() < 1e-3 and 1e-3 < np.abs(off).max() < 1:
            raise RandomBias(
                f"every value of a map is off by the same number, {off[np.abs(off).max(axis=1).argmax(), 0]:.3f} in one of them"
            )
    return value


def _squeezed(image, kernels, padding=0):
    return np.squeeze(feature_maps(image, kernels, padding))


def _image_as_it_is(image, kernels, padding=0):
    import torch

    return _layer(np.asarray(kernels)[:, None], padding=padding)(torch.tensor(image)[None, None])[0].detach().numpy()


_DIGIT = np.array([[0, 0, 60, 200, 0], [10, 250, 255, 0, 0], [0, 40, 220, 90, 0], [0, 0, 130, 180, 20]], dtype=np.uint8)
_IMAGE = np.array([[1.5, 0, 2, 5, 0], [0, 3, 1, 0, 2], [4, 0, -1, 1, 0], [2, 1, 0, 3, 0.5]])
_FOUR = np.array([_K["4.1"], [[0, 1, 0], [2, -4, 1], [0, 3, 0]], [[1, 2, 1], [0, 0, 0], [-1, -2, -3]], [[0.5, 1, 0], [1, 0, 2], [0, 1, 1]]])

FEATURE_MAPS = TorchExercise(
    name="feature_maps",
    may_call=("conv2d",),
    title="several filters at once (9.2)",
    points=4,
    reference=feature_maps,
    signature="feature_maps(image, kernels, padding=0)",
    cases=(
        Case((_IMAGE, _FOUR)),
        Case((_IMAGE, _FOUR[:2]), {"padding": 1}),
        Case((_IMAGE, _FOUR[1:2])),
        Case((_DIGIT, _FOUR[:3]), {"padding": 1}),
        Case((_DIGIT, np.array([[[1.0, -2]], [[0.5, 3]]])), layout="read-only"),
        Case((_IMAGE.astype(np.float32), np.stack([_K["wide"], -2 * _K["wide"][::-1]])), {"padding": 2}, layout="fortran"),
        Case((np.arange(12).reshape(3, 4) - 5, np.array([[[1, 2], [3, -4], [0, 1]]])), {"padding": 1}),
    ),
    random_case=lambda draw: Case(
        (
            draw.integers(draw.integer(4, 6), draw.integer(4, 5), low=0),
            draw.integers(draw.integer(1, 3), draw.integer(1, 3), draw.integer(2, 3)),
        ),
        {"padding": draw.integer(0, 2)},
    ),
    observe=_maps_of,
    explain=lambda index, image, kernels, padding=0: working(index[1:], image, np.asarray(kernels)[index[0]], padding),
    misconceptions=(
        Misconception(
            "bias-left-on",
            "Each map is off by one number of its own: the layer's random biases. Make the layer without them.",
            lambda image, kernels, padding=0: feature_maps(image, kernels, padding) + 0.25,
        ),
        Misconception(
            "one-kernel-for-all",
            "All maps are those of the first kernel. Filter number i should get kernel number i.",
            lambda image, kernels, padding=0: feature_maps(image, np.repeat(np.asarray(kernels)[:1], len(kernels), axis=0), padding),
        ),
        Misconception(
            "last-kernel-for-all",
            "All maps are those of the last kernel: each turn of the loop writes over the one before. Filter i should get kernel i.",
            lambda image, kernels, padding=0: feature_maps(image, np.repeat(np.asarray(kernels)[-1:], len(kernels), axis=0), padding),
        ),
        Misconception(
            "batch-axis-left",
            "The maps are right, inside one axis too many: the batch of one image. Take image 0 out of the result.",
            lambda image, kernels, padding=0: feature_maps(image, kernels, padding)[None],
        ),
        Misconception(
            "squeezed-too-much",
            "squeeze() removes every axis of length 1, also that of the filters when there is only one. Take out image 0 by its index.",
            _squeezed,
        ),
        Misconception(
            "only-the-first-map",
            "This is one map. There should be one for each kernel, in an array (n, oH, oW).",
            lambda image, kernels, padding=0: feature_maps(image, kernels, padding)[0],
        ),
        Misconception(
            "maps-added-up",
            "The maps were added up to one. Kernels in the weights' channel axis belong to one filter; here each is its own filter.",
            lambda image, kernels, padding=0: feature_maps(image, kernels, padding).sum(axis=0, keepdims=True),
        ),
        Misconception(
            "maps-come-last",
            "The numbers are right and the axes are not: in PyTorch the channels come before height and width.",
            lambda image, kernels, padding=0: np.moveaxis(feature_maps(image, kernels, padding), 0, -1),
        ),
        Misconception(
            "padding-forgotten",
            "Padding is not passed on: the layer must be told how much to pad when it is made.",
            lambda image, kernels, padding=0: feature_maps(image, kernels),
        ),
        Misconception(
            "kernels-flipped",
            "The kernels were turned by 180 degrees on the way in. nn.Conv2d does not flip.",
            lambda image, kernels, padding=0: feature_maps(image, np.asarray(kernels)[:, ::-1, ::-1], padding),
        ),
        Misconception(
            "negative-values-lost",
            "Everything below 0 became 0. A convolutional layer has no activation of its own: negative values stay.",
            lambda image, kernels, padding=0: np.maximum(feature_maps(image, kernels, padding), 0),
        ),
        Misconception(
            "divided-by-255",
            "The image was divided by 255. Convert its type and leave its values as they are.",
            lambda image, kernels, padding=0: feature_maps(np.asarray(image) / 255, kernels, padding),
        ),
        Misconception(
            "tensor-returned",
            "NumPy in, NumPy out: what comes back should be an array, and this is a tensor. `.detach().numpy()` makes an array of it.",
            lambda image, kernels, padding=0: _tensor(feature_maps(image, kernels, padding)),
        ),
        Misconception("no-grad-forgotten", WATCHED, lambda image, kernels, padding=0: _without_no_grad(kernels, padding)),
        Misconception("tensor-assigned", ASSIGNED, lambda image, kernels, padding=0: _tensor_as_weight(kernels, padding)),
        Misconception(
            "image-not-float32",
            "The image still has its own type, and a layer's weights are float32. torch.tensor(image).float() converts it.",
            _image_as_it_is,
        ),
        Misconception(
            "decimals-cut-off",
            "The image or the kernels went through a type for whole numbers and lost their decimals.",
            lambda image, kernels, padding=0: feature_maps(np.trunc(image), np.trunc(kernels), padding),
        ),
    ),
    hints=(
        "Make one layer with len(kernels) output channels; its weights have the shape (n, 1, kH, kW).",
        "The kernels are (n, kH, kW). The channel axis is missing: torch.tensor(kernels)[:, None] adds it.",
        "The image needs a batch axis and a channel axis, and the layer's type: torch.tensor(image).float()[None, None].",
        "The result is (1, n, oH, oW) and knows how it came about. Image 0, as NumPy: layer(x)[0].detach().numpy()",
    ),
)

# ------------------------------------------------------------------------------------------------ true_convolution


def _convolution_working(index, x, w):
    """One value of one map, channel by channel, with the kernels as they meet the window: turned by 180 degrees."""
    image, filters = np.asarray(x)[index[0]], np.asarray(w)[index[1], :, ::-1, ::-1]
    return _window_working(index[2:], image, filters)


def _window_working(corner, image, filters, bias=0.0):
    """A window of an image (C, H, W) that starts at this corner, and the filter (C, kH, kW) over it."""
    rows, columns = (slice(start, start + size) for start, size in zip(corner, filters.shape[1:], strict=True))
    mask = np.zeros(image.shape[1:], dtype=bool)
    mask[rows, columns] = True
    return Working(tuple(image), mask, tuple(image[:, rows, columns]), tuple(filters), bias=bias)


def true_convolution(x, w):
    """The right answer: every kernel turned by 180 degrees, then the layer's cross-correlation."""
    return _correlated(x, np.flip(np.asarray(w), (2, 3)))


def _correlated(x, w):
    return convolution.conv2d(np.asarray(x, dtype=float), np.asarray(w, dtype=float))


def _changed_weights(change):
    return lambda x, w: _correlated(x, np.ascontiguousarray(change(np.asarray(w, dtype=float))))


_X = np.stack([np.stack([PROBE[:4, :5], PROBE[2:, 1:6]]), np.stack([PROBE[1:5, 2:], PROBE[:4, 1:6] - 2])])
_W = np.array([[[1.0, 2, 0], [-1, 3, 5]], [[0, -2, 1], [4, 1, -3]], [[2, 2, -1], [0, 1, 6]], [[-5, 1, 1], [0, 3, 2]]]).reshape(2, 2, 2, 3)
_SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]

TRUE_CONVOLUTION = CodeExercise(
    name="true_convolution",
    may_call=("conv2d",),
    title="the convolution of mathematics",
    points=3,
    reference=true_convolution,
    signature="true_convolution(x, w)",
    tensors=True,
    explain=_convolution_working,
    cases=(
        Case((PROBE[None, None, :4, :5], np.array([[[[1.0, 2], [3, -4]]]]))),
        Case((PROBE[None, None, :4, :5], _SOBEL)),
        Case((_X, _W)),
        Case((_X[:1], _W[:1])),
        Case((PROBE[None, None, :3], np.array([[[[1.0, 0, -2]]], [[[0.5, 3, 1]]]]))),
        Case((PROBE[None, None, :3], np.array([[[[1.0], [2]]], [[[0.5], [3]]]]))),
    ),
    random_case=lambda draw: (
        lambda n, c, o: Case((draw.integers(n, c, draw.integer(3, 5), 4), draw.integers(o, c, draw.integer(1, 3), draw.integer(2, 3))))
    )(draw.integer(1, 2), draw.integer(1, 2), draw.integer(1, 2)),
    misconceptions=(
        Misconception(
            "not-flipped",
            "This is cross-correlation, what F.conv2d does by itself. True convolution meets the kernel turned by 180 degrees.",
            _correlated,
        ),
        Misconception(
            "flipped-up-down-only",
            "The kernel was turned upside down, and not left to right. A half turn does both.",
            _changed_weights(lambda w: w[:, :, ::-1]),
        ),
        Misconception(
            "flipped-left-right-only",
            "The kernel was mirrored left to right, and not upside down. A half turn does both.",
            _changed_weights(lambda w: w[..., ::-1]),
        ),
        Misconception(
            "first-axes-flipped",
            "The axes 0 and 1 are filters and channels. Height and width are the last two.",
            _changed_weights(lambda w: w[::-1, ::-1]),
        ),
        Misconception(
            "all-axes-flipped",
            "Filters and channels changed their order as well. Only height and width are flipped.",
            _changed_weights(lambda w: w[::-1, ::-1, ::-1, ::-1]),
        ),
        Misconception(
            "transposed",
            "The kernel's rows and columns are exchanged. Transposing is no half turn: it mirrors at the diagonal.",
            _changed_weights(lambda w: w.swapaxes(2, 3)),
        ),
        Misconception(
            "quarter-turn",
            "The kernel was turned by 90 degrees. Convolution turns it by 180.",
            _changed_weights(lambda w: np.rot90(w, axes=(2, 3))),
        ),
        Misconception(
            "output-flipped",
            "The feature map was turned, not the kernel. That turns the picture as well.",
            lambda x, w: np.flip(_correlated(x, w), (2, 3)),
        ),
        Misconception(
            "image-flipped",
            "The image was turned, not the kernel. The numbers are those of the convolution, and they come out in the opposite order.",
            lambda x, w: _correlated(np.flip(np.asarray(x), (2, 3)), w),
        ),
        Misconception(
            "sign-changed",
            "Changing the sign is the same as flipping only for kernels such as Sobel, where each number faces its negative.",
            lambda x, w: -_correlated(x, w),
        ),
    ),
    hints=(
        "F.conv2d lays the kernel on the window as it is. What must you do to the kernel beforehand?",
        "Tensors have a method flip that takes the axes: t.flip(0) turns the first axis round.",
        "The kernels are (O, C, kH, kW), so the axes of height and width are 2 and 3.",
        "return F.conv2d(x, w.flip(2, 3))",
    ),
)

# ------------------------------------------------------------------------------------------------ images_to_tensor


def images_to_tensor(images):
    """The right answer: (N, H, W) or (N, H, W, C) bytes as float32 (N, C, H, W) from 0 to 1."""
    import torch

    images = np.asarray(images)
    images = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    return torch.tensor(images / 255, dtype=torch.float32)


def _as_float_tensor(value, images):
    """The tensor's values, once its type is right."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise NotATensor(f"expected a torch tensor, got a {type(value).__name__}")
    if value.dtype != torch.float32:
        raise NotFloat32(f"expected a tensor of torch.float32, the type of a layer's weights, got {value.dtype}")
    return value


def _tensor_by(change, gray=lambda images: images[:, None], scale=255):
    """The same, with another way of arranging color images, gray ones, or of scaling."""

    def answer(images):
        import torch

        images = np.asarray(images).astype(float)
        arranged = gray(images) if images.ndim == 3 else change(images)
        return torch.tensor(np.ascontiguousarray(arranged) / scale, dtype=torch.float32)

    return answer


def _channels_first(images):
    return images.transpose(0, 3, 1, 2)


_COLOR = (np.arange(2 * 2 * 3 * 3).reshape(2, 2, 3, 3) * 37 % 256).astype(np.uint8)

IMAGES_TO_TENSOR = TorchExercise(
    name="images_to_tensor",
    title="pictures for a layer",
    points=3,
    reference=images_to_tensor,
    signature="images_to_tensor(images)",
    cases=(
        Case((_COLOR[:1],)),
        Case((_COLOR,)),
        Case((np.stack([_DIGIT, _DIGIT[::-1]]),)),
        Case((_DIGIT[None, :, :3],), layout="read-only"),
        Case(((np.arange(3 * 4 * 2 * 3).reshape(3, 4, 2, 3) * 11 % 251).astype(np.uint8),), layout="strided"),
        Case((np.array([[[0, 255], [127, 1]]], dtype=np.uint8),)),
    ),
    random_case=lambda draw: Case(
        (
            draw.integers(
                draw.integer(1, 2), draw.integer(2, 3), draw.integer(2, 4), *((3,) if draw.integer(0, 1) else ()), low=0, high=255
            ).astype(np.uint8),
        )
    ),
    observe=_as_float_tensor,
    misconceptions=(
        Misconception(
            "reshaped",
            "`reshape` gives the right shape and tears pixels apart: red, green and blue of one pixel land side by side. Move the axis.",
            _tensor_by(lambda images: images.reshape(len(images), 3, *images.shape[1:3])),
        ),
        Misconception(
            "height-and-width-exchanged",
            "The channels are in front, but the pictures lie on their sides: height and width changed places.",
            _tensor_by(lambda images: images.transpose(0, 3, 2, 1)),
        ),
        Misconception(
            "channels-still-last",
            "Color images still have their channels at the end. A layer takes axis 1 for the channels.",
            _tensor_by(lambda images: images),
        ),
        Misconception(
            "gray-without-channel",
            "Gray images have no channel axis yet: (N, H, W) should become (N, 1, H, W).",
            _tensor_by(_channels_first, gray=lambda images: images),
        ),
        Misconception(
            "gray-channel-last",
            "The gray channel stands at the end. In PyTorch it comes second.",
            _tensor_by(_channels_first, gray=lambda images: images[..., None]),
        ),
        Misconception(
            "gray-batch-as-channels",
            "The gray images became the channels of one image. Each should stay an image of its own, with one channel.",
            _tensor_by(_channels_first, gray=lambda images: images[None]),
        ),
        Misconception("not-scaled", "The values still go up to 255. They should go from 0 to 1.", _tensor_by(_channels_first, scale=1)),
        Misconception(
            "divided-by-256",
            "The largest byte is 255, so it is 255 that becomes 1.",
            _tensor_by(_channels_first, scale=256),
        ),
        Misconception(
            "divided-by-the-largest",
            "Each picture was divided by its own brightest pixel. A dark picture should stay dark: divide by 255.",
            lambda images: images_to_tensor(images) * (255 / max(1, int(np.max(images)))),
        ),
        Misconception(
            "float64",
            "NumPy's floats have 64 bits and a layer's weights 32, and a layer does not mix them. Convert to float32.",
            lambda images: images_to_tensor(images).double(),
        ),
        Misconception(
            "still-an-array",
            "This is a NumPy array. A layer takes tensors only: torch.tensor(...) makes one.",
            lambda images: images_to_tensor(images).numpy(),
        ),
        Misconception(
            "colors-in-reverse",
            "Red and blue have changed places.",
            _tensor_by(lambda images: images[..., ::-1].transpose(0, 3, 1, 2)),
        ),
    ),
    hints=(
        "Two kinds of images: with 3 axes they are gray, with 4 they have color. `images.ndim` tells.",
        "Gray: images[..., None] adds an axis of length 1 at the end. Then, as for color: the new axes are the old axes 0, 3, 1 and 2.",
        "Dividing bytes by 255 gives NumPy's float64. The layer wants float32.",
        "torch.tensor(images / 255, dtype=torch.float32), once the axes are in place.",
    ),
)

# ------------------------------------------------------------------------------------------------ from_keras


def from_keras(weight, bias):
    """The right answer: Keras weights (kH, kW, C_in, C_out) and biases (C_out,) in a torch layer."""
    return _layer(np.asarray(weight).transpose(3, 2, 0, 1), bias)


def _boxes(weight):
    """An image for the layer: as many channels as the weights have, each another part of the probe."""
    return np.stack([np.roll(PROBE, 2 * c, axis=1) - c for c in range(np.shape(weight)[2])])


def _maps_of_boxes(layer, weight, bias):
    """The layer's feature maps of a fixed image with as many channels as the weights have."""
    layer = _as_layer(layer)
    own_bias, own_weight = _parameter(layer, "bias"), _parameter(layer, "weight")
    fan_in = max(own_weight[0].size, 1) if own_weight is not None else 1
    if own_weight is not None and _looks_untouched(own_weight, fan_in, [*np.ravel(weight), 0]):
        raise RandomWeights("the layer's weights are not those that were given: it still has its first, random ones")
    if own_bias is not None and not np.isclose(own_bias[:, None], np.append(bias, 0)).any() and (np.abs(own_bias) <= fan_in**-0.5).all():
        raise RandomBias("the layer's biases are not those that were given: it still has its first, random ones")
    output = _run(layer, _boxes(weight)[None])
    return output[0] if output.ndim == 4 and len(output) == 1 else output


def _from_keras_by(change):
    return lambda weight, bias: _layer(np.ascontiguousarray(change(np.asarray(weight))), bias)


def _poured(weight):
    height, width, inputs, outputs = weight.shape
    return weight.reshape(outputs, inputs, height, width)


def _random_bias(weight, bias):
    layer = from_keras(weight, bias)
    return _layer(layer.weight.detach().numpy(), bias=np.full(len(bias), 0.07))


def _random_weights(weight, bias):
    given = np.asarray(weight).transpose(3, 2, 0, 1)
    return _layer((np.arange(given.size).reshape(given.shape) + 0.37) * 0.9 / given.size / np.sqrt(given[0].size), bias)


def _new_keras_layer(weight):
    """A layer for these weights, still with its first ones, and these weights as a tensor in PyTorch's order."""
    from torch import nn

    height, width, inputs, outputs = np.shape(weight)
    return nn.Conv2d(inputs, outputs, (height, width)), _tensor(np.asarray(weight).transpose(3, 2, 0, 1))


def _keras_without_no_grad(weight, bias):
    layer, moved = _new_keras_layer(weight)
    layer.weight.copy_(moved)
    return layer


def _keras_tensor_as_weight(weight, bias):
    layer, layer.weight = _new_keras_layer(weight)
    return layer


def _keras_reversed(weight, bias):
    import torch

    layer, moved = _new_keras_layer(weight)
    with torch.no_grad():
        layer.weight.copy_(_tensor(np.asarray(weight).T))
        layer.bias.copy_(_tensor(bias))
    return layer


def _keras_working(index, weight, bias):
    """One value of one map, channel by channel."""
    kernels = np.asarray(weight, dtype=float).transpose(3, 2, 0, 1)[index[0]]
    return _window_working(index[1:], _boxes(weight), kernels, bias=float(np.asarray(bias)[index[0]]))


def _keras_weights(*shape):
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 11 - 4.5) / 2


FROM_KERAS = TorchExercise(
    name="from_keras",
    title="weights from another library",
    points=3,
    reference=from_keras,
    signature="from_keras(weight, bias)",
    cases=(
        Case((_keras_weights(2, 2, 1, 2), np.array([2.0, -3]))),
        Case((_keras_weights(3, 3, 2, 2), np.array([3.0, -5]))),
        Case((_keras_weights(2, 3, 2, 3), np.array([2.0, -4, 7]))),
        Case((_keras_weights(1, 2, 3, 1), np.array([6.0]))),
        Case((_keras_weights(3, 2, 1, 4).astype(np.float32), np.array([2.0, 3, -4, 5], dtype=np.float32)), layout="read-only"),
        Case((_keras_weights(2, 3, 3, 3), np.array([2.0, -4, 7])), layout="fortran"),
    ),
    random_case=lambda draw: (
        lambda outputs: Case(
            (
                draw.integers(draw.integer(1, 3), draw.integer(2, 3), draw.integer(1, 2), outputs) + 0.5,
                draw.integers(outputs, low=2, high=6),
            )
        )
    )(draw.integer(1, 3)),
    observe=_maps_of_boxes,
    explain=_keras_working,
    misconceptions=(
        Misconception(
            "reshaped",
            "`reshape` keeps the order in memory, where neighbors belong to different filters. Move the axes instead, as in lesson 2.",
            _from_keras_by(_poured),
        ),
        Misconception(
            "kernels-transposed",
            "Height and width of the kernels are exchanged. Reversing all four axes is one exchange too many.",
            _from_keras_by(lambda weight: weight.transpose(3, 2, 1, 0)),
        ),
        Misconception(
            "channels-exchanged",
            "Input and output channels are exchanged. In Keras the output channels come last, in PyTorch first.",
            _from_keras_by(lambda weight: weight.transpose(2, 3, 0, 1)),
        ),
        Misconception(
            "not-moved",
            "The weights are still in Keras' order: PyTorch takes the kernel's height for the number of filters.",
            _from_keras_by(lambda weight: weight),
        ),
        Misconception(
            "kernels-flipped",
            "The kernels were turned by 180 degrees. Keras does not flip either, so there is nothing to undo.",
            _from_keras_by(lambda weight: weight[::-1, ::-1].transpose(3, 2, 0, 1)),
        ),
        Misconception(
            "bias-missing",
            "The layer has no biases, and some are given. One is added to every value of each filter's map.",
            lambda weight, bias: _layer(np.asarray(weight).transpose(3, 2, 0, 1)),
        ),
        Misconception(
            "bias-not-loaded",
            "The weights are loaded, the biases are still random. They need a copy_ of their own.",
            _random_bias,
        ),
        Misconception(
            "weights-not-loaded",
            "The biases are loaded, the weights are still random. They need a copy_ of their own.",
            _random_weights,
        ),
        Misconception("no-grad-forgotten", WATCHED, _keras_without_no_grad),
        Misconception("tensor-assigned", ASSIGNED, _keras_tensor_as_weight),
        Misconception(
            "axes-reversed",
            "`.T` reverses all four axes, so that height and width of the kernels are exchanged too: (C_out, C_in, kW, kH).",
            _keras_reversed,
        ),
        Misconception(
            "array-returned",
            "The layer itself is wanted, ready to be called. What came back is no layer.",
            lambda weight, bias: np.asarray(weight).transpose(3, 2, 0, 1),
        ),
        Misconception(
            "padded-unasked",
            "The layer pads. Nothing was said of padding, so there should be none.",
            lambda weight, bias: _layer(np.asarray(weight).transpose(3, 2, 0, 1), bias, padding=1),
        ),
    ),
    hints=(
        "Read the four numbers you need off weight.shape: height, width, channels in, channels out.",
        "nn.Conv2d takes (channels in, channels out, kernel size). The new axes of the weights are the old axes 3, 2, 0 and 1.",
        "Both `weight` and `bias` of the layer need copy_, inside torch.no_grad().",
        "layer.weight.copy_(torch.tensor(weight.transpose(3, 2, 0, 1))) and layer.bias.copy_(torch.tensor(bias))",
    ),
)

EXERCISES = (LOAD_KERNEL, AGREES, FEATURE_MAPS, TRUE_CONVOLUTION, IMAGES_TO_TENSOR, FROM_KERAS)
