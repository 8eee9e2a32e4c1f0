"""Places in a law, as citations name them: 제839조의2 제1항 제2호의3 가목 1) 단서, [별표 2] 제1호, 부칙 제2조.

One reader of chains of units serves reference strings and free text. A unit keeps what stands above it and clears what
stands below it; a list repeats a level (`제1항, 제2항`); a range is expanded (`제750조 내지 제752조`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

LETTERS = "가나다라마바사아자차카타파하"
WIDEST = 100
"""Units that a range may name; of a wider one, which is no range, only the ends are read."""


@dataclass(frozen=True, slots=True)
class Provision:
    """A place in a law; 0 and "" stand for what is not named."""

    jo: int = 0
    ga: int = 0
    hyphen: int = 0
    """1 of 제3-1조."""
    hang: int = 0
    hang_part: str = ""
    """A part that stands before a 호: 단서 of 제1항 단서 제2호."""
    annex: str = ""
    """별표 2, 별표 1의2, 별지 제3호 서식."""
    ho: int = 0
    ho_ga: int = 0
    mok: str = ""
    sub: str = ""
    """What stands below a 목: 1), 가)."""
    part: str = ""
    """본문, 단서, 전단, 후단, 각 호."""
    supplementary: bool = False
    """In the 부칙: never the main article of the same number."""
    supplementary_of: str = ""
    """ISO date of the act whose 부칙 it is."""

    @property
    def article(self) -> str:
        """제839조의2, or "" where no article is named."""
        if self.hyphen:
            return f"제{self.jo}-{self.hyphen}조"
        if not self.jo:
            return ""
        return f"제{self.jo}조의{self.ga}" if self.ga else f"제{self.jo}조"

    def __str__(self) -> str:
        """The normal form, one blank between units."""
        return " ".join(filter(None, self._words()))

    def _words(self) -> Iterator[str]:
        if self.supplementary:
            yield f"부칙({self.supplementary_of})" if self.supplementary_of else "부칙"
        yield self.article
        yield f"제{self.hang}항" if self.hang else ""
        yield self.hang_part
        yield self.annex
        if self.ho:
            yield f"제{self.ho}호의{self.ho_ga}" if self.ho_ga else f"제{self.ho}호"
        yield f"{self.mok}목" if self.mok else ""
        yield self.sub
        yield self.part

    def __bool__(self) -> bool:
        return self != NOWHERE


NOWHERE = Provision()
"""No place within the law: the law itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """A provision read in a text, at [start, end) of the readable text."""

    provision: Provision
    start: int
    end: int
    title: str = ""
    """The title of the article that stands beside it in brackets."""
    current: tuple[int, int] | None = None
    """[start, end) of what follows 현행 in brackets beside it."""
    version: tuple[int, int] | None = None
    """[start, end) of brackets beside it that say which version is meant."""


_MONEY = r"(?!\s*(?:\d+[십백천만억]|원(?:$|[\s을이은의에정,.)]))|각(?!\s*[호항목])|[합직치례약류])"
_CIRCLED = "①-⑳㉑-㉟㊱-㊿"
_UNIT = re.compile(
    r"\s*(?:"
    r"제\s*(?P<jo_h>\d{1,4})\s*-\s*(?P<hyphen>\d{1,3})\s*조"
    rf"|(?:제\s*)?(?P<jo>\d(?:\n?\d){{0,3}})\s*조{_MONEY}"
    r"(?:\s*의\s*(?P<ga>\d{1,3})(?!\d|\s*[항호])|(?P<ga_n>\d{1,2})(?=[\s,/]|$)(?!\s*[항호]))?"
    rf"|(?:제\s*)?(?P<hang>\d{{1,3}})\s*항(?![소고])"
    rf"|(?:(?<!\s)|(?<=\S ))(?P<circled>[{_CIRCLED}])|(?P<circled_hang>[{_CIRCLED}])\s*항"
    r"|제\s*(?P<ho_b>\d{1,3})\s*의\s*(?P<ho_ga_b>\d{1,3})\s*호"
    r"|(?:제\s*)?(?P<ho>\d{1,3})\s*호(?!텔)(?:\s*의\s*(?P<ho_ga>\d{1,3})(?!\d))?"
    rf"|\(\s*(?P<mok_p>[{LETTERS}])\s*\)\s*[목호항]|(?P<mok>[{LETTERS}㈎-㈛㉮-㉻]|제\s*\d{{1,2}})\s*목(?![적록차])"
    rf"|(?P<mok_h>[{LETTERS}])\s*[호항](?=[\s,/]|$)"
    r"|(?P<latin>(?:제\s*)?\(?[a-z]{1,4}\)?\s*[항호목](?![가-힣]))"
    r"|(?:제\s*)?(?P<bare>\d{1,4})(?=\s*(?:[,ㆍ~\-]|내지|부터|및)\s*(?:(?:제\s*)?\d{1,4}\s*(?:[,ㆍ~\-]|내지|부터|및)\s*){0,9}(?:제\s*)?\d{1,4}\s*(?P<of>[조항호])(?!\s*원))"
    r"|(?:제\s*)?(?P<mok_n>\(\s*\d{1,2}\s*\))\s*[목호항]|제\s*(?P<class>\d{1,2}\s*[종류])"
    rf"|(?P<sub>(?:\(\s*)?(?:\d{{1,2}}|[{LETTERS}])\s*\))"
    r"|(?P<part>(?:본문|단서|[전후]단|중단(?=\s*(?:[,)]|및|$))|후문|전문(?![가적인개직의])|각\s*호\s*외의\s*부분|각\s*[호목])(?![가-힣]*[법령칙]))"
    r"|(?:[\[(]\s{0,9})?별표(?:(?:\s{0,9}제)?\s{0,9}(?P<table>\d{1,3})(?:\s{0,9}호)?"
    r"(?:\s{0,9}의\s{0,9}(?P<table_ga>\d{1,3}))?)?(?P<annex>)(?:\s{0,9}[\])])?"
    r"|(?:[\[(]\s{0,9})?별지(?:(?:\s{0,9}제)?\s{0,9}(?P<form>\d{1,3})\s{0,9}호?"
    r"(?:\s{0,9}의\s{0,9}(?P<form_ga>\d{1,3}))?\s{0,9}(?:호\s{0,9})?)서식(?:\s{0,9}[\])])?"
    r"|(?P<supplementary>부칙)(?![가-힣]*[법령칙])"
    r")"
)
START = re.compile(r"제\s*\d[\d\n]*\s*(?:-\s*\d+\s*)?조|(?<!\d)\d{1,4}\s*조|부칙|(?:[\[(]\s{0,9})?별(?:표|지\s{0,9}제)")
"""Where a chain may begin."""
_JOIN = re.compile(
    r"\s*(?:[,;ㆍ](?:\s*(?:및|또는))?|및|또는|이나|와|과|나|의|(?P<range>내지|부터|[~\-]|에서(?=\s*(?:제\s*)?\d+\s*[조항호](?:\s*의\s*\d+)?\s*까지)))"
    rf"(?=\s*(?:제|\d|[{_CIRCLED}]|\(\s*(?:[{LETTERS}]|\d{{1,2}}\s*\))|\[|[{LETTERS}]\s*목|별[표지]|단서|본문|[전중후]단|각\s*호))"
)
_UNTIL = re.compile(r"\s*까지")
_DAY = re.compile(r"(?<![\d\-제])(?:(\d{4}|\d{2})\s*\.\s*(\d{1,2})\s*\.\s*(\d{1,2})|(\d{4})-(\d{2})-(\d{2})(?![\d\-]))")
_BRACKET = re.compile(r"\s*[(\[]")
_CURRENT = re.compile(r"\s*현행\s*")
_LATER_CURRENT = re.compile(r",\s*현행\s*")
_VERSION = re.compile(r"개정|폐지|되기\s*전|로\s*삭제")
_LEVEL = {
    "jo_h": 1, "jo": 1, "hang": 2, "circled": 2, "circled_hang": 2, "annex": 3, "form": 3, "ho_b": 4, "ho": 4,
    "mok_p": 5, "mok": 5, "mok_h": 5, "mok_n": 5, "class": 3, "latin": 6, "sub": 6, "part": 7, "supplementary": 0,
}  # fmt: skip
_LAST = {"ga": "jo", "ga_n": "jo", "hyphen": "jo_h", "ho_ga": "ho", "ho_ga_b": "ho_b", "form_ga": "form"}
"""A unit's own group, of the group that closes it."""
_SHARED = {"조": "jo", "항": "hang", "호": "ho"}
"""The level of a number whose unit stands at the end of its list: 제1, 2항."""
_BRACKETS = re.compile(r"[()\[\]]")
LONGEST_BRACKET = 400
"""Characters within which a bracket must close: what stands open is read as if it were not there."""
DEEPEST_BRACKET = 8
"""Brackets within one another, beyond which they are no text."""


def iso_day(text: str) -> str:
    """`2011-04-14` of the first `2011. 4. 14.` or `2011-04-14` in a text, "" without any; it may be no day of the
    calendar."""
    match = _DAY.search(text)
    if match is None:
        return ""
    year, month, day = filter(None, match.groups())
    return f"{full_year(year)}-{int(month):02d}-{int(day):02d}"


def full_year(year: str) -> int:
    """1996 of 96, as old records print it."""
    return int(year) + (0 if len(year) > 2 else 1900 if int(year) > 40 else 2000)


def closing(text: str, opening: int, stop: int) -> int:
    """Where the bracket at `opening` closes, -1 if it does not within LONGEST_BRACKET characters."""
    depth = 0
    for match in _BRACKETS.finditer(text, opening, min(stop, opening + LONGEST_BRACKET)):
        depth += 1 if match[0] in "([" else -1
        if depth == 0:
            return match.start()
        if depth > DEEPEST_BRACKET:
            break
    return -1


def read_places(text: str, start: int, stop: int, above: Provision = NOWHERE) -> tuple[list[Place], int]:
    """The places of one chain that begins at `start`, and where it ends. `above` is what the first unit inherits."""
    chain = _Chain(text, start, stop, above)
    chain.read()
    return chain.places, chain.at


class _Chain:
    """Reads one chain. An entry is what becomes one Place: units that go down, level by level."""

    def __init__(self, text: str, start: int, stop: int, above: Provision) -> None:
        self.text, self.at, self.stop = text, start, stop
        self.places: list[Place] = []
        self.units = Units(above)
        self.begun = -1
        self.depth = 0
        self.last = -1
        """The level of the unit read last, -1 before any."""
        self.title = ""
        self.current: tuple[int, int] | None = None
        self.version: tuple[int, int] | None = None
        self.ranging = 0
        """After 내지 or 부터: the place that the range begins with, counted from 1; 0 outside of ranges."""

    def read(self) -> None:
        while ((match := _UNIT.match(self.text, self.at, self.stop)) and self._unit(match)) or self._beside():
            pass
        self._flush()

    def _unit(self, match: re.Match[str]) -> bool:
        kind = _LAST.get(match.lastgroup or "", match.lastgroup or "")
        kind = _SHARED[match["of"]] if kind == "of" else kind
        level = _LEVEL[kind]
        if kind == "sub" and not (self.units.ho or self.units.mok or self.units.annex):
            return False
        if self.begun >= 0 and self._hangs_on(kind):
            kind, level = "below", 7
        if self.begun >= 0 and level <= self.depth:
            self._flush()
        if self.begun < 0:
            self.begun = match.end() - len(match[0].lstrip())
            self.depth = 0
        self.units.take(kind, level, match)
        self.depth = max(self.depth, level) if level < 7 else self.depth
        self.at, self.last = match.end(), level
        if kind == "supplementary":
            self._act()
        return True

    def _hangs_on(self, kind: str) -> bool:
        """Whether it goes to the end of the entry: 가) below 3), and a 별지 beside a 호."""
        return (kind == "sub" and bool(self.units.sub)) or (_LEVEL[kind] == 3 and self.depth > 3)

    def _act(self) -> None:
        """The act whose 부칙 it is: `부칙(2010. 1. 1. 법률 제9919호)`."""
        if bracket := _BRACKET.match(self.text, self.at, self.stop):
            end = closing(self.text, bracket.end() - 1, self.stop)
            if end > 0:
                self.units.supplementary_of = iso_day(self.text[bracket.end() : end])
                self.at = end + 1

    def _beside(self) -> bool:
        """A bracket beside the entry, or what joins the next one to it."""
        if self.begun >= 0 and (bracket := _BRACKET.match(self.text, self.at, self.stop)):
            return self._bracket(bracket.end())
        join = _JOIN.match(self.text, self.at, self.stop)
        if join is None or self.last < 0 or not _UNIT.match(self.text, join.end(), self.stop):
            return False
        if join[0].strip() != "의":
            self._flush()
        self.ranging = len(self.places) if join["range"] else 0
        self.at = join.end()
        return True

    def _bracket(self, inside: int) -> bool:
        end = closing(self.text, inside - 1, self.stop)
        if end < 0:
            return False
        if current := _CURRENT.match(self.text, inside, end):
            self.current = (current.end(), end)
        elif _VERSION.search(self.text, inside, end):
            self.version = (inside, end)
            if later := _LATER_CURRENT.search(self.text, inside, end):
                self.current = (later.end(), end)
        elif self.last == 1:
            self.title = self.text[inside:end].strip()
        else:
            return False
        self.at = end + 1
        return True

    def _flush(self) -> None:
        if self.begun < 0:
            return
        place = Place(self.units.provision(), self.begun, self.at, self.title, self.current, self.version)
        if self.ranging:
            first = self.places[self.ranging - 1]
            between = _between(first.provision, place.provision)
            self.places += [Place(provision, first.start, place.end) for provision in between]
            until = _UNTIL.match(self.text, self.at, self.stop)
            self.at = until.end() if until else self.at
        self.places.append(place)
        self.units.part = ""
        self.begun, self.title, self.current, self.version, self.ranging = -1, "", None, None, 0


class Units:
    """The fields of a Provision while they are read."""

    def __init__(self, above: Provision) -> None:
        self.jo, self.ga, self.hyphen = above.jo, above.ga, above.hyphen
        self.hang, self.hang_part, self.annex = above.hang, above.hang_part, above.annex
        self.ho, self.ho_ga, self.mok, self.sub, self.part = above.ho, above.ho_ga, above.mok, above.sub, ""
        self.supplementary, self.supplementary_of = above.supplementary, above.supplementary_of

    def provision(self) -> Provision:
        return Provision(
            self.jo, self.ga, self.hyphen, self.hang, self.hang_part, self.annex, self.ho, self.ho_ga, self.mok,
            self.sub, self.part, self.supplementary, self.supplementary_of,
        )  # fmt: skip

    def take(self, kind: str, level: int, match: re.Match[str]) -> None:
        """Set one unit and clear what stands below it. What a part is of stands before it: 제1항 단서 제2호."""
        before, self.part = self.part, ""
        if kind in ("part", "below") and before:
            self.part = f"{before} "
        if level <= 6:
            self.sub = ""
        if level <= 5:
            self.mok = ""
        if level <= 4:
            self.ho = self.ho_ga = 0
        if level <= 3:
            self.annex = ""
        if level <= 3:
            self.hang_part = ""
        elif level <= 5 and before:
            self.hang_part = before
        if level <= 2:
            self.hang = 0
        if level <= 1:
            self.jo = self.ga = self.hyphen = 0
        self._set(kind, match)

    def _set(self, kind: str, match: re.Match[str]) -> None:
        if kind == "below":
            self.part += " ".join(match[0].strip(" []()\n").split()) + (")" if match["sub"] else "")
            return
        value = match[kind] or match["bare"]
        if kind == "jo":
            self.jo, self.ga = int(value.replace("\n", "")), int(match["ga"] or match["ga_n"] or 0)
        elif kind == "hang":
            self.hang = int(value)
        elif kind == "ho":
            self.ho, self.ho_ga = int(value), int(match["ho_ga"] or 0)
        elif kind.startswith("mok"):
            self.mok = _plain_letter(value.replace(" ", ""))
        elif kind == "jo_h":
            self.jo, self.hyphen = int(value), int(match["hyphen"])
        elif kind == "ho_b":
            self.ho, self.ho_ga = int(value), int(match["ho_ga_b"])
        elif kind in ("circled", "circled_hang"):
            self.hang = int(unicodedata.numeric(value))
        elif kind == "class":
            self.annex = f"제{value.replace(' ', '')}"
        elif kind == "annex":
            self.annex = _numbered("별표", match["table"], match["table_ga"])
        elif kind == "form":
            self.annex = f"별지 제{int(value)}호{_branch(match['form_ga'])} 서식"
        elif kind == "supplementary":
            self.supplementary, self.supplementary_of = True, ""
        elif kind == "part":
            self.part += " ".join(re.split(r"\s+|(?<=각)(?=[호목])|(?<=각 [호목])(?=외)", value))
        else:
            self.sub = value.replace(" ", "")


def _plain_letter(mark: str) -> str:
    """가 of 가, ㈎ and ㉮."""
    for first in (0x320E, 0x326E):
        if first <= ord(mark[0]) < first + len(LETTERS):
            return LETTERS[ord(mark[0]) - first]
    return mark


def _numbered(name: str, number: str | None, branch: str | None) -> str:
    return f"{name} {int(number)}{_branch(branch)}" if number else name


def _branch(number: str | None) -> str:
    return f"의{int(number)}" if number else ""


def _between(first: Provision, last: Provision) -> Iterator[Provision]:
    """What a range names between its ends: numbers of one level under the same units above. Branches of the articles
    between are not known here, so 제5조 내지 제7조 gives 제6조."""
    if (first.jo, first.ga) != (last.jo, last.ga):
        yield from _articles(first, last)
    elif first.hang != last.hang:
        yield from (replace(last, hang=n) for n in _numbers(first.hang, last.hang))
    elif (first.ho, first.ho_ga) != (last.ho, last.ho_ga):
        yield from _items(first, last)
    elif first.mok and last.mok:
        letters = LETTERS[LETTERS.index(first.mok) + 1 : LETTERS.index(last.mok)]
        yield from (replace(last, mok=letter) for letter in letters)


def _articles(first: Provision, last: Provision) -> Iterator[Provision]:
    bare = Provision(supplementary=last.supplementary, supplementary_of=last.supplementary_of)
    if first.jo == last.jo:
        yield from (replace(bare, jo=first.jo, ga=n) for n in _numbers(max(first.ga, 1), last.ga))
        return
    yield from (replace(bare, jo=n) for n in _numbers(first.jo, last.jo))
    if last.ga and first.jo < last.jo <= first.jo + WIDEST:
        yield replace(bare, jo=last.jo)
        yield from (replace(bare, jo=last.jo, ga=n) for n in _numbers(1, last.ga))


def _items(first: Provision, last: Provision) -> Iterator[Provision]:
    above = replace(last, ho_ga=0, mok="", sub="", part="")
    if first.ho == last.ho:
        yield from (replace(above, ho_ga=n) for n in _numbers(max(first.ho_ga, 1), last.ho_ga))
    else:
        yield from (replace(above, ho=n) for n in _numbers(first.ho, last.ho))


def _numbers(first: int, last: int) -> range:
    """What lies between, nothing where it goes backwards or too far."""
    return range(first + 1, last) if first < last <= first + WIDEST else range(0)
