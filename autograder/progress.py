"""A line at the foot of the terminal that tells how far a long command is; nothing where there is no terminal."""

import shutil
import sys
import threading
import time


class Progress:
    """Counts done, failed and left, and the time that the rest may take.

    Use it in a `with` statement; it draws itself anew each second.

    Parameters
    ----------
    total : int
        How many there are.
    stream : file, optional
        Where it is drawn; by default the standard error output.
    clock : callable
        Seconds.
    """

    def __init__(self, total, stream=None, clock=time.monotonic):
        self.total, self.done, self.failed, self.skipped = total, 0, 0, 0
        self.stream, self.clock = stream or sys.stderr, clock
        self.live = self.stream.isatty()
        self._start = clock()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._drawn = 0
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self):
        if self.live:
            self._thread.start()
        return self

    def __exit__(self, *problem):
        self._over.set()
        if self.live:
            self._thread.join()
            with self._lock:
                self._erase()

    def skip(self):
        """Count one that needed no work: it says nothing about the time that the others take."""
        self.skipped += 1
        self._start = self.clock()

    def count(self, failed=False):
        """Count one that is done."""
        self.done += 1
        self.failed += failed

    def print(self, *lines):
        """Print lines above."""
        with self._lock:
            self._erase()
            for line in lines:
                print(line, flush=True)
            self._draw()

    def text(self, width=80):
        """The line."""
        left = self.total - self.skipped - self.done
        facts = [f"{self.done + self.skipped}/{self.total} done", f"{self.failed} failed"]
        spent = self.clock() - self._start
        if self.done and left:
            facts.append(f"{duration(spent / self.done * left)} left")
        elif left:
            facts.append(f"{duration(spent)} so far")
        share = (self.done + self.skipped) / max(1, self.total)
        full = int(20 * share)
        return f"[{'#' * full}{'.' * (20 - full)}] {', '.join(facts)}"[: width - 1]

    def _tick(self):
        while True:
            with self._lock:
                self._erase()
                self._draw()
            if self._over.wait(1):
                return

    def _draw(self):
        if self.live and not self._over.is_set():
            text = self.text(shutil.get_terminal_size().columns)
            self.stream.write(text)
            self.stream.flush()
            self._drawn = len(text)

    def _erase(self):
        if self._drawn:
            self.stream.write(f"\r{' ' * self._drawn}\r")
            self.stream.flush()
            self._drawn = 0


def duration(seconds):
    """A time as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    seconds = round(seconds)
    if seconds < 100:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
