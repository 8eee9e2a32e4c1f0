from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.results import highlights, metadata, shown_text, stems
from tests.fakes import DOCUMENTS, precedent, statute

TODAY = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("손해를 배상할", ["배상할", "손해"]),
        ("과실로 인한 사고에서", ["과실", "사고", "인한"]),
        ("합의", ["합의"]),
        ("이의 신청", ["신청", "이의"]),
        ("a b 가", []),
        ("GPS를", ["gps"]),
    ],
)
def test_stems_are_words_without_particles(query: str, expected: list[str]) -> None:
    assert stems(query) == expected


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("타인에게 손해를 가한 자는 그 손해배상 책임", "손해가", ["손해를", "손해"]),
        ("손해배상과 손해", "손해 손해배상", ["손해배상과", "손해"]),
        ("GPS 장치", "gps를", ["GPS"]),
        ("아무것도", "손해", []),
        ("손해가해자", "손해", ["손해"]),
    ],
)
def test_highlights_by_example(text: str, query: str, expected: list[str]) -> None:
    assert [text[a:b] for a, b in highlights(text, query)] == expected


@given(st.text(alphabet="가나다를 ab.(", max_size=30), st.text(alphabet="가나다를 ab.(", max_size=12))
def test_highlights_are_disjoint_spans_of_the_text(text: str, query: str) -> None:
    end = 0
    for a, b in highlights(text, query):
        assert end <= a < b <= len(text)
        end = b


def test_metadata_of_an_article() -> None:
    article = statute("001706", "개인정보 보호법", "제2조의3", "정의", "정의", promulgated="2019-12-01")
    assert metadata(article, TODAY) == {
        "law": "개인정보 보호법",
        "law_id": "001706",
        "law_kind": "법률",
        "effective_date": "2020-01-01",
        "promulgated": "2019-12-01",
        "status": "in_force",
        "url": "https://www.law.go.kr/법령/개인정보보호법/제2조의3",
        "sample": False,
    }
    assert metadata(replace(article, date="2026-11-02"), TODAY)["status"] == "not_yet"
    assert metadata(replace(article, date="2026-11-01"), TODAY)["status"] == "in_force"


def test_metadata_of_a_decision() -> None:
    assert metadata(DOCUMENTS[4], TODAY) == {
        "court": "대법원",
        "court_level": "대법원",
        "case_no": "2019다101",
        "case_type": "민사",
        "decision_date": "2020-05-14",
        "url": "https://www.law.go.kr/precInfoP.do?precSeq=101",
        "sample": False,
    }


def test_samples_have_no_public_address() -> None:
    for document in DOCUMENTS:
        facts = metadata(replace(document, sample=True), TODAY)
        assert facts["url"] is None
        assert facts["sample"] is True


def test_shown_text() -> None:
    assert shown_text(DOCUMENTS[2]) == DOCUMENTS[2].text
    assert shown_text(precedent(1, "가", "쟁점", "요지")) == "쟁점\n요지"
    assert shown_text(precedent(1, "가", "쟁점")) == "쟁점"
    assert shown_text(replace(precedent(1, "가", ""), text="판결 이유")) == "판결 이유"
