"""The report on a class: pages to look at, and CSV files to work with or to import elsewhere.

It is made of the gradebook and of the records of the runs (see `execution.execute`); without records, as after plain nbgrader, it has
points but no misconceptions and no times. What students chose (names, ids) is hostile here too: see `pages`.
"""

import csv
import io
import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass, field

import nbformat
import numpy as np
from nbgrader.api import MissingEntry

from . import feedback, intake, moodle, pages
from .course import CourseError
from .pages import plots

FEWEST = 8  # hand-ins, below which no exercise is said to separate well or badly
WEAK, EASY, HARD = 0.2, 0.95, 0.25  # correlation and mean shares at which an exercise is worth a look
OUTCOMES = {
    "right": "all points",
    "partly": "some",
    "wrong": "none",
    "undone": "not done",
    "stopped": "stopped",
    "waiting": "to grade by hand",
}
FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")  # what a spreadsheet may take for the beginning of a formula
PLAIN_NUMBER = re.compile(r"[+-]?\d{1,15}([.,]\d{1,15})?")


@dataclass
class Item:
    """An exercise in a class: its name, its title, what it is worth, and each student's outcome and points."""

    name: str
    title: str
    of: float
    is_code: bool
    outcomes: dict = field(default_factory=dict)  # student -> one of OUTCOMES
    points: dict = field(default_factory=dict)  # student -> points, where they are final

    @property
    def short(self):
        """A name short enough for an axis: 7.1 of "Exercise 7.1: conv2d"."""
        return re.sub(r"^Exercise ", "", self.title.partition(":")[0])[:24]

    @property
    def mean(self):
        """The mean share of the points, or None where nobody has any yet, or none but those who left it blank while the rest waits."""
        waits_for_all = self.counts["waiting"] and self.counts.keys() <= {"waiting", "undone"}
        return statistics.fmean(self.points.values()) / self.of if self.points and self.of and not waits_for_all else None

    @property
    def counts(self):
        return Counter(self.outcomes.values())


@dataclass
class Entry:
    """A student's hand-in for a lesson."""

    student: str
    points: float
    of: float
    waiting: int
    late: str
    problem: str  # why it could not be read or graded
    failed: bool  # to be graded, which is no fault of the student's: it counts zero until it is graded again
    newer: bool  # a newer one waits
    seconds: float | None
    verdicts: dict  # of the record: test cell -> (misconception, sentence)
    cells: dict  # of the record: cell -> seconds
    faults: dict  # of the record: test cell -> why the check itself failed, in a line

    @property
    def share(self):
        return self.points / self.of if self.of else 0.0


@dataclass
class Lesson:
    """A lesson in a class."""

    name: str
    title: str
    items: list
    entries: list
    missing: list  # students without a hand-in
    ungraded: list  # students whose hand-in is not graded yet

    @property
    def page(self):
        return f"{self.name}.html"

    @property
    def readable(self):
        return [entry for entry in self.entries if not entry.problem]

    @property
    def waiting(self):
        return [entry for entry in self.readable if entry.waiting]

    @property
    def failed(self):
        return [entry for entry in self.entries if entry.failed]

    @property
    def final(self):
        """Those whose points are a grade: no part of them waits, and nothing of ours went wrong."""
        return [entry for entry in self.entries if not entry.failed and entry not in self.waiting]


@dataclass
class Person:
    """A student, by every name that is known."""

    student: str
    first: str = ""
    last: str = ""
    email: str = ""
    number: str = ""  # in a learning platform, as the gradebook has it
    origin: dict = field(default_factory=dict)  # who the system says it is, from which the hand-in came

    @property
    def name(self):
        return f"{self.first} {self.last}".strip() or str(self.origin.get("name") or "")

    @property
    def columns(self):
        """What the system's own list of students says, where `collect` was given it."""
        columns = self.origin.get("columns")
        return columns if isinstance(columns, dict) else {}


# ---------------------------------------------------------------------------------------------------- gathering


def report(course, lessons):
    """Write `report/`: a page for each lesson that somebody has handed in, an overview, and CSV files about those lessons.

    Parameters
    ----------
    course : Course
    lessons : list of str

    Returns
    -------
    paths : list of Path
        What was written.
    remarks : list of str
        What the instructor should know of it.
    """
    with course.gradebook() as gradebook:
        people = _people(course, gradebook)
        found = [one for name in lessons if (one := _lesson(course, gradebook, name, people)) and (one.entries or one.ungraded)]
    if not found:
        raise CourseError("Nothing is graded yet: run `python -m autograder grade` first.")
    folder = course.root / "report"
    written = [folder / "index.html", *(folder / lesson.page for lesson in found)]
    tables = {
        "scores.csv": score_rows(found, people),
        "misconceptions.csv": misconception_rows(found),
        "gradebook_canvas.csv": canvas_rows(found, people),
        "gradebook_moodle.csv": moodle_rows(found, people),
    }
    remarks = _remarks(found, people)
    for lesson in found:
        final = {entry.student: entry.share for entry in lesson.final}
        rows, remark = moodle.filled_worksheet(course, lesson.name, final)
        name = f"worksheet_{lesson.name}.csv"
        if rows:
            tables[name] = rows
        else:
            (folder / name).unlink(missing_ok=True)  # that of another day
        remarks += [remark] if remark else []
    pages.write(written[0], _overview(found, people, [name for name in tables if name.startswith("worksheet_")]))
    for lesson, path in zip(found, written[1:], strict=True):
        pages.write(path, _lesson_page(lesson, people))
    for name, rows in tables.items():
        pages.write(folder / name, as_csv(rows))
    return [*written, *(folder / name for name in tables)], remarks


def _people(course, gradebook):
    people = {
        one.id: Person(one.id, one.first_name or "", one.last_name or "", one.email or "", one.lms_user_id or "")
        for one in gradebook.students
    }
    for path in sorted(course.received.glob("[!.]*/*")):
        student = path.parent.name
        known = intake.latest(course, student, path.name) if path.name != intake.UNSORTED else None
        if known:
            person = people.setdefault(student, Person(student))
            origin = known.get("from") if isinstance(known.get("from"), dict) else {}
            if not person.columns:
                person.origin = origin if origin.get("columns") or not person.origin else person.origin
    return dict(sorted(people.items()))


def _lesson(course, gradebook, name, people):
    """A lesson as the class stands in it, or None where the gradebook does not know it."""
    try:
        submissions = {one.student.id: one for one in gradebook.find_assignment(name).submissions}
    except MissingEntry:
        return None
    release = nbformat.read(course.notebook("release", name), as_version=4)
    titles = feedback.exercise_titles(release)
    lesson = Lesson(name, feedback.lesson_title(release, name), [], [], [], [])
    items = {}
    for student in people:
        received, newer = feedback.hand_ins(course, student, name)
        if student not in submissions:
            (lesson.ungraded if received else lesson.missing).append(student)
            continue
        known, record = feedback.standing(submissions[student]), feedback.ledger_record(course, received)
        for grade_id, score in known.scores.items():
            items.setdefault(grade_id, Item(grade_id, titles.get(grade_id, grade_id), score.of, score.is_code))
        entry = _entry(student, known, received, newer, record)
        lesson.entries.append(entry)
        for grade_id, score in known.scores.items():
            _count(items[grade_id], entry, score, (record.get("verdicts") or {}).get(grade_id))
    order = list(titles)
    lesson.items = sorted(items.values(), key=lambda item: order.index(item.name) if item.name in order else len(order))
    return lesson


def _entry(student, known, received, newer, record):
    graded = received.get("graded") or {}
    failed = graded.get("key", "") is None
    verdicts = {
        name: (str(one["misconception"]), str(one.get("sentence") or ""))
        for name, one in (record.get("verdicts") or {}).items()
        if isinstance(one, dict) and one.get("misconception")
    }
    cells = {name: _seconds(one) for name, one in (record.get("cells") or {}).items()}
    for name, one in (record.get("verdicts") or {}).items():
        cells[name] = (cells.get(name) or 0) + (_seconds(one) or 0)
    return Entry(
        student,
        max(0.0, known.points - known.penalty),
        known.of,
        known.waiting,
        feedback.late_by(known.seconds_late),
        received.get("problem") or (next(iter(graded.get("notes") or ()), "Not graded.") if failed else ""),
        failed,
        newer,
        _seconds(record) if record else None,
        verdicts,
        {name: seconds for name, seconds in cells.items() if seconds},
        {
            name: one["fault"].strip().splitlines()[-1][:300]
            for name, one in (record.get("verdicts") or {}).items()
            if isinstance(one, dict) and isinstance(one.get("fault"), str) and one["fault"].strip()
        },
    )


def _seconds(one):
    seconds = one.get("seconds") if isinstance(one, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) and math.isfinite(seconds) else None


def _count(item, entry, score, verdict):
    """Count a student's outcome in an exercise. Hand-ins that could not be read say nothing about exercises."""
    if entry.problem:
        return
    if score.waiting:
        item.outcomes[entry.student] = "waiting"
        return
    item.points[entry.student] = score.points
    state = verdict.get("state") if isinstance(verdict, dict) else None
    if score.points >= score.of:
        outcome = "right"
    elif score.points > 0:
        outcome = "partly"
    elif state in ("undone", "stopped"):
        outcome = state
    else:
        outcome = "undone" if not score.is_code and score.by_hand is None else "wrong"
    item.outcomes[entry.student] = outcome


def _remarks(lessons, people):
    remarks = []
    waiting = sum(len(lesson.waiting) for lesson in lessons)
    if waiting:
        remarks.append(f"{_counted(waiting, 'hand-in')} still to be graded by hand (make formgrader): left blank in the gradebook CSVs.")
    for lesson in lessons:
        if lesson.failed:
            who = f"{_counted(len(lesson.failed), 'hand-in')} ({', '.join(entry.student for entry in lesson.failed)})"
            remarks.append(f"{who} of {lesson.name} could not be graded: left blank too. Grade again.")
        if lesson.missing:
            remarks.append(f"{_counted(len(lesson.missing), 'student')} handed in nothing for {lesson.name}: blank in the CSVs, not 0.")
    nameless = [person.student for person in people.values() if not any(moodle_identity(person))]
    if nameless:
        remarks.append(
            f"gradebook_moodle.csv leaves out {_counted(len(nameless), 'student')}, of whom Moodle would know nothing that is known here. "
            "Collect once more with --roster and Moodle's grading worksheet."
        )
    return remarks


def _counted(count, what):
    return f"{count} {what}{'s' * (count != 1)}"


# ---------------------------------------------------------------------------------------------------- what the numbers say


def misconceptions(lesson):
    """Which misconception how often.

    Returns
    -------
    list of dict
        ``exercise`` (an `Item`), ``slug``, ``sentence`` and ``students``, the most frequent first.
    """
    items = {item.name: item for item in lesson.items}
    found = {}
    for entry in lesson.entries:
        for name, (slug, sentence) in entry.verdicts.items():
            if name in items:
                one = found.setdefault((name, slug), {"exercise": items[name], "slug": slug, "sentence": sentence, "students": []})
                one["students"].append(entry.student)
    return sorted(found.values(), key=lambda one: -len(one["students"]))


def separation(lesson):
    """How well each exercise tells apart those who do well in the rest of the lesson from those who do not.

    For each exercise the item-rest correlation: that of its points with the share of the points reached in all the other exercises,
    over the hand-ins in which the exercise is graded. Hand-ins that could not be read do not count.

    Returns
    -------
    list of dict
        ``item``, ``count`` (of hand-ins), ``mean`` (share of the points), ``r`` (None where all have the same), ``low`` and ``high`` (an
        interval that holds the true correlation about 19 times in 20, by Fisher's transformation) and ``words`` (what it means, or
        ""). Empty for classes with fewer than `FEWEST` hand-ins.
    """
    return [one for item in lesson.items if (one := _separation(item, lesson.items))] if len(lesson.readable) >= FEWEST else []


def _separation(item, items):
    pairs = []
    for student, points in item.points.items():
        others = [other for other in items if other is not item and student in other.points]
        possible = sum(other.of for other in others)
        if possible:
            pairs.append((points, sum(other.points[student] for other in others) / possible))
    if len(pairs) < FEWEST:
        return None
    own, rest = np.array(pairs).T
    one = {"item": item, "count": len(pairs), "mean": float(own.mean() / item.of) if item.of else 0.0, "r": None, "low": None, "high": None}
    if own.std() > 1e-9 and rest.std() > 1e-9:
        one["r"] = float(np.corrcoef(own, rest)[0, 1])
        center, width = math.atanh(max(-0.999, min(0.999, one["r"]))), 1.96 / math.sqrt(len(pairs) - 3)
        one["low"], one["high"] = math.tanh(center - width), math.tanh(center + width)
    return one | {"words": _in_words(one)}


def _in_words(one):
    if one["mean"] >= EASY:
        return "Nearly everybody has all points: a warm-up, not a measure."
    words = []
    if one["r"] is not None and one["high"] < 0:
        words.append("Who does well elsewhere does worse here. Does the question, or its test, ask for something else than it says?")
    elif one["r"] is not None and one["r"] < WEAK:
        words.append(f"Who does well elsewhere does hardly better here, as far as {one['count']} students can show.")
    if one["mean"] <= HARD:
        words.append("Few get anywhere: is it explained well enough before it is asked?")
    return " ".join(words)


def times(lesson):
    """Run times: of whole hand-ins, and of the slowest cells.

    Returns
    -------
    dict or None
        ``seconds``, sorted; ``cells``: the five slowest by median, as (name, median, maximum, student of the maximum); ``stopped``: the
        exercises that were stopped, with the students. None without records.
    """
    seconds = sorted(entry.seconds for entry in lesson.entries if entry.seconds is not None)
    if not seconds:
        return None
    by_cell = {}
    for entry in lesson.entries:
        for name, taken in entry.cells.items():
            by_cell.setdefault(name, []).append((taken, entry.student))
    cells = [(name, statistics.median(taken for taken, _ in values), *max(values)) for name, values in by_cell.items()]
    stopped = [(item, [student for student, outcome in item.outcomes.items() if outcome == "stopped"]) for item in lesson.items]
    return {
        "seconds": seconds,
        "median": statistics.median(seconds),
        "cells": sorted(cells, key=lambda cell: -cell[1])[:5],
        "stopped": [(item, students) for item, students in stopped if students],
    }


# ---------------------------------------------------------------------------------------------------- pages


def _overview(lessons, people, worksheets):
    lines = []
    for person in people.values():
        cells = []
        for lesson in lessons:
            entry = next((entry for entry in lesson.entries if entry.student == person.student), None)
            cells.append(entry or ("not graded yet" if person.student in lesson.ungraded else "–"))
        lines.append((person, cells))
    figure = plots.shares_by_lesson(lessons)
    return pages.render("report_index.html", lessons=lessons, lines=lines, median=_median, figure=figure, worksheets=worksheets)


def _median(lesson):
    return statistics.median(entry.points for entry in lesson.readable) if lesson.readable else None


def _lesson_page(lesson, people):
    found, known = misconceptions(lesson), separation(lesson)
    taken = times(lesson)
    return pages.render(
        "report_lesson.html",
        lesson=lesson,
        people=people,
        outcomes=OUTCOMES,
        median=_median(lesson),
        distribution=plots.distribution(lesson),
        outcome_figure=plots.outcomes(lesson.items, OUTCOMES),
        slips=found,
        slip_figure=plots.misconceptions(found[:12], len(lesson.readable)),
        separation=known,
        striking=[one for one in known if one["words"]],
        fewest=FEWEST,
        times=taken,
        time_figure=plots.seconds(taken["seconds"]) if taken else "",
    )


# ---------------------------------------------------------------------------------------------------- CSV


def as_csv(rows):
    """Rows as CSV text that a spreadsheet opens without running anything.

    A text that a spreadsheet might take for a formula gets an apostrophe in front, as OWASP advises ("CSV Injection"); numbers stay
    numbers.
    """
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return f"{value:.10g}"
    text = pages.visible(" ".join(str(value).split()))
    return f"'{text}" if FORMULA.match(text) and text != "-" and not PLAIN_NUMBER.fullmatch(text) else text


def score_rows(lessons, people):
    """One row for each student and exercise; for who has handed in nothing, the points are blank."""
    yield ["student", "name", "lesson", "exercise", "title", "graded_by", "points", "of", "outcome", "misconception"]
    for lesson in lessons:
        for entry in lesson.entries:
            for item in lesson.items:
                points = 0 if entry.problem else item.points.get(entry.student)
                outcome = "unreadable" if entry.problem else OUTCOMES.get(item.outcomes.get(entry.student), "")
                slip = entry.verdicts.get(item.name, ("", ""))[0]
                how = "test" if item.is_code else "hand"
                name = people[entry.student].name
                yield [entry.student, name, lesson.name, item.name, item.title, how, points, item.of, outcome, slip]
        for student in lesson.missing:
            for item in lesson.items:
                how = "test" if item.is_code else "hand"
                yield [student, people[student].name, lesson.name, item.name, item.title, how, None, item.of, "missing", ""]


def misconception_rows(lessons):
    """One row for each misconception in each exercise, the most frequent first."""
    yield ["lesson", "exercise", "title", "misconception", "sentence", "count", "students"]
    for lesson in lessons:
        for one in misconceptions(lesson):
            item = one["exercise"]
            yield [lesson.name, item.name, item.title, one["slug"], one["sentence"], len(one["students"]), "; ".join(one["students"])]


def _final(lesson, student):
    """A student's grade in a lesson, or None while there is none or somebody has yet to judge a part of it."""
    return next((entry.points for entry in lesson.final if entry.student == student), None)


def canvas_rows(lessons, people):
    """Grades as Canvas imports them ("How do I import grades in the Gradebook?", Canvas instructor guide).

    `lib/gradebook_importer.rb` of canvas-lms, which reads them, wants Student, ID, (SIS User ID,) SIS Login ID, (Root Account,) Section in
    this order, then a column for each assignment, by its title or "title (id)", and a row "Points Possible". It finds a student by ID,
    else by SIS User ID, SIS Login ID or name. A column that Canvas does not know becomes, after it has asked, a new assignment.
    """
    root = any("Root Account" in person.columns for person in people.values())
    facts = ["Student", "ID", "SIS User ID", "SIS Login ID", *(["Root Account"] if root else []), "Section"]
    yield [*facts, *(lesson.name for lesson in lessons)]
    possible = [sum(item.of for item in lesson.items) for lesson in lessons]
    yield ["Points Possible", *[""] * (len(facts) - 1), *possible]
    for person in people.values():
        number = str(person.origin.get("id") or "") if person.origin.get("system") == "canvas" else person.number
        name = f"{person.last}, {person.first}" if person.first and person.last else person.name or person.student
        known = {"Student": name, "ID": number if number.isdecimal() else "", "SIS Login ID": person.student} | person.columns
        yield [*(known.get(fact, "") for fact in facts), *(_final(lesson, person.student) for lesson in lessons)]


def moodle_identity(person):
    """What Moodle may know a student by: (ID number, Email address)."""
    if person.origin.get("system") == "moodle":  # without its roster the id was made of the name, and its number is good for one assignment
        return person.columns.get("ID number", "") or person.number, person.columns.get("Email address", "") or person.email
    is_email = "@" in person.student
    return person.number or ("" if is_email else person.student), person.email or (person.student if is_email else "")


def moodle_rows(lessons, people):
    """Grades as Moodle imports them (https://docs.moodle.org/405/en/Grade_import, "CSV import").

    The columns are those of Moodle's own export. While importing, map one of "ID number" and "Email address" to the user, and each
    lesson to its grade item, of which the maximum grade should be that of the heading: Moodle takes the numbers as they are. One
    student whom Moodle does not know stops the whole import: those without either are left out.
    """
    points = (f"{lesson.name} (points of {sum(item.of for item in lesson.items):g})" for lesson in lessons)
    yield ["First name", "Last name", "ID number", "Email address", *points]
    for person in people.values():
        number, email = moodle_identity(person)
        if number or email:
            first, last = (person.first, person.last) if person.first or person.last else _split(person)
            yield [first, last, number, email, *(_final(lesson, person.student) for lesson in lessons)]


def _split(person):
    first, _, last = (person.columns.get("Full name") or person.name).rpartition(" ")
    return first, last
