"""Text of the law: what is shown, what the models read, and what is compared.

Display text is NFC and otherwise as the source prints it. Never NFKC: it turns ㆍ (U+318D) into a jamo and ① into 1.
Spaces and middots are folded in match keys only.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

MIDDOTS = "·ㆍ・‧∙•⋅･"
_FOLD = re.compile(rf"[\s{MIDDOTS}「」『』〈〉‘’“”'\"\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_AMENDMENT = re.compile(
    r"[<\[〈](?:개정|신설|본조신설|전문개정|제목개정|종전|시행일|타법개정|본조개정)[^<>\[\]〈〉]*[>\]〉]"
)
_HANJA_GLOSS = re.compile(r"\([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff,ㆍ· ]+\)")
_TAG = re.compile(r"<(?:br|img|/img|p|/p|b|/b)\b[^>]*>", re.IGNORECASE)


def nfc(text: str) -> str:
    """Canonical composition: macOS sends decomposed Hangul, sources hold compatibility hanja."""
    return unicodedata.normalize("NFC", text)


def match_key(name: str) -> str:
    """The form in which two spellings of a name are equal: no spaces, middots, quotes or invisible marks."""
    return _FOLD.sub("", nfc(name))


def display_text(text: str) -> str:
    """Text to show: NFC, HTML breaks as line breaks, runs of blanks folded, amendment notes kept."""
    return _tidy(_TAG.sub("\n", nfc(text)))


def model_text(text: str) -> str:
    """Text for the models: display text without amendment notes and without (漢字) glosses."""
    return _tidy(_HANJA_GLOSS.sub("", _AMENDMENT.sub("", nfc(_TAG.sub(" ", text)))))


def _tidy(text: str) -> str:
    """Runs of blanks as one space, runs of white space with a line break as one break, none at the ends.

    By replacing, which is three times faster than by patterns: a corpus is hundreds of megabytes.
    """
    for blank in "\t\u00a0\u3000":
        text = text.replace(blank, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return "\n".join(filter(None, [line.strip() for line in text.split("\n")]))


BREAK = "\ue000"
"""Stands in readable text for a blank line: nothing is read across it."""
_INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_MARKS = "\u0300-\u036f\u1160-\u11ff"
"""What composes with the character before it: accents, and the vowels and finals of decomposed Hangul."""
_PIECE = re.compile(rf"(<(?:br|/?img|/?p|/?b)\b[^<>]{{0,200}}>)|([{_INVISIBLE}]+)|[^{_MARKS}][{_MARKS}]*|[{_MARKS}]+")
_UNEVEN = re.compile(rf"[{_INVISIBLE}<]")
_EVEN = str.maketrans(
    dict(zip(map(chr, range(0xFF01, 0xFF5F)), map(chr, range(0x21, 0x7F)), strict=True))
    | dict.fromkeys(MIDDOTS, "ㆍ")
    | dict.fromkeys("「」『』〈〉《》‘’“”'\"｢｣\u00a0\u3000\t\r", " ")
    | dict(zip("〔［【{｛〕］】}｝", "[[[((]]]))", strict=True))
    | dict.fromkeys("～∼〜", "~")
    | dict.fromkeys("‐‑‒–—―−", "-")
)
_QUOTED = re.compile(r"[「『]([^「」『』\n]{1,200})[」』]")
_GAP = re.compile(r"\n[ \n]*\n")


@dataclass(frozen=True, slots=True)
class Readable:
    """A text as the citation readers see it: NFC, half width, one kind of bracket, middot and dash, quotes as blanks,
    no invisible marks or tags, blank lines as BREAK. `at[i]` is [start, end) of character i in the text as given;
    None where every character stands in its place."""

    text: str
    at: Sequence[tuple[int, int]] | None = None
    quotes: Sequence[tuple[int, int]] = ()
    """[start, end) of what stands in 「 」 and 『 』, in order."""

    def quoted(self, place: int) -> tuple[int, int] | None:
        """The quotation that ends directly before a place of the readable text."""
        at = bisect_right(self.quotes, place, key=lambda quote: quote[1]) - 1
        if at < 0 or self.text[self.quotes[at][1] : place].strip():
            return None
        return self.quotes[at]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) in the text as given."""
        if self.at is None or start >= end:
            return start, end
        return self.at[start][0], self.at[end - 1][1]


def readable(text: str) -> Readable:
    """Linear in the length of the text."""
    at: list[tuple[int, int]] | None = None
    if _UNEVEN.search(text) or not unicodedata.is_normalized("NFC", text):
        text, at = _composed(text)
    quotes = [match.span(1) for match in _QUOTED.finditer(text)] if "」" in text or "』" in text else []
    text = text.translate(_EVEN)
    if "\n" in text:
        text = _GAP.sub(lambda match: BREAK * len(match[0]), text)
    return Readable(text, at, quotes)


def _composed(text: str) -> tuple[str, list[tuple[int, int]]]:
    parts: list[str] = []
    at: list[tuple[int, int]] = []
    for match in _PIECE.finditer(text):
        if match.lastindex == 2:
            continue
        part = "\n" if match.lastindex == 1 else unicodedata.normalize("NFC", match[0])
        parts.append(part)
        at += [match.span()] * len(part)
    return "".join(parts), at
