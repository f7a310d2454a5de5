"""Every number that a lesson's text states is bound here to what recomputes it.

Each `lesson_NN.py` beside this file makes a `Statements` and says of every number in the lesson's text cells where it comes from:

- ``states("cell-id", "{} weights", 784 * 256)``: a result. The template, filled with values computed here, must stand in that cell.
- ``measured("cell-id", "{} % of the digits", printed=99.1, value=run, within=0.3)``: a figure from a run that chance or a machine
  changes a little. The printed number must stand in the cell and lie that close to what the run gives.
- ``given("28×28 digit", "kernel of 3")``: settings that the text chooses, and numbers of published texts that it quotes. Anywhere in
  the lesson; never a result.

An equation such as ``16 × 24 × 24 = 9,216`` needs nothing: it is read from the text and worked out. Not looked at: fenced blocks,
numbers of lessons, sections and exercises, points, minutes, years, 0 and 1, and what is a setting by its wording (``stride 2``,
``3×3 kernel``, ``pixel (2, 3)``, ``k = 3``). Everything else that is not accounted for fails.
"""

import ast
import math
import operator
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"

_LATEX = (
    (r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))"),
    (r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}", r"\1"),
    (r"\\lfloor", "⌊"),
    (r"\\rfloor", "⌋"),
    (r"\\(?:times|cdot)(?![a-z])", "*"),
    (r"\\(?:approx)(?![a-z])", "≈"),
    (r"\\(?:left|right|bigl?|bigr?|qquad|quad)(?![a-z])", " "),
    (r"\\[,;:! ]", " "),
    (r"\^\{([^{}]*)\}", r"^(\1)"),
)
_PLAIN = (
    (r"```.*?```", " ", re.DOTALL),
    (r"<!--.*?-->", " ", re.DOTALL),
    (r"\]\([^)]*\)", "] ", 0),  # a link's address
    (r"https?://\S+", " ", 0),
    (r"\{,\}", ",", 0),
    (r"\*\*|\$", "", 0),
    (r"[\u2212\u2013]", "-", 0),
    ("[×·]", "*", 0),
    ("²", "^2", 0),
    ("[\u00a0\u202f\u2009]", " ", 0),
)
_SIZE = r"\d+(?: \* \d+)*"
_NOT_A_RESULT = (  # in normalized text
    r"(?<![\d.])[01](?!\d|\.\d)",  # too small to mislead
    r"^\|.*\bmin\b.*\|$",  # a row of the lesson's plan, which has a test of its own
    rf"\b{_SIZE}(?= (?:(?:gray|color|test|one|zero)[ -])?(?:kernel|filter|window|image|digit|photograph|patch|convolution|pooling))",
    rf"\b(?:stride|padding|dilation|kernel|channels?|groups|pooling) (?:of |is )?{_SIZE}",
    r"\b(?:pixels?|position|window|corner|index|at|and) \(\d+, \d+\)",
    r"\b[A-Za-z](?:_\{?\w+\}?)? = \d+(?=[,;. ]*(?:and|or|,|;|$))",  # k = 3: a choice
    r"^#+ +\d+ \*? ?",  # section number; the middle dot has become a star
    r"^#+ +\d+\. ",
    r"^ *\d+\. ",  # a numbered list
    r"\b[Ee]xercises? [\d.]+[a-z]?(?:(?:,| and| to|,? or) [\d.]+[a-z]?)*",
    r"\b(?:[Ll]essons?|[Ss]ections?|[Ss]teps?|[Pp]arts?|[Rr]ows?|[Hh]ints?|Think) [\d.]+[a-z]?(?:(?:,| and| to|,? or|-) ?[\d.]+[a-z]?)*",
    r"\(?\b[\d.]+ (?:points?|min|minutes|hours)\b\)?",
    r"\b(?:19|20)\d\d\b(?! [a-z]+s\b)",
    r"`[^`\d]*[A-Za-z_][\w.]*\([^`]*`",  # a call in code type
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_TERM = r"[\d(⌊-][\d\s.+\-*/()^⌊⌋]*"
_EQUATION = re.compile(rf"(?<![\w.=]){_TERM}(?:[=≈]\s*{_TERM})+")
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


def normal(text):
    """A cell's text in one plain notation: no markup, no thousands separators, ``*`` and ``/`` for products and fractions."""
    for pattern, plain, flags in _PLAIN:
        text = re.sub(pattern, plain, text, flags=flags)
    for pattern, plain in _LATEX:
        previous = None
        while previous != text:  # fractions in fractions
            previous, text = text, re.sub(pattern, plain, text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return re.sub(r"(?<=\d)\*(?=\d)", " * ", re.sub(r"[ \t]+", " ", text)).replace("  ", " ")


def value_of(term):
    """An arithmetic expression's value, or None where it is none."""
    term = term.strip().replace("⌊", "floor(").replace("⌋", ")").replace("^", "**")
    try:
        return _evaluate(ast.parse(term, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, KeyError, OverflowError):
        return None


def _evaluate(node):
    match node:
        case ast.Constant(value=int() | float()):
            return node.value
        case ast.BinOp():
            return _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
        case ast.UnaryOp(op=ast.USub()):
            return -_evaluate(node.operand)
        case ast.Call(func=ast.Name(id="floor"), args=[inner]):
            return math.floor(_evaluate(inner))
    raise ValueError(f"not arithmetic: {ast.dump(node)}")


def unit_of(term, rounded):
    """The worth of the last digit shown in a term that is one number, 0 for a sum or a product."""
    term = term.strip()
    if not re.fullmatch(r"-?\d+(?:\.\d+)?", term):
        return 0.0
    if "." in term:
        return 10.0 ** -len(term.split(".")[1])
    return 10.0 ** (len(term) - len(term.rstrip("0"))) if rounded else 0.0


def false_equations(text):
    """Equations in normalized text that do not hold, and the spans of those that do: (list of str, list of (start, end))."""
    false, spans = [], []
    for match in _EQUATION.finditer(text):
        terms = re.split("[=≈]", match[0])
        values = [value_of(term) for term in terms]
        if None in values:
            continue
        units = [unit_of(term, "≈" in match[0]) for term in terms]
        pairs = zip(values, values[1:], units, units[1:], strict=False)
        if all(abs(a - b) <= max(0.5 * max(one, other), 1e-9 * abs(a)) * 1.0001 for a, b, one, other in pairs):
            spans.append(match.span())
        else:
            false.append(match[0].strip())
    return false, spans


@dataclass
class Statements:
    """What is known of the numbers in one lesson's text; see the top of this file."""

    folder: str
    settings: list = field(default_factory=list)
    results: list = field(default_factory=list)
    runs: list = field(default_factory=list)

    def given(self, *snippets):
        """Settings and quotations, anywhere in the lesson."""
        self.settings += [normal(snippet).strip() for snippet in snippets]

    def states(self, cell, template, *values):
        """A result in one cell: the template filled with what was computed."""
        self.results.append((cell, template, values))

    def measured(self, cell, template, printed, value, within):
        """A figure from a run: `value` is called without arguments when the test runs."""
        self.runs.append((cell, template, printed, value, within))

    @cached_property
    def cells(self):
        notebook = nbformat.read(SOLUTIONS / self.folder / f"{self.folder}.ipynb", as_version=4)
        return {cell.id: normal(cell.source) for cell in notebook.cells if cell.cell_type == "markdown"}

    def filled(self, template, values):
        return normal(template.format(*values)).strip()

    def missing(self):
        """Statements bound here that do not stand in their cell."""
        bound = [(cell, self.filled(template, values)) for cell, template, values in self.results]
        bound += [(cell, self.filled(template, (printed,))) for cell, template, printed, *_ in self.runs]
        return [f"{cell}: {text!r}" for cell, text in bound if not _spans(text, self.cells.get(cell, ""))]

    def idle(self):
        """Settings that the lesson does not mention."""
        return [text for text in self.settings if not any(_spans(text, cell) for cell in self.cells.values())]

    def problems(self):
        """Equations that are false and numbers that nothing accounts for, by cell."""
        found = []
        for name, text in self.cells.items():
            spans = [span for snippet in self.settings for span in _spans(snippet, text)]
            quoted = list(spans)
            for cell, template, values in self.results:
                spans += _spans(self.filled(template, values), text) if cell == name else []
            for cell, template, printed, *_ in self.runs:
                spans += _spans(self.filled(template, (printed,)), text) if cell == name else []
            for pattern in _NOT_A_RESULT:
                spans += [match.span() for match in re.finditer(pattern, text, flags=re.MULTILINE)]
            false, true = false_equations("".join(" " if any(a <= i < b for a, b in quoted) else c for i, c in enumerate(text)))
            found += [f"{name}: false equation: {equation}" for equation in false]
            spans += true
            for match in _NUMBER.finditer(text):
                if not any(a <= match.start() and match.end() <= b for a, b in spans):
                    around = text[max(0, match.start() - 40) : match.end() + 25].replace("\n", " ")
                    found.append(f"{name}: {match[0]} in …{around}…")
        return found


def _spans(snippet, text):
    """Where a snippet stands in a text as whole numbers: 28 does not stand in 128."""
    if not snippet:
        return []
    start = r"(?<![\d.])" if snippet[0].isdigit() else ""
    end = r"(?!\d|\.\d)" if snippet[-1].isdigit() else ""
    return [match.span() for match in re.finditer(start + re.escape(snippet) + end, text)]
