from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadRequest, NotFound, NotReady
from app.law.documents import Kind
from app.retrieval.searcher import Searcher
from app.retrieval.types import (
    Blend,
    Blends,
    Candidates,
    Filters,
    Mode,
    SearchRequest,
    Understood,
)
from tests.fakes import (
    DOCUMENTS,
    Exhausted,
    FakeReranker,
    build_index,
    ids,
    other,
    precedent,
    statute,
)

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
QUERIES = ("손해를 배상할 책임", "명예훼손", "정당한 이유 없는 해고", "재산분할", "전혀 다른 말")


def test_the_matching_article_comes_first_and_its_decision_next(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("손해를 배상할 책임"))
    assert ids(response)[:2] == ["001706-0750", "p101"]
    assert sorted(ids(response)) == sorted(document.doc_id for document in DOCUMENTS)
    assert response.confident
    assert response.degraded is None
    first = response.results[0]
    assert (first.kind, first.citation, first.title) == ("statute", "민법 제750조", "불법행위의 내용")
    assert first.text == DOCUMENTS[0].text
    assert next(first.text[a:b] for a, b in first.highlights) == "손해를"
    assert first.stages is None
    assert first.metadata["law"] == "민법"


def test_what_was_asked_comes_back(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("명예훼손"))
    assert response.query == "명예훼손"
    assert response.understood == Understood("명예훼손")
    assert response.index == searcher.index.name


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rerank", [True, False])
@pytest.mark.parametrize("query", QUERIES)
def test_every_way_keeps_the_contract(searcher: Searcher, mode: Mode, rerank: bool, query: str) -> None:
    response = searcher.search(SearchRequest(query, k=4, mode=mode, rerank=rerank, explain=True))
    assert len(response.results) <= 4
    assert [result.rank for result in response.results] == list(range(1, len(response.results) + 1))
    assert len(set(ids(response))) == len(response.results)
    for result in response.results:
        assert 0 <= result.relevance <= 1
        assert 1 <= len(result.evidence) <= 3
        assert result.evidence[0].relevance == result.relevance
        assert all(one.passage_id.startswith(result.doc_id + "#") for one in result.evidence)
        assert result.stages is not None
        assert (result.stages.rerank is not None) == rerank
        assert result.stages.fused is not None
        assert mode != "dense" or result.stages.lexical is None
        assert mode != "lexical" or result.stages.dense is None


def test_reranked_order_is_that_of_the_logits(searcher: Searcher) -> None:
    results = searcher.search(SearchRequest("정당한 이유 없는 해고", explain=True)).results
    logits = [result.stages.rerank.logit for result in results if result.stages and result.stages.rerank]
    assert len(logits) == len(results)
    assert logits == sorted(logits, reverse=True)
    relevance = [result.relevance for result in results]
    assert relevance == pytest.approx([1 / (1 + np.exp(-logit)) for logit in logits])


def test_stages_say_where_a_document_stood(searcher: Searcher) -> None:
    request = SearchRequest("손해를 배상할 책임", explain=True)
    first = searcher.search(request).results[0].stages
    assert first is not None
    dense = searcher.search(replace(request, mode="dense", rerank=False)).results
    lexical = searcher.search(replace(request, mode="lexical", rerank=False)).results
    assert first.dense is not None
    assert first.lexical is not None
    assert ids_ranks(dense)["001706-0750"] == first.dense.rank
    assert ids_ranks(lexical)["001706-0750"] == first.lexical.rank


def ids_ranks(results: Sequence[object]) -> dict[str, int]:
    return {result.doc_id: result.rank for result in results}  # type: ignore[attr-defined]  # results of a response


def test_the_blend_lets_the_first_stage_speak(searcher: Searcher) -> None:
    request = SearchRequest("손해를 배상할 책임")
    plain = ids(searcher.search(replace(request, rerank=False)))
    blended = other(searcher, reranker=blending(Blend(weight=1e6)))
    assert ids(blended.search(request)) == plain


def test_articles_and_decisions_meet_by_their_own_log_odds(searcher: Searcher) -> None:
    articles, decisions = Blend(2.0, 1.5, -1.0), Blend(9.0, 0.5, -2.0)
    one = other(searcher, reranker=blending(articles, decisions))
    request = SearchRequest("손해를 배상할 책임", explain=True)
    every = one.search(request).results
    assert {result.kind for result in every} == {"statute", "precedent"}
    relevance = [result.relevance for result in every]
    assert relevance == sorted(relevance, reverse=True)
    kinds: tuple[tuple[Kind, Blend], ...] = (("statute", articles), ("precedent", decisions))
    for kind, own in kinds:
        alone = replace(request, filters=Filters(kind=(kind,)))
        pool = one.pool(alone)
        assert pool.logits is not None
        expected = own.scale * (pool.logits + own.weight * pool.fused.own) + own.bias
        assert pool.final == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("query", ["손해를 배상할 책임", "명예훼손", "임대차 보증금"])
def test_a_bounded_second_stage_gives_the_page_of_an_unbounded_one(searcher: Searcher, query: str) -> None:
    articles, decisions = Blend(12.0, 1.5, -1.0), Blend(40.0, 0.5, -2.0)
    unbounded = other(searcher, reranker=blending(articles, decisions))
    bounded = other(searcher, reranker=blending(replace(articles, most=4.0), replace(decisions, most=4.0)))
    for k in (1, 2, 5, 50):
        request = SearchRequest(query, k=k, depth=50)
        pages = [one.search(request).results for one in (unbounded, bounded)]
        assert [r.doc_id for r in pages[0]] == [r.doc_id for r in pages[1]]
        assert [r.relevance for r in pages[0]] == [r.relevance for r in pages[1]]


def blending(articles: Blend, decisions: Blend | None = None) -> FakeReranker:
    reranker = FakeReranker()
    reranker.blends = Blends(articles, decisions)
    return reranker


def test_relevance_does_not_depend_on_the_other_documents(tmp_path: Path) -> None:
    many, few = build_index(tmp_path / "many"), build_index(tmp_path / "few", DOCUMENTS[2:])
    for rerank in (True, False):
        request = SearchRequest("명예훼손", mode="dense", rerank=rerank)
        assert few.search(request).results[0].relevance == pytest.approx(many.search(request).results[0].relevance)


def test_without_a_reranker_junk_is_not_confident(searcher: Searcher) -> None:
    for mode in MODES:
        response = searcher.search(SearchRequest("zzzz 손자", mode=mode, rerank=False))
        assert not response.confident
        assert all(result.relevance < 0.5 for result in response.results)


def test_filters_narrow_every_stage(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("해고", filters=Filters(kind=("precedent",), date_from=date(2021, 1, 1))))
    assert ids(response) == ["p102"]
    assert ids(searcher.search(SearchRequest("해고", filters=Filters(court=("없는법원",))))) == []
    with pytest.raises(BadRequest, match="no law"):
        searcher.search(SearchRequest("해고", filters=Filters(law=("없는법",))))


def test_nothing_found_is_not_confident(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("해고", filters=Filters(court=("없는법원",))))
    assert response.results == ()
    assert response.confident is False


def test_excluded_documents_never_come_back(searcher: Searcher) -> None:
    response = searcher.search(SearchRequest("2019다101 손해배상", exclude_docs=frozenset({"p101"})))
    assert "p101" not in ids(response)


def test_as_of_leaves_out_later_decisions_and_sets_the_status(searcher: Searcher) -> None:
    """Of a law without history no article is left out: its date is that of the law's newest version."""
    request = SearchRequest("사용자는 근로자에게 정당한 이유 없이 해고")
    status = {result.doc_id: result.metadata.get("status") for result in searcher.search(request).results}
    assert status["001872-0023"] == "not_yet"
    assert status["001706-0750"] == "in_force"
    assert status["p101"] is None
    earlier = searcher.search(replace(request, as_of=date(2020, 6, 1))).results
    assert {result.doc_id: result.metadata.get("status") for result in earlier}["001872-0023"] == "not_yet"
    assert {result.doc_id for result in earlier if result.kind == "precedent"} == {"p101"}
    later = searcher.search(replace(request, as_of=date(2027, 1, 1))).results
    assert {result.doc_id: result.metadata.get("status") for result in later}["001872-0023"] == "in_force"


def test_min_relevance_cuts_the_ranked_only(searcher: Searcher) -> None:
    request = SearchRequest("손해를 배상할 책임")
    every = searcher.search(request).results
    cut = searcher.search(replace(request, min_relevance=0.5)).results
    assert [result.doc_id for result in cut] == [result.doc_id for result in every if result.relevance >= 0.5]
    assert 0 < len(cut) < len(every)
    assert ids(searcher.search(SearchRequest("2019다102", min_relevance=1.0)))[0] == "p102"


def test_confidence_follows_the_threshold_of_the_model(searcher: Searcher) -> None:
    request = SearchRequest("전혀 다른 말")
    assert not searcher.search(request).confident
    assert other(searcher, reranker=FakeReranker(confident=0.0)).search(request).confident


@pytest.mark.parametrize("kind", ["statute", "precedent"])
def test_confidence_is_that_of_the_first_results_kind(searcher: Searcher, kind: Kind) -> None:
    sure, unsure = Blend(confident=0.0), Blend(confident=1.0)
    one = other(searcher, reranker=blending(sure, unsure))
    assert one.search(SearchRequest("손해를 배상할", filters=Filters(kind=(kind,)))).confident == (kind == "statute")


def test_without_a_reranker_the_answer_says_so(searcher: Searcher) -> None:
    without = other(searcher, reranker=None, unavailable="no model folder models/none")
    response = without.search(SearchRequest("사람의 명예를 훼손"))
    assert response.degraded == "reranker unavailable: no model folder models/none"
    assert ids(response)[0] == "001692-0307"
    assert ids(response) == ids(searcher.search(SearchRequest("사람의 명예를 훼손", rerank=False)))
    assert without.search(SearchRequest("사람의 명예를 훼손", rerank=False)).degraded is None


def test_a_reranker_out_of_memory_degrades(searcher: Searcher) -> None:
    response = other(searcher, reranker=Exhausted()).search(SearchRequest("사람의 명예를 훼손"))
    assert response.degraded == "reranker unavailable: out of memory; ask for a smaller depth"
    assert ids(response)[0] == "001692-0307"


@pytest.mark.parametrize("blend", [0.0, 5.0])
def test_behind_what_the_second_stage_reads_stands_the_rest_of_the_first(searcher: Searcher, blend: float) -> None:
    request = SearchRequest("손해를 배상할 책임", k=5, depth=2, explain=True)
    one = other(searcher, reranker=blending(Blend(weight=blend)))
    results, plain = one.search(request).results, one.search(replace(request, rerank=False)).results
    read = [result.doc_id for result in results if result.stages and result.stages.rerank]
    assert len(results) == 5
    assert read == [result.doc_id for result in results[:2]], "depth bounds what is reranked"
    assert set(read) == {result.doc_id for result in plain[:2]}
    assert [result.doc_id for result in results[2:]] == [result.doc_id for result in plain[2:]]
    relevance = [result.relevance for result in results]
    assert relevance == sorted(relevance, reverse=True)
    assert len(one.search(replace(request, min_relevance=relevance[2] + 1e-6)).results) == 2
    assert len(other(one, reranker=None).search(request).results) == 5, "also where the second stage is missing"


def test_times_add_up(searcher: Searcher) -> None:
    took = searcher.search(SearchRequest("명예훼손")).took_ms
    parts = took.route + took.embed + took.dense + took.lexical + took.fuse + took.rerank
    assert min(took.embed, took.dense, took.lexical, took.rerank) > 0
    assert took.queue == 0
    assert parts <= took.total + 0.01


def test_the_first_stage_alone_is_what_search_reads(searcher: Searcher) -> None:
    for mode in MODES:
        found = searcher.candidates(QUERIES, 5, mode)
        for query, one in zip(QUERIES, found, strict=True):
            request = SearchRequest(query, k=5, depth=5, mode=mode, rerank=False)
            rows = [searcher.index.documents[row].doc_id for row, _ in searcher.rank_documents(one)]
            assert rows == ids(searcher.search(request))[: len(rows)]
            assert (np.diff(one.scores) <= 0).all()
    assert searcher.candidates([], 5) == []


def test_candidates_keep_to_what_is_allowed(searcher: Searcher) -> None:
    allowed = np.array([False, True, False, True, False, False, False])
    for one in searcher.candidates(QUERIES, 5, allowed=allowed):
        assert set(one.ids.tolist()) <= {1, 3}


def test_texts_are_reranked_in_their_order(searcher: Searcher) -> None:
    texts = ["해고", "명예를 훼손", "명예훼손죄"]
    reranked = searcher.rerank("명예훼손", texts)
    assert reranked.logits.argmax() == 2
    np.testing.assert_allclose(reranked.relevance, FakeReranker().relevance(reranked.logits))
    with pytest.raises(NotReady, match="reranker unavailable"):
        other(searcher, reranker=None).rerank("명예훼손", texts)


def test_similar_documents_leave_out_the_document_itself(searcher: Searcher) -> None:
    found = searcher.similar("p101", k=3)
    assert found[0].doc_id == "001706-0750"
    assert len(found) == 3
    assert "p101" not in [result.doc_id for result in found]
    statutes = searcher.similar("p101", filters=Filters(kind=("statute",)))
    assert {result.kind for result in statutes} == {"statute"}
    with pytest.raises(NotFound, match="no document 'p999' in index fake"):
        searcher.similar("p999")


def test_evidence_is_up_to_three_of_the_best_passages(tmp_path: Path) -> None:
    issues = "\n".join(f"[{n}] 손해배상 {'책임 ' * n}" for n in range(1, 6))
    (result,) = build_index(tmp_path, [precedent(7, "손해배상", issues)]).search(SearchRequest("손해배상 책임")).results
    assert len(result.evidence) == 3
    relevance = [one.relevance for one in result.evidence]
    assert relevance == sorted(relevance, reverse=True)


def test_threads_get_the_same_answers(searcher: Searcher) -> None:
    requests = [SearchRequest(query) for query in QUERIES] * 6
    expected = [searcher.search(request).results for request in requests]
    with ThreadPoolExecutor(8) as pool:
        assert [response.results for response in pool.map(searcher.search, requests)] == expected


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=40), st.integers(1, 8), st.booleans())
def test_no_query_breaks_a_search(searcher: Searcher, query: str, k: int, rerank: bool) -> None:
    response = searcher.search(SearchRequest(query, k=k, depth=10, rerank=rerank, explain=True))
    assert len(response.results) <= k
    for result in response.results:
        assert all(0 <= a < b <= len(result.text) for a, b in result.highlights)


def test_warming_up_asks_for_everything(searcher: Searcher) -> None:
    searcher.warm()


@pytest.mark.parametrize("query", QUERIES)
def test_the_pool_of_a_search_is_what_it_ranks(searcher: Searcher, query: str) -> None:
    request = SearchRequest(query)
    pool = searcher.pool(request)
    ranked = searcher.rank_documents(Candidates(pool.fused.ids, pool.final))
    assert [searcher.index.documents[row].doc_id for row, _ in ranked][: request.k] == ids(searcher.search(request))


def test_the_law_s_words_are_sought_beside_everyday_ones(tmp_path: Path) -> None:
    lease = statute(
        "001248", "주택임대차보호법", "제3조", "대항력", "임대인과 임차인의 임대차는 등기가 없어도 효력이 있다."
    )
    found = build_index(tmp_path, [*DOCUMENTS, lease]).search(SearchRequest("집주인", mode="lexical", rerank=False))
    assert ids(found) == ["001248-0003"]
    assert found.understood.terms == ("임대인",)
