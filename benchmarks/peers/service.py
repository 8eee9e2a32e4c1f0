"""What a peer serves, and an index folder as it reads it: FAISS and Arrow files.

Peers that run in an environment of their own (`make peers`) have none of our dependencies, so nothing here, nor in
their modules, imports `app`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import faiss
import pyarrow as pa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

MAX_TOKENS = 256
"""Of a query and a passage together, for every peer's cross-encoder."""

Search = Callable[[str, int, int], list[dict[str, str]]]
"""(query, k, depth) → the best `k` documents, `doc_id` and `text` of each."""


class Body(BaseModel):
    query: str
    k: int = 10
    depth: int = 100


class Corpus:
    """An index folder in memory (vectors) and memory-mapped (texts)."""

    def __init__(self, folder: Path) -> None:
        self.flat: Any = faiss.read_index(str(folder / "dense.faiss"))
        passages, documents = _table(folder / "passages.arrow"), _table(folder / "documents.arrow")
        self.texts, self.owners = passages.column("text"), passages.column("document").to_numpy()
        self.doc_ids, self.documents = documents.column("doc_id"), documents.column("text")

    def text(self, passage: int) -> str:
        return str(self.texts[passage].as_py())

    def fold(self, passages: Iterable[int], k: int) -> list[dict[str, str]]:
        """The documents of ranked passages, each where its best passage stands."""
        rows = islice(dict.fromkeys(int(self.owners[passage]) for passage in passages), k)
        return [{"doc_id": self.doc_ids[row].as_py(), "text": self.documents[row].as_py()} for row in rows]


def _table(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()


def service(search: Search) -> FastAPI:
    """As most people write it: a blocking route, so that threads of the pool search."""
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    @app.post("/search")
    def answer(body: Body) -> dict[str, list[dict[str, str]]]:
        return {"results": search(body.query, body.k, body.depth)}

    return app


def options(name: str) -> argparse.Namespace:
    """Of a peer in an environment of its own; benchmarks.serving gives them."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.peers.{name}")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of one version of an index")
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--reranker", type=Path, required=True)
    parser.add_argument("--weight", type=float, default=0.0, help="of the cosine beside the logit")
    return parser.parse_args()


def run(app: FastAPI, port: int) -> None:
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
