"""What the Makefile would run, by `make -n`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def make(tmp_path: Path) -> Any:
    """Runs `make -n` in a copy of the tree's skeleton, so that no environment or index of this checkout counts."""
    if shutil.which("make") is None:
        pytest.skip("no make here")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "statutes.jsonl").touch()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("BEOPGIL_", "MAKE", "PORT"))}
        return subprocess.run(["make", "-n", *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True)

    return run


def stamp(folder: Path, extras: str, output: str) -> None:
    """Plays the installation that `output` of `make -n` announces for `extras`."""
    (name,) = re.findall(rf"touch (\.venv/\.installed-{re.escape(extras)}-\S+)", output)
    (folder / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    (folder / ".venv" / "bin" / "python").touch()
    (folder / name).touch()


class TestMake:
    @pytest.mark.parametrize("target", ["install", "serve", "test", "check", "bench", "gpu-test", "clean", "help"])
    def test_targets_parse(self, make: Any, target: str) -> None:
        done = make(target)
        assert done.returncode == 0, done.stderr

    def test_help_names_every_target(self) -> None:
        text = (ROOT / "Makefile").read_text()
        (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
        assert {target for target in phony.split() if not re.search(rf"^{target}:.*## ", text, re.MULTILINE)} == set()

    def test_a_fresh_clone_serves_with_the_runtime_alone(self, make: Any) -> None:
        out = make("serve").stdout
        order = ["pip install -c constraints.txt torch", "-e '.[cpu]'", "training.index --source samples", "-m app"]
        assert [out.index(step) for step in order] == sorted(out.index(step) for step in order)
        assert "train" not in re.findall(r"-e '\.\[(.*)\]'", out)[0]
        assert "BEOPGIL_INDEX=samples PORT=8000" in out

    def test_nothing_is_installed_or_built_twice(self, make: Any, tmp_path: Path) -> None:
        stamp(tmp_path, "cpu+train+dev", make("install").stdout)
        assert "pip install" not in make("serve").stdout + make("test").stdout
        (tmp_path / "indexes" / "samples").mkdir(parents=True)
        current = tmp_path / "indexes" / "samples" / "CURRENT"
        current.touch()
        assert "training.index" not in make("serve").stdout
        later = time.time() + 5
        os.utime(tmp_path / "samples" / "statutes.jsonl", (later, later))
        assert "training.index" in make("serve").stdout

    def test_a_changed_pin_installs_again(self, make: Any, tmp_path: Path) -> None:
        stamp(tmp_path, "cpu+train+dev", make("install").stdout)
        (tmp_path / "constraints.txt").write_text("torch==2.13.0\n")
        assert "pip install" in make("test").stdout

    def test_another_interpreter_is_left_as_it_is(self, make: Any) -> None:
        out = make("test", "PYTHON=python3.99").stdout
        assert "pip install" not in out
        assert "python3.99 -m pytest" in out

    def test_a_missing_index_names_the_remedy(self, make: Any) -> None:
        assert "make index SOURCE=" in make("serve", "INDEX=law").stdout

    def test_what_is_missing_is_asked_for(self, make: Any) -> None:
        assert "--source a b --name law" in make("index", "SOURCE=a b", "NAME=law").stdout
        assert "training.run mini" in make("train", "RECIPE=mini").stdout
        assert "--index law --dev data/dev" in make("evaluate", "INDEX=law", "DEV=data/dev").stdout
        assert "give NAME=" in make("index", "SOURCE=a").stdout

    def test_the_extras_are_those_of_the_project(self, make: Any) -> None:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        for line in re.findall(r"-e '\.\[(.*)\]'", make("install").stdout + make("serve").stdout):
            assert set(line.split(",")) <= set(extras)
