from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RecordError
from training.evaluation_files import write_json
from training.gate import LEAST, GateError, compared, main, measured, passes, read_release, worse, write_release
from training.significance import interval
from training.systems import DEFAULT

N = 80
IDS = [f"{n}#0" for n in range(N)]
META = {"index": "full", "version": "v1", "models": ["bi 1", "cross 2"], "depth": 100, "date": "2026-11-25"}


def gains(seed: int = 1, shift: float = 0.0) -> dict[str, float]:
    drawn = np.clip(np.random.default_rng(seed).random(N) * 0.8 + 0.1 + shift, 0, 1)
    return {query_id: round(float(gain), 6) for query_id, gain in zip(IDS, drawn, strict=True)}


def write_evaluation(folder: Path, found: dict[str, float], strata: dict[str, list[str]] | None = None) -> Path:
    """An evaluation's folder whose default system has these nDCG@10, and R@100 of one."""
    by_query = {q: {"nDCG@10": gain, "R@100": 1.0, "RR@10": 0.0, "R@10": 0.0} for q, gain in found.items()}
    write_json(folder / "values.json", {"articles": {DEFAULT: by_query, "bm25": {}}})
    write_json(folder / "strata.json", {"articles": strata or {"all": IDS, "strict": IDS[:40], "small": IDS[-20:]}})
    write_json(folder / "meta.json", META)
    return folder


@pytest.fixture
def last(tmp_path: Path) -> Path:
    """A release with the gains of seed 1."""
    write_release(tmp_path / "release.json.gz", write_evaluation(tmp_path / "old", gains()))
    return tmp_path / "release.json.gz"


def test_the_same_run_passes(last: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert passes(tmp_path / "old", last)
    said = capsys.readouterr().out
    assert "0 of 4 comparisons are worse than the release" in said
    assert "articles, all (80): R@100 1.0000 → 1.0000, difference +0.0000 [+0.0000, +0.0000]" in said


def test_a_worse_stratum_is_refused_by_name(last: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Better on the whole, worse in the first 40: refused, with both means and the interval."""
    old = gains()
    new = {q: gain - 0.05 if q in IDS[:40] else min(1.0, gain + 0.15) for q, gain in old.items()}
    run = write_evaluation(tmp_path / "new", new)
    assert main(["--run", str(run), "--last", str(last)]) == 1
    before, after = (np.mean([found[q] for q in IDS[:40]]) for found in (old, new))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("worse:")]
    assert line.startswith(
        f"worse: articles, strict (40): nDCG@10 {before:.4f} → {after:.4f}, difference -0.0500 [-0.05"
    )


def test_a_stratum_below_thirty_refuses_nothing(last: Path, tmp_path: Path) -> None:
    new = {q: 0.0 if q in IDS[-20:] else min(1.0, gain + 0.3) for q, gain in gains().items()}
    rows = list(compared(write_evaluation(tmp_path / "new", new), read_release(last)))
    assert {row["stratum"] for row in rows} == {"all", "strict"}
    assert all(row["n"] >= LEAST for row in rows)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 50), st.floats(-0.1, 0.1))
def test_worse_is_an_interval_below_zero(tmp_path_factory: pytest.TempPathFactory, seed: int, shift: float) -> None:
    """Differential: the gate here, the interval of the differences there."""
    folder = tmp_path_factory.mktemp("gate")
    old, new = gains(seed), gains(seed + 1, shift)
    write_release(folder / "r.gz", write_evaluation(folder / "old", old))
    rows = list(compared(write_evaluation(folder / "new", new), read_release(folder / "r.gz")))
    verdicts = {row["stratum"]: worse(row) for row in rows if row["measure"] == "nDCG@10"}
    expected = {
        name: interval([new[q] - old[q] for q in ids]).high < 0 for name, ids in (("all", IDS), ("strict", IDS[:40]))
    }
    assert verdicts == expected


def test_accepting_makes_the_run_the_release(last: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_evaluation(tmp_path / "new", {q: gain - 0.05 for q, gain in gains().items()})
    arguments = ["--run", str(run), "--last", str(last)]
    assert main(arguments) == 1
    assert main([*arguments, "--accept"]) == 0
    assert "worse: articles, all" in capsys.readouterr().out
    assert main(arguments) == 0


def test_the_first_release_needs_accepting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, last = write_evaluation(tmp_path / "run", gains()), tmp_path / "new" / "release.json.gz"
    assert main(["--run", str(run), "--last", str(last)]) == 1
    assert capsys.readouterr().err.startswith(f"gate_error: there is no release {last} to compare with; --accept makes")
    assert main(["--run", str(run), "--last", str(last), "--accept"]) == 0
    assert main(["--run", str(run), "--last", str(last)]) == 0


def test_a_release_holds_numbers_alone(last: Path, tmp_path: Path) -> None:
    held: dict[str, Any] = json.loads(gzip.decompress(last.read_bytes()))
    assert held["meta"] == META
    assert held["values"]["articles"]["0#0"] == [gains()["0#0"], 1.0]
    assert read_release(last)["articles"]["0#0"] == {"nDCG@10": gains()["0#0"], "R@100": 1.0}
    again = tmp_path / "again.gz"
    write_release(again, tmp_path / "old")
    assert again.read_bytes() == last.read_bytes()


def test_a_run_of_a_few_queries_is_no_run(last: Path, tmp_path: Path) -> None:
    few = write_evaluation(tmp_path / "few", dict.fromkeys(IDS[:60], 1.0))
    with pytest.raises(GateError, match=r"measured 60 of the 80 queries of the release's track articles; measure all"):
        list(compared(few, read_release(last)))
    most = write_evaluation(tmp_path / "most", {**dict.fromkeys(IDS[:75], 1.0), "new#0": 0.0})
    assert {row["n"] for row in compared(most, read_release(last))} == {75, 40}


def test_the_default_system_must_be_measured(tmp_path: Path) -> None:
    write_json(tmp_path / "values.json", {"articles": {"bm25": {}}})
    with pytest.raises(GateError, match=r"holds no hybrid\+rerank for articles; measure it"):
        measured(tmp_path)
    with pytest.raises(RecordError, match=r"holds no values\.json; write it: make evaluate"):
        measured(tmp_path / "nowhere")


def test_a_broken_release_is_named(tmp_path: Path) -> None:
    for body in (b"no gzip", gzip.compress(b"no json"), gzip.compress(b"{}")):
        (tmp_path / "r.gz").write_bytes(body)
        with pytest.raises(RecordError, match=r"r\.gz is no release"):
            read_release(tmp_path / "r.gz")


def test_a_release_of_a_few_queries_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It could refuse nothing."""
    run = write_evaluation(tmp_path / "run", dict.fromkeys(IDS[: LEAST - 1], 1.0))
    assert main(["--run", str(run), "--last", str(tmp_path / "r.gz"), "--accept"]) == 1
    assert "measured 29 queries of track articles, a release needs 30 or more" in capsys.readouterr().err
    assert not (tmp_path / "r.gz").exists()
