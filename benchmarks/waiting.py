"""What people wait for: python -m benchmarks.waiting.

Beside each stands what it cannot do without: NumPy and matplotlib, JupyterLab by itself, a kernel that has run one line. The first `make
lab` is timed in a new clone with all packages downloaded before, so it is unpacking and installing; the second finds everything there.
Lessons are run in a fresh kernel each, as *Run All Cells* does, once; all else is a median of five turns.
"""

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel

from benchmarks import table
from course_lib.checks import EXERCISES, CodeExercise, check
from course_lib.workspace import ROOT

TITLE = "Waiting"
THREADS = (2,)
TURNS = 5
PATIENCE = 900  # seconds for one cell
FIRST_IMPORTS = "from course_lib import check, explorers, figures, hint, load_mnist, quiz"  # each is loaded when it is asked for


def rows():
    """Measure, and return all rows."""
    return [*starting(), *checking(), *lessons(), *releasing()]


def starting():
    """Python that imports the library, and JupyterLab."""
    found = []
    for what, commands in (
        ("`import course_lib`", {"here": "import course_lib", "NumPy": "import numpy"}),
        ("what lesson 1 imports of it", {"here": FIRST_IMPORTS, "NumPy and matplotlib": "import numpy, matplotlib.pyplot"}),
    ):
        turns = {name: functools.partial(_python, code) for name, code in commands.items()}
        found.append(table.timed(what, table.medians(turns, TURNS)))
    with tempfile.TemporaryDirectory(prefix="waiting-") as folder:
        clone, work = Path(folder) / "clone", Path(folder) / "work"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        first = _until_it_answers(["make", "lab"], clone)
        course = [sys.executable, "-m", "course_lib", "lab", "--no-browser", "--work", str(work)]
        bare = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
        _until_it_answers(course, ROOT)
        second = table.medians(
            {"here": lambda: _until_it_answers(course, ROOT), "JupyterLab": lambda: _until_it_answers(bare, folder)}, TURNS
        )
    found.append(table.timed("`make lab`, the second time", second))
    usual = sum(second["JupyterLab"]) / TURNS
    found.append(table.judged("`make lab`, the first time", table.span(first), f"JupyterLab {table.span(usual)}", first / usual))
    return found


def checking():
    """`check` on right answers."""
    right = {name: exercise.reference for name, exercise in EXERCISES.items() if isinstance(exercise, CodeExercise)}
    for name, answer in right.items():
        check(name, answer)  # what is imported at the first time
    times = {name: table.medians({"here": functools.partial(check, name, answer)}, TURNS)["here"] for name, answer in right.items()}
    middle = {name: sorted(seconds)[TURNS // 2] for name, seconds in times.items()}
    longest = max(middle, key=middle.get)
    every = sorted(middle.values())
    return [
        table.told(f"`check` on a right answer, the middle one of {len(every)} exercises", every[len(every) // 2]),
        table.told(f"`check` on a right answer, the longest one (`{longest}`)", middle[longest]),
    ]


def lessons():
    """Each lesson in a kernel of its own: until its first picture is there, and to its end."""
    bare = sorted(_ran([nbformat.v4.new_code_cell("1")])[1] for _ in range(TURNS))[TURNS // 2]
    found = []
    for path in sorted(ROOT.glob("solutions/*/*.ipynb")):
        picture, whole = _ran(nbformat.read(path, as_version=4).cells)
        for what, seconds in (("its first picture", picture), ("top to bottom", whole)):
            if seconds:
                found.append(
                    table.judged(f"Lesson {int(path.stem[:2])}, {what}", table.span(seconds), f"kernel {table.span(bare)}", seconds / bare)
                )
    return found


def releasing():
    """All lessons released."""
    with tempfile.TemporaryDirectory(prefix="waiting-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "autograder", "--course", clone, "release"], cwd=ROOT, check=True, capture_output=True)
        return [table.told("`make release`, all lessons", time.perf_counter() - start)]


def _python(code):
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def _until_it_answers(command, folder):
    """Seconds from a command to the moment at which the server that it starts answers."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "VIRTUAL_ENV")}
    start = time.perf_counter()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, env=surroundings, start_new_session=True, **streams) as process:
        try:
            for line in process.stdout:
                if found := re.search(r"(http://127\.0\.0\.1:\d+)/\S*token=\w+", line):
                    break
            else:
                raise RuntimeError(f"{command} ended without an address.")
            while True:
                with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(f"{found[1]}/api", timeout=60):
                    return time.perf_counter() - start
                time.sleep(0.02)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _ran(cells):
    """Seconds from the start of a kernel to the first cell that shows a picture (or None), and to the last cell's end."""
    start, picture = time.perf_counter(), None
    manager, client = start_new_kernel(kernel_name="python3", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for cell in cells:
            if cell.cell_type == "code":
                shown = []
                hook = shown.append
                reply = client.execute_interactive(cell.source, output_hook=hook, timeout=PATIENCE)
                if reply["content"]["status"] != "ok" and "raises-exception" not in cell.metadata.get("tags", ()):
                    raise RuntimeError(f"{reply['content'].get('ename')}: {reply['content'].get('evalue')} in {cell.source[:80]!r}")
                picture = picture or (time.perf_counter() - start if any(map(_is_picture, shown)) else None)
        return picture, time.perf_counter() - start
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _is_picture(message):
    data = message["content"].get("data", {})
    return any(kind.startswith("image/") for kind in data) or "<svg" in str(data.get("text/html")) or "<img" in str(data.get("text/html"))


if __name__ == "__main__":
    table.main("benchmarks.waiting")
