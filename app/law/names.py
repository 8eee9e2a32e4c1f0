"""The dictionary of law names: a name or alias, however spaced, to the law that is in force under it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.law.aliases import ALIASES
from app.law.text import match_key

FORERUNNERS = frozenset({"조선총독부법률", "군정법률", "군정법령"})
"""Kinds of repealed forerunners that may share a name with a law in force."""


@dataclass(frozen=True, slots=True)
class Law:
    law_id: str
    name: str
    kind: str
    promulgated: str


class LawNames:
    """Names, aliases and their 시행령/시행규칙 → Law. A name held by several laws means the newest one in force."""

    def __init__(self, laws: Iterable[Law], aliases: dict[str, str] | None = None) -> None:
        self._laws: dict[str, Law] = {}
        for law in laws:
            key = match_key(law.name)
            known = self._laws.get(key)
            if known is None or _precedence(law) > _precedence(known):
                self._laws[key] = law
        self._aliases: dict[str, Law] = {}
        for alias, name in (ALIASES if aliases is None else aliases).items():
            for suffix in ("", "시행령", "시행규칙"):
                law_found = self._laws.get(match_key(name + suffix))
                if law_found is not None:
                    self._aliases[match_key(alias + suffix)] = law_found
        self.longest = max(map(len, [*self._laws, *self._aliases]), default=0)

    def __len__(self) -> int:
        return len(self._laws)

    def find(self, name: str) -> Law | None:
        """The law of a name or alias; spaces, middots and brackets do not matter."""
        key = match_key(name)
        return self._laws.get(key) or self._aliases.get(key)

    def is_alias(self, name: str) -> bool:
        key = match_key(name)
        return key in self._aliases and key not in self._laws


def _precedence(law: Law) -> tuple[bool, str, str]:
    return law.kind not in FORERUNNERS, law.promulgated, law.law_id
