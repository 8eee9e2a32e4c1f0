"""Filters → a mask over documents or passages, through columns that are encoded as integers once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.errors import BadRequest
from app.law.names import Law, LawNames, family_name
from app.law.resolve import CitationReader
from app.law.text import match_key
from app.retrieval.articles import CorpusArticles, CorpusDecisions
from app.retrieval.store import DocumentStore
from app.retrieval.types import Filters, Mask
from app.retrieval.versions import VersionStore

NEAREST = 3
"""Names offered in place of an unknown law."""
FIELDS = ("kind", "law_kind", "court", "court_level", "case_type")


@dataclass(frozen=True, slots=True)
class Column:
    """A field of all documents: `codes` int32 (documents,) into `dictionary`, whose values are distinct."""

    codes: npt.NDArray[np.int32]
    dictionary: pa.Array

    @property
    def values(self) -> list[str]:
        return list(self.dictionary.to_pylist())

    def value(self, document: int) -> str:
        return str(self.dictionary[int(self.codes[document])].as_py())

    def where(self, keep: Callable[[str], bool]) -> Mask:
        """The documents whose value is kept; `keep` sees each distinct value once."""
        kept = np.array([keep(value) for value in self.values], dtype=bool)
        mask: Mask = kept[self.codes] if len(kept) else np.zeros(len(self.codes), dtype=bool)
        return mask


class FilterColumns:
    """The filters of one corpus. Columns are encoded at their first use; safe from several threads."""

    def __init__(self, documents: DocumentStore, versions: VersionStore | None = None) -> None:
        self.documents, self.versions = documents, versions
        self._columns: dict[str, Column] = {}

    def column(self, name: str) -> Column:
        if name not in self._columns:
            coded = self.documents.table.column(name).combine_chunks().dictionary_encode()
            codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
            self._columns[name] = Column(codes, coded.dictionary)
        return self._columns[name]

    def families(self) -> npt.NDArray[np.int64]:
        """A number per document: one for a law with its decree and rule, one for each decision."""
        laws = self.column("law")
        numbers: dict[str, int] = {}
        of_name = [numbers.setdefault(family_name(name), len(numbers)) for name in laws.values]
        statutes = self.column("kind").where("statute".__eq__)
        own = len(numbers) + np.arange(len(statutes))
        return np.where(statutes, np.array(of_name, dtype=np.int64)[laws.codes], own)

    def mask(self, filters: Filters, as_of: date | None = None, exclude: Collection[str] = ()) -> Mask | None:
        """bool (documents,), or None where nothing is filtered; what was not law on `as_of`, or not yet decided, is
        left out, but for articles whose history is not known on that day.

        Raises BadRequest for an unknown law (naming the nearest) and for a date range that ends before it starts.
        """
        masks = [
            self.column(name).where(set(getattr(filters, name)).__contains__)
            for name in FIELDS
            if getattr(filters, name)
        ]
        if filters.law:
            masks.append(self._laws(filters.law))
        masks += self._dates(filters.date_from, filters.date_to)
        if as_of is not None:
            masks.append(self._on(as_of))
        if exclude:
            masks.append(self._without(exclude))
        return np.logical_and.reduce(masks) if masks else None

    @cached_property
    def names(self) -> LawNames:
        """The laws of this corpus by name and alias."""
        return LawNames(self._distinct_laws())

    def _distinct_laws(self) -> Iterator[Law]:
        """One Law per (law id, name), from the first of its documents."""
        ids, names, kinds, days = (self.column(name) for name in ("law_id", "law", "law_kind", "promulgated"))
        pairs = ids.codes.astype(np.int64) * len(names.dictionary) + names.codes
        for row in np.unique(pairs, return_index=True)[1]:
            if names.value(row):
                yield Law(ids.value(row), names.value(row), kinds.value(row), days.value(row))

    def citation_reader(self) -> CitationReader:
        """What reads and resolves citations against this corpus."""
        return CitationReader(self.names, CorpusArticles(self.documents), CorpusDecisions(self.documents))

    def _laws(self, wanted: tuple[str, ...]) -> Mask:
        """The documents of any of the laws, each given by its id, its name or an alias."""
        ids, names = self.column("law_id"), self.column("law")
        asked_ids = set(wanted) & (set(ids.values) - {""})
        keys = {self._law_key(name) for name in wanted if name not in asked_ids}
        return ids.where(asked_ids.__contains__) | names.where(lambda law: match_key(law) in keys)

    def _law_key(self, name: str) -> str:
        law = self.names.find(name)
        if law is not None:
            return match_key(law.name)
        keys = {match_key(known): known for known in self.column("law").values if known}
        nearest = [keys[key] for key in difflib.get_close_matches(match_key(name), keys, NEAREST, cutoff=0.5)]
        offer = f"; nearest: {', '.join(nearest)}" if nearest else ""
        raise BadRequest(f"no law {name!r} in this corpus{offer}", law=name, nearest=nearest)

    def _dates(self, start: date | None, end: date | None) -> list[Mask]:
        if start and end and start > end:
            raise BadRequest(f"date_from {start} is after date_to {end}; swap them")
        first, last = start.isoformat() if start else "", end.isoformat() if end else "9999-12-31"
        dates = self.column("date")
        return [dates.where(lambda day: bool(day) and first <= day <= last)] if start or end else []

    def _on(self, day: date) -> Mask:
        """The law of a day, and the decisions up to it."""
        until = self.column("date").where(lambda dated: dated <= day.isoformat())
        mask = until | self.column("kind").where("statute".__eq__)
        if self.versions is None:
            return mask
        owners = self._owners
        known, law = np.zeros(len(mask), dtype=bool), np.zeros(len(mask), dtype=bool)
        known[owners[owners >= 0]] = True
        law[owners[(owners >= 0) & self.versions.in_force(day)]] = True
        known &= self.column("law_id").where(partial(self.versions.covers, day=day))
        return mask & (law | ~known)

    @cached_property
    def _owners(self) -> npt.NDArray[np.int64]:
        """(versions,) the document of each version, -1 where it is of none."""
        return self.versions.owners(self.documents.table.column("doc_id")) if self.versions else np.empty(0, np.int64)

    def _without(self, exclude: Collection[str]) -> Mask:
        mask = np.ones(len(self.documents), dtype=bool)
        rows = [row for doc_id in exclude if (row := self.documents.row(doc_id)) is not None]
        mask[rows] = False
        return mask
