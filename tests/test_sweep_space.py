"""What a sweep may go over: dimensions, grids, and values as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sweeping import SPACE, swept
from training.recipe import RecipeError, load_recipe
from training.sweep_space import check_space, distributions, grid, overrides, toml, values, with_values
from training.sweep_study import make_plan


@pytest.mark.parametrize(
    ("space", "options", "message"),
    [
        ({}, {}, "nothing to sweep"),
        ({"bi_encoder.temprature": [1.0]}, {}, "unknown key bi_encoder.temprature; known here: base, epochs"),
        ({"encoder.lr": [1.0]}, {}, "unknown key encoder.lr; write section.key"),
        ({"seed": [1]}, {}, "unknown key seed; write section.key"),
        ({"mine.margin": [0.9]}, {}, "mine.margin changes nothing in the step bi_encoder"),
        ({"bi_encoder.eval_queries": [9]}, {}, "bi_encoder.eval_queries changes what is measured"),
        ({"bi_encoder.temperature": [0.1, -1.0]}, {}, "bi_encoder.temperature: Input should be greater than 0"),
        ({"bi_encoder.pooling": ["mean", "max"]}, {}, "bi_encoder.pooling: Input should be 'mean', 'cls' or"),
        ({"bi_encoder.pooling": {"low": 1, "high": 2}}, {}, "bi_encoder.pooling: Input should be"),
        ({"bi_encoder.lora_rank": {"low": 1.0, "high": 8.0}}, {}, "bi_encoder.lora_rank takes whole numbers"),
        ({"bi_encoder.lr": {"low": 0.1, "high": 0.2}}, {"sampler": "grid"}, "a grid needs a step or a list of choices"),
        (SPACE, {"measure": "nDCG@11"}, "unknown measure nDCG@11; known here: nDCG@10, RR@10, R@10, R@100"),
        (SPACE, {"step": "cross_encoder"}, "bi_encoder.temperature changes nothing in the step cross_encoder"),
    ],
)
def test_a_space_that_cannot_be_swept_is_refused_by_name(
    tmp_path: Path, space: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        make_plan(swept(tmp_path, space, **{"sampler": "tpe", **options}))
    assert message in caught.value.message


def test_the_cross_encoder_mines_by_the_mine_section(tmp_path: Path) -> None:
    recipe = swept(
        tmp_path, {"mine.margin": [0.9, 0.95], "cross_encoder.loss": ["binary", "margin"]}, step="cross_encoder"
    )
    check_space(recipe)
    recipe = with_values(recipe, {"cross_encoder.remine": False})
    with pytest.raises(RecipeError, match=r"mine\.margin changes nothing"):
        check_space(recipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{low = 1, hihg = 2}", "unknown key sweep.space.bi_encoder.lr.range.hihg; known here: low, high, log, step"),
        ("{low = 2, high = 1}", "low 2 is not below high 1"),
        ("{low = 0.0, high = 1, log = true}", "low must be above 0"),
        ("{low = 0, high = 1, step = 0}", "step 0 is not above 0"),
        ("[]", "should have at least 1 item"),
        ("3", "should be a valid tuple"),
    ],
)
def test_a_dimension_is_choices_or_a_range(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "own.toml").write_text(f'name = "own"\n[sweep.space]\n"bi_encoder.lr" = {text}')
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "own.toml")
    assert message in caught.value.message


def test_a_grid_goes_over_ranges_with_a_step(tmp_path: Path) -> None:
    space = {
        "bi_encoder.lr": {"low": 0.1, "high": 0.3, "step": 0.1},
        "bi_encoder.negatives": {"low": 1, "high": 4, "step": 2},
    }
    points = list(grid(swept(tmp_path, space).sweep))
    assert [point["bi_encoder.negatives"] for point in points] == [1, 3] * 3
    assert [point["bi_encoder.lr"] for point in points[::2]] == pytest.approx([0.1, 0.2, 0.3])


def test_choices_may_be_lists_and_tables(tmp_path: Path) -> None:
    recipe = swept(tmp_path, {"bi_encoder.lora_targets": ["all-linear", ["query", "key"]]})
    check_space(recipe)
    points = list(grid(recipe.sweep))
    assert set(distributions(recipe)) == {"bi_encoder.lora_targets"}
    assert [values(recipe.sweep, point)["bi_encoder.lora_targets"] for point in points] == [
        "all-linear",
        ["query", "key"],
    ]
    assert overrides(recipe.sweep, points[1]) == ['bi_encoder.lora_targets = ["query", "key"]']


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_a_value_written_as_toml_reads_back(value: Any) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
