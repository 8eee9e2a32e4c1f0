"""A dev folder over the fake corpus, and tracks and rankings made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes import DOCUMENTS, precedent, statute
from training.dev import DevQuery
from training.pairs import write_rows
from training.systems import Ranking
from training.tracks import Track

CORPUS = (
    *DOCUMENTS,
    precedent(103, "손해배상(기)", "위법행위로 인한 손해배상책임의 요건", "", date="2023-02-02"),
    precedent(104, "손해배상(기)", "위법행위로 인한 손해배상책임의 범위와 요건", "", date="2022-03-01"),
    statute(
        "000900", "민법", "제750조", "불법행위", "위법행위로 손해를 가한 자는 배상할 책임이 있다.",
        law_kind="조선총독부법률",
    ),
    statute("001900", "형법 시행령", "제3조", "명예", "명예를 훼손한 자의 신고 절차", law_kind="대통령령"),
)  # fmt: skip
QUERIES: list[dict[str, Any]] = [
    {"query_id": "103#1", "text": "위법행위로 인한 손해배상책임의 요건", "date": "2023-02-02", "names_statute": False},
    {
        "query_id": "9#0", "text": "형법상 공연히 사실을 적시하여 명예를 훼손한 자", "date": "2022-01-01",
        "names_statute": True,
    },
    {"query_id": "8#0", "text": "정당한 이유 없는 해고의 효력", "date": "2022-03-01", "names_statute": False},
    {"query_id": "7#0", "text": "아무것도 판정되지 않은 질의", "date": "2022-01-01", "names_statute": False},
]  # fmt: skip
TRAINED = {"001692-0307": 3}
"""Training rows by article: 형법 제307조 alone was seen."""


def write_dev(folder: Path) -> Path:
    """Three judged queries of track A, two of track B, one that nobody judged."""
    write_rows(folder / "queries.jsonl", QUERIES)
    (folder / "qrels.articles.tsv").write_text(
        "103#1\t0\t민법 제750조\t1\n9#0\t0\t형법 제307조\t1\n8#0\t0\t근로기준법 제23조\t1\n8#0\t0\t형법 제307조\t0\n"
    )
    (folder / "qrels.precedents.tsv").write_text("103#1\t0\t101\t1\n8#0\t0\t102\t1\n")
    return folder


def write_citizens(folder: Path, gold: Sequence[str] = ("형법 시행령 제3조", "형법 제307조")) -> Path:
    """A question for each relevant article."""
    rows = [{"query_id": f"c{n}", "text": "친구가 제 험담을 퍼뜨려요", "topic": "crime"} for n, _ in enumerate(gold)]
    write_rows(folder / "queries.jsonl", rows)
    lines = (f"c{n}\t0\t{citation}\t1\n" for n, citation in enumerate(gold))
    (folder / "qrels.articles.tsv").write_text("".join(lines))
    return folder


def query(query_id: str, *relevant: str, text: str = "q", kind: Any = "statute", date: str = "") -> DevQuery:
    return DevQuery(query_id, text, date, kind, frozenset(relevant))


def track(*queries: DevQuery, name: str = "articles", rows: Mapping[str, dict[str, Any]] | None = None) -> Track:
    return Track(name, queries, {one.query_id: (rows or {}).get(one.query_id, {}) for one in queries})


def ranking(keys: Iterable[str], relevance: Iterable[float] = ()) -> Ranking:
    listed = tuple(keys)
    return Ranking(listed, tuple(relevance) or tuple(1 / (place + 1) for place, _ in enumerate(listed)))
