"""What the rooms of this folder share: clocks, the rows of a table, and the page that holds all of them.

A room is a module with

- a docstring: one line, and then what the page says about how it is measured;
- `TITLE`, of its section, and `THREADS`, how many threads its arithmetic may use: one table each;
- `rows()`, which measures and returns rows (`timed`, `judged` and `told` make them).

`main(name)` measures one room and prints its section; `python -m benchmarks` measures all and writes the page. Each table is measured in a
process of its own: libraries read once, when they start, how many threads they may use, and NumPy's and torch's must have the same.
"""

import datetime
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "book" / "benchmarks.md"
NO_BREAK = "\N{NO-BREAK SPACE}"  # between a number and its unit
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ENVIRONMENT = {
    "OMP_WAIT_POLICY": "passive",  # threads that wait leave the processor to others
    # Memory that was freed stays with the process. Else one function pays, in page faults, for what the other gave back.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 31),
}


class Row(NamedTuple):
    """A line of a table: what was measured, here and at its peer, and what was asked for. All of it text, but the ratio."""

    what: str
    here: str
    peer: str
    ratio: float | None
    asked: str = ""
    met: bool = True


def medians(functions, repeats):
    """Time functions in turn, again and again; return each one's seconds in every turn but the first, which does not count."""
    taken = {name: [] for name in functions}
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return taken


def timed(what, taken, most=None):
    """The row of `{"here": seconds, peer: seconds}`, of the same turns: medians, and that of each turn's ratio."""
    (_, here), (name, peer) = taken.items()
    ratio = statistics.median(a / b for a, b in zip(here, peer, strict=True))
    return judged(what, span(statistics.median(here)), f"{name} {span(statistics.median(peer))}", ratio, most)


def judged(what, here, peer, ratio, most=None):
    """A row whose ratio should be at most so much; without that, it is only told."""
    return Row(what, here, peer, ratio, "" if most is None else f"at most {most:g}", most is None or ratio <= most)


def told(what, seconds):
    """A row of seconds that have no peer."""
    return Row(what, span(seconds), "", None)


def span(seconds):
    """Seconds as people write them, on one line."""
    for unit, size in (("s", 1), ("ms", 1e-3)):
        if seconds >= size:
            number = f"{seconds / size:.3g}" if seconds < 100 * size else f"{seconds / size:.0f}"
            return f"{number}{NO_BREAK}{unit}"
    return f"{seconds * 1e6:.3g}{NO_BREAK}µs"


def megabytes(count):
    return f"{count / 1e6:,.0f}{NO_BREAK}MB"


def section(name):
    """Measure a room, one process for each number of threads, and return its part of the page."""
    room = importlib.import_module(name)
    how = " ".join(room.__doc__.split("\n\n", 1)[1].split())
    parts = [f"## {room.TITLE}", how]
    for threads in room.THREADS:
        start = time.perf_counter()
        rows = measured(name, threads)
        print(f"{name}, threads: {threads}: {span(time.perf_counter() - start)}", file=sys.stderr, flush=True)
        parts.append("One thread:" if threads == 1 else f"{threads} threads:")
        lines = ["| what | here | beside it | ratio | asked for |", "|---|---:|---:|---:|---|"]
        for row in rows:
            asked = row.asked and f"{row.asked}: {'met' if row.met else '**missed**'}"
            lines.append(f"| {row.what} | {row.here} | {row.peer} | {_short(row.ratio)} | {asked} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def measured(name, threads):
    """The rows of a room, measured in a process of its own."""
    environment = os.environ | ENVIRONMENT | dict.fromkeys(LIMITS, str(threads))
    code = f"import json, {name} as room; print(json.dumps(room.rows()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Row(*row) for row in json.loads(done.stdout.splitlines()[-1])]


def main(name):
    """Measure one room and print its section: what `python -m` of it does."""
    print(section(name))


def page(names):
    """The whole page."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    packages = ", ".join(f"{package} {version(package)}" for package in ("numpy", "scipy", "torch", "torchvision"))
    parts = [
        "# How fast it is",
        "<!-- Made by `make bench`. -->",
        "Each figure stands beside its peer's, measured in turn in the same run: the ratio is what lasts, for seconds are those of one "
        "computer. Times and ratios are medians of at least five turns, after one that does not count. `make bench` measures it all anew, "
        "on yours, and writes this page.",
        f"Measured on {datetime.date.today()}: {processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB of "
        f"memory, {platform.system()}. Python {platform.python_version()}, {packages}; NumPy with {blas['name']} {blas['version']}.",
    ]
    return "\n\n".join(parts + [section(name) for name in names]) + "\n"


def processor():
    """The processor's name, as far as the system tells it."""
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _short(ratio):
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"
