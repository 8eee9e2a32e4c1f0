"""index + dev queries → the cross-encoder's blends, calibration and thresholds as a search uses them

A search orders by logit + weight × first-stage score, and calls a sigmoid of that relevance; articles and decisions
each have their own weight and sigmoid. They are fitted here to what the Searcher itself ranks: decisions that cite,
words and families of laws included. The weight is the best on dev; for articles, of those that keep KEPT of what is
best on questions of another kind. They are written into the cross-encoder's beopgil.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from rich.progress import track

from app.errors import NotReady
from app.retrieval.device import model_settings
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import Blend, Blends
from training.atomic import write
from training.base import SETTINGS
from training.calibration import Scored, best_weight, blended, told
from training.dev import DevQuery, document_keys
from training.recipe import Recipe
from training.reranking import Judged
from training.sections import Evaluate
from training.systems import DEFAULT, SYSTEMS, request
from training.tracks import Track, tracks


def run(recipe: Recipe) -> None:
    searcher = open_searcher(Path(recipe.index.root), recipe.index.name, recipe.encoder_model, recipe.reranker_model)
    blends = {part.queries[0].kind: blend(recipe, searcher, part) for part in tracks(recipe.dev) if part.queries}
    if not blends:
        print(f"no dev queries in {recipe.dev}: the cross-encoder keeps the calibration of its own step", flush=True)
        return
    settings = model_settings(recipe.reranker_model)
    settings["blends"] = settings.get("blends", {}) | {kind: asdict(found) for kind, found in blends.items()}
    write(recipe.reranker_model / SETTINGS, json.dumps(settings, indent=1).encode())


def blend(recipe: Recipe, searcher: Searcher, part: Track) -> Blend:
    """The blend of one kind of documents, fitted on queries of its track."""
    section, depth, statute = recipe.calibrate, recipe.evaluate.depth, part.queries[0].kind == "statute"
    dev = scored(searcher, drawn(part.queries, recipe), depth)
    tried = {part.name: dev.by_weight()}
    for folder in section.beside if statute else ():
        if others := beside_queries(folder, section.part):
            tried[folder] = scored(searcher, others, depth).by_weight()
    for name, values in tried.items():
        print(f"{name}: {told(values)}", flush=True)
    precision = recipe.cross_encoder.target_precision if statute else section.precedent_precision
    return blended(dev, best_weight(*tried.values()), precision)


def drawn(queries: Sequence[DevQuery], recipe: Recipe) -> list[DevQuery]:
    order = np.random.default_rng(recipe.seed + 1).permutation(len(queries))[: recipe.calibrate.queries]
    return [queries[number] for number in sorted(order.tolist())]


def beside_queries(folder: str, part: str) -> list[DevQuery]:
    """Questions of another kind whose ranking must not be paid with: those of one part of a folder."""
    found = [one for one in tracks(Path(folder), Path(folder)) if one.name == "citizens"]
    return [q for one in found for q in one.queries if not part or one.rows[q.query_id].get("part") == part]


def scored(searcher: Searcher, queries: Sequence[DevQuery], depth: int) -> Scored:
    """What a search reranks for each query, with the logits.

    Raises NotReady where the second stage takes no part.
    """
    keys, owners = document_keys(searcher.index.documents), searcher.index.passages.documents
    system, settings = SYSTEMS[DEFAULT], Evaluate(depth=depth)
    if searcher.reranker is not None:
        searcher.reranker.blends = Blends()  # without bounds every passage is read
    judged, logits = [], []
    for query in track(queries, description="calibrating"):
        pool = searcher.pool(replace(request(query, system, settings), k=10, depth=depth))
        if pool.logits is None:
            raise NotReady(f"query {query.query_id}: the cross-encoder did not take part")
        read = ~np.isnan(pool.logits)  # a page of few documents is filled from behind
        ids = pool.ids[read]
        judged.append(Judged(query, keys[owners[ids]].tolist(), ids, pool.fused.own[read]))
        logits.append(pool.logits[read])
    return Scored(judged, logits)
