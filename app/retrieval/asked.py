"""Questions that are answered already: what is asked now, if it is like one of them, leads to the same articles.

The ten questions most like the query, by BM25 over character bigrams with the law's words for everyday ones added,
speak for their articles:

    score    = fused + asked_weight · believed · ln(1 + 3 · votes)
    votes    = Σ over the questions that name the article of exp((their share − the best) / SPREAD)
    believed = sigmoid((the best share / the best share of an article − RATIO) / WIDTH)

A share is a BM25 score over the most that the query could reach. Courts' issues have their words in articles and in no
question; what is asked about a matter that no question is about has more of its words in an article than in any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.law.everyday import legal_terms
from app.law.questions import Question
from app.retrieval.filters import FilterColumns
from app.retrieval.fusion import Folder, squashed
from app.retrieval.lexical import LexicalIndex

MOST = 10
"""Questions that speak."""
SPREAD = 0.02
"""Share by which a question must fall short of the best to count e times less."""
RATIO = 0.85
"""Best share of a question over the best share of an article at which the questions are half believed. Chosen, as
WIDTH, on dev, benchmarks/citizen and benchmarks/agency."""
WIDTH = 0.15


@dataclass(frozen=True, slots=True)
class Answers:
    """What the questions like a query say, by document row."""

    votes: Mapping[int, float] = field(default_factory=dict)
    """From 0 to MOST; the most like question counts 1."""
    questions: Mapping[int, str] = field(default_factory=dict)
    """The one most like the query of those that name the article."""
    share: float = 0.0
    """Of the attainable BM25, that the most like question reaches."""

    def believed(self, covered: float) -> float:
        """0 to 1: how far they are more like the query than an article is whose text reaches a share of `covered`."""
        away = (self.share - RATIO * covered) / (WIDTH * max(covered, 1e-9))
        return squashed(away) if self.votes else 0.0


class Asked:
    """The questions whose articles a corpus holds. Safe from any number of threads."""

    def __init__(self, questions: Iterable[Question], rows: Mapping[str, int]) -> None:
        """`rows` gives the document of a citation."""
        known = [(one.question, [rows[a] for a in one.articles if a in rows]) for one in questions]
        self.questions = [text for text, answers in known if answers]
        self.answers = [answers for _, answers in known if answers]
        self._lexical = LexicalIndex.build(" ".join((text, *legal_terms(text))) for text in self.questions)

    def __call__(self, sought: str) -> Answers:
        """What a query leads to, its own everyday words bridged (Understood.sought)."""
        found = self._lexical.search(sought, MOST)
        if not len(found.ids):
            return Answers()
        shares = found.scores.astype(np.float64) / self._lexical.attainable(sought)
        votes, nearest = dict[int, float](), dict[int, str]()
        for number, weight in zip(found.ids.tolist(), np.exp((shares - shares[0]) / SPREAD).tolist(), strict=True):
            for row in self.answers[number]:
                votes[row] = votes.get(row, 0.0) + weight
                nearest.setdefault(row, self.questions[number])
        return Answers(votes, nearest, float(shares[0]))


def rows_of(questions: Sequence[Question], columns: FilterColumns, folder: Folder) -> dict[str, int]:
    """The document of each citation that a question names, as far as the corpus has it."""
    wanted = {citation for one in questions for citation in one.articles}
    found: dict[str, list[int]] = {}
    for row, citation in columns.documents.having("citation", wanted):
        found.setdefault(citation, []).append(row)
    return {citation: folder.preferred(rows) for citation, rows in found.items()}
