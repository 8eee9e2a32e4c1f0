"""What stands around a citation: the documents shown after it where a query asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from app.law.resolve import CitationReader, FoundCitation
from app.retrieval.index import Index

ADJACENT = 4
"""Articles beside the one that is cited."""
DECREES = 3


def neighbours(found: Iterable[FoundCitation], index: Index, reader: CitationReader, count: int) -> list[int]:
    """Document rows, each once. Of an article: the articles beside it, those of its decree, and the decisions that cite
    it, the most cited first; of a decision: what it cites, then what cites it; of an article that is not there, the
    nearest that are; of a law alone, its first articles."""
    rows = (row for one in found for row in _around(one, index, reader, count))
    return list(islice(dict.fromkeys(rows), count))


def _around(one: FoundCitation, index: Index, reader: CitationReader, count: int) -> Iterator[int]:
    articles = reader.articles
    ids = [near.doc_id for near in one.nearest]
    if "law" in one.flags and (law := reader.names.find(one.citation)):
        ids += articles.first(law.law_id, count)
    row = index.documents.row(one.doc_id) if one.doc_id else None
    article = row is not None and index.documents.value("kind", row) == "statute"
    if one.doc_id and article:
        ids += articles.near(one.doc_id, ADJACENT)
    yield from (found for doc_id in ids if (found := index.documents.row(doc_id)) is not None)
    if row is not None:
        yield from index.graph.delegations(row)[:DECREES] if article else index.graph.cited(row).tolist()
        citing = index.graph.citing(row)
        yield from citing[np.argsort(-index.graph.cited_by_count[citing], kind="stable")].tolist()
