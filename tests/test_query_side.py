"""What people type, answered over HTTP on the index of all records; skips where that index is not built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.errors import IndexMismatch, IndexMissing
from app.main import load_searcher
from app.settings import Settings
from tests.conftest import serving

pytestmark = pytest.mark.data

# query → (doc_id, status) of each citation in it
TYPED: dict[str, list[tuple[str | None, str]]] = {
    "민법 750": [("001706-0750", "resolved")],
    "민법750조": [("001706-0750", "resolved")],
    "민750": [("001706-0750", "resolved")],
    "형소법 308조의 2": [("001671-0308-02", "resolved")],
    "특가법 5조의11": [("001676-0005-11", "resolved")],
    "민법 제750조 내지 제752조": [(f"001706-0{n}", "resolved") for n in (750, 751, 752)],
    "개인정보보호법 제17조": [("011357-0017", "resolved")],
    "동법 시행령 제3조": [(None, "unresolved")],
    "헌법 제37조제2항": [("001444-0037", "resolved")],
    "민법 제9999조": [(None, "no_such_article")],
    "노동법 제1조": [(None, "no_such_law")],
    "난민법 제1조": [("011546-0001", "resolved")],
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(index="full")
    try:
        searcher = load_searcher(settings)
    except (IndexMissing, IndexMismatch) as error:
        pytest.skip(f"no index of all records: {error}")
    with serving(lambda _: searcher, index="full") as ready:
        yield ready


def post(client: TestClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize("query", TYPED)
def test_citations_of_what_is_typed(client: TestClient, query: str) -> None:
    found = post(client, "/citations", {"text": query})["citations"]
    assert [(one["doc_id"], one["status"]) for one in found] == TYPED[query]
    assert all(one["text"] == query[slice(*one["span"])] for one in found)


@pytest.mark.parametrize("query", TYPED)
def test_a_search_pins_what_is_typed(client: TestClient, query: str) -> None:
    answer = post(client, "/search", {"query": query})
    assert [(one["doc_id"], one["status"]) for one in answer["understood"]["citations"]] == TYPED[query]
    wanted = [doc_id for doc_id, _ in TYPED[query] if doc_id]
    assert [result["doc_id"] for result in answer["results"] if result["match"] == "citation"] == wanted
    assert [result["doc_id"] for result in answer["results"]][: len(wanted)] == wanted
    assert len(answer["results"]) > len(wanted)


def test_short_names_are_told(client: TestClient) -> None:
    told = post(client, "/search", {"query": "형소법 308조의 2"})["understood"]["aliases"]
    assert told == [{"written": "형소법", "laws": ["형사소송법"]}]


def test_an_article_that_is_not_there_offers_the_last_ones(client: TestClient) -> None:
    (one,) = post(client, "/citations", {"text": "민법 제9999조"})["citations"]
    assert one["nearest"][0] == {"doc_id": "001706-1118", "citation": "민법 제1118조"}
    results = post(client, "/search", {"query": "민법 제9999조"})["results"]
    assert [result["doc_id"] for result in results][:1] == ["001706-1118"]
