"""`conv2d` against torch.nn.functional.conv2d, over what its contract allows; and the errors for what it does not."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.convolution import METHODS, conv2d, convolution_matrix, im2col

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


@settings(max_examples=120, deadline=None)
@given(problems())
def test_every_method_equals_torch(problem):
    x, weight, bias, options = problem
    expected = torch_conv2d(x, weight, bias, **options)
    for method in METHODS:
        y = conv2d(x, weight, bias, **options, method=method)
        assert y.dtype == (x.dtype if x.dtype.kind == "f" else np.int64), method
        assert_equal_up_to_rounding(y, expected)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's own, about speed
@settings(max_examples=40, deadline=None)
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


@settings(max_examples=60, deadline=None)
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
@settings(max_examples=15, deadline=None)
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


# --- the parts that lessons use ---


@settings(max_examples=40, deadline=None)
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


def test_convolution_matrix_of_same_padding():
    generator = np.random.default_rng(4)
    x, weight = generator.normal(size=(1, 4, 5)), generator.normal(size=(1, 1, 3, 3))
    matrix = convolution_matrix(weight, x.shape, padding="same")
    np.testing.assert_allclose((matrix @ x.ravel()).reshape(1, 4, 5), torch_conv2d(x, weight, padding="same"))


def test_convolution_matrix_refuses_a_batch():
    with pytest.raises(ValueError, match=r"shape \(C, H, W\) with no axis empty, got \(2, 4, 6, 5\)"):
        convolution_matrix(KERNELS, IMAGE.shape)


@settings(max_examples=40, deadline=None)
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
