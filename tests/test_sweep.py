from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import tiny
from tests.sweeping import POINTS, SPACE, Fake, faked, files, run, swept, table
from training import sweep as module
from training.recipe import Recipe, RecipeError, load_recipe
from training.run import STEPS, fingerprint
from training.sweep import alone, main, sweep
from training.sweep_space import toml, with_values
from training.sweep_study import SweepError, make_plan, open_study
from training.sweep_table import importance
from training.trainer import WATCHERS


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Fake:
    return faked(monkeypatch)


# A whole sweep


def test_every_point_of_a_grid_runs_once_in_order(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    assert step.points == POINTS
    run(recipe)
    assert step.points == POINTS


def test_what_each_trial_found_for_its_time_is_drawn(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    picture = ElementTree.parse(recipe.folder("sweep") / "trials.svg")
    words = {text.text for text in picture.iter("{http://www.w3.org/2000/svg}text")}
    assert {"seconds", "nDCG@10", *(f"{temperature:g}, {rank}" for temperature, rank in POINTS)} <= words


def test_a_trial_is_the_recipe_with_its_values_in_its_own_folder(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    one = step.seen[1]
    assert one.folder("bi_encoder") == tmp_path / "tiny" / "sweep" / "trial-001" / "bi_encoder"
    assert one.bi_encoder == recipe.bi_encoder.model_copy(update={"temperature": 0.02, "lora_rank": 8})
    assert (one.mine, one.pairs, one.seed) == (recipe.mine, recipe.pairs, recipe.seed)


def test_earlier_steps_are_shared_and_stay_as_they_are(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    (recipe.folder("mine") / "base").mkdir()
    before = files(tmp_path)

    def look(trial: Recipe) -> None:
        assert (trial.folder("mine") / "made.txt").read_text() == "mine"
        assert (trial.folder("pairs") / "made.txt").is_symlink()
        assert trial.dev.joinpath("queries.jsonl").exists()
        (trial.folder("mine") / "base").mkdir()
        (trial.folder("mine") / "base" / "own.txt").write_text("the trial's")

    step.before = look
    run(recipe)
    assert files(tmp_path) == before
    assert not list((recipe.folder("mine") / "base").iterdir())


def test_only_the_best_trial_keeps_its_model(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    folder = recipe.folder("sweep")
    best = POINTS.index((0.05, 8))
    assert [path.parts[-4] for path in folder.glob("*/bi_encoder/model/weights.bin")] == [f"trial-{best:03d}"]
    others = sorted(path.relative_to(folder / "trial-000") for path in (folder / "trial-000").rglob("*"))
    assert others == [Path("bi_encoder"), Path("bi_encoder/measures.json")]


def test_what_is_written(tmp_path: Path, step: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    rows = table(recipe)
    assert [float(row["nDCG@10"]) for row in rows] == sorted((float(row["nDCG@10"]) for row in rows), reverse=True)
    assert {row["RR@10"] for row in rows} == {"0.25"}
    assert (rows[0]["trial"], rows[0]["bi_encoder.temperature"], rows[0]["bi_encoder.lora_rank"]) == ("3", "0.05", "8")
    weights = json.loads((recipe.folder("sweep") / "importance.json").read_text())
    assert set(weights) == set(SPACE)
    assert "--set bi_encoder.temperature=0.05 --set bi_encoder.lora_rank=8" in capsys.readouterr().out


def test_best_toml_is_toml_and_what_set_takes(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe)
    text = (recipe.folder("sweep") / "best.toml").read_text()
    assert tomllib.loads(text) == {"bi_encoder": {"temperature": 0.05, "lora_rank": 8}}
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert load_recipe("tiny", lines).bi_encoder.temperature == 0.05


def test_more_trials_go_on_with_the_study(tmp_path: Path, step: Fake) -> None:
    run(swept(tmp_path, trials=2))
    assert step.points == POINTS[:2]
    run(swept(tmp_path, trials=6))
    assert step.points == POINTS


def test_no_trial_starts_after_the_time(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    run(recipe, timeout=0.0)
    assert step.points == []
    run(recipe)
    assert step.points == POINTS


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_no_values_are_tried_twice(tmp_path: Path, step: Fake, sampler: str) -> None:
    run(swept(tmp_path, sampler=sampler, trials=20))
    assert set(step.points) <= set(POINTS)
    assert 4 <= len(step.points) == len(set(step.points))


def test_another_space_needs_another_study(tmp_path: Path, step: Fake) -> None:
    run(swept(tmp_path, trials=1))
    other = swept(tmp_path, {"bi_encoder.lora_rank": [0, 8]}, trials=1)
    with pytest.raises(SweepError, match=r"differs in: space, bi_encoder\. Give another --study"):
        run(other)
    sweep(make_plan(other, tmp_path / "other.db"))
    assert (tmp_path / "other" / "trial-000" / "bi_encoder" / "model").exists()
    assert len(step.seen) == 2


def test_one_sweep_at_a_time(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)
    recipe.folder("sweep").mkdir()
    with alone(recipe.folder("sweep")), pytest.raises(SweepError, match="another sweep works in"):
        run(recipe)
    assert step.points == []


# Failing, pruned


def test_a_trial_that_fails_says_why_and_the_others_go_on(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path)

    def fail(trial: Recipe) -> None:
        if trial.bi_encoder.temperature == 0.1:
            raise RecipeError("it does not fit")

    step.before = fail
    run(recipe)
    rows = table(recipe)
    assert [row["state"] for row in rows] == ["complete"] * 4 + ["fail"] * 2
    assert {row["error"] for row in rows[4:]} == {"it does not fit"}
    run(recipe)
    assert len(step.seen) == len(POINTS)


def test_where_every_trial_fails_the_sweep_stops(tmp_path: Path, step: Fake) -> None:
    def fail(trial: Recipe) -> None:
        raise RecipeError("it does not fit")

    step.before = fail
    with pytest.raises(SweepError, match="the first 3 trials failed, the last with: it does not fit"):
        run(swept(tmp_path))
    assert len(step.seen) == module.FRUITLESS


def test_an_evaluation_below_the_median_prunes(tmp_path: Path, step: Fake) -> None:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    recipe = swept(tmp_path)
    ended: list[str] = []

    def evaluate(trial: Recipe) -> None:
        (watch,) = WATCHERS.get()
        arguments = TrainingArguments(output_dir=str(tmp_path / "out"), use_cpu=True, report_to="none")
        for at in (10, 40, 100):
            value = 0.1 if trial.name == "trial-005" else 0.5
            state = TrainerState(global_step=at, max_steps=100)
            watch.on_evaluate(arguments, state, TrainerControl(), metrics={"eval_nDCG@10": value})
        ended.append(trial.name)

    step.before = evaluate
    run(recipe)
    assert ended == [f"trial-{number:03d}" for number in range(5)]
    assert table(recipe)[-1]["state"] == "pruned"
    assert WATCHERS.get() == ()


def test_importance_waits_for_trials(tmp_path: Path, step: Fake) -> None:
    recipe = swept(tmp_path, trials=3)
    run(recipe)
    assert importance(open_study(make_plan(recipe))) == {}
    assert not (recipe.folder("sweep") / "importance.json").exists()


# Before the first trial


def test_the_steps_before_must_be_done(tmp_path: Path) -> None:
    recipe = swept(tmp_path)
    (recipe.folder("mine") / "done.json").unlink()
    with pytest.raises(RecipeError, match=r"mine is not done.*python -m training\.run tiny --to mine"):
        make_plan(recipe)


def test_without_dev_queries_there_is_nothing_to_measure(tmp_path: Path) -> None:
    recipe = swept(tmp_path)
    (recipe.dev / "queries.jsonl").write_text("")
    with pytest.raises(RecipeError, match="no dev queries in"):
        make_plan(recipe)


def test_a_step_judged_by_loss_is_refused(tmp_path: Path) -> None:
    recipe = with_values(swept(tmp_path), {"bi_encoder.best_by": "loss"})
    with pytest.raises(RecipeError, match=r'bi_encoder\.best_by is "loss"'):
        make_plan(recipe)


def test_the_sweep_is_no_input_of_any_step() -> None:
    one = Recipe(name="r")
    other = with_values(one, {"sweep.space": SPACE, "sweep.trials": 3})
    marks: dict[str, str] = {}
    for each in STEPS:
        marks[each.name] = fingerprint(one, each, marks)
        assert fingerprint(other, each, marks) == marks[each.name]


# The command


def test_the_command(tmp_path: Path, step: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = swept(tmp_path)
    path = tmp_path / "own.toml"
    path.write_text(f'name = "tiny"\nwork = "{tmp_path}"\n[sweep]\nsampler = "grid"\nspace = {toml(SPACE)}\n')
    assert main([str(path), "--trials", "2", "--set", "bi_encoder.lr=0.01"]) == 0
    assert step.points == POINTS[:2]
    assert step.seen[0].bi_encoder.lr == 0.01
    shown = capsys.readouterr().out
    assert f"python -m training.run {path} --set bi_encoder.lr=0.01 --set bi_encoder.temperature=" in shown
    assert main([str(path), "--trials", "2"]) == 1
    assert "sweep_error: the trials in" in capsys.readouterr().err
    assert main([str(path), "--study", str(tmp_path / "other")]) == 1
    assert "recipe_error: --study" in capsys.readouterr().err
    assert recipe.folder("sweep").exists()


def test_ctrl_c_is_one_line(tmp_path: Path, step: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    swept(tmp_path)
    path = tmp_path / "own.toml"
    path.write_text(f'name = "tiny"\nwork = "{tmp_path}"\n[sweep]\nspace = {toml(SPACE)}\n')

    def stop(trial: Recipe) -> None:
        raise KeyboardInterrupt

    step.before = stop
    assert main([str(path)]) == 130
    assert capsys.readouterr().err == "stopped; start it again to go on from here\n"


def test_workers_take_the_trials_after_the_first(tmp_path: Path, step: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that run in this process, one after the other."""

    class Worker:
        def __init__(self, program: list[str], pass_fds: tuple[int, ...], env: dict[str, str]) -> None:
            assert len(step.seen) == 1 or program[-1] != "--worker"
            assert os.fstat(pass_fds[0])
            self.code = main(program[3:])

        def wait(self) -> int:
            return self.code

    swept(tmp_path)
    path = tmp_path / "own.toml"
    path.write_text(f'name = "tiny"\nwork = "{tmp_path}"\n[sweep]\nsampler = "grid"\nspace = {toml(SPACE)}\n')
    monkeypatch.setattr("training.sweep.subprocess.Popen", Worker)
    assert main([str(path), "--jobs", "2", "--trials", "4", "--timeout", "600"]) == 0
    assert step.points == POINTS[:4]


# Real steps


@pytest.mark.slow
def test_a_real_sweep_of_both_steps(tmp_path: Path) -> None:
    recipe = swept(tmp_path, {"bi_encoder.lr": [1e-5, 1e-2]}, trials=2)
    tiny.save_encoder(recipe.base_model)
    from training import bi_encoder, mine

    mine.run(recipe)
    run(recipe)
    best = table(recipe)[0]
    assert 0 <= float(best["nDCG@10"]) <= 1
    folder = recipe.folder("sweep") / f"trial-{int(best['trial']):03d}"
    assert (folder / "bi_encoder" / "model" / "modules.json").exists()
    bi_encoder.run(recipe)
    other = swept(tmp_path, {"mine.margin": [0.9, 0.99]}, trials=2, step="cross_encoder")
    sweep(make_plan(other, tmp_path / "cross.db"))
    assert len(list((tmp_path / "cross").glob("*/cross_encoder/model"))) == 1
    assert list((recipe.folder("bi_encoder") / "vectors").iterdir())
