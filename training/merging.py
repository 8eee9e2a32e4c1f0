"""Records + the corpus that is there → the corpus as it is to be: by identity, and what became of each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.table import Table

from training.record_files import (
    FIELDS,
    PRECEDENTS,
    STATUTES,
    VERSIONS,
    Row,
    precedent_row,
    read_rows,
    statute_row,
    version_row,
    write_rows,
)
from training.sources.records import ArticleVersion, Broken, Gone, Record, StatuteArticle
from training.succession import accumulate

SEEN = ("law", "title", "text")
"""What makes an article changed. A law's new version gives every article a new mst, which alone changes none."""
COLUMNS = ("added", "changed", "removed", "unchanged", "older")
"""`older`: of a version of a law that is older than the one that is here; they change nothing."""
Edition = tuple[str, int]
"""(day of promulgation, mst) of one version of a law, in the order of time."""
UNDATED: Edition = ("", 0)
"""Articles of a source that does not say of which version they are: they take their place one by one."""


class Corpus:
    """The records of a folder. `add` what comes, then `write`; a file in which nothing changed is not touched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.laws: dict[str, dict[str, Row]] = {}
        for row in read_rows(folder, STATUTES):
            self.laws.setdefault(row["law_id"], {})[row["article"]] = row
        self.precedents = {row["precedent_id"]: row for row in read_rows(folder, PRECEDENTS)}
        self.versions: dict[str, list[Row]] = {}
        for row in read_rows(folder, VERSIONS):
            self.versions.setdefault(row["law_id"], []).append(row)
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in (STATUTES, PRECEDENTS)}
        self.broken: list[Broken] = []
        self._editions: dict[str, dict[Edition, dict[str, Row]]] = {}
        self._gone: list[Gone] = []
        self._came: set[str] = set()
        self._touched: set[str] = set()

    def add(self, records: Iterable[Record | Gone]) -> None:
        """Take records in any order; laws are put in theirs by `merge`."""
        for record in records:
            if isinstance(record, Broken):
                self.broken.append(record)
            elif isinstance(record, Gone):
                self._gone.append(record)
            elif isinstance(record, StatuteArticle):
                self._add_article(statute_row(record), record)
            else:
                self._add_precedent(precedent_row(record))

    def add_versions(self, found: Iterable[ArticleVersion | Broken]) -> None:
        """Take the versions of laws of which none are known here."""
        new: dict[str, list[Row]] = {}
        for one in found:
            if isinstance(one, Broken):
                self.broken.append(one)
            elif one.law_id not in self.versions:
                new.setdefault(one.law_id, []).append(version_row(one))
        self.versions |= new
        if new:
            self._touched.add(VERSIONS)

    def _add_article(self, row: Row, record: StatuteArticle) -> None:
        articles = self._editions.setdefault(row["law_id"], {}).setdefault(_edition(row), {})
        if row["article"] in articles and articles[row["article"]] != row:
            where = f"{record.law} {record.article}"
            self.broken.append(Broken(where, "stands twice in one version of its law; the first is kept"))
        articles.setdefault(row["article"], row)

    def _add_precedent(self, row: Row) -> None:
        self._count(PRECEDENTS, self.precedents.get(row["precedent_id"]), row, FIELDS[PRECEDENTS])
        self.precedents[row["precedent_id"]] = row
        self._came.add(row["precedent_id"])

    def merge(self) -> None:
        """Bring the laws up to date, version after version; then take away what is gone.

        What is gone in one place and came in another was moved: it stays.
        """
        came_laws = set(self._editions)
        for law_id, editions in self._editions.items():
            for edition in sorted(editions):
                self._merge_law(law_id, edition, editions[edition])
        self._editions = {}
        for gone in self._gone:
            if gone.law_id in self.laws and gone.law_id not in came_laws:
                self.counts[STATUTES]["removed"] += len(self.laws.pop(gone.law_id))
                self._touched.add(STATUTES)
            elif gone.precedent_id in self.precedents and gone.precedent_id not in self._came:
                del self.precedents[gone.precedent_id]
                self.counts[PRECEDENTS]["removed"] += 1
                self._touched.add(PRECEDENTS)

    def _merge_law(self, law_id: str, edition: Edition, articles: dict[str, Row]) -> None:
        old = self.laws.get(law_id, {})
        newest = max(map(_edition, old.values()), default=edition)
        if edition < newest and edition != UNDATED:
            self.counts[STATUTES]["older"] += len(articles)
            return
        for article, row in articles.items():
            self._count(STATUTES, old.get(article), row, SEEN)
        if edition <= newest:
            self.laws[law_id] = {**old, **articles}
            return
        self.counts[STATUTES]["removed"] += len(old.keys() - articles.keys())
        self.laws[law_id] = articles
        self.versions[law_id] = accumulate(self.versions.get(law_id, []), old, articles)
        self._touched |= {STATUTES, VERSIONS}

    def _count(self, name: str, old: Row | None, new: Row, fields: Iterable[str]) -> None:
        if old != new:
            self._touched.add(name)
        changed = old is not None and any(old[field] != new[field] for field in fields)
        self.counts[name]["added" if old is None else "changed" if changed else "unchanged"] += 1

    def write(self) -> None:
        """Versions first: were the articles to be new already, it would not be known any more what they replaced."""
        for name, rows in ((VERSIONS, self._versions()), (STATUTES, self._articles()), (PRECEDENTS, self._decisions())):
            if name in self._touched:
                write_rows(self.folder, name, rows)
        self._touched = set()

    def put(self, name: str, rows: list[Row]) -> None:
        """A file that comes as a whole: it is written at once, where it is another than before."""
        if {tuple(row.items()) for row in rows} != {tuple(row.items()) for row in read_rows(self.folder, name)}:
            write_rows(self.folder, name, rows)

    def table(self) -> Table:
        table = Table("records", *COLUMNS, title=str(self.folder))
        for name, counts in self.counts.items():
            table.add_row(name, *(f"{counts[column]:,}" for column in COLUMNS))
        return table

    def _articles(self) -> Iterator[Row]:
        return (row for articles in self.laws.values() for row in articles.values())

    def _decisions(self) -> Iterator[Row]:
        return iter(self.precedents.values())

    def _versions(self) -> Iterator[Row]:
        return (row for rows in self.versions.values() for row in rows)


def _edition(row: Row) -> Edition:
    return row["promulgated_date"], int(row["mst"]) if row["mst"].isdecimal() else 0
