"""What the blocks of a model are made of, for inference."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from app.retrieval import device as devices

Weights = dict[str, Tensor]
"""By name."""
Given = TypeVar("Given")
Product = Callable[[Tensor], Tensor]
"""(…, dim) → (…, dim)."""


def same(given: Given) -> Given:
    return given


class Linear:
    """states · weightᵀ + bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias

    def __call__(self, states: Tensor) -> Tensor:
        return functional.linear(states, self.weight, self.bias)

    def split(self, count: int) -> list[Linear]:
        """The products whose outputs, one behind the other, are this one's."""
        weights = self.weight.chunk(count)
        biases = [None] * count if self.bias is None else self.bias.chunk(count)
        return [Linear(weight, bias) for weight, bias in zip(weights, biases, strict=True)]

    def by_head(self, states: Tensor) -> Tensor:
        """The n-th part of what is given for states of the n-th head: (heads, rows, dim) → (rows, dim)."""
        heads, rows, dim = states.shape
        found = torch.bmm(states, self.weight.view(heads, -1, dim).mT).transpose(0, 1).reshape(rows, -1)
        return found if self.bias is None else found + self.bias


class Int8:
    """A product of bytes: a scale for each row of the weights, one for all states of a batch (dynamic quantisation)."""

    def __init__(self, plain: Linear) -> None:
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


class Norm:
    """Layer normalisation over the last dimension."""

    def __init__(self, weight: Tensor, bias: Tensor | None, eps: float) -> None:
        self.weight, self.bias, self.eps = weight, bias, eps

    def __call__(self, states: Tensor) -> Tensor:
        return functional.layer_norm(states, self.weight.shape, self.weight, self.bias, self.eps)
