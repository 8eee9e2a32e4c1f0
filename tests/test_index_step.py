from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.retrieval.encoder import Encoder
from app.retrieval.index import Index, current
from app.retrieval.reranker import Reranker
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest
from tests import tiny
from tests.test_reranker import save_reranker
from training import index as step


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return tiny.save_encoder(folder / "bi"), save_reranker(folder / "cross", "modernbert")


def test_the_step_publishes_what_the_steps_before_it_made(
    tmp_path: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny.recipe(tmp_path / "work", index={"name": "tiny", "root": str(tmp_path / "indexes")})
    tiny.write_corpus(recipe)
    for made, place in zip(models, (recipe.encoder_model, recipe.reranker_model), strict=True):
        place.parent.mkdir(parents=True)
        place.symlink_to(made)
    step.run(recipe)
    encoder, reranker = Encoder.load(models[0], "cpu"), Reranker.load(models[1], "cpu")
    index = Index.open(current(tmp_path / "indexes", "tiny"), encoder, reranker, verify=True)
    assert len(index.documents) == len(tiny.documents())
    results = Searcher(index, encoder, reranker).search(SearchRequest("임금은 매월 한 번 이상")).results
    assert len(results) == 10
    said = capsys.readouterr().out
    assert "built in" in said
    assert "GB of memory" in said


def test_the_command_goes_from_records_to_an_index(
    tmp_path: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    records = tmp_path / "records.jsonl"
    record = {
        "law_id": "000001", "law": "모래법", "kind": "법률", "article": "제1조", "title": "목적",
        "text": "제1조(목적) 모래를 지킨다.", "effective_date": "2001-01-01",
        "promulgated_date": "2000-12-01", "mst": "1",
    }  # fmt: skip
    records.write_text(json.dumps(record, ensure_ascii=False) + "\n")
    places = ["--root", str(tmp_path / "indexes"), "--work", str(tmp_path / "work")]
    chosen = ["--encoder", str(models[0]), "--reranker", ""]
    assert step.main(["--source", str(records), "--name", "own", *places, *chosen]) == 0
    index = Index.open(current(tmp_path / "indexes", "own"), Encoder.load(models[0], "cpu"), None)
    assert [document.citation for document in index.documents] == ["모래법 제1조"]
    assert index.manifest.reranker is None
    capsys.readouterr()


def test_a_missing_model_is_one_line_and_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "none")
    assert step.main(["--source", str(tmp_path), "--name", "own", "--encoder", missing]) == 1
    assert capsys.readouterr().err.startswith(f"model_error: no model folder {missing}")
