"""law.go.kr bodies: one fixture per trap (invented text in the shape of real bodies), archives, and damage to both."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from training.sources import law_go_kr
from training.sources.law_go_kr_fields import DANGUN
from training.sources.law_go_kr_precedent import court_name
from training.sources.law_go_kr_statute import Heading
from training.sources.records import Broken, Decision, Record, StatuteArticle

FIXTURES = Path(__file__).parent / "fixtures" / "law_go_kr"


def records(name: str) -> list[Record]:
    return list(law_go_kr.read(FIXTURES / f"{name}.json"))


def articles(name: str) -> dict[str, StatuteArticle]:
    return {record.article: record for record in records(name) if isinstance(record, StatuteArticle)}


def decision(name: str) -> Decision:
    (record,) = records(name)
    assert isinstance(record, Decision)
    return record


def broken(name: str) -> str:
    """The reasons of a body that gives nothing but Broken."""
    found = records(name)
    assert found
    assert all(isinstance(record, Broken) and record.where.startswith(name) for record in found)
    return " / ".join(record.reason for record in found if isinstance(record, Broken))


class TestStatutes:
    def test_a_heading_carries_a_number_but_is_no_article(self) -> None:
        found = list(law_go_kr.scan(FIXTURES / "heading_with_article_number.json"))
        assert [type(record).__name__ for record in found] == ["Heading", "StatuteArticle"] * 2
        assert articles("heading_with_article_number")["제1조"] == StatuteArticle(
            "990001", "등대지기 보호법", "법률", "제1조", "목적",
            "이 법은 등대지기의 안전과 휴식을 보호함을 목적으로 한다.", "2024-07-01", "2024-01-02",
        )  # fmt: skip

    def test_branch_numbers_are_articles_of_their_own(self) -> None:
        assert list(articles("branch_number")) == ["제12조", "제12조의2", "제12조의10"]

    def test_a_paragraph_object_may_hold_nothing_but_items(self) -> None:
        assert articles("items_without_paragraph")["제3조"].text == (
            "이 법에서 사용하는 용어의 뜻은 다음과 같다.\n\n"
            '  1. "등대지기"란 등대에서 등불을 돌보는 사람을 말한다.\n    가. 밤에 일하는 사람\n    나. 그 조수\n'
            '  1의2. "등불"이란 뱃길을 비추는 불을 말한다.\n  2. 삭제 <2024.1.2>'
        )

    def test_an_only_child_comes_as_itself(self) -> None:
        text = "① 등대지기는 다음의 경우에 쉰다.\n\n  1. 파도가 높은 날\n    가. 태풍이 온 날"
        assert articles("only_child_as_object")["제7조"].text == text

    def test_paragraphs_stand_apart_as_in_the_jsonl_files(self) -> None:
        article = articles("paragraphs")["제8조"]
        assert not article.deleted
        assert article.text.split("\n\n") == [
            "① 등대는 해마다 점검한다. 다만, 다음 각 호의 경우에는 그러하지 아니하다. <신설 2024.1.2>",
            "  1. 새로 지은 등대\n  2. 쓰지 않는 등대",
            "② 점검의 방법은 대통령령으로 정한다.",
            "③ 삭제 <2024.1.2>",
        ]

    def test_lists_in_lists_are_lines(self) -> None:
        assert articles("nested_lists")["제9조"].text == (
            "등대지기는 다음 표에 따라 보고한다.\n┌──┬──┐\n│달│날│\n└──┴──┘\n\n"
            "  1. 매달 하는 보고\n    가) 기름의 양\n    가. 배의 수\n      1) 큰 배\n      2) 작은 배"
        )

    def test_numbers_that_the_text_does_not_repeat_are_set_before_it(self) -> None:
        text = articles("numbers_outside_the_text")["제70조"].text
        assert text == "다음 각 호의 자는 등대를 청소한다.\n\n  5의2. 종을 치지 않은 자\n  6. 등불을 끈 자"

    def test_deleted_is_told_from_about_deletion(self) -> None:
        deleted = {name: article.deleted for name, article in articles("deleted_and_about_deletion").items()}
        expected = {"제20조": True, "제20조의2": True, "제21조": True, "제22조": False, "제23조": False}
        assert deleted == expected

    def test_the_effective_date_is_the_articles_own(self) -> None:
        dates = [article.effective_date for article in articles("own_effective_date").values()]
        assert dates == ["2024-07-01", "2026-01-01", "2024-07-01"]

    def test_labels_leave_the_text(self) -> None:
        found = {name: (article.title, article.text) for name, article in articles("labels").items()}
        assert found == {
            "제40조": ("양도(讓渡)의 통지", "등대를 넘길 때에는 알린다."),
            "제41조": ("합병·분할의 통지", "나눌 때에도 같다."),
            "제42조": ("등기", "등대는 등기한다."),
            "제43조": ("", "등대의 이름은 두 글자로 한다."),
            "제44조": ("목적", "(부칙에서 정한 것을 말한다) 이 조는 괄호로 시작한다."),
        }

    def test_text_is_nfc_and_never_nfkc(self) -> None:
        text = articles("image_and_compatibility_hanja")["제50조"].text
        assert text == "등불의 대가는 金(금)으로 준다. 가을 포함한다. ①㎡ㆍ"

    def test_a_moved_article_says_where_it_went(self) -> None:
        moved, empty = records("moved_article")
        assert isinstance(moved, StatuteArticle)
        assert (moved.text, moved.deleted) == ("[제61조로 이동 <2024.1.2>]", False)
        assert isinstance(empty, Broken)
        assert "제62조" in empty.where

    def test_years_of_dangun(self) -> None:
        article = articles("old_calendar")["제1조"]
        assert (article.effective_date, article.promulgated_date) == (f"{4289 - DANGUN}-03-15", "1956-03-01")

    def test_one_unusable_article_does_not_take_the_others(self) -> None:
        kinds = [type(record).__name__ for record in records("unusable_article")]
        assert kinds == ["StatuteArticle", "Broken", "Broken", "StatuteArticle"]

    @pytest.mark.parametrize(("name", "reason"), [("law_without_id", "법령ID"), ("law_without_articles", "조문단위")])
    def test_unusable_laws(self, name: str, reason: str) -> None:
        assert reason in broken(name)


class TestRules:
    def test_articles_come_as_strings_with_headings_among_them(self) -> None:
        found = records("rule")
        assert [record.article for record in found if isinstance(record, StatuteArticle) and not record.deleted] == [
            "제1조", "제2조", "제5조",
        ]  # fmt: skip
        assert [record.article for record in found if isinstance(record, StatuteArticle) and record.deleted] == [
            "제2조의2", "제3조", "제4조",
        ]  # fmt: skip
        assert found[1] == StatuteArticle(
            "99821", "등대 감독규정", "행정규칙", "제2조", "범위",
            "① 모든 등대에 적용한다. ② 부표에는 적용하지 아니한다.", "2023-11-03", "2023-05-02", "2100000999999",
        )  # fmt: skip
        assert isinstance(found[-1], Broken)
        assert "제1-1조" in found[-1].reason
        assert sum(isinstance(record, Heading) for record in law_go_kr.scan(FIXTURES / "rule.json")) == 2

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("rule_without_id", "행정규칙ID"),
            ("rule_former", "현행여부 is N"),
            ("rule_in_one_string", "not cut into articles"),
            ("rule_without_text", "attached file"),
        ],
    )
    def test_unusable_rules(self, name: str, reason: str) -> None:
        assert reason in broken(name)


class TestPrecedents:
    def test_the_body_of_the_api(self) -> None:
        assert decision("precedent") == Decision(
            "900001", "2031다1001, 1002(병합)", "등대사용료", "대법원", "대법원", "민사", "2031-02-14",
            "[1] 등불을 켜 둔 채 떠난 등대지기의 책임(적극)\n[2] 안개 낀 밤에 종을 치지 않은 것이 과실인지 여부(소극)",
            "[1] 등불은 지키는 사람이 책임진다.\n[2] 종이 없었다면 과실이 아니다.",
            "[1] 등대지기 보호법 제12조 / [2] 등대지기 보호법 제12조의2", "[1] 대법원 2030. 1. 1. 선고 2029다1 판결",
        )  # fmt: skip

    def test_the_body_as_a_crawler_keeps_it(self) -> None:
        found = decision("precedent_as_crawled")
        expected = ("900001", "수원지방법원 안산지원", "하급심", "", "")
        assert (found.precedent_id, found.court, found.court_level, found.case_type, found.cited_precedents) == expected

    @pytest.mark.parametrize(
        ("name", "day"), [("blank_date", ""), ("partial_date", ""), ("old_calendar", "1956-02-14")]
    )
    def test_dates(self, name: str, day: str) -> None:
        assert decision(f"precedent_{name}").decision_date == day

    def test_a_decision_without_a_number_is_named(self) -> None:
        assert "사건번호" in broken("precedent_without_number")

    @pytest.mark.parametrize(
        ("short", "full"),
        [
            ("서울고법", "서울고등법원"), ("서울중앙지법", "서울중앙지방법원"), ("서울행법", "서울행정법원"),
            ("부산가법", "부산가정법원"), ("특허", "특허법원"), ("대전고법(청주)", "대전고등법원(청주)"),
            ("의정부지법 고양지원", "의정부지방법원 고양지원"), ("수원지법안산지원", "수원지방법원 안산지원"),
            ("서울민사지법", "서울민사지방법원"), ("대법원", "대법원"), ("특허법원", "특허법원"),
            ("부산고등법원(창원)", "부산고등법원(창원)"), ("수원지방법원 성남지원", "수원지방법원 성남지원"),
            ("고등군사법원", "고등군사법원"), ("서울회생법원", "서울회생법원"),
        ],
    )  # fmt: skip
    def test_court_names(self, short: str, full: str) -> None:
        assert court_name(short) == full == court_name(full)


class TestErrorsAnsweredAsBodies:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("error_no_match", "일치하는 판례가 없습니다"),
            ("error_refused", "사용자 정보 검증에 실패"),
            ("error_other_body", "found LawSearch"),
            ("error_page", "HTML in place of a body; fetch it again"),
            ("error_empty", "empty body"),
            ("cut_in_the_middle", "cut or damaged at character"),
        ],
    )
    def test_they_are_broken_with_the_reason(self, name: str, reason: str) -> None:
        assert reason in broken(name)


def tar(bodies: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in bodies.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


BODIES = {f"law_go_kr/{path.name}": path.read_bytes() for path in sorted(FIXTURES.glob("p*.json"))}
TAR = tar(BODIES | {"law_go_kr/README.txt": b"no body"})
PLAIN = [record for name in BODIES for record in records(Path(name).stem)]


def contents(found: list[Record]) -> list[object]:
    """Records, and the reasons of the broken ones: `where` says from which file they came."""
    return [record.reason if isinstance(record, Broken) else record for record in found]


class TestArchives:
    @pytest.mark.parametrize("name", ["bodies.tar", "bodies.tar.zst"])
    def test_an_archive_gives_what_its_files_give(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / name
        path.write_bytes(zstandard.compress(TAR) if name.endswith(".zst") else TAR)
        found = list(law_go_kr.read(path))
        assert contents(found) == contents(PLAIN)
        assert [r.where for r in found if isinstance(r, Broken)] == [f"{name}:law_go_kr/precedent_without_number.json"]

    def test_a_folder_gives_what_its_files_give(self, tmp_path: Path) -> None:
        for name, body in BODIES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(body)
        assert law_go_kr.is_folder_of_bodies(tmp_path)
        assert contents(list(law_go_kr.read(tmp_path))) == contents(PLAIN)
        (tmp_path / "statutes.jsonl").touch()
        assert not law_go_kr.is_folder_of_bodies(tmp_path)
        assert not law_go_kr.is_folder_of_bodies(tmp_path / "statutes.jsonl")

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_a_cut_archive_keeps_what_came_before_and_says_so(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        name, whole = data.draw(st.sampled_from([("a.tar", TAR), ("a.tar.zst", zstandard.compress(TAR))]))
        path = tmp_path_factory.mktemp("cut") / name
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
        found = list(law_go_kr.read(path))
        if contents(found) != contents(PLAIN):
            *kept, last = found
            assert isinstance(last, Broken)
            assert "at byte" in last.where
            assert "cut or damaged" in last.reason
            assert contents(kept) == contents(PLAIN)[: len(kept)]

    def test_a_damaged_header_in_the_middle_is_no_end(self, tmp_path: Path) -> None:
        with tarfile.open(fileobj=io.BytesIO(TAR)) as archive:
            second = archive.getmembers()[1].offset
        path = tmp_path / "a.tar"
        path.write_bytes(TAR[:second] + b"\xff" * 512 + TAR[second + 512 :])
        first, last = law_go_kr.read(path)
        assert first == PLAIN[0]
        assert isinstance(last, Broken)
        assert f"at byte {second}" in last.where

    def test_damaged_compression_is_told(self, tmp_path: Path) -> None:
        whole = bytearray(zstandard.compress(TAR))
        whole[4:40] = b"\xff" * 36
        path = tmp_path / "a.tar.zst"
        path.write_bytes(bytes(whole))
        (only,) = law_go_kr.read(path)
        assert isinstance(only, Broken)
        assert "zstd" in only.reason

    def test_another_kind_of_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "laws.xlsx").touch()
        (only,) = law_go_kr.read(tmp_path / "laws.xlsx")
        assert isinstance(only, Broken)
        assert ".tar.zst" in only.reason


WORDS = st.sampled_from(["", "제1조", "제1조(목적) 글", "삭제", "전문", "20240101", "0001001", "(", "1.", "①", "<br/>"])
ROOT_KEYS = [
    "법령",
    "AdmRulService",
    "PrecService",
    "Law",
    "result",
    "기본정보",
    "행정규칙기본정보",
    "조문",
    "조문단위",
]
LAW_KEYS = ["법령ID", "법령명_한글", "법종구분", "content", "행정규칙ID", "행정규칙명"]
ARTICLE_KEYS = [
    "조문내용",
    "조문번호",
    "조문가지번호",
    "조문여부",
    "조문키",
    "조문제목",
    "조문참고자료",
    "조문시행일자",
]
BODY_KEYS = ["항", "항번호", "항내용", "호", "호번호", "호내용", "호가지번호", "목", "목내용"]
DECISION_KEYS = ["판례정보일련번호", "사건번호", "법원명", "선고일자", "판시사항"]
KEYS = st.sampled_from([*ROOT_KEYS, *LAW_KEYS, *ARTICLE_KEYS, *BODY_KEYS, *DECISION_KEYS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 30000000) | WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
BASE = {"법령ID": "990001", "법령명_한글": "등대지기 보호법"}
RULE = {"행정규칙ID": "99821", "행정규칙명": "등대 감독규정"}
UNITS = st.lists(JSON | st.dictionaries(KEYS, JSON, max_size=8), max_size=4)
BODY = (
    JSON
    | UNITS.map(lambda units: {"법령": {"기본정보": BASE, "조문": {"조문단위": units}}})
    | JSON.map(lambda texts: {"AdmRulService": {"행정규칙기본정보": RULE, "조문내용": texts}})
    | st.dictionaries(KEYS, JSON, max_size=8).map(lambda fields: {"PrecService": {**fields, "사건번호": "1다1"}})
)


@settings(max_examples=300, deadline=None)
@given(body=BODY)
def test_any_json_gives_records_or_a_reason(body: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "body.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    found = list(law_go_kr.scan(path))
    assert found or body.get("법령")
    for record in found:
        assert isinstance(record, StatuteArticle | Decision | Broken | Heading)
        assert not isinstance(record, StatuteArticle) or record.text


@pytest.mark.data
def test_the_real_archive_holds_what_was_counted() -> None:
    folder = os.environ.get("BEOPGIL_DATA")
    if not folder:
        pytest.skip("BEOPGIL_DATA does not name the folder of real records")
    counts: Counter[str] = Counter()
    for record in law_go_kr.scan(Path(folder) / "law_go_kr.raw.tar.zst"):
        rule = (
            "admin_rules" in record.where if isinstance(record, Heading) else getattr(record, "kind", "") == "행정규칙"
        )
        counts[("rule " if rule else "") + type(record).__name__] += 1
        counts["deleted"] += isinstance(record, StatuteArticle) and record.deleted and not rule
    measured = {"StatuteArticle": 6894, "deleted": 422, "Heading": 646, "Decision": 21242, "Broken": 2}
    assert {name: counts[name] for name in measured} == measured
