"""How a hand-in is run.

`BoundedExecute` bounds every cell in time and survives kernels that die; `FailClosed` gives no points without a verdict. Both stand in
`nbgrader_config.py`, so that the plain `nbgrader autograde` uses them too; there the checks run in the student's own kernel.
`execute`, which `grade` uses, judges the answers in a process of its own, out of the student's reach.
"""

import ast
import asyncio
import contextlib
import copy
import hashlib
import json
import math
import os
import queue
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import nbformat
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.channels import HBChannel
from jupyter_core.utils import ensure_async, run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Enum, Integer, Type

from . import edition, sandbox

GRACE = 10  # seconds after a cell's limit until the kernel is killed from outside
MOST_RESTARTS = 8
SHOWN = ("stream", "display_data", "update_display_data", "execute_result", "error")  # messages that may become outputs
LONGEST_ERROR = 20_000  # characters
MOST_CELLS_FULL = 10  # as many cells of a notebook may show as much as a cell may
STARTS = 3  # tries to start a kernel
MAY_TAKE = re.compile(r"may-take-(\d{1,3})-s")  # a cell's tag in the release, where training takes longer than other cells may
DEMONSTRATION = "demonstration"  # a cell's tag in the release, where nothing that is graded follows from it
NOT_RUN = "This cell is there to look at, and no answer needs it: it is not run while the notebook is graded.\n"
REASONS = {"CellTimeoutError", "KernelDied", "NotRun", "NoVerdict"}  # error names that this module gives, each with a plain reason


def allowance(cell):
    """Seconds that a lesson allows one of its cells beyond what all cells may take; 0 for most."""
    found = [MAY_TAKE.fullmatch(tag) for tag in cell.metadata.get("tags", ())]
    return max((int(match[1]) for match in found if match), default=0)


def longest(task):
    """Seconds that all cells of a task for `execute` may take together."""
    seconds = task["settings"].get("notebook_seconds", BoundedExecute.notebook_seconds.default_value)
    return seconds + sum(allowance(cell) for cell in nbformat.reads(task["notebook"], as_version=4).cells)


def names_bound(source):
    """The global names that a cell's text gives a meaning to."""
    found, left = set(), [ast.parse(source)]
    for node in left:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
            continue
        if isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if not isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):  # their names are their own
            left += ast.iter_child_nodes(node)
    return found


def size_of(content):
    """About how many bytes a message's content takes."""
    total, left = 0, [content]
    while left:
        one = left.pop()
        total += len(one) if isinstance(one, str) else 8
        left += [*one.keys(), *one.values()] if isinstance(one, dict) else one if isinstance(one, list) else ()
    return total


def error(name, reason):
    """An output that scores nothing and says why in one line."""
    return new_output("error", ename=name, evalue=reason, traceback=[reason])


class NoHeartbeat(HBChannel):
    """A channel that never starts: the process tells whether a kernel lives, and a forged heartbeat would be waited for without end."""

    def start(self):
        """Stay silent."""


class Client(AsyncKernelClient):
    """What talks to a kernel, without a heartbeat."""

    hb_channel_class = Type(NoHeartbeat)


class BoundedExecute(Execute):
    """Run a notebook to its end whatever its cells do.

    A cell that takes too long is interrupted and the rest runs on in the same kernel. Where the kernel does not heed the
    interrupt, or dies, a fresh kernel runs the cells before it again, leaving out the culprit, and goes on after it.
    All cells together are bounded by `notebook_seconds`, a cell's output by `output_bytes`. A cell that the lesson gives the tag
    ``may-take-120-s`` may run that long, and all cells together longer by as much.
    """

    jail = Enum(
        ["if possible", "always", "never"],
        "if possible",
        help="whether the kernel runs in a jail; outside of one, a hand-in's code may do whatever the grader may",
    ).tag(config=True)
    notebook_seconds = Integer(300, help="seconds that all cells of a notebook may take together").tag(config=True)
    output_bytes = Integer(2_000_000, help="bytes of output that are kept of a cell").tag(config=True)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.shutdown_kernel = "immediate"  # a polite request would wait for a kernel that hangs

    def preprocess(self, nb, resources, km=None):
        if self.jail == "always":
            sandbox.require_jail()
        if self.jail != "never" and not sandbox.missing():
            self.kernel_manager_class = sandbox.JailedKernelManager
        self._seconds = self.notebook_seconds + sum(allowance(cell) for cell in nb.cells)
        self._deadline = time.monotonic() + self._seconds
        self._kept_of_all = 0  # of what cells showed
        self._ran = []  # indices of cells to run again in a fresh kernel
        self.reasons = {}  # by cell id, why it was stopped or not run
        self._restarts, self._gone, self._begun = 0, False, False
        self.timeout_func = self._limit
        for attempt in range(STARTS):
            try:
                return super().preprocess(nb, resources, km)
            except Exception:
                if self._begun or attempt == STARTS - 1:
                    raise
                with contextlib.suppress(Exception):  # it did not start in time, on a busy machine, or died: no cell has been run yet
                    self._cleanup_kernel()

    def _limit(self, cell):
        """Seconds that a cell may take."""
        left = math.ceil(self._deadline - time.monotonic())
        return max(1, min(max(self.timeout or left, allowance(cell)), left))

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        cell.outputs, cell.execution_count = [], None
        self._begun, reason = True, self._over()
        if reason:
            self.reasons[cell.id] = reason
            cell.outputs = [error("NotRun", reason)]
        elif self._run(cell, index) and not utils.is_grade(cell):
            self._ran.append(index)
        return cell, resources

    def _over(self):
        """Why nothing more of the notebook is run; empty as long as cells are run."""
        if self._gone:
            return "Not run: the kernel stopped, and no other one could be started."
        if self._restarts > MOST_RESTARTS:
            return f"Not run: the kernel had already stopped {self._restarts} times in this notebook."
        if time.monotonic() >= self._deadline:
            return f"Not run: the cells before it took all of the notebook's {self._seconds} seconds."
        return ""

    def _run(self, cell, index):
        """Run one cell. Returns whether it came to an end by itself."""
        limit, self._timed_out, self._kept, self._told = self._limit(cell), False, [0, 0], False
        told = f"Stopped after {limit} seconds. Does a loop never end?"
        self.error_on_timeout = {"ename": "CellTimeoutError", "evalue": told, "traceback": [told]}
        watchdog = threading.Timer(limit + GRACE, self._kill)  # nbclient does not see to its own limits while output floods in
        watchdog.daemon = True
        watchdog.start()
        start = time.monotonic()
        try:
            self._quits = False
            self.execute_cell(cell, index, store_history=True)
            if self._quits:
                raise DeadKernelError("It ends in a moment, while the next cell is run.")
            if self._timed_out:
                self.reasons[cell.id] = told
            return not self._timed_out
        except Exception as problem:  # whatever a hand-in can make nbclient stumble over: the cell scores nothing, the rest goes on
            failure = self._failure(problem, limit, time.monotonic() - start)
            self.reasons[cell.id] = failure.evalue
        finally:
            watchdog.cancel()
        cell.outputs = [*(output for output in cell.outputs if output.output_type not in ("error", "execute_result")), failure]
        self.nb.cells[index] = cell
        self._restart()
        return False

    def _failure(self, problem, limit, seconds):
        if seconds >= limit:
            return error(
                "CellTimeoutError", f"Stopped after {limit} seconds, for which the kernel had to be killed. Does a loop never end?"
            )
        if isinstance(problem, DeadKernelError):
            return error("KernelDied", "The kernel died while this cell ran. Does it exit, or use too much memory?")
        if isinstance(problem, CellTimeoutError):
            return error("KernelDied", "The kernel had to be killed: this cell puts out more than can be read in time.")
        return error("KernelDied", f"The kernel gave an answer that makes no sense ({type(problem).__name__}).")

    def on_cell_executed(self, **kwargs):
        cell, reply = kwargs["cell"], kwargs["execute_reply"]
        if reply["content"]["status"] == "error" and reply["content"].get("ename") == "CellTimeoutError":
            self._timed_out = True
            cell.outputs = [output for output in cell.outputs if output.get("ename") != "KeyboardInterrupt"]
        payload = reply["content"].get("payload")
        asked = [one for one in payload if isinstance(one, dict)] if isinstance(payload, list) else []
        self._quits = any(one.get("source") == "ask_exit" and not one.get("keepkernel") for one in asked)
        super().on_cell_executed(**kwargs)

    def _restart(self):
        """Start a fresh kernel and bring it to where the old one was."""
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            return
        for _ in range(STARTS):
            try:
                self._cleanup_kernel()
                self.km = self.create_kernel_manager()
                self.start_new_kernel()
                self.start_new_kernel_client()
                break
            except Exception:  # it did not start in time, or died at once
                continue
        else:
            self._gone = True
            return
        again, self._ran = self._ran, []
        for index in again:
            if self._over():
                return
            original = self.nb.cells[index]
            came_to_an_end = self._run(copy.deepcopy(original), index)
            self.nb.cells[index] = original
            if came_to_an_end and index not in self._ran:
                self._ran.append(index)

    def _kill(self):
        """Kill the kernel and whatever it has started."""
        with contextlib.suppress(AttributeError, ProcessLookupError, PermissionError):
            group = self.km.provisioner.pgid
            if group and group != os.getpgrp():
                os.killpg(group, signal.SIGKILL)

    def create_kernel_manager(self):
        manager = super().create_kernel_manager()
        manager.client_factory = Client
        return manager

    def start_new_kernel(self, **kwargs):
        """Start the kernel; what it says outside of cells is nobody's business."""
        return super().start_new_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)

    def _cleanup_kernel(self):
        self._kill()  # also what a cell left running in the background
        return super()._cleanup_kernel() if self.km is not None else None

    async def _async_cleanup_kernel(self):
        if self.km is not None:  # there is none where one has not started
            await super()._async_cleanup_kernel()

    def process_message(self, msg, cell, cell_index):
        """Keep a bounded share of what a cell shows, another of its results and errors, and of all cells together."""
        content, kind = msg["content"], msg["msg_type"]
        if kind in SHOWN:
            if kind == "error" and size_of(content) > LONGEST_ERROR:  # such as one that quotes an array of a million numbers
                content["traceback"], content["evalue"] = [], str(content.get("evalue"))[:LONGEST_ERROR]
            share, size = kind in ("execute_result", "error"), size_of(content)
            of_all = 0 if utils.is_grade(cell) else self._kept_of_all + size  # a verdict is never left out for what other cells showed
            if max(self._kept[share] + size, of_all / MOST_CELLS_FULL) > self.output_bytes:
                if not self._told:
                    cell.outputs.append(new_output("stream", name="stdout", text="\n... the rest of the output is left out ...\n"))
                    self._told = True
                return None
            self._kept[share] += size
            self._kept_of_all += size
        elif kind not in ("status", "execute_input", "clear_output"):
            return None  # such as the messages of widgets, which nobody moves here
        return super().process_message(msg, cell, cell_index)


class FailClosed(NbGraderPreprocessor):
    """See to it that a test cell scores what its verdict says, and nothing where there is none.

    nbgrader gives full points to a test cell without a result, or with one that is no number, is negative or NaN;
    none for a mere warning; and stops grading at a result that exceeds the points.
    """

    def preprocess_cell(self, cell, resources, cell_index):
        if utils.is_grade(cell) and not utils.is_solution(cell) and cell.cell_type == "code":
            cell.outputs = verdict_only(cell.outputs, float(cell.metadata.nbgrader.points))
        return cell, resources


def verdict_only(outputs, points):
    """The outputs of a test cell such that nbgrader scores them rightly.

    Parameters
    ----------
    outputs : list of NotebookNode
        As the kernel gave them.
    points : float
        What the cell is worth.
    """
    results = [output for output in outputs if output.output_type == "execute_result"]
    others = [output for output in outputs if output.output_type != "execute_result"]
    for output in others:
        if output.output_type == "stream":
            output.name = "stdout"
    if any(output.output_type == "error" for output in outputs):
        return others
    if len(results) != 1:
        return [*others, error("NoVerdict", f"No points: the check gave {len(results) or 'no'} results where one was expected.")]
    plain = results[0].get("data", {}).get("text/plain", "")
    try:
        earned = float(plain if isinstance(plain, str) else "".join(plain))
    except (TypeError, ValueError):
        earned = math.nan
    if not 0 <= earned <= points:
        return [*others, error("NoVerdict", f"No points: the check's result is no number from 0 to {points:g}.")]
    return outputs


# ---------------------------------------------------------------------------------------------------- answers judged elsewhere


SERVE = "import jailed.servant as _servant; _servant.serve({path!r}, globals())"
CHECKER = ("course_lib.checks",)  # what every checker imports, and ...
KERNEL = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell")  # ... every kernel
LARGEST_MESSAGE = 32 << 20  # bytes of one message that a kernel sends
MOST_MESSAGES = 32  # that wait to be read; a flood is then the kernel's to keep
READY = 60  # seconds that the checker may take to start
MARGIN = 30  # seconds that the checker may take longer than the student's functions
LARGEST_VERDICT = 16 << 20  # bytes
STATES = ("right", "partly", "wrong", "undone", "stopped")


class CheckerGone(Exception):
    """The checker gives no answer."""


class Checker:
    """The process that judges (`jailed.checker`), and how to talk to it.

    Parameters
    ----------
    channel : Path
        The folder of the sockets.
    given, answers : list of str
        The released lesson's code cells, as `jailed.checker.definitions` wants them.
    packages : tuple of str
        What it may have imported when it starts.
    unsafe : bool
        Whether to run it outside of a jail.
    """

    def __init__(self, channel, given, answers, packages=(), unsafe=False):
        self._buffer = b""
        (channel / "library").unlink(missing_ok=True)  # an earlier checker's
        command = [sys.executable, "-m", "jailed.checker", str(channel)]
        if unsafe:
            surroundings = {**os.environ, "PYTHONPATH": f"{edition.JAILED.parent}:{edition.REPOSITORY}"}
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(command, **pipes, env=surroundings, start_new_session=True)
            self._group, self._in, self._out = None, self._process.stdin, self._process.stdout
        else:
            shown = (*sandbox.View().shown, (edition.JAILED, f"{edition.INSIDE}/jailed"))
            view = sandbox.View(shown, (channel,), (("PYTHONPATH", edition.SEARCHED),))
            program = sandbox.Program(command, view, sandbox.environment(), packages, piped=True)
            self._process, self._group, self._in, self._out = program.process, program.group, program.stdin, program.stdout
        self.tell({"given": given, "answers": answers})

    def tell(self, request):
        try:
            self._in.write(json.dumps(request).encode("ascii") + b"\n")
            self._in.flush()
        except OSError:
            raise CheckerGone from None

    def hear(self, seconds):
        """The next line that it says, as a dict."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or len(self._buffer) > LARGEST_VERDICT or not select.select([self._out], [], [], left)[0]:
                raise CheckerGone
            part = os.read(self._out.fileno(), 1 << 20)
            if not part:
                raise CheckerGone
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        try:
            told = json.loads(line)
        except ValueError:
            raise CheckerGone from None
        if not isinstance(told, dict):
            raise CheckerGone
        return told

    def close(self):
        usage = self._group.usage() if self._group else (0.0, 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(OSError):  # what it has not read
            self._in.close()
        self._out.close()
        if self._group:
            self._group.close()
        return usage


class TrustedExecute(BoundedExecute):
    """Run the student's cells in their kernel, and judge the answers in a process of its own (`Checker`).

    Parameters
    ----------
    release : list of NotebookNode
        The cells of the released lesson.
    seed : int
        From it follows where the random cases of each check start.
    unsafe : bool
        Whether to run everything outside of jails.
    """

    def __init__(self, release, seed, unsafe=False, **traits):
        super().__init__(**traits)
        self.unsafe, self.seed = unsafe, seed
        self.jail = "never" if unsafe else "always"
        codes = [cell for cell in release if cell.cell_type == "code"]
        self._given = [cell.source for cell in codes if not utils.is_solution(cell) and not utils.is_grade(cell)]
        self._answers = [cell.source for cell in codes if utils.is_solution(cell)]
        self._tests = {cell.id: cell.source for cell in codes if is_test(cell)}  # with hidden tests, which the hand-in lacks
        self._demonstrations = {cell.id: cell.source for cell in codes if DEMONSTRATION in cell.metadata.get("tags", ())}
        self._released = {cell.id: cell.source for cell in codes}
        self._without = edition.hidden([*self._given, *self._answers])
        self._heavy = edition.heavy([*self._given, *self._answers])
        self._library = edition.library([*self._given, *self._answers])
        self.verdicts, self.seconds = {}, {}
        self.cpu_seconds, self.peak_memory = 0.0, 0
        self._checker = None
        self._checkers = self._asked = 0

    def preprocess(self, nb, resources, km=None):
        self._channel = sandbox.scratch("answers")
        try:
            self._start_checker()  # it gets ready while the kernel starts
            return super().preprocess(nb, resources, km)
        finally:
            self._stop_checker()
            shutil.rmtree(self._channel, ignore_errors=True)

    def _start_checker(self):
        self._checker = Checker(self._channel, self._given, self._answers, (*CHECKER, *self._library, *self._heavy), self.unsafe)
        self._checkers += 1
        self._ready = False

    def _stop_checker(self):
        if self._checker:
            seconds, peak = self._checker.close()
            self.cpu_seconds, self.peak_memory = self.cpu_seconds + seconds, max(self.peak_memory, peak)
            self._checker = None

    def create_kernel_manager(self):
        manager = super().create_kernel_manager()
        if not self.unsafe:
            manager.view, manager.packages = edition.view(self._channel, self._without), (*KERNEL, *self._heavy)
        manager.context.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        manager.context.setsockopt(zmq.RCVHWM, MOST_MESSAGES)
        return manager

    def start_new_kernel(self, **kwargs):
        if self.unsafe:
            kwargs["env"] = {**os.environ, **edition.unjailed(self._channel, self._without)}
        return super().start_new_kernel(**kwargs)

    def _kill(self):
        with contextlib.suppress(AttributeError):
            seconds, peak = self.km.provisioner.usage()
            self.cpu_seconds, self.peak_memory = self.cpu_seconds + seconds, max(self.peak_memory, peak)
        super()._kill()

    def preprocess_cell(self, cell, resources, index):
        start = time.monotonic()
        if is_test(cell):
            verdict = self._judged(cell)
            verdict["of"], verdict["seconds"] = float(cell.metadata.nbgrader.points), round(time.monotonic() - start, 3)
            self.verdicts[cell.id] = verdict
            if verdict["state"] == "stopped":
                self.reasons[cell.id] = verdict["message"]
            cell.outputs, cell.execution_count = outputs_of(verdict), None
        elif self._may_skip(cell, index):
            cell.outputs, cell.execution_count = [new_output("stream", name="stdout", text=NOT_RUN)], None
        else:
            super().preprocess_cell(cell, resources, index)
        self.seconds[cell.id] = round(time.monotonic() - start, 3)
        return cell, resources

    def _may_skip(self, cell, index):
        """Whether a cell only demonstrates something, as it was released, and nothing that the student wrote after it uses it."""
        if self._demonstrations.get(cell.id) != cell.source:
            return False
        try:
            bound = names_bound(cell.source)
        except SyntaxError:  # IPython's own commands: what they do is not known
            return False
        after = [one.source for one in self.nb.cells[index + 1 :] if one.cell_type == "code" and self._released.get(one.id) != one.source]
        return not bound & set(re.findall(r"\w+", "\n".join(after)))

    def _judged(self, cell):
        """The verdict on one answer; whatever goes wrong is a verdict too, and costs this exercise only."""
        self._begun = True
        if self._over():
            return stopped(self._over())
        try:
            return run_sync(self._judge)(cell, self._limit(cell))
        except CheckerGone:
            self._stop_checker()
            reason = "The answer could not be judged: judging it took too long, or too much memory."
            if self._checkers <= MOST_RESTARTS:
                self._start_checker()
            return stopped(reason)
        finally:
            if self._checker is None or self._answering:
                self._restart()

    async def _judge(self, cell, limit):
        """Let the checker judge while the kernel answers it."""
        self._answering = False
        if self._checker is None:
            raise CheckerGone
        loop = asyncio.get_running_loop()

        def hear(seconds):
            return loop.run_in_executor(None, self._checker.hear, seconds)

        if not self._ready:
            await hear(READY)
            self._ready = True
        self._asked += 1
        path = self._channel / str(self._asked)
        source, points = self._tests.get(cell.id, cell.source), float(cell.metadata.nbgrader.points)
        seed = seed_of(self.seed, cell.id)
        self._checker.tell({"source": source, "points": points, "seed": seed, "socket": str(path), "seconds": limit})
        await hear(MARGIN)  # it listens
        message = self.kc.execute(SERVE.format(path=str(path)), silent=True, store_history=False, allow_stdin=False)
        self._answering = True
        reply = asyncio.ensure_future(self._reply(message))
        drain = asyncio.ensure_future(self._drain(message))
        heard = asyncio.ensure_future(hear(limit + MARGIN))
        try:
            await asyncio.wait({heard, reply}, return_when=asyncio.FIRST_COMPLETED)
            if not heard.done():  # the kernel does not answer any more: once what it has said is judged, that is all
                await asyncio.wait({heard}, timeout=1)
                if not heard.done():
                    _knock(path)
            verdict = checked(await heard, points)
            await self._let_go(reply, drain)
            return verdict
        finally:
            for task in (reply, drain):
                task.cancel()

    async def _let_go(self, reply, drain):
        """See to it that the kernel comes back from answering, with all that it put out; one that does not is replaced."""
        for interrupt in (False, True):
            if interrupt:
                await ensure_async(self.km.interrupt_kernel())
            await asyncio.wait({reply}, timeout=GRACE if interrupt else 1)
            if reply.done():
                if reply.result():  # it lives
                    await asyncio.wait({drain}, timeout=GRACE)  # else the next cell would wait behind it
                self._answering = not (reply.result() and drain.done())
                return

    async def _reply(self, message):
        """Wait for the kernel's reply to a message: True when it came, False when the kernel is dead."""
        while True:
            try:
                answer = await ensure_async(self.kc.get_shell_msg(timeout=1))
            except queue.Empty:
                if not await ensure_async(self.km.is_alive()):
                    return False
                continue
            except Exception:  # a message that makes no sense
                continue
            parent = answer.get("parent_header")
            if isinstance(parent, dict) and parent.get("msg_id") == message:
                return True

    async def _drain(self, message):
        """Throw away what the kernel puts out while it answers a message, until it says that this was all."""
        while True:
            with contextlib.suppress(Exception):  # a message that makes no sense
                said = await ensure_async(self.kc.get_iopub_msg(timeout=None))
                if said["parent_header"]["msg_id"] == message and said["content"].get("execution_state") == "idle":
                    return
            await asyncio.sleep(0)


def _knock(path):
    """Connect to a socket and leave, so that whoever waits there for somebody else waits no longer."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))


def seed_of(seed, name):
    """Where the random cases of one test start: whoever has seen the cases of another test can tell nothing about them."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7])  # as large as whatever takes a seed allows


def is_test(cell):
    """Whether a cell is one that tests an answer."""
    return cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)


def stopped(reason):
    """The verdict on an answer that could not be judged."""
    return {"points": 0.0, "state": "stopped", "message": reason, "exercise": "", "title": "", "misconception": None} | {
        "sentence": "",
        "hints": [],
        "card": "",
        "text": "",
    }


def checked(told, points):
    """A verdict as the checker told it, once it is certain to be one."""
    earned, state = told.get("points"), told.get("state")
    if not isinstance(earned, (int, float)) or isinstance(earned, bool) or not 0 <= earned <= points or state not in STATES:
        raise CheckerGone
    names = ("message", "exercise", "title", "sentence", "card", "text", "fault")
    texts = {name: told[name] for name in names if isinstance(told.get(name), str)}
    hints = [hint for hint in told.get("hints") or () if isinstance(hint, str)]
    slug = told.get("misconception") if isinstance(told.get("misconception"), str) else None
    return stopped("") | texts | {"points": float(earned), "state": state, "hints": hints, "misconception": slug}


def outputs_of(verdict):
    """The outputs of a test cell that say a verdict, such that nbgrader scores them as it says."""
    if verdict["state"] == "stopped":
        return [error("NoVerdict", verdict["message"])]
    shown = []
    if verdict["message"] and not verdict["card"]:
        shown.append(new_output("stream", name="stdout", text=verdict["message"] + "\n"))
    data = {"text/plain": repr(verdict["points"])} | ({"text/html": verdict["card"]} if verdict["card"] else {})
    return [*shown, new_output("execute_result", data=data)]


def execute(task):
    """Run one hand-in. Nothing but the task goes in and nothing but the record comes out, so that it may run on another machine.

    Parameters
    ----------
    task : dict
        ``lesson``: its name; ``notebook``: the rebuilt notebook, as JSON text; ``release``: the released lesson with
        its hidden tests, as JSON text; ``seed``: from which all random cases follow; ``settings``: traits of `BoundedExecute`; ``unsafe``:
        whether to run outside of a jail.

    Returns
    -------
    record : dict
        All of it is JSON. ``lesson``; ``cells``: by cell id the ``outputs`` and ``seconds`` of each code cell; ``verdicts``: by id of
        each test cell a dict of ``points`` (earned), ``of``, ``state`` ("right", "partly", "wrong", "undone" or "stopped"),
        ``seconds``, ``exercise``, ``title``, ``message``, ``misconception`` (a slug or None), ``sentence``, ``hints``, ``card``
        (HTML, or ""), ``text`` and, where the check itself failed, ``fault`` (a traceback, for the instructor); ``notes``: plain
        reasons, one for each cell that was stopped; ``seconds``, ``cpu_seconds``, ``peak_memory`` (bytes) and ``restarts`` of the
        kernel.
    """
    notebook = nbformat.reads(task["notebook"], as_version=4)
    release = nbformat.reads(task.get("release") or task["notebook"], as_version=4)
    start = time.monotonic()
    runner = TrustedExecute(release.cells, task["seed"], task["unsafe"], **task["settings"])
    runner.preprocess(notebook, {"metadata": {"path": None}})
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        "lesson": task["lesson"],
        "cells": {cell.id: {"outputs": cell.outputs, "seconds": runner.seconds.get(cell.id, 0.0)} for cell in codes},
        "verdicts": runner.verdicts,
        "notes": [f"{name}: {reason}" for name, reason in runner.reasons.items()],
        "seconds": round(time.monotonic() - start, 2),
        "cpu_seconds": round(runner.cpu_seconds, 2),
        "peak_memory": runner.peak_memory,
        "restarts": runner._restarts,
    }
