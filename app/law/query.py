"""What a query says before any model reads it: citations, case numbers and short names of laws."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.law.everyday import legal_terms
from app.law.names import LawNames
from app.law.resolve import CitationReader, FoundCitation
from app.law.text import nfc, readable

_NOTHING = re.compile(
    r"(?:[\s,.;:?!·ㆍ()「」『』‘’“”'\"]|및|또는|그리고|[와과의은는이가을를도]|조문|(?:보여|알려|찾아)\s?줘)*"
)
"""What may stand beside citations in a query that asks for nothing else."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A short or former name in a query, and the laws it was taken for."""

    written: str
    laws: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """The query as the retrievers read it (short names of laws spelt out), and the citations found in it."""

    text: str
    citations: tuple[FoundCitation, ...] = ()
    aliases: tuple[Alias, ...] = ()
    only_citations: bool = False
    """The query asks for what it cites and for nothing else: no model is needed."""
    terms: tuple[str, ...] = ()
    """The law's words for everyday ones in the query."""

    @property
    def sought(self) -> str:
        """What the retrievers look for: the text, and those words behind it."""
        return " ".join((self.text, *self.terms))


class QueryReader:
    """Reads queries against one corpus."""

    def __init__(self, citations: CitationReader) -> None:
        self.citations = citations

    @property
    def names(self) -> LawNames:
        return self.citations.names

    def __call__(self, query: str) -> Understood:
        """Never raises; spans are in the query as given."""
        found = tuple(self.citations.read(query))
        text, aliases = self._spelt_out(query, found)
        return Understood(text, found, aliases, _leads(found) and _nothing_else(query, found), legal_terms(text))

    def _spelt_out(self, query: str, found: tuple[FoundCitation, ...]) -> tuple[str, tuple[Alias, ...]]:
        """The query with each short name in full, and each cited article under its law's name and in normal form:
        models and BM25 know no `형소법 308조의 2`."""
        written: list[tuple[tuple[int, int], str]] = []
        aliases: list[Alias] = []
        plain = readable(query)
        for named in self.names.spot(plain.text):
            short = plain.text[named.start : named.end]
            # 헌법 is a word, and 대한민국헌법 holds it: nothing is gained by spelling it out.
            contained = len(named.laws) == 1 and short in named.laws[0].name
            if (named.alias or named.renamed) and not contained:
                span = plain.span(named.start, named.end)
                aliases.append(Alias(query[slice(*span)], tuple(law.name for law in named.laws)))
                if len(named.laws) == 1:
                    written.append((span, named.laws[0].name))
        for one in found:
            if one.status in ("resolved", "no_such_article") and "alias" in one.flags:
                written.append((one.span, one.citation))
        return _replaced(query, written), tuple(dict.fromkeys(aliases))


def _replaced(query: str, written: list[tuple[tuple[int, int], str]]) -> str:
    """The query with spans replaced; of spans within one another the widest."""
    parts, at = [], 0
    for (start, end), text in sorted(written, key=lambda one: (one[0][0], -one[0][1])):
        if start >= at:
            parts += [query[at:start], text]
            at = end
    return nfc("".join([*parts, query[at:]]))


def _leads(found: tuple[FoundCitation, ...]) -> bool:
    """Whether the citations say what is asked for: a law that is not known, or left out, is better looked for."""
    return bool(found) and all(one.status not in ("unresolved", "no_such_law") for one in found)


def _nothing_else(query: str, found: tuple[FoundCitation, ...]) -> bool:
    at = 0
    for start, end in sorted(one.span for one in found):
        if not _NOTHING.fullmatch(query, min(at, start), start):
            return False
        at = max(at, end)
    return _NOTHING.fullmatch(query, at) is not None
