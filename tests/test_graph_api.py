"""GET /documents/{doc_id}/citations over a small corpus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import serving
from tests.fakes import build_index, precedent
from tests.test_graph_store import ARTICLES, DECISIONS

MANY = tuple(
    precedent(
        100 + n,
        "손해배상",
        "등대지기의 과실",
        date=f"2015-01-{n:02d}",
        case_no=f"2014다{n}",
        cited_statutes="등대법 제2조",
    )
    for n in range(1, 6)
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    searcher = build_index(tmp_path_factory.mktemp("citations"), [*ARTICLES, *DECISIONS, *MANY])
    with serving(lambda _: searcher) as client:
        yield client


def citations(client: TestClient, doc_id: str, **parameters: Any) -> dict[str, Any]:
    response = client.get(f"/documents/{doc_id}/citations", params=parameters)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_decision_tells_what_it_cites(client: TestClient) -> None:
    body = citations(client, "p2")
    assert list(body) == ["doc_id", "citation", "cites", "cited_by", "counts", "context", "index"]
    assert body["counts"] == {"cites": 4, "cited_by": 0}
    assert body["context"] == {"decree": [], "definitions": []}
    assert body["cites"][0] == {
        "doc_id": "001-0005", "citation": "등대법 제5조", "title": "등급", "kind": "statute", "issues": [1, 2],
        "former": False, "version": "", "text": "등대법 제5조",
    }  # fmt: skip
    assert body["cites"][3]["doc_id"] == "p1"
    assert body["cites"][3]["kind"] == "precedent"


def test_what_does_not_resolve_is_listed_without_a_doc_id(client: TestClient) -> None:
    unknown = citations(client, "p2")["cites"][1]
    assert (unknown["doc_id"], unknown["citation"], unknown["text"]) == (None, "없는법 제1조", "없는법 제1조")


def test_an_article_tells_who_cites_it_and_what_to_read_with_it(client: TestClient) -> None:
    body = citations(client, "001-0005")
    assert [entry["doc_id"] for entry in body["cited_by"]] == ["p2", "p1", "p3"]
    assert {entry["kind"] for entry in body["cited_by"]} == {"precedent"}
    assert body["cited_by"][0]["issues"] == [1, 2]
    assert body["cites"] == []
    assert body["context"] == {
        "decree": [{"doc_id": "002-0003", "citation": "등대법 시행령 제3조", "title": "등급"}],
        "definitions": [{"doc_id": "001-0002", "citation": "등대법 제2조", "title": "정의"}],
    }


def test_citing_decisions_are_paged_newest_first(client: TestClient) -> None:
    every = [entry["doc_id"] for entry in citations(client, "001-0002")["cited_by"]]
    assert every == ["p105", "p104", "p103", "p102", "p101", "p2"]
    for offset in range(0, 8, 2):
        page = citations(client, "001-0002", limit=2, offset=offset)
        assert [entry["doc_id"] for entry in page["cited_by"]] == every[offset : offset + 2]
        assert page["counts"]["cited_by"] == 6


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"limit": 0}, "limit is '0': give at least 1"),
        ({"limit": 201}, "limit is '201': give at most 200"),
        ({"offset": -1}, "offset is '-1': give at least 0"),
        ({"limit": "many"}, "limit is 'many': give a whole number"),
        ({"offset": "1.5"}, "offset is '1.5': give a whole number"),
        ({"limt": 5}, "the query string has an unknown field 'limt': did you mean 'limit'?"),
    ],
)
def test_a_page_that_cannot_be_is_refused(client: TestClient, parameters: dict[str, Any], message: str) -> None:
    response = client.get("/documents/p2/citations", params=parameters)
    assert response.status_code == 422
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize("doc_id", ["p999", "001-9999", "민법"])
def test_an_unknown_document_is_not_found(client: TestClient, doc_id: str) -> None:
    response = client.get(f"/documents/{doc_id}/citations")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
