"""The law.go.kr Open API: a list page or a body, asked for politely and until a usable answer comes.

Asked again, after a wait: status 404 (it comes and goes), 429 and 5xx, an empty or cut body, a page where XML or JSON
was asked, `실패`. Not asked again: an unknown user, a body that does not exist. A page that only sends the browser
elsewhere is followed, on the same host.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode, urljoin, urlsplit

from training.fetch.errors import AccessRefusedError, FetchError, NoSuchBodyError
from training.fetch.key import Key
from training.fetch.pace import Pace
from training.fetch.transport import Answer, Transport, transport
from training.sources.law_go_kr_body import BodyError, complaint, parse_body, says_none
from training.sources.law_go_kr_fields import as_list, flat

BASE = "https://www.law.go.kr/DRF/"
HOPS = 3
DISPLAY = 100
"""Rows of a list page: the most that the API gives."""
UNKNOWN_USER, NOT_APPLIED = "사용자 정보 검증에 실패", "미신청"
BODY_ROOTS = {"law": "법령", "eflaw": "법령", "prec": "PrecService", "admrul": "AdmRulService"}
_AGAIN = frozenset({404, 408, 429})
_TEXT = r"""(?:'[^']*'|"[^"]*")"""
_ASSIGN = re.compile(rf"window\.location\.(?:assign|replace)\(\s*({_TEXT}(?:\s*\+\s*{_TEXT})*)\s*\)")
_PIECE = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_log = logging.getLogger("beopgil.fetch")

Form = Literal["XML", "JSON"]
Root = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: its rows, how many rows the whole list has, and the page as it came (without the key)."""

    rows: list[dict[str, Any]]
    total: int
    raw: bytes


class _AskAgainError(Exception):
    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(slots=True)
class Api:
    key: Key
    base: str = BASE
    form: Form = "XML"
    """XML by choice: JSON answers were broken for weeks in 2025."""
    attempts: int = 5
    pace: Pace = field(default_factory=Pace)
    get: Transport = field(default_factory=transport)

    def page(self, target: str, item: str, number: int = 1, **parameters: str) -> Page:
        """A page of a list, from 1; `item` is the name of a row in it."""
        paged = {} if target == "lsAbrv" else {"display": str(DISPLAY), "page": str(number)}
        raw, root = self._ask("lawSearch.do", {"target": target, **paged, **parameters}, "")
        return read_page(raw, root, item)

    def body(self, target: str, **parameters: str) -> bytes:
        """A body, as it came but for the key. Raises NoSuchBodyError, AccessRefusedError or FetchError."""
        if target == "eflaw" and "MST" in parameters and "efYd" not in parameters:
            raise FetchError("eflaw by MST needs efYd, the effective date, too: without it the API answers with a page")
        raw, _ = self._ask("lawService.do", {"target": target, **parameters}, BODY_ROOTS[target])
        return raw

    def _ask(self, service: str, parameters: dict[str, str], expected: str) -> tuple[bytes, Root]:
        asked = f"{service} {' '.join(f'{name}={value}' for name, value in parameters.items())}"
        reason = ""
        for attempt in range(1, self.attempts + 1):
            try:
                return self._attempt(service, parameters, expected)
            except _AskAgainError as again:
                reason, wait = self.key.mask(str(again)), again.wait
            _log.warning("%s: %s (attempt %d of %d)", asked, reason, attempt, self.attempts)
            if attempt < self.attempts:
                self.pace.back_off(attempt, wait)
        raise FetchError(f"{asked}: {reason}, {self.attempts} times; try again later")

    def _attempt(self, service: str, parameters: dict[str, str], expected: str) -> tuple[bytes, Root]:
        answer = self._follow(
            f"{urljoin(self.base, service)}?{urlencode({'OC': self.key.value, **parameters, 'type': self.form})}"
        )
        if answer.problem or answer.status in _AGAIN or answer.status >= 500:
            raise _AskAgainError(answer.problem or f"status {answer.status}", _retry_after(answer))
        if answer.status != 200:
            raise FetchError(f"{service} answered with status {answer.status}; look at the address and the parameters")
        try:
            root = parse_body(answer.body)
        except BodyError as error:
            raise _AskAgainError(str(error)) from None
        self._listen(root, expected)
        return self.key.mask_body(answer.body), root

    def _follow(self, url: str) -> Answer:
        """The answer at the end of at most HOPS redirects, of HTTP or of a script, on the host of `base`."""
        for hop in range(HOPS + 1):
            self.pace.wait()
            answer = self.get(url)
            onward = _onward(answer)
            if not onward:
                return answer
            url = _joined(url, onward)
            if _origin(url) != _origin(self.base):
                raise _AskAgainError("sent on to another host; not followed")
            _log.info("hop %d: sent on by the server", hop + 1)
        raise _AskAgainError(f"sent on more than {HOPS} times")

    def _listen(self, root: Root, expected: str) -> None:
        """Raises what the API says in words with status 200, and where the root is not `expected` ("": any)."""
        said = self.key.mask(complaint(root))
        if UNKNOWN_USER in said:
            raise AccessRefusedError(
                f"law.go.kr answered: {said} Register the OC and the address of this machine (IP or domain) at "
                "https://open.law.go.kr, and wait until both are approved"
            )
        if NOT_APPLIED in said:
            raise AccessRefusedError(f"law.go.kr answered: {said} Apply for this target at https://open.law.go.kr")
        if said and says_none(said):
            raise NoSuchBodyError(f"law.go.kr answered: {said}")
        if said:
            raise _AskAgainError(f"law.go.kr answered: {said}")
        if not any(isinstance(value, dict) and expected in ("", name) for name, value in root.items()):
            raise _AskAgainError(f"no {expected or 'list'} at the root (found {', '.join(root)[:100] or 'nothing'})")


def read_page(raw: bytes, root: Root, item: str) -> Page:
    fields: Root = next((value for value in root.values() if isinstance(value, dict)), {})
    rows = [row for row in as_list(fields.get(item)) if isinstance(row, dict)]
    total = flat(fields.get("totalCnt"))
    return Page(rows, int(total) if total.isdecimal() else len(rows), raw)


def _onward(answer: Answer) -> str:
    """Where an answer sends the browser, if it does nothing else."""
    if answer.status in (301, 302, 303, 307, 308):
        return answer.headers.get("location", "")
    script = _ASSIGN.search(answer.body[:50_000].decode("utf-8", "replace")) if answer.status == 200 else None
    if script is None or b"<" not in answer.body[:200] or answer.body.lstrip().startswith(b"<?xml"):
        return ""
    return "".join(single or double for single, double in _PIECE.findall(script[1]))


def _joined(url: str, onward: str) -> str:
    try:
        return urljoin(url, onward)
    except ValueError:
        raise _AskAgainError("sent on to what is no address") from None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _retry_after(answer: Answer) -> float:
    asked = answer.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else 0.0
