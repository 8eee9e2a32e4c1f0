"""Crawls of the fake API: paging, going on after a stop, updates by date, and what fails."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from app.errors import RecordError
from tests.law_go_kr_server import KEY, REFUSED, FakeLawGoKr, Odd
from tests.test_law_go_kr_quirks import ALL, api, body, crawled, law, precedent, records, server
from training.fetch.crawl import IN_A_ROW, crawl, span
from training.fetch.errors import AccessRefusedError, FetchError
from training.fetch.raw import RawFolder, Span
from training.sources.records import StatuteArticle

__all__ = ["server"]
TODAY = date(2026, 11, 23)


def bodies(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.xml"))


def laws(server: FakeLawGoKr, count: int) -> None:
    server.laws = {str(1000 + n): law(법령ID=f"99{n:04d}", 공포일자=f"2026{n % 12 + 1:02d}01") for n in range(count)}


def test_every_page_of_a_list_is_read_once(server: FakeLawGoKr, tmp_path: Path) -> None:
    laws(server, 23)
    server.rows = 5
    found = crawled(server, tmp_path)
    assert (len(found.files), found.fetched, found.failed) == (23, 23, [])
    assert server.asked("lawSearch", target="law") == 5
    assert server.asked("lawService") == 23
    assert bodies(tmp_path) == [f"law/{1000 + n}.xml" for n in range(23)]


def test_what_is_in_two_lists_is_fetched_once(server: FakeLawGoKr, tmp_path: Path) -> None:
    laws(server, 3)
    server.listed_only = [{"법령일련번호": "1001", "법령명한글": "등대지기 보호법", "시행예정": "1"}]
    assert crawled(server, tmp_path).fetched == 3
    assert server.asked("lawSearch", target="eflaw", nw="2") == 1


def test_a_list_that_ends_early_is_told(server: FakeLawGoKr, tmp_path: Path) -> None:
    laws(server, 4)
    server.rows = 2
    short = "<LawSearch><totalCnt>4</totalCnt><page>2</page></LawSearch>"

    def once(parameters: dict[str, str]) -> None:
        if parameters.get("page") == "2" and not server.asked("lawSearch", page="2"):
            server.odd.append(Odd(body=short))

    server.before = once
    found = crawled(server, tmp_path)
    assert found.failed == ["law list: 2 of 4 rows came; the rest comes with the next run"]
    again = crawled(server, tmp_path)
    assert (again.failed, len(again.files), again.fetched) == ([], 4, 2)


@pytest.mark.parametrize("identity", ["../../etc/x", "", "12a", "１２/"])
def test_an_id_that_is_no_number_names_no_file(server: FakeLawGoKr, tmp_path: Path, identity: str) -> None:
    server.listed_only = [{"법령일련번호": identity, "법령명한글": "등대법"}]
    found = crawled(server, tmp_path)
    assert "is no number" in found.failed[0]
    assert bodies(tmp_path) == []


class TestStopped:
    def stop_at(self, server: FakeLawGoKr, request: int) -> None:
        """The client dies while it waits for this request: what it has on disk is all that is left of it."""

        def stop(parameters: dict[str, str]) -> None:
            if len(server.requests) == request:
                server.odd.append(Odd(body=REFUSED))

        server.before = stop

    @pytest.mark.parametrize("request_number", range(14))
    def test_a_crawl_goes_on_where_it_was(self, server: FakeLawGoKr, tmp_path: Path, request_number: int) -> None:
        """Wherever it stops, together the two runs ask for everything exactly once, but for the request that failed."""
        laws(server, 9)
        server.rows = 3
        self.stop_at(server, request_number)
        if request_number < 13:
            with pytest.raises(AccessRefusedError):
                crawled(server, tmp_path)
        server.before = lambda parameters: None
        server.odd.clear()
        found = crawled(server, tmp_path)
        assert len(found.files) == 9
        asked = [tuple(sorted(request.items())) for request in server.requests]
        assert len(asked) == 13 + (request_number < 13)
        assert len(set(asked)) == 13

    def test_a_half_written_body_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = RawFolder(tmp_path)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            raw.add("law", "1", "XML", b"<a/>")
        assert raw.body("law", "1") is None
        assert list(tmp_path.rglob("*.*")) == []

    def test_another_span_begins_anew_but_keeps_the_bodies(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        laws(server, 3)
        crawled(server, tmp_path)
        asked = Span("2026-01-01", "2026-11-23")
        assert crawled(server, tmp_path, asked=asked).fetched == 0
        assert server.asked("lawSearch", ancYd="20260101~20261123") == 1

    def test_a_damaged_state_is_told(self, tmp_path: Path) -> None:
        (tmp_path / ".crawl").mkdir()
        (tmp_path / ".crawl" / "state.json").write_text('{"finished": ', encoding="utf-8")
        with pytest.raises(RecordError, match=r"state\.json is damaged.*remove it"):
            RawFolder(tmp_path).finished("law")


class TestFailures:
    def test_one_body_that_fails_is_left_for_next_time(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        laws(server, 3)

        def fail(parameters: dict[str, str]) -> None:
            if parameters.get("MST") == "1001":
                server.odd.append(Odd(500))

        server.before = fail
        found = crawled(server, tmp_path)
        assert (found.fetched, len(found.failed)) == (2, 1)
        assert "law 1001: lawService.do target=law MST=1001: status 500, 5 times" in found.failed[0]
        server.before = lambda parameters: None
        assert crawled(server, tmp_path).fetched == 1

    def test_many_in_a_row_stop_the_crawl(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        laws(server, IN_A_ROW + 5)

        def fail(parameters: dict[str, str]) -> None:
            if "MST" in parameters:
                server.odd.append(Odd(404))

        server.before = fail
        with pytest.raises(FetchError, match=f"{IN_A_ROW} bodies in a row failed"):
            crawled(server, tmp_path)
        assert server.asked("lawService") == 5 * IN_A_ROW


class TestByDate:
    def test_everything_first_then_a_week_before_the_last_finished_run(self, tmp_path: Path) -> None:
        raw = RawFolder(tmp_path)
        first = span(raw, "law", "", date(2026, 11, 16))
        assert first == Span("", "2026-11-16")
        raw.start("law", first)
        assert span(raw, "law", "", TODAY) == first
        raw.finish("law")
        assert span(raw, "law", "", TODAY) == Span("2026-11-09", "2026-11-23")
        assert span(raw, "prec", "", TODAY) == Span("", "2026-11-23")
        assert span(raw, "law", "2026-01-01", TODAY) == Span("2026-01-01", "2026-11-23")

    def test_a_crawl_of_some_laws_is_not_one_of_all(self, tmp_path: Path) -> None:
        raw = RawFolder(tmp_path)
        raw.start("law", span(raw, "law", "", TODAY, ("등대법",)))
        raw.finish("law")
        assert span(raw, "law", "", TODAY) == Span("", "2026-11-23")

    def test_statutes_by_promulgation_and_by_effective_date(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        days = {"1": ("20260101", "20260101"), "2": ("20261120", "20270101"), "3": ("20250101", "20261121")}
        for mst, (promulgated, effective) in days.items():
            server.laws[mst] = law(법령ID=f"99000{mst}", 공포일자=promulgated, 시행일자=effective)
        found = records(server, tmp_path, asked=Span("2026-11-16", "2026-11-23"))
        assert {one.law_id for one in found if isinstance(one, StatuteArticle)} == {"990002", "990003"}
        assert server.asked("lawSearch", target="law", ancYd="20261116~20261123") == 1
        assert server.asked("lawSearch", target="eflaw", efYd="20261116~20261123") == 1

    def test_decisions_by_their_date(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        for identity, day in (("1", "20261101"), ("2", "20261120")):
            server.precedents[identity] = precedent(판례정보일련번호=identity, 선고일자=day)
        found = crawled(server, tmp_path, "prec", Span("2026-11-16", "2026-11-23"))
        assert [path.name for path in found.files] == ["2.xml"]

    def test_rules_by_their_date(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.rules["2100000999999"] = body("rule")
        for since, count in (("2023-05-01", 1), ("2023-06-01", 0)):
            found = crawled(server, tmp_path, "admrul", Span(since, "2026-11-23"))
            assert len(found.files) == count


def test_json_bodies_are_kept_as_json_and_count_as_here(server: FakeLawGoKr, tmp_path: Path) -> None:
    laws(server, 1)
    raw = RawFolder(tmp_path)
    (path,) = crawl(api(server, form="JSON"), raw, "law", ALL).files
    assert path.name == "1000.json"
    raw.finish("law")
    assert crawl(api(server), raw, "law", ALL).fetched == 0


def test_the_raw_folder_holds_bodies_as_they_came(server: FakeLawGoKr, tmp_path: Path) -> None:
    laws(server, 1)
    (path,) = crawled(server, tmp_path).files
    assert path.read_bytes() == api(server).body("law", MST="1000")
    assert KEY.encode() not in path.read_bytes()
