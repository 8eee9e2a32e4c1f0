from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.fetch.pace import LONGEST, Pace


@dataclass
class Clock:
    """Time that passes only where somebody sleeps, or sets it."""

    now: float = 0.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def pace(clock: Clock, per_second: float = 5.0, jitter: float = 0.0) -> Pace:
    return Pace(per_second, clock=clock.time, sleep=clock.sleep, jitter=lambda: jitter)


@given(st.floats(0.1, 20), st.lists(st.floats(0, 3), max_size=40))
def test_requests_are_never_closer_than_the_rate_allows(per_second: float, work: list[float]) -> None:
    clock = Clock()
    waiting, starts = pace(clock, per_second), list[float]()
    for seconds in work:
        waiting.wait()
        starts.append(clock.now)
        clock.now += seconds
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert all(gap >= 1 / per_second - 1e-9 for gap in gaps)


def test_the_first_request_does_not_wait_and_slow_ones_do_not_either() -> None:
    clock = Clock(100.0)
    waiting = pace(clock)
    waiting.wait()
    assert clock.now == 100.0
    clock.now += 7
    waiting.wait()
    assert clock.now == 107.0


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 8)])
def test_waits_double(failures: int, seconds: float) -> None:
    clock = Clock()
    pace(clock).back_off(failures)
    assert clock.now == seconds


def test_chance_adds_up_to_as_much_again() -> None:
    clock = Clock()
    pace(clock, jitter=0.5).back_off(3)
    assert clock.now == 4 * 1.5


def test_the_server_may_ask_for_more_up_to_a_limit() -> None:
    clock = Clock()
    pace(clock).back_off(1, 30)
    assert clock.now == 30
    pace(clock).back_off(1, 1e6)
    assert clock.now == 30 + LONGEST
