"""What of a first stage's passages the second reads: those that can still reach the page.

The second stage orders by logit + weight × first-stage score (`Blend`), and of nearly all pairs the logit is at most
`Blend.most`. So passages are read in the order of what they could reach at best, and when the page is full of
documents that stand higher than the best of the rest could, the rest is left unread. The page is the one that reading
everything gives, as far as no logit exceeds the bound (a threshold algorithm: Fagin, Lotem & Naor 2003).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.retrieval.fusion import Fused, Longs
from app.retrieval.types import Blends, Floats, Mask

BLOCK = 16
"""Passages read at a time once the page is full: about one batch of the cross-encoder on a CPU."""

Read = Callable[[Longs], Floats]
"""Positions of passages → their logits."""


def second_stage(
    read: Read, fused: Fused, blends: Blends, decisions: Mask, documents: Longs, count: int
) -> tuple[Floats, Floats]:
    """(logits, log-odds by which to order), float32 (n,): the first NaN, and the second below the page, where unread.

    `decisions` and `documents` say per passage whether it is a decision's, and whose it is; `count` documents make a
    page.
    """
    most = np.where(decisions, blends.of("precedent").bound, blends.statute.bound).astype(np.float32)
    bounds = log_odds(most, fused, blends, decisions)
    order, passages = np.argsort(-bounds, kind="stable"), len(bounds)
    logits, final = np.full(passages, np.nan, dtype=np.float32), np.full(passages, -np.inf, dtype=np.float32)
    known = bool(np.isfinite(most).all()) and len(np.unique(documents)) > count
    start, step, last = 0, max(count, BLOCK) if known else passages, np.float32(-np.inf)
    while step and start < passages:
        block = order[start : start + step]
        logits[block] = read(block)
        final[block] = log_odds(logits, fused, blends, decisions)[block]
        start += len(block)
        last = _last_of_page(final, documents, count) if start < passages else last
        step = min(BLOCK, int((bounds[order[start:]] > last).sum()))
    rest = order[start:]
    final[rest] = np.minimum(bounds[rest], np.nextafter(last, np.float32(-np.inf)))
    return logits, final


def log_odds(logits: Floats, fused: Fused, blends: Blends, decisions: Mask) -> Floats:
    """By the blend of each passage's kind, float32 (n,)."""
    found = blends.statute.log_odds(logits, fused.scores)
    if blends.precedent:
        found = np.where(decisions, blends.precedent.log_odds(logits, fused.own), found)
    return found


def _last_of_page(final: Floats, documents: Longs, count: int) -> np.float32:
    """The log-odds of the `count`-th best document; there are as many."""
    order = np.argsort(-final, kind="stable")
    _, first = np.unique(documents[order], return_index=True)
    return np.float32(final[order[np.sort(first)[count - 1]]])
