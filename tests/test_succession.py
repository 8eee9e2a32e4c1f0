from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from training.record_files import Row
from training.succession import accumulate, insert, version


def article(name: str, text: str, day: str, **fields: str) -> Row:
    return {
        "law_id": "990001", "law": "등대법", "kind": "법률", "article": name, "title": "", "text": text,
        "effective_date": day, "promulgated_date": day, "mst": "1", **fields,
    }  # fmt: skip


def law(day: str, **articles: str) -> dict[str, Row]:
    return {name: article(name, text, day) for name, text in articles.items()}


def spans(rows: list[Row]) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for row in rows:
        found.setdefault(row["article"], []).append((row["text"], row["effective_from"], row["effective_to"]))
    return found


def test_what_changed_ends_and_what_is_new_begins_on_its_day() -> None:
    old, new = law("2020-01-01", 갑="하나", 을="둘", 병="셋"), law("2024-07-01", 갑="하나", 을="둘째", 정="넷")
    assert spans(accumulate([], old, new)) == {
        "갑": [("하나", "2020-01-01", "")],
        "을": [("둘", "2020-01-01", "2024-07-01"), ("둘째", "2024-07-01", "")],
        "병": [("셋", "2020-01-01", "2024-07-01")],
        "정": [("넷", "2024-07-01", "")],
    }


def test_an_article_may_take_effect_on_a_day_of_its_own() -> None:
    old, new = law("2020-01-01", 갑="하나", 을="둘", 병="셋"), law("2024-07-01", 갑="첫째", 을="둘")
    new["갑"]["effective_date"] = "2026-01-01"
    new["정"] = article("정", "넷", "2024-07-01")
    found = spans(accumulate([], old, new))
    assert found["갑"] == [("하나", "2020-01-01", "2026-01-01"), ("첫째", "2026-01-01", "")]
    assert found["병"] == [("셋", "2020-01-01", "2024-07-01")]


def test_history_grows_and_doing_it_again_changes_nothing() -> None:
    first, second, third = (law(f"20{year}-01-01", 갑=f"글 {year}") for year in (20, 22, 24))
    known = accumulate(accumulate([], first, second), second, third)
    assert spans(known)["갑"] == [
        ("글 20", "2020-01-01", "2022-01-01"), ("글 22", "2022-01-01", "2024-01-01"), ("글 24", "2024-01-01", ""),
    ]  # fmt: skip
    assert accumulate(known, second, third) == known
    assert accumulate(known, third, third) == known


def test_a_version_promulgated_later_may_take_effect_earlier() -> None:
    """What is to come stays: the article has it from then on."""
    known = accumulate([], law("2020-01-01", 갑="하나"), law("2027-01-01", 갑="앞날"))
    found = spans(accumulate(known, law("2027-01-01", 갑="앞날"), law("2026-01-01", 갑="둘")))
    assert found["갑"] == [
        ("하나", "2020-01-01", "2026-01-01"), ("둘", "2026-01-01", "2027-01-01"), ("앞날", "2027-01-01", ""),
    ]  # fmt: skip


def test_of_two_texts_for_the_same_day_the_later_one_stands() -> None:
    known = accumulate([], law("2020-01-01", 갑="하나"), law("2024-01-01", 갑="둘"))
    found = spans(accumulate(known, law("2024-01-01", 갑="둘"), law("2024-01-01", 갑="셋")))
    assert found["갑"] == [("하나", "2020-01-01", "2024-01-01"), ("셋", "2024-01-01", "")]


def test_an_article_that_came_back_was_not_there_in_between() -> None:
    known = accumulate([], law("2020-01-01", 갑="하나", 을="둘"), law("2022-01-01", 갑="하나"))
    found = spans(accumulate(known, law("2022-01-01", 갑="하나"), law("2024-01-01", 갑="하나", 을="둘")))
    assert found["을"] == [("둘", "2020-01-01", "2022-01-01"), ("둘", "2024-01-01", "")]


def test_without_a_day_nothing_is_dated() -> None:
    assert spans(accumulate([], law("2020-01-01", 갑="하나"), law("", 을="둘"))) == {"갑": [("하나", "2020-01-01", "")]}


DAYS = st.dates(date(2000, 1, 1), date(2003, 1, 1)).map(date.isoformat)
TEXTS = st.sampled_from(["하나", "둘", "셋"])


@given(st.lists(st.tuples(DAYS, TEXTS), max_size=12), DAYS)
def test_at_any_day_the_text_is_that_of_the_last_version_before_it(told: list[tuple[str, str]], day: str) -> None:
    """Against the plainest form of the same: a dict of day → text, in which the text that is in force is no news."""
    rows: list[Row] = []
    plain: dict[str, Any] = {}
    for begins, text in told:
        rows = insert(rows, version(article("갑", text, begins)))
        last = max((known for known in plain if known < begins), default="")
        if not last or begins in plain or plain[last] != text:
            plain[begins] = text
    assert [row["effective_from"] for row in rows] == sorted({row["effective_from"] for row in rows})
    in_force = [row["text"] for row in rows if row["effective_from"] <= day < (row["effective_to"] or "9")]
    before = [begins for begins in sorted(plain) if begins <= day]
    assert in_force == ([plain[before[-1]]] if before else [])
