"""Reference strings. Places, decisions, free text and names have modules of their own."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.citation import Reference, parse_references, read_references
from app.law.provisions import NOWHERE, Provision
from app.law.text import match_key, readable
from tests.provisions import PROVISIONS

FAIR = "독점규제 및 공정거래에 관한 법률"
VIOLENCE = "성폭력범죄의 처벌 및 피해자보호 등에 관한 법률"
CRIMES = "특정범죄 가중처벌 등에 관한 법률"
LABEL = "표시ㆍ광고의 공정화에 관한 법률"

# The strings of the grammar in normal form: [issues] 구 law place {full: revised in full} {day of the amending act}
# {now: where it stands today}.
STRINGS: list[tuple[str, list[str]]] = [
    ("민법 제750조, 제751조 제1항", ["민법 제750조", "민법 제751조 제1항"]),
    ("구 상법(2011. 4. 14. 법률 제10600호로 개정되기 전의 것) 제393조", ["구 상법 제393조 {2011-04-14}"]),
    ("형사소송법 제308조의2", ["형사소송법 제308조의2"]),
    (
        "[1] 민법 제837조, 제843조 / [2] 민사소송법 제134조, 제208조, 가사소송법 제41조",
        ["[1] 민법 제837조", "[1] 민법 제843조", "[2] 민사소송법 제134조", "[2] 민사소송법 제208조",
         "[2] 가사소송법 제41조"],
    ),
    ("[1][2] 특허법 제135조", ["[1,2] 특허법 제135조"]),
    (
        "구 주택법(2009. 2. 3. 법률 제9405호로 개정되기 전의 것) 제2조 제8호(현행 주택법 제2조 제17호 참조)",
        ["구 주택법 제2조 제8호 {2009-02-03} {now: 주택법 제2조 제17호}"],
    ),
    (
        "구 조세범 처벌법(2010. 1. 1. 법률 제9919호로 전부 개정되기 전의 것) 제10조(현행 삭제), "
        "조세범 처벌법 부칙(2010. 1. 1.) 제2조",
        ["구 조세범 처벌법 제10조 {full} {2010-01-01} {now: 삭제}", "조세범 처벌법 부칙(2010-01-01) 제2조"],
    ),
    (
        "구 주택법 시행령(2009. 2. 3. 대통령령 제21290호로 개정되기 전의 것) 제24조 제4항 [별표 2] 제1호",
        ["구 주택법 시행령 제24조 제4항 별표 2 제1호 {2009-02-03}"],
    ),
    (
        "농지법 제2조 제1호 (가)목, 농지법 시행령 제2조 제3항 제2호 (가)목",
        ["농지법 제2조 제1호 가목", "농지법 시행령 제2조 제3항 제2호 가목"],
    ),
    (
        "[1] 가사소송법 제2조 제1항 제1호 다목 2) / [2] 민사소송법 제216조",
        ["[1] 가사소송법 제2조 제1항 제1호 다목 2)", "[2] 민사소송법 제216조"],
    ),
    (
        f"{FAIR} 제2조 제1호의2, {FAIR} 시행령 제2조 제1항, 제2항",
        [f"{FAIR} 제2조 제1호의2", f"{FAIR} 시행령 제2조 제1항", f"{FAIR} 시행령 제2조 제2항"],
    ),
    (
        f"구 {VIOLENCE}(2010. 4. 15. 법률 제10258호 성폭력범죄의 피해자보호 등에 관한 법률로 개정되기 전의 것) "
        "제8조의2 제5항",
        [f"구 {VIOLENCE} 제8조의2 제5항 {{2010-04-15}}"],
    ),
    ("민사소송법 제248조[소의 제기], 민법 제390조", ["민사소송법 제248조", "민법 제390조"]),
    ("표시·광고의 공정화에 관한 법률 제3조 제1항 제1호", [f"{LABEL} 제3조 제1항 제1호"]),
    (
        f"{CRIMES} 제5조의3 제1항 제1호, 형사소송법 제325조 전단",
        [f"{CRIMES} 제5조의3 제1항 제1호", "형사소송법 제325조 전단"],
    ),
    (
        "구 주택법(2003. 11. 30. 법률 제6916호로 전부 개정되기 전의 것) 제38조 제1항, "
        "같은 법 시행령 제32조 제2항 제6호",
        ["구 주택법 제38조 제1항 {full} {2003-11-30}", "구 주택법 시행령 제32조 제2항 제6호 {full} {2003-11-30}"],
    ),
    ("민법 제103조<br/>", ["민법 제103조"]),
    (
        "[1]형법 제355조 제1항,제356조 / [2]산업안전보건기준에 관한 규칙 제1조",
        ["[1] 형법 제355조 제1항", "[1] 형법 제356조", "[2] 산업안전보건기준에 관한 규칙 제1조"],
    ),
    (
        "난민의 지위에 관한 협약 제1조, 난민의 지위에 관한 의정서 제1조",
        ["난민의 지위에 관한 협약 제1조", "난민의 지위에 관한 의정서 제1조"],
    ),
    ("헌법 제10조, 제37조 제2항", ["헌법 제10조", "헌법 제37조 제2항"]),
    ("부칙(2010. 4. 15. 법률 제10260호) 제1조, 제4조", ["부칙(2010-04-15) 제1조", "부칙(2010-04-15) 제4조"]),
    ("민사집행법제276조, 제277조", ["민사집행법 제276조", "민사집행법 제277조"]),
    ("민법 제839조의2, 제1008조의3", ["민법 제839조의2", "민법 제1008조의3"]),
    ("상표법 제34조 제1항 제11호, 1008조", ["상표법 제34조 제1항 제11호", "상표법 제1008조"]),
    (
        "원산지제도 운영에 관한 고시(2007. 6. 28. 관세청고시 제2007-20호) 제3-1조",
        ["원산지제도 운영에 관한 고시 제3-1조"],
    ),
    (
        "구 건축법 시행령(2010. 2. 18. 대통령령 제22052호로 개정되기 전의 것) 제45조 제9의2호",
        ["구 건축법 시행령 제45조 제9호의2 {2010-02-18}"],
    ),
    ("「개인정보 보호법」 제17조제1항제2호", ["개인정보 보호법 제17조 제1항 제2호"]),
]  # fmt: skip


def shown(reference: Reference) -> str:
    """Everything that was read, in one line."""
    now = [str(one) for one in reference.current] + ["삭제"] * reference.current_deleted
    return " ".join(
        filter(
            None,
            (
                f"[{','.join(map(str, reference.issues))}]" if reference.issues else "",
                str(reference),
                "{full}" if reference.revision == "full" else "",
                f"{{{reference.version_day}}}" if reference.version_day else "",
                f"{{now: {'; '.join(now)}}}" if now else "",
            ),
        )
    )


@pytest.mark.parametrize(("text", "expected"), STRINGS, ids=[f"string-{n}" for n in range(1, len(STRINGS) + 1)])
def test_the_strings_of_the_grammar(text: str, expected: list[str]) -> None:
    parsed = parse_references(text)
    assert [shown(reference) for reference in parsed.references] == expected
    assert parsed.unread == ()
    for reference in parsed.references:
        assert_spanned(text, reference)


def test_what_a_reference_is_made_of() -> None:
    (reference,) = read_references(
        "[2] 구 주택법 시행령(2009. 2. 3. 대통령령 제1호로 개정되기 전의 것) 제24조의2 제4항"
    )
    assert (reference.issues, reference.law, reference.former) == ((2,), "주택법 시행령", True)
    assert (reference.jo, reference.ga, reference.hang, reference.article) == (24, 2, 4, "제24조의2")
    assert (reference.revision, reference.version_day) == ("partial", "2009-02-03")
    assert reference.numbered


@pytest.mark.parametrize(
    ("text", "numbered"),
    [
        ("민법 제1조", True),
        ("민법 부칙 제1조", False),
        ("고시 제3-1조", False),
        ("민법", False),
        ("민법 별표 1", False),
    ],
)
def test_only_an_article_of_the_main_part_has_a_number_of_ours(text: str, numbered: bool) -> None:
    assert [reference.numbered for reference in read_references(text)] == [numbered]


def assert_spanned(text: str, reference: Reference) -> None:
    """The lowest unit of a reference ends its span, however it is written there."""
    start, end = reference.span
    assert 0 <= start < end <= len(text)
    written = readable(text[start:end]).text
    number = "".join(char for char in str(reference.provision).split()[-1] if char.isdigit())
    assert number in "".join(char for char in written if char.isdigit())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 구 is a prefix only before a space
        ("구급법 제1조, 구직자 취업촉진법 제2조", ["구급법 제1조", "구직자 취업촉진법 제2조"]),
        # hanja beside a name
        ("형법(刑法) 제307조", ["형법 제307조"]),
        # a law revised is not today's, and a new head clears the flag
        ("구 민법(1990. 1. 13. 법률 제4199호로 개정되기 전의 것) 제1000조, 민법 제1001조",
         ["구 민법 제1000조 {1990-01-13}", "민법 제1001조"]),
        ("구 근로기준법(1997. 3. 13. 법률 제5305호로 폐지되기 전의 것) 제27조",
         ["구 근로기준법 제27조 {full} {1997-03-13}"]),
        ("구 소득세법(1994. 12. 22. 법률 제4803호로 전문 개정되기 전의 것) 제23조",
         ["구 소득세법 제23조 {full} {1994-12-22}"]),
        # a version beside an article is that of the article alone
        ("민법 제5조 제3항(2010. 1. 1. 법률 제1호로 개정되기 전의 것), 제6조",
         ["구 민법 제5조 제3항 {2010-01-01}", "민법 제6조"]),
        # the words that stand for the law before
        ("구 주택법 제38조, 같은 법 제39조, 동법 시행령 제2조",
         ["구 주택법 제38조", "구 주택법 제39조", "구 주택법 시행령 제2조"]),
        ("주택법 시행령 제1조, 같은 법 시행규칙 제2조", ["주택법 시행령 제1조", "주택법 시행규칙 제2조"]),
        # a 부칙 is never the main part, and ends where a law is named again
        ("민법 부칙 제2조, 제3조, 민법 제5조", ["민법 부칙 제2조", "민법 부칙 제3조", "민법 제5조"]),
        # what is current is in a note, and never a reference of its own
        ("민법 제5조(현행 민법 제6조 참조), 제7조", ["민법 제5조 {now: 민법 제6조}", "민법 제7조"]),
        ("민법 제5조(현행 제6조 제2항, 상법 제7조 참조), 제8조",
         ["민법 제5조 {now: 민법 제6조 제2항; 상법 제7조}", "민법 제8조"]),
        ("구 지방세법 시행령 제142조 제1호〔현행\n제118조 제2호 참조〕, 제143조",
         ["구 지방세법 시행령 제142조 제1호 {now: 지방세법 시행령 제118조 제2호}", "구 지방세법 시행령 제143조"]),
        # of a part that names no law, the one before is meant
        ("민법 제103조 / 제104조", ["민법 제103조", "민법 제104조"]),
        ("상법 제24조; 민법 제2조", ["상법 제24조", "민법 제2조"]),
        # 항 and 호 alone are of the article before
        ("국가공무원법 제78조 제1항 제1호, 제2호",
         ["국가공무원법 제78조 제1항 제1호", "국가공무원법 제78조 제1항 제2호"]),
        ("민법 제10조①, ②", ["민법 제10조 제1항", "민법 제10조 제2항"]),
        ("민법 제10조 ①, 2항, 제3항", ["민법 제10조 제1항", "민법 제10조 제2항", "민법 제10조 제3항"]),
        # commas that were forgotten
        ("민법 제393조제763조", ["민법 제393조", "민법 제763조"]),
        ("행정소송법 제12조\n교원지위향상을위한특별법 제7조 제1항,\n제10조",
         ["행정소송법 제12조", "교원지위향상을위한특별법 제7조 제1항", "교원지위향상을위한특별법 제10조"]),
        ("약관의규제에관한법률 제7조 제2호 및 제9조 제2항",
         ["약관의규제에관한법률 제7조 제2호", "약관의규제에관한법률 제9조 제2항"]),
        # an article inside the name of a treaty or rule
        ("상호방위조약 제4조에 의한 시설과 구역에 관한 협정 제23조",
         ["상호방위조약 제4조에 의한 시설과 구역에 관한 협정 제23조"]),
        ("하천법 제2조의 규정에 의한 하천편입토지의 보상에 관한 규정 제2조",
         ["하천법 제2조의 규정에 의한 하천편입토지의 보상에 관한 규정 제2조"]),
        ("고시 제3-1조, 제4조", ["고시 제3-1조", "고시 제4조"]),
        # brackets that are not closed, or never were opened
        ("민법 제5조(현행 민법 제6조", ["민법 제5조", "민법 제6조"]),
        ("민법 제5조)), 제6조", ["민법 제5조", "민법 제6조"]),
        ("구 상법(2011. 4. 14. 법률 제10600호로 개정되기 전의 것 제393조", ["구 상법 제393조 {2011-04-14}"]),
        ("", []),
        ("민법", ["민법"]),
        ("제750조", ["제750조"]),
    ],
)  # fmt: skip
def test_more_strings(text: str, expected: list[str]) -> None:
    assert [shown(reference) for reference in read_references(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("가. 민법 제103조 / 나.다. 형법 제307조, 제308조 / 라. 상법 제24조",
         ["[1] 민법 제103조", "[2,3] 형법 제307조", "[2,3] 형법 제308조", "[4] 상법 제24조"]),
        ("가. 민법 제103조\n나. 형법 제307조", ["[1] 민법 제103조", "[2] 형법 제307조"]),
        ("[1, 2] 민법 제1조 [3] 형법 제2조 〔6〕 상법 제3조 [7-9] 상표법 제1조",
         ["[1,2] 민법 제1조", "[3] 형법 제2조", "[6] 상법 제3조", "[7,8,9] 상표법 제1조"]),
        ("[1] 민법 제1조 [2] 제104조", ["[1] 민법 제1조", "[2] 민법 제104조"]),
        ("[1] 민법 제393조, 제763조[2] 형법 제2조", ["[1] 민법 제393조", "[1] 민법 제763조", "[2] 형법 제2조"]),
    ],
)  # fmt: skip
def test_issue_tags_and_letters(text: str, expected: list[str]) -> None:
    assert [shown(reference) for reference in read_references(text)] == expected


def test_what_could_not_be_read_is_told() -> None:
    parsed = parse_references("민법 제1조, 아무 말, 형법 제2조")
    assert [str(reference) for reference in parsed.references] == ["민법 제1조", "형법 제2조"]
    assert parsed.unread == ("아무 말",)


# properties

LAWS = st.sampled_from(
    ["민법", "형법", "주택법 시행령", FAIR, CRIMES, LABEL, "산업안전보건기준에 관한 규칙", "구급법",
     "구직자 취업촉진법",
     "관세 및 무역에 관한 일반협정", "원산지제도 운영에 관한 고시", "서울특별시 도시계획 조례"]
)  # fmt: skip


@given(LAWS, st.just(NOWHERE) | PROVISIONS, st.booleans())
def test_the_normal_form_reads_back(law: str, provision: Provision, former: bool) -> None:
    reference = Reference((), law, provision, former, "partial" if former else "")
    (found,) = read_references(str(reference))
    assert replace(found, span=(0, 0)) == reference


@given(st.lists(st.lists(st.tuples(LAWS, PROVISIONS), min_size=1, max_size=4), min_size=1, max_size=4))
def test_formatted_strings_read_back(issues: list[list[tuple[str, Provision]]]) -> None:
    parts = [f"[{n}] " + ", ".join(f"{law} {place}" for law, place in part) for n, part in enumerate(issues, 1)]
    found = list(read_references(" / ".join(parts)))
    expected = [((n,), *one) for n, part in enumerate(issues, 1) for one in part]
    assert [(one.issues, one.law, one.provision) for one in found] == expected


@given(st.lists(st.tuples(LAWS, st.integers(1, 1999), st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=6))
def test_a_law_that_is_left_out_carries_over(articles: list[tuple[str, int, int, int]]) -> None:
    written, before = [], ""
    for law, jo, ga, hang in articles:
        written.append(("" if law == before else f"{law} ") + str(Provision(jo, ga, hang=hang)))
        before = law
    found = [(one.law, one.jo, one.ga, one.hang) for one in read_references(", ".join(written))]
    assert found == articles


MARKS = st.sampled_from(["\u200b", "\u200e", "\u200f", "\u202b", "\ufeff", "\u00ad", "\u2060"])
WIDE = str.maketrans("0123456789()[],.", "０１２３４５６７８９（）［］，．")


@given(
    st.lists(st.tuples(LAWS, PROVISIONS), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 400), MARKS), max_size=6),
    st.booleans(),
    st.booleans(),
)
def test_spans_index_the_text_as_it_was_given(
    references: list[tuple[str, Provision]], marks: list[tuple[int, str]], wide: bool, decomposed: bool
) -> None:
    """Marks that nobody sees, breaks between references, full-width digits and decomposed Hangul change nothing."""
    parts = [f"{law} {place}" for law, place in references]
    text = ", <br/>".join(part.translate(WIDE) if wide else part for part in parts)
    for at, mark in marks:
        if "<br/>" not in text[max(0, at - 4) : at + 4]:
            text = text[:at] + mark + text[at:]
    text = unicodedata.normalize("NFD", text) if decomposed else text
    found = list(read_references(text))
    assert [(one.law, one.provision) for one in found] == references
    for one in found:
        start, end = one.span
        written = match_key(readable(text[start:end]).text)
        assert written.endswith(match_key(str(one.provision).split()[-1]))
        assert not one.provision.jo or match_key(one.provision.article) in written
    assert [one.span for one in found] == sorted(one.span for one in found)


PIECES = st.sampled_from(
    [*"제조의항호목다 ,/[](){}〔〕「」;\n①②~-ㆍ", "민법", "구 ", "같은 법", "동법 시행령", "1", "750", "2", "[1]",
     "현행",
     "참조", "부칙", "별표", "별지 제1호 서식", "가.", "나.", "2012다1", "내지", "<br/>", "제1조", "제2항", "제3호",
     "(2010. 1. 1.",
     "개정되기 전의 것)", "단서", "각 호", "\u200b", "\u200f", "１", "\u1106\u1175\u11ab"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=40).map("".join)))
def test_reading_references_never_raises(text: str) -> None:
    parsed = parse_references(text)
    for reference in parsed.references:
        start, end = reference.span
        assert 0 <= start < end <= len(text)
        assert reference.law or reference.provision
        assert reference.former == bool(reference.revision)
        assert str(reference)
    assert all(piece.strip() for piece in parsed.unread)


CHARACTERS = 100_000
HOSTILE = (
    "(", ")", "[", "〔", "「", "([", "제", "1", "1,", "가.", "가. ", "구 ", "법률 ", "법률", "제1조 ", "제1조, ",
    "제1조",
    "제1항 ", "[1]", "[1", "(현행 ", "현행 ", "제1조(", "제1조(현행 제1조(", "(2010. 1. 1. 개정 ", "부칙(", "부칙 ",
    "별표 ", "내지 ", "제1조 내지 ", "1-", "제1-", "제1조의1", "민법 ", "민법 제1조에 의한 ", "의 ", "/", ",", " ",
    "\n",
    "\n\n", "<br/>", "<br ", "<", "\u200b", "\u1106\u1175", "\u0301", "ㆍ", "및 ", "같은 법 ", "같은 조 ", "가)",
    "제1호 가목 ",
    "2010. 1. 1. ", "1. ",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_hostile_strings_of_100_kb_take_no_time(piece: str) -> None:
    text = (piece * (CHARACTERS // len(piece) + 1))[:CHARACTERS]
    start = time.process_time()
    parse_references(text)
    assert time.process_time() - start < 5


BEFORE_BLANKS = (
    "가", "제", "민법", "제1조", "제1조,", "제1조 내지", "제1조 제1호", "제1호 가목", "제1조(", "제1,", "별표",
    "별표 1", "별지", "별지 제1",
    "[별지 제1호", "부칙", "(현행", "[1", "가.", "구 상법(2011. 1. 1. 개정되기", "민법 제1조에", "구", "1.", "제1조의",
)  # fmt: skip


@pytest.mark.parametrize("before", BEFORE_BLANKS)
def test_a_run_of_blanks_takes_no_time(before: str) -> None:
    start = time.process_time()
    parse_references("민법 " + before + " " * CHARACTERS + "가")
    parse_references(before + " " * CHARACTERS)
    assert time.process_time() - start < 5


def test_a_long_string_is_read_whole() -> None:
    text = "민법 " + ", ".join(f"제{n % 999 + 1}조" for n in range(20_000))
    assert len(list(read_references(text))) == 20_000
