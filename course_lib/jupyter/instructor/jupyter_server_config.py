"""An instructor's JupyterLab: nbgrader's formgrader, without the parts that need its exchange. Read before the user's own settings."""

import zmq

c = get_config()  # noqa: F821 (traitlets provides it)

c.ServerApp.jpserver_extensions = {
    "nbgrader.server_extensions.assignment_list": False,
    "nbgrader.server_extensions.course_list": False,
}
# Without it each kernel warns, in the terminal, that others on the machine could listen.
c.KernelManager.transport_encryption = "auto" if zmq.has("curve") else "disabled"
# A hand-in that is opened here may name images on other machines, which would learn who reads it and when: nothing is fetched from them.
POLICY = {
    "default-src": "'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
    "connect-src": "'self' data: blob: ws: wss:",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
policy = "; ".join(f"{name} {value}" for name, value in POLICY.items())
c.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": policy}}
