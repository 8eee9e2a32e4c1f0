"""The short way through an encoder without blocks: a text's vector is the normalised mean of rows of one table.

A BERT of no layers gives each token its normed embedding, whatever stands beside it; with position and segment
embeddings of zero the place does not matter either. So the norm is taken once for the whole vocabulary, and a text
costs a look-up and a sum: far less than padded batches through the model, and in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from app.retrieval.types import Floats


class TokenMean:
    """Texts → float32 vectors (n, dim) of length 1, as the model that it was made of gives them."""

    def __init__(self, table: torch.Tensor, tokenizer: Any) -> None:
        """`table` is float32 (vocabulary, dim); `tokenizer` a fast one of transformers."""
        self.table, self.tokenizer = table, tokenizer

    @classmethod
    def of(cls, model: SentenceTransformer) -> TokenMean | None:
        """None for every model that is not such a one, or is on a GPU."""
        body, modules = model.transformers_model, list(model)
        plain = len(modules) == 3 and isinstance(modules[1], Pooling) and isinstance(modules[2], Normalize)
        if body is None or not plain or model.device.type != "cpu" or modules[1].pooling_mode != "mean":
            return None
        if getattr(body.config, "model_type", "") != "bert" or body.config.num_hidden_layers:
            return None
        parts: Any = body.embeddings
        if parts.position_embeddings.weight.any() or parts.token_type_embeddings.weight.any():
            return None
        with torch.inference_mode():
            norm, words = parts.LayerNorm, parts.word_embeddings.weight.float()
            scale = (norm.weight.float(), norm.bias.float(), norm.eps)
            table = torch.nn.functional.layer_norm(words, norm.normalized_shape, *scale)
        return cls(table, model.tokenizer)

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
