"""train.jsonl of the pairs step → how many training rows have an article among their positives

A model folder keeps the counts of the pairs it was trained on, so that whoever measures it knows which articles it has
seen:

    trained_articles.tsv        doc_id TAB count, by doc_id
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from app.errors import RecordError
from training.atomic import write
from training.pairs import read_json

FILE = "trained_articles.tsv"
PAIRS = "train.jsonl"


def trained_counts(*places: Path) -> dict[str, int]:
    """doc_id → training rows, from the first of `places` that has them; {} where none has.

    A place is a train.jsonl, a trained_articles.tsv, or a folder that holds one of them. RecordError for a broken line.
    """
    for place in places:
        for path in (place / PAIRS, place / FILE) if place.is_dir() else (place,):
            if path.is_file():
                return _stored(path) if path.suffix == ".tsv" else _counted(path)
    return {}


def write_trained_counts(train_pairs: Path, target: Path) -> int:
    """Count the rows of `train_pairs` into `target`, a file or a model folder; returns the number of articles."""
    counts = _counted(train_pairs)
    lines = (f"{doc_id}\t{count}\n" for doc_id, count in sorted(counts.items()))
    write(target / FILE if target.is_dir() else target, "".join(lines).encode())
    return len(counts)


def _counted(train_pairs: Path) -> dict[str, int]:
    """A row counts once for an article, however many of its passages are positive."""
    counts: Counter[str] = Counter()
    for row in read_json(train_pairs):
        counts.update({passage_id.split("#")[0] for passage_id in row["positive_passages"]})
    return dict(counts)


def _stored(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        doc_id, tab, count = line.partition("\t")
        if not tab or not count.isdecimal():
            raise RecordError(f"{path.name}:{number} is no doc_id, tab and count: {line[:80]!r}; write it again")
        counts[doc_id] = int(count)
    return counts
