"""GET /documents/{doc_id}/citations: what a document cites, who cites it, and what is to be read with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field

from app.api.documents import UNKNOWN, find
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import Body
from app.api.service import Serving
from app.law.documents import Kind
from app.retrieval.graph import Link
from app.retrieval.searcher import Searcher
from app.retrieval.store import DocumentStore
from app.retrieval.types import IndexName

MAX_PAGE = 200
router = json_router("documents")


class Page(Body):
    limit: int = Field(default=50, ge=1, le=MAX_PAGE, description="Citing decisions to list")
    offset: int = Field(default=0, ge=0, description="Citing decisions to pass over")


@dataclass(frozen=True, slots=True)
class CitationEntry:
    doc_id: str | None
    """None where the citation does not resolve; /documents/{doc_id}/versions knows an article that is gone."""
    citation: str
    title: str
    kind: Kind
    issues: tuple[int, ...]
    """Of the citing decision; empty for the decision as a whole."""
    former: bool
    """Cited as former law (구)."""
    version: str
    """ISO date on which the version that is meant took effect, "" if unknown."""
    text: str
    """As cited, in the normal form."""


@dataclass(frozen=True, slots=True)
class ContextEntry:
    doc_id: str
    citation: str
    title: str


@dataclass(frozen=True, slots=True)
class Context:
    decree: tuple[ContextEntry, ...]
    """Articles of the decree and the rule to which an article delegates."""
    definitions: tuple[ContextEntry, ...]


@dataclass(frozen=True, slots=True)
class CitationsAnswer:
    doc_id: str
    citation: str
    cites: tuple[CitationEntry, ...]
    cited_by: tuple[CitationEntry, ...]
    """Newest first: the page that was asked for."""
    counts: dict[str, int]
    context: Context
    index: IndexName


@router.get(
    "/documents/{doc_id}/citations",
    response_model=CitationsAnswer,
    responses={422: ERRORS[422], 503: ERRORS[503], **UNKNOWN},
)
async def citations(doc_id: str, page: Annotated[Page, Query()], service: Serving) -> Response:
    """What a decision cites, which decisions cite a document, and an article's decree and definitions."""
    searcher = service.searcher
    found, _ = await service.compute(lambda: answer(searcher, doc_id, page))
    return Json(found)


def answer(searcher: Searcher, doc_id: str, page: Page) -> CitationsAnswer:
    """Raises NotFound for an unknown document."""
    document = find(searcher, doc_id)
    documents, graph = searcher.index.documents, searcher.index.graph
    row = documents.row(doc_id)
    assert row is not None, "find has found it"
    cites = tuple(_entry(documents, link) for link in graph.cites(row))
    cited_by = graph.cited_by(row, page.limit, page.offset)
    definition = graph.definition(row)
    return CitationsAnswer(
        doc_id=doc_id,
        citation=document.citation,
        cites=cites,
        cited_by=tuple(_entry(documents, link) for link in cited_by),
        counts={"cites": len(cites), "cited_by": int(graph.cited_by_count[row])},
        context=Context(
            decree=_context(documents, graph.delegations(row)),
            definitions=_context(documents, () if definition is None else (definition,)),
        ),
        index=searcher.index.name,
    )


def _entry(documents: DocumentStore, link: Link) -> CitationEntry:
    doc_id, citation, title = link.doc_id, link.text, ""
    if link.row >= 0:
        doc_id, citation, title = _facts(documents, link.row, "doc_id", "citation", "title")
    return CitationEntry(doc_id or None, citation, title, link.kind, link.issues, link.former, link.version, link.text)


def _context(documents: DocumentStore, rows: Iterable[int]) -> tuple[ContextEntry, ...]:
    return tuple(ContextEntry(*_facts(documents, row, "doc_id", "citation", "title")) for row in rows)


def _facts(documents: DocumentStore, row: int, *names: str) -> list[str]:
    return [str(documents.table.column(name)[row].as_py()) for name in names]
