"""Pages of mapped files: let go, and there again when they are read."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from app.retrieval import mapped
from app.retrieval.mapped import Mapped

PAGES = 64
LINUX = pytest.mark.skipif(not mapped.MAPS.exists(), reason="only Linux says what is mapped")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    np.save(tmp_path / "numbers.npy", np.arange(PAGES * mmap.PAGESIZE, dtype=np.uint8))
    return tmp_path / "numbers.npy"


def resident(path: Path) -> int:
    """Kilobytes of a file's mappings that are counted as this process's memory."""
    found, here = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            here = line.endswith(str(path))
        elif here and line.startswith("Rss:"):
            found += int(line.split()[1])
    return found


@LINUX
def test_what_was_read_is_let_go_and_can_be_read_again(file: Path) -> None:
    numbers = np.load(file, mmap_mode="r")
    held = Mapped(file.parent, [file.name])
    total = int(numbers.sum())
    before = resident(file)
    assert before > PAGES * mmap.PAGESIZE / 1024 / 2
    held.let_go()
    assert resident(file) < before / 4
    assert int(numbers.sum()) == total


@LINUX
def test_only_the_named_files_are_let_go(file: Path) -> None:
    numbers = np.load(file, mmap_mode="r")
    assert numbers.any()
    Mapped(file.parent, ["other.npy"]).let_go()
    assert resident(file) > 0


@LINUX
def test_what_may_be_written_is_kept(file: Path) -> None:
    numbers = np.load(file, mmap_mode="c")
    numbers[5] = 99
    Mapped(file.parent, [file.name]).let_go()
    assert numbers[5] == 99


def test_elsewhere_nothing_is_let_go(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "MAPS", file.parent / "none")
    numbers = np.load(file, mmap_mode="r")
    held = Mapped(file.parent, [file.name])
    held.let_go()
    assert held.ranges == []
    assert numbers[3] == 3
