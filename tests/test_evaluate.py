from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import IndexMissing
from app.retrieval.searcher import Searcher
from tests.fakes import build_index, write_corpus
from tests.judged import CORPUS, TRAINED, query, ranking, track, write_citizens, write_dev
from training import evaluate
from training.evaluate import Measured, Plan, comparison, main, measure, rows, table
from training.evaluation_files import markdown, processor, read_file, rounded
from training.leaks import LeakError
from training.measures import calibration_error
from training.pairs import write_rows
from training.recipe import Recipe, RecipeError
from training.report import RunFolder, page
from training.run_files import write_run
from training.scores import NAMES, run_of, values
from training.sections import Evaluate
from training.systems import DEFAULT, SYSTEMS

SHIPPED = Evaluate().systems
FILES = {
    "runs", "measures.json", "table.md", "values.json", "strata.json", "recall.json", "relevance.json",
    "failures.jsonl", "failures.md", "meta.json",
}  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    citizens = write_citizens(tmp_path / "citizen")
    sections = {"index": {"root": str(tmp_path / "indexes"), "name": "fake"}, "evaluate": {"citizens": str(citizens)}}
    made = Recipe.model_validate({"name": "e", "work": str(tmp_path), **sections})
    write_corpus(made.folder("corpus"), CORPUS)
    row = {"query_id": "p1#0", "query_text": "공연히", "date": "2015-01-01", "positive_passages": ["001692-0307#0"]}
    write_rows(made.train_pairs, [row] * TRAINED["001692-0307"])
    write_dev(made.dev)
    return made


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("evaluate"), CORPUS)


def plan_of(recipe: Recipe, **changes: Any) -> Plan:
    return replace(Plan(recipe.dev, recipe.folder("evaluate"), recipe.evaluate, TRAINED), **changes)


def found_in(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


# the step


@pytest.fixture
def folder(
    recipe: Recipe, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """What the step wrote, with the searcher that its recipe names."""
    asked: list[tuple[Any, ...]] = []

    def opened(*arguments: Any) -> Searcher:
        asked.append(arguments)
        return searcher

    monkeypatch.setattr(evaluate, "open_searcher", opened)
    evaluate.run(recipe)
    assert asked == [(Path(recipe.index.root), "fake", recipe.encoder_model, recipe.reranker_model)]
    return recipe.folder("evaluate")


def test_the_step_writes_a_row_per_track_stratum_and_system(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    parts = ("articles", "citizens", "precedents")
    assert {path.name for path in (folder / "runs").iterdir()} == {f"{p}.{s}.tsv" for p in parts for s in SHIPPED}
    listed = found_in(folder, "measures.json")
    strata = found_in(folder, "strata.json")
    assert [(r["track"], r["stratum"], r["system"]) for r in listed] == [
        (part, stratum, system) for part in parts for stratum in strata[part] for system in SHIPPED
    ]
    for row in listed:
        assert row["n"] == len(strata[row["track"]][row["stratum"]])
        assert {*row["measures"]} - {"ECE"} == {*NAMES}
        assert ("ECE" in row["measures"]) == (row["stratum"] == "all" and row["system"] == DEFAULT)
        assert "ms" not in row
        for score in row["measures"].values():
            assert 0 <= score["low"] <= score["high"]
    assert len((folder / "table.md").read_text().splitlines()) == 2 + len(listed)
    assert "articles: calibration error of hybrid+rerank 0." in capsys.readouterr().out


def test_the_files_agree_with_one_another(folder: Path) -> None:
    """Means are those of the values, recall at 10 and 100 those of the curves, the error that of the relevances."""
    by_query, curves, strata = (found_in(folder, f"{name}.json") for name in ("values", "recall", "strata"))
    for row in found_in(folder, "measures.json"):
        found = by_query[row["track"]][row["system"]]
        for name in NAMES:
            mean = sum(found[q][name] for q in strata[row["track"]][row["stratum"]]) / row["n"]
            assert row["measures"][name]["mean"] == pytest.approx(mean, abs=1e-6)
        curve = curves[row["track"]][row["system"]]
        if row["stratum"] == "all":
            assert curve["k"][-1] == (100 if "+rerank" in row["system"] else 200)
            assert curve["recall"][3] == pytest.approx(row["measures"]["R@10"]["mean"])
        if "ECE" in row["measures"]:
            pairs = found_in(folder, "relevance.json")[row["track"]]
            error = calibration_error(*np.array(pairs).T)
            assert row["measures"]["ECE"]["mean"] == pytest.approx(error, abs=1e-5)


def test_the_folder_says_what_was_measured(folder: Path, searcher: Searcher) -> None:
    meta = found_in(folder, "meta.json")
    assert (meta["index"], meta["version"]) == (searcher.index.name.name, searcher.index.name.version)
    assert meta["models"][0].startswith("fake-encoder ")
    assert (meta["depth"], meta["first_depth"], meta["machine"]) == (100, 200, processor())
    assert meta["queries"] == {"articles": 3, "citizens": 2, "precedents": 2}
    assert meta["seconds"] > 0


def test_the_report_reads_the_folder(folder: Path) -> None:
    made = page(RunFolder.read(folder))
    assert "never seen" in made
    assert "hybrid+rerank" in made


def test_a_leak_stops_the_step(recipe: Recipe) -> None:
    write_rows(recipe.weak_pairs, [{"query": "정당한 이유 없는  해고의 효력", "pos": ["x"], "source": "title_article"}])
    with pytest.raises(LeakError, match="asks what dev query 8#0 asks"):
        evaluate.run(recipe)


# what is measured


def test_citizens_need_an_index_that_holds_their_law(
    recipe: Recipe, searcher: Searcher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = write_citizens(tmp_path / "other", ["주택임대차보호법 제3조", "상법 제24조", "형법 제307조"])
    settings = Evaluate(systems=("bm25", "dense"), citizens=str(elsewhere))
    listed = measure(searcher, plan_of(recipe, settings=settings))
    assert {row["track"] for row in listed} == {"articles", "precedents"}
    assert "citizens: left out, the index holds 1 of 3 relevant articles" in capsys.readouterr().out
    settings = Evaluate(systems=("bm25", "dense"), citizens="")
    assert measure(searcher, plan_of(recipe, settings=settings)) == listed


def test_chosen_tracks_alone(recipe: Recipe, searcher: Searcher, capsys: pytest.CaptureFixture[str]) -> None:
    listed = measure(searcher, plan_of(recipe, tracks=("precedents",), settings=Evaluate(systems=("bm25",))))
    assert {row["track"] for row in listed} == {"precedents"}
    assert "citizens" not in capsys.readouterr().out


def test_without_training_counts_rarity_is_left_out_aloud(
    recipe: Recipe, searcher: Searcher, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = measure(searcher, plan_of(recipe, counts={}))
    assert not [row for row in listed if "seen" in row["stratum"]]
    assert capsys.readouterr().out.startswith("rarity: left out")


def test_a_system_measured_alone_says_how_long_it_takes(recipe: Recipe, searcher: Searcher) -> None:
    alone = Evaluate(systems=("dense",), citizens="")
    listed = measure(searcher, plan_of(recipe, settings=alone))
    assert all(row["ms"] > 0 for row in listed)
    assert str(table(listed).columns[-1].header) == "ms"
    assert [row["system"] for row in listed if "ECE" in row["measures"]] == ["dense", "dense"]


def test_a_folder_without_judged_queries_is_refused(recipe: Recipe, searcher: Searcher, tmp_path: Path) -> None:
    settings = Evaluate(citizens="")
    for folder in (tmp_path / "nothing", recipe.dev):
        (recipe.dev / "qrels.articles.tsv").write_text("")
        (recipe.dev / "qrels.precedents.tsv").unlink(missing_ok=True)
        with pytest.raises(RecipeError, match=r"holds no judged query; it needs queries\.jsonl and qrels"):
            measure(searcher, plan_of(recipe, dev=folder, settings=settings))


# against an earlier run


def measured(*found: str) -> Measured:
    """One query whose relevant document is `a`, ranked by hybrid+rerank."""
    part, rankings = track(query("q", "a")), {DEFAULT: {"q": ranking(found)}}
    by_query = {DEFAULT: values(part, run_of(rankings[DEFAULT]))}
    return Measured(part, {"all": ("q",)}, rankings, by_query)


def test_a_run_is_compared_with_an_earlier_one(tmp_path: Path) -> None:
    """Systems that only one has are passed over; the earlier name of the default system is known."""
    write_run(tmp_path, "articles", "reranked", run_of({"q": ranking(["x", "x2", "a"]), "other": ranking(["a"])}))
    write_run(tmp_path, "articles", "bm25", run_of({"q": ranking(["a"])}))
    first, second = comparison(measured("a", "x"), tmp_path)
    assert first == {
        "track": "articles", "system": DEFAULT, "stratum": "all", "measure": "nDCG@10", "n": 1,
        "before": 0.5, "after": 1.0, "difference": 0.5, "low": 0.5, "high": 0.5, "p": 1.0,
    }  # fmt: skip
    assert (second["measure"], second["difference"]) == ("R@100", 0.0)


def test_a_query_the_earlier_run_did_not_rank_takes_no_part(tmp_path: Path) -> None:
    write_run(tmp_path, "articles", DEFAULT, run_of({"other": ranking(["a"])}))
    assert list(comparison(measured("a"), tmp_path)) == []


def test_the_comparison_is_written_and_goes_with_its_run(
    recipe: Recipe, searcher: Searcher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(recipe, folder=tmp_path / "first")
    measure(searcher, plan)
    capsys.readouterr()
    measure(searcher, replace(plan, folder=tmp_path / "second", against=tmp_path / "first"))
    listed = found_in(tmp_path / "second", "comparison.json")
    assert {row["system"] for row in listed} == {*SHIPPED}
    assert {(row["difference"], row["low"], row["high"], row["p"]) for row in listed} == {(0.0, 0.0, 0.0, 1.0)}
    assert (tmp_path / "second" / "comparison.md").read_text().strip() in capsys.readouterr().out
    write_run(tmp_path / "third", "articles", "dense", run_of({"other": ranking(["a"])}))
    measure(searcher, replace(plan, folder=tmp_path / "second", against=tmp_path / "third"))
    assert "third and this run have no query and system in common" in capsys.readouterr().out
    measure(searcher, replace(plan, folder=tmp_path / "second"))
    assert {path.name for path in (tmp_path / "second").iterdir()} == FILES


def test_nothing_to_compare_with_is_said_before_the_search(recipe: Recipe, searcher: Searcher, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere holds no runs/\*\.tsv to compare with"):
        measure(searcher, plan_of(recipe, against=tmp_path / "nowhere"))


# tables


def test_the_table_has_every_row_in_order() -> None:
    def row(stratum: str, system: str, mean: float) -> dict[str, Any]:
        spread = {name: {"mean": mean, "low": mean - 0.1, "high": mean + 0.1} for name in NAMES}
        return {"track": "articles", "stratum": stratum, "n": 4, "system": system, "measures": spread}

    listed = [row("all", "bm25", 0.25), row("all", "dense", 0.75), row("strict", "bm25", 0.5)]
    lines = markdown(listed).splitlines()
    assert lines[0] == "| track | stratum | n | system | nDCG@10 [95 %] | RR@10 | R@10 | R@100 |"
    assert lines[2:] == [
        "| articles | all | 4 | bm25 | 0.2500 [0.150, 0.350] | 0.2500 | 0.2500 | 0.2500 |",
        "| articles | all | 4 | dense | 0.7500 [0.650, 0.850] | 0.7500 | 0.7500 | 0.7500 |",
        "| articles | strict | 4 | bm25 | 0.5000 [0.400, 0.600] | 0.5000 | 0.5000 | 0.5000 |",
    ]
    assert table(listed).row_count == 3


def test_rows_of_a_track_by_hand() -> None:
    (row,) = rows(measured("x", "a"))
    assert (row["track"], row["stratum"], row["system"], row["n"]) == ("articles", "all", DEFAULT, 1)
    assert row["measures"]["RR@10"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert row["measures"]["ECE"]["mean"] == pytest.approx((1.0 + 0.5) / 2)  # 1.0 of x, 0.5 of a


def test_values_are_rounded_at_any_depth() -> None:
    assert rounded({"a": [(1 / 3, 1)], "b": "c"}) == {"a": [[0.333333, 1]], "b": "c"}


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text("{")
    with pytest.raises(Exception, match=r"values\.json is not JSON"):
        read_file(tmp_path, "values.json")


# the command


def test_the_command_measures_an_index_that_is_there(
    recipe: Recipe, searcher: Searcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluate, "open_searcher", lambda *arguments: searcher)
    places = ["--index", "fake", "--dev", str(recipe.dev), "--out", str(tmp_path / "out"), "--citizens", ""]
    settings = ["--train-pairs", str(recipe.train_pairs), "--max-queries", "2", "--depth", "20"]
    assert main([*places, *settings, "--systems", "bm25", "dense"]) == 0
    listed = found_in(tmp_path / "out", "measures.json")
    assert {row["system"] for row in listed} == {"bm25", "dense"}
    assert {row["n"] for row in listed if row["stratum"] == "all"} == {2}
    assert found_in(tmp_path / "out", "meta.json")["depth"] == 20
    again = ["--against", str(tmp_path / "out"), "--tracks", "articles", "--systems", "bm25"]
    assert main([*places, *settings, *again]) == 0
    assert {row["track"] for row in found_in(tmp_path / "out", "comparison.json")} == {"articles"}


def test_a_mistake_is_one_line_and_status_1(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(*arguments: Any) -> Searcher:
        raise IndexMissing("no index nowhere; build it")

    monkeypatch.setattr(evaluate, "open_searcher", missing)
    assert main(["--index", "nowhere", "--dev", str(recipe.dev)]) == 1
    assert capsys.readouterr().err == "index_missing: no index nowhere; build it\n"


def test_every_system_of_a_recipe_is_known() -> None:
    assert {*SHIPPED} <= {*SYSTEMS}
    assert SHIPPED[-1] == DEFAULT
