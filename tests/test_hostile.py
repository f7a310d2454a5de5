"""Hostile hand-ins (`tests/hostile`): none gets a point that it did not earn, none stops the grading, none learns a secret."""

import json
import os
import re
import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import hostile
import pytest
from hostile import breakage, course
from traitlets.config import Config

from autograder import feedback, grading, intake
from autograder.course import Course
from autograder.execution import STATES

ATTACKS = hostile.attacks()
PAGE = Path(__file__).resolve().parents[1] / "book" / "attacks.md"
MOST_MEMORY = 1_000_000_000  # bytes that the grader's own process may take, whatever a hand-in does

THE_QUICK = """
tag-skip-execution test-rewritten names-exchanged
display-hook-silent forged-result do-execute-replaced
check-code-swapped judge-patched builtins-patched numpy-comparisons-patched generic-numpy-patched
equals-everything array-ufunc hand-array-subclass generic-points-as-answer
generic-no-points-for-none
reference-from-a-frame trace-function hand-expected-from-library generic-frame-constants
modules-beside-and-imported socket-folder-links
environment course-files network seed
thread-publishes child-takes-over
known-cases-table check-as-an-oracle lazy-array array-changed-after-return
cases-of-one-exercise-for-the-next
library-conv2d scipy-signal source-executed
huge-by-broadcast deep-nesting object-array error-with-html
exit kill-everybody endless-loop fork-bomb memory-bomb-while-judged output-of-200-mb
results-flood generic-exits-the-checker
forged-frames folder-taken library-while-judged
"""
QUICK = THE_QUICK.split()  # in `make test`; the others are in `make test-slow`


def parameters():
    return [pytest.param(one, id=slug, marks=() if slug in QUICK else pytest.mark.slow) for slug, one in ATTACKS.items()]


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    return course.build(tmp_path_factory.mktemp("classroom"))


@pytest.fixture(scope="module")
def records(request, classroom):
    """By slug the future of what came of an attack; two run at a time, in the order of the tests."""
    chosen = dict.fromkeys(item.callspec.params["attack"].slug for item in request.session.items if "attack" in _parameters(item))
    with pytest.MonkeyPatch.context() as patch, ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        patch.setenv("A_SECRET_OF_THE_GRADER", hostile.SECRET)
        yield {slug: pool.submit(hostile.run, hostile.task(ATTACKS[slug], classroom)) for slug in chosen}
        pool.shutdown(cancel_futures=True)


def _parameters(item):
    return item.callspec.params if hasattr(item, "callspec") else {}


def test_the_corpus_has_all_families():
    families = {one.family for one in ATTACKS.values()}
    assert families == {
        *("answers", "breakage", "cells", "files", "frames", "hooks", "imposters"),
        *("libraries", "patches", "secrets", "sizes", "threads", "wire"),
    }
    assert len(ATTACKS) > 250
    assert set(QUICK) <= set(ATTACKS)
    assert families == {ATTACKS[slug].family for slug in QUICK}


def test_the_page_in_the_book_has_every_attack_and_none_that_won():
    rows = re.findall(r"^\| (\S+) \| (.+) \| [^|]+ \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {slug: tries.replace("\\|", "|") for slug, tries, _ in rows if slug in ATTACKS}
    assert told == {slug: attack.tries for slug, attack in ATTACKS.items()}, "run `python -m benchmarks.hostile > book/attacks.md`"
    assert [slug for slug, _, here in rows if slug in ATTACKS and re.search(r"\+|secret|no grade", here)] == []


@pytest.mark.parametrize("attack", parameters())
def test_an_attack_wins_nothing(attack, records, classroom):
    record, memory = records[attack.slug].result()
    assert hostile.won(attack, record, classroom) == {}, attack.tries
    assert hostile.told(attack, record) == [], attack.tries
    assert hostile.active(record) == []
    assert set(record["verdicts"]) == set(hostile.deserved(attack, classroom))
    assert {verdict["state"] for verdict in record["verdicts"].values()} <= set(STATES)
    assert all(verdict["points"] or verdict["message"] or verdict["state"] == "wrong" for verdict in record["verdicts"].values())
    if not attack.spoils:
        assert hostile.lost(attack, record, classroom) == {}, record["notes"]
    assert memory < MOST_MEMORY


@pytest.mark.slow
@pytest.mark.parametrize("attack", [ATTACKS["reason-forged"]], ids=["reason-forged"])
def test_what_an_error_says_is_no_reason_of_the_graders(attack, records):
    record, _ = records[attack.slug].result()
    assert "full points" in str(record["cells"])  # the student's own cell may show it
    assert "full points" not in str([record["notes"], record["verdicts"]])


# ---------------------------------------------------------------------------------------------------- a class of them

THE_CLASS = """
names-exchanged flagged-as-nothing one-name-for-all check-code-swapped equals-everything
modules-beside-the-notebook exit-while-judged environment course-files hand-html format-3
"""
PIPELINE = THE_CLASS.split()
LESSON = breakage.LESSON
WHOLE = {"check-output-size": 2, "check-conv2d": 0, "check-2-2": 2, "check-conv2d-padded": 0, "check-conv-parameters": 0, "check-im2col": 0}
A_FEW = """
names-exchanged check-code-swapped modules-beside-the-notebook exit-while-judged environment course-files hand-html
invalid-json empty-file of-60-mb utf-16 link fifo socket nothing
""".strip()
LIMITS = Config({"Execute": {"timeout": 8}, "BoundedExecute": {"notebook_seconds": 90}})


def _files(folder, classroom):
    """Write the class's hand-ins, one folder a student, and return by student the lesson and the most that each may earn."""
    expected = {}
    for slug in PIPELINE:
        attack = ATTACKS[slug]
        _write(folder / slug, f"{attack.lesson}.ipynb", hostile.notebook(attack, classroom))
        for name, data in attack.files.items():
            _write(folder / slug, name, data)
        expected[slug] = attack.lesson, hostile.deserved(attack, classroom), attack.spoils
    whole = json.loads(hostile.notebook(hostile.Attack(slug="", tries="", lesson=LESSON), classroom))
    for files, scores in ((breakage.UNREADABLE, dict.fromkeys(WHOLE, 0)), (breakage.READABLE, WHOLE)):
        for slug, (_, make) in files.items():
            _write(folder / slug, f"{LESSON}.ipynb", make(json.loads(json.dumps(whole))))
            expected[slug] = LESSON, scores, False
    for slug in ("link", "link-to-folder", "fifo", "socket", "folder-for-file", "nothing"):
        (folder / slug).mkdir(parents=True)
        _write(folder / slug, "readme.txt", b"my notebook is attached")
        expected[slug] = LESSON, dict.fromkeys(WHOLE, 0), False
    (folder / "link" / f"{LESSON}.ipynb").symlink_to(classroom.notebook("source", LESSON))
    (folder / "link-to-folder" / LESSON).symlink_to(classroom.notebook("source", LESSON).parent)
    os.mkfifo(folder / "fifo" / f"{LESSON}.ipynb")
    with socket.socket(socket.AF_UNIX) as one:
        here = os.getcwd()
        os.chdir(folder / "socket")  # a socket's whole path may be too long
        one.bind(f"{LESSON}.ipynb")
        os.chdir(here)
    (folder / "folder-for-file" / f"{LESSON}.ipynb").mkdir()
    return expected


def _write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.fixture(scope="module", params=["a few", pytest.param("all", marks=pytest.mark.slow)])
def graded(request, tmp_path_factory):
    """A course in which a hostile class is collected, graded and given feedback."""
    root = tmp_path_factory.mktemp("class")
    course.build(root)
    built = Course(root, LIMITS)
    built.expected = _files(root / "handed in", built)
    if request.param == "a few":
        built.expected = {student: built.expected[student] for student in A_FEW.split()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A_SECRET_OF_THE_GRADER", hostile.SECRET)
        for lesson in sorted({its for its, _, _ in built.expected.values()}):
            folder = root / "by lesson" / lesson
            folder.mkdir(parents=True)
            for student, (its, _, _) in built.expected.items():
                if its == lesson:
                    (root / "handed in" / student).rename(folder / student)
            assert {one.state for one in intake.collect(built, folder, lesson)} <= {"collected"}
        built.outcomes = {one.student: one for one in grading.grade(built, built.lessons())}
        built.problems = [problem for _, _, problem in feedback.feedback(built, built.lessons()) if problem]
    built.rows = {row.student: row for row in grading.table(built, built.lessons())}
    return built


def test_everybody_is_graded(graded):
    assert {student: one.state for student, one in graded.outcomes.items()} == dict.fromkeys(graded.expected, "graded")
    assert graded.problems == []


def test_nobody_of_the_class_has_more_than_the_honest_part(graded):
    tests = {student: {name: graded.rows[student].scores[name] for name in most} for student, (_, most, _) in graded.expected.items()}
    too_much = {student: got for student, got in tests.items() if any(got[name] > graded.expected[student][1][name] for name in got)}
    assert too_much == {}
    lost = {s: got for s, got in tests.items() if not graded.expected[s][2] and got != graded.expected[s][1]}
    assert lost == {}


def test_nothing_hidden_is_in_what_students_get(graded):
    """Neither what was planted, nor tests: a page shows no hidden part, and no active content."""
    secrets = (hostile.SECRET, course.IN_THE_SOURCES, (graded.received / ".seed").read_text().strip())
    for step in ("autograded", "feedback"):
        for path in graded.folder(step).rglob("*"):
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                assert [secret for secret in secrets if secret in text] == [], path
    for path in graded.folder("feedback").rglob("*.html"):
        assert not re.search(r"<(script|iframe|object|embed|img src=x)\b", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("slug", ["generic-frame-constants", pytest.param("generic-equals-everything", marks=pytest.mark.slow)])
def test_hidden_tests_are_run_and_stay_hidden(slug, tmp_path):
    """A lesson as another instructor's, one of whose tests has a hidden part, which only the gradebook knows."""
    built = Course(course.build(tmp_path).root, LIMITS)
    attack = ATTACKS[slug]
    _write(tmp_path / "handed in" / "eve", f"{attack.lesson}.ipynb", hostile.notebook(attack, built))
    assert [one.state for one in intake.collect(built, tmp_path / "handed in")] == ["collected"]
    assert [one.state for one in grading.grade(built, [attack.lesson], "eve")] == ["graded"]
    scores, most = grading.table(built, [attack.lesson])[0].scores, hostile.deserved(attack, built)
    assert {name: scores[name] for name in most} == most
    assert list(feedback.feedback(built, [attack.lesson]))
    for step in ("autograded", "feedback"):
        assert not any("15462" in path.read_text(encoding="utf-8") for path in built.folder(step).rglob("*") if path.is_file())


def test_whoever_could_not_be_read_is_told_why(graded):
    unreadable = {*breakage.UNREADABLE, "link", "link-to-folder", "fifo", "socket", "folder-for-file", "nothing"}
    assert [student for student in unreadable & set(graded.expected) if not graded.rows[student].notes] == []
