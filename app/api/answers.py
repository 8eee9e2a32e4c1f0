"""Bodies of answers that are not values of app.retrieval.types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from app.law.diff import Change
from app.retrieval.types import FoundCitation, IndexName, SearchResponse, Took


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
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VersionValue:
    """A text and the days it was in force: from `effective_from` until the day before `effective_to`, "" if open."""

    effective_from: str
    effective_to: str
    status: str
    """Today: in_force, not_yet, former or deleted; "" for a decision."""
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """The texts of two days, None where it was no law on that day, and what changed from one to the other."""

    old: VersionValue | None
    new: VersionValue | None
    diff: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class VersionsAnswer:
    doc_id: str
    citation: str
    history: Literal["known", "unknown", "none"]
    """unknown: the one text given is the newest; none: a decision, which has no versions."""
    versions: tuple[VersionValue, ...]
    """Oldest first."""
    comparison: Comparison | None
    """Only where two days are given and the history is known."""
    notes: tuple[str, ...]
    index: IndexName


@dataclass(frozen=True, slots=True)
class CitationsAnswer:
    citations: tuple[FoundCitation, ...]
    """In the order of the text."""
    counts: dict[str, int]
    """Citations by status."""
    took_ms: float
    index: IndexName


@dataclass(frozen=True, slots=True)
class Health:
    status: str


@dataclass(frozen=True, slots=True)
class Readiness:
    status: str
    index: IndexName


@dataclass(frozen=True, slots=True)
class Reloaded:
    reloaded: bool
    """False where the newest version was being served already."""
    index: IndexName
    previous: str
    """The version that was served before."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    name: str
    weights_sha256: str
    device: str
    format: str
    """Of the numbers it computes with: fp32, bf16, fp16 or int8."""
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
