"""Grading, for real: nbgrader, kernels, hand-ins that misbehave."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime

import nbformat
import pytest
import real_lab
import sqlalchemy
from grading_course import cell_of, hand_in, read, released_course, solved
from nbformat.v4 import new_output
from traitlets.config import Config

from autograder import feedback, grading, intake, release
from autograder.cli import main
from autograder.cluster import Pool
from autograder.course import Course, CourseError
from autograder.execution import BoundedExecute, verdict_only

LIMITS = Config({"Execute": {"timeout": 3, "iopub_timeout": 2}, "BoundedExecute": {"notebook_seconds": 12}})

# what a student wrote for ex-1 (a function double); everything else is right
ANSWERS = {
    "loop": "while True:\n    pass",
    "deaf": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
    "dies": "import os\nos._exit(1)",
    "dies-when-called": "import os\ndef double(x):\n    os._exit(1)",
    "flood": "while True:\n    print('x' * 1000)",
    "much": "print('y' * 9_000_000)\ndef double(x):\n    return 2 * x",
    "stderr": "import sys\ndef double(x):\n    print('careful', file=sys.stderr)\n    return 2 * x",
    "hides-results": "get_ipython().display_trap.hook = lambda value: None\ndef double(x):\n    return 0",
    "background": "import subprocess\nchild = subprocess.Popen(['sleep', '987'])\ndef double(x):\n    return 2 * x",
    "exits": "raise SystemExit",
    "syntax": "def double(x:\n",
}


def put_answer(notebook, name, source):
    cell_of(notebook, name).source = source
    return notebook


@pytest.fixture(scope="module")
def pool():
    """Workers for all of these tests: they take a second or two to start."""
    with Pool(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def course(tmp_path_factory, pool):
    course = Course(released_course(tmp_path_factory.mktemp("course")).root, LIMITS)
    folder = course.root / "handed in"
    for student, source in ANSWERS.items():
        hand_in(folder, student, put_answer(solved(course), "ex-1", source))
    hand_in(folder, "perfect", solved(course))
    hand_in(folder, "untouched", read(course.notebook("release", "01_numbers")))
    hand_in(folder, "cut", nbformat.writes(solved(course)).encode()[:2000])
    loops = solved(course)
    for name in ("ex-1", "ex-2", "ex-3", "imports"):
        put_answer(loops, name, ANSWERS["deaf"])
    hand_in(folder, "loops", loops)
    hand_in(folder, "partly", put_answer(solved(course), "ex-3", "def area(r):\n    return 1"))
    assert {outcome.state for outcome in intake.collect(course, folder)} == {"collected"}
    copied = solved(course)
    copied.cells = [cell for cell in copied.cells if cell.id != "check-1"]
    path = course.notebook("submitted", "01_numbers", "copied-by-hand")
    path.parent.mkdir(parents=True)
    nbformat.write(put_answer(copied, "ex-1", "def double(x):\n    return x"), path)
    start = time.monotonic()
    course.graded = {one.student: one for one in grading.grade(course, ["01_numbers"], pool=pool)}
    course.seconds = time.monotonic() - start
    return course


def row(course, student, lesson="01_numbers"):
    return grading.table(course, [lesson], student)[0]


def test_everything_ends_graded(course):
    assert {one.state for one in course.graded.values()} == {"graded"}
    assert len(course.graded) == len(ANSWERS) + 6


def test_as_the_class_grows_the_gradebook_takes_stock_of_itself(course):
    with course.gradebook() as gradebook:
        known = gradebook.db.execute(sqlalchemy.text("SELECT tbl, stat FROM sqlite_stat1 WHERE idx LIKE '%\\_1' ESCAPE '\\'"))
        rows = {table: int(stat.split()[0]) for table, stat in known}
    assert 10 <= rows["submitted_notebook"] <= len(course.graded)
    assert rows["grade"] >= 3 * rows["submitted_notebook"]  # as many as checks


SCORES = {  # check-1 of 2, check-2 of 1, check-3 of 3
    "perfect": (2, 1, 3),
    "untouched": (0, 0, 0),
    "cut": (0, 0, 0),
    "partly": (2, 1, 1),
    "copied-by-hand": (0, 1, 3),
    "loops": (0, 0, 0),
    "much": (2, 1, 3),
    "stderr": (2, 1, 3),
    "background": (2, 1, 3),
    "hides-results": (0, 1, 3),
} | dict.fromkeys(("loop", "deaf", "dies", "dies-when-called", "flood", "exits", "syntax"), (0, 1, 3))


@pytest.mark.parametrize("student", SCORES)
def test_the_score_is_what_was_earned(course, student):
    scores = row(course, student).scores
    assert (scores["check-1"], scores["check-2"], scores["check-3"]) == SCORES[student]


REASONS = {
    "loop": "ex-1: Stopped after 3 seconds. Does a loop never end?",
    "flood": "ex-1: Stopped after 3 seconds",
    "deaf": "ex-1: Stopped after 3 seconds, for which the kernel had to be killed",
    "dies": "ex-1: The kernel died while this cell ran",
    "dies-when-called": "check-1: The kernel stopped before it gave an answer.",
    "cut": "The file `01_numbers.ipynb` is cut off after 2,000 bytes",
    "copied-by-hand": "it did not come through collect",
    "loops": "Not run: the cells before it took all of the notebook's 12 seconds.",
}


@pytest.mark.parametrize("student", REASONS)
def test_the_reason_is_told_plainly(course, student):
    assert any(REASONS[student] in note for note in row(course, student).notes), row(course, student).notes


def test_a_hand_in_without_trouble_has_no_notes(course):
    assert row(course, "perfect").notes == row(course, "untouched").notes == row(course, "stderr").notes == []


def test_the_time_of_a_notebook_is_bounded(course):
    assert course.graded["loops"].seconds < 60  # 12, the last cell's 3 and 2, and kernels starting on a slow machine


def test_what_a_cell_started_ends_with_the_notebook(course):
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 987" not in running


def test_output_is_bounded(course):
    for student in ("much", "flood"):
        assert course.notebook("autograded", "01_numbers", student).stat().st_size < 3_000_000
        outputs = cell_of(read(course.notebook("autograded", "01_numbers", student)), "ex-1").outputs
        assert any("the rest of the output is left out" in output.get("text", "") for output in outputs)


FLOODS = {
    "results": "for n in range(30): sys.displayhook('x' * 1_000_000)",
    "errors": "for n in range(30):\n    try: raise ValueError('x' * 1_000_000)\n    except ValueError: ip.showtraceback()",
    "metadata": "for n in range(30): display('x', metadata={'x': 'y' * 1_000_000})",
    "updates": "shown = display('x', display_id=True)\nfor n in range(30): shown.update('y' * 1_000_000)",
    "of many cells": None,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_what_all_cells_show_together_is_bounded(kind):
    start = "import sys\nfrom IPython.display import display\nip = get_ipython()"
    sources = [FLOODS[kind]] if FLOODS[kind] else ["print('x' * 1_900_000)"] * 30
    cells = [nbformat.v4.new_code_cell(source) for source in (start, *sources, "print('the end')")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook, _ = BoundedExecute(timeout=60).preprocess(nbformat.v4.new_notebook(cells=cells, metadata=kernel), {})
    assert len(nbformat.writes(notebook)) < (21_000_000 if kind == "of many cells" else 3_000_000)
    assert ("the rest of the output is left out" in str(notebook.cells[-2].outputs)) == (kind != "errors")  # these are shortened
    assert "the end" in str(notebook.cells[-1].outputs)


def test_a_verdict_is_kept_however_much_other_cells_showed():
    grade = {"grade": True, "grade_id": "check", "locked": True, "points": 2, "schema_version": 3, "solution": False, "task": False}
    cells = [nbformat.v4.new_code_cell("class Long:\n    def __repr__(self): return '2.' + '0' * 1_500_000")]
    cells += [nbformat.v4.new_code_cell("print('x' * 1_900_000)") for _ in range(12)]
    cells += [nbformat.v4.new_code_cell("'x' * 1_500_000"), nbformat.v4.new_code_cell("Long()", metadata={"nbgrader": grade})]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook, _ = BoundedExecute(timeout=60).preprocess(nbformat.v4.new_notebook(cells=cells, metadata=kernel), {})
    assert "left out" in str(notebook.cells[-2].outputs)
    assert notebook.cells[-1].outputs[0].data["text/plain"].startswith("2.0")


def test_a_long_error_is_told_in_short():
    cells = [nbformat.v4.new_code_cell("raise ValueError('x' * 1_000_000)")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook, _ = BoundedExecute(timeout=60).preprocess(nbformat.v4.new_notebook(cells=cells, metadata=kernel), {})
    [told] = notebook.cells[0].outputs
    assert (told.ename, told.evalue[:5], told.traceback) == ("ValueError", "xxxxx", [])
    assert len(told.evalue) < 30_000


def test_an_unchanged_answer_in_words_needs_no_grading(course):
    assert (row(course, "untouched").state, row(course, "perfect").state) == ("graded, nothing answered", "1 to grade by hand")


def test_the_reason_stands_in_the_gradebook_too(course):
    with course.gradebook() as gradebook:
        comments = gradebook.find_submission_notebook("01_numbers", "01_numbers", "cut").comments
        assert all("is cut off after 2,000 bytes" in comment.comment for comment in comments)


def test_grading_again_touches_nothing_unless_asked(course):
    before = {path: path.stat().st_mtime_ns for path in course.folder("autograded").rglob("*.ipynb")}
    again = list(grading.grade(course, ["01_numbers"]))
    assert {one.state for one in again} == {"unchanged"}
    assert {one.student: one.notes for one in again} == {one.student: one.notes for one in course.graded.values()}
    assert {path: path.stat().st_mtime_ns for path in course.folder("autograded").rglob("*.ipynb")} == before


def test_feedback_tells_verdict_and_reason_but_no_time_out_is_a_traceback(course):
    done = {student: problem for student, _, problem in feedback.feedback(course, ["01_numbers"])}
    assert set(done.values()) == {None}
    page = (course.folder("feedback") / "loop/01_numbers/01_numbers.html").read_text()
    assert "Stopped after 3 seconds. Does a loop never end?" in page
    assert "This hand-in could not be read." in (course.folder("feedback") / "cut/01_numbers/01_numbers.html").read_text()


def test_the_table_reads_well(course):
    lines = []
    grading.print_table(grading.table(course, ["01_numbers"]), print=lines.append)
    assert lines[0].split() == ["student", "lesson", "automatic", "by", "hand", "total", "state", "notes"]
    perfect = next(line for line in lines if line.startswith("perfect "))
    assert perfect.split() == ["perfect", "01_numbers", "6/6", "0/2", "6/8", "1", "to", "grade", "by", "hand"]
    assert len(lines) == len(course.graded) + 1


# ---------------------------------------------------------------------------------------------------- nbgrader's formgrader


@pytest.fixture(scope="module")
def formgrader(course, tmp_path_factory):
    """JupyterLab on the course's folder, as `make formgrader` runs it; a function that sends it a request."""
    with real_lab.started(tmp_path_factory.mktemp("jupyter"), "--formgrader", course.root) as lab:

        def ask(path, data=None):
            request = urllib.request.Request(f"{lab.base}/formgrader{path}", headers={"Authorization": f"token {lab.token}"})
            if data is not None:
                request.method, request.data = "PUT", json.dumps(data).encode()
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read().decode()

        yield ask


def test_the_formgrader_shows_the_class(formgrader, course):
    lessons = {one["name"]: one for one in json.loads(formgrader("/api/assignments"))}
    assert lessons["01_numbers"]["num_submissions"] == len(course.graded)
    scores = {one["student"]: one["code_score"] for one in json.loads(formgrader("/api/submissions/01_numbers"))}
    assert scores == {student: row(course, student).automatic[0] for student in course.graded}
    for page in ("/manage_assignments", "/gradebook", "/gradebook/01_numbers/01_numbers", "/manage_students"):
        assert "nbgrader" in formgrader(page)


def test_answers_in_words_can_be_graded_there(formgrader, course):
    hand_ins = json.loads(formgrader("/api/submitted_notebooks/01_numbers/01_numbers"))
    name = next(one["id"] for one in hand_ins if one["student"] == "partly")
    assert "Because 4 x 4 = 16." in formgrader(f"/submissions/{name}/")
    grades = json.loads(formgrader(f"/api/grades?submission_id={name}"))
    answer = next(grade["id"] for grade in grades if grade["name"] == "think-1")
    formgrader(f"/api/grade/{answer}", {"manual_score": 1.5})
    assert (row(course, "partly").manual, row(course, "partly").state) == ((1.5, 2), "graded")


# ---------------------------------------------------------------------------------------------------- one hand-in at a time


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return released_course(tmp_path_factory.mktemp("template"))


@pytest.fixture
def fresh(template, tmp_path):
    """A course with one hand-in of lesson 2, ada's, which is right."""
    shutil.copytree(template.root, tmp_path / "course")
    course = Course(tmp_path / "course", LIMITS)
    hand(course, "ada", solved(course, "02_words"), 1_600_000_000)
    return course


def hand(course, student, notebook, when, lesson="02_words"):
    path = hand_in(course.root / "handed in", student, notebook, f"{lesson}.ipynb")
    os.utime(path, (when, when))
    assert list(intake.collect(course, course.root / "handed in"))


@pytest.fixture
def grade(pool):
    """A function that grades a course: what became of each student's hand-in."""

    def grade(course, **options):
        return {one.student: one for one in grading.grade(course, ["01_numbers", "02_words"], pool=pool, **options)}

    return grade


def test_a_newer_hand_in_is_graded_and_the_others_left_alone(fresh, grade):
    hand(fresh, "bob", read(fresh.notebook("release", "02_words")), 1_600_000_000)
    grade(fresh)
    hand(fresh, "bob", solved(fresh, "02_words"), 1_600_000_001)
    assert row(fresh, "bob", "02_words").state == "a newer hand-in waits"
    assert {name: one.state for name, one in grade(fresh).items()} == {"ada": "unchanged", "bob": "graded"}
    assert row(fresh, "bob", "02_words").automatic == (4, 4)


def test_a_change_in_the_checks_or_settings_grades_anew(fresh, monkeypatch, grade):
    grade(fresh)
    monkeypatch.setattr(grading, "_code", lambda: "another library")
    assert grade(fresh)["ada"].state == "graded"
    assert grade(fresh)["ada"].state == "unchanged"
    with (fresh.root / "nbgrader_config.py").open("a") as settings:
        settings.write("c.Execute.timeout = 50\n")
    assert grade(fresh)["ada"].state == "graded"


def test_only_the_student_asked_for(fresh, grade):
    hand(fresh, "bob", solved(fresh, "02_words"), 1_600_000_000)
    assert list(grade(fresh, student="bob")) == ["bob"]
    assert row(fresh, "ada", "02_words").state == "not graded yet"


def test_a_lost_gradebook_is_filled_again(fresh, grade):
    grade(fresh)
    (fresh.root / "gradebook.db").unlink()
    with pytest.raises(CourseError, match="The gradebook does not know 02_words"):
        grade(fresh)
    release.release(fresh, fresh.lessons())
    assert grade(fresh)["ada"].state == "graded"


def test_a_gradebook_of_an_older_release_is_refused(fresh, grade):
    path = fresh.notebook("source", "02_words")
    notebook = read(path)
    cell_of(notebook, "check-4").source = '4 * (shout("oh") == "OH")'
    nbformat.write(notebook, path)
    before = (fresh.root / "gradebook.db").read_bytes()
    release.release(fresh, ["02_words"])
    (fresh.root / "gradebook.db").write_bytes(before)
    with pytest.raises(CourseError, match="has an older version of 02_words"):
        grade(fresh)


def test_what_fails_counts_zero_with_the_reason_and_stops_nobody(fresh, monkeypatch, grade):
    hand(fresh, "bob", solved(fresh, "02_words"), 1_600_000_000)
    convert = Course.convert

    def fail(self, name, lesson, student=None, **changes):
        if student == "ada":
            raise OSError(28, "No space left on device")
        return convert(self, name, lesson, student, **changes)

    monkeypatch.setattr(Course, "convert", fail)
    graded = grade(fresh)
    assert {name: one.state for name, one in graded.items()} == {"ada": "failed", "bob": "graded"}
    standing = row(fresh, "ada", "02_words")
    assert (standing.automatic, standing.state) == ((0, 4), "failed")
    assert standing.notes == ["Not graded: OSError: [Errno 28] No space left on device"]
    with fresh.gradebook() as gradebook:
        comments = gradebook.find_submission_notebook("02_words", "02_words", "ada").comments
        assert [comment.comment for comment in comments] == standing.notes
    monkeypatch.undo()
    assert {name: one.state for name, one in grade(fresh).items()} == {"ada": "graded", "bob": "unchanged"}
    assert row(fresh, "ada", "02_words").automatic == (4, 4)


def test_a_link_in_submitted_is_not_graded(fresh, tmp_path, grade):
    place = fresh.folder("submitted") / "eve"
    place.mkdir(parents=True)
    (place / "02_words").symlink_to(tmp_path)
    one = grade(fresh)["eve"]
    assert one.state == "failed"
    assert "is a link" in one.notes[0]
    assert row(fresh, "eve", "02_words").automatic == (0, 4)


def judge(course, points):
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("think-1", "01_numbers", "01_numbers", "ada")
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


def test_points_given_by_hand_outlast_regrading_and_ask_again_when_the_answer_changes(fresh, grade):
    hand(fresh, "ada", solved(fresh), 1_600_000_000, "01_numbers")
    grade(fresh)
    judge(fresh, 1.5)
    assert (row(fresh, "ada").manual, row(fresh, "ada").state) == ((1.5, 2), "graded")
    assert grade(fresh, again=True)["ada"].state == "graded"
    assert (row(fresh, "ada").manual, row(fresh, "ada").state) == ((1.5, 2), "graded")
    hand(fresh, "ada", put_answer(solved(fresh), "think-1", "I changed my mind."), 1_600_000_009, "01_numbers")
    grade(fresh)
    assert (row(fresh, "ada").manual, row(fresh, "ada").state) == ((1.5, 2), "1 to grade by hand")


def test_a_late_hand_in_says_how_late(fresh, grade):
    release.release(fresh, ["02_words"], datetime(2020, 9, 11, 10, 0, tzinfo=UTC))
    grade(fresh)
    assert row(fresh, "ada", "02_words").state == "graded, late by 2 d 2 h"


def test_a_regrade_gets_the_same_random_cases_and_a_changed_hand_in_others(fresh):
    def seed():
        return grading.task(fresh, intake.latest(fresh, "ada", "02_words"))["seed"]

    first = seed()
    assert seed() == first
    hand(fresh, "ada", read(fresh.notebook("release", "02_words")), 1_600_000_009)
    assert seed() != first
    hand(fresh, "ada", solved(fresh, "02_words"), 1_600_000_010)
    assert seed() == first
    (fresh.received / ".seed").write_text("of another course")
    assert seed() != first


def test_the_plain_nbgrader_command_line_grades_the_same(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "course")
    course = Course(tmp_path / "course")
    tampered = read(course.notebook("release", "02_words"))  # nothing solved, and the test taken out
    tampered.cells = [cell for cell in tampered.cells if cell.id != "check-4"]
    for student, notebook in {"ada": solved(course, "02_words"), "eve": tampered}.items():
        path = course.notebook("submitted", "02_words", student)
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbgrader", "autograde", "02_words"]
    environment = os.environ | {"PATH": "/usr/bin:/bin"}  # as where .venv is not activated
    done = subprocess.run(command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (row(course, "ada", "02_words").automatic, row(course, "eve", "02_words").automatic) == ((4, 4), (0, 4))
    assert intake.latest(course, "eve", "02_words")["mends"] == ["check-4 was missing: put back as released"]


# ---------------------------------------------------------------------------------------------------- the command line


def command(course, capsys, *words):
    status = main(["--course", str(course.root), *words])
    return status, capsys.readouterr()


def test_grading_from_the_command_line(fresh, capsys):
    status, said = command(fresh, capsys, "table")
    assert "not graded yet" in said.out
    assert command(fresh, capsys, "feedback")[1].out.startswith("Nothing is graded yet")
    status, said = command(fresh, capsys, "grade", "2")
    assert (status, said.out.splitlines()[-1]) == (0, "1 graded.")
    assert command(fresh, capsys, "grade")[1].out == "1 unchanged.\n"
    assert command(fresh, capsys, "grade", "--student", "nobody")[1].out == "There is nothing to grade.\n"
    status, said = command(fresh, capsys, "feedback")
    assert (status, said.out.split()) == (0, ["ada", "02_words", "feedback/ada/02_words/02_words.html"])
    status, said = command(fresh, capsys, "table", "--notes")
    assert said.out.splitlines()[1].split() == ["ada", "02_words", "4/4", "0/0", "4/4", "graded"]
    status, said = command(fresh, capsys, "grade", "7")
    assert (status, said.err) == (2, "autograder grade: notebooks/ has no lesson '7'. Lessons there: 01_numbers, 02_words.\n")


def test_a_failure_shows_in_the_exit_status(fresh, capsys, tmp_path):
    (fresh.folder("submitted") / "eve").mkdir()
    (fresh.folder("submitted") / "eve/02_words").symlink_to(tmp_path)
    status, said = command(fresh, capsys, "grade", "--student", "eve")
    assert (status, said.out.splitlines()[-1]) == (1, "1 failed.")


# ---------------------------------------------------------------------------------------------------- no verdict, no points


def result(text):
    return new_output("execute_result", {"text/plain": text}, execution_count=1)


def score(outputs, points=2.0):
    """What nbgrader makes of a test cell's outputs once they went through `verdict_only`."""
    from nbgrader.utils import determine_grade

    cell = nbformat.v4.new_code_cell("check()", metadata={"nbgrader": {"grade": True, "solution": False, "points": points}})
    cell.outputs = verdict_only(outputs, points)
    return determine_grade(cell)[0]


PRINTED = new_output("stream", name="stdout", text="2")
WARNING = new_output("stream", name="stderr", text="careful")
SHOWN = new_output("display_data", {"text/plain": "2"})
FAILED = new_output("error", ename="E", evalue="", traceback=[])


@pytest.mark.parametrize(
    ("outputs", "earned"),
    [
        ([result("2")], 2),
        ([result("0.5")], 0.5),
        ([result("0")], 0),
        ([PRINTED, WARNING, SHOWN, result("1.5")], 1.5),
        ([], 0),
        ([PRINTED], 0),
        ([SHOWN], 0),
        ([result("2"), FAILED], 0),
        ([result("2"), result("2")], 0),
        ([result("2.1")], 0),
        ([result("-1")], 0),
        ([result("nan")], 0),
        ([result("inf")], 0),
        ([result("'2'")], 0),
        ([result("")], 0),
        ([new_output("execute_result", {"text/html": "2"})], 0),
    ],
)
def test_a_test_cell_scores_what_its_verdict_says_and_nothing_without_one(outputs, earned):
    assert score([nbformat.from_dict(output) for output in outputs]) == earned


def sleeping(tags):
    cell = nbformat.v4.new_code_cell("import time\ntime.sleep(3)\nprint('awake')", metadata={"tags": tags})
    return nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


@pytest.mark.parametrize(("tags", "awake"), [([], False), (["may-take-20-s"], True), (["may-take-long"], False)])
def test_a_lesson_may_give_a_cell_more_time(tags, awake):
    notebook, _ = BoundedExecute(timeout=1, notebook_seconds=2).preprocess(sleeping(tags), {})
    assert ("awake" in str(notebook.cells[0].outputs)) == awake


class StartsBadly(BoundedExecute):
    """Its kernels do not start, those whose numbers it is told."""

    def start_new_kernel_client(self, **kwargs):
        self.started = getattr(self, "started", 0) + 1
        if self.started in self.bad:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return super().start_new_kernel_client(**kwargs)

    async def async_start_new_kernel_client(self):
        self.started = getattr(self, "started", 0) + 1
        if self.started in self.bad:
            raise RuntimeError("Kernel didn't respond in 60 seconds")
        return await super().async_start_new_kernel_client()


def run_badly(bad, *sources):
    runner = StartsBadly(timeout=60, jail="never")
    runner.bad = bad
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook, _ = runner.preprocess(nbformat.v4.new_notebook(cells=cells, metadata=kernel), {})
    return [" ".join(output.get("text") or output.get("evalue") for output in cell.outputs).strip() for cell in notebook.cells]


def test_a_kernel_that_does_not_start_is_tried_again():
    assert run_badly({1, 2}, "print('here')") == ["here"]


def test_a_kernel_that_never_starts_is_no_grade():
    with pytest.raises(RuntimeError, match="didn't respond"):
        run_badly(set(range(9)), "print('here')")


def test_a_kernel_that_does_not_start_again_is_tried_again():
    exits = "import os; os._exit(1)"
    first, _, last = run_badly({2, 3}, "print('here')", exits, "print('there')")
    assert (first, last) == ("here", "there")


def test_what_comes_after_a_kernel_that_nothing_replaces_is_not_run_and_says_so():
    exits = "import os; os._exit(1)"
    first, _, last = run_badly(set(range(2, 9)), "print('here')", exits, "print('there')")
    assert (first, last) == ("here", "Not run: the kernel stopped, and no other one could be started.")


def test_a_hand_in_cannot_give_itself_more_time(course):
    notebook = solved(course)
    cell_of(notebook, "ex-1").metadata["tags"] = ["may-take-999-s"]
    hand_in(course.root / "later", "patient", notebook)
    assert [outcome.state for outcome in intake.collect(course, course.root / "later")] == ["collected"]
    rebuilt = read(course.notebook("submitted", "01_numbers", "patient"))
    assert all("tags" not in cell.metadata for cell in rebuilt.cells)
