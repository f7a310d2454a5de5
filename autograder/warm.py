"""Programs that start warm: forked from a server that has imported the heavy packages once, into a jail that bubblewrap has made.

A kernel with torch takes seconds of processor time to import what it needs, the same for every hand-in. The server (`main`, started as
a program of its own by `Server`) imports that once, runs nobody's code and knows nothing of the grader: its environment is the jail's,
it opens no file of the course's, and all that it is ever told is which program to fork into which jail. For each request a child enters
the jail's control groups and namespaces, gives up all rights, forks once more, so that the program lies in the jail's namespace of
processes, and is there what ``python -m MODULE`` would be. bubblewrap alone decides what a jail shows, as it does for programs that
start cold (`sandbox`).
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

NAMESPACES = {"mnt": 0x00020000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "net": 0x40000000, "pid": 0x20000000}
USER = 0x10000000  # the namespace of users, which grants the right to enter the others
NS_GET_PARENT = 0xB702  # man 2 ioctl_ns
SET_DUMPABLE, SET_SECCOMP, FILTER, CAPBSET_DROP, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVS = 4, 22, 2, 24, 36, 38  # man 2 prctl
READY = 120  # seconds that a server may take to import what it should
FORKING = 30  # seconds that it may take to start a program
HOLDER = ["/bin/sh", "-c", "echo; read _"]  # keeps a jail open, says when it is there, and ends when nobody holds its input open


class ServerGone(Exception):
    """The server could not start what it was asked to."""


# ---------------------------------------------------------------------------------------------------- the grader's side


class Server:
    """A server, and how to ask it.

    Parameters
    ----------
    modules : tuple of str
        What it imports before anything is forked.
    environment : dict of str to str
        All of its environment, but for a home of its own.
    """

    def __init__(self, modules, environment):
        self._lock = threading.Lock()
        self._home = tempfile.TemporaryDirectory(prefix="warm-")
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        home = {"HOME": self._home.name, "MPLCONFIGDIR": self._home.name}
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(its.fileno()), *modules],
                **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
                **{"env": environment | home, "cwd": "/", "pass_fds": (its.fileno(),), "start_new_session": True},
            )
        self._socket = ours
        self._socket.settimeout(READY)
        self._ready = False

    def start(self, jail, request, files):
        """Fork a program into a jail.

        Parameters
        ----------
        jail : int
            The pid of a process in it.
        request : dict
            ``module``, ``args``, ``environment``, ``cwd``, ``limits`` (by name of the resource), ``filter`` (of system calls, as hex)
            and ``groups``: files into which a process writes 0 to enter the control groups.
        files : sequence of int
            Its standard input, output and error, and one that is open as long as it runs.

        Returns
        -------
        int
            Its pid, as the grader sees it.
        """
        read, write = os.pipe()
        try:
            with self._lock:
                if not self._ready:
                    if not self._socket.recv(1):
                        raise ServerGone("It ended while it was getting ready.")
                    self._ready = True
                    self._socket.settimeout(FORKING)
                socket.send_fds(self._socket, [json.dumps({"jail": jail, **request}).encode()], [*files, write])
            os.close(write)
            write = None
            told = os.read(read, 4096).decode("utf-8", "replace") if select.select([read], [], [], FORKING)[0] else ""
        except OSError as problem:
            raise ServerGone(str(problem)) from None
        finally:
            os.close(read)
            if write is not None:
                os.close(write)
        if not told.isdigit():
            raise ServerGone(told or "It gave no answer.")
        return int(told)

    def close(self):
        """End it; what it has started runs on."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._home.cleanup()


# ---------------------------------------------------------------------------------------------------- the server


def main():
    """Import what the arguments name, then fork a program for each request, until nobody is there to ask."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is shared stays shared: no collection writes to it
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children need not be waited for,
    _call("prctl", SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # nor theirs
    asked.send(b".")
    while True:
        request, files = _received(asked)
        if not request:
            return
        if os.fork() == 0:
            asked.close()
            keep(request, files)
        for file in files:
            os.close(file)


def _received(asked):
    text, files, _, _ = socket.recv_fds(asked, 1 << 16, 5)
    return json.loads(text or "{}"), files


def keep(request, files):
    """Enter a jail, fork a program in it, tell its pid, and end with it."""
    *streams, held, told = files
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        join(request["groups"])
        enter(request["jail"])
        pid = os.fork()
        if pid == 0:
            run(request, streams)
        os.write(told, str(pid).encode())
        for file in (*streams, told):
            os.close(file)
        os.waitpid(pid, 0)  # `held` stays open until then
    except BaseException as problem:
        os.write(told, f"{type(problem).__name__}: {problem}"[:1000].encode())
    finally:
        os._exit(0)


def join(groups):
    """Enter control groups."""
    for path in groups:
        with open(path, "w") as group:
            group.write("0")


def enter(jail):
    """Enter the namespaces of a process, the one of processes for children only, and give up all rights in them.

    Whoever made a jail has all rights in it, and needs none elsewhere. bubblewrap makes two namespaces of users, one in the other, so that
    nothing in the inner one can make more: the outer one owns the jail's other namespaces and is entered first.
    """
    capabilities = int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1
    with contextlib.ExitStack() as stack:
        spaces = {name: stack.enter_context(open(f"/proc/{jail}/ns/{name}", "rb")) for name in ("user", *NAMESPACES)}
        own = {name: os.stat(f"/proc/self/ns/{name}").st_ino for name in spaces}
        others = {name: space.fileno() for name, space in spaces.items() if os.fstat(space.fileno()).st_ino != own[name]}
        user = others.pop("user")
        outer = fcntl.ioctl(user, NS_GET_PARENT)
        if os.fstat(outer).st_ino != own["user"]:
            _call("setns", outer, USER)
        os.close(outer)
        for name, space in others.items():
            _call("setns", space, NAMESPACES[name])
        _call("setns", user, USER)
    for capability in range(capabilities):
        _call("prctl", CAPBSET_DROP, capability, 0, 0, 0)
    _call("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())  # version 3, this process: no capability
    _call("prctl", SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def run(request, streams):
    """Be the program: what ``python -m MODULE`` would be, with the packages imported already."""
    try:
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.closerange(3, 1 << 16)
        for name, most in request["limits"].items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (most, most))
        _call("prctl", SET_DUMPABLE, 1, 0, 0, 0)  # what lies in /proc about it is its own
        os.chdir(request["cwd"])
        searched = os.environ["PYTHONPATH"].split(":")
        os.environ.clear()
        os.environ.update(request["environment"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        numpy = sys.modules.get("numpy")
        if numpy:
            numpy.random.seed()
        sys.argv[:] = [request["module"], *request["args"]]
        sys.path[: len(searched)] = os.environ["PYTHONPATH"].split(":")
        sys.path_importer_cache.clear()
        module, program = request["module"], bytes.fromhex(request["filter"])
        request.clear()  # whoever looks through the frames finds nothing
        if program:
            _bound_calls(program)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(0)


def _bound_calls(program):
    """Have the system refuse what a filter refuses."""
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):  # struct sock_fprog
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    _call("prctl", SET_SECCOMP, FILTER, ctypes.byref(Program(len(program) // 8, ctypes.addressof(code))), 0, 0)


def _call(name, *args):
    """A function of the C library that gives -1 where it fails."""
    if getattr(_LIBC, name)(*(ctypes.c_ulong(one) if isinstance(one, int) else one for one in args)) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{args[:2]}: {os.strerror(number)}")


_LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    main()
