"""Where records come from: which reader reads which file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.recipe import RecipeError
from training.sources import jsonl, law_go_kr, legalize_kr, versions
from training.sources.records import Record


def find(source: str) -> list[Path]:
    """The files of a source, in name order: a file itself, a folder's record files, or a folder of law.go.kr bodies.

    A checkout of legalize-kr stands for itself, and a folder for the checkouts in it.
    Its version files are not among them: `versions.find` gives those.
    """
    path = Path(source)
    if not path.exists():
        raise RecipeError(f"source {source!r} does not exist; set corpus.sources to a folder or file of records")
    if path.name in versions.FILES:
        return []
    if path.is_dir() and (checkouts := legalize_kr.checkouts(path)):
        return checkouts
    if path.is_file() or law_go_kr.is_folder_of_bodies(path):
        return [path]
    named = [p for p in sorted(path.iterdir()) if p.name.split(".")[0] in ("statutes", "precedents")]
    records = [p for p in named if p.name.endswith((".jsonl", ".jsonl.zst"))]
    if not records:
        raise RecipeError(
            f"source {source!r} holds no statutes.jsonl, precedents.jsonl (or .zst), law.go.kr bodies, nor a "
            "checkout of legalize-kr"
        )
    return sorted(records, key=lambda p: (not p.name.startswith("statutes"), p.name))


def read(path: Path) -> Iterator[Record]:
    """The records of one file or folder that `find` gave."""
    if path.name.endswith((".jsonl", ".jsonl.zst")):
        return jsonl.read(path)
    if legalize_kr.is_checkout(path):
        return legalize_kr.read(path)
    return law_go_kr.read(path)
