"""A judgment's sentence stands for the article that it cites, without saying which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
import zstandard

from app.retrieval.filters import FilterColumns
from app.retrieval.store import DocumentStore, PassageStore
from tests.fakes import statute, write_corpus
from training.judgment_pairs import judgment_pairs, sentence_around
from training.pairs import CorpusView, FrequencyCap, Row

DUTY = "임대인은 목적물을 임차인에게 인도하고 계약이 존속하는 동안 그 사용에 필요한 상태를 유지할 의무를 진다."
TEXT = (
    "1. 사실관계\n원고는 건물을 빌렸다. 임대인은 목적물을 임차인에게 인도하고 계약이 존속하는 동안 사용에 "
    "필요한 상태를 유지할 의무를 부담한다(민법 제623조). 따라서 피고의 주장은 이유 없다."
)


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusView:
    write_corpus(tmp_path, [statute("001706", "민법", "제623조", "임대인의 의무", DUTY)])
    return CorpusView(DocumentStore(tmp_path / "documents.arrow"), PassageStore(tmp_path / "passages.arrow"))


def rows(corpus: CorpusView, path: Path, *judgments: Row, forbidden: frozenset[str] = frozenset()) -> list[Row]:
    path.write_bytes(zstandard.compress(b"\n".join(orjson.dumps(one) for one in judgments)))
    reader = FilterColumns(corpus.documents).citation_reader()
    cap = FrequencyCap(10, np.random.default_rng(0))
    return list(judgment_pairs(corpus, reader, [str(path)], "2022-01-01", forbidden, cap))


def judgment(number: str = "1", day: str = "2010-01-01", text: str = TEXT) -> Row:
    return {"precedent_id": number, "decision_date": day, "text": text}


def test_the_sentence_is_the_query_and_the_citation_is_gone(corpus: CorpusView, tmp_path: Path) -> None:
    (row,) = rows(corpus, tmp_path / "j.jsonl.zst", judgment())
    assert row["source"] == "judgment_article"
    assert row["key"] == "001706-0623"
    assert row["query_id"] == "p1"
    assert row["query"].startswith("임대인은 목적물을")
    assert "623" not in row["query"]
    assert "민법" not in row["query"]
    assert "원고는" not in row["query"]
    assert DUTY in row["pos"][0]


def test_late_undated_and_dev_decisions_are_left_out(corpus: CorpusView, tmp_path: Path) -> None:
    late, undated, own = judgment("2", "2022-03-01"), judgment("3", ""), judgment("4")
    assert rows(corpus, tmp_path / "j.jsonl.zst", late, undated, own, forbidden=frozenset({"p4"})) == []


def test_a_sentence_about_something_else_is_left_out(corpus: CorpusView, tmp_path: Path) -> None:
    other = "피고인은 술을 마시고 자동차를 운전하다가 사람을 치어 다치게 하고 달아났다(민법 제623조)."
    assert rows(corpus, tmp_path / "j.jsonl.zst", judgment(text=other)) == []


def test_a_span_without_a_sentence_end_is_cut_by_its_reach() -> None:
    text = "가" * 1000
    assert len(sentence_around(text, (500, 510), [])) <= 2 * 220 + 10
