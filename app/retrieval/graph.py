"""The citation graph of an index, by document row: memory-mapped, read in both directions.

graph/edges.arrow     one row per edge, ordered by source: what a decision cites, and articles' delegations
graph/offsets.npy     int64 (documents + 1,) edges of a source: [offsets[row], offsets[row + 1])
graph/incoming.npy    int32 edges of citing decisions, ordered by target, then newest decision first
graph/starts.npy      int64 (documents + 1,) into incoming, by target
graph/cited_by.npy    int32 (documents,) distinct decisions that cite a document
graph/definitions.npy int32 (documents,) the definitions article of an article's law, -1 without one
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.errors import IndexCorrupt
from app.law.documents import Kind
from app.law.graph import Edge, Relation
from app.retrieval.store import read_table

FOLDER = "graph"
RELATIONS: tuple[Relation, ...] = ("statute", "precedent", "delegation", "definition")
ARRAYS = ("offsets", "incoming", "starts", "cited_by", "definitions")
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a list of citations: the document at the other end, and how it is cited."""

    row: int
    """-1 where the citation does not resolve to a document of this index."""
    kind: Kind
    """Of the document at the other end."""
    doc_id: str
    """Of an article that is known by its versions alone; "" otherwise."""
    issues: tuple[int, ...]
    """Issues of the citing decision, ascending; empty for the decision as a whole."""
    former: bool
    version: str
    text: str


class Graph:
    """Citations between the documents of one index."""

    def __init__(self, edges: pa.Table, arrays: dict[str, Ints]) -> None:
        self.edges = edges
        self.offsets, self.incoming, self.starts = (arrays[name] for name in ARRAYS[:3])
        self.cited_by_count, self._definitions = arrays["cited_by"], arrays["definitions"]
        self._columns = {name: _array(edges.column(name)) for name in edges.column_names}
        self._sources, self._targets = (self._columns[name].to_numpy() for name in ("source", "target"))
        self._relations = self._columns["relation"].to_numpy()

    def __len__(self) -> int:
        """Documents."""
        return len(self.cited_by_count)

    def cites(self, row: int) -> list[Link]:
        """What a decision cites, in its order: one line per document and version, or per citation without one."""
        lines: dict[tuple[Any, ...], list[int]] = {}
        for edge in self._outgoing(row, citations=True):
            target, doc_id = int(self._targets[edge]), self._value("elsewhere", edge)
            key = (target, doc_id, self._value("former", edge), self._value("version", edge))
            lines.setdefault(key if target >= 0 or doc_id else (*key, self._value("text", edge)), []).append(edge)
        return [self._link(key[0], edges, self._kind(edges[0])) for key, edges in lines.items()]

    def citing(self, row: int) -> npt.NDArray[np.int32]:
        """The rows of the decisions that cite a document, newest first."""
        sources: npt.NDArray[np.int32] = self._sources[self._incoming(row)]
        return sources[np.flatnonzero(np.diff(sources, prepend=-1))]

    def cited_by(self, row: int, limit: int | None = None, offset: int = 0) -> list[Link]:
        """The decisions that cite a document, newest first, one line each; it is former where all its citations are."""
        edges = self._incoming(row)
        bounds = np.append(np.flatnonzero(np.diff(self._sources[edges], prepend=-1)), len(edges))
        last = len(bounds) - 1 if limit is None else min(len(bounds) - 1, offset + limit)
        groups = (edges[bounds[n] : bounds[n + 1]].tolist() for n in range(offset, last))
        return [self._link(int(self._sources[group[0]]), group, "precedent") for group in groups]

    def delegations(self, row: int) -> list[int]:
        """The articles of decrees and rules to which an article delegates, ascending."""
        return [int(self._targets[edge]) for edge in self._outgoing(row, citations=False)]

    def definition(self, row: int) -> int | None:
        """The definitions article of an article's law; None for that article itself."""
        found = int(self._definitions[row])
        return None if found in (-1, row) else found

    def cited(self, row: int) -> npt.NDArray[np.int32]:
        """The rows of the documents that a decision cites, distinct and ascending."""
        targets: npt.NDArray[np.int32] = self._targets[self._outgoing(row, citations=True)]
        return np.unique(targets[targets >= 0])

    def links(self, sources: Sequence[int], targets: Ints) -> npt.NDArray[np.int64]:
        """How many of the `sources` cite each of the `targets`; rows, of which targets may recur."""
        cited = np.concatenate([self.cited(row) for row in sources]) if sources else np.empty(0, dtype=np.int32)
        counts: npt.NDArray[np.int64] = (cited[None, :] == targets[:, None]).sum(axis=1)
        return counts

    def _outgoing(self, row: int, citations: bool) -> list[int]:
        span = range(int(self.offsets[row]), int(self.offsets[row + 1]))
        return [edge for edge in span if (self._relations[edge] < 2) == citations]

    def _incoming(self, row: int) -> Ints:
        found: Ints = self.incoming[int(self.starts[row]) : int(self.starts[row + 1])]
        return found

    def _value(self, name: str, edge: int) -> Any:
        return self._columns[name][edge].as_py()

    def _kind(self, edge: int) -> Kind:
        return "precedent" if RELATIONS[self._relations[edge]] == "precedent" else "statute"

    def _link(self, row: int, edges: Sequence[int], kind: Kind) -> Link:
        texts = dict.fromkeys(self._value("text", edge) for edge in edges)
        return Link(
            row=row,
            kind=kind,
            doc_id=self._value("elsewhere", edges[0]),
            issues=tuple(sorted({self._value("issue", edge) for edge in edges} - {0})),
            former=all(self._value("former", edge) for edge in edges),
            version=max(self._value("version", edge) for edge in edges),
            text=", ".join(texts),
        )

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(folder / "edges.arrow"), "wb") as sink, pa.ipc.new_file(sink, self.edges.schema) as writer:
            writer.write_table(self.edges)
        arrays = (self.offsets, self.incoming, self.starts, self.cited_by_count, self._definitions)
        for name, values in zip(ARRAYS, arrays, strict=True):
            np.save(folder / f"{name}.npy", values)

    @classmethod
    def load(cls, folder: Path) -> Graph:
        """Memory-mapped. Raises IndexCorrupt where a file cannot be read."""
        try:
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
        except (OSError, ValueError, EOFError) as error:
            raise IndexCorrupt(f"the citation graph cannot be read ({error}); build the index again") from error
        return cls(read_table(folder / "edges.arrow"), arrays)

    @classmethod
    def of(cls, edges: Iterable[Edge], rows: dict[str, int], dates: Sequence[str]) -> Graph:
        """From edges in any order; `rows` are the documents by doc_id, `dates` theirs by row.

        An edge whose source is no document is left out, and a delegation to none; of one source the edges keep their
        order.
        """
        columns = _Columns(rows)
        for edge in edges:
            columns.add(edge)
        return cls(columns.table(), columns.arrays(dates))


def _array(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array; a table without rows has no chunk at all."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


class _Columns:
    """Edges as columns of numbers; strings are kept once each."""

    def __init__(self, rows: dict[str, int]) -> None:
        self.rows = rows
        self.numbers = {name: array("i") for name in ("source", "target", "issue", "relation", "former")}
        self.strings = {name: (array("i"), {"": 0}) for name in ("version", "text", "elsewhere")}
        self.definitions = np.full(len(rows), -1, dtype=np.int32)

    def add(self, edge: Edge) -> None:
        source, target = self.rows.get(edge.source, -1), self.rows.get(edge.target, -1)
        if source < 0 or (edge.relation == "delegation" and target < 0):
            return
        if edge.relation == "definition":
            self.definitions[source] = target
            return
        values = (source, target, edge.issue, RELATIONS.index(edge.relation), edge.former)
        for name, value in zip(self.numbers, values, strict=True):
            self.numbers[name].append(value)
        for name, text in (
            ("version", edge.version),
            ("text", edge.text),
            ("elsewhere", "" if target >= 0 else edge.target),
        ):
            codes, known = self.strings[name]
            codes.append(known.setdefault(text, len(known)))

    def table(self) -> pa.Table:
        order = self._order
        types = {
            "source": pa.int32(),
            "target": pa.int32(),
            "issue": pa.int16(),
            "relation": pa.int8(),
            "former": pa.bool_(),
        }
        columns = {name: pa.array(self._numbers(name)[order], pa.int32()).cast(kind) for name, kind in types.items()}
        for name, (codes, known) in self.strings.items():
            numbers = pa.array(np.frombuffer(codes, dtype=np.int32)[order] if codes else [], pa.int32())
            columns[name] = pa.DictionaryArray.from_arrays(numbers, pa.array(list(known), pa.utf8()))
        return pa.table(columns)

    def arrays(self, dates: Sequence[str]) -> dict[str, Ints]:
        order, count = self._order, len(self.rows)
        sources, targets, relations = (self._numbers(name)[order] for name in ("source", "target", "relation"))
        edges = np.flatnonzero((targets >= 0) & (relations < 2))
        days = np.unique(np.asarray(dates, dtype=str), return_inverse=True)[1] if count else np.empty(0, dtype=np.int64)
        by_target = edges[np.lexsort((edges, sources[edges], -days[sources[edges]], targets[edges]))]
        pairs = np.unique(targets[edges].astype(np.int64) * max(count, 1) + sources[edges])
        return {
            "offsets": np.searchsorted(sources, np.arange(count + 1)).astype(np.int64),
            "incoming": by_target.astype(np.int32),
            "starts": np.searchsorted(targets[by_target], np.arange(count + 1)).astype(np.int64),
            "cited_by": np.bincount(pairs // max(count, 1), minlength=count).astype(np.int32),
            "definitions": self.definitions,
        }

    def _numbers(self, name: str) -> npt.NDArray[np.int32]:
        values = self.numbers[name]
        return np.frombuffer(values, dtype=np.int32) if values else np.empty(0, dtype=np.int32)

    @property
    def _order(self) -> npt.NDArray[np.int64]:
        return np.argsort(self._numbers("source"), kind="stable")
