"""Documents and passages as memory-mapped Arrow tables: opened in milliseconds, read by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.errors import IndexCorrupt
from app.law.documents import DOCUMENT_FIELDS, Document

ROWS = 4096
"""Rows of a record batch."""

FLAGS = frozenset({"sample", "deleted"})
DOCUMENT_SCHEMA = pa.schema([(name, pa.bool_() if name in FLAGS else pa.utf8()) for name in DOCUMENT_FIELDS])
PASSAGE_SCHEMA = pa.schema([("passage_id", pa.utf8()), ("document", pa.int32()), ("text", pa.utf8())])


def write_documents(path: Path, documents: Iterable[Document]) -> int:
    """Write documents in order; returns how many. The file holds one column per field of Document."""
    return write_table(path, DOCUMENT_SCHEMA, map(attrgetter(*DOCUMENT_FIELDS), documents))


def write_passages(path: Path, passages: Iterable[tuple[str, int, str]]) -> int:
    """Write (passage_id, row of its document, text) in order; returns how many."""
    return write_table(path, PASSAGE_SCHEMA, passages)


def write_table(path: Path, schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> int:
    """Write rows under a temporary name, a block at a time, and rename; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    temporary = path.with_name(path.name + ".partial")
    with pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for block in _blocks(rows):
            columns = zip(schema, zip(*block, strict=True), strict=True)
            arrays = [pa.array(column, type=field.type) for field, column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(block)
    temporary.replace(path)
    return count


def _blocks(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    block: list[tuple[Any, ...]] = []
    for row in rows:
        block.append(row)
        if len(block) == ROWS:
            yield block
            block = []
    if block:
        yield block


def read_table(path: Path) -> pa.Table:
    """A memory-mapped table. Raises IndexCorrupt where the file is missing, cut or not Arrow."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise IndexCorrupt(f"{path.name} cannot be read as an Arrow file ({error}); build it again") from error


def byte_strings(column: pa.ChunkedArray) -> npt.NDArray[np.bytes_]:
    """A column of short strings as one array, in UTF-8."""
    return np.array(column.cast(pa.binary()).to_pylist(), dtype=np.bytes_)


class DocumentStore:
    """The documents of a corpus by row (0-based, corpus order) or by `doc_id`."""

    def __init__(self, path: Path) -> None:
        self.table = read_table(path)
        self._columns: dict[str, npt.NDArray[np.object_]] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, row: int) -> Document:
        if not 0 <= row < len(self):
            raise IndexError(f"document row {row} of {len(self)}")
        return Document(**{name: self.table.column(name)[row].as_py() for name in DOCUMENT_FIELDS})

    def __iter__(self) -> Iterator[Document]:
        for batch in self.table.to_batches():
            yield from map(Document, *(batch.column(name).to_pylist() for name in DOCUMENT_FIELDS))

    @cached_property
    def _ids(self) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[np.int64]]:
        """The ids in order, and the row of each: a tenth of what a dictionary of them takes."""
        ids = byte_strings(self.table.column("doc_id"))
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def row(self, doc_id: str) -> int | None:
        (ids, rows), asked = self._ids, doc_id.encode(errors="surrogatepass")
        at = int(np.searchsorted(ids, np.bytes_(asked)))
        return int(rows[at]) if at < len(ids) and ids[at] == asked else None

    def value(self, name: str, row: int) -> Any:
        """One field of one document."""
        return self.table.column(name)[row].as_py()

    def having(self, name: str, values: Collection[str]) -> Iterator[tuple[int, str]]:
        """(row, value) of the documents whose field has one of the values, in their order."""
        kept = pc.is_in(self.table.column(name), value_set=pa.array(list(values), pa.utf8()))
        rows = np.flatnonzero(kept.to_numpy())
        return zip(rows.tolist(), self.table.column(name).take(rows).to_pylist(), strict=True)

    def column(self, name: str) -> npt.NDArray[np.object_]:
        """One field of all documents, as Python strings (bools for the flags); kept after the first call."""
        if name not in self._columns:
            self._columns[name] = np.array(self.table.column(name).to_pylist(), dtype=object)
        return self._columns[name]


class PassageStore:
    """The passages of a corpus by index (0-based, corpus order)."""

    def __init__(self, path: Path) -> None:
        self.table = read_table(path)
        self.documents: npt.NDArray[np.int32] = self.table.column("document").to_numpy().astype(np.int32)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def passage_id(self, index: int) -> str:
        return str(self.table.column("passage_id")[int(index)].as_py())

    def text(self, index: int) -> str:
        return str(self.table.column("text")[int(index)].as_py())

    def texts(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[str]:
        return [self.text(int(index)) for index in indices]

    def iter_texts(self) -> Iterator[str]:
        for batch in self.table.select(["text"]).to_batches():
            yield from batch.column(0).to_pylist()

    @cached_property
    def rows(self) -> dict[str, int]:
        """passage_id → index; built at the first use."""
        return {passage_id: row for row, passage_id in enumerate(self.table.column("passage_id").to_pylist())}
