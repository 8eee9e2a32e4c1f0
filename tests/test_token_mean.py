"""The short way gives the vectors that the model itself gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from app.retrieval.encoder import Encoder
from app.retrieval.token_mean import TokenMean

SHIPPED = Path("models/beopgil-mini-bi")


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    options = {"dtype": torch.float32}
    return SentenceTransformer(str(SHIPPED), device="cpu", local_files_only=True, model_kwargs=options).eval()


@settings(deadline=None, max_examples=20)
@given(texts=st.lists(st.text(max_size=300), min_size=1, max_size=6), limit=st.integers(4, 64))
def test_it_is_the_model(model: SentenceTransformer, texts: list[str], limit: int) -> None:
    short = TokenMean.read(SHIPPED)
    assert short is not None
    with torch.inference_mode():
        features = model.preprocess(texts, prompt="[Q] ", max_length=limit)
        vectors: torch.Tensor = model(features)["sentence_embedding"]
    wanted = torch.nn.functional.normalize(vectors, dim=1).numpy()
    assert short.encode(texts, "[Q] ", limit) == pytest.approx(wanted, abs=2e-6)


def test_it_says_of_itself_what_the_model_says(model: SentenceTransformer) -> None:
    short = TokenMean.read(SHIPPED)
    assert short is not None
    assert short.max_seq_length == model.max_seq_length
    assert short.prompts == model.prompts
    assert short.get_embedding_dimension() == model.get_embedding_dimension()


def changed(folder: Path, name: str, **changes: object) -> Path:
    """A copy of the shipped model with other settings in one of its files."""
    copy = Path(shutil.copytree(SHIPPED, folder / "copy"))
    settings = json.loads((copy / name).read_text())
    (copy / name).write_text(json.dumps({**settings, **changes}))
    return copy


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("config.json", {"num_hidden_layers": 1}),
        ("config.json", {"model_type": "roberta"}),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}),
        ("1_Pooling/config.json", {"include_prompt": False}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
    ],
)
def test_other_models_go_the_long_way(tmp_path: Path, name: str, changes: dict[str, object]) -> None:
    assert TokenMean.read(changed(tmp_path, name, **changes)) is None


def test_a_model_with_positions_goes_the_long_way(tmp_path: Path) -> None:
    copy = changed(tmp_path, "config.json")
    weights = load_file(copy / "model.safetensors")
    weights["embeddings.position_embeddings.weight"][3] = 1.0
    save_file(weights, copy / "model.safetensors")
    assert TokenMean.read(copy) is None


def test_no_texts_no_vectors() -> None:
    encoder = Encoder.load(SHIPPED, "cpu")
    assert encoder.encode_queries([]).shape == (0, encoder.dim)
    assert np.allclose(np.linalg.norm(encoder.encode_passages(["임대인", ""]), axis=1), 1)
