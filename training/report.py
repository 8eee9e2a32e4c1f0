"""a run of training.evaluate (its folder) → one HTML file to look at

    python -m training.report [--run work/evaluate] [--out FILE]

The file stands alone: style and plots are inside, nothing is fetched, no script runs. Nothing is measured here; what
the run folder does not hold, its section says in a line.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.errors import BeopgilError, RecordError
from training import plots
from training.atomic import write
from training.measures import calibration_error

HERE = Path(__file__).parent
DEFAULT = "hybrid+rerank"
SYSTEMS = {
    "bm25-unread": "BM25, citations unread",
    "bm25": "BM25",
    "dense": "dense",
    "hybrid": "hybrid",
    "bm25+rerank": "BM25, reranked",
    "dense+rerank": "dense, reranked",
    DEFAULT: "hybrid, reranked: the default",
}
TRACKS = {
    "articles": "Track A · issue → articles",
    "citizens": "Citizens · everyday question → articles",
    "precedents": "Track B · issue → earlier decisions",
}
STRATA = {
    "all": "every query",
    "strict": "names no statute",
    "named": "names a statute",
    "unseen": "no relevant article in any training pair",
}
TILES = (
    ("articles", "strict", "Track A, strict"),
    ("articles", "named", "Track A, named"),
    ("articles", "all", "Track A, all"),
    ("citizens", "all", "Citizens"),
    ("precedents", "all", "Track B"),
)
MEASURES = ("nDCG@10", "RR@10", "R@10", "R@100")
FAILURES = 40
"""Shown of a track."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What an evaluation wrote; empty where a file is absent, for only measures.json has to be there."""

    measures: list[Row]
    values: dict[str, dict[str, dict[str, dict[str, float]]]]
    recall: dict[str, dict[str, dict[str, list[float]]]]
    relevance: dict[str, list[tuple[float, float]]]
    meta: Row
    comparison: list[Row] | None
    depths: list[Row] | None
    failures: list[Row] | None

    @classmethod
    def read(cls, folder: Path) -> RunFolder:
        """Raises RecordError for a folder without measures, and for a file that is not JSON."""
        measures = loaded(folder / "measures.json")
        if not measures or not all("measures" in row for row in measures):
            raise RecordError(f"{folder} holds no measures.json of today's form: python -m training.evaluate writes it")
        depths = loaded(folder / "depths.json")
        return cls(
            measures=measures,
            **{name: loaded(folder / f"{name}.json") or {} for name in ("values", "recall", "relevance", "meta")},
            comparison=loaded(folder / "comparison.json"),
            depths=sorted(depths["depths"], key=lambda row: row["depth"]) if depths else None,
            failures=loaded(folder / "failures.jsonl"),
        )

    def row(self, track: str, stratum: str, system: str = DEFAULT) -> Row | None:
        wanted = (track, stratum, system)
        return next((row for row in self.measures if (row["track"], row["stratum"], row["system"]) == wanted), None)


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale with round ends and three to six round ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def over(cls, values: Iterable[float]) -> Axis:
        listed = list(values) or [0.0, 1.0]
        least, most = min(listed), max(listed)
        step = tick_step(max(most - least, 1e-3))
        first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
        last = max(last, first + 1)
        ticks = tuple(round(place * step, 6) for place in range(first, last + 1))
        return cls(ticks[0], ticks[-1], ticks)

    def at(self, value: float) -> str:
        """Where a value stands, as a share of the width."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def tick_step(width: float) -> float:
    """The least of 1, 2 and 5 × 10ⁿ that parts a width into at most four."""
    unit = 10.0 ** math.floor(math.log10(width / 4))
    return next(unit * lead for lead in (1, 2, 5, 10) if width / (unit * lead) <= 4 + 1e-9)


# sections


def tiles(run: RunFolder) -> Iterator[Row]:
    """The default system's headline, and how it moved where there is a comparison."""
    moved = {(row["track"], row["stratum"], row["system"], row["measure"]): row for row in run.comparison or ()}
    for track, stratum, label in TILES:
        row = run.row(track, stratum)
        change = moved.get((track, stratum, DEFAULT, "nDCG@10"))
        yield {"label": label, "note": STRATA[stratum], "row": row, "change": change}


def ablation(measures: Sequence[Row]) -> Iterator[Row]:
    """Per track: one axis, and per stratum the systems in their order with the best mean of every measure."""
    for track in ordered({row["track"] for row in measures}, TRACKS):
        rows = [row for row in measures if row["track"] == track]
        gains = [row["measures"]["nDCG@10"] for row in rows]
        axis = Axis.over(value for gain in gains for value in (gain["low"], gain["high"]))
        strata = [stratum_of(rows, name) for name in ordered({row["stratum"] for row in rows}, STRATA)]
        yield {"track": track, "axis": axis, "strata": strata}


def stratum_of(rows: Sequence[Row], stratum: str) -> Row:
    by_system = {row["system"]: row for row in rows if row["stratum"] == stratum}
    lines = [by_system[system] for system in ordered(by_system, SYSTEMS)]
    means = {name: [line["measures"][name]["mean"] for line in lines if name in line["measures"]] for name in MEASURES}
    best = {name: max(listed) for name, listed in means.items() if listed}
    return {"name": stratum, "note": STRATA.get(stratum, ""), "n": lines[0]["n"], "lines": lines, "best": best}


def recall_plots(run: RunFolder) -> Iterator[Row]:
    for track in ordered(run.recall, TRACKS):
        curves = {system: run.recall[track][system] for system in ordered(run.recall[track], SYSTEMS)}
        yield {"track": track, "plot": plots.recall_curves(curves, DEFAULT, f"Recall at k, {track}")}


def depth_plots(depths: Sequence[Row]) -> list[Row]:
    return [
        {"name": "Latency", "plot": plots.latency(depths, "Milliseconds a search by rerank depth")},
        {"name": "Quality", "plot": plots.quality(depths, "nDCG@10 and R@10 by rerank depth")},
    ]


def calibration(run: RunFolder) -> Iterator[Row]:
    """Per track: the reliability diagram, its bins, and the error as evaluate measured it, or else measured here."""
    for track in ordered(run.relevance, TRACKS):
        if pairs := run.relevance[track]:
            bins, row = plots.binned(pairs), run.row(track, "all")
            given = row["measures"].get("ECE") if row else None
            error = given["mean"] if given else calibration_error(*plots.columns(pairs))
            plot = plots.reliability(bins, f"Reliability, {track}")
            yield {"track": track, "bins": bins, "error": error, "n": len(pairs), "plot": plot}


def comparison(rows: Sequence[Row]) -> Row:
    """The default system's rows, which stand open, and the others'; one axis with zero in the middle."""
    reach = max((abs(row[end]) for row in rows for end in ("low", "high")), default=0.0)
    first = [row for row in rows if row["system"] == DEFAULT]
    rest = [row for row in rows if row["system"] != DEFAULT]
    parts = [("", first or rest), ("Other systems", rest if first else [])]
    return {"axis": Axis.over((-reach, reach)), "parts": parts}


def failures(run: RunFolder) -> Iterator[Row]:
    """Per track the failures in their order, with the query's own measures; and how many queries found nothing."""
    rows = run.failures or []
    for track in ordered({row["track"] for row in rows}, TRACKS):
        values = run.values.get(track, {}).get(DEFAULT, {})
        gains = [value["nDCG@10"] for value in values.values() if "nDCG@10" in value]
        here = [row for row in rows if row["track"] == track]
        listed = [failure(row, values.get(row["query_id"], {})) for row in islice(here, FAILURES)]
        yield {"track": track, "n": len(here), "listed": listed, "gains": gains, "zeros": gains.count(0)}


def failure(row: Row, values: Mapping[str, float]) -> Row:
    """One query: each relevant document with its rank among those found, if any; the first ten found."""
    names = [shown(one) for one in listed(row.get("found"))]
    gold = [shown(one) for one in listed(row.get("gold"))]
    ranks = {name: names.index(name) + 1 if name in names else None for name in gold}
    known = {"track", "query_id", "text", "gold", "found"}
    facts = {**values, **{key: value for key, value in row.items() if key not in known}}
    return {"id": row["query_id"], "text": row["text"], "ranks": ranks, "found": names[:10], "facts": facts}


# the page


def page(run: RunFolder) -> str:
    """The whole report; the same run gives the same text."""
    return environment().get_template("report.html").render(
        meta=run.meta,
        default=DEFAULT,
        systems=SYSTEMS,
        tracks=TRACKS,
        measures=MEASURES,
        tiles=list(tiles(run)),
        ablation=list(ablation(run.measures)),
        recall=list(recall_plots(run)),
        lines=[(system, SYSTEMS.get(system, ""), plots.sample(system)) for system in drawn_systems(run)],
        depths=run.depths,
        depth_plots=depth_plots(run.depths) if run.depths else [],
        calibration=list(calibration(run)),
        comparison=comparison(run.comparison) if run.comparison else None,
        failures=list(failures(run)),
        failures_given=run.failures is not None,
    )  # fmt: skip


def environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(shown=shown, fixed=fixed, signed=signed, count="{:,}".format, p=probability)
    return env


def drawn_systems(run: RunFolder) -> list[str]:
    return ordered({system for curves in run.recall.values() for system in curves}, SYSTEMS)


def ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Known names in their order, then the others by name."""
    places = {name: place for place, name in enumerate(known)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def shown(value: Any) -> str:
    """Any JSON value in a line."""
    if isinstance(value, dict):
        return " · ".join(f"{key} {shown(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def fixed(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}"


def signed(value: float) -> str:
    text = f"{value:+.3f}".replace("-", "−")
    return text if text.strip("+−0.") else "0.000"


def probability(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def loaded(path: Path) -> Any:
    """The JSON in a file, a list of its lines for .jsonl; None without the file. RecordError names what is not JSON."""
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    try:
        return [json.loads(line) for line in text.split("\n") if line] if path.suffix == ".jsonl" else json.loads(text)
    except ValueError as error:
        raise RecordError(f"{path} is not JSON ({error}); was the run cut short?") from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.report", description="An HTML report of an evaluation.")
    parser.add_argument("--run", type=Path, default=Path("work/evaluate"), help="the folder that evaluate wrote")
    parser.add_argument("--out", type=Path, help="by default report.html in that folder")
    options = parser.parse_args(arguments)
    out = options.out or options.run / "report.html"
    try:
        write(out, page(RunFolder.read(options.run)).encode())
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
