"""Takes the place of the library's checks in a student's kernel: there, answers are judged outside."""

TEXT = "The grader checks this answer itself, outside of this notebook."
EXERCISES = {}


class Verdict:
    """What `check` gives in a graded run: no verdict."""

    passed, score, earned = True, 1.0, 0.0  # so that a cell goes on that goes on when all is right
    misconception = failure = None
    message = TEXT
    title = sentence = advice = name = ""

    def __repr__(self):
        return TEXT


def check(name, answer=..., seed=None):
    """No verdict: that is the grader's."""
    return Verdict()


def hint(name):
    """No hint: nobody is there to read it."""
    return Verdict()
