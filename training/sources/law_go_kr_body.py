"""One answer of the law.go.kr Open API, XML or JSON → a dict with one root, and what an answer says of an error.

The API answers errors with status 200: `<Law>일치하는 …이 없습니다</Law>`, `<Response><result>실패…`, or the same in
JSON.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from training.sources.law_go_kr_xml import XmlError, parse_xml

_BOM = b"\xef\xbb\xbf"
_HTML = re.compile(rb"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta|table|div)\b", re.I | re.DOTALL)
_NONE = re.compile(r"일치하는.{0,40}없습니다")


class BodyError(ValueError):
    """Why an answer is no body. `html`: it is a page, such as the API gives instead of a body or while it is away."""

    def __init__(self, reason: str, html: bool = False) -> None:
        super().__init__(reason)
        self.html = html


def parse_body(body: bytes) -> dict[str, Any]:
    """The dict of a body. Raises BodyError where it is empty, a page, cut or damaged."""
    text = body.removeprefix(_BOM).strip()
    if not text:
        raise BodyError("empty body")
    if _HTML.match(text):
        raise BodyError("HTML in place of a body", html=True)
    if text.startswith(b"<"):
        try:
            return parse_xml(text)
        except XmlError as error:
            raise BodyError(str(error)) from None
    try:
        root = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BodyError(f"JSON is cut or damaged at character {error.pos} of {len(error.doc)} ({error.msg})") from None
    if not isinstance(root, dict):
        raise BodyError(f"expected an object, found {type(root).__name__}")
    return root


def complaint(root: dict[str, Any]) -> str:
    """What the API says where it answers an error as a body; "" where it answers something else."""
    inner = root.get("Response")
    fields = inner if isinstance(inner, dict) else root
    said = [value for value in fields.values() if isinstance(value, str) and value]
    return " ".join(said)[:200] if said and len(fields) <= 3 else ""


def says_none(said: str) -> bool:
    """Whether a complaint means that there is no such law or decision, and not that something went wrong."""
    return bool(_NONE.search(said))
