from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tiny
from training import run as pipeline
from training import sweep as module
from training import sweep_trial
from training.recipe import Recipe, RecipeError, load_recipe
from training.run import NAMES, STEPS, Step, fingerprint
from training.sweep import alone, main, sweep
from training.sweep_space import check_space, distributions, grid, overrides, toml, values, with_values
from training.sweep_study import ATTEMPTS, SweepError, make_plan, open_study
from training.sweep_table import NUMBER, importance
from training.trainer import WATCHERS

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


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    put_in_place(fake, monkeypatch)
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


# Cut


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
from tests import test_sweep as tests

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


# Spaces


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({}, {}, "nothing to sweep"),
        ({"bi_encoder.temprature": [1.0]}, {}, "unknown key bi_encoder.temprature; known here: base, epochs"),
        ({"encoder.lr": [1.0]}, {}, "unknown key encoder.lr; write section.key"),
        ({"seed": [1]}, {}, "unknown key seed; write section.key"),
        ({"mine.margin": [0.9]}, {}, "mine.margin changes nothing in the step bi_encoder"),
        ({"bi_encoder.eval_queries": [9]}, {}, "bi_encoder.eval_queries changes what is measured"),
        ({"bi_encoder.temperature": [0.1, -1.0]}, {}, "bi_encoder.temperature: Input should be greater than 0"),
        ({"bi_encoder.pooling": ["mean", "max"]}, {}, "bi_encoder.pooling: Input should be 'mean', 'cls' or"),
        ({"bi_encoder.pooling": {"low": 1, "high": 2}}, {}, "bi_encoder.pooling: Input should be"),
        ({"bi_encoder.lora_rank": {"low": 1.0, "high": 8.0}}, {}, "bi_encoder.lora_rank takes whole numbers"),
        ({"bi_encoder.lr": {"low": 0.1, "high": 0.2}}, {"sampler": "grid"}, "a grid needs a step or a list of choices"),
        (SPACE, {"measure": "nDCG@11"}, "unknown measure nDCG@11; known here: nDCG@10, RR@10, R@10, R@100"),
        (SPACE, {"step": "cross_encoder"}, "bi_encoder.temperature changes nothing in the step cross_encoder"),
    ],
)
def test_a_space_that_cannot_be_swept_is_refused_by_name(
    tmp_path: Path, space: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        make_plan(swept(tmp_path, space, **{"sampler": "tpe", **options}))
    assert message in caught.value.message


def test_the_cross_encoder_mines_by_the_mine_section(tmp_path: Path) -> None:
    recipe = swept(
        tmp_path, {"mine.margin": [0.9, 0.95], "cross_encoder.loss": ["binary", "margin"]}, step="cross_encoder"
    )
    check_space(recipe)
    recipe = with_values(recipe, {"cross_encoder.remine": False})
    with pytest.raises(RecipeError, match=r"mine\.margin changes nothing"):
        check_space(recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{low = 1, hihg = 2}", "unknown key sweep.space.bi_encoder.lr.range.hihg; known here: low, high, log, step"),
        ("{low = 2, high = 1}", "low 2 is not below high 1"),
        ("{low = 0.0, high = 1, log = true}", "low must be above 0"),
        ("{low = 0, high = 1, step = 0}", "step 0 is not above 0"),
        ("[]", "should have at least 1 item"),
        ("3", "should be a valid tuple"),
    ],
)
def test_a_dimension_is_choices_or_a_range(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(f'name = "own"\n[sweep.space]\n"bi_encoder.lr" = {text}')
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "own.toml")
    assert message in caught.value.message


def test_a_grid_goes_over_ranges_with_a_step(tmp_path: Path) -> None:
    space = {
        "bi_encoder.lr": {"low": 0.1, "high": 0.3, "step": 0.1},
        "bi_encoder.negatives": {"low": 1, "high": 4, "step": 2},
    }
    points = list(grid(swept(tmp_path, space).sweep))
    assert [point["bi_encoder.negatives"] for point in points] == [1, 3] * 3
    assert [point["bi_encoder.lr"] for point in points[::2]] == pytest.approx([0.1, 0.2, 0.3])


def test_choices_may_be_lists_and_tables(tmp_path: Path) -> None:
    recipe = swept(tmp_path, {"bi_encoder.lora_targets": ["all-linear", ["query", "key"]]})
    check_space(recipe)
    points = list(grid(recipe.sweep))
    assert set(distributions(recipe)) == {"bi_encoder.lora_targets"}
    assert [values(recipe.sweep, point)["bi_encoder.lora_targets"] for point in points] == [
        "all-linear",
        ["query", "key"],
    ]
    assert overrides(recipe.sweep, points[1]) == ['bi_encoder.lora_targets = ["query", "key"]']


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_a_value_written_as_toml_reads_back(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value


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
