from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss, ListNetLoss
from transformers import TrainerCallback

from app.errors import ModelError
from app.retrieval.reranker import Reranker
from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from tests.fakes import FakeEncoder
from training import cross_encoder, mine, sections
from training.base import open_encoder, transformer
from training.cross_encoder import ListCollator, base_folder, list_loss, make_trainer, open_model, prepared_model
from training.dev import DevQuery
from training.recipe import Recipe, RecipeError
from training.rerank_evaluator import RerankEvaluator
from training.reranking import Judged, PairTokens, first_stage, forward
from training.trainer import fit, trainable
from training.triples import Triples, read_triples


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return ready(tiny.recipe(tmp_path))


def ready(made: Recipe) -> Recipe:
    """Corpus, triples, and a bi-encoder that stands for the merged one."""
    tiny.write_corpus(made)
    tiny.save_encoder(made.encoder_model)
    mine.mine(made, pools(made), made.triples)
    return made


def pools(made: Recipe) -> mine.Pools:
    return mine.Pools(DocumentStore(made.documents), PassageStore(made.passages), FakeEncoder(), made.folder("mine"))


def triples_of(made: Recipe) -> Triples:
    return read_triples(made.triples, DocumentStore(made.documents), PassageStore(made.passages))


# the losses


def section_of(loss: str, **changes: Any) -> sections.CrossEncoder:
    return sections.CrossEncoder.model_validate({"loss": loss, **changes})


def test_equal_logits_cost_ln_of_the_list() -> None:
    present = torch.ones(3, 8, dtype=torch.bool)
    assert float(list_loss(torch.zeros(3, 8), present, section_of("listwise"))) == pytest.approx(math.log(8))
    present[:, 6:] = False
    assert float(list_loss(torch.zeros(3, 8), present, section_of("listwise"))) == pytest.approx(math.log(6))


def test_margin_loss_is_zero_beyond_the_margin() -> None:
    present = torch.ones(1, 3, dtype=torch.bool)
    section = section_of("margin", margin=1.0)
    assert float(list_loss(torch.tensor([[3.0, 1.0, 2.0]]), present, section)) == 0
    assert float(list_loss(torch.tensor([[1.0, 1.5, -9.0]]), present, section)) == pytest.approx((1 + 0.5) / 2)


class Logits(CrossEncoder):
    """A cross-encoder whose logits are known."""

    num_labels = 1
    device = torch.device("cpu")

    def __init__(self, logits: torch.Tensor) -> None:
        torch.nn.Sequential.__init__(self)
        self.logits = logits

    def preprocess(self, inputs: Any, prompt: str | None = None, **_: Any) -> dict[str, Any]:
        return {"n": torch.tensor([int(passage) for _, passage in inputs])}

    def forward(self, input: dict[str, torch.Tensor], **_: Any) -> dict[str, torch.Tensor]:  # noqa: A002  # its name
        return {"scores": self.logits[input["n"]][:, None]}


def test_the_binary_loss_is_the_library_s() -> None:
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    theirs = BinaryCrossEntropyLoss(Logits(logits.reshape(-1)), pos_weight=torch.tensor(3.0))
    columns = [["q"] * 8, [str(n) for n in range(8)]]
    wanted = theirs(columns, torch.tensor([1.0, 0, 0, 0] * 2))
    ours = list_loss(logits, torch.ones(2, 4, dtype=torch.bool), section_of("binary", positive_weight=3.0))
    assert float(ours) == pytest.approx(float(wanted))


def test_the_listwise_loss_is_the_library_s_with_all_of_the_target_on_the_positive() -> None:
    logits = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    theirs = ListNetLoss(Logits(logits.reshape(-1)))
    documents = [[str(n) for n in range(4)], [str(n) for n in range(4, 8)]]
    labels = [torch.tensor([1000.0, 0, 0, 0])] * 2
    ours = list_loss(logits, torch.ones(2, 4, dtype=torch.bool), section_of("listwise"))
    assert float(ours) == pytest.approx(float(theirs([["q", "q"], documents], labels)), rel=1e-5)


# the pairs


@pytest.mark.parametrize("architecture", ["modernbert", "albert-cross", "xlm-roberta-cross", "bert"])
def test_logits_while_training_are_those_of_the_served_reranker(tmp_path: Path, architecture: str) -> None:
    base = tiny.save_body(tmp_path / "base", architecture, spread=0.3)
    made = tiny.recipe(tmp_path, cross_encoder={"base": str(base), "query_tokens": 6, "max_tokens": 20})
    section = made.cross_encoder
    model = open_model(base_folder(made), section).eval()
    tokens = PairTokens(model, section)
    query, passages = TOPIC_TEXTS[0], TOPIC_TEXTS[1:]
    with torch.no_grad():
        ours = forward(model, tokens.pad(tokens.pairs([query] * len(passages), passages)), 64).numpy()
    model.save_pretrained(str(tmp_path / "saved"))
    (tmp_path / "saved" / "beopgil.json").write_text(json.dumps({"query_tokens": 6, "max_tokens": 20}))
    served = Reranker.load(tmp_path / "saved", precision="fp32")
    assert served.score(query, passages) == pytest.approx(ours, abs=1e-5)
    assert np.ptp(ours) > 0.01


TOPIC_TEXTS = [text for _, text in tiny.TOPICS]


def test_our_pairs_are_the_tokenizer_s_own_where_nothing_is_cut(recipe: Recipe) -> None:
    model = open_model(base_folder(recipe), recipe.cross_encoder)
    ids, segments = PairTokens(model, recipe.cross_encoder).pairs(["차임을 연체"], ["계약을 해지"])[0]
    wanted = model.tokenizer("차임을 연체", "계약을 해지")
    assert ids.tolist() == wanted["input_ids"]
    assert segments.tolist() == wanted.get("token_type_ids", [0] * len(ids))


def test_only_the_passage_is_cut_beyond_the_query_limit(recipe: Recipe) -> None:
    section = recipe.cross_encoder.model_copy(update={"query_tokens": 5, "max_tokens": 16})
    tokens = PairTokens(open_model(base_folder(recipe), recipe.cross_encoder), section)
    (ids, _), (short, _) = tokens.pairs([TOPIC_TEXTS[0], "차임"], [TOPIC_TEXTS[1] * 3] * 2)
    assert len(ids) == len(short) == 16
    sep = tokens.tokenizer.sep_token_id
    assert ids.tolist().index(sep) == 1 + 5
    assert short.tolist().index(sep) < 1 + 5


def test_a_batch_lists_each_query_s_positive_first(recipe: Recipe) -> None:
    section = recipe.cross_encoder.model_copy(update={"negatives": 6})
    triples = triples_of(recipe)
    batch = ListCollator(open_model(base_folder(recipe), section), triples, section)([{"row": 0}, {"row": 1}])
    assert batch["label"].shape == (2, 7)
    assert batch["label"].sum(dim=1).tolist() == [5, 5]
    assert batch["tokens"]["input_ids"].shape[0] == 14
    wanted = PairTokens(open_model(base_folder(recipe), section), section).pairs(
        [triples.examples[1].query], [triples.text(triples.examples[1].positive)]
    )[0][0]
    assert batch["tokens"]["input_ids"][7, : len(wanted)].tolist() == wanted.tolist()


# the first stage


def test_candidates_are_not_given_the_answer(recipe: Recipe) -> None:
    queries = [DevQuery("1#0", TOPIC_TEXTS[0], "2022-01-01", "statute", frozenset({"없는법 제1조"}))]
    judged = first_stage(queries, pools(recipe)["statute"], FakeEncoder(), 5)
    assert len(judged[0].keys) == 5
    assert judged[0].labels.sum() == 0


def test_a_document_ranks_by_its_best_passage() -> None:
    query = DevQuery("1", "", "", "statute", frozenset({"b"}))
    judged = Judged(query, ["a", "b", "a"], np.arange(3), np.zeros(3, dtype=np.float32))
    assert judged.ranking(np.array([0.1, 0.5, 0.9], dtype=np.float32)) == ["a", "b"]
    assert judged.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(("scores", "right"), [([0.0, 0, 0, 0, 9], True), ([9.0, 0, 0, 0, 0], False)])
def test_blended_is_as_good_as_the_better_of_both(recipe: Recipe, scores: list[float], right: bool) -> None:
    section, passages = recipe.cross_encoder, PassageStore(recipe.passages)
    model = open_model(base_folder(recipe), section)
    query = DevQuery("1#0", TOPIC_TEXTS[0], "2022-01-01", "statute", frozenset("e"))
    judged = [Judged(query, list("abcde"), np.arange(5), np.array(scores, dtype=np.float32))]
    evaluator = RerankEvaluator(judged, passages, PairTokens(model, section), 512)
    found = evaluator(model)
    assert (evaluator.first_stage()["nDCG@10"] == 1.0) == right
    assert found["blended"] == 1.0 if right else found["blended"] >= found["nDCG@10"] > 0


# the step


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "binary", "precision": "bf16"},
        {"loss": "margin", "freeze_layers": 1},
        {"lora_rank": 4},
        {"best_by": "loss"},
    ],
)
def test_the_step_saves_a_calibrated_model(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = ready(tiny.recipe(tmp_path, cross_encoder={"remine": False, **changes}))
    cross_encoder.run(recipe)
    folder = recipe.reranker_model
    settings = json.loads((folder / "beopgil.json").read_text())
    assert settings.keys() == {"query_tokens", "max_tokens", "calibration", "blends"}
    assert settings["calibration"]["scale"] > 0
    assert settings["blends"].keys() == {"statute"}
    assert 0 <= settings["blends"]["statute"]["confident"] <= 1
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118  # no dict
    served = Reranker.load(folder, precision="fp32")
    library = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    assert isinstance(library.activation_fn, torch.nn.Identity)
    pairs = [(TOPIC_TEXTS[0], text) for text in TOPIC_TEXTS[1:4]]
    assert served.score(TOPIC_TEXTS[0], TOPIC_TEXTS[1:4]) == pytest.approx(library.predict(pairs), abs=1e-5)
    assert sorted(p.name for p in recipe.folder("cross_encoder").iterdir() if p.is_dir()) == (
        ["adapter", "model"] if changes.get("lora_rank") else ["model"]
    )


def test_negatives_are_mined_anew_with_the_trained_encoder(recipe: Recipe) -> None:
    cross_encoder.run(recipe)
    again = (recipe.folder("cross_encoder") / "triples.jsonl").read_text()
    assert len(again.splitlines()) == len(tiny.TOPICS)
    assert again != recipe.triples.read_text()


@pytest.mark.parametrize("architecture", ["modernbert", "albert-cross", "xlm-roberta-cross"])
def test_an_adapter_keeps_the_head(tmp_path: Path, architecture: str) -> None:
    base = tiny.save_body(tmp_path / "base", architecture)
    made = ready(tiny.recipe(tmp_path, cross_encoder={"base": str(base), "lora_rank": 4}))
    section, start = made.cross_encoder, base_folder(made)
    model = prepared_model(start, section, "cpu")
    assert any("modules_to_save" in name for name in trainable(model))
    for name, weight in trainable(model).items():
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(len(name)))
    saved = cross_encoder.save(model, start, made, triples_of(made))
    merged, fresh = (open_model(folder, section).eval() for folder in (saved, start))
    pairs = list(pairwise(TOPIC_TEXTS))
    wanted, plain = model.eval().predict(pairs), fresh.predict(pairs)
    assert merged.predict(pairs) == pytest.approx(wanted, abs=5e-3)
    assert np.abs(wanted - plain).max() > 0.05


def test_a_saved_model_that_differs_is_refused(recipe: Recipe) -> None:
    section, start = recipe.cross_encoder, base_folder(recipe)
    other = open_model(start, section)
    with torch.no_grad():
        for weight in other.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    with pytest.raises(ModelError, match="logits"):
        cross_encoder.parity(other, start, section, triples_of(recipe))


class Interrupt(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 3:
            raise InterruptedError


def test_an_interrupted_run_is_resumed(recipe: Recipe, tmp_path: Path) -> None:
    triples, section = triples_of(recipe), recipe.cross_encoder
    section = section.model_copy(update={"max_steps": 6, "best_by": "loss", "accumulation": 2})
    start = base_folder(recipe)
    stopped = make_trainer(prepared_model(start, section), triples, section, tmp_path / "c", None)
    stopped.add_callback(Interrupt())
    with pytest.raises(InterruptedError):
        fit(stopped, "same")
    resumed = make_trainer(prepared_model(start, section), triples, section, tmp_path / "c", None)
    assert fit(resumed, "same") == 6
    assert [e["step"] for e in resumed.state.log_history if "loss" in e] == [1, 2, 3, 4, 5, 6]


def test_a_share_of_the_queries_is_mined_anew(tmp_path: Path) -> None:
    """Rounded up, so that a source of which there was any stays; 0 means all and stays 0."""
    section = {"max_queries": 11, "weak": {"title_article": 1, "sentence_article": 10, "decree_article": 0}}
    made = tiny.recipe(tmp_path, mine=section, cross_encoder={"mined": 0.25})
    wide = tiny.recipe(tmp_path, mine=section, cross_encoder={"mined_margin": 9.0})
    few = cross_encoder.fewer(made).mine
    assert (few.max_queries, few.weak) == (3, {"title_article": 1, "sentence_article": 3, "decree_article": 0})
    assert cross_encoder.fewer(tiny.recipe(tmp_path, mine=section)).mine == made.mine
    assert few.model_copy(update={"max_queries": 11, "weak": made.mine.weak}) == made.mine, "and nothing else"
    assert cross_encoder.fewer(wide).mine == made.mine.model_copy(update={"margin": 9.0})


def test_a_grafted_model_begins_with_the_bi_encoder_s_token_vectors(tmp_path: Path) -> None:
    base = tiny.save_body(tmp_path / "base", "bert")
    made = ready(tiny.recipe(tmp_path, cross_encoder={"base": str(base), "graft": True}))
    with torch.no_grad():
        trained = transformer(open_encoder(made.encoder_model, made.bi_encoder))
        table = trained.get_input_embeddings().weight
        table.add_(1.0)
        trained.save_pretrained(str(made.encoder_model))
    grafted, plain = (
        open_model(base_folder(one), one.cross_encoder).state_dict()
        for one in (made, tiny.recipe(tmp_path, cross_encoder={"base": str(base)}))
    )
    (name,) = [name for name, weight in grafted.items() if not torch.equal(weight, plain[name])]
    assert "word_embeddings" in name
    assert torch.equal(grafted[name], table)


def test_token_vectors_of_another_size_are_not_grafted(tmp_path: Path) -> None:
    base = tiny.save_body(tmp_path / "base", "albert-cross")
    made = ready(tiny.recipe(tmp_path, cross_encoder={"base": str(base), "graft": True}))
    with pytest.raises(RecipeError, match=r"graft: the base has token vectors \(\d+, 16\), the bi-encoder \(\d+, 32\)"):
        base_folder(made)


def test_without_dev_queries_the_model_is_saved_uncalibrated(recipe: Recipe, capsys: Any) -> None:
    (recipe.dev / "qrels.articles.tsv").write_text("")
    cross_encoder.run(recipe)
    assert "not calibrated" in capsys.readouterr().out
    settings = json.loads((recipe.reranker_model / "beopgil.json").read_text())
    assert settings.keys() == {"query_tokens", "max_tokens"}


def test_more_tokens_than_the_window_are_refused(tmp_path: Path) -> None:
    recipe = ready(tiny.recipe(tmp_path, cross_encoder={"max_tokens": 500}))
    with pytest.raises(RecipeError, match="500 is more than the 72"):
        base_folder(recipe)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_fresh_head_is_the_same_for_the_same_seed(tmp_path: Path, pooling: str) -> None:
    recipe = ready(tiny.recipe(tmp_path, cross_encoder={"classifier_pooling": pooling}))
    first = open_model(base_folder(recipe), recipe.cross_encoder).state_dict()
    second = open_model(base_folder(recipe), recipe.cross_encoder)
    assert all(torch.equal(first[name], weight) for name, weight in second.state_dict().items())
    assert cross_encoder.transformer(second).config.classifier_pooling == pooling
