"""GET /healthz, /readyz, /info and /metrics; POST /admin/reload."""

from __future__ import annotations

from hmac import compare_digest
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.answers import ErrorAnswer, Health, InfoAnswer, ModelAnswer, Readiness, Reloaded
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import MAX_BATCH, MAX_DEPTH, MAX_DOCUMENTS, MAX_K, QUERY_CHARS, NoParameters
from app.api.service import Serving
from app.errors import Forbidden, Unauthorized
from app.retrieval.types import PairScorer, TextEncoder

router = json_router("operation")
REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorAnswer, "description": "The administrator's token is missing"},
    403: {"model": ErrorAnswer, "description": "Another token than the administrator's"},
}


@router.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """Whether the process answers."""
    return Json(Health("ok"))


@router.get("/readyz", response_model=Readiness, responses={503: ERRORS[503]})
async def readyz(service: Serving) -> Response:
    """Whether models and index are loaded and warmed."""
    return Json(Readiness("ready", service.searcher.index.name))


@router.get("/info", response_model=InfoAnswer, responses={503: ERRORS[503]})
async def info(service: Serving) -> Response:
    """What answers here: models, index, limits, device."""
    searcher, settings = service.searcher, service.settings
    limits = {
        "query_characters": QUERY_CHARS,
        "k": MAX_K,
        "depth": MAX_DEPTH,
        "batch_queries": MAX_BATCH,
        "rerank_documents": MAX_DOCUMENTS,
        "body_bytes": settings.max_body_bytes,
        "concurrency": settings.concurrency,
    }
    manifest = searcher.index.manifest.model_dump(mode="json", exclude={"files"})
    reranker = _reranker(searcher.reranker) if searcher.reranker else None
    return Json(InfoAnswer(package_version(), manifest, _encoder(searcher.encoder), reranker, limits))


@router.get("/metrics", response_class=Response)
async def metrics(service: Serving) -> Response:
    """Counts and latencies for Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _administrator(request: Request, service: Serving) -> None:
    """Raises Unauthorized or Forbidden where the settings have a token and the request has not."""
    expected = service.settings.admin_token.get_secret_value()
    if not expected:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Unauthorized("this needs the administrator's token: send Authorization: Bearer and BEOPGIL_ADMIN_TOKEN")
    # Headers arrive as Latin-1.
    if not compare_digest(given.strip().encode("latin-1"), expected.encode()):
        raise Forbidden("the token is not the administrator's: send the one in BEOPGIL_ADMIN_TOKEN of the service")


@router.post(
    "/admin/reload",
    response_model=Reloaded,
    responses={422: ERRORS[422], 503: ERRORS[503], **REFUSED},
    dependencies=[Depends(_administrator)],
)
async def reload(_none: Annotated[NoParameters, Query()], service: Serving) -> Response:
    """Serve the newest published version of the index; searches go on meanwhile."""
    return Json(await service.reload())


def _encoder(model: TextEncoder) -> ModelAnswer:
    limits = {"query_tokens": model.query_tokens, "passage_tokens": model.passage_tokens, "dimensions": model.dim}
    return ModelAnswer(model.name, model.weights_sha256, model.device, model.format, limits)


def _reranker(model: PairScorer) -> ModelAnswer:
    limits = {"query_tokens": model.query_tokens, "pair_tokens": model.max_tokens}
    return ModelAnswer(model.name, model.weights_sha256, model.device, model.format, limits)


def package_version() -> str:
    try:
        return version("beopgil")
    except PackageNotFoundError:
        return "0+source"
