"""The zip that an instructor hands out: notebooks, library, data and set-up; no solutions, no grading, no tests."""

import re
import zipfile
from pathlib import Path

from .course import CourseError

TOP = "learning-to-see"
PARTS = (
    "notebooks/**/*",
    "course_lib/**/*",
    "data/README.md",
    "data/MNIST/raw/*.gz",
    "data/MNIST/raw/SHA256SUMS*",
    "book/images/*.png",  # the README's, as are the next
    "book/images/*.gif",
    ".gitignore",
    "LICENSE*",
    "Makefile",
    "README.md",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
)
FOR_OTHERS = ("Instructors", "Self-learners", "How fast it is")  # sections of the README that speak of what is not in the zip
LEFT_OUT = ("__pycache__", ".ipynb_checkpoints", "course_lib/jupyter/instructor")


def files(root):
    """What goes into the bundle, as paths relative to the course's folder, in order."""
    found = {path.relative_to(root) for part in PARTS for path in root.glob(part) if path.is_file()}
    return sorted((path for path in found if not any(left_out in path.as_posix() for left_out in LEFT_OUT)), key=Path.as_posix)


def for_students(readme):
    """The README without the sections and links that lead to what the zip does not hold."""
    sections = re.split(r"^(?=## )", readme, flags=re.MULTILINE)
    kept = "".join(section for section in sections if not section.startswith(tuple(f"## {name}" for name in FOR_OTHERS)))
    kept = re.sub(r"^make test .*\n", "", kept, flags=re.MULTILINE)
    kept = kept.replace("Both need", "It needs").replace(" Binder reads `.binder/`.", "")
    return re.sub(r" To change something:\n?\[CONTRIBUTING.md\]\(CONTRIBUTING.md\)\.", "", kept)


def write(target, course):
    """Write the bundle.

    The same files give the same bytes: in order, with one fixed time, and stored as they are (the data is compressed already, and
    compressors differ).

    Parameters
    ----------
    target : path_like
        The zip file.
    course : Course

    Returns
    -------
    tuple of (pathlib.Path, int)
        The zip, and how many files are in it.

    Raises
    ------
    CourseError
        When `notebooks/` is not what the solutions make.
    """
    from . import release

    stale = release.stale(course)
    if stale:
        raise CourseError(f"notebooks/ is out of date ({', '.join(stale)}): run `python -m autograder release` first.")
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    names = files(course.root)
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as bundle:
        for name in names:
            entry = zipfile.ZipInfo(f"{TOP}/{name.as_posix()}", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, wherever it is written, for the mode
            entry.external_attr = 0o100644 << 16
            data = (course.root / name).read_bytes()
            bundle.writestr(entry, for_students(data.decode()).encode() if name.as_posix() == "README.md" else data)
    partial.replace(target)
    return target, len(names)
