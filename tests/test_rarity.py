from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import RecordError
from training.pairs import write_rows
from training.rarity import FILE, trained_counts, write_trained_counts

ROWS = [
    {"positive_passages": ["001706-0750#0", "001706-0750#1", "001692-0307#0"]},
    {"positive_passages": ["001706-0750#0"]},
]
COUNTS = {"001706-0750": 2, "001692-0307": 1}


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    write_rows(tmp_path / "pairs" / "train.jsonl", ROWS)
    return tmp_path / "pairs" / "train.jsonl"


def test_a_row_counts_once_for_an_article(pairs: Path) -> None:
    """Two passages of one article are one row of it."""
    assert trained_counts(pairs) == trained_counts(pairs.parent) == COUNTS


def test_a_model_keeps_the_counts_of_its_pairs(pairs: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    assert write_trained_counts(pairs, model) == 2
    assert (model / FILE).read_text() == "001692-0307\t1\n001706-0750\t2\n"
    assert trained_counts(model) == trained_counts(model / FILE) == COUNTS


def test_the_first_place_that_has_counts_is_read(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.tsv").write_text("x\t9\n")
    assert trained_counts(tmp_path / "nowhere", tmp_path / "empty", pairs, tmp_path / "other.tsv") == COUNTS
    assert trained_counts(tmp_path / "nowhere", tmp_path / "empty") == {}
    assert trained_counts() == {}


@given(counts=st.dictionaries(st.from_regex(r"\A\d{6}-\d{4}\Z"), st.integers(1, 999), max_size=8))
def test_writing_and_reading_agree(tmp_path_factory: pytest.TempPathFactory, counts: dict[str, int]) -> None:
    folder = tmp_path_factory.mktemp("counts")
    rows = [{"positive_passages": [f"{doc_id}#0"]} for doc_id, count in counts.items() for _ in range(count)]
    write_rows(folder / "train.jsonl", rows)
    assert write_trained_counts(folder / "train.jsonl", folder / "kept.tsv") == len(counts)
    assert trained_counts(folder / "kept.tsv") == trained_counts(folder / "train.jsonl") == counts


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("001706-0750\t2\n001692-0307 1\n")
    with pytest.raises(RecordError, match=r"trained_articles\.tsv:2 is no doc_id, tab and count: '001692-0307 1'"):
        trained_counts(tmp_path)
