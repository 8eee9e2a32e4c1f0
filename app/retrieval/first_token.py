"""The short way through a cross-encoder that reads its first token: the last block computes that token alone.

The other tokens of the last block are keys and values only, so their queries, outputs and feed-forward are never
computed, and their values only as one average a head. Where positions do not turn the keys (a BERT), the one query is
taken through the keys' matrix instead of every token. The logits are the same; of two blocks little more than half of
the matrix products is left, of six five.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MODERN = "ModernBertForSequenceClassification"
BERTS = frozenset(f"{name}ForSequenceClassification" for name in ("Bert", "Roberta", "XLMRoberta", "Electra"))
"""Their heads read the first token, and their blocks have the same parts."""


def shorten(model: PreTrainedModel) -> bool:
    """Make `model` compute its last block for the first token only. False, and nothing done, where that is no equal.

    It is for a ModernBERT that is pooled by its first token, and for a BERT, RoBERTa or ELECTRA; without an adapter.
    """
    body: Any = model.base_model
    kind = type(model).__name__
    if kind == MODERN and model.config.classifier_pooling == "cls":
        last, short = body.layers[-1], block
        parts = [last.attn.Wqkv]
    elif kind in BERTS and not model.config.is_decoder and not getattr(model.config, "add_cross_attention", False):
        last, short = body.encoder.layer[-1], _bert_block
        parts = [last.attention.self.query, last.attention.self.key, last.attention.self.value]
    else:
        return False
    if any(type(part) is not torch.nn.Linear for part in parts):
        return False
    last.forward = partial(short, last)
    return True


def block(
    layer: Any,
    hidden_states: Tensor,
    attention_mask: Tensor | None = None,
    position_embeddings: tuple[Tensor, Tensor] | None = None,
    **_: Any,
) -> Tensor:
    """A block of a ModernBERT for the first token: (batch, tokens, dim) → (batch, 1, dim)."""
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
    shares = functional.dropout(_shares(scores, mask), attention.attention_dropout, attention.training)
    return _averaged(shares, normed, *of_value, attention.head_dim)


def _bert_block(layer: Any, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
    """A block of a BERT for the first token: (batch, tokens, dim) → (batch, 1, dim)."""
    attention, first = layer.attention.self, hidden_states[:, :1]
    size, key = attention.attention_head_size, attention.key
    query = attention.query(first).view(len(first), -1, size)
    through = torch.einsum("bhk,hkd->bhd", query, key.weight.view(-1, size, key.weight.shape[1]))
    offset = torch.einsum("bhk,hk->bh", query, key.bias.view(-1, size))
    scores = (through @ hidden_states.mT + offset[:, :, None])[:, :, None] * size**-0.5
    shares = attention.dropout(_shares(scores, attention_mask))
    attended = _averaged(shares, hidden_states, attention.value.weight, attention.value.bias, size)
    found: Tensor = layer.feed_forward_chunk(layer.attention.output(attended, first))
    return found


def _shares(scores: Tensor, mask: Tensor | None) -> Tensor:
    """softmax over the tokens that the mask lets see, (batch, heads, 1, tokens)."""
    if mask is not None:
        seen = mask[:, :, :1]
        scores = scores.masked_fill(~seen, -torch.inf) if seen.dtype == torch.bool else scores + seen
    return functional.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)


def _averaged(shares: Tensor, states: Tensor, weight: Tensor, bias: Tensor | None, size: int) -> Tensor:
    """Σ share × value by heads, (batch, 1, dim): the values of a head are one matrix for all tokens, so the states are
    averaged before it and not after."""
    found = torch.einsum("bhd,hkd->bhk", shares[:, :, 0] @ states, weight.view(-1, size, weight.shape[1]))
    if bias is not None:
        found = found + shares[:, :, 0].sum(dim=-1, keepdim=True) * bias.view(-1, size)
    return found.flatten(1)[:, None]


def turned(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions of (…, batch, heads, tokens, head) by cos and sin (batch or 1, tokens, head): the halves of each
    head are the two coordinates."""
    left, right = states.chunk(2, dim=-1)
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    size = left.shape[-1]
    signed = torch.cat((-sin[..., :size], sin[..., size:]), dim=-1)
    return torch.addcmul(states * cos, torch.cat((right, left), dim=-1), signed)
