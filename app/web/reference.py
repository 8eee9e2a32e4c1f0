"""OpenAPI description → the operations that the reference page lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
}


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    """Dotted for the fields of an object inside."""
    kind: str
    required: bool
    default: str
    limits: str
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    description: str
    request: tuple[Field, ...]
    response: tuple[Field, ...]


def operations(openapi: dict[str, Any]) -> list[Operation]:
    schemas = openapi.get("components", {}).get("schemas", {})
    return [
        _operation(schemas, method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]


def _operation(schemas: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> Operation:
    parameters = tuple(_field(schemas, one["name"], one["schema"], True) for one in operation.get("parameters", ()))
    body = _json(operation.get("requestBody", {}))
    answer = _json(operation["responses"].get("200", {}))
    return Operation(
        method=method.upper(),
        path=path,
        description=operation.get("description", ""),
        request=parameters + tuple(_fields(schemas, body)),
        response=tuple(_fields(schemas, answer)),
    )


def _json(part: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = part.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(schemas: dict[str, Any], schema: dict[str, Any], prefix: str = "", depth: int = 0) -> list[Field]:
    """The fields of an object, each followed by the fields of the objects in it."""
    schema = _resolve(schemas, schema)
    shown: list[Field] = []
    for name, part in schema.get("properties", {}).items():
        shown.append(_field(schemas, prefix + name, part, name in schema.get("required", ())))
        inner, many = _inner(schemas, part)
        if depth < 3:
            shown += _fields(schemas, inner, f"{prefix}{name}{'[]' if many else ''}.", depth + 1)
    return shown


def _field(schemas: dict[str, Any], name: str, schema: dict[str, Any], required: bool) -> Field:
    resolved = _resolve(schemas, schema)
    bounds = {key: value for option in schema.get("anyOf", ()) for key, value in option.items()} | resolved
    limits = ", ".join(text.format(f"{bounds[key]:g}") for key, text in LIMITS.items() if key in bounds)
    default = schema.get("default")
    shown = json.dumps(default, ensure_ascii=False) if "default" in schema and not isinstance(default, dict) else ""
    return Field(name, _kind(schemas, schema), required, shown, limits, resolved.get("description", ""))


def _kind(schemas: dict[str, Any], schema: dict[str, Any]) -> str:
    options = schema.get("anyOf")
    if options:
        return " | ".join(dict.fromkeys(_kind(schemas, option) for option in options))
    schema = _resolve(schemas, schema)
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schemas, schema['items'])}" if "items" in schema else "list"
    return str(schema.get("format") or schema.get("type") or "any")


def _inner(schemas: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """(schema of the object inside, whether it is in a list); without one an empty schema."""
    for option in (schema, *schema.get("anyOf", ())):
        resolved = _resolve(schemas, option)
        many = resolved.get("type") == "array"
        inner = _resolve(schemas, resolved.get("items", {})) if many else resolved
        if "properties" in inner:
            return inner, many
    return {}, False


def _resolve(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names, under what stands beside the reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return {**schemas[name], **{key: value for key, value in schema.items() if key != "$ref"}} if name else schema
