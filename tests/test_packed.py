"""Texts without padding: attention within each of them is that of each by itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from app.retrieval import packed as packing
from app.retrieval.first_token import turned
from app.retrieval.packed import Packed

HEADS, SIZE = 2, 4
DIM = HEADS * SIZE
lengths = st.lists(st.integers(1, 80), min_size=1, max_size=40).map(lambda found: sorted(found, reverse=True))


def laid_out(counts: list[int]) -> tuple[Packed, torch.Tensor, list[int]]:
    """What is packed, (rows, 3 dim) of random numbers, and where texts begin."""
    packed = Packed(counts, HEADS, SIZE, torch.float32)
    qkv = torch.randn(packed.rows, 3 * DIM, generator=torch.Generator().manual_seed(len(counts)))
    return packed, qkv, np.cumsum([0, *counts]).tolist()


def heads(states: torch.Tensor) -> torch.Tensor:
    return states.view(len(states), HEADS, SIZE).transpose(0, 1)


@settings(deadline=None, max_examples=60)
@given(lengths, st.booleans())
def test_attention_is_that_of_each_text_by_itself(counts: list[int], rotary: bool) -> None:
    packed, qkv, starts = laid_out(counts)
    angles = torch.rand(1, packed.widest, SIZE // 2).repeat(1, 1, 2)
    turns = (angles.cos(), angles.sin())
    found = packed.attended(qkv, turns if rotary else None)
    assert found.shape == (packed.rows, DIM)
    for begin, end in pairwise(starts):
        query, key, value = (heads(part) for part in qkv[begin:end].chunk(3, dim=1))
        if rotary:
            query, key = turned(torch.stack((query, key)), *(turn[:, : end - begin] for turn in turns))
        expected = functional.scaled_dot_product_attention(query, key, value).transpose(0, 1).reshape(-1, DIM)
        torch.testing.assert_close(found[begin:end], expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(lengths)
def test_averages_are_those_of_each_text_by_itself(counts: list[int]) -> None:
    packed, qkv, starts = laid_out(counts)
    query, key, states = qkv.chunk(3, dim=1)
    found = packed.averaged(packed.by_head(packed.firsts(query)), packed.by_head(key), states)
    for number, (begin, end) in enumerate(pairwise(starts)):
        own = states[begin:end].expand(HEADS, -1, -1)
        expected = functional.scaled_dot_product_attention(heads(query[begin : begin + 1]), heads(key[begin:end]), own)
        torch.testing.assert_close(found[:, number], expected[:, 0], rtol=1e-4, atol=1e-5)


@given(lengths)
def test_places_count_from_0_in_each_text(counts: list[int]) -> None:
    packed = Packed(counts, HEADS, SIZE, torch.float32)
    expected = [place for count in counts for place in range(count)]
    assert packed.places.tolist() == expected + [0] * (packed.rows - len(expected))
    assert packed.spread(torch.ones(len(expected))).sum() == len(expected)


def test_shapes_come_in_steps() -> None:
    for counts in ([5], [300, 211, 4], [64] * 20):
        packed = Packed(counts, HEADS, SIZE, torch.float32)
        assert packed.rows % packing.ROWS == packed.widest % packing.WIDTH == 0
        assert len(packed.firsts(torch.zeros(packed.rows, 1))) % packing.TEXTS == 0


def test_groups_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CELLS", 1)
    packed, qkv, _ = laid_out([20] * 5)
    monkeypatch.undo()
    torch.testing.assert_close(packed.attended(qkv), laid_out([20] * 5)[0].attended(qkv))
