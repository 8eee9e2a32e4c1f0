"""Duplicates, merged numbers, renamed laws, articles to come and deleted ones, and ways to write a text."""

from __future__ import annotations

import unicodedata

import pytest

from app.retrieval.searcher import Searcher
from app.retrieval.types import FoundCitation, SearchRequest, SearchResponse
from tests.fakes import build_index, precedent, statute

DOCUMENTS = (
    statute("001455", "디자인보호법", "제2조", "정의", "디자인이란 물품의 모양을 말한다."),
    statute("001455", "디자인보호법", "제3조", "", "삭제", deleted=True),
    statute("001455", "디자인보호법", "제4조", "등록", "디자인은 등록한다."),
    statute("001455", "디자인보호법", "제5조", "앞으로", "디자인은 앞으로 심사한다.", date="2027-06-01"),
    statute("000123", "특허법", "제2조", "옛 정의", "발명이란 고안이다.", law_kind="군정법령", date="1946-10-15"),
    statute("001454", "특허법", "제2조", "정의", "발명이란 고도의 창작이다."),
    precedent(201, "손해배상", "등대의 하자", date="2020-05-14", case_no="2019다555"),
    precedent(202, "손해배상", "등대의 하자", date="2020-05-14", case_no="2019다555"),
    precedent(203, "건물인도", "부두의 점유", date="2020-05-14", case_no="2019다77184, 77191"),
    precedent(204, "임금", "등대지기의 휴일", date="2020-05-14", case_no="2018다31(본소), 2018다48(반소)"),
)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("identity"), DOCUMENTS)


def read(searcher: Searcher, text: str) -> list[tuple[str | None, str]]:
    return [(one.doc_id, one.status) for one in searcher.citations.read(text)]


def pinned(response: SearchResponse) -> list[str]:
    return [result.doc_id for result in response.results if result.match == "citation"]


def status(searcher: Searcher, query: str) -> tuple[FoundCitation, object]:
    """The citation of a query, and the status of what it leads to."""
    response = searcher.search(SearchRequest(query))
    (found,) = response.understood.citations
    return found, response.results[0].metadata["status"]


def test_a_decision_under_two_ids_is_offered_twice(searcher: Searcher) -> None:
    """Same court, day and number: nothing tells them apart, so both are shown."""
    for text in ("2019다555", "대법원 2020. 5. 14. 선고 2019다555 판결"):
        assert read(searcher, text) == [("p201", "ambiguous"), ("p202", "ambiguous")]
        assert pinned(searcher.search(SearchRequest(text))) == ["p201", "p202"]


@pytest.mark.parametrize(
    ("number", "doc_id"),
    [
        ("2019다77184", "p203"), ("2019다77191", "p203"), ("2019다77184, 77191", "p203"), ("2018다31", "p204"),
        ("2018다48", "p204"), ("2018다31(본소), 48(반소)", "p204"),
    ],
)  # fmt: skip
def test_any_of_merged_numbers_leads_to_the_decision(searcher: Searcher, number: str, doc_id: str) -> None:
    assert read(searcher, number) == [(doc_id, "resolved")]
    assert pinned(searcher.search(SearchRequest(number))) == [doc_id]


def test_a_renamed_law_keeps_its_ids(searcher: Searcher) -> None:
    assert read(searcher, "디자인보호법 제2조") == [("001455-0002", "resolved")]
    (old,) = searcher.citations.read("의장법 제2조")
    assert (old.doc_id, old.status, old.flags) == (None, "former", ("renamed",))
    assert [near.doc_id for near in old.nearest] == ["001455-0002"]
    dated = "구 의장법(2004. 12. 31. 법률 제7289호로 개정되기 전의 것) 제2조"
    assert read(searcher, dated) == [("001455-0002", "former")]
    assert read(searcher, "의장법(현행 디자인보호법) 제9조") == [(None, "former")]


def test_a_name_means_the_law_in_force_and_not_its_forerunner(searcher: Searcher) -> None:
    assert read(searcher, "특허법 제2조") == [("001454-0002", "resolved")]
    response = searcher.search(SearchRequest("특허법 제2조"))
    assert pinned(response) == ["001454-0002"]
    assert "000123-0002" not in [result.doc_id for result in response.results]


def test_an_article_to_come_is_found_and_marked(searcher: Searcher) -> None:
    found, standing = status(searcher, "디자인보호법 제5조")
    assert (found.doc_id, found.status, standing) == ("001455-0005", "resolved", "not_yet")


def test_a_deleted_article_is_found_and_marked_and_offers_its_neighbours(searcher: Searcher) -> None:
    found, standing = status(searcher, "디자인보호법 제3조")
    assert (found.doc_id, found.status, standing) == ("001455-0003", "deleted", "deleted")
    assert [near.doc_id for near in found.nearest][:2] == ["001455-0002", "001455-0004"]
    ranked = searcher.search(SearchRequest("디자인이란 물품의 모양")).results
    assert "001455-0003" not in [result.doc_id for result in ranked]


@pytest.mark.parametrize(
    "text",
    [
        unicodedata.normalize("NFD", "디자인보호법 제2조"),
        "디자인보호법 제２조",
        "디자인보호법\u3000제2조",
        "디자인 보호법 제 2 조",
        "디자인·보호법 2조",
        "디자인\u200b보호법 제\u200f2조",
        "「디자인보호법」 제2조",
        "｢디자인보호법｣ 제2조",
    ],
)
def test_an_article_however_it_is_written(searcher: Searcher, text: str) -> None:
    assert read(searcher, text) == [("001455-0002", "resolved")]
    assert pinned(searcher.search(SearchRequest(text))) == ["001455-0002"]


@pytest.mark.parametrize("text", ["２０１９다７７１９１", "2019 다 77191", "2019다\u200b77191", "（2019다77191）"])
def test_a_case_number_however_it_is_written(searcher: Searcher, text: str) -> None:
    assert read(searcher, text) == [("p203", "resolved")]
