"""Hand feedback back through nbgrader's exchange: python -m classroom.feedback LESSON (all lessons without it).

A page goes into the exchange under a name that follows from the secret that came with the hand-in, so that only its
student finds it. nbgrader's own `release_feedback` looks for that secret beside the page; here it is kept with the hand-in, in `received/`.
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from nbgrader.exchange.default import ExchangeReleaseFeedback
from nbgrader.utils import notebook_hash

from autograder.course import Course, CourseError
from autograder.feedback import hand_ins

SECRET = "submission_secret.txt"


def secret_of(course, student, lesson):
    """The secret that came with the hand-in which was graded; None where it came without, by another way than the exchange.

    Raises
    ------
    OSError
        When the file that was kept cannot be read.
    """
    record, _ = hand_ins(course, student, lesson)
    name = next((file["kept_as"] for file in record.get("files", ()) if Path(file["name"]).name == SECRET), None)
    if name is None:
        return None
    with open(course.received / student / lesson / record["kept"] / name, encoding="ascii", errors="replace") as file:
        return file.read(1000) or None


def hand_back(course, lesson):
    """Put the pages of a lesson's feedback into the exchange.

    Yields
    ------
    tuple of (str, str)
        A student, and why the page could not be put there; "" where it was.
    """
    exchange = ExchangeReleaseFeedback(coursedir=CourseDirectory(config=course.config, assignment_id=lesson), config=course.config)
    exchange.init_dest()
    folder = Path(exchange.dest_path)
    for page in sorted(course.folder("feedback").glob(f"[!.]*/{lesson}/{lesson}.html")):
        student = page.parents[1].name
        try:
            secret, problem = secret_of(course, student, lesson), "it did not come through the exchange"
        except OSError as error:
            secret, problem = None, f"the secret that came with it cannot be read ({error.strerror}: {error.filename})"
        if secret:
            target = folder / f"{notebook_hash(secret=secret, notebook_id=lesson)}.html"
            part = folder / f".{secrets.token_hex(8)}"
            part.write_bytes(page.read_bytes())
            os.chmod(part, 0o644)  # its name is what keeps it from others
            part.replace(target)
        yield student, "" if secret else problem


def main(arguments=None):
    """Hand back, and say what was done; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m classroom.feedback", description="Hand feedback back through nbgrader's exchange.")
    parser.add_argument("lesson", nargs="?", help="a lesson's name or number, such as 2 (default: all)")
    course = Course(Path.cwd())
    try:
        handed = [(lesson, *one) for lesson in course.choose(parser.parse_args(arguments).lesson) for one in hand_back(course, lesson)]
    except (CourseError, ExchangeError) as error:
        print(error, file=sys.stderr)
        return 2
    for lesson, student, problem in handed:
        print(f"{student:20} {lesson:28} {f'not handed back: {problem}' if problem else 'handed back'}")
    if not handed:
        print("There is no page yet: run `make feedback` first.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
