"""The systems that are measured, each of them the Searcher that serves, asked in its own way

bm25-unread      words alone: neither citations nor anything else is read out of the query, no links
bm25             words, as the service answers mode=lexical without the reranker
dense, hybrid    likewise
…+rerank         the same with the second stage; hybrid+rerank is what the service does when nothing is said
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

import app
from app.errors import NotReady
from app.retrieval.searcher import Searcher
from app.retrieval.types import Filters, Floats, Mode, PairScorer, SearchRequest, Tokens, Understood
from training.dev import DevQuery
from training.recipe import RecipeError
from training.sections import Evaluate
from training.tracks import Track
from training.unfinished import Unfinished


@dataclass(frozen=True, slots=True)
class System:
    mode: Mode
    rerank: bool = False
    unread: bool = False

    def depth(self, settings: Evaluate) -> int:
        """Passages: first stages are cheap, and their recall is what the second can work with."""
        return settings.depth if self.rerank else settings.first_depth


SYSTEMS: Mapping[str, System] = {
    "bm25-unread": System("lexical", unread=True),
    "bm25": System("lexical"),
    "dense": System("dense"),
    "hybrid": System("hybrid"),
    "bm25+rerank": System("lexical", rerank=True),
    "dense+rerank": System("dense", rerank=True),
    "hybrid+rerank": System("hybrid", rerank=True),
}
DEFAULT = "hybrid+rerank"
"""The service's own."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Of one query, best first: document keys (citation of an article, doc_id of a decision) and their relevance."""

    keys: Sequence[str]
    relevance: Sequence[float]
    milliseconds: float = 0.0

    def scores(self) -> dict[str, float]:
        """Descending numbers by key, as a run holds them."""
        return {key: float(len(self.keys) - place) for place, key in enumerate(self.keys)}


Rankings = dict[str, dict[str, Ranking]]
"""system → query_id → ranking."""


def chief(systems: Sequence[str]) -> str:
    """The system whose failures and calibration are written down: the service's own, or the last of those measured."""
    return DEFAULT if DEFAULT in systems else systems[-1]


def unread(searcher: Searcher) -> Searcher:
    """The searcher without anything that reads the query or the graph: the benchmark's own baseline."""
    bare = copy.copy(searcher)
    bare.router = Understood
    bare.tuning = replace(
        searcher.tuning, link_weight=0.0, cited_weight=0.0, family_weight=0.0, delegated_weight=0.0, asked_weight=0.0
    )
    return bare


def rank(
    searcher: Searcher, part: Track, systems: Sequence[str], settings: Evaluate, folder: Path | None = None
) -> Rankings:
    """Every query by every system. Query by query, so that the reranker reads a passage once for all systems. With a
    `folder`, what an evaluation that was stopped left there is taken up, and left there if this one is.

    Raises RecipeError for an unknown system, NotReady where the second stage should take part and does not.
    """
    for name in systems:
        if name not in SYSTEMS:
            raise RecipeError(f"no system {name!r}; there are {', '.join(SYSTEMS)}")
    shared = copy.copy(searcher)
    shared.reranker = searcher.reranker and Remembering(searcher.reranker)
    searchers = {name: unread(shared) if SYSTEMS[name].unread else shared for name in systems}
    kept = folder and Unfinished(folder, part.name, _circumstances(searcher, systems, settings))
    found: Rankings = {name: {} for name in systems}
    for query in track(part.queries, description=part.name):
        row = kept.rows.get(query.query_id) if kept else None
        if row is None or row["text"] != query.text:
            ranked = {name: asdict(_ranking(searchers[name], query, SYSTEMS[name], settings)) for name in systems}
            row = {"query_id": query.query_id, "text": query.text, "systems": ranked}
            if kept:
                kept.add(row)
        for name in systems:
            found[name][query.query_id] = Ranking(**row["systems"][name])
    return found


def _circumstances(searcher: Searcher, systems: Sequence[str], settings: Evaluate) -> dict[str, Any]:
    models = (searcher.encoder, searcher.reranker)
    files = sorted(file for file in Path(app.__file__).parent.rglob("*") if file.suffix in (".py", ".jsonl", ".tsv"))
    return {
        "code": hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
        "index": asdict(searcher.index.name),
        "models": [(model.weights_sha256, model.format) for model in models if model],
        "tuning": asdict(searcher.tuning),
        "blends": asdict(searcher.reranker.blends) if searcher.reranker else None,
        "router": searcher.router is not Understood,
        "systems": systems,
        "settings": settings.model_dump(exclude={"systems", "max_queries", "citizens"}),
    }


def _ranking(searcher: Searcher, query: DevQuery, system: System, settings: Evaluate) -> Ranking:
    response = searcher.search(request(query, system, settings))
    if system.rerank and response.degraded:
        raise NotReady(f"query {query.query_id}: {response.degraded}")
    keys = tuple(found.citation if query.kind == "statute" else found.doc_id for found in response.results)
    return Ranking(keys, tuple(found.relevance for found in response.results), response.took_ms.total)


def request(query: DevQuery, system: System, settings: Evaluate) -> SearchRequest:
    """Over the documents of the query's kind. Its own decision and those of its day or later are not found, and what
    they cite speaks for nothing."""
    filters, own = Filters(kind=(query.kind,)), frozenset[str]()
    before = date.fromisoformat(query.date) - timedelta(days=1) if query.date else None
    if query.date or query.kind == "precedent":
        own = frozenset({"p" + query.query_id.split("#")[0]})
    if query.kind == "precedent":
        filters = replace(filters, date_to=before)
    return SearchRequest(
        query.text, k=settings.k, depth=system.depth(settings), mode=system.mode, rerank=system.rerank,
        filters=filters, exclude_docs=own, decided_to=before,
    )  # fmt: skip


class Remembering:
    """A reranker that keeps the logits of the query at hand: the passages of several systems overlap.

    Logits may differ from the reranker's own in the last digits, for its batches are others.
    """

    def __init__(self, reranker: PairScorer) -> None:
        self._reranker = reranker
        self._query, self._logits = "", dict[bytes, float]()
        self.name, self.weights_sha256, self.device = reranker.name, reranker.weights_sha256, reranker.device
        self.format = reranker.format
        self.max_tokens, self.query_tokens = reranker.max_tokens, reranker.query_tokens
        self.blends = reranker.blends

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return self._reranker.tokenize(texts)

    def score(self, query: str, passages: Sequence[str]) -> Floats:
        return self._reranker.score(query, passages)

    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        if query != self._query:
            self._query, self._logits = query, {}
        keys = [passage.tobytes() for passage in passages]
        new = {key: passage for key, passage in zip(keys, passages, strict=True) if key not in self._logits}
        if new:
            logits = self._reranker.score_tokens(query, list(new.values()))
            self._logits.update(zip(new, logits.tolist(), strict=True))
        return np.array([self._logits[key] for key in keys], dtype=np.float32)

    def relevance(self, logits: Floats) -> Floats:
        return self._reranker.relevance(logits)
