"""A stand-in of a common size, 6 layers × 384, random weights: FOLDER/bi, FOLDER/cross and FOLDER/indexes/standin.

    python -m benchmarks.peers.standin FOLDER [--source samples]
    python -m benchmarks.serving --depth 50 --root FOLDER/indexes --index standin --encoder FOLDER/bi \
        --reranker FOLDER/cross

The tokenizer is that of the models that ship. It measures speed and equal ranking; it finds nothing. What says how the
folders are read is written as sentence-transformers 3 and transformers 4 knew it, which later ones read too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
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
ONE_LABEL: dict[str, Any] = {"num_labels": 1}
TOKENIZER: dict[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": MAX_TOKENS,
    "model_input_names": ["input_ids", "attention_mask"],
    **{f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")},
}
"""Unless they are told the inputs, transformers 4 give a pair its segments and transformers 5 do not: other logits."""
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
    words, target = AutoTokenizer.from_pretrained(ENCODER), folder / "bi"
    torch.manual_seed(SEED)
    BertModel(BertConfig(vocab_size=len(words), pad_token_id=words.pad_token_id, **SIZE)).save_pretrained(str(target))
    words.save_pretrained(str(target))
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(("Transformer", "Pooling", "Normalize"))
    ]
    mean = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    write(target / "modules.json", modules)
    write(target / "1_Pooling/config.json", {"word_embedding_dimension": SIZE["hidden_size"], **mean})
    write(target / "2_Normalize/config.json", {})
    write(target / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False})
    write(target / "config_sentence_transformers.json", {"prompts": {"query": "", "document": ""}})
    write(target / "tokenizer_config.json", TOKENIZER)
    return target


def save_reranker(folder: Path) -> Path:
    words, target = AutoTokenizer.from_pretrained(ENCODER), folder / "cross"
    torch.manual_seed(SEED)
    config = BertConfig(vocab_size=len(words), pad_token_id=words.pad_token_id, **SIZE, **ONE_LABEL)
    BertForSequenceClassification(config).save_pretrained(str(target))
    words.save_pretrained(str(target))
    write(target / "tokenizer_config.json", TOKENIZER)
    return target


def write(path: Path, settings: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
