"""Who cites whom: decision → article, decision → decision, one edge per issue.

A citation means the law of its day. It reaches an article of today by the text's own `(현행 … 참조)`, or by its number
where nothing speaks against it: no full revision (전부개정) in between, and, where the law's versions are known, the
article of that day being the one that bears the number now. What reaches nothing stays, with an empty target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from app.law.cases import CaseReference, court_key, find_case_numbers, read_cases
from app.law.citation import Reference, read_references
from app.law.documents import Document, precedent_citation, statute_doc_id
from app.law.history import History
from app.law.names import LawNames
from app.law.resolve import Decision, by_number
from app.law.text import match_key

Relation = Literal["statute", "precedent", "delegation", "definition"]

_REVISED = re.compile(
    r"(?<![가-힣])구\s+([^,/;()\[\]]{2,60}?)\s*\(\s*(\d{4})\.\s*(\d{1,2})\.\s*(\d{1,2})\.[^()]*?(?:(?:전부|전문|전면)\s*개정|폐지)"
)
"""A law before a full revision, and the day of the act: 구 조세범 처벌법(2010. 1. 1. 법률 제9919호로 전부 개정되기 …"""


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` is "" where the citation does not resolve."""

    source: str
    target: str
    relation: Relation
    issue: int = 0
    """0: the whole decision."""
    former: bool = False
    """A citation of former law (구)."""
    version: str = ""
    """ISO date on which the version that is meant took effect, "" if unknown."""
    text: str = ""
    """The citation in its normal form; decisions only."""


class Articles:
    """What the citation of an article means."""

    def __init__(
        self,
        names: LawNames,
        has: Callable[[str], bool],
        forerunners: Mapping[str, Sequence[str]],
        revisions: Mapping[str, str],
        history: History | None = None,
    ) -> None:
        """`has` tells whether a doc_id exists; `forerunners` gives the ids of other laws that bore a law's name;
        `revisions` is what `full_revisions` gives."""
        self._names, self._has, self._forerunners = names, has, forerunners
        self._revisions, self._history = revisions, history or History(lambda _: (), {})

    def find(self, reference: Reference, day: str) -> list[tuple[str, str]]:
        """(doc_id or "", version or "") of each article that a decision of `day` means: several only by 현행."""
        cited = self._of_its_day(reference, _day_meant(reference, day))
        # 현행 is what was current on the day of the decision.
        current = [found for note in reference.current if (found := self._of_its_day(note, day)[0])]
        return [(found, cited[1] if found == cited[0] else "") for found in dict.fromkeys(current)] or [cited]

    def _of_its_day(self, reference: Reference, day: str) -> tuple[str, str]:
        law = self._names.find(reference.law) if reference.numbered else None
        if law is None:
            return "", ""
        doc_id = statute_doc_id(law.law_id, reference.jo, reference.ga)
        if self._history.covers(doc_id, law.law_id, day):
            span = self._history.at(doc_id, day)
            kept = span is not None and span.same and reference.revision != "full" and self._has(doc_id)
            return doc_id if kept else "", span.start if span else ""
        for law_id in self._forerunners.get(law.law_id, ()):
            former = statute_doc_id(law_id, reference.jo, reference.ga)
            if span := self._history.at(former, day):
                return former, span.start
        gone = reference.revision == "full" or reference.current_deleted
        renumbered = self._revisions.get(match_key(reference.law), "") > day
        return "" if gone or renumbered or not self._has(doc_id) else doc_id, ""


def _day_meant(reference: Reference, decided: str) -> str:
    """A day on which the text that is meant was law; "" where 구 says no more than that it is gone."""
    if not reference.former:
        return decided
    before = _day_before(reference.version_day)
    return min(before, decided or before)


def _day_before(day: str) -> str:
    """The day before an ISO date; "" for what is no date."""
    try:
        return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return ""


def full_revisions(cited_statutes: Iterable[str]) -> dict[str, str]:
    """The match key of a law → the day of its latest full revision, as reference strings tell it by the way."""
    latest: dict[str, str] = {}
    for text in cited_statutes:
        for name, year, month, day in _REVISED.findall(text):
            key = match_key(name)
            latest[key] = max(latest.get(key, ""), f"{year}-{int(month):02d}-{int(day):02d}")
    return latest


class Cases:
    """Decisions by case number; several may share one."""

    def __init__(self, decisions: Iterable[tuple[str, str, str, str]]) -> None:
        """`decisions` gives (doc_id, case numbers, court, ISO date) of each."""
        self._cases = by_number(
            (Decision(doc_id, "", court_key(court), day), numbers) for doc_id, numbers, court, day in decisions
        )

    def find(self, reference: CaseReference) -> list[str]:
        """The decisions that a citation names: one for all of its numbers as a rule; [] where none is certain."""
        found = (self._one(number, court_key(reference.court), reference.day) for number in reference.case_nos)
        return [case.doc_id for case in dict.fromkeys(found) if case]

    def _one(self, number: str, court: str, day: str) -> Decision | None:
        """The decision of that day, or else of that court; the first of several that are the same record twice."""
        known = self._cases.get(number, [])
        fits = [case for case in known if case.day == day]
        if not fits:
            fits = [case for case in known if case.court == court or not (court or day)]
        if court and len(fits) > 1:
            fits = [case for case in fits if case.court == court]
        return fits[0] if len({(case.court, case.day) for case in fits}) == 1 else None


def decision_edges(decision: Document, articles: Articles, cases: Cases) -> list[Edge]:
    """What a decision cites, in order, each edge once; never itself."""
    found = [*_statutes(decision, articles), *_precedents(decision, cases)]
    return list(dict.fromkeys(found))


def _statutes(decision: Document, articles: Articles) -> Iterator[Edge]:
    for reference in read_references(decision.cited_statutes):
        for target, version in articles.find(reference, decision.date):
            for issue in reference.issues or (0,):
                yield Edge(decision.doc_id, target, "statute", issue, reference.former, version, str(reference))


def _precedents(decision: Document, cases: Cases) -> Iterator[Edge]:
    for reference in read_cases(decision.cited_precedents):
        if _itself(reference, decision):
            continue
        targets = cases.find(reference) or [""]
        text = precedent_citation(reference.court, reference.day, _listed(reference.case_nos)).strip()
        for target in targets:
            for issue in reference.issues or (0,):
                if target != decision.doc_id:
                    yield Edge(decision.doc_id, target, "precedent", issue, text=text)


def _listed(numbers: Sequence[str]) -> str:
    """`2012다77184, 77191` of two numbers of one year and code."""
    year_and_code = numbers[0].rstrip("0123456789")
    return ", ".join([numbers[0], *(number.removeprefix(year_and_code) for number in numbers[1:])])


def _itself(reference: CaseReference, decision: Document) -> bool:
    """Whether a citation names the decision it stands in, or another record of it."""
    if reference.day not in ("", decision.date):
        return False
    return not set(reference.case_nos).isdisjoint(find_case_numbers(decision.case_no))
