"""index + dev queries and qrels → what an evaluation's folder holds

    runs/<track>.<system>.tsv    TREC runs
    measures.json, table.md      means by track, stratum and system, with 95 % bootstrap intervals
    values.json, strata.json     the measures of every query, and the queries of every stratum
    recall.json                  mean recall at k
    relevance.json               (relevance, label) of the first pages of the chief system
    failures.jsonl, .md          the worst queries of the chief system
    comparison.json, .md         differences to an earlier run, where one is named
    meta.json                    index, models, depths, date, machine

An evaluation that was stopped goes on where it was when it is started again.

Every track (training/tracks.py) goes through the Searcher that serves, by every system (training/systems.py).

Also by itself, for an index that is there already:

    python -m training.evaluate --index NAME --dev FOLDER [--against FOLDER] [--systems …] [--tracks …]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from app.errors import BeopgilError
from app.law.query import Understood
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from training import leaks, significance
from training.evaluation_files import write_files
from training.failures import failures
from training.index import ENCODER, RERANKER
from training.rarity import trained_counts
from training.recipe import Recipe, RecipeError
from training.run_files import read_runs, write_run
from training.scores import NAMES, calibration, judged, recall_curve, run_of, scores, values
from training.sections import Evaluate
from training.strata import Articles, strata
from training.systems import SYSTEMS, Rankings, chief, rank
from training.tracks import TRACKS, Track, tracks
from training.unfinished import forget

WIDTH = 118
"""Columns of the printed table, in a log too."""
PRESENT = 0.5
"""Part of the citizens' relevant articles that an index must hold for the track to say anything of it."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and where the outcome goes."""

    dev: Path
    folder: Path
    settings: Evaluate
    counts: Mapping[str, int]
    """Training rows by doc_id; empty where they are not known, which leaves the strata of rarity out."""
    tracks: Sequence[str] = TRACKS
    against: Path | None = None
    """The folder of an earlier evaluation."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A track when it has been searched."""

    part: Track
    strata: Mapping[str, tuple[str, ...]]
    rankings: Rankings
    values: Mapping[str, Mapping[str, Mapping[str, float]]]
    """system → query_id → measure → value."""

    @property
    def chief(self) -> str:
        return chief(list(self.rankings))


def run(recipe: Recipe) -> None:
    leaks.check(recipe.train_pairs, recipe.weak_pairs, [recipe.dev], recipe.pairs.train_before)
    searcher = open_searcher(Path(recipe.index.root), recipe.index.name, recipe.encoder_model, recipe.reranker_model)
    counts = trained_counts(recipe.train_pairs, recipe.encoder_model)
    measure(searcher, Plan(recipe.dev, recipe.folder("evaluate"), recipe.evaluate, counts))


def measure(searcher: Searcher, plan: Plan) -> list[Row]:
    """Rank every query by every system, print the tables, write the folder; returns the rows of measures.json.

    Raises RecipeError where there is nothing to measure or to compare with.
    """
    start = time.monotonic()
    if plan.against and not any((plan.against / "runs").glob("*.tsv")):
        raise RecipeError(f"{plan.against} holds no runs/*.tsv to compare with; name the folder of an evaluation")
    if not plan.counts:
        print("rarity: left out, neither train.jsonl nor trained_articles.tsv is there", flush=True)
    articles = Articles.of(searcher.index.documents, plan.counts)
    found = [_searched(searcher, part, articles, plan) for part in _chosen(plan, articles)]
    if not found:
        raise RecipeError(f"{plan.dev} holds no judged query; it needs queries.jsonl and qrels.*.tsv")
    every = [row for one in found for row in rows(one)]
    compared = [row for one in found for row in comparison(one, plan.against)] if plan.against else None
    failed = [row for one in found for row in _failures(one, searcher)]
    write_files(
        plan.folder,
        measures=every,
        values={one.part.name: one.values for one in found},
        strata={one.part.name: one.strata for one in found},
        recall={one.part.name: _curves(one, plan.settings) for one in found},
        relevance={one.part.name: _relevance(one) for one in found},
        failures=(failed, found[0].chief),
        comparison=compared,
        meta=_meta(searcher, plan, found, time.monotonic() - start),
    )
    forget(plan.folder)
    if compared is not None:
        nothing = f"{plan.against} and this run have no query and system in common"
        print(significance.markdown(compared) if compared else nothing, flush=True)
    return every


def _chosen(plan: Plan, articles: Articles) -> Iterator[Track]:
    citizens = Path(plan.settings.citizens) if plan.settings.citizens and "citizens" in plan.tracks else None
    for part in tracks(plan.dev, citizens, plan.settings.max_queries):
        gold = [key for query in part.queries for key in query.relevant]
        present = sum(key in articles.levels for key in gold)
        if part.name == "citizens" and present < PRESENT * len(gold):
            print(f"citizens: left out, the index holds {present} of {len(gold)} relevant articles", flush=True)
        elif part.name in plan.tracks:
            yield part


def _searched(searcher: Searcher, part: Track, articles: Articles, plan: Plan) -> Measured:
    """Search a track, write its runs, and print what was measured."""
    rankings = rank(searcher, part, plan.settings.systems, plan.settings, plan.folder)
    runs = {system: run_of(by_query) for system, by_query in rankings.items()}
    for system, one in runs.items():
        write_run(plan.folder, part.name, system, one)
    made = Measured(part, strata(part, articles), rankings, {system: values(part, one) for system, one in runs.items()})
    Console(width=max(WIDTH, Console().width)).print(table(listed := list(rows(made))))
    for row in listed:
        if error := row["measures"].get("ECE"):
            spread = f"{error['mean']:.4f} [{error['low']:.3f}, {error['high']:.3f}]"
            print(f"{part.name}: calibration error of {row['system']} {spread}", flush=True)
    return made


# rows


def rows(one: Measured) -> Iterator[Row]:
    """Of measures.json; the calibration error stands in the row of the chief system over all queries.

    Milliseconds only where one system is measured alone: several share the reranker's work.
    """
    for stratum, ids in one.strata.items():
        for system, measured in one.values.items():
            means = {name: asdict(score) for name, score in scores(measured, ids).items()}
            if stratum == "all" and system == one.chief:
                means["ECE"] = asdict(calibration(list(judged(one.part, one.rankings[system]))))
            row = {"track": one.part.name, "system": system, "stratum": stratum, "n": len(ids), "measures": means}
            yield row | (_milliseconds(one, ids) if len(one.rankings) == 1 else {})


def _milliseconds(one: Measured, ids: Sequence[str]) -> Row:
    (rankings,) = one.rankings.values()
    return {"ms": sum(rankings[query_id].milliseconds for query_id in ids) / len(ids)}


def comparison(one: Measured, earlier: Path) -> Iterator[Row]:
    """Of comparison.json: per system that both have, per stratum and measure, over the queries that both ranked."""
    for system, run in read_runs(earlier, one.part.name).items():
        if system in one.values:
            before = {query_id: found for query_id, found in values(one.part, run).items() if query_id in run}
            for row in significance.compare(one.strata, before, one.values[system]):
                yield {"track": one.part.name, "system": system, **row}


def _failures(one: Measured, searcher: Searcher) -> Iterator[Row]:
    return failures(one.part, one.rankings[one.chief], one.values[one.chief], searcher.index.documents)


def _curves(one: Measured, settings: Evaluate) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {}
    for system, rankings in one.rankings.items():
        found[system] = recall_curve(one.part, run_of(rankings), min(settings.k, SYSTEMS[system].depth(settings)))
    return found


def _relevance(one: Measured) -> list[tuple[float, float]]:
    pages = judged(one.part, one.rankings[one.chief])
    return [pair for given, labels in pages for pair in zip(given.tolist(), labels.tolist(), strict=True)]


def _meta(searcher: Searcher, plan: Plan, found: Sequence[Measured], seconds: float) -> Row:
    index, models = searcher.index.name, (searcher.encoder, searcher.reranker)
    return {
        "index": index.name,
        "version": index.version,
        "corpus_as_of": index.corpus_as_of,
        "models": [f"{model.name} {model.weights_sha256[:12]}" for model in models if model],
        "queries": {one.part.name: len(one.part.queries) for one in found},
        "depth": plan.settings.depth,
        "first_depth": plan.settings.first_depth,
        "against": str(plan.against) if plan.against else None,
        "seconds": round(seconds, 1),
    }


def table(rows: Sequence[Row]) -> Table:
    timed = ["ms"] if "ms" in rows[0] else []
    shown = Table("stratum", "n", "system", "nDCG@10 [95 %]", *NAMES[1:], *timed, title=rows[0]["track"])
    for place, row in enumerate(rows):
        if row["stratum"] != rows[place - 1]["stratum"]:
            shown.add_section()
        gain, rest = row["measures"]["nDCG@10"], [f"{row['measures'][name]['mean']:.4f}" for name in NAMES[1:]]
        spread = f"{gain['mean']:.4f} \\[{gain['low']:.3f}, {gain['high']:.3f}]"
        rest += [f"{row[name]:.0f}" for name in timed]
        shown.add_row(row["stratum"], str(row["n"]), row["system"], spread, *rest)
    return shown


# the command


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        searcher = open_searcher(options.root, options.index, options.encoder, options.reranker)
        if options.no_router:
            searcher.router = Understood
        if options.link_weight is not None:
            searcher.tuning = replace(searcher.tuning, link_weight=options.link_weight)
        counts = trained_counts(options.train_pairs, Path(options.encoder))
        names = ("systems", "depth", "first_depth", "max_queries", "citizens")
        settings = Evaluate(**{name: getattr(options, name) for name in names})
        measure(searcher, Plan(options.dev, options.out, settings, counts, options.tracks, options.against))
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    defaults, pairs = Evaluate(), Path("work/mini/pairs/train.jsonl")
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure an index.")
    parser.add_argument("--index", required=True, help="name of a published index")
    parser.add_argument("--dev", type=Path, required=True, help="folder with queries.jsonl and qrels.*.tsv")
    parser.add_argument("--citizens", default=defaults.citizens, help='folder of the lay questions; "" for none')
    parser.add_argument("--against", type=Path, help="folder of an earlier evaluation to compare with")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--out", type=Path, default=Path("work/evaluate"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--reranker", default=RERANKER, help='"" measures first stages without one')
    parser.add_argument("--train-pairs", type=Path, default=pairs, help="train.jsonl, else the encoder's own counts")
    parser.add_argument("--depth", type=int, default=defaults.depth, help="of systems with the reranker")
    parser.add_argument("--first-depth", type=int, default=defaults.first_depth, help="of systems without it")
    parser.add_argument("--max-queries", type=int, default=defaults.max_queries, help="of each track; 0 for all")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=defaults.systems)
    parser.add_argument("--tracks", nargs="+", choices=TRACKS, default=TRACKS)
    parser.add_argument("--no-router", action="store_true", help="leave the citations of queries unread: the ablation")
    parser.add_argument("--link-weight", type=float, help="in place of the index's own (Tuning.link_weight)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
