"""A track → its strata: the sets of queries over which means are taken beside `all`

    strict, named                             whether the query names no statute, or one: articles
    never seen, seen 1-5, seen 6-50, seen > 50
                                              training rows of the relevant article that has fewest: articles; the
                                              first of them for citizens too
    act, decree, rule                         lowest rank of law among the relevant articles: articles, citizens
    < 60 chars, 60-150 chars, > 150 chars     length of the query: articles, precedents
    part a, part b, …                         what a part of the set was used for (its README): citizens
    민사, 형사, …                             case type of its decision, from 30 queries on: articles, precedents

Of one line a query is in one stratum at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.law.names import FORERUNNERS
from app.retrieval.store import DocumentStore
from training.dev import DevQuery
from training.tracks import Track

Strata = Mapping[str, tuple[str, ...]]
"""Stratum → query ids, in the order of the track: resamples of two systems are then of the same queries."""

LEAST = 30
"""Queries that a case type needs to be a stratum."""
UNSEEN = "never seen"
RARITIES = ((0, UNSEEN), (5, "seen 1-5"), (50, "seen 6-50"))
COMMON = "seen > 50"
LENGTHS = ((59, "< 60 chars"), (150, "60-150 chars"))
LONG = "> 150 chars"
LEVELS = ("act", "decree", "rule")
ORDER = (
    "all", "strict", "named", *(name for _, name in RARITIES), COMMON, *LEVELS, *(name for _, name in LENGTHS), LONG,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Articles:
    """What is known of articles, by citation."""

    levels: Mapping[str, str]
    """act, decree or rule."""
    trained: Mapping[str, int] | None
    """Training rows of those that have any; None where nobody kept them."""

    @classmethod
    def of(cls, documents: DocumentStore, counts: Mapping[str, int]) -> Articles:
        """`counts` holds training rows by doc_id; without any, rarity is not known."""
        levels: dict[str, str] = {}
        trained: dict[str, int] = {}
        columns = (documents.column(name) for name in ("kind", "citation", "law_kind", "doc_id"))
        for kind, citation, law_kind, doc_id in zip(*columns, strict=True):
            if kind != "statute":
                continue
            if citation not in levels or law_kind not in FORERUNNERS:
                levels[citation] = level(law_kind)
            if doc_id in counts:
                trained[citation] = trained.get(citation, 0) + counts[doc_id]
        return cls(levels, trained if counts else None)

    def rarity(self, query: DevQuery) -> str | None:
        if self.trained is None:
            return None
        fewest = min(self.trained.get(citation, 0) for citation in query.relevant)
        return next((name for most, name in RARITIES if fewest <= most), COMMON)

    def lowest(self, query: DevQuery) -> str | None:
        """None where the corpus holds none of the relevant articles."""
        found = {self.levels[citation] for citation in query.relevant if citation in self.levels}
        return max(found, key=LEVELS.index, default=None)


def level(law_kind: str) -> str:
    """The rank of a law by its kind: the constitution, acts and what stood in their place; presidential decrees; rules
    of ministers, courts and commissions."""
    if law_kind in ("대통령령", "각령"):
        return "decree"
    acts = law_kind in ("", "헌법", "대통령긴급명령", *FORERUNNERS) or law_kind.endswith("법률")
    return "act" if acts else "rule"


def strata(part: Track, articles: Articles) -> dict[str, tuple[str, ...]]:
    """In the order of ORDER, then the case types, the largest first; empty ones are left out."""
    members: dict[str, list[str]] = {}
    for query in part.queries:
        for name in filter(None, ("all", *_labels(part, query, articles))):
            members.setdefault(name, []).append(query.query_id)
    known = [name for name in ORDER if name in members]
    types = sorted(members.keys() - {*ORDER}, key=lambda name: (-len(members[name]), name))
    kept = [*known, *(name for name in types if len(members[name]) >= LEAST)]
    return {name: tuple(members[name]) for name in kept}


def _labels(part: Track, query: DevQuery, articles: Articles) -> Iterator[str | None]:
    row = part.rows[query.query_id]
    if part.name == "articles":
        yield "named" if row.get("names_statute") else "strict"
    if query.kind == "statute":
        yield articles.lowest(query)
        rarity = articles.rarity(query)
        yield rarity if part.name == "articles" or rarity == UNSEEN else None
    if part.name == "citizens" and "part" in row:
        yield f"part {row['part']}"
    if part.name != "citizens":
        yield next((name for most, name in LENGTHS if len(query.text) <= most), LONG)
        yield row.get("case_type")
