from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_measures import RR, R, ScoredDoc, nDCG

from training.measures import calibration_error, means, ndcg, recall, reciprocal_rank


def test_ndcg_of_second_and_fourth_of_three_relevant() -> None:
    ideal = 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg("xaybz", {"a", "b", "c"}) == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)


def test_reciprocal_rank_stops_at_k() -> None:
    assert reciprocal_rank("xyza", {"a"}) == 1 / 4
    assert reciprocal_rank("xyza", {"a"}, k=3) == 0


def test_recall_counts_misses() -> None:
    assert recall("abxy", {"a", "b", "c", "d"}, k=100) == 2 / 4
    assert recall("ab", set()) == 0


def test_a_query_without_a_ranking_counts_zero() -> None:
    assert means({"1": ["a"]}, {"1": {"a"}, "2": {"b"}})["nDCG@10"] == 1 / 2


rankings = st.dictionaries(
    st.sampled_from("12345"), st.lists(st.integers(0, 30), unique=True, min_size=1, max_size=25), min_size=1
)


@given(rankings, st.dictionaries(st.sampled_from("12345"), st.sets(st.integers(0, 30), min_size=1), min_size=1))
def test_means_agree_with_ir_measures(found: dict[str, list[int]], relevant: dict[str, set[int]]) -> None:
    run = [ScoredDoc(q, str(d), -rank) for q, docs in found.items() for rank, d in enumerate(docs)]
    judged = [ir_measures.Qrel(q, str(d), 1) for q, docs in relevant.items() for d in docs]
    theirs = ir_measures.calc_aggregate([nDCG @ 10, RR @ 10, R @ 10, R @ 100], judged, run)
    ours = means(found, relevant)
    assert ours == pytest.approx({str(measure): value for measure, value in theirs.items()}, abs=1e-6)


def test_calibration_error_of_perfect_and_of_overconfident_relevance() -> None:
    labels = np.array([0.0, 1.0, 0.0, 1.0])
    assert calibration_error(labels, labels) == 0
    assert calibration_error(np.full(4, 0.9), labels) == pytest.approx(0.9 - 0.5)
