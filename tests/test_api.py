"""The HTTP interface over fake models: the contract field by field, every bad input, and how the service is watched."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.api.schemas import MAX_BATCH, MAX_DOCUMENTS, QUERY_CHARS, FiltersBody, SearchBody
from app.law.questions import questions
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters, SearchRequest
from tests.conftest import serving
from tests.fakes import TODAY, FakeReranker

JSON = {"content-type": "application/json"}
STAGES = ["queue", "route", "embed", "dense", "lexical", "fuse", "rerank", "total"]


def error(client: TestClient, body: Any, path: str = "/search", status: int = 422) -> dict[str, Any]:
    """The error that a body gives; bytes are sent as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers=JSON)
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()["error"]
    assert found["request_id"] == response.headers["x-request-id"]
    return found


class TestSearch:
    def test_answers_with_the_fields_of_the_contract(self, client: TestClient) -> None:
        body = client.post("/search", json={"query": "민법 제750조 손해배상", "explain": True}).json()
        assert list(body) == ["query", "understood", "results", "confident", "degraded", "took_ms", "index", "notes"]
        assert body["understood"]["citations"] == [
            {
                "span": [0, 8],
                "text": "민법 제750조",
                "citation": "민법 제750조",
                "doc_id": "001706-0750",
                "status": "resolved",
                "flags": [],
                "nearest": [],
            }
        ]
        first = body["results"][0]
        assert list(first) == [
            *("rank", "doc_id", "kind", "citation", "title", "text", "highlights", "evidence", "relevance", "match"),
            *("metadata", "stages"),
        ]
        assert (first["rank"], first["doc_id"], first["match"], first["relevance"]) == (
            1,
            "001706-0750",
            "citation",
            1.0,
        )
        assert list(first["evidence"][0]) == ["passage_id", "text", "relevance"]
        stages = first["stages"]
        asked = stages.pop("asked")
        assert "민법 제750조" in {article for one in questions() if one.question == asked for article in one.articles}
        assert {name: list(stage) for name, stage in stages.items()} == {
            **{name: ["rank", "score"] for name in ("dense", "lexical", "fused")},
            "rerank": ["rank", "logit"],
        }
        assert list(body["took_ms"]) == STAGES
        assert list(body["index"]) == ["name", "version", "corpus_as_of"]
        assert (body["confident"], body["degraded"]) == (True, None)

    def test_stages_are_told_only_where_asked_for(self, client: TestClient) -> None:
        results = client.post("/search", json={"query": "해고"}).json()["results"]
        assert results
        assert all("stages" not in result for result in results)

    def test_answers_what_the_searcher_answers(self, client: TestClient, searcher: Searcher) -> None:
        filters = {"kind": ["precedent"], "law": [], "court": ["대법원"], "date_from": "2021-01-01"}
        body = client.post("/search", json={"query": " 해고 무효 ", "k": 3, "filters": filters}).json()
        expected = searcher.search(
            SearchRequest("해고 무효", k=3, filters=FiltersBody.model_validate(filters).values())
        )
        assert body["query"] == "해고 무효"
        assert [one["doc_id"] for one in body["results"]] == [one.doc_id for one in expected.results] == ["p102"]
        assert body["results"][0]["relevance"] == pytest.approx(expected.results[0].relevance)

    def test_decomposed_hangul_is_composed(self, client: TestClient) -> None:
        decomposed = "\u1106\u1175\u11ab\u1107\u1165\u11b8 제750조"
        assert client.post("/search", json={"query": decomposed}).json()["query"] == "민법 제750조"

    def test_defaults_are_those_of_a_search_request(self) -> None:
        assert SearchBody(query="해고").request() == SearchRequest("해고")
        assert {one.name for one in fields(Filters)} == set(FiltersBody.model_fields)

    def test_the_time_of_every_stage_is_in_the_headers(self, client: TestClient) -> None:
        response = client.post("/search", json={"query": "해고를 예고하는 기간"})
        timing = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
        assert set(timing) <= set(STAGES)
        assert float(timing["total"]) >= float(timing["embed"]) > 0

    def test_a_batch_answers_each_query_in_order(self, client: TestClient) -> None:
        asked = [{"query": "해고", "k": 1}, {"query": "명예훼손", "k": 2}]
        body = client.post("/search/batch", json={"queries": asked}).json()
        assert [one["query"] for one in body["responses"]] == ["해고", "명예훼손"]
        for one, alone in zip(body["responses"], asked, strict=True):
            assert one["results"] == client.post("/search", json=alone).json()["results"]
        total = sum(one["took_ms"]["embed"] for one in body["responses"])
        assert body["took_ms"]["embed"] == pytest.approx(total)


@dataclass(frozen=True)
class Bad:
    body: Any
    message: str
    status: int = 422
    path: str = "/search"


def asking(**fields_: Any) -> dict[str, Any]:
    return {"query": "해고", **fields_}


BAD = [
    Bad({}, "query is missing: add it"),
    Bad({"query": ""}, "query is empty: write what to look for, in 1 to 2000 characters"),
    Bad({"query": " \n\u3000"}, "query is empty"),
    Bad({"query": "가" * (QUERY_CHARS + 1)}, "query has 2001 characters: shorten it to 2000 at most"),
    Bad({"query": 7}, "query is 7: give a string"),
    Bad({"query": None}, "query is None: give a string"),
    Bad(asking(kk=3), "the body has an unknown field 'kk': did you mean 'k'?"),
    Bad(asking(colour=3), "the body has an unknown field 'colour': known are query, k, depth, mode"),
    Bad(asking(k=0), "k is 0: give at least 1"),
    Bad(asking(k=101), "k is 101: give at most 100"),
    Bad(asking(k="10"), "k is '10': give a whole number"),
    Bad(asking(k=1.5), "k is 1.5: give a whole number"),
    Bad(asking(k=True), "k is True: give a whole number"),
    Bad(asking(k=50, depth=20), "the body has k 50 and depth 20: raise depth to 50 or more, or lower k"),
    Bad(asking(depth=1001), "depth is 1001: give at most 1000"),
    Bad(asking(mode="magic"), "mode is 'magic': give 'hybrid', 'dense' or 'lexical'"),
    Bad(asking(rerank="yes"), "rerank is 'yes': give true or false"),
    Bad(asking(min_relevance=1.5), "min_relevance is 1.5: give at most 1"),
    Bad(asking(min_relevance="high"), "min_relevance is 'high': give a number"),
    Bad(asking(as_of="2023-02-30"), "as_of is '2023-02-30', a day that the calendar does not have"),
    Bad(asking(as_of="20230301"), "as_of is '20230301': give a date as YYYY-MM-DD"),
    Bad(asking(as_of=1700000000), "as_of is 1700000000: give a date as YYYY-MM-DD"),
    Bad(asking(filters=[]), "filters is []: give an object"),
    Bad(asking(filters={"laws": ["민법"]}), "filters has an unknown field 'laws': did you mean 'law'?"),
    Bad(asking(filters={"kind": ["book"]}), "filters.kind[0] is 'book': give 'statute' or 'precedent'"),
    Bad(asking(filters={"law": "민법"}), "filters.law is '민법': give a list"),
    Bad(asking(filters={"law": [""]}), "filters.law[0] has 0 characters: give at least 1"),
    Bad(asking(filters={"law": ["민법"] * 101}), "filters.law has 101 entries: give at most 100"),
    Bad(asking(filters={"law": ["민볍"]}), "no law '민볍' in this corpus; nearest: 민법"),
    Bad(
        asking(filters={"date_from": "2024-01-02", "date_to": "2024-01-01"}),
        "filters has date_from 2024-01-02 after date_to 2024-01-01: swap them",
    ),
    Bad([], "the body is []: give an object"),
    Bad(b"", "the body is missing: send a JSON object"),
    Bad(b'{"query": "a",}', "the body is not JSON: ", 400),
    Bad(b'{"query": NaN}', "the body is not JSON: ", 400),
    Bad(b'{"query": "\\ud800"}', "the body is not JSON: ", 400),
    Bad(b"[" * 5000, "the body is not JSON: ", 400),
    Bad(b"\xff\xfe", "the body is not JSON: ", 400),
    Bad({"queries": []}, "queries has 0 entries: give at least 1", path="/search/batch"),
    Bad({"queries": [asking()] * (MAX_BATCH + 1)}, "queries has 65 entries: give at most 64", path="/search/batch"),
    Bad({"queries": [asking(), asking(k=0)]}, "queries[1].k is 0: give at least 1", path="/search/batch"),
    Bad(
        {"queries": [asking(), asking(filters={"law": ["민볍"]})]},
        "queries[1]: no law '민볍' in this corpus",
        path="/search/batch",
    ),
    Bad(asking(documents=[]), "documents has 0 entries: give at least 1", path="/rerank"),
    Bad(asking(documents=["a"] * (MAX_DOCUMENTS + 1)), "documents has 1001 entries: give at most 1000", path="/rerank"),
    Bad(asking(documents=["a", 3]), "documents[1] is 3: give an object", path="/rerank"),
    Bad(asking(documents=[{"id": "a"}]), "documents[0].text is missing: add it", path="/rerank"),
    Bad(asking(documents=["a"], top_n=0), "top_n is 0: give at least 1", path="/rerank"),
    Bad({"query": " ", "documents": ["a"]}, "query is empty", path="/rerank"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.message[:50])
def test_a_bad_body_is_told_what_is_wrong_and_what_to_do(client: TestClient, bad: Bad) -> None:
    found = error(client, bad.body, bad.path, bad.status)
    assert found["message"].startswith(bad.message)
    assert found["code"] == ("bad_json" if bad.status == 400 else "bad_request")


def test_several_faults_are_all_in_the_details(client: TestClient) -> None:
    found = error(client, {"query": "", "k": 0, "filters": {"kind": ["x"]}})
    assert found["message"].endswith("(and 2 more: see details)")
    assert [one["field"] for one in found["details"]] == ["query", "k", "filters.kind[0]"]


def test_broken_json_is_told_where(client: TestClient) -> None:
    found = error(client, '{"query": "해고",\n "k": }'.encode(), status=400)
    assert found["details"] == {"line": 2, "column": 7, "position": 22}
    assert "line 2 column 7" in found["message"]


def test_a_body_of_another_type_is_told_the_header(client: TestClient) -> None:
    response = client.post("/search", content=b'{"query": "a"}', headers={"content-type": "text/plain"})
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["error"]["message"]


def test_the_question_is_not_repeated_in_a_refusal(client: TestClient) -> None:
    assert "비밀" not in json.dumps(error(client, {"query": "비밀" * 1500, "k": 0}), ensure_ascii=False)


class TestBodyLimit:
    def test_an_announced_size_is_refused_at_once(self, client: TestClient) -> None:
        found = error(client, {"query": "a" * 2**20}, status=413)
        assert found["code"] == "body_too_large"
        assert "the limit is 1048576: send less, or raise BEOPGIL_MAX_BODY_BYTES" in found["message"]

    def test_a_stream_is_counted(self, client: TestClient) -> None:
        response = client.post("/search", content=(b"a" * 65536 for _ in range(17)), headers=JSON)
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "body_too_large"

    def test_a_body_of_just_the_limit_passes(self, searcher: Searcher) -> None:
        body = json.dumps({"query": "해고"}).encode()
        with serving(lambda _: searcher, max_body_bytes=1024) as client:
            assert client.post("/search", content=body.ljust(1024), headers=JSON).status_code == 200
            assert client.post("/search", content=body.ljust(1025), headers=JSON).status_code == 413


bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*SearchBody.model_fields, "x"]), inner)
    ),
    max_leaves=12,
)
near_searches = st.fixed_dictionaries(
    {"query": st.text(max_size=40)},
    optional={
        "k": st.integers(1, 100),
        "depth": st.integers(1, 1000),
        "mode": st.sampled_from(["hybrid", "dense", "lexical"]),
        "rerank": st.booleans(),
        "filters": st.dictionaries(st.sampled_from([*FiltersBody.model_fields]), bodies, max_size=2),
        "as_of": st.dates().map(str),
        "min_relevance": st.floats(0, 1),
        "explain": st.booleans(),
    },
)


@given(body=bodies | near_searches)
def test_no_body_makes_search_fail(client: TestClient, body: Any) -> None:
    response = client.post("/search", content=json.dumps(body).encode(), headers=JSON)
    assert response.status_code in (200, 400, 422)
    assert ("error" in response.json()) == (response.status_code != 200)


@given(content=st.binary(max_size=60), path=st.sampled_from(["/search", "/search/batch", "/rerank"]))
def test_no_bytes_make_a_route_fail(client: TestClient, content: bytes, path: str) -> None:
    assert client.post(path, content=content, headers=JSON).status_code in (400, 422)


class TestRerank:
    documents: tuple[Any, ...] = ("무관한 글", {"id": "b", "text": "부당한 해고의 구제"}, "해고", "무관한 글")

    def test_best_first_and_ties_by_index(self, client: TestClient) -> None:
        body = client.post("/rerank", json={"query": "부당한 해고", "documents": self.documents}).json()
        assert list(body) == ["results", "took_ms", "model"]
        assert [one["index"] for one in body["results"]] == [1, 2, 0, 3]
        assert body["results"][0]["id"] == "b"
        assert "id" not in body["results"][1]
        assert all("document" not in one for one in body["results"])
        assert body["model"] == "fake-reranker"

    def test_top_n_and_documents(self, client: TestClient) -> None:
        asked = {"query": "부당한 해고", "documents": self.documents, "top_n": 2, "return_documents": True}
        results = client.post("/rerank", json=asked).json()["results"]
        assert [one["document"] for one in results] == ["부당한 해고의 구제", "해고"]

    @given(texts=st.lists(st.text("부당한해고 무관", max_size=12), min_size=1, max_size=20))
    def test_scores_are_those_of_the_model(self, client: TestClient, texts: list[str]) -> None:
        results = client.post("/rerank", json={"query": "부당한 해고", "documents": texts}).json()["results"]
        logits = FakeReranker().score("부당한 해고", texts)
        assert [one["index"] for one in results] == np.argsort(-logits, kind="stable").tolist()
        assert [one["logit"] for one in results] == pytest.approx(sorted(logits, reverse=True))

    def test_as_many_documents_as_the_limit(self, client: TestClient) -> None:
        body = client.post("/rerank", json={"query": "해고", "documents": ["해고"] * MAX_DOCUMENTS}).json()
        assert [one["index"] for one in body["results"]] == list(range(MAX_DOCUMENTS))

    def test_without_a_reranker_it_is_not_ready_and_search_says_so(self, searcher: Searcher) -> None:
        alone = Searcher(searcher.index, searcher.encoder, None, today=lambda: TODAY, unavailable="none is configured")
        with serving(lambda _: alone) as client:
            found = error(client, {"query": "해고", "documents": ["a"]}, "/rerank", 503)
            assert found["code"] == "not_ready"
            assert "BEOPGIL_RERANKER" in found["message"]
            assert client.post("/search", json={"query": "해고"}).json()["degraded"] == (
                "reranker unavailable: none is configured"
            )
            assert client.get("/info").json()["reranker"] is None
