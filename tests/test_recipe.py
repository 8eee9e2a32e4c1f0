from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from training import recipe as module
from training.recipe import Recipe, RecipeError, load_recipe

SHIPPED = sorted(path.stem for path in (Path(module.__file__).parent / "recipes").glob("*.toml"))


def toml(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_load_by_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.index.name


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    recipe = load_recipe(toml(tmp_path, 'name = "own"\nwork = "w"\n[corpus]\nsources = ["a", "b"]\n[mine]\ndepth = 9'))
    assert recipe.corpus.sources == ("a", "b")
    assert recipe.mine.depth == 9
    assert recipe.mine.negatives == Recipe(name="x").mine.negatives


def test_a_folder_of_that_name_does_not_hide_a_shipped_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny").mkdir()
    assert load_recipe("tiny").name == "tiny"


def test_sections_are_frozen_and_strict() -> None:
    recipe = Recipe(name="x")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.seed = 8
    with pytest.raises(ValidationError, match="frozen"):
        recipe.mine.depth = 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nsede = 1', "unknown key sede; known here: name, work, seed, corpus"),
        ('name = "x"\n[mine]\ndeph = 1', "unknown key mine.deph; known here: depth, lexical, skip_top, negatives"),
        ('name = "x"\n[bi_encoder]\nlora = 1', "unknown key bi_encoder.lora; known here: base, epochs"),
        ('name = "x"\n[mine]\ndepth = "deep"', "mine.depth: Input should be a valid integer"),
        (
            'name = "x"\n[corpus]\npassage_chars = 5',
            "corpus.passage_chars: Input should be greater than or equal to 100",
        ),
        (
            'name = "x"\n[cross_encoder]\nloss = "hinge"',
            "cross_encoder.loss: Input should be 'binary', 'listwise' or 'margin'",
        ),
        ('name = "x"\n[bi_encoder]\ntemperature = 0', "bi_encoder.temperature: Input should be greater than 0"),
        ("[mine]\ndepth = 1", "name: Field required"),
        ("name = ", "is not TOML"),
    ],
)
def test_what_is_wrong_names_the_key_and_the_remedy(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(toml(tmp_path, text))
    assert message in caught.value.message
    assert "own.toml" in caught.value.message


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(toml(tmp_path, 'name = "x"\nsede = 1\n[mine]\ndeph = 1'))
    assert "sede" in caught.value.message
    assert "mine.deph" in caught.value.message


@pytest.mark.parametrize("missing", ["no-such-recipe", "folder"])
def test_an_unknown_recipe_lists_the_shipped_ones(tmp_path: Path, missing: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / missing)
    assert all(name in caught.value.message for name in SHIPPED)


# --set


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("mine.depth=7", "mine", "depth", 7),
        ("pairs.dev=samples", "pairs", "dev", "samples"),
        ('pairs.dev="samples"', "pairs", "dev", "samples"),
        ("bi_encoder.lr=1e-3", "bi_encoder", "lr", 1e-3),
        ("pretrain.enabled=false", "pretrain", "enabled", False),
        ('corpus.sources=["a","b"]', "corpus", "sources", ("a", "b")),
        ("pretrain.block_shares.issue_holding=0.5", "pretrain", "block_shares", {"issue_holding": 0.5}),
        ("index.root=/a folder/with=signs", "index", "root", "/a folder/with=signs"),
    ],
)
def test_an_override_is_read_as_toml_or_as_text(
    tmp_path: Path, override: str, section: str, key: str, value: Any
) -> None:
    recipe = load_recipe(toml(tmp_path, 'name = "x"'), [override])
    assert getattr(getattr(recipe, section), key) == value


def test_overrides_of_the_top_and_the_last_one_count(tmp_path: Path) -> None:
    recipe = load_recipe(toml(tmp_path, 'name = "x"\n[mine]\ndepth = 1'), ["seed=3", "mine.depth=2", "mine.depth=4"])
    assert (recipe.seed, recipe.mine.depth) == (3, 4)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("mine.depth", "expected section.key=value"),
        ("mine.deph=1", "unknown key mine.deph; known here: depth"),
        ("mien.depth=1", "unknown key mien; known here: name"),
        ("mine.depth=deep", "mine.depth: Input should be a valid integer"),
        ("name.first=1", "name is a value, not a section"),
    ],
)
def test_a_wrong_override_is_refused(tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(toml(tmp_path, 'name = "x"'), [override])
    assert message in caught.value.message


@given(st.integers(1, 10**6), st.floats(1e-9, 10, allow_nan=False), st.booleans())
def test_values_written_as_overrides_come_back(depth: int, lr: float, strict: bool) -> None:
    overrides = [f"mine.depth={depth}", f"bi_encoder.lr={lr!r}", f"corpus.strict={str(strict).lower()}"]
    recipe = load_recipe("tiny", overrides)
    assert (recipe.mine.depth, recipe.bi_encoder.lr, recipe.corpus.strict) == (depth, lr, strict)


# paths


def test_every_artefact_lies_in_the_folder_of_its_step() -> None:
    recipe = Recipe(name="x", work="w")
    places = {
        "corpus": (recipe.documents, recipe.passages),
        "pairs": (recipe.train_pairs, recipe.weak_pairs, recipe.dev),
        "pretrain": (recipe.base_model,),
        "mine": (recipe.triples, recipe.dev_pool),
        "bi_encoder": (recipe.encoder_model,),
        "cross_encoder": (recipe.reranker_model,),
    }
    for step, paths in places.items():
        assert recipe.folder(step) == Path("w/x") / step
        assert {path.parent for path in paths} == {recipe.folder(step)}
    found = [path for paths in places.values() for path in paths]
    assert len(set(found)) == len(found)
