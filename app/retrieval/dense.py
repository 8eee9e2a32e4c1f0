"""Inner product over passage vectors: FAISS on a CPU, a torch matmul on CUDA. Ties by passage id, ascending.

An index of many passages holds each vector a second time as codes, one byte a dimension (FAISS's scalar quantiser).
A search scans the codes, a quarter of the memory, and takes the exact products of the few best: scores are exact, and
what is found is nearly always what an exact scan finds (`DenseIndex.recall` measures it).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import faiss
import numpy as np
import torch

from app.errors import IndexCorrupt, IndexMismatch
from app.retrieval.ranking import top
from app.retrieval.types import Candidates, Floats, Ids, Mask

NARROW = 0.05
"""Filters that keep at most this share of the passages are searched over the kept vectors alone."""
BATCH = 16
"""From here on a batch of queries goes through one matrix product instead of FAISS, which has no BLAS path for it."""
SLACK = 16
"""Passages fetched beyond `depth`, to see whether a tie straddles the cut."""
CODES = "codes.faiss"
"""File of the codes, beside that of the vectors."""
CODED = 20_000
"""Passages from which on there are codes: an exact scan of fewer takes less than a millisecond."""
SPARE = 4
"""A quarter more passages than asked for are taken from the codes, at least SLACK."""
SAMPLE = 64
"""Passages whose neighbours are compared to measure recall."""
SCAN_CELLS = 16_000_000
"""Scores held at a time by a matrix product (64 MB)."""


Opened = TypeVar("Opened", bound=faiss.Index)


class Vectors(Protocol):
    """A dense index, wherever it computes."""

    dim: int

    def __len__(self) -> int: ...

    def search(self, vectors: Floats, depth: int, allowed: Mask | None = None) -> list[Candidates]: ...

    def rows(self, passages: Sequence[int]) -> Floats: ...


class DenseIndex:
    """Vectors as a FAISS flat index, in memory or memory-mapped, and their codes, if any. Any number of threads may
    search."""

    def __init__(self, index: faiss.IndexFlatIP, codes: faiss.IndexScalarQuantizer | None = None) -> None:
        self.index, self.codes = index, codes
        self.dim = int(index.d)
        self.vectors: Floats = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @classmethod
    def build(cls, vectors: Floats) -> DenseIndex:
        """From float32 vectors (n, dim), n ≥ 1; without codes."""
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(index)

    def coded(self) -> DenseIndex:
        """The same vectors with codes."""
        codes = faiss.IndexScalarQuantizer(self.dim, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        codes.train(self.vectors)
        codes.add(self.vectors)
        return DenseIndex(self.index, codes)

    def save(self, path: Path) -> None:
        faiss.write_index(self.index, str(path))
        if self.codes is not None:
            faiss.write_index(self.codes, str(path.with_name(CODES)))

    @classmethod
    def load(cls, path: Path) -> DenseIndex:
        """Memory-mapped. Raises IndexCorrupt where a file is missing, cut or another kind of index."""
        codes = path.with_name(CODES)
        index = _read(path, faiss.IndexFlatIP)
        loaded = cls(index, _read(codes, faiss.IndexScalarQuantizer) if codes.exists() else None)
        if loaded.codes is not None and (loaded.codes.ntotal, loaded.codes.d) != (index.ntotal, index.d):
            raise IndexCorrupt(
                f"{codes.name} holds {loaded.codes.ntotal} × {loaded.codes.d}, {path.name} {index.ntotal} × {index.d}; "
                "build the index again"
            )
        return loaded

    def recall(self, depth: int) -> float:
        """The share of the exact `depth` nearest passages that a search finds, of up to SAMPLE passages asked for."""
        if self.codes is None:
            return 1.0
        asked = self.vectors[:: max(1, len(self) // SAMPLE)][:SAMPLE]
        exact = self._scan(asked, depth, None)
        found = [self.search(one[None], depth)[0] for one in asked]
        pairs = zip(found, exact, strict=True)
        return float(np.mean([len(np.intersect1d(one.ids, best.ids)) / len(best.ids) for one, best in pairs]))

    def search(self, vectors: Floats, depth: int, allowed: Mask | None = None) -> list[Candidates]:
        """The `depth` nearest passages of each query, best first; fewer where `allowed` (bool per row) has fewer."""
        check_dim(vectors, self.dim)
        rows = None if allowed is None else np.flatnonzero(allowed)
        count = len(self) if rows is None else len(rows)
        depth = min(depth, count)
        if depth == 0:
            return [top(np.empty(0, dtype=np.float32), 0) for _ in vectors]
        if len(vectors) >= BATCH or count <= max(NARROW * len(self), depth + SLACK):
            return self._scan(vectors, depth, rows)
        return [self._faiss(vector, depth, allowed) for vector in vectors]

    def rows(self, passages: Sequence[int]) -> Floats:
        """The vectors of passages, float32 (len(passages), dim)."""
        return self.vectors[list(passages)]

    def _scan(self, vectors: Floats, depth: int, rows: Ids | None) -> list[Candidates]:
        kept = self.vectors if rows is None or len(rows) == len(self) else self.vectors[rows]
        step = max(1, SCAN_CELLS // len(kept))
        found: list[Candidates] = []
        for start in range(0, len(vectors), step):
            # Three times faster than queries @ kept.T, the transposition included.
            scores = np.ascontiguousarray((kept @ vectors[start : start + step].T).T)
            found += [top(row, depth, rows) for row in scores]
        return found

    def _faiss(self, vector: Floats, depth: int, allowed: Mask | None) -> Candidates:
        query = np.ascontiguousarray(vector, dtype=np.float32).reshape(1, -1)
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bits))
        options = None if selector is None else faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # SWIG
        if self.codes is not None:
            near = self.codes.search(query, depth + max(SLACK, depth // SPARE), params=options)[1][0]
            ids = np.sort(near[near >= 0]).astype(np.int64)
            return top(self.vectors[ids] @ query[0], depth, ids)
        scores, ids = (found[0] for found in self.index.search(query, depth + SLACK, params=options))
        if scores[depth - 1] == scores[-1]:
            radius = float(np.nextafter(scores[depth - 1], np.float32(-np.inf)))
            _, scores, ids = self.index.range_search(query, radius, params=options)
        order = np.lexsort((ids, -scores))[:depth]
        return Candidates(ids[order].astype(np.int64), scores[order].astype(np.float32))


def _read(path: Path, kind: type[Opened]) -> Opened:
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise IndexCorrupt(f"{path.name} cannot be read by FAISS ({error}); build the index again") from error
    if not isinstance(index, kind):
        raise IndexCorrupt(f"{path.name} is a {type(index).__name__}, expected {kind.__name__}; build the index again")
    return index


class TorchDense:
    """The same search by torch, for CUDA: one thread at a time owns the device memory."""

    def __init__(self, vectors: Floats, device: str) -> None:
        self.dim = int(vectors.shape[1])
        self.vectors = torch.from_numpy(np.array(vectors, dtype=np.float32)).to(device)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, vectors: Floats, depth: int, allowed: Mask | None = None) -> list[Candidates]:
        """As DenseIndex.search."""
        check_dim(vectors, self.dim)
        with self._lock, torch.inference_mode():
            rows = None if allowed is None else torch.from_numpy(np.flatnonzero(allowed)).to(self.vectors.device)
            kept = self.vectors if rows is None else self.vectors[rows]
            found = [self._top(vector, kept, depth) for vector in torch.from_numpy(vectors).to(self.vectors.device)]
            return [Candidates((ids if rows is None else rows[ids]).cpu().numpy(), s.cpu().numpy()) for ids, s in found]

    def rows(self, passages: Sequence[int]) -> Floats:
        rows: Floats = self.vectors[list(passages)].cpu().numpy()
        return rows

    def _top(self, vector: torch.Tensor, kept: torch.Tensor, depth: int) -> tuple[torch.Tensor, torch.Tensor]:
        scores = kept @ vector
        depth = min(depth, len(scores))
        if depth == 0:
            return torch.empty(0, dtype=torch.int64), scores
        threshold = torch.topk(scores, depth).values[-1]
        near = torch.nonzero(scores >= threshold)[:, 0]
        best = near[torch.argsort(scores[near], descending=True, stable=True)[:depth]]
        return best, scores[best]


def open_dense(path: Path, device: str = "cpu") -> Vectors:
    """The index of a file, on the GPU where `device` is one."""
    index = DenseIndex.load(path)
    return TorchDense(index.vectors, device) if device.startswith("cuda") else index


def check_dim(vectors: Floats, dim: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise IndexMismatch(
            f"the index has {dim} dimensions, the encoder gives {vectors.shape[-1]}: "
            "rebuild with make index SOURCE=… NAME=…"
        )
