"""The proof table holds: wrong answers are rejected and never called by a wrong name, right ones pass, whatever they look like."""

import itertools

import pytest
from proofs import all_proofs, mutants, table

from course_lib.checks import EXERCISES, CodeExercise, DesignExercise, ModelExercise
from course_lib.checks.exercise import Sink, agree

PROOFS = all_proofs()
CODE = [name for name, exercise in EXERCISES.items() if isinstance(exercise, CodeExercise)]


def entries(which):
    return [pytest.param(name, label, id=f"{name}: {label}") for name, proof in PROOFS.items() for label in getattr(proof, which)]


@pytest.mark.parametrize(("name", "label"), entries("all_wrong"))
def test_a_wrong_answer_is_rejected_and_never_called_by_a_wrong_name(name, label):
    verdict = PROOFS[name].verdict(label)
    assert not verdict.passed
    assert verdict.score < 1
    assert verdict.misconception in PROOFS[name].all_wrong[label].names, str(verdict)


@pytest.mark.parametrize(("name", "label"), entries("right"))
def test_a_right_answer_passes_in_any_form(name, label):
    verdict = PROOFS[name].verdict(label, right=True)
    assert verdict.passed, str(verdict)
    assert verdict.score == 1


@pytest.mark.parametrize("name", CODE)
def test_the_fixed_core_cases_alone_tell_slips_apart(name):
    """While the core is wrong only its cases name a slip; slips that leave the core right show in the other cases."""
    exercise = EXERCISES[name]
    core = [case for case in exercise.cases if case.part == "core"]
    outcomes = {m.slug: [exercise.call(m.answer, case, Sink()) for case in core] for m in exercise.misconceptions}
    right = [exercise.call(exercise.reference, case, Sink()) for case in core]
    wrong = {slug: values for slug, values in outcomes.items() if not _alike(values, right, exercise)}
    twins = [pair for pair in itertools.combinations(wrong, 2) if _alike(wrong[pair[0]], wrong[pair[1]], exercise)]
    assert twins == []


def _alike(ones, others, exercise):
    return all(
        (one.value is None) == (other.value is None)
        and one.error == other.error
        and (one.value is None or agree(one.value, other.value, exercise.tolerance))
        for one, other in zip(ones, others, strict=True)
    )


def test_every_exercise_has_its_proof():
    assert PROOFS.keys() == EXERCISES.keys()


@pytest.mark.parametrize("proof", PROOFS.values(), ids=PROOFS)
def test_an_exercise_is_tried_on_enough_answers(proof):
    wrong, right = (20, 8) if proof.name in CODE else (5, 5)
    assert len(proof.all_wrong) >= wrong
    assert len(proof.right) >= right


@pytest.mark.parametrize(
    "proof",
    [proof for proof in PROOFS.values() if isinstance(proof.exercise, (DesignExercise, ModelExercise))],
    ids=lambda proof: proof.name,
)
def test_every_misconception_of_a_design_is_met(proof):
    met = {name for wrong in proof.wrong.values() for name in wrong.names}
    assert {misconception.slug for misconception in proof.exercise.misconceptions} <= met


def test_every_model_answer_is_mutated():
    assert sorted(mutants.model_answers()) == sorted(CODE)


@pytest.mark.slow
def test_no_change_of_a_model_answer_goes_unnoticed_unless_it_is_right():
    """Mutation testing: a model answer changed in one place is noticed by its check. See `proofs/mutants.py`."""
    _, alive = mutants.run()
    assert {mutant.change for mutant in alive} == set(mutants.EQUIVALENT)


@pytest.mark.slow  # the page counts the changes, too
def test_the_page_in_the_book_is_up_to_date():
    assert table.TARGET.read_text(encoding="utf-8") == table.text(), "run `make proofs`"
