from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.errors import IndexMismatch, IndexMissing, ModelError
from app.retrieval import opening
from app.retrieval.opening import open_searcher
from app.retrieval.types import SearchRequest
from tests.fakes import FakeEncoder, FakeReranker, build_index

MODELS = Path("models")


class Loaded:
    """Stands for a model class: `load` gives what it was made with, and notes what it was asked for."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.asked: list[tuple[Any, ...]] = []

    def load(self, *arguments: Any) -> Any:
        self.asked.append(arguments)
        if isinstance(self.model, Exception):
            raise self.model
        return self.model


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opening")
    build_index(folder)
    return folder / "indexes"


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    loaded = Loaded(FakeEncoder())
    monkeypatch.setattr(opening, "Encoder", loaded)
    return loaded


@pytest.fixture
def reranker(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    loaded = Loaded(FakeReranker())
    monkeypatch.setattr(opening, "Reranker", loaded)
    return loaded


def test_both_models_take_part(root: Path, encoder: Loaded, reranker: Loaded) -> None:
    searcher = open_searcher(root, "fake", MODELS / "bi", MODELS / "cross", device="cpu", precision="fp32")
    assert encoder.asked == [(MODELS / "bi", "cpu", "fp32")]
    assert reranker.asked == [(MODELS / "cross", "cpu", "fp32")]
    response = searcher.search(SearchRequest("손해를 배상할 책임"))
    assert response.results[0].citation == "민법 제750조"
    assert response.degraded is None
    assert response.index.name == "fake"


def test_without_a_reranker_the_first_stage_answers(root: Path, encoder: Loaded, reranker: Loaded) -> None:
    searcher = open_searcher(root, "fake", MODELS / "bi", None)
    response = searcher.search(SearchRequest("손해를 배상할 책임"))
    assert response.results[0].citation == "민법 제750조"
    assert response.degraded == "reranker unavailable: none is configured"
    assert reranker.asked == []


def test_an_empty_name_is_no_reranker(root: Path, encoder: Loaded, reranker: Loaded) -> None:
    searcher = open_searcher(root, "fake", "models/bi", "")
    assert searcher.search(SearchRequest("손해", rerank=False)).degraded is None
    assert reranker.asked == []


@pytest.mark.parametrize("which", ["encoder", "reranker"])
def test_a_model_that_cannot_be_loaded_is_an_error(root: Path, encoder: Loaded, reranker: Loaded, which: str) -> None:
    {"encoder": encoder, "reranker": reranker}[which].model = ModelError("no config.json; train it again")
    with pytest.raises(ModelError, match="train it again"):
        open_searcher(root, "fake", MODELS / "bi", MODELS / "cross")


def test_a_reranker_other_than_the_index_was_built_with_is_refused(
    root: Path, encoder: Loaded, reranker: Loaded
) -> None:
    reranker.model = FakeReranker(weights="other")
    with pytest.raises(IndexMismatch):
        open_searcher(root, "fake", MODELS / "bi", MODELS / "cross")


def test_another_encoder_than_the_index_was_built_with_is_refused(root: Path, encoder: Loaded) -> None:
    encoder.model = FakeEncoder(weights="other")
    with pytest.raises(IndexMismatch):
        open_searcher(root, "fake", MODELS / "bi", None)


def test_an_index_that_is_not_there_is_missing(tmp_path: Path, encoder: Loaded) -> None:
    with pytest.raises(IndexMissing):
        open_searcher(tmp_path, "fake", MODELS / "bi", None)
    assert encoder.asked == []  # no model is loaded for nothing


def test_citations_are_read_against_the_corpus(root: Path, encoder: Loaded, reranker: Loaded) -> None:
    searcher = open_searcher(root, "fake", MODELS / "bi", MODELS / "cross")
    first = searcher.search(SearchRequest("민법 750")).results[0]
    assert (first.citation, first.match, first.relevance) == ("민법 제750조", "citation", 1.0)
    first = searcher.search(SearchRequest("2019다102 판결")).results[0]
    assert (first.doc_id, first.match) == ("p102", "citation")
    (found,) = searcher.search(SearchRequest("민법 제9999조")).understood.citations
    assert found.status == "no_such_article"
