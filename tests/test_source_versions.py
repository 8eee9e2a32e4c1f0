from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.test_jsonl import line
from training import sources
from training.sources import jsonl, versions
from training.sources.records import ArticleVersion, Broken

ROW = {
    "law_id": "001706", "law": "민법", "article": "제750조", "title": "불법행위의 내용", "text": "배상한다.",
    "effective_from": "1960-01-01", "effective_to": None,
}  # fmt: skip


def read(path: Path, *rows: Any) -> list[ArticleVersion | Broken]:
    content = b"".join(row if isinstance(row, bytes) else line(row) for row in rows)
    path.write_bytes(zstandard.compress(content) if path.suffix == ".zst" else content)
    return list(versions.read(path))


@pytest.mark.parametrize("name", versions.FILES)
def test_a_version_is_read(tmp_path: Path, name: str) -> None:
    rows = (
        ROW,
        b"\n",
        {**ROW, "effective_to": "2013-07-01", "title": None, "sample": True},
        {**ROW, "effective_to": ""},
    )
    whole = ArticleVersion("001706", "민법", "제750조", "불법행위의 내용", "배상한다.", "1960-01-01", "")
    ended = ArticleVersion("001706", "민법", "제750조", "", "배상한다.", "1960-01-01", "2013-07-01")
    assert read(tmp_path / name, *rows) == [whole, ended, whole]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"{\n", "not JSON"),
        (b"[]\n", "expected an object, found list"),
        ({**ROW, "text": None}, "missing or not text: text"),
        ({**ROW, "effective_to": 20130701}, "missing or not text: effective_to"),
        ({key: ROW[key] for key in ROW if key != "law"}, "missing or not text: law"),
        ({**ROW, "law_id": " "}, "law_id is empty"),
        ({**ROW, "effective_from": ""}, "date '' is not YYYY-MM-DD"),
        ({**ROW, "effective_to": "2013-02-30"}, "date '2013-02-30' is not YYYY-MM-DD"),
    ],
)
def test_what_cannot_be_used_is_broken_and_the_rest_is_read(tmp_path: Path, row: Any, reason: str) -> None:
    found = read(tmp_path / "statute_versions.jsonl", ROW, row, ROW)
    assert [type(one) for one in found] == [ArticleVersion, Broken, ArticleVersion]
    assert isinstance(found[1], Broken)
    assert found[1].where == "statute_versions.jsonl:2"
    assert found[1].reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "deleted"), [("삭제 <2021. 1. 26.>", True), ("제915조 삭제", True), ("정보의 삭제를 요구한다.", False)]
)
def test_a_deletion_is_told_from_an_article_about_deletion(tmp_path: Path, text: str, deleted: bool) -> None:
    (found,) = read(tmp_path / "statute_versions.jsonl", {**ROW, "text": text})
    assert isinstance(found, ArticleVersion)
    assert found.deleted == deleted


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("재산분할", "재산분할"),
        ("(재산분할)", "재산분할"),
        (" ((재산분할)) ", "재산분할"),
        ("(기간등 <개정 1983.12.30>)", "기간등"),
        ("(갑)과 (을)", "(갑)과 (을)"),
        ("업(業)", "업(業)"),
        ("(열림", "(열림"),
        ("()", ""),
        ("", ""),
    ],
)
def test_a_title_loses_the_brackets_that_hold_it(written: str, title: str) -> None:
    assert jsonl.bare_title(written) == title


@pytest.mark.parametrize(
    ("start", "end", "ever"),
    [("2000-01-01", "", True), ("2000-01-01", "2000-01-02", True), ("2000-01-01", "2000-01-01", False),
     ("2000-01-02", "2000-01-01", False)],
)  # fmt: skip
def test_a_version_that_ends_before_it_begins_was_never_law(start: str, end: str, ever: bool) -> None:
    assert ArticleVersion("1", "법", "제1조", "", "글", start, end).ever_in_force == ever


def test_version_files_are_no_records_and_are_found_apart(tmp_path: Path) -> None:
    for name in ("statutes.jsonl", "statute_versions.jsonl", "precedents.jsonl"):
        (tmp_path / name).touch()
    history = tmp_path / "statute_versions.jsonl"
    assert [path.name for path in sources.find(str(tmp_path))] == ["statutes.jsonl", "precedents.jsonl"]
    assert sources.find(str(history)) == []
    assert versions.find(str(tmp_path)) == versions.find(str(history)) == [history]
    assert versions.find(str(tmp_path / "statutes.jsonl")) == []
