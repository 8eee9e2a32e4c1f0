from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.versions import Version
from tests.fakes import statute
from training.mending import mend

TODAY = date(2026, 11, 1)
TEXTS = {
    "A": "임대인은 보증금을 돌려준다.",
    "B": "임대인은 보증금과 이자를 돌려준다. <개정 2010. 5. 4.>",
    "b": "임대인은 보증금과 이자를 돌려준다. <개정 2010. 5. 4., 2024. 1. 2.>",
    "C": "이 법은 사람이 사는 집에 쓰인다. <개정 2001. 2. 3.>",
    "x": "삭제 <2019. 1. 1.>",
    "y": "삭제 <2023. 1. 1.>",
}


def history(*steps: str) -> list[Version]:
    """Versions that follow each other from 2008 on, a year each; `-` is a year without, and the last one is open."""
    found = []
    years = range(2008, 2008 + len(steps))
    for step, year, following in zip(steps, years, [*years, 0][1:], strict=True):
        if step != "-":
            end = f"{following}-01-01" if following else ""
            found.append(Version("a", "법", f"{year}-01-01", end, "", TEXTS[step], deleted=step in "xy"))
    return found


def told(versions: list[Version]) -> list[tuple[str, int, int]]:
    """(text, year it begins, year it ends or 0)."""
    names = {text: name for name, text in TEXTS.items()}
    return [(names[one.text], int(one.effective_from[:4]), int(one.effective_to[:4] or 0)) for one in versions]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", []),
        ("A", [("A", 2008, 0)]),
        ("AB", [("A", 2008, 2009), ("B", 2009, 0)]),
        # a text that was left comes back, and goes again: it was never back
        ("AABAB", [("A", 2008, 2010), ("B", 2010, 0)]),
        ("ABAC", [("A", 2008, 2009), ("B", 2009, 2011), ("C", 2011, 0)]),
        # what was in between notes no amendment since: it was the stale one, and the last text of all decides
        ("AACA", [("A", 2008, 0)]),
        # the same words, but amended since: they are law again
        ("BAb", [("B", 2008, 2009), ("A", 2009, 2010), ("b", 2010, 0)]),
        # an article that is missing between two versions that say the same, or nearly
        ("A-A", [("A", 2008, 0)]),
        ("A-B", [("A", 2008, 2010), ("B", 2010, 0)]),
        # one that was gone, and another that got its number
        ("A-C", [("A", 2008, 2009), ("C", 2010, 0)]),
        # a deletion that is undone and done again never was undone; two deletions are two
        ("AxAx", [("A", 2008, 2009), ("x", 2009, 0)]),
        ("AxCy", [("A", 2008, 2009), ("x", 2009, 2010), ("C", 2010, 2011), ("y", 2011, 0)]),
        ("A-x", [("A", 2008, 2009), ("x", 2010, 0)]),
    ],
)
def test_histories_by_example(steps: str, expected: list[tuple[str, int, int]]) -> None:
    assert told(mend(history(*steps), TODAY)) == expected


def test_a_last_text_to_come_decides_nothing() -> None:
    """A source makes tomorrow's law of today's and one act: it lacks what other acts have changed."""
    plain = {**TEXTS, "C": TEXTS["C"].split(" <")[0]}
    versions = [
        Version("a", "법", "2008-01-01", "2020-01-01", "", plain["A"]),
        Version("a", "법", "2020-01-01", "2027-01-01", "", plain["C"]),
        Version("a", "법", "2027-01-01", "", "", plain["A"]),
    ]
    assert [one.text for one in mend(versions, TODAY)] == [plain["A"], plain["C"]]
    assert [one.text for one in mend(versions, date(2027, 1, 1))] == [plain["A"]]


def test_the_same_words_keep_their_latest_notes() -> None:
    assert told(mend(history("B", "b"), TODAY)) == [("b", 2008, 0)]


@pytest.mark.parametrize(
    ("text", "deleted", "end"),
    [("B", False, ""), ("b", False, ""), ("A", False, "2026-07-23"), ("B", True, "2026-07-23")],
)
def test_the_newest_text_of_the_law_has_not_ended(text: str, deleted: bool, end: str) -> None:
    """A source lacks an article from the day on which an earlier act took effect, and has nothing after that."""
    listed = [Version("a", "법", "2026-03-06", "2026-07-23", "", TEXTS["B"])]
    newest = statute("1", "법", "제1조", "", TEXTS[text], deleted=deleted)
    assert [one.effective_to for one in mend(listed, TODAY, newest)] == [end]


STEPS = st.lists(st.sampled_from("AABCxy-"), max_size=12)


@given(STEPS)
def test_mended_versions_are_in_order_apart_and_mended(steps: list[str]) -> None:
    versions = history(*steps)
    found = mend(versions, TODAY)
    for one, following in pairwise(found):
        assert one.effective_from < one.effective_to <= following.effective_from
    assert mend(found, TODAY) == found
    assert {one.text for one in found} <= {one.text for one in versions}


@given(STEPS)
def test_an_article_is_never_lost(steps: list[str]) -> None:
    """On every day on which the source has the article, the mended history has it as well."""
    versions = history(*steps)
    found = mend(versions, TODAY)
    for day in (str(date(2008, 1, 1) + timedelta(180 * n)) for n in range(30)):
        if any(one.holds(day) for one in versions):
            assert any(one.holds(day) for one in found)
