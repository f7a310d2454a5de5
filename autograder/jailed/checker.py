"""Judges answers, in a jail of its own: runs the test cells of a lesson, with the student's names standing for what is in their kernel.

Started as ``python -m jailed.checker FOLDER``. Reads requests from the grader, one JSON line each, and answers each with one line.
A test cell sees the library, the modules that the lesson's own cells import, and nothing of the student's but values and functions
that are called by value (`Remote`). The student's code never runs here.
"""

import ast
import base64
import builtins
import contextlib
import importlib
import inspect
import io
import json
import os
import pickle
import socket
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from . import wire

SIZES = {"output_size", "same_padding", "dilated_size"}  # of the library, what any other answer may call
CONNECTING = 20.0  # seconds until the student's kernel must have answered a first time


class StudentGone(BaseException):
    """There is no answer to be had any more; the message says why, as a sentence.

    It is no Exception, so that no check takes it for one of the student's.
    """


# ---------------------------------------------------------------------------------------------------- the student's side


class Session:
    """A connection to the student's kernel for the length of one check.

    Parameters
    ----------
    listener : socket.socket
    writes_back : bool
        Whether a function that changes its arguments changes them here. The library's checks look for that, and hand out copies. Other
        tests may compare an answer with what they gave, which must stay as it was.
    """

    def __init__(self, listener, writes_back=True):
        self._listener = listener
        self.writes_back = writes_back
        self._connection = None
        self._number = 0
        self.printed = 0

    def ask(self, **request):
        """Send a request and return the answer to it."""
        if self._connection is None:
            self._listener.settimeout(CONNECTING)
            try:
                self._connection, _ = self._listener.accept()
            except TimeoutError:
                raise StudentGone("The kernel gave no answer.") from None
            self._connection.setblocking(True)
        self._number += 1
        try:
            wire.send(self._connection, request | {"id": self._number})
            while True:
                answer = wire.receive(self._connection)
                if answer is None:
                    raise StudentGone("The kernel stopped before it gave an answer. Does the code exit, or use too much memory?")
                if answer.get("id") == self._number:
                    return answer
        except OSError:
            raise StudentGone("The kernel stopped before it gave an answer. Does the code exit, or use too much memory?") from None
        except wire.WireError as error:
            self.close()
            raise StudentGone(f"The answer cannot be read: {error}.") from None

    def get(self, name):
        """The value of a variable; raises KeyError where there is no such variable."""
        answer = self.ask(do="get", name=name)
        if answer.get("unknown") is True:
            raise KeyError(name)
        return self.value(answer)

    def value(self, answer):
        if "unfit" in answer:
            raise StudentError(str(answer["unfit"])[:200])
        try:
            return wire.unpack(answer.get("value"), self._make)
        except wire.WireError as error:
            raise StudentError(str(error)) from None

    def call(self, handle, args, kwargs, **more):
        """Call what a handle stands for. With `writes_back`, changes that it makes to its arguments are made here too."""
        answer = self.ask(do="call", handle=handle, **_packed(args, kwargs), **more)
        printed = answer.get("printed")
        if isinstance(printed, int) and printed > 0:
            sys.stdout.write(" " * min(printed, 1000))
        if self.writes_back:
            _take_over(answer.get("changed"), [*args, *kwargs.values()])
        if "error" in answer:
            raise _as_error(answer["error"])
        return self.value(answer)

    def _make(self, form):
        kind, number, *rest = form
        if type(number) is not int:
            raise wire.WireError("a handle of the wrong form")
        if kind in ("callable", "class"):
            *_, parameters = rest
            return Remote.of(
                wire._short(rest[1] if kind == "callable" else "type"), self, number, wire._short(rest[0]), _signature(parameters)
            )
        if kind == "module":
            return _module(self, number, *rest)
        if kind == "object":
            return RemoteObject.of(wire._short(rest[0]), self, number, wire._short(rest[1], 1000))
        raise wire.WireError("an answer of an unknown kind")

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class RemoteObject(wire.Foreign):
    """An object in the student's kernel: its public attributes can be asked for."""

    def __init__(self, session, number, text=""):
        super().__init__(text)
        self._session, self._number = session, number

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        answer = self._session.ask(do="attribute", handle=self._number, name=name)
        if answer.get("unknown") is True:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._session.value(answer)


class Remote(RemoteObject):
    """A function (or what can be called like one) in the student's kernel."""

    def __init__(self, session, number, name, signature):
        super().__init__(session, number, f"<function {name}>")
        self.__name__ = name
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args, **kwargs):
        return self._session.call(self._number, args, kwargs)


class _Shown:
    """Stands for a default value in a signature."""

    def __init__(self, text):
        self._text = text

    def __repr__(self):
        return self._text


def _signature(parameters):
    if parameters is None:
        return None
    try:
        made = []
        for name, kind, default in parameters[:100]:
            given = {} if default is None else {"default": _Shown(wire._short(default))}
            made.append(inspect.Parameter(wire._short(name), inspect._ParameterKind(kind), **given))
        return inspect.Signature(made)
    except (TypeError, ValueError, KeyError):
        raise wire.WireError("a signature of the wrong form") from None


def _module(session, number, kind, training, named, buffers):
    """A torch module that computes in the student's kernel, with its parameters as they are there now."""
    import torch

    class RemoteModule(torch.nn.Module):
        def forward(self, *args, **kwargs):
            return session.call(number, args, kwargs, training=self.training, gradients=torch.is_grad_enabled())

    if len(named) > 5000 or len(buffers) > 5000:
        raise wire.WireError("a module of too many parameters")
    RemoteModule.__name__ = kind if isinstance(kind, str) and kind.isidentifier() else "Module"
    model = RemoteModule()
    for name, form, trained in named:
        value = wire.unpack(form)
        _place(model, name).register_parameter(name.split(".")[-1], torch.nn.Parameter(value, requires_grad=trained is True))
    for name, form in buffers:
        _place(model, name).register_buffer(name.split(".")[-1], wire.unpack(form))
    return model.train(training is True)


def _place(model, name):
    """The module, within a model, that a dotted name of a parameter belongs to."""
    import torch

    *path, last = wire._short(name).split(".")
    if len(path) > 30 or not all(part.replace("_", "a").isalnum() for part in [*path, last]):
        raise wire.WireError("a parameter's name of the wrong form")
    for part in path:
        if part not in model._modules:
            model.add_module(part, torch.nn.Module())
        model = model._modules[part]
    return model


def _packed(args, kwargs):
    """A call's arguments as JSON; with torch's objects among them as one pickle, so that what they share here they share there."""
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(one, (torch.nn.Module, torch.optim.Optimizer)) and not _is_remote(one) for one in args):
        gradients = [[p.grad for p in one.parameters()] if isinstance(one, torch.nn.Module) else None for one in args]
        return {"pickled": base64.b64encode(pickle.dumps((args, kwargs))).decode("ascii"), "gradients_of": wire.pack(gradients)}
    return {"args": wire.pack(args, _back), "kwargs": wire.pack(kwargs, _back)}


def _is_remote(value):
    return type(value).__qualname__.endswith("RemoteModule")


def _back(value):
    """What came from the student goes back as the number it has there."""
    if isinstance(value, RemoteObject):
        return ["kept", value._number]
    raise TypeError(f"a {type(value).__name__} cannot be given to a student's function: numbers, text, arrays and tensors can")


def _take_over(changed, arguments):
    """Make the changes here that a function has made to its arguments there."""
    if not isinstance(changed, dict):
        return
    for index, form in changed.items():
        if not (index.isdigit() and int(index) < len(arguments)):
            continue
        argument = arguments[int(index)]
        try:
            _change(argument, wire.unpack(form))
        except (wire.WireError, TypeError, ValueError, RuntimeError, AttributeError, KeyError):
            raise StudentError("it changed what it was given into something else") from None


def _change(argument, new):
    torch = sys.modules.get("torch")
    if isinstance(argument, np.ndarray):
        argument.flags.writeable = True
        if isinstance(new, np.ndarray) and new.shape == argument.shape and new.dtype == argument.dtype:
            argument[...] = new
        else:  # of another shape or type: all that matters is that it differs
            argument[...] = argument + 1
    elif torch is None:
        return
    elif isinstance(argument, torch.Tensor):
        with torch.no_grad():
            argument.copy_(new) if isinstance(new, torch.Tensor) and new.shape == argument.shape else argument.add_(1)
    elif isinstance(argument, torch.nn.Module):
        values, gradients, buffers = new
        with torch.no_grad():
            for own, value, gradient in zip(argument.parameters(), values, gradients, strict=True):
                own.copy_(value)
                own.grad = None if gradient is None else torch.empty_like(own).copy_(gradient)
            for own, value in zip(argument.buffers(), buffers, strict=True):
                own.copy_(value)
    elif isinstance(argument, torch.optim.Optimizer):
        parameters = [parameter for group in argument.param_groups for parameter in group["params"]]
        for parameter, state in zip(parameters, new, strict=True):
            if not all(isinstance(key, str) and isinstance(value, (torch.Tensor, int, float, type(None))) for key, value in state.items()):
                raise TypeError
            argument.state[parameter] = dict(state)


# ---------------------------------------------------------------------------------------------------- their exceptions


class StudentError(Exception):
    """The student's function failed in a way for which there is no exception of its own."""


def _as_error(told):
    """The exception that the student's function raised: of the same name, with the same message, and with the line it came from."""
    if not isinstance(told, dict):
        return StudentError("it failed")
    name, message, line = told.get("type"), told.get("message"), told.get("line")
    name = name if isinstance(name, str) and name.isidentifier() and len(name) < 80 else "Error"
    known = getattr(builtins, name, None)
    ordinary = isinstance(known, type) and issubclass(known, (Exception, SystemExit))
    base = known if ordinary and not issubclass(known, (UnicodeError, StopIteration, StopAsyncIteration, ExceptionGroup)) else Exception
    error = base(message[:2000] if isinstance(message, str) else "") if base is known else type(name, (Exception,), {})(str(message)[:2000])
    if isinstance(line, list) and len(line) == 2 and type(line[0]) is int and isinstance(line[1], str):
        error.student_line = line[0], line[1][:200]
    else:
        error.student_line = None
    return error


# ---------------------------------------------------------------------------------------------------- the library's service


class Service(threading.Thread):
    """Computes the library's functions for the student's kernel, where their code is not to be had. While an answer is judged it refuses.

    Parameters
    ----------
    path : Path
        Its socket.
    """

    MODULES = ("arithmetic", "convolution", "pooling", "figures.drawing")
    MOST_CLIENTS = 8

    def __init__(self, path):
        super().__init__(daemon=True)
        self.allowed = None  # names of functions that may be called, or None for all
        self._listener = _listen(path)
        self._free = threading.BoundedSemaphore(self.MOST_CLIENTS)

    def run(self):
        while True:
            connection, _ = self._listener.accept()
            if self._free.acquire(blocking=False):
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection):
        with connection:
            try:
                while (request := wire.receive(connection)) is not None:
                    wire.send(connection, {"id": request.get("id"), **self._answer(request)})
            except (OSError, wire.WireError):
                pass
            finally:
                self._free.release()

    def _answer(self, request):
        module, name = request.get("module"), request.get("function")
        if module not in self.MODULES or not isinstance(name, str) or name.startswith("_"):
            return {"error": {"type": "AttributeError", "message": "the library has no such function"}}
        if self.allowed is not None and name not in self.allowed:
            return {
                "error": {
                    "type": "PermissionError",
                    "message": f"{name} of the library cannot be called here: this answer is to be your own",
                }
            }
        function = getattr(importlib.import_module(f"course_lib.{module}"), name, None)
        if not inspect.isfunction(function) or function.__module__ != f"course_lib.{module}":
            return {"error": {"type": "AttributeError", "message": "the library has no such function"}}
        try:
            value = function(*wire.unpack(request.get("args")), **wire.unpack(request.get("kwargs")))
            if self.allowed is not None and name not in self.allowed:  # it began before the judging did
                raise PermissionError(f"{name} of the library cannot be called here")
            sparse = hasattr(value, "toarray")
            return {"value": wire.pack(value.toarray() if sparse else value, _plain), "sparse": sparse}
        except Exception as error:
            return {"error": {"type": type(error).__name__, "message": str(error)[:2000]}}


def _plain(value):
    return ["foreign", type(value).__name__, ""]


def _listen(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(16)
    return listener


# ---------------------------------------------------------------------------------------------------- judging


class Names(dict):
    """The names that a test cell sees: what the lesson itself gives, else the student's.

    Parameters
    ----------
    given : dict of str to ast.stmt
        As `definitions` found it.
    session : Session
    """

    def __init__(self, given, session):
        super().__init__()
        self._given = given
        self._session = session

    def __missing__(self, name):
        if name in self._given:
            with contextlib.suppress(ImportError):  # a module that is not here: whatever needs it will say so
                exec(compile(ast.Module([self._given[name]], []), "<lesson>", "exec"), self)
            return dict.__getitem__(self, name)
        if hasattr(builtins, name) or name.startswith("__"):
            raise KeyError(name)
        self[name] = self._session.get(name)
        return self[name]


def definitions(given, answers):
    """What a lesson gives to its tests, so that a hand-in cannot give them something else: imports, functions, classes and plain values.

    Parameters
    ----------
    given : list of str
        The code cells of the released lesson that are no answers and no tests.
    answers : list of str
        Its cells for answers: what has a name in them is the student's to define.

    Returns
    -------
    dict of str to ast.stmt
        For each name the statement that defines it.
    """
    theirs = {name for source in answers for node in _statements(source) for name in _bound(node)}
    found = {}
    for node in (node for source in given for node in _statements(source)):
        for name in _bound(node):
            if name not in theirs and (not isinstance(node, ast.Assign) or _loaded(node) <= found.keys() | vars(builtins).keys()):
                found[name] = node
            else:
                found.pop(name, None)
    return found


def _statements(source):
    lines = ("pass" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())  # IPython's own commands
    try:
        return ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError):
        return []


def _bound(node):
    """The names that a statement defines."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [
            one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        ]
    return []


def _loaded(node):
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def judge(request, given, listener, service):
    """Run one test cell and say what its answer has earned, as a dict of the fields of a record's verdict."""
    from course_lib import checks

    most = request["points"]
    start = time.monotonic()
    exercise = _exercise(request["source"], checks)
    session = Session(listener, writes_back=exercise is not None)
    service.allowed = frozenset(getattr(exercise, "may_call", ())) | (SIZES - {getattr(exercise, "name", "")})
    sink = io.StringIO()
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            found = _verdict(_run(request["source"], Names(given, session)), most, _tells_by_raising(request["source"]))
    except StudentGone as problem:
        found = {"points": 0.0, "state": "stopped", "message": str(problem)}
    except MemoryError:
        found = {"points": 0.0, "state": "stopped", "message": "The answer needs more memory than there is."}
    except AssertionError as problem:
        found = {"points": 0.0, "state": "wrong", "message": str(problem)[:300] or "A check of this answer fails."}
    except NotImplementedError:
        found = {"points": 0.0, "state": "undone", "message": "This one is not done yet."}
    except NameError as problem:
        found = {"points": 0.0, "state": "undone", "message": f"There is no variable {problem.name!r} in this notebook."}
    except (Exception, SystemExit) as problem:
        line = getattr(problem, "student_line", None)
        where = f" in your line {line[0]}: {line[1]}" if line else ""
        found = {"points": 0.0, "state": "wrong", "message": f"It raised {type(problem).__name__}: {str(problem)[:300]}{where}"}
    finally:
        service.allowed = None
        session.close()
    hints = list(getattr(exercise, "hints", ()))
    told = {"exercise": exercise.name, "title": exercise.title} if exercise else {"exercise": "", "title": ""}
    empty = {"misconception": None, "sentence": "", "card": "", "text": ""}
    return empty | told | found | {"of": most, "hints": hints, "seconds": round(time.monotonic() - start, 3)}


def _exercise(source, checks):
    """The exercise of a cell that says ``check("NAME", ...)``, or None."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check" and node.args and isinstance(node.args[0], ast.Constant):
            return checks._find(node.args[0].value)
    return None


def _run(source, names):
    """Run a cell; returns the value of its last line, as a notebook would show it, or None."""
    tree = ast.parse(source, "<check>")
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<check>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<check>", "eval"), names) if last else None


def _tells_by_raising(source):
    """Whether a test cell ends in a statement, or a call such as ``assert_equal(...)``: then no result means that all went well."""
    body = ast.parse(source).body
    if not body or not isinstance(body[-1], ast.Expr):
        return True
    function = getattr(body[-1].value, "func", None)
    name = getattr(function, "attr", getattr(function, "id", ""))
    return name.lower().startswith("assert") or name in ("print", "display")


def _verdict(result, most, tells_by_raising=False):
    """What a test cell's result means: a verdict of the library says it all, a number is points, and nothing may be all or nothing."""
    from course_lib.checks import Verdict

    if isinstance(result, Verdict):
        if result.failure and result.failure.seed is not None:
            result = replace(
                result, failure=None, notes=(*result.notes, "Try `check` in the notebook: it draws other cases, and shows one that fails.")
            )
        shown = replace(result, advice="")
        earned = min(max(float(result.earned), 0.0), most) if np.isfinite(result.earned) else 0.0
        state = "right" if result.passed else "partly" if earned else "undone" if "not done yet" in result.message else "wrong"
        return {
            "points": earned,
            "state": state,
            "message": result.message,
            "misconception": result.misconception,
            "sentence": result.sentence,
            "card": shown._repr_html_(),
            "text": str(shown),
        }
    if result is None and tells_by_raising:
        return {"points": most, "state": "right", "message": ""}
    if isinstance(result, (int, float, np.number)) and not isinstance(result, bool) and 0 <= float(result) <= most:
        earned = float(result)
        return {"points": earned, "state": "right" if earned == most else "partly" if earned else "wrong", "message": ""}
    return {"points": 0.0, "state": "stopped", "message": f"No points: the check's result is no number from 0 to {most:g}."}


def main():
    """Answer the grader's requests until there are no more."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is printed by chance must not look like an answer
    service = Service(folder / "library")
    service.start()
    given = {}
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "given" in request:
            given = definitions(request["given"], request["answers"])
            continue
        os.environ["COURSE_CHECK_SEED"] = str(request["seed"])
        path = Path(request["socket"])
        listener = _listen(path)
        print(json.dumps({"listening": True}), file=answers, flush=True)
        try:
            found = judge(request, given, listener, service)
        except Exception:  # of ours, and no reason to lose the other answers
            message = "The check itself failed. Tell your instructor."
            found = {"points": 0.0, "of": request["points"], "state": "stopped", "message": message, "fault": traceback.format_exc()}
        finally:
            listener.close()
            path.unlink(missing_ok=True)
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
