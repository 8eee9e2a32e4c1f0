"""The short way through a cross-encoder: the logits of the whole model, and who may take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from app.retrieval import device as devices
from app.retrieval.reranker import Pair
from app.retrieval.short_bert import ShortBert
from app.retrieval.short_model import ShortModel
from app.retrieval.short_modernbert import ShortModernBert
from tests.test_first_token import BERTS, bert, modern

WHOLE = {"global_attn_every_n_layers": 1}
KINDS = ["modernbert", *BERTS]
LENGTHS = [9, 40, 2, 23, 23, 31, 64, 5]
PAD = 0


def made(kind: str, **more: Any) -> Any:
    return modern(**{**WHOLE, **more}) if kind == "modernbert" else bert(kind, **more)


def read(folder: Path, model: Any, dtype: torch.dtype = torch.float32, int8: bool = False) -> ShortModel | None:
    model.save_pretrained(str(folder))
    return ShortModernBert.read(folder, dtype, int8) or ShortBert.read(folder, dtype, int8)


def short_of(folder: Path, model: Any, dtype: torch.dtype = torch.float32, int8: bool = False) -> ShortModel:
    found = read(folder, model, dtype, int8)
    assert found is not None
    return found


def texts(lengths: list[int], segments: int = 2) -> list[Pair]:
    numbers = np.random.default_rng(5)
    ids = [numbers.integers(4, 60, length, dtype=np.int32) for length in lengths]
    return [(one, np.where(np.arange(len(one)) < len(one) // 2, 0, segments - 1).astype(np.int32)) for one in ids]


def whole(model: Any, pairs: list[Pair]) -> Tensor:
    """Each text by itself, which pads nothing."""
    typed = getattr(model.config, "type_vocab_size", None)
    logits = []
    with torch.no_grad():
        for ids, segments in pairs:
            features = {"input_ids": torch.from_numpy(ids.astype(np.int64))[None]}
            features["attention_mask"] = torch.ones_like(features["input_ids"])
            if typed:
                features["token_type_ids"] = torch.from_numpy(segments.astype(np.int64))[None]
            logits.append(model(**features).logits[0, 0].float())
    return torch.stack(logits)


@pytest.mark.parametrize("lengths", [LENGTHS, [7], [33] * 40])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blocks", [2, 4])
def test_logits_are_those_of_the_whole_model(tmp_path: Path, kind: str, blocks: int, lengths: list[int]) -> None:
    model = made(kind, num_hidden_layers=blocks)
    pairs = texts(lengths, getattr(model.config, "type_vocab_size", 1))
    expected = whole(model, pairs)
    assert len(lengths) == 1 or expected.std() > 1e-3, "logits that do not differ compare nothing"
    found = short_of(tmp_path, model)(pairs)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5)


def test_of_a_modernbert_with_biases_and_longer_texts_than_it_says(tmp_path: Path) -> None:
    more: dict[str, Any] = {"attention_bias": True, "norm_bias": True, "mlp_bias": True, "max_position_embeddings": 16}
    model = made("modernbert", num_hidden_layers=3, **more)
    torch.testing.assert_close(
        short_of(tmp_path, model)(texts(LENGTHS)), whole(model, texts(LENGTHS)), rtol=1e-4, atol=2e-5
    )


def test_of_an_electra_with_narrow_embeddings(tmp_path: Path) -> None:
    model = made("electra", embedding_size=16)
    torch.testing.assert_close(
        short_of(tmp_path, model)(texts(LENGTHS)), whole(model, texts(LENGTHS)), rtol=1e-4, atol=2e-5
    )


def test_segments_are_read(tmp_path: Path) -> None:
    short, pairs = short_of(tmp_path, made("bert")), texts(LENGTHS)
    others = [(ids, 1 - segments) for ids, segments in pairs]
    assert (short(pairs) - short(others)).abs().min() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_in_bf16_it_is_as_near_to_fp32_as_the_library(tmp_path: Path, kind: str) -> None:
    model = made(kind)
    pairs = texts(LENGTHS, getattr(model.config, "type_vocab_size", 1))
    exact, found = whole(model, pairs), short_of(tmp_path, model, torch.bfloat16)(pairs)
    library = whole(model.to(torch.bfloat16), pairs)
    assert (found - exact).abs().mean() < 2 * (library - exact).abs().mean()


@pytest.mark.parametrize("seven_bits", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", ["modernbert", "bert"])
def test_in_bytes_it_is_near_to_fp32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, dtype: torch.dtype, seven_bits: bool
) -> None:
    monkeypatch.setattr(devices, "cpu_computes_int8", lambda: not seven_bits)
    model, pairs = made(kind, num_hidden_layers=3), texts(LENGTHS)
    exact, short = whole(model, pairs), short_of(tmp_path, model, dtype, int8=True)
    assert short.format == "int8"
    found = short(pairs)
    assert 0 < (found - exact).abs().max() < 0.2 * exact.std()


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
    "more", [{"classifier_pooling": "mean"}, {"global_attn_every_n_layers": 3}, {"num_hidden_layers": 1}]
)
def test_other_modernberts_are_computed_whole(tmp_path: Path, more: dict[str, Any]) -> None:
    assert read(tmp_path, made("modernbert", **more)) is None


@pytest.mark.parametrize("more", [{"is_decoder": True}, {"hidden_act": "relu"}, {"num_labels": 2}])
def test_other_berts_are_computed_whole(tmp_path: Path, more: dict[str, Any]) -> None:
    assert read(tmp_path, made("bert", **more)) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("more", "error", "said"), [(1, KeyError, r"\.3\."), (-1, ValueError, "has no place for")])
def test_weights_of_another_size_are_refused(
    tmp_path: Path, kind: str, more: int, error: type[Exception], said: str
) -> None:
    model = made(kind)
    blocks = model.config.num_hidden_layers + more
    model.config.num_hidden_layers, model.config.layer_types = blocks, ["full_attention"] * blocks
    with pytest.raises(error, match=said):
        read(tmp_path, model)
