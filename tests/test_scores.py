from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.judged import query, ranking, track
from training.measures import calibration_error, means
from training.scores import CUTS, NAMES, calibration, judged, recall_curve, run_of, scores, values


def log2(rank: int) -> float:
    return math.log2(rank + 1)


TRACK = track(query("q1", "a", "b"), query("q2", "c"), query("q3", "d"), query("q4", "e"))
RANKINGS = {
    "q1": ranking(["a", "x", "b"]),
    "q2": ranking(["x", "c"]),
    "q3": ranking([*(f"x{n}" for n in range(30)), "d"]),  # relevant at rank 31
    # q4 has no ranking at all
}
EXPECTED = {
    "nDCG@10": {
        "q1": (1 / log2(1) + 1 / log2(3)) / (1 / log2(1) + 1 / log2(2)),
        "q2": 1 / log2(2),
        "q3": 0.0,
        "q4": 0.0,
    },
    "RR@10": {"q1": 1.0, "q2": 1 / 2, "q3": 0.0, "q4": 0.0},
    "R@10": {"q1": 1.0, "q2": 1.0, "q3": 0.0, "q4": 0.0},
    "R@100": {"q1": 1.0, "q2": 1.0, "q3": 1.0, "q4": 0.0},
}


@pytest.mark.parametrize("measure", list(EXPECTED))
def test_measures_are_their_formulas(measure: str) -> None:
    """A query without a ranking counts 0; a mean is over the queries asked for."""
    found = values(TRACK, run_of(RANKINGS))
    assert {query_id: one[measure] for query_id, one in found.items()} == pytest.approx(EXPECTED[measure])
    both = EXPECTED[measure]["q1"] + EXPECTED[measure]["q2"]
    assert scores(found, ("q1", "q2"))[measure].mean == pytest.approx(both / 2)
    assert scores(found, ("q1", "q2", "q3", "q4"))[measure].mean == pytest.approx(sum(EXPECTED[measure].values()) / 4)


KEYS = st.sampled_from([f"d{n}" for n in range(15)])
JUDGED = st.tuples(st.sets(KEYS, min_size=1, max_size=6), st.lists(KEYS, unique=True, max_size=15))


@given(st.lists(JUDGED, min_size=1, max_size=5))
def test_measures_agree_with_our_own(drawn: list[tuple[set[str], list[str]]]) -> None:
    """Differential: ir-measures here, the formulas of training.measures there."""
    gold = {f"q{n}": relevant for n, (relevant, _) in enumerate(drawn)}
    rankings = {f"q{n}": keys for n, (_, keys) in enumerate(drawn)}
    part = track(*(query(query_id, *relevant) for query_id, relevant in gold.items()))
    found = scores(values(part, run_of({q: ranking(keys) for q, keys in rankings.items()})), list(gold))
    assert {name: found[name].mean for name in NAMES} == pytest.approx(means(rankings, gold))


def test_recall_is_drawn_as_far_as_the_depth() -> None:
    curve = recall_curve(TRACK, run_of(RANKINGS), 50)
    assert curve["k"] == [1, 2, 5, 10, 20, 50]
    assert curve["recall"] == pytest.approx([0.5 / 4, 1.5 / 4, 2 / 4, 2 / 4, 2 / 4, 3 / 4])
    assert recall_curve(TRACK, run_of(RANKINGS), 200)["k"] == list(CUTS)


PAGES = st.lists(
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=10), min_size=1, max_size=12
)


@given(PAGES)
def test_the_calibration_error_is_that_of_all_pages_together(drawn: list[list[tuple[float, float]]]) -> None:
    pages = [(np.array([r for r, _ in page]), np.array([y for _, y in page])) for page in drawn]
    found = calibration(pages)
    relevance, labels = (np.concatenate([page[side] for page in pages]) for side in (0, 1))
    assert found.mean == pytest.approx(calibration_error(relevance, labels))
    assert 0 <= found.low <= found.high <= 1 + 1e-9


def test_resampled_errors_are_those_of_the_resampled_pages() -> None:
    """Differential: the interval by matrices, and each resample's pages put together."""
    rng = np.random.default_rng(1)
    pages = [(rng.random(4), rng.integers(0, 2, 4).astype(float)) for _ in range(9)]
    picks = np.random.default_rng(7).integers(0, 9, (2000, 9))
    relevance, labels = (np.stack([page[side] for page in pages]) for side in (0, 1))
    errors = [calibration_error(relevance[row].ravel(), labels[row].ravel()) for row in picks]
    found = calibration(pages)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(errors, [2.5, 97.5])))


def test_the_first_page_of_every_query_is_judged() -> None:
    part = track(query("q1", "a"), query("q2", "b"))
    rankings = {
        "q1": ranking([*"xa", *map(str, range(20))], [1.0000001, *([0.5] * 21)]),
        "q2": ranking([]),
    }
    (given, labels), (nothing, _) = judged(part, rankings)
    assert labels.tolist() == [0, 1] + [0] * 8
    assert given.tolist() == [1.0] + [0.5] * 9  # a float32 above 1 by rounding is cut
    assert len(nothing) == 0
