"""documents.arrow [+ versions.arrow] → the citation graph: every citation of the corpus read and resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from app.law.delegation import definitions, delegations, grants
from app.law.documents import Document, Kind
from app.law.graph import Articles, Cases, Edge, decision_edges, full_revisions
from app.law.history import History
from app.law.names import LawNames
from app.law.text import match_key
from app.retrieval.filters import FilterColumns
from app.retrieval.graph import Graph
from app.retrieval.store import DocumentStore
from app.retrieval.versions import VersionStore

REQUIRED = ("doc_id", "kind", "citation", "title", "text")
"""The fields without which there is no Document; those not read are empty."""
CASE = ("doc_id", "case_no", "court", "date")
DECISION = ("doc_id", "date", "case_no", "cited_statutes", "cited_precedents")
TEXT = ("doc_id", "text", "law", "deleted")
TITLE = ("doc_id", "title", "law_id", "article", "deleted")
LAW = ("doc_id", "law_id")


def build(documents: DocumentStore, versions: VersionStore | None) -> Graph:
    """The graph of a corpus. The same corpus gives the same bytes."""
    rows = {doc_id: row for row, doc_id in enumerate(documents.table.column("doc_id").to_pylist())}
    names = FilterColumns(documents).names
    edges = _edges(documents, names, rows, versions)
    return Graph.of(edges, rows, documents.table.column("date").to_pylist())


def _edges(
    documents: DocumentStore, names: LawNames, rows: dict[str, int], versions: VersionStore | None
) -> Iterator[Edge]:
    table = documents.table
    revisions = full_revisions(table.column("cited_statutes").to_pylist())
    articles = Articles(names, rows.__contains__, forerunners(documents, names), revisions, _history(versions))
    cases = Cases((d.doc_id, d.case_no, d.court, d.date) for d in _read(table, "precedent", CASE))
    for decision in _read(table, "precedent", DECISION):
        yield from decision_edges(decision, articles, cases)
    yield from _context(documents, names)


def _context(documents: DocumentStore, names: LawNames) -> Iterator[Edge]:
    """Delegations and definitions."""
    granted = {
        (article.doc_id, level) for article in _read(documents.table, "statute", TEXT) for level in grants(article)
    }
    subordinate = documents.table.filter(pc.match_substring_regex(documents.table.column("law"), "시행(령|규칙)$"))
    yield from delegations(_read(subordinate, "statute", TEXT), granted, names)
    defined = definitions(_read(documents.table, "statute", TITLE))
    for article in _read(documents.table, "statute", LAW):
        if article.law_id in defined:
            yield Edge(article.doc_id, defined[article.law_id], "definition")


def _read(table: pa.Table, kind: Kind, fields: tuple[str, ...]) -> Iterator[Document]:
    """The documents of a kind with some of their fields, a batch in memory at a time."""
    empty = dict.fromkeys(REQUIRED, "")
    for batch in table.select(["kind", *fields]).to_batches():
        for values in batch.filter(pc.equal(batch.column("kind"), kind)).to_pylist():
            yield Document(**{**empty, **values})


def forerunners(documents: DocumentStore, names: LawNames) -> dict[str, Sequence[str]]:
    """law_id of the law that a name means → the ids of the others that bear or bore it, the newest first."""
    laws = documents.table.select(["law", "law_id", "date"]).group_by(["law", "law_id"]).aggregate([("date", "max")])
    newest = sorted(laws.to_pylist(), key=lambda row: (row["date_max"], row["law_id"]), reverse=True)
    found: dict[str, list[str]] = {}
    for row in newest:
        law = names.find(row["law"]) if row["law"] else None
        if law is not None and law.law_id != row["law_id"] and match_key(law.name) == match_key(row["law"]):
            found.setdefault(law.law_id, []).append(row["law_id"])
    return dict(found)


def _history(versions: VersionStore | None) -> History | None:
    return None if versions is None else History(versions.of, versions.begins)
