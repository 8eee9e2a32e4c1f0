"""POST /search, /search/batch and /rerank."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from fastapi import Request, Response

from app.api.answers import BatchAnswer, RerankAnswer, ScoredText
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import BatchBody, RerankBody, SearchBody
from app.api.service import Service, Serving
from app.errors import BadRequest, NotReady
from app.retrieval.searcher import Searcher
from app.retrieval.types import Reranked, SearchRequest, SearchResponse, Took

router = json_router("search")


@router.post("/search", response_model=SearchResponse, responses=ERRORS)
async def search(body: SearchBody, request: Request, service: Serving) -> Response:
    """Find statute articles and precedents; a citation or case number in the query comes first."""
    request.state.query = body.query
    response = await service.search(body.request())
    request.state.took = response.took_ms
    return Json(response)


@router.post("/search/batch", response_model=BatchAnswer, responses=ERRORS)
async def search_batch(body: BatchBody, request: Request, service: Serving) -> Response:
    """Answer up to 64 searches, in their order; one that cannot be answered refuses the batch and is named."""
    request.state.query = [one.query for one in body.queries]
    searcher, requests = service.searcher, [one.request() for one in body.queries]
    responses, queue = await service.compute(lambda: _each(searcher, requests))
    answer = BatchAnswer(responses, service.timed(_sum([one.took_ms for one in responses]), queue))
    request.state.took = answer.took_ms
    return Json(answer)


def _each(searcher: Searcher, requests: Sequence[SearchRequest]) -> tuple[SearchResponse, ...]:
    responses = []
    for position, request in enumerate(requests):
        try:
            responses.append(searcher.search(request))
        except BadRequest as error:
            raise BadRequest(f"queries[{position}]: {error.message}", **error.details, position=position) from error
    return tuple(responses)


def _sum(parts: Sequence[Took]) -> Took:
    return Took(**{field.name: round(sum(getattr(part, field.name) for part in parts), 3) for field in fields(Took)})


@router.post("/rerank", response_model=RerankAnswer, responses=ERRORS)
async def rerank(body: RerankBody, request: Request, service: Serving) -> Response:
    """Score any texts for a query with the cross-encoder, best first."""
    request.state.query = body.query
    answer = await _rerank(service, body)
    request.state.took = answer.took_ms
    return Json(answer)


async def _rerank(service: Service, body: RerankBody) -> RerankAnswer:
    searcher, texts = service.searcher, [document.text for document in body.documents]
    if searcher.reranker is None:
        raise NotReady("no reranker is loaded: set BEOPGIL_RERANKER to a model and start again")
    (scores, ms), queue = await service.compute(lambda: _scored(searcher, body.query, texts))
    took = service.timed(Took(rerank=ms, total=ms), queue)
    return RerankAnswer(_ranked(body, scores), took, searcher.reranker.name)


def _scored(searcher: Searcher, query: str, texts: Sequence[str]) -> tuple[Reranked, float]:
    start = time.perf_counter()
    return searcher.rerank(query, texts), round((time.perf_counter() - start) * 1000, 3)


def _ranked(body: RerankBody, scores: Reranked) -> tuple[ScoredText, ...]:
    order = np.argsort(-scores.logits, kind="stable")[: body.top_n]
    return tuple(
        ScoredText(
            index=int(i),
            relevance=float(scores.relevance[i]),
            logit=float(scores.logits[i]),
            id=body.documents[i].id,
            document=body.documents[i].text if body.return_documents else None,
        )
        for i in order
    )
