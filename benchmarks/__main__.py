"""Latency of one search at a time, in process, against the textbook pipeline on the same models, index and queries.

    python -m benchmarks [--index samples] [--queries samples/queries.jsonl] [--rounds 5] [--count 20]

The systems take turns, round by round; a figure is the median over rounds of the round's median. Ratios are against
the textbook of the same run: this machine's noise is in both. `overlap` is the share of the textbook's top 10 found.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from app.retrieval.opening import open_searcher
from app.retrieval.types import Mode, SearchRequest
from benchmarks.peers.serve import like_the_textbook
from benchmarks.peers.textbook import Textbook
from training.index import ENCODER, RERANKER

Search = Callable[[str], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Latency against the textbook pipeline.")
    parser.add_argument("--index", default="samples")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--queries", type=Path, default=Path("samples/queries.jsonl"))
    parser.add_argument("--encoder", type=Path, default=Path(ENCODER))
    parser.add_argument("--reranker", type=Path, default=Path(RERANKER))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20, help="queries a round")
    parser.add_argument("--depth", type=int, default=100)
    options = parser.parse_args()
    lines = options.queries.read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line)["text"] for line in lines][: options.count]
    systems = build(options)
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {options.index}, "
          f"{len(queries)} queries × {options.rounds} rounds, depth {options.depth}")  # fmt: skip
    report(systems, queries, options.rounds)


def build(options: argparse.Namespace) -> dict[str, Search]:
    """The systems by name; the textbook is first."""
    fast = open_searcher(options.root, options.index, options.encoder, options.reranker)
    exact = open_searcher(options.root, options.index, options.encoder, options.reranker, precision="fp32")
    like_the_textbook(fast, everything=False)
    like_the_textbook(exact, everything=True)
    textbook = Textbook(fast.index, options.encoder, options.reranker)

    def ours(precise: bool, mode: Mode, rerank: bool) -> Search:
        searcher = exact if precise else fast

        def search(query: str) -> list[str]:
            request = SearchRequest(query, k=10, depth=options.depth, mode=mode, rerank=rerank)
            return [result.doc_id for result in searcher.search(request).results if result.match == "ranked"]

        return search

    return {
        "textbook": lambda query: textbook.search(query, 10, options.depth),
        "dense + rerank, fp32": ours(True, "dense", True),
        "dense + rerank": ours(False, "dense", True),
        "hybrid + rerank": ours(False, "hybrid", True),
        "hybrid": ours(False, "hybrid", False),
        "lexical": ours(False, "lexical", False),
    }


def report(systems: dict[str, Search], queries: list[str], rounds: int) -> None:
    reference = [set(next(iter(systems.values()))(query)) for query in queries]
    overlaps = {name: overlap(search, queries, reference) for name, search in systems.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, search in systems.items():
            times[name].append([clock(search, query) for query in queries])
    base = middle(times["textbook"])
    print(f"{'system':24} {'p50 ms':>8} {'p95 ms':>8} {'× textbook':>11} {'overlap':>8}")
    for name, measured in times.items():
        p95 = median(sorted(one)[int(0.95 * (len(one) - 1))] for one in measured)
        print(f"{name:24} {middle(measured):8.1f} {p95:8.1f} {base / middle(measured):11.2f} {overlaps[name]:8.2f}")


def clock(search: Search, query: str) -> float:
    """Milliseconds of one search."""
    start = time.perf_counter()
    search(query)
    return 1000 * (time.perf_counter() - start)


def middle(rounds: list[list[float]]) -> float:
    return median(median(one) for one in rounds)


def overlap(search: Search, queries: list[str], reference: list[set[str]]) -> float:
    found = [set(search(query)) for query in queries]
    return sum(len(one & other) / max(1, len(other)) for one, other in zip(found, reference, strict=True)) / len(
        queries
    )


if __name__ == "__main__":
    main()
