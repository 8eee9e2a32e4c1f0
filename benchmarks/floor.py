"""What the models alone take: the two forward passes of searches, in process, their texts tokenised before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from statistics import median

import torch
from torch.utils.flop_counter import FlopCounterMode

from app.retrieval.owner import computed
from app.retrieval.reranker import Pair, Reranker
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest
from benchmarks.load import Turn

FLOOR = "floor"
MULTIPLY = 0.5
"""Seconds for which matrices are multiplied, to see how fast that goes."""


class Floor:
    """The two forward passes of searches whose texts are tokenised already."""

    name = FLOOR

    def __init__(self, searcher: Searcher, asked: Sequence[str], depth: int) -> None:
        assert isinstance(searcher.reranker, Reranker)
        self.searcher, self.reranker = searcher, searcher.reranker
        self.pairs: dict[str, list[Pair]] = {}
        for query in asked:
            pool = searcher.pool(SearchRequest(query, mode="dense", depth=depth, rerank=False))
            passages = searcher.index.passage_tokens(pool.ids[:depth], self.reranker)
            self.pairs[query] = self.reranker.pairs(query, passages)

    def turn(self, asked: Sequence[str], concurrency: int, seconds: float) -> Turn:
        done, waiting = Turn(), cycle(asked)
        start, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            begun = time.perf_counter()
            self.together(list(islice(waiting, concurrency)))
            done.ms += [1000 * (time.perf_counter() - begun)] * concurrency
        done.seconds, done.cpu = time.perf_counter() - start, time.process_time() - cpu
        return done

    def together(self, asked: Sequence[str]) -> None:
        """Several searches as one: their queries embedded, their pairs in one order by length."""
        self.searcher.encoder.encode_queries(asked)
        self.reranker.score_pairs([pair for query in asked for pair in self.pairs[query]])

    def flops(self, query: str) -> int:
        """Of the matrix products of one search."""
        return computed(lambda: self._counted(query))

    def _counted(self, query: str) -> int:
        """In the thread of the models: the counter sees its own."""
        with FlopCounterMode(display=False) as counter:
            self.together([query])
        return int(counter.get_total_flops())

    def flops_a_second(self) -> float:
        """Of a product like those of the reranker's feed-forward, in its format."""
        model = self.reranker.model
        config, rows = model.config, self.reranker.batch_tokens
        left = torch.randn(rows, config.hidden_size, dtype=model.dtype, device=model.device)
        right = torch.randn(config.hidden_size, config.intermediate_size, dtype=model.dtype, device=model.device)
        times, stop = [], time.perf_counter() + MULTIPLY
        while (start := time.perf_counter()) < stop:
            torch.mm(left, right).sum().item()
            times.append(time.perf_counter() - start)
        return 2 * left.numel() * right.shape[1] / median(times)
