from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import TrainerCallback

from app.errors import ModelError
from app.retrieval.encoder import Encoder
from app.retrieval.store import DocumentStore, PassageStore
from tests import tiny
from tests.fakes import FakeEncoder
from training import bi_encoder, mine
from training.base import base_folder, open_encoder
from training.bi_encoder import TripleCollator, make_trainer, prepared_model
from training.in_batch import NOBODY
from training.pairs import read_json
from training.recipe import Recipe, RecipeError
from training.trainer import fit, trainable
from training.triples import Triples, read_triples


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return ready(tiny.recipe(tmp_path))


def ready(made: Recipe) -> Recipe:
    tiny.write_corpus(made)
    tiny.save_encoder(made.base_model)
    pools = mine.Pools(DocumentStore(made.documents), PassageStore(made.passages), FakeEncoder(), made.folder("mine"))
    mine.mine(made, pools, made.triples)
    mine.write_dev_pool(made, pools)
    return made


def triples_of(recipe: Recipe) -> Triples:
    return read_triples(recipe.triples, DocumentStore(recipe.documents), PassageStore(recipe.passages))


# the batches


def test_a_batch_has_prompts_limits_and_documents(recipe: Recipe) -> None:
    triples, section = triples_of(recipe), recipe.bi_encoder
    model = open_encoder(recipe.base_model, section)
    batch = TripleCollator(model, triples, section)([{"row": 0}, {"row": 3}])
    assert batch["query_input_ids"].shape[0] == 2
    assert batch["passage_input_ids"].shape[0] == 2 * (1 + section.negatives)
    assert batch["query_input_ids"].shape[1] <= section.query_tokens
    decoded = model.tokenizer.decode(batch["query_input_ids"][0], skip_special_tokens=True)
    assert decoded.startswith("[ Q ]")
    first = triples.examples[0]
    assert batch["label"][0, 0] == triples.document(first.positive)
    assert set(first.known) <= set(batch["label"][0].tolist())


def test_passages_are_cut_at_their_own_limit(recipe: Recipe) -> None:
    section = recipe.bi_encoder.model_copy(update={"query_tokens": 6, "passage_tokens": 9})
    model = open_encoder(recipe.base_model, section)
    batch = TripleCollator(model, triples_of(recipe), section)([{"row": 0}])
    assert batch["query_input_ids"].shape[1] == 6
    assert batch["passage_input_ids"].shape[1] == 9


def test_rows_with_few_negatives_leave_empty_places(recipe: Recipe) -> None:
    section = recipe.bi_encoder.model_copy(update={"negatives": 6})
    batch = TripleCollator(open_encoder(recipe.base_model, section), triples_of(recipe), section)([{"row": 0}])
    assert batch["label"][0, :7].tolist().count(NOBODY) == 2


def test_inline_and_id_rows_make_the_same_kind_of_examples(recipe: Recipe) -> None:
    inline = {"query": "물음", "pos": ["갑", "을"], "neg": ["병", "갑"]}
    with recipe.triples.open("a") as sink:
        sink.write(json.dumps(inline) + "\n")
    triples = triples_of(recipe)
    last = triples.examples[-2:]
    assert [triples.text(e.positive) for e in last] == ["갑", "을"]
    assert last[0].known == last[1].known
    assert triples.document(last[0].negatives[1]) in last[0].known


# the step


def test_sources_do_not_share_batches_and_steps_are_whole_batches_of_each(recipe: Recipe, tmp_path: Path) -> None:
    """Twelve rows in batches of four: of five and seven there are 1 + 1 whole ones."""
    rows = [{**row, "source": "weak" if n < 5 else "courts"} for n, row in enumerate(read_json(recipe.triples))]
    recipe.triples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    triples, section = triples_of(recipe), recipe.bi_encoder.model_copy(update={"max_steps": -1, "eval_steps": 99})
    trainer = make_trainer(prepared_model(recipe.base_model, section), triples, section, tmp_path / "c", None)
    batches: Any = trainer.get_train_dataloader().batch_sampler
    sources = [[triples.examples[row].source for row in batch] for batch in batches]
    assert sorted(sources) == [["courts"] * 4, ["weak"] * 4]
    assert trainer.args.eval_steps == 1 + 1
    assert fit(trainer, "same") == 1 + 1


def test_the_rows_of_each_positive_s_document_are_counted(recipe: Recipe) -> None:
    triples = triples_of(recipe)
    counts = bi_encoder.rows_of(triples)
    assert counts.total() == len(triples.examples)
    assert counts[triples.document(triples.examples[0].positive)] == 1


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 0}, {"lora_rank": 0, "freeze_layers": 1}, {"precision": "bf16"}])
def test_the_step_saves_what_it_trained(tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe = ready(tiny.recipe(tmp_path, bi_encoder=changes))
    bi_encoder.run(recipe)
    saved = Encoder.load(recipe.encoder_model, precision="fp32")
    assert saved.prompts == {"query": "[Q] ", "document": "[D] "}
    assert (saved.query_tokens, saved.passage_tokens) == (24, 48)
    with safe_open(recipe.encoder_model / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.float16}  # noqa: SIM118  # no dict
    parity = json.loads((recipe.folder("bi_encoder") / "parity.json").read_text())
    assert parity["worst_cosine"] >= 1 - 1e-3
    texts = [text for _, text in tiny.TOPICS]
    before = Encoder.load(recipe.base_model, precision="fp32").encode_queries(texts)
    assert not np.allclose(before, saved.encode_queries(texts), atol=1e-4)
    assert not (recipe.folder("bi_encoder") / "checkpoints").exists()


def test_merged_equals_adapter(recipe: Recipe) -> None:
    section, base = recipe.bi_encoder, recipe.base_model
    model = prepared_model(base, section)
    for name, weight in trainable(model).items():
        torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(len(name)))
    bi_encoder.save(model, base, recipe, (["등기 물권"], ["임금 지급"]))
    texts = [text for _, text in tiny.TOPICS]
    merged = open_encoder(recipe.encoder_model, section).encode(texts)
    adapted, untouched = model.encode(texts), open_encoder(base, section).encode(texts)
    assert np.abs(merged - adapted).max() < 2e-3
    assert np.abs(untouched - adapted).max() > 0.05
    assert (recipe.folder("bi_encoder") / "adapter" / "adapter_model.safetensors").exists()


def test_a_saved_model_that_differs_is_refused(recipe: Recipe) -> None:
    other = open_encoder(recipe.base_model, recipe.bi_encoder)
    with torch.no_grad():
        for weight in other.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    with pytest.raises(ModelError, match="cosine"):
        bi_encoder.parity(other, recipe.base_model, recipe.bi_encoder, (["등기"], ["임금"]))


class Interrupt(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 5:
            raise InterruptedError


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    recipe = ready(tiny.recipe(tmp_path, bi_encoder={"max_steps": 8, "best_by": "loss"}))
    triples, section = triples_of(recipe), recipe.bi_encoder

    def trainer(name: str) -> bi_encoder.Trainer:
        model = prepared_model(recipe.base_model, section)
        return make_trainer(model, triples, section, tmp_path / name, None)

    whole = trainer("whole")
    assert fit(whole, "same") == 8
    stopped = trainer("stopped")
    stopped.add_callback(Interrupt())
    with pytest.raises(InterruptedError):
        fit(stopped, "same")
    resumed = trainer("stopped")
    assert fit(resumed, "same") == 8
    losses = [[e["loss"] for e in t.state.log_history if "loss" in e] for t in (whole, resumed)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    ours, theirs = trainable(whole.model), trainable(resumed.model)
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-5) for name in ours)


def test_a_checkpoint_of_other_inputs_is_not_resumed(recipe: Recipe, tmp_path: Path, capsys: Any) -> None:
    triples, section = triples_of(recipe), recipe.bi_encoder
    for inputs in ("one", "two"):
        model = prepared_model(recipe.base_model, section)
        assert fit(make_trainer(model, triples, section, tmp_path / "c", None), inputs) == 4
    assert "resuming" not in capsys.readouterr().out


def test_the_best_checkpoint_is_restored(tmp_path: Path) -> None:
    recipe = ready(tiny.recipe(tmp_path, bi_encoder={"best_by": "loss", "lr": 3.0, "max_steps": 6, "lora_rank": 0}))
    triples, section = triples_of(recipe), recipe.bi_encoder
    trainer = make_trainer(prepared_model(recipe.base_model, section), triples, section, tmp_path / "c", None)
    fit(trainer, "same")
    best = Path(str(trainer.state.best_model_checkpoint))
    losses = {e["step"]: e["eval_loss"] for e in trainer.state.log_history if "eval_loss" in e}
    assert best.name == f"checkpoint-{min(losses, key=lambda step: losses[step])}"
    kept = load_file(best / "trainable.safetensors")
    assert all(torch.equal(kept[name], weight) for name, weight in trainable(trainer.model).items())


# the base


def test_a_bare_folder_gets_the_recipe_s_pooling_and_prompts(tmp_path: Path) -> None:
    source = tiny.save_body(tmp_path / "bare", "bert")
    recipe = tiny.recipe(tmp_path, bi_encoder={"base": str(source), "pooling": "cls"})
    model = open_encoder(base_folder(recipe, recipe.bi_encoder), recipe.bi_encoder)
    assert model[1].pooling_mode == "cls"
    assert model.prompts == {"query": "query: ", "document": "passage: "}


def test_a_sentence_transformers_folder_keeps_its_pooling(tmp_path: Path) -> None:
    source = tiny.save_encoder(tmp_path / "base", prompts=False, pooling="cls")
    recipe = tiny.recipe(tmp_path, bi_encoder={"base": str(source), "pooling": "mean"})
    model = open_encoder(base_folder(recipe, recipe.bi_encoder), recipe.bi_encoder)
    assert model[1].pooling_mode == "cls"


def test_other_prompts_than_the_base_s_are_refused(tmp_path: Path) -> None:
    source = tiny.save_encoder(tmp_path / "base")
    recipe = tiny.recipe(tmp_path, bi_encoder={"base": str(source)})
    with pytest.raises(RecipeError, match=r"\[Q\]"):
        base_folder(recipe, recipe.bi_encoder)


def test_without_a_base_the_pretrain_step_is_named(tmp_path: Path) -> None:
    recipe = tiny.recipe(tmp_path)
    with pytest.raises(RecipeError, match="pretrain"):
        base_folder(recipe, recipe.bi_encoder)
