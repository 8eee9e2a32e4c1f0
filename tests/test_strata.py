from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.store import DocumentStore
from tests.fakes import write_corpus
from tests.judged import CORPUS, TRAINED, query, track, write_citizens, write_dev
from training.strata import COMMON, LEAST, LENGTHS, LONG, RARITIES, Articles, level, strata
from training.tracks import tracks


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> DocumentStore:
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, CORPUS)
    return DocumentStore(folder / "documents.arrow")


def test_the_strata_of_every_track(tmp_path: Path, documents: DocumentStore) -> None:
    articles = Articles.of(documents, TRAINED)
    every = tracks(write_dev(tmp_path / "dev"), write_citizens(tmp_path / "citizen"))
    assert {part.name: strata(part, articles) for part in every} == {
        "articles": {
            "all": ("103#1", "9#0", "8#0"), "strict": ("103#1", "8#0"), "named": ("9#0",),
            "never seen": ("103#1", "8#0"), "seen 1-5": ("9#0",), "act": ("103#1", "9#0", "8#0"),
            "< 60 chars": ("103#1", "9#0", "8#0"),
        },
        "citizens": {"all": ("c0", "c1"), "never seen": ("c0",), "act": ("c1",), "decree": ("c0",)},
        "precedents": {"all": ("103#1", "8#0"), "< 60 chars": ("103#1", "8#0")},
    }  # fmt: skip


def test_without_training_pairs_nothing_is_called_rare(documents: DocumentStore, tmp_path: Path) -> None:
    part = next(tracks(write_dev(tmp_path)))
    assert {*strata(part, Articles.of(documents, {}))} == {"all", "strict", "named", "act", "< 60 chars"}


@pytest.mark.parametrize(
    ("rows", "name"),
    [(0, "never seen"), (1, "seen 1-5"), (5, "seen 1-5"), (6, "seen 6-50"), (50, "seen 6-50"), (51, "seen > 50")],
)
def test_rarity_is_that_of_the_rarest_relevant_article(rows: int, name: str) -> None:
    articles = Articles({}, {"민법 제750조": 400, "상법 제24조": rows} if rows else {"민법 제750조": 400})
    assert articles.rarity(query("q", "민법 제750조", "상법 제24조")) == name


def test_rows_count_by_citation(documents: DocumentStore) -> None:
    """A forerunner that shares a citation shares its rows, and the law in force gives the rank."""
    articles = Articles.of(documents, {"001706-0750": 3, "000900-0750": 4})
    assert articles.trained == {"민법 제750조": 7}
    assert articles.levels["민법 제750조"] == "act"
    assert "대법원 2020. 5. 14. 선고 2019다101 판결" not in articles.levels


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("법률", "act"), ("헌법", "act"), ("조선총독부법률", "act"), ("군정법령", "act"), ("", "act"),
        ("대통령령", "decree"), ("각령", "decree"),
        ("총리령", "rule"), ("보건복지부령", "rule"), ("대법원규칙", "rule"), ("감사원규칙", "rule"),
    ],
)  # fmt: skip
def test_ranks_of_law(kind: str, name: str) -> None:
    assert level(kind) == name


def test_the_lowest_rank_counts() -> None:
    articles = Articles({"a": "act", "d": "decree", "r": "rule"}, None)
    assert [articles.lowest(query("q", *gold)) for gold in ("a", "ad", "adr", "x")] == ["act", "decree", "rule", None]


@pytest.mark.parametrize("count", [LEAST - 1, LEAST])
def test_a_case_type_needs_enough_queries(count: int) -> None:
    """Largest first, after all others."""
    ids = [f"q{n}" for n in range(2 * LEAST + 5)]
    types = ["형사"] * count + ["민사"] * (len(ids) - count)
    rows = {q: {"case_type": kind} for q, kind in zip(ids, types, strict=True)}
    found = strata(track(*(query(q, kind="precedent") for q in ids), name="precedents", rows=rows), Articles({}, None))
    assert list(found) == ["all", "< 60 chars", "민사", *(["형사"] if count == LEAST else [])]


@given(st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.integers(0, 90)), min_size=1, max_size=20))
def test_of_one_kind_a_query_is_in_one_stratum(drawn: list[tuple[int, bool, int]]) -> None:
    queries = [query(f"q{n}", f"a{n}", text="가" * size) for n, (size, _, _) in enumerate(drawn)]
    rows = {f"q{n}": {"names_statute": named} for n, (_, named, _) in enumerate(drawn)}
    counts = {f"a{n}": count for n, (_, _, count) in enumerate(drawn)}
    found = strata(track(*queries, rows=rows), Articles(dict.fromkeys(counts, "act"), counts))
    kinds = (
        ("strict", "named"), (*(name for _, name in RARITIES), COMMON), ("act",), (*(name for _, name in LENGTHS), LONG)
    )  # fmt: skip
    for kind in kinds:
        assert sorted(q for name in kind for q in found.get(name, ())) == sorted(found["all"])
