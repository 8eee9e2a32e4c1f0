"""The page of a document: the day, the versions, what is compared, and citations both ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from app.web.sheet import PAGE
from tests.conftest import serving
from tests.fakes import DOCUMENTS, build_index, precedent, statute
from tests.test_versions import CIVIL, HISTORY, LATER, version
from tests.test_web import Page, get

MANY = tuple(
    precedent(
        200 + n, "손해배상(자)", "과실", date=f"2015-01-{n:02d}", case_no=f"2014다{n}",
        cited_statutes="[1] 민법 제750조 / [2] 구 민법 제915조(2021. 1. 26. 법률 제17905호로 삭제되기 전의 것)",
    )
    for n in range(1, PAGE + 6)
)  # fmt: skip
CITING = replace(
    precedent(
        300, "손해배상(기)", "[1] 민법 제750조의 뜻\n[2] 법인의 책임", "[1] 과실이 있어야 한다.", date="2016-01-01",
        case_no="2015다300", cited_statutes="[1][2] 민법 제750조, 없는나라법 제3조",
        cited_precedents="[2] 대법원 2020. 5. 14. 선고 2019다101 판결",
    ),
    text="민법 제839조의2와 <b>2019다101</b>을 본다.",
)  # fmt: skip
DECREE = (
    statute("001872", "근로기준법", "제2조", "정의", "뜻은 다음과 같다."),
    statute("001872", "근로기준법", "제24조", "경영상 이유", "제23조와 대통령령으로 정하는 바에 따른다."),
    statute("003215", "근로기준법 시행령", "제10조", "신고", "법 제24조에 따라 신고한다.", law_kind="대통령령"),
)
LONG = tuple(
    version("001872-0024", f"20{n:02d}-01-01", "", f"{n}번째 글이다. 제23조와 대통령령으로 정하는 바에 따른다.")
    for n in range(1, 12)
)


FORERUNNER = replace(version("009999-0001", "1950-01-01", "1960-01-01", "제750조에 따른다."), citation="민법 제1조")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    documents = [*DOCUMENTS, *LATER, *MANY, CITING, *DECREE]
    searcher = build_index(tmp_path_factory.mktemp("sheet"), documents, versions=[*HISTORY, *LONG, FORERUNNER])
    with serving(lambda _: searcher) as client:
        yield client


def words(page: Page) -> str:
    return " ".join(page.text.split())


def addresses(page: Page) -> list[str]:
    return [str(own["href"]) for own in page.all("a")]


class TestDay:
    def test_today_it_is_the_text_in_force(self, client: TestClient) -> None:
        text = words(get(client, f"/d/{CIVIL}"))
        assert "현행" in text
        assert "2013. 7. 1. 시행" in text
        assert "고의 또는 과실로 손해를 가한 자는 배상한다." in text

    def test_on_another_day_it_is_the_text_of_that_day(self, client: TestClient) -> None:
        page = get(client, f"/d/{CIVIL}?as_of=2010-01-01&q=손해")
        text = words(page)
        assert "옛 제목" in text
        assert "손해를 물어 준다." in text
        assert "1960. 1. 1. ~ 2013. 6. 30. 시행" in text
        assert "지금은 시행되지 않는 옛 조문입니다" in text
        assert "기준일 2010. 1. 1." in text
        assert f"/d/{CIVIL}?q=%EC%86%90%ED%95%B4" in addresses(page), "the way back to today"
        assert page.all("input", name="as_of")[0]["value"] == "2010-01-01", "a search from here keeps the day"

    def test_what_was_no_law_is_a_page_with_a_way_on(self, client: TestClient) -> None:
        page = get(client, "/d/001706-0839-02?as_of=1980-01-01", 404)
        assert "그날에는 없던 조문입니다" in page.text
        assert "1991. 1. 1.에 처음 나옵니다" in page.text
        assert "/d/001706-0839-02#versions" in addresses(page)

    @pytest.mark.parametrize("rest", ["as_of=2015-13-01", "as_of=<b>", "from=2015-1-1&to=2016-01-01", "from=x", "to=x"])
    def test_a_day_that_is_none_is_told_so(self, client: TestClient, rest: str) -> None:
        page = get(client, f"/d/{CIVIL}?{rest}", 422)
        assert "날짜를 읽을 수 없습니다" in page.text
        assert "2015-01-01처럼" in page.text

    def test_a_text_whose_day_is_not_known_is_said_to_be_newer(self, client: TestClient) -> None:
        text = words(get(client, "/d/009276-0010?as_of=2001-01-01"))
        assert "기준일 연혁 미수록" in text
        assert "기준일의 연혁이 수록되지 않은 법령입니다" in text
        assert "시행예정" not in text

    def test_a_decision_is_shown_whatever_the_day(self, client: TestClient) -> None:
        assert "기준일 뒤에 나온 판례입니다" in get(client, "/d/p101?as_of=2001-01-01").text
        assert "기준일 뒤에" not in get(client, "/d/p101?as_of=2026-01-01").text

    def test_a_change_to_come_is_announced_until_its_day(self, client: TestClient) -> None:
        page = get(client, "/d/001872-0023")
        assert "2027. 1. 1. 시행되는 개정이 있습니다" in page.text
        assert "/d/001872-0023?as_of=2027-01-01" in addresses(page)
        later = get(client, "/d/001872-0023?as_of=2027-01-01")
        assert "시행되는 개정이 있습니다" not in later.text
        assert "아직 시행되지 않은 조문입니다" in later.text

    def test_a_deleted_article_leads_to_what_it_was(self, client: TestClient) -> None:
        page = get(client, "/d/001706-0915")
        assert "삭제된 조문입니다" in page.text
        assert "/d/001706-0915?as_of=1960-01-01" in addresses(page)
        assert "징계할 수 있다." in get(client, "/d/001706-0915?as_of=2020-01-01").text

    def test_an_article_that_only_its_versions_know_is_shown(self, client: TestClient) -> None:
        page = get(client, "/d/001706-0900")
        assert "지금의 법령에는 없는 조문입니다" in page.text
        assert "없어진 법의 조문이다." in page.text
        assert "인용한 판례" not in page.text
        assert "없어진 법의 조문이다." in get(client, "/d/001706-0900?as_of=1980-01-01").text

    def test_an_unknown_document_is_not_found_on_any_day(self, client: TestClient) -> None:
        assert "문서를 찾을 수 없습니다" in get(client, "/d/nothing?as_of=2020-01-01", 404).text


class TestVersions:
    def test_they_are_listed_newest_first_with_their_days(self, client: TestClient) -> None:
        page = get(client, f"/d/{CIVIL}")
        text = words(page)
        assert text.index("2013. 7. 1. ~ 지금 보는 글") < text.index("1960. 1. 1. ~ 2013. 6. 30.")
        assert f"/d/{CIVIL}?as_of=1960-01-01" in addresses(page)
        assert f"/d/{CIVIL}?from=1960-01-01&to=2013-07-01#compare" in addresses(page)
        assert "이 법령의 연혁은 1960. 1. 1.부터 수록되어 있습니다" in text

    def test_many_are_folded(self, client: TestClient) -> None:
        assert "더 오래된 연혁 3건" in get(client, "/d/001872-0024").text

    def test_a_law_without_history_says_so(self, client: TestClient) -> None:
        assert "이 법령의 연혁은 수록되어 있지 않습니다" in get(client, "/d/009276-0010").text

    def test_a_decision_has_none(self, client: TestClient) -> None:
        assert "연혁" not in get(client, "/d/p101").text

    @pytest.mark.parametrize("days", ["from=1960-01-01&to=2013-07-01", "from=2020-01-01&to=2000-01-01"])
    def test_two_are_compared_whatever_their_order(self, client: TestClient, days: str) -> None:
        page = get(client, f"/d/{CIVIL}?{days}")
        text = words(page)
        assert "1960. 1. 1. 시행 → 2013. 7. 1. 시행" in text
        assert "[없어짐: 물어 ]" not in text
        assert re.search(r"\[없어짐: 손해를 물어 준다\.\]", text), "said in words too"
        assert page.all("del")
        assert page.all("ins")
        assert [own for own in page.all("option", value="1960-01-01") if "selected" in own]

    def test_the_same_text_is_said_to_be_the_same(self, client: TestClient) -> None:
        assert "조문의 글은 같습니다" in get(client, f"/d/{CIVIL}?from=2014-01-01&to=2015-01-01").text

    def test_one_side_may_have_been_no_law(self, client: TestClient) -> None:
        assert "조문 없음 → 1991. 1. 1. 시행" in words(get(client, "/d/001706-0839-02?from=1980-01-01&to=1995-01-01"))
        assert "그날에는 없던" in get(client, "/d/001706-0839-02?from=1970-01-01&to=1980-01-01", 404).text

    def test_one_day_alone_cannot_be_compared(self, client: TestClient) -> None:
        assert "두 날을 모두" in get(client, f"/d/{CIVIL}?from=2014-01-01", 422).text


class TestCitations:
    def test_who_cites_an_article_is_listed_by_pages(self, client: TestClient) -> None:
        page = get(client, f"/d/{CIVIL}")
        text = words(page)
        assert f"이 조문을 인용한 판례 {len(MANY) + 1}건" in text
        assert text.index("2015다300") < text.index(f"2014다{len(MANY)}") < text.index("2014다20")
        assert f"/d/{CIVIL}?citing=2#cited-by" in addresses(page)
        second = get(client, f"/d/{CIVIL}?citing=2&q=손해")
        assert "2014다1 판결" in second.text
        assert "2015다300" not in second.text
        assert "2 / 2쪽" in words(second)

    @pytest.mark.parametrize("citing", ["0", "-1", "x", "９", "99999999"])
    def test_what_is_no_page_is_the_first(self, client: TestClient, citing: str) -> None:
        assert "1 / 2쪽" in words(get(client, f"/d/{CIVIL}?citing={citing}"))

    def test_a_page_past_the_last_leads_back(self, client: TestClient) -> None:
        assert "9쪽에는 판례가 없습니다" in get(client, f"/d/{CIVIL}?citing=9").text

    def test_former_law_is_marked(self, client: TestClient) -> None:
        page = get(client, "/d/p201")
        assert "구법" in page.text
        assert "[2]" in page.text

    def test_a_decision_lists_what_it_cites(self, client: TestClient) -> None:
        page = get(client, "/d/p300")
        text = words(page)
        assert "[1] [2] 민법 제750조" in text
        assert "없는나라법 제3조 (수록되지 않음)" in text
        assert f"/d/{CIVIL}" in addresses(page)
        assert "/d/p101" in addresses(page)
        assert "판결문에 적힌 대로" in text
        order = [text.index(heading) for heading in ("판시사항", "판결요지", "참조조문", "참조판례", "판례내용")]
        assert order == sorted(order)

    def test_citations_in_a_text_are_links_and_the_text_stays_text(self, client: TestClient) -> None:
        response = client.get("/d/p300?q=재산")
        assert "&lt;b&gt;2019다101&lt;/b&gt;" in re.sub(r"</?a[^>]*>", "", response.text)
        assert '<a href="/d/001706-0839-02?q=%EC%9E%AC%EC%82%B0">민법 제839조의2</a>' in response.text
        article = client.get("/d/001872-0024?as_of=2026-10-01").text
        assert '11번째 글이다. <a href="/d/001872-0023?as_of=2026-10-01">제23조</a>와' in article

    def test_the_text_of_a_forerunner_does_not_lead_into_the_law_of_its_name(self, client: TestClient) -> None:
        gone = client.get("/d/009999-0001").text
        assert "제750조에 따른다." in gone

    def test_decree_and_definitions_are_context(self, client: TestClient) -> None:
        page = get(client, "/d/001872-0024")
        text = words(page)
        assert "위임에 따른 시행령·시행규칙" in text
        assert "/d/003215-0010" in addresses(page)
        assert re.search(r"이 법령의 정의\s*근로기준법 제2조 정의", text)
        assert '<a href="/d/001872-0024">법 제24조</a>' in client.get("/d/003215-0010").text

    def test_the_articles_before_and_after_are_a_step_away(self, client: TestClient) -> None:
        page = get(client, "/d/001872-0023")
        assert [own["href"] for own in page.all("a", rel="prev")] == ["/d/001872-0002"]
        assert [own["href"] for own in page.all("a", rel="next")] == ["/d/001872-0024"]
        assert not get(client, "/d/p101").all("nav", **{"aria-label": "앞뒤 조문"})

    def test_a_judgment_that_repeats_its_issues_is_not_shown_twice(self, client: TestClient) -> None:
        assert "판례내용" not in get(client, "/d/p101").text


@pytest.mark.parametrize("path", [f"/d/{CIVIL}?from=1960-01-01&to=2013-07-01", "/d/p300", "/d/001706-0900"])
def test_ids_are_unique_and_every_label_has_its_field(client: TestClient, path: str) -> None:
    page = get(client, path)
    names = [str(own["id"]) for _, own in page.tags if "id" in own]
    assert len(names) == len(set(names))
    assert {str(own["for"]) for own in page.all("label")} <= set(names)
    anchors = {address.partition("#")[2] for address in addresses(page) if address.startswith("#")}
    assert anchors <= set(names)
