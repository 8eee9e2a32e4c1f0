"""A local law.go.kr for tests: lists and bodies of invented records, and any odd answer put before them.

with FakeLawGoKr() as server:
    server.laws["1001"] = {"법령": {…}}
    server.odd.append(Odd(500))        # the next request gets this, the one after it the real answer
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

KEY = "lighthouse.keeper+1"
"""The OC of the tests: characters that a URL has to quote are in it."""
ATTRIBUTES = {"법령키", "조문키", "부칙키", "별표키", "법종구분코드", "소관부처코드"}
REFUSED = "<Response><result>사용자 정보 검증에 실패하였습니다.</result><msg>IP주소를 등록해 주세요.</msg></Response>"
NONE = "<Law>일치하는 {}가 없습니다.  {}명을 확인하여 주십시오.</Law>"
Root = dict[str, Any]


@dataclass(frozen=True)
class Odd:
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def to_xml(root: Root) -> str:
    """A body as the API gives it as XML: ATTRIBUTES, text in CDATA, lists as repeated elements."""
    (name, value), *rest = root.items()
    assert not rest
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + _element(name, value)


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        if value and all(isinstance(one, list) for one in value):
            return _element(name, "\n".join(text for texts in value for text in texts))
        return "".join(_element(name, one) for one in value)
    if isinstance(value, dict):
        attributes = "".join(f" {key}={quoteattr(str(one))}" for key, one in value.items() if key in ATTRIBUTES)
        inner = "".join(
            _text(one) if key == "content" else _element(key, one)
            for key, one in value.items()
            if key not in ATTRIBUTES
        )
        return f"<{name}{attributes}>\n{inner}</{name}>\n"
    return f"<{name}>{_text(value)}</{name}>\n"


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"<![CDATA[{text}]]>" if any(mark in text for mark in "<>&") else escape(text)


class FakeLawGoKr:
    """`requests` are the parameters of what was asked, in order; `rows` a list page's most rows."""

    def __init__(self) -> None:
        self.laws: dict[str, Root] = {}
        self.precedents: dict[str, Root] = {}
        self.rules: dict[str, Root] = {}
        self.listed_only: list[Root] = []
        self.abbreviations: list[Root] = []
        self.odd: list[Odd] = []
        self.requests: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.rows = 100
        self.before: Callable[[dict[str, str]], None] = lambda parameters: None

    def __enter__(self) -> FakeLawGoKr:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                fake._answer(self)

            def log_message(self, *_: object) -> None:
                """Tests have their own."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}/DRF/"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, service: str, **parameters: str) -> int:
        """How often a service was asked with these parameters."""
        wanted = {"service": service, **parameters}
        return sum(wanted.items() <= request.items() for request in self.requests)

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.before(parameters)
        self.requests.append({"service": parts.path.rpartition("/")[2].removesuffix(".do"), **parameters})
        self.headers.append(dict(handler.headers))
        odd = self.odd.pop(0) if self.odd else Odd(body=self._usual(self.requests[-1]))
        body = odd.body.encode()
        handler.send_response(odd.status)
        for name, value in {"Content-Type": "text/xml;charset=UTF-8", **odd.headers}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _usual(self, asked: dict[str, str]) -> str:
        if asked.get("OC") != KEY or "law.go.kr" not in self.headers[-1].get("Referer", ""):
            return REFUSED
        root = self._list(asked) if asked["service"] == "lawSearch" else self._body(asked)
        if root is None:
            return NONE.format("판례", "판례")
        return json.dumps(root, ensure_ascii=False) if asked["type"] == "JSON" else to_xml(root)

    def _body(self, asked: dict[str, str]) -> Root | None:
        if asked["target"] in ("law", "eflaw"):
            return self.laws.get(asked["MST"])
        return (self.precedents if asked["target"] == "prec" else self.rules).get(asked["ID"])

    def _list(self, asked: dict[str, str]) -> Root:
        if asked["target"] == "lsAbrv":
            assert not {"display", "page"} & asked.keys()
            return {"LawSearch": {"totalCnt": str(len(self.abbreviations)), "law": self.abbreviations}}
        item = {"prec": "prec", "admrul": "admrul"}.get(asked["target"], "law")
        rows = [row for row in self._rows(asked, item) if _wanted(row, asked)]
        size, page = min(int(asked["display"]), self.rows), int(asked["page"])
        shown: Any = rows[(page - 1) * size : page * size]
        root = {"prec": "PrecSearch", "admrul": "AdmRulSearch"}.get(item, "LawSearch")
        shown = shown[0] if len(shown) == 1 else shown
        return {root: {"target": asked["target"], "totalCnt": str(len(rows)), "page": str(page), item: shown}}

    def _rows(self, asked: dict[str, str], item: str) -> list[Root]:
        link = f"/DRF/lawService.do?OC={asked['OC']}&target={asked['target']}&MST=1&type=HTML"
        extra = [row for row in self.listed_only if (item == "prec") == ("판례일련번호" in row)]
        if item == "prec":
            rows = [_precedent_row(identity, root["PrecService"]) for identity, root in self.precedents.items()]
        elif item == "admrul":
            rows = [
                _rule_row(identity, root["AdmRulService"]["행정규칙기본정보"]) for identity, root in self.rules.items()
            ]
        else:
            rows = [_law_row(mst, root["법령"]["기본정보"]) for mst, root in self.laws.items()]
        return [{**row, "법령상세링크": link} for row in (*rows, *extra)]


def _law_row(mst: str, base: Root) -> Root:
    return {
        "법령일련번호": mst, "법령명한글": base["법령명_한글"], "법령ID": base["법령ID"],
        "공포일자": base["공포일자"], "시행일자": base["시행일자"],
    }  # fmt: skip


def _precedent_row(identity: str, body: Root) -> Root:
    return {
        "판례일련번호": identity, "사건명": body["사건명"], "사건번호": body["사건번호"],
        "선고일자": body["선고일자"], "데이터출처명": "대법원",
    }  # fmt: skip


def _rule_row(identity: str, base: Root) -> Root:
    return {"행정규칙일련번호": identity, "행정규칙명": base["행정규칙명"], "발령일자": base["발령일자"]}


def _wanted(row: Root, asked: dict[str, str]) -> bool:
    """Whether a row is in the ranges of days, and its name holds the query, as the API's search does."""
    dates = {"ancYd": "공포일자", "efYd": "시행일자", "prncYd": "선고일자", "prmlYd": "발령일자"}
    for parameter, name in dates.items():
        if parameter in asked:
            first, _, last = asked[parameter].partition("~")
            if not first <= str(row.get(name, "")) <= last:
                return False
    if asked.get("nw") == "2":
        return bool(row.get("시행예정"))
    return asked.get("query", "") in str(row.get("법령명한글", ""))
