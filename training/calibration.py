"""Logits → relevance that means the same in every request: Platt scaling, and the threshold of `confident`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.measures import calibration_error

Floats = npt.NDArray[np.floating]
LEAST_SCALE = 1e-3
"""Where relevance does not rise with the logit, it is all but constant instead of reversed."""
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
