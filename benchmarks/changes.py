"""A folder of records → a copy with invented changes: a sentence more in some articles, and some new decisions."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson
import zstandard

from app.law.documents import article_number, statute_doc_id
from training.sources import jsonl
from training.sources.records import DELETED, Broken

FIRST_ID = 990_000_000
"""Precedent ids from here on are invented."""
SYLLABLES, STEP = 11172, 7919
"""The syllables of Hangul; a step among them that comes back to none before it was at all."""


@dataclass(frozen=True, slots=True)
class Change:
    """A document and a word that it has newly."""

    doc_id: str
    word: str


def change(source: Path, target: Path, articles: int, decisions: int) -> list[Change]:
    """Write the records of `source` into `target` with so many changed articles and new decisions; these, in order.

    Files that need no change are linked.
    """
    target.mkdir(parents=True)
    changes: list[Change] = []
    for file in sorted(source.glob("*.jsonl*"), reverse=True):
        kind = file.name.split(".")[0]
        if kind == "statutes":
            _write(target / file.name, _articles(file, articles, changes))
        elif kind == "precedents":
            _write(target / file.name, _with_decisions(file, decisions, changes))
        elif file.is_file():
            (target / file.name).symlink_to(file.resolve())
    return changes


def word(number: int) -> str:
    """Five syllables that no law has beside each other, and no two numbers share."""
    return "".join(chr(0xAC00 + STEP * (5 * number + place) % SYLLABLES) for place in range(5))


def _articles(file: Path, count: int, changes: list[Change]) -> Iterator[bytes]:
    """The lines of a file, `count` of its articles in force changed, spread evenly.

    None of a law whose history is there too: what is shown of it comes from there.
    """
    told = {
        orjson.loads(line)["law_id"] for path in file.parent.glob("statute_versions.jsonl*") for line in _lines(path)
    }
    live = [number for number, line in jsonl.lines(file) if _in_force(line, told)]
    chosen = set(live[:: max(1, len(live) // count)][:count]) if count else set()
    for number, line in jsonl.lines(file):
        if isinstance(line, Broken):
            continue
        if number in chosen:
            row = orjson.loads(line)
            new = word(len(changes))
            doc_id = statute_doc_id(row["law_id"], *article_number(row["article"]))
            changes.append(Change(doc_id, new))
            line = orjson.dumps({**row, "text": f"{row['text']}\n{new}에 관하여는 따로 정한다."})
        yield line.rstrip(b"\n")


def _lines(file: Path) -> Iterator[bytes]:
    return (line for _, line in jsonl.lines(file) if not isinstance(line, Broken) and line.strip())


def _in_force(line: bytes | Broken, told: set[str]) -> bool:
    if isinstance(line, Broken) or not line.strip():
        return False
    row = orjson.loads(line)
    return row["law_id"] not in told and row["effective_date"] <= _today() and not DELETED.match(row["text"].strip())


def _with_decisions(file: Path, count: int, changes: list[Change]) -> Iterator[bytes]:
    yield from (line.rstrip(b"\n") for line in _lines(file))
    for number in range(count):
        new = word(len(changes))
        changes.append(Change(f"p{FIRST_ID + number}", new))
        yield orjson.dumps(_decision(number, new))


def _decision(number: int, new: str) -> dict[str, Any]:
    return {
        "precedent_id": str(FIRST_ID + number), "case_no": f"{_today()[:4]}다{900_000 + number}",
        "case_name": "손해배상(기)", "court": "대법원", "court_level": "대법원", "case_type": "민사",
        "decision_date": _today(), "issues": f"{new}의 당사자가 부담하는 주의의무의 내용",
        "holdings": f"{new}의 당사자는 이웃이 다치지 않도록 살펴야 한다.", "cited_statutes": "민법 제750조",
        "cited_precedents": "",
    }  # fmt: skip


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _write(path: Path, lines: Iterable[bytes]) -> None:
    with _opened(path) as file:
        for line in lines:
            file.write(line + b"\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with path.open("wb") as raw:
        if path.suffix != ".zst":
            yield raw
            return
        with zstandard.ZstdCompressor(level=1).stream_writer(raw) as stream, io.BufferedWriter(stream) as file:  # type: ignore[type-var]
            yield file
