"""GET /documents/{doc_id}?as_of=… and /documents/{doc_id}/versions over fake models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import serving
from tests.fakes import DOCUMENTS, build_index
from tests.test_versions import CIVIL, HISTORY, LABOUR, LATER


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    searcher = build_index(tmp_path_factory.mktemp("versions"), [*DOCUMENTS, *LATER], versions=HISTORY)
    with serving(lambda _: searcher) as ready:
        yield ready


def get(client: TestClient, path: str, status: int = 200) -> dict[str, Any]:
    response = client.get(f"/documents/{path}")
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    return body if status == 200 else body["error"]


class TestAsOf:
    def test_the_article_as_it_stood(self, client: TestClient) -> None:
        body = get(client, f"{CIVIL}?as_of=2010-01-01")
        assert (body["title"], body["text"], body["notes"]) == ("옛 제목", "손해를 물어 준다.", [])
        assert body["metadata"]["status"] == "former"
        assert body["metadata"]["effective_to"] == "2013-07-01"
        assert get(client, CIVIL)["metadata"]["status"] == "in_force"

    def test_today_is_the_default(self, client: TestClient) -> None:
        body = get(client, LABOUR)
        assert (body["text"], body["metadata"]["next_effective"]) == ("해고하지 못한다.", "2027-01-01")

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            (
                "001706-0839-02?as_of=1980-01-01",
                "was not law on 1980-01-01: its first version took effect on 1991-",
            ),
            ("001706-0839-02?as_of=2002-01-01", "was not law on 2002-01-01"),
            ("p102?as_of=2021-03-01", "was not decided by 2021-03-01: it is of 2021-03-02"),
            ("001706-0900?as_of=1980-01-01", "no document '001706-0900'"),
        ],
    )
    def test_what_was_no_law_is_not_found(self, client: TestClient, path: str, message: str) -> None:
        assert message in get(client, path, 404)["message"]

    def test_a_decision_is_what_it_is(self, client: TestClient) -> None:
        later, plain = get(client, "p102?as_of=2021-03-02"), get(client, "p102")
        assert later == plain

    @pytest.mark.parametrize(
        ("path", "note"),
        [
            ("001692-0307?as_of=2010-01-01", "the history of 형법 is not in this index: this is the newest text"),
            (
                f"{LABOUR}?as_of=1990-01-01",
                "the history of 근로기준법 begins here on 1997-03-13: this is the newest",
            ),
        ],
    )
    def test_without_history_the_newest_text_is_given_and_it_is_said(
        self, client: TestClient, path: str, note: str
    ) -> None:
        body = get(client, path)
        assert body["metadata"]["history"] == "unknown"
        assert body["notes"][0].startswith(note)

    @pytest.mark.parametrize("day", ["2020", "2020-02-30", "", "gestern", "2020-01-01T00:00"])
    def test_a_bad_day_is_refused(self, client: TestClient, day: str) -> None:
        assert get(client, f"{CIVIL}?as_of={day}", 422)["message"].startswith("as_of is ")


class TestVersions:
    def test_all_are_listed_with_what_they_are_today(self, client: TestClient) -> None:
        body = get(client, f"{LABOUR}/versions")
        assert list(body) == ["doc_id", "citation", "history", "versions", "comparison", "notes", "index"]
        assert (body["doc_id"], body["history"], body["comparison"]) == (LABOUR, "known", None)
        assert [(one["effective_from"], one["effective_to"], one["status"]) for one in body["versions"]] == [
            ("1997-03-13", "2027-01-01", "in_force"),
            ("2027-01-01", "", "not_yet"),
        ]
        assert body["notes"] == ["the history of this law begins here on 1997-03-13"]
        deleted = get(client, "001706-0915/versions")["versions"]
        assert [one["status"] for one in deleted] == ["former", "deleted"]

    def test_an_article_that_no_search_finds_has_its_versions(self, client: TestClient) -> None:
        body = get(client, "001706-0900/versions")
        assert [one["text"] for one in body["versions"]] == ["없어진 법의 조문이다."]
        assert body["notes"][1].startswith("this article is not in the newest text of its law")

    def test_two_days_are_compared(self, client: TestClient) -> None:
        found = get(client, f"{LABOUR}/versions?from=2000-01-01&to=2027-01-01")["comparison"]
        assert (found["old"]["effective_from"], found["new"]["effective_from"]) == ("1997-03-13", "2027-01-01")
        assert [(one["op"], one["text"]) for one in found["diff"]] == [
            ("delete", "해고하지"), ("insert", "정당한 이유 없이 해고하지"), ("equal", " 못한다.")
        ]  # fmt: skip

    @given(days=st.tuples(st.dates(), st.dates()).map(sorted))
    def test_the_comparison_gives_back_both_texts(self, client: TestClient, days: list[Any]) -> None:
        response = client.get(f"/documents/{CIVIL}/versions?from={days[0]}&to={days[1]}")
        if response.status_code == 404:
            assert str(days[1]) < "1960-01-01"
            return
        found = response.json()["comparison"]
        for side, left_out in (("old", "insert"), ("new", "delete")):
            text = "".join(one["text"] for one in found["diff"] if one["op"] != left_out)
            assert text == (found[side]["text"] if found[side] else "")

    def test_what_was_no_law_has_no_text_to_compare(self, client: TestClient) -> None:
        found = get(client, "001706-0839-02/versions?from=1980-01-01&to=1995-01-01")["comparison"]
        assert found["old"] is None
        assert [one["op"] for one in found["diff"]] == ["insert"]
        error = get(client, "001706-0839-02/versions?from=1980-01-01&to=2002-01-01", 404)
        assert "was not law on 1980-01-01 and 2002-01-01" in error["message"]
        assert error["details"]["first"] == "1991-01-01"

    @pytest.mark.parametrize(
        ("doc_id", "history", "status", "note"),
        [
            ("p101", "none", "", "a decision has no versions"),
            ("001692-0307", "unknown", "in_force", "the history of 형법 is not in this index"),
        ],
    )
    def test_one_text_is_given_where_no_other_is_known(
        self, client: TestClient, doc_id: str, history: str, status: str, note: str
    ) -> None:
        body = get(client, f"{doc_id}/versions?from=2000-01-01&to=2020-01-01")
        assert body["history"] == history
        assert [one["status"] for one in body["versions"]] == [status]
        assert body["versions"][0]["text"]
        assert body["comparison"] is None
        assert body["notes"][0].startswith(note)
        assert body["notes"][1] == "there is nothing to compare it with"

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("from=2020-01-01", "the query string has from without to: give both days to compare, or neither"),
            ("to=2020-01-01", "the query string has to without from: give both days to compare, or neither"),
            ("from=2020-01-02&to=2020-01-01", "the query string has from 2020-01-02 after to 2020-01-01: swap them"),
            ("from=2020-13-01&to=2020-01-01", "from is '2020-13-01', a day that the calendar does not have"),
            ("start=2020-01-01", "the query string has an unknown field 'start'"),
        ],
    )
    def test_bad_days_are_refused(self, client: TestClient, asked: str, message: str) -> None:
        assert get(client, f"{CIVIL}/versions?{asked}", 422)["message"].startswith(message)

    @pytest.mark.parametrize("doc_id", ["001706-9999", "p0", "x" * 300])
    def test_an_unknown_one_is_not_found(self, client: TestClient, doc_id: str) -> None:
        assert get(client, f"{doc_id}/versions", 404)["code"] == "not_found"


def test_an_index_without_history_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    searcher = build_index(tmp_path_factory.mktemp("bare"))
    with serving(lambda _: searcher) as client:
        body = get(client, f"{CIVIL}/versions")
        assert (body["history"], len(body["versions"])) == ("unknown", 1)
        assert get(client, f"{CIVIL}?as_of=2000-01-01")["metadata"]["history"] == "unknown"
