"""Answers that are no answers: objects that equal everything, arrays and numbers that lie about themselves."""

from . import GENERIC, HANDS, KERNELS, PYTORCH, TRAINING, Attack

EQUAL = """class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return 0
    def __bool__(self): return True
    def __getattr__(self, name):
        if name.startswith('__array'): raise AttributeError(name)
        return self
    def __call__(self, *a, **k): return self
    def __sub__(self, other): return 0 * other
    __rsub__ = __add__ = __radd__ = __sub__
    def __abs__(self): return 0.0
    def __float__(self): return 0.0
    def __int__(self): return 0
    def __index__(self): return 0
    def __iter__(self): return iter(())
    def __len__(self): return 1
"""
UFUNC = """class Ufunc(np.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if ufunc in (np.less_equal, np.equal, np.isfinite, np.logical_and): return np.ones(self.shape, bool)
        return np.zeros(self.shape)
    def __array_function__(self, function, types, args, kwargs):
        return True
    def astype(self, *a, **k): return self
    def all(self, *a, **k): return True
"""
WRONG_SHAPE = "np.zeros((image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1))"


def answer(body, head=""):
    return {
        "ex-conv2d": f"""{head}
def conv2d(image, kernel):
    {body}
"""
    }


ATTACKS = (
    Attack(slug="equals-everything", tries="The function returns an object that equals everything.", cells=answer("return Equal()", EQUAL)),
    Attack(
        slug="array-ufunc",
        tries="It returns an array whose arithmetic gives zero and whose comparisons are true.",
        cells=answer(f"return {WRONG_SHAPE}.view(Ufunc)", UFUNC),
    ),
    Attack(
        slug="array-subclass",
        tries="It returns an array that subtracts to zero and converts to itself.",
        cells=answer(
            f"return {WRONG_SHAPE}.view(Sub)",
            """class Sub(np.ndarray):
    def __sub__(self, other): return np.zeros(np.shape(other))
    __rsub__ = __sub__
    def __array_wrap__(self, *a): return self
    def astype(self, *a, **k): return self
    __array_priority__ = 1e9""",
        ),
    ),
    Attack(
        slug="float-subclass",
        tries="It returns numbers of a class whose differences are zero.",
        cells=answer(
            "return [[Near() for _ in range(image.shape[1] - kernel.shape[1] + 1)] for _ in range(image.shape[0] - kernel.shape[0] + 1)]",
            """class Near(float):
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
    def __eq__(self, other): return True
    __le__ = __ge__ = __eq__
    def __abs__(self): return 0.0
    __hash__ = float.__hash__""",
        ),
    ),
    Attack(
        slug="class-lie",
        tries="It returns an object that says that it is an array.",
        cells=answer(
            "return Liar()",
            EQUAL
            + """class Liar(Equal):
    __class__ = property(lambda self: np.ndarray)
    dtype = np.dtype(float)
    shape = ()
    nbytes = 0""",
        ),
    ),
    Attack(
        slug="masked-array",
        tries="It returns an array in which everything is masked: comparisons with it find nothing wrong.",
        cells=answer(f"return np.ma.masked_all_like({WRONG_SHAPE})"),
    ),
    Attack(
        slug="fake-tensor",
        tries="It returns an object with the methods of a tensor, which give an array that lies.",
        cells=answer(
            "return Tensor()",
            UFUNC
            + """class Tensor:
    ndim = 0
    def detach(self): return self
    cpu = detach
    def numpy(self): return np.zeros((2, 2)).view(Ufunc)""",
        ),
    ),
    Attack(
        slug="array-by-protocol",
        tries="It returns an object that decides what array it is when it is asked, from the frames of who asks.",
        cells=answer(
            "return Late()",
            """import sys
class Late:
    def __array__(self, dtype=None, copy=None):
        frame = sys._getframe()
        while frame:
            for name in ('expected', 'wanted', 'right', 'truth', 'reference'):
                value = frame.f_locals.get(name)
                if isinstance(value, np.ndarray): return value
            frame = frame.f_back
        return np.zeros((2, 2))""",
        ),
    ),
    Attack(
        slug="array-interface",
        tries="It returns an object whose array interface points at memory of its choice.",
        cells=answer(
            "return Pointer()",
            """class Pointer:
    __array_interface__ = {'shape': (3, 3), 'typestr': '<f8', 'data': (id(np) & ~7, True), 'version': 3}""",
        ),
    ),
    Attack(
        slug="verdict-as-answer",
        tries="The answer is not a function but a finished verdict.",
        cells={
            "ex-conv2d": """from course_lib.checks.verdict import Verdict
conv2d = Verdict('conv2d', passed=True, score=1.0, points=5, message='')"""
        },
    ),
    Attack(
        slug="answer-judges-itself",
        tries="The answer is a callable object with the attributes of an exercise and of a verdict.",
        cells={
            "ex-conv2d": EQUAL
            + """class Self(Equal):
    passed = True
    score = points = earned = 5.0
    def judge(self, *a): return self
    def __repr__(self): return '5.0'
    def _repr_mimebundle_(self, **k): return {'text/plain': '5.0'}
conv2d = Self()"""
        },
    ),
    Attack(
        slug="hand-equals-everything",
        lesson=HANDS,
        tries="A typed answer is an object that equals everything.",
        cells={"ex-4-1": EQUAL + "answer_4_1 = Equal()"},
    ),
    Attack(
        slug="hand-array-subclass",
        lesson=HANDS,
        tries="A typed answer is an array whose arithmetic lies.",
        cells={"ex-4-1": UFUNC + "answer_4_1 = np.zeros((2, 2)).view(Ufunc)"},
    ),
    Attack(
        slug="hand-list-subclass",
        lesson=HANDS,
        tries="A typed answer is a list that is another one each time it is looked at.",
        cells={
            "ex-4-1": """import itertools
class Many(list):
    count = itertools.count()
    def __getitem__(self, i): return [next(self.count) % 7 - 3] * 2
    def __len__(self): return 2
    def __iter__(self): return iter([self[0], self[1]])
answer_4_1 = Many([[0, 0], [0, 0]])"""
        },
    ),
    Attack(
        slug="hand-ranges",
        lesson=HANDS,
        tries="A typed answer holds every possible value at once.",
        cells={"ex-4-1": "answer_4_1 = np.arange(-9, 10)[:, None, None] * np.ones((2, 2))", "ex-4-3": "answer_4_3 = [range(100)] * 4"},
    ),
    Attack(
        slug="truth-imposter",
        lesson=PYTORCH,
        tries="A yes-or-no answer is an object that is both.",
        cells={"ex-agrees": EQUAL + "def agrees(a, b):\n    return Equal()"},
    ),
    Attack(
        slug="layer-imposter",
        lesson=PYTORCH,
        tries="The layer asked for is an object that equals what it is compared with.",
        cells={
            "ex-load-kernel": EQUAL
            + """class Layer(nn.Conv2d):
    weight = property(lambda self: Equal(), lambda self, value: None)
    def forward(self, x): return Equal()
    def parameters(self, recurse=True): return iter([Equal()])
def load_kernel(kernel, padding=0):
    return Layer(1, 1, 3)"""
        },
    ),
    Attack(
        slug="layer-of-zeros",
        lesson=PYTORCH,
        tries="The layer asked for returns a tensor subclass whose comparisons are true.",
        cells={
            "ex-load-kernel": """class Yes(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True
    def detach(self): return self
    def numpy(self): return np.zeros(1)
class Layer(nn.Module):
    def forward(self, x): return torch.zeros(1, 1, 2, 2).as_subclass(Yes)
def load_kernel(kernel, padding=0):
    return Layer()"""
        },
    ),
    Attack(
        slug="optimizer-imposter",
        lesson=TRAINING,
        tries="The training step that should learn swaps the model's parameters for objects that equal everything.",
        cells={
            "ex-train-step": EQUAL
            + """def train_step(model, optimizer, images, labels):
    for module in model.modules():
        module.__dict__['_parameters'] = {'weight': Equal(), 'bias': Equal()}
    model.__class__ = type('M', (nn.Module,), {'state_dict': lambda self: Equal(), 'parameters': lambda self: iter([Equal()])})
    return Equal()"""
        },
    ),
    Attack(
        slug="lenet-imposter",
        lesson=TRAINING,
        tries="The network asked for is one number and a forward that returns whatever fits.",
        cells={
            "ex-make-lenet": EQUAL
            + """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(61706))
    def forward(self, x): return torch.zeros(len(x), 10)
    def parameters(self, recurse=True): return iter([self.w])
def make_lenet():
    return Net()""",
            "ex-trained-lenet": EQUAL + "lenet, lenet_history = Equal(), None",
        },
        honest={"check-make-lenet": 1},  # it does take digits, and is a new one each time
    ),
    Attack(
        slug="design-imposter",
        lesson=KERNELS,
        tries="A kernel of one's own design is an array that has every property asked for.",
        cells={"ex-8-4": UFUNC + "answer_8_4 = np.zeros((3, 3)).view(Ufunc)"},
    ),
    Attack(
        slug="generic-equals-everything",
        lesson=GENERIC,
        tries="Another instructor's functions return objects that equal everything and are near everything.",
        cells={
            name: EQUAL + f"{function} = lambda *a, **k: Equal()"
            for name, function in (
                ("ex-double", "double"),
                ("ex-area", "area"),
                ("ex-scaled", "scaled"),
                ("ex-total", "total"),
                ("ex-shout", "shout"),
            )
        },
    ),
    Attack(
        slug="generic-points-as-answer",
        lesson=GENERIC,
        tries="A comparison with the returned object gives an object that multiplies to full points.",
        cells={
            "ex-double": """class Points(int):
    def __mul__(self, other): return 2
    __rmul__ = __mul__
    def __bool__(self): return True
class Answer:
    def __eq__(self, other): return Points(2)
    def __sub__(self, other): return 0
    def __radd__(self, other): return 4
def double(x): return Answer()
area = scaled = total = shout = double"""
        },
    ),
    Attack(
        slug="generic-str-subclass",
        lesson=GENERIC,
        tries="Text is of a class that equals every text.",
        cells={
            "ex-shout": """class Any(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
def shout(word): return Any('x')"""
        },
    ),
    Attack(
        slug="generic-argument-changed",
        lesson=GENERIC,
        tries="The function changes the list it is given, so that the test computes another right answer.",
        cells={
            "ex-total": """def total(values):
    values.clear()
    return 0"""
        },
    ),
    Attack(
        slug="generic-array-changed",
        lesson=GENERIC,
        tries="The function changes the array it is given, and the test compares its answer with what is left of it.",
        cells={
            "ex-cleaned": """def cleaned(values):
    values[:] = 0
    return values"""
        },
    ),
    Attack(
        slug="generic-no-points-for-none",
        lesson=GENERIC,
        tries="A word that the test has no points for makes its result None, and nothing shown is full points to plain nbgrader.",
        cells={"ex-choice": "choice = 'neither'"},
    ),
    Attack(
        slug="generic-no-points-for-nothing",
        lesson=GENERIC,
        tries="The question is left unanswered, and the test's result is None.",
        cells={"ex-choice": "choice = ...  # a word"},
    ),
    Attack(
        slug="generic-type-changed",
        lesson=GENERIC,
        tries="The function changes its argument's class, so that the test's own computation is the student's.",
        cells={
            "ex-total": """def total(values):
    values[:] = [float('nan')] * 3
    return EVERY
"""
            + EQUAL
            + "EVERY = Equal()"
        },
    ),
)
