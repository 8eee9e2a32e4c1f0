"""Folders with older settings hold the same models: libraries of today read both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import AutoTokenizer, ModernBertConfig, ModernBertForSequenceClassification

from app.retrieval.encoder import Encoder
from app.retrieval.reranker import Reranker
from benchmarks.peers import standin
from benchmarks.peers.older import copied, modernbert_settings
from tests import tiny

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ["임대인은 차임을 청구할 수 있다", "해고", "부동산의 물권은 등기하여야 효력이 생긴다"]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("architecture", ["bert", "modernbert"])
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_an_encoder_gives_the_same_vectors(tmp_path: Path, architecture: str, pooling: str) -> None:
    model = tiny.save_encoder(tmp_path / "model", architecture, pooling=pooling)
    older = copied(model, tmp_path / "older")
    assert all(one["type"].startswith("sentence_transformers.models.") for one in read(older / "modules.json"))
    wanted, found = (SentenceTransformer(str(one), device="cpu").encode(TEXTS) for one in (model, older))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_modernbert_gives_the_same_scores(tmp_path: Path, every: int) -> None:
    words, model = tiny.tokenizer(), tmp_path / "model"
    size: Any = {**tiny.sizes(words, spread=0.3), "num_hidden_layers": 4, "num_labels": 1, "local_attention": 4}
    rope: Any = {"global_attn_every_n_layers": every, "global_rope_theta": 500.0, "local_rope_theta": 40.0}
    ends: Any = {"cls_token_id": words.cls_token_id, "sep_token_id": words.sep_token_id}
    torch.manual_seed(3)
    ModernBertForSequenceClassification(ModernBertConfig(**size, **rope, **ends)).save_pretrained(str(model))
    words.save_pretrained(str(model))
    older = copied(model, tmp_path / "older")
    config = read(older / "config.json")
    assert {name: config[name] for name in rope} == {**rope, "global_attn_every_n_layers": min(every, 4)}
    assert not {"layer_types", "rope_parameters"} & set(config)
    pairs = [("차임을 청구한다", text) for text in TEXTS]
    wanted, found = (CrossEncoder(str(one), device="cpu").predict(pairs) for one in (model, older))
    assert len(set(np.round(wanted, 3))) > 1
    np.testing.assert_array_equal(found, wanted)


def test_the_models_that_ship_are_told_in_older_names() -> None:
    config = read(ROOT / "models/beopgil-mini-cross/config.json")
    assert modernbert_settings(config)["global_attn_every_n_layers"] == 1


def test_the_stand_in_is_read_as_before_and_as_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standin, "SIZE", {**standin.SIZE, "num_hidden_layers": 1})
    bi, cross = standin.save_encoder(tmp_path), standin.save_reranker(tmp_path)
    wanted = SentenceTransformer(str(bi), device="cpu").encode(TEXTS)
    np.testing.assert_array_equal(
        SentenceTransformer(str(copied(bi, tmp_path / "a")), device="cpu").encode(TEXTS), wanted
    )
    np.testing.assert_allclose(Encoder.load(bi, "cpu", "fp32").encode_queries(TEXTS), wanted, atol=1e-5)
    pairs = [(TEXTS[0], text) for text in TEXTS]
    found = CrossEncoder(str(copied(cross, tmp_path / "b")), device="cpu", activation_fn=torch.nn.Identity()).predict(
        pairs
    )
    np.testing.assert_allclose(Reranker.load(cross, "cpu", "fp32").score(TEXTS[0], TEXTS), found, atol=1e-5)
    assert np.ptp(found) > 1e-3


def test_a_pair_is_tokenised_as_before(tmp_path: Path) -> None:
    model = tiny.save_body(tmp_path / "model", "bert")
    older = copied(model, tmp_path / "older")
    wanted, found = (AutoTokenizer.from_pretrained(str(one))("차임", "해고", truncation=True) for one in (model, older))
    assert found["input_ids"] == wanted["input_ids"]
    assert found.tokens() == wanted.tokens()
