"""How to make one list of two: rules of fusion over the first stage, on dev issues and on lay questions.

    python -m benchmarks.fusion --index full --dev FOLDER [--citizens FOLDER] [--max-queries 0]

    bm25, dense    one side alone
    rrf            Σ 1 / (60 + rank), the union of both sides (Cormack et al. 2009)
    union          dense order, then what only BM25 found: a union that leaves the order to the second stage
    0.9 … 0.3      weight of the cosine beside BM25 scaled by its best
    sure           weights led by how near a decision is and how much of the query an article has: what is served
    sure + family  the same with passages of one law vouching for one another, as is served too

Queries are read as the service reads them (short names spelt out, everyday words bridged), nothing is pinned.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.errors import BeopgilError
from app.retrieval.fusion import Fused, fuse, with_family
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import Candidates, Filters, FusionWeights, Ids
from training.index import ENCODER
from training.measures import means
from training.sections import Evaluate
from training.systems import SYSTEMS, request
from training.tracks import CITIZENS, Track, tracks

DEPTH = 300
SHARES = (0.9, 0.8, 0.7, 0.5, 0.3)


@dataclass(frozen=True, slots=True)
class Sides:
    """What both sides found for a query."""

    dense: Candidates
    lexical: Candidates
    attainable: float
    sure: float


def rules(searcher: Searcher) -> dict[str, Callable[[Sides], Ids]]:
    """Name → passages of a query, best first."""
    tuning, families = searcher.tuning, searcher.columns.families()[searcher.index.passages.documents]

    def weighted(share: float, sides: Sides) -> Ids:
        fixed = replace(tuning, weights=FusionWeights(share, 1 - share))
        return fuse(sides.dense, sides.lexical, sides.attainable, "hybrid", fixed).ids

    def sure(sides: Sides) -> Fused:
        return fuse(sides.dense, sides.lexical, sides.attainable, "hybrid", tuning, sides.sure)

    def family(sides: Sides) -> Ids:
        found = sure(sides)
        return with_family(found, families[found.ids], tuning.family_weight).ids

    return {
        "bm25": lambda sides: sides.lexical.ids,
        "dense": lambda sides: sides.dense.ids,
        "rrf": reciprocal_ranks,
        "union": lambda sides: np.concatenate([sides.dense.ids, np.setdiff1d(sides.lexical.ids, sides.dense.ids)]),
        **{f"{share:g}": lambda sides, share=share: weighted(share, sides) for share in SHARES},  # type: ignore[misc]
        "sure": lambda sides: sure(sides).ids,
        "sure + family": family,
    }


def reciprocal_ranks(sides: Sides) -> Ids:
    """Best first, ties by id."""
    scores: dict[int, float] = {}
    for side in (sides.dense, sides.lexical):
        for rank, passage in enumerate(side.ids.tolist(), 1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (60 + rank)
    return np.array(sorted(scores, key=lambda passage: (-scores[passage], passage)), dtype=np.int64)


def found(searcher: Searcher, part: Track) -> list[Sides]:
    allowed = searcher.columns.mask(Filters(kind=("statute",)))
    mask = None if allowed is None else allowed[searcher.index.passages.documents]
    read = [searcher.router(query.text) for query in part.queries]
    sought = [one.sought for one in read]
    vectors, lexical = searcher.encoder.encode_queries([one.text for one in read]), searcher.index.lexical
    dense = searcher.index.dense.search(vectors, DEPTH, mask)
    sides = []
    for n, query in enumerate(track(part.queries, description=part.name)):
        near = searcher.near(vectors[n : n + 1], request(query, SYSTEMS["hybrid"], Evaluate()))
        words = lexical.search(sought[n], DEPTH, mask)
        sides.append(Sides(dense[n], words, lexical.attainable(sought[n]), searcher.sure(dense[n], near)))
    return sides


def measured(searcher: Searcher, part: Track) -> dict[str, dict[str, tuple[float, float]]]:
    """rule → stratum → (nDCG@10, R@100)."""
    sides, citations = found(searcher, part), searcher.index.documents.column("citation")
    owners = searcher.index.passages.documents
    outcome: dict[str, dict[str, tuple[float, float]]] = {}
    for name, rule in rules(searcher).items():
        rankings = {
            query.query_id: list(dict.fromkeys(citations[owners[rule(one)]].tolist()))
            for query, one in zip(part.queries, sides, strict=True)
        }
        outcome[name] = {stratum: _means(rankings, part, ids) for stratum, ids in strata(part).items()}
    return outcome


def strata(part: Track) -> dict[str, list[str]]:
    """Of the articles strict and named, of the citizens each part of the set; and all."""
    groups: dict[str, list[str]] = {}
    for query in part.queries:
        row = part.rows[query.query_id]
        name = str(row["part"]) if "part" in row else "named" if row.get("names_statute") else "strict"
        groups.setdefault(name, []).append(query.query_id)
    return {**groups, "all": [query.query_id for query in part.queries]}


def _means(rankings: dict[str, list[str]], part: Track, ids: Sequence[str]) -> tuple[float, float]:
    relevant = {query.query_id: query.relevant for query in part.queries if query.query_id in set(ids)}
    values = means(rankings, relevant)
    return values["nDCG@10"], values["R@100"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description="Compare rules of fusion.")
    parser.add_argument("--index", required=True)
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--citizens", type=Path, default=CITIZENS)
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--max-queries", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        searcher = open_searcher(options.root, options.index, options.encoder, None)
        for part in tracks(options.dev, options.citizens, options.max_queries):
            if part.name != "precedents":
                show(part, measured(searcher, part))
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


def show(part: Track, outcome: dict[str, dict[str, tuple[float, float]]]) -> None:
    names = list(strata(part))
    table = Table("rule", *(f"{name} ({len(ids)})" for name, ids in strata(part).items()), title=part.name)
    for rule, values in outcome.items():
        table.add_row(rule, *("{:.4f} / {:.4f}".format(*values[name]) for name in names))
    Console(width=140).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
