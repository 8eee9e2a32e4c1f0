"""A ModernBERT cross-encoder on a CPU, computed the short way: what hangs on a token alone is looked up.

Before the first attention a token knows nothing of its neighbours, so its query, key and value there are taken once for
the whole vocabulary (vocabulary × 3 dim numbers: 74 MB for 32,000 × 384 in bf16). The last block computes its first
token alone (first_token.py). Of two blocks two fifths of the matrix products are left, and the logits are those of the
library but for rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from app.retrieval.first_token import shorten, turned


class ShortModernBert:
    """(ids, mask), int64 (batch, tokens) → logits, float32 (batch,). The model's weights must stay as they are."""

    def __init__(self, model: Any) -> None:
        body = model.model
        first, *_ = self.layers = list(body.layers)
        with torch.inference_mode():
            self.states = body.embeddings.norm(body.embeddings.tok_embeddings.weight)
            self.first = first.attn.Wqkv(first.attn_norm(self.states))
        self.model, self.head_dim = model, first.attn.head_dim

    @classmethod
    def of(cls, model: PreTrainedModel) -> ShortModernBert | None:
        """None for every model that is not such a one, looks at windows, or is on a GPU."""
        kinds = getattr(model.config, "layer_types", None) or ["none"]
        whole = len(kinds) > 1 and set(kinds) == {"full_attention"}
        return cls(model) if model.device.type == "cpu" and whole and shorten(model) else None

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        with torch.inference_mode():
            seen = None if mask.all() else mask.bool()[:, None, None]
            places = self.model.model.rotary_emb(self.states, torch.arange(ids.shape[1])[None], "full_attention")
            hidden, looked_up = functional.embedding(ids, self.states), functional.embedding(ids, self.first)
            for number, layer in enumerate(self.layers[:-1]):
                qkv = layer.attn.Wqkv(layer.attn_norm(hidden)) if number else looked_up
                hidden = hidden + layer.attn.Wo(self._attended(qkv, seen, places))
                hidden = hidden + layer.mlp(layer.mlp_norm(hidden))
            last = self.layers[-1](hidden, attention_mask=seen, position_embeddings=places)
            logits: Tensor = self.model.classifier(self.model.head(self.model.model.final_norm(last[:, 0])))
        return logits[:, 0].float()

    def _attended(self, qkv: Tensor, seen: Tensor | None, places: tuple[Tensor, Tensor]) -> Tensor:
        """softmax(q kᵀ / √head) v of all tokens: (batch, tokens, 3 dim) → (batch, tokens, dim)."""
        batch, tokens = qkv.shape[:2]
        parts = qkv.view(batch, tokens, 3, -1, self.head_dim).permute(2, 0, 3, 1, 4)
        query, key = turned(parts[:2], *places)
        scores = query.mul_(self.head_dim**-0.5) @ key.mT
        if seen is not None:
            scores.masked_fill_(~seen, -torch.inf)
        return (torch.softmax(scores, dim=-1) @ parts[2]).transpose(1, 2).flatten(2)
