"""An automatic check of accessibility (axe-core) of what people read: cards, feedback pages, the report."""

import json

import nbformat
import numpy as np
import pytest
import real_browser
import real_lab
from axe_playwright_python.sync_playwright import Axe
from grading_course import cell_of, released_course, solved
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import expect
from test_feedback import page_of, picture, put_in, verdict
from test_report import put_class

from autograder import report
from course_lib.checks.verdict import Failure, Hint, Verdict, Working

LESSON = "01_numbers"
RULES = {"resultTypes": ["violations"], "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
BROWSED = [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]


def cards():
    """A card of each kind, and a hint: what a check found, with a window worked out; what is right; what is partly right."""
    image, kernel = np.arange(9.0).reshape(3, 3), np.array([[1.0, 2], [3, 4]])
    mask = np.zeros((3, 3), bool)
    mask[:2, 1:] = True
    working = Working((image,), mask, (image[:2, 1:],), (kernel,))
    right = np.array([[27.0, 37], [57, 67]])
    failure = Failure("conv2d(image, kernel)", (("image", image), ("kernel", kernel), ("stride", 1)), (0, 1), right, right + 1, working, 7)
    slip = {"misconception": "flipped-kernel", "sentence": "You flipped `kernel`.", "advice": "Compare with `hint('conv2d')`."}
    return (
        Verdict("conv2d", False, 0, "The output is not what was asked for.", "slide a kernel", 3, failure=failure, **slip),
        Verdict("conv2d", False, 0.5, "Some cases are right.", "slide a kernel", 3, notes=("Only with `stride=1`.",)),
        Verdict("conv2d", True, 1, "Every case is right.", "slide a kernel", 3),
        Hint("conv2d", 1, 3, "Write two loops.\n\nThe window at `(i, j)` begins at `image[i, j]`."),
    )


def violations(page, context=None):
    """What axe-core finds of a part of a page (a CSS selector) that is serious or critical; empty if all is well."""
    response = Axe().run(page, context=context, options=RULES).response
    found = [one for one in response["violations"] if one["impact"] in ("serious", "critical")]
    return [
        f"{one['id']} ({one['impact']}): {node['target']} {node['html'][:300]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.fixture(scope="module")
def browser():
    yield from real_browser.chromium()


@pytest.fixture
def page(browser, request):
    theme, width = request.param
    height = {1280: 800, 390: 844}[width]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": theme, "bypass_csp": True}  # else axe-core cannot run
    yield from real_browser.tab(browser, request, **options)


def check(page, path):
    page.goto(path.as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.events == []


# ---------------------------------------------------------------------------------------------------- pages


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A class's report, and the feedback page of a hand-in of which there is much to tell."""
    course = released_course(tmp_path_factory.mktemp("course"))
    put_class(course)
    notebook = solved(course)
    image = {"image/png": picture(), "text/plain": "<Figure size 640x480 with 1 Axes>"}
    outputs = [
        new_output("display_data", data=image),
        new_output("stream", name="stderr", text="careful\n"),
        new_output("error", ename="ValueError", evalue="what", traceback=[]),
    ]
    cell_of(notebook, "ex-1").outputs = outputs
    remark = "# what is too long for any screen, as remarks in students' code often are; " * 3
    cell_of(notebook, "ex-1").source = f'{remark}\ndef double(x):  # twice\n    """Twice."""\n    return f"{{x}}" and 2 * x + 0x10'
    cell_of(notebook, "think-1").source = "Because **4 x 4**, see:\n\n| a | b |\n|---|---|\n| 1 | $x^2$ |\n\n- `code`\n\n> quoted"
    notebook.cells.insert(3, new_markdown_cell("# A note of mine", id="mine"))
    failed, partly, *_ = cards()
    record = {
        "verdicts": {
            "check-1": verdict(card=failed._repr_html_(), hints=["Write `2 *`.", "Think."]),
            "check-2": verdict("partly", 0.5, 1, card=partly._repr_html_()),
            "check-3": verdict("stopped", 0, 3, message="Stopped after 3 seconds."),
        }
    }
    received = {
        "mends": ["`check-1` had been changed: put back"],
        "graded": {"key": "k", "notes": ["A cell took long."], "record": "keyzoe"},
    }
    put_in(course, "zoe", notebook, {"check-2": 0.5}, {"think-1": "Well put."}, record, received, name=("Zoe", "Example"))
    page_of(course, "zoe")
    for student in ("ann", "bob"):
        page_of(course, student)
    report.report(course, [LESSON])
    return course


EVERY = pytest.mark.parametrize("page", BROWSED, indirect=True, ids=lambda one: f"{one[0]}-{one[1]}")


@EVERY
@pytest.mark.parametrize("student", ["zoe", "ann"])
def test_a_feedback_page_has_no_serious_violation(page, written, student):
    check(page, written.folder("feedback") / student / LESSON / f"{LESSON}.html")


@EVERY
@pytest.mark.parametrize("name", ["index", LESSON])
def test_a_page_of_the_report_has_no_serious_violation(page, written, name):
    check(page, written.root / "report" / f"{name}.html")


CUT = "[...document.querySelectorAll('.scroll, pre')].filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText)"
SPLIT = """[...document.querySelectorAll('td.number, .state')].filter(one => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return new Set([...range.getClientRects()].map(each => Math.round(each.top))).size > 1;
}).map(one => one.innerText)"""


@pytest.mark.parametrize("page", BROWSED[1:2], indirect=True, ids=["phone"])
@pytest.mark.parametrize("name", ["report/index", f"feedback/zoe/{LESSON}/{LESSON}"])
def test_nothing_is_cut_off_on_a_phone(page, written, name):
    page.goto((written.root / f"{name}.html").as_uri())
    assert page.evaluate(CUT) == []
    if "feedback" in name:
        assert page.evaluate(SPLIT) == []  # points and states stay on their lines


@pytest.mark.parametrize("page", BROWSED[:1], indirect=True)
def test_a_violation_is_found(page):
    page.set_content("<html><body><img src='data:,'><p style='color:#aaa;background:#fff'>pale</p></body></html>")
    assert {one.split(" ")[0] for one in violations(page)} >= {"image-alt", "color-contrast", "html-has-lang"}


# ---------------------------------------------------------------------------------------------------- cards in JupyterLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A student's JupyterLab on a notebook whose outputs are cards."""
    folder = tmp_path_factory.mktemp("student") / "work"
    outputs = [new_output("display_data", data={"text/html": card._repr_html_(), "text/plain": str(card)}) for card in cards()]
    notebook = new_notebook(cells=[new_markdown_cell("# Cards"), new_code_cell("check(conv2d)", outputs=outputs)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "notebooks").mkdir(parents=True)
    nbformat.write(notebook, folder / "notebooks" / "cards.ipynb")
    jupyter = tmp_path_factory.mktemp("jupyter")
    settings = jupyter / "config/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"adaptive-theme": True}))  # light or dark as the browser asks
    with real_lab.started(jupyter, "--work", folder) as lab:
        yield lab


@pytest.mark.parametrize("page", [("light", 1280), ("dark", 1280)], indirect=True, ids=["light", "dark"])
def test_a_card_in_jupyterlab_has_no_serious_violation(page, lab):
    page.goto(f"{lab.base}/lab/tree/notebooks/cards.ipynb?token={lab.token}")
    shown = page.locator(".jp-RenderedHTMLCommon > div", has_text="conv2d")
    expect(shown).to_have_count(4)
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false" if dark else "true")
    assert violations(page, ".jp-RenderedHTMLCommon > div") == []
