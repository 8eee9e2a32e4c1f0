"""The 17 quirks of the law.go.kr Open API, each served by a local fake of it: docs/sources.md lists them.

The records are invented. The live API was not reached; what is known of it was read in public reports.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.law.text import display_text, model_text
from tests.law_go_kr_server import KEY, NONE, REFUSED, FakeLawGoKr, Odd, to_xml
from tests.test_law_go_kr import FIXTURES
from tests.test_pace import Clock, pace
from training.fetch.api import HOPS, Api, Form
from training.fetch.crawl import Crawled, crawl
from training.fetch.errors import AccessRefusedError, FetchError, NoSuchBodyError
from training.fetch.key import Key
from training.fetch.raw import RawFolder, Span
from training.fetch.transport import transport
from training.merging import Corpus
from training.sources import law_go_kr
from training.sources.records import Broken, Decision, Record, StatuteArticle

ALL = Span("", "2026-11-23")
PAGE = "<!DOCTYPE html><html><body>서비스 점검 중입니다.</body></html>"


def body(name: str) -> dict[str, Any]:
    root: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_bytes())
    return root


def law(name: str = "paragraphs", **base: str) -> dict[str, Any]:
    """A statute of a fixture, with some of its 기본정보 replaced."""
    root = body(name)
    root["법령"]["기본정보"].update(base)
    return root


def precedent(**fields: str) -> dict[str, Any]:
    return {"PrecService": {**body("precedent")["PrecService"], **fields}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeLawGoKr]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FakeLawGoKr() as server:
        yield server


def api(server: FakeLawGoKr, clock: Clock | None = None, form: Form = "XML", key: str = KEY) -> Api:
    """A client of the fake, whose waits take no time."""
    return Api(Key(key), server.base, form, pace=pace(clock or Clock()), get=transport(timeout=5))


def crawled(server: FakeLawGoKr, folder: Path, target: str = "law", asked: Span = ALL, **options: Any) -> Crawled:
    return crawl(api(server, **options), RawFolder(folder), target, asked)


def records(server: FakeLawGoKr, folder: Path, target: str = "law", **options: Any) -> list[Record]:
    return list(law_go_kr.read_files(crawled(server, folder, target, **options).files, folder))


def articles(found: list[Record]) -> dict[str, StatuteArticle]:
    return {one.article: one for one in found if isinstance(one, StatuteArticle)}


class TestOnTheWay:
    def test_quirk_01_no_quota_is_published_so_we_are_slow(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws = {str(number): law(법령ID=f"99{number}") for number in range(1001, 1021)}
        clock = Clock()
        crawled(server, tmp_path, clock=clock)
        assert len(server.requests) == 22
        assert clock.now == pytest.approx((len(server.requests) - 1) / 5)

    def test_quirk_01_too_many_requests_is_waited_out_as_long_as_asked(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        server.odd = [Odd(429, headers={"Retry-After": "40"})]
        clock = Clock()
        api(server, clock).body("law", MST="1")
        assert clock.now == pytest.approx(40)

    def test_quirk_02_the_referer_and_a_browser_are_named(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        api(server).body("law", MST="1")
        assert server.headers[0]["Referer"] == "https://www.law.go.kr/"
        assert server.headers[0]["User-Agent"].startswith("Mozilla/5.0 ")
        assert "Beopgil" in server.headers[0]["User-Agent"]

    def test_quirk_02_an_unknown_user_is_told_what_to_do_and_not_asked_again(self, server: FakeLawGoKr) -> None:
        with pytest.raises(AccessRefusedError, match=r"사용자 정보 검증에 실패.*Register the OC and the address"):
            api(server, key="stranger").body("law", MST="1")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("form", ["XML", "JSON"])
    def test_quirk_02_the_refusal_comes_in_both_forms(self, server: FakeLawGoKr, form: Form) -> None:
        server.odd = [Odd(body=REFUSED if form == "XML" else (FIXTURES / "error_refused.json").read_text())]
        with pytest.raises(AccessRefusedError):
            api(server, form=form).body("law", MST="1")

    def test_quirk_02_a_target_without_application_is_refused(self, server: FakeLawGoKr) -> None:
        server.odd = [Odd(body="<Response><result>미신청된 목록/본문에 대한 접근입니다.</result></Response>")]
        with pytest.raises(AccessRefusedError, match="Apply for this target"):
            api(server).body("admrul", ID="1")

    def script(self, server: FakeLawGoKr, to: str = "") -> Odd:
        to = to or f"{server.base}lawService.do?OC={KEY.replace('+', '%2B')}&target=law&MST=1&type=XML&seen=1"
        half = len(to) // 2
        return Odd(body=f"<html><script>window.location.assign('{to[:half]}' + \"{to[half:]}\");</script></html>")

    def test_quirk_03_a_script_that_sends_the_browser_on_is_followed(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        server.odd = [self.script(server)] * HOPS
        assert "등대지기".encode() in api(server).body("law", MST="1")
        assert server.asked("lawService", seen="1") == HOPS

    def test_quirk_03_not_further_than_three_hops(self, server: FakeLawGoKr) -> None:
        server.odd = [self.script(server)] * 100
        with pytest.raises(FetchError, match=f"sent on more than {HOPS} times"):
            api(server).body("law", MST="1")
        assert len(server.requests) == 5 * (HOPS + 1)

    @pytest.mark.parametrize("to", ["https://www.law.go.kr.example/DRF/", "//127.0.0.2/", "ftp://127.0.0.1/"])
    def test_quirk_03_never_to_another_host(self, server: FakeLawGoKr, to: str) -> None:
        server.odd = [self.script(server, to), Odd(302, headers={"Location": to}), Odd(500), Odd(500), Odd(500)]
        with pytest.raises(FetchError):
            api(server).body("law", MST="1")
        assert len(server.requests) == 5

    def test_quirk_03_a_redirect_of_http_counts_as_a_hop(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        server.odd = [
            Odd(302, headers={"Location": f"/DRF/lawService.do?OC={KEY.replace('+', '%2B')}&target=law&MST=1&type=XML"})
        ]
        api(server).body("law", MST="1")
        assert len(server.requests) == 2

    @pytest.mark.parametrize("odd", [Odd(), Odd(body=" \n"), Odd(body=PAGE), Odd(503), Odd(body="<법령><조문>")])
    def test_quirk_04_an_empty_or_cut_body_or_a_page_is_asked_for_again(self, server: FakeLawGoKr, odd: Odd) -> None:
        server.laws["1"] = law()
        server.odd = [odd] * 4
        clock = Clock()
        assert api(server, clock).body("law", MST="1").startswith(b"<?xml")
        assert clock.now == pytest.approx(1 + 2 + 4 + 8)

    def test_quirk_04_and_in_the_end_it_fails_loudly(self, server: FakeLawGoKr) -> None:
        server.odd = [Odd(body=PAGE)] * 5
        with pytest.raises(FetchError, match=r"lawService.do target=law MST=1: HTML in place of a body, 5 times"):
            api(server).body("law", MST="1")

    def test_quirk_04_no_server_at_all(self) -> None:
        with FakeLawGoKr() as gone:
            pass
        with pytest.raises(FetchError, match="ConnectionRefusedError"):
            api(gone).body("law", MST="1")

    def test_quirk_05_a_404_comes_and_goes(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        server.odd = [Odd(404, PAGE), Odd(404)]
        api(server).body("law", MST="1")
        assert len(server.requests) == 3

    def test_quirk_05_a_listed_body_that_does_not_exist_is_asked_for_once(
        self, server: FakeLawGoKr, tmp_path: Path
    ) -> None:
        server.precedents = {"900001": precedent()}
        server.listed_only = [{"판례일련번호": "900002", "사건명": "없는 사건"}]
        first = crawled(server, tmp_path, "prec")
        RawFolder(tmp_path).finish("prec")
        second = crawled(server, tmp_path, "prec")
        assert [(one.fetched, one.missing, len(one.files), one.failed) for one in (first, second)] == [
            (1, 1, 1, []), (0, 1, 1, []),
        ]  # fmt: skip
        assert server.asked("lawService", ID="900002") == 1

    @pytest.mark.parametrize("said", [NONE.format("판례", "판례"), '{"Law": "일치하는 판례가 없습니다."}'])
    def test_quirk_05_that_there_is_none_is_said_with_status_200(self, server: FakeLawGoKr, said: str) -> None:
        server.odd = [Odd(body=said)]
        with pytest.raises(NoSuchBodyError, match="일치하는 판례가 없습니다"):
            api(server).body("prec", ID="1")
        assert len(server.requests) == 1

    @pytest.mark.parametrize("said", ["<result>실패</result>", '{"result": "실패", "msg": "잠시 후"}', "<Law/>", "{}"])
    def test_quirk_05_a_failure_said_with_status_200_is_asked_again(self, server: FakeLawGoKr, said: str) -> None:
        server.laws["1"] = law()
        server.odd = [Odd(body=said)] * 2
        api(server).body("law", MST="1")
        assert len(server.requests) == 3

    def test_quirk_06_xml_is_asked_for_unless_told_otherwise(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        api(server).body("law", MST="1")
        api(server, form="JSON").body("law", MST="1")
        assert [request["type"] for request in server.requests] == ["XML", "JSON"]

    def test_quirk_06_both_forms_give_the_same_records(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws = {"1001": law(), "1002": law("labels", 법령ID="990002")}
        found = [records(server, tmp_path / form, form=form) for form in ("XML", "JSON")]
        assert found[0] == found[1]
        assert {one.mst for one in articles(found[0]).values()} == {"1001", "1002"}

    def test_quirk_06_broken_json_is_asked_for_again(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        server.odd = [Odd(body='{"법령": {"기본정보": {"법령ID": "99')]
        api(server, form="JSON").body("law", MST="1")
        assert len(server.requests) == 2

    def test_quirk_07_decisions_of_the_tax_service_have_a_page_alone(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.precedents = {"900001": precedent()}
        server.listed_only = [{"판례일련번호": "900003", "사건명": "등대세", "데이터출처명": "국세법령정보시스템"}]
        found = crawled(server, tmp_path, "prec")
        assert (found.missing, found.fetched, found.failed) == (1, 1, [])
        assert server.asked("lawService", ID="900003") == 0

    def test_quirk_07_eflaw_by_mst_alone_would_be_answered_with_a_page(self, server: FakeLawGoKr) -> None:
        server.laws["1"] = law()
        with pytest.raises(FetchError, match="needs efYd"):
            api(server).body("eflaw", MST="1")
        api(server).body("eflaw", MST="1", efYd="20240701")
        assert len(server.requests) == 1


class TestInTheBodies:
    def test_quirk_08_an_article_may_take_effect_later_than_its_law(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws["1"] = law("own_effective_date")
        dates = [one.effective_date for one in articles(records(server, tmp_path)).values()]
        assert dates == ["2024-07-01", "2026-01-01", "2024-07-01"]

    def test_quirk_09_dates_of_dangun_blank_and_partial(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        for identity, day in (("1", "42890214"), ("2", ""), ("3", "1956"), ("4", "19560230")):
            server.precedents[identity] = precedent(판례정보일련번호=identity, 선고일자=day)
        found = records(server, tmp_path, "prec")
        assert [one.decision_date for one in found if isinstance(one, Decision)] == ["1956-02-14", "", "", ""]

    def test_quirk_10_a_case_number_may_be_dozens(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        numbers = ", ".join(["2031다1001", *map(str, range(1002, 1060))])
        server.precedents["1"] = precedent(사건번호=numbers)
        (found,) = records(server, tmp_path, "prec")
        assert isinstance(found, Decision)
        assert found.case_no == numbers

    def test_quirk_11_a_short_name_means_the_law_called_exactly_that(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        for number, name in enumerate(("난등대법", "등대법 시행령", "등대법", "등대법인에 관한 법률")):
            server.laws[f"{number}"] = law(법령ID=f"99000{number}", 법령명_한글=name)
        asked = Span("", ALL.until, ("등대법",))
        assert {one.law for one in articles(records(server, tmp_path, asked=asked)).values()} == {"등대법"}
        assert server.asked("lawService") == 1

    def test_quirk_11_what_is_not_found_is_told_with_what_is_near(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        for number, name in enumerate(("난등대법", "등대법 시행령")):
            server.laws[f"{number}"] = law(법령명_한글=name)
        with pytest.raises(FetchError, match=r"no law is called '등대법'; the API offers 등대법 시행령, 난등대법"):
            crawled(server, tmp_path, asked=Span("", ALL.until, ("등대법",)))

    def test_quirk_12_a_law_keeps_its_id_when_it_is_renamed(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws = {
            "1001": law(),
            "1002": law(법령명_한글="등대지기법", 이전법령명="등대지기 보호법", 공포일자="20250102"),
        }
        corpus = Corpus(tmp_path / "out")
        corpus.add(records(server, tmp_path))
        corpus.merge()
        (rows,) = corpus.laws.values()
        assert {row["law"] for row in rows.values()} == {"등대지기법"}

    def test_quirk_13_tables_may_be_lost_and_tables_of_files_have_no_text(
        self, server: FakeLawGoKr, tmp_path: Path
    ) -> None:
        root = law("nested_lists")
        link = {
            "별표번호": "0001",
            "별표제목": "등대 도면",
            "별표내용": "",
            "별표서식파일링크": "/LSW/flDownload.do?flSeq=1",
        }
        root["법령"]["별표"] = {"별표단위": link}
        server.laws["1"] = root
        found = records(server, tmp_path)
        assert not [one for one in found if isinstance(one, Broken)]
        assert "│달│날│" in articles(found)["제9조"].text

    def test_quirk_14_an_only_child_is_itself_and_several_are_a_list(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws = {"1": law("only_child_as_object")}
        text = articles(records(server, tmp_path / "one"))["제7조"].text
        assert text == "① 등대지기는 다음의 경우에 쉰다.\n\n  1. 파도가 높은 날\n    가. 태풍이 온 날"
        server.laws["2"] = law(법령ID="990002")
        assert len({one.law_id for one in records(server, tmp_path / "two") if isinstance(one, StatuteArticle)}) == 2

    @pytest.mark.parametrize("form", ["XML", "JSON"])
    def test_quirk_15_lists_in_lists_are_lines(self, server: FakeLawGoKr, tmp_path: Path, form: Form) -> None:
        server.laws["1"] = law("nested_lists")
        text = articles(records(server, tmp_path, form=form))["제9조"].text
        assert text.startswith("등대지기는 다음 표에 따라 보고한다.\n┌──┬──┐\n│달│날│\n└──┴──┘")

    def test_quirk_16_notes_of_amendments_are_shown_and_not_searched(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws["1"] = law()
        text = articles(records(server, tmp_path))["제8조"].text
        assert "<신설 2024.1.2>" in display_text(text)
        assert "신설" not in model_text(text)

    def test_quirk_17_deleted_is_told_from_about_deletion(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws["1"] = law("deleted_and_about_deletion")
        deleted = {name for name, one in articles(records(server, tmp_path)).items() if one.deleted}
        assert deleted == {"제20조", "제20조의2", "제21조"}


class TestTheKeyStaysInside:
    def test_in_no_file_no_log_and_no_output(
        self,
        server: FakeLawGoKr,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Lists repeat the key in their links, so that a page kept as it came would hold it."""
        caplog.set_level(logging.DEBUG)
        server.laws = {"1": law(), "2": law(법령ID="990002")}
        server.odd = [
            Odd(500),
            Odd(body=f"<Response><result>실패: OC={KEY}</result></Response>"),
            Odd(body=f"OC={KEY}"),
        ]
        crawled(server, tmp_path)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert any("lists" in path.parts for path in files)
        assert all(form not in path.read_bytes() for path in files for form in self.forms(bytes))
        said = caplog.text + "".join(capfd.readouterr())
        assert "attempt 1 of 5" in said
        assert not any(form in said for form in self.forms(str))

    @pytest.mark.parametrize(
        "odd",
        [
            [Odd(500)] * 5, [Odd(body=REFUSED.replace("실패", f"실패 {KEY}"))], [Odd(403)],
            [Odd(body=NONE.format(KEY, KEY))], [Odd(302, headers={"Location": f"http://{KEY}.example/?OC={KEY}"})] * 5,
            [Odd(body=f"<html><script>location='{KEY}'</script>")] * 5,
            [Odd(302, headers={"Location": "http://[/"})] * 5,
        ],
    )  # fmt: skip
    def test_in_no_error(self, server: FakeLawGoKr, odd: list[Odd]) -> None:
        server.odd = odd
        with pytest.raises(FetchError) as caught:
            api(server).body("law", MST="1")
        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.details)
        assert not any(form in told for form in self.forms(str))

    def test_in_no_repr(self, server: FakeLawGoKr) -> None:
        client = api(server)
        assert not any(form in f"{client!r} {client} {replace(client)!r}" for form in self.forms(str))

    def forms(self, kind: type) -> list[Any]:
        forms = [KEY, KEY.replace("+", "%2B")]
        return [form.encode() for form in forms] if kind is bytes else forms


def test_the_fake_gives_what_the_fixtures_hold(server: FakeLawGoKr) -> None:
    server.laws["1"] = law()
    assert api(server).body("law", MST="1").decode() == to_xml(law())
