"""Pooling against torch, over what its contract allows; and the errors for what it does not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.pooling import adaptive_avg_pool2d, avg_pool2d, global_avg_pool, max_pool2d

small = st.integers(1, 4)
maps = st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


def feature_maps(shape, dtype, seed):
    generator = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return generator.normal(size=shape).astype(dtype)
    return generator.integers(0, 100, shape).astype(dtype)


@st.composite
def poolings(draw):
    """A possible pooling: feature maps (N, C, H, W) and its options."""
    pool = draw(st.tuples(small, small))
    padding = tuple(draw(st.integers(0, size // 2)) for size in pool)
    size = [max(1, k - 2 * p) + draw(st.integers(0, 6)) for k, p in zip(pool, padding, strict=True)]
    stride = draw(st.one_of(st.none(), st.tuples(small, small)))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.int64, np.uint8]))
    x = feature_maps((draw(st.integers(0, 2)), draw(small), *size), dtype, draw(st.integers(0, 2**32 - 1)))
    return x, {"pool_size": pool, "stride": stride, "padding": padding}


def for_torch(options):
    return {"kernel_size" if name == "pool_size" else name: value for name, value in options.items()}


@settings(max_examples=80, deadline=None)
@given(poolings())
def test_max_pool2d_equals_torch(pooling):
    x, options = pooling
    y = max_pool2d(x, **options)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, F.max_pool2d(torch.from_numpy(x.astype(np.float64)), **for_torch(options)).numpy())


@settings(max_examples=80, deadline=None)
@given(poolings(), st.booleans())
def test_avg_pool2d_equals_torch(pooling, count_include_pad):
    x, options = pooling
    y = avg_pool2d(x, **options, count_include_pad=count_include_pad)
    expected = F.avg_pool2d(torch.from_numpy(x.astype(np.float64)), **for_torch(options), count_include_pad=count_include_pad).numpy()
    assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.float64)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(maps, st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_adaptive_avg_pool2d_equals_torch(shape, output_size):
    x = feature_maps(shape, np.float64, seed=1)
    expected = F.adaptive_avg_pool2d(torch.from_numpy(x), output_size).numpy()
    np.testing.assert_allclose(adaptive_avg_pool2d(x, output_size), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(maps)
def test_global_avg_pool_is_the_mean_of_each_map(shape):
    x = feature_maps(shape, np.float32, seed=2)
    y = global_avg_pool(x)
    assert y.shape == shape[:2]
    np.testing.assert_allclose(y, torch.from_numpy(x).mean(dim=(2, 3)).numpy(), rtol=1e-5, atol=1e-6)


def test_stride_defaults_to_the_window():
    x = feature_maps((1, 2, 7, 9), np.float64, seed=3)
    np.testing.assert_array_equal(max_pool2d(x, (2, 3)), F.max_pool2d(torch.from_numpy(x), (2, 3)).numpy())
    assert max_pool2d(x).shape == (1, 2, 3, 4)


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_padding_never_wins_a_maximum(dtype):
    x = np.full((1, 3, 3), -100, dtype)
    np.testing.assert_array_equal(max_pool2d(x, 3, stride=1, padding=1), x)


def test_max_pool2d_takes_booleans():
    y = max_pool2d(np.array([[[False, False, True, False]]]), (1, 2))
    assert y.dtype == bool
    assert y.tolist() == [[[False, True]]]


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
def test_nan_stays_in_its_window(pool):
    x = np.ones((1, 1, 4, 4))
    x[0, 0, 1, 1] = np.nan
    np.testing.assert_array_equal(np.isnan(pool(x)[0, 0]), [[True, False], [False, False]])


def test_maximum_of_minus_infinity_is_minus_infinity():
    assert max_pool2d(np.full((1, 2, 2), -np.inf)).tolist() == [[[-np.inf]]]


def test_integer_means_are_not_cut_off():
    assert avg_pool2d([[[1, 2], [2, 2]]]).tolist() == [[[1.75]]]
    assert avg_pool2d(np.full((1, 2, 2), 255, np.uint8)).tolist() == [[[255.0]]]
    assert global_avg_pool([[[1, 2], [2, 2]]]).tolist() == [1.75]


POOLINGS = {
    "max": max_pool2d,
    "average": avg_pool2d,
    "global": global_avg_pool,
    "adaptive": lambda x: adaptive_avg_pool2d(x, 2),
}


@pytest.mark.parametrize("pool", POOLINGS.values(), ids=POOLINGS)
def test_one_image_is_a_batch_of_one(pool):
    x = feature_maps((3, 5, 4), np.float64, seed=4)
    np.testing.assert_array_equal(pool(x), pool(x[None])[0])


@pytest.mark.parametrize("pool", POOLINGS.values(), ids=POOLINGS)
def test_read_only_and_strided_input_is_left_as_it_is(pool):
    x = feature_maps((2, 3, 8, 10), np.float64, seed=5)
    view = x[::-1, :, ::2, ::-1]
    view.setflags(write=False)
    before = view.copy()
    np.testing.assert_array_equal(pool(view), pool(before))
    np.testing.assert_array_equal(view, before)


@pytest.mark.parametrize("pool", POOLINGS.values(), ids=POOLINGS)
def test_result_is_no_view_of_the_input(pool):
    x = np.ones((1, 1, 2, 2))
    pool(x)[...] = 7
    assert (x == 1).all()
    y = adaptive_avg_pool2d(x, (2, 2))
    assert not np.shares_memory(y, x)


@pytest.mark.parametrize("pool", POOLINGS.values(), ids=POOLINGS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones((4, 4)), r"got \(4, 4\); one gray image becomes image\[None\]"),
        (np.ones((1, 1, 1, 4, 4)), r"got \(1, 1, 1, 4, 4\)"),
        (np.ones((1, 0, 4)), r"got \(1, 0, 4\)"),
        (np.ones((1, 4, 4), complex), "real numbers, got dtype complex128"),
        ([[[1, 2], [3]]], "rows of equal length"),
    ],
)
def test_what_is_no_feature_map_is_refused(pool, x, message):
    with pytest.raises(ValueError, match=message):
        pool(x)


@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_size": 0}, "pool_size must be at least 1, got 0"),
        ({"pool_size": 2.0}, r"pool_size must be a whole number, got 2.0 \(float\)"),
        ({"pool_size": (2, 2, 2)}, "pool_size must be a whole number or a pair .* got 3 values"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"stride": (1, -1)}, r"stride\[1\] must be at least 1, got -1"),
        ({"padding": -1}, "padding must be at least 0, got -1"),
        ({"pool_size": 3, "padding": 2}, r"at most half the window .* got \(2, 2\) for pool_size \(3, 3\)"),
        ({"pool_size": (2, 6)}, r"the 2x6 window does not fit: x \(1, 4, 5\) with padding \(0, 0\) has 4x5 cells"),
    ],
)
def test_impossible_options_are_refused(pool, options, message):
    with pytest.raises(ValueError, match=message):
        pool(np.ones((1, 4, 5)), **options)


@pytest.mark.parametrize("output_size", [0, (2, 0), 2.5, "2", (1, 2, 3), None])
def test_impossible_output_size_is_refused(output_size):
    with pytest.raises(ValueError, match="output_size"):
        adaptive_avg_pool2d(np.ones((1, 4, 5)), output_size)
