"""triples + merged bi-encoder → model/, a calibrated cross-encoder

Negatives are mined anew with the bi-encoder whose candidates it will rank. The checkpoint is the one that best ranks
the first stage's own candidates of dev queries; other dev queries calibrate it.
"""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from peft import PeftModel
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder.data_collator import CrossEncoderDataCollator
from sentence_transformers.cross_encoder.trainer import CrossEncoderTrainer
from sentence_transformers.cross_encoder.training_args import CrossEncoderTrainingArguments
from torch import Tensor
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from app.errors import ModelError
from app.retrieval import device as devices
from app.retrieval.encoder import Encoder
from app.retrieval.first_token import shorten
from app.retrieval.reranker import Reranker
from app.retrieval.store import DocumentStore, PassageStore
from training import ranks, sections
from training.base import stored_dtype, write_model
from training.calibration import Scored, best_weight, blended, calibrate, told
from training.dev import dev_queries
from training.mine import Pools, mine
from training.recipe import Recipe, RecipeError
from training.rerank_evaluator import RerankEvaluator
from training.reranking import Judged, PairTokens, first_stage, forward
from training.trainer import (
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
from training.triples import Triples, read_triples

PARITY = 0.05
"""By how much a saved model's logit may differ from the trained one's."""


def run(recipe: Recipe) -> None:
    section, folder = recipe.cross_encoder, recipe.folder("cross_encoder")
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    source = folder / "triples.jsonl" if section.remine else recipe.triples
    choosing, calibrating = ranks.on_first(lambda: first_stage_work(recipe, documents, passages, source))
    triples = read_triples(source, documents, passages)
    base = ranks.on_first(lambda: base_folder(recipe))
    model = prepared_model(base, section)
    evaluator = make_evaluator(model, section, choosing, passages)
    trainer = make_trainer(model, triples, section, folder / "checkpoints", evaluator)
    steps = fit(trainer, inputs_of(section, source, base))
    write_measures(trainer, folder)
    print(f"trained {steps} steps on {len(triples.examples):,} triples", flush=True)
    ranks.on_first(lambda: finish(save(model, base, recipe, triples), recipe, calibrating, passages))
    ranks.on_first(lambda: remove(folder / "checkpoints", base))


def first_stage_work(
    recipe: Recipe, documents: DocumentStore, passages: PassageStore, source: Path
) -> tuple[list[Judged], list[Judged]]:
    """What needs the bi-encoder: triples mined anew into `source`, where asked for, and the judged queries."""
    encoder = Encoder.load(recipe.encoder_model)
    pools = Pools(documents, passages, encoder, recipe.folder("bi_encoder") / "vectors")
    if recipe.cross_encoder.remine:
        mine(fewer(recipe), pools, source)
    return judged_queries(recipe, pools)


def fewer(recipe: Recipe) -> Recipe:
    """The recipe with cross_encoder.mined of the queries to mine, 0, all, stays 0, and with its margin."""
    section, share = recipe.mine, recipe.cross_encoder.mined
    weak = {source: math.ceil(share * count) for source, count in section.weak.items()}
    changes = {"max_queries": math.ceil(share * section.max_queries), "weak": weak}
    margin = recipe.cross_encoder.mined_margin or section.margin
    return recipe.model_copy(update={"mine": section.model_copy(update={**changes, "margin": margin})})


def remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder)


def judged_queries(recipe: Recipe, pools: Pools) -> tuple[list[Judged], list[Judged]]:
    """Dev queries with their candidates: at most half to choose the checkpoint by, others to calibrate with."""
    section = recipe.cross_encoder
    queries = dev_queries(recipe.dev, 0, recipe.seed)
    if not queries:
        print(
            f"no dev queries in {recipe.dev}: the checkpoint is the last, and the model is not calibrated", flush=True
        )
        return [], []
    order = np.random.default_rng(recipe.seed).permutation(len(queries))
    cut = min(section.eval_queries, (len(queries) + 1) // 2)
    chosen = [queries[i] for i in order[: 2 * cut]]
    judged = first_stage(chosen, pools[queries[0].kind], pools.encoder, section.depth)
    return judged[:cut], judged[cut:]


# The model


def base_folder(recipe: Recipe) -> Path:
    """The cross-encoder to start from, written to cross_encoder/base: a fresh head is drawn once, by seed."""
    section, target = recipe.cross_encoder, recipe.folder("cross_encoder") / "base"
    source = devices.model_folder(section.base or recipe.encoder_model)
    config = AutoConfig.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
    window = int(getattr(config, "max_position_embeddings", section.max_tokens))
    if section.max_tokens > window:
        raise RecipeError(f"max_tokens {section.max_tokens} is more than the {window} of {source}; lower max_tokens")
    headed = any(name.endswith("ForSequenceClassification") for name in config.architectures or ())
    if not headed and hasattr(config, "classifier_pooling"):
        config.classifier_pooling = section.classifier_pooling
    config.num_labels = 1
    torch.manual_seed(section.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        str(source), config=config, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    )
    tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
    if section.graft:
        graft(model, recipe.encoder_model)

    def write(path: str) -> None:
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)

    write_model(write, target, {})
    return target


def graft(model: Any, encoder: Path) -> None:
    """Give a model the token vectors of the trained bi-encoder. RecipeError where the tables differ in size."""
    trained = AutoModel.from_pretrained(
        str(encoder), local_files_only=True, trust_remote_code=False, dtype=torch.float32
    )
    own, table = model.get_input_embeddings().weight, trained.get_input_embeddings().weight
    if own.shape != table.shape:
        raise RecipeError(
            f"cross_encoder.graft: the base has token vectors {tuple(own.shape)}, the bi-encoder {tuple(table.shape)}; "
            "both must come from one pretraining"
        )
    with torch.no_grad():
        own.copy_(table)


def open_model(base: Path, section: sections.CrossEncoder, device: str = "cpu") -> CrossEncoder:
    """A cross-encoder in float32 whose prediction is the raw logit."""
    model: CrossEncoder = CrossEncoder(
        str(base),
        device=device,
        num_labels=1,
        max_length=section.max_tokens,
        activation_fn=torch.nn.Identity(),
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs=devices.model_options(device, "fp32"),
    )
    return model


def transformer(model: CrossEncoder) -> Any:
    """The transformers model inside: a body and a head."""
    assert model.model is not None
    return model.model


def heads(model: CrossEncoder) -> list[str]:
    """The modules beside the body that hold weights: what an adapter must carry whole."""
    inner = transformer(model)
    return [
        name for name, child in inner.named_children() if name != inner.base_model_prefix and list(child.parameters())
    ]


def prepared_model(base: Path, section: sections.CrossEncoder, device: str = "") -> CrossEncoder:
    """The base with what is trained marked as such: everything, the upper blocks, or an adapter and the head."""
    torch.manual_seed(section.seed)
    model = open_model(base, section, device or devices.resolve("auto"))
    if section.lora_rank:
        add_lora(model, section, task="SEQ_CLS", modules_to_save=heads(model))
    freeze_layers(model, section.freeze_layers)
    recompute_activations(model, section)
    shorten(transformer(model))
    print(f"training {sum(p.numel() for p in trainable(model).values()):,} weights", flush=True)
    return model


# Training


class Trainer(PlainCheckpoints, CrossEncoderTrainer):
    """The library's trainer with checkpoints of ours."""


def make_evaluator(
    model: CrossEncoder, section: sections.CrossEncoder, judged: list[Judged], passages: PassageStore
) -> RerankEvaluator | None:
    """None where there are no dev queries or the loss decides."""
    if not judged or section.best_by == "loss":
        return None
    evaluator = RerankEvaluator(judged, passages, PairTokens(model, section), devices.batch_tokens(str(model.device)))
    print("first stage: " + "  ".join(f"{k} {v:.4f}" for k, v in evaluator.first_stage().items()), flush=True)
    return evaluator


def make_trainer(
    model: CrossEncoder,
    triples: Triples,
    section: sections.CrossEncoder,
    folder: Path,
    evaluator: RerankEvaluator | None,
) -> Trainer:
    held_out = triples.held_out(section.eval_queries, section.seed) if section.best_by == "loss" else None
    rows = np.setdiff1d(np.arange(len(triples.examples)), [] if held_out is None else held_out)
    evaluated, device = evaluator is not None or held_out is not None, devices.resolve("auto")
    steps = total_steps(section, len(rows))
    return Trainer(
        model=model,
        args=training_arguments(
            CrossEncoderTrainingArguments, section, folder, device=device, steps=steps, evaluated=evaluated
        ),
        train_dataset=datasets.Dataset.from_dict({"row": rows}),
        eval_dataset=None if held_out is None else datasets.Dataset.from_dict({"row": held_out}),
        loss=ListLoss(model, section, devices.batch_tokens(device)),
        evaluator=evaluator,
        data_collator=ListCollator(model, triples, section),
        callbacks=callbacks(
            section, candidates=(1 + section.negatives) * (section.loss == "listwise"), evaluated=evaluated
        ),
    )


class ListCollator(CrossEncoderDataCollator):
    """Rows → `tokens` of batch × (1 + negatives) pairs, each query's positive first, and `label`, bool (batch, 1 +
    negatives): where there is a passage."""

    def __init__(self, model: CrossEncoder, triples: Triples, section: sections.CrossEncoder) -> None:
        super().__init__(preprocess_fn=model.preprocess)
        self.triples, self.section, self.tokens = triples, section, PairTokens(model, section)

    def __call__(self, features: Sequence[Mapping[str, int]]) -> dict[str, Any]:
        width = self.section.negatives
        examples = [self.triples.examples[int(row["row"])] for row in features]
        lists = [[example.positive, *example.negatives[:width]] for example in examples]
        present = torch.tensor([[place < len(passages) for place in range(1 + width)] for passages in lists])
        queries = [example.query for example in examples for _ in range(1 + width)]
        texts = [
            self.triples.text(passages[place]) if place < len(passages) else ""
            for passages in lists
            for place in range(1 + width)
        ]
        return {"tokens": self.tokens.pad(self.tokens.pairs(queries, texts)), "label": present}


class ListLoss(torch.nn.Module):
    """The loss of a query's list: one positive, then negatives.

    binary    cross-entropy of each logit, positives weighted by `positive_weight`
    listwise  −ln of the positive's share of softmax(logits): ListNet with all of the target on the positive (the
              library's ListNetLoss takes softmax(labels), which for labels 1 and 0 leaves most of it on negatives)
    margin    how far a negative's logit exceeds the positive's − `margin`
    """

    def __init__(self, model: CrossEncoder, section: sections.CrossEncoder, batch_tokens: int) -> None:
        super().__init__()
        self.model, self.section, self.batch_tokens = model, section, batch_tokens

    def forward(self, features: list[dict[str, Tensor]], labels: Tensor, **_: Any) -> Tensor:
        """A float32 scalar; `features` holds the tokens of all pairs, `labels` where there is a passage."""
        logits = forward(self.model, features[0], self.batch_tokens).view(labels.shape)
        return list_loss(logits, labels, self.section)


def list_loss(logits: Tensor, present: Tensor, section: sections.CrossEncoder) -> Tensor:
    """`logits` float32 and `present` bool, both (queries, 1 + negatives), the positive first."""
    if section.loss == "listwise":
        masked = logits.masked_fill(~present, -math.inf)
        return functional.cross_entropy(masked, torch.zeros(len(logits), dtype=torch.int64, device=logits.device))
    if section.loss == "margin":
        return ranks.mean(functional.relu(section.margin - logits[:, :1] + logits[:, 1:])[present[:, 1:]])
    targets = torch.zeros_like(logits)
    targets[:, 0] = 1
    weight = torch.tensor(section.positive_weight, device=logits.device)
    losses = functional.binary_cross_entropy_with_logits(
        logits[present], targets[present], pos_weight=weight, reduction="none"
    )
    return ranks.mean(losses)


# The finished model


def save(model: CrossEncoder, base: Path, recipe: Recipe, triples: Triples) -> Path:
    """Merge into a fresh copy of the base, write it, open it again and compare. ModelError where logits differ."""
    section, folder = recipe.cross_encoder, recipe.folder("cross_encoder")
    weights = {name: weight.detach().cpu() for name, weight in trainable(model).items()}
    trained = trained_copy(base, section, weights)
    finished = open_model(base, section)
    if section.lora_rank:
        adapter = folder / "adapter"
        shutil.rmtree(adapter, ignore_errors=True)
        transformer(trained).save_pretrained(str(adapter))
        merge(finished, adapter)
    else:
        finished.load_state_dict({**finished.state_dict(), **weights})
    finished.to(stored_dtype(section))
    limits = {"query_tokens": section.query_tokens, "max_tokens": section.max_tokens}
    write_model(finished.save_pretrained, folder / "uncalibrated", limits)
    worst = parity(trained, folder / "uncalibrated", section, triples)
    print(f"parity: logits differ by at most {worst:.5f}", flush=True)
    (folder / "parity.json").write_text(json.dumps({"worst_difference": worst}))
    return folder / "uncalibrated"


def merge(model: CrossEncoder, adapter: Path) -> None:
    """Add an adapter to a fresh base, head included."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
        )  # peft asks for it
        model[0].model = PeftModel.from_pretrained(transformer(model), str(adapter)).merge_and_unload()


def trained_copy(base: Path, section: sections.CrossEncoder, weights: Mapping[str, Tensor]) -> CrossEncoder:
    """The trained model outside of its trainer: after bf16 training the trainer leaves `forward` under autocast."""
    model = open_model(base, section)
    if section.lora_rank:
        add_lora(model, section, task="SEQ_CLS", modules_to_save=heads(model))
    model.load_state_dict({**model.state_dict(), **weights})
    model.eval()
    return model


def parity(
    trained: CrossEncoder, saved: Path, section: sections.CrossEncoder, triples: Triples, count: int = 64
) -> float:
    """The largest difference between both models' logits of one pair. ModelError above PARITY."""
    examples = triples.examples[:count]
    queries, texts = [e.query for e in examples], [triples.text(e.positive) for e in examples]
    tokens = PairTokens(trained, section)
    with torch.inference_mode():
        wanted = forward(trained, tokens.pad(tokens.pairs(queries, texts)), devices.CPU_BATCH_TOKENS).numpy()
    reranker = Reranker.load(saved, "cpu", "fp32")
    found = np.array([reranker.score(query, [text])[0] for query, text in zip(queries, texts, strict=True)])
    worst = float(np.abs(wanted - found).max())
    if worst > PARITY * max(1.0, float(np.abs(wanted).max())):
        raise ModelError(f"{saved} differs from the trained model: logits by {worst:.4f}, at most {PARITY} is allowed")
    return worst


def finish(saved: Path, recipe: Recipe, judged: list[Judged], passages: PassageStore) -> None:
    """Calibrate, and put the model in its place with beopgil.json complete."""
    section = recipe.cross_encoder
    settings: dict[str, Any] = {"query_tokens": section.query_tokens, "max_tokens": section.max_tokens}
    if judged:
        reranker = Reranker.load(saved)
        scored = Scored(judged, [reranker.score(one.query.text, passages.texts(one.passages)) for one in judged])
        calibration, _ = calibrate(scored, section.target_precision)
        settings["calibration"] = {"scale": calibration.scale, "bias": calibration.bias}
        tried = scored.by_weight()
        print(told(tried), flush=True)
        blend = blended(scored, best_weight(tried), section.target_precision)
        settings["blends"] = {judged[0].query.kind: asdict(blend)}
    (saved / "beopgil.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    shutil.rmtree(recipe.reranker_model, ignore_errors=True)
    saved.rename(recipe.reranker_model)
