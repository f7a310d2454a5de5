"""Intake: from a folder or zip of hand-ins, or nbgrader's exchange, to `submitted/`, where nbgrader grades them.

Whatever comes is kept as it came, under `received/STUDENT/LESSON/TIME/`, with a record of what was done about it beside it.
What is graded is rebuilt from the release (see `notebooks.py`).
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import nbformat

from .archives import DEEPEST, MOST_FILES, Archive, Member, fit_name, is_clutter
from .archives import printable as shown
from .course import Course, CourseError, read_json, write_json
from .notebooks import LARGEST_FILE, UnreadableError, is_test, likeness, note, read_cells, rebuild
from .platforms import NAMES, PARTICIPANT, ROSTERS, Label, Person, Roster, fit_id, is_name_of, label, recognise, same_name, shown_person

STUDENT_ID = re.compile(r"\w[\w.@+=~,'() -]{0,99}")
PACKED = {".zip", ".7z", ".rar", ".gz", ".tgz", ".tar"}
UNSORTED = "unsorted"  # the place of a lesson's name, for files that belong to none
ROSTER_NAMES = {"moodle": "worksheet", "canvas": "gradebook export"}
TEST_STUDENT = "Student, Test"  # whom Canvas puts among the others
EMPTY = "there is no file in it"
NEWER = "the file is newer than the worksheet's time: download the worksheet again"
A_FEW_MINUTES, A_DOWNLOAD, HALF_AN_HOUR, MOST_OF_ZONES = 180, 600, 1800, 14 * 3600  # seconds
NO_FILE = "handed in, says the worksheet, but there is no file"


@dataclass
class File:
    """A regular file in a hand-in, and what it turned out to be."""

    path: Path
    name: str  # relative to the student's folder
    modified: float
    problem: str = ""  # why it cannot be read as a notebook
    likeness: dict = field(default_factory=dict)  # lesson -> cells in common
    lesson: str | None = None

    @property
    def shown(self):
        return shown(self.name)

    @property
    def top(self):
        """The folder of the hand-in, below which its student may change what there is, even now."""
        return self.path.parents[len(Path(self.name).parts) - 1]


@dataclass
class Outcome:
    """What became of a hand-in.

    Attributes
    ----------
    state : str
        "collected", "unchanged" (it was here already), "older" (a newer one is), "unsorted" (kept, but for no lesson), "ungraded" (a lesson
        without points), "skipped" (for a lesson that was not asked for) or "refused"; the reason is in `notes`. With a roster also
        "no file" (but the platform knows of a hand-in), "before" (collected another time) or "missing" (not handed in).
    record : dict
        As kept beside the originals.
    row : str
        The number of the student in the roster, or "".
    """

    student: str
    lesson: str | None
    state: str
    notes: list = field(default_factory=list)
    record: dict = field(default_factory=dict)
    row: str = ""


def released(course):
    """The released lessons, each with its release."""
    return {lesson: nbformat.read(course.notebook("release", lesson), as_version=4) for lesson in course.lessons("release")}


def graded_lessons(course):
    """The released lessons that have points, each with its release."""
    return {lesson: notebook for lesson, notebook in released(course).items() if _has_points(notebook)}


def _has_points(notebook):
    return any(is_test(cell) for cell in notebook.cells)


# ---------------------------------------------------------------------------------------------------- collect


@dataclass
class HandIn:
    """What one student handed in at one time, from wherever it came."""

    student: str
    origin: dict  # how the system it came from knows the student: kept in the record under "from"
    labels: list  # what the names of its parts say
    things: list  # the parts themselves, folders and files
    notes: list
    at: datetime | None = None
    person: Person | None = None  # who it is, in the roster


def collect(course, source, lesson=None, at=None, roster=None, student=None):
    """Take in hand-ins.

    Parameters
    ----------
    course : Course
    source : path_like
        A folder that holds one folder a student, named by the student's id; what Moodle or Canvas gives for all submissions of an
        assignment, as zip or unpacked; or nbgrader's exchange.
    lesson : str, optional
        What the hand-ins are for. Without it each notebook's own cells tell, or else its name.
    at : datetime.datetime, optional
        When they were handed in; by default what the source knows of it, at least when each file was last changed.
    roster : path_like, optional
        Moodle's grading worksheet or Canvas's gradebook export: who is filed under which id, and what the platform wants back with grades.
    student : str, optional
        Whose it is, where the source is one notebook.

    Yields
    ------
    Outcome
    """
    source = Path(source)
    releases = released(course)
    graded = [name for name, notebook in releases.items() if _has_points(notebook)]
    if lesson is not None and lesson not in graded:
        raise CourseError(f"{lesson} is not released, or has no points. Released lessons with points: {', '.join(graded) or 'none yet'}.")
    if not graded:
        raise CourseError("No lesson is released yet: run `python -m autograder release` first.")
    roster = Roster(roster) if roster else None
    with contextlib.ExitStack() as stack:
        one_file = source.is_file() and ".ipynb" in source.name.lower() and source.suffix.lower() not in PACKED
        if student is not None and not one_file:
            raise CourseError(f"--student says whose one notebook is, and {source} is no file of that kind (.ipynb).")
        if one_file and student is None:
            raise CourseError(f"{source} is one notebook. Say whose it is: --student ID, and --at for when it was handed in.")
        if one_file and not is_id(student):
            raise CourseError(f"{shown(student)!r} is no student's id (letters, digits and . _ @ + = ~ , ' ( ) - only).")
        archive = None
        if one_file:
            entries, gather = [], _on_disk
        elif source.is_dir():
            entries, gather = _folder_entries(course, _inbound(course, source)), _on_disk
        elif source.is_file():
            archive = stack.enter_context(Archive(source))
            entries, gather = _zip_entries(course, archive), lambda one: _unpacked(archive, one)
        else:
            raise CourseError(f"{source} is no folder and no zip. Give a folder with a folder for each student, or a platform's zip.")
        system = recognise(
            {name: is_folder for name, is_folder, thing in entries if isinstance(thing, os.DirEntry) or thing[0] or not thing[1]}
        )
        students = [name for name, is_folder, _ in entries if is_folder]
        if students and all(name in course.lessons() for name in students):
            raise CourseError(
                f"The folders in {source} are named like lessons, not like students: nothing was collected. Is it the right folder?"
            )
        hand_ins, strangers = _by_student(system, entries, roster)
        if one_file:
            hand_ins = [_hand_in([Label("folder", student, file=source.name)], [source.resolve()], roster)]
        remarks = {}
        if roster:
            _require_right_roster(system, hand_ins, roster)
            remarks = _require_one_person_an_id(course, roster)
            _enter_students(course, _class_list(roster, hand_ins))
        newer = _newer_than_told(hand_ins, archive)
        due = _due_dates(course, graded) if system == "canvas" else {}
        lessons = Counter()
        for one in hand_ins:
            remark = [remarks[one.person.number]] if one.person and one.person.number in remarks else []
            remark += [NEWER] if one.student in newer else []
            for outcome in _collect_one(course, releases, one, gather, lesson, at, due):
                lessons[outcome.lesson] += outcome.lesson is not None
                if one.person and outcome.notes[-1:] == [EMPTY]:
                    outcome.state = "no file"
                    outcome.notes[-1] = NO_FILE if one.person.has_handed_in else EMPTY
                outcome.row = one.person.number if one.person else ""
                outcome.notes, remark = [*outcome.notes, *(new for new in remark if new not in outcome.notes)], []
                yield outcome
        for name, reason in strangers:
            yield Outcome(shown(name), None, "refused", [reason])
        if roster:
            usual = max(lessons, key=lessons.get, default=None)
            yield from _absent(course, roster, hand_ins, lesson or usual, remarks)


def _collect_one(course, releases, one, gather, lesson, at, due):
    """Take in what one student handed in, if the name is a student's."""
    if not is_id(one.student):
        reason = "a folder's name is the student's id: letters, digits and . _ @ + = ~ , ' ( ) - only; rename it"
        faults = [fault for thing in one.things if isinstance(thing, tuple) for fault in thing[1]]
        yield Outcome(shown(one.student or one.labels[0].id), None, "refused", faults or [reason])
        return
    try:
        with gather(one) as (files, notes):
            one.notes += notes
            yield from _collect_student(course, releases, one, files, lesson, at, due)
    except (CourseError, OSError) as error:  # a disk's trouble with one student is no reason to leave the others
        yield Outcome(one.student, lesson, "refused", [*one.notes, str(error)])


def _inbound(course, folder):
    """The folder with the hand-ins, where a folder is nbgrader's exchange or a course in it."""
    for place in (folder, folder / (course.config.CourseDirectory.get("course_id") or "")):
        if (place / "inbound").is_dir() and (place / "outbound").is_dir():
            return place / "inbound"
    return folder


def _folder_entries(course, folder):
    """What lies in a folder: name, whether it is a folder, and the entry. Refuses a folder that cannot be the right one."""
    everything = list(os.scandir(folder))
    found = [one for one in everything if not one.name.startswith(".") and not is_clutter(one.name)]
    entries = [(one.name, one.is_dir(follow_symlinks=False), one) for one in sorted(found, key=lambda one: one.name)]
    known = any(recognise({name: is_folder}) != "folder" for name, is_folder, _ in entries)
    if not known and not any(one.is_dir(follow_symlinks=False) for one in everything):
        raise CourseError(
            f"{folder} holds no folder for a student: nothing was collected. It should hold one for each, named by the student's id."
        )
    return entries


def _zip_entries(course, archive):
    """What lies on top in a zip: name, whether it is a folder, and its members and what is left out of it."""
    tops, folders = _tops(archive.members), archive.folders
    inner = _tops(member for member in _without_top(archive.members) if member.parts)
    if len({*tops, *((parts[0], True) for parts in folders)}) == 1 and _is_a_class(course, list(tops), list(inner)):
        archive.members, tops = _without_top(archive.members), inner  # somebody has packed a folder, with itself on top
        folders = [parts[1:] for parts in folders if parts[1:]]
    for parts in folders:
        tops.setdefault((parts[0], True), [])  # of a student, perhaps, who handed in nothing
    entries = {top: (members, []) for top, members in tops.items()}
    for name, reason in archive.left_out:
        top, slash, _ = name.partition("/")
        entries.setdefault((top, bool(slash)), ([], []))[1].append(f"{shown(name)}: {reason}; left out")
    if not entries:
        raise CourseError(f"{archive.path} holds no file: nothing was collected.")
    return [(name, is_folder, thing) for (name, is_folder), thing in sorted(entries.items(), key=lambda item: item[0])]


def _tops(members):
    """Members by what lies on top: its name, and whether it is a folder."""
    tops = {}
    for member in members:
        tops.setdefault((member.parts[0], len(member.parts) > 1), []).append(member)
    return tops


def _without_top(members):
    return [Member(member.info, member.parts[1:]) for member in members]


def _is_a_class(course, outer, inner):
    """Are the hand-ins of a class not the one folder on top, but what lies in it?"""
    if recognise(dict(outer)) != "folder" or not inner:
        return False
    if recognise(dict(inner)) != "folder":
        return True
    return len(inner) > 1 and all(is_folder and name not in course.lessons("release") for name, is_folder in inner)


def _by_student(system, entries, roster):
    """Sort what lies on top by student. Returns the hand-ins, and the rest as (name, reason)."""
    groups, strangers = {}, []
    for name, is_folder, thing in entries:
        found = None if _is_no_ordinary_entry(thing) else label(system, name, is_folder)
        if found:
            key = name if system == "exchange" else found.id
            groups.setdefault(key, []).append((found, thing))
        else:
            strangers.append((name, _why_strange(system, thing)))
    hand_ins = [_hand_in([one for one, _ in group], [thing for _, thing in group], roster) for group in groups.values()]
    if system != "exchange":  # where one student may well be there more than once
        names = Counter(one.student for one in hand_ins)
        for one in hand_ins:
            if names[one.student] > 1 or (one.origin["system"] == "moodle" and not one.student):
                one.student = f"{one.student or 'Participant'} ({one.origin['id']})"
    return sorted(hand_ins, key=lambda one: (one.student, one.labels[0].time or "")), strangers


def _is_no_ordinary_entry(thing):
    return isinstance(thing, os.DirEntry) and not (thing.is_dir(follow_symlinks=False) or thing.is_file(follow_symlinks=False))


def _why_strange(system, thing):
    if isinstance(thing, tuple) and thing[1]:
        return "; ".join(thing[1])
    if system == "folder":
        return "it is no folder; each student's files belong in a folder of their own"
    return f"its name is none that {NAMES[system]} gives: left out"


def _hand_in(labels, things, roster):
    """Who handed it in, as far as names and the roster tell."""
    first = labels[0]
    person = roster.find(first) if roster else None
    notes = []
    if person and person.name and first.name and not same_name(person.name, first.name):
        notes.append(f"the roster calls {first.id} {shown(person.name)}, the file's name says {shown(first.name)}")
    if roster and not person:
        notes.append("not in the roster")
    name = fit_id(first.name) if first.system == "moodle" else first.id
    origin = {"system": first.system, "id": first.id} | ({"name": first.name} if first.name else {})
    if first.system == "canvas":
        origin["late"] = any(one.late for one in labels)
    if person:
        origin |= {"system": roster.system, "id": person.number, "name": person.name, "columns": person.columns}
    at = _platform_time(person.submitted) if person and first.system == "moodle" else None
    if at:
        origin["time"] = "platform"
    return HandIn(person.student or name if person else name, origin, labels, things, notes, at, person)


def _require_right_roster(system, hand_ins, roster):
    """Refuse the roster of something else: numbers of Moodle's participants mean somebody else in another assignment."""
    nothing = "Nothing was collected."
    if system in ROSTERS and system != roster.system:
        raise CourseError(f"The hand-ins come from {NAMES[system]}, the roster from {NAMES[roster.system]}. {nothing}")
    if system not in ROSTERS or not hand_ins:
        return
    if not any(one.person for one in hand_ins):
        raise CourseError(f"Nobody of those who handed in is in the roster. Is it the roster of something else? {nothing}")
    named = [(one.labels[0], one.person) for one in hand_ins if one.person and one.person.name and one.labels[0].name]
    if system == "moodle" and not _are_unnamed([found.name for found, _ in named], roster):
        wrong = [(found, person) for found, person in named if not is_name_of(found.name, person.name)]
        if wrong:
            found, person = wrong[0]
            others = f" (And {len(wrong) - 1} more like that.)" if len(wrong) > 1 else ""
            raise CourseError(
                f"{shown(found.name)}_{found.id}: in the worksheet Participant {found.id} is {shown(person.name)}.{others} Is it the "
                f"worksheet of another assignment? {nothing} (If a name has changed since, write the folder's name into the worksheet.)"
            )
    # Canvas has one number a person for all assignments: a name alone may well have changed
    wrong = [found for found, person in named if not same_name(found.name, person.name)] if system == "canvas" else []
    if len(wrong) > 1 and len(wrong) * 2 > len(named):
        raise CourseError(
            f"{len(wrong)} of {len(named)} names differ, such as {shown(wrong[0].name)}_{wrong[0].id}, who is "
            f"{shown(roster.find(wrong[0]).name)} in the roster. Is it the roster of another Canvas? {nothing}"
        )


def _are_unnamed(names, roster):
    """Did Moodle leave the names out ("blind marking")? It then calls them all Participant, or so in another language."""
    if all(PARTICIPANT.fullmatch(name.strip()) for name in names):
        return True
    return len(names) > 1 and len(set(names)) == 1 and not any(same_name(names[0], one.name) for one in roster.people)


def _require_one_person_an_id(course, roster):
    """Refuse a roster in which an id is of somebody else than it has been so far. Returns by student what has merely changed."""
    known, remarks = _known_people(course, roster), {}
    for person in roster.people:
        name, email, platform_id = known.get(person.student, ("", "", ""))
        renamed = bool(name.strip() and person.name.strip()) and not same_name(name, person.name)
        moved = bool(email and person.email) and email.casefold() != person.email.casefold()
        same_email = bool(email and person.email) and not moved
        if renamed and not same_email and not (roster.system == "canvas" and platform_id == person.platform_id):
            raise CourseError(
                f"{person.student} is {shown_person(name, email)} so far; this {ROSTER_NAMES[roster.system]} says {person.shown}. "
                "Are they two people? Nothing was collected. (If they are one, write the name or the address into the file as it was.)"
            )
        if renamed or moved:
            remarks[person.number] = f"{person.student} was {shown_person(name, email)} so far, and is {person.shown} now"
    return remarks


def _known_people(course, roster):
    """By student the name, email address and number in the platform that are known so far, from the gradebook or else from hand-ins."""
    with course.gradebook() as gradebook:
        known = {
            one.id: (f"{one.first_name or ''} {one.last_name or ''}", one.email or "", one.lms_user_id or "") for one in gradebook.students
        }
    for person in roster.people:
        if is_id(person.student) and not any(text.strip() for text in known.get(person.student, ())):
            for path in (course.received / person.student).glob("[!.]*"):
                origin = (latest(course, person.student, path.name) or {}).get("from", {})
                if origin.get("columns"):
                    before = Person("", person.student, origin.get("name", ""), origin["columns"])
                    known[person.student] = (before.name, before.email, before.platform_id)
    return known


def _class_list(roster, hand_ins):
    """The students in a roster: not those without an id, who may be staff, but for those who have handed in."""
    came = {one.person.number for one in hand_ins if one.person}
    needs_number = roster.system == "moodle" and any(person.platform_id for person in roster.people)
    return [
        person
        for person in roster.people
        if is_id(person.student) and person.name != TEST_STUDENT and (person.platform_id or not needs_number or person.number in came)
    ]


def _enter_students(course, people):
    """Enter people into the gradebook. What is known already and written otherwise there stays."""
    with course.gradebook() as gradebook:
        there = {one.id: one for one in gradebook.students}
        for person in people:
            first, last = person.names
            facts = {"email": person.email, "lms_user_id": person.platform_id}
            one = there.get(person.student)
            if not one or not same_name(f"{one.first_name or ''} {one.last_name or ''}", person.name):
                facts |= {"first_name": first, "last_name": last}
            new = {key: text[:128] for key, text in facts.items() if text and (not one or getattr(one, key) != text[:128])}
            if new or not one:
                gradebook.update_or_create_student(person.student, **new)


def is_id(text):
    """Can this be a student's id, and the name of a folder?"""
    return STUDENT_ID.fullmatch(text) is not None and text == text.strip()


def _absent(course, roster, hand_ins, lesson, remarks):
    """An outcome for everybody in the roster of whom nothing came."""
    came = {one.person.number for one in hand_ins if one.person}
    listed = {person.number for person in _class_list(roster, hand_ins)}
    for person in roster.people:
        if person.number in came:
            continue
        notes = [remarks[person.number]] if person.number in remarks else []
        student = person.student if is_id(person.student) else ""
        if person.name == TEST_STUDENT:
            notes.append("Canvas's test student: not entered into the gradebook")
        elif person.name and person.number not in listed:
            notes.append("no id in the roster: not entered into the gradebook")
        if lesson and student and latest(course, student, lesson):
            state = "before"
        elif person.has_handed_in:
            state, notes = "no file", [NO_FILE, *notes]
        else:
            state = "missing"
        yield Outcome(student or shown(person.name) or f"Participant {person.number}", lesson, state, notes, row=person.number)


def _newer_than_told(hand_ins, archive):
    """The students of whom a file is newer than the time in Moodle's worksheet, by more than time zones may explain."""
    times = {one.student: max(_times(one, archive), default=None) for one in hand_ins}
    known = [when for when in times.values() if when is not None]
    if len(known) > 1 and max(known) - min(known) < A_DOWNLOAD:  # all of one moment: that of the download
        return set()
    later = {one.student: times[one.student] - one.at.timestamp() for one in hand_ins if one.at and times[one.student] is not None}
    return {student for student, seconds in later.items() if seconds > A_FEW_MINUTES and not _may_be_a_zone(seconds)}


def _may_be_a_zone(seconds):
    return seconds <= MOST_OF_ZONES + A_FEW_MINUTES and abs(seconds - round(seconds / HALF_AN_HOUR) * HALF_AN_HOUR) <= A_FEW_MINUTES


def _times(hand_in, archive):
    """When the files of a hand-in were last changed, as far as that is known where they lie, as the seconds of a file's time."""
    for one, thing in zip(hand_in.labels, hand_in.things, strict=True):
        if archive:
            yield from (archive.time(member.info) for member in thing[0])
        elif one.file:
            yield thing.stat(follow_symlinks=False).st_mtime
        else:
            yield from (file.modified for file in find_files(thing)[0])


def _platform_time(text):
    """The time in Moodle's worksheet, such as "Saturday, 21 November 2026, 8:43 AM", taken as this machine's; or None."""
    from dateutil import parser

    try:
        return parser.parse(text).astimezone() if re.search(r"\d{4}", text) else None
    except (ValueError, OverflowError):
        return None


@contextlib.contextmanager
def _on_disk(hand_in):
    """The files of a hand-in that lies on disk, and notes."""
    files, notes = [], []
    for one, entry in zip(hand_in.labels, hand_in.things, strict=True):
        if one.file:
            files.append(File(Path(entry), fit_name(one.file), entry.stat(follow_symlinks=False).st_mtime))
        else:
            found, more = find_files(entry.path)
            files += found
            notes += [*more, *_foreign_owner(one, entry)]
    yield files, notes


def _foreign_owner(one, entry):
    """In the exchange anybody may write a folder in anybody's name. Its owner tells, unless whoever collects has copied it."""
    if one.system != "exchange" or os.name != "posix":
        return []
    import pwd

    number = entry.stat(follow_symlinks=False).st_uid
    try:
        owner = pwd.getpwuid(number).pw_name
    except KeyError:
        owner = str(number)
    if owner == one.id or number == os.getuid():
        return []
    return [f"handed in as {shown(one.id)}, but the folder belongs to {shown(owner)}: ask both"]


@contextlib.contextmanager
def _unpacked(archive, hand_in):
    """The files of a hand-in that lies in a zip, unpacked for as long as they are needed, and notes."""
    with tempfile.TemporaryDirectory(prefix="collect-") as folder:
        notes, members = [], []
        for one, (found, faults) in zip(hand_in.labels, hand_in.things, strict=True):
            members += [(member, (one.file,) if one.file else member.parts[1:]) for member in found]
            notes += faults
        notes += archive.unpack(members, Path(folder))
        files, more = find_files(folder)
        yield files, notes + more


def _due_dates(course, lessons):
    """When lessons are due, where the gradebook knows, as the seconds of a file's time."""
    from nbgrader.api import MissingEntry

    due = {}
    with course.gradebook() as gradebook:
        for lesson in lessons:
            with contextlib.suppress(MissingEntry):
                when = gradebook.find_assignment(lesson).duedate
                if when:
                    due[lesson] = when.replace(tzinfo=UTC).timestamp()
    return due


def _collect_student(course, releases, hand_in, files, lesson, at, due):
    student, notes, first = hand_in.student, hand_in.notes, hand_in.labels[0]
    if first.lesson is not None:
        if lesson not in (None, first.lesson):
            yield Outcome(student, first.lesson, "skipped", [f"only hand-ins for {lesson} were asked for"])
            return
        if first.lesson not in releases:
            yield Outcome(student, shown(first.lesson), "refused", ["no lesson of this name is released"])
            return
        if not _has_points(releases[first.lesson]):
            yield Outcome(student, first.lesson, "ungraded", ["it has no points: left where it is"])
            return
        lesson = first.lesson
    if first.system == "exchange":
        files = _take_time(hand_in, files)
    at = at or hand_in.at
    hand_in.origin.setdefault("time", "given" if at else "file" if first.system == "folder" else "zip")
    for file in files:
        _assess(file, releases)
    if lesson is not None:
        if files and not any(_may_be_of(file, lesson) for file in files) and any(file.lesson for file in files):
            told = "; ".join(f"{file.shown}: this is {file.lesson}, not {lesson}" for file in files if file.lesson)
            yield Outcome(student, lesson, "refused", [*notes, f"{told}. Left out"])
        elif files:
            yield _take_in(course, releases[lesson], hand_in, lesson, files, notes, at, due)
        else:
            yield Outcome(student, lesson, "refused", [*notes, EMPTY])
        return
    for name, release in releases.items():
        mine = [file for file in files if file.lesson == name]
        if mine and _has_points(release):
            yield _take_in(course, release, hand_in, name, mine, notes, at, due)
            notes = []
        elif mine:
            yield Outcome(student, name, "ungraded", ["it has no points: left where it is"])
    others = [file for file in files if file.lesson is None]
    if others:
        keep(course, student, UNSORTED, others, _when(others[0], at), {"from": hand_in.origin})
        names = ", ".join(file.shown for file in others[:5]) + (", ..." if len(others) > 5 else "")
        packed = [file.shown for file in others if file.path.suffix.lower() in PACKED]
        remedy = (
            f"{packed[0]} was not opened: unpack it yourself, into a folder with this student's id, and collect that"
            if packed
            else "If it is somebody's work, collect it again with --lesson"
        )
        yield Outcome(student, None, "unsorted", [*notes, f"kept, but for no lesson: {names}. {remedy}"])
    elif not files:
        yield Outcome(student, None, "refused", [*notes, EMPTY])


def _take_time(hand_in, files):
    """Let the exchange's timestamp.txt say when it was handed in, or else the folder's name. Returns the other files."""
    stated = next((_stated_time(file.path.parent) for file in files if file.name == "timestamp.txt"), None)
    named = _parse_time(hand_in.labels[0].time)
    hand_in.at = stated or named
    hand_in.origin["time"] = "exchange"
    if stated and named and abs((stated - named).total_seconds()) > 60:
        hand_in.notes.append(f"timestamp.txt says {stated:%Y-%m-%d %H:%M:%S} UTC, the folder's name {named:%Y-%m-%d %H:%M:%S}: ask why")
    return [file for file in files if file.name != "timestamp.txt"]


def find_files(folder):
    """The regular files below a folder, and notes on what is none. Links and special files are never followed or opened."""
    files, notes, folders = [], [], [(Path(folder), 0)]
    while folders:
        here, depth = folders.pop(0)
        for entry in sorted(os.scandir(here), key=lambda entry: entry.name):
            name = str(Path(entry.path).relative_to(folder))
            if is_clutter(entry.name):
                continue
            if entry.name.startswith(".") and not entry.name.lower().endswith(".ipynb"):
                notes.append(f"{shown(name)} is hidden: left out")
                continue
            if entry.is_symlink():
                notes.append(f"{shown(name)} is a link: not followed")
            elif entry.is_dir(follow_symlinks=False):
                if depth == DEEPEST:
                    notes.append(f"{shown(name)} lies {DEEPEST} folders deep: left out")
                else:
                    folders.append((Path(entry.path), depth + 1))
            elif not entry.is_file(follow_symlinks=False):
                notes.append(f"{shown(name)} is no ordinary file: left out")
            elif len(files) == MOST_FILES:
                notes.append(f"more than {MOST_FILES} files: the rest, from {shown(name)} on, is left out")
                return files, notes
            else:
                files.append(File(Path(entry.path), name, entry.stat(follow_symlinks=False).st_mtime))
    return files, notes


def _open(path, top=None):
    """Open a regular file to read, and nothing else: no link, no pipe, and below the folder `top` nothing in a linked folder."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    safely = os.O_RDONLY | no_link | getattr(os, "O_NONBLOCK", 0)
    if top is None or os.open not in os.supports_dir_fd:
        handle = os.open(path, safely)
    else:
        *folders, name = path.relative_to(top).parts
        folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for below in folders:
                above, folder = folder, os.open(below, os.O_RDONLY | os.O_DIRECTORY | no_link, dir_fd=folder)
                os.close(above)
            handle = os.open(name, safely, dir_fd=folder)
        finally:
            os.close(folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "no regular file", str(path))
    return os.fdopen(handle, "rb")


def read_bounded(path, top=None):
    """The bytes of a file, one more than allowed at most."""
    with _open(path, top) as file:
        return file.read(LARGEST_FILE + 1)


def _assess(file, releases):
    """Find out which lesson's notebook a file is."""
    try:
        data = read_bounded(file.path, file.top)
        if not _looks_like_notebook(file) and data.lstrip()[:1] != b"{":
            raise UnreadableError("is no notebook")
        cells, _ = read_cells(data)
    except UnreadableError as error:
        file.problem = str(error)
    except OSError as error:
        file.problem = f"cannot be opened ({error.strerror})"
    else:
        file.likeness = {lesson: likeness(release, cells) for lesson, release in releases.items()}
    most = max(file.likeness.values(), default=0)
    best = [lesson for lesson, count in file.likeness.items() if count == most]
    if most > 0 and len(best) == 1:
        file.lesson = best[0]
    elif _looks_like_notebook(file):
        named = [lesson for lesson in releases if _plain(lesson) in _plain(file.name)]
        file.lesson = named[0] if len(named) == 1 else None


def _plain(name):
    return re.sub(r"[\W_]+", "", name.lower())


def _when(file, at):
    """When a file was handed in, as a datetime in UTC without fraction."""
    now = datetime.now(UTC)
    try:
        when = at.astimezone(UTC) if at else datetime.fromtimestamp(file.modified, UTC)
    except (OverflowError, ValueError, OSError):
        when = now
    return min(when, now).replace(microsecond=0)


# ---------------------------------------------------------------------------------------------------- one hand-in


def _take_in(course, release, hand_in, lesson, files, notes, at, due):
    """Keep the files, choose the one that counts, and write the rebuilt notebook to `submitted/`."""
    student, origin = hand_in.student, dict(hand_in.origin)
    if not is_as_collected(course, student, lesson):
        admit(course, student, lesson, release)  # what lies in submitted/ is kept nowhere yet
    before = latest(course, student, lesson)
    _require_same_student(before, origin)
    if origin.get("late") is False and lesson in due:  # Canvas says so; the zip's time is when it was made
        for file in files:
            file.modified = min(file.modified, due[lesson])
    for record in reversed(records(course, student, lesson)):
        if not course.notebook("submitted", lesson, student).is_file():
            break
        if _is_same(record, files, at) and (at is not None or record == before):
            return Outcome(student, lesson, "unchanged", record=_identified(course, record, origin))
    chosen, notebook, facts = _settle(release, student, lesson, files, notes)
    record = keep(course, student, lesson, files, _when(chosen or files[0], at), facts | {"from": origin})
    if before and before["handed_in"] > record["handed_in"]:
        return Outcome(student, lesson, "older", [f"kept, but the hand-in of {before['handed_in']} is newer and stays"], record)
    _submit(course, release, record, notebook)
    replaced = [f"it replaces the hand-in of {before['handed_in']}, which is kept"] if before else []
    told_by = {(one["handed_in"], one.get("from", {}).get("time")) for one in (before, record) if one}
    if before and len(told_by) == 1 and origin["time"] == "platform":  # another file, and yet the worksheet has the same time
        replaced.append(NEWER)
    return Outcome(student, lesson, "collected", replaced, record)


def _require_same_student(before, origin):
    """Two students of one name must not be taken for one: Moodle's participants have numbers, which a lesson does not mix."""
    known = (before or {}).get("from", {})
    if "moodle" == known.get("system") == origin["system"] and known["id"] != origin["id"] and "columns" not in origin:
        raise CourseError(
            f"an earlier hand-in under this name is of Moodle's participant {known['id']}, this one of {origin['id']}: two students? "
            "Nothing was collected. Give Moodle's grading worksheet with --roster, which tells them apart."
        )


def _is_same(record, files, at):
    return _same_files(record, files) and (at is None or record["handed_in"] == _written(_when(files[0], at)))


def _identified(course, record, origin):
    """A record, which learns who its student is once a roster tells."""
    if "columns" in origin and origin["columns"] != record.get("from", {}).get("columns"):
        record = record | {"from": origin | {"time": record.get("from", {}).get("time", "file")}}
        write_json(course.received / record["student"] / record["lesson"] / f"{record['kept']}.json", record)
    return record


def _written(when):
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _settle(release, student, lesson, files, notes):
    """Which file counts, the notebook rebuilt from it, and what the record shall say."""
    notes = list(notes)
    candidates = []
    for file in files:
        if file.lesson not in (None, lesson):
            notes.append(f"{file.shown} is the notebook of {file.lesson}: not for this lesson")
        elif _may_be_of(file, lesson):
            candidates.append(file)
    chosen = max(candidates, key=lambda file: _rank(file, lesson), default=None)
    if len(candidates) > 1:
        others = ", ".join(file.shown for file in candidates if file is not chosen)
        notes.append(f"{len(candidates)} notebooks for this lesson: {chosen.shown} counts, not {others}")
    notebook, problem, mends = _rebuild(release, chosen)
    facts = {
        "student": student,
        "lesson": lesson,
        "chosen": chosen.name if chosen else None,
        "problem": problem,
        "notes": notes,
        "mends": mends,
    }
    return chosen, notebook, facts


def _may_be_of(file, lesson):
    """Is a file a notebook of this lesson, or one that may be?"""
    return file.lesson in (None, lesson) and (_looks_like_notebook(file) or not file.problem)


def _looks_like_notebook(file):
    return ".ipynb" in file.path.name.lower()


def _same_files(record, files):
    return sorted(one["sha256"] for one in record["files"]) == sorted(_hash(file.path, file.top) for file in files)


def _rank(file, lesson):
    """Which of several notebooks for a lesson counts: one that can be read, has the lesson's cells and bears its name."""
    cells = file.likeness.get(lesson, 0)
    return not file.problem, cells > 0, file.path.stem == lesson, cells, file.modified


def _rebuild(release, file):
    """Rebuild a hand-in from a release. Returns the notebook, why the file could not be read (or None), and the mends."""
    try:
        if file is None:
            raise UnreadableError("")
        cells, mends = read_cells(read_bounded(file.path, file.top))
    except (UnreadableError, OSError) as error:
        what = f"The file `{file.shown}` {file.problem or error}." if file else "There was no notebook of this lesson in it."
        notebook = nbformat.from_dict(release)
        text = (
            f"**This hand-in could not be read.** {what} It counts as not done: what follows is the lesson as it was released. "
            "What was handed in is kept as it came. If you still have your work, hand it in again."
        )
        notebook.cells = [note(text), *notebook.cells]
        return notebook, what, []
    notebook, more = rebuild(release, cells)
    if not likeness(release, cells):
        more.insert(0, "none of the lesson's cells was in it: all of it was added to the lesson as the student's own cells")
    return notebook, None, mends + more


def keep(course, student, lesson, files, when, facts):
    """Copy files to `received/STUDENT/LESSON/TIME/` as they are; write and return the record beside them."""
    no_links(course.received, student, lesson)
    place = course.received / student / lesson
    place.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place))
    kept = []
    for number, file in enumerate(files, 1):
        name = file.name
        try:
            _copy(file, partial / name)
        except OSError:  # such as a path too long with ours before it
            name = f"file-{number}"
            _copy(file, partial / name)
        kept.append({"name": file.name, "kept_as": name, "bytes": (partial / name).stat().st_size, "sha256": _hash(partial / name)})
    same = [record for record in records(course, student, lesson) if [f["sha256"] for f in record["files"]] == [f["sha256"] for f in kept]]
    handed_in = _written(when)
    if same and same[-1]["handed_in"] == handed_in:
        shutil.rmtree(partial)
        return same[-1] | facts
    stamp = handed_in.replace(":", "-")
    number = 1
    while (place / stamp).exists() or (place / f"{stamp}.json").exists():
        number += 1
        stamp = f"{handed_in.replace(':', '-')}.{number}"
    partial.chmod(0o755)
    partial.rename(place / stamp)
    record = {"kept": stamp, "handed_in": handed_in, "collected": _written(datetime.now(UTC)), "files": kept} | facts
    write_json(place / f"{stamp}.json", record)
    return record


def _copy(file, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    with _open(file.path, file.top) as original, open(target, "xb") as copy:
        shutil.copyfileobj(original, copy)


def _hash(path, top=None):
    with _open(path, top) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def no_links(folder, student, lesson):
    """Refuse to write through a link that stands for a student or a lesson."""
    for path in (folder / student, folder / student / lesson):
        if path.is_symlink():
            raise CourseError(f"{shown(path)} is a link. Nothing is written through links: put a real folder in its place.")


def records(course, student, lesson):
    """What is known of a student's hand-ins for a lesson, oldest first."""
    found = [read_json(path) for path in (course.received / student / lesson).glob("*.json")]
    return sorted((record for record in found if record), key=lambda record: (record["handed_in"], record["kept"]))


def latest(course, student, lesson):
    """The record of the newest hand-in, or None."""
    return next(reversed(records(course, student, lesson)), None)


# ---------------------------------------------------------------------------------------------------- submitted/


def _submit(course, release, record, notebook):
    """Write a rebuilt notebook and its time to `submitted/`, and note in the record what was written."""
    student, lesson = record["student"], record["lesson"]
    no_links(course.folder("submitted"), student, lesson)
    place = course.folder("submitted") / student / lesson
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    nbformat.write(notebook, partial / f"{lesson}.ipynb")
    when = datetime.fromisoformat(record["handed_in"])
    (partial / "timestamp.txt").write_text(when.strftime("%Y-%m-%d %H:%M:%S.%f UTC\n"), encoding="ascii")
    record |= {"notebook_sha256": _hash(partial / f"{lesson}.ipynb"), "release": fingerprint(release)}
    write_json(course.received / student / lesson / f"{record['kept']}.json", record)
    partial.chmod(0o755)
    if place.exists():
        shutil.rmtree(place)
    partial.rename(place)


def fingerprint(release):
    """A hash of a release: what a rebuilt notebook was rebuilt from."""
    return hashlib.sha256(json.dumps(release, sort_keys=True).encode()).hexdigest()


def is_as_collected(course, student, lesson):
    """Is what lies in `submitted/` (if anything) what intake put there?"""
    place = course.folder("submitted") / student / lesson
    if not place.exists() and not place.is_symlink():
        return True
    record = latest(course, student, lesson)
    names = sorted(entry.name for entry in os.scandir(place) if not entry.name.startswith("."))
    notebook = place / f"{lesson}.ipynb"
    plain = names == sorted([f"{lesson}.ipynb", "timestamp.txt"]) and not any((place / name).is_symlink() for name in names)
    return bool(record and plain and record.get("notebook_sha256") == _hash(notebook))


def admit(course, student, lesson, release):
    """See to it that what lies in `submitted/` is safe to grade; return its record.

    What did not come through `collect` (nbgrader's own exchange, a copy by hand) is kept under `received/` and rebuilt now;
    what was rebuilt from an older release is rebuilt from this one.
    """
    no_links(course.folder("submitted"), student, lesson)
    if not STUDENT_ID.fullmatch(student):
        raise CourseError(f"submitted/{shown(student)}: this is no student's id (letters, digits and . _ @ + = ~ , ' ( ) - only).")
    record = latest(course, student, lesson)
    if is_as_collected(course, student, lesson):
        if record["release"] == fingerprint(release):
            return record
        kept = next((one["kept_as"] for one in record["files"] if one["name"] == record["chosen"]), None)
        path = course.received / student / lesson / record["kept"]
        file = File(path / kept, record["chosen"], 0) if kept else None
        notebook, problem, mends = _rebuild(release, file)
        _submit(course, release, record | {"problem": problem, "mends": mends}, notebook)
        return latest(course, student, lesson)
    place = course.folder("submitted") / student / lesson
    found, notes = find_files(place)
    files = [file for file in found if file.name != "timestamp.txt"]
    for file in files:
        _assess(file, {lesson: release})
    notes.append("it did not come through collect: kept, and rebuilt before grading")
    chosen, notebook, facts = _settle(release, student, lesson, files, notes)
    when = _stated_time(place) or (_when(chosen, None) if chosen else datetime.now(UTC).replace(microsecond=0))
    facts["from"] = {"system": "folder", "id": student, "time": "file"}
    _submit(course, release, keep(course, student, lesson, files, when, facts), notebook)
    return latest(course, student, lesson)


def _stated_time(place):
    """The time in nbgrader's timestamp.txt, or None."""
    try:
        with _open(place / "timestamp.txt") as file:
            return _parse_time(file.read(200).decode("ascii"))
    except (OSError, ValueError):
        return None


def _parse_time(text):
    """A time as nbgrader writes it, or None."""
    from nbgrader.utils import parse_utc

    try:
        return parse_utc(text.strip()).replace(tzinfo=UTC, microsecond=0)
    except (ValueError, OverflowError, AttributeError):
        return None


def before_autograde(assignment, student, notebooks):
    """The hook of nbgrader before it grades (see nbgrader_config.py): nothing is graded that was not rebuilt.

    Parameters
    ----------
    assignment, student : str
        Patterns that nbgrader was asked for; not needed here.
    notebooks : list of str
        The notebooks of one hand-in. Changed in place: nbgrader goes on with what is left in it.
    """
    places = {Path(path).parent for path in notebooks}
    notebooks[:] = []  # should anything below fail, nbgrader finds nothing to grade
    for place in places:
        course = Course(place.parents[2])
        release = nbformat.read(course.notebook("release", place.name), as_version=4)
        admit(course, place.parent.name, place.name, release)
        notebooks.append(str(place / f"{place.name}.ipynb"))
