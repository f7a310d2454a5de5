"""A student's kernel in a jail: no network, no file but what the course needs, bounded memory, processes and disk.

The jail is bubblewrap (Linux). Memory and the number of processes of a whole kernel are bounded by control groups, version 1 or 2,
where this user may make them; elsewhere by limits on each process. `guarantees` says what this machine can do.
"""

import contextlib
import ctypes
import errno
import functools
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from . import warm
from .course import CourseError

REPOSITORY = Path(__file__).resolve().parents[1]
HOME = "/home/student"
OUTSIDE = {"PATH": "/usr/local/bin:/usr/bin:/bin"}  # the environment of bubblewrap itself, which the jailed can read
MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one kernel and all that it starts may use."""

    memory: int = 4096 * MB  # bytes, all processes together
    processes: int = 256  # and threads
    scratch: int = 512 * MB  # bytes on its disk, which is memory too
    files: int = 1024  # open at once, each process


LIMITS = Limits()


# ---------------------------------------------------------------------------------------------------- what this machine can do


@dataclass(frozen=True)
class Guarantee:
    """One thing that a jail should do, whether it can here, what to do about it where it cannot, and whether grading needs it."""

    name: str
    kept: bool
    remedy: str = ""
    needed: bool = True


def guarantees():
    """What a jail on this machine guarantees, each tried out.

    Returns
    -------
    list of Guarantee
        The first is the jail itself; without it the others are not tried.
    """
    reason = _no_jail()
    if reason:
        return [Guarantee("student code runs in a jail", kept=False, remedy=reason)]
    memory, processes = _bounded()
    as_root = os.geteuid() == 0
    return [
        Guarantee("student code runs in a jail: no network, no file but the course's own", kept=True),
        Guarantee(
            "the memory of a kernel is bounded",
            kept=memory,
            remedy="Only that of each process is. Run as root in a container of its own, or where control groups are delegated to you "
            "(systemd-run --user --scope -p Delegate=yes ...).",
            needed=False,
        ),
        Guarantee(
            "the number of its processes is bounded",
            kept=processes or not as_root,
            remedy="A fork bomb could take this machine down. Run as an ordinary user, not as root, or with control groups.",
        ),
        Guarantee(
            "the system refuses it what no lesson needs, such as new namespaces or talk with a virtual machine's host",
            kept=bool(refused_calls()),
            remedy="libseccomp is missing. On Debian and Ubuntu: sudo apt install libseccomp2.",
            needed=False,
        ),
    ]


def warmth():
    """Whether kernels start warm on this machine: nothing that a jail guarantees, but that much faster."""
    packages = ("numbers",)
    tried = Program([sys.executable, "-m", "timeit", "-n1", "-r1"], View(), environment(), packages, piped=True)
    tried.close()
    tried.process.wait()
    if server := Program._servers.pop(packages, None):
        server.close()
    return Guarantee(
        "kernels start in no time, forked from a server that has imported what they need",
        kept=tried.pid is not None,
        remedy="Each imports it anew, in a jail all the same: grading takes about three times as long and gives the same grades.",
        needed=False,
    )


def missing():
    """The guarantees without which no student's code is run: those that this machine does not keep."""
    return [one for one in guarantees() if one.needed and not one.kept]


def require_jail():
    """Raise `CourseError` where student code cannot be jailed, or a fork bomb not be stopped."""
    lacking = missing()
    if lacking:
        raise CourseError("\n".join(f"Not so on this machine: {one.name}. {one.remedy}" for one in lacking))


@functools.cache
def _no_jail():
    """Why student code cannot be jailed here, or an empty text."""
    if not sys.platform.startswith("linux"):
        return "Jails need Linux: grade in a Linux virtual machine or container."
    if not shutil.which("bwrap"):
        return "bubblewrap is missing. On Debian and Ubuntu: sudo apt install bubblewrap."
    command = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/usr", "/usr", "--proc", "/proc"]
    for link in ("bin", "lib", "lib64"):
        command += ["--symlink", f"usr/{link}", f"/{link}"]
    tried = subprocess.run([*command, "/usr/bin/true"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode:
        return (
            f"bubblewrap does not work here ({tried.stderr.strip() or tried.returncode}). Does this system let users make namespaces? "
            "See kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns, or how the container is started."
        )
    return ""


@functools.cache
def _bounded():
    """Whether control groups can bound (memory, processes) here."""
    with contextlib.suppress(OSError), ControlGroup(LIMITS) as group:
        return group.bounds_memory, group.bounds_processes
    return False, False


class ControlGroup:
    """A control group for one kernel. Where none can be made it bounds nothing, and says so."""

    def __init__(self, limits, mounts=Path("/proc/self/mounts")):
        self.bounds_memory = self.bounds_processes = False
        self.folders = []
        name = f"learning-to-see-{os.getpid()}-{secrets.token_hex(4)}"
        places = [line.split() for line in mounts.read_text().splitlines()]
        unified = [Path(place[1]) for place in places if place[2] == "cgroup2"]
        for controller, settings in {
            "memory": {"memory.max": limits.memory, "memory.swap.max": 0, "memory.limit_in_bytes": limits.memory},
            "pids": {"pids.max": limits.processes},
        }.items():
            single = [Path(place[1]) for place in places if place[2] == "cgroup" and controller in place[3].split(",")]
            for root in (*single, *(self._own(path) for path in unified)):
                if self._make(root / name, controller, settings):
                    break

    @staticmethod
    def _own(root):
        """The group in which this process runs, under the unified tree: the only place where others may be allowed to make groups."""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return root / line[3:].lstrip("/")
        return root

    def _make(self, folder, controller, settings):
        made = folder.is_dir()
        _sweep(folder.parent)
        try:
            folder.mkdir(exist_ok=True)
            written = [self._write(folder / name, value) for name, value in settings.items() if (folder / name).exists()]
        except OSError:
            written = []
        if not any(written):
            if not made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return False
        if folder not in self.folders:
            self.folders.append(folder)
        if controller == "memory":
            self.bounds_memory = True
        else:
            self.bounds_processes = True
        return True

    @staticmethod
    def _write(path, value):
        with contextlib.suppress(OSError):
            path.write_text(str(value))
            return True
        return False

    @property
    def entrances(self):
        """Files into which a process writes 0 to enter the group."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def usage(self):
        """CPU seconds of the processes in the group, with what they have waited for, and the most memory it has held, in bytes."""
        ticks, peak = 0, 0
        for folder in self.folders:
            with contextlib.suppress(OSError, ValueError):
                pids = (folder / "cgroup.procs").read_text().split()
                ticks = sum(sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15])) for pid in pids)
            for name in ("memory.peak", "memory.max_usage_in_bytes"):
                with contextlib.suppress(OSError, ValueError):
                    peak = max(peak, int((folder / name).read_text()))
        return ticks / os.sysconf("SC_CLK_TCK"), peak

    def entering(self, command):
        """A command line that enters the group before anything of the command's runs."""
        enter = "".join(f'echo 0 > "{path}" && ' for path in self.entrances)
        return ["/bin/sh", "-c", f'{enter}exec "$@"', "sh", *command]

    def close(self):
        """Kill what is left in the group, and remove it."""
        for folder in self.folders:
            for _ in range(250):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:  # somebody is left in it
                    for pid in (folder / "cgroup.procs").read_text().split():
                        with contextlib.suppress(ProcessLookupError, ValueError):
                            os.kill(int(pid), signal.SIGKILL)
                    signal.sigtimedwait([], 0.02)
        self.folders = []

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()


def _sweep(root):
    """Remove the empty groups of graders that were killed, and those that were still letting go of memory when they were closed."""
    for folder in root.glob("learning-to-see-*"):
        grader = folder.name.split("-")[3]
        if not Path("/proc", grader).exists():
            with contextlib.suppress(OSError):  # somebody is left in it, or it is gone already
                folder.rmdir()


# ---------------------------------------------------------------------------------------------------- the jail


@dataclass(frozen=True)
class View:
    """What a jailed program gets to see besides the system in /usr, Python and its packages.

    Parameters
    ----------
    shown : tuple of (Path, Path)
        What of the disk can be read, and where it appears inside.
    writable : tuple of Path
        Folders that can be written to, at the same path inside: for sockets.
    environment : tuple of (str, str)
        What its environment holds besides what all have.
    """

    shown: tuple = ((REPOSITORY / "course_lib", REPOSITORY / "course_lib"), (REPOSITORY / "data", REPOSITORY / "data"))
    writable: tuple = ()
    environment: tuple = ()


def python():
    """The folders of this Python and of its packages."""
    return list(dict.fromkeys([*(str(Path(prefix).resolve()) for prefix in (sys.base_prefix, sys.prefix)), sys.prefix]))


def jailed(command, view, environment, limits=LIMITS, info=None, bounded=False, calls=None):
    """A command line that runs a command in a jail.

    Parameters
    ----------
    command : list of str
    view : View
    environment : dict of str to str
        All of its environment but for what the view adds.
    limits : Limits
    info : int, optional
        A file descriptor on which bubblewrap tells the pid of its child, as JSON.
    bounded : bool
        Whether a control group already bounds the number of processes.
    calls : int, optional
        A file descriptor from which bubblewrap reads which system calls to refuse, as `refused_calls` has it.
    """
    line = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    line += ["--uid", "65534", "--gid", "65534", "--hostname", "jail", "--clearenv", "--proc", "/proc", "--dev", "/dev"]
    for place in ("/tmp", "/run", "/var/tmp", HOME):
        line += ["--size", str(limits.scratch), "--tmpfs", place]
    for path in ("/usr", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/alternatives", "/etc/fonts", *python()):
        if os.path.exists(path):
            line += ["--ro-bind", path, path]
    for path, inside in view.shown:
        line += ["--ro-bind", str(path), str(inside)]
    for link in ("bin", "lib", "lib64", "sbin"):
        if os.path.islink(f"/{link}"):
            line += ["--symlink", f"usr/{link}", f"/{link}"]
    for path in view.writable:
        line += ["--bind", str(path), str(path)]
    line += ["--dir", f"{HOME}/work", "--remount-ro", "/", "--chdir", f"{HOME}/work"]
    for name, value in {**environment, **dict(view.environment)}.items():
        line += ["--setenv", name, value]
    if info is not None:
        line += ["--info-fd", str(info)]
    if calls is not None:
        line += ["--seccomp", str(calls)]
    each = [f"--{name}={most}" for name, most in _of_each(limits, bounded).items()]
    return [*line, "--", "prlimit", *each, "--", *command]


def _of_each(limits, bounded):
    """What each process in a jail may use, by name of the resource."""
    counted = {} if bounded or not os.geteuid() else {"nproc": _running() + limits.processes}
    return counted | {"nofile": limits.files, "core": 0, "fsize": limits.scratch, "as": 2 * limits.memory}


REFUSED = """
mount umount2 pivot_root chroot unshare setns fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr
ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd
bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register add_key request_key keyctl syslog
acct quotactl quotactl_fd swapon swapoff reboot kexec_load kexec_file_load init_module finit_module delete_module
open_by_handle_at name_to_handle_at lookup_dcookie nfsservctl uselib modify_ldt iopl ioperm vhangup
settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname
"""  # system calls with which nothing in the course has anything to do, and with which others have left jails
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)  # of sockets; a jail's network leads nowhere
NEW_NAMESPACES = [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000]  # flags of clone


class _Argument(ctypes.Structure):
    """struct scmp_arg_cmp of libseccomp: an argument of a system call, and what it is compared with."""

    _fields_ = (("number", ctypes.c_uint), ("operation", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64))


@functools.cache
def refused_calls():
    """The filter of system calls for jails, as a program of the system's (BPF); empty where libseccomp is missing.

    A program in a jail needs none of `REFUSED`, no new namespaces, and sockets of `FAMILIES` only: that of virtual machines, for one,
    leads past the jail's network to the host.
    """
    allow, fail, equal, greater, masked_equal = 0x7FFF0000, 0x00050000, 4, 6, 7  # as in seccomp.h
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return b""
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    rules = library.seccomp_init(allow)

    def refuse(name, number, *arguments):
        call = library.seccomp_syscall_resolve_name(name.encode())
        array = (_Argument * len(arguments))(*arguments)
        if call != -1 and library.seccomp_rule_add_array(rules, fail | number, call, len(arguments), array):
            raise RuntimeError(f"libseccomp takes no rule for {name}.")

    for name in REFUSED.split():
        refuse(name, errno.EPERM)
    refuse("clone3", errno.ENOSYS)  # its flags lie in memory, where no filter can see them; programs use clone in its place
    for flag in NEW_NAMESPACES:
        refuse("clone", errno.EPERM, _Argument(0, masked_equal, flag, flag))
    refuse("socket", errno.EAFNOSUPPORT, _Argument(0, greater, max(FAMILIES)))
    for family in set(range(max(FAMILIES))) - {*FAMILIES}:
        refuse("socket", errno.EAFNOSUPPORT, _Argument(0, equal, family))
    with tempfile.TemporaryFile() as file:
        problem = library.seccomp_export_bpf(rules, file.fileno())
        library.seccomp_release(rules)
        if problem:
            raise RuntimeError("libseccomp gives no program.")
        file.seek(0)
        return file.read()


def environment(**more):
    """The environment of a jailed kernel: nothing of the grader's own."""
    return {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "HOME": HOME,
        "PYTHONPATH": str(REPOSITORY),
        "LANG": "C.UTF-8",
        "OMP_WAIT_POLICY": "passive",  # threads that wait while spinning slow down whatever else is graded
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        "OPENBLAS_NUM_THREADS": os.environ.get("OPENBLAS_NUM_THREADS", "2"),
        "IPYTHONDIR": f"{HOME}/.ipython",
        "MPLCONFIGDIR": f"{HOME}/.matplotlib",
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


PASSED_ON = ("NBGRADER_EXECUTION", "COURSE_CHECK_SEED")  # what `check` asks the environment, where it runs in the student's kernel
MOST_SERVERS = 2
MOST_FAILURES = 3  # of servers in a row, after which programs start cold
LONGEST = 60  # characters of a folder's path, as that of a socket in it holds at most 107


def scratch(kind):
    """A new folder for what one kernel or checker needs while it runs: in the temporary folder, where that has a short name."""
    place = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=place if len(place) <= LONGEST else "/tmp"))


class Program:
    """A program in a jail, in a control group of its own.

    Parameters
    ----------
    command : list of str
        ``PYTHON -m MODULE ...``, or, where nothing is warm, any other.
    view : View
    environment : dict of str to str
    packages : tuple of str, optional
        What has been imported already when the program starts, where a server can fork it (`warm`).
    piped : bool
        Whether `stdin` and `stdout` are pipes; else they lead nowhere.

    Attributes
    ----------
    process : subprocess.Popen
        bubblewrap, which lives as long as the program does.
    """

    _servers, _failures = {}, 0

    def __init__(self, command, view, environment, packages=(), piped=False):
        self.group = ControlGroup(LIMITS)
        self.stdin = self.stdout = self._child = None
        self._view, self._environment = view, environment
        self.pid = self._forked(command, packages, piped) if packages and Program._failures < MOST_FAILURES else None
        if self.pid is None:
            self.process = self._bubblewrap(command, *([subprocess.PIPE] * 2 if piped else [subprocess.DEVNULL] * 2))
            self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def _bubblewrap(self, command, stdin, stdout):
        """A process that runs a command in the jail; `_child` is the first one inside."""
        read, write = os.pipe()
        with _in_memory(refused_calls()) as calls:
            told = {"info": write, "calls": calls if refused_calls() else None}
            [bubblewrap, *options], command = _halves(
                jailed(command, self._view, self._environment, bounded=self.group.bounds_processes, **told)
            )
            with _in_memory("".join(f"{one}\0" for one in options).encode()) as given:  # so that nobody inside reads paths of outside
                process = subprocess.Popen(
                    self.group.entering([bubblewrap, "--args", str(given), *command]),
                    **{"stdin": stdin, "stdout": stdout, "stderr": subprocess.DEVNULL, "pass_fds": (write, calls, given)},
                    **{"cwd": "/", "env": OUTSIDE, "start_new_session": True},
                )
        os.close(write)
        with open(read) as stream:
            text = stream.read()
        self._child = json.loads(text)["child-pid"] if text else None
        return process

    def _forked(self, command, packages, piped):
        """Have the program forked into the jail, and return its pid; None where that does not work."""
        server = self._server(packages)
        self.process = self._bubblewrap(warm.HOLDER, subprocess.PIPE, subprocess.PIPE)
        ours, its = [], [os.open(os.devnull, os.O_RDWR)]
        if piped:
            for turn in (1, -1):
                pair = os.pipe()[::turn]
                its.append(pair[0])
                ours.append(pair[1])
        request = {
            "module": command[2],
            "args": command[3:],
            "environment": {**self._environment, **dict(self._view.environment)},
            "cwd": f"{HOME}/work",
            "limits": _of_each(LIMITS, self.group.bounds_processes),
            "filter": refused_calls().hex(),
            "groups": self.group.entrances,
        }
        try:
            if not select.select([self.process.stdout], [], [], warm.FORKING)[0] or not self.process.stdout.read(1):
                raise warm.ServerGone("The jail was not there in time.")
            streams = [*(its[1:] or [its[0]] * 2), its[0]]
            pid = server.start(self._first(), request, [*streams, self.process.stdin.fileno()])
        except (warm.ServerGone, OSError, IndexError):
            Program._failures += 1
            Program._servers.pop(packages).close()
            self.process.kill()
            self.process.communicate()
            for file in ours:
                os.close(file)
            return None
        finally:
            for file in its:
                os.close(file)
        Program._failures = 0
        self.process.stdin.close()
        self.process.stdout.close()
        if piped:
            self.stdin, self.stdout = os.fdopen(ours[0], "wb"), os.fdopen(ours[1], "rb")
        return pid

    def _server(self, packages):
        """The server that has imported these packages. Two are kept, for kernels and for checkers: a class is graded lesson by lesson."""
        servers = Program._servers
        server = servers.pop(packages, None) or warm.Server(packages, {**self._environment, "PYTHONPATH": str(REPOSITORY)})
        servers[packages] = server  # the last one used is the last one
        if len(servers) > MOST_SERVERS:
            servers.pop(next(iter(servers))).close()
        return server

    def close(self):
        """End what is left of it."""
        self.group.close()
        for stream in (self.stdin, self.stdout):
            with contextlib.suppress(OSError):  # what nobody has read
                stream and stream.close()

    def interrupt(self):
        """Send the interrupt to the program only: bubblewrap itself would die of it."""
        with contextlib.suppress(OSError, IndexError):
            if self.process.poll() is None:  # else the pid may be somebody else's
                os.kill(self.pid or self._first(), signal.SIGINT)

    def _first(self):
        """The pid of what bubblewrap runs in the jail."""
        return int(Path(f"/proc/{self._child}/task/{self._child}/children").read_text().split()[0])


class JailedProvisioner(LocalProvisioner):
    """Starts a kernel in a jail and talks to it through sockets in a folder."""

    _folder = _program = None

    async def pre_launch(self, **kwargs):
        self._clean()
        self._folder = scratch("kernel")
        manager = self.parent
        manager.transport, manager.ip, manager.connection_file = "ipc", str(self._folder / "s"), str(self._folder / "c.json")
        manager.shell_port = manager.iopub_port = manager.stdin_port = manager.hb_port = manager.control_port = 0
        return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd, **kwargs):
        view = self.parent.view
        asked = {} if view else {name: value for name in PASSED_ON if (value := (kwargs.get("env") or os.environ).get(name))}
        view = view or View()
        view = replace(view, writable=(*view.writable, self._folder))
        self._program = Program(cmd, view, environment(**asked), self.parent.packages)
        self.process = self._program.process
        self.pid = self.pgid = self.process.pid
        return self.connection_info

    async def send_signal(self, signum):
        if signum == signal.SIGINT and self._program:
            self._program.interrupt()
            return
        await super().send_signal(signum)

    def usage(self):
        """CPU seconds and peak memory of the kernel, as `ControlGroup.usage` has them."""
        return self._program.group.usage() if self._program else (0.0, 0)

    async def cleanup(self, restart=False):
        await super().cleanup(restart)
        self._clean()

    def _clean(self):
        if self._program:
            self._program.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._program = self._folder = None


@contextlib.contextmanager
def _in_memory(content):
    """A file descriptor from which content can be read."""
    file = os.memfd_create("jail")
    try:
        os.write(file, content)
        os.lseek(file, 0, os.SEEK_SET)
        yield file
    finally:
        os.close(file)


def _halves(line):
    """A command line's part before the first ``--``, and the rest with it."""
    middle = line.index("--")
    return line[:middle], line[middle:]


def _running():
    """Processes and threads on this machine: where no control group does it, the system counts all that a user runs."""
    return len(list(Path("/proc").glob("[0-9]*/task/[0-9]*")))


class JailedKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are jailed.

    Attributes
    ----------
    view : View or None
        What they get to see. By default the whole library, for checks that run in the kernel itself.
    packages : tuple of str
        What has been imported when they start, where that is possible.
    """

    view, packages = None, ()

    async def _async_pre_start_kernel(self, **kwargs):
        if self.provisioner is None:
            self.provisioner = JailedProvisioner(
                parent=self, kernel_id=self.kernel_id or secrets.token_hex(8), kernel_spec=self.kernel_spec
            )
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel
