"""Searches over HTTP, side by side: the textbook, Beopgil and, below both, what the models alone would take.

    python -m benchmarks.serving [--index samples] [--concurrency 1 4 16] [--seconds 8] [--rounds 2] [--systems …]
    make peers && python -m benchmarks.serving --systems textbook infinity haystack beopgil …

Every system is a process of its own on this machine, with the same models and index (`benchmarks.peers.serve`), or
several. The peers `infinity` and `haystack` run in environments of their own (`make peers`); one that is not installed,
or does not start with these models, is left out and has a row that says so. Processor time and memory are those of a
system's processes together.

Clients ask without a pause, each the next query as soon as its answer is there (a closed loop); the systems take
turns, level by level and round by round. No system keeps answers but `cached`, which is measured when it is named.

The floor is the two forward passes in process: pairs tokenised before and sorted by length, the format that the
machine computes best, as many searches at once as there are clients, and nothing else: no HTTP, no recall, no texts.
`arithmetic` is its matrix products at the rate at which this machine multiplies matrices of that form.

Figures are medians over rounds; `×` is against the textbook of the same run, `overlap` the share of its top ten, of the
systems that are asked for the same ranking. Exit status 1 where a search failed or a ranking was not the same: ten of
ten in fp32, nine and a half of ten on average in the machine's best format or in bytes. What the peers do is only
shown.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from app.retrieval.device import model_settings
from app.retrieval.index import current
from app.retrieval.opening import open_searcher
from app.retrieval.reranker import blends
from benchmarks.floor import FLOOR, Floor
from benchmarks.load import Client, Turn, queries
from benchmarks.peers.serve import COMPUTED, SYSTEMS
from benchmarks.processes import cpu_seconds, free_port, resident, started, tree
from training.index import ENCODER, RERANKER

PEERS = {name: Path(f"build/peers/{name}") for name in ("infinity", "haystack")}
"""Systems that run in an environment of their own, in this folder."""
SILENT = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "HAYSTACK_TELEMETRY_ENABLED": "False"}
"""Environment variables with which peers ask the network for nothing and tell it nothing."""
ALIKE = {"same-fp32": 1.0, "same": 0.95, "same-int8": 0.95}
"""Least share of the textbook's top ten."""
STAGES = ("queue", "route", "embed", "dense", "lexical", "fuse", "rerank")


Turns = dict[tuple[str, int], list[Turn]]
"""By system and number of clients, a turn per round."""


class PeerError(Exception):
    """A peer cannot take part: (why, remedy)."""


class Served:
    """A system that runs as a service. Its process ends with the block."""

    def __init__(self, name: str, port: int, process: subprocess.Popen[bytes], options: argparse.Namespace) -> None:
        self.name, self.port, self.process = name, port, process
        self.body = {"k": 10, "depth": options.depth, **({"mode": "dense"} if name.startswith("same") else {})}

    def ask(self, client: Client, query: str) -> dict[str, Any]:
        status, body = client.ask("POST", "/search", {"query": query, **self.body})
        if status != 200:
            raise RuntimeError(f"{status} {body}")
        found: dict[str, Any] = body
        return found

    def top(self, query: str) -> list[str]:
        client = Client(self.port)
        try:
            results = self.ask(client, query)["results"]
        finally:
            client.close()
        return [one["doc_id"] for one in results if one.get("match", "ranked") == "ranked"]

    @property
    def processes(self) -> list[int]:
        return tree(self.process.pid)

    def turn(self, asked: Sequence[str], concurrency: int, seconds: float) -> Turn:
        done, stop, lock = Turn(), time.perf_counter() + seconds, threading.Lock()
        waiting = cycle(asked)

        def search() -> None:
            client = Client(self.port)
            while (start := time.perf_counter()) < stop:
                with lock:
                    query = next(waiting)
                try:
                    took = self.ask(client, query).get("took_ms", {})
                except (OSError, RuntimeError) as error:
                    done.errors.append(repr(error))
                    client.close()
                    continue
                done.ms.append(1000 * (time.perf_counter() - start))
                done.stages.append(took)
            client.close()

        start, cpu = time.perf_counter(), cpu_seconds(self.processes)
        threads = [threading.Thread(target=search) for _ in range(concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done.seconds, done.cpu = time.perf_counter() - start, cpu_seconds(self.processes) - cpu
        return done


def command(name: str, port: int, options: argparse.Namespace) -> list[str]:
    """What starts a system. Raises PeerError where it is a peer that is not installed."""
    models: dict[str, Any] = {"port": port, "encoder": options.encoder, "reranker": options.reranker}
    if name in PEERS:
        if not (PEERS[name] / ".installed").exists():
            raise PeerError("not installed", "make peers")
        weight = blends(model_settings(options.reranker)).statute.weight
        words = [str(PEERS[name] / "bin/python"), "-m", f"benchmarks.peers.{name}"]
        given = {"folder": current(options.root, options.index), "weight": weight, **models}
    else:
        words = [sys.executable, "-m", "benchmarks.peers.serve", name]
        given = {"root": options.root, "index": options.index, **models}
    return words + [word for key, value in given.items() for word in (f"--{key}", str(value))]


@contextmanager
def served(name: str, options: argparse.Namespace) -> Iterator[Served]:
    """A system once it is ready; its log is shown as far as it goes to stderr.

    Where it does not start: PeerError, if it is a peer, or SystemExit.
    """
    port = free_port()
    environment = {**os.environ, **(SILENT if name in PEERS else {})}
    process = subprocess.Popen(command(name, port, options), stdout=subprocess.DEVNULL, env=environment)
    try:
        if not started(process, Client(port).ready):
            if name in PEERS:
                raise PeerError("did not start", "see above")
            raise SystemExit(f"{name} did not start: see above")
        yield Served(name, port, process, options)
    finally:
        process.terminate()
        process.wait(30)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    asked = queries(options.queries)[: options.count or None]
    with ExitStack() as stack:
        systems, absent = open_all(options, stack)
        floor = Floor(
            open_searcher(options.root, options.index, options.encoder, options.reranker), asked, options.depth
        )
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}, {options.index}, depth "
            f"{options.depth}, {len(asked)} queries, {options.rounds} rounds of {options.seconds:g} s",
            flush=True,
        )
        overlaps = compare([one for one in systems if one.name not in ("beopgil", "cached")], asked[: options.compared])
        turns = measure([*systems, floor], asked, options)
        report(turns, overlaps, absent, options)
        profile(turns, options)
        flops, rate = floor.flops(asked[0]), floor.flops_a_second()
        print(f"arithmetic: {flops / 1e9:.1f} GFLOP a search at {rate / 1e9:.0f} GFLOP/s: {1000 * flops / rate:.0f} ms")
        for system in systems:
            print(f"{system.name}: {resident(system.processes):.2f} GB resident")
    return verdict(turns, overlaps)


def open_all(options: argparse.Namespace, stack: ExitStack) -> tuple[list[Served], dict[str, str]]:
    """The systems that are ready, which end with the stack, and why each other one is not, which is said."""
    systems: list[Served] = []
    absent: dict[str, str] = {}
    for name in options.systems:
        try:
            systems.append(stack.enter_context(served(name, options)))
        except PeerError as absence:
            absent[name], remedy = absence.args
            print(f"{name} is left out, {absent[name]}: {remedy}", flush=True)
    if not systems:
        raise SystemExit("no system is left to measure")
    return systems, absent


def verdict(turns: Turns, overlaps: dict[str, float]) -> int:
    """1 where something was wrong, which is said."""
    wrong = [f"{name}: overlap {overlaps[name]:.3f}, expected {least:g}" for name, least in ALIKE.items()
             if overlaps.get(name, 1.0) < least]  # fmt: skip
    for (name, level), mine in turns.items():
        if name in PEERS:
            continue
        wrong += [f"{name}, {level} at once: {error}" for turn in mine for error in turn.errors[:1]]
    print("\n".join(wrong) or "no search failed, and the rankings are the same", flush=True)
    return 1 if wrong else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description="Searches over HTTP, side by side"
    )
    parser.add_argument("--index", default="samples")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--queries", type=Path, default=Path("samples/queries.jsonl"))
    parser.add_argument("--count", type=int, default=60, help="queries, 0 for all")
    parser.add_argument("--encoder", type=Path, default=Path(ENCODER))
    parser.add_argument("--reranker", type=Path, default=Path(RERANKER))
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--systems", nargs="+", choices=[*SYSTEMS, *PEERS], default=list(COMPUTED))
    parser.add_argument("--concurrency", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--seconds", type=float, default=8.0, help="of one turn")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compared", type=int, default=20, help="queries whose top ten are compared")
    return parser.parse_args(arguments)


def compare(systems: Sequence[Served], asked: Sequence[str]) -> dict[str, float]:
    """Share of the first system's top ten, by system."""
    if not systems:
        return {}
    reference = [set(systems[0].top(query)) for query in asked]
    shares: dict[str, float] = {}
    for system in systems:
        found = [set(system.top(query)) for query in asked]
        shares[system.name] = float(
            np.mean([len(one & top) / max(1, len(top)) for one, top in zip(found, reference, strict=True)])
        )
    return shares


def measure(systems: Sequence[Served | Floor], asked: Sequence[str], options: argparse.Namespace) -> Turns:
    """Each system warmed, then in turns."""
    for system in systems:
        system.turn(asked, 1, 1.0)
    turns: Turns = {}
    for _ in range(options.rounds):
        for level in options.concurrency:
            for system in systems:
                turns.setdefault((system.name, level), []).append(system.turn(asked, level, options.seconds))
    return turns


def middle(turns: Sequence[Turn], value: str, *given: float) -> float:
    found = [getattr(turn, value) for turn in turns]
    return float(median(one(*given) if callable(one) else one for one in found))


def report(turns: Turns, overlaps: dict[str, float], absent: dict[str, str], options: argparse.Namespace) -> None:
    first = next(name for name in options.systems if name not in absent)
    table = Table(title=f"× is against {first}")
    for name in (
        "at once",
        "system",
        "searches/s",
        "×",
        "p50 ms",
        "p95",
        "p99",
        "CPU s each",
        "× CPU",
        "errors",
        "overlap",
    ):
        table.add_column(name, justify="left" if name == "system" else "right")
    for level in options.concurrency:
        base = turns[first, level]
        for name in [*options.systems, FLOOR]:
            if name in absent:
                table.add_row(str(level), name, absent[name])
                continue
            mine = turns[name, level]
            rate, cpu = middle(mine, "rate"), middle(mine, "cpu_each")
            table.add_row(
                str(level), name, f"{rate:.2f}", f"{rate / middle(base, 'rate'):.2f}",
                *(f"{middle(mine, 'percentile', share):.0f}" for share in (50, 95, 99)),
                f"{cpu:.3f}", f"{cpu / middle(base, 'cpu_each'):.2f}",
                str(sum(len(turn.errors) for turn in mine)), f"{overlaps[name]:.2f}" if name in overlaps else "",
            )  # fmt: skip
        table.add_section()
    Console(width=120).print(table)


def profile(turns: Turns, options: argparse.Namespace) -> None:
    """Mean milliseconds of each stage; `rest` is HTTP, JSON, texts and folding, as the client sees it."""
    table = Table(title="milliseconds by stage")
    for name in ("at once", "system", *STAGES, "rest"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for (name, level), mine in turns.items():
        stages = [took for turn in mine for took in turn.stages if took]
        if stages:
            means = [float(np.mean([took.get(stage, 0.0) for took in stages])) for stage in STAGES]
            rest = float(np.mean([ms for turn in mine for ms in turn.ms])) - sum(means)
            table.add_row(str(level), name, *(f"{mean:.1f}" for mean in means), f"{rest:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
