"""What pydantic found wrong with a body → one sentence each, naming the field, the value and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.api.schemas import REFUSED, shown
from app.errors import BadJson

BODY = "body"
REMEDIES = {
    "string_type": "give a string",
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "float_type": "give a number",
    "bool_type": "give true or false",
    "tuple_type": "give a list",
    "model_type": "give an object",
    "model_attributes_type": "give an object",
    "less_than_equal": "give at most {le}",
    "greater_than_equal": "give at least {ge}",
    "literal_error": "give {expected}",
    "finite_number": "give a finite number",
}
COUNTS = {
    "too_long": ("entries", "give at most {max_length}"),
    "too_short": ("entries", "give at least {min_length}"),
    "string_too_long": ("characters", "give at most {max_length}"),
    "string_too_short": ("characters", "give at least {min_length}"),
}
"""Errors whose value is too large to show: its size is shown."""


def detail(error: Mapping[str, Any]) -> dict[str, str]:
    """{"field", "message"} of one pydantic error of a request."""
    field = field_name(error["loc"])
    whole = "the query string" if error["loc"][0] == "query" else "the body"
    subject = whole if field == BODY else field
    return {"field": field, "message": f"{subject} {_predicate(error)}"}


def field_name(location: Iterable[str | int]) -> str:
    """`filters.kind[0]` of ("body", "filters", "kind", 0); "body" for the body itself."""
    name = ""
    for part in list(location)[1:]:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else str(part)
    return name or BODY


def _predicate(error: Mapping[str, Any]) -> str:
    kind, value, limits = error["type"], error["input"], error.get("ctx", {})
    if kind == REFUSED:
        return str(error["msg"])
    if kind == "missing":
        return "is missing: send a JSON object" if len(error["loc"]) == 1 else "is missing: add it"
    if isinstance(value, bytes):
        return "is not sent as JSON: send an object, with the header Content-Type: application/json"
    if kind in COUNTS:
        unit, remedy = COUNTS[kind]
        return f"has {len(value)} {unit}: {remedy.format(**limits)}"
    remedy = REMEDIES[kind].format(**limits) if kind in REMEDIES else str(error["msg"])
    return f"is {shown(value)}: {remedy}"


def bad_json(body: str, error: Mapping[str, Any]) -> BadJson:
    """The error of a body that does not parse, with line and column (1-based) and position (0-based)."""
    at = int(error["loc"][1])
    line, column = body.count("\n", 0, at) + 1, at - body.rfind("\n", 0, at)
    reason = error["ctx"]["error"]
    return BadJson(
        f"the body is not JSON: {reason}, at line {line} column {column}; correct it there",
        line=line,
        column=column,
        position=at,
    )
