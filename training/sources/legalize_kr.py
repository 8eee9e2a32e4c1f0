"""A checkout of legalize-kr (statutes) or precedent-kr (decisions), Markdown with front matter → records.

    kr/{법령명}/{법률|시행령|시행규칙|…}.md                       one statute in its newest version
    {사건종류}/{대법원|하급심|미분류}/{법원명}_{선고일자}_{사건번호}.md    one decision

The dates are the law's: the checkout does not hold an article's own. Its middots are all ㆍ.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.law.text import MIDDOTS, nfc
from training.sources.front_matter import FrontMatterError, split
from training.sources.law_go_kr_fields import iso_date
from training.sources.law_go_kr_precedent import LOWER, SUPREME, court_name
from training.sources.records import DELETED, Broken, Decision, Gone, Record, StatuteArticle

LAWS = "kr"
LEVELS = (SUPREME, LOWER, "미분류")
LAW_ID, PRECEDENT_ID = "법령ID", "판례일련번호"
_HEADING = re.compile(r"#{1,4} ")
_SUPPLEMENT = re.compile(r"## 부칙\s*$")
_ARTICLE = re.compile(r"##### (제\d+조(?:의\d+)?)\s*(?:\((.*)\))?\s*$")
_PARAGRAPH = re.compile(r"^\*\*(\S+?)\*\* ?")
_ITEM = re.compile(r"^(\s*[\d가-힣]+(?:의\d+)?)\\\.")
_BLANKS = re.compile(r"\n\s*\n+")
_FOLD = str.maketrans(dict.fromkeys(MIDDOTS, "ㆍ"))
_SECTION = re.compile(r"^## (판시사항|판결요지|참조조문|참조판례)[ \t]*$", re.MULTILINE)
_JUDGMENT = re.compile(r"^## 판례내용[ \t]*$", re.MULTILINE)


def is_checkout(path: Path) -> bool:
    """Whether a folder is a checkout of one of the two, whether or not it is still a git repository."""
    return path.is_dir() and next(_files(path), None) is not None


def checkouts(path: Path) -> list[Path]:
    """The checkouts that a folder is or holds, in name order."""
    if is_checkout(path):
        return [path]
    return [child for child in sorted(path.iterdir()) if is_checkout(child)] if path.is_dir() else []


def is_record(path: Path) -> bool:
    """Whether a path inside a checkout is that of a statute or a decision: README.md and the like are not."""
    parts = [nfc(part) for part in path.parts]
    return len(parts) == 3 and parts[2].endswith(".md") and (parts[0] == LAWS or parts[1] in LEVELS)


def read(checkout: Path) -> Iterator[Record]:
    """Every record of a checkout, in name order."""
    return read_files(sorted(_files(checkout)), checkout)


def read_files(files: Iterable[Path], checkout: Path) -> Iterator[Record]:
    for file in files:
        yield from read_text(file.read_bytes(), str(file.relative_to(checkout)))


def read_text(body: bytes, where: str) -> Iterator[Record]:
    """The records of one file: the articles of a statute, or one decision."""
    try:
        fields, text = split(nfc(body.decode()))
    except (FrontMatterError, UnicodeDecodeError) as error:
        yield Broken(where, f"no record of legalize-kr: {error}")
        return
    if fields.get(LAW_ID):
        yield from _statute(fields, text, where)
    elif fields.get(PRECEDENT_ID):
        yield _decision(fields, text, where)
    else:
        yield Broken(where, f"neither {LAW_ID} nor {PRECEDENT_ID} in its front matter")


def identity(body: bytes) -> Gone | None:
    """What a file was the record of; None where it was none."""
    try:
        fields, _ = split(nfc(body.decode()))
    except (FrontMatterError, UnicodeDecodeError):
        return None
    gone = Gone(law_id=fields.get(LAW_ID, ""), precedent_id=fields.get(PRECEDENT_ID, ""))
    return gone if gone != Gone() else None


def _files(checkout: Path) -> Iterator[Path]:
    # One level after another, so that a checkout is known by its first file: there are 100,000.
    for group in checkout.iterdir():
        if group.name.startswith(".") or not group.is_dir():
            continue
        found = (file for file in group.glob("*/*.md") if is_record(file.relative_to(checkout)))
        yield from found


def _statute(fields: dict[str, str], text: str, where: str) -> Iterator[StatuteArticle | Broken]:
    law = fields.get("원본제목") or fields.get("제목", "")
    if not law:
        yield Broken(where, "no 제목 in its front matter")
        return
    seen: set[str] = set()
    for article, title, body in _articles(text):
        if not body:
            yield Broken(f"{where} {article}", "no text")
        elif article in seen:
            yield Broken(f"{where} {article}", "stands twice in its file; the first is kept")
        else:
            seen.add(article)
            yield StatuteArticle(
                fields[LAW_ID], law, fields.get("법령구분", ""), article, title, body,
                iso_date(fields.get("시행일자")), iso_date(fields.get("공포일자")), fields.get("법령MST", ""),
                deleted=bool(DELETED.match(body)),
            )  # fmt: skip
    if not seen:
        yield Broken(where, f"{law}: no article (##### 제N조) above its 부칙")


def _articles(text: str) -> Iterator[tuple[str, str, str]]:
    """(article, title, text) of each; headings of chapters end an article, 부칙 ends the law."""
    article, title, lines = "", "", list[str]()
    for line in [*text.split("\n"), "## 부칙"]:
        match = _ARTICLE.match(line)
        if match is None and not _HEADING.match(line):
            lines.append(line)
            continue
        if article:
            yield article, title, _body(lines, title)
        if _SUPPLEMENT.match(line):
            return
        article, title, lines = (match[1], match[2] or "", []) if match else ("", "", [])


def _body(lines: list[str], title: str) -> str:
    """The text of an article as the other sources lay it out: ① for **①**, `  1. ` for `  1\\. `."""
    plain = (_ITEM.sub(r"\1.", _PARAGRAPH.sub(r"\1 ", line.rstrip())) for line in lines)
    text = _BLANKS.sub("\n\n", "\n".join(plain)).strip("\n")
    # The label is cut off at its first closing bracket there, so that a title with brackets leaves its end behind.
    rest = title[title.find(")") + 1 :] + ")" if ")" in title else ""
    if rest and text.translate(_FOLD).startswith(rest.translate(_FOLD)):
        text = text[len(rest) :]
    return text.strip()


def _decision(fields: dict[str, str], text: str, where: str) -> Decision | Broken:
    case_no, court = fields.get("사건번호", ""), court_name(fields.get("법원명", ""))
    if not case_no or not court:
        return Broken(where, f"no 사건번호 or 법원명 in its front matter (found {case_no!r}, {court!r})")
    parts = _SECTION.split(_JUDGMENT.split(text, maxsplit=1)[0])
    sections = dict(zip(parts[1::2], (html.unescape(part.strip()) for part in parts[2::2]), strict=True))
    level = fields.get("법원등급", "")
    return Decision(
        fields[PRECEDENT_ID], case_no, fields.get("사건명", ""), court,
        level if level in (SUPREME, LOWER) else SUPREME if court == SUPREME else LOWER,
        fields.get("사건종류", ""), iso_date(fields.get("선고일자")), sections.get("판시사항", ""),
        sections.get("판결요지", ""), sections.get("참조조문", ""), sections.get("참조판례", ""),
    )  # fmt: skip
