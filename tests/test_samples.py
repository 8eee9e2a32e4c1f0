"""Consistency of the sample corpus under samples/."""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parent.parent / "samples"

KEYS: dict[str, set[str]] = {
    "statutes.jsonl": {
        "law_id",
        "law",
        "kind",
        "article",
        "title",
        "text",
        "effective_date",
        "promulgated_date",
        "mst",
        "sample",
    },
    "statute_versions.jsonl": {
        "law_id",
        "law",
        "article",
        "title",
        "text",
        "effective_from",
        "effective_to",
        "sample",
    },
    "precedents.jsonl": {
        "precedent_id",
        "case_no",
        "case_name",
        "court",
        "court_level",
        "case_type",
        "decision_date",
        "issues",
        "holdings",
        "cited_statutes",
        "cited_precedents",
        "sample",
    },
    "queries.jsonl": {"query_id", "text", "date", "topic", "names_statute"},
}
TOPICS = {
    "housing_lease",
    "commercial_lease",
    "labour",
    "debt_contract",
    "inheritance",
    "family",
    "traffic",
    "defamation",
    "consumer",
    "privacy",
    "criminal",
    "company",
}
ARTICLE = re.compile(r"(?:(?P<law>.+) )?(?P<article>제\d+조(?:의\d+)?)(?: 제\d+항)?")
CASE_NO = re.compile(r"\d{4}[가-힣]+9\d{5}")


def rows(name: str) -> list[dict[str, Any]]:
    text = (SAMPLES / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def qrels(name: str) -> list[tuple[str, str]]:
    pairs = []
    for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines():
        query_id, iteration, document, grade = line.split("\t")
        assert (iteration, grade) == ("0", "1")
        pairs.append((query_id, document))
    return pairs


def articles() -> set[str]:
    return {f"{row['law']} {row['article']}" for row in rows("statutes.jsonl")}


def assert_unique(values: list[str]) -> None:
    assert len(values) == len(set(values))


@pytest.mark.parametrize("name", sorted(KEYS))
def test_every_row_has_exactly_the_keys(name: str) -> None:
    for row in rows(name):
        assert set(row) == KEYS[name]
        assert row.get("sample", True) is True


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_files_are_nfc(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert text.endswith("\n")


def test_ids_are_unique() -> None:
    assert_unique([f"{row['law']} {row['article']}" for row in rows("statutes.jsonl")])
    assert_unique([row["precedent_id"] for row in rows("precedents.jsonl")])
    assert_unique([row["case_no"] for row in rows("precedents.jsonl")])
    assert_unique([row["query_id"] for row in rows("queries.jsonl")])
    assert_unique([row["text"] for row in rows("queries.jsonl")])


def test_counts_and_topics() -> None:
    queries = rows("queries.jsonl")
    dates = [row["decision_date"] for row in rows("precedents.jsonl")]
    assert len(rows("statutes.jsonl")) >= 160
    assert len(dates) >= 40
    assert sum(date < "2022-01-01" for date in dates) >= 30
    assert sum("2022-01-01" <= date < "2024-01-01" for date in dates) >= 8
    assert len(queries) >= 60
    assert sum(row["names_statute"] for row in queries) >= 6
    assert {row["topic"] for row in queries} == TOPICS


def test_digests_are_short() -> None:
    for row in rows("statutes.jsonl"):
        assert 80 <= len(row["text"]) <= 350, row["article"]


def test_versions_are_of_sample_articles_and_show_every_status() -> None:
    digests = {f"{row['law']} {row['article']}": row for row in rows("statutes.jsonl")}
    histories: dict[str, list[dict[str, Any]]] = {}
    for row in rows("statute_versions.jsonl"):
        assert row["text"].startswith("삭제 <") or 80 <= len(row["text"]) <= 350
        histories.setdefault(f"{row['law']} {row['article']}", []).append(row)
    assert set(histories) - set(digests) == {"민법 제915조"}
    for article, versions in histories.items():
        assert {row["law_id"] for row in versions} == {digests.get(article, versions[0])["law_id"]}
        for one, following in pairwise(versions):
            assert one["effective_from"] < one["effective_to"] == following["effective_from"]
        assert versions[-1]["effective_to"] is None
        current = next(row for row in versions if not row["effective_to"] or row["effective_to"] > "2024-01-01")
        assert article not in digests or current["text"] == digests[article]["text"]


def test_article_qrels_refer_to_existing_rows() -> None:
    pairs = qrels("qrels.articles.tsv")
    assert len(pairs) == len(set(pairs))
    assert {document for _, document in pairs} <= articles()
    assert {query for query, _ in pairs} == {row["query_id"] for row in rows("queries.jsonl")}


def test_precedent_qrels_refer_to_existing_rows() -> None:
    pairs = qrels("qrels.precedents.tsv")
    assert len(pairs) == len(set(pairs))
    assert {document for _, document in pairs} <= {row["precedent_id"] for row in rows("precedents.jsonl")}
    assert {query for query, _ in pairs} <= {row["query_id"] for row in rows("queries.jsonl")}
    assert len({query for query, _ in pairs}) >= 25


def test_sample_decisions_cite_sample_articles() -> None:
    known = articles()
    for row in rows("precedents.jsonl"):
        for group in row["cited_statutes"].split(" / "):
            law = ""
            for citation in re.sub(r"^\[\d+\] ", "", group).split(", "):
                match = ARTICLE.fullmatch(citation)
                assert match is not None, (row["case_no"], citation)
                law = match["law"] or law
                assert f"{law} {match['article']}" in known, (row["case_no"], citation)


def test_sample_decisions_are_invented_and_cite_only_earlier_ones() -> None:
    decided = {row["case_no"]: row["decision_date"] for row in rows("precedents.jsonl")}
    for row in rows("precedents.jsonl"):
        assert CASE_NO.fullmatch(row["case_no"])
        assert row["issues"].count("[") == row["holdings"].count("[")
        cited = CASE_NO.findall(row["cited_precedents"])
        assert bool(cited) == bool(row["cited_precedents"])
        for case_no in cited:
            assert decided[case_no] < row["decision_date"]


def test_the_flagship_query_has_the_deposit_articles() -> None:
    text = "전세 계약이 끝났는데 집주인이 보증금을 안 돌려줘요"
    query_id = next(row["query_id"] for row in rows("queries.jsonl") if row["text"] == text)
    right = {document for query, document in qrels("qrels.articles.tsv") if query == query_id}
    assert {"주택임대차보호법 제3조의2", "주택임대차보호법 제3조의3"} <= right
