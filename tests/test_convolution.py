"""`conv2d` against torch.nn.functional.conv2d, over what its contract allows; and the errors for what it does not."""

import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.arithmetic import output_size
from course_lib.convolution import METHODS, conv2d, convolution_matrix, im2col

DTYPES = (np.float32, np.float64, np.int64, np.int16, np.uint8)
small = st.integers(1, 3)


@st.composite
def problems(draw, dtypes=DTYPES, batch_sizes=(0, 1, 2)):
    """A possible convolution: `(x, weight, bias, options)`, with every axis of its own size where chance allows."""
    groups = draw(small)
    group_channels, group_outputs = draw(small), draw(small)
    kernel, dilation = draw(st.tuples(st.integers(1, 4), small)), draw(st.tuples(small, small))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = [max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 6)) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    options = {"stride": draw(st.tuples(small, small)), "padding": padding, "dilation": dilation, "groups": groups}
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype = np.dtype(draw(st.sampled_from(dtypes)))

    def numbers(*shape):
        if dtype.kind == "f":
            return generator.normal(size=shape).astype(dtype)
        limits = np.iinfo(dtype)
        return generator.integers(max(limits.min, -1000), min(limits.max, 1000), shape, dtype, endpoint=True)

    x = numbers(draw(st.sampled_from(batch_sizes)), groups * group_channels, *size)
    weight = numbers(groups * group_outputs, group_channels, *kernel)
    return x, weight, numbers(len(weight)) if draw(st.booleans()) else None, options


def torch_conv2d(x, weight, bias=None, **options):
    """torch's answer in double precision: exact for the integers drawn here."""
    tensors = [None if array is None else torch.from_numpy(np.array(array, dtype=np.float64)) for array in (x, weight, bias)]
    return F.conv2d(*tensors, **options).numpy()


def assert_close(y, expected, dtype):
    """Equal to the rounding of `dtype`, on the scale of the largest value."""
    assert y.shape == expected.shape
    tolerance = {"f": 200 * np.finfo(dtype).eps if np.dtype(dtype).kind == "f" else 0}.get(np.dtype(dtype).kind, 0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max(initial=0)))


@settings(max_examples=120, deadline=None)
@given(problems())
def test_every_method_equals_torch(problem):
    x, weight, bias, options = problem
    expected = torch_conv2d(x, weight, bias, **options)
    for method in METHODS:
        y = conv2d(x, weight, bias, **options, method=method)
        assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.int64), method
        assert_close(y, expected, x.dtype)
