"""What the stages said of the passages that are ranked, and how long each stage took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.retrieval.fusion import Fused
from app.retrieval.types import Candidates, Floats, Ids, RerankScore, Stages, StageScore, Took


class Stopwatch:
    """Milliseconds per stage of one request."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._stages[stage] = self._stages.get(stage, 0.0) + _ms(start)

    def took(self) -> Took:
        return Took(**self._stages, total=_ms(self._start))


def _ms(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 3)


@dataclass(frozen=True, slots=True)
class Pool:
    """The passages that are ranked, in fused order; all arrays are of one length."""

    dense: Candidates
    lexical: Candidates
    fused: Fused
    logits: Floats | None
    """None where no reranker took part; NaN for what it did not read."""
    final: Floats
    """What the passages are ordered by."""
    relevance: Floats
    votes: Mapping[int, float] = field(default_factory=dict)
    """By passage: how much the decisions that cite its document speak for it."""
    questions: Mapping[int, str] = field(default_factory=dict)
    """By passage: the question most like the query that its document is known to answer."""

    @property
    def ids(self) -> Ids:
        return self.fused.ids

    def shown(self, positions: npt.NDArray[np.int64]) -> list[int]:
        """Of the passages of a document, best first: those that were read, if the best was; otherwise all."""
        every: list[int] = positions.tolist()
        if self.logits is None or not len(every) or np.isnan(self.logits[every[0]]):
            return every
        return [position for position in every if not np.isnan(self.logits[position])]

    def stages(self, position: int) -> Stages:
        """Ranks and scores of one passage in each stage."""
        passage = int(self.ids[position])
        fused = StageScore(position + 1, float(self.fused.scores[position]))
        read = self.logits is not None and not np.isnan(self.logits[position])
        rerank = _logit_rank(self.logits, position) if self.logits is not None and read else None
        dense, lexical = _stage(self.dense, passage), _stage(self.lexical, passage)
        return Stages(dense, lexical, fused, rerank, self.votes.get(passage), self.questions.get(passage))


def _stage(side: Candidates, passage: int) -> StageScore | None:
    at = np.flatnonzero(side.ids == passage)
    return StageScore(int(at[0]) + 1, float(side.scores[at[0]])) if len(at) else None


def _logit_rank(logits: Floats, position: int) -> RerankScore:
    place = np.argsort(np.argsort(-logits, kind="stable"), kind="stable")[position]
    return RerankScore(int(place) + 1, float(logits[position]))
