"""GET /healthz, /readyz, /info and /metrics."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST

from app.api.answers import Health, InfoAnswer, ModelAnswer, Readiness
from app.api.responses import Json
from app.api.routing import ERRORS, json_router
from app.api.schemas import MAX_BATCH, MAX_DEPTH, MAX_DOCUMENTS, MAX_K, QUERY_CHARS
from app.api.service import Serving
from app.retrieval.types import PairScorer, TextEncoder

router = json_router("operation")


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


def _encoder(model: TextEncoder) -> ModelAnswer:
    limits = {"query_tokens": model.query_tokens, "passage_tokens": model.passage_tokens, "dimensions": model.dim}
    return ModelAnswer(model.name, model.weights_sha256, model.device, limits)


def _reranker(model: PairScorer) -> ModelAnswer:
    limits = {"query_tokens": model.query_tokens, "pair_tokens": model.max_tokens}
    return ModelAnswer(model.name, model.weights_sha256, model.device, limits)


def package_version() -> str:
    try:
        return version("beopgil")
    except PackageNotFoundError:
        return "0+source"
