from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RecordError
from tests.test_succession import article
from training import sources
from training.record_files import (
    FIELDS,
    PRECEDENTS,
    STATUTES,
    VERSIONS,
    article_order,
    precedent_row,
    read_rows,
    statute_row,
    write_rows,
)
from training.sources.records import Decision, StatuteArticle

ARTICLE = StatuteArticle("990001", "등대법", "법률", "제1조", "목적", "글", "2024-07-01", "2024-01-02", "1001")
DECISION = Decision(
    "900001", "2031다1", "등대사용료", "대법원", "대법원", "민사", "2031-02-14", "쟁점", "요지", "조문", "판례"
)


def lines(path: Path) -> list[bytes]:
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()


def test_a_row_has_the_names_and_the_order_of_the_public_dumps(tmp_path: Path) -> None:
    write_rows(tmp_path, STATUTES, [statute_row(ARTICLE)])
    write_rows(tmp_path, PRECEDENTS, [precedent_row(DECISION)])
    (statute,), (decision,) = (lines(tmp_path / f"{name}.jsonl.zst") for name in (STATUTES, PRECEDENTS))
    assert list(orjson.loads(statute).items()) == [
        ("law_id", "990001"), ("law", "등대법"), ("kind", "법률"), ("article", "제1조"), ("title", "목적"),
        ("text", "글"),
        ("effective_date", "2024-07-01"), ("promulgated_date", "2024-01-02"), ("mst", "1001"),
    ]  # fmt: skip
    assert tuple(orjson.loads(decision)) == FIELDS[PRECEDENTS]
    found = [record for path in sources.find(str(tmp_path)) for record in sources.read(path)]
    assert found == [ARTICLE, DECISION]


def test_what_is_not_known_is_null(tmp_path: Path) -> None:
    row = {**dict.fromkeys(FIELDS[VERSIONS], ""), "law_id": "1", "article": "제1조"}
    write_rows(tmp_path, VERSIONS, [row])
    (line,) = lines(tmp_path / "statute_versions.jsonl.zst")
    assert {name for name, value in orjson.loads(line).items() if value is None} == {"title", "effective_to"}
    assert list(read_rows(tmp_path, VERSIONS)) == [row]


NAMES = ["제2조", "제2조의2", "제2조의10", "제10조", "전문"]
ROWS = st.lists(
    st.builds(
        article,
        st.sampled_from(["제2조", "제10조", "제2조의2", "제1장", "제2조의10"]),
        st.text(max_size=5),
        st.just(""),
    ),
    unique_by=lambda row: row["article"],
)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.randoms())
def test_the_order_in_which_rows_come_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], chance: object
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder, STATUTES, rows)
    first = (folder / "statutes.jsonl.zst").read_bytes()
    write_rows(folder, STATUTES, reversed(rows))
    assert (folder / "statutes.jsonl.zst").read_bytes() == first
    assert sorted(map(repr, read_rows(folder, STATUTES))) == sorted(map(repr, rows))


def test_articles_go_by_number() -> None:
    assert sorted(sorted(NAMES), key=article_order) == NAMES


@pytest.mark.parametrize("line", [b"{", b"[1]", b'"text"'])
def test_a_line_that_cannot_be_read_stops_before_anything_is_lost(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "statutes.jsonl.zst").write_bytes(zstandard.compress(b'{"law_id": "1"}\n' + line + b"\n"))
    with pytest.raises(RecordError, match=r"statutes\.jsonl\.zst:2 .*nothing was changed"):
        list(read_rows(tmp_path, STATUTES))


def test_a_cut_file_stops_too(tmp_path: Path) -> None:
    write_rows(tmp_path, STATUTES, [statute_row(ARTICLE)])
    path = tmp_path / "statutes.jsonl.zst"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RecordError, match="nothing was changed"):
        list(read_rows(tmp_path, STATUTES))


def test_a_plain_file_of_the_same_name_would_be_read_beside_ours(tmp_path: Path) -> None:
    (tmp_path / "statutes.jsonl").touch()
    with pytest.raises(RecordError, match="name another folder as --out"):
        list(read_rows(tmp_path, STATUTES))


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_rows(tmp_path, STATUTES, [statute_row(ARTICLE)])
    before = (tmp_path / "statutes.jsonl.zst").read_bytes()
    with pytest.raises(KeyError):
        write_rows(tmp_path, STATUTES, [{"law_id": "1", "article": "제1조"}])
    assert [path.name for path in tmp_path.iterdir()] == ["statutes.jsonl.zst"]
    assert (tmp_path / "statutes.jsonl.zst").read_bytes() == before
