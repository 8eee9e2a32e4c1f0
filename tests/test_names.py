from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.aliases import ALIASES
from app.law.names import FORERUNNERS, Law, LawNames, family_name
from app.law.text import match_key, readable

CIVIL = Law("001706", "민법", "법률", "2024-09-20")
REFUGEE = Law("011469", "난민법", "법률", "2016-12-20")
FAIR_LABEL = Law("001590", "표시ㆍ광고의 공정화에 관한 법률", "법률", "2023-06-20")
LEASE = Law("001248", "주택임대차보호법", "법률", "2023-07-11")
LEASE_DECREE = Law("003233", "주택임대차보호법 시행령", "대통령령", "2023-09-26")
PROCEDURE = Law("001671", "형사소송법", "법률", "2024-02-13")
LAWS = (CIVIL, REFUGEE, FAIR_LABEL, LEASE, LEASE_DECREE, PROCEDURE)


@pytest.mark.parametrize(
    "written", ["표시·광고의 공정화에 관한 법률", "표시ㆍ광고의공정화에관한법률", "「표시광고의 공정화에 관한 법률」"]
)
def test_a_name_is_found_however_spaced(written: str) -> None:
    assert LawNames(LAWS).find(written) is FAIR_LABEL


def test_only_whole_names_are_found() -> None:
    names = LawNames(LAWS)
    assert names.find("난민법") is REFUGEE
    assert names.find("구민법") is None
    assert names.find("민") is None
    assert names.find("") is None


@pytest.mark.parametrize("kind", sorted(FORERUNNERS))
@pytest.mark.parametrize("order", [1, -1])
def test_the_law_in_force_goes_before_its_forerunner(kind: str, order: int) -> None:
    """A forerunner keeps its name; even a later date of promulgation does not bring it back."""
    forerunner = Law("000900", "민법", kind, "2025-01-01")
    assert LawNames([CIVIL, forerunner][::order]).find("민법") is CIVIL


def test_a_forerunner_alone_is_found() -> None:
    only = Law("000901", "조선민사령", "조선총독부법률", "1912-03-18")
    assert LawNames([only]).find("조선민사령") is only


@pytest.mark.parametrize("order", [1, -1])
def test_of_equal_names_the_newest_is_meant(order: int) -> None:
    old, new = Law("000001", "특허법", "법률", "1961-12-31"), Law("001455", "특허법", "법률", "2024-02-20")
    assert LawNames([old, new][::order]).find("특허법") is new


def test_aliases_reach_the_law_and_its_decree() -> None:
    names = LawNames(LAWS)
    assert names.find("형소법") is PROCEDURE
    assert names.find("주임법") is LEASE
    assert names.find("주임법 시행령") is LEASE_DECREE
    assert names.find("주임법 시행규칙") is None
    assert names.is_alias("주임법")
    assert not names.is_alias("주택임대차보호법")


def test_an_alias_of_a_law_that_the_corpus_lacks_is_unknown() -> None:
    assert LawNames([CIVIL]).find("특가법") is None


def test_a_law_by_the_name_of_an_alias_goes_first() -> None:
    other = Law("009998", "방판법", "법률", "2024-01-01")
    names = LawNames([Law("001839", "방문판매 등에 관한 법률", "법률", "2023-07-18"), other])
    assert names.find("방판법") is other
    assert not names.is_alias("방판법")


def test_own_aliases_replace_the_shipped_ones() -> None:
    names = LawNames(LAWS, {"민": "민법"})
    assert names.find("민") is CIVIL
    assert names.find("형소법") is None


def test_it_has_as_many_laws_as_names() -> None:
    assert len(LawNames(LAWS)) == len(LAWS)
    assert len(LawNames([CIVIL, CIVIL])) == 1
    assert len(LawNames([])) == 0


def test_shipped_aliases_are_one_word_and_no_alias_of_an_alias() -> None:
    for alias, name in ALIASES.items():
        assert match_key(alias) == alias
        assert name not in ALIASES or ALIASES[name] == name
        assert alias != name


@given(st.text(max_size=60))
def test_find_never_raises(text: str) -> None:
    law = LawNames(LAWS).find(text)
    assert law is None or law in LAWS


# spotting


SHOPS = Law("001249", "상가건물 임대차보호법", "법률", "2023-07-11")
CONSTITUTION = Law("001444", "대한민국헌법", "헌법", "1987-10-29")
DESIGN = Law("001455", "디자인보호법", "법률", "2023-06-20")
SPOTTER = LawNames([*LAWS, SHOPS, CONSTITUTION, DESIGN])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("민법 제750조와 난민법 제1조", ["민법", "난민법"]),
        ("주택임대차보호법 시행령 제3조", ["주택임대차보호법 시행령"]),
        ("주택임대차보호법\n시행령", ["주택임대차보호법\n시행령"]),
        ("「표시·광고의공정화에 관한 법률」상", ["표시·광고의공정화에 관한 법률"]),
        ("주임법 시행령", ["주임법 시행령"]),
        # a name begins where a word begins, but for what may be written onto it
        ("장난민법 제1조", []),
        ("신난민법", ["난민법"]),
        ("구민법 제1조", ["민법"]),
        ("및민법", ["민법"]),
        ("제355조형사소송법", ["형사소송법"]),
        ("A민법", []),
        # and ends where a word ends, but for particles
        ("헌법재판소", []),
        ("헌법소원심판", []),
        ("헌법상 기본권", ["헌법"]),
        ("민법은 민법에서 민법제1조 민법750조 민법", ["민법"] * 5),
        ("민법학 개론", []),
        ("민법위반", ["민법"]),
        # an alias is no two words
        ("길에서 주임 법이 허용하나", []),
        ("주임법이 허용하나", ["주임법"]),
        ("", []),
    ],
)
def test_names_are_spotted_in_a_text(text: str, expected: list[str]) -> None:
    plain = readable(text)
    assert [text[slice(*plain.span(one.start, one.end))] for one in SPOTTER.spot(plain.text)] == expected


def test_the_longest_name_at_a_place_is_meant() -> None:
    (one,) = SPOTTER.spot("주택임대차보호법 시행령")
    assert one.laws == (LEASE_DECREE,)


def test_an_alias_may_mean_several_laws() -> None:
    assert SPOTTER.all("임대차보호법") == (LEASE, SHOPS)
    assert SPOTTER.find("임대차보호법") is None
    assert SPOTTER.is_alias("임대차보호법")
    (one,) = SPOTTER.spot("임대차보호법 제3조")
    assert (one.alias, one.laws) == (True, (LEASE, SHOPS))
    assert LawNames(LAWS).find("임대차보호법") is LEASE


def test_a_former_name_leads_to_the_law_but_does_not_name_it() -> None:
    assert SPOTTER.renamed("의장법") is DESIGN
    assert SPOTTER.find("의장법") is None
    assert LawNames(LAWS).renamed("의장법") is None
    (one,) = SPOTTER.spot("의장법 제2조")
    assert (one.renamed, one.alias, one.laws) == (True, False, (DESIGN,))


def test_a_law_that_bears_a_former_name_now_is_meant() -> None:
    new = Law("009997", "의장법", "법률", "2025-01-01")
    names = LawNames([DESIGN, new])
    assert names.find("의장법") is new
    assert names.renamed("의장법") is None


@given(
    st.lists(
        st.sampled_from(["민법", "난민법", "주임법", " ", "\n", "구", "제1조", "시행령", "가", ",", "헌법", "재판소"]),
        max_size=30,
    )
)
def test_spotted_names_are_in_order_and_apart(parts: list[str]) -> None:
    text, end = "".join(parts), 0
    for one in SPOTTER.spot(text):
        assert end <= one.start < one.end <= len(text)
        assert SPOTTER.all(text[one.start : one.end]) == one.laws
        end = one.end


@pytest.mark.parametrize(
    ("law", "family"),
    [
        ("주택임대차보호법", "주택임대차보호법"),
        ("주택임대차보호법 시행령", "주택임대차보호법"),
        ("주택임대차보호법 시행규칙", "주택임대차보호법"),
        ("국가유공자등단체설립에관한법률시행령", "국가유공자등단체설립에관한법률"),
        ("시행령에 관한 규칙", "시행령에 관한 규칙"),
        ("", ""),
    ],
)
def test_a_decree_has_its_law_s_family_name(law: str, family: str) -> None:
    assert family_name(law) == family


@given(st.text("가법 \n", max_size=8), st.sampled_from(["시행령", "시행규칙"]), st.sampled_from(["", " ", "  "]))
def test_a_name_and_its_decrees_are_one_family(law: str, decree: str, blank: str) -> None:
    assert family_name(law.strip() + blank + decree) == family_name(law.strip()) == law.strip()
