"""An instructor's JupyterLab: nbgrader's formgrader, without the parts that need its exchange. Read before the user's own settings."""

import zmq

c = get_config()  # noqa: F821 (traitlets provides it)

c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.course_list": False,
}
# Without it each kernel warns, in the terminal, that others on the machine could listen.
c.KernelManager.transport_encryption = "auto" if zmq.has("curve") else "disabled"
