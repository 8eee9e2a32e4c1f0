"""Processes that are measured: started until they are ready, and what they have taken of this machine, from /proc."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

START = 180.0
"""Seconds in which a service must be ready."""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def started(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    """Whether it became ready, before it ended and in time."""
    end = time.monotonic() + START
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def tree(pid: int) -> list[int]:
    """A process and all that it has started, directly or not, and that live."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            below.setdefault(int(_stat(path)[1]), []).append(int(path.name))
    found = [pid]
    for one in found:
        found += below.get(one, [])
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Processor time of processes, of their threads and of their children that have ended, user and system."""
    ticks = sum(int(value) for pid in pids for value in _stat(Path(f"/proc/{pid}"))[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident(pids: Sequence[int], field: str = "VmRSS") -> float:
    """GB of memory that processes hold, or with "VmHWM" have held at most; what two of them share counts twice."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1e6


def _stat(process: Path) -> list[str]:
    """/proc/…/stat from the third field on: state, parent, …"""
    return (process / "stat").read_text().rsplit(")", 1)[1].split()
