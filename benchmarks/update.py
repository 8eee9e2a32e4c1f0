"""A week's update of an index under load: how long it takes, and what the searches that go on meanwhile notice of it.

    python -m benchmarks.update [--index full] [--source data] [--articles 100] [--decisions 20]

Works on a copy: the records of SOURCE with invented changes, and the index under another root (hard links where the
disk allows), both in a temporary folder. Serves the index, searches without a pause over HTTP, runs what
`make index` runs on the changed records, swaps with POST /admin/reload, and looks for what was changed.
Exit status 1 where a search failed or a change was not found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from app.retrieval.index import CURRENT, current
from benchmarks.changes import Change, change
from benchmarks.load import Answer, Client, Load, queries
from benchmarks.processes import free_port, started

HERE = Path(__file__).resolve().parent.parent
CHECKED = 5
"""Changed articles, and new decisions, that are looked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="beopgil-update-", dir=options.folder) as name:
        folder = Path(name)
        _copy_index(options.root, options.index, folder / "indexes")
        changes = change(options.source, folder / "records", options.articles, options.decisions)
        with _serving(folder, options.index) as port:
            return _measure(options, folder, port, changes)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.update", description="A week's update under load.")
    parser.add_argument("--index", default="full")
    parser.add_argument("--source", type=Path, default=Path("data"), help="folder of the records of that index")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--articles", type=int, default=100, help="articles that are changed")
    parser.add_argument("--decisions", type=int, default=20, help="decisions that are new")
    parser.add_argument("--queries", type=Path, default=Path("samples/queries.jsonl"))
    parser.add_argument("--concurrency", type=int, default=2, help="searches under way at any time")
    parser.add_argument("--before", type=float, default=20.0, help="seconds of searching before the update")
    parser.add_argument("--folder", type=Path, help="where the temporary folder goes: the disk of the index, at best")
    parser.add_argument("--update", nargs=argparse.REMAINDER, default=[], help="further options of training.index")
    return parser.parse_args(arguments)


def _copy_index(root: Path, name: str, target: Path) -> None:
    version = current(root, name)
    (target / name).mkdir(parents=True)
    try:
        shutil.copytree(version, target / name / version.name, copy_function=os.link)
    except (OSError, shutil.Error):
        shutil.copytree(version, target / name / version.name, dirs_exist_ok=True)
    (target / name / CURRENT).write_text(f"{version.name}\n", encoding="utf-8")


@contextmanager
def _serving(folder: Path, index: str) -> Iterator[int]:
    """The port of a service on the copied index, ready."""
    port = free_port()
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("BEOPGIL_") and name != "PORT"}
    with (folder / "service.log").open("w") as log:
        service = subprocess.Popen(
            [sys.executable, "-m", "app", "--index", index, "--port", str(port)],
            cwd=HERE,
            # The queries come round and round: kept answers would hide what an update costs.
            env={**foreign, "BEOPGIL_INDEX_ROOT": str(folder / "indexes"), "BEOPGIL_CACHE": "0"},
            stdout=log,
        )
        try:
            if not started(service, Client(port).ready):
                raise SystemExit("the service did not start: see above")
            yield port
        finally:
            service.terminate()
            service.wait(30)


def _measure(options: argparse.Namespace, folder: Path, port: int, changes: list[Change]) -> int:
    client = Client(port)
    early = [one.doc_id for one in _looked_for(changes) if client.finds(one)]
    with Load(port, queries(options.queries), options.concurrency) as load:
        time.sleep(options.before)
        start = time.perf_counter()
        command = [
            *(sys.executable, "-m", "training.index", "--source", str(folder / "records"), "--name", options.index),
            *("--root", str(folder / "indexes"), "--work", str(folder / "work"), *options.update),
        ]
        status = subprocess.run(command, cwd=HERE, check=False).returncode
        built = time.perf_counter()
        swap = client.reload()
        end = time.perf_counter()
        time.sleep(min(options.before, 5.0))
    missing = [one.doc_id for one in _looked_for(changes) if not client.finds(one)]
    print(f"update {end - start:.1f} s: make index {built - start:.1f} s, reload {end - built:.1f} s → {swap}")
    _report("before", [answer for answer in load.answers if answer.at < start])
    _report("during", [answer for answer in load.answers if start <= answer.at < end])
    _report("after", [answer for answer in load.answers if end <= answer.at])
    failed = [answer for answer in load.answers if answer.error]
    print(f"{len(load.answers)} searches, {len(failed)} errors{': ' + failed[0].error if failed else ''}")
    print(f"{len(_looked_for(changes))} changes looked for: {len(early)} found before, {len(missing)} missing after")
    for doc_id in missing:
        print(f"missing: {doc_id}")
    return 1 if status or failed or early or missing or not swap.startswith("reloaded") else 0


def _looked_for(changes: list[Change]) -> list[Change]:
    """Some of the changed articles and some of the new decisions."""
    articles = [one for one in changes if not one.doc_id.startswith("p")]
    decisions = [one for one in changes if one.doc_id.startswith("p")]
    return [*articles[:CHECKED], *decisions[:CHECKED]]


def _report(when: str, answers: list[Answer]) -> None:
    if not answers:
        print(f"{when:>6}: no search")
        return
    ms = np.array([answer.ms for answer in answers])
    seconds = answers[-1].at - answers[0].at + answers[-1].ms / 1000
    p50, p99 = np.percentile(ms, [50, 99])
    rate = len(ms) / max(seconds, 1e-9)
    print(f"{when:>6}: {len(ms)} searches, {rate:.1f} a second, p50 {p50:.0f} ms, p99 {p99:.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
