"""The report's figures: matplotlib drawings as SVG in the page, in the colors of the page, light or dark.

Each function returns markup: a figure with a text alternative and a caption, or "" where there is nothing to draw.
"""

import io
import re

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from course_lib.figures.drawing import BLUE, INK, LINE, QUIET

from . import number, visible

PART, NONE, VOID, PAPER = "#9dbbe0", "#e8a25c", "#e3e6ea", "#fffffe"
FILLS = {  # lightness and hatches tell apart what colors do not
    "right": (BLUE, ""),
    "partly": (PART, ""),
    "wrong": (NONE, "///"),
    "undone": (VOID, ""),
    "stopped": (NONE, "xxxx"),
    "waiting": (PAPER, ".."),
}
VARIABLES = {INK: "ink", QUIET: "quiet", LINE: "edge", BLUE: "full", PART: "part", NONE: "none", VOID: "void", PAPER: "paper"}
WIDTH = 4.9  # inches: narrow enough to be read on a phone
STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "hatch.color": INK,
    "hatch.linewidth": 0.6,
}


def _draw(name, height, paint, alt, caption=""):
    """Paint a figure and return it as markup."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<g) id="[^"]*"', r"\1", svg)
    svg = re.sub(r'^<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img" aria-label="@">', svg)
    svg = re.sub(r"font: ([0-9.]+px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    svg = svg.replace("@", str(Markup.escape(visible(alt))), 1)
    told = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    return Markup("<figure>{}{}</figure>").format(Markup(svg), told)


def _people(count):
    return f"{count} hand-in{'s' * (count != 1)}"


def distribution(lesson):
    """How many hand-ins reached how many points."""
    points = [entry.points for entry in lesson.readable]
    if not points:
        return ""
    most = max(lesson.readable[0].of, *points)
    edges = np.linspace(0, most, 11)
    counts, _ = np.histogram(points, edges)
    median = float(np.median(points))

    def paint(figure):
        ax = figure.subplots()
        ax.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=BLUE, edgecolor=PAPER, linewidth=1.5)
        ax.axvline(median, color=INK, linewidth=1.5, linestyle="--")
        side = "right" if median > most / 2 else "left"
        gap = -most / 80 if side == "right" else most / 80
        ax.set_ylim(0, counts.max() * 1.22 + 0.1)
        ax.text(median + gap, counts.max() * 1.18, f"median {number(median)}", ha=side, va="top", color=INK)
        ax.set(xlim=(0, most), xlabel=f"points, of {number(most)}", ylabel="hand-ins", title="How many points")
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))

    bins = "; ".join(
        f"{number(low)} to {number(high)}: {count}" for low, high, count in zip(edges, edges[1:], counts, strict=False) if count
    )
    alt = f"Histogram of the points of {_people(len(points))}; median {number(median)} of {number(most)}. {bins}."
    waiting = len([entry for entry in lesson.readable if entry.waiting])
    caption = f"{waiting} of {_people(len(points))} still wait for a grade by hand and can only gain." if waiting else ""
    return _draw(f"{lesson.name} distribution", 2.7, paint, alt, caption)


def outcomes(items, names):
    """For each exercise, how many got all points, some, none, and so on."""
    items = [item for item in items if item.outcomes]
    if not items:
        return ""
    kinds = [kind for kind in names if any(item.counts[kind] for item in items)]
    height = 0.27 * len(items) + 1.25

    def paint(figure):
        ax = figure.subplots()
        left = np.zeros(len(items))
        rows = np.arange(len(items))
        for kind in kinds:
            counts = np.array([item.counts[kind] for item in items])
            color, hatch = FILLS[kind]
            ax.barh(rows, counts, left=left, height=0.78, color=color, hatch=hatch, edgecolor=LINE, linewidth=0.6, label=names[kind])
            left += counts
        ax.set_yticks(rows, [visible(item.short) for item in items])
        ax.tick_params(axis="y", length=0)
        ax.set(ylim=(len(items) - 0.4, -0.6), xlim=(0, left.max()), xlabel="hand-ins")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        ax.spines["left"].set_visible(False)
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.3, columnspacing=1.2, fontsize=9.5)

    parts = (", ".join(f"{item.counts[kind]} {names[kind]}" for kind in kinds if item.counts[kind]) for item in items)
    told = "; ".join(f"{item.short}: {part}" for item, part in zip(items, parts, strict=True))
    return _draw("outcomes", height, paint, f"Bars, one an exercise: how many hand-ins got how much of it. {told}.")


def misconceptions(found, hand_ins):
    """The misconceptions, the most frequent first, on a scale of all hand-ins that could be read."""
    if not found:
        return ""
    labels = [f"{one['slug'].replace('-', ' ')} ({one['exercise'].short})" for one in found]
    counts = [len(one["students"]) for one in found]
    most = max(hand_ins, *counts)

    def paint(figure):
        ax = figure.subplots()
        rows = np.arange(len(found)) * 1.0
        ax.barh(rows + 0.22, counts, height=0.34, color=BLUE)
        for row, label, count in zip(rows, labels, counts, strict=True):
            ax.text(0, row - 0.02, visible(label)[:60], ha="left", va="bottom", color=INK)
            ax.annotate(str(count), (count, row + 0.22), (4, 0), textcoords="offset points", ha="left", va="center", color=INK)
        ax.set(ylim=(len(found) - 0.3, -0.6), xlim=(0, most * 1.08), yticks=[], xlabel=f"students, of {most}", title="Known slips")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        ax.spines["left"].set_visible(False)

    told = "; ".join(f"{label}: {count}" for label, count in zip(labels, counts, strict=True))
    return _draw("slips", 0.46 * len(found) + 0.9, paint, f"Bars: how many students, of {most}, made which known slip. {told}.")


def seconds(taken):
    """How long the hand-ins ran, each a dot."""
    median = float(np.median(taken))

    def paint(figure):
        ax = figure.subplots()
        ax.plot(taken, np.arange(1, len(taken) + 1), "o", color=BLUE, markersize=4, clip_on=False)
        ax.axvline(median, color=INK, linewidth=1.5, linestyle="--")
        ax.set(
            xlim=(0, max(taken) * 1.05 + 1e-6),
            ylim=(0, len(taken) + 1),
            xlabel="seconds",
            ylabel="hand-ins done",
            title="How long they ran",
        )
        ax.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))

    alt = f"Run times of {_people(len(taken))}: median {number(median)} s, longest {number(taken[-1])} s."
    return _draw("seconds", 2.4, paint, alt, "Each dot is a hand-in, the fastest first; the dashed line is the median.")


def shares_by_lesson(lessons):
    """The share of the points that each hand-in reached, lesson by lesson."""
    lessons = [lesson for lesson in lessons if lesson.readable]
    if not lessons:
        return ""

    def paint(figure):
        ax = figure.subplots()
        for row, lesson in enumerate(lessons):
            shares = np.sort([100 * entry.share for entry in lesson.readable])
            bins, seen = {}, []
            for share in shares:  # dots of like value stack, so that all are seen
                place = round(share / 2.5)
                bins[place] = bins.get(place, -1) + 1
                seen.append(bins[place])
            lift = np.array(seen) * min(0.14, 0.5 / (max(seen) + 1))
            ax.plot(shares, row + 0.32 - lift, "o", color=BLUE, markersize=4, clip_on=False)
            median = float(np.median(shares))
            ax.plot([median, median], [row - 0.08, row + 0.44], color=INK, linewidth=2)
            ax.text(0, row - 0.33, visible(lesson.title)[:60], ha="left", va="center", color=INK)
        ax.set(xlim=(0, 100), ylim=(len(lessons) - 0.4, -0.6), yticks=[], xlabel="% of the points", title="The class, lesson by lesson")
        ax.spines["left"].set_visible(False)

    told = "; ".join(
        f"{lesson.name}: {_people(len(lesson.readable))}, median {np.median([100 * entry.share for entry in lesson.readable]):.0f} %"
        for lesson in lessons
    )
    alt = f"Dots: the share of the points that each hand-in reached. {told}."
    return _draw("lessons", 0.56 * len(lessons) + 0.9, paint, alt, "Each dot is a hand-in; the upright line is the median.")
