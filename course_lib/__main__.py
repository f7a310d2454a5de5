"""`python -m course_lib lab|reset|data`: what `make lab`, `make reset` and `make data` run."""

import argparse
import sys
from pathlib import Path

from course_lib import workspace


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_lib", description="The course on your machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("lab", help="open the course in JupyterLab, on your own copies of the lessons")
    lab.add_argument("--port", type=int, help="listen on this port (a free one otherwise)")
    lab.add_argument("--no-browser", dest="browser", action="store_false", help="print the address instead of opening a browser")
    lab.add_argument("--work", type=Path, default=workspace.WORK, help="where your copies are (default: work/)")
    lab.add_argument(
        "--formgrader", type=Path, metavar="COURSE", help="open this folder of an instructor's instead, to grade with nbgrader's formgrader"
    )
    restart = commands.add_parser("reset", help="start a lesson again; your copy is kept under another name")
    restart.add_argument("lesson", help="a lesson's name or number")
    restart.add_argument("--work", type=Path, default=workspace.WORK, help="where your copies are (default: work/)")
    commands.add_parser("data", help="unpack and check the data")
    options = parser.parse_args(arguments)
    try:
        if options.command == "data":
            unpack_data()
        elif options.command == "reset":
            kept = workspace.reset(options.lesson, work=options.work)
            name = workspace.find_lesson(options.lesson)
            if kept:
                print(f"Your {name} is now in {kept}.")
            print(f"A new {name} is in {options.work / 'notebooks' / name}. If it is open in JupyterLab, close its tab and open it again.")
        elif options.formgrader:
            return workspace.start_formgrader(options.formgrader, options.port, options.browser)
        else:
            return workspace.start_lab(options.work, options.port, options.browser)
    except (workspace.WorkspaceError, OSError) as error:  # DataError is an OSError, and so is a full disk
        print(error, file=sys.stderr)
        return 1
    return 0


def unpack_data() -> None:
    """Unpack what is missing of the data, check the rest, and say so."""
    from course_lib.data import DATA, unpack_mnist  # here: the other commands need no NumPy

    written = unpack_mnist()
    print(f"MNIST in {DATA}: " + (f"{len(written)} files unpacked and checked." if written else "complete and unharmed."))


if __name__ == "__main__":
    sys.exit(main())
