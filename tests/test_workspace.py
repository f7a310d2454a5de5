"""A student's working copy: made once, never overwritten, never lost."""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from course_lib import workspace
from course_lib.__main__ import main

LESSONS = ("00_start_here", "01_hand_calculations", "02_convolution_from_scratch", "05_stacked_convolutions")


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "notebooks"
    for name in LESSONS:
        (folder / name / "figures").mkdir(parents=True)
        (folder / name / f"{name}.ipynb").write_text(f"{name}, first release")
        (folder / name / "figures" / "kernel.svg").write_text("<svg/>")
    (folder / "01_hand_calculations" / ".ipynb_checkpoints").mkdir()
    (folder / "01_hand_calculations" / ".ipynb_checkpoints" / "old.ipynb").write_text("an author's left-over")
    return folder


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


def notebook(folder, name="01_hand_calculations"):
    return folder / name / f"{name}.ipynb"


def test_the_first_copy_has_every_released_file_and_nothing_hidden(release, work):
    made = workspace.copy_release(release, work)
    copied = {path.relative_to(work / "notebooks").as_posix() for path in (work / "notebooks").rglob("*") if path.is_file()}
    assert copied == {f"{name}/{file}" for name in LESSONS for file in (f"{name}.ipynb", "figures/kernel.svg")}
    assert sorted(made) == sorted(work / "notebooks" / path for path in copied)
    assert notebook(work / "notebooks").read_text() == "01_hand_calculations, first release"


def test_a_students_work_survives_a_new_release_and_another_start(release, work):
    workspace.copy_release(release, work)
    notebook(work / "notebooks").write_text("my answers")
    notebook(release).write_text("01_hand_calculations, second release")
    assert workspace.copy_release(release, work) == []
    assert notebook(work / "notebooks").read_text() == "my answers"


def test_a_lesson_released_later_is_added_to_the_copies(release, work):
    workspace.copy_release(release, work)
    (release / "03_classic_kernels").mkdir()
    notebook(release, "03_classic_kernels").write_text("new")
    assert workspace.copy_release(release, work) == [notebook(work / "notebooks", "03_classic_kernels")]


def test_only_a_lesson_whose_release_has_changed_is_called_outdated(release, work):
    workspace.copy_release(release, work)
    notebook(work / "notebooks", "00_start_here").write_text("my answers")
    assert workspace.outdated_lessons(release, work) == []
    notebook(release).write_text("01_hand_calculations, second release")
    assert workspace.outdated_lessons(release, work) == ["01_hand_calculations"]


def test_starting_tells_of_a_newer_lesson_and_the_command_that_takes_it(release, work, monkeypatch, capsys):
    workspace.copy_release(release, work)
    notebook(release).write_text("01_hand_calculations, second release")
    monkeypatch.setattr(workspace, "RELEASE", release)
    monkeypatch.setattr(workspace, "serve", lambda *_: 0)
    assert workspace.start_lab(work) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "01_hand_calculations" in line]
    assert len(told) == 1
    assert told[0].endswith("make reset LESSON=01_hand_calculations")


def test_a_reset_keeps_the_old_copy_and_gives_the_release_as_it_is_now(release, work):
    workspace.copy_release(release, work)
    notebook(work / "notebooks").write_text("my answers")
    notebook(release).write_text("01_hand_calculations, second release")
    kept = workspace.reset("1", release, work)
    assert kept.parent == work / "kept"
    assert (kept / "01_hand_calculations.ipynb").read_text() == "my answers"
    assert notebook(work / "notebooks").read_text() == "01_hand_calculations, second release"
    assert workspace.outdated_lessons(release, work) == []


def test_two_resets_within_a_second_keep_both_copies(release, work):
    workspace.copy_release(release, work)
    kept = []
    for text in ("first try", "second try"):
        notebook(work / "notebooks").write_text(text)
        kept.append(workspace.reset("01_hand_calculations", release, work))
    assert [(folder / "01_hand_calculations.ipynb").read_text() for folder in kept] == ["first try", "second try"]


def test_a_reset_leaves_the_other_lessons_alone(release, work):
    workspace.copy_release(release, work)
    notebook(work / "notebooks", "00_start_here").write_text("my answers")
    workspace.reset("01_hand_calculations", release, work)
    assert notebook(work / "notebooks", "00_start_here").read_text() == "my answers"


def test_a_reset_before_the_first_start_just_copies(release, work):
    assert workspace.reset("01_hand_calculations", release, work) is None
    assert notebook(work / "notebooks").read_text() == "01_hand_calculations, first release"


def test_zero_is_a_lesson_too(release):
    assert workspace.find_lesson("0", release) == "00_start_here"


@pytest.mark.parametrize("wanted", ["2", "02", "02_conv", "02_convolution_from_scratch"])
def test_a_lesson_is_found_by_its_number_its_name_or_the_beginning_of_it(release, wanted):
    assert workspace.find_lesson(wanted, release) == "02_convolution_from_scratch"


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [
        ("02_convolutions_from_scratch", "02_convolution_from_scratch"),
        ("hand_calculations", "01_hand_calculations"),
        ("02_stacked_convolutions", "05_stacked_convolutions"),
        ("Start here", "00_start_here"),
    ],
)
def test_an_unknown_lesson_is_answered_with_the_nearest(release, wanted, nearest):
    with pytest.raises(workspace.WorkspaceError, match=f"Did you mean LESSON={nearest}"):
        workspace.find_lesson(wanted, release)


@pytest.mark.parametrize("wanted", ["", "9", "quantum chromodynamics"])
def test_what_is_no_lesson_at_all_is_answered_with_the_list(release, wanted):
    with pytest.raises(workspace.WorkspaceError) as error:
        workspace.find_lesson(wanted, release)
    assert all(name in str(error.value) for name in LESSONS)
    assert "Did you mean" not in str(error.value)


def test_no_lessons_at_all_says_how_to_get_them(tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(workspace.WorkspaceError, match="make release"):
        workspace.copy_release(tmp_path / "notebooks", tmp_path / "work")


COPY_WHEN_TOLD = """
import sys, time
from pathlib import Path
from course_lib.workspace import copy_release
release, work, start = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
time.sleep(max(0, start - time.time()))
print(len(copy_release(release, work)))
"""


def test_two_starts_at_once_make_each_file_once_and_whole(release, work):
    for number in range(200):
        (release / "00_start_here" / f"part_{number}.txt").write_text(f"{number}\n" * 2000)
    start = str(time.time() + 1)
    processes = [
        subprocess.Popen([sys.executable, "-c", COPY_WHEN_TOLD, release, work, start], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    made = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(made) == 200 + 2 * len(LESSONS)
    assert all((work / "notebooks" / "00_start_here" / f"part_{number}.txt").read_text() == f"{number}\n" * 2000 for number in range(200))
    assert not list(work.rglob("*.part"))


def test_a_copy_that_fails_half_way_leaves_nothing_behind(release, work, monkeypatch):
    def full_disk(self, content):
        with open(self, "wb") as file:
            file.write(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        workspace.copy_release(release, work)
    assert not [path for path in work.rglob("*") if path.is_file()]


def test_a_file_system_without_hard_links_serves_too(release, work, monkeypatch):
    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    workspace.copy_release(release, work)
    notebook(work / "notebooks").write_text("my answers")
    assert workspace.copy_release(release, work) == []
    assert notebook(work / "notebooks").read_text() == "my answers"


def test_git_sees_nothing_of_a_students_work(release, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(workspace.ROOT / ".gitignore", project)
    subprocess.run(["git", "init", "--quiet", project], check=True)
    workspace.copy_release(release, project / "work")
    workspace.reset("1", release, project / "work")
    status = subprocess.run(["git", "-C", project, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    assert status == "?? .gitignore\n"


# ---------------------------------------------------------------------------------------------------------------- JupyterLab


def test_a_port_in_use_is_refused_with_what_to_do(release, work, capsys, monkeypatch):
    monkeypatch.setattr(workspace, "RELEASE", release)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["lab", "--port", str(port), "--work", str(work)]) == 1
    told = capsys.readouterr().err
    assert f"Port {port} cannot be used" in told
    assert "make lab PORT=9999" in told


def test_a_port_that_is_none_is_refused():
    with pytest.raises(workspace.WorkspaceError, match="Port 99999"):
        workspace.check_port(99999)


def test_jupyter_listens_on_this_machine_only_and_its_command_holds_no_token(tmp_path):
    command = workspace.jupyter_command(tmp_path, "/lab", None, browser=False)
    assert "--ServerApp.ip=127.0.0.1" in command
    assert "--ServerApp.open_browser=False" in command
    assert not [part for part in command if "token" in part.lower() or "password" in part.lower()]


@pytest.mark.parametrize(
    ("environment", "opens"),
    [
        ({}, False),
        ({"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22"}, False),
        ({"BROWSER": "firefox"}, True),
    ],
)
def test_without_a_display_no_browser_is_opened_unless_one_is_named(monkeypatch, environment, opens):
    monkeypatch.setattr(sys, "platform", "linux")  # macOS and Windows open a browser without these variables
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert workspace.browser_can_open() is opens


def test_the_formgrader_wants_an_instructors_folder(tmp_path, capsys):
    assert main(["lab", "--formgrader", str(tmp_path)]) == 1
    assert "it has no nbgrader_config.py" in capsys.readouterr().err


def test_the_courses_settings_come_before_a_users_own_and_kernels_find_the_library(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/their/own")
    monkeypatch.setenv("PYTHONPATH", "/their/modules")
    environment = workspace.jupyter_environment(workspace.JUPYTER_CONFIG / "student")
    assert environment["JUPYTER_CONFIG_PATH"] == f"{workspace.JUPYTER_CONFIG}/student:/their/own"
    assert environment["PYTHONPATH"] == f"{workspace.ROOT}:/their/modules"


def test_the_commands_that_need_neither_load_no_torch_and_no_numpy():
    script = "import sys, course_lib.__main__; print([name for name in ('torch', 'numpy', 'matplotlib') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
