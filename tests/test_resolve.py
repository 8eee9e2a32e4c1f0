from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from app.law.citation import Reference, read_references
from app.law.names import Law, LawNames
from app.law.resolve import CitationReader, Decision, FoundCitation, by_number

CIVIL, CRIMINAL, DECREE, LEASE, SHOPS, OLD, DESIGN = "001", "002", "003", "004", "005", "006", "007"
NAMES = LawNames(
    [
        Law(CIVIL, "민법", "법률", "2024"),
        Law(CRIMINAL, "형사소송법", "법률", "2024"),
        Law(DECREE, "형사소송법 시행령", "대통령령", "2024"),
        Law(LEASE, "주택임대차보호법", "법률", "2024"),
        Law(SHOPS, "상가건물 임대차보호법", "법률", "2024"),
        Law(OLD, "민법", "군정법령", "1946"),
        Law(DESIGN, "디자인보호법", "법률", "2024"),
    ]
)
LIVE = {
    "001-0001": ("목적", 0), "001-0002": ("신의성실", 2), "001-0004": ("성년", 1), "001-0750": ("불법행위의 내용", 0),
    "001-0839-02": ("재산분할청구권", 3), "002-0308-02": ("위법수집증거의 배제", 0), "003-0003": ("서식", 0),
    "004-0003": ("대항력", 4), "004-0006": ("갱신", 3), "005-0003": ("대항력", 3), "006-0001": ("옛", 0),
    "007-0002": ("정의", 0),
}  # fmt: skip
DELETED = {"001-0003"}
CASES = by_number(
    [
        (Decision("p1", "대법원 2015. 1. 1. 선고 2012다184, 191 판결", "대법원", "2015-01-01"), "2012다184, 191"),
        (Decision("p2", "서울고등법원 2010. 1. 1. 선고 2009나123 판결", "서울고등법원", "2010-01-01"), "2009나123"),
        (Decision("p3", "부산고등법원 2010. 2. 2. 선고 2009나123 판결", "부산고등법원", "2010-02-02"), "2009나123"),
        (
            Decision("p4", "부산고등법원 2010. 6. 1. 선고 (창원)2010노55 판결", "부산고등법원", "2010-06-01"),
            "(창원)2010노55",
        ),
    ]
)


class Shelf:
    """Articles of a corpus in two dictionaries."""

    def standing(self, doc_id: str) -> Literal["live", "deleted", "unknown"]:
        return "live" if doc_id in LIVE else "deleted" if doc_id in DELETED else "unknown"

    def near(self, doc_id: str, count: int) -> Sequence[str]:
        law, number = doc_id.split("-")[:2]
        same = [one for one in LIVE if one.startswith(law + "-") and one != doc_id]
        return sorted(same, key=lambda one: abs(int(one.split("-")[1]) - int(number)))[:count]

    def first(self, law_id: str, count: int) -> Sequence[str]:
        return sorted(one for one in LIVE if one.startswith(law_id + "-"))[:count]

    def citation(self, doc_id: str) -> str:
        return f"cite {doc_id}"

    def title(self, doc_id: str) -> str:
        return LIVE.get(doc_id, ("", 0))[0]

    def paragraphs(self, doc_id: str) -> int:
        return LIVE.get(doc_id, ("", 0))[1]


READER = CitationReader(NAMES, Shelf(), CASES)


def read(text: str) -> list[FoundCitation]:
    found = READER.read(text)
    assert all(one.text == text[slice(*one.span)] for one in found)
    return found


def shown(text: str) -> list[str]:
    """Status, document, normal form and flags of each citation."""
    return [
        " ".join((f"{one.status}:{one.doc_id}", one.citation, *(f"+{flag}" for flag in one.flags)))
        for one in read(text)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("민법 제750조", ["resolved:001-0750 민법 제750조"]),
        ("민법 제839조의2 제3항", ["resolved:001-0839-02 민법 제839조의2 제3항"]),
        ("형소법 308조의 2", ["resolved:002-0308-02 형사소송법 제308조의2 +alias"]),
        ("형소법 시행령 제3조", ["resolved:003-0003 형사소송법 시행령 제3조 +alias"]),
        ("민법", ["resolved:None 민법 +law"]),
        ("형소법", ["resolved:None 형사소송법 +alias +law"]),
        ("민법 제9999조", ["no_such_article:None 민법 제9999조"]),
        ("민법 제750조의2", ["no_such_article:None 민법 제750조의2"]),
        ("민법 제3조", ["deleted:001-0003 민법 제3조"]),
        ("노동법 제1조", ["no_such_law:None 노동법 제1조"]),
        ("난민법 제1조", ["no_such_law:None 난민법 제1조"]),
        ("동법 제1조", ["unresolved:None 제1조"]),
        ("제1조", ["unresolved:None 제1조"]),
        # what else is to be known
        ("민법 제750조(재산분할)", ["resolved:001-0750 민법 제750조 +title_differs"]),
        ("민법 제750조(불법행위의  내용)", ["resolved:001-0750 민법 제750조"]),
        ("민법 제2조 제2항", ["resolved:001-0002 민법 제2조 제2항"]),
        ("민법 제2조 제3항", ["resolved:001-0002 민법 제2조 제3항 +no_such_paragraph"]),
        ("민법 제750조 제1항", ["resolved:001-0750 민법 제750조 제1항"]),
        ("민법 제750조 제2항", ["resolved:001-0750 민법 제750조 제2항 +no_such_paragraph"]),
        ("의장법 제2조", ["former:None 의장법 제2조 +renamed"]),
        # 부칙, annexes and hyphens: never the main article of the number
        ("민법 부칙 제1조", ["unresolved:None 민법 부칙 제1조 +supplementary"]),
        ("민법 부칙(2010. 1. 1.) 제2조", ["unresolved:None 민법 부칙(2010-01-01) 제2조 +supplementary"]),
        ("민법 별표 2", ["unresolved:None 민법 별표 2 +annex"]),
        ("민법 제1-2조", ["unresolved:None 민법 제1-2조 +annex"]),
        # a former version: never by number over a full revision, nor where nothing says how it was revised
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 제2조", ["former:001-0002 구 민법 제2조"]),
        ("구 민법(2010. 1. 1. 법률 제1호로 전부 개정되기 전의 것) 제2조", ["former:None 구 민법 제2조"]),
        ("구 민법(2010. 1. 1. 법률 제1호로 폐지되기 전의 것) 제2조", ["former:None 구 민법 제2조"]),
        ("구 민법 제2조", ["former:None 구 민법 제2조"]),
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 제9조", ["former:None 구 민법 제9조"]),
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 부칙 제2조",
        ["former:None 구 민법 부칙 제2조 +supplementary"]),
        # unless the text says where it stands
        ("구 민법(2010. 1. 1. 법률 제1호로 전부 개정되기 전의 것) 제9조(현행 제4조 참조)",
        ["former:001-0004 구 민법 제9조"]),
        ("구 옛법 제9조(현행 민법 제4조 참조)", ["former:001-0004 구 옛법 제9조"]),
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 제2조(현행 삭제)", ["former:None 구 민법 제2조"]),
        # an alias of two laws: both where both have it, the one where one has
        ("임대차보호법 제3조", ["ambiguous:004-0003 주택임대차보호법 제3조 +alias",
        "ambiguous:005-0003 상가건물 임대차보호법 제3조 +alias"]),
        ("임대차보호법 제6조", ["resolved:004-0006 주택임대차보호법 제6조 +alias"]),
        # decisions
        ("2012다191", ["resolved:p1 대법원 2015. 1. 1. 선고 2012다184, 191 판결"]),
        ("대법원 2015. 1. 1. 선고 2012다184 판결", ["resolved:p1 대법원 2015. 1. 1. 선고 2012다184, 191 판결"]),
        ("2010노55", ["resolved:p4 부산고등법원 2010. 6. 1. 선고 (창원)2010노55 판결"]),
        ("2009나123", ["ambiguous:p2 서울고등법원 2010. 1. 1. 선고 2009나123 판결",
        "ambiguous:p3 부산고등법원 2010. 2. 2. 선고 2009나123 판결"]),
        ("서울고법 2009나123", ["resolved:p2 서울고등법원 2010. 1. 1. 선고 2009나123 판결"]),
        ("2010. 2. 2. 선고 2009나123 판결", ["resolved:p3 부산고등법원 2010. 2. 2. 선고 2009나123 판결"]),
        ("2011도1", ["no_such_case:None 2011도1"]),
        ("대법원 2011. 1. 1. 선고 2011도1 판결", ["no_such_case:None 대법원 2011도1"]),
        ("대법원 2015. 1. 2. 선고 2012다184 판결", ["no_such_case:None 대법원 2012다184 +date_differs"]),
        ("서울고법 2015. 1. 1. 선고 2012다184 판결", ["no_such_case:None 서울고법 2012다184 +court_differs"]),
        ("대법원 2015. 13. 45. 선고 2012다184 판결", ["no_such_case:None 대법원 2012다184 +no_such_day"]),
        ("아무 말", []),
        ("", []),
    ],
)  # fmt: skip
def test_what_becomes_of_a_citation(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_an_article_that_is_not_there_offers_the_nearest() -> None:
    (found,) = read("민법 제5조")
    assert [near.doc_id for near in found.nearest] == ["001-0004", "001-0002", "001-0001"]
    assert found.nearest[0].citation == "cite 001-0004"
    (gone,) = read("민법 제3조")
    assert gone.nearest
    assert gone.doc_id not in [near.doc_id for near in gone.nearest]


def test_a_decision_of_another_day_or_court_is_offered() -> None:
    (found,) = read("대법원 2015. 1. 2. 선고 2012다184 판결")
    assert [near.doc_id for near in found.nearest] == ["p1"]


def test_a_former_article_without_a_note_is_only_offered() -> None:
    (found,) = read("구 민법 제2조")
    assert [near.doc_id for near in found.nearest] == ["001-0002"]


def test_citations_come_in_the_order_of_the_text() -> None:
    text = "2012다191 판결에서 민법 제750조, 제2조와 2010노55"
    assert [one.doc_id for one in read(text)] == ["p1", "001-0750", "001-0002", "p4"]


@pytest.mark.parametrize(
    ("text", "doc_id"),
    [
        ("민법 제2조", "001-0002"),
        ("형소법 제308조의2", "002-0308-02"),
        ("민법 제3조", None),
        ("민법 제99조", None),
        ("없는법 제1조", None),
        ("민법", None),
        ("민법 부칙 제2조", None),
        ("민법 제2-1조", None),
        ("임대차보호법 제3조", None),
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 제2조", "001-0002"),
        ("구 민법(2010. 1. 1. 법률 제1호로 전부개정되기 전의 것) 제2조", None),
        ("구 민법(2010. 1. 1. 법률 제1호로 전부개정되기 전의 것) 제9조(현행 제4조 참조)", "001-0004"),
        ("구 민법(2010. 1. 1. 법률 제1호로 개정되기 전의 것) 제2조(현행 삭제)", None),
        ("민법 제2조(2010. 1. 1. 법률 제1호로 삭제)", None),
        ("구 의장법(2004. 12. 31. 법률 제1호로 개정되기 전의 것) 제2조", "007-0002"),
        ("의장법 제2조", None),
    ],
)
def test_references_mean_articles_of_today(text: str, doc_id: str | None) -> None:
    (reference,) = read_references(text)
    assert READER.resolve(reference) == doc_id


def test_a_note_within_a_note_leads_on() -> None:
    now = Reference((), "민법", next(read_references("민법 제2조")).provision)
    moved = Reference((), "민법", next(read_references("민법 제99조")).provision, current=(now,))
    assert READER.resolve(moved) == "001-0002"


def test_numbers_lead_to_every_decision_that_has_them() -> None:
    assert {number: [one.doc_id for one in found] for number, found in CASES.items()} == {
        "2012다184": ["p1"], "2012다191": ["p1"], "2009나123": ["p2", "p3"], "2010노55": ["p4"],
    }  # fmt: skip
