"""How fast we ask: at most so many requests a second, and longer and longer waits after an answer that failed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST = 120.0
"""Seconds that one wait takes at most, even where the server asks for more."""


@dataclass(slots=True)
class Pace:
    """`wait()` before each request; `back_off(n)` after the n-th failure in a row, from 1. Times are in seconds."""

    per_second: float = 5.0
    base: float = 1.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    _next: float = field(default=float("-inf"), init=False)

    def wait(self) -> None:
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
            now = self._next
        self._next = now + 1 / self.per_second

    def back_off(self, failures: int, asked: float = 0.0) -> None:
        """Twice as long each time, and up to as much again by chance, so that many clients do not return at once."""
        wait = self.base * 2 ** (failures - 1) * (1 + self.jitter())
        self.sleep(min(LONGEST, max(wait, asked)))
