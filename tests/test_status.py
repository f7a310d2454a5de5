"""Where the class stands: every hand-in in one state, nobody forgotten, and what to do next."""

import json
import shutil
import subprocess
import sys
from datetime import datetime

import nbformat
import pytest
from grading_course import cell_of, hand_in, make_course, read, released_course, solved

from autograder import grading, intake, ledger, status
from autograder.cli import main
from autograder.course import Course, CourseError

LESSON, OTHER = "01_numbers", "02_words"


def take_in(course, student, notebook, lesson=LESSON):
    folder = course.root / "handed in" / f"{student} {lesson}"
    hand_in(folder, student, notebook, f"{lesson}.ipynb")
    assert {one.state for one in intake.collect(course, folder, lesson)} == {"collected"}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """A course in which two are graded in one lesson, and one in the other."""
    course = released_course(tmp_path_factory.mktemp("course"))
    take_in(course, "ada", solved(course))
    take_in(course, "bob", read(course.notebook("release", LESSON)))
    take_in(course, "eve", solved(course, OTHER), OTHER)
    assert {one.state for one in grading.grade(course, [LESSON, OTHER], unsafe=True)} == {"graded"}
    return course


@pytest.fixture
def course(graded, tmp_path):
    shutil.copytree(graded.root, tmp_path / "course")
    return Course(tmp_path / "course")


def states(course, lesson=LESSON):
    (one,) = status.standings(course, [lesson])
    return {state: getattr(one, state) for state in status.STATES if getattr(one, state)}


def change_record(course, student, change):
    record = intake.latest(course, student, LESSON)
    change(record)
    path = course.received / student / LESSON / f"{record['kept']}.json"
    path.write_text(json.dumps(record))


def told(course, capsys, *words):
    assert main(["--course", str(course.root), "status", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_what_is_graded_and_who_is_missing(course):
    assert states(course) == {"graded": ["ada", "bob"], "missing": ["eve"]}
    assert states(course, OTHER) == {"graded": ["eve"], "missing": ["ada", "bob"]}


def test_answers_that_wait_for_a_person_are_counted(course):
    assert status.standings(course, [LESSON])[0].by_hand == {"ada": 1}
    with course.gradebook() as gradebook:
        for grade in gradebook.find_submission_notebook(LESSON, LESSON, "ada").grades:
            grade.needs_manual_grade = False
        gradebook.db.commit()
    assert status.standings(course, [LESSON])[0].by_hand == {}


def test_what_is_handed_in_and_not_graded_waits(course):
    take_in(course, "cy", solved(course))
    assert states(course)["waiting"] == ["cy"]


def test_what_somebody_copied_by_hand_waits(course):
    path = course.notebook("submitted", LESSON, "dan")
    path.parent.mkdir(parents=True)
    nbformat.write(solved(course), path)
    assert states(course)["waiting"] == ["dan"]


def test_a_newer_hand_in_makes_the_grade_stale(course):
    take_in(course, "ada", read(course.notebook("release", LESSON)))
    assert states(course) == {"graded": ["bob"], "stale": ["ada"], "missing": ["eve"]}


def test_a_change_of_what_was_collected_makes_the_grade_stale(course):
    path = course.notebook("submitted", LESSON, "ada")
    path.write_text(path.read_text() + " ")
    assert states(course)["stale"] == ["ada"]


def test_a_new_release_makes_grades_stale(course):
    release = read(course.notebook("release", LESSON))
    cell_of(release, "end").source = "Very well done."
    nbformat.write(release, course.notebook("release", LESSON))
    assert states(course) == {"stale": ["ada", "bob"], "missing": ["eve"]}
    assert states(course, OTHER)["graded"] == ["eve"]


def test_new_settings_make_grades_stale(course):
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("\nc.Execute.timeout = 59\n")
    assert states(Course(course.root))["stale"] == ["ada", "bob"]


def test_a_lost_result_makes_the_grade_stale(course):
    shutil.rmtree(course.folder("autograded") / "ada")
    assert states(course)["stale"] == ["ada"]


def test_what_failed_is_told(course, capsys):
    change_record(course, "bob", lambda record: record["graded"].update(key=None, record=None))
    assert states(course) == {"graded": ["ada"], "failed": ["bob"], "missing": ["eve"]}
    assert "Why some failed: make table NOTES=yes." in told(course, capsys)


def test_who_handed_in_only_what_is_no_notebook_is_known(course, tmp_path):
    hand_in(tmp_path / "in", "fay", b"%PDF", "essay.pdf")
    assert [one.state for one in intake.collect(course, tmp_path / "in")] == ["unsorted"]
    assert states(course)["missing"] == ["eve", "fay"]


def test_a_student_whom_only_the_gradebook_knows_is_missing(course):
    with course.gradebook() as gradebook:
        gradebook.add_student("gus")
    assert states(course)["missing"] == ["eve", "gus"]


def test_the_states_are_those_that_grading_acts_on(course):
    """What is called graded is left alone, and everything else is graded, by the next run."""
    take_in(course, "cy", solved(course))
    take_in(course, "ada", read(course.notebook("release", LESSON)))
    before = states(course)
    done = {one.student: one.state for one in grading.grade(course, [LESSON], unsafe=True)}
    assert {name for name, state in done.items() if state == "unchanged"} == set(before["graded"])
    assert {name for name, state in done.items() if state == "graded"} == {*before["waiting"], *before["stale"]}
    assert states(course) == {"graded": ["ada", "bob", "cy"], "missing": ["eve"]}


# ---------------------------------------------------------------------------------------------------- due dates


def released(course, capsys, *words):
    assert main(["--course", str(course.root), "release", *words]) == 0
    return capsys.readouterr().out.splitlines()[2:]


def test_a_release_says_when_lessons_are_due(tmp_path, capsys):
    course = make_course(tmp_path)
    assert released(course, capsys) == [f"No due date: {LESSON}, {OTHER}."]
    zone = datetime(2020, 3, 1, 23, 59).astimezone().tzname()
    past = f"Due 2020-03-01 23:59 {zone}. That is in the past: what was handed in after it counts as late."
    assert released(course, capsys, "--due", "2020-03-01 23:59") == [past]
    main(["--course", str(course.root), "release", "2", "--due", "2120-03-01 23:59"])
    capsys.readouterr()
    assert released(course, capsys) == [
        f"Due 2020-03-01 23:59 {zone}, as before: {LESSON}.",
        f"Due 2120-03-01 23:59 {datetime(2120, 3, 1).astimezone().tzname()}, as before: {OTHER}.",
    ]


# ---------------------------------------------------------------------------------------------------- taking a hand-in out again


def remove(course, capsys, *words):
    status = main(["--course", str(course.root), "remove", *words])
    return status, capsys.readouterr()


def test_a_hand_in_that_is_removed_is_nowhere_but_kept(course, capsys):
    kept = next((course.received / "eve" / OTHER).glob("*/*.ipynb")).read_bytes()
    feedback_of = course.folder("feedback") / "eve" / OTHER / f"{OTHER}.html"
    feedback_of.parent.mkdir(parents=True)
    feedback_of.write_text("")
    code, said = remove(course, capsys, "2", "--student", "eve")
    assert code == 0
    assert states(course, OTHER) == {"missing": ["ada", "bob"]}
    assert states(course) == {"graded": ["ada", "bob"]}  # nothing but the hand-in was known of eve
    assert grading.table(course, [OTHER]) == []
    assert not any((course.folder(step) / "eve").exists() for step in ("submitted", "autograded", "feedback"))
    place = next((course.root / "removed").iterdir())
    assert (place / "eve" / f"{OTHER}.ipynb").read_bytes() == kept
    assert f"make collect FROM=removed/{place.name} LESSON={OTHER}" in said.out


def test_what_was_removed_can_be_collected_again_with_its_time(course, capsys):
    change_record(course, "ada", lambda record: record.update(handed_in="2020-05-04T03:02:01Z"))
    take_in(course, "bob", solved(course))
    before = intake.latest(course, "ada", LESSON)
    assert remove(course, capsys, "1", "--student", "ada")[0] == 0
    place = next((course.root / "removed").iterdir())
    assert {one.state for one in intake.collect(course, place, LESSON)} == {"collected"}
    after = intake.latest(course, "ada", LESSON)
    assert [after[key] for key in ("handed_in", "notebook_sha256")] == [before[key] for key in ("handed_in", "notebook_sha256")]
    assert states(course)["waiting"] == ["ada"]
    remove(course, capsys, "1", "--student", "ada")
    assert len(list((course.root / "removed").iterdir())) == 2


def test_points_given_by_hand_are_told_when_they_go(course, capsys):
    with course.gradebook() as gradebook:
        next(one for one in gradebook.find_submission_notebook(LESSON, LESSON, "ada").grades if one.name == "think-1").manual_score = 1.5
        gradebook.db.commit()
    assert "Points given by hand went with it: think-1 1.5." in remove(course, capsys, "1", "--student", "ada")[1].out


def test_a_student_whom_the_gradebook_knows_by_name_stays_one(course, capsys):
    with course.gradebook() as gradebook:
        gradebook.update_or_create_student("eve", first_name="Eve", last_name="Example")
    remove(course, capsys, "2", "--student", "eve")
    assert states(course, OTHER) == {"missing": ["ada", "bob", "eve"]}


def test_what_was_copied_by_hand_is_kept_too(course, capsys):
    path = course.notebook("submitted", LESSON, "dan")
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert remove(course, capsys, "1", "--student", "dan")[0] == 0
    assert [kept.read_text() for kept in (course.root / "removed").glob(f"*/dan/{LESSON}.ipynb")] == ["mine"]
    assert not path.exists()


@pytest.mark.parametrize("step", ["rmtree", "move"])
def test_a_removal_that_was_killed_is_finished_by_the_next(course, capsys, monkeypatch, step):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, step, killed)
        assert remove(course, capsys, "1", "--student", "ada")[0] == 130
    assert intake.latest(course, "ada", LESSON)
    assert remove(course, capsys, "1", "--student", "ada")[0] == 0
    assert states(course) == {"graded": ["bob"], "missing": ["eve"]}
    assert not (course.received / "ada").exists()
    assert list((course.root / "removed").glob(f"*/.received/ada/{LESSON}"))


def test_what_is_not_there_cannot_be_removed(course, capsys):
    code, said = remove(course, capsys, "2", "--student", "ada")
    assert (code, said.err) == (2, f"autograder remove: ada has handed in nothing for {OTHER}. Hand-ins there: eve.\n")
    code, said = remove(course, capsys, "2", "--student", "../received/eve")
    assert code == 2
    assert "is no student's id" in said.err


def test_nothing_is_removed_while_it_is_graded(course, capsys):
    with ledger.alone(course, LESSON):
        assert "Another process is grading" in remove(course, capsys, "1", "--student", "ada")[1].err
    assert states(course)["graded"] == ["ada", "bob"]


# ---------------------------------------------------------------------------------------------------- what is printed


def test_a_line_a_lesson_and_what_is_next(course, capsys):
    assert told(course, capsys) == [
        "lesson       graded    stale  not graded yet   failed  missing  to grade by hand",
        "01_numbers        2        0               0        0        1  1 answer of 1 student",
        "02_words          1        0               0        0        2  -",
        "",
        "Next: make formgrader, for the answers to grade by hand.",
    ]
    assert told(course, capsys, "2")[-1] == "Next: make feedback LESSON=2, and make report LESSON=2."


def test_names_are_told_on_request(course, capsys):
    take_in(course, "cy", solved(course))
    lines = told(course, capsys, "1", "--students")
    assert lines[2:] == [
        "    graded: ada, bob",
        "    not graded yet: cy",
        "    missing: eve",
        "    to grade by hand: ada (1)",
        "",
        "Next: make grade LESSON=1 (1 not graded yet).",
        "Then: make formgrader, for the answers to grade by hand.",
    ]


def test_before_anybody_has_handed_in(tmp_path, capsys):
    course = released_course(tmp_path)
    lines = told(course, capsys)
    assert lines == [f"not collected yet: {LESSON}, {OTHER}", "", "Nobody has handed in anything yet. Next: make collect FROM=path."]


def test_lessons_that_nobody_must_hand_in_yet_are_one_line(course, capsys):
    remove(course, capsys, "2", "--student", "eve")
    lines = told(course, capsys)
    assert [line.split()[0] for line in lines[:2]] == ["lesson", LESSON]
    assert lines[2] == f"not collected yet: {OTHER}"
    assert told(course, capsys, "2")[1].split()[:6] == [OTHER, "0", "0", "0", "0", "2"]
    with course.gradebook() as gradebook:
        gradebook.update_or_create_assignment(OTHER, duedate=datetime(2020, 1, 1))
    assert told(course, capsys)[2].split()[:6] == [OTHER, "0", "0", "0", "0", "2"]


def test_before_the_release_and_without_a_gradebook(tmp_path, capsys):
    course = released_course(tmp_path)
    course.root.joinpath("gradebook.db").unlink()
    take_in(course, "ada", solved(course))
    assert states(course) == {"waiting": ["ada"]}
    assert not course.root.joinpath("gradebook.db").exists()
    shutil.rmtree(course.folder("release"))
    assert main(["--course", str(course.root), "status"]) == 2
    assert "No lesson with points is released yet" in capsys.readouterr().err
    with pytest.raises(CourseError, match="has no lesson '7'"):
        course.choose("7", "release")


def test_a_database_elsewhere_is_asked(course):
    shutil.move(course.root / "gradebook.db", course.root / "elsewhere.db")
    assert status.standings(course, [LESSON])[0].by_hand == {}
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"\nc.CourseDirectory.db_url = 'sqlite:///{course.root / 'elsewhere.db'}'\n")
    assert status.standings(Course(course.root), [LESSON])[0].by_hand == {"ada": 1}


def test_before_anything_is_graded_nothing_heavy_is_loaded(tmp_path):
    course = released_course(tmp_path)
    take_in(course, "ada", solved(course))
    code = f"""if True:
        import sys
        from autograder.cli import main
        status = main(["--course", {str(course.root)!r}, "status"])
        print(status, [name for name in ("nbgrader", "nbconvert", "distributed") if name in sys.modules])
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "0 []"
