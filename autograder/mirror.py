"""Text mirrors of the lessons: edit a lesson as a Python file, with the notebook in `solutions/` still the source of truth.

`make text` writes `solutions/NN_topic/NN_topic.py` (git ignores it); `make notebook` writes the notebook back from it.
The cells' ids travel as `id="..."` in each cell's header, so they stay as they are.
"""

import re
from pathlib import Path

import jupytext
import nbformat

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
KEPT_METADATA = ("nbgrader", "tags")


def write_text(notebook_path: Path) -> Path:
    """Write the text mirror of a notebook beside it and return its path."""
    notebook = nbformat.read(notebook_path, as_version=4)
    for cell in notebook.cells:
        cell.metadata["id"] = cell.id
    text_path = notebook_path.with_suffix(".py")
    notebook.metadata["jupytext"] = {"cell_metadata_filter": "id,nbgrader,tags,-all", "notebook_metadata_filter": "kernelspec,-all"}
    text_path.write_text(jupytext.writes(notebook, fmt="py:percent"), encoding="utf-8")
    return text_path


def write_notebook(text_path: Path) -> Path:
    """Write the notebook of a text mirror, clean: no outputs, the ids of the text, no metadata but nbgrader's and tags."""
    notebook = jupytext.read(text_path, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.metadata.get("id")
        if not name or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise ValueError(
                f'{text_path.name}: each cell needs id="letters-digits-dashes" in its header; got {name!r} above {cell.source[:60]!r}'
            )
        cell.id = name
        cell.metadata = {key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    ids = [cell.id for cell in notebook.cells]
    if len(ids) != len(set(ids)):
        raise ValueError(f"{text_path.name}: two cells share an id: {sorted({name for name in ids if ids.count(name) > 1})}")
    nbformat.validate(notebook)
    notebook_path = text_path.with_suffix(".ipynb")
    nbformat.write(notebook, notebook_path)
    return notebook_path
