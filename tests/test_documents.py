from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.documents import (
    DOCUMENT_FIELDS,
    Document,
    article_number,
    format_article,
    issue_numbers,
    issue_tags,
    passages,
    precedent_citation,
    split_issues,
    statute_doc_id,
)
from app.law.text import model_text
from tests.fakes import precedent, statute

CIRCLED = "①②③④⑤"


def bare(text: str) -> str:
    return "".join(text.split())


# identity


@pytest.mark.parametrize(
    ("article", "number", "doc_id"),
    [
        ("제750조", (750, 0), "001706-0750"),
        ("제839조의2", (839, 2), "001706-0839-02"),
        ("제5조의11", (5, 11), "001706-0005-11"),
        ("제 308 조의 2", (308, 2), "001706-0308-02"),
    ],
)
def test_an_article_has_a_number_and_a_doc_id(article: str, number: tuple[int, int], doc_id: str) -> None:
    assert article_number(article) == number
    assert statute_doc_id("001706", *number) == doc_id


@pytest.mark.parametrize("wrong", ["", "750조", "제750조 제1항", "제1장", "제3-1조", "부칙 제1조의"])
def test_what_is_no_article_number_says_what_was_expected(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected 제N조"):
        article_number(wrong)


@given(st.integers(1, 9999), st.integers(0, 99))
def test_articles_format_and_parse_back(jo: int, ga: int) -> None:
    assert article_number(format_article(jo, ga)) == (jo, ga)


@given(st.tuples(st.integers(1, 9999), st.integers(0, 99)), st.tuples(st.integers(1, 9999), st.integers(0, 99)))
def test_two_articles_never_share_a_doc_id(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (statute_doc_id("1", *one) == statute_doc_id("1", *other)) == (one == other)


def test_a_document_lists_its_own_fields() -> None:
    assert tuple(field.name for field in dataclasses.fields(Document)) == DOCUMENT_FIELDS


# the house style


@pytest.mark.parametrize(
    ("court", "decided", "case_no", "expected"),
    [
        ("대법원", "2012-03-29", "2011도1234", "대법원 2012. 3. 29. 선고 2011도1234 판결"),
        ("대법원", "2009-04-09", "2008마1311", "대법원 2009. 4. 9.자 2008마1311 결정"),
        (
            "대법원", "2020-08-20", "2019다14110,14127, 14134,14141",
            "대법원 2020. 8. 20. 선고 2019다14110, 14127, 14134, 14141 판결",
        ),
        ("헌법재판소", "2018-08-30", "2014헌바148, 162", "헌법재판소 2018. 8. 30. 선고 2014헌바148, 162 결정"),
        ("서울고등법원", "1997-01-02", "96나40080", "서울고등법원 1997. 1. 2. 선고 96나40080 판결"),
        ("대법원", "1985-12-24", "85다카1(본소), 2(반소)", "대법원 1985. 12. 24. 선고 85다카1(본소), 2(반소) 판결"),
        ("서울고등법원", "2011-05-01", "2011카합1987", "서울고등법원 2011. 5. 1.자 2011카합1987 결정"),
        ("대법원", "2012-02-01", "2012무2", "대법원 2012. 2. 1.자 2012무2 결정"),
        ("부산고등법원", "2010-06-01", "(창원)2010라55", "부산고등법원 2010. 6. 1.자 (창원)2010라55 결정"),
        # the first number decides: a judgment that settles a motion (초기) as well stays a judgment
        ("광주지법", "2012-08-01", "2012노344,2012초기487", "광주지법 2012. 8. 1. 선고 2012노344, 2012초기487 판결"),
        ("대법원", "", "96다1", "대법원 96다1 판결"),
        ("대법원", "2012-02-30", "2012다1", "대법원 2012다1 판결"),
    ],
)  # fmt: skip
def test_decisions_are_cited_in_the_house_style(court: str, decided: str, case_no: str, expected: str) -> None:
    assert precedent_citation(court, decided, case_no) == expected


def test_the_form_of_a_decision_can_be_given() -> None:
    assert precedent_citation("대법원", "2012-03-29", "2011도1234", "결정") == "대법원 2012. 3. 29.자 2011도1234 결정"


# issues


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("   \n", {}),
        ("손해배상의 범위", {0: "손해배상의 범위"}),
        ("[1] 가 여부(적극)\n[2] 나 여부", {1: "가 여부(적극)", 2: "나 여부"}),
        ("[1] 가 여부 / [2] 나 여부", {1: "가 여부", 2: "나 여부"}),
        ("[1][2] 함께", {1: "함께", 2: "함께"}),
        ("[1], [2] 함께", {1: "함께", 2: "함께"}),
        ("[1, 3] 함께 [2] 따로", {1: "함께", 3: "함께", 2: "따로"}),
        ("[1-3] 함께", {1: "함께", 2: "함께", 3: "함께"}),
        ("〔1〕 가 ［2］ 나", {1: "가", 2: "나"}),
        ("머리말 [1] 가", {0: "머리말", 1: "가"}),
        ("[1] 가 [2] 나 [1] 다", {1: "가\n다", 2: "나"}),
        ("[1] 가<br/>[2] 나", {1: "가", 2: "나"}),
        ("[1] [별표 2]의 해석", {1: "[별표 2]의 해석"}),
        ("[1]", {}),
    ],
)
def test_issues_are_split_at_their_tags(text: str, expected: dict[int, str]) -> None:
    assert split_issues(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("가. 요건\n나. 효과", {1: "요건", 2: "효과"}),
        ("가. 요건\n나.다. 효과", {1: "요건", 2: "효과", 3: "효과"}),
        ("가.나. 요건 / 다. 효과", {1: "요건", 2: "요건", 3: "효과"}),
        ("가. 요건 / 나, 다. 효과", {1: "요건", 2: "효과", 3: "효과"}),
        ("가. 그렇다. 나. 가지 않는다", {1: "그렇다. 나. 가지 않는다"}),
        ("처분이 무효가. 되는지", {0: "처분이 무효가. 되는지"}),
    ],
)
def test_letters_of_old_decisions_are_tags_too(text: str, expected: dict[int, str]) -> None:
    assert split_issues(text) == expected


def test_letters_are_tags_only_where_the_text_begins_with_them() -> None:
    text = "가. 민법 제103조 / 나.다. 형법 제307조"
    tags = issue_tags(text)
    assert [(numbers, text[start:end].strip()) for numbers, start, end in tags] == [([1], "가."), ([2, 3], "나.다.")]
    assert issue_tags("[1] 요건\n나. 효과") == [([1], 0, 3)]
    assert issue_tags("요건") == []


@pytest.mark.parametrize(
    ("tag", "numbers"),
    [
        ("1", [1]),
        ("1, 2", [1, 2]),
        ("3-5", [3, 4, 5]),
        ("3~5", [3, 4, 5]),
        ("1, 3-4", [1, 3, 4]),
        ("9-1", [9]),
        ("1-999", [1]),
    ],
)
def test_issue_numbers_of_a_tag(tag: str, numbers: list[int]) -> None:
    """A range that runs backwards, or to nowhere, gives its first number."""
    assert issue_numbers(tag) == numbers


@given(
    st.lists(
        st.text("가나다라 .,여부법", min_size=1, max_size=30).filter(lambda s: s.strip(" ,.")), min_size=1, max_size=8
    )
)
def test_formatted_issues_split_back(bodies: list[str]) -> None:
    written = "\n".join(f"[{n}] x{body}x" for n, body in enumerate(bodies, 1))
    assert split_issues(written) == {n: model_spaces(f"x{body}x") for n, body in enumerate(bodies, 1)}


def model_spaces(text: str) -> str:
    return " ".join(text.split())


@given(st.text("[]〔〕12,-~ /가나다.\n여부", max_size=80))
def test_splitting_never_raises_and_numbers_every_text(text: str) -> None:
    for number, body in split_issues(text).items():
        assert number >= 0
        assert body.strip()


# passages


def test_a_short_article_is_one_passage() -> None:
    (passage,) = passages(
        statute("001706", "민법", "제750조", "불법행위의 내용", "손해를 배상할 책임이 있다. <개정 2020. 1. 1.>"), 600
    )
    assert passage.passage_id == "001706-0750#0"
    assert passage.doc_id == "001706-0750"
    assert passage.text == "민법 제750조(불법행위의 내용)\n손해를 배상할 책임이 있다."


def test_a_long_article_is_split_at_its_paragraphs() -> None:
    text = " ".join(f"{mark} {'임대인은 이를 알려야 한다. ' * 4}" for mark in CIRCLED)
    found = list(passages(statute("001248", "주택임대차보호법", "제6조의3", "계약갱신", text), 100))
    assert [p.passage_id for p in found] == [f"001248-0006-03#{n}" for n in range(len(found))]
    assert len(found) == len(CIRCLED)
    for passage, mark in zip(found, CIRCLED, strict=True):
        assert passage.text.startswith(f"주택임대차보호법 제6조의3(계약갱신)\n{mark} ")


def test_an_article_without_title_or_text_is_its_heading() -> None:
    (passage,) = passages(statute("001706", "민법", "제1조", "", ""), 600)
    assert passage.text == "민법 제1조"


def test_a_precedent_has_a_passage_per_issue() -> None:
    document = precedent(
        1, "손해배상(기)", "[1] 요건 여부\n[2] 효과 여부", "[1] 요건이다.\n[2] 효과이다.\n[3] 덧붙임이다."
    )
    assert [(p.passage_id, p.text) for p in passages(document, 600)] == [
        ("p1#0", "손해배상(기)\n요건 여부\n요건이다."),
        ("p1#1", "손해배상(기)\n효과 여부\n효과이다."),
        ("p1#2", "손해배상(기)\n덧붙임이다."),
    ]


def test_an_untagged_holding_belongs_to_the_only_issue() -> None:
    (passage,) = passages(precedent(1, "사해행위", "[1] 요건 여부", "요건이다."), 600)
    assert passage.text == "사해행위\n요건 여부\n요건이다."


def test_a_precedent_without_digest_is_found_by_name_and_citation() -> None:
    document = precedent(7, "대여금", "")
    assert [p.text for p in passages(document, 600)] == [f"대여금\n{document.citation}"]
    assert [p.text for p in passages(precedent(7, "", "요건 여부"), 600)] == ["요건 여부"]


BODIES = st.text("가나다라마법조. ①②③⑮\n제1항(적극)<개정>", max_size=900)


@given(BODIES, st.integers(20, 200))
def test_passages_of_an_article_lose_nothing(body: str, limit: int) -> None:
    """Each piece repeats the heading and is at most `limit` longer; their bodies joined are the article."""
    heading = "민법 제1조(법원)"
    pieces = [p.text for p in passages(statute("001706", "민법", "제1조", "법원", body), limit)]
    assert all(piece.startswith(heading) for piece in pieces)
    bodies = [piece[len(heading) :].removeprefix("\n") for piece in pieces]
    assert all(len(piece) <= limit for piece in bodies)
    assert bare("".join(bodies)) == bare(model_text(body))


@given(st.lists(BODIES, min_size=1, max_size=3), st.integers(20, 200))
def test_passages_of_a_precedent_lose_nothing(issues: list[str], limit: int) -> None:
    tagged = "\n".join(f"[{n}] {body}" for n, body in enumerate(issues, 1))
    document = precedent(3, "대여금", tagged)
    pieces = [p.text for p in passages(document, limit)]
    bodies = [piece.removeprefix("대여금").removeprefix("\n") for piece in pieces]
    assert all(piece.startswith("대여금") for piece in pieces)
    parts = split_issues(document.issues)
    if parts:
        assert all(len(body) <= limit for body in bodies)
        assert bare("".join(bodies)) == bare("".join(model_text(parts[n]) for n in sorted(parts)))


@given(BODIES, st.integers(20, 200))
def test_passage_ids_count_up(body: str, limit: int) -> None:
    found = list(passages(statute("001706", "민법", "제1조", "법원", body), limit))
    assert found
    assert [p.passage_id for p in found] == [f"001706-0001#{n}" for n in range(len(found))]
