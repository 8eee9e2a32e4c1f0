"""Places in a law, for tests of what is written and read back."""

from __future__ import annotations

from hypothesis import strategies as st

from app.law.provisions import LETTERS, Provision

_PARTS = ("", "", "본문", "단서", "전단", "후단", "각 호")


@st.composite
def _provision(draw: st.DrawFn) -> Provision:
    """Any place that the normal form tells apart: a unit stands only below one that can hold it."""
    jo = draw(st.integers(1, 1999))
    kind = draw(st.sampled_from(["main", "main", "main", "hyphen", "supplementary"]))
    day = draw(st.sampled_from(["", "2010-01-01", "1997-12-13"])) if kind == "supplementary" else ""
    ga = 0 if kind == "hyphen" else draw(st.sampled_from([0, 0, 2, 31]))
    hang = draw(st.integers(0, 20))
    annex = draw(st.sampled_from(["", "", "", "별표", "별표 2", "별표 1의2", "별지 제3호 서식", "별지 제3호의2 서식"]))
    annex = annex if kind == "main" else ""
    ho = 0 if annex == "별표" or annex.startswith("별지") else draw(st.integers(0, 30))
    ho_ga = draw(st.sampled_from([0, 0, 3])) if ho else 0
    mok = draw(st.sampled_from(["", *LETTERS])) if ho else ""
    sub = draw(st.sampled_from(["", "2)", "가)"])) if mok else ""
    hang_part = draw(st.sampled_from(["", "", "단서"])) if ho and hang and not annex else ""
    return Provision(
        jo, ga, draw(st.integers(1, 9)) if kind == "hyphen" else 0, hang, hang_part, annex, ho, ho_ga, mok, sub,
        draw(st.sampled_from(_PARTS)), kind == "supplementary", day,
    )  # fmt: skip


PROVISIONS = _provision()
