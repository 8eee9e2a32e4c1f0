from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.sources.front_matter import FrontMatterError, split


def test_fields_and_body() -> None:
    text = """---
제목: 등대지기 보호법
법령MST: 290135
법령ID: '001674'
소관부처:
- 해양등대부
공포일자: 2026-09-29
법령분야: ''
출처: https://example.org/법령/등대
첨부파일:
- 별표번호: '0001'
  제목: 도면
상태: 시행
---

# 등대
글
"""
    fields, body = split(text)
    assert body == "# 등대\n글"
    assert fields == {
        "제목": "등대지기 보호법", "법령MST": "290135", "법령ID": "001674", "소관부처": "", "공포일자": "2026-09-29",
        "법령분야": "", "출처": "https://example.org/법령/등대", "첨부파일": "", "상태": "시행",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a: plain text", "plain text"), ("a: 'it''s'", "it's"), ('a: "tab\\tend"', "tab\tend"), ('a: "\\q"', "\\q"),
        ("a: one\n  two\n  three", "one two three"), ("a: 'one\n  two'", "one two"), ("a: >-\n  one\n  two", "one two"),
        ("a: |\n  one", "one"), ("a:", ""), ("a: 70스1, 2", "70스1, 2"), ("a: 손해배상(기)·보수", "손해배상(기)·보수"),
        ("a: '2012다1: 2'", "2012다1: 2"), ("a: x # y", "x # y"),
    ],
)  # fmt: skip
def test_scalars(line: str, value: str) -> None:
    assert split(f"---\n{line}\n---\n")[0] == {"a": value}


@pytest.mark.parametrize("text", ["", "# 제목\n", "---\na: 1\n", "\n---\n---\n"])
def test_what_has_no_front_matter(text: str) -> None:
    with pytest.raises(FrontMatterError, match="front matter"):
        split(text)


def test_windows_line_ends_and_a_mark_at_the_head() -> None:
    assert split("\ufeff---\r\na: 1\r\n---\r\n글\r\n") == ({"a": "1"}, "글")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=40))
def test_single_quotes_give_back_what_was_quoted(value: str) -> None:
    quoted = value.strip().replace("'", "''")
    assert split(f"---\na: '{quoted}'\n---\n")[0]["a"] == value.strip()


@given(st.text(st.sampled_from("-ab: '\"\n#|>[]{}"), max_size=60))
def test_any_front_matter_is_read(inner: str) -> None:
    fields, _ = split(f"---\n{inner}\n---\n")
    assert all(isinstance(value, str) for value in fields.values())
