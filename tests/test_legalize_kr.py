from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from tests.legalize_kr_files import ARTICLES, DECISION, DECREE, LAW, LOWER, decision, statute, write
from training import sources
from training.recipe import RecipeError
from training.sources import legalize_kr
from training.sources.records import Broken, Decision, Gone, Record, StatuteArticle

OTHERS = {"README.md": "# 읽어 두기\n", "kr/README.md": "# 목록\n", "metadata.json": "{}", ".github/a/b.md": "# x\n"}


def records(text: str) -> list[Record]:
    return list(legalize_kr.read_text(text.encode(), "file.md"))


def articles(text: str) -> dict[str, StatuteArticle]:
    found = records(statute(text))
    assert all(isinstance(record, StatuteArticle) for record in found)
    return {record.article: record for record in found if isinstance(record, StatuteArticle)}


def broken(text: str) -> str:
    return " / ".join(f"{record.where}: {record.reason}" for record in records(text) if isinstance(record, Broken))


class TestStatutes:
    def test_articles_without_headings_and_supplement(self) -> None:
        assert list(articles(ARTICLES)) == ["제1조", "제2조", "제2조의2", "제3조"]
        assert articles(ARTICLES)["제1조"] == StatuteArticle(
            "990001", "등대지기 보호법", "법률", "제1조", "목적", "이 법은 등대지기를 보호한다.", "2024-07-01",
            "2024-01-02", "1001",
        )  # fmt: skip

    def test_text_is_laid_out_as_in_the_other_sources(self) -> None:
        assert articles(ARTICLES)["제2조"].text == (
            "① 이 법에서 쓰는 말의 뜻은 다음과 같다. <개정 2024.1.2>\n\n"
            '  1. "등대"란 뱃길을 비추는 집을 말한다.\n    가. 큰 등대\n 1) 돌로 지은 것\n'
            '  1의2. "등불"이란 그 빛을 말한다.\n\n'
            "② 나머지는 대통령령으로 정한다."
        )

    def test_deleted_is_told(self) -> None:
        assert {name: one.deleted for name, one in articles(ARTICLES).items() if one.deleted} == {"제2조의2": True}
        live = articles("##### 제4조 (정보의 삭제)\n\n삭제를 요청받은 자는 지체 없이 지운다.\n")
        assert not live["제4조"].deleted

    def test_what_a_title_with_brackets_leaves_in_the_text_is_taken_away(self) -> None:
        article = articles(ARTICLES)["제3조"]
        assert (article.title, article.text) == ("양도(讓渡)의 통지·신고", "등대를 넘길 때에는 알린다.")
        kept = articles("##### 제5조 (양도(讓渡)의 통지)\n\n등대(燈臺)의 통지) 글\n")["제5조"]
        assert kept.text == "등대(燈臺)의 통지) 글"

    def test_the_name_as_the_source_had_it_is_kept(self) -> None:
        text = statute(ARTICLES).replace("상태: 시행", "상태: 시행\n원본제목: 등대·지기 보호법")
        first = records(text)[0]
        assert isinstance(first, StatuteArticle)
        assert first.law == "등대·지기 보호법"

    def test_decomposed_text_is_composed(self) -> None:
        assert records(unicodedata.normalize("NFD", statute(ARTICLES))) == records(statute(ARTICLES))

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (statute(ARTICLES + "\n##### 제1조 (목적)\n\n또 있다.\n"), "제1조: stands twice in its file"),
            (statute("##### 제1조 (목적)\n\n## 제2장 끝\n"), "제1조: no text"),
            (statute("글만 있다."), "no article"),
            (statute(ARTICLES, name=""), "no 제목"),
            ("# 제목\n", "no front matter"),
            ("---\n제목: 무엇\n---\n", "neither 법령ID nor 판례일련번호"),
            (statute(ARTICLES)[:60], "front matter without an end"),
        ],
    )
    def test_what_cannot_be_used_is_named(self, text: str, reason: str) -> None:
        assert reason in broken(text)

    def test_bytes_that_are_no_text(self) -> None:
        (only,) = legalize_kr.read_text(b"---\n\xff\n---\n", "file.md")
        assert isinstance(only, Broken)


class TestDecisions:
    def test_sections(self) -> None:
        assert records(decision()) == [
            Decision(
                "900001", "2031다1001, 1002(병합)", "등대사용료", "대법원", "대법원", "민사", "2031-02-14",
                "[1] 등불을 켜 둔 채 떠난 등대지기의 책임(적극)\n[2] 종을 치지 않은 것이 과실인지 여부(소극)",
                "[1] A&B 등대의 등불은 지키는 사람이 책임진다.", "[1] 등대지기 보호법 제2조", "",
            )
        ]  # fmt: skip

    def test_courts_are_written_out_and_levels_known(self) -> None:
        (found,) = records(decision(법원명="서울고법", 법원등급="미분류", 선고일자=""))
        assert isinstance(found, Decision)
        assert (found.court, found.court_level, found.decision_date) == ("서울고등법원", "하급심", "")

    def test_a_number_that_goes_on_in_the_next_line(self) -> None:
        (found,) = records(decision(number="2031다1001, 1002,\n  1003"))
        assert isinstance(found, Decision)
        assert found.case_no == "2031다1001, 1002, 1003"

    def test_without_a_number_it_cannot_be_used(self) -> None:
        assert "no 사건번호" in broken(decision(number=""))


class TestCheckouts:
    def test_both_kinds_are_known_and_read_in_name_order(self, tmp_path: Path) -> None:
        laws = write(tmp_path / "legalize-kr", {LAW: statute(ARTICLES), DECREE: statute(ARTICLES, "990002"), **OTHERS})
        decisions = write(tmp_path / "precedent-kr", {DECISION: decision(), LOWER: decision("900002"), **OTHERS})
        assert [legalize_kr.is_checkout(path) for path in (laws, decisions, tmp_path)] == [True, True, False]
        assert sources.find(str(laws)) == [laws]
        assert sources.find(str(tmp_path)) == [laws, decisions]
        found = [record for path in sources.find(str(tmp_path)) for record in sources.read(path)]
        assert not [record for record in found if isinstance(record, Broken)]
        assert [type(record).__name__ for record in found] == ["StatuteArticle"] * 8 + ["Decision"] * 2
        assert [record.law_id for record in found[::4] if isinstance(record, StatuteArticle)] == ["990001", "990002"]

    def test_decomposed_file_names(self, tmp_path: Path) -> None:
        write(tmp_path, {unicodedata.normalize("NFD", DECISION): decision()})
        assert legalize_kr.is_checkout(tmp_path)

    def test_other_folders_are_no_checkouts(self, tmp_path: Path) -> None:
        write(tmp_path, OTHERS)
        assert legalize_kr.checkouts(tmp_path) == []
        assert legalize_kr.checkouts(tmp_path / "README.md") == []
        (tmp_path / "metadata.json").unlink()
        with pytest.raises(RecipeError, match=r"nor a checkout of legalize-kr"):
            sources.find(str(tmp_path))

    @pytest.mark.parametrize(
        ("text", "gone"),
        [(statute(ARTICLES), Gone(law_id="990001")), (decision(), Gone(precedent_id="900001")), ("# 글", None)],
    )
    def test_identity(self, text: str, gone: Gone | None) -> None:
        assert legalize_kr.identity(text.encode()) == gone
