"""The set-up: one list of dependencies and its pins, the Makefile, and what is said when something stands in the way."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from course_lib import install

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
DEPENDENCIES = [Requirement(line) for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()) for line in lines]


def pins():
    """Return the lock as package -> list of versions."""
    versions = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


# ---------------------------------------------------------------------------------------------------------------- the pins


@pytest.mark.parametrize("requirement", DEPENDENCIES, ids=lambda requirement: requirement.name)
def test_every_dependency_is_pinned_to_versions_that_pyproject_allows(requirement):
    versions = pins().get(canonicalize_name(requirement.name), [])
    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_every_pin_has_hashes():
    blocks = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)
    without = [block.split()[0] for block in blocks if block and not re.search(r"--hash=sha256:[0-9a-f]{64}", block)]
    assert without == []
    assert len(blocks) > 100


def test_the_lock_holds_pins_alone_no_index_no_address():
    entries = [line for line in LOCK.splitlines() if line and not line.startswith((" ", "#"))]
    assert all(re.match(r"[a-z0-9._-]+==\S+( ;.*)? \\$", line) for line in entries)
    assert "://" not in LOCK
    assert not re.search(r"^\s*(-i|-f|-e|--index-url|--extra-index-url|--find-links)", LOCK, re.MULTILINE)


@pytest.mark.parametrize(("file", "lock"), [("environment.yml", "requirements.lock"), (".binder/environment.yml", "../requirements.lock")])
def test_conda_and_binder_install_the_same_lock_on_a_python_that_is_allowed(file, lock):
    python, pip, from_pip = yaml.safe_load((ROOT / file).read_text())["dependencies"]
    assert (pip, from_pip) == ("pip", {"pip": [f"-r {lock}"]})
    assert (ROOT / file).parent.joinpath(lock).resolve() == ROOT / "requirements.lock"
    name, version = python.split("=")
    assert name == "python"
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_the_makefile_takes_the_pythons_that_pyproject_allows():
    low, high = re.search(r"not \((\d+, \d+)\) <= sys.version_info\[:2\] < \((\d+, \d+)\)", MAKEFILE).groups()
    assert PROJECT["requires-python"] == f">={low.replace(', ', '.')},<{high.replace(', ', '.')}"


def test_what_is_installed_is_the_lock_without_what_only_slows_every_start():
    kept, pins_without_hash = install.to_install(LOCK, "default")
    assert set(install.lock_blocks(LOCK)) - set(install.lock_blocks(kept)) == {"rfc3987-syntax", "lark"}
    assert pins_without_hash == []


def test_the_cpu_choice_leaves_out_what_only_cuda_needs_and_nothing_else():
    kept, torch_pins = install.to_install(LOCK, "cpu")
    everything = install.lock_blocks(LOCK)
    left_out = set(everything) - set(install.lock_blocks(kept)) - set(install.SLOW_PACKAGES)
    assert [pin.split("==")[0] for pin in torch_pins] == ["torch", "torchvision"]
    assert {"torch", "torchvision", "triton"} < left_out
    assert not re.search(r"^(nvidia|cuda|triton|torch)", kept, re.MULTILINE)
    # what was left out is needed by nothing but what was left out (and by this project, which asks for torch itself)
    for name in left_out:
        comment = re.split(r"#\s+via", everything[name])[-1].replace("#", " ")
        assert set(re.findall(r"[a-z0-9-]+", comment.split("(")[0])) - left_out <= {"learning-to-see"}


# ---------------------------------------------------------------------------------------------------------------- make


def make(*arguments, folder=ROOT, **environment):
    """Run make and return it, finished; variables that a surrounding make or the tester's shell set are out of the way."""
    clean = {name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|PYTHON$|TORCH$|PORT$|LESSON$|PIP_|UV_", name)}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def bundle(tmp_path):
    """Build what a student's folder holds of the set-up."""
    folder = tmp_path / "learning-to-see"
    (folder / "course_lib").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "course_lib/install.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def listed(output):
    return re.findall(r"^  ([a-z]+) +\S", output, re.MULTILINE)


def test_make_alone_lists_each_target_with_a_line():
    targets = re.findall(r"^([a-z]+):(?!=)", MAKEFILE, re.MULTILINE)
    assert sorted([*listed(make().stdout), "help", "setup"]) == sorted(targets)


def test_in_a_students_folder_make_lists_and_has_only_what_works_there(bundle):
    assert listed(make(folder=bundle).stdout) == ["lab", "data", "reset"]
    refused = make("grade", folder=bundle)
    assert refused.returncode != 0
    assert "No rule to make target" in refused.stderr


@pytest.fixture
def old_python(tmp_path):
    """Write a stand-in for a Python that is too old: it fails the check and tells its version."""
    path = tmp_path / "python-old"
    path.write_text('#!/bin/sh\ncase "$2" in *exit*) exit 1;; *) echo 3.9.18;; esac\n')
    path.chmod(0o755)
    return path


def test_a_python_that_is_too_old_is_refused_with_its_version(bundle, old_python):
    refused = make("data", folder=bundle, PYTHON=str(old_python))
    assert refused.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed, this is: 3.9.18" in refused.stderr
    assert not (bundle / ".venv").exists()


def test_a_python_that_does_not_exist_is_refused(bundle):
    refused = make("data", folder=bundle, PYTHON="python3.99")
    assert refused.returncode != 0
    assert "this is: not found" in refused.stderr


def test_no_python_that_is_recent_enough_says_where_to_get_one(bundle, old_python, tmp_path):
    tools = tmp_path / "tools"  # a PATH on which python3 is too old and there is no other
    tools.mkdir()
    for name in ("sh", "make"):
        (tools / name).symlink_to(shutil.which(name))
    (tools / "python3").symlink_to(old_python)
    refused = make("data", folder=bundle, PATH=str(tools))
    assert refused.returncode != 0
    assert "python3 here is: 3.9.18" in refused.stderr
    assert "PYTHON=/path/to/python3.12 make" in refused.stderr


def test_windows_without_wsl_is_told_of_wsl_and_conda(bundle):
    refused = make("lab", "OS=Windows_NT", folder=bundle)
    assert refused.returncode != 0
    assert "WSL" in refused.stderr
    assert "conda" in refused.stderr


def test_a_first_run_without_a_network_says_so_and_leaves_no_stamp(bundle):
    nowhere = "http://127.0.0.1:9"  # a proxy that refuses every connection
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), nowhere)
    refused = make("data", folder=bundle, PYTHON=sys.executable, **proxies)
    assert refused.returncode != 0
    assert "The first set-up needs a network" in refused.stderr
    assert not (bundle / ".venv" / "installed.json").exists()


def test_an_unknown_torch_is_refused(bundle):
    refused = make("data", folder=bundle, PYTHON=sys.executable, TORCH="cuda13")
    assert refused.returncode != 0
    assert "use TORCH=cpu" in refused.stderr


# ---------------------------------------------------------------------------------------------------------------- what is done when


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Build a project whose steps are written down instead of done."""
    (tmp_path / "requirements.lock").write_text("uv==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    steps = []

    def make_environment(venv, folders):
        steps.append("make")
        venv.mkdir(exist_ok=True)

    monkeypatch.setattr(install, "make_environment", make_environment)
    monkeypatch.setattr(install, "install", lambda root, venv, torch: steps.append(torch))
    monkeypatch.setattr(install, "works", lambda python: (tmp_path / ".venv").exists())
    return tmp_path, steps


def test_the_first_run_makes_everything_and_the_second_nothing(root):
    folder, steps = root
    assert install.set_up(folder)
    assert not install.set_up(folder)
    assert steps == ["make", "default"]


@pytest.mark.parametrize("file", ["requirements.lock", "pyproject.toml"])
def test_a_changed_list_is_installed_into_what_is_there(root, file):
    folder, steps = root
    install.set_up(folder)
    (folder / file).write_text("changed")
    assert install.set_up(folder)
    assert steps == ["make", "default", "default"]


def test_the_choice_of_torch_starts_anew_and_is_remembered(root):
    folder, steps = root
    install.set_up(folder)
    install.set_up(folder, "cpu")
    assert not install.set_up(folder)
    (folder / "requirements.lock").write_text("uv==2")
    install.set_up(folder)
    assert steps == ["make", "default", "make", "cpu", "cpu"]


def test_another_python_starts_anew(root):
    folder, steps = root
    install.set_up(folder)
    stamp = folder / ".venv" / "installed.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"python": "3.0"}))
    install.set_up(folder)
    assert steps == ["make", "default", "make", "default"]


def test_an_interrupted_installation_is_made_again_from_the_start(root, monkeypatch):
    folder, steps = root

    def interrupted(root, venv, torch):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(install, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            install.set_up(folder)
    install.set_up(folder)
    assert steps == ["make", "make", "default"]


def test_an_update_without_a_network_leaves_what_worked_to_work_again(root, monkeypatch):
    folder, steps = root
    install.set_up(folder)
    before = (folder / "requirements.lock").read_text()
    (folder / "requirements.lock").write_text("uv==2")

    def no_network(root, venv, torch):
        raise install.InstallError(install.explain("dns error", [root]))

    with monkeypatch.context() as patch:
        patch.setattr(install, "install", no_network)
        with pytest.raises(install.InstallError):
            install.set_up(folder)
    (folder / "requirements.lock").write_text(before)
    assert not install.set_up(folder)
    assert steps == ["make", "default"]


def test_a_python_without_ensurepip_is_told_the_debian_package(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(install.InstallError, match="sudo apt install python3-venv"):
        install.make_environment(tmp_path / ".venv", [tmp_path])


@pytest.mark.parametrize(
    "output",
    [
        "OSError: [Errno 28] No space left on device",
        "error: failed to write to file `/x/torch`: No space left on device (os error 28)",
        "Caused by: Disk quota exceeded (os error 122)",
    ],
)
def test_a_full_disk_is_named_with_what_is_free_and_where_else_to_put_things(output, tmp_path):
    told = install.explain(output, [tmp_path / "not" / "yet"])
    assert "The disk is full" in told
    assert re.search(rf"{tmp_path}/not/yet: [\d.]+ GB free", told)
    assert "UV_CACHE_DIR=" in told
    assert "TMPDIR=" in told


@pytest.mark.parametrize(
    "output",
    [
        "WARNING: Retrying ... connection broken by 'NewConnectionError: Failed to establish a new connection: Connection refused'",
        "  Caused by: client error (Connect)\n  Caused by: dns error\n  Caused by: failed to lookup address information",
        "ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))",
        "  Caused by: operation timed out",
    ],
)
def test_a_missing_network_is_named(output, tmp_path):
    assert "no network, or a proxy or firewall" in install.explain(output, [tmp_path])


def test_an_unknown_failure_is_left_to_the_installers_own_words(tmp_path):
    assert install.explain("error: Failed to build `something`", [tmp_path]) is None
    with pytest.raises(install.InstallError, match="the lines above say why"):
        install.run([sys.executable, "-c", "raise SystemExit(3)"], [tmp_path])
