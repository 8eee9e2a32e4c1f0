"""A ModernBERT cross-encoder on a CPU, computed the short way: what hangs on a token alone is looked up.

Before the first attention a token knows nothing of its neighbours, so its query, key and value there are taken once for
the whole vocabulary (vocabulary × 3 dim numbers: 74 MB for 32,000 × 384 in bf16). The last block computes its first
token alone (first_token.py). Of two blocks two fifths of the matrix products are left, and the logits are those of the
library but for rounding. The weights are read by the names that they have in their file, without the library: its
import takes longer than all other loading, and holds more memory than the model.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from app.retrieval import device as devices
from app.retrieval.first_token import block, turned

KIND = "ModernBertForSequenceClassification"
NEEDED = {"hidden_size", "num_attention_heads", "norm_eps"}
"""Of a config.json."""
Weights = dict[str, Tensor]


class ShortModernBert:
    """(ids, mask), int64 (batch, tokens) → logits, float32 (batch,). Safe to call from several threads."""

    def __init__(self, settings: dict[str, Any], weights: Weights, int8: bool = False) -> None:
        """`settings` as in config.json; `weights` as in the file, and used up. With `int8` the products that all tokens
        take part in are of bytes.

        Raises KeyError where one is missing, ValueError where one is left.
        """
        self.config = SimpleNamespace(**settings)
        self._head_dim = self.config.hidden_size // self.config.num_attention_heads
        embedding = weights.pop("model.embeddings.tok_embeddings.weight")
        self._layers = [self._layer(f"model.layers.{n}", weights) for n in range(len(settings["layer_types"]))]
        self._final_norm = self._norm("model.final_norm", weights)
        self._dense, self._head_norm = _Linear("head.dense", weights), self._norm("head.norm", weights)
        self._classifier = _Linear("classifier", weights)
        with torch.inference_mode():
            self._states = self._norm("model.embeddings.norm", weights)(embedding)
            self._first: Tensor = self._layers[0].attn.Wqkv(self._states)
        if int8:
            self._take_bytes()
        if weights:
            raise ValueError(f"the weights hold {len(weights)} that a {KIND} has no place for, e.g. {min(weights)}")
        self.dtype, self.device = embedding.dtype, embedding.device
        self.format = "int8" if int8 else devices.FORMATS[self.dtype]

    @classmethod
    def read(cls, folder: Path, dtype: torch.dtype, int8: bool = False) -> ShortModernBert | None:
        """The model of a folder; None for every other kind, and for one that looks at windows.

        Raises one of devices.UNREADABLE where the files are broken or do not belong together.
        """
        path, weights = folder / "config.json", folder / "model.safetensors"
        settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() and weights.exists() else {}
        if not _is_short(settings):
            return None
        return cls(settings, {name: weight.to(dtype) for name, weight in load_file(weights).items()}, int8)

    def _layer(self, name: str, weights: Weights) -> SimpleNamespace:
        """A block with the names that the library gives its parts; before the first attention there is no norm."""
        attention = SimpleNamespace(
            Wqkv=_Linear(f"{name}.attn.Wqkv", weights), Wo=_Linear(f"{name}.attn.Wo", weights),
            head_dim=self._head_dim, attention_dropout=0.0, training=False, out_drop=_same,
        )  # fmt: skip
        first = f"{name}.attn_norm.weight" not in weights
        return SimpleNamespace(
            attn_norm=_same if first else self._norm(f"{name}.attn_norm", weights), attn=attention,
            mlp_norm=self._norm(f"{name}.mlp_norm", weights), mlp=_Mlp(f"{name}.mlp", weights),
        )  # fmt: skip

    def _take_bytes(self) -> None:
        for layer in self._layers[:-1]:
            layer.attn.Wqkv, layer.attn.Wo = _Int8(layer.attn.Wqkv), _Int8(layer.attn.Wo)
            layer.mlp.inner, layer.mlp.outer = _Int8(layer.mlp.inner), _Int8(layer.mlp.outer)

    def _norm(self, name: str, weights: Weights) -> _Norm:
        return _Norm(name, weights, self.config.norm_eps)

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        with torch.inference_mode():
            seen = None if mask.all() else mask.bool()[:, None, None]
            places = self._places(ids.shape[1])
            hidden, looked_up = functional.embedding(ids, self._states), functional.embedding(ids, self._first)
            for number, layer in enumerate(self._layers[:-1]):
                qkv = layer.attn.Wqkv(layer.attn_norm(hidden)) if number else looked_up
                hidden = hidden + layer.attn.Wo(self._attended(qkv, seen, places))
                hidden = hidden + layer.mlp(layer.mlp_norm(hidden))
            last = self._final_norm(block(self._layers[-1], hidden, seen, places)[:, 0])
            logits = self._classifier(self._head_norm(functional.gelu(self._dense(last))))
        return logits[:, 0].float()

    def _places(self, tokens: int) -> tuple[Tensor, Tensor]:
        """cos and sin of rotary positions, (1, tokens, head)."""
        theta = self.config.rope_parameters["full_attention"]["rope_theta"]
        turns = torch.arange(tokens)[:, None] / theta ** (torch.arange(0, self._head_dim, 2) / self._head_dim)
        both = torch.cat((turns, turns), dim=1)[None]
        return both.cos().to(self.dtype), both.sin().to(self.dtype)

    def _attended(self, qkv: Tensor, seen: Tensor | None, places: tuple[Tensor, Tensor]) -> Tensor:
        """softmax(q kᵀ / √head) v of all tokens: (batch, tokens, 3 dim) → (batch, tokens, dim)."""
        batch, tokens = qkv.shape[:2]
        parts = qkv.view(batch, tokens, 3, -1, self._head_dim).permute(2, 0, 3, 1, 4)
        query, key = turned(parts[:2], *places)
        scores = query.mul_(self._head_dim**-0.5) @ key.mT
        if seen is not None:
            scores.masked_fill_(~seen, -torch.inf)
        return (torch.softmax(scores, dim=-1) @ parts[2]).transpose(1, 2).flatten(2)


def _is_short(settings: dict[str, Any]) -> bool:
    """Whether a config.json says of a model that it may be computed so."""
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


def _same(states: Tensor) -> Tensor:
    return states


class _Linear:
    def __init__(self, name: str, weights: Weights) -> None:
        self.weight, self.bias = weights.pop(f"{name}.weight"), weights.pop(f"{name}.bias", None)

    def __call__(self, states: Tensor) -> Tensor:
        return functional.linear(states, self.weight, self.bias)


class _Int8:
    """A product of bytes: a scale for each row of the weights, one for all states of a batch (dynamic quantisation)."""

    def __init__(self, plain: _Linear) -> None:
        weight = plain.weight.float()
        scales = weight.abs().amax(dim=1).double().clamp(min=1e-12) / 127
        with warnings.catch_warnings():
            # torch will drop these tensors one day; oneDNN's operators in their place hung (EXPERIMENTS.md).
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor, torch.quantize_per_channel", UserWarning)
            places = torch.zeros(len(weight), dtype=torch.int64)
            held = torch.quantize_per_channel(weight, scales, places, 0, torch.qint8)
            bias = None if plain.bias is None else plain.bias.float()
            self._packed: Any = torch.ops.quantized.linear_prepack(held, bias)
        self._seven_bits = not devices.cpu_computes_int8()

    def __call__(self, states: Tensor) -> Tensor:
        found: Tensor = torch.ops.quantized.linear_dynamic(states.float(), self._packed, self._seven_bits)
        return found.to(states.dtype)


class _Norm:
    def __init__(self, name: str, weights: Weights, eps: float) -> None:
        self.weight, self.bias, self.eps = weights.pop(f"{name}.weight"), weights.pop(f"{name}.bias", None), eps

    def __call__(self, states: Tensor) -> Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, self.eps)


class _Mlp:
    """W (gelu(left) · gate), both halves of one product."""

    def __init__(self, name: str, weights: Weights) -> None:
        self.inner: _Linear | _Int8 = _Linear(f"{name}.Wi", weights)
        self.outer: _Linear | _Int8 = _Linear(f"{name}.Wo", weights)

    def __call__(self, states: Tensor) -> Tensor:
        left, gate = self.inner(states).chunk(2, dim=-1)
        return self.outer(functional.gelu(left) * gate)
