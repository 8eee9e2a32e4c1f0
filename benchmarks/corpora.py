"""A corpus of any size out of one that is there: index → documents.arrow, passages.arrow

Fewer documents are a draw, each with all its passages. More are the whole corpus again and again, and a draw at the
end: every copy has ids, laws and citations of its own, and its passages are drawn from the words of two neighbours.
Documents without passages, of which only their deletion is left, are not taken over. The same seed gives the same
bytes.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.law.documents import Document
from app.retrieval.store import DocumentStore, PassageStore, write_documents, write_passages

SEED = 7
ORDERS = 8
"""Draws of words that are tried before one word more is taken."""

Rows = npt.NDArray[np.int32]


def resize(source: Path, folder: Path, size: int, seed: int = SEED) -> None:
    """Write a corpus of `size` documents into `folder` out of the files of the same names in `source`. Holds a block
    of rows in memory, and four bytes of each text in a set: about 100 bytes a passage."""
    documents, passages = DocumentStore(source / "documents.arrow"), PassageStore(source / "passages.arrow")
    copies = chosen(passages.documents, size, seed)
    write_documents(folder / "documents.arrow", _documents(documents, copies))
    write_passages(folder / "passages.arrow", _passages(passages, copies, seed))


def chosen(owners: Rows, size: int, seed: int = SEED) -> list[Rows]:
    """Per copy the rows of its documents, ascending: of all that have passages, or of a draw in the last copy."""
    rows = np.unique(owners)
    whole, rest = divmod(size, len(rows))
    drawn = np.sort(np.random.default_rng(seed).choice(rows, rest, replace=False))
    return [rows] * whole + ([drawn] if rest else [])


def _documents(documents: DocumentStore, copies: Sequence[Rows]) -> Iterator[Document]:
    for copy, rows in enumerate(copies):
        kept = set(rows.tolist())
        yield from (copied(document, copy) for row, document in enumerate(documents) if row in kept)


def copied(document: Document, copy: int) -> Document:
    """A document as it stands in a copy of the corpus; copy 0 is the corpus itself. Articles that share a citation
    make one document in a ranking, so a copy's laws are other laws, `사본1 민법`."""
    if not copy:
        return document
    return replace(
        document,
        doc_id=_own_id(document.doc_id, copy),
        law_id=_own_id(document.law_id, copy),
        law=f"사본{copy} {document.law}" if document.law else "",
        citation=f"사본{copy} {document.citation}",
    )


def _own_id(known: str, copy: int) -> str:
    """`001706-0750` → `001706c1-0750`: an article's id goes on beginning with that of its law."""
    head, dash, rest = known.partition("-")
    return f"{head}c{copy}{dash}{rest}" if copy and known else known


def _passages(passages: PassageStore, copies: Sequence[Rows], seed: int) -> Iterator[tuple[str, int, str]]:
    texts, start = Texts(seed), 0
    for copy, rows in enumerate(copies):
        places = {row: start + n for n, row in enumerate(rows.tolist())}
        for passage_id, row, text in _rows(passages):
            if row in places:
                doc_id, _, number = passage_id.rpartition("#")
                own = texts.mixed(text) if copy else texts.kept(text)
                yield f"{_own_id(doc_id, copy)}#{number}", places[row], own
        start += len(rows)


def _rows(passages: PassageStore) -> Iterator[tuple[str, int, str]]:
    for batch in passages.table.to_batches():
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


class Texts:
    """The texts of one corpus: those that are kept, and others made of their words that are none of them."""

    def __init__(self, seed: int) -> None:
        self._rng, self._digests, self._before = random.Random(seed), set[int](), list[str]()

    def kept(self, text: str) -> str:
        self._digests.add(_digest(text))
        return text

    def mixed(self, text: str) -> str:
        """As many words as a text has, drawn from it and from the text that was mixed before; more where that makes
        nothing new."""
        words = text.split()
        pool, self._before = [*words, *self._before], words
        for attempt in count(1):
            drawn = self._rng.sample(pool, min(len(pool), len(words) + attempt // ORDERS))
            own = " ".join(drawn)
            if _digest(own) not in self._digests:
                return self.kept(own)
            pool += words[:1] if attempt >= ORDERS else []
        raise AssertionError


def _digest(text: str) -> int:
    """Equal for equal texts; that others share it now and then costs a shuffle."""
    return zlib.crc32(text.encode())
