"""Search responses → what the search page shows, in Korean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from app.law.resolve import Flag
from app.retrieval.results import SITE
from app.retrieval.searcher import Searcher
from app.retrieval.standing import newer_than_known
from app.retrieval.types import Result, SearchResponse, Understood
from app.web.asked import Asked
from app.web.cited import Cited, cited
from app.web.snippets import Segment, snippet
from app.web.wording import KINDS, STATUSES, korean_date, percent, period

MEANING, WORDS, FUSED, SECOND = "의미", "낱말", "종합", "재순위"
TOLD: tuple[Flag, ...] = ("alias",)
"""What the search page says by itself of short names."""
UNKNOWN = "{}건은 기준일의 연혁이 수록되지 않은 법령의 조문이라, 지금 수록된 가장 새로운 글을 보여 드립니다."


class Titled(Protocol):
    """A document, a result, or an answer that gives a document."""

    @property
    def doc_id(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def citation(self) -> str: ...
    @property
    def title(self) -> str: ...


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
    unsure: bool
    """The text of the day asked for is not known: a newer one is shown."""
    coming: str
    """ISO date from which the next version is law, "" without one."""

    @property
    def coming_label(self) -> str:
        return f"{korean_date(self.coming)} 시행되는 개정이 있습니다"


def head(document: Titled, about: dict[str, Any], asked: Asked) -> Head:
    status, source = str(about.get("status", "")), str(about.get("url") or "")
    coming, day = str(about.get("next_effective", "")), asked.as_of
    unsure = bool(day) and newer_than_known(about, day)
    if unsure:
        # Of a text that is newer than the day, what it was on that day says nothing.
        about, status = {**about, "status": ""}, ""
    shown = day >= coming or status == "not_yet"
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
        unsure=unsure,
        coming="" if shown else coming,
    )


def _facts(kind: str, about: dict[str, Any]) -> tuple[str, ...]:
    if kind == "precedent":
        return tuple(filter(None, (about.get("court", ""), about.get("case_type", ""))))
    # The law's own promulgation says nothing of a version of one article.
    promulgated = "" if about.get("history") == "known" else korean_date(str(about.get("promulgated", "")))
    return tuple(filter(None, (about.get("law_kind", ""), _days(about), promulgated and f"{promulgated} 공포")))


def _days(about: dict[str, Any]) -> str:
    """When an article is law; of its law where its own days are not known."""
    status, start, end = (str(about.get(name, "")) for name in ("status", "effective_from", "effective_to"))
    if status == "deleted":
        return f"{korean_date(start)} 삭제" if start else ""
    if status == "not_yet":
        start = start or str(about.get("next_effective", ""))
    start = start or str(about.get("effective_date", ""))
    if not start:
        return ""
    days = period(start, end) if status == "former" and end else korean_date(start)
    return f"{days} 시행" + (" 예정" if status == "not_yet" else "")


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
    beside: bool
    """It stands beside a citation: no model was asked how relevant it is."""
    cited_by: int
    citing: str
    """Address of the list of decisions that cite it."""
    coming: str
    """Address of its next version."""
    stages: tuple[Stage, ...]
    evidence: tuple[tuple[str, int], ...]
    """(text, relevance in per cent), best first."""
    question: str
    """One like the query that it is known to answer."""

    @property
    def first(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in self.stages if stage.label in (MEANING, WORDS))

    @property
    def second(self) -> Stage | None:
        return next((stage for stage in self.stages if stage.label == SECOND), None)


def hit(result: Result, asked: Asked) -> Hit:
    shown = head(result, result.metadata, asked)
    return Hit(
        head=shown,
        rank=result.rank,
        address=asked.document(result.doc_id),
        snippet=snippet(result.text, result.highlights),
        relevance=percent(result.relevance),
        pinned=result.match == "citation",
        beside=result.match == "ranked" and not result.evidence,
        cited_by=int(result.metadata.get("cited_by", 0)),
        citing=asked.document(result.doc_id, place="cited-by"),
        coming=asked.on(shown.coming).document(result.doc_id) if shown.coming else "",
        stages=_stages(result),
        evidence=tuple((one.text, percent(one.relevance)) for one in result.evidence),
        question=(result.stages.asked if result.stages else None) or "",
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
class Found:
    """The answer to a search."""

    hits: tuple[Hit, ...]
    beside: tuple[Hit, ...]
    """What stands beside the citations of a query that holds nothing else."""
    citations: tuple[Cited, ...]
    aliases: tuple[tuple[str, str], ...]
    """(short or former name as written, what it was taken for)."""
    terms: tuple[str, ...]
    """The law's words that were looked for beside everyday ones."""
    confident: bool
    degraded: bool
    note: str
    seconds: float
    sample: bool

    @property
    def count(self) -> int:
        return len(self.hits) + len(self.beside)


def found(response: SearchResponse, asked: Asked, searcher: Searcher) -> Found:
    hits = [hit(result, asked) for result in response.results]
    unsure = sum(one.head.unsure for one in hits)
    understood = response.understood
    return Found(
        hits=tuple(one for one in hits if not one.beside),
        beside=tuple(one for one in hits if one.beside),
        citations=tuple(cited(one, asked, searcher, TOLD) for one in understood.citations),
        aliases=_aliases(understood),
        # Of a query that holds nothing but citations no word is looked for.
        terms=() if understood.only_citations else understood.terms,
        # A query that is nothing but citations is answered by them: none of them may be there, and that is said.
        confident=response.confident or understood.only_citations,
        degraded=response.degraded is not None,
        note=UNKNOWN.format(unsure) if unsure else "",
        seconds=response.took_ms.total / 1000,
        sample=any(result.metadata.get("sample") for result in response.results),
    )


def _aliases(understood: Understood) -> tuple[tuple[str, str], ...]:
    return tuple((one.written, " 또는 ".join(one.laws)) for one in understood.aliases)
