"""JupyterHub for this course on one machine: who may come in, and what starts for them. How to set it up: book/classroom.md.

    jupyterhub --config /srv/learning-to-see/classroom/jupyterhub_config.py

The hub runs as root, so it takes nothing from a folder that others can write to: this file, and what it runs, lie in a copy of the course
that belongs to root. Each person's server runs as that person.
"""

import os
import pwd
from pathlib import Path

c = get_config()  # noqa: F821 (traitlets puts it here)

COURSE = Path(__file__).resolve().parents[1]  # root's copy: the library and the data, which all may read, and no answers
EXCHANGE = Path("/usr/local/share/nbgrader/exchange/learning-to-see")  # where nbgrader itself looks
STUDENTS = "learning-to-see"  # the group of this machine's users who take the course

if not EXCHANGE.is_dir():
    raise SystemExit(f"There is no {EXCHANGE} yet: make it, and give it to the instructor, as book/classroom.md says.")
INSTRUCTOR = EXCHANGE.owner()  # nbgrader demands that whoever releases lessons owns this folder
if INSTRUCTOR == "root":
    raise SystemExit(f"{EXCHANGE} belongs to root: give it to the instructor, as book/classroom.md says.")

c.Authenticator.allowed_users = {INSTRUCTOR}
c.LocalAuthenticator.allowed_groups = {STUDENTS}
c.PAMAuthenticator.open_sessions = False  # a session of its own would end with the hub's login page

# For this machine alone; a web server that speaks HTTPS passes on what comes from others.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.ConfigurableHTTPProxy.command = [str(COURSE / ".venv" / "bin" / "configurable-http-proxy")]


def settings(name, home):
    """What starts for a user, in which folder, with which of Jupyter's settings.

    Returns
    -------
    tuple of (Path, Path, list of Path)
        The course that the server runs from, the folder that it shows, and the folders of settings, the most important first.
    """
    if name == INSTRUCTOR:
        course = home / "learning-to-see"
        return course, course, [course / "course_lib" / "jupyter" / "instructor", course]  # nbgrader_config.py lies in the course itself
    return COURSE, home, [COURSE / "classroom" / "student", COURSE / "course_lib" / "jupyter" / "student"]


def prepare(spawner):
    """Set up a user's server just before it starts."""
    home = Path(pwd.getpwnam(spawner.user.name).pw_dir)
    course, folder, config = settings(spawner.user.name, home)
    programs = course / ".venv" / "bin"
    spawner.cmd = [str(programs / "python"), "-m", "jupyterhub.singleuser"]
    spawner.notebook_dir = str(folder)
    spawner.environment = {
        "PATH": os.pathsep.join([str(programs), "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONPATH": str(course),  # every kernel finds the library, wherever its notebook lies
        "JUPYTER_CONFIG_PATH": os.pathsep.join(map(str, config)),
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


c.Spawner.pre_spawn_hook = prepare
c.Spawner.env_keep = ["LANG", "LC_ALL"]  # of root's environment nothing else
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = 120  # seconds; a class that comes in at once on a small machine
c.Spawner.http_timeout = 120
