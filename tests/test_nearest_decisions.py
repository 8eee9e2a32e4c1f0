"""The decisions nearest to a query speak for the articles that they cite."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from app.retrieval.searcher import NOTHING, Searcher
from app.retrieval.types import (
    Candidates,
    Filters,
    SearchRequest,
)
from tests.fakes import (
    DOCUMENTS,
    build_index,
    other,
    precedent,
)


@pytest.fixture(scope="module")
def citing(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Decisions of 2015 and 2020 on lighthouses, that cite an article which says nothing of them."""
    documents = (
        *DOCUMENTS[:3],
        precedent(
            7, "등대", "등대지기의 야간 근무", date="2015-01-01", case_no="2014다7", cited_statutes="민법 제750조"
        ),
        precedent(8, "등대", "등대의 불빛", cited_statutes="형법 제307조", cited_precedents="2014다7"),
    )
    return build_index(tmp_path_factory.mktemp("citing"), documents)


LIGHT = SearchRequest("등대지기의 야간 근무", explain=True)


def votes(searcher: Searcher, request: SearchRequest) -> dict[str, float]:
    found = searcher.search(request).results
    return {one.doc_id: one.stages.links for one in found if one.stages and one.stages.links}


def test_decisions_near_a_query_speak_for_what_they_cite(citing: Searcher) -> None:
    found = votes(citing, LIGHT)
    assert found["001706-0750"] == pytest.approx(1.0), "the nearest counts fully"
    assert 0 < found["001692-0307"] < 1
    plain = other(citing, tuning=replace(citing.tuning, cited_weight=0.0))
    assert "001706-0750" not in votes(plain, LIGHT)
    pools = [one.pool(LIGHT).fused for one in (citing, plain)]
    ranks = [one.ids.tolist().index(0) for one in pools]
    gained = pools[0].scores[ranks[0]] - pools[1].scores[ranks[1]]
    assert gained == pytest.approx(citing.tuning.cited_weight * np.log(1 + 3 * 1.0), abs=1e-5)


@pytest.mark.parametrize(
    "request_",
    [
        replace(LIGHT, exclude_docs=frozenset({"p7"})),
        replace(LIGHT, decided_to=date(2014, 12, 31)),
        replace(LIGHT, as_of=date(2014, 12, 31)),
        replace(LIGHT, mode="dense"),
        replace(LIGHT, mode="lexical"),
        replace(LIGHT, filters=Filters(kind=("precedent",))),
    ],
)
def test_what_may_not_be_known_speaks_for_no_article(citing: Searcher, request_: SearchRequest) -> None:
    assert "001706-0750" not in votes(citing, request_)


def test_filters_of_articles_leave_the_decisions_their_voice(citing: Searcher) -> None:
    """What is asked for are articles; who speaks for them are decisions all the same."""
    for filters in (Filters(kind=("statute",)), Filters(law=("민법",))):
        assert votes(citing, replace(LIGHT, filters=filters))["001706-0750"] == pytest.approx(1.0)
    assert "001706-0750" not in votes(citing, replace(LIGHT, filters=Filters(law=("형법",))))


def test_an_encoder_that_is_not_sure_lets_nobody_speak(citing: Searcher) -> None:
    unsure = other(citing, tuning=replace(citing.tuning, sure_cosine=1.0, sure_width=1e-3))
    silent = other(citing, tuning=replace(unsure.tuning, cited_weight=0.0))
    found, plain = (one.pool(LIGHT).fused for one in (unsure, silent))
    assert found.ids.tolist() == plain.ids.tolist()
    assert found.scores == pytest.approx(plain.scores, abs=1e-6)


def test_how_sure_the_encoder_is_is_said_by_its_best_article(citing: Searcher) -> None:
    tuned = other(citing, tuning=replace(citing.tuning, sure_cosine=0.3, sure_width=0.1))
    (dense,) = citing.index.dense.search(citing.encoder.encode_queries([LIGHT.query]), 99)
    kinds = [citing.index.documents[int(row)].kind for row in citing.index.passages.documents[dense.ids]]
    assert kinds[0] == "precedent"
    best = next(score for score, kind in zip(dense.scores.tolist(), kinds, strict=True) if kind == "statute")
    assert tuned.sure(dense, NOTHING) == pytest.approx(1 / (1 + np.exp((0.3 - best) / 0.1)))
    decisions = np.array([kind == "precedent" for kind in kinds])
    alone = Candidates(dense.ids[decisions], dense.scores[decisions])
    assert tuned.sure(alone, NOTHING) == pytest.approx(1 / (1 + np.exp((0.3 - dense.scores[0]) / 0.1)))
    assert tuned.sure(Candidates(dense.ids[:0], dense.scores[:0]), NOTHING) == 0


def test_the_nearest_decision_says_it_where_its_level_is_known(citing: Searcher) -> None:
    """Those that the asker may not know say nothing, and then the best article does."""
    tuned = other(citing, tuning=replace(citing.tuning, court_cosine=0.3, court_width=0.1))
    vectors = citing.encoder.encode_queries([LIGHT.query])
    near, (dense,) = tuned.near(vectors, LIGHT), citing.index.dense.search(vectors, 99)
    assert tuned.sure(dense, near) == pytest.approx(1 / (1 + np.exp((0.3 - near.scores[0]) / 0.1)))
    assert citing.sure(dense, near) == citing.sure(dense, NOTHING)
    unknown = tuned.near(vectors, replace(LIGHT, as_of=date(1900, 1, 1)))
    assert tuned.sure(dense, unknown) == citing.sure(dense, NOTHING)
