"""Mapped files whose pages are let go: what a search has read of them does not stay in the memory of the process.

The system counts every page of a mapped file that has been touched, and maps its neighbours with it, so that rows read
here and there are soon the whole file. The pages stay in the system's cache; touching them again costs about half a
microsecond each.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Collection
from pathlib import Path
from typing import Any

MAPS = Path("/proc/self/maps")
Range = tuple[int, int]
"""(address, bytes)"""


class Mapped:
    """The mappings of some files of a folder, as they are when this is made: open the files first.

    Elsewhere than on Linux there are none, and nothing is let go.
    """

    def __init__(self, folder: Path, names: Collection[str]) -> None:
        """`names` are relative to `folder`."""
        self.ranges = _ranges({str((folder / name).resolve()) for name in names}) if MAPS.exists() else []
        self._advise: Any = ctypes.CDLL(None).madvise if self.ranges else None

    def let_go(self) -> None:
        """Safe at any time, from any thread: whoever reads meanwhile reads the file again."""
        for address, size in self.ranges:
            self._advise(ctypes.c_void_p(address), ctypes.c_size_t(size), mmap.MADV_DONTNEED)


def _ranges(paths: set[str]) -> list[Range]:
    found = []
    for line in MAPS.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        span, rights, _, _, _, *path = line.split(maxsplit=5)
        if path and path[0] in paths and "w" not in rights:
            start, end = (int(one, 16) for one in span.split("-"))
            found.append((start, end - start))
    return found
