"""What a query says before any model reads it: citations, case numbers and short names of laws."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.law.citation import Mention, Status, find_case_numbers, find_mentions
from app.law.documents import format_article, statute_doc_id
from app.law.names import LawNames
from app.law.text import nfc


@dataclass(frozen=True, slots=True)
class FoundCitation:
    """A citation in a query: where it stands, its normal form, and what became of it."""

    span: tuple[int, int]
    text: str
    citation: str
    doc_id: str | None
    status: Status


@dataclass(frozen=True, slots=True)
class Understood:
    """The query as the retrievers read it (short names of laws spelt out), and the citations found in it."""

    text: str
    citations: tuple[FoundCitation, ...] = ()


class QueryReader:
    """Reads queries against one corpus: its law names, article ids and case numbers."""

    def __init__(self, names: LawNames, has: Callable[[str], bool], cases: Iterable[tuple[str, str, str]]) -> None:
        """`has` tells whether a doc_id exists; `cases` gives (doc_id, case numbers, citation) of every decision."""
        self._names, self._has = names, has
        self._cases: dict[str, list[tuple[str, str]]] = {}
        for doc_id, field, citation in cases:
            for number in find_case_numbers(field):
                self._cases.setdefault(number, []).append((doc_id, citation))

    def __call__(self, query: str) -> Understood:
        """Never raises; spans are in `query` after NFC."""
        query = nfc(query)
        mentions = find_mentions(query, self._names)
        found = tuple(citation for mention in mentions for citation in self._resolve(query, mention))
        return Understood(self._spelt_out(query, mentions), found)

    def _resolve(self, query: str, mention: Mention) -> list[FoundCitation]:
        text = query[slice(*mention.span)]
        if mention.case_no:
            return self._case(mention, text)
        article = format_article(mention.jo, mention.ga)
        if not mention.law_id:
            status: Status = "no_such_law" if mention.law else "unresolved"
            return [FoundCitation(mention.span, text, f"{mention.law} {article}".strip(), None, status)]
        doc_id = statute_doc_id(mention.law_id, mention.jo, mention.ga)
        citation = f"{mention.law} {article}"
        if self._has(doc_id):
            return [FoundCitation(mention.span, text, citation, doc_id, "resolved")]
        return [FoundCitation(mention.span, text, citation, None, "no_such_article")]

    def _case(self, mention: Mention, text: str) -> list[FoundCitation]:
        """A case number shared by several decisions is ambiguous, and all are offered."""
        known = self._cases.get(mention.case_no, [])
        if not known:
            return [FoundCitation(mention.span, text, mention.case_no, None, "no_such_case")]
        status: Status = "resolved" if len(known) == 1 else "ambiguous"
        return [FoundCitation(mention.span, text, citation, doc_id, status) for doc_id, citation in known]

    def _spelt_out(self, query: str, mentions: list[Mention]) -> str:
        """The query with each cited law under its full name: models and BM25 know no `형소법`."""
        for mention in sorted(mentions, key=lambda m: m.span, reverse=True):
            written = query[slice(*mention.span)]
            if mention.law_id and mention.law not in written and any(char.isalpha() for char in written[:1]):
                article = f"{mention.law} {format_article(mention.jo, mention.ga)}"
                query = query[: mention.span[0]] + article + query[mention.span[1] :]
        return query
