"""Answers judged out of the student's reach: values on the wire, the two ends of it, and what a lesson gives to its tests."""

import ast
import contextlib
import json
import socket
import struct
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder import execution
from autograder.jailed import checker, servant, wire

# ------------------------------------------------------------------------------------------------ values on the wire

NUMBERS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=50), st.complex_numbers(allow_nan=False)
)
SEEDS = st.integers(0, 2**128)
PLAIN = st.one_of(NUMBERS, st.fractions(), st.decimals(allow_nan=False), st.binary(max_size=50), st.just(...))
NESTED = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
ARRAYS = hnp.arrays(
    st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="?"), hnp.floating_dtypes(endianness="?"), hnp.complex_number_dtypes()),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)
KINDS = [name[1:] for name in vars(wire._Unpacker) if name[0] == "_" and name[1] != "_"] + ["value", "count"]


def over(value):
    """A value after its way through JSON."""
    return wire.unpack(json.loads(json.dumps(wire.pack(value), allow_nan=False)))


@given(NESTED)
def test_plain_values_arrive_as_they_were(value):
    assert over(value) == value
    assert type(over(value)) is type(value)


@given(ARRAYS)
def test_arrays_arrive_with_their_type_shape_and_numbers(array):
    got = over(array)
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tobytes() == array.tobytes()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float32(0.5), np.int8(-3), np.bool_(True)], ids=str)
def test_special_numbers_arrive(value):
    np.testing.assert_equal(over(value), value)
    assert type(over(value)) is type(value)


def test_the_way_an_array_lies_in_memory_arrives():
    whole = np.arange(24.0).reshape(4, 6)
    assert over(np.asfortranarray(whole)).flags.f_contiguous
    assert not over(whole[:, ::2]).flags.contiguous
    assert over(whole).flags.writeable
    locked = whole.copy()
    locked.flags.writeable = False
    assert not over(locked).flags.writeable
    for array in (np.asfortranarray(whole), whole[:, ::2], whole.T, locked):
        np.testing.assert_array_equal(over(array), array)


def test_arrays_of_objects_and_texts_arrive():
    mixed = np.array([Fraction(1, 3), 2, Decimal("0.5"), None], dtype=object)
    assert over(mixed).tolist() == mixed.tolist()
    assert over(np.array([["a", "b"]])).tolist() == [["a", "b"]]


@pytest.mark.parametrize("tensor", [torch.arange(6).reshape(2, 3), torch.ones(2, 1, requires_grad=True), torch.tensor(True)], ids=str)
def test_tensors_arrive(tensor):
    got = over(tensor)
    assert torch.equal(got, tensor)
    assert (got.dtype, got.requires_grad) == (tensor.dtype, tensor.requires_grad)


def test_what_has_no_form_of_its_own_is_refused_unless_a_handle_stands_for_it():
    with pytest.raises(wire.WireError, match="a object cannot be handed over"):
        wire.pack(object())
    assert wire.pack([object()], lambda value: ["kept", 1]) == ["list", [["kept", 1]]]


class Array(np.ndarray):
    """An array that lies about itself."""

    def __eq__(self, other):
        return np.ones(np.shape(other), bool)

    __array_ufunc__ = None


def test_of_a_subclass_only_the_numbers_arrive():
    got = over(np.arange(3.0).view(Array))
    assert type(got) is np.ndarray
    assert got.tolist() == [0, 1, 2]


@given(ANYTHING)
def test_nonsense_is_refused_with_one_kind_of_error(form):
    with contextlib.suppress(wire.WireError):
        wire.unpack(form)


@given(st.sampled_from(KINDS), st.lists(ANYTHING, max_size=5))
def test_nonsense_that_names_a_kind_is_refused_with_one_kind_of_error(kind, rest):
    with contextlib.suppress(wire.WireError):
        wire.unpack([kind, *rest])


def deep(depth):
    form = 1
    for _ in range(depth):
        form = ["list", [form]]
    return form


@pytest.mark.parametrize(
    "form",
    [
        ["array", "<f8", [1 << 39, 1 << 39], "C", True, ""],
        ["array", "<f8", [2], "C", True, "AAAAAAAAAAA="],
        ["array", "<f8", [-1], "C", True, "AAAAAAAAAAA="],
        ["array", "<f8", [True], "C", True, "AAAAAAAAAAA="],
        ["array", "O", [1], "C", True, "AAAAAAAAAAA="],
        ["array", "<f8,<f8", [1], "C", True, "AAAAAAAAAAAAAAAAAAAAAA=="],
        ["array", "<f8", [1], "C", True, "????????????"],
        ["int", "f" * 5000],
        ["float", "0x" + "f" * 5000],
        ["decimal", "1" * 5000],
        ["decimal", "1e999999999"],
        ["decimal", "-1e-999999999"],
        ["fraction", "1e999999999"],
        ["fraction", "1/0"],
        ["handle", 1],
        ["_flat", 1],
        ["value", 1],
        1 << 60,
        deep(100),
        deep(100_000),
    ],
    ids=lambda form: str(form)[:40] if not isinstance(form, list) or form[0] != "list" else "nested",
)
def test_impossible_values_are_refused(form):
    with pytest.raises(wire.WireError):
        wire.unpack(form)


def test_a_frame_that_is_too_large_is_refused_before_it_is_read():
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">Q", 1 << 62))
    with pytest.raises(wire.WireError, match="more than 96 MB"):
        wire.receive(ours)


@pytest.mark.parametrize("data", [b"[1]", b"{", b"\xff\xfe", b"[" * 100_000, b"1"])
def test_a_frame_that_is_no_message_is_refused(data):
    ours, theirs = socket.socketpair()
    theirs.sendall(struct.pack(">Q", len(data)) + data)
    with pytest.raises(wire.WireError):
        wire.receive(ours)


@pytest.mark.parametrize("data", [b"", b"\0\0", struct.pack(">Q", 9) + b"{}"])
def test_a_frame_that_ends_early_is_no_message(data):
    ours, theirs = socket.socketpair()
    theirs.sendall(data)
    theirs.close()
    assert wire.receive(ours) is None


# ------------------------------------------------------------------------------------------------ the two ends


@pytest.fixture
def student(tmp_path):
    """From a student's variables to a session with them."""
    sessions = []

    def start(**names):
        path = tmp_path / str(len(sessions))
        listener = checker._listen(path)
        sessions.append(checker.Session(listener))
        threading.Thread(target=servant.serve, args=(str(path), names), daemon=True).start()
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def test_a_function_is_called_by_value(student):
    conv = student(conv=lambda x, k=2: x * k).get("conv")
    np.testing.assert_array_equal(conv(np.arange(3), k=4), [0, 4, 8])


def test_a_function_shows_its_name_and_signature(student):
    import inspect

    def conv2d(image, kernel, *, padding=0):
        pass

    got = student(conv2d=conv2d).get("conv2d")
    assert got.__name__ == "conv2d"
    assert str(inspect.signature(got)) == "(image, kernel, *, padding=0)"
    assert type(got).__name__ == "function"


def test_an_exception_arrives_by_name_and_message(student):
    def fails(x):
        return x[5]

    with pytest.raises(IndexError, match="out of bounds") as caught:
        student(fails=fails).get("fails")(np.arange(2))
    assert caught.value.student_line[1] == "return x[5]"


def test_an_exception_of_ones_own_arrives_by_name(student):
    class MyMistake(ValueError):
        pass

    def fails():
        raise MyMistake("oh")

    with pytest.raises(Exception, match="oh") as caught:
        student(fails=fails).get("fails")()
    assert type(caught.value).__name__ == "MyMistake"


def test_a_changed_argument_is_changed_here_too(student):
    def clear(x):
        x[:] = 0
        return 1

    x = np.arange(4.0)
    student(clear=clear).get("clear")(x)
    assert x.tolist() == [0, 0, 0, 0]


def test_an_unchanged_argument_is_left_alone(student):
    x = np.arange(4.0)
    student(total=np.sum).get("total")(x)
    assert x.tolist() == [0, 1, 2, 3]


def test_a_read_only_argument_is_read_only_there(student):
    def clear(x):
        x[:] = 0

    x = np.arange(4.0)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        student(clear=clear).get("clear")(x)


def test_a_torch_module_computes_there_and_shows_its_parameters_here(student):
    layer = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)).eval()
    got = student(layer=layer).get("layer")
    assert [name for name, _ in got.named_parameters()] == [name for name, _ in layer.named_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(got.parameters(), layer.parameters(), strict=True))
    x = torch.rand(1, 1, 5, 5)
    assert torch.allclose(got.eval()(x), layer(x))


def test_a_single_layer_has_its_weight_by_name(student):
    layer = torch.nn.Conv2d(1, 1, 3, bias=False)
    got = student(layer=layer).get("layer")
    assert torch.equal(got.weight, layer.weight)
    assert getattr(got, "bias", None) is None
    assert type(got).__name__ == "Conv2d"


def test_training_or_not_is_asked_for_with_each_call(student):
    layer = torch.nn.Dropout(0.999)
    got = student(layer=layer).get("layer")
    x = torch.ones(1000)
    assert torch.equal(got.eval()(x), x)
    assert not torch.equal(got.train()(x), x)


def step(model, optimizer, images, labels):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def test_a_step_of_training_there_trains_the_model_here(student):
    def problem():
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), torch.rand(4, 3), torch.tensor([0, 1, 1, 0])

    there, here = problem(), problem()
    remote = student(step=step).get("step")
    for _ in range(3):
        assert remote(*there) == pytest.approx(step(*here))
    assert all(torch.allclose(a, b) for a, b in zip(there[0].parameters(), here[0].parameters(), strict=True))
    assert torch.allclose(there[0].weight.grad, here[0].weight.grad)


def test_gradients_that_pile_up_there_pile_up_here(student):
    def piles(model, x):
        model(x).sum().backward()

    model, x = torch.nn.Linear(2, 1), torch.ones(1, 2)
    remote = student(piles=piles).get("piles")
    remote(model, x)
    remote(model, x)
    assert model.weight.grad.tolist() == [[2.0, 2.0]]


def test_an_object_shows_its_type_and_public_attributes(student):
    class Box:
        width = 3

        def twice(self, x):
            return 2 * x

    box = student(box=Box()).get("box")
    assert type(box).__name__ == "Box"
    assert box.width == 3
    assert box.twice(4) == 8
    assert not hasattr(box, "height")


def test_a_variable_that_is_not_there_is_a_key_error(student):
    with pytest.raises(KeyError):
        student().get("nothing")


def test_what_a_function_prints_is_counted(student, capsys):
    student(say=lambda: print("hello")).get("say")()
    assert len(capsys.readouterr().out) == 6


def test_a_kernel_that_stops_ends_the_check(tmp_path):
    listener = checker._listen(tmp_path / "s")
    session = checker.Session(listener)
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(tmp_path / "s"))
    other.close()
    with pytest.raises(checker.StudentGone, match="stopped before"):
        session.get("x")


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1, "value": ["callable", "x"]},
        {"id": 1, "value": ["module", 0, "M", True, [["a" * 999, 1, True]], []]},
        {"id": 1, "value": [[]]},
    ],
    ids=str,
)
def test_a_malformed_answer_is_the_students_error(tmp_path, answer):
    session = checker.Session(checker._listen(tmp_path / "s"))
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(tmp_path / "s"))
    wire.send(other, answer)
    with pytest.raises(checker.StudentError):
        session.get("x")


def test_answers_to_other_requests_are_passed_over(tmp_path):
    session = checker.Session(checker._listen(tmp_path / "s"))
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(tmp_path / "s"))
    for number in (7, "1", None, 1):
        wire.send(other, {"id": number, "value": number == 1})
    assert session.get("x") is True


# ------------------------------------------------------------------------------------------------ what a lesson gives to its tests


def test_imports_functions_and_values_of_the_lesson_are_its_own():
    given = [
        "import numpy as np\nfrom math import pi\nx = np.arange(3)",
        "%matplotlib inline\ndef close(a, b):\n    return abs(a - b) < tolerance",
    ]
    found = checker.definitions([*given, "tolerance = 0.1"], ["def area(r):\n    raise NotImplementedError"])
    assert set(found) == {"np", "pi", "x", "close", "tolerance"}


def test_what_has_a_name_in_an_answer_is_the_students():
    assert not checker.definitions(["from course_lib import conv2d\nanswer = 3"], ["def conv2d(image, kernel):\n    ...", "answer = ..."])


def test_a_value_that_follows_from_an_answer_is_the_students():
    assert set(checker.definitions(["y = conv2d(1)\nz = y"], ["def conv2d(x):\n    ..."])) == set()


class Student:
    """A session of a student who overrides everything."""

    def get(self, name):
        if name == "nothing":
            raise KeyError(name)
        return lambda *args, **kwargs: "the student's"


def run(source, *given, answers=()):
    return checker._run(source, checker.Names(checker.definitions(list(given), list(answers)), Student()))


def test_a_test_cell_takes_the_lessons_name_before_the_students():
    assert run("close(1, 1)", "def close(a, b):\n    return a == b and limit", "limit = 5") == 5


def test_a_test_cell_takes_builtins_before_the_students():
    assert run("len([1, 2]) + max(3, 4)") == 6


def test_a_test_cell_takes_all_else_from_the_student():
    assert run("conv2d(1)", "def conv2d(x):\n    return 'given'", answers=["conv2d = ..."]) == "the student's"


def test_functions_of_the_lesson_call_the_students():
    assert run("twice(1)", "def twice(x):\n    return conv2d(x), conv2d(x)") == ("the student's", "the student's")


def test_a_missing_name_is_a_name_error():
    with pytest.raises(NameError, match="nothing"):
        run("nothing + 1")


def test_definitions_are_statements():
    assert all(isinstance(node, ast.stmt) for node in checker.definitions(["import os, sys"], []).values())


def test_no_heartbeat_is_waited_for():
    client = execution.Client(hb_port=9)
    client.hb_channel.start()
    assert not client.hb_channel.is_alive()


# ------------------------------------------------------------------------------------------------ where random cases start


@given(SEEDS, st.text(max_size=20), st.text(max_size=20))
def test_the_seed_of_a_test_is_its_own_and_one_that_torch_takes(seed, one, other):
    found = execution.seed_of(seed, one)
    assert found == execution.seed_of(seed, one)
    assert (found == execution.seed_of(seed, other)) == (one == other)
    torch.Generator().manual_seed(found)
