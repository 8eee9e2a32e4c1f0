"""The pieces that pages are made of: labels, addresses, snippets."""

from __future__ import annotations

import re
from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.citation import Status
from app.law.resolve import Flag
from app.web.asked import Asked, read_day
from app.web.snippets import WIDTH, Segment, segments, snippet
from app.web.wording import CITATIONS, FLAGS, STATUSES, TONES, korean_date, percent, period


class TestViews:
    def test_dates_are_korean(self) -> None:
        assert [korean_date(day) for day in ("2020-08-02", "", "1953")] == ["2020. 8. 2.", "", "1953"]

    def test_only_certainty_is_a_hundred_per_cent(self) -> None:
        assert [percent(value) for value in (0, 0.004, 0.5, 0.999, 1.0)] == [0, 0, 50, 99, 100]

    def test_addresses_leave_defaults_out(self) -> None:
        assert Asked("가 나").address == "/?q=%EA%B0%80+%EB%82%98"
        assert Asked("가", "statute", 20).document("p1") == "/d/p1?q=%EA%B0%80&kind=statute&k=20"
        assert Asked().document("p1") == "/d/p1"
        on = Asked().on("2015-01-01")
        assert on.document("p1", "cited-by", citing=2) == "/d/p1?as_of=2015-01-01&citing=2#cited-by"

    @pytest.mark.parametrize(
        "text", ["", "2015", "2015-1-1", "2015-02-29", "２０１５-01-01", "2015-01-01 ", "0000-01-01"]
    )
    def test_what_is_no_day_of_the_calendar_is_not_read(self, text: str) -> None:
        assert read_day(text) is None

    @given(st.dates())
    def test_every_day_is_read(self, day: date) -> None:
        assert read_day(day.isoformat()) == day == Asked(as_of=day.isoformat()).day

    def test_every_status_has_a_label(self) -> None:
        assert set(CITATIONS) == set(get_args(Status))
        assert set(STATUSES) == {"in_force", "not_yet", "former", "deleted"}
        assert set(TONES) == set(CITATIONS)
        assert set(FLAGS) == set(get_args(Flag))

    def test_a_period_ends_on_its_last_day(self) -> None:
        assert period("2013-07-01", "2020-01-01") == "2013. 7. 1. ~ 2019. 12. 31."
        assert period("2013-07-01", "") == "2013. 7. 1. ~"


@st.composite
def marked_texts(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A text with spans that are ascending and disjoint."""
    text = draw(st.text("가나다 .", max_size=900))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=20)))
    return text, list(zip(cuts[::2], cuts[1::2], strict=False))


class TestSnippets:
    @given(marked_texts())
    def test_segments_are_the_text_and_marks_are_the_spans(self, case: tuple[str, list[tuple[int, int]]]) -> None:
        text, spans = case
        parts = segments(text, spans)
        assert "".join(part.text for part in parts) == text
        assert [part.text for part in parts if part.marked] == [text[a:b] for a, b in spans]

    @given(marked_texts())
    def test_a_snippet_is_a_piece_of_the_text_of_bounded_length(self, case: tuple[str, list[tuple[int, int]]]) -> None:
        text, spans = case
        parts = snippet(text, spans)
        inner = "".join(part.text for part in parts if part not in (Segment("… ", False), Segment(" …", False)))
        assert inner in text
        assert len(inner) <= WIDTH
        assert len(text) > WIDTH or inner == text

    def test_it_stands_where_most_different_words_are(self) -> None:
        text = "해고 해고 해고 " + "가 " * 300 + "해고 예고 수당 " + "나 " * 300
        spans = [match.span() for match in re.finditer("해고|예고|수당", text)]
        marked = [part.text for part in snippet(text, spans) if part.marked]
        assert marked == ["해고", "예고", "수당"]

    def test_without_marks_it_is_the_beginning(self) -> None:
        assert snippet("가" * 500, []) == [Segment("가" * WIDTH, False), Segment(" …", False)]
