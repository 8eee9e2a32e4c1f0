from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import ranks, sections
from training.ranks import RankError
from training.recipe import RecipeError
from training.trainer import GROUP, SeededBatches, own_batch, total_steps


@contextmanager
def as_rank(rank: int, size: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "rank", lambda: rank)
        patch.setattr(ranks, "size", lambda: size)
        yield


# alone


def test_one_process_waits_for_nobody_and_shares_nothing() -> None:
    with ranks.together():
        assert (ranks.size(), ranks.rank()) == (1, 0)
        assert ranks.on_first(lambda: 7) == 7
        assert ranks.part([1, 2, 3]) == [1, 2, 3]
    own = torch.arange(4.0, requires_grad=True)
    rows, start = ranks.gathered(own)
    assert rows is own
    assert start == 0
    assert ranks.mean(own) == own.mean()


def test_its_failures_are_its_own() -> None:
    with pytest.raises(ZeroDivisionError):
        ranks.on_first(lambda: 1 / 0)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with (
        pytest.raises(RankError, match="process 3 of this machine has no GPU of its own, there are 2: start 2"),
        ranks.together(),
    ):
        pass


# the batches


class Grouped(list[int]):
    """Rows whose values are their groups, as a training set names them."""

    column_names = (GROUP,)

    def __getitem__(self, key: Any) -> Any:
        return list(self) if key == GROUP else super().__getitem__(key)


def batches(rows: int | Grouped, own: int, epoch: int, rank: int, size: int) -> list[list[int]]:
    with as_rank(rank, size):
        sampler = SeededBatches(range(rows) if isinstance(rows, int) else rows, own, drop_last=False, seed=5)
        sampler.set_epoch(epoch)
        made = list(sampler)
        assert len(sampler) == len(made)
    return made


@given(st.integers(0, 60), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_the_parts_of_a_step_are_one_process_s_batch(rows: int, own: int, size: int, epoch: int) -> None:
    """In its order, in equal parts; of the last, short batch fewer rows than there are processes go to none."""
    whole = batches(rows, own * size, epoch, 0, 1)
    parts = [batches(rows, own, epoch, rank, size) for rank in range(size)]
    assert len({len(one) for one in parts}) == 1
    steps = len(parts[0])
    assert len(whole) - steps == int(0 < rows % (own * size) < size)
    for step in range(steps):
        shared = [one[step] for one in parts]
        assert len({len(rows) for rows in shared}) == 1
        together = [row for rows in shared for row in rows]
        assert together == whole[step][: len(together)]
        assert len(whole[step]) - len(together) < size


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3))
def test_groups_are_shared_out_alike(groups: list[int], own: int, size: int, epoch: int) -> None:
    """Equal parts of one group, no row twice; one process's batch where none is short."""
    parts = [batches(Grouped(groups), own, epoch, rank, size) for rank in range(size)]
    assert len({len(one) for one in parts}) == 1
    steps = [[row for one in parts for row in one[step]] for step in range(len(parts[0]))]
    assert all(len({len(one[step]) for one in parts}) == 1 for step in range(len(steps)))
    if len(set(groups)) > 1:
        assert all(len({groups[row] for row in rows}) == 1 for rows in steps)
    flat = [row for rows in steps for row in rows]
    assert len(flat) == len(set(flat))
    if all(groups.count(group) >= own * size for group in set(groups)) and len(groups) % (own * size) == 0:
        assert steps == batches(Grouped(groups), own * size, epoch, 0, 1)


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_steps_are_counted_as_they_are_taken(rows: int, own: int, size: int, accumulation: int) -> None:
    section = sections.BiEncoder(batch=own * size, accumulation=accumulation)
    with as_rank(0, size):
        taken = math.ceil(len(SeededBatches(range(rows), own, drop_last=False)) / accumulation)
        assert total_steps(section, rows) == max(1, taken)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_steps_of_groups_are_counted_as_they_are_taken(
    groups: list[int], own: int, size: int, accumulation: int
) -> None:
    section = sections.BiEncoder(batch=own * size, accumulation=accumulation)
    with as_rank(0, size):
        taken = math.ceil(len(list(SeededBatches(Grouped(groups), own, drop_last=False))) / accumulation)
        assert total_steps(section, len(groups), Counter(groups).values()) == max(1, taken)


def test_the_processes_share_the_recipe_s_batch() -> None:
    with as_rank(0, 4):
        assert own_batch(sections.BiEncoder(batch=12)) == 3
        with pytest.raises(RecipeError, match="batch is 6 and there are 4 processes to share it: make it a multiple"):
            own_batch(sections.BiEncoder(batch=6))
