"""Grading beside plain nbgrader: python -m benchmarks.grading 2 --hand-ins 200 --workers 2, or all lessons of the table without a lesson.

The class is made up: everybody hands in the model answers, each with a cell of their own that tells the hand-ins apart. This course's
grading uses two workers, jails and trusted checks. Plain nbgrader grades a sample of the same hand-ins afterwards, with its own
preprocessors and no protection at all. The floor is what the cells of one hand-in take when they are run by themselves, without the tests:
whoever grades it cannot do with less. CPU seconds are the whole machine's while the command ran, so nothing else should run meanwhile. The
last rows enter one record for everybody, so that only the coordinator works: what it takes for a hand-in must not grow with the
class, nor its memory.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil

from autograder import execution, grading, intake, release
from autograder.course import CONFIG, REPOSITORY, Course
from benchmarks import table

TITLE = "Grading"
THREADS = (1,)  # each worker's
CLASSES = {"2": (32, 3), "4": (20, 2), "6": (2, 1)}  # hand-ins, and how many of them plain nbgrader grades too
RECORDED = 100  # hand-ins
MB = 1 << 20
PLAIN = """\
import os
c = get_config()
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "learning-to-see"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.ExecutePreprocessor.timeout = c.Execute.timeout = 300
"""


def rows():
    """Measure, and return all rows of the page."""
    found = []
    for name, (count, sample) in CLASSES.items():
        lesson, (here, plain), wrong, least = compared(name, count, 2, sample)
        if wrong or here["status"] or plain["status"]:
            raise RuntimeError(f"{lesson}: not everybody was graded, or a right hand-in did not get full points.")
        ratio = here["count"] / here["seconds"] / (plain["count"] / plain["seconds"])
        speeds = [f"{60 * one['count'] / one['seconds']:.1f}" for one in (here, plain)]
        found.append(table.Row(f"Lesson {name}: hand-ins a minute", speeds[0], f"nbgrader {speeds[1]}", ratio, "at least 6", ratio >= 6))
        busy = here["busy"] / here["count"]
        found.append(table.judged(f"Lesson {name}: CPU time of a hand-in", table.span(busy), f"floor {table.span(least)}", busy / least))
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        first, last, early, late = entered(*make_class(Path(folder), "2", RECORDED), RECORDED)
    what = f"entering a hand-in, the last tenth of {RECORDED}"
    found.append(table.judged(what, table.span(last), f"the first tenth {table.span(first)}", last / first))
    found.append(table.judged("the coordinator's memory then", table.megabytes(late), table.megabytes(early), late / early))
    return found


def compared(name, count, workers, sample):
    """A class graded here, and a sample of it by plain nbgrader: the lesson, what was measured, rows that lack points, and the floor."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        course, lesson = make_class(Path(folder), name, count)
        found = [measured(f"autograder, {workers} workers", trusted(course, lesson, workers), count, course)]
        wrong = [row for row in grading.table(course, [lesson]) if row.automatic[0] != row.automatic[1]]
        if sample:
            plain = keep_sample(course, Path(folder) / "plain", lesson, sample)
            found.append(measured("plain nbgrader", ([sys.executable, "-m", "nbgrader", "autograde", lesson], plain), sample, None))
        return lesson, found, wrong, floor(course, lesson)


def main(argv=None):
    """Measure and print one lesson's table, or the page's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="?", help="a lesson's name or number (default: those of the page)")
    parser.add_argument("--hand-ins", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=5, help="how many of them plain nbgrader grades too (0: none)")
    parser.add_argument("--recorded", action="store_true", help="run one only, and enter its record for all: what the coordinator does")
    arguments = parser.parse_args(argv)
    if not arguments.lesson:
        table.main("benchmarks.grading")
        return 0
    if arguments.recorded:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            course, lesson = make_class(Path(folder), arguments.lesson, arguments.hand_ins)
            first, last, early, late = entered(course, lesson, arguments.hand_ins)
        print(f"{lesson}, {arguments.hand_ins} hand-ins, each entered from the record of the first:")
        print(f"seconds each in the first tenth {first:.3f}, in the last {last:.3f}: {last / first:.2f} times")
        print(f"memory after the first tenth {early / MB:.0f} MB, at the end {late / MB:.0f} MB: {late / early:.2f} times")
        return 0
    lesson, found, wrong, least = compared(arguments.lesson, arguments.hand_ins, arguments.workers, arguments.sample)
    print_rows(lesson, found, least)
    if wrong:
        print(f"\n{len(wrong)} of {arguments.hand_ins} right hand-ins did not get full points: {wrong[0].student}: {wrong[0].notes}")
    return 1 if wrong or any(row["status"] for row in found) else 0


class Recorded:
    """In place of workers: every hand-in gets the record of the first, the only one that is run."""

    record = None

    def check(self, unsafe=False):
        """Nothing to check."""

    def run(self, jobs, unsafe=False):
        """Yield each job's name and the record, as `autograder.cluster.Pool.run` does."""
        for name, task in jobs:
            self.record = self.record or json.dumps(execution.execute(task))
            yield name, json.loads(self.record)


def entered(course, lesson, count):
    """Seconds that the coordinator takes for one hand-in in the first and the last tenth of a class, and its memory at the end of each."""
    tenth, marks = count // 10, {}
    start = time.perf_counter()
    for done, one in enumerate(grading.grade(course, [lesson], pool=Recorded()), 1):
        assert one.state == "graded", one
        if done in (1, tenth, count - tenth, count):  # the first one was run
            marks[done] = time.perf_counter() - start, psutil.Process().memory_info().rss
    first, last = (marks[tenth][0] - marks[1][0]) / (tenth - 1), (marks[count][0] - marks[count - tenth][0]) / tenth
    return first, last, marks[tenth][1], marks[count][1]


def make_class(folder, name, count):
    """A released lesson, and its model answers handed in by everybody."""
    folder = folder / "class"
    folder.mkdir()
    [lesson] = Course(REPOSITORY).choose(name)
    shutil.copy(REPOSITORY / CONFIG, folder)
    (folder / "solutions" / lesson).mkdir(parents=True)
    shutil.copy(Course(REPOSITORY).notebook("source", lesson), folder / "solutions" / lesson)
    course = Course(folder)
    release.release(course, [lesson])
    notebook = nbformat.read(course.notebook("release", lesson), as_version=4)
    answers = {cell.id: cell.source for cell in nbformat.read(course.notebook("source", lesson), as_version=4).cells}
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = "\n".join(line for line in answers[cell.id].splitlines() if "SOLUTION" not in line)
    own = nbformat.v4.new_code_cell("", id="own")
    notebook.cells.append(own)
    for number in range(count):
        own.source = f"mine = {number}"
        path = folder / "handed in" / f"student-{number:04}" / f"{lesson}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    assert sum(one.state == "collected" for one in intake.collect(course, folder / "handed in")) == count
    return course, lesson


def trusted(course, lesson, workers):
    """The command that grades a class, and where it is run."""
    return [sys.executable, "-m", "autograder", "--course", str(course.root), "grade", lesson, "--workers", str(workers)], REPOSITORY


def keep_sample(course, folder, lesson, count):
    """A copy of the course with fewer hand-ins and nbgrader's own settings."""
    ignore = shutil.ignore_patterns("autograded", "records", "received", "handed in", "submitted")
    shutil.copytree(course.root, folder, ignore=ignore)
    (folder / CONFIG).write_text(PLAIN)
    for place in sorted(course.folder("submitted").glob("student-*"))[:count]:
        shutil.copytree(place, folder / "submitted" / place.name)
    return folder


class Watch(threading.Thread):
    """Looks at the memory of a process and of all that it starts, five times a second."""

    def __init__(self, pid, course):
        super().__init__(daemon=True)
        self.process, self.course, self.over = psutil.Process(pid), course, threading.Event()
        self.coordinator, self.worker, self.together = [], 0, 0

    def run(self):
        while not self.over.wait(0.2):
            try:
                children = self.process.children(recursive=True)
                own = self.process.memory_info().rss
            except psutil.NoSuchProcess:
                return
            done = len(list(self.course.records.glob("*.json"))) if self.course else 0
            self.coordinator.append((done, own))
            together = own
            for child in children:
                try:
                    memory, command = child.memory_info().rss, " ".join(child.cmdline())
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                together += memory
                if "spawn_main" in command:
                    self.worker = max(self.worker, memory)
            self.together = max(self.together, together)


def busy_seconds():
    """What all processors have worked since the machine was started, in seconds."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system


def floor(course, lesson):
    """Seconds that the cells of one hand-in take by themselves, without the tests: the least of three runs, or of one that is long."""
    path = next(course.folder("submitted").glob(f"student-*/{lesson}/{lesson}.ipynb"))
    release = course.notebook("release", lesson).read_text(encoding="utf-8")
    task = {"lesson": lesson, "notebook": path.read_text(encoding="utf-8"), "release": release, "seed": 1, "settings": {}, "unsafe": False}
    taken = []
    while len(taken) < 3 and sum(taken) < 10:
        record = execution.execute(task)
        taken.append(sum(cell["seconds"] for name, cell in record["cells"].items() if name not in record["verdicts"]))
    return min(taken)


def measured(name, command, count, course):
    """Run a command; its time and memory."""
    words, place = command
    start, busy = time.monotonic(), busy_seconds()
    process = subprocess.Popen(words, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Watch(process.pid, course)
    watch.start()
    status = process.wait()
    seconds, busy = time.monotonic() - start, busy_seconds() - busy
    watch.over.set()
    watch.join()
    early = max((memory for done, memory in watch.coordinator if done <= count / 4), default=0)
    return {
        "name": name,
        "count": count,
        "status": status,
        "seconds": seconds,
        "busy": busy,
        "early": early,
        "coordinator": max((memory for _, memory in watch.coordinator), default=0),
        "worker": watch.worker,
        "together": watch.together,
    }


def print_rows(lesson, rows, least):
    """Print what was measured."""
    print(f"{lesson}: time, and peaks of resident memory in MB (of the coordinator also until a quarter was done)\n")
    heads = ("", "hand-ins", "seconds", "per minute", "CPU s each", "coordinator", "at a quarter", "a worker", "all together")
    print("{:24} {:>9} {:>8} {:>11} {:>11} {:>12} {:>13} {:>9} {:>13}".format(*heads))
    for row in rows:
        memory = [f"{row[name] / MB:.0f}" if row[name] else "-" for name in ("coordinator", "early", "worker", "together")]
        speed = 60 * row["count"] / row["seconds"]
        failed = f"  ended with {row['status']}" if row["status"] else ""
        print(
            f"{row['name']:24} {row['count']:9} {row['seconds']:8.1f} {speed:11.1f} {row['busy'] / row['count']:11.2f} "
            f"{memory[0]:>12} {memory[1]:>13} {memory[2]:>9} {memory[3]:>13}{failed}"
        )
    speeds = [row["count"] / row["seconds"] for row in rows]
    if len(speeds) > 1:
        print(f"\n{speeds[0] / speeds[1]:.1f} times as many hand-ins a minute as plain nbgrader.")
    print(f"The cells of one hand-in take {least:.2f} seconds by themselves, without the tests.")


if __name__ == "__main__":
    sys.exit(main())
