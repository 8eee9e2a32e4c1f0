"""The benchmark of a week's update: its changed records, and the whole of it on the sample index."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
import zstandard

from benchmarks.changes import change, word
from benchmarks.update import main
from training import index as step
from training.sources import find, jsonl
from training.sources.records import Broken, Decision, StatuteArticle

SAMPLES = Path("samples")


def rows(folder: Path, kind: str) -> list[dict[str, str]]:
    (file,) = folder.glob(f"{kind}.jsonl*")
    return [orjson.loads(line) for _, line in jsonl.lines(file) if not isinstance(line, Broken)]


def test_only_what_is_named_changes(tmp_path: Path) -> None:
    changes = change(SAMPLES, tmp_path / "records", 7, 3)
    before, after = rows(SAMPLES, "statutes"), rows(tmp_path / "records", "statutes")
    altered = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(altered) == 7
    for (old, new), one in zip(altered, changes, strict=False):
        assert new == {**old, "text": new["text"]}
        assert new["text"].startswith(old["text"])
        assert one.word in new["text"]
    before, after = rows(SAMPLES, "precedents"), rows(tmp_path / "records", "precedents")
    assert after[: len(before)] == before
    assert [f"p{row['precedent_id']}" for row in after[len(before) :]] == [one.doc_id for one in changes[7:]]
    assert len(changes) == 10


def test_the_changed_records_can_be_read(tmp_path: Path) -> None:
    change(SAMPLES, tmp_path / "records", 7, 3)
    records = [record for file in find(str(tmp_path / "records")) for record in jsonl.read(file)]
    assert not any(isinstance(record, Broken) for record in records)
    assert any(isinstance(record, Decision) for record in records)
    assert any(isinstance(record, StatuteArticle) for record in records)


def test_compressed_records_stay_compressed_and_other_files_are_linked(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for kind in ("statutes", "precedents"):
        lines = (SAMPLES / f"{kind}.jsonl").read_bytes()
        (source / f"{kind}.jsonl.zst").write_bytes(zstandard.compress(lines))
    for other in ("queries.jsonl", "statute_versions.jsonl"):
        shutil.copy(SAMPLES / other, source)
    plain = change(SAMPLES, tmp_path / "plain", 4, 2)
    assert change(source, tmp_path / "packed", 4, 2) == plain
    for kind in ("statutes", "precedents"):
        assert rows(tmp_path / "packed", kind) == rows(tmp_path / "plain", kind)
    assert (tmp_path / "packed" / "queries.jsonl").is_symlink()


def test_nothing_to_change_changes_nothing(tmp_path: Path) -> None:
    assert change(SAMPLES, tmp_path / "records", 0, 0) == []
    assert rows(tmp_path / "records", "statutes") == rows(SAMPLES, "statutes")


def test_no_two_changes_share_a_syllable() -> None:
    assert len(set("".join(map(word, range(2000))))) == 10_000


@pytest.mark.slow
def test_a_week_goes_into_the_sample_index_while_it_is_searched(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "indexes"
    places = ["--root", str(root), "--work", str(tmp_path / "work")]
    assert step.main(["--source", str(SAMPLES), "--name", "samples", *places]) == 0
    built = (root / "samples" / "CURRENT").read_text()
    wanted = ["--articles", "5", "--decisions", "3", "--before", "1", "--folder", str(tmp_path)]
    status = main(["--index", "samples", "--source", str(SAMPLES), "--root", str(root), *wanted])
    said = capfd.readouterr().out
    assert status == 0, said
    assert "their vectors and tokens are kept" in said
    assert " 0 errors" in said
    assert "8 changes looked for: 0 found before, 0 missing after" in said
    assert (root / "samples" / "CURRENT").read_text() == built, "the index itself is left alone"
