"""Routers whose JSON goes through orjson both ways."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.api.answers import ErrorAnswer

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in (
        (400, "A body that is not JSON"),
        (413, "A body over the limit"),
        (422, "A request that cannot be answered as it stands"),
        (503, "Not loaded yet, or not loadable"),
    )
}


class OrjsonRequest(Request):
    async def json(self) -> Any:
        """Raises orjson.JSONDecodeError, a json.JSONDecodeError; refuses NaN, infinities and lone surrogates."""
        return orjson.loads(await self.body())


class OrjsonRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def with_orjson(request: Request) -> Response:
            return await handle(OrjsonRequest(request.scope, request.receive))

        return with_orjson


def json_router(*tags: str) -> APIRouter:
    return APIRouter(route_class=OrjsonRoute, tags=list(tags))
