from __future__ import annotations

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.documents import Document
from app.retrieval.filters import FilterColumns
from app.retrieval.fusion import Folder, Fused, fuse, sureness, with_family
from app.retrieval.store import DocumentStore, write_documents
from app.retrieval.types import Candidates, FusionWeights, Mode, Tuning
from tests.fakes import precedent, statute


def side(scores: dict[int, float]) -> Candidates:
    ranked = sorted(scores, key=lambda i: (-scores[i], i))
    return Candidates(np.array(ranked, dtype=np.int64), np.array([scores[i] for i in ranked], dtype=np.float32))


DENSE, LEXICAL = side({1: 0.9, 2: 0.5, 3: 0.4}), side({2: 8.0, 4: 4.0, 5: 2.0})


def test_fused_is_the_weighted_sum_with_the_lowest_for_what_a_side_missed() -> None:
    fused = fuse(DENSE, LEXICAL, 16.0, "hybrid", Tuning(weights=FusionWeights(0.8, 0.2)))
    expected = {
        1: 0.8 * 0.9 + 0.2 * 2 / 8,
        2: 0.8 * 0.5 + 0.2 * 8 / 8,
        3: 0.8 * 0.4 + 0.2 * 2 / 8,
        4: 0.8 * 0.4 + 0.2 * 4 / 8,
        5: 0.8 * 0.4 + 0.2 * 2 / 8,
    }
    assert fused.ids.tolist() == [1, 2, 4, 3, 5], "ties by id"
    np.testing.assert_allclose(fused.scores, [expected[i] for i in fused.ids.tolist()], rtol=1e-6)
    assert fused.plain[0] == pytest.approx(0.8 * 0.9 + 0.2 * 2 / 16)


def test_scaling_by_the_attainable_makes_both_sums_one() -> None:
    fused = fuse(DENSE, LEXICAL, 16.0, "hybrid", Tuning(lexical_scale="attainable"))
    np.testing.assert_array_equal(fused.scores, fused.plain)


@pytest.mark.parametrize(("mode", "expected"), [("dense", [0.9, 0.5, 0.4]), ("lexical", [1.0, 0.5, 0.25])])
def test_one_side_alone_counts_fully(mode: Mode, expected: list[float]) -> None:
    nothing = side({})
    fused = fuse(DENSE if mode == "dense" else nothing, LEXICAL if mode == "lexical" else nothing, 16.0, mode, Tuning())
    assert fused.scores.tolist() == pytest.approx(expected)


def test_nothing_found_is_nothing_fused() -> None:
    assert len(fuse(side({}), side({}), 0.0, "hybrid", Tuning()).ids) == 0


SCORES = st.dictionaries(st.integers(0, 30), st.floats(0.125, 1, width=32), max_size=12)


@given(SCORES, SCORES)
def test_fusion_holds_the_union_in_order(dense: dict[int, float], lexical: dict[int, float]) -> None:
    fused = fuse(side(dense), side(lexical), 2.0, "hybrid", Tuning())
    assert set(fused.ids.tolist()) == {*dense, *lexical}
    pairs = list(zip((-fused.scores).tolist(), fused.ids.tolist(), strict=True))
    assert pairs == sorted(pairs)


def folder(path: Path, documents: list[Document], owners: list[int]) -> Folder:
    write_documents(path / "documents.arrow", documents)
    return Folder(FilterColumns(DocumentStore(path / "documents.arrow")), np.array(owners, dtype=np.int32))


def ids(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def floats(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_a_document_scores_as_its_best_passage(tmp_path: Path) -> None:
    decisions = [precedent(number, "가", "나") for number in (1, 2, 3)]
    groups = folder(tmp_path, decisions, [0, 0, 1, 1, 2]).fold(ids(0, 1, 2, 4), floats(0.2, 0.9, 0.5, 0.9))
    assert [(group.document, group.positions.tolist()) for group in groups] == [(0, [1, 0]), (2, [3]), (1, [2])]


def test_articles_of_one_citation_are_one_document_the_one_in_force(tmp_path: Path) -> None:
    documents = [
        statute("000001", "특허법", "제1조", "목적", "옛", law_kind="군정법령", date="2025-01-01"),
        statute("000002", "특허법", "제1조", "목적", "앞", date="2001-01-01"),
        statute("000003", "특허법", "제1조", "목적", "지금", date="2020-01-01"),
        statute("000003", "특허법", "제2조", "정의", "지금", date="2020-01-01"),
    ]
    fold = folder(tmp_path, documents, [0, 1, 2, 3]).fold
    groups = fold(ids(0, 1, 2, 3), floats(0.9, 0.8, 0.1, 0.5))
    assert [(group.document, group.positions.tolist()) for group in groups] == [(3, [3]), (2, [2])]
    assert [group.document for group in fold(ids(0, 1), floats(0.9, 0.8))] == [1]
    assert [group.document for group in fold(ids(0), floats(0.9))] == [0], "alone it stays findable"


def test_decisions_of_one_citation_stay_apart(tmp_path: Path) -> None:
    same = [precedent(1, "가", "나", case_no="2019다1"), precedent(2, "가", "나", case_no="2019다1")]
    assert len(folder(tmp_path, same, [0, 1]).fold(ids(0, 1), floats(0.5, 0.4))) == 2


def test_nothing_folds_to_nothing(tmp_path: Path) -> None:
    assert folder(tmp_path, [precedent(1, "가", "나")], [0]).fold(ids(), floats()) == []


# sureness, and laws that vouch for their own


def test_a_sure_encoder_has_its_weights_and_an_unsure_one_the_others() -> None:
    tuning = Tuning(weights=FusionWeights(0.9, 0.1), unsure_weights=FusionWeights(0.3, 0.7), worded_share=9.0)
    for sure, weights in ((1.0, tuning.weights), (0.0, tuning.unsure_weights), (0.5, FusionWeights(0.6, 0.4))):
        wanted = fuse(DENSE, LEXICAL, 16.0, "hybrid", Tuning(weights=weights))
        assert fuse(DENSE, LEXICAL, 16.0, "hybrid", tuning, sure).scores == pytest.approx(wanted.scores, rel=1e-5)


def test_an_unsure_encoder_gives_way_to_words_where_an_article_has_those_of_the_query() -> None:
    tuning = Tuning(unsure_weights=FusionWeights(0.8, 0.2), worded_weights=FusionWeights(0.4, 0.6))
    best = float(LEXICAL.scores[0])
    for share, weights in (
        (0.9, tuning.worded_weights),
        (0.01, tuning.unsure_weights),
        (0.15, FusionWeights(0.6, 0.4)),
    ):
        wanted = fuse(DENSE, LEXICAL, best / share, "hybrid", Tuning(weights=weights))
        found = fuse(DENSE, LEXICAL, best / share, "hybrid", tuning, 0.0)
        assert found.scores == pytest.approx(wanted.scores, abs=2e-2 if share == 0.01 else 1e-5)
        assert fuse(DENSE, LEXICAL, best / share, "hybrid", tuning).scores.tolist() == pytest.approx(
            fuse(DENSE, LEXICAL, best / share, "hybrid", Tuning(weights=tuning.weights)).scores.tolist()
        ), "a sure one does not ask"


@given(SCORES, SCORES, st.floats(0, 1), st.floats(0, 1))
def test_fusion_is_linear_in_how_sure_it_is(
    dense: dict[int, float], lexical: dict[int, float], unsure: float, sure: float
) -> None:
    tuning = Tuning(weights=FusionWeights(0.9, 0.1), unsure_weights=FusionWeights(unsure, 1 - unsure))
    low, high, between = (fuse(side(dense), side(lexical), 2.0, "hybrid", tuning, share) for share in (0.0, 1.0, sure))
    assert fuse(side(dense), side(lexical), 2.0, "hybrid", tuning).scores.tolist() == high.scores.tolist()
    for name in ("scores", "plain"):
        ends = [dict(zip(one.ids.tolist(), getattr(one, name).tolist(), strict=True)) for one in (low, high)]
        for passage, score in zip(between.ids.tolist(), getattr(between, name).tolist(), strict=True):
            assert score == pytest.approx((1 - sure) * ends[0][passage] + sure * ends[1][passage], abs=1e-4)


@pytest.mark.parametrize("mode", ["dense", "lexical"])
def test_one_side_alone_does_not_ask_how_sure_it_is(mode: Mode) -> None:
    one = (DENSE, side({})) if mode == "dense" else (side({}), LEXICAL)
    scores = [fuse(*one, 16.0, mode, Tuning(), sure).scores.tolist() for sure in (0.0, 1.0)]
    assert scores[0] == scores[1]


def test_sureness_is_a_sigmoid() -> None:
    tuning = Tuning(sure_cosine=0.4, sure_width=0.02)
    for cosine in (0.3, 0.4, 0.43):
        assert sureness(cosine, tuning) == pytest.approx(1 / (1 + math.exp((0.4 - cosine) / 0.02)))


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_sureness_rises_with_the_cosine(one: float, other: float) -> None:
    tuning = Tuning(sure_cosine=0.4, sure_width=0.02)
    low, high = sorted((one, other))
    assert 0 <= sureness(low, tuning) <= sureness(high, tuning) <= 1
    assert sureness(0.4, tuning) == 0.5
    assert sureness(0.0, Tuning()) == pytest.approx(1), "an encoder whose limits nobody measured is always sure"


@given(st.lists(st.tuples(st.floats(0, 1, width=16), st.integers(0, 3)), min_size=1, max_size=30), st.floats(0, 1))
def test_a_family_is_the_sum_of_its_five_best(rows: list[tuple[float, int]], weight: float) -> None:
    scores = np.array([score for score, _ in rows], dtype=np.float32)
    families = np.array([family for _, family in rows], dtype=np.int64)
    first = Fused(np.arange(len(rows), dtype=np.int64), scores, scores.copy())
    found = with_family(first, families, weight)
    for passage, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True):
        members = sorted((s for s, f in rows if f == rows[passage][1]), reverse=True)[:5]
        bonus = sum((member - min(scores)) / place for place, member in enumerate(members, 1))
        assert score == pytest.approx(rows[passage][0] + weight * bonus, abs=1e-4)


@given(
    st.lists(
        st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16), st.integers(0, 3)), min_size=1, max_size=30
    ),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_families_neither_lose_nor_double_a_passage(
    rows: list[tuple[float, float, int]], weight: float, random: Random
) -> None:
    """Best first, ties by id; `plain` is raised by its own sums; which passage has which number does not matter."""
    numbers = random.sample(range(100), len(rows))
    best = sorted(zip(rows, numbers, strict=True), key=lambda one: (-one[0][0], one[1]))
    first = Fused(
        ids(*(n for _, n in best)), floats(*(row[0] for row, _ in best)), floats(*(row[1] for row, _ in best))
    )
    families = ids(*(row[2] for row, _ in best))
    found = with_family(first, families, weight)
    assert sorted(found.ids.tolist()) == sorted(numbers)
    pairs = list(zip((-found.scores).tolist(), found.ids.tolist(), strict=True))
    assert pairs == sorted(pairs)
    turned = with_family(Fused(first.ids, first.plain, first.scores), families, weight)
    plain = dict(zip(found.ids.tolist(), found.plain.tolist(), strict=True))
    assert plain == dict(zip(turned.ids.tolist(), turned.scores.tolist(), strict=True))


def test_without_weight_or_passages_families_change_nothing() -> None:
    first, nothing = fuse(DENSE, LEXICAL, 16.0, "hybrid", Tuning()), fuse(side({}), side({}), 0.0, "hybrid", Tuning())
    assert with_family(first, np.zeros(len(first.ids), dtype=np.int64), 0.0) is first
    assert with_family(nothing, ids(), 0.5) is nothing
