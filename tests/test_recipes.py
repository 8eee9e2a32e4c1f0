from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.retrieval.encoder import Encoder
from app.retrieval.reranker import Reranker
from tests import tiny
from training import bi_encoder, cross_encoder, mine
from training import recipe as recipes
from training.recipe import Recipe, RecipeError, load_recipe

SHIPPED = sorted(path.stem for path in (Path(recipes.__file__).parent / "recipes").glob("*.toml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_every_recipe_loads_and_is_named_as_its_file(name: str) -> None:
    assert load_recipe(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_no_recipe_reports_to_anyone(name: str) -> None:
    made = load_recipe(name)
    assert (made.bi_encoder.report_to, made.cross_encoder.report_to) == ("none", "none")


def test_a_misspelt_key_is_refused() -> None:
    with pytest.raises(RecipeError, match="temprature"):
        load_recipe("e5-small", ["bi_encoder.temprature=0.05"])


def test_e5_has_its_prompts() -> None:
    section = load_recipe("e5-small").bi_encoder
    assert (section.query_prompt, section.passage_prompt, section.pooling) == ("query: ", "passage: ", "mean")
    assert section.passage_tokens == 512


def test_bge_m3_has_no_prompts_and_trains_an_adapter() -> None:
    made = load_recipe("bge-m3")
    assert (made.bi_encoder.query_prompt, made.bi_encoder.passage_prompt, made.bi_encoder.pooling) == ("", "", "cls")
    assert made.bi_encoder.lora_rank
    assert made.bi_encoder.gradient_checkpointing
    assert made.cross_encoder.base == "BAAI/bge-reranker-v2-m3"


def test_the_seed_s_run_is_kept() -> None:
    section = load_recipe("albert-small-kor").cross_encoder
    assert section.base == "bongsoo/albert-small-kor-cross-encoder-v1"
    assert (section.batch, section.accumulation, section.warmup_steps, section.weight_decay) == (4, 4, 50, 0.01)
    assert (section.eval_steps, section.logging_steps, section.best_by) == (50, 5, "loss")
    assert (section.precision, section.lora_rank, section.max_tokens) == ("fp16", 0, 128)


ARCHITECTURES = {
    "e5-small": {"bi_encoder": "bert", "cross_encoder": ""},
    "bge-m3": {"bi_encoder": "xlm-roberta", "cross_encoder": "xlm-roberta-cross"},
    "albert-small-kor": {"bi_encoder": "bert", "cross_encoder": "albert-cross"},
}


def shrunk(name: str, work: Path) -> Recipe:
    """The recipe as it ships, but for tiny random models in the places of the hub's, and two steps of two queries."""
    values = load_recipe(name).model_dump()
    values["work"] = str(work)
    for step, architecture in ARCHITECTURES[name].items():
        few: dict[str, Any] = {"batch": 2, "max_steps": 2, "query_tokens": 24, "eval_queries": 6}
        few |= {"passage_tokens": 48} if step == "bi_encoder" else {"max_tokens": 64, "depth": 6}
        base = str(tiny.save_body(work / step, architecture)) if architecture else ""
        values[step] = {**values[step], **few, "base": base}
    return Recipe.model_validate(values)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_recipe_trains_models_of_its_architectures(name: str, tmp_path: Path) -> None:
    made = shrunk(name, tmp_path)
    tiny.write_corpus(made)
    for step in (mine.run, bi_encoder.run, cross_encoder.run):
        step(made)
    encoder = Encoder.load(made.encoder_model, precision="fp32")
    assert encoder.prompts == {"query": made.bi_encoder.query_prompt, "document": made.bi_encoder.passage_prompt}
    assert np.linalg.norm(encoder.encode_queries(["등기"]), axis=1) == pytest.approx(1, abs=1e-5)
    assert Reranker.load(made.reranker_model).score("등기", ["물권", "임금"]).shape == (2,)
