"""A document as a result: what is shown of it, where the query's words stand in it, and its public address."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any

from app.law.documents import Document
from app.law.text import nfc

_WORD = re.compile(r"[0-9A-Za-z가-힣\u3400-\u9fff]+")
_PARTICLE = r"(?:에서|에게|으로|까지|부터|은|는|이|가|을|를|의|에|로|와|과|도|만)"
_STEM = re.compile(rf"(.{{2,}}?){_PARTICLE}?")
SITE = "https://www.law.go.kr"


def shown_text(document: Document) -> str:
    """An article as it is; of a decision its issues and holdings, or the judgment where it has neither."""
    if document.kind == "statute":
        return document.text
    return "\n".join(filter(None, (document.issues, document.holdings))) or document.text


def stems(query: str) -> list[str]:
    """The words of a query of two characters or more, particles stripped where two remain; longest first."""
    matches = (_STEM.fullmatch(word) for word in _WORD.findall(nfc(query)))
    return sorted({match[1].lower() for match in matches if match}, key=lambda stem: (-len(stem), stem))


def highlights(text: str, query: str) -> tuple[tuple[int, int], ...]:
    """Spans [a, b) of the query's words in `text`, with a particle that ends the word; ascending and disjoint."""
    words = _words(query)
    return tuple(match.span() for match in words.finditer(text)) if words else ()


@lru_cache(maxsize=64)
def _words(query: str) -> re.Pattern[str] | None:
    """One query asks for the highlights of every result."""
    words = "|".join(map(re.escape, stems(query)))
    return re.compile(rf"(?:{words})(?:{_PARTICLE}(?![가-힣]))?", re.IGNORECASE) if words else None


def metadata(document: Document, today: date) -> dict[str, Any]:
    """Dates, law or court, status and public address; no address for the documents of the sample corpus."""
    facts = _statute(document, today) if document.kind == "statute" else _precedent(document)
    return {**facts, "url": None if document.sample else url(document), "sample": document.sample}


def url(document: Document) -> str:
    """The page of law.go.kr."""
    if document.kind == "statute":
        return f"{SITE}/법령/{''.join(document.law.split())}/{document.article}"
    return f"{SITE}/precInfoP.do?precSeq={document.doc_id.removeprefix('p')}"


def _statute(document: Document, today: date) -> dict[str, Any]:
    return {
        "law": document.law,
        "law_id": document.law_id,
        "law_kind": document.law_kind,
        "effective_date": document.date,
        "promulgated": document.promulgated,
        "status": _status(document, today),
    }


def _status(document: Document, today: date) -> str:
    if document.deleted:
        return "deleted"
    return "not_yet" if document.date > today.isoformat() else "in_force"


def _precedent(document: Document) -> dict[str, Any]:
    return {
        "court": document.court,
        "court_level": document.court_level,
        "case_no": document.case_no,
        "case_type": document.case_type,
        "decision_date": document.date,
    }
