"""Pairs for a cross-encoder: their tokens, their logits, and its measures over real first-stage candidates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.base.evaluation import BaseEvaluator
from torch import Tensor

from app.retrieval import device as devices
from app.retrieval.fusion import RECALL, fuse, sureness, with_family
from app.retrieval.reranker import pair_layout
from app.retrieval.store import PassageStore
from app.retrieval.types import Candidates, Tokens, tuning_of
from training import recipe as recipes
from training.dev import DevQuery, qrels
from training.measures import means
from training.mine import Pool
from training.vectors import Floats, Ids, TextEncoder, nearest

Pair = tuple[Tokens, Tokens]
"""Token ids and segments of one (query, passage), both int32 of one length."""


class PairTokens:
    """Texts → pairs as app.retrieval.reranker makes them: the query cut at its own limit, the passage at the rest."""

    def __init__(self, model: CrossEncoder, section: recipes.CrossEncoder) -> None:
        self.tokenizer, self.section = model.tokenizer, section
        self.layout = pair_layout(self.tokenizer)
        self.pad_id = int(self.tokenizer.pad_token_id or 0)
        body: Any = model.model
        typed = "token_type_ids" in signature(body.forward).parameters
        self.typed = typed and self.layout.segments is not None

    def ids(self, texts: Sequence[str], limit: int) -> list[Tokens]:
        """Token ids without special tokens, int32."""
        encoded = self.tokenizer(
            list(texts),
            add_special_tokens=False,
            truncation=True,
            max_length=limit,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [np.array(found, dtype=np.int32) for found in encoded["input_ids"]]

    def pairs(self, queries: Sequence[str], passages: Sequence[str]) -> list[Pair]:
        heads = self.ids(queries, self.section.query_tokens)
        tails = self.ids(passages, self.section.max_tokens)
        room = self.section.max_tokens - self.layout.specials
        return [self.layout.assemble(head, tail[: room - len(head)]) for head, tail in zip(heads, tails, strict=True)]

    def pad(self, pairs: Sequence[Pair]) -> dict[str, Tensor]:
        """int64 (pairs, longest), padded on the right."""
        shape = (len(pairs), max(len(ids) for ids, _ in pairs))
        ids, mask = np.full(shape, self.pad_id, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for row, (pair, segments) in enumerate(pairs):
            ids[row, : len(pair)], mask[row, : len(pair)], types[row, : len(pair)] = pair, 1, segments
        arrays = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self.typed else {})
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def forward(model: Any, tokens: dict[str, Tensor], batch_tokens: int) -> Tensor:
    """Logits (pairs,) float32 in the pairs' order, by passes of similar lengths that fit a CPU's cache."""
    lengths = tokens["attention_mask"].sum(dim=1).cpu().numpy()
    order, parts = [], []
    for batch in devices.token_batches(lengths, batch_tokens):
        chosen, longest = torch.from_numpy(batch), int(lengths[batch[0]])
        part = {name: tensor[chosen.to(tensor.device), :longest] for name, tensor in tokens.items()}
        parts.append(model(part)["scores"].view(-1).float())
        order.append(chosen)
    return torch.cat(parts)[torch.argsort(torch.cat(order)).to(parts[0].device)]


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Without dropout and gradients; the mode it was in comes back."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


# First-stage candidates


@dataclass(frozen=True)
class Judged:
    """A dev query with its first-stage candidates, best first: their document keys, passages and fused scores."""

    query: DevQuery
    keys: list[str]
    passages: Ids
    scores: Floats

    @property
    def labels(self) -> Floats:
        """1 where a candidate is of a relevant document."""
        return np.array([key in self.query.relevant for key in self.keys], dtype=np.float32)

    def ranking(self, scores: Floats) -> list[str]:
        """Document keys by the best of their candidates' scores, ties in first-stage order."""
        return list(dict.fromkeys(self.keys[i] for i in np.argsort(-scores, kind="stable")))


def first_stage(queries: Sequence[DevQuery], pool: Pool, encoder: TextEncoder, depth: int) -> list[Judged]:
    """What the searcher's hybrid first stage finds in the pool: nothing is injected, a miss stays a miss."""
    if not queries:
        return []
    scores, rows = nearest(
        encoder.encode_queries([q.text for q in queries]), pool.vectors, max(depth, RECALL), devices.resolve("auto")
    )
    judged, tuning = list[Judged](), tuning_of(encoder)
    for query, own_scores, own in zip(queries, scores, rows, strict=True):
        sure = sureness(float(own_scores[0]), tuning)
        found = fuse(
            Candidates(own, own_scores),
            pool.lexical.search(query.text, max(depth, RECALL)),
            1.0,
            "hybrid",
            tuning,
            sure,
        )
        best = with_family(found, pool.families[found.ids], tuning.family_weight).head(depth)
        judged.append(Judged(query, pool.keys[best.ids].tolist(), pool.passages[best.ids], best.scores))
    return judged


class RerankEvaluator(BaseEvaluator):
    """nDCG@10, RR@10, R@10 and R@100 of a cross-encoder over the first stage's candidates, misses counted."""

    def __init__(self, judged: list[Judged], passages: PassageStore, tokens: PairTokens, batch_tokens: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library does not type it
        self.judged, self.tokens, self.batch_tokens = judged, tokens, batch_tokens
        self.pairs = [
            tokens.pairs([one.query.text] * len(one.passages), passages.texts(one.passages)) for one in judged
        ]
        self.primary_metric = "nDCG@10"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        with evaluating(model):
            rankings = {
                j.query.query_id: j.ranking(self._logits(model, p))
                for j, p in zip(self.judged, self.pairs, strict=True)
            }
        return means(rankings, qrels([one.query for one in self.judged]))

    def _logits(self, model: Any, pairs: list[Pair]) -> Floats:
        device = next(model.parameters()).device
        tokens = {name: tensor.to(device) for name, tensor in self.tokens.pad(pairs).items()}
        logits: Floats = forward(model, tokens, self.batch_tokens).cpu().numpy()
        return logits

    def first_stage(self) -> dict[str, float]:
        """The measures of the candidates as they came."""
        return means(
            {j.query.query_id: j.ranking(j.scores) for j in self.judged}, qrels([j.query for j in self.judged])
        )
