"""The short way gives the vectors that the model itself gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
    short = TokenMean.of(model)
    assert short is not None
    with torch.inference_mode():
        features = model.preprocess(texts, prompt="[Q] ", max_length=limit)
        vectors: torch.Tensor = model(features)["sentence_embedding"]
    wanted = torch.nn.functional.normalize(vectors, dim=1).numpy()
    assert short.encode(texts, "[Q] ", limit) == pytest.approx(wanted, abs=2e-6)


def test_a_model_with_positions_goes_the_long_way(model: SentenceTransformer) -> None:
    body: Any = model.transformers_model
    positions = body.embeddings.position_embeddings.weight
    with torch.no_grad():
        positions[3] = 1.0
    try:
        assert TokenMean.of(model) is None
    finally:
        with torch.no_grad():
            positions[3] = 0.0


def test_no_texts_no_vectors() -> None:
    encoder = Encoder.load(SHIPPED, "cpu")
    assert encoder.encode_queries([]).shape == (0, encoder.dim)
    assert np.allclose(np.linalg.norm(encoder.encode_passages(["임대인", ""]), axis=1), 1)
