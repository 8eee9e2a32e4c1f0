from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BadRequest, NotFound, NotReady
from app.law.citation import Status as CitationStatus
from app.law.documents import Kind
from app.retrieval.searcher import NOTHING, Searcher
from app.retrieval.types import (
    Blend,
    Blends,
    Candidates,
    Filters,
    Floats,
    FoundCitation,
    Mode,
    SearchRequest,
    SearchResponse,
    Tokens,
    Understood,
)
from tests.fakes import DOCUMENTS, TODAY, FakeEncoder, FakeReranker, build_index, precedent, statute

MODES: tuple[Mode, ...] = ("hybrid", "dense", "lexical")
QUERIES = ("손해를 배상할 책임", "명예훼손", "정당한 이유 없는 해고", "재산분할", "전혀 다른 말")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("searcher"))


def other(searcher: Searcher, **options: object) -> Searcher:
    """The same index, searched otherwise."""
    given = {"encoder": searcher.encoder, "reranker": searcher.reranker, "today": lambda: TODAY, **options}
    return Searcher(searcher.index, **given)  # type: ignore[arg-type]  # each option is of its own type


def ids(response: SearchResponse) -> list[str]:
    return [result.doc_id for result in response.results]


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


class Exhausted(FakeReranker):
    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        raise torch.OutOfMemoryError("no memory left")


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


# decisions near a query


@pytest.fixture(scope="module")
def citing(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Decisions of 2015 and 2020 on lighthouses, that cite an article which says nothing of them."""
    documents = (
        *DOCUMENTS[:3],
        precedent(
            7, "등대", "등대지기의 야간 근무", date="2015-01-01", case_no="2014다7", cited_statutes="민법 제750조"
        ),
        precedent(8, "등대", "등대의 불빛", cited_statutes="형법 제307조", cited_precedents="2014다7"),
    )
    return build_index(tmp_path_factory.mktemp("citing"), documents)


LIGHT = SearchRequest("등대지기의 야간 근무", explain=True)


def votes(searcher: Searcher, request: SearchRequest) -> dict[str, float]:
    found = searcher.search(request).results
    return {one.doc_id: one.stages.links for one in found if one.stages and one.stages.links}


def test_decisions_near_a_query_speak_for_what_they_cite(citing: Searcher) -> None:
    found = votes(citing, LIGHT)
    assert found["001706-0750"] == pytest.approx(1.0), "the nearest counts fully"
    assert 0 < found["001692-0307"] < 1
    plain = other(citing, tuning=replace(citing.tuning, cited_weight=0.0))
    assert "001706-0750" not in votes(plain, LIGHT)
    pools = [one.pool(LIGHT).fused for one in (citing, plain)]
    ranks = [one.ids.tolist().index(0) for one in pools]
    gained = pools[0].scores[ranks[0]] - pools[1].scores[ranks[1]]
    assert gained == pytest.approx(citing.tuning.cited_weight * np.log(1 + 3 * 1.0), abs=1e-5)


@pytest.mark.parametrize(
    "request_",
    [
        replace(LIGHT, exclude_docs=frozenset({"p7"})),
        replace(LIGHT, decided_to=date(2014, 12, 31)),
        replace(LIGHT, as_of=date(2014, 12, 31)),
        replace(LIGHT, mode="dense"),
        replace(LIGHT, mode="lexical"),
        replace(LIGHT, filters=Filters(kind=("precedent",))),
    ],
)
def test_what_may_not_be_known_speaks_for_no_article(citing: Searcher, request_: SearchRequest) -> None:
    assert "001706-0750" not in votes(citing, request_)


def test_filters_of_articles_leave_the_decisions_their_voice(citing: Searcher) -> None:
    """What is asked for are articles; who speaks for them are decisions all the same."""
    for filters in (Filters(kind=("statute",)), Filters(law=("민법",))):
        assert votes(citing, replace(LIGHT, filters=filters))["001706-0750"] == pytest.approx(1.0)
    assert "001706-0750" not in votes(citing, replace(LIGHT, filters=Filters(law=("형법",))))


def test_an_encoder_that_is_not_sure_lets_nobody_speak(citing: Searcher) -> None:
    unsure = other(citing, tuning=replace(citing.tuning, sure_cosine=1.0, sure_width=1e-3))
    silent = other(citing, tuning=replace(unsure.tuning, cited_weight=0.0))
    found, plain = (one.pool(LIGHT).fused for one in (unsure, silent))
    assert found.ids.tolist() == plain.ids.tolist()
    assert found.scores == pytest.approx(plain.scores, abs=1e-6)


def test_how_sure_the_encoder_is_is_said_by_its_best_article(citing: Searcher) -> None:
    tuned = other(citing, tuning=replace(citing.tuning, sure_cosine=0.3, sure_width=0.1))
    (dense,) = citing.index.dense.search(citing.encoder.encode_queries([LIGHT.query]), 99)
    kinds = [citing.index.documents[int(row)].kind for row in citing.index.passages.documents[dense.ids]]
    assert kinds[0] == "precedent"
    best = next(score for score, kind in zip(dense.scores.tolist(), kinds, strict=True) if kind == "statute")
    assert tuned.sure(dense, NOTHING) == pytest.approx(1 / (1 + np.exp((0.3 - best) / 0.1)))
    decisions = np.array([kind == "precedent" for kind in kinds])
    alone = Candidates(dense.ids[decisions], dense.scores[decisions])
    assert tuned.sure(alone, NOTHING) == pytest.approx(1 / (1 + np.exp((0.3 - dense.scores[0]) / 0.1)))
    assert tuned.sure(Candidates(dense.ids[:0], dense.scores[:0]), NOTHING) == 0


def test_the_nearest_decision_says_it_where_its_level_is_known(citing: Searcher) -> None:
    """Those that the asker may not know say nothing, and then the best article does."""
    tuned = other(citing, tuning=replace(citing.tuning, court_cosine=0.3, court_width=0.1))
    vectors = citing.encoder.encode_queries([LIGHT.query])
    near, (dense,) = tuned.near(vectors, LIGHT), citing.index.dense.search(vectors, 99)
    assert tuned.sure(dense, near) == pytest.approx(1 / (1 + np.exp((0.3 - near.scores[0]) / 0.1)))
    assert citing.sure(dense, near) == citing.sure(dense, NOTHING)
    unknown = tuned.near(vectors, replace(LIGHT, as_of=date(1900, 1, 1)))
    assert tuned.sure(dense, unknown) == citing.sure(dense, NOTHING)


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
