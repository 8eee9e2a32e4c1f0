"""A study's trials, best first → a table on the screen, trials.csv, trials.svg, best.toml, importance.json"""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table

from training import plots
from training.atomic import write
from training.recipe import Recipe
from training.sections import Sweep
from training.sweep_space import overrides, toml, values

MEASURES = "measures"
NUMBER = "number"
"""A trial's own, which its folder bears; the study's counts attempts and repeated draws too."""
IMPORTANT = 4
"""Finished trials from which on the importance of keys is worked out."""


def report(study: optuna.Study, recipe: Recipe, folder: Path, command: list[str]) -> None:
    """Print and write everything; `command` is the recipe's name and the --set that the sweep itself was given."""
    trials = ranked(study)
    write(folder / "trials.csv", table_csv(trials, recipe.sweep).encode())
    if not trials:
        return
    Console().print(table(trials, recipe.sweep))
    if finished := [trial for trial in trials if trial.state == TrialState.COMPLETE]:
        write(folder / "trials.svg", picture(finished, recipe.sweep).encode())
    weights = importance(study)
    if weights:
        print("importance: " + "  ".join(f"{key} {weight:.2f}" for key, weight in weights.items()), flush=True)
        write(folder / "importance.json", json.dumps(weights, indent=1).encode())
    if trials[0].state == TrialState.COMPLETE:
        write(folder / "best.toml", best_toml(trials[0], recipe).encode())
        print(f"best: {shlex.join(['python', '-m', 'training.run', *command, *settings(trials[0], recipe.sweep)])}")


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Each trial once, by its last attempt: finished ones by value, then pruned, then failed."""
    order = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1, TrialState.RUNNING: 2, TrialState.WAITING: 3}
    trials = study.get_trials(deepcopy=False)
    retried = {trial.user_attrs.get("retries") for trial in trials}
    shown = [trial for trial in trials if trial.number not in retried and NUMBER in trial.user_attrs]
    return sorted(shown, key=lambda t: (order.get(t.state, 4), -(t.value if t.value is not None else 0.0), t.number))


def standing(trial: FrozenTrial, measure: str) -> str:
    if trial.state == TrialState.COMPLETE:
        return f"{measure} {trial.value:.4f}"
    if trial.state == TrialState.PRUNED:
        return f"pruned at {trial.last_step} % of its steps"
    error = trial.user_attrs.get("error")
    if trial.state == TrialState.FAIL:
        return f"failed: {error or 'the process ended while it ran'}"
    return trial.state.name.lower()


def table(trials: list[FrozenTrial], sweep: Sweep) -> Table:
    made = Table(title=f"{len(trials)} trials of {sweep.step}")
    for name in ("trial", sweep.measure, *sweep.space, "seconds"):
        made.add_column(name, justify="right", overflow="fold")
    for trial in trials:
        value = f"{trial.value:.4f}" if trial.state == TrialState.COMPLETE else standing(trial, sweep.measure)
        chosen = [shown(chosen) for chosen in values(sweep, trial.params).values()]
        made.add_row(str(trial.user_attrs[NUMBER]), value, *chosen, str(trial.user_attrs.get("seconds", "")))
    return made


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else toml(value)


def table_csv(trials: list[FrozenTrial], sweep: Sweep) -> str:
    """A row per trial, best first; every measure that the evaluator saw."""
    names = sorted({name for trial in trials for name in trial.user_attrs.get(MEASURES, {})})
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["trial", "state", *names, *sweep.space, "seconds", "error"])
    for trial in trials:
        attrs, chosen = trial.user_attrs, values(sweep, trial.params)
        seen = [attrs.get(MEASURES, {}).get(name, "") for name in names]
        settings = [toml(chosen[key]) if key in chosen else "" for key in sweep.space]
        rest = [attrs.get("seconds", ""), attrs.get("error", "")]
        rows.writerow([attrs[NUMBER], trial.state.name.lower(), *seen, *settings, *rest])
    return out.getvalue()


def picture(finished: list[FrozenTrial], sweep: Sweep) -> str:
    """SVG: the measure of each finished trial against its seconds."""
    points = []
    for trial in finished:
        name = ", ".join(shown(value) for value in values(sweep, trial.params).values())
        points.append((name, float(trial.user_attrs.get("seconds", 0.0)), float(trial.value or 0.0)))
    title = f"{sweep.measure} of {sweep.step} by {', '.join(sweep.space)}"
    return plots.alone(plots.compute(points, sweep.measure, title))


def settings(trial: FrozenTrial, sweep: Sweep) -> list[str]:
    return [argument for line in overrides(sweep, trial.params) for argument in ("--set", line.replace(" = ", "=", 1))]


def best_toml(trial: FrozenTrial, recipe: Recipe) -> str:
    """Lines that are TOML and, one by one, what --set takes."""
    head = f"# trial {trial.user_attrs[NUMBER]} of {recipe.name}: {standing(trial, recipe.sweep.measure)}"
    return "\n".join([head, *overrides(recipe.sweep, trial.params), ""])


def importance(study: optuna.Study) -> dict[str, float]:
    """Key → its share of the measure's variance, largest first; {} where there are too few trials or nothing varies."""
    complete = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    if len(complete) < IMPORTANT or len({trial.value for trial in complete}) == 1:
        return {}
    weights = optuna.importance.get_param_importances(study)
    return {key: round(float(weight), 4) for key, weight in weights.items()}
