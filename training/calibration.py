"""Logits → relevance that means the same in every request: Platt scaling, and the threshold of `confident`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.retrieval.types import Blend
from training.dev import qrels
from training.measures import calibration_error, means
from training.reranking import Judged

Floats = npt.NDArray[np.floating]
WEIGHTS = (0.0, 2.0, 4.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 256.0, 512.0)
"""Weights of the first stage's score beside the logit that are tried on the calibration queries."""
LEAST_SCALE = 1e-3
"""Where relevance does not rise with the logit, it is all but constant instead of reversed."""
KEPT = 0.95
"""Part of the best on each kind of other questions that a weight must keep."""
MOST = 0.999
"""Share of logits that `Blend.most` is not below."""
SUPPORT = 10
"""Queries at or above a threshold that make its precision worth believing."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """relevance = sigmoid(scale × logit + bias)"""

    scale: float = 1.0
    bias: float = 0.0

    def relevance(self, logits: Floats) -> npt.NDArray[np.float64]:
        shifted = np.clip(self.scale * logits.astype(np.float64) + self.bias, -60, 60)
        found: npt.NDArray[np.float64] = 1 / (1 + np.exp(-shifted))
        return found


def platt(logits: Floats, labels: Floats, steps: int = 100) -> Calibration:
    """The maximum-likelihood scale and bias for binary labels, by Newton's method with Platt's smoothed targets.

    Source: Platt 1999, with the safeguards of Lin, Lin and Weng 2007.
    """
    positives, total = float(labels.sum()), len(labels)
    targets = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (total - positives + 2))
    design = np.stack([logits.astype(np.float64), np.ones(total)], axis=1)
    weights = np.array([0.0, np.log((positives + 1) / (total - positives + 1))])
    for _ in range(steps):
        relevance = Calibration(*weights).relevance(logits)
        gradient = design.T @ (relevance - targets)
        curvature = (design * (relevance * (1 - relevance))[:, None]).T @ design + 1e-10 * np.eye(2)
        step = _descend(design, targets, weights, np.linalg.solve(curvature, gradient))
        weights = weights - step
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(max(float(weights[0]), LEAST_SCALE), float(weights[1]))


def _descend(design: Floats, targets: Floats, weights: Floats, step: Floats) -> Floats:
    """The step halved until the loss does not rise; zero where no part of it helps."""
    now = _loss(design @ weights, targets)
    for _ in range(40):
        if _loss(design @ (weights - step), targets) <= now:
            return step
        step = step / 2
    return np.zeros(2)


def _loss(scores: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0, scores) - targets * scores).sum())


def cross_checked_error(logits: Floats, labels: Floats, groups: npt.NDArray[np.integer]) -> tuple[float, float]:
    """Expected calibration error (before, after), each half of the groups (queries) judged with the other's fit."""
    before = calibration_error(Calibration().relevance(logits), labels)
    after = np.empty(len(logits))
    for half in (0, 1):
        here = groups % 2 == half
        fitted = platt(logits[~here], labels[~here]) if here.any() and not here.all() else platt(logits, labels)
        after[here] = fitted.relevance(logits[here])
    return before, calibration_error(after, labels)


def confident_threshold(best: Sequence[float], right: Sequence[bool], precision: float) -> float:
    """The lowest relevance t such that, of the queries whose best relevance is ≥ t, a share ≥ `precision` has a right
    first result; 1.0 where there is none with enough queries to tell."""
    order = np.argsort(-np.asarray(best, dtype=np.float64), kind="stable")
    ranked, correct = np.asarray(best, dtype=np.float64)[order], np.asarray(right, dtype=np.float64)[order]
    counts = np.arange(1, len(order) + 1)
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True) if len(order) else np.empty(0, dtype=bool)
    enough = counts >= min(SUPPORT, max(1, len(order)))
    good = np.flatnonzero((np.cumsum(correct) / counts >= precision) & last_of_ties & enough)
    return float(ranked[good[-1]]) if len(good) else 1.0


# A reranker's candidates of judged queries


@dataclass(frozen=True)
class Scored:
    """Calibration queries with the logits of their candidates, by the saved model as it is served."""

    judged: list[Judged]
    logits: list[Floats]

    def flat(self) -> tuple[Floats, Floats, Any]:
        """(logits, labels, number of the query) of every candidate."""
        numbers = np.repeat(np.arange(len(self.judged)), [len(found) for found in self.logits])
        return np.concatenate(self.logits), np.concatenate([one.labels for one in self.judged]), numbers

    def by_weight(self) -> dict[float, float]:
        """nDCG@10 of the order by logit + weight × first-stage score, for each of WEIGHTS."""
        relevant = qrels([one.query for one in self.judged])
        found: dict[float, float] = {}
        for weight in WEIGHTS:
            scores = [logits + weight * one.scores for one, logits in zip(self.judged, self.logits, strict=True)]
            rankings = {j.query.query_id: j.ranking(s) for j, s in zip(self.judged, scores, strict=True)}
            found[weight] = means(rankings, relevant)["nDCG@10"]
        return found

    def threshold(self, calibration: Calibration, precision: float) -> float:
        best = [float(calibration.relevance(found).max(initial=0)) for found in self.logits]
        right = [bool(one.labels[int(found.argmax())]) for one, found in zip(self.judged, self.logits, strict=True)]
        return confident_threshold(best, right, precision)


def best_weight(dev: Mapping[float, float], *beside: Mapping[float, float]) -> float:
    """The weight of the highest mean on dev, the smaller of equals, among those that keep KEPT of the best of every
    `beside`; where none does, among those that keep most of what they lose most of."""
    kept = {weight: min([1.0, *(part[weight] / max([1e-9, *part.values()]) for part in beside)]) for weight in dev}
    least = min(KEPT, max(kept.values()))
    return max((weight for weight in dev if kept[weight] >= least), key=lambda weight: (dev[weight], -weight))


def told(by_weight: Mapping[float, float]) -> str:
    return "nDCG@10 by weight: " + "  ".join(f"{weight:g} {value:.4f}" for weight, value in by_weight.items())


def blended(scored: Scored, weight: float, precision: float) -> Blend:
    """Calibration and threshold of logit + weight × first-stage score, by which a search ranks."""
    print(f"of logit + {weight:g} × first stage: ", end="", flush=True)
    final = [logits + weight * one.scores for one, logits in zip(scored.judged, scored.logits, strict=True)]
    calibration, confident = calibrate(Scored(scored.judged, final), precision)
    most = float(np.quantile(np.concatenate(scored.logits), MOST))
    return Blend(weight, calibration.scale, calibration.bias, confident, most)


def calibrate(scored: Scored, precision: float) -> tuple[Calibration, float]:
    """Fit on the calibration queries and say what it changes."""
    logits, labels, numbers = scored.flat()
    before, after = cross_checked_error(logits, labels, numbers)
    calibration = platt(logits, labels)
    confident = scored.threshold(calibration, precision)
    print(
        f"calibration on {len(scored.judged)} dev queries: error {before:.4f} before, {after:.4f} after "
        f"(scale {calibration.scale:.3f}, bias {calibration.bias:.3f}); confident from relevance {confident:.3f}",
        flush=True,
    )
    return calibration, confident
