"""A BERT, RoBERTa, XLM-RoBERTa or ELECTRA cross-encoder, computed the short way (short_model.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from app.retrieval.layers import Linear, Product, same
from app.retrieval.packed import Packed
from app.retrieval.short_model import Parts, ShortModel


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs: the name before that of each weight, the product after the last block and its activation, the one
    that gives the logit, and whether places are counted from behind the padding token's number."""

    body: str
    dense: str
    activation: Callable[[Tensor], Tensor]
    output: str
    after_padding: bool = False


ROBERTA = Kind("roberta", "classifier.dense", torch.tanh, "classifier.out_proj", after_padding=True)
KINDS = {
    "BertForSequenceClassification": Kind("bert", "bert.pooler.dense", torch.tanh, "classifier"),
    "RobertaForSequenceClassification": ROBERTA,
    "XLMRobertaForSequenceClassification": ROBERTA,
    "ElectraForSequenceClassification": Kind("electra", "classifier.dense", functional.gelu, "classifier.out_proj"),
}
NEEDED = {"hidden_size", "num_hidden_layers", "num_attention_heads", "layer_norm_eps", "pad_token_id"}
"""Of a config.json."""


class ShortBert(ShortModel):
    """Pairs of (ids, segments) → logits, float32 (pairs,), in their order."""

    @staticmethod
    def _fits(settings: dict[str, Any]) -> bool:
        return (
            len(settings.get("architectures") or ()) == 1
            and settings["architectures"][0] in KINDS
            and settings.keys() >= NEEDED
            and len(settings.get("id2label", {})) == 1
            and settings.get("hidden_act") == "gelu"
            and settings.get("position_embedding_type", "absolute") == "absolute"
            and not settings.get("is_decoder")
            and not settings.get("add_cross_attention")
        )

    def _eps(self) -> float:
        return float(self.config.layer_norm_eps)

    def _build(self, parts: Parts) -> None:
        self._kind = KINDS[self.config.architectures[0]]
        self._first_place = self.config.pad_token_id + 1 if self._kind.after_padding else 0
        body, embeddings = self._kind.body, f"{self._kind.body}.embeddings"
        parts.weights.pop(f"{embeddings}.position_ids", None)
        self._words = parts.table(f"{embeddings}.word_embeddings")
        self._positions = parts.table(f"{embeddings}.position_embeddings")
        self._segments = parts.table(f"{embeddings}.token_type_embeddings")
        self._norm = parts.norm(f"{embeddings}.LayerNorm")
        project = f"{embeddings}_project"
        self._project = parts.linear(project) if project in parts else same
        *blocks, last = (f"{body}.encoder.layer.{n}" for n in range(self.config.num_hidden_layers))
        self._blocks = [_Block(name, parts) for name in blocks]
        self._last = _LastBlock(last, parts)
        self._dense, self._output = parts.linear(self._kind.dense), parts.linear(self._kind.output)

    def _logits(self, ids: Tensor, segments: Tensor, packed: Packed) -> Tensor:
        hidden = functional.embedding(ids, self._words)
        hidden = hidden + functional.embedding(packed.places + self._first_place, self._positions)
        hidden = hidden + functional.embedding(segments, self._segments)
        hidden = self._project(self._norm(hidden))
        for block in self._blocks:
            hidden = block(hidden, packed)
        read = self._last(hidden, packed)
        return self._output(self._kind.activation(self._dense(read)))[:, 0]


class _Block:
    """(rows, dim) → (rows, dim)."""

    def __init__(self, name: str, parts: Parts) -> None:
        three = _three(name, parts)
        biases = [part.bias for part in three if part.bias is not None]
        weight = torch.cat([part.weight for part in three])
        self._qkv = parts.product(Linear(weight, torch.cat(biases) if biases else None))
        self._rest = _Rest(name, parts, parts.product)

    def __call__(self, hidden: Tensor, packed: Packed) -> Tensor:
        return self._rest(packed.attended(self._qkv(hidden)), hidden)


class _LastBlock:
    """For the first token of each text: (rows, dim) → (at least texts, dim)."""

    def __init__(self, name: str, parts: Parts) -> None:
        self._query, self._key, self._value = _three(name, parts)
        self._rest = _Rest(name, parts, same)

    def __call__(self, hidden: Tensor, packed: Packed) -> Tensor:
        first = packed.firsts(hidden)
        query, key = packed.by_head(self._query(first)), packed.by_head(self._key(hidden))
        return self._rest(self._value.by_head(packed.averaged(query, key, hidden)), first)


class _Rest:
    """What follows attention: (what was attended, (n, dim), the block's input, (n, dim)) → (n, dim)."""

    def __init__(self, name: str, parts: Parts, product: Callable[[Linear], Product]) -> None:
        self._attended, self._inner, self._outer = (
            product(parts.linear(f"{name}.{part}.dense")) for part in ("attention.output", "intermediate", "output")
        )
        self._attention_norm, self._norm = (
            parts.norm(f"{name}.{part}.LayerNorm") for part in ("attention.output", "output")
        )

    def __call__(self, attended: Tensor, given: Tensor) -> Tensor:
        hidden = self._attention_norm(self._attended(attended).add_(given))
        return self._norm(self._outer(functional.gelu(self._inner(hidden))).add_(hidden))


def _three(name: str, parts: Parts) -> list[Linear]:
    return [parts.linear(f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
