"""Bodies of answers that are not values of app.retrieval.types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.retrieval.types import IndexName, SearchResponse, Took


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    responses: tuple[SearchResponse, ...]
    """In the order of the queries."""
    took_ms: Took
    """Sums over the queries; `queue` is the one wait of the batch."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    index: int
    """Position in the request, 0-based."""
    relevance: float
    """0..1, calibrated."""
    logit: float
    id: str | None = None
    document: str | None = None


@dataclass(frozen=True, slots=True)
class RerankAnswer:
    results: tuple[ScoredText, ...]
    """Best first, ties by index."""
    took_ms: Took
    model: str


@dataclass(frozen=True, slots=True)
class DocumentAnswer:
    """Empty strings stand for what a kind of document does not have."""

    doc_id: str
    kind: str
    citation: str
    title: str
    text: str
    issues: str
    holdings: str
    cited_statutes: str
    cited_precedents: str
    metadata: dict[str, Any]
    index: IndexName


@dataclass(frozen=True, slots=True)
class Health:
    status: str


@dataclass(frozen=True, slots=True)
class Readiness:
    status: str
    index: IndexName


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    name: str
    weights_sha256: str
    device: str
    limits: dict[str, int]
    """Tokens of a query and of a passage or pair; dimensions of a vector."""


@dataclass(frozen=True, slots=True)
class InfoAnswer:
    version: str
    index: dict[str, Any]
    """The manifest, less the list of files."""
    encoder: ModelAnswer
    reranker: ModelAnswer | None
    limits: dict[str, int]


@dataclass(frozen=True, slots=True)
class ErrorValue:
    code: str
    message: str
    request_id: str
    details: Any = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    error: ErrorValue
