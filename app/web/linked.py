"""Texts of the law with their citations as links.

What a decision cites is read as in any text. A statute speaks of itself otherwise than people do: its bare 제N조 is its
own, its 법 is the law that a decree carries out, whatever law was named before; only an enumeration (「상법」 제5조 및
제6조) goes on with the law of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from app.law.resolve import CitationReader, FoundCitation
from app.web.snippets import Segment, Spans, segments

LIMIT = 20_000
"""Characters of the longest text that is read for links: longer ones would keep a page waiting."""
_LEADS = ("resolved", "deleted", "former")
_BARE = re.compile(r"제\s*\d+\s*조")
_OWN = re.compile(r"이\s*(?:법|영|규칙)\s*(?=제)")
_FAMILY = re.compile(r"(법|영|시행령|규칙|시행규칙)\s*(?=제)")
_RELATIVE = re.compile(r"(?:같은|동|위|당해|본|종전의?)\s*")
_GOES_ON = re.compile(r"[」』 ,ㆍ·]*(?:및|또는|이나|나|와|과|부터|내지|까지)?[ ,]*")
_DECREE = re.compile(r"(?P<base>.+?)\s*시행(?:령|규칙)")


class Link(NamedTuple):
    start: int
    end: int
    doc_id: str


class Piece(NamedTuple):
    """A stretch of text that leads to one document, or to none (""), in segments."""

    doc_id: str
    segments: list[Segment]


def links(reader: CitationReader, text: str, law: str = "", own: str = "") -> list[Link]:
    """Where citations of a text lead, ascending and disjoint. `law` is whose own text it is, "" for a decision's;
    `own` is the document itself, to which nothing leads."""
    if len(text) > LIMIT:
        return []
    found = _of_statute(reader, text, law) if law else _leading(reader.read(text))
    kept: list[Link] = []
    for link in found:
        if link.doc_id != own and (not kept or link.start >= kept[-1].end):
            kept.append(link)
    return kept


def pieces(text: str, found: list[Link], marks: Spans) -> list[Piece]:
    """The whole text, split where links and marks begin and end."""
    parts, at = [], 0
    for link in found:
        parts += [Piece("", segments(text, marks, at, link.start))]
        parts += [Piece(link.doc_id, segments(text, marks, link.start, link.end))]
        at = link.end
    return [*(part for part in parts if part.segments), Piece("", segments(text, marks, at))]


def _leading(found: list[FoundCitation]) -> Iterator[Link]:
    for one in found:
        if one.doc_id and one.status in _LEADS:
            yield Link(*one.span, one.doc_id)


def _of_statute(reader: CitationReader, text: str, law: str) -> Iterator[Link]:
    decree = _DECREE.fullmatch(law)
    base, named, at = decree["base"] if decree else "", False, 0
    for one in reader.read(text):
        start, end = one.span
        if start < at:
            continue
        goes_on = named and _GOES_ON.fullmatch(text, at, start) is not None
        if _RELATIVE.match(one.text):
            meant = None
        elif own := _OWN.match(one.text):
            meant, named = f"{law} {one.text[own.end() :]}", False
        elif family := _FAMILY.match(one.text):
            meant, named = _related(base, family[1], one.text[family.end() :]), False
        elif not one.text.startswith("제"):
            meant, named = "", True
        elif goes_on:
            meant = ""
        else:
            meant, named = f"{law} {one.text}" if _BARE.match(one.text) else None, False
        at = end
        yield from _leading([one] if meant == "" else _again(reader, meant, one))


def _related(base: str, noun: str, place: str) -> str | None:
    """법, 영 and 규칙 of a decree or rule, in full; None in other statutes, which do not say whose they are."""
    lawful = base.endswith(("법", "법률"))
    if not base or (noun == "법" and not lawful):
        return None
    decree = " 시행령" if lawful else ""
    suffix = {"법": "", "영": decree, "시행령": decree}.get(noun, " 시행규칙")
    return f"{base}{suffix} {place}"


def _again(reader: CitationReader, meant: str | None, one: FoundCitation) -> list[FoundCitation]:
    """What the citation is in full, at its place in the text."""
    found = reader.read(meant) if meant else []
    return [
        FoundCitation(one.span, one.text, first.citation, first.doc_id, first.status, first.flags)
        for first in found[:1]
    ]
