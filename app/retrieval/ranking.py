"""The best of many scores, with ties in one fixed order."""

from __future__ import annotations

import numpy as np

from app.retrieval.types import Candidates, Floats, Ids


def top(scores: Floats, depth: int, ids: Ids | None = None) -> Candidates:
    """The `depth` highest of `scores` (n,), best first, ties by position; `ids` (ascending) name the positions."""
    depth = min(depth, len(scores))
    if depth <= 0:
        return Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
    threshold = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    near = np.flatnonzero(scores >= threshold)
    best = near[np.argsort(-scores[near], kind="stable")[:depth]].astype(np.int64)
    return Candidates(best if ids is None else ids[best], scores[best])
