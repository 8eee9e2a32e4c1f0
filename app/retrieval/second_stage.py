"""What of a first stage's passages the second reads: those that can still reach the page.

The second stage orders by logit + weight × first-stage score (`Blend`). Of nearly all pairs the logit is at most
`Blend.most`; and the logits of one query's passages scatter about a mean of their own, so that few of the unread ones
are more than SPREAD standard deviations above the mean of those that have been read. So passages are read in the order
of what they could reach at best, and when the page is full of documents that stand higher than the best of the rest
could, the rest is left unread. The page is the one that reading everything gives, as far as no logit exceeds the bound
(a threshold algorithm: Fagin, Lotem & Naor 2003).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.retrieval.fusion import Fused, Longs
from app.retrieval.types import Blends, Floats, Mask

BLOCK = 16
"""Passages read at a time: about one batch of the cross-encoder on a CPU, and enough to tell how logits scatter."""
SPREAD = 3.0
"""Standard deviations; chosen on 180 dev queries, 60 lay questions and 60 to agencies, without their labels: 295 of the
300 pages are those of reading everything."""

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
    logits, final, last = np.full(len(most), np.nan, dtype=np.float32), np.empty(0, np.float32), np.float32(-np.inf)
    known = bool(np.isfinite(most).all()) and len(np.unique(documents)) > count
    rest, bounds = np.arange(len(most)), log_odds(most, fused, blends, decisions)
    block = _highest(bounds, rest, max(count, BLOCK) if known else len(rest))
    while len(block):
        logits[block] = read(block)
        rest, final = np.flatnonzero(np.isnan(logits)), log_odds(logits, fused, blends, decisions)
        last = _last_of_page(final, documents, count)
        likely = np.nanmean(logits) + SPREAD * np.nanstd(logits)
        bounds = log_odds(np.minimum(most, likely), fused, blends, decisions)
        block = _highest(bounds, rest[bounds[rest] > last], BLOCK)
    final[rest] = np.minimum(bounds[rest], np.nextafter(last, np.float32(-np.inf)))
    return logits, final


def log_odds(logits: Floats, fused: Fused, blends: Blends, decisions: Mask) -> Floats:
    """By the blend of each passage's kind, float32 (n,)."""
    found = blends.statute.log_odds(logits, fused.scores)
    if blends.precedent:
        found = np.where(decisions, blends.precedent.log_odds(logits, fused.own), found)
    return found


def _highest(bounds: Floats, positions: Longs, count: int) -> Longs:
    return positions[np.argsort(-bounds[positions], kind="stable")][:count]


def _last_of_page(final: Floats, documents: Longs, count: int) -> np.float32:
    """The log-odds of the `count`-th best document that has been read, −∞ where fewer have been."""
    order = np.argsort(-final, kind="stable")
    order = order[~np.isnan(final[order])]
    _, first = np.unique(documents[order], return_index=True)
    return np.float32(final[order[np.sort(first)[count - 1]]]) if len(first) >= count else np.float32(-np.inf)
