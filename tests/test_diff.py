from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.diff import Change, diff

TEXTS = st.text("가나다 \n①.\u3000", max_size=40)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("", "", []),
        ("임대인은 알린다.", "임대인은 알린다.", [("equal", "임대인은 알린다.")]),
        ("", "새 조문", [("insert", "새 조문")]),
        ("옛 조문", "", [("delete", "옛 조문")]),
        (
            "5년까지 갱신을 요구할 수 있다.",
            "10년까지 갱신을 요구할 수 있다.",
            [("delete", "5년까지"), ("insert", "10년까지"), ("equal", " 갱신을 요구할 수 있다.")],
        ),
        ("① 하나\n② 둘", "① 하나\n③ 둘", [("equal", "① 하나"), ("delete", "\n②"), ("insert", "\n③"), ("equal", " 둘")]),
    ],
)
def test_changes_by_example(old: str, new: str, changes: list[tuple[str, str]]) -> None:
    assert [(change.op, change.text) for change in diff(old, new)] == changes


@given(TEXTS, TEXTS)
def test_the_changes_give_back_both_texts(old: str, new: str) -> None:
    changes = diff(old, new)
    assert "".join(change.text for change in changes if change.op != "insert") == old
    assert "".join(change.text for change in changes if change.op != "delete") == new
    assert all(change.text for change in changes)


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert diff(text, text) == ((Change("equal", text),) if text else ())


def test_words_that_come_often_are_compared_too() -> None:
    """difflib passes over frequent words of long texts unless told not to."""
    old = "및 " * 400 + "끝"
    assert [change.op for change in diff(old, old.replace("끝", "마침"))] == ["equal", "delete", "insert"]
