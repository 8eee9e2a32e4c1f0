"""The blend that a search uses: the best on dev that does not pay with questions of another kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.calibration import KEPT, best_weight

MEANS = st.dictionaries(st.sampled_from([0.0, 2.0, 8.0, 32.0, 128.0]), st.floats(0, 1), min_size=5, max_size=5)


def test_dev_alone_decides_where_there_is_nothing_beside_it() -> None:
    assert best_weight({0.0: 0.3, 8.0: 0.7, 64.0: 0.6}) == 8.0
    assert best_weight({8.0: 0.7, 64.0: 0.7}) == 8.0


def test_what_costs_the_others_too_much_is_not_chosen() -> None:
    assert best_weight({8.0: 0.78, 48.0: 0.77, 256.0: 0.76}, {8.0: 0.17, 48.0: 0.273, 256.0: 0.282}) == 48.0


@given(MEANS, MEANS)
def test_it_is_the_best_of_those_admitted(dev: dict[float, float], beside: dict[float, float]) -> None:
    chosen, least = best_weight(dev, beside), KEPT * max(beside.values())
    assert beside[chosen] >= least
    assert all(dev[chosen] >= value for blend, value in dev.items() if beside[blend] >= least)
