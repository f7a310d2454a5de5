"""Lesson 5, stacked convolutions: pooling, receptive fields, MACs, equivariance, and two building blocks of networks.

The right answers are the library's NumPy functions. Exercises with `tensors=True` reach the student as torch tensors; what stands here
turns them into arrays first, so that this file needs no torch.
"""

import math

import numpy as np

from .. import arithmetic, convolution, pooling
from .exercise import Case, CodeExercise, Draw, Misconception

_rng = np.random.default_rng(55)
_fixed = Draw(lambda low, high: int(_rng.integers(low, high, endpoint=True)))  # the same numbers every time

# ------------------------------------------------------------------------------------------------ receptive_field


def receptive_field(layers):
    """The right answer: layers ((kernel, stride), ...) -> pixels along one axis."""
    return arithmetic.receptive_field([(kernel, stride, 1) for kernel, stride in layers])


def _field(layers, start=1, wide=lambda k: k - 1, early=False, joined=lambda jump, stride: jump * stride):
    """The usual loop, with each of its decisions open to being wrong."""
    field, jump = start, 1
    for kernel, stride in layers:
        jump = joined(jump, stride) if early else jump
        field += wide(kernel) * jump
        jump = jump if early else joined(jump, stride)
    return field


def _recursion_from_the_front(layers):
    field = 1
    for kernel, stride in layers:
        field = (field - 1) * stride + kernel
    return field


def _all_strides_at_once(layers):
    return 1 + sum(k - 1 for k, _ in layers) * math.prod(s for _, s in layers)


def _random_layers(draw):
    return Case((tuple((draw.integer(1, 5), draw.integer(1, 3)) for _ in range(draw.integer(1, 4))),))


RECEPTIVE_FIELD = CodeExercise(
    name="receptive_field",
    title="how far a value sees",
    points=2,
    reference=receptive_field,
    signature="receptive_field(layers)",
    exact=True,
    cases=(
        Case((((3, 1),),)),
        Case((((3, 1), (3, 1)),)),
        Case((((3, 1), (3, 1), (3, 1)),)),
        Case((((5, 1), (4, 1)),)),
        Case((((2, 2), (3, 1)),)),
        Case((((3, 1), (2, 2), (3, 1), (2, 2)),)),
        Case((((7, 2), (3, 2), (3, 1)),)),
        Case((((2, 3), (1, 2), (3, 3), (5, 1)),)),
        Case((((1, 1), (1, 2), (2, 1)),)),
        Case((((4, 4), (2, 2), (3, 1)),)),
    ),
    random_case=_random_layers,
    misconceptions=(
        Misconception(
            "strides-ignored",
            "The strides are not in the result. After a stride of 2, neighbors lie two pixels apart, so later steps are longer.",
            lambda layers: _field(layers, joined=lambda jump, stride: 1),
        ),
        Misconception(
            "stride-too-early",
            "A layer's own stride made its own window wider. Its taps lie as far apart as the values before it; "
            "its stride counts from the next layer on.",
            lambda layers: _field(layers, early=True),
        ),
        Misconception(
            "last-stride-only",
            "Only the stride of the layer just before was used. Steps multiply: after two strides of 2, neighbors lie 4 pixels apart.",
            lambda layers: _field(layers, joined=lambda jump, stride: stride),
        ),
        Misconception(
            "strides-added",
            "The strides were added. Steps multiply: after strides of 2 and 3, neighbors lie 6 pixels apart.",
            lambda layers: _field(layers, joined=lambda jump, stride: jump + stride - 1),
        ),
        Misconception(
            "kernels-added",
            "Each layer added its whole kernel. Windows overlap: a kernel of 3 reaches only 2 steps further than a single value.",
            lambda layers: sum(k for k, _ in layers),
        ),
        Misconception(
            "one-too-many",
            "One pixel more than there is. A kernel of k reaches k - 1 steps beyond its first tap, and one pixel is there to begin with.",
            lambda layers: _field(layers) + 1,
        ),
        Misconception(
            "start-forgotten",
            "One pixel is missing: before the first layer a value sees itself, which is 1.",
            lambda layers: _field(layers, start=0),
        ),
        Misconception(
            "kernel-for-reach",
            "Each layer added k times the step. A kernel of k has k - 1 steps between its first and its last tap.",
            lambda layers: _field(layers, wide=lambda k: k),
        ),
        Misconception(
            "kernels-multiplied",
            "The kernels were multiplied. Reaches add up: each layer sees a little further.",
            lambda layers: math.prod(k for k, _ in layers),
        ),
        Misconception(
            "area",
            "That is the area of the square. Asked is its side: pixels along one axis.",
            lambda layers: _field(layers) ** 2,
        ),
        Misconception(
            "wrong-end",
            "This recursion, (field - 1) * stride + kernel, is right from the last layer back to the first. Here it ran from the first on.",
            _recursion_from_the_front,
        ),
        Misconception(
            "all-strides-at-once",
            "Every layer's reach was multiplied by all strides. Only the strides before a layer spread its taps.",
            _all_strides_at_once,
        ),
        Misconception(
            "last-layer-only",
            "That is the window of the last layer on the maps before it. Follow it back through all layers to the image.",
            lambda layers: layers[-1][0],
        ),
        Misconception(
            "stride-product",
            "That is how far apart neighboring outputs lie (the product of the strides), not how much each of them sees.",
            lambda layers: math.prod(s for _, s in layers),
        ),
    ),
    hints=(
        "Keep two numbers while you walk through the layers: how many pixels a value sees, and how many pixels lie between two neighbors.",
        "Both begin at 1. A kernel of k reaches k - 1 steps further. How long is a step, in pixels?",
        "A step is as long as the distance of neighbors in the layer before. The stride makes it longer afterwards.",
        "For each (kernel, stride): field += (kernel - 1) * jump, then jump *= stride.",
    ),
)

# ------------------------------------------------------------------------------------------------ max_pool2d


def max_pool2d(x, pool_size=2, stride=2):
    """The right answer, (N, C, H, W) -> (N, C, oH, oW), in float64."""
    return pooling.max_pool2d(np.asarray(x, dtype=float), pool_size, stride)


def _sizes(x, pool, stride):
    return [(n - pool) // stride + 1 for n in np.shape(x)[2:]]


def _pool(x, pool, stride, size=None, combine=np.max):
    """The loop that students write; a window over the edge is cut off there, and one beyond it is empty."""
    x = np.asarray(x, dtype=float)
    rows, columns = size or _sizes(x, pool, stride)
    output = np.zeros((*x.shape[:2], rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = x[:, :, i * stride : i * stride + pool, j * stride : j * stride + pool]
            output[:, :, i, j] = combine(window, axis=(2, 3))
    return output


def published_max_pool2d(x, pool_size=2, stride=2):
    """As a published page has it: the size is H // stride, whatever the window."""
    return _pool(x, pool_size, stride, [n // stride for n in np.shape(x)[2:]])


def published_avg_pool2d(x, pool_size=2, stride=2):
    """The same page's mean: windows cut off at the edge are averaged over fewer cells."""
    return _pool(x, pool_size, stride, [n // stride for n in np.shape(x)[2:]], np.mean)


def _ceil_pool(x, pool_size=2, stride=2):
    return _pool(x, pool_size, stride, [math.ceil((n - pool_size) / stride) + 1 for n in np.shape(x)[2:]])


def _pool_size_for_stride(x, pool_size=2, stride=2):
    return _pool(x, pool_size, pool_size, _sizes(x, pool_size, stride))


def _stride_in_shape_only(x, pool_size=2, stride=2):
    rows, columns = _sizes(x, pool_size, stride)
    return _pool(x, pool_size, 1)[:, :, :rows, :columns]


def _first_image_only(x, pool_size=2, stride=2):
    output = np.zeros_like(max_pool2d(x, pool_size, stride))
    output[0] = max_pool2d(x, pool_size, stride)[0]
    return output


def _first_channel_everywhere(x, pool_size=2, stride=2):
    right = max_pool2d(x, pool_size, stride)
    return np.repeat(right[:, :1], right.shape[1], axis=1)


def _largest_over_channels_too(x, pool_size=2, stride=2):
    right = max_pool2d(x, pool_size, stride)
    return np.broadcast_to(right.max(axis=1, keepdims=True), right.shape).copy()


def _largest_of_everything(window, axis):
    return window.max()


def _largest_by_size(window, axis):
    rows = window.reshape(*window.shape[:2], -1)
    best = np.abs(rows).argmax(axis=-1)
    return np.take_along_axis(rows, best[..., None], axis=-1)[..., 0]


def _bytes_lost(x, pool_size=2, stride=2):
    """Right for whole numbers."""
    return np.trunc(max_pool2d(x, pool_size, stride))


def _maps(draw, *shape):
    return draw.integers(*shape, low=-9, high=9)


def _random_pool_case(draw):
    pool, stride = draw.integer(1, 3), draw.integer(1, 3)
    size = [pool + draw.integer(0, 4) for _ in range(2)]
    return Case((_maps(draw, draw.integer(1, 2), draw.integer(1, 3), *size),), {"pool_size": pool, "stride": stride})


MAX_POOL2D = CodeExercise(
    name="max_pool2d",
    title="max pooling",
    points=3,
    reference=max_pool2d,
    signature="max_pool2d(x, pool_size=2, stride=2)",
    cases=(
        Case((_maps(_fixed, 1, 1, 4, 6),)),
        Case((_maps(_fixed, 1, 2, 6, 4),), layout="read-only"),
        Case((_maps(_fixed, 2, 3, 5, 7) / 4,), layout="strided"),
        Case((_maps(_fixed, 1, 1, 6, 8),), {"pool_size": 3, "stride": 2}),
        Case((_maps(_fixed, 2, 2, 5, 8),), {"pool_size": 2, "stride": 3}),
        Case((_maps(_fixed, 1, 2, 4, 5),), {"pool_size": 3, "stride": 1}, layout="fortran"),
        Case((_maps(_fixed, 1, 1, 6, 7),), {"pool_size": 2, "stride": 3}),
        Case((-1 - np.abs(_maps(_fixed, 1, 2, 4, 6)),)),
        Case((_maps(_fixed, 1, 1, 2, 3),)),
        Case((_maps(_fixed, 1, 1, 4, 3),), {"pool_size": 3, "stride": 2}),
        Case((_maps(_fixed, 2, 1, 3, 4),), {"pool_size": 1, "stride": 1}),
        Case((_maps(_fixed, 1, 3, 3, 5),), {"pool_size": 3, "stride": 3}),
        Case((_maps(_fixed, 1, 1, 4, 6).astype(np.int64),), part="integers"),
        Case((np.array([[[[200, 7, 250], [3, 90, 1], [255, 0, 30]]]], dtype=np.uint8),), {"stride": 1}, part="integers"),
    ),
    random_case=_random_pool_case,
    parts={"core": 0.9, "integers": 0.1},
    misconceptions=(
        Misconception(
            "size-from-stride-only",
            "The output's size was taken as H // stride, without the window's size. That is right when window and stride are equal. Else "
            "the last windows reach over the edge.",
            published_max_pool2d,
        ),
        Misconception(
            "ceil",
            "The size was rounded up. A window that would reach past the edge is left out: round down (//).",
            _ceil_pool,
        ),
        Misconception(
            "plus-one-forgotten",
            "The last row and column are missing. (H - pool_size) // stride + 1: the window at position 0 counts too.",
            lambda x, pool_size=2, stride=2: max_pool2d(x, pool_size, stride)[..., :-1, :-1],
        ),
        Misconception(
            "mean-for-max",
            "That is average pooling. Take the largest value of each window.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=np.mean),
        ),
        Misconception(
            "min-for-max",
            "That is the smallest value of each window. Take the largest.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=np.min),
        ),
        Misconception(
            "sum-for-max",
            "The window was added up. Take its largest value.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=np.sum),
        ),
        Misconception(
            "largest-by-size",
            "The value farthest from zero was taken, so -9 beat 5. The largest value is the one furthest up: 5.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=_largest_by_size),
        ),
        Misconception(
            "absolute-values",
            "Signs got lost: the largest absolute value came out. Pooling looks at the values as they are.",
            lambda x, pool_size=2, stride=2: _pool(np.abs(np.asarray(x, dtype=float)), pool_size, stride),
        ),
        Misconception(
            "zero-joins-in",
            "A window of negative values gave 0. Looking for the largest yourself, start from the window's first value, not from 0.",
            lambda x, pool_size=2, stride=2: np.maximum(max_pool2d(x, pool_size, stride), 0),
        ),
        Misconception(
            "corner-for-max",
            "Only the top left value of each window was taken. That is skipping, not pooling: look at the whole window.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=lambda w, axis: w[:, :, 0, 0]),
        ),
        Misconception(
            "stride-ignored",
            "The windows move by 1 whatever the stride.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, 1),
        ),
        Misconception(
            "stride-in-shape-only",
            "The output has the right size, but the windows still move by 1: they start at (i * stride, j * stride).",
            _stride_in_shape_only,
        ),
        Misconception(
            "pool-size-for-stride",
            "The windows start at i * pool_size. They lie `stride` apart: start at i * stride. Where pool_size is larger than stride, "
            "yours run out of the map, and nothing is left in them (a zero-size array).",
            _pool_size_for_stride,
        ),
        Misconception(
            "largest-of-everything",
            "window.max() without an axis is the largest value of all images and channels together. Take it over the window's rows and "
            "columns only, axes 2 and 3.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, combine=_largest_of_everything),
        ),
        Misconception(
            "stride-is-the-window",
            "The windows move by their own size. That is usual, but here the stride is an argument.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, pool_size),
        ),
        Misconception(
            "window-is-the-stride",
            "The window is as large as the stride. Its size is pool_size.",
            lambda x, pool_size=2, stride=2: _pool(x, stride, stride),
        ),
        Misconception(
            "two-by-two",
            "It works for 2x2 windows and stride 2 only. Use the arguments.",
            lambda x, pool_size=2, stride=2: _pool(x, 2, 2),
        ),
        Misconception(
            "window-and-stride-swapped",
            "Window and stride are exchanged: pool_size says how large the window is, stride how far it moves.",
            lambda x, pool_size=2, stride=2: _pool(x, stride, pool_size),
        ),
        Misconception(
            "transposed-output",
            "The output's rows and columns are exchanged. The window at row i, column j belongs in output[:, :, i, j].",
            lambda x, pool_size=2, stride=2: max_pool2d(x, pool_size, stride).swapaxes(2, 3),
        ),
        Misconception(
            "height-width-swapped",
            "Height and width are exchanged in the output's size. x.shape is (N, C, H, W): height first.",
            lambda x, pool_size=2, stride=2: _pool(x, pool_size, stride, _sizes(x, pool_size, stride)[::-1]),
        ),
        Misconception(
            "channels-pooled-too",
            "All channels have the same values: the largest of all of them. Each channel is pooled by itself, over axes 2 and 3 only.",
            _largest_over_channels_too,
        ),
        Misconception(
            "first-channel-only", "All channels are copies of the first. Each channel is pooled by itself.", _first_channel_everywhere
        ),
        Misconception("first-image-only", "Only the first image of the batch was pooled; the others stayed at zero.", _first_image_only),
        Misconception(
            "global-max",
            "One value a map came out. That is global pooling; here a small window slides.",
            lambda x, pool_size=2, stride=2: np.asarray(x, dtype=float).max(axis=(2, 3)),
        ),
        Misconception(
            "integer-output",
            "Everything after the decimal point was lost. An integer output cuts what is stored in it; np.zeros(shape) has floats.",
            _bytes_lost,
        ),
        Misconception(
            "all-zeros",
            "The output stayed at zero. Is the largest value stored in output[:, :, i, j]?",
            lambda x, pool_size=2, stride=2: np.zeros_like(max_pool2d(x, pool_size, stride)),
        ),
    ),
    hints=(
        "The windows lie as in a convolution with stride. Only what is done with a window is new.",
        "How many windows fit along the height? The same formula as ever: (H - pool_size) // stride + 1.",
        "The window of output (i, j), in all images and channels at once: x[:, :, i * stride : i * stride + pool_size, and so on].",
        "np.max(window, axis=(2, 3)) has one value for each image and channel. Store it in output[:, :, i, j].",
    ),
)

# ------------------------------------------------------------------------------------------------ equivariance_error


def equivariance_error(y, y_moved, down, right):
    """The right answer: maps (C, H, W) before and after moving the image -> largest difference where both have values."""
    y, y_moved = np.asarray(y, dtype=float), np.asarray(y_moved, dtype=float)
    height, width = y.shape[1:]
    return np.abs(y_moved[:, down:, right:] - y[:, : height - down, : width - right]).max()


def _overlap_with(summary):
    def answer(y, y_moved, down, right):
        y, y_moved = np.asarray(y, dtype=float), np.asarray(y_moved, dtype=float)
        return summary(y_moved[:, down:, right:] - y[:, : y.shape[1] - down, : y.shape[2] - right])

    return answer


def _against(moved):
    """Compared over the whole map with `moved(y, down, right)`."""
    return lambda y, y_moved, down, right: np.abs(np.asarray(y_moved, dtype=float) - moved(np.asarray(y, dtype=float), down, right)).max()


def _zeros_moved_in(y, down, right):
    return np.pad(y, ((0, 0), (down, 0), (right, 0)))[:, : y.shape[1], : y.shape[2]]


def _other_way(y, y_moved, down, right):
    return equivariance_error(y_moved, y, down, right)


def _minus_nothing(y, y_moved, down, right):
    y, y_moved = np.asarray(y, dtype=float), np.asarray(y_moved, dtype=float)
    return np.abs(y_moved[:, down:, right:] - y[:, :-down, :-right]).max()


def _in_their_own_type(y, y_moved, down, right):
    return np.abs(y_moved[:, down:, right:] - y[:, : y.shape[1] - down, : y.shape[2] - right]).max()


def _equivariance_case(draw, channels, height, width, down, right, part="core", layout="plain", noise=1):
    """Maps that moved, with errors here and there, and other values where nothing is known; `noise` is the sign of the errors, or 0."""
    y, y_moved = draw.integers(channels, height, width, low=-9, high=9), draw.integers(channels, height, width, low=-60, high=60)
    y_moved[:, down:, right:] = y[:, : height - down, : width - right]
    if noise:
        y_moved[:, down:, right:] += noise * draw.integers(channels, height - down, width - right, low=-5, high=3)
    return Case((y, y_moved, down, right), part=part, layout=layout)


def _random_equivariance_case(draw):
    down, right = draw.integer(0, 2), draw.integer(0, 2)
    sizes = draw.integer(1, 2), down + draw.integer(1, 3), right + draw.integer(1, 3)
    return _equivariance_case(draw, *sizes, down, right, noise=draw.integer(0, 1) * 2 - 1)


EQUIVARIANCE_ERROR = CodeExercise(
    name="equivariance_error",
    title="do the maps move along?",
    points=2,
    reference=equivariance_error,
    signature="equivariance_error(y, y_moved, down, right)",
    cases=(
        _equivariance_case(_fixed, 1, 3, 4, 1, 1, noise=-1),
        _equivariance_case(_fixed, 2, 4, 5, 1, 2, layout="read-only"),
        _equivariance_case(_fixed, 1, 4, 6, 2, 1, layout="strided", noise=-1),
        _equivariance_case(_fixed, 2, 3, 4, 0, 1),
        _equivariance_case(_fixed, 1, 4, 3, 2, 0, layout="fortran", noise=-1),
        _equivariance_case(_fixed, 3, 3, 5, 0, 0),
        _equivariance_case(_fixed, 2, 4, 6, 1, 3, noise=0),
        Case((np.array([[[5.0, 5, 9]]]), np.array([[[7.0, 4, 0]]]), 0, 1)),
        Case((np.array([[[5.0, 5, 9]]]), np.array([[[7.0, 6, 10]]]), 0, 1)),
        Case((np.array([[[1.0, 2]]]), np.array([[[1.0, -4]]]), 0, 0)),
        Case((np.array([[[1.0, 2]]]), np.array([[[1.0, 8]]]), 0, 0)),
        Case((np.array([[[1.0, 2, 3]], [[4, 5, 6]]]), np.array([[[40.0, 1, 2]], [[50, 4, 8]]]), 0, 1)),
        _equivariance_case(_fixed, 2, 5, 3, 3, 1),
        Case((np.array([[[3, 250, 7]]], np.uint8), np.array([[[9, 8, 245]]], np.uint8), 0, 1), part="integers"),  # wrong either way round
        Case((np.array([[[5, 6], [7, 100]]], np.int8), np.array([[[0, 0], [0, -100]]], np.int8), 1, 1), part="integers"),
        Case((np.array([[[100, 6]]], np.int8), np.array([[[-100, 6]]], np.int8), 0, 0), part="integers"),
    ),
    random_case=_random_equivariance_case,
    parts={"core": 0.9, "integers": 0.1},
    misconceptions=(
        Misconception(
            "not-moved-back",
            "The two maps were compared pixel by pixel, as they are. That asks whether the output stayed the same (invariance). "
            "Does it come out moved along?",
            _against(lambda y, down, right: y),
        ),
        Misconception(
            "moved-the-other-way",
            "The maps were moved up and to the left. What was at (r, c) should now be at (r + down, c + right).",
            _other_way,
        ),
        Misconception(
            "down-and-right-swapped",
            "`down` counts rows, the second axis of (C, H, W), and `right` columns, the third. Here they are exchanged.",
            lambda y, y_moved, down, right: equivariance_error(y, y_moved, right, down),
        ),
        Misconception(
            "wrapped-around",
            "np.roll brings back on one side what left on the other. Those rows and columns have no partner: leave them out.",
            _against(lambda y, down, right: np.roll(y, (down, right), axis=(1, 2))),
        ),
        Misconception(
            "zeros-moved-in",
            "The rows and columns that moved in were compared with zeros. Nobody knows what belongs there: leave them out.",
            _against(_zeros_moved_in),
        ),
        Misconception(
            "rows-only",
            "Only the rows were moved. The columns move too, by `right`.",
            lambda y, y_moved, down, right: equivariance_error(y, y_moved, down, 0),
        ),
        Misconception(
            "columns-only",
            "Only the columns were moved. The rows move too, by `down`.",
            lambda y, y_moved, down, right: equivariance_error(y, y_moved, 0, right),
        ),
        Misconception(
            "minus-nothing",
            "y[:, :-down] is empty for down = 0, because -0 is 0. Write the end as height - down.",
            _minus_nothing,
        ),
        Misconception(
            "no-absolute-value",
            "The largest difference was taken with its sign, so that -5 was less than 1. Take absolute values first.",
            _overlap_with(np.max),
        ),
        Misconception(
            "no-absolute-value-old-minus-new",
            "The differences old - new kept their signs, so that -5 was less than 1. Take absolute values first.",
            _overlap_with(lambda d: (-d).max()),
        ),
        Misconception(
            "absolute-value-too-late",
            "Take the absolute value of every difference first, then the largest.",
            _overlap_with(lambda d: abs(d.max())),
        ),
        Misconception(
            "absolute-value-too-late-old-minus-new",
            "The largest of old - new was found first. Take the absolute value of every difference first, then the largest.",
            _overlap_with(lambda d: abs((-d).max())),
        ),
        Misconception(
            "mean-for-max",
            "The differences were averaged. One wrong pixel would drown: take the largest.",
            _overlap_with(lambda d: np.abs(d).mean()),
        ),
        Misconception(
            "mean-square",
            "That is the mean of the squares. Asked is the largest absolute difference.",
            _overlap_with(lambda d: (d**2).mean()),
        ),
        Misconception("sum-for-max", "The differences were added up. Take the largest.", _overlap_with(lambda d: np.abs(d).sum())),
        Misconception("smallest", "That is the smallest difference. Take the largest.", _overlap_with(lambda d: np.abs(d).min())),
        Misconception(
            "first-channel-only",
            "Only the first map was compared. Look at all of them.",
            lambda y, y_moved, down, right: equivariance_error(y[:1], y_moved[:1], down, right),
        ),
        Misconception(
            "overflow",
            "An overflow: the maps are small integers, and the difference does not fit into them. In int8, 100 - (-100) gives -56; in "
            "uint8, 3 - 7 gives 252. Convert both to float before you subtract. For floats all is right.",
            _in_their_own_type,
        ),
    ),
    hints=(
        "What was at row r of the old maps should be at row r + down of the new ones. Which rows of each have a partner?",
        "Of the new maps leave out the first `down` rows: y_moved[:, down:, ...]. Of the old ones leave out the last `down` rows.",
        "y[:, : height - down, : width - right] works for 0 as well; y[:, :-down] does not.",
        "Convert both to float, subtract the two cut-outs, and return np.abs(difference).max().",
    ),
)

# ------------------------------------------------------------------------------------------------ conv_macs


def _macs_with(formula):
    def answer(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1):
        return formula(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups)

    return answer


def _random_macs_case(draw):
    groups = draw.integer(1, 4)
    channels = groups * draw.integer(1, 6), groups * draw.integer(1, 6)
    return Case((*channels, *(draw.integer(1, 5) for _ in range(2)), *(draw.integer(1, 9) for _ in range(2))), {"groups": groups})


CONV_MACS = CodeExercise(
    name="conv_macs",
    title="counting multiplications",
    points=1,
    reference=arithmetic.conv_macs,
    signature="conv_macs(in_channels, out_channels, kernel_height, kernel_width, output_height, output_width, groups=1)",
    exact=True,
    cases=(
        Case((1, 16, 3, 3, 28, 28)),
        Case((16, 32, 3, 3, 28, 28)),
        Case((3, 5, 2, 4, 7, 9)),
        Case((6, 4, 1, 1, 5, 3)),
        Case((1, 1, 1, 1, 1, 1)),
        Case((32, 32, 3, 3, 14, 7), {"groups": 32}),
        Case((8, 12, 3, 2, 6, 5), {"groups": 4}),
    ),
    random_case=_random_macs_case,
    misconceptions=(
        Misconception(
            "weights-only",
            "Those are the weights. Each of them is used at every position of the output.",
            _macs_with(lambda c, o, h, w, H, W, g: o * (c // g) * h * w),
        ),
        Misconception(
            "positions-only",
            "Those are the output's values. Each of them costs one multiplication for every weight of its filter.",
            _macs_with(lambda c, o, h, w, H, W, g: o * H * W),
        ),
        Misconception(
            "one-filter",
            "Those are the multiplications of a single filter. There are out_channels of them.",
            _macs_with(lambda c, o, h, w, H, W, g: (c // g) * h * w * H * W),
        ),
        Misconception(
            "one-input-channel",
            "The input channels are missing: a filter is a box, as deep as the channels that it sees.",
            _macs_with(lambda c, o, h, w, H, W, g: o * h * w * H * W),
        ),
        Misconception(
            "biases-counted",
            "One was added for each value's bias. MACs count multiplications with an addition; a bias is not multiplied.",
            _macs_with(lambda c, o, h, w, H, W, g: o * ((c // g) * h * w + 1) * H * W),
        ),
        Misconception(
            "flops",
            "Twice too many. Those are FLOPs, with the multiplication and the addition counted apart; a MAC is both at once.",
            _macs_with(lambda c, o, h, w, H, W, g: 2 * o * (c // g) * h * w * H * W),
        ),
        Misconception(
            "groups-ignored",
            "The groups are not in the result. With g groups a filter sees in_channels / g channels.",
            _macs_with(lambda c, o, h, w, H, W, g: o * c * h * w * H * W),
        ),
        Misconception(
            "groups-multiplied",
            "The groups multiply the work here. They lessen it: each filter sees fewer channels.",
            _macs_with(lambda c, o, h, w, H, W, g: o * c * g * h * w * H * W),
        ),
        Misconception(
            "groups-twice",
            "Both channel numbers were divided by the groups. All groups together have out_channels filters.",
            _macs_with(lambda c, o, h, w, H, W, g: (o // g) * (c // g) * h * w * H * W),
        ),
        Misconception(
            "output-height-twice",
            "The output's height was used for its width too.",
            _macs_with(lambda c, o, h, w, H, W, g: o * (c // g) * h * w * H * H),
        ),
        Misconception(
            "kernel-height-twice",
            "The kernel's height was used for its width too.",
            _macs_with(lambda c, o, h, w, H, W, g: o * (c // g) * h * h * H * W),
        ),
        Misconception(
            "sizes-added",
            "Height and width of the output were added. It has height times width positions.",
            _macs_with(lambda c, o, h, w, H, W, g: o * (c // g) * h * w * (H + W)),
        ),
        Misconception(
            "valid-windows-again",
            "The kernel was taken off the size once more. The size given is already that of the output.",
            _macs_with(lambda c, o, h, w, H, W, g: o * (c // g) * h * w * max(H - h + 1, 0) * max(W - w + 1, 0)),
        ),
    ),
    hints=(
        "How many multiplications does one value of the output cost?",
        "One for each weight of its filter: in_channels / groups * kernel_height * kernel_width.",
        "Times the number of output values: out_channels * output_height * output_width.",
    ),
)

# ------------------------------------------------------------------------------------------------ depthwise_separable


def _floats(*arrays):
    """Arrays or tensors as float64 arrays."""
    return tuple(np.asarray(array, dtype=float) for array in arrays)


def depthwise_separable(x, depthwise, pointwise):
    """The right answer: (N, C, H, W), (C, 1, kH, kW), (O, C, 1, 1) -> (N, O, oH, oW), in float64."""
    x, depthwise, pointwise = _floats(x, depthwise, pointwise)
    return convolution.conv2d(convolution.conv2d(x, depthwise, groups=len(depthwise)), pointwise)


def _separable(change):
    """A wrong answer made of float arrays."""
    return lambda x, depthwise, pointwise: change(*_floats(x, depthwise, pointwise))


def _depthwise(x, kernels):
    return convolution.conv2d(x, kernels, groups=len(kernels))


def _torch_conv(x, w, **options):
    """The convolution of torch itself, for slips that make it complain."""
    import torch

    return torch.nn.functional.conv2d(*(torch.as_tensor(np.asarray(a, dtype=np.float32)) for a in (x, w)), **options)


def _without_groups(x, depthwise, pointwise):
    return _torch_conv(_torch_conv(x, depthwise), pointwise)


def _pointwise_first(x, depthwise, pointwise):
    return _torch_conv(_torch_conv(x, pointwise), depthwise, groups=depthwise.shape[0])


def _same_padding(x, d, p):
    padded = np.pad(x, ((0, 0), (0, 0), *((k // 2, k // 2) for k in d.shape[2:])))
    return depthwise_separable(padded, d, p)


def _separable_arguments(draw, n, c, o, height, width, kernel_height, kernel_width):
    kernels, mixing = draw.integers(c, 1, kernel_height, kernel_width, low=-3, high=3), draw.integers(o, c, 1, 1, low=-3, high=3)
    return draw.integers(n, c, height, width), kernels, mixing


def _separable_case(*sizes):
    return Case(_separable_arguments(_fixed, *sizes))


def _random_separable_case(draw):
    n, c, o, kernel = draw.integer(1, 2), draw.integer(1, 3), draw.integer(1, 3), (draw.integer(1, 3), draw.integer(1, 3))
    return Case(_separable_arguments(draw, n, c, o, *(k + draw.integer(0, 2) for k in kernel), *kernel))


DEPTHWISE_SEPARABLE = CodeExercise(
    name="depthwise_separable",
    title="a convolution in two cheap steps",
    points=2,
    reference=depthwise_separable,
    signature="depthwise_separable(x, depthwise, pointwise)",
    tensors=True,
    cases=(
        _separable_case(1, 2, 1, 3, 4, 2, 2),
        _separable_case(1, 2, 3, 4, 5, 3, 2),
        _separable_case(2, 3, 2, 4, 5, 2, 3),
        _separable_case(1, 3, 3, 5, 6, 3, 3),
        _separable_case(2, 1, 2, 3, 4, 2, 3),
        _separable_case(1, 2, 2, 3, 4, 1, 1),
        _separable_case(2, 3, 1, 3, 2, 3, 2),
        _separable_case(3, 2, 4, 4, 3, 1, 3),
    ),
    random_case=_random_separable_case,
    misconceptions=(
        Misconception(
            "groups-do-not-fit",
            "Kernels and channels do not fit. The depthwise step has as many groups as channels, so that each kernel sees one; "
            "the pointwise step has no groups.",
            _without_groups,
        ),
        Misconception(
            "pointwise-first",
            "The channels were mixed before the kernels slid. First the depthwise step, then the pointwise one.",
            _pointwise_first,
        ),
        Misconception(
            "pointwise-forgotten",
            "That is the depthwise step alone: each channel still by itself. The 1x1 convolution mixes them.",
            _separable(lambda x, d, p: _depthwise(x, d)),
        ),
        Misconception(
            "depthwise-forgotten",
            "That is the pointwise step alone: the channels are mixed, but no kernel slid over them.",
            _separable(lambda x, d, p: convolution.conv2d(x, p)),
        ),
        Misconception(
            "relu-between",
            "Negative values between the two steps were set to 0. Some networks do that; here one convolution follows the other directly.",
            _separable(lambda x, d, p: convolution.conv2d(np.maximum(_depthwise(x, d), 0), p)),
        ),
        Misconception(
            "relu-after",
            "Negative values of the result were set to 0. That is an activation; asked are the two convolutions.",
            _separable(lambda x, d, p: np.maximum(depthwise_separable(x, d, p), 0)),
        ),
        Misconception(
            "one-kernel-for-all",
            "Every channel met the kernel of the first. Each has its own: depthwise[c].",
            _separable(lambda x, d, p: depthwise_separable(x, np.repeat(d[:1], len(d), axis=0), p)),
        ),
        Misconception(
            "channels-summed-first",
            "The channels were added up in the first step. Depthwise means: each channel stays by itself until the 1x1 convolution.",
            _separable(lambda x, d, p: _depthwise(x, d).sum(axis=1, keepdims=True) * p.sum(axis=1)[None]),
        ),
        Misconception(
            "channels-averaged",
            "The channels were averaged. A 1x1 convolution adds them up, each with its weight.",
            _separable(lambda x, d, p: depthwise_separable(x, d, p / p.shape[1])),
        ),
        Misconception(
            "weights-of-pointwise-ignored",
            "The channels were added up without the weights of `pointwise`.",
            _separable(lambda x, d, p: depthwise_separable(x, d, np.ones_like(p))),
        ),
        Misconception(
            "padded-unasked",
            "Zeros were added around the image. Here there is no padding: the maps become smaller.",
            _separable(_same_padding),
        ),
        Misconception(
            "flipped-kernel",
            "The kernels were turned by 180 degrees. torch lays them on the image as they are.",
            _separable(lambda x, d, p: depthwise_separable(x, d[:, :, ::-1, ::-1], p)),
        ),
        Misconception(
            "channels-reversed",
            "The kernels met the channels in the opposite order: depthwise[c] belongs to channel c.",
            _separable(lambda x, d, p: depthwise_separable(x, d[::-1], p)),
        ),
        Misconception(
            "first-output-only",
            "Every output map is the first one. Map o mixes the channels with pointwise[o].",
            _separable(lambda x, d, p: depthwise_separable(x, d, np.repeat(p[:1], len(p), axis=0))),
        ),
        Misconception(
            "last-channel-only",
            "Only the last channel is left: each overwrote the one before. Add them up.",
            _separable(lambda x, d, p: convolution.conv2d(_depthwise(x, d)[:, -1:], p[:, -1:])),
        ),
        Misconception(
            "first-image-only",
            "Only the first image of the batch is left.",
            _separable(lambda x, d, p: depthwise_separable(x[:1], d, p)),
        ),
    ),
    hints=(
        "Two convolutions, one after the other. The second takes what the first gives.",
        "F.conv2d has an argument `groups`. With as many groups as channels, each kernel sees one channel only.",
        "The number of channels is x.shape[1]. Lesson 2 did the same with conv_layer's groups.",
        "F.conv2d(x, depthwise, groups=x.shape[1]), and then F.conv2d of that with pointwise.",
    ),
)

# ------------------------------------------------------------------------------------------------ residual_block


def _conv_same(x, w, b):
    return convolution.conv2d(x, w, b, padding=1)


def _relu(x):
    return np.maximum(x, 0)


def residual_block(x, w1, b1, w2, b2):
    """The right answer: relu(x + conv(relu(conv(x)))), maps (N, C, H, W) keep their shape, in float64."""
    x, w1, b1, w2, b2 = _floats(x, w1, b1, w2, b2)
    return _relu(x + _conv_same(_relu(_conv_same(x, w1, b1)), w2, b2))


def _block(change):
    """A wrong answer made of float arrays."""
    return lambda x, w1, b1, w2, b2: change(*_floats(x, w1, b1, w2, b2))


def _branch(x, w1, b1, w2, b2):
    return _conv_same(_relu(_conv_same(x, w1, b1)), w2, b2)


def _shortcut_from_the_middle(x, w1, b1, w2, b2):
    middle = _relu(_conv_same(x, w1, b1))
    return _relu(middle + _conv_same(middle, w2, b2))


def _shortcut_too_early(x, w1, b1, w2, b2):
    return _relu(_conv_same(_relu(x + _conv_same(x, w1, b1)), w2, b2))


def _padding_forgotten(x, w1, b1, w2, b2):
    import torch

    inner = torch.relu(_torch_conv(x, w1) + torch.as_tensor(np.asarray(b1, dtype=np.float32))[:, None, None])
    out = _torch_conv(inner, w2) + torch.as_tensor(np.asarray(b2, dtype=np.float32))[:, None, None]
    return torch.relu(torch.as_tensor(np.asarray(x, dtype=np.float32)) + out)


def _block_arguments(draw, n, c, height, width):
    return (
        draw.integers(n, c, height, width, low=-9, high=9),
        draw.integers(c, c, 3, 3, low=-2, high=2),
        draw.integers(c, low=-9, high=9) + 0.5,
        draw.integers(c, c, 3, 3, low=-1, high=1),
        draw.integers(c, low=-9, high=9) + 0.25,
    )


RESIDUAL_BLOCK = CodeExercise(
    name="residual_block",
    title="a residual block",
    points=2,
    reference=residual_block,
    signature="residual_block(x, w1, b1, w2, b2)",
    tensors=True,
    cases=tuple(
        Case(_block_arguments(_fixed, *sizes))
        for sizes in ((1, 1, 2, 3), (1, 2, 4, 5), (2, 1, 3, 4), (2, 2, 5, 6), (1, 3, 6, 5), (3, 2, 1, 2), (1, 1, 7, 5))
    ),
    random_case=lambda draw: Case(
        _block_arguments(draw, draw.integer(1, 2), draw.integer(1, 2), draw.integer(1, 5), draw.integer(1, 5)),
    ),
    misconceptions=(
        Misconception(
            "shortcut-forgotten",
            "That is two convolutions in a row. The block adds its input to what they give.",
            _block(lambda *all: _relu(_branch(*all))),
        ),
        Misconception(
            "relu-before-the-sum",
            "The second ReLU came before the sum. So the branch can only ever add, never take away: add x first, then ReLU.",
            _block(lambda x, *weights: x + _relu(_branch(x, *weights))),
        ),
        Misconception(
            "relu-before-and-after",
            "There is a ReLU before the sum as well, so the branch can only add. Add x to what the second convolution gives, then ReLU.",
            _block(lambda x, *weights: _relu(x + _relu(_branch(x, *weights)))),
        ),
        Misconception(
            "last-relu-forgotten",
            "The sum came out with negative values. A ReLU follows it.",
            _block(lambda x, *weights: x + _branch(x, *weights)),
        ),
        Misconception(
            "inner-relu-forgotten",
            "There is no ReLU between the two convolutions. Without it, they are one larger convolution.",
            _block(lambda x, w1, b1, w2, b2: _relu(x + _conv_same(_conv_same(x, w1, b1), w2, b2))),
        ),
        Misconception(
            "shortcut-from-the-middle",
            "What was added is the output of the first convolution. The shortcut starts at the block's input, x.",
            _block(_shortcut_from_the_middle),
        ),
        Misconception(
            "shortcut-too-early",
            "x was added after the first convolution. It is added after the second.",
            _block(_shortcut_too_early),
        ),
        Misconception(
            "shortcut-with-relu",
            "The shortcut took relu(x). It carries x as it is.",
            _block(lambda x, *weights: _relu(_relu(x) + _branch(x, *weights))),
        ),
        Misconception(
            "subtracted",
            "The branch was taken away from x. It is added.",
            _block(lambda x, *weights: _relu(x - _branch(x, *weights))),
        ),
        Misconception(
            "multiplied",
            "x and the branch were multiplied. They are added.",
            _block(lambda x, *weights: _relu(x * _branch(x, *weights))),
        ),
        Misconception(
            "averaged",
            "The mean of x and the branch was taken. They are added.",
            _block(lambda x, *weights: _relu((x + _branch(x, *weights)) / 2)),
        ),
        Misconception(
            "biases-forgotten",
            "The biases are missing: b1 belongs to the first convolution, b2 to the second.",
            _block(lambda x, w1, b1, w2, b2: residual_block(x, w1, 0 * b1, w2, 0 * b2)),
        ),
        Misconception(
            "same-weights-twice",
            "Both convolutions used w1. The second has weights of its own.",
            _block(lambda x, w1, b1, w2, b2: residual_block(x, w1, b1, w1, b2)),
        ),
        Misconception(
            "layers-swapped",
            "The second convolution came first. The order is w1, b1, ReLU, w2, b2.",
            _block(lambda x, w1, b1, w2, b2: residual_block(x, w2, b2, w1, b1)),
        ),
        Misconception(
            "second-convolution-forgotten",
            "Only the first convolution is there. The branch has two.",
            _block(lambda x, w1, b1, w2, b2: _relu(x + _relu(_conv_same(x, w1, b1)))),
        ),
        Misconception(
            "padding-forgotten",
            "Without padding=1 each convolution takes two rows and columns away, and x no longer fits what it should be added to.",
            _padding_forgotten,
        ),
        Misconception(
            "concatenated",
            "x was put beside the branch, so there are twice as many channels. It is added.",
            _block(lambda x, *weights: _relu(np.concatenate([x, _branch(x, *weights)], axis=1))),
        ),
    ),
    hints=(
        "Read the drawing from left to right, one line of code for each box.",
        "F.conv2d(x, w1, b1, padding=1) keeps height and width. So x and the result of the second convolution have the same shape.",
        "The last two steps: add x, then torch.relu.",
        "torch.relu(x + F.conv2d(torch.relu(F.conv2d(x, w1, b1, padding=1)), w2, b2, padding=1))",
    ),
)

EXERCISES = (RECEPTIVE_FIELD, MAX_POOL2D, EQUIVARIANCE_ERROR, CONV_MACS, DEPTHWISE_SEPARABLE, RESIDUAL_BLOCK)
