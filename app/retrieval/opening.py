"""A Searcher from names and folders: what the service, the evaluation and the benchmarks all search with."""

from __future__ import annotations

from pathlib import Path

from app.retrieval.device import Precision
from app.retrieval.encoder import Encoder
from app.retrieval.index import Index, current
from app.retrieval.manifest import Manifest
from app.retrieval.owner import computed
from app.retrieval.reranker import Reranker
from app.retrieval.searcher import Searcher
from app.retrieval.types import PairScorer, TextEncoder


def open_searcher(
    root: Path,
    name: str,
    encoder: str | Path,
    reranker: str | Path | None,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    verify: bool = False,
    like: Searcher | None = None,
) -> Searcher:
    """The version of an index in use, with its models; those of `like` serve again where the index was built with them.

    Without `reranker` the first stage answers alone, and says so. Raises IndexMissing, ModelError, IndexCorrupt or
    IndexMismatch.
    """
    path = current(root, name)
    bi, cross = _loaded(path, like)
    bi = bi or computed(lambda: Encoder.load(encoder, device, precision))
    if reranker:
        cross = cross or computed(lambda: Reranker.load(reranker, device, precision))
    index = Index.open(path, bi, cross, verify=verify)
    return Searcher(index, bi, cross, unavailable="none is configured")


def _loaded(path: Path, like: Searcher | None) -> tuple[TextEncoder | None, PairScorer | None]:
    """The models of `like` that an index can be searched with."""
    if like is None:
        return None, None
    built, bi, cross = Manifest.read(path), like.encoder, like.reranker
    if cross and built.reranker and built.reranker.weights_sha256 != cross.weights_sha256:
        cross = None
    return bi if bi.weights_sha256 == built.encoder.weights_sha256 else None, cross
