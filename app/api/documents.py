"""GET /documents/{doc_id}."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Response

from app.api.answers import DocumentAnswer, ErrorAnswer
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import NoParameters
from app.api.service import Serving
from app.errors import NotFound
from app.law.documents import Document
from app.retrieval.results import metadata
from app.retrieval.searcher import Searcher

router = json_router("documents")
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"model": ErrorAnswer, "description": "No such document"}}


@router.get(
    "/documents/{doc_id}", response_model=DocumentAnswer, responses={422: ERRORS[422], 503: ERRORS[503], **UNKNOWN}
)
async def document(doc_id: str, _none: Annotated[NoParameters, Query()], service: Serving) -> Response:
    """One article (`001706-0750`, `001706-0839-02`) or decision (`p211793`) in full."""
    return Json(answer(service.searcher, find(service.searcher, doc_id)))


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


def answer(searcher: Searcher, found: Document) -> DocumentAnswer:
    same = ("doc_id", "kind", "citation", "title", "text", "issues", "holdings", "cited_statutes", "cited_precedents")
    values = {name: getattr(found, name) for name in same}
    return DocumentAnswer(**values, metadata=metadata(found, searcher.today()), index=searcher.index.name)
