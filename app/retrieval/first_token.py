"""The short way through a cross-encoder that reads its first token: the last block computes that token alone.

The other tokens of the last block are keys and values only, so their queries, outputs and feed-forward are never
computed. The logits are the same; of two blocks three fifths of the matrix products are left.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import ModernBertForSequenceClassification, PreTrainedModel


def shorten(model: PreTrainedModel) -> bool:
    """Make `model` compute its last block for the first token only. False, and nothing done, where that is no equal.

    It is for a ModernBERT that is pooled by its first token and has no adapter.
    """
    plain = isinstance(model, ModernBertForSequenceClassification) and model.config.classifier_pooling == "cls"
    if not plain or type(model.model.layers[-1].attn.Wqkv) is not torch.nn.Linear:
        return False
    last = model.model.layers[-1]
    last.forward = partial(_block, last)
    return True


def _block(
    layer: Any,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    position_embeddings: tuple[Tensor, Tensor] | None = None,
    **_: Any,
) -> Tensor:
    """(batch, tokens, dim) → (batch, 1, dim)."""
    first, attention = hidden_states[:, :1], layer.attn
    attended = attention.out_drop(attention.Wo(_attended(layer, hidden_states, attention_mask, position_embeddings)))
    first = first + attended
    found: Tensor = first + layer.mlp(layer.mlp_norm(first))
    return found


def _attended(layer: Any, hidden: Tensor, mask: Tensor | None, positions: tuple[Tensor, Tensor] | None) -> Tensor:
    """What the first token takes from all, (batch, 1, dim): softmax(q kᵀ / √head) v, as the library computes it."""
    assert positions is not None
    attention, normed, dim = layer.attn, layer.attn_norm(hidden), hidden.shape[-1]
    weight, bias = attention.Wqkv.weight, attention.Wqkv.bias
    one, rest = (None, None) if bias is None else (bias[:dim], bias[dim:])
    batch, tokens = hidden.shape[:2]
    query = functional.linear(normed[:, :1], weight[:dim], one).view(batch, 1, -1, attention.head_dim)
    both = functional.linear(normed, weight[dim:], rest).view(batch, tokens, 2, -1, attention.head_dim)
    keys, values = both.unbind(dim=-3)
    cos, sin = (part.unsqueeze(2) for part in positions)
    query, keys = _turned(query, cos[:, :1], sin[:, :1]), _turned(keys, cos, sin)
    scores = torch.einsum("bqhd,bkhd->bhqk", query, keys) * attention.head_dim**-0.5
    if mask is not None:
        seen = mask[:, :, :1]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen
    shares = functional.softmax(scores, dim=-1, dtype=torch.float32).to(values.dtype)
    shares = functional.dropout(shares, attention.attention_dropout, attention.training)
    return torch.einsum("bhqk,bkhd->bqhd", shares, values).flatten(2)


def _turned(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions of (batch, tokens, heads, head): the halves of each head are the two coordinates."""
    left, right = states.float().chunk(2, dim=-1)
    return (states.float() * cos + torch.cat((-right, left), dim=-1) * sin).to(states.dtype)
