"""Case numbers and citations of decisions: `대법원 2012. 3. 29. 선고 2011도1234 판결`, `헌재 2010. 5. 27. 2005헌마346`.

Several numbers inherit year and code (`2012다77184, 77191`); court and date stand for all the numbers after them, and a
court that is left out is the one before (`대법원 2010. … 판결, 2011. 6. 9. 선고 2011다2388 판결`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.law.documents import issue_tags
from app.law.provisions import full_year
from app.law.text import match_key, readable

_CODE = (
    r"(?:준?재)?(?:가[단합소]?|나합?|다카?|라|마카?|바|사|그|스|으|므|르|브|프|푸|트|흐|휴|드[단합]?|느[단합]?|고[단합정약]?|노합?"
    r"|도|로|모|보도?|오|초[기재적]?|감[도노고]|전[도노고오모]|치[도고]|정[도로모스]|구[합단]?|누|두|루|무|부|아|어|주|추|거|머|과|코|토|소|쿠|슈"
    r"|수흐?|우|허|후|파|카[합기단담확경정허]?|타[기채경]?|즈[기합단]?|비[합단상]|회[단합]|개[기회]|하[단합면]?|인[마라]|호[파기]"
    r"|헌[가나다라마바사아]|(?:민|형|행|특)(?:상|공|항|준?재|재항|비상?|특상)?)"
)
"""Case codes, as they occur in 74,647 decisions: no unit of time, money or length is among them."""
_NUMBER = re.compile(
    rf"(?<!\d)(?<!제)(?:\(([가-힣]{{2,4}})\)\s*)?(\d{{2}}|\d{{4}})\s?({_CODE})\s?(\d{{1,7}})(?!\d)(?:-(\d+))?"
    r"(?=[^가-힣]|$|판결|결정|명령|사건|호|은|는|이|가|을|를|의|에|와|과|로|도|만|까지|부터|라|인)"
)
_AFTER_DATE = re.compile(r"\s*(?:\(([가-힣]{2,4})\)\s*)?(\d{2}|\d{4})\s?([가-힣]{1,4}?)\s?(\d{1,7})(?!\d)(?:-(\d+))?")
_REPEATED = re.compile(r"대법원\s*")
_MORE = re.compile(
    r"(?:\s*\([가-힣\s]+\))*\s*(?:,|및|ㆍ)(?:\s*(?=\d\d)|(?=\d))(\d{1,7})"
    r"(?![\d가-힣.]|\s*\.|\s?(?:년|월|일|조|항|호|원|명)|,\d)"
)
_NOTE = re.compile(r"(?:\s*\((?:독립당사자참가의소|[가-힣]{2,4})\))+")
_DATE = re.compile(
    r"(?<!\d)(\d{4}|\d{2})\s*[.년]\s*(\d{1,2})\s*[.월]\s*(\d{1,2})\s*[.일]?\s*,?\s*"
    r"(?:선고|자|고지|결정|판결)?\s*,?\s*"
)
_COURT = re.compile(
    r"(대\s?법원|헌법재판소|헌재|대판|[가-힣]{2,10}?(?:고등|지방|가정|행정|회생|특허)?법원(?:\s?[가-힣]{2,6}지원)?"
    r"|[가-힣]{2,6}?(?:고법|지법|행법|가법)(?:\s?[가-힣]{2,4}지원)?)"
    r"\s*(?:\([가-힣]{2,4}(?:재판부)?\))?\s*(?:제\d+\w*부)?\s*[는은이]?\s*$"
)
_FORM = re.compile(r"\s*(?:\([가-힣\s]{1,20}\)\s{0,9}){0,9}(?:(?:전원합의체|전원재판부)\s*)?(?:판결|결정|명령)")
_SPELT = {"대판": "대법원", "대법원": "대법원", "헌재": "헌법재판소"}
_SHORT = re.compile(r"(?<=[가-힣]{2})([고지행가])법(?!원)")
_FULL = {"고": "고등", "지": "지방", "행": "행정", "가": "가정"}
COURT_WIDTH = 40


@dataclass(frozen=True, slots=True)
class CaseMention:
    """A decision cited at [start, end) of the readable text. "" stands for what is not said."""

    start: int
    end: int
    court: str
    """As printed, or as the citation before has it."""
    day: str
    """YYYY-MM-DD as printed: it may be no day of the calendar."""
    numbers: tuple[str, ...]
    """In full form; the first one is the lead."""


@dataclass(frozen=True, slots=True)
class CaseReference:
    """A decision of a 참조판례 string. `issues` is empty where the string has no tags."""

    issues: tuple[int, ...]
    court: str
    day: str
    case_nos: tuple[str, ...]


def court_key(court: str) -> str:
    """What is equal for spellings of one court: 서울고법 and 서울고등법원, 헌재 and 헌법재판소."""
    court = match_key(court)
    return _SPELT.get(court) or _SHORT.sub(lambda match: f"{_FULL[match[1]]}법원", court)


def case_mentions(text: str) -> Iterator[CaseMention]:
    """The decisions cited in a readable text, in order. Linear in its length; never raises."""
    court, day, end = "", "", -1
    pos = 0
    plain = _NUMBER.search(text)
    while found := _next(text, pos, plain):
        dated, number = found
        if dated:
            day = _iso(dated)
            if said := _COURT.search(text, max(0, dated.start() - COURT_WIDTH), dated.start()):
                court, start = said[1], said.start()
            else:
                start = dated.start()
                court = court if end >= 0 and start - end < COURT_WIDTH else ""
        else:
            start = number.start()
            if end < 0 or not _joined(text[end:start]):
                said = _COURT.search(text, max(0, start - COURT_WIDTH), start)
                court, day = (said[1], "") if said else ("", "")
                start = said.start() if said else start
        numbers, pos = _numbers(text, number)
        form = _FORM.match(text, pos)
        pos = form.end() if form else pos
        end = pos
        if plain and plain.start() < pos:
            plain = _NUMBER.search(text, pos)
        yield CaseMention(start, end, court.replace(" ", "") if court.startswith("대") else court, day, tuple(numbers))


def _next(text: str, pos: int, number: re.Match[str] | None) -> tuple[re.Match[str] | None, re.Match[str]] | None:
    """The next case number from `pos` on, with the date before it if there is one; `number` is the next by its code."""
    for dated in _DATE.finditer(text, pos, number.start() if number else len(text)):
        after = _AFTER_DATE.match(text, dated.end()) or _again(text, dated.end())
        if after:
            return dated, after
    return (None, number) if number else None


def _again(text: str, pos: int) -> re.Match[str] | None:
    """A number after a court that is repeated: `선고 대법원 2004다56554`."""
    court = _REPEATED.match(text, pos)
    return _AFTER_DATE.match(text, court.end()) if court else None


def _joined(between: str) -> bool:
    return len(between) < 30 and re.fullmatch(r"(?:\s*\([가-힣\s]+\))*\s*(?:,|및|과|와|ㆍ)?\s*", between) is not None


def _iso(match: re.Match[str]) -> str:
    return f"{full_year(match[1])}-{int(match[2]):02d}-{int(match[3]):02d}"


def _numbers(text: str, number: re.Match[str]) -> tuple[list[str], int]:
    """The numbers that begin with this one, and where they end."""
    _, year, code, first, _ = number.groups()
    numbers = [f"{year}{code}{first}"]
    end = number.end()
    while more := _MORE.match(text, end):
        numbers.append(f"{year}{code}{more[1]}")
        end = more.end()
    note = _NOTE.match(text, end)
    return numbers, note.end() if note else end


def find_case_numbers(text: str) -> list[str]:
    """Case numbers in text, in order, full form: `2012다77184, 77191` gives 2012다77184 and 2012다77191."""
    return [number for mention in case_mentions(readable(text).text) for number in mention.numbers]


def read_cases(text: str) -> Iterator[CaseReference]:
    """The decisions of a 참조판례 string, in order. Never raises: what is no decision is passed over."""
    plain = readable(text).text
    mentions = list(case_mentions(plain))
    pending: list[int] = []
    at = 0
    for numbers, stop, end in [*issue_tags(plain), ([], len(plain), len(plain))]:
        inside = [mention for mention in mentions if at <= mention.start < stop]
        if inside:
            issues, pending = tuple(dict.fromkeys(pending)), []
            yield from (CaseReference(issues, m.court, m.day, m.numbers) for m in inside)
        pending += numbers
        at = end
