"""Pages for people: the search page, a document, and the reference of the HTTP interface. They work without scripts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.api.documents import find
from app.api.responses import Json
from app.api.schemas import MAX_K, QUERY_CHARS
from app.api.service import Service, Serving
from app.errors import BeopgilError
from app.law.documents import Kind
from app.law.text import nfc
from app.retrieval.results import SITE
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters, SearchRequest
from app.web import reference, views
from app.web.views import SIZE, Asked

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
LONG = "검색어가 {:,}자입니다. {:,}자까지 검색할 수 있으니 줄여 주세요."
SIZES = (10, 20, 50)
FILTERS: dict[str, tuple[Kind, ...]] = {"statute": ("statute",), "precedent": ("precedent",)}

router = APIRouter(include_in_schema=False)


def mount_static(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


def asked(q: str = "", kind: str = "", k: str = "") -> Asked:
    """From an address; what cannot be used of kind and k takes its default."""
    number = int(k) if k.isascii() and k.isdecimal() and len(k) < 9 else SIZE
    return Asked(nfc(q).strip(), kind if kind in FILTERS else "", min(max(number, 1), MAX_K))


Address = Annotated[Asked, Depends(asked)]


@router.get("/")
async def search_page(request: Request, service: Serving, asked: Address) -> HTMLResponse:
    """`/?q=…&kind=statute|precedent&k=1..100`."""
    long = len(asked.q) > QUERY_CHARS
    try:
        about = corpus(service.searcher)
        found = await _found(request, service, asked) if asked.q and not long else None
    except BeopgilError as error:
        return failure(error)
    message = LONG.format(len(asked.q), QUERY_CHARS) if long else ""
    return page("search.html", 422 if long else 200, asked=asked, **about, message=message, found=found)


async def _found(request: Request, service: Service, asked: Asked) -> views.Found:
    request.state.query = asked.q
    filters = Filters(kind=FILTERS.get(asked.kind, ()))
    response = await service.search(SearchRequest(asked.q, k=asked.k, filters=filters, explain=True))
    request.state.took = response.took_ms
    return views.found(response, asked)


@router.get("/d/{doc_id}")
async def document_page(doc_id: str, service: Serving, asked: Address) -> HTMLResponse:
    """A document in full; the words of a search that led here are marked."""
    try:
        searcher = service.searcher
        sheet = views.sheet(searcher, find(searcher, doc_id), asked.q[:QUERY_CHARS])
    except BeopgilError as error:
        return failure(error)
    return page("document.html", asked=asked, sheet=sheet, **corpus(searcher))


@router.get("/docs")
async def docs_page(request: Request) -> HTMLResponse:
    """The HTTP interface, from its own OpenAPI description; nothing is fetched from elsewhere."""
    return page("reference.html", operations=reference.operations(request.app.openapi()))


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The HTTP interface, for programs."""
    return Json(request.app.openapi())


def corpus(searcher: Searcher) -> dict[str, Any]:
    """What every page says of the corpus."""
    documents = searcher.index.documents
    return {
        "as_of": views.korean_date(searcher.index.name.corpus_as_of),
        "documents": len(documents),
        "sample": any(searcher.columns.column("sample").values),
    }


FAILURES = {
    "not_found": ("문서를 찾을 수 없습니다", "이 색인에 없는 문서입니다. 주소를 확인하거나 검색해 주세요."),
    "not_ready": ("준비 중입니다", "모델과 색인을 불러오고 있습니다. 몇 초 뒤에 이 페이지가 다시 열립니다."),
}
BROKEN = ("지금은 검색할 수 없습니다", "서비스가 시작되지 못했습니다. 관리자에게 아래 이름을 알려 주세요.")


def failure(error: BeopgilError) -> HTMLResponse:
    heading, text = FAILURES.get(error.code, BROKEN)
    response = page("failure.html", error.status, heading=heading, text=text, code=error.code)
    if error.code == "not_ready":
        response.headers.update({"Retry-After": "3", "Refresh": "3"})
    return response


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    text = templates().get_template(template).render(**values)
    return HTMLResponse(text, status, headers=HEADERS)


@cache
def templates() -> Environment:
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        kinds=views.KINDS, sizes=SIZES, examples=[Asked(text) for text in EXAMPLES], nothing=Asked(), site=SITE
    )
    return env
