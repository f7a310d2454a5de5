"""Where hand-ins run: workers on this machine, workers elsewhere, workers that die."""

import ast
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc

import psutil
import pytest
from grading_course import REPOSITORY, cell_of, hand_in, released_course, solved

from autograder import cluster, grading, intake, sandbox
from autograder.cli import main
from autograder.course import Course, CourseError
from autograder.progress import Progress, duration

# ---------------------------------------------------------------------------------------------------- processes of this machine


def echo(task, wanted=None):
    """In the place of `cluster.work`: does what its task says, at once."""
    if task.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    if task.get("fails"):
        raise RuntimeError("no")
    if task.get("hangs"):
        with cluster.ended_after(1):
            threading.Event().wait()
    time.sleep(task.get("seconds", 0))
    place = str(sandbox.scratch("kernel")) if task.get("scratch") else ""
    return json.dumps({"pid": os.getpid(), "number": task["number"], "scratch": place})


class EchoPool(cluster.Pool):
    """Workers that run no notebook."""

    work = staticmethod(echo)


@pytest.fixture(scope="module")
def echoes():
    with EchoPool(2) as pool:
        yield pool


def test_tasks_run_in_other_processes_and_come_back_by_name(echoes):
    found = dict(echoes.run((f"task {number}", {"number": number}) for number in range(10)))
    assert {name: one["number"] for name, one in found.items()} == {f"task {number}": number for number in range(10)}
    assert os.getpid() not in {one["pid"] for one in found.values()}


def test_what_is_taken_ahead_is_bounded(echoes):
    taken, ahead = 0, []

    def jobs():
        nonlocal taken
        for number in range(40):
            taken += 1
            yield number, {"number": number}

    for given, _ in enumerate(echoes.run(jobs())):
        ahead.append(taken - given)
    assert max(ahead) <= 2 * echoes.workers + 2


def test_no_task_is_kept_when_it_is_done(echoes):
    dict(echoes.run([(0, {"number": 0})]))
    tracemalloc.start()
    try:
        for number, _ in echoes.run((number, {"number": number, "notebook": f"{number:06}" * 50_000}) for number in range(60)):
            assert number < 60
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 15_000_000  # of 60 times 300 kB, and as much again on its way


def test_a_task_that_fails_says_why(echoes):
    found = dict(echoes.run([("good", {"number": 1}), ("bad", {"number": 2, "fails": True})]))
    assert (found["good"]["number"], str(found["bad"])) == (1, "no")


def test_a_task_that_kills_its_workers_is_given_up_and_takes_nobody_with_it(echoes):
    jobs = [(number, {"number": number, "dies": number == 3}) for number in range(8)]
    found = dict(echoes.run(jobs))
    assert isinstance(found[3], cluster.WorkersDiedError)
    assert str(found[3]) == "3 workers died while they ran it."
    assert [found[number]["number"] for number in range(8) if number != 3] == [0, 1, 2, 4, 5, 6, 7]


def test_a_task_that_never_ends_is_given_up_and_holds_nobody_up(echoes):
    jobs = [(number, {"number": number, "hangs": number == 2}) for number in range(4)]
    found = dict(echoes.run(jobs))
    assert str(found[2]) == "3 workers died while they ran it."
    assert [found[number]["number"] for number in (0, 1, 3)] == [0, 1, 3]


def test_a_hand_in_that_is_waited_for_without_end_ends_its_worker():
    cell = {"cell_type": "code", "id": "a", "metadata": {"tags": ["may-take-001-s"]}, "source": "", "outputs": [], "execution_count": None}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    task = {"notebook": json.dumps(notebook), "settings": {"notebook_seconds": 1}}
    code = """
import json, sys, time
from autograder import cluster
cluster.OVERTIME, cluster.execute = 0, lambda task: time.sleep(60)
start = time.monotonic()
import atexit; atexit.register(print, "ended in good order")
import threading; threading.Timer(1.5, print, ["two seconds are not over"], {"flush": True}).start()
cluster.work(json.load(sys.stdin))
"""
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(task), capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (1, "two seconds are not over\n")


def test_a_worker_that_somebody_kills_costs_nothing(echoes):
    jobs = [(number, {"number": number, "seconds": 0.5}) for number in range(6)]
    found, outcomes = {}, echoes.run(jobs)
    for name, one in outcomes:
        if not found:
            os.kill(one["pid"], signal.SIGKILL)
        found[name] = one
    assert sorted(one["number"] for one in found.values()) == [0, 1, 2, 3, 4, 5]


def test_workers_that_dask_has_given_up_are_replaced():
    with EchoPool(2) as pool:
        outcomes = pool.run([(number, {"number": number}) for number in range(6)])
        next(outcomes)
        for nanny in list(pool._cluster.workers.values()):
            pool._cluster.sync(nanny.close)
        assert len(list(outcomes)) == 5


def test_a_worker_that_dies_while_it_starts_is_replaced():
    before, killed = set(psutil.Process().children()), threading.Event()

    def kill_first():
        for _ in range(6000):
            for one in set(psutil.Process().children()) - before:
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "spawn_main" in " ".join(one.cmdline()):
                        one.kill()
                        killed.set()
                        return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_first)
    killer.start()
    with EchoPool(1) as pool:
        assert [one["number"] for _, one in pool.run([(1, {"number": 1})])] == [1]
    killer.join()
    assert killed.is_set()


def test_what_a_killed_coordinator_left_is_cleared_away(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster.tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    left, foreign, living = (tmp_path / f"grade-{name}-abc" for name in (ended.pid, "sheets", os.getpid()))
    for folder in (left, foreign, living):
        (folder / "kernel-xyz").mkdir(parents=True)
    (tmp_path / f"grade-{ended.pid}-link").symlink_to(foreign)
    with EchoPool(1) as pool:
        pool.start()
        assert sorted(place.name for place in tmp_path.glob("grade-*-abc")) == sorted([foreign.name, living.name])
        assert len(list(tmp_path.glob(f"grade-{os.getpid()}-*"))) == 2
    assert (foreign / "kernel-xyz").is_dir()


def test_what_kernels_need_for_a_while_lies_in_the_folder_of_the_coordinator(echoes):
    [(_, found)] = echoes.run([(1, {"number": 1, "scratch": True})])
    assert found["scratch"].startswith(echoes._folder)


def test_that_no_worker_starts_is_said(monkeypatch):
    monkeypatch.setattr(cluster, "MOST_SILENCE", 1)
    monkeypatch.setattr(cluster.Pool, "_tend", lambda pool: None)
    with EchoPool(1) as pool:
        pool.start()
        pool._cluster.scale(0)
        with pytest.raises(CourseError, match="No worker starts on this machine"):
            list(pool.run([(1, {"number": 1})]))


def test_workers_listen_to_this_machine_only_and_to_nobody_without_a_certificate(echoes):
    from distributed import Client

    dict(echoes.run([(1, {"number": 1})]))
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    places = [place.laddr for one in processes for place in one.net_connections("inet") if place.status == psutil.CONN_LISTEN]
    assert places
    assert {place.ip for place in places} == {"127.0.0.1"}
    address = echoes._cluster.scheduler_address
    assert address.startswith("tls://127.0.0.1:")
    with pytest.raises(OSError, match=r"closed|[Tt]imed out|reset"):
        Client(address.replace("tls:", "tcp:"), timeout=2, set_as_default=False)


def test_closing_is_quick_and_leaves_no_process():
    with EchoPool(1) as pool:
        outcomes = pool.run([(1, {"number": 1}), (2, {"number": 2, "seconds": 60})])
        _, first = next(outcomes)
        start = time.monotonic()
        outcomes.close()
    assert time.monotonic() - start < 8
    assert not psutil.pid_exists(first["pid"])


# ---------------------------------------------------------------------------------------------------- a poisoned hand-in


def poisoned(task, wanted=None):
    if "poison" in task["notebook"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return cluster.work(task, wanted)


class PoisonedPool(cluster.Pool):
    work = staticmethod(poisoned)


def test_a_hand_in_that_kills_every_worker_scores_zero_with_a_reason_and_is_not_tried_for_ever(tmp_path):
    course = released_course(tmp_path)
    bad = solved(course, "02_words")
    cell_of(bad, "ex-4").source += "  # poison"
    for student, notebook in {"ada": solved(course, "02_words"), "eve": bad, "zoe": solved(course, "02_words")}.items():
        hand_in(course.root / "handed in", student, notebook, "02_words.ipynb")
    assert len(list(intake.collect(course, course.root / "handed in"))) == 3
    with PoisonedPool(2) as pool:
        graded = {one.student: one for one in grading.grade(course, ["02_words"], pool=pool)}
        rows = {row.student: row for row in grading.table(course, ["02_words"])}
        assert {student: row.automatic for student, row in rows.items()} == {"ada": (4, 4), "eve": (0, 4), "zoe": (4, 4)}
        assert graded["eve"].notes == rows["eve"].notes
        assert graded["eve"].notes == ["Not graded: 3 workers died while they ran it. Does it take more memory than there is?"]
        assert {one.state for one in grading.grade(course, ["02_words"], pool=pool)} == {"unchanged"}


# ---------------------------------------------------------------------------------------------------- a cluster elsewhere


def test_what_differs_is_named():
    assert cluster.difference(cluster.environment(), cluster.environment()) == ""
    there = cluster.environment() | {"torch": "1.0"}
    assert "torch is 1.0 there and" in cluster.difference(cluster.environment(), there)
    assert "numpy" not in cluster.difference(cluster.environment(), there)
    assert "course_lib" in cluster.difference(cluster.environment(), {**cluster.environment(), "course_lib": "another"})


def test_a_worker_with_another_environment_refuses():
    with pytest.raises(CourseError, match="Python is"):
        cluster.work({}, cluster.environment() | {"Python": "2.7"})


def test_the_code_that_verdicts_follow_from_is_all_of_it():
    """Whatever the module that runs hand-ins imports is part of the hash, but for what only keeps books."""
    folder, found, todo = REPOSITORY / "autograder", set(), ["execution"]
    while todo:
        name = todo.pop()
        path = folder / f"{name}.py"
        if name in found or not path.exists():
            continue
        found.add(name)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                todo += [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
    assert {f"{name}.py" for name in found} - set(cluster.RUNS) <= {"course.py", "notebooks.py"}
    assert all((folder / name).exists() for name in cluster.RUNS)


def test_a_scheduler_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with pytest.raises(CourseError, match="There is no Dask scheduler to talk to"):
        cluster.Pool(scheduler="tcp://127.0.0.1:9").start()
    assert main(["grade", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "Give --workers or --scheduler" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["grade", "--workers", "0"])
    assert "'0' is no number from 1 to 999" in capsys.readouterr().err


def installed(folder):
    """A copy of the course's code, as on another machine."""
    for name in ("autograder", "course_lib", "data"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def hiding(place):
    """The beginning of a command line that runs a command where a folder is empty, as if it were on another machine."""
    script = f"mount -t tmpfs none '{place}' && exec \"$@\""
    for options in (["--mount"], ["--mount", "--map-root-user"]):
        line = ["unshare", *options, "sh", "-c", script, "sh"]
        if subprocess.run([*line, "true"], capture_output=True, check=False).returncode == 0:
            return line
    pytest.fail("This test hides a folder from a process, for which it needs mount namespaces (unshare).")


@pytest.fixture
def elsewhere(tmp_path):
    """A scheduler, as a process of its own: its address, and a function that starts a worker in a folder of its own."""
    course = released_course(tmp_path / "course") if (tmp_path / "course").mkdir() is None else None
    started = []
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(module, *words, folder, before=()):
        path = folder if (folder / "autograder").exists() else REPOSITORY
        command = [*before, "env", f"PYTHONPATH={path}", sys.executable, "-m", f"distributed.cli.{module}", *words]
        with (folder / "log").open("w") as log:
            started.append(subprocess.Popen(command, cwd=folder, env=surroundings, stdout=log, stderr=log, start_new_session=True))
        return started[-1]

    place = tmp_path / "scheduler"
    place.mkdir()
    run("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", "address.json", folder=place)
    deadline = time.monotonic() + 60
    while not (place / "address.json").exists() or not (place / "address.json").read_text():
        assert time.monotonic() < deadline, (place / "log").read_text()
        time.sleep(0.1)
    address = json.loads((place / "address.json").read_text())["address"]

    def worker(name, change=False):
        folder = tmp_path / name
        folder.mkdir()
        if change:
            installed(folder)
            with (folder / "course_lib/arithmetic.py").open("a") as file:
                file.write("\n# another version\n")
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(folder))
        return run("dask_worker", address, *options, folder=folder, before=hiding(course.root))

    yield course, address, worker
    for process in started:
        for one in [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else []:
            one.kill()
        process.wait(20)


def test_a_cluster_shares_nothing_with_the_coordinator_but_the_network(elsewhere, capsys):
    course, address, worker = elsewhere
    for student, answer in {"ada": 4, "ben": 5, "cem": 4, "dora": 4}.items():
        notebook = solved(course)
        cell_of(notebook, "ex-2").source = f"answer_2 = {answer}"
        hand_in(course.root / "handed in", student, notebook)
    assert len(list(intake.collect(course, course.root / "handed in"))) == 4
    other = worker("other", change=True)
    assert main(["--course", str(course.root), "grade", "--scheduler", address]) == 2
    assert "course_lib is" in capsys.readouterr().err
    other.kill()
    other.wait(20)
    for name in ("one", "two"):
        worker(name)
    pool = cluster.Pool(scheduler=address)
    pool.start()
    pool._client.wait_for_workers(2, timeout=60)
    pool.close()
    status = main(["--course", str(course.root), "grade", "1", "--scheduler", address])
    said = capsys.readouterr()
    assert status == 0, said
    rows = grading.table(Course(course.root), ["01_numbers"])
    assert {row.student: row.automatic[0] for row in rows} == {"ada": 6, "ben": 5, "cem": 6, "dora": 6}
    assert {row.state for row in rows} == {"1 to grade by hand"}


# ---------------------------------------------------------------------------------------------------- the line at the foot of the terminal


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_tells_done_failed_and_time_left():
    now = [0.0]
    progress = Progress(10, Terminal(), clock=lambda: now[0])
    assert progress.text() == "[....................] 0/10 done, 0 failed, 0 s so far"
    for _ in range(4):
        progress.skip()
    now[0] = 30
    progress.count()
    progress.count(failed=True)
    assert progress.text() == "[############........] 6/10 done, 1 failed, 60 s left"
    assert len(progress.text(30)) == 29


def test_progress_leaves_no_trace(capsys):
    terminal = Terminal()
    with Progress(2, terminal) as progress:
        progress.count()
        progress.print("a line")
    assert "1/2 done" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r")
    assert capsys.readouterr().out == "a line\n"
    with Progress(2, io.StringIO()) as silent:
        silent.print("another")
    assert silent.stream.getvalue() == ""


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1 h 40 min")])
def test_a_duration_reads_well(seconds, text):
    assert duration(seconds) == text


def row(student, **scores):
    most = dict.fromkeys(scores, 2)
    return grading.Row(student, "01", (0, 0), (0, 0), (3, 4), "graded", scores, [], 2.4, most, ("think-1",) if "think-1" in scores else ())


def test_a_wide_table_goes_on_below():
    lines = []
    names = {f"check-{number}-1": 1.5 for number in range(1, 9)}
    grading.print_points([row("ada", **names), row("ben", **names)], width=40, print=lines.append)
    assert all(len(line) <= 40 for line in lines)
    assert [line.split()[0] for line in lines if line.strip()].count("ada") > 1
    assert "1-1" in lines[1]
    narrow = []
    grading.print_points([row("ada", **{"check-1": 2, "think-1": 0})], width=80, print=narrow.append)
    assert narrow[1].split() == ["student", "1", "think-1", "total", "time", "state"]
    assert narrow[3].split() == ["ada", "2", "?", "3", "2", "graded"]
    assert narrow[-1] == "\n? waits to be graded by hand"
