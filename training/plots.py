"""Curves as SVG to stand inside a page: matplotlib draws them, the page's style sheet colours them.

Colours are drawn as stand-ins and written as CSS variables, so that one picture serves light and dark. Text stays text,
in the page's own font. The same points give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "ink": "#010203",
    "quiet": "#010204",
    "line": "#010205",
    "accent": "#010206",
    "bm25": "#010207",
    "dense": "#010208",
    "hybrid": "#010209",
    "bad": "#01020a",
}
"""CSS variable → its stand-in."""
GROUND = {
    "ink": "#1c2024",
    "quiet": "#565d66",
    "line": "#dfdcd5",
    "accent": "#1f3a5f",
    "bm25": "#a05a12",
    "dense": "#1f6fb5",
    "hybrid": "#17734a",
    "bad": "#8c2b22",
}
"""Of a picture that stands alone."""
SETTINGS: Any = {
    "svg.fonttype": "none",
    "axes.unicode_minus": False,
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["quiet"],
    "axes.edgecolor": COLOURS["line"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 0.6,
    "xtick.color": COLOURS["line"],
    "ytick.color": COLOURS["line"],
    "xtick.labelcolor": COLOURS["quiet"],
    "ytick.labelcolor": COLOURS["quiet"],
    "xtick.minor.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
}
SIZE = (4.7, 3.1)
"""Inches. A phone shows them as wide, so that the letters stay readable there."""
BINS = 15
"""As many as training.measures.calibration_error has."""
WILSON = 1.96

Floats = npt.NDArray[np.float64]


def look(system: str) -> dict[str, Any]:
    """A system's line: the colour says its first stage, the dashes that nothing ranks again, the dots that citations
    stay unread."""
    first, _, second = system.partition("+")
    stage, _, unread = first.partition("-")
    style = ":" if unread else "-" if second else (0, (4, 2))
    return {"color": COLOURS.get(stage, COLOURS["quiet"]), "linestyle": style}


def recall_curves(curves: Mapping[str, Mapping[str, Sequence[float]]], default: str, title: str) -> Markup:
    """Recall at k of every system; k on a logarithmic axis."""
    with figure(title) as (drawn, axes):
        for system, curve in curves.items():
            wide = {"linewidth": 2.6, "zorder": 3} if system == default else {}
            axes.plot(curve["k"], curve["recall"], **look(system), **wide)
        ks = sorted({k for curve in curves.values() for k in curve["k"]})
        logarithmic(axes, [k for k in ks if leading(k) in (1, 2, 5)] or ks)
        axes.set(xlabel="k", ylabel="recall@k")
        return svg(drawn, title)


def latency(depths: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Median and 95th percentile of a search, by depth."""
    with figure(title) as (drawn, axes):
        xs = [row["depth"] for row in depths]
        middle, slow = ([row[key] for row in depths] for key in ("p50_ms", "p95_ms"))
        axes.fill_between(xs, middle, slow, color=COLOURS["accent"], alpha=0.12, linewidth=0)
        axes.plot(xs, middle, "o-", color=COLOURS["accent"])
        axes.plot(xs, slow, "o--", color=COLOURS["accent"])
        named(axes, xs[-1], {"p50": middle[-1], "p95": slow[-1]})
        logarithmic(axes, xs)
        axes.set(xlabel="rerank depth", ylabel="ms a search", ylim=(0, None))
        return svg(drawn, title)


def quality(depths: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """Both measures at 10, by depth."""
    with figure(title) as (drawn, axes):
        xs = [row["depth"] for row in depths]
        for name, shape in (("nDCG@10", "o-"), ("R@10", "o--")):
            axes.plot(xs, [row[name] for row in depths], shape, color=COLOURS["hybrid"])
        named(axes, xs[-1], {name: depths[-1][name] for name in ("nDCG@10", "R@10")})
        logarithmic(axes, xs)
        axes.set(xlabel="rerank depth", ylabel="mean over queries")
        return svg(drawn, title)


def compute(trials: Sequence[tuple[str, float, float]], measure: str, title: str) -> Markup:
    """What each trial, (its values, seconds, measure), found for its time."""
    with figure(title) as (drawn, axes):
        for name, seconds, found in trials:
            axes.plot([seconds], [found], "o", color=COLOURS["accent"])
            named(axes, seconds, {name: found})
        axes.set(xlabel="seconds", ylabel=measure, xlim=(0, 1.4 * max(1.0, *(seconds for _, seconds, _ in trials))))
        return svg(drawn, title)


def reliability(bins: Sequence[Mapping[str, float]], title: str) -> Markup:
    """Share of relevant documents by the relevance they were given, with 95 % Wilson intervals; below, how many."""
    with figure(title, rows=2) as (drawn, (upper, lower)):
        xs = [one["relevance"] for one in bins]
        upper.plot([0, 1], [0, 1], color=COLOURS["quiet"], linewidth=0.8, linestyle=(0, (2, 2)))
        upper.vlines(xs, [one["low"] for one in bins], [one["high"] for one in bins], color=COLOURS["accent"])
        upper.plot(xs, [one["share"] for one in bins], "o-", color=COLOURS["accent"])
        upper.set(ylabel="share relevant", xlim=(0, 1), ylim=(0, 1))
        upper.tick_params(labelbottom=False)
        left, counts = [one["left"] for one in bins], [one["n"] for one in bins]
        lower.bar(left, counts, 0.9 / BINS, align="edge", color=COLOURS["accent"], alpha=0.6)
        lower.set(xlabel="relevance given", ylabel="documents", xlim=(0, 1), yscale="log", ylim=(0.8, None))
        lower.yaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        return svg(drawn, title)


def alone(picture: Markup) -> str:
    """A picture as a file of its own, with colours for a light ground."""
    colours = "".join(f"--{name}: {colour}; " for name, colour in GROUND.items())
    root = f'<svg xmlns="http://www.w3.org/2000/svg" style="{colours}background: #fff; font-family: sans-serif" '
    return str(picture).replace('<svg class="plot" ', root, 1)


def sample(system: str) -> Markup:
    """A short stroke of a system's line, for the legend."""
    dashes = {"-": "", ":": "2 2"}.get(look(system)["linestyle"], "6 3")
    colour = next(name for name, stand_in in COLOURS.items() if stand_in == look(system)["color"])
    stroke = '<svg class="sample" viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4H28" fill="none" stroke-width="2"'
    return Markup(stroke + ' style="stroke: var(--{})" stroke-dasharray="{}"/></svg>').format(colour, dashes)


def columns(pairs: Sequence[Sequence[float]]) -> tuple[Floats, Floats]:
    """Relevances and labels."""
    given = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    return given[:, 0], given[:, 1]


def binned(pairs: Sequence[Sequence[float]]) -> list[dict[str, float]]:
    """(relevance, label) pairs in bins of equal width; empty bins are left out."""
    relevance, labels = columns(pairs)
    places = np.clip((relevance * BINS).astype(np.int64), 0, BINS - 1)
    return [one_bin(int(place), relevance[places == place], labels[places == place]) for place in np.unique(places)]


def one_bin(place: int, given: Floats, labels: Floats) -> dict[str, float]:
    n, relevance, share = len(given), float(given.mean()), float(labels.mean())
    low, high = wilson(share, n)
    values = {"relevance": relevance, "share": share, "low": low, "high": high}
    return {"left": place / BINS, "right": (place + 1) / BINS, "n": n, **values}


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion (1927)."""
    square = WILSON**2 / n
    middle = (share + square / 2) / (1 + square)
    half = WILSON * math.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def leading(k: float) -> int:
    return int(f"{k:e}"[0])


def logarithmic(axes: Axes, ticks: Sequence[float]) -> None:
    axes.set_xscale("log")
    axes.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)


def named(axes: Axes, x: float, ends: Mapping[str, float]) -> None:
    """Write each line's name at its end."""
    for name, y in ends.items():
        axes.annotate(name, (x, y), (6, 0), textcoords="offset points", va="center", annotation_clip=False)


@contextmanager
def figure(title: str, rows: int = 1, panels: int = 1) -> Iterator[tuple[Figure, Any]]:
    """A figure with one pair of axes, two above each other, or several side by side. Its ids come of its title: many
    figures share a page."""
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": title}):
        drawn = Figure((SIZE[0] * panels, SIZE[1] + 0.7 * (rows - 1)), layout="constrained")
        ratios = {"height_ratios": [3, 1][:rows]}
        yield drawn, drawn.subplots(rows, panels, gridspec_kw=ratios)


def svg(drawn: Figure, title: str) -> Markup:
    """The drawing without its file header, its ids that nothing points to and its addresses of name spaces."""
    sink = io.StringIO()
    drawn.savefig(sink, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = sink.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(<g) id="[^"]*"', r"\1", text).replace("xlink:href", "href")
    text = re.sub(r" font-family: [^;]*;", "", re.sub(r"\s*\n\s*", " ", text))
    for name, stand_in in COLOURS.items():
        text = text.replace(stand_in, f"var(--{name})")
    box = re.search(r'viewBox="[^"]*"', text)
    assert box, "matplotlib writes a viewBox"
    label = Markup('<svg class="plot" role="img" aria-label="{}" {}>').format(title, Markup(box[0]))
    return label + Markup(re.sub(r"\A<svg[^>]*>", "", text))
