"""Around every request: its id, Server-Timing, the metrics, and one line of log, without what was asked."""

from __future__ import annotations

import re
import time
from dataclasses import fields
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from app.api.metrics import Metrics
from app.retrieval.types import Took

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observe:
    """Pure ASGI. Keeps `request_id` and `started` in the request's state; routes may add `took` and `query`."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: FilteringBoundLogger, log_queries: bool) -> None:
        self.app, self.metrics, self.log, self.log_queries = app, metrics, log, log_queries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"], state["started"] = _request_id(scope), time.perf_counter()
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(standard_headers(scope))
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            self._record(scope, status)

    def _record(self, scope: Scope, status: int) -> None:
        state, seconds = scope["state"], time.perf_counter() - scope["state"]["started"]
        route = _route(scope)
        self.metrics.request(route, status, seconds)
        asked = {"query": state["query"]} if self.log_queries and "query" in state else {}
        self.log.info(
            "request",
            id=state["request_id"],
            method=scope["method"],
            route=route,
            status=status,
            ms=round(seconds * 1000, 3),
            **asked,
        )


def _route(scope: Scope) -> str:
    """The pattern of the route, never the path: paths name documents that people read."""
    path: str = getattr(scope.get("route"), "path", "") or scope.get("root_path", "")
    return path or "unmatched"


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex


def standard_headers(scope: Scope) -> dict[str, str]:
    """X-Request-ID and Server-Timing (milliseconds): the stages that ran, and the total so far."""
    state = scope["state"]
    took: Took = state.get("took", Took())
    stages = {field.name: getattr(took, field.name) for field in fields(took)}
    stages["total"] = (time.perf_counter() - state["started"]) * 1000
    timing = ", ".join(f"{name};dur={ms:.3f}" for name, ms in stages.items() if ms)
    return {"X-Request-ID": state["request_id"], "Server-Timing": timing}
