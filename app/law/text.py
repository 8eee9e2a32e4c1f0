"""Text of the law: what is shown, what the models read, and what is compared.

Display text is NFC and otherwise as the source prints it. Never NFKC: it turns ㆍ (U+318D) into a jamo and ① into 1.
Spaces and middots are folded in match keys only.
"""

from __future__ import annotations

import re
import unicodedata

MIDDOTS = "·ㆍ・‧∙•⋅･"
_FOLD = re.compile(rf"[\s{MIDDOTS}「」『』〈〉‘’“”'\"\u200b-\u200f\u202a-\u202e\u2060\ufeff]+")
_AMENDMENT = re.compile(
    r"[<\[〈](?:개정|신설|본조신설|전문개정|제목개정|종전|시행일|타법개정|본조개정)[^<>\[\]〈〉]*[>\]〉]"
)
_HANJA_GLOSS = re.compile(r"\([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff,ㆍ· ]+\)")
_TAG = re.compile(r"<(?:br|img|/img|p|/p|b|/b)\b[^>]*>", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\u00a0\u3000]+")
_BLANK_LINES = re.compile(r"\s*\n\s*")


def nfc(text: str) -> str:
    """Canonical composition: macOS sends decomposed Hangul, sources hold compatibility hanja."""
    return unicodedata.normalize("NFC", text)


def match_key(name: str) -> str:
    """The form in which two spellings of a name are equal: no spaces, middots, quotes or invisible marks."""
    return _FOLD.sub("", nfc(name))


def display_text(text: str) -> str:
    """Text to show: NFC, HTML breaks as line breaks, runs of blanks folded, amendment notes kept."""
    text = _TAG.sub("\n", nfc(text))
    return _BLANK_LINES.sub("\n", _SPACES.sub(" ", text)).strip()


def model_text(text: str) -> str:
    """Text for the models: display text without amendment notes and without (漢字) glosses."""
    text = _HANJA_GLOSS.sub("", _AMENDMENT.sub("", nfc(_TAG.sub(" ", text))))
    return _BLANK_LINES.sub("\n", _SPACES.sub(" ", text)).strip()
