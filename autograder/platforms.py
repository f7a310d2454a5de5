"""How learning platforms name what students handed in, and who the students are in the platforms' own lists."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from .archives import printable
from .course import CourseError

# Moodle's "Download all submissions" (get_student_prefix and load_submissionplugin_filelist in mod/assign/classes/downloader.php):
# a folder `Full Name_12345_assignsubmission_file`, in older versions with one more `_`, or with folders off a file
# `Full Name_12345_assignsubmission_file_original name.ipynb`. Moodle makes a space of each `_` in a name, so a student's name of a file
# cannot pass for another's prefix. The number is the participant's in this one assignment: another assignment has others.
MOODLE = re.compile(r"(?P<name>[^_]*)_(?P<id>\d+)_assignsubmission_[a-z]+(?:_(?P<file>.*))?", re.DOTALL)
# Canvas's "Download submissions" (add_submission, get_filename and sanitize_user_name in lib/content_zipper.rb): files
# `lovelaceada_LATE_12345_67890_original name-2.ipynb`, of a name in small letters, LATE where it was, the ids of the user and of the
# file; `anon_ab1cD` without a name where grading is anonymous; and `..._12345_text.html` where text was typed in. Canvas takes `_12_` out
# of names of users. The `-2` is Canvas's too: the third time that the student hands in a file of that name.
CANVAS = re.compile(
    r"(?:(?P<name>.+?)_)??(?:(?P<late>LATE)_)?(?P<id>\d+|anon_[A-Za-z0-9]+)_(?:\d+_(?P<file>.+)|(?P<typed>text\.html|link\.html))",
    re.DOTALL,
)
# nbgrader's exchange (init_dest in nbgrader/exchange/default/submit.py): `inbound/STUDENT+LESSON+2026-03-01 23:59:00.000000 UTC+RANDOM/`.
EXCHANGE = re.compile(r"(?P<id>.+?)\+(?P<lesson>[^+]+)\+(?P<time>\d{4}-\d\d-\d\d [^+]+)(?:\+[^+]*)?", re.DOTALL)

NAMES = {"moodle": "Moodle", "canvas": "Canvas", "exchange": "nbgrader's exchange"}


@dataclass
class Label:
    """What the name of a file or folder says about whose it is."""

    system: str  # "moodle", "canvas", "exchange" or "folder"
    id: str
    name: str = ""
    file: str | None = None  # a loose file's own name
    lesson: str | None = None
    time: str | None = None
    late: bool = False


def label(system, name, is_folder):
    """What a name says in a system's way of naming, or None where it is no such name."""
    if system == "folder":
        return Label("folder", name) if is_folder else None
    if system == "exchange":
        found = EXCHANGE.fullmatch(name) if is_folder else None
        return found and Label("exchange", found["id"], lesson=found["lesson"], time=found["time"])
    if system == "moodle":
        found = MOODLE.fullmatch(name)
        if not found or is_folder == bool(found["file"]):
            return None
        return Label("moodle", found["id"], found["name"].strip(), found["file"] or None)
    found = None if is_folder else CANVAS.fullmatch(name)
    return found and Label("canvas", found["id"], found["name"] or "", found["file"] or found["typed"], late=bool(found["late"]))


def recognise(entries):
    """Which system named these files and folders: the one that explains most of them.

    Parameters
    ----------
    entries : dict of str to bool
        By name, whether it is a folder.

    Returns
    -------
    str
        "moodle", "canvas", "exchange", or "folder" for plain folders, one a student.
    """
    counts = dict.fromkeys(("moodle", "exchange", "canvas", "folder"), 0)
    for name, is_folder in entries.items():
        system = next((system for system in counts if label(system, name, is_folder)), None)
        if system:
            counts[system] += 1
    return max(counts, key=counts.get) if any(counts.values()) else "folder"


def fit_id(text):
    """Make a student's id of a name: letters that no id has give way to hyphens."""
    text = re.sub(r"[^\w.@+=~,'() -]", "-", unicodedata.normalize("NFC", text))
    return re.sub(r"^\W+", "", text)[:80].strip()


# ---------------------------------------------------------------------------------------------------- rosters

# By system: the column that names a student as the zip does; those that the instructor may know a student by, best first; and those that
# the system needs back when it imports grades.
# Moodle: the grading worksheet (mod/assign/gradingtable.php writes it, mod/assign/feedback/offline/importgradeslib.php reads it back).
# Canvas: the gradebook's export, https://community.canvaslms.com "How do I export grades in the Gradebook?".
ROSTERS = {
    "moodle": ("Identifier", ("ID number", "Username", "Email address"), ("Identifier", "Full name", "ID number", "Email address")),
    "canvas": ("ID", ("SIS User ID", "SIS Login ID", "ID"), ("Student", "ID", "SIS User ID", "SIS Login ID", "Root Account", "Section")),
}
SUBMITTED = "Last modified (submission)"  # in Moodle's worksheet
LARGEST_ROSTER = 20_000_000


@dataclass
class Person:
    """A student in a roster."""

    number: str  # as in the names of files
    student: str  # the id to file hand-ins under, or "" where the roster has none
    name: str
    columns: dict  # what the platform wants back with the grades
    submitted: str = ""  # when Moodle received the hand-in, as Moodle writes it
    status: str = ""  # what Moodle says of the hand-in

    @property
    def shown(self):
        """The person for a sentence: name and email address, as far as they are known."""
        return shown_person(self.name, self.email) or printable(self.student or self.number)

    @property
    def email(self):
        return self.columns.get("Email address", "").strip()

    @property
    def platform_id(self):
        """What the platform knows the person by in every assignment: Moodle's ID number, or Canvas's ID."""
        return self.columns.get("ID number", self.columns.get("ID", "")).strip()

    @property
    def names(self):
        """First and last name, as well as one field for both tells: the last word is the last name, unless there is a comma."""
        last, comma, first = (part.strip() for part in self.name.partition(","))
        if not comma:
            first, _, last = " ".join(self.name.split()).rpartition(" ")
        return first, last

    @property
    def has_handed_in(self):
        """Does Moodle say that there is a hand-in?"""
        return self.status.strip().lower().startswith("submitted")


class Roster:
    """A platform's list of students: Moodle's grading worksheet or Canvas's gradebook export, as CSV.

    Parameters
    ----------
    path : path_like

    Raises
    ------
    CourseError
        When it is neither, or has a student twice.
    """

    def __init__(self, path):
        rows = _rows(Path(path))
        columns = set(rows[0]) if rows else set()
        self.system = next((system for system, (key, _, wanted) in ROSTERS.items() if {key, *wanted[:1]} <= columns), None)
        if self.system is None:
            there_are = ", ".join(sorted(map(printable, columns))[:10]) or "no columns"
            raise CourseError(
                f"{path} is no roster. Give Moodle's grading worksheet (columns Identifier, Full name, ID number, ...) or Canvas's "
                f"gradebook export (columns Student, ID, SIS User ID, ...), exported in English. It has: {there_are}."
            )
        key, ids, wanted = ROSTERS[self.system]
        self._people, self._known = {}, {}
        for row in rows:
            number = re.search(r"\d+$", row.get(key, "").strip())
            if not number:  # Canvas's rows for the points possible and the like
                continue
            name = row.get("Full name") or row.get("Student") or ""
            student = next((fit_id(row[column]) for column in ids if fit_id(row.get(column, ""))), "")
            known = {column: row[column] for column in wanted if column in row}
            person = Person(number[0], student, name, known, row.get(SUBMITTED, ""), row.get("Status", ""))
            if number[0] in self._people or student in self._known:
                who = printable(student or number[0])
                raise CourseError(f"{path} has {who} twice: two students would be taken for one. Take one of the rows out.")
            self._people[number[0]] = person
            if student:
                self._known[student] = person

    @property
    def people(self):
        """Everybody in it, in its order."""
        return list(self._people.values())

    def find(self, label):
        """The person whose hand-in bears a label, or None."""
        return self._people.get(label.id) if label.system == self.system else self._known.get(label.id)


def _rows(path):
    try:
        with open(path, "rb") as file:
            text = file.read(LARGEST_ROSTER).decode("utf-8-sig")
    except OSError as problem:
        raise CourseError(f"{path} cannot be opened ({problem.strerror}).") from problem
    except UnicodeDecodeError as problem:
        raise CourseError(f"{path} is no CSV in UTF-8. Give the file as the platform exports it.") from problem
    try:
        return [
            {(key or "").strip(): value or "" for key, value in row.items() if key is not None} for row in csv.DictReader(io.StringIO(text))
        ]
    except csv.Error as problem:
        raise CourseError(f"{path} is no CSV: {problem}.") from problem


# Letters that some systems write as two.
IN_TWO = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe", "đ": "d", "ł": "l"})
LOST = "?#\ufffd"  # what stands for a letter that a disk or a program could not write
PARTICIPANT = re.compile(r"participant( \d+)?", re.IGNORECASE)  # how Moodle calls those whom it does not name


def same_name(one, other):
    """Do two systems' ways of writing a name mean the same name?

    Order, case, spaces and marks are not told apart; nor are letters that were lost or garbled on the way through a zip or a disk.
    """
    others = _spellings(other)
    if any(sorted(first) == sorted(second) for first in _spellings(one) for second in others):
        return True
    return _with_gaps(one, other) or _with_gaps(other, one)


def _spellings(name):
    """The letters of a name in each way that it may be written."""
    names = [unicodedata.normalize("NFC", name).casefold()]
    for codec in ("cp437", "cp850", "cp1252", "latin-1"):  # UTF-8 that a program has taken for one of these
        try:
            names.append(unicodedata.normalize("NFC", name.encode(codec).decode("utf-8")).casefold())
        except UnicodeError:
            continue
    return {_letters(way) for one in names for way in (one, one.translate(IN_TWO))}


def _letters(name):
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKD", name))


def _with_gaps(one, other):
    """Is one name the other, but for letters that were lost?"""
    gaps = unicodedata.normalize("NFC", one).casefold()
    lost = sum(letter in LOST for letter in gaps)
    first, *parts = (_letters(part) for part in re.split(f"[{re.escape(LOST)}]+", gaps))
    return bool(lost) and any(_fills(first, parts, spelling, 2 * lost) for spelling in _spellings(other))


def _fills(first, parts, whole, most):
    """Do the parts stand in the whole in this order, with at most so many letters between them in all?"""
    if not whole.startswith(first) or not whole.endswith(parts[-1]) or not 0 <= len(whole) - len(first) - sum(map(len, parts)) <= most:
        return False
    at = len(first)
    for part in parts[:-1]:
        at = whole.find(part, at) + len(part)
        if at < len(part):
            return False
    return at <= len(whole) - len(parts[-1])


def is_name_of(folder, name):
    """Is what Moodle calls a folder of hand-ins (perhaps with a group's name and a hyphen in front) a student's name?"""
    return any(same_name(folder[start:], name) for start in (0, *(found.end() for found in re.finditer("-", folder))))


def shown_person(name, email):
    """A person for a sentence."""
    name, email = printable(name.strip()), printable(email.strip())
    return f"{name} ({email})" if name and email else name or email
