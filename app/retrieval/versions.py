"""Articles as they stood: every version of an article with the days it was in force, as a memory-mapped Arrow table.

The table is sorted by `doc_id`, then by `effective_from`; the versions of an article never overlap. Not every law has
its history in an index, many histories begin long after the law did, and an index need hold none at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from app.retrieval.store import read_table, write_table
from app.retrieval.types import Mask

FILE = "versions.arrow"
Mend = Callable[[list["Version"]], list["Version"]]
"""The versions of one article as listed, ascending → as they were."""
Status = Literal["in_force", "not_yet", "former", "deleted"]


@dataclass(frozen=True, slots=True)
class Version:
    """The text of an article from `effective_from` until the day before `effective_to`; both ISO dates, `effective_to`
    is "" while no end is known."""

    doc_id: str
    citation: str
    effective_from: str
    effective_to: str
    title: str
    text: str
    deleted: bool = False
    """Of the article only its deletion was left."""

    def holds(self, day: str) -> bool:
        """Whether this was the text on an ISO day."""
        return self.effective_from <= day and (not self.effective_to or day < self.effective_to)

    def status(self, today: date) -> Status:
        """What it is today: to come, gone, a deletion, or law."""
        if self.effective_from > today.isoformat():
            return "not_yet"
        if self.deleted:
            return "deleted"
        return "in_force" if self.holds(today.isoformat()) else "former"


NAMES = tuple(field.name for field in fields(Version))
SCHEMA = pa.schema([(name, pa.bool_() if name == "deleted" else pa.utf8()) for name in NAMES])


def at(versions: Iterable[Version], day: date) -> Version | None:
    """The one of an article's versions that was its text on a day."""
    return next((version for version in versions if version.holds(day.isoformat())), None)


def write_versions(path: Path, versions: Iterable[Version], mend: Mend = list) -> int:
    """Write versions that come in any order, no two of an article beginning on the same day; returns how many.

    A version ends at the latest where the next one begins; `mend` has the last word on those of each article. The texts
    are never in memory all at once: they go to a file beside `path`, and from there in order.
    """
    unsorted = path.with_name(f"{path.name}.unsorted")
    try:
        write_table(unsorted, SCHEMA, map(_row, versions))
        articles = groupby(_sorted(read_table(unsorted)), lambda version: version.doc_id)
        return write_table(path, SCHEMA, (_row(version) for _, group in articles for version in mend(list(group))))
    finally:
        unsorted.unlink(missing_ok=True)


def _row(version: Version) -> tuple[str | bool, ...]:
    return tuple(getattr(version, name) for name in NAMES)


def _sorted(table: pa.Table) -> Iterator[Version]:
    ids, starts = (table.column(name).to_pylist() for name in ("doc_id", "effective_from"))
    order = sorted(range(len(ids)), key=lambda row: (ids[row], starts[row]))
    for row, following in zip(order, [*order, None][1:], strict=True):
        version = _version(table, row)
        if following is not None and ids[following] == version.doc_id:
            end = version.effective_to or starts[following]
            version = replace(version, effective_to=min(end, starts[following]))
        yield version


def _version(table: pa.Table, row: int) -> Version:
    return Version(**{name: table.column(name)[row].as_py() for name in NAMES})


class VersionStore:
    """The versions of articles by `doc_id`: opened in milliseconds, an article is found by bisection."""

    def __init__(self, path: Path) -> None:
        """Raises IndexCorrupt where the file cannot be read."""
        self.table = read_table(path)
        self._ids = self.table.column("doc_id")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def of(self, doc_id: str) -> tuple[Version, ...]:
        """The versions of an article, ascending; none where its history is not here."""
        start = self._first(doc_id)
        stop = start
        while stop < len(self) and self._ids[stop].as_py() == doc_id:
            stop += 1
        return tuple(_version(self.table, row) for row in range(start, stop))

    def at(self, doc_id: str, day: date) -> Version | None:
        """The text of an article on a day, which may be its deletion; None where it was no law then, or is unknown."""
        return at(self.of(doc_id), day)

    @cached_property
    def begins(self) -> dict[str, str]:
        """law_id → the first day that its history here knows of. Earlier an article may have been law or not."""
        laws = pc.replace_substring_regex(self._ids, r"-.*", "")
        days = pa.table({"law": laws, "day": self.table.column("effective_from")})
        first = days.group_by("law").aggregate([("day", "min")])
        return dict(zip(first.column("law").to_pylist(), first.column("day_min").to_pylist(), strict=True))

    def covers(self, law_id: str, day: date) -> bool:
        """Whether the history of a law is known on a day: an article without a version did not exist then."""
        return self.begins.get(law_id, "9999") <= day.isoformat()

    def owners(self, doc_ids: pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """(versions,) the position of each version's article in `doc_ids`, -1 where it is not among them."""
        found = pc.index_in(self._ids, value_set=doc_ids.combine_chunks())
        rows: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        return rows

    def in_force(self, day: date) -> Mask:
        """bool (versions,): the texts that were law on a day, deletions not among them."""
        start, end, deleted = (self.table.column(name) for name in ("effective_from", "effective_to", "deleted"))
        ended = pc.and_(pc.not_equal(end, ""), pc.less_equal(end, day.isoformat()))
        law = pc.and_(pc.less_equal(start, day.isoformat()), pc.invert(pc.or_(ended, deleted)))
        mask: Mask = law.to_numpy().astype(bool)
        return mask

    def _first(self, doc_id: str) -> int:
        """The first row whose doc_id is not before this one."""
        return bisect_left(range(len(self)), doc_id, key=lambda row: self._ids[row].as_py())
