"""How nbgrader runs a hand-in here: every cell bounded in time, and no points without a verdict.

Both classes stand in `nbgrader_config.py`, so that the plain `nbgrader autograde` and the formgrader use them too.
"""

import contextlib
import copy
import math
import os
import re
import signal
import subprocess
import threading
import time

import nbformat
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Enum, Integer

from . import sandbox

GRACE = 10  # seconds after a cell's limit until the kernel is killed from outside
MOST_RESTARTS = 3
MAY_TAKE = re.compile(r"may-take-(\d{1,3})-s")  # a cell's tag in the release, where training takes longer than other cells may
REASONS = {"CellTimeoutError", "KernelDied", "NotRun", "NoVerdict"}  # error names that this module gives, each with a plain reason


def allowance(cell):
    """Seconds that a lesson allows one of its cells beyond what all cells may take; 0 for most."""
    found = [MAY_TAKE.fullmatch(tag) for tag in cell.metadata.get("tags", ())]
    return max((int(match[1]) for match in found if match), default=0)


def error(name, reason):
    """An output that scores nothing and says why in one line."""
    return new_output("error", ename=name, evalue=reason, traceback=[reason])


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
        self._ran = []  # indices of cells to run again in a fresh kernel
        self._restarts = 0
        self.timeout_func = self._limit
        return super().preprocess(nb, resources, km)

    def _limit(self, cell):
        """Seconds that a cell may take."""
        left = math.ceil(self._deadline - time.monotonic())
        return max(1, min(max(self.timeout or left, allowance(cell)), left))

    def preprocess_cell(self, cell, resources, index):
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        cell.outputs, cell.execution_count = [], None
        if self._restarts > MOST_RESTARTS:
            cell.outputs = [error("NotRun", f"Not run: the kernel had already stopped {self._restarts} times in this notebook.")]
        elif time.monotonic() >= self._deadline:
            cell.outputs = [error("NotRun", f"Not run: the cells before it took all of the notebook's {self._seconds} seconds.")]
        elif self._run(cell, index) and not utils.is_grade(cell):
            self._ran.append(index)
        return cell, resources

    def _run(self, cell, index):
        """Run one cell. Returns whether it came to an end by itself."""
        limit, self._timed_out, self._kept = self._limit(cell), False, 0
        stopped = f"Stopped after {limit} seconds. Does a loop never end?"
        self.error_on_timeout = {"ename": "CellTimeoutError", "evalue": stopped, "traceback": [stopped]}
        watchdog = threading.Timer(limit + GRACE, self._kill)  # nbclient does not see to its own limits while output floods in
        watchdog.daemon = True
        watchdog.start()
        start = time.monotonic()
        try:
            self.execute_cell(cell, index, store_history=True)
            return not self._timed_out
        except Exception as problem:  # whatever a hand-in can make nbclient stumble over: the cell scores nothing, the rest goes on
            failure = self._failure(problem, limit, time.monotonic() - start)
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
        super().on_cell_executed(**kwargs)

    def _restart(self):
        """Start a fresh kernel and bring it to where the old one was."""
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            return
        self._kill()
        self._cleanup_kernel()
        self.km = self.create_kernel_manager()
        self.start_new_kernel()
        self.start_new_kernel_client()
        again, self._ran = self._ran, []
        for index in again:
            if time.monotonic() >= self._deadline or self._restarts > MOST_RESTARTS:
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

    def start_new_kernel(self, **kwargs):
        """Start the kernel; what it says outside of cells is nobody's business."""
        return super().start_new_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)

    def _cleanup_kernel(self):
        self._kill()  # also what a cell left running in the background
        return super()._cleanup_kernel()

    def process_message(self, msg, cell, cell_index):
        """Keep a bounded share of what a cell prints and shows; its result has a share of its own."""
        content, kind = msg["content"], msg["msg_type"]
        if kind in ("stream", "display_data", "execute_result"):
            size = len(content.get("text") or "") + sum(len(str(value)) for value in (content.get("data") or {}).values())
            before = 0 if kind == "execute_result" else self._kept
            if before + size > self.output_bytes:
                if before <= self.output_bytes:
                    cell.outputs.append(new_output("stream", name="stdout", text="\n... the rest of the output is left out ...\n"))
                self._kept = self.output_bytes + 1
                return None
            self._kept += size
        return super().process_message(msg, cell, cell_index)


def execute(task):
    """Run one hand-in. Nothing but the task goes in and nothing but the record comes out, so that it may run on another machine.

    Parameters
    ----------
    task : dict
        ``lesson``: its name; ``notebook``: the rebuilt notebook, as JSON text; ``seed``: where random cases start;
        ``settings``: traits of `BoundedExecute`; ``unsafe``: whether to run outside of a jail.

    Returns
    -------
    record : dict
        All of it is JSON. ``lesson``; ``cells``: by cell id the ``outputs`` and ``seconds`` of each code cell; ``verdicts``: by id of
        each test cell a dict of ``points`` (earned), ``of``, ``state`` ("right", "partly", "wrong", "undone" or "stopped"),
        ``seconds``, ``exercise``, ``title``, ``message``, ``misconception`` (a slug or None), ``sentence``, ``hints`` and ``card``
        (HTML, or ""); ``notes``: plain reasons, one for each cell that was stopped; ``seconds``, ``cpu_seconds``, ``peak_memory``
        (bytes) and ``restarts`` of the kernel.
    """
    notebook = nbformat.reads(task["notebook"], as_version=4)
    runner = BoundedExecute(**task["settings"])
    runner.jail = "never" if task["unsafe"] else "always"
    start = time.monotonic()
    runner.preprocess(notebook, {"metadata": {"path": "."}})
    closed = FailClosed()
    verdicts = {}
    for index, cell in enumerate(notebook.cells):
        closed.preprocess_cell(cell, {}, index)
        if utils.is_grade(cell) and not utils.is_solution(cell) and cell.cell_type == "code":
            verdicts[cell.id] = _verdict(cell)
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        "lesson": task["lesson"],
        "cells": {cell.id: {"outputs": cell.outputs, "seconds": 0.0} for cell in codes},
        "verdicts": verdicts,
        "notes": [f"{cell.id}: {o.evalue}" for cell in codes for o in cell.outputs if o.output_type == "error" and o.ename in REASONS],
        "seconds": time.monotonic() - start,
        "cpu_seconds": 0.0,
        "peak_memory": 0,
        "restarts": runner._restarts,
    }


def _verdict(cell):
    points, most = utils.determine_grade(cell, None)
    return {
        "points": points,
        "of": most,
        "state": "right" if points == most else "partly" if points else "wrong",
        "seconds": 0.0,
        "exercise": cell.id,
        "title": "",
        "message": "",
        "misconception": None,
        "sentence": "",
        "hints": [],
        "card": "",
    }


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
