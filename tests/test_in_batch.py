"""The bi-encoder's loss against a naive one, the library's, and a few numbers known beforehand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from tests import tiny
from training.base import open_encoder
from training.in_batch import NOBODY, InBatchLoss
from training.sections import BiEncoder

Matrix = npt.NDArray[np.float64]


class Vectors(torch.nn.Module):
    """Stands for a model: the token ids of a text are its vector, of which `kept` numbers count."""

    def __init__(self, kept: int | None = None) -> None:
        super().__init__()
        self.kept = kept

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["input_ids"].float()[:, : self.kept]}


def loss_on(rows: dict[int, int] | None = None, guided_by: Vectors | None = None, **section: Any) -> InBatchLoss:
    model, made = SentenceTransformer(modules=[torch.nn.Identity()]), BiEncoder.model_validate(section)
    loss = InBatchLoss(model, made, 4096, rows, guided_by)  # type: ignore[arg-type]  # a guide in name
    loss.model = Vectors()  # type: ignore[assignment]  # a model in name
    return loss


def features(vectors: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"input_ids": vectors, "attention_mask": torch.ones(vectors.shape, dtype=torch.int64)}


def cost(loss: InBatchLoss, queries: torch.Tensor, passages: torch.Tensor, labels: torch.Tensor) -> float:
    return float(loss([features(queries), features(passages)], labels))


def labelled(queries: int, width: int) -> torch.Tensor:
    """Every passage of a document of its own; a query knows its positive's."""
    labels = torch.arange(queries * width).reshape(width, queries).T
    return torch.cat([labels, labels[:, :1]], dim=1)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# what is known beforehand


def test_temperature_005_is_scale_20() -> None:
    assert loss_on(temperature=0.05).scale == pytest.approx(20.0)


def test_random_vectors_cost_ln_of_the_candidates() -> None:
    queries, passages = drawn(16, 4096), drawn(16 * 3, 4096, seed=1)
    assert cost(loss_on(), queries, passages, labelled(16, 3)) == pytest.approx(math.log(48), rel=0.05)
    assert cost(loss_on(), queries, torch.cat([queries, passages[16:]]), labelled(16, 3)) < 1e-3


def test_loss_equals_the_library_s_where_nothing_is_masked() -> None:
    queries, passages, loss, labels = drawn(4, 8), drawn(8, 8, seed=1), loss_on(), labelled(4, 2)
    theirs = loss.compute_loss_from_embeddings([queries, passages[:4], passages[4:]], labels)
    assert cost(loss, queries, passages, labels) == pytest.approx(float(theirs), rel=1e-5)


EVEN = torch.eye(2)
"""Two queries, each with the cosine 1 to its own of two passages and 0 to the other."""


def test_a_document_of_nine_rows_is_nine_times_less_a_positive_and_a_negative() -> None:
    """−ln softmax(cosine / temperature − ln rows): e¹ / 9 against e⁰ / 1, and e¹ / 1 against e⁰ / 9."""
    loss = loss_on({0: 9}, temperature=1.0, frequency=1.0)
    often = -math.log((math.e / 9) / (math.e / 9 + 1))
    seldom = -math.log(math.e / (math.e + 1 / 9))
    assert cost(loss, EVEN, EVEN, labelled(2, 1)) == pytest.approx((often + seldom) / 2)
    half = loss_on({0: 9}, temperature=1.0, frequency=0.5)
    often, seldom = -math.log((math.e / 3) / (math.e / 3 + 1)), -math.log(math.e / (math.e + 1 / 3))
    assert cost(half, EVEN, EVEN, labelled(2, 1)) == pytest.approx((often + seldom) / 2)


def test_the_positives_choose_among_the_queries() -> None:
    """Both passages lie nearer to the first query: of the queries' choices one is right, of the passages' one too."""
    queries, passages = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    near, slant = 1.0, 1 / math.sqrt(2)
    there = math.log(2)
    back = -sum(math.log(math.exp(own) / (math.exp(near) + math.exp(slant))) for own in (near, slant)) / 2
    for share in (0.0, 0.25, 1.0):
        loss = loss_on(temperature=1.0, symmetric=share)
        wanted = (1 - share) * there + share * back
        assert cost(loss, queries, passages, labelled(2, 1)) == pytest.approx(wanted, rel=1e-5)


def test_a_guide_that_prefers_a_negative_takes_it_out() -> None:
    queries, passages = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    slant = math.exp(1 / math.sqrt(2))
    without = -math.log(slant / (slant + math.e + 1))
    assert cost(loss_on(temperature=1.0), queries, passages, labelled(1, 3)) == pytest.approx(without)
    guided = loss_on(guided_by=Vectors(), temperature=1.0)
    assert cost(guided, queries, passages, labelled(1, 3)) == pytest.approx(-math.log(slant / (slant + 1)))


def test_a_guide_is_not_trained_and_not_saved() -> None:
    model = SentenceTransformer(modules=[torch.nn.Linear(2, 2)])
    guide = SentenceTransformer(modules=[torch.nn.Linear(2, 2)])
    loss = InBatchLoss(model, BiEncoder(guide=True), 4096, guide=guide)
    assert {id(weight) for weight in loss.parameters()} == {id(weight) for weight in model.parameters()}
    assert len(loss.state_dict()) == len(model.state_dict())


def test_dimensions_are_the_mean_over_cut_vectors() -> None:
    queries, passages, labels = drawn(5, 8), drawn(10, 8, seed=1), labelled(5, 2)
    whole = cost(loss_on(), queries, passages, labels)
    cut = [cost(loss_on(), queries[:, :d], passages[:, :d], labels) for d in (4, 2)]
    both = loss_on(dimensions=(4, 2))
    assert cost(both, queries, passages, labels) == pytest.approx((whole + sum(cut)) / 3, rel=1e-5)


@given(st.integers(1, 6), st.integers(1, 3), st.floats(0, 2), st.integers(1, 50))
def test_rows_that_are_equal_for_all_change_nothing(batch: int, width: int, frequency: float, count: int) -> None:
    queries, passages, labels = drawn(batch, 8), drawn(batch * width, 8, seed=1), labelled(batch, width)
    even = loss_on(dict.fromkeys(range(batch * width), count), frequency=frequency)
    assert cost(even, queries, passages, labels) == pytest.approx(cost(loss_on(), queries, passages, labels), abs=1e-4)


# against a naive one


def cosines(queries: Matrix, passages: Matrix) -> Matrix:
    over = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(passages, axis=1)[None, :]
    return np.asarray(queries @ passages.T / over)


def naive(section: BiEncoder, rows: dict[int, int], labels: list[list[int]], queries: Matrix, passages: Matrix,
          kept: int | None) -> float:  # fmt: skip
    """The module's formula, one candidate at a time; the guide sees `kept` numbers of each vector."""
    batch = len(queries)
    width = len(passages) // batch
    owner = [labels[place % batch][place // batch] for place in range(len(passages))]
    seen = cosines(queries[:, :kept], passages[:, :kept])

    def counts(i: int, place: int) -> bool:
        if place == i:
            return True
        false = owner[place] in labels[i][width:] or owner[place] == NOBODY
        return not false and not (section.guide and seen[i, place] > seen[i, i])

    totals = []
    for dim in (None, *section.dimensions):
        scores = cosines(queries[:, :dim], passages[:, :dim]) / section.temperature
        scores = scores - section.frequency * np.log([max(1, rows.get(one, 1)) for one in owner])
        there = back = 0.0
        for i in range(batch):
            chosen = sum(math.exp(scores[i, place]) for place in range(len(passages)) if counts(i, place))
            chosen_back = sum(math.exp(scores[other, i]) for other in range(batch) if counts(other, i))
            there -= math.log(math.exp(scores[i, i]) / chosen) / batch
            back -= math.log(math.exp(scores[i, i]) / chosen_back) / batch
        totals.append((1 - section.symmetric) * there + section.symmetric * back)
    return sum(totals) / len(totals)


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[list[int]], int, int]:
    """Labels of a batch as the collator makes them: own passages' documents, then known ones; width; seed."""
    batch, width = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rows = []
    for _ in range(batch):
        positive = draw(st.integers(0, 6))
        negatives = [draw(st.integers(NOBODY, 6)) for _ in range(width - 1)]
        known = sorted({positive, *draw(st.sets(st.integers(0, 6), max_size=2))})
        rows.append([positive, *negatives, *known])
    longest = max(map(len, rows))
    return [row + [NOBODY] * (longest - len(row)) for row in rows], width, draw(st.integers(0, 99))


@settings(deadline=None)
@given(
    batches(),
    st.fixed_dictionaries(
        {
            "temperature": st.sampled_from([0.05, 0.3, 1.0]),
            "symmetric": st.sampled_from([0.0, 0.3, 1.0]),
            "frequency": st.sampled_from([0.0, 0.4, 1.0]),
            "guide": st.booleans(),
            "dimensions": st.sampled_from([(), (3,), (4, 2)]),
        }
    ),
    st.dictionaries(st.integers(0, 6), st.integers(1, 400)),
)
def test_the_loss_is_the_naive_one(
    batch: tuple[list[list[int]], int, int], section: dict[str, Any], rows: dict[int, int]
) -> None:
    labels, width, seed = batch
    queries, passages = drawn(len(labels), 6, seed=seed), drawn(len(labels) * width, 6, seed=seed + 100)
    loss = loss_on(rows, Vectors(2) if section["guide"] else None, **section)
    wanted = naive(
        loss.section, rows, labels, queries.double().numpy(), passages.double().numpy(), 2 if section["guide"] else None
    )
    assert cost(loss, queries, passages, torch.tensor(labels)) == pytest.approx(wanted, rel=1e-3, abs=1e-4)


@given(st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=5), st.data())
def test_only_known_positives_and_empty_places_are_masked(rows: list[list[int]], data: st.DataObject) -> None:
    known = [sorted({row[0], *data.draw(st.sets(st.integers(0, 6), max_size=2))}) for row in rows]
    longest = max(map(len, known))
    labels = torch.tensor([row + own + [NOBODY] * (longest - len(own)) for row, own in zip(rows, known, strict=True)])
    mask = InBatchLoss.false_negatives(labels[:, :3].T.reshape(-1), labels[:, 3:])
    for i, own in enumerate(known):
        for place in range(3):
            for j, row in enumerate(rows):
                expected = row[place] in own and not (place == 0 and i == j)
                assert bool(mask[i, place * len(rows) + j]) == expected


def test_short_passes_give_the_same_vectors(tmp_path: Path) -> None:
    section = tiny.recipe(tmp_path).bi_encoder
    model = open_encoder(tiny.save_encoder(tmp_path / "m"), section)
    texts = [text[: 5 + 3 * n] for n, (_, text) in enumerate(tiny.TOPICS)]
    tokens = {k: v for k, v in model.preprocess(texts).items() if isinstance(v, torch.Tensor)}
    with torch.no_grad():
        whole, short = (InBatchLoss(model, BiEncoder(), budget)._embed(model, tokens) for budget in (10_000, 20))
    assert torch.allclose(whole, short, atol=1e-5)
