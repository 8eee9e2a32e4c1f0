"""A cross-encoder reads triples: its logits beside them, what it holds for relevant dropped, and the loss they make."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.retrieval.encoder import Encoder
from app.retrieval.reranker import Reranker
from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from tests.fakes import FakeEncoder
from tests.test_in_batch import cost, drawn, features, labelled, loss_on
from training import bi_encoder, mine, teaching
from training.base import open_encoder
from training.bi_encoder import TripleCollator
from training.pairs import PairsError, Row, read_json
from training.recipe import Recipe, RecipeError
from training.sections import Mine
from training.teaching import Teacher
from training.triples import read_triples

SPREAD = 0.3
"""Of a teacher's weights: its logits lie some tenths apart, so that a comparison of them says something."""


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    folder = tiny.save_body(tmp_path_factory.mktemp("teacher") / "model", "xlm-roberta-cross", SPREAD)
    return Reranker.load(folder, precision="fp32")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    made = tiny.recipe(tmp_path_factory.mktemp("triples"))
    tiny.write_corpus(made)
    tiny.save_encoder(made.base_model)
    pools = mine.Pools(*stores(made), FakeEncoder(), made.folder("mine"))
    mine.mine(made, pools, made.triples)
    return made


def stores(recipe: Recipe) -> tuple[DocumentStore, PassageStore]:
    return DocumentStore(recipe.documents), PassageStore(recipe.passages)


def rows_of(recipe: Recipe) -> list[Row]:
    return list(read_json(recipe.triples))


# what a teacher writes


def test_each_passage_has_the_logit_that_the_reranker_gives_its_text(recipe: Recipe, reranker: Reranker) -> None:
    _, passages = stores(recipe)
    for row in Teacher(reranker, passages, None).taught(rows_of(recipe)):
        ids = [*row["positive_passages"], *row["hard_negatives"]]
        wanted = reranker.score(row["query_text"], [passages.text(passages.rows[one]) for one in ids])
        assert row["teacher"] == pytest.approx(wanted.tolist(), abs=1e-3)


def test_a_row_with_texts_has_positives_given_and_mined_negatives_in_that_order(
    recipe: Recipe, reranker: Reranker
) -> None:
    _, passages = stores(recipe)
    row = {"query": "차임", "pos": ["임대인은", "임차인은"], "neg": ["사용자는"], "hard_negatives": ["000001-0003#0"]}
    (taught,) = Teacher(reranker, passages, None).taught([row])
    texts = ["임대인은", "임차인은", "사용자는", passages.text(passages.rows["000001-0003#0"])]
    assert taught["teacher"] == pytest.approx(reranker.score("차임", texts).tolist(), abs=1e-3)
    assert {**taught, "teacher": None} == {**row, "teacher": None}


@settings(deadline=None, max_examples=20)
@given(st.floats(-0.3, 0.3))
def test_no_negative_is_left_within_the_margin_of_the_best_positive(
    recipe: Recipe, reranker: Reranker, margin: float
) -> None:
    counts = Counter[str]()
    passages, rows = stores(recipe)[1], rows_of(recipe)
    every = {row["query_id"]: row for row in Teacher(reranker, passages, None).taught(rows)}
    left = {row["query_id"]: row for row in Teacher(reranker, passages, margin, counts).taught(rows)}
    dropped = 0
    for query_id, row in every.items():
        logits = dict(zip(row["hard_negatives"], row["teacher"][1:], strict=True))
        wanted = [one for one, logit in logits.items() if logit <= row["teacher"][0] - margin]
        dropped += len(logits) - len(wanted)
        if wanted:
            assert left[query_id]["hard_negatives"] == wanted
            assert left[query_id]["teacher"] == [row["teacher"][0], *(logits[one] for one in wanted)]
        else:
            assert query_id not in left
    assert counts["relevant to the teacher"] == dropped
    assert counts["queries without negatives after the teacher"] == len(every) - len(left)


def test_chunks_do_not_change_what_is_taught(
    recipe: Recipe, reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, rows = Teacher(reranker, stores(recipe)[1], None), rows_of(recipe)
    whole = [row["teacher"] for row in teacher.taught(rows)]
    monkeypatch.setattr(teaching, "CHUNK", 5)
    assert [row["teacher"] for row in teacher.taught(rows)] == [pytest.approx(own, abs=1e-3) for own in whole]


def test_the_mine_step_asks_the_teacher_of_the_recipe(tmp_path: Path) -> None:
    folder = tiny.save_body(tmp_path / "teacher", "xlm-roberta-cross", SPREAD)
    made = tiny.recipe(tmp_path, mine={"teacher": str(folder), "teacher_margin": 0.0})
    tiny.write_corpus(made)
    pools = mine.Pools(*stores(made), FakeEncoder(), made.folder("mine"))
    counts = mine.mine(made, pools, made.triples)
    rows = rows_of(made)
    assert all(max(row["teacher"][1:]) <= row["teacher"][0] for row in rows)
    assert counts["relevant to the teacher"] > 0


def test_a_margin_without_a_teacher_is_refused() -> None:
    with pytest.raises(ValidationError, match="teacher_margin needs a teacher"):
        Mine(teacher_margin=1.0)


# what the bi-encoder makes of it


def test_logits_turn_with_the_negatives(recipe: Recipe, tmp_path: Path) -> None:
    ids = ["000001-0001#0", "000001-0002#0", "000001-0003#0", "000001-0004#0", "000001-0005#0"]
    row = {
        "query_text": "물음", "positive_passages": ids[:2], "hard_negatives": ids[2:], "teacher": [1, 2, 3, 4, 5],
    }  # fmt: skip
    (tmp_path / "triples.jsonl").write_text(json.dumps(row))
    first, second = read_triples(tmp_path / "triples.jsonl", *stores(recipe)).examples
    assert (first.teacher, second.teacher) == ((1, 3, 4, 5), (2, 4, 5, 3))
    assert second.negatives == (first.negatives[1], first.negatives[2], first.negatives[0])
    (tmp_path / "triples.jsonl").write_text(json.dumps({**row, "teacher": [1, 2]}))
    with pytest.raises(PairsError, match="2 logits of the teacher for other passages"):
        read_triples(tmp_path / "triples.jsonl", *stores(recipe))


def test_a_batch_carries_the_logits_beside_its_passages(recipe: Recipe, tmp_path: Path) -> None:
    rows = [{**row, "teacher": [9.0, 1.0, 2.0, 3.0, 4.0]} for row in rows_of(recipe)]
    rows[1] = {**rows[1], "hard_negatives": rows[1]["hard_negatives"][:1], "teacher": [8.0, 5.0]}
    (tmp_path / "triples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    triples = read_triples(tmp_path / "triples.jsonl", *stores(recipe))
    section = recipe.bi_encoder.model_copy(update={"negatives": 2, "distillation": 1.0})
    batch = TripleCollator(open_encoder(recipe.base_model, section), triples, section)([{"row": 0}, {"row": 1}])
    assert batch["passage_teacher"].tolist() == [9, 8, 1, 5, 2, -math.inf]
    assert len(batch["passage_teacher"]) == len(batch["passage_input_ids"])


@given(st.integers(1, 5), st.integers(2, 4), st.integers(0, 99), st.data())
def test_distillation_is_the_distance_of_two_distributions(
    batch: int, width: int, seed: int, data: st.DataObject
) -> None:
    queries, passages = drawn(batch, 6, seed=seed), drawn(batch * width, 6, seed=seed + 100)
    logits = drawn(width, batch, seed=seed + 200) * 3
    for row in range(batch):
        logits[data.draw(st.integers(1, width)) :, row] = -math.inf
    labels = labelled(batch, width)
    with_teacher = loss_on(temperature=0.3, distillation=0.7)
    taught = {**features(passages), "teacher": logits.reshape(-1)}
    found = float(with_teacher([features(queries), taught], labels)) - cost(with_teacher, queries, passages, labels)
    assert found == pytest.approx(0.7 * naive(queries, passages, logits, 0.3), rel=1e-3, abs=1e-5)


def naive(queries: torch.Tensor, passages: torch.Tensor, logits: torch.Tensor, temperature: float) -> float:
    """Mean of Σ p ln(p / q) over the places that have a passage."""
    batch, total = len(queries), 0.0
    for row in range(batch):
        places = [place for place in range(len(logits)) if not math.isinf(logits[place, row])]
        near = [
            float(torch.cosine_similarity(queries[row], passages[place * batch + row], dim=0)) / temperature
            for place in places
        ]
        wanted, given_ = (shares([float(logits[place, row]) for place in places]), shares(near))
        total += sum(p * math.log(p / q) for p, q in zip(wanted, given_, strict=True))
    return total / batch


def shares(scores: list[float]) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def test_the_step_learns_from_a_teacher_and_refuses_to_without_one(tmp_path: Path) -> None:
    made: dict[str, Any] = {"max_steps": 12, "eval_steps": 99, "distillation": 5.0, "lr": 5e-3}
    recipe = tiny.recipe(tmp_path, bi_encoder=made)
    tiny.write_corpus(recipe)
    tiny.save_encoder(recipe.base_model)
    pools = mine.Pools(*stores(recipe), FakeEncoder(), recipe.folder("mine"))
    mine.mine(recipe, pools, recipe.triples)
    mine.write_dev_pool(recipe, pools)
    with pytest.raises(RecipeError, match=r"set mine\.teacher and mine again"):
        bi_encoder.run(recipe)
    rows = rows_of(recipe)
    recipe.triples.write_text("".join(json.dumps({**row, "teacher": [0, 9, 0, 0, 0]}) + "\n" for row in rows))
    first = preferred(recipe, recipe.base_model)
    bi_encoder.run(recipe)
    assert preferred(recipe, recipe.encoder_model) > first, "the first negative, which the teacher prefers"


def preferred(recipe: Recipe, folder: Path) -> float:
    """By how much the first negative of the rows is nearer to its query than its second, on average."""
    encoder, passages = Encoder.load(folder, precision="fp32"), stores(recipe)[1]
    rows = rows_of(recipe)
    queries = encoder.encode_queries([row["query_text"] for row in rows])
    near = [
        encoder.encode_passages([passages.text(passages.rows[row["hard_negatives"][n]]) for row in rows])
        for n in (0, 1)
    ]
    return float(cast(Any, np.mean((queries * (near[0] - near[1])).sum(axis=1))))
