"""Questions that are answered already: what is like one of them leads to its articles, other queries are left alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.questions import Question
from app.retrieval.asked import MOST, RATIO, WIDTH, Answers, Asked, rows_of
from app.retrieval.fusion import covered
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters, SearchRequest
from tests.fakes import DOCUMENTS, build_index, statute

KNOWN = (
    Question(question="집 보일러가 고장났는데 누가 고쳐요?", articles=("민법 제623조", "없는법 제1조")),
    Question(question="보일러 수리비 집주인이 내나요", articles=("민법 제623조", "민법 제626조")),
    Question(question="강아지가 사람을 물었어요", articles=("민법 제759조",)),
    Question(question="다른 나라 법은요", articles=("없는법 제1조",)),
)
ROWS = {"민법 제623조": 4, "민법 제626조": 5, "민법 제759조": 9}


@pytest.fixture(scope="module")
def asked() -> Asked:
    return Asked(KNOWN, ROWS)


def test_a_question_like_a_known_one_leads_to_its_articles(asked: Asked) -> None:
    found = asked("보일러가 고장났는데 누가 고치나요")
    assert set(found.votes) == {4, 5}
    assert found.questions == {4: KNOWN[0].question, 5: KNOWN[1].question}
    assert found.votes[4] == pytest.approx(1 + found.votes[5]), "named by both, the most like counts 1"
    assert 0.2 < found.share <= 1.0


def test_a_query_that_is_like_none_leads_nowhere(asked: Asked) -> None:
    assert asked("zzzz") == Answers()
    assert asked("") == Answers()
    faint = asked("소유권이전등기청구권의 소멸시효가 진행하는지 여부 및 그 기산점은 누가 정하는지에 관한 판단 기준")
    assert faint.share < 0.1


def test_articles_that_the_corpus_lacks_are_nobodys_answer() -> None:
    assert Asked(KNOWN, {}).questions == []
    assert Asked(KNOWN, {})("보일러") == Answers()
    assert len(Asked(KNOWN, ROWS).questions) == 3


@given(st.text(st.sampled_from("집보일러고장강아지사람물 ?"), max_size=40))
def test_votes_are_bounded_and_named(text: str) -> None:
    found = Asked(KNOWN, ROWS)(text)
    assert 0 <= found.share <= 1 + 1e-6
    assert found.votes.keys() == found.questions.keys()
    assert all(0 < vote <= MOST + 1e-9 for vote in found.votes.values())


def test_questions_are_believed_as_far_as_they_are_more_like_the_query_than_articles_are(asked: Asked) -> None:
    found = asked("강아지가 물었는데 전혀 다른 말로 길게 쓴 글")
    share = found.share
    assert found.believed(share / RATIO) == pytest.approx(0.5)
    assert found.believed(share / (RATIO + 2 * WIDTH)) == pytest.approx(1 / (1 + math.exp(-2)))
    assert found.believed(share / (RATIO - 2 * WIDTH)) == pytest.approx(1 / (1 + math.exp(2)))
    assert found.believed(0.0) == pytest.approx(1.0), "no article has any of its words"
    assert Answers().believed(0.0) == 0.0


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_more_an_article_has_of_the_words_the_less_they_are_believed(one: float, other: float) -> None:
    found = Asked(KNOWN, ROWS)(KNOWN[0].question)
    low, high = sorted((one, other))
    assert 0 <= found.believed(high) <= found.believed(low) <= 1


# in a search


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    duty = statute("001706", "민법", "제623조", "임대인의 의무", "임대인은 사용에 필요한 상태를 유지한다.")
    old = replace(duty, doc_id="000001-0623", law_kind="폐지법률", date="1950-01-01")
    built = build_index(tmp_path_factory.mktemp("asked"), (*DOCUMENTS, duty, old))
    found = Searcher(built.index, built.encoder, built.reranker, today=built.today)
    found.asked = Asked(KNOWN, rows_of(KNOWN, found.columns, found.folder))
    return found


def test_an_article_rises_by_the_formula_and_says_for_which_question(searcher: Searcher) -> None:
    request = SearchRequest(KNOWN[0].question, rerank=False, explain=True, k=20)
    mute = Searcher(
        searcher.index, searcher.encoder, searcher.reranker, today=searcher.today,
        tuning=replace(searcher.tuning, asked_weight=0.0),
    )  # fmt: skip
    results = {result.doc_id: result for result in searcher.search(request).results}
    before = {result.doc_id: result for result in mute.search(request).results}
    one, other = results["001706-0623"].stages, before["001706-0623"].stages
    assert one
    assert other
    assert one.fused
    assert other.fused
    assert (one.asked, other.asked) == (KNOWN[0].question, None)
    sought = searcher.router(KNOWN[0].question).sought
    lexical, answers = searcher.index.lexical, searcher.asked(sought)
    believed = answers.believed(covered(lexical.search(sought, 9), lexical.attainable(sought)))
    gained = searcher.tuning.asked_weight * believed * math.log1p(3 * answers.votes[row(searcher)])
    assert one.fused.score - other.fused.score == pytest.approx(gained, rel=1e-4)
    assert {found.stages.asked for name, found in results.items() if found.stages and name != "001706-0623"} == {None}


def row(searcher: Searcher) -> int:
    found = searcher.index.documents.row("001706-0623")
    assert found is not None
    return found


def test_filters_and_other_modes_are_kept_to(searcher: Searcher) -> None:
    request = SearchRequest(KNOWN[0].question, k=20)
    for other in (Filters(law=("형법",)), Filters(kind=("precedent",))):
        found = searcher.search(replace(request, filters=other)).results
        assert "001706-0623" not in {result.doc_id for result in found}
    dense, words = (replace(request, mode=mode, explain=True) for mode in ("dense", "lexical"))
    results = [*searcher.search(dense).results, *searcher.search(words).results]
    assert {result.stages.asked for result in results if result.stages} == {None}


def test_of_articles_that_share_a_citation_the_one_in_force_is_meant(searcher: Searcher, tmp_path: Path) -> None:
    assert rows_of(KNOWN, searcher.columns, searcher.folder) == {"민법 제623조": row(searcher)}
