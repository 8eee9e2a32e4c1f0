"""documents.arrow [+ versions.arrow] → graph/ of an index folder, beside what else is done for it.

    python -m app.retrieval.beside FOLDER

Reading citations is pure Python, half a minute for all that there is: in a thread it would hold up the rest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.retrieval.citations import build
from app.retrieval.graph import FOLDER
from app.retrieval.store import DocumentStore
from app.retrieval.versions import FILE, VersionStore

MANY = 20_000
"""Documents from which on a process of its own is worth its start."""


@contextmanager
def graph_beside(folder: Path) -> Iterator[None]:
    """The graph is there when the block has ended. Raises RuntimeError with what its process said where that failed."""
    if len(DocumentStore(folder / "documents.arrow")) < MANY:
        yield
        write_graph(folder)
        return
    command = [sys.executable, "-m", __name__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield
            _, said = process.communicate()
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"the graph could not be made: {said.strip()}")


def write_graph(folder: Path) -> None:
    versions = VersionStore(folder / FILE) if (folder / FILE).is_file() else None
    build(DocumentStore(folder / "documents.arrow"), versions).save(folder / FOLDER)


if __name__ == "__main__":
    write_graph(Path(sys.argv[1]))
