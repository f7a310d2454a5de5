"""The jail around a student's kernel: real kernels in it try to get out, to look around, and to take more than their share."""

import ast
import os
import re
import shutil
import sys
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


WARM = ("ipykernel.kernelapp", "numpy")


@pytest.fixture(scope="module", autouse=True, params=[(), WARM], ids=["cold", "warm"])
def start(request):
    """How kernels start: run by bubblewrap, or forked by a server into a jail that it has made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox.JailedKernelManager, "packages", request.param)
        patch.setattr(sandbox.Program, "_failures", 0)
        run("1")  # whatever the server leaves behind is there from now on
        yield request.param
        assert sandbox.Program._failures == 0


def run(*sources, timeout=20, notebook_seconds=60):
    """Run cells in a jailed kernel: the text of each cell's outputs."""
    return [
        "\n".join(_text(output) for output in cell.outputs)
        for cell in run_cells(*sources, timeout=timeout, notebook_seconds=notebook_seconds)
    ]


def run_cells(*sources, timeout=20, notebook_seconds=60):
    """The cells, with what they showed."""
    cells = [new_code_cell(source) for source in sources]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    done, _ = BoundedExecute(timeout=timeout, notebook_seconds=notebook_seconds).preprocess(notebook, {})
    return done.cells


def _text(output):
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return output.text if output.output_type == "stream" else output.data["text/plain"]


# ------------------------------------------------------------------------------------------------ what is inside

READABLE = [*map(Path, sandbox.python()), *(Path(inside) for _, inside in sandbox.View().shown)]
AROUND = [place.parts[2] for place in READABLE if place.parts[1] == "tmp"]  # where the course lies in /tmp itself


def _called(name, *args):
    """A cell that calls a function of the C library, and shows the error."""
    return f"import ctypes, os; lib = ctypes.CDLL(None, use_errno=True); lib.{name}(*{args}); os.strerror(ctypes.get_errno())"


LOOKS = {  # what a student's cell looks at: what it must see
    "import os; os.getuid()": "65534",
    f"import os; [name for name in os.listdir('/tmp') if name not in {AROUND}]": "['kernel-",  # the folder of its own sockets
    "import os; os.listdir(os.getcwd())": "[]",
    "import os; [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) > 3]": "[]",
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
    "import socket; socket.socket(socket.AF_VSOCK)": "Address family not supported",
    "import socket; socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)": "Address family not supported",
    "import socket; socket.socket(socket.AF_PACKET)": "Address family not supported",
    _called("ptrace", 0, 0, 0, 0): "Operation not permitted",
    _called("mount", 0, 0, 0, 0, 0): "Operation not permitted",
    _called("unshare", 0x10000000): "Operation not permitted",
    _called("setns", 3, 0): "Operation not permitted",
    _called("syscall", 425, 1, 0): "Operation not permitted",  # io_uring_setup
    _called("syscall", 435, 0, 0): "Function not implemented",  # clone3
    _called("syscall", 56, 0x10000011, 0, 0, 0, 0): "Operation not permitted",  # clone, with a new namespace of users
    "open('/proc/1/cmdline').read().count('bind')": "0",  # with paths of outside
    "open('/proc/self/status').read().split('CapEff:')[1].split()[0]": "0000000000000000",
    "open('/proc/self/status').read().split('CapBnd:')[1].split()[0]": "0000000000000000",
    "open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0]": "1",
    "import resource; resource.getrlimit(resource.RLIMIT_NOFILE)": f"({sandbox.LIMITS.files}, {sandbox.LIMITS.files})",
    "import resource; resource.getrlimit(resource.RLIMIT_CORE)": "(0, 0)",
}


READS_ENVIRON = "open('/proc/self/environ').read()"
LOOKS_AT_FRAMES = """
import sys
told = []
for frame in [*sys._current_frames().values()]:
    while frame:
        told.append((frame.f_code.co_name, {name: repr(value)[:5000] for name, value in frame.f_locals.items() if name != "told"}))
        frame = frame.f_back
print(told)
"""
LOOKS_AT_FILES = """
import os
places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
[os.readlink(place).split(":")[0] for place in places if os.path.lexists(place)]
"""


@pytest.fixture(scope="module")
def seen(start):
    os.environ["A_SECRET_OF_THE_GRADER"] = "swordfish"
    try:
        cells = [*LOOKS, "import os; dict(os.environ)", READS_ENVIRON, LOOKS_AT_FRAMES, LOOKS_AT_FILES]
        return dict(zip(cells, run(*cells), strict=True))
    finally:
        del os.environ["A_SECRET_OF_THE_GRADER"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_kernel_sees_its_jail_and_nothing_else(seen, look):
    assert LOOKS[look] in seen[look]


def test_the_environment_holds_nothing_of_the_graders(seen):
    for look in ("import os; dict(os.environ)", READS_ENVIRON):
        assert "HOME" in seen[look]
        assert "swordfish" not in seen[look]


def test_no_frame_knows_of_what_lies_outside(seen):
    assert "_run_code" in seen[LOOKS_AT_FRAMES]  # down to the program's start
    for word in ("/sys/fs/cgroup", "learning-to-see-"):
        assert word not in seen[LOOKS_AT_FRAMES]


def test_no_open_file_leads_outside(seen):
    left = set(ast.literal_eval(seen[LOOKS_AT_FILES]))
    assert {name for name in left if name.startswith("/")} <= {"/dev/null", "/dev/urandom"}
    assert not any("deleted" in name for name in left)


@pytest.mark.parametrize("path", ["solutions", "notebooks", "autograder", "tests", "received", "gradebook.db", ".git", "README.md"])
def test_the_courses_other_folders_are_not_there(path):
    inside = f"import os; os.path.exists({str(REPOSITORY / path)!r})"
    assert run(inside) == ["False"]
    assert not any(place in (REPOSITORY, REPOSITORY / path) for place in READABLE)


def test_the_graders_home_is_empty_inside(tmp_path_factory):
    home = Path.home()
    (told,) = run(f"import os; [os.path.join(where, name) for where, _, names in os.walk({str(home)!r}) for name in names][:9]")
    assert all(any(Path(path).is_relative_to(place) for place in READABLE) for path in ast.literal_eval(told))


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


def test_a_cell_that_quits_costs_itself_only():
    """The kernel still answers, and ends a tenth of a second later, while the next cell is run."""
    first, quitted, slept, last = run("x = 41", "quit()", "import time; time.sleep(1)", "x + 1")
    assert (first, slept, last) == ("", "", "42")
    assert "KernelDied" in quitted


def test_kernels_share_neither_files_nor_random_numbers():
    look = "import os, random; import numpy as np; os.listdir('/tmp'), random.random(), np.random.rand(), np.random.default_rng().random()"
    (first,), (second,) = run("open('/tmp/mine', 'w').close(); " + look), run(look)
    assert ("'mine'" in first, "'mine'" in second) == (True, False)
    drawn = [set(re.findall(r"0\.\d{6,}", told)) for told in (first, second)]
    assert not drawn[0] & drawn[1]
    assert min(map(len, drawn)) == 3


def test_a_figure_is_shown():
    (_, shown) = run_cells("import matplotlib.pyplot as plt", "plt.plot([1, 2]); plt.show()")
    assert [sorted(output.data) for output in shown.outputs] == [["image/png", "text/plain"]]


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


# ------------------------------------------------------------------------------------------------ what starts them

SAYS = [sys.executable, "-m", "this"]


def started(packages):
    """What a program in a jail says, and whether a server has forked it."""
    program = sandbox.Program(SAYS, sandbox.View(), sandbox.environment(), packages, piped=True)
    said = program.stdout.read()
    program.process.wait(20)
    program.close()
    return said, program.pid is not None


def test_a_program_says_the_same_cold_and_warm():
    (cold, forked), (warm, forked_too) = started(()), started(WARM)
    assert (forked, forked_too) == (False, True)
    assert warm == cold
    assert b"Beautiful is better than ugly" in cold


@pytest.fixture
def servers(monkeypatch):
    """No server yet, and no failure."""
    monkeypatch.setattr(sandbox.Program, "_failures", 0)
    monkeypatch.setattr(sandbox.Program, "_servers", made := {})
    yield made
    for server in made.values():
        server.close()


def test_a_server_that_dies_is_done_without_and_replaced(servers):
    started(WARM)
    servers[WARM]._process.kill()
    servers[WARM]._process.wait()
    said, forked = started(WARM)
    assert (b"Beautiful" in said, forked) == (True, False)
    assert started(WARM)[1]


def test_servers_that_cannot_work_are_given_up(servers, monkeypatch):
    tried, ask = [], sandbox.warm.Server.start
    monkeypatch.setattr(sandbox.warm.Server, "start", lambda self, *args: tried.append(1) or ask(self, *args))
    for _ in range(sandbox.MOST_FAILURES + 1):
        said, forked = started(("there_is_no_such_module",))
        assert (b"Beautiful" in said, forked) == (True, False)
    assert len(tried) == sandbox.MOST_FAILURES


def test_failures_that_are_far_apart_are_forgotten(servers):
    sandbox.Program._failures = sandbox.MOST_FAILURES - 1
    assert started(WARM)[1]
    assert sandbox.Program._failures == 0


def test_no_more_servers_are_kept_than_are_used(servers):
    for packages in (("json",), ("csv",), ("json",), ("html",)):
        assert started(packages)[1]
    assert list(servers) == [("json",), ("html",)]


def test_a_server_ends_with_whoever_started_it(servers):
    started(WARM)
    server = servers[WARM]
    server._socket.close()
    assert server._process.wait(10) == 0


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


def test_the_doctor_says_where_kernels_start_cold_which_is_no_reason_not_to_grade(servers, capsys, monkeypatch):
    def start(*args):
        raise sandbox.warm.ServerGone("not here")

    monkeypatch.setattr(sandbox.warm.Server, "start", start)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "no   kernels start in no time" in told
    assert "gives the same grades" in told


def test_the_doctor_says_where_the_system_refuses_nothing(capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "refused_calls", lambda: b"")
    assert main(["doctor"]) == 0
    assert "sudo apt install libseccomp2" in capsys.readouterr().out


def test_grading_refuses_where_there_is_no_jail_unless_it_may_be_unsafe(tmp_path, capsys, monkeypatch):
    course = released_course(tmp_path)
    monkeypatch.setattr(sandbox, "_no_jail", lambda: "bubblewrap is missing.")
    assert main(["--course", str(course.root), "grade"]) == 2
    assert "bubblewrap is missing." in capsys.readouterr().err
    assert main(["--course", str(course.root), "grade", "--unsafe"]) == 0
    assert capsys.readouterr().out == "There is nothing to grade.\n"
