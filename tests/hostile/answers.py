"""Answers that were not worked out: replayed, recorded, asked for, or not yet there."""

import base64
import zlib

import numpy as np

from course_lib import load_mnist
from course_lib.checks import EXERCISES

from . import BACKWARD, GENERIC, SCRATCH, TRAINING, Attack
from .imposters import answer


def _test_labels():
    """The checksums of the real test images, each with its label, in base64: what a cheater could prepare at home."""
    images, labels = load_mnist("test")
    rows = (zlib.crc32(image.tobytes()).to_bytes(4, "big") + bytes([label]) for image, label in zip(images, labels, strict=True))
    return base64.b64encode(b"".join(rows)).decode()


def _fixed_cases(name):
    """The arguments of an exercise's fixed cases, as whoever has the library can read them."""
    return [[np.asarray(one).tolist() for one in case.args] for case in EXERCISES[name].cases]


RIGHT_BEFORE = """def ask(image, kernel):
    return library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0]
"""
KEY = """def key(*arrays): return tuple((np.shape(one), np.array(one, float).tobytes()) for one in arrays)
"""

ATTACKS = (
    Attack(
        slug="known-cases-table",
        tries="The fixed cases are answered from a table made with the library beforehand.",
        cells={
            "ex-conv2d": RIGHT_BEFORE
            + KEY
            + """import course_lib.checks as c
TABLE = {key(*case.args): ask(*case.args) for case in c.EXERCISES['conv2d'].cases}
def conv2d(image, kernel):
    return TABLE.get(key(image, kernel), 0)"""
        },
    ),
    Attack(
        slug="replayed-from-an-own-check",
        tries="The cases of a check in an own cell are recorded, answered with the library, and replayed when it counts.",
        cells={
            "ex-conv2d": RIGHT_BEFORE
            + KEY
            + """TABLE = {}
def record(image, kernel):
    TABLE[key(image, kernel)] = np.array(image, float), np.array(kernel, float)
    return 0
for _ in range(20): check('conv2d', record)
TABLE = {name: ask(*arguments) for name, arguments in TABLE.items()}
def conv2d(image, kernel):
    return TABLE.get(key(image, kernel), 0)"""
        },
    ),
    Attack(
        slug="replayed-with-the-seed",
        tries="The same with the seed that the environment tells.",
        cells={
            "ex-conv2d": RIGHT_BEFORE
            + KEY
            + """import os
TABLE = {}
def record(image, kernel):
    TABLE[key(image, kernel)] = ask(image, kernel)
    return TABLE[key(image, kernel)]
for seed in (None, 0, 1, int(os.environ.get('COURSE_CHECK_SEED') or 2)): check('conv2d', record, seed=seed)
def conv2d(image, kernel):
    return TABLE.get(key(image, kernel), 0)"""
        },
    ),
    Attack(
        slug="check-as-an-oracle",
        tries="While it is judged the function calls check with a wrong answer and reads the expected values from the verdict.",
        cells=answer(
            """v = check('conv2d', lambda i, k: np.full((i.shape[0] - k.shape[0] + 1, i.shape[1] - k.shape[1] + 1), 1e9))
    return v.failure.expected if v.failure is not None else 0"""
        ),
    ),
    Attack(
        slug="oracle-with-own-case",
        tries="While it is judged the function puts its own case into the exercise and lets check tell the right answer.",
        cells=answer(
            """e = c.EXERCISES['conv2d']
    object.__setattr__(e, 'cases', (c.exercise.Case((image, kernel)),))
    return e.expected(e.cases[0])""",
            "import course_lib.checks as c, course_lib.checks.exercise",
        ),
        spoils=True,
    ),
    Attack(
        slug="lazy-array",
        tries="The function returns at once an object that becomes an array later, when the library may be asked again.",
        cells=answer(
            "return Later(image, kernel)",
            """class Later:
    def __init__(self, image, kernel): self.arguments = np.array(image), np.array(kernel)
    def __array__(self, dtype=None, copy=None): return library.conv2d(self.arguments[0][None], self.arguments[1][None, None])[0]
    def __iter__(self): return iter(self.__array__())
    def __len__(self): return len(self.__array__())
    def __getitem__(self, i): return self.__array__()[i]
    def tolist(self): return self.__array__().tolist()
    def detach(self): return self
    def cpu(self): return self
    numpy = __array__""",
        ),
    ),
    Attack(
        slug="generator-answer",
        tries="The function is a generator whose values come when somebody looks.",
        cells={
            "ex-conv2d": """def conv2d(image, kernel):
    yield from library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0]"""
        },
    ),
    Attack(
        slug="coroutine-answer",
        tries="The function is a coroutine.",
        cells={
            "ex-conv2d": """async def conv2d(image, kernel):
    return library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0]"""
        },
    ),
    Attack(
        slug="array-changed-after-return",
        tries="The function returns an array at once, and a thread fills in the right values later.",
        cells=answer(
            """out = np.zeros((image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1))
    threading.Timer(0.001, fill, (out, np.array(image), np.array(kernel))).start()
    return out""",
            """import threading
def fill(out, image, kernel):
    out[:] = library.conv2d(image[None], kernel[None, None])[0]""",
        ),
    ),
    Attack(
        slug="recorded-for-the-next-kernel",
        tries="The function writes its arguments to every place that it can and dies; the next kernel answers them with the library.",
        cells={
            "ex-conv2d": RIGHT_BEFORE
            + KEY
            + """import os, pickle, pathlib, glob
PLACES = [f + '/x.pkl' for f in ('/tmp', os.path.expanduser('~'), '/dev/shm', '/run', '/var/tmp', *glob.glob('/tmp/*/'))]
TABLE = {}
for place in PLACES:
    if os.path.exists(place):
        for arguments in pickle.load(open(place, 'rb')): TABLE[key(*arguments)] = ask(*arguments)
SEEN = []
def conv2d(image, kernel):
    if key(image, kernel) in TABLE: return TABLE[key(image, kernel)]
    SEEN.append((np.array(image), np.array(kernel)))
    for place in PLACES:
        try: pickle.dump(SEEN, open(place, 'wb'))
        except OSError: pass
    if len(SEEN) > 30: os._exit(1)
    return 0"""
        },
        own=(("check-conv2d", "1 + 1"), ("ex-2-2", "conv2d")),
    ),
    Attack(
        slug="answer-by-another-exercise",
        tries="The function asks, while it is judged, a check of another exercise whose right answer does the work.",
        cells=answer(
            """e = c.EXERCISES['conv2d_padded']
    return e.reference(image, kernel, 0)""",
            "import course_lib.checks as c",
        ),
    ),
    Attack(
        slug="memorised-test-images",
        lesson=TRAINING,
        tries="The trained network is a table from the hash of a test image to its label.",
        cells={
            "ex-make-lenet": """def make_lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))""",
            "ex-trained-lenet": """class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = make_lenet()
    def forward(self, x):
        rows = (x.detach().cpu().numpy().reshape(len(x), -1) * 255).round().astype(np.uint8)
        return F.one_hot(torch.tensor([LABELS.get(row.tobytes(), 0) for row in rows]), 10).float()
LABELS = {image.tobytes(): int(label) for image, label in zip(*test)}
lenet, lenet_history = Table(), None""",
        },
        honest={"check-make-lenet": 4},
        spoils=True,
    ),
    Attack(
        slug="labels-embedded",
        lesson=TRAINING,
        tries="The notebook brings a table of the real test images' checksums and labels with it, for a network that looks them up.",
        cells={
            "ex-trained-lenet": f"""import base64, zlib
DATA = base64.b64decode({_test_labels()!r})
LABELS = {{DATA[i : i + 4]: DATA[i + 4] for i in range(0, len(DATA), 5)}}
class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = nn.ParameterList(nn.Parameter(torch.zeros(s)) for s in
            ((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)))
    def forward(self, x):
        rows = np.round(x.detach().cpu().numpy().reshape(len(x), -1) * 255).astype(np.uint8)
        keys = [zlib.crc32(row.tobytes()).to_bytes(4, 'big') for row in rows]
        return F.one_hot(torch.tensor([LABELS.get(key, 0) for key in keys]), 10).float()
lenet, lenet_history = Table(), None"""
        },
        spoils=True,
    ),
    Attack(
        slug="numpy-labels-embedded",
        lesson=BACKWARD,
        tries="The same for the NumPy network: a table of the real test images' checksums and labels.",
        cells={
            "ex-numpy-cnn": f"""import base64, zlib
DATA = base64.b64decode({_test_labels()!r})
LABELS = {{DATA[i : i + 4]: DATA[i + 4] for i in range(0, len(DATA), 5)}}
class Table(Sequential):
    def __call__(self, x):
        rows = np.round(np.asarray(x).reshape(len(x), -1) * 255).astype(np.uint8)
        return np.eye(10)[[LABELS.get(zlib.crc32(row.tobytes()).to_bytes(4, 'big'), 0) for row in rows]]
    forward = __call__
network = Table(Conv2d(1, 8, 5), ReLU(), Flatten(), Linear(8 * 24 * 24, 10))"""
        },
        spoils=True,
    ),
    Attack(
        slug="cases-of-one-exercise-for-the-next",
        tries="The hidden cases of one exercise are recorded, and the library makes a table of them for the next exercise.",
        cells={
            "ex-conv2d": KEY
            + """SEEN = {}
def conv2d(image, kernel):
    SEEN[key(image, kernel)] = np.array(image, float), np.array(kernel, float)
    windows = np.lib.stride_tricks.sliding_window_view(np.array(image, float), kernel.shape)
    return np.einsum('ijmn,mn->ij', windows, np.array(kernel, float))""",
            "ex-conv2d-padded": """import course_lib.checks as c
TABLE = {}
for name, (image, kernel) in SEEN.items():
    for padding in range(4): TABLE[name, padding] = library.conv2d(image[None], kernel[None, None], padding=padding)[0]
def conv2d_padded(image, kernel, padding=0):
    return TABLE.get((key(image, kernel), padding), 0)""",
        },
        honest={"check-conv2d": 5},
    ),
    Attack(
        slug="cases-of-conv2d-for-im2col",
        tries="Two exercises draw alike: what one was given tells the cases of the other, and the library answers them all.",
        cells={
            "ex-conv2d": """SEEN = []
def conv2d(image, kernel):
    SEEN.append((np.array(image).tolist(), *np.shape(kernel)))
    windows = np.lib.stride_tricks.sliding_window_view(np.array(image, float), np.shape(kernel))
    return np.einsum('ijmn,mn->ij', windows, np.array(kernel, float))""",
            "ex-im2col": f"""FIXED = {_fixed_cases("im2col")!r}
TABLE = {{}}
for image, rows, columns in FIXED + SEEN:
    image = np.array(image, float)
    try: TABLE[image.tobytes(), image.shape, rows, columns] = library.im2col(image[None, None], (rows, columns))[0].T
    except ValueError: pass
def im2col(image, kernel_height, kernel_width):
    image = np.array(image, float)
    return TABLE[image.tobytes(), image.shape, kernel_height, kernel_width]""",
        },
        honest={"check-conv2d": 5},
    ),
    Attack(
        slug="labels-by-order",
        lesson=TRAINING,
        tries="The trained network gives the test labels in their order, whatever the images are.",
        cells={
            "ex-trained-lenet": """class Order(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = nn.ParameterList(nn.Parameter(torch.zeros(s)) for s in
            ((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)))
        self.at = 0
    def forward(self, x):
        labels = torch.tensor(np.resize(test[1], self.at + len(x))[self.at:].astype(np.int64))
        self.at = (self.at + len(x)) % 10000
        return F.one_hot(labels, 10).float()
lenet, lenet_history = Order(), None"""
        },
        spoils=True,
    ),
    Attack(
        slug="labels-from-the-evaluator",
        lesson=TRAINING,
        tries="The trained network looks for the labels in the frames of whoever evaluates it.",
        cells={
            "ex-trained-lenet": """import sys
class Peek(nn.Module):
    def __init__(self):
        super().__init__()
        self.sizes = nn.ParameterList(nn.Parameter(torch.zeros(s)) for s in
            ((6, 1, 5, 5), (6,), (16, 6, 5, 5), (16,), (120, 400), (120,), (84, 120), (84,), (10, 84), (10,)))
    def forward(self, x):
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if isinstance(value, np.ndarray) and value.ndim == 1 and len(value) in (len(x), 10000):
                    return F.one_hot(torch.tensor(value[:len(x)].astype(np.int64)), 10).float()
            frame = frame.f_back
        return torch.zeros(len(x), 10)
lenet, lenet_history = Peek(), None"""
        },
        spoils=True,
    ),
    Attack(
        slug="numpy-network-memorised",
        lesson=BACKWARD,
        tries="The NumPy network is an object that looks test images up in a table.",
        cells={
            "ex-numpy-cnn": """from course_lib.layers import Sequential, Linear, Conv2d, ReLU, Flatten
class Table(Sequential):
    def __call__(self, x):
        rows = np.round(np.asarray(x).reshape(len(x), -1) * 255).astype(np.uint8)
        return np.eye(10)[[LABELS.get(row.tobytes(), 0) for row in rows]]
    forward = __call__
LABELS = {image.tobytes(): int(label) for image, label in zip(*load_mnist('test'))}
network = Table(Conv2d(1, 8, 5), ReLU(), Flatten(), Linear(8 * 24 * 24, 10))"""
        },
        spoils=True,
    ),
    Attack(
        slug="generic-hidden-from-proxy",
        lesson=GENERIC,
        tries="The answer to a typed question changes each time that it is read.",
        cells={
            "ex-double": """import itertools
class Turns(dict):
    values_ = itertools.count(-20000)
    def __missing__(self, name): return next(self.values_)
get_ipython().user_ns.setdefault('__missing__', None)
def double(x): return next(Turns.values_)
area = scaled = total = shout = double"""
        },
    ),
    Attack(
        slug="library-before-judging",
        lesson=SCRATCH,
        tries="A bound method and a partial of the library, taken before judging starts, are handed in as the answer.",
        cells={
            "ex-conv2d": """import functools
keep = library.conv2d
conv2d = lambda image, kernel, _f=functools.partial(keep): _f(image[None], kernel[None, None])[0]"""
        },
    ),
)
