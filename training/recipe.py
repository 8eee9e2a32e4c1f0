"""A recipe: one TOML file, a strict and frozen section per step, and the path of every artefact.

An unknown key is an error. `--set section.key=value` overrides a key; the value is read as TOML.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.errors import BeopgilError
from training.sections import (
    BiEncoder,
    Calibrate,
    Corpus,
    CrossEncoder,
    Evaluate,
    Index,
    Mine,
    Pairs,
    Pretrain,
    Range,
    Section,
    Sweep,
)


class RecipeError(BeopgilError):
    """A recipe that cannot be used: a misspelt key, a wrong type, an unknown step."""

    code = "recipe_error"


class Recipe(Section):
    """One training run. Relative paths are taken from the working folder."""

    name: str
    work: str = "work"
    seed: int = 7
    corpus: Corpus = Corpus()
    pretrain: Pretrain = Pretrain()
    pairs: Pairs = Pairs()
    mine: Mine = Mine()
    bi_encoder: BiEncoder = BiEncoder()
    cross_encoder: CrossEncoder = CrossEncoder()
    index: Index = Index()
    calibrate: Calibrate = Calibrate()
    evaluate: Evaluate = Evaluate()
    sweep: Sweep = Sweep()

    def folder(self, step: str) -> Path:
        """Where a step writes; created by the step."""
        return Path(self.work) / self.name / step

    @property
    def documents(self) -> Path:
        return self.folder("corpus") / "documents.arrow"

    @property
    def passages(self) -> Path:
        return self.folder("corpus") / "passages.arrow"

    @property
    def base_model(self) -> Path:
        """The encoder that pretraining made."""
        return self.folder("pretrain") / "model"

    @property
    def token_model(self) -> Path:
        """The token vectors alone, before any block: pretraining's first stage."""
        return self.folder("pretrain") / "tokens"

    @property
    def train_pairs(self) -> Path:
        return self.folder("pairs") / "train.jsonl"

    @property
    def weak_pairs(self) -> Path:
        return self.folder("pairs") / "weak.jsonl"

    @property
    def dev(self) -> Path:
        """Folder with queries.jsonl, qrels.articles.tsv, qrels.precedents.tsv."""
        return self.folder("pairs") / "dev"

    @property
    def triples(self) -> Path:
        return self.folder("mine") / "triples.jsonl"

    @property
    def dev_pool(self) -> Path:
        """First-stage candidates of some dev queries, by the base encoder."""
        return self.folder("mine") / "dev_pool.jsonl"

    @property
    def encoder_model(self) -> Path:
        """The merged bi-encoder."""
        return self.folder("bi_encoder") / "model"

    @property
    def reranker_model(self) -> Path:
        return self.folder("cross_encoder") / "model"


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Read a recipe file, or one of training/recipes by its name. Raises RecipeError naming the key and the remedy."""
    path = Path(path)
    shipped = Path(__file__).parent / "recipes" / f"{path.name}"
    if not path.is_file() and shipped.with_suffix(".toml").exists():
        path = shipped.with_suffix(".toml")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        shipped_names = sorted(p.stem for p in shipped.parent.glob("*.toml"))
        raise RecipeError(f"no recipe {path}; give a TOML file or one of {shipped_names}") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from error
    for override in overrides or []:
        _override(values, override)
    return build(values, str(path))


def build(values: dict[str, Any], name: str) -> Recipe:
    """The recipe of these sections. Raises RecipeError, which begins with `name`."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError(f"{name}: " + "; ".join(map(_explain, error.errors()))) from error


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, raw = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override!r}: expected section.key=value")
    *sections, leaf = key.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise RecipeError(f"--set {override!r}: {section} is a value, not a section")
    try:
        values[leaf] = tomllib.loads(f"value = {raw}")["value"]
    except tomllib.TOMLDecodeError:
        values[leaf] = raw


def _explain(error: Any) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known: dict[str, Any] = Range.model_fields if "range" in error["loc"] else Recipe.model_fields
        for part in [] if "range" in error["loc"] else error["loc"][:-1]:
            known = known[str(part)].annotation.model_fields
        return f"unknown key {key}; known here: {', '.join(known)}"
    return f"{key}: {error['msg']} (got {error.get('input')!r})"
