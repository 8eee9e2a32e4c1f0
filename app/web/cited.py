"""Citations read in a text → what is said of each: its status in words, remarks, and where it leads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from app.law.resolve import Flag, FoundCitation
from app.retrieval.searcher import Searcher
from app.web.asked import Asked
from app.web.wording import CITATIONS, FLAGS, TONES


@dataclass(frozen=True, slots=True)
class Way:
    """Somewhere to go: an address, "" for none, and its name."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Cited:
    text: str
    citation: str
    status: str
    label: str
    tone: str
    """good, warn or bad."""
    address: str
    remarks: tuple[str, ...]
    nearest: tuple[Way, ...]
    nearest_label: str


def cited(found: FoundCitation, asked: Asked, searcher: Searcher, untold: Collection[Flag] = ()) -> Cited:
    """`untold` are the flags that are told elsewhere."""
    remarks = tuple(_remark(flag, found, searcher) for flag in found.flags if flag not in untold)
    doubtful = found.status == "resolved" and doubts(found)
    return Cited(
        text=found.text,
        citation=found.citation,
        status=found.status,
        label=CITATIONS[found.status],
        tone="warn" if doubtful else TONES[found.status],
        address=asked.document(found.doc_id) if found.doc_id else "",
        remarks=remarks,
        nearest=tuple(Way(asked.document(near.doc_id), near.citation) for near in found.nearest),
        nearest_label=_nearest_label(found),
    )


def doubts(found: FoundCitation) -> bool:
    """Whether something of a citation does not fit what it leads to."""
    return bool({"title_differs", "no_such_paragraph"} & set(found.flags))


def _remark(flag: Flag, found: FoundCitation, searcher: Searcher) -> str:
    remark, articles = FLAGS[flag], searcher.citations.articles
    if flag == "title_differs" and found.doc_id:
        return f"{remark}(지금 제목: {articles.title(found.doc_id)})"
    if flag == "no_such_paragraph" and found.doc_id:
        count = articles.paragraphs(found.doc_id)
        return f"{remark}({f'제{count}항까지 있음' if count else '항이 나뉘지 않은 조문'})"
    return remark


def _nearest_label(found: FoundCitation) -> str:
    if found.status == "no_such_case":
        return "사건번호가 같은 판례"
    return "지금의 조문" if found.status == "former" else "가까운 조문"
