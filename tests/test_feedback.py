"""Feedback pages: what they tell, what they keep to themselves, and that nothing in a hand-in makes them do anything."""

import base64
import html
import io
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from grading_course import cell_of, read, released_course, solved
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from PIL import Image

from autograder import feedback, pages
from autograder.cli import main
from autograder.course import write_json
from course_lib.checks.verdict import Failure, Verdict

LESSON = "01_numbers"
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main header footer nav p h1 h2 h3 div dl dt dd small span strong em del code pre blockquote "
        "ul ol li br hr table caption thead tbody tr th td a details summary section img figure figcaption",
    )
)
ATTRIBUTES = set(re.findall(r"[\w-]+", "lang charset http-equiv content name class id href style alt src aria-label title scope colspan"))
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<img src=https://evil.example/pixel.png>",
    "<svg onload=alert(1)><image href='https://evil.example/a.svg'/></svg>",
    "<iframe src='https://evil.example'></iframe><iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example/'><link rel=stylesheet href='https://evil.example/a.css'>",
    "<form action='https://evil.example'><input autofocus onfocus=alert(1)><button>ok</button></form>",
    "<style>@import url(https://evil.example/a.css); body{background:url(https://evil.example/b)}</style>",
    '<p style="background:url(https://evil.example/c);position:fixed">x</p>',
    "<a href='javascript:alert(1)'>x</a><a href='data:text/html,<script>alert(1)</script>'>y</a>",
    "<details open ontoggle=alert(1)>x</details><body onload=alert(1)>",
    "</pre></code></title></style></div><script>alert(1)</script>",
    "<object data='https://evil.example'></object><embed src='https://evil.example'><video src='https://evil.example/v' autoplay></video>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template><portal src='https://evil.example'></portal>",
    "{{ 7 * 7 }}{% for x in y %}",
    "\u202egnp.exe\u202c\u2066\x00\x1b]8;;https://evil.example\x07 \ud83d <\u0131mg src=x>",
    "\uff1cscript\uff1ealert(1)\uff1c/script\uff1e <scr\u0000ipt>alert(1)</scr\u0000ipt>",
)
MARKDOWN = (
    *PAYLOADS,
    "[a](javascript:alert(1)) ![b](https://evil.example/b.png) ![c](javascript:alert(1)) <https://evil.example>",
    "[a]: javascript:alert(1)\n\n[a] ![d](data:image/svg+xml;base64,PHN2Zy8+) [e](<javascript:alert(1)> 'x\" onmouseover=alert(1)')",
    "| a | b |\n|---|:-:|\n| <script>alert(1)</script> | `<img src=x onerror=alert(1)>` |",
    '```html" onload=alert(1)\n<script>alert(1)</script>\n```\n',
    "$<script>alert(1)</script>$\n\n$$\n</code><img src=x onerror=alert(1)>\n$$",
    "<!-- --> <![CDATA[<script>alert(1)</script>]]> <?php ?>\n\n# <script>alert(1)</script>\n\n> " * 30,
)
EVERYTHING = "\n\n".join(MARKDOWN)


class Audit(HTMLParser):
    """Every tag and attribute of a page must be one that does nothing."""

    def __init__(self):
        super().__init__()
        self.found, self.policies, self.styles = [], [], 0

    def handle_starttag(self, tag, attributes):
        self.styles += tag == "style"
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        values = dict(attributes)
        for name, value in attributes:
            value = (value or "").strip()
            if name not in ATTRIBUTES or (name == "href" and not value.startswith("#")):
                self.found.append(f"<{tag} {name}={value[:60]}>")
            if name == "src" and not re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", value):
                self.found.append(f"<{tag} src={value[:60]}>")
            if name == "style" and re.search(r"url|expression|import|[@\\<]|position|-\d+(?!px)", value.replace("var(--jp-", "")):
                self.found.append(f"<{tag} style={value[:60]}>")
        if tag == "meta" and "http-equiv" in values:
            self.policies.append((values["http-equiv"], values["content"]))


def assert_inert(page):
    audit = Audit()
    audit.feed(page)
    assert audit.found == []
    assert audit.styles == 1
    [(kind, policy)] = audit.policies
    assert kind == "Content-Security-Policy"
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert page.index("Content-Security-Policy") < page.index("<style>")


def picture(form="PNG", size=(3, 2)):
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, form)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return released_course(tmp_path_factory.mktemp("course"))


def put_in(course, student, notebook, scores=None, comments=None, record=None, received=None, waiting=("think-1",), name=("", "")):
    """A graded hand-in, made by hand: graded notebook, gradebook, intake's record and the run's."""
    path = course.notebook("autograded", LESSON, student)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, notebook)  # in ASCII: half a surrogate pair comes through
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student(student, first_name=name[0], last_name=name[1])
        [book] = gradebook.update_or_create_submission(LESSON, student).notebooks
        for grade in book.grades:
            grade.auto_score = (scores or {}).get(grade.name, 0)
            grade.needs_manual_grade = grade.name in waiting
        for comment in book.comments:
            told = (comments or {}).get(comment.name)
            comment.manual_comment = told and told.encode(errors="replace").decode()
        gradebook.db.commit()
    facts = {"student": student, "lesson": LESSON, "kept": "2026-03-01", "handed_in": "2026-03-01T12:34:56Z", "notebook_sha256": "0"}
    graded = {"graded": {"key": "k", "notes": []}}
    if record is not None:
        write_json(course.root / "records" / f"key{student}.json", record)
        graded["graded"]["record"] = f"key{student}"
    write_json(course.received / student / LESSON / "2026-03-01.json", facts | graded | (received or {}))


def page_of(course, student):
    [(_, _, problem)] = list(feedback.feedback(course, [LESSON], student))
    assert problem is None
    return (course.folder("feedback") / student / LESSON / f"{LESSON}.html").read_text(encoding="utf-8")


def plain(page):
    """The text that a reader sees."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page.partition("<main>")[2])))


def verdict(state="wrong", points=0, of=2, **more):
    empty = {"exercise": "double", "title": "twice as much", "message": "", "misconception": None, "sentence": "", "hints": [], "card": ""}
    return empty | {"points": points, "of": of, "state": state, "seconds": 0.1} | more


def hostile_notebook(course):
    notebook = solved(course)
    outputs = [new_output("stream", name=name, text=EVERYTHING) for name in ("stdout", "stderr", "<b>")]
    for payload in PAYLOADS:
        data = {"text/html": payload, "image/svg+xml": payload, "text/plain": payload, "application/javascript": "alert(1)"}
        outputs.append(new_output("display_data", data=data, metadata={"<script>": payload}))
        outputs.append(new_output("display_data", data={"image/png": payload, "text/plain": payload}))
        outputs.append(new_output("error", ename=payload, evalue=payload, traceback=[f"Cell In[1], line 1\n{payload}"]))
    outputs.append(new_output("display_data", data={"image/png": picture(), "text/plain": '"><script>alert(1)</script>'}))
    cell_of(notebook, "think-1").source = EVERYTHING
    for name in ("ex-1", "ex-2", "ex-3"):
        cell_of(notebook, name).source = EVERYTHING
    cell_of(notebook, "ex-1").outputs = outputs
    for number, payload in enumerate(MARKDOWN):
        notebook.cells.insert(1, new_markdown_cell(payload, id=f"own-{number}", metadata={"class": payload}))
        notebook.cells.insert(1, new_code_cell(payload, id=f"own-code-{number}"))
    for name in ("check-1", "check-2", "check-3"):
        bundle = {"text/html": EVERYTHING, "text/plain": "0"}
        cell_of(notebook, name).outputs = [new_output("execute_result", data=bundle, execution_count=1)]
    cell_of(notebook, "check-3").outputs = [new_output("error", ename="<script>", evalue=EVERYTHING, traceback=[EVERYTHING])]
    for cell in notebook.cells:
        cell.metadata["evil"] = EVERYTHING
    return notebook


@pytest.fixture(scope="module")
def hostile_pages(course):
    notebook = hostile_notebook(course)
    received = {"notes": list(PAYLOADS), "mends": list(PAYLOADS), "graded": {"key": "k", "notes": list(PAYLOADS)}}
    comments = dict.fromkeys(("ex-1", "ex-2", "think-1"), EVERYTHING)
    name = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>\u202e')
    put_in(course, "fallback", notebook, comments=comments, received=received, name=name)
    nasty = verdict(
        card=f"<div>{EVERYTHING}</div>", message=EVERYTHING, title=PAYLOADS[0], exercise=PAYLOADS[1], hints=[EVERYTHING, 3, None],
        misconception=PAYLOADS[2], sentence=EVERYTHING,
    )  # fmt: skip
    record = {
        "verdicts": {"check-1": nasty, "check-2": nasty | {"card": ""}, "check-3": "<script>"},
        "cells": {"ex-2": {"outputs": cell_of(notebook, "ex-1").outputs}, "ex-3": {"outputs": [{"output_type": 3}, 7, {"data": []}]}},
    }
    received["graded"]["record"] = "keyrecorded"
    put_in(course, "recorded", notebook, comments=comments, record=record, received=received, name=name)
    return {student: page_of(course, student) for student in ("fallback", "recorded")}


@pytest.mark.parametrize("student", ["fallback", "recorded"])
def test_nothing_in_a_hostile_hand_in_is_active_on_its_page(hostile_pages, student):
    assert_inert(hostile_pages[student])
    assert "\u202e" not in hostile_pages[student]
    assert "U+202E" in hostile_pages[student]


@pytest.mark.parametrize("guarded", [True, False], ids=["as it is", "without its policy"])
@pytest.mark.parametrize("student", ["fallback", "recorded"])
def test_a_browser_asks_for_nothing_and_runs_nothing(hostile_pages, tmp_path, student, guarded):
    page = hostile_pages[student]
    if not guarded:
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
        assert "Content-Security-Policy" not in page
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    assert browse(path) == []


def browse(path):
    """Open a page in Chromium; return all that it does besides being shown."""
    from playwright.sync_api import sync_playwright

    events = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        tab.on("request", lambda request: events.append(request.url) if request.url != path.as_uri() else None)
        tab.on("console", lambda message: events.append(message.text))
        tab.on("pageerror", lambda error: events.append(str(error)))
        tab.on("dialog", lambda dialog: (events.append("a dialog"), dialog.dismiss()))
        tab.on("popup", lambda popup: events.append("a window"))
        tab.goto(path.as_uri())
        tab.wait_for_timeout(300)
        for summary in tab.query_selector_all("summary"):
            summary.click()
        tab.wait_for_timeout(200)
        active = "script, iframe, frame, object, embed, form, input, link, base, svg script, video, audio, [onerror], [onload]"
        events += [f"<{name}>" for name in tab.evaluate(f"[...document.querySelectorAll('{active}')].map(one => one.tagName)")]
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    return [event for event in events if not event.startswith("data:image/")]


def test_a_flood_of_output_and_cells_makes_a_page_of_bounded_size(course):
    notebook = solved(course)
    cell = cell_of(notebook, "ex-1")
    cell.outputs = [new_output("stream", name="stdout", text="y" * 9_000_000)]
    cell.outputs += [new_output("display_data", data={"text/plain": "z" * 50_000}) for _ in range(500)]
    cell.source = "x = 1  # " + "long " * 200_000
    own = [new_code_cell("def f(x):\n    return x\n" * 2000, id=f"own-{number}") for number in range(150)]
    own += [new_markdown_cell("*a* " * 40_000, id=f"text-{number}") for number in range(50)]
    notebook.cells = own + notebook.cells
    put_in(course, "flood", notebook)
    start = time.monotonic()
    page = page_of(course, "flood")
    assert len(page) < 10_000_000
    assert time.monotonic() - start < 60
    assert "is left out here" in page
    assert_inert(page)
    course.notebook("autograded", LESSON, "flood").unlink()


# ---------------------------------------------------------------------------------------------------- what a page tells


def test_points_states_and_comments_stand_on_the_page(course):
    record = {"verdicts": {"check-1": verdict("right", 2), "check-2": verdict("stopped", of=1), "check-3": verdict("partly", 1, 3)}}
    comments = {"think-1": "Good <thought>.\nMore detail next time.", "ex-3": "Mind the unit."}
    put_in(course, "ada", solved(course), {"check-1": 2, "check-3": 1}, comments, record, name=("Ada", "Lovelace"))
    page = page_of(course, "ada")
    text = plain(page)
    assert "Ada Lovelace (ada) · handed in 2026-03-01 12:34 UTC" in text
    assert "3 of 8 points so far" in text
    assert "by tests 3 of 6" in text
    assert "not graded yet (2 points)" in text
    assert re.search(r"double: twice as much right 2 of 2", text)
    assert re.search(r"stopped 0 of 1", text)
    assert re.search(r"partly right 1 of 3", text)
    assert "Comment Good <thought>. More detail next time." in text
    assert "Mind the unit." in text
    assert '<a href="#exercise-1">' in page
    assert '<section id="exercise-1">' in page


def test_a_grade_by_hand_counts_and_says_so(course):
    put_in(course, "byhand", solved(course), {"check-1": 2, "check-2": 1})
    with course.gradebook() as gradebook:
        grades = {grade.name: grade for grade in gradebook.find_submission_notebook(LESSON, LESSON, "byhand").grades}
        grades["think-1"].manual_score, grades["think-1"].needs_manual_grade = 1.5, False
        grades["check-2"].manual_score = 0.5
        gradebook.find_submission_notebook(LESSON, LESSON, "byhand").late_submission_penalty = 1
        gradebook.db.commit()
    text = plain(page_of(course, "byhand"))
    assert "3 of 8 points" in text
    assert "by hand 1.5 of 2" in text
    assert "late penalty −1" in text
    assert "graded by hand 1.5 of 2" in text
    assert "Your instructor set these points by hand; the test gave 1." in text


def test_the_card_keeps_its_table_its_colors_and_its_slip(course):
    answer = Verdict("double", False, 0.0, "1 of 3 cases are right.", "twice as much", 2, "one-too-many", "You added `1`.")
    put_in(
        course, "card", solved(course), record={"verdicts": {"check-1": verdict(card=answer._repr_html_(), hints=["Use `*`.", "2 * x"])}}
    )
    page = page_of(course, "card")
    assert "border-left-color:#b35900" in page
    assert "<strong>Known slip: one too many.</strong> You added <code>1</code>." in page
    assert "2 hints, from gentle to almost the answer" in page
    assert "<li>Use <code>*</code>.</li>" in page


def test_hints_stay_away_from_who_is_right(course):
    put_in(course, "right", solved(course), {"check-1": 2}, record={"verdicts": {"check-1": verdict("right", 2, hints=["Use `*`."])}})
    assert "hint" not in plain(page_of(course, "right"))


def test_a_verdict_without_a_card_is_told_in_words(course):
    told = verdict(message="It gives 7, not `6`.", misconception="one-too-many", sentence="You added one.")
    put_in(course, "words", solved(course), record={"verdicts": {"check-1": told}})
    assert "It gives 7, not 6 . Known slip: one too many. You added one." in plain(page_of(course, "words"))


def test_a_random_case_and_its_seed_are_kept_back(course):
    failure = Failure("double(x)", (("x", 73),), None, 146, 147, seed=424242)
    answer = Verdict("double", False, 0.0, "2 of 3 cases are right.", "twice as much", 2, failure=failure, advice="Look again.")
    for student, record in (("seed", {"verdicts": {"check-1": verdict(card=answer._repr_html_())}}), ("seed-plain", None)):
        notebook = solved(course)
        bundle = {"text/html": answer._repr_html_(), "text/plain": "0"}
        cell_of(notebook, "check-1").outputs = [new_output("execute_result", data=bundle, execution_count=1)]
        put_in(course, student, notebook, record=record)
        page = page_of(course, student)
        assert "424242" not in page
        assert "146" not in plain(page)
        assert "2 of 3 cases are right." in page
        assert "It fails in a case that was drawn at random while grading." in page


def test_no_test_is_on_the_page_nor_what_it_prints(course):
    notebook = solved(course)
    cell_of(notebook, "check-1").outputs = [new_output("stream", name="stdout", text="hidden case 99")]
    cell_of(notebook, "check-2").outputs = [new_output("error", ename="AssertionError", evalue="expected 42", traceback=["secret line"])]
    put_in(course, "tests", notebook)
    page = page_of(course, "tests")
    assert "double(3) == 6" not in plain(page)
    assert "hidden case" not in page
    assert "expected 42" not in page
    assert "secret line" not in page
    assert "The check ended with an error: AssertionError." in page


def test_plain_reasons_of_grading_are_shown(course):
    notebook = solved(course)
    reason = "Stopped after 3 seconds. Does a loop never end?"
    cell_of(notebook, "check-1").outputs = [new_output("error", ename="CellTimeoutError", evalue=reason, traceback=[reason])]
    put_in(course, "stopped", notebook, received={"graded": {"key": "k", "notes": [f"check-1: {reason}"]}})
    text = plain(page_of(course, "stopped"))
    assert text.count(reason) == 2
    assert "stopped 0 of 2" in text


def test_errors_show_the_students_own_lines_and_no_path(course):
    notebook = solved(course)
    frames = [
        "\x1b[31m-----\x1b[0m", "ValueError  Traceback", "Cell \x1b[32mIn[3], line 2\x1b[0m\n      1 x = 1\n----> 2 f(x)",
        f"File {Path(feedback.__file__)}:12, in f(x)\n     11 secret = 1", "ValueError: /home/grader/course/data.npy is gone",
    ]  # fmt: skip
    out = [new_output("error", ename="ValueError", evalue="/home/grader/course/data.npy is gone", traceback=frames)]
    warning = "/tmp/ipykernel_17/123456.py:3: RuntimeWarning: overflow\n/usr/lib/python3/numpy/core.py:1: x\nratio 3/4, and/or, 50%\r100%\n"
    lines = ["  Cell In[4], line 1\n    def g(:\n          ^\nSyntaxError: invalid syntax\n"]
    out.append(new_output("error", ename="SyntaxError", evalue="invalid syntax (2445660835.py, line 1)", traceback=lines))
    cell_of(notebook, "ex-1").outputs = [new_output("stream", name="stderr", text=warning), *out]
    put_in(course, "errors", notebook)
    text = plain(page_of(course, "errors"))
    assert "In[3], line 2" in text
    assert "----> 2 f(x)" in text
    assert "ValueError: …/data.npy is gone" in text
    assert "a cell:3: RuntimeWarning: overflow" in text
    assert "Cell In[4], line 1 def g(:" in text
    assert "SyntaxError: invalid syntax (a cell, line 1)" in text
    assert "…/core.py:1: x" in text
    assert "100%" in text
    for hidden in ("secret", "/home/", "/usr/", "/tmp/", "autograder/feedback", "\x1b", "50%"):
        assert hidden not in text


def test_images_are_png_and_jpeg_that_are_what_they_say(course):
    notebook = solved(course)
    fake = base64.b64encode(b"<svg onload=alert(1)>").decode()
    bundles = [
        {"image/png": picture(), "text/plain": "<Figure>"},
        {"image/jpeg": picture("JPEG")},
        {"image/png": picture("GIF"), "text/plain": "a gif"},
        {"image/png": fake, "text/plain": "a fake"},
        {"image/png": picture(size=(9000, 9000)), "text/plain": "a bomb"},
        {"image/png": "A" * 9_000_000, "text/plain": "much"},
        {"image/svg+xml": "<svg/>", "text/html": "<b>", "text/plain": "drawn"},
        {"text/html": "<b>"},
    ]
    cell_of(notebook, "ex-1").outputs = [new_output("display_data", data=bundle) for bundle in bundles]
    put_in(course, "images", notebook)
    page = page_of(course, "images")
    assert page.count('src="data:image/png;base64,') == 1
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert 'alt="Output of this cell: &lt;Figure&gt;"' in page
    assert page.count("An image that cannot be shown here.") == 3
    assert "An image that is too large to be shown here. much" in page
    assert "<pre>drawn</pre>" in page
    assert "An output of a kind that is not shown here." in page


def test_the_page_is_about_the_students_own_work(course):
    notebook = solved(course)
    notebook.cells.insert(3, new_code_cell("helper = 1", id="students-own-1"))
    notebook.cells.append(new_markdown_cell("Thanks for the *course*.", id="students-own-2"))
    cell_of(notebook, "imports").source = "import math, random"
    put_in(course, "own", notebook)
    page = page_of(course, "own")
    text = plain(page)
    assert "A cell of your own helper = 1" in text
    assert "A cell of the lesson that you changed import math , random" in text
    assert "Well done." not in text
    assert "After the last exercise" in text
    assert "Thanks for the <em>course</em>." in page
    assert "<summary>The question</summary>" in page
    assert "<p>Why?</p>" in page


def test_what_was_not_touched_is_not_done_rather_than_wrong(course):
    put_in(course, "untouched", read(course.notebook("release", LESSON)), waiting=())
    text = plain(page_of(course, "untouched"))
    assert text.count("not done") >= 4 * 2
    assert "not yet" not in text.replace("not done yet", "")


def test_a_hand_in_that_could_not_be_read_says_why(course):
    received = {"problem": "The file `a.ipynb` is empty."}
    put_in(course, "unread", read(course.notebook("release", LESSON)), received=received, waiting=())
    page = page_of(course, "unread")
    assert "This hand-in could not be read." in page
    assert "The file <code>a.ipynb</code> is empty." in page
    assert "<section" not in page
    assert "not done" not in plain(page).replace("It counts as not done.", "")  # the box alone, no row for each exercise


def test_a_newer_hand_in_that_waits_is_announced(course):
    put_in(course, "newer", solved(course))
    assert "A newer hand-in" not in page_of(course, "newer")
    newer = {"kept": "2026-03-02", "handed_in": "2026-03-02T00:00:00Z", "notebook_sha256": "1", "student": "newer", "lesson": LESSON}
    write_json(course.received / "newer" / LESSON / "2026-03-02.json", newer)
    assert "A newer hand-in of yours waits to be graded." in page_of(course, "newer")


def test_a_grading_that_failed_is_told(course):
    put_in(course, "failed", solved(course), received={"graded": {"key": None, "notes": ["Not graded: the disk was full"]}})
    page = page_of(course, "failed")
    text = plain(page)
    assert "could not be graded yet. That is no fault of yours" in text
    assert "Your instructor sees this too and can grade it again." in text
    assert "For your instructor: Not graded: the disk was full" in text
    assert "<section" not in page
    assert "0 of" not in text


@pytest.fixture
def in_tokyo(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_times_are_local_and_say_their_zone(course):
    put_in(course, "abroad", solved(course))
    assert "handed in 2026-03-01 21:34 JST" in plain(page_of(course, "abroad"))


def test_a_name_that_only_the_platform_knows_is_used(course):
    put_in(course, "s1", solved(course), received={"from": {"system": "moodle", "id": "7", "name": "Mo Lund"}})
    assert "Feedback for Mo Lund (s1)" in plain(page_of(course, "s1"))
    put_in(course, "s2", solved(course), received={"from": {"system": "moodle", "id": "7", "name": 7}})
    assert "Feedback for s2 ·" in plain(page_of(course, "s2"))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, ""), (30, "less than a minute"), (60, "1 minute"), (7500, "2 hours 5 minutes"), (90_000, "1 day 1 hour"), (172_800, "2 days")],
)
def test_lateness_in_words(seconds, words):
    assert feedback.late_by(seconds) == words


def test_mathematics_stays_readable_and_whole():
    shown = pages.markdown("The sum $a_1 * b_1 < c_1 * d$ and\n\n$$\n\\sum_i x_i\n$$\n")
    assert '<code class="math">$a_1 * b_1 &lt; c_1 * d$</code>' in shown
    assert '<code class="math">$$\\sum_i x_i$$</code>' in shown


def test_deep_nesting_is_shown_one_way_or_another():
    for text in (">" * 15_000, "[" * 15_000, "*a" * 7000, "- " * 7000, "<div>" * 3000, "![" * 7000):
        assert "<script" not in pages.markdown(text)


def test_one_bad_notebook_does_not_stop_the_others(course, capsys):
    put_in(course, "zz-good", solved(course))
    path = course.notebook("autograded", LESSON, "aa-bad")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    outcome = {student: problem for student, _, problem in feedback.feedback(course, [LESSON])}
    assert outcome["zz-good"] is None
    assert "The gradebook has no grade of it. Grade it again: python -m autograder grade" in outcome["aa-bad"]
    assert main(["--course", str(course.root), "feedback", "1", "--student", "aa-bad"]) == 1
    assert "has no grade of it" in capsys.readouterr().out
    path.unlink()
