"""The benchmark of serving, whole, on the sample index: what it prints, and that a ranking which differs is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.retrieval.searcher import Searcher
from benchmarks import serving
from benchmarks.load import Turn
from benchmarks.peers.serve import application
from benchmarks.peers.service import Corpus, service
from benchmarks.serving import PeerError, command, main, verdict
from training import index as step


@pytest.fixture(autouse=True)
def no_peers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed here, no peer is."""
    monkeypatch.setattr(serving, "PEERS", {"infinity": tmp_path / "infinity", "haystack": tmp_path / "haystack"})


def test_every_system_answers_and_ranks_as_the_textbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "indexes"
    assert step.main(["--source", "samples", "--name", "samples", "--root", str(root), "--work", str(tmp_path)]) == 0
    turns = ["--seconds", "0.2", "--rounds", "1", "--concurrency", "1", "2", "--count", "4", "--compared", "4"]
    assert main(["--root", str(root), "--systems", "infinity", "textbook", "same-fp32", "beopgil", *turns]) == 0
    shown = capsys.readouterr().out
    assert "no search failed, and the rankings are the same" in shown
    assert "GFLOP a search" in shown
    for system in ("infinity", "textbook", "same-fp32", "beopgil", "floor"):
        assert sum(f"│ {system} " in line for line in shown.splitlines()) >= 2, system
    assert "infinity is left out, not installed: make peers" in shown
    assert "× is against textbook" in shown
    assert shown.count("│ not installed ") == 2


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


def test_what_peers_do_is_no_failure_of_ours() -> None:
    assert verdict({("haystack", 1): [Turn(seconds=1.0, errors=["500"])]}, {"textbook": 1.0, "haystack": 0.3}) == 0


def test_with_no_system_left_there_is_nothing_to_measure() -> None:
    with pytest.raises(SystemExit, match="no system is left"):
        main(["--systems", "infinity", "haystack"])


def test_a_peer_runs_with_the_python_of_its_environment_over_the_version_in_use(
    tmp_path: Path, searcher: Searcher
) -> None:
    folder = searcher.index.path
    options = serving._options(["--root", str(folder.parent.parent), "--index", "fake", "--systems", "haystack"])
    with pytest.raises(PeerError, match="not installed"):
        command("haystack", 8000, options)
    (tmp_path / "haystack").mkdir()
    (tmp_path / "haystack/.installed").touch()
    words = command("haystack", 8000, options)
    assert words[:3] == [str(tmp_path / "haystack/bin/python"), "-m", "benchmarks.peers.haystack"]
    assert words[words.index("--folder") + 1] == str(folder)
    assert float(words[words.index("--weight") + 1]) > 0


def test_a_peer_reads_of_an_index_what_we_do(searcher: Searcher) -> None:
    index, corpus = searcher.index, Corpus(searcher.index.path)
    rows = range(len(index.passages))
    assert [corpus.text(row) for row in rows] == index.passages.texts(rows)
    assert np.array_equal(corpus.flat.reconstruct_n(0, len(rows)), index.dense.rows(rows))
    ranked = [*reversed(rows), *rows]
    expected = [index.documents[int(index.passages.documents[row])] for row in reversed(rows)]
    documents = [{"doc_id": one.doc_id, "text": one.text} for one in dict.fromkeys(expected)]
    assert corpus.fold(ranked, 3) == documents[:3]
    with TestClient(service(lambda query, k, depth: corpus.fold(ranked, k))) as client:
        assert client.post("/search", json={"query": "해고", "k": 2}).json() == {"results": documents[:2]}
