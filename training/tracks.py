"""A dev folder → the tracks that are measured: queries with what is relevant to them

articles      issue of a decision → articles, over every article (track A)
citizens      question of a lay person → articles, over every article; its own folder, benchmarks/citizen
precedents    issue of a decision → earlier decisions, its own and those dated on or after it left out (track B)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.law.documents import Kind
from training.dev import DevQuery, read_qrels
from training.pairs import Row, read_json

TRACKS = ("articles", "citizens", "precedents")
CITIZENS = Path("benchmarks/citizen")
SEED = 7


@dataclass(frozen=True, slots=True)
class Track:
    """Judged queries, and the rows that they were read from by query_id."""

    name: str
    queries: tuple[DevQuery, ...]
    rows: Mapping[str, Row]

    @property
    def qrels(self) -> dict[str, dict[str, int]]:
        return {query.query_id: dict.fromkeys(query.relevant, 1) for query in self.queries}


def tracks(dev: Path, citizens: Path | None = None, limit: int = 0) -> Iterator[Track]:
    """The tracks that have any judged query, in the order of TRACKS; at most `limit` queries of each (0: all)."""
    folders: dict[str, tuple[Path | None, Kind, str]] = {
        "articles": (dev, "statute", ""),
        "citizens": (citizens, "statute", ""),
        "precedents": (dev, "precedent", "p"),
    }
    for name, (folder, kind, prefix) in folders.items():
        found = () if folder is None else _judged(folder, name, kind, prefix)
        part = Track(name, queries := _drawn(tuple(found), limit), _rows(folder, queries))
        if queries:
            yield part
        elif name == "citizens" and folder is not None:
            print(f"citizens: left out, {folder} needs queries.jsonl and qrels.articles.tsv", flush=True)


def _judged(folder: Path, name: str, kind: Kind, prefix: str) -> Iterator[DevQuery]:
    file = "precedents" if name == "precedents" else "articles"
    relevant = read_qrels(folder / f"qrels.{file}.tsv", prefix)
    for row in _read(folder):
        if row["query_id"] in relevant:
            yield DevQuery(row["query_id"], row["text"], row.get("date", ""), kind, relevant[row["query_id"]])


def _drawn(queries: tuple[DevQuery, ...], limit: int) -> tuple[DevQuery, ...]:
    """The same for the same queries, in file order."""
    if not limit or len(queries) <= limit:
        return queries
    picks = np.sort(np.random.default_rng(SEED).choice(len(queries), limit, replace=False))
    return tuple(queries[pick] for pick in picks)


def _rows(folder: Path | None, queries: tuple[DevQuery, ...]) -> dict[str, Row]:
    ids = {query.query_id for query in queries}
    return {row["query_id"]: row for row in _read(folder) if row["query_id"] in ids} if folder and ids else {}


def _read(folder: Path) -> Iterator[Row]:
    path = folder / "queries.jsonl"
    return read_json(path) if path.exists() else iter(())
