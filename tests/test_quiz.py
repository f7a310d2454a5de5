"""The self-checks: what stands in their files, what they show, and what a click does in JupyterLab."""

import html
import json
import re
from collections import Counter

import nbformat
import pytest
from lessons import SOLUTIONS
from playwright.sync_api import expect
from real_browser import SECONDS
from test_lab import browser, lab  # noqa: F401 (two fixtures)

from course_lib import quiz
from course_lib.quizzes import FOLDER, NEEDS_A_NOTEBOOK, quizzes

QUESTIONS = [
    pytest.param(question, id=f"{name}-{number}") for name, asked in quizzes().items() for number, question in enumerate(asked, start=1)
]
BY_QUESTION = pytest.mark.parametrize("question", QUESTIONS)


# ------------------------------------------------------------------------------------------------ the files


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_file_holds_quizzes_of_one_to_five_questions(path):
    assert re.fullmatch(r"lesson_\d\d", path.stem)
    for name, questions in json.loads(path.read_text(encoding="utf-8")).items():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert 1 <= len(questions) <= 5, name


@BY_QUESTION
def test_a_question_has_its_parts_and_no_others(question):
    assert set(question) == {"question", "type", "answers"}
    assert len(question["answers"]) >= 2
    for answer in question["answers"]:
        assert set(answer) <= {"answer", "correct", "feedback"}
        assert isinstance(answer["correct"], bool)


@BY_QUESTION
def test_the_right_answers_are_as_many_as_the_type_says(question):
    right = sum(answer["correct"] for answer in question["answers"])
    assert right == 1 if question["type"] == "multiple_choice" else question["type"] == "many_choice" and right >= 1


@BY_QUESTION
def test_every_option_is_another_and_every_wrong_one_is_explained(question):
    texts = [answer["answer"] for answer in question["answers"]]
    assert len(set(texts)) == len(texts)
    for answer in question["answers"]:
        assert answer["correct"] or len(answer.get("feedback", "")) > 20, answer["answer"]


@BY_QUESTION
def test_texts_are_plain(question):
    texts = [question["question"], *(answer.get(part, "") for answer in question["answers"] for part in ("answer", "feedback"))]
    for text in texts:  # dollars and links would become formulas, which need MathJax, and addresses
        assert "$" not in text
        assert "](" not in text
        assert "<http" not in text
        assert not re.match(r"(right|wrong|correct|incorrect)\b[.,:!]", text, flags=re.IGNORECASE), "that is said already"


def test_the_right_answer_is_not_always_in_the_same_place():
    places = Counter(
        next(n for n, answer in enumerate(param.values[0]["answers"]) if answer["correct"])
        for param in QUESTIONS
        if param.values[0]["type"] == "multiple_choice"
    )
    assert max(places.values()) <= 0.7 * sum(places.values()), places


@pytest.mark.parametrize("folder", sorted(path.name for path in SOLUTIONS.iterdir() if path.is_dir()))
def test_a_lesson_shows_each_quiz_of_its_file_once_and_no_other(folder):
    notebook = nbformat.read(SOLUTIONS / folder / f"{folder}.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    path = FOLDER / f"lesson_{folder[:2]}.json"
    written = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    assert sorted(re.findall(r"^quiz\((.+)\)$", code, flags=re.MULTILINE)) == sorted(f'"{name}"' for name in written)


# ------------------------------------------------------------------------------------------------ what is shown


@pytest.fixture(params=list(quizzes()))
def shown(request):
    return quiz(request.param)


def test_a_quiz_reads_as_plain_text(shown):
    for question in shown.questions:
        assert question["question"] in str(shown)
        assert all(answer["answer"] in str(shown) for answer in question["answers"])
    assert NEEDS_A_NOTEBOOK in str(shown)


def test_where_no_script_runs_the_questions_stand_in_the_page(shown, monkeypatch):
    bundle = shown._repr_mimebundle_()
    without_scripts = re.sub(r"<(script|style)>.*?</\1>", "", bundle["text/html"], flags=re.DOTALL)
    for question in shown.questions:
        assert html.escape(question["question"]).replace("`", "") in re.sub(r"</?code>", "", without_scripts)
    assert NEEDS_A_NOTEBOOK in without_scripts
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert "<script" not in shown._repr_mimebundle_()["text/html"]
    assert shown._repr_mimebundle_()["text/plain"] == bundle["text/plain"] == str(shown)


def test_two_outputs_of_a_quiz_do_not_meddle_with_each_other(shown):
    ids = [re.search(r'<div [^>]*id="(\w+)"', shown._repr_html_())[1] for _ in range(2)]
    assert ids[0] != ids[1]


def test_no_quiz_of_that_name():
    name = next(iter(quizzes()))
    with pytest.raises(ValueError, match=f"Did you mean .*{name}"):
        quiz(name[:-1])
    with pytest.raises(ValueError, match="There is no quiz 5"):
        quiz(5)


# ------------------------------------------------------------------------------------------------ in JupyterLab

NAME = next(iter(quizzes()))
MANY = "shapes-of-a-layer"  # has a question with two right answers


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A student's folder with a notebook that shows a formula, so that JupyterLab loads MathJax, and a quiz."""
    folder = tmp_path_factory.mktemp("student") / "work"
    folder.mkdir()
    cells = [
        nbformat.v4.new_markdown_cell(r"# A quiz" + "\n\n" + r"$$\sum_{m} x^2$$"),
        nbformat.v4.new_code_cell(f"from course_lib import quiz\nquiz({NAME!r})"),
        nbformat.v4.new_code_cell(f"quiz({MANY!r})"),
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "quiz.ipynb")
    return folder


@pytest.fixture(scope="module")
def asked(browser, lab):  # noqa: F811
    """The quiz as it stands in JupyterLab after its cell was run; `page.asked` holds every address that was asked for."""
    page = browser.new_page()
    page.set_default_timeout(SECONDS * 1000)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(f"{lab.base}/lab/workspaces/quiz/tree/quiz.ipynb?token={lab.token}")
    expect(page.locator(".jp-Notebook mjx-container").first).to_be_visible()
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()  # a cell that is run before is lost
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".Quiz").first).to_be_visible()
    expect(page.get_by_role("status").first).to_be_attached()
    yield page
    page.close()


def option(page, correct):
    """An option of the first question: its element and what it says when it is chosen."""
    answer = next(answer for answer in quizzes()[NAME][0]["answers"] if answer["correct"] is correct)
    box = page.locator(".Quiz").first
    return box.locator("label").filter(has_text=answer["answer"].replace("`", "")).first, answer["feedback"].replace("`", "")


def feedback(page):
    return page.locator(".Quiz").first.get_by_role("status")


def test_a_wrong_option_explains_itself(asked):
    label, explanation = option(asked, correct=False)
    label.click()
    expect(feedback(asked)).to_have_text(f"Not this one. {explanation}")


def test_the_right_option_is_right_by_the_keyboard_too(asked):
    label, explanation = option(asked, correct=True)
    label.get_by_role("radio").focus()
    asked.keyboard.press("Space")
    expect(feedback(asked)).to_have_text(f"Right. {explanation}")


def test_several_right_options_are_boxes_to_tick(asked):
    question = next(question for question in quizzes()[MANY] if question["type"] == "many_choice")
    asked.locator(".jp-CodeCell .cm-content").nth(1).click()
    asked.keyboard.press("Shift+Enter")
    group = asked.get_by_role("group", name=question["question"])
    right = [answer["answer"] for answer in question["answers"] if answer["correct"]]
    for answer in right:
        group.get_by_role("checkbox", name=answer).click()
        expect(group.get_by_role("checkbox", name=answer)).to_be_checked()
    expect(group.locator("xpath=..").get_by_role("status")).to_contain_text(f"[{len(right)}/{len(right)}]")


def test_nothing_asks_another_machine(asked, lab):  # noqa: F811
    option(asked, correct=False)[0].click()
    asked.wait_for_timeout(1500)  # jupyterquiz looks for MathJax after half a second, and would load it from the network
    here = (lab.base, lab.base.replace("http", "ws"), "data:", "blob:")
    assert [url for url in asked.asked if not url.startswith(here)] == []


def test_options_stand_in_the_order_of_the_file_and_are_named_for_screen_readers(asked):
    question = quizzes()[NAME][0]
    group = asked.get_by_role("radiogroup", name=question["question"].replace("`", ""))
    texts = [text.strip() for text in group.locator("label").all_inner_texts()]
    assert texts == [answer["answer"].replace("`", "") for answer in question["answers"]]


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_contrast_is_good_in_both_themes(asked, theme):
    asked.get_by_role("menuitem", name="Settings").first.click()
    asked.get_by_text("Theme", exact=True).hover()
    asked.get_by_text(theme, exact=True).first.click()
    expect(asked.locator(f'body[data-jp-theme-name="{theme}"]')).to_be_attached()
    for correct in (False, True):
        option(asked, correct)[0].click()
        asked.wait_for_timeout(1000)  # the colors change slowly
        ratios = asked.evaluate(CONTRASTS)
        assert ratios
        assert min(ratios.values()) >= 4.5, ratios


# The ratio of WCAG 2 between each text of the quiz and what lies behind it.
CONTRASTS = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = numbers(color).slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    const [, , , alpha = 1] = numbers(color);
    return alpha > 0.99 || !element.parentElement ? color : behind(element.parentElement);
  };
  const found = {};
  document.querySelectorAll(".MultipleChoiceQn, .MCButton span, .Feedback").forEach((element) => {
    if (!element.innerText.trim()) return;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    found[element.innerText.slice(0, 40)] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
  return found;
}"""
