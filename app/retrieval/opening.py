"""A Searcher from names and folders: what the service, the evaluation and the benchmarks all search with."""

from __future__ import annotations

from pathlib import Path

from app.retrieval.device import Precision
from app.retrieval.encoder import Encoder
from app.retrieval.index import Index, current
from app.retrieval.reranker import Reranker
from app.retrieval.searcher import Searcher


def open_searcher(
    root: Path,
    name: str,
    encoder: str | Path,
    reranker: str | Path | None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    verify: bool = False,
) -> Searcher:
    """The version of an index in use, with its models.

    Without `reranker` the first stage answers alone, and says so. Raises IndexMissing, ModelError, IndexCorrupt or
    IndexMismatch.
    """
    path = current(root, name)
    models = Encoder.load(encoder, device, precision)
    scorer = Reranker.load(reranker, device, precision) if reranker else None
    index = Index.open(path, models, scorer, verify=verify)
    return Searcher(index, models, scorer, unavailable="none is configured")
