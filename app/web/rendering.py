"""Templates → pages, and what goes wrong as a page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.schemas import shown
from app.errors import BeopgilError
from app.retrieval.results import SITE
from app.retrieval.searcher import Searcher
from app.web.asked import Asked
from app.web.wording import KINDS, korean_date

HERE = Path(__file__).parent
POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # The query stands in the address: no other site is to learn it.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
EXAMPLES = (
    "전세 계약이 끝났는데 집주인이 보증금을 안 돌려줘요",
    "예고 없이 해고당했을 때 받을 수 있는 돈",
    "민법 제750조",
)
NOTHING = Asked()
SIZES = (10, 20, 50)
FAILURES = {
    "not_found": ("문서를 찾을 수 없습니다", "이 색인에 없는 문서입니다. 주소를 확인하거나 검색해 주세요."),
    "not_ready": ("준비 중입니다", "모델과 색인을 불러오고 있습니다. 몇 초 뒤에 이 페이지가 다시 열립니다."),
}
BROKEN = ("지금은 검색할 수 없습니다", "서비스가 시작되지 못했습니다. 관리자에게 아래 이름을 알려 주세요.")
BAD_DAY = "‘{}’은(는) 쓸 수 없는 날짜입니다. 2015-01-01처럼 달력에 있는 날을 적어 주세요."


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    text = templates().get_template(template).render(**values)
    return HTMLResponse(text, status, headers=HEADERS)


def failure(error: BeopgilError) -> HTMLResponse:
    response = plain(error.status, *FAILURES.get(error.code, BROKEN), code=error.code)
    if error.code == "not_ready":
        response.headers.update({"Retry-After": "3", "Refresh": "3"})
    return response


def plain(
    status: int, heading: str, text: str, links: Iterable[tuple[str, str]] = (), code: str = "", asked: Asked = NOTHING
) -> HTMLResponse:
    """A page that says one thing, and offers (address, label) to go on."""
    return page("failure.html", status, heading=heading, text=text, links=list(links), code=code, asked=asked)


def bad_day(given: str) -> str:
    """What is said of a day that cannot be read."""
    return BAD_DAY.format(shown(given, 30).strip("'\""))


def corpus(searcher: Searcher) -> dict[str, Any]:
    """What every page says of the corpus."""
    documents = searcher.index.documents
    return {
        "corpus_day": korean_date(searcher.index.name.corpus_as_of),
        "documents": len(documents),
        "sample": any(searcher.columns.column("sample").values),
    }


@cache
def templates() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["korean_date"] = korean_date
    env.globals.update(
        kinds=KINDS, sizes=SIZES, examples=[Asked(text) for text in EXAMPLES], nothing=NOTHING, site=SITE
    )
    return env
