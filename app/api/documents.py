"""GET /documents/{doc_id} and its versions."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response

from app.api.answers import Comparison, DocumentAnswer, ErrorAnswer, VersionsAnswer, VersionValue
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import AsOf, Between
from app.api.service import Serving
from app.errors import NotFound
from app.law.diff import diff
from app.law.documents import Document
from app.retrieval.results import shown_text
from app.retrieval.searcher import Searcher
from app.retrieval.standing import history
from app.retrieval.versions import Version, at

router = json_router("documents")
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer, "description": "No such document"}}


@router.get(
    "/documents/{doc_id}", response_model=DocumentAnswer, responses={422: ERRORS[422], 503: ERRORS[503], **UNKNOWN}
)
async def document(doc_id: str, asked: Annotated[AsOf, Query()], service: Serving) -> Response:
    """One article (`001706-0750`, `001706-0839-02`) or decision (`p211793`) in full, as it stood on a day."""
    searcher = service.searcher
    return Json(answer(searcher, find(searcher, doc_id), asked.as_of))


@router.get(
    "/documents/{doc_id}/versions",
    response_model=VersionsAnswer,
    responses={422: ERRORS[422], 503: ERRORS[503], **UNKNOWN},
)
async def document_versions(doc_id: str, asked: Annotated[Between, Query()], service: Serving) -> Response:
    """Every version of an article, and what changed between two days where they are given."""
    searcher = service.searcher
    found, _ = await service.compute(lambda: versions(searcher, doc_id, asked.start, asked.end))
    return Json(found)


def find(searcher: Searcher, doc_id: str) -> Document:
    """Raises NotFound for an unknown document."""
    row = searcher.index.documents.row(doc_id)
    if row is None:
        raise NotFound(
            f"no document {doc_id[:60]!r} in index {searcher.index.name.name!r}: "
            "ids look like 001706-0750, 001706-0839-02 or p211793; /search gives them",
            doc_id=doc_id,
        )
    return searcher.index.documents[row]


def answer(searcher: Searcher, found: Document, as_of: date | None = None) -> DocumentAnswer:
    """Raises NotFound for what was not law, or not decided, on `as_of`."""
    if as_of is not None:
        _must_have_been(searcher, found, as_of)
    shown, facts = searcher.shown(found, as_of)
    same = ("doc_id", "kind", "citation", "title", "text", "issues", "holdings", "cited_statutes", "cited_precedents")
    values = {name: getattr(shown, name) for name in same}
    unknown = as_of is not None and facts.get("history") == "unknown"
    notes = (_unknown(searcher, found),) if unknown else ()
    return DocumentAnswer(**values, metadata=facts, index=searcher.index.name, notes=notes)


def _must_have_been(searcher: Searcher, found: Document, day: date) -> None:
    if found.kind == "precedent" and found.date > day.isoformat():
        raise NotFound(f"{found.citation} was not decided by {day}: it is of {found.date}", doc_id=found.doc_id)
    known = history(found, searcher.index.versions, day)
    if known and at(known, day) is None:
        raise _not_law(known, str(day))


def _not_law(known: tuple[Version, ...], days: str) -> NotFound:
    """Known versions, none of which is of these days."""
    first = known[0]
    return NotFound(
        f"{first.citation} was not law on {days}: its first version took effect on {first.effective_from}, and "
        f"/documents/{first.doc_id}/versions lists all",
        doc_id=first.doc_id,
        first=first.effective_from,
    )


def _unknown(searcher: Searcher, found: Document) -> str:
    store = searcher.index.versions
    begins = store.begins.get(found.law_id) if store and store.of(found.doc_id) else None
    known = f"begins here on {begins}" if begins else "is not in this index"
    return f"the history of {found.law} {known}: this is the newest text, of {found.date or 'an unknown day'}"


def versions(searcher: Searcher, doc_id: str, start: date | None = None, end: date | None = None) -> VersionsAnswer:
    """What is known of a document in time; also of an article that the newest text of its law lacks.

    Raises NotFound for an unknown document, and for one that was law on neither of two days to compare.
    """
    store, row = searcher.index.versions, searcher.index.documents.row(doc_id)
    known = store.of(doc_id) if store else ()
    if store is None or not known:
        return _single(searcher, find(searcher, doc_id), start is not None)
    notes = [f"the history of this law begins here on {store.begins[doc_id.partition('-')[0]]}"]
    if row is None:
        notes.append("this article is not in the newest text of its law, and no search finds it")
    today = searcher.today()
    return VersionsAnswer(
        doc_id=doc_id,
        citation=known[0].citation,
        history="known",
        versions=tuple(_value(version, today) for version in known),
        comparison=_comparison(known, start, end, today) if start and end else None,
        notes=tuple(notes),
        index=searcher.index.name,
    )


def _single(searcher: Searcher, found: Document, compared: bool) -> VersionsAnswer:
    """The one text that is known of a decision, or of an article without history."""
    decision = found.kind == "precedent"
    notes = ["a decision has no versions" if decision else _unknown(searcher, found)]
    if compared:
        notes.append("there is nothing to compare it with")
    _, facts = searcher.shown(found)
    only = VersionValue(found.date, "", facts.get("status", ""), found.title, shown_text(found))
    return VersionsAnswer(
        doc_id=found.doc_id,
        citation=found.citation,
        history="none" if decision else "unknown",
        versions=(only,),
        comparison=None,
        notes=tuple(notes),
        index=searcher.index.name,
    )


def _value(version: Version, today: date) -> VersionValue:
    return VersionValue(
        version.effective_from, version.effective_to, version.status(today), version.title, version.text
    )


def _comparison(known: tuple[Version, ...], start: date, end: date, today: date) -> Comparison:
    old, new = at(known, start), at(known, end)
    if old is None and new is None:
        raise _not_law(known, f"{start} and {end}")
    changes = diff(old.text if old else "", new.text if new else "")
    return Comparison(_value(old, today) if old else None, _value(new, today) if new else None, changes)
