"""What an exercise is made of, and how an answer to it is judged.

An exercise knows its right answer, its cases, its misconceptions (each with the wrong answer it leads to) and its hints.
`CodeExercise` judges a function by calling it, `HandExercise` judges a typed answer, `DesignExercise` judges an array by its properties
and `ModelExercise` a trained network or another object by what it does.
"""

import contextlib
import inspect
import io
import linecache
import math
import numbers
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from .verdict import Failure, Verdict, Working, format_value

RANDOM_CASES = 6
SHRINKING_CASES = 200  # how many more random cases may go into finding the smallest that fails
TIME_LIMIT = 20.0  # seconds for all the calls of one check; the cases take a right answer milliseconds
LARGEST_ANSWER = 64 << 20  # bytes
NOT_DONE = "This one is not done yet."
LIBRARY = str(Path(__file__).resolve().parents[1])


@dataclass(frozen=True)
class Misconception:
    """A way of getting it wrong that has a name.

    Parameters
    ----------
    slug : str
        Its name, such as ``"flipped-kernel"``.
    sentence : str
        What happened and what to think about, kindly, in a sentence or two.
    answer : callable or value
        What somebody who holds it answers: for code a function with the exercise's parameters, else a value.
    """

    slug: str
    sentence: str
    answer: object


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    `layout` is how the arrays lie in memory: "plain", "read-only", "strided" or "fortran"; `part` is the share of the
    score that the case belongs to.
    """

    args: tuple
    kwargs: Mapping = field(default_factory=dict)
    part: str = "core"
    layout: str = "plain"
    seed: int | None = None

    def arguments(self):
        """Fresh copies of the arguments, laid out as the case asks."""
        return tuple(_lay_out(value, self.layout) for value in self.args), {k: _lay_out(v, self.layout) for k, v in self.kwargs.items()}

    @property
    def size(self):
        """How much there is to read in it: first how many numbers, then how large they are."""
        values = [np.abs(np.asarray(v, dtype=float)) for v in (*self.args, *self.kwargs.values()) if _is_numeric(v)]
        return sum(value.size for value in values), sum(float(value.sum()) for value in values)


_LAYOUTS = {"read-only": "read-only arrays", "strided": "arrays that are slices of larger ones", "fortran": "arrays stored by columns"}


def _is_numeric(value):
    return isinstance(value, (numbers.Number, np.ndarray, list, tuple)) and np.asarray(value).dtype.kind in "biuf"


def _lay_out(value, layout):
    if not isinstance(value, np.ndarray):
        return value
    if layout == "fortran":
        return np.asfortranarray(value.copy())
    if layout == "strided":
        wide = np.repeat(value, 2, axis=-1)
        return wide[..., ::2]
    copy = value.copy()
    copy.flags.writeable = layout != "read-only"
    return copy


@dataclass(frozen=True)
class Draw:
    """Where a random case takes its numbers from: `integer(low, high)`, both ends included."""

    integer: Callable

    def integers(self, *shape, low=-4, high=5):
        """Small whole numbers, as floats, so that a case can be followed by hand."""
        return np.array([self.integer(low, high) for _ in range(math.prod(shape))], dtype=float).reshape(shape)


@dataclass(frozen=True)
class Outcome:
    """What came of one call: a value, or why there is none."""

    value: np.ndarray | tuple | None = None  # a tuple of arrays where a function returns several
    problem: str = ""
    slug: str | None = None
    done: bool = True
    error: str = ""  # the type of the exception it raised


class TimeLimitReached(BaseException):
    """Not an Exception, so that a student's `except Exception` does not swallow it."""


@contextlib.contextmanager
def time_limit(seconds):
    """Raise `TimeLimitReached` in the code inside after so many seconds, and again each second if it is swallowed.

    Works in the main thread of a system with POSIX timers; elsewhere it does nothing.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise TimeLimitReached

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Sink(io.TextIOBase):
    """Takes what a student's function prints and keeps only how much it was."""

    def __init__(self):
        self.count = 0

    def write(self, text):
        self.count += len(text)
        return len(text)


# ---------------------------------------------------------------------------------------------------- values


def as_array(value):
    """A student's value as a real NumPy array, or an Outcome that says what is wrong with it."""
    if value is None:
        return Outcome(problem="It returned None. Is there a `return` at the end?", slug="no-return")
    if value is Ellipsis or value is NotImplemented:
        return Outcome(problem=NOT_DONE, done=False)
    if hasattr(value, "detach"):  # a torch tensor
        value = value.detach().cpu().numpy()
    kind = type(value).__name__
    expected = "Expected a number, an array or a list of numbers"
    if (
        isinstance(value, (str, bytes, dict, set))
        or inspect.isgenerator(value)
        or callable(value)
        or isinstance(value, (map, filter, range, zip))
    ):
        return Outcome(problem=f"{expected}, got a {kind}: {format_value(value)}.")
    if _holds_ellipsis(value):
        return Outcome(problem=NOT_DONE, done=False)
    try:
        array = np.asarray(value)
    except Exception:
        return Outcome(problem=f"{expected}, got a {kind} whose rows do not have the same length.")
    if array.dtype.kind == "O":
        array = _plain_numbers(array)
    if array.dtype.kind == "c":
        return Outcome(problem="The numbers are complex. After a Fourier transform, take the real part.")
    if array.dtype.kind not in "biuf":
        of = {"U": "text (leave out the quotes)", "O": "objects"}.get(array.dtype.kind, str(array.dtype))
        return Outcome(problem=f"{expected}, got a {kind} of {of}.")
    if array.nbytes > LARGEST_ANSWER:
        return Outcome(problem=f"An array of shape {array.shape} ({array.nbytes >> 20} MB) is far larger than any right answer here.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return Outcome(value=array.astype(float), problem="There are NaN or infinite values in it.")
    return Outcome(value=array.astype(float) if array.dtype.kind != "b" else array.astype(int))


def _plain_numbers(array):
    """An array of objects as one of floats where each of them is a real number, such as a fraction or a one-element tensor; else itself."""
    if not all(isinstance(item, (numbers.Real, Decimal)) or (hasattr(item, "detach") and item.ndim == 0) for item in array.flat):
        return array
    return np.array([float(item) for item in array.flat]).reshape(array.shape)


def as_arrays(value, names):
    """Several returned values as a tuple of arrays, or an Outcome that says what is wrong; `names` says what they are."""
    expected = f"Expected {len(names)} values, ({', '.join(names)})"
    if value is None:
        return as_array(value)
    if not isinstance(value, (tuple, list)) or len(value) != len(names):
        got = f"{len(value)}" if isinstance(value, (tuple, list)) else f"a single {type(value).__name__}"
        return Outcome(problem=f"{expected}, got {got}.")
    parts = [as_array(part) for part in value]
    for name, part in zip(names, parts, strict=True):
        if part.problem:
            told = part.problem if part.slug != "no-return" else "It is None."
            return replace(part, value=None, problem=f"{name}: {told}", slug=None)
    return Outcome(value=tuple(part.value for part in parts))


def _holds_ellipsis(value, depth=4):
    return value is Ellipsis or (depth > 0 and isinstance(value, (list, tuple)) and any(_holds_ellipsis(item, depth - 1) for item in value))


def is_close(got, expected, tolerance=None):
    """Elementwise: is an answer right? Whole expected numbers of an exercise with ``tolerance=0`` must be exact."""
    got, expected = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    if tolerance is None:  # DESIGN: rtol 1e-4, atol 1e-5 x max(1, |expected|)
        tolerance = 1e-4 * np.abs(expected) + 1e-5 * np.maximum(1, np.abs(expected))
    with np.errstate(invalid="ignore"):
        return np.abs(got - expected) <= tolerance


def agree(first, second, tolerance=None):
    """Do two answers (arrays, or tuples of arrays) have the same shape and the same values?"""
    if isinstance(first, tuple) and isinstance(second, tuple):
        return len(first) == len(second) and all(agree(a, b, tolerance) for a, b in zip(first, second, strict=True))
    return np.shape(first) == np.shape(second) and bool(np.all(is_close(first, second, tolerance)))


def first_wrong(got, expected, tolerance=None):
    """Index of the first wrong value, in reading order, or None where shapes differ or all is right."""
    if np.shape(got) != np.shape(expected):
        return None
    wrong = np.argwhere(~is_close(got, expected, tolerance))
    return tuple(int(i) for i in wrong[0]) if len(wrong) else None


# ---------------------------------------------------------------------------------------------------- exercises


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What all exercises have.

    Parameters
    ----------
    hints : tuple of str
        From gentle to almost the answer.
    may_call : tuple of str
        The library's own functions that an answer may call. A grader that keeps the library to itself refuses all others.
    """

    name: str
    title: str
    points: float
    hints: tuple
    misconceptions: tuple = ()
    may_call: tuple = ()

    def verdict(self, passed, message, **more):
        more.setdefault("score", 1.0 if passed else 0.0)
        if not passed and "advice" not in more:
            more["advice"] = f'For a hint: `hint("{self.name}")`'
        return Verdict(name=self.name, title=self.title, points=self.points, passed=passed, message=message, **more)


@dataclass(frozen=True, kw_only=True)
class HandExercise(Exercise):
    """An answer worked out by hand: a number, a shape or a small array.

    Parameters
    ----------
    expected : array_like
        The right answer, computed by the library rather than typed.
    tolerance : float
        How far a typed decimal may be off; whole numbers must be exact.
    labels : tuple of str
        Names of the entries, where each is a question of its own. Then each right entry earns its share.
    explain : callable, optional
        From the index of a wrong value to the `Working` shown (without its products: those are the exercise).
    """

    expected: object
    tolerance: float = 0.006
    labels: tuple = ()
    explain: Callable | None = None

    def judge(self, answer, seed=None):
        if callable(answer):
            return self.verdict(False, "Expected the answer itself (numbers), got a function. Did you mean to call it?")
        expected = np.asarray(self.expected, dtype=float)
        blanks = self._blanks(answer)
        outcome = as_array(self._filled(answer, blanks, expected) if any(blanks) and not all(blanks) else answer)
        if outcome.value is None or (outcome.problem and not any(blanks)):
            return self.verdict(False, outcome.problem if answer is not None else NOT_DONE)
        got = outcome.value
        if agree(got, expected, self._tolerance(expected)):
            return self.verdict(True, "That is right.")
        named = next((m for m in self.misconceptions if agree(got, m.answer, self._tolerance(m.answer))), None)
        more = {"misconception": named.slug, "sentence": named.sentence} if named else {}
        if got.shape != expected.shape:
            return self.verdict(False, _other_shape(got, expected), **more)
        wrong = ~is_close(got, expected, self._tolerance(expected))
        index = first_wrong(got, expected, self._tolerance(expected))
        if self.labels:
            names = [label for label, bad in zip(self.labels, wrong.ravel() if wrong.ndim == 1 else wrong.any(axis=-1), strict=True) if bad]
            score = 1 - len(names) / len(self.labels)
            empty = [label for label, blank in zip(self.labels, blanks or [False] * len(self.labels), strict=True) if blank]
            wanted = [name for name in names if name not in empty]
            told = [f"Look again at: {'; '.join(wanted)}."] if wanted else []
            told += [f"Not done yet: {'; '.join(empty)}."] if empty else []
            return self.verdict(False, " ".join(told), score=score, **more)
        count = int(wrong.sum())
        message = (
            "Not this number." if expected.ndim == 0 else f"{count} of {wrong.size} values {'is' if count == 1 else 'are'} not right yet."
        )
        working = self.explain(index) if self.explain else None
        failure = Failure(call="", index=index, got=got, working=working) if expected.ndim else None
        return self.verdict(False, message, failure=failure, **more)

    def _blanks(self, answer):
        """For an answer in labelled parts: which of them are still `...`."""
        if not self.labels or not isinstance(answer, (list, tuple)) or len(answer) != len(self.labels):
            return []
        return [_holds_ellipsis(part) for part in answer]

    def _filled(self, answer, blanks, expected):
        """The answer with NaN, which is never right, in place of its blank parts."""
        nothing = np.full(expected.shape[1:], np.nan)
        return [nothing if blank else part for part, blank in zip(answer, blanks, strict=True)]

    def _tolerance(self, expected):
        whole = np.asarray(expected, dtype=float) % 1 == 0
        return np.where(whole, 1e-9, self.tolerance)


@dataclass(frozen=True, kw_only=True)
class DesignExercise(Exercise):
    """An answer with many right values, judged by its properties.

    Parameters
    ----------
    judge_value : callable
        From the answer (a float array) to None when it is right, else to a sentence that says why not.
    shape : tuple
        The shape of an answer.
    """

    judge_value: Callable
    shape: tuple

    def judge(self, answer, seed=None):
        outcome = as_array(answer)
        if outcome.problem:
            return self.verdict(False, outcome.problem if answer is not None else NOT_DONE)
        if outcome.value.shape != self.shape:
            return self.verdict(False, _other_shape(outcome.value, np.empty(self.shape)))
        reason = self.judge_value(outcome.value)
        if reason is None:
            return self.verdict(True, "That works.")
        named = next((m for m in self.misconceptions if m.answer(outcome.value)), None)
        more = {"misconception": named.slug, "sentence": named.sentence} if named else {}
        return self.verdict(False, reason, **more)


@dataclass(frozen=True)
class Property:
    """One thing that a model must do.

    Parameters
    ----------
    label : str
        What it is, in a few words, such as ``"reads at least 99 % of the test digits"``.
    share : float
        Its share of the score.
    reason : callable
        From the answer to None when the property holds, else to a sentence that says why not. What it raises counts as a reason.
    seeded : bool
        Whether `reason` takes the check's seed too, for numbers drawn at random.
    """

    label: str
    share: float
    reason: Callable
    seeded: bool = False


@dataclass(frozen=True, kw_only=True)
class ModelExercise(Exercise):
    """An object, such as a trained network, judged by what it does. The properties are tried in order.

    Parameters
    ----------
    expects : str
        What an answer is, such as ``"a torch.nn.Module that takes images of shape (N, 1, 28, 28)"``.
    accepts : callable
        From the answer to whether it is of that kind at all.
    properties : tuple of Property
        Without the first one nothing counts: it says whether the answer can be judged. The shares add up to 1.
    misconceptions : tuple of Misconception
        The `answer` of each is a function from the object to whether it shows this misconception.
    """

    expects: str
    accepts: Callable
    properties: tuple

    def judge(self, answer, seed=None):
        if answer is None or answer is Ellipsis:
            return self.verdict(False, NOT_DONE)
        if not self.accepts(answer):
            hint = " Pass the object itself, not the class." if isinstance(answer, type) else ""
            return self.verdict(False, f"Expected {self.expects}, got {_kind(answer)}.{hint}")
        score, told = 0.0, []
        for number, one in enumerate(self.properties):
            reason = self._reason(one, (answer, seed) if one.seeded else (answer,))
            if reason is None:
                score += one.share
                continue
            told.append(f"{one.label}: {reason}")
            if number == 0:
                score = 0.0
                break
        if not told:
            return self.verdict(True, "That is right.")
        named = next((m for m in self.misconceptions if self._shows(m, answer)), None)
        more = {"misconception": named.slug, "sentence": named.sentence} if named else {}
        return self.verdict(False, "Not yet: " + " ".join(told), score=min(round(score, 9), 0.99), **more)

    def _reason(self, one, arguments):
        try:
            with contextlib.redirect_stdout(Sink()), contextlib.redirect_stderr(Sink()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return one.reason(*arguments)
        except NotImplementedError:
            return NOT_DONE
        except Exception as error:
            return f"It raised {type(error).__name__}: {_short(error)}{_where(error)}."

    def _shows(self, misconception, answer):
        with contextlib.suppress(Exception), contextlib.redirect_stdout(Sink()), contextlib.redirect_stderr(Sink()):
            return bool(misconception.answer(answer))
        return False


def _kind(value):
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


@dataclass(frozen=True, kw_only=True)
class CodeExercise(Exercise):
    """A function that the student writes.

    Parameters
    ----------
    reference : callable
        The right answer.
    signature : str
        How the function is called, such as ``"conv2d(image, kernel)"``.
    cases : tuple of Case
        Tiny and nasty; each misconception must fail at least one of them.
    random_case : callable
        From a `Draw` to a fresh `Case`.
    parts : mapping of str to float
        Shares of the score, which add up to 1. A part counts when all its cases are right, and only if "core" does.
    explain : callable, optional
        From ``(index, *args, **kwargs)`` of a case to a `Working`.
    exact : bool
        True where the answer is a count and must be exact.
    truth : bool
        True where the answer is True or False, and is shown so.
    outputs : tuple of str
        Names of the values, where the function returns several.
    tensors : bool
        True for a function of torch tensors: the arrays of a case reach it as float32 tensors (whole numbers as int64).
    observe : callable, optional
        From ``(returned value, *args, **kwargs)`` to the array that is compared, where the function returns an object such as a
        torch module. What it raises counts as the function's own error.
    """

    reference: Callable
    signature: str
    cases: tuple
    random_case: Callable
    parts: Mapping = field(default_factory=lambda: {"core": 1.0})
    explain: Callable | None = None
    exact: bool = False
    truth: bool = False
    outputs: tuple = ()
    tensors: bool = False
    observe: Callable | None = None

    @property
    def tolerance(self):
        return 1e-9 if self.exact else None

    def call(self, function, case, sink):
        """Call a function on one case and say what came of it. What it prints goes to the sink."""
        return call(function, case, sink, outputs=self.outputs, tensors=self.tensors, observe=self.observe)

    def expected(self, case):
        """What the right answer gives: an array, or a tuple of arrays."""
        outcome = self.call(self.reference, case, Sink())
        if outcome.problem:
            raise RuntimeError(f"{self.name}: the right answer fails: {outcome.problem}")
        return outcome.value

    def all_cases(self, seed):
        """The fixed cases, then random ones that follow from the seed."""
        rng = np.random.default_rng(seed)
        draw = Draw(lambda low, high: int(rng.integers(low, high, endpoint=True)))
        return [*self.cases, *(replace(self.random_case(draw), seed=seed) for _ in range(RANDOM_CASES))]

    def judge(self, answer, seed):
        if answer is None or answer is Ellipsis:
            return self.verdict(False, NOT_DONE)
        if not callable(answer):
            return self.verdict(
                False,
                f"Expected a function, {self.signature}, not a value of type {type(answer).__name__}. Pass its name, without brackets.",
            )
        cases = self.all_cases(seed)
        misfit = self._misfit(answer, cases)
        if misfit:
            return self.verdict(False, misfit)
        sink = Sink()
        try:
            with time_limit(TIME_LIMIT):
                outcomes = [self.call(answer, case, sink) for case in cases]
                expected = [self.expected(case) for case in cases]
                right = [self._is_right(*pair) for pair in zip(outcomes, expected, strict=True)]
                if not all(right) and all(right[: len(self.cases)]):  # only random cases fail: look for a smaller one
                    smallest = self._shrink(answer, seed, sink)
                    if smallest is not None:
                        cases.append(smallest)
                        outcomes.append(self.call(answer, smallest, sink))
                        expected.append(self.expected(smallest))
                        right.append(self._is_right(outcomes[-1], expected[-1]))
        except TimeLimitReached:
            return self.verdict(
                False,
                f"The function did not finish within {TIME_LIMIT:.0f} seconds, on images of a few pixels. Does a loop never end?",
                misconception="endless-loop",
                sentence="Look for a `while` whose condition never becomes false.",
            )
        if all(right):
            return self.verdict(True, f"All {len(self.cases)} fixed cases are right, and {len(cases) - len(self.cases)} random ones.")
        return self._explain_failure(cases, outcomes, expected, right, sink)

    def _is_right(self, outcome, expected):
        return not outcome.problem and agree(outcome.value, expected, self.tolerance)

    def _shrink(self, answer, seed, sink):
        """The simplest random case that an answer gets wrong, or None where none is found again."""
        import hypothesis  # here: most answers never need it, and it takes half a second to load
        from hypothesis import strategies

        failing = []

        @strategies.composite
        def cases(draw):
            return self.random_case(Draw(lambda low, high: draw(strategies.integers(low, high))))

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=SHRINKING_CASES,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            print_blob=False,
        )
        @hypothesis.given(cases())
        def is_right(case):
            if not self._is_right(self.call(answer, case, sink), self.expected(case)):
                failing.append(case)
                raise AssertionError

        with contextlib.suppress(AssertionError, hypothesis.errors.Flaky):
            is_right()
        return replace(failing[-1], seed=seed) if failing else None

    def _misfit(self, answer, cases):
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):
            return None  # a compiled function does not tell; the calls will
        for case in cases:
            try:
                signature.bind(*case.args, **case.kwargs)
            except TypeError as error:
                return f"It must be callable as {self.signature}; yours takes {signature} ({error})."
        return None

    def _explain_failure(self, cases, outcomes, expected, right, sink):
        if not any(outcome.done for outcome in outcomes):
            return self.verdict(False, NOT_DONE)
        parts_right = {part: all(ok for ok, case in zip(right, cases, strict=True) if case.part == part) for part in self.parts}
        score = sum(share for part, share in self.parts.items() if parts_right[part]) if parts_right["core"] else 0.0
        failing = [i for i, ok in enumerate(right) if not ok]
        smallest = min(failing, key=lambda i: (cases[i].seed is not None, cases[i].part != "core", cases[i].size))
        case, outcome = cases[smallest], outcomes[smallest]
        named = self._misconception(cases, outcomes, parts_right["core"])
        slug, sentence = (named.slug, named.sentence) if named else (None, "")
        got, wanted, part = outcome.value, expected[smallest], ""
        if self.outputs and got is not None:  # several values: show the first that is wrong
            first = next((n for n in range(len(wanted)) if not agree(got[n], wanted[n], self.tolerance)), 0)
            got, wanted, part = got[first], wanted[first], self.outputs[first]
        index = None if got is None else first_wrong(got, wanted, self.tolerance)
        if outcome.slug == "changes-argument" and index is None:
            got = None  # the value is right: showing it beside the same expected one would only puzzle
        if self.truth and np.shape(got) == () and got in (0, 1):
            got, wanted = bool(got), bool(wanted)
        working = None
        if self.explain and not (got is None or index is None):
            working = self.explain(index, *case.args, **case.kwargs) if not part else self.explain(part, index, *case.args, **case.kwargs)
        failure = Failure(
            call=(f"{part} of " if part else "") + self._call_text(case),
            arguments=self._arguments(case),
            index=index,
            expected=None if got is None else wanted,
            got=got,
            working=working,
            seed=case.seed,
        )
        fixed = len(self.cases)
        message = f"{sum(right[:fixed])} of {fixed} fixed cases are right."
        if all(right[:fixed]):
            message = f"All {fixed} fixed cases are right, but a random one is not."
        if outcome.slug and not slug:
            slug, sentence = outcome.slug, outcome.problem
        elif outcome.problem:
            message += f" {outcome.problem}"
        notes = ()
        if slug == "no-return" and sink.count:
            notes = ("It printed something: printing shows a value to you, `return` gives it to the caller.",)
        return self.verdict(False, message, score=score, misconception=slug, sentence=sentence, failure=failure, notes=notes)

    def _misconception(self, cases, outcomes, core_is_right):
        """The misconception that gives the very same answer in every case, or None.

        While the core is wrong, only its cases count: whoever flips the kernel may let bytes overflow as well, and is told of one
        thing after the other.
        """
        counting = [pair for pair in zip(cases, outcomes, strict=True) if core_is_right or pair[0].part == "core"]
        return next((m for m in self.misconceptions if self.reproduces(m, *zip(*counting, strict=True))), None)

    def reproduces(self, misconception, cases, outcomes):
        for case, outcome in zip(cases, outcomes, strict=True):
            other = self.call(misconception.answer, case, Sink())
            if (outcome.value is None) != (other.value is None):
                return False
            if outcome.value is None and outcome.error != other.error:
                return False
            if outcome.value is not None and not _same(outcome, other, self.tolerance):
                return False
        return True

    def _arguments(self, case):
        names = self.signature[self.signature.index("(") + 1 : -1].split(",")
        names = [name.split("=")[0].strip() for name in names]
        return tuple(zip(names, case.args, strict=False)) + tuple(case.kwargs.items())

    def _call_text(self, case):
        shown = []
        for name, value in self._arguments(case):
            text = name if np.ndim(value) else f"{name}={value}" if name in case.kwargs else format_value(value)
            shown.append(text)
        arrays = [
            f"{name} {'x'.join(map(str, np.shape(value)))}" if np.ndim(value) > 1 else f"{name} of length {len(value)}"
            for name, value in self._arguments(case)
            if np.ndim(value)
        ]
        types = {np.asarray(value).dtype.name for value in case.args if isinstance(value, np.ndarray)} - {"float64"}
        extra = [*arrays, *sorted(types), *([_LAYOUTS[case.layout]] if case.layout != "plain" else [])]
        function = self.signature[: self.signature.index("(")]
        return f"{function}({', '.join(shown)})" + (f" with {', '.join(extra)}" if extra else "")


def _same(outcome, other, tolerance):
    first, second = outcome.value, other.value
    if isinstance(first, tuple):
        return outcome.slug == other.slug and agree(first, second, tolerance)
    if first.size == second.size == 0:  # nothing came out: in which shape, is chance
        return outcome.slug == other.slug
    if np.isfinite(first).all() and np.isfinite(second).all():
        return agree(first, second, tolerance) and outcome.slug == other.slug
    return first.shape == second.shape and np.allclose(first, second, equal_nan=True)


def call(function, case, sink, outputs=(), tensors=False, observe=None):
    """Call a student's function on one case and say what came of it. What it prints goes to the sink; the rest as in `CodeExercise`."""
    args, kwargs = case.arguments()
    if tensors:
        args, kwargs = tuple(map(_as_tensor, args)), {name: _as_tensor(value) for name, value in kwargs.items()}
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            value = function(*args, **kwargs)
            if observe and value is not None and value is not Ellipsis:
                value = observe(value, *args, **kwargs)
            outcome = as_arrays(value, outputs) if outputs else as_array(value)
    except NotImplementedError:
        return Outcome(problem=NOT_DONE, done=False)
    except (Exception, SystemExit) as error:
        if isinstance(error, ValueError) and "read-only" in str(error):
            return Outcome(problem=f"It changed its arguments{_where(error)}.", slug="changes-argument")
        return Outcome(problem=f"It raised {type(error).__name__}: {_short(error)}{_where(error)}.", error=type(error).__name__)
    if any(_changed(before, after) for before, after in zip((*case.args, *case.kwargs.values()), (*args, *kwargs.values()), strict=True)):
        problem = "It changed the array it was given. Work on a copy: the caller still needs the original."
        return Outcome(value=outcome.value, problem=problem, slug="changes-argument")
    return outcome


def _as_tensor(value):
    """An array as the tensor that torch users would pass: whole numbers as int64, others as float32, never sharing memory."""
    if not isinstance(value, np.ndarray):
        return value
    import torch  # here: most lessons never need it

    return torch.tensor(value, dtype=torch.int64 if value.dtype.kind in "iu" else torch.float32)


def _changed(before, after):
    if not isinstance(before, np.ndarray):
        return False
    if hasattr(after, "detach"):
        before, after = _as_tensor(before).numpy(), after.detach().cpu().numpy()
    return not (before.shape == after.shape and np.array_equal(before, after))


def _short(error):
    text = str(error)
    return text.rstrip(".") if len(text) <= 200 else f"{text[:197]}..."


def _where(error):
    """The student's own line that the exception came from: the last frame outside this library and installed packages."""
    if hasattr(error, "student_line"):  # it was raised in another process, which told where
        return f", in your line {error.student_line[0]}: `{error.student_line[1]}`" if error.student_line else ""
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(LIBRARY) and "site-packages" not in f.filename
    ]
    if not frames:
        return ""
    frame = frames[-1]
    line = (frame.line or linecache.getline(frame.filename, frame.lineno)).strip()
    return f", in your line {frame.lineno}: `{line}`" if line else ""


def _other_shape(got, expected):
    """What to say of a typed answer whose shape is wrong, without telling the right one: finding it is part of the exercise."""
    if expected.ndim == 0:
        return "One number, please, without brackets."
    if got.ndim == expected.ndim == 1:
        return f"You have {len(got)} numbers: not as many as there should be."
    if got.ndim == expected.ndim:
        return f"You have {' x '.join(map(str, got.shape))} numbers: not this many rows and columns."
    return f"This should be {_NESTING[expected.ndim]}; yours is {_NESTING.get(got.ndim, 'nested more deeply')}."


_NESTING = {0: "one number", 1: "a list of numbers", 2: "a list of rows, each a list of numbers"}


__all__ = [
    "Case",
    "CodeExercise",
    "DesignExercise",
    "Draw",
    "Exercise",
    "HandExercise",
    "Misconception",
    "ModelExercise",
    "Outcome",
    "Property",
    "Working",
    "agree",
    "as_array",
    "call",
    "first_wrong",
    "is_close",
    "time_limit",
]
