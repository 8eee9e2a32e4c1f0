from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from training import run as module
from training.recipe import Recipe, RecipeError
from training.run import NAMES, STEPS, Step, fingerprint, main, run, stamp

Calls = list[str]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "statutes.jsonl").write_text("{}\n")
    (folder / "dev").mkdir()
    (folder / "dev" / "queries.jsonl").write_text("{}\n")
    return folder


@pytest.fixture
def recipe(tmp_path: Path, source: Path) -> Recipe:
    sections = {"corpus": {"sources": [str(source)]}, "pairs": {"dev": str(source / "dev")}}
    return Recipe.model_validate({"name": "r", "work": str(tmp_path / "work"), **sections})


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every step replaced by one that writes a file and notes its name here."""
    noted: Calls = []

    def fake(name: str) -> Callable[[Recipe], None]:
        def perform(recipe: Recipe) -> None:
            noted.append(name)
            (recipe.folder(name) / "made.txt").write_text(name)

        return perform

    monkeypatch.setattr(module, "STEPS", tuple(Step(step.name, fake(step.name), step.after) for step in STEPS))
    return noted


def changed(recipe: Recipe, section: str, **values: object) -> Recipe:
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=values)})


def test_every_step_has_a_section_and_follows_the_ones_it_reads() -> None:
    for number, step in enumerate(STEPS):
        assert step.name in Recipe.model_fields
        assert set(step.after) <= set(NAMES[:number])
    assert [name for name in Recipe.model_fields if name in NAMES] != []
    assert len(set(NAMES)) == len(NAMES)


def test_all_steps_run_in_order(recipe: Recipe, calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    run(recipe)
    assert calls == list(NAMES)
    shown = capsys.readouterr().out
    for name in NAMES:
        assert f"{name}: started" in shown
        assert f"{name}: done in " in shown
        assert (recipe.folder(name) / "made.txt").exists()


def test_from_and_to_are_included(recipe: Recipe, calls: Calls) -> None:
    run(recipe, "pairs", "mine")
    assert calls == list(NAMES[NAMES.index("pairs") : NAMES.index("mine") + 1])


def test_one_step_alone(recipe: Recipe, calls: Calls) -> None:
    run(recipe, "mine", "mine")
    assert calls == ["mine"]


def test_the_wrong_order_says_the_right_one(recipe: Recipe, calls: Calls) -> None:
    with pytest.raises(RecipeError) as caught:
        run(recipe, "index", "corpus")
    assert "--from index comes after --to corpus" in caught.value.message
    assert " ".join(NAMES) in caught.value.message
    assert calls == []


def test_a_step_done_already_is_skipped_and_says_so(
    recipe: Recipe, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    run(recipe)
    capsys.readouterr()
    run(recipe)
    assert calls == list(NAMES)
    shown = capsys.readouterr().out
    assert shown.splitlines() == [f"{name}: done already with the same inputs, skipped" for name in NAMES]


def test_force_runs_again_from_an_empty_folder(recipe: Recipe, calls: Calls) -> None:
    run(recipe)
    (recipe.folder("mine") / "old.txt").write_text("")
    run(recipe, "mine", "mine", force=True)
    assert calls == [*NAMES, "mine"]
    assert not (recipe.folder("mine") / "old.txt").exists()


def test_a_changed_section_runs_its_step_and_those_after_it(recipe: Recipe, calls: Calls) -> None:
    run(recipe)
    calls.clear()
    run(changed(recipe, "mine", depth=9))
    assert calls == list(NAMES[NAMES.index("mine") :])


def test_a_changed_seed_runs_everything(recipe: Recipe, calls: Calls) -> None:
    run(recipe)
    calls.clear()
    run(recipe.model_copy(update={"seed": 8}))
    assert calls == list(NAMES)


def test_changed_records_run_everything(recipe: Recipe, calls: Calls, source: Path) -> None:
    run(recipe)
    calls.clear()
    (source / "statutes.jsonl").write_text("{}\n{}\n")
    run(recipe)
    assert calls == list(NAMES)


def test_a_changed_benchmark_runs_from_the_pairs(recipe: Recipe, calls: Calls, source: Path, tmp_path: Path) -> None:
    other = tmp_path / "benchmark"
    (source / "dev").rename(other)
    moved = changed(recipe, "pairs", dev=str(other))
    run(moved)
    calls.clear()
    os.utime(other / "queries.jsonl", ns=(1, 1))
    run(moved)
    assert calls == list(NAMES[NAMES.index("pairs") :])


def test_what_lies_beside_a_step_does_not_change_it(recipe: Recipe, calls: Calls) -> None:
    """A later section, or where the work is kept, is no input of an earlier step."""
    run(recipe)
    calls.clear()
    run(changed(recipe, "evaluate", k=5))
    assert calls == ["evaluate"]


# interrupted


def stopping(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, *, at: str) -> None:
    """Run up to a step that leaves a checkpoint and is interrupted."""

    def interrupted(recipe: Recipe) -> None:
        (recipe.folder(at) / "checkpoint.pt").write_text("half")
        raise KeyboardInterrupt

    steps = tuple(Step(s.name, interrupted if s.name == at else s.run, s.after) for s in module.STEPS)
    with monkeypatch.context() as patch:
        patch.setattr(module, "STEPS", steps)
        with pytest.raises(KeyboardInterrupt):
            run(recipe)


def test_an_interrupted_step_is_not_done(recipe: Recipe, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping(recipe, monkeypatch, at="pretrain")
    assert calls == ["corpus", "pairs"]
    assert not (recipe.folder("pretrain") / "done.json").exists()


def test_its_folder_is_kept_for_the_same_inputs(recipe: Recipe, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the step can go on from its checkpoint; the steps before are not repeated."""
    stopping(recipe, monkeypatch, at="pretrain")
    run(recipe)
    assert calls == list(NAMES)
    assert (recipe.folder("pretrain") / "checkpoint.pt").read_text() == "half"


@pytest.mark.parametrize("section", ["pretrain", "pairs"])
def test_its_folder_is_cleared_for_other_inputs(
    recipe: Recipe, calls: Calls, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    """Whether its own section changed or that of a step before it."""
    stopping(recipe, monkeypatch, at="pretrain")
    values = {"pretrain": {"dim": 96}, "pairs": {"max_positives": 2}}[section]
    run(changed(recipe, section, **values))
    assert not (recipe.folder("pretrain") / "checkpoint.pt").exists()
    assert (recipe.folder("pretrain") / "done.json").exists()


def test_a_step_that_fails_after_it_was_done_is_no_longer_done(
    recipe: Recipe, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(recipe)
    first = json.loads((recipe.folder("mine") / "done.json").read_text())["inputs"]
    stopping(changed(recipe, "mine", depth=9), monkeypatch, at="mine")
    assert not (recipe.folder("mine") / "done.json").exists()
    calls.clear()
    run(recipe, "mine", "mine")
    assert calls == ["mine"]
    assert json.loads((recipe.folder("mine") / "done.json").read_text())["inputs"] == first
    assert not (recipe.folder("mine") / "checkpoint.pt").exists()


# fingerprints


def test_a_stamp_names_every_file(source: Path) -> None:
    stamps = stamp(source)
    assert [Path(name).name for name, *_ in stamps] == ["queries.jsonl", "statutes.jsonl"]
    assert stamp(source / "statutes.jsonl") == stamps[1:]
    assert stamp(source / "nothing") == []


def test_a_fingerprint_hangs_on_the_steps_before(recipe: Recipe) -> None:
    step = STEPS[1]
    assert fingerprint(recipe, step, {"corpus": "a"}) == fingerprint(recipe, step, {"corpus": "a"})
    assert fingerprint(recipe, step, {"corpus": "a"}) != fingerprint(recipe, step, {"corpus": "b"})


# the command


def test_the_command_runs_a_recipe(recipe: Recipe, calls: Calls, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        f'name = "own"\nwork = "{tmp_path / "work"}"\n[corpus]\nsources = {json.dumps(recipe.corpus.sources)}'
    )
    assert main([str(path), "--from", "pairs", "--to", "mine", "--set", "mine.depth=3"]) == 0
    assert calls == ["pairs", "pretrain", "mine"]
    assert main([str(path), "--from", "mine", "--to", "mine", "--set", "mine.depth=3"]) == 0
    assert calls == ["pairs", "pretrain", "mine"]
    assert main([str(path), "--from", "mine", "--to", "mine", "--set", "mine.depth=3", "--force"]) == 0
    assert calls == ["pairs", "pretrain", "mine", "mine"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-recipe"], "recipe_error: no recipe no-such-recipe; give a TOML file or one of"),
        (["tiny", "--set", "mine.deph=1"], "unknown key mine.deph; known here: depth, lexical"),
        (["tiny", "--from", "mine", "--to", "corpus"], "recipe_error: --from mine comes after --to corpus"),
    ],
)
def test_a_mistake_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], calls: Calls, arguments: list[str], message: str
) -> None:
    assert main(arguments) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert calls == []


def test_an_unknown_step_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["tiny", "--from", "mien"])
    shown = capsys.readouterr().err
    assert all(name in shown for name in NAMES)
