"""Pairs for a cross-encoder: their tokens, their logits, and the first stage's candidates of judged queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from torch import Tensor

from app.retrieval import device as devices
from app.retrieval.fusion import RECALL, fuse, sureness, with_family
from app.retrieval.reranker import pair_layout
from app.retrieval.types import Candidates, Tokens, tuning_of
from training import sections
from training.dev import DevQuery
from training.mine import Pool
from training.vectors import Floats, Ids, TextEncoder, nearest

Pair = tuple[Tokens, Tokens]
"""Token ids and segments of one (query, passage), both int32 of one length."""


class PairTokens:
    """Texts → pairs as app.retrieval.reranker makes them: the query cut at its own limit, the passage at the rest."""

    def __init__(self, model: CrossEncoder, section: sections.CrossEncoder) -> None:
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
        lexical = pool.lexical.search(query.text, max(depth, RECALL))
        attainable = pool.lexical.attainable(query.text)
        found = fuse(Candidates(own, own_scores), lexical, attainable, "hybrid", tuning, sure)
        best = with_family(found, pool.families[found.ids], tuning.family_weight).head(depth)
        judged.append(Judged(query, pool.keys[best.ids].tolist(), pool.passages[best.ids], best.scores))
    return judged
