"""Looking for secrets: the environment, other files, processes, the network, the hidden cases, the reference, the test labels.

Each of these prints what it finds. What must be hidden is planted by the tests (see `SEED`, `SECRET`, `IN_THE_SOURCES`); a text that an
attack prints only when it has found something is named in `hides`.
"""

from pathlib import Path

from . import GENERIC, HANDS, SCRATCH, TRAINING, Attack

REPOSITORY = Path(__file__).resolve().parents[2]
FOUND = "FOUND-A-SECRET"
TELL = f"""def tell(*values):
    print({FOUND[:5]!r} + {FOUND[5:]!r}, *[str(value)[:2000] for value in values])
"""


def spy(slug, tries, source, lesson=SCRATCH, hides=(FOUND,), **more):
    """An attack that only looks: it takes nothing from its honest part."""
    return Attack(slug=slug, tries=tries, lesson=lesson, own=(("end", TELL + source),), hides=hides, **more)


ATTACKS = (
    spy(
        "environment",
        "The environment of this process and of all others is printed.",
        """import os, glob
print(dict(os.environ))
for path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
    try: print(path, open(path, 'rb').read())
    except OSError: pass""",
        hides=(),
    ),
    spy(
        "processes",
        "Other processes are looked for, and their memory is read.",
        """import os, ctypes
# the shell that keeps the jail open: it lies in the jail, as the student does, and holds nothing
holder = [p for p in os.listdir('/proc') if p == '2' and open('/proc/2/cmdline').read() == '/bin/sh\\0-c\\0echo; read _\\0']
for pid in (p for p in os.listdir('/proc') if p.isdigit()):
    for name in ('mem', 'maps', 'environ', 'root/etc/shadow', 'cwd', 'fd'):
        path = f'/proc/{pid}/{name}'
        try:
            if name in ('cwd', 'fd'): print(path, os.listdir(path) if name == 'fd' else os.readlink(path))
            else: open(path, 'rb').read(100); pid in ('self', str(os.getpid()), '1', *holder) or tell(path)
        except OSError: pass
print('ptrace', ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0))""",
    ),
    spy(
        "course-files",
        "Solutions, gradebook, seed, other students' work and the graders' home are read by their paths.",
        f"""import os, glob
root = {str(REPOSITORY)!r}
for pattern in ('solutions/**/*', 'tests/**/*', 'autograder/*', 'received/**/*', 'received/.seed', 'submitted/**/*', 'gradebook.db',
                'records/*', '.git/config', 'notebooks/**/*'):
    for path in glob.glob(f'{{root}}/{{pattern}}', recursive=True):
        tell(path)
for where in ('/root', '/home', '/etc', '/srv', '/mnt', '/media', '/opt', '/var'):
    print(where, os.listdir(where) if os.path.isdir(where) else None)
for path in ('/etc/shadow', '/etc/passwd', '/root/.bash_history', '/etc/hostname', '/etc/ssh'):
    if os.path.exists(path): tell(path)
up = os.getcwd()
for _ in range(12):
    up = os.path.dirname(up)
    print(up, sorted(os.listdir(up)) if os.access(up, os.R_OK) else None)""",
    ),
    spy(
        "everything-readable",
        "All files that can be read are searched for the texts of answers, of tests and of grading.",
        """import os
marks = [b'per' + b'ch-88' + b'12', b'sword' + b'fish-55' + b'19', b'4019' + b'283746', b'BEGIN' + b' SOLUTION']
skip = ('/proc', '/sys', '/usr', '/dev')
for where, inside, names in os.walk('/'):
    inside[:] = [d for d in inside if not os.path.join(where, d).startswith(skip) and d not in ('site-packages', 'MNIST')]
    for name in names:
        path = os.path.join(where, name)
        try:
            if os.path.isfile(path) and os.path.getsize(path) < 2_000_000:
                data = open(path, 'rb').read()
                if any(mark in data for mark in marks): tell(path)
        except OSError: pass""",
        limits={"timeout": 40},
    ),
    spy(
        "network",
        "Names are resolved, addresses are called, and abstract sockets are tried.",
        """import socket
for name in ('example.org', 'localhost'):
    try: print(socket.getaddrinfo(name, 80))
    except OSError as e: print(e)
for address in (('192.0.2.1', 80), ('127.0.0.1', 8786), ('127.0.0.1', 8787), ('127.0.0.1', 22), ('169.254.169.254', 80), ('10.0.0.1', 80)):
    try: socket.create_connection(address, 1); tell(address)
    except OSError: pass
for line in open('/proc/net/unix').read().splitlines()[1:]:
    name = line.split()[-1]
    if name.startswith('@'):
        try: s = socket.socket(socket.AF_UNIX); s.settimeout(1); s.connect('\\0' + name[1:]); tell(name)
        except OSError: pass
import urllib.request
try: tell(urllib.request.urlopen('http://example.org', timeout=1).read())
except Exception as e: print(type(e))""",
    ),
    spy(
        "seed",
        "The seed of the hidden cases is looked for in the environment, in modules, in memory and in random generators.",
        """import os, sys, gc, random
print(os.environ.get('COURSE_CHECK_SEED'), [v for v in vars(__import__('course_lib.checks')).items() if 'seed' in v[0]])
import numpy as np
print(np.random.get_state()[1][:5], random.getstate()[1][:3])
for name, module in list(sys.modules.items()):
    for key, value in list(getattr(module, '__dict__', {}).items()):
        if isinstance(value, int) and not isinstance(value, bool) and 2**31 < value < 2**32: print(name, key, value)
print([o for o in gc.get_objects() if isinstance(o, dict) and 'seed' in o and isinstance(o['seed'], int)][:20])
print(str(check('conv2d', lambda image, kernel: 0)), repr(vars(check('conv2d', lambda image, kernel: 0))))""",
        hides=(),
    ),
    spy(
        "memory-of-the-kernel",
        "The kernel's own memory is searched for the seed and for the text of the tests.",
        """import re
marks = [(b'40192', b'83746'), (b'swordf', b'ish-5519'), (b'perch', b'-8812')]  # never whole: each would find itself
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as mem:
    for line in maps:
        m = re.match(r'([0-9a-f]+)-([0-9a-f]+) r', line)
        if not m or 'vvar' in line or '.so' in line: continue
        a, b = int(m[1], 16), int(m[2], 16)
        if b - a > 1 << 28: continue
        try: mem.seek(a); data = mem.read(b - a)
        except (OSError, ValueError, OverflowError): continue
        for first, rest in marks:
            places = [m.end() for m in re.finditer(first, data)]
            if any(data[place : place + len(rest)] == rest for place in places): tell('in memory', line.strip())""",
        limits={"timeout": 30},
    ),
    spy(
        "reference-source",
        "The source of the reference implementations is printed, by inspect and from the library's files.",
        """import inspect, pathlib, course_lib, course_lib.convolution, course_lib.checks, sys
for module in [m for n, m in list(sys.modules.items()) if n.startswith('course_lib') and 'figures' not in n]:
    try: print(inspect.getsource(module))
    except Exception as e: print(type(e))
for path in pathlib.Path(course_lib.__file__).parent.rglob('*'):
    if path.parent.name != 'figures' and path.name.startswith(('convolution', 'pooling', 'lesson_0')): print(path.read_bytes())""",
        hides=("sliding_window_view(", "np.fft", "as_strided(", "reference="),
    ),
    spy(
        "expected-of-typed-answers",
        "The expected values of all typed answers are printed.",
        """import course_lib.checks as c
for name, one in c.EXERCISES.items():
    value = getattr(one, 'expected', None)
    if value is not None and not callable(value): tell(name, value)""",
        lesson=HANDS,
    ),
    Attack(
        slug="cases-told-later",
        tries="The function keeps the arguments of hidden cases, and a later cell prints them, which is of no use to anybody else.",
        cells={
            "ex-conv2d": """SEEN = []
def conv2d(image, kernel):
    SEEN.append((image.copy(), kernel.copy()))
    return 0"""
        },
        own=(("end", TELL + "SEEN and tell(len(SEEN), SEEN[-1])"),),
    ),
    Attack(
        slug="cases-told-by-an-exception",
        tries="The function raises an error whose text holds the arguments of a case.",
        cells={
            "ex-conv2d": f"""def conv2d(image, kernel):
    raise ValueError({FOUND[:5]!r} + {FOUND[5:]!r}, image.tolist(), kernel.tolist())"""
        },
    ),
    Attack(
        slug="cases-told-by-prints",
        tries="The function prints the arguments of hidden cases, also straight to the file descriptors.",
        cells={
            "ex-conv2d": f"""import os, sys
def conv2d(image, kernel):
    text = {FOUND[:5]!r} + {FOUND[5:]!r} + str((image, kernel))
    print(text); sys.__stdout__.write(text); sys.stderr.write(text); os.write(1, text.encode()); os.write(2, text.encode())
    return 0"""
        },
        hides=(FOUND,),
    ),
    Attack(
        slug="cases-told-by-display",
        tries="The function displays the arguments of hidden cases through the kernel.",
        cells={
            "ex-conv2d": f"""from IPython.display import display, HTML
def conv2d(image, kernel):
    display(HTML('<b>' + {FOUND[:5]!r} + {FOUND[5:]!r} + str((image, kernel))))
    return 0"""
        },
        hides=(FOUND,),
    ),
    Attack(
        slug="known-cases-only",
        tries="The function is right on the cases that everybody can know, so that the verdict would show a hidden one and its answer.",
        cells={
            "ex-conv2d": """KNOWN = []
def spy(image, kernel):
    KNOWN.append((image.tobytes(), kernel.tobytes(), right(image, kernel)))
    return KNOWN[-1][2]
def right(image, kernel):
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    return np.einsum('ijmn,mn->ij', np.lib.stride_tricks.sliding_window_view(image, kernel.shape), kernel)
check('conv2d', spy)
def conv2d(image, kernel):
    for a, b, value in KNOWN:
        if (a, b) == (image.tobytes(), kernel.tobytes()): return value
    return right(image, kernel) + 1"""
        },
    ),
    spy(
        "test-labels",
        "The labels of the test images are printed.",
        """import numpy as np, gzip, pathlib, course_lib
images, labels = load_mnist('test')
labels[:5].tolist() == [7, 2, 1, 0, 4] and tell(labels[:50])
for path in pathlib.Path(course_lib.__file__).parents[1].rglob('t10k-labels*'):
    data = path.read_bytes() if path.suffix != '.gz' else gzip.open(path).read()
    data[8:13] == bytes([7, 2, 1, 0, 4]) and tell(path)""",
        lesson=TRAINING,
        limits={"timeout": 30, "notebook_seconds": 120},
    ),
    spy(
        "test-source",
        "The source of the tests is looked for in the inputs, the history, the kernel and the memory.",
        """import gc
print([text for text in In if '7731' in text])
print([o for o in gc.get_objects() if isinstance(o, (dict, list)) and '-77' + '31' in str(o)[:100000]][:1])
print(list(get_ipython().history_manager.get_range()))""",
        lesson=GENERIC,
        hides=(),
    ),
    spy(
        "connection-file",
        "The key of the kernel's messages and the sockets' names are read, and used to talk to the kernel from outside.",
        """import glob, json
from ipykernel import get_connection_info
print(get_connection_info())""",
        hides=(),
    ),
)
