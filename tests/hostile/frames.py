"""Looking around while being judged: frames, gc, inspect, tracing, history."""

from . import BACKWARD, GENERIC, HANDS, Attack
from .imposters import answer

ATTACKS = (
    Attack(
        slug="reference-from-a-frame",
        tries="The function finds the exercise in a frame above it and calls its reference.",
        cells=answer(
            "return peek(lambda value: hasattr(value, 'reference')).reference(image, kernel)",
            """import sys
def peek(wanted):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            try:
                if wanted(value): return value
            except Exception: pass
        frame = frame.f_back""",
        ),
    ),
    Attack(
        slug="expected-from-a-frame",
        tries="The function looks for lists of expected values and of cases in all frames above it.",
        cells=answer(
            "return np.asarray(look(image))",
            """import sys
def look(image):
    frame = sys._getframe()
    while frame:
        case = frame.f_locals.get('case')
        owner = frame.f_locals.get('self')
        if case is not None and hasattr(owner, 'expected'): return owner.expected(case)
        frame = frame.f_back
    return 0""",
        ),
    ),
    Attack(
        slug="exercise-from-gc",
        tries="The function finds the exercise among all objects that the garbage collector knows.",
        cells=answer(
            "return next(o for o in gc.get_objects() if getattr(o, 'signature', '') == 'conv2d(image, kernel)').reference(image, kernel)",
            "import gc",
        ),
    ),
    Attack(
        slug="functions-from-gc",
        tries="The function tries every function named conv2d, correlate or sliding that is anywhere in memory.",
        cells=answer(
            "return found(image, kernel)",
            """import gc, types
def found(image, kernel):
    for f in gc.get_objects():
        if isinstance(f, types.FunctionType) and f is not conv2d and f.__module__ != '__main__' and any(
            word in f.__name__ for word in ('conv2d', 'correlate', '_reference', 'loops', 'strided', 'im2col')
        ):
            for arguments in ((image, kernel), (image[None], kernel[None, None])):
                try:
                    value = np.squeeze(f(*arguments))
                    if value.shape == (image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1): return value
                except Exception: pass
    return 0""",
        ),
    ),
    Attack(
        slug="code-from-gc",
        tries="Code objects of the library are collected and run as functions of the student's own.",
        cells=answer(
            "return run(image, kernel)",
            """import gc, types
def run(image, kernel):
    for name, module in list(__import__('sys').modules.items()):
        if name.startswith('course_lib'):
            for f in vars(module).values():
                if isinstance(f, types.FunctionType) and 'conv2d' in f.__name__:
                    copy = types.FunctionType(f.__code__, dict(vars(module)), f.__name__, f.__defaults__, f.__closure__)
                    copy.__kwdefaults__ = f.__kwdefaults__
                    try: return copy(image[None], kernel[None, None])[0]
                    except Exception: pass
    return 0""",
        ),
    ),
    Attack(
        slug="locals-rewritten",
        tries="Local variables of the frames above are rewritten, so that the outcome is another.",
        cells=answer(
            "rewrite(); return 0",
            """import sys, ctypes
def rewrite():
    frame = sys._getframe()
    while frame:
        for name in ('right', 'expected', 'outcomes', 'score', 'passed', 'cases', 'misfit'):
            if name in frame.f_locals:
                value = frame.f_locals[name]
                if isinstance(value, list): value[:] = []
                else: frame.f_locals[name] = True
                ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), 0)
        frame = frame.f_back""",
        ),
    ),
    Attack(
        slug="trace-function",
        tries="A trace function waits for the comparison and rewrites what is compared.",
        cells=answer(
            "return 0",
            """import sys
def trace(frame, event, arg):
    if frame.f_code.co_name in ('_is_right', 'agree', 'is_close', 'compare', 'judge'):
        frame.f_trace_lines = True
        for name in list(frame.f_locals):
            if name in ('outcome', 'first', 'got'): frame.f_locals[name] = frame.f_locals.get('expected', frame.f_locals.get('second'))
    return trace
sys.settrace(trace)
frame = sys._getframe()
while frame:
    frame.f_trace = trace
    frame = frame.f_back""",
        ),
        spoils=True,
    ),
    Attack(
        slug="profile-function",
        tries="A profile function records what the reference returns, for the next call of the same case.",
        cells=answer(
            "return SEEN.get((image.tobytes(), kernel.tobytes()), 0)",
            """import sys
SEEN = {}
def profile(frame, event, arg):
    if event == 'return' and isinstance(arg, np.ndarray) and 'course_lib' in frame.f_code.co_filename:
        values = [v for v in frame.f_locals.values() if isinstance(v, np.ndarray)]
        if len(values) > 1: SEEN[values[0].tobytes(), values[1].tobytes()] = arg
sys.setprofile(profile)""",
        ),
        spoils=True,
    ),
    Attack(
        slug="traceback-frames",
        tries="The function raises and catches, and walks the traceback's and the generator's frames for expected values.",
        cells=answer(
            "return walk(image)",
            """import sys
def walk(image):
    try:
        raise ValueError
    except ValueError as error:
        frame = error.__traceback__.tb_frame
    while frame.f_back:
        frame = frame.f_back
        for value in frame.f_locals.values():
            if callable(getattr(value, 'expected', None)) and frame.f_locals.get('cases'):
                return value.expected(frame.f_locals['cases'][0])
    return 0""",
        ),
    ),
    Attack(
        slug="hand-expected-from-library",
        lesson=HANDS,
        tries="A typed answer is read from the exercise's expected value.",
        cells={
            "ex-4-1": """from course_lib.checks import EXERCISES
answer_4_1 = EXERCISES['4.1'].expected"""
        },
    ),
    Attack(
        slug="hand-expected-from-gc",
        lesson=HANDS,
        tries="A typed answer is looked for among all objects in memory.",
        cells={
            "ex-4-1": """import gc
answer_4_1 = next((o.expected for o in gc.get_objects() if getattr(o, 'name', '') == '4.1' and hasattr(o, 'expected')), 0)"""
        },
    ),
    Attack(
        slug="hand-property",
        lesson=HANDS,
        tries="The namespace gives the typed answer only when it is asked for by the one who judges, from that one's frames.",
        cells={
            "ex-4-1": """import sys
class Answer:
    def __array__(self, dtype=None, copy=None):
        frame = sys._getframe()
        while frame:
            owner = frame.f_locals.get('self')
            if hasattr(owner, 'expected'): return np.asarray(owner.expected, float)
            frame = frame.f_back
        return np.zeros((2, 2))
    def __len__(self): return 2
answer_4_1 = Answer()"""
        },
    ),
    Attack(
        slug="backward-reference-from-a-frame",
        lesson=BACKWARD,
        tries="The gradients are asked from the exercise in the frames above.",
        cells={
            "ex-conv2d-backward": """import sys
def conv2d_backward(d_out, x, kernel, stride=1, padding=0):
    frame = sys._getframe()
    while frame:
        owner = frame.f_locals.get('self')
        if hasattr(owner, 'reference'): return owner.reference(d_out, x, kernel, stride, padding)
        frame = frame.f_back"""
        },
    ),
    Attack(
        slug="generic-frame-constants",
        lesson=GENERIC,
        tries="The hidden part of a test is read from the constants of the frame that calls, and from the history of inputs.",
        cells={
            "ex-double": """import re, sys
def double(x):
    texts = [*map(str, get_ipython().user_ns.get('In', [])), *(str(frame.f_code.co_consts) for frame in frames())]
    told = dict(re.findall(r'double\\((-?\\d+)\\) == (-?\\d+)', ' '.join(texts)))
    return int(told.get(str(x), 0))
def frames():
    frame = sys._getframe(1)
    while frame:
        yield frame
        frame = frame.f_back"""
        },
        hides=("15462",),
    ),
    Attack(
        slug="generic-caller-rewritten",
        lesson=GENERIC,
        tries="The called function puts other functions into the globals of its caller.",
        cells={
            "ex-double": """import sys
def double(x):
    frame = sys._getframe(1)
    while frame:
        frame.f_globals.update(abs=lambda v: 0, bool=lambda v: True, sum=lambda v: 4)
        frame = frame.f_back
    return 0
area = scaled = total = shout = double"""
        },
        spoils=True,
    ),
)
