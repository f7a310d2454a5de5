"""A student's JupyterLab on a hub: the one of `make lab`, and nbgrader's list of assignments."""

import os

c = get_config()  # noqa: F821 (traitlets puts it here)

load_subconfig(os.path.join(os.path.dirname(__file__), "..", "..", "course_lib", "jupyter", "student", "jupyter_server_config.py"))  # noqa: F821
c.ServerApp.jpserver_extensions["nbgrader.server_extensions.assignment_list"] = True
os.umask(0o077)  # what a student writes is the student's alone
