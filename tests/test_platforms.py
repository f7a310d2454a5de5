"""Collecting what Moodle, Canvas and nbgrader's exchange hand over, under the ids that the instructor knows."""

import os
import shutil
import time
import zipfile
from datetime import UTC, datetime, timedelta

import nbformat
import pytest
from grading_course import cell_of, hand_in, read, released_course, solved

from autograder import intake
from autograder.cli import main
from autograder.course import Course, CourseError
from autograder.platforms import Label, Roster, fit_id, label, recognise, same_name
from autograder.release import release

LESSON = "01_numbers"


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return released_course(tmp_path_factory.mktemp("template"))


@pytest.fixture
def course(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "course")
    return Course(tmp_path / "course")


@pytest.fixture
def work(course):
    """A solved notebook, as bytes."""
    return nbformat.writes(solved(course)).encode()


def zip_of(path, files, when=(2020, 5, 4, 3, 2, 0)):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, when), data)
    return path


def unpack(path):
    """The zip as an instructor would unpack it, times and all."""
    folder = path.with_suffix("")
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            when = datetime(*info.date_time).timestamp()
            os.utime(archive.extract(info, folder), (when, when))
    return folder


def collect(course, source, lesson=None, at=None, roster=None):
    return {outcome.student: outcome for outcome in intake.collect(course, source, lesson, at, roster)}


def states(outcomes):
    return {student: outcome.state for student, outcome in outcomes.items()}


def utc(*when):
    return datetime(*when).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def writing(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    return tmp_path / name


# ---------------------------------------------------------------------------------------------------- what names say


@pytest.mark.parametrize(
    ("system", "name", "is_folder", "says"),
    [
        ("moodle", "Ada Lovelace_12345_assignsubmission_file", True, Label("moodle", "12345", "Ada Lovelace")),
        ("moodle", "Ada Lovelace_12345_assignsubmission_file_", True, Label("moodle", "12345", "Ada Lovelace")),
        ("moodle", "Ada Lovelace_12345_assignsubmission_onlinetext", True, Label("moodle", "12345", "Ada Lovelace")),
        ("moodle", "李 雷_7_assignsubmission_file_01_a b.ipynb", False, Label("moodle", "7", "李 雷", "01_a b.ipynb")),
        ("moodle", "_7_assignsubmission_file_x.ipynb", False, Label("moodle", "7", "", "x.ipynb")),
        (
            "moodle",
            "Eve_1_assignsubmission_file_A_2_assignsubmission_file_x",
            False,
            Label("moodle", "1", "Eve", "A_2_assignsubmission_file_x"),
        ),
        ("moodle", "Ada Lovelace_12345_assignsubmission_file", False, None),
        ("moodle", "Ada Lovelace_12345_assignsubmission_file_x.ipynb", True, None),
        ("moodle", "Ada Lovelace_12345", True, None),
        ("canvas", "lovelaceada_12345_67890_01_a-2.ipynb", False, Label("canvas", "12345", "lovelaceada", "01_a-2.ipynb")),
        ("canvas", "lovelaceada_LATE_12345_67890_x.ipynb", False, Label("canvas", "12345", "lovelaceada", "x.ipynb", late=True)),
        ("canvas", "van_der_bergada_1_2_x_3_4_y", False, Label("canvas", "1", "van_der_bergada", "x_3_4_y")),
        ("canvas", "anon_aB3x9_67890_x.ipynb", False, Label("canvas", "anon_aB3x9", "", "x.ipynb")),
        ("canvas", "LATE_anon_aB3x9_67890_x.ipynb", False, Label("canvas", "anon_aB3x9", "", "x.ipynb", late=True)),
        ("canvas", "lovelaceada_12345_text.html", False, Label("canvas", "12345", "lovelaceada", "text.html")),
        ("canvas", "lovelaceada_12345_67890_x.ipynb", True, None),
        ("canvas", "notes.txt", False, None),
        (
            "exchange",
            "ada+01_numbers+2026-03-01 23:59:00.000000 UTC+aB-_9",
            True,
            Label("exchange", "ada", lesson="01_numbers", time="2026-03-01 23:59:00.000000 UTC"),
        ),
        ("exchange", "a+b+01+2026-03-01 23:59:00 UTC+x", True, Label("exchange", "a+b", lesson="01", time="2026-03-01 23:59:00 UTC")),
        ("exchange", "ada+01+2026-03-01 23:59:00 UTC", True, Label("exchange", "ada", lesson="01", time="2026-03-01 23:59:00 UTC")),
        ("exchange", "ada+01", True, None),
        ("folder", "ada", True, Label("folder", "ada")),
        ("folder", "ada.ipynb", False, None),
    ],
)
def test_a_name_says_whose_it_is(system, name, is_folder, says):
    assert label(system, name, is_folder) == says


def test_the_system_is_the_one_that_explains_most_names():
    moodle, canvas = {"A B_1_assignsubmission_file": True}, {"ab_1_2_x.ipynb": False, "cd_3_4_y.ipynb": False}
    assert recognise(moodle) == "moodle"
    assert recognise(canvas) == "canvas"
    assert recognise({"ada": True, "bob": True, "ab_1_2_x.ipynb": False}) == "folder"
    assert recognise({"ada+01+2026-03-01 23:59:00 UTC": True, "readme": False}) == "exchange"
    assert recognise({"readme.txt": False}) == "folder"


@pytest.mark.parametrize(
    ("text", "made"), [("Ada Lovelace", "Ada Lovelace"), ("Zoe\u0308", "Zoë"), ("O’Neil/../x", "O-Neil-..-x"), ("../..", "")]
)
def test_a_name_becomes_an_id(text, made):
    assert fit_id(text) == made


def test_two_ways_of_writing_a_name():
    assert same_name("Lovelace, Ada", "lovelaceada")
    assert same_name("Zoë Müller", "Zoe Muller")
    assert not same_name("Ada Lovelace", "Adam Lovelace")


# ---------------------------------------------------------------------------------------------------- Moodle


def moodle(course, tmp_path, work):
    return zip_of(
        tmp_path / "moodle.zip",
        {
            "Ada Lovelace_101_assignsubmission_file/01_numbers.ipynb": work,
            "Ada Lovelace_101_assignsubmission_onlinetext/onlinetext.html": b"<p>hello</p>",
            "Zoë O’Neil_102_assignsubmission_file/homework/mine.ipynb": work,
        },
    )


def test_moodles_zip(course, tmp_path, work):
    outcomes = collect(course, moodle(course, tmp_path, work), LESSON)
    assert states(outcomes) == {"Ada Lovelace": "collected", "Zoë O-Neil": "collected"}
    ada = outcomes["Ada Lovelace"].record
    assert ada["from"] == {"system": "moodle", "id": "101", "name": "Ada Lovelace", "time": "zip"}
    assert (ada["chosen"], ada["handed_in"]) == ("01_numbers.ipynb", utc(2020, 5, 4, 3, 2))
    assert [file["name"] for file in ada["files"]] == ["01_numbers.ipynb", "onlinetext.html"]
    kept = course.received / "Ada Lovelace" / LESSON / ada["kept"] / "01_numbers.ipynb"
    assert kept.read_bytes() == work
    assert outcomes["Zoë O-Neil"].record["chosen"] == "homework/mine.ipynb"
    assert "return 2 * x" in cell_of(read(course.notebook("submitted", LESSON, "Zoë O-Neil")), "ex-1").source


def test_moodles_zip_unpacked_is_the_same(course, tmp_path, work):
    path = moodle(course, tmp_path, work)
    collect(course, path)
    assert states(collect(course, unpack(path))) == {"Ada Lovelace": "unsorted", "Zoë O-Neil": "unchanged"}  # the text, of no lesson
    folder = unpack(path).rename(tmp_path / "again")
    assert states(collect(course, zipped(folder, tmp_path / "wrapped.zip")))["Zoë O-Neil"] == "unchanged"


def zipped(folder, path):
    """A folder packed once more, with itself on top."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder.parent))
    return path


def test_moodles_zip_without_folders(course, tmp_path, work):
    prefix = "Eve_7_assignsubmission_file_"
    path = zip_of(tmp_path / "x.zip", {f"{prefix}Ada_8_assignsubmission_file_{LESSON}.ipynb": work, f"{prefix}notes.txt": b"hi"})
    outcomes = collect(course, path, LESSON)
    assert list(outcomes) == ["Eve"]  # whatever she calls her file
    assert outcomes["Eve"].record["chosen"] == f"Ada_8_assignsubmission_file_{LESSON}.ipynb"
    assert len(outcomes["Eve"].record["files"]) == 2


def test_namesakes_are_told_apart(course, tmp_path, work):
    path = zip_of(tmp_path / "x.zip", {f"Ada Lovelace_{number}_assignsubmission_file/a.ipynb": work for number in (1, 2)})
    assert states(collect(course, path)) == {"Ada Lovelace (1)": "collected", "Ada Lovelace (2)": "collected"}


def test_a_namesake_that_comes_later_is_not_taken_for_the_first(course, tmp_path, work):
    collect(course, zip_of(tmp_path / "x.zip", {"Ada Lovelace_1_assignsubmission_file/a.ipynb": work}))
    outcome = collect(course, zip_of(tmp_path / "y.zip", {"Ada Lovelace_2_assignsubmission_file/a.ipynb": work + b" "}))["Ada Lovelace"]
    assert outcome.state == "refused"
    assert "participant 1, this one of 2: two students?" in outcome.notes[-1]
    assert len(intake.records(course, "Ada Lovelace", LESSON)) == 1


def test_the_number_may_differ_from_lesson_to_lesson(course, tmp_path, work):
    words = nbformat.writes(solved(course, "02_words")).encode()
    for number, data in ((1, work), (2, words)):
        path = zip_of(tmp_path / f"{number}.zip", {f"Ada_{number}_assignsubmission_file/a.ipynb": data})
        assert states(collect(course, path)) == {"Ada": "collected"}


def test_without_a_name_the_number_is_the_name(course, tmp_path, work):
    path = zip_of(tmp_path / "x.zip", {"_5_assignsubmission_file/a.ipynb": work, "¡¿!_6_assignsubmission_file/a.ipynb": work})
    assert states(collect(course, path)) == {"Participant (5)": "collected", "Participant (6)": "collected"}


# ---------------------------------------------------------------------------------------------------- Canvas


def test_canvas_zip(course, tmp_path, work):
    files = {
        "lovelaceada_1001_9001_01_numbers-2.ipynb": work,
        "lovelaceada_1001_9002_notes.txt": b"hi",
        "bergbob_LATE_1002_9003_homework.ipynb": work,
        "LATE_anon_x9Y_9004_homework.ipynb": work,
        "corbettcy_1003_text.html": b"<p>typed</p>",
    }
    path = zip_of(tmp_path / "x.zip", files)
    outcomes = collect(course, path)
    assert states(outcomes) == {"1001": "unsorted", "1002": "collected", "1003": "unsorted", "anon_x9Y": "collected"}
    ada = intake.latest(course, "1001", LESSON)
    assert ada["from"] == {"system": "canvas", "id": "1001", "name": "lovelaceada", "late": False, "time": "zip"}
    assert (ada["chosen"], ada["handed_in"]) == ("01_numbers-2.ipynb", utc(2020, 5, 4, 3, 2))
    assert outcomes["1002"].record["from"]["late"]
    assert states(collect(course, unpack(path))) == {"1001": "unsorted", "1002": "unchanged", "1003": "unsorted", "anon_x9Y": "unchanged"}


def test_what_canvas_does_not_call_late_is_in_time(course, tmp_path, work):
    """The zip's times are when it was made: after the lesson was due, as a rule."""
    due = datetime(2020, 5, 1, 12, 0, tzinfo=UTC)
    release(course, [LESSON], due)
    outcomes = collect(course, zip_of(tmp_path / "x.zip", {"ada_1_10_a.ipynb": work, "bob_LATE_2_11_a.ipynb": work}))
    assert outcomes["1"].record["handed_in"] == "2020-05-01T12:00:00Z"
    assert outcomes["2"].record["handed_in"] == utc(2020, 5, 4, 3, 2)
    again = zip_of(tmp_path / "y.zip", {"ada_1_10_a.ipynb": work}, when=(2020, 6, 1, 0, 0, 0))
    assert states(collect(course, again)) == {"1": "unchanged"}


def test_a_strange_file_among_canvas_is_told(course, tmp_path, work):
    path = zip_of(tmp_path / "x.zip", {"ada_1_10_a.ipynb": work, "readme.txt": b"", "a/b.ipynb": work})
    outcomes = collect(course, path)
    assert outcomes["readme.txt"].notes == ["its name is none that Canvas gives: left out"]
    assert outcomes["a"].state == "refused"


# ---------------------------------------------------------------------------------------------------- nbgrader's exchange


@pytest.fixture
def exchange(course, tmp_path):
    """The root of an exchange in which two students have handed in, one of them twice."""
    first, second = "2020-05-04 03:02:01.123456 UTC", "2020-05-05 03:02:01.123456 UTC"
    inbound = tmp_path / "exchange" / course.config.CourseDirectory.course_id / "inbound"
    (inbound.parent / "outbound").mkdir(parents=True)
    for student, when, notebook in [
        ("ada", first, read(course.notebook("release", LESSON))),
        ("ada", second, solved(course)),
        ("bob", first, solved(course)),
    ]:
        folder = f"{student}+{LESSON}+{when}+aB-_"
        hand_in(inbound, folder, notebook)
        hand_in(inbound, folder, when.encode(), "timestamp.txt")
    return tmp_path / "exchange"


@pytest.mark.parametrize("below", [".", "learning-to-see", "learning-to-see/inbound"])
def test_the_exchange_wherever_one_points(course, exchange, below):
    outcomes = list(intake.collect(course, exchange / below))
    assert [(one.student, one.lesson, one.state) for one in outcomes] == [(name, LESSON, "collected") for name in ("ada", "ada", "bob")]
    assert outcomes[1].notes == ["it replaces the hand-in of 2020-05-04T03:02:01Z, which is kept"]
    ada = intake.latest(course, "ada", LESSON)
    assert ada["handed_in"] == "2020-05-05T03:02:01Z"
    assert ada["from"] == {"system": "exchange", "id": "ada", "time": "exchange"}
    assert [file["name"] for file in ada["files"]] == [f"{LESSON}.ipynb"]
    assert "return 2 * x" in cell_of(read(course.notebook("submitted", LESSON, "ada")), "ex-1").source
    stamp = (course.folder("submitted") / "ada" / LESSON / "timestamp.txt").read_text()
    assert stamp == "2020-05-05 03:02:01.000000 UTC\n"


def test_collecting_from_the_exchange_again_changes_nothing(course, exchange):
    list(intake.collect(course, exchange))
    before = {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()}
    assert {one.state for one in intake.collect(course, exchange)} == {"unchanged"}
    assert {path: path.read_bytes() for path in course.root.rglob("*") if path.is_file()} == before


def test_only_the_lesson_that_is_asked_for(course, exchange):
    outcomes = collect(course, exchange, "02_words")
    assert states(outcomes) == {"ada": "skipped", "bob": "skipped"}
    assert outcomes["bob"].notes == ["only hand-ins for 02_words were asked for"]
    assert not course.received.exists()


def test_what_the_exchange_says_twice_must_agree(course, exchange):
    folder = next(exchange.rglob("bob+*"))
    (folder / "timestamp.txt").write_text("2020-05-01 00:00:00 UTC")
    record = collect(course, exchange)["bob"].record
    assert record["notes"] == ["timestamp.txt says 2020-05-01 00:00:00 UTC, the folder's name 2020-05-04 03:02:01: ask why"]
    (folder / "timestamp.txt").write_text("yesterday")
    assert collect(course, exchange)["bob"].record["handed_in"] == "2020-05-04T03:02:01Z"


def test_an_unknown_lesson_of_the_exchange(course, exchange):
    folder = next(exchange.rglob("bob+*"))
    folder.rename(folder.with_name(folder.name.replace(LESSON, "ps1")))
    outcome = collect(course, exchange)["bob"]
    assert (outcome.lesson, outcome.state, outcome.notes) == ("ps1", "refused", ["no lesson of this name is released"])


def test_a_folder_in_anothers_name_is_told_unless_it_is_a_copy(course, exchange, monkeypatch):
    owner = next(exchange.rglob("bob+*")).owner()
    assert collect(course, exchange)["bob"].record["notes"] == []
    for folder in (course.received, course.folder("submitted")):
        shutil.rmtree(folder)
    monkeypatch.setattr(os, "getuid", lambda: -1)  # now somebody else collects
    notes = collect(course, exchange)["bob"].record["notes"]
    assert notes == [f"handed in as bob, but the folder belongs to {owner}: ask both"]


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(course, tmp_path):
    """In an exchange a student may still change a folder while it is collected."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/x.ipynb").write_text("secret")
    path = hand_in(tmp_path / "in", "ada", b"mine", "sub/x.ipynb")
    files, _ = intake.find_files(tmp_path / "in/ada")
    assert intake.read_bounded(files[0].path, files[0].top) == b"mine"
    path.unlink()
    path.parent.rmdir()
    path.parent.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        intake.read_bounded(files[0].path, files[0].top)


# ---------------------------------------------------------------------------------------------------- rosters

WORKSHEET = """\
Identifier,"Full name","ID number","Email address",Status,Grade,"Maximum grade","Grade can be changed","Last modified (submission)",\
"Last modified (grade)","Feedback comments"
"Participant 101","Ada Lovelace",s-ada,ada@uni.example,"Submitted for grading",,8.00,Yes,"Sunday, 3 May 2020, 11:15 PM",-,
"Participant 102","Zoë O’Neil",,zoe@uni.example,"Submitted for grading",,8.00,Yes,-,-,
"Participant 103","Bob Berg",,,"No submission",,8.00,Yes,-,-,
"""
GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,01 Numbers (77)
    Points Possible,,,,,8.00
"Lovelace, Ada",1001,s-ada,alove,"Class 1",
"Berg, Bob",1002,,bberg,"Class 1",
"Corbett, Cy",1003,,,"Class 2",
"""


def test_moodles_worksheet_gives_ids_and_times(course, tmp_path, work):
    roster = writing(tmp_path, "grades.csv", WORKSHEET)
    outcomes = collect(course, moodle(course, tmp_path, work), LESSON, roster=roster)
    assert states(outcomes) == {"s-ada": "collected", "zoe@uni.example": "collected", "Bob Berg": "missing"}
    ada, zoe = (outcomes[name].record for name in ("s-ada", "zoe@uni.example"))
    columns = {"Identifier": "Participant 101", "Full name": "Ada Lovelace", "ID number": "s-ada", "Email address": "ada@uni.example"}
    assert ada["from"] == {"system": "moodle", "id": "101", "name": "Ada Lovelace", "columns": columns, "time": "platform"}
    assert ada["handed_in"] == utc(2020, 5, 3, 23, 15)
    assert (zoe["from"]["time"], zoe["handed_in"]) == ("zip", utc(2020, 5, 4, 3, 2))


def test_canvas_gradebook_gives_ids(course, tmp_path, work):
    roster = writing(tmp_path, "grades.csv", GRADEBOOK)
    names = ["lovelaceada_1001_1_a.ipynb", "bergbob_1002_2_a.ipynb", "corbettcy_1003_3_a.ipynb", "newned_1004_4_a.ipynb", "eve_1002_5_b"]
    outcomes = collect(course, zip_of(tmp_path / "x.zip", dict.fromkeys(names, work)), LESSON, roster=roster)
    assert states(outcomes) == dict.fromkeys(("s-ada", "bberg", "1003", "1004"), "collected")
    columns = {"Student": "Lovelace, Ada", "ID": "1001", "SIS User ID": "s-ada", "SIS Login ID": "alove", "Section": "Class 1"}
    assert outcomes["s-ada"].record["from"]["columns"] == columns
    assert outcomes["s-ada"].record["notes"] == []
    assert outcomes["1004"].record["notes"] == ["not in the roster"]


SHEET = """\
Identifier,"Full name","ID number","Email address",Status,"Last modified (submission)"
"Participant 5000","Ada Example",s1000,ada@example.org,"Submitted for grading","Sunday, 3 May 2020, 11:15 PM"
"Participant 5001","Ben Example",s1001,ben@example.org,"Submitted for grading","Sunday, 3 May 2020, 11:15 PM"
"Participant 5002","Cy Example",s1002,cy@example.org,"No submission",-
"Participant 5003","Finn Example",s1003,finn@example.org,"Submitted for grading","Sunday, 3 May 2020, 11:15 PM"
"""


def sheet(tmp_path, *changes, text=SHEET):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return writing(tmp_path, "sheet.csv", text)


def moodles(tmp_path, work, *names, **options):
    files = {f"{name}_assignsubmission_file/a.ipynb": work for name in names}
    return zip_of(tmp_path / "moodles.zip", files, **{"when": (2020, 5, 3, 23, 15, 0)} | options)


def everything(course):
    """All files of a course and what the gradebook knows of students."""
    with course.gradebook() as gradebook:
        students = sorted((one.id, one.first_name, one.last_name, one.email, one.lms_user_id) for one in gradebook.students)
    return {str(path) for path in course.root.rglob("*")}, students


def test_the_worksheet_of_another_assignment_is_refused_before_anything_is_written(course, tmp_path, work):
    """Its numbers are other people: Participant 5000 is Ada there."""
    before = everything(course)
    said = "Ben Example_5000: in the worksheet Participant 5000 is Ada Example. .*Is it the worksheet of another assignment"
    with pytest.raises(CourseError, match=said):
        collect(course, moodles(tmp_path, work, "Ben Example_5000", "Ben Example_5001"), LESSON, roster=sheet(tmp_path))
    assert everything(course) == before


def test_a_worksheet_without_anybody_who_handed_in_is_refused(course, tmp_path, work):
    with pytest.raises(CourseError, match="Nobody of those who handed in is in the roster"):
        collect(course, moodles(tmp_path, work, "Ada Example_70", "Ben Example_71"), LESSON, roster=sheet(tmp_path))


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Zoë O’Neil", "Zoe\u0308  O'Neil"),
        ("ZOE ONEIL", "Zoë O’Neil"),
        ("Jorg Muller", "Jörg Müller"),
        ("Joerg Mueller", "Jörg Müller"),
        ("J?rg M\ufffdller", "Jörg Müller"),
        ("JÃ¶rg MÃ¼ller", "Jörg Müller"),
        ("J├╢rg M├╝ller", "Jörg Müller"),
        ("??", "李雷"),
        ("Lovelace Ada", "Ada Lovelace"),
        ("Group 1-Ada Lovelace", "Ada Lovelace"),
        ("Participant", "Ada Lovelace"),
        ("Participant 5000", "Ada Lovelace"),
    ],
)
def test_a_name_that_was_written_otherwise_on_the_way_is_the_same(course, tmp_path, work, folder, name):
    roster = sheet(tmp_path, ("Ada Example", name))
    assert states(collect(course, moodles(tmp_path, work, f"{folder}_5000"), LESSON, roster=roster))["s1000"] == "collected"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("王芳", "李雷"), ("Zoë Berg", "Zoe Burg"), ("B?n Example", "Ada Example"), ("?", "Ada Lovelace"), ("Ada-Lena", "Ada")],
)
def test_a_name_that_merely_looks_alike_is_another(course, tmp_path, work, folder, name):
    with pytest.raises(CourseError, match="Is it the worksheet of another assignment"):
        collect(course, moodles(tmp_path, work, f"{folder}_5000"), LESSON, roster=sheet(tmp_path, ("Ada Example", name)))


def test_a_name_made_to_be_slow_to_compare_is_not(tmp_path):
    began = time.monotonic()
    assert not same_name("a?" * 120 + "c", "a" * 240 + "b")
    assert time.monotonic() - began < 1


def test_blind_marking_has_the_same_name_for_all_in_any_language(course, tmp_path, work):
    names = [f"Teilnehmer-in_{number}" for number in (5000, 5001)]
    assert states(collect(course, moodles(tmp_path, work, *names), LESSON, roster=sheet(tmp_path))) == {
        "s1000": "collected",
        "s1001": "collected",
        "s1002": "missing",
        "s1003": "no file",
    }


def test_the_roster_of_another_platform_is_refused(course, tmp_path, work):
    with pytest.raises(CourseError, match="The hand-ins come from Moodle, the roster from Canvas"):
        collect(course, moodles(tmp_path, work, "Ada Example_1001"), LESSON, roster=writing(tmp_path, "x.csv", GRADEBOOK))


def test_the_roster_of_another_canvas_is_refused(course, tmp_path, work):
    """One name may have changed, but not most of them."""
    path = zip_of(tmp_path / "x.zip", dict.fromkeys(["evil_1001_1_a.ipynb", "worse_1002_2_a.ipynb", "corbettcy_1003_3_a.ipynb"], work))
    with pytest.raises(CourseError, match="2 of 3 names differ, such as worse_1002, who is Berg, Bob in the roster"):
        collect(course, path, LESSON, roster=writing(tmp_path, "x.csv", GRADEBOOK))
    assert not course.received.exists()


# ---------------------------------------------------------------------------------------------------- one id, one person


def second_lesson(tmp_path, course, *changes):
    """The next assignment: other numbers of participants, and whatever else has changed."""
    words = nbformat.writes(solved(course, "02_words")).encode()
    renumbered = SHEET.replace("Participant 5", "Participant 6")
    name = next((new for old, new in changes if old == "Ada Example"), "Ada Example")
    return moodles(tmp_path, words, f"{name}_6000"), sheet(tmp_path, *changes, text=renumbered)


@pytest.mark.parametrize("gradebook_is_lost", [False, True])
def test_an_id_that_is_suddenly_somebody_elses_is_refused(course, tmp_path, work, gradebook_is_lost):
    collect(course, moodles(tmp_path, work, "Ada Example_5000"), LESSON, roster=sheet(tmp_path))
    if gradebook_is_lost:
        (course.root / "gradebook.db").unlink()
    changes = ("Ada Example", "Dora Berg"), ("ada@example.org", "dora@example.org")
    path, roster = second_lesson(tmp_path, course, *changes)
    said = r"s1000 is Ada Example \(ada@example.org\) so far; this worksheet says Dora Berg \(dora@example.org\)"
    with pytest.raises(CourseError, match=said):
        collect(course, path, "02_words", roster=roster)
    assert intake.records(course, "s1000", "02_words") == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("Ada Example", "Ada Berg"), ["s1000 was Ada Example (ada@example.org) so far, and is Ada Berg (ada@example.org) now"]),
        (("ada@", "a.example@"), ["s1000 was Ada Example (ada@example.org) so far, and is Ada Example (a.example@example.org) now"]),
        (("Ada Example", "Áda  example"), []),
    ],
)
def test_a_new_name_or_a_new_address_alone_is_told_once(course, tmp_path, work, change, says):
    collect(course, moodles(tmp_path, work, "Ada Example_5000"), LESSON, roster=sheet(tmp_path))
    path, roster = second_lesson(tmp_path, course, change)
    assert collect(course, path, "02_words", roster=roster)["s1000"].notes == says
    assert collect(course, path, "02_words", roster=roster)["s1000"].notes == []


# ---------------------------------------------------------------------------------------------------- an old worksheet

NEWER = "the file is newer than the worksheet's time: download the worksheet again"


def timed(tmp_path, times, data):
    """Moodle's zip with each hand-in at a time of its own."""
    with zipfile.ZipFile(tmp_path / "timed.zip", "w") as archive:
        for name, when in times.items():
            archive.writestr(zipfile.ZipInfo(f"{name}_assignsubmission_file/a.ipynb", when), data)
    return tmp_path / "timed.zip"


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ((2020, 5, 3, 23, 15, 0), []),
        ((2020, 5, 3, 23, 17, 0), []),
        ((2020, 5, 1, 10, 0, 0), []),
        ((2020, 5, 4, 1, 16, 0), []),
        ((2020, 5, 4, 4, 44, 0), []),
        ((2020, 5, 4, 13, 15, 0), []),
        ((2020, 5, 3, 23, 30, 0), [NEWER]),
        ((2020, 5, 4, 14, 15, 0), [NEWER]),
        ((2020, 6, 4, 23, 15, 0), [NEWER]),
    ],
)
@pytest.mark.parametrize("unpacked", [False, True])
def test_a_file_newer_than_the_worksheet_is_told_unless_the_zone_explains_it(course, tmp_path, work, when, says, unpacked):
    path = timed(tmp_path, {"Ada Example_5000": when, "Ben Example_5001": (2020, 1, 1, 12, 0, 0)}, work)
    outcomes = collect(course, unpack(path) if unpacked else path, LESSON, roster=sheet(tmp_path))
    assert (outcomes["s1000"].notes, outcomes["s1001"].notes) == (says, [])
    assert outcomes["s1000"].record["handed_in"] == utc(2020, 5, 3, 23, 15)


def test_times_that_are_all_those_of_the_download_say_nothing(course, tmp_path, work):
    names = ("Ada Example_5000", "Ben Example_5001")
    outcomes = collect(course, moodles(tmp_path, work, *names, when=(2021, 1, 1, 10, 10, 0)), LESSON, roster=sheet(tmp_path))
    assert [outcomes[name].notes for name in ("s1000", "s1001")] == [[], []]


def test_another_file_under_the_same_time_of_the_worksheet_is_told(course, tmp_path, work, capsys):
    collect(course, moodles(tmp_path, work, "Ada Example_5000", "Ben Example_5001"), LESSON, roster=sheet(tmp_path))
    path = zip_of(
        tmp_path / "later.zip",
        {"Ada Example_5000_assignsubmission_file/a.ipynb": work + b" ", "Ben Example_5001_assignsubmission_file/a.ipynb": work},
    )
    main(["--course", str(course.root), "collect", str(path), "--lesson", "1", "--roster", str(sheet(tmp_path))])
    said = capsys.readouterr().out
    assert said.count(f"    {NEWER}") == 1
    assert "1 of them: the file is newer than the time in the worksheet" in said
    later = sheet(tmp_path, ('"Sunday, 3 May 2020, 11:15 PM"\n"Participant 5001"', '"Sunday, 3 May 2020, 11:45 PM"\n"Participant 5001"'))
    outcome = collect(course, path, LESSON, roster=later)["s1000"]
    assert (outcome.state, outcome.record["handed_in"]) == ("collected", utc(2020, 5, 3, 23, 45))
    assert NEWER not in outcome.notes


def test_the_help_says_how_moodles_times_are_read(capsys):
    with pytest.raises(SystemExit):
        main(["collect", "--help"])
    assert "TZ=Europe/Berlin make collect" in capsys.readouterr().out


# ---------------------------------------------------------------------------------------------------- everybody in the roster


def test_an_empty_hand_in_is_listed_and_everybody_is_counted(course, tmp_path, work, capsys):
    path = moodles(tmp_path, work, "Ada Example_5000", "Ben Example_5001")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("Finn Example_5003_assignsubmission_file/homework/", b"")
    assert main(["--course", str(course.root), "collect", str(path), "--lesson", "1", "--roster", str(sheet(tmp_path))]) == 1
    lines = capsys.readouterr().out.splitlines()
    finn = next(number for number, line in enumerate(lines) if line.startswith("s1003"))
    assert lines[finn].split() == ["s1003", LESSON, "no", "file"]
    assert lines[finn + 1] == "    handed in, says the worksheet, but there is no file"
    assert lines[-1] == "4 in the worksheet: 2 collected, 1 without a file, 1 has not handed in."


def test_without_a_roster_too_an_empty_folder_of_a_zip_is_told(course, tmp_path, work):
    path = moodles(tmp_path, work, "Ada Example_5000")
    with zipfile.ZipFile(path, "a") as archive:
        for name in ("Finn Example_5003_assignsubmission_file/", "../x/", "__MACOSX/"):
            archive.writestr(name, b"")
    outcomes = collect(course, path, LESSON)
    assert states(outcomes) == {"Ada Example": "collected", "Finn Example": "refused"}
    assert outcomes["Finn Example"].notes == ["there is no file in it"]


def test_who_is_not_in_the_zip_but_was_collected_before_is_counted_so(course, tmp_path, work):
    collect(course, moodles(tmp_path, work, "Ada Example_5000"), LESSON, roster=sheet(tmp_path))
    outcomes = collect(course, moodles(tmp_path, work, "Ben Example_5001"), roster=sheet(tmp_path))
    assert states(outcomes) == {"s1000": "before", "s1001": "collected", "s1002": "missing", "s1003": "no file"}


def test_a_roster_makes_the_class_list_of_the_gradebook(course, tmp_path, work, capsys):
    roster = sheet(tmp_path, ("s1002,cy@example.org", ",cy@example.org"), ("ben@example.org", ""), ("Ben Example", "=Ben <b>"))
    outcomes = collect(course, moodles(tmp_path, work, "Ada Example_5000"), LESSON, roster=roster)
    assert everything(course)[1] == [
        ("s1000", "Ada", "Example", "ada@example.org", "s1000"),
        ("s1001", "=Ben", "<b>", None, "s1001"),
        ("s1003", "Finn", "Example", "finn@example.org", "s1003"),
    ]
    assert outcomes["cy@example.org"].notes == ["no id in the roster: not entered into the gradebook"]  # staff, perhaps
    main(["--course", str(course.root), "status", "1", "--students"])
    assert "    missing: s1001, s1003" in capsys.readouterr().out


def test_where_nobody_has_an_id_number_addresses_are_ids(course, tmp_path, work):
    roster = sheet(tmp_path, *((f",s100{number},", ",,") for number in range(4)))
    collect(course, moodles(tmp_path, work, "Ada Example_5000"), LESSON, roster=roster)
    assert [student[0] for student in everything(course)[1]] == [f"{name}@example.org" for name in ("ada", "ben", "cy", "finn")]


def test_of_canvas_too_and_its_test_student_is_nobody(course, tmp_path, work):
    roster = writing(tmp_path, "x.csv", GRADEBOOK + '"Student, Test",1009,,abc123,"Class 1",\n')
    outcomes = collect(course, zip_of(tmp_path / "x.zip", {"lovelaceada_1001_1_a.ipynb": work}), LESSON, roster=roster)
    assert [student[:3] + student[4:] for student in everything(course)[1]] == [
        ("1003", "Cy", "Corbett", "1003"),
        ("bberg", "Bob", "Berg", "1002"),
        ("s-ada", "Ada", "Lovelace", "1001"),
    ]
    assert outcomes["abc123"].notes == ["Canvas's test student: not entered into the gradebook"]


def test_what_somebody_has_written_into_the_gradebook_stays(course, tmp_path, work):
    with course.gradebook() as gradebook:
        gradebook.add_student("s1000", first_name="Ada Maria", last_name="Example")
        gradebook.add_student("s1001", first_name="BEN", last_name="Example", email="ben@example.org")
    collect(course, moodles(tmp_path, work, "Ben Example_5001"), LESSON, roster=sheet(tmp_path, ("Ada Example", "Ada Maria  Example")))
    assert everything(course)[1][:2] == [
        ("s1000", "Ada Maria", "Example", "ada@example.org", "s1000"),
        ("s1001", "BEN", "Example", "ben@example.org", "s1001"),
    ]


def test_a_name_that_the_roster_does_not_know_under_that_number_is_told(course, tmp_path, work):
    roster = writing(tmp_path, "grades.csv", GRADEBOOK)
    outcomes = collect(course, zip_of(tmp_path / "x.zip", {"evil_1001_5_a.ipynb": work}), LESSON, roster=roster)
    assert outcomes["s-ada"].record["notes"] == ["the roster calls 1001 Lovelace, Ada, the file's name says evil"]


def test_a_roster_tells_of_plain_folders_what_grades_need(course, tmp_path, work):
    hand_in(tmp_path / "in", "s-ada", work)
    hand_in(tmp_path / "in", "nobody", work)
    collect(course, tmp_path / "in")
    assert "columns" not in intake.latest(course, "s-ada", LESSON)["from"]
    outcomes = collect(course, tmp_path / "in", roster=writing(tmp_path, "grades.csv", GRADEBOOK))
    assert states(outcomes) == {"nobody": "unchanged", "s-ada": "unchanged", "bberg": "missing", "1003": "missing"}
    origin = intake.latest(course, "s-ada", LESSON)["from"]
    assert (origin["system"], origin["id"], origin["name"], origin["columns"]["Section"]) == ("canvas", "1001", "Lovelace, Ada", "Class 1")


def test_worksheets_of_anonymous_classes_have_no_names(tmp_path):
    roster = Roster(writing(tmp_path, "a.csv", "Identifier,Status,Grade\nParticipant 7,Submitted,\nParticipant 8,,\n"))
    person = roster.find(Label("moodle", "7"))
    assert (person.number, person.student, person.name, person.columns) == ("7", "", "", {"Identifier": "Participant 7"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "is no roster"),
        ("", "is no roster"),
        (GRADEBOOK + '"Lovelace, A",1009,s-ada,,\n', "has s-ada twice"),
        (GRADEBOOK + '"Lovelace, A",1001,s-x,,\n', "has s-x twice"),
        ('Identifier,"Full name"\n"' + "x" * 200_000, "is no CSV"),
    ],
)
def test_a_file_that_is_no_roster_is_refused(tmp_path, text, words):
    with pytest.raises(CourseError, match=words):
        Roster(writing(tmp_path, "x.csv", text))


def test_a_roster_that_cannot_be_read(tmp_path):
    with pytest.raises(CourseError, match="cannot be opened"):
        Roster(tmp_path / "nowhere.csv")
    (tmp_path / "x.csv").write_bytes(b"Identifier\xff,x\n")
    with pytest.raises(CourseError, match="is no CSV in UTF-8"):
        Roster(tmp_path / "x.csv")


# ---------------------------------------------------------------------------------------------------- hostile zips, to the end


def test_a_zip_of_plain_folders(course, tmp_path, work):
    assert states(collect(course, zip_of(tmp_path / "x.zip", {"ada/a.ipynb": work, "bob/b.ipynb": work}))) == {
        "ada": "collected",
        "bob": "collected",
    }


@pytest.mark.parametrize(
    ("names", "students"),
    [
        (["all/ada/a.ipynb", "all/bob/b.ipynb"], ["ada", "bob"]),
        (["ada/a.ipynb"], ["ada"]),
        (["ada/home/a.ipynb"], ["ada"]),
        (["ada/01_numbers/a.ipynb", "ada/02_words/b.ipynb"], ["ada"]),
        (["ada/a.ipynb", "ada/old/a.ipynb", "ada/older/a.ipynb"], ["ada"]),
        (["all/a_1_2_x.ipynb"], ["1"]),
    ],
)
def test_a_zip_of_a_folder_with_itself_on_top(course, tmp_path, work, names, students):
    path = zip_of(tmp_path / "x.zip", dict.fromkeys(names, work))
    assert states(collect(course, path)) == dict.fromkeys(students, "collected")


def test_a_zip_of_lessons_is_not_one_of_students(course, tmp_path, work):
    with pytest.raises(CourseError, match="named like lessons"):
        collect(course, zip_of(tmp_path / "x.zip", {f"{LESSON}/a.ipynb": work}))


def test_of_a_plain_zip_too_all_that_is_left_out_is_told(course, tmp_path, work):
    outcomes = list(intake.collect(course, zip_of(tmp_path / "x.zip", {"ada/a.ipynb": work, "../b.ipynb": work, "x*y/c.ipynb": work})))
    assert sorted((one.student, one.state, one.notes[:1]) for one in outcomes) == [
        ("..", "refused", ["../b.ipynb: its path leads out of its folder; left out"]),
        ("ada", "collected", []),
        ("x*y", "refused", ["a folder's name is the student's id: letters, digits and . _ @ + = ~ , ' ( ) - only; rename it"]),
    ]


def test_nothing_of_a_hostile_zip_is_written_outside_and_all_of_it_is_told(course, tmp_path, work):
    prefix = "Eve_1_assignsubmission_file/"
    files = {
        f"{prefix}01_numbers.ipynb": work,
        f"{prefix}../../../evil.ipynb": work,
        f"{prefix}a\\b.ipynb": work,
        f"{prefix}inner.zip": b"PK\5\6" + b"\0" * 18,
        f"{prefix}.secret": b"",
        "/tmp/evil.ipynb": work,
        "../evil.ipynb": work,
        "evil.ipynb": work,
        "Bob_2_assignsubmission_file/../Eve_1_assignsubmission_file/x.ipynb": work,
    }
    path = zip_of(tmp_path / "x.zip", files)
    before = set(tmp_path.rglob("*"))
    outcomes = list(intake.collect(course, path, LESSON))
    new = set(tmp_path.rglob("*")) - before
    assert all(file.is_relative_to(course.received) or file.is_relative_to(course.folder("submitted")) for file in new)
    eve, bob = (next(one for one in outcomes if one.student == name) for name in ("Eve", "Bob"))
    assert eve.state == "collected"
    assert eve.record["notes"] == [
        f"{prefix}../../../evil.ipynb: its path leads out of its folder; left out",
        f"{prefix}a\\b.ipynb: its name holds a backslash; left out",
        ".secret is hidden: left out",
    ]
    assert bob.state == "refused"
    assert "its path leads out of its folder" in bob.notes[0]
    assert sorted(one.notes[0] for one in outcomes if one not in (eve, bob)) == [
        "../evil.ipynb: its path leads out of its folder; left out",
        "/tmp/evil.ipynb: its path is absolute; left out",
        "its name is none that Moodle gives: left out",
    ]


def test_a_zip_within_is_kept_and_not_opened(course, tmp_path, work):
    inner = zip_of(tmp_path / "inner.zip", {f"{LESSON}.ipynb": work}).read_bytes()
    outcome = collect(course, zip_of(tmp_path / "x.zip", {"Ada_1_assignsubmission_file/work.zip": inner}))["Ada"]
    assert outcome.state == "unsorted"
    assert "work.zip was not opened: unpack it yourself, into a folder with this student's id, and collect that" in outcome.notes[0]
    assert [kept.read_bytes() for kept in (course.received / "Ada").rglob("work.zip")] == [inner]


def test_a_notebook_with_no_name_but_its_ending_counts(course, tmp_path, work):
    assert states(collect(course, zip_of(tmp_path / "x.zip", {"ada_1_2_.ipynb": work}))) == {"1": "collected"}


def test_the_times_of_a_zip_are_told_to_be_no_more_than_that(course, tmp_path, work, capsys):
    words = ["--course", str(course.root), "collect", str(moodle(course, tmp_path, work)), "--lesson", "1"]
    assert main(words) == 0
    assert "The times above are those of the zip" in capsys.readouterr().out
    assert main([*words, "--at", "2020-01-01 10:00"]) == 0
    assert "The times above" not in capsys.readouterr().out


def test_what_is_no_zip_says_so_at_the_command_line(course, tmp_path, capsys):
    (tmp_path / "x.zip").write_text("no zip")
    assert main(["--course", str(course.root), "collect", str(tmp_path / "x.zip")]) == 2
    assert "cannot be read as a zip" in capsys.readouterr().err


def test_an_empty_zip_holds_nothing(course, tmp_path):
    with pytest.raises(CourseError, match="holds no file"):
        collect(course, zip_of(tmp_path / "x.zip", {}))


def test_a_zip_too_far_in_the_future_is_now(course, tmp_path, work):
    path = zip_of(tmp_path / "x.zip", {"ada_1_2_a.ipynb": work}, when=(2100, 1, 1, 0, 0, 0))
    then = datetime.fromisoformat(collect(course, path)["1"].record["handed_in"])
    assert abs(datetime.now(UTC) - then) < timedelta(minutes=5)
