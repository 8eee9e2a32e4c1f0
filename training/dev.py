"""Dev queries with what is relevant to them, by document key, and passage rankings folded to those keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.errors import RecordError
from app.retrieval.store import DocumentStore
from training.pairs import read_json

Keys = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class DevQuery:
    """`relevant` holds document keys; `kind` is what the query's track searches; `date` is its decision's."""

    query_id: str
    text: str
    date: str
    kind: Literal["statute", "precedent"]
    relevant: frozenset[str]


def document_keys(documents: DocumentStore) -> Keys:
    """What qrels call a document: an article's citation (a forerunner of its law may share it), a decision's doc_id."""
    statute = documents.column("kind") == "statute"
    return np.where(statute, documents.column("citation"), documents.column("doc_id")).astype(object)


def read_qrels(path: Path, prefix: str = "") -> dict[str, frozenset[str]]:
    """query_id → relevant keys of a tab-separated TREC file; {} without one. RecordError names a broken line."""
    relevant: dict[str, set[str]] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, 1):
        fields = line.split("\t")
        if len(fields) != 4:
            raise RecordError(f"{path.name}:{number} has {len(fields)} tab-separated fields, expected 4: {line[:80]!r}")
        if fields[3].strip() != "0":
            relevant.setdefault(fields[0], set()).add(prefix + fields[2])
    return {query_id: frozenset(keys) for query_id, keys in relevant.items()}


def dev_queries(folder: Path, limit: int, seed: int) -> list[DevQuery]:
    """At most `limit` dev queries (0: all), drawn by seed, in file order: the article track where it has any qrels."""
    path = folder / "queries.jsonl"
    rows = list(read_json(path)) if path.exists() else []
    kind: Literal["statute", "precedent"] = "statute"
    relevant = read_qrels(folder / "qrels.articles.tsv")
    if not relevant:
        kind, relevant = "precedent", read_qrels(folder / "qrels.precedents.tsv", "p")
    judged = [row for row in rows if row["query_id"] in relevant]
    if limit and len(judged) > limit:
        kept = np.sort(np.random.default_rng(seed).choice(len(judged), limit, replace=False))
        judged = [judged[i] for i in kept]
    return [
        DevQuery(row["query_id"], row["text"], row.get("date", ""), kind, relevant[row["query_id"]]) for row in judged
    ]


def fold(passages: Iterable[int], documents: npt.NDArray[np.int32], keys: Keys) -> list[str]:
    """The document keys of ranked passage indices, each at its best passage."""
    return list(dict.fromkeys(keys[documents[passage]] for passage in passages))


def qrels(queries: Sequence[DevQuery]) -> dict[str, frozenset[str]]:
    return {query.query_id: query.relevant for query in queries}
