"""The proof table as a page of the book: what was tried on every check, and what came of it."""

from collections import Counter
from pathlib import Path

from . import all_proofs, mutants

TARGET = Path(__file__).resolve().parents[2] / "book" / "proofs.md"

INTRODUCTION = """\
# How the checks are proven

<!-- Made by `make proofs`; a test fails when this page is out of date. -->

A check can fail in two ways. It can call a wrong answer right, and it can call a right answer wrong. Both are worse than no check at
all, so each check of this course is tried on many answers whose worth is known.

- **Wrong ones.** What students write when they hold a misconception, in several spellings each; slips of typing; answers that have nothing
  to do with the question. Every one must be rejected. Where the verdict names a misconception, the name must be true: a check that
  does not know what went wrong says so.
- **Right ones.** Unusual programs that compute the right thing by other means (matrix products, Fourier transforms, recursion, other
  libraries, exact fractions), and right numbers in other clothes (tuples, tensors, `float32`). Every one must pass.

A *case* is one call of a student's function. The fixed cases are the same each time and are small enough to follow by hand. The random
ones are new in every run. An answer worked out by hand is one case.
"""

HEAD = """
| exercise | points | cases: fixed + random | wrong ones rejected | of them named | right ones accepted |
|---|---:|---:|---:|---:|---:|
"""


def _row(proof):
    """One line of the table. What does not hold is not counted, so that the tests see it."""
    verdicts = [proof.verdict(label) for label in proof.all_wrong]
    rejected = [verdict for verdict in verdicts if not verdict.passed]
    accepted = sum(proof.verdict(label, right=True).passed for label in proof.right)
    fixed, random = proof.cases
    return (
        f"{proof.name}, {proof.exercise.title}",
        f"{proof.exercise.points:g}",
        f"{fixed} + {random}" if random else "1",
        len(rejected),
        sum(verdict.misconception is not None for verdict in rejected),
        accepted,
    )


MUTATION = """
## Small changes to the model answers

The tests also change the model answers of the solutions, in one place at a time (`make mutants`): another operator, a number one
larger or smaller, an argument left out, the width for the height. The check must notice every change that makes the answer wrong. What it
does not notice is right all the same, for the reason given below the table.

| exercise | changes | noticed | right all the same |
|---|---:|---:|---:|
"""


def _table(rows):
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows)


def text():
    """The whole page."""
    rows = [_row(proof) for proof in all_proofs().values()]
    sums = [f"**{sum(row[column] for row in rows)}**" for column in (3, 4, 5)]
    tried, alive = mutants.run()
    survivors = Counter(mutant.name for mutant in alive)
    changes = [(name, count, count - survivors[name], survivors[name]) for name, count in tried.items()]
    changes.append(("**all**", *(f"**{sum(column)}**" for column in zip(*(row[1:] for row in changes), strict=True))))
    reasons = [f"- `{m.name}` with `{m.after}`: {mutants.EQUIVALENT.get(m.change, 'no reason is known')}\n" for m in alive]
    return (
        INTRODUCTION
        + HEAD
        + _table([*rows, (f"**{len(rows)} exercises**", "", "", *sums)])
        + MUTATION
        + _table(changes)
        + "\n"
        + "".join(reasons)
    )
