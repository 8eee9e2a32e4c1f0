"""The errors a user can meet, each with its code and HTTP status.

    BeopgilError
    ├── BadRequest 422           a request that cannot be answered as it stands
    ├── BadJson 400              a body that is not JSON
    ├── BodyTooLarge 413
    ├── Unauthorized 401         an operation that asks for the administrator's token, without one
    ├── Forbidden 403            the same, with another token
    ├── NotFound 404             an unknown document or page
    ├── NotReady 503             models or index not loaded yet
    ├── IndexMissing 503         no such index, or it was never published
    ├── IndexCorrupt 503         a file is missing, cut or altered
    ├── IndexMismatch 503        made with another model, format or corpus
    ├── ModelError 503           a model folder that cannot be used
    └── RecordError 500          a broken record in a source file (offline only)

Messages carry the offending value and the remedy.
"""

from __future__ import annotations

from typing import Any


class BeopgilError(Exception):
    """Base of all errors raised on purpose. `details` must be JSON-serialisable."""

    code = "error"
    status = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(BeopgilError):
    code, status = "bad_request", 422


class BadJson(BeopgilError):
    code, status = "bad_json", 400


class BodyTooLarge(BeopgilError):
    code, status = "body_too_large", 413


class Unauthorized(BeopgilError):
    code, status = "unauthorized", 401


class Forbidden(BeopgilError):
    code, status = "forbidden", 403


class NotFound(BeopgilError):
    code, status = "not_found", 404


class NotReady(BeopgilError):
    code, status = "not_ready", 503


class IndexMissing(BeopgilError):
    code, status = "index_missing", 503


class IndexCorrupt(BeopgilError):
    code, status = "index_corrupt", 503


class IndexMismatch(BeopgilError):
    code, status = "index_mismatch", 503


class ModelError(BeopgilError):
    code, status = "model_error", 503


class RecordError(BeopgilError):
    code, status = "record_error", 500
