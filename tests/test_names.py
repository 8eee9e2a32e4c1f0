from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.aliases import ALIASES
from app.law.names import FORERUNNERS, Law, LawNames
from app.law.text import match_key

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


def test_the_longest_key_bounds_every_lookup() -> None:
    names = LawNames(LAWS)
    assert names.longest == len(match_key("표시ㆍ광고의 공정화에 관한 법률"))
    assert len(names) == len(LAWS)
    assert LawNames([]).longest == 0


def test_shipped_aliases_are_one_word_and_no_alias_of_an_alias() -> None:
    for alias, name in ALIASES.items():
        assert match_key(alias) == alias
        assert name not in ALIASES or ALIASES[name] == name
        assert alias != name


@given(st.text(max_size=60))
def test_find_never_raises(text: str) -> None:
    law = LawNames(LAWS).find(text)
    assert law is None or law in LAWS
