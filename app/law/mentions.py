"""Citations in free text: what a person types, writes in a brief, or prints in a judgment.

A law is named by the longest dictionary name that ends where an article begins, by what stands for it (같은 법,
동법 시행령, 위 법, 법), by an unknown name, or by nothing, and then the law named last is meant. Only 위 법 and its
like reach over a blank line. Articles of contracts, statutes of a company and sums of money are no citations.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.law.aliases import INITIALS
from app.law.citation import DELETED_BY, FULL_REVISION, Reference, Revision, derived, read_note
from app.law.names import Law, LawNames, NamedLaw
from app.law.provisions import LONGEST_BRACKET, NOWHERE, START, Place, Provision, closing, iso_day, read_places
from app.law.text import BREAK, Readable
from app.law.unknown import unknown_name

_SAME = re.compile(
    r"(?<![가-힣])(?:같은|동|위)\s*(?P<same>[조항호])\s*(?=제?\s*\d+\s*[항호]|제\s*\d+\s*의|단서|본문|[전후]단|[가-하]목|각\s*호)"
)
_EVENT = re.compile(f"{_SAME.pattern}|{START.pattern}")
_ANAPHOR = re.compile(
    r"(?<![가-힣])(?:(?P<own>(?:이|위)\s+사건\s+(?:조례|규칙|규정|고시|법률|법|시행령|시행규칙|훈령|예규|지침))"
    r"|(?P<version>개정\s*전|개정된|개정|종전|현행|구|신)(?:의\s*)?\s*법률?"
    r"|(?:같은|동|위|이|당해|본)\s*(?P<noun>법률|법|영|령|규칙|규정|조례|시행령|시행규칙)|(?P<bare>법|영|규칙|시행령|시행규칙))"
    r"(?:\s*의?\s*(?P<suffix>시행령|시행규칙))?(?:\s*의)?\s*$"
)
_IN_NAME = re.compile(r"(?:관한|위한|대한|따른|의한|등의|[가-힣]{2}법|법률|행정|인사|급여|[시도군구])\s*$")
"""Before a bare 법, 규칙 or 시행령: it is the end of a name."""
_OLD = re.compile("개정\\s*전|종전|구")
_PRIVATE = re.compile(
    r"(?:계약서?|약관|정관|규약|취업\s?규[칙정]|(?:단체|자율|실시|업무|위탁)\s?협약|합의서?|각서|협약서|약정서?|특약|사규|내규|회칙|유언장?|조건"
    r"|(?:인사|보수|급여|임원|퇴직금|수당|여비|상벌|징계|복무|내부|사내|운영)\s?규정|(?:이|위)\s사건\s(?:[가-힣]+\s){0,2}[가-힣]*(?:협약|협정|기준|세칙|조례안|법안))"
    r"(?:\s*\([^()]{0,80}\))?(?:\s*의)?\s*$"
)
"""Documents that are no law: their articles are no citations."""
_AFTER_NAME = re.compile(r"\s*(?:상의?|의|중)?\s*")
_FORMER = re.compile(r"(?:(?:^|(?<![가-힣]))구\s*|개정(?:되기)?\s*전의?\s*)$")
_ASIDE = re.compile(r"\((?=\s*\d{2,4}\s*\.|[^()]{0,200}이하\s)")
_GLOSS = re.compile(r"\(([^()]{0,200})\)\s*$")
_CHANGED = re.compile(r"개정되기|개정\s*전|폐지")
_BARE = re.compile(r"\s*(?P<jo>\d{1,4})(?:\s*의\s*(?P<ga>\d{1,2}))?(?=[\s,.?!)]|$)")
_INITIALS = "|".join(sorted(INITIALS, key=len, reverse=True))
_OPENING = re.compile(rf"\s*({_INITIALS})\s*(?=제?\s*\d+\s*조|\d{{2,4}}(?:\s*의\s*\d+)?\s*$)")
_LOCAL = re.compile(
    r"이하\s+([가-힣ㆍ\d ]{0,20}?(?:법|법률|령|규칙|규정|조례|고시|지침|예규|훈령|조약|협약|협정|세칙))"
    r"\s*(?:이?라고?|으?로)\s*(?:만\s*)?(?:한|함|하|칭|약칭|부른|줄여)"
)
"""`이하 '개정법'이라 한다`: a name of the text's own."""
NEAR = 4
"""Names before an article among which the one beside it is looked for: a bracket between them may hold some."""
YEARS = range(1900, 2100)
MOST = 20_000
"""Citations in one text from which on ranges are no longer expanded: 17 characters may name a hundred articles."""


@dataclass(frozen=True, slots=True)
class ArticleMention:
    """A place in a law named in a text. `span` is [start, end) in the text as given."""

    span: tuple[int, int]
    written: str
    """The law as it is called there; of 같은 법 the law it stands for; "" where nothing says which."""
    laws: tuple[Law, ...]
    """None: no law of that name. Several: an alias that may mean any of them."""
    provision: Provision
    alias: bool = False
    former: bool = False
    renamed: bool = False
    revision: Revision = ""
    version_day: str = ""
    title: str = ""
    current: tuple[Reference, ...] = ()
    current_deleted: bool = False


@dataclass
class _Head:
    """The law that is being spoken of, and where its name begins."""

    written: str = ""
    laws: tuple[Law, ...] = ()
    alias: bool = False
    former: bool = False
    renamed: bool = False
    revision: Revision = ""
    version_day: str = ""
    start: int = -1


def article_mentions(plain: Readable, names: LawNames) -> list[ArticleMention]:
    """The places named in a readable text, in order; a law alone only where it is the whole text. Never raises."""
    reader = _Reader(plain, names)
    reader.read()
    return reader.mentions or list(reader.law_alone())


class _Reader:
    def __init__(self, plain: Readable, names: LawNames) -> None:
        self.plain, self.text, self.names = plain, plain.text, names
        self.heads = [*self._initials(), *names.spot(self.text)]
        self.breaks = [place for place, char in enumerate(self.text) if char == BREAK]
        self.passed = 0
        """Heads before the place that is being read."""
        self.law: _Head | None = None
        """The law named last."""
        self.above = NOWHERE
        """The place read last."""
        self.since = 0
        """Where `law` was set."""
        self.ended = 0
        """Where the place read last ends."""
        self.silences = list(_silences(self.text))
        self.asides = iter(self.silences)
        self.aside = next(self.asides, None)
        self.noted: set[int] = set()
        """Where brackets end that stand beside a known name."""
        self.local: dict[str, _Head] = {}
        self.mentions: list[ArticleMention] = []

    def _initials(self) -> Iterator[NamedLaw]:
        """민 750: initials that open a text."""
        opening = _OPENING.match(self.text)
        laws = self.names.all(INITIALS[opening[1]]) if opening else ()
        if opening and laws:
            yield NamedLaw(opening.start(1), opening.end(1), laws, alias=True)

    def read(self) -> None:
        done = 0
        for start, match in self._events():
            self._pass(start)
            if start >= done and not self._silent(start):
                done = self._event(start, match)

    def _events(self) -> Iterator[tuple[int, re.Match[str]]]:
        """Where articles may begin: in order of place, numbers that directly follow a name among them."""
        events = [(match.start(), match) for match in _EVENT.finditer(self.text)]
        for head in self.heads:
            bare = _BARE.match(self.text, head.end)
            if bare and not (int(bare["jo"]) in YEARS and bare.end() < len(self.text)):
                events.append((bare.start("jo"), bare))
        return iter(sorted(events, key=lambda event: event[0]))

    def _event(self, start: int, match: re.Match[str]) -> int:
        """Read what begins at `start`; returns where it ends."""
        if match.re is _BARE:
            return self._bare(start, match)
        if match["same"]:
            return self._same(start, match)
        head = self._head(start, explicit=match[0].startswith("제"))
        places, end = read_places(self.text, start, self._stop(start))
        if head is not None and places:
            self._emit(head, places)
        return end

    def _bare(self, start: int, match: re.Match[str]) -> int:
        """민법 750, and 민법 750, 751조."""
        places, end = read_places(self.text, start, self._stop(start))
        if not places:
            end = match.end()
            places = [Place(Provision(jo=int(match["jo"]), ga=int(match["ga"] or 0)), start, end)]
        head = self._named_before(start)
        if head is not None:
            self._emit(head, places)
        return end

    def _same(self, start: int, match: re.Match[str]) -> int:
        """같은 조 제2항, 같은 항 제6호: what stands above is that of the place before."""
        last = self.above
        kept = {
            "조": Provision(last.jo, last.ga, last.hyphen, supplementary=last.supplementary),
            "항": replace(last, ho=0, ho_ga=0, mok="", sub="", part="", annex=""),
            "호": replace(last, mok="", sub="", part=""),
        }
        places, end = read_places(self.text, match.end(), self._stop(start), kept[match["same"]])
        if places:
            head = self._spoken()
            head.start = start
            self._emit(head, places)
        return end

    def _spoken(self) -> _Head:
        """The law named last; an empty head where there is none, or a blank line since."""
        return replace(self.law) if self.law else _Head()

    def _pass(self, place: int) -> None:
        """Take in the laws named up to `place`; forget what was named before a blank line."""
        while self.passed < len(self.heads) and self.heads[self.passed].end <= place:
            named = self.heads[self.passed]
            self.passed += 1
            if not self._silent(named.start):
                self._speak(self._named(named), named.end)
        while self.aside and self.aside[0] < place:
            self._defined(*self.aside)
            self.aside = next(self.asides, None)
        if bisect_left(self.breaks, self.since) != bisect_left(self.breaks, place):
            self.law, self.above, self.since = None, NOWHERE, place

    def _defined(self, opening: int, end: int) -> None:
        """A name of the text's own for a law that is not in the dictionary."""
        local = _LOCAL.search(self.text, opening, end)
        if local is None or end in self.noted or (found := unknown_name(self.plain, self.ended, opening)) is None:
            return
        head = self._called(*found, note=self.text[opening + 1 : end])
        self.local[_spaced(local[1])] = head
        if opening > self.since:
            self._speak(head, end)

    def _speak(self, head: _Head, end: int) -> None:
        if self.law is None or head.written != self.law.written or head.former != self.law.former:
            self.above = NOWHERE
        self.law, self.since = head, end

    def _named(self, named: NamedLaw) -> _Head:
        before = _FORMER.search(self.text, max(0, named.start - 12), named.start)
        start = before.start() if before else named.start
        written = _spaced(self.text[named.start : named.end])
        own = self.local.get(written) if named.alias else None
        if own and own.laws != named.laws:
            return replace(own, start=start)
        head = _Head(
            written, named.laws, named.alias, bool(before), named.renamed, "partial" if before else "", "", start
        )
        note, end = self._note(named.end)
        if local := _LOCAL.search(note):
            self.local[_spaced(local[1])] = head
            self.noted.add(end - 1)
        self._versioned(head, note)
        return head

    def _silent(self, place: int) -> bool:
        at = bisect_left(self.silences, (place, -1)) - 1
        return at >= 0 and place < self.silences[at][1]

    def _note(self, place: int) -> tuple[str, int]:
        """What the bracket beside a name holds, and where it ends; "" without one."""
        at = place
        while at < len(self.text) and self.text[at] in " \n":
            at += 1
        end = closing(self.text, at, len(self.text)) if self.text[at : at + 1] in ("(", "[") else -1
        return (self.text[at + 1 : end], end + 1) if end > 0 else ("", place)

    def _versioned(self, head: _Head, note: str) -> None:
        """Take over from a note that a former version is meant."""
        if _CHANGED.search(note):
            head.former, head.revision = True, "full" if FULL_REVISION.search(note) else "partial"
            head.version_day = iso_day(note)

    def _head(self, start: int, explicit: bool) -> _Head | None:
        """The law of the article at `start`; None where it is no citation."""
        if named := self._named_before(start):
            return named
        if self.plain.quoted(start) is None and (anaphor := self._anaphor(start)):
            return self._meant(anaphor)
        if _PRIVATE.search(self.text, max(0, start - 100), start):
            return None
        if unknown := self._unknown(start):
            return unknown
        if not explicit and not self.text.startswith(("부칙", "별지"), start):
            return None
        head = self._spoken()
        head.start = start
        return head

    def _anaphor(self, start: int) -> re.Match[str] | None:
        found = _ANAPHOR.search(self.text, max(0, start - 30), start)
        if found and found["bare"] and _IN_NAME.search(self.text, max(0, found.start() - 10), found.start()):
            return None
        return found

    def _named_before(self, start: int) -> _Head | None:
        """The law whose name ends where the article begins, a bracket or 의 between them."""
        for named in reversed(self.heads[max(0, self.passed - NEAR) : self.passed]):
            _, end = self._note(named.end)
            for place in dict.fromkeys((named.end, end)):
                gap = _AFTER_NAME.match(self.text, place, start)
                if gap is not None and gap.end() == start:
                    return self._named(named)
        return None

    def _meant(self, anaphor: re.Match[str]) -> _Head:
        """The law that 같은 법, 이 사건 조례, 현행법 or a bare 법 stands for; of nothing known the head is empty."""
        noun, suffix, start = anaphor["noun"] or anaphor["bare"] or "법", anaphor["suffix"] or "", anaphor.start()
        called = _spaced(anaphor[0]).removesuffix("의").removesuffix(suffix).strip()
        law = self.law
        if not anaphor["noun"]:
            law = self.local.get(called) or (self.local.get("법") if anaphor["bare"] else None) or law
            noun = "법" if called in self.local else noun
        if law is None or not law.written:
            return _Head(start=start)
        if anaphor["own"] and called not in self.local:
            return replace(law, start=start) if law.written.endswith(called.split()[-1]) else _Head(start=start)
        if anaphor["version"] and called not in self.local:
            old = bool(_OLD.match(anaphor["version"]))
            law = replace(law, former=old, revision="full" if old else "", version_day="")
        elif called in self.local and not suffix:
            return replace(law, start=start)
        return self._subordinate(law, noun, suffix, start)

    def _subordinate(self, law: _Head, noun: str, suffix: str, start: int) -> _Head:
        """The law itself, its decree or its rules, as the noun says."""
        written = law.written
        if not suffix and noun in ("영", "령", "시행령") and not re.search(r"령$|규정$", written):
            suffix = "시행령"
        elif not suffix and noun in ("규칙", "시행규칙") and not written.endswith("규칙"):
            suffix = "시행규칙"
        elif noun in ("규정", "조례") and not written.endswith(noun):
            return _Head(start=start)
        own = not suffix and noun not in ("법", "법률")
        name = written if own else derived(written, suffix)
        if name == written:
            return replace(law, start=start)
        return _Head(name, self.names.all(name), law.alias, law.former, False, law.revision, "", start)

    def _unknown(self, start: int) -> _Head | None:
        """A law that is not in the dictionary, by how its name ends; or a name of the text's own."""
        bracket = _GLOSS.search(self.text, max(0, start - LONGEST_BRACKET), start)
        note, stop = (bracket[1], bracket.start()) if bracket else ("", start)
        found = unknown_name(self.plain, self.ended, stop)
        if found is None:
            return None
        if found[0] in self.local:
            return replace(self.local[found[0]], start=found[1])
        head = self._called(*found, note)
        if local := _LOCAL.search(note):
            self.local[_spaced(local[1])] = head
        return head

    def _called(self, written: str, start: int, note: str) -> _Head:
        """The head of a name that is in no dictionary, or not as it is written."""
        name = written.removeprefix("구 ")
        before = _FORMER.search(self.text, max(0, start - 12), start)
        head = _Head(name, self.names.all(name), former=name != written or bool(before), start=start)
        head.revision = "partial" if head.former else ""
        self._versioned(head, note)
        return head

    def _stop(self, start: int) -> int:
        at = bisect_left(self.breaks, start)
        return self.breaks[at] if at < len(self.breaks) else len(self.text)

    def _emit(self, head: _Head, places: list[Place]) -> None:
        if len(self.mentions) >= MOST:
            places = [place for n, place in enumerate(places) if not n or place.start != places[n - 1].start]
        for n, place in enumerate(places):
            start = min(head.start, place.start) if n == 0 and head.start >= 0 else place.start
            self.mentions.append(self._mention(head, place, start))
        if head.written:
            self.law = head
        self.above, self.since = places[-1].provision, places[-1].end
        self.ended = self.since

    def _mention(self, head: _Head, place: Place, start: int) -> ArticleMention:
        current, deleted = read_note(self.plain, place.current, head.written)
        former, revision, day = head.former, head.revision, head.version_day
        if place.version:
            note = self.text[slice(*place.version)]
            former, revision, day = True, "full" if FULL_REVISION.search(note) else "partial", iso_day(note)
            deleted = deleted or bool(DELETED_BY.search(note))
        return ArticleMention(
            self.plain.span(start, place.end), head.written, head.laws, place.provision, head.alias, former,
            head.renamed, revision, day, place.title, current, deleted,
        )  # fmt: skip

    def law_alone(self) -> Iterator[ArticleMention]:
        """A text that is nothing but the name of a law."""
        if len(self.heads) == 1:
            named = self.heads[0]
            head = self._named(named)
            if not (self.text[: head.start] + self.text[named.end :]).strip(" \n.?"):
                span = self.plain.span(head.start, named.end)
                yield ArticleMention(span, head.written, head.laws, NOWHERE, head.alias, head.former, head.renamed)


def _spaced(name: str) -> str:
    return " ".join(name.split())


def _silences(text: str) -> Iterator[tuple[int, int]]:
    """Brackets that say which version a name means, or how it is called from here on: what they name is not cited."""
    end = 0
    for opening in _ASIDE.finditer(text):
        if opening.start() >= end:
            end = closing(text, opening.start(), len(text))
            if end > 0 and (_CHANGED.search(text, opening.end(), end) or _LOCAL.search(text, opening.end(), end)):
                yield opening.start(), end
