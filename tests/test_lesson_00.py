"""Lesson 0: everything in it runs, and what it says of the other lessons is what they say of themselves."""

import re

import pytest
from lessons import SOLUTIONS, Lesson, counted_minutes

from course_lib.checks import Verdict
from course_lib.figures import Picture

LESSON = Lesson("00_start_here")
OTHERS = [Lesson(folder.name) for folder in sorted(SOLUTIONS.iterdir()) if folder.is_dir() and folder.name != LESSON.folder]
QUARTERS = {"¼": 0.25, "½": 0.5, "¾": 0.75, "": 0}
ROWS = dict(re.findall(r"^\| `(\w+)` \| .+ \| (\d+[¼½¾]?) hours? \|$", LESSON.cells["the-course"].source, flags=re.MULTILINE))


def hours(text):
    return int(re.match(r"\d+", text)[0]) + QUARTERS[re.sub(r"\d", "", text)]


def minutes(lesson):
    return sum(row[3] for row in lesson.plan())


def test_the_warm_up_can_be_wrong_on_purpose_undone_and_right():
    assert LESSON.results["wrong-on-purpose"][1].misconception == "weights-reversed"
    assert LESSON.results["check-0-1"][1].passed
    undone = LESSON.untouched["check-0-1"][1]
    assert isinstance(undone, Verdict)
    assert "not done yet" in undone.message


def test_everything_is_there():
    printed = LESSON.results["setup-check"][0]
    assert printed.count("ready") == 5
    assert "MISSING" not in printed


def test_the_digits_are_those_of_the_alternative_text():
    picture = LESSON.results["a-digit-shown"][1]
    assert isinstance(picture, Picture)
    assert picture.alt == "Three handwritten digits: a 3, a 9 and a 2."
    assert [ax.get_title()[-1] for ax in picture.figure.axes if ax.get_title()] == ["3", "9", "2"]


def test_it_takes_about_ten_minutes():
    assert "about ten minutes" in LESSON.cells["welcome"].source
    assert counted_minutes(LESSON.cells.values()) == pytest.approx(10, abs=2)


def test_the_way_ahead_names_all_lessons():
    assert list(ROWS) == [lesson.folder for lesson in OTHERS]


@pytest.mark.parametrize("lesson", OTHERS, ids=lambda lesson: lesson.folder)
def test_the_times_of_the_lessons_are_those_of_their_plans(lesson):
    assert hours(ROWS[lesson.folder]) == pytest.approx(minutes(lesson) / 60, abs=0.13)


def test_the_time_of_the_whole_course():
    stated = int(re.search(r"Together that is about (\d+) hours", LESSON.cells["the-course"].source)[1])
    assert stated == round(sum(minutes(lesson) for lesson in OTHERS) / 60)


def test_headings_are_those_of_the_other_lessons():
    assert re.findall(r"^## (\d) · ", LESSON.text, flags=re.MULTILINE) == list("12345")
