"""JupyterLab as `make lab` starts it, asked over HTTP and used through a real browser."""

import re
import shutil

import numpy as np
import pytest
import real_browser
import real_lab
from playwright.sync_api import expect
from scipy.signal import convolve2d, correlate2d

from course_lib.workspace import FIRST_PAGE, ROOT

FINISHED = "02_convolution_from_scratch"
UNTOUCHED = "01_hand_calculations"


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Build a student's folder in which lesson 2 is finished."""
    folder = tmp_path_factory.mktemp("student") / "work"
    finished = folder / "notebooks" / FINISHED
    finished.mkdir(parents=True)
    shutil.copy(ROOT / "solutions" / FINISHED / f"{FINISHED}.ipynb", finished)
    return folder


@pytest.fixture(scope="module")
def lab(work, tmp_path_factory):
    jupyter = tmp_path_factory.mktemp("jupyter")
    with real_lab.started(jupyter, "--work", work) as lab:
        yield lab


browser = pytest.fixture(scope="module")(real_browser.chromium)


@pytest.fixture
def page(browser, request):
    yield from real_browser.tab(browser, request)


def test_the_address_is_on_this_machine_and_opens_lesson_0(lab):
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/lab/tree/{FIRST_PAGE}\?token=\w{{48}}", lab.address)


def test_without_a_browser_the_whole_address_is_printed_and_little_else(lab):
    assert "No browser can be opened here: copy the http address below into one." in "".join(lab.printed)
    assert not [line for line in lab.printed if re.match(r"\[[IWE] ", line)]


def test_its_root_is_the_students_folder(lab, work):
    assert [entry["path"] for entry in lab.get("/api/contents/", lab.token)["content"]] == ["notebooks"]
    listing = lab.get("/api/contents/notebooks/00_start_here", lab.token)["content"]
    assert FIRST_PAGE in [entry["path"] for entry in listing]
    assert (work / FIRST_PAGE).exists()


@pytest.mark.parametrize("token", [None, "0" * 48])
def test_nobody_gets_in_without_the_token(lab, token):
    assert lab.status("/api/contents", token) == 403


def test_a_browser_sees_lesson_0_and_nothing_asks_another_machine(lab, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(lab.address)
    expect(page.locator(".jp-Notebook:visible h1").first).to_be_visible()
    expect(page.get_by_role("tab", name="00_start_here.ipynb")).to_be_visible()
    page.wait_for_timeout(1000)  # news and update checks would be asked for now
    assert asked
    assert [url for url in asked if not url.startswith((lab.base, lab.base.replace("http", "ws"), "data:", "blob:"))] == []
    expect(page.get_by_text("Would you like to get notified")).to_have_count(0)


class Reader:
    """Somebody who works through a lesson with the keyboard, one cell after the other."""

    def __init__(self, page, lab, lesson):
        self.page = page
        page.goto(f"{lab.base}/lab/workspaces/reader/tree/notebooks/{lesson}/{lesson}.ipynb?token={lab.token}")
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()  # a cell that is run before is lost
        page.locator(".jp-Notebook:visible h1").first.click()
        self.active = page.locator(".jp-Notebook:visible .jp-Cell.jp-mod-active")
        page.keyboard.press("Escape")

    def run(self):
        """Run the cell that is marked and go on to the next."""
        before = self.active.get_attribute("data-windowed-list-index")
        self.page.keyboard.press("Shift+Enter")
        self.page.wait_for_function(
            "before => document.querySelector('.jp-Notebook .jp-Cell.jp-mod-active')?.dataset.windowedListIndex !== before", arg=before
        )

    def run_up_to(self, text):
        """Run cells until one with this text is marked."""
        for _ in range(80):
            if text in self.active.inner_text():
                return
            self.run()
        raise AssertionError(f"There is no cell with {text}")

    def write_and_run(self, text):
        """Type over what stands in the marked cell, and run it. Returns the cell."""
        index = self.active.get_attribute("data-windowed-list-index")
        for key in ("Enter", "ControlOrMeta+a"):
            self.page.keyboard.press(key)
        self.page.keyboard.type(text)
        self.run()
        return self.page.locator(f'.jp-Notebook:visible .jp-Cell[data-windowed-list-index="{index}"]')


def test_lesson_1_is_worked_as_a_student_would(lab, page):
    reader = Reader(page, lab, UNTOUCHED)
    reader.run_up_to("answer_1_1 = ...")
    reader.write_and_run("answer_1_1 = [2, 5, 6, 10]")
    card = reader.write_and_run('check("1.1", answer_1_1)')
    expect(card).to_contain_text("That is right")
    reader.run_up_to('# hint("1.1")')
    hint = reader.write_and_run('hint("1.1")')
    expect(hint).to_contain_text("hint 1 of 3")
    reader.run_up_to("answer_4_1 = ...")
    image, kernel = np.array([[1, 2, 0, 1], [0, 1, 3, 2], [1, 0, 2, 1], [3, 1, 0, 2]]), np.array([[1, 0, -1]] * 3)
    reader.write_and_run(f"answer_4_1 = {convolve2d(image, kernel, 'valid').tolist()}")
    card = reader.write_and_run('check("4.1", answer_4_1)')
    expect(card).to_contain_text("flipped")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    reader.write_and_run(f"answer_4_1 = {correlate2d(image, kernel, 'valid').tolist()}")
    card = reader.write_and_run('check("4.1", answer_4_1)')
    expect(card).to_contain_text("That is right")
    expect(card).not_to_contain_text("flipped")


def validate(page, lab, lesson):
    """Open a lesson, press Validate and return what the dialog says."""
    # a workspace of its own: JupyterLab would open the tabs of the test before again, and their Validate buttons with them
    page.goto(f"{lab.base}/lab/workspaces/{lesson}/tree/notebooks/{lesson}/{lesson}.ipynb?token={lab.token}")
    expect(page.locator(".jp-Notebook:visible h1").first).to_be_visible()  # the notebook is there, not only its toolbar
    page.locator(".validate-button:visible").get_by_text("Validate").click()
    dialog = page.locator(".jp-Dialog", has_text="Validation Results")
    dialog.wait_for()
    return dialog.inner_text()


def test_validate_on_a_finished_lesson_reports_success(lab, page):
    assert "Success! Your notebook passes all the tests." in validate(page, lab, FINISHED)


def test_validate_on_an_untouched_lesson_says_what_is_not_done_yet(lab, page):
    told = validate(page, lab, UNTOUCHED)
    assert "The following cell failed" in told
    assert "This one is not done yet." in told
    assert "Success" not in told
