"""What importing the library costs, and what it offers. Each import happens in a Python of its own."""

import doctest
import importlib
import json
import subprocess
import sys

import pytest

import course_lib

HEAVY = ["torch", "torchvision", "matplotlib"]


def in_a_new_python(code):
    """Run `code` and return the JSON that it prints."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "use",
    [
        "import course_lib",
        "import course_lib.arithmetic",
        "import course_lib.kernels",
        "from course_lib.convolution import METHODS, conv2d; [conv2d([[[1, 2]]], [[[[1, 1]]]], method=m) for m in METHODS]",
        "from course_lib import max_pool2d; max_pool2d([[[1, 2], [3, 4]]])",
        "from course_lib import load_mnist; load_mnist('test')",
        "from course_lib import load_photo; load_photo()",
    ],
)
def test_no_torch_and_no_matplotlib(use):
    loaded = in_a_new_python(f"import json, sys\n{use}\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))")
    assert loaded == []


def test_import_takes_under_300_ms():
    code = "import json, time\nstart = time.perf_counter()\nimport course_lib\nprint(json.dumps(time.perf_counter() - start))"
    assert min(in_a_new_python(code) for _ in range(3)) < 0.3


def test_import_loads_no_numpy_either():
    assert in_a_new_python("import json, sys, course_lib\nprint(json.dumps('numpy' in sys.modules))") is False


@pytest.mark.parametrize("name", course_lib.__all__)
def test_every_name_is_there(name):
    assert getattr(course_lib, name) is not None
    assert name in dir(course_lib)


def test_a_name_comes_from_its_room():
    from course_lib import conv2d, convolution

    assert conv2d is convolution.conv2d


def test_the_second_access_is_as_fast_as_any_attribute():
    course_lib.conv2d  # noqa: B018 (the access is the point)
    assert "conv2d" in vars(course_lib)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'course_lib' has no attribute 'conv3d'"):
        course_lib.conv3d  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'conv3d'"):
        from course_lib import conv3d  # noqa: F401


@pytest.mark.parametrize("room", ["arithmetic", "kernels", "convolution", "pooling"])
def test_examples_in_docstrings(room):
    result = doctest.testmod(importlib.import_module(f"course_lib.{room}"))
    assert result.attempted > 0
    assert result.failed == 0
