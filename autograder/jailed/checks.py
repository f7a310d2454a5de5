"""Takes the place of the library's checks in a student's kernel: there, answers are judged outside."""

TEXT = "The grader checks this answer itself, outside of this notebook."
EXERCISES = {}


class Verdict:
    """What `check` gives in a graded run: no verdict."""

    passed = misconception = failure = None
    score = earned = 0.0
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
