"""Pairs of the statute book itself, and how people would put them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.everyday_words import EVERYDAY
from app.retrieval.store import DocumentStore, PassageStore
from tests.fakes import statute, write_corpus
from training.article_pairs import ASKING, Plain, article_pairs, sentences_of, spoken
from training.pairs import CorpusView, Row

GRANT = (
    "농지를 전용하려는 자는 대통령령으로 정하는 바에 따라 농림축산식품부장관의 허가를 받아야 한다. "
    "허가를 받지 아니하고 전용한 자는 이를 원상으로 회복하여야 한다."
)
CARRIES = (
    "① 법 제34조제1항에 따라 농지전용의 허가를 받으려는 자는 신청서를 시장ㆍ군수에게 제출하여야 한다.\n"
    "② 신청서에는 사업계획서를 첨부하여야 한다고 규정한다."
)
MEANS = '이 법에서 사용하는 용어의 뜻은 다음과 같다.\n1. "농지"란 전ㆍ답 또는 과수원으로 쓰이는 토지를 말한다고 한다.'


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusView:
    documents = [
        statute("000001", "농지법", "제2조", "정의", MEANS),
        statute("000001", "농지법", "제34조", "농지의 전용허가", GRANT),
        statute("000002", "농지법 시행령", "제32조", "농지전용허가의 신청", CARRIES),
    ]
    write_corpus(tmp_path, documents)
    return CorpusView(DocumentStore(tmp_path / "documents.arrow"), PassageStore(tmp_path / "passages.arrow"))


def rows(corpus: CorpusView, plain: float = 0.0) -> list[Row]:
    return list(article_pairs(corpus, np.random.default_rng(0), 2, plain))


def test_every_source_gives_rows(corpus: CorpusView) -> None:
    counts = Counter(row["source"] for row in rows(corpus))
    assert counts["title_article"] == 3
    assert counts["definition_article"] == 1
    assert counts["decree_article"] == 2
    assert counts["sentence_article"] >= 2


def test_a_sentence_is_not_left_in_its_article(corpus: CorpusView) -> None:
    for row in rows(corpus):
        if row["source"] == "sentence_article":
            assert row["query"] not in row["pos"][0]


def test_decree_and_act_lead_to_each_other_without_the_number(corpus: CorpusView) -> None:
    found = {row["key"]: row["query"] for row in rows(corpus) if row["source"] == "decree_article"}
    assert set(found) == {"000001-0034", "000002-0032"}
    assert not any("제34조" in query for query in found.values())


def test_the_same_seed_gives_the_same_rows(corpus: CorpusView) -> None:
    assert rows(corpus, 0.5) == rows(corpus, 0.5)


@given(st.text(max_size=60), st.integers(0, 99))
def test_no_share_changes_nothing_and_a_whole_one_asks_or_says(text: str, seed: int) -> None:
    assert Plain(np.random.default_rng(seed), 0.0)(text) == text
    assert isinstance(Plain(np.random.default_rng(seed), 1.0)(text), str)


def test_legal_terms_become_everyday_words() -> None:
    words = spoken(EVERYDAY)
    said = {Plain(np.random.default_rng(seed), 1.0)("임대인의 의무") for seed in range(40)}
    assert any(word in text for text in said for word in words["임대인"])
    assert all(template.count("{}") == 1 for template in ASKING)


def test_short_pieces_are_no_sentences() -> None:
    assert sentences_of("짧다.\n이 문장은 스물다섯 글자를 충분히 넘는 온전한 문장이라고 한다.") == [
        "이 문장은 스물다섯 글자를 충분히 넘는 온전한 문장이라고 한다."
    ]
