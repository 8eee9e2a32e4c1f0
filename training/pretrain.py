"""weak pairs → a tokenizer and a small encoder from nothing (a plain sentence-transformers folder)

Two stages over the same weak pairs, both with a symmetric in-batch softmax over batches of one source; masked language
modelling of the blocks between them where the recipe asks for it:

1. token vectors only: the encoder without its transformer blocks is a mean of normalised token vectors, which learns in
   minutes. The last `SLACK` dimensions leave the final norm with weight 0, so a token can hide length in them: the mean
   becomes a weighted one though every token vector has the same norm;
2. the blocks, whose residual branches begin at zero, so that the encoder starts from what the vectors know.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_model, save_model
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

from training.masked import train_masked
from training.pairs import Row, read_json
from training.recipe import Recipe, RecipeError
from training.sections import Pretrain
from training.tokenizer import SPECIAL, seen_passages, tokens_per_character, train_tokenizer
from training.tokens import Ragged, encode

PROMPTS = {"query": "[Q] ", "document": "[D] "}
SLACK = 16
MICRO = 64
"""Texts of one forward pass: small enough for the cache of a CPU core."""


def run(recipe: Recipe) -> None:
    section = recipe.pretrain
    if not section.enabled:
        print("pretrain: off in this recipe; the bi-encoder starts from its base", flush=True)
        return
    torch.manual_seed(recipe.seed)
    tokenizer = train_tokenizer(recipe)
    print(
        f"{section.tokenizer} of {tokenizer.get_vocab_size():,}: {tokens_per_character(recipe, tokenizer):.3f} tokens "
        "per character",
        flush=True,
    )
    pairs = tokenize_pairs(recipe, tokenizer)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = new_model(section)
    model.to(device)  # type: ignore[arg-type]  # transformers wraps Module.to in a way mypy misreads
    log = Log(recipe.folder("pretrain") / "log.jsonl")
    tokens = recipe.token_model
    learnt = recipe.folder("pretrain") / "tokens.safetensors"
    if learnt.exists() and tokens.exists():
        print(f"pretrain: token vectors taken from {learnt}", flush=True)
        load_model(model, learnt)
    else:
        train_tokens(model, pairs, section, np.random.default_rng(recipe.seed), log)
        save(token_encoder(model, section), tokenizer, section, tokens)
        save_model(model, str(learnt))
    if section.masked_steps:
        train_masked_blocks(model, recipe, tokenizer, log)
    train_blocks(model, pairs, section, np.random.default_rng(recipe.seed + 1), log, recipe.folder("pretrain"))
    save(model, tokenizer, section, recipe.base_model)


# pairs


@dataclass(frozen=True)
class TokenPairs:
    """Weak pairs as token ids: `text` maps a pair to its positive; pairs of one `key` are no negatives."""

    queries: Ragged
    positives: Ragged
    text: npt.NDArray[np.int64]
    key: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    names: tuple[str, ...]


def tokenize_pairs(recipe: Recipe, tokenizer: Tokenizer) -> TokenPairs:
    """Read weak.jsonl once; equal positives are tokenised once."""
    texts, keys, names = _Index(), _Index(), _Index()
    queries: list[str] = []
    columns: list[tuple[int, int, int]] = []
    for row in read_json(recipe.weak_pairs):
        queries.append(PROMPTS["query"] + row["query"])
        columns.append((texts.of(PROMPTS["document"] + row["pos"][0]), keys.of(_key(row)), names.of(row["source"])))
    if not columns:
        raise RecipeError(f"{recipe.weak_pairs.name} holds no pair: are there decisions before pairs.train_before?")
    text, key, source = (np.array(column, dtype=np.int64) for column in zip(*columns, strict=True))
    section = recipe.pretrain
    return TokenPairs(
        encode(tokenizer, queries, section.query_tokens), encode(tokenizer, texts.rows, section.passage_tokens),
        text, key, source, tuple(names.rows),
    )  # fmt: skip


def _key(row: Row) -> str:
    return str(row.get("key") or row["pos"][0])


class _Index:
    """Strings numbered in order of first sight."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def of(self, value: str) -> int:
        return self._of.setdefault(value, len(self._of))

    @property
    def rows(self) -> list[str]:
        return list(self._of)


def batches(
    pairs: TokenPairs, size: int, shares: dict[str, float], epochs: float, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Batches of pair numbers, each of one source; `shares` is the part of each source seen in one epoch."""
    for part in [1.0] * int(epochs) + ([epochs % 1] if epochs % 1 else []):
        cut: list[npt.NDArray[np.int64]] = []
        for number, name in enumerate(pairs.names):
            rows = rng.permutation(np.flatnonzero(pairs.source == number))
            rows = rows[: math.ceil(len(rows) * part * shares.get(name, 1.0))]
            cut += [rows[i : i + size] for i in range(0, len(rows), size)]
        full = [rows for rows in cut if len(rows) > 1]
        yield from (full[i] for i in rng.permutation(len(full)))


def count_batches(pairs: TokenPairs, size: int, shares: dict[str, float], epochs: float) -> int:
    return sum(1 for _ in batches(pairs, size, shares, epochs, np.random.default_rng(0)))


# training


def new_model(section: Pretrain) -> ModernBertModel:
    """A ModernBERT whose residual branches are zero and whose last SLACK dimensions are hidden by the final norm."""
    options: dict[str, Any] = {
        "vocab_size": section.vocab, "hidden_size": section.dim, "num_hidden_layers": section.layers,
        "num_attention_heads": section.heads, "intermediate_size": section.intermediate,
        "max_position_embeddings": max(section.max_tokens, 512), "layer_types": ["full_attention"] * section.layers,
        "classifier_pooling": "mean", "attn_implementation": "eager",
        "pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3,
    }  # fmt: skip
    model = ModernBertModel(ModernBertConfig(**options))
    with torch.no_grad():
        table = model.embeddings.tok_embeddings.weight
        torch.nn.init.normal_(table, std=0.1)
        slack = min(SLACK, section.dim // 8)
        table[:, -slack:] *= math.sqrt(section.dim / slack) / 2
        model.final_norm.weight[-slack:] = 0.0
        for name, weight in model.named_parameters():
            if name.endswith("Wo.weight"):
                weight.zero_()
    return model


def token_encoder(model: ModernBertModel, section: Pretrain) -> BertModel:
    """The token vectors alone as a BERT without blocks: its embeddings and their norm compute the same vectors.

    Positions and segments are zero. (ModernBERT refuses a configuration of no layers.)
    """
    window = max(section.max_tokens, 512)
    config = BertConfig(
        vocab_size=section.vocab, hidden_size=section.dim, num_hidden_layers=0, num_attention_heads=section.heads,
        intermediate_size=section.intermediate, max_position_embeddings=window, layer_norm_eps=model.config.norm_eps,
        hidden_dropout_prob=0.0, pad_token_id=0,
    )  # fmt: skip
    bare = BertModel(config)
    embeddings = bare.embeddings
    with torch.no_grad():
        for name, weight in bare.named_parameters():
            if name.startswith("pooler."):  # not used, but AutoModel makes one
                weight.zero_()
        embeddings.word_embeddings.weight.copy_(model.embeddings.norm(model.embeddings.tok_embeddings.weight))
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        embeddings.LayerNorm.weight.copy_(model.final_norm.weight)
        embeddings.LayerNorm.bias.zero_()
    return bare


def train_tokens(
    model: ModernBertModel, pairs: TokenPairs, section: Pretrain, rng: np.random.Generator, log: Log
) -> None:
    """Stage one. All token vectors pass the norms once a step, then texts are means of rows of that table."""
    table, norm, final = model.embeddings.tok_embeddings.weight, model.embeddings.norm, model.final_norm
    total = count_batches(pairs, section.token_batch, {}, section.token_epochs)
    optimizer = torch.optim.Adam([table, norm.weight, final.weight], lr=section.token_lr, betas=(0.9, 0.99))
    for step, rows in enumerate(batches(pairs, section.token_batch, {}, section.token_epochs, rng)):
        _schedule(optimizer, section.token_lr, step, total)
        vectors = final(norm(table))
        queries = _bag(vectors, pairs.queries.take(rows))
        positives = _bag(vectors, pairs.positives.take(pairs.text[rows]))
        loss = contrastive(queries, positives, torch.from_numpy(pairs.key[rows]), section.temperature)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        log.add("tokens", step, total, loss.item(), pairs.names[int(pairs.source[rows[0]])])


def _bag(vectors: Tensor, texts: Ragged) -> Tensor:
    ids = torch.from_numpy(texts.ids.astype(np.int64)).to(vectors.device)
    offsets = torch.from_numpy(texts.offsets[:-1]).to(vectors.device)
    return functional.normalize(functional.embedding_bag(ids, vectors, offsets, mode="mean"), dim=-1)


def contrastive(queries: Tensor, positives: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Symmetric in-batch softmax over cosines / temperature; columns that share the row's key are masked."""
    scores = queries.float() @ positives.float().T / temperature
    same = keys[:, None] == keys[None, :]
    same.fill_diagonal_(False)
    scores = scores.masked_fill(same.to(scores.device), -torch.inf)
    labels = torch.arange(len(scores), device=scores.device)
    return (functional.cross_entropy(scores, labels) + functional.cross_entropy(scores.T, labels)) / 2


def train_masked_blocks(model: ModernBertModel, recipe: Recipe, tokenizer: Tokenizer, log: Log) -> None:
    """Stage two, where the recipe asks for it: masked language modelling over the passages that training may see."""
    section = recipe.pretrain
    total = section.masked_steps
    train_masked(
        model,
        encode(tokenizer, (text for _, text in seen_passages(recipe)), section.passage_tokens),
        section,
        {token: tokenizer.get_vocab()[token] for token in SPECIAL},
        np.random.default_rng(recipe.seed + 2),
        lambda step, loss: log.add("masked", step, total, loss, "passages"),
        lambda optimizer, step: _schedule(optimizer, section.lr, step, total),
    )


def train_blocks(
    model: ModernBertModel, pairs: TokenPairs, section: Pretrain, rng: np.random.Generator, log: Log, folder: Path
) -> None:
    """Stage two. Texts pass the encoder in micro-batches sorted by length; one softmax over the whole batch.

    A checkpoint is kept every `save_steps`; a run that was stopped goes on from it.
    """
    shares = dict(section.block_shares)
    total = count_batches(pairs, section.batch, shares, section.epochs)
    blocks = [p for name, p in model.named_parameters() if not name.startswith("embeddings.tok")]
    groups = [
        {"params": blocks, "lr": section.lr, "peak": section.lr, "weight_decay": 0.01},
        {"params": [model.embeddings.tok_embeddings.weight], "lr": section.embedding_lr, "peak": section.embedding_lr},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    checkpoint = folder / "blocks.pt"
    done = _resume(checkpoint, model, optimizer)
    model.train()
    for step, rows in enumerate(batches(pairs, section.batch, shares, section.epochs, rng)):
        if step < done:
            continue
        _schedule(optimizer, section.lr, step, total)
        queries = forward(model, pairs.queries, rows)
        positives = forward(model, pairs.positives, pairs.text[rows])
        loss = contrastive(queries, positives, torch.from_numpy(pairs.key[rows]), section.temperature)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(blocks, 1.0)
        optimizer.step()
        log.add("blocks", step, total, loss.item(), pairs.names[int(pairs.source[rows[0]])])
        if (step + 1) % section.save_steps == 0:
            state = {"step": step + 1, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, checkpoint.with_suffix(".partial"))
            checkpoint.with_suffix(".partial").replace(checkpoint)
    checkpoint.unlink(missing_ok=True)


def _resume(checkpoint: Path, model: ModernBertModel, optimizer: torch.optim.Optimizer) -> int:
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    print(f"pretrain: resumed at step {state['step']}", flush=True)
    return int(state["step"])


def forward(model: ModernBertModel, texts: Ragged, rows: npt.NDArray[np.int64]) -> Tensor:
    """Normalised mean vectors (rows, dim), in the order of `rows`; bf16 inside."""
    device = model.device
    order = np.argsort(texts.lengths(rows), kind="stable")
    parts: list[Tensor] = []
    for start in range(0, len(rows), MICRO):
        ids, mask = (torch.from_numpy(a).to(device) for a in texts.padded(rows[order[start : start + MICRO]], pad=0))
        with torch.autocast(device.type, dtype=torch.bfloat16):
            hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        parts.append((hidden.float() * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True))
    back = torch.from_numpy(np.argsort(order, kind="stable")).to(device)
    return functional.normalize(torch.cat(parts)[back], dim=-1)


def _schedule(optimizer: torch.optim.Optimizer, peak: float, step: int, total: int) -> None:
    """Linear warm-up over the first twentieth, then cosine to a hundredth of the peak."""
    warm = max(1, total // 20)
    factor = (step + 1) / warm if step < warm else 0.01 + 0.99 * (1 + math.cos(math.pi * step / total)) / 2
    for group in optimizer.param_groups:
        group["lr"] = group.get("peak", peak) * factor


class Log:
    """Losses as JSON lines and, now and then, on the screen: the mean by source since the last line."""

    def __init__(self, path: Path, every: int = 50) -> None:
        self._path, self._every, self._start = path, every, time.monotonic()
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()

    def add(self, stage: str, step: int, total: int, loss: float, source: str) -> None:
        if not math.isfinite(loss):
            raise RecipeError(f"pretrain {stage}: loss is {loss} at step {step}; lower the learning rate")
        self._sums[source] += loss
        self._counts[source] += 1
        if (step + 1) % self._every and step + 1 != total:
            return
        means = {name: round(self._sums[name] / self._counts[name], 3) for name in sorted(self._sums)}
        seconds = round(time.monotonic() - self._start)
        row = {"stage": stage, "step": step + 1, "of": total, "seconds": seconds, "loss": means}
        with self._path.open("a") as sink:
            sink.write(json.dumps(row) + "\n")
        print(f"{stage} {step + 1}/{total}  {seconds} s  {means}", flush=True)
        self._sums.clear()
        self._counts.clear()


def save(model: ModernBertModel | BertModel, tokenizer: Tokenizer, section: Pretrain, folder: Path) -> None:
    """A sentence-transformers folder: the model, mean pooling, normalisation, prompts and token limits."""
    inner = folder.with_name(folder.name + ".partial")
    model = copy.deepcopy(model).cpu()
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", additional_special_tokens=["[Q]", "[D]"], model_max_length=section.max_tokens,
    )  # fmt: skip
    model.save_pretrained(inner)
    fast.save_pretrained(inner)
    transformer = Transformer(str(inner), max_seq_length=section.max_tokens)
    pooling = Pooling(section.dim, pooling_mode="mean")
    SentenceTransformer(modules=[transformer, pooling, Normalize()], prompts=PROMPTS).save(str(folder))
    limits = {"query_tokens": 2 * section.query_tokens, "passage_tokens": section.max_tokens}
    (folder / "beopgil.json").write_text(json.dumps(limits))
    shutil.rmtree(inner)
