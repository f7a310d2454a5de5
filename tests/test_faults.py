"""Grading is killed, at many moments and in every way: what comes in the end is what comes undisturbed."""

import contextlib
import itertools
import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from random import Random

import psutil
import pytest
from grading_course import REPOSITORY, cell_of, hand_in, released_course, solved

from autograder import cluster, grading, intake, ledger
from autograder.course import Course, CourseError, read_json, write_json, write_once

KILLS = 20  # half of them of the coordinator, half of a worker
SETTINGS = """
c.Execute.timeout = 3
c.LateSubmissionPlugin.penalty_method = "zero"
"""
CLASS = {
    "ada": {},
    "ben": {"ex-1": "def double(x):\n    return x"},
    "cem": {"ex-3": "def area(r):\n    return 1", "think-1": "Because."},
    "dora": {"ex-1": "import os\nos._exit(1)"},
    "eve": {"ex-2": "answer_2 = 5"},
}


def books(course):
    """All that the gradebook holds of the class, in a form that can be compared."""
    found = {}
    with course.gradebook() as gradebook:
        for submission in [one for assignment in gradebook.assignments for one in assignment.submissions]:
            for notebook in submission.notebooks:
                found[submission.student.id, notebook.name] = {
                    "time": str(submission.timestamp),
                    "late": submission.total_seconds_late,
                    "penalty": notebook.late_submission_penalty,
                    "grades": {
                        one.name: (one.auto_score, one.manual_score, one.extra_credit, one.needs_manual_grade) for one in notebook.grades
                    },
                    "comments": {one.name: (one.auto_comment, one.manual_comment) for one in notebook.comments},
                }
    return found


def judge(course, student, points):
    with course.gradebook() as gradebook:
        grade = gradebook.find_grade("think-1", "01_numbers", "01_numbers", student)
        grade.manual_score, grade.needs_manual_grade = points, False
        gradebook.db.commit()


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A class that was graded once, with judgements by hand, before its settings changed: all of it is to be graded anew."""
    course = released_course(tmp_path_factory.mktemp("template"))
    for student, answers in CLASS.items():
        notebook = solved(course)
        for name, source in answers.items():
            cell_of(notebook, name).source = source
        hand_in(course.root / "handed in", student, notebook)
    assert {outcome.state for outcome in intake.collect(course, course.root / "handed in")} == {"collected"}
    with cluster.Pool(2) as pool:
        assert {one.state for one in grading.grade(course, ["01_numbers"], pool=pool)} == {"graded"}
        for student in ("ada", "ben", "eve"):
            judge(course, student, 1.5)
        with (course.root / "nbgrader_config.py").open("a") as settings:
            settings.write(SETTINGS)
        notebook = solved(course)
        cell_of(notebook, "think-1").source = "I changed my mind."
        hand_in(course.root / "later", "eve", notebook)
        assert [outcome.state for outcome in intake.collect(course, course.root / "later")] == ["collected"]
        course.undisturbed = course.root.parent / "undisturbed"
        shutil.copytree(course.root, course.undisturbed)
        assert {one.state for one in grading.grade(Course(course.undisturbed), ["01_numbers"], pool=pool)} == {"graded"}
    return course


def test_the_class_has_something_of_everything(template):
    found = books(Course(template.undisturbed))
    assert len(found) == len(CLASS)
    waiting = {student: one["grades"]["think-1"][3] for (student, _), one in found.items()}
    assert waiting == {"ada": False, "ben": False, "cem": True, "dora": True, "eve": True}
    assert [found["dora", "01_numbers"]["grades"][name][0] for name in ("check-1", "check-2", "check-3")] == [0, 1, 3]


def test_another_number_of_workers_and_another_try_give_the_same_grades(template, tmp_path):
    for count in (1, 4):
        course = copy(template, tmp_path / str(count))
        with cluster.Pool(count) as pool:
            assert {one.state for one in grading.grade(course, ["01_numbers"], pool=pool)} == {"graded"}
            same_books(course, template)
            if count == 4:
                assert {one.state for one in grading.grade(course, ["01_numbers"], again=True, pool=pool)} == {"graded"}
                same_books(course, template)


def copy(template, place):
    shutil.copytree(template.root, place)
    return Course(place)


def same_books(course, template):
    """The same gradebook as undisturbed, and nothing left to do."""
    assert books(course) == books(Course(template.undisturbed))
    rows = grading.table(course, ["01_numbers"])
    assert {row.student for row in rows} == set(CLASS)
    assert not any(grading.is_stale(course, intake.latest(course, row.student, row.lesson)) for row in rows)
    assert not [*course.records.glob("*.again"), *course.records.glob("unfinished/*/*.json")]


# ---------------------------------------------------------------------------------------------------- killed

SERVER = multiprocessing.get_context("forkserver")  # a grader that starts at once: what takes seconds is loaded before it forks
SERVER.set_forkserver_preload(["autograder.grading", "autograder.cluster", "distributed", "nbgrader.converters"])


def grade_all(root, count, again):
    """A grader: a process of its own."""
    os.setpgid(0, 0)
    with cluster.Pool(count) as pool:
        for _ in grading.grade(Course(root), ["01_numbers"], again=again, pool=pool):
            pass


class Grader:
    """A running grader."""

    def __init__(self, course, count=2, again=False):
        self.process = SERVER.Process(target=grade_all, args=(course.root, count, again))
        self.process.start()
        self.seen = {}

    def running(self):
        return self.process.exitcode is None

    def wait(self, seconds):
        """Let it run for a while, looking at what it starts."""
        deadline = time.monotonic() + seconds
        while self.running() and time.monotonic() < deadline:
            self.look()
            time.sleep(0.05)

    def look(self):
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen |= {one.pid: one for one in psutil.Process(self.process.pid).children(recursive=True)}

    def workers(self):
        """Its worker processes, as they are now."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [one for one in psutil.Process(self.process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
        return []

    def kill(self):
        """Kill it as the system does; all that it has started must end by itself."""
        self.look()
        self.process.kill()
        self.process.join()
        self.all_gone()

    def all_gone(self):
        _, left = psutil.wait_procs([one for one in self.seen.values() if one.is_running()], timeout=20)
        assert left == []

    def end(self):
        self.wait(120)
        self.process.join(10)
        assert self.process.exitcode == 0
        self.all_gone()


@pytest.fixture(scope="module")
def span(template, tmp_path_factory):
    """Seconds that a grader takes undisturbed."""
    course = copy(template, tmp_path_factory.mktemp("span") / "course")
    start = time.monotonic()
    Grader(course).end()
    same_books(course, template)
    return time.monotonic() - start


def cut_off(course, random):
    """What a machine that loses its power may leave of the files that were being written: parts of them."""
    for path in course.records.glob("unfinished/*/*.json"):
        notebook = course.notebook("autograded", path.parent.name, path.stem)
        if notebook.is_file():
            notebook.chmod(0o644)
            os.truncate(notebook, random.randrange(notebook.stat().st_size + 1))
    for path in course.records.glob("*.json"):
        data = path.read_bytes()
        path.with_name(f".{path.name}.{os.getpid()}.part").write_bytes(data[: random.randrange(len(data))])


def copies(template, folder):
    """Ever new copies of the course."""
    return (copy(template, folder / str(number)) for number in itertools.count())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_coordinator_killed_at_random_moments_loses_and_changes_nothing(template, span, tmp_path, seed):
    random, courses, kills = Random(seed), copies(template, tmp_path), 0
    course = next(courses)
    while kills < KILLS // 4:
        grader = Grader(course, again=kills == 0 and seed == 1)
        grader.wait(random.uniform(0, span))
        if grader.running():
            grader.kill()
            kills += 1
            if kills % 2:
                cut_off(course, random)
        else:  # it was done before its time had come
            grader.end()
            same_books(course, template)
            course = next(courses)
    Grader(course).end()
    same_books(course, template)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, KILLS // 4))])
def test_workers_killed_at_random_moments_cost_nothing_but_time(template, span, tmp_path, seed):
    random, courses, kills = Random(seed), copies(template, tmp_path), 0
    while kills < 2:  # one more in a single run might meet the same hand-in thrice, which would be given up, as it should
        course = next(courses)
        grader = Grader(course, count=1 + seed % 2)
        while kills < 2 and grader.running():
            grader.wait(random.uniform(0, span / 2))
            workers = grader.workers()
            if workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    random.choice(workers).kill()
                    kills += 1
        grader.end()
        same_books(course, template)


STEPS = {  # between which two things of the grading of one hand-in a grader may die
    "before its record is kept": ("autograder.ledger", "write"),
    "before nbgrader starts": ("autograder.course", "Course.convert"),
    "before judgements are put back": ("autograder.grading", "_keep_judgements"),
    "before it is remembered": ("autograder.grading", "_remember"),
    "before it is marked as done": ("autograder.ledger", "end"),
}


class Died(BaseException):
    """In the place of SIGKILL, at an exact point of the program; nothing in it handles this."""


class Recorded:
    """A pool that has run everything already."""

    def __init__(self, course):
        self.course = Course(course.undisturbed)

    def check(self, unsafe):
        pass

    def run(self, jobs, unsafe):
        for name, _ in jobs:
            yield name, ledger.read(self.course, name[2])


@pytest.mark.parametrize("step", STEPS)
def test_a_grader_that_dies_between_two_steps(template, tmp_path, monkeypatch, step):
    course = copy(template, tmp_path / "course")
    module, name = STEPS[step]
    place, _, name = name.rpartition(".")
    owner = getattr(sys.modules[module], place) if place else sys.modules[module]
    usual, calls = getattr(owner, name), []

    def dies(*arguments, **options):
        calls.append(arguments)
        if len(calls) % 2:
            raise Died
        return usual(*arguments, **options)

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dies)
            with pytest.raises(Died):
                list(grading.grade(course, ["01_numbers"], pool=Recorded(template)))
    list(grading.grade(course, ["01_numbers"], pool=Recorded(template)))
    same_books(course, template)


def test_a_gradebook_in_use_while_it_takes_stock_stops_nobody(template, tmp_path, monkeypatch):
    course = copy(template, tmp_path / "course")
    monkeypatch.setattr(grading, "GROWN", (len(CLASS),))
    rows = grading.grade(course, ["01_numbers"], pool=Recorded(template))
    graded = [next(rows) for _ in CLASS]
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert list(rows) == []
    assert {one.state for one in graded} == {"graded"}
    same_books(course, template)


def test_half_a_graded_notebook_does_not_matter(template, tmp_path, monkeypatch):
    course = copy(template, tmp_path / "course")

    def dies(*arguments):
        raise Died

    for size in (0, 100):
        with monkeypatch.context() as patch:
            patch.setattr(grading, "_keep_judgements", dies)
            with pytest.raises(Died):
                list(grading.grade(course, ["01_numbers"], pool=Recorded(template)))
        notebook = course.notebook("autograded", "01_numbers", "ada")
        notebook.chmod(0o644)
        os.truncate(notebook, size)
    assert {one.state for one in grading.grade(course, ["01_numbers"], pool=Recorded(template))} == {"graded"}
    same_books(course, template)


@pytest.mark.parametrize("damage", [b'{"cells": ', b"\0" * 4000])
def test_a_damaged_record_is_made_anew(template, tmp_path, damage):
    course = copy(template, tmp_path / "course")
    names = [path.name for path in Course(template.undisturbed).records.glob("*.json")]
    for name in names:
        (course.records / name).write_bytes(damage)
    assert {one.state for one in grading.grade(course, ["01_numbers"], pool=Recorded(template))} == {"graded"}
    same_books(course, template)


def test_a_regrade_that_is_stopped_goes_on_by_itself(template, tmp_path):
    shutil.copytree(template.undisturbed, tmp_path / "course")
    course = Course(tmp_path / "course")
    outcomes = grading.grade(course, ["01_numbers"], again=True, pool=Recorded(template))
    first = next(outcomes).student
    outcomes.close()
    states = {one.student: one.state for one in grading.grade(course, ["01_numbers"], pool=Recorded(template))}
    assert states == {student: "unchanged" if student == first else "graded" for student in CLASS}
    same_books(course, template)


def test_two_graders_do_not_get_in_each_others_way(template, tmp_path):
    course = copy(template, tmp_path / "course")
    outcomes = grading.grade(course, ["01_numbers"], pool=Recorded(template))
    next(outcomes)
    with pytest.raises(CourseError, match="Another process is grading 01_numbers now"):
        list(grading.grade(course, ["01_numbers"], pool=Recorded(template)))
    list(outcomes)
    same_books(course, template)


def test_a_hand_in_that_is_replaced_while_it_is_graded_is_not_confused_with_the_new_one(template, tmp_path):
    course = copy(template, tmp_path / "course")

    class Slow(Recorded):
        def run(self, jobs, unsafe):
            for name, outcome in super().run(jobs, unsafe):
                if name[1] == "ben":
                    hand_in(course.root / "newest", "ben", solved(course))
                    list(intake.collect(course, course.root / "newest"))
                yield name, outcome

    states = {one.student: one.state for one in grading.grade(course, ["01_numbers"], pool=Slow(template))}
    assert states == {student: "replaced" if student == "ben" else "graded" for student in CLASS}
    assert grading.table(course, ["01_numbers"], "ben")[0].state.startswith("a newer hand-in waits")


# ---------------------------------------------------------------------------------------------------- Ctrl-C


def test_control_c_ends_cleanly_and_a_second_run_goes_on(template, tmp_path):
    course = copy(template, tmp_path / "course")
    command = [sys.executable, "-m", "autograder", "--course", str(course.root), "grade", "--workers", "2"]
    run = {"cwd": REPOSITORY, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "start_new_session": True}
    process = subprocess.Popen(command, **run)
    started = {}
    deadline = time.monotonic() + 90
    while not any(one.name() == "bwrap" for one in started.values() if one.is_running()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        started |= {one.pid: one for one in psutil.Process(process.pid).children(recursive=True)}
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to all of them
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert said.strip().splitlines()[-1] == "Stopped. What was done so far is kept; run the command again to go on."
    assert "Traceback" not in said
    _, left = psutil.wait_procs(started.values(), timeout=10)
    assert left == []
    process = subprocess.Popen(command, **run)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    same_books(course, template)


# ---------------------------------------------------------------------------------------------------- files


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"old": True})

    def no_space(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        write_json(tmp_path / "a.json", {"new": "x" * 10_000})
    monkeypatch.undo()
    assert read_json(tmp_path / "a.json") == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    with pytest.raises(FileExistsError):
        write_once(tmp_path / "a.json", "another")
    assert read_json(tmp_path / "a.json") == {"old": True}
