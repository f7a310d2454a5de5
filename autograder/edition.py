"""The student edition of the library: what a student's kernel gets to see of `course_lib` and of the data while it is graded.

Everything is there, and every function can be called. But the functions that are answers of exercises are computed elsewhere
(`jailed.library`), which refuses while an answer is judged; the checks with their right answers are left out, as are the figures and
the explorers; and in place of MNIST's test digits there are training digits, so that no network can have seen what it is tested on.
"""

import ast
import atexit
import compileall
import functools
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path

from course_lib import data

from . import sandbox

REPOSITORY = Path(__file__).resolve().parents[1]
LIBRARY = REPOSITORY / "course_lib"
JAILED = Path(__file__).resolve().with_name("jailed")
INSIDE = "/grading"  # where `jailed` lies in a jail
INSIDE_THE_KERNEL = ("__init__.py", "library.py", "servant.py", "wire.py")  # what of it a student's kernel needs
SEARCHED = f"{INSIDE}:{REPOSITORY}"  # where modules are found there; this course's library, whichever one is installed

ELSEWHERE = {"arithmetic": ("whole_number", "pair"), "convolution": (), "pooling": ()}  # modules, with what of them stays in the kernel
LEFT_OUT = {"models": ("LeNet5", "DepthwiseSeparable")}  # what an exercise asks for, and cannot be computed elsewhere
REPLACED = {"checks": "checks.py", "figures": "figures.py", "explorers": "figures.py"}  # packages, with what of `jailed` stands for them
PACKAGES = ("torch", "torchvision", "scipy")  # what convolves; a lesson that imports none of them is worked without any
MODULES = ("course_lib.layers",)  # what only the lessons that import it have, as it computes what exercises of others ask for
HEAVY = {"numpy": "numpy", "course_lib": "numpy", "matplotlib": "matplotlib.pyplot"}  # from what a lesson imports to what takes long
HEAVY |= {"torch": "torch", "torchvision": "torchvision", "scipy": "scipy.signal"}  # `scipy` by itself imports next to nothing
STAND_INS = slice(50_000, 60_000)  # the training digits in the place of test digits


@functools.cache
def folder():
    """The edition on disk, made once a process: `course_lib`, `data` and, in `without`, what takes the place of each of `PACKAGES`."""
    place = Path(tempfile.mkdtemp(prefix="edition-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    write(place)
    return place


def write(place):
    """Write the edition into a folder."""
    library = place / "course_lib"
    unseen = shutil.ignore_patterns("__pycache__", *REPLACED, "install.py", "workspace.py", "__main__.py")
    shutil.copytree(LIBRARY, library, ignore=unseen)
    for name, staying in ELSEWHERE.items():
        path = library / f"{name}.py"
        path.write_text(stubs(path.read_text(encoding="utf-8"), name, staying), encoding="utf-8")
    for name, classes in LEFT_OUT.items():
        path = library / f"{name}.py"
        path.write_text(without(path.read_text(encoding="utf-8"), classes), encoding="utf-8")
    for name, by in REPLACED.items():
        (library / name).mkdir()
        shutil.copy(JAILED / by, library / name / "__init__.py")
    _write_data(place)
    for name in PACKAGES:
        empty = place / "without" / name / name
        empty.mkdir(parents=True)
        reason = f"This lesson is worked without {name}: its graded run has none."
        (empty / "__init__.py").write_text(f"raise ImportError({reason!r}, name={name!r})\n", encoding="utf-8")
    for name in MODULES:
        path = place / "without" / name / f"{name.split('.')[1]}.py"
        path.parent.mkdir()
        path.write_text(
            f"raise ImportError({f'This lesson is worked without {name}: its graded run has none.'!r}, name={name!r})\n", encoding="utf-8"
        )
    compileall.compile_dir(place, quiet=2)  # kernels cannot keep what they compile


def stubs(source, module, staying=()):
    """The text of a module whose public functions ask for their results, but for those that stay as they are."""
    tree = ast.parse(source)
    lines = source.splitlines()
    parts = [f'"""{ast.get_docstring(tree)}"""\n']
    parts += [ast.unparse(node) for node in tree.body if staying and isinstance(node, (ast.Import, ast.ImportFrom))]
    parts.append("from jailed import library as _library\n\n")
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        if node.name in staying:
            parts.append("\n".join(lines[node.lineno - 1 : node.end_lineno]) + "\n\n")
            continue
        a = node.args
        args = "".join(f"{one.arg}, " for one in [*a.posonlyargs, *a.args])
        kwargs = ", ".join(f"{one.arg!r}: {one.arg}" for one in a.kwonlyargs)
        parts.append(
            f"def {node.name}({ast.unparse(a)}):\n    {ast.get_docstring(node)!r}\n"
            f"    return _library.ask({module!r}, {node.name!r}, ({args}), {{{kwargs}}})\n\n"
        )
    return "\n".join(parts)


def without(source, names):
    """The text of a module without some of its classes."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.ClassDef) and node.name in names:
            del lines[node.lineno - 1 : node.end_lineno]
    return "".join(lines)


def _write_data(place):
    """MNIST with other test digits, and the library's checksums to match."""
    raw = place / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images, labels = data.load_mnist("train")
    for name, values in {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels.astype("uint8")}.items():
        head = (data.DATA / "MNIST" / "raw" / name).read_bytes()[: 16 if "images" in name else 8]
        content = head + values[STAND_INS].tobytes()
        (raw / name).write_bytes(content)
        path = place / "course_lib" / "data.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(data._RAW[name].sha256, hashlib.sha256(content).hexdigest()), encoding="utf-8")
    for name in data._RAW:
        if name.startswith("train"):
            shutil.copy(data.DATA / "MNIST" / "raw" / name, raw / name)


def view(channel, without=()):
    """What a student's kernel gets to see: the edition, and the socket of the library's service.

    Parameters
    ----------
    channel : Path
        The folder of the sockets.
    without : iterable of str
        Those of `PACKAGES` and `MODULES` that are not there.

    Returns
    -------
    sandbox.View
    """
    place = folder()
    shown = [(place / "course_lib", LIBRARY), (place / "data", REPOSITORY / "data")]
    shown += [(JAILED / name, f"{INSIDE}/jailed/{name}") for name in INSIDE_THE_KERNEL]
    for name in without:
        package, _, module = name.partition(".")
        if module:
            shown.append((place / "without" / name / f"{module}.py", LIBRARY / f"{module}.py"))
        else:
            shown.append((place / "without" / name / name, Path(importlib.util.find_spec(name).origin).parent))
    settings = (("PYTHONPATH", SEARCHED), ("COURSE_LIBRARY", str(channel / "library")))
    return sandbox.View(tuple(shown), (channel,), settings)


def unjailed(channel, without=()):
    """The environment in which a kernel outside of a jail sees the same, as long as it does not look around."""
    place = folder()
    paths = [*(place / "without" / name for name in without if name in PACKAGES), place, JAILED.parent]
    return {"PYTHONPATH": ":".join(map(str, paths)), "COURSE_LIBRARY": str(channel / "library")}


def imported(sources):
    """What code cells import: each module's name, and that of its package.

    Parameters
    ----------
    sources : list of str
    """
    found = set()
    for line in "\n".join(sources).splitlines():
        words = line.replace(",", " ").split()
        if words[:1] == ["import"]:
            found |= set(words[1:])
        elif words[:1] == ["from"]:
            found |= {words[1], *(f"{words[1]}.{word}" for word in words[3:])}
    return found | {name.split(".")[0] for name in found}


def hidden(sources):
    """Which of `PACKAGES` and `MODULES` a lesson does without: those that its own cells never import.

    Parameters
    ----------
    sources : list of str
        The code cells of the released lesson.
    """
    names = imported(sources)
    return [name for name in (*PACKAGES, *MODULES) if name not in names]


def heavy(sources):
    """What a lesson imports that takes a while: worth to be there when a kernel starts."""
    names = imported(sources)
    return tuple(dict.fromkeys(module for name, module in HEAVY.items() if name in names))


def library(sources):
    """The modules of this course's library that a lesson imports: a test cell that needs one name of an import has all of them.

    Parameters
    ----------
    sources : list of str
    """
    names = (name for name in imported(sources) if name.startswith("course_lib."))
    paths = {name: REPOSITORY.joinpath(*name.split(".")) for name in names}
    return tuple(sorted(name for name, path in paths.items() if path.is_dir() or path.with_suffix(".py").is_file()))
