"""Cells that are not what they were: tags, metadata, cells deleted, doubled, moved, flagged anew, renamed."""

import copy

from . import GENERIC, SCRATCH, Attack


def _find(notebook, name):
    return next(cell for cell in notebook["cells"] if cell["id"] == name)


def _tests(notebook):
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade")]


def tagged(*tags):
    def edit(notebook):
        for cell in notebook["cells"]:
            cell["metadata"]["tags"] = list(tags)
        return notebook

    return edit


def emptied(notebook):
    _find(notebook, "check-conv2d")["source"] = ""
    return notebook


def rewritten(notebook):
    _find(notebook, "check-conv2d")["source"] = "5.0"
    return notebook


def deleted(notebook):
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["id"] != "check-conv2d"]
    return notebook


def doubled(notebook):
    """The test, and once more, worth full points, before and after it."""
    place = notebook["cells"].index(_find(notebook, "check-conv2d"))
    forged = copy.deepcopy(notebook["cells"][place]) | {"source": "5.0"}
    notebook["cells"][place : place + 1] = [forged, notebook["cells"][place], copy.deepcopy(forged)]
    return notebook


def moved(notebook):
    """All tests first, while nothing that they look at is there."""
    tests = _tests(notebook)
    notebook["cells"] = tests + [cell for cell in notebook["cells"] if cell not in tests]
    return notebook


def backwards(notebook):
    notebook["cells"].reverse()
    return notebook


def flagged_as_answer(notebook):
    meta = _find(notebook, "check-conv2d")["metadata"]["nbgrader"]
    meta |= {"grade": True, "solution": True, "locked": False, "points": 5}
    _find(notebook, "check-conv2d")["source"] = "5.0"
    return notebook


def flagged_as_nothing(notebook):
    for cell in notebook["cells"]:
        cell["metadata"].pop("nbgrader", None)
    return notebook


def points_raised(notebook):
    for cell in _tests(notebook):
        cell["metadata"]["nbgrader"]["points"] = 1000
    return notebook


def names_exchanged(notebook):
    """The test that passes bears the name of the one that is worth more."""
    easy, hard = _find(notebook, "check-output-size"), _find(notebook, "check-conv2d")
    for key in ("id", "source"):
        easy[key], hard[key] = hard[key], easy[key]
    easy["metadata"]["nbgrader"]["grade_id"], hard["metadata"]["nbgrader"]["grade_id"] = "check-conv2d", "check-output-size"
    return notebook


def test_as(kind):
    def edit(notebook):
        cell = _find(notebook, "check-conv2d")
        cell["cell_type"] = kind
        cell.pop("outputs", None)
        cell.pop("execution_count", None)
        return notebook

    return edit


def answer_called_test(notebook):
    cell = _find(notebook, "ex-conv2d")
    cell["id"] = cell["metadata"]["nbgrader"]["grade_id"] = "check-conv2d"
    cell["source"] = "5.0"
    cell["metadata"]["nbgrader"] |= {"grade": True, "points": 5}
    return notebook


def bonus(notebook):
    extra = copy.deepcopy(_find(notebook, "check-output-size")) | {"id": "bonus", "source": "100"}
    extra["metadata"]["nbgrader"] |= {"grade_id": "bonus", "points": 100}
    notebook["cells"].append(extra)
    return notebook


def outputs_filled_in(notebook):
    for cell in _tests(notebook):
        points = cell["metadata"]["nbgrader"]["points"]
        cell["execution_count"] = 1
        cell["outputs"] = [
            {"output_type": "execute_result", "data": {"text/plain": str(points)}, "metadata": {}, "execution_count": 1},
        ]
    return notebook


def other_kernel(notebook):
    notebook["metadata"]["kernelspec"] = {"display_name": "Sh", "language": "sh", "name": "../../../../bin/sh"}
    notebook["metadata"]["language_info"] = {"name": "sh", "file_extension": ".sh"}
    return notebook


def checksums_forged(notebook):
    for cell in _tests(notebook):
        cell["source"] = str(cell["metadata"]["nbgrader"]["points"])
        cell["metadata"]["nbgrader"]["checksum"] = "0" * 32
    return notebook


def hostile_metadata(notebook):
    """Metadata of the wrong types everywhere."""
    for cell in notebook["cells"]:
        cell["metadata"]["nbgrader"] = {"grade": "yes", "grade_id": ["check-conv2d"], "points": "1e999", "solution": None, "task": {}}
    notebook["metadata"] = {"nbgrader": {"points": 10**30}, "widgets": "x" * 1000}
    return notebook


def ids_of_everything(notebook):
    """Every cell claims to be the same test."""
    for cell in notebook["cells"]:
        cell["id"] = "check-conv2d"
    return notebook


ATTACKS = (
    Attack(
        slug="tag-skip-execution",
        tries="A cell tag has the test not run at all, so that it ends without an error.",
        edit=tagged("skip-execution"),
    ),
    Attack(slug="tag-raises-exception", tries="A cell tag has errors forgiven.", edit=tagged("raises-exception", "remove-cell")),
    Attack(slug="tag-may-take", tries="A cell tag asks for more time.", edit=tagged("may-take-999-s")),
    Attack(slug="test-emptied", tries="The test cell is emptied: no error, no verdict.", edit=emptied),
    Attack(slug="test-rewritten", tries="The test cell is rewritten to give all points.", edit=rewritten),
    Attack(slug="test-deleted", tries="The test cell is deleted.", edit=deleted),
    Attack(slug="test-doubled", tries="Forged copies of the test stand before and after it, with its name.", edit=doubled),
    Attack(slug="tests-first", tries="All tests are moved before the answers.", edit=moved),
    Attack(slug="cells-backwards", tries="The whole notebook is turned around.", edit=backwards),
    Attack(slug="flagged-as-answer", tries="The test is flagged as an answer that carries points.", edit=flagged_as_answer),
    Attack(slug="flagged-as-nothing", tries="All of nbgrader's metadata is removed.", edit=flagged_as_nothing),
    Attack(slug="points-raised", tries="The tests are made worth 1000 points.", edit=points_raised),
    Attack(slug="names-exchanged", tries="The test that passes and the test worth more exchange names and texts.", edit=names_exchanged),
    Attack(slug="test-as-markdown", tries="The test becomes a cell of text.", edit=test_as("markdown")),
    Attack(slug="test-as-raw", tries="The test becomes a raw cell.", edit=test_as("raw")),
    Attack(slug="answer-called-test", tries="The answer cell takes the name of the test.", edit=answer_called_test),
    Attack(slug="bonus-test", tries="A test of the student's own gives 100 points more.", edit=bonus),
    Attack(slug="outputs-filled-in", tries="The tests come with results in their outputs.", edit=outputs_filled_in),
    Attack(slug="other-kernel", tries="The notebook asks for a kernel of its own choice.", edit=other_kernel),
    Attack(slug="checksums-forged", tries="Tests are rewritten and their checksums with them.", edit=checksums_forged),
    Attack(slug="metadata-of-wrong-types", tries="All metadata has the wrong types.", edit=hostile_metadata, spoils=True),
    Attack(slug="one-name-for-all", tries="Every cell claims to be the same test.", edit=ids_of_everything, spoils=True),
    Attack(
        slug="generic-tag-skip-execution",
        lesson=GENERIC,
        tries="In another instructor's course a tag has the tests not run.",
        edit=tagged("skip-execution"),
    ),
    Attack(
        slug="magic-around-the-rest",
        lesson=SCRATCH,
        tries="An answer cell opens a string or a magic that should swallow the test after it.",
        cells={"ex-conv2d": '%%capture --no-stdout --no-display\nconv2d = 1\nprint("""'},
    ),
    Attack(
        slug="results-shown-in-own-cells",
        tries="Cells of the student's own, right before and after the test, show results that look like its verdict.",
        own=(("check-conv2d", "5.0"), ("ex-2-2", "5.0")),
    ),
)
