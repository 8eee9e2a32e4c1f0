"""A question as people ask it stands for the articles that answer it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.retrieval.store import DocumentStore, PassageStore
from tests.fakes import statute, write_corpus
from training.pairs import CorpusView, Row
from training.question_pairs import question_pairs

ASKED: Row = {"question": "집 보일러가 고장났는데 누가 고쳐요?", "articles": ["민법 제623조", "없는법 제1조"]}


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusView:
    duty = "임대인은 목적물을 임차인에게 인도하고 계약이 존속하는 동안 그 사용에 필요한 상태를 유지할 의무를 진다."
    old = statute("001706", "민법", "제623조", "옛 조문", "옛 글.", doc_id="000001-0623", date="1958-02-22")
    write_corpus(tmp_path, [statute("001706", "민법", "제623조", "임대인의 의무", duty), old])
    return CorpusView(DocumentStore(tmp_path / "documents.arrow"), PassageStore(tmp_path / "passages.arrow"))


def folder(path: Path, *rows: Row | str) -> Path:
    path.mkdir()
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (path / "some.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_question_leads_to_its_articles_as_often_as_asked_for(corpus: CorpusView, tmp_path: Path) -> None:
    rows = list(question_pairs(corpus, folder(tmp_path / "q", ASKED), 3))
    assert len(rows) == 3
    assert {(row["query"], row["source"], row["key"]) for row in rows} == {
        (ASKED["question"], "question_article", "001706-0623")
    }
    assert "임대인은 목적물을" in rows[0]["pos"][0], "the newest of the articles that share the citation"
