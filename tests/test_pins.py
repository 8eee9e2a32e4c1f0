"""Citations in a query: pinned above what is ranked, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from app.law.citation import Status as CitationStatus
from app.retrieval.searcher import Searcher
from app.retrieval.types import (
    Filters,
    Floats,
    FoundCitation,
    SearchRequest,
    Understood,
)
from tests.fakes import (
    DOCUMENTS,
    Exhausted,
    FakeEncoder,
    build_index,
    ids,
    other,
    statute,
)


def test_a_citation_is_pinned_once_and_neighbours_follow(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("민법 제750조 손해배상"))
    assert ids(response)[0] == "001706-0750"
    assert [result.match for result in response.results] == ["citation"] + ["ranked"] * 5
    assert not response.understood.only_citations
    assert response.results[0].relevance == 1.0
    assert response.understood.citations[0].doc_id == "001706-0750"
    assert len(set(ids(response))) == 6


def test_a_case_number_is_pinned(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("2019다102", k=1))
    assert [(result.doc_id, result.match) for result in response.results] == [("p102", "citation")]
    assert response.confident


def test_pins_keep_their_order_and_the_filters(searcher: Searcher) -> None:
    found: list[tuple[str, CitationStatus]] = [("p102", "resolved"), ("001692-0307", "resolved"), ("p102", "resolved")]
    found += [("gone", "resolved"), ("p101", "ambiguous"), ("001706-0750", "former")]
    citations = tuple(FoundCitation((0, 1), "", "", *one) for one in found)

    def router(query: str) -> Understood:
        return Understood(query, citations)

    pinned = other(searcher, router=router)
    assert ids(pinned.search(SearchRequest("가")))[:3] == ["p102", "001692-0307", "p101"]
    assert ids(pinned.search(SearchRequest("가")))[3] == "001706-0750"
    only = pinned.search(SearchRequest("가", filters=Filters(kind=("statute",))))
    assert [result.doc_id for result in only.results if result.match == "citation"] == ["001692-0307", "001706-0750"]
    assert ids(pinned.search(SearchRequest("가", k=2))) == ["p102", "001692-0307"]
    without = pinned.search(SearchRequest("가", exclude_docs=frozenset({"p102"})))
    assert "p102" not in ids(without)


class Unused(FakeEncoder):
    def encode_queries(self, texts: Sequence[str]) -> Floats:
        raise AssertionError(f"a model was asked for {texts}")


def test_a_citation_alone_needs_no_model(searcher: Searcher) -> None:
    without = other(searcher, encoder=Unused(), reranker=Exhausted())
    response = without.search(SearchRequest("민법 제750조"))
    assert ids(response)[0] == "001706-0750"
    assert [result.match for result in response.results[1:]] == ["ranked"] * (len(response.results) - 1)
    assert "001706-0839-02" in ids(response)
    assert response.confident
    assert response.degraded is None
    assert response.took_ms.embed == response.took_ms.rerank == 0
    with pytest.raises(AssertionError, match="a model was asked"):
        without.search(SearchRequest("민법 제750조 손해배상"))


def test_an_article_that_is_not_there_shows_the_nearest_that_are(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("민법 제751조"))
    (citation,) = response.understood.citations
    assert citation.status == "no_such_article"
    assert [near.doc_id for near in citation.nearest] == ["001706-0750", "001706-0839-02"]
    assert ids(response) == ["001706-0750", "001706-0839-02"]
    assert {result.match for result in response.results} == {"ranked"}
    assert not response.confident


def test_what_is_beside_a_citation_keeps_to_the_filters(searcher: Searcher) -> None:
    none = searcher.search(SearchRequest("민법 제750조", filters=Filters(law=("형법",))))
    assert ids(none) == []
    assert ids(searcher.search(SearchRequest("민법 제750조", k=1))) == ["001706-0750"]


def test_the_models_read_the_query_as_understood(searcher: Searcher) -> None:
    spelt = other(searcher, router=lambda query: Understood("명예를 훼손"))
    assert ids(spelt.search(SearchRequest("nonsense")))[0] == "001692-0307"


def test_a_pinned_article_hides_its_namesake(tmp_path: Path) -> None:
    old = statute("000001", "민법", "제750조", "옛", "손해를 배상할 책임", law_kind="군정법령", date="1946-01-01")
    response = build_index(tmp_path, [old, *DOCUMENTS]).search(SearchRequest("민법 제750조"))
    assert ids(response)[0] == "001706-0750"
    assert old.doc_id not in ids(response)
