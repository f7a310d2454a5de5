"""Runs in the student's kernel: hands over what a variable holds, and calls the student's functions on arguments that come in.

Nothing here is trusted, since the student's code may change all of it; whatever it says is only ever taken for the student's answer.
"""

import base64
import contextlib
import inspect
import io
import linecache
import pickle
import socket
import sys
import traceback
import warnings

import numpy as np

from . import wire

LIBRARY = ("site-packages", "course_lib", "jailed", "<frozen", "/lib/python3")


def serve(path, names):
    """Answer the requests of one check.

    Parameters
    ----------
    path : str
        The checker's socket.
    names : dict
        The student's variables.
    """
    kept = {}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        while (request := wire.receive(connection)) is not None:
            wire.send(connection, {"id": request["id"], **_answer(request, names, kept)})


def _answer(request, names, kept):
    try:
        if request["do"] == "get":
            if request["name"] not in names:
                return {"unknown": True}
            return {"value": wire.pack(names[request["name"]], lambda value: _handle(value, kept))}
        if request["do"] == "attribute":
            try:
                value = getattr(kept[request["handle"]], request["name"])
            except Exception:
                return {"unknown": True}
            return {"value": wire.pack(value, lambda value: _handle(value, kept))}
        return _call(request, kept)
    except wire.WireError as error:
        return {"unfit": str(error)}


def _call(request, kept):
    function = kept[request["handle"]]
    args, kwargs, parts = _arguments(request, kept)
    before = [_contents(part) for part in parts]
    printed = _Counter()
    try:
        with (
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            _mode(function, request.get("training"), request.get("gradients", True)),
        ):
            warnings.simplefilter("ignore")
            value = function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        answer = {"error": _error(error)}
    else:
        answer = {"value": wire.pack(value, lambda value: _handle(value, kept))}
    after = [_contents(part) for part in parts]
    changed = {str(i): wire.pack(new) for i, (old, new) in enumerate(zip(before, after, strict=True)) if wire.pack(old) != wire.pack(new)}
    return answer | {"changed": changed, "printed": printed.count}


def _arguments(request, kept):
    """Arguments, and those of them that the function may change."""
    if "pickled" in request:  # torch's objects; they come from the checker, which may be trusted
        args, kwargs = pickle.loads(base64.b64decode(request["pickled"]))
        for part, gradients in zip(args, wire.unpack(request["gradients_of"]), strict=True):
            if gradients is not None:
                for parameter, gradient in zip(part.parameters(), gradients, strict=True):
                    parameter.grad = gradient
    else:
        args, kwargs = (wire.unpack(request[part], lambda form: kept[form[1]]) for part in ("args", "kwargs"))
    return args, kwargs, [*args, *kwargs.values()]


def _contents(part):
    """What of an argument can change, as values: of an array its numbers, of a module its parameters, of an optimizer its memory."""
    torch = sys.modules.get("torch")
    if isinstance(part, np.ndarray):
        return part.copy()
    if torch is None:
        return None
    if isinstance(part, torch.Tensor):
        return part.detach().clone()
    if isinstance(part, torch.nn.Module):
        gradients = [None if one.grad is None else one.grad.clone() for one in part.parameters()]
        return [[one.detach().clone() for one in part.parameters()], gradients, [one.clone() for one in part.buffers()]]
    if isinstance(part, torch.optim.Optimizer):
        return [
            {key: one.clone() if hasattr(one, "clone") else one for key, one in part.state.get(parameter, {}).items()}
            for group in part.param_groups
            for parameter in group["params"]
        ]
    return None


@contextlib.contextmanager
def _mode(function, training, gradients):
    """Run a torch module as the checker asks: in training or not, with or without gradients."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(function, torch.nn.Module):
        yield
        return
    before = function.training
    function.train(bool(training))
    try:
        with torch.set_grad_enabled(bool(gradients)):
            yield
    finally:
        function.train(before)


def _handle(value, kept):
    number = len(kept)
    kept[number] = value
    torch = sys.modules.get("torch")
    if inspect.isclass(value):
        return ["class", number, value.__name__, _signature(value)]
    if torch is not None and isinstance(value, torch.nn.Module):
        named = [[name, wire.pack(one.detach()), bool(one.requires_grad)] for name, one in value.named_parameters()]
        buffers = [[name, wire.pack(one)] for name, one in value.named_buffers()]
        return ["module", number, type(value).__name__, bool(value.training), named, buffers]
    if callable(value):
        return ["callable", number, getattr(value, "__name__", type(value).__name__), type(value).__name__, _signature(value)]
    return ["object", number, type(value).__name__[:60], _text(value)]


def _signature(value):
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[one.name, int(one.kind), None if one.default is one.empty else _text(one.default, 60)] for one in parameters]


def _text(value, most=200):
    try:
        return repr(value)[:most]
    except Exception:
        return ""


def _error(error):
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if not any(part in frame.filename for part in LIBRARY)]
    line = (own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno)).strip() if own else ""
    return {
        "type": type(error).__name__,
        "message": str(error)[:2000],
        "line": [own[-1].lineno, line[:200]] if line else None,
    }


class _Counter(io.TextIOBase):
    """Takes what is printed and keeps only how much it was."""

    count = 0

    def write(self, text):
        self.count += len(text)
        return len(text)
