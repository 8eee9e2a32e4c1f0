"""From an article to its decree, its rule and its definitions. All texts are invented."""

from __future__ import annotations

import pytest

from app.law.delegation import definitions, delegations, grants, named
from app.law.documents import Document
from app.law.graph import Edge
from app.law.names import Law, LawNames
from tests.fakes import statute

LAW = statute(
    "001", "등대법", "제5조", "등급", "등대의 등급은 대통령령으로 정하는 기준에 따르며, 표지는 해양수산부령으로 정한다."
)
PLAIN = statute("001", "등대법", "제6조", "점등", "등대지기는 밤에 불을 밝힌다.")
DECREE = statute(
    "002", "등대법 시행령", "제3조", "등급", "① 법 제5조에 따른 등급은 별표와 같다.\n② 법 제6조에 따라 밝힌다."
)
RULE = statute(
    "003", "등대법 시행규칙", "제2조", "표지", "① 법 제5조에 따른 표지는 희게 칠한다.\n② 영 제3조제2항에 따른 서식"
)


def edges(*articles: Document) -> list[Edge]:
    granted = {(article.doc_id, level) for article in articles for level in grants(article)}
    laws = LawNames(Law(a.law_id, a.law, a.law_kind, "") for a in articles)
    return list(delegations(articles, granted, laws))


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("기준은 대통령령으로 정한다.", ["시행령"]),
        ("대통령령이 정하는 바에 의하여", ["시행령"]),
        ("대통령령으로 따로 정한다.", ["시행령"]),
        ("절차는 해양수산부령으로 정한다.", ["시행규칙"]),
        ("수수료는 총리령으로 정하는 금액", ["시행규칙"]),
        ("서식은 대법원규칙으로 정한다.", ["시행규칙"]),
        ("대통령령으로 정하는 자는 국토교통부령으로 정하는 서식을", ["시행령", "시행규칙"]),
        ("이 법은 대통령령과 함께 시행한다.", []),
        ("대통령이 정하는 날", []),
    ],
)
def test_an_article_delegates_by_saying_so(text: str, levels: list[str]) -> None:
    assert grants(statute("001", "등대법", "제5조", "", text)) == levels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("법 제5조에 따른 등급은 별표와 같다.", [("법", 5, 0)]),
        ("① 법 제5조의2제1항에 따른 등급", [("법", 5, 2)]),
        ("제3조(등급) ① 법 제5조에 따른 등급", [("법", 5, 0)]),
        ("① 해양수산부장관은 법 제5조에 따라 정한다.", [("법", 5, 0)]),
        ("① 영 제3조제2항에 따른 서식\n② 법 제7조에 따른 서식", [("영", 3, 0), ("법", 7, 0)]),
        ('① 군수는 허가를 받은 사람 가운데 법 제5조제2항에서 "대통령령으로 정하는 사람"이란', [("법", 5, 0)]),
        ("등대지기 가운데 법 제5조에 따라 등록한 사람이 신청한다.", []),
        ("다음 각 호의 사무\n   1. 법 제5조에 따른 등록\n   가. 법 제6조에 따른 점등", []),
        ("방법 제5조에 따른 점등", []),
        ("「나루터법」 제5조에 따른 나루", []),
        ("법 제5조에 따른 등급은 법 제6조에 따라 밝힌 등대로 한다.", [("법", 5, 0)]),
    ],
)
def test_an_article_is_carried_out_where_a_paragraph_begins_with_it_or_quotes_it(
    text: str, found: list[tuple[str, int, int]]
) -> None:
    assert list(named(text)) == found


def test_decree_and_rule_answer_at_their_own_level() -> None:
    assert edges(LAW, PLAIN, DECREE, RULE) == [
        Edge(LAW.doc_id, DECREE.doc_id, "delegation"),
        Edge(LAW.doc_id, RULE.doc_id, "delegation"),
    ]


def test_a_rule_answers_the_decree_where_that_delegates() -> None:
    decree = statute(
        "002", "등대법 시행령", "제3조", "등급", "② 법 제6조에 따른 표지의 서식은 해양수산부령으로 정한다."
    )
    assert edges(PLAIN, decree, RULE) == [Edge(decree.doc_id, RULE.doc_id, "delegation")]


def test_each_edge_comes_once_and_deleted_articles_have_none() -> None:
    twice = statute("002", "등대법 시행령", "제4조", "", "① 법 제5조에 따른 등급\n② 법 제5조에 따른 기준")
    deleted = statute("002", "등대법 시행령", "제7조", "", "① 법 제5조에 따른 등급", deleted=True)
    assert edges(LAW, twice, deleted) == [Edge(LAW.doc_id, twice.doc_id, "delegation")]


def test_a_decree_without_its_law_answers_nothing() -> None:
    assert edges(DECREE, RULE) == []


@pytest.mark.parametrize(
    ("articles", "found"),
    [
        ([("제2조", "정의")], "001-0002"),
        ([("제3조", "용어의 정의"), ("제2조", "적용 범위")], "001-0003"),
        ([("제2조", "정의"), ("제4조", "정의")], "001-0002"),
        ([("제4조", "(정의)")], "001-0004"),
        ([("제40조", "정의")], None),
        ([("제2조", "지정의 취소")], None),
    ],
)
def test_a_law_defines_in_one_of_its_first_articles(articles: list[tuple[str, str]], found: str | None) -> None:
    documents = [statute("001", "등대법", article, title, "") for article, title in articles]
    assert definitions(documents).get("001") == found
