"""Questions as people ask them → question_article: a question → each article named as its answer

The files are JSON lines, {"question": "…", "articles": ["citation", …]}: those of training/questions, written for this
project, or somebody's own log of questions and answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import RecordError
from training.article_pairs import Row, inline, live_articles

if TYPE_CHECKING:
    from training.pairs import CorpusView


class Question(BaseModel):
    """A line of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=2)
    articles: tuple[str, ...] = Field(min_length=1)
    """Citations as documents bear them: 식품위생법 시행령 제25조."""


def questions(folder: Path) -> Iterator[Question]:
    """Of all *.jsonl in name order. Raises RecordError for a folder without any, and for a line that is none."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise RecordError(f"pairs.questions: {folder} holds no *.jsonl; name a folder of questions, or leave it out")
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                yield Question.model_validate_json(line)
            except ValidationError as error:
                raise RecordError(f"{file}:{number} is no question with its articles: {_why(error)}") from error


def _why(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))


def question_pairs(corpus: CorpusView, folder: Path, copies: int) -> Iterator[Row]:
    """Each question with the nearest passage of each of its articles, all of them `copies` times over.

    Articles that the corpus does not have are counted and left out.
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
