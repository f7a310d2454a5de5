"""The made-up class: it is what it says, and its comparison notices a difference."""

import pytest
from grading_course import REPOSITORY, cell_of, read

from autograder import demo, grading, intake, release
from autograder.course import Course, CourseError
from autograder.notebooks import UnreadableError, is_test, read_cells

FEW = [one for one in demo.CLASS if (one.student, one.lesson) in (("ben", demo.HANDS), ("greta", demo.HANDS), ("ines", demo.SCRATCH))]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Three of the class, played through."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "CLASS", FEW)
        status = demo.run(folder)
    return Course(folder), status


def differences(course, monkeypatch, *hand_ins):
    monkeypatch.setattr(demo, "CLASS", hand_ins)
    return demo.check(course, grading.table(course, course.lessons()))


def test_a_class_played_through_ends_as_it_must(played):
    assert played[1] == 0


def test_the_flipped_kernel_is_named_to_the_student(played):
    page = (played[0].folder("feedback") / "ines" / demo.SCRATCH / f"{demo.SCRATCH}.html").read_text()
    assert "flipped kernel" in page


def test_every_kind_of_difference_is_noticed(played, monkeypatch):
    course, _ = played
    ben, greta, ines = FEW
    assert differences(course, monkeypatch, ben, greta, ines) == []
    generous = demo.HandIn("ines", demo.SCRATCH, "no slip at all")
    found = differences(course, monkeypatch, ben, greta, generous)
    assert [line.split(": ")[1].split(",")[0] for line in found] == ["check-conv2d scored 0.0", "check-conv2d-padded scored 0.0"]
    assert "the table does not say 'brilliant'" in differences(course, monkeypatch, *quoting(ben, says="brilliant"), greta, ines)[0]
    assert "the feedback does not show 'brilliant'" in differences(course, monkeypatch, *quoting(ben, shows="brilliant"), greta, ines)[0]
    assert "was in time, but the table says" in differences(course, monkeypatch, demo.HandIn("ben", demo.HANDS, ""), greta, ines)[0]
    assert "nobody handed that in" in differences(course, monkeypatch, ben, greta)[0]
    extra = demo.HandIn("zoe", demo.HANDS, "")
    assert "is missing from the table" in differences(course, monkeypatch, ben, greta, ines, extra)[0]


def quoting(one, says=None, shows=None):
    return [demo.HandIn(one.student, one.lesson, "", late=one.late, says=(says,) if says else (), shows=(shows,) if shows else ())]


def test_there_are_at_least_twelve_hand_ins_of_every_kind():
    assert len(demo.CLASS) >= 12
    assert {one.lesson for one in demo.CLASS} == set(intake.graded_lessons(Course(REPOSITORY)))
    stories = " ".join(one.story for one in demo.CLASS)
    for kind in ("right", "late", "half done", "untouched", "slip", "renamed", "test cell deleted", "cut off", "endless loop", "looked up"):
        assert kind in stories


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """All hand-ins of the class, written but not graded."""
    course = demo._set_up(tmp_path_factory.mktemp("class") / "demo")
    release.release(course, course.lessons())
    for one in demo.CLASS:
        demo._hand_in(course, course.root / "handed in", one)
    return course


@pytest.mark.parametrize("one", demo.CLASS, ids=lambda one: f"{one.student}-{one.lesson[:2]}")
def test_a_hand_in_differs_from_the_right_one_where_it_says(handed_in, one):
    data = (handed_in.root / "handed in" / one.student / (one.file or f"{one.lesson}.ipynb")).read_bytes()
    if one.damage is demo.cut_off:
        with pytest.raises(UnreadableError, match="is cut off"):
            read_cells(data)
        return
    texts = {name: cell.text for cell in read_cells(data)[0] for name in cell.names}
    if one.damage is demo.graded_by_themselves:
        assert texts["check-conv2d"] == "5"
    for cell in read(handed_in.notebook("source", one.lesson)).cells:
        meta = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and meta.get("solution"):
            right = "\n".join(line for line in cell.source.splitlines() if "SOLUTION" not in line)
            assert (texts[cell.id] == right) == (cell.id not in one.answers and "all" not in one.answers), cell.id


def test_the_scores_that_must_come_are_of_tests_that_exist(handed_in):
    for one in demo.CLASS:
        cells = {cell.id: cell for cell in read(handed_in.notebook("release", one.lesson)).cells if is_test(cell)}
        for name, points in one.scores.items():
            assert name == "all" or 0 <= points < cell_of(read(handed_in.notebook("source", one.lesson)), name).metadata.nbgrader.points
            assert name == "all" or name in cells


def test_a_slip_that_no_longer_fits_the_model_answer_is_an_error():
    assert demo.swap("a", "b")("cat") == "cbt"
    with pytest.raises(CourseError, match="stands in it 0 times"):
        demo.swap("patch", "")("window")


def test_a_folder_of_somebody_else_is_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(CourseError, match="was not made by the demo"):
        demo.run(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "precious"
