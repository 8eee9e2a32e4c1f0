"""What the address of a page says of the search, and of the day on which the law is looked at."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends

from app.api.schemas import MAX_K
from app.law.documents import Kind
from app.law.text import nfc

SIZE = 10
FILTERS: dict[str, tuple[Kind, ...]] = {"statute": ("statute",), "precedent": ("precedent",)}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """It leads from page to page."""

    q: str = ""
    kind: str = ""
    k: int = SIZE
    as_of: str = ""
    """As given: it may be no date."""

    @property
    def day(self) -> date | None:
        """None for today, and for a day that cannot be read."""
        return read_day(self.as_of)

    @property
    def bad_day(self) -> bool:
        return bool(self.as_of) and self.day is None

    @property
    def address(self) -> str:
        """The page of the search; what has its default is left out."""
        return f"/?{self._state()}"

    def document(self, doc_id: str, place: str = "", **more: str | int) -> str:
        """The page of a document, from where it leads back here; `place` is the id of a section there."""
        state = self._state(**more)
        return f"/d/{doc_id}" + (f"?{state}" if state else "") + (f"#{place}" if place else "")

    def of_kind(self, kind: str) -> Asked:
        return replace(self, kind=kind)

    def of_size(self, k: int) -> Asked:
        return replace(self, k=k)

    def on(self, day: str) -> Asked:
        """The same on another day; "" for today."""
        return replace(self, as_of=day)

    def _state(self, **more: str | int) -> str:
        defaults = Asked()
        state = {name: value for name, value in asdict(self).items() if value != getattr(defaults, name)}
        return urlencode(state | more)


def read_day(text: str) -> date | None:
    """None for what is no ISO date of the calendar."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def asked(q: str = "", kind: str = "", k: str = "", as_of: str = "") -> Asked:
    """From an address; what cannot be used of kind and k takes its default, a day is for the page to refuse."""
    number = int(k) if k.isascii() and k.isdecimal() and len(k) < 9 else SIZE
    return Asked(nfc(q).strip(), kind if kind in FILTERS else "", min(max(number, 1), MAX_K), as_of.strip())


Address = Annotated[Asked, Depends(asked)]
