"""The versions of a law's articles in time, as they become known: what changes with one version of the law.

A version is in force from `effective_from` until `effective_to` ("": it is the newest known), that day not included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from training.record_files import Row


def accumulate(known: Sequence[Row], old: Mapping[str, Row], new: Mapping[str, Row]) -> list[Row]:
    """`known` versions of a law when its articles `old` (by article) are replaced by those of a later version, `new`.

    A law of which nothing was known begins with `old`. An article that is gone ends on the day of the new version,
    which is the effective date of most of its articles.
    """
    by_article: dict[str, list[Row]] = {}
    for row in sorted(known or map(version, old.values()), key=lambda row: row["effective_from"]):
        by_article.setdefault(row["article"], []).append(row)
    day = _usual_day(new.values())
    for article in old:
        if article not in new and day:
            by_article[article] = close(by_article.get(article, []), day)
    for article, row in new.items():
        if row["effective_date"]:
            by_article[article] = insert(by_article.get(article, []), version(row))
    return [row for rows in by_article.values() for row in rows]


def version(row: Row) -> Row:
    """The version that begins with an article as a law has it."""
    return {
        "law_id": row["law_id"], "law": row["law"], "article": row["article"], "title": row["title"],
        "text": row["text"], "effective_from": row["effective_date"], "effective_to": "",
    }  # fmt: skip


def insert(rows: list[Row], new: Row) -> list[Row]:
    """The versions of one article with a further one, each in force until the next; the same text begins no version."""
    day = new["effective_from"]
    before = [row for row in rows if row["effective_from"] < day]
    after = [row for row in rows if row["effective_from"] > day]
    if before and before[-1]["text"] == new["text"] and _open(before[-1], day):
        return rows
    new = {**new, "effective_to": after[0]["effective_from"] if after else ""}
    return [*close(before, day), new, *after]


def close(rows: list[Row], day: str) -> list[Row]:
    """The versions of one article, where none goes on after `day` but those that begin then."""
    return [{**row, "effective_to": day} if row["effective_from"] < day and _open(row, day) else row for row in rows]


def _open(row: Row, day: str) -> bool:
    return not row["effective_to"] or row["effective_to"] > day


def _usual_day(rows: Iterable[Row]) -> str:
    days = Counter(row["effective_date"] for row in rows if row["effective_date"])
    return min(days, key=lambda day: (-days[day], day), default="")
