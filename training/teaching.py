"""A cross-encoder as a teacher: its logits beside the passages of triples, and negatives it holds for relevant dropped.

The logits are what a bi-encoder is distilled from (`bi_encoder.distillation`); dropping by them is the positive-aware
filtering of NV-Retriever (Moreira et al. 2024) with a cross-encoder in place of a bi-encoder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from app.retrieval.reranker import Reranker
from app.retrieval.store import PassageStore
from training.pairs import Row

CHUNK = 256
"""Rows scored at a time."""


class Teacher:
    """Adds `teacher` to triples; `counts` says how many negatives were dropped."""

    def __init__(
        self, reranker: Reranker, passages: PassageStore, margin: float | None, counts: Counter[str] | None = None
    ) -> None:
        """`margin`: a negative's logit stays that far below the best positive's; None drops nothing."""
        self.reranker, self.passages, self.margin = reranker, passages, margin
        self.counts: Counter[str] = Counter() if counts is None else counts

    def taught(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows in their order, with `teacher`: float logits of the positives, then of `neg` and `hard_negatives`.

        A row whose negatives are all dropped is counted and not given.
        """
        rows = iter(rows)
        while chunk := list(islice(rows, CHUNK)):
            for row, logits in zip(chunk, self._logits(chunk), strict=True):
                kept = self._kept(row, logits)
                if _count(kept)[1]:
                    yield kept
                else:
                    self.counts["queries without negatives after the teacher"] += 1

    def _logits(self, rows: Sequence[Row]) -> Iterator[list[float]]:
        """Of each row's passages. A text that stands in several rows is tokenised once."""
        texts = [self._texts(row) for row in rows]
        distinct = list(dict.fromkeys(text for own in texts for text in own))
        tokens = dict(zip(distinct, self.reranker.tokenize(distinct), strict=True))
        pairs = [
            pair
            for row, own in zip(rows, texts, strict=True)
            for pair in self.reranker.pairs(_query(row), [tokens[text] for text in own])
        ]
        ends = np.cumsum([len(own) for own in texts])[:-1]
        logits = self.reranker.score_pairs(pairs).astype(np.float64).round(4)
        return (part.tolist() for part in np.split(logits, ends))

    def _texts(self, row: Row) -> list[str]:
        ids = [*row.get("positive_passages", ()), *row.get("hard_negatives", ())]
        found = [self.passages.text(self.passages.rows[passage]) for passage in ids]
        cut = len(row.get("positive_passages", ()))
        return [*row.get("pos", ()), *found[:cut], *row.get("neg", ()), *found[cut:]]

    def _kept(self, row: Row, logits: list[float]) -> Row:
        """The row with its logits, without those of its hard negatives that the margin bars."""
        positives, given = _count(row)
        mined = row.get("hard_negatives", [])
        first = positives + given - len(mined)
        ceiling = np.inf if self.margin is None else max(logits[:positives]) - self.margin
        kept = [n for n in range(len(mined)) if logits[first + n] <= ceiling]
        self.counts["relevant to the teacher"] += len(mined) - len(kept)
        return {
            **row,
            "hard_negatives": [mined[n] for n in kept],
            "teacher": [*logits[:first], *(logits[first + n] for n in kept)],
        }


def _query(row: Row) -> str:
    return str(row["query"] if "pos" in row else row["query_text"])


def _count(row: Row) -> tuple[int, int]:
    """How many positives and negatives a row has."""
    return (
        len(row.get("pos", ())) + len(row.get("positive_passages", ())),
        len(row.get("neg", ())) + len(row.get("hard_negatives", ())),
    )
