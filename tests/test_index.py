from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import IndexCorrupt, IndexMismatch, IndexMissing
from app.retrieval.index import Index, TokenStore, current
from app.retrieval.manifest import FORMAT, SMALL, Manifest
from tests.fakes import DOCUMENTS, FakeEncoder, FakeReranker, build_index

ENCODER, RERANKER = FakeEncoder(), FakeReranker()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_index(tmp_path_factory.mktemp("published")).index.path


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(published, tmp_path / "fake" / published.name))


def edit(folder: Path, **values: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_an_index_holds_what_it_was_built_from(published: Path) -> None:
    index = Index.open(published, ENCODER, RERANKER, verify=True)
    assert [document.doc_id for document in index.documents] == [document.doc_id for document in DOCUMENTS]
    assert len(index.passages) == len(index.dense) == len(index.lexical) == 7
    assert list(index.passages_of(4)) == [4, 5]
    assert index.name.name == "fake"
    assert index.name.version == published.name
    assert index.name.corpus_as_of == "2021-03-02", "a law that takes effect later is no news of today"
    tokens = index.passage_tokens(np.array([3, 0]), RERANKER)
    expected = RERANKER.tokenize(index.passages.texts([3, 0]))
    assert [one.tolist() for one in tokens] == [one.tolist() for one in expected]
    vectors = ENCODER.encode_passages(list(index.passages.iter_texts()))
    np.testing.assert_allclose(index.dense.rows(range(7)), vectors, atol=1e-6)


def test_the_manifest_describes_everything(published: Path) -> None:
    manifest = Manifest.read(published)
    assert manifest.format == FORMAT
    assert (manifest.corpus.documents, manifest.corpus.passages) == (6, 7)
    assert manifest.encoder.weights_sha256 == ENCODER.weights_sha256
    assert manifest.encoder.prompts == ENCODER.prompts
    assert manifest.reranker is not None
    assert manifest.reranker.max_tokens == RERANKER.max_tokens
    assert (manifest.dense.kind, manifest.dense.recall) == ("flat", 1.0)
    assert manifest.lexical.parameters == {
        "k1": 1.5, "b": 0.75, "idf": "lucene", "terms": "character bigrams", "heading": 3,
    }  # fmt: skip
    files = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert set(manifest.files) == files - {"manifest.json"}
    assert str(published.parent) not in (published / "manifest.json").read_text()


@pytest.mark.parametrize(
    "name", ["documents.arrow", "passages.arrow", "dense.faiss", "tokens/ids.npy", "lexical/terms.npy"]
)
@pytest.mark.parametrize("damage", ["missing", "cut", "altered"])
def test_a_damaged_file_is_refused_by_name(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    before = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(before[:-1] if damage == "cut" else before[:-1] + bytes([before[-1] ^ 1]))
    expected = {
        "missing": f"{name} of index fake .* is missing",
        "cut": f"{name} has {len(before) - 1} bytes, the manifest says {len(before)}",
        "altered": f"{name} has sha256 .*, the manifest says",
    }
    with pytest.raises(IndexCorrupt, match=expected[damage] + r".*make index SOURCE=… NAME=fake"):
        Index.open(folder, ENCODER, RERANKER)


def test_large_files_are_hashed_on_request_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.retrieval.manifest.SMALL", 0)
    path = folder / "dense.faiss"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    assert SMALL > 0
    Index.open(folder, ENCODER, RERANKER)
    with pytest.raises(IndexCorrupt, match=r"dense\.faiss has sha256"):
        Index.open(folder, ENCODER, RERANKER, verify=True)


@settings(max_examples=25)
@given(st.data())
def test_any_flipped_byte_is_noticed(published: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(Manifest.read(published).files)))
    path = published / name
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    try:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(IndexCorrupt, match="sha256"):
            Index.open(published, ENCODER, RERANKER)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (FakeEncoder(dim=16), "built with encoder 32 dimensions, loaded is 16"),
        (FakeEncoder(weights="new"), r"built with encoder fake-encoder \(weights .{12}…\), loaded is fake-encoder"),
    ],
)
def test_another_encoder_is_refused_with_both_values(published: Path, encoder: FakeEncoder, message: str) -> None:
    with pytest.raises(IndexMismatch, match=message + r".*build it again: make index SOURCE=… NAME=fake"):
        Index.open(published, encoder, RERANKER)


def test_other_prompts_are_refused(published: Path) -> None:
    encoder = FakeEncoder()
    encoder.prompts = {"query": "", "document": ""}
    with pytest.raises(IndexMismatch, match=r"prompts .*'query: '.* loaded is .*'query': ''"):
        Index.open(published, encoder, RERANKER)


def test_another_reranker_is_refused_and_none_is_fine(published: Path) -> None:
    with pytest.raises(IndexMismatch, match="built with reranker fake-reranker"):
        Index.open(published, ENCODER, FakeReranker(weights="new"))
    assert len(Index.open(published, ENCODER, None).passages) == 7


def test_another_format_is_refused_with_both_numbers(folder: Path) -> None:
    edit(folder, format=FORMAT + 1, something="new")
    with pytest.raises(IndexMismatch, match=f"has format {FORMAT + 1}, this program reads format {FORMAT}"):
        Index.open(folder, ENCODER, RERANKER)


def test_a_broken_manifest_is_refused(folder: Path) -> None:
    edit(folder, something="new")
    with pytest.raises(IndexCorrupt, match="something: Extra inputs are not permitted"):
        Index.open(folder, ENCODER, RERANKER)
    (folder / "manifest.json").write_text("{")
    with pytest.raises(IndexCorrupt, match="is not JSON"):
        Index.open(folder, ENCODER, RERANKER)


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret"])
def test_a_manifest_reaches_no_file_outside(folder: Path, path: str) -> None:
    edit(folder, files={path: {"size": 1, "sha256": "0"}})
    with pytest.raises(IndexCorrupt, match="lies outside the index folder"):
        Index.open(folder, ENCODER, RERANKER)


def test_counts_that_differ_are_refused(folder: Path) -> None:
    corpus = json.loads((folder / "manifest.json").read_text())["corpus"]
    edit(folder, corpus={**corpus, "documents": 9})
    with pytest.raises(IndexCorrupt, match=r"documents\.arrow holds 6 rows, the manifest says 9"):
        Index.open(folder, ENCODER, RERANKER)


def test_a_missing_index_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match=r"no index in .*make index SOURCE=… NAME=fake"):
        Index.open(tmp_path / "fake" / "v1", ENCODER, RERANKER)


def test_current_names_what_is_there(published: Path) -> None:
    root = published.parent.parent
    assert current(root, "fake") == published
    with pytest.raises(IndexMissing, match=r"no index 'other' in .*, which holds fake; build it: make index"):
        current(root, "other")
    with pytest.raises(IndexMissing, match="which holds none"):
        current(root / "nowhere", "other")


@pytest.mark.parametrize("version", ["", "gone", "../fake", "/etc"])
def test_current_that_points_nowhere_is_refused(tmp_path: Path, version: str) -> None:
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "CURRENT").write_text(version)
    with pytest.raises(IndexMissing, match="which is not there"):
        current(tmp_path, "fake")


@given(st.lists(st.lists(st.lists(st.integers(0, 99), max_size=4), max_size=3), max_size=3))
def test_tokens_come_back_as_they_went_in(blocks: list[list[list[int]]]) -> None:
    store = TokenStore.build([[np.array(ids, dtype=np.int32) for ids in block] for block in blocks])
    assert [store[i].tolist() for i in range(len(store))] == [ids for block in blocks for ids in block]


def test_tokens_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexCorrupt, match="the tokenised passages cannot be read"):
        TokenStore.load(tmp_path)
