"""The versions of an article → the list of them, and what changed between two."""

from __future__ import annotations

from dataclasses import dataclass

from app.api.answers import Comparison, VersionsAnswer, VersionValue
from app.law.diff import Change
from app.web.asked import Asked
from app.web.wording import STATUSES, korean_date, period

FOLDED = 8
"""Versions shown before the rest is folded away."""


@dataclass(frozen=True, slots=True)
class Line:
    """One version."""

    start: str
    period: str
    status: str
    status_label: str
    title: str
    address: str
    compared: str
    """Address of the comparison with the version before, "" for the first."""
    shown: bool
    """The one whose text stands on this page."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What changed from one day to another."""

    old: str
    new: str
    titles: tuple[str, str]
    """Where they differ; empty otherwise."""
    changes: tuple[Change, ...]
    same: bool


@dataclass(frozen=True, slots=True)
class History:
    known: bool
    lines: tuple[Line, ...]
    """Newest first."""
    begins: str
    """Since when the history of the law is known."""
    compared: Compared | None
    start: str
    end: str
    """The versions that the form offers to compare."""

    @property
    def first(self) -> tuple[Line, ...]:
        return self.lines[:FOLDED]

    @property
    def rest(self) -> tuple[Line, ...]:
        return self.lines[FOLDED:]


def history(answer: VersionsAnswer, asked: Asked, shown: str, begins: str) -> History | None:
    """`shown` is the first day of the version whose text is on the page. None for a decision, which has none."""
    if answer.history == "none":
        return None
    known = answer.history == "known"
    versions = answer.versions if known else ()
    before: list[VersionValue | None] = [None, *versions]
    lines = [
        _line(version, earlier, answer.doc_id, asked, shown) for version, earlier in zip(versions, before, strict=False)
    ]
    last = [version.effective_from for version in versions[-2:]] or ["", ""]
    compared = answer.comparison
    start = compared.old.effective_from if compared and compared.old else last[0]
    end = compared.new.effective_from if compared and compared.new else last[-1]
    view = _compared(compared) if compared else None
    return History(known, tuple(reversed(lines)), korean_date(begins), view, start, end)


def _line(version: VersionValue, earlier: VersionValue | None, doc_id: str, asked: Asked, shown: str) -> Line:
    start = version.effective_from
    more = {"from": earlier.effective_from, "to": start} if earlier else {}
    day = "" if version.status == "in_force" else start
    return Line(
        start=start,
        period=period(start, version.effective_to),
        status=version.status,
        status_label=STATUSES[version.status],
        title=version.title,
        address=asked.on(day).document(doc_id),
        compared=asked.document(doc_id, "compare", **more) if more else "",
        shown=start == shown,
    )


def _compared(answer: Comparison) -> Compared:
    old, new = answer.old, answer.new
    titles = (old.title if old else "", new.title if new else "")
    return Compared(
        old=_days(old),
        new=_days(new),
        titles=titles if old and new and titles[0] != titles[1] else ("", ""),
        changes=answer.diff,
        same=all(change.op == "equal" for change in answer.diff),
    )


def _days(version: VersionValue | None) -> str:
    return f"{korean_date(version.effective_from)} 시행" if version else "조문 없음"
