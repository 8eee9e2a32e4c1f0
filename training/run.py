"""The pipeline:  python -m training.run RECIPE [--from STEP] [--to STEP] [--set section.key=value] [--force]

    records → corpus → pairs → pretrain → mine → bi_encoder → cross_encoder → index → calibrate → evaluate

Steps meet only in files. A step that has run with the same inputs is skipped and says so.
Several GPUs or processes share the steps bi_encoder and cross_encoder:  torchrun --nproc-per-node=N -m training.run …
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.errors import BeopgilError
from training import bi_encoder, calibrate, corpus, cross_encoder, evaluate, index, mine, pairs, pretrain, ranks
from training.recipe import Recipe, RecipeError, load_recipe


@dataclass(frozen=True)
class Step:
    name: str
    run: Callable[[Recipe], None]
    after: tuple[str, ...] = ()
    shared: bool = False
    """Whether all processes work on it; the others wait while the first does any other step."""


STEPS = (
    Step("corpus", corpus.run),
    Step("pairs", pairs.run, ("corpus",)),
    Step("pretrain", pretrain.run, ("pairs",)),
    Step("mine", mine.run, ("pretrain",)),
    Step("bi_encoder", bi_encoder.run, ("mine",), shared=True),
    Step("cross_encoder", cross_encoder.run, ("bi_encoder",), shared=True),
    Step("index", index.run, ("cross_encoder",)),
    Step("calibrate", calibrate.run, ("index",)),
    Step("evaluate", evaluate.run, ("calibrate",)),
)
NAMES = tuple(step.name for step in STEPS)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.run", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("recipe", help="a TOML file, or the name of one in training/recipes")
    parser.add_argument("--from", dest="first", choices=NAMES, default=NAMES[0])
    parser.add_argument("--to", dest="last", choices=NAMES, default=NAMES[-1])
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--force", action="store_true", help="run the steps even where their inputs have not changed")
    options = parser.parse_args(arguments)
    try:
        with ranks.together():
            recipe = ranks.on_first(lambda: load_recipe(options.recipe, options.overrides))
            run(recipe, options.first, options.last, force=options.force)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


def run(recipe: Recipe, first: str = NAMES[0], last: str = NAMES[-1], *, force: bool = False) -> None:
    """Run the steps from `first` to `last`, both included."""
    if NAMES.index(first) > NAMES.index(last):
        raise RecipeError(f"--from {first} comes after --to {last}; the order is {' '.join(NAMES)}")
    marks: dict[str, str] = {}
    for step in STEPS:
        marks[step.name] = fingerprint(recipe, step, marks)
        if NAMES.index(first) <= NAMES.index(step.name) <= NAMES.index(last):
            perform(recipe, step, marks[step.name], force=force)


def perform(recipe: Recipe, step: Step, mark: str, *, force: bool) -> None:
    folder = recipe.folder(step.name)
    if not ranks.on_first(lambda: claim(folder, mark, force=force)):
        print(f"{step.name}: done already with the same inputs, skipped", flush=True)
        return
    print(f"{step.name}: started", flush=True)
    start = time.monotonic()
    if step.shared:
        step.run(recipe)
    else:
        ranks.on_first(lambda: step.run(recipe))
    seconds = time.monotonic() - start
    finished = json.dumps({"inputs": mark, "seconds": round(seconds, 1)})
    ranks.on_first(lambda: (folder / "done.json").write_text(finished))
    print(f"{step.name}: done in {seconds:.1f} s", flush=True)


def claim(folder: Path, mark: str, *, force: bool) -> bool:
    """Make the step's folder hold only what was made from these inputs: an interrupted run of them may be resumed.

    False where it was done already.
    """
    started, done = folder / "inputs", folder / "done.json"
    if not force and done.exists() and json.loads(done.read_text())["inputs"] == mark:
        return False
    if folder.exists() and (force or not started.exists() or started.read_text() != mark):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    done.unlink(missing_ok=True)
    started.write_text(mark)
    return True


def fingerprint(recipe: Recipe, step: Step, marks: dict[str, str]) -> str:
    """A hash of the step's section, its source files and the fingerprints of the steps before it."""
    section = getattr(recipe, step.name).model_dump_json()
    files = [stamp(Path(source)) for source in recipe.corpus.sources] if step.name == "corpus" else []
    if step.name == "pairs" and recipe.pairs.dev:
        files = [stamp(Path(recipe.pairs.dev))]
    before = [marks[name] for name in step.after]
    return hashlib.sha256(json.dumps([step.name, recipe.seed, section, files, before]).encode()).hexdigest()


def stamp(path: Path) -> list[tuple[str, int, int]]:
    """(name, size, modification time) of a file, or of every file in a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files if p.exists()]


if __name__ == "__main__":
    sys.exit(main())
