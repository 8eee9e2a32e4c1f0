from __future__ import annotations

import pytest

from app.retrieval.neighbours import neighbours
from app.retrieval.searcher import Searcher
from tests.fakes import build_index, precedent, statute

ARTICLES = (
    *(statute("001", "등대법", f"제{n}조", f"제목 {n}", f"{n}번째 내용이다.") for n in (1, 2, 3, 4, 6, 9)),
    statute("001", "등대법", "제5조", "등급", "등급은 대통령령으로 정한다."),
    statute("001", "등대법", "제7조", "", "삭제", deleted=True),
    statute("002", "등대법 시행령", "제3조", "등급", "법 제5조에 따른 등급은 다음과 같다.", law_kind="대통령령"),
    statute("003", "항구법", "제1조", "목적", "항구에 관하여 정한다."),
)
DECISIONS = (
    precedent(1, "손해배상", "과실", date="2010-01-01", case_no="2009다1", cited_statutes="등대법 제5조"),
    precedent(
        2, "손해배상", "과실", date="2012-01-01", case_no="2011다1", cited_statutes="등대법 제5조",
        cited_precedents="대법원 2010. 1. 1. 선고 2009다1 판결",
    ),
    precedent(
        3, "손해배상", "과실", date="2013-01-01", case_no="2012다1", cited_statutes="등대법 제1조",
        cited_precedents="대법원 2010. 1. 1. 선고 2009다1 판결",
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("neighbours"), [*ARTICLES, *DECISIONS])


def around(searcher: Searcher, text: str, count: int = 20) -> list[str]:
    found = searcher.citations.read(text)
    rows = neighbours(found, searcher.index, searcher.citations, count)
    return [searcher.index.documents[row].doc_id for row in rows]


def test_around_an_article(searcher: Searcher) -> None:
    """The articles beside it, those of its decree, and the decisions that cite it, the most cited first."""
    assert around(searcher, "등대법 제5조") == [
        "001-0004", "001-0006", "001-0003", "001-0009", "002-0003", "p1", "p2",
    ]  # fmt: skip


def test_around_a_decision(searcher: Searcher) -> None:
    """What it cites, then what cites it."""
    assert around(searcher, "2011다1")[:2] == ["001-0005", "p1"]
    assert set(around(searcher, "2009다1")) == {"001-0005", "p2", "p3"}


def test_around_what_is_not_there(searcher: Searcher) -> None:
    assert around(searcher, "등대법 제8조") == ["001-0006", "001-0009", "001-0005"]
    assert around(searcher, "등대법 제7조")[:3] == ["001-0006", "001-0009", "001-0005"]
    assert around(searcher, "없는법 제1조") == []
    assert around(searcher, "2099다1") == []


def test_a_law_alone_shows_its_first_articles(searcher: Searcher) -> None:
    assert around(searcher, "등대법", 3) == ["001-0001", "001-0002", "001-0003"]


def test_of_several_citations_each_document_once(searcher: Searcher) -> None:
    found = around(searcher, "등대법 제1조, 제2조, 항구법 제1조")
    assert len(found) == len(set(found))
    assert found[:2] == ["001-0002", "001-0003"]


def test_as_many_as_asked_for(searcher: Searcher) -> None:
    assert around(searcher, "등대법 제5조", 2) == ["001-0004", "001-0006"]
    assert around(searcher, "등대법 제5조", 0) == []
