"""The proof table holds: wrong answers are rejected and never called by a wrong name, right ones pass, whatever they look like."""

import pytest
from proofs import SEED, all_proofs

from course_lib.checks import check

PROOFS = all_proofs()


def entries(which):
    return [
        pytest.param(name, entry, id=f"{name}: {label}") for name, proof in PROOFS.items() for label, entry in getattr(proof, which).items()
    ]


@pytest.mark.parametrize(("name", "wrong"), entries("all_wrong"))
def test_a_wrong_answer_is_rejected_and_never_called_by_a_wrong_name(name, wrong):
    verdict = check(name, wrong.answer, seed=SEED)
    assert not verdict.passed
    assert verdict.score < 1
    assert verdict.misconception in wrong.names, str(verdict)


@pytest.mark.parametrize(("name", "right"), entries("right"))
def test_a_right_answer_passes_in_any_form(name, right):
    verdict = check(name, right, seed=SEED)
    assert verdict.passed, str(verdict)
    assert verdict.score == 1
