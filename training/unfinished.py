"""Rankings of an evaluation under way, query by query: what was stopped goes on where it was.

    unfinished/<track>.jsonl     the settings, then a line per query; gone when the evaluation has ended

Only rankings of the same query made with the same index, models, settings and code of the service are taken up.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

FOLDER = "unfinished"


class Unfinished:
    """The lines of one track. A line that was cut short counts as not there."""

    def __init__(self, folder: Path, track: str, settings: Mapping[str, Any]) -> None:
        self._path = folder / FOLDER / f"{track}.jsonl"
        self._settings = orjson.loads(orjson.dumps(settings))
        self.rows = self._read()
        if self.rows:
            print(f"{track}: goes on behind {len(self.rows)} queries of an evaluation that was stopped", flush=True)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(b"".join(_lines([self._settings, *self.rows.values()])))

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.exists():
            return {}
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                break
        return {row["query_id"]: row for row in found[1:]} if found[:1] == [self._settings] else {}

    def add(self, row: Mapping[str, Any]) -> None:
        """`row` has the key query_id."""
        with self._path.open("ab") as file:
            file.writelines(_lines([row]))


def _lines(rows: Iterable[Mapping[str, Any]]) -> list[bytes]:
    return [orjson.dumps(row) + b"\n" for row in rows]


def forget(folder: Path) -> None:
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
