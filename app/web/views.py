"""Search responses and documents → what the templates show, in Korean."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

from app.law.documents import Document
from app.retrieval.results import SITE, highlights, metadata
from app.retrieval.searcher import Searcher
from app.retrieval.types import FoundCitation, Result, SearchResponse
from app.web.snippets import Segment, segments, snippet

KINDS = {"": "전체", "statute": "법령", "precedent": "판례"}
STATUSES = {"in_force": "현행", "not_yet": "시행예정", "former": "구법", "deleted": "삭제"}
CITATIONS = {
    "resolved": "확인된 인용",
    "no_such_article": "없는 조문",
    "no_such_law": "없는 법령",
    "no_such_case": "수록되지 않은 사건번호",
    "deleted": "삭제된 조문",
    "former": "구법 조문 (현행과 다를 수 있음)",
    "ambiguous": "둘 이상에 해당하는 인용",
    "unresolved": "확인할 수 없는 인용",
}
SIZE = 10
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def korean_date(iso: str) -> str:
    """`2020. 8. 20.` of 2020-08-20; what is no ISO date stays."""
    match = _ISO.fullmatch(iso)
    return f"{match[1]}. {int(match[2])}. {int(match[3])}." if match else iso


def percent(relevance: float) -> int:
    """Of 0..1, and 100 only for 1."""
    return 100 if relevance >= 1 else min(99, round(relevance * 100))


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a page says of the search: it leads from page to page."""

    q: str = ""
    kind: str = ""
    k: int = SIZE

    @property
    def address(self) -> str:
        """The page of the search; what has its default is left out."""
        return f"/?{self._state()}"

    def document(self, doc_id: str) -> str:
        """The page of a document, from where it leads back here."""
        return f"/d/{doc_id}?{self._state()}" if self.q else f"/d/{doc_id}"

    def of_kind(self, kind: str) -> Asked:
        return replace(self, kind=kind)

    def of_size(self, k: int) -> Asked:
        return replace(self, k=k)

    def _state(self) -> str:
        defaults = Asked()
        return urlencode({name: value for name, value in asdict(self).items() if value != getattr(defaults, name)})


@dataclass(frozen=True, slots=True)
class Head:
    """What a result and a document page have in common."""

    doc_id: str
    kind: str
    kind_label: str
    citation: str
    title: str
    status: str
    status_label: str
    facts: tuple[str, ...]
    source: str
    """Address at law.go.kr, "" where there is none."""
    sample: bool


def head(document: Document | Result, about: dict[str, Any]) -> Head:
    status = str(about.get("status", ""))
    source = str(about.get("url") or "")
    return Head(
        doc_id=document.doc_id,
        kind=document.kind,
        kind_label=KINDS[document.kind],
        citation=document.citation,
        title=document.title,
        status=status,
        status_label=STATUSES.get(status, ""),
        facts=_facts(document.kind, about),
        source=source if source.startswith(SITE) else "",
        sample=bool(about.get("sample")),
    )


def _facts(kind: str, about: dict[str, Any]) -> tuple[str, ...]:
    if kind == "precedent":
        return tuple(filter(None, (about.get("court", ""), about.get("case_type", ""))))
    effective, promulgated = about.get("effective_date", ""), about.get("promulgated", "")
    facts = (
        about.get("law_kind", ""),
        effective and f"{korean_date(effective)} 시행",
        promulgated and f"{korean_date(promulgated)} 공포",
    )
    return tuple(filter(None, facts))


@dataclass(frozen=True, slots=True)
class Stage:
    label: str
    rank: int
    score: float
    score_label: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One result of a search."""

    head: Head
    rank: int
    address: str
    snippet: list[Segment]
    relevance: int
    pinned: bool
    stages: tuple[Stage, ...]
    evidence: tuple[tuple[str, int], ...]
    """(text, relevance in per cent), best first."""

    @property
    def first(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages if stage.label in (MEANING, WORDS))

    @property
    def second(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.label == SECOND), None)


MEANING, WORDS, FUSED, SECOND = "의미", "낱말", "종합", "재순위"


def hit(result: Result, asked: Asked) -> Hit:
    return Hit(
        head=head(result, result.metadata),
        rank=result.rank,
        address=asked.document(result.doc_id),
        snippet=snippet(result.text, result.highlights),
        relevance=percent(result.relevance),
        pinned=result.match == "citation",
        stages=_stages(result),
        evidence=tuple((one.text, percent(one.relevance)) for one in result.evidence),
    )


def _stages(result: Result) -> tuple[Stage, ...]:
    if result.stages is None:
        return ()
    of, shown = result.stages, []
    for label, stage, unit in ((MEANING, of.dense, "유사도"), (WORDS, of.lexical, "BM25"), (FUSED, of.fused, "합산")):
        if stage is not None:
            shown.append(Stage(label, stage.rank, stage.score, unit))
    if of.rerank is not None:
        shown.append(Stage(SECOND, of.rerank.rank, of.rerank.logit, "로짓"))
    return tuple(shown)


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation found in the query."""

    text: str
    citation: str
    label: str
    resolved: bool
    address: str


def cited(found: FoundCitation, asked: Asked) -> Cited:
    target = asked.document(found.doc_id) if found.doc_id else ""
    return Cited(found.text, found.citation, CITATIONS[found.status], found.status == "resolved", target)


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search."""

    hits: tuple[Hit, ...]
    citations: tuple[Cited, ...]
    confident: bool
    degraded: bool
    seconds: float
    sample: bool


def found(response: SearchResponse, asked: Asked) -> Found:
    return Found(
        hits=tuple(hit(result, asked) for result in response.results),
        citations=tuple(cited(one, asked) for one in response.understood.citations),
        confident=response.confident,
        degraded=response.degraded is not None,
        seconds=response.took_ms.total / 1000,
        sample=any(result.metadata.get("sample") for result in response.results),
    )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A document page: sections of (heading, text in segments)."""

    head: Head
    sections: tuple[tuple[str, list[Segment]], ...]


def sheet(searcher: Searcher, document: Document, q: str) -> Sheet:
    parts = (
        ("판시사항", document.issues),
        ("판결요지", document.holdings),
        ("참조조문", document.cited_statutes),
        ("참조판례", document.cited_precedents),
        ("판례내용" if document.kind == "precedent" else "조문", document.text),
    )
    sections = tuple((name, segments(text, highlights(text, q))) for name, text in parts if text)
    return Sheet(head(document, metadata(document, searcher.today())), sections)
