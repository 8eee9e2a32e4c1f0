"""Questions as people ask them, with the articles that answer each: app/law/asked/*.jsonl, written for this project.

JSON lines, {"question": "…", "articles": ["식품위생법 시행령 제25조", …]}. Most words that people use for a matter
stand in no statute: what is known of one question serves those like it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import RecordError

WRITTEN = Path(__file__).parent / "asked"


class Question(BaseModel):
    """A line of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str = Field(min_length=2)
    articles: tuple[str, ...] = Field(min_length=1)
    """Citations as documents bear them."""


def questions(folder: Path = WRITTEN) -> Iterator[Question]:
    """Those of all *.jsonl in name order. Raises RecordError for a folder without any, and for a line that is none."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise RecordError(f"{folder} holds no *.jsonl of questions; name another folder")
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                yield Question.model_validate_json(line)
            except ValidationError as error:
                raise RecordError(f"{file}:{number} is no question with its articles: {_why(error)}") from error


def _why(error: ValidationError) -> str:
    first: Any = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
