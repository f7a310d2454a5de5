"""Attacks on what runs between the kernel and whoever judges: sockets, frames, time."""

from . import Attack
from .hooks import conv2d
from .imposters import answer

FIND = """import gc, glob, os, socket, stat, struct, json, sys, threading, time
def places():
    found = []
    for root in ("/tmp", "/run", "/home", "/var/tmp", "/dev/shm", os.path.expanduser("~")):
        for where, _, names in os.walk(root):
            found += [os.path.join(where, name) for name in names if stat.S_ISSOCK(os.lstat(os.path.join(where, name)).st_mode)]
    return found
def sockets():
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"): found.append(int(fd))
        except OSError: pass
    return found
def frame(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return [struct.pack(f, len(data)) + data for f in (">I", "<I", ">Q", "<Q")] + [data + b"\\n"]
ARRAY = {"dtype": "<f8", "shape": [2, 2], "base64": "AAAA", "data": "AAAA"}
GOOD = {"status": "ok", "ok": True, "value": ARRAY, "result": ARRAY, "passed": True, "points": 5, "state": "right"}
ANSWERS = [GOOD | {"id": n, "request": n} for n in range(3)]
def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.5)
    s.connect(path)
    return s
"""

SEND = """import jailed.wire as w
old = w.send
def forge(change):
    def send(connection, message):
        if 'module' in message: return old(connection, message)
        for one in change(message): old(connection, one)
    w.send = send
"""
TEXTS = "forge(lambda m: [m | {'value': ['texts', [3_000_000], ['x' * 1000] + ['y'] * 2_999_999]}])"
CHANGED = "forge(lambda m: [m | {'changed': {str(i): w.pack(np.zeros((3, 3))) for i in range(4)}, 'value': w.pack(np.zeros((1, 1)))}])"
KINDS = """forge(lambda m: [m | {'value': value} for value in (
    ['_flat', 1], ['value', [1], 0], ['handle', 1], ['__class__'], ['count'], ['callable', 0], ['kept', 0],
    ['module', 0, 'x', True, [['a.b', None, True]], []], ['class', 0, 'x', [['a', 99, None]]],
    ['array', '<f8', [-1], 'C', True, ''], ['array', '|O', [1], 'C', True, 'AAAAAAAAAAA='],
)])"""

ATTACKS = (
    Attack(
        slug="forged-frames",
        tries="Frames that say that all is right are written to every socket that this process has open, while it is judged.",
        cells=answer(
            """for fd in sockets():
        for value in ANSWERS:
            for data in frame(value):
                try: os.set_blocking(fd, False); os.write(fd, data)
                except OSError: pass
    return 0""",
            FIND,
        ),
        spoils=True,
        limits={"timeout": 5},
    ),
    Attack(
        slug="forged-heartbeats",
        tries="Replies that nobody can read are written to every socket of this process, for some seconds.",
        cells=answer(
            """end = time.monotonic() + 3
    while time.monotonic() < end:
        for fd in sockets():
            try: os.set_blocking(fd, False); os.write(fd, b'\\x00\\x01x')
            except OSError: pass
        time.sleep(0.02)
    return 0""",
            FIND,
        ),
        spoils=True,
        limits={"timeout": 5},
    ),
    Attack(
        slug="connects-first",
        tries="Every socket that can be found is connected to before anybody else, and answers are sent in advance.",
        **conv2d(
            FIND
            + """kept = []
for path in places():
    try:
        s = connect(path)
        kept.append(s)
        for value in ANSWERS:
            for data in frame(value): s.send(data)
    except OSError: pass""",
            spoils=True,
        ),
        limits={"timeout": 5},
    ),
    Attack(
        slug="huge-lengths",
        tries="Frames announce gigabytes, negative lengths and nothing.",
        cells=answer(
            """for path in places():
        for head in (b'\\xff' * 8, b'\\x7f\\xff\\xff\\xff', bytes(8), b'\\x00\\x00\\x00\\x01', b'{' * 100000, b'-5\\n'):
            try:
                s = connect(path); s.send(head); s.send(b'x' * 1000); KEPT.append(s)
            except OSError: pass
    for fd in sockets():
        try: os.set_blocking(fd, False); os.write(fd, b'\\xff' * 8)
        except OSError: pass
    return 0""",
            FIND + "KEPT = []",
        ),
        spoils=True,
        limits={"timeout": 5},
    ),
    Attack(
        slug="replies-swallowed",
        tries="What is sent from this process is swallowed: no answer ever comes.",
        cells=answer(
            """socket.socket.send = socket.socket.sendall = lambda self, data, *a: len(data)
    os.write = lambda fd, data: len(data)
    return 0""",
            FIND,
        ),
        spoils=True,
        limits={"timeout": 4},
    ),
    Attack(
        slug="replies-closed-midway",
        tries="All sockets are closed after half an answer.",
        cells=answer(
            """for fd in sockets():
        try: os.write(fd, b'\\x00\\x00\\x01\\x00{"va'); os.close(fd)
        except OSError: pass
    return 0""",
            FIND,
        ),
        spoils=True,
        limits={"timeout": 4},
    ),
    Attack(
        slug="replies-rewritten",
        tries="Python's socket, json and base64 functions are patched to send other answers.",
        cells=answer(
            "return 0",
            FIND
            + """import base64
old = socket.socket.sendall
def sendall(self, data, *a):
    for value in ANSWERS: old(self, frame(value)[0])
    return old(self, data, *a)
socket.socket.sendall = sendall
json_dumps = json.dumps
json.dumps = lambda v, *a, **k: json_dumps(v | ANSWERS[0] if isinstance(v, dict) else v, *a, **k)""",
        ),
        spoils=True,
        limits={"timeout": 5},
    ),
    Attack(
        slug="answers-twice",
        tries="The requests are answered twice, and in advance, from the module of the kernel's side.",
        cells=answer(
            """for name, module in list(sys.modules.items()):
        if 'autograder' in name or name in ('servant', 'wire', 'edition', '_servant'):
            for key, value in list(vars(module).items()):
                if callable(value) and any(w in key.lower() for w in ('send', 'reply', 'write', 'answer', 'encode')):
                    setattr(module, key, lambda *a, _f=value, **k: (_f(*a, **k), _f(*a, **k))[0])
    return 0""",
            FIND,
        ),
        spoils=True,
        limits={"timeout": 5},
    ),
    Attack(
        slug="kernel-side-patched",
        tries="Every function of the module that serves in the kernel is replaced by one that says yes.",
        **conv2d(
            FIND
            + """for name, module in list(sys.modules.items()):
    file = str(getattr(module, '__file__', ''))
    if 'servant' in name or 'autograder' in file or 'edition' in name:
        for key, value in list(vars(module).items()):
            if callable(value): setattr(module, key, lambda *a, **k: {'ok': True, 'passed': True, 'points': 5, 'value': 5})""",
            spoils=True,
        ),
        limits={"timeout": 5},
    ),
    Attack(
        slug="library-while-judged",
        tries="The library's service is asked from new connections, threads and forked children while the function is judged.",
        cells=answer(
            """box = []
    def ask():
        try: box.append(library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0])
        except BaseException as e: box.append(e)
    for _ in range(3):
        t = threading.Thread(target=ask); t.start(); t.join(1)
    r, w = os.pipe()
    if not os.fork():
        try: os.write(w, np.asarray(library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0], float).tobytes())
        finally: os._exit(0)
    os.close(w); data = os.read(r, 1 << 16); os.wait()
    shape = image.shape[0] - kernel.shape[0] + 1, image.shape[1] - kernel.shape[1] + 1
    return next((b for b in box if isinstance(b, np.ndarray)), np.frombuffer(data).reshape(shape) if data else 0)""",
            FIND,
        ),
    ),
    Attack(
        slug="library-asked-in-a-queue",
        tries="Requests to the library are sent while judged and their answers collected by a later call.",
        cells={
            "ex-conv2d": FIND
            + """pending, done = [], {}
def worker():
    while True:
        time.sleep(0.05)
        for k in list(pending):
            try: done[k] = library.conv2d(np.frombuffer(k[1]).reshape(k[0])[None], np.frombuffer(k[3]).reshape(k[2])[None, None])[0]
            except BaseException: pass
threading.Thread(target=worker, daemon=True).start()
def conv2d(image, kernel):
    k = image.shape, np.array(image, float).tobytes(), kernel.shape, np.array(kernel, float).tobytes()
    pending.append(k)
    until = time.time() + 0.5
    while k not in done and time.time() < until: time.sleep(0.01)
    return done.get(k, 0)"""
        },
        limits={"timeout": 15},
    ),
    Attack(
        slug="service-filled",
        tries="Hundreds of connections to the library's service are opened and none is closed.",
        **conv2d(
            FIND
            + """kept = []
for path in places():
    for _ in range(300):
        try: kept.append(connect(path))
        except OSError: break""",
            spoils=True,
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="service-asked-for-the-impossible",
        tries="The library is asked for a convolution that takes forever, before the function is judged.",
        **conv2d(
            FIND
            + """def ask():
    try: library.conv2d(np.ones((64, 64, 512, 512)), np.ones((64, 64, 31, 31)), method='loops')
    except BaseException: pass
for _ in range(4): threading.Thread(target=ask, daemon=True).start()
time.sleep(1)""",
            spoils=True,
        ),
        limits={"timeout": 6},
        slow=True,
    ),
    Attack(
        slug="service-asked-for-hostile-things",
        tries="The library's stubs are called with objects, text, huge and lying arrays, and names of other functions.",
        **conv2d(
            FIND
            + """class Bad:
    def __reduce__(self): return (os._exit, (3,))
for f in [v for v in vars(library).values() if callable(v)][:40]:
    for a in ((), (Bad(),), ('x' * 10**6,), (np.broadcast_to(0.0, (10**5, 10**5)),), (np.array([Bad()], object),), (2**70, -1)):
        try: f(*a)
        except BaseException: pass""",
            spoils=True,
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="folder-taken",
        tries="In the folder of the answers' sockets, folders take the places of all sockets that are there and that will be.",
        **conv2d(
            """import os
place = os.path.dirname(os.environ['COURSE_LIBRARY'])
for name in (*os.listdir(place), 'library', *map(str, range(60))):
    path = os.path.join(place, name)
    try: os.rename(path, path + '.away')
    except OSError: pass
    os.makedirs(path + '/in/the/way')"""
        ),
        limits={"timeout": 5},
        spoils=True,
    ),
    Attack(
        slug="listens-first",
        tries="Sockets are bound by the names under which the checker will listen, and answer in its place.",
        **conv2d(
            """import os, socket
place, kept = os.path.dirname(os.environ['COURSE_LIBRARY']), []
for name in map(str, range(60)):
    s = socket.socket(socket.AF_UNIX)
    try: s.bind(os.path.join(place, name))
    except OSError: continue
    s.listen()
    kept.append(s)"""
        ),
        limits={"timeout": 5},
        spoils=True,
    ),
    *(
        Attack(
            slug=f"reply-with-hostile-{name}",
            tries="While it is judged, the function sends replies whose headers have the wrong form.",
            cells={
                "ex-conv2d": f"""kernel = get_ipython().kernel
def conv2d(image, kernel_):
    message = kernel.session.msg('execute_reply', {{'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {{}}}})
    message |= {change}
    for ident in (b'', *kernel._parent_ident.values()) if hasattr(kernel, '_parent_ident') else (b'',):
        for _ in range(3): kernel.session.send(kernel.shell_stream or kernel.shell_socket, dict(message), ident=ident)
        for _ in range(3): kernel.session.send(kernel.iopub_socket, dict(message), ident=ident)
    import time
    time.sleep(0.5)
    return 0"""
            },
            limits={"timeout": 6},
        )
        for name, change in {
            "parent": "{'parent_header': ['x']}",
            "parent-text": "{'parent_header': 'x'}",
            "header": "{'header': {'msg_id': ['x'], 'msg_type': {}, 'date': 'never'}}",
            "content": "{'content': ['x'], 'metadata': 5}",
        }.items()
    ),
    *(
        Attack(
            slug=f"kernel-side-{name}",
            tries=tries,
            cells={"ex-conv2d": SEND + source + "\ndef conv2d(image, kernel): return 0"},
            limits={"timeout": 4},
            spoils=True,
            slow=slow,
        )
        for name, tries, source, slow in (
            ("wrong-ids", "Answers to other requests are sent without end.", "forge(lambda m: [m | {'id': 10**9}] * 10**6)", True),
            ("many-values", "An answer is 90 MB of empty lists.", "forge(lambda m: [m | {'value': ['list', [[]] * (22 << 20)]}])", False),
            (
                "colliding-keys",
                "An answer is a dictionary whose keys all fall together.",
                "forge(lambda m: [m | {'value': ['dict', [[['int', hex(n * (2**61 - 1))], 0] for n in range(1, 200_000)]]}])",
                False,
            ),
            ("endless-texts", "An answer is an array of texts that needs terabytes.", TEXTS, False),
            ("says-changed", "Answers say that the arguments were changed, into zeros.", CHANGED, False),
            (
                "odd-changes",
                "Answers say that arguments of impossible numbers were changed.",
                "forge(lambda m: [m | {'changed': {'\u00b2': 1, '9' * 5000: 2}}])",
                False,
            ),
            ("unknown-kinds", "Answers are of kinds that do not exist, and that do in Python.", KINDS, False),
            (
                "not-a-number",
                "The numbers of the requests are answered with other types.",
                "forge(lambda m: [m | {'id': True}, m | {'id': [m['id']]}, m])",
                False,
            ),
        )
    ),
)
