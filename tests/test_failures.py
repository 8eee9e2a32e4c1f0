from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.retrieval.store import DocumentStore
from tests.fakes import write_corpus
from tests.judged import CORPUS, query, ranking, track
from training.failures import WORST, failures, write_failures
from training.scores import run_of, values

PART = track(
    query("q1", "민법 제750조", text="손해배상"),
    query("q2", "형법 제307조", "상법 제24조", text="명예"),
    query("q3", "형법 제307조", text="헛되이"),
    query("q4", "형법 제307조", text="둘째"),
)
RANKINGS = {
    "q1": ranking(["민법 제750조"]),
    "q2": ranking([*(f"x{n}" for n in range(11)), "형법 제307조"]),
    "q3": ranking(["x1", "x2"]),
    "q4": ranking(["x1", "형법 제307조"]),
}


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, CORPUS)
    return DocumentStore(folder / "documents.arrow")


def test_the_worst_come_first_and_the_perfect_not_at_all(documents: DocumentStore) -> None:
    """q2 and q3 have nothing among the first ten; q3 has nothing at all."""
    rows = list(failures(PART, RANKINGS, values(PART, run_of(RANKINGS)), documents))
    assert [row["query_id"] for row in rows] == ["q3", "q2", "q4"]
    assert rows[1] == {
        "track": "articles", "query_id": "q2", "text": "명예", "gold": ["형법 제307조", "상법 제24조"],
        "found": ["x0", "x1", "x2", "x3", "x4"], "relevance": [1.0, 0.5, 0.333, 0.25, 0.2],
        "ranks": {"형법 제307조": 12, "상법 제24조": None},
    }  # fmt: skip


def test_decisions_are_shown_by_citation(documents: DocumentStore) -> None:
    part = track(query("q", "p101", kind="precedent"), name="precedents")
    (row,) = failures(part, {"q": ranking(["p102"])}, {"q": {"nDCG@10": 0.0, "R@100": 0.0}}, documents)
    assert row["gold"] == ["대법원 2020. 5. 14. 선고 2019다101 판결"]
    assert row["found"] == ["대법원 2020. 5. 14. 선고 2019다102 판결"]


def test_no_more_than_the_worst(documents: DocumentStore) -> None:
    part = track(*(query(f"q{n:03d}", "a") for n in range(WORST + 9)))
    nothing = {one.query_id: ranking(["x"]) for one in part.queries}
    rows = list(failures(part, nothing, values(part, run_of(nothing)), documents))
    assert [row["query_id"] for row in rows] == [f"q{n:03d}" for n in range(WORST)]


def test_both_files_are_written(documents: DocumentStore, tmp_path: Path) -> None:
    rows = list(failures(PART, RANKINGS, values(PART, run_of(RANKINGS)), documents))
    write_failures(tmp_path, rows, "hybrid")
    lines = (tmp_path / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    text = (tmp_path / "failures.md").read_text(encoding="utf-8")
    assert text.startswith("# The worst queries of hybrid\n")
    assert "relevant: 형법 제307조 (rank 12); 상법 제24조 (not found)" in text
    assert "2. + 형법 제307조 0.500" in text
