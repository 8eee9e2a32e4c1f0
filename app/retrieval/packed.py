"""Texts of a batch one behind the other, without padding, and attention within each of them.

All products but those of attention take rows as they are: a row a token, texts longest first. For attention, texts of
like length are put in groups, and padded to one width.

oneDNN compiles each product of bf16 for its shape, which takes two thirds as long as the product itself, and keeps few
of them (device.py). So rows, texts and widths come in steps, and the same shapes come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.retrieval.first_token import turned

ROWS, TEXTS, WIDTH = 256, 16, 32
"""Steps. A softmax over bf16 takes 32 numbers at a time, and what is left one by one."""
CELLS = 1 << 20
"""Scores of one group: more leave the cache."""
BUDGET = 4096
"""Tokens of one pass: about one block of what a search reads (second_stage.py)."""

Longs = npt.NDArray[np.int64]
Turns = tuple[Tensor, Tensor]
"""cos and sin of rotary positions, (1, places, size of a head)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one width: their number times the heads, where their rows of one head begin among all groups', and -inf
    for padding, 0 for tokens, (size, 1, width), None where nothing is padded."""

    size: int
    width: int
    start: int
    mask: Tensor | None


@dataclass(frozen=True, slots=True)
class Window:
    """Some texts, the rows among which theirs are, and 0 for the rows of each, -inf for others, (1, texts, rows)."""

    texts: slice
    rows: slice
    mask: Tensor


class Packed:
    """Rows of texts of `lengths` tokens, which never increase; behind the last text are some that belong to none."""

    def __init__(self, lengths: Sequence[int] | Longs, heads: int, size: int, dtype: torch.dtype) -> None:
        """`heads` of `size` numbers each; masks are of `dtype`."""
        self._heads, self._size, self._dtype = heads, size, dtype
        counts = np.asarray(lengths, dtype=np.int64)
        starts = np.concatenate(([0], np.cumsum(counts)))
        self.tokens, self.rows = int(starts[-1]), _up(int(starts[-1]), ROWS)
        self.places = torch.zeros(self.rows, dtype=torch.int64)
        """Of each row in its text, int64 (rows,)."""
        self.places[: self.tokens] = torch.from_numpy(np.arange(self.tokens) - np.repeat(starts[:-1], counts))
        self.widest = _up(int(counts[0]), WIDTH)
        """Tokens of the longest text with its padding."""
        self._first, self._windows = self._windowed(counts, starts)
        self._groups, self._gathered, self._back = self._grouped(counts, starts)

    def _windowed(self, counts: Longs, starts: Longs) -> tuple[Tensor, list[Window]]:
        """The first row of each text, and the windows. What the step adds to the texts are more of the last."""
        which = np.minimum(np.arange(_up(len(counts), TEXTS)), len(counts) - 1)
        windows = list[Window]()
        for first in range(0, len(which), TEXTS):
            texts = which[first : first + TEXTS]
            size = _up(int((starts[texts + 1]).max() - starts[first]), ROWS)
            start = min(int(starts[first]), self.rows - size)
            places = np.arange(start, start + size)
            own = (starts[texts, None] <= places) & (places < starts[texts + 1, None])
            mask = torch.from_numpy(np.where(own, 0.0, -np.inf)).to(self._dtype)[None]
            windows.append(Window(slice(first, first + TEXTS), slice(start, start + size), mask))
        return torch.from_numpy(starts[which]), windows

    def _grouped(self, counts: Longs, starts: Longs) -> tuple[list[Group], Tensor, Tensor]:
        """The groups; of what queries, keys and values are as rows of one head, those of each group, (3, texts, heads,
        width); and of all groups' rows of one head, (texts, heads, width), those of each row."""
        groups, gathered, taken = list[Group](), list[Longs](), 0
        back = np.zeros((self.rows, self._heads), dtype=np.int64)
        kinds, heads = np.arange(3)[:, None, None, None], np.arange(self._heads)[None, None, :, None]
        for first, last, width in self._runs(counts):
            real = np.arange(width) < counts[first:last, None]
            rows = np.where(real, starts[first:last, None] + np.arange(width), starts[first:last, None])
            size = (last - first) * self._heads
            mask = torch.from_numpy(np.where(real, 0.0, -np.inf).repeat(self._heads, axis=0)).to(self._dtype)[:, None]
            groups.append(Group(size, width, taken, None if real.all() else mask))
            gathered.append(((rows[None, :, None] * 3 + kinds) * self._heads + heads).ravel())
            cells = taken + np.arange(size * width).reshape(-1, self._heads, width).transpose(0, 2, 1)
            back[rows[real]] = cells[real]
            taken += size * width
        return groups, torch.from_numpy(np.concatenate(gathered)), torch.from_numpy(back.ravel())

    def _runs(self, counts: Longs) -> list[tuple[int, int, int]]:
        """(first, last, width) of each group: a power of two of texts."""
        runs, first = list[tuple[int, int, int]](), 0
        while first < len(counts):
            width = _up(int(counts[first]), WIDTH)
            alike = int(np.searchsorted(-counts, WIDTH - width, side="left")) - first
            most = min(alike, max(1, CELLS // (self._heads * width * width)))
            runs.append((first, first + (1 << (most.bit_length() - 1)), width))
            first = runs[-1][1]
        return runs

    def spread(self, values: Tensor) -> Tensor:
        """(tokens,) → (rows,): 0 behind the last text."""
        return torch.nn.functional.pad(values, (0, self.rows - self.tokens))

    def attended(self, qkv: Tensor, turns: Turns | None = None) -> Tensor:
        """softmax(q kᵀ / √size) v of each text: (rows, 3 dim) → (rows, dim). `turns` are of the widest at least."""
        parts = qkv.view(-1, self._size).index_select(0, self._gathered)
        found = qkv.new_empty(len(parts) // 3, self._size)
        for group in self._groups:
            begin, end = group.start, group.start + group.size * group.width
            three = parts[3 * begin : 3 * end].view(3, group.size, group.width, self._size)
            query, key = three[:2]
            if turns is not None:
                query, key = turned(three[:2], *(turn[:, : group.width] for turn in turns))
            shares = torch.softmax(self._scores(query, key, group.mask), dim=-1)
            torch.bmm(shares, three[2], out=found[begin:end].view_as(query))
        return found.index_select(0, self._back).view(self.rows, -1)

    def firsts(self, values: Tensor) -> Tensor:
        """Of the first token of each text: (rows, …) → (at least texts, …)."""
        return values.index_select(0, self._first)

    def by_head(self, states: Tensor) -> Tensor:
        """(n, dim) → (heads, n, size)."""
        return states.view(len(states), self._heads, self._size).transpose(0, 1)

    def averaged(self, query: Tensor, key: Tensor, states: Tensor) -> Tensor:
        """Σ softmax(q kᵀ / √size) state over the rows of each text: query (heads, as many as `firsts`, size),
        key (heads, rows, size), states (rows, dim) → (heads, as many, dim)."""
        found = states.new_empty(self._heads, query.shape[1], states.shape[1])
        for window in self._windows:
            scores = self._scores(query[:, window.texts], key[:, window.rows], window.mask)
            shares = torch.softmax(scores, dim=-1, dtype=torch.float32).to(states.dtype)
            averages = shares.flatten(0, 1) @ states[window.rows]
            found[:, window.texts] = averages.view(self._heads, TEXTS, -1)
        return found

    def _scores(self, query: Tensor, key: Tensor, mask: Tensor | None) -> Tensor:
        """(heads, queries, size) and (heads, keys, size) → (heads, queries, keys)."""
        scale = self._size**-0.5
        if mask is None:
            return torch.baddbmm(query.new_empty(1), query, key.mT, beta=0, alpha=scale)
        return torch.baddbmm(mask, query, key.mT, alpha=scale)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
