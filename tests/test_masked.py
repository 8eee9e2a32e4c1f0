"""Masked language modelling: what is hidden, what is told, and that it is learnt."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.masked import IGNORED, RATE, hide, train_masked
from training.pretrain import new_model
from training.sections import Pretrain
from training.tokenizer import SPECIAL
from training.tokens import Ragged

IDS = {token: number for number, token in enumerate(SPECIAL)}
VOCABULARY = 40


@given(st.integers(0, 10_000))
def test_targets_are_what_was_there_and_special_tokens_stay(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tokens = rng.integers(VOCABULARY, size=(8, 20))
    shown, targets = hide(tokens, IDS, VOCABULARY, rng)
    told = targets != IGNORED
    assert np.array_equal(targets[told], tokens[told])
    assert np.array_equal(shown[~told], tokens[~told])
    assert not np.isin(tokens[told], list(IDS.values())).any()
    assert np.isin(shown[told], [IDS["[MASK]"], *range(len(IDS), VOCABULARY)]).all()


def test_the_shares_are_those_of_the_paper() -> None:
    tokens = np.full((500, 200), len(IDS))
    shown, targets = hide(tokens, IDS, VOCABULARY, np.random.default_rng(0))
    told = targets != IGNORED
    assert abs(told.mean() - RATE) < 0.01
    assert abs((shown[told] == IDS["[MASK]"]).mean() - 0.8) < 0.01
    assert abs((shown[told] == len(IDS)).mean() - 0.1) < 0.02


def test_a_repeated_text_is_learnt() -> None:
    torch.manual_seed(0)
    section = Pretrain(
        vocab=VOCABULARY, dim=32, heads=2, intermediate=64, lr=3e-3, embedding_lr=3e-3, masked_steps=60, masked_batch=16
    )
    text = np.arange(len(IDS), len(IDS) + 12, dtype=np.int32)
    passages = Ragged(np.tile(text, 32), np.arange(33, dtype=np.int64) * 12)
    losses: list[float] = []
    train_masked(
        new_model(section), passages, section, IDS, np.random.default_rng(0),
        lambda _, loss: losses.append(loss), partial(lambda optimizer, step: None),
    )  # fmt: skip
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) / 2
