"""Triples in memory: queries as text, passages as numbers whose texts stay in the corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.retrieval.store import DocumentStore, PassageStore
from training.dev import document_keys
from training.pairs import PairsError, Row, read_json
from training.vectors import Ids


@dataclass(frozen=True, slots=True)
class Example:
    """A query with one positive; `known` are the documents that are no negatives of it."""

    query: str
    positive: int
    negatives: tuple[int, ...]
    known: tuple[int, ...]
    source: str = ""
    teacher: tuple[float, ...] = ()
    """A cross-encoder's logits of the positive and the negatives; () where none has read them."""


@dataclass
class Triples:
    """`examples` name passages by number: those of the corpus first, then texts that came inline."""

    passages: PassageStore
    documents: list[int]
    """Document of each passage of the corpus; namesakes (a law and its forerunner) share one number."""
    inline: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Document of each inline text; a number of its own where it has none in the corpus."""
    examples: list[Example] = field(default_factory=list)

    def text(self, passage: int) -> str:
        own = len(self.passages)
        return self.passages.text(passage) if passage < own else self.inline[passage - own]

    def document(self, passage: int) -> int:
        """The document of a passage; an inline text without a key is a document of its own."""
        own = len(self.documents)
        return self.documents[passage] if passage < own else self.owners[passage - own]

    def held_out(self, count: int, seed: int) -> Ids:
        """Some examples, at most a tenth, to measure the loss on."""
        count = max(1, min(count, len(self.examples) // 10))
        return np.sort(np.random.default_rng(seed).choice(len(self.examples), count, replace=False)).astype(np.int64)


def read_triples(path: Path, documents: DocumentStore, passages: PassageStore) -> Triples:
    """One example per positive of each row, in either format; the positives of a row share out its negatives.

    Raises PairsError where a passage is not in the corpus, a row is of neither format, or there are none.
    """
    numbers: dict[str, int] = {}
    groups = np.array(
        [numbers.setdefault(key, row) for row, key in enumerate(document_keys(documents))], dtype=np.int64
    )
    triples = Triples(passages, groups[passages.documents].tolist())
    texts: dict[str, int] = {}
    for row in read_json(path):
        if "positive_passages" in row:
            _add_ids(triples, row, documents, groups, path)
        elif "pos" in row:
            _add_inline(triples, row, texts, documents, groups, path)
        else:
            raise PairsError(
                f"{path.name}: a row has neither query/pos nor query_text/positive_passages: {sorted(row)}"
            )
    if not triples.examples:
        raise PairsError(f"{path} holds no triples; run the mine step again")
    return triples


def _add_ids(triples: Triples, row: Row, documents: DocumentStore, groups: Ids, path: Path) -> None:
    rows = triples.passages.rows
    _check(triples, (*row["positive_passages"], *row["hard_negatives"]), path)
    _add(
        triples,
        row["query_text"],
        [rows[p] for p in row["positive_passages"]],
        [rows[p] for p in row["hard_negatives"]],
        _excluded(row, documents, groups),
        row,
    )


def _add_inline(
    triples: Triples, row: Row, texts: dict[str, int], documents: DocumentStore, groups: Ids, path: Path
) -> None:
    """Negatives are texts, or ids where the row was mined. The key's document is no negative, whoever owns its text."""
    owner = documents.row(str(row.get("key", "")).partition("#")[0])

    def number(text: str, document: int | None = None) -> int:
        if text not in texts:
            texts[text] = len(triples.passages) + len(triples.inline)
            alone = len(documents) + len(triples.inline)
            triples.inline.append(text)
            triples.owners.append(alone if document is None else int(groups[document]))
        return texts[text]

    mined = row.get("hard_negatives", ())
    _check(triples, mined, path)
    _add(
        triples,
        row["query"],
        [number(text, owner) for text in row["pos"]],
        [*(number(text) for text in row.get("neg", ())), *(triples.passages.rows[p] for p in mined)],
        [*_excluded(row, documents, groups), *([] if owner is None else [int(groups[owner])])],
        row,
    )


def _check(triples: Triples, passage_ids: Iterable[str], path: Path) -> None:
    absent = next((p for p in passage_ids if p not in triples.passages.rows), None)
    if absent:
        raise PairsError(f"{path.name}: passage {absent} is not in this corpus; mine again with --from pairs")


def _excluded(row: Row, documents: DocumentStore, groups: Ids) -> list[int]:
    rows = (documents.row(doc_id) for doc_id in row.get("exclude", ()))
    return [int(groups[document]) for document in rows if document is not None]


def _add(
    triples: Triples, query: str, positives: list[int], negatives: list[int], excluded: list[int], row: Row
) -> None:
    known = tuple(sorted({triples.document(passage) for passage in positives} | set(excluded)))
    logits = row.get("teacher", [])
    if logits and len(logits) != len(positives) + len(negatives):
        raise PairsError(f"a row has {len(logits)} logits of the teacher for other passages; mine again: {query[:40]}")
    own, others = logits[: len(positives)], logits[len(positives) :]
    for turn, positive in enumerate(positives):
        rotated = negatives[turn:] + negatives[:turn]
        teacher = (own[turn], *others[turn:], *others[:turn]) if logits else ()
        triples.examples.append(Example(query, positive, tuple(rotated), known, row.get("source", ""), teacher))
