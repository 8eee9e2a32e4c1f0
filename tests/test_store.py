from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import IndexCorrupt
from app.law.documents import DOCUMENT_FIELDS, Document
from app.retrieval import store
from app.retrieval.store import DocumentStore, PassageStore, read_table, write_documents, write_passages
from tests.fakes import DOCUMENTS

PASSAGES = [("a#0", 0, "가"), ("b#0", 1, "나"), ("b#1", 1, "다\n라"), ("c#0", 2, "")]


@pytest.fixture
def documents(tmp_path: Path) -> DocumentStore:
    assert write_documents(tmp_path / "documents.arrow", DOCUMENTS) == len(DOCUMENTS)
    return DocumentStore(tmp_path / "documents.arrow")


@pytest.fixture
def passages(tmp_path: Path) -> PassageStore:
    assert write_passages(tmp_path / "deep" / "passages.arrow", PASSAGES) == len(PASSAGES)
    return PassageStore(tmp_path / "deep" / "passages.arrow")


def test_documents_come_back_by_row_and_in_order(documents: DocumentStore) -> None:
    assert len(documents) == len(DOCUMENTS)
    assert [documents[row] for row in range(len(documents))] == list(DOCUMENTS) == list(documents)


def test_documents_are_found_by_id(documents: DocumentStore) -> None:
    for row, document in enumerate(DOCUMENTS):
        assert documents.row(document.doc_id) == row
    assert documents.row("001706-0751") is None


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), min_size=1, max_size=8, unique=True), st.lists(st.text(max_size=6), max_size=8))
def test_any_ids_are_told_apart(tmp_path_factory: pytest.TempPathFactory, ids: list[str], others: list[str]) -> None:
    ids = [doc_id for doc_id in ids if not doc_id.endswith("\0")] or ["a"]
    path = tmp_path_factory.getbasetemp() / "ids.arrow"
    write_documents(path, [replace(DOCUMENTS[0], doc_id=doc_id) for doc_id in ids])
    found = DocumentStore(path)
    assert [found.row(doc_id) for doc_id in ids] == list(range(len(ids)))
    for asked in (*others, *(doc_id + "\0" for doc_id in ids), "\ud800"):
        assert found.row(asked) == (ids.index(asked) if asked in ids else None)


def test_the_rows_that_have_a_value(documents: DocumentStore) -> None:
    kinds = [document.kind for document in DOCUMENTS]
    assert list(documents.having("kind", {"precedent"})) == [
        (row, kind) for row, kind in enumerate(kinds) if kind == "precedent"
    ]
    assert list(documents.having("kind", ())) == []


@pytest.mark.parametrize("row", [-1, len(DOCUMENTS)])
def test_a_row_outside_is_an_index_error(documents: DocumentStore, row: int) -> None:
    with pytest.raises(IndexError, match=f"{row} of {len(DOCUMENTS)}"):
        documents[row]


@pytest.mark.parametrize("name", DOCUMENT_FIELDS)
def test_a_column_is_the_field_of_every_document(documents: DocumentStore, name: str) -> None:
    assert documents.column(name).tolist() == [getattr(document, name) for document in DOCUMENTS]
    assert documents.column(name) is documents.column(name)


def test_passages_come_back_by_index(passages: PassageStore) -> None:
    assert len(passages) == len(PASSAGES)
    assert [(passages.passage_id(i), int(passages.documents[i]), passages.text(i)) for i in range(4)] == PASSAGES
    assert passages.documents.dtype == np.int32
    assert passages.texts(np.array([2, 0, 2])) == ["다\n라", "가", "다\n라"]
    assert list(passages.iter_texts()) == [text for *_, text in PASSAGES]
    assert passages.rows == {passage_id: row for row, (passage_id, *_) in enumerate(PASSAGES)}


def test_rows_beyond_a_batch_keep_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ROWS", 3)
    many = [(f"d#{n}", n, str(n)) for n in range(10)]
    assert write_passages(tmp_path / "p.arrow", iter(many)) == 10
    found = PassageStore(tmp_path / "p.arrow")
    assert found.table.column("text").num_chunks == 4
    assert list(found.iter_texts()) == [text for *_, text in many]
    assert found.passage_id(7) == "d#7"


def test_an_empty_corpus_can_be_opened(tmp_path: Path) -> None:
    assert write_documents(tmp_path / "d.arrow", ()) == 0
    assert write_passages(tmp_path / "p.arrow", ()) == 0
    assert list(DocumentStore(tmp_path / "d.arrow")) == []
    assert list(PassageStore(tmp_path / "p.arrow").iter_texts()) == []


def test_nothing_is_left_of_a_write_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "d.arrow"
    write_documents(path, DOCUMENTS[:1])

    def broken() -> object:
        yield DOCUMENTS[1]
        raise RuntimeError("source failed")

    with pytest.raises(RuntimeError, match="source failed"):
        write_documents(path, broken())  # type: ignore[arg-type]  # a generator that raises
    assert list(DocumentStore(path)) == [DOCUMENTS[0]]


def test_a_missing_or_cut_file_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(IndexCorrupt, match=r"documents\.arrow cannot be read"):
        DocumentStore(tmp_path / "documents.arrow")
    path = tmp_path / "p.arrow"
    write_passages(path, PASSAGES)
    content = path.read_bytes()
    for cut in (0, 8, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(IndexCorrupt, match="build it again"):
            read_table(path)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.lists(st.builds(Document, TEXTS, st.just("statute"), TEXTS, TEXTS, TEXTS, issues=TEXTS, sample=st.booleans()))
)
def test_any_document_survives_the_file(tmp_path_factory: pytest.TempPathFactory, written: list[Document]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.arrow"
    write_documents(path, written)
    assert list(DocumentStore(path)) == written
