"""Answers to equal searches: computed once where they are asked for at the same time, kept for who asks later."""

from __future__ import annotations

import asyncio
import math
from asyncio import Task
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Literal

from app.retrieval.types import SearchRequest, SearchResponse

Outcome = Literal["computed", "shared", "cached"]
PAGE = 10
"""Documents of an answer that count as one page, about 60 kB with their texts."""
Key = tuple[SearchRequest, date]
"""What is asked, and the day: an answer tells what is law then."""


class AnswerCache:
    """The answers of one searcher, for one event loop.

    At most `pages` are kept: the least recently asked for go first. With 0 none is kept and none is shared.
    """

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self._kept: OrderedDict[Key, SearchResponse] = OrderedDict()
        self._filled = 0
        self._running: dict[Key, Task[SearchResponse]] = {}

    async def answer(
        self, key: Key, compute: Callable[[], Awaitable[SearchResponse]]
    ) -> tuple[SearchResponse, Outcome]:
        """Raises what `compute` does, to all who wait for it. Who is cancelled leaves it running for the others."""
        if not self.pages:
            return await compute(), "computed"
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key], "cached"
        if key in self._running:
            return await asyncio.shield(self._running[key]), "shared"
        self._running[key] = asyncio.create_task(self._compute(key, compute))
        return await asyncio.shield(self._running[key]), "computed"

    async def _compute(self, key: Key, compute: Callable[[], Awaitable[SearchResponse]]) -> SearchResponse:
        try:
            response = await compute()
        finally:
            # Here and not in a callback of the task: nobody may join one that has ended, with an error perhaps.
            del self._running[key]
        self._keep(key, response)
        return response

    def _keep(self, key: Key, response: SearchResponse) -> None:
        """Degraded answers are not kept, nor one that would leave no room for others."""
        if response.degraded is not None or _pages(response) > self.pages:
            return
        self._kept[key] = response
        self._filled += _pages(response)
        while self._filled > self.pages:
            _, oldest = self._kept.popitem(last=False)
            self._filled -= _pages(oldest)


def _pages(response: SearchResponse) -> int:
    return max(1, math.ceil(len(response.results) / PAGE))
