"""What goes back to Moodle: an assignment's grading worksheet with the grades in it, and its feedback pages in a zip."""

import csv
import io
import re
import shutil
import zipfile

from . import intake, pages
from .course import CourseError
from .platforms import Label, Roster

# What mod/assign/feedback/offline/importgradeslib.php looks for. It would also take over the column of comments as they were when the
# worksheet was downloaded, in the place of what was written since: that column is left out.
NEEDED = ("Identifier", "Grade", "Last modified (grade)", "Maximum Grade")
COMMENTS = "Feedback comments"


def _kept(course, lesson):
    return course.received / ".worksheets" / f"{lesson}.csv"


def keep_worksheet(course, path, lesson):
    """Keep Moodle's grading worksheet of a lesson's assignment, if it is one: grades go back in it."""
    if Roster(path).system == "moodle":
        kept = _kept(course, lesson)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".part")
        shutil.copyfile(path, partial)
        partial.replace(kept)


def _number(text):
    """The number in `Participant 5000`, by which Moodle knows somebody in one assignment; or ""."""
    found = re.search(r"[0-9]{1,15}$", text.strip())
    return found[0] if found else ""


def _worksheet(course, lesson):
    """The columns and rows (as dicts) of a lesson's worksheet, and who its numbers are as a roster; None where none was kept."""
    try:
        text = _kept(course, lesson).read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
        return list(reader.fieldnames or ()), list(reader), Roster(_kept(course, lesson))
    except (OSError, UnicodeDecodeError, csv.Error, CourseError):
        return None


def participants(course, lesson):
    """Who of a lesson's graded students is who in its assignment in Moodle.

    Returns
    -------
    dict
        Moodle's number of a participant -> (student, full name).
    """
    graded = {path.parents[1].name for path in course.folder("autograded").glob(f"[!.]*/{lesson}/{lesson}.ipynb")}
    found = {}
    for student in sorted(graded):
        origins = [one["from"] for one in intake.records(course, student, lesson) if isinstance(one.get("from"), dict)]
        origin = next((one for one in reversed(origins) if one.get("system") == "moodle"), {})
        if number := _number(str(origin.get("id") or "")):
            found[number] = (student, str(origin.get("name") or ""))
    _, rows, roster = _worksheet(course, lesson) or ((), (), None)
    for row in rows:  # who is in it by an id of yours stands in it, wherever the hand-in came from
        person = roster.find(Label("moodle", _number(row.get("Identifier") or "")))
        if person and person.student in graded:
            found[person.number] = (person.student, person.name)
    return found


def filled_worksheet(course, lesson, shares):
    """The grading worksheet of a lesson's assignment, with grades.

    Parameters
    ----------
    course : Course
    lesson : str
    shares : dict of str to float
        By student the share of the points, where it is final. All others keep the grade that the worksheet has.

    Returns
    -------
    rows : list of list, or None
        The heading and a row a participant; None where no worksheet was kept, or one without what Moodle wants back.
    remark : str
        How many grades there are, of how many points; or what is missing.
    """
    columns, rows, _ = _worksheet(course, lesson) or ((), (), None)
    who = participants(course, lesson)
    if not columns:
        told = f"{lesson}: no grading worksheet to fill in. Collect once more with ROSTER=, Moodle's worksheet of this assignment."
        return None, told if who else ""
    if missing := [name for name in NEEDED if name not in columns]:
        return None, f"{lesson}: the worksheet cannot be filled in, it has no column {', '.join(missing)}. Collect with Moodle's own file."
    kept = [name for name in columns if name and name != COMMENTS]
    table, filled, maxima, unknown = [kept], 0, set(), set(shares)
    for row in rows:
        student, _ = who.get(_number(row["Identifier"] or ""), (None, ""))
        highest = row["Maximum Grade"] or ""
        if student in shares and re.fullmatch(r"\d{1,9}([.]\d+)?", highest.strip()):
            row["Grade"] = round(min(1.0, shares[student]) * float(highest), 2)
            filled += 1
            maxima.add(f"{float(highest):g}")
        unknown.discard(student)
        table.append([row[name] for name in kept])
    remark = f"{filled} grade{'s' * (filled != 1)} in worksheet_{lesson}.csv" + (f", of {' or '.join(sorted(maxima))}." if maxima else ".")
    if filled:
        remark += ' It is for "Upload grading worksheet" in Moodle, before the feedback is uploaded.'
    if filled < len(set(shares) - unknown):
        remark += " Where the Maximum Grade is no number, no grade was filled in."
    if unknown:
        remark += f" Not in the worksheet: {', '.join(sorted(unknown))}."
    return table, remark


def feedback_zip(course, lesson):
    """Write a lesson's feedback pages as Moodle takes them, for an assignment's "Upload multiple feedback files in a zip".

    Returns
    -------
    path : Path or None
        None where no graded hand-in with a page came from Moodle.
    count : int
        How many pages it holds.
    """
    folder = course.folder("feedback")
    page = f"{lesson}.html"
    found = {number: one for number, one in participants(course, lesson).items() if (folder / one[0] / lesson / page).is_file()}
    path = folder / f"moodle_{lesson}.zip"
    if not found:
        path.unlink(missing_ok=True)
        return None, 0
    partial = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (student, name) in sorted(found.items()):
            # As Moodle names folders itself (importziplib.php reads it): the number tells who it is. The last `_` is for older Moodles.
            name = re.sub(r"[_/\\:*?\"<>|\s]+", " ", pages.visible(name)).strip(" .") or "Participant"
            archive.write(folder / student / lesson / page, f"{name}_{number}_assignsubmission_file_/{page}")
    partial.replace(path)
    return path, len(found)
