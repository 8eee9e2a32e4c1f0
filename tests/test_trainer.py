from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformerTrainingArguments
from transformers import TrainerControl, TrainerState

from app.errors import ModelError
from tests import tiny
from training import sections
from training.base import open_encoder
from training.recipe import RecipeError
from training.trainer import (
    GROUP,
    DeadLossError,
    LossWatch,
    SeededBatches,
    add_lora,
    freeze_layers,
    inputs_of,
    load_trainable,
    precision,
    total_steps,
    trainable,
    training_arguments,
)

SECTION = sections.BiEncoder()


def log(watch: LossWatch, losses: list[float], folder: Path) -> None:
    arguments = SentenceTransformerTrainingArguments(output_dir=str(folder), use_cpu=True, report_to="none")
    for step, loss in enumerate(losses):
        watch.on_log(arguments, TrainerState(global_step=step), TrainerControl(), logs={"loss": loss})


def test_a_loss_that_stays_at_chance_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(DeadLossError, match=r"4\.1589.*ln\(64\).*temperature"):
        log(LossWatch(64, logs=3), [math.log(64) * 0.995] * 3, tmp_path)


def test_a_loss_that_leaves_chance_does_not(tmp_path: Path) -> None:
    chance = math.log(64)
    log(LossWatch(64, logs=3), [chance, chance, chance * 0.98, chance, chance], tmp_path)


def test_fp16_without_a_gpu_falls_back_with_a_notice(capsys: Any) -> None:
    assert precision(SECTION.model_copy(update={"precision": "fp16"}), "cpu") in ("bf16", "fp32")
    assert "falling back" in capsys.readouterr().out
    assert precision(SECTION.model_copy(update={"precision": "fp32"}), "cpu") == "fp32"


@pytest.mark.parametrize(
    ("best_by", "metric", "greater"), [("nDCG@10", "eval_nDCG@10", True), ("loss", "eval_loss", False)]
)
def test_arguments_say_what_the_recipe_says(tmp_path: Path, best_by: str, metric: str, greater: bool) -> None:
    section = SECTION.model_copy(
        update={"best_by": best_by, "warmup_steps": 50, "accumulation": 4, "precision": "fp32"}
    )
    made = training_arguments(
        SentenceTransformerTrainingArguments, section, tmp_path, device="cpu", steps=100, evaluated=True
    )
    assert (made.metric_for_best_model, made.greater_is_better) == (metric, greater)
    assert (made.warmup_steps, made.gradient_accumulation_steps, made.eval_steps) == (50, 4, 100)
    assert made.load_best_model_at_end
    assert made.report_to in ([], ["none"], "none")
    assert not (made.bf16)
    assert not (made.fp16)


def test_total_steps_counts_accumulation_and_epochs() -> None:
    section = SECTION.model_copy(update={"batch": 4, "accumulation": 4, "epochs": 2.0})
    assert total_steps(section, 100) == math.ceil(100 / 4 / 4) * 2
    assert total_steps(section.model_copy(update={"max_steps": 7}), 100) == 7


def test_total_steps_counts_the_whole_batches_of_each_group() -> None:
    """A group's short last batch is left out, and is kept where the group has no other."""
    section = SECTION.model_copy(update={"batch": 4, "epochs": 3.0})
    assert total_steps(section, 11, [11]) == total_steps(section, 11) == 3 * (2 + 1)
    assert total_steps(section, 11, [0, 11]) == 3 * (2 + 1)
    assert total_steps(section, 11, [5, 6]) == 3 * (1 + 1)
    assert total_steps(section, 11, [9, 2]) == 3 * (2 + 1)
    assert total_steps(section.model_copy(update={"accumulation": 2}), 11, [9, 2]) == 3 * math.ceil((2 + 1) / 2)


def grouped(groups: list[int]) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"row": range(len(groups)), GROUP: groups})


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 6), st.integers(0, 3))
def test_batches_of_groups_are_whole_and_of_one_group(groups: list[int], size: int, epoch: int) -> None:
    sampler = SeededBatches(grouped(groups), size, False, seed=5)
    sampler.set_epoch(epoch)
    made = list(sampler)
    assert len(sampler) == len(made)
    assert made == list(sampler)
    counts, several = Counter(groups), len(set(groups)) > 1
    held = Counter(groups[row] for batch in made for row in batch)
    assert len({row for batch in made for row in batch}) == held.total()
    for group, count in counts.items():
        assert held[group] == (count // size * size or count if several else count)
    assert all(len({groups[row] for row in batch}) == 1 for batch in made)


def test_batches_of_groups_come_mixed_and_in_another_order_each_epoch() -> None:
    groups, orders = [0] * 40 + [1] * 40, []
    for epoch in range(2):
        sampler = SeededBatches(grouped(groups), 4, False, seed=5)
        sampler.set_epoch(epoch)
        orders.append([groups[batch[0]] for batch in sampler])
    assert orders[0] != orders[1]
    assert all(order not in (sorted(order), sorted(order, reverse=True)) for order in orders)


@given(st.integers(1, 50), st.integers(1, 9), st.booleans(), st.integers(0, 3))
def test_batches_hold_every_row_once_in_an_order_of_seed_and_epoch(
    rows: int, size: int, drop: bool, epoch: int
) -> None:
    def batches() -> list[list[int]]:
        sampler = SeededBatches(range(rows), size, drop, seed=5)
        sampler.set_epoch(epoch)
        assert len(sampler) == len(list(sampler))
        return list(sampler)

    flat = [row for batch in batches() for row in batch]
    assert len(flat) == len(set(flat)) == (rows // size * size if drop else rows)
    assert batches() == batches()


def test_frozen_layers_do_not_train(tmp_path: Path) -> None:
    model = open_encoder(tiny.save_encoder(tmp_path / "m"), SECTION)
    freeze_layers(model, 1)
    left = trainable(model)
    assert left
    assert not any("embeddings" in name or "layers.0." in name for name in left)
    assert any("layers.1." in name for name in left)


def test_freezing_every_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="freeze_layers is 2 and the model has 2"):
        freeze_layers(open_encoder(tiny.save_encoder(tmp_path / "m"), SECTION), 2)


def test_albert_shares_its_only_block(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="1 blocks"):
        freeze_layers(tiny.body("albert-cross", tiny.tokenizer()), 1)


def test_an_adapter_alone_is_trained(tmp_path: Path) -> None:
    model = open_encoder(tiny.save_encoder(tmp_path / "m"), SECTION)
    add_lora(model, SECTION.model_copy(update={"lora_targets": ("Wqkv",)}), task="FEATURE_EXTRACTION")
    assert trainable(model)
    assert all("lora_" in name and "Wqkv" in name for name in trainable(model))


def test_lora_targets_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    model = open_encoder(tiny.save_encoder(tmp_path / "m"), SECTION)
    with pytest.raises(RecipeError, match="nothing_here"):
        add_lora(model, SECTION.model_copy(update={"lora_targets": ("nothing_here",)}), task="FEATURE_EXTRACTION")


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"other": torch.zeros(1)}, tmp_path / "trainable.safetensors")
    with pytest.raises(ModelError, match="holds 1 weights, the model trains 2"):
        load_trainable(torch.nn.Linear(2, 2), tmp_path)


def test_inputs_change_with_the_section_and_the_files(tmp_path: Path) -> None:
    file = tmp_path / "triples.jsonl"
    file.write_text("one")
    first = inputs_of(SECTION, file)
    assert first == inputs_of(SECTION, file)
    assert first != inputs_of(SECTION.model_copy(update={"lr": 1.0}), file)
    file.write_text("two")
    assert first != inputs_of(SECTION, file)
