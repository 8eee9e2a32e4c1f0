"""Citations as links in the texts of statutes and decisions."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.resolve import CitationReader
from app.retrieval.searcher import Searcher
from app.web.linked import LIMIT, Link, links, pieces
from tests.fakes import build_index, precedent, statute

DOCUMENTS = (
    *(statute("001", "등대법", f"제{n}조", f"{n}번", "글이다.") for n in range(1, 8)),
    statute("001", "등대법", "제9조", "", "삭제 <2010. 1. 1.>", deleted=True),
    *(statute("002", "등대법 시행령", f"제{n}조", f"{n}번", "글이다.", law_kind="대통령령") for n in range(1, 8)),
    *(statute("003", "부두법", f"제{n}조", f"{n}번", "글이다.") for n in range(1, 8)),
    precedent(7, "손해배상", "등대지기의 과실"),
)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("linked"), DOCUMENTS)


@pytest.fixture(scope="module")
def reader(searcher: Searcher) -> CitationReader:
    return searcher.citations


def linked(reader: CitationReader, text: str, law: str = "", own: str = "") -> list[tuple[str, str]]:
    return [(text[one.start : one.end], one.doc_id) for one in links(reader, text, law, own)]


def test_a_decision_is_read_as_any_text(reader: CitationReader) -> None:
    text = "등대법 제3조와 대법원 2020. 5. 14. 선고 2019다7 판결, 등대법 제99조, 같은 법 제4조를 본다."
    assert linked(reader, text) == [
        ("등대법 제3조", "001-0003"),
        ("대법원 2020. 5. 14. 선고 2019다7 판결", "p7"),
        ("같은 법 제4조", "001-0004"),
    ]


@pytest.mark.parametrize(
    ("law", "text", "expected"),
    [
        ("등대법", "제3조에 따라 정한다.", ["001-0003"]),
        ("등대법", "이 법 제3조에 따라 정한다.", ["001-0003"]),
        ("등대법", "「부두법」 제2조에 따라 제3조를 준용한다.", ["003-0002", "001-0003"]),
        ("등대법", "「부두법」 제2조 및 제3조를 준용한다.", ["003-0002", "003-0003"]),
        ("등대법", "「부두법」 제2조, 제3조 또는 제4조", ["003-0002", "003-0003", "003-0004"]),
        ("등대법", "「부두법」 제2조\n2. 제3조", ["003-0002", "001-0003"]),
        ("등대법", "「부두법」 제2조부터 제4조까지에 따른다.", ["003-0002", "003-0004"]),
        ("등대법", "「부두법」 제2조 및 같은 법 제3조에 따라 같은 조 제2항을 본다.", ["003-0002"]),
        ("등대법", "제9조와 제99조", ["001-0009"]),
        ("등대법", "제1항에 따라 정한다.", []),
        ("등대법", "법 제3조에 따라 정한다.", []),
        ("등대법 시행령", "법 제3조에 따라 제5조를 적용한다.", ["001-0003", "002-0005"]),
        ("등대법 시행령", "「부두법」 제2조에도 불구하고 법 제3조에 따른다.", ["003-0002", "001-0003"]),
        ("등대법 시행령", "이 영 제4조", ["002-0004"]),
        ("등대법 시행규칙", "영 제4조 및 법 제3조", ["002-0004", "001-0003"]),
        ("등대에 관한 규정 시행규칙", "법 제3조", []),
    ],
)
def test_a_statute_speaks_of_itself(reader: CitationReader, law: str, text: str, expected: list[str]) -> None:
    assert [doc_id for _, doc_id in linked(reader, text, law)] == expected


def test_nothing_leads_to_the_page_itself(reader: CitationReader) -> None:
    text = "제3조(불빛) 제4조에 따른다."
    assert linked(reader, text, "등대법", "001-0003") == [("제4조", "001-0004")]


def test_a_text_that_would_keep_the_page_waiting_has_none(reader: CitationReader) -> None:
    text = "등대법 제3조 " * (LIMIT // 8)
    assert links(reader, text[:80])
    assert links(reader, text + " " * LIMIT) == []


def test_a_long_text_is_read_in_time(reader: CitationReader) -> None:
    """50 ms is wanted; a busy machine that counts coverage gets forty times that, and a quadratic reader takes more."""
    text = ("「부두법」 제2조에 따라 제3조를 준용하고, 법 제4조에 따른 것은 제외한다.\n" * 1000)[:LIMIT]
    start = time.perf_counter()
    assert len(links(reader, text, "등대법 시행령")) > 1000
    assert time.perf_counter() - start < 2


def test_pieces_carry_links_and_marks() -> None:
    parts = pieces("가나다라마", [Link(1, 4, "x")], [(2, 5)])
    assert [(part.doc_id, [tuple(one) for one in part.segments]) for part in parts] == [
        ("", [("가", False)]),
        ("x", [("나", False), ("다라", True)]),
        ("", [("마", True)]),
    ]


WORDS = st.sampled_from(
    [
        *("제3조", "제4조제1항", "부두법", "등대법 시행령", "법", "영", "이 법", "같은 조", "및", "부터", ", ", "\n"),
        *("1. ", "」", "2019다7", "글"),
    ]
)


@given(st.lists(WORDS, max_size=20).map(" ".join), st.sampled_from(["", "등대법", "등대법 시행령"]))
def test_links_lie_in_the_text_and_never_overlap(reader: CitationReader, text: str, law: str) -> None:
    found = links(reader, text, law)
    bounds = [place for one in found for place in (one.start, one.end)]
    assert bounds == sorted(bounds)
    assert all(one.start < one.end <= len(text) for one in found)
    parts = pieces(text, found, [])
    assert "".join(segment.text for part in parts for segment in part.segments) == text


def test_an_index_of_one_law_has_no_decree(tmp_path: Path) -> None:
    alone = build_index(tmp_path, [statute("002", "등대법 시행령", "제1조", "목적", "법 제3조에 따른다.")])
    assert links(alone.citations, "법 제3조에 따른다.", "등대법 시행령") == []
