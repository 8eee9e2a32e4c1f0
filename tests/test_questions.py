"""Questions with their articles: what is refused, and what those of this project keep to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from app.errors import RecordError
from app.law.questions import questions
from app.law.text import match_key

ASKED = '{"question": "집 보일러가 고장났는데 누가 고쳐요?", "articles": ["민법 제623조"]}'


def folder(path: Path, *lines: str) -> Path:
    path.mkdir()
    (path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("{", "Invalid JSON"), ('{"question": "왜요", "articles": []}', "articles"), ('{"question": "왜요"}', "articles")],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, wrong: str) -> None:
    with pytest.raises(RecordError, match=rf"some\.jsonl:2 is no question with its articles: .*{wrong}"):
        list(questions(folder(tmp_path / "q", ASKED, line)))


def test_a_folder_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"holds no \*\.jsonl of questions; name another folder"):
        list(questions(tmp_path))


# those that were written for this project


def bigrams(text: str) -> set[str]:
    key = match_key(text)
    return {key[at : at + 2] for at in range(len(key) - 1)}


def law_of(citation: str) -> str:
    """The Act's name, of its decree's and rule's articles too."""
    return re.sub(r"( 시행령| 시행규칙)? 제[0-9]+조(의[0-9]+)?$", "", citation)


def test_known_questions_leave_a_law_alone_of_each_question_to_agencies() -> None:
    named = {law_of(article) for one in questions() for article in one.articles}
    laws: dict[str, set[str]] = {}
    for line in Path("benchmarks/agency/qrels.articles.tsv").read_text().splitlines():
        query_id, _, article, _ = line.split("\t")
        laws.setdefault(query_id, set()).add(law_of(article))
    assert len(laws) == 250
    assert all(own - named for own in laws.values())


@pytest.mark.parametrize("folder", ["citizen", "agency", "blind"])
def test_no_question_that_is_known_is_one_that_is_measured(folder: str) -> None:
    rows = Path("benchmarks", folder, "queries.jsonl").read_text().splitlines()
    measured = [bigrams(json.loads(row)["text"]) for row in rows]
    for one in questions():
        own = bigrams(one.question)
        assert max(len(own & other) / len(own | other) for other in measured) < 0.35, one.question


def test_each_is_asked_once() -> None:
    every = [match_key(one.question) for one in questions()]
    assert len(set(every)) == len(every)
