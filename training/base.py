"""The model that fine-tuning starts from, as a plain local folder; and how finished models are written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

from app.retrieval import device as devices
from training.recipe import Recipe, RecipeError
from training.sections import BiEncoder, Trainer

SETTINGS = "beopgil.json"


def base_folder(recipe: Recipe, section: BiEncoder) -> Path:
    """The bi-encoder's base as a sentence-transformers folder with prompts and beopgil.json.

    Without a `base` it is the pretrained model, with its own prompts. A hub model, or a folder that lacks those, is
    written to mine/base.
    RecipeError where the model's own prompts are not the recipe's, or there is no model.
    """
    source = Path(section.base) if section.base else recipe.base_model
    if not section.base and not source.is_dir():
        raise RecipeError(f"no pretrained model in {source}: run the pretrain step, or name a bi_encoder.base")
    folder = devices.model_folder(source)
    model = open_encoder(folder, section)
    if section.base:
        check_prompts(model, section, folder)
    if (folder / SETTINGS).exists() and has_prompts(model):
        return folder
    if not has_prompts(model):
        model.prompts = {"query": section.query_prompt, "document": section.passage_prompt}
    target = recipe.folder("mine") / "base"
    write_model(model.save_pretrained, target, token_limits(section))
    return target


def open_encoder(folder: Path, section: BiEncoder, device: str = "cpu") -> SentenceTransformer:
    """A model in float32. A sentence-transformers folder keeps its modules; a bare one gets the recipe's pooling."""
    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    weights = devices.model_options(device, "fp32")
    if (folder / "modules.json").exists():
        return SentenceTransformer(str(folder), device=device, model_kwargs=weights, **options)
    body = Transformer(str(folder), model_kwargs={**options, **weights})
    pooling = Pooling(body.get_embedding_dimension(), pooling_mode=section.pooling)
    return SentenceTransformer(modules=[body, pooling, Normalize()], device=device)


def transformer(model: SentenceTransformer) -> Any:
    """The transformers model inside. RecipeError where there is none to fine-tune."""
    if model.transformers_model is None:
        raise RecipeError("the base holds no transformer; name one that does in bi_encoder.base")
    return model.transformers_model


def has_prompts(model: SentenceTransformer) -> bool:
    return any(model.prompts.get(name) for name in ("query", "document"))


def check_prompts(model: SentenceTransformer, section: BiEncoder, folder: Path) -> None:
    """A base that brings prompts was trained with them: another choice is refused."""
    own = (model.prompts.get("query") or "", model.prompts.get("document") or "")
    asked = (section.query_prompt, section.passage_prompt)
    if has_prompts(model) and own != asked:
        raise RecipeError(
            f"{folder} was trained with the prompts {own[0]!r} and {own[1]!r}, the recipe has {asked[0]!r} and "
            f"{asked[1]!r}: set bi_encoder.query_prompt and passage_prompt to the model's"
        )


def token_limits(section: BiEncoder) -> dict[str, int]:
    return {"query_tokens": section.query_tokens, "passage_tokens": section.passage_tokens}


def write_model(save: Callable[[str], Any], target: Path, settings: Mapping[str, Any]) -> None:
    """Write a model folder and its beopgil.json under a temporary name, then put it in `target`'s place."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save(str(partial))
    (partial / SETTINGS).write_text(json.dumps(settings, indent=1), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def stored_dtype(section: Trainer) -> torch.dtype:
    """`auto` stores models of our own in half precision, half the size; those of a named base as they train."""
    half = section.stored == "fp16" or (section.stored == "auto" and not section.base)
    return torch.float16 if half else torch.float32
