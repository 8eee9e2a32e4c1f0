"""A sweep that was cut, by a stop, a kill or the end of its process, goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from tests.sweeping import POINTS, SPACE, Fake, faked, run, swept, table, told
from training.recipe import Recipe
from training.sweep_study import ATTEMPTS


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return faked(monkeypatch)


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_sweep_that_is_stopped_ends_as_one_that_is_not(tmp_path: Path, step: Fake, sampler: str) -> None:
    space = {**SPACE, "bi_encoder.lr": {"low": 1e-4, "high": 1e-2, "log": True}} if sampler != "grid" else SPACE
    whole, stopped = (swept(tmp_path / name, space, sampler=sampler, trials=5) for name in ("whole", "stopped"))
    run(whole)
    step.seen.clear()
    stops = iter([False, True, False, False, True, False, False, False])

    def stop(recipe: Recipe) -> None:
        if next(stops):
            raise KeyboardInterrupt

    step.before = stop
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(stopped)
    run(stopped)
    assert told(stopped) == told(whole)
    assert [row["trial"] for row in table(stopped)] == [row["trial"] for row in table(whole)]
    assert len(step.seen) == 5 + 2


def test_a_trial_that_was_cut_goes_on_in_its_folder(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path, trials=1)
    found: list[list[str]] = []

    def stop(trial: Recipe) -> None:
        found.append(sorted(path.name for path in trial.folder("bi_encoder").iterdir()))
        (trial.folder("bi_encoder") / "checkpoint").write_text("")
        if len(found) == 1:
            raise KeyboardInterrupt

    step.before = stop
    with pytest.raises(KeyboardInterrupt):
        run(recipe)
    assert table(recipe)[0]["state"] == "running"
    run(recipe)
    assert [made.folder("bi_encoder") for made in step.seen] == [step.seen[0].folder("bi_encoder")] * 2
    assert "checkpoint" in found[1]


def test_a_step_that_was_done_when_its_trial_was_cut_is_not_run_again(
    tmp_path: Path, step: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = swept(tmp_path, trials=1)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "tell", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(recipe)
    run(recipe)
    assert len(step.seen) == 1
    assert [state for *_, state in told(recipe)] == ["COMPLETE"]


def test_a_trial_that_always_ends_the_process_is_given_up(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path, trials=2)

    def stop(trial: Recipe) -> None:
        if trial.name == "trial-000":
            raise KeyboardInterrupt

    step.before = stop
    for _ in range(ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            run(recipe)
    run(recipe)
    assert [(row["trial"], row["state"]) for row in table(recipe)] == [("1", "complete"), ("0", "fail")]
    assert len(step.seen) == ATTEMPTS + 1


KILLED = """
import os, signal, sys
from pathlib import Path
import pytest
from tests import sweeping as tests

def kill(trial):
    if trial.name == "trial-002" and not Path(sys.argv[1], "killed").exists():
        Path(sys.argv[1], "killed").write_text("")
        os.kill(os.getpid(), signal.SIGKILL)

fake = tests.Fake()
fake.before = kill
tests.put_in_place(fake, pytest.MonkeyPatch())
tests.run(tests.swept(Path(sys.argv[1])))
print(len(fake.seen), "ran")
"""


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_trial(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path / "killed")
    program = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    first, second = (
        subprocess.run(program, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
        for _ in range(2)
    )
    assert first.returncode == -signal.SIGKILL
    assert second.returncode == 0, second.stderr
    assert "trial 2 was cut: it is run again" in second.stdout
    assert f"{len(POINTS) - 2} ran" in second.stdout
    whole = swept(tmp_path / "whole")
    run(whole)
    assert told(recipe) == told(whole)
