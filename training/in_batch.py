"""The bi-encoder's loss: each query chooses its positive among the passages of the whole batch.

    −ln softmax(cosine / temperature − frequency · ln rows(document))   over the passages that may count as negatives

`frequency` is the correction of sampling bias (Yi et al. 2019): what is often a positive is often an in-batch negative
too, and a document that courts cite a thousand times is not for that the better answer. A guide, the model as it was
before this training, masks what it holds for better than the positive (GISTEmbed, Solatorio 2024). `dimensions` repeats
the loss for the first d numbers of each vector (Matryoshka, Kusupati et al. 2022). `distillation` adds the distance
(Kullback-Leibler) of a query's own passages from a cross-encoder's softmax over them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor
from torch.nn import functional

from app.retrieval import device as devices
from training import ranks, sections

NOBODY = -1
"""The document of a place without a passage."""
TEACHER = "teacher"
"""The feature of a batch's passages that holds a cross-encoder's logits, float32 (passages,)."""


class InBatchLoss(MultipleNegativesRankingLoss):
    """The library's loss at scale = 1 / temperature, with false negatives masked and short forward passes.

    On a CPU one pass over the whole batch leaves the cache and takes twice as long as passes of a few thousand tokens.
    Queries choose among the passages of all processes.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        section: sections.BiEncoder,
        batch_tokens: int,
        rows: Mapping[int, int] | None = None,
        guide: SentenceTransformer | None = None,
    ) -> None:
        """`rows` counts the training rows of each document, for section.frequency."""
        super().__init__(model, scale=1 / section.temperature)
        self.section, self.batch_tokens, self.rows = section, batch_tokens, rows or {}
        self._guide = [guide] if guide else []  # in a list: not one of the weights that are trained

    def forward(self, sentence_features: Any, labels: Tensor) -> Tensor:
        """Mean loss over this process's queries, a float32 scalar."""
        sentence_features = [dict(features) for features in sentence_features]
        logits = sentence_features[1].pop(TEACHER, None)
        queries, own = (self._embed(self.model, features) for features in sentence_features)
        width = len(own) // len(queries)
        passages, start = ranks.gathered(own)
        candidates, _ = ranks.gathered(labels[:, :width].T.reshape(-1))
        mask = self.false_negatives(candidates, labels[:, width:], start)
        if self._guide:
            mask = mask | self._guided(sentence_features, start)
        choices = [self._choice(queries, passages, mask, candidates, start, d) for d in self._sizes()]
        loss = torch.stack(choices).mean()
        if logits is None:
            return loss
        return loss + self.section.distillation * self._from_teacher(queries, own, logits.view(width, -1).T)

    def _from_teacher(self, queries: Tensor, own: Tensor, logits: Tensor) -> Tensor:
        """Mean KL(softmax(logits) ‖ softmax(cosine / temperature)) over (queries, width); −∞ is a place without a
        passage."""
        passages = own.view(logits.shape[1], len(queries), -1).transpose(0, 1)
        scores = self.scale * functional.cosine_similarity(queries[:, None], passages, dim=2)
        empty = torch.isinf(logits)
        wanted = functional.log_softmax(logits, dim=1).masked_fill(empty, 0)
        given = functional.log_softmax(scores.masked_fill(empty, -math.inf), dim=1).masked_fill(empty, 0)
        apart = wanted.exp() * (wanted - given)
        return apart.masked_fill(empty, 0).sum(dim=1).mean()

    def _sizes(self) -> tuple[int | None, ...]:
        return (None, *self.section.dimensions)

    def _choice(
        self, queries: Tensor, passages: Tensor, mask: Tensor, candidates: Tensor, start: int, dim: int | None
    ) -> Tensor:
        """The loss of vectors cut at `dim`; the positives choose their queries too where `symmetric` asks for it."""
        scores = self.scale * self.similarity_fct(queries[:, :dim], passages[:, :dim])
        if self.section.frequency:
            scores = scores - self.section.frequency * self._log_rows(candidates)
        targets = start + torch.arange(len(queries), device=scores.device)
        loss = functional.cross_entropy(scores.masked_fill(mask, -math.inf), targets)
        share = self.section.symmetric
        if not share:
            return loss
        own = torch.arange(len(queries), device=scores.device)
        firsts = range(0, len(passages), len(passages) // ranks.size())
        positives = torch.cat([own + first for first in firsts])
        back, first = ranks.gathered(scores[:, positives])
        hidden, _ = ranks.gathered(mask[:, positives].to(torch.uint8))
        back, hidden = (one[:, first : first + len(own)].T for one in (back, hidden))
        turned = functional.cross_entropy(back.masked_fill(hidden.bool(), -math.inf), first + own)
        return (1 - share) * loss + share * turned

    def _log_rows(self, candidates: Tensor) -> Tensor:
        counts = [max(1, self.rows.get(document, 1)) for document in candidates.tolist()]
        return torch.log(torch.tensor(counts, dtype=torch.float32, device=candidates.device))

    def _guided(self, sentence_features: Any, start: int) -> Tensor:
        """bool (queries, candidates): what the guide holds for better than the positive."""
        guide = self._guide[0]
        with torch.no_grad():
            queries, own = (self._embed(guide, features) for features in sentence_features)
            passages, _ = ranks.gathered(own)
            scores = self.similarity_fct(queries, passages)
        rows = torch.arange(len(queries), device=scores.device)
        return scores > scores[rows, start + rows][:, None]

    @staticmethod
    def false_negatives(candidates: Tensor, known: Tensor, start: int = 0) -> Tensor:
        """bool (queries, candidates): passages of documents known to be positive for the query, and empty places.

        `candidates` holds the documents of all passages, those of the queries' own positives from `start` on.
        """
        mask = (candidates[None, :, None] == known[:, None, :]).any(dim=2) | (candidates == NOBODY)[None, :]
        rows = torch.arange(len(known))
        mask[rows, start + rows] = False
        return mask

    def _embed(self, model: Any, features: Mapping[str, Tensor]) -> Tensor:
        """Vectors (texts, dim) float32, in the texts' order."""
        lengths = features["attention_mask"].sum(dim=1).cpu().numpy()
        order, parts = [], []
        for batch in devices.token_batches(lengths, self.batch_tokens):
            chosen, longest = torch.from_numpy(batch), int(lengths[batch[0]])
            part = {name: tensor[chosen.to(tensor.device), :longest] for name, tensor in features.items()}
            parts.append(model(part)["sentence_embedding"].float())
            order.append(chosen)
        back = torch.argsort(torch.cat(order)).to(parts[0].device)
        return torch.cat(parts)[back]
