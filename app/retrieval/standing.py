"""How an article stands on a day: the text that was law then, and what is said of it.

Today's search shows what is in force today; `as_of` shows what was in force then. An article whose history is not known
on that day is shown in its newest text, and said to be: `history` is "unknown".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from app.law.documents import Document
from app.retrieval.results import metadata
from app.retrieval.types import Result
from app.retrieval.versions import Version, VersionStore, at


def history(document: Document, versions: VersionStore | None, as_of: date | None = None) -> tuple[Version, ...]:
    """The versions of an article; none where they are not known, or not on `as_of`."""
    if versions is None or document.kind != "statute":
        return ()
    if as_of is not None and not versions.covers(document.law_id, as_of):
        return ()
    return versions.of(document.doc_id)


def standing(
    document: Document, versions: VersionStore | None, today: date, as_of: date | None = None
) -> tuple[Document, dict[str, Any]]:
    """The document with the title and text of `as_of`, by default of today, and its metadata.

    An article that was not law on that day keeps its newest text.
    """
    facts = metadata(document, as_of or today)
    if document.kind != "statute":
        return document, facts
    known = history(document, versions, as_of)
    if not known:
        return document, {**facts, "history": "unknown"}
    facts["history"] = "known"
    coming = next((version.effective_from for version in known if version.effective_from > today.isoformat()), "")
    if coming:
        facts["next_effective"] = coming
    version = at(known, as_of or today)
    if version is None or (version.deleted and not as_of):
        # A deletion leaves nothing to show but the document itself, which is newer, or is that deletion.
        return document, {**facts, "status": "not_yet"} if coming and not document.deleted else facts
    facts |= {"effective_from": version.effective_from, "effective_to": version.effective_to}
    return replace(document, title=version.title, text=version.text), {**facts, "status": version.status(today)}


def notes(results: Sequence[Result], as_of: date | None) -> tuple[str, ...]:
    """What is to be said of results whose text on `as_of` is not known."""
    if as_of is None:
        return ()
    day = as_of.isoformat()
    unsure = sum(newer_than_known(result.metadata, day) for result in results)
    if not unsure:
        return ()
    which = "1 of the results is of a law" if unsure == 1 else f"{unsure} of the results are of laws"
    return (f"as_of {day}: {which} whose history on that day is not in this index; the newest text is shown",)


def newer_than_known(facts: dict[str, Any], day: str) -> bool:
    """Whether a text is shown that took effect after `day`, for want of the one before."""
    return facts.get("history") == "unknown" and facts["effective_date"] > day
