"""From an article to what must be read with it: the articles of its decree and rule (위임), the definitions of its law.

An article delegates where it says `대통령령으로 정하는` or the like; which article of the decree answers is read from
that one: it names the delegating article at the start of a paragraph (`법 제10조제1항에 따른 …`), or quotes it
(`법 제10조제1항에서 “대통령령으로 정하는 …”이란`). An article named in passing delegates nothing there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Literal

from app.law.documents import Document, article_number, statute_doc_id
from app.law.graph import Edge
from app.law.names import LawNames
from app.law.text import match_key

Level = Literal["시행령", "시행규칙"]

START = 22
"""Characters that the subject of a sentence may take before it names the delegating article."""
EARLY = 5
"""The last article in which a law defines for all of itself; a later 정의 is that of a chapter."""
_OF = r"(?:으로|이|에서|의)\s*(?:따로\s*)?정"
_GRANTS: dict[Level, re.Pattern[str]] = {
    "시행령": re.compile(rf"대통령령{_OF}"),
    "시행규칙": re.compile(rf"(?:[가-힣]부령|총리령|(?:대법원|헌법재판소|국회|위원회|감사원)\s*규칙){_OF}"),
}
_LAW = re.compile(r"(?P<base>.+?)\s*(?P<level>시행령|시행규칙)")
_NAMED = re.compile(r"(?<![가-힣」])(법|영)\s*제\s*(\d+)\s*조(?:\s*의\s*(\d+))?(?!\d)")
_QUOTES = re.compile(r"[^.\n]{0,40}?에서\s*[\"“”'‘][^\"“”'‘’\n]{0,150}?(?:령|규칙)(?:으로|이|에서|의)\s*(?:따로\s*)?정")
_LABEL = re.compile(r"\s*(?:제\d+조(?:의\d+)?\([^)\n]*\)\s*)?(?:[①-⑳㉑-㉟㊱-㊿]\s*)?")
_ITEM = re.compile(r"\d+(?:의\d+)?\.|[가-하]\.")
_DEFINITIONS = re.compile(r"(?:용어의)?(?:정의|뜻)(?:등)?")


def grants(article: Document) -> list[Level]:
    """The levels to which an article delegates."""
    return [level for level, pattern in _GRANTS.items() if pattern.search(article.text)]


def delegations(
    articles: Iterable[Document], granted: Collection[tuple[str, Level]], names: LawNames
) -> Iterator[Edge]:
    """Delegating article → article of a decree or rule. `granted` holds (doc_id, level) of all that delegate."""
    for article in articles:
        law = _LAW.fullmatch(article.law)
        if law is None or article.deleted:
            continue
        level: Level = "시행령" if law["level"] == "시행령" else "시행규칙"
        parents = {
            "법": names.find(law["base"]),
            "영": names.find(law["base"] + "시행령") if level != "시행령" else None,
        }
        for mark, jo, ga in dict.fromkeys(named(article.text)):
            parent = parents[mark]
            source = statute_doc_id(parent.law_id, jo, ga) if parent else ""
            if (source, level) in granted:
                yield Edge(source, article.doc_id, "delegation")


def named(text: str) -> Iterator[tuple[str, int, int]]:
    """("법" | "영", 조, 가지) of each article that a decree's article carries out."""
    for paragraph in text.split("\n"):
        label = _LABEL.match(paragraph)
        start = label.end() if label else 0
        item = _ITEM.match(paragraph, start)
        for place, match in enumerate(_NAMED.finditer(paragraph, start)):
            leads = place == 0 and not item and _leads(paragraph[start : match.start()])
            if leads or _QUOTES.match(paragraph, match.end()):
                yield match[1], int(match[2]), int(match[3] or 0)


def _leads(before: str) -> bool:
    """Whether a paragraph begins with the article, or with the one who acts under it."""
    return not before.strip() or (len(before) <= START and re.search(r"[은는이가]\s*$", before) is not None)


def definitions(articles: Iterable[Document]) -> dict[str, str]:
    """law_id → doc_id of the article titled 정의 near its beginning."""
    first: dict[str, tuple[tuple[int, int], str]] = {}
    for article in articles:
        if not article.deleted and _DEFINITIONS.fullmatch(match_key(article.title).strip("()")):
            place = article_number(article.article), article.doc_id
            if place[0][0] <= EARLY:
                first[article.law_id] = min(first.get(article.law_id, place), place)
    return {law_id: doc_id for law_id, (_, doc_id) in first.items()}
