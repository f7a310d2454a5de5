"""What nbgrader's formgrader shows of hand-ins, made safe.

nbgrader puts students' text and outputs into its pages as they came, and a script in them would act with the instructor's rights. `Inert`
makes a notebook anew when a page is made of it: text that is text, tables, images. The notebook itself stays as it is, so that
this holds for those graded before too. The page's own policy would stop what came through all the same.
"""

import base64
import hashlib
import html
import re
from pathlib import Path

import nbgrader
from jinja2 import DictLoader
from nbconvert.preprocessors import Preprocessor
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from . import feedback, pages

SAFE_NAME = re.compile(r"[\w.-]{0,200}", re.ASCII)
SHOWN_OF_A_STUDENT = ("student", "first_name", "last_name", "notebook_path")
# nbgrader's page waits for MathJax before it loads any grade, and without a network would wait for ever
NO_MATHJAX = "<script>var MathJax = {Hub: {Startup: {signal: {Interest: function (told) { told('End'); }}}}};</script>"
TEMPLATE = Path(nbgrader.__file__).parent / "server_extensions/formgrader/templates/formgrade/formgrade_macros.html.j2"


class Inert(Preprocessor):
    """Make a notebook anew of what can do nothing, in a page that lets nothing be done.

    It stands in `nbgrader_config.py` for nbconvert's `HTMLExporter`, which makes the formgrader's pages and nbgrader's own feedback.
    """

    def __init__(self, **traits):
        super().__init__(**traits)
        exporter = self.parent
        exporter.filters = {**exporter.filters, "markdown2html": pages.markdown}
        # In the template, this is where MathJax would be fetched from the network, after nbgrader's own scripts and before all else.
        head = f"{{% macro mathjax() %}}{{% raw %}}{NO_MATHJAX}{_policy()}{{% endraw %}}{{% endmacro %}}"
        exporter.extra_loaders = [DictLoader({"mathjax.html.j2": head})]

    def preprocess(self, nb, resources):
        for name in SHOWN_OF_A_STUDENT:
            if isinstance(resources.get(name), str):
                resources[name] = html.escape(pages.visible(resources[name]))
        room = feedback.Room()
        return new_notebook(cells=[_cell(cell, room) for cell in nb.cells]), resources


def _policy():
    """A page's policy: no script but nbgrader's own, which are told by their hashes, and nothing from another machine."""
    own = TEMPLATE.read_text(encoding="utf-8").partition("macro nav")[2]  # what comes before has run when the policy begins to hold
    scripts = [*re.findall(r"<script[^>]*>(.*?)</script>", own, re.DOTALL), *re.findall(r'\bonclick="([^"]*)"', own)]
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in dict.fromkeys(scripts))
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(["'unsafe-hashes'", *(f"'sha256-{one}'" for one in hashes)]),
        "style-src": "'self' 'unsafe-inline'",
        "font-src": "'self'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    told = "; ".join(f"{name} {value}" for name, value in allowed.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{told}">'


def _cell(cell, room):
    source, meta = feedback.as_text(cell.get("source")), _metadata(cell)
    if cell.cell_type == "markdown":
        made = new_markdown_cell(source, metadata=meta)
    else:  # a raw cell is shown as code: as it was typed
        outputs = cell.get("outputs")
        count = cell.get("execution_count")
        made = new_code_cell(pages.visible(source), metadata=meta, execution_count=count if isinstance(count, int) else None)
        made.outputs = [_output(output, room) for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    if cell.get("id") and _is_name(cell.id):
        made.id = cell.id
    return made


def _metadata(cell):
    """What nbgrader says about a cell, where it is yes, no, numbers and names; no other metadata."""
    known = (cell.get("metadata") or {}).get("nbgrader")
    is_safe = isinstance(known, dict) and all(isinstance(value, bool | int | float) or _is_name(value) for value in known.values())
    return {"nbgrader": dict(known)} if is_safe else {}


def _is_name(value):
    return value is None or (isinstance(value, str) and SAFE_NAME.fullmatch(value) is not None)


def _output(output, room):
    """An output as plain text, as an image, or as paragraphs and tables."""
    kind, data = output.get("output_type"), output.get("data")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return new_output("stream", name=name, text=feedback.tidy(feedback.as_text(output.get("text"))))
    if kind == "error":
        lines = output.get("traceback")
        lines = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        told = "\n".join(lines) or f"{feedback.as_text(output.get('ename'))}: {feedback.as_text(output.get('evalue'))}"
        return new_output("error", ename="", evalue="", traceback=[feedback.tidy(told)])
    data = data if isinstance(data, dict) else {}
    plain = feedback.tidy(feedback.as_text(data.get("text/plain")))
    for mime in feedback.IMAGES:
        if mime in data:
            return _shown({"text/html": str(feedback.image(mime, feedback.as_text(data[mime]), plain, room))})
    marked = feedback.as_text(data.get("text/html"))
    clean = pages.inert(marked) if room.tags(marked) else ""
    if clean and clean.striptags().strip():
        return _shown({"text/html": str(clean)})
    return _shown({"text/plain": plain or "An output of a kind that is not shown here."})


def _shown(data):
    return new_output("display_data", data=data)
