from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from app.errors import ModelError
from app.retrieval import encoder as module
from app.retrieval.encoder import Encoder
from tests.tiny import save_encoder

TEXTS = [
    "임대인은 계약을 해지할 수 있다",
    "해고",
    "고의 또는 과실로 손해를 가한 자는 배상할 책임이 있다 " * 3,
    "부부는 협의하여 이혼할 수 있고 재산의 분할을 청구할 수 있다",
    "음주",
]


@pytest.fixture(scope="module", params=["modernbert", "bert", "xlm-roberta"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("models") / "tiny", request.param)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder.load(folder, device="cpu", precision="fp32")


def test_vectors_are_those_of_sentence_transformers(folder: Path, encoder: Encoder) -> None:
    peer = SentenceTransformer(str(folder), device="cpu")
    peer.max_seq_length = encoder.query_tokens
    expected = peer.encode(TEXTS, prompt_name="query", normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode_queries(TEXTS), expected, atol=1e-5)
    peer.max_seq_length = encoder.passage_tokens
    expected = peer.encode(TEXTS, prompt_name="document", normalize_embeddings=True)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), expected, atol=1e-5)


def test_batched_equals_one_by_one(encoder: Encoder) -> None:
    one_by_one = np.concatenate([encoder.encode_passages([text]) for text in TEXTS])
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), one_by_one, atol=1e-5)


def test_vectors_are_float32_of_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode_queries(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert encoder.encode_queries([]).shape == (0, encoder.dim)


def test_what_the_model_says_of_itself(encoder: Encoder) -> None:
    assert encoder.name == "tiny"
    assert encoder.prompts == {"query": "[Q] ", "document": "[D] "}
    assert (encoder.query_tokens, encoder.passage_tokens) == (24, 48)
    assert encoder.device == "cpu"


def test_texts_are_cut_at_their_limit(encoder: Encoder) -> None:
    long = "손해를 배상할 책임이 있다 " * 30
    query, passage = encoder.encode_queries([long, long + "음주"]), encoder.encode_passages([long, long + "음주"])
    np.testing.assert_allclose(query[0], query[1], atol=1e-6)
    np.testing.assert_allclose(passage[0], passage[1], atol=1e-6)
    assert not np.allclose(query[0], passage[0], atol=1e-3)


def test_streaming_keeps_order_and_values(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    blocks = list(encoder.iter_encode_passages(iter(TEXTS)))
    assert [len(block) for block in blocks] == [2, 2, 1]
    np.testing.assert_allclose(np.concatenate(blocks), encoder.encode_passages(TEXTS), atol=1e-5)


def test_bf16_stays_near_fp32(folder: Path, encoder: Encoder) -> None:
    low = Encoder.load(folder, device="cpu", precision="bf16").encode_passages(TEXTS)
    assert (low * encoder.encode_passages(TEXTS)).sum(axis=1).min() > 0.99


def test_threads_get_the_same_vectors(encoder: Encoder) -> None:
    expected = encoder.encode_queries(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: encoder.encode_queries(TEXTS), range(8)):
            np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_limits_default_to_the_window_and_never_exceed_it(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "plain", "bert", prompts=False)
    assert (folder / "beopgil.json").exists() is False
    plain = Encoder.load(folder, device="cpu", precision="fp32")
    assert plain.query_tokens == plain.passage_tokens == plain.model.max_seq_length
    assert plain.prompts == {"query": "", "document": ""}
    (folder / "beopgil.json").write_text(json.dumps({"name": "named", "query_tokens": 9, "passage_tokens": 9999}))
    named = Encoder.load(folder, device="cpu", precision="fp32")
    assert (named.name, named.query_tokens, named.passage_tokens) == ("named", 9, plain.passage_tokens)


def test_a_copy_is_the_same_model_and_another_pooling_is_not(tmp_path: Path, folder: Path, encoder: Encoder) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert Encoder.load(copy, device="cpu", precision="fp32").weights_sha256 == encoder.weights_sha256
    pooling = copy / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace("mean", "cls"))
    assert Encoder.load(copy, device="cpu", precision="fp32").weights_sha256 != encoder.weights_sha256


def test_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"no usable sentence-transformers model.*train it again"):
        Encoder.load(tmp_path, device="cpu")
