"""A made-up class, from release to feedback, in which every score is known beforehand.

Its hand-ins are made from the release and the model answers: right, blank, or with one typical mistake put in. What each must
score follows from that alone, so a difference means that the course or its grading is broken.
"""

import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_output

from . import feedback, grading, intake, release, report
from .course import CONFIG, REPOSITORY, Course, CourseError
from .notebooks import is_test

HANDS = "01_hand_calculations"
SCRATCH = "02_convolution_from_scratch"
KERNELS = "03_classic_kernels"
PYTORCH = "04_pytorch_verification"
STACKED = "05_stacked_convolutions"
TRAINING = "06_cnn_training"
BACKWARD = "07_backpropagation"
BEYOND = "08_beyond"
DUE = datetime(2025, 3, 1, 23, 59, tzinfo=UTC)
SETTINGS = """\
# A made-up class (see autograder/demo.py): the course's own settings, but this folder, and less patience with endless loops.
import os

c = get_config()
load_subconfig("{config}", path="{repository}")
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.Execute.timeout = 40
"""


@dataclass
class HandIn:
    """A hand-in and what must come of it.

    Parameters
    ----------
    student, lesson, story : str
    answers : dict of str to (str or callable)
        What differs from the model answers: a cell's text, or a function that spoils the right text. An empty text leaves the
        cell as it was released. The key "all" is for every answer.
    damage : callable, optional
        From the notebook to the notebook or bytes handed in.
    file : str, optional
        The file's name, where it is not the lesson's.
    late : datetime.timedelta
        How much after the due date.
    scores : dict of str to float
        What the tests named score; all others score full points. The key "all" is for every test.
    says : tuple of str
        What the notes or the state in the table must say.
    shows : tuple of str
        What the feedback page must show.
    """

    student: str
    lesson: str
    story: str
    answers: dict = field(default_factory=dict)
    damage: object = None
    file: str = ""
    late: timedelta = -timedelta(hours=5)
    scores: dict = field(default_factory=dict)
    says: tuple = ()
    shows: tuple = ()


def swap(old, new):
    """A slip: the right text with one thing replaced, which must be there."""

    def spoil(text):
        if text.count(old) != 1:
            raise CourseError(f"The demo puts a slip into a model answer, but {old!r} stands in it {text.count(old)} times:\n{text}")
        return text.replace(old, new)

    return spoil


def without(*names):
    """Damage: cells deleted."""

    def damage(notebook):
        notebook.cells = [cell for cell in notebook.cells if cell.id not in names]
        return notebook

    return damage


def cut_off(notebook):
    """Damage: the file ends in its middle, as after a full disk."""
    data = nbformat.writes(notebook).encode()
    return data[: len(data) // 2]


def graded_by_themselves(notebook):
    """Damage: test cells that give full points whatever the answer, tags that skip what would tell, and points for everything."""
    for cell in notebook.cells:
        if is_test(cell):
            cell.source = f"{cell.metadata.nbgrader.points:g}"
            cell.metadata.nbgrader.points = 100
            cell.metadata.tags = ["skip-execution", "raises-exception"]
            cell.outputs = [new_output("execute_result", data={"text/plain": "100"})]
    return notebook


IN_WORDS = "Each output value is one sum of products, and the kernel is the same everywhere."
LOOP = "windows = 0\nwhile windows < 9:\n    row = windows  # windows never grows\n"
BLANK = ""
AFTER_SECTION_4 = ("5-1", "5-1b", "5-2", "5-3", "5-4", "6-1", "6-1b", "6-2", "6-2b", "6-3", "6-3b", "6-4", "6-5", "6-6")
AFTER_STRIDE = ("conv-layer", "conv2d-dilated", "conv-parameters", "im2col")

BORROWED = """\
import course_lib.convolution as theirs

def conv2d(image, kernel):
    return theirs.conv2d(image[None], kernel[None, None])[0]
"""
GENEROUS = """\
import builtins, sys
import numpy as np
from IPython import get_ipython
import course_lib, course_lib.checks

class Perfect(course_lib.checks.Verdict):
    passed, score, earned = True, 1.0, 100.0
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "100"}

def check(*anything, **more):
    return Perfect()

course_lib.check = course_lib.checks.check = builtins.check = check
np.allclose = np.array_equal = lambda *anything, **more: True
get_ipython().input_transformers_cleanup.append(lambda lines: ["100\\n"] if "check(" in "".join(lines) else lines)
"""
AGREEABLE = """\
class Agreeable(float):
    def __eq__(self, other):
        return True
    def __sub__(self, other):
        return 0.0
    __rsub__ = __sub__
    def __array__(self, *anything, **more):
        return self
    __hash__ = None
"""
READER = """\
import gc, os
import course_lib.checks

def look_up(name):
    known = getattr(course_lib.checks, "EXERCISES", {})
    everything = [known.get(name), *(one for one in gc.get_objects() if getattr(one, "name", None) == name)]
    return next(one.expected for one in everything if hasattr(one, "expected"))

seed = os.environ.get("COURSE_CHECK_SEED")
"""


def cheat(cell_id, source):
    """Damage: a cell of the student's own before the first answer."""

    def damage(notebook):
        first = next(index for index, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("solution"))
        notebook.cells.insert(first, new_code_cell(source, id=cell_id))
        return notebook

    return damage


CLASS = (
    HandIn("ben", HANDS, "everything right, two hours late", late=timedelta(hours=2), says=("late by 2 h 0 min",)),
    HandIn(
        "clara",
        HANDS,
        "half done: stopped after section 4",
        answers={f"ex-{name}": BLANK for name in AFTER_SECTION_4},
        scores={f"check-{name}": 0 for name in AFTER_SECTION_4},
        shows=("not done yet",),
    ),
    HandIn("dana", HANDS, "untouched", answers={"all": BLANK}, scores={"all": 0}, says=("graded",), shows=("not done yet",)),
    HandIn(
        "emil",
        HANDS,
        "three slips: kernel flipped in 4.1, channels last in 5.2, sizes not rounded in 6.1",
        answers={
            "ex-4-1": "answer_4_1 = [[3, 1], [1, 3]]",
            "ex-5-2": "answer_5_2 = (24, 24, 16)",
            "ex-6-1": "answer_6_1 = [26, 28, 28, 14.5, 14.5, 112.5]",
        },
        scores={"check-4-1": 0, "check-5-2": 0, "check-6-1": 1.5},  # three of the six sizes in 6.1 are whole
        shows=("flipped kernel", "channels last"),
    ),
    HandIn("finn", HANDS, "everything right, but the file renamed and in a folder of its own", file="homework/my final version (3).ipynb"),
    HandIn(
        "greta",
        HANDS,
        "a file that is cut off in its middle",
        damage=cut_off,
        scores={"all": 0},
        says=("is cut off after",),
        shows=("This hand-in could not be read",),
    ),
    HandIn(
        "hugo",
        HANDS,
        "an endless loop in the cell of 6.4",
        answers={"ex-6-4": LOOP + "answer_6_4 = [4, 6, 9, 2]"},
        scores={"check-6-4": 0},
        says=("ex-6-4: Stopped after 40 seconds",),
    ),
    HandIn("ada", SCRATCH, "everything right"),
    HandIn(
        "ines",
        SCRATCH,
        "the kernel flipped in 7.1, which 7.2 builds upon",
        answers={"ex-conv2d": swap("patch * kernel", "patch * kernel[::-1, ::-1]")},
        scores={"check-conv2d": 0, "check-conv2d-padded": 0},
        shows=("flipped kernel",),
    ),
    HandIn(
        "jonas",
        SCRATCH,
        "the stride ignored in 7.3",
        answers={
            "ex-conv2d-strided": lambda text: swap("i * stride, j * stride", "i, j")(text).replace(", stride=stride)", ")"),
        },
        scores={"check-conv2d-strided": 0},
        shows=("stride ignored",),
    ),
    HandIn(
        "kira",
        SCRATCH,
        "the bias forgotten in the layer",
        answers={"ex-conv-layer": swap(" + b[o]", "")},
        scores={"check-conv-layer": 0},
        shows=("bias forgotten",),
    ),
    HandIn(
        "leo",
        SCRATCH,
        "bytes that overflow in 7.1 and 7.2, all else right: 80 % of those two",
        answers={"ex-conv2d": swap("    image = image.astype(float)\n", "")},
        scores={"check-conv2d": 4, "check-conv2d-padded": 2.4},
        shows=("overflow",),
    ),
    HandIn(
        "mila",
        SCRATCH,
        "half done (stopped after the stride), and a test cell deleted",
        answers={f"ex-{name}": BLANK for name in AFTER_STRIDE},
        damage=without("check-conv2d"),
        scores={f"check-{name}": 0 for name in AFTER_STRIDE},
        says=("check-conv2d was missing: put back as released",),
    ),
    *(HandIn("ada", lesson, "everything right") for lesson in (KERNELS, PYTORCH, STACKED, TRAINING, BACKWARD, BEYOND)),
    HandIn(
        "ines",
        KERNELS,
        "the two slopes exchanged in 8.2, which only the angle shows",
        answers={"ex-edges": swap("np.arctan2(g_y, g_x)", "np.arctan2(g_x, g_y)")},
        scores={"check-edges": 0},
        shows=("as published",),
    ),
    HandIn(
        "jonas",
        PYTORCH,
        "the kernel flipped along one axis only",
        answers={"ex-true-convolution": swap("w.flip(2, 3)", "w.flip(3)")},
        scores={"check-true-convolution": 0},
        shows=("flipped left right only",),
    ),
    HandIn(
        "kira",
        STACKED,
        "the mean taken for the maximum in the pooling",
        answers={"ex-max-pool2d": swap("window.max(axis=(2, 3))", "window.mean(axis=(2, 3))")},
        scores={"check-max-pool2d": 0},
        shows=("mean for max",),
    ),
    HandIn(
        "leo",
        BACKWARD,
        "gradients of overlapping windows not added up",
        answers={"ex-conv2d-backward": swap("d_padded[window] += ", "d_padded[window] = ")},
        scores={"check-conv2d-backward": 0},
        shows=("windows overwrite",),
    ),
    HandIn(
        "mila",
        BEYOND,
        "rows and columns exchanged in the filters of the patches",
        answers={"ex-patch-filters": swap("transpose(3, 2, 0, 1)", "transpose(3, 2, 1, 0)")},
        scores={"check-patch-filters": 0},
        shows=("rows and columns exchanged",),
    ),
    HandIn(
        "nils",
        SCRATCH,
        "nothing done, but test cells that give full points to everybody",
        answers={"all": BLANK},
        damage=graded_by_themselves,
        scores={"all": 0},
        says=("put back as released",),
    ),
    HandIn(
        "olga",
        SCRATCH,
        "nothing done, but a check, a NumPy and an IPython that find everything right",
        answers={"all": BLANK},
        damage=cheat("generous", GENEROUS),
        scores={"all": 0},
        shows=("not done yet",),
    ),
    HandIn(
        "pavel",
        SCRATCH,
        "the library's convolution in the place of one's own",
        answers={"ex-conv2d": BORROWED},
        scores={"check-conv2d": 0, "check-conv2d-padded": 0},
        shows=("cannot be called here",),
    ),
    HandIn(
        "rosa",
        HANDS,
        "an answer that equals everything, in the place of each answer",
        answers={"all": BLANK} | {f"ex-{name}": f"answer_{name.replace('-', '_')} = Agreeable()" for name in ("1-1", "4-1", "6-1")},
        damage=cheat("agreeable", AGREEABLE),
        scores={"all": 0},
    ),
    HandIn(
        "sven",
        HANDS,
        "answers looked up in the library's own checks",
        answers={"all": BLANK}
        | {f"ex-{name}": f'answer_{name.replace("-", "_")} = look_up("{name.replace("-", ".")}")' for name in ("1-1", "4-1")},
        damage=cheat("reader", READER),
        scores={"all": 0},
    ),
)


def run(folder):
    """Play the class through. Returns 0 when all is as it must be, else 1."""
    start = time.monotonic()
    folder = Path(folder).resolve()
    course = _set_up(folder)
    with _step("Release"):
        for lesson in release.release(course, course.lessons(), DUE):
            print(f"{lesson}: {release.points(course.notebook('release', lesson))[0]:g} points automatic")
    hand_ins = folder / "handed in"
    for one in CLASS:
        _hand_in(course, hand_ins, one)
    with _step("Collect"):
        for outcome in intake.collect(course, hand_ins):
            mends = [*outcome.notes, outcome.record.get("problem"), *outcome.record.get("notes", ()), *outcome.record.get("mends", ())]
            print(f"{outcome.student:6} {outcome.lesson or '':28} {outcome.state}  {'; '.join(mend for mend in mends if mend)}".rstrip())
    with _step("Grade"):
        for one in grading.grade(course, course.lessons()):
            print(f"{one.student:6} {one.lesson:28} {one.state:9} {one.seconds:5.1f} s", flush=True)
    with _step("Feedback and report"):
        problems = [
            f"{student}, {lesson}: no feedback: {why}" for student, lesson, why in feedback.feedback(course, course.lessons()) if why
        ]
        written, _ = report.report(course, course.lessons())
        print(course.folder("feedback"), written[0], sep="\n")
    with _step("The class"):
        rows = grading.table(course, course.lessons())
        grading.print_table(rows)
    problems += check(course, rows)
    seconds = time.monotonic() - start
    if problems:
        print("\nNot as it must be:", *(f"  {problem}" for problem in problems), sep="\n")
        return 1
    tests = sum(len(row.scores) for row in rows)
    print(f"\nAll is as it must be: {tests} scores of {len(rows)} hand-ins, in {seconds:.0f} s. To look at: {folder}")
    return 0


class _step:
    """Print a heading, and afterwards the time it took."""

    def __init__(self, heading):
        self.heading = heading

    def __enter__(self):
        print(f"\n{self.heading}\n{'-' * len(self.heading)}", flush=True)
        self.start = time.monotonic()

    def __exit__(self, *problem):
        print(f"({time.monotonic() - self.start:.1f} s)", flush=True)


def _set_up(folder):
    """Make the folder anew: the solutions of all lessons that anybody hands in, and settings."""
    if folder.exists():
        if not (folder / CONFIG).is_file() or "autograder/demo.py" not in (folder / CONFIG).read_text():
            raise CourseError(f"{folder} is there and was not made by the demo. Move it away, or give another --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text(SETTINGS.format(config=CONFIG, repository=REPOSITORY))
    for lesson in sorted({one.lesson for one in CLASS}):
        source = Course(REPOSITORY).notebook("source", lesson)
        (folder / "solutions" / lesson).mkdir(parents=True)
        shutil.copy(source, folder / "solutions" / lesson)
    return Course(folder)


def _hand_in(course, folder, one):
    """Write a student's file: the release with model answers, slips and damage in it."""
    notebook = nbformat.read(course.notebook("release", one.lesson), as_version=4)
    model = {cell.id: cell for cell in nbformat.read(course.notebook("source", one.lesson), as_version=4).cells}
    for cell in notebook.cells:
        answer = one.answers.get(cell.id, one.answers.get("all"))
        if cell.metadata.get("nbgrader", {}).get("solution") and answer != BLANK:
            right = "\n".join(line for line in model[cell.id].source.splitlines() if "SOLUTION" not in line)
            right = right if cell.cell_type == "code" else IN_WORDS
            cell.source = right if answer is None else answer(right) if callable(answer) else answer
    unknown = set(one.answers) - set(model) - {"all"}
    if unknown:
        raise CourseError(f"The demo has answers to cells that {one.lesson} does not have: {', '.join(sorted(unknown))}")
    data = one.damage(notebook) if one.damage else notebook
    path = folder / one.student / (one.file or f"{one.lesson}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else nbformat.writes(data).encode())
    when = (DUE + one.late).timestamp()
    os.utime(path, (when, when))


def check(course, rows):
    """Compare a table with what must come of the class: one sentence for each difference."""
    found = []
    standing = {(row.student, row.lesson): row for row in rows}
    strangers = set(standing) - {(one.student, one.lesson) for one in CLASS}
    found += [f"{student}, {lesson}: nobody handed that in" for student, lesson in sorted(strangers)]
    for one in CLASS:
        who = f"{one.student}, {one.lesson} ({one.story})"
        row = standing.get((one.student, one.lesson))
        if row is None:
            found.append(f"{who}: is missing from the table")
            continue
        for name, points in _points(course, one.lesson).items():
            must = one.scores.get(name, one.scores.get("all", points))
            if abs(row.scores.get(name, -1) - must) > 1e-6:
                found.append(f"{who}: {name} scored {row.scores.get(name)}, must be {must:g} of {points:g}")
        told = " ".join([row.state, *row.notes])
        found += [f"{who}: the table does not say {text!r}, but {told!r}" for text in one.says if text not in told]
        if one.late < timedelta(0) and "late" in row.state:
            found.append(f"{who}: was in time, but the table says {row.state!r}")
        page = course.folder("feedback") / one.student / one.lesson / f"{one.lesson}.html"
        shown = page.read_text(encoding="utf-8") if page.is_file() else ""
        found += [f"{who}: the feedback does not show {text!r}" for text in one.shows if text not in shown]
    return found


def _points(course, lesson):
    cells = nbformat.read(course.notebook("release", lesson), as_version=4).cells
    return {cell.id: float(cell.metadata.nbgrader.points) for cell in cells if is_test(cell)}
