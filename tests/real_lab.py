"""JupyterLab for tests, started as `make lab` starts it, and ended whatever it does."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings

from real_browser import SECONDS

from course_lib.workspace import ROOT


class Lab:
    """A running JupyterLab: its address with the token, and everything it printed."""

    def __init__(self, process):
        self.process, self.printed, self.address = process, [], None
        threading.Thread(target=self._read, daemon=True).start()
        end = time.monotonic() + SECONDS
        while not self.address and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        assert self.address, f"JupyterLab did not start:\n{''.join(self.printed)}"
        self.base, self.token = re.match(r"(http://[^/]+).*token=(\w+)", self.address).groups()
        while self.status("/api", self.token) is None:
            assert time.monotonic() < end, f"JupyterLab does not answer:\n{''.join(self.printed)}"
            time.sleep(0.05)

    def _read(self):
        for line in self.process.stdout:
            self.printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", line):
                self.address = found[0]

    def get(self, path, token=None):
        headers = {"Authorization": f"token {token}"} if token else {}
        with urllib.request.urlopen(urllib.request.Request(self.base + path, headers=headers), timeout=SECONDS) as answer:
            return json.load(answer)

    def status(self, path, token=None):
        """Return the HTTP status of a request; None when nothing listens."""
        try:
            self.get(path, token)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return None
        return 200


@contextlib.contextmanager
def started(jupyter, *arguments):
    """Run `python -m course_lib lab` with these arguments; the tester's own settings and open tabs stay out of it, in `jupyter`."""
    folders = {f"JUPYTER_{name}_DIR": str(jupyter / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    process = subprocess.Popen(
        [sys.executable, "-m", "course_lib", "lab", "--no-browser", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | folders | {"PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    lab = None
    try:
        lab = Lab(process)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:  # seen twice in hundreds; it must not outlive the tests, and is no verdict on what they tested
            os.kill(process.pid, signal.SIGABRT)  # it says where it hangs
            process.wait()
            with contextlib.suppress(ProcessLookupError):  # nothing else of it was left
                os.killpg(process.pid, signal.SIGKILL)
            said = "".join(lab.printed) if lab else ""
            warnings.warn(f"JupyterLab did not end in {SECONDS} s and was killed. It had printed:\n{said}", stacklevel=2)
