"""Questions as people ask them (app.law.questions) → question_article: a question → each article named as its answer"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app.law.questions import questions
from training.article_pairs import Row, inline, live_articles

if TYPE_CHECKING:
    from training.pairs import CorpusView


def question_pairs(corpus: CorpusView, folder: Path, copies: int) -> Iterator[Row]:
    """Each question with the nearest passage of each of its articles, all of them `copies` times over.

    Articles that the corpus does not have are counted and left out. Raises RecordError as `questions` does.
    """
    rows = _by_citation(corpus)
    named = [(one.question, citation) for one in questions(folder) for citation in one.articles]
    pairs = [_pair(corpus, question, rows[citation]) for question, citation in named if citation in rows]
    print(f"questions: {len(pairs):,} pairs, {len(named) - len(pairs):,} articles not in this corpus", flush=True)
    for _ in range(copies):
        yield from pairs


def _pair(corpus: CorpusView, question: str, row: int) -> Row:
    text = corpus.passages.text(corpus.nearest_passage(question, row))
    return inline(question, text, "question_article", corpus.doc_id(row))


def _by_citation(corpus: CorpusView) -> dict[str, int]:
    """The row of each article's citation, the newest of those that share one."""
    citations, dates = corpus.documents.column("citation"), corpus.documents.column("date")
    return {str(citations[row]): row for row in sorted(live_articles(corpus), key=lambda row: str(dates[row]))}
