from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RecordError
from tests.judged import ranking
from training.run_files import read_runs, write_run
from training.scores import run_of


def test_a_run_is_a_trec_file_with_tabs(tmp_path: Path) -> None:
    run = run_of({"q1": ranking(["민법 제750조", "상법 제24조"]), "q2": ranking([])})
    write_run(tmp_path, "articles", "hybrid+rerank", run)
    assert (tmp_path / "runs" / "articles.hybrid+rerank.tsv").read_text(encoding="utf-8") == (
        "q1\tQ0\t민법 제750조\t1\t2\thybrid+rerank\nq1\tQ0\t상법 제24조\t2\t1\thybrid+rerank\n"
    )


@given(
    st.dictionaries(st.from_regex(r"\A\d+#\d\Z"), st.lists(st.sampled_from(["민법 제1조", "p1", "p2"]), unique=True))
)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, list[str]]) -> None:
    """A query for which nothing was found is lost."""
    folder = tmp_path_factory.mktemp("runs")
    run = run_of({query_id: ranking(keys) for query_id, keys in drawn.items()})
    write_run(folder, "articles", "bm25", run)
    write_run(folder, "precedents", "dense", run)
    assert read_runs(folder, "articles") == {"bm25": {query_id: one for query_id, one in run.items() if one}}


def test_systems_of_earlier_runs_go_by_todays_names(tmp_path: Path) -> None:
    write_run(tmp_path, "articles", "reranked", run_of({"q1": ranking(["a"])}))
    assert read_runs(tmp_path, "articles") == {"hybrid+rerank": {"q1": {"a": 1.0}}}
    assert read_runs(tmp_path, "precedents") == read_runs(tmp_path / "nowhere", "articles") == {}


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "articles.bm25.tsv").write_text("q1\tQ0\ta\t1\t2\tbm25\nq1 Q0 b 2 1 bm25\n")
    with pytest.raises(RecordError, match=r"articles\.bm25\.tsv:2 has 1 tab-separated fields, expected 6"):
        read_runs(tmp_path, "articles")
