"""Two processes on the CPU (gloo) train as one does with the same batch."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from app.retrieval.encoder import Encoder
from app.retrieval.reranker import Reranker
from tests import shared_training, tiny
from tests.fakes import FakeEncoder
from training import mine
from training.recipe import Recipe

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
CASES = tuple(shared_training.CASES)


def torchrun(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Two processes of a module, each with one thread."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", module]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    for case in CASES:
        shared_training.prepare(folder, case)
    return folder


@pytest.fixture(scope="module")
def one(prepared: Path) -> Path:
    folder = shutil.copytree(prepared, prepared.with_name("one"))
    for case in CASES:
        shared_training.train(folder, case)
    return folder


@pytest.fixture(scope="module")
def two(prepared: Path) -> Path:
    folder = shutil.copytree(prepared, prepared.with_name("two"))
    made = torchrun("tests.shared_training", str(folder), "helpers", *CASES)
    assert made.returncode == 0, made.stderr[-4000:]
    (folder / "stdout").write_text(made.stdout)
    return folder


def logged(folder: Path, case: str, name: str, rank: int = 0) -> list[float]:
    return [row[name] for row in json.loads((folder / case / f"log-{rank}.json").read_text()) if name in row]


def weights(folder: Path, case: str, when: str = "weights", rank: int = 0) -> dict[str, torch.Tensor]:
    return load_file(folder / case / f"{when}-{rank}.safetensors")


# training


@pytest.mark.parametrize("case", CASES)
def test_every_step_costs_what_it_costs_one_process(one: Path, two: Path, case: str) -> None:
    """float32 sums in another order. The norm shows a gradient of another size, which Adam would hide."""
    for name in ("loss", "grad_norm"):
        alone, shared = logged(one, case, name), logged(two, case, name)
        assert len(alone) == len(shared) == {"by_loss": 2}.get(case, 6)
        assert shared == pytest.approx(alone, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_the_weights_are_those_of_one_process(one: Path, two: Path, case: str) -> None:
    """They move as far and in the same direction, to a fiftieth of the way.

    Not each of them: where the loss hardly depends on a weight, its gradient is rounding errors, and Adam scales them
    up to whole steps. The last bias is left out: losses over differences of logits do not depend on it at all.
    """
    start, alone, shared = weights(one, case, "start"), weights(one, case), weights(two, case)
    assert start.keys() == alone.keys() == shared.keys()
    assert all(torch.equal(start[name], other) for name, other in weights(two, case, "start").items())
    told = [name for name in alone if not name.endswith("out_proj.bias")]
    moved, apart = (
        math.sqrt(sum(float((a[name] - alone[name]).square().sum()) for name in told)) for a in (start, shared)
    )
    assert apart < 0.02 * moved


@pytest.mark.parametrize("case", CASES)
def test_both_processes_end_alike(two: Path, case: str) -> None:
    first, second = weights(two, case), weights(two, case, rank=1)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert logged(two, case, "loss") == logged(two, case, "loss", 1)


@pytest.mark.parametrize(("case", "name"), [("adapter", "eval_nDCG@10"), ("by_loss", "eval_loss")])
def test_evaluations_agree(one: Path, two: Path, case: str, name: str) -> None:
    assert logged(two, case, name) == logged(two, case, name, 1)
    assert logged(two, case, name) == pytest.approx(logged(one, case, name), rel=1e-4)


# the helpers


def test_each_process_has_what_all_gathered(two: Path) -> None:
    for rank in (0, 1):
        found: dict[str, Any] = json.loads((two / f"helpers-{rank}.json").read_text())
        assert found["told"] == "by 0"
        assert found["rows"] == [1, 2, 3, 4]
        assert found["start"] == 2 * rank
        assert found["gradient"] == [3 * (2 * rank + 1), 3 * (2 * rank + 2)]  # the first asks once, the second twice
        assert found["mean"] == pytest.approx([2 / 3 * 1, 2 / 3 * 3][rank])  # average (1 + 1 + 2) / 3
        assert found["without gradient"] == [1, 2, 3, 4]
        assert found["alone"] == [1, 2]
        assert found["nested"] == 1


def test_only_the_first_prints(two: Path) -> None:
    shown = (two / "stdout").read_text()
    assert "printed by 0" in shown
    assert "printed by 1" not in shown


@pytest.mark.parametrize("where", ["first", "second"])
def test_a_failure_ends_both(tmp_path: Path, where: str) -> None:
    start = time.monotonic()
    made = torchrun("tests.shared_training", str(tmp_path), where)
    assert made.returncode != 0
    assert {"first": "ZeroDivisionError", "second": "the second process fails"}[where] in made.stderr
    assert time.monotonic() - start < 120


# the pipeline


def written(made: Recipe, path: Path) -> Path:
    """A recipe as a TOML file."""
    lines = [f"name = {json.dumps(made.name)}", f"work = {json.dumps(made.work)}"]
    for section in ("mine", "bi_encoder", "cross_encoder"):
        lines.append(f"[{section}]")
        lines += [f"{k} = {json.dumps(v)}" for k, v in getattr(made, section).model_dump(exclude_unset=True).items()]
    path.write_text("\n".join(lines))
    return path


def test_torchrun_runs_both_steps(tmp_path: Path) -> None:
    made = tiny.recipe(tmp_path / "work", cross_encoder={"remine": True})
    tiny.write_corpus(made)
    tiny.save_encoder(made.base_model)
    pools = mine.Pools(*shared_training.stores(made), FakeEncoder(), made.folder("mine"))
    mine.mine(made, pools, made.triples)
    mine.write_dev_pool(made, pools)
    path = written(made, tmp_path / "tiny.toml")
    steps = ("--from", "bi_encoder", "--to", "cross_encoder")
    refused = torchrun("training.run", str(path), *steps, "--set", "bi_encoder.batch=3")
    assert refused.returncode != 0
    assert "batch is 3 and there are 2 processes" in refused.stderr
    ran = torchrun("training.run", str(path), *steps)
    assert ran.returncode == 0, ran.stderr[-4000:]
    for step in ("bi_encoder", "cross_encoder"):
        assert ran.stdout.count(f"{step}: started") == ran.stdout.count(f"{step}: done in") == 1
        assert (made.folder(step) / "done.json").exists()
        assert not (made.folder(step) / "checkpoints").exists()
    assert Encoder.load(made.encoder_model).encode_queries(["임금"]).shape == (1, tiny.HIDDEN)
    assert len(Reranker.load(made.reranker_model).score("임금", ["임금은 매월"])) == 1
