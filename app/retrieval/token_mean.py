"""The short way through an encoder without blocks: a text's vector is the normalised mean of rows of one table.

A BERT of no layers gives each token its normed embedding, whatever stands beside it; with position and segment
embeddings of zero the place does not matter either. So the norm is taken once for the whole vocabulary, and a text
costs a look-up and a sum: far less than padded batches through the model, and in float32. It is read from the files
without sentence-transformers, whose import takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from app.retrieval.types import Floats

MODULES = ["Transformer", "Pooling", "Normalize"]
WEIGHTS = "model.safetensors"


class TokenMean:
    """Texts → float32 vectors (n, dim) of length 1, as sentence-transformers gives them."""

    device = "cpu"

    def __init__(self, table: torch.Tensor, tokenizer: Any, window: int, prompts: dict[str, str]) -> None:
        """`table` is float32 (vocabulary, dim); `tokenizer` a fast one of transformers."""
        self.table, self.tokenizer, self.max_seq_length, self.prompts = table, tokenizer, window, prompts

    @classmethod
    def read(cls, folder: Path) -> TokenMean | None:
        """The model of a folder; None for every other kind.

        Raises one of devices.UNREADABLE where the files are broken or do not belong together.
        """
        config = _settings(folder / "config.json")
        if not _plain(folder, config):
            return None
        weights = {name.removeprefix("embeddings."): one for name, one in load_file(folder / WEIGHTS).items()}
        if any(weights[f"{name}.weight"].any() for name in ("position_embeddings", "token_type_embeddings")):
            return None
        words, scale, bias = (
            weights[name].float() for name in ("word_embeddings.weight", "LayerNorm.weight", "LayerNorm.bias")
        )
        table = torch.nn.functional.layer_norm(words, scale.shape, scale, bias, config["layer_norm_eps"])
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        window = min(tokenizer.model_max_length, config["max_position_embeddings"])
        return cls(table, tokenizer, window, _settings(folder / "config_sentence_transformers.json").get("prompts", {}))

    def get_embedding_dimension(self) -> int:
        return self.table.shape[1]

    def encode(self, texts: Sequence[str], prompt: str, max_tokens: int) -> Floats:
        """Vectors in the texts' order; each text is cut at `max_tokens`, prompt and special tokens included."""
        if not texts:
            return np.empty((0, self.table.shape[1]), dtype=np.float32)
        encoded = self.tokenizer(
            [prompt + text for text in texts],
            truncation=True,
            max_length=max_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        ids = torch.from_numpy(np.concatenate([np.asarray(one, dtype=np.int64) for one in encoded]))
        starts = torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)[:-1]]))
        with torch.inference_mode():
            means = torch.nn.functional.embedding_bag(ids, self.table, starts, mode="mean")
            vectors: Floats = torch.nn.functional.normalize(means, dim=1).numpy()
        return vectors


def _settings(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _plain(folder: Path, config: dict[str, Any]) -> bool:
    """Whether the files say of a model that it is the mean of token vectors of a BERT without layers."""
    modules = [one["type"].rpartition(".")[2] for one in _settings(folder / "modules.json")]
    pooling = _settings(folder / "1_Pooling" / "config.json")
    return (
        (folder / WEIGHTS).exists()
        and modules == MODULES
        and (config.get("model_type"), config.get("num_hidden_layers")) == ("bert", 0)
        and pooling.get("pooling_mode") == "mean"
        and pooling.get("include_prompt", True)
        and not {"do_lower_case", "max_seq_length"} & _settings(folder / "sentence_bert_config.json").keys()
    )
