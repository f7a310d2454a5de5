"""What an instructor types: `python -m autograder COMMAND`."""

import argparse
import contextlib
import os
import shutil
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from .course import CONFIG, REPOSITORY, Course, CourseError, matching, parse_date

DESCRIPTION = """\
Run the course: release lessons, collect hand-ins, grade them, return feedback.

A term goes like this:

  python -m autograder release 01 --due "2026-03-01 23:59"
  python -m autograder collect ~/Downloads/hand-ins --lesson 01
  python -m autograder grade 01
  python -m autograder table
  python -m autograder feedback 01
  python -m autograder report

Answers in words are graded by hand, in nbgrader's formgrader (make formgrader), between grade and feedback.
"""


def main(argv=None):
    """Run a command. Returns the exit status: 0 when all is well, 1 when something needs a look, 2 when it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        with contextlib.redirect_stdout(_Unheard(sys.stdout)):
            try:
                return arguments.run(arguments)
            finally:
                sys.stdout.flush()
    except CourseError as error:
        print(f"autograder {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was done so far is kept; run the command again to go on.", file=sys.stderr)
        return 130


class _Unheard:
    """Standard output that falls silent when nobody reads it any more (`make table | head`): the command still ends its work."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        return self._try(self._stream.write, text)

    def flush(self):
        self._try(self._stream.flush)

    def _try(self, act, *what):
        try:
            return act(*what)
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # for what is buffered, too, until the interpreter ends
            os.close(nowhere)
            return len(*what) if what else None


def _parser():
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m autograder", description=DESCRIPTION, formatter_class=as_written)
    parser.add_argument("--course", type=Path, metavar="FOLDER", help=f"the course's folder, which holds {CONFIG} (default: this one)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, run, help, description):
        one = commands.add_parser(name, help=help, description=description, formatter_class=as_written)
        one.set_defaults(run=run)
        return one

    lesson = {"metavar": "LESSON", "help": "a lesson's name or number, such as 2 (default: all)"}
    student = {"metavar": "ID", "help": "only this student's"}

    one = command(
        "release",
        _release,
        "write notebooks/ from solutions/",
        "Write notebooks/ from solutions/: answers give way to stubs, outputs are cleared, the gradebook learns of the lessons.\n"
        "A lesson with something wrong in it (two cells of one name, a test that cannot be scored) is refused, and nothing is written.",
    )
    one.add_argument("lesson", nargs="?", **lesson)
    one.add_argument(
        "--due", metavar="DATE", help='when it is due, such as "2026-03-01 23:59" in local time; what comes later is marked late'
    )
    one.add_argument("--check", action="store_true", help="write nothing; say whether notebooks/ is what a release would write now")

    one = command(
        "collect",
        _collect,
        "take in what students handed in",
        "Take in hand-ins. FROM is one of these:\n\n"
        "  a folder       with one folder a student, named by the student's id, and in it whatever was handed in; or a zip of those\n"
        "  Moodle's zip   of all submissions of an assignment (Download all submissions), or that zip unpacked\n"
        "  Canvas's zip   of an assignment (Download submissions), or that zip unpacked\n"
        "  an exchange    of nbgrader: its folder, a course's folder in it, or inbound/\n"
        "  one notebook   that came by mail, say: with --student ID, and --at for when\n\n"
        "Everything is kept as it came under received/. What will be graded is rebuilt from the release with the student's answers in\n"
        "it, under submitted/; what had to be mended is listed, and so is every file that was left out, with the reason.\n\n"
        "Without --roster a student of Moodle's goes by name, and one of Canvas's by the number that Canvas gives. With it both go by\n"
        "your own ids (ID number, SIS User ID), grades can be imported there again, Moodle's times of handing in are known, and everybody\n"
        "in it is entered into the gradebook, so that who is missing is known. Moodle's times name no time zone: they are read in this\n"
        "machine's. Where Moodle's is another, say so: TZ=Europe/Berlin make collect ...",
    )
    one.add_argument("source", type=Path, metavar="FROM", help="a folder or a zip")
    one.add_argument("--lesson", metavar="LESSON", help="what they were handed in for (default: each notebook's own cells tell)")
    one.add_argument("--student", metavar="ID", help="whose it is, where FROM is one notebook")
    one.add_argument("--at", metavar="DATE", help="when they were handed in (default: as the exchange, the roster or the files say)")
    one.add_argument(
        "--roster", type=Path, metavar="CSV", help="Moodle's grading worksheet of the assignment, or Canvas's gradebook export"
    )

    one = command(
        "remove",
        _remove,
        "take a hand-in out of the course",
        "Take a student's hand-in for a lesson out of the gradebook and of submitted/, autograded/ and feedback/. What the student handed\n"
        "in moves from received/ to removed/, and can be collected from there again; points given by hand go.",
    )
    one.add_argument("lesson", metavar="LESSON", help="a lesson's name or number, such as 2")
    one.add_argument("--student", required=True, metavar="ID", help="whose")

    one = command(
        "grade",
        _grade,
        "grade what is new or changed",
        "Run and grade hand-ins, a few at a time, each in a jail (Linux with bubblewrap): no network, no file of yours, bounded memory.\n"
        "Those graded before and unchanged since are left alone. A cell that takes too long is stopped and the rest goes on. What\n"
        "cannot be graded counts zero, with the reason, and stops nothing else. Ctrl-C ends it at any time; all that is done is kept,\n"
        "and the next `grade` goes on from there.\n\n"
        "Hand-ins run in processes of this machine, or with --scheduler in the workers of a Dask cluster. Start those in the course's\n"
        "folder on each machine: .venv/bin/python -m distributed.cli.dask_worker ADDRESS --nthreads 1 --nworkers 4. They need the same\n"
        "version of the course and no files of the class. Whoever can reach the scheduler can run code on its workers: let it talk TLS\n"
        "(Dask's own settings, distributed.comm), or keep it on a network of its own.",
    )
    one.add_argument("lesson", nargs="?", **lesson)
    one.add_argument("--student", **student)
    one.add_argument("--workers", type=_count, metavar="N", help="how many run at a time (default: one a processor)")
    one.add_argument("--scheduler", metavar="ADDRESS", help="run them on a Dask cluster, such as tcp://10.0.0.1:8786")
    one.add_argument("--regrade", action="store_true", help="grade also what is graded and unchanged; points given by hand stay")
    one.add_argument(
        "--unsafe", action="store_true", help="run students' code outside of the jail: it may then do on this machine whatever you may"
    )

    one = command(
        "status",
        _status,
        "say where each lesson stands, and what to do next",
        "Count by lesson the hand-ins that are graded, stale (the hand-in, the release, the tests, the library or the settings have\n"
        "changed since), not graded yet, or failed, the students who handed in nothing, and the answers that wait to be graded by hand.",
    )
    one.add_argument("lesson", nargs="?", **lesson)
    one.add_argument("--students", action="store_true", help="say also who")

    command(
        "doctor",
        _doctor,
        "say what this machine can guarantee",
        "Try out what grading relies on, and say what is missing and how to get it. Ends with 1 if `grade` would refuse to work.",
    )

    one = command(
        "feedback",
        _feedback,
        "write feedback/ for what is graded",
        "Write a page for each graded hand-in: the student's own work with verdicts, hints, points and comments, in one file that\n"
        "runs nothing and asks for nothing when it is opened: feedback/STUDENT/LESSON/LESSON.html. What came from Moodle goes back there\n"
        "with feedback/moodle_LESSON.zip (Upload multiple feedback files in a zip).",
    )
    one.add_argument("lesson", nargs="?", **lesson)
    one.add_argument("--student", **student)

    one = command(
        "report",
        _report,
        "write report/ about the class",
        "Write pages to look at (how many points, which exercise, which misconception how often, what separates badly, how long it ran,\n"
        "who is missing) and CSV files: all scores, all misconceptions, gradebooks to import into Canvas and Moodle, and the grading\n"
        "worksheets that `collect --roster` was given, with the grades in them, to upload to their assignments in Moodle. With LESSON\n"
        "they are about that lesson alone, so that an import touches no other grade. All of it holds students' data: it stays in\n"
        "report/, and the pages ask for nothing from the network.",
    )
    one.add_argument("lesson", nargs="?", **lesson)

    one = command(
        "table", _table, "print where the class stands", "Print each student's points, automatic and by hand, with state and notes."
    )
    one.add_argument("lesson", nargs="?", **lesson)
    one.add_argument("--student", **student)
    one.add_argument("--notes", action="store_true", help="print all notes: every mend, and every cell that had to be stopped")

    one = command(
        "demo",
        _demo,
        "a made-up class, from release to feedback",
        "Build a class of made-up students in demo/ (made anew each time), release, collect, grade, write feedback, print the\n"
        "table, and compare every score with what it must be. Ends with 1 if one differs. It takes about ten minutes on two cores, and no\n"
        "network.",
    )
    one.add_argument("--folder", type=Path, default=REPOSITORY / "demo", help="where (default: demo/)")

    one = command(
        "bundle",
        _bundle,
        "build the zip that students get",
        "Build the zip to hand out: notebooks, library, data and set-up, but no solutions, no grading and no tests.",
    )
    one.add_argument(
        "--to", type=Path, default=REPOSITORY / "dist" / "learning-to-see.zip", metavar="FILE", help="default: dist/learning-to-see.zip"
    )

    one = command("text", _text, "write text mirrors of the solutions", "Write LESSON.py beside each solution, to edit a lesson as text.")
    one.add_argument("lesson", nargs="?", **lesson)
    one = command("notebook", _notebook, "write the solutions back from their text", "Write LESSON.ipynb in solutions/ from its LESSON.py.")
    one.add_argument("lesson", nargs="?", **lesson)
    return parser


def _course(arguments):
    here = Path.cwd()
    return Course(arguments.course or (here if (here / CONFIG).is_file() else REPOSITORY))


def _release(arguments):
    from . import release

    course = _course(arguments)
    lessons = course.choose(arguments.lesson)
    if arguments.check:
        stale = release.stale(course)
        for name in stale:
            print(f"out of date: {course.folder('release').name}/{name}")
        print("Run: python -m autograder release" if stale else f"{course.folder('release').name}/ is up to date.")
        return 1 if stale else 0
    due = parse_date(arguments.due) if arguments.due else None
    dates = {}
    for lesson, changed in release.release(course, lessons, due).items():
        automatic, manual = release.points(course.notebook("release", lesson))
        if automatic or manual:
            dates.setdefault(release.due_date(course, lesson), []).append(lesson)
        print(f"{lesson:32} {'released' if changed else 'unchanged':10} {automatic:g} points automatic, {manual:g} by hand")
    if due:
        is_past = due < datetime.now(UTC)
        print(f"Due {due:%Y-%m-%d %H:%M %Z}." + (" That is in the past: what was handed in after it counts as late." if is_past else ""))
    for when, names in {} if due else dates.items():
        print((f"Due {when:%Y-%m-%d %H:%M %Z}, as before: " if when else "No due date: ") + ", ".join(names) + ".")
    return 0


def _collect(arguments):
    from . import intake, moodle

    course = _course(arguments)
    lesson = course.choose(arguments.lesson, "release")[0] if arguments.lesson else None
    at = parse_date(arguments.at) if arguments.at else None
    states, lessons, rows = Counter(), Counter(), {}
    times_of_zips, newer = False, 0
    for outcome in intake.collect(course, arguments.source, lesson, at, arguments.roster, arguments.student):
        if outcome.row:
            rows.setdefault(outcome.row, set()).add(outcome.state)
        if outcome.state in ("missing", "before") and not outcome.notes:
            continue  # counted below
        states[outcome.state] += 1
        lessons[outcome.lesson] += outcome.state in ("collected", "unchanged", "older")
        record = outcome.record
        newer += intake.NEWER in outcome.notes
        times_of_zips |= outcome.state == "collected" and record["from"]["time"] == "zip"
        when = f"{record['handed_in']}  {intake.shown(record['chosen'])}" if record.get("chosen") else ""
        print(f"{outcome.student:20} {outcome.lesson or '':32} {outcome.state:10} {when}".rstrip())
        problem = [f"NOT READ: {record['problem']} It counts as not done."] if record.get("problem") else []
        notes = (
            outcome.notes
            if outcome.state == "unchanged"
            else [*problem, *outcome.notes, *record.get("notes", ()), *record.get("mends", ())]
        )
        for note in notes:
            print(f"    {note}")
    theirs = lesson or next((name for name, count in lessons.most_common(1) if count), None)
    if arguments.roster and theirs:
        moodle.keep_worksheet(course, arguments.roster, theirs)
    left_out = states["refused"] + states["unsorted"] + states["no file"]
    print(", ".join(f"{count} {state}" for state, count in states.items()) + "." if states else "There is nothing to collect.")
    if left_out:
        print(f"{left_out} of them will not be graded; the lines above say why.")
    if times_of_zips:
        print(
            "The times above are those of the zip: the platform writes when it made the zip, not when students handed in (but what Canvas "
            "does not call late counts as in time). If lateness matters, collect again with --at, or with Moodle's worksheet as --roster."
        )
    if newer:
        print(
            f"{newer} of them: the file is newer than the time in the worksheet, which counts all the same. If lateness matters, download "
            "the worksheet again and collect once more."
        )
    if rows:
        print(_in_roster(rows))
    return 1 if left_out else 0


def _in_roster(rows):
    """A line about everybody in a roster: what has come of each."""
    kinds = {
        "collected": {"collected", "unchanged", "older"},
        "without a file": {"no file"},
        "not taken": {"refused", "unsorted", "ungraded", "skipped"},
        "collected before": {"before"},
    }
    counts = Counter(next((kind for kind, those in kinds.items() if states & those), "missing") for states in rows.values())
    told = [f"{counts[kind]} {kind}" for kind in kinds if counts[kind]]
    if counts["missing"]:
        told.append(f"{counts['missing']} {'has' if counts['missing'] == 1 else 'have'} not handed in")
    return f"{len(rows)} in the worksheet: {', '.join(told)}."


def _remove(arguments):
    from . import remove

    course = _course(arguments)
    lesson = course.choose(arguments.lesson, "release")[0]
    place, judged = remove.remove(course, lesson, arguments.student)
    print(f"{arguments.student}'s hand-in for {lesson} is out of the course.")
    if judged:
        print("Points given by hand went with it: " + ", ".join(f"{name} {points:g}" for name, points in judged.items()) + ".")
    if place:
        place = place.relative_to(course.root)
        print(f"What was handed in lies in {place}/ now. To take it in again: make collect FROM={place} LESSON={lesson}")
    print("Pages and tables written before still have it: make feedback and make report write them anew.")
    return 0


def _count(text):
    if not text.isdecimal() or not 0 < int(text) < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999")
    return int(text)


def _grade(arguments):
    from . import cluster, grading
    from .progress import Progress

    if arguments.workers and arguments.scheduler:
        raise CourseError("Give --workers or --scheduler: a cluster has the workers that it has.")
    course = _course(arguments)
    lessons, student = course.choose(arguments.lesson, "release"), arguments.student
    names = [(name, lesson) for lesson in lessons for name in grading.handed_in(course, lesson) if student in (None, name)]
    counts, graded = Counter(), []
    with (
        cluster.Pool(arguments.workers, arguments.scheduler) as pool,
        Progress(len(names)) as progress,
        contextlib.closing(grading.grade(course, lessons, student, arguments.regrade, arguments.unsafe, pool)) as outcomes,
    ):
        for one in outcomes:
            counts[one.state] += 1
            if one.state == "unchanged":
                progress.skip()
                continue
            progress.count(failed=one.state != "graded")
            graded.append((one.student, one.lesson))
            if one.notes or not progress.live:
                head = f"{one.student:20} {one.lesson:32} {one.state:8} {one.seconds:5.1f} s"
                progress.print(head, *(f"    {note}" for note in one.notes))
    if graded:
        rows = grading.table(course, lessons, student)
        grading.print_points([row for row in rows if (row.student, row.lesson) in set(graded)], shutil.get_terminal_size().columns)
        print()
    print(", ".join(f"{count} {state}" for state, count in counts.items()) + "." if counts else "There is nothing to grade.")
    return 1 if counts["failed"] + counts["replaced"] else 0


def _status(arguments):
    from . import status

    course = _course(arguments)
    found = status.standings(course, course.choose(arguments.lesson, "release"))
    if not found:
        raise CourseError("No lesson with points is released yet: run `python -m autograder release` first.")
    status.print_standings(found, arguments.lesson, arguments.students)
    return 0


def _doctor(arguments):
    from . import sandbox

    found = sandbox.guarantees()
    for one in [*found, sandbox.warmth()] if found[0].kept else found:
        print(f"{'yes' if one.kept else 'NO' if one.needed else 'no':4} {one.name}" + ("" if one.kept else f"\n     {one.remedy}"))
    if not sandbox.missing():
        print("This machine can grade.")
        return 0
    print("`grade` refuses to work here; `grade --unsafe` runs students' code with your rights all the same.")
    return 1


def _feedback(arguments):
    from . import feedback, moodle

    course = _course(arguments)
    lessons = course.choose(arguments.lesson, "release")
    status, count = 0, 0
    for student, lesson, problem in feedback.feedback(course, lessons, arguments.student):
        print(f"{student:20} {lesson:32} {problem or course.folder('feedback').name + f'/{student}/{lesson}/{lesson}.html'}")
        status, count = status or int(problem is not None), count + 1
    if not count:
        print("Nothing is graded yet: run `python -m autograder grade` first.")
        return status
    for lesson in lessons:
        path, pages = moodle.feedback_zip(course, lesson)
        if path:
            told = f'{pages} page{"s" * (pages != 1)}, for "Upload multiple feedback files in a zip" in Moodle'
            print(f"{path.relative_to(course.root)}: {told}.")
    answers, students = feedback.waiting(course, lessons, arguments.student)
    if answers:
        print(
            f"{answers} answer{'s' * (answers != 1)} of {students} hand-in{'s' * (students != 1)} still to be graded by hand (make "
            "formgrader): these pages say so. Write them again when that is done."
        )
    return status


def _report(arguments):
    from . import report

    course = _course(arguments)
    written, remarks = report.report(course, course.choose(arguments.lesson, "release"))
    for line in (*(path.relative_to(course.root) for path in written), *remarks):
        print(line)
    return 0


def _table(arguments):
    from . import grading

    course = _course(arguments)
    rows = grading.table(course, course.choose(arguments.lesson, "release"), arguments.student)
    if rows:
        grading.print_table(rows, arguments.notes)
    else:
        print("Nobody has handed in anything yet.")
    return 0


def _demo(arguments):
    from . import demo

    return demo.run(arguments.folder)


def _bundle(arguments):
    from . import bundle

    course = _course(arguments)
    path, count = bundle.write(arguments.to or course.root / "dist" / "learning-to-see.zip", course)
    print(f"{path}: {count} files, {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _text(arguments):
    from . import mirror

    course = _course(arguments)
    for lesson in course.choose(arguments.lesson):
        print(mirror.write_text(course.notebook("source", lesson)))
    return 0


def _notebook(arguments):
    from . import mirror

    source = _course(arguments).folder("source")
    texts = sorted(path for path in source.glob("*/*.py") if path.stem == path.parent.name)
    chosen = [path for path in texts if arguments.lesson is None or path.stem in matching(arguments.lesson, [path.stem for path in texts])]
    if not chosen:
        raise CourseError(f"{source.name}/ has no text mirror{f' of {arguments.lesson}' if arguments.lesson else ''}. Write one: make text")
    for path in chosen:
        try:
            print(mirror.write_notebook(path))
        except ValueError as error:
            raise CourseError(str(error)) from error
    return 0
