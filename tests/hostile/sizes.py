"""Answers of hostile types and sizes."""

from . import GENERIC, HANDS, PYTORCH, Attack
from .imposters import answer


def returns(slug, tries, value, head="", **more):
    return Attack(slug=slug, tries=tries, cells=answer(f"return {value}", head), **more)


HTML = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>"

ATTACKS = (
    returns("huge-array", "It returns an array of gigabytes.", "np.ones((40000, 40000))"),
    returns(
        "huge-by-broadcast",
        "It returns an array that takes eight bytes and says that it has 10^12 elements.",
        "np.broadcast_to(0.0, (10**6, 10**6))",
    ),
    returns("huge-shape-no-data", "It returns an array of no elements with an enormous shape.", "np.empty((2**40, 0, 2**20))"),
    returns(
        "deep-nesting",
        "It returns a list nested 100,000 levels deep.",
        "deep()",
        """def deep():
    value = []
    for _ in range(100_000): value = [value]
    return value""",
    ),
    returns("list-within-itself", "It returns a list that holds itself.", "ring", "ring = []\nring.append(ring)"),
    returns("wide-list", "It returns a list of millions of lists.", "[[0]] * 5_000_000"),
    returns("endless-iterable", "It returns an iterator without end.", "itertools.count()", "import itertools"),
    returns(
        "endless-sequence",
        "It returns a sequence that has no end.",
        "Endless()",
        """class Endless(list):
    def __len__(self): return 2**62
    def __iter__(self): return iter(int, 1)
    def __getitem__(self, i): return 0""",
    ),
    returns("endless-number", "It returns an integer of 30 million digits.", "1 << 10**8"),
    returns(
        "number-by-printing",
        "It returns a number whose text takes forever.",
        "Number()",
        """import time
class Number(float):
    def __repr__(self): time.sleep(100)
    __str__ = __repr__
    def __float__(self): time.sleep(100)""",
        limits={"timeout": 4},
    ),
    returns(
        "nan-and-infinity",
        "It returns NaN, which compares with nothing.",
        "np.full((image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1), np.nan)",
    ),
    returns(
        "object-array",
        "It returns an array of objects that equal everything.",
        "np.array([[Any()] * 2] * 2, dtype=object)",
        """class Any:
    def __eq__(self, o): return True
    def __sub__(self, o): return 0
    __rsub__ = __sub__
    def __float__(self): return 0.0
    def __reduce__(self): return (exec, ('import os; os._exit(7)',))""",
    ),
    returns(
        "reduce",
        "It returns an object that runs code when it is unpickled.",
        "Bomb()",
        """import os
class Bomb:
    def __reduce__(self): return (os._exit, (7,))
    def __array__(self, *a, **k): return np.array([self], dtype=object)""",
    ),
    returns("pickle-bytes", "It returns pickled code as bytes.", "b\"cos\\nsystem\\n(S'touch /tmp/owned'\\ntR.\""),
    returns(
        "fraction-bomb",
        "It returns a fraction whose text stands for a number of a billion digits.",
        "[[Bomb(1)] * 2] * 2",
        "from fractions import Fraction\nclass Bomb(Fraction):\n    def __str__(self): return '1e999999999'",
        limits={"timeout": 5},
        slow=True,
    ),
    returns(
        "decimal-bomb",
        "It returns decimals that are signals, or of a billion digits once they are whole.",
        "[[Bomb(1), Bad(1)]] * 2",
        """from decimal import Decimal
class Bomb(Decimal):
    def __str__(self): return '1e999999999'
class Bad(Decimal):
    def __str__(self): return 'sNaN'""",
    ),
    returns(
        "strange-dtypes",
        "It returns arrays of dates, records and text.",
        "(np.array(['2020-01-01'], 'M8[D]'), np.zeros(3, [('a', 'O'), ('b', '<f8', (2,))]), np.array(['x' * 1000]), np.array([b'']))",
    ),
    returns(
        "strides-outside",
        "It returns an array whose strides lead out of its memory.",
        "np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 20, 8), (1 << 12, 8))",
    ),
    returns(
        "lying-attributes",
        "It returns an array subclass that lies about its shape, dtype and size.",
        "np.zeros(4).view(Lying)",
        """class Lying(np.ndarray):
    shape = property(lambda self: (10**9, 10**9))
    dtype = property(lambda self: np.dtype('O'))
    nbytes = property(lambda self: -1)
    size = property(lambda self: -1)
    def tobytes(self, *a): return b'x' * 10**8
    def tolist(self): return [0] * 10**7""",
    ),
    returns("many-values", "It returns a dictionary of a million entries and sets of arrays.", "{i: {i} for i in range(10**6)}"),
    returns(
        "module-as-answer",
        "It returns modules, functions, types, frames and locks.",
        "[np, conv2d, type, sys._getframe(), threading.Lock(), open('/dev/null')]",
        "import sys, threading",
    ),
    returns("text-with-html", "It returns text with HTML and control codes.", repr(HTML + "\x1b[2J\x00\u202e")),
    Attack(
        slug="error-with-html",
        tries="It raises an error whose type, text and line hold HTML and control codes.",
        cells=answer(f"raise type({HTML!r}, (Exception,), {{}})({HTML + chr(27)!r} * 100)  # {HTML}"),
    ),
    Attack(slug="error-of-100-mb", tries="It raises an error with a text of 100 MB.", cells=answer("raise ValueError('x' * 10**8)")),
    Attack(
        slug="error-that-fails",
        tries="It raises an error that fails, or never ends, when it is printed, and is its own cause.",
        cells=answer(
            "error = Bad(); error.__cause__ = Bad(); error.__cause__.__context__ = error; raise error",
            """class Bad(Exception):
    def __str__(self): raise KeyboardInterrupt
    __repr__ = __str__
    args = property(lambda self: 1 / 0)
    __traceback__ = None""",
        ),
    ),
    Attack(
        slug="error-of-base",
        tries="It raises what is no Exception: GeneratorExit, KeyboardInterrupt, SystemExit.",
        cells=answer("raise BaseException('no')"),
    ),
    Attack(
        slug="error-of-the-checker",
        tries="It raises what the checker itself may raise to stop or to say that all is well.",
        cells=answer("raise type('TimeLimitReached', (BaseException,), {})", "class StopIteration_(StopIteration): pass"),
    ),
    Attack(
        slug="error-group",
        tries="It raises a group of thousands of nested errors.",
        cells=answer(
            "raise group",
            """group = ValueError('x')
for _ in range(900): group = ExceptionGroup('y' * 100, [group, ValueError('z' * 100)])""",
        ),
    ),
    Attack(
        slug="signature-that-lies",
        tries="The function's signature, name and documentation are hostile.",
        cells={
            "ex-conv2d": f"""def conv2d(*a, **k): return 0
import inspect
conv2d.__name__ = conv2d.__qualname__ = {HTML!r}
conv2d.__doc__ = 'x' * 10**7
class S:
    def bind(self, *a, **k): return None
    def __str__(self): return 'x' * 10**8
conv2d.__signature__ = inspect.Signature([inspect.Parameter('a' * 10**6, inspect.Parameter.VAR_POSITIONAL)])
conv2d.__wrapped__ = conv2d"""
        },
    ),
    Attack(
        slug="hand-huge",
        lesson=HANDS,
        tries="A typed answer is gigabytes large.",
        cells={"ex-4-1": "answer_4_1 = np.broadcast_to(1.0, (10**6, 10**7))", "ex-4-3": "answer_4_3 = 'x' * 300_000_000"},
    ),
    Attack(
        slug="hand-deep",
        lesson=HANDS,
        tries="A typed answer is nested without end.",
        cells={
            "ex-4-1": """answer_4_1 = []
answer_4_1.append(answer_4_1)""",
            "ex-4-3": """answer_4_3 = [0] * 4
for _ in range(50000): answer_4_3 = [answer_4_3]""",
        },
    ),
    Attack(
        slug="hand-html",
        lesson=HANDS,
        tries="A typed answer is HTML.",
        cells={
            "ex-4-1": f"""answer_4_1 = {HTML!r}
from IPython.display import HTML
display(HTML({HTML!r}))
print({HTML!r})"""
        },
    ),
    Attack(
        slug="hand-endless-repr",
        lesson=HANDS,
        tries="A typed answer never comes to an end when it is converted or printed.",
        cells={
            "ex-4-1": """class Endless:
    def __repr__(self):
        while True: pass
    __str__ = __array__ = __iter__ = __len__ = __float__ = lambda self, *a, **k: repr(self)
answer_4_1 = Endless()"""
        },
        limits={"timeout": 4},
    ),
    Attack(
        slug="layer-of-gigabytes",
        lesson=PYTORCH,
        tries="A layer with gigabytes of parameters is returned, and tensors without memory (meta, sparse, quantized).",
        cells={
            "ex-load-kernel": """def load_kernel(kernel, padding=0):
    return nn.Conv2d(30000, 30000, 3, device='meta')""",
            "ex-agrees": """def agrees(a, b):
    return torch.zeros(10**6, 10**6, device='meta')""",
        },
    ),
    Attack(
        slug="generic-huge",
        lesson=GENERIC,
        tries="Another instructor's functions return gigabytes, endless text and deep lists.",
        cells={
            "ex-double": "def double(x): return 1 << 10**8",
            "ex-area": "def area(r): return float('nan')",
            "ex-scaled": "def scaled(values): return np.broadcast_to(0.0, (10**6, 10**6))",
            "ex-total": "def total(values): return 'x' * 500_000_000",
            "ex-shout": """def shout(word):
    value = word
    for _ in range(100_000): value = [value]
    return value""",
        },
    ),
)
