from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import LEAST_SCALE, Calibration, confident_threshold, cross_checked_error, platt
from training.measures import calibration_error


def drawn(scale: float, bias: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, count).astype(np.float32)
    chance = 1 / (1 + np.exp(-(scale * logits + bias)))
    return logits, (rng.random(count) < chance).astype(np.float32)


@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (0.4, -2.0), (2.5, 1.0)])
def test_platt_finds_the_scale_and_bias_that_labels_were_drawn_with(scale: float, bias: float) -> None:
    found = platt(*drawn(scale, bias))
    assert found.scale == pytest.approx(scale, rel=0.08)
    assert found.bias == pytest.approx(bias, abs=0.1)


def test_platt_mends_overconfident_logits() -> None:
    logits, labels = drawn(0.3, -1.0)
    before, after = cross_checked_error(logits, labels, np.arange(len(logits)))
    assert before > 0.1 > 0.02 > after
    assert before == pytest.approx(calibration_error(Calibration().relevance(logits), labels))


def test_separable_and_one_sided_labels_stay_finite() -> None:
    logits = np.array([-2.0, -1.0, 1.0, 2.0], dtype=np.float32)
    for labels in ([0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]):
        found = platt(logits, np.array(labels, dtype=np.float32))
        assert np.isfinite([found.scale, found.bias]).all()
        assert found.scale >= LEAST_SCALE


def test_relevance_that_falls_with_the_logit_is_not_reversed() -> None:
    logits, labels = drawn(1.0, 0.0)
    assert platt(-logits, labels).scale == LEAST_SCALE


@given(st.floats(-500, 500, width=32), st.floats(-500, 500, width=32))
def test_relevance_rises_with_the_logit_and_stays_in_0_to_1(one: float, other: float) -> None:
    low, high = Calibration(0.7, -1.0).relevance(np.array(sorted([one, other])))
    assert 0 <= low <= high <= 1


def test_the_threshold_is_the_lowest_with_the_precision() -> None:
    best = [0.9] * 8 + [0.8] * 4 + [0.5] * 8
    right = [True] * 8 + [True, True, True, False] + [False] * 8
    assert confident_threshold(best, right, 0.8) == 0.8
    assert confident_threshold(best, right, 0.5) == 0.5


def test_no_threshold_where_the_precision_is_never_reached() -> None:
    assert confident_threshold([0.9] * 20, [False] * 20, 0.8) == 1.0
    assert confident_threshold([], [], 0.8) == 1.0


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()), min_size=10, max_size=60))
def test_at_the_threshold_the_precision_holds(pairs: list[tuple[float, bool]]) -> None:
    best, right = [b for b, _ in pairs], [r for _, r in pairs]
    threshold = confident_threshold(best, right, 0.8)
    above = [r for b, r in pairs if b >= threshold]
    assert threshold == 1.0 or sum(above) / len(above) >= 0.8
