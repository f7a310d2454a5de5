"""The explorers in a real JupyterLab: moved by mouse and by keyboard, and what they show compared with torch's and scipy's numbers."""

import re

import nbformat
import numpy as np
import pytest
import real_browser
import real_lab
import scipy.signal
import torch
import torch.nn.functional as F
from playwright.sync_api import expect

from course_lib import CLASSIC_KERNELS, load_mnist, output_size
from course_lib.explorers.board import written

IMAGE = np.array([[3, -1, 2, 0, 5], [0, 4, 1, 2, -3], [1, 0, 6, 1, 1], [2, 5, 0, 3, 1]])
KERNEL = np.array([[1, 2], [0, -1], [3, 1]])
CELLS = [
    f"""import numpy as np
from course_lib import explorers

def my_conv(image, kernel, padding=0, stride=1):
    image = np.pad(image, padding)
    rows, columns = kernel.shape
    return [[np.sum(image[i:i + rows, j:j + columns] * kernel) for j in range(0, image.shape[1] - columns + 1, stride)]
            for i in range(0, image.shape[0] - rows + 1, stride)]

explorers.sliding_window({IMAGE.tolist()}, {KERNEL.tolist()}, my_conv)""",
    "explorers.kernel_lab()",
    "explorers.output_size()",
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    work = tmp_path_factory.mktemp("explorers") / "work"
    (work / "notebooks").mkdir(parents=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, work / "notebooks" / "explorers.ipynb")
    jupyter = tmp_path_factory.mktemp("jupyter")
    with real_lab.started(jupyter, "--work", work) as lab:
        yield lab


@pytest.fixture(scope="module")
def page(lab, request):
    """The notebook with all its cells run."""
    for browser in real_browser.chromium():
        for page in real_browser.tab(browser, request, viewport={"width": 1280, "height": 800}):
            page.goto(f"{lab.base}/lab/tree/notebooks/explorers.ipynb?token={lab.token}")
            expect(page.locator(".jp-Notebook:visible .jp-CodeCell")).to_have_count(len(CELLS))
            expect(page.get_by_text("| Idle")).to_be_visible()
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_text("Run All Cells", exact=True).click()
            expect(page.locator(".explorer")).to_have_count(len(CELLS))
            yield page


def explorer(page, title):
    found = page.get_by_role("region", name=f"Explorer: {title}")
    found.locator(".explorer-title").click()
    expect(page.locator(".jp-Cell.jp-mod-active", has=found)).to_be_visible()  # JupyterLab moves the focus when a cell becomes active
    return found


def nudge(slider, key, value):
    """Move a slider by keyboard; wait until Python's page says the new value."""
    slider.press(key)
    expect(slider).to_have_value(str(value))
    expect(slider.locator("xpath=following-sibling::output")).to_have_text(str(value))


def said(found):
    return found.locator(".explorer-said")


def numbers(found, caption):
    """The numbers of a table, as they are read; None for a cell that holds none."""
    table = found.locator("table", has=found.page.locator("caption", has_text=re.compile(f"^{caption}$")))
    rows = table.locator("tr").all()[1:]
    texts = [
        [cell.locator("input").input_value() if cell.locator("input").count() else cell.inner_text() for cell in row.locator("td").all()]
        for row in rows
    ]
    return [[float(text.replace("−", "-")) if re.fullmatch(r"[−\d.]+", text) else None for text in row] for row in texts]


def by_torch(image, kernel, **options):
    image, kernel = (torch.tensor(np.array(array), dtype=torch.float64)[None, None] for array in (image, kernel))
    return F.conv2d(image, kernel, **options)[0, 0].numpy()


def test_sliding_window_by_mouse(page):
    found = explorer(page, "Sliding window")
    expect(found.locator(".explorer-title")).to_contain_text("using your my_conv")
    right = by_torch(IMAGE, KERNEL)
    found.get_by_role("button", name="output, row 1, column 2").click()
    answer = found.get_by_label("Row 1, column 2:", exact=True)
    answer.fill(str(scipy.signal.convolve2d(IMAGE, KERNEL, mode="valid")[1, 2]))
    found.get_by_role("button", name="Check").click()
    expect(said(found)).to_contain_text("known slip, flipped kernel")
    answer.fill(str(right[1, 2]))
    found.get_by_role("button", name="Check").click()
    expect(said(found)).to_contain_text("Right. Row 1, column 2 of the output:")
    expect(said(found)).to_contain_text(f"= {written(right[1, 2])}")
    assert numbers(found, "products") == (IMAGE[1:4, 2:4] * KERNEL).tolist()
    found.get_by_role("button", name="Start over").click()
    expect(said(found)).to_contain_text("What goes at row 0, column 0")
    found.get_by_role("button", name="Play").click()
    expect(found.get_by_text("·", exact=True)).to_have_count(0)
    expect(found.get_by_role("button", name="Play")).to_be_visible()
    assert numbers(found, "output") == right.tolist()


def test_sliding_window_by_keyboard(page):
    found = explorer(page, "Sliding window")
    found.get_by_role("button", name="Start over").press("Enter")
    expect(said(found)).to_contain_text("What goes at row 0, column 0")
    found.get_by_label("image, row 0, column 0", exact=True).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    expect(found.get_by_label("image, row 1, column 1", exact=True)).to_be_focused()
    page.keyboard.type("-7")
    page.keyboard.press("Enter")
    stride = found.get_by_label("stride", exact=True)
    nudge(stride, "ArrowRight", 2)
    expect(found.get_by_role("button", name="output, row 0, column 1")).to_be_visible()
    expect(found.get_by_role("button", name="output, row 1, column 0")).to_have_count(0)
    expect(stride).to_be_focused()
    image = IMAGE.copy()
    image[1, 1] = -7
    right = by_torch(image, KERNEL, stride=2)
    found.get_by_label("Row 0, column 0:", exact=True).focus()
    page.keyboard.type(str(right[0, 0]))
    page.keyboard.press("Enter")
    expect(said(found)).to_contain_text("Right.")
    step = found.get_by_role("button", name="Next window")
    step.press("Enter")
    page.keyboard.press("Enter")  # the same button now shows the value
    expect(said(found)).to_contain_text(f"= {written(right[0, 1])}")
    assert numbers(found, "output") == right.tolist()


def test_kernel_lab_by_mouse_and_keyboard(page):
    found = explorer(page, "Kernel lab")
    digit = load_mnist("train")[0][0] / 255
    picture = found.locator("img[data-paint]")
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] * 12.5 / 28, "y": box["height"] * 9.5 / 28})  # the middle of pixel (9, 12)

    def expect_numbers(kernel, i, j):
        laid = scipy.signal.correlate2d(digit, kernel, mode="valid")[i, j]
        turned = scipy.signal.convolve2d(digit, kernel, mode="valid")[i, j]
        expect(said(found)).to_have_text(f"The window at row {i}, column {j} gives {written(laid)} as it is, {written(turned)} turned.")

    expect_numbers(CLASSIC_KERNELS["Sobel Vertical"], 8, 11)
    found.get_by_role("combobox", name="kernel").select_option("Emboss")
    expect_numbers(CLASSIC_KERNELS["Emboss"], 8, 11)
    picture.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect_numbers(CLASSIC_KERNELS["Emboss"], 10, 12)
    found.get_by_label("kernel, row 0, column 2", exact=True).focus()
    page.keyboard.type("-4")
    page.keyboard.press("Enter")
    kernel = CLASSIC_KERNELS["Emboss"].copy()
    kernel[0, 2] = -4
    expect_numbers(kernel, 10, 12)
    expect(found.get_by_role("combobox", name="kernel")).to_have_value("your own")


def test_drawing_in_the_kernel_lab(page):
    found = explorer(page, "Kernel lab")
    found.get_by_role("combobox", name="image").select_option("drawing")
    expect(found.get_by_role("img", name="my drawing")).to_be_visible()
    found.get_by_role("combobox", name="kernel").select_option("Box Blur")
    expect(said(found)).to_contain_text("gives 0 as it is, 0 turned")
    picture = found.locator("img[data-paint]")
    box = picture.bounding_box()
    x, y, pixel = box["x"], box["y"], box["width"] / 28
    page.mouse.move(x + 5.5 * pixel, y + 10.5 * pixel)
    page.mouse.down()
    page.mouse.move(x + 20.5 * pixel, y + 10.5 * pixel, steps=15)
    page.mouse.up()
    drawn = np.zeros((28, 28))
    drawn[10:12, 5:22] = 1  # the pen is two pixels wide

    def expect_blurred(i, j):
        blurred = written(scipy.signal.correlate2d(drawn, CLASSIC_KERNELS["Box Blur"], mode="valid")[i, j])
        expect(said(found)).to_have_text(f"The window at row {i}, column {j} gives {blurred} as it is, {blurred} turned.")

    expect_blurred(9, 19)
    picture.focus()
    for key in ("ArrowUp", " "):
        page.keyboard.press(key)
    drawn[9:11, 20:22] = 1
    expect_blurred(8, 19)


def test_output_size_lab_by_mouse_and_keyboard(page):
    found = explorer(page, "Output-size lab")
    padding, size = (found.get_by_label(name, exact=True) for name in ("padding", "input size"))
    nudge(padding, "ArrowRight", 1)
    box = size.bounding_box()
    size.click(position={"x": box["width"] - 2, "y": box["height"] / 2})  # its right end: 16
    options = {"padding": 1, "stride": 2}
    expect(said(found)).to_contain_text(f"Output size {output_size(16, 3, **options)}.")
    expect(padding).to_have_value("1")
    pixels = torch.ones(1, 1, 16, 16, requires_grad=True)
    F.conv2d(pixels, torch.ones(1, 1, 3, 3), **options).sum().backward()
    assert numbers(found, "both axes: how many windows cover each pixel")[1] == pixels.grad[0, 0, 1].tolist()
    for value in (4, 5, 6, 7):
        nudge(found.get_by_label("kernel", exact=True), "ArrowRight", value)
    for value in (2, 3):
        nudge(found.get_by_label("dilation", exact=True), "ArrowRight", value)
    expect(said(found)).to_have_text("The kernel spans 19 pixels, and the padded input has only 18: no window fits.")


def test_nothing_was_asked_of_another_machine_and_nothing_complained(page):
    assert page.events == []
