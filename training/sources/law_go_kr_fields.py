"""Values of law.go.kr bodies: one child or many, text in nested lists, dates in several calendars and spellings."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from app.law.text import nfc

DANGUN = 2333
"""단기 4289 is 1956."""
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SPELT = re.compile(r"(?:단기|서기)?\s*(\d{4})\s*[.\-/년]\s*(\d{1,2})\s*[.\-/월]\s*(\d{1,2})\s*[.일]?")
_BREAK = re.compile(r"<br\s*/?>|\r\n?", re.IGNORECASE)
_IMAGE = re.compile(r"</?img\b[^>]*>", re.IGNORECASE)
_BLANKS = re.compile(r"[ \t\u00a0\u3000]+")


def as_list(value: Any) -> list[Any]:
    """The API gives an only child as itself, several as a list, and none as null or ""."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def children(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The 항, 호 or 목 below `parent`; a bare text among them counts as one with that content and no number."""
    return [child if isinstance(child, dict) else {f"{name}내용": child} for child in as_list(parent.get(name))]


def flat(value: Any) -> str:
    """Text of a string, number or nested list of strings: NFC, a line an item and <br/>, no <img>, blanks folded."""
    if isinstance(value, list):
        return "\n".join(filter(None, map(flat, value)))
    if value is None or isinstance(value, dict):
        return ""
    lines = _BREAK.sub("\n", _IMAGE.sub("", nfc(str(value)))).split("\n")
    return "\n".join(filter(None, (_BLANKS.sub(" ", line).strip() for line in lines)))


def content(value: Any) -> str:
    """`법률` of `{"content": "법률", "법종구분코드": "A0002"}`, or of the plain string."""
    return flat(value.get("content") if isinstance(value, dict) else value)


def iso_date(value: Any) -> str:
    """`2010-12-09` of 20101209, "2010. 12. 9." or 단기 43431209; "" where the date is blank, partial or impossible."""
    text = flat(value)
    match = _COMPACT.fullmatch(text) or _SPELT.fullmatch(text)
    if match is None:
        return ""
    year, month, day = map(int, match.groups())
    try:
        return date(year - DANGUN if year > 4000 else year, month, day).isoformat()
    except ValueError:
        return ""
