"""POST /admin/reload: the swap to a newer version under load, what refuses it, and who may ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.retrieval.index import current
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest
from app.settings import Settings
from tests.conftest import wait_for
from tests.fakes import DOCUMENTS, FakeEncoder, FakeReranker, build_index, statute

NEWER = (
    *DOCUMENTS,
    statute("009999", "모래법", "제1조", "목적", "바닷가의 모래성은 밀물이 오기 전에 신고하여야 한다."),
)
ASKED = {"query": "모래성 신고", "k": 1}
FOUND = "009999-0001"


def reopen(settings: Settings, like: Searcher) -> Searcher:
    return open_searcher(settings.index_root, settings.index, "models/bi", "models/cross", like=like)


@contextmanager
def service(folder: Path, reload: Callable[[Settings, Searcher], Searcher] = reopen, **settings: Any) -> Iterator[Any]:
    """A client of a service on the index `fake` under `folder`, first published with DOCUMENTS. Its day is that of the
    searchers that are opened later: no answer is another for the day alone."""
    first = build_index(folder, today=date.today)
    app = create_app(Settings(index_root=folder / "indexes", index="fake", **settings), lambda _: first, reload)
    with TestClient(app, raise_server_exceptions=False) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def first_of(client: TestClient) -> str:
    response = client.post("/search", json=ASKED)
    assert response.status_code == 200, response.text
    return str(response.json()["results"][0]["doc_id"])


def reloads(client: TestClient, outcome: str) -> bool:
    return f'beopgil_reloads_total{{outcome="{outcome}"}} 1.0' in client.get("/metrics").text


def test_a_newer_version_answers_after_the_reload(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        before = client.get("/readyz").json()["index"]
        newer = build_index(tmp_path, NEWER).index.name
        assert first_of(client) != FOUND
        body = client.post("/admin/reload").json()
        assert body == {
            "reloaded": True,
            "index": {"name": "fake", "version": newer.version, "corpus_as_of": newer.corpus_as_of},
            "previous": before["version"],
        }
        assert first_of(client) == FOUND
        assert client.get("/readyz").json()["index"] == body["index"]
        assert client.get("/info").json()["index"]["version"] == newer.version
        assert reloads(client, "swapped")


def test_without_a_newer_version_nothing_is_opened(tmp_path: Path) -> None:
    def never(_settings: Settings, _like: Searcher) -> Searcher:
        raise AssertionError("opened for nothing")

    with service(tmp_path, never) as client:
        body = client.post("/admin/reload").json()
        assert (body["reloaded"], body["previous"]) == (False, body["index"]["version"])
        assert reloads(client, "unchanged")


def test_the_models_that_are_loaded_serve_again(tmp_path: Path) -> None:
    first = build_index(tmp_path)
    build_index(tmp_path, NEWER)
    newer = reopen(Settings(index_root=tmp_path / "indexes", index="fake"), first)
    assert (newer.encoder, newer.reranker) == (first.encoder, first.reranker)
    assert newer.index.name != first.index.name


def test_models_that_were_trained_again_are_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_index(tmp_path)
    encoder, reranker = FakeEncoder(weights="new"), FakeReranker(weights="new")
    build_index(tmp_path, NEWER, encoder, reranker)
    monkeypatch.setattr("app.retrieval.opening.Encoder.load", lambda *_: encoder)
    monkeypatch.setattr("app.retrieval.opening.Reranker.load", lambda *_: reranker)
    newer = reopen(Settings(index_root=tmp_path / "indexes", index="fake"), first)
    assert (newer.encoder, newer.reranker) == (encoder, reranker)
    assert newer.search(SearchRequest("모래성")).results[0].doc_id == FOUND


def test_without_a_reranker_none_is_loaded(tmp_path: Path) -> None:
    first = build_index(tmp_path)
    plain = Searcher(first.index, first.encoder, None)
    assert open_searcher(tmp_path / "indexes", "fake", "models/bi", None, like=plain).reranker is None


def test_searches_go_on_during_the_swap(tmp_path: Path) -> None:
    stop, opening_now, go_on = threading.Event(), threading.Event(), threading.Event()

    def slow(settings: Settings, like: Searcher) -> Searcher:
        opening_now.set()
        assert go_on.wait(30)
        return reopen(settings, like)

    with service(tmp_path, slow) as client, ThreadPoolExecutor(5) as pool:
        build_index(tmp_path, NEWER)

        def hammer() -> list[str]:
            answers = []
            while not stop.is_set():
                answers.append(first_of(client))
            return [*answers, first_of(client)]

        try:
            threads = [pool.submit(hammer) for _ in range(3)]
            swap = pool.submit(client.post, "/admin/reload")
            assert opening_now.wait(30)
            assert first_of(client) != FOUND, "the old version answers while the new one is being opened"
            go_on.set()
            assert swap.result(30).json()["reloaded"] is True
            time.sleep(0.05)
        finally:
            stop.set()
            go_on.set()
        for answers in (thread.result(30) for thread in threads):
            assert answers[0] != FOUND
            assert answers[-1] == FOUND
            assert answers == sorted(answers, key=FOUND.__eq__), "no answer goes back to the old version"


def test_a_search_in_flight_ends_on_the_version_it_began_on(tmp_path: Path) -> None:
    with service(tmp_path) as client, ThreadPoolExecutor() as pool:
        searcher = client.app.state.service.searcher
        entered, leave, router = threading.Event(), threading.Event(), searcher.router

        def held(query: str) -> Any:
            entered.set()
            assert leave.wait(30)
            return router(query)

        searcher.router = held
        waiting = pool.submit(first_of, client)
        assert entered.wait(30)
        build_index(tmp_path, NEWER)
        assert client.post("/admin/reload").json()["reloaded"] is True
        assert first_of(client) == FOUND, "an equal search does not wait for the old version's answer"
        leave.set()
        assert waiting.result(30) != FOUND
        assert first_of(client) == FOUND, "nor is that answer kept"


def test_a_reload_that_runs_is_joined(tmp_path: Path) -> None:
    opened, go_on = [], threading.Event()

    def slow(settings: Settings, like: Searcher) -> Searcher:
        opened.append(settings)
        assert go_on.wait(30)
        return reopen(settings, like)

    with service(tmp_path, slow) as client, ThreadPoolExecutor() as pool:
        build_index(tmp_path, NEWER)
        asked = [pool.submit(client.post, "/admin/reload") for _ in range(3)]
        wait_for(lambda: bool(opened))
        time.sleep(0.1)
        go_on.set()
        bodies = [one.result(30).json() for one in asked]
        assert bodies[0]["reloaded"] is True
        assert bodies.count(bodies[0]) == 3
        assert len(opened) == 1
        assert reloads(client, "swapped")


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda path: (path / "dense.faiss").write_bytes(b"cut"), "index_corrupt"),
        (lambda path: (path / "manifest.json").write_text('{"format": 1}'), "index_mismatch"),
        (lambda path: (path / "manifest.json").unlink(), "index_missing"),
        (lambda path: (path.parent / "CURRENT").write_text("gone"), "index_missing"),
    ],
)
def test_a_broken_version_is_told_and_the_old_one_serves_on(
    tmp_path: Path, damage: Callable[[Path], Any], code: str
) -> None:
    with service(tmp_path) as client:
        before = client.get("/readyz").json()
        build_index(tmp_path, NEWER)
        damage(current(tmp_path / "indexes", "fake"))
        response = client.post("/admin/reload")
        assert (response.status_code, response.json()["error"]["code"]) == (503, code)
        assert "make index" in response.json()["error"]["message"]
        assert client.get("/readyz").json() == before
        assert first_of(client) != FOUND
        assert reloads(client, "failed")
        build_index(tmp_path, NEWER)
        assert client.post("/admin/reload").json()["reloaded"] is True


def test_a_stop_does_not_wait_for_a_reload(tmp_path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(_settings: Settings, like: Searcher) -> Searcher:
        entered.set()
        go_on.wait(20)
        return like

    start = time.monotonic()
    with ThreadPoolExecutor() as pool:
        with service(tmp_path, slow) as client:
            build_index(tmp_path, NEWER)
            app = client.app
            client.portal.start_task_soon(app.state.service.reload)
            assert pool.submit(entered.wait, 10).result()
        assert time.monotonic() - start < 15
        go_on.set()


class TestToken:
    SECRET = "모래-secret"

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (None, 401),
            ("", 401),
            ("Basic c2FuZA==", 401),
            ("Bearer", 401),
            ("Bearer  ", 401),
            ("Bearer wrong", 403),
            ("bearer 모래-secret", 200),
            ("Bearer 모래-secret", 200),
        ],
    )
    def test_who_asks_shows_it(
        self, tmp_path: Path, header: str | None, status: int, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with service(tmp_path, admin_token=self.SECRET) as client:
            headers = {} if header is None else {"Authorization": header.encode()}
            response = client.post("/admin/reload", headers=headers)
            assert response.status_code == status
            if status == 401:
                assert response.headers["www-authenticate"] == "Bearer"
                assert "BEOPGIL_ADMIN_TOKEN" in response.json()["error"]["message"]
            assert client.get("/healthz").status_code == 200
            seen = response.text + client.get("/info").text + repr(client.app.state.service.settings)
        written = capsys.readouterr()
        assert "secret" not in seen + written.out + written.err
        assert "wrong" not in written.out + written.err

    def test_other_routes_need_none(self, tmp_path: Path) -> None:
        with service(tmp_path, admin_token=self.SECRET) as client:
            assert client.post("/search", json=ASKED).status_code == 200


def test_before_the_first_index_is_open_there_is_nothing_to_reload(tmp_path: Path) -> None:
    wait = threading.Event()

    def load(_: Settings) -> Searcher:
        wait.wait(20)
        return build_index(tmp_path)

    with TestClient(create_app(Settings(index_root=tmp_path), load), raise_server_exceptions=False) as client:
        response = client.post("/admin/reload")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "not_ready")
        wait.set()
