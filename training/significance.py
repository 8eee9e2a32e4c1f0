"""Whether a mean, or a difference between two runs, is more than the chance of which queries were asked

Everything is paired by query: all systems of a stratum are resampled with the same draws, and two runs are compared by
the differences of their values on the same queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
FLIPS = 10_000
BLOCK = 500
"""Sign vectors in memory at a time."""
SEED = 7
BOUNDS = (2.5, 97.5)
COMPARED = ("nDCG@10", "R@100")
"""What two runs are compared by: the order that is seen, and what the first stage lets through."""

Floats = npt.NDArray[np.float64]
Values = Mapping[str, Mapping[str, float]]
"""query_id → measure → value, of one system."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Score:
    """A mean over queries, with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one measure between two runs, on the same n queries: its interval, and the p of `randomisation_p`."""

    n: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float


@lru_cache(maxsize=2)
def resampled(n: int, seed: int = SEED) -> Floats:
    """The share of each of n queries in each resample, (RESAMPLES, n): shares @ values are the resampled means.

    The same for the same n, which pairs whatever is measured on the same queries.
    """
    picks = np.random.default_rng(seed).integers(0, n, (RESAMPLES, n))
    places = picks + n * np.arange(RESAMPLES)[:, None]
    counts = np.bincount(places.ravel(), minlength=RESAMPLES * n)
    shares: Floats = counts.reshape(RESAMPLES, n) / n
    return shares


def interval(values: Sequence[float] | Floats, seed: int = SEED) -> Score:
    """Mean and percentile bootstrap interval (Efron & Tibshirani 1993) over queries."""
    sample = np.asarray(values, dtype=np.float64)
    low, high = np.percentile(resampled(len(sample), seed) @ sample, BOUNDS)
    return Score(float(sample.mean()), float(low), float(high))


def randomisation_p(differences: Sequence[float] | Floats, flips: int = FLIPS, seed: int = SEED) -> float:
    """The two-sided p of a paired randomisation test of differences d:

        p = (1 + #{b : |Σᵢ sᵦᵢ dᵢ| ≥ |Σᵢ dᵢ|}) / (1 + B)        B = `flips` draws of signs sᵦ ∈ {−1, 1}ⁿ

    If neither run were better, either could have given either value of a query, and each difference either sign.
    Sources: Fisher 1935; for retrieval Smucker, Allan and Carterette (CIKM 2007); the ones, by which p is never 0 and
    the test never too bold, Phipson and Smyth 2010. Queries without a difference take no part.
    """
    moved = np.asarray(differences, dtype=np.float64)
    moved = moved[moved != 0]
    reach = abs(float(moved.sum())) - 1e-9
    rng, reached = np.random.default_rng(seed), 0
    for start in range(0, flips, BLOCK):
        signs = 2.0 * rng.integers(0, 2, (min(BLOCK, flips - start), len(moved)), dtype=np.int8) - 1
        reached += int((np.abs(signs @ moved) >= reach).sum())
    return (1 + reached) / (1 + flips)


def difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """Of values of the same queries in the same order."""
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    moved = interval(new - old)
    p = randomisation_p(new - old)
    return Difference(len(old), float(old.mean()), float(new.mean()), moved.mean, moved.low, moved.high, p)


def compare(strata: Mapping[str, Sequence[str]], before: Values, after: Values) -> Iterator[Row]:
    """A row per stratum and measure of COMPARED, over the queries that both runs have; none for a stratum without."""
    for stratum, ids in strata.items():
        both = [query_id for query_id in ids if query_id in before and query_id in after]
        for measure in COMPARED if both else ():
            old, new = ([values[query_id][measure] for query_id in both] for values in (before, after))
            yield {"stratum": stratum, "measure": measure, **asdict(difference(old, new))}


def markdown(rows: Sequence[Row]) -> str:
    """The rows of comparison.json as a table; those whose interval leaves zero out are marked."""
    lines = [
        "| track | stratum | n | system | measure | before | after | difference [95 %] | p | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        verdict = "better" if row["low"] > 0 else "worse" if row["high"] < 0 else ""
        lines.append(
            f"| {row['track']} | {row['stratum']} | {row['n']} | {row['system']} | {row['measure']} | "
            f"{row['before']:.4f} | {row['after']:.4f} | {row['difference']:+.4f} [{row['low']:+.3f}, "
            f"{row['high']:+.3f}] | {row['p']:.4f} | {verdict} |"
        )
    return "\n".join(lines) + "\n"
