"""When a process is ready, and processor time and memory of it with those below it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks import processes
from benchmarks.processes import cpu_seconds, resident, started, tree

BURN = (
    "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint(1, flush=True); input()"
)
ABOVE = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {BURN!r}]).returncode)"


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for another, which has worked for 0.3 seconds and waits for a line."""
    with subprocess.Popen([sys.executable, "-c", ABOVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        yield process
        process.communicate(b"\n")


def test_those_below_count(parent: subprocess.Popen[bytes]) -> None:
    below = tree(parent.pid)
    assert below[0] == parent.pid
    assert len(below) == 2
    assert cpu_seconds(below) >= cpu_seconds([parent.pid]) + 0.29
    assert resident(below) > resident([parent.pid]) > 0


def test_what_has_ended_goes_on_counting() -> None:
    before = cpu_seconds(tree(os.getpid()))
    subprocess.run([sys.executable, "-c", BURN], input=b"\n", stdout=subprocess.DEVNULL, check=True)
    assert cpu_seconds(tree(os.getpid())) >= before + 0.29


def test_a_service_is_ready_or_has_ended_or_took_too_long(
    parent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, True])
    assert started(parent, lambda: next(answers))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not started(ended, lambda: False)
    monkeypatch.setattr(processes, "START", 0.0)
    assert not started(parent, lambda: False)
