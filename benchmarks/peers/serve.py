"""One system as a service on a port, for benchmarks.serving:  python -m benchmarks.peers.serve SYSTEM --port N …

textbook       FastAPI over benchmarks.peers.textbook, one worker
same-fp32      Beopgil asked to rank as the textbook does, in fp32: the top ten must be the same
same           likewise in the format that the machine computes best
same-int8      likewise in bytes
beopgil        Beopgil as it is served, but that every search is computed: it neither keeps answers nor shares them
cached         with the answers that it keeps
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from fastapi import FastAPI

from app.main import create_app, load_searcher
from app.retrieval.device import Precision
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import Blends, Understood
from app.settings import Settings
from benchmarks.peers.service import run, service

COMPUTED = ("textbook", "same-fp32", "same", "beopgil")
SYSTEMS = (*COMPUTED, "same-int8", "cached")
PRECISION: dict[str, Precision] = {"same-fp32": "fp32", "same-int8": "int8"}


def textbook_app(root: Path, index: str, encoder: Path, reranker: Path) -> FastAPI:
    # Here and not above: what the textbook imports is not to count as memory of the others.
    from benchmarks.peers.textbook import Textbook

    book = Textbook(open_searcher(root, index, encoder, None).index, encoder, reranker)

    def search(query: str, k: int, depth: int) -> list[dict[str, str]]:
        rows = [book.index.documents.row(doc_id) for doc_id in book.search(query, k, depth)]
        documents = [book.index.documents[row] for row in rows if row is not None]
        return [{"doc_id": one.doc_id, "text": one.text} for one in documents]

    return service(search)


def like_the_textbook(searcher: Searcher, everything: bool) -> Searcher:
    """The same searcher without what the textbook knows nothing of: citations that it reads in a query, links, laws,
    decrees, a blend for decisions; with `everything`, without leaving passages unread."""
    searcher.router = Understood
    searcher.tuning = replace(searcher.tuning, link_weight=0.0, family_weight=0.0, delegated_weight=0.0)
    if searcher.reranker is not None:
        statute = searcher.reranker.blends.statute
        searcher.reranker.blends = Blends(replace(statute, most=None) if everything else statute)
    return searcher


def application(system: str, root: Path, index: str, encoder: Path, reranker: Path) -> FastAPI:
    if system == "textbook":
        return textbook_app(root, index, encoder, reranker)
    precision = PRECISION.get(system, "auto")
    settings = Settings(index_root=root, index=index, encoder=str(encoder), reranker=str(reranker), precision=precision)
    if system == "cached":
        return create_app(settings)
    settings = settings.model_copy(update={"cache": 0})
    if system == "beopgil":
        return create_app(settings)
    return create_app(settings, load=lambda given: like_the_textbook(load_searcher(given), precision == "fp32"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.serve")
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", type=Path, default=Path("indexes"))
    parser.add_argument("--index", default="samples")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--reranker", type=Path, required=True)
    options = parser.parse_args()
    app = application(options.system, options.root, options.index, options.encoder, options.reranker)
    print(json.dumps({"system": options.system, "threads": torch.get_num_threads()}), flush=True)
    run(app, options.port)


if __name__ == "__main__":
    main()
