"""Dates, titles and lists as law.go.kr spells them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.sources.law_go_kr_fields import DANGUN, as_list, flat, iso_date
from training.sources.law_go_kr_statute import split_label


@given(st.dates(date(1000, 1, 1), date(4000, 12, 31)))
def test_dates_come_back_from_every_spelling(day: date) -> None:
    spelt = [
        day.strftime("%Y%m%d"),
        day.isoformat(),
        f"{day.year}. {day.month}. {day.day}.",
        int(day.strftime("%Y%m%d")),
    ]
    assert {iso_date(text) for text in spelt} == {day.isoformat()}


@given(st.dates(date(1945, 1, 1), date(1961, 12, 31)))
def test_dates_come_back_from_dangun(day: date) -> None:
    if (day.month, day.day) != (2, 29):
        year = day.year + DANGUN
        assert {iso_date(f"{year}{day:%m%d}"), iso_date(f"단기 {year}. {day.month}. {day.day}.")} == {day.isoformat()}


@pytest.mark.parametrize(
    "text", ["", None, "2031", "203102", "20310200", "20311301", "20310230", "2031.2", "미상", {}, "0"]
)
def test_no_date_is_made_up(text: Any) -> None:
    assert iso_date(text) == ""


@given(st.text(alphabet="가나()ㆍ· ", min_size=1).filter(lambda title: balanced(title) and title.strip() == title))
def test_any_balanced_title_is_split_off(title: str) -> None:
    assert split_label(f"제7조의2({title}) 글(註)이다.", title) == (title, "글(註)이다.")


def balanced(text: str) -> bool:
    depth = [text[: i + 1].count("(") - text[: i + 1].count(")") for i in range(len(text))]
    return min(depth) >= 0 and depth[-1] == 0


def test_small_values() -> None:
    assert (as_list(None), as_list(""), as_list({}), as_list([1])) == ([], [], [{}], [1])
    assert flat([["가  나", ["다<BR/>라"]], None, 7]) == "가 나\n다\n라\n7"
