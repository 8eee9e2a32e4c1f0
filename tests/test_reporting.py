"""What a fine-tuning step tells of itself: measures.json, and curves where they are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from training import bi_encoder, mine, sections
from training.base import open_encoder
from training.measures import means
from training.pool import dev_pool
from training.recipe import Recipe, RecipeError
from training.trainer import reporter
from training.triples import read_triples


def trained(work: Path, **section: Any) -> Recipe:
    made = tiny.recipe(work, bi_encoder=section)
    tiny.write_corpus(made)
    tiny.save_encoder(made.base_model)
    mine.run(made)
    bi_encoder.run(made)
    return made


def test_measures_are_those_of_the_model_that_is_kept(tmp_path: Path) -> None:
    recipe = trained(tmp_path, lr=1e-2, stored="fp32")
    written = json.loads((recipe.folder("bi_encoder") / "measures.json").read_text())
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    evaluator = dev_pool(recipe, documents, passages, read_triples(recipe.triples, documents, passages))
    assert evaluator is not None
    seen = evaluator(open_encoder(recipe.encoder_model, recipe.bi_encoder))
    assert written == pytest.approx(seen, abs=1e-6)
    assert set(written) == set(means({}, {}))


def test_without_an_evaluator_there_are_none(tmp_path: Path) -> None:
    recipe = trained(tmp_path, best_by="loss")
    assert json.loads((recipe.folder("bi_encoder") / "measures.json").read_text()) == {}


def test_curves_stay_when_the_checkpoints_go(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    folder = trained(tmp_path, report_to="tensorboard").folder("bi_encoder")
    assert not (folder / "checkpoints").exists()
    (events,) = (folder / "tensorboard").glob("events.*")
    assert b"eval/nDCG@10" in events.read_bytes()


def test_nothing_reports_unless_asked(tmp_path: Path) -> None:
    folder = trained(tmp_path).folder("bi_encoder")
    assert not (folder / "tensorboard").exists()


def test_a_reporter_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import metadata

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert reporter(sections.BiEncoder()) == "none"
    with pytest.raises(RecipeError, match=r"report_to is 'wandb', which is not installed: pip install wandb"):
        reporter(sections.BiEncoder(report_to="wandb"))
