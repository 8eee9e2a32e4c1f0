"""*.jsonl and *.jsonl.zst: one article or decision a line, as `samples/` and the public record dumps hold them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import zstandard

from training.sources.records import DELETED, Broken, Decision, Record, StatuteArticle

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_STATUTE = ("law_id", "law", "article", "text", "effective_date")
_DECISION = ("precedent_id", "case_no", "court", "decision_date")


def read(path: Path) -> Iterator[Record]:
    """Records of one file, in order. A line that cannot be used comes as Broken with the line's number."""
    for number, line in lines(path):
        where = f"{path.name}:{number}"
        if isinstance(line, Broken):
            yield line
        elif line.strip():
            yield _record(line, where)


def lines(path: Path) -> Iterator[tuple[int, bytes | Broken]]:
    """(line number from 1, line) of a plain or zstd file; a file cut in the middle ends in a Broken."""
    number = 0
    with path.open("rb") as raw:
        stream = zstandard.ZstdDecompressor().stream_reader(raw) if path.suffix == ".zst" else raw
        reader = io.BufferedReader(stream, 1 << 20)  # type: ignore[type-var]  # zstandard's reader is a RawIOBase in all but name
        line = b"\n"
        try:
            for number, line in enumerate(reader, 1):
                yield number, line
        except zstandard.ZstdError as error:
            yield number + 1, Broken(f"{path.name}:{number + 1}", f"compressed data is damaged ({error}); fetch it again")
            return
        if path.suffix == ".zst" and not _ends_at_frame(path):
            yield number + 1, Broken(f"{path.name}:{number}", "the file ends in the middle; fetch it again")


def _ends_at_frame(path: Path) -> bool:
    """Whether the compressed file ends where a frame ends. Reads it once more, without keeping it."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    with path.open("rb") as raw:
        while block := raw.read(1 << 20):
            frame.decompress(block)
            while frame.eof and frame.unused_data:
                rest, frame = frame.unused_data, zstandard.ZstdDecompressor().decompressobj()
                frame.decompress(rest)
    return bool(frame.eof)


def _record(line: bytes, where: str) -> Record:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Broken(where, f"not JSON: {error}")
    if not isinstance(row, dict):
        return Broken(where, f"expected an object, found {type(row).__name__}")
    needed = _DECISION if "precedent_id" in row else _STATUTE
    if missing := [key for key in needed if not isinstance(row.get(key), str)]:
        return Broken(where, f"missing or not text: {', '.join(missing)}")
    date = row["decision_date" if needed is _DECISION else "effective_date"]
    if date and not _DATE.fullmatch(date):
        return Broken(where, f"date {date!r} is not YYYY-MM-DD")
    return _decision(row) if needed is _DECISION else _article(row)


def _article(row: dict[str, Any]) -> StatuteArticle:
    text = row["text"]
    return StatuteArticle(
        row["law_id"], row["law"], row.get("kind") or "", row["article"], (row.get("title") or "").strip("() "), text,
        row["effective_date"], row.get("promulgated_date") or "", row.get("mst") or "",
        deleted=bool(DELETED.match(text.strip())), sample=bool(row.get("sample")),
    )  # fmt: skip


def _decision(row: dict[str, Any]) -> Decision:
    optional = ("case_name", "court_level", "case_type", "issues", "holdings", "cited_statutes", "cited_precedents")
    rest = {key: row.get(key) or "" for key in optional}
    return Decision(
        precedent_id=row["precedent_id"], case_no=row["case_no"], court=row["court"],
        decision_date=row["decision_date"], sample=bool(row.get("sample")), **rest,
    )  # fmt: skip
