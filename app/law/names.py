"""The dictionary of law names: a name, short name or former name, however spaced, to the laws in force under it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app.law.aliases import ALIASES, AMBIGUOUS, RENAMED
from app.law.text import match_key

FORERUNNERS = frozenset({"조선총독부법률", "군정법률", "군정법령"})
"""Kinds of repealed forerunners that may share a name with a law in force."""
_IGNORED = frozenset(" \nㆍ")
_INSIDE = re.compile(r"[가-힣A-Za-z0-9]")
_ATTACHED = re.compile(r"(?:^|[^가-힣A-Za-z0-9])(?:구|현행|개정|신|및|또는)$|\d\s*[조항호]$")
"""What may stand before a name without a blank: 구민법, 제355조형법."""
_ENDS = re.compile(r"[^가-힣A-Za-z]|$|[은는을를에의과와도로만상이가등중및으제부별까처하인]|소정|위반|보다|시행|관련")
"""What may follow a name: 헌법재판소 does not name the 헌법."""
_APART = re.compile(r"\s법(?:\s*시행(?:령|규칙))?$")
"""An alias with its 법 by itself is two words: 길에서 장사 법이 허용하나."""


@dataclass(frozen=True, slots=True)
class Law:
    law_id: str
    name: str
    kind: str
    promulgated: str


@dataclass(frozen=True, slots=True)
class NamedLaw:
    """A name of the dictionary at [start, end) of a readable text. Several laws: an alias that may mean any of them."""

    start: int
    end: int
    laws: tuple[Law, ...]
    alias: bool
    renamed: bool = False
    """Written under a name that the law no longer has."""


_DECREE = re.compile(r"\s*(?:시행령|시행규칙)$")


def family_name(law: str) -> str:
    """The name of a law for itself, its decree and its rule."""
    return _DECREE.sub("", law)


class LawNames:
    """Names, aliases and their 시행령/시행규칙 → laws. A name held by several laws means the newest one in force."""

    def __init__(self, laws: Iterable[Law], aliases: Mapping[str, str] | None = None) -> None:
        self._laws: dict[str, Law] = {}
        for law in laws:
            key = match_key(law.name)
            known = self._laws.get(key)
            if known is None or _precedence(law) > _precedence(known):
                self._laws[key] = law
        self._aliases: dict[str, tuple[Law, ...]] = {}
        self._renamed: dict[str, Law] = {}
        own = aliases is None
        for alias, name in (ALIASES if aliases is None else aliases).items():
            self._alias(alias, (name,))
        for alias, meant in AMBIGUOUS.items() if own else ():
            self._alias(alias, meant)
        for old, name in RENAMED.items() if own else ():
            self._rename(old, name)
        self._lengths = _lengths([*self._laws, *self._aliases, *self._renamed])

    def _alias(self, alias: str, names: Iterable[str]) -> None:
        for suffix in ("", "시행령", "시행규칙"):
            found = tuple(law for name in names if (law := self._laws.get(match_key(name + suffix))))
            key = match_key(alias + suffix)
            if found and key not in self._laws:
                self._aliases[key] = found

    def _rename(self, old: str, name: str) -> None:
        for suffix in ("", "시행령", "시행규칙"):
            law, key = self._laws.get(match_key(name + suffix)), match_key(old + suffix)
            if law is not None and key not in self._laws and key not in self._aliases:
                self._renamed[key] = law

    def __len__(self) -> int:
        return len(self._laws)

    def find(self, name: str) -> Law | None:
        """The law of a name or alias, None where an alias may mean several; spaces, middots, brackets do not matter."""
        found = self.all(name)
        return found[0] if len(found) == 1 else None

    def all(self, name: str) -> tuple[Law, ...]:
        """The laws that a name or alias may mean."""
        key = match_key(name)
        law = self._laws.get(key)
        return (law,) if law else self._aliases.get(key, ())

    def renamed(self, name: str) -> Law | None:
        """The law that once had this name."""
        return self._renamed.get(match_key(name))

    def is_alias(self, name: str) -> bool:
        return match_key(name) in self._aliases

    def spot(self, text: str) -> list[NamedLaw]:
        """The names in a readable text, in order, the longest at each place. A name begins where a word begins."""
        places = [place for place, char in enumerate(text) if char not in _IGNORED]
        key = "".join(text[place] for place in places)
        found: list[NamedLaw] = []
        for end in range(2, len(key) + 1):
            for length in self._lengths.get(key[end - 2 : end], ()):
                if length > end or not self._known(word := key[end - length : end]):
                    continue
                start = places[end - length]
                if start and _INSIDE.match(text, start - 1) and not _ATTACHED.search(text[max(0, start - 8) : start]):
                    continue
                end_at = places[end - 1] + 1
                if not _ENDS.match(text, end_at) or (word in self._aliases and _APART.search(text[start:end_at])):
                    continue
                while found and found[-1].start >= start:
                    found.pop()
                if not found or found[-1].end <= start:
                    found.append(self._named(word, start, places[end - 1] + 1))
                break
        return found

    def _known(self, key: str) -> bool:
        return key in self._laws or key in self._aliases or key in self._renamed

    def _named(self, key: str, start: int, end: int) -> NamedLaw:
        if law := self._laws.get(key):
            return NamedLaw(start, end, (law,), alias=False)
        if laws := self._aliases.get(key):
            return NamedLaw(start, end, laws, alias=True)
        return NamedLaw(start, end, (self._renamed[key],), alias=False, renamed=True)


def _lengths(keys: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Lengths of the keys that end in two characters, longest first."""
    lengths: dict[str, set[int]] = {}
    for key in keys:
        if len(key) >= 2:
            lengths.setdefault(key[-2:], set()).add(len(key))
    return {tail: tuple(sorted(found, reverse=True)) for tail, found in lengths.items()}


def _precedence(law: Law) -> tuple[bool, str, str]:
    return law.kind not in FORERUNNERS, law.promulgated, law.law_id
