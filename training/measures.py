"""nDCG@k, RR@k and R@k of one ranking or the means of many, with binary qrels, as ir-measures defines them.

nDCG@k = Σ_{relevant at rank r ≤ k} 1/log2(r + 1)  /  Σ_{r ≤ min(k, relevant)} 1/log2(r + 1)
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt


def ndcg(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """In 0..1; 0 where nothing is relevant."""
    gain = sum(1 / math.log2(rank + 1) for rank, found in enumerate(ranking[:k], 1) if found in relevant)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return gain / ideal if ideal else 0.0


def reciprocal_rank(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int = 10) -> float:
    """1 / rank of the first relevant document within k, else 0."""
    return next((1 / rank for rank, found in enumerate(ranking[:k], 1) if found in relevant), 0.0)


def recall(ranking: Sequence[Hashable], relevant: Collection[Hashable], k: int = 100) -> float:
    """Share of the relevant documents within k."""
    return len(set(ranking[:k]) & set(relevant)) / len(relevant) if relevant else 0.0


def means(rankings: Mapping[str, Sequence[Hashable]], qrels: Mapping[str, Collection[Hashable]]) -> dict[str, float]:
    """Means over every query of `qrels`; a query without a ranking counts 0."""
    pairs = [(rankings.get(query_id, ()), relevant) for query_id, relevant in qrels.items()]
    return {
        "nDCG@10": _mean(ndcg(ranking, relevant) for ranking, relevant in pairs),
        "RR@10": _mean(reciprocal_rank(ranking, relevant) for ranking, relevant in pairs),
        "R@10": _mean(recall(ranking, relevant, 10) for ranking, relevant in pairs),
        "R@100": _mean(recall(ranking, relevant) for ranking, relevant in pairs),
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else 0.0


def calibration_error(relevance: npt.NDArray[np.floating], labels: npt.NDArray[np.floating], bins: int = 15) -> float:
    """Expected calibration error: |mean relevance − share of relevant| over bins of equal width, weighted by count."""
    places = np.minimum((relevance * bins).astype(np.int64), bins - 1)
    counts = np.bincount(places, minlength=bins)
    gaps = np.abs(np.bincount(places, relevance, bins) - np.bincount(places, labels, bins))
    return float(gaps.sum() / max(1, counts.sum()))
