"""Reference strings (참조조문) → references: which article of which law, in which version, for which issue.

Grammar and state machine after the measured variants of 74,647 strings: a 조 keeps the law named before it, a new head
or issue tag resets, a 부칙 article is never the main one, and an article of a law as it stood before a full revision is
never taken for today's article of the same number. Free text is read by app.law.mentions, decisions by app.law.cases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from app.law.documents import issue_tags
from app.law.provisions import LETTERS, NOWHERE, Place, Provision, closing, iso_day, read_places
from app.law.text import Readable, readable

Revision = Literal["", "partial", "full"]
Status = Literal[
    "resolved", "no_such_article", "no_such_law", "no_such_case", "deleted", "former", "ambiguous", "unresolved"
]

FULL_REVISION = re.compile(r"(?:전부|전문|전면)\s*개정(?!된)|폐지")
DELETED_BY = re.compile(r"로\s*삭제(?!되기)")
"""In the bracket beside an article: an act that deleted it."""
_CHANGED = re.compile(r"개정(?!된)|폐지")
_ACT = re.compile(r"\d{4}\s*\.\s*\d{1,2}\s*\.\s*\d{1,2}")
LAW_LIKE = re.compile(
    r"(?:법|법률|령|규칙|규정|조례|협약|협정|조약|의정서|약정|선언|고시|훈령|예규|지침|지시|기준|요령|규약|규범|헌장|요강|교섭|세칙|통칙|처리지침"
    r"|명령|공고|정관|편람|방안|강령|세율표|품목표|목록|요율표|시행세칙|준칙|내규|예시|율표|규율|직제|조건|약관|관례|관행|긴급조치|포고|고지|통첩|회칙|법례)(?:안)?$"
)
"""How the name of a law, rule or treaty ends."""
_ANAPHOR = re.compile(
    r"^(?:(?:같은|동|위|이|당해)\s*(?:법률|법|영|령|규칙|규정|조례)?|동법|동령|법|영|규칙)?\s*(시행령|시행규칙)?$"
)
_OWN = re.compile(r"^(?:(?:같은|동|위|이|당해)\s*)?(?:영|령)$")
_PLACE_START = re.compile(
    r"(?:제\s*)?\d{1,4}\s*(?:-\s*\d+\s*)?조(?:\s*의\s*\d{1,3})?|제\s*\d+\s*[항호]|제\s*\d+\s*의\s*\d+\s*호|(?:\[\s{0,9})?별[표지]|부칙"
    r"|(?:본문|단서|[전후]단|전문|각\s*호)(?=[\s,/\])]|$)|[가-하]\s*목(?=[\s,/\])]|$)|\([가-하]\)\s*[목호]"
)
_IN_NAME = re.compile(r"(?:\s*등)?\s*(?:에\s*(?:의한|의하여|따른|관한|의거)|의\s*규정에)")
"""After an article: it belongs to a name (`상호방위조약 제4조에 의한 … 협정`)."""
_WORDS = re.compile(r"[^,;/()\[\]\ue000]*")
_SKIP = re.compile(r"[\s,;.\ue000\])]+|(?:참조|등|및)(?=[\s,/]|$)")
_CUT = re.compile(r"[(\[]\s*\d{4}\s*\.[^()\[\]/]{0,150}?(?:되기\s*전의?\s*것|개정|폐지)(?!되기|된)\s?")
"""A version whose bracket is left open."""
_NO_NOTE = re.compile(rf"[(\[]\s*(?:현행|별[표지]|[{LETTERS}]\s*[\])]\s*[목호])")
"""A bracket that is no note on a name: it says where the article stands today, or is a unit itself."""
SHORTEST = 3
"""Characters of a name that does not end like a law's, below which it is none."""
LONGEST_NAME = 200
"""Characters after an article in which the name that it is part of must end."""
DEPTH = 3
"""How deep 현행 notes may hold one another."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One place in a law named in a reference string. `issues` is empty where the string has no tags."""

    issues: tuple[int, ...]
    law: str
    """As printed, without quotes and brackets; "" where the string names none."""
    provision: Provision = NOWHERE
    former: bool = False
    revision: Revision = ""
    """What a former version was revised by: "full" (전부개정, 폐지) forbids mapping by number."""
    version_day: str = ""
    """ISO date of the act that revised the former version, "" where none is printed."""
    current: tuple[Reference, ...] = ()
    """Where the text says it stands today."""
    current_deleted: bool = False
    """The text says that it stands nowhere today."""
    span: tuple[int, int] = (0, 0)
    """[start, end) in the text as given."""

    @property
    def jo(self) -> int:
        return self.provision.jo

    @property
    def ga(self) -> int:
        return self.provision.ga

    @property
    def hang(self) -> int:
        return self.provision.hang

    @property
    def supplementary(self) -> bool:
        return self.provision.supplementary

    @property
    def article(self) -> str:
        return self.provision.article

    @property
    def numbered(self) -> bool:
        """Whether it names an article of the main part by an ordinary number."""
        return bool(self.jo) and not self.supplementary and not self.provision.hyphen

    def __str__(self) -> str:
        """The normal form, without issues: `구 상법 제393조 제1항`."""
        return " ".join(filter(None, ("구" if self.former else "", self.law, str(self.provision))))


@dataclass(frozen=True, slots=True)
class ReferenceString:
    """What a reference string holds: its references in order, and the pieces nothing was made of."""

    references: tuple[Reference, ...]
    unread: tuple[str, ...]


def read_references(text: str) -> Iterator[Reference]:
    """The references of a 참조조문 string, in order. Never raises: what is no reference is passed over."""
    yield from parse_references(text).references


def parse_references(text: str) -> ReferenceString:
    """As `read_references`, with what could not be read. Linear in the length of the text."""
    plain = readable(text)
    reader = _Reader(plain)
    for issues, start, stop in _groups(plain.text):
        reader.group(issues, start, stop)
    return ReferenceString(tuple(reader.references), tuple(reader.unread))


def _groups(text: str) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """(issue numbers, start, stop) of each part between tags; adjacent tags share what follows."""
    pending: list[int] = []
    start = 0
    for numbers, stop, end in [*issue_tags(text), ([], len(text), len(text))]:
        if text[start:stop].strip(" ,/\n;."):
            yield tuple(dict.fromkeys(pending)), start, stop
            pending = []
        pending += numbers
        start = end


@dataclass
class _Head:
    """The law that articles are read under."""

    law: str = ""
    former: bool = False
    revision: Revision = ""
    version_day: str = ""


class _Reader:
    """Reads one string from left to right; the head stands until another comes."""

    def __init__(self, plain: Readable, depth: int = 0) -> None:
        self.plain, self.text, self.depth = plain, plain.text, depth
        self.references: list[Reference] = []
        self.unread: list[str] = []
        self.issues: tuple[int, ...] = ()
        self.head = _Head()
        self.before = _Head()
        """The head of the part before: what an article means whose own part names no law."""
        self.above = NOWHERE

    def group(self, issues: tuple[int, ...], start: int, stop: int) -> None:
        self.issues = issues
        self._reset()
        at = start
        while at < stop:
            at = self._piece(at, stop)

    def _reset(self) -> None:
        self.before = self.head if self.head.law else self.before
        self.head, self.above = _Head(), NOWHERE

    def _piece(self, at: int, stop: int) -> int:
        """Read what begins at `at`; returns where it ends, always further on."""
        if skip := _SKIP.match(self.text, at, stop):
            return skip.end()
        if self.text[at] == "/":
            self._reset()
            return at + 1
        places, end = read_places(self.text, at, stop, self.above)
        if places and not self._in_name(places[0], stop):
            self._emit(places, at)
            return end
        if self.text[at] in "([":
            return self._bracket(at, stop)
        return self._name(at, stop)

    def _in_name(self, place: Place, stop: int) -> bool:
        return bool(_IN_NAME.match(self.text, place.end, stop)) and _law_ahead(self.text, place.end, stop)

    def _emit(self, places: list[Place], start: int) -> None:
        if not self.head.law and not places[0].provision.supplementary:
            self.head = replace(self.before)
        for n, place in enumerate(places):
            self.references.append(self._reference(place, start if n == 0 else place.start))
        self.above = places[-1].provision

    def _reference(self, place: Place, start: int) -> Reference:
        head = self.head
        current, deleted = self._current(place.current)
        former, revision, day = head.former, head.revision, head.version_day
        if place.version:
            inner = self.text[slice(*place.version)]
            former, revision, day = True, "full" if FULL_REVISION.search(inner) else "partial", iso_day(inner)
            deleted = deleted or bool(DELETED_BY.search(inner))
        return Reference(
            self.issues, head.law, place.provision, former, revision, day, current, deleted,
            self.plain.span(start, place.end),
        )  # fmt: skip

    def _current(self, span: tuple[int, int] | None) -> tuple[tuple[Reference, ...], bool]:
        return read_note(self.plain, span, self.head.law, self.issues, self.depth)

    def _bracket(self, at: int, stop: int) -> int:
        """A bracket that stands by itself: a note on the last reference, a version of the head, or a gloss."""
        end = closing(self.text, at, stop)
        if end < 0:
            return at + 1
        inner = self.text[at + 1 : end]
        if note := re.match(r"\s*현행\s*", inner):
            self._amend(at + 1 + note.end(), end)
        elif self.head.law and _ACT.search(inner):
            self._version(inner)
        elif inner.strip() == "구" and end + 1 < stop:
            return self._name(end + 1, stop, former=True)
        return end + 1

    def _amend(self, start: int, end: int) -> None:
        if self.references:
            last = self.references[-1]
            current, deleted = self._current((start, end))
            self.references[-1] = Reference(
                last.issues, last.law, last.provision, last.former, last.revision, last.version_day,
                last.current + current, last.current_deleted or deleted, last.span,
            )  # fmt: skip

    def _version(self, inner: str) -> None:
        head = self.head
        changed = bool(_CHANGED.search(inner))
        head.former = head.former or changed
        head.version_day = iso_day(inner) if changed else head.version_day
        if head.former:
            head.revision = "full" if FULL_REVISION.search(inner) else "partial"

    def _name(self, at: int, stop: int, former: bool = False) -> int:
        """The name of a law, up to where its articles begin; brackets in it are versions, glosses or parts of it."""
        start, parts, notes = at, list[str](), list[str]()
        while at < stop:
            words = _WORDS.match(self.text, at, stop)
            limit = words.end() if words else at
            place = self._place_in(at, limit, stop)
            if place is not None:
                parts.append(self.text[at:place])
                at = place
                break
            parts.append(self.text[at:limit])
            at = limit
            if at >= stop or self.text[at] not in "([":
                break
            end = closing(self.text, at, stop)
            if end < 0 and (cut := _CUT.match(self.text, at, stop)):
                end = cut.end() - 1
            inner = self.text[at + 1 : end] if end > 0 else ""
            if re.match(r"\s*(?:현행|별[표지])", inner) or re.match(
                r"[\[(]\s*[가-하]\s*[\])]\s*[목호]", self.text[at : at + 8]
            ):
                break
            notes.append(inner)
            at = end + 1 if end > 0 else at + 1
        self._take("구 " * former + "".join(parts), notes, start, at, stop)
        return max(at, start + 1)

    def _place_in(self, at: int, limit: int, stop: int) -> int | None:
        """Where the first place that is not part of a name begins within [at, limit)."""
        for match in _PLACE_START.finditer(self.text, at, limit):
            if match.start() > at and self.text[match.start() - 1].isdigit():
                continue
            places = read_places(self.text, match.start(), stop)[0]
            if places and not self._in_name(places[0], limit):
                return match.start()
        return None

    def _take(self, name: str, notes: list[str], start: int, end: int, stop: int) -> None:
        """A new head, or what stands for the one before; a name without articles is the whole law."""
        name = re.sub(r"^(?:(?:및|또는|현행)\s+)+", "", " ".join(name.split()))
        if not name.strip(" .:"):
            return
        anaphor = _ANAPHOR.match(name)
        if anaphor and not self.head.law:
            self.head = replace(self.before)
        if anaphor and self.head.law:
            self.head.law = derived(self.head.law, anaphor[1] or ("시행령" if _OWN.match(name) else ""))
        elif LAW_LIKE.search(name) or (len(name) > SHORTEST and (notes or self._followed(end, stop))):
            former = name.startswith("구 ")
            self.head = _Head(name.removeprefix("구 ").strip(), former, "partial" if former else "")
        else:
            self.unread.append(name)
            return
        self.above = NOWHERE
        for note in filter(_ACT.search, notes):
            self._version(note)
        if not self._followed(end, stop) and not anaphor:
            head = self.head
            span = self.plain.span(start, end)
            self.references.append(
                Reference(self.issues, head.law, NOWHERE, head.former, head.revision, head.version_day, span=span)
            )

    def _followed(self, end: int, stop: int) -> bool:
        """Whether an article, or what it is an article of, follows the name directly."""
        return bool(read_places(self.text, end, stop)[0])


def read_note(
    plain: Readable, span: tuple[int, int] | None, law: str, issues: tuple[int, ...] = (), depth: int = 0
) -> tuple[tuple[Reference, ...], bool]:
    """What a 현행 note at [start, end) of the readable text names, and whether it says 삭제. A bare article in it is of
    `law` as it stands today."""
    if span is None or depth >= DEPTH:
        return (), False
    if plain.text.startswith("삭제", span[0]):
        return (), True
    reader = _Reader(plain, depth + 1)
    reader.issues, reader.head = issues, _Head(law)
    at = span[0]
    while at < span[1]:
        at = reader._piece(at, span[1])
    return tuple(reader.references), False


def _law_ahead(text: str, at: int, stop: int) -> bool:
    """Whether the words after `at` come to end like the name of a law."""
    words = _WORDS.match(text, at, min(stop, at + LONGEST_NAME))
    rest = words[0] if words else ""
    cut = re.search(r"제\s*\d+\s*(?:-\s*\d+\s*)?조(?!\s*에\s*의)", rest)
    return bool(LAW_LIKE.search((rest[: cut.start()] if cut else rest).strip()))


def derived(law: str, suffix: str) -> str:
    """`주택법 시행령` of 주택법 or 주택법 시행규칙 and the suffix 시행령; the law itself without a suffix."""
    base = re.sub(r"\s*시행(?:령|규칙)$", "", law)
    return f"{base} {suffix}".strip()
