"""The peer: infinity-emb, one process that serves both models over HTTP, and the service that asks it.

A search is a request for the query's vector, an IndexFlatIP, and a request that reranks the passages as text; the
ranking is the textbook's, logit + weight × cosine. benchmarks.serving runs it with the Python of build/peers/infinity.

Its libraries do not read folders that later ones saved: it serves copies with older settings (benchmarks.peers.older).
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np

from benchmarks.peers.older import copied
from benchmarks.peers.service import Corpus, options, run, service
from benchmarks.processes import free_port, started

PATIENCE = 120.0
"""Seconds after which an answer of infinity counts as missing."""


class Searcher:
    """`infinity` is safe to use from several threads."""

    def __init__(self, infinity: httpx.Client, corpus: Corpus, prompt: str, weight: float) -> None:
        self.infinity, self.corpus, self.prompt, self.weight = infinity, corpus, prompt, weight

    def search(self, query: str, k: int, depth: int) -> list[dict[str, str]]:
        embedded = self.ask("/embeddings", {"model": "encoder", "input": [self.prompt + query]})
        vector = np.array([embedded["data"][0]["embedding"]], dtype=np.float32)
        cosines, found = self.corpus.flat.search(vector, min(depth, self.corpus.flat.ntotal))
        passages = found[0].tolist()
        texts = [self.corpus.text(passage) for passage in passages]
        wanted = {"model": "reranker", "query": query, "documents": texts, "raw_scores": True}
        final = self.weight * cosines[0].astype(np.float64)
        for one in self.ask("/rerank", wanted)["results"]:
            final[one["index"]] += one["relevance_score"]
        return self.corpus.fold((passages[i] for i in np.argsort(-final, kind="stable")), k)

    def ask(self, path: str, wanted: dict[str, Any]) -> Any:
        return self.infinity.post(path, json=wanted).raise_for_status().json()


@contextmanager
def infinity(encoder: Path, reranker: Path) -> Iterator[httpx.Client]:
    """A client of infinity once both models are loaded. Its process ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "infinity_emb.cli", "v2", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--device", "cpu", "--dtype", "float32", "--no-trust-remote-code", "--log-level", "warning"]
    for name, folder in (("encoder", encoder), ("reranker", reranker)):
        command += ["--model-id", str(folder), "--served-model-name", name]
    process = subprocess.Popen(command)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            if not started(process, lambda: _ready(client)):
                raise SystemExit("infinity did not start: see above")
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/health").is_success)
    except httpx.ConnectError:
        return False


def query_prompt(encoder: Path) -> str:
    """What the encoder's folder says goes before a query; infinity adds none."""
    path = encoder / "config_sentence_transformers.json"
    return str(json.loads(path.read_text(encoding="utf-8"))["prompts"].get("query", ""))


def main() -> None:
    given = options("infinity")
    # uvicorn hands the signal on when it has stopped: without a handler it would end this process, and not infinity.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with TemporaryDirectory() as folder:
        encoder = copied(given.encoder, Path(folder) / "encoder")
        serve(given, encoder, copied(given.reranker, Path(folder) / "reranker"))


def serve(given: argparse.Namespace, encoder: Path, reranker: Path) -> None:
    with infinity(encoder, reranker) as client:
        searcher = Searcher(client, Corpus(given.folder), query_prompt(given.encoder), given.weight)
        run(service(searcher.search), given.port)


if __name__ == "__main__":
    main()
