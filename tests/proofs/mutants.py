"""Mutation testing of the checks: change the model answers in one place at a time and see whether `check` notices. `make mutants`.

The model answers come from the solutions as they are now. The changes are mutmut's own and a few more that suit loops over images.
A change that `check` does not notice must be listed in `EQUIVALENT` with the reason why it is right all the same.
"""

import contextlib
import difflib
import functools
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

import libcst
import nbformat
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

from course_lib.checks import EXERCISES, CodeExercise, check

from . import SEED

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
SECONDS = 3  # for all the calls of one mutant; a right answer takes milliseconds

ARITHMETIC = (libcst.Add, libcst.Subtract, libcst.Multiply, libcst.Divide, libcst.FloorDivide, libcst.Modulo, libcst.Power)
TWINS = (
    ("height", "width"),
    ("kernel_height", "kernel_width"),
    ("rows", "columns"),
    ("row", "column"),
    ("i", "j"),
    ("n", "o"),
    ("images", "filters"),
    ("reach_down", "reach_across"),
    ("in_channels", "out_channels"),
    ("image", "kernel"),
    ("padding", "stride"),
    ("dilation", "stride"),
)


def other_arithmetic(node):
    """Every other arithmetic operator in place of this one."""
    for operator in ARITHMETIC:
        if isinstance(node.operator, ARITHMETIC) and not isinstance(node.operator, operator):
            yield node.with_changes(operator=operator())


def one_less(node):
    value = node.evaluated_value - 1
    yield libcst.Integer(str(value)) if value >= 0 else libcst.UnaryOperation(libcst.Minus(), libcst.Integer(str(-value)))


def twin(node):
    """The name that is most easily typed instead of this one, such as the width for the height."""
    for pair in TWINS:
        if node.value in pair:
            yield node.with_changes(value=pair[1 - pair.index(node.value)])


NO_DTYPE = "To NumPy, no dtype means float."
TO_FLOAT = "image = image.astype(float)", "image = image.astype(None)"
PADDED_TO_FLOAT = "image = np.pad(image, padding).astype(float)", "image = np.pad(image, padding).astype(None)"
BATCH_TO_FLOAT = tuple(
    f"x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding))).astype({dtype})" for dtype in ("float", "None")
)
PARAMETERS_OF_A_FILTER = "weights_of_a_filter = in_channels // groups * kernel_height * kernel_width"
COPIES = "above, below = kernel.astype(float), kernel.astype(float)"
TAP = "y = y + np.tensordot(w[:, :, m, n] * 1.0, x[:, :, down, across], axes=(1, 1))"
GRADIENTS = "d_x, d_w = np.zeros(x.shape, d_out.dtype), np.zeros(w.shape, d_out.dtype)"
ONE_FILTER = "layer = nn.Conv2d(1, 1, kernel.shape, padding=padding, bias=False)"
FILTERS = "layer = nn.Conv2d(1, len(kernels), kernels.shape[1:], padding=padding, bias=False)"
DIVIDES = "The groups divide the channels, so both divisions give the same number; a float without decimals counts as whole."
NONE_IS_FALSE = "None is as false as False."
WIDER = "A wider type gives the same numbers, only slower."
TO_FLOATS = "It only turns whole numbers into floats."
EQUIVALENT = {  # (exercise, line before, line after): why the answer is right all the same
    ("conv2d", *TO_FLOAT): NO_DTYPE,
    ("conv2d_strided", *PADDED_TO_FLOAT): NO_DTYPE,
    ("conv_layer", *BATCH_TO_FLOAT): NO_DTYPE,
    ("conv2d_dilated", *TO_FLOAT): NO_DTYPE,
    ("conv_parameters", PARAMETERS_OF_A_FILTER, PARAMETERS_OF_A_FILTER.replace("//", "/")): DIVIDES,
    ("load_kernel", ONE_FILTER, ONE_FILTER.replace("False", "None")): NONE_IS_FALSE,
    ("feature_maps", FILTERS, FILTERS.replace("False", "None")): NONE_IS_FALSE,
    (
        "feature_maps",
        "return layer(x)[0].detach().numpy()",
        "return layer(x)[-1].detach().numpy()",
    ): "There is one image: the first is the last.",
    (
        "agrees",
        "return bool((np.abs(a - b) <= limit).all())",
        "return bool((np.abs(a - b) < limit).all())",
    ): "Exactly on the limit, rounding decides.",
    (
        "equivariance_error",
        "should = y[:, : height - down, : width - right].astype(float)",
        "should = y[:, : height - down, : width - right].astype(None)",
    ): NO_DTYPE,
    ("equivariance_error", "found = y_moved[:, down:, right:].astype(float)", "found = y_moved[:, down:, right:].astype(None)"): NO_DTYPE,
    ("conv_macs", PARAMETERS_OF_A_FILTER, PARAMETERS_OF_A_FILTER.replace("//", "/")): DIVIDES,
    (
        "most_confused",
        "np.fill_diagonal(mistakes, 0)",
        "np.fill_diagonal(mistakes, -1)",
    ): "Counts are never negative, and 0 mistakes never win.",
    (
        "restored",
        "rows = shuffled.reshape(len(shuffled), -1)",
        "rows = shuffled.reshape(len(shuffled), -2)",
    ): 'NumPy takes any negative size as "the rest".',
    (
        "numeric_d_kernel",
        "step: float = 1e-5,",
        "step: float = 1.00001,",
    ): "The loss is quadratic: a central difference is exact for every step.",
    ("numeric_d_kernel", COPIES, "above, below = kernel.astype(None), kernel.astype(float)"): NO_DTYPE,
    ("numeric_d_kernel", COPIES, "above, below = kernel.astype(float), kernel.astype(None)"): NO_DTYPE,
    ("conv_forward", TAP, TAP.replace("* 1.0", "/ 1.0")): TO_FLOATS,
    ("conv_forward", TAP, TAP.replace("* 1.0", "** 1.0")): TO_FLOATS,
    **{
        ("conv_layer_backward", GRADIENTS, GRADIENTS.replace(f"{array}.shape, d_out.dtype", f"{array}.shape, {dtype}")): WIDER
        for array in "xw"
        for dtype in ("None", "")
    },
}

OPERATORS = [
    *mutation_operators,
    (libcst.BinaryOperation, other_arithmetic),
    (libcst.Integer, one_less),
    (libcst.Name, twin),
]


@dataclass(frozen=True)
class Mutant:
    """A model answer with one change: the line before and after, and the changed function, compiled."""

    name: str
    before: str
    after: str
    code: CodeType

    @property
    def change(self):
        return self.name, self.before, self.after


@functools.cache
def model_answers():
    """The functions that the solutions hand to `check`: exercise's name -> (source, lesson), in the order of the lessons."""
    found = {}
    for path in sorted(SOLUTIONS.glob("*/*.ipynb")):
        cells = _code(path)
        definitions = {match[1]: source for source in cells if (match := re.match(r"def (\w+)\(", source))}
        for source in cells:
            call = re.fullmatch(r'check\("(.+?)", (\w+)\)', source.strip())
            if call and isinstance(EXERCISES.get(call[1]), CodeExercise) and call[1] == call[2]:
                answer = re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", definitions[call[2]], flags=re.MULTILINE)
                found[call[1]] = answer, path.stem
    return found


def _code(path):
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def namespaces():
    """What the model answers of each lesson find around them: its first cell, which imports, and each other."""
    found = {}
    for source, lesson in model_answers().values():
        if lesson not in found:
            found[lesson] = {"__name__": lesson}
            exec(_code(SOLUTIONS / lesson / f"{lesson}.ipynb")[0], found[lesson])
        exec(source, found[lesson])
    return found


def mutants(name, source):
    """A model answer with every change, each once; what is no Python any more is left out."""
    visitor = MutationVisitor(OPERATORS, IgnoredCode(set(), set(), set()))
    module = libcst.MetadataWrapper(libcst.parse_module(source)).visit(visitor)
    seen = set()
    for mutation in visitor.mutations:
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node).code
        if changed in seen:
            continue
        seen.add(changed)
        lines = [line for line in difflib.ndiff(source.splitlines(), changed.splitlines()) if line.startswith(("-", "+"))]
        before, after = (" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
        with contextlib.suppress(SyntaxError):
            yield Mutant(name, before, after, compile(changed, "mutant", "exec"))


def survives(mutant, namespace):
    """Does the check of the mutant's own exercise call it right? The namespace holds the other model answers."""
    namespace = dict(namespace)
    exec(mutant.code, namespace)
    return check(mutant.name, namespace[mutant.name], seed=SEED).passed


@functools.cache
def run(only=()):
    """Try every mutant, or those of some exercises: (how many there are by exercise, those that survive)."""
    from course_lib.checks import exercise

    around = namespaces()
    usual, exercise.TIME_LIMIT = exercise.TIME_LIMIT, SECONDS
    try:
        every = [
            (mutant, around[lesson])
            for name, (source, lesson) in model_answers().items()
            if not only or name in only
            for mutant in mutants(name, source)
        ]
        return Counter(mutant.name for mutant, _ in every), [mutant for mutant, namespace in every if survives(mutant, namespace)]
    finally:
        exercise.TIME_LIMIT = usual


if __name__ == "__main__":
    tried, alive = run(tuple(sys.argv[1:]))
    for mutant in alive:
        reason = EQUIVALENT.get(mutant.change)
        print(f"{mutant.name} passes with\n    {mutant.after}\ninstead of\n    {mutant.before}\n    {reason or 'NOT LISTED'}\n")
    missed = [mutant for mutant in alive if mutant.change not in EQUIVALENT]
    noticed, excused = tried.total() - len(alive), len(alive) - len(missed)
    print(f"{tried.total()} changes tried: {noticed} noticed, {excused} right all the same, {len(missed)} missed")
    raise SystemExit(bool(missed))
