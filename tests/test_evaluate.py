from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import IndexMissing
from app.retrieval.searcher import Searcher
from app.retrieval.store import DocumentStore
from tests.fakes import DOCUMENTS, build_index, precedent, statute, write_corpus
from training import evaluate
from training.dev import DevQuery
from training.evaluate import (
    MEASURES,
    SYSTEMS,
    Plan,
    Run,
    Score,
    Track,
    interval,
    main,
    markdown,
    measure,
    ranked,
    score,
    table,
    tracks,
    trained_citations,
    write_run,
)
from training.measures import means
from training.pairs import write_rows
from training.recipe import Recipe, RecipeError


def log2(rank: int) -> float:
    return math.log2(rank + 1)


def query(query_id: str, *relevant: str, text: str = "q", kind: Any = "statute", date: str = "") -> DevQuery:
    return DevQuery(query_id, text, date, kind, frozenset(relevant))


def run_of(rankings: dict[str, list[str]]) -> Run:
    return {q: {key: float(len(keys) - i) for i, key in enumerate(keys)} for q, keys in rankings.items()}


# measures


TRACK = Track(
    "articles",
    (query("q1", "a", "b"), query("q2", "c"), query("q3", "d"), query("q4", "e")),
    {"strict": frozenset({"q1", "q2"}), "all": frozenset({"q1", "q2", "q3", "q4"})},
)
RANKINGS = {
    "q1": ["a", "x", "b"],
    "q2": ["x", "c"],
    "q3": [f"x{n}" for n in range(30)] + ["d"],  # relevant at rank 31
    # q4 has no ranking at all
}
EXPECTED = {
    "nDCG@10": {
        "q1": (1 / log2(1) + 1 / log2(3)) / (1 / log2(1) + 1 / log2(2)),
        "q2": 1 / log2(2),
        "q3": 0.0,
        "q4": 0.0,
    },
    "RR@10": {"q1": 1.0, "q2": 1 / 2, "q3": 0.0, "q4": 0.0},
    "R@10": {"q1": 1.0, "q2": 1.0, "q3": 0.0, "q4": 0.0},
    "R@100": {"q1": 1.0, "q2": 1.0, "q3": 1.0, "q4": 0.0},
}


@pytest.mark.parametrize("measure", list(EXPECTED))
def test_measures_are_their_formulas(measure: str) -> None:
    """A query without a ranking counts 0; each stratum is a mean over its own queries."""
    rows = {row["stratum"]: row for row in score(TRACK, run_of(RANKINGS))}
    assert (rows["strict"]["n"], rows["all"]["n"]) == (2, 4)
    by_query = EXPECTED[measure]
    assert rows["all"][measure].mean == pytest.approx(sum(by_query.values()) / 4)
    assert rows["strict"][measure].mean == pytest.approx((by_query["q1"] + by_query["q2"]) / 2)


KEYS = st.sampled_from([f"d{n}" for n in range(15)])


@given(
    st.lists(
        st.tuples(st.sets(KEYS, min_size=1, max_size=6), st.lists(KEYS, unique=True, max_size=15)),
        min_size=1,
        max_size=5,
    )
)
def test_measures_agree_with_our_own(queries: list[tuple[set[str], list[str]]]) -> None:
    """Differential: ir-measures here, the formulas of training.measures there."""
    ids = [f"q{n}" for n in range(len(queries))]
    part = Track(
        "t", tuple(query(q, *gold) for q, (gold, _) in zip(ids, queries, strict=True)), {"all": frozenset(ids)}
    )
    rankings = {q: keys for q, (_, keys) in zip(ids, queries, strict=True)}
    (row,) = score(part, run_of(rankings))
    expected = means(rankings, {q: gold for q, (gold, _) in zip(ids, queries, strict=True)})
    assert {str(m): row[str(m)].mean for m in MEASURES} == pytest.approx(expected)


# intervals


def test_the_interval_of_a_constant_is_a_point() -> None:
    assert interval([0.25] * 40) == Score(0.25, 0.25, 0.25)
    assert interval([1.0]) == Score(1.0, 1.0, 1.0)


def test_the_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(3).random(400).tolist()
    found = interval(values)
    error = np.std(values) / math.sqrt(len(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.3 * error)
    assert interval(values) == found
    assert interval(values, seed=8) != found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    found = interval(values)
    slack = 1e-9
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert found.mean == pytest.approx(float(np.mean(values)))


# files


def test_a_run_is_a_trec_file_with_tabs(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a.tsv", run_of({"q1": ["민법 제750조", "상법 제24조"], "q2": []}), "hybrid")
    assert (tmp_path / "runs" / "a.tsv").read_text(encoding="utf-8") == (
        "q1\tQ0\t민법 제750조\t1\t2\thybrid\nq1\tQ0\t상법 제24조\t2\t1\thybrid\n"
    )


def test_the_table_has_every_row_largest_stratum_first() -> None:
    def row(stratum: str, n: int, system: str, mean: float) -> dict[str, Any]:
        values = {str(measure): Score(mean, mean - 0.1, mean + 0.1) for measure in MEASURES}
        return {"track": "articles", "stratum": stratum, "n": n, "system": system, "ms": 1.5, **values}

    rows = [row("strict", 2, "bm25", 0.5), row("all", 4, "bm25", 0.25), row("all", 4, "dense", 0.75)]
    lines = markdown(rows).splitlines()
    assert lines[0] == "| track | stratum | n | system | nDCG@10 [95 %] | RR@10 | R@10 | R@100 |"
    assert lines[2:] == [
        "| articles | all | 4 | bm25 | 0.2500 [0.150, 0.350] | 0.2500 | 0.2500 | 0.2500 |",
        "| articles | all | 4 | dense | 0.7500 [0.650, 0.850] | 0.7500 | 0.7500 | 0.7500 |",
        "| articles | strict | 2 | bm25 | 0.5000 [0.400, 0.600] | 0.5000 | 0.5000 | 0.5000 |",
    ]
    assert table(rows[:2]).row_count == 2


# tracks


CORPUS = (
    *DOCUMENTS,
    precedent(103, "손해배상(기)", "위법행위로 인한 손해배상책임의 요건", "", date="2023-02-02"),
    precedent(104, "손해배상(기)", "위법행위로 인한 손해배상책임의 범위와 요건", "", date="2022-03-01"),
    statute(
        "000900",
        "민법",
        "제750조",
        "불법행위",
        "위법행위로 손해를 가한 자는 배상할 책임이 있다.",
        law_kind="조선총독부법률",
    ),
)
QUERIES = [
    {"query_id": "103#1", "text": "위법행위로 인한 손해배상책임의 요건", "date": "2023-02-02", "names_statute": False},
    {
        "query_id": "9#0",
        "text": "형법상 공연히 사실을 적시하여 명예를 훼손한 자",
        "date": "2022-01-01",
        "names_statute": True,
    },
    {"query_id": "8#0", "text": "정당한 이유 없는 해고의 효력", "date": "2022-03-01", "names_statute": False},
    {"query_id": "7#0", "text": "아무것도 판정되지 않은 질의", "date": "2022-01-01", "names_statute": False},
]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    made = Recipe.model_validate(
        {"name": "e", "work": str(tmp_path), "index": {"root": str(tmp_path / "indexes"), "name": "fake"}}
    )
    write_corpus(made.folder("corpus"), CORPUS)
    write_rows(made.train_pairs, [{"positive_passages": ["001692-0307#0", "no-such-article#0"]}])
    write_rows(made.dev / "queries.jsonl", QUERIES)
    (made.dev / "qrels.articles.tsv").write_text(
        "103#1\t0\t민법 제750조\t1\n9#0\t0\t형법 제307조\t1\n8#0\t0\t근로기준법 제23조\t1\n8#0\t0\t형법 제307조\t0\n"
    )
    (made.dev / "qrels.precedents.tsv").write_text("103#1\t0\t101\t1\n8#0\t0\t102\t1\n")
    return made


def plan_of(recipe: Recipe) -> Plan:
    trained = trained_citations(recipe.train_pairs, DocumentStore(recipe.documents))
    return Plan(recipe.dev, recipe.folder("evaluate"), recipe.evaluate, trained)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("evaluate"), CORPUS)


def test_tracks_and_their_strata(recipe: Recipe) -> None:
    """Strict names no statute; unseen has no gold article in any training pair."""
    articles, precedents = tracks(plan_of(recipe))
    assert (articles.name, precedents.name) == ("articles", "precedents")
    assert {name: sorted(ids) for name, ids in articles.strata.items()} == {
        "all": ["103#1", "8#0", "9#0"], "strict": ["103#1", "8#0"], "named": ["9#0"], "unseen": ["103#1", "8#0"],
    }  # fmt: skip
    assert {name: sorted(ids) for name, ids in precedents.strata.items()} == {"all": ["103#1", "8#0"]}
    assert articles.queries[0] == query("103#1", "민법 제750조", text=str(QUERIES[0]["text"]), date="2023-02-02")
    assert precedents.queries[1].relevant == {"p102"}
    assert precedents.queries[1].kind == "precedent"


def test_trained_articles_are_known_by_citation(recipe: Recipe) -> None:
    documents = DocumentStore(recipe.documents)
    assert trained_citations(recipe.train_pairs, documents) == {"형법 제307조"}
    assert trained_citations(recipe.dev / "no-such-file", documents) == frozenset()


def test_an_empty_stratum_and_a_track_without_qrels_are_left_out(recipe: Recipe) -> None:
    (recipe.dev / "qrels.precedents.tsv").unlink()
    write_rows(recipe.dev / "queries.jsonl", [{**row, "names_statute": True} for row in QUERIES])
    (articles,) = tracks(plan_of(recipe))
    assert sorted(articles.strata) == ["all", "named", "unseen"]


def test_at_most_so_many_queries(recipe: Recipe) -> None:
    fewer = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"max_queries": 1})})
    assert [[one.query_id for one in part.queries] for part in tracks(plan_of(fewer))] == [["103#1"], ["103#1"]]


def test_without_training_pairs_nothing_is_called_unseen(recipe: Recipe) -> None:
    articles, _ = tracks(Plan(recipe.dev, recipe.dev, recipe.evaluate))
    assert sorted(articles.strata) == ["all", "named", "strict"]


# rankings


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_ranks_articles_by_citation(recipe: Recipe, searcher: Searcher, system: str) -> None:
    """Each citation once: a forerunner that shares one does not come beside the law in force."""
    articles, _ = tracks(plan_of(recipe))
    found = ranked(searcher, articles, system, recipe.evaluate)
    assert list(found) == [one.query_id for one in articles.queries]
    for scores in found.values():
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        assert all("제" in key for key in scores)
    assert next(iter(found["103#1"])) == "민법 제750조"
    assert next(iter(found["9#0"])) == "형법 제307조"


@pytest.mark.parametrize("system", SYSTEMS)
def test_precedents_are_earlier_than_the_query_and_never_its_own(
    recipe: Recipe, searcher: Searcher, system: str
) -> None:
    _, precedents = tracks(plan_of(recipe))
    found = ranked(searcher, precedents, system, recipe.evaluate)
    assert {"p101", "p104"} <= set(found["103#1"]) <= {"p101", "p102", "p104"}  # not p103 itself
    assert {"p102"} <= set(found["8#0"]) <= {"p101", "p102"}  # p104 is of the query's own day
    assert next(iter(found["8#0"])) == "p102"


def test_an_unknown_system_is_refused(recipe: Recipe, searcher: Searcher) -> None:
    part = next(tracks(plan_of(recipe)))
    with pytest.raises(RecipeError, match="no system 'bm26'; there are bm25, dense, hybrid, reranked"):
        ranked(searcher, part, "bm26", recipe.evaluate)


def test_the_step_writes_runs_measures_and_a_table(
    recipe: Recipe, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, ...]] = []

    def opened(*arguments: Any) -> Searcher:
        asked.append(arguments)
        return searcher

    monkeypatch.setattr(evaluate, "open_searcher", opened)
    evaluate.run(recipe)
    assert asked == [(Path(recipe.index.root), "fake", recipe.encoder_model, recipe.reranker_model)]
    folder = recipe.folder("evaluate")
    names = {f"{part}.{system}.tsv" for part in ("articles", "precedents") for system in SYSTEMS}
    assert {path.name for path in (folder / "runs").iterdir()} == names
    rows = json.loads((folder / "measures.json").read_text())
    assert len(rows) == 4 * 4 + 4  # systems × strata of track A, and all of track B
    first = next(row for row in rows if row["stratum"] == "all" and row["track"] == "articles")
    assert first["nDCG@10"]["low"] <= first["nDCG@10"]["mean"] <= first["nDCG@10"]["high"]
    assert first["ms"] > 0
    shown = (folder / "table.md").read_text()
    assert len(shown.splitlines()) == 2 + len(rows)
    assert shown.strip() in capsys.readouterr().out


def test_a_folder_without_judged_queries_is_refused(recipe: Recipe, searcher: Searcher, tmp_path: Path) -> None:
    for folder in (tmp_path / "nothing", recipe.dev):
        (recipe.dev / "qrels.articles.tsv").write_text("")
        (recipe.dev / "qrels.precedents.tsv").unlink(missing_ok=True)
        with pytest.raises(RecipeError, match=r"holds no judged query; it needs queries\.jsonl and qrels"):
            measure(searcher, Plan(folder, tmp_path / "out", recipe.evaluate))


# the command


def test_the_command_measures_an_index_that_is_there(
    recipe: Recipe, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluate, "open_searcher", lambda *arguments: searcher)
    arguments = [
        "--index",
        "fake",
        "--dev",
        str(recipe.dev),
        "--out",
        str(tmp_path / "out"),
        "--systems",
        "bm25",
        "dense",
    ]
    assert main([*arguments, "--train-pairs", str(recipe.train_pairs), "--max-queries", "2", "--depth", "20"]) == 0
    rows = json.loads((tmp_path / "out" / "measures.json").read_text())
    assert {row["system"] for row in rows} == {"bm25", "dense"}
    assert {row["n"] for row in rows if row["stratum"] == "all"} == {2}


def test_a_mistake_is_one_line_and_status_1(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*arguments: Any) -> Searcher:
        raise IndexMissing("no index nowhere; build it")

    monkeypatch.setattr(evaluate, "open_searcher", missing)
    assert main(["--index", "nowhere", "--dev", str(recipe.dev)]) == 1
    assert capsys.readouterr().err == "index_missing: no index nowhere; build it\n"
