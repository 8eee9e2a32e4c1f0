from __future__ import annotations

from pathlib import Path

import pytest

from app.retrieval.articles import CorpusArticles, CorpusDecisions
from app.retrieval.store import DocumentStore, write_documents
from tests.fakes import precedent, statute

DOCUMENTS = [
    statute("001", "등대법", number, title, text, deleted=number == "제3조")
    for number, title, text in (
        ("제10조", "불빛", "① 켠다. ② 끈다."), ("제2조", "정의", "뜻이다."), ("제1조", "목적", "목적이다."), ("제3조",
        "", "삭제"),
        ("제2조의2", "구분", "① 가. ② 나. ③ 다. ①은 말이다."), ("제4조", "등급", "등급이다."),
    )
]  # fmt: skip
DOCUMENTS += [
    statute("0010", "등대지기법", "제1조", "목적", "목적이다."),
    statute("002", "항구법", "제1조", "목적", "목적이다."),
]
DOCUMENTS += [
    precedent(7, "손해배상", "과실", case_no="2019다17, 18"),
    precedent(9, "손해배상", "과실", case_no="2019다18"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    path: Path = tmp_path_factory.mktemp("articles") / "documents.arrow"
    write_documents(path, DOCUMENTS)
    return DocumentStore(path)


@pytest.fixture(scope="module")
def articles(store: DocumentStore) -> CorpusArticles:
    return CorpusArticles(store)


@pytest.mark.parametrize(
    ("doc_id", "standing"),
    [("001-0001", "live"), ("001-0002-02", "live"), ("001-0003", "deleted"), ("001-0005", "unknown")],
)
def test_standing(articles: CorpusArticles, doc_id: str, standing: str) -> None:
    assert articles.standing(doc_id) == standing


@pytest.mark.parametrize(
    ("doc_id", "near"),
    [
        ("001-0002", ["001-0001", "001-0002-02", "001-0004"]),
        ("001-0003", ["001-0002-02", "001-0004", "001-0002"]),  # itself deleted
        ("001-0005", ["001-0004", "001-0010", "001-0002-02"]),  # itself not there
        ("001-9999", ["001-0010", "001-0004", "001-0002-02"]),
        ("001-0000", ["001-0001", "001-0002", "001-0002-02"]),
        ("0010-0001", []),  # nothing of 001, though its id begins so
        ("999-0001", []),
    ],
)
def test_the_nearest_live_articles_of_the_same_law(articles: CorpusArticles, doc_id: str, near: list[str]) -> None:
    assert articles.near(doc_id, 3) == near


def test_as_many_as_asked_for(articles: CorpusArticles) -> None:
    assert articles.near("001-0002", 1) == ["001-0001"]
    assert articles.near("001-0002", 0) == []
    assert articles.near("001-0002", 99) == ["001-0001", "001-0002-02", "001-0004", "001-0010"]


def test_the_first_articles_of_a_law(articles: CorpusArticles) -> None:
    assert articles.first("001", 3) == ["001-0001", "001-0002", "001-0002-02"]
    assert articles.first("0010", 3) == ["0010-0001"]
    assert articles.first("999", 3) == []


def test_what_an_article_is(articles: CorpusArticles) -> None:
    assert articles.citation("001-0002-02") == "등대법 제2조의2"
    assert articles.title("001-0002-02") == "구분"
    assert articles.paragraphs("001-0002-02") == 3
    assert articles.paragraphs("001-0001") == 0
    assert (articles.citation("999-0001"), articles.title("999-0001"), articles.paragraphs("999-0001")) == ("", "", 0)


def test_decisions_by_their_numbers(store: DocumentStore) -> None:
    decisions = CorpusDecisions(store)
    assert {number: [one.doc_id for one in found] for number, found in decisions.items()} == {
        "2019다17": ["p7"], "2019다18": ["p7", "p9"],
    }  # fmt: skip
    first = decisions["2019다17"][0]
    assert (first.court, first.day) == ("대법원", "2020-05-14")
    assert decisions.get("2019다99", ()) == ()
