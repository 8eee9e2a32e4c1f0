"""How the cost of a search grows with the corpus and with depth: index, queries → two tables, a drawing

    python -m benchmarks.growth [--index full] [--sizes 10000 100000 1000000] [--plot docs/growth.svg] [--json FILE]
    python -m benchmarks.growth --from-json FILE --plot docs/growth.svg

Per size an index of that many documents is built under WORK out of those of INDEX (benchmarks.corpora), once: one that
is there is searched again. INDEX as it is (size 0) is always measured, and alone at every depth. Documents that have no
passages do not count.

Each step is a process of its own, so that its memory can be told; 0.9 GB of it are the program and the small models.
Queries are asked one at a time, once to warm up and once for the figures: medians over queries. A scan reads copies as
it would read other documents; that they are like what they were made of can change how many passages the second stage
reads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from rich.console import Console
from rich.table import Table

from app.errors import BeopgilError, NotReady
from app.retrieval.encoder import Encoder
from app.retrieval.index import current
from app.retrieval.opening import open_searcher
from app.retrieval.reranker import Reranker
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest
from benchmarks import serving
from benchmarks.corpora import resize
from benchmarks.load import queries
from benchmarks.processes import resident
from training import index, plots
from training.atomic import write
from training.depths import DEPTHS, depth, order

STAGES = serving.STAGES[1:]
"""Nothing queues where one asks at a time."""
COLOURS = dict(zip(STAGES, ("ink", "bad", "dense", "bm25", "hybrid", "accent"), strict=True))
DEPTH = 100
TITLE = "Milliseconds a search by stage, as the corpus and the depth grow"

Run = Callable[..., Any]
"""Calls a function with arguments, and returns what it returned."""


@dataclass(frozen=True)
class Measured:
    """One index. Seconds, and GB (10⁹ bytes) of memory or disk."""

    documents: int
    passages: int
    disk: float
    opened: float
    """Resident after opening, mapped files included as far as they have been read."""
    searched: float
    """Resident after the searches."""
    ms: list[dict[str, float]]
    """Per depth, ascending: `depth`, the median milliseconds of each stage and of `total`, and by the clock, `wall`."""
    build: float | None = None
    """None where the index was there before."""
    peak: float | None = None
    """Of the build: its own process and that of the graph at their most, added up. The second counts for at least what
    the first held when it began, as the kernel counts."""

    def at(self, depth: int) -> dict[str, float]:
        return next(row for row in self.ms if row["depth"] == depth)


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """A call in a fresh process, which ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def measure(options: argparse.Namespace, asked: Sequence[str], size: int, run: Run) -> Measured:
    """The index of `size` documents, built where it is not there yet; 0: the index as it is."""
    source, models = current(options.root, options.index), (options.encoder, options.reranker)
    if not size:
        depths = sorted({DEPTH, *options.depths})
        return Measured(**run(searched, options.root, options.index, models, asked, depths))
    root, name = options.work, f"{source.name}-{size}"
    built = root / f"{name}.json"
    if not built.exists():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="corpus-", dir=root) as folder:
            run(resize, source, Path(folder), size)
            write(built, json.dumps(run(build, root, name, Path(folder), models)).encode())
    return Measured(**json.loads(built.read_bytes()), **run(searched, root, name, models, asked, [DEPTH]))


def build(root: Path, name: str, corpus: Path, models: tuple[str, str]) -> dict[str, float]:
    """Publish an index; what that took, the loading of the models left out of the seconds."""
    encoder, reranker = Encoder.load(models[0]), Reranker.load(models[1])
    start = time.perf_counter()
    index.build(root, name, corpus, encoder, reranker)
    seconds, graph = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    return {"build": seconds, "peak": resident([os.getpid()], "VmHWM") + graph}


def searched(
    root: Path, name: str, models: tuple[str, str], asked: Sequence[str], depths: Sequence[int]
) -> dict[str, Any]:
    """The fields of Measured that have to do with searching."""
    searcher = open_searcher(root, name, *models)
    opened = resident([os.getpid()])
    for query in asked:
        one_search(searcher, query, depths[-1])
    files, passages = searcher.index.path.rglob("*"), searcher.index.passages
    return {
        "documents": len(np.unique(passages.documents)),
        "passages": len(passages),
        "disk": sum(file.stat().st_size for file in files if file.is_file()) / 1e9,
        "opened": opened,
        "ms": list(timed(searcher, asked, depths)),
        "searched": resident([os.getpid()]),
    }


def timed(searcher: Searcher, asked: Sequence[str], depths: Sequence[int]) -> Iterator[dict[str, float]]:
    """Every query at every depth: a row of medians per depth."""
    took: dict[int, list[dict[str, float]]] = {at: [] for at in depths}
    for number, query in enumerate(asked):
        for at in order(depths, number):
            took[at].append(one_search(searcher, query, at))
    for at, rows in took.items():
        yield {"depth": at, **{name: round(median(row[name] for row in rows), 3) for name in rows[0]}}


def one_search(searcher: Searcher, query: str, depth: int) -> dict[str, float]:
    """Milliseconds by stage. Raises NotReady where the second stage did not take part."""
    start = time.perf_counter()
    response = searcher.search(SearchRequest(query, depth=depth))
    wall = 1000 * (time.perf_counter() - start)
    if response.degraded:
        raise NotReady(f"depth {depth}, query {query!r}: {response.degraded}")
    return {**{name: getattr(response.took_ms, name) for name in (*STAGES, "total")}, "wall": wall}


def by_size(measured: Sequence[Measured]) -> Table:
    costs = ("build s", "peak GB", "disk GB", "opened GB", "searched GB")
    table = _table(
        ("documents", "passages", *costs, *STAGES, "total", "wall"), f"by size, milliseconds at depth {DEPTH}"
    )
    for one in measured:
        built = ["" if cost is None else f"{cost:.{digits}f}" for cost, digits in ((one.build, 0), (one.peak, 2))]
        memory = (f"{gb:.2f}" for gb in (one.disk, one.opened, one.searched))
        table.add_row(f"{one.documents:,}", f"{one.passages:,}", *built, *memory, *_milliseconds(one.at(DEPTH)))
    return table


def by_depth(whole: Measured) -> Table:
    table = _table(("depth", *STAGES, "total", "wall"), f"by depth, {whole.documents:,} documents, milliseconds")
    for row in whole.ms:
        table.add_row(str(row["depth"]), *_milliseconds(row))
    return table


def _table(columns: Sequence[str], title: str) -> Table:
    table = Table(title=title)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _milliseconds(row: dict[str, float]) -> Iterator[str]:
    return (f"{row[name]:.1f}" for name in (*STAGES, "total", "wall"))


def picture(measured: Sequence[Measured], whole: Measured) -> str:
    """Two panels: by documents at DEPTH, and by depth over the index as it is."""
    with plots.figure(TITLE, panels=2) as (drawn, (left, right)):
        stacked(left, [one.documents for one in measured], [one.at(DEPTH) for one in measured])
        stacked(right, [int(row["depth"]) for row in whole.ms], whole.ms)
        left.set(xlabel=f"documents, searched at depth {DEPTH}", ylabel="ms a search, median")
        right.set(xlabel=f"depth, over {whole.documents:,} documents")
        handles, names = left.get_legend_handles_labels()
        drawn.legend(handles, names, loc="outside upper center", ncols=len(names), frameon=False)
        return plots.alone(plots.svg(drawn, TITLE))


def stacked(axes: Axes, xs: Sequence[int], rows: Sequence[dict[str, float]]) -> None:
    """The stages upon one another, the first at the bottom; a line for the whole search."""
    bands, colours = [[row[stage] for row in rows] for stage in STAGES], [plots.COLOURS[COLOURS[s]] for s in STAGES]
    axes.stackplot(xs, bands, labels=STAGES, colors=colours, alpha=0.6, linewidth=0)
    axes.plot(xs, [row["total"] for row in rows], "o-", color=plots.COLOURS["ink"], label="total")
    plots.logarithmic(axes, xs)
    axes.set_xticks(xs, labels=[f"{x:,}" for x in xs])
    axes.set_ylim(bottom=0)


def main(arguments: Sequence[str] | None = None, run: Run = apart) -> int:
    """`run` calls what wants a process of its own."""
    options = _options(arguments)
    try:
        measured = _read(options.from_json) if options.from_json else _measure_all(options, run)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    whole = next(one for one in measured if one.build is None)
    console = Console(width=160)
    console.print(by_size(measured), by_depth(whole), sep="\n")
    if options.json:
        write(options.json, json.dumps([asdict(one) for one in measured], indent=1).encode())
    if options.plot:
        write(options.plot, picture(measured, whole).encode())
    return 0


def _measure_all(options: argparse.Namespace, run: Run) -> list[Measured]:
    """The smallest first."""
    asked, sizes = queries(options.queries)[: options.count], dict.fromkeys((0, *options.sizes))
    return sorted((measure(options, asked, size, run) for size in sizes), key=lambda one: one.documents)


def _read(path: Path) -> list[Measured]:
    return [Measured(**one) for one in json.loads(path.read_bytes())]


def size(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of documents; 0 is the index as it is")
    return int(text)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="The cost of a search by size.")
    parser.add_argument("--index", default="full")
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--queries", type=Path, default=Path("data/benchmark/dev/queries.jsonl"))
    parser.add_argument("--count", type=int, default=30, help="queries, the first of the file")
    parser.add_argument("--sizes", type=size, nargs="+", default=[10_000, 100_000, 1_000_000], help="documents")
    parser.add_argument("--depths", type=depth, nargs="+", default=DEPTHS)
    parser.add_argument("--work", type=Path, default=Path("build/growth"), help="where the indexes are built and stay")
    parser.add_argument("--encoder", default=index.ENCODER)
    parser.add_argument("--reranker", default=index.RERANKER)
    parser.add_argument("--plot", type=Path, help="SVG to draw")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--from-json", type=Path, help="figures to show and draw, in place of measuring")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
