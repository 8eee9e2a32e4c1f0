from __future__ import annotations

from pathlib import Path

import pytest

from app.retrieval import beside
from app.retrieval.beside import graph_beside, write_graph
from tests.fakes import DOCUMENTS, write_corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_corpus(tmp_path, DOCUMENTS)
    return tmp_path


def graph(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "graph").iterdir())}


def test_a_process_of_its_own_makes_the_same_graph(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_graph(folder)
    expected = graph(folder)
    for path in (folder / "graph").iterdir():
        path.unlink()
    monkeypatch.setattr(beside, "MANY", 0)
    with graph_beside(folder):
        pass
    assert graph(folder) == expected
    assert expected


def test_few_documents_start_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    with graph_beside(folder):
        assert not (folder / "graph").exists()
    assert graph(folder)


def test_what_the_process_says_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MANY", 0)
    (folder / "versions.arrow").write_bytes(b"no table")
    said = r"(?s)the graph could not be made: .*versions\.arrow cannot be read"
    with pytest.raises(RuntimeError, match=said), graph_beside(folder):
        pass


def test_a_failure_in_the_block_ends_the_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "MANY", 0)
    with pytest.raises(ValueError, match="disk"), graph_beside(folder):
        raise ValueError("disk")
