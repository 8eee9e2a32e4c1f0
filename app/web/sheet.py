"""A document → its page: the text as it stood on a day, its versions, and what it is cited with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from app.api import documents, graph
from app.api.answers import DocumentAnswer, VersionsAnswer
from app.api.graph import CitationEntry, ContextEntry
from app.law.documents import Kind
from app.retrieval.results import highlights
from app.retrieval.searcher import Searcher
from app.web.asked import Asked
from app.web.history import History, history
from app.web.linked import Piece, links, pieces
from app.web.views import Head, head
from app.web.wording import korean_date

PAGE = 20
"""Citing decisions listed at a time."""
SECTIONS = (("issues", "판시사항"), ("holdings", "판결요지"))
LISTS: tuple[tuple[str, str, Kind], ...] = (
    ("cited_statutes", "참조조문", "statute"),
    ("cited_precedents", "참조판례", "precedent"),
)


@dataclass(frozen=True, slots=True)
class Section:
    heading: str
    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list of documents."""

    address: str
    """"" where it leads to none."""
    citation: str
    title: str
    issues: str
    """`[1] [2]`, "" for the decision as a whole."""
    former: bool
    version: str
    """What is to be said of the version that is cited, "" where it is the one in force."""


@dataclass(frozen=True, slots=True)
class References:
    """What a decision cites: as read, and as printed."""

    heading: str
    entries: tuple[Entry, ...]
    printed: list[Piece]


@dataclass(frozen=True, slots=True)
class Citing:
    """A page of the decisions that cite a document."""

    count: int
    entries: tuple[Entry, ...]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Sheet:
    head: Head
    sections: tuple[Section, ...]
    references: tuple[References, ...]
    judgment: tuple[Section, ...]
    """None where it only repeats issues and holdings."""
    history: History | None
    citing: Citing
    decree: tuple[Entry, ...]
    definitions: tuple[Entry, ...]
    before: Entry | None
    after: Entry | None
    notice: str
    gone: bool
    """The newest text of its law lacks this article: only its versions are left."""


def sheet(searcher: Searcher, doc_id: str, asked: Asked, compared: tuple[date, date] | None, page: int) -> Sheet:
    """Raises NotFound for an unknown document, and for what was not law on the days asked for."""
    versions = documents.versions(searcher, doc_id, *(compared or (None, None)))
    row = searcher.index.documents.row(doc_id)
    answer = _gone(searcher, versions, asked.day) if row is None else _answer(searcher, doc_id, asked.day)
    cited = _citations(searcher, doc_id, page) if row is not None else None
    shown = head(answer, answer.metadata, asked)
    begins = searcher.index.versions.begins.get(doc_id.partition("-")[0], "") if searcher.index.versions else ""
    before, after = _beside(searcher, doc_id, asked) if answer.kind == "statute" else (None, None)
    return Sheet(
        head=shown,
        sections=_sections(searcher, answer, asked),
        judgment=_judgment(searcher, answer, asked),
        references=_references(searcher, answer, cited.cites, asked) if cited else (),
        history=history(versions, asked, str(answer.metadata.get("effective_from", "")), begins),
        citing=_citing(searcher, cited, asked, page),
        decree=_context(cited.context.decree, asked) if cited else (),
        definitions=_context(cited.context.definitions, asked) if cited else (),
        before=before,
        after=after,
        notice=_notice(shown, answer, asked, row is None),
        gone=row is None,
    )


def _answer(searcher: Searcher, doc_id: str, day: date | None) -> DocumentAnswer:
    found = documents.find(searcher, doc_id)
    later = found.kind == "precedent" and day is not None and found.date > day.isoformat()
    return documents.answer(searcher, found, None if later else day)


def _gone(searcher: Searcher, known: VersionsAnswer, day: date | None) -> DocumentAnswer:
    """The version of a day, by default the last that was more than a deletion."""
    live = [version for version in known.versions if version.status != "deleted"] or list(known.versions)
    on = (day or searcher.today()).isoformat()
    held = [version for version in known.versions if day and version.effective_from <= on]
    version = (held or live)[-1]
    facts = {
        "status": version.status if version.status == "not_yet" else "former",
        "history": "known",
        "effective_from": version.effective_from,
        "effective_to": version.effective_to,
    }
    return DocumentAnswer(
        known.doc_id, "statute", known.citation, version.title, version.text, "", "", "", "", facts, known.index
    )


def _notice(shown: Head, answer: DocumentAnswer, asked: Asked, gone: bool) -> str:
    if shown.unsure:
        return "기준일의 연혁이 수록되지 않은 법령입니다. 지금 수록된 가장 새로운 글을 보여 드립니다."
    if gone:
        return "지금의 법령에는 없는 조문입니다. 연혁으로 남은 글을 보여 드립니다."
    if shown.kind == "precedent" and asked.as_of and str(answer.metadata.get("decision_date", "")) > asked.as_of:
        return "기준일 뒤에 나온 판례입니다."
    return {
        "not_yet": "아직 시행되지 않은 조문입니다.",
        "deleted": "삭제된 조문입니다. 삭제되기 전의 글은 연혁에서 볼 수 있습니다.",
        "former": "지금은 시행되지 않는 옛 조문입니다.",
    }.get(shown.status, "")


def _sections(searcher: Searcher, answer: DocumentAnswer, asked: Asked) -> tuple[Section, ...]:
    if answer.kind == "statute":
        return (Section("조문", _linked(searcher, answer, answer.text, asked)),)
    texts = ((heading, getattr(answer, name)) for name, heading in SECTIONS)
    return tuple(Section(heading, _linked(searcher, answer, text, asked)) for heading, text in texts if text)


def _judgment(searcher: Searcher, answer: DocumentAnswer, asked: Asked) -> tuple[Section, ...]:
    if answer.kind == "statute" or "".join(answer.text.split()) in "".join((answer.issues + answer.holdings).split()):
        return ()
    return (Section("판례내용", _linked(searcher, answer, answer.text, asked)),)


def _linked(searcher: Searcher, answer: DocumentAnswer, text: str, asked: Asked) -> list[Piece]:
    reader, law = searcher.citations, str(answer.metadata.get("law", ""))
    meant = reader.names.find(law) if law else None
    # A repealed forerunner may bear the name of a law in force: its 제3조 is not the article that the name leads to.
    own = answer.kind == "precedent" or (meant is not None and answer.doc_id.startswith(f"{meant.law_id}-"))
    found = links(reader, text, law, answer.doc_id) if own else []
    return pieces(text, found, highlights(text, asked.q))


def _citations(searcher: Searcher, doc_id: str, page: int) -> graph.CitationsAnswer:
    return graph.answer(searcher, doc_id, graph.Page(limit=PAGE, offset=(page - 1) * PAGE))


def _references(
    searcher: Searcher, answer: DocumentAnswer, cites: Iterable[CitationEntry], asked: Asked
) -> tuple[References, ...]:
    cites = list(cites)
    lists = []
    for name, heading, kind in LISTS:
        entries = tuple(_cited(searcher, one, asked) for one in cites if one.kind == kind)
        printed = getattr(answer, name)
        if entries or printed:
            lists.append(References(heading, entries, pieces(printed, [], highlights(printed, asked.q))))
    return tuple(lists)


def _citing(searcher: Searcher, cited: graph.CitationsAnswer | None, asked: Asked, page: int) -> Citing:
    if cited is None:
        return Citing(0, (), 1, 0)
    count = cited.counts["cited_by"]
    entries = tuple(
        _entry(one, asked, _day(searcher, cited.doc_id, one.version, "{} 시행된 조문을 인용")) for one in cited.cited_by
    )
    return Citing(count, entries, page, -(-count // PAGE))


def _cited(searcher: Searcher, one: CitationEntry, asked: Asked) -> Entry:
    """A version that is no longer law is shown as it was, whatever day the reader looks at the law on."""
    version = _day(searcher, one.doc_id or "", one.version, "{} 시행")
    return _entry(one, asked.on(one.version) if version else asked, version)


def _entry(one: CitationEntry, asked: Asked, version: str) -> Entry:
    return Entry(
        address=asked.document(one.doc_id) if one.doc_id else "",
        citation=one.citation,
        title=one.title,
        issues=" ".join(f"[{number}]" for number in one.issues),
        former=one.former,
        version=version,
    )


def _day(searcher: Searcher, doc_id: str, version: str, words: str) -> str:
    """Of the version of an article that took effect on an ISO day; "" for the one in force."""
    store = searcher.index.versions
    today = store.at(doc_id, searcher.today()) if store and version else None
    current = today is not None and today.effective_from == version
    return "" if not version or current else words.format(korean_date(version))


def _context(entries: Iterable[ContextEntry], asked: Asked) -> tuple[Entry, ...]:
    return tuple(
        Entry(asked.document(one.doc_id), one.citation, one.title, "", former=False, version="") for one in entries
    )


def _beside(searcher: Searcher, doc_id: str, asked: Asked) -> tuple[Entry | None, Entry | None]:
    """The articles before and after in the law."""
    articles = searcher.citations.articles
    near = articles.near(doc_id, 2)
    entries = [ContextEntry(one, articles.citation(one), articles.title(one)) for one in near]
    before = _context([one for one in entries if one.doc_id < doc_id][:1], asked)
    after = _context([one for one in entries if one.doc_id > doc_id][:1], asked)
    return before[0] if before else None, after[0] if after else None
