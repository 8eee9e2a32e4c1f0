"""Records as a source gives them, before they become documents: the contract between sources and the corpus step.

A reader is `read(path) -> Iterator[StatuteArticle | Decision | Broken]`. It yields every record once, in source order,
and a `Broken` for each that cannot be used: nothing is dropped in silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DELETED = re.compile(r"^(?:제\d+조(?:의\d+)?\s*(?:\([^)]*\))?\s*)?삭제\s*(?:[<\[〈].*)?$", re.DOTALL)
"""The text of a deleted article: anchored, for there are live articles about deletion."""


@dataclass(frozen=True, slots=True)
class StatuteArticle:
    """One article of a statute in one version. Dates are ISO."""

    law_id: str
    law: str
    kind: str
    article: str
    title: str
    text: str
    effective_date: str
    promulgated_date: str = ""
    mst: str = ""
    deleted: bool = False
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """One court decision. `decision_date` is ISO, or "" where the source leaves it blank."""

    precedent_id: str
    case_no: str
    case_name: str
    court: str
    court_level: str
    case_type: str
    decision_date: str
    issues: str = ""
    holdings: str = ""
    cited_statutes: str = ""
    cited_precedents: str = ""
    sample: bool = False


@dataclass(frozen=True, slots=True)
class ArticleVersion:
    """One version of an article: in force from `effective_from` until the day before `effective_to`, "" if open."""

    law_id: str
    law: str
    article: str
    title: str
    text: str
    effective_from: str
    effective_to: str
    deleted: bool = False

    @property
    def ever_in_force(self) -> bool:
        return not self.effective_to or self.effective_from < self.effective_to


@dataclass(frozen=True, slots=True)
class Broken:
    """A record that cannot be used: where it stands, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A law or a decision that a source has no more; only a source that tells its changes says so."""

    law_id: str = ""
    precedent_id: str = ""


Record = StatuteArticle | Decision | Broken
