"""Rows of triples.jsonl in either format → examples that name passages by number."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.retrieval.store import DocumentStore, PassageStore
from tests.fakes import precedent, statute, write_corpus
from training.pairs import PairsError, Row
from training.triples import Example, Triples, read_triples

DOCUMENTS = (
    statute("000001", "모래법", "제1조", "목적", "모래를 지킨다."),
    statute("000001", "모래법", "제2조", "정의", "모래란 작은 돌을 말한다."),
    statute("000002", "모래법", "제1조", "목적", "옛 모래를 지킨다.", law_kind="군정법령", date="1946-01-01"),
    replace(statute("000001", "모래법", "제3조", "삭제", "삭제"), deleted=True),
    replace(statute("000001", "모래법", "제4조", "삭제", "삭제"), deleted=True),
    precedent(5, "모래", "[1] 모래의 뜻\n[2] 모래를 나르는 일"),
)
"""Six documents, of which two are deleted and have no passage: passages 0, 1, 2 are articles, 3 and 4 a decision's."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[DocumentStore, PassageStore]:
    folder = tmp_path_factory.mktemp("triples")
    write_corpus(folder, DOCUMENTS)
    return DocumentStore(folder / "documents.arrow"), PassageStore(folder / "passages.arrow")


def read(stores: tuple[DocumentStore, PassageStore], path: Path, *rows: Row) -> Triples:
    path.mkdir(parents=True, exist_ok=True)
    (path / "triples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_triples(path / "triples.jsonl", *stores)


Stores = tuple[DocumentStore, PassageStore]


def by_id(positives: list[str], negatives: list[str], **more: Any) -> Row:
    return {"query_text": "물음", "positive_passages": positives, "hard_negatives": negatives, **more}


def inline(*positives: str, **more: Any) -> Row:
    return {"query": "물음", "pos": list(positives), "neg": [], **more}


# rows by id


def test_each_positive_of_a_row_is_an_example_and_has_the_negatives_in_its_turn(stores: Stores, tmp_path: Path) -> None:
    ids = ["000001-0001#0", "000001-0002#0"]
    row = by_id(ids, ["p5#0", "p5#1"], source="issue_article", exclude=["000001-0001", "gone"])
    assert read(stores, tmp_path, row).examples == [
        Example("물음", 0, (3, 4), (0, 1), "issue_article"),
        Example("물음", 1, (4, 3), (0, 1), "issue_article"),
    ]


def test_namesakes_are_one_document(stores: Stores, tmp_path: Path) -> None:
    """An article of the law in force and that of its forerunner: neither is the other's negative."""
    triples = read(stores, tmp_path, by_id(["000001-0001#0"], ["000002-0001#0"]))
    assert triples.document(0) == triples.document(2) == 0
    assert triples.document(2) in triples.examples[0].known


# rows with texts


def test_a_keyed_text_is_of_its_key_s_document(stores: Stores, tmp_path: Path) -> None:
    row = inline("모래법 제2조\n모래란", key="000001-0002", source="sentence_article", hard_negatives=["p5#1"])
    triples = read(stores, tmp_path, row)
    (example,) = triples.examples
    assert triples.text(example.positive) == "모래법 제2조\n모래란"
    assert triples.document(example.positive) == triples.document(1)
    assert (example.negatives, example.known, example.source) == ((4,), (1,), "sentence_article")


@pytest.mark.parametrize(("key", "row"), [("p5#2", 5), ("000002-0001", 0)])
def test_a_key_may_be_a_passage_s_or_a_forerunner_s(stores: Stores, tmp_path: Path, key: str, row: int) -> None:
    triples = read(stores, tmp_path, inline("글", key=key))
    assert triples.document(triples.examples[0].positive) == row


def test_what_a_decision_cites_beside_is_no_negative(stores: Stores, tmp_path: Path) -> None:
    triples = read(stores, tmp_path, inline("글", key="p5#1", exclude=["000001-0002", "gone"]))
    assert triples.examples[0].known == (1, 5)


def test_the_key_is_known_even_where_its_text_came_before_without_one(stores: Stores, tmp_path: Path) -> None:
    first = {**inline("가"), "neg": ["글"]}
    triples = read(stores, tmp_path, first, inline("글", key="000001-0002"))
    last = triples.examples[-1]
    assert last.positive == triples.examples[0].negatives[0], "one text, one number"
    assert set(last.known) == {1, triples.document(last.positive)}


@pytest.mark.parametrize("key", [{}, {"key": "000009-0001"}, {"key": "p5x#1"}])
def test_a_text_without_a_document_is_its_own(stores: Stores, tmp_path: Path, key: Row) -> None:
    """No number of a document, though there are more documents than passages."""
    assert len(stores[0]) > len(stores[1])
    triples = read(stores, tmp_path, *({**inline(text), **key} for text in "가나다라"))
    own = [triples.document(example.positive) for example in triples.examples]
    assert len({*own}) == 4
    assert not {*own} & {*range(len(stores[0]))}


TEXTS = st.text("가나", min_size=1, max_size=2)
KEYS = st.sampled_from([None, "000001-0001", "000002-0001", "000001-0002", "p5#1", "gone"])
ROWS = st.lists(
    st.builds(
        lambda pos, neg, key: {"query": "물음", "pos": pos, "neg": neg, **({"key": key} if key else {})},
        st.lists(TEXTS, min_size=1, max_size=3),
        st.lists(TEXTS, max_size=3),
        KEYS,
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_texts_are_kept_once_and_examples_say_what_the_rows_say(
    stores: Stores, tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    triples = read(stores, tmp_path_factory.getbasetemp() / "any", *rows)
    assert len(triples.inline) == len(triples.owners) == len(set(triples.inline))
    examples = iter(triples.examples)
    for row in rows:
        key = row.get("key", "").partition("#")[0]
        document = stores[0].row(key)
        for text in row["pos"]:
            example = next(examples)
            assert triples.text(example.positive) == text
            assert sorted(triples.text(one) for one in example.negatives) == sorted(row["neg"])
            assert triples.document(example.positive) in example.known
            if document is not None:
                assert triples.documents[int(np.searchsorted(stores[1].documents, document))] in example.known
    assert next(examples, None) is None


# what is refused


@pytest.mark.parametrize(
    "row", [by_id(["gone#0"], []), by_id(["p5#0"], ["gone#0"]), inline("글", hard_negatives=["gone#0"])]
)
def test_a_passage_outside_the_corpus_is_refused(stores: Stores, tmp_path: Path, row: Row) -> None:
    with pytest.raises(PairsError, match=r"passage gone#0 is not in this corpus; mine again"):
        read(stores, tmp_path, row)


def test_rows_of_neither_format_and_no_rows_are_refused(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(PairsError, match=r"neither query/pos nor query_text/positive_passages: \['query'\]"):
        read(stores, tmp_path, {"query": "물음"})
    with pytest.raises(PairsError, match="holds no triples"):
        read(stores, tmp_path)


# what the loss is measured on


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5))
def test_a_tenth_at_most_is_held_out_by_seed(examples: int, count: int, seed: int) -> None:
    triples = Triples(None, [], examples=[Example("", n, (), ()) for n in range(examples)])  # type: ignore[arg-type]  # unused
    chosen = triples.held_out(count, seed)
    assert len(chosen) == max(1, min(count, examples // 10))
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert chosen.tolist() == triples.held_out(count, seed).tolist()
