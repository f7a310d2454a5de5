"""From what a student hands in to a notebook that is safe to grade.

Nothing here trusts the file: it is read with bounds, and of it only the text of cells is taken. Everything else (test cells,
tags, metadata, the order of the lesson's cells) comes from the release.
"""

import copy
import itertools
import json
from dataclasses import dataclass

import nbformat

LARGEST_FILE = 50_000_000  # bytes
MOST_CELLS = 10_000
MOST_OWN_CELLS = 1000
CELL_TYPES = ("code", "markdown", "raw")


class UnreadableError(Exception):
    """The file is no notebook; the message says why, as the end of a sentence that starts with "it"."""


@dataclass
class HandedIn:
    """A cell as it was handed in: its text, and the names by which it may be recognised."""

    kind: str
    text: str
    names: tuple = ()
    attachments: bool = False


def read_cells(data):
    """The cells in a handed-in file.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    cells : list of HandedIn
    mends : list of str
        What had to be put right to read them.

    Raises
    ------
    UnreadableError
    """
    mends = []
    notebook = _parse(data, mends)
    if not isinstance(notebook, dict):
        raise UnreadableError("holds JSON, but no notebook")
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):
        mends.append("the file is of the old notebook format 3: its cells were taken over")
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets if isinstance(sheet.get("cells"), list) for cell in sheet["cells"]]
    if not isinstance(cells, list):
        raise UnreadableError("holds JSON, but no list of cells")
    if len(cells) > MOST_CELLS:
        mends.append(f"it has {len(cells):,} cells: those after the first {MOST_CELLS:,} are left out")
    found = [_cell(cell) for cell in cells[:MOST_CELLS]]
    unfit = found.count(None)
    if unfit:
        mends.append(f"{unfit} of {len(cells)} cells {'is' if unfit == 1 else 'are'} malformed (no text, or none that is text): left out")
    return [cell for cell in found if cell is not None], mends


def _parse(data, mends):
    if len(data) > LARGEST_FILE:
        raise UnreadableError(f"is larger than {LARGEST_FILE // 1_000_000} MB")
    if not data.strip(b"\0 \t\r\n"):
        raise UnreadableError("is empty")
    text = _decode(data, mends)
    try:
        return json.loads(text)
    except RecursionError:
        raise UnreadableError("is no notebook: its JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        if text.lstrip()[:1] not in ("{", "["):
            raise UnreadableError("is no notebook: it holds no JSON") from None
        if not text[error.pos :].strip() or "Unterminated string" in error.msg:
            raise UnreadableError(f"is cut off after {len(data):,} bytes; the rest of it is missing") from None
        raise UnreadableError(f"is damaged: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise UnreadableError("is no notebook: a number in it has thousands of digits") from None


def _decode(data, mends):
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        mends.append("the file is not in UTF-8: read as Windows-1252, so some letters may be wrong")
        return data.decode("cp1252", errors="replace")


def _cell(cell):
    if not isinstance(cell, dict):
        return None
    text = cell.get("source", cell.get("input"))
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        text = "".join(text)
    kind = cell.get("cell_type")
    if not isinstance(text, str) or not isinstance(kind, str):
        return None
    if kind == "heading":  # format 3
        kind, text = "markdown", f"# {text}"
    if kind not in CELL_TYPES:
        return None
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written
    metadata = cell["metadata"] if isinstance(cell.get("metadata"), dict) else {}
    nbgrader = metadata["nbgrader"] if isinstance(metadata.get("nbgrader"), dict) else {}
    names = (nbgrader.get("grade_id"), cell.get("id"), metadata.get("id"))  # Colab keeps a cell's id in its metadata
    return HandedIn(kind, text, tuple(name for name in names if isinstance(name, str)), bool(cell.get("attachments")))


def is_test(cell):
    """Is this cell of a release a test cell?"""
    meta = cell.metadata.get("nbgrader", {})
    return bool(meta.get("grade") and not meta.get("solution"))


def _is_locked(cell):
    return bool(cell.metadata.get("nbgrader", {}).get("locked"))


def _is_answer(cell):
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def likeness(release, cells):
    """How many cells of a release a handed-in notebook has, by name or by text."""
    names = {name for cell in cells for name in cell.names}
    texts = {cell.text for cell in cells if len(cell.text) > 40}
    return sum(cell.id in names or cell.source in texts for cell in release.cells)


def rebuild(release, cells):
    """The release with a student's texts in it.

    An answer, and a cell that is not locked, gets the student's text; a locked cell keeps the release's. The student's own extra
    cells stay where they were among the others, and always before the test that follows, so that what they define still counts.

    Parameters
    ----------
    release : NotebookNode
        The notebook as the students got it.
    cells : list of HandedIn
        As `read_cells` gives them.

    Returns
    -------
    notebook : NotebookNode
    mends : list of str
        What was not as the release has it, and what was done about it.
    """
    mends = []
    partners = _partners(release, cells, mends)
    chosen, own = _choose(release, cells, partners, mends)
    notebook = copy.deepcopy(release)
    for index, cell in enumerate(notebook.cells):
        if index in chosen:
            _fill(cell, cells[chosen[index]], mends)
    _report_missing([cell for index, cell in enumerate(release.cells) if index not in chosen], mends)
    order = [chosen[index] for index in sorted(chosen)]
    if order != sorted(order):
        mends.append("cells had changed places: put back in the release's order")
    if len(own) > MOST_OWN_CELLS:
        mends.append(f"{len(own)} cells of the student's own: those after the first {MOST_OWN_CELLS} are left out")
    places = _places(release, partners)
    before = {}
    for number, position in enumerate(own[:MOST_OWN_CELLS], 1):
        before.setdefault(places[position], []).append(_own_cell(cells[position], number))
    notebook.cells = [
        cell for index in range(len(release.cells) + 1) for cell in (*before.get(index, ()), *notebook.cells[index : index + 1])
    ]
    nbformat.validate(notebook)
    return notebook, mends


def _partners(release, cells, mends):
    """For each handed-in cell the index of the release's cell that it is, or None: by name, else by text, else by its place."""
    by_name = {cell.id: index for index, cell in enumerate(release.cells)}
    partners = [next((by_name[name] for name in cell.names if name in by_name), None) for cell in cells]
    free = [index for index in range(len(release.cells)) if index not in partners]
    for position, cell in enumerate(cells):
        if partners[position] is None:
            same = next((i for i in free if (release.cells[i].cell_type, release.cells[i].source) == (cell.kind, cell.text)), None)
            if same is not None:
                partners[position] = same
                free.remove(same)
    for position, index in _by_place(release, cells, partners):
        partners[position] = index
        mends.append(f"{release.cells[index].id} had lost its name: recognised by its place")
    return partners


def _by_place(release, cells, partners):
    """Answers that have lost their names: between two known cells as many of a kind as the release has there."""
    known = [-1, *(position for position, partner in enumerate(partners) if partner is not None), len(cells)]
    taken = set(partners)
    for start, stop in itertools.pairwise(known):
        first = partners[start] if start >= 0 else -1
        last = partners[stop] if stop < len(cells) else len(release.cells)
        missing = [i for i in range(first + 1, last) if i not in taken and _is_answer(release.cells[i])]
        for kind in CELL_TYPES if missing else ():
            answers = [i for i in missing if release.cells[i].cell_type == kind]
            nameless = [position for position in range(start + 1, stop) if cells[position].kind == kind]
            if len(answers) == len(nameless):
                yield from zip(nameless, answers, strict=True)


def _choose(release, cells, partners, mends):
    """Which handed-in cell counts for each cell of the release, and which are the student's own."""
    candidates = {}
    for position, index in enumerate(partners):
        if index is not None:
            candidates.setdefault(index, []).append(position)
    own = [position for position, index in enumerate(partners) if index is None and cells[position].text.strip()]
    chosen = {}
    for index, positions in candidates.items():
        original = release.cells[index]
        changed = [position for position in positions if cells[position].text != original.source]
        if _is_locked(original):
            chosen[index] = next((position for position in positions if position not in changed), positions[-1])
            if len(positions) > 1:
                mends.append(f"{original.id} was there {len(positions)} times: only the release's own counts")
            continue
        chosen[index] = (changed or positions)[-1]
        if len(positions) == 1:
            continue
        own += changed[:-1]
        kept = ", the others are kept as cells of the student's own" if changed[:-1] else ""
        mends.append(f"{original.id} was there {len(positions)} times: the last one that differs from the release counts{kept}")
    return chosen, sorted(own)


def _fill(cell, handed_in, mends):
    """Put the student's text into a cell of the release, where that is the student's to change."""
    if _is_locked(cell):
        if handed_in.text.strip() != cell.source.strip():
            mends.append(f"{cell.id} had been changed, though it is locked: put back as released")
        return
    if handed_in.kind != cell.cell_type:
        mends.append(f"{cell.id} had become a {handed_in.kind} cell: its text was taken into a {cell.cell_type} cell")
    if handed_in.attachments:
        mends.append(f"{cell.id} had a picture pasted in, which is left out here: see the original")
    cell.source = handed_in.text


def _report_missing(missing, mends):
    mends += [f"{cell.id} was missing: put back as released" for cell in missing if "nbgrader" in cell.metadata]
    others = sum("nbgrader" not in cell.metadata for cell in missing)
    if others:
        mends.append(
            f"{others} cell{'s' * (others > 1)} of the lesson's text and examples {'were' if others > 1 else 'was'} missing: put back"
        )


def _places(release, partners):
    """For each handed-in cell the index of the release's cell before which it belongs, were it the student's own."""
    following, after = len(release.cells), []
    for partner in reversed(partners):
        after.append(following)
        following = following if partner is None else partner
    places, previous = [], -1
    for partner, following in zip(partners, reversed(after), strict=True):
        if partner is not None:
            places.append(partner)  # a spare copy goes before the one that counts
            previous = partner
        elif following <= previous:
            places.append(previous + 1)
        else:
            places.append(next((i for i in range(previous + 1, following) if is_test(release.cells[i])), following))
    return places


def _own_cell(cell, number):
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell, "raw": nbformat.v4.new_raw_cell}[cell.kind]
    return make(cell.text, id=f"students-own-{number}")


def note(text):
    """A cell for the top of a rebuilt notebook, which tells the student and the grader something."""
    return nbformat.v4.new_markdown_cell(text, id="note-on-this-hand-in")
