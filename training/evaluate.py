"""index + dev queries and qrels → runs/*.tsv, measures.json, table.md

Two tracks through the same Searcher that serves. Track A: issue → articles, over every article. Track B: issue →
earlier decisions, the query's own and those dated on or after it left out. Four systems: BM25, dense and hybrid first
stages, and the whole pipeline. Measures are ir-measures' own; intervals are 95 % bootstrap over queries.

Also by itself, for an index that is there already:

    python -m training.evaluate --index NAME --dev FOLDER [--out FOLDER] [--encoder FOLDER] [--reranker FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.errors import BeopgilError
from app.law.documents import Kind
from app.law.query import Understood
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.store import DocumentStore
from app.retrieval.types import Filters, Mode, SearchRequest
from training.dev import DevQuery, read_qrels
from training.index import ENCODER, RERANKER
from training.pairs import read_json
from training.recipe import Evaluate, Recipe, RecipeError

MEASURES = (nDCG @ 10, RR @ 10, R @ 10, R @ 100)
TRACKS = ("articles", "precedents")
SYSTEMS = ("bm25", "dense", "hybrid", "reranked")
RESAMPLES = 1000

Run = dict[str, dict[str, float]]
"""query_id → document key → score."""


@dataclass(frozen=True, slots=True)
class Track:
    """Queries with their qrels; a stratum is a set of query ids."""

    name: str
    queries: tuple[DevQuery, ...]
    strata: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries, with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: a dev folder, where the outcome goes, and how deep."""

    dev: Path
    folder: Path
    settings: Evaluate
    trained: frozenset[str] = frozenset()
    """Citations of articles in training pairs, for the stratum `unseen`; empty leaves the stratum out."""


def run(recipe: Recipe) -> None:
    searcher = open_searcher(Path(recipe.index.root), recipe.index.name, recipe.encoder_model, recipe.reranker_model)
    trained = trained_citations(recipe.train_pairs, searcher.index.documents)
    measure(searcher, Plan(recipe.dev, recipe.folder("evaluate"), recipe.evaluate, trained))


def measure(
    searcher: Searcher, plan: Plan, systems: Sequence[str] = SYSTEMS, chosen: Sequence[str] = TRACKS
) -> list[dict[str, Any]]:
    """Rank every query with every system; write the runs and the tables; returns the rows of measures.json."""
    rows: list[dict[str, Any]] = []
    for part in (part for part in tracks(plan) if part.name in chosen):
        for system in systems:
            start = time.monotonic()
            found = ranked(searcher, part, system, plan.settings)
            milliseconds = 1000 * (time.monotonic() - start) / len(part.queries)
            write_run(plan.folder / "runs" / f"{part.name}.{system}.tsv", found, system)
            rows += [{**row, "system": system, "ms": milliseconds} for row in score(part, found)]
            Console().print(table([row for row in rows if row["system"] == system and row["track"] == part.name]))
    if not rows:
        raise RecipeError(f"{plan.dev} holds no judged query; it needs queries.jsonl and qrels.*.tsv")
    (plan.folder / "measures.json").write_text(json.dumps(rows, indent=1, default=asdict))
    (plan.folder / "table.md").write_text(markdown(rows), encoding="utf-8")
    print(markdown(rows), flush=True)
    return rows


# queries


def tracks(plan: Plan) -> Iterator[Track]:
    """Track A with the strata strict, named and unseen (no gold article in any training pair); track B."""
    path = plan.dev / "queries.jsonl"
    rows = {row["query_id"]: row for row in read_json(path)} if path.exists() else {}
    kinds: tuple[tuple[str, Kind, str], ...] = (("articles", "statute", ""), ("precedents", "precedent", "p"))
    for name, kind, prefix in kinds:
        qrels = read_qrels(plan.dev / f"qrels.{name}.tsv", prefix)
        judged = [query_id for query_id in rows if query_id in qrels][: plan.settings.max_queries or None]
        queries = tuple(DevQuery(q, rows[q]["text"], rows[q].get("date", ""), kind, qrels[q]) for q in judged)
        strata = {"all": frozenset(judged)}
        if kind == "statute":
            named = frozenset(q for q in judged if rows[q].get("names_statute"))
            unseen = frozenset(q.query_id for q in queries if plan.trained and not q.relevant & plan.trained)
            strata = {"strict": frozenset(judged) - named, "named": named, "unseen": unseen, **strata}
        if queries:
            yield Track(name, queries, {stratum: ids for stratum, ids in strata.items() if ids})


def trained_citations(train_pairs: Path, documents: DocumentStore) -> frozenset[str]:
    """Citations of the articles that are positive in a training pair; empty where there is no such file."""
    if not train_pairs.exists():
        return frozenset()
    citations = documents.column("citation")
    ids = {p.split("#")[0] for row in read_json(train_pairs) for p in row["positive_passages"]}
    rows = (documents.row(doc_id) for doc_id in ids)
    return frozenset(str(citations[row]) for row in rows if row is not None)


# rankings


def ranked(searcher: Searcher, part: Track, system: str, settings: Evaluate) -> Run:
    """The best `k` documents of every query, by key (citation or doc_id)."""
    if system not in SYSTEMS:
        raise RecipeError(f"no system {system!r}; there are {', '.join(SYSTEMS)}")
    queries = track(part.queries, description=f"{part.name} {system}")
    return {query.query_id: _search(searcher, query, system, settings) for query in queries}


def _search(searcher: Searcher, query: DevQuery, system: str, settings: Evaluate) -> dict[str, float]:
    modes: dict[str, Mode] = {"bm25": "lexical", "dense": "dense"}
    request = SearchRequest(
        query.text, k=settings.k, depth=settings.depth, mode=modes.get(system, "hybrid"),
        rerank=system == "reranked", filters=Filters(kind=(query.kind,)),
    )  # fmt: skip
    if query.kind == "precedent":
        request = _only_earlier(request, query)
    results = searcher.search(request).results
    keys = (r.citation if query.kind == "statute" else r.doc_id for r in results)
    return {key: float(len(results) - place) for place, key in enumerate(keys)}


def _only_earlier(request: SearchRequest, query: DevQuery) -> SearchRequest:
    own = frozenset({"p" + query.query_id.split("#")[0]})
    filters = request.filters
    if query.date:
        filters = replace(filters, date_to=date.fromisoformat(query.date) - timedelta(days=1))
    return replace(request, filters=filters, exclude_docs=own)


def write_run(path: Path, found: Run, system: str) -> None:
    """A TREC run; tabs between the fields, for citations hold spaces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as sink:
        for query_id, scores in found.items():
            for rank, (key, value) in enumerate(scores.items(), 1):
                sink.write(f"{query_id}\tQ0\t{key}\t{rank}\t{value:g}\t{system}\n")


# measures


def score(part: Track, found: Run) -> list[dict[str, Any]]:
    """One row per stratum: its size and the Score of every measure."""
    qrels = {query.query_id: dict.fromkeys(query.relevant, 1) for query in part.queries}
    values: dict[str, dict[str, float]] = {str(measure): dict.fromkeys(qrels, 0.0) for measure in MEASURES}
    for metric in ir_measures.iter_calc(MEASURES, qrels, found):
        values[str(metric.measure)][metric.query_id] = metric.value
    return [
        {
            "track": part.name,
            "stratum": stratum,
            "n": len(ids),
            **{
                name: interval([value for q, value in by_query.items() if q in ids])
                for name, by_query in values.items()
            },
        }
        for stratum, ids in part.strata.items()
    ]


def interval(values: Sequence[float], seed: int = 7) -> Score:
    """Mean and percentile bootstrap interval (Efron & Tibshirani 1993) over queries."""
    sample = np.asarray(values)
    picks = np.random.default_rng(seed).integers(0, len(sample), (RESAMPLES, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return Score(float(sample.mean()), float(low), float(high))


def table(rows: Sequence[dict[str, Any]]) -> Table:
    shown = Table("track", "stratum", "n", *map(str, MEASURES), "ms a query", title=rows[0]["system"])
    for row in rows:
        means = (f"{row[str(measure)].mean:.4f}" for measure in MEASURES)
        shown.add_row(row["track"], row["stratum"], str(row["n"]), *means, f"{row['ms']:.0f}")
    return shown


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The whole table, nDCG@10 with its interval."""
    lines = [
        "| track | stratum | n | system | nDCG@10 [95 %] | RR@10 | R@10 | R@100 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["track"], -row["n"], row["stratum"])):
        gain = row["nDCG@10"]
        rest = " | ".join(f"{row[name].mean:.4f}" for name in ("RR@10", "R@10", "R@100"))
        lines.append(
            f"| {row['track']} | {row['stratum']} | {row['n']} | {row['system']} | "
            f"{gain.mean:.4f} [{gain.low:.3f}, {gain.high:.3f}] | {rest} |"
        )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    defaults = Evaluate()
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure an index.")
    parser.add_argument("--index", required=True, help="name of a published index")
    parser.add_argument("--dev", type=Path, required=True, help="folder with queries.jsonl and qrels.*.tsv")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--out", type=Path, default=Path("work/evaluate"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--reranker", default=RERANKER)
    pairs = Path("work/mini/pairs/train.jsonl")
    parser.add_argument("--train-pairs", type=Path, default=pairs, help="train.jsonl of the models")
    parser.add_argument("--depth", type=int, default=defaults.depth)
    parser.add_argument("--max-queries", type=int, default=defaults.max_queries, help="0 for all")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS)
    parser.add_argument("--tracks", nargs="+", choices=TRACKS, default=TRACKS)
    parser.add_argument("--no-router", action="store_true", help="leave the citations of queries unread: the ablation")
    parser.add_argument("--link-weight", type=float, help="in place of the index's own (Tuning.link_weight)")
    options = parser.parse_args(arguments)
    try:
        searcher = open_searcher(options.root, options.index, options.encoder, options.reranker)
        if options.no_router:
            searcher.router = Understood
        if options.link_weight is not None:
            searcher.tuning = replace(searcher.tuning, link_weight=options.link_weight)
        trained = trained_citations(options.train_pairs, searcher.index.documents)
        settings = Evaluate(depth=options.depth, max_queries=options.max_queries)
        measure(searcher, Plan(options.dev, options.out, settings, trained), options.systems, options.tracks)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
