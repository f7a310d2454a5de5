"""Take a hand-in out of the course. What the student handed in is moved, never deleted."""

import contextlib
import os
import shutil
from datetime import UTC, datetime

import nbformat

from . import intake, ledger, moodle
from .course import CourseError


def remove(course, lesson, student):
    """Take a hand-in out of the gradebook and of all folders but `removed/`.

    What was received moves last: a process that is killed before leaves the hand-in where it was, to be removed or collected again.

    Parameters
    ----------
    course : Course
    lesson, student : str

    Returns
    -------
    place : Path
        A folder that `collect` takes the newest hand-in from again, with its time. The others lie in `.received` in it.
    judged : dict of str to float
        The points that people had given, by cell: they go with it.

    Raises
    ------
    CourseError
        When there is no such hand-in, or the lesson is being graded now.
    """
    if not intake.is_id(student):
        raise CourseError(f"{intake.shown(student)!r} is no student's id (letters, digits and . _ @ + = ~ , ' ( ) - only).")
    received = course.received / student / lesson
    folders = [course.folder(step) for step in ("feedback", "autograded", "submitted")]
    with ledger.alone(course, lesson):
        for folder in (course.received, *folders):
            intake.no_links(folder, student, lesson)
        if not intake.is_as_collected(course, student, lesson):  # what lies in submitted/ is kept nowhere yet
            intake.admit(course, student, lesson, nbformat.read(course.notebook("release", lesson), as_version=4))
        judged = _leave_gradebook(course, lesson, student)
        if judged is None and not received.exists():
            there_are = sorted(path.parent.name for path in course.received.glob(f"[!.]*/{lesson}"))
            raise CourseError(f"{student} has handed in nothing for {lesson}. Hand-ins there: {', '.join(there_are) or 'none'}.")
        for folder in folders:
            if (folder / student / lesson).exists():
                shutil.rmtree(folder / student / lesson)
            _drop_if_empty(folder / student)
        moodle.feedback_zip(course, lesson)  # without this student's page
        ledger.end(course, lesson, student)
        place = _set_aside(course, lesson, student) if received.exists() else None
        _drop_if_empty(received.parent)
        _forget_student(course, student)
    return place, judged or {}


def _leave_gradebook(course, lesson, student):
    """Take a hand-in out of the gradebook. Returns the points that people had given in it, or None where there is none."""
    from nbgrader.api import MissingEntry

    with course.gradebook() as gradebook:
        try:
            grades = [grade for notebook in gradebook.find_submission(lesson, student).notebooks for grade in notebook.grades]
            judged = {grade.name: grade.manual_score for grade in grades if grade.manual_score is not None}
            gradebook.remove_submission(lesson, student)
        except MissingEntry:
            return None
    return judged


def _set_aside(course, lesson, student):
    """Move what was received for a lesson to a new folder in `removed/`, the newest such that it can be collected from there."""
    removed = course.root / "removed"
    removed.mkdir(exist_ok=True)
    stamp, number = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ"), 1
    place = removed / stamp
    while place.exists():
        number += 1
        place = removed / f"{stamp}.{number}"
    newest = intake.latest(course, student, lesson)
    for file in (newest or {}).get("files", ()):
        copy = place / student / file["kept_as"]
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(course.received / student / lesson / newest["kept"] / file["kept_as"], copy)
        when = datetime.fromisoformat(newest["handed_in"]).timestamp()
        os.utime(copy, (when, when))
    (place / ".received" / student).mkdir(parents=True)
    shutil.move(course.received / student / lesson, place / ".received" / student / lesson)
    return place


def _forget_student(course, student):
    """Let the gradebook forget a student of whom it knows nothing but the id, such as one who was only mistyped."""
    from nbgrader.api import MissingEntry

    with contextlib.suppress(MissingEntry), course.gradebook() as gradebook:
        one = gradebook.find_student(student)
        is_known = one.submissions or one.first_name or one.last_name or one.email or one.lms_user_id
        elsewhere = (course.received / student, course.folder("submitted") / student)
        if not is_known and not any(path.exists() for path in elsewhere):
            gradebook.remove_student(student)


def _drop_if_empty(folder):
    with contextlib.suppress(OSError):
        folder.rmdir()
