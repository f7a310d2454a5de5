"""`conv2d`, its gradients and its transpose against torch, over what their contracts allow; and the errors for what they do not."""

import tracemalloc
from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib import convolution
from course_lib.convolution import (
    METHODS,
    add_windows,
    conv2d,
    conv2d_backward,
    conv_transpose2d,
    convolution_matrix,
    im2col,
    sliding_windows,
)

DTYPES = (np.float32, np.float64, np.int64, np.int16, np.uint8)
small = st.integers(1, 3)
every_method = pytest.mark.parametrize("method", METHODS)


def numbers(generator, shape, dtype):
    if np.dtype(dtype).kind == "f":
        return generator.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return generator.integers(max(limits.min, -1000), min(limits.max, 1000), shape, dtype, endpoint=True)


@st.composite
def problems(draw, dtypes=DTYPES):
    """A possible convolution: `(x, weight, bias or None, options)`."""
    groups, group_channels, group_outputs = draw(small), draw(small), draw(small)
    kernel, dilation = draw(st.tuples(st.integers(1, 4), small)), draw(st.tuples(small, small))
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = [max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 6)) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    generator, dtype = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.sampled_from(dtypes))
    x = numbers(generator, (draw(st.integers(0, 2)), groups * group_channels, *size), dtype)
    weight = numbers(generator, (groups * group_outputs, group_channels, *kernel), dtype)
    bias = numbers(generator, len(weight), dtype) if draw(st.booleans()) else None
    return x, weight, bias, {"stride": draw(st.tuples(small, small)), "padding": padding, "dilation": dilation, "groups": groups}


def torch_conv2d(x, weight, bias=None, **options):
    """torch's answer in double precision: exact for the integers drawn here."""
    tensors = [None if array is None else torch.from_numpy(np.array(array, dtype=np.float64)) for array in (x, weight, bias)]
    return F.conv2d(*tensors, **options).numpy()


def assert_equal_up_to_rounding(y, expected):
    """Equal, or for floats equal to 200 roundings on the scale of the largest value."""
    assert y.shape == expected.shape
    roundings = 200 * np.finfo(y.dtype).eps if y.dtype.kind == "f" else 0
    np.testing.assert_allclose(y, expected, rtol=0, atol=roundings * max(1, np.abs(expected).max(initial=0)))


# --- the same numbers as torch ---


@settings(max_examples=120)
@given(problems())
def test_every_method_equals_torch(problem):
    x, weight, bias, options = problem
    expected = torch_conv2d(x, weight, bias, **options)
    for method in METHODS:
        y = conv2d(x, weight, bias, **options, method=method)
        assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.int64), method
        assert_equal_up_to_rounding(y, expected)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's own, about speed
@settings(max_examples=40)
@given(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(small, small), st.sampled_from(["same", "valid"]))
def test_named_padding_equals_torch(kernel, dilation, padding):
    generator = np.random.default_rng(0)
    x, weight = generator.normal(size=(2, 1, 13, 14)), generator.normal(size=(2, 1, *kernel))
    options = {"padding": padding, "dilation": dilation}
    assert_equal_up_to_rounding(conv2d(x, weight, **options), torch_conv2d(x, weight, **options))


def test_one_image_is_a_batch_of_one():
    generator = np.random.default_rng(1)
    x, weight, bias = generator.normal(size=(3, 6, 5)), generator.normal(size=(4, 3, 2, 3)), generator.normal(size=4)
    assert_equal_up_to_rounding(conv2d(x, weight, bias, padding=1), torch_conv2d(x, weight, bias, padding=1))


def test_a_whole_number_stands_for_a_pair():
    generator = np.random.default_rng(2)
    x, weight = generator.normal(size=(1, 2, 9, 11)), generator.normal(size=(3, 2, 3, 2))
    options = {"stride": 2, "padding": 1, "dilation": 2}
    assert_equal_up_to_rounding(conv2d(x, weight, **options), torch_conv2d(x, weight, **options))
    for kind in (np.int64, lambda value: [value, value], lambda value: np.array([value, value])):
        others = {name: kind(value) for name, value in options.items()}
        np.testing.assert_array_equal(conv2d(x, weight, **others), conv2d(x, weight, **options))


@every_method
def test_the_kernel_is_not_flipped(method):
    assert conv2d([[[1, 2], [3, 4]]], [[[[0, 10], [0, 0]]]], method=method).tolist() == [[[20]]]  # flipped, it would be 30


# --- kinds of numbers ---


@every_method
def test_bytes_do_not_overflow(method):
    x, weight = np.full((1, 3, 3), 200, np.uint8), np.full((1, 1, 3, 3), 2, np.uint8)
    assert conv2d(x, weight, method=method).tolist() == [[[200 * 2 * 9]]]


@every_method
def test_large_integers_are_exact(method):
    x, weight = np.array([[[2**34, 1]]]), np.array([[[[1, 2**9]]]])
    assert conv2d(x, weight, method=method).item() == 2**34 + 2**9  # float32 has 24 bits


def test_integers_beyond_doubles_are_exact():
    x, weight = np.array([[[2**60, 1]]]), np.array([[[[1, 1]]]])
    assert conv2d(x, weight).item() == 2**60 + 1
    assert conv2d(x, weight, method="sparse").item() == 2**60 + 1


@every_method
def test_integers_that_could_leave_int64_are_refused(method):
    with pytest.raises(ValueError, match=r"results could reach 9\.2e\+18, near int64's limit"):
        conv2d(np.array([[[2**62]]]), np.array([[[[2]]]]), method=method)
    with pytest.raises(ValueError, match="int64's limit"):
        conv2d(np.array([[[2**64 - 1]]], np.uint64), np.array([[[[0]]]]), method=method)
    with pytest.raises(ValueError, match="int64's limit"):
        conv2d(np.array([[[-(2**63)]]]), np.array([[[[1]]]]), method=method)


@settings(max_examples=60)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(10, 25), st.integers(10, 25), st.integers(0, 2**32 - 1))
def test_fft_gives_exact_integers_or_refuses(size, channels, image_bits, kernel_bits, seed):
    generator = np.random.default_rng(seed)
    x = generator.integers(-(2**image_bits), 2**image_bits, (channels, size, size + 1), endpoint=True)
    weight = generator.integers(-(2**kernel_bits), 2**kernel_bits, (1, channels, 2, 2), endpoint=True)
    try:
        y = conv2d(x, weight, method="fft")
    except ValueError:
        assert image_bits + kernel_bits > 35  # no reason to refuse smaller ones
    else:
        np.testing.assert_array_equal(y, F.conv2d(torch.from_numpy(x), torch.from_numpy(weight)).numpy())


def test_fft_says_why_it_refuses_integers():
    with pytest.raises(ValueError, match='method="fft" cannot give exact integers this large'):
        conv2d(np.full((1, 8, 8), 2**50), np.array([[[[3]]]]), method="fft")


@every_method
@pytest.mark.parametrize(
    ("x", "weight", "expected"),
    [
        (np.uint8, np.float32, np.float32),
        (np.float32, np.int8, np.float32),
        (np.int64, np.float32, np.float64),
        (np.float32, np.float64, np.float64),
        (np.float16, np.float16, np.float16),
        (np.uint64, np.int8, np.int64),
        (bool, bool, np.int64),
        (np.longdouble, np.float64, np.longdouble),
        (">f4", ">f4", np.float32),
    ],
)
def test_type_of_the_result(method, x, weight, expected):
    y = conv2d(np.ones((1, 3, 3), x), np.ones((1, 1, 2, 2), weight), method=method)
    assert y.dtype == expected
    assert y.tolist() == [[[4, 4], [4, 4]]]


def test_halves_add_up_in_single_precision():
    assert conv2d(np.ones((1, 60, 50), np.float16), np.ones((1, 1, 60, 50), np.float16)).item() == 3000  # 2048 in float16


def test_the_bias_takes_part_in_the_type():
    assert conv2d([[[1, 2]]], [[[[1, 1]]]], [0.5]).tolist() == [[[3.5]]]


@every_method
def test_lists_are_arrays(method):
    y = conv2d([[[1, 2, 3], [4, 5, 6]]], [[[[1, 0], [0, -1]]]], [10], method=method)
    assert y.tolist() == [[[6, 6]]]


def test_torch_tensors_are_arrays():
    y = conv2d(torch.ones(1, 1, 3, 3), torch.ones(2, 1, 2, 2), torch.tensor([0.0, 1.0]))
    assert isinstance(y, np.ndarray)
    assert y.tolist() == [[[[4, 4], [4, 4]], [[5, 5], [5, 5]]]]


@pytest.mark.parametrize("method", [name for name in METHODS if name != "fft"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_what_sees_them_as_in_torch(method, value):
    x, weight = np.ones((1, 1, 4, 5)), np.array([[[[1.0, 0.0], [2.0, -1.0]]]])
    x[0, 0, 2, 3] = value
    np.testing.assert_array_equal(conv2d(x, weight, padding=1, method=method), torch_conv2d(x, weight, padding=1))


def test_fft_refuses_what_it_would_spread():
    with pytest.raises(ValueError, match='method="fft" would spread a NaN'):
        conv2d([[[1.0, np.nan]]], [[[[1.0]]]], method="fft")


# --- memory ---


@every_method
@settings(max_examples=15)
@given(problems(dtypes=(np.float64, np.int64)))
def test_read_only_and_strided_arrays_are_left_as_they_are(method, problem):
    x, weight, bias, options = problem
    views = [np.repeat(array, 2, axis=-1)[..., ::-2] for array in (x, weight)] + ([] if bias is None else [bias[::-1]])
    copies = [view.copy() for view in views]
    for view in views:
        view.setflags(write=False)
    assert_equal_up_to_rounding(conv2d(*views, **options, method=method), torch_conv2d(*copies, **options))
    for view, copy in zip(views, copies, strict=True):
        np.testing.assert_array_equal(view, copy)


@every_method
def test_the_result_is_new_and_writable(method):
    x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 1, 1))
    y = conv2d(x, weight, method=method)
    y += 1
    assert (x == 1).all()
    assert (weight == 1).all()


def peak_memory(function, *arguments, **options):
    """The most memory in bytes that a call held at once, its result included."""
    tracemalloc.start()
    try:
        function(*arguments, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_a_few_copies_of_the_images_not_all_their_columns():
    x, weight = np.ones((8, 64, 112, 112), np.float32), np.ones((64, 64, 3, 3), np.float32)  # the columns: 231 MB
    parts = 8 * convolution.AT_ONCE * x.itemsize
    assert peak_memory(conv2d, x, weight, padding=1) < 2.2 * x.nbytes + parts  # the result and the padded images
    assert peak_memory(conv_transpose2d, x, weight, padding=1) < 2.2 * x.nbytes + parts
    assert peak_memory(conv2d_backward, x, x, weight, padding=1) < 3.2 * x.nbytes + parts


# --- what is refused ---

IMAGE, KERNELS = np.ones((2, 4, 6, 5)), np.ones((6, 4, 3, 2))


@every_method
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones((6, 5))}, r"x must have shape \(N, C, H, W\) or \(C, H, W\) .* got \(6, 5\); one gray image becomes image\[None\]"),
        ({"x": np.ones((1, 2, 4, 6, 5))}, r"got \(1, 2, 4, 6, 5\)"),
        ({"x": np.ones((2, 4, 0, 5))}, r"only N allowed to be 0, got \(2, 4, 0, 5\)"),
        ({"x": 3}, r"got \(\)"),
        ({"x": [[[1, 2], [3]]]}, "x must be an array, with rows of equal length"),
        ({"x": np.ones((4, 6, 5), complex)}, r"x must hold real numbers, got dtype complex128 and shape \(4, 6, 5\)"),
        ({"x": [[["a"]]]}, "x must hold real numbers, got dtype <U1"),
        ({"x": None}, "x must hold real numbers, got dtype object"),
        ({"weight": np.ones((3, 2))}, r"weight must have shape .* got \(3, 2\); one 2-D kernel becomes kernel\[None, None\]"),
        ({"weight": np.ones((4, 3, 2))}, r"weight must have shape .* got \(4, 3, 2\)"),
        ({"weight": np.ones((0, 4, 3, 2))}, r"no axis empty, got \(0, 4, 3, 2\)"),
        ({"weight": np.ones((6, 3, 3, 2))}, r"4 channels \(shape \(4, 6, 5\)\).* groups=1 .* \(6, 4, 3, 2\), got \(6, 3, 3, 2\)"),
        ({"weight": np.ones((6, 1, 3, 2))}, r"weight must have shape \(6, 4, 3, 2\), got \(6, 1, 3, 2\)"),
        ({"weight": np.ones((6, 4, 7, 2))}, r"7x2 with dilation \(1, 1\) spans 7x2, and the 6x5 image with padding 0 has 6x5"),
        ({"dilation": (1, 5)}, r"3x2 with dilation \(1, 5\) spans 3x6, and the 6x5 image"),
        ({"weight": np.ones((6, 4, 9, 2)), "padding": 1}, "the 6x5 image with padding 1 has 8x7"),
        ({"bias": np.ones(4)}, r"bias must have shape \(6,\), one for each kernel of weight \(6, 4, 3, 2\), got \(4,\)"),
        ({"bias": 1.0}, r"bias must have shape \(6,\).* got \(\)"),
        ({"bias": np.ones((6, 1))}, r"bias must have shape \(6,\).* got \(6, 1\)"),
        ({"groups": 3}, r"groups=3 must divide .* C_in=4 \(image \(4, 6, 5\)\) and C_out=6 \(weight \(6, 4, 3, 2\)\)"),
        ({"groups": 4}, "groups=4 must divide .* C_out=6"),
        ({"groups": 2}, r"with groups=2 weight must have shape \(6, 2, 3, 2\), got \(6, 4, 3, 2\)"),
        ({"groups": 0}, "groups must be at least 1, got 0"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"stride": (1, 0)}, r"stride\[1\] must be at least 1, got 0"),
        ({"stride": 1.0}, r"stride must be a whole number, got 1.0 \(float\)"),
        ({"stride": True}, r"stride must be a whole number, got True \(bool\)"),
        ({"stride": (1, 1, 1)}, r"stride must be a whole number or a pair \(rows, columns\), got 3 values: \(1, 1, 1\)"),
        ({"stride": None}, "stride must be a whole number, got None"),
        ({"stride": {1, 2}}, r"stride must be a whole number, got \{1, 2\} \(set\)"),  # which is rows?
        ({"dilation": 0}, "dilation must be at least 1, got 0"),
        ({"padding": -1}, "padding must be at least 0, got -1"),
        ({"padding": (0, -2)}, r"padding\[1\] must be at least 0, got -2"),
        ({"padding": "full"}, """a pair, "same" or "valid", got 'full'"""),
        ({"padding": "same", "stride": 2}, r'padding="same" needs stride 1, got stride \(2, 2\)'),
    ],
)
def test_impossible_arguments_are_refused(method, change, message):
    with pytest.raises(ValueError, match=message):
        conv2d(**{"x": IMAGE, "weight": KERNELS} | change, method=method)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"method must be one of 'im2col', .* got 'winograd'"):
        conv2d(IMAGE, KERNELS, method="winograd")


def test_an_empty_batch_gives_an_empty_batch_and_checks_all_the_same():
    assert conv2d(IMAGE[:0], KERNELS).shape == (0, 6, 4, 4)
    with pytest.raises(ValueError, match="does not fit"):
        conv2d(IMAGE[:0], np.ones((6, 4, 7, 2)))


# --- the gradients ---


def upstream(y_shape, dtype=np.float64):
    """A gradient by the output, of all different values."""
    return np.random.default_rng(7).normal(size=y_shape).astype(dtype)


def torch_gradients(d_out, x, weight, **options):
    """torch's gradients by input, kernels and bias, in double precision."""
    leaves = [torch.from_numpy(np.array(array, dtype=np.float64)).requires_grad_() for array in (x, weight, np.zeros(len(weight)))]
    F.conv2d(*leaves, **options).backward(torch.from_numpy(np.array(d_out, dtype=np.float64)))
    return [leaf.grad.numpy() for leaf in leaves]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60)
@given(problem=problems(dtypes=(np.float64,)))
def test_gradients_equal_torch_autograd(dtype, problem):
    x, weight, _, options = problem
    x, weight = x.astype(dtype), weight.astype(dtype)
    d_out = upstream(torch_conv2d(x, weight, **options).shape, dtype)
    for gradient, expected in zip(conv2d_backward(d_out, x, weight, **options), torch_gradients(d_out, x, weight, **options), strict=True):
        assert gradient.dtype == dtype
        assert_equal_up_to_rounding(gradient, expected)


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "options"),
    [
        ((2, 2, 5, 7), (3, 2, 3, 2), {}),
        ((1, 1, 6, 8), (2, 1, 3, 3), {"stride": (3, 2)}),  # neither divides: the last rows and columns meet no kernel
        ((2, 2, 4, 3), (2, 2, 3, 3), {"padding": (2, 1), "stride": 2}),
        ((1, 2, 7, 6), (1, 2, 3, 2), {"dilation": (2, 3)}),
        ((1, 4, 4, 5), (6, 2, 2, 3), {"groups": 2, "padding": 1}),
        ((1, 3, 5, 4), (3, 1, 2, 2), {"groups": 3, "stride": (2, 1), "dilation": (1, 2), "padding": "valid"}),
        ((1, 1, 4, 5), (1, 1, 2, 3), {"padding": "same"}),
    ],
)
def test_gradients_equal_finite_differences(x_shape, weight_shape, options):
    generator = np.random.default_rng(8)
    arguments = [generator.normal(size=shape) for shape in (x_shape, weight_shape, weight_shape[0])]
    d_out = upstream(conv2d(*arguments, **options).shape)
    for array, gradient in zip(arguments, conv2d_backward(d_out, *arguments[:2], **options), strict=True):
        expected = np.empty_like(array)
        for cell in np.ndindex(array.shape):  # linear in each argument: a central difference with a step of 1 is exact but for rounding
            array[cell] += 1
            above = conv2d(*arguments, **options)
            array[cell] -= 2
            below = conv2d(*arguments, **options)
            array[cell] += 1
            expected[cell] = ((above - below) / 2 * d_out).sum()
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's own, about speed
@settings(max_examples=30)
@given(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(small, small), st.sampled_from(["same", "valid"]))
def test_gradients_with_named_padding_equal_torch(kernel, dilation, padding):
    generator, options = np.random.default_rng(9), {"padding": padding, "dilation": dilation}
    x, weight = generator.normal(size=(2, 1, 13, 14)), generator.normal(size=(2, 1, *kernel))
    d_out = upstream(torch_conv2d(x, weight, **options).shape)
    for gradient, expected in zip(conv2d_backward(d_out, x, weight, **options), torch_gradients(d_out, x, weight, **options), strict=True):
        assert_equal_up_to_rounding(gradient, expected)


def test_gradients_of_one_image_are_those_of_a_batch_of_one():
    generator = np.random.default_rng(10)
    d_out, x, weight = generator.normal(size=(4, 5, 3)), generator.normal(size=(3, 6, 5)), generator.normal(size=(4, 3, 2, 3))
    alone, batch = conv2d_backward(d_out, x, weight), conv2d_backward(d_out[None], x[None], weight)
    np.testing.assert_array_equal(alone[0], batch[0][0])
    np.testing.assert_array_equal(alone[1], batch[1])
    np.testing.assert_array_equal(alone[2], batch[2])


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ((np.uint8, np.uint8, np.int8), np.float64),
        ((np.float32, np.uint8, np.float32), np.float32),
        ((np.float32, np.float64, np.float32), np.float64),
        ((np.float16, np.float16, np.float16), np.float16),
    ],
)
def test_gradients_are_floats_of_the_arguments_common_type(types, expected):
    arguments = [np.full(shape, 100, dtype) for shape, dtype in zip([(1, 2, 2), (1, 3, 3), (1, 1, 2, 2)], types, strict=True)]
    d_x, d_weight, d_bias = conv2d_backward(*arguments)
    assert d_x.dtype == d_weight.dtype == d_bias.dtype == expected
    assert d_x.max() == 40000  # far beyond uint8
    assert d_weight.tolist() == [[[[40000, 40000], [40000, 40000]]]]
    assert d_bias.tolist() == [400]


def test_gradients_of_an_empty_batch_are_zero():
    d_x, d_weight, d_bias = conv2d_backward(np.ones((0, 6, 4, 4)), IMAGE[:0], KERNELS)
    assert d_x.shape == (0, 4, 6, 5)
    np.testing.assert_array_equal(d_weight, np.zeros(KERNELS.shape))
    np.testing.assert_array_equal(d_bias, np.zeros(6))


def test_gradients_are_new_and_the_arguments_left_as_they_are():
    generator = np.random.default_rng(11)
    arrays = [generator.normal(size=shape) for shape in [(2, 1, 4, 10), (2, 1, 4, 10), (1, 1, 1, 2)]]
    views = [array[..., ::-2] for array in arrays]
    copies = [view.copy() for view in views]
    for view in views:
        view.setflags(write=False)
    for gradient, expected in zip(conv2d_backward(*views), torch_gradients(*copies), strict=True):
        assert_equal_up_to_rounding(gradient, expected)
        gradient += 1
    for view, copy in zip(views, copies, strict=True):
        np.testing.assert_array_equal(view, copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_out": np.ones((2, 6, 4, 5))}, r"d_out must have the output's shape \(2, 6, 4, 4\) \(x .* weight .*\), got \(2, 6, 4, 5\)"),
        ({"d_out": np.ones((6, 4, 4))}, r"d_out must have the output's shape \(2, 6, 4, 4\) .* got \(6, 4, 4\)"),
        ({"stride": 2}, r"d_out must have the output's shape \(2, 6, 2, 2\)"),
        ({"d_out": "a"}, "d_out must hold real numbers"),
        ({"x": np.ones((6, 5))}, r"x must have shape"),
        ({"weight": np.ones((6, 3, 3, 2))}, r"weight must have shape \(6, 4, 3, 2\), got \(6, 3, 3, 2\)"),
        ({"groups": 3}, "groups=3 must divide"),
        ({"padding": -1}, "padding must be at least 0, got -1"),
    ],
)
def test_gradients_of_impossible_arguments_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        conv2d_backward(**{"d_out": np.ones((2, 6, 4, 4)), "x": IMAGE, "weight": KERNELS} | change)


# --- the transposed convolution ---


@st.composite
def transposed_problems(draw):
    """A possible transposed convolution: `(x, weight, bias or None, options)`."""
    groups, group_channels, group_outputs = draw(small), draw(small), draw(small)
    kernel, stride, dilation = (draw(st.tuples(small, small)) for _ in range(3))
    extra = tuple(draw(st.integers(0, max(steps) - 1)) for steps in zip(stride, dilation, strict=True))
    size = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    canvas = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(size, stride, dilation, kernel, extra, strict=True)]
    padding = tuple(draw(st.integers(0, min(3, (cells - 1) // 2))) for cells in canvas)
    generator, dtype = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.sampled_from(DTYPES))
    x = numbers(generator, (draw(st.integers(0, 2)), groups * group_channels, *size), dtype)
    weight = numbers(generator, (groups * group_channels, group_outputs, *kernel), dtype)
    bias = numbers(generator, groups * group_outputs, dtype) if draw(st.booleans()) else None
    return x, weight, bias, {"stride": stride, "padding": padding, "output_padding": extra, "dilation": dilation, "groups": groups}


def rest(x, weight, options):
    """The output padding that gives a convolution's input its own size back: the rows and columns that its stride left over."""
    padded = [n + 2 * p for n, p in zip(x.shape[2:], options["padding"], strict=True)]
    spans = [d * (k - 1) + 1 for d, k in zip(options["dilation"], weight.shape[2:], strict=True)]
    return tuple((p - span) % s for p, span, s in zip(padded, spans, options["stride"], strict=True))


@settings(max_examples=120)
@given(transposed_problems())
def test_transposed_convolution_equals_torch(problem):
    x, weight, bias, options = problem
    tensors = [None if array is None else torch.from_numpy(array.astype(np.float64)) for array in (x, weight, bias)]
    y = conv_transpose2d(x, weight, bias, **options)
    assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.int64)
    if len(x):
        assert_equal_up_to_rounding(y, F.conv_transpose2d(*tensors, **options).numpy())
    else:  # torch refuses some empty batches
        shape = F.conv_transpose2d(torch.zeros(1, *x.shape[1:], dtype=torch.float64), *tensors[1:], **options).shape
        assert y.shape == (0, *shape[1:])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=60)
@given(problem=problems(dtypes=(np.float64,)))
def test_transposed_convolution_is_the_adjoint_of_convolution(dtype, problem):
    x, weight, _, options = problem
    x, weight = x.astype(dtype), weight.astype(dtype)
    forward = conv2d(x, weight, **options)
    y = upstream(forward.shape, dtype)
    back = conv_transpose2d(y, weight, **options, output_padding=rest(x, weight, options))
    assert back.shape == x.shape
    products = np.abs(x * back).sum(dtype=np.float64) + 1
    assert abs(np.vdot(forward, y) - np.vdot(x, back)) < 200 * np.finfo(dtype).eps * products + 1e-4 * (dtype == np.float32)


def test_transposed_convolution_is_not_the_inverse():
    x, weight = np.arange(6.0).reshape(1, 2, 3), np.ones((1, 1, 2, 2))
    back = conv_transpose2d(conv2d(x, weight), weight)
    assert back.shape == x.shape
    assert back.tolist() == [[[8, 20, 12], [8, 20, 12]]]


def test_transposed_convolution_of_one_image_is_a_batch_of_one():
    generator = np.random.default_rng(12)
    x, weight, bias = generator.normal(size=(3, 4, 5)), generator.normal(size=(3, 2, 2, 3)), generator.normal(size=2)
    np.testing.assert_array_equal(conv_transpose2d(x, weight, bias, stride=2), conv_transpose2d(x[None], weight, bias, stride=2)[0])


def test_transposed_convolution_of_large_integers_is_exact_or_refused():
    assert conv_transpose2d(np.array([[[2**60]]]), np.array([[[[1, 2]]]]), bias=[1]).tolist() == [[[2**60 + 1, 2**61 + 1]]]
    with pytest.raises(ValueError, match="near int64's limit"):
        conv_transpose2d(np.array([[[2**60]], [[2**60]]]), np.array([[[[2]]], [[[2]]]]))
    assert conv_transpose2d(np.array([[[2**60]], [[2**60]]]), np.array([[[[3]]], [[[3]]]]), groups=2).max() == 3 * 2**60


def test_transposed_convolution_is_new_and_the_arguments_left_as_they_are():
    x, weight = np.ones((1, 1, 3, 3)), np.ones((1, 1, 1, 1))
    x.setflags(write=False)
    y = conv_transpose2d(x, weight)
    y += 1
    assert (x == 1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.ones((6, 5))}, r"x must have shape .* got \(6, 5\); one gray image becomes image\[None\]"),
        ({"weight": np.ones((3, 4, 3, 2))}, r"weight must have shape .* C_in=4 as in x \(2, 4, 6, 5\), got \(3, 4, 3, 2\)"),
        ({"weight": np.ones((4, 6, 3))}, r"weight must have shape .* got \(4, 6, 3\)"),
        ({"weight": np.ones((4, 0, 3, 3))}, r"no axis empty .* got \(4, 0, 3, 3\)"),
        ({"groups": 3}, r"groups=3 must divide the channels of x, got C_in=4 \(x \(2, 4, 6, 5\)\)"),
        ({"groups": 2, "bias": np.ones(3)}, r"bias must have shape \(6,\), .* \(4, 3, 3, 2\) with groups=2, got \(3,\)"),
        ({"output_padding": 1}, r"output_padding must be less than stride \(1, 1\) or dilation \(1, 1\), got \(1, 1\)"),
        ({"output_padding": (0, 2), "stride": (3, 2)}, r"output_padding must be less than .* got \(0, 2\)"),
        ({"output_padding": -1}, "output_padding must be at least 0, got -1"),
        ({"padding": (4, 1)}, r"padding \(4, 1\) cuts off on both sides, and leaves nothing of the 8x6 cells"),
        ({"padding": (0, 3)}, r"padding \(0, 3\) .* leaves nothing of the 8x6 cells"),
        ({"padding": "same"}, "padding must be a whole number, got 'same'"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"dilation": 0}, "dilation must be at least 1, got 0"),
    ],
)
def test_impossible_transposed_convolutions_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        conv_transpose2d(**{"x": IMAGE, "weight": np.ones((4, 3, 3, 2))} | change)


# --- part by part ---


@settings(max_examples=100)
@given(problem=problems(dtypes=(np.float64,)), at_once=st.integers(1, 2000))
def test_the_borders_of_parts_do_not_show(problem, at_once):
    x, weight, bias, options = problem
    expected = torch_conv2d(x, weight, bias, **options)
    d_out = upstream(expected.shape)
    gradients = torch_gradients(d_out, x, weight, **options)
    with mock.patch.multiple(convolution, AT_ONCE=at_once, FEWEST=1):
        assert_equal_up_to_rounding(conv2d(x, weight, bias, **options), expected)
        for gradient, expected_gradient in zip(conv2d_backward(d_out, x, weight, **options), gradients, strict=True):
            assert_equal_up_to_rounding(gradient, expected_gradient)
        back = conv_transpose2d(d_out, weight, **options, output_padding=rest(x, weight, options))
    assert_equal_up_to_rounding(back, gradients[0])  # which the transposed convolution is


@settings(max_examples=100)
@given(st.tuples(*[st.integers(1, 9)] * 6), st.integers(1, 2000))
def test_parts_hold_every_window_once_and_are_small(shape, at_once):
    windows = np.zeros(shape)
    images, _, height, width, *_ = shape
    times = np.zeros((2, images, height, width))
    with mock.patch.multiple(convolution, AT_ONCE=at_once, FEWEST=1):
        for some, rows, places in convolution._parts(windows):
            times[0, some, rows] += 1
            times[1].reshape(images, height * width)[some, places] += 1
            assert windows[some, :, rows].size <= at_once + windows[0, :, 0].size  # a row more at most: rows are not cut
    assert (times == 1).all()


# --- the parts that lessons use ---


@settings(max_examples=40)
@given(problems(dtypes=(np.float64,)))
def test_adding_windows_is_the_adjoint_of_taking_them(problem):
    x, weight, _, options = problem
    steps = options["stride"], options["dilation"]
    if any(d * (k - 1) >= n for d, k, n in zip(options["dilation"], weight.shape[2:], x.shape[2:], strict=True)):
        return  # fits only with padding
    taken = sliding_windows(x, weight.shape[2:], *steps)
    windows = upstream(taken.shape)
    added = add_windows(windows, x.shape[2:], *steps)
    assert added.shape == x.shape
    np.testing.assert_allclose(np.vdot(taken, windows), np.vdot(x, added), rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(problems(dtypes=(np.float64,)))
def test_convolution_matrix_convolves_and_its_transpose_is_torchs(problem):
    x, weight, _, options = problem
    matrix = convolution_matrix(weight, x.shape[1:], **options)
    y = torch_conv2d(x, weight, **options)
    assert matrix.shape == (np.prod(y.shape[1:]), np.prod(x.shape[1:]))
    for image, maps in zip(x, y, strict=True):
        np.testing.assert_allclose(matrix @ image.ravel(), maps.ravel(), rtol=1e-10, atol=1e-10)
        # The gradient of sum(y * maps) by x is the transposed convolution of maps.
        leaf = torch.tensor(image, requires_grad=True)
        (F.conv2d(leaf, torch.from_numpy(weight), **options) * torch.from_numpy(maps)).sum().backward()
        np.testing.assert_allclose(matrix.T @ maps.ravel(), leaf.grad.ravel(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=30)
@given(problem=problems(dtypes=(np.float64,)))
def test_the_transpose_of_the_matrix_is_the_transposed_convolution(dtype, problem):
    x, weight, _, options = problem
    x, weight = x.astype(dtype), weight.astype(dtype)
    matrix = convolution_matrix(weight, x.shape[1:], **options)
    maps = np.random.default_rng(0).normal(size=torch_conv2d(x, weight, **options).shape).astype(dtype)
    y = conv_transpose2d(maps, weight, **options, output_padding=rest(x, weight, options))
    expected = (matrix.T @ maps.reshape(len(maps), matrix.shape[0]).T).T.reshape(x.shape)
    assert y.dtype == expected.dtype == dtype
    assert_equal_up_to_rounding(y, expected)


def test_convolution_matrix_of_same_padding():
    generator = np.random.default_rng(4)
    x, weight = generator.normal(size=(1, 4, 5)), generator.normal(size=(1, 1, 3, 3))
    matrix = convolution_matrix(weight, x.shape, padding="same")
    np.testing.assert_allclose((matrix @ x.ravel()).reshape(1, 4, 5), torch_conv2d(x, weight, padding="same"))


def test_convolution_matrix_refuses_a_batch():
    with pytest.raises(ValueError, match=r"shape \(C, H, W\) with no axis empty, got \(2, 4, 6, 5\)"):
        convolution_matrix(KERNELS, IMAGE.shape)


@settings(max_examples=40)
@given(problems(dtypes=(np.float32, np.int64)))
def test_im2col_equals_torch_unfold(problem):
    x, weight, _, options = problem
    del options["groups"]
    if not len(x):  # torch.nn.functional.unfold wants an image
        return
    columns = im2col(x, weight.shape[2:], **options)
    assert columns.dtype == x.dtype
    np.testing.assert_array_equal(columns, F.unfold(torch.from_numpy(x.astype(np.float64)), weight.shape[2:], **options).numpy())


@pytest.mark.parametrize(
    ("x", "kernel_size", "message"),
    [
        (np.ones((1, 4, 4)), 2, r"x must have shape \(N, C, H, W\), got \(1, 4, 4\)"),
        (np.ones((1, 1, 4, 4)), 5, "the kernel does not fit: 5x5"),
    ],
)
def test_im2col_refuses(x, kernel_size, message):
    with pytest.raises(ValueError, match=message):
        im2col(x, kernel_size)
