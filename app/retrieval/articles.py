"""The articles of a corpus as the reader of citations asks for them: whether one exists, its title, its neighbours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from app.law.resolve import Decision, by_number
from app.retrieval.store import DocumentStore, byte_strings

_PARAGRAPHS = re.compile("[①-⑳㉑-㉟㊱-㊿]")


class CorpusArticles:
    """Safe from any number of threads; the list of ids is sorted at the first use."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    def standing(self, doc_id: str) -> Literal["live", "deleted", "unknown"]:
        row = self._documents.row(doc_id)
        if row is None:
            return "unknown"
        return "deleted" if self._documents.value("deleted", row) else "live"

    def near(self, doc_id: str, count: int) -> list[str]:
        """Live articles of the same law nearest in order of number, nearest first, the one before it before the one
        after it; `doc_id` itself, which need not exist, is left out."""
        law = doc_id.split("-")[0] + "-"
        at = self._place(doc_id)
        after = at + (at < len(self._ids) and self._id(at) == doc_id)
        sides = (self._walk(law, range(at - 1, -1, -1)), self._walk(law, range(after, len(self._ids))))
        found: list[str] = []
        while len(found) < count:
            step = [one for side in sides if (one := next(side, None))]
            if not step:
                break
            found += step
        return found[:count]

    def first(self, law_id: str, count: int) -> list[str]:
        """The first live articles of a law."""
        walk = self._walk(f"{law_id}-", range(self._place(f"{law_id}-"), len(self._ids)))
        return [doc_id for _, doc_id in zip(range(count), walk, strict=False)]

    def citation(self, doc_id: str) -> str:
        return self._value("citation", doc_id)

    def title(self, doc_id: str) -> str:
        return self._value("title", doc_id)

    def paragraphs(self, doc_id: str) -> int:
        marks = _PARAGRAPHS.findall(self._value("text", doc_id))
        return len(set(marks))

    def _value(self, name: str, doc_id: str) -> str:
        row = self._documents.row(doc_id)
        return "" if row is None else str(self._documents.value(name, row))

    def _walk(self, law: str, places: range) -> Iterator[str]:
        for place in places:
            if not self._id(place).startswith(law):
                return
            if self.standing(self._id(place)) == "live":
                yield self._id(place)

    @cached_property
    def _ids(self) -> npt.NDArray[np.bytes_]:
        """The ids of all articles, sorted: the order of laws and of numbers within a law."""
        table = self._documents.table
        return np.sort(byte_strings(table.column("doc_id").filter(pc.equal(table.column("kind"), "statute"))))

    def _id(self, place: int) -> str:
        return bytes(self._ids[place]).decode()

    def _place(self, doc_id: str) -> int:
        return int(np.searchsorted(self._ids, np.bytes_(doc_id.encode())))


class CorpusDecisions(Mapping[str, list[Decision]]):
    """Case number → the decisions of a corpus that have it, in its order; read from the corpus when asked for."""

    def __init__(self, documents: DocumentStore) -> None:
        table = documents.table
        rows = np.flatnonzero(pc.equal(table.column("kind"), "precedent").to_numpy())
        self._documents = documents
        self._rows = by_number(zip(rows.tolist(), table.column("case_no").take(rows).to_pylist(), strict=True))

    def __getitem__(self, number: str) -> list[Decision]:
        """Raises KeyError."""
        return [self._decision(row) for row in self._rows[number]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def _decision(self, row: int) -> Decision:
        return Decision(*(self._documents.value(name, row) for name in ("doc_id", "citation", "court", "date")))
