"""Statutes (root 법령) and administrative rules (root AdmRulService) of the law.go.kr Open API → articles.

The text is laid out as in the JSONL files: no article label, 항 apart by a blank line, 호 and 목 a line each, indented.
Headings of chapters carry the number of the article after them; they come out as Heading, never as an article.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.law.documents import format_article
from app.law.text import match_key
from training.sources.law_go_kr_fields import as_list, children, content, flat, iso_date
from training.sources.records import Broken, StatuteArticle

RULE = "행정규칙"
LEVELS = ("항", "호", "목")
_LABEL = re.compile(r"제\s*(\d+)\s*조(?:\s*의\s*(\d+))?\s*")
_HEADING = re.compile(r"제\s*\d+\s*[편장절관항](?:\s*의\s*\d+)?(?:\s|$)")
_DELETED = re.compile(r"[<＜\[]?\s*삭\s*제\s*[>＞\]]?\s*(?:$|[<＜\[〈]|\(\s*\d)")
_NUMBER_GAP = re.compile(r"^(\d+(?:의\d+)?\.|[가-하]\.|[①-⑳㉑-㉟㊱-㊿])\s*")


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a 편, 장, 절 or 관: no article, though it carries an article's number."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Law:
    """What the articles of one body share. Dates are ISO; `effective` is for articles without a date of their own."""

    law_id: str
    name: str
    kind: str
    effective: str
    promulgated: str
    mst: str


def read_law(root: dict[str, Any], where: str, mst: str = "") -> Iterator[StatuteArticle | Heading | Broken]:
    """The articles of a 법령 body, in order. `mst` is for bodies that do not hold their 법령일련번호."""
    base, units = root.get("기본정보"), root.get("조문")
    if not isinstance(base, dict) or not isinstance(units, dict) or not as_list(units.get("조문단위")):
        yield Broken(where, "법령 without 기본정보 or 조문단위; fetch the body again")
        return
    law = Law(
        flat(base.get("법령ID")), flat(base.get("법령명_한글") or base.get("법령명한글")),
        content(base.get("법종구분")), iso_date(base.get("시행일자")), iso_date(base.get("공포일자")),
        flat(base.get("법령일련번호")) or mst,
    )  # fmt: skip
    if not law.law_id or not law.name:
        yield Broken(where, "법령 without 법령ID or 법령명_한글; fetch the body again")
        return
    for unit in as_list(units["조문단위"]):
        yield _unit(unit, law, where)


def _unit(unit: Any, law: Law, where: str) -> StatuteArticle | Heading | Broken:
    if not isinstance(unit, dict):
        return Broken(where, f"조문단위 is {type(unit).__name__}, expected an object")
    key, text = flat(unit.get("조문키")), flat(unit.get("조문내용"))
    if unit.get("조문여부", "전문" if key.endswith("0") else "조문") == "전문":
        return Heading(where, text)
    number, branch = flat(unit.get("조문번호")), flat(unit.get("조문가지번호")) or "0"
    if not number.isdecimal() or not branch.isdecimal():
        return Broken(f"{where} 조문키 {key}", f"조문번호 {number!r}, 조문가지번호 {branch!r}: expected numbers")
    title, head = split_label(text, flat(unit.get("조문제목")))
    # 조문시행일자문자열 is left aside: the articles it names for later dates are not in this body, as was measured.
    effective = iso_date(unit.get("조문시행일자")) or law.effective
    # An article that moved elsewhere has no text but the note that says so.
    body = "\n\n".join(filter(None, (head, *_blocks(unit)))) or flat(unit.get("조문참고자료"))
    return _article(law, format_article(int(number), int(branch)), title, body, effective, where)


def _article(law: Law, article: str, title: str, text: str, effective: str, where: str) -> StatuteArticle | Broken:
    if not text:
        return Broken(f"{where} {law.name} {article}", "no text, and no note that says where it moved")
    return StatuteArticle(
        law.law_id, law.name, law.kind, article, title, text, effective, law.promulgated, law.mst,
        deleted=bool(_DELETED.match(text)),
    )  # fmt: skip


def split_label(text: str, title: str = "") -> tuple[str, str]:
    """(title, rest) of `제2조(정의) …`; the brackets are dropped where they hold the title, or where none is given."""
    label = _LABEL.match(text)
    rest = text[label.end() :] if label else text
    for opening, closing in ("()", "[]"):
        inner = _bracketed(rest, opening, closing) if label else ""
        if inner and (match_key(inner) == match_key(title) or (not title and opening == "(")):
            return title or inner.strip(), rest[len(inner) + 2 :].strip()
    return title, rest.strip()


def _bracketed(text: str, opening: str, closing: str) -> str:
    """What the brackets that open `text` hold, brackets within included; "" where there are none."""
    depth = 0
    for end, character in enumerate(text):
        depth += (character == opening) - (character == closing)
        if depth == 0:
            return text[1:end]
    return ""


def _blocks(unit: dict[str, Any]) -> Iterator[str]:
    """The 항 of an article, each followed by its 호 and 목 as one block. 호 without a 항 come in an unnumbered one."""
    for paragraph in children(unit, "항"):
        yield _line(paragraph, "항")
        yield "\n".join(_items(paragraph, 1))


def _items(parent: dict[str, Any], level: int) -> Iterator[str]:
    if level < len(LEVELS):
        for child in children(parent, LEVELS[level]):
            yield _line(child, LEVELS[level])
            yield from _items(child, level + 1)


def _line(unit: dict[str, Any], name: str) -> str:
    """`  5의2. …`: the text with its number, which the API's text usually repeats, indented two blanks a level."""
    text, number, branch = (flat(unit.get(f"{name}{field}")) for field in ("내용", "번호", "가지번호"))
    if branch and "의" not in number:
        number = f"{number.rstrip('.')}의{branch}."
    if text and number and not text.startswith(number):
        text = f"{number} {text}"
    indent = "  " * LEVELS.index(name)
    text = _NUMBER_GAP.sub(r"\1 ", text).replace("\n", f"\n{indent}  ")
    return indent + text if text else ""


def read_rule(root: dict[str, Any], where: str) -> Iterator[StatuteArticle | Heading | Broken]:
    """The articles of an administrative rule. Its text comes as one string an article, headings among them."""
    base = root.get("행정규칙기본정보")
    if not isinstance(base, dict) or not flat(base.get("행정규칙ID")) or not flat(base.get("행정규칙명")):
        yield Broken(where, "AdmRulService without 행정규칙ID or 행정규칙명; fetch the body again")
        return
    rule = Law(
        flat(base["행정규칙ID"]), flat(base["행정규칙명"]), RULE,
        iso_date(base.get("시행일자")), iso_date(base.get("발령일자")), flat(base.get("행정규칙일련번호")),
    )  # fmt: skip
    if flat(base.get("현행여부")) == "N":
        yield Broken(where, f"{rule.name}: 현행여부 is N, a version no longer in force; fetch the current one")
        return
    texts = [flat(text) for text in as_list(root.get("조문내용"))]
    if not texts:
        yield Broken(where, f"{rule.name}: no 조문내용; its text may be in an attached file only")
    for text in texts:
        yield _rule_article(text, rule, where)


def _rule_article(text: str, rule: Law, where: str) -> StatuteArticle | Heading | Broken:
    if _HEADING.match(text):
        # Where the whole rule is one string, it opens with a heading as well.
        return Heading(where, text) if len(text) < 200 else Broken(where, f"{rule.name}: text not cut into articles")
    label = _LABEL.match(text)
    if label is None:
        return Broken(where, f"{rule.name}: no 제N조 at the head of {text[:20]!r}")
    title, body = split_label(text)
    return _article(rule, format_article(int(label[1]), int(label[2] or 0)), title, body, rule.effective, where)
