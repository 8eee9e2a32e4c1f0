from __future__ import annotations

import json
import math
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import NotReady
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest, SearchResponse
from tests.fakes import DOCUMENTS, build_index
from training import depths
from training.depths import main, measure, one_search, order, rows, sample, searched
from training.dev import DevQuery
from training.pairs import write_rows
from training.recipe import RecipeError

TEXTS = {
    "1#0": ("위법행위로 인한 손해배상책임의 요건", "민법 제750조"),
    "2#0": ("공연히 사실을 적시하여 명예를 훼손한 자", "형법 제307조"),
    "3#0": ("정당한 이유 없는 해고의 효력", "근로기준법 제23조"),
    "4#0": ("이혼한 자의 재산분할청구", "민법 제839조의2"),
}


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    write_rows(tmp_path / "queries.jsonl", [{"query_id": q, "text": text} for q, (text, _) in TEXTS.items()])
    lines = [f"{q}\t0\t{citation}\t1\n" for q, (_, citation) in TEXTS.items()]
    (tmp_path / "qrels.articles.tsv").write_text("".join(lines), encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("depths"), DOCUMENTS)


def query(query_id: str, *relevant: str) -> DevQuery:
    return DevQuery(query_id, "q", "", "statute", frozenset(relevant))


# queries


def test_the_sample_is_drawn_by_its_seed(dev: Path) -> None:
    assert [one.query_id for one in sample(dev, 0)] == list(TEXTS)
    drawn = sample(dev, 2)
    assert len(drawn) == 2
    assert drawn == sample(dev, 2)
    assert len({tuple(one.query_id for one in sample(dev, 2, seed)) for seed in range(20)}) > 1


def test_track_b_alone_is_refused(dev: Path) -> None:
    (dev / "qrels.articles.tsv").rename(dev / "qrels.precedents.tsv")
    with pytest.raises(RecipeError, match=r"judges no query of track A; it needs queries\.jsonl"):
        sample(dev, 2)


# order


def test_depths_turn_and_then_run_backwards() -> None:
    met = [order((10, 20, 50), number) for number in range(6)]
    assert met == [[10, 20, 50], [20, 50, 10], [50, 10, 20], [50, 20, 10], [10, 50, 20], [20, 10, 50]]


@given(st.lists(st.integers(10, 1000), unique=True, min_size=1, max_size=6), st.integers(1, 3))
def test_each_depth_stands_at_each_place_equally_often(listed: list[int], rounds: int) -> None:
    met = [order(listed, number) for number in range(rounds * len(listed))]
    for place in range(len(listed)):
        assert Counter(one[place] for one in met) == dict.fromkeys(listed, rounds)


# searches


def test_every_query_meets_every_depth_in_turn(dev: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def noted(_: Searcher, query: DevQuery, depth: int) -> tuple[list[str], float]:
        asked.append((query.query_id, depth))
        return [], 1.0

    monkeypatch.setattr(depths, "one_search", noted)
    found = searched(searcher, sample(dev, 0), (10, 20))
    assert asked[:4] == [("1#0", 10), ("1#0", 20), ("2#0", 20), ("2#0", 10)]
    assert {depth: set(by_query) for depth, by_query in found.items()} == {10: set(TEXTS), 20: set(TEXTS)}


def test_a_search_is_of_articles_by_the_default_system(dev: Path, searcher: Searcher) -> None:
    ranking, milliseconds = one_search(searcher, sample(dev, 0)[0], 20)
    assert ranking[0] == "민법 제750조"
    assert all("제" in citation for citation in ranking)
    assert milliseconds > 0


def test_what_a_query_s_own_decision_cites_speaks_for_nothing(
    searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[SearchRequest] = []
    search = searcher.search

    def noting(request: SearchRequest) -> SearchResponse:
        asked.append(request)
        return search(request)

    monkeypatch.setattr(searcher, "search", noting)
    one_search(searcher, DevQuery("201#1", TEXTS["1#0"][0], "2022-05-12", "statute", frozenset()), 20)
    assert (asked[0].k, asked[0].depth, asked[0].exclude_docs) == (10, 20, frozenset({"p201"}))
    assert asked[0].decided_to == date(2022, 5, 11)


def test_a_search_without_the_second_stage_is_not_measured(
    dev: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher, "reranker", None)
    with pytest.raises(NotReady, match="depth 20, query 1#0: reranker unavailable"):
        one_search(searcher, sample(dev, 0)[0], 20)


# measures


def test_rows_are_their_formulas() -> None:
    queries = [query("1", "a", "b"), query("2", "c")]
    found = {
        50: {"1": (["x", "a"], 30.0), "2": (["c"], 10.0)},
        10: {"1": ([], 2.0), "2": (["x", "c"], 4.0)},
    }
    shallow, deep = rows(found, queries)
    ideal = 1 + 1 / math.log2(3)
    assert (shallow["depth"], shallow["queries"], deep["depth"]) == (10, 2, 50)
    assert shallow["nDCG@10"] == pytest.approx((0 + 1 / math.log2(3)) / 2)
    assert deep["nDCG@10"] == pytest.approx((1 / math.log2(3) / ideal + 1) / 2)
    assert (shallow["R@10"], deep["R@10"]) == (1 / 2, (1 / 2 + 1) / 2)
    assert (deep["p50_ms"], deep["p95_ms"]) == (20.0, pytest.approx(10 + 0.95 * 20))


def test_a_file_holds_a_row_per_depth_each_once(dev: Path, searcher: Searcher, tmp_path: Path) -> None:
    measured = measure(searcher, sample(dev, 3), (50, 10, 10), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "depths.json").read_text()) == {"depths": measured}
    assert [(row["depth"], row["queries"]) for row in measured] == [(10, 3), (50, 3)]
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in measured)
    assert all(0.5 < row["nDCG@10"] <= 1 for row in measured)


# the command


def test_the_command_prints_what_it_writes(
    dev: Path, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(depths, "open_searcher", lambda *arguments: searcher)
    command = ["--index", "fake", "--dev", str(dev), "--out", str(dev / "out"), "--queries", "2"]
    assert main([*command, "--depths", "10", "20"]) == 0
    assert [row["depth"] for row in json.loads((dev / "out" / "depths.json").read_text())["depths"]] == [10, 20]
    assert "2 queries, one by one" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["9", "1001", "-5", "ten"])
def test_a_depth_is_in_the_range_of_the_service(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--index", "fake", "--dev", "dev", "--depths", wrong])
    assert "depths" in capsys.readouterr().err


def test_a_mistake_is_one_line_and_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[Any]) -> None:
    assert main(["--index", "fake", "--dev", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("recipe_error: ")
