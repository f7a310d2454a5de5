"""Release: what leaves solutions/ for notebooks/, and what is refused."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from grading_course import LESSONS, REPOSITORY, cell_of, code, make_course, manual, meta, read, solution, test_cell, write_notebook
from traitlets.config import PyFileConfigLoader

from autograder import release
from autograder.cli import main
from autograder.course import Course, CourseError, parse_date

REAL = Course(REPOSITORY).lessons()
INCOMPLETE = {"grade": True, "grade_id": "check-9", "solution": False, "task": False}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = make_course(tmp_path_factory.mktemp("course"))
    (course.root / "solutions/01_numbers/01_numbers.py").write_text("# the text mirror\n")
    (course.root / "solutions/01_numbers/table.csv").write_text("1,2\n")
    (course.root / "solutions/01_numbers/.ipynb_checkpoints").mkdir()
    (course.root / "solutions/01_numbers/.ipynb_checkpoints/01_numbers-checkpoint.ipynb").write_text("{}")
    release.release(course, course.lessons())
    return course


def released(course, lesson="01_numbers"):
    return read(course.notebook("release", lesson))


def test_a_region_in_a_function_becomes_a_stub_that_raises(course):
    assert cell_of(released(course), "ex-1").source == (
        'def double(x):\n    # Your code here.\n    raise NotImplementedError("not done yet")'
    )


def test_a_region_at_top_level_becomes_a_comment(course):
    assert cell_of(released(course), "ex-2").source == "answer_2 = ...  # a number\n# Your answer here."


def test_a_written_answer_becomes_a_place_to_write(course):
    assert cell_of(released(course), "think-1").source == "*Write your answer here.*"


def test_both_kinds_of_region_in_one_cell(tmp_path):
    course = make_course(tmp_path)
    source = "x = ...\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\nif True:\n    ### BEGIN SOLUTION\n    y = 2\n    ### END SOLUTION"
    write_notebook(course.notebook("source", "02_words"), [solution("ex-4", source), test_cell("check-4", "1", 1)])
    release.build(course, ["02_words"], tmp_path / "out", f"sqlite:///{tmp_path}/elsewhere.db")
    stub = 'x = ...\n# Your answer here.\nif True:\n    # Your code here.\n    raise NotImplementedError("not done yet")'
    assert read(tmp_path / "out/02_words/02_words.ipynb").cells[0].source == stub


def test_ids_and_order_stay(course):
    source = read(course.notebook("source", "01_numbers"))
    assert [cell.id for cell in released(course).cells] == [cell.id for cell in source.cells]


def test_only_the_notebook_and_its_material_are_copied(course):
    files = sorted(str(path.relative_to(course.folder("release"))) for path in course.folder("release").rglob("*") if path.is_file())
    assert files == ["01_numbers/01_numbers.ipynb", "01_numbers/table.csv", "02_words/02_words.ipynb"]


def test_releasing_again_gives_the_same_bytes(course):
    before = {path: path.read_bytes() for path in course.folder("release").rglob("*.ipynb")}
    shutil.rmtree(course.folder("release"))
    assert set(release.release(course, course.lessons()).values()) == {True}
    assert {path: path.read_bytes() for path in course.folder("release").rglob("*.ipynb")} == before
    assert set(release.release(course, course.lessons()).values()) == {False}


def test_a_changed_lesson_is_stale_until_it_is_released(tmp_path):
    course = make_course(tmp_path)
    assert release.stale(course) == ["01_numbers/01_numbers.ipynb", "02_words/02_words.ipynb"]
    release.release(course, course.lessons())
    assert release.stale(course) == []
    path = course.notebook("source", "02_words")
    notebook = read(path)
    notebook.cells[0].source = "# Other words"
    nbformat.write(notebook, path)
    assert release.stale(course) == ["02_words/02_words.ipynb"]
    (course.folder("source") / "01_numbers/01_numbers.ipynb").unlink()
    assert "01_numbers (no such lesson in solutions/)" in release.stale(course)


def test_looking_for_stale_files_changes_nothing(course):
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    release.stale(course)
    assert {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()} == before


BAD = {
    "two cells share the cell id 'imports'": code("imports", "1"),
    "two cells share the grade id 'check-1'": test_cell("check-1", "1", 1) | {"id": "other"},
    "worth no points": test_cell("check-9", "1", 0),
    "its nbgrader metadata lacks locked, schema_version": test_cell("check-9", "1", 1) | {"metadata": {"nbgrader": INCOMPLETE}},
    "its cell id differs from its grade id 'check-9'": test_cell("check-9", "1", 1) | {"id": "c9"},
    "must test something": test_cell("check-9", "x = 1", 1),
    "must be plain Python": test_cell("check-9", "%time assert True", 1),
    "needs its answer between": solution("ex-9", "x = 1"),
    "no nbgrader metadata, so the answer would be released": code("leak", "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"),
    "makes it none of these": code("odd", "1") | {"metadata": meta("odd", "manual", 1)},
    "but is a test": test_cell("check-9", "(1,\n### BEGIN SOLUTION\n2\n### END SOLUTION\n)", 1),
    "but is a manual answer": manual("think-9", "BEGIN SOLUTION x END SOLUTION", 1),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_notebook_with_a_problem_is_refused_and_the_problem_named(tmp_path, problem):
    course = make_course(tmp_path)
    path = course.notebook("source", "01_numbers")
    notebook = read(path)
    notebook.cells.append(nbformat.from_dict(BAD[problem]))
    path.write_text(nbformat.v4.writes(notebook))  # nbformat.write would mend double ids
    with pytest.raises(CourseError, match=problem):
        release.release(course, course.lessons())
    assert not course.folder("release").exists()


def test_what_is_no_notebook_is_refused(tmp_path):
    course = make_course(tmp_path)
    course.notebook("source", "02_words").write_text("nothing")
    with pytest.raises(CourseError, match="02_words cannot be released:\n  it is no valid notebook"):
        release.release(course, course.lessons())


def test_a_date_reads_as_local_time_unless_it_says_otherwise():
    assert parse_date("2026-03-01T23:59+01:00").isoformat().startswith("2026-03-0")
    assert parse_date("2026-03-01T12:00+00:00").timestamp() == 1772366400
    with pytest.raises(CourseError, match="is no date"):
        parse_date("tomorrow")


def test_lessons_can_be_named_by_number_or_beginning(course):
    assert course.choose("2") == course.choose("02") == course.choose("02_wo") == ["02_words"]
    assert course.choose() == list(LESSONS)
    with pytest.raises(CourseError, match="no lesson '7'"):
        course.choose("7")


def test_the_plain_nbgrader_command_line_releases_the_same(course, tmp_path):
    for name in ("solutions", "nbgrader_config.py"):
        source = course.root / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "01_numbers"]
    environment = os.environ | {"PATH": "/usr/bin:/bin"}  # as where .venv is not activated
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    ours = course.notebook("release", "01_numbers").read_bytes()
    assert (tmp_path / "notebooks/01_numbers/01_numbers.ipynb").read_bytes() == ours


def test_releasing_from_the_command_line(tmp_path, capsys):
    words = ["--course", str(make_course(tmp_path).root), "release"]
    assert main([*words, "--check"]) == 1
    assert "out of date: notebooks/01_numbers/01_numbers.ipynb" in capsys.readouterr().out
    assert main([*words, "--due", "2026-03-01T23:59+00:00"]) == 0
    assert capsys.readouterr().out.split("\n")[0].split() == ["01_numbers", "released", "6", "points", "automatic,", "2", "by", "hand"]
    assert main([*words, "--check"]) == 0
    (tmp_path / "solutions/02_words/02_words.ipynb").write_text("nothing")
    assert main(words) == 2
    assert "autograder release: 02_words cannot be released:" in capsys.readouterr().err


def test_text_and_back_leave_a_lesson_as_it_was(tmp_path, capsys):
    course = make_course(tmp_path)
    path = course.notebook("source", "01_numbers")
    assert main(["--course", str(tmp_path), "text", "1"]) == 0
    assert main(["--course", str(tmp_path), "notebook", "1"]) == 0
    before = path.read_bytes()
    assert main(["--course", str(tmp_path), "notebook"]) == 0
    assert path.read_bytes() == before
    assert capsys.readouterr().out.split() == [str(path.with_suffix(".py")), str(path), str(path)]
    assert main(["--course", str(tmp_path), "notebook", "2"]) == 2
    assert "has no text mirror of 2" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------------- the course's own lessons


def test_the_first_lessons_are_there():
    assert {"01_hand_calculations", "02_convolution_from_scratch"} <= set(REAL)


@pytest.mark.parametrize("lesson", REAL)
def test_a_lesson_can_be_released(lesson):
    assert release.problems(Course(REPOSITORY).notebook("source", lesson)) == []


def test_the_notebooks_in_the_repository_are_what_a_release_writes():
    assert release.stale(Course(REPOSITORY)) == []


@pytest.mark.parametrize("lesson", REAL)
def test_no_model_answer_is_released(lesson):
    course = Course(REPOSITORY)
    source, text = read(course.notebook("source", lesson)), course.notebook("release", lesson).read_text()
    shown = {line.strip() for cell in read(course.notebook("release", lesson)).cells for line in cell.source.splitlines()}
    hidden = 0
    for cell in source.cells:
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        inside = cell.cell_type == "markdown"
        for line in map(str.strip, cell.source.splitlines()):
            if "SOLUTION" in line:
                inside = "BEGIN" in line
            elif inside and len(line) > 12:
                assert line not in shown
                hidden += 1
    assert "SOLUTION" not in text
    assert "HIDDEN TESTS" not in text
    assert hidden or not any("nbgrader" in cell.metadata for cell in source.cells)


@pytest.mark.parametrize("lesson", REAL)
@pytest.mark.parametrize("step", ["source", "release"])
def test_no_output_is_kept(lesson, step):
    cells = [cell for cell in read(Course(REPOSITORY).notebook(step, lesson)).cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.parametrize("lesson", REAL)
def test_the_names_of_graded_cells_are_the_exercises_numbers(lesson):
    graded = [cell for cell in read(Course(REPOSITORY).notebook("source", lesson)).cells if "nbgrader" in cell.metadata]
    for cell in graded:
        kind = "ex" if cell.cell_type == "code" and cell.metadata.nbgrader.solution else "check" if cell.cell_type == "code" else "think"
        assert cell.id.startswith(f"{kind}-"), cell.id


@pytest.mark.parametrize("lesson", REAL)
def test_a_check_is_worth_what_its_exercise_says(lesson):
    from course_lib.checks import EXERCISES

    for cell in read(Course(REPOSITORY).notebook("source", lesson)).cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            name = cell.source.split('"')[1]
            assert cell.source.startswith(f'check("{name}", '), cell.source
            assert EXERCISES[name].points == cell.metadata.nbgrader.points, name


def test_the_settings_name_every_step():
    settings = PyFileConfigLoader("nbgrader_config.py", path=str(REPOSITORY)).load_config().CourseDirectory
    steps = [settings[f"{step}_directory"] for step in ("source", "release", "submitted", "autograded", "feedback")]
    assert steps == ["solutions", "notebooks", "submitted", "autograded", "feedback"]
    assert settings.root == str(REPOSITORY)
