"""What changed between two texts, word by word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Op = Literal["equal", "delete", "insert"]
_WORD = re.compile(r"\s*\S+|\s+")
"""A word with the blanks before it: blanks by themselves would match anywhere, and slow the comparison."""


@dataclass(frozen=True, slots=True)
class Change:
    """A piece of text, never empty."""

    op: Op
    text: str


def diff(old: str, new: str) -> tuple[Change, ...]:
    """What is equal or deleted, joined, is `old`; what is equal or inserted is `new`. Deletions come first.

    About 20 ms for two articles of 3,000 words, the longest of real law.
    """
    return tuple(_changes(_WORD.findall(old), _WORD.findall(new)))


def _changes(old: list[str], new: list[str]) -> Iterator[Change]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for op, a, b, c, d in matcher.get_opcodes():
        if op == "equal":
            yield Change("equal", "".join(old[a:b]))
            continue
        if a < b:
            yield Change("delete", "".join(old[a:b]))
        if c < d:
            yield Change("insert", "".join(new[c:d]))
