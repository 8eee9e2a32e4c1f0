"""POST /citations: every citation of a text, and what became of it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated

from fastapi import Request, Response
from pydantic import AfterValidator, Field

from app.api.answers import CitationsAnswer
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import Body, refuse
from app.api.service import Serving
from app.retrieval.searcher import Searcher

TEXT_CHARS = 100_000
router = json_router("citations")


def _text(text: str) -> str:
    if not text.strip():
        raise refuse(f"is empty: send the text to be read, in 1 to {TEXT_CHARS:,} characters")
    if len(text) > TEXT_CHARS:
        raise refuse(f"has {len(text):,} characters: send it in parts of {TEXT_CHARS:,} at most")
    return text


EXAMPLE = "피고는 민법 제750조 내지 제752조에 따라 배상할 책임이 있다(대법원 2012. 3. 29. 선고 2011도1234 판결)."
Text = Annotated[str, AfterValidator(_text), Field(json_schema_extra={"minLength": 1, "maxLength": TEXT_CHARS})]


class CitationsBody(Body):
    text: Text = Field(examples=[EXAMPLE])


@router.post("/citations", response_model=CitationsAnswer, responses=ERRORS)
async def citations(body: CitationsBody, request: Request, service: Serving) -> Response:
    """Read a brief: each citation with its place in the text, its normal form, and whether it exists."""
    request.state.query = body.text[:200]
    searcher = service.searcher
    answer, _ = await service.compute(lambda: read(searcher, body.text))
    return Json(answer)


def read(searcher: Searcher, text: str) -> CitationsAnswer:
    start = time.perf_counter()
    found = tuple(searcher.citations.read(text))
    took = round((time.perf_counter() - start) * 1000, 3)
    return CitationsAnswer(found, dict(Counter(one.status for one in found)), took, searcher.index.name)
