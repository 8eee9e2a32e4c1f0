from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.cases import CaseMention, case_mentions, court_key, find_case_numbers, read_cases
from app.law.text import readable

SUPREME, SEOUL = "대법원", "서울고등법원"


def mentions(text: str) -> list[CaseMention]:
    return list(case_mentions(readable(text).text))


def shown(text: str) -> list[str]:
    """Court, day and numbers of each decision; ? for what is not said."""
    return [" ".join((one.court or "?", one.day or "?", *one.numbers)) for one in mentions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("대법원 2012. 3. 29. 선고 2011도1234 판결", ["대법원 2012-03-29 2011도1234"]),
        ("대법원 2012.3.29.선고 2011도1234 판결(공2012상, 763)", ["대법원 2012-03-29 2011도1234"]),
        ("대법원 2012년 3월 29일 선고 2011도1234 판결", ["대법원 2012-03-29 2011도1234"]),
        ("대법원 2009. 4. 9.자 2008마1311 결정", ["대법원 2009-04-09 2008마1311"]),
        ("대법원 2008. 9. 18. 선고 2007두2173 전원합의체 판결", ["대법원 2008-09-18 2007두2173"]),
        # constitutional court, in full and short
        ("헌법재판소 2018. 8. 30. 선고 2014헌바148, 162, 219 전원재판부 결정(헌공263, 1394)",
         ["헌법재판소 2018-08-30 2014헌바148 2014헌바162 2014헌바219"]),
        ("헌재 2010. 5. 27. 2005헌마346", ["헌재 2010-05-27 2005헌마346"]),
        # lower courts, their sites and branches
        ("서울고법 2010. 1. 1. 선고 2009나123 판결", ["서울고법 2010-01-01 2009나123"]),
        ("부산고등법원(창원) 2010. 6. 1. 선고 (창원)2010노55 판결", ["부산고등법원 2010-06-01 2010노55"]),
        ("수원지방법원 성남지원 2010. 6. 1. 선고 2010가단55 판결", ["수원지방법원 성남지원 2010-06-01 2010가단55"]),
        # two-digit years
        ("대법원 96. 12. 31. 선고 96다40080 판결", ["대법원 1996-12-31 96다40080"]),
        # several numbers inherit year and code; suffixes do not count
        ("2012다77184, 77191", ["? ? 2012다77184 2012다77191"]),
        ("2012다77184ㆍ77191", ["? ? 2012다77184 2012다77191"]),
        ("2012다77184·77191", ["? ? 2012다77184 2012다77191"]),
        ("대법원 85다카1181(본소), 1182(반소) 판결", ["대법원 ? 85다카1181 85다카1182"]),
        ("2011다1 판결, 2", ["? ? 2011다1"]),
        # a court that is left out is the one before
        ("대법원 1982. 1. 26. 선고 80다2329, 2330 판결, 1983. 3. 8. 선고 82다카1168 판결",
         ["대법원 1982-01-26 80다2329 80다2330", "대법원 1983-03-08 82다카1168"]),
        ("대법원 2012. 3. 29. 선고 2011도1234 판결 및 2013. 1. 2. 선고 2012도1 판결",
         ["대법원 2012-03-29 2011도1234", "대법원 2013-01-02 2012도1"]),
        ("서울고법 2010. 1. 1. 선고 2009나1 판결, 대법원 2011. 1. 1. 선고 2010다1 판결",
         ["서울고법 2010-01-01 2009나1", "대법원 2011-01-01 2010다1"]),
        # but not over a sentence
        ("대법원 2012. 3. 29. 선고 2011도1 판결이 있다. 그러나 이 사건에서는 사정이 다르고 원심이 드는 것은 그 밖에 "
         "2013. 1. 2. 선고 2012노1 판결이다", ["대법원 2012-03-29 2011도1", "? 2013-01-02 2012노1"]),
        # repeated courts and blanks inside
        ("대법원 2004. 1. 1. 선고 대법원 2004다56554 판결", ["대법원 2004-01-01 2004다56554"]),
        ("대법원 2008. 1. 1. 선고 2008다 18284 판결", ["대법원 2008-01-01 2008다18284"]),
        ("96 다 40080", ["? ? 96다40080"]),
        ("2017과 55478", ["? ? 2017과55478"]),
        # a day that is none is read as printed
        ("대법원 2012. 13. 45. 선고 2011도1234 판결", ["대법원 2012-13-45 2011도1234"]),
        # numbers by themselves
        ("대법원2011도1234판결의 취지", ["대법원 ? 2011도1234"]),
        ("2018다222222는 어떤 사건인가요", ["? ? 2018다222222"]),
        ("2020구합12345와 90다카1234", ["? ? 2020구합12345", "? ? 90다카1234"]),
        ("4290민상12", ["? ? 4290민상12"]),
        ("2010재두5", ["? ? 2010재두5"]),
        # what no number of a case is
        ("2024년 3월에 100만원", []),
        ("24개월 12", []),
        ("20평 3", []),
        ("5000만원 3", []),
        ("2020다1명", []),
        ("제12다3", []),
        ("2024. 3. 1. 계약", []),
        ("", []),
    ],
)  # fmt: skip
def test_decisions(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_a_mention_spans_court_to_form() -> None:
    text = "갑은 대법원 2012. 3. 29. 선고 2011도1, 12 전원합의체 판결을 든다"
    (one,) = mentions(text)
    assert text[one.start : one.end] == "대법원 2012. 3. 29. 선고 2011도1, 12 전원합의체 판결"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("2014헌바148, 162, 219", ["2014헌바148", "2014헌바162", "2014헌바219"]),
        ("2009도202,2009감도1", ["2009도202", "2009감도1"]),
        ("(창원)2010노55", ["2010노55"]),
        ("2010다1(본소), 2010다2(반소)", ["2010다1", "2010다2"]),
        ("2010다1, 2010다2(병합)", ["2010다1", "2010다2"]),
        ("2010다1(독립당사자참가의소), 18", ["2010다1", "2010다18"]),
        ("", []),
    ],
)
def test_the_numbers_of_a_decision(field: str, expected: list[str]) -> None:
    assert find_case_numbers(field) == expected


def test_references_carry_their_issues() -> None:
    text = (
        "[1] 대법원 1982. 1. 26. 선고 80다2329 판결(공1982, 1) / [2][3] 대법원 1983. 3. 8. 선고 82다카1168, 1169 판결, "
        "헌재 2010. 5. 27. 2005헌마346<br/>"
    )
    found = [(one.issues, one.court, one.day, one.case_nos) for one in read_cases(text)]
    assert found == [
        ((1,), "대법원", "1982-01-26", ("80다2329",)),
        ((2, 3), "대법원", "1983-03-08", ("82다카1168", "82다카1169")),
        ((2, 3), "헌재", "2010-05-27", ("2005헌마346",)),
    ]


def test_letters_are_issues_too_and_none_is_none() -> None:
    letters = read_cases("가. 대법원 1982. 1. 26. 선고 80다1 판결 / 나.다. 대법원 1983. 1. 1. 선고 82다2 판결")
    assert [one.issues for one in letters] == [(1,), (2, 3)]
    assert [one.issues for one in read_cases("대법원 1982. 1. 26. 선고 80다1 판결")] == [()]
    assert list(read_cases("")) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("서울고법", SEOUL), ("헌재", "헌법재판소"), ("서울지법", "서울지방법원"), ("대판", SUPREME), ("서울행법",
     "서울행정법원"),
     ("대 법원", SUPREME), ("수원지방법원 성남지원", "수원지방법원성남지원")],
)  # fmt: skip
def test_spellings_of_a_court(one: str, other: str) -> None:
    assert court_key(one) == court_key(other)


def test_courts_are_told_apart() -> None:
    courts = [SUPREME, "헌법재판소", SEOUL, "부산고등법원", "서울지방법원", "서울중앙지방법원", "특허법원"]
    assert len({court_key(court) for court in courts}) == len(courts)


CODES = st.sampled_from(["다", "도", "헌마", "구합", "재다카", "느단", "카합", "초기", "재두", "민상"])
YEARS = st.integers(41, 99).map(str) | st.integers(1948, 2026).map(str)
COURTS = st.sampled_from([SUPREME, "헌법재판소", SEOUL, "서울고법", "부산지방법원 동부지원", "특허법원"])


@given(YEARS, CODES, st.lists(st.integers(10, 9_999_999), min_size=1, max_size=4, unique=True))
def test_formatted_numbers_are_found(year: str, code: str, serials: list[int]) -> None:
    expected = [f"{year}{code}{serial}" for serial in serials]
    assert find_case_numbers(f"{year}{code}{', '.join(map(str, serials))}") == expected
    assert find_case_numbers(", ".join(expected)) == expected


@given(COURTS, st.dates(), YEARS, CODES, st.integers(1, 9_999_999))
def test_a_formatted_citation_reads_back(court: str, day: object, year: str, code: str, serial: int) -> None:
    text = f"{court} {day:%Y. %-m. %-d.} 선고 {year}{code}{serial} 판결".replace(" 0", " ")
    written = f"{day:%Y-%m-%d}".zfill(10)
    if int(written[:4]) < 1000:
        return
    assert shown(f"앞말. {text}, 뒷말") == [f"{court} {written} {year}{code}{serial}"]


PIECES = st.sampled_from(
    [
        *"0123다도, ()[]ㆍ.및제",
        "2012",
        "다",
        "헌바",
        "대법원",
        "서울고법",
        " 선고 ",
        "2012. 1. 2.",
        "판결",
        "(본소)",
        "자",
        "\n",
        "12다3",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_reading_never_raises_and_goes_forward(text: str) -> None:
    plain, end = readable(text).text, 0
    for one in case_mentions(plain):
        assert end <= one.start < one.end <= len(plain)
        assert one.numbers
        end = one.end
    assert all(one.case_nos for one in read_cases(text))


@pytest.mark.parametrize(
    "piece",
    [
        "2012다1, ",
        "2012다",
        "1, ",
        "대법원 ",
        "법원",
        "2012. 1. 1. ",
        "2012. 1. 1. 선고 2012다1 판결, ",
        "(본소)",
        " ",
        "1",
        "가",
        "[1]",
    ],
)
def test_hostile_texts_of_100_kb_take_no_time(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    start = time.process_time()
    list(read_cases("2012다1" + text))
    assert time.process_time() - start < 5
