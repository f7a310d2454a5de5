"""Receptive field, equivariance and look inside: their arithmetic against torch and scipy, then moved in a real JupyterLab."""

import json
import re
import subprocess
import sys
import threading

import nbformat
import numpy as np
import pytest
import real_lab
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import expect
from scipy import ndimage
from test_lab import browser, page  # noqa: F401 (fixtures)
from torch import nn

from course_lib import check, explorers
from course_lib.data import load_mnist
from course_lib.explorers import network
from course_lib.explorers.equivariance import SIZE as SIDE
from course_lib.explorers.equivariance import Equivariance, compare, inside, largest, view
from course_lib.explorers.look_inside import LookInside, middle_of, mosaic, stroke
from course_lib.explorers.receptive_field import STACKS, Layer, ReceptiveField, jumps, map_sizes, paths, span, working
from course_lib.kernels import CLASSIC_KERNELS
from course_lib.models import MLP, LeNet5
from course_lib.training import as_input, evaluate
from course_lib.workspace import ROOT


def text_of(shown):
    return re.sub(r"<[^>]+>", " ", shown)


def said(explorer):
    """What the page reads out."""
    (found,) = re.findall(r"role='status'>(.*?)</p>", explorer.page(live=True))
    return found


# ------------------------------------------------------------------------------------------------ all three

MADE = {
    "receptive_field": explorers.receptive_field,
    "equivariance": explorers.equivariance,
    "look_inside": explorers.look_inside,
}
BY_NAME = pytest.mark.parametrize("make", MADE.values(), ids=MADE)


@BY_NAME
def test_a_notebook_gets_a_widget_and_every_other_reader_a_page(make):
    bundle = make()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert "data-do" not in bundle["text/html"]  # nothing that does nothing when it is clicked
    assert "<script" not in bundle["text/html"]


@BY_NAME
@pytest.mark.parametrize("setting", ["NBGRADER_EXECUTION", "COURSE_LIBRARY"])
def test_it_is_plain_text_while_a_notebook_is_graded(make, setting, monkeypatch):
    monkeypatch.setenv(setting, "autograde")
    explorer = make()
    assert explorer._repr_mimebundle_() == {"text/plain": str(explorer)}
    assert len(str(explorer)) > 60


@BY_NAME
def test_what_can_be_moved_has_a_label(make):
    shown = make().page(live=True)
    for control in re.findall(r"<(?:select|input)[^>]*>", shown):
        before = shown[: shown.index(control)]
        assert before.rindex("<label") > before.rindex("</label>") if "</label>" in before else "<label" in before
    assert all("aria-label" in surface for surface in re.findall(r"<[^>]*data-paint[^>]*>", shown))


def test_torch_is_not_needed():
    code = (
        "import sys; from course_lib import explorers\n"
        "for make in (explorers.receptive_field, explorers.equivariance, explorers.look_inside): make().page(live=True)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.stdout.strip() == "False", done.stderr


# ------------------------------------------------------------------------------------------------ receptive field


def torch_stack(layers, x):
    """Convolutions of ones, along one axis: the derivative of a value by a pixel counts the ways between them."""
    for layer in layers:
        ones = torch.ones(1, 1, layer.kernel, dtype=x.dtype)
        x = F.conv1d(x, ones, stride=layer.stride, padding=layer.padding, dilation=layer.dilation)
    return x


LAYERS = st.lists(st.builds(Layer, st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=4)


def fits(layers):
    size = 64
    for layer in layers:
        size = (size + 2 * layer.padding - layer.dilation * (layer.kernel - 1) - 1) // layer.stride + 1
        if size < 1:
            return False
    return True


@settings(max_examples=60)
@given(LAYERS.filter(fits), st.integers(0, 10**6))
def test_ways_to_each_pixel_are_the_derivatives_of_torch(layers, choice):
    pixels = torch.ones(1, 1, 64, dtype=torch.float64, requires_grad=True)
    output = torch_stack(layers, pixels)[0, 0]
    sizes = map_sizes(layers, 64)
    assert sizes[-1] == len(output)
    index = choice % len(output)
    output[index].backward()
    margin = layers[0].padding
    found = paths(layers, sizes, index)
    np.testing.assert_array_equal(found[0][margin : margin + 64], pixels.grad[0, 0].numpy())
    assert [len(level) for level in found] == [n + 2 * layer.padding for n, layer in zip(sizes, layers, strict=False)] + [sizes[-1]]


@pytest.mark.parametrize("name", STACKS)
def test_field_step_and_working_are_those_that_torch_finds(name):
    layers = [Layer(*layer) for layer in STACKS[name]]
    pixels = torch.ones(1, 1, 99, dtype=torch.float64, requires_grad=True)
    output = torch_stack(layers, pixels)[0, 0]
    seen = []
    for index in (len(output) // 2, len(output) // 2 + 1):  # away from the border
        (gradient,) = torch.autograd.grad(output[index], pixels, retain_graph=True)
        seen.append(np.flatnonzero(gradient[0, 0].numpy()))
    assert span(layers) == seen[0][-1] - seen[0][0] + 1
    assert jumps(layers)[-1] == seen[1][0] - seen[0][0]
    left, right = working(layers).replace("·", "*").split("=")
    assert eval(left) == int(right) == span(layers)


def test_it_says_which_pixels_a_value_sees():
    explorer = ReceptiveField()
    explorer.receive("pick-4", json.dumps({"points": [[0.5, 0.5], [1.2, 3.9]], "start": True}))
    pixels = torch.zeros(1, 1, 28, 28, requires_grad=True)
    stack = nn.Sequential(nn.Conv2d(1, 1, 3), nn.AvgPool2d(2), nn.Conv2d(1, 1, 3), nn.AvgPool2d(2))
    stack(pixels)[0, 0, 1, 3].backward()
    rows, columns = (np.flatnonzero((pixels.grad[0, 0] != 0).any(dim=axis).numpy()) for axis in (1, 0))
    expected = f"rows {rows[0]} to {rows[-1]}, columns {columns[0]} to {columns[-1]}."
    assert said(explorer) == f"Row 1, column 3 of pooling 2 sees {len(rows)}×{len(columns)} pixels of 28×28: {expected}"


def test_arrow_keys_move_the_chosen_value_and_stop_at_the_border():
    explorer = ReceptiveField([(3, 1)])
    explorer.receive("pick-1", json.dumps({"points": [[0.1, 24.9]], "start": True}))
    for key, place in [("ArrowUp", "Row 0, column 24"), ("ArrowRight", "Row 0, column 25"), ("ArrowRight", "Row 0, column 25")]:
        explorer.receive("move-1", key)
        assert said(explorer).startswith(place)


def test_a_layer_that_does_not_fit_is_refused_and_nothing_changes():
    explorer = ReceptiveField([(7, 4), (5, 1)])
    explorer.receive("layer-1-kernel", "6")
    explorer.receive("layer-0-dilation", "4")
    assert said(explorer).startswith("That does not fit: a kernel of 6")
    assert explorer.layers == [Layer(7, 4), Layer(6)]
    explorer.receive("layer-1-kernel", "2")
    assert "does not fit" not in said(explorer)


def test_layers_come_and_go():
    explorer = ReceptiveField([(3, 1)])
    explorer.receive("add", "pooling")
    explorer.receive("add", "convolution")
    assert explorer.layers == [Layer(3), Layer(2, 2), Layer(3)]
    explorer.receive("remove", "")
    explorer.receive("stack", "dilations 1, 2 and 4")
    assert [layer.dilation for layer in explorer.layers] == [1, 2, 4]


def right_field(layers):
    field, jump = 1, 1
    for kernel, stride in layers:
        field, jump = field + (kernel - 1) * jump, jump * stride
    return field


def unfinished(*_args):
    raise NotImplementedError


def broken(*_args):
    raise ValueError("no such thing")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (right_field, "gives 10, too"),
        (lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers), "gives 7; the picture shows 10"),
        (lambda layers: np.arange(3), "gives an array of shape (3,)"),
        (unfinished, "is not done yet"),
        (broken, "raised ValueError: no such thing"),
    ],
)
def test_a_students_receptive_field_is_asked(function, told):
    shown = text_of(explorers.receptive_field(function=function).page(live=True))
    assert told in shown
    assert "using your" in shown
    assert "sees 10×10 pixels" in shown


def test_a_students_receptive_field_gets_a_dilated_kernel_as_wide_as_it_reaches():
    shown = text_of(explorers.receptive_field([(3, 1, 1), (3, 1, 2), (3, 1, 4)], right_field).page(live=True))
    assert f"gives {1 + 2 + 4 + 8}, too" in shown


@pytest.mark.parametrize("layers", [[], [3], [(3,) * 5], [(0, 1)], [(3, "x")], [(3, 1)] * 7, [(29, 1)], [(7, 4), (7, 4)]])
def test_other_layers_are_refused(layers):
    with pytest.raises(ValueError, match=r"layers must be|must lie|does not fit"):
        explorers.receptive_field(layers)


# ------------------------------------------------------------------------------------------------ equivariance


def torch_map(pixels, kernel, stride, padded, pool):
    x = torch.from_numpy(pixels)[None, None]
    x = F.conv2d(x, torch.from_numpy(CLASSIC_KERNELS[kernel].copy())[None, None], stride=stride, padding=int(padded))
    x = {"none": lambda y: y, "max": lambda y: F.max_pool2d(y, 2), "average": lambda y: F.avg_pool2d(y, 2)}[pool](x)
    return x[0, 0].numpy()


def set_up(pool="none", stride=1, padded=False, down=1, right=1, **functions):
    explorer = Equivariance(**functions)
    for name, value in {"pool": pool, "stride": stride, "padded": "on" if padded else "off", "down": down, "right": right}.items():
        explorer.receive(name, str(value))
    return explorer


@pytest.mark.parametrize("pool", ["none", "max", "average"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_maps_are_those_of_torch(pool, stride, padded):
    from course_lib.explorers.equivariance import _world

    explorer = set_up(pool, stride, padded, down=2, right=5)
    y, moved, trouble = explorer.maps()
    assert trouble == ""
    for found, move in ((y, (0, 0)), (moved, (2, 5))):
        pixels = np.ascontiguousarray(view(_world("the photograph"), *move))
        np.testing.assert_allclose(found, torch_map(pixels, "Sobel Vertical", stride, padded, pool), atol=1e-12)


@pytest.mark.parametrize(
    ("setting", "same"),
    [
        ({}, True),
        ({"down": 3, "right": 0}, True),
        ({"pool": "max"}, False),
        ({"pool": "max", "down": 2, "right": 4}, True),
        ({"stride": 2, "pool": "average", "down": 2, "right": 2}, False),
        ({"stride": 2, "pool": "average", "down": 4, "right": 4}, True),
        ({"stride": 3, "down": 6, "right": 3}, True),
        ({"padded": True}, False),
    ],
)
def test_convolving_and_moving_swap_for_whole_steps_and_without_a_border(setting, same):
    told = said(set_up(**setting))
    assert told.startswith("No difference") == same
    assert told.startswith("They differ") != same


def test_what_padding_breaks_is_at_the_border_only():
    explorer = set_up(padded=True)
    assert "at the border" in text_of(explorer.page(live=True))
    explorer.receive("trimmed", "on")
    assert said(explorer).startswith("No difference")


def test_the_largest_difference_is_that_of_scipys_shift():
    rng = np.random.default_rng(0)
    y, moved = rng.normal(size=(2, 9, 12))
    places, difference = compare(y, moved, 4, 6, 2)
    assert places == (2, 3)
    apart = np.abs(moved - ndimage.shift(y, (2, 3), order=0, cval=np.nan))
    assert largest(difference) == pytest.approx(np.nanmax(apart))
    np.testing.assert_array_equal(np.isnan(difference), np.isnan(apart))


def test_between_two_steps_the_nearest_move_that_fits_best_counts():
    y = np.add.outer(np.arange(6.0), np.zeros(6))
    assert compare(y, y, 1, 0, 2)[0] == (0, 0)
    assert compare(y, ndimage.shift(y, (1, 0), order=0), 1, 0, 2)[0] == (1, 0)


@pytest.mark.parametrize(("stride", "pooled"), [(1, False), (2, False), (3, True), (2, True)])
def test_a_value_is_inside_when_torch_finds_no_padding_under_it(stride, pooled):
    ones = torch.ones(1, 1, SIDE)
    covered = F.conv1d(ones, torch.ones(1, 1, 3), stride=stride, padding=1) == 3
    if pooled:
        covered = F.avg_pool1d(covered.float(), 2) == 1
    step, reach = stride * (2 if pooled else 1), 3 + stride * pooled
    np.testing.assert_array_equal(inside(covered.shape[-1], SIDE, step, reach, 1), covered[0, 0].numpy())


def flipped(image, kernel):
    return ndimage.convolve(image, kernel)[1:-1, 1:-1]


@pytest.mark.parametrize(
    ("functions", "told"),
    [
        ({"conv2d": lambda image, kernel: ndimage.correlate(image, kernel)[1:-1, 1:-1]}, "No difference"),
        ({"conv2d": flipped}, "your flipped gives"),
        ({"conv2d": unfinished}, "not done yet"),
        ({"conv2d": broken}, "raised ValueError"),
        ({"max_pool2d": lambda x, size, stride: F.max_pool2d(torch.from_numpy(x), size, stride), "pool": "max"}, "They differ"),
        ({"max_pool2d": lambda x, size, stride: F.avg_pool2d(torch.from_numpy(x), size, stride), "pool": "max"}, "gives other numbers"),
        ({"max_pool2d": lambda x, size, stride: x, "pool": "max"}, "gave shape (1, 1, 26, 26)"),
        ({"max_pool2d": unfinished, "pool": "max"}, "not done yet"),
    ],
)
def test_a_students_functions_are_used(functions, told):
    shown = text_of(set_up(**functions).page(live=True))
    assert "using your" in shown or "and your" in shown
    assert told in shown


def test_a_function_that_never_ends_is_stopped_in_the_thread_of_a_widget(monkeypatch):
    def endless(layers):
        while True:
            pass

    monkeypatch.setattr("course_lib.explorers.asking.SECONDS", 0.2)
    shown = []
    thread = threading.Thread(target=lambda: shown.append(explorers.receptive_field(function=endless).page(live=True)), daemon=True)
    thread.start()
    thread.join(timeout=60)
    assert "Your endless did not finish" in text_of(shown[0])


# ------------------------------------------------------------------------------------------------ look inside


@pytest.fixture(scope="module")
def shipped():
    """The shipped weights in a network of torch's."""
    convolutions = nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 10))
    with np.load(network.WEIGHTS, allow_pickle=False) as stored:
        model.load_state_dict({name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files})
    return model.eval()


def test_the_shipped_network_is_no_answer_to_an_exercise(shipped):
    sizes = sorted(value.numel() for value in shipped.parameters())
    assert sizes != sorted(value.numel() for value in LeNet5().parameters())
    assert not check("trained_lenet", shipped).score


def test_the_shipped_network_is_small_and_right_on_99_of_100_test_digits(shipped):
    assert network.WEIGHTS.stat().st_size < 300_000
    assert evaluate(shipped, *load_mnist("test")) == pytest.approx(0.9921, abs=0.0005)


def test_numpy_computes_what_torch_computes_layer_by_layer(shipped):
    images = load_mnist("test")[0][:50]
    numpys, torchs = network.stages(network.load_network(), images), network.stages(shipped, images)
    names = ["convolution 1", "pooling 1", "convolution 2", "pooling 2", "dense 1", "scores"]
    assert [name for name, _ in numpys] == [name for name, _ in torchs] == names
    for (_, ours), (_, expected) in zip(numpys, torchs, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        first = torch.relu(shipped[0](as_input(images)))
    np.testing.assert_allclose(numpys[0][1], first.numpy(), rtol=1e-4, atol=1e-4)
    chances = network.probabilities(numpys[-1][1])
    np.testing.assert_allclose(chances, torch.from_numpy(torchs[-1][1]).double().softmax(1).numpy(), atol=1e-5)


def test_a_network_of_torchs_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.9), nn.Flatten(), nn.Linear(2 * 26 * 26, 10)).train()
    found = [network.stages(model, load_mnist("test")[0][:1])[-1][1] for _ in range(2)]
    np.testing.assert_array_equal(*found)  # without dropout
    assert all(module.training and not module._forward_hooks for module in model.modules())


def test_a_students_network_is_used():
    torch.manual_seed(0)
    model = MLP()
    explorer = explorers.look_inside(model)
    with torch.no_grad():
        chances = model(as_input(load_mnist("test")[0][:1])).softmax(1)[0]
    assert f"The network says {int(chances.argmax())}, with a probability of {float(chances.max()):.0%}." in said(explorer)
    assert "using your network" in text_of(explorer.page(live=True))


@pytest.mark.parametrize("model", [nn.Linear(5, 10), nn.Sequential(nn.Flatten(), nn.Linear(784, 7))])
def test_a_network_that_does_not_fit_is_replaced_and_told_of(model):
    explorer = explorers.look_inside(model)
    assert "Your network has a problem, so this is the library’s." in text_of(explorer.page(live=True))
    assert said(explorer).startswith("The network says 7")


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match="trained network"):
        explorers.look_inside("lenet")


def test_a_stroke_is_as_dark_as_it_is_near():
    paper = np.zeros((12, 15))
    start, end = np.array([2.3, 3.1]), np.array([9.0, 11.6])
    stroke(paper, start, end)
    along = start + np.linspace(0, 1, 2001)[:, None] * (end - start)
    centers = np.indices(paper.shape).reshape(2, -1).T + 0.5
    distance = np.linalg.norm(centers[:, None] - along, axis=2).min(axis=1).reshape(paper.shape)
    np.testing.assert_allclose(paper, np.clip(1.7 - distance, 0, 1), atol=0.01)


def test_the_middle_is_scipys_center_of_mass():
    ink = np.random.default_rng(0).random((9, 14))
    assert middle_of(ink) == pytest.approx(ndimage.center_of_mass(ink))


def test_a_mosaic_shows_every_map_once():
    maps = np.arange(1, 11.0)[:, None, None] / 10 * np.ones((10, 3, 4))
    sheet = mosaic(maps)
    assert sheet.shape == (2 * 4 - 1, 8 * 5 - 1)
    for number, value in enumerate(np.arange(1, 11) / 10):
        assert sheet[number // 8 * 4, number % 8 * 5] == value
    assert (sheet[3] == 0.35).all()


def draw(explorer, *points):
    explorer.receive("draw", json.dumps({"points": points, "start": True}))


def test_a_drawn_one_is_a_one_wherever_it_is_put_in_the_middle():
    explorer = LookInside()
    draw(explorer, (5, 14), (23, 14))
    assert said(explorer).startswith("The network says 1, ")
    in_the_middle = explorer.pixels()
    explorer.receive("clear", "")
    draw(explorer, (9, 3), (27, 3))
    explorer.receive("center", "")
    np.testing.assert_array_equal(explorer.pixels(), in_the_middle)
    assert said(explorer).startswith("The network says 1, ")
    assert "Before that it said" in said(explorer)


def test_the_keyboard_draws_what_the_pointer_draws():
    pointer, keys = LookInside(), LookInside()
    draw(pointer, (14.5, 14.5), (14.5, 15.5), (15.5, 15.5))
    for key in (" ", "ArrowRight", "ArrowDown", " ", "ArrowLeft"):  # lifted, the pen draws nothing
        keys.receive("key", key)
    np.testing.assert_array_equal(keys.pixels(), pointer.pixels())
    assert "Pen up at row 15, column 14." in said(keys)
    keys.receive("key", "Delete")
    assert said(keys).startswith("Nothing is drawn yet.")


def test_moving_is_torchs_roll_and_comes_back():
    explorer = LookInside()
    digit = load_mnist("test")[0][0]
    for way in ("up", "up", "right"):
        explorer.receive("move", way)
    np.testing.assert_array_equal(explorer.pixels(), torch.roll(torch.from_numpy(digit.copy()), (-2, 1), (0, 1)).numpy())
    assert "Moved 2 up, 1 right. Before that it said 7, over 99%." in said(explorer)
    for way in ("down", "down", "left"):
        explorer.receive("move", way)
    np.testing.assert_array_equal(explorer.pixels(), digit)


def test_the_film_shows_an_answer_that_changes():
    told = re.findall(
        r"The network says (\d), with a probability of [^.]+\. Moved 4 down, 4 right\. Before that it said (\d)", LookInside().still()
    )
    ((now, before),) = told
    assert now != before == str(load_mnist("test")[1][4])


def test_the_answer_changes_when_the_digit_moves_far():
    explorer = LookInside()
    for _ in range(9):
        explorer.receive("move", "right")
    with torch.no_grad():
        moved = torch.roll(torch.from_numpy(load_mnist("test")[0][:1].copy()), 9, 2)
        moved[..., :9] = 0
    expected = network.stages(network.load_network(), moved.numpy())[-1][1].argmax()
    assert said(explorer).startswith(f"The network says {expected}, ")


# ------------------------------------------------------------------------------------------------ in a real JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    work, jupyter = tmp_path_factory.mktemp("student") / "work", tmp_path_factory.mktemp("jupyter")
    folder = work / "notebooks" / "explorers"
    folder.mkdir(parents=True)
    cells = [f"from course_lib import explorers\nexplorers.{name}()" for name in MADE]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nbformat.write(notebook, folder / "explorers.ipynb")
    with real_lab.started(jupyter, "--work", work) as lab:
        yield lab


@pytest.fixture
def shown(lab, page):  # noqa: F811 (a fixture)
    """The three explorers, each in its part of the page, run in a kernel."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{lab.base}/lab/workspaces/explorers/tree/notebooks/explorers/explorers.ipynb?token={lab.token}")
    page.locator(".jp-Notebook:visible .jp-CodeCell").first.wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # what is run before a kernel is there, is not run
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    regions = {title: page.get_by_role("region", name=f"Explorer: {title}") for title in ("Receptive field", "Equivariance", "Look inside")}
    for region in regions.values():
        region.scroll_into_view_if_needed()
    return regions


def line(region):
    return region.locator("p[role=status]").first


def test_they_are_moved_by_mouse_and_keyboard(shown, page):  # noqa: F811
    field, twin = shown["Receptive field"], ReceptiveField()
    last = field.get_by_role("application").last
    last.click(position={"x": 50, "y": 75})  # of about 105 pixels and 5 values
    expect(line(field)).to_contain_text("Row 3, column 2 of pooling 2")
    last.press("ArrowLeft")
    twin.receive("pick-4", json.dumps({"points": [[3.5, 1.5]], "start": True}))
    expect(line(field)).to_have_text(said(twin))
    field.get_by_label("Stack").select_option("LeNet-5")
    twin.receive("stack", "LeNet-5")
    expect(line(field)).to_have_text(said(twin))

    moved, twin = shown["Equivariance"], Equivariance()
    moved.get_by_label("Then pooling").select_option("max")
    twin.receive("pool", "max")
    expect(line(moved)).to_have_text(said(twin))
    for name in ("down", "right"):
        moved.get_by_label(f"Move {name}").press("ArrowRight")
        twin.receive(name, "2")
    expect(line(moved)).to_have_text(said(twin))
    assert said(twin).startswith("No difference")
    moved.get_by_label("Padding of 1").click()
    twin.receive("padded", "on")
    expect(line(moved)).to_have_text(said(twin))

    look = shown["Look inside"]
    surface = look.get_by_role("application")
    surface.scroll_into_view_if_needed()
    box = surface.bounding_box()
    x, y, cell = box["x"] + box["width"] / 2, box["y"], box["height"] / 28
    page.mouse.move(x, y + 5 * cell)
    page.mouse.down()
    page.mouse.move(x, y + 22 * cell, steps=8)
    page.mouse.up()
    expect(line(look)).to_contain_text("The network says 1, ")
    for _ in range(3):
        look.get_by_role("button", name="→ right").click()
    expect(line(look)).to_contain_text("Moved 3 right. Before that it said 1")
    surface.press("Delete")
    expect(line(look)).to_contain_text("Nothing is drawn yet.")
    keys = ["ArrowUp"] * 9 + [" "] + ["ArrowDown"] * 17
    for key in keys:
        surface.press(key)
    expect(line(look)).to_contain_text("Pen down at row 22, column 14.")
    expect(line(look)).to_contain_text("The network says 1, ")
