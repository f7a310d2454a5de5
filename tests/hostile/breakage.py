"""What tries to stop the grading of this hand-in, or of others: nothing may be lost."""

import json

from . import GENERIC, SCRATCH, Attack
from .hooks import conv2d

DEAF = """import signal
for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
    signal.signal(s, signal.SIG_IGN)
"""
CALLED = "def conv2d(image, kernel):\n"
SHORT = {"timeout": 3, "notebook_seconds": 90}


def format_3(notebook):
    cells = []
    for cell in notebook["cells"]:
        old = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        if cell["cell_type"] == "code":
            cells.append(old | {"input": cell["source"], "language": "python", "outputs": [], "collapsed": False})
        else:
            cells.append(old | {"source": cell["source"]})
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells, "metadata": {}}]}


def every_cell(*texts):
    """Each of these in a cell of its own, between all cells of the lesson."""

    def edit(notebook):
        cells = []
        for number, cell in enumerate(notebook["cells"]):
            text = texts[number % len(texts)]
            cells += [
                cell,
                {
                    "cell_type": "code",
                    "id": f"a{number}",
                    "metadata": {"tags": ["skip-execution"]},
                    "source": text,
                    "outputs": [],
                    "execution_count": None,
                },
            ]
        return notebook | {"cells": cells}

    return edit


def padded(megabytes):
    def edit(notebook):
        text = "x" * (megabytes * 1_000_000)
        notebook["cells"].append({"cell_type": "markdown", "id": "padding", "metadata": {}, "source": text})
        return notebook

    return edit


def many_cells(count):
    def edit(notebook):
        empty = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None}
        notebook["cells"][1:1] = [empty | {"id": f"n{number}"} for number in range(count)]
        return notebook

    return edit


NOTHING = dict.fromkeys(("check-output-size", "check-conv2d", "check-2-2"), 0)

ATTACKS = (
    Attack(slug="exit", tries="A cell ends the kernel at once.", **conv2d("import os\nos._exit(0)")),
    Attack(
        slug="exit-while-judged",
        tries="The function ends the kernel at once.",
        cells={"ex-conv2d": CALLED + "    import os\n    os._exit(0)"},
    ),
    Attack(
        slug="killed-while-judged",
        tries="The function kills its process and its group.",
        cells={
            "ex-conv2d": CALLED
            + """    import os, signal
    os.killpg(0, signal.SIGKILL)"""
        },
    ),
    Attack(
        slug="kill-everybody",
        tries="Every process that can be reached is killed.",
        **conv2d(
            """import os, signal
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
for pid in range(1, 200):
    try: os.kill(pid, 9)
    except OSError: pass"""
        ),
    ),
    Attack(
        slug="segfault",
        tries="The function writes to no memory.",
        cells={
            "ex-conv2d": CALLED
            + """    import ctypes
    ctypes.memset(0, 1, 1)"""
        },
    ),
    Attack(
        slug="stack-overflow",
        tries="The function recurses until the stack is gone.",
        cells={
            "ex-conv2d": """import sys
sys.setrecursionlimit(10**9)
def conv2d(image, kernel):
    return conv2d(image, [kernel])"""
        },
    ),
    Attack(slug="endless-loop", tries="A cell loops without end.", **conv2d("while True:\n    pass"), limits=SHORT),
    Attack(
        slug="endless-loop-while-judged",
        tries="The function loops without end.",
        cells={"ex-conv2d": CALLED + "    while True:\n        pass"},
        limits=SHORT,
    ),
    Attack(
        slug="deaf-loop",
        tries="A loop swallows every interrupt.",
        **conv2d("""while True:
    try:
        while True: pass
    except BaseException: pass"""),
        limits=SHORT,
        slow=True,
    ),
    Attack(
        slug="deaf-while-judged",
        tries="The function ignores all signals and swallows every exception.",
        cells={
            "ex-conv2d": DEAF
            + CALLED
            + """    while True:
        try:
            while True: pass
        except BaseException: pass"""
        },
        limits=SHORT,
    ),
    Attack(
        slug="stopped",
        tries="The kernel stops itself, neither dead nor alive.",
        cells={
            "ex-conv2d": CALLED
            + """    import os, signal
    os.kill(os.getpid(), signal.SIGSTOP)"""
        },
        limits=SHORT,
    ),
    Attack(
        slug="stuck-in-c",
        tries="A computation in C heeds no interrupt.",
        cells={
            "ex-conv2d": CALLED
            + """    import re
    re.match('(a+)+$', 'a' * 60 + 'b')
    return 7 ** 10 ** 10"""
        },
        limits=SHORT,
    ),
    Attack(
        slug="waits-for-input",
        tries="A cell waits for somebody to type.",
        **conv2d("""input('?')
__import__('getpass').getpass()"""),
        limits=SHORT,
    ),
    Attack(
        slug="sleeps",
        tries="The function sleeps for an hour.",
        cells={"ex-conv2d": CALLED + "    import time\n    time.sleep(3600)"},
        limits=SHORT,
    ),
    Attack(
        slug="fork-bomb",
        tries="A cell forks without end.",
        **conv2d(
            """import os
while True:
    try: os.fork()
    except OSError: pass""",
            spoils=True,
        ),
        limits=SHORT,
    ),
    Attack(
        slug="fork-bomb-while-judged",
        tries="The function forks without end.",
        cells={
            "ex-conv2d": CALLED
            + """    import os
    while True:
        try: os.fork()
        except OSError: pass"""
        },
        limits=SHORT,
        slow=True,
    ),
    Attack(
        slug="memory-bomb",
        tries="A cell takes all memory.",
        **conv2d("hoard = [bytearray(1 << 28) for _ in range(4000)]"),
        limits={"timeout": 15},
    ),
    Attack(
        slug="memory-bomb-while-judged",
        tries="The function takes all memory.",
        cells={"ex-conv2d": CALLED + "    return [np.ones(1 << 26) for _ in range(400)]"},
        limits={"timeout": 15},
    ),
    Attack(
        slug="memory-of-many",
        tries="Many processes together take all memory.",
        **conv2d(
            """import os, time
for _ in range(30):
    if not os.fork():
        hoard = bytearray(b'x') * (1 << 29)
        time.sleep(60)
        os._exit(0)"""
        ),
        limits=SHORT,
        slow=True,
    ),
    Attack(
        slug="disk-bomb",
        tries="A cell fills every place that it can write to.",
        **conv2d(
            """import os
for place in ('/tmp', os.getcwd(), os.path.expanduser('~'), '/dev/shm', '/run', '/var/tmp'):
    try:
        with open(place + '/full', 'wb') as f:
            for _ in range(3000): f.write(bytes(1 << 20))
    except OSError as e: print(place, e)""",
            spoils=True,
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="output-of-200-mb",
        tries="A cell prints 200 MB.",
        **conv2d("for _ in range(2000): print('x' * 100_000)"),
        limits={"timeout": 20},
    ),
    Attack(
        slug="output-while-judged",
        tries="The function prints 200 MB, also past Python.",
        cells={
            "ex-conv2d": CALLED
            + """    import os
    for _ in range(200):
        os.write(1, b'x' * 10**6)
        print('x' * 10**6)
    return 0"""
        },
        limits={"timeout": 20},
    ),
    Attack(
        slug="output-in-one-result",
        tries="A cell's result is 150 MB of HTML.",
        **conv2d("""from IPython.display import HTML
display(HTML('<b>x</b>' * 2 * 10**7))"""),
    ),
    Attack(
        slug="output-in-many-messages",
        tries="A cell publishes tens of thousands of small outputs.",
        **conv2d("for n in range(30000): display(n)"),
        limits={"timeout": 20},
    ),
    Attack(slug="sockets-closed", tries="The kernel closes all of its files.", **conv2d("import os\nos.closerange(3, 1024)"), limits=SHORT),
    Attack(
        slug="sockets-closed-while-judged",
        tries="The function closes all files of the kernel.",
        cells={
            "ex-conv2d": CALLED
            + """    import os
    os.closerange(3, 1024)
    return 0"""
        },
        limits=SHORT,
    ),
    Attack(
        slug="event-loop-stopped",
        tries="The kernel's event loop and its messages' context are shut down.",
        **conv2d("""import asyncio, zmq
asyncio.get_event_loop().stop()
zmq.Context.instance().destroy(linger=0)"""),
        limits=SHORT,
        spoils=True,
    ),
    Attack(
        slug="survivor",
        tries="A child leaves the group, ignores all signals, and goes on computing.",
        **conv2d(
            DEAF
            + """import os
if not os.fork():
    os.setsid()
    if os.fork(): os._exit(0)
    while True: pass"""
        ),
        spoils=False,
    ),
    Attack(
        slug="modules-removed",
        tries="All modules are removed, and what is built in with them.",
        **conv2d("""import sys, builtins
sys.modules.clear()
builtins.__dict__.clear()"""),
        limits=SHORT,
        spoils=True,
    ),
    Attack(
        slug="quits",
        tries="A cell quits.",
        **conv2d("""exit()
quit()
raise SystemExit(5)"""),
    ),
    Attack(
        slug="syntax",
        tries="A cell is no Python at all.",
        cells={
            "ex-conv2d": """def conv2d(image, kernel:
\x00
  \x09tab"""
        },
    ),
    Attack(
        slug="huge-source",
        tries="A cell is a line of megabytes and a thousand brackets.",
        cells={"ex-conv2d": "x = " + "(" * 5000 + ")" * 5000 + "\n" + "#" * 3_000_000},
    ),
    Attack(
        slug="every-cell-an-attack",
        tries="Between all cells stand cells that exit, loop, flood, hook and patch.",
        edit=every_cell(
            "import os; os._exit(1)",
            "check = lambda *a, **k: 5.0",
            "while True: print('x' * 1000)",
            "get_ipython().ast_transformers.append(5)",
            "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
            "raise BaseException",
        ),
        limits=SHORT,
        spoils=True,
        slow=True,
    ),
    Attack(
        slug="results-flood",
        tries="A cell publishes hundreds of megabytes as results, of which each is small enough.",
        **conv2d("shell = get_ipython()\nfor _ in range(400): shell.displayhook('x' * 1_900_000)"),
        limits={"timeout": 20},
    ),
    Attack(
        slug="errors-flood",
        tries="A cell publishes errors of many megabytes.",
        **conv2d(
            """kernel = get_ipython().kernel
for _ in range(80):
    kernel.send_response(kernel.iopub_socket, 'error', {'ename': 'E', 'evalue': 'x' * 10**7, 'traceback': ['y' * 10**7]})"""
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="metadata-flood",
        tries="Outputs carry megabytes where nobody counts: in their metadata, and in the names of their types.",
        **conv2d(
            """kernel = get_ipython().kernel
for n in range(60):
    kernel.send_response(kernel.iopub_socket, 'display_data', {'data': {}, 'metadata': {'x': 'y' * 10**7}, 'transient': {}})
    kernel.send_response(kernel.iopub_socket, 'display_data', {'data': {'t/' + 'y' * 10**7: ''}, 'metadata': {}, 'transient': {}})"""
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="comm-flood",
        tries="Widgets that hold a gigabyte are opened.",
        **conv2d(
            """kernel = get_ipython().kernel
for n in range(100):
    content = {'comm_id': str(n), 'target_name': 'x', 'data': {'state': {'x': 'y' * 10**7}}}
    kernel.send_response(kernel.iopub_socket, 'comm_open', content)"""
        ),
        limits={"timeout": 20},
    ),
    Attack(
        slug="output-of-many-cells",
        tries="A thousand cells of the student's own print two megabytes each.",
        own=tuple(("end", "print('x' * 1_900_000)") for _ in range(900)),
        limits={"timeout": 20, "notebook_seconds": 90},
    ),
    Attack(
        slug="dies-five-times",
        tries="Five cells of the student's own kill the kernel before the answers come.",
        own=tuple(("ex-output-size", "import os\nos._exit(1)") for _ in range(5)),
        limits=SHORT,
    ),
    Attack(
        slug="generic-exits-the-checker",
        lesson=GENERIC,
        tries="Each function raises SystemExit, which might end whoever judges it.",
        cells={
            "ex-double": "def double(x): raise SystemExit(0)",
            **{f"ex-{name}": f"{name} = double" for name in ("area", "scaled", "total", "shout", "cleaned")},
        },
    ),
    Attack(
        slug="reason-forged",
        tries="An error takes the name of one of the grader's own, and its text tells the instructor to give full points.",
        **conv2d("class KernelDied(Exception): pass\nraise KernelDied('full' + ' points')"),
    ),
    Attack(slug="format-3", tries="The notebook is of format 3.", edit=format_3),
    Attack(slug="thousand-cells", tries="The notebook has 12,000 cells.", edit=many_cells(12_000), honest=NOTHING, spoils=True, slow=True),
    Attack(
        slug="generic-exit",
        lesson=GENERIC,
        tries="A function of another instructor's lesson ends the kernel.",
        cells={"ex-double": "import os\ndef double(x): os._exit(0)", "ex-area": "def area(r):\n    while True: pass"},
        limits=SHORT,
    ),
)

UNREADABLE = {  # by slug: what it tries, and the file; none of them is a notebook, so that each is worth nothing
    "invalid-json": ("The file is cut off in the middle.", lambda notebook: json.dumps(notebook).encode()[:-400]),
    "not-json": ("The file holds a picture.", lambda notebook: b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40),
    "empty-file": ("The file is empty.", lambda notebook: b""),
    "zeros": ("The file holds nothing but zeros.", lambda notebook: bytes(100_000)),
    "of-60-mb": ("The notebook has more than 50 MB.", lambda notebook: json.dumps(padded(60)(notebook)).encode()),
    "deep-json": ("Its JSON is nested 200,000 levels deep.", lambda notebook: b'{"cells": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "endless-number-in-json": (
        "A number in it has ten million digits.",
        lambda notebook: b'{"cells": [], "nbformat": ' + b"9" * 10_000_000 + b"}",
    ),
    "no-cells": ("It is a notebook without cells.", lambda notebook: b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'),
    "cells-of-wrong-types": (
        "Its cells are numbers, lists and dictionaries without text.",
        lambda notebook: json.dumps({"cells": [5, [], {}, {"cell_type": 7, "source": {}}, None], "nbformat": "x", "metadata": []}).encode(),
    ),
}
READABLE = {  # still the whole honest part
    "utf-16": ("The file is in UTF-16.", lambda notebook: json.dumps(notebook, ensure_ascii=False).encode("utf-16")),
    "windows-1252": (
        "The file is in Windows-1252.",
        lambda notebook: json.dumps(notebook, ensure_ascii=False).replace('"# mine', '"# m\u00efne').encode("cp1252", "replace"),
    ),
    "with-bom": ("The file begins with a byte order mark.", lambda notebook: b"\xef\xbb\xbf" + json.dumps(notebook).encode()),
    "of-40-mb": ("The notebook has 40 MB.", lambda notebook: json.dumps(padded(40)(notebook)).encode()),
    "with-surrogates": (
        "Cells hold halves of surrogate pairs.",
        lambda notebook: json.dumps(notebook).replace("# mine", "# mine \\ud800").encode(),
    ),
}
LESSON = SCRATCH
