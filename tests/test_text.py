from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.text import MIDDOTS, display_text, match_key, model_text, nfc

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
