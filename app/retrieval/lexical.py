"""BM25 over character bigrams: finds words under Korean particles, with no analyser and no dictionary.

A text is folded (NFC, lower case, middots and quotes dropped), cut into words at everything that is no letter or digit,
and each word gives its bigrams; a word of one character gives itself. A term is the uint32 (first << 16) | second.

    score(q, d) = Σ over the query's terms, repeats counted, of
                  ln(1 + (N − df + 0.5) / (df + 0.5)) · tf / (tf + k1 · (1 − b + b · |d| / mean |d|))

That is Lucene's BM25 (its constant factor k1 + 1 left out). Every posting holds its finished score, by term and then by
passage, in flat arrays that are memory-mapped: a query adds up the postings of its terms.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from app.errors import IndexCorrupt
from app.law.text import MIDDOTS, nfc
from app.retrieval.ranking import top
from app.retrieval.types import Candidates, Floats, Mask

K1, B = 1.5, 0.75
BLOCK = 16384
"""Passages whose terms are sorted at a time."""
HEADING = 3
_ARTICLE_HEADING = re.compile(r"[^\n]+ 제\d+조(?:의\d+)?(?:\([^\n]*\))?(?=\n)")
SEPARATOR, DROPPED = 0, 1
MARKS = MIDDOTS + "「」『』〈〉‘’“”'\"\u200b\u200c\u200d\u2060\ufeff"
"""Inside a word these do not part it."""

Terms = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int32]


def weighted(passage: str) -> str:
    """A passage as it is indexed: an article's heading (law, number, title) counts HEADING times, as a field of more
    weight does in BM25F."""
    heading = _ARTICLE_HEADING.match(passage)
    return passage if heading is None else f"{heading[0]}\n" * (HEADING - 1) + passage


def terms(text: str) -> Terms:
    """The terms of a text in order, repeats kept."""
    return _terms([text])[0]


def _terms(texts: list[str]) -> tuple[Terms, Ints]:
    """The terms of texts one after another, and the position of the text that each stands in."""
    texts = [nfc(text) for text in texts]
    points = np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    rows = np.repeat(np.arange(len(texts), dtype=np.int32), [len(text) + 1 for text in texts])
    codes = _fold_table()[np.where(points > 0xFFFF, 0xE000 + points % 0x1900, points)]
    kept = codes != DROPPED
    codes, rows = codes[kept], rows[kept]
    first, second = codes, np.append(codes[1:], SEPARATOR)
    before = np.append(SEPARATOR, codes[:-1])
    starts = (first != SEPARATOR) & ((second != SEPARATOR) | (before == SEPARATOR))
    found = first[starts].astype(np.uint32) << 16 | second[starts]
    return found.astype(np.uint32), rows[starts]


@cache
def _fold_table() -> npt.NDArray[np.uint16]:
    """For each code point below 2¹⁶: its folded form, SEPARATOR, or DROPPED. Those beyond share a private area."""
    codes = np.zeros(0x10000, dtype=np.uint16)
    for point in map(chr, range(0x10000)):
        if point.isalpha() or point.isdecimal():
            low = point.lower()
            codes[ord(point)] = ord(low) if len(low) == 1 else ord(point)
    codes[0xE000:0xF900] = np.arange(0xE000, 0xF900)
    codes[0xFF10:0xFF1A] = np.arange(ord("0"), ord("9") + 1)
    codes[0xFF21:0xFF3B] = codes[0xFF41:0xFF5B] = np.arange(ord("a"), ord("z") + 1)
    codes[[ord(mark) for mark in MARKS]] = DROPPED
    return codes


@dataclass(frozen=True, slots=True)
class _Block:
    """Postings of consecutive passages, by term and then by passage."""

    terms: Terms
    passages: Ints
    counts: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.int64]
    """Terms of each passage of the block, repeats counted."""


def _blocks(texts: Iterable[str]) -> Iterator[_Block]:
    rest, start = iter(texts), 0
    while block := list(islice(rest, BLOCK)):
        found, rows = _terms(block)
        keys, counts = np.unique(found.astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64), return_counts=True)
        passages = (keys & np.uint64(0xFFFFFFFF)).astype(np.int32) + np.int32(start)
        short = np.minimum(counts, 0xFFFF).astype(np.uint16)
        yield _Block(
            (keys >> np.uint64(32)).astype(np.uint32), passages, short, np.bincount(rows, minlength=len(block))
        )
        start += len(block)


@dataclass(frozen=True)
class LexicalIndex:
    """`terms` ascending; the postings of term i: `passages` and `impacts` from `offsets[i]` to `offsets[i + 1]`."""

    terms: Terms
    offsets: npt.NDArray[np.int64]
    passages: Ints
    impacts: Floats
    count: int
    """Passages, also those without any term."""

    def __len__(self) -> int:
        return self.count

    @classmethod
    def build(cls, texts: Iterable[str]) -> LexicalIndex:
        """One passage per text, numbered from 0. Takes about 20 bytes of memory per posting."""
        blocks = list(_blocks(texts))
        lengths = np.concatenate([block.lengths for block in blocks] or [np.empty(0, dtype=np.int64)])
        every = [np.unique(block.terms, return_counts=True) for block in blocks]
        vocabulary = np.unique(np.concatenate([found for found, _ in every] or [np.empty(0, dtype=np.uint32)]))
        frequencies = np.zeros(len(vocabulary), dtype=np.int64)
        for found, counts in every:
            frequencies[np.searchsorted(vocabulary, found)] += counts
        offsets = np.concatenate([[0], np.cumsum(frequencies)])
        index = cls(vocabulary, offsets, *_arrays(int(offsets[-1])), len(lengths))
        index._fill(blocks, lengths, frequencies)
        return index

    def _fill(self, blocks: list[_Block], lengths: npt.NDArray[np.int64], frequencies: npt.NDArray[np.int64]) -> None:
        """Write each block's postings behind those of the blocks before it; the blocks are used up."""
        idf = _idf(self.count, frequencies)
        mean = float(lengths.mean()) if self.count else 0.0
        norms = K1 * (1 - B + B * lengths / (mean or 1.0))
        following = self.offsets[:-1].copy()
        for block in iter(lambda: blocks.pop(0) if blocks else None, None):
            found, starts, counts = np.unique(block.terms, return_index=True, return_counts=True)
            at = np.searchsorted(self.terms, found)
            places = np.arange(len(block.terms)) + np.repeat(following[at] - starts, counts)
            self.passages[places] = block.passages
            frequency = block.counts.astype(np.float64)
            share = frequency / (frequency + norms[block.passages])
            self.impacts[places] = np.repeat(idf[at], counts) * share
            following[at] += counts

    def search(self, query: str, depth: int, allowed: Mask | None = None) -> Candidates:
        """The `depth` best passages with a score above 0, best first, ties by id; `allowed` is bool (passages,)."""
        scores = self.scores(query)
        if allowed is not None:
            scores[~allowed] = 0
        matched = np.flatnonzero(scores)
        return top(scores[matched], depth, matched)

    def scores(self, query: str) -> Floats:
        """The score of every passage, float32 (passages,)."""
        scores = torch.zeros(self.count)
        passages, impacts = torch.from_numpy(self.passages), torch.from_numpy(self.impacts)
        at, known, repeats = self._look_up(query)
        starts, stops = self.offsets[at[known]], self.offsets[at[known] + 1]
        for start, stop, weight in zip(starts.tolist(), stops.tolist(), repeats[known].tolist(), strict=True):
            scores.index_add_(0, passages[start:stop], impacts[start:stop], alpha=weight)
        found: Floats = scores.numpy()
        return found

    def attainable(self, query: str) -> float:
        """What no passage exceeds for this query: the idf of its terms, repeats and unknown terms counted."""
        at, known, repeats = self._look_up(query)
        frequencies = np.zeros(len(at), dtype=np.int64)
        frequencies[known] = self.offsets[at[known] + 1] - self.offsets[at[known]]
        return float((repeats * _idf(self.count, frequencies)).sum())

    def _look_up(self, query: str) -> tuple[npt.NDArray[np.int64], Mask, npt.NDArray[np.int64]]:
        """For each distinct term of the query: its place in `terms`, whether it stands there, and its repeats."""
        asked, repeats = np.unique(terms(query), return_counts=True)
        at = np.searchsorted(self.terms, asked)
        known = at < len(self.terms)
        known[known] = self.terms[at[known]] == asked[known]
        return at, known, repeats

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("terms", "offsets", "passages", "impacts"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        (folder / "lexical.json").write_text(json.dumps({"count": self.count, **parameters()}), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> LexicalIndex:
        """Memory-mapped. Raises IndexCorrupt where an array is missing, cut, or does not fit the others."""
        try:
            count = int(json.loads((folder / "lexical.json").read_text(encoding="utf-8"))["count"])
            # Copied where written, which nothing does: torch warns of arrays that cannot be written.
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("passages", "impacts")}
            small = {name: np.load(folder / f"{name}.npy") for name in ("terms", "offsets")}
        except (OSError, ValueError, EOFError, KeyError) as error:
            raise IndexCorrupt(f"the lexical index cannot be read ({error}); build the index again") from error
        index = cls(**small, **arrays, count=count)
        postings = int(index.offsets[-1])
        if not (len(index.terms) + 1 == len(index.offsets) and postings == len(index.passages) == len(index.impacts)):
            raise IndexCorrupt(
                f"the lexical index names {postings} postings, its files hold {len(index.passages)} passages and "
                f"{len(index.impacts)} scores; build the index again"
            )
        return index


def parameters() -> dict[str, Any]:
    """What the manifest says of the scores."""
    return {"k1": K1, "b": B, "idf": "lucene", "terms": "character bigrams", "heading": HEADING}


def _idf(count: int, frequencies: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    idf: npt.NDArray[np.float64] = np.log1p((count - frequencies + 0.5) / (frequencies + 0.5))
    return idf


def _arrays(postings: int) -> tuple[Ints, Floats]:
    return np.empty(postings, dtype=np.int32), np.empty(postings, dtype=np.float32)
