"""index + dev queries → depths.json: what a search costs and finds at each rerank depth

    python -m training.depths --index NAME --dev FOLDER [--queries 200] [--depths 10 20 50 100 200] [--out FOLDER]

The default system on a sample of track A, one query at a time, as one person searches: ten documents are asked for, so
that the milliseconds are those of a page. What a query's own decision cites speaks for nothing, as in the evaluation.
Depth counts the passages that each first stage recalls, and that the second reads where they can reach the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.errors import BeopgilError, NotReady
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from training.atomic import write
from training.dev import DevQuery, dev_queries, qrels
from training.index import ENCODER, RERANKER
from training.measures import means
from training.recipe import RecipeError
from training.sections import Evaluate
from training.systems import DEFAULT, SYSTEMS, request

DEPTHS = (10, 20, 50, 100, 200)
QUERIES = 200
K = 10
SEED = 7

Found = dict[int, dict[str, tuple[list[str], float]]]
"""depth → query_id → (citations best first, milliseconds)."""


def sample(dev: Path, count: int, seed: int = SEED) -> list[DevQuery]:
    """At most `count` judged queries of track A (0: all), the same for a seed. RecipeError where there are none."""
    queries = [query for query in dev_queries(dev, count, seed) if query.kind == "statute"]
    if not queries:
        raise RecipeError(f"{dev} judges no query of track A; it needs queries.jsonl and qrels.articles.tsv")
    return queries


def order(depths: Sequence[int], number: int) -> list[int]:
    """The depths as the query of this number meets them. Each comes first as often as any other, and every other round
    runs backwards: what warms up or disturbs the machine falls on all alike."""
    rounds, first = divmod(number, len(depths))
    turned = [*depths[first:], *depths[:first]]
    return turned[::-1] if rounds % 2 else turned


def searched(searcher: Searcher, queries: Sequence[DevQuery], depths: Sequence[int]) -> Found:
    """Every query at every depth. Raises NotReady where the second stage did not take part."""
    searcher.warm()
    found: Found = {depth: {} for depth in depths}
    for number, query in enumerate(track(queries, description="depths")):
        for depth in order(depths, number):
            found[depth][query.query_id] = one_search(searcher, query, depth)
    return found


def one_search(searcher: Searcher, query: DevQuery, depth: int) -> tuple[list[str], float]:
    asked = replace(request(query, SYSTEMS[DEFAULT], Evaluate()), k=K, depth=depth)
    start = time.perf_counter()
    response = searcher.search(asked)
    milliseconds = 1000 * (time.perf_counter() - start)
    if response.degraded:
        raise NotReady(f"depth {depth}, query {query.query_id}: {response.degraded}")
    return [result.citation for result in response.results], milliseconds


def rows(found: Found, queries: Sequence[DevQuery]) -> Iterator[dict[str, Any]]:
    """One row per depth, the shallowest first."""
    relevant = qrels(queries)
    for depth, by_query in sorted(found.items()):
        measured = means({query_id: ranking for query_id, (ranking, _) in by_query.items()}, relevant)
        middle, slow = np.percentile([milliseconds for _, milliseconds in by_query.values()], [50, 95])
        yield {
            "depth": depth,
            "nDCG@10": measured["nDCG@10"],
            "R@10": measured["R@10"],
            "p50_ms": float(middle),
            "p95_ms": float(slow),
            "queries": len(by_query),
        }


def table(measured: Sequence[dict[str, Any]]) -> Table:
    shown = Table("depth", "nDCG@10", "R@10", "p50 ms", "p95 ms", title=f"{measured[0]['queries']} queries, one by one")
    for row in measured:
        quality = (f"{row[name]:.4f}" for name in ("nDCG@10", "R@10"))
        shown.add_row(str(row["depth"]), *quality, f"{row['p50_ms']:.0f}", f"{row['p95_ms']:.0f}")
    return shown


def measure(searcher: Searcher, queries: Sequence[DevQuery], depths: Sequence[int], out: Path) -> list[dict[str, Any]]:
    """Search, write depths.json into `out`; returns its rows."""
    measured = list(rows(searched(searcher, queries, sorted(set(depths))), queries))
    write(out / "depths.json", json.dumps({"depths": measured}, indent=1).encode())
    return measured


def depth(text: str) -> int:
    """A depth that the HTTP contract allows too."""
    if not text.isdecimal() or not K <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no depth; it is a number from {K} to 1000")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.depths", description="Measure an index by rerank depth.")
    parser.add_argument("--index", required=True, help="name of a published index")
    parser.add_argument("--dev", type=Path, required=True, help="folder with queries.jsonl and qrels.articles.tsv")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--out", type=Path, default=Path("work/evaluate"))
    parser.add_argument("--encoder", default=ENCODER)
    parser.add_argument("--reranker", default=RERANKER)
    parser.add_argument("--queries", type=int, default=QUERIES, help="how many are drawn, 0 for all")
    parser.add_argument("--depths", type=depth, nargs="+", default=DEPTHS)
    options = parser.parse_args(arguments)
    try:
        queries = sample(options.dev, options.queries)
        searcher = open_searcher(options.root, options.index, options.encoder, options.reranker)
        Console().print(table(measure(searcher, queries, options.depths, options.out)))
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
