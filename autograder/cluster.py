"""Where hand-ins run: Dask workers, on this machine unless a cluster is named.

A task carries all that a worker needs, so that nothing but the network is shared with it. On this machine the workers listen on
127.0.0.1 only and talk TLS, with certificates that are made anew each time: no other user of the machine can join in.
"""

import asyncio
import contextlib
import functools
import hashlib
import importlib.util
import json
import logging
import os
import platform
import queue
import shutil
import signal
import stat
import tempfile
import threading
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import sandbox
from .course import CourseError
from .execution import execute, longest

MOST_DEATHS = 3  # of workers, with the same hand-in
OVERTIME = 300  # seconds beyond what a hand-in's cells may take, until its worker ends itself: something waits there for ever
WORKER_MEMORY = "2GiB"  # of a worker's own process; what students' code uses is bounded by its jail
MOST_SILENCE = 300  # seconds without any worker on this machine
PATIENCE = 30  # seconds to wait for a cluster's first worker
PACKAGES = ("distributed", "ipykernel", "jupyter_client", "nbclient", "nbformat", "nbgrader", "numpy", "scipy", "torch")
RUNS = ("edition.py", "execution.py", "jailed", "sandbox.py", "warm.py")  # the rooms of `autograder` that have a part in running a hand-in

# ---------------------------------------------------------------------------------------------------- what a verdict follows from


@functools.cache
def code():
    """Hashes of the code that verdicts follow from: of the library, and of how hand-ins are run."""
    package = importlib.util.find_spec("course_lib")
    library = [Path(folder) for folder in package.submodule_search_locations] if package else []
    return {"course_lib": _hash(library), "autograder": _hash([Path(__file__).with_name(name) for name in RUNS])}


def _hash(places):
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place] if place.exists() else []:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def environment():
    """What must be the same on every machine that runs a hand-in: versions, and the hashes of `code`."""
    return {"Python": ".".join(platform.python_version_tuple()[:2])} | {name: _version(name) for name in PACKAGES} | code()


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def difference(wanted, given):
    """A sentence that names what differs between two environments; empty where nothing does."""
    wrong = [f"{name} is {given.get(name, 'none')} there and {value} here" for name, value in wanted.items() if given.get(name) != value]
    if not wrong:
        return ""
    return f"A worker differs from this machine: {'; '.join(wrong)}. Install the same version of the course there, and start it again."


# ---------------------------------------------------------------------------------------------------- in a worker


def work(task, wanted=None):
    """Run a task in a worker; its record, as JSON text.

    Raises
    ------
    CourseError
        Where the worker is not such that its verdicts could be trusted: another environment than wanted, or no jail.
    """
    wrong = wanted and difference(wanted, environment())
    if wrong:
        raise CourseError(wrong)
    with ended_after(longest(task) + OVERTIME):
        return json.dumps(execute(task))


@contextlib.contextmanager
def ended_after(seconds):
    """End this process, a worker, where what stands inside takes longer: a worker that died is dealt with, one that waits is not."""
    watchdog = threading.Timer(seconds, os._exit, [1])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def look(unsafe):
    """Look at a worker's machine: its environment, and what it lacks to run a hand-in."""
    return environment(), [] if unsafe else [f"{one.name}. {one.remedy}" for one in sandbox.missing()]


def dask_setup(worker):
    """Let a worker on this machine live on when its terminal's Ctrl-C reaches it too: the coordinator ends it."""
    signal.signal(signal.SIGINT, lambda *_: None)


# ---------------------------------------------------------------------------------------------------- in the coordinator


class Pool:
    """Workers that run hand-ins: those of a Dask cluster that exists, or else processes on this machine.

    It starts when it is first used.

    Parameters
    ----------
    workers : int, optional
        How many processes on this machine; by default one a processor.
    scheduler : str, optional
        The address of an existing cluster's scheduler, such as ``tcp://10.0.0.1:8786``.
    """

    work = staticmethod(work)

    def __init__(self, workers=None, scheduler=None):
        self.workers = workers or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
        self.scheduler = scheduler
        self._client = self._cluster = self._folder = self._settings = None
        self._lost = set()

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        self.close()

    def check(self, unsafe=False):
        """Raise `CourseError` where it is plain before anything starts that hand-ins cannot be run."""
        if not unsafe and not self.scheduler:
            sandbox.require_jail()

    def start(self, unsafe=False):
        """Start the workers, or find those that exist; once is enough.

        Raises
        ------
        CourseError
            Where hand-ins cannot be run there.
        """
        if self._client is not None:
            return
        if self.scheduler:
            self._join(unsafe)
        else:
            self._start()

    def _start(self):
        import dask
        from distributed import Client, LocalCluster, Security

        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # where Dask's tasks complain about a worker that died
        security = Security.temporary()
        _sweep()
        self._folder = tempfile.mkdtemp(prefix=f"grade-{os.getpid()}-")  # also where the workers put what they need for a while
        settings = {f"distributed.worker.memory.{name}": False for name in ("target", "spill", "pause")}
        settings |= {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
        settings["distributed.admin.low-level-log-length"] = 10  # messages that are kept to look at: each holds a hand-in
        settings |= {"distributed.scheduler.allowed-failures": 0, "distributed.nanny.environ.TMPDIR": self._folder}
        settings["distributed.deploy.lost-worker-timeout"] = "1 day"  # a slow machine's worker may take its time to come back
        self._settings = dask.config.set(settings)  # it holds until it is closed: Dask asks for them at any time
        self._cluster = LocalCluster(
            n_workers=0,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            security=security,
            memory_limit=WORKER_MEMORY,
            local_directory=self._folder,
            silence_logs=logging.CRITICAL,
            preload="autograder.cluster",
        )
        self._cluster.scale(self.workers)  # and not at once: one that is killed while it starts would be an error of the whole
        self._client = Client(self._cluster, set_as_default=False)

    def _join(self, unsafe):
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            with warnings.catch_warnings(action="ignore"):  # about versions: `difference` says it more plainly
                client = Client(self.scheduler, set_as_default=False, timeout=PATIENCE)
        except (OSError, TimeoutError, ValueError, TypeError) as problem:
            raise CourseError(f"There is no Dask scheduler to talk to at {self.scheduler} ({problem}).") from None
        self._client = client
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise CourseError(f"No worker has joined the scheduler at {self.scheduler}. Start one: see `grade --help`.") from None
        for address, found in client.run(look, unsafe, on_error="return").items():
            if isinstance(found, Exception):
                raise CourseError(
                    f"The worker at {address} cannot run hand-ins ({type(found).__name__}: {found}). "
                    "Start it in the course's folder, with the course's Python."
                )
            theirs, lacking = found
            wrong = difference(environment(), theirs)
            if wrong:
                raise CourseError(f"{address}: {wrong}")
            if lacking:
                raise CourseError("\n".join(f"Not so at the worker {address}: {one}" for one in lacking))

    def run(self, jobs, unsafe=False):
        """Run tasks, a few at a time.

        No more tasks are taken from `jobs` than keep the workers busy. When a worker dies, the tasks that were its own wait until the
        others are done and are tried again, each alone; one that has seen `MOST_DEATHS` workers die is given up.

        Parameters
        ----------
        jobs : iterable of (name, dict)
            Tasks for `execution.execute`, each with any name.
        unsafe : bool
            Whether the tasks run outside of jails.

        Yields
        ------
        tuple of (name, dict or Exception)
            As they end: the record, or why there is none; `WorkersDiedError` for one that was given up.

        Raises
        ------
        CourseError
            Where the workers cannot be trusted with hand-ins, or are out of reach.
        """
        jobs = iter(jobs)
        job = next(jobs, None)
        if job is None:
            return
        self.start(unsafe)
        from distributed.scheduler import KilledWorker

        ended, running, suspects = queue.SimpleQueue(), {}, []
        while True:
            while job and not suspects and len(running) < 2 * self._threads():
                self._submit(*job, 0, running, ended)
                job = next(jobs, None)
            if suspects and not running:
                self._submit(*suspects.pop(), running, ended)
            if not running:
                return
            future, outcome = self._next(ended, running)
            _, name, task, deaths = running.pop(future.key)
            future.release()
            if isinstance(outcome, CourseError):
                raise outcome
            if isinstance(outcome, KilledWorker):
                deaths += outcome.allowed_failures + 1
                if deaths < MOST_DEATHS:
                    suspects.append((name, task, deaths))
                    continue
                outcome = WorkersDiedError(f"{deaths} workers died while they ran it.")
            del task
            yield name, outcome

    def _threads(self):
        return self.workers if self._cluster else max(1, sum(self._client.nthreads().values()))

    def _submit(self, name, task, deaths, running, ended):
        with warnings.catch_warnings(action="ignore"):  # a large task may be: it holds a notebook
            future = self._client.submit(self.work, task, None if self._cluster else environment(), pure=False)
        running[future.key] = future, name, task, deaths
        # a thread each: Dask may wait for ever for what was lost with its worker, whatever time it is given
        fetch = functools.partial(threading.Thread, target=lambda: ended.put((future, _outcome(future))), daemon=True)
        future.add_done_callback(lambda _: fetch().start())

    def _next(self, ended, running):
        """Wait for a task to end, and look after the workers of this machine meanwhile."""
        alive = time.monotonic()
        while True:
            with contextlib.suppress(queue.Empty):
                future, outcome = ended.get(timeout=1)
                return future, outcome
            if self._cluster:
                self._tend()
                if self._cluster.scheduler.workers:
                    alive = time.monotonic()
                elif time.monotonic() - alive > MOST_SILENCE:
                    raise CourseError("No worker starts on this machine. Is there memory left? What was graded is kept.")

    def _tend(self):
        """Replace workers that do not come back: Dask itself gives up one that dies while it starts."""
        lost = {name for name, nanny in list(self._cluster.workers.items()) if _is_lost(nanny)}
        for name in lost & self._lost:  # for a second and longer, so that nobody is about to start it
            self._cluster.loop.add_callback(_replace, self._cluster, name, self.workers)
        self._lost = lost - self._lost

    def close(self):
        """End the workers that were started here, at once, with all that they run."""
        if self._cluster:  # a worker that is asked to end would end its task first; once it is asked, nobody restarts it
            threading.Timer(0.2, _kill, [[nanny.pid for nanny in self._cluster.workers.values()]]).start()
        for one in (self._client, self._cluster):
            if one is not None:
                with contextlib.suppress(Exception):  # they may be gone already; all that matters is on the disk
                    one.close(timeout=5)
        if self._settings:
            self._settings.__exit__(None, None, None)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._client = self._cluster = self._folder = self._settings = None


def _sweep():
    """Remove the temporary folders of coordinators that were killed."""
    for folder in Path(tempfile.gettempdir()).glob("grade-*-*"):
        pid = folder.name.split("-")[1]
        with contextlib.suppress(OSError):  # somebody else removes it
            if pid.isdigit() and not _lives(int(pid)) and stat.S_ISDIR(folder.lstat().st_mode) and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _is_lost(nanny):
    """Is a worker gone, with nobody about to start it again?"""
    return nanny.status.name in ("closed", "failed") or (nanny.process is not None and nanny.process.status.name in ("stopped", "failed"))


async def _replace(cluster, name, count):
    """Put another worker in the place of one that is gone."""
    nanny = cluster.workers.pop(name, None)
    if nanny is not None:
        with contextlib.suppress(Exception):  # it is gone, whatever it says about it
            await asyncio.wait_for(nanny.close(), 5)
        cluster.scale(count)


def _kill(pids):
    for pid in pids:
        with contextlib.suppress(OSError, TypeError):
            os.kill(pid, signal.SIGKILL)


class WorkersDiedError(Exception):
    """A hand-in whose workers died, every time."""


def _outcome(future):
    """What a task came to: its record, or an exception."""
    from distributed.client import FutureCancelledError

    try:
        return json.loads(future.result())
    except (FutureCancelledError, ConnectionError):
        return CourseError("The cluster is out of reach. What was graded is kept; grade again to go on.")
    except Exception as problem:
        return problem
