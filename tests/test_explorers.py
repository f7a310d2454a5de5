"""Explorers without a browser: the arithmetic behind them, whose function they run, and what they show where nothing can be moved."""

import itertools
import json
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.signal
import torch
import torch.nn.functional as F

from course_lib import CLASSIC_KERNELS, explorers
from course_lib.explorers import board

IMAGE = np.array([[3, -1, 2, 0, 5, 1], [0, 4, 1, 2, -3, 2], [1, 0, 6, 1, 1, 4], [2, 5, 0, 3, 1, 0], [7, 1, 2, 2, 0, 3]], dtype=float)
KERNEL = np.array([[1, 2, 0], [3, -1, 4]], dtype=float)
EXPLORERS = {"sliding_window": explorers.sliding_window, "kernel_lab": explorers.kernel_lab, "output_size": explorers.output_size}


def by_torch(image, kernel, **options):
    image, kernel = (torch.tensor(np.ascontiguousarray(array), dtype=torch.float64) for array in (image, kernel))
    return F.conv2d(image[None, None], kernel[None, None], **options)[0, 0].numpy()


def text(page):
    """What of a page is read, without its tags."""
    return re.sub(r"<[^>]*>", " ", page)


# ---------------------------------------------------------------------------------------------------- what all share


@pytest.mark.parametrize("name", EXPLORERS)
@pytest.mark.parametrize("variable", ["NBGRADER_EXECUTION", "COURSE_LIBRARY"])
def test_a_graded_notebook_holds_plain_text(name, variable, monkeypatch):
    monkeypatch.setenv(variable, "autograde")
    shown = EXPLORERS[name]()._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("Explorer: ")


@pytest.mark.parametrize("name", EXPLORERS)
def test_a_notebook_holds_the_widget_a_still_picture_and_plain_text(name):
    explorer = EXPLORERS[name]()
    shown = explorer._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert explorer.widget.page == explorer.page(live=True)
    assert explorer.title in explorer.widget.page


@pytest.mark.parametrize("name", EXPLORERS)
def test_where_no_kernel_listens_there_is_nothing_to_click(name):
    still = EXPLORERS[name]().still()
    assert not re.search(r"<(button|input|select|form|script)|data-(do|keys|paint|every)", still)
    assert len(text(still)) > 200


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_does_something(name):
    explorer = EXPLORERS[name]()
    controls = set(re.findall(r"data-(?:do|keys|paint|play)='(\w+)'", explorer.page(live=True)))
    assert len(controls) >= 5
    assert [control for control in controls if not callable(getattr(explorer, f"do_{control}", None))] == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_everything_to_type_in_or_to_choose_from_has_a_name(name):
    page = EXPLORERS[name]().page(live=True)
    for field in re.findall(r"<input[^>]*>", page):
        assert "aria-label=" in field or "type='checkbox'" in field
    assert page.count("<select") == len(re.findall(r"<label[^>]*><span>[^<]+</span><select", page))
    assert all(re.search(r"alt='[^']{10,}'", picture) for picture in re.findall(r"<img[^>]*>", page))
    assert page.count("role='status'") == 1


def test_a_message_changes_the_page_and_is_answered():
    explorer = explorers.output_size()
    explorer.widget._on_message(explorer.widget, {"do": "stride", "value": "1"}, [])
    assert explorer.widget.answered == 1
    assert "= 6" in explorer.widget.page


def test_a_message_that_cannot_be_done_is_answered_too():
    explorer = explorers.output_size()
    with pytest.raises(ValueError, match="OutputSize has no control 'paint'"):
        explorer.widget._on_message(explorer.widget, {"do": "paint", "value": "1"}, [])
    assert explorer.widget.answered == 1


def test_importing_explorers_loads_nothing_heavy_and_needs_no_checks():
    code = """
import sys
sys.modules |= dict.fromkeys(["anywidget", "ipywidgets", "torch", "matplotlib", "course_lib.checks", "course_lib.arithmetic"])
from course_lib import explorers
print([str(explorers.sliding_window()), explorers.kernel_lab(), explorers.output_size()])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Explorer: ") == 3


def test_a_file_of_the_same_name_does_not_hide_the_function():
    import course_lib.explorers.output_size  # noqa: F401 (the import is the point)

    assert callable(explorers.output_size)


@pytest.mark.parametrize(
    ("typed", "value"), [("3", 3), (" -2 ", -2), ("−2", -2), ("1,5", 1.5), ("1/4", 0.25), ("", None), ("abc", None), ("1/0", None)]
)
def test_numbers_as_people_type_them(typed, value):
    assert board.number(typed) == value


@pytest.mark.parametrize("typed", ["nan", "inf", "1e9"])
def test_what_cannot_be_shown_is_no_number(typed):
    assert board.number(typed) is None


def test_numbers_as_people_read_them():
    assert [board.written(value) for value in (3.0, -0.001, -1.5, 1 / 3)] == ["3", "0", "−1.50", "0.33"]


def test_what_somebody_types_is_text_and_not_html():
    explorer = explorers.sliding_window()
    explorer.receive("predict", "<img src=x onerror=alert(1)>")
    assert "<img" not in explorer.page(live=True)


# ---------------------------------------------------------------------------------------------------- pictures


def decoded(array, **options):
    import io

    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(board.png(array, **options))).convert("RGB")).astype(int)


def test_the_signed_scale_is_centred_on_zero():
    red, green, blue = np.moveaxis(decoded(np.array([[-2.0, 0.0, 1.0, 2.0]]), signed=True), -1, 0)
    assert blue[0, 0] > red[0, 0]
    assert red[0, 3] > blue[0, 3]
    assert min(red[0, 1], green[0, 1], blue[0, 1]) > 230
    assert green[0, 2] > green[0, 3]  # half the value is paler


def test_the_gray_scale_goes_from_black_to_white():
    assert decoded(np.array([[0.0, 0.5, 1.0, 2.0]]))[0, :, 0].tolist() == [0, 128, 255, 255]


def test_an_empty_picture_is_drawn_too():
    assert decoded(np.zeros((2, 3)), signed=True).shape == (2, 3, 3)


# ---------------------------------------------------------------------------------------------------- whose function


def conv2d(image, kernel, padding=0, stride=1):
    """Somebody's own, right."""
    return by_torch(image, kernel, padding=padding, stride=stride)


def test_the_library_computes_where_no_function_is_given():
    operation = board.Operation()
    values, trouble = operation(IMAGE, KERNEL, padding=1, stride=2, dilation=2)
    np.testing.assert_allclose(values, by_torch(IMAGE, KERNEL, padding=1, stride=2, dilation=2))
    assert (trouble, operation.whose) == ("", "using the library’s conv2d")


def test_a_students_function_is_run_and_named():
    calls = []

    def my_conv(image, kernel):
        calls.append((image.shape, kernel.shape))
        return by_torch(image, kernel).tolist()

    operation = board.Operation(my_conv)
    values, trouble = operation(IMAGE, KERNEL)
    np.testing.assert_allclose(values, by_torch(IMAGE, KERNEL))
    assert calls == [(IMAGE.shape, KERNEL.shape)]
    assert (trouble, operation.whose, operation.takes) == ("", "using your my_conv", ())


def test_options_that_a_function_lacks_are_said():
    assert board.Operation(conv2d).takes == ("padding", "stride")
    values, trouble = board.Operation(conv2d)(IMAGE, KERNEL, dilation=2)
    np.testing.assert_allclose(values, by_torch(IMAGE, KERNEL, dilation=2))
    assert "takes no dilation" in trouble


def raises(image, kernel):
    return image[100]


def unfinished(image, kernel):
    raise NotImplementedError("not done yet")


def leaves(image, kernel):
    raise SystemExit


def spoils(image, kernel):
    result = by_torch(image, kernel)
    image[:] = 0
    return result


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (raises, "It raised IndexError"),
        (unfinished, "is not done yet"),
        (leaves, "SystemExit"),
        (spoils, "changed the array"),
        (lambda image, kernel: None, "returned None"),
        (lambda image, kernel: "4", "got a str"),
        (lambda image, kernel: np.zeros((2, 2)), r"shape \(2, 2\), and \(4, 4\) was expected"),
        (lambda image, kernel: by_torch(image, kernel) * np.nan, "NaN"),
    ],
)
def test_a_function_that_fails_breaks_nothing(function, told):
    values, trouble = board.Operation(function)(IMAGE, KERNEL)
    assert re.search(told, trouble)
    np.testing.assert_allclose(values, by_torch(IMAGE, KERNEL))


def test_wrong_numbers_are_shown_and_said():
    values, trouble = board.Operation(lambda image, kernel: by_torch(image, kernel[::-1, ::-1]))(IMAGE, KERNEL)
    np.testing.assert_allclose(values, scipy.signal.convolve2d(IMAGE, KERNEL, mode="valid"))
    first = by_torch(IMAGE, KERNEL)[0, 0]
    assert trouble == f"At row 0, column 0 your <lambda> gives {values[0, 0]:.0f}; the window’s products add up to {first:.0f}."


@pytest.mark.parametrize("workers", [0, 1], ids=["main thread", "another thread"])
def test_a_function_that_never_ends_is_stopped(workers, monkeypatch):
    def forever(image, kernel):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(board, "SECONDS", 0.2)
    operation = board.Operation(forever)
    if workers:
        with ThreadPoolExecutor(workers) as threads:  # as JupyterLab has a kernel answer while a cell runs
            values, trouble = threads.submit(operation, IMAGE, KERNEL).result(timeout=60)
    else:
        values, trouble = operation(IMAGE, KERNEL)
    assert "did not finish" in trouble
    np.testing.assert_allclose(values, by_torch(IMAGE, KERNEL))


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="conv2d must be a function"):
        explorers.sliding_window(conv2d=np.ones((2, 2)))


# ---------------------------------------------------------------------------------------------------- sliding window


def sliding(conv2d=None, **options):
    explorer = explorers.sliding_window(IMAGE, KERNEL, conv2d)
    for name, value in options.items():
        explorer.receive(name, str(value))
    return explorer


@pytest.mark.parametrize(("padding", "stride", "dilation"), [*itertools.product((0, 1, 2), (1, 2, 3), (1, 2, 3))])
def test_windows_products_and_output_are_those_of_torch(padding, stride, dilation):
    explorer = sliding(padding=padding, stride=stride, dilation=dilation, kernel_columns=2)
    expected = by_torch(IMAGE, KERNEL[:, :2], padding=padding, stride=stride, dilation=dilation)
    assert explorer.shape == expected.shape
    np.testing.assert_allclose(
        [[explorer.products((i, j)).sum() for j in range(expected.shape[1])] for i in range(expected.shape[0])], expected
    )
    np.testing.assert_allclose(explorer.output[0], expected)


def test_steps_go_over_all_windows_and_back():
    explorer = sliding(stride=2)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    for place in places:
        assert explorer.at == place
        assert not explorer.seen[place]
        explorer.receive("step", "")
        assert explorer.seen[place]
        explorer.receive("step", "")
    assert explorer.done
    for place in places[:0:-1]:
        assert explorer.at == place
        explorer.receive("back", "")
        assert not explorer.seen[place]
    explorer.receive("back", "")
    assert not explorer.seen.any()


def test_without_questions_each_step_shows_a_window():
    explorer = sliding(asking="off")
    for _ in range(explorer.seen.size):
        explorer.receive("step", "")
    assert explorer.done


def test_it_plays_to_the_end_and_stops():
    explorer = sliding()
    explorer.receive("play", "")
    assert "data-every" in explorer.page(live=True)
    for _ in range(explorer.seen.size):
        explorer.receive("tick", "")
    assert explorer.done
    assert "data-every" not in explorer.page(live=True)


def test_the_products_are_written_out():
    explorer = sliding()
    explorer.receive("go", "1,2")
    assert "?" in text(explorer.page(live=True))
    explorer.receive("step", "")
    assert "1·1 + 2·2 + (−3)·0 + 6·3 + 1·(−1) + 1·4 = 26".replace("(−3)", "−3") in text(explorer.page(live=True))
    assert by_torch(IMAGE, KERNEL)[1, 2] == 26


def test_a_hidden_value_is_nowhere_on_the_page():
    secret = np.full((2, 2), 7.0)
    explorer = explorers.sliding_window(secret, [[131.0]])
    assert "917" not in explorer.page(live=True)
    explorer.receive("step", "")
    assert "917" in explorer.page(live=True)


def test_a_right_prediction_is_shown_at_once():
    explorer = sliding(padding=1, stride=2)
    explorer.receive("predict", f"{by_torch(IMAGE, KERNEL, padding=1, stride=2)[0, 0]:.2f}")
    assert explorer.judgement == ("Right.", "good")
    assert explorer.seen[0, 0]
    assert explorer.seen.sum() == 1


WINDOW = IMAGE[1:3, 2:5]
SLIPS = {  # name: the options, the place in the output, and the value that the slip gives there
    "flipped kernel": ({}, (1, 2), scipy.signal.convolve2d(IMAGE, KERNEL, mode="valid")[1, 2]),
    "rows flipped": ({}, (1, 2), by_torch(IMAGE, KERNEL[::-1])[1, 2]),
    "kernel ignored": ({}, (1, 2), WINDOW.sum()),
    "mean for sum": ({}, (1, 2), (WINDOW * KERNEL).mean()),
    "max for sum": ({}, (1, 2), (WINDOW * KERNEL).max()),
    "sign lost": ({}, (1, 2), by_torch(IMAGE, abs(KERNEL))[1, 2]),
    "never padded": ({"padding": 1}, (1, 2), by_torch(IMAGE, KERNEL)[1, 2]),
    "edge padding": ({"padding": 2}, (1, 2), by_torch(np.pad(IMAGE, 2, mode="edge"), KERNEL)[1, 2]),
    "stride ignored": ({"stride": 2}, (1, 1), by_torch(IMAGE, KERNEL)[1, 1]),
    "dilation ignored": ({"dilation": 2}, (1, 1), by_torch(IMAGE, KERNEL)[1, 1]),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_wrong_prediction_is_named(name):
    options, place, value = SLIPS[name]
    explorer = sliding(**options)
    explorer.receive("go", ",".join(map(str, place)))
    explorer.receive("predict", str(value))
    told, kind = explorer.judgement
    assert kind == "bad"
    assert f"known slip, {name}:" in told
    assert not explorer.seen.any()


def test_the_value_of_another_window_is_named():
    explorer = sliding()
    explorer.receive("predict", str(by_torch(IMAGE, KERNEL)[2, 1]))
    assert "the value at row 2, column 1" in explorer.judgement[0]


@pytest.mark.parametrize(("padding", "stride", "dilation"), [*itertools.product((0, 1, 2), (1, 2, 3), (1, 2))])
def test_no_right_value_is_called_a_slip_and_no_slip_breaks(padding, stride, dilation):
    explorer = sliding(padding=padding, stride=stride, dilation=dilation)
    right = by_torch(IMAGE, KERNEL, padding=padding, stride=stride, dilation=dilation)
    for place, value in np.ndenumerate(right):
        explorer.receive("go", ",".join(map(str, place)))
        explorer.receive("predict", "123456")
        assert explorer.judgement[0].startswith("Not 123456. Multiply")
        explorer.receive("predict", str(value))
        assert explorer.judgement == ("Right.", "good")


def test_what_is_not_a_number_is_said():
    explorer = sliding()
    explorer.receive("predict", "two")
    assert explorer.judgement == ("“two” is not a number.", "bad")
    explorer.receive("image", "0,0,x")
    assert "the cell keeps 3" in explorer.judgement[0]


def test_an_edited_cell_changes_the_output():
    explorer = sliding()
    explorer.receive("image", "2,3,-8")
    explorer.receive("kernel", "1,0,1/2")
    image, kernel = IMAGE.copy(), KERNEL.copy()
    image[2, 3], kernel[1, 0] = -8, 0.5
    np.testing.assert_allclose(explorer.output[0], by_torch(image, kernel))
    assert IMAGE[2, 3] == 1  # the caller's own


def test_sizes_change_and_numbers_stay():
    explorer = sliding(image_rows=7, image_columns=3, kernel_rows=1, kernel_columns=2)
    assert (explorer.image.shape, explorer.kernel.shape, explorer.shape) == ((7, 3), (1, 2), (7, 2))
    np.testing.assert_array_equal(explorer.image[:5], IMAGE[:, :3])
    np.testing.assert_array_equal(explorer.kernel, KERNEL[:1, :2])


def test_a_window_that_fits_nowhere_is_said():
    explorer = sliding(image_rows=1)
    assert "it fits nowhere" in text(explorer.page(live=True))
    for name in ("step", "back", "play", "tick", "again"):
        explorer.receive(name, "")
    assert "it fits nowhere" in text(explorer.still())


def test_the_students_own_values_fill_the_output_and_wrong_ones_are_marked():
    explorer = sliding(lambda image, kernel: by_torch(image, kernel) + np.eye(4))
    assert "gives" not in text(explorer.page(live=True))  # it would answer the question
    explorer.receive("step", "")
    page = explorer.page(live=True)
    right = by_torch(IMAGE, KERNEL)[0, 0]
    assert f">{right + 1:.0f}</button>" in page
    assert page.count("wrong") == 1
    assert f"your &lt;lambda&gt; gives {right + 1:.0f}" in page


def test_only_options_that_the_function_takes_have_a_slider():
    page = sliding(conv2d).page(live=True)
    assert "data-do='stride'" in page
    assert "data-do='dilation'" not in page


def test_the_function_runs_once_for_each_change():
    calls = []
    explorer = sliding(lambda image, kernel: calls.append(1) or by_torch(image, kernel))
    for _ in range(5):
        explorer.receive("step", "")
        explorer.page(live=True)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"image": [1, 2, 3]}, r"image must be a matrix of finite numbers \(rows, columns\), got shape \(3,\)"),
        ({"image": np.zeros((9, 3))}, r"image must have at most 8 rows and columns to be shown here, got shape \(9, 3\)"),
        ({"kernel": [["a"]]}, "kernel must be a matrix of numbers"),
        ({"kernel": [[np.nan]]}, "kernel must be a matrix of finite numbers"),
    ],
)
def test_what_cannot_be_slid_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        explorers.sliding_window(**arguments)


def test_the_film_goes_over_the_output():
    film = explorers.sliding_window(IMAGE[:3, :3], KERNEL).still()
    assert film.count("Row 0, column 0 of the output") == 1
    assert film.count("of the output:") == 2
    assert film.index("Row 0") < film.index("Row 1")


# ---------------------------------------------------------------------------------------------------- kernel lab


@pytest.mark.parametrize("source", ["digit", "photo", "drawing"])
@pytest.mark.parametrize("name", CLASSIC_KERNELS)
def test_both_results_are_those_of_scipy(source, name):
    explorer = explorers.kernel_lab()
    explorer.receive("source", source)
    explorer.receive("probe", json.dumps({"points": [[3.2, 4.9], [5.0, 6.0]], "start": True}))
    explorer.receive("name", name)
    laid, turned, trouble = explorer.maps
    np.testing.assert_allclose(laid, scipy.signal.correlate2d(explorer.image, CLASSIC_KERNELS[name], mode="valid"), atol=1e-12)
    np.testing.assert_allclose(turned, scipy.signal.convolve2d(explorer.image, CLASSIC_KERNELS[name], mode="valid"), atol=1e-12)
    assert trouble == ""


def test_an_edited_kernel_is_ones_own():
    explorer = explorers.kernel_lab()
    explorer.receive("kernel", "0,2,-3")
    assert explorer.name == "your own"
    assert explorer.kernel[0, 2] == -3
    assert CLASSIC_KERNELS["Sobel Vertical"][0, 2] == 1
    explorer.receive("kernel", "0,2,x")
    assert "not a number" in text(explorer.page(live=True))


def test_turning_twice_leads_back():
    explorer = explorers.kernel_lab()
    explorer.receive("name", "Emboss")
    explorer.receive("turn", "")
    np.testing.assert_array_equal(explorer.kernel, np.rot90(CLASSIC_KERNELS["Emboss"], 2))
    explorer.receive("turn", "")
    np.testing.assert_array_equal(explorer.kernel, CLASSIC_KERNELS["Emboss"])


def test_the_pixel_asked_for_is_the_middle_of_its_window():
    explorer = explorers.kernel_lab()
    explorer.receive("probe", json.dumps({"points": [[9.7, 15.1]], "start": True}))
    expected = scipy.signal.correlate2d(explorer.image, explorer.kernel, mode="same")[9, 15]
    page = text(explorer.page(live=True))
    assert "The window at row 8, column 14 gives" in page
    assert f"gives {board.written(expected)} as it is" in page


def test_arrow_keys_move_and_stay_inside():
    explorer = explorers.kernel_lab()
    for key in ["ArrowUp"] * 20 + ["ArrowLeft"] * 3:
        explorer.receive("key", key)
    assert explorer.at == (0, 11)
    explorer.receive("key", " ")
    assert explorer.at == (0, 11)  # a digit is not drawn on
    assert explorer.window == (0, 10)


def test_drawing_by_pointer_and_by_keys():
    explorer = explorers.kernel_lab()
    explorer.receive("source", "drawing")
    explorer.receive("probe", json.dumps({"points": [[5.5, 5.5], [27.9, 27.9], [-3, 40]], "start": True}))
    assert np.argwhere(explorer.drawing).tolist() == [[0, 27], [1, 27], [5, 5], [5, 6], [6, 5], [6, 6], [27, 27]]
    explorer.receive("key", "Delete")
    assert explorer.drawing[0, 27] == 0
    explorer.receive("key", " ")
    assert explorer.drawing[0, 27] == 1
    explorer.receive("clear", "")
    assert not explorer.drawing.any()


def test_the_lab_runs_the_students_function_and_says_what_is_wrong():
    right = explorers.kernel_lab(lambda image, kernel: by_torch(image, kernel))
    assert "using your" in right.page(live=True)
    assert right.maps[2] == ""
    wrong = explorers.kernel_lab(lambda image, kernel: by_torch(image, kernel)[1:])
    assert "was expected" in wrong.page(live=True)


def test_a_kernel_of_zeros_is_shown():
    explorer = explorers.kernel_lab()
    for i, j in np.ndindex(3, 3):
        explorer.receive("kernel", f"{i},{j},0")
    assert "gives 0 everywhere" in text(explorer.page(live=True))
    assert "the same, and so are the results" in text(explorer.page(live=True))


# ---------------------------------------------------------------------------------------------------- output size

SETTINGS = [
    {"size": n, "kernel": k, "padding": p, "stride": s, "dilation": d}
    for n, k, p, s, d in itertools.product((1, 5, 8, 16), (1, 2, 3, 7), (0, 1, 3), (1, 2, 4), (1, 3))
]


def test_size_and_cover_are_those_of_torch():
    checked = 0
    for numbers in SETTINGS:
        explorer = explorers.output_size()
        for name, value in numbers.items():
            explorer.receive(name, str(value))
        options = {name: numbers[name] for name in ("padding", "stride", "dilation")}
        pixels = torch.ones(1, 1, numbers["size"], requires_grad=True)
        weight = torch.ones(1, 1, numbers["kernel"])
        try:
            out = F.conv1d(pixels, weight, **options)
        except RuntimeError:
            assert explorer.output == 0
            assert "no window fits" in explorer.page(live=True)
            continue
        out.sum().backward()  # each pixel's gradient: how many windows cover it
        assert explorer.output == out.shape[-1]
        assert explorer.counts.tolist() == pixels.grad[0, 0].int().tolist()
        assert f"= {out.shape[-1]}</p>" in explorer.page(live=True)
        checked += 1
    assert checked > 200


def test_both_axes_are_covered_as_torch_has_it():
    explorer = explorers.output_size()
    pixels = torch.ones(1, 1, 8, 8, requires_grad=True)
    F.conv2d(pixels, torch.ones(1, 1, 3, 3), stride=2).sum().backward()
    table = explorer.page(live=True).split("both axes")[-1]
    shown = [int(value) for value in re.findall(r"<td class='[^']*' style[^>]*>(\d+)</td>", table)]
    assert shown == pixels.grad.int().flatten().tolist()


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"stride": "1"}, "Every pixel is covered by at least one window."),
        ({}, "pixel 7 (the next window would reach past the edge)"),
        ({"kernel": "2", "stride": "3"}, "pixels 2, 5 (the taps pass over)"),
        ({"kernel": "1", "stride": "2"}, "pixels 1, 3, 5, 7 (the taps pass over, and beyond the last window)"),
        ({"size": "1"}, "no window fits"),
    ],
)
def test_pixels_that_are_never_seen_are_said(numbers, told):
    explorer = explorers.output_size()
    for name, value in numbers.items():
        explorer.receive(name, value)
    assert told in text(explorer.page(live=True))
