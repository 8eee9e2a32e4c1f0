from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.errors import NotReady
from app.law.query import Understood
from app.retrieval.searcher import Searcher
from app.retrieval.types import Floats, Tokens
from tests.fakes import FakeReranker, build_index
from tests.judged import CORPUS, query, track, write_dev
from training.recipe import RecipeError
from training.sections import Evaluate
from training.systems import DEFAULT, SYSTEMS, Remembering, chief, rank, request, unread
from training.tracks import Track, tracks

SETTINGS = Evaluate()


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("systems"), CORPUS)


@pytest.fixture
def parts(tmp_path: Path) -> list[Track]:
    return list(tracks(write_dev(tmp_path)))


class Counting(FakeReranker):
    """Remembers what it was given to read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, bytes]] = []

    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        self.read += [(query, passage.tobytes()) for passage in passages]
        return super().score_tokens(query, passages)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_ranks_articles_by_citation(searcher: Searcher, parts: list[Track], system: str) -> None:
    """Each citation once: a forerunner that shares one does not come beside the law in force."""
    found = rank(searcher, parts[0], [system], SETTINGS)[system]
    assert list(found) == [one.query_id for one in parts[0].queries]
    for ranking in found.values():
        assert len({*ranking.keys}) == len(ranking.keys) == len(ranking.relevance)
        assert all("제" in key for key in ranking.keys)
        scores = ranking.scores()
        assert [*scores] == [*ranking.keys]
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert found["103#1"].keys[0] == "민법 제750조"
    assert found["9#0"].keys[0] == "형법 제307조"


@pytest.mark.parametrize("system", SYSTEMS)
def test_precedents_are_earlier_than_the_query_and_never_its_own(
    searcher: Searcher, parts: list[Track], system: str
) -> None:
    found = rank(searcher, parts[1], [system], SETTINGS)[system]
    assert {"p101", "p104"} <= set(found["103#1"].keys) <= {"p101", "p102", "p104"}  # not p103 itself
    assert {"p102"} <= set(found["8#0"].keys) <= {"p101", "p102"}  # p104 is of the query's own day
    assert found["8#0"].keys[0] == "p102"


def test_what_was_stopped_goes_on_behind_the_queries_that_it_ranked(
    searcher: Searcher, parts: list[Track], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = rank(searcher, parts[0], [DEFAULT], SETTINGS, tmp_path)
    path = tmp_path / "unfinished" / f"{parts[0].name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:20])
    reranker = Counting()
    searcher_again = copy.copy(searcher)
    searcher_again.reranker = reranker
    again = rank(searcher_again, parts[0], [DEFAULT], SETTINGS, tmp_path)
    assert {name: [[*r.keys] for r in found.values()] for name, found in again.items()} == {
        name: [[*r.keys] for r in found.values()] for name, found in whole.items()
    }
    assert {text for text, _ in reranker.read} == {one.text for one in parts[0].queries[1:]}
    assert "goes on behind 1 queries" in capsys.readouterr().out
    assert len(path.read_bytes().splitlines()) == 1 + len(parts[0].queries)


def test_a_query_that_was_worded_anew_is_ranked_anew(searcher: Searcher, parts: list[Track], tmp_path: Path) -> None:
    rank(searcher, parts[0], [DEFAULT], SETTINGS, tmp_path)
    first, *rest = parts[0].queries
    other = copy.copy(searcher)
    other.reranker = reranker = Counting()
    changed = replace(parts[0], queries=(replace(first, text="전혀 다른 물음"), *rest))
    rank(other, changed, [DEFAULT], SETTINGS, tmp_path)
    assert {text for text, _ in reranker.read} == {"전혀 다른 물음"}


def test_what_was_ranked_otherwise_is_not_taken_up(searcher: Searcher, parts: list[Track], tmp_path: Path) -> None:
    rank(searcher, parts[0], [DEFAULT], SETTINGS, tmp_path)
    other = copy.copy(searcher)
    other.tuning = replace(searcher.tuning, family_weight=0.7)
    other.reranker = reranker = Counting()
    rank(other, parts[0], [DEFAULT], SETTINGS, tmp_path)
    assert {text for text, _ in reranker.read} == {one.text for one in parts[0].queries}


def test_systems_measured_together_rank_as_each_alone(searcher: Searcher, parts: list[Track]) -> None:
    """Differential: what the systems share changes no ranking."""
    for part in parts:
        together = rank(searcher, part, list(SYSTEMS), SETTINGS)
        for system in SYSTEMS:
            alone = rank(searcher, part, [system], SETTINGS)[system]
            assert {q: one.keys for q, one in together[system].items()} == {q: one.keys for q, one in alone.items()}


def test_the_default_system_is_the_service_as_it_stands(searcher: Searcher, parts: list[Track]) -> None:
    found = rank(searcher, parts[0], [DEFAULT], SETTINGS)[DEFAULT]
    for one in parts[0].queries:
        asked = request(one, SYSTEMS[DEFAULT], SETTINGS)
        assert (asked.mode, asked.rerank) == ("hybrid", True)
        expected = searcher.search(asked).results
        assert found[one.query_id].keys == tuple(result.citation for result in expected)
        relevance = [result.relevance for result in expected]
        np.testing.assert_allclose(found[one.query_id].relevance, relevance, rtol=1e-6)


def test_depth_is_that_of_the_stage() -> None:
    settings = Evaluate(depth=7, first_depth=9)
    assert {name: system.depth(settings) for name, system in SYSTEMS.items()} == {
        name: 7 if name.endswith("+rerank") else 9 for name in SYSTEMS
    }


def test_unread_reads_nothing_and_leaves_the_searcher_alone(searcher: Searcher) -> None:
    bare = unread(searcher)
    assert bare.router is Understood
    assert bare.tuning.link_weight == 0
    assert searcher.router is not Understood
    assert searcher.tuning.link_weight > 0


def test_a_citation_is_pinned_only_where_the_query_is_read(searcher: Searcher) -> None:
    cited = track(query("q", "형법 제307조", text="형법 제307조에 정한 손해배상책임의 요건"))
    found = rank(searcher, cited, ["bm25-unread", "bm25"], SETTINGS)
    assert found["bm25"]["q"].keys[0] == "형법 제307조"
    assert found["bm25"]["q"].relevance[0] == 1.0
    assert found["bm25-unread"]["q"].relevance[0] < 1.0


def test_a_passage_is_read_once_for_a_query(tmp_path: Path, parts: list[Track]) -> None:
    reranker = Counting()
    searcher = build_index(tmp_path, CORPUS, reranker=reranker)
    rank(searcher, parts[0], ["bm25+rerank", "dense+rerank", "hybrid+rerank"], SETTINGS)
    assert len(reranker.read) == len(set(reranker.read)) > 0
    assert searcher.reranker is reranker


def test_remembered_logits_are_the_rerankers_own() -> None:
    plain, remembering = FakeReranker(), Remembering(FakeReranker())
    texts = plain.tokenize(["손해를 가한 자", "해고", "손해배상의 책임", "해고"])
    for text in ("손해배상", "해고", "손해배상"):
        for chosen in (texts[:2], texts[1:], texts):
            np.testing.assert_array_equal(remembering.score_tokens(text, chosen), plain.score_tokens(text, chosen))
    assert len(remembering.score_tokens("해고", [])) == 0
    for name in ("name", "weights_sha256", "max_tokens", "query_tokens", "blends"):
        assert getattr(remembering, name) == getattr(plain, name)


def test_without_a_reranker_its_systems_are_refused(searcher: Searcher, parts: list[Track]) -> None:
    bare = Searcher(searcher.index, searcher.encoder, None, unavailable="none is configured")
    assert rank(bare, parts[0], ["hybrid"], SETTINGS)["hybrid"]
    with pytest.raises(NotReady, match=r"query 103#1: reranker unavailable: none is configured"):
        rank(bare, parts[0], ["hybrid+rerank"], SETTINGS)


def test_an_unknown_system_is_refused(searcher: Searcher, parts: list[Track]) -> None:
    with pytest.raises(RecipeError, match="no system 'bm26'; there are bm25-unread, bm25, dense, hybrid, bm25"):
        rank(searcher, parts[0], ["bm26"], SETTINGS)


def test_the_chief_system() -> None:
    assert chief(["bm25", DEFAULT, "dense"]) == DEFAULT
    assert chief(["bm25", "dense"]) == "dense"
