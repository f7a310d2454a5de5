"""What hostile hand-ins gain, graded by nbgrader alone and by this course's own grading: python -m benchmarks.hostile [SLUG or FAMILY ...].

nbgrader runs as anybody would run it, with its own settings, on the hand-in as it came. All of it runs in a jail here, as the attacks would
otherwise do to this machine what they say: that makes it look better than it is, for nothing can be read or written outside of the course.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

import hostile  # noqa: E402 (it lies with the tests)
from hostile import course  # noqa: E402

from autograder import sandbox  # noqa: E402

PATIENCE = 150  # seconds for one hand-in under nbgrader alone
SETTINGS = """\
c = get_config()
c.CourseDirectory.course_id = "plain"
c.CourseDirectory.root = {root!r}
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "notebooks"
c.Execute.timeout = {timeout}
"""
PLAIN = """\
import json, os, sys, warnings
warnings.simplefilter("ignore")
root, lesson = sys.argv[1:]
os.chdir(root)
import nbgrader.api
from alembic.script import ScriptDirectory
from pathlib import Path
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from traitlets.config import PyFileConfigLoader
nbgrader.api.get_alembic_version = lambda: ScriptDirectory(str(Path(nbgrader.api.__file__).with_name("alembic"))).get_current_head()
config = PyFileConfigLoader("nbgrader_config.py", path=root).load_config()
directory = CourseDirectory(config=config, assignment_id=lesson, student_id="eve")
try:
    Autograde(coursedir=directory, config=config).start()
except BaseException:
    pass
with nbgrader.api.Gradebook(directory.db_url, directory.course_id) as gradebook:
    try:
        grades = gradebook.find_submission_notebook(lesson, lesson, "eve").grades
        scores = {grade.name: grade.score for grade in grades if grade.cell_type == "code"}
    except Exception:
        scores = None
done = os.path.isdir(os.path.join(root, "autograded", "eve", lesson))
open(os.path.join(root, "scores.json"), "w").write(json.dumps(scores if done else None))
"""


def plain(attack, classroom):
    """By test cell what nbgrader alone gives to a hand-in, or None where it gives no grade at all."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("solutions", "notebooks"):
            shutil.copytree(classroom.root / name / attack.lesson, root / name / attack.lesson)
        shutil.copy(classroom.root / "gradebook.db", root / "gradebook.db")
        timeout = (hostile.LIMITS | hostile.PATIENCE.get(attack.lesson, {}) | dict(attack.limits))["timeout"]
        (root / "nbgrader_config.py").write_text(SETTINGS.format(root=str(root), timeout=timeout))
        place = root / "submitted" / "eve" / attack.lesson
        place.mkdir(parents=True)
        (place / f"{attack.lesson}.ipynb").write_bytes(hostile.notebook(attack, classroom))
        for name, data in attack.files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        (root / "plain.py").write_text(PLAIN)
        with sandbox.ControlGroup(sandbox.LIMITS) as group:
            view = sandbox.View(writable=(root,))
            surroundings = sandbox.environment(COURSE_CHECK_SEED=str(hostile.SEED))
            command = [sys.executable, "-P", str(root / "plain.py"), str(root), attack.lesson]
            command = group.entering(sandbox.jailed(command, view, surroundings, bounded=group.bounds_processes))
            silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen(command, start_new_session=True, env={"PATH": os.environ["PATH"]}, **silent) as process:
                try:
                    process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, 9)
        try:
            return json.loads((root / "scores.json").read_text())
        except (OSError, ValueError):
            return None


def gain(scores, right):
    """What a hand-in gets beyond what it deserves, in words."""
    if scores is None:
        return "no grade", "ungraded"
    more = sum(max(0.0, (scores.get(name) or 0) - points) for name, points in right.items())
    less = sum(max(0.0, points - (scores.get(name) or 0)) for name, points in right.items())
    words = [f"+{more:g}"] if more else []
    words += [f"\N{MINUS SIGN}{less:g}"] if less else []
    return " ".join(words) or "0", "won" if more else "lost" if less else "fair"


def compare(attack, classroom, graders):
    """One row of the table: the attack, its gain under nbgrader alone, and its gain here."""
    right = hostile.deserved(attack, classroom)
    record = None
    with contextlib.suppress(Exception):
        record, _ = graders.submit(hostile.run, hostile.task(attack, classroom)).result()
    scores = record and {name: verdict["points"] for name, verdict in record["verdicts"].items()}
    secrets = bool(record) and bool(hostile.told(attack, record))
    before, here = gain(plain(attack, classroom), right), gain(scores, right)
    return attack, before, (here[0] + (", a secret" if secrets else ""), here[1])


TITLE = """\
# The hostile hand-ins, one by one

<!-- Made by `python -m benchmarks.hostile > book/attacks.md`, which takes about an hour. -->

Each of these hand-ins tries to earn points without a right answer, to break the grading, or to see what is hidden. The tables say how
many points it gets beyond (+) or below (\N{MINUS SIGN}) what its honest part deserves: graded by nbgrader alone, with its own settings,
and by [this course's own grading](security.md). nbgrader runs in a jail here too, as some hand-ins would otherwise do to the machine
what they say; what they could read or change outside of the course is therefore missing in its column.
"""


def main():
    """Print the page, as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="slugs or families of attacks (default: all)")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    chosen = [one for one in hostile.attacks().values() if not arguments.names or {one.slug, one.family} & set(arguments.names)]
    os.environ["A_SECRET_OF_THE_GRADER"] = hostile.SECRET
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(arguments.workers) as pool,
        ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as graders,
    ):
        classroom = course.build(Path(folder))
        for row in pool.map(lambda one: compare(one, classroom, graders), chosen):
            rows.append(row)
            print(f"{len(rows)} of {len(chosen)}: {row[0].slug}: {row[1][0]}, {row[2][0]}", file=sys.stderr, flush=True)
    print(page(rows))


def page(rows):
    """The page: how many of each family win, then each of them."""
    parts = [TITLE, "| family | hand-ins | gain points: nbgrader alone | end without a grade: nbgrader alone | gain points: here |"]
    parts.append("|---|---|---|---|---|")
    families = {family: [row for row in rows if row[0].family == family] for family in dict.fromkeys(row[0].family for row in rows)}
    for family, found in {**families, "**all**": rows}.items():
        alone, here = (Counter(kind for _, kind in column) for column in list(zip(*found, strict=True))[1:])
        parts.append(f"| {family} | {len(found)} | {alone['won']} | {alone['ungraded']} | {here['won']} |")
    for family, found in families.items():
        parts += [f"\n## {family.capitalize()}\n", "| attack | what it tries | nbgrader alone | here |", "|---|---|---|---|"]
        parts += [f"| {one.slug} | {one.tries.replace('|', chr(92) + '|')} | {alone[0]} | {here[0]} |" for one, alone, here in found]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
