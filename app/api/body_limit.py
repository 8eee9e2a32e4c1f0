"""Bodies over the limit are refused: by Content-Length before a byte is read, and while streaming without one."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import error_response
from app.errors import BodyTooLarge


class BodyLimit:
    """Pure ASGI. `limit` in bytes."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > self.limit:
            refusal = error_response(scope, BodyTooLarge.status, BodyTooLarge.code, self._message(announced))
            await refusal(scope, receive, send)
            return
        await self.app(scope, self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                # FastAPI lets only an HTTPException out of reading a body; others become a 400.
                raise HTTPException(BodyTooLarge.status, self._message(f"{read} or more"))
            return message

        return counted

    def _message(self, size: str) -> str:
        return f"the body has {size} bytes, the limit is {self.limit}: send less, or raise BEOPGIL_MAX_BODY_BYTES"
