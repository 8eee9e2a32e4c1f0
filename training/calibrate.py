"""index + dev queries → the cross-encoder's blend, calibration and threshold as a search uses them; the index anew

A search orders by logit + blend × first-stage score, and calls a sigmoid of that relevance. Both are fitted here to
what the Searcher itself ranks: decisions that cite, words and families of laws included. The blend is the best on dev
of those that keep KEPT of what is best on questions of another kind. Both are written into the cross-encoder's
beopgil.json, and the index is published once more, for its manifest holds the blend.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from app.errors import NotReady
from app.retrieval.device import model_settings
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from training import index
from training.atomic import write
from training.base import SETTINGS
from training.calibration import Scored, blended
from training.dev import DevQuery, document_keys
from training.recipe import Evaluate, Recipe
from training.reranking import Judged
from training.systems import DEFAULT, SYSTEMS, request
from training.tracks import tracks

KEPT = 0.95


def run(recipe: Recipe) -> None:
    section = recipe.calibrate
    searcher = open_searcher(Path(recipe.index.root), recipe.index.name, recipe.encoder_model, recipe.reranker_model)
    queries = chosen(recipe)
    if not queries:
        print(f"no dev queries in {recipe.dev}: the cross-encoder keeps the calibration of its own step", flush=True)
        return
    dev = scored(searcher, queries, recipe.evaluate.depth)
    beside = scored(searcher, beside_queries(section.beside, section.part), recipe.evaluate.depth)
    means = [dev.blends(), *([beside.blends()] if beside.judged else [])]
    for name, values in zip(("dev", section.beside), means, strict=False):
        print(f"nDCG@10 by blend, {name}: " + "  ".join(f"{b:g} {v:.4f}" for b, v in values.items()), flush=True)
    blend = best_blend(*means)
    settings = model_settings(recipe.reranker_model) | {
        "blend": blend,
        "blended": blended(dev, blend, recipe.cross_encoder),
    }
    write(recipe.reranker_model / SETTINGS, json.dumps(settings, indent=1).encode())
    index.run(recipe)


def best_blend(dev: Mapping[float, float], beside: Mapping[float, float] | None = None) -> float:
    """The blend of the highest mean on dev, the smaller of equals, among those that `beside` admits."""
    least = KEPT * max(beside.values()) if beside else 0.0
    admitted = [blend for blend in dev if beside is None or beside[blend] >= least]
    return max(admitted, key=lambda blend: (dev[blend], -blend))


def chosen(recipe: Recipe) -> list[DevQuery]:
    """Dev queries of the article track, or of decisions where that has none, drawn by seed."""
    parts = list(tracks(recipe.dev))
    queries = parts[0].queries if parts else ()
    order = np.random.default_rng(recipe.seed + 1).permutation(len(queries))[: recipe.calibrate.queries]
    return [queries[number] for number in sorted(order.tolist())]


def beside_queries(folder: str, part: str) -> list[DevQuery]:
    """Questions of another kind whose ranking must not be paid with: those of one part of a folder."""
    found = [one for one in tracks(Path(folder), Path(folder)) if one.name == "citizens"] if folder else []
    return [q for one in found for q in one.queries if not part or one.rows[q.query_id].get("part") == part]


def scored(searcher: Searcher, queries: Sequence[DevQuery], depth: int) -> Scored:
    """What a search reranks for each query, with the logits.

    Raises NotReady where the second stage takes no part.
    """
    keys, owners = document_keys(searcher.index.documents), searcher.index.passages.documents
    system, settings = SYSTEMS[DEFAULT], Evaluate(depth=depth)
    judged, logits = [], []
    for query in track(queries, description="calibrating"):
        pool = searcher.pool(replace(request(query, system, settings), k=10, depth=depth))
        if pool.logits is None:
            raise NotReady(f"query {query.query_id}: the cross-encoder did not take part")
        judged.append(Judged(query, keys[owners[pool.ids]].tolist(), pool.ids, pool.fused.scores))
        logits.append(pool.logits)
    return Scored(judged, logits)
