"""The jail around a student's kernel: real kernels in it try to get out, to look around, and to take more than their share."""

import os
import shutil
import time
from pathlib import Path

import pytest
from grading_course import REPOSITORY, released_course
from nbformat.v4 import new_code_cell, new_notebook

from autograder import sandbox
from autograder.cli import main
from autograder.course import CourseError
from autograder.execution import BoundedExecute

pytestmark = pytest.mark.usefixtures("bubblewrap")


@pytest.fixture(scope="module")
def bubblewrap():
    if not shutil.which("bwrap"):
        pytest.fail("The tests of the jail need bubblewrap: apt-get install bubblewrap (as root).")


def run(*sources, timeout=20, notebook_seconds=60):
    """Run cells in a jailed kernel: the text of each cell's outputs."""
    cells = [new_code_cell(source) for source in sources]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    done, _ = BoundedExecute(timeout=timeout, notebook_seconds=notebook_seconds).preprocess(notebook, {})
    return ["\n".join(_text(output) for output in cell.outputs) for cell in done.cells]


def _text(output):
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return output.text if output.output_type == "stream" else output.data["text/plain"]


# ------------------------------------------------------------------------------------------------ what is inside

READABLE = [*map(Path, sandbox.python()), *(Path(inside) for _, inside in sandbox.View().shown)]
AROUND = [place.parts[2] for place in READABLE if place.parts[1] == "tmp"]  # where the course lies in /tmp itself
LOOKS = {  # what a student's cell looks at: what it must see
    "import os; os.getuid()": "65534",
    f"import os; [name for name in os.listdir('/tmp') if name not in {AROUND}]": "['kernel-",  # the folder of its own sockets
    "import os; os.listdir(os.getcwd())": "[]",
    "import os; len([pid for pid in os.listdir('/proc') if pid.isdigit()])": "2",
    "import course_lib; course_lib.output_size(28, 3)": "26",
    "from course_lib import load_mnist; load_mnist('test')[0].shape": "(10000, 28, 28)",
    "import torch; torch.ones(2, 3).sum().item()": "6.0",
    "open('notes.txt', 'w').write('mine')": "4",
    "import socket; socket.create_connection(('127.0.0.1', 22), 2)": "ConnectionRefusedError",
    "import socket; socket.create_connection(('192.0.2.1', 80), 2)": "Network is unreachable",
    "open('/work.txt', 'w')": "Read-only file system",
    "import course_lib, pathlib; pathlib.Path(course_lib.__file__).write_text('')": "Read-only file system",
    "import sys; open(sys.prefix + '/x', 'w')": "Read-only file system",
    "open('/etc/shadow')": "FileNotFoundError",
    "open('/etc/passwd')": "FileNotFoundError",
    "import os; os.setuid(0)": "OSError: [Errno 22] Invalid argument",
    "import os; os.chroot('/tmp')": "PermissionError",
    "import subprocess; subprocess.run(['unshare', '--user', 'true'], capture_output=True, text=True).returncode": "1",
}


@pytest.fixture(scope="module")
def seen():
    os.environ["A_SECRET_OF_THE_GRADER"] = "swordfish"
    try:
        cells = [*LOOKS, "import os; dict(os.environ)"]
        return dict(zip(cells, run(*cells), strict=True))
    finally:
        del os.environ["A_SECRET_OF_THE_GRADER"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_kernel_sees_its_jail_and_nothing_else(seen, look):
    assert LOOKS[look] in seen[look]


def test_the_environment_holds_nothing_of_the_graders(seen):
    told = seen["import os; dict(os.environ)"]
    assert "HOME" in told
    assert "swordfish" not in told


@pytest.mark.parametrize("path", ["solutions", "notebooks", "autograder", "tests", "received", "gradebook.db", ".git", "README.md"])
def test_the_courses_other_folders_are_not_there(path):
    inside = f"import os; os.path.exists({str(REPOSITORY / path)!r})"
    assert run(inside) == ["False"]
    assert not any(place in (REPOSITORY, REPOSITORY / path) for place in READABLE)


def test_the_graders_home_is_empty_inside(tmp_path_factory):
    home = Path.home()
    (told,) = run(f"import os; [os.path.join(where, name) for where, _, names in os.walk({str(home)!r}) for name in names][:9]")
    assert all(any(Path(path).is_relative_to(place) for place in READABLE) for path in __import__("ast").literal_eval(told))


# ------------------------------------------------------------------------------------------------ what is bounded

BOMBS = {
    "memory": "hoard = [bytearray(1 << 28) for _ in range(64)]",
    "memory of many processes": """
import os, time
for _ in range(20):
    if not os.fork():
        hoard = bytearray(1 << 29)
        time.sleep(30)
        os._exit(0)
status = os.wait()[1]
raise MemoryError if status else None
""",
    "disk": "import os\nwith open('/tmp/full', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 24))",
    "many files": "kept = [open('/dev/null') for _ in range(5000)]",
    "threads": "import threading, time\nfor _ in range(5000):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_no_more_than_its_share_and_the_rest_is_run(bomb):
    if "processes" in bomb and not sandbox._bounded()[0]:  # then the machine does not promise it, and says so
        assert "the memory of a kernel is bounded" in [one.name for one in sandbox.guarantees() if not one.kept]
        return
    first, bombed, last = run("1 + 1", BOMBS[bomb], "2 + 2")
    assert (first, last) == ("2", "4")
    assert "Error" in bombed or "Died" in bombed


def test_a_fork_bomb_ends_and_the_rest_is_run():
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
    start = time.monotonic()
    first, _, last = run("1 + 1", bomb, "2 + 2", timeout=3)
    assert (first, last) == ("2", "4")
    assert time.monotonic() - start < 60


def test_an_interrupt_reaches_the_kernel_and_its_variables_stay():
    first, looped, last = run("x = 41", "while True:\n    pass", "x + 1", timeout=3)
    assert (first, last) == ("", "42")
    assert "Stopped after 3 seconds" in looped


def test_nothing_is_left_behind(monkeypatch):
    made, make = [], sandbox.tempfile.mkdtemp
    monkeypatch.setattr(sandbox.tempfile, "mkdtemp", lambda *args, **where: made.append(make(*args, **where)) or made[-1])
    run("import subprocess; subprocess.Popen(['sleep', '987654'])", "import os; os._exit(1)", "1")
    assert made
    assert not [folder for folder in made if Path(folder).exists()]
    assert not _groups()
    assert "987654" not in "".join(path.read_text() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())


def _groups():
    return {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/learning-to-see-{os.getpid()}-*")}


# ------------------------------------------------------------------------------------------------ what the machine can do


def test_a_machine_without_bubblewrap_is_told_how_to_get_it(monkeypatch):
    monkeypatch.setattr(sandbox, "_no_jail", sandbox._no_jail.__wrapped__)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CourseError, match="sudo apt install bubblewrap"):
        sandbox.require_jail()


def test_a_machine_that_is_not_linux_is_told_where_to_grade(monkeypatch):
    monkeypatch.setattr(sandbox, "_no_jail", sandbox._no_jail.__wrapped__)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(CourseError, match="Linux virtual machine or container"):
        sandbox.require_jail()


def test_root_without_control_groups_is_refused(monkeypatch):
    monkeypatch.setattr(sandbox, "_bounded", lambda: (False, False))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(CourseError, match="fork bomb"):
        sandbox.require_jail()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sandbox.require_jail()


def test_groups_of_graders_that_were_killed_are_removed(tmp_path):
    killed, own = tmp_path / f"learning-to-see-{2**22 + 1}-ab", tmp_path / f"learning-to-see-{os.getpid()}-cd"
    killed.mkdir()
    own.mkdir()
    sandbox._sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [own]


def test_groups_of_version_2_are_made_under_the_own_one(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {tmp_path / 'unified'} cgroup2 rw 0 0\n")
    (tmp_path / "unified").mkdir()
    with sandbox.ControlGroup(sandbox.LIMITS, mounts) as group:  # a plain folder has no memory.max: nothing can be bounded
        assert (group.bounds_memory, group.bounds_processes, group.entrances) == (False, False, [])
    assert list((tmp_path / "unified").rglob("learning-to-see-*")) == []


def test_the_doctor_says_what_this_machine_can_do(capsys, monkeypatch):
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("This machine can grade.\n")
    monkeypatch.setattr(sandbox, "_no_jail", lambda: "bubblewrap is missing. On Debian and Ubuntu: sudo apt install bubblewrap.")
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "NO   student code runs in a jail" in told
    assert "sudo apt install bubblewrap" in told
    assert "--unsafe" in told


def test_grading_refuses_where_there_is_no_jail_unless_it_may_be_unsafe(tmp_path, capsys, monkeypatch):
    course = released_course(tmp_path)
    monkeypatch.setattr(sandbox, "_no_jail", lambda: "bubblewrap is missing.")
    assert main(["--course", str(course.root), "grade"]) == 2
    assert "bubblewrap is missing." in capsys.readouterr().err
    assert main(["--course", str(course.root), "grade", "--unsafe"]) == 0
    assert capsys.readouterr().out == "There is nothing to grade.\n"
