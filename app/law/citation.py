"""Citations: one reader for reference strings (참조조문), one for free text and queries.

Grammar and state machine after the measured variants of 참조조문 strings: a 조 keeps the law named before it, a new
head or issue tag resets, a 부칙 article is never the main one, and an article of a law as it stood before a full
revision is never taken for today's article of the same number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from app.law.documents import ISSUE_TAG, format_article, issue_numbers, number_tags
from app.law.names import LawNames

Revision = Literal["", "partial", "full"]

_PARENTHESES = re.compile(r"[(（](?:[^()（）]|[(（][^()（）]*[)）])*[)）]|[\[〔{]\s*(?:현행|별표|별지)[^\]〕}]*[\]〕}]")
_UNIT = re.compile(
    r"(?<![\d-])(?:제\s*)?(\d{1,4})\s*조(?:\s*의\s*(\d{1,3}))?+(?![가-힣]*법)(?!\s*에\s*[의따관]|\s*의\s*규정)"
)
"""An article. Not one within a name (`제4조에 의한 …협정`, `제2조의 규정에 의한 …`), nor `1조` of `제3-1조`."""
_BELOW = re.compile(r"제\s*\d+\s*[항호]|제\s*\d+-\d+\s*조|본문|단서|전단|후단")
_BETWEEN = re.compile(r"(?:[\s,\[\]]|제?\s*\d+\s*[항호](?:\s*의\s*\d+)?|[가-하]목|본문|단서|전단|후단|및|또는|와|과)*")
_LAW_LIKE = re.compile(r"(?:법|법률|령|규칙|규정|조례|협약)(?:\s*부칙)?$|부칙$")
_HANG = re.compile(r"제\s*(\d+)\s*항")
_FULL = re.compile(r"전부\s*개정|전문\s*개정|폐지")
_ANAPHOR = re.compile(r"^(?:같은|동|위|이)\s*(?:법률|법|영|령|규칙)\s*(시행령|시행규칙)?$|^동법\s*(시행령|시행규칙)?$")
_CODE = (
    r"(?:준?재)?(?:가[단합소]?|나합?|다카?|라|마카?|바|사|그|스|으|므|르|브|프|푸|트|흐|휴|드[단합]?|느[단합]?|고[단합정약]?|노합?"
    r"|도|로|모|보도?|오|초[기재적]?|감[도노고]|전[도노고오모]|치[도고]|정[도로모스]|구[합단]?|누|두|루|무|부|아|어|주|추|거|머|과|코|토|소|쿠|슈"
    r"|수흐?|우|허|후|파|카[합기단담확경정허]?|타[기채경]?|즈[기합단]?|비[합단상]|회[단합]|개[기회]|하[단합면]?|인[마라]|호[파기]"
    r"|헌[가나다라마바사아]|(?:민|형|행|특)(?:상|공|항|준?재|재항|비상?|특상)?)"
)
"""Case codes, as they occur in 74,647 decisions: no unit of time, money or length is among them."""
_CASE = re.compile(
    rf"(?<!\d)(?<!제)(\d{{2}}|\d{{4}})\s?({_CODE})\s?(\d{{1,7}})(?!\d)"
    r"(?=[^가-힣]|$|판결|결정|명령|사건|호|은|는|이|가|을|를|의|에|와|과|로|도|만|까지|부터|라|인)"
)
_CASES = re.compile(
    r"(?<!\d)(\d{2}|\d{4})\s?([가-힣]{1,3})\s?(\d{1,7})"
    r"((?:(?:\s*\([가-힣]+\))?\s*,\s*\d{2,7}(?![\d가-힣.]))*)(?!\d)"
)
_SEPARATORS = {",", ";", "，"}


@dataclass(frozen=True, slots=True)
class Reference:
    """One article named in a reference string. `issues` is empty where the string has no tags."""

    issues: tuple[int, ...]
    law: str
    jo: int
    ga: int
    paragraph: int = 0
    """The 항 named, 0 where none is."""
    former: bool = False
    revision: Revision = ""
    """What a former version was revised by: "full" forbids mapping by number."""
    supplementary: bool = False
    """An article of the 부칙."""

    @property
    def article(self) -> str:
        return format_article(self.jo, self.ga)


def read_references(text: str) -> Iterator[Reference]:
    """The articles of a 참조조문 string, in order. Never raises: what is no article is passed over."""
    for issues, group in _groups(number_tags(text.strip())):
        law, former, supplementary = "", False, False
        revision: Revision = ""
        for segment in _segments(group):
            versions = " ".join(_PARENTHESES.findall(segment))
            for head, unit, below in _units(_PARENTHESES.sub(" ", segment)):
                supplementary = (supplementary and not head) or "부칙" in head
                head = head.replace("부칙", "").strip()
                anaphor = _ANAPHOR.match(head)
                if anaphor:
                    law = _derived(law, anaphor[1] or anaphor[2] or "")
                elif head:
                    former = head.startswith("구 ")
                    law = head.removeprefix("구 ").strip()
                    revision = ("full" if _FULL.search(versions) else "partial") if former else ""
                if unit and law:
                    hang = _HANG.search(below)
                    jo, ga, number = int(unit[1]), int(unit[2] or 0), int(hang[1]) if hang else 0
                    yield Reference(issues, law, jo, ga, number, former, revision, supplementary)


def _units(part: str) -> Iterator[tuple[str, re.Match[str] | None, str]]:
    """(head, article, what follows it) of each article in a part without separators; (head, None, "") without any.

    Where a comma was forgotten, what stands between two articles must look like a law, or the rest is passed over.
    """
    units = list(_UNIT.finditer(part))
    head = part[: units[0].start()] if units else part
    head = _BELOW.split(head)[0].strip(" 「」『』‘’“”[]\n")
    if not units:
        yield head, None, ""
    for unit, following in zip_longest(units, units[1:]):
        below = part[unit.end() : following.start() if following else len(part)]
        yield head, unit, below
        head = below[_BETWEEN.match(below).end() :].split("\n")[-1].strip(" 「」『』‘’“”[],")  # type: ignore[union-attr]  # matches anything
        if following and head and not _LAW_LIKE.search(head):
            return


def _derived(law: str, suffix: str) -> str:
    base = re.sub(r"\s*시행(?:령|규칙)$", "", law)
    return f"{base} {suffix}".strip() if suffix else law


def _groups(text: str) -> Iterator[tuple[tuple[int, ...], str]]:
    """(issue numbers, text) of each part between tags or slashes; adjacent tags share what follows."""
    tags = list(ISSUE_TAG.finditer(text))
    start = 0
    issues: tuple[int, ...] = ()
    pending: list[int] = []
    for tag in [*tags, None]:
        body = text[start : tag.start() if tag else len(text)]
        if body.strip(" ,/\n"):
            issues = tuple(pending)
            pending = []
            for part in _split(body, {"/"}):
                yield issues, part
        if tag:
            pending += issue_numbers(tag[1])
            start = tag.end()


def _segments(group: str) -> Iterator[str]:
    return _split(group, _SEPARATORS)


def _split(text: str, separators: set[str]) -> Iterator[str]:
    """Parts of `text` between separators that stand outside of all brackets."""
    depth = start = 0
    for at, char in enumerate(text):
        if char in "([（〔":
            depth += 1
        elif char in ")]）〕":
            depth = max(depth - 1, 0)
        elif char in separators and depth == 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


Status = Literal[
    "resolved", "no_such_article", "no_such_law", "no_such_case", "deleted", "former", "ambiguous", "unresolved"
]


@dataclass(frozen=True, slots=True)
class Mention:
    """A citation in free text. `span` is [start, end) in the text as given."""

    span: tuple[int, int]
    law: str = ""
    law_id: str = ""
    jo: int = 0
    ga: int = 0
    case_no: str = ""


_NUMBER = re.compile(r"(?<!\d)(?:제\s*)?(\d{1,4})(?!\d)(?:\s*(조)(?:\s*의\s*(\d{1,3}))?)?")
_WORD_START = re.compile(r"(?:^|(?<=[\s「『(\[‘“'\"·ㆍ,]))(?=[가-힣])")
_LAW_TAIL = re.compile(
    r"(?:(?:같은|동|위|이)\s*(?:법률|법|영|령|규칙)(?:\s*시행(?:령|규칙))?"
    r"|(?:[가-힣ㆍ·]*법\s+|[가-힣ㆍ·]+에 관한 )?[가-힣ㆍ·]*(?:법|법률|시행령|시행규칙|규칙|규정))[」』’”]?\s*$"
)
_ANAPHOR_TAIL = re.compile(
    r"^(?:(?:같은|동|위|이)\s*(?:법|법률|영|령|규칙)|동법)(?:\s*시행(?:령|규칙))?$|^(?:법|영|규칙|시행령|시행규칙)$"
)


def find_mentions(text: str, names: LawNames) -> list[Mention]:
    """Articles and case numbers named in free text, in order; `제751조` after `민법 제750조,` keeps the law."""
    return sorted([*_articles(text, names), *_cases(text)], key=lambda mention: mention.span)


def _articles(text: str, names: LawNames) -> Iterator[Mention]:
    previous: Mention | None = None
    for match in _NUMBER.finditer(text):
        has_jo = match[2] is not None
        if not has_jo and not _stands_alone(text, match.end()):
            continue
        jo, ga = int(match[1]), int(match[3] or 0)
        found = _law_before(text, match.start(), names)
        if found is not None:
            start, law_id, law = found
            previous = Mention((start, match.end()), law, law_id, jo, ga)
            yield previous
        elif has_jo and previous and _continues(text[previous.span[1] : match.start()]):
            previous = Mention(match.span(), previous.law, previous.law_id, jo, ga)
            yield previous
        elif has_jo and (unknown := _LAW_TAIL.search(text[max(0, match.start() - 60) : match.start()])):
            name = unknown[0].strip(" 「」『』‘’“”")
            start = match.start() - len(unknown[0].lstrip())
            previous = Mention((start, match.end()), "" if _ANAPHOR_TAIL.search(name) else name, "", jo, ga)
            yield previous


def _stands_alone(text: str, end: int) -> bool:
    return end == len(text) or text[end] in " \t\n,.?!)"


def _continues(between: str) -> bool:
    """Whether only 항, 호 and separators stand between two article numbers."""
    return re.fullmatch(r"(?:\s|제?\d+[항호목]|,|및|와|과|ㆍ|·|또는|이나|나|의)*", between) is not None


def _law_before(text: str, end: int, names: LawNames) -> tuple[int, str, str] | None:
    """(start, law_id, law name) of the longest law name that ends where an article number begins."""
    begin = max(0, end - 2 * names.longest)
    for start in (match.start() for match in _WORD_START.finditer(text, begin, end)):
        name = text[start:end].strip(" 「」『』‘’“”'\"\t\n")
        law = names.find(name) if name and len(name) <= 2 * names.longest else None
        if law is not None:
            return start, law.law_id, law.name
    return None


def _cases(text: str) -> Iterator[Mention]:
    for match in _CASE.finditer(text):
        yield Mention(match.span(), case_no=f"{match[1]}{match[2]}{match[3]}")


def find_case_numbers(text: str) -> list[str]:
    """Case numbers in text, in order, full form: `2012다77184, 77191` gives 2012다77184 and 2012다77191."""
    numbers: list[str] = []
    for match in _CASES.finditer(text):
        year, code, first, more = match.groups()
        numbers += [f"{year}{code}{serial}" for serial in [first, *re.findall(r"\d+", more)]]
    return numbers
