from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from torch.nn import functional

from app.retrieval.store import write_documents, write_passages
from tests import tiny
from tests.fakes import precedent, statute
from training import pretrain
from training.pairs import write_rows
from training.pretrain import (
    PROMPTS,
    Log,
    TokenPairs,
    batches,
    contrastive,
    count_batches,
    forward,
    new_model,
    save,
    tokenize_pairs,
    train_blocks,
)
from training.recipe import Recipe, RecipeError
from training.sections import Pretrain
from training.tokenizer import SPECIAL, train_tokenizer
from training.tokens import Ragged

SMALL: dict[str, Any] = {
    "vocab": 400, "dim": 32, "layers": 2, "heads": 2, "intermediate": 48, "token_epochs": 1.0, "token_batch": 8,
    "batch": 8, "epochs": 1.0, "query_tokens": 16, "passage_tokens": 24, "max_tokens": 32, "save_steps": 2,
}  # fmt: skip


# the loss


def unit(rows: int, dim: int, seed: int) -> torch.Tensor:
    return functional.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize("n", [2, 3, 16, 700])
@pytest.mark.parametrize("temperature", [0.02, 0.05, 1.0, 20.0])
def test_identical_vectors_cost_the_logarithm_of_their_number(n: int, temperature: float) -> None:
    """What cannot be told apart costs ln n at any temperature: a loss that stays there has learnt nothing."""
    same = unit(1, 8, 0).repeat(n, 1)
    assert contrastive(same, same, torch.arange(n), temperature).item() == pytest.approx(math.log(n), abs=1e-4)


def test_equal_keys_are_no_negatives_of_each_other() -> None:
    """Of 4 identical texts two share a key: their rows choose among 3, the others among 4."""
    same = unit(1, 8, 0).repeat(4, 1)
    expected = (2 * math.log(3) + 2 * math.log(4)) / 4
    assert contrastive(same, same, torch.tensor([5, 5, 6, 7]), 0.05).item() == pytest.approx(expected, abs=1e-4)
    assert contrastive(same, same, torch.tensor([5, 5, 5, 5]), 0.05).item() == pytest.approx(0.0, abs=1e-6)


def test_the_loss_divides_cosines_by_the_temperature() -> None:
    """(ln(1 + e^(-gap / t)) for two orthogonal pairs): 0.0 at t = .05, where t = 20 would stay at ln 2."""
    pair = torch.eye(2)
    for temperature in (0.05, 0.5, 20.0):
        expected = math.log1p(math.exp(-1 / temperature))
        assert contrastive(pair, pair, torch.arange(2), temperature).item() == pytest.approx(expected, abs=1e-6)


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**31), st.sampled_from([0.05, 0.1, 1.0]))
def test_the_loss_is_the_formula(n: int, kinds: int, seed: int, temperature: float) -> None:
    """mean over rows and columns of −ln(e^(s_ii) / Σ_{j = i or key_j ≠ key_i} e^(s_ij)), s = cosine / temperature."""
    queries, positives = unit(n, 6, seed), unit(n, 6, seed + 1)
    keys = np.random.default_rng(seed).integers(0, kinds, n)
    scores = (queries.double() @ positives.double().T).numpy() / temperature
    kept = (keys[:, None] != keys[None, :]) | np.eye(n, dtype=bool)
    exponents = np.exp(scores) * kept
    own = np.exp(np.diag(scores))
    expected = -(np.log(own / exponents.sum(1)).mean() + np.log(own / exponents.sum(0)).mean()) / 2
    found = contrastive(queries, positives, torch.from_numpy(keys), temperature)
    assert found.item() == pytest.approx(expected, abs=1e-3)
    assert found.item() == pytest.approx(
        contrastive(positives, queries, torch.from_numpy(keys), temperature).item(), abs=1e-4
    )


# batches


def numbered(sources: list[int]) -> TokenPairs:
    """Pairs of one token each."""
    n = len(sources)
    texts = Ragged(np.arange(n, dtype=np.int32), np.arange(n + 1, dtype=np.int64))
    names = tuple(f"source {number}" for number in range(max(sources) + 1))
    return TokenPairs(texts, texts, np.arange(n), np.arange(n), np.array(sources, dtype=np.int64), names)


SOURCES = st.lists(st.integers(0, 3), min_size=1, max_size=60)


@given(SOURCES, st.integers(2, 9), st.integers(0, 2**31))
def test_batches_are_of_one_source_and_cover_all(sources: list[int], size: int, seed: int) -> None:
    """A last pair that is alone in its batch has no negatives, and is left out."""
    pairs = numbered(sources)
    found = list(batches(pairs, size, {}, 1.0, np.random.default_rng(seed)))
    for rows in found:
        assert 2 <= len(rows) <= size
        assert len(set(pairs.source[rows])) == 1
    seen = [int(row) for rows in found for row in rows]
    assert len(seen) == len(set(seen))
    alone = sum(sources.count(number) % size == 1 for number in set(sources))
    assert len(seen) == len(sources) - alone
    assert count_batches(pairs, size, {}, 1.0) == len(found)


@given(SOURCES, st.integers(2, 9), st.sampled_from([0.3, 0.5, 1.0, 1.5, 2.0]), st.sampled_from([0.0, 0.25, 1.0]))
def test_shares_and_epochs_bound_what_is_seen(sources: list[int], size: int, epochs: float, share: float) -> None:
    pairs = numbered(sources)
    shares = {"source 1": share}
    found = list(batches(pairs, size, shares, epochs, np.random.default_rng(1)))
    for number in set(sources):
        part = share if number == 1 else 1.0
        n = sources.count(number)
        most = int(epochs) * math.ceil(n * part) + math.ceil(n * part * (epochs % 1))
        seen = sum(len(rows) for rows in found if pairs.source[rows[0]] == number)
        assert most - (int(epochs) + 1) <= seen <= most
    assert count_batches(pairs, size, shares, epochs) == len(found)


def test_the_same_seed_gives_the_same_batches() -> None:
    pairs = numbered([0] * 20 + [1] * 11)
    one, other, third = (
        [rows.tolist() for rows in batches(pairs, 4, {}, 2.0, np.random.default_rng(seed))] for seed in (7, 7, 8)
    )
    assert one == other
    assert one != third


# tokens


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """A corpus with one later decision, and weak pairs of two sources."""
    made = Recipe.model_validate({"name": "p", "work": str(tmp_path), "pretrain": SMALL})
    documents = [statute("000001", "모래법", f"제{n}조", topic, text) for n, (topic, text) in enumerate(tiny.TOPICS, 1)]
    documents += [precedent(9, "뷁뷁뷁", "뷁뷁뷁 뷁뷁 여부", date="2022-05-01")] * 4
    write_documents(made.documents, documents)
    rows = [(f"{d.doc_id}#0", row, f"{d.citation}\n{d.text or d.issues}") for row, d in enumerate(documents)]
    write_passages(made.passages, [row for row in rows for _ in range(2)])
    write_rows(made.train_pairs, [{"query_text": text} for _, text in tiny.TOPICS])
    write_rows(made.weak_pairs, weak_rows())
    made.folder("pretrain").mkdir()
    return made


def weak_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, (topic, text) in enumerate(tiny.TOPICS, 1):
        rows.append(
            {"query": topic, "pos": [f"모래법 제{number}조\n{text}"], "source": "title_article", "key": f"a{number}"}
        )
        rows.append(
            {"query": f"{text} 하는지 여부", "pos": [f"모래법 제{number}조\n{text}"], "source": "issue_article"}
        )
    return rows


def test_a_tokenizer_is_trained_once(recipe: Recipe) -> None:
    tokenizer = train_tokenizer(recipe)
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == list(range(len(SPECIAL)))
    assert tokenizer.encode("[Q] 임대차").tokens[:2] == ["[CLS]", "[Q]"]
    pair = tokenizer.encode("임대차", "보증금")
    assert pair.tokens.count("[SEP]") == 2
    assert pair.type_ids[0] == 0
    assert pair.type_ids[-1] == 1
    path = recipe.folder("pretrain") / "tokenizer.json"
    written = path.read_bytes()
    assert train_tokenizer(recipe).to_str() == tokenizer.to_str()
    assert path.read_bytes() == written


def test_the_vocabulary_knows_nothing_of_later_decisions(recipe: Recipe) -> None:
    vocabulary = train_tokenizer(recipe).get_vocab()
    assert not [token for token in vocabulary if "뷁" in token]
    assert [token for token in vocabulary if "임" in token]


def test_pairs_are_tokenised_with_prompts_and_equal_positives_once(recipe: Recipe) -> None:
    tokenizer = train_tokenizer(recipe)
    pairs = tokenize_pairs(recipe, tokenizer)
    n = len(tiny.TOPICS)
    assert (len(pairs.queries), len(pairs.positives), len(pairs.text)) == (2 * n, n, 2 * n)
    assert pairs.names == ("title_article", "issue_article")
    assert pairs.source.tolist() == [0, 1] * n
    assert pairs.text.tolist() == [number for number in range(n) for _ in range(2)]
    assert len(set(pairs.key.tolist())) == 2 * n  # a named key, and the positive itself where there is none
    query, document = (tokenizer.token_to_id(PROMPTS[kind].strip()) for kind in ("query", "document"))
    assert {pairs.queries[i][1] for i in range(2 * n)} == {query}
    assert {pairs.positives[i][1] for i in range(n)} == {document}
    assert pairs.queries.lengths(np.arange(2 * n)).max() <= SMALL["query_tokens"]
    assert pairs.positives.lengths(np.arange(n)).max() <= SMALL["passage_tokens"]


def test_no_pairs_is_an_error_with_a_remedy(recipe: Recipe) -> None:
    write_rows(recipe.weak_pairs, [])
    with pytest.raises(RecipeError, match=r"weak\.jsonl holds no pair: .*pairs\.train_before"):
        tokenize_pairs(recipe, train_tokenizer(recipe))


# the model


SECTION = Pretrain(**SMALL)


@pytest.fixture(scope="module")
def texts() -> Ragged:
    """Ten texts of 3 to 20 random tokens."""
    rng = np.random.default_rng(5)
    lengths = rng.integers(3, 20, 10)
    return Ragged(rng.integers(7, 400, lengths.sum()).astype(np.int32), np.cumsum([0, *lengths], dtype=np.int64))


def test_a_new_model_is_a_bag_of_its_token_vectors(texts: Ragged) -> None:
    """Its residual branches are zero: the encoder begins as the mean of what the token stage trains."""
    torch.manual_seed(3)
    model = new_model(SECTION)
    rows = np.arange(len(texts))
    with torch.no_grad():
        vectors = model.final_norm(model.embeddings.norm(model.embeddings.tok_embeddings.weight))
        means = [vectors[torch.from_numpy(texts[i].astype(np.int64))].mean(0) for i in range(len(texts))]
        bag = functional.normalize(torch.stack(means), dim=-1)
        found = forward(model, texts, rows)
    assert found.shape == (len(texts), SMALL["dim"])
    assert (found * bag).sum(-1).min().item() > 0.999  # bf16 inside
    assert found.norm(dim=-1).tolist() == pytest.approx([1.0] * len(texts), abs=1e-5)


def test_hidden_dimensions_take_no_part(texts: Ragged) -> None:
    slack = SMALL["dim"] // 8
    with torch.no_grad():
        found = forward(new_model(SECTION), texts, np.arange(len(texts)))
    assert (found[:, -slack:] == 0).all()
    assert (found[:, :-slack] != 0).any()


def test_forward_keeps_the_order_and_does_not_hang_on_micro_batches(
    texts: Ragged, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = moving(new_model(SECTION)).eval()
    rows = np.array([7, 2, 2, 9, 0, 5])
    with torch.no_grad():
        at_once = forward(model, texts, rows)
        one_by_one = torch.cat([forward(model, texts, rows[i : i + 1]) for i in range(len(rows))])
        monkeypatch.setattr(pretrain, "MICRO", 2)
        in_parts = forward(model, texts, rows)
    for other in (one_by_one, in_parts):
        assert (at_once * other).sum(-1).min().item() > 0.999
    assert at_once[1].tolist() == pytest.approx(at_once[2].tolist(), abs=1e-5)


def moving(model: Any) -> Any:
    """The model with blocks that do something."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("Wo.weight"):
                weight.normal_(std=0.05, generator=generator)
    return model


# training


class Stop(Exception):  # noqa: N818  (an interruption, no error)
    pass


class QuietLog(Log):
    """Notes (stage, step, loss), and stops after a step."""

    def __init__(self, path: Path, last: int | None = None) -> None:
        super().__init__(path)
        self.losses: list[tuple[str, int, float]] = []
        self.last = last

    def add(self, stage: str, step: int, total: int, loss: float, source: str) -> None:
        self.losses.append((stage, step, loss))
        if step == self.last:
            raise Stop


def trained(recipe: Recipe, folder: Path, log: Log) -> torch.Tensor:
    torch.manual_seed(3)
    model = new_model(recipe.pretrain)
    folder.mkdir(exist_ok=True)
    pairs = tokenize_pairs(recipe, Tokenizer.from_file(str(recipe.folder("pretrain") / "tokenizer.json")))
    train_blocks(model, pairs, recipe.pretrain, np.random.default_rng(8), log, folder)
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_a_run_that_was_stopped_goes_on_from_its_checkpoint(recipe: Recipe, tmp_path: Path) -> None:
    """Checkpoints come every 2 steps: stopped in the fifth of 6, it repeats the fifth and ends where it would have."""
    train_tokenizer(recipe)
    sections = {"pretrain": recipe.pretrain.model_copy(update={"epochs": 1.5})}
    longer = recipe.model_copy(update=sections)
    whole = QuietLog(tmp_path / "log")
    expected = trained(longer, tmp_path / "whole", whole)
    assert len(whole.losses) == 6
    assert not (tmp_path / "whole" / "blocks.pt").exists()
    with pytest.raises(Stop):
        trained(longer, tmp_path / "parts", QuietLog(tmp_path / "log", last=4))
    resumed = QuietLog(tmp_path / "log")
    found = trained(longer, tmp_path / "parts", resumed)
    assert [step for _, step, _ in resumed.losses] == [4, 5]
    assert torch.allclose(found, expected, atol=1e-5)
    assert not (tmp_path / "parts" / "blocks.pt").exists()


def test_masked_steps_move_the_blocks_and_are_logged(recipe: Recipe, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(recipe)
    sections = {"pretrain": recipe.pretrain.model_copy(update={"masked_steps": 2, "masked_batch": 4})}
    torch.manual_seed(3)
    model = new_model(recipe.pretrain)
    before = [weight.detach().clone() for weight in model.layers.parameters()]
    log = QuietLog(tmp_path / "log")
    pretrain.train_masked_blocks(model, recipe.model_copy(update=sections), tokenizer, log)
    assert [(stage, step) for stage, step, _ in log.losses] == [("masked", 0), ("masked", 1)]
    assert any(not torch.equal(a, b) for a, b in zip(before, model.layers.parameters(), strict=True))


def test_the_log_keeps_means_by_source(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl", every=3)
    for step, (loss, source) in enumerate([(1.0, "a"), (3.0, "a"), (5.0, "b"), (7.0, "b")]):
        log.add("tokens", step, 4, loss, source)
    rows = [json.loads(row) for row in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(row["step"], row["of"], row["loss"]) for row in rows] == [(3, 4, {"a": 2.0, "b": 5.0}), (4, 4, {"b": 7.0})]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, loss: float) -> None:
    with pytest.raises(RecipeError, match=r"pretrain blocks: loss is .* at step 3; lower the learning rate"):
        Log(tmp_path / "log.jsonl").add("blocks", 3, 9, loss, "a")


def test_a_saved_model_encodes_as_it_was_trained(recipe: Recipe, tmp_path: Path) -> None:
    """The folder is a plain sentence-transformers one, with its prompts and token limits."""
    tokenizer = train_tokenizer(recipe)
    model = moving(new_model(recipe.pretrain)).eval()
    save(model, tokenizer, recipe.pretrain, tmp_path / "model")
    loaded = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert loaded.prompts == PROMPTS
    assert loaded.max_seq_length == SMALL["max_tokens"]
    limits = json.loads((tmp_path / "model" / "beopgil.json").read_text())
    assert limits == {"query_tokens": 2 * SMALL["query_tokens"], "passage_tokens": SMALL["max_tokens"]}
    pairs = tokenize_pairs(recipe, tokenizer)
    short = np.arange(0, 8, 2)  # titles: training cuts longer queries sooner than the model does
    with torch.no_grad():
        trained_with = forward(model, pairs.queries, short)
    queries = [weak_rows()[i]["query"] for i in short]
    found = loaded.encode(queries, prompt_name="query", convert_to_tensor=True, show_progress_bar=False)
    assert (found * trained_with).sum(-1).min().item() > 0.998  # bf16 in training, fp32 here
    assert not (tmp_path / "model.partial").exists()


def test_the_step_learns_and_leaves_a_model(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    pretrain.run(recipe)
    assert (recipe.base_model / "beopgil.json").exists()
    stages = [json.loads(row)["stage"] for row in (recipe.folder("pretrain") / "log.jsonl").read_text().splitlines()]
    assert stages == ["tokens", "blocks"]
    capsys.readouterr()
    pretrain.run(recipe)
    assert "token vectors taken from" in capsys.readouterr().out


def test_the_step_can_be_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pretrain.run(Recipe.model_validate({"name": "p", "work": str(tmp_path), "pretrain": {"enabled": False}}))
    assert "off in this recipe" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
