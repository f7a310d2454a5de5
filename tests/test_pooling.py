"""Pooling and its gradients against torch, over what its contract allows; and the errors for what it does not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.pooling import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_backward,
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool2d,
    max_pool2d_backward,
)

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


@settings(max_examples=80)
@given(poolings())
def test_max_pool2d_equals_torch(pooling):
    x, options = pooling
    y = max_pool2d(x, **options)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, F.max_pool2d(torch.from_numpy(x.astype(np.float64)), **for_torch(options)).numpy())


@settings(max_examples=80)
@given(poolings(), st.booleans())
def test_avg_pool2d_equals_torch(pooling, count_include_pad):
    x, options = pooling
    y = avg_pool2d(x, **options, count_include_pad=count_include_pad)
    expected = F.avg_pool2d(torch.from_numpy(x.astype(np.float64)), **for_torch(options), count_include_pad=count_include_pad).numpy()
    assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.float64)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@settings(max_examples=60)
@given(maps, st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_adaptive_avg_pool2d_equals_torch(shape, output_size):
    x = feature_maps(shape, np.float64, seed=1)
    expected = F.adaptive_avg_pool2d(torch.from_numpy(x), output_size).numpy()
    np.testing.assert_allclose(adaptive_avg_pool2d(x, output_size), expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=20)
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


def test_means_of_halves_add_up_in_single_precision():
    y = avg_pool2d(np.ones((1, 60, 50), np.float16), (60, 50))
    assert y.dtype == np.float16
    assert y.tolist() == [[[1]]]  # in halves the sum would stop at 2048


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


# --- the gradients ---


def upstream(y_shape, dtype=np.float64):
    """A gradient by the output, of all different values."""
    return np.random.default_rng(7).normal(size=y_shape).astype(dtype)


def torch_gradient(pool, d_out, x, *arguments, **options):
    """torch's gradient by the input, in double precision."""
    leaf = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    pool(leaf, *arguments, **options).backward(torch.from_numpy(d_out.astype(np.float64)))
    return leaf.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60)
@given(pooling=poolings(), ties=st.booleans())
def test_gradient_of_max_pool2d_equals_torch(dtype, pooling, ties):
    x, options = pooling
    if ties:
        x = x % 2 // 1  # zeros and ones: most windows have several maxima
    d_out = upstream(max_pool2d(x, **options).shape, dtype)
    d_x = max_pool2d_backward(d_out, x, **options)
    assert d_x.dtype == dtype
    expected = torch_gradient(F.max_pool2d, d_out, x, **for_torch(options))
    np.testing.assert_allclose(d_x, expected, rtol=1e-5, atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60)
@given(pooling=poolings(), count_include_pad=st.booleans())
def test_gradient_of_avg_pool2d_equals_torch(dtype, pooling, count_include_pad):
    x, options = pooling
    d_out = upstream(avg_pool2d(x, **options).shape, dtype)
    d_x = avg_pool2d_backward(d_out, x, **options, count_include_pad=count_include_pad)
    assert d_x.dtype == dtype
    expected = torch_gradient(F.avg_pool2d, d_out, x, **for_torch(options), count_include_pad=count_include_pad)
    np.testing.assert_allclose(d_x, expected, rtol=1e-5, atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=40)
@given(shape=maps, output_size=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_gradient_of_adaptive_avg_pool2d_equals_torch(dtype, shape, output_size):
    x, d_out = feature_maps(shape, dtype, seed=6), upstream((*shape[:2], *output_size), dtype)
    d_x = adaptive_avg_pool2d_backward(d_out, x)
    assert d_x.dtype == dtype
    expected = torch_gradient(F.adaptive_avg_pool2d, d_out, x, output_size)
    np.testing.assert_allclose(d_x, expected, rtol=1e-5, atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=20)
@given(shape=maps)
def test_gradient_of_global_avg_pool_equals_torch(dtype, shape):
    x, d_out = feature_maps(shape, dtype, seed=6), upstream(shape[:2], dtype)
    d_x = global_avg_pool_backward(d_out, x)
    assert d_x.dtype == dtype
    np.testing.assert_allclose(d_x, torch_gradient(lambda leaf: leaf.mean(dim=(2, 3)), d_out, x), rtol=1e-6)


GRADIENTS = {
    "max": (max_pool2d, max_pool2d_backward, {"pool_size": (3, 2), "stride": (2, 1), "padding": 1}),
    "average": (avg_pool2d, avg_pool2d_backward, {"pool_size": (3, 2), "stride": (2, 1), "padding": 1}),
    "average of cells": (avg_pool2d, avg_pool2d_backward, {"pool_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    "global": (global_avg_pool, global_avg_pool_backward, {}),
    "adaptive": (lambda x: adaptive_avg_pool2d(x, (3, 2)), adaptive_avg_pool2d_backward, {}),
}
every_gradient = pytest.mark.parametrize(("pool", "backward", "options"), GRADIENTS.values(), ids=GRADIENTS)


@every_gradient
def test_gradient_equals_finite_differences(pool, backward, options):
    x = np.random.default_rng(8).permutation(2 * 2 * 6 * 5).reshape(2, 2, 6, 5).astype(float)  # a step of 1/4 changes no maximum
    d_out = upstream(pool(x, **options).shape)
    expected = np.empty_like(x)
    for cell in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[cell] = 0.25
        expected[cell] = ((pool(x + step, **options) - pool(x - step, **options)) / 0.5 * d_out).sum()
    np.testing.assert_allclose(backward(d_out, x, **options), expected, rtol=1e-9, atol=1e-9)


def test_the_first_of_equal_maxima_gets_the_gradient():
    assert max_pool2d_backward([[[1.0]]], np.zeros((1, 2, 2))).tolist() == [[[1, 0], [0, 0]]]
    assert max_pool2d_backward([[[1.0]]], [[[0, 5], [5, 5]]]).tolist() == [[[0, 1], [0, 0]]]


@pytest.mark.parametrize("x", [np.full((1, 2, 2), -np.inf), np.full((1, 2, 2), -128, np.int8), np.zeros((1, 2, 2), bool)])
def test_padding_gets_no_gradient_even_from_the_lowest_maximum(x):
    assert max_pool2d_backward(np.ones((1, 2, 2)), x, padding=1).tolist() == [[[1, 1], [1, 1]]]
    d_x = max_pool2d_backward(np.ones((1, 3, 2)), x, (2, 1), stride=1, padding=(1, 0))
    assert d_x.tolist() == torch_gradient(F.max_pool2d, np.ones((1, 3, 2)), x, (2, 1), stride=1, padding=(1, 0)).tolist()


def test_gradient_of_a_maximum_goes_to_nan_as_in_torch():
    x = np.array([[[3.0, np.nan, 9.0], [np.nan, 2.0, np.nan]]])
    assert max_pool2d_backward([[[1.0]]], x, (2, 3)).tolist() == torch_gradient(F.max_pool2d, np.ones((1, 1, 1)), x, (2, 3)).tolist()


def test_gradient_finds_a_maximum_in_any_cell_of_a_large_window():
    x = np.zeros((1, 300, 17, 18))  # more cells than a byte can number
    x.reshape(300, 17 * 18)[np.arange(300), np.arange(300)] = 1
    np.testing.assert_array_equal(max_pool2d_backward(np.ones((1, 300, 1, 1)), x, (17, 18)), x)


def test_overlapping_windows_add_up():
    assert max_pool2d_backward([[[1.0, 10.0, 100.0]]], [[[0, 9, 1, 2]]], (1, 2), stride=1).tolist() == [[[0, 11, 0, 100]]]
    assert avg_pool2d_backward([[[2.0, 4.0, 8.0]]], np.zeros((1, 1, 4)), (1, 2), stride=1).tolist() == [[[1, 3, 6, 4]]]


@every_gradient
def test_gradient_of_one_image_is_that_of_a_batch_of_one(pool, backward, options):
    x = feature_maps((3, 5, 4), np.float64, seed=9)
    d_out = upstream(pool(x, **options).shape)
    np.testing.assert_array_equal(backward(d_out, x, **options), backward(d_out[None], x[None], **options)[0])


@every_gradient
def test_gradient_is_new_and_the_arguments_left_as_they_are(pool, backward, options):
    x = feature_maps((2, 3, 8, 10), np.float64, seed=5)[::-1, :, ::2, ::-1]
    d_out = np.repeat(upstream(pool(x, **options).shape), 2, axis=1)[:, ::2]
    before = x.copy(), d_out.copy()
    for array in (x, d_out):
        array.setflags(write=False)
    d_x = backward(d_out, x, **options)
    np.testing.assert_array_equal(d_x, backward(before[1], before[0], **options))
    d_x += 1
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(d_out, before[1])


@every_gradient
def test_integer_gradients_are_not_cut_off(pool, backward, options):
    x = feature_maps((1, 4, 4), np.uint8, seed=10)
    d_out = np.ones(pool(x, **options).shape, np.uint8)
    d_x = backward(d_out, x, **options)
    assert d_x.dtype == np.float64
    np.testing.assert_array_equal(d_x, backward(d_out.astype(float), x.astype(float), **options))


@every_gradient
def test_gradient_of_another_shape_is_refused(pool, backward, options):
    x = np.ones((2, 3, 6, 5))
    d_out = np.ones(pool(x, **options).shape)
    for wrong in (d_out[:1], d_out[0], d_out[:, :2], 1.0):
        with pytest.raises(ValueError, match=r"d_out must have .* got \("):
            backward(wrong, x, **options)
    with pytest.raises(ValueError, match="x must have shape"):
        backward(d_out, x[0, 0], **options)


@pytest.mark.parametrize("backward", [max_pool2d_backward, avg_pool2d_backward])
def test_gradient_says_which_shape_it_expects(backward):
    with pytest.raises(ValueError, match=r"d_out must have the output's shape \(1, 2, 1\), got \(1, 2, 2\)"):
        backward(np.ones((1, 2, 2)), np.ones((1, 4, 5)), (2, 3))
    with pytest.raises(ValueError, match="the 2x6 window does not fit"):
        backward(np.ones((1, 2, 2)), np.ones((1, 4, 5)), (2, 6))
