"""A sweep's study: what its trials have in common, which of them comes next, and which were cut."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from app.errors import BeopgilError
from training import run as pipeline
from training.dev import dev_queries
from training.measures import means
from training.recipe import Recipe, RecipeError
from training.sweep_space import check_space, distributions, grid, sections, size
from training.sweep_table import NUMBER
from training.trainer import reporter

ATTEMPTS = 3
"""Times that a trial is started before it is given up as what kills the sweep."""
DRAWS = 50
"""Draws of values already tried, one after the other, before the space counts as exhausted."""
FINISHED_BEFORE_PRUNING = 4
WARM_UP = 30
"""Per cent of its optimiser steps in which no trial is pruned."""
REPEATED = "repeated"
"""Marks a draw of values that another trial has: it is not run."""
SILENT = {"report_to", "logging_steps"}
"""Keys that change no measure."""


class SweepError(BeopgilError):
    """A study that cannot go on: another sweep works on it, it was made from other inputs, or every trial fails."""

    code = "sweep_error"


@dataclass(frozen=True)
class Plan:
    """A sweep's recipe, its study's file, and the folder of its trials; `marks` are the inputs of the steps before."""

    recipe: Recipe
    file: Path
    folder: Path
    marks: dict[str, str]

    @property
    def identity(self) -> dict[str, Any]:
        """What all trials of a study have in common, as JSON."""
        recipe = self.recipe
        swept = [key.split(".", 1) for key in recipe.sweep.space]
        fixed = {
            name: getattr(recipe, name).model_dump(
                mode="json", exclude=SILENT | {leaf for section, leaf in swept if section == name}
            )
            for name in sections(recipe)
        }
        common = recipe.sweep.model_dump(mode="json", include={"step", "measure", "space"})
        return {**common, **fixed, "seed": recipe.seed, "before": self.marks}


def make_plan(recipe: Recipe, study: Path | None = None) -> Plan:
    """Checks everything that can be checked before a trial runs. RecipeError names what is wrong and the remedy."""
    check_measure(recipe)
    check_space(recipe)
    if study and not study.suffix:
        raise RecipeError(f"--study {study}: the folder of its trials takes that name; give {study}.db")
    folder = study.with_suffix("") if study else recipe.folder("sweep")
    return Plan(recipe, study or folder / "study.db", folder, finished_before(recipe))


def check_measure(recipe: Recipe) -> None:
    """RecipeError where the step's evaluator does not see the measure."""
    swept, known = recipe.sweep, list(means({}, {}))
    if swept.measure not in known:
        raise RecipeError(f"sweep.measure: unknown measure {swept.measure}; known here: {', '.join(known)}")
    if swept.step == "pretrain":
        if not recipe.pretrain.enabled:
            raise RecipeError("sweep.step is pretrain, which is off in this recipe: set pretrain.enabled = true")
        return
    section = getattr(recipe, swept.step)
    reporter(section)
    if section.best_by == "loss":
        raise RecipeError(f'{swept.step}.best_by is "loss", so no {swept.measure} is seen: set it to nDCG@10')


def finished_before(recipe: Recipe) -> dict[str, str]:
    """Step → the inputs it was done with, of the steps before the swept one. RecipeError where one is not done."""
    marks: dict[str, str] = {}
    step = recipe.sweep.step
    names = pipeline.NAMES[: pipeline.NAMES.index(step)]
    for name in names:
        done = recipe.folder(name) / "done.json"
        if not done.exists():
            raise RecipeError(
                f"{name} is not done, and trials of {step} start from what it makes: run "
                f"python -m training.run {recipe.name} --to {names[-1]} with the same --set"
            )
        marks[name] = json.loads(done.read_text())["inputs"]
    if not dev_queries(recipe.dev, 1, recipe.seed):
        raise RecipeError(f"no dev queries in {recipe.dev}, so trials cannot be measured: set pairs.dev")
    return marks


# The study


def open_study(plan: Plan) -> optuna.Study:
    """SweepError where the file's trials have something else in common."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    plan.file.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=RDBStorage(f"sqlite:///{plan.file}", engine_kwargs={"connect_args": {"timeout": 60}}),
        study_name="sweep",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(FINISHED_BEFORE_PRUNING, WARM_UP),
    )
    known, own = study.user_attrs.get("identity"), json.loads(json.dumps(plan.identity))
    if known is None:
        study.set_user_attr("identity", own)
    elif known != own:
        odd = ", ".join(name for name in {**known, **own} if known.get(name) != own.get(name))
        raise SweepError(
            f"the trials in {plan.file} cannot be compared with those of this recipe, which differs in: {odd}. "
            f"Give another --study, or remove {plan.folder}"
        )
    return study


def finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def started(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """First attempts. A trial that was cut before it had its values has no number: it never was."""
    return [trial for trial in trials if NUMBER in trial.user_attrs and "retries" not in trial.user_attrs]


def recover(study: optuna.Study) -> None:
    """Trials that a stopped sweep left running: each is marked as failed, and waits to be run again in its folder."""
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retries") for trial in trials}
    for trial in trials:
        if trial.state != TrialState.RUNNING:
            continue
        number, attempt = trial.user_attrs.get(NUMBER), trial.user_attrs.get("attempt", 1)
        again = number is not None and attempt < ATTEMPTS
        if again and trial.number not in retried:
            study.enqueue_trial(trial.params, {NUMBER: number, "retries": trial.number, "attempt": attempt + 1})
        study.tell(trial.number, state=TrialState.FAIL)
        if number is not None:
            print(f"trial {number} was cut: {'it is run again' if again else 'given up'}", flush=True)


# The next trial


def next_trial(plan: Plan, study: optuna.Study, first_only: bool = False) -> optuna.trial.Trial | None:
    """A trial that was cut, or one with values not tried before; None when there are enough.

    One worker asks at a time. `first_only` asks for no more where one has finished.
    """
    with (plan.folder / ".asking").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for _ in range(DRAWS):
            trials = study.get_trials(deepcopy=False)
            own, repeated = started(trials), sum(REPEATED in trial.user_attrs for trial in trials)
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if (first_only and finished(study)) or not (waiting or more(plan, study, own)):
                return None
            study.sampler = sampler(plan.recipe.sweep.sampler, plan.recipe.sweep.seed, len(own) + repeated)
            trial = study.ask(distributions(plan.recipe))
            if "retries" in trial.user_attrs:
                return trial
            if trial.params not in [one.params for one in own]:
                trial.set_user_attr(NUMBER, len(own))
                return trial
            trial.set_user_attr(REPEATED, True)
            study.tell(trial, state=TrialState.FAIL)
    print(f"{DRAWS} draws brought only values already tried: the space is exhausted", flush=True)
    return None


def more(plan: Plan, study: optuna.Study, own: list[FrozenTrial]) -> bool:
    """Whether another trial is wanted. Of a grid, the first point without a trial is made the next."""
    sweep, tried = plan.recipe.sweep, [trial.params for trial in own]
    if len(own) >= min(sweep.trials, size(sweep)):
        return False
    if sweep.sampler == "grid":
        point = next((point for point in grid(sweep) if point not in tried), None)
        if point is None:
            return False
        study.enqueue_trial(point)
    return True


def sampler(kind: str, seed: int, draws: int) -> BaseSampler:
    """Seeded by how many draws there were: a sweep that is started again draws what it would have drawn."""
    own = int(np.random.SeedSequence([seed, draws]).generate_state(1)[0])
    return TPESampler(seed=own) if kind == "tpe" else RandomSampler(seed=own)
