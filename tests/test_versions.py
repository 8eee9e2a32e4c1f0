"""Articles in time: the store, what stands on a day, and what search shows of it."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import IndexCorrupt
from app.law.documents import Document
from app.retrieval.filters import FilterColumns
from app.retrieval.index import Index
from app.retrieval.searcher import Searcher
from app.retrieval.standing import standing
from app.retrieval.store import DocumentStore, write_documents
from app.retrieval.types import Filters, SearchRequest, SearchResponse
from app.retrieval.versions import FILE, Version, VersionStore, at, write_versions
from tests.fakes import DOCUMENTS, TODAY, FakeEncoder, FakeReranker, build_index, statute

CIVIL, LABOUR = "001706-0750", "001872-0023"


def version(
    doc_id: str, start: str, end: str = "", text: str = "글", deleted: bool = False, title: str = ""
) -> Version:
    return Version(doc_id, f"법 {doc_id}", start, end, title, text, deleted)


HISTORY = (
    version(CIVIL, "1960-01-01", "2013-07-01", "손해를 물어 준다.", title="옛 제목"),
    version(CIVIL, "2013-07-01", "", "고의 또는 과실로 손해를 가한 자는 배상한다."),
    version("001706-0839-02", "1991-01-01", "2000-01-01", "재산을 나눈다."),
    version("001706-0839-02", "2005-01-01", "", "재산분할을 청구할 수 있다."),
    version(LABOUR, "1997-03-13", "2027-01-01", "해고하지 못한다."),
    version(LABOUR, "2027-01-01", "", "정당한 이유 없이 해고하지 못한다."),
    version("001872-0030", "2030-01-01", "", "앞날의 조문이다."),
    version("001706-0915", "1960-01-01", "2021-01-26", "징계할 수 있다."),
    version("001706-0915", "2021-01-26", "", "삭제 <2021. 1. 26.>", deleted=True),
    version("001706-0900", "1960-01-01", "1990-01-01", "없어진 법의 조문이다."),
)
LATER = (
    statute("001706", "민법", "제915조", "", "삭제 <2021. 1. 26.>", deleted=True),
    statute("001872", "근로기준법", "제30조", "구제명령", "앞날의 조문이다.", date="2030-01-01"),
    statute("009276", "상가건물 임대차보호법", "제10조", "갱신", "갱신을 요구할 수 있다.", date="2018-10-16"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VersionStore:
    path = tmp_path_factory.mktemp("versions") / FILE
    assert write_versions(path, HISTORY[::-1]) == len(HISTORY)
    return VersionStore(path)


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    return build_index(tmp_path_factory.mktemp("searcher"), [*DOCUMENTS, *LATER], versions=HISTORY)


class TestStore:
    def test_versions_come_ascending_whatever_order_they_were_given_in(self, store: VersionStore) -> None:
        assert len(store) == len(HISTORY)
        assert store.of(CIVIL) == HISTORY[:2]
        assert store.of("001706-0915") == HISTORY[7:9]

    @pytest.mark.parametrize("doc_id", ["", "001706", "001706-0751", "001706-07500", "zzz", "p101"])
    def test_an_unknown_article_has_none(self, store: VersionStore, doc_id: str) -> None:
        assert store.of(doc_id) == ()
        assert store.at(doc_id, TODAY) is None

    @pytest.mark.parametrize(
        ("doc_id", "day", "expected"),
        [
            (CIVIL, "1959-12-31", None),
            (CIVIL, "1960-01-01", "손해를 물어 준다."),
            (CIVIL, "2013-06-30", "손해를 물어 준다."),
            (CIVIL, "2013-07-01", "고의 또는 과실로 손해를 가한 자는 배상한다."),
            ("001706-0839-02", "2002-01-01", None),
            ("001706-0839-02", "2005-01-01", "재산분할을 청구할 수 있다."),
            ("001706-0915", "2022-01-01", "삭제 <2021. 1. 26.>"),
            ("001706-0900", "1990-01-01", None),
        ],
    )
    def test_a_version_lasts_until_the_day_before_the_next(
        self, store: VersionStore, doc_id: str, day: str, expected: str | None
    ) -> None:
        found = store.at(doc_id, date.fromisoformat(day))
        assert (found.text if found else None) == expected

    def test_a_history_covers_the_days_since_its_first(self, store: VersionStore) -> None:
        assert store.begins == {"001706": "1960-01-01", "001872": "1997-03-13"}
        assert store.covers("001706", date(1960, 1, 1))
        assert not store.covers("001706", date(1959, 12, 31))
        assert not store.covers("001692", TODAY)

    def test_columns_agree_with_single_articles(self, store: VersionStore, tmp_path: Path) -> None:
        write_documents(tmp_path / "documents.arrow", [*DOCUMENTS, *LATER])
        documents = DocumentStore(tmp_path / "documents.arrow")
        owners = store.owners(documents.table.column("doc_id"))
        for day in (date(1950, 1, 1), date(2002, 1, 1), date(2020, 1, 1), TODAY, date(2031, 1, 1)):
            law = store.in_force(day)
            for row, document in enumerate(documents):
                found = store.at(document.doc_id, day)
                assert law[owners == row].any() == (found is not None and not found.deleted)
        gone = [one.doc_id for one, owner in zip(sorted(HISTORY, key=key), owners, strict=True) if owner < 0]
        assert gone == ["001706-0900"]

    def test_overlapping_versions_are_cut_at_the_next(self, tmp_path: Path) -> None:
        write_versions(tmp_path / FILE, [version("a", "2000-01-01"), version("a", "2010-01-01", "2030-01-01")])
        assert [one.effective_to for one in VersionStore(tmp_path / FILE).of("a")] == ["2010-01-01", "2030-01-01"]

    def test_no_versions_are_a_store_too(self, tmp_path: Path) -> None:
        assert write_versions(tmp_path / FILE, []) == 0
        empty = VersionStore(tmp_path / FILE)
        assert (len(empty), empty.of(CIVIL), empty.begins, empty.in_force(TODAY).tolist()) == (0, (), {}, [])

    def test_nothing_is_left_beside_the_file(self, tmp_path: Path) -> None:
        write_versions(tmp_path / FILE, HISTORY)
        assert [path.name for path in tmp_path.iterdir()] == [FILE]

    def test_a_broken_file_is_told(self, tmp_path: Path) -> None:
        (tmp_path / FILE).write_bytes(b"none")
        with pytest.raises(IndexCorrupt, match=r"versions\.arrow cannot be read"):
            VersionStore(tmp_path / FILE)


def key(one: Version) -> tuple[str, str]:
    return one.doc_id, one.effective_from


DAYS = st.integers(0, 60).map(lambda day: date(2020, 1, 1) + timedelta(day))
STARTS = st.dictionaries(st.tuples(st.sampled_from(["a", "b"]), DAYS), st.none() | DAYS, max_size=12)


@given(STARTS, DAYS)
def test_the_text_of_a_day_is_the_one_version_that_holds_it(
    tmp_path_factory: pytest.TempPathFactory, starts: dict[tuple[str, date], date | None], day: date
) -> None:
    """Whatever the ends: the version that began last has the day, unless it has ended."""
    path = tmp_path_factory.getbasetemp() / "day" / FILE
    given = [version(doc_id, str(start), str(end or "")) for (doc_id, start), end in starts.items()]
    write_versions(path, [one for one in given if not one.effective_to or one.effective_from < one.effective_to])
    store = VersionStore(path)
    for doc_id in ("a", "b"):
        versions = store.of(doc_id)
        holding = [one for one in versions if one.holds(str(day))]
        assert len(holding) <= 1
        assert store.at(doc_id, day) == (holding[0] if holding else None)
        begun = [one for one in versions if one.effective_from <= str(day)]
        assert not holding or holding[0] == begun[-1]
        assert bool(holding) == bool(begun and (not begun[-1].effective_to or str(day) < begun[-1].effective_to))


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (version("a", "2000-01-01"), "in_force"),
        (version("a", "2000-01-01", str(TODAY)), "former"),
        (version("a", str(TODAY)), "in_force"),
        (version("a", "2026-11-02"), "not_yet"),
        (version("a", "2000-01-01", deleted=True), "deleted"),
        (version("a", "2030-01-01", deleted=True), "not_yet"),
    ],
)
def test_the_status_of_a_version_is_that_of_today(one: Version, status: str) -> None:
    assert one.status(TODAY) == status


class TestStanding:
    def stand(self, store: VersionStore | None, document: Document, as_of: str = "") -> tuple[str, dict[str, object]]:
        shown, facts = standing(document, store, TODAY, date.fromisoformat(as_of) if as_of else None)
        names = ("status", "history", "effective_from", "effective_to", "next_effective")
        return shown.text, {name: facts[name] for name in names if name in facts}

    def test_today_shows_what_is_in_force_and_what_comes(self, store: VersionStore) -> None:
        newest = DOCUMENTS[3]
        assert self.stand(store, newest) == (
            "해고하지 못한다.",
            {
                "status": "in_force", "history": "known", "effective_from": "1997-03-13", "effective_to": "2027-01-01",
                "next_effective": "2027-01-01",
            },
        )  # fmt: skip
        assert self.stand(None, newest) == (newest.text, {"status": "not_yet", "history": "unknown"})

    def test_a_law_to_come_does_not_put_off_its_other_articles(self, store: VersionStore) -> None:
        """The date of a document is that of its law's newest version, of which one article may be the reason."""
        article = statute("001706", "민법", "제750조", "", "글", date="2027-01-01")
        assert self.stand(store, article)[1]["status"] == "in_force"

    def test_what_exists_only_in_the_future_is_shown_as_such(self, store: VersionStore) -> None:
        assert self.stand(store, LATER[1]) == (
            "앞날의 조문이다.", {"status": "not_yet", "history": "known", "next_effective": "2030-01-01"}
        )  # fmt: skip

    def test_a_former_text_says_how_long_it_was_law(self, store: VersionStore) -> None:
        assert self.stand(store, DOCUMENTS[0], "2010-05-01") == (
            "손해를 물어 준다.",
            {"status": "former", "history": "known", "effective_from": "1960-01-01", "effective_to": "2013-07-01"},
        )
        shown, facts = standing(DOCUMENTS[0], store, TODAY, date(2010, 5, 1))
        assert (shown.title, shown.citation, facts["law"]) == ("옛 제목", "민법 제750조", "민법")

    def test_a_text_that_still_is_law_is_in_force(self, store: VersionStore) -> None:
        assert self.stand(store, DOCUMENTS[0], "2014-01-01")[1]["status"] == "in_force"

    def test_a_day_to_come_shows_what_will_be_law(self, store: VersionStore) -> None:
        assert self.stand(store, DOCUMENTS[3], "2028-01-01")[1]["status"] == "not_yet"

    def test_a_deleted_article_was_law_once(self, store: VersionStore) -> None:
        assert self.stand(store, LATER[0])[1] == {"status": "deleted", "history": "known"}
        assert self.stand(store, LATER[0], "2020-01-01") == (
            "징계할 수 있다.",
            {"status": "former", "history": "known", "effective_from": "1960-01-01", "effective_to": "2021-01-26"},
        )
        assert self.stand(store, LATER[0], "2022-01-01")[1]["status"] == "deleted"

    def test_before_the_history_begins_nothing_is_known(self, store: VersionStore) -> None:
        assert self.stand(store, DOCUMENTS[3], "1990-01-01") == (
            DOCUMENTS[3].text, {"status": "not_yet", "history": "unknown"}
        )  # fmt: skip

    def test_without_history_the_newest_text_is_shown(self, store: VersionStore) -> None:
        assert self.stand(store, LATER[2], "2019-01-01")[1] == {"status": "in_force", "history": "unknown"}
        assert self.stand(store, LATER[2], "2017-01-01")[1] == {"status": "not_yet", "history": "unknown"}

    def test_decisions_have_no_history(self, store: VersionStore) -> None:
        assert self.stand(store, DOCUMENTS[4], "2021-01-01")[1] == {}


def ids(response: SearchResponse) -> set[str]:
    return {result.doc_id for result in response.results}


class TestSearch:
    def test_a_day_leaves_out_what_was_no_law(self, searcher: Searcher) -> None:
        asked = SearchRequest("손해를 배상할 책임", k=50)
        every = ids(searcher.search(asked))
        assert every == {document.doc_id for document in [*DOCUMENTS, *LATER[1:]]}
        gap = ids(searcher.search(SearchRequest("손해를 배상할 책임", k=50, as_of=date(2002, 1, 1))))
        assert every - gap == {"001706-0839-02", "001872-0030", "p101", "p102"}

    def test_results_show_the_text_of_the_day(self, searcher: Searcher) -> None:
        response = searcher.search(SearchRequest("손해를 배상할 책임", as_of=date(2010, 1, 1)))
        first = next(result for result in response.results if result.doc_id == CIVIL)
        assert (first.title, first.text) == ("옛 제목", "손해를 물어 준다.")
        assert [first.text[a:b] for a, b in first.highlights] == ["손해를"]
        assert first.evidence[0].text.endswith(DOCUMENTS[0].text)
        assert first.metadata["status"] == "former"

    def test_what_is_not_known_of_a_day_is_said(self, searcher: Searcher) -> None:
        asked = SearchRequest("갱신을 요구할 수 있다", k=50)
        assert searcher.search(asked).notes == ()
        assert searcher.search(SearchRequest("갱신", k=50, as_of=date(2026, 1, 1))).notes == ()
        (note,) = searcher.search(SearchRequest("갱신", k=50, as_of=date(2019, 1, 1))).notes
        assert note.startswith("as_of 2019-01-01: 1 of the results is of a law whose history on that day is not")
        (note,) = searcher.search(SearchRequest("갱신", k=50, as_of=date(1965, 1, 1))).notes
        assert "4 of the results are of laws" in note

    def test_a_citation_finds_what_was_deleted_since(self, searcher: Searcher) -> None:
        def pinned(as_of: date | None) -> list[tuple[str, str]]:
            results = searcher.search(SearchRequest("민법 제915조", as_of=as_of)).results
            return [(one.doc_id, one.text) for one in results if one.match == "citation"]

        assert pinned(date(2020, 1, 1)) == [("001706-0915", "징계할 수 있다.")]
        assert pinned(date(2022, 1, 1)) == []

    def test_every_mask_agrees_with_the_store(self, searcher: Searcher) -> None:
        columns, versions = searcher.columns, searcher.index.versions
        assert versions is not None
        for day in (date(1959, 1, 1), date(1965, 1, 1), date(2002, 1, 1), date(2020, 6, 1), TODAY, date(2030, 6, 1)):
            mask = columns.mask(Filters(), day)
            assert mask is not None
            for row, document in enumerate(searcher.index.documents):
                if document.kind == "precedent":
                    expected = document.date <= str(day)
                elif not versions.of(document.doc_id) or not versions.covers(document.law_id, day):
                    expected = True
                else:
                    found = versions.at(document.doc_id, day)
                    expected = found is not None and not found.deleted
                assert mask[row] == expected, (document.doc_id, day)

    def test_an_index_without_history_keeps_every_article(self, tmp_path: Path) -> None:
        write_documents(tmp_path / "documents.arrow", DOCUMENTS)
        mask = FilterColumns(DocumentStore(tmp_path / "documents.arrow")).mask(Filters(), date(1999, 1, 1))
        assert mask is not None
        np.testing.assert_array_equal(mask, [True, True, True, True, False, False])


class TestIndex:
    def test_versions_are_part_of_it(self, searcher: Searcher, tmp_path: Path) -> None:
        index = searcher.index
        assert index.versions is not None
        assert index.versions.of(CIVIL) == HISTORY[:2]
        assert FILE in index.manifest.files
        without = build_index(tmp_path, [*DOCUMENTS, *LATER]).index
        assert without.versions is None
        assert without.manifest.corpus.sha256 != index.manifest.corpus.sha256

    def test_one_that_lost_its_versions_is_refused(self, tmp_path: Path) -> None:
        path = build_index(tmp_path, versions=HISTORY).index.path
        (path / FILE).unlink()
        with pytest.raises(IndexCorrupt, match=r"versions\.arrow"):
            Index.open(path, FakeEncoder(), FakeReranker())


@pytest.mark.data
def test_the_real_history_is_opened_and_read_at_once(tmp_path: Path) -> None:
    """138,583 rows: opened in under 100 ms, an article in under 1 ms, and one article that a source loses for years."""
    folder = os.environ.get("BEOPGIL_DATA")
    if not folder:
        pytest.skip("BEOPGIL_DATA does not name the folder of real records")
    from training.corpus import Report, write_history

    report = Report()
    write_documents(tmp_path / "documents.arrow", [])
    write_history([folder], tmp_path / FILE, DocumentStore(tmp_path / "documents.arrow"), report, strict=True)
    counts = report.counts["statute_versions.jsonl.zst"]
    assert counts == {"read": 138_583, "kept": 134_530, "never in force": 4_053}
    start = time.perf_counter()
    store = VersionStore(tmp_path / FILE)
    assert time.perf_counter() - start < 0.1
    store.of("001706-0750")
    start = time.perf_counter()
    for number in range(1, 1001):
        store.of(f"001706-{number:04}")
    assert time.perf_counter() - start < 1.0
    renewal = store.at("001248-0006-03", date(2022, 1, 1))
    assert renewal is not None
    assert renewal.effective_from == "2020-07-31"
    assert store.at("001248-0006-03", date(2020, 7, 30)) is None
    assert at(store.of("001706-0915"), date(2020, 1, 1)) != at(store.of("001706-0915"), date(2022, 1, 1))
