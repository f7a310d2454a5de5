"""The checks: every named slip is rejected and named, and bad input gets a plain verdict. What they are tried on stands in proofs/."""

import decimal
import fractions
import itertools
import json
import math
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from course_lib.checks import EXERCISES, check, hint
from course_lib.checks.exercise import Case, CodeExercise, HandExercise, Misconception, ModelExercise, Property, Sink, agree
from course_lib.checks.verdict import CheckFailed

CODE = {name: exercise for name, exercise in EXERCISES.items() if isinstance(exercise, CodeExercise)}
HAND = {name: exercise for name, exercise in EXERCISES.items() if isinstance(exercise, HandExercise)}
SLIPS = [(name, slip) for name, exercise in {**CODE, **HAND}.items() for slip in exercise.misconceptions]


def slip_id(value):
    return getattr(value, "slug", value)


# ------------------------------------------------------------------------------------------------ every exercise


@pytest.mark.parametrize("name", CODE)
def test_the_reference_passes(name):
    assert check(name, CODE[name].reference).passed


@pytest.mark.parametrize("name", HAND)
def test_the_expected_answer_passes(name):
    assert check(name, HAND[name].expected).passed


@pytest.mark.parametrize("name", HAND)
def test_the_expected_answer_passes_as_plain_python(name):
    assert check(name, np.asarray(HAND[name].expected).tolist()).passed


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=slip_id)
def test_a_slip_is_rejected_and_named(name, slip):
    verdict = check(name, slip.answer, seed=5)
    assert not verdict.passed
    assert verdict.score < 1
    assert verdict.misconception == slip.slug


@pytest.mark.parametrize("name", CODE)
def test_fixed_cases_alone_tell_all_slips_apart(name):
    """Two slips that are both wrong in the core must differ there, because then only the core counts for the name."""
    exercise = CODE[name]
    core = [case.part == "core" for case in exercise.cases]
    outcomes = {m.slug: [exercise.call(m.answer, case, Sink()) for case in exercise.cases] for m in exercise.misconceptions}
    outcomes["right"] = right = [exercise.call(exercise.reference, case, Sink()) for case in exercise.cases]

    def differ(ones, others):
        return [
            (one.value is None) != (other.value is None)
            or one.error != other.error
            or (one.value is not None and not agree(one.value, other.value, exercise.tolerance))
            for one, other in zip(ones, others, strict=True)
        ]

    def wrong_in_core(ones):
        return any(itertools.compress(differ(ones, right), core))

    for (first, ones), (second, others) in itertools.combinations(outcomes.items(), 2):
        counting = core if wrong_in_core(ones) and wrong_in_core(others) else [True] * len(core)
        assert any(itertools.compress(differ(ones, others), counting)), f"{name}: the cases cannot tell {first} from {second}"


@pytest.mark.parametrize("name", HAND)
def test_hand_slips_have_values_of_their_own(name):
    exercise = HAND[name]
    values = {m.slug: np.asarray(m.answer, dtype=float) for m in exercise.misconceptions} | {"right": np.asarray(exercise.expected, float)}
    for (first, one), (second, other) in itertools.combinations(values.items(), 2):
        assert not (one.shape == other.shape and agree(one, other, 1e-9)), f"{name}: {first} and {second} are the same answer"


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=lambda exercise: exercise.name)
def test_three_to_five_hints_and_no_slug_twice(exercise):
    assert 3 <= len(exercise.hints) <= 5
    slugs = [m.slug for m in exercise.misconceptions]
    assert len(slugs) == len(set(slugs))


@pytest.mark.parametrize("name", CODE)
def test_parts_add_up_and_are_used(name):
    exercise = CODE[name]
    assert math.isclose(sum(exercise.parts.values()), 1)
    assert {case.part for case in exercise.cases} == set(exercise.parts)


@pytest.mark.parametrize("name", CODE)
@pytest.mark.parametrize(
    "wrong",
    [lambda *a, **k: 0, lambda *a, **k: np.zeros((2, 2)), lambda *a, **k: np.eye(3) / 7, lambda *a, **k: a[0]],
)
def test_nonsense_scores_nothing(name, wrong):
    verdict = check(name, wrong)
    assert (verdict.passed, verdict.score) == (False, 0)


# ------------------------------------------------------------------------------------------------ what the verdict says


def by_pure_python(image, kernel):
    image, kernel = np.asarray(image).tolist(), np.asarray(kernel).tolist()
    rows, columns = len(image) - len(kernel) + 1, len(image[0]) - len(kernel[0]) + 1
    taps = list(itertools.product(range(len(kernel)), range(len(kernel[0]))))
    return [[sum(image[i + m][j + n] * kernel[m][n] for m, n in taps) for j in range(columns)] for i in range(rows)]


def flipped(image, kernel):
    return by_pure_python(image, np.asarray(kernel)[::-1, ::-1])


def test_a_flipped_kernel_is_named_with_its_window_and_products():
    verdict = check("conv2d", flipped)
    working = verdict.failure.working
    assert verdict.misconception == "flipped-kernel"
    assert working.total == pytest.approx(verdict.failure.expected[verdict.failure.index])
    assert "upside down" in str(verdict)
    assert "<table" in verdict._repr_html_()


def test_a_slip_is_named_although_bytes_overflow_as_well():
    def conv2d(image, kernel):  # as most would type it: nothing is converted to float
        rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
        output = np.zeros((rows, columns))
        for i in range(rows):
            for j in range(columns):
                output[i, j] = np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel[::-1, ::-1])
        return output

    verdict = check("conv2d", conv2d)
    assert (verdict.misconception, verdict.score) == ("flipped-kernel", 0)


def test_overflow_keeps_the_share_of_the_other_cases():
    verdict = check(
        "conv2d", lambda image, kernel: np.einsum("ijmn,mn->ij", np.lib.stride_tricks.sliding_window_view(image, kernel.shape), kernel)
    )
    assert 0 < verdict.score < 1
    assert verdict.earned == pytest.approx(4)


def test_an_answer_not_begun_says_so():
    def conv2d(image, kernel):
        raise NotImplementedError

    for name, answer in (("conv2d", conv2d), ("conv2d", ...), ("4.1", ...), ("4.1", None), ("4.1", [[..., 1], [2, 3]])):
        verdict = check(name, answer)
        assert "not done yet" in verdict.message
        assert verdict.score == 0


def test_changing_the_callers_array_is_wrong():
    def conv2d(image, kernel):
        right = by_pure_python(image, kernel)
        image *= 1 if image.dtype.kind in "iu" else 2
        return right

    verdict = check("conv2d", conv2d)
    assert not verdict.passed
    assert verdict.misconception == "changes-argument"


def test_printing_instead_of_returning_is_told(capsys):
    verdict = check("conv2d", lambda image, kernel: print(by_pure_python(image, kernel)))
    assert verdict.misconception == "no-return"
    assert "print" in str(verdict)
    assert capsys.readouterr().out == ""


def test_the_students_own_line_is_shown_and_no_line_of_the_library():
    def conv2d(image, kernel):
        return image.shape[7]

    text = str(check("conv2d", conv2d))
    assert "IndexError" in text
    assert "image.shape[7]" in text
    assert "exercise.py" not in text


def test_warnings_and_prints_of_a_right_answer_do_not_show(capsys):
    def conv2d(image, kernel):
        print("working...")
        np.log(np.zeros(1))
        print("careful", file=sys.stderr)
        return by_pure_python(image, kernel)

    assert check("conv2d", conv2d).passed
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_an_endless_loop_ends(monkeypatch):
    monkeypatch.setattr("course_lib.checks.exercise.TIME_LIMIT", 0.3)

    def conv2d(image, kernel):
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass

    verdict = check("conv2d", conv2d)
    assert verdict.misconception == "endless-loop"


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("conv2", None, "Did you mean 'conv2d'"),
        ("4.l", None, "'4.1'"),
        ("conv2d", 3, "Expected a function"),
        ("conv2d", lambda image: image, "callable as conv2d(image, kernel)"),
        ("conv2d", lambda image, kernel: "5", "got a str"),
        ("conv2d", lambda image, kernel: (x for x in image), "got a generator"),
        ("conv2d", lambda image, kernel: [[1], [2, 3]], "same length"),
        ("conv2d", lambda image, kernel: np.array([[object()]]), "of objects"),
        ("conv2d", lambda image, kernel: np.full((2, 2), np.nan), "NaN"),
        ("conv2d", lambda image, kernel: np.fft.fft2(image), "complex"),
        ("conv2d", lambda image, kernel: np.broadcast_to(1.0, (20000, 20000)), "far larger"),
        ("conv2d", lambda image, kernel: sys.exit(), "SystemExit"),
        ("4.1", [[1, 2, 3]], "1 x 3 numbers: not this many rows and columns"),
        ("4.1", [[1], [2, 3]], "same length"),
        ("4.1", "-3", "got a str"),
        ("4.1", [["1", "2"], ["3", "4"]], "leave out the quotes"),
        ("4.1", [1, 2], "should be a list of rows"),
        ("4.2A", [1], "One number, please"),
        ("4.1", lambda: 3, "got a function"),
    ],
)
def test_bad_input_gets_a_clear_verdict(name, answer, words):
    verdict = check(name, answer)
    assert (verdict.passed, verdict.score) == (False, 0)
    assert words in str(verdict)


def test_the_same_seed_gives_the_same_random_cases():
    def wrong_when_random(image, kernel):
        right = np.asarray(by_pure_python(image, kernel), float)
        known = any(np.array_equal(image, case.args[0]) for case in CODE["conv2d"].cases)
        return right if known else right + 1

    first, second = (check("conv2d", wrong_when_random, seed=11) for _ in range(2))
    assert first.failure.seed == 11
    assert str(first) == str(second)
    assert "seed=11" in str(first)


def test_a_secret_seed_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("COURSE_CHECK_SEED", "77")
    wrong = check("conv2d", lambda image, kernel: np.asarray(by_pure_python(image, kernel)) + (0 if image.shape[0] > 2 else 1e-2))
    again = check("conv2d", lambda image, kernel: np.asarray(by_pure_python(image, kernel)) + (0 if image.shape[0] > 2 else 1e-2), seed=77)
    assert str(wrong) == str(again)


def test_hints_go_on_and_then_stay_at_the_last():
    count = len(EXERCISES["im2col"].hints)
    texts = [hint("im2col").text for _ in range(count + 1)]
    assert tuple(texts[:count]) == EXERCISES["im2col"].hints
    assert texts[-1] == EXERCISES["im2col"].hints[-1]
    assert "Did you mean 'im2col'" in str(hint("imcol"))


# ------------------------------------------------------------------------------------------------ in nbgrader


def mime_under(mode, answer):
    program = f"""
        import json
        from course_lib import check
        try:
            print(json.dumps(check("conv_parameters", {answer})._repr_mimebundle_()))
        except Exception as error:
            print(json.dumps({{"error": type(error).__name__, "lines": error._render_traceback_()}}))
    """
    environment = {"NBGRADER_EXECUTION": mode, "PATH": ""}
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


RIGHT_COUNT = "lambda c, o, h, w, bias=True, groups=1: o * (c // groups * h * w + bool(bias))"
NO_BIAS = "lambda c, o, h, w, bias=True, groups=1: o * (c // groups * h * w)"


def test_while_grading_the_plain_text_is_the_points_earned():
    assert float(mime_under("autograde", RIGHT_COUNT)["text/plain"]) == EXERCISES["conv_parameters"].points
    assert float(mime_under("autograde", NO_BIAS)["text/plain"]) == 0


def test_while_validating_a_failed_check_raises_a_clean_message():
    answer = mime_under("validate", NO_BIAS)
    assert answer["error"] == CheckFailed.__name__
    assert any("bias-forgotten" in line for line in answer["lines"])
    assert "text/plain" in mime_under("validate", RIGHT_COUNT)


def test_a_card_escapes_what_a_student_wrote():
    verdict = check("conv2d", lambda image, kernel: "<script>alert(1)</script>")
    assert "<script>" not in verdict._repr_html_()


def test_a_labelled_answer_earns_its_finished_parts():
    expected = np.asarray(HAND["4.3"].expected).tolist()
    verdict = check("4.3", [expected[0], ..., expected[2], expected[3] + 1])
    assert verdict.score == pytest.approx(0.5)
    assert "Not done yet" in verdict.message
    assert "Look again at" in verdict.message
    assert "not done yet" in check("4.3", [...] * len(expected)).message


def test_a_failing_random_case_is_shrunk():
    known = [case.args[0] for case in CODE["conv2d"].cases]

    def wrong_on_wide_kernels_of_its_own(image, kernel):
        right = np.asarray(by_pure_python(image, kernel), float)
        fixed = any(np.array_equal(image, one) for one in known)
        return right if fixed or kernel.shape[1] < 3 else right + 1

    verdict = check("conv2d", wrong_on_wide_kernels_of_its_own, seed=3)
    image, kernel = (value for _, value in verdict.failure.arguments)
    assert (image.shape, kernel.shape) == ((1, 3), (1, 3))
    assert not image.any()
    assert check("conv2d", wrong_on_wide_kernels_of_its_own, seed=3).failure.seed == 3


def test_names_are_taken_kindly():
    assert check(" 7.1 ", CODE["conv2d"].reference).passed
    assert hint("7.2").name == "conv2d_padded"
    assert "not done yet" in check("conv2d").message


def test_a_fraction_is_a_number():
    assert check("4.2B", fractions.Fraction(10, 9)).passed


# ------------------------------------------------------------------------------------------------ kinds of answers


def exercise(**settings):
    """A small exercise: the sum and the difference of two arrays."""
    cases = (Case((np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]]))), Case((np.array([[4.0], [1.0]]), np.array([[2.0], [7.0]]))))
    usual = {
        "name": "both",
        "title": "sum and difference",
        "points": 2,
        "hints": ("a", "b", "c"),
        "reference": lambda a, b: (a + b, a - b),
        "signature": "both(a, b)",
        "cases": cases,
        "random_case": lambda draw: Case((draw.integers(2, 2), draw.integers(2, 2))),
        "outputs": ("total", "difference"),
        "misconceptions": (Misconception("swapped-difference", "b minus a.", lambda a, b: (a + b, b - a)),),
    }
    return CodeExercise(**(usual | settings))


def test_several_values_may_come_in_any_form():
    assert exercise().judge(lambda a, b: [(a + b).tolist(), np.subtract(a, b)], seed=1).passed


def test_of_several_values_the_wrong_one_is_shown_and_named():
    verdict = exercise().judge(lambda a, b: (a + b, b - a), seed=1)
    assert verdict.misconception == "swapped-difference"
    assert "difference of both(a, b)" in str(verdict)
    assert "At index (0, 0): expected -2, got 2." in str(verdict)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b: a + b, "Expected 2 values, (total, difference), got a single ndarray"),
        (lambda a, b: (a, b, a), "got 3"),
        (lambda a, b: (a + b, None), "difference: It is None"),
        (lambda a, b: (a + b, "x"), "difference: Expected a number"),
        (lambda a, b: (a + b, (a - b).sum()), "Expected shape"),
        (lambda a, b: None, "Is there a `return`"),
    ],
)
def test_several_values_of_the_wrong_kind_are_told(answer, words):
    verdict = exercise().judge(answer, seed=1)
    assert (verdict.passed, verdict.score) == (False, 0)
    assert words in str(verdict)


def test_a_function_of_tensors_gets_tensors_and_may_not_change_them():
    adding = exercise(outputs=(), reference=lambda a, b: a + b, tensors=True, misconceptions=())
    seen = []
    assert adding.judge(lambda a, b: seen.append(a) or torch.add(a, b), seed=1).passed
    assert all(type(tensor) is torch.Tensor and tensor.dtype == torch.float32 for tensor in seen)
    verdict = adding.judge(lambda a, b: a.add_(b), seed=1)
    assert not verdict.passed
    assert verdict.misconception == "changes-argument"


def test_a_returned_object_is_judged_by_what_it_does():
    making = exercise(outputs=(), reference=lambda a, b: lambda x: x @ a.T + b.sum(), observe=lambda made, a, b: made(b), misconceptions=())
    assert making.judge(lambda a, b: lambda x: np.einsum("ij,kj->ik", x, a) + np.sum(b), seed=1).passed
    assert not making.judge(lambda a, b: lambda x: x @ a.T, seed=1).passed
    assert "'float' object is not callable" in str(making.judge(lambda a, b: 3.0, seed=1))


def test_two_different_exceptions_are_two_different_slips():
    wrong = Misconception("raises", "It raises.", lambda a, b: {}[0])
    raising = exercise(misconceptions=(wrong,))
    assert raising.judge(lambda a, b: {}["other"], seed=1).misconception == "raises"
    assert raising.judge(lambda a, b: [][0], seed=1).misconception is None


EVEN = ModelExercise(
    name="even",
    title="an even number that is large",
    points=4,
    hints=("a", "b", "c"),
    expects="an object with a `value`",
    accepts=lambda answer: hasattr(answer, "value") and not isinstance(answer, type),
    properties=(
        Property("even", 0.5, lambda answer: None if answer.value % 2 == 0 else f"{answer.value} is odd."),
        Property("large", 0.5, lambda answer: None if answer.value > 9 else f"{answer.value} is small."),
    ),
    misconceptions=(Misconception("negative", "Its sign is wrong.", lambda answer: answer.value < 0),),
)


def holding(value):
    return type("Holder", (), {"value": value})()


@pytest.mark.parametrize(
    ("answer", "score", "slug", "words"),
    [
        (holding(12), 1, None, "That is right."),
        (holding(2), 0.5, None, "large: 2 is small."),
        (holding(-2), 0.5, "negative", "Its sign is wrong."),
        (holding(13), 0, None, "even: 13 is odd."),
        (holding("x"), 0, None, "even: It raised TypeError"),
        (type(holding(1)), 0, None, "Pass the object itself, not the class"),
        (3, 0, None, "Expected an object with a `value`, got a int"),
        (..., 0, None, "not done yet"),
    ],
)
def test_an_object_is_judged_property_by_property(answer, score, slug, words):
    verdict = EVEN.judge(answer)
    assert (verdict.score, verdict.misconception) == (score, slug)
    assert words in str(verdict)


@pytest.mark.parametrize("kind", [int, fractions.Fraction, decimal.Decimal])
def test_objects_that_are_plain_numbers_count_as_numbers(kind):
    def conv2d(image, kernel):
        values = np.asarray(by_pure_python(image, kernel))
        objects = np.empty(values.shape, dtype=object)
        for index in np.ndindex(values.shape):
            value = values[index].item()
            objects[index] = kind(value) if kind is not int or value % 1 == 0 else value
        return objects

    assert check("conv2d", conv2d, seed=3).passed
