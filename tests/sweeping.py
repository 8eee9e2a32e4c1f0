"""A sweep over fake steps: recipe, steps, and what was written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from training import run as pipeline
from training import sweep_trial
from training.recipe import Recipe
from training.run import NAMES, STEPS, Step
from training.sweep import sweep
from training.sweep_study import make_plan, open_study
from training.sweep_table import NUMBER

SPACE: dict[str, Any] = {"bi_encoder.temperature": [0.02, 0.05, 0.1], "bi_encoder.lora_rank": [0, 8]}
POINTS = [(t, r) for t in SPACE["bi_encoder.temperature"] for r in SPACE["bi_encoder.lora_rank"]]


def score(recipe: Recipe) -> float:
    """Best at temperature 0.05 and rank 8."""
    section = recipe.bi_encoder
    return 0.5 - abs(section.temperature - 0.05) + section.lora_rank / 100 - abs(section.lr - 1e-3)


class Fake:
    """A step that notes its recipe, leaves a model and a big checkpoint, and measures by `score`."""

    def __init__(self) -> None:
        self.seen: list[Recipe] = []
        self.before: Callable[[Recipe], None] = lambda recipe: None

    def __call__(self, recipe: Recipe) -> None:
        self.seen.append(recipe)
        folder = recipe.folder(recipe.sweep.step)
        (folder / "checkpoints").mkdir(exist_ok=True)
        (folder / "checkpoints" / "half.bin").write_text("half")
        self.before(recipe)
        (folder / "model").mkdir()
        (folder / "model" / "weights.bin").write_text(str(score(recipe)))
        (folder / "measures.json").write_text(json.dumps({"nDCG@10": score(recipe), "RR@10": 0.25}))

    @property
    def points(self) -> list[tuple[float, int]]:
        return [(recipe.bi_encoder.temperature, recipe.bi_encoder.lora_rank) for recipe in self.seen]


def put_in_place(fake: Callable[[Recipe], None], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pipeline, "STEPS", tuple(Step(step.name, fake, step.after) for step in STEPS))
    patch.setattr(sweep_trial, "release", lambda: None)  # a fake holds nothing, and collecting takes half a second


def faked(patch: pytest.MonkeyPatch) -> Fake:
    """A Fake in place of every step."""
    fake = Fake()
    put_in_place(fake, patch)
    return fake


def swept(work: Path, space: dict[str, Any] = SPACE, **options: Any) -> Recipe:
    """A recipe whose earlier steps are done."""
    recipe = tiny.recipe(work, sweep={"sampler": "grid", "trials": 6, "space": space, **options})
    if not recipe.dev.exists():
        tiny.write_corpus(recipe)
        for name in NAMES[: NAMES.index("cross_encoder")]:
            recipe.folder(name).mkdir(exist_ok=True)
            (recipe.folder(name) / "made.txt").write_text(name)
            (recipe.folder(name) / "done.json").write_text(json.dumps({"inputs": f"of {name}"}))
    return recipe


def run(recipe: Recipe, **options: Any) -> None:
    sweep(make_plan(recipe), **options)


def told(recipe: Recipe) -> list[tuple[int, dict[str, Any], float | None, str]]:
    """(first attempt, values, measure, state) of trials that were not cut, in order of first attempts."""
    trials = open_study(make_plan(recipe)).get_trials()
    retried = {trial.user_attrs.get("retries") for trial in trials}
    kept = [trial for trial in trials if trial.number not in retried and NUMBER in trial.user_attrs]
    return sorted(((t.user_attrs[NUMBER], t.params, t.value, t.state.name) for t in kept), key=lambda row: row[0])


def files(folder: Path) -> dict[str, str]:
    return {str(p): p.read_text() for p in folder.rglob("*") if p.suffix == ".txt" and "sweep" not in p.parts}


def table(recipe: Recipe) -> list[dict[str, str]]:
    with (recipe.folder("sweep") / "trials.csv").open() as file:
        return list(csv.DictReader(file))
