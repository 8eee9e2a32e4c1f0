"""What tests/test_distributed.py does in one process and in two:  torchrun … -m tests.shared_training FOLDER"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import TrainerCallback

from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from tests.fakes import FakeEncoder
from training import bi_encoder, cross_encoder, mine, ranks
from training.base import open_encoder
from training.pool import dev_pool
from training.recipe import Recipe
from training.trainer import PlainCheckpoints, fit, trainable
from training.triples import Triples, read_triples

BI: dict[str, Any] = {"lora_dropout": 0.0, "max_steps": 6}
"""Two epochs of three full batches of four: nothing is left over that two processes would see otherwise."""
CROSS: dict[str, Any] = {"lora_dropout": 0.0, "max_steps": 6}
CASES: dict[str, dict[str, dict[str, Any]]] = {
    "adapter": {"bi_encoder": BI},
    "whole": {"bi_encoder": {**BI, "lora_rank": 0}},
    "by_loss": {"bi_encoder": {**BI, "best_by": "loss", "max_steps": 2, "eval_steps": 1, "warmup_ratio": 0.0}},
    "accumulated": {"bi_encoder": {**BI, "batch": 2, "accumulation": 2}},
    "options": {"bi_encoder": {**BI, "guide": True, "frequency": 0.5, "dimensions": (8,), "distillation": 0.5}},
    "resumed": {"bi_encoder": BI},
    "listwise": {"cross_encoder": CROSS},
    "binary": {"cross_encoder": {**CROSS, "loss": "binary", "positive_weight": 2.0}},
    "margin": {"cross_encoder": {**CROSS, "loss": "margin"}},
}


class Interrupt(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            raise InterruptedError


def stores(made: Recipe) -> tuple[DocumentStore, PassageStore]:
    return DocumentStore(made.documents), PassageStore(made.passages)


def recipe(folder: Path, case: str) -> Recipe:
    return tiny.recipe(folder / case, **CASES[case])


def prepare(folder: Path, case: str) -> None:
    """The corpus, bases without dropout, and triples of one to four negatives: the processes' parts differ in number.

    Once for both runs: the tokenizer that tiny trains is another each time.
    """
    made = recipe(folder, case)
    tiny.write_corpus(made)
    tiny.save_encoder(made.base_model, "bert" if case == "whole" else "modernbert")  # BERT's pooler goes unused
    tiny.save_body(folder / case / "cross", "xlm-roberta-cross")
    pools = mine.Pools(*stores(made), FakeEncoder(), made.folder("mine"))
    mine.mine(made, pools, made.triples)
    rows = [json.loads(line) for line in made.triples.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["hard_negatives"] = row["hard_negatives"][: 1 + number % 4]
        row["exclude"] = row["exclude"][: number % 3]
        row["teacher"] = [3.0, *(float(n) for n in range(len(row["hard_negatives"])))]
    made.triples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for config in (folder / case).rglob("config.json"):
        settings = json.loads(config.read_text())
        config.write_text(json.dumps({key: 0.0 if "dropout" in key else value for key, value in settings.items()}))


def trainer(made: Recipe, triples: Triples, folder: Path, case: str) -> PlainCheckpoints:
    if "cross_encoder" in CASES[case]:
        cross = cross_encoder.prepared_model(folder / case / "cross", made.cross_encoder, "cpu")
        return cross_encoder.make_trainer(cross, triples, made.cross_encoder, folder / case / "checkpoints", None)
    evaluator = dev_pool(made, *stores(made), triples)
    bi = bi_encoder.prepared_model(made.base_model, made.bi_encoder)
    guide = open_encoder(made.base_model, made.bi_encoder) if made.bi_encoder.guide else None
    return bi_encoder.make_trainer(bi, triples, made.bi_encoder, folder / case / "checkpoints", evaluator, guide)


def save_weights(running: PlainCheckpoints, path: Path) -> None:
    save_file({name: weight.detach().contiguous() for name, weight in trainable(running.model).items()}, path)


def train(folder: Path, case: str) -> None:
    """Leaves what each process logged and its weights, before and after: log-, start- and weights-RANK."""
    made = recipe(folder, case)
    triples = read_triples(made.triples, *stores(made))
    running = trainer(made, triples, folder, case)
    save_weights(running, folder / case / f"start-{ranks.rank()}.safetensors")
    if case == "resumed" and ranks.size() > 1:
        running.add_callback(Interrupt())
        try:
            fit(running, "same")
        except InterruptedError:
            running = trainer(made, triples, folder, case)
    fit(running, "same")
    save_weights(running, folder / case / f"weights-{ranks.rank()}.safetensors")
    (folder / case / f"log-{ranks.rank()}.json").write_text(json.dumps(running.state.log_history))


def helpers(folder: Path) -> None:
    """What the functions of training.ranks give in each process: helpers-RANK.json."""
    own = torch.tensor([[1.0], [2.0]]) + 2 * ranks.rank()
    rows, start = ranks.gathered(own.requires_grad_())
    asked = (ranks.rank() + 1) * rows * torch.arange(1.0, 5.0)[:, None]
    asked.sum().backward()  # type: ignore[no-untyped-call]  # torch does not type it
    values = torch.arange(1.0, 2.0 + ranks.rank())
    with torch.no_grad():
        fixed, _ = ranks.gathered(own)
    alone, _ = ranks.on_first(lambda: ranks.gathered(own.detach()))
    found = {
        "told": ranks.on_first(lambda: f"by {ranks.rank()}"),
        "rows": rows.flatten().tolist(),
        "start": start,
        "gradient": [] if own.grad is None else own.grad.flatten().tolist(),
        "mean": float(ranks.mean(values)),
        "without gradient": fixed.flatten().tolist(),
        "alone": alone.flatten().tolist(),
        "nested": ranks.on_first(lambda: ranks.on_first(ranks.size)),
    }
    (folder / f"helpers-{ranks.rank()}.json").write_text(json.dumps(found))
    print(f"printed by {ranks.rank()}")


def fail(where: str) -> None:
    """Fail in one process while the other waits for it."""
    if where == "second" and ranks.rank() == 1:
        raise ValueError("the second process fails")
    ranks.on_first(lambda: 1 / 0 if where == "first" else 0)
    ranks.on_first(lambda: 0)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    with ranks.together():
        for wish in sys.argv[2:]:
            if wish in CASES:
                train(place, wish)
            elif wish == "helpers":
                helpers(place)
            else:
                fail(wish)
