from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.citation import Mention, Reference, find_case_numbers, find_mentions, read_references
from app.law.documents import format_article
from app.law.names import Law, LawNames

NAMES = LawNames(
    [
        Law("001706", "민법", "법률", "2024"),
        Law("001692", "형법", "법률", "2024"),
        Law("001671", "형사소송법", "법률", "2024"),
        Law("001444", "대한민국헌법", "헌법", "1987"),
        Law("011357", "개인정보 보호법", "법률", "2024"),
        Law("001676", "특정범죄 가중처벌 등에 관한 법률", "법률", "2024"),
    ]
)

FAIR = "독점규제 및 공정거래에 관한 법률"
VIOLENCE = "성폭력범죄의 처벌 및 피해자보호 등에 관한 법률"
CRIMES = "특정범죄 가중처벌 등에 관한 법률"

# What the references of a string must be: (issues, law, article, 항), and marks: o former, f fully revised, s 부칙.
STRINGS: list[tuple[int, str, list[tuple[str, str, str, int, str]]]] = [
    (1, "민법 제750조, 제751조 제1항", [("", "민법", "제750조", 0, ""), ("", "민법", "제751조", 1, "")]),
    (2, "구 상법(2011. 4. 14. 법률 제10600호로 개정되기 전의 것) 제393조", [("", "상법", "제393조", 0, "o")]),
    (3, "형사소송법 제308조의2", [("", "형사소송법", "제308조의2", 0, "")]),
    (
        4, "[1] 민법 제837조, 제843조 / [2] 민사소송법 제134조, 제208조, 가사소송법 제41조",
        [
            ("1", "민법", "제837조", 0, ""), ("1", "민법", "제843조", 0, ""), ("2", "민사소송법", "제134조", 0, ""),
            ("2", "민사소송법", "제208조", 0, ""), ("2", "가사소송법", "제41조", 0, ""),
        ],
    ),
    (5, "[1][2] 특허법 제135조", [("12", "특허법", "제135조", 0, "")]),
    (
        6, "구 주택법(2009. 2. 3. 법률 제9405호로 개정되기 전의 것) 제2조 제8호(현행 주택법 제2조 제17호 참조)",
        [("", "주택법", "제2조", 0, "o")],
    ),
    (
        7, "구 조세범 처벌법(2010. 1. 1. 법률 제9919호로 전부 개정되기 전의 것) 제10조(현행 삭제), "
        "조세범 처벌법 부칙(2010. 1. 1.) 제2조",
        [("", "조세범 처벌법", "제10조", 0, "of"), ("", "조세범 처벌법", "제2조", 0, "s")],
    ),
    (
        8, "구 주택법 시행령(2009. 2. 3. 대통령령 제21290호로 개정되기 전의 것) 제24조 제4항 [별표 2] 제1호",
        [("", "주택법 시행령", "제24조", 4, "o")],
    ),
    (
        9, "농지법 제2조 제1호 (가)목, 농지법 시행령 제2조 제3항 제2호 (가)목",
        [("", "농지법", "제2조", 0, ""), ("", "농지법 시행령", "제2조", 3, "")],
    ),
    (
        10, "[1] 가사소송법 제2조 제1항 제1호 다목 2) / [2] 민사소송법 제216조",
        [("1", "가사소송법", "제2조", 1, ""), ("2", "민사소송법", "제216조", 0, "")],
    ),
    (
        11, f"{FAIR} 제2조 제1호의2, {FAIR} 시행령 제2조 제1항, 제2항",
        [("", FAIR, "제2조", 0, ""), ("", f"{FAIR} 시행령", "제2조", 1, "")],
    ),
    (
        12, f"구 {VIOLENCE}(2010. 4. 15. 법률 제10258호 성폭력범죄의 피해자보호 등에 관한 법률로 개정되기 전의 것) "
        "제8조의2 제5항",
        [("", VIOLENCE, "제8조의2", 5, "o")],
    ),
    (
        13, "민사소송법 제248조[소의 제기], 민법 제390조",
        [("", "민사소송법", "제248조", 0, ""), ("", "민법", "제390조", 0, "")],
    ),
    (14, "표시·광고의 공정화에 관한 법률 제3조 제1항 제1호", [("", "표시·광고의 공정화에 관한 법률", "제3조", 1, "")]),
    (
        15, f"{CRIMES} 제5조의3 제1항 제1호, 형사소송법 제325조 전단",
        [("", CRIMES, "제5조의3", 1, ""), ("", "형사소송법", "제325조", 0, "")],
    ),
    (
        16, "구 주택법(2003. 11. 30. 법률 제6916호로 전부 개정되기 전의 것) 제38조 제1항, "
        "같은 법 시행령 제32조 제2항 제6호",
        [("", "주택법", "제38조", 1, "of"), ("", "주택법 시행령", "제32조", 2, "of")],
    ),
    (17, "민법 제103조<br/>", [("", "민법", "제103조", 0, "")]),
    (
        18, "[1]형법 제355조 제1항,제356조 / [2]산업안전보건기준에 관한 규칙 제1조",
        [
            ("1", "형법", "제355조", 1, ""), ("1", "형법", "제356조", 0, ""),
            ("2", "산업안전보건기준에 관한 규칙", "제1조", 0, ""),
        ],
    ),
    (
        19, "난민의 지위에 관한 협약 제1조, 난민의 지위에 관한 의정서 제1조",
        [("", "난민의 지위에 관한 협약", "제1조", 0, ""), ("", "난민의 지위에 관한 의정서", "제1조", 0, "")],
    ),
    (20, "헌법 제10조, 제37조 제2항", [("", "헌법", "제10조", 0, ""), ("", "헌법", "제37조", 2, "")]),
    (21, "부칙(2010. 4. 15. 법률 제10260호) 제1조, 제4조", []),
    (22, "민사집행법제276조, 제277조", [("", "민사집행법", "제276조", 0, ""), ("", "민사집행법", "제277조", 0, "")]),
    (23, "민법 제839조의2, 제1008조의3", [("", "민법", "제839조의2", 0, ""), ("", "민법", "제1008조의3", 0, "")]),
    (24, "상표법 제34조 제1항 제11호, 1008조", [("", "상표법", "제34조", 1, ""), ("", "상표법", "제1008조", 0, "")]),
    (25, "원산지제도 운영에 관한 고시(2007. 6. 28. 관세청고시 제2007-20호) 제3-1조", []),
    (
        26, "구 건축법 시행령(2010. 2. 18. 대통령령 제22052호로 개정되기 전의 것) 제45조 제9의2호",
        [("", "건축법 시행령", "제45조", 0, "o")],
    ),
    (27, "「개인정보 보호법」 제17조제1항제2호", [("", "개인정보 보호법", "제17조", 1, "")]),
]  # fmt: skip


def shown(reference: Reference) -> tuple[str, str, str, int, str]:
    full, supplementary = reference.revision == "full", reference.supplementary
    marks = "o" * reference.former + "f" * full + "s" * supplementary
    return ("".join(map(str, reference.issues)), reference.law, reference.article, reference.paragraph, marks)


@pytest.mark.parametrize(("number", "text", "expected"), STRINGS, ids=[f"string-{number}" for number, *_ in STRINGS])
def test_the_strings_of_the_grammar(number: int, text: str, expected: list[tuple[str, str, str, int, str]]) -> None:
    """At the level of the article and its 항: 호, 목, 별표 and 부칙 dates are read by nobody yet.

    21: the law of a bare 부칙 is unknown, so there is nothing to name. 25: a notice's hyphenated article has no number
    of ours, and must not become article 1.
    """
    assert [shown(reference) for reference in read_references(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 구 is a prefix only before a space
        ("구급법 제1조, 구직자 취업촉진법 제2조", ["구급법 제1조", "구직자 취업촉진법 제2조"]),
        # hanja beside a name
        ("형법(刑法) 제307조", ["형법 제307조"]),
        # a law revised is not today's, and a new head clears the flag
        ("구 민법(1990. 1. 13. 법률 제4199호로 개정되기 전의 것) 제1000조, 민법 제1001조",
         ["o민법 제1000조", "민법 제1001조"]),
        ("구 근로기준법(1997. 3. 13. 법률 제5305호로 폐지되기 전의 것) 제27조", ["f근로기준법 제27조"]),
        ("구 소득세법(1994. 12. 22. 법률 제4803호로 전문 개정되기 전의 것) 제23조", ["f소득세법 제23조"]),
        # the words that stand for the law before
        ("구 주택법 제38조, 같은 법 제39조, 동법 시행령 제2조",
         ["o주택법 제38조", "o주택법 제39조", "o주택법 시행령 제2조"]),
        ("주택법 시행령 제1조, 같은 법 시행규칙 제2조", ["주택법 시행령 제1조", "주택법 시행규칙 제2조"]),
        # a 부칙 is never the main part, and ends where a law is named again
        ("민법 부칙 제2조, 제3조, 민법 제5조", ["s민법 제2조", "s민법 제3조", "민법 제5조"]),
        # what is current is in a note, and never a reference of its own
        ("민법 제5조(현행 민법 제6조 참조), 제7조", ["민법 제5조", "민법 제7조"]),
        ("구 지방세법 시행령 제142조 제1호〔현행\n제118조 제2호 참조〕, 제143조",
         ["o지방세법 시행령 제142조", "o지방세법 시행령 제143조"]),
        # a slash forgets the law
        ("민법 제103조 / 제104조", ["민법 제103조"]),
        ("상법 제24조; 민법 제2조", ["상법 제24조", "민법 제2조"]),
        # 항 and 호 alone are of the article before
        ("국가공무원법 제78조 제1항 제1호, 제2호, 제3호", ["국가공무원법 제78조"]),
        # commas that were forgotten
        ("민법 제393조제763조", ["민법 제393조", "민법 제763조"]),
        ("행정소송법 제12조\n교원지위향상을위한특별법 제7조 제1항,\n제10조",
         ["행정소송법 제12조", "교원지위향상을위한특별법 제7조", "교원지위향상을위한특별법 제10조"]),
        ("약관의규제에관한법률 제7조 제2호 및 제9조 제2항",
         ["약관의규제에관한법률 제7조", "약관의규제에관한법률 제9조"]),
        ("민법 제750조의 취지와 신의칙에 따른 제2조", ["민법 제750조"]),
        # an article inside the name of a treaty or rule
        ("상호방위조약 제4조에 의한 시설과 구역에 관한 협정 제23조",
         ["상호방위조약 제4조에 의한 시설과 구역에 관한 협정 제23조"]),
        ("하천법 제2조의 규정에 의한 하천편입토지의 보상에 관한 규정 제2조",
         ["하천법 제2조의 규정에 의한 하천편입토지의 보상에 관한 규정 제2조"]),
        ("고시 제3-1조, 제4조", ["고시 제4조"]),
        ("", []),
        ("민법", []),
        ("제750조", []),
    ],
)  # fmt: skip
def test_more_strings(text: str, expected: list[str]) -> None:
    def mark(r: Reference) -> str:
        return "s" if r.supplementary else "f" if r.revision == "full" else "o" if r.former else ""

    found = [f"{mark(r)}{r.law} {r.article}" for r in read_references(text)]
    assert [" ".join(one.split()) for one in found] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("가. 민법 제103조 / 나.다. 형법 제307조, 제308조 / 라. 상법 제24조",
         [((1,), "민법"), ((2, 3), "형법"), ((2, 3), "형법"), ((4,), "상법")]),
        ("가. 민법 제103조\n나. 형법 제307조", [((1,), "민법"), ((2,), "형법")]),
        ("[1, 2] 민법 제1조 [3] 형법 제2조 〔6〕 상법 제3조 [7-9] 상표법 제1조",
         [((1, 2), "민법"), ((3,), "형법"), ((6,), "상법"), ((7, 8, 9), "상표법")]),
        ("[1] 민법 제1조 [2] 제104조", [((1,), "민법")]),
        ("[1] 민법 제393조, 제763조[2] 형법 제2조", [((1,), "민법"), ((1,), "민법"), ((2,), "형법")]),
    ],
)  # fmt: skip
def test_issue_tags_and_letters(text: str, expected: list[tuple[tuple[int, ...], str]]) -> None:
    assert [(r.issues, r.law) for r in read_references(text)] == expected


LAWS = st.sampled_from(["민법", "형법", "주택법 시행령", FAIR, "산업안전보건기준에 관한 규칙", "구급법"])
ARTICLES = st.tuples(LAWS, st.integers(1, 1999), st.integers(0, 30), st.integers(0, 20))


@given(st.lists(st.lists(ARTICLES, min_size=1, max_size=4), min_size=1, max_size=4))
def test_formatted_references_read_back(issues: list[list[tuple[str, int, int, int]]]) -> None:
    """A law is written only where it changes: what carries over must come back."""
    parts = []
    for number, articles in enumerate(issues, 1):
        written, before = [], ""
        for law, jo, ga, paragraph in articles:
            head = "" if law == before else f"{law} "
            written.append(head + format_article(jo, ga) + (f" 제{paragraph}항" if paragraph else ""))
            before = law
        parts.append(f"[{number}] {', '.join(written)}")
    found = list(read_references(" / ".join(parts)))
    expected = [((n,), *article) for n, articles in enumerate(issues, 1) for article in articles]
    assert [(r.issues, r.law, r.jo, r.ga, r.paragraph) for r in found] == expected


PIECES = st.sampled_from(
    [*"제조의항호다 ,/[](){}〔〕「」;\n", "민법", "구 ", "같은 법", "동법 시행령", "1", "750", "2", "[1]", "현행",
     "참조", "부칙", "별표", "가.", "나.", "2012다1", "내지", "<br/>"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_reading_references_never_raises(text: str) -> None:
    for reference in read_references(text):
        assert reference.law
        assert reference.jo >= 0
        assert reference.revision in ("", "partial", "full")
        assert bool(reference.revision) == reference.former


def test_a_long_string_takes_no_time() -> None:
    assert len(list(read_references("민법 " + ", ".join(f"제{n % 999 + 1}조" for n in range(5000))))) == 5000
    for hostile in ("(" * 5000, "[" * 5000, "제" * 5000, "1" * 5000, "가." * 3000, "제1조 " * 3000, "제1항 " * 3000):
        list(read_references(hostile))
        find_mentions(hostile, NAMES)


# free text


def named(text: str) -> list[tuple[str, str, int, int]]:
    mentions = find_mentions(text, NAMES)
    return [(text[slice(*m.span)], m.law or m.case_no, m.jo, m.ga) for m in mentions]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("민법 750", [("민법 750", "민법", 750, 0)]),
        ("민법750조", [("민법750조", "민법", 750, 0)]),
        ("민법 750 손해배상 요건", [("민법 750", "민법", 750, 0)]),
        ("형소법 308조의 2", [("형소법 308조의 2", "형사소송법", 308, 2)]),
        ("특가법 5조의11", [("특가법 5조의11", CRIMES, 5, 11)]),
        ("「개인정보 보호법」 제17조제1항제2호", [("개인정보 보호법」 제17조", "개인정보 보호법", 17, 0)]),
        ("민법 제750조, 제751조 제1항 및 제752조",
         [("민법 제750조", "민법", 750, 0), ("제751조", "민법", 751, 0), ("제752조", "민법", 752, 0)]),
        ("민법 제750조와 형법 제307조", [("민법 제750조", "민법", 750, 0), ("형법 제307조", "형법", 307, 0)]),
        ("민법  제 750 조", [("민법  제 750 조", "민법", 750, 0)]),
        ("(민법 제1조)", [("민법 제1조", "민법", 1, 0)]),
        ("민법 제1조는?", [("민법 제1조", "민법", 1, 0)]),
        ("노동법 제1조", [("노동법 제1조", "노동법", 1, 0)]),
        ("동법 시행령 제3조", [("동법 시행령 제3조", "", 3, 0)]),
        ("같은 법 제3조", [("같은 법 제3조", "", 3, 0)]),
        ("제750조", []),
        ("민법 750원", []),
        ("민법 12345", []),
        ("전세 2년 살았는데 3조", []),
        ("손해배상", []),
    ],
)  # fmt: skip
def test_articles_in_free_text(text: str, expected: list[tuple[str, str, int, int]]) -> None:
    assert named(text) == expected


def test_a_name_is_never_found_inside_a_longer_one() -> None:
    """Not even where the dictionary is so small that only a few characters before the number are looked at."""
    small = LawNames([Law("001706", "민법", "법률", "2024")], {})
    for text in ("난민법 제1조", "장난민법  제1조", "난민법   제1조", "난민법750조"):
        assert all(mention.law_id == "" for mention in find_mentions(text, small))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2012다77184", ["2012다77184"]),
        ("2012다77184, 77191 판결", ["2012다77184"]),
        ("대법원 2012. 3. 29. 선고 2011도1234 판결", ["2011도1234"]),
        ("대법원2011도1234판결의 취지", ["2011도1234"]),
        ("2018다222222는 어떤 사건인가요", ["2018다222222"]),
        ("96 다 40080", ["96다40080"]),
        ("헌재 2010. 5. 27. 2005헌마346 결정", ["2005헌마346"]),
        ("2020구합12345와 90다카1234", ["2020구합12345", "90다카1234"]),
        ("4290민상12", ["4290민상12"]),
        ("2010재두5", ["2010재두5"]),
        ("2024년 3월에 100만원", []),
        ("24개월 12", []),
        ("20평 3", []),
        ("5000만원 3", []),
        ("10 민법 1", []),
        ("2020다1명", []),
        ("제12다3", []),
    ],
)
def test_case_numbers_in_free_text(text: str, expected: list[str]) -> None:
    assert [mention.case_no for mention in find_mentions(text, LawNames([]))] == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("2012다77184, 77191", ["2012다77184", "2012다77191"]),
        ("2014헌바148, 162, 219", ["2014헌바148", "2014헌바162", "2014헌바219"]),
        ("85다카1181(본소), 1182(반소)", ["85다카1181", "85다카1182"]),
        ("2009도202,2009감도1", ["2009도202", "2009감도1"]),
        ("(창원)2010노55", ["2010노55"]),
        ("2008다 18284", ["2008다18284"]),
        (
            "대법원 1982. 1. 26. 선고 80다2329, 2330 판결, 1983. 3. 8. 선고 82다카1168 판결",
            ["80다2329", "80다2330", "82다카1168"],
        ),
        ("대법원 2011. 6. 9. 선고 2011다2388 판결(공2011하, 1374)", ["2011다2388"]),
        ("", []),
    ],
)
def test_merged_case_numbers_inherit_year_and_code(field: str, expected: list[str]) -> None:
    assert find_case_numbers(field) == expected


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_mentions_never_raise_and_index_the_text(text: str) -> None:
    mentions = find_mentions(text, NAMES)
    assert mentions == sorted(mentions, key=lambda m: m.span)
    for mention in mentions:
        start, end = mention.span
        assert 0 <= start < end <= len(text)
        number = mention.case_no[-1] if mention.case_no else str(mention.ga or mention.jo)
        assert number[-1] in text[start:end]
    assert all(isinstance(number, str) for number in find_case_numbers(text))


@given(st.sampled_from(["민법", "형사소송법", CRIMES, "개인정보 보호법"]), st.integers(1, 9999), st.integers(0, 999))
def test_a_formatted_article_is_found_whole(law: str, jo: int, ga: int) -> None:
    text = f"앞말 {law} {format_article(jo, ga)} 뒷말"
    law_id = NAMES.find(law)
    assert law_id is not None
    expected = Mention((3, len(text) - 3), law, law_id.law_id, jo, ga)
    assert find_mentions(text, NAMES) == [expected]


@given(
    st.integers(10, 99) | st.integers(1948, 2026),
    st.sampled_from(["다", "도", "헌마", "구합", "재다카", "느단"]),
    st.integers(1, 9999999),
)
def test_a_formatted_case_number_is_found(year: int, code: str, serial: int) -> None:
    number = f"{year}{code}{serial}"
    assert [m.case_no for m in find_mentions(f"대법원 {number} 판결", NAMES)] == [number]
    if len(code) <= 3:
        assert find_case_numbers(number) == [number]
