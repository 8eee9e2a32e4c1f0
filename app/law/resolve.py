"""Citations read in a text → what became of each against one corpus: found, deleted, former, or not there at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol, TypeVar

from app.law.cases import CaseMention, case_mentions, court_key, find_case_numbers
from app.law.citation import Reference, Status
from app.law.documents import statute_doc_id
from app.law.mentions import ArticleMention, article_mentions
from app.law.names import Law, LawNames
from app.law.provisions import Provision
from app.law.text import Readable, match_key, readable

Flag = Literal[
    "alias", "renamed", "title_differs", "no_such_paragraph", "supplementary", "annex", "law", "date_differs",
    "court_differs", "no_such_day",
]  # fmt: skip
NEAREST = 3
"""Articles offered in place of one that does not exist."""
_PLAIN_NUMBER = re.compile(r"\d{2,4}[가-힣]{1,4}\d+")


@dataclass(frozen=True, slots=True)
class Nearby:
    """A document offered where a citation does not lead to one."""

    doc_id: str
    citation: str


@dataclass(frozen=True, slots=True)
class FoundCitation:
    """A citation in a text: where it stands, its normal form, and what became of it."""

    span: tuple[int, int]
    """[start, end) in the text as given."""
    text: str
    citation: str
    doc_id: str | None
    status: Status
    flags: tuple[Flag, ...] = ()
    """What else is to be known: `alias` (a short name was spelt out), `renamed` (the law has another name now),
    `title_differs` (the article has another title), `no_such_paragraph` (the article has fewer 항), `supplementary`
    and `annex` (부칙, 별표: not in the index), `law` (no article is named), `date_differs`, `court_differs`,
    `no_such_day`."""
    nearest: tuple[Nearby, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What is known of a decision to tell whether a citation means it."""

    doc_id: str
    citation: str
    court: str
    day: str


class Articles(Protocol):
    """The articles of a corpus."""

    def standing(self, doc_id: str) -> Literal["live", "deleted", "unknown"]: ...

    def near(self, doc_id: str, count: int) -> Sequence[str]:
        """Live articles of the same law nearest in number, nearest first, itself left out."""
        ...

    def first(self, law_id: str, count: int) -> Sequence[str]:
        """The first live articles of a law."""
        ...

    def citation(self, doc_id: str) -> str: ...

    def title(self, doc_id: str) -> str: ...

    def paragraphs(self, doc_id: str) -> int:
        """The highest 항 of an article; 0 where it has no numbered ones."""
        ...


Known = TypeVar("Known")


def by_number(decisions: Iterable[tuple[Known, str]]) -> dict[str, list[Known]]:
    """Case number → decisions, from (decision, its case numbers as printed)."""
    known: dict[str, list[Known]] = {}
    for decision, field in decisions:
        numbers = [field] if _PLAIN_NUMBER.fullmatch(field) else find_case_numbers(field)
        for number in dict.fromkeys(numbers):
            known.setdefault(number, []).append(decision)
    return known


class CitationReader:
    """Reads and resolves the citations of any text against one corpus. Safe from any number of threads."""

    def __init__(self, names: LawNames, articles: Articles, decisions: Mapping[str, Sequence[Decision]]) -> None:
        self.names, self.articles, self.decisions = names, articles, decisions

    def read(self, text: str) -> list[FoundCitation]:
        """The citations of a text, in order. Never raises; linear in the length of the text."""
        plain = readable(text)
        found = [one for mention in article_mentions(plain, self.names) for one in self._article(text, mention)]
        found += [one for mention in case_mentions(plain.text) for one in self._case(text, plain, mention)]
        return sorted(found, key=lambda one: one.span)

    def resolve(self, reference: Reference) -> str | None:
        """The article of today that a reference of a reference string means; None where there is none, or where
        mapping by number would be wrong."""
        if reference.current:
            return self.resolve(reference.current[0])
        law = self.names.find(reference.law) or (self.names.renamed(reference.law) if reference.former else None)
        if law is None or reference.current_deleted or not reference.numbered or reference.revision == "full":
            return None
        doc_id = statute_doc_id(law.law_id, reference.jo, reference.ga)
        return doc_id if self.articles.standing(doc_id) == "live" else None

    # articles

    def _article(self, text: str, mention: ArticleMention) -> Iterator[FoundCitation]:
        former = mention.former or mention.renamed
        if not mention.written:
            yield self._found(text, mention, None, None, "unresolved")
        elif former:
            yield self._former(text, mention)
        elif not mention.laws:
            yield self._found(text, mention, None, None, "no_such_law")
        elif len(mention.laws) > 1:
            yield from self._either(text, mention)
        else:
            yield self._of_law(text, mention, mention.laws[0])

    def _of_law(self, text: str, mention: ArticleMention, law: Law) -> FoundCitation:
        provision = mention.provision
        if not provision.jo or provision.supplementary or provision.hyphen:
            flags = _no_article(provision)
            return self._found(text, mention, law, None, "resolved" if flags == ("law",) else "unresolved", flags)
        doc_id = statute_doc_id(law.law_id, provision.jo, provision.ga)
        standing = self.articles.standing(doc_id)
        if standing == "unknown":
            return self._found(text, mention, law, None, "no_such_article", (), self.articles.near(doc_id, NEAREST))
        if standing == "deleted":
            return self._found(text, mention, law, doc_id, "deleted", (), self.articles.near(doc_id, NEAREST))
        return self._found(text, mention, law, doc_id, "resolved", self._doubts(mention, doc_id))

    def _doubts(self, mention: ArticleMention, doc_id: str) -> tuple[Flag, ...]:
        """What does not fit the article that was found: its title, or a 항 that it does not have."""
        flags: list[Flag] = []
        title = self.articles.title(doc_id)
        if mention.title and title and match_key(mention.title) != match_key(title):
            flags.append("title_differs")
        if mention.provision.hang > max(1, self.articles.paragraphs(doc_id)):
            flags.append("no_such_paragraph")
        return tuple(flags)

    def _either(self, text: str, mention: ArticleMention) -> Iterator[FoundCitation]:
        """An alias of several laws: those that have the article are offered."""
        found = [self._of_law(text, mention, law) for law in mention.laws]
        there = [one for one in found if one.status != "no_such_article"]
        if len(there) == 1:
            yield there[0]
            return
        for one in there or found:
            status: Status = "ambiguous" if there else one.status
            yield FoundCitation(one.span, one.text, one.citation, one.doc_id, status, one.flags, one.nearest)

    def _former(self, text: str, mention: ArticleMention) -> FoundCitation:
        """A former version leads to today's article where the text says which one, or that it was revised in part."""
        law = mention.laws[0] if len(mention.laws) == 1 else None
        current = next(filter(None, map(self.resolve, mention.current)), None)
        if current or law is None or mention.current_deleted or not _main(mention.provision):
            return self._found(text, mention, None, current, "former", _no_article(mention.provision))
        doc_id = statute_doc_id(law.law_id, mention.provision.jo, mention.provision.ga)
        if self.articles.standing(doc_id) != "live" or mention.revision == "full":
            return self._found(text, mention, None, None, "former")
        said = mention.revision == "partial" and mention.version_day
        return self._found(text, mention, None, doc_id if said else None, "former", (), () if said else (doc_id,))

    def _found(
        self, text: str, mention: ArticleMention, law: Law | None, doc_id: str | None, status: Status,
        flags: Sequence[Flag] = (), nearest: Sequence[str] = (),
    ) -> FoundCitation:  # fmt: skip
        name = law.name if law else mention.written
        words = ("구" if mention.former else "", name, str(mention.provision))
        spelt: tuple[Flag, ...] = ("alias",) if mention.alias and law else ("renamed",) if mention.renamed else ()
        return FoundCitation(
            mention.span, text[slice(*mention.span)], " ".join(filter(None, words)), doc_id, status,
            (*spelt, *flags), tuple(Nearby(one, self.articles.citation(one)) for one in nearest),
        )  # fmt: skip

    # decisions

    def _case(self, text: str, plain: Readable, mention: CaseMention) -> Iterator[FoundCitation]:
        span = plain.span(mention.start, mention.end)
        written = text[slice(*span)]
        known = {d.doc_id: d for number in mention.numbers for d in self.decisions.get(number, ())}
        fitting = [d for d in known.values() if _fits(mention, d)]
        if not fitting:
            citation = " ".join(filter(None, (mention.court, ", ".join(mention.numbers))))
            nearest = tuple(Nearby(d.doc_id, d.citation) for d in known.values())
            yield FoundCitation(span, written, citation, None, "no_such_case", _wrong(mention, known.values()), nearest)
            return
        shared = any(sum(d in fitting for d in self.decisions.get(n, ())) > 1 for n in mention.numbers)
        for decision in fitting:
            status: Status = "ambiguous" if shared else "resolved"
            yield FoundCitation(span, written, decision.citation, decision.doc_id, status)


def _main(provision: Provision) -> bool:
    return bool(provision.jo) and not provision.supplementary and not provision.hyphen


def _no_article(provision: Provision) -> tuple[Flag, ...]:
    """Why a place in a law is no article of the index."""
    if _main(provision):
        return ()
    if provision.supplementary:
        return ("supplementary",)
    return ("law",) if not provision else ("annex",)


def _fits(mention: CaseMention, decision: Decision) -> bool:
    same_court = not mention.court or not decision.court or court_key(mention.court) == court_key(decision.court)
    return same_court and (not mention.day or not decision.day or mention.day == decision.day)


def _wrong(mention: CaseMention, known: Iterable[Decision]) -> tuple[Flag, ...]:
    """What of a citation does not fit the decisions that have its number."""
    flags: list[Flag] = []
    if mention.day and not _is_day(mention.day):
        flags.append("no_such_day")
    elif any(mention.day and d.day and mention.day != d.day for d in known):
        flags.append("date_differs")
    if any(mention.court and court_key(mention.court) != court_key(d.court) for d in known):
        flags.append("court_differs")
    return tuple(flags)


def _is_day(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True
