"""The book: what stands in it and what does not, that it needs no network, and what it does in a real browser from a disk."""

import ast
import json
import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from playwright.sync_api import expect
from real_browser import chromium, tab
from sphinx.search.en import SearchEnglish
from test_accessibility import violations

from book import build

RUN = {"00_start_here", "01_hand_calculations"}  # the lessons that the tests run; the others stand there without outputs
LESSONS = [path.stem for path in build.lessons("solutions")]
TELLING = re.compile(r"[A-Za-z]{7,}|\d[\d,]{3,}")
MODULES = sorted(path.stem for path in (build.ROOT / "course_lib").iterdir() if path.is_dir() or path.suffix == ".py")
# what sets up and starts the course, and no lesson imports
HOUSEKEEPING = {"__init__", "__main__", "__pycache__", "install", "jupyter", "workspace"}


class Page(HTMLParser):
    """A page of the book: its ids, its text, what it refers to as (tag, relation, address)."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ids, self.references, self.words = path, set(), [], []
        self._silent = 0
        self.feed(path.read_text(encoding="utf-8"))
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._silent += tag in ("script", "style")
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        self.references += [(tag, attributes.get("rel"), attributes[name]) for name in ("href", "src", "srcset") if attributes.get(name)]

    def handle_endtag(self, tag):
        self._silent -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._silent:
            self.words.append(data)


def pages(folder):
    """All pages of a book, by their path in it."""
    found = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.html"))}
    return {name: _page(path) for name, path in found.items() if not name.startswith("_static/")}  # there the theme keeps parts of pages


_page = cache(Page)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book") / "book"
    build.build(folder, only=RUN)
    return folder


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book") / "student"
    build.build(folder, student=True, only=RUN)
    return folder


@pytest.fixture(params=["book", "student"])
def either(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def browser(book, student):
    """Once both books are made: where Playwright works, nothing else that runs asynchronously can be started."""
    yield from chromium()


@pytest.fixture
def page(browser, request):
    yield from tab(browser, request, viewport={"width": 1280, "height": 800})


# ------------------------------------------------------------------------------------------------ what stands in it


def test_every_lesson_has_a_page(either):
    assert [path.stem for path in sorted((either / "lessons").glob("*.html"))] == LESSONS
    assert len(LESSONS) == 9
    links = {reference for _, _, reference in pages(either)["index.html"].references}
    assert {f"lessons/{lesson}.html" for lesson in LESSONS} <= links


def test_every_module_that_lessons_use_has_a_page_of_reference(either):
    documented = {path.stem.removeprefix("course_lib.") for path in (either / "api").glob("course_lib.*.html")}
    assert documented == set(MODULES) - HOUSEKEEPING
    text = pages(either)["api/course_lib.arithmetic.html"].text
    assert "output_size" in text
    assert "Parameters" in text


def test_the_whole_book_has_the_instructors_pages_and_the_students_lacks_their_guide(book, student):
    assert {"instructors_guide.html", "classroom.html", "proofs.html", "security.html", "api.html"} <= set(pages(book))
    assert set(pages(book)) - set(pages(student)) == {"instructors_guide.html", "classroom.html"}
    assert "Instructors" not in pages(student)["index.html"].text


def test_check_cells_are_shown_with_their_cards(book):
    text = pages(book)["lessons/01_hand_calculations.html"].text
    graded = [cell for cell in solutions("01_hand_calculations") if build.is_test(cell)]
    assert len(re.findall(r"Right: \S+, [^()]*\(\d+ of \d+ points?\)", text)) == len(graded) > 20


def test_an_explorer_and_a_widget_leave_their_still_picture():
    shown = {"text/html": "<p>still</p>", "text/plain": "plain", build.WIDGET: {"model_id": "1"}}
    cell = nbformat.v4.new_code_cell("explorers.sliding_window()", outputs=[nbformat.v4.new_output("execute_result", data=shown)])
    notebook = build.tidy(nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}}))
    assert notebook.cells[0].outputs[0].data == {"text/html": "<p>still</p>", "text/plain": "plain"}
    assert notebook.metadata == {}


def test_a_lesson_that_raises_is_no_book(tmp_path):
    path = tmp_path / "lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")]), path)
    with pytest.raises(build.BookError, match="ZeroDivisionError"):
        build.asyncio.run(build.run(path, forgiving=False))
    ran = build.asyncio.run(build.run(path, forgiving=True))
    assert build.open_questions(ran).cells[0].outputs == []


# ------------------------------------------------------------------------------------------------ no answers for students


def solutions(lesson):
    return nbformat.read(build.ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4).cells


def answers():
    """Every model answer, as lines of text."""
    lines = []
    for lesson in LESSONS:
        for cell in solutions(lesson):
            if build.is_answer(cell) and cell.cell_type == "markdown":
                lines += cell.source.splitlines()
            elif build.is_answer(cell):
                lines += [
                    line for part in re.findall(r"BEGIN SOLUTION\n(.*?)### END", cell.source, re.DOTALL) for line in part.splitlines()
                ]
    return [" ".join(line.split()) for line in lines]


def plain(line):
    """A line of an answer as a page shows it: without Markdown's marks."""
    return re.sub(r"[*`]", "", line)


def given():
    """All that students get to read: the released lessons, the pages, and the library."""
    library = [path for path in (build.ROOT / "course_lib").rglob("*.py") if not (path.parent.name == "checks" and "lesson" in path.name)]
    texts = [path.read_text(encoding="utf-8") for path in library]
    texts += [path.read_text(encoding="utf-8") for path in build.BOOK.glob("*.md") if path.name not in build.INSTRUCTORS_PAGES]
    for lesson in LESSONS:
        notebook = nbformat.read(build.ROOT / "notebooks" / lesson / f"{lesson}.ipynb", as_version=4)
        texts += [cell.source for cell in notebook.cells]
    return "\n".join(texts)


def words(text, pattern=TELLING):
    return {word.lower().replace(",", "") for word in re.findall(pattern, text)}


def lines_found(folder):
    """The lines of answers, long enough to be nobody else's, that stand in a book."""
    released = " ".join(given().split())
    telling = [line for line in answers() if len(line) > 25 and line not in released]
    assert len(telling) > 300
    text = "\n".join(page.text for page in pages(folder).values())
    return [line for line in telling if line in text or plain(line) in text]


def test_the_students_book_holds_no_line_of_an_answer(book, student):
    assert len(lines_found(book)) > 250
    assert lines_found(student) == []


def test_the_students_book_holds_no_number_and_no_word_that_only_answers_have(book, student):
    secret = words("\n".join(answers())) - words(given())
    assert len([word for word in secret if word.isdigit()]) > 5
    shown = {folder: words("\n".join(page.text for page in pages(folder).values())) for folder in (book, student)}
    assert len(secret & shown[book]) > 50
    assert secret & shown[student] == set()


def test_the_students_search_does_not_find_what_only_answers_say(book, student):
    stem = SearchEnglish({}).stem
    secret = {stem(word) for word in words("\n".join(answers()))} - {stem(word) for word in words(given(), "[A-Za-z]+|[0-9,]+")}
    terms = {folder: set(index(folder)["terms"]) | set(index(folder)["titleterms"]) for folder in (book, student)}
    assert len(secret & terms[book]) > 15
    assert secret & terms[student] == set()


def index(folder):
    """What the search of a book looks things up in."""
    text = (folder / "searchindex.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("Search.setIndex(").rstrip().removesuffix(")"))


def test_the_students_book_comes_with_no_source_of_a_page(student):
    assert [path for path in student.rglob("*") if path.suffix in (".ipynb", ".md", ".rst", ".py")] == []
    assert not list((student / "_sources").rglob("*.*"))


def test_below_what_waits_for_an_answer_nothing_stands(student):
    text = pages(student)["lessons/01_hand_calculations.html"].text
    for absent in ("Show a model answer", "NotImplementedError: not done yet", "Right: ", "Traceback", "Not done yet"):
        assert absent not in text


def test_a_model_answer_stands_under_the_blank_that_students_get():
    path = build.lessons("solutions")[2]
    blank = nbformat.read(build.ROOT / "notebooks" / path.stem / path.name, as_version=4)
    cells = build.folded(nbformat.read(path, as_version=4), blank).cells
    found = [number for number, cell in enumerate(cells) if cell.id.endswith("-answer")]
    assert len(found) == sum(build.is_answer(cell) and cell.cell_type == "code" for cell in solutions(path.stem)) > 5
    for number in found:
        above, opens, answer, closes = cells[number - 2 : number + 2]
        assert above.source == next(cell.source for cell in blank.cells if f"{cell.id}-answer" == answer.id)
        assert (opens.source, closes.source) == (build.OPENS, "</details>")
        assert "SOLUTION" not in answer.source
        ast.parse(answer.source)


# ------------------------------------------------------------------------------------------------ nothing from a network


def test_no_page_takes_anything_from_a_network(either):
    fetched = [
        (name, reference)
        for name, page in pages(either).items()
        for reference in page.references
        if not (reference[0] == "a" or reference[1:] == ("license", reference[2])) and re.match(r"(\w+:)?//", reference[2])
    ]
    assert fetched == []


def test_no_style_takes_anything_from_a_network(either):
    texts = {path: path.read_text(encoding="utf-8") for path in either.rglob("*.css")}
    texts |= {page.path: "".join(re.findall(r"<style.*?</style>", page.path.read_text(), re.DOTALL)) for page in pages(either).values()}
    assert len(texts) > 10
    assert {
        path.name: found for path, text in texts.items() if (found := re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//\S*", text))
    } == {}


def test_links_within_the_book_lead_somewhere(either):
    everything, broken, count = pages(either), [], 0
    for name, page in everything.items():
        for _, _, reference in page.references:
            address = urlsplit(reference)
            if address.scheme or address.netloc:
                continue
            target = (page.path.parent / unquote(address.path)).resolve() if address.path else page.path
            fragment = unquote(address.fragment)
            count += 1
            if not target.is_file() or (fragment and target.suffix == ".html" and fragment not in _page(target).ids):
                broken.append((name, reference))
    assert count > 1000
    assert broken == []


# ------------------------------------------------------------------------------------------------ in a browser, from a disk


def test_all_pages_open_without_an_error_and_ask_nothing_of_another_machine(page, either):
    for path in pages(either).values():
        page.goto(path.path.as_uri())
        expect(page.locator("h1:visible").first).to_be_visible()
    assert page.events == []


def test_one_reads_on_by_clicking(page, book):
    page.goto((book / "index.html").as_uri())
    page.locator(".bd-article").get_by_role("link", name="Welcome to Learning to See").click()
    for lesson in LESSONS[1:]:
        page.locator(".prev-next-footer a.right-next").click()
        expect(page).to_have_url((book / "lessons" / f"{lesson}.html").as_uri())
    assert page.events == []


def test_formulas_are_drawn(page, book):
    page.goto((book / "lessons" / "01_hand_calculations.html").as_uri())
    expect(page.locator("mjx-container svg").first).to_be_visible()
    expect(page.locator(".math", has_text="\\(")).to_have_count(0)
    assert page.events == []


def test_the_search_finds_the_receptive_field(page, book):
    page.goto((book / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.locator("input[type=search]:visible").fill("receptive field")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a", has_text="Lesson 5").first
    found.click()
    expect(page).to_have_url(re.compile(r"lessons/05_stacked_convolutions\.html"))
    assert page.events == []


def test_an_answer_opens_and_closes(page, book):
    page.goto((book / "lessons" / "01_hand_calculations.html").as_uri())
    answer = page.locator("details.answer").first
    code = answer.locator("pre", has_text="answer_1_1")
    expect(code).to_be_hidden()
    answer.get_by_text("Show a model answer").click()
    expect(code).to_be_visible()
    page.keyboard.press("Enter")
    expect(code).to_be_hidden()
    assert page.events == []


def test_a_quiz_answers(page, student):
    page.goto((student / "lessons" / "00_start_here.html").as_uri())
    page.locator(".Quiz").first.get_by_text("Nothing", exact=True).click()
    expect(page.locator(".Quiz .Feedback").first).to_contain_text("Right.")
    assert page.events == []


def color(page, selector, name):
    """The red, green, blue and perhaps alpha that an element has."""
    value = page.locator(selector).first.evaluate(f"element => getComputedStyle(element)['{name}']")
    return [float(part) for part in re.findall(r"[\d.]+", value)]


def test_in_the_dark_the_page_is_dark_the_figures_are_on_white_and_the_cards_are_dark(page, book):
    page.goto((book / "lessons" / "01_hand_calculations.html").as_uri())
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    card = ".cell_output .text_html > div[style*='border-left-color']"
    assert sum(color(page, "body", "background-color")[:3]) < 150
    assert color(page, ".cell_output img", "background-color") == [255, 255, 255]
    assert sum(color(page, card, "background-color")[:3]) < 150
    assert sum(color(page, card, "color")[:3]) > 500
    assert page.events == []


PAGES = ("index", "lessons/00_start_here", "lessons/01_hand_calculations", "api/course_lib.convolution", "proofs", "attacks", "benchmarks")
KINDS = ("index", "lessons/01_hand_calculations", "api/course_lib.convolution", "benchmarks")


def serious_violations(browser, request, book, theme, names):
    found = {}
    for page in tab(browser, request, viewport={"width": 1280, "height": 800}, color_scheme=theme):
        for name in names:
            page.goto((book / f"{name}.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            found[name] = violations(page)
    assert found
    return {name: some for name, some in found.items() if some}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_kind_of_page_has_a_serious_violation_of_accessibility(browser, request, book, theme):
    assert serious_violations(browser, request, book, theme, KINDS) == {}


@pytest.mark.slow  # the contrast of every word of the course: minutes
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_at_all_has_one(browser, request, book, theme):
    others = {name.removesuffix(".html") for name in pages(book)} - set(KINDS)
    assert serious_violations(browser, request, book, theme, sorted(others)) == {}


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_hangs_out_of_the_page(page, book, name):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto((book / f"{name}.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.events == []


def test_on_paper_there_is_the_lesson_in_black_on_white_and_no_side_bar(page, book):
    page.emulate_media(color_scheme="dark")
    page.goto((book / "lessons" / "01_hand_calculations.html").as_uri())
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.emulate_media(color_scheme="dark", media="print")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("#jb-print-docs-body h1")).to_be_visible()
    assert sum(color(page, ".bd-article p", "color")[:3]) < 200
    for gone in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header-article", ".prev-next-footer"):
        expect(page.locator(gone).first).to_be_hidden()
    page.emulate_media(color_scheme="dark", media="screen")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
