"""Searches over HTTP without a pause, each timed."""

from __future__ import annotations

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.changes import Change

PATIENCE = 120.0
"""Seconds after which an answer counts as missing."""


@dataclass(frozen=True, slots=True)
class Answer:
    at: float
    """When it was asked for, by time.perf_counter."""
    ms: float
    error: str
    """What went wrong, "" where nothing did."""


@dataclass
class Turn:
    """What one system did at one level of concurrency, in one round."""

    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time of the service."""
    ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stages: list[dict[str, float]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.ms) / self.seconds

    @property
    def cpu_each(self) -> float:
        return self.cpu / max(1, len(self.ms))

    def percentile(self, share: float) -> float:
        return float(np.percentile(self.ms, share)) if self.ms else float("nan")


def queries(path: Path) -> list[str]:
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines() if line]


class Client:
    """One connection to a service, which drops it where it is idle for seconds; for one thread."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, JSON). Raises OSError or HTTPException where there is no answer."""
        content = None if body is None else json.dumps(body).encode()
        self.connection.request(method, path, content, {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except ConnectionError:
            return False
        finally:
            self.close()

    def close(self) -> None:
        """It opens again by itself."""
        self.connection.close()

    def search(self, query: str) -> Answer:
        start = time.perf_counter()
        try:
            status, body = self.ask("POST", "/search", {"query": query})
            error = "" if status == 200 else f"{status} {body}"
        except (OSError, http.client.HTTPException) as failure:
            error = repr(failure)
            self.close()
        return Answer(start, 1000 * (time.perf_counter() - start), error)

    def finds(self, change: Change) -> bool:
        """Whether a search for the new word gives the document, and the document shows them.

        A lexical one: the word is invented, no model knows what it means.
        """
        _, body = self.ask("POST", "/search", {"query": change.word, "mode": "lexical", "rerank": False})
        _, document = self.ask("GET", f"/documents/{change.doc_id}")
        self.close()
        found = change.doc_id in [result["doc_id"] for result in body["results"]]
        return found and change.word in document.get("text", "")

    def reload(self) -> str:
        """A sentence on what came of it."""
        status, body = self.ask("POST", "/admin/reload")
        self.close()
        if status != 200:
            return f"refused: {status} {body}"
        return f"{'reloaded' if body['reloaded'] else 'unchanged'}, serving {body['index']['version']}"


class Load:
    """Threads that search one query after another until they are told to stop; `answers` in the order asked."""

    def __init__(self, port: int, asked: list[str], concurrency: int) -> None:
        self.answers: list[Answer] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._search, args=(Client(port), islice(cycle(asked), n, None)))
            for n in range(concurrency)
        ]

    def _search(self, client: Client, asked: Any) -> None:
        for query in asked:
            self.answers.append(client.search(query))
            if self._stop.is_set():
                client.close()
                return

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.answers.sort(key=lambda answer: answer.at)
