"""Equal searches: one computation for those under way together, answers kept within bounds, and who gets neither."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Coroutine
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.api.cache import PAGE, AnswerCache
from app.api.metrics import Metrics
from app.api.service import Service
from app.errors import BadRequest
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters, IndexName, Result, SearchRequest, SearchResponse, Took, Understood
from app.settings import Settings
from tests.conftest import serving
from tests.fakes import TODAY

ASKED = SearchRequest("해고")


class Router:
    """Counts the searches for "해고"; each of them waits where `held`, and fails with what is next in `errors`."""

    def __init__(self) -> None:
        self.searched, self.errors = 0, list[Exception]()
        self.entered, self.leave = threading.Event(), threading.Event()
        self.leave.set()

    def held(self) -> Router:
        self.leave.clear()
        return self

    def __call__(self, query: str) -> Understood:
        if query == "해고":
            self.searched += 1
            self.entered.set()
            assert self.leave.wait(30)
            if self.errors:
                raise self.errors.pop()
        return Understood(query)


def watched(searcher: Searcher, router: Any, **options: Any) -> Searcher:
    return Searcher(
        searcher.index, searcher.encoder, searcher.reranker, **{"router": router, "today": lambda: TODAY, **options}
    )


async def opened(searcher: Searcher, **settings: Any) -> Service:
    def never(_settings: Settings, _like: Searcher) -> Searcher:
        raise AssertionError("nothing is to be reloaded")

    service = Service(Settings(**settings), Metrics(), never)
    await service.open(lambda _: searcher)
    return service


async def together(work: list[Coroutine[Any, Any, SearchResponse]], router: Router) -> list[asyncio.Task[Any]]:
    """Tasks of searches that have all been asked for, the first of them within the router."""
    tasks = [asyncio.create_task(one) for one in work]
    assert await asyncio.to_thread(router.entered.wait, 30)
    return tasks


def outcomes(service: Service) -> dict[str, float]:
    lines = (line for line in service.metrics.text().decode().splitlines() if line.startswith("beopgil_searches_total"))
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def stages_of(took: Took) -> set[str]:
    return {field.name for field in fields(took) if getattr(took, field.name)}


class TestTogether:
    def test_equal_searches_under_way_are_computed_once(self, searcher: Searcher) -> None:
        router = Router().held()

        async def scenario() -> None:
            service = await opened(watched(searcher, router))
            tasks = await together([service.search(SearchRequest("해고")) for _ in range(5)], router)
            router.leave.set()
            first, *others = await asyncio.gather(*tasks)
            assert router.searched == 1
            assert first.results
            for other in others:
                assert replace(other, took_ms=first.took_ms) == first
                assert stages_of(other.took_ms) == {"queue", "total"}
                assert other.took_ms.queue == other.took_ms.total
            assert {"embed", "rerank"} <= stages_of(first.took_ms)
            assert outcomes(service) == {"computed": 1, "shared": 4}
            assert 'beopgil_stage_seconds_count{stage="embed"} 1.0' in service.metrics.text().decode()

        asyncio.run(scenario())

    @pytest.mark.parametrize(
        "other", [replace(ASKED, k=9), replace(ASKED, filters=Filters(kind=("statute",))), replace(ASKED, explain=True)]
    )
    def test_another_search_is_another(self, searcher: Searcher, other: SearchRequest) -> None:
        router = Router().held()

        async def scenario() -> None:
            service = await opened(watched(searcher, router))
            tasks = await together([service.search(ASKED), service.search(other)], router)
            router.leave.set()
            await asyncio.gather(*tasks)
            assert outcomes(service) == {"computed": 2}

        asyncio.run(scenario())

    @pytest.mark.parametrize("leaving", [0, 1])
    def test_one_that_leaves_takes_nothing_from_the_others(self, searcher: Searcher, leaving: int) -> None:
        router = Router().held()

        async def scenario() -> None:
            service = await opened(watched(searcher, router))
            tasks = await together([service.search(ASKED) for _ in range(3)], router)
            tasks[leaving].cancel()
            with pytest.raises(asyncio.CancelledError):
                await tasks[leaving]
            router.leave.set()
            answers = await asyncio.gather(*(task for task in tasks if task is not tasks[leaving]))
            assert [one.query for one in answers] == ["해고", "해고"]
            assert router.searched == 1

        asyncio.run(scenario())

    @pytest.mark.parametrize("error", [BadRequest("no such law"), RuntimeError("a fault")])
    def test_an_error_reaches_all_and_is_not_kept(self, searcher: Searcher, error: Exception) -> None:
        router = Router().held()
        router.errors.append(error)

        async def scenario() -> None:
            service = await opened(watched(searcher, router))
            tasks = await together([service.search(ASKED) for _ in range(3)], router)
            router.leave.set()
            assert await asyncio.gather(*tasks, return_exceptions=True) == [error] * 3
            assert outcomes(service) == {}
            assert (await service.search(ASKED)).results
            assert router.searched == 2
            assert outcomes(service) == {"computed": 1}

        asyncio.run(scenario())

    def test_with_0_each_is_computed(self, searcher: Searcher) -> None:
        both = threading.Barrier(2)

        def router(query: str) -> Understood:
            if query == "해고":
                both.wait(30)
            return Understood(query)

        async def scenario() -> None:
            service = await opened(watched(searcher, router), cache=0)
            for _ in range(2):
                answers = await asyncio.gather(service.search(ASKED), service.search(ASKED))
                assert all("embed" in stages_of(one.took_ms) for one in answers)
            assert outcomes(service) == {"computed": 4}

        asyncio.run(scenario())


class TestKept:
    def test_an_answer_that_is_kept_took_only_its_own_time(
        self, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = watched(searcher, Router())
        search = slow.search
        hour = Took(queue=1.0, embed=3.6e6, total=3.6e6)
        monkeypatch.setattr(slow, "search", lambda request: replace(search(request), took_ms=hour))

        async def scenario() -> None:
            service = await opened(slow)
            first, second, third = [await service.search(ASKED) for _ in range(3)]
            assert first.took_ms.total >= hour.total
            for kept in (second, third):
                assert stages_of(kept.took_ms) == {"total"}
                assert kept.took_ms.total < hour.total
                assert replace(kept, took_ms=first.took_ms) == first
            assert outcomes(service) == {"computed": 1, "cached": 2}

        asyncio.run(scenario())

    def test_another_day_asks_again(self, searcher: Searcher) -> None:
        router, days = Router(), [TODAY]
        tomorrow = watched(searcher, router, today=lambda: days[-1])

        async def scenario() -> None:
            service = await opened(tomorrow)
            for expected in (1, 1, 2, 2):
                if expected == 2:
                    days.append(date(2027, 1, 1))
                response = await service.search(ASKED)
                status = {one.doc_id: one.metadata.get("status") for one in response.results}["001872-0023"]
                assert (router.searched, status) == (expected, "not_yet" if expected == 1 else "in_force")

        asyncio.run(scenario())

    def test_a_degraded_answer_is_not_kept(self, searcher: Searcher) -> None:
        router = Router()
        alone = Searcher(searcher.index, searcher.encoder, None, router=router, today=lambda: TODAY)

        async def scenario() -> None:
            service = await opened(alone)
            for _ in range(2):
                assert (await service.search(ASKED)).degraded
            assert (await service.search(replace(ASKED, rerank=False))).degraded is None
            assert (await service.search(replace(ASKED, rerank=False))).degraded is None
            assert router.searched == 3
            assert outcomes(service) == {"computed": 3, "cached": 1}

        asyncio.run(scenario())

    def test_over_http_the_page_and_the_interface_tell_it(self, searcher: Searcher) -> None:
        router = Router()
        with serving(lambda _: watched(searcher, router)) as client:
            first, second = (client.post("/search", json={"query": "해고", "explain": True}) for _ in range(2))
            assert without_time(first) == without_time(second)
            assert "embed;dur=" in first.headers["server-timing"]
            assert "embed;dur=" not in second.headers["server-timing"]
            assert client.get("/", params={"q": "해고"}).status_code == 200
            assert router.searched == 1
            text = client.get("/metrics").text
        assert 'beopgil_searches_total{outcome="computed"} 1.0' in text
        assert 'beopgil_searches_total{outcome="cached"} 2.0' in text

    def test_a_filter_that_cannot_be_met_is_refused_each_time(self, client: TestClient) -> None:
        for _ in range(2):
            response = client.post("/search", json={"query": "해고", "filters": {"law": ["없는법"]}})
            assert (response.status_code, response.json()["error"]["code"]) == (422, "bad_request")


def without_time(response: Any) -> dict[str, Any]:
    return {name: part for name, part in response.json().items() if name != "took_ms"}


def answered(query: str, documents: int) -> SearchResponse:
    results = tuple(
        Result(rank, f"p{rank}", "precedent", "", "", "", (), (), 0.5, "ranked", {}) for rank in range(1, documents + 1)
    )
    return SearchResponse(query, Understood(query), results, False, None, Took(), IndexName("fake", "1", ""))


async def ask(cache: AnswerCache, query: str, documents: int = 1, day: date = TODAY) -> str:
    async def compute() -> SearchResponse:
        return answered(query, documents)

    response, outcome = await cache.answer((SearchRequest(query), day), compute)
    assert (response.query, len(response.results)) == (query, documents)
    return outcome


async def all_of(cache: AnswerCache, queries: str) -> str:
    """c for a computed answer, k for one that was kept."""
    return "".join(["k" if await ask(cache, query) == "cached" else "c" for query in queries])


def test_the_least_recently_asked_goes_first() -> None:
    assert asyncio.run(all_of(AnswerCache(2), "abab")) == "cckk"
    assert asyncio.run(all_of(AnswerCache(2), "abacab")) == "cckckc"
    assert asyncio.run(all_of(AnswerCache(2), "abacca")) == "cckckk"


@given(
    asked=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), max_size=40),
    documents=st.lists(st.integers(0, 4 * PAGE), min_size=6, max_size=6),
    room=st.integers(0, 6),
)
def test_no_more_is_kept_than_there_is_room_for(asked: list[tuple[int, int]], documents: list[int], room: int) -> None:
    """Against a list of what is kept, least recently asked for first."""
    cost = [max(1, math.ceil(count / PAGE)) for count in documents]

    async def scenario() -> None:
        cache, kept = AnswerCache(room), list[tuple[int, int]]()
        for query, later in asked:
            outcome = await ask(cache, str(query), documents[query], TODAY + timedelta(later))
            assert outcome == ("cached" if (query, later) in kept else "computed")
            kept = [one for one in kept if one != (query, later)]
            if cost[query] <= room:
                kept.append((query, later))
            while sum(cost[one] for one, _ in kept) > room:
                kept.pop(0)

    asyncio.run(scenario())
