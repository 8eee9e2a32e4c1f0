"""The one object behind all routes: the searcher once it is loaded, and the threads that it computes in."""

from __future__ import annotations

import asyncio
import sys
import time
import traceback
from asyncio import Task
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, TypeVar

import anyio
from anyio.to_thread import run_sync
from fastapi import Depends, Request

from app.api.answers import Reloaded
from app.api.cache import AnswerCache
from app.api.metrics import Metrics
from app.errors import BeopgilError, NotReady
from app.retrieval.index import current
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest, SearchResponse, Took
from app.settings import Settings

Value = TypeVar("Value")
Load = Callable[[Settings], Searcher]
Reload = Callable[[Settings, Searcher], Searcher]
"""Opens the newest version of the index with the models of the searcher that serves, where they fit."""


class Service:
    """`failure` is what ended the loading; `on_failure` is called then, `on_ready` where it succeeds."""

    def __init__(self, settings: Settings, metrics: Metrics, reload: Reload) -> None:
        self.settings, self.metrics, self._open_newest = settings, metrics, reload
        self.limiter = anyio.CapacityLimiter(settings.concurrency)
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        self.on_ready: Callable[[], None] = lambda: None
        self._searcher: Searcher | None = None
        self._answers = AnswerCache(settings.cache)
        self._reloading: Task[Reloaded] | None = None

    async def open(self, load: Load) -> None:
        """Load and warm in a thread; the server answers /healthz meanwhile."""
        self._serve(await run_sync(_warmed, lambda: load(self.settings), abandon_on_cancel=True))
        self.on_ready()
        self.metrics.ready.set(1)

    def _serve(self, searcher: Searcher) -> None:
        """From now on. What another has answered goes with it; what it is still answering is kept nowhere."""
        self._searcher, self._answers = searcher, AnswerCache(self.settings.cache)

    def opened(self, loading: Task[None]) -> None:
        """Tell a failed loading on stderr: known errors in one line, others with their traceback."""
        error = None if loading.cancelled() else loading.exception()
        if error is None:
            return
        if isinstance(error, BeopgilError):
            print(f"beopgil: {error.code}: {error.message}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        self.failure = error
        self.on_failure()

    async def reload(self) -> Reloaded:
        """Swap to the newest published version once it is open and warm; what runs meanwhile ends on the old one.

        Who asks while a reload runs gets its outcome. Raises what opening the new version raises; the old one stays.
        """
        if self._reloading is None:
            self._reloading = asyncio.create_task(self._reload())
            self._reloading.add_done_callback(self._reload_ended)
        return await asyncio.shield(self._reloading)

    async def _reload(self) -> Reloaded:
        serving = self.searcher
        old = serving.index.name
        if current(self.settings.index_root, self.settings.index).name == old.version:
            return Reloaded(False, old, old.version)
        fresh = await run_sync(_warmed, lambda: self._open_newest(self.settings, serving), abandon_on_cancel=True)
        self._serve(fresh)
        return Reloaded(True, fresh.index.name, old.version)

    def _reload_ended(self, reloading: Task[Reloaded]) -> None:
        self._reloading = None
        if reloading.cancelled():
            return
        failed = reloading.exception() is not None
        outcome = "failed" if failed else "swapped" if reloading.result().reloaded else "unchanged"
        self.metrics.reloads.labels(outcome).inc()

    async def close(self) -> None:
        """Let go of a reload that runs."""
        if self._reloading is not None:
            self._reloading.cancel()
            await asyncio.wait([self._reloading])

    @property
    def ready(self) -> bool:
        return self._searcher is not None

    @property
    def searcher(self) -> Searcher:
        """Raises what ended the loading if it is known, NotReady before and otherwise."""
        if isinstance(self.failure, BeopgilError):
            raise self.failure
        if self.failure is not None:
            raise NotReady("the models or the index could not be loaded: see the log, and start again")
        if self._searcher is None:
            raise NotReady("models and index are still loading: ask again in a few seconds")
        return self._searcher

    async def compute(self, work: Callable[[], Value]) -> tuple[Value, float]:
        """(value, milliseconds in the queue) of `work`, run in a thread; `concurrency` of them at a time."""
        asked = time.perf_counter()

        def timed() -> tuple[Value, float]:
            queue = (time.perf_counter() - asked) * 1000
            return work(), queue

        return await run_sync(timed, limiter=self.limiter)

    async def search(self, request: SearchRequest) -> SearchResponse:
        """Computed, unless an equal search is being answered or was today. `took_ms` is what this one took: the wait
        for another's answer is its `queue`, and the stages of that one are not its own."""
        asked, searcher = time.perf_counter(), self.searcher
        key = request, searcher.today()
        response, outcome = await self._answers.answer(key, lambda: self._computed(searcher, request))
        self.metrics.searches.labels(outcome).inc()
        if outcome == "computed":
            return response
        ms = round((time.perf_counter() - asked) * 1000, 3)
        return replace(response, took_ms=Took(queue=ms if outcome == "shared" else 0.0, total=ms))

    async def _computed(self, searcher: Searcher, request: SearchRequest) -> SearchResponse:
        response, queue = await self.compute(lambda: searcher.search(request))
        took = self.timed(response.took_ms, queue)
        return replace(response, took_ms=took)

    def timed(self, took: Took, queue: float) -> Took:
        """With the time in the queue, counted in the metrics."""
        took = replace(took, queue=round(queue, 3), total=round(took.total + queue, 3))
        self.metrics.search(took)
        return took


def _warmed(load: Callable[[], Searcher]) -> Searcher:
    searcher = load()
    searcher.warm()
    return searcher


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]
