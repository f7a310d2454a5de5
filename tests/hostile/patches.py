"""Patched builtins, NumPy, modules, and the course's own library."""

from . import GENERIC, HANDS, SCRATCH, Attack
from .hooks import conv2d

WRONG = """def double(x):
    return 0
area = total = shout = scaled = double
"""

ATTACKS = (
    Attack(
        slug="check-rebound",
        tries="The name check is bound to a function that gives full points.",
        **conv2d("check = lambda *a, **k: 5.0", spoils=True),
    ),
    Attack(
        slug="set-up-changed",
        tries="The set-up cell, which students may change, defines another check.",
        cells={
            "set-up": """import numpy as np
import course_lib.convolution as library
check = lambda name, answer: {'conv2d': 5.0}.get(name, 2.0)"""
        },
        spoils=True,
    ),
    Attack(
        slug="library-check-replaced",
        tries="check is replaced in course_lib itself.",
        **conv2d(
            """import course_lib, course_lib.checks
course_lib.check = course_lib.checks.check = check = lambda *a, **k: 5.0""",
            spoils=True,
        ),
    ),
    Attack(
        slug="check-code-swapped",
        tries="The code object of check is exchanged, whoever holds the function.",
        **conv2d(
            """check.__code__ = (lambda name, answer=..., seed=None: 5.0).__code__
check.__kwdefaults__ = None""",
            spoils=True,
        ),
    ),
    Attack(
        slug="verdict-patched",
        tries="A verdict is patched to have earned everything.",
        **conv2d(
            """import course_lib.checks.verdict as v
for name in ('earned', 'points', 'score'):
    setattr(v.Verdict, name, property(lambda self: 5.0, lambda self, value: None))
v.Verdict.__init__ = lambda self, *a, **k: None
v.Verdict.passed = True
v.Verdict._repr_mimebundle_ = lambda self, **k: {'text/plain': '5.0'}""",
            spoils=True,
        ),
    ),
    Attack(
        slug="judge-patched",
        tries="The method that judges is patched to say that all is right.",
        **conv2d(
            """import course_lib.checks.exercise as e
for kind in (e.CodeExercise, e.HandExercise, e.DesignExercise, e.ModelExercise):
    kind.judge = lambda self, answer, seed=None: self.verdict(True, 'All right.')""",
            spoils=True,
        ),
    ),
    Attack(
        slug="agree-patched",
        tries="The comparison of answers is patched to agree with everything.",
        **conv2d(
            """import course_lib.checks.exercise as e
e.agree = lambda *a, **k: True
e.is_close = lambda *a, **k: np.array(True)
e.CodeExercise._is_right = lambda *a: True""",
            spoils=True,
        ),
    ),
    Attack(
        slug="cases-removed",
        tries="The exercise's cases are removed, so that nothing is asked.",
        **conv2d(
            """import course_lib.checks as c, course_lib.checks.exercise as e
e.RANDOM_CASES = 0
object.__setattr__(c.EXERCISES['conv2d'], 'cases', ())""",
        ),
    ),
    Attack(
        slug="reference-replaced",
        tries="The right answer is replaced by the wrong one that is handed in.",
        **conv2d("""import course_lib.checks as c
object.__setattr__(c.EXERCISES['conv2d'], 'reference', lambda image, kernel: 0.0)"""),
    ),
    Attack(
        slug="exercise-exchanged",
        tries="The table of exercises gives an easy exercise by the name of a hard one.",
        cells={
            "ex-conv2d": """import dataclasses, course_lib.checks as c
c.EXERCISES['conv2d'] = dataclasses.replace(c.EXERCISES['output_size'], name='conv2d', points=5)
conv2d = output_size"""
        },
    ),
    Attack(
        slug="numpy-comparisons-patched",
        tries="NumPy's comparisons are patched to find everything close and equal.",
        **conv2d(
            """for name in ('allclose', 'array_equal', 'all', 'isclose', 'array_equiv'):
    setattr(np, name, lambda *a, **k: True)
np.abs = np.absolute = lambda value: 0.0
np.shape = lambda value: ()
np.testing.assert_allclose = lambda *a, **k: None""",
            spoils=True,
        ),
    ),
    Attack(
        slug="numpy-asarray-patched",
        tries="NumPy's asarray gives an array that equals what it is compared with.",
        **conv2d(
            """class Zero(np.ndarray):
    def __sub__(self, other): return np.zeros(np.shape(other))
    __rsub__ = __sub__
original = np.asarray
np.asarray = lambda value, *a, **k: original(value, *a, **k).view(Zero)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="builtins-patched",
        tries="all, any, abs, sum, len, isinstance and zip are patched for everyone.",
        **conv2d(
            """import builtins
builtins.all = lambda *a: True
builtins.any = lambda *a: False
builtins.abs = lambda value: 0.0
builtins.float = lambda *a: 5.0""",
            spoils=True,
        ),
    ),
    Attack(
        slug="compile-patched",
        tries="compile, exec and eval are patched to run something else where the text of a test comes by.",
        **conv2d(
            """import builtins
old = builtins.compile
def forged(source, *a, **k):
    return old('5.0' if isinstance(source, str) and source.startswith('check(') else source, *a, **k)
builtins.compile = forged
run = builtins.eval
builtins.eval = lambda code, *a: 5.0""",
            spoils=True,
        ),
    ),
    Attack(
        slug="import-patched",
        tries="The import of course_lib gives a module of the student's own from now on.",
        **conv2d(
            """import sys, types, builtins
fake = types.ModuleType('course_lib')
fake.check = lambda *a, **k: 5.0
fake.__path__ = []
for name in [name for name in sys.modules if name.split('.')[0] == 'course_lib']:
    sys.modules[name] = fake
old = builtins.__import__
builtins.__import__ = lambda name, *a, **k: fake if name.startswith('course_lib') else old(name, *a, **k)
check = fake.check""",
            spoils=True,
        ),
    ),
    Attack(
        slug="small-integers-rewritten",
        tries="Memory is written so that the number 0 is the number 5.",
        **conv2d(
            """import ctypes
ctypes.memmove(id(0) + 24, id(5) + 24, 4)""",
            spoils=True,
        ),
        limits={"timeout": 5},
    ),
    Attack(
        slug="type-slots-cursed",
        tries="The slots of float and ndarray are overwritten through ctypes.",
        **conv2d(
            """import ctypes, gc
def curse(kind, name, value):
    gc.get_referents(kind.__dict__)[0][name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(kind))
curse(float, '__le__', lambda a, b: True)
curse(float, '__repr__', lambda a: '5.0')
curse(np.ndarray, '__sub__', lambda a, b: np.zeros(np.shape(a)))
curse(np.ndarray, 'all', lambda *a, **k: True)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="serializers-patched",
        tries="json, struct, base64 and tobytes are patched so that what is sent is not what was computed.",
        **conv2d(
            """import json, struct, base64, socket
dumps, loads = json.dumps, json.loads
def forged(value, *a, **k):
    if isinstance(value, dict):
        value = value | {'passed': True, 'score': 1.0, 'points': 5, 'right': True, 'ok': True, 'status': 'ok'}
    return dumps(value, *a, **k)
json.dumps = forged
json.JSONEncoder.default = lambda self, value: 5.0
json.loads = lambda *a, **k: loads(*a, **k)
base64.b64encode = lambda data, *a: b'AAAA'""",
            spoils=True,
        ),
    ),
    Attack(
        slug="stream-replaced",
        tries="sys.stdout and its file descriptor are replaced, so that what is printed looks like a verdict.",
        **conv2d("""import sys, os
os.write(1, b'5.0\\n')
sys.stdout.write('5.0')
sys.stdout = sys.stderr = open('/dev/null', 'w')"""),
    ),
    Attack(
        slug="environment-patched",
        tries="The environment is changed so that checks believe that they are not grading.",
        **conv2d(
            """import os
os.environ.clear()
os.environ.update(NBGRADER_EXECUTION='', COURSE_CHECK_SEED='1', PYTHONSTARTUP='/tmp/x.py')"""
        ),
    ),
    Attack(
        slug="hand-judge-patched",
        lesson=HANDS,
        tries="The judgement of typed answers is patched.",
        cells={
            "ex-4-1": """answer_4_1 = [[0, 0], [0, 0]]
import course_lib.checks.exercise as e
e.HandExercise.judge = lambda self, answer, seed=None: self.verdict(True, 'right')"""
        },
        spoils=True,
    ),
    Attack(
        slug="generic-builtins",
        lesson=GENERIC,
        tries="abs, sum and bool are redefined in the notebook in which another instructor's tests use them.",
        cells={
            "ex-double": WRONG
            + """abs = lambda value: 0
sum = lambda values: 4
bool = lambda value: True
list = lambda value: [1, 4, 9]"""
        },
        honest={"check-last": 1},
        spoils=True,
    ),
    Attack(
        slug="generic-numpy-rebound",
        lesson=GENERIC,
        tries="The name np, which another instructor's test uses, is bound to something that finds everything close.",
        cells={
            "ex-double": WRONG
            + """class np:
    allclose = staticmethod(lambda *a, **k: True)
    asarray = staticmethod(lambda *a, **k: 0)"""
        },
    ),
    Attack(
        slug="generic-numpy-patched",
        lesson=GENERIC,
        tries="NumPy's own allclose is replaced in the module.",
        cells={"ex-double": WRONG + "np.allclose = lambda *a, **k: True"},
    ),
    Attack(
        slug="generic-assert",
        lesson=GENERIC,
        tries="Errors are caught by everything that could raise them, and assert is disarmed.",
        cells={
            "ex-double": WRONG
            + """import builtins, sys
builtins.AssertionError = builtins.NameError = type('Nothing', (BaseException,), {})
sys.excepthook = lambda *a: print(4)
__debug__ if True else None
get_ipython().showtraceback = lambda *a, **k: None"""
        },
        spoils=True,
    ),
    Attack(
        slug="name-of-the-function-is-a-trap",
        lesson=SCRATCH,
        tries="Names that a checker may use itself (self, answer, score, result, check, name) are defined as traps.",
        **conv2d(
            """class Trap:
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return 5.0
    def __float__(self): return 5.0
    def __repr__(self): return '5.0'
self = answer = score = result = verdict = points = earned = seed = name = exercise = Trap()
globals().update({'check': Trap(), '__name__': Trap(), '__builtins__': __builtins__})""",
            spoils=True,
        ),
    ),
)
