"""A student's JupyterLab: what the course uses, and no more. Read before the user's own settings."""

import zmq

c = get_config()  # noqa: F821 (traitlets provides it)

# The instructor's part of nbgrader, other front ends, and jupytext's file format, which only authors need.
c.ServerApp.jpserver_extensions = {
    "jupyterlab_jupytext": False,
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.course_list": False,
    "nbgrader.server_extensions.formgrader": False,
    "notebook": False,
}
# Without it each kernel warns, in the terminal, that others on the machine could listen.
c.KernelManager.transport_encryption = "auto" if zmq.has("curve") else "disabled"
