"""The files of an evaluation's folder: named here, written by training.evaluate, read by the gate and the report."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from app.errors import RecordError
from training import significance
from training.atomic import write
from training.failures import write_failures
from training.scores import NAMES

Row = dict[str, Any]
DIGITS = 6
"""Of the values by query."""


def write_files(
    folder: Path,
    *,
    measures: Sequence[Row],
    values: Mapping[str, Any],
    strata: Mapping[str, Any],
    recall: Mapping[str, Any],
    relevance: Mapping[str, Any],
    failures: tuple[Sequence[Row], str],
    comparison: Sequence[Row] | None,
    meta: Row,
) -> None:
    """Those of an earlier evaluation in the folder are replaced; a comparison that is None is taken away."""
    write_json(folder / "measures.json", measures)
    write(folder / "table.md", markdown(measures).encode())
    write_json(folder / "values.json", rounded(values))
    write_json(folder / "strata.json", strata)
    write_json(folder / "recall.json", recall)
    write_json(folder / "relevance.json", rounded(relevance))
    write_failures(folder, *failures)
    for path in (folder / "comparison.json", folder / "comparison.md"):
        path.unlink(missing_ok=True)
    if comparison is not None:
        write_json(folder / "comparison.json", comparison)
        write(folder / "comparison.md", significance.markdown(comparison).encode())
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / "meta.json", {**meta, "date": moment, "machine": processor()})


def write_json(path: Path, value: Any) -> None:
    write(path, orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE))


def read_file(folder: Path, name: str) -> Any:
    """Raises RecordError where the folder has no such file, or a broken one."""
    try:
        return orjson.loads((folder / name).read_bytes())
    except FileNotFoundError:
        raise RecordError(f"{folder} holds no {name}; write it: make evaluate INDEX=full") from None
    except orjson.JSONDecodeError as error:
        raise RecordError(f"{folder / name} is not JSON ({error}); measure again") from error


def rounded(value: Any) -> Any:
    """Floats at any depth to DIGITS."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def processor() -> str:
    """The model of the CPU, as the kernel names it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def markdown(rows: Sequence[Row]) -> str:
    """The whole table, nDCG@10 with its interval."""
    lines = [
        "| track | stratum | n | system | nDCG@10 [95 %] | RR@10 | R@10 | R@100 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gain = row["measures"]["nDCG@10"]
        rest = " | ".join(f"{row['measures'][name]['mean']:.4f}" for name in NAMES[1:])
        lines.append(
            f"| {row['track']} | {row['stratum']} | {row['n']} | {row['system']} | "
            f"{gain['mean']:.4f} [{gain['low']:.3f}, {gain['high']:.3f}] | {rest} |"
        )
    return "\n".join(lines) + "\n"
