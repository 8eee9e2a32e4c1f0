"""A ModernBERT cross-encoder, computed the short way (short_model.py): what hangs on a token alone is looked up.

Before the first attention a token knows nothing of its neighbours, so its query, key and value there are taken once for
the whole vocabulary (vocabulary × 3 dim numbers: 74 MB for 32,000 × 384 in bf16). With the last block's first token
alone, two fifths of the matrix products of two blocks are left. That one stands in place 0, which turns nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from app.retrieval.first_token import turned
from app.retrieval.layers import Linear, Product, same
from app.retrieval.packed import Packed, Turns
from app.retrieval.short_model import Parts, ShortModel

KIND = "ModernBertForSequenceClassification"
NEEDED = {"hidden_size", "num_attention_heads", "norm_eps"}
"""Of a config.json."""


class ShortModernBert(ShortModel):
    """Pairs of (ids, segments) → logits, float32 (pairs,), in their order. It has no segments."""

    @staticmethod
    def _fits(settings: dict[str, Any]) -> bool:
        rope = settings.get("rope_parameters", {}).get("full_attention", {})
        return (
            settings.get("architectures") == [KIND]
            and settings.keys() >= NEEDED
            and settings.get("classifier_pooling") == "cls"
            and len(settings.get("id2label", {})) == 1
            and len(settings.get("layer_types", ())) > 1
            and set(settings["layer_types"]) == {"full_attention"}
            and rope.get("rope_type") == "default"
            and settings.get("hidden_activation") == settings.get("classifier_activation") == "gelu"
        )

    def _eps(self) -> float:
        return float(self.config.norm_eps)

    def _build(self, parts: Parts) -> None:
        self._states = parts.norm("model.embeddings.norm")(parts.table("model.embeddings.tok_embeddings"))
        first, *names, last = (f"model.layers.{n}" for n in range(len(self.config.layer_types)))
        self._first = parts.linear(f"{first}.attn.Wqkv")(self._states)
        self._rest_of_first = _Rest(first, parts, parts.product)
        self._blocks = [_Block(name, parts) for name in names]
        self._last, self._final_norm = _LastBlock(last, parts), parts.norm("model.final_norm")
        self._dense, self._head_norm = parts.linear("head.dense"), parts.norm("head.norm")
        self._classifier = parts.linear("classifier")

    def _logits(self, ids: Tensor, segments: Tensor, packed: Packed) -> Tensor:
        turns = self._turns(packed.widest)
        hidden, qkv = functional.embedding(ids, self._states), functional.embedding(ids, self._first)
        hidden = self._rest_of_first(packed.attended(qkv, turns), hidden)
        for block in self._blocks:
            hidden = block(hidden, packed, turns)
        read = self._final_norm(self._last(hidden, packed, turns))
        return self._classifier(self._head_norm(functional.gelu(self._dense(read))))[:, 0]

    def _turns(self, tokens: int) -> Turns:
        theta = self.config.rope_parameters["full_attention"]["rope_theta"]
        turns = torch.arange(tokens)[:, None] / theta ** (torch.arange(0, self.head_dim, 2) / self.head_dim)
        both = torch.cat((turns, turns), dim=1)[None]
        return both.cos().to(self.dtype), both.sin().to(self.dtype)


class _Block:
    """(rows, dim) → (rows, dim)."""

    def __init__(self, name: str, parts: Parts) -> None:
        self._norm, self._qkv = parts.norm(f"{name}.attn_norm"), parts.product(parts.linear(f"{name}.attn.Wqkv"))
        self._rest = _Rest(name, parts, parts.product)

    def __call__(self, hidden: Tensor, packed: Packed, turns: Turns) -> Tensor:
        return self._rest(packed.attended(self._qkv(self._norm(hidden)), turns), hidden)


class _LastBlock:
    """For the first token of each text: (rows, dim) → (at least texts, dim)."""

    def __init__(self, name: str, parts: Parts) -> None:
        self._norm = parts.norm(f"{name}.attn_norm")
        self._query, self._key, self._value = parts.linear(f"{name}.attn.Wqkv").split(3)
        self._rest = _Rest(name, parts, same)

    def __call__(self, hidden: Tensor, packed: Packed, turns: Turns) -> Tensor:
        normed = self._norm(hidden)
        query, key = self._query(packed.firsts(normed)), packed.by_head(self._key(normed))
        cos, sin = (turn.index_select(1, packed.places) for turn in turns)
        averages = packed.averaged(packed.by_head(query), turned(key[None], cos, sin)[0], normed)
        return self._rest(self._value.by_head(averages), packed.firsts(hidden))


class _Rest:
    """What follows attention: (what was attended, (n, dim), the block's input, (n, dim)) → (n, dim)."""

    def __init__(self, name: str, parts: Parts, product: Callable[[Linear], Product]) -> None:
        self._attended = product(parts.linear(f"{name}.attn.Wo"))
        self._norm = parts.norm(f"{name}.mlp_norm")
        self._inner, self._outer = (product(parts.linear(f"{name}.mlp.{part}")) for part in ("Wi", "Wo"))

    def __call__(self, attended: Tensor, given: Tensor) -> Tensor:
        hidden = self._attended(attended).add_(given)
        left, gate = self._inner(self._norm(hidden)).chunk(2, dim=-1)
        return self._outer(functional.gelu(left).mul_(gate)).add_(hidden)
