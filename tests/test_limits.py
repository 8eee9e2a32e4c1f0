"""The levels of the best cosine that an encoder's work is trusted by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.retrieval.encoder import Encoder
from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from tests.fakes import DOCUMENTS, FakeEncoder, write_corpus
from training import limits
from training.dev import DevQuery
from training.mine import Pools


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[DocumentStore, PassageStore]:
    folder = tmp_path_factory.mktemp("limits")
    write_corpus(folder, DOCUMENTS)
    return DocumentStore(folder / "documents.arrow"), PassageStore(folder / "passages.arrow")


def asked(query_id: str, date: str) -> DevQuery:
    return DevQuery(query_id, "손해를 배상할 책임", date, "statute", frozenset())


def test_the_best_decision_is_neither_the_query_s_own_nor_a_later_one(
    stores: tuple[DocumentStore, PassageStore], tmp_path: Path
) -> None:
    documents, passages = stores
    encoder = FakeEncoder()
    pool = Pools(documents, passages, encoder, tmp_path)["precedent"]
    ids, dates = (documents.column(name)[pool.documents] for name in ("doc_id", "date"))
    assert sorted(set(dates)) == ["2020-05-14", "2021-03-02"]
    cases = [
        ("999#0", "2022-01-01"),
        ("101#0", "2022-01-01"),
        ("999#0", "2021-03-02"),
        ("101#1", "2021-03-02"),
        ("1", ""),
    ]
    queries = [asked(*case) for case in cases]
    vectors = encoder.encode_queries([query.text for query in queries])
    one, other = ((pool.vectors @ vectors[0])[ids == own].max() for own in ("p101", "p102"))
    found = limits.earlier_decisions(queries, vectors, pool, documents, "cpu")
    assert found == pytest.approx(np.array([one, other, one, one]), abs=1e-6), "the fourth has none"
    assert one > other


def test_the_limits_stand_beside_the_model(tmp_path: Path) -> None:
    made = tiny.recipe(tmp_path)
    tiny.write_corpus(made)
    tiny.save_encoder(made.encoder_model)
    before = json.loads((made.encoder_model / "beopgil.json").read_text())
    documents, passages = DocumentStore(made.documents), PassageStore(made.passages)
    limits.measure_limits(made, documents, passages)
    after = json.loads((made.encoder_model / "beopgil.json").read_text())
    kinds = set(documents.column("kind"))
    wanted = {"sure_cosine", "sure_width"} | ({"court_cosine", "court_width"} if "precedent" in kinds else set())
    assert after.keys() == before.keys() | wanted
    encoder = Encoder.load(made.encoder_model)
    assert (encoder.sure_cosine, encoder.sure_width) == (after["sure_cosine"], after["sure_width"])
    assert encoder.court_cosine == after.get("court_cosine", -1.0)
