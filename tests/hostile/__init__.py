"""Hostile hand-ins: what students could try so as to get points they did not earn, to break the grading, or to see what is hidden.

Each module of this package is a family of attacks. An attack is data: it says what it tries and how it changes a hand-in that is otherwise
honest. What it may earn at most follows: the points of the exercises that are still answered honestly, and nothing for the others.
`run` grades one attack with `autograder.execution.execute`; `course.py` holds the lessons that are attacked.
"""

import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat

from . import course
from .course import BACKWARD, GENERIC, HANDS, KERNELS, PYTORCH, SCRATCH, TRAINING

SEED = 4_019_283_746  # of the hidden cases: must be seen nowhere
SECRET = "swordfish-5519"  # in the grader's environment: must be seen nowhere
LIMITS = {"timeout": 8, "notebook_seconds": 90}
PATIENCE = {TRAINING: {"timeout": 40, "notebook_seconds": 240}, PYTORCH: {"timeout": 40}, KERNELS: {"timeout": 20}}  # torch takes its time


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One hostile hand-in.

    Parameters
    ----------
    slug : str
    tries : str
        What it tries, in a sentence.
    lesson : str
        The lesson that it attacks, one of `course.LESSONS`.
    cells : mapping of str to str
        By id of a cell the text put into it.
    own : tuple of (str, str)
        Cells of the attacker's own: the id of the cell before which each is put (or "end"), and its text.
    edit : callable, optional
        From the hand-in as a notebook's JSON (a dict) to what is handed in instead: a dict, or bytes.
    files : mapping of str to bytes
        Files that are handed in beside the notebook.
    honest : mapping of str to float
        By id of a test cell what it earns rightly, where that differs from what follows from the cells.
    spoils : bool
        Whether it also spoils its own honest part, which then may earn less. It never may earn more.
    hides : tuple of str
        Texts that must be nowhere in what comes back.
    limits : mapping
        Settings of `BoundedExecute` that differ from `LIMITS`.
    slow : bool
        Whether it takes long; then it is part of the slow tests.
    family : str
        The module that holds it.
    """

    slug: str
    tries: str
    lesson: str = SCRATCH
    cells: Mapping = field(default_factory=dict)
    own: tuple = ()
    edit: Callable | None = None
    files: Mapping = field(default_factory=dict)
    honest: Mapping = field(default_factory=dict)
    spoils: bool = False
    hides: tuple = ()
    limits: Mapping = field(default_factory=dict)
    slow: bool = False
    family: str = ""


def attacks():
    """All attacks by slug, family by family."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if module.name == "course":
            continue
        for attack in importlib.import_module(f".{module.name}", __name__).ATTACKS:
            if attack.slug in found:
                raise ValueError(f"Two attacks are called {attack.slug}.")
            found[attack.slug] = replace(attack, family=module.name)
    return found


def deserved(attack, classroom):
    """By id of a test cell what a hand-in earns rightly.

    An exercise that the course's lesson has answered (`course.LESSONS`) and that the attack has left alone earns its points.
    """
    lesson = course.LESSONS[attack.lesson]
    source = course.read(classroom.notebook("source", attack.lesson))
    tests = {cell.id: cell.metadata.nbgrader.points for cell in source.cells if course.is_test(cell)}
    kept = {check for answer, checks in lesson.answered.items() if answer not in attack.cells for check in checks}
    return {name: points if name in kept else 0 for name, points in tests.items()} | dict(attack.honest)


def notebook(attack, classroom):
    """The bytes of the notebook that is handed in."""
    built = course.honest(classroom, attack.lesson)
    for name, text in attack.cells.items():
        course.cell_of(built, name).source = text
    for number, (place, text) in enumerate(attack.own):
        index = len(built.cells) if place == "end" else built.cells.index(course.cell_of(built, place))
        built.cells.insert(index, nbformat.v4.new_code_cell(text, id=f"own-{number}"))
    handed_in = json.loads(nbformat.writes(built))
    if attack.edit:
        handed_in = attack.edit(handed_in)
    return handed_in if isinstance(handed_in, bytes) else json.dumps(handed_in).encode()


def task(attack, classroom, unsafe=False):
    """The task that `execute` gets for an attack: the hand-in rebuilt from the release, test cells as the gradebook has them."""
    from autograder.notebooks import read_cells, rebuild

    cells, _ = read_cells(notebook(attack, classroom))
    released = course.read(classroom.notebook("release", attack.lesson))
    rebuilt, _ = rebuild(released, cells)
    tests = {cell.id: cell.source for cell in course.read(classroom.notebook("source", attack.lesson)).cells if course.is_test(cell)}
    for cell in rebuilt.cells:
        cell.source = tests.get(cell.id, cell.source)
    return {
        "lesson": attack.lesson,
        "notebook": nbformat.writes(rebuilt),
        "release": nbformat.writes(released),
        "seed": SEED,
        "settings": LIMITS | PATIENCE.get(attack.lesson, {}) | dict(attack.limits),
        "unsafe": unsafe,
    }


def run(one):
    """Execute a task in this process. Returns the record, and the most memory that this process took meanwhile, in bytes."""
    from autograder.execution import execute

    Path("/proc/self/clear_refs").write_text("5")  # forget the most that was taken before
    record = execute(one)
    status = Path("/proc/self/status").read_text()
    return record, 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def won(attack, record, classroom):
    """Points that an attack got beyond what it deserves, by test cell."""
    right = deserved(attack, classroom)
    got = {name: verdict["points"] for name, verdict in record["verdicts"].items()}
    return {name: points - right.get(name, 0) for name, points in got.items() if not points <= right.get(name, 0) + 1e-9}


def lost(attack, record, classroom):
    """Points of its honest part that a hand-in did not get, by test cell."""
    got = {name: verdict["points"] for name, verdict in record["verdicts"].items()}
    return {name: points - got.get(name, 0) for name, points in deserved(attack, classroom).items() if got.get(name, 0) < points}


def told(attack, record):
    """The secrets that a record tells: those that the tests planted, and what the attack says only when it has found something."""
    text = json.dumps(record)
    return [secret for secret in (str(SEED), SECRET, course.IN_THE_SOURCES, *attack.hides) if secret in text]


def active(record):
    """Whether what the grader itself shows of a hand-in holds active HTML of the student's. What a student's own cell shows may."""
    shown = [verdict["card"] for verdict in record["verdicts"].values()]
    shown += [str(output.get("data")) for name in record["verdicts"] for output in record["cells"][name]["outputs"]]
    return [text for text in shown if re.search(r"<(script|img|iframe|svg|object|embed)\b", text)]


__all__ = [
    "BACKWARD",
    "GENERIC",
    "HANDS",
    "KERNELS",
    "LIMITS",
    "PYTORCH",
    "SCRATCH",
    "SECRET",
    "SEED",
    "TRAINING",
    "Attack",
    "active",
    "attacks",
    "deserved",
    "lost",
    "notebook",
    "run",
    "task",
    "told",
    "won",
]
