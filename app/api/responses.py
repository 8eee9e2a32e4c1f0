"""JSON through orjson: dataclasses field by field, optional fields left out where they are None."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import orjson
from starlette.responses import Response

OPTIONAL = frozenset({"stages", "links", "asked", "id", "document"})
"""Fields that the contract marks with `?`: absent rather than null."""
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_SERIALIZE_NUMPY


def dumps(content: Any) -> bytes:
    return orjson.dumps(content, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: part for name, part in pairs if part is not None or name not in OPTIONAL}
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Json(Response):
    """A body of dataclasses, dicts, lists and scalars."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return dumps(content)
