"""A course on disk: its folders, its nbgrader configuration, its gradebook."""

import contextlib
import copy
import functools
import json
import logging
import os
import warnings
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

CONFIG = "nbgrader_config.py"
REPOSITORY = Path(__file__).resolve().parents[1]


class CourseError(Exception):
    """Something the instructor can put right; its message says what and how."""


class Course:
    """The folder that holds `nbgrader_config.py`, with everything nbgrader does in it.

    Parameters
    ----------
    root : path_like
        The folder. Where nbgrader's steps lie in it (`solutions/`, `notebooks/`, ...) is read from its `nbgrader_config.py`.
    settings : traitlets.config.Config, optional
        Merged over the file's settings, such as shorter time limits.
    """

    def __init__(self, root=REPOSITORY, settings=None):
        self.root = Path(root).resolve()
        self._settings = settings
        self._config = None
        self._tests = {}
        if not (self.root / CONFIG).is_file():
            raise CourseError(f"{self.root} is no course: it holds no {CONFIG}.")

    @property
    def config(self):
        """The settings of `nbgrader_config.py` as nbgrader reads them."""
        if self._config is None:
            from traitlets.config import PyFileConfigLoader

            self._config = PyFileConfigLoader(CONFIG, path=str(self.root)).load_config()
            self._config.CourseDirectory.root = str(self.root)
            if self._settings:
                self._config.merge(self._settings)
        return self._config

    def folder(self, step):
        """The folder of an nbgrader step: source, release, submitted, autograded or feedback."""
        return self.root / self.config.CourseDirectory[f"{step}_directory"]

    @property
    def received(self):
        """Where hand-ins are kept for ever, as they came."""
        return self.root / "received"

    @property
    def records(self):
        """Where it is kept what came of running hand-ins (see `ledger.py`)."""
        return self.root / "records"

    def lessons(self, step="source"):
        """Names of the lessons that have a notebook in the folder of a step, in order."""
        folder = self.folder(step)
        return sorted(path.name for path in folder.glob("*") if (path / f"{path.name}.ipynb").is_file())

    def notebook(self, step, lesson, student="."):
        """Path of a lesson's notebook at a step."""
        return self.folder(step) / student / lesson / f"{lesson}.ipynb"

    def choose(self, lesson=None, step="source"):
        """The lessons to work on: all of them, or the one named (see `matching`)."""
        lessons = self.lessons(step)
        if lesson is None:
            return lessons
        named = matching(lesson, lessons)
        if len(named) != 1:
            there_are = ", ".join(lessons) or "none yet"
            raise CourseError(f"{self.folder(step).name}/ has no lesson {lesson!r}. Lessons there: {there_are}.")
        return named

    def gradebook(self):
        """The gradebook of nbgrader, open; close it, or use it in a `with` statement."""
        directory = self._directory()
        return _nbgrader_api().Gradebook(directory.db_url, directory.course_id)

    def tests(self, lesson):
        """The text of each test cell of a lesson by its name, as the gradebook has it: hidden tests included."""
        if lesson not in self._tests:
            with self.gradebook() as gradebook:
                try:
                    cells = gradebook.find_notebook(lesson, lesson).source_cells
                    names = {cell.name for cell in gradebook.find_notebook(lesson, lesson).grade_cells}
                except _nbgrader_api().MissingEntry:
                    return {}
                self._tests[lesson] = {cell.name: cell.source for cell in cells if cell.name in names and cell.cell_type == "code"}
        return self._tests[lesson]

    def forget_tests(self):
        """Ask the gradebook anew for the tests of lessons, which have been released since."""
        self._tests = {}

    def _directory(self, **changes):
        from nbgrader.coursedir import CourseDirectory

        return CourseDirectory(config=self.config, **changes)

    def convert(self, converter_name, lesson, student=None, settings=None, **changes):
        """Run one of nbgrader's converters on one lesson (and student), in this process.

        Parameters
        ----------
        converter_name : str
            ``"GenerateAssignment"`` or ``"Autograde"``.
        lesson, student : str
            What to convert.
        settings : traitlets.config.Config, optional
            Merged over the course's settings this once.
        **changes
            Traits of `CourseDirectory` that differ this once.

        Raises
        ------
        CourseError
            With nbgrader's own reason.
        """
        _nbgrader_api()
        from nbgrader import converters

        if student is not None:
            changes["student_id"] = student
        directory = self._directory(assignment_id=lesson, **changes)
        config = copy.deepcopy(self.config)
        config.Exporter.optimistic_validation = True  # once at the end, not after each step
        if settings:
            config.merge(settings)
        converter = getattr(converters, converter_name)(coursedir=directory, config=config)
        converter.force = True
        with _quiet(converter.log) as errors, _environment():
            try:
                converter.start()
            except converters.base.NbGraderException as error:
                raise CourseError(_reason(errors) or str(error)) from error


def matching(lesson, names):
    """Those of the names that a lesson's name, number (`2`, `02`) or the beginning of its name may mean."""
    if lesson.isdigit():
        return [name for name in names if name.split("_")[0].isdigit() and int(name.split("_")[0]) == int(lesson)]
    return [name for name in names if name == lesson] or [name for name in names if name.startswith(lesson)]


@functools.cache
def _nbgrader_api():
    """The module `nbgrader.api`, such that what nbgrader does once for each notebook, or each cell of it, is done once.

    To learn the version of a new gradebook's tables nbgrader runs the command `alembic`, which takes as long as all the rest and is not
    always on the PATH; alembic's own library knows the answer. A gradebook is opened several times a hand-in, each time with a new
    SQLAlchemy engine, which forgets all statements that were compiled; and each cell's metadata is held against a schema that is first
    held against the schema of schemas.
    """
    import jsonschema
    import nbgrader.api
    from alembic.script import ScriptDirectory
    from nbgrader.nbgraderformat import common
    from sqlalchemy.exc import SAWarning

    warnings.filterwarnings("ignore", category=SAWarning, module="nbgrader")  # about how nbgrader uses SQLAlchemy; not for us to mend
    folder = Path(nbgrader.api.__file__).with_name("alembic")
    nbgrader.api.get_alembic_version = lambda: ScriptDirectory(str(folder)).get_current_head()
    nbgrader.api.create_engine = functools.cache(nbgrader.api.create_engine)

    @functools.cache
    def validator(schema):
        schema = json.loads(schema)
        kind = jsonschema.validators.validator_for(schema)
        kind.check_schema(schema)
        return kind(schema)

    common.jsonschema = SimpleNamespace(validate=lambda instance, schema: validator(json.dumps(schema)).validate(instance))
    return nbgrader.api


@contextlib.contextmanager
def _quiet(log):
    """Keep a converter's log off the terminal; yield a list that gathers its errors."""
    errors = []

    class Gather(logging.Handler):
        def emit(self, record):
            errors.append(record.getMessage())

    gather = Gather(level=logging.ERROR)
    handlers, propagate, level = log.handlers[:], log.propagate, log.level
    log.handlers, log.propagate = [gather], False
    log.setLevel(logging.ERROR)
    try:
        yield errors
    finally:
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)


@contextlib.contextmanager
def _environment():
    """Put the environment and the working folder back: nbgrader leaves both changed after a failure."""
    before, folder = dict(os.environ), os.getcwd()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        os.chdir(folder)


def _reason(errors):
    """The line that tells most in what a converter logged: the last line of its traceback."""
    tracebacks = [error.strip() for error in errors if "Traceback (most recent call last)" in error]
    return tracebacks[-1].splitlines()[-1] if tracebacks else (errors[0] if errors else "")


def write_json(path, value):
    """Write JSON for good, and so that no reader ever sees half of it, whenever this process or the machine stops."""
    _write_whole(path, json.dumps(value, indent=1) + "\n", Path.replace)


def write_once(path, text):
    """Write a text as `write_json` does, but only where no file is yet.

    Raises
    ------
    FileExistsError
    """
    _write_whole(path, text, lambda partial, path: os.link(partial, path))


def _write_whole(path, text, put):
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        put(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    make_durable(path.parent)


def make_durable(path):
    """See to it that a file, or what a folder lists, is on the disk and not only on its way there."""
    with contextlib.suppress(OSError):  # not every system lets a folder be opened
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_json(path):
    """The JSON in a file, or None where there is no such file or no sense in it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def parse_date(text):
    """A date such as ``2026-03-01 23:59``, in this machine's time zone unless it carries one."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise CourseError(f"{text!r} is no date. Write it as 2026-03-01 23:59 or 2026-03-01T23:59+01:00.") from None
