from __future__ import annotations

from pathlib import Path

import pytest

from tests.judged import QUERIES, query, write_citizens, write_dev
from training.tracks import TRACKS, tracks


def test_the_tracks_of_a_dev_folder(tmp_path: Path) -> None:
    articles, precedents = tracks(write_dev(tmp_path))
    assert (articles.name, precedents.name) == ("articles", "precedents")
    assert [one.query_id for one in articles.queries] == ["103#1", "9#0", "8#0"]
    assert articles.queries[0] == query("103#1", "민법 제750조", text=QUERIES[0]["text"], date="2023-02-02")
    assert articles.rows["9#0"] == QUERIES[1]
    assert articles.qrels["8#0"] == {"근로기준법 제23조": 1}  # relevance 0 is not relevant
    assert [one.query_id for one in precedents.queries] == ["103#1", "8#0"]
    assert precedents.queries[1].relevant == {"p102"}
    assert precedents.queries[1].kind == "precedent"


def test_citizens_come_from_a_folder_of_their_own(tmp_path: Path) -> None:
    every = list(tracks(write_dev(tmp_path / "dev"), write_citizens(tmp_path / "citizen")))
    assert tuple(part.name for part in every) == TRACKS
    assert every[1].queries[0] == query("c0", "형법 시행령 제3조", text="친구가 제 험담을 퍼뜨려요")


@pytest.mark.parametrize("missing", ["queries.jsonl", "qrels.articles.tsv"])
def test_citizens_that_are_not_there_are_left_out_aloud(
    tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_citizens(tmp_path / "citizen")
    (folder / missing).unlink()
    assert [part.name for part in tracks(write_dev(tmp_path), folder)] == ["articles", "precedents"]
    assert capsys.readouterr().out == f"citizens: left out, {folder} needs queries.jsonl and qrels.articles.tsv\n"


def test_a_track_without_qrels_is_left_out(tmp_path: Path) -> None:
    (write_dev(tmp_path) / "qrels.precedents.tsv").unlink()
    assert [part.name for part in tracks(tmp_path)] == ["articles"]
    assert list(tracks(tmp_path / "nowhere")) == []


def test_at_most_so_many_queries_the_same_each_time(tmp_path: Path) -> None:
    write_dev(tmp_path)
    drawn = [[one.query_id for one in part.queries] for part in tracks(tmp_path, limit=2)]
    assert [len(ids) for ids in drawn] == [2, 2]
    assert drawn == [[one.query_id for one in part.queries] for part in tracks(tmp_path, limit=2)]
    order = [row["query_id"] for row in QUERIES]
    assert drawn[0] == sorted(drawn[0], key=order.index)
    assert all(part.rows.keys() == {one.query_id for one in part.queries} for part in tracks(tmp_path, limit=2))
