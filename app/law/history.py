"""The past of articles as citations need it: the version that a day means, and whether it is the article of today.

A number outlives the article that bore it: a full revision deals the numbers out anew. Two versions are of one article
where their titles are equal or most of the shorter text stands in the longer one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.law.text import match_key

ALIKE = 0.6
"""Share of the shorter text's character bigrams: over 99,152 pairs of versions that follow each other, few lie near."""
HEAD = 600
"""Characters of a text that are compared."""
_MARKS = re.compile(r"<[^<>]*>|[()]")


class Version(Protocol):
    """An article as it stood from a day until before another; `effective_to` is "" where it has not ended."""

    @property
    def effective_from(self) -> str: ...
    @property
    def effective_to(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def deleted(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Span:
    """The days of a version, [start, end); `same` where the newest article of the number is still this one."""

    start: str
    end: str
    same: bool


class History:
    """Versions by article. `of` gives an article's versions, oldest first; `begins` the first known day of a law."""

    def __init__(self, of: Callable[[str], Sequence[Version]], begins: Mapping[str, str]) -> None:
        self._of, self._begins = of, begins
        self._spans: dict[str, tuple[Span, ...]] = {}

    def covers(self, doc_id: str, law_id: str, day: str) -> bool:
        """Whether an article's versions are known on that day: where it has none then, it did not exist."""
        begins = self._begins.get(law_id)
        return begins is not None and begins <= day and bool(self._of(doc_id))

    def at(self, doc_id: str, day: str) -> Span | None:
        """The version in force on a day; None where there was none or none is known."""
        if doc_id not in self._spans:
            self._spans[doc_id] = spans([version for version in self._of(doc_id) if not version.deleted])
        held = (span for span in reversed(self._spans[doc_id]) if span.start <= day and not "" < span.end <= day)
        return next(held, None)


def spans(versions: Sequence[Version]) -> tuple[Span, ...]:
    """The spans of one number's versions, oldest first. One article may change step by step beyond recognition."""
    found: list[Span] = []
    unbroken = True
    for place in range(len(versions) - 1, -1, -1):
        version = versions[place]
        unbroken = unbroken and alike(version, versions[min(place + 1, len(versions) - 1)])
        same = unbroken or alike(version, versions[-1])
        found.append(Span(version.effective_from, version.effective_to, same))
    return tuple(reversed(found))


def alike(one: Version, other: Version) -> bool:
    """Whether two versions are of one article."""
    title = _title(one)
    if one.text == other.text or (title and title == _title(other)):
        return True
    first, second = _bigrams(one.text), _bigrams(other.text)
    return len(first & second) >= ALIKE * min(len(first), len(second))


def _title(version: Version) -> str:
    return match_key(_MARKS.sub("", version.title))


def _bigrams(text: str) -> set[str]:
    text = match_key(_MARKS.sub("", text[: 2 * HEAD]))[:HEAD]
    return {text[i : i + 2] for i in range(len(text) - 1)}
