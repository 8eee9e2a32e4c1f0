from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.errors import IndexCorrupt, IndexMismatch
from app.retrieval import dense as module
from app.retrieval.dense import DenseIndex, TorchDense, Vectors, open_dense
from app.retrieval.ranking import top
from app.retrieval.types import Candidates, Floats, Mask

BACKENDS: dict[str, Callable[[Floats], Vectors]] = {
    "faiss": DenseIndex.build,
    "codes": lambda vectors: DenseIndex.build(vectors).coded(),
    "torch": lambda vectors: TorchDense(vectors, "cpu"),
}
WHOLE = st.integers(-2, 2).map(float)
"""Products of small whole numbers are exact in float32, so ties are ties in every library."""


@pytest.fixture(params=BACKENDS)
def build(request: pytest.FixtureRequest) -> Callable[[Floats], Vectors]:
    return BACKENDS[request.param]


def exact(vectors: Floats, query: Floats, depth: int, allowed: Mask | None = None) -> list[tuple[int, float]]:
    """The definition: sort everything by score, then id."""
    rows = range(len(vectors)) if allowed is None else np.flatnonzero(allowed).tolist()
    ranked = sorted((-float(vectors[row] @ query), row) for row in rows)
    return [(row, -score) for score, row in ranked[:depth]]


def listed(candidates: Candidates) -> list[tuple[int, float]]:
    return list(zip(candidates.ids.tolist(), candidates.scores.tolist(), strict=True))


def matrix(rows: st.SearchStrategy[int]) -> st.SearchStrategy[Floats]:
    return rows.flatmap(lambda n: hnp.arrays(np.float32, (n, 3), elements=WHOLE))


@pytest.mark.parametrize("backend", ["faiss", "torch"])
@given(
    vectors=matrix(st.integers(1, 120)), queries=matrix(st.integers(0, 20)), depth=st.integers(1, 130), data=st.data()
)
def test_search_is_the_definition_ties_included(
    backend: str, vectors: Floats, queries: Floats, depth: int, data: st.DataObject
) -> None:
    allowed = data.draw(st.none() | hnp.arrays(np.bool_, len(vectors)))
    found = BACKENDS[backend](vectors).search(queries, depth, allowed)
    assert [listed(one) for one in found] == [exact(vectors, query, depth, allowed) for query in queries]


def unit(rng: np.random.Generator, *shape: int) -> Floats:
    vectors: npt.NDArray[np.float32] = rng.standard_normal(shape).astype(np.float32)
    normal: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return normal


@pytest.mark.parametrize("share", [None, 0.5, 0.02])
@pytest.mark.parametrize("queries", [1, 40])
def test_every_path_gives_the_exact_neighbours(
    build: Callable[[Floats], Vectors], share: float | None, queries: int
) -> None:
    rng = np.random.default_rng(0)
    vectors, asked = unit(rng, 3000, 16), unit(rng, queries, 16)
    allowed = None if share is None else rng.random(3000) < share
    for query, found in zip(asked, build(vectors).search(asked, 10, allowed), strict=True):
        expected = exact(vectors, query, 10, allowed)
        assert found.ids.tolist() == [row for row, _ in expected]
        np.testing.assert_allclose(found.scores, [score for _, score in expected], atol=1e-5)
        assert found.ids.dtype == np.int64
        assert found.scores.dtype == np.float32


def test_codes_find_nearly_what_an_exact_scan_finds_and_the_scores_are_exact() -> None:
    rng = np.random.default_rng(6)
    vectors = unit(rng, 5000, 64)
    coded, flat = DenseIndex.build(vectors).coded(), DenseIndex.build(vectors)
    assert flat.recall(100) == 1.0
    assert coded.recall(100) > 0.99
    for query in unit(rng, 5, 64):
        (found,), (best,) = coded.search(query[None], 100), flat.search(query[None], 100)
        assert len(np.intersect1d(found.ids, best.ids)) >= 98
        np.testing.assert_allclose(found.scores, vectors[found.ids] @ query, atol=1e-6)
        assert (np.diff(found.scores) <= 0).all()


def test_the_recall_of_codes_that_are_not_these_vectors_is_low() -> None:
    rng = np.random.default_rng(7)
    index, other = (DenseIndex.build(unit(rng, 3000, 16)) for _ in range(2))
    assert DenseIndex(index.index, other.coded().codes).recall(100) < 0.2


def test_a_batch_is_cut_into_bounded_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors, asked = unit(rng, 200, 8), unit(rng, 33, 8)
    expected = [listed(one) for one in DenseIndex.build(vectors).search(asked, 5)]
    monkeypatch.setattr(module, "SCAN_CELLS", 1000)
    found = DenseIndex.build(vectors).search(asked, 5)
    assert [one.ids.tolist() for one in found] == [[row for row, _ in one] for one in expected]


def test_nothing_allowed_gives_nothing(build: Callable[[Floats], Vectors]) -> None:
    vectors = unit(np.random.default_rng(2), 50, 4)
    (found,) = build(vectors).search(vectors[:1], 10, np.zeros(50, dtype=bool))
    assert listed(found) == []


def test_other_dimensions_are_refused_with_both_numbers(build: Callable[[Floats], Vectors]) -> None:
    index = build(np.ones((2, 4), dtype=np.float32))
    with pytest.raises(IndexMismatch, match="the index has 4 dimensions, the encoder gives 5: rebuild with make index"):
        index.search(np.ones((1, 5), dtype=np.float32), 1)


@given(matrix(st.integers(1, 40)))
def test_saved_and_loaded_is_the_same(tmp_path_factory: pytest.TempPathFactory, vectors: Floats) -> None:
    path = tmp_path_factory.mktemp("dense") / "dense.faiss"
    DenseIndex.build(vectors).save(path)
    loaded = open_dense(path)
    assert (len(loaded), loaded.dim) == vectors.shape
    np.testing.assert_array_equal(loaded.rows(range(len(vectors))), vectors)
    assert listed(loaded.search(vectors[:1], 7)[0]) == exact(vectors, vectors[0], 7)


def test_codes_are_saved_beside_the_vectors(tmp_path: Path) -> None:
    vectors = unit(np.random.default_rng(8), 500, 16)
    path = tmp_path / "dense.faiss"
    coded = DenseIndex.build(vectors).coded()
    coded.save(path)
    loaded = DenseIndex.load(path)
    assert loaded.codes is not None
    assert listed(loaded.search(vectors[:1], 20)[0]) == listed(coded.search(vectors[:1], 20)[0])


def test_codes_of_other_vectors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "dense.faiss"
    for count in (500, 400):
        DenseIndex.build(unit(np.random.default_rng(9), count, 16)).coded().save(tmp_path / str(count))
        (tmp_path / module.CODES).rename(tmp_path / f"codes-{count}")
    (tmp_path / "500").rename(path)
    (tmp_path / "codes-400").rename(tmp_path / module.CODES)
    with pytest.raises(IndexCorrupt, match=r"codes\.faiss holds 400 × 16, dense.faiss 500 × 16; build the index again"):
        DenseIndex.load(path)


def test_rows_are_the_vectors(build: Callable[[Floats], Vectors]) -> None:
    vectors = unit(np.random.default_rng(3), 9, 4)
    np.testing.assert_array_equal(build(vectors).rows(range(2, 5)), vectors[2:5])


def test_threads_search_one_index(build: Callable[[Floats], Vectors]) -> None:
    vectors = unit(np.random.default_rng(4), 2000, 8)
    index = build(vectors)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: index.search(vectors[row : row + 1], 1)[0].ids.tolist(), range(200)))
    assert found == [[row] for row in range(200)]


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_a_broken_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "dense.faiss"
    if damage != "missing":
        DenseIndex.build(np.ones((100, 8), dtype=np.float32)).save(path)
        path.write_bytes(path.read_bytes()[:500] if damage == "cut" else b"not an index at all")
    with pytest.raises(IndexCorrupt, match=r"dense\.faiss cannot be read by FAISS .*build the index again"):
        DenseIndex.load(path)


def test_another_kind_of_index_is_refused(tmp_path: Path) -> None:
    import faiss

    faiss.write_index(faiss.IndexFlatL2(4), str(tmp_path / "dense.faiss"))
    with pytest.raises(IndexCorrupt, match="is a IndexFlatL2, expected IndexFlatIP"):
        DenseIndex.load(tmp_path / "dense.faiss")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_neighbours_of_the_cpu() -> None:
    rng = np.random.default_rng(5)
    vectors, asked = unit(rng, 5000, 32), unit(rng, 3, 32)
    allowed = rng.random(5000) < 0.3
    for mask in (None, allowed):
        pairs = zip(
            TorchDense(vectors, "cuda").search(asked, 20, mask),
            DenseIndex.build(vectors).search(asked, 20, mask),
            strict=True,
        )
        for gpu, cpu in pairs:
            assert gpu.ids.tolist() == cpu.ids.tolist()
            np.testing.assert_allclose(gpu.scores, cpu.scores, atol=1e-5)


@given(st.lists(st.integers(-3, 3), max_size=50), st.integers(0, 60))
def test_top_sorts_by_score_then_position(scores: list[int], depth: int) -> None:
    found = top(np.array(scores, dtype=np.float32), depth)
    assert found.ids.tolist() == sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:depth]
    assert found.scores.tolist() == [scores[i] for i in found.ids]
