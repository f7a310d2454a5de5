"""What acts later: threads, daemons, children, timers, finalizers."""

from . import GENERIC, Attack
from .hooks import RESULT, SHELL, conv2d

ATTACKS = (
    Attack(
        slug="thread-patches-later",
        tries="A thread waits until the function is judged, then replaces check and the comparison.",
        **conv2d(
            """import threading, time, sys
def later():
    while True:
        time.sleep(0.001)
        e = sys.modules.get('course_lib.checks.exercise')
        if e: e.agree = e.CodeExercise._is_right = lambda *a, **k: True
        globals()['check'] = lambda *a, **k: 5.0
threading.Thread(target=later, daemon=True).start()
time.sleep(0.1)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="thread-publishes",
        tries="A thread publishes results all the time.",
        **conv2d(
            SHELL
            + f"""import threading, time
def publish():
    while True:
        time.sleep(0.003)
        try:
            shell.kernel.session.send(shell.kernel.iopub_socket, 'execute_result', {RESULT}, parent=shell.kernel.get_parent())
        except Exception: pass
threading.Thread(target=publish, daemon=True).start()""",
            spoils=True,
        ),
    ),
    Attack(
        slug="thread-reads-frames",
        tries="A thread reads the frames of the main thread while it is judged, and leaves what it finds for the function.",
        cells={
            "ex-conv2d": """import threading, sys, time
FOUND = {}
def watch():
    while True:
        for frame in list(sys._current_frames().values()):
            while frame:
                owner = frame.f_locals.get('self')
                if hasattr(owner, 'reference'): FOUND['it'] = owner.reference
                frame = frame.f_back
        time.sleep(0.0005)
threading.Thread(target=watch, daemon=True).start()
def conv2d(image, kernel):
    time.sleep(0.02)
    return FOUND['it'](image, kernel)"""
        },
    ),
    Attack(
        slug="child-publishes",
        tries="A forked child keeps the kernel's sockets and publishes results after its parent has gone on.",
        **conv2d(
            SHELL
            + f"""import os, time
if not os.fork():
    while True:
        time.sleep(0.01)
        try:
            shell.kernel.session.check_pid = False
            shell.kernel.session.send(shell.kernel.iopub_socket, 'execute_result', {RESULT})
        except BaseException: pass""",
            spoils=True,
        ),
    ),
    Attack(
        slug="child-takes-over",
        tries="The kernel forks, and the parent dies: the child, out of the group, goes on in its place with patched checks.",
        **conv2d(
            """import os
if os.fork():
    os._exit(0)
os.setsid()
check = lambda *a, **k: 5.0""",
            spoils=True,
        ),
    ),
    Attack(
        slug="timer-signal",
        tries="A timer's signal handler runs in the middle of the check and rewrites it.",
        **conv2d(
            """import signal, sys
def handler(number, frame):
    globals()['check'] = lambda *a, **k: 5.0
    while frame:
        for name in ('right', 'outcomes'):
            if isinstance(frame.f_locals.get(name), list): frame.f_locals[name][:] = [True] * len(frame.f_locals[name])
        frame = frame.f_back
for kind in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGUSR1): signal.signal(kind, handler)
signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="event-loop-task",
        tries="Tasks and callbacks in the kernel's event loop act between the cells.",
        **conv2d(
            """import asyncio
async def later():
    while True:
        await asyncio.sleep(0)
        globals()['check'] = lambda *a, **k: 5.0
        get_ipython().user_ns['check'] = globals()['check']
task = asyncio.get_event_loop().create_task(later())
asyncio.get_event_loop().call_later(0.01, lambda: globals().update(check=lambda *a, **k: 5.0))""",
            spoils=True,
        ),
    ),
    Attack(
        slug="finalizers",
        tries="Finalizers, garbage callbacks and exit handlers act when something else is cleaned up.",
        **conv2d(
            """import gc, atexit, weakref
def act(*a):
    globals()['check'] = lambda *a, **k: 5.0
gc.callbacks.append(act)
atexit.register(lambda: print('5.0'))
class Dies:
    __del__ = act
ring = [Dies()]
ring.append(ring)
del ring
gc.set_threshold(1)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="audit-hook",
        tries="An audit hook, which cannot be removed, acts whenever something is compiled or executed.",
        **conv2d(
            """import sys
def hook(event, arguments):
    if event in ('compile', 'exec'):
        globals()['check'] = lambda *a, **k: 5.0
sys.addaudithook(hook)""",
            spoils=True,
        ),
    ),
    Attack(
        slug="late-answer-from-a-child",
        tries="Another process of the student's, started before, answers in place of the function with the library's help.",
        cells={
            "ex-conv2d": """import os, pickle, socket
here, there = socket.socketpair()
if not os.fork():
    import course_lib.convolution as own
    while True:
        image, kernel = pickle.loads(there.recv(1 << 20))
        try: value = own.conv2d(image[None], kernel[None, None])[0]
        except BaseException: value = 0
        there.send(pickle.dumps(value))
def conv2d(image, kernel):
    here.send(pickle.dumps((np.array(image), np.array(kernel))))
    return pickle.loads(here.recv(1 << 20))"""
        },
        limits={"timeout": 4},
    ),
    Attack(
        slug="late-answer-from-a-thread",
        tries="A thread that runs outside of the call asks the library, while the function waits for it.",
        cells={
            "ex-conv2d": """import queue, threading
asked, told = queue.Queue(), queue.Queue()
def serve():
    while True:
        image, kernel = asked.get()
        try: told.put(library.conv2d(np.array(image)[None], np.array(kernel)[None, None])[0])
        except BaseException: told.put(0)
threading.Thread(target=serve, daemon=True).start()
def conv2d(image, kernel):
    asked.put((image, kernel))
    return told.get(timeout=3)"""
        },
    ),
    Attack(
        slug="generic-thread",
        lesson=GENERIC,
        tries="In another instructor's course a thread keeps redefining what tests use.",
        cells={
            "ex-double": """import threading, time, builtins
def later():
    while True:
        np.allclose = lambda *a, **k: True
        globals().update(abs=lambda v: 0, sum=lambda v: 4)
        time.sleep(0.001)
threading.Thread(target=later, daemon=True).start()
def double(x): return 0
area = scaled = total = shout = double"""
        },
    ),
)
