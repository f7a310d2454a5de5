"""Honest hand-ins in every style that students have: full points each, however unusual, and one slip costs one exercise only."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import hostile
import pytest
from hostile import BACKWARD, GENERIC, HANDS, KERNELS, PYTORCH, SCRATCH, TRAINING, course


@dataclass(frozen=True)
class Student:
    """A hand-in in which everything is right.

    `cells` holds the texts that differ from the model answers; `own` the student's own cells, each with the id of the cell before which
    it stands; `costs` by test cell what is earned all the same where something is not right; `shows` texts that an own cell must show.
    """

    slug: str
    lesson: str = SCRATCH
    cells: dict = field(default_factory=dict)
    own: tuple = ()
    costs: dict = field(default_factory=dict)
    shows: tuple = ()
    limits: dict = field(default_factory=dict)


THE_QUICK = """
model-answers warnings-and-stderr prints-when-called own-cells-that-fail magics helper-in-an-added-cell
names-rebound-later own-checks goes-on-after-an-own-check compares-with-the-library leaves-at-the-end slow-but-allowed
lambda partial object-that-is-called any-arguments decorators returns-lists returns-fractions returns-float32
returns-a-deque returns-a-list-of-ones-own returns-what-becomes-an-array hands-in-other-forms hands-as-a-namedtuple
kernels-by-the-lessons-conv2d pytorch-in-other-forms backward-in-other-forms generic-in-other-forms endless-cell
crash-in-one
"""
QUICK = THE_QUICK.split()  # in `make test`; the others are in `make test-slow`

CONV2D = """def conv2d(image, kernel):
    rows, columns = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    output = np.zeros((rows, columns))
    for i in range(rows):
        for j in range(columns):
            output[i, j] = (image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * 1.0 * kernel).sum()
    return {}
"""
SUM = "lambda image, kernel: np.einsum('ijmn,mn->ij', np.lib.stride_tricks.sliding_window_view(image * 1.0, kernel.shape), kernel)"


OWN_PADDED = {"ex-conv2d-padded": f"def conv2d_padded(image, kernel, padding=0):\n    return ({SUM})(np.pad(image, padding), kernel)"}


def conv2d(value="output", head="", tail=""):
    return {"ex-conv2d": head + CONV2D.format(value) + tail}


def by(text, name="ex-conv2d"):
    return {name: text}


STUDENTS = (
    Student("model-answers"),
    # ------------------------------------------------------------------------------------------ what cells put out
    Student(
        "warnings-and-stderr",
        cells=conv2d(
            head="""import logging, sys, warnings
warnings.warn('careful')
logging.warning('hm')
print('hm', file=sys.stderr)
"""
        ),
        own=(
            (
                "check-conv2d",
                """import warnings, numpy
warnings.warn('deprecated', DeprecationWarning)
np.array([1.0]) / 0""",
            ),
        ),
    ),
    Student("warns-when-called", cells=conv2d("(__import__('warnings').warn('slow'), np.log(np.zeros(1)), output)[2]")),
    Student("prints-when-called", cells=conv2d("(print('x' * 100_000), __import__('sys').stderr.write('y'), output)[2]")),
    Student("displays-when-called", cells=conv2d("(display(output), output)[1]")),
    Student(
        "prints-five-megabytes",
        own=(
            (
                "check-conv2d",
                """print('x' * 5_000_000)
print('\\u2764' * 10)""",
            ),
        ),
    ),
    Student(
        "plots",
        own=(
            (
                "check-conv2d",
                """import matplotlib.pyplot as plt
plt.imshow(conv2d(np.ones((9, 9)), np.ones((2, 2))))
plt.title('mine')
plt.show()""",
            ),
            ("ex-2-2", "figures.show_window_starts((7, 3, 1, 1))"),
        ),
        limits={"timeout": 20},
    ),
    Student(
        "own-cells-that-fail",
        own=(
            ("ex-conv2d", "conv2d(np.ones((3, 3)), np.ones((2, 2)))"),
            ("check-conv2d", "def broken(:"),
            ("ex-2-2", "raise ValueError('I try things')"),
            ("end", "assert False"),
        ),
    ),
    # ------------------------------------------------------------------------------------------ how cells are written
    Student(
        "magics",
        cells={
            **conv2d(head="%%time\n"),
            "ex-2-2": """%precision 3
answer_2_2 = [1296, 3600]
%time sum(range(10))""",
        },
        own=(
            ("check-conv2d", "%timeit -n 2 -r 2 conv2d(np.ones((5, 5)), np.ones((2, 2)))"),
            (
                "check-conv2d",
                """%%timeit -n 1 -r 1
conv2d(np.ones((5, 5)), np.ones((2, 2)))""",
            ),
            (
                "check-conv2d",
                """%%time
spare = conv2d(np.ones((5, 5)), np.ones((2, 2)))""",
            ),
            (
                "check-conv2d",
                """%matplotlib inline
%load_ext autoreload
%autoreload 2
!echo hello
%who""",
            ),
            ("ex-2-2", "%%capture kept\nprint('hidden')"),
            ("ex-2-2", "conv2d?"),
        ),
        limits={"timeout": 20},
    ),
    Student(
        "helper-in-an-added-cell",
        cells=by(
            """def conv2d(image, kernel):
    return np.array([[window_sum(image, kernel, i, j) for j in columns_of(image, kernel)] for i in rows_of(image, kernel)])"""
        ),
        own=(
            (
                "ex-conv2d",
                """def rows_of(image, kernel): return range(len(image) - len(kernel) + 1)
columns_of = lambda image, kernel: rows_of(image.T, kernel.T)""",
            ),
            (
                "ex-conv2d",
                """def window_sum(image, kernel, i, j):
    m, n = kernel.shape
    return float((image[i : i + m, j : j + n] * 1.0 * kernel).sum())""",
            ),
        ),
    ),
    Student(
        "helper-after-the-answer",
        cells=by("""def conv2d(image, kernel):
    return slide(image, kernel)"""),
        own=(("check-conv2d", f"slide = {SUM}"),),
    ),
    Student("names-rebound-later", own=(("end", "conv2d = output_size = np = library = answer_2_2 = check = None"),)),
    Student(
        "kernel-and-image-are-variables-too",
        own=(
            (
                "check-conv2d",
                """image = kernel = x = w = b = np.zeros((2, 2))
for i in range(3): j = k = i
list_, sum_ = [], 0""",
            ),
        ),
    ),
    Student(
        "seeds",
        own=(
            ("set-up", "import random\nrandom.seed(0)"),
            (
                "ex-conv2d",
                """np.random.seed(42)
rng = np.random.default_rng(0)
random.seed(1)""",
            ),
        ),
    ),
    Student(
        "own-checks",
        cells=conv2d(tail="check('conv2d', conv2d)\nhint('conv2d')"),
        own=(("check-conv2d", "check('7.1', conv2d)"), ("end", "hint('2.2')")),
    ),
    Student(
        "goes-on-after-an-own-check",
        own=(
            (
                "ex-conv2d-padded",
                """assert check('conv2d', conv2d).passed
pad = np.pad""",
            ),
        ),
        cells=by(
            """def conv2d_padded(image, kernel, padding=0):
    return conv2d(pad(image, padding), kernel)""",
            "ex-conv2d-padded",
        ),
    ),
    Student(
        "compares-with-the-library",
        own=(
            (
                "ex-2-2",
                """x, k = rng.normal(size=(6, 7)), rng.normal(size=(2, 3))
print('same:', np.allclose(conv2d(x, k), library.conv2d(x[None], k[None, None])[0]))
print('by loops:', np.allclose(conv2d(x, k), library.conv2d(x[None], k[None, None], method='loops')[0]))""",
            ),
            ("ex-conv2d", "rng = np.random.default_rng(1)"),
        ),
        shows=("same: True", "by loops: True"),
    ),
    Student(
        "set-up-of-ones-own",
        own=(
            (
                "ex-output-size",
                """np.set_printoptions(precision=2)
np.seterr(all='raise')
import warnings
warnings.simplefilter('ignore')""",
            ),
        ),
    ),
    Student(
        "letters-of-the-world",
        cells=conv2d(
            head="""größe = 'naïve ☃ \\U0001f600'
print(größe)
""",
            value="output  # Größe",
        ),
        own=(("end", "π = 3.14\nπ"),),
    ),
    Student("leaves-at-the-end", own=(("end", "exit()"),)),
    Student(
        "awaits-and-threads",
        own=(
            (
                "ex-conv2d",
                """import asyncio
await asyncio.sleep(0.01)
from concurrent.futures import ThreadPoolExecutor""",
            ),
        ),
        cells=by(
            """def conv2d(image, kernel):
    m, n = kernel.shape
    places = list(np.ndindex(image.shape[0] - m + 1, image.shape[1] - n + 1))
    with ThreadPoolExecutor(2) as pool:
        sums = pool.map(lambda p: (image[p[0] : p[0] + m, p[1] : p[1] + n] * 1.0 * kernel).sum(), places)
    return np.array(list(sums)).reshape(image.shape[0] - m + 1, -1)"""
        ),
    ),
    Student("slow-but-allowed", cells=conv2d("(__import__('time').sleep(0.15), output)[1]"), limits={"timeout": 30}),
    # ------------------------------------------------------------------------------------------ what a function may be
    Student("lambda", cells=by(f"conv2d = {SUM}")),
    Student(
        "partial",
        cells=by(
            f"""import functools
def general(image, kernel, scale): return scale * ({SUM})(image, kernel)
conv2d = functools.partial(general, scale=1.0)"""
        ),
    ),
    Student(
        "object-that-is-called",
        cells=by(f"""class Conv:
    def __call__(self, image, kernel): return ({SUM})(image, kernel)
conv2d = Conv()"""),
    ),
    Student(
        "bound-method",
        cells=by(
            f"""class Conv:
    def run(self, image, kernel): return ({SUM})(image, kernel)
    @staticmethod
    def other(): pass
conv2d = Conv().run"""
        ),
    ),
    Student(
        "any-arguments",
        cells=by(f"""def conv2d(*args, **kwargs):
    return ({SUM})(*args, **kwargs)"""),
    ),
    Student(
        "more-arguments",
        cells=by(f"""def conv2d(image, kernel, mode='valid', *, scale=1.0, verbose=False):
    return scale * ({SUM})(image, kernel)"""),
    ),
    Student(
        "hints-and-annotations",
        cells=by(
            f"""from __future__ import annotations
from typing import Annotated
import numpy.typing as npt
def conv2d(image: npt.NDArray[np.floating], kernel: 'Annotated[Kernel, 2]') -> npt.NDArray:
    '''Slides.'''
    return ({SUM})(image, kernel)"""
        ),
    ),
    Student(
        "decorators",
        cells={
            **by(
                f"""import functools, time
def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        start = time.time()
        value = function(*args, **kwargs)
        wrapper.seconds = time.time() - start
        return value
    return wrapper
@timed
def conv2d(image, kernel):
    return ({SUM})(image, kernel)"""
            ),
            "ex-output-size": """import functools
@functools.cache
def output_size(size, kernel, padding=0, stride=1, dilation=1):
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1""",
        },
    ),
    Student(
        "counts-its-calls",
        cells=conv2d(
            head="calls = 0\n",
            value="count(output)",
            tail="""def count(output):
    global calls
    calls += 1
    return output
""",
        ),
    ),
    Student(
        "recursion",
        cells=by(
            """def conv2d(image, kernel):
    image, kernel = image * 1.0, kernel * 1.0
    if kernel.shape == (1, 1): return image * kernel[0, 0]
    if len(kernel) > 1:
        rest = conv2d(image[1:], kernel[1:])
        return conv2d(image, kernel[:1])[: len(rest)] + rest
    rest = conv2d(image[:, 1:], kernel[:, 1:])
    return conv2d(image, kernel[:, :1])[:, : rest.shape[1]] + rest"""
        ),
    ),
    # ------------------------------------------------------------------------------------------ what it may return
    Student("returns-lists", cells=conv2d("output.tolist()")),
    Student("returns-tuples", cells=conv2d("tuple(map(tuple, output))")),
    Student("returns-lists-of-scalars", cells=conv2d("[[np.float64(one) for one in row] for row in output]")),
    Student("returns-float32", cells=conv2d("output.astype(np.float32)")),
    Student(
        "returns-fractions", cells=conv2d("[[Fraction(float(one)) for one in row] for row in output]", "from fractions import Fraction\n")
    ),
    Student("returns-decimals", cells=conv2d("[[Decimal(float(one)) for one in row] for row in output]", "from decimal import Decimal\n")),
    Student("returns-objects-of-numbers", cells=conv2d("output.astype(object)")),
    Student("returns-a-matrix", cells=conv2d("np.matrix(output)")),
    Student("returns-a-masked-array-without-mask", cells=conv2d("np.ma.array(output)")),
    Student("returns-columns-first", cells=conv2d("np.asfortranarray(output)")),
    Student("returns-a-view", cells=conv2d("np.repeat(output, 2, axis=1)[:, ::2]")),
    Student("returns-read-only", cells=conv2d("np.broadcast_to(output, output.shape)")),
    Student("returns-big-endian", cells=conv2d("output.astype('>f8')")),
    Student("returns-an-array-of-another-module", cells=conv2d("[array.array('d', row) for row in output]", "import array\n")),
    Student("returns-a-deque", cells=conv2d("collections.deque(map(list, output))", "import collections\n")),
    Student(
        "returns-a-list-of-ones-own",
        cells=conv2d(
            "Rows(output.tolist())",
            """class Rows(list):
    pass
""",
        ),
    ),
    Student(
        "returns-numbers-of-ones-own",
        cells=conv2d(
            "[[Number(one) for one in row] for row in output]",
            """class Number(float):
    unit = 'gray'
""",
        ),
    ),
    Student(
        "returns-an-array-of-ones-own",
        cells=conv2d(
            "output.view(Map)",
            """class Map(np.ndarray):
    pass
""",
        ),
    ),
    Student(
        "returns-what-becomes-an-array",
        cells=conv2d(
            "Box(output)",
            """class Box:
    def __init__(self, a): self.a = a
    def __array__(self, dtype=None, copy=None): return self.a
""",
        ),
    ),
    Student(
        "returns-sizes-as-floats",
        cells=by(
            """def output_size(size, kernel, padding=0, stride=1, dilation=1):
    return np.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1""",
            "ex-output-size",
        )
        | conv2d(),
        costs={"check-im2col": 0},  # whose answer counts with these sizes: range does not take them
    ),
    Student(
        "returns-sizes-as-arrays",
        cells=by(
            """def output_size(size, kernel, padding=0, stride=1, dilation=1):
    return np.array((size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1)""",
            "ex-output-size",
        )
        | conv2d(),
    ),
    # ------------------------------------------------------------------------------------------ other lessons
    Student("hands-model-answers", HANDS),
    Student(
        "hands-in-other-forms",
        HANDS,
        {
            "ex-4-1": "answer_4_1 = np.array([[-3, -1], [-1, -3]], dtype=np.int8)",
            "ex-4-3": """from fractions import Fraction
answer_4_3 = 5.0, np.float32(24), Fraction(30), np.int64(94)""",
            "ex-5-2": "answer_5_2 = [16.0, 28 - 5 + 1, np.array(24)]",
        },
    ),
    Student(
        "hands-by-code",
        HANDS,
        {
            "ex-4-3": """def size(n, k): return n - k + 1
answer_4_3 = [size(*pair) for pair in ((7, 3), (28, 5), (32, 3), (100, 7))]"""
        },
    ),
    Student(
        "hands-as-a-namedtuple",
        HANDS,
        {
            "ex-5-2": """import collections
Shape = collections.namedtuple('Shape', 'maps rows columns')
answer_5_2 = Shape(16, 24, 24)"""
        },
    ),
    Student("kernels-model-answers", KERNELS, limits={"timeout": 30}),
    Student(
        "kernels-by-the-lessons-conv2d",
        KERNELS,
        {
            "ex-filter-image": """def filter_image(image, kernel, mode='constant'):
    m, n = (size // 2 for size in kernel.shape)
    return library.conv2d(np.pad(image, ((m, m), (n, n)), mode=mode)[None], kernel[None, None])[0]"""
        },
        limits={"timeout": 30},
    ),
    Student("pytorch-model-answers", PYTORCH, limits={"timeout": 40}),
    Student(
        "pytorch-in-other-forms",
        PYTORCH,
        {
            "ex-load-kernel": """class Layer(nn.Conv2d):
    def forward(self, x):
        return super().forward(x)

def load_kernel(kernel, padding=0):
    layer = Layer(1, 1, kernel.shape, padding=padding, bias=False)
    layer.weight = nn.Parameter(torch.as_tensor(kernel, dtype=torch.float32)[None, None], requires_grad=False)
    return layer.eval()""",
            "ex-agrees": """def agrees(a, b):
    a, b = torch.as_tensor(np.array(a, float)), torch.as_tensor(np.array(b, float))
    return a.shape == b.shape and ((a - b).abs() <= torch.clamp(1e-5 * b.abs(), min=1e-5)).all()""",
        },
        limits={"timeout": 40},
    ),
    Student("backward-model-answers", BACKWARD, {"ex-numpy-cnn": "network = ..."}, costs={"check-numpy-cnn": 0}),
    Student(
        "backward-in-other-forms",
        BACKWARD,
        {
            "ex-numpy-cnn": "network = ...",
            "ex-conv2d-backward": """from collections import namedtuple
Gradients = namedtuple("Gradients", "d_x d_kernel")
def conv2d_backward(d_out, x, kernel, stride=1, padding=0):
    padded = np.pad(x * 1.0, padding)
    d_padded, d_kernel = np.zeros(padded.shape), np.zeros(kernel.shape)
    for i, j in np.ndindex(d_out.shape):
        window = np.s_[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]]
        d_kernel += d_out[i, j] * padded[window]
        d_padded[window] += d_out[i, j] * kernel
    return Gradients(d_padded[padding : padding + x.shape[0], padding : padding + x.shape[1]], d_kernel.tolist())""",
        },
        costs={"check-numpy-cnn": 0},
    ),
    Student(
        "training-untrained",
        TRAINING,
        {"ex-trained-lenet": "lenet, lenet_history = None, None"},
        costs={"check-trained-lenet": 0},
        limits={"timeout": 60, "notebook_seconds": 200},
    ),
    Student(
        "training-trained",
        TRAINING,
        limits={"timeout": 240, "notebook_seconds": 500},
    ),
    Student("generic-model-answers", GENERIC),
    Student(
        "generic-in-other-forms",
        GENERIC,
        {
            "ex-first": "first = np.float64(4)",
            "ex-double": "double = lambda x: np.int64(x) + x",
            "ex-area": """from decimal import Decimal
def area(r): return float(Decimal(str(math.pi)) * Decimal(r) ** 2)""",
            "ex-scaled": "def scaled(values): return [one / sum(values) for one in values]",
            "ex-total": """def total(values):
    values = list(values)
    return np.float32(math.fsum(values))""",
            "ex-shout": "def shout(word): return np.str_(word.upper())",
            "ex-choice": "choice = np.str_('both')",
            "ex-cleaned": "def cleaned(values): return [abs(one) for one in values]",
            "ex-last": """last = (n * n for n in (1, 2, 3))
last = np.array(list(last))""",
        },
    ),
    # ------------------------------------------------------------------------------------------ one slip costs one exercise
    Student(
        "endless-loop-in-one",
        cells=by("""def conv2d(image, kernel):
    while True:
        pass""")
        | OWN_PADDED,
        costs={"check-conv2d": 0},
        limits={"timeout": 10},
    ),
    Student(
        "endless-cell",
        cells=by("while True:\n    pass") | OWN_PADDED,
        costs={"check-conv2d": 0},
        limits={"timeout": 3},
    ),
    Student(
        "crash-in-one",
        cells=by("""def conv2d(image, kernel):
    import os
    os.abort()""")
        | OWN_PADDED,
        costs={"check-conv2d": 0},
    ),
    Student(
        "answer-missing",
        cells=by("raise NotImplementedError") | OWN_PADDED,
        costs={"check-conv2d": 0},
    ),
)


def hand_in(student, classroom):
    """The hand-in as the hostile ones are: the model answers, and what differs from them."""
    source = course.read(classroom.notebook("source", student.lesson))
    answers = {cell.id: cell.source for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")}
    limits = {"timeout": 15} | student.limits
    return hostile.Attack(slug=student.slug, tries="", lesson=student.lesson, cells=answers | student.cells, own=student.own, limits=limits)


@pytest.fixture(scope="module")
def classroom(tmp_path_factory):
    return course.build(tmp_path_factory.mktemp("classroom"))


@pytest.fixture(scope="module")
def records(request, classroom):
    """By slug the future of what came of a hand-in; two run at a time, in the order of the tests."""
    parametrized = (item for item in request.session.items if item.path == request.path and hasattr(item, "callspec"))
    chosen = {item.callspec.params["student"].slug for item in parametrized}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        students = [student for student in STUDENTS if student.slug in chosen]
        yield {student.slug: pool.submit(hostile.run, hostile.task(hand_in(student, classroom), classroom)) for student in students}
        pool.shutdown(cancel_futures=True)


def parameters():
    return [pytest.param(one, id=one.slug, marks=() if one.slug in QUICK else pytest.mark.slow) for one in STUDENTS]


@pytest.mark.parametrize("student", parameters())
def test_an_honest_student_has_full_points(student, records, classroom):
    record, _ = records[student.slug].result()
    source = course.read(classroom.notebook("source", student.lesson))
    full = {cell.id: cell.metadata.nbgrader.points for cell in source.cells if course.is_test(cell)} | student.costs
    got = {name: verdict["points"] for name, verdict in record["verdicts"].items()}
    assert got == full, {name: verdict["message"] for name, verdict in record["verdicts"].items() if got[name] != full[name]}
    shown = str(record["cells"])
    assert [text for text in student.shows if text not in shown] == []
