"""statute_versions.jsonl and .jsonl.zst: one version of an article a line, with the days it was in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from training.sources.jsonl import bare_title, is_date, lines
from training.sources.records import DELETED, ArticleVersion, Broken

FILES = ("statute_versions.jsonl", "statute_versions.jsonl.zst")
_NEEDED = ("law_id", "law", "article", "text", "effective_from")


def find(source: str) -> list[Path]:
    """The version files of a source that exists: the file itself, or those in the folder. Most sources have none."""
    path = Path(source)
    if path.is_file():
        return [path] if path.name in FILES else []
    return [path / name for name in FILES if (path / name).is_file()]


def read(path: Path) -> Iterator[ArticleVersion | Broken]:
    """The versions of one file, in order. A line that cannot be used comes as Broken with the line's number."""
    for number, line in lines(path):
        if isinstance(line, Broken):
            yield line
        elif line.strip():
            yield _version(line, f"{path.name}:{number}")


def _version(line: bytes, where: str) -> ArticleVersion | Broken:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Broken(where, f"not JSON: {error}")
    if not isinstance(row, dict):
        return Broken(where, f"expected an object, found {type(row).__name__}")
    wrong = [key for key in _NEEDED if not isinstance(row.get(key), str)]
    wrong += [key for key in ("title", "effective_to") if not isinstance(row.get(key), str | None)]
    if wrong:
        return Broken(where, f"missing or not text: {', '.join(wrong)}")
    if not row["law_id"].strip():
        return Broken(where, "law_id is empty")
    days = (row["effective_from"], row.get("effective_to") or row["effective_from"])
    if bad := [day for day in days if not is_date(day)]:
        return Broken(where, f"date {bad[0]!r} is not YYYY-MM-DD")
    return _record(row)


def _record(row: dict[str, Any]) -> ArticleVersion:
    return ArticleVersion(
        row["law_id"], row["law"], row["article"], bare_title(row.get("title") or ""), row["text"],
        row["effective_from"], row.get("effective_to") or "", deleted=bool(DELETED.match(row["text"].strip())),
    )  # fmt: skip
