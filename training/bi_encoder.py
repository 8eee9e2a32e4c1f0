"""triples.jsonl + base encoder → adapter/ (where LoRA is on) → model/, the merged bi-encoder

A batch holds queries, their positives and hard negatives; each query chooses its positive among all of them (softmax of
cosine / temperature), except passages of documents that are positive for it, which are masked by document.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from peft import PeftModel
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.trainer import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments
from torch import Tensor

from app.errors import ModelError
from app.retrieval import device as devices
from app.retrieval.encoder import Encoder
from app.retrieval.store import DocumentStore, PassageStore
from training import ranks, sections
from training.base import base_folder, open_encoder, stored_dtype, token_limits, transformer, write_model
from training.in_batch import NOBODY, TEACHER, InBatchLoss
from training.limits import measure_limits
from training.pool import PoolEvaluator, dev_pool
from training.rarity import write_trained_counts
from training.recipe import Recipe, RecipeError
from training.trainer import (
    GROUP,
    PlainCheckpoints,
    add_lora,
    callbacks,
    fit,
    freeze_layers,
    inputs_of,
    recompute_activations,
    total_steps,
    trainable,
    training_arguments,
    write_measures,
)
from training.triples import Example, Triples, read_triples
from training.vectors import Ids

PARITY = 1e-3
"""By how much a cosine between the trained and the saved model's vectors of one text may fall short of 1."""
PARITY_TEXTS = 128


def run(recipe: Recipe) -> None:
    section, folder = recipe.bi_encoder, recipe.folder("bi_encoder")
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    triples = read_triples(recipe.triples, documents, passages)
    if section.distillation and not all(example.teacher for example in triples.examples):
        raise RecipeError("bi_encoder.distillation needs a teacher's logits: set mine.teacher and mine again")
    base = ranks.on_first(lambda: base_folder(recipe, section))
    model = prepared_model(base, section)
    evaluator = dev_pool(recipe, documents, passages, triples)
    if evaluator is not None:
        before = ranks.on_first(lambda: evaluator(model))
        print("before: " + "  ".join(f"{k} {v:.4f}" for k, v in before.items()), flush=True)
    guide = open_encoder(base, section, devices.resolve("auto")).eval() if section.guide else None
    trainer = make_trainer(model, triples, section, folder / "checkpoints", evaluator, guide)
    steps = fit(trainer, inputs_of(section, recipe.triples, base))
    write_measures(trainer, folder)
    print(f"trained {steps} steps on {len(triples.examples):,} triples", flush=True)
    ranks.on_first(lambda: save(model, base, recipe, parity_texts(triples)))
    ranks.on_first(lambda: measure_limits(recipe, documents, passages))
    ranks.on_first(lambda: write_trained_counts(recipe.train_pairs, recipe.encoder_model))
    ranks.on_first(lambda: shutil.rmtree(folder / "checkpoints"))


def prepared_model(base: Path, section: sections.BiEncoder) -> SentenceTransformer:
    """The base in float32 with what is trained marked as such: an adapter, or the blocks that are not frozen."""
    torch.manual_seed(section.seed)
    model = open_encoder(base, section, devices.resolve("auto"))
    if section.lora_rank:
        add_lora(model, section, task="FEATURE_EXTRACTION")
    freeze_layers(model, section.freeze_layers)
    recompute_activations(model, section)
    print(f"training {sum(p.numel() for p in trainable(model).values()):,} weights", flush=True)
    return model


class Trainer(PlainCheckpoints, SentenceTransformerTrainer):
    """The library's trainer with checkpoints of ours."""


def make_trainer(
    model: SentenceTransformer,
    triples: Triples,
    section: sections.BiEncoder,
    folder: Path,
    evaluator: PoolEvaluator | None,
    guide: SentenceTransformer | None = None,
) -> Trainer:
    held_out = triples.held_out(section.eval_queries, section.seed) if section.best_by == "loss" else None
    rows = np.setdiff1d(np.arange(len(triples.examples)), [] if held_out is None else held_out)
    groups = groups_of(triples, rows)
    evaluated = evaluator is not None or held_out is not None
    device = devices.resolve("auto")
    width = min(section.batch, len(rows)) * (1 + section.negatives)
    return Trainer(
        model=model,
        args=training_arguments(
            SentenceTransformerTrainingArguments,
            section,
            folder,
            device=device,
            steps=total_steps(section, len(rows), Counter(groups).values()),
            evaluated=evaluated,
        ),
        train_dataset=datasets.Dataset.from_dict({"row": rows, GROUP: groups}),
        eval_dataset=None if held_out is None else datasets.Dataset.from_dict({"row": held_out}),
        loss=InBatchLoss(model, section, devices.batch_tokens(device), rows_of(triples), guide),
        evaluator=evaluator,
        data_collator=TripleCollator(model, triples, section),
        callbacks=callbacks(section, candidates=width, evaluated=evaluated),
    )


def groups_of(triples: Triples, rows: Ids) -> list[int]:
    """The source of each example as a number: a batch holds one of them, so that no source is the other's easy
    negative."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(triples.examples[row].source, len(numbers)) for row in rows.tolist()]


def rows_of(triples: Triples) -> Counter[int]:
    """Training rows of each document that is a positive."""
    return Counter(triples.document(example.positive) for example in triples.examples)


class TripleCollator(SentenceTransformerDataCollator):
    """Rows → token ids of the queries (batch, ·) and of the passages (batch × (1 + negatives), ·), all positives first.

    `label` is int64 (batch, 1 + negatives + known): the documents of the row's passages, then those that must not count
    as negatives for its query; NOBODY fills up.
    """

    def __init__(self, model: SentenceTransformer, triples: Triples, section: sections.BiEncoder) -> None:
        super().__init__(preprocess_fn=model.preprocess)
        self.model, self.triples, self.section = model, triples, section

    def __call__(self, features: Sequence[Mapping[str, int]]) -> dict[str, Tensor]:
        examples = [self.triples.examples[int(row["row"])] for row in features]
        width = self.section.negatives
        columns = [[example.positive for example in examples]]
        columns += [[e.negatives[n] if n < len(e.negatives) else NOBODY for e in examples] for n in range(width)]
        flat = [passage for column in columns for passage in column]
        texts = ["" if passage == NOBODY else self.triples.text(passage) for passage in flat]
        queries = self._tokens([example.query for example in examples], "query", self.section.query_tokens)
        passages = self._tokens(texts, "document", self.section.passage_tokens)
        batch = {f"query_{name}": tensor for name, tensor in queries.items()}
        batch |= {f"passage_{name}": tensor for name, tensor in passages.items()}
        if self.section.distillation:
            batch[f"passage_{TEACHER}"] = self._logits(examples)
        return batch | {"label": self._documents(columns, [example.known for example in examples])}

    def _tokens(self, texts: list[str], prompt: str, limit: int) -> dict[str, Tensor]:
        features = self.model.preprocess(texts, prompt=self.model.prompts.get(prompt) or None, max_length=limit)
        return {name: value for name, value in features.items() if isinstance(value, Tensor) and value.ndim == 2}

    def _logits(self, examples: Sequence[Example]) -> Tensor:
        """float32, in the order of the passages; −∞ is a place without one."""
        logits = np.full((1 + self.section.negatives, len(examples)), -np.inf, dtype=np.float32)
        for place, example in enumerate(examples):
            found = example.teacher[: len(logits)]
            logits[: len(found), place] = found
        return torch.from_numpy(logits.reshape(-1))

    def _documents(self, columns: list[list[int]], known: list[tuple[int, ...]]) -> Tensor:
        label = np.full((len(known), len(columns) + max(map(len, known))), NOBODY, dtype=np.int64)
        for place, column in enumerate(columns):
            label[:, place] = [NOBODY if passage == NOBODY else self.triples.document(passage) for passage in column]
        for row, documents in enumerate(known):
            label[row, len(columns) : len(columns) + len(documents)] = documents
        return torch.from_numpy(label)


# The finished model


def parity_texts(triples: Triples) -> tuple[list[str], list[str]]:
    """Queries and passages that the saved model must encode as the trained one did."""
    examples = triples.examples[: PARITY_TEXTS // 2]
    return [example.query for example in examples], [triples.text(example.positive) for example in examples]


def save(model: SentenceTransformer, base: Path, recipe: Recipe, texts: tuple[list[str], list[str]]) -> None:
    """Merge into a fresh copy of the base, write it, open it again, and compare. ModelError where vectors differ."""
    section, folder = recipe.bi_encoder, recipe.folder("bi_encoder")
    merged = open_encoder(base, section)
    weights = {name: weight.detach().cpu() for name, weight in trainable(model).items()}
    if section.lora_rank:
        adapter = folder / "adapter"
        shutil.rmtree(adapter, ignore_errors=True)
        transformer(model).save_pretrained(str(adapter))
        merged[0].model = merge(transformer(merged), adapter)
    else:
        merged.load_state_dict({**merged.state_dict(), **weights})
    merged.to(stored_dtype(section))
    write_model(merged.save_pretrained, recipe.encoder_model, token_limits(section))
    worst = parity(trained_copy(base, section, weights), recipe.encoder_model, section, texts)
    print(f"parity of {sum(map(len, texts))} texts: cosine at least {worst:.6f}", flush=True)
    (folder / "parity.json").write_text(json.dumps({"texts": sum(map(len, texts)), "worst_cosine": worst}))


def merge(body: Any, adapter: Path) -> Any:
    """The base's transformer with the adapter's product added to its weights."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )  # peft asks for it
        return PeftModel.from_pretrained(body, str(adapter)).merge_and_unload()


def trained_copy(base: Path, section: sections.BiEncoder, weights: Mapping[str, Tensor]) -> SentenceTransformer:
    """The trained model outside of its trainer: after bf16 training the trainer leaves `forward` under autocast."""
    model = open_encoder(base, section)
    if section.lora_rank:
        add_lora(model, section, task="FEATURE_EXTRACTION")
    missing = weights.keys() - model.state_dict().keys()
    if missing:
        raise ModelError(f"{len(missing)} trained weights have no place in {base}, e.g. {sorted(missing)[0]}")
    model.load_state_dict({**model.state_dict(), **weights})
    return model.eval()


def parity(
    model: SentenceTransformer, saved: Path, section: sections.BiEncoder, texts: tuple[list[str], list[str]]
) -> float:
    """The lowest cosine between both models' vectors of one text. ModelError under 1 − PARITY."""
    encoder = Encoder.load(saved, "cpu", "fp32")
    both = (
        ("query", section.query_tokens, encoder.encode_queries),
        ("document", section.passage_tokens, encoder.encode_passages),
    )
    worst = 1.0
    for (prompt, limit, encode), wanted in zip(both, texts, strict=True):
        with torch.inference_mode():
            features = model.preprocess(wanted, prompt=model.prompts.get(prompt) or None, max_length=limit)
            vectors = torch.nn.functional.normalize(model(features)["sentence_embedding"], dim=1).numpy()
        worst = min(worst, float((vectors * encode(wanted)).sum(axis=1).min()))
    if worst < 1 - PARITY:
        raise ModelError(
            f"{saved} differs from the trained model: cosine {worst:.6f}, at least {1 - PARITY} is needed; "
            "merge in float32 and check that the base is unchanged"
        )
    return worst
