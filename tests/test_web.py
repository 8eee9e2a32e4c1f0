"""The pages over fake models: what they show, what they never do, and the pieces they are made of."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.errors import IndexMissing
from app.law.questions import questions
from app.retrieval.searcher import Searcher
from app.web.reference import operations
from app.web.rendering import EXAMPLES, templates
from tests.conftest import serving, wait_for
from tests.fakes import DOCUMENTS, TODAY, build_index, precedent, statute
from tests.test_versions import HISTORY, LATER

PATHS = (
    *("/", "/?q=해고", "/?q=민법 제750조&kind=statute&k=20", "/?q=해고&as_of=2015-01-01", "/?q=해고&as_of=2015"),
    *("/d/p101?q=손해", "/d/001706-0750?as_of=2022-01-01", "/docs", "/cite", "/d/none", "/d/p101?as_of=x"),
)


class Page(HTMLParser):
    """Tags with their attributes, and the text, of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br", "rect", "circle", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "circle", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [own for name, own in self.tags if name == tag and wanted.items() <= own.items()]


def get(client: TestClient, path: str, status: int = 200) -> Page:
    response = client.get(path)
    assert response.status_code == status, response.text
    page = Page(response.text)
    assert page.open == [], "a tag is left open"
    return page


class TestEveryPage:
    @pytest.mark.parametrize("path", PATHS)
    def test_takes_nothing_from_elsewhere(self, client: TestClient, path: str) -> None:
        response = client.get(path)
        assert response.headers["content-security-policy"].startswith("default-src 'self'; ")
        assert response.headers["referrer-policy"] == "same-origin"
        page = Page(response.text)
        loaded = [own.get("src") or own.get("href") for tag, own in page.tags if tag in ("script", "link", "img")]
        assert loaded
        assert all(str(address).startswith("/static/") for address in loaded)
        assert not [own for _, own in page.tags if "style" in own or any(name.startswith("on") for name in own)]
        assert "<style" not in response.text

    @pytest.mark.parametrize("path", PATHS)
    def test_is_korean_and_names_its_source_and_limits(self, client: TestClient, path: str) -> None:
        page = Page(client.get(path).text)
        assert page.all("html", lang="ko")
        assert "법률 자문이 아니며" in page.text
        assert page.all("a", href="https://www.law.go.kr")

    @pytest.mark.parametrize("path", PATHS)
    def test_can_be_read_by_machines_that_read_aloud(self, client: TestClient, path: str) -> None:
        page = Page(client.get(path).text)
        names = [str(own["id"]) for _, own in page.tags if "id" in own]
        assert len(names) == len(set(names))
        assert len(page.all("h1")) == 1
        assert all(own["for"] in names for own in page.all("label"))
        assert all(own.get("aria-label") for own in page.all("nav"))
        assert {own["href"] for own in page.all("a", class_="skip")} == {"#main"}

    @pytest.mark.parametrize("name", ["page.css", "page.js", "icon.svg"])
    def test_static_files_are_served_and_load_nothing(self, client: TestClient, name: str) -> None:
        response = client.get(f"/static/{name}")
        assert response.status_code == 200
        assert not re.search(r"@import|url\(|https?://(?!www\.w3\.org/2000/svg)", response.text)

    def test_files_outside_are_not_served(self, client: TestClient) -> None:
        assert client.get("/static/../pages.py").status_code == 404
        assert client.get("/static/%2e%2e/pages.py").status_code == 404


class TestSearchPage:
    def test_without_a_query_it_is_a_box_with_examples(self, client: TestClient) -> None:
        page = get(client, "/")
        assert len(page.all("input", name="q")) == 1
        assert len([own for own in page.all("a") if str(own["href"]).startswith("/?q=")]) == len(EXAMPLES)
        assert "수록 문서 6건 · 자료 기준일 2021. 3. 2." in page.text

    def test_a_result_shows_what_a_lawyer_looks_for(self, client: TestClient) -> None:
        page = get(client, "/?q=정당한 이유 없는 해고")
        text = " ".join(page.text.split())
        assert "대법원 2020. 5. 14. 선고 2019다102 판결" in text
        assert "판례 대법원 · 민사" in text
        assert re.search(r"관련도 \d+%", text)
        assert re.search(r"1차 의미 \d+위, 낱말 \d+위 → 재순위 1위", text)
        assert "시행예정" in text
        assert "왜 이 결과?" in text
        assert page.all("mark")
        assert page.all("button", class_="plain copy")[0]["data-copy"] == "대법원 2020. 5. 14. 선고 2019다102 판결"
        assert page.all("a", href="https://www.law.go.kr/precInfoP.do?precSeq=102")

    def test_the_address_holds_the_state(self, client: TestClient) -> None:
        page = get(client, "/?q=해고&kind=precedent&k=20")
        assert page.all("input", name="q")[0]["value"] == "해고"
        assert page.all("input", name="kind")[0]["value"] == "precedent"
        assert page.all("input", name="k")[0]["value"] == "20"
        current = [own["href"] for own in page.all("a") if own.get("aria-current") == "page"]
        assert current == ["/?q=%ED%95%B4%EA%B3%A0&kind=precedent&k=20"]
        assert page.all("span", class_="badge precedent")
        assert not page.all("span", class_="badge statute")
        opened = [str(own["href"]) for own in page.all("a", class_="open")]
        assert all(address.startswith("/d/p") and address.endswith("&kind=precedent&k=20") for address in opened)
        assert [own["href"] for own in get(client, opened[0]).all("a") if own["href"] == current[0]]

    @pytest.mark.parametrize(
        "rest", ["kind=book&k=0", "k=-1", "k=ten", "k=99999999999999999999", "k=１０", "unknown=1"]
    )
    def test_what_cannot_be_used_of_an_address_takes_its_default(self, client: TestClient, rest: str) -> None:
        assert get(client, f"/?q=해고&{rest}").all("a", class_="open")

    def test_a_citation_is_confirmed_or_said_not_to_exist(self, client: TestClient) -> None:
        page = get(client, "/?q=민법 제750조와 민법 제9999조")
        text = " ".join(page.text.split())
        assert "확인됨 민법 제750조" in text
        assert "없는 조문 민법 제9999조" in text
        assert "인용 일치" in text

    def test_a_poor_answer_says_so(self, client: TestClient) -> None:
        assert "딱 맞는 문서를 찾지 못했습니다" in get(client, "/?q=xyzzy").text
        assert "딱 맞는 문서를 찾지 못했습니다" not in get(client, "/?q=민법 제750조").text

    def test_a_query_that_is_too_long_is_told_so(self, client: TestClient) -> None:
        page = get(client, "/?q=" + "a" * 2001, status=422)
        assert "검색어가 2,001자입니다. 2,000자까지" in page.text
        assert not page.all("a", class_="open")

    @given(q=st.text(max_size=60))
    def test_no_query_breaks_the_page(self, client: TestClient, q: str) -> None:
        response = client.get("/", params={"q": q.encode("utf-8", "replace").decode()})
        assert response.status_code == 200
        assert Page(response.text).open == []

    def test_markup_in_a_query_stays_text(self, client: TestClient) -> None:
        attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
        response = client.get("/", params={"q": attack})
        assert "<script>alert" not in response.text
        assert "<img" not in response.text
        assert Page(response.text).all("input", name="q")[0]["value"] == attack

    def test_without_a_reranker_the_order_is_said_to_be_the_first(self, searcher: Searcher) -> None:
        alone = Searcher(searcher.index, searcher.encoder, None, today=lambda: TODAY)
        with serving(lambda _: alone) as client:
            text = get(client, "/?q=해고").text
        assert "재순위 없이" in text
        assert "→ 재순위" not in text

    def test_while_loading_the_page_says_so(self, searcher: Searcher) -> None:
        loaded = threading.Event()

        def load(_: object) -> Searcher:
            loaded.wait(30)
            return searcher

        with serving(load, ready=False) as client:
            for path in ("/?q=해고", "/d/p101"):
                assert "준비 중입니다" in get(client, path, status=503).text
            assert client.get("/docs").status_code == 200
            loaded.set()

    def test_where_loading_failed_the_page_names_the_error(self) -> None:
        def load(_: object) -> Searcher:
            raise IndexMissing("no index 'laws'; build it: make index")

        with serving(load, ready=False) as client:
            wait_for(lambda: "index_missing" in client.get("/").text)
            page = get(client, "/?q=해고", status=503)
        assert "지금은 검색할 수 없습니다" in page.text


class TestHostileCorpus:
    """Records come from outside: nothing in them may become markup or an address to click."""

    @pytest.fixture
    def client(self, tmp_path: Path) -> Any:
        hostile = statute(
            "000009",
            "악<b>법</b>",
            "제1조",
            "<script>alert(1)</script>",
            "해고 </mark><img src=x onerror=alert(1)> 해고",
        )
        searcher = build_index(tmp_path, [*DOCUMENTS, hostile])
        with serving(lambda _: searcher) as client:
            yield client

    @pytest.mark.parametrize("path", ["/?q=해고", "/d/000009-0001?q=해고"])
    def test_markup_in_a_document_stays_text(self, client: TestClient, path: str) -> None:
        text = client.get(path).text
        assert "&lt;img src=x" in text
        assert "<img" not in text
        assert "<script>alert" not in text
        assert 'href="javascript' not in text


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Over articles with a history, an alias, and decisions that cite."""
    more = (
        statute("001638", "특정범죄 가중처벌 등에 관한 법률", "제5조", "가중", "가중하여 처벌한다."),
        precedent(103, "등대", "등대지기의 과실", case_no="2014다3", date="2015-01-01", cited_statutes="민법 제750조"),
    )
    folder = tmp_path_factory.mktemp("timed")
    searcher = build_index(folder, [*DOCUMENTS, *LATER, *more], versions=HISTORY)
    with serving(lambda _: searcher) as client:
        yield client


class TestDay:
    def test_results_show_the_law_of_the_day(self, timed: TestClient) -> None:
        page = get(timed, "/?q=손해를 배상할 책임&as_of=2010-01-01")
        text = " ".join(page.text.split())
        assert "민법 제750조 (옛 제목)" in text
        assert re.search(r"연혁\s*법률 · 1960. 1. 1. ~ 2013. 6. 30. 시행", text)
        assert page.all("input", name="as_of", type="date", form="search")[0]["value"] == "2010-01-01"
        opened = [str(own["href"]) for own in page.all("a", class_="open")]
        assert all("as_of=2010-01-01" in address for address in opened)
        kinds = [own["href"] for own in page.all("a") if "kind=statute" in str(own["href"])]
        assert all("as_of=2010-01-01" in str(address) for address in kinds)

    def test_the_control_is_folded_until_it_is_used(self, timed: TestClient) -> None:
        for path in ("/", "/?q=해고"):
            (control,) = get(timed, path).all("details", class_="day")
            assert "open" not in control
        assert "open" in get(timed, "/?q=해고&as_of=2020-01-01").all("details", class_="day")[0]

    @pytest.mark.parametrize("day", ["2015-02-30", "20150101", "어제", '"><script>', "９９９９-01-01"])
    @pytest.mark.parametrize("q", ["", "해고"])
    def test_a_day_that_is_none_is_told_so(self, timed: TestClient, day: str, q: str) -> None:
        response = timed.get("/", params={"q": q, "as_of": day})
        assert response.status_code == 422
        page = Page(response.text)
        assert "쓸 수 없는 날짜입니다" in page.text
        assert not page.all("a", class_="open")
        assert not any("as_of=" in str(own["href"]) for own in page.all("a"))
        assert "<script>" not in response.text.replace('<script src="/static/page.js" defer></script>', "")

    def test_an_empty_day_is_today(self, timed: TestClient) -> None:
        assert get(timed, "/?q=해고&as_of=").all("a", class_="open")

    def test_what_is_not_known_of_the_day_is_said(self, timed: TestClient) -> None:
        text = " ".join(get(timed, "/?q=갱신을 요구&kind=statute&as_of=2015-01-01").text.split())
        assert re.search(r"\d건은 기준일의 연혁이 수록되지 않은 법령의 조문이라", text)
        assert "기준일 연혁 미수록" in text
        assert "기준일의 연혁" not in get(timed, "/?q=갱신을 요구").text

    def test_a_change_to_come_is_announced_and_led_to(self, timed: TestClient) -> None:
        page = get(timed, "/?q=근로기준법 제23조")
        assert "2027. 1. 1. 시행되는 개정이 있습니다" in page.text
        assert any("as_of=2027-01-01" in str(own["href"]) for own in page.all("a"))


class TestCitedInTheQuery:
    def test_an_article_that_is_not_there_leads_to_the_nearest(self, timed: TestClient) -> None:
        page = get(timed, "/?q=민법 제9999조")
        text = " ".join(page.text.split())
        assert "없는 조문 민법 제9999조 가까운 조문: 민법 제839조의2, 민법 제750조" in text
        assert "함께 볼 조문과 판례" in text
        assert "관련도" not in text, "no model was asked"
        assert "딱 맞는 문서를" not in text, "the citation has been answered"
        assert page.all("h3", id="hit-1")

    def test_what_stands_beside_a_citation_comes_under_a_heading(self, timed: TestClient) -> None:
        text = get(timed, "/?q=민법 제750조").text
        assert text.index("인용 일치") < text.index("함께 볼 조문과 판례") < text.index("민법 제839조의2")
        assert "관련도" not in text
        assert "함께 볼" not in get(timed, "/?q=민법 제750조 손해").text

    def test_short_names_are_spelt_out_with_and_without_an_article(self, timed: TestClient) -> None:
        for q in ("특가법 가중처벌", "특가법 제5조"):
            text = " ".join(get(timed, f"/?q={q}").text.split())
            assert "특가법 → 특정범죄 가중처벌 등에 관한 법률" in text

    def test_everyday_words_are_looked_for_in_the_law_s_words_too(self, timed: TestClient) -> None:
        text = " ".join(get(timed, "/?q=집주인이 보증금을 안 돌려줘요").text.split())
        assert "법률 용어로도 찾음 임대인, 임차권등기명령, 임대차" in text
        for q in ("임대인의 보증금반환의무", "민법 제750조"):
            assert "법률 용어로도" not in get(timed, f"/?q={q}").text

    def test_a_result_says_which_known_question_it_answers(self, timed: TestClient) -> None:
        text = get(timed, "/?q=어제 갑자기 해고를 당했습니다").text
        shown = re.findall(r"비슷한 질문 (.+?)의 답으로 알려진 조문입니다", text)
        assert shown
        assert set(shown) <= {one.question for one in questions()}

    def test_programs_are_told_them_beside_the_text(self, timed: TestClient) -> None:
        told = timed.post("/search", json={"query": "집주인이 보증금을 안 돌려줘요"}).json()["understood"]
        assert told["text"] == "집주인이 보증금을 안 돌려줘요"
        assert told["terms"] == ["임대인", "임차권등기명령", "임대차"]

    def test_a_deleted_article_is_said_to_be(self, timed: TestClient) -> None:
        text = " ".join(get(timed, "/?q=민법 제915조").text.split())
        assert "삭제된 조문 민법 제915조" in text
        assert re.search(r"법령\s*삭제", text)

    def test_doubts_are_remarked(self, timed: TestClient) -> None:
        page = get(timed, "/?q=민법 제750조 제5항과 대법원 2001. 1. 1. 선고 2019다101 판결")
        text = " ".join(page.text.split())
        assert "그 조문에 없는 항입니다" in text
        assert "선고일이 다릅니다" in text
        assert "사건번호가 같은 판례: 대법원 2020. 5. 14. 선고 2019다101 판결" in text

    def test_how_many_decisions_cite_a_result_leads_to_their_list(self, timed: TestClient) -> None:
        page = get(timed, "/?q=민법 제750조")
        assert "인용한 판례 1건" in page.text
        (address,) = (str(own["href"]) for own in page.all("a") if str(own["href"]).endswith("#cited-by"))
        listed = get(timed, address.partition("#")[0])
        assert listed.all("section", id="cited-by")
        assert "2014다3" in listed.text


class TestDocumentPage:
    def test_an_article(self, client: TestClient) -> None:
        page = get(client, "/d/001706-0839-02?q=재산분할")
        text = " ".join(page.text.split())
        assert "민법 제839조의2" in text
        assert "재산분할청구권" in text
        assert "법률 · 2020. 1. 1. 시행" in text
        assert page.all("mark")
        assert page.all("a", href="https://www.law.go.kr/법령/민법/제839조의2")

    def test_a_decision_shows_its_sections(self, client: TestClient) -> None:
        text = get(client, "/d/p101").text
        assert text.index("판시사항") < text.index("과실상계의 방법") < text.index("판결요지")
        assert "참조조문" not in text

    def test_an_article_not_yet_in_force_is_marked(self, client: TestClient) -> None:
        assert "아직 시행되지 않은 조문입니다" in get(client, "/d/001872-0023").text

    def test_an_unknown_one_is_a_page_too(self, client: TestClient) -> None:
        assert "문서를 찾을 수 없습니다" in get(client, "/d/nothing", status=404).text


def test_sample_documents_are_marked_as_no_law_and_lead_nowhere(tmp_path: Path) -> None:
    sample = statute("000001", "모래법", "제1조", "목적", "모래를 지킨다.", sample=True)
    searcher = build_index(tmp_path, [sample])
    with serving(lambda _: searcher) as client:
        for path in ("/", "/?q=모래", "/d/000001-0001"):
            page = get(client, path)
            assert "표본 데이터 — 법령 원문이 아님" in page.text
            assert not [own for own in page.all("a") if "/법령/" in str(own["href"])]


def test_the_reference_lists_every_route_and_limit(client: TestClient) -> None:
    text = get(client, "/docs").text
    described = operations(client.get("/openapi.json").json())
    assert all(operation.path in text for operation in described)
    request = {
        field.name: field for operation in described if operation.path == "/search" for field in operation.request
    }
    assert request["query"].required
    assert request["k"].limits == "at least 1, at most 100"
    assert request["min_relevance"].limits == "at least 0, at most 1"
    assert request["filters.kind"].kind == 'list of "statute" | "precedent"'


def test_what_is_escaped_reads_as_it_was() -> None:
    text = templates().from_string("{{ text }}").render(text="「<법>」 & '인용'")
    assert "<" not in text
    assert unescape(text) == "「<법>」 & '인용'"
