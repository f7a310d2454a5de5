"""The class's report: numbers that are right, pages that do nothing, tables that other systems read."""

import csv
import re

import nbformat
import pytest
from grading_course import cell_of, hand_in, read, released_course, solved
from scipy.stats import pearsonr
from test_feedback import EVERYTHING, PAYLOADS, Audit, browse, plain, put_in, verdict

from autograder import grading, intake, pages, report
from autograder.cli import main
from autograder.course import CourseError, write_json

LESSON = "01_numbers"
CLASS = {  # student -> points in check-1 (of 2), check-2 (1), check-3 (3)
    "ann": (2, 1, 3),
    "bob": (2, 1, 3),
    "cem": (2, 1, 1),
    "dag": (2, 0, 3),
    "eva": (0, 1, 0),
    "fay": (2, 1, 3),
    "gil": (0, 1, 1),
    "hal": (0, 1, 0),
    "ida": (2, 0, 3),
}


def put_class(course):
    """Nine hand-ins that can be read, one that cannot, one student without any."""
    for number, (student, points) in enumerate(CLASS.items()):
        scores = dict(zip(("check-1", "check-2", "check-3"), points, strict=True))
        verdicts = {name: verdict("right" if scores[name] else "wrong", scores[name]) for name in scores}
        if not scores["check-1"]:
            verdicts["check-1"] |= {"misconception": "one-too-many", "sentence": "You added `1`."}
        if student == "hal":
            verdicts["check-3"] |= {"state": "stopped", "fault": "Traceback ...\nKeyError: 'weights'\n"}
        cells = {"ex-1": {"outputs": [], "seconds": 0.5}, "ex-3": {"outputs": [], "seconds": 2.0 + number}}
        record = {"verdicts": verdicts, "cells": cells, "seconds": 10.0 + number}
        waiting = ("think-1",) if student in ("ann", "bob") else ()
        put_in(course, student, solved(course), scores, record=record, waiting=waiting, name=(student.title(), "Example"))
    received = {"problem": "The file `a.ipynb` is empty."}
    put_in(course, "zoe", solved(course), received=received, waiting=())
    with course.gradebook() as gradebook:
        gradebook.add_student("yan", first_name="Yan", last_name="Example", email="yan@example.org")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    course = released_course(tmp_path_factory.mktemp("course"))
    put_class(course)
    return course


@pytest.fixture(scope="module")
def lesson(course):
    with course.gradebook() as gradebook:
        return report._lesson(course, gradebook, LESSON, report._people(course, gradebook))


@pytest.fixture(scope="module")
def written(course):
    paths, remarks = report.report(course, [LESSON, "02_words"])
    return {path.name: path for path in paths} | {"remarks": remarks}


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def item(lesson, name):
    return next(item for item in lesson.items if item.name == name)


def test_outcomes_are_counted(lesson):
    assert [item.name for item in lesson.items] == ["check-1", "check-2", "think-1", "check-3"]
    assert item(lesson, "check-1").counts == {"right": 6, "wrong": 3}
    assert item(lesson, "check-3").counts == {"right": 5, "partly": 2, "wrong": 1, "stopped": 1}
    assert item(lesson, "think-1").counts == {"waiting": 2, "undone": 7}
    assert item(lesson, "check-3").mean == pytest.approx((5 * 3 + 2) / (9 * 3))
    assert lesson.missing == ["yan"]
    assert [entry.student for entry in lesson.waiting] == ["ann", "bob"]
    assert [entry.student for entry in lesson.entries if entry.problem] == ["zoe"]


def test_no_mean_is_shown_while_nobody_has_graded_an_answer_by_hand():
    one = report.Item("think-1", "Think", 2, False, {"ann": "waiting", "bob": "undone"}, {"bob": 0})
    assert one.mean is None
    one.outcomes["cem"], one.points["cem"] = "right", 2
    assert one.mean == 0.5
    one.outcomes = {"ann": "undone", "bob": "undone"}
    assert report.Item("think-1", "Think", 2, False, one.outcomes, {"ann": 0, "bob": 0}).mean == 0


def test_misconceptions_are_counted_by_exercise(lesson):
    [one] = report.misconceptions(lesson)
    assert (one["slug"], one["sentence"], one["students"]) == ("one-too-many", "You added `1`.", ["eva", "gil", "hal"])
    assert one["exercise"].name == "check-1"


def test_the_item_rest_correlation_is_that_of_scipy(lesson):
    known = {one["item"].name: one for one in report.separation(lesson)}
    graded = [student for student in CLASS if student not in ("ann", "bob")]
    own = [CLASS[student][1] for student in CLASS]
    rest = [(CLASS[s][0] + CLASS[s][2]) / (7 if s in graded else 5) for s in CLASS]  # think-1, of 2, is nothing where it is graded
    oracle = pearsonr(own, rest)
    interval = oracle.confidence_interval(0.95)
    assert known["check-2"]["r"] == pytest.approx(oracle.statistic)
    assert (known["check-2"]["low"], known["check-2"]["high"]) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert known["check-2"]["count"] == 9
    assert "hardly better here, as far as 9 students can show" in known["check-2"]["words"]
    assert known["check-1"]["r"] > 0.5
    assert known["check-1"]["words"] == ""
    assert "think-1" not in known  # graded for seven: too few


def one_item(lesson, own, rest):
    """Words on an exercise, from shares of students in it and in another."""
    first, second = report.Item("a", "A", 1, True), report.Item("b", "B", 1, True)
    for number, (share, other) in enumerate(zip(own, rest, strict=True)):
        first.points[str(number)], second.points[str(number)] = share, other
    return report._separation(first, [first, second])


def test_exercises_that_separate_badly_are_told_in_words(lesson):
    up = [number / 20 for number in range(20)]
    assert "worse here" in one_item(lesson, [1 - share for share in up], up)["words"]
    assert "warm-up" in one_item(lesson, [1] * 20, up)["words"]
    assert one_item(lesson, [1] * 20, up)["r"] is None
    assert "Few get anywhere" in one_item(lesson, [0] * 19 + [1], up)["words"]
    assert one_item(lesson, up, up)["words"] == ""
    assert one_item(lesson, up[:7], up[:7]) is None


def test_nothing_is_said_about_exercises_of_a_small_class(tmp_path):
    course = released_course(tmp_path)
    for student in list(CLASS)[:7]:
        put_in(course, student, solved(course), {"check-1": 2})
    report.report(course, [LESSON])
    page = (tmp_path / "report" / f"{LESSON}.html").read_text()
    assert "Fewer than 8 hand-ins could be read" in page
    assert "correlation with the rest" not in page
    assert "None was recorded" in page or "or none was recorded" in page


def test_times_are_those_of_the_records(lesson):
    taken = report.times(lesson)
    assert taken["seconds"] == [10.0 + number for number in range(9)]
    assert taken["median"] == 14.0
    assert taken["cells"][0] == ("ex-3", 6.0, 10.0, "ida")
    assert [(item.name, students) for item, students in taken["stopped"]] == [("check-3", ["hal"])]


def test_the_pages_say_it_all(written):
    page = written[f"{LESSON}.html"].read_text()
    for told in (
        "one too many",
        "You added <code>1</code>.",
        "Exercises that separate badly",
        "zoe: The file <code>a.ipynb</code>",
    ):
        assert told in page
    assert page.count('role="img" aria-label="') == 4
    text = plain(page)
    assert "eva Eva Example , gil Gil Example , hal Hal Example" in text
    assert "hal Hal Example , check-3 : KeyError: 'weights'" in text
    assert "graded 10 (1 unreadable, not in the figures)" in text
    assert "to grade by hand 2" in text
    assert re.search(r'aria-label="(Bars: how many students, of 9, made[^"]*)"', page)
    assert "median" in re.search(r'aria-label="(Histogram[^"]*)"', page)[1]
    index = written["index.html"].read_text()
    assert f'<a href="{LESSON}.html">Numbers</a>' in index
    assert "02_words.html" not in index
    assert "Ann Example" in index


def test_scores_are_long(written):
    rows = rows_of(written["scores.csv"])
    assert rows[0][:4] == ["student", "name", "lesson", "exercise"]
    assert ["eva", "Eva Example", LESSON, "check-1", "Exercise 1", "test", "0", "2", "none", "one-too-many"] in rows
    assert ["ann", "Ann Example", LESSON, "think-1", "Exercise 1", "hand", "", "2", "to grade by hand", ""] in [
        [*row[:4], "Exercise 1", *row[5:]] for row in rows
    ]
    assert ["yan", "Yan Example", LESSON, "check-1", "Exercise 1", "test", "", "2", "missing", ""] in rows
    assert len(rows) == 1 + 11 * 4


def test_misconceptions_have_a_table(written):
    assert rows_of(written["misconceptions.csv"])[1:] == [
        [LESSON, "check-1", "Exercise 1", "one-too-many", "You added `1`.", "3", "eva; gil; hal"]
    ]


def test_the_canvas_table_is_as_canvas_reads_it(written):
    rows = rows_of(written["gradebook_canvas.csv"])
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", LESSON]
    assert rows[1][0].strip() == "Points Possible"
    assert rows[1][-1] == "8"
    by_login = {row[3]: row for row in rows[2:]}
    assert by_login["cem"] == ["Example, Cem", "", "", "cem", "", "4"]
    assert by_login["ann"][-1] == ""  # waits for a grade by hand
    assert by_login["yan"][-1] == ""  # nothing handed in
    assert by_login["zoe"][-1] == "0"


def test_the_moodle_table_is_as_moodle_reads_it(written):
    rows = rows_of(written["gradebook_moodle.csv"])
    assert rows[0] == ["First name", "Last name", "ID number", "Email address", f"{LESSON} (points of 8)"]
    assert ["Cem", "Example", "cem", "", "4"] in rows
    assert ["Yan", "Example", "yan", "yan@example.org", ""] in rows
    assert any("2 hand-ins still to be graded by hand" in remark for remark in written["remarks"])
    assert any("1 student handed in nothing for 01_numbers: blank in the CSVs, not 0" in remark for remark in written["remarks"])


def test_students_get_back_the_ids_of_the_system_they_came_from(tmp_path):
    course = released_course(tmp_path)
    canvas = {"Student": "Li, Cy", "ID": "77", "SIS User ID": "U7", "SIS Login ID": "cy@x.edu", "Root Account": "x.edu", "Section": "S 1"}
    moodle = {"Identifier": "Participant 9", "Full name": "Mo Lund", "ID number": "4711", "Email address": "mo@x.edu"}
    origins = {
        "cyli": {"system": "canvas", "id": "77", "name": "Li, Cy", "columns": canvas},
        "ng": {"system": "canvas", "id": "78", "name": "ngann"},
        "mo": {"system": "moodle", "id": "9", "name": "Mo Lund", "columns": moodle},
        "Nobody Known": {"system": "moodle", "id": "10", "name": "Nobody Known"},
        "a@b.org": {"system": "folder", "id": "a@b.org"},
    }
    for student, origin in origins.items():
        put_in(course, student, solved(course), {"check-1": 2}, received={"from": origin}, waiting=())
    _, remarks = report.report(course, [LESSON])
    rows = {row[4] if row[4] else row[0]: row for row in rows_of(tmp_path / "report" / "gradebook_canvas.csv")}
    assert rows["Root Account"] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Root Account", "Section", LESSON]
    assert rows["x.edu"] == ["Li, Cy", "77", "U7", "cy@x.edu", "x.edu", "S 1", "2"]
    assert rows["ngann"][1] == "78"
    rows = rows_of(tmp_path / "report" / "gradebook_moodle.csv")[1:]
    assert ["Mo", "Lund", "4711", "mo@x.edu", "2"] in rows
    assert ["", "", "", "a@b.org", "2"] in rows
    assert not any("Nobody" in cell for row in rows for cell in row)
    assert any("leaves out 1 student" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"), ("+cmd|x", "'+cmd|x"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'=1"), (" =1", "'=1"),
        ("\uff1d1+1", "'\uff1d1+1"), ("-12.5", "-12.5"), ("+4711", "+4711"), (-3.25, "-3.25"), (0.1 + 0.2, "0.3"), (7, "7"), (None, ""),
        ("Ann", "Ann"), ("a\nb\r=c", "a b =c"), ("x\u202ey", "x\u27e8U+202E\u27e9y"),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_numbers_stay_numbers(value, cell):
    assert next(csv.reader([report.as_csv([[value]]).rstrip("\r\n") or '""'])) == [cell]


def test_a_cell_with_commas_quotes_and_lines_is_one_cell():
    text = report.as_csv([['a,"b"\nc', "d;e"]])
    assert list(csv.reader([text.rstrip("\r\n")])) == [['a,"b" c', "d;e"]]


def test_a_hostile_class_makes_pages_and_tables_that_do_nothing(tmp_path):
    course = released_course(tmp_path)
    for number, payload in enumerate(PAYLOADS):
        nasty = verdict(misconception=payload, sentence=EVERYTHING, title=payload, exercise=payload, card=payload)
        record = {"verdicts": {"check-1": nasty, "check-2": payload}, "cells": {payload: {"seconds": 3}, "ex-1": payload}, "seconds": 5.0}
        received = {"problem": payload} if number == 1 else {"from": {"system": "moodle", "id": payload, "name": payload}}
        name = payload.encode(errors="replace").decode()
        put_in(course, f"student {number}", solved(course), record=record, received=received, name=(f"={name}", f"$x$ \\frac {name}"))
    put_in(
        course,
        "odd",
        solved(course),
        record={"verdicts": [], "cells": {"a": {"seconds": "3"}, "b": {"seconds": float("inf")}}, "seconds": "x"},
    )
    paths, _ = report.report(course, [LESSON])
    for path in paths:
        if path.suffix == ".html":
            audit = ReportAudit()
            audit.feed(path.read_text(encoding="utf-8"))
            assert audit.found == []
            assert (len(audit.policies), audit.styles) == (1, 1)
            assert "\u202e" not in path.read_text(encoding="utf-8")
            unguarded = tmp_path / "report" / f"unguarded {path.name}"
            unguarded.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8")))
            assert browse(path) == []
            assert browse(unguarded) == []
        else:
            cells = [cell for row in rows_of(path) for cell in row]
            assert not any(report.FORMULA.match(cell) and not report.PLAIN_NUMBER.fullmatch(cell) for cell in cells)


DRAWN = {"svg", "g", "path", "text", "tspan", "defs", "use", "rect", "clippath", "pattern"}
DRAWING = {"viewbox", "role", "d", "transform", "clip-path", "x", "y", "width", "height", "xlink:href", "patternunits", "fill", "stroke"}


class ReportAudit(Audit):
    """As for feedback, and with drawings and links to the pages beside it."""

    def handle_starttag(self, tag, attributes):
        kept = []
        for name, value in attributes:
            local = name in ("xlink:href", "clip-path") and re.fullmatch(r"#\w+|url\(#\w+\)", value or "")
            beside = tag == "a" and name == "href" and re.fullmatch(r"[\w ]+\.html", value or "")
            fill = tag in DRAWN and name == "style" and re.search(r"url\(#\w+\)", value or "")
            plain = tag in DRAWN and name in DRAWING - {"xlink:href", "clip-path"}
            if not (local or beside or plain):
                kept.append((name, re.sub(r"url\(#\w+\)", "", value) if fill else value))
        if tag in DRAWN:
            kept = [(name, re.sub(r"-[0-9.]+", "", value or "") if name == "style" else value) for name, value in kept]
            tag = "div"
        super().handle_starttag(tag, kept)


def test_a_report_on_nothing_says_what_to_do(tmp_path):
    with pytest.raises(CourseError, match="Nothing is graded yet"):
        report.report(released_course(tmp_path), [LESSON])


def test_hand_ins_that_are_not_graded_yet_are_named(tmp_path):
    course = released_course(tmp_path)
    hand_in(tmp_path / "handed in", "late", solved(course))
    list(intake.collect(course, tmp_path / "handed in"))
    put_in(course, "ada", solved(course))
    write_json(course.received / "ada" / LESSON / "2026-03-02.json", newer_record())
    report.report(course, [LESSON])
    page = (tmp_path / "report" / f"{LESSON}.html").read_text()
    assert re.search(r"Handed in, not graded yet</strong>.*?<dd>late</dd>", page, re.DOTALL)
    assert re.search(r"A newer hand-in waits</strong>.*?<dd>ada</dd>", page, re.DOTALL)


def newer_record():
    return {"kept": "2026-03-02", "handed_in": "2026-03-02T00:00:00Z", "notebook_sha256": "1", "student": "ada", "lesson": LESSON}


def test_the_command_says_what_it_wrote(course, capsys):
    assert main(["--course", str(course.root), "report", "1"]) == 0
    told = capsys.readouterr().out
    assert "report/index.html" in told
    assert "report/gradebook_moodle.csv" in told
    assert "still to be graded by hand" in told


def test_numbers_read_as_people_write_them():
    assert [pages.number(value) for value in (3, 3.0, 2.5, 1 / 3, 40.25)] == ["3", "3", "2.5", "0.3333", "40.25"]


def test_a_helper_of_these_tests_sees_what_is_active():
    for payload in PAYLOADS[:12]:
        audit = ReportAudit()
        audit.feed(payload)
        assert audit.found or audit.policies or audit.styles, payload


def test_a_class_has_names_for_its_exercises(course, lesson):
    assert cell_of(solved(course), "check-1").source.startswith("2 *")
    assert [item.short for item in lesson.items][:2] == ["1", "2"]


def test_the_table_tells_nothing_answered_from_wrong_answers(tmp_path):
    course = released_course(tmp_path)
    put_in(course, "ann", solved(course), waiting=(), name=("Ann", "Example"))
    put_in(course, "bob", solved(course), waiting=())
    wrong, blank = (course.notebook("submitted", LESSON, student) for student in ("ann", "bob"))
    for path, notebook in ((wrong, solved(course)), (blank, read(course.notebook("release", LESSON)))):
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    rows = {row.student: row for row in grading.table(course, [LESSON])}
    assert (rows["ann"].state, rows["bob"].state) == ("graded", "graded, nothing answered")


def test_the_table_has_names_beside_ids(tmp_path):
    course = released_course(tmp_path)
    put_in(course, "ann", solved(course), name=("Ann", "Example"))
    put_in(course, "bob", solved(course))
    lines = []
    rows = grading.table(course, [LESSON])
    grading.print_table(rows, print=lines.append)
    grading.print_points(rows, print=lines.append)
    assert [line.split("  ")[:2] for line in lines if line.startswith("ann")] == [["ann", "Ann Example"]] * 2
    assert any(line.startswith("bob    ") for line in lines)


def test_what_the_grader_failed_at_is_blank_and_named(tmp_path):
    course = released_course(tmp_path)
    put_in(course, "ann", solved(course), waiting=(), received={"graded": {"key": None, "notes": ["Not graded: the disk was full"]}})
    put_in(course, "bob", solved(course), {"check-1": 2}, waiting=())
    _, remarks = report.report(course, [LESSON])
    grades = {row[2]: row[-1] for row in rows_of(tmp_path / "report" / "gradebook_moodle.csv")[1:]}
    assert grades == {"ann": "", "bob": "2"}
    assert any("1 hand-in (ann) of 01_numbers could not be graded: left blank too." in remark for remark in remarks)
    assert "failed" in plain((tmp_path / "report" / "index.html").read_text())
