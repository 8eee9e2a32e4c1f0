from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest
from app.law.names import family_name
from app.retrieval.filters import FilterColumns
from app.retrieval.store import DocumentStore, write_documents
from app.retrieval.types import Filters
from tests.fakes import DOCUMENTS, precedent, statute

EXTRA = (
    statute("000009", "개인정보 보호법", "제1조", "목적", "목적", date=""),
    statute("000008", "민법", "제1조", "법원", "관습", law_kind="군정법령", date="1946-01-01"),
    precedent(103, "살인", "고의", court="서울고등법원", court_level="고등법원", case_type="형사", date="2019-12-31"),
)


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> FilterColumns:
    path = tmp_path_factory.mktemp("filters") / "documents.arrow"
    write_documents(path, [*DOCUMENTS, *EXTRA])
    return FilterColumns(DocumentStore(path))


def kept(columns: FilterColumns, filters: Filters, as_of: date | None = None) -> list[str]:
    mask = columns.mask(filters, as_of)
    assert mask is not None
    return [columns.documents[int(row)].doc_id for row in np.flatnonzero(mask)]


def test_no_filter_is_no_mask(columns: FilterColumns) -> None:
    assert columns.mask(Filters()) is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(kind=("precedent",)), ["p101", "p102", "p103"]),
        (Filters(kind=("precedent", "statute"), court=("서울고등법원",)), ["p103"]),
        (Filters(case_type=("형사", "민사"), court_level=("대법원",)), ["p101", "p102"]),
        (Filters(law=("형법",)), ["001692-0307"]),
        (Filters(law=("001872", "형법")), ["001692-0307", "001872-0023"]),
        (Filters(law=("개인정보보호법",)), ["000009-0001"]),
        (Filters(law=("근기법",)), ["001872-0023"]),
        (Filters(law=("민법",)), ["001706-0750", "001706-0839-02", "000008-0001"]),
        (Filters(law=("민법",), law_kind=("법률",)), ["001706-0750", "001706-0839-02"]),
        (Filters(date_from=date(2021, 1, 1)), ["001872-0023", "p102"]),
        (Filters(date_to=date(2019, 12, 31)), ["000008-0001", "p103"]),
        (Filters(date_from=date(2020, 5, 14), date_to=date(2020, 5, 14)), ["p101"]),
        (Filters(court=("없는법원",)), []),
        (Filters(kind=("precedent",), law=("민법",)), []),
    ],
)
def test_filters(columns: FilterColumns, filters: Filters, expected: list[str]) -> None:
    assert kept(columns, filters) == expected


def test_as_of_leaves_out_later_decisions_and_keeps_articles_without_history(columns: FilterColumns) -> None:
    """The date of an article is that of its law's newest version: it does not say that there was none before."""
    assert kept(columns, Filters(), date(2020, 5, 13)) == [
        "001706-0750", "001706-0839-02", "001692-0307", "001872-0023", "000009-0001", "000008-0001", "p103",
    ]  # fmt: skip


def test_excluded_documents_are_out(columns: FilterColumns) -> None:
    mask = columns.mask(Filters(kind=("precedent",)), exclude={"p101", "p999"})
    assert mask is not None
    assert [columns.documents[int(row)].doc_id for row in np.flatnonzero(mask)] == ["p102", "p103"]


def test_an_unknown_law_is_named_with_the_nearest(columns: FilterColumns) -> None:
    with pytest.raises(BadRequest, match="no law '근로기준볍' in this corpus; nearest: 근로기준법") as caught:
        columns.mask(Filters(law=("근로기준볍",)))
    assert caught.value.details == {"law": "근로기준볍", "nearest": ["근로기준법"]}
    with pytest.raises(BadRequest, match=r"no law 'xyz' in this corpus$"):
        columns.mask(Filters(law=("xyz",)))


def test_reversed_dates_are_refused_with_both(columns: FilterColumns) -> None:
    with pytest.raises(BadRequest, match="date_from 2021-01-01 is after date_to 2020-01-01"):
        columns.mask(Filters(date_from=date(2021, 1, 1), date_to=date(2020, 1, 1)))


def test_the_reader_knows_the_laws_the_articles_and_the_cases(columns: FilterColumns) -> None:
    read = columns.citation_reader().read
    found = read("민법 제750조와 제9조, 2019다102, 2019다9")
    assert [(one.doc_id, one.status) for one in found] == [
        ("001706-0750", "resolved"), (None, "no_such_article"), ("p102", "resolved"), (None, "no_such_case"),
    ]  # fmt: skip


# families


def families(path: Path, laws: list[str | None]) -> list[int]:
    """The families of an article of each law, and of a decision for None."""
    documents = [
        precedent(n, "가", "나") if law is None else statute(f"{n:06d}", law, "제1조", "가", "나")
        for n, law in enumerate(laws)
    ]
    write_documents(path / "documents.arrow", documents)
    return [int(number) for number in FilterColumns(DocumentStore(path / "documents.arrow")).families()]


def test_a_law_its_decree_and_its_rule_are_one_family(tmp_path: Path) -> None:
    laws = ["민법", "주택법", "주택법 시행령", "주택법 시행규칙", "주택법시행령", "주택법 시행령", None, None]
    found = families(tmp_path, laws)
    assert len(set(found[1:6])) == 1
    assert len({found[0], found[1], found[6], found[7]}) == 4


@given(
    st.lists(st.sampled_from(["가법", "가법 시행령", "나법", "나법시행규칙", "시행령", None]), min_size=1, max_size=12)
)
def test_families_are_those_of_a_naive_comparison(
    tmp_path_factory: pytest.TempPathFactory, laws: list[str | None]
) -> None:
    def alike(a: int, b: int) -> bool:
        one, other = laws[a], laws[b]
        return a == b or (one is not None and other is not None and family_name(one) == family_name(other))

    found = families(tmp_path_factory.getbasetemp(), laws)
    for a in range(len(laws)):
        assert [found[a] == found[b] for b in range(len(laws))] == [alike(a, b) for b in range(len(laws))]
