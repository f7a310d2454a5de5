"""A lesson as the tests see it, and what holds for every lesson. Each `test_lesson_NN.py` runs its lesson once and looks at the results."""

import ast
import contextlib
import io
import itertools
import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest

from course_lib.checks import EXERCISES, CodeExercise, Verdict
from course_lib.figures import Picture

SOLUTIONS = Path(__file__).parents[1] / "solutions"

WORDS_A_MINUTE = 200  # reading a technical text
MINUTES_TO_LOOK = 0.5  # at the output of a code cell
MINUTES_A_POINT = {"code": 3.5, "hand": 1.75, "think": 2.5}  # what the points of lessons 1 and 2 take


class Lesson:
    """The notebook in solutions/, run once in this process: `results` with the model answers, `untouched` with blanks instead."""

    def __init__(self, folder):
        self.folder = folder
        path = SOLUTIONS / folder / f"{folder}.ipynb"
        self.cells = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
        self.text = "\n".join(cell.source for cell in self.cells.values() if cell.cell_type == "markdown")

    @cached_property
    def results(self):
        """From cell id to (what it printed, its last value)."""
        return self._run(lambda source: source)

    @cached_property
    def untouched(self):
        """The same for what a student gets."""
        return self._run(_blank)

    def _run(self, edit):
        mpl.use("Agg")
        namespace, results = {"__name__": "lesson"}, {}
        for name, cell in self.cells.items():
            if cell.cell_type != "code":
                continue
            tree = ast.parse(edit(cell.source))
            last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(io.StringIO()):
                exec(compile(tree, name, "exec"), namespace)
                value = eval(compile(last, name, "eval"), namespace) if last else None
            results[name] = printed.getvalue(), value
        return results

    def graded(self, kind):
        """The cells that bear points: "code" for those a check gives, "markdown" for those an instructor gives."""
        return [cell for cell in self.cells.values() if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == kind]

    def points(self, kind):
        return sum(cell.metadata.nbgrader.points for cell in self.graded(kind))

    def plan(self):
        """The table in the lesson's head: (where, section number, title, minutes, points) by section."""
        row = r"^\| *(in class|at home)? *\| *(\d+) · (.+?) *\| *(\d+) min *\| *(\d*) *\|$"
        where, rows = None, []
        for found in re.findall(row, self.cells["plan"].source, flags=re.MULTILINE):
            where = found[0] or where
            rows.append((where, int(found[1]), found[2], int(found[3]), int(found[4] or 0)))
        return rows

    def sections(self):
        """From section number to its cells, in order."""
        sections, current = defaultdict(list), None
        for cell in self.cells.values():
            heading = re.search(r"^## (\d+) ·", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else None
            current = int(heading[1]) if heading else current
            if current:
                sections[current].append(cell)
        return sections


def _blank(source):
    stub = "    raise NotImplementedError" if "\n    ### BEGIN" in source else ""
    return re.sub(r" *### BEGIN SOLUTION.*?### END SOLUTION", stub, source, flags=re.DOTALL)


def counted_minutes(cells):
    """How long cells take a student: words read, outputs looked at, and points worked for."""
    minutes = 0.0
    for cell in cells:
        grading = cell.metadata.get("nbgrader", {})
        points = grading.get("points", 0)
        if cell.cell_type == "markdown":
            minutes += points * MINUTES_A_POINT["think"] if grading.get("grade") else len(cell.source.split()) / WORDS_A_MINUTE
        elif grading.get("grade"):
            exercise = EXERCISES[re.match(r'check\("(.+?)"', cell.source)[1]]
            minutes += points * MINUTES_A_POINT["code" if isinstance(exercise, CodeExercise) else "hand"]
        elif not grading.get("solution"):
            minutes += MINUTES_TO_LOOK
    return minutes


class LessonTests:
    """What holds for every lesson. A subclass sets `lesson`."""

    lesson = None

    def pytest_generate_tests(self, metafunc):
        for name, cells in (("check_cell", self.lesson.graded("code")), ("code_cell", self._code_cells())):
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, cells, ids=lambda cell: cell.id)

    def _code_cells(self):
        return [cell for cell in self.lesson.cells.values() if cell.cell_type == "code"]

    def test_model_answer_passes_and_points_agree(self, check_cell):
        verdict = self.lesson.results[check_cell.id][1]
        assert isinstance(verdict, Verdict)
        assert verdict.passed, str(verdict)
        assert verdict.points == check_cell.metadata.nbgrader.points

    def test_untouched_exercise_says_that_it_is_not_done(self, check_cell):
        verdict = self.lesson.untouched[check_cell.id][1]
        assert verdict.earned == 0
        assert "not done yet" in verdict.message

    def test_every_picture_says_what_it_shows(self):
        pictures = {name: value for name, (_, value) in self.lesson.results.items() if isinstance(value, Picture)}
        assert pictures
        for name, picture in pictures.items():
            assert len(picture.alt) > 20, name
            assert 'alt="' in picture._repr_html_()

    def test_headings_go_down_one_level_at_a_time(self):
        text = re.sub(r"```.*?```", "", self.lesson.text, flags=re.DOTALL)
        levels = [len(hashes) for hashes in re.findall(r"^(#+) ", text, flags=re.MULTILINE)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))

    def test_sections_are_numbered_and_planned(self):
        headings = re.findall(r"^## (\d+) · (.+)$", self.lesson.text, flags=re.MULTILINE)
        assert [int(number) for number, _ in headings] == list(range(1, len(headings) + 1))
        assert [(row[1], row[2]) for row in self.lesson.plan()] == [(int(number), title) for number, title in headings]

    def test_points_of_each_section_are_those_of_its_exercises(self):
        found = {
            n: sum(cell.metadata.get("nbgrader", {}).get("points", 0) for cell in cells) for n, cells in self.lesson.sections().items()
        }
        assert found == {row[1]: row[4] for row in self.lesson.plan()}

    def test_minutes_are_counted(self):
        counted = {number: counted_minutes(cells) for number, cells in self.lesson.sections().items()}
        stated = {row[1]: row[3] for row in self.lesson.plan()}
        far_off = {n: (stated[n], round(counted[n])) for n in stated if abs(stated[n] - counted[n]) > max(4, 0.35 * counted[n])}
        assert not far_off, "minutes stated and counted"
        assert sum(stated.values()) == pytest.approx(sum(counted.values()), rel=0.12)

    def test_points_in_headings_are_those_of_the_exercises(self):
        headings = re.findall(r"^### (?:Exercise|Think) (.+?) \((\d+) points?\)$", self.lesson.text, flags=re.MULTILINE)
        assert sum(int(points) for _, points in headings) == self.lesson.points("code") + self.lesson.points("markdown")

    def test_nothing_is_told_by_a_missing_picture(self):
        assert "![" not in self.lesson.text  # figures are drawn by code, with a text alternative
