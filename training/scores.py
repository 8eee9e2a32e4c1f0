"""Rankings and qrels → measures by query, recall at k, and how far relevance can be believed

The measures are ir-measures' own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from training.measures import calibration_error
from training.significance import BOUNDS, Floats, Score, Values, interval, resampled
from training.systems import Ranking
from training.tracks import Track

MEASURES = (nDCG @ 10, RR @ 10, R @ 10, R @ 100)
NAMES = tuple(map(str, MEASURES))
CUTS = (1, 2, 5, 10, 20, 50, 100, 200)
"""Recall is drawn at these k."""
SHOWN = 10
"""Documents of a ranking whose relevance is checked: those on the first page."""
BINS = 15
"""As training.measures.calibration_error has."""

Run = Mapping[str, Mapping[str, float]]
"""query_id → document key → score."""


def run_of(rankings: Mapping[str, Ranking]) -> Run:
    return {query_id: ranking.scores() for query_id, ranking in rankings.items()}


def values(part: Track, run: Run, measures: Sequence[Any] = MEASURES) -> dict[str, dict[str, float]]:
    """The measures of every query of a track; a query without a ranking counts 0."""
    found = {query.query_id: dict.fromkeys(map(str, measures), 0.0) for query in part.queries}
    for metric in ir_measures.iter_calc(measures, part.qrels, run):
        found[metric.query_id][str(metric.measure)] = metric.value
    return found


def scores(measured: Values, ids: Sequence[str]) -> dict[str, Score]:
    """Measure → mean and interval over the queries `ids`."""
    return {name: interval([measured[query_id][name] for query_id in ids]) for name in NAMES}


def recall_curve(part: Track, run: Run, depth: int) -> dict[str, list[float]]:
    """Mean recall at the CUTS that `depth` passages can fill: {"k": […], "recall": […]}."""
    cuts = [k for k in CUTS if k <= depth]
    measured = values(part, run, [R @ k for k in cuts])
    means = [float(np.mean([one[f"R@{k}"] for one in measured.values()])) for k in cuts]
    return {"k": list(cuts), "recall": means}


# calibration


def judged(part: Track, rankings: Mapping[str, Ranking]) -> Iterator[tuple[Floats, Floats]]:
    """(relevance, labels) of the first page of every query."""
    for query in part.queries:
        ranking = rankings[query.query_id]
        labels = [float(key in query.relevant) for key in ranking.keys[:SHOWN]]
        yield np.clip(np.array(ranking.relevance[:SHOWN], dtype=np.float64), 0, 1), np.array(labels)


def calibration(pages: Sequence[tuple[Floats, Floats]]) -> Score:
    """The expected calibration error, resampled by query as every measure is.

    A document that nobody judged counts as not relevant, so that the error is rather too high. Resampling adds noise to
    every bin: the interval leans upwards.
    """
    relevance, labels = (np.concatenate(columns) for columns in zip(*pages, strict=True))
    gaps, counts = np.zeros((len(pages), BINS)), np.array([len(given) for given, _ in pages], dtype=np.float64)
    for row, (given, right) in enumerate(pages):
        places = np.minimum((given * BINS).astype(np.int64), BINS - 1)
        np.add.at(gaps[row], places, given - right)
    shares = resampled(len(pages))
    errors = np.abs(shares @ gaps).sum(axis=1) / np.maximum(shares @ counts, 1e-9)
    low, high = np.percentile(errors, BOUNDS)
    return Score(calibration_error(relevance, labels, BINS), float(low), float(high))
