"""What the cross-encoders that we compute ourselves on a CPU have in common: pairs in, logits out, no padding.

The weights are read by the names that they have in their file, without the library: its import takes longer than all
other loading, and holds more memory than a small model. The last block computes its first token alone
(first_token.py). The logits are those of the library but for rounding.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from app.retrieval import device as devices
from app.retrieval.layers import Int8, Linear, Norm, Product, Weights
from app.retrieval.packed import Packed
from app.retrieval.types import Tokens


class ShortModel(ABC):
    """Pairs of (ids, segments) → logits, float32 (pairs,), in their order. Safe to call from several threads."""

    def __init__(self, settings: dict[str, Any], weights: Weights, int8: bool = False) -> None:
        """`settings` as in config.json; `weights` as in the file, and used up. With `int8` the products that all tokens
        take part in are of bytes.

        Raises KeyError where a weight is missing, ValueError where one is left.
        """
        self.config = SimpleNamespace(**settings)
        self.heads = int(self.config.num_attention_heads)
        self.head_dim = int(self.config.hidden_size) // self.heads
        some = weights[min(weights)]
        self.dtype, self.device = some.dtype, some.device
        self.format = "int8" if int8 else devices.FORMATS[self.dtype]
        with torch.inference_mode():
            self._build(Parts(weights, self._eps(), int8))
        if weights:
            raise ValueError(f"the weights hold {len(weights)} that the model has no place for, e.g. {min(weights)}")

    @classmethod
    def read(cls, folder: Path, dtype: torch.dtype, int8: bool = False) -> Self | None:
        """The model of a folder; None for every other kind.

        Raises one of devices.UNREADABLE where the files are broken or do not belong together.
        """
        path, weights = folder / "config.json", folder / "model.safetensors"
        settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() and weights.exists() else {}
        if not cls._fits(settings):
            return None
        return cls(settings, {name: weight.to(dtype) for name, weight in load_file(weights).items()}, int8)

    def __call__(self, pairs: Sequence[tuple[Tokens, Tokens]]) -> Tensor:
        lengths = np.array([len(ids) for ids, _ in pairs], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        ids, segments = (
            torch.from_numpy(np.concatenate([pairs[n][part] for n in order]).astype(np.int64)) for part in (0, 1)
        )
        found = torch.empty(len(pairs), dtype=torch.float32)
        with torch.inference_mode():
            packed = Packed(lengths[order], self.heads, self.head_dim, self.dtype)
            logits = self._logits(packed.spread(ids), packed.spread(segments), packed)
            found[torch.from_numpy(order)] = logits[: len(pairs)].float()
        return found

    @staticmethod
    @abstractmethod
    def _fits(settings: dict[str, Any]) -> bool:
        """Whether a config.json says of a model that it may be computed so."""

    @abstractmethod
    def _eps(self) -> float:
        """Of the norms."""

    @abstractmethod
    def _build(self, parts: Parts) -> None:
        """Take what the model is made of."""

    @abstractmethod
    def _logits(self, ids: Tensor, segments: Tensor, packed: Packed) -> Tensor:
        """ids and segments int64 (rows,) → (at least texts,)."""


class Parts:
    """What a weights file holds, by name. Each is taken once; KeyError where it is not there."""

    def __init__(self, weights: Weights, eps: float, int8: bool) -> None:
        self.weights, self.eps, self._int8 = weights, eps, int8

    def __contains__(self, name: str) -> bool:
        return f"{name}.weight" in self.weights

    def table(self, name: str) -> Tensor:
        return self.weights.pop(f"{name}.weight")

    def linear(self, name: str) -> Linear:
        return Linear(self.table(name), self.weights.pop(f"{name}.bias", None))

    def norm(self, name: str) -> Norm:
        return Norm(self.table(name), self.weights.pop(f"{name}.bias", None), self.eps)

    def product(self, plain: Linear) -> Product:
        """One in which all tokens take part: of bytes where that was asked for."""
        return Int8(plain) if self._int8 else plain
