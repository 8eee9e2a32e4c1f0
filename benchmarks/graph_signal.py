"""Does the citation graph rank decisions better? Track B of the dev set, over the first stage's candidates.

    python -m benchmarks.graph_signal --index full --dev FOLDER [--depth 100] [--max-queries 0]

Each signal is added to the first stage's score with a range of weights; the table shows nDCG@10. Only citations made
before the query's date count, and none by the query's own decision: a decision is ranked by what was known then.

    cited     ln(1 + decisions that cite the candidate)
    linked    ln(1 + of the best candidates, those that cite it)    Tuning.link_weight
    both      cited + linked
    coupled   mean cosine of what it cites with what the best candidates cite
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.progress import track

from app.errors import BeopgilError
from app.retrieval.graph import Graph
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters
from app.retrieval.vouching import BEST
from training.dev import DevQuery
from training.index import ENCODER
from training.measures import ndcg
from training.tracks import tracks

WEIGHTS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
Scores = npt.NDArray[np.float64]
Signal = Callable[["Pool"], Scores]


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of a query: document rows, best first, with the first stage's scores."""

    query: DevQuery
    rows: npt.NDArray[np.int64]
    scores: Scores


class Signals:
    """What the graph says of candidates, as of the query's date."""

    def __init__(self, searcher: Searcher) -> None:
        self.graph: Graph = searcher.index.graph
        self.dates = searcher.index.documents.column("date")
        self.cites = lru_cache(maxsize=100_000)(lambda row: frozenset(self.graph.cited(row).tolist()))
        self.all: Mapping[str, Signal] = {
            "cited": self.cited,
            "linked": self.linked,
            "both": lambda pool: self.cited(pool) + self.linked(pool),
            "coupled": self.coupled,
        }

    def cited(self, pool: Pool) -> Scores:
        counts = [int((self.dates[self.graph.citing(int(row))] < pool.query.date).sum()) for row in pool.rows]
        return np.log1p(np.array(counts, dtype=np.float64))

    def linked(self, pool: Pool) -> Scores:
        """Every candidate was decided before the query's date, and so were its citations."""
        return np.log1p(self.graph.links(pool.rows[:BEST].tolist(), pool.rows).astype(np.float64))

    def coupled(self, pool: Pool) -> Scores:
        cited = [self.cites(int(row)) for row in pool.rows]
        best = cited[:BEST]
        values = [
            np.mean([cosine(one, other) for n, other in enumerate(best) if n != place] or [0.0])
            for place, one in enumerate(cited)
        ]
        return np.array(values, dtype=np.float64)


def cosine(one: frozenset[int], other: frozenset[int]) -> float:
    return len(one & other) / float(np.sqrt(len(one) * len(other))) if one and other else 0.0


def pools(searcher: Searcher, queries: Sequence[DevQuery], depth: int) -> Iterator[Pool]:
    """The first stage over the decisions before each query's date, its own left out."""
    owners = searcher.index.passages.documents
    for query in queries:
        before = date.fromisoformat(query.date) - timedelta(days=1)
        own = {"p" + query.query_id.split("#")[0]}
        allowed = searcher.columns.mask(Filters(kind=("precedent",), date_to=before), exclude=own)
        assert allowed is not None, "a kind is filtered"
        ranked = searcher.rank_documents(searcher.candidates([query.text], depth, "hybrid", allowed[owners])[0])
        rows, scores = np.array([row for row, _ in ranked]), np.array([score for _, score in ranked])
        yield Pool(query, rows.astype(np.int64), scores.astype(np.float64))


def sweep(searcher: Searcher, queries: Sequence[DevQuery], depth: int) -> dict[str, list[float]]:
    """Mean nDCG@10 per signal and weight."""
    signals, ids = Signals(searcher), searcher.index.documents.column("doc_id")
    gains: dict[str, list[list[float]]] = {name: [] for name in signals.all}
    for pool in track(pools(searcher, queries, depth), total=len(queries), description="queries"):
        for name, signal in signals.all.items():
            values = signal(pool)
            rankings = (
                ids[pool.rows[np.argsort(-(pool.scores + weight * values), kind="stable")]] for weight in WEIGHTS
            )
            gains[name].append([ndcg(ranking.tolist(), pool.query.relevant) for ranking in rankings])
    return {name: np.mean(values, axis=0).tolist() for name, values in gains.items()}


def table(found: Mapping[str, Sequence[float]]) -> str:
    head = "| signal | " + " | ".join(f"{weight:g}" for weight in WEIGHTS) + " |"
    rows = [f"| {name} | " + " | ".join(f"{value:.4f}" for value in values) + " |" for name, values in found.items()]
    return "\n".join([head, "|---" * (len(WEIGHTS) + 1) + "|", *rows])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_signal", description="Citations as a signal.")
    parser.add_argument("--index", required=True, help="name of a published index")
    parser.add_argument("--dev", type=Path, required=True, help="folder with queries.jsonl and qrels.precedents.tsv")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--depth", type=int, default=100, help="passages recalled")
    parser.add_argument("--max-queries", type=int, default=0, help="0 for all")
    options = parser.parse_args(arguments)
    try:
        searcher = open_searcher(options.root, options.index, options.encoder, None)
        parts = tracks(options.dev, limit=options.max_queries)
        queries = [query for part in parts if part.name == "precedents" for query in part.queries if query.date]
        if not queries:
            print(f"{options.dev} holds no judged query with a date for decisions", file=sys.stderr)
            return 1
        print(f"nDCG@10 of {len(queries)} queries, first stage + weight × signal, depth {options.depth}")
        print(table(sweep(searcher, queries, options.depth)))
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
