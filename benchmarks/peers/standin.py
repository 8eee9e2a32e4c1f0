"""A stand-in of a common size, 6 layers × 384, random weights: FOLDER/bi, FOLDER/cross and FOLDER/indexes/standin.

    python -m benchmarks.peers.standin FOLDER [--source samples]
    python -m benchmarks.serving --depth 50 --root FOLDER/indexes --index standin --encoder FOLDER/bi \
        --reranker FOLDER/cross

The tokenizer is that of the models that ship. It measures speed and equal ranking; it finds nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

from benchmarks.peers.service import MAX_TOKENS
from training import index
from training.index import ENCODER

SIZE: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}
SEED = 7


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.standin")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", default="samples", help="records of the corpus")
    options = parser.parse_args()
    bi, cross = save_encoder(options.folder), save_reranker(options.folder)
    models = ["--encoder", str(bi), "--reranker", str(cross)]
    places = ["--root", str(options.folder / "indexes"), "--work", str(options.folder / "work")]
    raise SystemExit(index.main(["--source", options.source, "--name", "standin", *models, *places]))


def save_encoder(folder: Path) -> Path:
    """Mean of the last layer's tokens, as most small encoders have it."""
    body = save(BertModel, folder / "bi-body")
    modules = [Transformer(str(body)), Pooling(SIZE["hidden_size"], pooling_mode="mean"), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "", "document": ""})
    model.save_pretrained(str(folder / "bi"), create_model_card=False)
    return folder / "bi"


def save_reranker(folder: Path) -> Path:
    return save(BertForSequenceClassification, folder / "cross", num_labels=1)


def save(kind: Any, target: Path, **settings: Any) -> Path:
    words = AutoTokenizer.from_pretrained(ENCODER)
    words.model_max_length = MAX_TOKENS
    torch.manual_seed(SEED)
    model = kind(BertConfig(vocab_size=len(words), pad_token_id=words.pad_token_id, **SIZE, **settings))
    model.save_pretrained(str(target))
    words.save_pretrained(str(target))
    return target


if __name__ == "__main__":
    main()
