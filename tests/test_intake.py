"""Intake: whatever students hand in becomes a notebook that is safe to grade, and nothing of it is lost."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import nbformat
import pytest
from grading_course import REPOSITORY, cell_of, hand_in, read, released_course, solved, write_notebook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder import intake, notebooks
from autograder.cli import main
from autograder.course import Course, CourseError
from autograder.notebooks import HandedIn, UnreadableError, read_cells, rebuild

STUB = 'def double(x):\n    # Your code here.\n    raise NotImplementedError("not done yet")'


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return released_course(tmp_path_factory.mktemp("template"))


@pytest.fixture
def course(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "handed in").mkdir()
    return tmp_path / "handed in"


def collect(course, folder, lesson=None, at=None):
    return list(intake.collect(course, folder, lesson, at))


def one(course, folder, lesson=None):
    outcomes = collect(course, folder, lesson)
    assert len(outcomes) == 1, outcomes
    return outcomes[0]


def submitted(course, student, lesson="01_numbers"):
    return read(course.notebook("submitted", lesson, student))


def ids(notebook):
    return [cell.id for cell in notebook.cells]


def now():
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rebuilt(course, notebook):
    """What becomes of a handed-in notebook: the rebuilt one and the mends."""
    cells, mends = read_cells(nbformat.writes(notebook).encode() if not isinstance(notebook, bytes) else notebook)
    built, more = rebuild(read(course.notebook("release", "01_numbers")), cells)
    return built, mends + more


# ---------------------------------------------------------------------------------------------------- collect


def test_an_answered_notebook_is_taken_over(course, folder):
    hand_in(folder, "ada", solved(course))
    outcome = one(course, folder)
    assert (outcome.student, outcome.lesson, outcome.state) == ("ada", "01_numbers", "collected")
    assert outcome.record["mends"] == outcome.record["notes"] == []
    sources = [cell.source for cell in solved(course).cells]
    assert [cell.source for cell in submitted(course, "ada").cells] == sources


def test_the_original_is_kept_byte_for_byte(course, folder):
    path = hand_in(folder, "ada", solved(course), "sub/my lesson.ipynb")
    record = one(course, folder).record
    kept = course.received / "ada/01_numbers" / record["kept"] / "sub/my lesson.ipynb"
    assert kept.read_bytes() == path.read_bytes()


def test_the_time_is_the_files_or_the_one_given(course, folder):
    path = hand_in(folder, "ada", solved(course))
    os.utime(path, (1767225600, 1767225600))
    assert one(course, folder).record["handed_in"] == "2026-01-01T00:00:00Z" or datetime.now(UTC).year < 2026
    stamp = (course.folder("submitted") / "ada/01_numbers/timestamp.txt").read_text()
    assert stamp == "2026-01-01 00:00:00.000000 UTC\n" or datetime.now(UTC).year < 2026
    outcome = collect(course, folder, at=datetime(2020, 5, 4, 3, 2, 1, tzinfo=UTC))[0]
    assert outcome.record["handed_in"] == "2020-05-04T03:02:01Z"


def test_a_time_in_the_future_is_now(course, folder):
    path = hand_in(folder, "ada", solved(course))
    os.utime(path, (2**40, 2**40))
    assert one(course, folder).record["handed_in"] <= now()


@pytest.mark.parametrize("name", ["homework.ipynb", "deep/er/final (2).ipynb", "lesson.ipynb.txt", "notebook.json", "x.IPYNB"])
def test_the_cells_tell_the_lesson_whatever_the_files_name(course, folder, name):
    hand_in(folder, "ada", solved(course, "02_words"), name)
    assert one(course, folder).lesson == "02_words"


def test_the_name_tells_the_lesson_where_the_cells_do_not(course, folder):
    hand_in(folder, "ada", b"", "01-Numbers.ipynb")
    assert one(course, folder).lesson == "01_numbers"


def test_the_folders_name_tells_the_lesson_too(course, folder):
    hand_in(folder, "ada", b"", "02_words/work.ipynb")
    assert one(course, folder).lesson == "02_words"


def test_two_lessons_of_one_student(course, folder):
    hand_in(folder, "ada", solved(course))
    hand_in(folder, "ada", solved(course, "02_words"), "02_words.ipynb")
    assert [outcome.lesson for outcome in collect(course, folder)] == ["01_numbers", "02_words"]


def test_what_belongs_to_no_lesson_is_kept_and_reported(course, folder):
    path = hand_in(folder, "ada", b"%PDF", "essay.pdf")
    outcome = one(course, folder)
    assert outcome.state == "unsorted"
    assert "essay.pdf" in outcome.notes[0]
    assert [kept.read_bytes() for kept in (course.received / "ada/unsorted").rglob("essay.pdf")] == [path.read_bytes()]


def test_a_lesson_without_points_is_left_alone(course, folder):
    welcome = [
        new_markdown_cell("# Welcome", id="title"),
        new_markdown_cell("This is how the course works.", id="how"),
        new_code_cell("1", id="imports"),
    ]
    write_notebook(course.notebook("release", "00_welcome"), welcome)
    hand_in(folder, "ada", read(course.notebook("release", "00_welcome")), "00_welcome.ipynb")
    outcome = one(course, folder)
    assert (outcome.lesson, outcome.state) == ("00_welcome", "ungraded")
    with pytest.raises(CourseError, match="has no points"):
        collect(course, folder, "00_welcome")


def test_with_the_lesson_given_a_strangers_file_counts_as_not_done(course, folder):
    hand_in(folder, "ada", b"%PDF", "essay.pdf")
    record = one(course, folder, "01_numbers").record
    assert record["problem"] == "There was no notebook of this lesson in it."
    assert "could not be read" in submitted(course, "ada").cells[0].source


def test_the_notebook_of_another_lesson_does_not_count_for_this_one(course, folder):
    hand_in(folder, "ada", solved(course, "02_words"), "01_numbers.ipynb")
    outcome = one(course, folder, "01_numbers")
    assert (outcome.state, outcome.notes) == ("refused", ["01_numbers.ipynb: this is 02_words, not 01_numbers. Left out"])
    assert not course.received.exists()
    assert not course.folder("submitted").exists()


def test_of_the_notebooks_of_two_lessons_the_one_asked_for_counts(course, folder):
    hand_in(folder, "ada", solved(course, "02_words"), "a.ipynb")
    hand_in(folder, "ada", solved(course), "b.ipynb")
    record = one(course, folder, "01_numbers").record
    assert (record["chosen"], record["notes"]) == ("b.ipynb", ["a.ipynb is the notebook of 02_words: not for this lesson"])


def test_one_notebook_that_came_by_mail(course, tmp_path, capsys):
    path = hand_in(tmp_path, "mail", solved(course), "x.ipynb")
    words = ["--course", str(course.root), "collect", str(path)]
    assert main(words) == 2
    assert "x.ipynb is one notebook. Say whose it is: --student ID, and --at" in capsys.readouterr().err
    assert main([*words, "--student", "../ada"]) == 2
    assert main([*words, "--student", "ada", "--lesson", "1", "--at", "2020-03-01 18:00"]) == 0
    record = intake.latest(course, "ada", "01_numbers")
    assert (record["chosen"], record["problem"]) == ("x.ipynb", None)
    assert record["handed_in"] == datetime(2020, 3, 1, 18).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "return 2 * x" in cell_of(submitted(course, "ada"), "ex-1").source
    assert list(course.received.iterdir()) == [course.received / "ada"]


def test_a_student_is_only_said_of_one_notebook(course, folder):
    hand_in(folder, "ada", solved(course))
    with pytest.raises(CourseError, match="--student says whose one notebook is"):
        list(intake.collect(course, folder, student="bob"))


def test_an_empty_folder_is_no_hand_in(course, folder):
    (folder / "ada").mkdir()
    assert one(course, folder, "01_numbers").state == "refused"
    assert not course.folder("submitted").exists()


@pytest.mark.parametrize(
    ("names", "winner"),
    [
        (["01_numbers.ipynb", "01_numbers-Copy1.ipynb"], "01_numbers.ipynb"),
        (["a.ipynb", "old/01_numbers.ipynb"], "old/01_numbers.ipynb"),
    ],
)
def test_of_two_notebooks_the_one_of_the_lessons_name_counts(course, folder, names, winner):
    for name in names:
        hand_in(folder, "ada", solved(course), name)
    record = one(course, folder).record
    assert record["chosen"] == winner
    assert record["notes"] == [f"2 notebooks for this lesson: {winner} counts, not {next(name for name in names if name != winner)}"]
    assert sorted(file["name"] for file in record["files"]) == sorted(names)


def test_of_two_notebooks_the_readable_one_counts(course, folder):
    hand_in(folder, "ada", b"{", "01_numbers.ipynb")
    hand_in(folder, "ada", solved(course), "rescue.ipynb")
    record = one(course, folder).record
    assert (record["chosen"], record["problem"]) == ("rescue.ipynb", None)


def test_collecting_twice_changes_nothing(course, folder):
    hand_in(folder, "ada", solved(course))
    one(course, folder)
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    assert one(course, folder).state == "unchanged"
    assert {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()} == before


def test_a_newer_hand_in_replaces_the_older_and_both_are_kept(course, folder):
    first = hand_in(folder, "ada", read(course.notebook("release", "01_numbers")))
    os.utime(first, (1_600_000_000, 1_600_000_000))
    one(course, folder)
    os.utime(hand_in(folder, "ada", solved(course)), (1_600_000_100, 1_600_000_100))
    outcome = one(course, folder)
    assert outcome.notes == ["it replaces the hand-in of 2020-09-13T12:26:40Z, which is kept"]
    assert "return 2 * x" in cell_of(submitted(course, "ada"), "ex-1").source
    assert len(list((course.received / "ada/01_numbers").glob("*/01_numbers.ipynb"))) == 2


def test_an_older_hand_in_is_kept_but_does_not_count(course, folder):
    os.utime(hand_in(folder, "ada", solved(course)), (1_600_000_100, 1_600_000_100))
    one(course, folder)
    os.utime(hand_in(folder, "ada", read(course.notebook("release", "01_numbers"))), (1_600_000_000, 1_600_000_000))
    assert one(course, folder).state == "older"
    assert "return 2 * x" in cell_of(submitted(course, "ada"), "ex-1").source
    assert len(intake.records(course, "ada", "01_numbers")) == 2


def test_two_hand_ins_of_the_same_second_are_both_kept(course, folder):
    for notebook in (solved(course), read(course.notebook("release", "01_numbers"))):
        os.utime(hand_in(folder, "ada", notebook), (1_600_000_000, 1_600_000_000))
        one(course, folder)
    assert [record["kept"] for record in intake.records(course, "ada", "01_numbers")] == ["2020-09-13T12-26-40Z", "2020-09-13T12-26-40Z.2"]


def test_what_lay_in_submitted_is_kept_before_it_is_replaced(course, folder):
    strange = course.folder("submitted") / "ada/01_numbers/01_numbers.ipynb"
    strange.parent.mkdir(parents=True)
    strange.write_text("by hand")
    os.utime(strange, (1_500_000_000, 1_500_000_000))
    hand_in(folder, "ada", solved(course))
    one(course, folder)
    assert "by hand" in [path.read_text() for path in (course.received / "ada").rglob("*.ipynb")]


@pytest.mark.parametrize("name", ["..x", "a*b", "a[1]", "{x}", "a\nb", "-rf", " x", "x" * 101])
def test_a_folder_that_cannot_be_a_students_id_is_refused(course, folder, name):
    hand_in(folder, name, solved(course))
    outcomes = collect(course, folder)
    assert all(outcome.state == "refused" and outcome.student.isprintable() for outcome in outcomes)
    assert not course.received.exists()


def test_ordinary_ids_are_fine(course, folder):
    for name in ("Ada Lovelace", "s1234567", "zoë.müller@uni.example", "李雷", "O'Neil (2)"):
        hand_in(folder, name, solved(course))
    assert {outcome.state for outcome in collect(course, folder)} == {"collected"}


def test_one_students_trouble_does_not_stop_the_others(course, folder):
    for name in ("ada", "bob"):
        hand_in(folder, name, solved(course))
    course.folder("submitted").mkdir()
    (course.folder("submitted") / "ada").symlink_to(folder)
    outcomes = collect(course, folder)
    assert [(outcome.student, outcome.state) for outcome in outcomes] == [("ada", "refused"), ("bob", "collected")]
    assert "is a link" in outcomes[0].notes[0]
    assert sorted(path.name for path in folder.iterdir()) == ["ada", "bob"]


def test_links_and_special_files_are_never_opened(course, folder, tmp_path):
    secret = tmp_path / "secret.ipynb"
    nbformat.write(solved(course), secret)
    hand_in(folder, "ada", read(course.notebook("release", "01_numbers")), "mine.ipynb")
    (folder / "ada/01_numbers.ipynb").symlink_to(secret)
    (folder / "ada/elsewhere").symlink_to(tmp_path)
    os.mkfifo(folder / "ada/pipe.ipynb")
    (folder / "eve").symlink_to(tmp_path)
    mine, other = collect(course, folder)
    assert mine.record["chosen"] == "mine.ipynb"
    assert mine.record["notes"] == [
        "01_numbers.ipynb is a link: not followed",
        "elsewhere is a link: not followed",
        "pipe.ipynb is no ordinary file: left out",
    ]
    assert (other.student, other.state) == ("eve", "refused")
    assert not list(course.received.rglob("secret*"))


def test_a_name_that_would_fool_a_terminal_is_shown_harmless(course, folder):
    hand_in(folder, "ada", b"", "01_numbers \x1b[31m`x`.ipynb")
    record = one(course, folder).record
    assert record["problem"] == "The file `01_numbers ?[31m?x?.ipynb` is empty."


def test_collecting_from_what_is_no_folder(course, tmp_path):
    with pytest.raises(CourseError, match="is no folder"):
        collect(course, tmp_path / "nowhere")


def test_collecting_before_the_release(course, folder):
    shutil.rmtree(course.folder("release"))
    with pytest.raises(CourseError, match="No lesson is released yet"):
        collect(course, folder)


def test_collecting_from_the_command_line(course, folder, capsys):
    words = ["--course", str(course.root), "collect", str(folder)]
    hand_in(folder, "ada", without(solved(course), "check-1"))
    assert main([*words, "--lesson", "1", "--at", "2020-02-02T10:00+00:00"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ada", "01_numbers", "collected", "2020-02-02T10:00:00Z", "01_numbers.ipynb"]
    assert lines[1] == "    check-1 was missing: put back as released"
    hand_in(folder, "bob", b"", "01_numbers.ipynb")
    hand_in(folder, "eve", b"%PDF", "essay.pdf")
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "NOT READ: The file `01_numbers.ipynb` is empty. It counts as not done." in said
    assert "kept, but for no lesson: essay.pdf" in said


def without(notebook, name):
    notebook.cells = [cell for cell in notebook.cells if cell.id != name]
    return notebook


# ---------------------------------------------------------------------------------------------------- files that cannot be read


UNREADABLE = {
    "is empty": b"",
    "is empty ": b" \n\0\0",
    "is cut off after 300 bytes; the rest of it is missing": "truncated",
    "is no notebook: it holds no JSON": b"print('hello')",
    "is damaged: Expecting": b'{"cells": [}, "x": 1}',
    "holds JSON, but no notebook": b"[1, 2]",
    "holds JSON, but no list of cells": b'{"cells": {"a": 1}}',
    "is no notebook: its JSON is nested too deeply": b"[" * 200_000,
    "is no notebook: a number in it has thousands of digits": b'{"cells": ' + b"9" * 5000 + b"}",
    "is no notebook: it holds no JSON ": b"\x89PNG\r\n\x1a\n\x00\xff\xfe",
}


@pytest.mark.parametrize("problem", UNREADABLE)
def test_what_cannot_be_read_counts_as_not_done_and_says_why(course, folder, problem):
    data = UNREADABLE[problem]
    data = nbformat.writes(solved(course)).encode()[:300] if data == "truncated" else data
    path = hand_in(folder, "ada", data)
    record = one(course, folder).record
    assert record["problem"].startswith(f"The file `01_numbers.ipynb` {problem.strip()}")
    notebook = submitted(course, "ada")
    assert notebook.cells[0].cell_type == "markdown"
    assert record["problem"] in notebook.cells[0].source
    assert notebook.cells[1:] == read(course.notebook("release", "01_numbers")).cells
    assert (course.received / "ada/01_numbers" / record["kept"] / "01_numbers.ipynb").read_bytes() == path.read_bytes()


def test_a_huge_file_is_not_read(course, folder, monkeypatch):
    monkeypatch.setattr(notebooks, "LARGEST_FILE", 1_000_000)
    monkeypatch.setattr(intake, "LARGEST_FILE", 1_000_000)
    hand_in(folder, "ada", b"{" + b" " * 2_000_000)
    record = one(course, folder).record
    assert record["problem"] == "The file `01_numbers.ipynb` is larger than 1 MB."
    assert record["files"][0]["bytes"] == 2_000_001


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_of_unicode_are_read(course, encoding):
    text = nbformat.writes(solved(course))
    notebook, mends = rebuilt(course, text.encode(encoding))
    assert mends == []
    assert "return 2 * x" in cell_of(notebook, "ex-1").source


def test_an_older_encoding_is_read_with_a_mend(course):
    answers = solved(course)
    cell_of(answers, "think-1").source = "größer"
    notebook, mends = rebuilt(course, nbformat.writes(answers).encode("cp1252"))
    assert cell_of(notebook, "think-1").source == "größer"
    assert mends == ["the file is not in UTF-8: read as Windows-1252, so some letters may be wrong"]


def test_the_old_format_3_is_read(course):
    cells = [
        {"cell_type": "heading", "level": 1, "metadata": {}, "source": ["Numbers"]},
        {
            "cell_type": "code",
            "input": ["def double(x):\n", "    return x + x"],
            "metadata": {"nbgrader": {"grade_id": "ex-1"}},
            "outputs": [],
        },
    ]
    data = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    notebook, mends = rebuilt(course, json.dumps(data).encode())
    assert cell_of(notebook, "ex-1").source == "def double(x):\n    return x + x"
    assert mends[0].startswith("the file is of the old notebook format 3")


def test_malformed_cells_are_left_out_and_the_rest_counts(course):
    data = json.loads(nbformat.writes(solved(course)))
    data["cells"] += [None, 7, [], {}, {"cell_type": "code"}, {"cell_type": "code", "source": [1]}, {"cell_type": ["x"], "source": "x"}]
    data["cells"][0]["metadata"] = "none"
    notebook, mends = rebuilt(course, json.dumps(data).encode())
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved(course).cells]
    assert mends == ["7 of 20 cells are malformed (no text, or none that is text): left out"]


def test_half_a_surrogate_pair_does_no_harm(course):
    data = nbformat.writes(solved(course)).replace("return 2 * x", r"return 2 * x  # \ud800").encode()
    notebook, _ = rebuilt(course, data)
    assert cell_of(notebook, "ex-1").source.splitlines()[2] == "    return 2 * x  # ?"


# ---------------------------------------------------------------------------------------------------- rebuilding


def test_only_text_is_taken_over(course):
    handed_in = solved(course)
    cell = cell_of(handed_in, "check-1")
    cell.metadata["tags"] = ["skip-execution"]
    cell.metadata.nbgrader.points = 100
    cell.outputs = [nbformat.v4.new_output("stream", text="2")]
    cell_of(handed_in, "ex-1").metadata["nbgrader"]["grade"] = True
    handed_in.metadata["kernelspec"]["name"] = "bash"
    notebook, mends = rebuilt(course, handed_in)
    release = read(course.notebook("release", "01_numbers"))
    assert [cell.metadata for cell in notebook.cells] == [cell.metadata for cell in release.cells]
    assert notebook.metadata == release.metadata
    assert all(cell.get("outputs", []) == [] for cell in notebook.cells)
    assert mends == []


def test_a_changed_test_is_put_back(course):
    handed_in = solved(course)
    cell_of(handed_in, "check-1").source = "2"
    notebook, mends = rebuilt(course, handed_in)
    assert cell_of(notebook, "check-1").source == "2 * (double(3) == 6)"
    assert mends == ["check-1 had been changed, though it is locked: put back as released"]


@pytest.mark.parametrize("name", ["check-1", "ex-1", "think-1", "title"])
def test_a_deleted_cell_is_put_back_in_its_place(course, name):
    handed_in = solved(course)
    handed_in.cells = [cell for cell in handed_in.cells if cell.id != name]
    notebook, mends = rebuilt(course, handed_in)
    release = read(course.notebook("release", "01_numbers"))
    assert ids(notebook) == ids(release)
    assert cell_of(notebook, name) == cell_of(release, name)
    assert len(mends) == 1
    assert "missing" in mends[0]


def test_cells_in_another_order_are_put_back(course):
    handed_in = solved(course)
    handed_in.cells.reverse()
    notebook, mends = rebuilt(course, handed_in)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved(course).cells]
    assert mends == ["cells had changed places: put back in the release's order"]


def test_a_changed_example_is_the_students_to_change(course):
    handed_in = solved(course)
    cell_of(handed_in, "imports").source = "import math, cmath"
    notebook, mends = rebuilt(course, handed_in)
    assert cell_of(notebook, "imports").source == "import math, cmath"
    assert mends == []


def test_own_cells_stay_where_they_were(course):
    handed_in = solved(course)
    at = ids(handed_in).index("ex-1")
    handed_in.cells.insert(at, new_code_cell("def helper(): pass"))
    handed_in.cells.insert(at + 2, new_code_cell("double(5)"))
    handed_in.cells.append(new_markdown_cell("My notes"))
    notebook, mends = rebuilt(course, handed_in)
    assert ids(notebook)[at : at + 4] == ["students-own-1", "ex-1", "students-own-2", "check-1"]
    assert (notebook.cells[-1].source, notebook.cells[-1].cell_type) == ("My notes", "markdown")
    assert mends == []


def test_empty_own_cells_go(course):
    handed_in = solved(course)
    handed_in.cells.append(new_code_cell(" \n"))
    assert ids(rebuilt(course, handed_in)[0]) == ids(solved(course))


def without_names(notebook):
    data = json.loads(nbformat.writes(notebook))
    for cell in data["cells"]:
        cell["metadata"] = {}
        del cell["id"]
    data["nbformat_minor"] = 4
    return json.dumps(data).encode()


def test_names_lost_in_another_editor_are_recognised_by_text_and_place(course):
    notebook, mends = rebuilt(course, without_names(solved(course)))
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved(course).cells]
    assert {mend.split(" ")[0] for mend in mends} == {"ex-1", "ex-2", "think-1", "ex-3"}
    assert all("recognised by its place" in mend for mend in mends)


def test_metadata_lost_but_ids_kept(course):
    handed_in = solved(course)
    for cell in handed_in.cells:
        cell.metadata = {}
    notebook, mends = rebuilt(course, handed_in)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved(course).cells]
    assert mends == []


def test_ids_that_colab_keeps_in_the_metadata(course):
    data = json.loads(nbformat.writes(solved(course)))
    for cell in data["cells"]:
        cell["metadata"] = {"id": cell.pop("id")}
    notebook, mends = rebuilt(course, json.dumps(data).encode())
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in solved(course).cells]
    assert mends == []


def test_an_answer_in_a_new_cell_still_stands_before_its_test(course):
    handed_in = solved(course)
    at = ids(handed_in).index("ex-1")
    handed_in.cells[at : at + 2] = [new_code_cell("k = 2"), new_code_cell("def double(x):\n    return k * x")]  # the test is gone too
    notebook, _ = rebuilt(course, handed_in)
    order = ids(notebook)
    assert order.index("ex-1") < order.index("students-own-1") < order.index("students-own-2") < order.index("check-1")


def test_a_copied_answer_the_last_that_differs_counts(course):
    handed_in = solved(course)
    at = ids(handed_in).index("ex-1")
    first = nbformat.from_dict(handed_in.cells[at] | {"id": "backup", "source": "def double(x):\n    return 0"})
    stub = nbformat.from_dict(handed_in.cells[at] | {"id": "stub", "source": STUB})
    handed_in.cells.insert(at, first)
    handed_in.cells.insert(at + 2, stub)
    notebook, mends = rebuilt(course, handed_in)
    assert ids(notebook)[at : at + 3] == ["students-own-1", "ex-1", "check-1"]
    assert notebook.cells[at].source == "def double(x):\n    return 0"
    assert "return 2 * x" in notebook.cells[at + 1].source
    assert mends[0].startswith("ex-1 was there 3 times: the last one that differs from the release counts, the others are kept")
    assert len(mends) == 1


def test_a_copied_test_counts_once(course):
    handed_in = solved(course)
    at = ids(handed_in).index("check-1")
    handed_in.cells.insert(at, nbformat.from_dict(handed_in.cells[at] | {"id": "again", "source": "2"}))
    notebook, mends = rebuilt(course, handed_in)
    assert ids(notebook) == ids(solved(course))
    assert mends == ["check-1 was there 2 times: only the release's own counts"]


def test_an_answer_in_a_cell_of_another_kind(course):
    handed_in = solved(course)
    at = ids(handed_in).index("think-1")
    handed_in.cells[at] = nbformat.from_dict({"cell_type": "raw", "id": "think-1", "metadata": {}, "source": "Because."})
    notebook, mends = rebuilt(course, handed_in)
    assert (notebook.cells[at].cell_type, notebook.cells[at].source) == ("markdown", "Because.")
    assert mends == ["think-1 had become a raw cell: its text was taken into a markdown cell"]


def test_a_pasted_picture_is_reported(course):
    handed_in = solved(course)
    cell_of(handed_in, "think-1")["attachments"] = {"a.png": {"image/png": "AAAA"}}
    _, mends = rebuilt(course, handed_in)
    assert mends == ["think-1 had a picture pasted in, which is left out here: see the original"]


def test_a_flood_of_cells_is_bounded(course):
    data = {"nbformat": 4, "cells": [{"cell_type": "code", "source": "1"}] * 200_000}
    notebook, mends = rebuilt(course, json.dumps(data).encode())
    assert len(notebook.cells) == 13 + notebooks.MOST_OWN_CELLS
    assert any("those after the first 10,000 are left out" in mend for mend in mends)


# ---------------------------------------------------------------------------------------------------- whatever comes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["cells", "source", "metadata", "x"]), inner, max_size=3),
    max_leaves=12,
)
NAMES = st.sampled_from(["title", "imports", "ex-1", "check-1", "ex-2", "check-2", "think-1", "ex-3", "check-3", "end", "other"])
ODD_NBGRADER = st.fixed_dictionaries({}, optional={"grade_id": NAMES | JSON})
ODD_CELL = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "heading", "x"]) | JSON,
        "id": NAMES | JSON,
        "source": st.sampled_from(["1", STUB, "*Write your answer here.*", "import math"]) | st.text(max_size=9) | JSON,
        "metadata": st.fixed_dictionaries({}, optional={"nbgrader": st.fixed_dictionaries({}, optional={"grade_id": NAMES | JSON}) | JSON})
        | JSON,
        "attachments": JSON,
    },
)
MANY = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@MANY
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(data):
    try:
        cells, _ = read_cells(data)
    except UnreadableError:
        return
    assert all(isinstance(cell, HandedIn) for cell in cells)


@MANY
@given(cells=st.lists(ODD_CELL | JSON, max_size=25))
def test_whatever_the_cells_the_lesson_stands_and_no_text_is_lost(template, cells):
    handed_in, _ = read_cells(json.dumps({"cells": cells}).encode())
    release = read(template.notebook("release", "01_numbers"))
    notebook, _ = rebuild(release, handed_in)
    nbformat.validate(notebook)
    own = [cell for cell in notebook.cells if cell.id.startswith("students-own-")]
    kept = [cell for cell in notebook.cells if cell not in own]
    assert ids(notebook) == list(dict.fromkeys(ids(notebook)))
    assert [(cell.id, cell.metadata, cell.cell_type) for cell in kept] == [
        (cell.id, cell.metadata, cell.cell_type) for cell in release.cells
    ]
    for cell, original in zip(kept, release.cells, strict=True):
        assert cell.source == original.source or not original.metadata.get("nbgrader", {}).get("locked")
    texts = {cell.source for cell in notebook.cells}
    locked = {cell.id for cell in release.cells if cell.metadata.get("nbgrader", {}).get("locked")}
    for cell in handed_in:
        assert cell.text in texts or not cell.text.strip() or locked & set(cell.names)


# ---------------------------------------------------------------------------------------------------- admit


def put(course, data, student="ada", name="01_numbers.ipynb"):
    path = course.folder("submitted") / student / "01_numbers" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else nbformat.writes(data).encode())
    return path


def admit(course, student="ada"):
    return intake.admit(course, student, "01_numbers", read(course.notebook("release", "01_numbers")))


def test_what_was_collected_is_admitted_as_it_is(course, folder):
    hand_in(folder, "ada", solved(course))
    record = one(course, folder).record
    assert admit(course) == record


def test_what_was_copied_by_hand_is_kept_and_rebuilt(course):
    handed_in = solved(course)
    handed_in.cells = [cell for cell in handed_in.cells if cell.id != "check-1"]
    original = put(course, handed_in, name="renamed.ipynb").read_bytes()
    put(course, b"2021-03-04 05:06:07.89 UTC", name="timestamp.txt")
    record = admit(course)
    assert record["handed_in"] == "2021-03-04T05:06:07Z"
    assert (course.received / "ada/01_numbers" / record["kept"] / "renamed.ipynb").read_bytes() == original
    assert sorted(path.name for path in (course.folder("submitted") / "ada/01_numbers").iterdir()) == ["01_numbers.ipynb", "timestamp.txt"]
    assert ids(submitted(course, "ada")) == ids(solved(course))
    assert "did not come through collect" in record["notes"][0]
    assert admit(course) == record


@pytest.mark.parametrize("stamp", [b"yesterday", b"", b"\xff\xfe", b"99999-01-01 00:00 UTC"])
def test_a_senseless_timestamp_does_no_harm(course, stamp):
    put(course, solved(course))
    put(course, stamp, name="timestamp.txt")
    assert admit(course)["handed_in"] <= now()


def test_what_was_changed_after_collecting_is_rebuilt_again(course, folder):
    hand_in(folder, "ada", solved(course))
    one(course, folder)
    put(course, solved(course)).write_text("changed")
    assert "could not be read" in (admit(course) and submitted(course, "ada").cells[0].source)


def test_an_older_rebuild_follows_a_new_release(course, folder):
    hand_in(folder, "ada", solved(course))
    one(course, folder)
    path = course.notebook("release", "01_numbers")
    release = read(path)
    cell_of(release, "end").source = "Very well done."
    nbformat.write(release, path)
    admit(course)
    assert cell_of(submitted(course, "ada"), "title").source == "# Numbers"
    assert len(intake.records(course, "ada", "01_numbers")) == 1
    assert intake.latest(course, "ada", "01_numbers")["release"] == intake.fingerprint(release)


@pytest.mark.parametrize(("names", "words"), [((), "holds no folder for a student"), (("01_numbers", "02_words"), "named like lessons")])
def test_the_wrong_folder_is_refused_whole(course, tmp_path, names, words):
    folder = tmp_path / "wrong"
    folder.mkdir()
    for name in names:
        (folder / name).mkdir()
    with pytest.raises(CourseError, match=words):
        list(intake.collect(course, folder))
    assert not course.received.exists() or not list(course.received.iterdir())


def test_a_run_ends_with_a_summary(tmp_path, capsys):
    course = released_course(tmp_path)
    folder = tmp_path / "handed in"
    hand_in(folder, "ada", solved(course))
    assert main(["--course", str(course.root), "collect", str(folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 collected."
    hand_in(folder, "bob", b"nothing at all", "essay.txt")
    assert main(["--course", str(course.root), "collect", str(folder)]) == 1
    assert "will not be graded; the lines above say why." in capsys.readouterr().out.splitlines()[-1]


def test_collecting_ends_well_when_nobody_reads_what_it_says(course, folder):
    """As in `make collect | head -1`: everything is collected all the same."""
    for number in range(40):
        hand_in(folder, f"s{number}", without(solved(course), "check-1"))
    code = f"from autograder.cli import main; raise SystemExit(main(['--course', {str(course.root)!r}, 'collect', {str(folder)!r}]))"
    run = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert run.stdout.readline().startswith("s0 ")
    run.stdout.close()
    said = run.stderr.read()
    assert (run.wait(), said) == (0, "")
    assert len(list(course.folder("submitted").glob("*/01_numbers/01_numbers.ipynb"))) == 40


# ---------------------------------------------------------------------------------------------------- make


def make(*words):
    run = subprocess.run(["make", "-n", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return run.returncode, (run.stdout.strip() or run.stderr).splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (
            ["collect", "FROM=my x.ipynb", "STUDENT=s 1", "LESSON=lesson 1", "AT=2025-03-01 18:00"],
            'collect "my x.ipynb" --lesson "lesson 1" --student "s 1" --at "2025-03-01 18:00"',
        ),
        (["remove", "LESSON=2", "STUDENT=s1999"], 'remove "2" --student "s1999"'),
        (["grade", "STUDENT=s1"], 'grade --student "s1"'),
        (["feedback", "LESSON=2", "STUDENT=s1"], 'feedback "2" --student "s1"'),
        (["table", "LESSON=lesson 1", "STUDENT=s1"], 'table "lesson 1" --student "s1"'),
        (["table", "NOTES=yes"], "table --notes"),
        (["status", "LESSON=1"], 'status "1"'),
    ],
)
def test_make_passes_on_what_it_is_given(words, command):
    code, last = make(*words)
    assert (code, last.split()) == (0, [".venv/bin/python", "-m", "autograder", *command.split()])


@pytest.mark.parametrize(
    ("words", "strange"),
    [
        (["status", "STUDENT=s1"], "STUDENT"),
        (["grade", "LESON=2"], "LESON"),
        (["lab", "FROM=x"], "FROM"),
        (["grade", "report", "WORKERS=2"], "WORKERS"),
    ],
)
def test_make_refuses_what_a_target_does_not_take(words, strange):
    code, last = make(*words)
    assert code == 2
    assert f"does not take {strange}. It takes: " in last


def test_setting_up_says_what_is_next_when_it_did_something(tmp_path):
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / "course_lib").mkdir()
    (tmp_path / "course_lib" / "install.py").write_text("import pathlib; pathlib.Path('.venv/installed.json').write_text('{}')")
    first, again = (
        subprocess.run(
            ["make", "setup"], cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ | {"PYTHON": sys.executable}
        )
        for _ in range(2)
    )
    assert first.stdout == "Next: make lab opens the course; make alone lists everything else.\n"
    assert again.stdout == ""
