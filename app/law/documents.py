"""Documents and passages: one retrievable legal unit, and the pieces of it that are encoded.

A statute article has the `doc_id` `<law_id>-<조>[-<가지>]` (`001706-0750`, `001706-0839-02`);
`law_id` survives renames.
A precedent has the `doc_id` `p<precedent_id>`. A passage is `<doc_id>#<n>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from typing import Literal

from app.law.provisions import LETTERS
from app.law.text import display_text, model_text

Kind = Literal["statute", "precedent"]

_ORDER = re.compile(
    r"\D*\d+\s?재?(?:마|그|스|으|모|아|무|라|브|로|루|보|어|코|호기|정스|수흐|인[마라]|카[가-힣]?|초[가-힣]?|즈[가-힣]?|타[가-힣]"
    r"|비[합단]|[회하]합|하면|개[기회]|[민형행]재?항|헌[가-힣])\s?\d"
)
"""Case codes whose decisions are 결정, measured on 21,242 decisions that say what they are. The first number counts."""
_ARTICLE = re.compile(r"제\s*(\d+)\s*조(?:\s*의\s*(\d+))?")
_PARAGRAPH = re.compile(r"(?=[①-⑳㉑-㉟㊱-㊿])")
ISSUE_TAG = re.compile(r"[\[〔［]\s*(\d+(?:\s*[,\-~]\s*\d+)*)\s*[\]〕］]")
_LETTERED = re.compile(rf"\s*[{LETTERS}]\s*[.,]")
_LETTER_TAG = re.compile(rf"(?:^|(?<=[\n/,]))\s*((?:[{LETTERS}]\s*[.,]\s*)*[{LETTERS}]\s*\.)(?=\s*\S)")
_SENTENCE = re.compile(r"(?<=[.。\n])\s*")


@dataclass(frozen=True, slots=True)
class Document:
    """One article or one decision. Empty strings stand for what a kind does not have; dates are ISO, "" if unknown."""

    doc_id: str
    kind: Kind
    citation: str
    title: str
    text: str
    date: str = ""
    """Effective date of an article, date of a decision."""
    law_id: str = ""
    law: str = ""
    law_kind: str = ""
    article: str = ""
    promulgated: str = ""
    mst: str = ""
    court: str = ""
    court_level: str = ""
    case_type: str = ""
    case_no: str = ""
    issues: str = ""
    holdings: str = ""
    cited_statutes: str = ""
    cited_precedents: str = ""
    sample: bool = False
    """Written for the sample corpus: not legal text."""
    deleted: bool = False
    """An article of which only its deletion is left: it has no passages, so it is found by its citation alone."""


DOCUMENT_FIELDS = tuple(field.name for field in fields(Document))


@dataclass(frozen=True, slots=True)
class Passage:
    """The piece of a document that is encoded; `text` is what the models read."""

    passage_id: str
    doc_id: str
    text: str


def article_number(article: str) -> tuple[int, int]:
    """(조, 가지) of `제839조의2`; 가지 is 0 where there is none. ValueError if it is no article number."""
    match = _ARTICLE.fullmatch(article.strip())
    if match is None:
        raise ValueError(f"{article!r} is no article number; expected 제N조 or 제N조의M")
    return int(match[1]), int(match[2] or 0)


def format_article(jo: int, ga: int = 0) -> str:
    """`제839조의2` from (839, 2)."""
    return f"제{jo}조의{ga}" if ga else f"제{jo}조"


def statute_doc_id(law_id: str, jo: int, ga: int = 0) -> str:
    """`001706-0839-02` from ("001706", 839, 2)."""
    return f"{law_id}-{jo:04d}-{ga:02d}" if ga else f"{law_id}-{jo:04d}"


def precedent_citation(court: str, decided: str, case_no: str, form: str = "") -> str:
    """The house style: `대법원 2012. 3. 29. 선고 2011도1234 판결`; a 결정 takes `자`. `form` defaults by case code."""
    form = form or ("결정" if _ORDER.match(case_no) else "판결")
    numbers = ", ".join(part.strip() for part in case_no.split(","))
    try:
        day = date.fromisoformat(decided)
    except ValueError:
        return f"{court} {numbers} {form}"
    verb = "자" if form == "결정" and "헌" not in case_no else " 선고"
    return f"{court} {day.year}. {day.month}. {day.day}.{verb} {numbers} {form}"


def issue_tags(text: str) -> list[tuple[list[int], int, int]]:
    """(issue numbers, start, end) of every tag, in order: `[1]`, `[2, 3]`, and 가. 나. where the text begins so, as in
    decisions before 1996."""
    tags = [(issue_numbers(match[1]), *match.span()) for match in ISSUE_TAG.finditer(text)]
    if _LETTERED.match(text):
        for match in _LETTER_TAG.finditer(text):
            numbers = [LETTERS.index(letter) + 1 for letter in match[1] if letter in LETTERS]
            tags.append((numbers, *match.span()))
    return sorted(tags, key=lambda tag: tag[1])


def split_issues(text: str) -> dict[int, str]:
    """`[1] … [2] …` → {1: …, 2: …}; text without tags is issue 0; `[1, 2]` and `[1][2]` give the text to each."""
    text = display_text(text)
    tags = issue_tags(text)
    parts: dict[int, str] = {}
    waiting: list[int] = []
    head = text[: tags[0][1]] if tags else text
    if head := head.strip(" \n/,"):
        parts[0] = head
    ends = [*(start for _, start, _ in tags[1:]), len(text)]
    for (numbers, _, start), end in zip(tags, ends, strict=False):
        waiting += numbers
        if body := text[start:end].strip(" \n/,"):
            for number in waiting:
                parts[number] = f"{parts[number]}\n{body}" if number in parts else body
            waiting = []
    return parts


def issue_numbers(tag: str) -> list[int]:
    numbers: list[int] = []
    for part in tag.split(","):
        bounds = [int(n) for n in re.findall(r"\d+", part)[:2]]
        if len(bounds) == 2 and bounds[0] <= bounds[1] <= bounds[0] + 50:
            numbers += range(bounds[0], bounds[1] + 1)
        else:
            numbers += bounds[:1]
    return numbers


def passages(document: Document, limit: int) -> Iterator[Passage]:
    """The passages of a document, in order, each of about `limit` characters at most (headings not counted).

    A deleted article has none.
    """
    if document.deleted:
        return
    pieces = statute_pieces(document, limit) if document.kind == "statute" else precedent_pieces(document, limit)
    for n, text in enumerate(pieces):
        yield Passage(f"{document.doc_id}#{n}", document.doc_id, text)


def statute_pieces(document: Document, limit: int) -> list[str]:
    """An article as one text, or split at 항 (then at sentences) where longer; each repeats law, article and title."""
    heading = f"{document.law} {document.article}" + (f"({document.title})" if document.title else "")
    body = model_text(document.text)
    parts = [body] if len(body) <= limit else _pack(_PARAGRAPH.split(body), limit)
    return [f"{heading}\n{part}".strip() for part in parts]


def precedent_pieces(document: Document, limit: int) -> list[str]:
    """One text per issue: case name, issue [n], holding [n]; holdings without an issue follow."""
    issues, holdings = split_issues(document.issues), split_issues(document.holdings)
    if set(holdings) == {0} and len(issues) == 1:
        holdings = {next(iter(issues)): holdings[0]}
    pieces: list[str] = []
    for number in sorted(set(issues) | set(holdings)):
        body = "\n".join(filter(None, (issues.get(number, ""), holdings.get(number, ""))))
        body = model_text(body)
        parts = [body] if len(body) <= limit else _pack([body], limit)
        pieces += [f"{document.title}\n{part}".strip() for part in parts]
    return pieces or [f"{document.title}\n{document.citation}".strip()]


def _pack(blocks: list[str], limit: int) -> list[str]:
    """Consecutive blocks joined up to `limit` characters; a longer block is split at sentences, then by length."""
    small: list[str] = []
    for block in blocks:
        if len(block) <= limit:
            small.append(block)
            continue
        for sentence in _SENTENCE.split(block):
            small += [sentence[i : i + limit] for i in range(0, len(sentence), limit)]
    packed = [""]
    for piece in small:
        if packed[-1] and len(packed[-1]) + 1 + len(piece) > limit:
            packed.append("")
        packed[-1] = f"{packed[-1]} {piece.strip()}".strip()
    return [piece for piece in packed if piece] or [""]
