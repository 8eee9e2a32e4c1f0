"""Texts of many callers in common batches: everyone gets their own, in order, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.retrieval import device as devices
from app.retrieval.batching import NEAR, Batches, _Waiting, in_line
from app.retrieval.owner import computed, inside
from app.retrieval.types import Floats

TEXTS = st.lists(st.text("가나", min_size=1, max_size=9), max_size=12)


def doubled(texts: Sequence[str]) -> Floats:
    return np.array([2 * len(text) for text in texts], dtype=np.float32)


def asked(batches: Batches[str], texts: Sequence[str]) -> list[float]:
    found: list[float] = batches(texts, [len(text) for text in texts]).tolist()
    return found


class Gate:
    """A forward pass that waits until it may go, and remembers its batches."""

    def __init__(self) -> None:
        self.open, self.entered = threading.Event(), threading.Event()
        self.batches: list[list[str]] = []

    def __call__(self, texts: list[str]) -> Floats:
        self.entered.set()
        assert self.open.wait(10)
        self.batches.append(texts)
        return doubled(texts)


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.integers(1, 40), st.booleans())
def test_many_callers_get_what_each_would_alone(callers: list[list[str]], budget: int, padded: bool) -> None:
    def forward(texts: list[str]) -> Floats:
        assert inside()
        tokens = len(texts) * max(map(len, texts)) if padded else sum(map(len, texts))
        assert len(texts) == 1 or tokens <= budget
        return doubled(texts)

    batches = Batches(forward, budget, padded)
    with ThreadPoolExecutor(len(callers)) as pool:
        found = list(pool.map(lambda texts: asked(batches, texts), callers))
    assert found == [doubled(texts).tolist() for texts in callers]


@given(TEXTS, st.integers(1, 40))
def test_a_lone_caller_s_batches_are_those_by_length(texts: list[str], budget: int) -> None:
    made: list[list[str]] = []

    def forward(batch: list[str]) -> Floats:
        made.append(batch)
        return doubled(batch)

    asked(Batches(forward, budget), texts)
    lengths = [len(text) for text in texts]
    assert made == [[texts[n] for n in batch] for batch in devices.token_batches(lengths, budget)]


def test_vectors_come_back_as_rows() -> None:
    batches: Batches[str] = Batches(lambda texts: np.array([[len(text), 1.0] for text in texts], dtype=np.float32), 4)
    found = batches(["가", "나다", "라마바"], [1, 2, 3])
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 1], [2, 1], [3, 1]]


def test_those_who_wait_share_a_batch() -> None:
    gate = Gate()
    batches = Batches(gate, 12)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(asked, batches, ["가나다라"])
        assert gate.entered.wait(10)
        others = [pool.submit(asked, batches, ["가나다", "가"]) for _ in range(2)]
        while len(batches._line) < 3:
            pass
        gate.open.set()
        assert [one.result(10) for one in (first, *others)] == [[8], [6, 2], [6, 2]]
    assert gate.batches == [["가나다라"], ["가나다", "가나다", "가", "가"]]


def test_a_request_keeps_its_place_when_it_asks_again() -> None:
    gate = Gate()
    batches = Batches(gate, 1)
    began, ask = threading.Event(), threading.Event()

    def earlier() -> list[float]:
        with in_line():
            began.set()
            assert ask.wait(10)
            return asked(batches, ["가나다"])

    with ThreadPoolExecutor(3) as pool:
        older = pool.submit(earlier)
        assert began.wait(10)
        first = pool.submit(asked, batches, ["가"])
        assert gate.entered.wait(10)
        later = pool.submit(asked, batches, ["가나"])
        while len(batches._line) < 2:
            pass
        ask.set()
        while len(batches._line) < 3:
            pass
        gate.open.set()
        assert [one.result(10) for one in (older, first, later)] == [[6], [2], [4]]
    assert gate.batches == [["가"], ["가나다"], ["가나"]]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=8), min_size=1, max_size=NEAR), st.integers(1, 30))
def test_the_first_in_line_moves_with_every_batch(callers: list[list[int]], budget: int) -> None:
    batches: Batches[Any] = Batches(lambda texts: np.zeros(len(texts), dtype=np.float32), budget)
    line = [_Waiting(lengths, lengths) for lengths in callers]
    while line:
        before = len(line[0].left)
        batch = batches._next(line)
        assert len(line[0].left) < before
        assert len({(id(one), n) for one, n in batch}) == len(batch)
        line = [one for one in line if one.left]


def test_an_error_reaches_those_whose_texts_were_in_the_batch_and_no_others() -> None:
    def forward(texts: list[str]) -> Floats:
        if "나" in texts:
            raise ZeroDivisionError("나")
        return doubled(texts)

    batches = Batches(forward, 1)
    with pytest.raises(ZeroDivisionError):
        asked(batches, ["가", "나"])
    assert asked(batches, ["가", "가가"]) == [2, 4]


def test_a_pass_that_gives_too_little_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(ValueError, match="shorter"):
        asked(Batches(lambda texts: doubled(texts[1:]), 9), ["가", "나"])


def test_the_thread_of_the_models_does_not_wait_for_itself() -> None:
    batches: Batches[str] = Batches(doubled, 3)
    assert computed(lambda: asked(batches, ["가", "가나", "가나다"])) == [2, 4, 6]
    assert computed(lambda: computed(inside))
    assert not inside()
    with pytest.raises(ZeroDivisionError):
        computed(lambda: 1 // 0)
