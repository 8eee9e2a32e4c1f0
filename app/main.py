"""The service: settings → application. `python -m app` runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from app.api import citations, documents, errors, graph, ops, search
from app.api.body_limit import BodyLimit
from app.api.log import json_log
from app.api.metrics import Metrics
from app.api.observe import Observe
from app.api.service import Load, Reload, Service
from app.retrieval.index import current
from app.retrieval.searcher import Searcher
from app.settings import Settings
from app.web import pages

DESCRIPTION = "Two-stage search over Korean statutes and precedents."


def create_app(settings: Settings | None = None, load: Load | None = None, reload: Reload | None = None) -> FastAPI:
    """An application that loads at startup, in the background: /readyz tells when it can answer."""
    settings = settings or Settings()
    service = Service(settings, Metrics(), reload or load_searcher)
    app = FastAPI(
        title="Beopgil",
        version=ops.package_version(),
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(service, load or load_searcher),
    )
    app.state.service = service
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(Observe, metrics=service.metrics, log=json_log(), log_queries=settings.log_queries)
    errors.install(app)
    for part in (search, documents, graph, citations, ops, pages):
        app.include_router(part.router)
    pages.mount_static(app)
    return app


def _lifespan(service: Service, load: Load) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(service.open(load))
        loading.add_done_callback(service.opened)
        yield
        loading.cancel()
        await asyncio.wait([loading])
        await service.close()

    return lifespan


def load_searcher(settings: Settings, like: Searcher | None = None) -> Searcher:
    """Models and index as the settings name them, with the models of `like` where they fit.

    Raises ModelError, IndexMissing, IndexCorrupt or IndexMismatch.
    """
    current(settings.index_root, settings.index)
    # After that and not above: the model libraries take seconds to import, a missing index is to be told at once.
    import torch

    from app.retrieval.opening import open_searcher

    if settings.threads:
        torch.set_num_threads(settings.threads)
    return open_searcher(
        settings.index_root,
        settings.index,
        settings.encoder,
        settings.reranker or None,
        device=settings.device,
        precision=settings.precision,
        verify=settings.verify_index,
        like=like,
    )
