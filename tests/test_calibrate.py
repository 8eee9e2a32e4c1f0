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


def test_where_nothing_is_cheap_enough_for_all_it_is_what_costs_the_dearest_least() -> None:
    dev, one, other = {0.0: 0.9, 8.0: 0.5, 64.0: 0.4}, {0.0: 0.1, 8.0: 0.2, 64.0: 0.4}, {0.0: 0.4, 8.0: 0.3, 64.0: 0.1}
    assert best_weight(dev, one, other) == 8.0


@given(MEANS, st.lists(MEANS, max_size=3))
def test_it_is_the_best_of_those_admitted(dev: dict[float, float], beside: list[dict[float, float]]) -> None:
    def kept(weight: float) -> float:
        return min([1.0, *(part[weight] / max(1e-9, *part.values()) for part in beside)])

    chosen, least = best_weight(dev, *beside), min(KEPT, max(map(kept, dev)))
    assert kept(chosen) >= least
    assert all(dev[chosen] >= value for weight, value in dev.items() if kept(weight) >= least)
