"""The instructor's guide says of each lesson what the lesson is: its objectives, its plan, its slips, its written questions."""

import re
from pathlib import Path

import lessons
import pytest
from lessons import SOLUTIONS, Lesson

from course_lib.checks import EXERCISES
from course_lib.quizzes import quizzes

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "book" / "instructors_guide.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## Lesson (\d) · (.+?)(?=^## |\Z)", GUIDE, flags=re.MULTILINE | re.DOTALL))
LESSONS = {folder.name[1]: Lesson(folder.name) for folder in sorted(SOLUTIONS.iterdir()) if folder.is_dir()}
GRADED = {number: lesson for number, lesson in LESSONS.items() if lesson.graded("code")}
BY_LESSON = pytest.mark.parametrize("number", GRADED)


def plain(text):
    return " ".join(text.split())


def slips(number):
    """The rows of a lesson's table of slips: (exercise, slug)."""
    return re.findall(r"^\| `(.+?)` \| `(.+?)` \|", PARTS[number], flags=re.MULTILINE)


def test_every_lesson_has_its_part():
    assert list(PARTS) == list(LESSONS)


@BY_LESSON
def test_a_part_bears_the_lessons_title(number):
    title = re.match(r"# Lesson \d · (.+)", GRADED[number].cells["title"].source)[1]
    assert PARTS[number].splitlines()[0] == title


@BY_LESSON
def test_objectives_are_the_lessons_own(number):
    objectives = re.findall(r"^- (?:.+\n?)(?:  .+\n?)*", GRADED[number].cells["title"].source, flags=re.MULTILINE)
    assert len(objectives) >= 4
    assert [each for each in objectives if plain(each) not in plain(PARTS[number])] == []


@pytest.mark.parametrize("number", "1234")
def test_a_plan_fills_120_minutes_with_the_lessons_own_plan(number):
    rows = re.findall(r"^\| (\d+) \| (?:(\d+) · )?(.+?) \| (.+?) \|$", PARTS[number], flags=re.MULTILINE)
    planned = [(n, title, minutes) for where, n, title, minutes, _ in GRADED[number].plan() if where == "in class"]
    assert [(int(n), title, int(minutes)) for minutes, n, title, _ in rows if n] == planned
    assert {title for _, n, title, _ in rows if not n} <= {"opening", "break", "closing"}
    assert sum(int(minutes) for minutes, *_ in rows) == 120


@BY_LESSON
def test_slips_are_those_of_the_lessons_checks(number):
    own = {re.match(r'check\("(.+?)"', cell.source)[1] for cell in GRADED[number].graded("code")}
    assert len(slips(number)) >= 5
    for exercise, slug in slips(number):
        assert exercise in own
        assert slug in {each.slug for each in EXERCISES[exercise].misconceptions}, exercise


@BY_LESSON
def test_every_written_question_is_spoken_of_with_its_points(number):
    questions = re.findall(r"^### (Think.+?) \((\d+) points?\)$", GRADED[number].text, flags=re.MULTILINE)
    assert questions
    assert sum(int(points) for _, points in questions) == GRADED[number].points("markdown")
    missing = [title for title, points in questions if f"**{title}** ({points} point" not in plain(PARTS[number])]
    assert missing == []
    assert f"To grade by hand ({GRADED[number].points('markdown')} points)" in PARTS[number]


def test_quizzes_named_here_exist():
    named = set(re.findall(r"quiz `([\w-]+)`", GUIDE))
    assert named <= set(quizzes())


def test_minutes_are_counted_as_the_guide_says():
    counting = GUIDE.split("### How minutes are counted")[1].split("\n## ")[0]
    for number in (lessons.WORDS_A_MINUTE, lessons.MINUTES_TO_LOOK, *lessons.MINUTES_A_POINT.values()):
        assert re.search(rf"\b{number:g}\b", counting), number


def test_points_by_hand_and_by_checks_are_as_many_as_the_guide_says():
    by_hand, by_checks = ([lesson.points(kind) for lesson in GRADED.values()] for kind in ("markdown", "code"))
    low, high, least, most = map(int, re.search(r"worth (\d+) to (\d+) points beside the (\d+) to (\d+) that checks give", GUIDE).groups())
    assert (min(by_hand), max(by_hand), min(by_checks), max(by_checks)) == (low, high, least, most)


def test_paths_and_targets_named_here_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z]+)", GUIDE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for path in re.findall(r"`((?:tests|course_lib|solutions)/[\w/.]+)", GUIDE):
        assert list(ROOT.glob(path.replace("NN_topic", "*").replace("NN", "??"))), path
    assert (ROOT / "book" / "proofs.md").exists()


def test_the_readme_links_to_it():
    assert "(book/instructors_guide.md)" in README
    [anchor] = re.findall(r"\(book/instructors_guide.md#([\w-]+)\)", README)
    assert anchor in [re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)]


def test_the_readme_names_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", README, flags=re.MULTILINE))
    assert {name for name in named if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)} == set()
    choices = set(re.findall(r"\b([A-Z]{2,})=", README)) - {"PYTHON"}
    assert {name for name in choices if f"$({name})" not in makefile} == {"TORCH"}  # handed on by the environment


def test_the_readme_fits_into_a_terminal():
    assert [line for line in README.splitlines() if len(line) > 140] == []
