"""What decisions say of articles and of one another: nothing is lost, nothing twice, and places keep their scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.graph import Edge
from app.retrieval import vouching as module
from app.retrieval.fusion import Fused, fuse
from app.retrieval.graph import Graph
from app.retrieval.types import Candidates, FusionWeights, Mask, Tuning
from app.retrieval.vouching import SPREAD, VOTES, Vouching

NAMES = ["a0", "a1", "a2", "p3", "p4", "p5", "p6"]
DECISIONS = np.array([False, False, False, True, True, True, True])
OWNERS = np.array([0, 1, 1, 2, 3, 3, 4, 5, 6], dtype=np.int32)
"""Passages 0 … 8; the articles' are 0 to 3."""


def delegating(*pairs: tuple[str, str]) -> Vouching:
    edges = [Edge(act, decree, "delegation") for act, decree in pairs]
    return Vouching(Graph.of(edges, {n: i for i, n in enumerate(NAMES)}, [""] * len(NAMES)), DECISIONS, OWNERS)


def test_an_act_and_its_decree_speak_for_each_other() -> None:
    before = {0: 0.9, 1: 0.3, 2: 0.4, 3: 0.1}
    found = delegating(("a0", "a1")).for_decrees(fused(before), 0.5)
    wanted = {0: 0.9 + 0.5 * (0.4 - 0.1), 1: 0.3 + 0.5 * (0.9 - 0.1), 2: 0.4 + 0.5 * (0.9 - 0.1), 3: 0.1}
    assert dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(wanted)
    assert found.plain.tolist() == pytest.approx(found.scores.tolist())
    assert found.ids.tolist() == [0, 2, 1, 3]


def test_of_several_the_best_speaks_and_what_was_not_found_is_not_added() -> None:
    speaks = delegating(("a0", "a2"), ("a1", "a2"))
    found = speaks.for_decrees(fused({1: 0.9, 0: 0.5, 3: 0.1}), 1.0)
    assert dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True)) == pytest.approx({1: 0.9, 0: 0.5, 3: 0.9})
    assert speaks.for_decrees(fused({0: 0.5}), 1.0).ids.tolist() == [0]
    assert speaks.for_decrees(fused({}), 1.0).ids.tolist() == []
    assert speaks.for_decrees(fused({0: 0.5, 3: 0.1}), 0.0).scores.tolist() == pytest.approx([0.5, 0.1])


def test_only_the_head_of_a_ranking_speaks_for_decrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELEGATING", 1)
    before = {0: 0.9, 1: 0.8, 3: 0.1}
    found = delegating(("a1", "a2")).for_decrees(fused(before), 1.0)
    assert dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(before)


def vouching(*cited: tuple[str, str]) -> Vouching:
    edges = [Edge(a, b, "statute" if b.startswith("a") else "precedent") for a, b in cited]
    return Vouching(Graph.of(edges, {n: i for i, n in enumerate(NAMES)}, [""] * len(NAMES)), DECISIONS, OWNERS)


def side(scores: dict[int, float]) -> Candidates:
    order = sorted(scores, key=lambda passage: (-scores[passage], passage))
    return Candidates(np.array(order, dtype=np.int64), np.array([scores[p] for p in order], dtype=np.float32))


def fused(scores: dict[int, float]) -> Fused:
    found = side(scores)
    return Fused(found.ids, found.scores, found.scores.copy())


def test_an_article_gains_by_the_formula() -> None:
    near = side({4: 0.8, 6: 0.7})
    found, votes = vouching(("p3", "a1"), ("p4", "a1"), ("p4", "a2")).for_articles(
        fused({0: 0.5, 1: 0.4, 3: 0.3}), near, 0.1, None
    )
    faint = math.exp((0.7 - 0.8) / SPREAD)
    assert votes == pytest.approx({1: 1 + faint, 3: faint}, rel=1e-5)
    wanted = {0: 0.5, 1: 0.4 + 0.1 * math.log1p(VOTES * (1 + faint)), 3: 0.3 + 0.1 * math.log1p(VOTES * faint)}
    assert dict(zip(found.ids.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(wanted, rel=1e-5)
    assert found.ids.tolist() == [1, 0, 3]


def test_what_no_side_found_is_added_by_its_first_passage_where_it_is_allowed() -> None:
    speaks, near = vouching(("p3", "a1"), ("p3", "p5")), side({4: 0.9})
    found, _ = speaks.for_articles(fused({0: 0.5, 3: 0.2}), near, 0.1, None)
    assert found.ids.tolist() == [0, 1, 3]
    forbidden = np.array([True, False, True, True, True, True, True])
    assert speaks.for_articles(fused({0: 0.5, 3: 0.2}), near, 0.1, forbidden)[0].ids.tolist() == [0, 3]


def test_without_weight_or_decisions_nothing_moves() -> None:
    speaks, first = vouching(("p3", "a1")), fused({0: 0.5, 1: 0.4})
    assert speaks.for_articles(first, side({4: 0.9}), 0.0, None)[0] is first
    assert speaks.for_articles(first, side({}), 0.1, None)[0] is first


def test_decisions_trade_places_and_the_places_keep_their_scores() -> None:
    dense, lexical = side({4: 0.9, 6: 0.8, 7: 0.7, 0: 0.6}), side({7: 9.0, 6: 2.0})
    first = fuse(dense, lexical, 10.0, "hybrid", Tuning())
    speaks = vouching(("p3", "p6"))
    found, votes = speaks(first, dense, lexical, 10.0, "hybrid", Tuning(), None)
    assert 8 in found.ids, "what the best cites and nobody found is added"
    assert set(votes) == {8}
    assert 0 < votes[8] <= 1
    at = {passage: place for place, passage in enumerate(first.ids.tolist())}
    assert found.ids.tolist().index(0) == at[0], "an article keeps its place"
    assert found.scores[: len(first.ids)].tolist() == first.scores.tolist()


SCORES = st.dictionaries(st.integers(0, len(OWNERS) - 1), st.floats(0, 1, width=16), min_size=1)
CITED = st.lists(st.tuples(st.sampled_from(NAMES[3:]), st.sampled_from(NAMES)), max_size=12, unique=True)


@given(SCORES, SCORES, CITED, st.floats(0, 1))
def test_no_passage_is_lost_or_there_twice(
    dense: dict[int, float], near: dict[int, float], cited: list[tuple[str, str]], weight: float
) -> None:
    speaks = vouching(*cited)
    decisions = side({p: s for p, s in near.items() if DECISIONS[OWNERS[p]]})
    first = fuse(side(dense), side({}), 1.0, "hybrid", Tuning())
    raised, _ = speaks.for_articles(first, decisions, weight, None)
    last, votes = speaks(raised, side(dense), side({}), 1.0, "hybrid", Tuning(), None)
    ids = last.ids.tolist()
    assert len(set(ids)) == len(ids)
    assert set(first.ids.tolist()) <= set(ids)
    assert (np.diff(last.scores) <= 1e-6).all()
    assert set(votes) <= set(ids)


# against a naive one

CITES = {name: index for index, name in enumerate(NAMES)}
ALLOWED = st.none() | st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)).map(np.array)


def naive_votes(near: list[tuple[int, float]], cited: list[tuple[str, str]], decisions: bool) -> dict[int, float]:
    """Document → Σ of exp((score − best) / 0.1) over the decisions of `near` (passages, best first) that cite it."""
    best: dict[int, float] = {}
    for passage, score in near:
        best.setdefault(int(OWNERS[passage]), math.exp((score - near[0][1]) / 0.1))
    votes: dict[int, float] = {}
    for source, target in {(CITES[a], CITES[b]) for a, b in cited}:
        if source in best and bool(DECISIONS[target]) == decisions:
            votes[target] = votes.get(target, 0.0) + best[source]
    return votes


def naive_added(votes: dict[int, float], found: list[int], allowed: Mask | None) -> set[int]:
    """The first passage of what has votes, was not found, and may be."""
    rows = {row for row in votes if row not in OWNERS[found].tolist() and (allowed is None or allowed[row])}
    return {OWNERS.tolist().index(row) for row in rows}


@given(SCORES, SCORES, CITED, st.floats(0.01, 1), ALLOWED)
def test_articles_have_the_scores_of_the_formula(
    found: dict[int, float], near: dict[int, float], cited: list[tuple[str, str]], weight: float, allowed: Mask | None
) -> None:
    speaking = side({p: s for p, s in near.items() if DECISIONS[OWNERS[p]]})
    raised, told = vouching(*cited).for_articles(fused(found), speaking, weight, allowed)
    listed = list(zip(speaking.ids.tolist(), speaking.scores.tolist(), strict=True))
    votes = naive_votes(listed, cited, decisions=False)
    plain = {**dict.fromkeys(naive_added(votes, list(found), allowed), min(found.values())), **found}
    wanted = {p: s + weight * math.log(1 + 3 * votes.get(int(OWNERS[p]), 0)) for p, s in plain.items()}
    assert dict(zip(raised.ids.tolist(), raised.scores.tolist(), strict=True)) == pytest.approx(wanted, rel=1e-4)
    assert dict(zip(raised.ids.tolist(), raised.plain.tolist(), strict=True)) == pytest.approx(wanted, rel=1e-4)
    assert told == pytest.approx({p: votes[int(OWNERS[p])] for p in wanted if votes.get(int(OWNERS[p]))}, rel=1e-4)


@given(SCORES, SCORES, CITED, st.floats(0, 1), ALLOWED)
def test_decisions_have_the_order_of_the_formula(
    dense: dict[int, float], bm25: dict[int, float], cited: list[tuple[str, str]], link: float, allowed: Mask | None
) -> None:
    lexical = {passage: score for passage, score in bm25.items() if score > 0}
    tuning = Tuning(precedent_weights=FusionWeights(0.7, 0.3), link_weight=link)
    first = fuse(side(dense), side(lexical), 1.0, "hybrid", tuning)
    last, told = vouching(*cited)(first, side(dense), side(lexical), 1.0, "hybrid", tuning, allowed)

    most, least = max(lexical.values(), default=1.0), min(lexical.values(), default=0.0)
    own = {
        p: 0.7 * dense.get(p, min(dense.values())) + 0.3 * lexical.get(p, least) / most
        for p in first.ids.tolist()
        if DECISIONS[OWNERS[p]]
    }
    near = sorted(own.items(), key=lambda one: -one[1])
    votes = naive_votes(near, cited, decisions=True) if link and near else {}
    added = naive_added(votes, list(own), allowed) if own else set()
    raised = {
        p: own.get(p, min(own.values())) + link * math.log(1 + 3 * votes.get(int(OWNERS[p]), 0)) for p in {*own, *added}
    }
    ids = last.ids.tolist()
    assert sorted(ids) == sorted({*first.ids.tolist(), *added})
    assert told == pytest.approx({p: votes[int(OWNERS[p])] for p in raised if votes.get(int(OWNERS[p]))}, rel=1e-4)
    placed = [raised[p] for p in ids if p in raised]
    assert placed == pytest.approx(sorted(placed, reverse=True), abs=1e-5)
    assert [p for p in ids if p not in raised] == [p for p in first.ids.tolist() if p not in raised]
    assert last.scores.tolist()[: len(first.ids)] == first.scores.tolist()
    assert last.scores.tolist()[len(first.ids) :] == [min(first.scores.tolist())] * len(added)


def test_only_the_nearest_and_the_best_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passages of one decision count once, as its best."""
    near, cited = side({4: 0.9, 5: 0.8, 6: 0.7}), (("p3", "a0"), ("p4", "a1"), ("p3", "p5"), ("p4", "p6"))
    raised, votes = vouching(*cited).for_articles(fused({0: 0.5, 1: 0.4}), near, 0.1, None)
    assert votes == pytest.approx({0: 1.0, 1: math.exp(-2)}, rel=1e-4)
    monkeypatch.setattr(module, "NEAREST", 1)
    raised, votes = vouching(*cited).for_articles(fused({0: 0.5, 1: 0.4}), near, 0.1, None)
    assert (raised.ids.tolist(), votes) == ([0, 1], {0: 1.0})
    monkeypatch.setattr(module, "BEST", 1)
    found, votes = vouching(*cited)(
        fuse(near, side({}), 1.0, "hybrid", Tuning()), near, side({}), 1.0, "hybrid", Tuning(), None
    )
    assert votes == {7: 1.0}
    assert set(found.ids.tolist()) == {4, 5, 6, 7}


def test_a_decision_without_a_passage_is_not_added() -> None:
    """Deleted documents have none: what they would be added by is another's."""
    speaks = vouching(("p3", "p4"), ("p3", "a1"))
    speaks.owners = np.array([0, 2, 3, 5, 6], dtype=np.int32)
    first, near = fused({2: 0.9, 0: 0.1}), side({2: 0.9})
    assert set(speaks.for_articles(first, near, 0.1, None)[0].ids.tolist()) == {0, 2}
    found, votes = speaks(first, side({2: 0.9, 0: 0.1}), side({}), 1.0, "hybrid", Tuning(), None)
    assert (found.ids.tolist(), votes) == ([2, 0], {})
