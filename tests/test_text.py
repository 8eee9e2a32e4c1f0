from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.text import BREAK, MIDDOTS, display_text, match_key, model_text, nfc, readable

SYLLABLES = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=12)


def test_nfc_composes_what_macos_sends() -> None:
    assert nfc(unicodedata.normalize("NFD", "민법")) == "민법"
    assert nfc("\uf90a") == "\u91d1"  # a compatibility ideograph


@pytest.mark.parametrize("kept", ["ㆍ", "①", "⑳", "㎡", "Ⅳ", "㈜", "\uff21", "½"])
def test_text_is_never_nfkc(kept: str) -> None:
    """NFKC would turn each into something else, and law names and 항 marks with it."""
    assert unicodedata.normalize("NFKC", kept) != kept
    for fold in (nfc, display_text, model_text):
        assert kept in fold(f"가{kept}나")


def test_the_middot_of_statutes_keeps_its_code_point() -> None:
    assert display_text("일ㆍ가정 양립")[1] == "\u318d"
    assert model_text("표시·광고")[2] == "\u00b7"


@pytest.mark.parametrize("middot", MIDDOTS)
def test_keys_fold_every_middot(middot: str) -> None:
    assert match_key(f"표시{middot}광고의 공정화에 관한 법률") == "표시광고의공정화에관한법률"


def test_keys_fold_spaces_quotes_and_invisible_marks() -> None:
    expected = "개인정보보호법"
    for written in (
        "개인정보 보호법",
        "「개인정보 보호법」",
        "‘개인정보\u200b보호법’",
        "개인정보\u00a0보호법",
        "개인정보\n보호법\ufeff",
    ):
        assert match_key(written) == expected


def test_keys_keep_what_tells_names_apart() -> None:
    assert match_key("민법") != match_key("난민법")
    assert match_key("주택법 시행령") != match_key("주택법 시행규칙")
    assert match_key("제308조의2") != match_key("제308조")


@given(
    SYLLABLES, st.lists(st.sampled_from([" ", "\t", "\u3000", *MIDDOTS, "「", "」", "\u200d"]), max_size=6), st.data()
)
def test_a_key_does_not_depend_on_spacing(name: str, marks: list[str], data: st.DataObject) -> None:
    written = name
    for mark in marks:
        at = data.draw(st.integers(0, len(written)))
        written = written[:at] + mark + written[at:]
    assert match_key(written) == match_key(name) == name


def test_display_keeps_amendment_notes_and_breaks_lines() -> None:
    text = "① 임대인은  알려야\t한다. <개정 2020. 2. 4.><br/>② 본조신설  \n\n 끝"
    assert display_text(text) == "① 임대인은 알려야 한다. <개정 2020. 2. 4.>\n② 본조신설\n끝"


def test_model_text_drops_notes_and_hanja_glosses() -> None:
    text = "업(業)으로 하는 자는 <개정 2020. 2. 4.> 신고한다. [본조신설 2010. 3. 31.]<img src='x'></img>"
    assert model_text(text) == "업으로 하는 자는 신고한다."


@pytest.mark.parametrize("kept", ["甲이 乙에게", "(가)목", "제1항(전단)", "[별표 2]", "5 < 7", "<주의>"])
def test_model_text_keeps_what_is_no_note(kept: str) -> None:
    assert model_text(kept) == kept


@given(st.text(max_size=200))
def test_folding_never_raises_and_gives_nfc(text: str) -> None:
    for fold in (display_text, model_text):
        folded = fold(text)
        assert folded == folded.strip()
        assert "\n\n" not in folded
    assert unicodedata.is_normalized("NFC", nfc(text))
    assert not any(char.isspace() for char in match_key(text))


@given(st.text(alphabet=" \t\u00a0\u3000\n\r\x0b\x85\u2003\u2028가나<br>(漢)", max_size=30))
def test_blanks_and_lines_are_folded_as_these_patterns_say(text: str) -> None:
    blanks = re.sub(r"[ \t\u00a0\u3000]+", " ", re.sub(r"<(?:br|/?img|/?p|/?b)\b[^>]*>", "\n", nfc(text)))
    assert display_text(text) == re.sub(r"\s*\n\s*", "\n", blanks).strip()


# what the citation readers read


def test_readable_text_is_even() -> None:
    assert readable("「민법」 제７５０조〔가〕·나").text == " 민법  제750조[가]ㆍ나"
    assert readable("가–나～다").text == "가-나~다"
    assert readable("가\n나").text == "가\n나"


def test_a_blank_line_is_a_break() -> None:
    for blank in ("\n\n", "\n \n", "\r\n\r\n", "\n\n\n"):
        text = readable(f"가{blank}나").text
        assert BREAK in text
        assert "\n" not in text


def test_quotations_are_known() -> None:
    plain = readable("앞 「민법」 제1조, 『개인정보 보호법』제2조")
    assert [plain.text[slice(*quote)] for quote in plain.quotes] == ["민법", "개인정보 보호법"]
    assert plain.quoted(plain.text.index("제1조")) == plain.quotes[0]
    assert plain.quoted(plain.text.index("제2조")) == plain.quotes[1]
    assert plain.quoted(1) is None
    assert plain.quoted(len(plain.text)) is None


@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from(["민", "\u1106\u1175\u11ab", "\u200b", "<br/>", "<", "\u0301", "\uff11", "\u11a8", "가", " "]),
        max_size=30,
    ).map("".join)
)
def test_every_character_knows_where_it_stood(text: str) -> None:
    plain = readable(text)
    ends = [plain.span(at, at + 1) for at in range(len(plain.text))]
    assert all(0 <= start < end <= len(text) for start, end in ends)
    assert ends == sorted(ends)
    if text.isalnum() and nfc(text) == text and text.isascii():
        assert plain.text == text
    assert plain.span(0, 0) == (0, 0)


def test_spans_lead_back_over_what_nobody_sees() -> None:
    text = unicodedata.normalize("NFD", "요건 ") + "민\u200b법<br/>제1조"
    plain = readable(text)
    assert plain.text == "요건 민법\n제1조"
    start, end = plain.span(3, 5)
    assert text[start:end] == "민\u200b법"
