"""Convolution and pooling in NumPy beside torch's: python -m benchmarks.convolution.

All numbers are float32. `course_lib` uses NumPy alone; torch has kernels written for the processor. *Extra memory* is what a call holds at
its peak, besides its arguments and its result. *The product alone* is the matrix product that the fourth layer comes to, its columns made
beforehand: nearly all of that layer's time. The last rows are lesson 2's ladder: one small layer, computed in ever better ways.
"""

import math
import statistics
import tracemalloc

import numpy as np
import torch
import torch.nn.functional as F
from scipy import signal

from benchmarks import table
from course_lib.convolution import conv2d, conv2d_backward, im2col
from course_lib.pooling import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward

TITLE = "Convolution and pooling"
THREADS = (1, 2)
LAYERS = [  # images, kernels, stride, padding
    ((32, 16, 28, 28), (32, 16, 3, 3), 1, 1),
    ((128, 1, 28, 28), (6, 1, 5, 5), 1, 2),
    ((1, 3, 224, 224), (64, 3, 7, 7), 2, 3),
    ((8, 64, 56, 56), (64, 64, 3, 3), 1, 1),
]
LARGE = (64, 64, 112, 112), (64, 64, 3, 3), 1, 1
LADDER = (1, 8, 28, 28), (16, 8, 3, 3), 1, 1
REPEATS = 15


def rows():
    """Measure, and return all rows. What is asked for is asked of one thread."""
    found = [forward(layer) for layer in LAYERS]
    mean = statistics.geometric_mean(row.ratio for row in found)
    found += [table.judged("forward, geometric mean of the four", "", "torch", mean, most=1.5)]
    found += [product()]
    found += [backward(layer) for layer in LAYERS]
    if torch.get_num_threads() > 1:
        return [row._replace(asked="") for row in found]
    found += pooling("largest", max_pool2d, max_pool2d_backward, F.max_pool2d)
    found += pooling("mean", avg_pool2d, avg_pool2d_backward, F.avg_pool2d)
    return [*found, *memory(), *ladder()]


def forward(layer):
    """`conv2d`, which has no bias here."""
    x, weight, options = arrays(layer)
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    turns = {"here": lambda: conv2d(x, weight, **options), "torch": lambda: F.conv2d(*tensors, **options)}
    return table.timed(f"forward, {described(layer)}", table.medians(turns, REPEATS), most=2)


def product():
    """The matrix product that the fourth layer comes to, an image at a time, with its columns made beforehand."""
    x, weight, options = arrays(LAYERS[3])
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    kernels, columns = weight.reshape(len(weight), -1), im2col(x, weight.shape[2:], **options)
    turns = {"here": lambda: np.matmul(kernels, columns), "torch": lambda: F.conv2d(*tensors, **options)}
    return table.timed("the product alone, beside the fourth layer", table.medians(turns, REPEATS))


def backward(layer):
    """`conv2d_backward`: the gradients by images, kernels and bias."""
    x, weight, options = arrays(layer)
    d_out = numbers(conv2d(x, weight, **options).shape)
    tensors = [torch.from_numpy(array) for array in (d_out, x, weight)]
    stride, padding = ([options[name]] * 2 for name in ("stride", "padding"))
    rest = [len(weight)], stride, padding, [1, 1], False, [0, 0], 1, [True, True, True]
    turns = {
        "here": lambda: conv2d_backward(d_out, x, weight, **options),
        "torch": lambda: torch.ops.aten.convolution_backward(*tensors, *rest),
    }
    return table.timed(f"backward, {described(layer)}", table.medians(turns, REPEATS), most=2.5)


def pooling(name, pool, back, peer):
    """Windows of 2×2. Torch's way back needs what its way forward kept, so that it is timed with it."""
    x, d_out = numbers((32, 16, 28, 28)), numbers((32, 16, 14, 14))
    tensor, d_tensor = torch.from_numpy(x), torch.from_numpy(d_out)
    forth = {"here": lambda: pool(x, 2), "torch": lambda: peer(tensor, 2)}
    both = {
        "here": lambda: (pool(x, 2), back(d_out, x, 2)),
        "torch": lambda: peer(tensor.clone().requires_grad_(), 2).backward(d_tensor),
    }
    what = f"{name} of 2×2, {shape(x.shape)}"
    return [
        table.timed(f"{what}, forward", table.medians(forth, REPEATS), most=2),
        table.timed(f"{what}, forward and backward", table.medians(both, REPEATS), most=2),
    ]


def memory():
    """Extra memory beside the matrix of all columns (im2col), which the textbook's way would hold."""
    found = []
    for layer in LAYERS:
        used, matrix = extra_memory(layer)
        found.append(
            table.judged(
                f"extra memory, {described(layer)}", table.megabytes(used), f"im2col {table.megabytes(matrix)}", used / matrix, most=2
            )
        )
    used, _ = extra_memory(LARGE)
    return [*found, table.judged(f"extra memory, {described(LARGE)}", table.megabytes(used), "1,000 MB", used / 1e9, most=1)]


def ladder():
    """One small layer by loops, by SciPy, by the library's other ways, by its default, and by torch."""
    x, weight, options = arrays(LADDER)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    tensors = torch.from_numpy(x), torch.from_numpy(weight)
    turns = {"loops, as the formula has them": lambda: conv2d(x, weight, **options, method="loops")}
    turns["loops over windows"] = lambda: windows_by_loops(padded, weight)
    turns["`scipy.signal.correlate2d`"] = lambda: correlated(padded[0], weight)
    for method in ("sparse", "fft", "strided", "im2col"):
        turns[f"`conv2d`, {method}"] = lambda method=method: conv2d(x, weight, **options, method=method)
    turns["`torch.nn.functional.conv2d`"] = lambda: F.conv2d(*tensors, **options)
    seconds = {name: statistics.median(taken) for name, taken in table.medians(turns, 5).items()}
    *others, torch_seconds = seconds.values()
    name = f"ladder, {described(LADDER)}"
    return [
        table.judged(f"{name}: {way}", table.span(taken), f"torch {table.span(torch_seconds)}", taken / torch_seconds)
        for way, taken in zip(seconds, others, strict=False)
    ]


def windows_by_loops(x, weight):
    """Lesson 2's layer: a loop for each image, kernel, row and column, and NumPy for the window."""
    kernel_height, kernel_width = weight.shape[2:]
    y = np.empty((len(x), len(weight), x.shape[2] - kernel_height + 1, x.shape[3] - kernel_width + 1), x.dtype)
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = np.sum(x[n, :, i : i + kernel_height, j : j + kernel_width] * weight[o])
    return y


def correlated(image, weight):
    """SciPy knows one image and one kernel: a call for each pair of channels."""
    return np.stack([sum(signal.correlate2d(*pair, mode="valid") for pair in zip(image, kernel, strict=True)) for kernel in weight])


def extra_memory(layer):
    """The most bytes that `conv2d` holds besides its arguments and its result, and the bytes of the matrix of all columns."""
    x, weight, options = arrays(layer)
    tracemalloc.start()
    y = conv2d(x, weight, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - y.nbytes, y.nbytes // len(weight) * math.prod(weight.shape[1:])


def arrays(layer):
    x, weight, stride, padding = layer
    return numbers(x), numbers(weight), {"stride": stride, "padding": padding}


def numbers(size):
    return np.random.default_rng(0).standard_normal(size, np.float32)


def described(layer):
    x, weight, stride, padding = layer
    return f"{shape(x)} by {shape(weight)}" + f", stride {stride}" * (stride > 1) + f", padding {padding}"


def shape(size):
    return "×".join(map(str, size))


if __name__ == "__main__":
    table.main("benchmarks.convolution")
