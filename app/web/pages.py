"""Pages for people: search, a document, the check of citations, the reference of the HTTP interface. They work without
scripts."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from app.api.citations import TEXT_CHARS
from app.api.responses import Json
from app.api.schemas import QUERY_CHARS
from app.api.service import Service, Serving
from app.errors import BeopgilError, NotFound
from app.law.text import nfc
from app.retrieval.types import Filters, SearchRequest
from app.web import reference, views
from app.web.asked import FILTERS, Address, Asked, read_day
from app.web.brief import brief
from app.web.rendering import HERE, bad_day, corpus, failure, page, plain
from app.web.sheet import sheet
from app.web.wording import korean_date

LONG = "검색어가 {:,}자입니다. {:,}자까지 검색할 수 있으니 줄여 주세요."
NO_TEXT = "점검할 글이 비어 있습니다. 글을 붙여 넣고 다시 눌러 주세요."
LONG_TEXT = "글이 {:,}자입니다. 한 번에 {:,}자까지 점검할 수 있으니 나누어 넣어 주세요."
BROKEN_TEXT = "보낸 글을 읽을 수 없습니다. 이 페이지의 칸에 글을 붙여 넣어 주세요."
PLAIN_TEXT, URL_ENCODED = "text/plain", "application/x-www-form-urlencoded"

router = APIRouter(include_in_schema=False)


def mount_static(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


@router.get("/")
async def search_page(request: Request, service: Serving, asked: Address) -> HTMLResponse:
    """`/?q=…&kind=statute|precedent&k=1..100&as_of=2015-01-01`."""
    message = LONG.format(len(asked.q), QUERY_CHARS) if len(asked.q) > QUERY_CHARS else ""
    if asked.bad_day:
        message, asked = bad_day(asked.as_of), asked.on("")
    try:
        about = corpus(service.searcher)
        found = await _found(request, service, asked) if asked.q and not message else None
    except BeopgilError as error:
        return failure(error)
    return page("search.html", 422 if message else 200, asked=asked, **about, message=message, found=found)


async def _found(request: Request, service: Service, asked: Asked) -> views.Found:
    request.state.query = asked.q
    filters = Filters(kind=FILTERS.get(asked.kind, ()))
    searched = SearchRequest(asked.q, k=asked.k, filters=filters, as_of=asked.day, explain=True)
    response = await service.search(searched)
    request.state.took = response.took_ms
    return views.found(response, asked, service.searcher)


@router.get("/d/{doc_id}")
async def document_page(
    doc_id: str,
    service: Serving,
    asked: Address,
    start: Annotated[str, Query(alias="from")] = "",
    end: Annotated[str, Query(alias="to")] = "",
    citing: str = "",
) -> HTMLResponse:
    """A document in full, on a day; the words of a search that led here are marked. `from` and `to` are compared."""
    wrong = next((day for day in (asked.as_of, start, end) if day and read_day(day) is None), "")
    if wrong:
        return plain(422, "날짜를 읽을 수 없습니다", bad_day(wrong), [(Asked().document(doc_id), "문서 보기")])
    if bool(start) != bool(end):
        text = "비교하려면 두 날을 모두 골라야 합니다."
        return plain(422, "비교할 날이 하나뿐입니다", text, [(asked.document(doc_id), "문서 보기")])
    days = sorted(day for day in map(read_day, (start, end)) if day)
    number = int(citing) if citing.isascii() and citing.isdecimal() and len(citing) < 7 else 1
    try:
        searcher = service.searcher
        shown, _ = await service.compute(
            lambda: sheet(searcher, doc_id, _short(asked), (days[0], days[1]) if days else None, max(number, 1))
        )
    except NotFound as error:
        return _no_law(error, asked, days) if "first" in error.details else failure(error)
    except BeopgilError as error:
        return failure(error)
    return page("document.html", asked=asked, sheet=shown, **corpus(searcher))


def _short(asked: Asked) -> Asked:
    """With a query that is cut to the length of one that can be searched: its words are marked in whole texts."""
    return Asked(asked.q[:QUERY_CHARS], asked.kind, asked.k, asked.as_of)


def _no_law(error: NotFound, asked: Asked, days: list[date]) -> HTMLResponse:
    """The page of an article that was not law on the days asked for."""
    first, doc_id = str(error.details["first"]), str(error.details["doc_id"])
    named = [day.isoformat() for day in days] or [asked.as_of]
    text = (
        f"{', '.join(map(korean_date, named))} 현재 시행되던 조문이 없습니다. 수록된 연혁에는 {korean_date(first)}에 "
        "처음 나옵니다. 언제 시행되었는지는 연혁에서 볼 수 있습니다."
    )
    back = asked.on("").document(doc_id, place="versions")
    return plain(404, "그날에는 없던 조문입니다", text, [(back, "연혁 보기")], asked=asked)


@router.get("/cite")
async def cite_page() -> HTMLResponse:
    """A box for a brief whose citations are to be checked."""
    return _cite()


@router.post("/cite")
async def cited_page(request: Request, service: Serving) -> HTMLResponse:
    """Every citation of a text, and what became of it. The text is neither kept nor logged."""
    try:
        text = _text(await request.body(), request.headers.get("content-type", ""))
    except ValueError:
        return _cite(422, message=BROKEN_TEXT)
    if not text.strip():
        return _cite(422, message=NO_TEXT)
    if len(text) > TEXT_CHARS:
        return _cite(422, text, LONG_TEXT.format(len(text), TEXT_CHARS))
    try:
        searcher = service.searcher
        response, _ = await service.compute(lambda: _cite(text=text, found=brief(searcher, text)))
    except BeopgilError as error:
        return failure(error)
    return response


def _cite(status: int = 200, text: str = "", message: str = "", found: object = None) -> HTMLResponse:
    return page("cite.html", status, text=text, message=message, found=found, limit=TEXT_CHARS)


def _text(body: bytes, content_type: str) -> str:
    """The field `text` of a form with this one field, with line breaks as one character.

    text/plain, which the page sends, holds a Korean character in three bytes; URL encoding, in nine, which only just
    leaves room for the longest text in the largest body. Raises ValueError for what is neither, or not UTF-8.
    """
    kind, sent = content_type.partition(";")[0].strip().lower(), body.decode("utf-8")
    if kind == URL_ENCODED:
        sent = parse_qs(sent, keep_blank_values=True, errors="strict").get("text", [""])[0]
    elif kind == PLAIN_TEXT and sent.startswith("text="):
        sent = sent.removeprefix("text=").removesuffix("\r\n")
    else:
        raise ValueError(f"{kind} is no form that is read here")
    return nfc(sent.replace("\r\n", "\n"))


@router.get("/docs")
async def docs_page(request: Request) -> HTMLResponse:
    """The HTTP interface, from its own OpenAPI description; nothing is fetched from elsewhere."""
    return page("reference.html", operations=reference.operations(request.app.openapi()))


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The HTTP interface, for programs."""
    return Json(request.app.openapi())
