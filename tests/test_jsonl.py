from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import zstandard

from training.recipe import RecipeError
from training.sources import find, jsonl, read
from training.sources.records import DELETED, Broken, Decision, StatuteArticle

ARTICLE = {
    "law_id": "001706", "law": "민법", "kind": "법률", "article": "제750조", "title": "불법행위의 내용",
    "text": "손해를 배상할 책임이 있다.", "effective_date": "2024-05-17", "promulgated_date": "2024-01-01", "mst": "1",
}  # fmt: skip
DECISION = {
    "precedent_id": "211793", "case_no": "2019다14110", "case_name": "손해배상(기)", "court": "대법원",
    "court_level": "대법원", "case_type": "민사", "decision_date": "2020-08-20", "issues": "[1] 요건",
    "holdings": "[1] 요건이다.", "cited_statutes": "[1] 민법 제750조", "cited_precedents": "",
}  # fmt: skip


def article(**changes: Any) -> StatuteArticle:
    return StatuteArticle(**{**ARTICLE, **changes})


def decision(**changes: Any) -> Decision:
    return Decision(**{**DECISION, **changes})


def line(row: Any) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def broken(path: Path) -> list[Broken]:
    return [record for record in jsonl.read(path) if isinstance(record, Broken)]


def written(path: Path, *rows: Any) -> Path:
    path.write_bytes(b"".join(row if isinstance(row, bytes) else line(row) for row in rows))
    return path


def test_an_article_is_read(tmp_path: Path) -> None:
    assert list(jsonl.read(written(tmp_path / "statutes.jsonl", ARTICLE))) == [article()]


def test_a_decision_is_read(tmp_path: Path) -> None:
    assert list(jsonl.read(written(tmp_path / "precedents.jsonl", DECISION))) == [decision()]


def test_optional_fields_may_lack_or_be_null(tmp_path: Path) -> None:
    statute = {key: ARTICLE[key] for key in ("law_id", "law", "article", "text", "effective_date")}
    precedent = {key: DECISION[key] for key in ("precedent_id", "case_no", "court", "decision_date")}
    path = written(
        tmp_path / "statutes.jsonl", {**statute, "title": None}, {**precedent, "issues": None, "sample": True}
    )
    first, second = jsonl.read(path)
    assert isinstance(first, StatuteArticle)
    assert (first.title, first.kind, first.sample) == ("", "", False)
    assert isinstance(second, Decision)
    assert (second.issues, second.sample) == ("", True)


def test_a_title_loses_its_parentheses(tmp_path: Path) -> None:
    (record,) = jsonl.read(written(tmp_path / "statutes.jsonl", {**ARTICLE, "title": "(불법행위의 내용)"}))
    assert isinstance(record, StatuteArticle)
    assert record.title == "불법행위의 내용"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"{broken\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b"[1]\n", "expected an object, found list"),
        (b"7\n", "expected an object, found int"),
        ({**ARTICLE, "law_id": 1706}, "missing or not text: law_id"),
        ({k: v for k, v in ARTICLE.items() if k != "text"}, "missing or not text: text"),
        ({**ARTICLE, "title": 5, "mst": 7}, "missing or not text: title, mst"),
        ({**ARTICLE, "effective_date": "2024.5.17"}, "date '2024.5.17' is not YYYY-MM-DD"),
        ({**ARTICLE, "effective_date": "20240517"}, "date '20240517'"),
        ({**ARTICLE, "effective_date": "2024-02-30"}, "date '2024-02-30'"),
        ({**ARTICLE, "law_id": " "}, "law_id is empty"),
        ({**DECISION, "decision_date": None}, "missing or not text: decision_date"),
        ({**DECISION, "decision_date": "4289-13-01"}, "date '4289-13-01'"),
        ({**DECISION, "issues": ["가"]}, "missing or not text: issues"),
        ({**DECISION, "precedent_id": ""}, "precedent_id is empty"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path: Path, row: Any, reason: str) -> None:
    path = written(tmp_path / "statutes.jsonl", ARTICLE, b"\n", row, DECISION)
    records = list(jsonl.read(path))
    assert [type(record) for record in records] == [StatuteArticle, Broken, Decision]
    assert isinstance(records[1], Broken)
    assert records[1].where == "statutes.jsonl:3"
    assert reason in records[1].reason


def test_a_blank_date_of_a_decision_is_kept(tmp_path: Path) -> None:
    (record,) = jsonl.read(written(tmp_path / "precedents.jsonl", {**DECISION, "decision_date": ""}))
    assert isinstance(record, Decision)
    assert record.decision_date == ""


# deleted articles


@pytest.mark.parametrize(
    "text",
    [
        "삭제",
        "삭제 <2010.5.14>",
        "제5조 삭제 <2010.5.14>",
        "제5조의2 삭제 [2020. 1. 1.]",
        "제5조(목적) 삭제<1999.1.1>",
        "  삭제 ",
    ],
)
def test_deleted_articles_are_marked(tmp_path: Path, text: str) -> None:
    (record,) = jsonl.read(written(tmp_path / "statutes.jsonl", {**ARTICLE, "text": text}))
    assert isinstance(record, StatuteArticle)
    assert record.deleted


@pytest.mark.parametrize(
    "text",
    [
        "제44조의2(정보의 삭제요청 등) ① 삭제를 요청할 수 있다.",
        "삭제를 요청할 수 있다.",
        "제1항을 삭제한다.",
        "정보의 삭제",
    ],
)
def test_articles_about_deletion_are_not_deleted(text: str) -> None:
    assert not DELETED.match(text)


# compressed files


def rows(first: int, last: int) -> bytes:
    return b"".join(line({**ARTICLE, "article": f"제{n}조"}) for n in range(first, last))


def compressed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def articles(path: Path) -> list[str]:
    return [record.article for record in jsonl.read(path) if isinstance(record, StatuteArticle)]


def skippable(size: int) -> bytes:
    """A frame of `size` bytes that a decoder passes over, as parallel compressors write them."""
    return struct.pack("<II", 0x184D2A50, size - 8) + bytes(size - 8)


def test_a_compressed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    plain, packed = tmp_path / "statutes.jsonl", tmp_path / "statutes.jsonl.zst"
    plain.write_bytes(rows(1, 300).rstrip(b"\n"))
    packed.write_bytes(compressed(plain.read_bytes()))
    assert list(jsonl.read(packed)) == list(jsonl.read(plain))
    assert len(articles(packed)) == 299


@pytest.mark.parametrize("read_at_once", [1, 7, 1 << 18])
def test_a_file_of_several_frames_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_at_once: int
) -> None:
    """Wherever the blocks that are read begin: also where one ends exactly with a frame."""
    monkeypatch.setattr(jsonl, "BLOCK", read_at_once)
    path = tmp_path / "statutes.jsonl.zst"
    path.write_bytes(compressed(rows(1, 20)) + skippable(40) + compressed(b"") + compressed(rows(20, 40)))
    assert articles(path) == [f"제{n}조" for n in range(1, 40)]
    assert broken(path) == []


def test_a_file_cut_in_the_middle_is_reported_and_the_rest_kept(tmp_path: Path) -> None:
    path, whole = tmp_path / "statutes.jsonl.zst", compressed(rows(1, 5000))
    path.write_bytes(whole[: len(whole) // 2])
    kept = articles(path)
    assert 0 < len(kept) < 4999
    assert kept == [f"제{n}조" for n in range(1, len(kept) + 1)]
    (report,) = broken(path)
    assert report.where == f"statutes.jsonl.zst:{len(kept) + 1}"
    assert "ends in the middle" in report.reason


@pytest.mark.parametrize("cut", [0, 1, 4, 10, -1])
def test_any_cut_is_reported(tmp_path: Path, cut: int) -> None:
    path, whole = tmp_path / "statutes.jsonl.zst", compressed(rows(1, 100))
    path.write_bytes(whole[:cut])
    assert len(broken(path)) == 1


def test_damage_is_reported_and_what_came_before_kept(tmp_path: Path) -> None:
    path = tmp_path / "statutes.jsonl.zst"
    path.write_bytes(compressed(rows(1, 10)) + b"this is no frame at all")
    assert articles(path) == [f"제{n}조" for n in range(1, 10)]
    (report,) = broken(path)
    assert report.where == "statutes.jsonl.zst:10"
    assert "damaged" in report.reason


# which files


def test_a_folder_gives_statutes_first(tmp_path: Path) -> None:
    for name in ("precedents.jsonl", "statutes.jsonl.zst", "precedents.2.jsonl", "queries.jsonl", "README.md"):
        (tmp_path / name).write_bytes(b"")
    found = [path.name for path in find(str(tmp_path))]
    assert found == ["statutes.jsonl.zst", "precedents.2.jsonl", "precedents.jsonl"]
    assert find(str(tmp_path / "queries.jsonl")) == [tmp_path / "queries.jsonl"]


def test_a_source_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"does not exist; set corpus\.sources"):
        find(str(tmp_path / "nothing"))
    with pytest.raises(RecipeError, match=r"holds no statutes\.jsonl"):
        find(str(tmp_path))


def test_files_are_read_by_their_name(tmp_path: Path) -> None:
    (record,) = read(written(tmp_path / "own.jsonl", DECISION))
    assert isinstance(record, Decision)
