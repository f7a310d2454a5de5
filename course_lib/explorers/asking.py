"""Calling a student's function on what an explorer shows: its answer, or a kind sentence about what was wrong."""

import numpy as np

from .board import SECONDS, _thread_limit


def named(function, parameter):
    """The name of a function that was given, or an error that says what can be given."""
    if not callable(function):
        raise TypeError(
            f"{parameter} must be a function, such as your own {parameter} (without parentheses), got {type(function).__name__}"
        )
    return getattr(function, "__name__", parameter)


def ask(function, name, *args):
    """Call a function, for two seconds at most; what it prints is not shown.

    Parameters
    ----------
    function : callable
        The student's.
    name : str
        What to call it in a sentence.
    *args
        Arrays are copied before.

    Returns
    -------
    value : ndarray or None
        Its answer; None where there is none.
    trouble : str
        What was wrong; "" when it answered.
    """
    from ..checks.exercise import Case, Sink, TimeLimitReached, call, time_limit  # not at the top: while a hand-in is graded there is none

    case = Case(tuple(np.array(arg) if isinstance(arg, np.ndarray) else arg for arg in args))
    try:
        with time_limit(SECONDS), _thread_limit(SECONDS, TimeLimitReached):
            outcome = call(function, case, Sink())
    except TimeLimitReached:
        return None, f"Your {name} did not finish in {SECONDS:.0f} seconds."
    if not outcome.done:
        return None, f"Your {name} is not done yet."
    if outcome.problem or outcome.value is None:
        return None, f"Your {name} has a problem. {outcome.problem}"
    return outcome.value, ""
