"""What surrounds the answers: readiness, documents, errors of the server, request ids, logs, metrics, concurrency."""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.law.documents import Document
from app.retrieval.searcher import Searcher
from app.retrieval.types import Took, Understood
from tests.conftest import serving, wait_for
from tests.fakes import TODAY


def with_router(searcher: Searcher, router: Any) -> Searcher:
    return Searcher(searcher.index, searcher.encoder, searcher.reranker, router=router, today=lambda: TODAY)


class TestReadiness:
    def test_the_process_answers_while_it_loads(self, searcher: Searcher) -> None:
        loaded = threading.Event()

        def load(_: object) -> Searcher:
            loaded.wait(30)
            return searcher

        with serving(load, ready=False) as client:
            ready: list[bool] = []
            service = client.app.state.service  # type: ignore[attr-defined]  # an ASGI callable to the client
            service.on_ready = lambda: ready.append(service.ready)
            assert client.get("/healthz").json() == {"status": "ok"}
            for response in (
                client.get("/readyz"),
                client.post("/search", json={"query": "해고"}),
                client.get("/info"),
            ):
                assert response.status_code == 503
                assert response.json()["error"]["code"] == "not_ready"
                assert response.headers["retry-after"]
            assert "beopgil_ready 0.0" in client.get("/metrics").text
            loaded.set()
            wait_for(lambda: client.get("/readyz").status_code == 200)
            assert client.get("/readyz").json()["index"]["name"] == "fake"
            assert "beopgil_ready 1.0" in client.get("/metrics").text
            assert ready == [True]

    def test_it_is_ready_only_after_a_search(self, searcher: Searcher) -> None:
        searched: list[str] = []

        def router(query: str) -> Understood:
            searched.append(query)
            return Understood(query)

        with serving(lambda _: with_router(searcher, router)):
            assert searched

    def test_a_stop_does_not_wait_for_the_loading(self, searcher: Searcher) -> None:
        loaded = threading.Event()

        def load(_: object) -> Searcher:
            loaded.wait(20)
            return searcher

        start = time.monotonic()
        with serving(load, ready=False):
            pass
        assert time.monotonic() - start < 10
        loaded.set()


class TestDocuments:
    def test_an_article_and_a_decision(self, client: TestClient) -> None:
        article = client.get("/documents/001706-0839-02").json()
        assert (article["citation"], article["title"]) == ("민법 제839조의2", "재산분할청구권")
        assert article["metadata"]["status"] == "in_force"
        assert article["metadata"]["url"] == "https://www.law.go.kr/법령/민법/제839조의2"
        decision = client.get("/documents/p101").json()
        assert decision["issues"].startswith("[1] 위법행위로")
        assert decision["metadata"]["case_no"] == "2019다101"
        assert client.get("/documents/001872-0023").json()["metadata"]["status"] == "not_yet"

    def test_the_body_holds_what_a_document_shows(self, client: TestClient) -> None:
        body = client.get("/documents/p101").json()
        own = {field.name for field in fields(Document)}
        assert set(body) - own == {"metadata", "index", "notes"}

    @pytest.mark.parametrize("doc_id", ["001706-9999", "p0", "x" * 500, "..%2f..", "%00"])
    def test_an_unknown_one_is_not_found(self, client: TestClient, doc_id: str) -> None:
        response = client.get(f"/documents/{doc_id}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "not_found"

    def test_a_parameter_that_does_nothing_is_refused(self, client: TestClient) -> None:
        response = client.get("/documents/p101?as_off=2020-01-01")
        assert response.status_code == 422
        assert response.json()["error"]["message"] == (
            "the query string has an unknown field 'as_off': did you mean 'as_of'?"
        )


def test_info_names_models_index_and_limits(client: TestClient, searcher: Searcher) -> None:
    body = client.get("/info").json()
    assert body["encoder"]["weights_sha256"] == searcher.encoder.weights_sha256
    assert (body["reranker"]["name"], body["reranker"]["format"]) == ("fake-reranker", "fp32")
    assert body["index"]["corpus"]["documents"] == len(searcher.index.documents)
    assert "files" not in body["index"]
    assert body["limits"]["k"] == 100


class TestErrors:
    def test_an_unknown_path(self, client: TestClient) -> None:
        response = client.get("/serach")
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
        assert "/docs" in response.json()["error"]["message"]
        assert client.get("/search/").status_code == 404

    def test_another_method(self, client: TestClient) -> None:
        response = client.get("/search")
        assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
        assert response.headers["allow"] == "POST"
        assert response.json()["error"]["message"] == "'/search' does not answer GET: use POST"

    def test_a_failure_inside_leaks_nothing(self, searcher: Searcher) -> None:
        def fails(query: str) -> Understood:
            if query == "해고":
                raise RuntimeError("password is swordfish")
            return Understood(query)

        with serving(lambda _: with_router(searcher, fails)) as client:
            response = client.post("/search", json={"query": "해고"}, headers={"X-Request-ID": "abc"})
            assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
            assert "swordfish" not in response.text
            assert response.headers["x-request-id"] == response.json()["error"]["request_id"] == "abc"
            assert "total;dur=" in response.headers["server-timing"]
            assert client.get("/healthz").status_code == 200
            assert 'route="/search",status="500"' in client.get("/metrics").text


class TestRequestId:
    @pytest.mark.parametrize("given", ["abc-123_X.y", "a" * 64])
    def test_a_sane_one_is_kept(self, client: TestClient, given: str) -> None:
        assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given

    @pytest.mark.parametrize("given", ["", "a" * 65, "a b", "a;b", "<script>", 'x"y'])
    def test_another_is_replaced(self, client: TestClient, given: str) -> None:
        kept = client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", kept)

    def test_every_response_has_one_and_its_time(self, client: TestClient) -> None:
        for path in ("/", "/healthz", "/nowhere", "/search", "/static/page.css", "/docs", "/openapi.json"):
            headers = client.get(path).headers
            assert headers["x-request-id"]
            assert headers["server-timing"].startswith("total;dur=")


class TestLog:
    def lines(self, searcher: Searcher, capsys: pytest.CaptureFixture[str], **settings: Any) -> list[dict[str, Any]]:
        with serving(lambda _: searcher, **settings) as client:
            client.post("/search", json={"query": "비밀 질문"}, headers={"X-Request-ID": "r1"})
            client.get("/", params={"q": "비밀 질문"}, headers={"X-Request-ID": "r2"})
            client.get("/d/p101", params={"q": "비밀 질문"}, headers={"X-Request-ID": "r3"})
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in lines if line["route"] != "/readyz"]

    def test_one_line_per_request_without_what_was_asked(
        self, searcher: Searcher, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = self.lines(searcher, capsys)
        assert [(line["id"], line["method"], line["route"], line["status"]) for line in lines] == [
            ("r1", "POST", "/search", 200),
            ("r2", "GET", "/", 200),
            ("r3", "GET", "/d/{doc_id}", 200),
        ]
        assert all(line["ms"] > 0 for line in lines)
        assert "비밀" not in json.dumps(lines, ensure_ascii=False)
        assert "p101" not in json.dumps(lines)

    def test_queries_are_logged_where_the_settings_say_so(
        self, searcher: Searcher, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert [line.get("query") for line in self.lines(searcher, capsys, log_queries=True)] == ["비밀 질문"] * 2 + [
            None
        ]


def test_metrics_count_requests_by_route_and_stages(searcher: Searcher) -> None:
    with serving(lambda _: searcher) as client:
        for path in ("/documents/p101", "/documents/p102", "/nowhere", "/static/page.css"):
            client.get(path)
        client.post("/search", json={"query": "해고", "mode": "lexical"})
        text = client.get("/metrics").text
    for line in (
        'beopgil_requests_total{route="/documents/{doc_id}",status="200"} 2.0',
        'beopgil_requests_total{route="unmatched",status="404"} 1.0',
        'beopgil_requests_total{route="/static",status="200"} 1.0',
        'beopgil_request_seconds_count{route="/search",status="200"} 1.0',
        'beopgil_stage_seconds_count{stage="lexical"} 1.0',
    ):
        assert line in text
    assert 'stage="embed"' not in text
    assert 'stage="total"' not in text


def test_a_search_keeps_nobody_else_from_being_answered(searcher: Searcher) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(query: str) -> Understood:
        if query == "느린 질문":
            entered.set()
            assert leave.wait(30)
        return Understood(query)

    with serving(lambda _: with_router(searcher, slow), concurrency=1) as client, ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, "/search", json={"query": "느린 질문"})
        assert entered.wait(30)
        assert client.get("/healthz").status_code == 200
        second = pool.submit(client.post, "/search", json={"query": "빠른 질문"})
        time.sleep(0.1)
        assert not second.done()
        leave.set()
        took = Took(**second.result().json()["took_ms"])
        assert first.result().status_code == 200
    assert 0 < took.queue < took.total


def test_openapi_describes_the_routes_and_their_bodies(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {
        *("/search", "/search/batch", "/rerank", "/documents/{doc_id}", "/healthz", "/readyz", "/info", "/metrics"),
        "/admin/reload",
        *("/documents/{doc_id}/versions", "/documents/{doc_id}/citations", "/citations"),
    }
    body = description["components"]["schemas"]["SearchBody"]
    assert body["additionalProperties"] is False
    assert body["properties"]["query"]["maxLength"] == 2000
    assert body["properties"]["k"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 10,
        "title": "K",
        "description": "Documents to return",
    }


def test_two_services_live_in_one_process(searcher: Searcher, tmp_path: Path) -> None:
    with serving(lambda _: searcher) as one, serving(lambda _: searcher) as other:
        one.post("/search", json={"query": "해고"})
        assert 'route="/search"' not in other.get("/metrics").text
