"""What decisions say of articles and of one another: nothing is lost, nothing twice, and places keep their scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.graph import Edge
from app.retrieval.fusion import Fused, fuse
from app.retrieval.graph import Graph
from app.retrieval.types import Candidates, Tuning
from app.retrieval.vouching import SPREAD, VOTES, Vouching

NAMES = ["a0", "a1", "a2", "p3", "p4", "p5", "p6"]
DECISIONS = np.array([False, False, False, True, True, True, True])
OWNERS = np.array([0, 1, 1, 2, 3, 3, 4, 5, 6], dtype=np.int32)
"""Passages 0 … 8; the articles' are 0 to 3."""


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
    assert votes == {8: 1.0}
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
