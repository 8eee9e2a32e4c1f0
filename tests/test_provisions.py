from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.provisions import NOWHERE, WIDEST, Place, Provision, closing, full_year, iso_day, read_places
from app.law.text import readable
from tests.provisions import PROVISIONS


def read(text: str, above: Provision = NOWHERE) -> list[Place]:
    plain = readable(text).text
    return read_places(plain, 0, len(plain), above)[0]


def named(text: str) -> list[str]:
    return [str(place.provision) for place in read(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("제750조", ["제750조"]),
        ("750조", ["제750조"]),
        ("제 750 조 제 1 항", ["제750조 제1항"]),
        ("제839조의 2", ["제839조의2"]),
        ("제839조의2제1항제2호", ["제839조의2 제1항 제2호"]),
        ("제5조의2, 제5조의 3 제1항", ["제5조의2", "제5조의3 제1항"]),
        ("제3-1조", ["제3-1조"]),
        ("제7\n50조", ["제750조"]),
        # 항: three ways to write one
        ("제10조 ①, 2항, 제3항", ["제10조 제1항", "제10조 제2항", "제10조 제3항"]),
        ("제10조①", ["제10조 제1항"]),
        ("제10조 ⑳항", ["제10조 제20항"]),
        ("제10조\n① 이 법은", ["제10조"]),
        # 호
        ("제2조 제1호의2", ["제2조 제1호의2"]),
        ("제45조 제9의2호", ["제45조 제9호의2"]),
        ("제2조 제1호, 제3호, 제5호", ["제2조 제1호", "제2조 제3호", "제2조 제5호"]),
        ("제2조 1호", ["제2조 제1호"]),
        # 목 and what stands below
        ("제2조 제1호 (가)목", ["제2조 제1호 가목"]),
        ("제2조 제1호 가목, 나목", ["제2조 제1호 가목", "제2조 제1호 나목"]),
        ("제2조 제1호 ㈎목", ["제2조 제1호 가목"]),
        ("제2조 제1호 다목 2)", ["제2조 제1호 다목 2)"]),
        ("제2조 제1호 다목 2) 가)", ["제2조 제1호 다목 2) 가)"]),
        # parts
        ("제1조 단서", ["제1조 단서"]),
        ("제1조 제1항 단서 제2호", ["제1조 제1항 단서 제2호"]),
        ("제325조 전단, 후단", ["제325조 전단", "제325조 후단"]),
        ("제1조 각호", ["제1조 각 호"]),
        ("제1조 제2항 각 호 외의 부분 본문", ["제1조 제2항 각 호 외의 부분 본문"]),
        # what no unit is
        ("제1조 전문가", ["제1조"]),
        ("제3호텔", []),
        ("제2조 3항소심", ["제2조"]),
        ("제5조 원", []),
        ("제5조직", []),
        # annexes
        ("[별표 2] 제1호", ["별표 2 제1호"]),
        ("제24조 제4항 [별표 2] 제1호", ["제24조 제4항 별표 2 제1호"]),
        ("별표 1의2", ["별표 1의2"]),
        ("제8조 [별지 제10호 서식]", ["제8조 별지 제10호 서식"]),
        ("별지 제3호의2 서식", ["별지 제3호의2 서식"]),
        # 부칙
        ("부칙 제2조, 제3조 제1항", ["부칙 제2조", "부칙 제3조 제1항"]),
        ("부칙(2010. 4. 15. 법률 제10260호) 제1조, 제4조", ["부칙(2010-04-15) 제1조", "부칙(2010-04-15) 제4조"]),
        ("부칙 제2항", ["부칙 제2항"]),
        # lists
        ("제1조 및 제3조 제2항 또는 제4조", ["제1조", "제3조 제2항", "제4조"]),
        ("제1조제2조", ["제1조", "제2조"]),
        ("제1, 2, 5조", ["제1조", "제2조", "제5조"]),
        ("제1조 제1, 2항", ["제1조 제1항", "제1조 제2항"]),
        # ranges
        ("제750조 내지 제752조", ["제750조", "제751조", "제752조"]),
        ("제750조부터 제752조까지", ["제750조", "제751조", "제752조"]),
        ("750조에서 752조까지", ["제750조", "제751조", "제752조"]),
        ("750~752조", ["제750조", "제751조", "제752조"]),
        ("제1조 제2항 내지 제4항", ["제1조 제2항", "제1조 제3항", "제1조 제4항"]),
        ("제1조 제2호부터 제4호까지", ["제1조 제2호", "제1조 제3호", "제1조 제4호"]),
        ("제1조 제1호 가목 내지 다목", ["제1조 제1호 가목", "제1조 제1호 나목", "제1조 제1호 다목"]),
        ("제5조의2 내지 제5조의4", ["제5조의2", "제5조의3", "제5조의4"]),
        ("제5조 내지 제6조의3", ["제5조", "제6조", "제6조의2", "제6조의3"]),
        # no ranges: backwards, or too wide; only the ends are read
        ("제752조 내지 제750조", ["제752조", "제750조"]),
        ("제1조 내지 제999조", ["제1조", "제999조"]),
        ("", []),
        ("아무 말", []),
    ],
)  # fmt: skip
def test_places(text: str, expected: list[str]) -> None:
    assert named(text) == expected


def test_a_range_ends_where_it_says_so() -> None:
    text = "제1조부터 제3조까지 적용한다"
    places, end = read_places(text, 0, len(text))
    assert text[:end] == "제1조부터 제3조까지"
    assert len(places) == 3


def test_what_stands_above_is_inherited() -> None:
    above = Provision(750, 2, hang=1, ho=3)
    assert [str(place.provision) for place in read("제2항", above)] == ["제750조의2 제2항"]
    assert [str(place.provision) for place in read("제4호", above)] == ["제750조의2 제1항 제4호"]
    assert [str(place.provision) for place in read("제5조", above)] == ["제5조"]


def test_brackets_beside_a_place() -> None:
    (titled,) = read("제750조(불법행위의 내용)")
    assert titled.title == "불법행위의 내용"
    text = "제2조 제8호(현행 주택법 제2조 제17호 참조)"
    (moved,) = read(text)
    assert moved.current is not None
    assert text[slice(*moved.current)] == "주택법 제2조 제17호 참조"
    (changed,) = read("제5조(2010. 1. 1. 법률 제1호로 개정되기 전의 것)")
    assert changed.version is not None
    text = "제5조(1999. 2. 8. 법률 제5908호로 삭제, 현행 제11조 참조)"
    (gone,) = read(text)
    assert gone.version is not None
    assert gone.current is not None
    assert text[slice(*gone.current)] == "제11조 참조"
    (plain,) = read("제5조 제1항(갑 제1호증)")
    assert (plain.title, plain.current, plain.version) == ("", None, None)


def test_places_stand_where_they_say() -> None:
    text = "제1조, 제2항 및 제3조"
    assert [text[place.start : place.end] for place in read(text)] == ["제1조", "제2항", "제3조"]


@given(PROVISIONS)
def test_the_normal_form_reads_back(provision: Provision) -> None:
    (place,) = read(str(provision))
    assert place.provision == provision
    assert (place.start, place.end) == (0, len(str(provision)))


@given(st.lists(PROVISIONS, min_size=1, max_size=6))
def test_lists_read_back(provisions: list[Provision]) -> None:
    """Each with its article: after a 부칙, an article of the main part has to name its law again."""
    main = [one for one in provisions if not one.supplementary] or provisions[:1]
    assert [place.provision for place in read(", ".join(map(str, main)))] == main


@given(st.integers(1, 900), st.integers(0, WIDEST))
def test_a_range_names_each_article_once(first: int, width: int) -> None:
    found = [place.provision.jo for place in read(f"제{first}조 내지 제{first + width}조")]
    assert found == (list(range(first, first + width + 1)) if width else [first, first])


@given(st.text(st.sampled_from([*"제조항호목의1,2ㆍ~()[]가나①각단서별표지부칙 \n"]), max_size=80), PROVISIONS)
def test_reading_never_raises_and_goes_forward(text: str, above: Provision) -> None:
    plain = readable(text).text
    places, end = read_places(plain, 0, len(plain), above)
    assert 0 <= end <= len(plain)
    for place in places:
        assert 0 <= place.start < place.end <= end
        assert str(place.provision)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2011. 4. 14. 법률 제10600호로 개정되기 전의 것", "2011-04-14"),
        ("96.12.31.", "1996-12-31"),
        ("01. 2. 3.", "2001-02-03"),
        ("2011-04-14", "2011-04-14"),
        ("관세청고시 제2007-20-11호", ""),
        ("법률 제10600호", ""),
        ("2011. 13. 45.", "2011-13-45"),
        ("", ""),
    ],
)
def test_days(text: str, day: str) -> None:
    assert iso_day(text) == day


def test_two_digit_years_are_of_the_last_century() -> None:
    assert [full_year(year) for year in ("96", "41", "40", "05", "2012")] == [1996, 1941, 2040, 2005, 2012]


@pytest.mark.parametrize(
    ("text", "end"),
    [("(가)", 2), ("((가))", 4), ("(가", -1), ("([)]", 3), ("(" * 20 + ")" * 20, -1), ("(" + "가" * 500 + ")", -1)],
)
def test_a_bracket_closes_within_reason(text: str, end: int) -> None:
    assert closing(text, 0, len(text)) == end


@pytest.mark.parametrize(
    "piece", ["제1조 ", "제1,", "제1조 내지 제100조, ", "제1조(", "별지 제1호", "①", "각 호 ", "가목 "]
)
def test_long_chains_take_no_time(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    read_places(text, 0, len(text))
    assert time.process_time() - start < 5
