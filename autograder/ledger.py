"""What outlasts a grader that is killed: the record of each execution, and what it was about to write into the gradebook.

It lies in `records/`, a file each, written whole or not at all:

- `KEY.json`: what came of running a hand-in (see `execution.execute`). KEY is a hash of all that follows from;
- `KEY.again`: the hand-in is to be run anew, whatever `KEY.json` says;
- `unfinished/LESSON/STUDENT.json`: the gradebook is being changed, and this is what people had judged in it before;
- `.LESSON.lock`: held by the one process that grades the lesson.

The secret from which all random cases follow lies in `received/.seed`.
"""

import contextlib
import secrets

from .course import CourseError, read_json, write_json, write_once


def path(course, key):
    """Where the record of an execution lies, or would lie."""
    return course.records / f"{key}.json"


def read(course, key):
    """The record of an execution, or None where there is none or a new one is asked for."""
    return None if _again(course, key).exists() else read_json(path(course, key))


def holds(course, key):
    """Would `read` find something? Without reading it."""
    return path(course, key).is_file() and not _again(course, key).exists()


def write(course, key, record):
    """Keep a record for good."""
    write_json(path(course, key), record)
    _again(course, key).unlink(missing_ok=True)


def ask_again(course, key):
    """Ask for a new record; the old one stays for those who read it meanwhile."""
    course.records.mkdir(parents=True, exist_ok=True)
    _again(course, key).touch()


def _again(course, key):
    return course.records / f"{key}.again"


# ---------------------------------------------------------------------------------------------------- changes of the gradebook


def begin(course, lesson, student, judged):
    """Note that the gradebook is about to change for a hand-in, and what people had judged in it before.

    Parameters
    ----------
    course : Course
    lesson, student : str
    judged : dict of str to list
        By cell its automatic score and its answer's text.

    Returns
    -------
    dict
        The same, completed by what a grader knew that was killed in the midst of its change.
    """
    file = _unfinished(course, lesson, student)
    known = {name: value for name, value in judged.items() if value[1] is not None}
    judged = judged | (read_json(file) or {}) | known
    write_json(file, judged)
    return judged


def end(course, lesson, student):
    """Note that the gradebook's change is done."""
    _unfinished(course, lesson, student).unlink(missing_ok=True)


def is_unfinished(course, lesson, student):
    """Was a grader killed while it changed the gradebook for this hand-in?"""
    return _unfinished(course, lesson, student).exists()


def _unfinished(course, lesson, student):
    return course.records / "unfinished" / lesson / f"{student}.json"


# ---------------------------------------------------------------------------------------------------- one grader at a time, one secret


@contextlib.contextmanager
def alone(course, lesson):
    """Keep other processes from grading a lesson meanwhile. The lock goes with the process, however that ends.

    Raises
    ------
    CourseError
        Where another process grades it now.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system, and no jails either
        yield
        return
    course.records.mkdir(parents=True, exist_ok=True)
    with (course.records / f".{lesson}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CourseError(f"Another process is grading {lesson} now. Let it finish, or stop it: what it has done is kept.") from None
        yield


def secret(course):
    """The secret of a course, made when it is first asked for."""
    file = course.received / ".seed"
    if not file.exists():
        with contextlib.suppress(FileExistsError):  # somebody else was faster
            write_once(file, secrets.token_hex(16))
    text = file.read_text(encoding="ascii").strip()
    if not text:
        raise CourseError(
            f"{file} is empty. The random cases follow from it: put it back from a copy, or remove it and grade everything anew."
        )
    return text
