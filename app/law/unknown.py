"""Names of laws that are in no dictionary: where a name begins that ends before an article.

A quoted name is taken whole. Else it goes back from its last word over words that cannot stand at its front, as
`폐기물처리시설 설치 및 운용에 관한 조례` does.
"""

from __future__ import annotations

import re

from app.law.citation import LAW_LIKE
from app.law.provisions import START
from app.law.text import BREAK, Readable

WIDTH = 100
"""Characters before an article in which the name of an unknown law is looked for."""
WHOLE = 4
"""Characters of a last word from which on it is a name by itself: 증권거래법, but not 사업법."""
_WORD = re.compile(r"[^\s,;:.!?()\[\]]+")
_CONNECTS = re.compile(
    r"(?:관한|위한|대한|따른|의한|및|등|등에|등의|의|또는|간의|특별시|광역시|특별자치[시도]|[가-힣][시도군구]|ㆍ)$"
)
_CONTINUES = re.compile(r"(?:관한|위한|대한|따른|의한|및|또는|등[에의]?|간의?)$")
"""Words that no name begins with."""
_LEADING = re.compile(
    r"(?:(?:및|또는|등[에의]?|전|각|그|이|위|같은|동|당해|본|사건|관련|구체적인|위하여|의한|따른|관한|대한"
    r"|[가-힣]+에 (?:따른|의한)(?= \S+ \S| \S{5,}$))\s+)+"
)
_GENERIC = re.compile(
    "법률?|영|령|규칙|규정|조례안?|협약|협정|의정서|조약|고시|훈령|예규|지침|세칙|시행세칙|기준|요령|시행(?:령|규칙)"
    "|특[례별]법|특별조치법|개정(?:법률?|령)|[현신]행?법|구법|현행법"
)
"""What ends a name of several words, and is none by itself."""
_NO_LAW = re.compile(
    r"(?:방법|위법|불법|적법|합법|문법|비법|수법|기법|용법|요법|해법|입법|사법|편법|탈법|대통령령|법령|명령|수령|점령|강령)$"
)
_STOPS = ("은", "는", "으며", "하고", "와", "과", "에게", "에서")


def unknown_name(plain: Readable, start: int, stop: int) -> tuple[str, int] | None:
    """(the name that ends at `stop`, where it begins), None where no name of a law ends there. `start` bounds it."""
    begin = max(start, stop - WIDTH, plain.text.rfind(BREAK, 0, stop) + 1)
    if quoted := plain.quoted(stop):
        return (name, quoted[0]) if LAW_LIKE.search(name := _spaced(plain.text[slice(*quoted)])) else None
    words = list(_WORD.finditer(plain.text, begin, stop))
    if not words or plain.text[words[-1].end() : stop].strip():
        return None
    last = words[-1][0].removesuffix("의") if len(words[-1][0]) > 2 else words[-1][0]
    if not LAW_LIKE.search(last) or _NO_LAW.search(last):
        return None
    first = words[_first(plain.text, words)].start()
    name = plain.text[first : words[-1].start()] + last
    leading = _LEADING.match(_spaced(name))
    if leading:
        name = _spaced(name)[leading.end() :]
        first = plain.text.rfind(name.split()[0], first, stop)
    return None if not name or _GENERIC.fullmatch(_spaced(name)) else (_spaced(name), first)


def _spaced(name: str) -> str:
    return " ".join(name.split())


def _first(text: str, words: list[re.Match[str]]) -> int:
    """The word that a name begins with which ends with the last one."""
    at = len(words) - 1
    whole = len(words[at][0]) >= WHOLE and not _GENERIC.fullmatch(words[at][0])
    while at:
        word, before = words[at][0], words[at - 1][0]
        if text[words[at - 1].end() : words[at].start()].strip() or START.search(before) or before.endswith(_STOPS):
            break
        if whole and at == len(words) - 1 and not re.search(r"(?:관한|위한|대한)$", before):
            break
        if not (_GENERIC.fullmatch(word) or _CONNECTS.search(before) or _CONTINUES.fullmatch(word)):
            break
        at -= 1
    if at and words[at - 1][0] == "구" and not text[words[at - 1].end() : words[at].start()].strip():
        at -= 1
    return at
