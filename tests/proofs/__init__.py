"""The proof table: for every graded exercise the wrong answers that `check` must reject and the right ones that it must accept.

The misconceptions of an exercise are wrong answers too; they are taken from the exercise, not listed again. What stands here is what
students make of them (loops, typing slips, other libraries), wrong answers that have no name, and right ones of every kind.
"""

import importlib
import pkgutil
from dataclasses import dataclass, field

import numpy as np
import torch

from course_lib.checks import EXERCISES, CodeExercise, DesignExercise, ModelExercise, check
from course_lib.checks.exercise import RANDOM_CASES

SEED = 5


@dataclass(frozen=True)
class Wrong:
    """A wrong answer and the names that its verdict may bear.

    `names` holds the slugs that are true of it. With `None` among them it may also go unnamed: a slip that shows in more than one way,
    or two slips at once. Without any it must go unnamed, because no misconception of the exercise is what it does.
    """

    answer: object
    names: tuple = (None,)


@dataclass
class Proof:
    """The answers that prove the check of one exercise; `wrong` and `right` go from a label to the answer."""

    name: str
    wrong: dict = field(default_factory=dict)
    right: dict = field(default_factory=dict)
    _verdicts: dict = field(default_factory=dict, repr=False)

    def __post_init__(self):
        self.wrong = {label: answer if isinstance(answer, Wrong) else Wrong(answer) for label, answer in self.wrong.items()}

    @property
    def exercise(self):
        return EXERCISES[self.name]

    def rejects(self, *names):
        """A decorator: this function is wrong, and may be named so. Without a name it must go unnamed."""

        def add(function):
            self._add(self.wrong, function.__name__, Wrong(function, names or (None,)))
            return function

        return add

    def accepts(self, function):
        """A decorator: this function is right."""
        self._add(self.right, function.__name__, function)
        return function

    def _add(self, entries, label, entry):
        label = label.replace("_", " ").strip()
        if label in entries:
            raise ValueError(f"{self.name} has two answers with the label {label!r}; rename one.")
        entries[label] = entry

    @property
    def all_wrong(self):
        """The exercise's own misconceptions, then the wrong answers listed here."""
        own = (
            {}
            if isinstance(self.exercise, (DesignExercise, ModelExercise))
            else {m.slug: Wrong(m.answer, (m.slug,)) for m in self.exercise.misconceptions}
        )
        return own | self.wrong

    def verdict(self, label, right=False):
        """What `check` says to the wrong answer of this label, or to the right one."""
        if (label, right) not in self._verdicts:
            torch.manual_seed(SEED)  # a layer that was never given its bias has a random one
            answer = self.right[label] if right else self.all_wrong[label].answer
            self._verdicts[label, right] = check(self.name, answer, seed=SEED)
        return self._verdicts[label, right]

    @property
    def cases(self):
        """How many cases a check has: (fixed, random); an answer worked out by hand is one."""
        return (len(self.exercise.cases), RANDOM_CASES) if isinstance(self.exercise, CodeExercise) else (1, 0)


def worked_out(name, wrong, right=()):
    """The proof of an answer worked out by hand: the right one passes in every natural form."""
    expected = np.asarray(EXERCISES[name].expected, dtype=float)
    forms = {
        "plain Python": expected.tolist(),
        "array": expected.copy(),
        "array in Fortran order, read-only": np.broadcast_to(expected.copy(order="F"), expected.shape),
        "torch tensor": torch.tensor(expected),
        "NumPy scalars": _each(expected, np.float64),
    }
    if expected.ndim:
        forms["tuples"] = _tuples(expected.tolist())
        forms["a list of arrays"] = list(expected)
    if (expected % 1 == 0).all():
        whole = expected.astype(int)
        forms |= {
            "whole numbers": whole.tolist(),
            "np.int64": _each(whole, np.int64),
            "np.int32 array": whole.astype(np.int32),
            "torch integers": torch.tensor(whole),
        }
    else:
        forms["two decimals"] = np.round(expected, 2).tolist()
    if np.abs(expected).max() < 2**24:  # what float32 holds exactly
        forms["float32"] = expected.astype(np.float32)
    return Proof(name, wrong, forms | dict(right))


def _each(array, kind):
    """Nested lists of scalars of this kind; one scalar for a single number."""
    return kind(array) if array.ndim == 0 else [_each(row, kind) for row in array]


def _tuples(value):
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def named(slug, answer):
    """A wrong answer that must be called by this name."""
    return Wrong(answer, (slug,))


def all_proofs():
    """Every proof, in the order of the lessons: exercise's name -> Proof."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson_"))
    return {proof.name: proof for name in modules for proof in importlib.import_module(f".{name}", __name__).PROOFS}
