"""The eight classic kernels, and their descriptions."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from course_lib.kernels import CLASSIC_KERNELS, describe_kernel

NAMES = ["Identity", "Box Blur", "Gaussian Blur", "Sharpen", "Edge (Laplacian)", "Sobel Horizontal", "Sobel Vertical", "Emboss"]


def test_there_are_eight_in_the_order_of_the_lesson():
    assert list(CLASSIC_KERNELS) == NAMES
    assert all(kernel.shape == (3, 3) and kernel.dtype == np.float64 for kernel in CLASSIC_KERNELS.values())


@pytest.mark.parametrize(("name", "total"), list(zip(NAMES, [1, 1, 1, 1, 0, 0, 0, 1], strict=True)))
def test_totals(name, total):
    description = describe_kernel(CLASSIC_KERNELS[name])
    assert description.total == pytest.approx(total)
    assert (description.keeps_brightness, description.zero_sum) == (total == 1, total == 0)


def test_kernels_are_scipys():
    """An impulse through SciPy's own filters leaves their kernels."""
    impulse = np.zeros((3, 3))
    impulse[1, 1] = 1
    for axis, name in enumerate(["Sobel Horizontal", "Sobel Vertical"]):
        kernel = scipy.ndimage.sobel(impulse, axis=axis, mode="constant")
        np.testing.assert_array_equal(CLASSIC_KERNELS[name], kernel[::-1, ::-1])  # an impulse shows the kernel turned round
    np.testing.assert_array_equal(CLASSIC_KERNELS["Edge (Laplacian)"], -scipy.ndimage.laplace(impulse, mode="constant"))
    np.testing.assert_allclose(CLASSIC_KERNELS["Box Blur"], scipy.ndimage.uniform_filter(impulse, 3, mode="constant"))
    binomial = scipy.signal.convolve([1, 1], [1, 1]) / 4
    np.testing.assert_array_equal(CLASSIC_KERNELS["Gaussian Blur"], np.outer(binomial, binomial))


def test_kernels_cannot_be_changed():
    with pytest.raises(TypeError):
        CLASSIC_KERNELS["Identity"] = np.eye(3)
    for kernel in CLASSIC_KERNELS.values():
        with pytest.raises(ValueError, match="read-only"):
            kernel[0, 0] = 9


@pytest.mark.parametrize(
    ("name", "symmetric", "axis", "separable", "slope", "word"),
    [
        ("Identity", True, None, True, (0, 0), "leaves"),
        ("Box Blur", True, None, True, (0, 0), "blurs"),
        ("Gaussian Blur", True, None, True, (0, 0), "blurs"),
        ("Sharpen", True, None, False, (0, 0), "sharpens"),
        ("Edge (Laplacian)", True, None, False, (0, 0), "edges"),
        ("Sobel Horizontal", False, 0, True, (8, 0), "rises downwards"),
        ("Sobel Vertical", False, 1, True, (0, 8), "rises to the right"),
        ("Emboss", False, None, False, (6, 6), "embosses"),
    ],
)
def test_descriptions(name, symmetric, axis, separable, slope, word):
    description = describe_kernel(CLASSIC_KERNELS[name])
    assert description.symmetric == symmetric
    assert description.antisymmetric_axis == axis
    assert description.separable == separable
    assert description.slope == slope
    assert word in description.effect


@pytest.mark.parametrize(
    ("kernel", "effect"),
    [
        ([[0, 0], [0, 0]], "gives 0 everywhere"),
        ([[0, 0, 1]], "moves the image"),
        ([[1, 0], [0, 0]], "moves the image"),
        ([[0, 2, 0]], "leaves the image where it is and multiplies it by 2"),
        ([[-1]], "leaves the image where it is, and turns the image into its negative"),
        ([[1, -1]], "differentiates: it answers to brightness that rises to the left"),
        ([[1], [0], [-1]], "differentiates: it answers to brightness that rises upwards"),
        ([[2, -1, 2]], "mixes each pixel's neighborhood, some of it with the opposite sign"),
        ([[1, 1]], "blurs: each pixel becomes a weighted sum of its neighborhood"),
    ],
)
def test_effects_of_other_kernels(kernel, effect):
    assert describe_kernel(kernel).effect == effect


def test_a_description_reads_as_sentences():
    assert str(describe_kernel(CLASSIC_KERNELS["Sobel Vertical"])) == (
        "It differentiates: it answers to brightness that rises to the right. Its numbers add up to 0 (flat regions become 0), "
        "it is not the same after half a turn (flipping it matters) and separable."
    )
    assert "(changes the brightness)" in str(describe_kernel([[1, 1]]))


kernels = arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(-2, 2))


@settings(max_examples=80)
@given(kernels, st.sampled_from([1e-6, 1 / 9, 1.0, 1e6]))
def test_properties_hold_on_images(kernel, scale):
    """Flat, rising and random images show what the description says, for a kernel of any size and scale."""
    description = describe_kernel(kernel * scale)
    height, width = kernel.shape
    rows, columns = np.indices((height, width), dtype=float)
    assert description.total / scale == pytest.approx((kernel * np.ones((height, width))).sum(), abs=1e-6)
    for axis, ramp in enumerate((rows - (height - 1) / 2, columns - (width - 1) / 2)):
        assert description.slope[axis] / scale == pytest.approx(scipy.signal.correlate2d(ramp, kernel, mode="valid").item(), abs=1e-6)
    image = np.random.default_rng(0).integers(0, 100, (9, 9))
    correlated, convolved = scipy.signal.correlate2d(image, kernel, mode="valid"), scipy.signal.convolve2d(image, kernel, mode="valid")
    assert description.symmetric == np.array_equal(correlated, convolved)
    negated = [np.array_equal(np.flip(kernel, axis), -kernel) for axis in (0, 1)]
    assert description.antisymmetric_axis == (None if negated[0] == negated[1] else negated.index(True))
    minors = [np.linalg.det(kernel[np.ix_(r, c)]) for r in pairs(height) for c in pairs(width)]
    assert description.separable == (kernel.any() and np.allclose(minors, 0))


def pairs(size):
    return [(a, b) for a in range(size) for b in range(a + 1, size)]


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.ones(3), r"shape \(kH, kW\) with no axis empty, got \(3,\)"),
        (np.ones((1, 1, 3, 3)), r"got \(1, 1, 3, 3\)"),
        (np.ones((0, 3)), r"got \(0, 3\)"),
        ([[1, 2], [3]], "a 2-D array of numbers, got"),
        ([["a"]], "a 2-D array of numbers, got"),
        ([[1, np.nan]], "finite numbers"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel, message):
    with pytest.raises(ValueError, match=message):
        describe_kernel(kernel)
