"""A brief → every citation in it, marked in its text and listed, what is most likely wrong first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.api.citations import read
from app.law.resolve import FoundCitation
from app.retrieval.searcher import Searcher
from app.web.asked import Asked
from app.web.cited import Cited, cited, doubts
from app.web.wording import CITATIONS

DOUBTFUL = "doubtful"
LABELS = {
    **{status: label for status, label in CITATIONS.items() if status != "resolved"},
    DOUBTFUL: "확인됨, 살펴볼 점 있음",
    "resolved": "확인됨",
}
"""Groups of citations, in the order in which they are listed."""
TONES = ("good", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Numbered:
    number: int
    cited: Cited


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    label: str
    tone: str
    citations: tuple[Numbered, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the text; the numbers of the citations that it is, none for what stands between them."""

    text: str
    numbers: tuple[int, ...]
    tone: str


@dataclass(frozen=True, slots=True)
class Brief:
    count: int
    groups: tuple[Group, ...]
    stretches: list[Stretch]


def brief(searcher: Searcher, text: str) -> Brief:
    found = read(searcher, text).citations
    seen = [cited(one, Asked(), searcher) for one in found]
    groups: dict[str, list[Numbered]] = {name: [] for name in LABELS}
    for number, (one, view) in enumerate(zip(found, seen, strict=True), 1):
        doubtful = one.status == "resolved" and doubts(one)
        groups[DOUBTFUL if doubtful else one.status].append(Numbered(number, view))
    return Brief(
        count=len(found),
        groups=tuple(
            Group(name, LABELS[name], members[0].cited.tone, tuple(members))
            for name, members in groups.items()
            if members
        ),
        stretches=stretches(text, found, [view.tone for view in seen]),
    )


def stretches(text: str, found: Sequence[FoundCitation], tones: Sequence[str]) -> list[Stretch]:
    """The whole text, split where citations begin and end; one that begins inside another is numbered with it."""
    parts: list[Stretch] = []
    at = 0
    for number, (one, tone) in enumerate(zip(found, tones, strict=True), 1):
        start, end = one.span
        if start < at and parts:
            last = parts[-1]
            worse = max(last.tone, tone, key=TONES.index)
            parts[-1] = Stretch(last.text + text[at:end], (*last.numbers, number), worse)
        else:
            if at < start:
                parts.append(Stretch(text[at:start], (), ""))
            parts.append(Stretch(text[start:end], (number,), tone))
        at = max(at, end)
    if at < len(text):
        parts.append(Stretch(text[at:], (), ""))
    return parts
