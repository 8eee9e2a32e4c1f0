"""What the graph says of what was found: decisions of one another and of articles, articles of their decrees.

Decrees. An article and those of the decrees and rules that it delegates to speak for each other, as far as the encoder
is unsure of the query: a question without the law's words finds half of the rule in the Act and half in the decree.

    score = fused + delegated_weight · (1 − sure) · (the best score among them − the lowest of all)

Articles. The twenty decisions nearest to the query speak for the articles that they cite, as far as the encoder is sure
of the query:

    score = fused + cited_weight · sure · ln(1 + 3 · Σ over those that cite it of exp((their cosine − the best) / 0.1))

Decisions have an order of their own: other weights of the two sides, and what the best of them cite.

    score = fused by `precedent_weights` + link_weight · ln(1 + 3 · Σ over the ten best decisions that cite it of
            exp((their score − the best score) / 0.1))

What the ten best cite and no side found is added with the lowest score and its votes. Decisions trade places among
themselves alone and the places keep their scores: the first stage of a search of both kinds keeps its mixture. The
scores that they were ordered by go along (Fused.ranked), for the second stage has a blend for each kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.retrieval.fusion import Fused, fuse, ordered
from app.retrieval.graph import Graph
from app.retrieval.types import Candidates, Mask, Mode, Tuning

NEAREST = 20
"""Decisions nearest to a query that speak for articles."""
NEAR_PASSAGES = 60
"""Passages of decisions recalled to find them: a decision may have several."""
BEST = 10
"""Decisions at the head of a ranking whose citations speak for others."""
DELEGATING = 100
"""Passages at the head of a ranking whose articles speak for those of their decrees."""
SPREAD = 0.1
"""Fused score by which a decision that cites must fall short of the best to count e times less."""
VOTES = 3.0
Rows = npt.NDArray[np.integer[Any]]


class Vouching:
    """For one corpus: which documents are decisions, and what they cite."""

    def __init__(self, graph: Graph, decisions: Mask, owners: npt.NDArray[np.int32]) -> None:
        """`decisions` is over documents; `owners` gives the document of each passage, ascending."""
        self.graph, self.decisions, self.owners = graph, decisions, owners

    def for_decrees(self, fused: Fused, weight: float) -> Fused:
        """`fused` with the articles raised that delegate to one another and were both found."""
        if not weight or not len(fused.ids):
            return fused
        rows = self.owners[fused.ids].tolist()
        first = {row: place for place, row in reversed(list(enumerate(rows)))}
        best = dict[int, int]()
        for act, place in first.items():
            for decree in self.graph.delegations(act) if place < DELEGATING else ():
                if decree in first:
                    best[decree] = min(best.get(decree, place), place)
                    best[act] = min(best.get(act, first[decree]), first[decree])
        places = np.array([best.get(row, -1) for row in rows])
        scores, plain = (
            values + weight * np.where(places < 0, 0, values[places] - values.min())
            for values in (fused.scores, fused.plain)
        )
        return ordered(fused.ids, scores, plain)

    def for_articles(
        self, fused: Fused, near: Candidates, weight: float, allowed: Mask | None
    ) -> tuple[Fused, dict[int, float]]:
        """`fused` with the articles raised that the decisions of `near` (passages by cosine) cite, those that no side
        found added; and the votes by passage. `allowed` is over documents: what is not is not added."""
        votes = self._votes(near.ids, near.scores.astype(np.float64), NEAREST, ~self.decisions) if len(near.ids) else {}
        return self.raised(fused, votes, weight, allowed)

    def raised(
        self, fused: Fused, votes: Mapping[int, float], weight: float, allowed: Mask | None
    ) -> tuple[Fused, dict[int, float]]:
        """`fused` with weight · ln(1 + 3 · votes) added, documents with votes (by row) that no side found among them
        with the lowest score and their votes; and the votes by passage."""
        if not votes or not weight or not len(fused.ids):
            return fused, {}
        added = self._added(votes, fused.ids, allowed)
        ids = np.concatenate([fused.ids, added])
        found = np.array([votes.get(row, 0.0) for row in self.owners[ids].tolist()])
        bonus = weight * np.log1p(VOTES * found)
        scores, plain = (
            np.concatenate([values, np.full(len(added), values.min())]) + bonus
            for values in (fused.scores, fused.plain)
        )
        return ordered(ids, scores, plain), {int(i): float(v) for i, v in zip(ids, found, strict=True) if v}

    def __call__(
        self, fused: Fused, dense: Candidates, lexical: Candidates, attainable: float, mode: Mode, tuning: Tuning,
        allowed: Mask | None,
    ) -> tuple[Fused, dict[int, float]]:  # fmt: skip
        """`fused` with its decisions in their own order, and the votes for each of its passages that has any.

        `allowed` is over documents: what is not is not added.
        """
        places = np.flatnonzero(self.decisions[self.owners[fused.ids]])
        if not len(places):
            return fused, {}
        ids, scores = self._scored(fused.ids[places], dense, lexical, attainable, mode, tuning)
        if not tuning.link_weight:
            return self._placed(fused, places, ids, scores, ids[:0]), {}
        votes = self._votes(ids, scores, BEST, self.decisions)
        found = np.array([votes.get(row, 0.0) for row in self.owners[ids].tolist()])
        raised = scores + tuning.link_weight * np.log1p(VOTES * found)
        added = self._added(votes, ids, allowed)
        more = np.array([votes[row] for row in self.owners[added].tolist()])
        lowest = scores.min() + tuning.link_weight * np.log1p(VOTES * more)
        ids, raised = np.concatenate([ids, added]), np.concatenate([raised, lowest])
        voted = zip(ids.tolist(), np.concatenate([found, more]).tolist(), strict=True)
        placed = self._placed(fused, places, ids, raised, added)
        return placed, {passage: vote for passage, vote in voted if vote}

    def _scored(
        self, ids: Rows, dense: Candidates, lexical: Candidates, attainable: float, mode: Mode, tuning: Tuning
    ) -> tuple[Rows, npt.NDArray[np.float64]]:
        """The decisions' passages with scores by `precedent_weights`, best first."""
        own = fuse(dense, lexical, attainable, mode, replace(tuning, weights=tuning.precedent_weights))
        kept = np.isin(own.ids, ids)
        return own.ids[kept], own.scores[kept].astype(np.float64)

    def _votes(self, ids: Rows, scores: npt.NDArray[np.float64], most: int, targets: Mask) -> dict[int, float]:
        """Document row → how much the best `most` decisions speak for it, of those that are `targets`."""
        best: dict[int, float] = {}
        for row, score in zip(self.owners[ids].tolist(), scores.tolist(), strict=True):
            best.setdefault(row, float(np.exp((score - scores[0]) / SPREAD)))
            if len(best) == most:
                break
        votes: dict[int, float] = {}
        for row, weight in best.items():
            cited = self.graph.cited(row)
            for target in cited[targets[cited]].tolist():
                votes[target] = votes.get(target, 0.0) + weight
        return votes

    def _added(self, votes: Mapping[int, float], ids: Rows, allowed: Mask | None) -> Rows:
        """The first passage of each document that has votes and was not found; those with most votes first."""
        known = set(self.owners[ids].tolist())
        rows = sorted((row for row in votes if row not in known), key=lambda row: (-votes[row], row))
        rows = [row for row in rows if allowed is None or allowed[row]]
        first = np.searchsorted(self.owners, rows) if rows else np.empty(0, dtype=np.int64)
        pairs = zip(rows, first.tolist(), strict=True)
        there = [at for row, at in pairs if at < len(self.owners) and self.owners[at] == row]
        return np.array(there, dtype=np.int64)

    @staticmethod
    def _placed(fused: Fused, places: Rows, ids: Rows, scores: npt.NDArray[np.floating], added: Rows) -> Fused:
        """The decisions by `scores`, ties as they stood, in the places they have; what was added goes behind."""
        order = ids[np.argsort(-scores, kind="stable")]
        every = np.concatenate([fused.ids, added])
        every[places], every[len(fused.ids) :] = order[: len(places)], order[len(places) :]
        low, plain = (np.full(len(added), values.min(), dtype=np.float32) for values in (fused.scores, fused.plain))
        own, ranked = np.sort(scores)[::-1], np.concatenate([fused.scores, low])
        ranked[places], ranked[len(fused.ids) :] = own[: len(places)], own[len(places) :]
        return Fused(every, np.concatenate([fused.scores, low]), np.concatenate([fused.plain, plain]), ranked)
