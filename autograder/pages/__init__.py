"""HTML pages that are safe to open: one file each, no script, nothing fetched from anywhere, whatever the text in them.

Jinja escapes every value; what is HTML already is `Markup`, and it becomes that only in the functions of this module, each of which
cleans it with nh3. The pages' Content-Security-Policy (in `base.html`) would stop what came through all the same.
"""

import functools
import re
import unicodedata
from pathlib import Path

import jinja2
import mistune
import nh3
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

FOLDER = Path(__file__).parent
TURNS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}  # they turn the direction in which text is shown
LONGEST_MARKDOWN = 20_000  # characters; what is longer is shown as it was typed
LONGEST_HTML, MOST_TAGS = 1_000_000, 9_000  # of one card; cleaning takes time with the square of how deep tags are nested
TEXT_TAGS = {"p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li"}
TABLE_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
CARD_STYLES = {
    *("align-items", "background", "border", "border-collapse", "border-left-color", "border-left-width", "caption-side", "color"),
    *("display", "flex-wrap", "font-weight", "margin", "max-width", "min-width", "outline", "outline-offset", "padding", "text-align"),
    "white-space",
}
STYLE_WORD = re.compile(r"-2px|#[0-9a-f]{3,8}|[0-9.]{1,6}(px|em|%)?|[a-z][a-z-]{1,20}|var\(--jp-[a-z0-9-]{1,30},#[0-9a-f]{3,8}\)")


def visible(text):
    """Text with nothing hidden in it: characters that steer a screen or turn the reading direction are named or replaced."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(letter) for letter in text)


def _visible(letter):
    if letter in "\n\t":
        return letter
    if ord(letter) in TURNS:
        return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(letter):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter


def code(source):
    """Python code with its words in spans, as HTML."""
    marked = highlight(visible(source), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return Markup(nh3.clean(marked, tags={"span"}, attributes={"span": {"class"}}))


def markdown(text):
    """Markdown as HTML without links and pictures; HTML in it is shown as it was typed, and so is mathematics."""
    text = visible(text)
    if len(text) > LONGEST_MARKDOWN:
        return Markup("<pre>{}</pre>").format(text)
    try:
        made = _mistune()(text)
    except RecursionError:
        return Markup("<pre>{}</pre>").format(text)
    return Markup(nh3.clean(made, tags=TEXT_TAGS | TABLE_TAGS, attributes={}, allowed_classes={"code": {"math"}}))


class _Renderer(mistune.HTMLRenderer):
    """Headings become bold paragraphs, so that the outline stays the page's own; links and pictures become their text and address."""

    def heading(self, text, level, **attributes):
        return f"<p><strong>{text}</strong></p>\n"

    def link(self, text, url, title=None):
        return text if text == mistune.escape(url) else f"{text} (<code>{mistune.escape(url)}</code>)"

    def image(self, text, url, title=None):
        return f"<em>[a picture: {mistune.escape(text)}]</em>" if text else "<em>[a picture]</em>"


@functools.cache
def _mistune():
    renderer = _Renderer(escape=True)
    made = mistune.create_markdown(renderer=renderer, plugins=["table", "strikethrough", "math"])
    renderer.register("inline_math", lambda renderer, text: f'<code class="math">${mistune.escape(text)}$</code>')
    renderer.register("block_math", lambda renderer, text: f'<p><code class="math">$${mistune.escape(text.strip())}$$</code></p>\n')
    return made


def prose(text):
    """A sentence in which backticks mark code, as in the hints of `course_lib.checks`."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(Markup.escape(visible(text)))))


def inert(html):
    """HTML cleaned: its paragraphs and tables with their borders and colors, and nothing else. Empty where it is far too much."""
    if len(html) > LONGEST_HTML or html.count("<") > MOST_TAGS:
        return Markup()
    return Markup(
        nh3.clean(
            visible(html),
            tags={"div", "p", "strong", "em", "code", "pre", "br", "span", *TABLE_TAGS},
            attributes={tag: {"style"} for tag in ("div", "p", "span", *TABLE_TAGS)},
            attribute_filter=lambda tag, name, value: _style(value),
            clean_content_tags={
                "script",
                "style",
                "template",
                "svg",
                "math",
                "iframe",
                "object",
                "noscript",
                "title",
                "textarea",
                "select",
            },
        )
    )


def card(html):
    """The card of a verdict, cleaned.

    A case that was drawn at random is left out, with its seed: the next hand-in shall not be tried on what this one gave away.
    """
    clean = inert(html)
    if "seed=" in clean:
        clean = clean.partition("<p>Smallest case that fails")[0] if "<p>Smallest case that fails" in clean else ""
        clean = nh3.clean(f"{clean}<p>It fails in a case that was drawn at random while grading.</p>", tags={"div", "p", "strong", "code"},
                          attributes={"div": {"style"}, "p": {"style"}})  # fmt: skip
    return Markup(clean)


def _style(value):
    """The declarations of a style attribute that only lay out and color, from an allow-list; None where there is none."""
    kept = []
    for declaration in value.split(";")[:40]:
        name, _, setting = declaration.partition(":")
        name, words = name.strip().lower(), setting.strip().replace(", ", ",").split()
        if name in CARD_STYLES and words and all(STYLE_WORD.fullmatch(word) for word in words) and _may_be(name, words):
            kept.append(f"{name}:{' '.join(words)}")
    return ";".join(kept) or None


def _may_be(name, words):
    """Minus two pixels is for outlines alone: elsewhere a negative length would lay text over other text."""
    return name == "outline-offset" or "-2px" not in words


def number(value):
    """Points as people write them: 3, 2.5, 0.333."""
    return f"{value:.4g}"


def render(template, **values):
    """A page from a template of this folder."""
    return _environment().get_template(template).render(style=Markup((FOLDER / "style.css").read_text()), **values)


@functools.cache
def _environment():
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "prose": prose}
    return environment


def write(path, page):
    """Write a page so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(page, encoding="utf-8", errors="replace")
    partial.replace(path)
