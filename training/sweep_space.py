"""The space of a sweep: the recipe's [sweep.space] as optuna's distributions, and trial values as recipes and as TOML.

Choices are numbered by their TOML text: optuna keeps text, and a choice may be a list or a table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from training.recipe import Recipe, RecipeError, build
from training.sections import Range, Section, Sweep

Params = Mapping[str, Any]
"""Key → value as optuna keeps it: a number of a range, or the TOML text of a choice."""
MEASURING = {"eval_queries", "best_by", "depth"}
"""Keys that change what is measured: trials that differ in them cannot be compared."""


def toml(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def values(sweep: Sweep, params: Params) -> dict[str, Any]:
    """Key → value as the recipe takes it."""
    made = {}
    for key, chosen in params.items():
        dimension = sweep.space[key]
        made[key] = chosen if isinstance(dimension, Range) else {toml(value): value for value in dimension}[chosen]
    return made


def overrides(sweep: Sweep, params: Params) -> list[str]:
    """What --set takes, and lines of TOML: section.key = value."""
    return [f"{key} = {toml(value)}" for key, value in values(sweep, params).items()]


def with_values(recipe: Recipe, changes: Mapping[str, Any], **top: Any) -> Recipe:
    """The recipe with "section.key" → value, and other keys at its top. RecipeError where it takes no such value."""
    made = recipe.model_dump() | top
    for key, value in changes.items():
        section, _, leaf = key.partition(".")
        made[section] = {**made[section], leaf: value}
    return build(made, "sweep.space")


# Checks


def check_space(recipe: Recipe) -> None:
    """RecipeError that names the key of the space that cannot be swept, or the value that the recipe does not take."""
    sweep = recipe.sweep
    if not sweep.space:
        raise RecipeError('nothing to sweep: name keys in [sweep.space], e.g. "bi_encoder.lr" = [1e-4, 5e-4]')
    for key, dimension in sweep.space.items():
        check_key(recipe, key)
        ends = (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension
        for value in ends:
            with_values(recipe, {key: value})
        distribution(recipe, key)
    if sweep.sampler == "grid":
        grid_axes(sweep)


def sections(recipe: Recipe) -> tuple[str, ...]:
    """Those that the swept step reads: the cross-encoder mines anew, by [mine]."""
    step = recipe.sweep.step
    return (step, "mine") if step == "cross_encoder" and recipe.cross_encoder.remine else (step,)


def check_key(recipe: Recipe, key: str) -> None:
    section, _, leaf = key.partition(".")
    known = getattr(recipe, section, None)
    if not isinstance(known, Section):
        raise RecipeError(
            f"sweep.space: unknown key {key}; write section.key, the step's section is {sections(recipe)[0]}"
        )
    if leaf not in type(known).model_fields:
        raise RecipeError(f"sweep.space: unknown key {key}; known here: {', '.join(type(known).model_fields)}")
    if section not in sections(recipe):
        raise RecipeError(
            f"sweep.space: {key} changes nothing in the step {recipe.sweep.step}, which alone is run again; "
            f"sweep keys of {' or '.join(sections(recipe))}, or set sweep.step"
        )
    if section != "mine" and leaf in MEASURING:
        raise RecipeError(f"sweep.space: {key} changes what is measured, so trials could not be compared; take it out")


# optuna's view


def distributions(recipe: Recipe) -> dict[str, BaseDistribution]:
    return {key: distribution(recipe, key) for key in recipe.sweep.space}


def distribution(recipe: Recipe, key: str) -> BaseDistribution:
    """RecipeError for a range of what is no number."""
    dimension = recipe.sweep.space[key]
    if not isinstance(dimension, Range):
        return CategoricalDistribution(list(dict.fromkeys(map(toml, dimension))))
    section, _, leaf = key.partition(".")
    kind = type(getattr(recipe, section)).model_fields[leaf].annotation
    if kind not in (int, float):
        raise RecipeError(f"sweep.space: {key} is no number, so it has no range; list its choices")
    low, high, log, step = dimension.low, dimension.high, dimension.log, dimension.step
    if kind is float:
        return FloatDistribution(low, high, log=log, step=step)
    if not all(isinstance(number, int) for number in (low, high, step or 1)):
        raise RecipeError(
            f"sweep.space: {key} takes whole numbers, its range has others: {toml(dimension.model_dump())}"
        )
    return IntDistribution(int(low), int(high), log=log, step=int(step or 1))


def size(sweep: Sweep) -> float:
    """How many different trials there can be, infinity with a range."""
    return math.prod(
        math.inf if isinstance(dimension, Range) else len(set(map(toml, dimension)))
        for dimension in sweep.space.values()
    )


def grid_axes(sweep: Sweep) -> list[list[Any]]:
    """The values of each key as optuna keeps them, in order. RecipeError for a range without step."""
    axes: list[list[Any]] = []
    for key, dimension in sweep.space.items():
        if not isinstance(dimension, Range):
            axes.append(list(dict.fromkeys(map(toml, dimension))))
        elif dimension.step is None:
            raise RecipeError(f"sweep.space: a grid needs a step or a list of choices for {key}")
        else:
            low, step = dimension.low, dimension.step
            axes.append([low + n * step for n in range(int((dimension.high - low) / step + 1e-9) + 1)])
    return axes


def grid(sweep: Sweep) -> Iterator[dict[str, Any]]:
    """Every point of the space, the last key fastest."""
    for point in product(*grid_axes(sweep)):
        yield dict(zip(sweep.space, point, strict=True))
