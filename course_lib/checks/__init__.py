"""`check` and `hint`: an instant verdict on every exercise of the course.

Each file `lesson_NN.py` beside this one holds the exercises of a lesson: their cases, misconceptions and hints.
"""

import collections
import difflib
import importlib
import os
import pkgutil
import secrets

from .exercise import CodeExercise, DesignExercise, HandExercise, ModelExercise
from .verdict import CheckFailed, Hint, Verdict

_LESSONS = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name.startswith("lesson_"))
EXERCISES = {exercise.name: exercise for name in _LESSONS for exercise in importlib.import_module(f".{name}", __name__).EXERCISES}

NUMBERS = {  # functions that go by a number in the text too
    "7.1": "conv2d",
    "7.2": "conv2d_padded",
    "7.3": "conv2d_strided",
    "8.1": "filter_image",
    "8.2": "edge_strength_and_angle",
    "9.1": "load_kernel",
    "9.2": "feature_maps",
}

_hints_given = collections.Counter()


def check(name, answer=..., seed=None):
    """Judge an answer to an exercise.

    Parameters
    ----------
    name : str
        The exercise: a function's name such as ``"conv2d"``, or a number such as ``"4.1"`` for an answer worked out by hand.
    answer : object
        The function itself, or the value worked out. Without it the exercise counts as not done yet.
    seed : int, optional
        Where the random cases start; by default fresh, or from the environment variable ``COURSE_CHECK_SEED``.
        A verdict on a failing random case tells its seed.

    Returns
    -------
    Verdict
        It shows itself as a card in a notebook.
    """
    exercise = _find(name)
    if exercise is None:
        return Verdict(str(name)[:60], passed=False, score=0.0, message=_unknown(name))
    if seed is None:
        seed = int(os.environ.get("COURSE_CHECK_SEED") or secrets.randbits(32))
    verdict = exercise.judge(answer, seed)
    if not verdict.passed and os.environ.get("NBGRADER_EXECUTION") == "validate":
        raise CheckFailed(str(verdict))
    return verdict


def hint(name):
    """The next hint of an exercise, from gentle to almost the answer.

    Parameters
    ----------
    name : str
        The exercise, as for `check`.

    Returns
    -------
    Hint
        It shows itself as a card in a notebook. After the last hint, the last one comes again.
    """
    exercise = _find(name)
    if exercise is None:
        return Hint(str(name)[:60], 0, 0, _unknown(name))
    _hints_given[exercise.name] += 1
    number = min(_hints_given[exercise.name], len(exercise.hints))
    return Hint(exercise.name, number, len(exercise.hints), exercise.hints[number - 1])


def _find(name):
    name = str(name).strip()
    return EXERCISES.get(NUMBERS.get(name, name))


def _unknown(name):
    near = difflib.get_close_matches(str(name), EXERCISES, n=3, cutoff=0.5)
    suggestion = f"Did you mean {' or '.join(repr(one) for one in near)}?" if near else f"There are: {', '.join(EXERCISES)}."
    return f"There is no exercise {str(name)[:60]!r}. {suggestion}"


__all__ = ["EXERCISES", "CodeExercise", "DesignExercise", "HandExercise", "Hint", "ModelExercise", "Verdict", "check", "hint"]
