"""The bundle for students: all they need, nothing they must not see, the same bytes every time."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder import bundle, release
from autograder.course import REPOSITORY, Course, CourseError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "stale", lambda course: [])  # whether notebooks/ is up to date is tested elsewhere
        return bundle.write(tmp_path_factory.mktemp("bundle") / "learning-to-see.zip", Course(REPOSITORY))[0]


@pytest.fixture(scope="module")
def names(written):
    return zipfile.ZipFile(written).namelist()


@pytest.fixture(scope="module")
def unpacked(written):
    zipfile.ZipFile(written).extractall(written.parent)
    return written.parent / "learning-to-see"


def test_what_a_student_needs_is_in_it(names):
    for name in ("Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements.lock", "environment.yml", "course_lib/install.py"):
        assert f"learning-to-see/{name}" in names
    for lesson in Course(REPOSITORY).lessons("release"):
        assert f"learning-to-see/notebooks/{lesson}/{lesson}.ipynb" in names
    assert len([name for name in names if "/data/MNIST/raw/" in name and name.endswith(".gz")]) == 4


def test_every_module_of_the_library_is_in_it(names):
    for path in (REPOSITORY / "course_lib").rglob("*.py"):
        name = path.relative_to(REPOSITORY).as_posix()
        assert (f"learning-to-see/{name}" in names) != ("jupyter/instructor" in name), name


def test_nothing_else_is_in_it(names):
    tops = {name.split("/")[1] for name in names}
    assert tops <= {"notebooks", "course_lib", "data", "book", ".gitignore", "LICENSE", "LICENSE-text", "Makefile", "README.md"} | {
        "environment.yml",
        "pyproject.toml",
        "requirements.lock",
    }
    for word in ("solutions", "autograder", "tests", "gradebook", "__pycache__", "checkpoint", "instructor"):
        assert not [name for name in names if word in name]
    assert not [name for name in names if name.endswith("-ubyte")]


def test_no_answer_is_in_it(written):
    archive = zipfile.ZipFile(written)
    for name in archive.namelist():
        if name.endswith(".ipynb"):
            text = archive.read(name).decode()
            assert "END SOLUTION" not in text
            assert "Model answer" not in text
            assert all(not cell.get("outputs") for cell in json.loads(text)["cells"])


def test_the_same_files_give_the_same_bytes(written, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "stale", lambda course: [])
    for path in [*bundle.files(REPOSITORY), Path("nbgrader_config.py")]:
        target = tmp_path / "copy" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((REPOSITORY / path).read_bytes())
        os.utime(target, (1_000_000_000, 1_000_000_000))
    again, count = bundle.write(tmp_path / "again.zip", Course(tmp_path / "copy"))
    assert again.read_bytes() == written.read_bytes()
    assert count == len(zipfile.ZipFile(written).namelist())


def test_the_library_in_it_runs_on_its_own(unpacked):
    program = "import course_lib; print(course_lib.__file__); print(course_lib.check('conv2d', None).passed)"
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    done = subprocess.run([sys.executable, "-c", program], cwd=unpacked, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(unpacked / "course_lib" / "__init__.py"), "False"]


def test_make_lists_only_what_works_there(unpacked):
    done = subprocess.run(["make", "help"], cwd=unpacked, capture_output=True, text=True, check=True)
    assert "  lab " in done.stdout
    assert "grade" not in done.stdout


def test_stale_notebooks_are_not_handed_out(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "stale", lambda course: ["01_x/01_x.ipynb"])
    with pytest.raises(CourseError, match=r"notebooks/ is out of date \(01_x/01_x.ipynb\)"):
        bundle.write(tmp_path / "x.zip", Course(REPOSITORY))
    assert list(tmp_path.iterdir()) == []


def test_its_readme_speaks_of_what_is_in_it(unpacked):
    readme = (unpacked / "README.md").read_text(encoding="utf-8")
    assert "## Students" in readme
    assert "make lab" in readme
    for link in re.findall(r"\]\(([^)#]+)\)", readme):
        assert "://" in link or (unpacked / link).exists(), link
    for word in ("make test", "make grade", "solutions/", "CONTRIBUTING", ".binder", "Both need"):
        assert word not in readme
