"""One trial of a sweep: its values and the shared files of earlier steps → the step's artefacts and measures."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import time
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import TrialState
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from app.errors import BeopgilError
from app.retrieval import device as devices
from app.retrieval.store import DocumentStore, PassageStore
from training import run as pipeline
from training.atomic import write
from training.base import open_encoder
from training.dev import dev_queries, document_keys
from training.pool import PoolEvaluator, pool_passages
from training.recipe import Recipe
from training.sweep_space import values, with_values
from training.sweep_study import Plan, SweepError, finished
from training.sweep_table import MEASURES, NUMBER, shown, standing
from training.trainer import WATCHERS

KEPT = {"measures.json", "tensorboard"}
"""What stays of a trial that is not the best."""
OWN = {"base", "done.json", "inputs"}
"""Entries of an earlier step's folder that a trial gets no link to: fine-tuning rewrites mine/base by its section."""


def run_trial(plan: Plan, study: optuna.Study, trial: optuna.trial.Trial) -> None:
    """One trial, whose outcome the study is told. What stops it from outside leaves it running, to be recovered."""
    changes = values(plan.recipe.sweep, trial.params)
    print(
        f"trial {trial.user_attrs[NUMBER]}: {'  '.join(f'{key} {shown(value)}' for key, value in changes.items())}",
        flush=True,
    )
    start = time.monotonic()
    outcome: dict[str, Any] = {"state": TrialState.FAIL}
    try:
        seen = measures_of(plan, trial, changes)
    except optuna.TrialPruned:
        outcome = {"state": TrialState.PRUNED}
    except (BeopgilError, torch.OutOfMemoryError) as error:
        trial.set_user_attr("error", str(error))
    else:
        trial.set_user_attr(MEASURES, seen)
        outcome = {"values": seen[plan.recipe.sweep.measure]}
    release()
    trial.set_user_attr("seconds", round(time.monotonic() - start, 1))
    told = study.tell(trial, **outcome)
    print(f"trial {trial.user_attrs[NUMBER]}: {standing(told, plan.recipe.sweep.measure)}", flush=True)


def release() -> None:
    """Give back the memory of a trial's models."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def measures_of(plan: Plan, trial: optuna.trial.Trial, changes: dict[str, Any]) -> dict[str, float]:
    """Run the step with these values, or take what it made before the sweep was cut. SweepError without the measure."""
    recipe = trial_recipe(plan, trial.user_attrs[NUMBER], changes)
    step = next(step for step in pipeline.STEPS if step.name == recipe.sweep.step)
    for before in plan.marks:
        share(plan.recipe.folder(before), recipe.folder(before), step.name)
    watch = Watch(trial, f"eval_{recipe.sweep.measure}", prune=recipe.sweep.prune)
    token = WATCHERS.set((*WATCHERS.get(), watch))
    try:
        pipeline.perform(recipe, step, pipeline.fingerprint(recipe, step, plan.marks), force=False)
    finally:
        WATCHERS.reset(token)
    path = recipe.folder(step.name) / "measures.json"
    if step.name == "pretrain":
        write(path, json.dumps(pretrain_measures(recipe)).encode())
    seen: dict[str, float] = json.loads(path.read_text())
    if recipe.sweep.measure not in seen:
        raise SweepError(f"{path} holds no {recipe.sweep.measure}, only: {', '.join(seen) or 'nothing'}")
    return seen


def trial_recipe(plan: Plan, number: int, changes: dict[str, Any]) -> Recipe:
    return with_values(plan.recipe, changes, name=f"trial-{number:03d}", work=str(plan.folder))


def share(source: Path, target: Path, step: str) -> None:
    """A folder of links to what an earlier step made: what the trial's step writes beside them stays the trial's own.

    bi_encoder/vectors is a link even before it is made: all trials of the cross-encoder mine with the same vectors.
    """
    target.mkdir(parents=True, exist_ok=True)
    if step == "cross_encoder" and source.name == "bi_encoder":
        (source / "vectors").mkdir(exist_ok=True)
    for entry in source.iterdir():
        link = target / entry.name
        if entry.name in OWN or entry.name.endswith(".partial"):
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(entry.resolve())


def pretrain_measures(recipe: Recipe) -> dict[str, float]:
    """Those of the pretrained encoder as it is, over the dev queries' relevant passages and random ones."""
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    queries = dev_queries(recipe.dev, recipe.bi_encoder.eval_queries, recipe.seed)
    keys = document_keys(documents)
    pool = pool_passages(recipe, queries, documents, passages, keys)
    model = open_encoder(recipe.base_model, recipe.bi_encoder, devices.resolve("auto"))
    return PoolEvaluator(recipe.bi_encoder, queries, pool, passages, keys)(model)


class Watch(TrainerCallback):
    """Tells the study of every evaluation, at its per cent of the optimiser steps, and stops a trial that it prunes."""

    def __init__(self, trial: optuna.trial.Trial, name: str, *, prune: bool) -> None:
        self.trial, self.name, self.prune, self.last = trial, name, prune, 0

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, **_: Any
    ) -> None:
        value, part = (metrics or {}).get(self.name), 100 * state.global_step // max(1, state.max_steps)
        if value is None or part <= self.last:
            return
        self.last = part
        self.trial.report(float(value), part)
        if self.prune and part < 100 and self.trial.should_prune():
            raise optuna.TrialPruned


# Disk


def tidy(plan: Plan, study: optuna.Study) -> None:
    """Remove what ended trials made, but for the best one's: models and checkpoints fill disks."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if NUMBER in trial.user_attrs]
    kept = {trial.user_attrs[NUMBER] for trial in trials if not trial.state.is_finished()}
    best = max(finished(study), key=lambda trial: (trial.value or 0.0, -trial.number), default=None)
    if best is not None:
        kept.add(best.user_attrs[NUMBER])
    for number in {trial.user_attrs[NUMBER] for trial in trials} - kept:
        strip(plan.folder / f"trial-{number:03d}", plan.recipe.sweep.step)


def strip(folder: Path, step: str) -> None:
    """Leave a trial's measures and curves. The links to shared files go, the files stay."""
    for entry in folder.glob("*/*"):
        if entry.parent.name == step and entry.name in KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
    for emptied in folder.glob("*"):
        with contextlib.suppress(OSError):
            emptied.rmdir()
