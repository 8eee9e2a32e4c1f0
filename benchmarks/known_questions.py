"""What the questions that are answered already (app/law/asked) are worth on lay questions, and how far to believe it.

    python -m benchmarks.known_questions --index full [--citizens FOLDER]

The first stage of the service on the lay questions, nDCG@10 / R@100

    none            without any known question
    all             with those that ship
    a share         with a random part of them: what more of them would bring
    alike < x       without those that share x or more of their bigrams (Jaccard) with any of the questions asked: their
                    authors may have thought of the same matters as the authors of the benchmark

by part of the set, and on the questions whose articles no known question names.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from app.errors import BeopgilError
from app.law.questions import Question, questions
from app.law.text import match_key
from app.retrieval.asked import Asked, rows_of
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from training.index import ENCODER
from training.measures import means
from training.sections import Evaluate
from training.systems import rank
from training.tracks import CITIZENS, Track, tracks

SYSTEM = "hybrid"
SHARES = (0.1, 0.25, 0.5)
ALIKE = (0.35, 0.3, 0.25, 0.2, 0.15)
SEED = 7


def bigrams(text: str) -> frozenset[str]:
    key = match_key(text)
    return frozenset(key[at : at + 2] for at in range(len(key) - 1))


def likeness(known: Sequence[Question], asked: Sequence[str]) -> list[float]:
    """The largest Jaccard index of each known question's bigrams with those of any question that is asked."""
    others = [bigrams(text) for text in asked]
    own = [bigrams(one.question) for one in known]
    return [max((len(a & b) / max(1, len(a | b)) for b in others), default=0.0) for a in own]


def settings(known: Sequence[Question], asked: Sequence[str]) -> Iterator[tuple[str, list[Question]]]:
    """Name → the known questions that are left."""
    yield "none", []
    order = np.random.default_rng(SEED).permutation(len(known))
    for share in SHARES:
        yield f"a share of {share:g}", [known[i] for i in order[: round(share * len(known))]]
    yield "all", list(known)
    alike = likeness(known, asked)
    for most in ALIKE:
        yield f"alike < {most:g}", [one for one, value in zip(known, alike, strict=True) if value < most]


def strata(part: Track, known: Sequence[Question]) -> dict[str, list[str]]:
    """Query ids: all, by part of the set, and those whose articles none of `known` names."""
    named = {citation for one in known for citation in one.articles}
    groups: dict[str, list[str]] = {"all": [query.query_id for query in part.queries]}
    for query in part.queries:
        groups.setdefault(f"part {part.rows[query.query_id].get('part', '')}", []).append(query.query_id)
    return {**groups, "unnamed": [q.query_id for q in part.queries if not named & set(q.relevant)]}


def measured(searcher: Searcher, part: Track, known: Sequence[Question], groups: dict[str, list[str]]) -> list[str]:
    """nDCG@10 / R@100 by group."""
    searcher.asked = Asked(known, rows_of(known, searcher.columns, searcher.folder))
    found = rank(searcher, part, [SYSTEM], Evaluate())[SYSTEM]
    cells = []
    for ids in groups.values():
        relevant = {query.query_id: query.relevant for query in part.queries if query.query_id in set(ids)}
        values = means({query_id: list(found[query_id].keys) for query_id in ids}, relevant) if ids else None
        cells.append(f"{values['nDCG@10']:.3f} / {values['R@100']:.3f}" if values else "–")
    return cells


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.known_questions", description="What they are worth.")
    parser.add_argument("--index", required=True)
    parser.add_argument("--citizens", type=Path, default=CITIZENS)
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--encoder", default=ENCODER)
    options = parser.parse_args(arguments)
    try:
        searcher = open_searcher(options.root, options.index, options.encoder, None)
        part = next(one for one in tracks(options.citizens, options.citizens) if one.name == "citizens")
        known = list(questions())
        groups = strata(part, known)
        table = Table("known", "questions", *(f"{name} ({len(ids)})" for name, ids in groups.items()))
        for name, left in settings(known, [query.text for query in part.queries]):
            table.add_row(name, f"{len(left):,}", *measured(searcher, part, left, groups))
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
