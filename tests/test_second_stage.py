"""The page of what was read is the page of everything read unless a logit exceeds its bound; the rest is unread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval import second_stage as module
from app.retrieval.fusion import Fused, Longs, ordered
from app.retrieval.pool import Pool
from app.retrieval.second_stage import second_stage
from app.retrieval.types import Blend, Blends, Candidates, Floats, Mask

PASSAGES = 60
STATUTE, PRECEDENT = Blend(40.0, 0.2, -1.0), Blend(300.0, 0.02, -2.0)


def drawn(seed: int) -> tuple[Fused, Floats, Mask, Longs]:
    """A first stage, the logits of its passages, which are decisions, and whose they are."""
    rng = np.random.default_rng(seed)
    scores = rng.gamma(2.0, 0.1, PASSAGES)
    fused = ordered(np.arange(PASSAGES), scores, scores)
    logits = rng.normal(-2, 3, PASSAGES).astype(np.float32)
    return fused, logits, rng.random(PASSAGES) < 0.3, rng.integers(0, 45, PASSAGES)


def page(final: Floats, documents: Longs, count: int) -> list[int]:
    best: dict[int, None] = {}
    for position in np.argsort(-final, kind="stable").tolist():
        best.setdefault(int(documents[position]))
    return list(best)[:count]


@given(st.integers(0, 10_000), st.integers(1, 12), st.booleans())
def test_the_page_is_that_of_everything_read(seed: int, count: int, both: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SPREAD", np.inf)
        the_page_is_that_of_everything_read(seed, count, both)


def the_page_is_that_of_everything_read(seed: int, count: int, both: bool) -> None:
    fused, logits, decisions, documents = drawn(seed)
    plain = Blends(STATUTE, PRECEDENT if both else None)
    _, whole = second_stage(lambda at: logits[at], fused, plain, decisions, documents, count)
    most = float(logits.max())
    bounded = Blends(replace(STATUTE, most=most), replace(PRECEDENT, most=most) if both else None)
    seen: list[int] = []

    def read(at: Longs) -> Floats:
        seen.extend(at.tolist())
        return logits[at]

    found, final = second_stage(read, fused, bounded, decisions, documents, count)
    assert page(final, documents, count) == page(whole, documents, count)
    assert len(seen) == len(set(seen)) == int((~np.isnan(found)).sum())
    unread = np.isnan(found)
    np.testing.assert_array_equal(final[~unread], whole[~unread])
    assert not unread.any() or final[unread].max() < np.sort(final[~unread])[::-1][count - 1 :].max()


def test_what_stands_far_behind_is_not_read() -> None:
    scores = np.concatenate([np.full(20, 2.0), np.full(40, 0.1)])
    fused = ordered(np.arange(PASSAGES), scores, scores)
    nothing = np.zeros(PASSAGES, dtype=bool)
    blends = Blends(Blend(weight=10.0, most=5.0))
    logits, _ = second_stage(
        lambda at: (-1.0) ** at.astype(np.float32), fused, blends, nothing, np.arange(PASSAGES), 10
    )
    assert np.isnan(logits).tolist() == [False] * 20 + [True] * 40


def test_a_query_with_low_logits_lowers_the_bound_of_the_rest() -> None:
    fused, _, _, documents = drawn(3)
    nothing, low = np.zeros(PASSAGES, dtype=bool), np.random.default_rng(3).normal(-2, 0.1, PASSAGES).astype(np.float32)
    read = [0, 0]
    for number, spread in enumerate((3.0, np.inf)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "SPREAD", spread)
            logits, final = second_stage(
                lambda at: low[at], fused, Blends(Blend(10.0, most=6.0)), nothing, documents, 10
            )
        read[number] = int((~np.isnan(logits)).sum())
        assert page(final, documents, 10) == page(low + 10 * fused.scores, documents, 10)
    assert read[0] < read[1] == PASSAGES


def test_where_nobody_measured_a_bound_or_the_page_takes_all_everything_is_read_at_once() -> None:
    fused, logits, decisions, documents = drawn(1)
    for blend, count in ((STATUTE, 10), (replace(STATUTE, most=1.0), 60)):
        calls: list[int] = []

        def read(at: Longs, calls: list[int] = calls) -> Floats:
            calls.append(len(at))
            return logits[at]

        found, _ = second_stage(read, fused, Blends(blend), decisions, documents, count)
        assert calls == [PASSAGES]
        np.testing.assert_array_equal(found, logits)


def test_evidence_is_what_was_read_unless_nothing_of_the_document_was() -> None:
    fused, logits, _, _ = drawn(2)
    logits[[3, 7]] = np.nan
    nothing = Candidates(fused.ids[:0], fused.scores[:0])
    pool = Pool(nothing, nothing, fused, logits, logits, logits)
    assert pool.shown(np.array([1, 3, 5])) == [1, 5]
    assert pool.shown(np.array([7, 3])) == [7, 3]
    assert replace(pool, logits=None).shown(np.array([1, 3])) == [1, 3]
