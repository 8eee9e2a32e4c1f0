"""The benchmark of serving, whole, on the sample index: what it prints, and that a ranking which differs is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.serve import application
from benchmarks.serving import Turn, main, verdict
from training import index as step


def test_every_system_answers_and_ranks_as_the_textbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "indexes"
    assert step.main(["--source", "samples", "--name", "samples", "--root", str(root), "--work", str(tmp_path)]) == 0
    turns = ["--seconds", "0.2", "--rounds", "1", "--concurrency", "1", "2", "--count", "4", "--compared", "4"]
    assert main(["--root", str(root), "--systems", "textbook", "same-fp32", "beopgil", *turns]) == 0
    shown = capsys.readouterr().out
    assert "no search failed, and the rankings are the same" in shown
    assert "GFLOP a search" in shown
    for system in ("textbook", "same-fp32", "beopgil", "floor"):
        assert sum(f"│ {system} " in line for line in shown.splitlines()) >= 2, system


@pytest.mark.parametrize("system", ["same-fp32", "same", "beopgil"])
def test_a_service_that_is_measured_computes_every_search(system: str, tmp_path: Path) -> None:
    app = application(system, tmp_path, "samples", tmp_path, tmp_path)
    assert app.state.service.settings.cache == 0


def test_a_failed_search_and_another_ranking_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    turns = {("same", 4): [Turn(seconds=1.0, errors=["503 loading"])]}
    assert verdict(turns, {"textbook": 1.0, "same-fp32": 0.99, "same": 0.96}) == 1
    shown = capsys.readouterr().out
    assert "same-fp32: overlap 0.990, expected 1" in shown
    assert "same, 4 at once: 503 loading" in shown
    assert "same: overlap" not in shown
