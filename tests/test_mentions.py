"""Citations in free text."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.mentions import MOST, ArticleMention, article_mentions
from app.law.names import Law, LawNames
from app.law.provisions import Provision
from app.law.text import match_key, readable
from tests.provisions import PROVISIONS
from tests.test_citation import HOSTILE

CRIMES = "특정범죄 가중처벌 등에 관한 법률"
LABEL = "표시ㆍ광고의 공정화에 관한 법률"
NAMES = LawNames(
    Law(str(n), name, "법률", "2024")
    for n, name in enumerate(
        ["민법", "형법", "상법", "형사소송법", "대한민국헌법", "개인정보 보호법", "개인정보 보호법 시행령", CRIMES,
         "난민법",
         "주택임대차보호법", "주택임대차보호법 시행령", "상가건물 임대차보호법", LABEL, "디자인보호법",
         "증권거래법 시행령"]
    )
)  # fmt: skip


def mentions(text: str) -> list[ArticleMention]:
    return article_mentions(readable(text), NAMES)


def shown(text: str) -> list[str]:
    """구, the law as written (? for none) and the place of each; {law: what the dictionary makes of it}."""
    return [
        " ".join(filter(None, ("구" * one.former, one.written or "?", str(one.provision)))) for one in mentions(text)
    ]


def spans(text: str) -> list[str]:
    return [text[slice(*one.span)] for one in mentions(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # how people write an article
        ("민법 제750조", ["민법 제750조"]),
        ("민법 750", ["민법 제750조"]),
        ("민법750조", ["민법 제750조"]),
        ("민 750", ["민 제750조"]),
        ("민750", ["민 제750조"]),
        ("형소법 308조의 2", ["형소법 제308조의2"]),
        ("특가법 5조의11", ["특가법 제5조의11"]),
        ("개인정보보호법 제17조", ["개인정보보호법 제17조"]),
        ("「개인정보 보호법」 제17조제1항제2호", ["개인정보 보호법 제17조 제1항 제2호"]),
        ("헌법 제37조제2항", ["헌법 제37조 제2항"]),
        ("표시·광고의 공정화에 관한 법률 제3조", [f"{LABEL} 제3조"]),
        ("민법상 제750조", ["민법 제750조"]),
        ("민법의 제750조", ["민법 제750조"]),
        ("(민법 제1조)", ["민법 제1조"]),
        ("민법 제1조는?", ["민법 제1조"]),
        ("민법 750 손해배상 요건", ["민법 제750조"]),
        # lists and ranges
        ("민법 제3조, 제4조 및 형법 제5조, 제6조", ["민법 제3조", "민법 제4조", "형법 제5조", "형법 제6조"]),
        ("민법 제750조 내지 제752조", ["민법 제750조", "민법 제751조", "민법 제752조"]),
        ("민법 제750조부터 제752조까지", ["민법 제750조", "민법 제751조", "민법 제752조"]),
        ("민법 750조에서 752조까지", ["민법 제750조", "민법 제751조", "민법 제752조"]),
        ("민법 제3조에서 제5조를 준용한다", ["민법 제3조", "민법 제5조"]),
        ("민법 제1조 1항, 제2항, ③", ["민법 제1조 제1항", "민법 제1조 제2항", "민법 제1조 제3항"]),
        ("제355조형법 제356조", ["? 제355조", "형법 제356조"]),
        # what stands for a law
        ("개인정보 보호법 제17조, 같은 법 시행령 제3조, 동법 제5조",
         ["개인정보 보호법 제17조", "개인정보 보호법 시행령 제3조", "개인정보 보호법 제5조"]),
        ("민법을 적용하면 제750조가 문제된다", ["민법 제750조"]),
        ("민법 제1조 제1항, 같은 조 제2항, 같은 항 제3호",
         ["민법 제1조 제1항", "민법 제1조 제2항", "민법 제1조 제2항 제3호"]),
        ("동법 시행령 제3조", ["? 제3조"]),
        ("같은 법 제3조", ["? 제3조"]),
        ("위 법 제3조와 법 제4조", ["? 제3조", "? 제4조"]),
        ("제750조", ["? 제750조"]),
        # modifiers and former versions
        ("개정된 민법 제750조", ["민법 제750조"]),
        ("개정 민법 제750조", ["민법 제750조"]),
        ("구 민법 제750조", ["구 민법 제750조"]),
        ("구민법 제750조", ["구 민법 제750조"]),
        ("개정 전 민법 제3조", ["구 민법 제3조"]),
        # never the tail of another name
        ("노동법 제1조", ["노동법 제1조"]),
        ("난민법 제1조", ["난민법 제1조"]),
        ("구급법 제1조", ["구급법 제1조"]),
        ("장난민법 제1조", ["장난민법 제1조"]),
        ("헌법재판소는 제5조를 보았다", ["? 제5조"]),
        # names in no dictionary
        ("완주군 기금설치 및 운용에 관한 조례 제4조", ["완주군 기금설치 및 운용에 관한 조례 제4조"]),
        ("「공단 회계규정 시행세칙」 제5조", ["공단 회계규정 시행세칙 제5조"]),
        ("그 위임에 따른 부천시 주거환경정비 조례 제15조", ["부천시 주거환경정비 조례 제15조"]),
        ("관련 법리 등\n의사상법 제2조", ["의사상법 제2조"]),
        ("주가안정을 위하여 증권거래법 제189조의2", ["증권거래법 제189조의2"]),
        ("구법 및 상호신용금고법 제3조", ["상호신용금고법 제3조"]),
        ("선택진료 등에 관한 규칙 제4조", ["선택진료 등에 관한 규칙 제4조"]),
        ("민법과 달리 선택진료 등에 관한 규칙 제4조", ["선택진료 등에 관한 규칙 제4조"]),
        ("민법은 두고 산업기술법 시행령 제13조", ["산업기술법 시행령 제13조"]),
        # 부칙 and annexes
        ("민법 부칙 제3조", ["민법 부칙 제3조"]),
        ("민법 별표 2 제3호", ["민법 별표 2 제3호"]),
        ("별표 1", []),
        # no citations
        ("계약서 제5조에 따라", []),
        ("이 사건 약관 제3조 제2항", []),
        ("이 사건 협약 제13조", []),
        ("이 사건 조례안 제4조", []),
        ("취업규칙 제12조", []),
        ("원고의 급여 규정 제5조", []),
        ("회사 정관 제4조와 민법 제2조", ["민법 제2조"]),
        ("매매대금 5조 원을 지급", []),
        ("예산 3조원", []),
        ("민법 제750조 위반으로 2조 원", ["민법 제750조"]),
        ("민법 750원", []),
        ("민법 12345", []),
        ("민법 2020년", []),
        ("민법상 손해배상", []),
        ("전세 2년 살았는데 3조", []),
        ("손해배상", []),
        ("", []),
        # a law alone, only where it is the whole text
        ("민법", ["민법"]),
        ("민법은", []),
        ("민법을 알고 싶다", []),
    ],
)  # fmt: skip
def test_texts(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("민법 (제750조", ["민법 제750조"]),
        ("민법 제750조)", ["민법 제750조"]),
        ("((민법 제750조", ["민법 제750조"]),
        ("민법 [제750조 「 제751조", ["민법 제750조", "민법 제751조"]),
        ("「민법 제750조", ["민법 제750조"]),
        # joined over a line break, in a name, in an article, in a number
        ("민법\n제750조", ["민법 제750조"]),
        ("개인정보\n보호법 제17조", ["개인정보 보호법 제17조"]),
        ("민법 제7\n50조", ["민법 제750조"]),
        ("민법 제750조, 제\n751조", ["민법 제750조", "민법 제751조"]),
        # not over a blank line
        ("민법\n\n제750조", ["? 제750조"]),
        ("민법\r\n \r\n제750조", ["? 제750조"]),
        ("민법 제750\n\n조", []),
        ("개인정보\n\n보호법 제17조", ["보호법 제17조"]),
        ("민법 제1조 제1항\n\n같은 조 제2항", ["민법 제1조 제1항", "? 제2항"]),
        ("민법 제1조\n\n위 법 제2조", ["민법 제1조", "? 제2조"]),
        ("민법 제1조\n\n같은 법 시행령 제2조", ["민법 제1조", "? 제2조"]),
        ("민법 제1조\n\n위 법 제2조, 같은 법 제3조", ["민법 제1조", "? 제2조", "? 제3조"]),
    ],
)
def test_what_is_cut_or_open(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_a_name_of_the_texts_own() -> None:
    text = "주택임대차보호법(이하 ‘임대차법’이라 한다)은 새 법이다. 임대차법 제4조"
    (found,) = mentions(text)
    assert [law.name for law in found.laws] == ["주택임대차보호법"]
    assert shown("개인정보 보호법(이하 '법'이라 한다)과 형법 제2조, 법 제18조, 시행령 제2조") == [
        "형법 제2조", "개인정보 보호법 제18조", "개인정보 보호법 시행령 제2조",
    ]  # fmt: skip
    text = "광주시 주차장 조례(2010. 1. 1. 조례 제1호, 이하 '이 사건 조례'라 한다) 제3조. 민법. 이 사건 조례 제5조"
    assert shown(text) == ["광주시 주차장 조례 제3조", "광주시 주차장 조례 제5조"]
    assert shown("옛이름법(이하 '법'이라 한다)은 없어졌고 민법은 있다. 법 제3조") == ["옛이름법 제3조"]
    assert shown("이 사건 조례 제5조") == ["? 제5조"]
    assert shown("민법 제1조, 이 사건 조례 제5조, 이 규정 제3조") == ["민법 제1조", "? 제5조", "? 제3조"]


def test_the_law_of_then_and_of_now() -> None:
    text = (
        "구 상법(2011. 4. 14. 법률 제10600호로 개정되기 전의 것, 이하 '구법'이라 한다) 제3조, 현행법 제4조, 구법 제5조"
    )
    first, now, then = mentions(text)
    assert (first.former, first.version_day, first.revision) == (True, "2011-04-14", "partial")
    assert (now.written, now.former, str(now.provision)) == ("상법", False, "제4조")
    assert (then.written, then.former, then.version_day) == ("상법", True, "2011-04-14")
    (old,) = mentions("상법에 대하여 본다. 개정 전 법률 제7조")
    assert (old.written, old.former, old.revision) == ("상법", True, "full")
    assert shown("상법의 경우 구법의 시행령 제16조") == ["구 상법 시행령 제16조"]


def test_a_former_version_says_when_and_how() -> None:
    (one,) = mentions("구 형법(1995. 12. 29. 법률 제5057호로 전부 개정되기 전의 것) 제3조(현행 제5조 참조)")
    assert (one.former, one.revision, one.version_day) == (True, "full", "1995-12-29")
    assert [str(current) for current in one.current] == ["형법 제5조"]
    (gone,) = mentions("구 형법 제3조(현행 삭제)")
    assert gone.current_deleted
    (beside,) = mentions("형법 제3조(1995. 12. 29. 법률 제5057호로 개정되기 전의 것)")
    assert (beside.former, beside.version_day) == (True, "1995-12-29")


def test_what_a_name_was_taken_for() -> None:
    (alias,) = mentions("특가법 제5조의3")
    assert (alias.alias, [law.name for law in alias.laws]) == (True, [CRIMES])
    (either,) = mentions("임대차보호법 제3조")
    assert [law.name for law in either.laws] == ["주택임대차보호법", "상가건물 임대차보호법"]
    (renamed,) = mentions("의장법 제3조")
    assert (renamed.renamed, [law.name for law in renamed.laws]) == (True, ["디자인보호법"])
    (unknown,) = mentions("노동법 제3조")
    assert unknown.laws == ()
    (titled,) = mentions("민법 제750조(불법행위의 내용)")
    assert titled.title == "불법행위의 내용"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("앞 민법 제750조 뒤", "민법 제750조"),
        ("앞 「민법」 제750조의 뒤", "민법」 제750조"),
        ("원고는 동법 제3조에", "동법 제3조"),
        ("\u200f민법\u200b 제750조\u200e", "민법\u200b 제750조"),
        ("민\u00ad법 제7\u200b50조", "민\u00ad법 제7\u200b50조"),
        ("민법 제７５０조", "민법 제７５０조"),
        ("구 상법(2011. 4. 14. 법률 제10600호로 개정되기 전의 것) 제393조", None),
    ],
)
def test_spans(text: str, span: str | None) -> None:
    assert spans(text) == [span or text]


def test_a_range_spans_its_ends() -> None:
    text = "민법 제750조 내지 제752조"
    assert spans(text) == ["민법 제750조", "제750조 내지 제752조", "제752조"]


def test_decomposed_text_is_read_as_it_is() -> None:
    text = unicodedata.normalize("NFD", "요건 민법 제750조, 동법 제751조")
    assert shown(text) == ["민법 제750조", "민법 제751조"]
    assert spans(text) == [unicodedata.normalize("NFD", one) for one in ("민법 제750조", "동법 제751조")]


def test_ten_thousand_citations_in_one_text() -> None:
    text = "\n".join(f"민법 제{n % 900 + 1}조와 같은 법 제{n % 77 + 1}조 제2항." for n in range(5_000))
    start = time.process_time()
    found = mentions(text)
    assert time.process_time() - start < 10
    assert len(found) == 10_000
    assert {one.written for one in found} == {"민법"}


def test_ranges_do_not_make_millions_of_a_text() -> None:
    text = "민법 제1조 내지 제100조. " * 6_000
    found = mentions(text)
    assert MOST < len(found) < MOST + 3 * 6_000
    assert [str(one.provision) for one in found[-2:]] == ["제1조", "제100조"]


@given(st.sampled_from(["민법", "형사소송법", CRIMES, LABEL, "개인정보 보호법"]), PROVISIONS)
def test_a_formatted_citation_is_found_whole(law: str, provision: Provision) -> None:
    text = f"앞말 {law} {provision} 뒷말"
    (found,) = mentions(text)
    assert (found.written, found.provision, found.span) == (law, provision, (3, len(text) - 3))


PIECES = st.sampled_from(
    [*"제조항은 ,「」()①ㆍ\n<", "민법", "형소법", "주임법 시행령", "난민법", "동법", "같은 법 ", "750", "1", "의2",
     " 및 ", "이하 '법'이라 한다",
     "구법", "이 사건 조례", "개정되기 전의 것", "(2010. 1. 1.", "에 관한 규칙", "시행령", "부칙", "별표", "\n\n",
     "\u200b", "\u1106\u1175"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=40).map("".join)))
def test_reading_never_raises_and_spans_index_the_text(text: str) -> None:
    for one in mentions(text):
        start, end = one.span
        assert 0 <= start < end <= len(text)
        if one.provision.jo and not one.provision.hyphen:
            digits = {char for char in match_key(readable(text).text) if char.isdigit()}
            assert set(str(one.provision.jo)) <= digits or one.provision.jo
        assert one.written or not one.laws


@pytest.mark.parametrize(
    "piece",
    [*HOSTILE, "동법 ", "법 제1조 ", "위 법 시행령 제1조 ", "민법(이하 '법'이라 한다) ", "가 법 제1조",
     "관한 법률 제1조", "구민법", "(이하 ",
     "이 사건 조례 제1조", "계약 제1조", "「민법", "「민법」 ", "헌법재판소 ", "민법 750 ", "법법", "가법 제1조("],
    ids=repr,
)  # fmt: skip
def test_hostile_texts_of_100_kb_take_no_time(piece: str) -> None:
    text = (piece * (100_000 // len(piece) + 1))[:100_000]
    start = time.process_time()
    mentions(text)
    assert time.process_time() - start < 10
