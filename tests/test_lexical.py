from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import IndexCorrupt
from app.retrieval import lexical as module
from app.retrieval.lexical import HEADING, K1, B, LexicalIndex, terms, weighted
from app.retrieval.types import Candidates

TEXTS = [
    "고의 또는 과실로 인한 위법행위로 타인에게 손해를 가한 자는 그 손해를 배상할 책임이 있다.",
    "공연히 사실을 적시하여 사람의 명예를 훼손한 자",
    "협의상 이혼한 자의 일방은 다른 일방에 대하여 재산분할을 청구할 수 있다.",
    "",
    "손해배상의 범위",
    "시ㆍ군ㆍ구의 조례 제3조",
]
KOREAN = st.text(alphabet="가나다라 .ab1ㆍ\n", max_size=12)


def words(text: str) -> list[str]:
    """The definition of the terms, in plain Python."""
    folded = "".join(char.lower() for char in text if char not in module.MARKS)
    cut = "".join(char if char.isalpha() or char.isdecimal() else " " for char in folded).split()
    return [word[i : i + 2] for word in cut for i in range(max(1, len(word) - 1))]


def spelt(text: str) -> list[str]:
    return [chr(term >> 16) + (chr(term & 0xFFFF) if term & 0xFFFF else "") for term in terms(text).tolist()]


def listed(found: Candidates) -> list[int]:
    return [int(passage) for passage in found.ids]


@given(KOREAN)
def test_terms_are_the_bigrams_of_words(text: str) -> None:
    assert spelt(text) == words(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("손해를", ["손해", "해를"]),
        ("제750조", ["제7", "75", "50", "0조"]),
        ("시ㆍ군·구", ["시군", "군구"]),
        ("「민법」 上", ["민법", "上"]),
        ("ＡＢ１ Ab1", ["ab", "b1", "ab", "b1"]),
        ("가", ["가"]),
        ("\u1112\u1161\u11ab", ["한"]),
        (" .,()①", []),
    ],
)
def test_terms_by_example(text: str, expected: list[str]) -> None:
    assert spelt(text) == expected


def test_characters_beyond_the_basic_plane_are_terms() -> None:
    assert len(terms("𠀀𠀁")) == 1
    assert terms("𠀀𠀁").tolist() != terms("𠀀𠀂").tolist()


def formula(texts: list[str], query: str) -> list[float]:
    """The formula of the module, term by term."""
    counts = [Counter(words(text)) for text in texts]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(lengths) or 1
    scores = []
    for count, length in zip(counts, lengths, strict=True):
        score = 0.0
        for term in words(query):
            frequency = sum(term in other for other in counts)
            idf = math.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
            score += idf * count[term] / (count[term] + K1 * (1 - B + B * length / mean)) if count[term] else 0
        scores.append(score)
    return scores


@given(st.lists(KOREAN, min_size=1, max_size=8), KOREAN)
def test_scores_are_the_formula(texts: list[str], query: str) -> None:
    np.testing.assert_allclose(LexicalIndex.build(texts).scores(query), formula(texts, query), rtol=1e-4, atol=1e-6)


def test_one_score_as_a_golden_number() -> None:
    index = LexicalIndex.build(["가나", "가다", "라마바"])
    assert index.scores("가나")[0] == pytest.approx(math.log(1 + 2.5 / 1.5) / (1 + 1.5 * (0.25 + 0.75 / (4 / 3))))
    assert index.attainable("가나 하하") == pytest.approx(math.log(1 + 2.5 / 1.5) + math.log(1 + 3.5 / 0.5))


def test_scores_are_those_of_bm25s() -> None:
    texts = [text for text in TEXTS * 3 if text]
    index = LexicalIndex.build(texts)
    vocabulary = {term: number for number, term in enumerate(index.terms.tolist())}
    corpus = [[vocabulary[term] for term in terms(text).tolist()] for text in texts]
    peer = bm25s.BM25(k1=K1, b=B, method="lucene")
    peer.index((corpus, vocabulary), show_progress=False, create_empty_token=False)
    for query in ("손해를 배상할 책임", "명예를 훼손한 자 손해 손해", "자"):
        asked = [vocabulary[term] for term in terms(query).tolist() if term in vocabulary]
        np.testing.assert_allclose(index.scores(query), peer.get_scores_from_ids(asked), rtol=1e-5)


@given(st.lists(KOREAN, max_size=9))
def test_blocks_make_no_difference(texts: list[str]) -> None:
    whole = LexicalIndex.build(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 2)
        parts = LexicalIndex.build(iter(texts))
    for name in ("terms", "offsets", "passages", "impacts"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    assert len(whole) == len(parts) == len(texts)


def test_words_are_found_under_their_particles() -> None:
    index = LexicalIndex.build(TEXTS)
    assert set(listed(index.search("손해가", 10))) == {0, 4}
    assert listed(index.search("시군구", 10))[0] == 5
    assert listed(index.search("명예훼손", 10)) == [1]


def test_what_matches_nothing_is_not_returned() -> None:
    index = LexicalIndex.build(TEXTS)
    assert listed(index.search("zzzz", 10)) == []
    assert listed(index.search("", 10)) == []
    assert listed(LexicalIndex.build([]).search("손해", 10)) == []


@given(st.lists(KOREAN, min_size=1, max_size=9), KOREAN, st.integers(1, 9), st.data())
def test_the_best_come_first_among_the_allowed(texts: list[str], query: str, depth: int, data: st.DataObject) -> None:
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    index = LexicalIndex.build(texts)
    scores = index.scores(query)
    found = index.search(query, depth, allowed)
    ranked = sorted((i for i in range(len(texts)) if allowed[i] and scores[i] > 0), key=lambda i: (-scores[i], i))
    assert listed(found) == ranked[:depth]
    assert found.scores.tolist() == [scores[i] for i in found.ids]


@given(st.lists(KOREAN, min_size=1, max_size=6), KOREAN)
def test_no_score_exceeds_the_attainable(texts: list[str], query: str) -> None:
    index = LexicalIndex.build(texts)
    assert index.scores(query).max() <= index.attainable(query) + 1e-5


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    built = LexicalIndex.build(TEXTS)
    built.save(tmp_path / "lexical")
    loaded = LexicalIndex.load(tmp_path / "lexical")
    assert isinstance(loaded.impacts, np.memmap)
    assert len(loaded) == len(TEXTS)
    for query in ("손해를 배상", "재산분할", "zz"):
        np.testing.assert_array_equal(loaded.scores(query), built.scores(query))


def test_a_posting_of_a_passage_that_is_not_there_is_told(tmp_path: Path) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path)
    passages = np.load(tmp_path / "passages.npy")
    np.save(tmp_path / "passages.npy", np.full_like(passages, len(TEXTS)))
    with pytest.raises(IndexError, match="out of range"):
        LexicalIndex.load(tmp_path).scores(TEXTS[0])


@pytest.mark.parametrize("name", ["terms.npy", "offsets.npy", "passages.npy", "impacts.npy", "lexical.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "other"])
def test_a_broken_file_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    LexicalIndex.build(TEXTS).save(tmp_path)
    if damage == "missing":
        (tmp_path / name).unlink()
    elif damage == "empty":
        (tmp_path / name).write_bytes(b"")
    elif name.endswith("npy"):
        np.save(tmp_path / name, np.arange(3, dtype=np.int32))
    else:
        (tmp_path / name).write_text("{}")
    with pytest.raises(IndexCorrupt, match="build the index again"):
        LexicalIndex.load(tmp_path)


# headings


@pytest.mark.parametrize(
    ("passage", "heading"),
    [
        ("민법 제839조의2(재산분할청구권)\n협의상 이혼한 자", "민법 제839조의2(재산분할청구권)"),
        ("주택법 시행령 제1조\n이 영은", "주택법 시행령 제1조"),
        ("민법 제1조(법원(法源))\n민사에 관하여", "민법 제1조(법원(法源))"),
        ("손해배상(기)\n[1] 민법 제750조의 요건", ""),
        ("민법 제750조", ""),
        ("민법 제750조 제1항\n고의", ""),
        ("\n민법 제750조\n고의", ""),
        ("", ""),
    ],
)
def test_an_article_s_heading_counts_three_times(passage: str, heading: str) -> None:
    assert HEADING == 3
    assert weighted(passage) == f"{heading}\n" * (2 if heading else 0) + passage
    counts = Counter(spelt(weighted(passage)))
    assert counts == Counter(spelt(passage)) + Counter(spelt(heading) * 2)


@given(st.text(max_size=30) | st.text("가법 제조의1()\n", max_size=20))
def test_weighted_keeps_the_passage_and_repeats_its_first_line_or_nothing(text: str) -> None:
    more = weighted(text).removesuffix(text)
    assert weighted(text) == more + text
    assert more in ("", (text.partition("\n")[0] + "\n") * (HEADING - 1))


def test_a_word_of_the_heading_weighs_as_three_of_the_text() -> None:
    """In texts of one length: tf / (tf + k1)."""
    texts = ["민법 제1조(신의성실)\n권리의 행사와 의무의 이행", "민법 제2조(행사와 이행)\n권리와 의무는 신의성실"]
    plain, raised = (LexicalIndex.build(made).scores("신의성실") for made in (texts, map(weighted, texts)))
    assert (raised / plain).tolist() == pytest.approx([(3 / (3 + K1)) / (1 / (1 + K1)), 1])
