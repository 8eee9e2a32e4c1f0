"""Trials of one step:  python -m training.sweep RECIPE [--trials N] [--timeout SECONDS] [--jobs N] [--study FILE]

    the recipe's [sweep] → work/<name>/sweep/: study.db, trial-NNN/, trials.csv, best.toml, importance.json

A trial is the recipe with other values of the step's keys. It runs that step alone, over the files that the steps
before it made for the recipe, which it reads where they lie. The study remembers every trial, so that a sweep that was
stopped, however that happened, goes on when it is started again: what ran is not run again, and a trial that was cut is
run again from its last checkpoint. Only the best trial's model is kept.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import optuna
from optuna.trial import TrialState

from app.errors import BeopgilError
from training.recipe import load_recipe
from training.sweep_study import Plan, SweepError, finished, make_plan, next_trial, open_study, recover
from training.sweep_table import report
from training.sweep_trial import run_trial, tidy

FRUITLESS = 3
"""Trials that fail, with none that ends well, before the sweep stops: the cause is not in their values."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.sweep", description="Trials of one step with other values"
    )
    parser.add_argument("recipe", help="a TOML file with a [sweep] section, or the name of one in training/recipes")
    parser.add_argument("--trials", type=int, help="in all, earlier starts counted; else as many as the recipe says")
    parser.add_argument("--timeout", type=float, help="seconds after which no trial is started; one that runs ends")
    parser.add_argument("--jobs", type=int, default=1, help="trials at a time, as processes that share the device")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--study", type=Path, help="another SQLite file; its trials lie in a folder beside it")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    command = [options.recipe, *(word for override in options.overrides for word in ("--set", override))]
    asked = [] if options.trials is None else [f"sweep.trials={options.trials}"]
    try:
        plan = make_plan(load_recipe(options.recipe, options.overrides + asked), options.study)
        if options.worker:
            work(plan, open_study(plan), ending(options.timeout))
        else:
            sweep(plan, options.timeout, options.jobs, command)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; start it again to go on from here", file=sys.stderr)
        return 130
    return 0


def ending(timeout: float | None) -> float:
    return float("inf") if timeout is None else time.monotonic() + timeout


def sweep(plan: Plan, timeout: float | None = None, jobs: int = 1, command: list[str] | None = None) -> None:
    """Run what is missing of the trials and report. `command` is how the recipe was given, for workers and readers."""
    end, command = ending(timeout), command or [plan.recipe.name]
    plan.folder.mkdir(parents=True, exist_ok=True)
    with alone(plan.folder) as lock:
        study = open_study(plan)
        recover(study)
        tidy(plan, study)
        try:
            work(plan, study, end, first_only=jobs > 1)
            if jobs > 1:
                start_workers(plan, end, jobs, lock, command)
        finally:
            report(study, plan.recipe, plan.folder, command)
    if not finished(study) and time.monotonic() < end:
        raise SweepError(f"no trial ended with a measure; {plan.folder / 'trials.csv'} says why each failed")


@contextmanager
def alone(folder: Path) -> Iterator[TextIO]:
    """One sweep of a study at a time. The lock is its workers' too: they may outlive a sweep that was killed."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepError(f"another sweep works in {folder}; wait for it, stop it, or give --study") from None
        yield lock


def work(plan: Plan, study: optuna.Study, end: float, first_only: bool = False) -> None:
    """Run trials until there are enough or the time is over; `first_only`: until one has finished."""
    while time.monotonic() < end:
        trial = next_trial(plan, study, first_only)
        if trial is None:
            return
        run_trial(plan, study, trial)
        tidy(plan, study)
        check_fruitless(study)
    print("the time is over; start it again to go on from here", flush=True)


def check_fruitless(study: optuna.Study) -> None:
    trials = study.get_trials(deepcopy=False)
    errors = [trial.user_attrs["error"] for trial in trials if "error" in trial.user_attrs]
    if len(errors) >= FRUITLESS and not any(t.state in (TrialState.COMPLETE, TrialState.PRUNED) for t in trials):
        raise SweepError(f"the first {len(errors)} trials failed, the last with: {errors[-1]}")


def start_workers(plan: Plan, end: float, jobs: int, lock: TextIO, command: list[str]) -> None:
    """`jobs` processes that take trials of the study until there are no more. SweepError where one fails.

    The first trial has run by then: what it left in the shared caches, the workers only read.
    """
    rest = ["--trials", str(plan.recipe.sweep.trials), "--worker"]
    rest += [] if end == float("inf") else ["--timeout", str(max(0.0, end - time.monotonic()))]
    rest += [] if plan.file == plan.folder / "study.db" else ["--study", str(plan.file)]
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
    program = [sys.executable, "-m", "training.sweep", *command, *rest]
    environment = {**os.environ, "OMP_NUM_THREADS": threads}
    workers = [subprocess.Popen(program, pass_fds=(lock.fileno(),), env=environment) for _ in range(jobs)]
    failed = sum(worker.wait() != 0 for worker in workers)
    if failed:
        raise SweepError(f"{failed} of {jobs} workers ended early; what they said is above. Start it again to go on")


if __name__ == "__main__":
    sys.exit(main())
