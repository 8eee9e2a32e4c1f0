"""One HTTP GET: status, headers and body of whatever comes, redirects included; nothing is followed here."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import IO

HEADERS = {
    # Without this Referer, or with the name of a script alone, the API answers that the user is not known.
    "Referer": "https://www.law.go.kr/",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Beopgil/0.1",
    "Accept": "application/xml, application/json, text/html;q=0.5, */*;q=0.1",
    "Accept-Language": "ko",
}
LARGEST = 64 << 20
"""Bytes of a body; the longest statutes have about 5 MB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`problem` says why there is no status (0): no connection, a timeout, a connection that broke."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


Transport = Callable[[str], Answer]


class _Stay(urllib.request.HTTPRedirectHandler):
    """No redirect: where one leads is looked at first."""

    def http_error_302(self, req: object, fp: object, code: int, msg: str, headers: object) -> None:
        return None

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def transport(timeout: float = 30.0) -> Transport:
    """A GET with our headers, and the cookies that came before."""
    opener = urllib.request.build_opener(_Stay(), urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(url: str) -> Answer:
        try:
            with opener.open(urllib.request.Request(url, headers=HEADERS), timeout=timeout) as response:
                return _answer(response.status, dict(response.headers), response)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, dict(error.headers), error)
        except (OSError, http.client.HTTPException) as error:
            # The error's own words can hold the URL, and with it the key: its kind and number say enough.
            reason = getattr(error, "reason", error)
            return Answer(0, problem=f"{type(reason).__name__} {getattr(reason, 'strerror', None) or ''}".strip())

    return get


def _answer(status: int, headers: Mapping[str, str], response: IO[bytes]) -> Answer:
    try:
        body = response.read(LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, problem=f"the connection broke in the middle ({type(error).__name__})")
    if len(body) > LARGEST:
        return Answer(0, problem=f"the body has more than {LARGEST >> 20} MB")
    named = {name.lower(): value for name, value in headers.items()}
    told = named.get("content-length", "")
    if told.isdecimal() and len(body) < int(told):
        return Answer(0, problem=f"the connection broke after {len(body)} of {told} bytes")
    return Answer(status, body, named)
