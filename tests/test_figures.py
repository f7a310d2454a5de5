"""Figures: they show what the library computes, say in words what they show, and take what is not square."""

import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from PIL import Image

from course_lib import figures

IMAGE = np.array([[2, 0, 1, 3, 1], [1, -4, 0, 2, 2], [0, 1, 5, 1, 0]])
KERNEL = np.array([[1, -1], [0, 2.5]])
DIGIT = np.linspace(-1, 1, 7 * 9).reshape(7, 9) ** 2

PICTURES = {
    "show_grid": lambda: figures.show_grid(IMAGE, mark=IMAGE > 1, title="an image"),
    "show_grids": lambda: figures.show_grids([IMAGE, KERNEL], ["image", "kernel"], symbols=["*"], title="two", foot="words"),
    "show_grid of words": lambda: figures.show_grid([["a", "b", "c"]], title="letters"),
    "show_window": lambda: figures.show_window(IMAGE, KERNEL, at=(1, 3)),
    "show_window padded": lambda: figures.show_window(IMAGE, KERNEL, at=(1, 0), padding=2, stride=3),
    "show_padding": lambda: figures.show_padding(IMAGE, padding=2),
    "coverage_map": lambda: figures.coverage_map(4, 6, 3, padding=1),
    "show_flatten": lambda: figures.show_flatten((2, 7), [(0, 6), (1, 0)]),
    "show_stride_positions": lambda: figures.show_stride_positions(6, 3, stride=2, padding=1),
    "show_shared_weights": lambda: figures.show_shared_weights(6, 2),
    "show_weight_matrix": lambda: figures.show_weight_matrix((2, 3), (3, 5)),
    "show_images": lambda: figures.show_images([DIGIT, DIGIT[:, :4]], ["one", "two"], alt="Two gradients."),
    "show_feature_maps": lambda: figures.show_feature_maps(DIGIT, [np.eye(2), -np.eye(2)], ["plus", "minus"]),
    "show_equivariance": lambda: figures.show_equivariance(np.pad(DIGIT, 4), KERNEL, (1, -2)),
}


@pytest.fixture(scope="module")
def pictures():
    return {name: make() for name, make in PICTURES.items()}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_itself_with_words(name, pictures):
    shown = pictures[name]._repr_html_()
    alt = re.search(r'<img alt="([^"]*)"', shown)[1]
    assert len(alt) > 10
    assert 'src="data:image/png;base64,' in shown
    assert repr(pictures[name]) == f"Figure: {pictures[name].alt}"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_and_has_a_title(name, pictures):
    picture = pictures[name]
    pixels = np.asarray(Image.open(io.BytesIO(picture.png(dpi=50))).convert("L"))
    assert (pixels < 128).sum() > 30
    axes = picture.figure.axes
    assert any(ax.get_title() or ax.get_title("left") for ax in axes) or any(text.get_text() for text in picture.figure.texts)


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_written_leaves_the_canvas(name, pictures):
    figure = pictures[name].figure
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    texts = [*figure.texts, *(text for ax in figure.axes for text in (*ax.texts, ax.title, ax._left_title))]
    for text in texts:
        if text.get_text().strip():
            box = text.get_window_extent()
            assert box.x0 >= -12, text
            assert box.y0 >= -12, text
            assert box.x1 <= width + 12, text
            assert box.y1 <= height + 12, text


def test_no_figure_stays_open(pictures):
    assert plt.get_fignums() == []


# ------------------------------------------------------------------------------------------------ right numbers


def written(ax):
    """What stands in the cells of a drawn matrix, in reading order."""
    return [text.get_text().replace("\N{MINUS SIGN}", "-") for text in ax.texts]


@pytest.mark.parametrize(("padding", "stride"), [(0, 1), (1, 1), (2, 3), (1, 2)])
def test_the_sum_shown_is_torchs(padding, stride):
    image, kernel = (torch.as_tensor(a, dtype=torch.double)[None, None] for a in (IMAGE, KERNEL))
    expected = F.conv2d(image, kernel, padding=padding, stride=stride)[0, 0].numpy()
    for at in np.ndindex(*expected.shape):
        picture = figures.show_window(IMAGE, KERNEL, at=at, padding=padding, stride=stride)
        shown = re.search(r"add up to (\S+)\.$", picture.alt)[1]
        assert float(shown.replace("\N{MINUS SIGN}", "-")) == pytest.approx(float(expected[at]))
        texts = [text.get_text() for text in picture.figure.texts]
        heading = next(text for text in texts if text.startswith("output["))
        assert heading.split(" = ")[0] == f"output[{at[0]}, {at[1]}]"
        assert float(heading.split(" = ")[1].replace("\N{MINUS SIGN}", "-")) == pytest.approx(float(expected[at]))
        products = [float(number) for number in written(picture.figure.axes[2])]
        assert sum(products) == pytest.approx(float(expected[at]))


@pytest.mark.parametrize("at", [(2, 0), (0, 4), (-1, 0), (0, -1)])
def test_a_place_outside_the_output_is_refused(at):
    with pytest.raises(ValueError, match="2 rows and 4 columns"):
        figures.show_window(IMAGE, KERNEL, at=at)


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        figures.show_window(KERNEL, IMAGE)


@pytest.mark.parametrize("bad", [[1, 2, 3], np.zeros((0, 3)), np.zeros((1, 2, 3))])
def test_what_is_no_matrix_is_refused(bad):
    with pytest.raises(ValueError, match="must be a matrix"):
        figures.show_grid(bad)


@pytest.mark.parametrize(
    ("height", "width", "kernel", "padding", "stride"), [(5, 5, 3, 0, 1), (4, 6, 3, 1, 1), (5, 6, 3, 0, 2), (3, 7, 2, 2, 3)]
)
def test_window_counts_are_the_gradient_of_a_sum(height, width, kernel, padding, stride):
    image = torch.zeros(1, 1, height, width, requires_grad=True)
    F.conv2d(image, torch.ones(1, 1, kernel, kernel), padding=padding, stride=stride).sum().backward()
    counts = figures.window_counts(height, width, kernel, padding, stride)
    assert np.array_equal(counts, image.grad[0, 0].numpy())
    assert written(figures.coverage_map(height, width, kernel, padding, stride).figure.axes[0]) == [str(n) for n in counts.ravel()]


def test_the_padded_image_is_torchs():
    expected = F.pad(torch.as_tensor(IMAGE), (2, 2, 2, 2)).numpy()
    assert [int(text) for text in written(figures.show_padding(IMAGE, 2).figure.axes[0])] == expected.ravel().tolist()


def test_the_weight_matrix_does_what_the_convolution_does():
    shape, kernel = (3, 5), np.arange(1, 7).reshape(2, 3)
    letters = written(figures.show_weight_matrix(kernel.shape, shape).figure.axes[1])[: 2 * 3 * 15]
    matrix = np.array([kernel.ravel()["abcdef".index(letter)] if letter else 0 for letter in letters]).reshape(6, 15)
    assert np.array_equal((matrix @ IMAGE.ravel()).reshape(2, 3), scipy.signal.correlate2d(IMAGE, kernel, mode="valid"))


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), [(7, 3, 1, 0), (6, 3, 2, 0), (5, 3, 2, 1), (9, 4, 3, 2)])
def test_positions_start_where_unfold_takes_its_windows(size, kernel, stride, padding):
    line = F.pad(torch.arange(size), (padding, padding), value=-1)
    starts = torch.arange(-padding, size + padding).unfold(0, kernel, stride)[:, 0].tolist()
    alt = figures.show_stride_positions(size, kernel, stride, padding).alt
    assert f"{len(line.unfold(0, kernel, stride))} window" in alt
    assert f"starting at {', '.join(map(str, starts))}." in alt


def test_flattening_is_numpys():
    alt = figures.show_flatten((4, 6), [(1, 2), (3, 5)]).alt
    assert f"pixel (1, 2) at index {np.ravel_multi_index((1, 2), (4, 6))}" in alt
    assert f"pixel (3, 5) at index {np.ravel_multi_index((3, 5), (4, 6))}" in alt


def test_shared_weights_draw_every_connection():
    dense, shared = figures.show_shared_weights(5, 3).figure.axes
    assert len(dense.lines) == 15
    assert len(shared.lines) == 9
    styles = [(line.get_color(), line.get_linestyle()) for line in shared.lines]
    assert len(set(styles)) == 3
    assert len({style for _, style in styles}) == 3  # told apart without color
    ends = {tuple(line.get_ydata()) for line in shared.lines}
    assert ends == {(o + m, o + 1) for o in range(3) for m in range(3)}


def test_feature_maps_are_scipys_and_centered_on_zero():
    kernels = [np.array([[1, 2], [3, -4]]), np.array([[0, 1], [0, -1]])]
    axes = [ax for ax in figures.show_feature_maps(DIGIT, kernels, ["a", "b"]).figure.axes if ax.images and "feature map" in ax.get_title()]
    assert len(axes) == 2
    for ax, kernel in zip(axes, kernels, strict=True):
        shown = ax.images[0]
        assert np.allclose(shown.get_array(), scipy.signal.correlate2d(DIGIT, kernel, mode="valid"))
        low, high = shown.get_clim()
        assert low == -high
        assert shown.get_cmap().name == figures.SIGNED


def test_the_signed_scale_keeps_its_order_in_grayscale():
    red, green, blue = plt.get_cmap(figures.SIGNED)(np.linspace(0, 1, 64))[:, :3].T
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(lightness) > 0).all()


def test_equivariance_says_whether_the_map_moved_along():
    inside, cut = np.pad(DIGIT, 4), DIGIT
    assert "which is the upper one moved by the same amount" in figures.show_equivariance(inside, KERNEL, (-2, 3)).alt
    assert "not everywhere" in figures.show_equivariance(cut, KERNEL, (-2, 3)).alt


@pytest.mark.parametrize("shift", [(0, 0), (2, 1), (-1, 3), (1, -2), (-3, -3)])
def test_moving_rolls_and_fills_with_zeros(shift):
    moved = figures.moved_by(IMAGE, shift)
    padded = np.pad(IMAGE, 5)
    assert np.array_equal(moved, np.roll(padded, shift, axis=(0, 1))[5:-5, 5:-5])


def test_text_is_readable_on_marked_and_shaded_cells():
    """Contrast of at least 4.5 to 1 (WCAG AA) of the ink on every fill that cells have."""

    def luminance(color):
        rgb = np.array(plt.matplotlib.colors.to_rgb(color))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    darkest = (1 - 0.45,) * 3
    for fill in ("white", figures.MARK_FILL, darkest):
        assert (luminance(fill) + 0.05) / (luminance(figures.INK) + 0.05) >= 4.5
