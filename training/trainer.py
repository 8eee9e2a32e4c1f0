"""What both fine-tuning steps share: arguments, precision, LoRA, freezing, checkpoints, the watch on the loss.

Checkpoints hold the trainable weights by name (safetensors) beside the optimiser's state, until the step is done.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from accelerate.data_loader import prepare_data_loader
from peft import LoraConfig
from safetensors.torch import load_file, save_file
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.base.training_args import BaseTrainingArguments
from torch import nn
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_utils import EvalLoopOutput, get_last_checkpoint

from app.errors import BeopgilError, ModelError
from app.retrieval import device as devices
from training import ranks, sections
from training.atomic import write
from training.recipe import RecipeError
from training.reranking import evaluating

WEIGHTS = "trainable.safetensors"
Precision = Literal["fp32", "bf16", "fp16"]
Arguments = TypeVar("Arguments", bound=BaseTrainingArguments)
WATCHERS: ContextVar[tuple[TrainerCallback, ...]] = ContextVar("WATCHERS", default=())
"""Callbacks that whoever runs a step adds to its trainer: the sweep follows the evaluations so."""


class DeadLossError(BeopgilError):
    """A run whose loss stays where guessing leaves it."""

    code = "dead_loss"


# Arguments


def precision(section: sections.Trainer, device: str) -> Precision:
    """The format to train in. fp16 without a GPU falls back to auto, and says so."""
    wanted = section.precision
    if wanted == "fp16" and not device.startswith("cuda"):
        print("precision fp16 needs a GPU and there is none: falling back to auto", flush=True)
        wanted = "auto"
    if wanted != "auto":
        return wanted
    return "bf16" if devices.dtype(device, "auto") is torch.bfloat16 else "fp32"


def training_arguments(
    kind: type[Arguments], section: sections.Trainer, folder: Path, *, device: str, steps: int, evaluated: bool
) -> Arguments:
    """Arguments of a run of `steps` optimiser steps, evaluated and saved every `eval_steps` and at the end."""
    number_format, gpu = precision(section, device), device.startswith("cuda")
    every = max(1, min(section.eval_steps, steps))
    by_loss = section.best_by == "loss"
    made = kind(
        output_dir=str(folder),
        num_train_epochs=section.epochs,
        max_steps=section.max_steps,
        per_device_train_batch_size=own_batch(section),
        per_device_eval_batch_size=section.batch,
        gradient_accumulation_steps=section.accumulation,
        learning_rate=section.lr,
        weight_decay=section.weight_decay,
        warmup_steps=section.warmup_steps or section.warmup_ratio,
        lr_scheduler_type=section.schedule,
        bf16=number_format == "bf16",
        fp16=number_format == "fp16",
        eval_strategy="steps" if evaluated else "no",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=evaluated,
        metric_for_best_model="eval_loss" if by_loss else f"eval_{section.best_by}",
        greater_is_better=not by_loss,
        logging_steps=section.logging_steps,
        report_to=reporter(section),
        seed=section.seed,
        batch_sampler=SeededBatches,
        remove_unused_columns=False,
        dataloader_pin_memory=gpu,
        dataloader_drop_last=ranks.size() > 1,
        ddp_backend=None if gpu or ranks.size() == 1 else "gloo",
        use_cpu=not gpu,
    )
    made.dataloader_drop_last = False  # the library insists on it where there are processes; our parts are equal
    made._n_gpu = min(1, made.n_gpu)  # nor does one process multiply the batch by the GPUs that it sees
    return made


def own_batch(section: sections.Trainer) -> int:
    """One process's part of a batch. RecipeError where the processes cannot share it equally."""
    own, rest = divmod(section.batch, ranks.size())
    if rest or own == 0:
        raise RecipeError(
            f"batch is {section.batch} and there are {ranks.size()} processes to share it: make it a multiple of "
            f"{ranks.size()}, or start fewer"
        )
    return own


def reporter(section: sections.Trainer) -> str:
    """Where the run's curves go; RecipeError where what was asked for is not installed."""
    wanted = section.report_to
    try:
        if wanted != "none":
            metadata.version(wanted)
    except metadata.PackageNotFoundError:
        raise RecipeError(f"report_to is {wanted!r}, which is not installed: pip install {wanted}") from None
    return wanted


def total_steps(section: sections.Trainer, rows: int, groups: Iterable[int] = ()) -> int:
    """Optimiser steps of a run over `rows` training rows; `groups` says how many of them are in each GROUP."""
    if section.max_steps > 0:
        return section.max_steps
    batches = count_batches(list(groups) or [rows], section.batch)
    return max(1, math.ceil(section.epochs * math.ceil(batches / section.accumulation)))


GROUP = "group"
"""Column of a training set that says which rows may share a batch."""


def count_batches(groups: Iterable[int], size: int, drop_last: bool = False) -> int:
    """Batches of `size` rows of all processes together that SeededBatches makes of groups of so many rows."""
    rows = [count for count in groups if count]
    if len(rows) > 1:
        return sum(count // size or int(count >= ranks.size()) for count in rows)
    full, rest = divmod(sum(rows), size)
    return full + (rest >= ranks.size() and not drop_last)


class SeededBatches(DefaultBatchSampler):
    """Shuffled batches whose order depends on the seed and the epoch only, so that a resumed run sees the same ones.

    Rows of one GROUP share batches, where there is such a column; the last, smaller batch of a group is left out unless
    the group has no other. Of each batch of all processes together, this process's part.
    """

    def __init__(self, dataset: Any, batch_size: int, drop_last: bool, seed: int = 0, **_: Any) -> None:
        super().__init__(dataset, batch_size=batch_size, drop_last=drop_last, seed=seed)
        self.rows = len(dataset)
        named = GROUP in getattr(dataset, "column_names", ())
        self.groups = np.asarray(dataset[GROUP]) if named else np.zeros(self.rows, dtype=np.int64)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.rows, generator=torch.Generator().manual_seed(self.seed + self.epoch)).numpy()
        whole = self.batch_size * ranks.size()
        numbers = np.unique(self.groups)
        if len(numbers) == 1:
            yield from (list(ranks.part(rows)) for rows in self._cut(order.tolist(), whole)[: len(self)])
            return
        listed = [order[self.groups[order] == number].tolist() for number in numbers]
        batches = [rows for group in listed for rows in self._full(group, whole)]
        shuffled = torch.randperm(len(batches), generator=torch.Generator().manual_seed(1009 * self.seed + self.epoch))
        yield from (list(ranks.part(batches[place])) for place in shuffled.tolist())

    @staticmethod
    def _cut(rows: list[int], size: int) -> list[list[int]]:
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _full(self, rows: list[int], size: int) -> list[list[int]]:
        return self._cut(rows[: len(rows) // size * size] or rows[: len(rows) // ranks.size() * ranks.size()], size)

    def __len__(self) -> int:
        return count_batches(np.bincount(self.groups).tolist(), self.batch_size * ranks.size(), self.drop_last)


# What is trained


def add_lora(model: Any, section: sections.Trainer, *, task: str, modules_to_save: list[str] | None = None) -> None:
    """Inject an adapter into a sentence-transformers model; only it (and `modules_to_save`) stays trainable."""
    targets = section.lora_targets if isinstance(section.lora_targets, str) else list(section.lora_targets)
    config = LoraConfig(
        task_type=task,
        r=section.lora_rank,
        lora_alpha=section.lora_alpha,
        lora_dropout=section.lora_dropout,
        target_modules=targets,
        modules_to_save=modules_to_save,
    )
    try:
        model.add_adapter(config)
    except ValueError as error:
        raise RecipeError(f'lora_targets {targets!r} do not fit this model ({error}); use "all-linear"') from error


def recompute_activations(model: Any, section: sections.Trainer) -> None:
    """Where the recipe asks for it, keep no activations inside blocks: less memory, a third more time."""
    if section.gradient_checkpointing:
        model.transformers_model.activation_checkpointing_enable({"use_reentrant": False})
        model.transformers_model.enable_input_require_grads()


def freeze_layers(body: nn.Module, count: int) -> None:
    """Keep the embeddings and the lowest `count` blocks as they are. RecipeError if that would leave no block."""
    if count == 0:
        return
    blocks = max((m for m in body.modules() if isinstance(m, nn.ModuleList)), key=len, default=nn.ModuleList())
    if count >= len(blocks):
        raise RecipeError(f"freeze_layers is {count} and the model has {len(blocks)} blocks of its own; give fewer")
    embeddings = [module for name, module in body.named_modules() if name.split(".")[-1] == "embeddings"]
    for module in [*embeddings, *blocks[:count]]:
        module.requires_grad_(False)


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


# The run


class PlainCheckpoints(BaseTrainer):
    """A trainer whose checkpoints hold the trainable weights alone, for LoRA and full fine-tunes alike.

    With several processes a step's loss and gradient are those of one process with the same batch.
    """

    def get_train_dataloader(self) -> DataLoader[Any]:
        if ranks.size() == 1:
            return super().get_train_dataloader()
        loader: Any = self._build_dataloader(self.train_dataset, self.args.train_batch_size, dataset_kind="train")
        loader = prepare_data_loader(loader, self.args.device, num_processes=1, process_index=0, put_on_device=True)
        return cast(DataLoader[Any], loader)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Held-out rows in batches of their own order, the same at every evaluation."""
        held_out: Any = self.eval_dataset
        if held_out is None:
            return super().get_eval_dataloader(eval_dataset)
        return DataLoader(held_out, self.args.eval_batch_size, collate_fn=self.data_collator)

    def evaluation_loop(self, dataloader: DataLoader[Any], *rest: Any, **named: Any) -> EvalLoopOutput:
        """By the evaluator where there is one, else by the loss, in the first process."""
        if self.eval_dataset is None:
            return super().evaluation_loop(dataloader, *rest, **named)
        loss, rows = ranks.on_first(lambda: self.held_out_loss(dataloader))
        return EvalLoopOutput(np.empty(0), None, {"eval_loss": loss}, rows)

    def held_out_loss(self, batches: DataLoader[Any]) -> tuple[float, int]:
        """The mean over rows of their batches' losses, and the rows."""
        total, rows = 0.0, 0
        with evaluating(self.model):
            for batch in batches:
                own = len(batch["label"])
                loss = cast(torch.Tensor, self.compute_loss(self.model, self._prepare_inputs(batch)))
                total, rows = total + own * float(loss), rows + own
        return total / rows, rows

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: weight.detach().contiguous().cpu() for name, weight in trainable(self.model).items()}
        save_file(tensors, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trainable(self.model, Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        best = self.state.best_model_checkpoint
        if best is None:
            raise ModelError(f"no checkpoint was kept in {self.args.output_dir}; lower eval_steps")
        print(f"best checkpoint: {Path(best).name}, {self.args.metric_for_best_model} {self.state.best_metric:.4f}")
        load_trainable(self.model, Path(best))

    def add_model_card_callback(self, default_args_dict: Mapping[str, Any]) -> None:
        """None: it would read the whole training set to describe it."""


def load_trainable(model: nn.Module, checkpoint: Path) -> None:
    """Put a checkpoint's weights into a model. ModelError where its trainable weights have other names."""
    saved, own = load_file(checkpoint / WEIGHTS), trainable(model)
    if saved.keys() != own.keys():
        odd = sorted(saved.keys() ^ own.keys())[:3]
        raise ModelError(
            f"{checkpoint} holds {len(saved)} weights, the model trains {len(own)} ({odd}); remove the folder"
        )
    with torch.no_grad():
        for name, weight in saved.items():
            own[name].copy_(weight)


def fit(trainer: PlainCheckpoints, inputs: str) -> int:
    """Train, from the last checkpoint where there is one with the same `inputs`; returns the optimiser steps."""
    folder = Path(str(trainer.args.output_dir))
    last = ranks.on_first(lambda: last_checkpoint(folder, inputs))
    place_curves(trainer, folder.with_name("tensorboard"))
    if last:
        print(f"resuming from {Path(last).name}", flush=True)
    trainer.train(resume_from_checkpoint=last)
    return int(trainer.state.global_step)


def last_checkpoint(folder: Path, inputs: str) -> str | None:
    """The last of a run with the same inputs; what other inputs left there is removed."""
    mark, last = folder / "inputs.json", None
    if mark.exists() and json.loads(mark.read_text())["inputs"] == inputs:
        last = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]  # the library does not type it
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps({"inputs": inputs}))
    return last


def place_curves(trainer: PlainCheckpoints, folder: Path) -> None:
    """Have tensorboard write to `folder`: its own choice is among the checkpoints, which do not stay."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, TensorBoardCallback) and callback.logging_dir is None:
            callback.logging_dir = str(folder)


def write_measures(trainer: BaseTrainer, folder: Path) -> dict[str, float]:
    """measures.json: what the evaluator saw of the checkpoint that is kept; {} where nothing evaluated ranks."""
    state = trainer.state
    kept = state.best_global_step or state.global_step
    rows = [row for row in state.log_history if row["step"] == kept]
    seen = {name.removeprefix("eval_"): value for row in rows for name, value in row.items()}
    measures = {name: float(value) for name, value in seen.items() if "@" in name}
    if trainer.is_world_process_zero():
        write(folder / "measures.json", json.dumps(measures, indent=1).encode())
    return measures


def inputs_of(section: sections.Trainer, *files: Path) -> str:
    """A hash of a section and of what it trains on: a checkpoint made from anything else is not resumed."""
    digest = hashlib.sha256(section.model_dump_json().encode())
    for path in files:
        for file in sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]:
            digest.update(devices.file_sha256(file).encode())
    return digest.hexdigest()


class LossWatch(TrainerCallback):
    """Stops a run whose logged loss stays within 1 % of ln(candidates), what guessing costs, for `logs` logs."""

    def __init__(self, candidates: int, logs: int = 10) -> None:
        self.chance, self.logs, self.dead = math.log(candidates), logs, 0

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        self.dead = self.dead + 1 if abs(float(loss) - self.chance) <= 0.01 * self.chance else 0
        if self.dead >= self.logs:
            raise DeadLossError(
                f"the loss is {float(loss):.4f} after {state.global_step} steps, and guessing costs {self.chance:.4f}, "
                f"ln({math.exp(self.chance):.0f}): nothing is learned. Lower the temperature (the loss's scale is "
                "1 / temperature), raise lr, or check the pairs"
            )


def callbacks(section: sections.Trainer, *, candidates: int, evaluated: bool) -> list[TrainerCallback]:
    """`candidates` per query that the loss chooses among, 0 for a loss that is not over candidates."""
    chosen: list[TrainerCallback] = [LossWatch(candidates)] if candidates > 1 else []
    chosen.extend(WATCHERS.get())
    if evaluated and section.patience:
        chosen.append(EarlyStoppingCallback(early_stopping_patience=section.patience))
    return chosen
