"""The course on a class's own machine: real users, nbgrader's exchange, and a JupyterHub, set up by the commands of book/classroom.md.

All of it happens in a view of this machine in which /etc, /srv and the exchange are copies: users and settings are real to every program
there, and nothing of them is left on the machine.
"""

import contextlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
import real_browser
from playwright.sync_api import expect

from course_lib import install

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book" / "classroom.md").read_text(encoding="utf-8")
ENVIRONMENT = Path(sys.prefix)
TEACHER, ADA, BEN = "teacher", "ada", "ben"
LESSON = "01_hand_calculations"
COURSE = Path("/srv/learning-to-see")
EXCHANGE = Path("/usr/local/share/nbgrader/exchange/learning-to-see")
PASSWORDS = {TEACHER: "chalk-1", ADA: "engine-2", BEN: "kite-3", "eve": "apple-4"}


def commands(start):
    """The commands of the page's block that starts with these words."""
    blocks = [block for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) if block.startswith(start)]
    assert len(blocks) == 1, f"book/classroom.md has {len(blocks)} blocks of commands that start with {start!r}"
    return blocks[0]


class Machine:
    """This machine with other users and other contents of /etc, /srv and /usr/local/share."""

    def __init__(self, place):
        self.place = place
        shutil.copytree("/etc", place / "etc", symlinks=True)  # shadow's permissions and owner are its own
        for name in ("home", "srv", "share"):
            (place / name).mkdir()
        for path in Path("/etc").rglob("*"):
            owner = path.lstat()
            os.chown(place / "etc" / path.relative_to("/etc"), owner.st_uid, owner.st_gid, follow_symlinks=False)
        (place / "etc" / "default" / "useradd").write_text(f"HOME={place}/home\nSHELL=/bin/sh\n")
        self.view = [*("bwrap", "--cap-add", "ALL", "--die-with-parent", "--dev-bind", "/", "/")]
        for mine, theirs in (("etc", "/etc"), ("srv", "/srv"), ("share", "/usr/local/share")):
            self.view += ["--bind", str(place / mine), theirs]
        self._open_the_way_to_python()

    def _open_the_way_to_python(self):
        """Users must reach this Python and its packages, wherever they lie (root's home is closed), and nothing else of this checkout."""
        needed = [Path(sys.base_prefix).resolve(), ENVIRONMENT]
        hidden = {ROOT}
        for path in needed:
            hidden |= set([one for one in reversed(path.parents) if not one.stat().st_mode & stat.S_IXOTH][:1])
        for path in sorted(hidden):
            self.view += ["--tmpfs", str(path)]
        for path in needed:
            inside = [one for one in hidden if one in path.parents]
            for one in reversed(path.parents):
                self.view += ["--dir", str(one)] if any(top in one.parents for top in inside) else []
            self.view += ["--ro-bind", str(path), str(path)] if inside else []

    def install(self, course, stands_for):
        """Let this Python's packages be the `.venv` of a course, as if they had been installed in its folder by `make setup`."""
        known = json.loads((ENVIRONMENT / "installed.json").read_text())
        name = f"{len(self.view)}"
        (self.place / f"{name}.pth").write_text(f"{course}\n")
        fingerprint = install.fingerprint(ROOT, known["python"], known["torch"]) | {"root": str(course)}
        (self.place / f"{name}.json").write_text(json.dumps(fingerprint))
        path_file = next(ENVIRONMENT.glob("lib/python*/site-packages/*learning_to_see*.pth")).relative_to(ENVIRONMENT)
        for folder in stands_for:
            self.view += ["--ro-bind", str(ENVIRONMENT), str(folder)]
            self.view += ["--ro-bind", str(self.place / f"{name}.pth"), str(folder / path_file)]
            self.view += ["--ro-bind", str(self.place / f"{name}.json"), str(folder / "installed.json")]

    def home(self, user):
        return self.place / "home" / user

    def command(self, user, *words):
        """A command line that runs a program in the view as a user, with a login's environment."""
        environment = {"HOME": f"{self.home(user)}", "USER": user, "LOGNAME": user, "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
        if user == "root":
            return [*self.view, "env", "-i", "HOME=/root", f"PATH={os.defpath}:/usr/sbin:/sbin", "LANG=C.UTF-8", *map(str, words)]
        environment["PATH"] = f"{COURSE}/.venv/bin:/usr/local/bin:/usr/bin:/bin"
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "env", "-i"]
        return [*self.view, "--", *become, *(f"{name}={value}" for name, value in environment.items()), *map(str, words)]

    def run(self, user, *words, folder=None):
        """Run a program as a user and return what became of it."""
        # bubblewrap changes into the folder itself; where there is none, into the user's home
        at = ["sh", "-c", 'cd "$0" && exec "$@"', folder or (self.home(user) if user != "root" else "/")]
        return subprocess.run(self.command(user, *at, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    def do(self, user, *words, folder=None):
        """Run a program that must succeed; return what it printed."""
        done = self.run(user, *words, folder=folder)
        assert done.returncode == 0, f"{user}: {words}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def administer(self, text, folder=None):
        """Run commands of the page as root."""
        self.do("root", "bash", "-e", "-c", text.replace("sudo ", ""), folder=folder)


def files_of_the_project(target):
    """Copy what belongs to the project, as a clone would."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


@pytest.fixture(scope="module")
def machine():
    """A machine that was set up as the page says, with the lesson released into the exchange."""
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: making users needs root. As root: .venv/bin/python -m pytest tests/test_classroom.py")
    if not shutil.which("bwrap"):
        pytest.fail("The tests of the classroom need bubblewrap: apt-get install bubblewrap (as root).")
    packages = next(ENVIRONMENT.glob("lib/python*/site-packages"))
    for name in ("alembic", "configurable_http_proxy", "jupyterhub", "nbgrader", "oauthlib", "pydantic", "sqlalchemy"):
        subprocess.run([sys.executable, "-m", "compileall", "-q", packages / name], check=True)  # as the page says; users cannot keep them
    place = Path(tempfile.mkdtemp(prefix="classroom-", dir="/tmp"))
    place.chmod(0o755)
    try:
        machine = Machine(place)
        machine.administer(commands("sudo groupadd"))
        machine.do("root", "useradd", "--create-home", "eve")  # who is not in the course's group
        passwords = "".join(f"{name}:{password}\n" for name, password in PASSWORDS.items())
        machine.do("root", "sh", "-c", 'printf %s "$0" | chpasswd', passwords)
        clone = machine.home(TEACHER) / "learning-to-see"
        files_of_the_project(clone)
        machine.do("root", "chown", "-R", "teacher:teacher", clone)
        machine.administer(commands("sudo mkdir -p /srv"), folder=clone)
        for venv in (place / "srv" / "learning-to-see" / ".venv", clone / ".venv"):
            venv.mkdir()
        machine.install(COURSE, [ENVIRONMENT, COURSE / ".venv"])
        machine.install(clone, [clone / ".venv"])
        machine.do("root", COURSE / ".venv/bin/python", "-m", "course_lib", "data", folder=COURSE)  # `make setup` ends with it
        machine.administer(commands("sudo mkdir -p /usr/local/share/nbgrader/exchange"))
        machine.teach = lambda *words: machine.do(TEACHER, *words, folder=clone)
        machine.teach("sh", "-e", "-c", commands("make release"))
        yield machine
    finally:
        shutil.rmtree(place)


def cannot(machine, user, path):
    """Whether a user can neither read nor list a path that is there."""
    assert machine.run("root", "test", "-e", path).returncode == 0, f"{path} is not there"
    refused = machine.run(user, "sh", "-c", 'if test -d "$0"; then ls "$0"; else cat "$0"; fi', path)
    return refused.returncode != 0 and "Permission denied" in refused.stderr


def nbgrader(machine, user, *words):
    """nbgrader in a terminal, with a student's settings as the hub gives them."""
    settings = f"JUPYTER_CONFIG_PATH={COURSE}/classroom/student:{COURSE}/course_lib/jupyter/student"
    return machine.do(user, "env", settings, f"{COURSE}/.venv/bin/python", "-m", "nbgrader", *words)


def answer(machine, user, name, line):
    """Fill in an answer of the fetched lesson: a line at the end of its cell."""
    path = machine.home(user) / "learning-to-see" / LESSON / f"{LESSON}.ipynb"
    notebook = json.loads(path.read_text())
    cell = next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)
    cell["source"] = f"{''.join(cell['source'])}\n{line}"
    path.write_text(json.dumps(notebook))


def said(printed):
    """The one line of JSON among what was printed."""
    return json.loads(next(line for line in printed.splitlines() if line.startswith("{")))


RUNS = """
import json, sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
end = names.index(sys.argv[2]) + 1
notebook.cells[end:] = [nbformat.v4.new_code_cell("from course_lib import load_mnist; load_mnist('test')[0].shape")]
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
texts = {}
for name, cell in zip([*names[:end], "data"], notebook.cells):
    texts[name] = " ".join(output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ()))
print("\\n" + json.dumps(texts))
"""


def test_in_a_terminal_a_student_lists_fetches_checks_and_submits(machine):
    assert f"learning-to-see {LESSON}" in nbgrader(machine, BEN, "list")
    nbgrader(machine, BEN, "fetch_assignment", LESSON)
    answer(machine, BEN, "ex-1-1", "answer_1_1 = [2, 6, 7, 11]")
    answer(machine, BEN, "ex-1-2", "answer_1_2 = (224 * 224 * 3 + 1) * 256")
    fetched = machine.home(BEN) / "learning-to-see" / LESSON
    verdicts = said(machine.do(BEN, COURSE / ".venv/bin/python", "-c", RUNS, fetched / f"{LESSON}.ipynb", "check-1-2", folder=fetched))
    assert "Known slip: printed-vector" in verdicts["check-1-1"]
    assert "Right: 1.2" in verdicts["check-1-2"]
    assert verdicts["data"].startswith("(10000")
    nbgrader(machine, BEN, "submit", LESSON)


# ---------------------------------------------------------------------------------------------------- the hub


def free_ports(count):
    """Ports of 127.0.0.1 on which nothing listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def hub(machine):
    """The address of a running hub with the shipped configuration; its ports are free ones here."""
    front, back, inside = free_ports(3)
    service = (ROOT / "classroom" / "learning-to-see.service").read_text()
    start = re.search(r"^ExecStart=(.*)", service, re.MULTILINE)[1].split()
    state = machine.place / "state"
    state.mkdir(mode=0o700)
    ports = [f"--JupyterHub.bind_url=http://127.0.0.1:{front}", f"--JupyterHub.hub_port={back}"]
    ports += [f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{inside}"]
    command = machine.command("root", "sh", "-c", 'cd "$0" && exec "$@"', state, *start, *ports)
    with open(machine.place / "hub.log", "w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    address, end = f"http://127.0.0.1:{front}", time.monotonic() + 60
    try:
        while _status(f"{address}/hub/login") != 200:
            assert process.poll() is None, f"the hub did not start:\n{(machine.place / 'hub.log').read_text()}"
            assert time.monotonic() < end, f"the hub does not answer:\n{(machine.place / 'hub.log').read_text()}"
            time.sleep(0.2)
        yield address
    finally:
        print((machine.place / "hub.log").read_text())
        started = psutil.Process(process.pid).children(recursive=True)  # users' servers, too: they would outlive the hub
        for one in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.terminate()
        _, alive = psutil.wait_procs(started, timeout=20)
        for one in alive:
            one.kill()
        process.wait(timeout=30)


def _status(address):
    try:
        return urllib.request.urlopen(address, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


@pytest.fixture(scope="module")
def browser():
    yield from real_browser.chromium()


@pytest.fixture
def page(browser, request):
    yield from real_browser.tab(browser, request)


def log_in(page, hub, user):
    page.goto(hub)
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORDS[user])
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def assignments(hub, page):
    """Ada's list of assignments in the browser: its three parts."""
    log_in(page, hub, ADA)
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menuitem", name="Assignment List").click()
    return {part: page.locator(f"#{part}_assignments_list") for part in ("released", "fetched", "submitted")}


def test_in_the_browser_a_student_fetches_and_submits(machine, assignments, page):
    released, fetched, submitted = assignments.values()
    released.get_by_role("button", name="Fetch").click()
    expect(fetched).to_contain_text(LESSON)
    answer(machine, ADA, "ex-1-1", "answer_1_1 = [2, 5, 6, 10]")
    fetched.get_by_role("button", name="Submit").click()
    expect(submitted).to_contain_text(LESSON)
    assert [event for event in page.events if not event.startswith("console")] == []


@pytest.fixture(scope="module")
def graded(machine):
    """What was said when the instructor collected, graded and handed back; after the tests above."""
    return [machine.teach("sh", "-e", "-c", commands(start)) for start in ("make collect", "make feedback")]


def test_the_instructor_collects_and_grades(machine, graded):
    gradebook = "import json; from autograder import course, grading; "
    gradebook += f"print(json.dumps({{row.student: row.automatic for row in grading.table(course.Course(), ['{LESSON}'])}}))"
    scores = said(machine.teach(".venv/bin/python", "-c", gradebook))
    assert scores == {ADA: [2, 45], BEN: [2, 45]}, graded[0]


def test_feedback_finds_its_way_back(machine, graded, assignments, page):
    assert graded[1].count(" handed back") == 2
    assignments["submitted"].get_by_role("button", name="Fetch Feedback").click()
    expect(assignments["submitted"]).to_contain_text("view feedback")
    pages = list((machine.home(ADA) / "learning-to-see" / LESSON / "feedback").glob(f"*/{LESSON}.html"))
    assert [one.read_bytes() for one in pages] == [
        (machine.home(TEACHER) / "learning-to-see/feedback" / ADA / LESSON / f"{LESSON}.html").read_bytes()
    ]


def test_a_secret_that_is_gone_costs_its_own_student_only(machine, graded):
    course = machine.home(TEACHER) / "learning-to-see"
    [kept] = (course / "received" / BEN / LESSON).rglob("*submission_secret.txt")
    kept.rename(course / "away")
    try:
        told = machine.teach(".venv/bin/python", "-m", "classroom.feedback", LESSON).splitlines()
    finally:
        (course / "away").rename(kept)
    assert [line.split()[0] for line in told if line.endswith("handed back")] == [ADA]
    assert [line.split()[0] for line in told if "not handed back" in line and kept.name in line] == [BEN]


def test_students_read_nothing_of_the_instructor_and_of_each_other(machine, graded):
    course = machine.home(TEACHER) / "learning-to-see"
    closed = [course, machine.home(BEN), EXCHANGE / "inbound", EXCHANGE / "feedback", machine.place / "state/jupyterhub.sqlite"]
    closed += [course / f"solutions/{LESSON}/{LESSON}.ipynb", course / "gradebook.db", course / "received/.seed", course / "received" / BEN]
    closed += [course / "records", course / "submitted" / BEN, course / f"feedback/{BEN}/{LESSON}/{LESSON}.html"]
    assert [str(path) for path in closed if not cannot(machine, ADA, path)] == []
    handed_in = [path.name for path in (machine.place / "share/nbgrader/exchange/learning-to-see/inbound").iterdir()]
    assert len(handed_in) == 2
    for path in (COURSE, EXCHANGE, EXCHANGE / "outbound", EXCHANGE / "outbound" / LESSON, COURSE / "course_lib"):
        assert machine.run(ADA, "touch", path / "mine").returncode != 0, path
    moved = machine.run(ADA, "mv", EXCHANGE, f"{EXCHANGE}.old")
    assert "Operation not permitted" in moved.stderr
    others = next(name for name in handed_in if name.startswith(f"{BEN}+"))
    assert machine.run(ADA, "mv", EXCHANGE / "inbound" / others, EXCHANGE / "inbound" / "gone").returncode != 0


def test_the_students_course_holds_what_they_need_and_no_more(machine):
    listed = set(machine.do(ADA, "ls", "-A", COURSE).split())
    lists = {"Makefile", "README.md", "pyproject.toml", "requirements.lock", "LICENSE", "LICENSE-text"}
    assert listed == lists | {".venv", "classroom", "course_lib", "data"}


@pytest.mark.slow
def test_the_instructor_has_the_formgrader_and_students_have_not(machine, hub, page, browser):
    log_in(page, hub, TEACHER)
    page.get_by_role("menuitem", name="Nbgrader").click()
    expect(page.get_by_role("menuitem", name="Assignment List")).to_have_count(0)
    page.get_by_role("menuitem", name="Formgrader").click()
    expect(page.frame_locator("iframe").get_by_role("link", name=LESSON).first).to_be_visible()
    assert "course id has not been set" not in page.frame_locator("iframe").locator("body").inner_text()
    assert page.request.get(f"{hub}/user/{TEACHER}/formgrader/gradebook").status == 200
    page.context.clear_cookies()
    log_in(page, hub, ADA)
    expect(page.get_by_role("menuitem", name="Nbgrader")).to_be_visible()
    assert page.request.get(f"{hub}/user/{ADA}/formgrader/gradebook").status == 404
    assert page.request.get(f"{hub}/user/{TEACHER}/formgrader/gradebook").status in (403, 404)


def test_who_is_not_in_the_group_is_not_let_in(hub, page):
    log_in(page, hub, "eve")
    expect(page.get_by_text("Invalid username or password")).to_be_visible()


def test_a_students_zip_is_set_up_without_the_hub():
    lock = (ROOT / "requirements.lock").read_text()
    everything, kept = (install.lock_blocks(install.to_install(lock, "default", hub=hub)[0]) for hub in (True, False))
    left_out = set(everything) - set(kept)
    assert {"jupyterhub", "configurable-http-proxy", "aiohttp", "pydantic-core"} <= left_out
    for name in left_out - set(install.HUB_PACKAGES):  # needed by nothing but what is left out too
        askers = re.findall(r"[a-z0-9-]+", re.split(r"#\s+via", everything[name])[-1])
        assert askers
        assert set(askers) <= left_out
    for name in ("jupyterlab", "nbgrader", "tornado", "sqlalchemy", "python-dateutil"):
        assert name in kept
