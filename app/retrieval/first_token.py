"""The short way through a cross-encoder that reads its first token: the last block computes that token alone.

The other tokens of the last block are keys and values only, so their queries, outputs and feed-forward are never
computed, and their values only as one average a head. The logits are the same; of two blocks little more than half of
the matrix products is left.
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
    """What the first token takes from all, (batch, 1, dim): softmax(q kᵀ / √head) v.

    The values of a head are one matrix for all tokens, so the states are averaged before it and not after.
    """
    assert positions is not None
    attention, normed, dim = layer.attn, layer.attn_norm(hidden), hidden.shape[-1]
    weight, bias = attention.Wqkv.weight, attention.Wqkv.bias
    parts = weight.split(dim), (None, None, None) if bias is None else bias.split(dim)
    of_query, of_key, of_value = zip(*parts, strict=True)
    batch, tokens = hidden.shape[:2]
    query = functional.linear(normed[:, :1], *of_query).view(batch, 1, -1, attention.head_dim).transpose(1, 2)
    key = functional.linear(normed, *of_key).view(batch, tokens, -1, attention.head_dim).transpose(1, 2)
    cos, sin = positions
    scores = turned(query, cos[:, :1], sin[:, :1]) @ turned(key, cos, sin).mT * attention.head_dim**-0.5
    if mask is not None:
        seen = mask[:, :, :1]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen
    shares = functional.softmax(scores, dim=-1, dtype=torch.float32).to(normed.dtype)
    shares = functional.dropout(shares, attention.attention_dropout, attention.training)
    values, bias = (None if part is None else part.view(-1, attention.head_dim, *part.shape[1:]) for part in of_value)
    found = torch.einsum("bhd,hkd->bhk", shares[:, :, 0] @ normed, values)
    if bias is not None:
        found = found + shares[:, :, 0].sum(dim=-1, keepdim=True) * bias
    return found.reshape(batch, 1, dim)


def turned(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions of (…, batch, heads, tokens, head) by cos and sin (batch or 1, tokens, head): the halves of each
    head are the two coordinates."""
    left, right = states.chunk(2, dim=-1)
    (cos, _), (sin, _) = cos.unsqueeze(1).chunk(2, dim=-1), sin.unsqueeze(1).chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)
