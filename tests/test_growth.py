"""The benchmark of growth: the corpora that it makes, and the whole of it on the sample corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.publish import publish
from app.retrieval.store import DocumentStore, PassageStore
from benchmarks.corpora import Texts, chosen, copied, resize
from benchmarks.growth import DEPTH, STAGES, Measured, main
from tests.fakes import DOCUMENTS, FakeEncoder, FakeReranker, statute, write_corpus
from training import index as step

DELETED = statute("001706", "민법", "제752조의9", "", "삭제", deleted=True)
SIZE = len(DOCUMENTS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The fakes, and in their midst an article that is deleted: it has no passages."""
    folder = tmp_path / "source"
    write_corpus(folder, [*DOCUMENTS[:2], DELETED, *DOCUMENTS[2:]], limit=40)
    return folder


def resized(source: Path, size: int) -> tuple[DocumentStore, PassageStore]:
    folder = source.with_name(f"resized-{size}")
    resize(source, folder, size)
    return DocumentStore(folder / "documents.arrow"), PassageStore(folder / "passages.arrow")


def by_document(documents: DocumentStore, passages: PassageStore) -> dict[str, list[tuple[str, str]]]:
    """doc_id → (passage_id, text) of its passages."""
    found: dict[str, list[tuple[str, str]]] = {document.doc_id: [] for document in documents}
    for row, owner in enumerate(passages.documents.tolist()):
        found[documents[owner].doc_id].append((passages.passage_id(row), passages.text(row)))
    return found


def test_a_draw_holds_the_documents_asked_for_in_order_with_all_their_passages(source: Path) -> None:
    documents, passages = resized(source, 4)
    everything = by_document(DocumentStore(source / "documents.arrow"), PassageStore(source / "passages.arrow"))
    assert len(documents) == 4
    assert [d for d in DOCUMENTS if documents.row(d.doc_id) is not None] == list(documents)
    assert by_document(documents, passages) == {d.doc_id: everything[d.doc_id] for d in documents}


def test_a_grown_corpus_has_new_ids_no_text_twice_and_words_of_the_corpus(source: Path) -> None:
    size = 3 * SIZE + 2
    documents, passages = resized(source, size)
    grown = by_document(documents, passages)
    assert len(documents) == len(grown) == size
    assert list(documents)[:SIZE] == list(DOCUMENTS)
    assert len({document.citation for document in documents}) == size
    texts = [passages.text(row) for row in range(len(passages))]
    everything = [text for document in DOCUMENTS for _, text in grown[document.doc_id]]
    assert len(set(texts)) == len(texts)
    assert len(passages.rows) == len(passages)
    assert (np.diff(passages.documents) >= 0).all()
    words = {word for text in texts[: len(everything)] for word in text.split()}
    for document in DOCUMENTS:
        for copy in (1, 2):
            again = copied(document, copy).doc_id
            for (_, text), (passage_id, other) in zip(grown[document.doc_id], grown[again], strict=True):
                assert len(other.split()) == len(text.split())
                assert set(other.split()) <= words
                assert passage_id.startswith(f"{again}#")


def test_the_same_seed_gives_the_same_bytes(source: Path) -> None:
    for folder in ("one", "two"):
        resize(source, source.with_name(folder), 2 * SIZE + 1)
    for file in ("documents.arrow", "passages.arrow"):
        assert (
            source.with_name("one").joinpath(file).read_bytes() == source.with_name("two").joinpath(file).read_bytes()
        )


@given(st.sets(st.integers(0, 50), min_size=1), st.integers(0, 300))
def test_copies_are_whole_but_for_the_last(owners: set[int], size: int) -> None:
    copies = chosen(np.array(sorted(owners), dtype=np.int32), size)
    assert sum(map(len, copies)) == size
    assert all(set(rows.tolist()) == owners for rows in copies[:-1])
    assert all(set(rows.tolist()) <= owners for rows in copies)
    assert all((np.diff(rows) > 0).all() for rows in copies)


@given(st.lists(st.text("가나다", min_size=1, max_size=2), min_size=1, max_size=4))
def test_a_text_of_few_words_is_never_said_twice(words: list[str]) -> None:
    texts, text = Texts(1), " ".join(words)
    said = [texts.kept(text), *(texts.mixed(text) for _ in range(9))]
    assert len(set(said)) == len(said)
    assert all(set(one.split()) <= set(words) for one in said)


def test_an_index_of_a_grown_corpus_can_be_built_and_its_copies_are_other_laws(source: Path) -> None:
    resized(source, 2 * SIZE)
    path = publish(source.parent, "grown", source.with_name(f"resized-{2 * SIZE}"), FakeEncoder(), FakeReranker())
    documents = DocumentStore(path / "documents.arrow")
    assert copied(DOCUMENTS[0], 1) == documents[SIZE]
    assert (documents[SIZE].doc_id, documents[SIZE].law, documents[SIZE].law_id) == (
        "001706c1-0750",
        "사본1 민법",
        "001706c1",
    )


class Here:
    """Calls in this process what wants one of its own, each call once: a second one like it gets the same answer."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.answers: dict[str, Any] = {}

    def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.names.append(function.__name__)
        call = repr((function.__name__, arguments))
        if call not in self.answers:
            self.answers[call] = function(*arguments)
        return self.answers[call]


def test_it_measures_says_and_draws_and_builds_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, figures, drawing = tmp_path / "indexes", tmp_path / "growth.json", tmp_path / "growth.svg"
    assert step.main(["--source", "samples", "--name", "samples", "--root", str(root), "--work", str(tmp_path)]) == 0
    asked = ["--queries", "samples/queries.jsonl", "--count", "2", "--sizes", "600", "--depths", "10", "20"]
    command = ["--index", "samples", "--root", str(root), "--work", str(tmp_path / "growth"), *asked]
    run = Here()
    assert main([*command, "--json", str(figures), "--plot", str(drawing)], run) == 0
    assert run.names == ["searched", "resize", "build", "searched"]
    shown, svg = capsys.readouterr().out, drawing.read_text(encoding="utf-8")
    assert all(word in shown and word in svg for word in (*STAGES, "total", "600"))

    whole, grown = (Measured(**one) for one in json.loads(figures.read_bytes()))
    assert (grown.documents, whole.build) == (600, None)
    assert [[row["depth"] for row in one.ms] for one in (whole, grown)] == [[10, 20, DEPTH], [DEPTH]]
    assert grown.build
    assert whole.disk < grown.disk

    assert main(command, run) == 0
    assert run.names[4:] == ["searched", "searched"]
    drawing.unlink()
    assert main(["--from-json", str(figures), "--plot", str(drawing)]) == 0
    assert drawing.read_text(encoding="utf-8") == svg
