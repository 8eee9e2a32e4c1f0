"""Token ids of many texts in two flat arrays, and padded batches cut from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Ints = npt.NDArray[np.integer[Any]]
ENCODED_AT_ONCE = 20000


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of token ids: row i is `ids[offsets[i]:offsets[i + 1]]`; ids int32, offsets int64 (rows + 1,)."""

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> npt.NDArray[np.int32]:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def lengths(self, rows: Ints) -> npt.NDArray[np.int64]:
        return self.offsets[rows + 1] - self.offsets[rows]

    def take(self, rows: Ints) -> Ragged:
        """The rows in a given order, as a new Ragged."""
        offsets = np.concatenate(([0], np.cumsum(self.lengths(rows))))
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], np.diff(offsets))
        return Ragged(self.ids[at], offsets)

    def padded(self, rows: Ints, pad: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(ids, mask), each (rows, longest) int64; mask is 1 on tokens."""
        lengths = self.lengths(rows)
        mask = np.arange(lengths.max(initial=1))[None, :] < lengths[:, None]
        ids = np.full(mask.shape, pad, dtype=np.int64)
        ids[mask] = self.take(rows).ids
        return ids, mask.astype(np.int64)


def encode(tokenizer: Tokenizer, texts: Iterable[str], limit: int) -> Ragged:
    """Tokenise texts, special tokens included, each cut to `limit` ids."""
    tokenizer.enable_truncation(limit)
    tokenizer.no_padding()
    flat: list[npt.NDArray[np.int32]] = [np.empty(0, np.int32)]
    lengths: list[int] = [0]
    for block in _blocks(texts):
        for encoding in tokenizer.encode_batch_fast(block):
            flat.append(np.array(encoding.ids, dtype=np.int32))
            lengths.append(len(flat[-1]))
    return Ragged(np.concatenate(flat), np.cumsum(lengths, dtype=np.int64))


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while block := list(islice(iterator, ENCODED_AT_ONCE)):
        yield block
