"""The check of citations: what is said of each, and what the form takes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from app.api.citations import TEXT_CHARS
from app.errors import IndexMissing
from app.law.resolve import FoundCitation
from app.retrieval.searcher import Searcher
from app.settings import Settings
from app.web.brief import LABELS, brief, stretches
from tests.conftest import serving
from tests.fakes import DOCUMENTS, build_index, precedent, statute
from tests.test_web import Page

CORPUS = (
    *DOCUMENTS,
    statute("001706", "민법", "제915조", "", "삭제 <2021. 1. 26.>", deleted=True),
    statute("001684", "주택임대차보호법", "제10조", "강행규정", "임차인에게 불리한 것은 효력이 없다."),
    statute("009276", "상가건물 임대차보호법", "제10조", "갱신", "갱신을 요구할 수 있다."),
    precedent(103, "해고", "해고의 효력", date="2018-01-01", case_no="2017나1", court="서울고등법원"),
)
TEXT = """민법 제750조(손해의 배상)와 민법 제9999조, 민법 제915조, 없는나라법 제3조, 임대차법 제10조를 본다.
구 형법 제307조, 민법 제750조 제5항, 민법 별표 2, 대법원 2020. 5. 14. 선고 2019다101 판결,
대법원 2013. 2. 31. 선고 2019다102 판결, 대법원 2001. 1. 1. 선고 99다1 판결."""


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("brief"), CORPUS)


@pytest.fixture(scope="module")
def client(searcher: Searcher) -> Iterator[TestClient]:
    with serving(lambda _: searcher, log_queries=True) as client:
        yield client


def post(client: TestClient, text: str, status: int = 200) -> Page:
    """As a browser sends the form of the page."""
    body = f"text={text}\r\n".replace("\r\n", "\n").replace("\n", "\r\n").encode()
    response = client.post("/cite", content=body, headers={"Content-Type": "text/plain"})
    assert response.status_code == status, response.text
    page = Page(response.text)
    assert page.open == [], "a tag is left open"
    return page


def words(page: Page) -> str:
    return " ".join(page.text.split())


class TestResult:
    def test_every_status_is_told_in_words(self, client: TestClient) -> None:
        text = words(post(client, TEXT))
        for label in LABELS.values():
            assert re.search(rf"{label} \d", text), label

    def test_what_is_wrong_comes_first_and_counts_lead_there(self, client: TestClient) -> None:
        page = post(client, TEXT)
        names = [str(own["href"]) for own in page.all("a") if str(own["href"]).startswith("#is-")]
        assert names[0] == "#is-no_such_article"
        assert names[-2:] == ["#is-doubtful", "#is-resolved"]
        ids = {str(own["id"]) for _, own in page.tags if "id" in own}
        assert {str(own["href"])[1:] for own in page.all("a") if str(own["href"]).startswith("#")} <= ids

    def test_remarks_say_what_does_not_fit(self, client: TestClient) -> None:
        page = post(client, TEXT)
        text = words(page)
        assert "조문 제목이 다릅니다(지금 제목: 불법행위의 내용)" in text
        assert "그 조문에 없는 항입니다(항이 나뉘지 않은 조문)" in text
        assert "달력에 없는 날짜입니다" in text
        assert "사건번호가 같은 판례: 대법원 2020. 5. 14. 선고 2019다102 판결" in text
        assert "약칭을 정식 이름으로 읽었습니다" in text
        assert "별표와 서식은 수록되어 있지 않습니다" in text
        assert "가까운 조문: 민법 제839조의2" in text
        assert "/d/001706-0839-02" in [own["href"] for own in page.all("a")]

    def test_each_citation_is_marked_in_the_text_and_numbered(self, client: TestClient) -> None:
        page = post(client, TEXT)
        numbers = [str(own["id"])[1:] for own in page.all("sup")]
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
        rows = [str(own["id"])[1:] for own in page.all("tr") if "id" in own]
        assert sorted(rows, key=int) == numbers

    def test_a_text_without_citations_says_so(self, client: TestClient) -> None:
        page = post(client, "아무 인용도 없는 글이다.")
        assert "인용을 찾지 못했습니다" in page.text
        assert "아무 인용도 없는 글이다." in page.text, "the text stands in the box"

    def test_markup_stays_text(self, client: TestClient) -> None:
        attack = "</textarea><script>alert(1)</script> 민법 제750조<img src=x onerror=alert(1)>"
        page = post(client, attack)
        assert not page.all("img")
        assert [own.get("src") for own in page.all("script")] == ["/static/page.js"]
        assert page.text.count("<script>alert(1)</script>") == 2, "in the text and in the box"


class TestForm:
    def test_the_box_is_there_and_every_page_leads_to_it(self, client: TestClient) -> None:
        page = Page(client.get("/cite").text)
        (form,) = page.all("form")
        assert (form["method"], form["action"], form["enctype"]) == ("post", "/cite", "text/plain")
        for path in ("/", "/?q=해고", "/d/p101", "/d/none", "/docs", "/cite"):
            assert Page(client.get(path).text).all("a", href="/cite"), path

    @pytest.mark.parametrize("text", ["", "  \n\n ", "\u3000"])
    def test_an_empty_text_is_told_so(self, client: TestClient, text: str) -> None:
        assert "비어 있습니다" in post(client, text, 422).text

    def test_the_longest_text_is_read_whole_in_either_encoding(self, client: TestClient) -> None:
        text = "가" * (TEXT_CHARS - 12) + "\n 민법 제750조.\n"[:12]
        assert len(text) == TEXT_CHARS
        assert len(urlencode({"text": text.replace("\n", "\r\n")})) < Settings().max_body_bytes
        assert "확인됨 1" in words(post(client, text))
        response = client.post("/cite", data={"text": text.replace("\n", "\r\n")})
        assert response.status_code == 200
        assert "확인됨 1" in words(Page(response.text))

    def test_a_text_that_is_too_long_is_told_so_and_not_lost(self, client: TestClient) -> None:
        page = post(client, "가" * (TEXT_CHARS + 1), 422)
        assert "글이 100,001자입니다. 한 번에 100,000자까지" in page.text
        assert "가" * (TEXT_CHARS + 1) in page.text
        longest = int(str(page.all("textarea")[0]["maxlength"]))
        assert 3 * longest + len("text=\r\n") < Settings().max_body_bytes, "the box takes no more than can be sent"

    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"text=\xff\xfe", "text/plain"),
            (b"text=%FF", "application/x-www-form-urlencoded"),
            (b'{"text": "x"}', "application/json"),
            (b"other=x", "text/plain"),
            (b"text=x", ""),
        ],
    )
    def test_what_is_no_such_form_is_told_so(self, client: TestClient, body: bytes, kind: str) -> None:
        response = client.post("/cite", content=body, headers={"Content-Type": kind})
        assert response.status_code == 422
        assert "읽을 수 없습니다" in response.text

    def test_other_fields_are_no_text(self, client: TestClient) -> None:
        assert "비어 있습니다" in client.post("/cite", data={"other": "민법 제750조"}).text

    def test_nothing_of_a_text_is_logged(self, client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
        post(client, "비밀스러운 의뢰인의 민법 제750조")
        assert "/cite" in (said := "".join(capsys.readouterr()))
        assert "비밀" not in said

    def test_before_it_is_ready_the_page_says_so(self) -> None:
        release = threading.Event()

        def slow(_: Settings) -> Searcher:
            release.wait(30)
            raise IndexMissing("no index")

        with serving(slow, ready=False) as client:
            try:
                assert "준비 중입니다" in post(client, "민법 제750조", 503).text
            finally:
                release.set()


SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=8)


@given(SPANS)
def test_stretches_are_the_whole_text_and_number_every_citation(spans: list[tuple[int, int]]) -> None:
    text = "가나다라마바사아자차카타파하거너더러머버서어저처커터퍼허"
    found = [FoundCitation((a, a + n), text[a : a + n], "", None, "resolved") for a, n in sorted(spans)]
    parts = stretches(text, found, ["good"] * len(found))
    assert "".join(part.text for part in parts) == text
    assert [number for part in parts for number in part.numbers] == list(range(1, len(found) + 1))


def test_a_stretch_takes_the_worst_of_its_citations() -> None:
    found = [FoundCitation(span, "", "", None, "resolved") for span in ((0, 2), (1, 3))]
    assert [part.tone for part in stretches("가나다", found, ["good", "bad"])] == ["bad"]


def test_the_groups_hold_every_citation_once(searcher: Searcher) -> None:
    found = brief(searcher, TEXT)
    numbers = [one.number for group in found.groups for one in group.citations]
    assert sorted(numbers) == list(range(1, found.count + 1))
    assert [group.name for group in found.groups] == [name for name in LABELS if name in {g.name for g in found.groups}]
