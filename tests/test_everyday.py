from __future__ import annotations

import time
import unicodedata
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.everyday import legal_terms
from app.law.everyday_words import EVERYDAY, TABLE, WHOLE

FORMAL = (
    "임대차계약이 종료된 후 임차인이 목적물을 계속 점유하는 경우 부당이득반환의무의 성립 여부(한정 적극)",
    "채권자취소권의 대상이 되는 사해행위에 해당하는지 여부를 판단하는 기준 시점",
    "소유권이전등기청구권의 소멸시효가 진행하는지 여부 및 그 기산점",
    "사용자가 근로자를 징계해고한 것이 재량권의 범위를 일탈·남용하였는지 여부의 판단 기준",
    "피고인이 공모하여 타인의 재물을 편취하였다는 공소사실에 대하여 고의를 인정하기 위한 증명의 정도",
    "위법하게 수집한 증거를 기초로 획득한 2차적 증거의 증거능력을 인정할 수 있는 예외적인 경우",
    "행정처분의 취소를 구할 법률상 이익이 있는지 여부 및 제3자의 원고적격",
    "이사가 회사에 대하여 선량한 관리자의 주의의무를 위반한 경우 손해배상책임의 범위",
    "상속인이 상속재산에 대한 처분행위를 한 후 한 상속포기 신고의 효력(무효)",
    "구 도시 및 주거환경정비법상 조합설립인가처분의 법적 성격과 그 무효확인을 구하는 소의 이익",
    "특허발명의 진보성을 판단함에 있어 선행기술과의 차이에 비추어 통상의 기술자가 용이하게 발명할 수 있는지 여부",
    "과세관청이 비자금에 대하여 소득금액변동통지를 한 경우 원천징수의무의 성립 시기와 통신사실확인자료의 증명력",
    "1차 사고로 정차 중이던 차량을 후행 차량이 충격한 2차 사고에서 선행 차량 운전자의 과실 유무",
)
"""Issues as courts put them."""


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("집주인이 월세를 올려달래요", ("임대인", "차임", "증액", "임대차")),
        ("집 주인이 보증금을 안 돌려줘요", ("임대인", "임차권등기명령", "임대차")),
        ("알바하다 짤렸어요", ("단시간근로자", "근로자", "해고")),
        ("술먹고운전하다 뺑소니", ("술에 취한 상태", "도주", "사고발생 시의 조치")),
        ("빌려준 돈을 안 갚아요", ("대주", "소비대차", "변제", "채무불이행")),
        ("pc방 차리려면", ("인터넷컴퓨터게임시설제공업",)),
        ("윗집이 시끄러워요", ("층간소음", "공동주택", "소음")),
        ("(그린벨트)에 농막을", ("개발제한구역", "가설건축물", "농지")),
        ("세금 안 내면", ("체납",)),
        ("세금 안내면", ("체납",)),
        ("세금 안내 좀", ()),
        ("보험금 안내문", ()),
        ("산재 안전교육", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_everyday_words_give_legal_terms_in_their_order(query: str, terms: tuple[str, ...]) -> None:
    assert legal_terms(query) == terms


@pytest.mark.parametrize("query", ["불법주차", "불법 주차", "불법  주차", "불법을 주차", "불법\n주차"])
def test_a_blank_in_a_key_is_none_some_or_a_particle(query: str) -> None:
    assert legal_terms(query) == ("주차위반", "정차")


def test_of_keys_that_begin_together_the_longest_counts() -> None:
    assert legal_terms("빚 독촉") == ("채권추심",)
    assert legal_terms("장애인 주차") == ("장애인전용주차구역",)


@pytest.mark.parametrize("query", ["땅콩", "비자금", "통신사실확인자료", "전기세탁기", "2차 사고", "부모님월급날"])
def test_a_key_inside_or_at_the_head_of_another_word_is_none(query: str) -> None:
    assert legal_terms(query) == ()


def test_terms_that_the_query_holds_are_left_out() -> None:
    assert legal_terms("알바도 근로자인가요") == ("단시간근로자",)
    assert legal_terms("알바도 단시간근로자인가요") == ()


def test_decomposed_hangul_is_read() -> None:
    assert legal_terms(unicodedata.normalize("NFD", "세입자")) == ("임차인",)


@pytest.mark.parametrize("issue", FORMAL)
def test_formal_issues_stay_as_they_are(issue: str) -> None:
    assert legal_terms(issue) == ()


QUERIES = st.lists(
    st.sampled_from(sorted(EVERYDAY))
    | st.sampled_from(sorted({term for terms in EVERYDAY.values() for term in terms}))
    | st.text(max_size=5),
    max_size=8,
).map(" ".join) | st.text(max_size=200)  # fmt: skip


@given(QUERIES)
def test_terms_are_the_tables_each_once_and_none_that_the_query_holds(query: str) -> None:
    terms = legal_terms(query)
    assert len(terms) == len(set(terms))
    assert not [term for term in terms if term in unicodedata.normalize("NFC", query)]
    assert set(terms) <= {term for terms in EVERYDAY.values() for term in terms}


@given(QUERIES)
def test_a_query_with_its_terms_behind_it_gives_none(query: str) -> None:
    assert legal_terms(" / ".join((query, *legal_terms(query)))) == ()


@given(QUERIES, QUERIES)
def test_the_terms_of_the_beginning_come_first(first: str, second: str) -> None:
    terms = legal_terms(f"{first} / {second}")
    kept = [term for term in legal_terms(first) if term in terms]
    assert list(terms[: len(kept)]) == kept


@pytest.mark.parametrize("piece", ["가 ", "집 ", "집" + " " * 99, "월세 ", "!집", "술 먹고 운", "개", "\ud800"])
def test_two_thousand_characters_take_no_time(piece: str) -> None:
    started = time.perf_counter()
    legal_terms((piece * 2000)[:2000])
    assert time.perf_counter() - started < 0.25


def test_each_key_is_found_with_and_without_its_blanks() -> None:
    for key, terms in EVERYDAY.items():
        for written in (key, key.replace(" ", "")):
            assert legal_terms(written) == tuple(term for term in terms if term not in written)


def test_no_key_stands_twice() -> None:
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    folded = [line.split("\t")[0].replace(" ", "") for line in lines]
    assert len(folded) == len(set(folded)) == len(EVERYDAY)


def test_keys_and_terms_are_well_formed() -> None:
    for key, terms in EVERYDAY.items():
        assert key == key.upper()
        for text in (key, *terms):
            assert text
            assert text == " ".join(unicodedata.normalize("NFC", text).split())


def test_no_key_is_its_own_term() -> None:
    for key, terms in EVERYDAY.items():
        assert terms
        assert len(terms) == len(set(terms))
        assert key.replace(" ", "") not in [term.replace(" ", "") for term in terms]


def test_the_terms_of_an_entry_call_for_no_others() -> None:
    for terms in EVERYDAY.values():
        for order in permutations(terms):
            assert legal_terms(" / ".join(order)) == ()


def test_words_that_need_an_end_are_keys() -> None:
    assert set(EVERYDAY) >= WHOLE
    assert {key for key in EVERYDAY if len(key) == 1} <= WHOLE
