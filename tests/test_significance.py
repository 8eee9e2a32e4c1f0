from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.significance import (
    COMPARED,
    RESAMPLES,
    compare,
    difference,
    interval,
    markdown,
    randomisation_p,
    resampled,
)

# intervals


def test_the_interval_of_a_constant_is_a_point() -> None:
    for values in ([0.25] * 40, [1.0]):
        found = interval(values)
        assert (found.mean, found.low, found.high) == pytest.approx((values[0],) * 3)


def test_the_interval_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(3).random(400).tolist()
    found = interval(values)
    error = np.std(values) / math.sqrt(len(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.low == pytest.approx(found.mean - 1.96 * error, abs=0.3 * error)
    assert found.high == pytest.approx(found.mean + 1.96 * error, abs=0.3 * error)
    assert interval(values) == found
    assert interval(values, seed=8) != found


def test_a_resample_draws_with_replacement() -> None:
    """Differential: shares @ values here, the means of the drawn values there."""
    values = np.random.default_rng(5).random(30)
    shares = resampled(30)
    assert shares.shape == (RESAMPLES, 30)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    picks = np.random.default_rng(7).integers(0, 30, (RESAMPLES, 30))
    np.testing.assert_allclose(shares @ values, values[picks].mean(axis=1))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_no_more_than_its_values(values: list[float]) -> None:
    found = interval(values)
    slack = 1e-9
    assert min(values) - slack <= found.low <= found.high <= max(values) + slack
    assert found.mean == pytest.approx(float(np.mean(values)))


def test_systems_are_paired() -> None:
    """What is better by 0.1 in every query is better by 0.1 in every resample."""
    values = np.random.default_rng(2).random(50)
    low, high = interval(values), interval(values + 0.1)
    assert (high.low - low.low, high.high - low.high) == pytest.approx((0.1, 0.1))


# the test


def exact(differences: list[float]) -> float:
    """Every assignment of signs."""
    observed = abs(sum(differences))
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((-1, 1), repeat=len(differences))]  # fmt: skip
    return sum(total >= observed - 1e-9 for total in sums) / len(sums)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1).map(lambda value: round(value, 2)), min_size=1, max_size=9))
def test_p_is_that_of_all_sign_flips(differences: list[float]) -> None:
    """Differential: 10,000 draws are within 5 standard errors of the enumeration."""
    p = exact(differences)
    assert randomisation_p(differences) == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / 10_000) + 2e-4)


def test_p_as_a_formula() -> None:
    """n equal differences reach their sum with all signs alike: 2 of 2ⁿ. Equal runs: always. p is never 0."""
    assert randomisation_p([0.1] * 6) == pytest.approx(2 / 2**6, abs=0.008)
    assert randomisation_p([0.0] * 50) == 1.0
    assert randomisation_p([0.5]) == 1.0
    assert randomisation_p([0.1] * 60) == 1 / 10_001
    assert randomisation_p([0.1] * 60, flips=99) == 1 / 100


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=30)
def test_p_has_two_sides(differences: list[float]) -> None:
    p = randomisation_p(differences, flips=200)
    assert 0 < p <= 1
    assert p == randomisation_p([-one for one in differences], flips=200)
    assert p == randomisation_p([*differences, 0.0, 0.0], flips=200)


def test_under_equal_runs_p_is_as_good_as_uniform() -> None:
    """The test is right: of two runs that differ by chance alone, one in ten has p ≤ 0.1."""
    rng = np.random.default_rng(11)
    small = [randomisation_p(rng.standard_normal(20), flips=200) <= 0.1 for _ in range(400)]
    assert np.mean(small) == pytest.approx(0.1, abs=0.05)


# runs


def test_golden_difference() -> None:
    found = difference([0.5, 0.25, 0.0, 1.0], [0.75, 0.5, 0.25, 1.0])
    assert (found.n, found.before, found.after, found.difference) == (4, 0.4375, 0.625, 0.1875)
    assert (found.low, found.high) == (0.0625, 0.25)
    assert found.p == pytest.approx(2 / 2**3, abs=0.02)


def run(**gains: float) -> dict[str, dict[str, float]]:
    return {query_id: {"nDCG@10": gain, "R@100": 1.0, "RR@10": 0.0} for query_id, gain in gains.items()}


def test_runs_are_compared_over_what_both_have() -> None:
    strata = {"all": ("a", "b", "c"), "strict": ("c",)}
    rows = list(compare(strata, run(a=0.5, b=0.5, gone=1.0), run(a=0.75, b=0.5, c=1.0)))
    assert [(row["stratum"], row["measure"], row["n"]) for row in rows] == [("all", name, 2) for name in COMPARED]
    assert (rows[0]["before"], rows[0]["after"]) == (0.5, 0.625)
    assert (rows[1]["difference"], rows[1]["low"], rows[1]["high"], rows[1]["p"]) == (0.0, 0.0, 0.0, 1.0)


def test_the_table_says_what_is_more_than_chance() -> None:
    base = {"track": "articles", "system": "bm25", "stratum": "all", "measure": "nDCG@10", "n": 9, "p": 0.0123}
    moves = [(0.01, 0.03), (-0.03, -0.01), (-0.01, 0.03)]
    rows = [
        {**base, "before": 0.5, "after": 0.52, "difference": (low + high) / 2, "low": low, "high": high}
        for low, high in moves
    ]
    lines = markdown(rows).splitlines()[2:]
    assert lines[0] == (
        "| articles | all | 9 | bm25 | nDCG@10 | 0.5000 | 0.5200 | +0.0200 [+0.010, +0.030] | 0.0123 | better |"
    )
    assert [line.split("|")[-2].strip() for line in lines] == ["better", "worse", ""]
