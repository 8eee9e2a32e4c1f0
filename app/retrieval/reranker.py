"""The cross-encoder: (query, passage) → logit, from texts or from passages tokenised when the index was built.

Pairs are assembled from integer arrays in the tokenizer's own layout, so that a request tokenises its query only.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerBase

from app.errors import ModelError
from app.retrieval import device as devices
from app.retrieval.batching import Batches
from app.retrieval.device import Precision
from app.retrieval.first_token import shorten
from app.retrieval.packed import BUDGET
from app.retrieval.short_bert import ShortBert
from app.retrieval.short_model import ShortModel
from app.retrieval.short_modernbert import ShortModernBert
from app.retrieval.types import Blend, Blends, Floats, Tokens, sigmoid

BLOCK = 1024
"""Texts tokenised at a time."""
Pair = tuple[Tokens, Tokens]
"""(ids, segments) of a query and a passage, both int32 of one length."""


@dataclass(frozen=True, slots=True)
class PairLayout:
    """prefix query middle passage suffix: the ids between the two texts, and the segment of each of the five parts."""

    prefix: Tokens
    middle: Tokens
    suffix: Tokens
    segments: tuple[int, int, int, int, int] | None
    """None where the tokenizer gives no token_type_ids."""

    @property
    def specials(self) -> int:
        return len(self.prefix) + len(self.middle) + len(self.suffix)

    def assemble(self, query: Tokens, passage: Tokens) -> Pair:
        parts = (self.prefix, query, self.middle, passage, self.suffix)
        segments = np.repeat(np.array(self.segments or (0,) * 5, dtype=np.int32), [len(part) for part in parts])
        return np.concatenate(parts).astype(np.int32), segments


def pair_layout(tokenizer: PreTrainedTokenizerBase) -> PairLayout:
    """The layout of a tokenizer, read from a pair that it has put together itself."""
    encoded = tokenizer("법률", "판례")
    ids, sides = np.array(encoded["input_ids"], dtype=np.int32), encoded.sequence_ids(0)
    first = [i for i, side in enumerate(sides) if side == 0]
    second = [i for i, side in enumerate(sides) if side == 1]
    if not first or not second or first[-1] > second[0]:
        raise ModelError("the tokenizer does not put the query before the passage; use a cross-encoder that does")
    cuts = (first[0], first[-1] + 1, second[0], second[-1] + 1)
    types = encoded.get("token_type_ids")
    segments = None if types is None else _segments([int(value) for value in types], cuts)
    return PairLayout(ids[: cuts[0]], ids[cuts[1] : cuts[2]], ids[cuts[3] :], segments)


def _segments(types: list[int], cuts: tuple[int, int, int, int]) -> tuple[int, int, int, int, int]:
    """The segment of each part, from its first token; an empty part has none and takes 0."""
    bounds = (0, *cuts, len(types))
    parts = [types[a:b] for a, b in pairwise(bounds)]
    one, two, three, four, five = (part[0] if part else 0 for part in parts)
    return one, two, three, four, five


def blends(settings: Mapping[str, Any]) -> Blends:
    """Those of a beopgil.json, by kind under `blends`; where there are none, articles have the logit's calibration.

    Raises ModelError for what it cannot read, and for the one blend of both kinds that older models have.
    """
    found = settings.get("blends", {})
    if "blend" in settings:
        raise ModelError("beopgil.json has one blend of the older kind; make it anew: training.run … --from calibrate")
    try:
        statute = Blend(**{**settings.get("calibration", {}), **found.get("statute", {})})
        return Blends(statute, Blend(**found["precedent"]) if "precedent" in found else None)
    except (TypeError, AttributeError) as error:
        raise ModelError(f"blends of beopgil.json: {error}; train the model again or mend the file") from error


class Reranker:
    """Logits are float32 (n,), before the sigmoid. One forward pass at a time; safe to call from several threads, whose
    pairs share batches (batching.py)."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """`model` is a ShortModel, or one of transformers for classifying sequences."""
        settings = devices.model_settings(folder)
        self.model, self.tokenizer = model, tokenizer
        self.name = str(settings.get("name", folder.name))
        self.weights_sha256 = devices.weights_sha256(folder)
        self.max_tokens = int(settings.get("max_tokens", min(int(tokenizer.model_max_length), 512)))
        self.query_tokens = int(settings.get("query_tokens", self.max_tokens // 2))
        calibration = settings.get("calibration", {})
        self.scale, self.bias = float(calibration.get("scale", 1.0)), float(calibration.get("bias", 0.0))
        self.blends = blends(settings)
        self.layout = pair_layout(tokenizer)
        if getattr(model.config, "type_vocab_size", 2) < 2:  # RoBERTa's, whose tokenizer may be a BERT's all the same
            self.layout = replace(self.layout, segments=None)
        taken = signature(getattr(model, "forward", model)).parameters
        self._typed = self.layout.segments is not None and "token_type_ids" in taken
        self.device = str(model.device)
        self.format = getattr(model, "format", None) or devices.FORMATS[model.dtype]
        packed = isinstance(model, ShortModel)
        self.batch_tokens = BUDGET if packed else devices.batch_tokens(self.device)
        self._batches = Batches(self._forward, self.batch_tokens, padded=not packed)
        self._lock = threading.Lock()
        self._check()

    def _check(self) -> None:
        labels, room = len(self.model.config.id2label), self.max_tokens - self.query_tokens - self.layout.specials
        if labels != 1:
            raise ModelError(
                f"{self.name} gives {labels} scores per pair, expected 1; train a cross-encoder with 1 label"
            )
        if room < 1:
            raise ModelError(
                f"{self.name}: max_tokens {self.max_tokens} leaves {room} tokens to the passage after query_tokens "
                f"{self.query_tokens}; mend beopgil.json"
            )

    @classmethod
    def load(cls, path: Path | str, device: str = "auto", precision: Precision = "auto") -> Reranker:
        """Open a cross-encoder folder, or a hub model by name. Raises ModelError naming the folder and the remedy."""
        folder, device = devices.model_folder(path), devices.resolve(device)
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
            model: Any = None
            if device == "cpu":
                form = devices.dtype(device, precision), devices.in_int8(precision)
                model = ShortModernBert.read(folder, *form) or ShortBert.read(folder, *form)
            if model is None and precision == "int8":
                raise ModelError(
                    f"{folder} on {device}: int8 is for a BERT, RoBERTa, ELECTRA or ModernBERT on a CPU; use auto"
                )
            if model is None:
                model = AutoModelForSequenceClassification.from_pretrained(
                    str(folder), **options, **devices.model_options(device, precision)
                )
                shorten(model.train(False).to(device))
        except devices.UNREADABLE as error:
            raise ModelError(f"{folder} is no usable cross-encoder ({error}); train it again") from error
        return cls(model, tokenizer, folder)

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Ids without special tokens, cut at `max_tokens`, int32."""
        tokens: list[Tokens] = []
        for start in range(0, len(texts), BLOCK):
            with self._lock:
                encoded = self.tokenizer(
                    list(texts[start : start + BLOCK]),
                    add_special_tokens=False,
                    truncation=True,
                    max_length=self.max_tokens,
                    return_attention_mask=False,
                    return_token_type_ids=False,
                )
            tokens += [np.array(ids, dtype=np.int32) for ids in encoded["input_ids"]]
        return tokens

    def score(self, query: str, passages: Sequence[str]) -> Floats:
        """Logits of any number of passages, in their order."""
        return self.score_tokens(query, self.tokenize(passages))

    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        """As `score`, for passages that `tokenize` has made."""
        return self.score_pairs(self.pairs(query, passages)) if len(passages) else np.empty(0, dtype=np.float32)

    def pairs(self, query: str, passages: Sequence[Tokens]) -> list[Pair]:
        """What the model reads of a query and each passage: cut at `query_tokens` and at what `max_tokens` leaves."""
        head = self.tokenize([query])[0][: self.query_tokens]
        room = self.max_tokens - self.layout.specials - len(head)
        return [self.layout.assemble(head, passage[:room]) for passage in passages]

    def score_pairs(self, pairs: Sequence[Pair]) -> Floats:
        """Logits of pairs, of one query or of many, in batches of similar length, which callers share."""
        return self._batches(pairs, [len(ids) for ids, _ in pairs])

    def relevance(self, logits: Floats) -> Floats:
        """sigmoid(scale × logit + bias) with the calibration of beopgil.json; the same for every request."""
        return sigmoid(self.scale * logits.astype(np.float64) + self.bias)

    def _forward(self, pairs: list[Pair]) -> Floats:
        if isinstance(self.model, ShortModel):
            return np.asarray(self.model(pairs))
        features = {name: tensor.to(self.model.device) for name, tensor in self._pad(pairs).items()}
        with torch.inference_mode():
            logits: Floats = self.model(**features).logits[:, 0].float().cpu().numpy()
        return logits

    def _pad(self, pairs: list[Pair]) -> dict[str, torch.Tensor]:
        """int64 tensors (pairs, longest), padded on the right."""
        shape = (len(pairs), max(len(ids) for ids, _ in pairs))
        pad = self.tokenizer.pad_token_id or 0
        ids, mask = np.full(shape, pad, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        types = np.full(shape, self.tokenizer.pad_token_type_id, dtype=np.int64)
        for row, (pair, segments) in enumerate(pairs):
            ids[row, : len(pair)], mask[row, : len(pair)], types[row, : len(pair)] = pair, 1, segments
        features = {"input_ids": ids, "attention_mask": mask}
        if self._typed:
            features["token_type_ids"] = types
        return {name: torch.from_numpy(values) for name, values in features.items()}
