"""How far a bi-encoder may be trusted: the levels of its best cosine that the first stage goes by."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from app.retrieval import device as devices
from app.retrieval.encoder import Encoder
from app.retrieval.store import DocumentStore, PassageStore
from training.atomic import write
from training.base import SETTINGS
from training.dev import DevQuery, dev_queries
from training.mine import Pool, Pools
from training.recipe import Recipe
from training.vectors import Floats, nearest

QUERIES = 500
"""Dev queries that are asked."""
NEAR = 50
"""Decisions near a query among which the best earlier one is looked for."""


def measure_limits(recipe: Recipe, documents: DocumentStore, passages: PassageStore) -> None:
    """Write into beopgil.json from which best cosine on the model may be trusted: what 19 of 20 dev queries exceed over
    all passages of their kind, and over those of earlier decisions. A sigmoid's width is a seventh of the way from
    there to their median."""
    queries = dev_queries(recipe.dev, QUERIES, recipe.seed)
    if not queries:
        return
    pools = Pools(documents, passages, Encoder.load(recipe.encoder_model), recipe.folder("bi_encoder") / "vectors")
    vectors, device = pools.encoder.encode_queries([query.text for query in queries]), devices.resolve("auto")
    best, _ = nearest(vectors, pools[queries[0].kind].vectors, 1, device)
    limits = _levels("sure", best[:, 0])
    if "precedent" in documents.column("kind"):
        earlier = earlier_decisions(queries, vectors, pools["precedent"], documents, device)
        limits |= _levels("court", earlier) if len(earlier) else {}
    path = recipe.encoder_model / SETTINGS
    write(path, json.dumps({**json.loads(path.read_text()), **limits}, indent=1).encode())


def _levels(name: str, best: Floats) -> dict[str, float]:
    low, middle = np.percentile(best, [5, 50])
    print(f"{name}: 19 of 20 queries have a best cosine above {low:.3f} (median {middle:.3f})", flush=True)
    return {f"{name}_cosine": round(float(low), 4), f"{name}_width": round(max(1e-3, float(middle - low) / 7), 4)}


def earlier_decisions(
    queries: Sequence[DevQuery], vectors: Floats, pool: Pool, documents: DocumentStore, device: str
) -> Floats:
    """The best cosine of each query with a decision that is not its own nor dated on or after its own; those that have
    none among their NEAR nearest are left out."""
    ids, dates = documents.column("doc_id")[pool.documents], documents.column("date")[pool.documents]
    scores, rows = nearest(vectors, pool.vectors, NEAR, device)
    best = []
    for query, own_scores, own in zip(queries, scores, rows, strict=True):
        later = (dates[own] >= query.date) if query.date else np.zeros(len(own), dtype=bool)
        other = ~later & (ids[own] != "p" + query.query_id.split("#")[0])
        best += own_scores[other][:1].tolist()
    return np.array(best, dtype=np.float32)
