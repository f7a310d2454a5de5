"""The gradebook in a PostgreSQL server, which the test starts: no network, its socket in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from grading_course import cell_of, hand_in, make_course, solved
from traitlets.config import Config

from autograder import cluster, grading, intake, release
from autograder.course import Course


def programs():
    """The folder of PostgreSQL's programs, the newest if there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    if shutil.which("initdb"):
        return Path(shutil.which("initdb")).parent
    pytest.fail("The tests of the gradebook in PostgreSQL need its server: apt-get install postgresql (as root).")


@pytest.fixture(scope="module")
def server():
    """The address of a new database."""
    bin, place = programs(), Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short, as a socket's path must be
    become = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(place, 65534, 65534)

    def run(program, *words):
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(place)}
        command = [*become, str(bin / program), "--pgdata", f"{place}/data", *words]
        done = subprocess.run(command, cwd=place, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run("initdb", "--auth", "trust", "--username", "grader", "--encoding", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories='{place}' -c fsync=off"
        run("pg_ctl", "--wait", "--log", f"{place}/log", "--options", options, "start")
        try:
            yield f"postgresql+psycopg://grader@/postgres?host={place}"
        finally:
            run("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(place)


def test_a_class_is_released_graded_and_read_back(server, tmp_path):
    make_course(tmp_path)
    course = Course(tmp_path, Config({"CourseDirectory": {"db_url": server}}))
    release.release(course, course.lessons())
    wrong = solved(course)
    cell_of(wrong, "ex-1").source = "def double(x):\n    return x"
    for student, notebook in {"ada": solved(course), "ben": wrong}.items():
        hand_in(course.root / "handed in", student, notebook)
    assert len(list(intake.collect(course, course.root / "handed in"))) == 2
    with cluster.Pool(1) as pool:
        assert [one.state for one in grading.grade(course, ["01_numbers"], pool=pool)] == ["graded", "graded"]
        rows = {row.student: row for row in grading.table(course, ["01_numbers"])}
        assert {student: row.automatic for student, row in rows.items()} == {"ada": (6, 6), "ben": (4, 6)}
        with course.gradebook() as gradebook:
            grade = gradebook.find_grade("think-1", "01_numbers", "01_numbers", "ada")
            grade.manual_score, grade.needs_manual_grade = 1.5, False
            gradebook.db.commit()
        assert [one.state for one in grading.grade(course, ["01_numbers"], pool=pool)] == ["unchanged", "unchanged"]
        assert [one.state for one in grading.grade(course, ["01_numbers"], again=True, student="ada", pool=pool)] == ["graded"]
    rows = {row.student: row for row in grading.table(course, ["01_numbers"])}
    assert (rows["ada"].total, rows["ada"].state) == ((7.5, 8), "graded")
    with course.gradebook() as gradebook:  # what the formgrader's pages ask
        assert sorted(one["id"] for one in gradebook.student_dicts()) == ["ada", "ben"]
        assert {one["student"]: one["score"] for one in gradebook.submission_dicts("01_numbers")} == {"ada": 7.5, "ben": 4}
        assert gradebook.average_assignment_score("01_numbers") == 5.75
    assert not list(course.root.glob("gradebook.db*"))
