"""A student's working copy of the lessons, and JupyterLab on it.

`notebooks/` is the release: generated, committed, never edited. Students work in `work/notebooks/`, which git ignores: each file is copied
there once and never overwritten, so neither `git pull` nor a new release touches what somebody wrote. `reset` sets a copy aside and starts
again.
"""

import contextlib
import difflib
import hashlib
import os
import secrets
import socket
import subprocess
import sys
import webbrowser
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RELEASE = ROOT / "notebooks"
WORK = ROOT / "work"
FIRST_PAGE = "notebooks/00_start_here/00_start_here.ipynb"
JUPYTER_CONFIG = Path(__file__).resolve().parent / "jupyter"  # one folder for students, one for instructors


class WorkspaceError(Exception):
    """What went wrong and what to do about it, in plain words."""


def lesson_names(release: Path = RELEASE) -> list[str]:
    """Return the names of the released lessons, in order."""
    names = sorted(folder.name for folder in release.glob("[0-9]*") if folder.is_dir())
    if not names:
        raise WorkspaceError(
            f"There are no lessons in {release}. Get them with `git checkout -- notebooks` or, as an author, `make release`."
        )
    return names


def find_lesson(wanted: str, release: Path = RELEASE) -> str:
    """Return the full name of a lesson given as its name, its number (`2`, `02`) or the beginning of its name.

    Raises
    ------
    WorkspaceError
        No lesson, or more than one, is meant; the message names the nearest.
    """
    names = lesson_names(release)
    if wanted.isdigit():
        found = [name for name in names if int(name.split("_")[0]) == int(wanted)]
    else:
        found = [name for name in names if name == wanted] or [name for name in names if wanted and name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if not wanted:
        raise WorkspaceError(f"Say which lesson: make reset LESSON={names[-1]}. There are: {', '.join(names)}.")
    # a number is no part of the likeness: "02_stacked" is nearer to 05_stacked_convolutions than to another 02
    topics = {name.split("_", 1)[-1]: name for name in names}
    near = difflib.get_close_matches(wanted, names, 1) or [
        topics[topic] for topic in difflib.get_close_matches(wanted.split("_", 1)[-1], topics, 1, cutoff=0.4)
    ]
    nearest = f"Did you mean LESSON={near[0]}? " if near else ""
    raise WorkspaceError(f"There is no lesson {wanted!r}. {nearest}There are: {', '.join(names)}.")


def copy_release(release: Path = RELEASE, work: Path = WORK) -> list[Path]:
    """Copy each released file that `work` does not have yet; what is there stays as it is.

    Returns
    -------
    list of Path
        The files made. A file appears complete or not at all, and exactly once when two processes copy at the same time.
    """
    made = []
    for name in lesson_names(release):
        for source in sorted((release / name).rglob("*")):
            place = source.relative_to(release)
            target = work / "notebooks" / place
            if source.is_dir() or any(part.startswith(".") for part in place.parts) or target.exists():
                continue
            content = source.read_bytes()
            record = _record(work, place)
            record.parent.mkdir(parents=True, exist_ok=True)
            _create(record, _digest(content).encode(), replace=True)  # first: a copy without its record would never be told of newer ones
            target.parent.mkdir(parents=True, exist_ok=True)
            if _create(target, content):
                made.append(target)
    return made


def outdated_lessons(release: Path = RELEASE, work: Path = WORK) -> list[str]:
    """Return the lessons whose release has changed since `work` got its copy."""
    old = set()
    for copy in sorted((work / "notebooks").rglob("*")):
        place = copy.relative_to(work / "notebooks")
        record, source = _record(work, place), release / place
        if record.is_file() and source.is_file() and record.read_text() != _digest(source.read_bytes()):
            old.add(place.parts[0])
    return sorted(old)


def reset(lesson: str, release: Path = RELEASE, work: Path = WORK) -> Path | None:
    """Start a lesson again: move the copy to `work/kept/` under the time's name and copy the release.

    Returns
    -------
    Path or None
        Where the old copy went; None when there was none.
    """
    name = find_lesson(lesson, release)
    kept = None
    if (work / "notebooks" / name).exists():
        (work / "kept").mkdir(exist_ok=True)
        moment = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
        kept = work / "kept" / f"{name}_{moment}"
        number = 1
        while kept.exists():  # twice within a second
            number += 1
            kept = work / "kept" / f"{name}_{moment}_{number}"
        (work / "notebooks" / name).rename(kept)
    copy_release(release, work)
    return kept


def _record(work: Path, place: Path) -> Path:
    """Return the file that says which release a copy was made from."""
    return work / ".released" / place.parent / f"{place.name}.sha256"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _create(target: Path, content: bytes, replace: bool = False) -> bool:
    """Make a file in one step, complete or not at all; return False when it is there already (unless `replace`)."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_bytes(content)
        if replace:
            part.replace(target)
            return True
        try:
            os.link(part, target)  # unlike a rename, this never replaces a file
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if target.exists():
                return False
            part.replace(target)
        return True
    finally:
        part.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------------------- JupyterLab


def browser_can_open() -> bool:
    """Whether a graphical browser can open here: not over ssh, not on a machine without a display."""
    if os.environ.get("BROWSER"):
        return True
    if (
        sys.platform.startswith("linux")
        and "WSL_DISTRO_NAME" not in os.environ
        and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    ):
        return False  # what `webbrowser` finds then is a text browser, which would take over the terminal
    if os.environ.get("SSH_CONNECTION") and not os.environ.get("DISPLAY"):
        return False
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def check_port(port: int) -> None:
    """Raise WorkspaceError when a server cannot listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just stopped does not count
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            raise WorkspaceError(
                f"Port {port} cannot be used ({getattr(error, 'strerror', None) or error}): perhaps another JupyterLab runs there.\n"
                "Choose another, `make lab PORT=9999`, or none: a free one is then found."
            ) from None


def jupyter_command(folder: Path, page: str, port: int | None, browser: bool) -> list[str]:
    """Return the command that serves `folder` on 127.0.0.1 and opens `page`, a path in JupyterLab; Jupyter makes the token."""
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={folder}",
        "--Application.log_level=ERROR",
        f"--ServerApp.open_browser={browser}",
        f"--LabApp.default_url={page}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if port:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--ServerApp.allow_root=True")  # a container, usually
    if "WSL_DISTRO_NAME" in os.environ:
        command.append("--ServerApp.use_redirect_file=False")  # a browser on Windows cannot open a file of Linux
    return command


def jupyter_environment(config: Path) -> dict[str, str]:
    """Return the environment for JupyterLab: `config` before a user's own settings, and course_lib importable in every kernel."""
    environment = dict(os.environ, JUPYTER_PREFER_ENV_PATH="1")
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)  # under conda, the project itself is not installed
    paths = [str(config), environment.get("JUPYTER_CONFIG_PATH", "")]
    environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def serve(folder: Path, page: str, config: Path, port: int | None = None, browser: bool = True) -> int:
    """Run JupyterLab on a folder until it is stopped, and return its exit status."""
    if port:
        check_port(port)
    browser = browser and browser_can_open()
    if browser:
        print("JupyterLab opens in your browser; if it does not, copy the http address below into one. Ctrl-C here stops it.", flush=True)
    else:
        print("No browser can be opened here: copy the http address below into one. Ctrl-C here stops JupyterLab.", flush=True)
    command, environment = jupyter_command(folder, page, port, browser), jupyter_environment(config)
    os.chdir(folder)
    if os.name == "posix":
        os.execve(command[0], command, environment)
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.run(command, env=environment, check=False).returncode
    return 0


def start_lab(work: Path = WORK, port: int | None = None, browser: bool = True) -> int:
    """Bring the working copy up to date and open the course in JupyterLab."""
    first_time = not (work / "notebooks").exists()
    made = copy_release(RELEASE, work)
    if first_time:
        print(f"Your copies of the lessons are in {work / 'notebooks'}; nothing overwrites them.")
    elif made:
        print("New: " + ", ".join(sorted({str(path.relative_to(work / "notebooks").parts[0]) for path in made})))
    for name in outdated_lessons(RELEASE, work):
        print(f"There is a newer {name}. Yours stays as it is; to start the new one (yours goes to work/kept/): make reset LESSON={name}")
    return serve(work.resolve(), f"/lab/tree/{FIRST_PAGE}", JUPYTER_CONFIG / "student", port, browser)


def start_formgrader(course: Path, port: int | None = None, browser: bool = True) -> int:
    """Open nbgrader's formgrader on an instructor's folder (one with `nbgrader_config.py`), where answers are graded by hand."""
    if not (course / "nbgrader_config.py").is_file():
        raise WorkspaceError(f"{course} is no instructor's folder: it has no nbgrader_config.py. (`make demo` makes one, demo/.)")
    print("Manual Grading: click on a lesson, its notebook, and the first hand-in. JupyterLab is at the same address with /lab.")
    return serve(course.resolve(), "/formgrader/gradebook", JUPYTER_CONFIG / "instructor", port, browser)
