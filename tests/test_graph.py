"""Who cites whom, read from reference strings: issue by issue, and in the law of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.documents import Document
from app.law.graph import Articles, Cases, Edge, decision_edges, full_revisions
from app.law.history import History, Span, spans
from app.law.names import Law, LawNames
from app.retrieval.citations import build
from app.retrieval.graph import Graph
from app.retrieval.store import DocumentStore, write_documents
from app.retrieval.versions import FILE, VersionStore
from tests.fakes import precedent

LAWS = (
    Law("001", "등대법", "법률", "2020-01-01"),
    Law("002", "등대법 시행령", "대통령령", "2020-01-01"),
    Law("003", "나루터법", "법률", "2020-01-01"),
)
ARTICLES = {"001-0001", "001-0002", "001-0005", "001-0005-02", "002-0003", "003-0002"}
KEEPER = "등대지기는 밤마다 등대의 불을 밝히고 그 사실을 일지에 적어야 한다."
BOAT = "나룻배의 정원을 넘겨 태운 사공에게는 벌금을 매긴다."


@dataclass(frozen=True)
class Text:
    """A version of an article."""

    effective_from: str
    effective_to: str
    title: str
    text: str
    deleted: bool = False


def reading(
    history: Mapping[str, Sequence[Text]] | None = None,
    begins: Mapping[str, str] | None = None,
    revisions: Mapping[str, str] | None = None,
    forerunners: Mapping[str, Sequence[str]] | None = None,
) -> Articles:
    known = history or {}
    past = History(lambda doc_id: known.get(doc_id, ()), begins or {})
    return Articles(LawNames(LAWS), ARTICLES.__contains__, forerunners or {}, revisions or {}, past)


def statutes(cited: str, articles: Articles | None = None, day: str = "2020-05-14") -> list[Edge]:
    decision = precedent(1, "사건", "쟁점", cited_statutes=cited, date=day)
    return decision_edges(decision, articles or reading(), Cases(()))


def reached(cited: str, articles: Articles | None = None, day: str = "2020-05-14") -> list[tuple[str, int]]:
    return [(edge.target, edge.issue) for edge in statutes(cited, articles, day)]


class TestArticles:
    def test_each_issue_has_its_edges(self) -> None:
        found = reached("[1] 등대법 제1조, 제2조 / [2] 나루터법 제2조 / [3][4] 등대법 시행령 제3조")
        assert found == [("001-0001", 1), ("001-0002", 1), ("003-0002", 2), ("002-0003", 3), ("002-0003", 4)]

    def test_without_tags_the_whole_decision_cites(self) -> None:
        (edge,) = statutes("등대법 제5조의2 제1항")
        assert edge == Edge("p1", "001-0005-02", "statute", 0, False, "", "등대법 제5조의2 제1항")

    def test_what_does_not_resolve_stays(self) -> None:
        found = statutes("없는법 제1조, 등대법 제999조, 등대법 부칙 제1조")
        assert [(edge.target, edge.text) for edge in found] == [
            ("", "없는법 제1조"),
            ("", "등대법 제999조"),
            ("", "등대법 부칙 제1조"),
        ]

    def test_duplicates_are_folded_within_an_issue(self) -> None:
        found = reached("[1] 등대법 제1조, 등대법 제1조 / [2] 등대법 제1조")
        assert found == [("001-0001", 1), ("001-0001", 2)]

    def test_former_law_is_kept_apart(self) -> None:
        cited = "구 등대법(2015. 1. 1. 법률 제1호로 개정되기 전의 것) 제1조, 등대법 제1조"
        assert [(edge.target, edge.former) for edge in statutes(cited)] == [("001-0001", True), ("001-0001", False)]

    @pytest.mark.parametrize("how", ["전부 개정되기 전의 것", "폐지되기 전의 것", "전문 개정되기 전의 것"])
    def test_a_number_is_not_mapped_across_a_full_revision(self, how: str) -> None:
        (edge,) = statutes(f"구 등대법(2015. 1. 1. 법률 제1호로 {how}) 제1조")
        assert (edge.target, edge.former) == ("", True)

    def test_the_note_on_current_law_leads_across_it(self) -> None:
        cited = "구 등대법(2015. 1. 1. 법률 제1호로 전부 개정되기 전의 것) 제7조(현행 제5조, 제5조의2 참조)"
        assert reached(cited) == [("001-0005", 0), ("001-0005-02", 0)]

    def test_the_note_goes_before_the_number(self) -> None:
        cited = "구 등대법(2015. 1. 1. 법률 제1호로 개정되기 전의 것) 제1조(현행 나루터법 제2조 참조)"
        assert reached(cited) == [("003-0002", 0)]

    def test_current_law_is_that_of_the_decision(self) -> None:
        cited = "구 등대법(1995. 1. 1. 법률 제1호로 개정되기 전의 것) 제1조(현행 제5조 참조)"
        assert reached(cited, reading(revisions={"등대법": "2010-01-01"}), "1999-01-01") == [("", 0)]

    def test_what_others_call_fully_revised_is_not_mapped_in_an_older_decision(self) -> None:
        revisions = full_revisions(
            ["[1] 구 등대법(2010. 1. 1. 법률 제2호로 전부 개정되기 전의 것) 제3조", "등대법 제1조"]
        )
        assert revisions == {"등대법": "2010-01-01"}
        assert reached("등대법 제1조", reading(revisions=revisions), "2009-12-31") == [("", 0)]
        assert reached("등대법 제1조", reading(revisions=revisions), "2010-01-02") == [("001-0001", 0)]

    def test_the_latest_full_revision_counts(self) -> None:
        texts = [f"구 등대법({year}. 1. 1. 법률 제2호로 전부 개정되기 전의 것) 제3조" for year in (1990, 2010, 2000)]
        assert full_revisions(texts) == {"등대법": "2010-01-01"}
        assert full_revisions(["구 등대법(2010. 1. 1. 법률 제2호로 개정되기 전의 것) 제3조"]) == {}


PAST = {
    "001-0001": [
        Text("1990-01-01", "2000-01-01", "벌칙", BOAT),
        Text("2000-01-01", "2010-01-01", "일지", KEEPER),
        Text("2010-01-01", "", "일지의 기록", KEEPER + " 일지는 3년 동안 보관한다."),
    ],
    "001-0002": [Text("2006-01-01", "", "등대지기", KEEPER)],
    "009-0001": [Text("1970-01-01", "1990-01-01", "", BOAT)],
}


class TestPast:
    def past(self, **options: Mapping[str, Sequence[str]]) -> Articles:
        return reading(PAST, {"001": "1990-01-01"}, **options)  # type: ignore[arg-type]  # forerunners only

    def test_a_citation_means_the_version_of_its_day(self) -> None:
        (edge,) = statutes("등대법 제1조", self.past(), "2005-01-01")
        assert (edge.target, edge.version) == ("001-0001", "2000-01-01")

    def test_a_number_that_another_article_bore_is_not_mapped(self) -> None:
        (edge,) = statutes("등대법 제1조", self.past(), "1999-12-31")
        assert (edge.target, edge.version) == ("", "1990-01-01")

    def test_a_former_citation_means_the_day_before_the_act(self) -> None:
        cited = "구 등대법(2010. 1. 1. 법률 제3호로 개정되기 전의 것) 제1조"
        (edge,) = statutes(cited, self.past(), "2019-01-01")
        assert (edge.target, edge.former, edge.version) == ("001-0001", True, "2000-01-01")

    def test_a_former_citation_without_a_day_has_no_version(self) -> None:
        (edge,) = statutes("구 등대법 제1조", self.past(), "2019-01-01")
        assert edge.version == ""

    def test_before_its_law_a_name_means_the_forerunner(self) -> None:
        (edge,) = statutes("등대법 제1조", self.past(forerunners={"001": ["009"]}), "1980-01-01")
        assert (edge.target, edge.version) == ("009-0001", "1970-01-01")

    def test_an_article_that_did_not_exist_yet_is_not_reached(self) -> None:
        assert reached("등대법 제2조", self.past(), "2005-01-01") == [("", 0)]
        assert reached("등대법 제2조", self.past(), "2007-01-01") == [("001-0002", 0)]

    def test_an_article_without_any_version_is_reached_by_its_number(self) -> None:
        """A corpus may hold the history of some articles of a law alone."""
        partial = {"001-0001": PAST["001-0001"]}
        found = reached("등대법 제2조", reading(partial, {"001": "1990-01-01"}), "2005-01-01")
        assert found == [("001-0002", 0)]

    @pytest.mark.parametrize(
        ("versions", "same"),
        [
            ([Text("1990", "2000", "일지", KEEPER), Text("2000", "", "일지", BOAT)], [True, True]),
            ([Text("1990", "2000", "벌칙", BOAT), Text("2000", "", "일지", KEEPER)], [False, True]),
            ([Text("1990", "2000", "", KEEPER), Text("2000", "", "일지", KEEPER + " 보관한다.")], [True, True]),
            (
                [Text("1990", "2000", "가", BOAT), Text("2000", "2010", "가", KEEPER), Text("2010", "", "나", KEEPER)],
                [True, True, True],
            ),
            ([], []),
        ],
    )
    def test_an_article_is_the_same_by_its_title_or_text_step_by_step(
        self, versions: list[Text], same: list[bool]
    ) -> None:
        assert [span.same for span in spans(versions)] == same

    @given(st.lists(st.integers(1900, 2030), min_size=1, max_size=8, unique=True), st.integers(1890, 2040))
    def test_the_span_of_a_day_holds_it(self, years: list[int], year: int) -> None:
        years = sorted(years)
        texts = [
            Text(f"{a}-01-01", f"{b}-01-01" if b else "", "일지", KEEPER)
            for a, b in zip(years, [*years[1:], 0], strict=True)
        ]
        found = History(lambda _: texts, {}).at("001-0001", f"{year}-06-01")
        first = max((one for one in years if one <= year), default=None)
        assert found == (
            Span(f"{first}-01-01", next(t.effective_to for t in texts if t.effective_from == f"{first}-01-01"), True)
            if first
            else None
        )


CASES = (
    ("p11", "2001다100, 117", "대법원", "2002-03-04"),
    ("p12", "2005나7", "서울고등법원", "2006-01-02"),
    ("p13", "2005나7", "부산고등법원", "2006-05-06"),
    ("p14", "2009마9", "대법원", "2009-09-09"),
    ("p15", "2009마9", "대법원", "2009-09-09"),
)


def cited_by(cited: str, decision: Document | None = None) -> list[tuple[str, int, str]]:
    decision = decision or precedent(1, "사건", "쟁점")
    decision = Document(**{**{f: getattr(decision, f) for f in decision.__slots__}, "cited_precedents": cited})
    found = decision_edges(decision, reading(), Cases(CASES))
    return [(edge.target, edge.issue, edge.text) for edge in found]


class TestDecisions:
    @pytest.mark.parametrize(
        ("cited", "target"),
        [
            ("대법원 2002. 3. 4. 선고 2001다100, 117 판결(공2002상, 1)", "p11"),
            ("대법원 2002. 3. 4. 선고 2001다117 판결", "p11"),
            ("서울고법 2006. 1. 2. 선고 2005나7 판결", "p12"),
            ("부산고등법원 2006. 5. 6. 선고 2005나7 판결", "p13"),
            ("대전고등법원 2006. 7. 8. 선고 2005나7 판결", ""),
            ("서울고등법원 2006. 1. 3. 선고 2005나7 판결", "p12"),
            ("대법원 2009. 9. 9.자 2009마9 결정", "p14"),
            ("대법원 2010. 1. 1. 선고 2009다1 판결", ""),
        ],
    )
    def test_the_number_and_then_day_and_court_tell_which(self, cited: str, target: str) -> None:
        assert [found for found, _, _ in cited_by(cited)] == [target]

    def test_a_number_of_several_courts_alone_is_not_certain(self) -> None:
        assert [found for found, _, _ in cited_by("2005나7 판결")] == [""]

    def test_each_issue_has_its_edges_in_the_normal_form(self) -> None:
        cited = "[1] 대법원 2002. 3. 4. 선고 2001다100, 117 판결 / [2][3] 대법원 2009. 9. 9.자 2009마9 결정"
        assert cited_by(cited) == [
            ("p11", 1, "대법원 2002. 3. 4. 선고 2001다100, 117 판결"),
            ("p14", 2, "대법원 2009. 9. 9.자 2009마9 결정"),
            ("p14", 3, "대법원 2009. 9. 9.자 2009마9 결정"),
        ]

    @pytest.mark.parametrize("number", ["p11", "p99"])
    def test_a_decision_never_cites_itself_nor_its_other_record(self, number: str) -> None:
        own = Document(number, "precedent", "", "", "", date="2002-03-04", court="대법원", case_no="2001다100, 117")
        assert cited_by("대법원 2002. 3. 4. 선고 2001다117 판결", own) == []

    def test_a_number_of_its_own_from_an_earlier_court_is_another_decision(self) -> None:
        own = Document("p99", "precedent", "", "", "", date="2008-01-01", court="대전고등법원", case_no="2005나7")
        assert [found for found, _, _ in cited_by("서울고법 2006. 1. 2. 선고 2005나7 판결", own)] == ["p12"]

    @given(st.text(alphabet="[]12/,. 가나다법제조의구()현행참조대법원선고판결0", max_size=60))
    def test_any_text_is_read(self, text: str) -> None:
        for edge in statutes(text):
            assert edge.target in {"", *ARTICLES}
        for target, _, _ in cited_by(text):
            assert target in {"", *(case[0] for case in CASES)}


# the real records


@pytest.mark.data
@pytest.mark.slow
def test_the_graph_of_the_real_records(tmp_path: Path) -> None:
    from training import corpus

    root = Path(__file__).parent.parent / "data"
    names = ("statutes.jsonl.zst", "precedents.jsonl.zst", "statute_versions.jsonl.zst")
    if not all((root / name).exists() for name in names):
        pytest.skip("the records are not here")
    report = corpus.Report()
    paths = [str(root / name) for name in names[:2]]
    write_documents(tmp_path / "documents.arrow", corpus._documents(paths, report, strict=False))
    documents = DocumentStore(tmp_path / "documents.arrow")
    corpus.write_history([str(root / names[2])], tmp_path / FILE, documents, report, strict=False)
    build(documents, VersionStore(tmp_path / FILE)).save(tmp_path / "graph")
    graph = Graph.load(tmp_path / "graph")
    assert 400_000 < graph.edges.num_rows < 520_000
    laws, citations = documents.column("law"), documents.column("citation")
    civil = [row for row in range(len(documents)) if laws[row] == "민법"]
    assert citations[max(civil, key=lambda row: graph.cited_by_count[row])] == "민법 제750조"
    row = documents.row("001706-0750")
    assert row is not None
    assert 2_500 < graph.cited_by_count[row] < 3_500
    # 민사소송법 제187조 was 자유심증주의 until the full revision of 2002: 1,000 citations that are not of today's.
    row = documents.row("001700-0187")
    assert row is not None
    assert graph.cited_by_count[row] < 20
