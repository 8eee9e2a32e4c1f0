"""Two lists of candidates into one, and passages into documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from app.law.names import FORERUNNERS
from app.retrieval.filters import FilterColumns
from app.retrieval.types import Candidates, Floats, FusionWeights, Ids, Mode, Tuning

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fused:
    """The union of both sides, best first by `scores`, ties by id; all arrays are of one length."""

    ids: Ids
    scores: Floats
    plain: Floats
    """The same sum with BM25 scaled by the attainable: comparable across requests."""

    def head(self, depth: int) -> Fused:
        return Fused(self.ids[:depth], self.scores[:depth], self.plain[:depth])


def fuse(dense: Candidates, lexical: Candidates, attainable: float, mode: Mode, tuning: Tuning) -> Fused:
    """Weighted sums of cosine and scaled BM25. `attainable` is the most that BM25 can reach for the query."""
    weights = {"hybrid": tuning.weights, "dense": FusionWeights(1, 0), "lexical": FusionWeights(0, 1)}[mode]
    ids = np.union1d(dense.ids, lexical.ids)
    cosine, bm25 = _spread(dense, ids), _spread(lexical, ids)
    best = float(lexical.scores[0]) if len(lexical.scores) else 1.0
    scale = attainable if tuning.lexical_scale == "attainable" else best
    scores = weights.dense * cosine + weights.lexical * bm25 / max(scale, 1e-9)
    plain = weights.dense * cosine + weights.lexical * bm25 / max(attainable, 1e-9)
    order = np.argsort(-scores, kind="stable")
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
