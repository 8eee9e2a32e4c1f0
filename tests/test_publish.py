from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.errors import BadRequest, IndexCorrupt, NotReady
from app.retrieval import publish as module
from app.retrieval.dense import DenseIndex
from app.retrieval.index import Index, current
from app.retrieval.lexical import LexicalIndex
from app.retrieval.publish import DiskFull, publish
from app.retrieval.types import FusionWeights, SearchRequest, Tokens, Tuning
from tests.fakes import DOCUMENTS, FakeEncoder, FakeReranker, build_index, write_corpus

ENCODER, RERANKER = FakeEncoder(), FakeReranker()
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_corpus(tmp_path / "corpus", DOCUMENTS)
    return tmp_path / "corpus"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "indexes"


def left_behind(root: Path) -> list[str]:
    return [path.name for path in root.rglob(".building-*")]


def test_the_newest_is_in_use_and_the_older_stays(root: Path, corpus: Path) -> None:
    first = publish(root, "fake", corpus, ENCODER, RERANKER)
    second = publish(root, "fake", corpus, ENCODER, RERANKER)
    assert first != second
    assert first.is_dir()
    assert current(root, "fake") == second
    assert left_behind(root) == []


def test_progress_ends_at_the_number_of_passages(root: Path, corpus: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    publish(root, "fake", corpus, ENCODER, RERANKER, progress=lambda *step: seen.append(step))
    assert [step for step in seen if step[1] == 7] == [("encode", 7, 7), ("tokenize", 7, 7)]


def test_tuning_and_further_files_are_kept(root: Path, corpus: Path) -> None:
    tuning = Tuning(weights=FusionWeights(0.6, 0.4), lexical_scale="attainable", sure_cosine=0.5)
    path = publish(
        root,
        "fake",
        corpus,
        ENCODER,
        RERANKER,
        tuning=tuning,
        extend=lambda folder: _write(folder / "further" / "edges", b"1"),
    )
    index = Index.open(path, ENCODER, RERANKER, verify=True)
    assert index.manifest.tuning == tuning
    assert index.manifest.files["further/edges"].size == 1


def test_many_passages_have_codes_beside_their_vectors(
    root: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CODED", 7)
    path = publish(root, "fake", corpus, ENCODER, RERANKER)
    index = Index.open(path, ENCODER, RERANKER, verify=True)
    assert isinstance(index.dense, DenseIndex)
    assert index.dense.codes is not None
    assert (index.manifest.dense.kind, index.manifest.dense.parameters) == ("sq8, flat", {"depth": 500, "spare": 0.25})
    assert index.manifest.dense.recall == 1.0
    publish(root, "fake", corpus, ENCODER, RERANKER)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


def test_an_index_without_a_reranker_tokenises_when_asked(tmp_path: Path, root: Path, corpus: Path) -> None:
    path = publish(root, "fake", corpus, ENCODER, None)
    index = Index.open(path, ENCODER, RERANKER)
    assert index.tokens is None
    assert not (path / "tokens").exists()
    from app.retrieval.searcher import Searcher

    response = Searcher(index, ENCODER, RERANKER).search(SearchRequest("명예훼손"))
    assert response.results[0].doc_id == "001692-0307"


class FullLater(FakeReranker):
    """The disk is full when the tokens are made."""

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_index_in_use_alone(root: Path, corpus: Path) -> None:
    before = publish(root, "fake", corpus, ENCODER, RERANKER)
    with pytest.raises(
        DiskFull, match=r"index fake needs about [\d.]+ MB, [\d.,]+ MB are free.*has not been touched"
    ) as caught:
        publish(root, "fake", corpus, ENCODER, FullLater("another"))
    assert caught.value.details["needed"] > 0
    assert current(root, "fake") == before
    assert left_behind(root) == []
    Index.open(before, ENCODER, RERANKER, verify=True)


def test_too_little_space_is_said_before_any_work(root: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
    with pytest.raises(DiskFull) as caught:
        publish(root, "fake", corpus, ENCODER, RERANKER)
    assert caught.value.details["free"] == 1
    assert left_behind(root) == []


def test_a_library_that_only_says_it_failed_on_a_full_disk(
    root: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([10**12, 0, 0])

    def fail(self: LexicalIndex, folder: Path) -> None:
        raise RuntimeError("write failed")

    monkeypatch.setattr(LexicalIndex, "save", fail)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, next(free)))
    with pytest.raises(DiskFull):
        publish(root, "fake", corpus, ENCODER, RERANKER)


def test_other_failures_keep_their_name_and_clean_up(root: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: LexicalIndex, folder: Path) -> None:
        raise PermissionError("not yours")

    monkeypatch.setattr(LexicalIndex, "save", fail)
    with pytest.raises(PermissionError, match="not yours"):
        publish(root, "fake", corpus, ENCODER, RERANKER)
    assert left_behind(root) == []


def test_an_index_that_does_not_open_is_not_put_in_use(
    root: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(root, "fake", corpus, ENCODER, RERANKER)
    flush = module._flush

    def flip(folder: Path) -> None:
        flush(folder)
        (folder / "dense.faiss").write_bytes(b"x" * (folder / "dense.faiss").stat().st_size)

    monkeypatch.setattr(module, "_flush", flip)
    with pytest.raises(IndexCorrupt, match=r"dense\.faiss has sha256"):
        publish(root, "fake", corpus, ENCODER, RERANKER)
    assert current(root, "fake") == before
    assert left_behind(root) == []


def test_orphans_of_a_killed_build_are_removed(root: Path, corpus: Path) -> None:
    orphan = root / "fake" / ".building-1"
    orphan.mkdir(parents=True)
    (orphan / "dense.faiss").write_bytes(b"half")
    publish(root, "fake", corpus, ENCODER, RERANKER)
    assert left_behind(root) == []


def test_two_builds_of_one_index_do_not_meet(root: Path, corpus: Path) -> None:
    (root / "fake").mkdir(parents=True)
    descriptor = os.open(root / "fake" / ".lock", os.O_CREAT | os.O_WRONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(NotReady, match="another build of index fake is running"):
            publish(root, "fake", corpus, ENCODER, RERANKER)
    finally:
        os.close(descriptor)
    publish(root, "fake", corpus, ENCODER, RERANKER)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_a_name_that_is_a_path_is_refused(root: Path, corpus: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot name an index"):
        publish(root, name, corpus, ENCODER, RERANKER)


def test_an_empty_corpus_is_refused(tmp_path: Path, root: Path) -> None:
    write_corpus(tmp_path / "empty", [])
    with pytest.raises(IndexCorrupt, match="holds no passages, an index needs at least 1"):
        publish(root, "fake", tmp_path / "empty", ENCODER, RERANKER)


def test_a_reader_keeps_its_version_while_another_is_published(tmp_path: Path) -> None:
    searcher = build_index(tmp_path)
    before = searcher.search(SearchRequest("손해배상")).results
    build_index(tmp_path, DOCUMENTS[:2])
    assert searcher.search(SearchRequest("손해배상")).results == before
