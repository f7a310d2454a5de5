"""A student's kernel in a jail: no network, no file but what the course needs, bounded memory, processes and disk.

The jail is bubblewrap (Linux). Memory and the number of processes of a whole kernel are bounded by control groups, version 1 or 2,
where this user may make them; elsewhere by limits on each process. `guarantees` says what this machine can do.
"""

import contextlib
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

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
    ]


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


def jailed(command, view, environment, limits=LIMITS, info=None, bounded=False):
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
    each = [] if bounded or not os.geteuid() else [f"--nproc={_running() + limits.processes}"]
    each += [f"--nofile={limits.files}", "--core=0", f"--fsize={limits.scratch}", f"--as={2 * limits.memory}"]
    return [*line, "--", "prlimit", *each, "--", *command]


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


LONGEST = 60  # characters of a folder's path, as that of a socket in it holds at most 107


def scratch(kind):
    """A new folder for what one kernel or checker needs while it runs: in the temporary folder, where that has a short name."""
    place = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=place if len(place) <= LONGEST else "/tmp"))


class JailedProvisioner(LocalProvisioner):
    """Starts a kernel in a jail and talks to it through sockets in a folder."""

    _folder = _group = _child = _info = None

    async def pre_launch(self, **kwargs):
        self._clean()
        self._folder = scratch("kernel")
        manager = self.parent
        manager.transport, manager.ip, manager.connection_file = "ipc", str(self._folder / "s"), str(self._folder / "c.json")
        manager.shell_port = manager.iopub_port = manager.stdin_port = manager.hb_port = manager.control_port = 0
        view = getattr(manager, "view", None)
        asked = {} if view else {name: value for name in PASSED_ON if (value := (kwargs.get("env") or os.environ).get(name))}
        view = view or View()
        view = replace(view, writable=(*view.writable, self._folder))
        kwargs = await super().pre_launch(**kwargs)
        self._group = ControlGroup(LIMITS)
        read, write = os.pipe()
        self._info = read, write
        command = jailed(kwargs.pop("cmd"), view, environment(**asked), info=write, bounded=self._group.bounds_processes)
        kwargs["cmd"] = self._group.entering(command)
        kwargs["cwd"], kwargs["pass_fds"], kwargs["env"] = "/", (write,), OUTSIDE
        return kwargs

    async def launch_kernel(self, cmd, **kwargs):
        told = await super().launch_kernel(cmd, **kwargs)
        read, write = self._info
        os.close(write)
        with os.fdopen(read) as stream:
            text = stream.read()
        self._info = None
        self._child = json.loads(text)["child-pid"] if text else None
        return told

    async def send_signal(self, signum):
        if signum == signal.SIGINT and self._child:  # to the kernel only: bubblewrap itself would die of it
            with contextlib.suppress(OSError, ValueError):
                children = Path(f"/proc/{self._child}/task/{self._child}/children").read_text().split()
                for pid in children:
                    os.kill(int(pid), signum)
            return
        await super().send_signal(signum)

    def usage(self):
        """CPU seconds and peak memory of the kernel, as `ControlGroup.usage` has them."""
        return self._group.usage() if self._group else (0.0, 0)

    async def cleanup(self, restart=False):
        await super().cleanup(restart)
        self._clean()

    def _clean(self):
        if self._group:
            self._group.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._group = self._folder = None


def _running():
    """Processes and threads on this machine: where no control group does it, the system counts all that a user runs."""
    return len(list(Path("/proc").glob("[0-9]*/task/[0-9]*")))


class JailedKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are jailed.

    Attributes
    ----------
    view : View or None
        What they get to see. By default the whole library, for checks that run in the kernel itself.
    """

    view = None

    async def _async_pre_start_kernel(self, **kwargs):
        if self.provisioner is None:
            self.provisioner = JailedProvisioner(
                parent=self, kernel_id=self.kernel_id or secrets.token_hex(8), kernel_spec=self.kernel_spec
            )
        return await super()._async_pre_start_kernel(**kwargs)

    pre_start_kernel = _async_pre_start_kernel
