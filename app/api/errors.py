"""Failures → `{"error": {"code", "message", "details"?, "request_id"}}` with the right status, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app.api.observe import standard_headers
from app.api.responses import Json
from app.api.schemas import shown
from app.api.validation import bad_json, detail
from app.errors import BeopgilError

CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
INTERNAL = "the server failed on this request; its log holds the cause"
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}
"""What an error of this status carries besides its body."""


def install(app: FastAPI) -> None:
    app.add_exception_handler(BeopgilError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unknown)


def error_response(
    scope: Scope, status: int, code: str, message: str, details: Any = None, headers: Mapping[str, str] | None = None
) -> Response:
    error = {"code": code, "message": message, "request_id": scope["state"]["request_id"]}
    return Json({"error": {**error, "details": details} if details else error}, status, headers)


def _known(request: Request, error: Exception) -> Response:
    known = cast(BeopgilError, error)
    return error_response(
        request.scope, known.status, known.code, known.message, known.details, HEADERS.get(known.status)
    )


def _invalid(request: Request, error: Exception) -> Response:
    invalid = cast(RequestValidationError, error)
    found = invalid.errors()
    if found[0]["type"] == "json_invalid":
        return _known(request, bad_json(str(invalid.body), found[0]))
    details = [detail(one) for one in found]
    more = f" (and {len(details) - 1} more: see details)" if len(details) > 1 else ""
    return error_response(request.scope, 422, "bad_request", details[0]["message"] + more, details)


def _http(request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    code = CODES.get(refused.status_code, "bad_request")
    return error_response(request.scope, refused.status_code, code, _sentence(request, refused), None, refused.headers)


def _sentence(request: Request, error: HTTPException) -> str:
    path = shown(request.url.path)
    if error.status_code == 404:
        return f"there is no {path}: see /docs for what there is"
    if error.status_code == 405:
        return f"{path} does not answer {request.method}: use {(error.headers or {}).get('Allow', 'another method')}"
    return error.detail


def _unknown(request: Request, _error: Exception) -> Response:
    return error_response(request.scope, 500, "internal", INTERNAL, None, standard_headers(request.scope))
