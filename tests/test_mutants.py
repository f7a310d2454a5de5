"""Mutation testing: a model answer changed in one place is noticed by its check, unless the change is right. See `proofs/mutants.py`."""

from proofs import mutants

from course_lib.checks import EXERCISES, CodeExercise


def test_every_model_answer_is_mutated():
    assert sorted(mutants.model_answers()) == sorted(name for name, exercise in EXERCISES.items() if isinstance(exercise, CodeExercise))


def test_no_change_of_a_model_answer_goes_unnoticed_unless_it_is_right():
    _, alive = mutants.run()
    assert {mutant.change for mutant in alive} == set(mutants.EQUIVALENT)
