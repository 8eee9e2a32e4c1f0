"""The bi-encoder: a sentence-transformers folder as one object that is trained, indexed, evaluated and served alike."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from app.errors import ModelError
from app.retrieval import device as devices
from app.retrieval.batching import Batches
from app.retrieval.device import Precision
from app.retrieval.owner import computed
from app.retrieval.token_mean import TokenMean
from app.retrieval.types import Floats

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

BLOCK = 4096
"""Texts that are sorted by length together while an index is built."""
TOKENS_PER_CHAR = 0.7
"""The upper end of what subword tokenizers make of Korean; only the sizes of batches hang on it."""


class Encoder:
    """Texts → float32 vectors (n, dim) of length 1. One forward pass at a time; safe to call from several threads."""

    def __init__(self, model: SentenceTransformer | TokenMean, folder: Path) -> None:
        settings = devices.model_settings(folder)
        window = int(model.max_seq_length or 512)
        self.model = model
        self.name = str(settings.get("name", folder.name))
        self.dim = int(model.get_embedding_dimension() or 0)
        self.weights_sha256 = devices.weights_sha256(folder)
        self.prompts = {name: model.prompts.get(name) or "" for name in ("query", "document")}
        self.query_tokens = min(int(settings.get("query_tokens", window)), window)
        self.passage_tokens = min(int(settings.get("passage_tokens", window)), window)
        self.sure_cosine = float(settings.get("sure_cosine", -1.0))
        self.sure_width = float(settings.get("sure_width", 0.02))
        self.court_cosine = float(settings.get("court_cosine", -1.0))
        self.court_width = float(settings.get("court_width", 0.02))
        self.device = str(model.device)
        self.format = "fp32" if isinstance(model, TokenMean) else devices.FORMATS[next(model.parameters()).dtype]
        self.batch_tokens = devices.batch_tokens(self.device)
        self._queries: Batches[str] = Batches(
            lambda texts: self._forward(texts, "query", self.query_tokens), self.batch_tokens
        )
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path | str, device: str = "auto", precision: Precision = "auto") -> Encoder:
        """Open a model folder, or a hub model by name. Raises ModelError naming the folder and the remedy."""
        folder, device = devices.model_folder(path), devices.resolve(device)
        try:
            model = TokenMean.read(folder) if device == "cpu" else None
            return cls(model or _library_model(folder, device, precision), folder)
        except devices.UNREADABLE as error:
            raise ModelError(f"{folder} is no usable sentence-transformers model ({error}); train it again") from error

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Query vectors, with the model's own query prompt; cut at `query_tokens`."""
        if isinstance(self.model, TokenMean) or not texts:
            return self._encode(texts, "query", self.query_tokens)
        return self._queries(texts, self._lengths(texts, "query", self.query_tokens))

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """Passage vectors, with the model's own document prompt; cut at `passage_tokens`."""
        return self._encode(texts, "document", self.passage_tokens)

    def iter_encode_passages(self, texts: Iterable[str]) -> Iterator[Floats]:
        """Vectors of any number of passages, in order, block by block: memory does not grow with the corpus."""
        rest = iter(texts)
        while block := list(islice(rest, BLOCK)):
            yield self.encode_passages(block)

    def _encode(self, texts: Sequence[str], kind: str, max_tokens: int) -> Floats:
        if isinstance(self.model, TokenMean):
            with self._lock:
                return self.model.encode(texts, self.prompts[kind], max_tokens)
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for batch in devices.token_batches(self._lengths(texts, kind, max_tokens), self.batch_tokens):
            chosen = [texts[i] for i in batch]
            vectors[batch] = computed(partial(self._forward, chosen, kind, max_tokens))
        return vectors

    def _lengths(self, texts: Sequence[str], kind: str, max_tokens: int) -> list[int]:
        """About how many tokens each will have."""
        prompt = len(self.prompts[kind])
        return [min(max_tokens, int((prompt + len(text)) * TOKENS_PER_CHAR) + 3) for text in texts]

    def _forward(self, texts: list[str], kind: str, max_tokens: int) -> Floats:
        from sentence_transformers.base.modules import Transformer
        from sentence_transformers.util import batch_to_device

        model: Any = self.model
        options = {"max_length": max_tokens} if isinstance(model[0], Transformer) else {}
        with torch.inference_mode():
            features = model.preprocess(texts, prompt=self.prompts[kind] or None, **options)
            vectors = model(batch_to_device(features, model.device))["sentence_embedding"].float()
        normal: Floats = torch.nn.functional.normalize(vectors, dim=1).cpu().numpy()
        return normal


def _library_model(folder: Path, device: str, precision: Precision) -> SentenceTransformer:
    # Here and not above: its import takes seconds and holds 0.1 GB, which the model that ships does without.
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder),
        device=device,
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs=devices.model_options(device, precision),
    )
    return model.eval()
