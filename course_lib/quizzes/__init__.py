"""`quiz`: a few ungraded questions to check oneself, each wrong option with its explanation.

The questions stand in the `lesson_NN.json` beside this file, in the format of the library jupyterquiz, which draws them in a notebook. This
file keeps them on this machine, gives them the course's colors and a keyboard, and says them in plain text wherever nothing can be clicked.
"""

import difflib
import html
import json
import os
import re
import secrets
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
NEEDS_A_NOTEBOOK = "To click on an answer and see what it means, run this cell in a notebook."
_WIDTH = 720  # pixels

# White on the two dark colors and #333333 on the light one: contrasts of 6.5 to 1 and more, in a light and in a dark theme.
_COLORS = {
    "--jq-multiple-choice-bg": "#2f5f9e",
    "--jq-many-choice-bg": "#2f5f9e",
    "--jq-mc-button-bg": "#fafafa",
    "--jq-mc-button-border": "#8c959f",
    "--jq-mc-button-inset-shadow": "#555555",
    "--jq-incorrect-color": "#a33b00",
    "--jq-correct-color": "#22652f",
    "--jq-text-color": "#ffffff",
}

# The library's own sizes suit a slide. `sr-only` is a class that it uses and does not define: the radio buttons stay to be seen.
_STYLE = """<style>
#{id} .Quiz {{ font-size: var(--jp-content-font-size1, 14px); line-height: 1.4; margin-left: 0; }}
#{id} .Answer {{ grid-template-columns: 1fr; grid-gap: 6px; margin: 10px 4px; }}
#{id} .MCButton {{ font-size: inherit; justify-content: flex-start; text-align: left; gap: 0.6em; padding: 6px 10px; border-radius: 4px; }}
#{id} .MCButton input {{ position: static; width: auto; height: auto; margin: 0; clip: auto; flex: none; color-scheme: light; }}
#{id} .MCButton:focus-within {{ outline: 3px solid #e69f00; outline-offset: 1px; }}
#{id} .MultipleChoiceQn, #{id} .ManyChoiceQn {{ border-radius: 4px; }}
#{id} code, #{id} .MCButton code {{ color: inherit; background: transparent; font-weight: bold; }}
#{id} .Feedback {{ font-size: inherit; text-align: left; min-height: 1.5em; color: var(--jp-ui-font-color1, #1f2328); padding: 0 10px; }}
#{id} .Feedback.correct {{ border-left: 6px solid #2c7a3f; }}
#{id} .Feedback.incorrect {{ border-left: 6px solid #b35900; }}
</style>"""

# The library would load MathJax from the network when it finds JupyterLab's: inside this function it finds none. When it has drawn its
# questions, they are put in the place of the plain ones, and named for screen readers, which read out each explanation as it appears.
_SCRIPT = """<script>
(function (MathJax) {{
  const plain = document.getElementById("{id}");
  if (plain) plain.replaceChildren();
  {library}
  (function name_them(tries) {{
    const root = document.getElementById("{id}");
    if (!root || !root.querySelector(".Feedback")) {{
      if (tries) setTimeout(name_them, 100, tries - 1);
      return;
    }}
    root.querySelectorAll(".Quiz").forEach(function (box) {{
      const [question, answers, feedback] = [box.children[0], box.querySelector(".Answer"), box.querySelector(".Feedback")];
      const several = Number(feedback.dataset.numcorrect) > 1;
      answers.setAttribute("role", several ? "group" : "radiogroup");
      answers.setAttribute("aria-labelledby", question.id);
      answers.querySelectorAll("input").forEach(function (input) {{ input.type = several ? "checkbox" : "radio"; }});
      feedback.setAttribute("role", "status");
    }});
  }})(100);
}})();
</script>"""


class Quiz:
    """A self-check as a notebook shows it; elsewhere its questions in plain text.

    Parameters
    ----------
    name : str
        Its name.
    questions : list of dict
        As in the file: "question", "type" ("multiple_choice" or "many_choice") and "answers", each with "answer", "correct" and
        "feedback". Plain text; `code` stands between backticks.
    """

    def __init__(self, name, questions):
        self.name, self.questions = name, questions

    def __str__(self):
        lines = [f"Quiz: {self.name} (ungraded)"]
        for number, question in enumerate(self.questions, start=1):
            lines += ["", f"{number}. {question['question']}"]
            lines += [f"   ( ) {answer['answer']}" for answer in question["answers"]]
        return "\n".join([*lines, "", NEEDS_A_NOTEBOOK])

    __repr__ = __str__

    def _repr_mimebundle_(self, include=None, exclude=None):
        # nobody clicks while a notebook is graded, and a feedback page holds nothing active
        return {"text/plain": str(self), "text/html": self._plain_html() if os.environ.get("NBGRADER_EXECUTION") else self._repr_html_()}

    def _repr_html_(self):
        from jupyterquiz.dynamic.loader import load_questions_script
        from jupyterquiz.dynamic.renderer import build_script, build_styles, render_div

        name = f"quiz{secrets.token_hex(6)}"  # an element's name and part of a variable's; no two outputs share it
        opening = render_div(name, False, False, False, len(self.questions), _WIDTH, 4, "left")
        opening = opening.replace("<div ", '<div data-lm-suppress-shortcuts="true" ', 1)  # arrow keys choose, and do not leave the cell
        prefix, static, url = load_questions_script([_marked_up(question) for question in self.questions], name)
        library = build_script(prefix, static, url, name, True).replace("</", "<\\/")
        style = build_styles(name, _COLORS) + _STYLE.format(id=name)
        # where scripts do not run, in a notebook that is not trusted yet or on a page without them, the plain questions stay
        return f"{opening}{self._plain_html()}</div>{style}{_SCRIPT.format(id=name, library=library)}"

    def _plain_html(self):
        items = []
        for question in self.questions:
            answers = "".join(f"<li>{_code(answer['answer'])}</li>" for answer in question["answers"])
            items.append(f"<li>{_code(question['question'])}<ul>{answers}</ul></li>")
        return f"<p>Quiz (ungraded). {NEEDS_A_NOTEBOOK}</p><ol>{''.join(items)}</ol>"


def _code(text):
    """Plain text as HTML, what stands between backticks as code."""
    return re.sub(r"`(.+?)`", r"<code>\1</code>", html.escape(text))


def _marked_up(question):
    """A question as jupyterquiz takes it. Whether an answer is right is said in words too, not by its color alone."""
    answers = [
        {
            "answer": _code(answer["answer"]),
            "correct": answer["correct"],
            "feedback": f"<strong>{'Right.' if answer['correct'] else 'Not this one.'}</strong> {_code(answer.get('feedback', ''))}",
        }
        for answer in question["answers"]
    ]
    return {"question": _code(question["question"]), "type": question["type"], "answers": answers}


@cache
def quizzes():
    """All quizzes of the course: from name to questions.

    Raises
    ------
    ValueError
        Where two lessons have a quiz of the same name.
    """
    found = {}
    for path in sorted(FOLDER.glob("lesson_*.json")):
        for name, questions in json.loads(path.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"{path.name}: there is a quiz {name!r} already. Names of quizzes are unique in the course.")
            found[name] = questions
    return found


def quiz(name):
    """Show a self-check: questions whose wrong options explain themselves. Nothing is graded, and nothing is stored.

    Parameters
    ----------
    name : str
        As in `course_lib/quizzes`.

    Returns
    -------
    Quiz

    Raises
    ------
    ValueError
        For a name that there is not; the message says the nearest ones.
    """
    known = quizzes()
    if name in known:
        return Quiz(name, known[name])
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    raise ValueError(
        f"There is no quiz {name!r}. " + (f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are: {', '.join(known)}.")
    )
