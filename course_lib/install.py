"""Make `.venv` and install the pinned packages in it: what `make` runs before everything else.

Standard library only: `python -I course_lib/install.py` runs with whichever Python there is, before anything is installed.
Nothing is done when the stamp in `.venv` says that it is up to date; the stamp is written last, so an interrupted run never looks finished.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPACE_NEEDED = {"default": 7, "cpu": 2}  # GB, on Linux: .venv shares its files with uv's cache when both lie on one disk
# What only torch's CUDA build needs, by the start of the name.
CUDA_PACKAGES = ("nvidia-", "cuda-", "triton")
# An optional checker of internationalized addresses, which nothing here uses. Its import, which every start of JupyterLab and of the grader
# would wait for, compiles 38 grammars in 1.6 s; without it, JupyterLab is there in half the time.
SLOW_PACKAGES = ("rfc3987-syntax", "lark")
# What only a class's own machine needs (book/classroom.md). A student's zip has no folder `classroom`, and is set up without.
HUB_PACKAGES = ("configurable-http-proxy", "jupyterhub")

DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|not enough space|os error (28|122)\b|Errno (28|122)\b", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"dns error|failed to lookup address|name resolution|Name or service not known|nodename nor servname|error sending request|tcp connect"
    r"|Connection (refused|reset|aborted)|Network is unreachable|No route to host|timed? ?out|ProxyError|NewConnectionError|"
    r"network connectivity is disabled",
    re.IGNORECASE,
)


class InstallError(Exception):
    """What went wrong and what to do about it, in plain words."""


def lock_blocks(lock: str) -> dict[str, str]:
    """Split the text of `requirements.lock` into its requirements: name -> its lines (more than one version where markers choose)."""
    blocks: dict[str, str] = {}
    for block in re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE):
        if "==" in block:
            name = block.split("==")[0]
            blocks[name] = blocks.get(name, "") + block
    return blocks


def only_for(names: tuple[str, ...], blocks: dict[str, str]) -> set[str]:
    """Return these packages and those that nothing else needs, as the comments in the lock tell."""
    askers = {name: set(re.findall(r"^ +#(?: via| ) +(\S+)", block, re.MULTILINE)) for name, block in blocks.items()}
    found = set(names)
    while more := {name for name in blocks if name not in found and askers[name] and askers[name] <= found}:
        found |= more
    return found


def to_install(lock: str, torch: str, hub: bool = True) -> tuple[str, list[str]]:
    """Choose from the lock what is installed; `hub` is whether JupyterHub is, too.

    Returns
    -------
    tuple
        The chosen part of the lock, hashes and all; and the pins that have no hash: torch and torchvision for `torch="cpu"`, because
        their CPU wheels are others than the locked ones.
    """
    blocks = lock_blocks(lock)
    left_out = {name for name in blocks if name in SLOW_PACKAGES or (torch == "cpu" and name.startswith((*CUDA_PACKAGES, "torch")))}
    pins = [re.match(r"\S+", blocks[name])[0] for name in ("torch", "torchvision") if name in left_out]
    left_out |= set() if hub else only_for(HUB_PACKAGES, blocks)
    return "".join(block for name, block in blocks.items() if name not in left_out), pins


def fingerprint(root: Path, python: str, torch: str) -> dict[str, str]:
    """Everything that the contents of `.venv` depend on; where the project lies is part of it, since the editable install points there."""
    digests = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in ("requirements.lock", "pyproject.toml")}
    return {**digests, "python": python, "torch": torch, "root": str(root)}


def explain(output: str, folders: list[Path]) -> str | None:
    """Say in plain words what the output of a failed installer means; None when it is none of the known troubles."""
    if DISK_FULL.search(output):
        places = "; ".join(f"{folder}: {shutil.disk_usage(_existing(folder)).free / 1e9:.1f} GB free" for folder in folders)
        return (
            f"The disk is full. Setting up needs about {SPACE_NEEDED['default']} GB ({SPACE_NEEDED['cpu']} GB with TORCH=cpu). {places}.\n"
            "Free some space, or put the downloads elsewhere: UV_CACHE_DIR=/other/disk/cache TMPDIR=/other/disk/tmp make ..."
        )
    if NO_NETWORK.search(output):
        return (
            "The packages could not be downloaded: no network, or a proxy or firewall in between (the lines above say more).\n"
            "The first set-up needs a network (later runs do not): connect and run the same command again. "
            "Behind a proxy, set HTTPS_PROXY first."
        )
    return None


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def run(command: list[str | Path], folders: list[Path], quiet: bool = False) -> None:
    """Run an installer, showing what it says as it goes (`quiet`: only if it fails); raise InstallError with the reason when it fails."""
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if not quiet and not line.startswith((" + ", " - ", " ~ ")):  # 170 lines that name each package
                sys.stderr.write(line)
        failed = process.wait()
    finally:
        process.kill()  # Ctrl-C here must not leave an installer running; no effect on one that has ended
    if failed:
        output = "".join(lines)
        if quiet:
            sys.stderr.write(output)
        raise InstallError(
            explain(output, folders) or "The installation failed; the lines above say why. Running the same command again is safe."
        )


def make_environment(venv: Path, folders: list[Path]) -> None:
    """Make an empty virtual environment with pip, with the Python that runs this."""
    try:
        import ensurepip  # noqa: F401 (Debian ships a Python without it)
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise InstallError(
            f"This Python ({sys.executable}) cannot make virtual environments: its module ensurepip is missing.\n"
            f"On Debian and Ubuntu: sudo apt install python3-venv (or python{version}-venv), then run the same command again."
        ) from None
    run([sys.executable, "-m", "venv", "--clear", venv], folders, quiet=True)


def install(root: Path, venv: Path, torch: str) -> None:
    """Install uv (by pip), the pinned packages (by uv) and the project itself (editable) into the virtual environment; unpack the data."""
    python = venv / "bin" / "python"
    lock = (root / "requirements.lock").read_text()
    uv_lock, rest_lock = venv / "uv.txt", venv / "requirements.txt"
    uv_lock.write_text(lock_blocks(lock)["uv"])
    rest, pins = to_install(lock, torch, hub=(root / "classroom").is_dir())
    rest_lock.write_text(rest)
    # pip and uv unpack into these; whichever is full stops them
    folders = [venv, Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"), Path(tempfile.gettempdir())]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--retries", "1", "--timeout", "20"]
    run([*pip, "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", uv_lock], folders, quiet=True)
    uv = [python, "-m", "uv", "pip", "install", "--python", python, "--no-deps"]  # the lock is complete
    run([*uv, "--require-hashes", "-r", rest_lock], folders)
    if pins:
        run([*uv, "--torch-backend", torch, *pins], folders)
    # uv's own build backend is part of uv: no network needed
    run([*uv, "--quiet", "--offline", "-e", root], folders, quiet=True)
    run([python, "-m", "course_lib", "data"], folders, quiet=True)


def works(python: Path) -> bool:
    """Whether the virtual environment's Python starts and has pip (a half-made one lacks it, a removed system Python breaks it)."""
    try:
        return subprocess.run([str(python), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def set_up(root: Path, torch: str | None = None) -> bool:
    """Bring `.venv` up to date.

    Parameters
    ----------
    root : Path
        The project's folder.
    torch : {None, "default", "cpu"}
        Which build of torch; None keeps the choice made before.

    Returns
    -------
    bool
        Whether anything had to be done.
    """
    venv, version = root / ".venv", f"{sys.version_info.major}.{sys.version_info.minor}"
    stamp = venv / "installed.json"
    before = json.loads(stamp.read_text()) if stamp.exists() else {}
    wanted = fingerprint(root, version, torch or before.get("torch", "default"))
    if before == wanted and (sys.prefix == str(venv) or works(venv / "bin" / "python")):
        return False

    reusable = before.get("python") == version and before.get("torch") == wanted["torch"] and works(venv / "bin" / "python")
    size = f"{SPACE_NEEDED[wanted['torch']]} GB of disk"
    print(
        f"Setting up .venv with Python {version} (" + ("an update" if reusable else f"once; up to {size}") + ") ...",
        file=sys.stderr,
        flush=True,
    )
    stamp.unlink(missing_ok=True)
    try:
        if not reusable:
            make_environment(venv, [venv, Path(tempfile.gettempdir())])
        install(root, venv, wanted["torch"])
    except InstallError as error:
        if reusable and "could not be downloaded" in str(error):
            stamp.write_text(json.dumps(before))  # uv downloads everything before it changes anything: what was there still stands
        raise
    part = stamp.with_suffix(".part")
    part.write_text(json.dumps(wanted))
    part.replace(stamp)
    return True


def main() -> int:
    """Set up, and say plainly what stands in the way; return the exit status."""
    parser = argparse.ArgumentParser(description="Make .venv and install the pinned packages in it.")
    parser.add_argument("--torch", default=None, help="cpu: torch without CUDA (Linux); default: the usual build")
    torch = parser.parse_args().torch or None
    if torch not in (None, "cpu", "default"):
        print(f"TORCH={torch} is unknown: use TORCH=cpu (no CUDA, a much smaller download on Linux) or TORCH=default.", file=sys.stderr)
        return 2
    try:
        with (ROOT / "requirements.lock").open() as lock:
            import fcntl  # POSIX only, like make

            fcntl.flock(lock, fcntl.LOCK_EX)  # two set-ups at once: the second waits, then finds everything done
            set_up(ROOT, torch)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        reason = explain(str(error), [ROOT, Path(tempfile.gettempdir())])
        print(f"\n{reason or f'Setting up failed: {error}'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to set up the rest.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
