"""What a build takes over from the version in use: the same index as a build from nothing, with less work."""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.law.documents import Document
from app.retrieval import reuse
from app.retrieval.dense import DenseIndex
from app.retrieval.index import Index, current
from app.retrieval.publish import publish
from app.retrieval.types import Floats, PairScorer, SearchRequest, TextEncoder, Tokens
from tests.fakes import DOCUMENTS, FakeEncoder, FakeReranker, build_index, statute, write_corpus


class Encoder(FakeEncoder):
    """Notes the passages that it encodes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[str] = []

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        self.seen += texts
        return super().encode_passages(texts)

    def iter_encode_passages(self, texts: Iterable[str]) -> Iterator[Floats]:
        """Three at a time."""
        waiting: list[str] = []
        for text in texts:
            waiting.append(text)
            if len(waiting) == 3:
                yield self.encode_passages(waiting)
                waiting = []
        if waiting:
            yield self.encode_passages(waiting)


class Reranker(FakeReranker):
    """Notes the passages that it tokenises."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[str] = []

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        self.seen += texts
        return super().tokenize(texts)


NEW = statute("009999", "모래법", "제1조", "목적", "모래를 지킨다.")
ALTERED = replace(DOCUMENTS[2], text="모래로 사람의 명예를 훼손한 자는 처벌한다.")
CHANGES = {
    "nothing": DOCUMENTS,
    "one more": (*DOCUMENTS, NEW),
    "one altered": (*DOCUMENTS[:2], ALTERED, *DOCUMENTS[3:]),
    "some less": DOCUMENTS[3:],
    "another order": DOCUMENTS[::-1],
    "the same text twice": (*DOCUMENTS, replace(DOCUMENTS[0], doc_id="001706-9750")),
    "all other": (NEW,),
    "only its date": (replace(DOCUMENTS[0], date="2021-01-01"), *DOCUMENTS[1:]),
}


def build(
    folder: Path,
    documents: Sequence[Document],
    encoder: TextEncoder | None = None,
    reranker: PairScorer | None = None,
    root: str = "indexes",
) -> tuple[Path, list[str]]:
    """The new version, and what was said."""
    said: list[str] = []
    write_corpus(folder / "corpus", documents)
    encoder, reranker = encoder or FakeEncoder(), reranker or FakeReranker()
    return publish(folder / root, "fake", folder / "corpus", encoder, reranker, say=said.append), said


def assert_same(one: Path, other: Path) -> None:
    """Byte for byte, vectors to 1e-6."""
    names = {path.relative_to(one).as_posix() for path in one.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file()}
    for name in names - {"manifest.json", "dense.faiss"}:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    left, right = (DenseIndex.load(path / "dense.faiss") for path in (one, other))
    np.testing.assert_allclose(left.vectors, right.vectors, atol=1e-6)


@pytest.mark.parametrize("block", [1, 2, 4096])
@pytest.mark.parametrize("change", CHANGES)
def test_an_update_is_what_a_build_from_nothing_is(
    tmp_path: Path, change: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reuse, "BLOCK", block)
    first, _ = build(tmp_path, DOCUMENTS)
    old = Index.open(first, FakeEncoder(), FakeReranker())
    encoder, reranker = Encoder(), Reranker()
    updated, said = build(tmp_path, CHANGES[change], encoder, reranker)
    anew, _ = build(tmp_path, CHANGES[change], root="others")
    assert_same(updated, anew)
    index = Index.open(updated, encoder, reranker, verify=True)
    before = dict(zip(old.passages.iter_texts(), old.dense.rows(range(len(old.dense))), strict=True))
    after = dict(zip(index.passages.iter_texts(), index.dense.rows(range(len(index.dense))), strict=True))
    kept = before.keys() & after.keys()
    assert all(np.array_equal(before[text], after[text]) for text in kept)
    fresh = [text for text in index.passages.iter_texts() if text not in before]
    assert encoder.seen == reranker.seen == fresh
    share = f"{len(index.passages) - len(fresh)} of {len(index.passages)} passages are as in version {first.name}"
    assert said[0] == f"{share}: their vectors and tokens are kept"
    assert said[-1].startswith("seconds: comparison ")


def test_the_first_build_has_nothing_to_say_of_another(tmp_path: Path) -> None:
    _, said = build(tmp_path, DOCUMENTS)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights_sha256", "0"), ("prompts", {"query": "", "document": ""}), ("passage_tokens", 8)],
)
def test_another_encoder_encodes_everything_and_keeps_the_tokens(tmp_path: Path, field: str, value: Any) -> None:
    build(tmp_path, DOCUMENTS)
    encoder, reranker = Encoder(), Reranker()
    setattr(encoder, field, value)
    path, said = build(tmp_path, DOCUMENTS, encoder, reranker)
    assert (len(encoder.seen), reranker.seen) == (7, [])
    assert f"has another {field}" in said[0]
    assert said[1].endswith("their tokens are kept")
    assert len(Index.open(path, encoder, reranker, verify=True).passages) == 7


def test_other_dimensions_encode_everything(tmp_path: Path) -> None:
    build(tmp_path, DOCUMENTS)
    encoder = Encoder(dim=16)
    path, _ = build(tmp_path, DOCUMENTS, encoder)
    assert len(encoder.seen) == 7
    assert Index.open(path, encoder, None).dense.dim == 16


@pytest.mark.parametrize(("field", "value"), [("weights_sha256", "0"), ("max_tokens", 8)])
def test_another_reranker_tokenises_everything_and_keeps_the_vectors(tmp_path: Path, field: str, value: Any) -> None:
    build(tmp_path, DOCUMENTS)
    encoder, reranker = Encoder(), Reranker()
    setattr(reranker, field, value)
    _, said = build(tmp_path, DOCUMENTS, encoder, reranker)
    assert (encoder.seen, len(reranker.seen)) == ([], 7)
    assert f"has another {field}" in said[0]
    assert said[1].endswith("their vectors are kept")


def test_a_reranker_that_was_not_there_tokenises_everything(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", DOCUMENTS)
    publish(tmp_path / "indexes", "fake", tmp_path / "corpus", FakeEncoder(), None)
    reranker = Reranker()
    build(tmp_path, DOCUMENTS, FakeEncoder(), reranker)
    assert len(reranker.seen) == 7


def flip(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "vectors": (lambda path: flip(path / "dense.faiss"), r"dense\.faiss has sha256"),
    "texts": (lambda path: flip(path / "passages.arrow"), r"passages\.arrow has sha256"),
    "tokens": (lambda path: flip(path / "tokens/ids.npy"), r"tokens/ids\.npy has sha256"),
    "cut": (lambda path: (path / "dense.faiss").write_bytes(b""), r"dense\.faiss has 0 bytes"),
    "missing": (
        lambda path: (path / "tokens/offsets.npy").unlink(),
        r"tokens/offsets\.npy of index fake .* is missing",
    ),
    "unlisted": (lambda path: edit(path, files={}), r"dense\.faiss of index fake .* is missing"),
    "format": (lambda path: edit(path, format=1), "has format 1, this program reads format"),
    "manifest": (lambda path: (path / "manifest.json").write_bytes(b"\xff{"), "not JSON|manifest"),
    "no manifest": (lambda path: (path / "manifest.json").unlink(), "no index in"),
    "gone": (lambda path: (path.parent / "CURRENT").write_bytes(b"\xffgone"), "which is not there"),
}


def edit(folder: Path, **values: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("what", DAMAGE)
def test_a_version_that_cannot_be_used_is_left_alone_with_the_reason(tmp_path: Path, what: str) -> None:
    damage, reason = DAMAGE[what]
    first, _ = build(tmp_path, DOCUMENTS)
    damage(first)
    encoder, reranker = Encoder(), Reranker()
    path, said = build(tmp_path, DOCUMENTS, encoder, reranker)
    assert said[0].startswith("nothing is taken over from the version in use: ")
    assert re.search(reason, said[0])
    assert len(encoder.seen) == len(reranker.seen) == 7
    assert current(tmp_path / "indexes", "fake") == path
    Index.open(path, encoder, reranker, verify=True)


@given(st.lists(st.text(max_size=2), max_size=9), st.lists(st.text(max_size=2), max_size=9))
def test_each_passage_finds_one_of_the_same_text_or_none(new: list[str], old: list[str]) -> None:
    rows = reuse._match(reuse._digests(new), reuse._digests(old))
    assert [row == reuse.NEW for row in rows] == [text not in old for text in new]
    assert all(old[row] == text for row, text in zip(rows, new, strict=True) if row != reuse.NEW)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 5), max_size=6), st.data())
def test_rows_are_taken_in_order_however_they_come(sizes: list[int], data: st.DataObject) -> None:
    whole = np.arange(sum(sizes), dtype=np.float32).reshape(-1, 1)
    rows = reuse._Rows(iter(np.split(whole, np.cumsum(sizes)[:-1])))
    taken: list[Floats] = []
    while (left := len(whole) - sum(len(one) for one in taken)) > 0:
        taken.append(rows.take(data.draw(st.integers(1, left))))
    assert np.array_equal(np.concatenate([np.empty((0, 1)), *taken]), whole)


class TestRetention:
    def test_the_version_before_stays_and_older_ones_go(self, tmp_path: Path) -> None:
        first, second, third = (build(tmp_path, documents)[0] for documents in (DOCUMENTS, (NEW,), DOCUMENTS))
        assert not first.exists()
        assert second.is_dir()
        assert current(tmp_path / "indexes", "fake") == third

    def test_after_going_back_that_version_stays(self, tmp_path: Path) -> None:
        first, second = (build(tmp_path, documents)[0] for documents in (DOCUMENTS, (NEW,)))
        (first.parent / "CURRENT").write_text(first.name)
        third, _ = build(tmp_path, DOCUMENTS)
        assert (first.is_dir(), second.exists(), third.is_dir()) == (True, False, True)

    def test_what_is_no_version_is_left_alone(self, tmp_path: Path) -> None:
        for name in ("notes", "backup"):
            (tmp_path / "indexes" / "fake" / name).mkdir(parents=True)
        for documents in (DOCUMENTS, (NEW,), DOCUMENTS):
            build(tmp_path, documents)
        assert (tmp_path / "indexes/fake/notes").is_dir()

    def test_who_has_a_removed_version_open_goes_on_reading_it(self, tmp_path: Path) -> None:
        searcher = build_index(tmp_path)
        for documents in ((NEW,), (NEW, *DOCUMENTS[:1])):
            build(tmp_path, documents)
        assert not searcher.index.path.exists()
        results = searcher.search(SearchRequest("손해를 배상할 책임")).results
        assert results[0].citation == "민법 제750조"
        assert searcher.similar("p101")


def test_the_corpus_can_be_made_again_beside_an_index(tmp_path: Path) -> None:
    """The two share files: the corpus step replaces them and leaves those of the index as they are."""
    first, _ = build(tmp_path, DOCUMENTS)
    assert (first / "passages.arrow").stat().st_ino == (tmp_path / "corpus/passages.arrow").stat().st_ino
    write_corpus(tmp_path / "corpus", (NEW,))
    Index.open(first, FakeEncoder(), FakeReranker(), verify=True)


def test_another_disk_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path, _ = build(tmp_path, DOCUMENTS)
    assert (path / "passages.arrow").stat().st_ino != (tmp_path / "corpus/passages.arrow").stat().st_ino
    Index.open(path, FakeEncoder(), FakeReranker(), verify=True)
