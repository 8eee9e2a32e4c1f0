"""A small pool for evaluation while training: the dev queries' relevant passages, mined candidates, random passages.

Its measures rank checkpoints; they are far above those over the whole corpus, which the evaluate step gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator

from app.retrieval import device as devices
from app.retrieval.store import DocumentStore, PassageStore
from training import sections
from training.dev import DevQuery, Keys, dev_queries, document_keys, fold, qrels
from training.measures import means
from training.pairs import read_json
from training.recipe import Recipe
from training.triples import Triples
from training.vectors import Floats, Ids, nearest

HARD = 8
"""Mined candidates of each query that enter the pool."""
LIMIT = 4000
"""Passages of the pool, at most about: twenty seconds of two CPU cores for a small encoder."""


class PoolEvaluator(BaseEvaluator):
    """nDCG@10, RR@10, R@10 and R@100 of a bi-encoder over the pool."""

    def __init__(
        self, section: sections.BiEncoder, queries: list[DevQuery], pool: Ids, passages: PassageStore, keys: Keys
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library does not type it
        self.section, self.queries, self.pool, self.keys = section, queries, pool, keys
        self.texts, self.documents = passages.texts(pool), passages.documents[pool]
        self.primary_metric = "nDCG@10"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        queries = encode(model, [query.text for query in self.queries], "query", self.section.query_tokens)
        vectors = encode(model, self.texts, "document", self.section.passage_tokens)
        _, found = nearest(queries, vectors, 300)
        rankings = {
            q.query_id: fold(ids, self.documents, self.keys) for q, ids in zip(self.queries, found, strict=True)
        }
        return means(rankings, qrels(self.queries))


def encode(model: SentenceTransformer, texts: list[str], prompt: str, limit: int) -> Floats:
    """float32 (texts, dim), normalised, by a model as it stands in its trainer."""
    device = str(model.device)
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    parts, training = [], model.training
    model.eval()
    step = max(1, devices.batch_tokens(device) // limit)
    with torch.no_grad():
        for start in range(0, len(order), step):
            chosen = [texts[i] for i in order[start : start + step]]
            features = model.preprocess(chosen, prompt=model.prompts.get(prompt) or None, max_length=limit)
            tensors = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in features.items()}
            parts.append(model(tensors)["sentence_embedding"].float())
    model.train(training)
    vectors: Floats = torch.nn.functional.normalize(torch.cat(parts), dim=1).cpu().numpy()
    return vectors[np.argsort(order)]


def dev_pool(
    recipe: Recipe, documents: DocumentStore, passages: PassageStore, triples: Triples
) -> PoolEvaluator | None:
    """The evaluator of a recipe; None, with a notice, where it has no dev queries or judges by loss."""
    section = recipe.bi_encoder
    if section.best_by == "loss":
        return None
    queries = dev_queries(recipe.dev, section.eval_queries, recipe.seed)
    if not queries:
        print(f"no dev queries in {recipe.dev}: training without evaluation, the last checkpoint is kept", flush=True)
        return None
    keys = document_keys(documents)
    pool = pool_passages(recipe, queries, documents, passages, keys)
    print(f"evaluation while training: {len(queries)} dev queries over a pool of {len(pool):,} passages", flush=True)
    return PoolEvaluator(section, queries, pool, passages, keys)


def pool_passages(
    recipe: Recipe, queries: list[DevQuery], documents: DocumentStore, passages: PassageStore, keys: Keys
) -> Ids:
    """Ascending passage indices: all of the relevant documents, the mined candidates, and random ones up to LIMIT."""
    relevant = frozenset().union(*(query.relevant for query in queries))
    of_kind = np.flatnonzero(documents.column("kind")[passages.documents] == queries[0].kind)
    judged = of_kind[np.isin(keys[passages.documents[of_kind]].astype(str), list(relevant))]
    wanted = {query.query_id for query in queries}
    rows = read_json(recipe.dev_pool) if recipe.dev_pool.exists() else iter(())
    mined = {i for row in rows if row["query_id"] in wanted for i in row["candidates"][:HARD]}
    spare = max(0, LIMIT - len(judged) - len(mined))
    drawn = np.random.default_rng(recipe.seed).choice(of_kind, min(spare, len(of_kind)), replace=False)
    return np.unique(np.concatenate([judged, np.array(sorted(mined), dtype=np.int64), drawn])).astype(np.int64)
