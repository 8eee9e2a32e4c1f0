"""TREC runs of an evaluation, runs/<track>.<system>.tsv; tabs between the fields, for citations hold spaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.errors import RecordError
from training.atomic import write
from training.scores import Run

FOLDER = "runs"
RENAMED = {"reranked": "hybrid+rerank"}
"""Systems of earlier runs."""


def write_run(folder: Path, track: str, system: str, run: Run) -> None:
    lines = (
        f"{query_id}\tQ0\t{key}\t{rank}\t{value:g}\t{system}\n"
        for query_id, scores in run.items()
        for rank, (key, value) in enumerate(scores.items(), 1)
    )
    write(folder / FOLDER / f"{track}.{system}.tsv", "".join(lines).encode())


def read_runs(folder: Path, track: str) -> Mapping[str, Run]:
    """system → run, of a folder that an evaluation wrote. A query for which nothing was found is in no run."""
    paths = sorted((folder / FOLDER).glob(f"{track}.*.tsv"))
    systems = [path.name.removeprefix(f"{track}.").removesuffix(".tsv") for path in paths]
    return {RENAMED.get(name, name): _read(path) for name, path in zip(systems, paths, strict=True)}


def _read(path: Path) -> Run:
    run: dict[str, dict[str, float]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split("\t")
        if len(fields) != 6:
            raise RecordError(f"{path.name}:{number} has {len(fields)} tab-separated fields, expected 6: {line[:80]!r}")
        run.setdefault(fields[0], {})[fields[2]] = float(fields[4])
    return run
