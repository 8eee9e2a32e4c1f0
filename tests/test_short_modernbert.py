"""The short way through a ModernBERT: the logits of the whole model, and who may take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from app.retrieval import device as devices
from app.retrieval.short_modernbert import ShortModernBert
from tests.test_first_token import SIZE, batch, modern

WHOLE = {"global_attn_every_n_layers": 1}


def read(folder: Path, model: Any, dtype: torch.dtype = torch.float32, int8: bool = False) -> ShortModernBert | None:
    model.save_pretrained(str(folder))
    return ShortModernBert.read(folder, dtype, int8)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("more", [{}, {"attention_bias": True, "norm_bias": True, "mlp_bias": True}])
@pytest.mark.parametrize("blocks", [2, 3])
def test_logits_are_those_of_the_whole_model(tmp_path: Path, padded: bool, more: dict[str, Any], blocks: int) -> None:
    settings: dict[str, Any] = {**WHOLE, **more, "num_hidden_layers": blocks}
    features = batch(padded)
    whole, short = modern(**settings)(**features).logits[:, 0], read(tmp_path, modern(**settings))
    assert short is not None
    assert whole.std() > 1e-3, "logits that do not differ compare nothing"
    found = short(features["input_ids"], features["attention_mask"])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, whole.detach(), rtol=1e-4, atol=1e-5)


def test_texts_may_be_longer_than_the_model_says(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**WHOLE, "num_hidden_layers": 2, "max_position_embeddings": 16}
    features = batch(padded=False)
    short = read(tmp_path, modern(**settings))
    assert short is not None
    found = short(features["input_ids"], features["attention_mask"])
    torch.testing.assert_close(found, modern(**settings)(**features).logits[:, 0].detach(), rtol=1e-4, atol=1e-5)


def test_in_bf16_it_is_as_near_to_fp32_as_the_library(tmp_path: Path) -> None:
    settings: dict[str, Any] = {**WHOLE, "num_hidden_layers": 2}
    features = batch(padded=True)
    exact = modern(**settings)(**features).logits[:, 0]
    library = modern(**settings).to(torch.bfloat16)(**features).logits[:, 0].float()
    short = read(tmp_path, modern(**settings), torch.bfloat16)
    assert short is not None
    found = short(features["input_ids"], features["attention_mask"])
    assert (found - exact).abs().mean() < 2 * (library - exact).abs().mean()


@pytest.mark.parametrize("seven_bits", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_bytes_it_is_near_to_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, seven_bits: bool
) -> None:
    monkeypatch.setattr(devices, "cpu_computes_int8", lambda: not seven_bits)
    settings: dict[str, Any] = {**WHOLE, "num_hidden_layers": 3, "attention_bias": True}
    features = batch(padded=True)
    exact = modern(**settings)(**features).logits[:, 0].detach()
    short = read(tmp_path, modern(**settings), dtype, int8=True)
    assert short is not None
    assert short.format == "int8"
    found = short(features["input_ids"], features["attention_mask"])
    assert (found - exact).abs().max() < 0.15 * exact.std()
    assert (found - exact).abs().max() > 0


@pytest.mark.parametrize(
    ("flags", "precision", "chosen"),
    [
        ({"avx512_vnni"}, "auto", True),
        ({"avx_vnni"}, "auto", True),
        ({"avx512_vnni", "avx512_bf16"}, "auto", False),
        ({"avx2"}, "auto", False),
        ({"avx512_vnni"}, "fp32", False),
        ({"avx2"}, "int8", True),
    ],
)
def test_bytes_are_chosen_where_they_are_the_fastest(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], precision: Any, chosen: bool
) -> None:
    monkeypatch.setattr(devices, "cpu_flags", lambda: frozenset(flags))
    assert devices.in_int8(precision) is chosen


@pytest.mark.parametrize(
    "more",
    [{"classifier_pooling": "mean", **WHOLE}, {"global_attn_every_n_layers": 3}, {"num_hidden_layers": 1, **WHOLE}],
)
def test_others_are_computed_whole(tmp_path: Path, more: dict[str, Any]) -> None:
    assert read(tmp_path, modern(**more)) is None


def test_a_bert_is_computed_whole(tmp_path: Path) -> None:
    assert read(tmp_path, BertForSequenceClassification(BertConfig(**SIZE))) is None
