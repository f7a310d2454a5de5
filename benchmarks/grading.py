"""How fast hand-ins are graded, and in how much memory, beside plain nbgrader: python -m benchmarks.grading 2 --hand-ins 200 --workers 2.

The class is made up: everybody hands in the model answers, each with a cell of their own that tells the hand-ins apart. Plain nbgrader
grades a sample of the same hand-ins afterwards, with its own preprocessors and no protection at all. The floor is what the cells of one
hand-in take when they are run by themselves, without the tests: whoever grades it cannot do with less.

CPU seconds are the whole machine's while the command ran, so nothing else should run meanwhile.
"""

import argparse
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


def main(argv=None):
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grading", description=__doc__)
    parser.add_argument("lesson", help="a lesson's name or number")
    parser.add_argument("--hand-ins", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sample", type=int, default=5, help="how many of them plain nbgrader grades too (0: none)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        course, lesson = make_class(Path(folder), arguments.lesson, arguments.hand_ins)
        rows = [
            measured(f"autograder, {arguments.workers} workers", trusted(course, lesson, arguments.workers), arguments.hand_ins, course)
        ]
        wrong = [row for row in grading.table(course, [lesson]) if row.automatic[0] != row.automatic[1]]
        if arguments.sample:
            plain = keep_sample(course, Path(folder) / "plain", lesson, arguments.sample)
            command = [sys.executable, "-m", "nbgrader", "autograde", lesson]
            rows.append(measured("plain nbgrader", (command, plain), arguments.sample, None))
        least = floor(course, lesson)
    print_rows(lesson, rows, least)
    if wrong:
        print(f"\n{len(wrong)} of {arguments.hand_ins} right hand-ins did not get full points: {wrong[0].student}: {wrong[0].notes}")
    return 1 if wrong or any(row["status"] for row in rows) else 0


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
    """Seconds that the cells of one hand-in take while nothing else is graded, without the tests: the least of three runs."""
    path = next(course.folder("submitted").glob(f"student-*/{lesson}/{lesson}.ipynb"))
    release = course.notebook("release", lesson).read_text(encoding="utf-8")
    task = {"lesson": lesson, "notebook": path.read_text(encoding="utf-8"), "release": release, "seed": 1, "settings": {}, "unsafe": False}
    taken = []
    for _ in range(3):
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
