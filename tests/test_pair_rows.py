"""Rows of training files: both formats, written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RecordError
from app.retrieval.store import PassageStore
from tests.test_pairs import corpus_view, recipe
from training import pairs
from training.pairs import (
    Pair,
    PairsError,
    Row,
    read_json,
    read_pairs,
    write_rows,
)


@pytest.fixture
def passages(tmp_path: Path) -> PassageStore:
    return corpus_view(recipe(tmp_path)).passages


def test_both_row_formats_are_read(tmp_path: Path, passages: PassageStore) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(
        path,
        [
            {"query": "질의", "pos": ["가", "나"], "neg": ["다"]},
            {"query": "질의", "pos": ["가"]},
            {
                "query_id": "x",
                "query_text": "질의",
                "positive_passages": ["001706-0750#0"],
                "hard_negatives": ["p20#0"],
            },
            {"query_text": "질의", "positive_passages": ["001706-0750#0"]},
        ],
    )
    article, decision = (passages.text(passages.rows[one]) for one in ("001706-0750#0", "p20#0"))
    assert read_pairs(path, passages) == [
        Pair("질의", ("가", "나"), ("다",)),
        Pair("질의", ("가",)),
        Pair("질의", (article,), (decision,)),
        Pair("질의", (article,)),
    ]


def test_unknown_ids_are_an_error_with_a_count(tmp_path: Path, passages: PassageStore) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"query_text": "q", "positive_passages": [f"x-{n}#0"], "hard_negatives": ["p20#0", "x-1#0"]}
        for n in range(1, 6)
    ]
    write_rows(path, rows)
    with pytest.raises(PairsError, match=r"rows\.jsonl: 10 unknown passage ids \(x-1#0, x-2#0, x-3#0\); make pairs"):
        read_pairs(path, passages)


def test_ids_without_a_corpus_are_refused(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"query_text": "q", "positive_passages": ["x#0"], "hard_negatives": []}])
    with pytest.raises(PairsError, match="need the corpus"):
        read_pairs(tmp_path / "rows.jsonl")


def test_a_row_in_neither_format_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.jsonl", [{"anchor": "q", "positive": "p"}])
    with pytest.raises(
        PairsError, match=r"neither query/pos nor query_text/positive_passages: \['anchor', 'positive'\]"
    ):
        read_pairs(tmp_path / "rows.jsonl")


def test_a_cut_file_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"query": "a", "pos": []}\n{"query": "b", "po')
    with pytest.raises(RecordError, match=r"rows\.jsonl:2 is not JSON .* was the file cut"):
        list(read_json(tmp_path / "rows.jsonl"))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ROWS = st.lists(
    st.fixed_dictionaries({"query": TEXTS, "pos": st.lists(TEXTS, max_size=3), "neg": st.lists(TEXTS, max_size=3)})
)


@given(ROWS)
def test_rows_written_are_the_rows_read(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    path = tmp_path_factory.getbasetemp() / "any" / "rows.jsonl"
    assert write_rows(path, iter(rows)) == len(rows)
    assert list(read_json(path)) == rows
    assert read_pairs(path) == [Pair(row["query"], tuple(row["pos"]), tuple(row["neg"])) for row in rows]
    assert not path.with_name("rows.jsonl.partial").exists()


def test_rows_that_fail_leave_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [{"query": "a"}])

    def broken() -> Any:
        yield {"query": "b"}
        raise PairsError("stop")

    with pytest.raises(PairsError):
        write_rows(path, broken())
    assert list(read_json(path)) == [{"query": "a"}]


def test_the_errors_of_this_module_have_their_code() -> None:
    assert pairs.PairsError("x").code == "pairs_error"
