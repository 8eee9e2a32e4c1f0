"""What the next version of an index takes over from the one in use: vectors and tokens of passages with the same text.

Passages are compared by a hash of exactly what the models are given, wherever they stand; a model that is not the one
which the version in use was built with makes everything anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from app.errors import BeopgilError, IndexCorrupt
from app.retrieval.dense import DenseIndex
from app.retrieval.index import CURRENT, TokenStore, current
from app.retrieval.manifest import EncoderEntry, Manifest, RerankerEntry
from app.retrieval.store import PassageStore
from app.retrieval.types import Floats, PairScorer, TextEncoder, Tokens

BLOCK = 4096
"""Passages put together at a time."""
NEW = -1
DIGEST = 16
"""Bytes of a passage's hash: no two of 10¹² passages meet by chance."""

Rows = npt.NDArray[np.int64]
Stage = Literal["encode", "tokenize"]
Progress = Callable[[Stage, int, int], None]
"""Called with (stage, passages done, passages that the model has to do)."""
Say = Callable[[str], None]
"""Called with a sentence for whoever waits."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The version in use, as far as the next one can take over from it."""

    rows: Rows
    """For each passage of the new corpus: the passage of that version with the same text, NEW where it has none."""
    dense: DenseIndex | None
    """None where its vectors are of no use."""
    tokens: TokenStore | None

    def encode(self, passages: PassageStore, encoder: TextEncoder, progress: Progress) -> DenseIndex:
        """The vectors of all passages. Holds them in memory once: 4 bytes × dimensions × passages."""
        rows = self.rows if self.dense is not None else np.full(len(passages), NEW)
        index, matrix = _matrix(len(passages), encoder.dim)
        fresh, done, total = _Rows(encoder.iter_encode_passages(_missing(passages, rows))), 0, int((rows == NEW).sum())
        for start in range(0, len(rows), BLOCK):
            part, block = rows[start : start + BLOCK], matrix[start : start + BLOCK]
            new = part == NEW
            if self.dense is not None:
                block[~new] = self.dense.vectors[part[~new]]
            if count := int(new.sum()):
                block[new] = fresh.take(count)
                done += count
                progress("encode", done, total)
        return DenseIndex(index)

    def tokenize(self, passages: PassageStore, reranker: PairScorer, progress: Progress) -> TokenStore:
        """The tokens of all passages."""
        rows = self.rows if self.tokens is not None else np.full(len(passages), NEW)
        texts, total = _missing(passages, rows), int((rows == NEW).sum())

        def blocks() -> Iterator[list[Tokens]]:
            done = 0
            for start in range(0, len(rows), BLOCK):
                part = rows[start : start + BLOCK]
                count = int((part == NEW).sum())
                fresh = iter(reranker.tokenize(list(islice(texts, count))) if count else [])
                yield [self._tokens(int(row)) if row != NEW else next(fresh) for row in part]
                if count:
                    done += count
                    progress("tokenize", done, total)

        return TokenStore.build(blocks())

    def _tokens(self, row: int) -> Tokens:
        assert self.tokens is not None
        return self.tokens[row]


def earlier(
    home: Path, passages: PassageStore, encoder: TextEncoder, reranker: PairScorer | None, say: Say = lambda _: None
) -> Earlier:
    """What the version in use in `home` holds for these passages; says how much, or why nothing. Never an error."""
    nothing = Earlier(np.full(len(passages), NEW), None, None)
    if not (home / CURRENT).exists():
        return nothing
    try:
        return _opened(current(home.parent, home.name), passages, encoder, reranker, say)
    except (BeopgilError, OSError) as error:
        reason = error.message if isinstance(error, BeopgilError) else error
        say(f"nothing is taken over from the version in use: {reason}")
        return nothing


def _opened(
    folder: Path, passages: PassageStore, encoder: TextEncoder, reranker: PairScorer | None, say: Say
) -> Earlier:
    manifest = Manifest.read(folder)
    dense = _dense(folder, manifest, encoder, say)
    tokens = _tokens(folder, manifest, reranker, say)
    manifest.check_file(folder, "passages.arrow")
    old = PassageStore(folder / "passages.arrow")
    for name, part in (("dense.faiss", dense), ("tokens", tokens)):
        if part is not None and len(part) != len(old):
            raise IndexCorrupt(f"{name} of {folder.name} holds {len(part)} rows, passages.arrow {len(old)}")
    rows = _match(_digests(passages.iter_texts()), _digests(old.iter_texts()))
    parts = [name for name, part in (("vectors", dense), ("tokens", tokens)) if part is not None]
    if parts:
        same = int((rows != NEW).sum())
        say(f"{same:,} of {len(rows):,} passages are as in version {folder.name}: their {' and '.join(parts)} are kept")
    return Earlier(rows, dense, tokens)


def _dense(folder: Path, manifest: Manifest, encoder: TextEncoder, say: Say) -> DenseIndex | None:
    built, loaded = manifest.encoder, EncoderEntry.of(encoder)
    for field in ("weights_sha256", "dim", "prompts", "passage_tokens"):
        if getattr(built, field) != getattr(loaded, field):
            say(f"every passage is encoded: the encoder of version {folder.name} has another {field}")
            return None
    manifest.check_file(folder, "dense.faiss")
    return DenseIndex.load(folder / "dense.faiss")


def _tokens(folder: Path, manifest: Manifest, reranker: PairScorer | None, say: Say) -> TokenStore | None:
    if manifest.reranker is None or reranker is None:
        return None
    built, loaded = manifest.reranker, RerankerEntry.of(reranker)
    for field in ("weights_sha256", "max_tokens"):
        if getattr(built, field) != getattr(loaded, field):
            say(f"every passage is tokenised: the reranker of version {folder.name} has another {field}")
            return None
    for file in ("tokens/ids.npy", "tokens/offsets.npy"):
        manifest.check_file(folder, file)
    return TokenStore.load(folder / "tokens")


def _digests(texts: Iterable[str]) -> npt.NDArray[np.bytes_]:
    return np.array([blake2b(text.encode(), digest_size=DIGEST).digest() for text in texts], dtype=f"S{DIGEST}")


def _match(new: npt.NDArray[np.bytes_], old: npt.NDArray[np.bytes_]) -> Rows:
    """For each of `new` its place in `old`, or NEW."""
    if not len(old):
        return np.full(len(new), NEW)
    order = np.argsort(old, kind="stable")
    ascending = old[order]
    at = np.minimum(np.searchsorted(ascending, new), len(old) - 1)
    rows: Rows = np.where(ascending[at] == new, order[at], NEW)
    return rows


def _missing(passages: PassageStore, rows: Rows) -> Iterator[str]:
    return (text for text, row in zip(passages.iter_texts(), rows, strict=True) if row == NEW)


def _matrix(count: int, dim: int) -> tuple[Any, Floats]:
    """An index of `count` vectors yet to be written, and the array to write them to."""
    index = faiss.IndexFlatIP(dim)
    index.codes.resize(count * dim * 4)
    index.ntotal = count
    return index, DenseIndex(index).vectors


class _Rows:
    """Rows of consecutive arrays, any number at a time."""

    def __init__(self, blocks: Iterator[Floats]) -> None:
        self._blocks, self._rest = blocks, np.empty((0, 0), dtype=np.float32)

    def take(self, count: int) -> Floats:
        parts: list[Floats] = []
        while count:
            if not len(self._rest):
                self._rest = next(self._blocks)
            parts.append(self._rest[:count])
            self._rest = self._rest[count:]
            count -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
