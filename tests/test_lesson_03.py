"""Lesson 3: its demonstrations show what its text says of them."""

import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from lessons import Lesson, LessonTests

from course_lib import CLASSIC_KERNELS, load_mnist
from course_lib.checks import EXERCISES, check
from course_lib.figures import Picture, lesson_03

LESSON = Lesson("03_classic_kernels")
DIGIT = load_mnist("train")[0][7] / 255


class TestTheLesson(LessonTests):
    lesson = LESSON


def printed(cell):
    return LESSON.results[cell][0]


def test_untouched_demonstrations_ask_for_the_function_kindly():
    waiting = {name for name, (text, _) in LESSON.untouched.items() if "have not written yet" in text}
    waits = [
        "grid-figure",
        "frames-run",
        "frames-figure",
        "arrows-figure",
        "ten-figure",
        "design-figure",
        "two-passes-run",
        "scales-figure",
    ]
    assert waiting == set(waits)


def test_class_session_takes_no_more_than_two_hours():
    assert sum(row[3] for row in LESSON.plan() if row[0] == "in class") <= 120


def test_lesson_loads_no_torch():
    imports = LESSON.cells["set-up"].source.split("def conv2d")[0]
    code = f"{imports}\nimport sys; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_each_picture_has_a_title():
    pictures = [value for name, (_, value) in LESSON.results.items() if isinstance(value, Picture) and name != "lost-labels-run"]
    assert len(pictures) == 10
    assert all(picture.figure.get_suptitle() or picture.figure.axes[0].get_title() for picture in pictures)


# ------------------------------------------------------------------------------------------------ 1 and 2: numbers and maps


def test_sharpen_is_identity_plus_laplacian():
    np.testing.assert_array_equal(CLASSIC_KERNELS["Identity"] + CLASSIC_KERNELS["Edge (Laplacian)"], CLASSIC_KERNELS["Sharpen"])


@pytest.mark.parametrize(("row", "name"), list(enumerate(["Sharpen", "Sobel Vertical", "Emboss"])))
def test_ranges_are_reached_and_never_left(row, name):
    kernel, (low, high) = CLASSIC_KERNELS[name], EXERCISES["L3.2"].expected[row]
    for bound, window in ((low, kernel < 0), (high, kernel > 0)):
        assert scipy.signal.correlate2d(window.astype(float), kernel, mode="valid").item() == bound
    values = scipy.signal.correlate2d(np.random.default_rng(0).random((40, 40)), kernel)
    assert low <= values.min() < values.max() <= high


def test_maps_without_names_are_those_of_the_exercise():
    names = list(CLASSIC_KERNELS)
    assert [names.index(name) + 1 for name, _ in lesson_03._MIXED] == EXERCISES["L3.3"].expected
    axes = [ax for ax in LESSON.results["mixed-figure"][1].figure.axes if ax.get_title().startswith("map")]
    for ax, number in zip(axes, EXERCISES["L3.3"].expected, strict=True):
        shown = ax.images[0].get_array()
        np.testing.assert_allclose(shown, scipy.signal.correlate2d(DIGIT, CLASSIC_KERNELS[names[number - 1]], mode="same"), atol=1e-12)


def test_signed_maps_are_centered_on_zero():
    for ax in LESSON.results["grid-figure"][1].figure.axes:
        if ax.images and ax.images[0].get_array().min() < -1e-9:
            assert ax.images[0].norm.vmin == -ax.images[0].norm.vmax


# ------------------------------------------------------------------------------------------------ 3 and 4: borders, directions


def test_published_figure_padded_with_zeros():
    np.testing.assert_array_equal(LESSON.results["frames-run"][1], [[20, 80, -20], [30, 120, -30], [20, 80, -20]])


def test_zeros_make_a_frame_and_the_other_modes_do_not():
    maps = [ax.images[0].get_array() for ax in LESSON.results["frames-figure"][1].figure.axes][1:]
    at_the_border = [values[:, [0, -1]].mean() for values in maps]
    assert at_the_border[0] > 10 * max(at_the_border[1:])


@pytest.mark.parametrize(("row", "mode"), list(enumerate(["constant", "nearest", "mirror"])))
def test_slope_at_the_border(row, mode):
    slope = scipy.ndimage.correlate1d(np.array([10.0, 20, 30, 40]), [-1, 0, 1], mode=mode)
    np.testing.assert_array_equal(slope[[0, -1]], EXERCISES["L3.4"].expected[row])
    np.testing.assert_array_equal(slope[1:-1], [20, 20])


def test_figure_of_a_row_shows_where_a_stroke_begins_and_ends():
    slope = scipy.ndimage.correlate1d(DIGIT[14], [-1, 0, 1], mode="nearest")
    drawn = [bar.get_height() for bar in LESSON.results["slopes-figure"][1].figure.axes[1].patches]
    np.testing.assert_allclose(drawn, slope)
    assert slope.argmax() < slope.argmin()  # the row enters the stroke before it leaves it


def test_ramp_gives_the_names_away():
    ramp = np.tile(np.arange(5.0), (5, 1))
    down, right = (scipy.ndimage.sobel(ramp, axis)[2, 2] for axis in (0, 1))
    expected = [down, right, np.hypot(down, right), np.degrees(np.arctan2(down, right)), np.degrees(np.arctan2(right, down))]
    assert EXERCISES["L3.5"].expected == expected


def test_arrows_point_to_where_it_gets_brighter():
    assert "strength: largest 4.262 at (5, 20), sum 705.40" in printed("arrows-figure")
    assert "off by 77 degrees" in printed("arrows-figure")
    shares = [float(share) for share in re.findall(r"(\d+) % of the arrows", LESSON.results["arrows-figure"][1].alt)]
    assert shares[0] == 100
    assert shares[1] < 60


# ------------------------------------------------------------------------------------------------ 5: ten digits


@pytest.mark.parametrize("split", ["train", "test"])
def test_first_of_each_digit(split):
    labels = load_mnist(split)[1]
    first = [int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]
    assert check("8.3", first).passed == (split == "train")
    assert check("8.3", first).misconception == (None if split == "train" else "other-half")


def test_last_of_each_digit_is_named():
    labels = load_mnist("train")[1]
    last = [int(np.flatnonzero(labels == digit)[-1]) for digit in range(10)]
    assert check("8.3", last).misconception == "last-of-each"


def test_a_finer_diagonal_kernel_passes():
    assert check("8.4", [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]).passed


REPAIRS = {
    1: lambda code: _labels_first(code),
    2: lambda code: re.sub(r'\.axis\("off"\)', ".set(xticks=[], yticks=[])", code),
    3: lambda code: code.replace("fontsize=12", "fontsize=20"),
    4: lambda code: code.replace("plt.tight_layout()", ""),
}


def _labels_first(code):
    """The lines that set a label, right after the axes are made."""
    lines = code.splitlines()
    labels = [line for line in lines if "set_ylabel" in line]
    others = [line for line in lines if "set_ylabel" not in line]
    return "\n".join([others[0], *labels, *others[1:]])


def dark_pixels(code):
    counted = re.sub(r"^print\(.*, (np\.sum\(.*\))\)$", r"counted = \1", code, flags=re.MULTILINE)
    namespace = {"digit": DIGIT}
    exec("import matplotlib.pyplot as plt\nimport numpy as np\nfrom course_lib import figures", namespace)
    exec(counted, namespace)
    return int(namespace["counted"])


def test_published_labels_are_not_drawn():
    assert printed("lost-labels-run").strip().endswith(": 0")


@pytest.mark.parametrize("number", REPAIRS)
def test_one_repair_brings_the_labels_back(number):
    dark = dark_pixels(REPAIRS[number](LESSON.cells["lost-labels-run"].source))
    assert (dark > 100) == (number == EXERCISES["L3.6"].expected)
    assert dark == 0 or number == EXERCISES["L3.6"].expected


def test_rows_of_maps_keep_their_labels():
    picture = LESSON.results["ten-figure"][1]
    assert [ax.get_ylabel() for ax in picture.figure.axes if ax.get_ylabel()] == ["pixels", "edges"]
    assert all(ax.axison for ax in picture.figure.axes)


# ------------------------------------------------------------------------------------------------ 6 to 8: designs, passes, scales


def test_merely_asymmetric_kernel_answers_to_everything():
    answers = [int(word) for word in re.findall(r" (\d+)$", printed("antisymmetry-run"), flags=re.MULTILINE)]
    assert answers == [4, 4, 4, 4, 0, 4, 0, 3]


@pytest.mark.parametrize("seed", range(20))
def test_antisymmetric_kernels_are_blind_to_the_other_diagonal(seed):
    weights = np.random.default_rng(seed).normal(size=(3, 3))
    rows, columns = np.indices((9, 9))
    for offset in (-1, 0, 1):
        scene = (rows + columns > 8 + offset).astype(float)
        np.testing.assert_allclose(scipy.signal.correlate2d(scene, weights - weights.T, mode="valid"), 0, atol=1e-12)


def test_designed_kernels_do_what_was_asked():
    image = np.random.default_rng(0).random((12, 12))
    moved = scipy.signal.correlate2d(image, [[0, 0, 0], [1, 0, 0], [0, 0, 0]], mode="same")
    np.testing.assert_allclose(moved[:, 1:], image[:, :-1])
    assert check("L3.7", [[0, 0, 0], [1, 0, 0], [0, 0, 0]]).passed
    smeared = scipy.signal.correlate2d(image, np.eye(5) / 5, mode="valid")
    np.testing.assert_allclose(smeared, sum(image[n : n + 8, n : n + 8] for n in range(5)) / 5)


@pytest.mark.parametrize(
    ("where", "says"), [((0, 1), "1 pixel down."), ((2, 2), "1 pixel up and 1 pixel to the left."), ((1, 1), "where it is")]
)
def test_a_wrong_move_is_told_where_it_goes(where, says):
    kernel = np.zeros((3, 3))
    kernel[where] = 1
    assert says in check("L3.7", kernel).message


def test_separable_means_rank_one():
    eye = np.eye(5) / 5
    moved = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 0]])
    kernels = [CLASSIC_KERNELS[name] for name in ("Gaussian Blur", "Sharpen", "Edge (Laplacian)", "Sobel Horizontal", "Emboss")]
    assert [int(np.linalg.matrix_rank(kernel) == 1) for kernel in (*kernels, moved, eye)] == EXERCISES["L3.9"].expected


def test_classic_gaussian_is_nearly_a_bell():
    bell = np.exp(-(np.arange(-1, 2) ** 2) / (2 * 0.85**2))
    np.testing.assert_allclose(np.outer(bell, bell) / bell.sum() ** 2, CLASSIC_KERNELS["Gaussian Blur"], atol=1e-3)


def test_two_passes_give_the_same_map():
    assert float(re.fullmatch("largest difference: (.+)", LESSON.results["two-passes-run"][1])[1]) < 1e-14


def test_blurring_strengths_is_not_blurring_the_image():
    """What the model answer of Think 3.B says: slopes may be blurred before or after, strengths may not."""
    noise = np.random.default_rng(0).random((40, 40))
    blurred, slopes = scipy.ndimage.gaussian_filter(noise, 2), [scipy.ndimage.sobel(noise, axis) for axis in (0, 1)]
    for axis in (0, 1):
        first, last = scipy.ndimage.sobel(blurred, axis), scipy.ndimage.gaussian_filter(slopes[axis], 2)
        np.testing.assert_allclose(first[12:-12, 12:-12], last[12:-12, 12:-12], atol=1e-12)
    inside = np.hypot(*(scipy.ndimage.sobel(blurred, axis) for axis in (0, 1)))[12:-12, 12:-12]
    assert scipy.ndimage.gaussian_filter(np.hypot(*slopes), 2)[12:-12, 12:-12].min() > 2 * inside.mean()


# ------------------------------------------------------------------------------------------------ the check of angles


def test_a_wrong_angle_is_shown_with_both_slopes_named():
    verdict = check("edge_strength_and_angle", EXERCISES["edge_strength_and_angle"].misconceptions[0].answer, seed=1)
    assert "Sobel Vertical for g_x" in str(verdict)
    assert "channel" not in str(verdict)


@pytest.mark.parametrize("turns", [-360, 360, 720])
def test_whole_turns_make_no_difference_to_an_angle(turns):
    reference = EXERCISES["edge_strength_and_angle"].reference

    def turned(image):
        strength, angle = reference(image)
        return strength, angle + turns

    assert check("edge_strength_and_angle", turned, seed=1).passed


def test_an_angle_of_half_a_turn_has_two_names():
    def minus_180(image):
        strength, angle = EXERCISES["edge_strength_and_angle"].reference(image)
        return strength, np.where(angle == 180, -180, angle)

    falling = np.array([[3.0, 2, 1]] * 3)
    assert (EXERCISES["edge_strength_and_angle"].reference(falling)[1] == 180).all()
    assert check("edge_strength_and_angle", minus_180, seed=1).passed
