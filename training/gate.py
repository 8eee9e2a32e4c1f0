"""evaluation of today + values of the last release → whether the models may ship

    python -m training.gate [--run FOLDER] [--last FILE] [--accept]

Refused is a run that is worse than the last release in any stratum of 30 queries or more: the 95 % interval of the
paired difference of nDCG@10 or R@100 lies wholly below 0. Fifty strata and measures are looked at, which overlap: of
two equal models about one comparison in forty looks worse by chance. Read what it names, then ship with --accept, which
makes this run the release that the next one is held against; the reason belongs into EXPERIMENTS.md.

The release file holds numbers alone: {"meta": …, "values": {track: {query_id: [nDCG@10, R@100]}}}.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from app.errors import BeopgilError, RecordError
from training.atomic import write
from training.evaluation_files import read_file
from training.significance import COMPARED, compare
from training.systems import DEFAULT

RUN, LAST = Path("work/evaluate"), Path("benchmarks/release/values.json.gz")
LEAST = 30
"""Queries of a stratum that can refuse."""
COVERED = 0.9
"""Part of a release's queries that a run must have measured."""

Row = dict[str, Any]
Released = Mapping[str, Mapping[str, Mapping[str, float]]]
"""track → query_id → measure → value."""


class GateError(BeopgilError):
    """Two evaluations that cannot be held against each other."""

    code = "gate_error"


def read_release(path: Path) -> Released:
    """Raises GateError without a release, RecordError for a broken one."""
    if not path.exists():
        raise GateError(f"there is no release {path} to compare with; --accept makes this run the first")
    try:
        tracks = orjson.loads(gzip.decompress(path.read_bytes()))["values"]
    except (OSError, EOFError, KeyError, orjson.JSONDecodeError) as error:
        raise RecordError(f"{path} is no release ({error!r}); take it from the repository again") from error
    return {
        track: {q: dict(zip(COMPARED, one, strict=True)) for q, one in found.items()} for track, found in tracks.items()
    }


def write_release(path: Path, run: Path) -> None:
    """The same run gives the same bytes. Raises GateError for a track of too few queries to refuse anything later."""
    for track, found in measured(run).items():
        if len(found) < LEAST:
            raise GateError(f"{run} measured {len(found)} queries of track {track}, a release needs {LEAST} or more")
    meta = read_file(run, "meta.json")
    facts = {name: meta.get(name) for name in ("index", "version", "models", "depth", "date")}
    values = {
        track: {q: [one[name] for name in COMPARED] for q, one in found.items()}
        for track, found in measured(run).items()
    }
    body = orjson.dumps({"meta": facts, "values": values}, option=orjson.OPT_SORT_KEYS)
    write(path, gzip.compress(body, 9, mtime=0))


def measured(run: Path) -> Released:
    """The default system's values. Raises GateError where it was not measured."""
    values = read_file(run, "values.json")
    without = [track for track, systems in values.items() if DEFAULT not in systems]
    if without or not values:
        raise GateError(f"{run} holds no {DEFAULT} for {', '.join(without) or 'any track'}; measure it: make evaluate")
    return {track: systems[DEFAULT] for track, systems in values.items()}


def compared(run: Path, last: Released) -> Iterator[Row]:
    """A row per track, stratum of LEAST queries or more, and measure. Raises GateError where the run covers too little.

    Strata are those of the run; a query that only one of both has takes no part.
    """
    now, strata = measured(run), read_file(run, "strata.json")
    for track, before in last.items():
        after = now.get(track, {})
        both = len(before.keys() & after.keys())
        if both < COVERED * len(before):
            raise GateError(
                f"{run} measured {both} of the {len(before)} queries of the release's track {track}; "
                "measure all of them: make evaluate (where the benchmark itself has changed, remove the release first)"
            )
        rows = ({"track": track, **row} for row in compare(strata[track], before, after))
        yield from (row for row in rows if row["n"] >= LEAST)


def worse(row: Row) -> bool:
    return bool(row["high"] < 0)


def line(row: Row) -> str:
    return (
        f"{row['track']}, {row['stratum']} ({row['n']}): {row['measure']} {row['before']:.4f} → {row['after']:.4f}, "
        f"difference {row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
    )


def passes(run: Path, last: Path) -> bool:
    """Print the headlines and all that is worse; False where anything is."""
    rows = list(compared(run, read_release(last)))
    refused = [row for row in rows if worse(row)]
    for row in rows:
        if row["stratum"] == "all" and not worse(row):
            print(line(row))
    for row in refused:
        print(f"worse: {line(row)}")
    print(f"{len(refused)} of {len(rows)} comparisons are worse than the release {last} beyond their 95 % interval")
    return bool(rows) and not refused


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.gate", description="Hold a run against the last release.")
    parser.add_argument("--run", type=Path, default=RUN, help="the folder that evaluate wrote")
    parser.add_argument("--last", type=Path, default=LAST, help="values of the last release")
    parser.add_argument("--accept", action="store_true", help="make this run the release, whatever the comparison says")
    options = parser.parse_args(arguments)
    try:
        good = passes(options.run, options.last) if options.last.exists() or not options.accept else True
        if options.accept:
            write_release(options.last, options.run)
            print(f"{options.last} now holds {options.run}")
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0 if good or options.accept else 1


if __name__ == "__main__":
    raise SystemExit(main())
