"""Two lists of candidates into one, and passages into documents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from app.law.names import FORERUNNERS
from app.retrieval.filters import FilterColumns
from app.retrieval.types import Candidates, Floats, FusionWeights, Ids, Mode, Tuning

Longs = npt.NDArray[np.int64]
RECALL = 500
"""Passages that each side recalls at least: what one of them has on a deep place can be the best of both."""
FAMILY = 5
"""Passages of a law that vouch for the others."""


@dataclass(frozen=True, slots=True)
class Fused:
    """The union of both sides, best first by `scores`, ties by id; all arrays are of one length."""

    ids: Ids
    scores: Floats
    plain: Floats
    """The same sum with BM25 scaled by the attainable: comparable across requests."""
    ranked: Floats | None = None
    """What decisions are ordered by among themselves (app.retrieval.vouching), `scores` of articles; None where there
    are no decisions."""

    @property
    def own(self) -> Floats:
        """The score of each passage among those of its kind."""
        return self.scores if self.ranked is None else self.ranked

    def head(self, depth: int) -> Fused:
        ranked = None if self.ranked is None else self.ranked[:depth]
        return Fused(self.ids[:depth], self.scores[:depth], self.plain[:depth], ranked)


def fuse(
    dense: Candidates, lexical: Candidates, attainable: float, mode: Mode, tuning: Tuning, sure: float = 1.0
) -> Fused:
    """Weighted sums of cosine and scaled BM25. `attainable` is the most that BM25 can reach for the query; `sure`, 0 to
    1, leads from tuning.unsure_weights, or tuning.worded_weights where BM25 reaches much of it, to tuning.weights."""
    weights = {
        "hybrid": _weights(tuning, sure, covered(lexical, attainable)),
        "dense": FusionWeights(1, 0),
        "lexical": FusionWeights(0, 1),
    }[mode]
    ids = np.union1d(dense.ids, lexical.ids)
    cosine, bm25 = _spread(dense, ids), _spread(lexical, ids)
    best = float(lexical.scores[0]) if len(lexical.scores) else 1.0
    scale = attainable if tuning.lexical_scale == "attainable" else best
    scores = weights.dense * cosine + weights.lexical * bm25 / max(scale, 1e-9)
    plain = weights.dense * cosine + weights.lexical * bm25 / max(attainable, 1e-9)
    return ordered(ids, scores, plain)


def covered(lexical: Candidates, attainable: float) -> float:
    """0 to 1: the best share of the attainable BM25 that a passage reaches."""
    return float(lexical.scores[0]) / max(attainable, 1e-9) if len(lexical.scores) else 0.0


def _weights(tuning: Tuning, sure: float, share: float) -> FusionWeights:
    worded = squashed((share - tuning.worded_share) / tuning.worded_width)
    return _between(_between(tuning.unsure_weights, tuning.worded_weights, worded), tuning.weights, sure)


def _between(low: FusionWeights, high: FusionWeights, part: float) -> FusionWeights:
    dense, lexical = ((1 - part) * a + part * b for a, b in ((low.dense, high.dense), (low.lexical, high.lexical)))
    return FusionWeights(dense, lexical)


def sureness(best_cosine: float, tuning: Tuning) -> float:
    """0 to 1: how far the encoder's best article is above what it finds for a question that it knows nothing of."""
    return squashed((best_cosine - tuning.sure_cosine) / tuning.sure_width)


def settled(best_cosine: float, tuning: Tuning) -> float:
    """The same by the best decision: how far courts have dealt with what is asked, in words like these."""
    return squashed((best_cosine - tuning.court_cosine) / tuning.court_width)


def squashed(value: float) -> float:
    """The sigmoid of one number, which may be of any size."""
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def with_family(fused: Fused, families: Longs, weight: float) -> Fused:
    """Each score raised by weight × Σ over the five best of its family, the c-th best of them counting 1/c, of (score −
    the lowest score of all): passages of one law vouch for one another. `families` has a number per passage of `fused`.

    Cluster-based smoothing of a ranking, as in Kurland & Lee 2004, with a law for a cluster.
    """
    if not weight or not len(fused.ids):
        return fused
    return ordered(
        fused.ids,
        fused.scores + weight * _family_sums(fused.scores, families),
        fused.plain + weight * _family_sums(fused.plain, families),
    )


def _family_sums(scores: Floats, families: Longs) -> Floats:
    order = np.lexsort((-scores, families))
    ranked = families[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    lengths = np.diff(np.append(starts, len(ranked)))
    place = np.arange(len(ranked)) - np.repeat(starts, lengths)
    shares = np.where(place < FAMILY, (scores[order] - scores.min()) / (1 + place), 0)
    sums = np.empty(len(scores), dtype=np.float32)
    sums[order] = np.repeat(np.add.reduceat(shares, starts), lengths)
    return sums


def ordered(ids: Ids, scores: npt.NDArray[Any], plain: npt.NDArray[Any]) -> Fused:
    """Best first, ties by id."""
    order = np.lexsort((ids, -scores))
    return Fused(ids[order], scores[order].astype(np.float32), plain[order].astype(np.float32))


def _spread(side: Candidates, ids: Ids) -> Floats:
    """The side's scores at `ids` (ascending), its lowest score where it did not find one, 0 where it found none."""
    scores = np.full(len(ids), side.scores.min() if len(side.scores) else 0, dtype=np.float32)
    scores[np.searchsorted(ids, side.ids)] = side.scores
    return scores


@dataclass(frozen=True, slots=True)
class Group:
    """A document of the ranking: its row, and the positions of its passages in the candidates, best first."""

    document: int
    positions: Longs


class Folder:
    """Passages → documents, for one corpus. A document scores as its best passage.

    Articles that share one citation (a law in force and its repealed forerunner of the same name) make one document:
    the one of an ordinary kind, then the newest.
    """

    def __init__(self, columns: FilterColumns, owners: npt.NDArray[np.int32]) -> None:
        self.columns, self.owners = columns, owners

    @cached_property
    def _keys(self) -> Longs:
        """One number per citation of articles; every decision has its own."""
        codes = self.columns.column("citation").codes.astype(np.int64)
        statutes = self.columns.column("kind").where("statute".__eq__)
        return np.where(statutes, codes, len(codes) + np.arange(len(codes)))

    def fold(self, ids: Ids, scores: Floats) -> list[Group]:
        """Documents by their best passage, ties by the order given. The only place where passages become documents."""
        order = np.argsort(-scores, kind="stable")
        places = np.argsort(order, kind="stable")
        owners = self.owners[ids]
        groups: dict[int, list[int]] = {}
        for position in order:
            groups.setdefault(self.key(int(owners[position])), []).append(int(position))
        folded = [self._group(np.array(positions), owners) for positions in groups.values()]
        return sorted(folded, key=lambda group: int(places[group.positions[0]]))

    def key(self, document: int) -> int:
        """The same number for documents that a ranking must not return beside each other."""
        return int(self._keys[document])

    def keys(self, documents: npt.NDArray[np.integer[Any]]) -> Longs:
        """`key` of each."""
        keys: Longs = self._keys[documents]
        return keys

    def _group(self, positions: Longs, owners: npt.NDArray[np.int32]) -> Group:
        document = self.preferred(list(dict.fromkeys(owners[positions].tolist())))
        return Group(document, positions[owners[positions] == document])

    def preferred(self, documents: Sequence[int]) -> int:
        """Of documents that share a citation, the one it means."""
        if len(documents) == 1:
            return documents[0]
        kinds, dates = self.columns.column("law_kind"), self.columns.column("date")

        def standing(document: int) -> tuple[bool, str]:
            return kinds.value(document) not in FORERUNNERS, dates.value(document)

        return max(documents, key=standing)
