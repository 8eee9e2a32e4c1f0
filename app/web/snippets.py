"""Texts as a page shows them: cut around what was found, and split where marks begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Spans = Sequence[tuple[int, int]]

WIDTH = 220
"""Characters of a snippet."""
LEAD = 40
"""Characters shown before the first mark."""


class Segment(NamedTuple):
    text: str
    marked: bool


def segments(text: str, spans: Spans, start: int = 0, stop: int | None = None) -> list[Segment]:
    """`text[start:stop]` in order, split at the spans [a, b), which are ascending and disjoint; no empty segment."""
    stop = len(text) if stop is None else stop
    parts: list[Segment] = []
    at = start
    for a, b in spans:
        a, b = max(a, start), min(b, stop)
        if a < b:
            parts += [Segment(text[at:a], False), Segment(text[a:b], True)]
            at = b
    parts.append(Segment(text[at:stop], False))
    return [part for part in parts if part.text]


def snippet(text: str, spans: Spans, width: int = WIDTH) -> list[Segment]:
    """About `width` characters where the most different marks stand together; the earliest of equal places."""
    if len(text) <= width:
        return segments(text, spans)
    start = max(_starts(spans), key=lambda at: (_found(text, spans, at, at + width), -at))
    start = _word_start(text, start)
    stop = min(len(text), start + width)
    parts = segments(text, spans, start, stop)
    before = [Segment("… ", False)] if start else []
    after = [Segment(" …", False)] if stop < len(text) else []
    return [*before, *parts, *after]


def _starts(spans: Spans) -> list[int]:
    return [0, *(max(0, a - LEAD) for a, _ in spans)]


def _found(text: str, spans: Spans, start: int, stop: int) -> int:
    """Characters of the different words marked inside."""
    return sum(map(len, {text[a:b] for a, b in spans if start <= a and b <= stop}))


def _word_start(text: str, at: int) -> int:
    """The first start of a word from `at` on, within the lead."""
    if at == 0:
        return 0
    space = text.find(" ", at, at + LEAD)
    return at if space < 0 else space + 1
