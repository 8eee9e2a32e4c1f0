"""models + corpus → indexes/<name>/<version>/, put in use

Also by itself, for models that are there already:

    python -m training.index --source FOLDER_OR_FILES --name NAME [--encoder FOLDER] [--reranker FOLDER]
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.errors import BeopgilError
from app.retrieval.encoder import Encoder
from app.retrieval.publish import publish
from app.retrieval.reranker import Reranker
from app.retrieval.reuse import Stage
from app.retrieval.types import PairScorer, TextEncoder, tuning_of
from training import corpus
from training.recipe import Recipe
from training.sections import Corpus

ENCODER, RERANKER = "models/beopgil-mini-bi", "models/beopgil-mini-cross"
"""The models that ship."""
NICE = 0
"""A build takes its share of the processor: given way to searches without a pause, it would not end."""
LABELS: dict[Stage, str] = {"encode": "encoding passages", "tokenize": "tokenising passages"}


def run(recipe: Recipe) -> None:
    encoder = Encoder.load(recipe.encoder_model)
    encoder.batch_tokens = recipe.index.batch_tokens or encoder.batch_tokens
    build(
        Path(recipe.index.root),
        recipe.index.name,
        recipe.documents.parent,
        encoder,
        Reranker.load(recipe.reranker_model),
    )


def build(root: Path, name: str, folder: Path, encoder: TextEncoder, reranker: PairScorer | None) -> Path:
    """Publish the corpus in `folder` as `root/name/<version>`; says what it took. Raises as `publish` does."""
    start = time.monotonic()
    with _bars() as bars:
        tasks: dict[Stage, TaskID] = {}

        def progress(stage: Stage, done: int, total: int) -> None:
            tasks[stage] = tasks[stage] if stage in tasks else bars.add_task(LABELS[stage], total=total)
            bars.update(tasks[stage], completed=done)

        def say(sentence: str) -> None:
            bars.console.print(sentence, markup=False, highlight=False, soft_wrap=True)

        path = publish(root, name, folder, encoder, reranker, tuning=tuning_of(encoder), progress=progress, say=say)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    used, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - start
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    print(f"{path}: {size / 1e6:,.1f} MB, built in {seconds:.1f} s")
    print(f"the command took {cpu:.1f} s of processor time and at most {peak / 1e9:.2f} GB of memory", flush=True)
    return path


def _bars() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.index", description="Build an index and put it in use.")
    parser.add_argument("--source", nargs="+", required=True, help="folders or files of records")
    parser.add_argument("--name", required=True, help="name of the index")
    parser.add_argument("--encoder", default=ENCODER, help="bi-encoder: a folder or a hub name")
    parser.add_argument("--reranker", default=RERANKER, help='cross-encoder: a folder or a hub name; "" for none')
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--work", type=Path, default=Path("work"), help="where the corpus of the index is kept")
    parser.add_argument("--nice", type=int, default=NICE, help="how far to give way to other programs: 0 to 19")
    parser.add_argument("--passage-chars", type=int, default=Corpus().passage_chars)
    options = parser.parse_args(arguments)
    if options.nice:
        os.nice(options.nice)
    try:
        _build_from_records(options)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    return 0


def _build_from_records(options: argparse.Namespace) -> Path:
    start = time.monotonic()
    encoder = Encoder.load(options.encoder)
    reranker = Reranker.load(options.reranker) if options.reranker else None
    folder = options.work / f"index-{options.name}"
    loaded = time.monotonic()
    corpus.build(options.source, folder, options.passage_chars)
    print(f"seconds: models {loaded - start:.1f}, corpus {time.monotonic() - loaded:.1f}", flush=True)
    return build(options.root, options.name, folder, encoder, reranker)


if __name__ == "__main__":
    sys.exit(main())
