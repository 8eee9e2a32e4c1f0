from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.citation import Status
from app.law.everyday import legal_terms
from app.law.names import Law, LawNames
from app.law.query import Alias, QueryReader
from app.law.resolve import CitationReader, Decision, FoundCitation, by_number
from app.law.text import nfc

CRIMES = "특정범죄 가중처벌 등에 관한 법률"
LAWS = (
    Law("001706", "민법", "법률", "2024"),
    Law("001692", "형법", "법률", "2024"),
    Law("001671", "형사소송법", "법률", "2024"),
    Law("001676", CRIMES, "법률", "2024"),
    Law("011357", "개인정보 보호법", "법률", "2024"),
    Law("001444", "대한민국헌법", "헌법", "1987"),
    Law("011469", "난민법", "법률", "2016"),
    Law("001248", "주택임대차보호법", "법률", "2023"),
    Law("003233", "주택임대차보호법 시행령", "대통령령", "2023"),
)
ARTICLES = frozenset(
    {
        "001706-0750", "001706-0751", "001706-0839-02", "001692-0307", "001671-0308-02", "001676-0005-11",
        "011357-0017", "001444-0037", "011469-0001", "001248-0006-03", "003233-0003",
    }
)  # fmt: skip
CASES = (
    ("p1", "2012다77184, 77191", "대법원 2015. 1. 1. 선고 2012다77184, 77191 판결", "대법원", "2015-01-01"),
    ("p2", "2009나123", "서울고등법원 2010. 1. 1. 선고 2009나123 판결", "서울고등법원", "2010-01-01"),
    ("p3", "2009나123", "부산고등법원 2010. 2. 2. 선고 2009나123 판결", "부산고등법원", "2010-02-02"),
    ("p4", "(창원)2010노55", "부산고등법원 2010. 6. 1. 선고 (창원)2010노55 판결", "부산고등법원", "2010-06-01"),
    ("p5", "96다40080", "대법원 1997. 1. 1. 선고 96다40080 판결", "대법원", "1997-01-01"),
)


class Shelf:
    """Articles that are there or not; more is asked for in tests.test_resolve."""

    def standing(self, doc_id: str) -> Literal["live", "deleted", "unknown"]:
        return "live" if doc_id in ARTICLES else "unknown"

    def near(self, doc_id: str, count: int) -> Sequence[str]:
        return ()

    def first(self, law_id: str, count: int) -> Sequence[str]:
        return ()

    def citation(self, doc_id: str) -> str:
        return doc_id

    def title(self, doc_id: str) -> str:
        return ""

    def paragraphs(self, doc_id: str) -> int:
        return 9


def reader(laws: Sequence[Law]) -> QueryReader:
    decisions = by_number((Decision(doc_id, cite, court, day), no) for doc_id, no, cite, court, day in CASES)
    return QueryReader(CitationReader(LawNames(laws), Shelf(), decisions))


READER = reader(LAWS)


@pytest.mark.parametrize(
    ("query", "citation", "doc_id", "status"),
    [
        ("민법 750", "민법 제750조", "001706-0750", "resolved"),
        ("민법750조", "민법 제750조", "001706-0750", "resolved"),
        ("민법 제839조의 2", "민법 제839조의2", "001706-0839-02", "resolved"),
        ("형소법 308조의 2", "형사소송법 제308조의2", "001671-0308-02", "resolved"),
        ("특가법 5조의11", f"{CRIMES} 제5조의11", "001676-0005-11", "resolved"),
        ("개인정보보호법 제17조", "개인정보 보호법 제17조", "011357-0017", "resolved"),
        ("「개인정보 보호법」 제17조제1항제2호", "개인정보 보호법 제17조 제1항 제2호", "011357-0017", "resolved"),
        ("헌법 제37조제2항", "대한민국헌법 제37조 제2항", "001444-0037", "resolved"),
        ("난민법 제1조", "난민법 제1조", "011469-0001", "resolved"),
        ("주임법 6조의3", "주택임대차보호법 제6조의3", "001248-0006-03", "resolved"),
        ("주임법 시행령 제3조", "주택임대차보호법 시행령 제3조", "003233-0003", "resolved"),
        ("민법 제9999조", "민법 제9999조", None, "no_such_article"),
        ("민법 제750조의2", "민법 제750조의2", None, "no_such_article"),
        ("노동법 제1조", "노동법 제1조", None, "no_such_law"),
        ("구민법 제1조", "구 민법 제1조", None, "former"),
        ("제750조", "제750조", None, "unresolved"),
        ("민750", "민법 제750조", "001706-0750", "resolved"),
        ("민법", "민법", None, "resolved"),
        ("동법 시행령 제3조", "제3조", None, "unresolved"),
        ("같은 법 제3조", "제3조", None, "unresolved"),
        ("위 법 제5조", "제5조", None, "unresolved"),
        ("2012다77191", CASES[0][2], "p1", "resolved"),
        ("대법원 2012다77184 판결 요지", CASES[0][2], "p1", "resolved"),
        ("96 다 40080", CASES[4][2], "p5", "resolved"),
        ("2010노55판결", CASES[3][2], "p4", "resolved"),
        ("2011도1234", "2011도1234", None, "no_such_case"),
    ],
)
def test_what_people_type(query: str, citation: str, doc_id: str | None, status: Status) -> None:
    (found,) = READER(query).citations
    assert (found.citation, found.doc_id, found.status) == (citation, doc_id, status)
    assert found.text == query[slice(*found.span)]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "전세 보증금을 안 돌려줘요",
        "민법상 손해배상",
        "2년 살았는데 3조",
        "5000만원 3",
        "법",
        "20평 3",
        "민법 750원",
    ],
)
def test_what_is_no_citation(query: str) -> None:
    understood = READER(query)
    assert understood.citations == ()
    assert understood.text == query


def test_an_unknown_law_is_never_its_tail() -> None:
    """노동법 holds no 동법, 난민법 no 민법: what is unknown is said to be so."""
    assert READER("노동법 제1조").citations[0].status == "no_such_law"
    (found,) = reader(LAWS[:1])("난민법 제750조").citations
    assert (found.doc_id, found.status) == (None, "no_such_law")


def test_a_number_shared_by_decisions_offers_all() -> None:
    found = READER("2009나123").citations
    assert [(one.doc_id, one.status) for one in found] == [("p2", "ambiguous"), ("p3", "ambiguous")]
    assert {one.span for one in found} == {(0, 8)}


def test_citations_come_in_the_order_of_the_text() -> None:
    found = READER("2012다77184 판결에서 민법 제750조, 제751조와 형법 307조").citations
    assert [one.doc_id for one in found] == ["p1", "001706-0750", "001706-0751", "001692-0307"]


def test_short_names_are_spelt_out_for_the_retrievers() -> None:
    assert READER("형소법 308조의 2 위법수집증거").text == "형사소송법 제308조의2 위법수집증거"
    assert READER("주임법 6조의3과 특가법 5조의11").text == f"주택임대차보호법 제6조의3과 {CRIMES} 제5조의11"
    assert READER("주임법상 갱신요구권").text == "주택임대차보호법상 갱신요구권"
    assert READER("민법 750").text == "민법 750"
    assert READER("헌법상 기본권").text == "헌법상 기본권"
    assert READER("헌법재판소 결정의 기속력").text == "헌법재판소 결정의 기속력"


def test_what_was_spelt_out_is_told() -> None:
    assert READER("특가법 5조의11과 주임법").aliases == (
        Alias("특가법", (CRIMES,)),
        Alias("주임법", ("주택임대차보호법",)),
    )
    assert READER("특가법 제1조, 특가법 제2조").aliases == (Alias("특가법", (CRIMES,)),)
    assert READER("민법 제750조").aliases == ()
    assert READER("전세 보증금").aliases == ()


def test_an_alias_of_two_laws_is_told_but_not_spelt_out() -> None:
    two = reader([*LAWS, Law("001249", "상가건물 임대차보호법", "법률", "2023")])
    understood = two("임대차보호법 갱신요구")
    assert understood.aliases == (Alias("임대차보호법", ("주택임대차보호법", "상가건물 임대차보호법")),)
    assert understood.text == "임대차보호법 갱신요구"


@pytest.mark.parametrize(
    ("query", "only"),
    [
        ("민법 제750조", True),
        ("민법 제750조, 제751조", True),
        ("민법 제750조와 형법 제307조는?", True),
        ("「민법」 제750조", True),
        ("민법 제750조 조문 보여줘", True),
        ("2012다77191", True),
        ("대법원 2015. 1. 1. 선고 2012다77184 판결", True),
        ("민법", True),
        ("민법 제9999조", True),
        ("2011도1", True),
        ("민법 제750조 손해배상", False),
        ("불법행위 민법 제750조", False),
        ("민법 제750조의 요건", False),
        ("손해배상", False),
        ("", False),
        # what is not known is better looked for
        ("제750조", False),
        ("노동법 제1조", False),
        ("민법 제750조, 노동법 제1조", False),
    ],
)
def test_a_query_may_ask_for_nothing_but_citations(query: str, only: bool) -> None:
    assert READER(query).only_citations is only


def test_spans_are_in_the_query_as_given() -> None:
    """macOS sends Hangul decomposed; what the retrievers read is composed."""
    query = unicodedata.normalize("NFD", "요건 민법 제750조")
    understood = READER(query)
    (found,) = understood.citations
    written = unicodedata.normalize("NFD", "민법 제750조")
    assert query[slice(*found.span)] == written
    assert found == FoundCitation(found.span, written, "민법 제750조", "001706-0750", "resolved")
    assert understood.text == nfc(query)


PIECES = st.sampled_from(
    [*"제조항은 ,「」()①ㆍ\n", "민법", "형소법", "주임법 시행령", "난민법", "동법", "같은 법 ", "750", "1", "의2",
     " 및 ", "2012다77191", "2009나123", "판결", "손해배상"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=25).map("".join)))
def test_reading_a_query_never_raises_and_spans_index_it(query: str) -> None:
    understood = READER(query)
    for found in understood.citations:
        start, end = found.span
        assert 0 <= start < end <= len(query)
        assert found.text == query[start:end]
        assert found.status != "resolved" or found.doc_id or "law" in found.flags
        assert found.doc_id is None or found.doc_id in ARTICLES or found.doc_id in {case[0] for case in CASES}
    if not understood.citations and not understood.aliases:
        assert understood.text == nfc(query)


@given(
    st.lists(st.sampled_from(["손해배상 ", "민법 ", "제750조 ", "판결 ", "2012다77191 ", "난민법 "]), max_size=12).map(
        "".join
    )
)
def test_a_query_without_short_names_is_read_as_it_is(query: str) -> None:
    assert READER(query).text == query


# the law's words


def test_the_law_s_words_for_everyday_ones_are_sought_beside_the_text() -> None:
    understood = READER("집주인이 보증금을 안 돌려줘요")
    assert understood.text == "집주인이 보증금을 안 돌려줘요"
    assert understood.terms == ("임대인", "임차권등기명령", "임대차")
    assert understood.sought == "집주인이 보증금을 안 돌려줘요 임대인 임차권등기명령 임대차"


def test_words_that_a_short_name_spells_out_are_not_sought_twice() -> None:
    """주택임대차보호법 holds 임대차."""
    assert READER("주임법상 집주인이 보증금을 안 돌려줘요").terms == ("임대인", "임차권등기명령")


@given(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=12).map("".join)))
def test_what_is_sought_begins_with_the_text(query: str) -> None:
    understood = READER(query)
    assert understood.terms == legal_terms(understood.text)
    assert understood.sought == " ".join([understood.text, *understood.terms])
    assert understood.terms or understood.sought == understood.text
