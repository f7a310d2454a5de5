"""Make the book: run the lessons, lay out its pages in a folder of their own, and have Sphinx build the site from them.

    python -m book.build              the whole book, from solutions/ with model answers folded: book/_build/book
    python -m book.build --student    the student's book, from notebooks/, without answers:      book/_build/student

What is made stays in `book/_build/`, which git ignores. A lesson runs again only when it or the library has changed.
"""

import argparse
import asyncio
import copy
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
BUILT = BOOK / "_build"
AT_ONCE = 2  # lessons that run, and pages that are written
CELL_SECONDS = 900  # the longest training takes two minutes on two free cores
WIDGET = "application/vnd.jupyter.widget-view+json"
MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)
OPENS = '<details class="answer"><summary>Show a model answer</summary>'
FOR_INSTRUCTORS = "Instructors"  # the part of the first page, and below it the pages, that are not for students
INSTRUCTORS_PAGES = ("instructors_guide.md", "classroom.md")


class BookError(Exception):
    """What is wrong and what to do about it, in plain words."""


def lessons(source):
    """The notebooks of `solutions` or `notebooks`, in order."""
    return sorted(path for path in (ROOT / source).glob("*/*.ipynb") if path.parent.name == path.stem)


# ---------------------------------------------------------------------------------------------------- running


def fingerprint(path):
    """Everything that a lesson's outputs depend on: its cells, the library, and the versions of what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    library = (file for file in (ROOT / "course_lib").rglob("*") if file.is_file() and file.suffix not in (".pyc", ".pyo"))
    for file in [path, ROOT / "requirements.lock", *sorted(library)]:
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def patience(notebook):
    """Seconds that a lesson says its slow cells may take: the longest lessons start first."""
    tags = (tag for cell in notebook.cells for tag in cell.metadata.get("tags", ()))
    return sum(int(found[1]) for found in (re.fullmatch(r"may-take-(\d+)-s", tag) for tag in tags) if found)


async def run(path, forgiving):
    """Run a notebook in a folder of its own; with `forgiving` a cell that raises is no failure."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=CELL_SECONDS, kernel_name="python3", allow_errors=forgiving, resources={"metadata": {"path": folder}}
        )
        try:
            await client.async_execute(stderr=subprocess.DEVNULL)  # where a kernel tells of its own affairs
        except CellExecutionError as error:
            raise BookError(f"{path.parent.parent.name}/{path.name} does not run:\n{error}") from None
    return notebook


async def run_all(paths, forgiving):
    """The notebooks with their outputs, from `book/_build/runs` where nothing has changed since."""
    runs, places, done = BUILT / "runs", asyncio.Semaphore(AT_ONCE), {}
    runs.mkdir(parents=True, exist_ok=True)

    async def one(path):
        kind = path.parent.parent.name
        kept = runs / f"{kind}-{path.stem}-{fingerprint(path)}.ipynb"
        if not kept.exists():
            async with places:
                print(f"Running {kind}/{path.stem} ...", flush=True)
                notebook = await run(path, forgiving)
            part = kept.with_suffix(f".{os.getpid()}")
            nbformat.write(notebook, part)
            for old in runs.glob(f"{kind}-{path.stem}-*.ipynb"):
                old.unlink(missing_ok=True)
            part.replace(kept)
        done[path] = nbformat.read(kept, as_version=4)

    await asyncio.gather(*(one(path) for path in sorted(paths, key=lambda path: -patience(nbformat.read(path, as_version=4)))))
    return done


# ---------------------------------------------------------------------------------------------------- pages


def is_answer(cell):
    """Is this a cell that a student fills in?"""
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def is_test(cell):
    """Is this a cell that judges an answer?"""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade")) and not meta.get("solution")


def tidy(notebook):
    """Take out what needs a kernel: a page shows the still pictures of explorers instead."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output.data.pop(WIDGET, None)
    return notebook


def folded(notebook, blank):
    """A lesson with its answers folded: the cell as students get it, and below it what opens.

    Parameters
    ----------
    notebook : NotebookNode
        From `solutions/`.
    blank : NotebookNode
        The same lesson from `notebooks/`.
    """
    blanks = {cell.id: cell for cell in blank.cells}
    unreleased = [cell.id for cell in notebook.cells if is_answer(cell) and cell.id not in blanks]
    if unreleased:
        raise BookError(f"notebooks/ has no cell {unreleased[0]!r} yet: run `make release` first.")
    cells = []
    for cell in notebook.cells:
        if is_answer(cell) and cell.cell_type == "markdown":
            cell.source = f"{OPENS}\n\n{cell.source.removeprefix('**Model answer.**').strip()}\n\n</details>"
        if is_answer(cell) and cell.cell_type == "code":
            cell.source = MARKER.sub("", cell.source)
            opening, closing = nbformat.v4.new_markdown_cell(OPENS), nbformat.v4.new_markdown_cell("</details>")
            cells += [copy.deepcopy(blanks[cell.id]), opening, cell, closing]
            cell.id += "-answer"
        else:
            cells.append(cell)
    notebook.cells = cells
    return notebook


def open_questions(notebook):
    """A lesson for students: nothing stands below a cell that waits for an answer, judges one, or stops for want of one."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and (is_answer(cell) or is_test(cell) or any(o.output_type == "error" for o in cell.outputs)):
            cell.outputs = []
    return notebook


def without_section(text, title):
    """A Markdown page without the section of this title."""
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join(section for section in sections if not section.startswith(f"## {title}\n"))


def lay_out(pages, student, only=None):
    """Write all pages into the folder `pages`; `only` names the lessons to run, all by default."""
    source = lessons("notebooks" if student else "solutions")
    ran = asyncio.run(run_all([path for path in source if only is None or path.stem in only], forgiving=student))
    (pages / "lessons").mkdir(parents=True)
    for path in source:
        notebook = tidy(ran.get(path) or nbformat.read(path, as_version=4))
        blank = nbformat.read(ROOT / "notebooks" / path.stem / path.name, as_version=4)
        nbformat.write(open_questions(notebook) if student else folded(notebook, blank), pages / "lessons" / path.name)
    for page in BOOK.glob("*.md"):
        if not (student and page.name in INSTRUCTORS_PAGES):
            text = page.read_text(encoding="utf-8")
            (pages / page.name).write_text(without_section(text, FOR_INSTRUCTORS) if student else text, encoding="utf-8")
    shutil.copytree(BOOK / "images", pages / "images", ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def build(target, student=False, only=None):
    """Build the book into the folder `target`, from nothing: no page of an earlier build stays.

    Parameters
    ----------
    target : pathlib.Path
    student : bool
        Whether to leave out the answers.
    only : collection of str, optional
        The lessons to run; the others are shown without outputs. By default all are run.

    Raises
    ------
    BookError
        When Sphinx fails or warns, or a lesson does.
    """
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder, "pages")
        lay_out(pages, student, only)
        shutil.rmtree(target, ignore_errors=True)
        options = ["--builder", "html", "--fail-on-warning", "--keep-going", "--quiet", "--jobs", str(AT_ONCE)]
        options += ["--conf-dir", str(BOOK), "--doctree-dir", f"{folder}/doctrees", *(["--tag", "student"] if student else [])]
        if subprocess.run([sys.executable, "-m", "sphinx", *options, str(pages), str(target)], cwd=ROOT).returncode:
            raise BookError("The book was not built without a warning; the lines above say why.")
    (target / ".buildinfo").unlink(missing_ok=True)


def main():
    """What `make book` and `make book-student` do; return the exit status."""
    parser = argparse.ArgumentParser(description="Make the book.")
    parser.add_argument("--student", action="store_true", help="from notebooks/, without answers")
    student = parser.parse_args().student
    # each lesson has a core to itself: two that share two cores by threads are slower
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    target = BUILT / ("student" if student else "book")
    try:
        build(target, student)
    except BookError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print(f"Open {(target / 'index.html').relative_to(ROOT)} in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
