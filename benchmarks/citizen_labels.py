"""labels.jsonl → qrels.articles.tsv: what two labellers who did not see each other's work both name.

    python -m benchmarks.citizen_labels [FOLDER]

Where they share nothing, the question is dropped and named; the table says how far they agree.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from training.pairs import Row, read_json

FOLDER = Path("benchmarks/citizen")


def agreed(row: Row) -> list[str]:
    """Articles of both labellers, in the first one's order."""
    return [citation for citation in row["first"] if citation in row["second"]]


def qrels(labels: list[Row]) -> Iterator[str]:
    for row in labels:
        yield from (f"{row['query_id']}\t0\t{citation}\t1\n" for citation in agreed(row))


def agreement(labels: list[Row]) -> dict[str, float]:
    """Questions, those with equal sets, those that share nothing, and the mean share of articles that both name."""
    pairs = [(set(row["first"]), set(row["second"])) for row in labels]
    return {
        "questions": len(pairs),
        "equal": sum(first == second for first, second in pairs),
        "nothing shared": sum(not first & second for first, second in pairs),
        "mean Jaccard": sum(len(first & second) / len(first | second) for first, second in pairs) / max(1, len(pairs)),
    }


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]) if arguments else FOLDER
    labels = list(read_json(folder / "labels.jsonl"))
    (folder / "qrels.articles.tsv").write_text("".join(qrels(labels)), encoding="utf-8")
    print("  ".join(f"{name} {value:.3g}" for name, value in agreement(labels).items()))
    for row in labels:
        if not agreed(row):
            print(f"dropped: {row['query_id']}, nothing shared", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
