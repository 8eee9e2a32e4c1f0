from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

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
from training.sections import Mine
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


# weak pairs, and what stands beside a positive


def changed(recipe: Recipe, **values: Any) -> Recipe:
    return recipe.model_copy(update={"mine": recipe.mine.model_copy(update=values)})


def weak(recipe: Recipe, source: str, key: str, text: str, **more: Any) -> None:
    """One more row of weak.jsonl."""
    row = {"query": f"{text}?", "pos": [f"제목\n{text}"], "neg": [], "source": source, "key": key, **more}
    with recipe.weak_pairs.open("a") as sink:
        sink.write(json.dumps(row) + "\n")


def test_rows_with_texts_are_mined_beside_those_with_ids(recipe: Recipe) -> None:
    for number, (_, text) in enumerate(tiny.TOPICS, 1):
        weak(recipe, "title_article", f"000002-{number:04d}", text, exclude=[f"000001-{number:04d}"])
        weak(recipe, "other", f"000002-{number:04d}", text)
    for number, (_, text) in enumerate(tiny.TOPICS[:2], 1):
        weak(recipe, "issue_precedent", f"p2015{number:02d}#0", text, query_id=f"p2022{number:02d}#0")
    rows, counts = mined(changed(recipe, weak={"title_article": 3, "issue_precedent": 0}))
    sources = [row["source"] for row in rows]
    assert sources == ["issue_article"] * len(tiny.TOPICS) + ["issue_precedent"] * 2 + ["title_article"] * 3
    assert counts["queries"] == len(rows)
    for row in rows:
        own = {row.get("key", "").split("#")[0], row.get("query_id", "").split("#")[0], *row.get("exclude", ())}
        found = {negative.split("#")[0] for negative in row["hard_negatives"]}
        assert found
        assert not found & own
        assert {one.startswith("p") for one in found} == {row["source"] == "issue_precedent"}


def test_the_text_of_a_row_is_its_positive(recipe: Recipe) -> None:
    """What scores above `margin` × the text is dropped, and what has its body under another number."""
    body = tiny.documents()[14].text
    weak(recipe, "title_article", "000001-0001", body)
    rows, counts = mined(changed(recipe, weak={"title_article": 0}, query_sources=()))
    assert len(rows) == 1
    assert counts["same text as a positive"] == 1
    assert "000002-0003#0" not in rows[0]["hard_negatives"]


def test_a_text_whose_document_is_not_there_is_refused(recipe: Recipe) -> None:
    weak(recipe, "title_article", "000009-0001", "글")
    with pytest.raises(RecipeError, match="document 000009-0001 is not in this corpus"):
        mined(changed(recipe, weak={"title_article": 0}))


def test_each_source_has_its_own_limit(recipe: Recipe) -> None:
    pairs = [{**row, "source": source} for source in ("issue_article", "mine", "none") for row in tiny.train_rows()]
    recipe.train_pairs.write_text("".join(json.dumps(row) + "\n" for row in pairs))
    rows, _ = mined(changed(recipe, max_queries=5, query_sources=("issue_article", "mine")))
    assert Counter(row["source"] for row in rows) == {"issue_article": 5, "mine": 5}


SOURCES = st.sampled_from("abc")


@given(
    st.lists(st.tuples(SOURCES, st.sampled_from(["statute", "precedent"])), max_size=30),
    st.dictionaries(SOURCES, st.integers(0, 5)),
    st.integers(0, 9),
)
def test_of_each_source_as_many_rows_as_wanted_are_drawn(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], wanted: dict[str, int], seed: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    path.write_text("".join(json.dumps({"source": source, "kind": kind}) + "\n" for source, kind in rows))
    chosen = mine.chosen_rows(path, wanted, seed, lambda row: row["kind"])
    again = mine.chosen_rows(path, wanted, seed, lambda row: row["kind"])
    assert {kind: numbers.tolist() for kind, numbers in chosen.items()} == {k: n.tolist() for k, n in again.items()}
    for kind, numbers in chosen.items():
        assert numbers.tolist() == sorted(set(numbers.tolist()))
        assert {rows[number][1] for number in numbers.tolist()} == {kind}
    counts = Counter(rows[number][0] for numbers in chosen.values() for number in numbers.tolist())
    there = Counter(source for source, _ in rows if source in wanted)
    assert counts == {source: min(count, wanted[source] or count) for source, count in there.items()}


def miner(recipe: Recipe) -> tuple[mine.Miner, mine.Pool]:
    stores = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    pools = mine.Pools(*stores, FakeEncoder(), recipe.folder("mine"))
    return mine.Miner(recipe.mine, recipe.seed, pools), pools["statute"]


@pytest.mark.parametrize("reach", [1, 2, 30])
def test_neighbours_are_of_the_same_law_and_within_reach(recipe: Recipe, reach: int) -> None:
    """The first law's last article stands before the second law's first."""
    own, pool = miner(changed(recipe, beside=reach))
    laws = [document.law_id for document in tiny.documents()]
    for number in range(2 * len(tiny.TOPICS)):
        document = tiny.documents()[number]
        found = own._beside({"positive_passages": [f"{document.doc_id}#0"]}, pool)
        near = {
            n for n, law in enumerate(laws) if law == document.law_id and 0 < abs(n - number) <= reach
        }  # fmt: skip
        assert set(pool.documents[found].tolist()) == near


def test_a_decision_has_no_neighbours(recipe: Recipe) -> None:
    own, _ = miner(changed(recipe, beside=2))
    pools = mine.Pools(own.documents, own.passages, FakeEncoder(), recipe.folder("mine"))
    assert own._beside({"positive_passages": ["p201502#0"]}, pools["precedent"]).tolist() == []


def test_neighbours_become_negatives(recipe: Recipe) -> None:
    alone = {"depth": 1, "lexical": 0, "random_share": 0.0, "negatives": 4, "margin": 9.0, "duplicate": 1.0}
    rows, _ = mined(changed(recipe, beside=2, **alone))
    for number, row in enumerate(rows, 1):
        near = {
            f"000001-{other:04d}#0" for other in range(number - 2, number + 3) if 0 < other <= 12 and other != number
        }
        assert len(near & set(row["hard_negatives"])) >= min(len(near), 4) - 1, "the dense one may take a place"


@given(
    arrays(np.float32, (6, 3), elements=st.floats(-1, 1, width=16)),
    arrays(np.float32, st.tuples(st.integers(1, 3), st.just(3)), elements=st.floats(-1, 1, width=16)),
    st.lists(st.integers(0, 5), max_size=6, unique=True),
    st.sampled_from([-0.5, 0.25, 0.98, 1.0]),
)
def test_what_is_nearly_a_positive_is_dropped(stored: Floats, positives: Floats, kept: list[int], limit: float) -> None:
    made = mine.Miner.__new__(mine.Miner)
    made.section, made.counts = Mine(duplicate=limit), Counter()
    pool = cast(mine.Pool, SimpleNamespace(vectors=stored))
    wanted = [n for n in kept if limit >= 1 or max(float(stored[n] @ one) for one in positives) <= limit]
    assert made._distinct(kept, positives, pool) == pytest.approx(wanted)
    assert made.counts["nearly a positive"] == len(kept) - len(wanted)
