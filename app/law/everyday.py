"""Everyday words and the law's words for them: what people type, and what statutes say instead.

A key is a form as it begins a word of a query, whatever particle or ending follows. For a blank in a key the query may
have none, or a particle: 월세 올 is also 월세올 and 월세를 올. Keys are words that courts' issues hardly use, or that
mean just what their terms do. Every term stands in the statutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter

from app.law.everyday_words import EVERYDAY, WHOLE
from app.law.text import nfc

_END = r"(?=(?:[을를이가은는에의도만과와로]|으로|에서|에게|한테|까지|부터|이나|인데|이고|이면|때문에?)?(?![가-힣]))"
_NOT = r"(?!내(?![면고서니도])|전|심|경|건)"
"""Behind the word 안, not: 세금 안내면 is a tax that is not paid, 세금 안내 a notice of one, 산재 안전 no negation."""
_BLANK = r"[을를이가은는도]?\s*"


def _rest(key: str) -> str:
    """A key's group without the key's first letter."""
    behind = _END if key in WHOLE else _NOT if key.endswith(" 안") else ""
    return f"({_BLANK.join(map(re.escape, key[1:].split(' ')))}{behind})"


_KEYS = {
    letter: tuple(sorted(keys, key=lambda key: (-len(key), key)))
    for letter, keys in groupby(sorted(EVERYDAY), key=itemgetter(0))
}
"""By their first letters, the longest first."""
_START = re.compile(rf"(?<![가-힣0-9])[{re.escape(''.join(_KEYS))}]")
"""Where a word begins that a key may begin. After a digit stands a counter: 2차 사고 is no 차 사고."""


@cache
def _under(letter: str) -> re.Pattern[str]:
    """Group n is the rest of the n-th key under a letter, counted from 1."""
    return re.compile("|".join(map(_rest, _KEYS[letter])))


def _keys(text: str) -> Iterator[str]:
    """The keys that a text holds, in its order; none begins within another."""
    at = 0
    while start := _START.search(text, at):
        found = _under(start[0]).match(text, start.end())
        at = found.end() if found else start.end()
        if found:
            yield _KEYS[start[0]][(found.lastindex or 0) - 1]


def legal_terms(text: str) -> tuple[str, ...]:
    """The law's words for the everyday ones in a query, in their order, each once; those that the text holds left out.

    Of overlapping keys the first counts, of those that begin together the longest. Linear in the text; never raises.
    """
    text = nfc(text)
    return tuple(dict.fromkeys(term for key in _keys(text.upper()) for term in EVERYDAY[key] if term not in text))
