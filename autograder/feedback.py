"""Feedback: one HTML page for each graded hand-in, about the student's own work.

A page is made of the gradebook (points, comments), the record of the run (verdicts; see `execution.execute`), the graded notebook and
the release. All that came from a hand-in is hostile: `pages` makes it safe. No test's source, no hidden case and no seed is on a page,
no traceback into anything but the student's own cells, and no path of the machine that graded.
"""

import base64
import binascii
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

import nbformat
from markupsafe import Markup
from nbgrader.api import MissingEntry
from nbgrader.utils import is_grade, is_locked, is_solution, is_task
from PIL import Image

from . import intake, pages
from .course import CourseError, read_json
from .execution import REASONS

LONGEST_SOURCE = 20_000  # characters of a cell
LONGEST_OUTPUT = 12_000  # characters of one output
MOST_OUTPUTS = 40  # of a cell
LARGEST_IMAGE = 4_000_000  # bytes
MOST_PIXELS = 25_000_000
ROOM = {"text": 600_000, "images": 25_000_000, "tags": 30_000}  # characters, bytes and tags of a whole page
STATES = {
    "right": "right",
    "partly": "partly right",
    "wrong": "not yet",
    "undone": "not done",
    "stopped": "stopped",
    "waiting": "not graded yet",
    "graded": "graded by hand",
}
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
OWN_FRAME = re.compile(r"(Cell )?In ?\[\d+\], line \d+")
A_PATH = re.compile(r"(?<![\w./])/(?:[\w.@+~-]{1,255}/){1,60}")
A_KERNEL_FILE = re.compile(r"(?:(?:/[\w.-]{1,60}){1,6}/ipykernel_\d+/|\b(?=\d{6}))\d+\.py\b")
TELLING = {"NameError", "NotImplementedError", "SyntaxError", "IndentationError"}  # their messages hold nothing of a test
IMAGES = {"image/png": "PNG", "image/jpeg": "JPEG"}


@dataclass
class Score:
    """What the gradebook says of one graded cell."""

    points: float
    of: float
    waiting: bool  # for a grade by hand
    by_hand: float | None  # what somebody set by hand
    automatic: float | None
    is_code: bool


@dataclass
class Standing:
    """What the gradebook says of one hand-in: scores by graded cell in the gradebook's order, comments by cell, penalty, lateness."""

    scores: dict
    comments: dict
    points: float
    of: float
    penalty: float
    seconds_late: float

    @property
    def waiting(self):
        return sum(score.waiting for score in self.scores.values())

    def part(self, is_code):
        """Points (earned, to be had) that tests gave, or that people gave."""
        scores = [score for score in self.scores.values() if score.is_code == is_code]
        return sum(score.points for score in scores), sum(score.of for score in scores)


@dataclass
class Exercise:
    """A section of a page: an exercise, the student's work on it, and what became of it."""

    anchor: str
    title: str
    state: str = ""
    score: Score | None = None
    question: str = ""  # HTML, as are the pieces of work, the card and the hints
    work: list = field(default_factory=list)
    card: str = ""
    hints: list = field(default_factory=list)
    comments: list = field(default_factory=list)


class Room:
    """What is left of a page's size."""

    def __init__(self):
        self.left = dict(ROOM)

    def text(self, text, most):
        """As much of a text as a piece may have and the page has room for, and whether that is all of it."""
        most = max(0, min(most, self.left["text"]))
        self.left["text"] -= min(len(text), most)
        return text[:most], len(text) <= most

    def tags(self, html):
        """Whether there is room for as many tags as some HTML has."""
        self.left["tags"] -= html.count("<")
        return self.left["tags"] >= 0

    def image(self, size):
        """Whether there is room for an image of this many bytes."""
        if size > min(LARGEST_IMAGE, self.left["images"]):
            return False
        self.left["images"] -= size
        return True


# ---------------------------------------------------------------------------------------------------- what is known


def feedback(course, lessons, student=None):
    """Write `feedback/STUDENT/LESSON/LESSON.html` for what is graded.

    Yields
    ------
    tuple of (str, str, str or None)
        Student, lesson, and what went wrong, if anything.
    """
    with course.gradebook() as gradebook:
        for lesson in lessons:
            for path in sorted(course.folder("autograded").glob(f"[!.]*/{lesson}/{lesson}.ipynb")):
                name = path.parents[1].name
                if student not in (None, name):
                    continue
                try:
                    page = make_page(course, gradebook, lesson, name)
                    pages.write(course.folder("feedback") / name / lesson / f"{lesson}.html", page)
                    yield name, lesson, None
                except CourseError as problem:
                    yield name, lesson, str(problem)
                except Exception as problem:  # one bad hand-in never stops the others
                    yield name, lesson, f"{type(problem).__name__}: {problem}"


def waiting(course, lessons, student=None):
    """How many answers still wait to be graded by hand, and of how many hand-ins."""
    counts = []
    with course.gradebook() as gradebook:
        for lesson in lessons:
            try:
                submissions = gradebook.find_assignment(lesson).submissions
            except MissingEntry:
                continue
            for one in submissions:
                if one.needs_manual_grade and student in (None, one.student.id):
                    counts.append(sum(grade.needs_manual_grade for notebook in one.notebooks for grade in notebook.grades))
    return sum(counts), len(counts)


def standing(submission):
    """What the gradebook says of a hand-in.

    Parameters
    ----------
    submission : nbgrader.api.SubmittedAssignment

    Returns
    -------
    Standing
    """
    scores = {grade.cell.name: _score(grade) for notebook in submission.notebooks for grade in notebook.grades}
    comments = [comment for notebook in submission.notebooks for comment in notebook.comments]
    return Standing(
        scores,
        {comment.cell.name: comment.comment for comment in comments if comment.comment},
        sum(score.points for score in scores.values()),
        sum(score.of for score in scores.values()),
        sum(notebook.late_submission_penalty or 0 for notebook in submission.notebooks),
        submission.total_seconds_late,
    )


def _score(grade):
    cell = grade.cell  # what is true of all hand-ins is asked of the cell: asked of a grade, it is a query each time
    is_code = cell.cell_type == "code"
    return Score(grade.score, cell.max_score, grade.needs_manual_grade, grade.manual_score, grade.auto_score, is_code)


def ledger_record(course, received):
    """The record of the run that graded a hand-in, or an empty one where there is none (as after plain nbgrader)."""
    key = ((received or {}).get("graded") or {}).get("record")
    record = read_json(course.root / "records" / f"{key}.json") if isinstance(key, str) and key.isalnum() else None
    return record if isinstance(record, dict) else {}


def hand_ins(course, student, lesson):
    """What intake knows of a student's hand-ins: the record of the one that is graded, and whether a newer one waits."""
    known = intake.records(course, student, lesson)
    graded = next((one for one in reversed(known) if "graded" in one), None)
    waits = bool(known) and "graded" not in known[-1] and "notebook_sha256" in known[-1]
    return graded or (known[-1] if known else {}), waits


def exercise_titles(release):
    """For each graded cell of a release a title: that of the lesson's heading before it, or else its name in the lesson."""
    titles, heading = {}, None
    for cell in release.cells:
        if _is_graded(cell):
            name = re.sub(r"^(check|think|test|ex)-", "", cell.metadata.nbgrader.grade_id)
            titles[cell.metadata.nbgrader.grade_id] = heading or f"Exercise {re.sub(r'(?<=[0-9])-(?=[0-9])', '.', name)}"
            heading = None
        elif cell.cell_type == "markdown":
            found = re.findall(r"^###+ +(.+)$", cell.source, re.MULTILINE)
            found += re.findall(r"^\*\*(\d[\w.]*)\*\*", cell.source, re.MULTILINE)
            if found:
                heading = re.sub(r" *\([\d.]+ points?\)", "", found[-1]).replace("`", "").replace("$", "").strip()
                heading = f"Exercise {heading}" if heading[:1].isdigit() else heading
    return titles


def lesson_title(release, lesson):
    """The first heading of a lesson, or else its folder's name."""
    found = re.search(r"^# +(.+)$", "\n".join(cell.source for cell in release.cells[:3] if cell.cell_type == "markdown"), re.MULTILINE)
    return found[1].strip() if found else lesson


def _is_graded(cell):
    return is_grade(cell) or is_task(cell)


# ---------------------------------------------------------------------------------------------------- a page


def make_page(course, gradebook, lesson, student):
    """The feedback page of one hand-in.

    Parameters
    ----------
    course : Course
    gradebook : nbgrader.api.Gradebook
    lesson, student : str

    Returns
    -------
    str
        HTML.
    """
    try:
        submission = gradebook.find_submission(lesson, student)
    except MissingEntry:
        raise CourseError(
            f"The gradebook has no grade of it. Grade it again: python -m autograder grade {lesson} --student {student}"
        ) from None
    received, waits = hand_ins(course, student, lesson)
    release = nbformat.read(course.notebook("release", lesson), as_version=4)
    graded = nbformat.read(course.notebook("autograded", lesson, student), as_version=4)
    known = standing(submission)
    problem = received.get("problem")
    failed = bool(received.get("graded")) and received["graded"].get("key") is None
    exercises = sections(release, graded, known, ledger_record(course, received))
    notes = (received.get("graded") or {}).get("notes", [])
    return pages.render(
        "feedback.html",
        lesson=lesson_title(release, lesson),
        student=student,
        name=_name(submission, received),
        handed_in=_moment(received, submission),
        late=late_by(known.seconds_late),
        known=known,
        automatic=known.part(is_code=True),
        by_hand=known.part(is_code=False),
        total=known.points - known.penalty,
        waits=waits,
        problem=problem,
        failed=failed,
        notes=[tidy(note) for note in notes],
        mends=[*received.get("notes", ()), *received.get("mends", ())],
        exercises=[] if problem or failed else [one for one in exercises if one.score],
        sections=[] if problem or failed else exercises,
        states=STATES,
    )


def _name(submission, received):
    """The student's name as the gradebook has it, or else where the hand-in came from."""
    name = " ".join(part for part in (submission.student.first_name, submission.student.last_name) if part)
    origin = received.get("from") if isinstance(received.get("from"), dict) else {}
    return name or " ".join(as_text(origin.get("name")).split())[:200]


def _moment(received, submission):
    """When it was handed in, in this machine's time, with its zone."""
    try:
        moment = datetime.fromisoformat(received["handed_in"])
    except (KeyError, TypeError, ValueError):
        if not submission.timestamp:
            return ""
        moment = submission.timestamp.replace(tzinfo=UTC)
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def late_by(seconds):
    """A time in words: 2 hours 5 minutes. Empty for none."""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    words = " ".join(f"{count} {unit}{'s' * (count != 1)}" for count, unit in parts if count)
    return words or ("less than a minute" if seconds > 0 else "")


def sections(release, graded, known, record):
    """The student's work in the lesson's order, an exercise a section; last, what came after all exercises.

    Parameters
    ----------
    release, graded : NotebookNode
        The lesson, and the hand-in after grading.
    known : Standing
    record : dict
        Of the run, or empty.

    Returns
    -------
    list of Exercise
    """
    room, titles = Room(), exercise_titles(release)
    released = {cell.id: cell.source for cell in release.cells}
    outputs = {name: cell.get("outputs") for name, cell in (record.get("cells") or {}).items() if isinstance(cell, dict)}
    found, work, comments, question, untouched = [], [], [], "", True
    for cell in graded.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        shown = outputs.get(cell.id) or cell.get("outputs", [])
        if _is_graded(cell) and grade_id in known.scores:
            score = known.scores[grade_id]
            one = Exercise(f"exercise-{len(found) + 1}", titles.get(grade_id, grade_id), score=score, work=work, comments=comments)
            if is_solution(cell) or is_task(cell):
                one.work += [_answer(cell, released, shown, room)]
                one.comments += _comment(known, grade_id)
                one.state = "waiting" if score.waiting else "undone" if cell.source == released.get(cell.id) else "graded"
                one.question = pages.markdown(question) if question else Markup()
            else:
                _judge(one, cell, (record.get("verdicts") or {}).get(cell.id), shown, untouched)
            found.append(one)
            work, comments, untouched = [], [], True
        elif is_solution(cell):
            untouched = untouched and cell.source == released.get(cell.id)
            work.append(_work(cell, shown, room, "Your answer, as the lesson came" if cell.source == released.get(cell.id) else ""))
            comments += _comment(known, grade_id)
        elif cell.id == "note-on-this-hand-in":
            continue
        elif cell.id not in released:
            work.append(_work(cell, shown, room, "A cell of your own"))
        elif cell.source != released[cell.id] and not is_locked(cell):
            work.append(_work(cell, shown, room, "A cell of the lesson that you changed"))
        question = cell.source if cell.cell_type == "markdown" and cell.id in released else ""
    if work:
        found.append(Exercise("after", "After the last exercise", work=work))
    return found


def _comment(known, grade_id):
    comment = known.comments.get(grade_id)
    return [comment.strip()] if comment and comment.strip() and comment != "No response." else []


def _answer(cell, released, outputs, room):
    if cell.source == released.get(cell.id) or not cell.source.strip():
        return Markup('<p class="quiet">No answer.</p>')
    return _work(cell, outputs, room)


def _work(cell, outputs, room, label=""):
    """A cell of the student's as HTML: its text, and what it put out."""
    source, is_all = room.text(cell.source, LONGEST_SOURCE)
    if cell.cell_type == "code":
        parts = [Markup("<pre>{}</pre>").format(pages.code(source))] if source.strip() else []
    else:
        parts = [Markup('<div class="written">{}</div>').format(pages.markdown(source))]
    if not is_all:
        parts.append(_left_out("this cell", len(cell.source) - len(source)))
    if cell.cell_type == "code":
        parts += shown_outputs(outputs, room)
    heading = Markup('<p class="label">{}</p>').format(label) if label else Markup()
    return Markup('<div class="work">{}{}</div>').format(heading, Markup().join(parts))


def _left_out(what, characters):
    return Markup('<p class="quiet">The rest of {} ({} characters) is left out here.</p>').format(what, f"{characters:,}")


# ---------------------------------------------------------------------------------------------------- outputs


def shown_outputs(outputs, room):
    """Outputs as HTML: prints, results and messages as text, PNG and JPEG as images; HTML, SVG and scripts as their plain text."""
    outputs = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    parts = [part for output in _joined(outputs[:MOST_OUTPUTS]) if (part := _output(output, room))]
    if len(outputs) > MOST_OUTPUTS:
        parts.append(Markup('<p class="quiet">{} more outputs are left out here.</p>').format(len(outputs) - MOST_OUTPUTS))
    return parts


def _joined(outputs):
    """Prints that follow each other as one."""
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        same = output.get("output_type") == "stream" == last.get("output_type") and output.get("name") == last.get("name")
        if same:
            joined[-1]["text"] = as_text(joined[-1].get("text")) + as_text(output.get("text"))
        else:
            joined.append({**output, "output_type": output.get("output_type")})
    return joined


def as_text(value):
    """A text of a notebook, which may be a list of its lines; empty where it is neither."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _output(output, room):
    kind = output["output_type"]
    if kind == "stream":
        return _shown("stderr" if output.get("name") == "stderr" else "stdout", as_text(output.get("text")), room)
    if kind == "error":
        return _shown("error", _error(output), room)
    data = output.get("data")
    if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
        return None
    plain = as_text(data.get("text/plain"))
    for mime in IMAGES:
        if mime in data:
            return image(mime, as_text(data[mime]), plain, room)
    if not plain.strip():
        return Markup('<div class="out quiet">An output of a kind that is not shown here.</div>')
    return _shown("result", plain, room)


def _shown(kind, text, room):
    if not text.strip():
        return None
    text, is_all = room.text(text, LONGEST_OUTPUT)
    rest = Markup() if is_all else Markup('<p class="quiet">The rest of this output is left out here.</p>')
    return Markup('<div class="out {}"><pre>{}</pre>{}</div>').format(kind, tidy(text), rest)


def tidy(text):
    """Text of an output as it would stand on a screen, without colors and without the folders of the machine that graded."""
    lines = (line.rsplit("\r", 1)[-1] for line in ANSI.sub("", text).replace("\r\n", "\n").split("\n"))
    return A_PATH.sub("\N{HORIZONTAL ELLIPSIS}/", A_KERNEL_FILE.sub("a cell", pages.visible("\n".join(lines))))


def _error(output):
    """An error's message, with the lines of the student's own cells that led to it."""
    name, value = as_text(output.get("ename"))[:200], as_text(output.get("evalue"))[:2000]
    if name in REASONS:  # grading stopped the cell: its own plain reason
        return value
    traceback = output.get("traceback")
    frames = [ANSI.sub("", frame[:20_000]) for frame in traceback[:200] if isinstance(frame, str)] if isinstance(traceback, list) else []
    own = [frame.strip()[:1500] for frame in frames if OWN_FRAME.match(frame.lstrip())]
    return "\n\n".join([*own[-3:], f"{name}: {value}" if value else name])


def image(mime, encoded, plain, room):
    """A PNG or JPEG as an image in the page, if it is one; its text where it is none, or too large."""
    size = len(encoded) * 3 // 4
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True) if size <= LARGEST_IMAGE else b""
        with Image.open(io.BytesIO(data), formats=[IMAGES[mime]]) as image:  # reads the header alone
            fits = image.width * image.height <= MOST_PIXELS and room.image(size)
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        fits = False
    if not fits:
        reason = "is too large to be shown here" if size > LARGEST_IMAGE else "cannot be shown here"
        return Markup('<div class="out quiet">An image that {}. {}</div>').format(reason, tidy(plain[:300]))
    source = f"data:{mime};base64,{base64.b64encode(data).decode()}"
    alt = f"Output of this cell: {tidy(plain[:300])}" if plain else "An image that this cell put out"
    return Markup('<div class="out"><img alt="{}" src="{}"></div>').format(alt, source)


# ---------------------------------------------------------------------------------------------------- verdicts


def _judge(one, cell, verdict, outputs, untouched):
    """Fill in what a test found: from the record's verdict, or where there is none from what the test cell put out."""
    score = one.score
    by_points = "right" if score.points >= score.of else "partly" if score.points > 0 else "undone" if untouched else "wrong"
    if not isinstance(verdict, dict):
        one.state, one.card = _from_outputs(outputs, by_points)
        return
    state = verdict.get("state")
    one.state = state if state in STATES and state not in ("waiting", "graded") else by_points
    if score.by_hand is None and one.state == "wrong" and untouched:
        one.state = "undone"
    if as_text(verdict.get("title")):
        one.title = f"{as_text(verdict.get('exercise'))}: {verdict['title']}".removeprefix(": ")
    one.card = pages.card(as_text(verdict.get("card"))) or _plain_card(one.state, verdict)
    if not one.card:
        one.state, one.card = _from_outputs(outputs, one.state)
    if one.state != "right":
        one.hints = [pages.prose(hint) for hint in verdict.get("hints") or () if isinstance(hint, str)]


def _plain_card(state, verdict):
    message, slug, sentence = (as_text(verdict.get(name)) for name in ("message", "misconception", "sentence"))
    paragraphs = [pages.prose(tidy(part)) for part in message.split("\n\n") if part.strip()]
    body = Markup().join(Markup("<p>{}</p>").format(part) for part in paragraphs)
    if slug:
        body += Markup('<p class="slip"><strong>Known slip: {}.</strong> {}</p>').format(
            pages.visible(slug.replace("-", " ")), pages.prose(sentence)
        )
    return Markup('<div class="plain card {}">{}</div>').format(state, body) if body else Markup()


def _from_outputs(outputs, state):
    """State and card from what a test cell put out: its verdict's card, or the plain reason why there is none. Prints stay out."""
    outputs = [output for output in outputs if isinstance(output, dict)] if isinstance(outputs, list) else []
    for output in outputs:
        if output.get("output_type") == "error":
            name, value = as_text(output.get("ename"))[:100], as_text(output.get("evalue"))[:500]
            told = f"{name}: {value}" if name in TELLING else f"The check ended with an error: {name}."
            reason = value if name in REASONS else told
            stopped = "stopped" if name in REASONS else state
            return stopped, Markup('<div class="plain card"><p>{}</p></div>').format(tidy(reason))
    for output in outputs:
        html = as_text((output.get("data") if isinstance(output.get("data"), dict) else {}).get("text/html"))
        if output.get("output_type") == "execute_result" and html:
            return state, pages.card(html)
    return state, Markup()
