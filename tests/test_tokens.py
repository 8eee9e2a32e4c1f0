from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests import tiny
from training import tokens
from training.tokens import Ragged, encode

ROWS = st.lists(st.lists(st.integers(0, 1000), max_size=8), min_size=1, max_size=12)


def ragged(rows: list[list[int]]) -> Ragged:
    flat = np.array([token for row in rows for token in row], dtype=np.int32)
    return Ragged(flat, np.cumsum([0, *map(len, rows)], dtype=np.int64))


@given(ROWS)
def test_rows_come_back(rows: list[list[int]]) -> None:
    texts = ragged(rows)
    assert len(texts) == len(rows)
    assert [texts[i].tolist() for i in range(len(texts))] == rows
    assert texts.lengths(np.arange(len(rows))).tolist() == list(map(len, rows))


@given(ROWS, st.data())
def test_taking_rows_is_reading_them_one_by_one(rows: list[list[int]], data: st.DataObject) -> None:
    """Any order, with repetition, and nothing at all."""
    picks = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10)), dtype=np.int64)
    taken = ragged(rows).take(picks)
    assert [taken[i].tolist() for i in range(len(taken))] == [rows[pick] for pick in picks]


@given(ROWS, st.data())
def test_padding_round_trips(rows: list[list[int]], data: st.DataObject) -> None:
    picks = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=10)), dtype=np.int64)
    ids, mask = ragged(rows).padded(picks, pad=-7)
    assert ids.shape == mask.shape == (len(picks), max(1, *(len(rows[pick]) for pick in picks), 1))
    assert ids.dtype == mask.dtype == np.int64
    assert [line[keep == 1].tolist() for line, keep in zip(ids, mask, strict=True)] == [rows[pick] for pick in picks]
    assert (ids[mask == 0] == -7).all()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    backend = tiny.tokenizer().backend_tokenizer
    assert isinstance(backend, Tokenizer)
    return backend


def test_texts_are_cut_with_their_special_tokens(tokenizer: Tokenizer) -> None:
    texts = ["임대인은 계약을 해지할 수 있다", "", "해고"]
    whole, cut = encode(tokenizer, texts, 64), encode(tokenizer, texts, 4)
    first, last = whole[1].tolist()  # the empty text: [CLS] [SEP]
    for row in range(3):
        assert (whole[row][0], whole[row][-1]) == (first, last) == (cut[row][0], cut[row][-1])
    assert cut.lengths(np.arange(3)).max() == 4
    assert cut[0][:3].tolist() == whole[0][:3].tolist()
    assert whole.ids.dtype == np.int32


def test_blocks_do_not_show(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text for _, text in tiny.TOPICS]
    at_once = encode(tokenizer, texts, 16)
    monkeypatch.setattr(tokens, "ENCODED_AT_ONCE", 5)
    in_blocks = encode(tokenizer, iter(texts), 16)
    assert in_blocks.ids.tolist() == at_once.ids.tolist()
    assert in_blocks.offsets.tolist() == at_once.offsets.tolist()


def test_no_text_gives_no_row(tokenizer: Tokenizer) -> None:
    assert len(encode(tokenizer, [], 16)) == 0
