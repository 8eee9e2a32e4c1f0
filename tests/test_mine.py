from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.law.documents import passages
from app.retrieval.store import DocumentStore, PassageStore, write_documents, write_passages
from tests import tiny
from tests.fakes import FakeEncoder
from training import mine
from training.recipe import Recipe, RecipeError
from training.vectors import Floats, nearest, passage_vectors


def mined(recipe: Recipe) -> tuple[list[dict[str, Any]], dict[str, int]]:
    pools = mine.Pools(
        DocumentStore(recipe.documents), PassageStore(recipe.passages), FakeEncoder(), recipe.folder("mine")
    )
    counts = mine.mine(recipe, pools, recipe.triples)
    mine.write_dev_pool(recipe, pools)
    return [json.loads(line) for line in recipe.triples.read_text().splitlines()], dict(counts)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    made = tiny.recipe(tmp_path)
    tiny.write_corpus(made)
    return made


def test_every_row_gets_negatives_of_the_kind_of_its_positive(recipe: Recipe) -> None:
    rows, counts = mined(recipe)
    assert [row["query_id"] for row in rows] == [row["query_id"] for row in tiny.train_rows()]
    assert all(len(row["hard_negatives"]) == len(set(row["hard_negatives"])) == 4 for row in rows)
    assert not any(negative.startswith("p") for row in rows for negative in row["hard_negatives"])
    assert counts["queries"] == len(tiny.TOPICS)


def test_no_negative_is_of_the_positive_s_document_or_cited_by_the_decision(recipe: Recipe) -> None:
    rows, counts = mined(recipe)
    for row in rows:
        assert not {negative.split("#")[0] for negative in row["hard_negatives"]} & set(row["exclude"])
    assert counts["of a positive's document"]
    assert counts["cited by the same decision"]


def test_the_same_text_under_another_law_is_no_negative(recipe: Recipe) -> None:
    made = tiny.documents()
    twin = next(row for row, d in enumerate(made) if d.doc_id == "000002-0001")
    made[twin] = type(made[twin])(
        **{
            **{name: getattr(made[twin], name) for name in made[twin].__slots__},
            "text": made[0].text.replace(" ", "  "),
        }
    )
    write_documents(recipe.documents, made)
    write_passages(
        recipe.passages, ((p.passage_id, row, p.text) for row, d in enumerate(made) for p in passages(d, 200))
    )
    pairs = [{**row, "exclude": []} for row in tiny.train_rows()]
    recipe.train_pairs.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    rows, counts = mined(recipe)
    assert "000002-0001#0" not in rows[0]["hard_negatives"]
    assert counts["same text as a positive"] == 1


def test_the_query_s_own_decision_is_no_negative(recipe: Recipe) -> None:
    pairs = [{**row, "positive_passages": ["p202201#0"], "exclude": []} for row in tiny.train_rows()]
    recipe.train_pairs.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    rows, counts = mined(recipe)
    assert counts["the query's own decision"] >= 1
    assert all(row["query_id"] not in row["hard_negatives"] for row in rows)


def test_a_margin_of_minus_one_drops_all_but_the_random_negatives(recipe: Recipe) -> None:
    strict = recipe.model_copy(update={"mine": recipe.mine.model_copy(update={"margin": -1.0, "random_share": 0.5})})
    rows, counts = mined(strict)
    assert counts["above the margin"] > 0
    assert len(rows) == len(tiny.TOPICS)


def test_the_same_seed_mines_the_same_and_max_queries_samples(recipe: Recipe) -> None:
    first, second = mined(recipe)[0], mined(recipe)[0]
    assert first == second
    few = recipe.model_copy(update={"mine": recipe.mine.model_copy(update={"max_queries": 5})})
    assert len(mined(few)[0]) == 5
    other = recipe.model_copy(update={"seed": recipe.seed + 1})
    assert mined(other)[0] != first


def test_chunks_do_not_change_the_triples(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mined(recipe)[0]
    monkeypatch.setattr(mine, "CHUNK", 5)
    assert mined(recipe)[0] == whole


def test_dev_candidates_are_written_for_the_evaluation(recipe: Recipe) -> None:
    mined(recipe)
    rows = [json.loads(line) for line in recipe.dev_pool.read_text().splitlines()]
    assert len(rows) == len(tiny.TOPICS)
    assert all(len(row["candidates"]) >= 12 for row in rows)


def test_sources_without_rows_are_refused(recipe: Recipe) -> None:
    other = recipe.model_copy(update={"mine": recipe.mine.model_copy(update={"query_sources": ("nothing",)})})
    with pytest.raises(RecipeError, match="nothing"):
        mined(other)


def test_a_positive_outside_the_corpus_is_refused(recipe: Recipe) -> None:
    recipe.train_pairs.write_text(json.dumps({**tiny.train_rows()[0], "positive_passages": ["999999-0001#0"]}) + "\n")
    with pytest.raises(RecipeError, match="999999-0001#0"):
        mined(recipe)


vectors = arrays(np.float32, st.tuples(st.integers(1, 40), st.just(4)), elements=st.floats(-1, 1, width=16))


@settings(deadline=None)
@given(vectors, vectors, st.integers(1, 50))
def test_nearest_is_exact(queries: Floats, stored: Floats, depth: int) -> None:
    scores, rows = nearest(queries, stored, depth)
    every = queries @ stored.T
    assert scores == pytest.approx(-np.sort(-every, axis=1)[:, :depth], abs=1e-5)
    assert scores == pytest.approx(np.take_along_axis(every, rows, axis=1), abs=1e-5)
    assert all(len(set(found)) == min(depth, len(stored)) for found in rows.tolist())


def test_nearest_is_exact_over_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, stored = (rng.standard_normal((n, 8), dtype=np.float32) for n in (3, 100))
    whole = nearest(queries, stored, 7)
    monkeypatch.setattr("training.vectors.SCORES", 3 * 11)
    blocks = nearest(queries, stored, 7)
    assert np.array_equal(whole[1], blocks[1])
    assert np.allclose(whole[0], blocks[0])


def test_vectors_are_kept_until_the_encoder_changes(recipe: Recipe, tmp_path: Path) -> None:
    store, path = PassageStore(recipe.passages), tmp_path / "vectors.npy"
    indices = np.arange(5)
    made = np.array(passage_vectors(FakeEncoder(), store, indices, path))
    written = path.stat().st_mtime_ns
    assert np.array_equal(passage_vectors(FakeEncoder(), store, indices, path), made)
    assert path.stat().st_mtime_ns == written
    passage_vectors(FakeEncoder(weights="other"), store, indices, path)
    assert path.stat().st_mtime_ns > written
