"""Passage vectors kept on disk while models are trained, and exact search over them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track

from app.retrieval.store import PassageStore

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
BLOCK = 4096
"""Passages encoded between two writes."""
SCORES = 16_000_000
"""Scores held at a time (64 MB)."""


class TextEncoder(Protocol):
    """What training needs of app.retrieval.encoder.Encoder: float32 vectors (n, dim) of length 1."""

    dim: int
    weights_sha256: str
    sure_cosine: float
    sure_width: float
    court_cosine: float
    court_width: float

    def encode_queries(self, texts: Sequence[str]) -> Floats: ...

    def encode_passages(self, texts: Sequence[str]) -> Floats: ...


def passage_vectors(encoder: TextEncoder, passages: PassageStore, indices: Ids, path: Path) -> Floats:
    """Vectors (len(indices), dim) of those passages, memory-mapped from `path`; made where the file is not of this
    encoder and these passages."""
    mark = path.with_suffix(".json")
    wanted = {"weights": encoder.weights_sha256, "passages": len(passages), "rows": len(indices)}
    if not (path.exists() and mark.exists() and json.loads(mark.read_text()) == wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        mark.unlink(missing_ok=True)
        partial = path.with_name(path.name + ".partial")
        shape = (len(indices), encoder.dim)
        vectors = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
        starts = range(0, len(indices), BLOCK)
        for start in track(starts, description=f"encoding {len(indices):,} passages"):
            vectors[start : start + BLOCK] = encoder.encode_passages(passages.texts(indices[start : start + BLOCK]))
        vectors.flush()
        del vectors
        partial.replace(path)
        mark.write_text(json.dumps(wanted))
    stored: Floats = np.load(path, mmap_mode="r")
    return stored


def nearest(queries: Floats, vectors: Floats, depth: int, device: str = "cpu") -> tuple[Floats, Ids]:
    """Exact inner product: (scores, rows of `vectors`), both (queries, min(depth, vectors)), best first."""
    depth = min(depth, len(vectors))
    step = max(1, SCORES // max(1, len(queries)))
    wanted = torch.from_numpy(np.ascontiguousarray(queries)).to(device)
    scores, rows = torch.empty((len(queries), 0), device=device), torch.empty((len(queries), 0), dtype=torch.int64)
    rows = rows.to(device)
    with torch.inference_mode():
        for start, block in _blocks(vectors, step):
            found = torch.topk(wanted @ block.to(device).T, min(depth, len(block)), dim=1)
            scores, rows = torch.cat([scores, found.values], 1), torch.cat([rows, found.indices + start], 1)
            best = torch.topk(scores, min(depth, scores.shape[1]), dim=1)
            scores, rows = best.values, torch.gather(rows, 1, best.indices)
    return scores.cpu().numpy(), rows.cpu().numpy()


def _blocks(vectors: Floats, step: int) -> Iterator[tuple[int, torch.Tensor]]:
    for start in range(0, len(vectors), step):
        yield start, torch.from_numpy(np.array(vectors[start : start + step]))
