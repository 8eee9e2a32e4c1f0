"""Rankings → failures.jsonl, failures.md: the queries that went worst, with what was found instead

For reading, and never for git: they hold queries of the benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from app.retrieval.store import DocumentStore
from training.atomic import write
from training.dev import DevQuery
from training.significance import Values
from training.systems import Ranking
from training.tracks import Track

WORST = 50
"""Of each track."""
SHOWN = 5

Row = dict[str, Any]


def failures(part: Track, rankings: Mapping[str, Ranking], measured: Values, documents: DocumentStore) -> Iterator[Row]:
    """The WORST queries by nDCG@10 that are not perfect, worst first; of equals those that miss most at all.

    `ranks` says where each relevant document stands, null where it was not found.
    """

    def badness(query: DevQuery) -> tuple[float, float, str]:
        values = measured[query.query_id]
        return values["nDCG@10"], values["R@100"], query.query_id

    imperfect = (query for query in part.queries if measured[query.query_id]["nDCG@10"] < 1)
    for query in sorted(imperfect, key=badness)[:WORST]:
        ranking = rankings[query.query_id]
        places = {key: rank for rank, key in enumerate(ranking.keys, 1)}
        gold = sorted(query.relevant, key=lambda key: (places.get(key, len(places) + 1), key))
        yield {
            "track": part.name,
            "query_id": query.query_id,
            "text": query.text,
            "gold": [_name(key, documents) for key in gold],
            "found": [_name(key, documents) for key in ranking.keys[:SHOWN]],
            "relevance": [round(value, 3) for value in ranking.relevance[:SHOWN]],
            "ranks": {_name(key, documents): places.get(key) for key in gold},
        }


def _name(key: str, documents: DocumentStore) -> str:
    """A decision's citation; an article's key is its citation."""
    row = documents.row(key)
    return key if row is None else str(documents.value("citation", row))


def write_failures(folder: Path, rows: Sequence[Row], system: str) -> None:
    lines = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
    write(folder / "failures.jsonl", lines)
    write(folder / "failures.md", markdown(rows, system).encode())


def markdown(rows: Sequence[Row], system: str) -> str:
    parts = [f"# The worst queries of {system}\n"]
    for row in rows:
        gold = [f"{name} ({f'rank {rank}' if rank else 'not found'})" for name, rank in row["ranks"].items()]
        shown = zip(row["found"], row["relevance"], strict=True)
        found = [f"{'+' if name in row['gold'] else '-'} {name} {relevance:.3f}" for name, relevance in shown]
        parts.append(
            f"## {row['track']} {row['query_id']}\n\n{row['text']}\n\nrelevant: {'; '.join(gold)}\n\n"
            + "".join(f"{place}. {one}\n" for place, one in enumerate(found, 1))
        )
    return "\n".join(parts)
