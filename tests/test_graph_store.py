"""The graph on disk: both directions tell the same, and the same corpus gives the same bytes."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import IndexCorrupt
from app.law.graph import Edge, Relation
from app.retrieval.citations import build, forerunners
from app.retrieval.filters import FilterColumns
from app.retrieval.graph import ARRAYS, Graph, Link
from app.retrieval.searcher import Searcher
from app.retrieval.store import DocumentStore, write_documents
from app.retrieval.types import Filters, Result, SearchRequest
from app.retrieval.versions import Version, VersionStore, write_versions
from benchmarks import graph_signal
from tests.fakes import build_index, precedent, statute
from training.dev import DevQuery

DAYS = ["2001-01-01", "2005-05-05", "2003-03-03", "", "2005-05-05"]
ROWS = {f"d{n}": n for n in range(len(DAYS))}
IDS = st.sampled_from([*ROWS, "gone-0001", ""])
RELATIONS: list[Relation] = ["statute", "precedent", "delegation"]
EDGES = st.lists(
    st.builds(
        Edge, st.sampled_from([*ROWS, "elsewhere"]), IDS, st.sampled_from(RELATIONS), st.integers(0, 3), st.booleans(),
        st.sampled_from(["", "1999-01-01"]), st.sampled_from(["가", "나"]),
    ),
    max_size=40, unique=True,
)  # fmt: skip


@given(EDGES)
def test_cites_and_cited_by_are_transposes(edges: list[Edge]) -> None:
    graph = Graph.of(edges, ROWS, DAYS)
    citing = [edge for edge in edges if edge.source in ROWS and edge.relation != "delegation"]
    expected = {(edge.source, edge.target) for edge in citing if edge.target in ROWS}
    names = list(ROWS)
    assert {
        (names[row], names[link.row]) for row in ROWS.values() for link in graph.cites(row) if link.row >= 0
    } == expected
    assert {(names[link.row], names[row]) for row in ROWS.values() for link in graph.cited_by(row)} == expected
    assert {(names[row], names[target]) for row in ROWS.values() for target in graph.cited(row)} == expected
    for row in ROWS.values():
        sources = graph.citing(row).tolist()
        assert sources == [link.row for link in graph.cited_by(row)]
        assert len(set(sources)) == len(sources) == graph.cited_by_count[row]
        assert [DAYS[source] for source in sources] == sorted((DAYS[s] for s in sources), reverse=True)


@given(EDGES)
def test_no_edge_is_lost_from_a_list(edges: list[Edge]) -> None:
    graph = Graph.of(edges, ROWS, DAYS)
    for source, row in ROWS.items():
        own = [edge for edge in edges if edge.source == source and edge.relation != "delegation"]
        links = graph.cites(row)
        assert {i for link in links for i in link.issues} == {edge.issue for edge in own} - {0}
        assert {(link.row, link.former, link.version) for link in links} == {
            (ROWS.get(edge.target, -1), edge.former, edge.version) for edge in own
        }
        assert {link.doc_id for link in links} - {""} == {edge.target for edge in own if edge.target == "gone-0001"}
        delegated = [
            ROWS[e.target] for e in edges if e.source == source and e.relation == "delegation" and e.target in ROWS
        ]
        assert sorted(set(graph.delegations(row))) == sorted(set(delegated))


@given(EDGES, st.integers(0, 6), st.integers(1, 6))
def test_a_page_is_a_slice(edges: list[Edge], offset: int, limit: int) -> None:
    graph = Graph.of(edges, ROWS, DAYS)
    for row in ROWS.values():
        assert graph.cited_by(row, limit, offset) == graph.cited_by(row)[offset : offset + limit]


def test_a_saved_graph_reads_back_the_same(tmp_path: Path) -> None:
    edges = [
        Edge("d1", "d0", "statute", 1, True, "1999-01-01", "구 가"),
        Edge("d1", "", "statute", 2, text="나"),
        Edge("d2", "d0", "delegation"),
        Edge("d0", "d3", "definition"),
        Edge("d3", "d3", "definition"),
    ]
    graph = Graph.of(edges, ROWS, DAYS)
    graph.save(tmp_path)
    again = Graph.load(tmp_path)
    assert len(again) == len(ROWS)
    for row in ROWS.values():
        assert again.cites(row) == graph.cites(row)
        assert again.cited_by(row) == graph.cited_by(row)
        assert again.delegations(row) == graph.delegations(row)
        assert again.definition(row) == graph.definition(row)
    assert again.cites(1) == [
        Link(0, "statute", "", (1,), True, "1999-01-01", "구 가"),
        Link(-1, "statute", "", (2,), False, "", "나"),
    ]
    assert (again.definition(0), again.definition(1), again.definition(3)) == (3, None, None)


@pytest.mark.parametrize("file", ["edges.arrow", *(f"{name}.npy" for name in ARRAYS)])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_is_told(tmp_path: Path, file: str, damage: str) -> None:
    Graph.of([Edge("d1", "d0", "statute")], ROWS, DAYS).save(tmp_path)
    if damage == "missing":
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:20])
    with pytest.raises(IndexCorrupt, match="build"):
        Graph.load(tmp_path)


# from a corpus

ARTICLES = (
    statute("001", "등대법", "제2조", "정의", "등대란 밤에 불을 밝히는 탑을 말한다."),
    statute("001", "등대법", "제5조", "등급", "등대의 등급은 대통령령으로 정한다."),
    statute("002", "등대법 시행령", "제3조", "등급", "법 제5조에 따른 등급은 별표와 같다."),
    statute("009", "등대법", "제5조", "벌칙", "불을 끈 자는 벌금에 처한다.", date="1950-01-01", law_kind="군정법령"),
)
DECISIONS = (
    precedent(1, "손해배상", "등대의 등급", date="2010-01-01", case_no="2009다1", cited_statutes="등대법 제5조"),
    precedent(
        2, "손해배상", "[1] 등대의 등급과 점등 [2] 등대의 정의", date="2012-01-01", case_no="2011다2",
        cited_statutes="[1] 등대법 제5조, 없는법 제1조 / [2] 등대법 제2조, 제5조",
        cited_precedents="[2] 대법원 2010. 1. 1. 선고 2009다1 판결",
    ),
    precedent(3, "손해배상", "등대의 등급 지정", date="1960-01-01", case_no="60다3", cited_statutes="등대법 제5조"),
)  # fmt: skip
HISTORY = (
    Version("001-0005", "등대법 제5조", "1970-01-01", "", "등급", "등대의 등급은 대통령령으로 정한다."),
    Version("009-0005", "등대법 제5조", "1950-01-01", "1970-01-01", "벌칙", "불을 끈 자는 벌금에 처한다."),
)


@pytest.fixture
def store(tmp_path: Path) -> DocumentStore:
    write_documents(tmp_path / "documents.arrow", [*ARTICLES, *DECISIONS])
    return DocumentStore(tmp_path / "documents.arrow")


def test_a_corpus_gives_its_graph(store: DocumentStore) -> None:
    graph = build(store, None)
    row = {doc_id: store.row(doc_id) or 0 for doc_id in store.column("doc_id")}
    assert [link.row for link in graph.cited_by(row["001-0005"])] == [row["p2"], row["p1"], row["p3"]]
    assert graph.cites(row["p2"]) == [
        Link(row["001-0005"], "statute", "", (1, 2), False, "", "등대법 제5조"),
        Link(-1, "statute", "", (1,), False, "", "없는법 제1조"),
        Link(row["001-0002"], "statute", "", (2,), False, "", "등대법 제2조"),
        Link(row["p1"], "precedent", "", (2,), False, "", "대법원 2010. 1. 1. 선고 2009다1 판결"),
    ]
    assert graph.delegations(row["001-0005"]) == [row["002-0003"]]
    assert graph.definition(row["001-0005"]) == row["001-0002"]
    assert graph.definition(row["001-0002"]) is None
    assert graph.definition(row["p1"]) is None


def test_before_its_law_a_citation_means_the_forerunner(store: DocumentStore, tmp_path: Path) -> None:
    write_versions(tmp_path / "versions.arrow", HISTORY)
    graph = build(store, VersionStore(tmp_path / "versions.arrow"))
    (link,) = graph.cites(store.row("p3") or 0)
    assert (link.row, link.version) == (store.row("009-0005"), "1950-01-01")
    (link,) = graph.cites(store.row("p1") or 0)
    assert (link.row, link.version) == (store.row("001-0005"), "1970-01-01")
    assert forerunners(store, FilterColumns(store).names) == {"001": ["009"]}


def test_the_same_corpus_gives_the_same_bytes(store: DocumentStore, tmp_path: Path) -> None:
    for name in ("one", "two"):
        build(store, None).save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


# in the index


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("graph"), [*ARTICLES, *DECISIONS])


def test_an_index_holds_its_graph_and_checks_it(searcher: Searcher, tmp_path: Path) -> None:
    assert {path for path in searcher.index.manifest.files if path.startswith("graph/")} == {
        "graph/edges.arrow", *(f"graph/{name}.npy" for name in ARRAYS),
    }  # fmt: skip
    folder = tmp_path / "index"
    shutil.copytree(searcher.index.path, folder)
    (folder / "graph" / "cited_by.npy").unlink()
    with pytest.raises(IndexCorrupt, match="cited_by"):
        type(searcher.index).open(folder, searcher.encoder, searcher.reranker)


def test_results_tell_how_often_they_are_cited(searcher: Searcher) -> None:
    results = searcher.search(SearchRequest("등대의 등급")).results
    assert {result.doc_id: result.metadata["cited_by"] for result in results} == {
        "001-0002": 1, "001-0005": 3, "002-0003": 0, "p1": 1, "p2": 0, "p3": 0,
    }  # fmt: skip


def test_the_best_decisions_vouch_for_what_they_cite(searcher: Searcher) -> None:
    def found(weight: float) -> list[Result]:
        tuning = dataclasses.replace(searcher.tuning, link_weight=weight)
        other = Searcher(searcher.index, searcher.encoder, searcher.reranker, tuning=tuning, today=searcher.today)
        filters = Filters(kind=("precedent", "statute"))
        asked = SearchRequest("등대의 등급 지정", filters=filters, rerank=False, explain=True)
        return list(other.search(asked).results)

    plain, weighed = ([one.doc_id for one in found(weight)] for weight in (0.0, 1e3))
    assert set(plain) == set(weighed)
    decisions = [doc_id for doc_id in weighed if doc_id.startswith("p")]
    assert decisions[0] == "p1" != next(doc_id for doc_id in plain if doc_id.startswith("p"))
    votes = {one.doc_id: one.stages.links for one in found(1e3) if one.stages}
    assert (votes["p1"] or 0) > 0


@given(EDGES, st.lists(st.integers(0, 4), max_size=5, unique=True), st.lists(st.integers(0, 4), max_size=6))
def test_links_count_the_sources_that_cite(edges: list[Edge], sources: list[int], targets: list[int]) -> None:
    graph = Graph.of(edges, ROWS, DAYS)
    expected = [sum(target in graph.cited(source) for source in sources) for target in targets]
    assert graph.links(sources, np.array(targets, dtype=np.int64)).tolist() == expected


# as a signal


def pool(searcher: Searcher, day: str, rows: Sequence[str]) -> graph_signal.Pool:
    documents = searcher.index.documents
    numbers = [documents.row(doc_id) or 0 for doc_id in rows]
    query = DevQuery("2#1", "등대의 등급", day, "precedent", frozenset({"p1"}))
    return graph_signal.Pool(query, np.array(numbers), np.zeros(len(numbers)))


def test_citations_of_the_future_do_not_count(searcher: Searcher) -> None:
    signals = graph_signal.Signals(searcher)
    assert signals.cited(pool(searcher, "2012-01-01", ["p1"])).tolist() == [0.0]
    assert signals.cited(pool(searcher, "2012-01-02", ["p1"])) == pytest.approx([0.6931], abs=1e-3)


def test_candidates_vouch_for_what_they_cite_and_share(searcher: Searcher) -> None:
    signals = graph_signal.Signals(searcher)
    assert signals.linked(pool(searcher, "2020-01-01", ["p2", "p1", "p3"])) == pytest.approx([0, 0.6931, 0], abs=1e-3)
    coupled = signals.coupled(pool(searcher, "2020-01-01", ["p1", "p3"]))
    assert coupled == pytest.approx([1.0, 1.0])


def test_the_pool_of_a_query_holds_earlier_decisions_only(searcher: Searcher) -> None:
    query = DevQuery("2#1", "등대의 등급", "2012-01-01", "precedent", frozenset({"p1"}))
    (found,) = graph_signal.pools(searcher, [query], 10)
    ids = set(searcher.index.documents.column("doc_id")[found.rows])
    assert ids == {"p1", "p3"}
    assert set(graph_signal.sweep(searcher, [query], 10)) == {"cited", "linked", "both", "coupled"}
    assert searcher.columns.mask(Filters(kind=("precedent",), date_to=date(2011, 12, 31))) is not None
