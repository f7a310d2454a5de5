"""nbgrader's formgrader in a real browser: a grade is given by hand, and what hostile hand-ins bring along does nothing."""

import contextlib
import re
import time

import nbformat
import numpy as np
import pytest
import real_browser
import real_lab
from grading_course import cell_of, hand_in, read, released_course, solved
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from playwright.sync_api import expect
from test_feedback import EVERYTHING, PAYLOADS, page_of, picture, plain
from traitlets.config import Config

from autograder import grading, intake
from autograder.cluster import Pool
from autograder.formgrader import TEMPLATE, Inert
from course_lib.checks.verdict import Failure, Verdict

LESSON = "01_numbers"
MORE = (
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<img src='http://127.0.0.1:1/here.png'>",
    "<a href='javascript:window.ran = 1'>press</a>",
    "<iframe srcdoc='<script>parent.ran = 1</script>'></iframe>",
    "<svg><script>window.ran = 1</script><animate onbegin='window.ran = 1' attributeName=x dur=1s /></svg>",
    "<div class='navbar-fixed-top' style='position:fixed;top:0;left:0;width:100%;height:100%'>over everything</div>",
    "<input class='score' id='think-1'><textarea class='comment'>mine</textarea><button class='full-credit'>Full credit</button>",
    r"$\href{javascript:window.ran=1}{x}$ \(\href{javascript:alert(1)}{y}\) $$\style{position:fixed}{z}\class{score}{u}$$",
    r"\begin{equation}\require{html}\href{javascript:alert(1)}{v}\end{equation} $\unicode{x3c}img src=x onerror=alert(1)\unicode{x3e}$",
)
HOSTILE = (*PAYLOADS, *MORE)
SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='parent.ran = 1'><image href='https://evil.example/a.svg'/></svg>"
SHOWS = f"""from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
def double(x):
    return 2 * x
for payload in {[one.encode("utf-8", "replace").decode() for one in HOSTILE]!r}:
    display(HTML(payload), Markdown(payload), Latex(payload))
    print(payload)
display(SVG({SVG!r}), Javascript("window.ran = 1; alert(1)"))
display({{"text/html": "<script>window.ran = 1</script>", "text/plain": "<script>alert(1)</script>"}}, raw=True)
raise ValueError("<script>window.ran = 1</script><img src=x onerror=alert(1)>")"""


def hostile_metadata(notebook):
    """What intake keeps out, and a notebook that came another way might bring: names and metadata that break out of a tag."""
    out = '"><script>window.ran = 1</script><img src=x onerror=alert(1)>'
    escapes = {"nbgrader": {"grade": True, "solution": True, "task": False, "grade_id": out, "points": out}, "tags": [out]}
    image = {"image/png": picture(), "text/plain": out}
    elsewhere = {"filenames": {"image/png": "https://evil.example/b.png"}, "image/png": {"width": out}}
    outputs = [
        new_output("display_data", data=image, metadata=elsewhere),
        new_output("display_data", data={"image/png": out, "image/jpeg": out}),
        new_output("display_data", data={"text/html": out}, metadata={"text/html": {"isolated": True}}),
        new_output("display_data", data={"text/html": "<div>" * 30_000}),
        new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": out}, "text/vnd.mermaid": out}),
        new_output("stream", name=out, text=out),
        new_output("error", ename=out, evalue=out, traceback=[out, "\x1b[31m" + out]),
    ]
    own = [
        new_markdown_cell(EVERYTHING, id="own-text", metadata=escapes, attachments={"a.png": {"image/svg+xml": SVG}}),
        new_code_cell("%%html\n" + out, id="own-code", metadata=escapes, outputs=outputs),
        new_raw_cell(out, id="own-raw", metadata={"raw_mimetype": "text/html"}),
    ]
    notebook.metadata.title = notebook.metadata.language_info.pygments_lexer = out
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {out: out}}}
    notebook.cells += own
    return notebook


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Three hand-ins, released, collected and graded; to one of them is done what intake would not let through."""
    course = released_course(tmp_path_factory.mktemp("course"))
    folder = course.root / "handed in"
    hand_in(folder, "ada", solved(course))
    for student in ("eve", "mallory"):
        notebook = solved(course)
        cell_of(notebook, "ex-1").source = SHOWS
        cell_of(notebook, "think-1").source = "\n\n".join((EVERYTHING, *MORE)).encode("utf-8", "replace").decode()
        hand_in(folder, student, notebook)
    assert {outcome.state for outcome in intake.collect(course, folder)} == {"collected"}
    with Pool(2) as pool:
        assert {one.state for one in grading.grade(course, [LESSON], pool=pool)} == {"graded"}
    path = course.notebook("autograded", LESSON, "eve")
    notebook = hostile_metadata(read(path))
    matrix = np.array([[1, 2], [3, 4]])
    card = Verdict("double", False, 0, "Not what was asked.", failure=Failure("double(3)", (("x", matrix),), (0, 1), matrix, matrix + 1))
    cell_of(notebook, "check-1").outputs = [new_output("execute_result", data={"text/html": card._repr_html_(), "text/plain": "0"})]
    path.write_text(nbformat.v4.writes(notebook), encoding="utf-8", errors="replace")
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("eve", first_name="<img src=x onerror='window.ran = 1'>", last_name="<script>alert(1)</script>")
    return course


@pytest.fixture(scope="module")
def server(course, tmp_path_factory):
    """JupyterLab on the course's folder, as `make formgrader` starts it."""
    jupyter = tmp_path_factory.mktemp("jupyter")
    with real_lab.started(jupyter, "--formgrader", course.root) as lab:
        yield lab


@pytest.fixture(scope="module")
def browser():
    yield from real_browser.chromium()


@pytest.fixture
def page(browser, request):
    yield from real_browser.tab(browser, request, viewport={"width": 1280, "height": 800})


def log_in(page, server):
    assert page.request.get(f"{server.base}/formgrader/gradebook?token={server.token}").ok  # leaves a cookie


def open_hand_in(page, server, course, student):
    """Open the page on which a hand-in is graded, and wait until the gradebook has filled it in."""
    with course.gradebook() as gradebook:
        name = gradebook.find_submission_notebook(LESSON, LESSON, student).id
    log_in(page, server)
    page.goto(f"{server.base}/formgrader/submissions/{name}/")
    expect(page.locator("#check-1")).to_have_attribute("placeholder", re.compile(r"\d"))
    expect(page.locator("#think-1-comment")).to_have_attribute("placeholder", re.compile("comment"))
    end = time.monotonic() + real_browser.SECONDS
    while not page.evaluate("MathJax.loaded && !jQuery(':animated').length"):  # at last it scrolls, and a click while it does can miss
        assert time.monotonic() < end, "the page does not come to rest"
        page.wait_for_timeout(50)


def assert_nothing_happened(page):
    assert page.events == []
    assert page.evaluate("window.ran") is None
    assert page.url.startswith("http://127.0.0.1:")


def test_a_grade_and_a_comment_are_given_by_clicking_and_typing(page, server, course):
    page.goto(server.address)  # as it is printed, and opened: the list of what is to be graded by hand
    page.get_by_role("link", name=LESSON).click()
    page.get_by_role("link", name=LESSON).last.click()
    expect(page.locator("#main-table tr")).to_have_count(3)
    open_hand_in(page, server, course, "ada")
    answer = page.locator(".nbgrader_cell", has=page.locator("#think-1"))
    expect(answer).to_contain_text("Because 4 x 4 = 16.")
    with page.expect_response(re.compile("/api/grade/")):
        answer.get_by_role("button", name="Full credit").click()
    expect(page.locator("#think-1")).to_have_value("2")
    page.locator("#think-1").fill("1.5")
    with page.expect_response(re.compile("/api/grade/")):
        page.locator("#think-1-comment").click()
    page.keyboard.type("Say why the product counts. <b>")
    with page.expect_response(re.compile("/api/comment/")) as saved:
        page.locator("#think-1").click()  # what is typed is saved when it is left
    assert saved.value.ok
    page.reload()
    expect(page.locator("#think-1")).to_have_value("1.5")
    expect(page.locator("#think-1-comment")).to_have_value("Say why the product counts. <b>")
    assert_nothing_happened(page)
    told = plain(page_of(course, "ada"))
    assert "graded by hand 1.5 of 2" in told
    assert "Comment Say why the product counts. <b>" in told


@pytest.mark.parametrize("student", ["mallory", "eve"])
def test_a_hostile_hand_in_does_nothing(page, server, course, student):
    open_hand_in(page, server, course, student)
    notebook = page.locator("#notebook").first
    expect(notebook).to_contain_text("<script>window.ran = 1</script>")  # as text
    active = (
        "script, iframe, object, embed, form, link, meta, base, svg, math, style, video, audio, a, [onerror], [onload], [class*=navbar]"
    )
    assert notebook.locator(active).count() == 0
    fixed = "[...document.querySelectorAll('#notebook *')].filter(one => getComputedStyle(one).position == 'fixed').length"
    assert page.evaluate(fixed) == 0
    assert page.locator("#think-1").count() == page.locator("#think-1-comment").count() == 1
    for summary in page.locator("#notebook details summary").all():
        summary.click()
    page.locator("#think-1-comment").fill("seen")
    with page.expect_response(re.compile("/api/comment/")):
        page.locator("#think-1").click()
    assert_nothing_happened(page)


def test_a_name_is_shown_as_text(page, server, course):
    open_hand_in(page, server, course, "eve")
    page.locator(".glyphicon.name-hidden").click()
    expect(page.locator(".live-notebook a.name-shown")).to_have_text("<script>alert(1)</script>, <img src=x onerror='window.ran = 1'>")
    page.goto(f"{server.base}/formgrader/manage_students")
    expect(page.get_by_role("link", name="<script>alert(1)</script>")).to_be_visible()
    page.goto(f"{server.base}/formgrader/gradebook/{LESSON}/{LESSON}")
    expect(page.locator("#main-table tr")).to_have_count(3)
    assert_nothing_happened(page)


def test_cards_and_images_look_as_they_should(page, server, course):
    open_hand_in(page, server, course, "eve")
    card = page.locator(".output_html > div", has_text="Not what was asked.")
    expect(card).to_have_css("border-left-width", "6px")
    expect(card).to_have_css("border-left-color", "rgb(179, 89, 0)")
    expect(card.locator("td[style*='#ffd8a8']").first).to_have_css("outline-style", "solid")
    image = page.locator(".output_html img[alt^='Output of this cell']")
    assert image.first.evaluate("one => one.complete && one.naturalWidth") == 3


def test_the_live_notebook_opens_from_the_hand_in(page, server, course):
    open_hand_in(page, server, course, "ada")
    link = page.locator(".live-notebook a:visible").get_attribute("href")
    page.goto(f"{server.base}{link}?token={server.token}")
    expect(page.locator(".jp-Notebook:visible")).to_contain_text("Because 4 x 4 = 16.")


@pytest.mark.parametrize("place", ["notebooks", "lab/tree"])
def test_the_live_notebook_does_nothing_until_it_is_run(page, server, course, place):
    path = course.notebook("autograded", LESSON, "mallory").relative_to(course.root)
    page.goto(f"{server.base}/{place}/{path}?token={server.token}")
    expect(page.locator(".jp-Notebook:visible h1").first).to_be_visible()
    expect(page.locator(".jp-MarkdownOutput", has_text="over everything")).to_be_attached()  # the written answer is rendered
    expect(page.locator(".jp-OutputArea-output", has_text="ontoggle=alert(1)").last).to_be_attached()
    assert page.evaluate("window.ran") is None
    # Notebook 7 itself reports that a setting is missing, for every notebook
    known = "error: Cannot read properties of undefined (reading 'schema')"
    assert [event for event in page.events if not event.startswith("console") and event != known] == []


# ---------------------------------------------------------------------------------------------------- each wall by itself


def render(course, student, *preprocessors):
    """The page of a hand-in as the formgrader makes it, with some other preprocessors."""
    settings = {"template_name": "formgrade", "extra_template_basedirs": [str(TEMPLATE.parents[1])], "preprocessors": [*preprocessors]}
    exporter = HTMLExporter(config=Config({"HTMLExporter": settings}))
    names = {"submission_id": "1", "notebook_id": LESSON, "assignment_id": LESSON, "base_url": "", "index": 0, "total": 1, "student": "s"}
    path = course.notebook("autograded", LESSON, student)
    return exporter.from_filename(str(path), resources=names)[0]


def visit(page, html):
    """Show a page as if a server had sent it, and give what is in it the time to act."""
    page.route("**/*", lambda route: route.abort())
    page.route("http://127.0.0.1:1/", lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
    page.goto("http://127.0.0.1:1/", wait_until="commit")
    with contextlib.suppress(Exception):  # a page that sends its reader elsewhere
        page.wait_for_function("location.href == 'http://127.0.0.1:1/' && document.readyState == 'complete'", timeout=15_000)
        page.wait_for_timeout(300)


class AsItCame(Inert):
    """Only the page's policy: the notebook comes through as it is."""

    def preprocess(self, nb, resources):
        for cell in nb.cells:  # the one thing that a policy does not forbid
            cell.source = cell.source.replace("http-equiv=refresh", "")
        return nb, resources


def test_without_walls_the_same_page_acts(page, course):
    visit(page, render(course, "mallory"))
    assert any(event.startswith("dialog: 1") for event in page.events)
    assert any(event.startswith("request: https://evil.example") for event in page.events)


def test_the_policy_alone_lets_no_script_run(page, course, monkeypatch):
    html = render(course, "mallory", AsItCame)
    html = re.sub(r"<meta [^>]*\brefresh\b[^>]*>", "", html)  # nbconvert writes its attributes in another order
    assert "<script>window.ran = 1</script>" in html
    visit(page, html)
    assert [event for event in page.events if event.startswith(("dialog", "window"))] == []
    assert page.evaluate("window.ran") is None
    assert page.url == "http://127.0.0.1:1/"
