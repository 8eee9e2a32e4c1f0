"""Forward passes over the texts of several requests at once.

Texts of like length make a batch with little padding; among those of several requests there are more of them. Each
batch begins with the longest of the request that has waited longest, and is filled with the next shorter ones of it and
of those that came after it, NEAR requests in all. So the first in line moves with every batch, and no request waits for
more than the NEAR - 1 behind it. A request keeps its place while it asks again and again (`in_line`).
"""

from __future__ import annotations

import threading
from bisect import bisect, insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import accumulate
from time import perf_counter
from typing import Any, Generic, TypeVar

import numpy as np

from app.retrieval.owner import inside, later
from app.retrieval.types import Floats

NEAR = 8
"""Requests that share batches."""
_SINCE = ContextVar[float]("since")

Text = TypeVar("Text")


@contextmanager
def in_line() -> Iterator[None]:
    """A request whose texts come in several calls has its place from here on, and does not go to the end with each."""
    token = _SINCE.set(perf_counter())
    try:
        yield
    finally:
        _SINCE.reset(token)


class _Waiting(Generic[Text]):
    """What one caller asked for: `left` are the positions not yet computed, longest first."""

    def __init__(self, texts: Sequence[Text], lengths: Sequence[int]) -> None:
        self.texts, self.lengths = texts, lengths
        self.since = _SINCE.get(perf_counter())
        self.left = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
        self.found: list[Any] = [None] * len(texts)
        self.due = len(texts)
        self.error: BaseException | None = None

    @property
    def answered(self) -> bool:
        return self.due == 0 or self.error is not None


Batch = list[tuple[_Waiting[Text], int]]


class Batches(Generic[Text]):
    """Texts → what a function gives for each of a batch: a number or a vector. Safe from any number of threads."""

    def __init__(self, forward: Callable[[list[Text]], Floats], budget: int, padded: bool = True) -> None:
        """`forward` gets texts of at most `budget` tokens, counted with their padding where there is any, or one text,
        in the thread of the models."""
        self._forward, self._budget, self._padded = forward, budget, padded
        self._changed, self._line, self._at_work = threading.Condition(), list[_Waiting[Text]](), False

    def __call__(self, texts: Sequence[Text], lengths: Sequence[int]) -> Floats:
        """float32 (n, …) in the texts' order. Raises what `forward` raised over a batch that held one of them."""
        mine = _Waiting(texts, lengths)
        if inside():
            while not mine.answered:
                self._compute(self._next([mine]))
        else:
            self._wait_for(mine)
        if mine.error is not None:
            raise mine.error
        return np.array(mine.found, dtype=np.float32)

    def _wait_for(self, mine: _Waiting[Text]) -> None:
        with self._changed:
            insort(self._line, mine, key=lambda one: one.since)
            if not self._at_work:
                self._at_work = True
                later(self._step)
            self._changed.wait_for(lambda: mine.answered)
            self._line.remove(mine)

    def _step(self) -> None:
        """One batch; other work that waits comes before the next."""
        with self._changed:
            line = [one for one in self._line if one.left and one.error is None][:NEAR]
            self._at_work = bool(line)
            if not line:
                return
            batch = self._next(line)
        self._compute(batch)
        later(self._step)

    def _next(self, line: list[_Waiting[Text]]) -> Batch[Text]:
        """The longest text that the first in line has left, and the next shorter ones of all."""
        first = line[0]
        longest = first.lengths[first.left[0]]
        fitting = [(one, n) for one in line for n in one.left if one.lengths[n] <= longest]
        fitting.sort(key=lambda found: -found[0].lengths[found[1]])
        lengths = [longest if self._padded else one.lengths[n] for one, n in fitting]
        batch = fitting[: max(1, bisect(list(accumulate(lengths)), self._budget))]
        if all(one is not first for one, _ in batch):
            batch[-1] = (first, first.left[0])
        for one, position in batch:
            one.left.remove(position)
        return batch

    def _compute(self, batch: Batch[Text]) -> None:
        error: BaseException | None = None
        try:
            given = self._forward([one.texts[position] for one, position in batch])
            found = list(zip(batch, given, strict=True))
        except BaseException as failed:  # noqa: BLE001  # it is raised where the texts came from
            error, found = failed, []
        with self._changed:
            for (one, position), value in found:
                one.found[position] = value
                one.due -= 1
            if error is not None:
                for one, _ in batch:
                    one.error = error
            if any(one.answered for one, _ in batch):
                self._changed.notify_all()
