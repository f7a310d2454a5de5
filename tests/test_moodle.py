"""What goes back to Moodle: the grading worksheet with grades, and the feedback pages as one zip."""

import csv
import zipfile

import pytest
from grading_course import released_course, solved
from test_feedback import put_in

from autograder import moodle, report
from autograder.cli import main

LESSON = "01_numbers"
HEADING = (
    "Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),"
    "Last modified (grade),Feedback comments"
)
PEOPLE = {"ann": "5000", "bob": "5001", "cem": "5002", "yan": "5003"}


def worksheet(path, most="100.00", heading=HEADING):
    lines = [
        f'Participant {number},{name.title()} Example,{name},{name}@example.org,Submitted for grading - ,,{most},Yes,"Sunday, 1 March '
        f'2026, 6:59 PM",-,<p>A word of mine</p>'
        for name, number in PEOPLE.items()
    ]
    path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8-sig")
    return path


def origin(student, **more):
    return {"from": {"system": "moodle", "id": PEOPLE[student], "name": f"{student.title()} Example"} | more}


@pytest.fixture
def course(tmp_path):
    """Ann and Bob are graded, Cem waits for a grade by hand, Dag came by mail and Yan not at all."""
    (tmp_path / "course").mkdir()
    course = released_course(tmp_path / "course")
    put_in(course, "ann", solved(course), {"check-1": 2, "check-2": 1}, received=origin("ann"), waiting=(), name=("Ann", "Example"))
    put_in(course, "bob", solved(course), received=origin("bob"), waiting=())
    put_in(course, "cem", solved(course), {"check-1": 2}, received=origin("cem"))
    put_in(course, "dag", solved(course), {"check-1": 2}, waiting=())
    return course


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def filled(course):
    written, remarks = report.report(course, [LESSON])
    path = course.root / "report" / f"worksheet_{LESSON}.csv"
    assert path in written
    return {row["ID number"]: row for row in rows_of(path)}, remarks


def test_the_worksheet_comes_back_with_grades_of_its_maximum(course, tmp_path):
    moodle.keep_worksheet(course, worksheet(tmp_path / "grades.csv"), LESSON)
    rows, remarks = filled(course)
    assert {name: row["Grade"] for name, row in rows.items()} == {"ann": "37.5", "bob": "0", "cem": "", "yan": ""}
    assert rows["ann"]["Identifier"] == "Participant 5000"
    assert rows["ann"]["Last modified (grade)"] == "-"
    assert any("2 grades in worksheet_01_numbers.csv, of 100." in remark and "dag" in remark for remark in remarks)


def test_the_instructors_comments_in_moodle_are_left_alone(course, tmp_path):
    moodle.keep_worksheet(course, worksheet(tmp_path / "grades.csv"), LESSON)
    rows, _ = filled(course)
    assert "Feedback comments" not in rows["ann"]


def test_who_handed_in_by_mail_is_found_in_the_worksheet(course, tmp_path, monkeypatch):
    monkeypatch.setitem(PEOPLE, "dag", "5004")
    moodle.keep_worksheet(course, worksheet(tmp_path / "grades.csv", most="8.00"), LESSON)
    rows, _ = filled(course)
    assert rows["dag"]["Grade"] == "2"


def test_a_scale_is_not_filled_with_numbers(course, tmp_path):
    moodle.keep_worksheet(course, worksheet(tmp_path / "grades.csv", most="-"), LESSON)
    rows, remarks = filled(course)
    assert {row["Grade"] for row in rows.values()} == {""}
    assert any("Maximum Grade is no number" in remark for remark in remarks)


def test_a_name_in_the_worksheet_is_no_formula(course, tmp_path):
    path = worksheet(tmp_path / "grades.csv")
    path.write_text(path.read_text().replace("Ann Example", "=1+1"))
    moodle.keep_worksheet(course, path, LESSON)
    rows, _ = filled(course)
    assert rows["ann"]["Full name"] == "'=1+1"


def test_a_worksheet_without_what_moodle_wants_back_says_so(course, tmp_path):
    path = worksheet(tmp_path / "grades.csv", heading=HEADING.replace("Last modified (grade)", "Changed"))
    moodle.keep_worksheet(course, path, LESSON)
    written, remarks = report.report(course, [LESSON])
    assert not any(path.name.startswith("worksheet") for path in written)
    assert any("no column Last modified (grade)" in remark for remark in remarks)


def test_without_a_worksheet_the_report_says_how_to_get_one(course):
    written, remarks = report.report(course, [LESSON])
    assert not any(path.name.startswith("worksheet") for path in written)
    assert any("no grading worksheet to fill in" in remark for remark in remarks)


def test_a_class_that_is_not_in_moodle_hears_nothing_of_worksheets(tmp_path):
    course = released_course(tmp_path)
    put_in(course, "dag", solved(course), {"check-1": 2}, waiting=())
    _, remarks = report.report(course, [LESSON])
    assert not any("worksheet" in remark for remark in remarks)


def test_collect_keeps_the_worksheet_of_the_lesson(tmp_path):
    (tmp_path / "course").mkdir()
    course = released_course(tmp_path / "course")
    with zipfile.ZipFile(tmp_path / "hand-ins.zip", "w") as archive:
        archive.write(course.notebook("release", LESSON), f"Ann Example_5000_assignsubmission_file/{LESSON}.ipynb")
    grades = worksheet(tmp_path / "grades.csv")
    main(["--course", str(course.root), "collect", str(tmp_path / "hand-ins.zip"), "--roster", str(grades)])
    assert (course.received / ".worksheets" / f"{LESSON}.csv").read_bytes() == grades.read_bytes()


def test_a_canvas_export_is_no_worksheet(course, tmp_path):
    (tmp_path / "canvas.csv").write_text("Student,ID,SIS User ID,SIS Login ID\nAnn Example,1,2,ann\n")
    moodle.keep_worksheet(course, tmp_path / "canvas.csv", LESSON)
    assert not (course.received / ".worksheets").exists()


def importers_view(name):
    """How Moodle takes a name in an uploaded zip apart (is_valid_filename_for_import): the participant, the plugin, the file's name."""
    folder, _, file = name.partition("/")
    _, number, kind, plugin, *rest = folder.split("_", 4)
    assert rest == [""]
    return number, f"{kind}_{plugin}", file


def test_feedback_pages_go_into_a_zip_that_moodle_takes(course, capsys):
    put_in(course, "bob", solved(course), received=origin("bob", name="Bo_b <b>/../Ex"), waiting=())
    assert main(["--course", str(course.root), "feedback", "1"]) == 0
    told = capsys.readouterr().out
    assert f"feedback/moodle_{LESSON}.zip: 3 pages" in told
    with zipfile.ZipFile(course.root / "feedback" / f"moodle_{LESSON}.zip") as archive:
        names = archive.namelist()
        assert [importers_view(name) for name in names] == [
            (number, "assignsubmission_file", f"{LESSON}.html") for number in ("5000", "5001", "5002")
        ]
        assert names[0] == f"Ann Example_5000_assignsubmission_file_/{LESSON}.html"
        page = course.root / "feedback" / "ann" / LESSON / f"{LESSON}.html"
        assert archive.read(names[0]) == page.read_bytes()


def test_the_page_of_a_hand_in_that_is_removed_is_not_in_the_zip_either(course):
    assert main(["--course", str(course.root), "feedback", "1"]) == 0
    assert main(["--course", str(course.root), "remove", "1", "--student", "bob"]) == 0
    with zipfile.ZipFile(course.root / "feedback" / f"moodle_{LESSON}.zip") as archive:
        assert [importers_view(name)[0] for name in archive.namelist()] == ["5000", "5002"]


def test_a_class_that_is_not_in_moodle_gets_no_zip(tmp_path):
    course = released_course(tmp_path)
    put_in(course, "dag", solved(course), waiting=())
    assert main(["--course", str(tmp_path), "feedback", "1"]) == 0
    assert list((tmp_path / "feedback").glob("*.zip")) == []


def test_feedback_says_how_many_answers_wait(course, capsys):
    put_in(course, "bob", solved(course), received=origin("bob"))
    main(["--course", str(course.root), "feedback", "1"])
    assert "2 answers of 2 hand-ins still to be graded by hand" in capsys.readouterr().out
    with course.gradebook() as gradebook:
        for student in ("bob", "cem"):
            for grade in gradebook.find_submission_notebook(LESSON, LESSON, student).grades:
                grade.needs_manual_grade = False
        gradebook.db.commit()
    main(["--course", str(course.root), "feedback", "1"])
    assert "by hand" not in capsys.readouterr().out
