"""*.jsonl and *.jsonl.zst: one article or decision a line, as `samples/` and the public record dumps hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import IO, Any

import orjson
import zstandard

from training.sources.records import DELETED, Broken, Decision, Record, StatuteArticle

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NOTE = re.compile(r"\s*<[^<>]*>")
_STATUTE = ("law_id", "law", "article", "text", "effective_date")
_STATUTE_OPTIONAL = ("kind", "title", "promulgated_date", "mst")
_DECISION = ("precedent_id", "case_no", "court", "decision_date")
_DECISION_OPTIONAL = (
    "case_name", "court_level", "case_type", "issues", "holdings", "cited_statutes", "cited_precedents"
)  # fmt: skip
BLOCK = 1 << 18
"""Bytes of a compressed file read at once."""


def read(path: Path) -> Iterator[Record]:
    """Records of one file, in order. A line that cannot be used comes as Broken with the line's number."""
    for number, line in lines(path):
        where = f"{path.name}:{number}"
        if isinstance(line, Broken):
            yield line
        elif line.strip():
            yield _record(line, where)


def lines(path: Path) -> Iterator[tuple[int, bytes | Broken]]:
    """(line number from 1, line) of a plain or zstd file; one that is damaged or cut ends in a Broken."""
    number = 0
    with path.open("rb") as raw:
        try:
            for number, line in enumerate(_split(_decompressed(raw)) if path.suffix == ".zst" else raw, 1):
                yield number, line
        except zstandard.ZstdError as error:
            where = f"{path.name}:{number + 1}"
            yield number + 1, Broken(where, f"compressed data is damaged ({error}); fetch it again")


def _decompressed(raw: IO[bytes]) -> Iterator[bytes]:
    """The content of one zstd frame after another. Raises ZstdError where a frame is damaged or not finished."""
    frame: zstandard.ZstdDecompressionObj | None = zstandard.ZstdDecompressor().decompressobj()
    while block := raw.read(BLOCK):
        while block:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(block)
            block, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise zstandard.ZstdError("the file ends in the middle")


def _split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _record(line: bytes, where: str) -> Record:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Broken(where, f"not JSON: {error}")
    if not isinstance(row, dict):
        return Broken(where, f"expected an object, found {type(row).__name__}")
    decision = "precedent_id" in row
    needed, optional = (_DECISION, _DECISION_OPTIONAL) if decision else (_STATUTE, _STATUTE_OPTIONAL)
    wrong = [key for key in needed if not isinstance(row.get(key), str)]
    wrong += [key for key in optional if not isinstance(row.get(key), str | None)]
    if wrong:
        return Broken(where, f"missing or not text: {', '.join(wrong)}")
    if not row[needed[0]].strip():
        return Broken(where, f"{needed[0]} is empty")
    if (day := row[needed[-1]]) and not is_date(day):
        return Broken(where, f"date {day!r} is not YYYY-MM-DD")
    return _decision(row) if decision else _article(row)


def is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _article(row: dict[str, Any]) -> StatuteArticle:
    text = row["text"]
    return StatuteArticle(
        row["law_id"], row["law"], row.get("kind") or "", row["article"], bare_title(row.get("title") or ""), text,
        row["effective_date"], row.get("promulgated_date") or "", row.get("mst") or "",
        deleted=bool(DELETED.match(text.strip())), sample=bool(row.get("sample")),
    )  # fmt: skip


def _decision(row: dict[str, Any]) -> Decision:
    rest = {key: row.get(key) or "" for key in _DECISION_OPTIONAL}
    return Decision(
        precedent_id=row["precedent_id"], case_no=row["case_no"], court=row["court"],
        decision_date=row["decision_date"], sample=bool(row.get("sample")), **rest,
    )  # fmt: skip


def bare_title(title: str) -> str:
    """`재산분할청구권` of `(재산분할청구권 <개정 1990.1.13>)`; brackets that do not hold the whole title stay."""
    title = _NOTE.sub("", title).strip()
    while title.startswith("(") and _closing(title) == len(title) - 1:
        title = title[1:-1].strip()
    return title


def _closing(title: str) -> int:
    """Where the bracket that opens `title` is closed, -1 if nowhere."""
    depth = 0
    for position, character in enumerate(title):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position
    return -1
