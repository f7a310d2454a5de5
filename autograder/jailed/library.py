"""The student edition of the library asks for results here: the functions themselves are computed outside of the student's kernel."""

import builtins
import os
import socket
import threading

import numpy as np

from . import wire

SOCKET = "COURSE_LIBRARY"  # the environment variable that says where the service listens
_local = threading.local()


class Matrix(np.ndarray):
    """A matrix that is sparse where it was computed."""

    def toarray(self):
        return np.asarray(self)


def ask(module, function, args, kwargs):
    """What a function of the library gives for these arguments; raises what it raises."""
    key = os.getpid()
    if getattr(_local, "key", None) != key:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.environ[SOCKET])
        _local.connection, _local.key = connection, key
    try:
        request = {"id": 0, "module": module, "function": function, "args": wire.pack(args), "kwargs": wire.pack(kwargs)}
        wire.send(_local.connection, request)
        answer = wire.receive(_local.connection)
    except BaseException:  # interrupted half-way: what comes next on this connection would answer another question
        _local.key = None
        _local.connection.close()
        raise
    if answer is None:
        _local.key = None
        raise ConnectionError("the library does not answer")
    if "error" in answer:
        known = getattr(builtins, answer["error"]["type"], RuntimeError)
        raise known(answer["error"]["message"])
    value = wire.unpack(answer["value"])
    return value.view(Matrix) if answer["sparse"] else value
