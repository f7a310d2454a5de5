"""What a student's kernel gets to see while it is graded: the library without its secrets, and a service that refuses when it must."""

import inspect
import json
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from grading_course import REPOSITORY, code, solution, test_cell
from nbformat.v4 import new_notebook, writes

from autograder import edition
from autograder.execution import execute
from course_lib import arithmetic, checks, convolution, data, pooling

KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def graded(*cells, release=None):
    """The record of a notebook of these cells."""
    notebook = writes(new_notebook(cells=list(cells), metadata=KERNEL))
    released = writes(new_notebook(cells=list(release if release is not None else cells), metadata=KERNEL))
    settings = {"timeout": 60, "notebook_seconds": 240}
    return execute({"lesson": "x", "notebook": notebook, "release": released, "seed": 7, "settings": settings, "unsafe": False})


LOOKS = {  # what a cell of the student's says, in a lesson that imports no torch: what it must show
    "import course_lib; course_lib.conv2d([[[1, 2], [3, 4]]], [[[[1, 1]]]]).tolist()": "[[[3], [7]]]",
    "from course_lib import output_size; output_size(28, 5, padding=2)": "28",
    "from course_lib.pooling import max_pool2d; max_pool2d([[[1, 5], [3, 4]]]).item()": "5",
    "from course_lib.convolution import convolution_matrix; convolution_matrix([[[[1, 2]]]], (1, 1, 3)).toarray().tolist()": "[[1, 2, 0]",
    "course_lib.conv2d([1], [2])": "ValueError",
    "course_lib.convolution.conv2d.__doc__[:20]": "'Convolve images with",
    "from course_lib import check; check('4.1', 3)": "The grader checks this answer itself",
    "from course_lib import hint; hint('4.1')": "The grader checks this answer itself",
    "from course_lib.checks import EXERCISES; EXERCISES": "{}",
    "import course_lib.checks.lesson_02": "ModuleNotFoundError",
    "import course_lib.checks.exercise": "ModuleNotFoundError",
    "import inspect; 'sliding' in inspect.getsource(course_lib.convolution)": "True",  # by name only
    "inspect.getsource(course_lib.convolution.conv2d).count('\\n') < 6": "True",
    "from course_lib.models import LeNet5": "ImportError",
    "from course_lib.layers import softmax_cross_entropy": "ImportError: This lesson is worked without course_lib.layers",
    "import os; sorted(os.listdir('/grading/jailed'))": "['__init__.py', 'library.py', 'servant.py', 'wire.py']",
    "import torch": "ImportError: This lesson is worked without torch",
    "import scipy.signal": "ImportError: This lesson is worked without scipy",
    "import torchvision": "ImportError",
    "from course_lib import load_mnist; test = load_mnist('test'); [part.shape for part in test]": "[(10000, 28, 28), (10000,)]",
    "train = load_mnist('train'); bool((train[0][50_000:] == test[0]).all() and (train[1][50_000:] == test[1]).all())": "True",
    "course_lib.load_photo().shape": "(600, 512)",
    "import numpy as np; rng = np.random.default_rng(0)": "",
    "import os; sorted(os.environ)": "'COURSE_LIBRARY'",
    "[name for name in os.environ if 'SEED' in name or 'NBGRADER' in name]": "[]",
    f"os.path.exists({str(REPOSITORY / 'autograder')!r})": "False",
    f"len(os.listdir({str(data.DATA / 'MNIST' / 'raw')!r})) == 4": "True",
}


def shown(cell):
    return " ".join(
        f"{output['ename']}: {output['evalue']}" if output["output_type"] == "error" else str(output.get("text") or output.get("data"))
        for output in cell["outputs"]
    )


@pytest.fixture(scope="module")
def seen():
    record = graded(*(code(f"look-{number}", look) for number, look in enumerate(LOOKS)), release=[])
    assert record["restarts"] == 0
    return {look: shown(record["cells"][f"look-{number}"]) for number, look in enumerate(LOOKS)}


@pytest.mark.parametrize("look", LOOKS)
def test_a_graded_kernel_sees_the_edition(seen, look):
    assert LOOKS[look] in seen[look]


def test_a_lesson_that_imports_torch_has_it_and_the_networks_that_are_nobodys_answer():
    looks = [f"from course_lib.models import {name}" for name in ("MLP", "LeNet5", "DepthwiseSeparable")]
    record = graded(
        code("a", "import torch\ntorch.ones(2).sum().item()"), *(code(f"look-{number}", look) for number, look in enumerate(looks))
    )
    assert [shown(cell)[:11] for cell in record["cells"].values()] == ["{'text/plai", "", "ImportError", "ImportError"]
    assert "2.0" in shown(record["cells"]["a"])


BORROWED = "import course_lib\ndef conv2d(image, kernel):\n    return course_lib.conv2d(image[None], kernel[None, None])[0]"
KEPT = BORROWED.replace("import course_lib", "from course_lib import conv2d as library").replace("course_lib.conv2d(", "library(")


@pytest.mark.parametrize("source", [BORROWED, KEPT], ids=["called", "kept from before"])
def test_the_librarys_answer_is_no_answer(source):
    cells = [solution("ex", source), test_cell("check", 'check("conv2d", conv2d)', 5)]
    record = graded(*cells, release=[code("set-up", "from course_lib import check"), *cells])
    assert record["verdicts"]["check"]["points"] == 0
    assert "conv2d of the library cannot be called here" in record["verdicts"]["check"]["message"]


def test_what_the_library_counts_in_passing_is_no_answer():
    count = """def conv_macs(cin, cout, kh, kw, oh, ow, groups=1):
    return trace(nn.Conv2d(cin, cout, (kh, kw), groups=groups), (cin, oh + kh - 1, ow + kw - 1)).layers[0].macs"""
    given = "from torch import nn\nfrom course_lib import check\nfrom course_lib.models import trace"
    cells = [solution("ex", count), test_cell("check", 'check("conv_macs", conv_macs)', 1)]
    before = code("own", "trace(nn.Conv2d(1, 16, 3, padding=1), (1, 28, 28)).layers[0].macs")
    record = graded(code("set-up", given), before, *cells, release=[code("set-up", given), *cells])
    assert "112896" in shown(record["cells"]["own"])  # until an answer is judged, it counts
    assert record["verdicts"]["check"]["points"] == 0
    assert "conv_macs of the library cannot be called here" in record["verdicts"]["check"]["message"]


def test_where_a_lesson_gives_the_library_an_answer_may_call_it():
    source = BORROWED.replace("conv2d(image, kernel)", "filter_image(image, kernel, mode='constant')")
    cells = [solution("ex", source), test_cell("check", 'check("filter_image", filter_image)', 2)]
    record = graded(*cells, release=[code("set-up", "from course_lib import check"), *cells])
    assert "cannot be called" not in record["verdicts"]["check"]["message"]


@pytest.mark.parametrize("module", [arithmetic, convolution, pooling], ids=lambda module: module.__name__)
def test_every_public_function_is_there_with_its_signature_and_docstring(module):
    name = module.__name__.split(".")[-1]
    text = edition.stubs(inspect.getsource(module), name, edition.ELSEWHERE[name])
    names = {}
    exec(compile(text.replace("from jailed import", "from autograder.jailed import"), name, "exec"), names)
    public = [
        value for key, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__ and key[0] != "_"
    ]
    assert public
    for function in public:
        assert str(inspect.signature(names[function.__name__])) == str(inspect.signature(function))
        assert inspect.getdoc(names[function.__name__]) == inspect.getdoc(function)


def test_no_right_answer_is_in_the_edition():
    text = "".join(path.read_text(encoding="utf-8") for path in edition.folder().rglob("*.py"))
    for exercise in checks.EXERCISES.values():
        function = getattr(exercise, "reference", None)
        if function is not None and function.__name__ != "<lambda>":
            body = inspect.getsource(function).split(":\n", 1)[-1].split('"""')[-1].strip()
            assert body not in text, exercise.name


def test_the_test_digits_are_not_in_the_edition():
    images, labels = data.load_mnist("test")
    raw = edition.folder() / "data" / "MNIST" / "raw"
    assert images.tobytes() not in {path.read_bytes()[16:] for path in raw.iterdir()}
    ours = np.frombuffer((raw / "t10k-labels-idx1-ubyte").read_bytes()[8:], dtype=np.uint8)
    assert (ours != labels).mean() > 0.8


@pytest.mark.parametrize(
    ("sources", "without"),
    [
        (["import numpy as np"], ["torch", "torchvision", "scipy", "course_lib.layers"]),
        (["import torch.nn.functional as F"], ["torchvision", "scipy", "course_lib.layers"]),
        (["from torchvision.ops import deform_conv2d", "import torch, scipy.signal"], ["course_lib.layers"]),
        (["def f():\n    from torch import nn"], ["torchvision", "scipy", "course_lib.layers"]),
        (["# import torch"], ["torch", "torchvision", "scipy", "course_lib.layers"]),
        (["from course_lib.layers import (\n    Adam,\n)"], ["torch", "torchvision", "scipy"]),
        (["from course_lib import check, layers"], ["torch", "torchvision", "scipy"]),
        (["from course_lib import check"], ["torch", "torchvision", "scipy", "course_lib.layers"]),
    ],
    ids=str,
)
def test_a_lesson_does_without_what_it_never_imports(sources, without):
    assert edition.hidden(sources) == without


@pytest.mark.parametrize(
    ("sources", "there"),
    [
        (["1 + 1"], ()),
        (["import numpy as np", "from course_lib import check"], ("numpy",)),
        (["import matplotlib.pyplot as plt"], ("matplotlib.pyplot",)),
        (["from torch import nn"], ("torch",)),
        (["import scipy.signal"], ("scipy.signal",)),
        (["# import torch"], ()),
    ],
    ids=str,
)
def test_a_kernel_starts_with_what_its_lesson_imports(sources, there):
    assert edition.heavy(sources) == there


@pytest.mark.parametrize(
    ("sources", "there"),
    [
        (["from course_lib import check, figures, load_mnist"], ("course_lib.figures",)),
        (["from course_lib.models import MLP, trace", "import course_lib.kernels as k"], ("course_lib.kernels", "course_lib.models")),
        (["import numpy as np", "from course_lib import check"], ()),
    ],
    ids=str,
)
def test_a_checker_starts_with_the_modules_that_its_lesson_imports(sources, there):
    assert edition.library(sources) == there


@pytest.mark.parametrize("path", sorted((REPOSITORY / "solutions").glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_what_a_lesson_does_without_is_in_no_kernel_when_it_starts(path):
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not {name.split(".")[0] for name in edition.heavy(sources)} & {*edition.hidden(sources)}
    assert "numpy" in edition.heavy(sources)


def test_a_record_is_json():
    record = graded(code("a", "1 + 1"), code("b", "1 / 0"))
    assert json.loads(json.dumps(record)) == record


def test_a_clone_whose_library_is_not_the_installed_one_grades_with_its_own(tmp_path):
    root = edition.REPOSITORY
    for name in ("autograder", "course_lib"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").symlink_to(root / "data")
    lesson = "01_hand_calculations/01_hand_calculations.ipynb"
    texts = {"notebook": (root / "solutions" / lesson).read_text("utf-8"), "release": (root / "notebooks" / lesson).read_text("utf-8")}
    task = texts | {"lesson": "01_hand_calculations", "seed": 1, "settings": {"timeout": 60}, "unsafe": False}
    program = "import json, sys; from autograder import execution; print(json.dumps(execution.execute(json.load(sys.stdin))['verdicts']))"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, input=json.dumps(task), capture_output=True, text=True, check=True)
    verdicts = json.loads(done.stdout.splitlines()[-1]).values()
    assert {verdict["message"] for verdict in verdicts if verdict["points"] < verdict["of"]} == set()
    assert len(verdicts) > 20


# ------------------------------------------------------------------------------------------------ cells that are there to look at

SHOW = "shown = sum(range(9))\nprint('it ran', shown)"


@pytest.mark.parametrize(
    ("source", "after", "ran"),
    [
        (SHOW, "mine = 1", False),
        (SHOW, "mine = shown + 1", True),  # the student uses it
        (SHOW + "  # changed", "mine = 1", True),
        (SHOW, "%timeit -n 1 -r 1 shown", True),
    ],
)
def test_a_cell_that_demonstrates_is_run_only_where_a_student_changed_or_uses_it(source, after, ran):
    demonstration = code("show", SHOW)
    demonstration.metadata["tags"] = ["demonstration"]
    released = [demonstration, code("set-up", "pass"), solution("ex-1", "mine = ...")]
    handed_in = [code("show", source), code("set-up", "pass"), solution("ex-1", after)]
    record = graded(*handed_in, release=released)
    told = record["cells"]["show"]["outputs"][0]["text"]
    assert ("it ran 36" in told) == ran
    assert ("not run while the notebook is graded" in told) != ran
    assert not [output for cell in record["cells"].values() for output in cell["outputs"] if output["output_type"] == "error"]


def test_a_demonstration_with_a_command_of_ipythons_is_run():
    demonstration = code("show", "%time print('it ran')")
    demonstration.metadata["tags"] = ["demonstration"]
    record = graded(demonstration, release=[demonstration])
    assert "it ran" in record["cells"]["show"]["outputs"][0]["text"]


def test_a_student_cannot_make_cells_demonstrations():
    handed_in = code("own", "print('it ran')")
    handed_in.metadata["tags"] = ["demonstration"]
    record = graded(handed_in, release=[code("own", "print('it ran')")])
    assert record["cells"]["own"]["outputs"][0]["text"] == "it ran\n"
