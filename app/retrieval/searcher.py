"""The two stages as one object:  query → [router] → dense ∪ lexical → reranker → documents.

A citation in the query that resolves is pinned first; the ranked neighbours follow. Safe from any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import torch

from app.errors import NotFound, NotReady
from app.law.documents import Document
from app.law.query import QueryReader
from app.law.questions import questions
from app.retrieval.asked import Answers, Asked, rows_of
from app.retrieval.batching import in_line
from app.retrieval.filters import FilterColumns
from app.retrieval.fusion import RECALL, Folder, Fused, Group, Longs, covered, fuse, settled, sureness, with_family
from app.retrieval.index import Index
from app.retrieval.mapped import Mapped
from app.retrieval.neighbours import neighbours
from app.retrieval.pool import Pool, Stopwatch
from app.retrieval.results import highlights, shown_text
from app.retrieval.second_stage import second_stage
from app.retrieval.standing import notes, standing
from app.retrieval.types import (
    Candidates,
    Evidence,
    Filters,
    Floats,
    Mask,
    Match,
    Mode,
    PairScorer,
    Reranked,
    Result,
    Router,
    SearchRequest,
    SearchResponse,
    TextEncoder,
    Tuning,
    Understood,
    sigmoid,
)
from app.retrieval.vouching import NEAR_PASSAGES, Vouching

EVIDENCE = 3
"""Passages shown of a document."""
PINNED = ("resolved", "ambiguous", "former", "deleted")
"""Citations that lead to a document pin it: a case number that several decisions share all of them, an article that is
no longer law what is left of it."""
WIDE = 1000
"""Documents around a citation that filters choose from."""
SIMILAR_DEPTH = 5
"""Passages recalled per document asked for, where a document is the query."""
NOTHING = Candidates(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32))
NO_ANSWERS = Answers()
NO_POSITIONS = np.empty(0, dtype=np.int64)


class Searcher:
    """Searches one index with the models it was built with."""

    def __init__(
        self,
        index: Index,
        encoder: TextEncoder,
        reranker: PairScorer | None = None,
        *,
        router: Router | None = None,
        today: Callable[[], date] = date.today,
        tuning: Tuning | None = None,
        unavailable: str = "none is loaded",
    ) -> None:
        """`unavailable` says why there is no reranker; `tuning` replaces that of the manifest; `router` reads the
        citations of a query, by default against this corpus."""
        self.index, self.encoder, self.reranker = index, encoder, reranker
        self.today, self.unavailable = today, unavailable
        self.tuning = tuning or index.manifest.tuning
        self.columns = FilterColumns(index.documents, index.versions)
        self.citations = self.columns.citation_reader()
        self.router: Router = router or QueryReader(self.citations)
        self.folder = Folder(self.columns, index.passages.documents)
        decisions = self.columns.column("kind").where("precedent".__eq__)
        self._vouching = Vouching(index.graph, decisions, index.passages.documents)
        known = list(questions())
        self.asked = Asked(known, rows_of(known, self.columns, self.folder))
        self._families = self.columns.families()[index.passages.documents]
        self._seldom_read = Mapped(index.path, index.seldom_read)
        self._no_pool = self._plain_pool(fuse(NOTHING, NOTHING, 1.0, "hybrid", self.tuning), NOTHING, NOTHING)

    def warm(self) -> None:
        """One search of everything: maps the files and encodes the filter columns."""
        self.search(SearchRequest("손해배상책임의 요건", filters=Filters(kind=("statute", "precedent"))))
        self.search(SearchRequest("민법 제750조"))

    @in_line()
    def search(self, request: SearchRequest) -> SearchResponse:
        """Answer one request. Raises BadRequest for filters that cannot be met (unknown law, reversed dates)."""
        watch = Stopwatch()
        with watch("route"):
            understood = self.router(request.query)
            allowed = self.columns.mask(request.filters, request.as_of, request.exclude_docs)
        pinned = self._pinned(understood, allowed)
        if understood.only_citations:
            pool, degraded, beside = self._no_pool, None, self._beside(understood, request.k, allowed)
        else:
            pool, degraded = self._pool(understood, request, allowed, watch)
            beside = []
        results = self._results(request, pinned, pool, beside=beside)
        self._seldom_read.let_go()
        return SearchResponse(
            query=request.query,
            understood=understood,
            results=results,
            confident=self._confident(results, pool),
            degraded=degraded,
            took_ms=watch.took(),
            index=self.index.name,
            notes=notes(results, request.as_of),
        )

    def pool(self, request: SearchRequest) -> Pool:
        """What the stages say of the passages that a search ranks, before they become documents."""
        allowed = self.columns.mask(request.filters, request.as_of, request.exclude_docs)
        return self._pool(self.router(request.query), request, allowed, Stopwatch())[0]

    def candidates(
        self, queries: Sequence[str], depth: int, mode: Mode = "hybrid", allowed: Mask | None = None
    ) -> list[Candidates]:
        """The first stage alone: per query at most `depth` passages with fused scores. `allowed` is over passages."""
        documents, recalled = self._over_documents(allowed), max(depth, RECALL)
        vectors = self.encoder.encode_queries(queries) if mode != "lexical" and queries else None
        dense = [NOTHING] * len(queries) if vectors is None else self.index.dense.search(vectors, recalled, allowed)
        found: list[Candidates] = []
        for n, (query, side) in enumerate(zip(queries, dense, strict=True)):
            lexical = NOTHING if mode == "dense" else self.index.lexical.search(query, recalled, allowed)
            near = NOTHING
            if mode == "hybrid" and vectors is not None:
                near = self.near(vectors[n : n + 1], SearchRequest(query))
            answers = self._answers(query, mode)
            fused = self._fuse(query, side, lexical, mode, documents, near, answers)[0].head(depth)
            found.append(Candidates(fused.ids, fused.scores))
        return found

    def _over_documents(self, passages: Mask | None) -> Mask | None:
        """The documents that have an allowed passage."""
        if passages is None:
            return None
        documents = np.zeros(len(self.index.documents), dtype=bool)
        documents[self.index.passages.documents[passages]] = True
        return documents

    def rank_documents(self, candidates: Candidates) -> list[tuple[int, float]]:
        """Candidates folded: (document row, score of its best passage), best first."""
        groups = self.folder.fold(candidates.ids, candidates.scores)
        return [(group.document, float(candidates.scores[group.positions[0]])) for group in groups]

    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        """Scores of any texts, in their order. Raises NotReady without a reranker."""
        if self.reranker is None:
            raise NotReady(f"reranker unavailable: {self.unavailable}")
        logits = self.reranker.score(query, texts)
        return Reranked(logits, self.reranker.relevance(logits))

    def similar(self, doc_id: str, k: int = 10, filters: Filters | None = None) -> tuple[Result, ...]:
        """The documents nearest to one by cosine, itself left out. Raises NotFound for an unknown document."""
        row = self.index.documents.row(doc_id)
        if row is None:
            raise NotFound(f"no document {doc_id!r} in index {self.index.name.name}", doc_id=doc_id)
        vectors = self.index.dense.rows(self.index.passages_of(row))
        allowed = self._over_passages(self.columns.mask(filters or Filters(), exclude={doc_id}))
        nearest = _best_of(self.index.dense.search(vectors, SIMILAR_DEPTH * k, allowed))
        pool = self._plain_pool(fuse(nearest, NOTHING, 1.0, "dense", self.tuning), nearest, NOTHING)
        return self._results(SearchRequest("", k=k), [], pool, {self.folder.key(row)})

    def shown(self, document: Document, as_of: date | None = None) -> tuple[Document, dict[str, Any]]:
        """A document as it stood on a day, by default as it stands today, and its metadata."""
        return standing(document, self.index.versions, self.today(), as_of)

    def _pool(
        self, understood: Understood, request: SearchRequest, allowed: Mask | None, watch: Stopwatch
    ) -> tuple[Pool, str | None]:
        """The first stage, then the second where it is asked for; and why it did not take part, if so. The models read
        the text alone: they have learnt everyday words, which the lexical side needs bridged."""
        text = understood.sought
        mask, dense, lexical = self._over_passages(allowed), NOTHING, NOTHING
        recalled = max(request.depth, RECALL)
        if request.mode != "lexical":
            with watch("embed"):
                vectors = self.encoder.encode_queries([understood.text])
            with watch("dense"):
                dense = self.index.dense.search(vectors, recalled, mask)[0]
        if request.mode != "dense":
            with watch("lexical"):
                lexical = self.index.lexical.search(text, recalled, mask)
        with watch("fuse"):
            near = self.near(vectors, request) if request.mode == "hybrid" else NOTHING
            answers = self._answers(text, request.mode)
            fused, votes = self._fuse(text, dense, lexical, request.mode, allowed, near, answers)
            kept = fused.head(request.depth) if request.rerank else fused
            named = self._questions(kept, answers)
            pool = replace(self._plain_pool(kept, dense, lexical), votes=votes, questions=named)
        if not request.rerank:
            return pool, None
        with watch("rerank"):
            pool, degraded = self._reranked(understood.text, pool, request.k)
        return self._filled(pool, fused, request.k), degraded

    def _answers(self, text: str, mode: Mode) -> Answers:
        return self.asked(text) if mode == "hybrid" and self.tuning.asked_weight else NO_ANSWERS

    def _questions(self, fused: Fused, answers: Answers) -> dict[int, str]:
        """By passage: the question that its document is known to answer."""
        owned = zip(fused.ids.tolist(), self.index.passages.documents[fused.ids].tolist(), strict=True)
        return {passage: answers.questions[row] for passage, row in owned if row in answers.questions}

    def _over_passages(self, documents: Mask | None) -> Mask | None:
        return None if documents is None else documents[self.index.passages.documents]

    def _fuse(
        self,
        text: str,
        dense: Candidates,
        lexical: Candidates,
        mode: Mode,
        allowed: Mask | None,
        near: Candidates,
        answers: Answers,
    ) -> tuple[Fused, dict[int, float]]:
        """Both sides as one list, decisions in their own order; and the votes for each passage that has any."""
        attainable, sure = self.index.lexical.attainable(text), self.sure(dense, near)
        unsure = 1 - sure if len(dense.ids) else 0.0
        fused = fuse(dense, lexical, attainable, mode, self.tuning, sure)
        fused = with_family(fused, self._families[fused.ids], self.tuning.family_weight)
        fused = self._vouching.for_decrees(fused, self.tuning.delegated_weight * unsure)
        asked = self.tuning.asked_weight * answers.believed(covered(lexical, attainable))
        fused, _ = self._vouching.raised(fused, answers.votes, asked, allowed)
        fused, cited = self._vouching.for_articles(fused, near, self.tuning.cited_weight * sure, allowed)
        fused, linked = self._vouching(fused, dense, lexical, attainable, mode, self.tuning, allowed)
        return fused, {**cited, **linked}

    def near(self, vectors: Floats, request: SearchRequest) -> Candidates:
        """Passages of the decisions nearest to one query, float32 (1, dim), that may speak for articles; none where no
        articles are asked for."""
        kinds = request.filters.kind
        if kinds and "statute" not in kinds:
            return NOTHING
        known = Filters(kind=("precedent",), date_to=request.decided_to or request.as_of)
        decisions = self.columns.mask(known, exclude=request.exclude_docs)
        return self.index.dense.search(vectors, NEAR_PASSAGES, self._over_passages(decisions))[0]

    def sure(self, dense: Candidates, near: Candidates) -> float:
        """How sure the encoder is, by the best decision near the query, or else by the best article that it found."""
        if len(near.ids) and self.tuning.court_cosine > -1:
            return settled(float(near.scores[0]), self.tuning)
        articles = dense.scores[~self._vouching.decisions[self.index.passages.documents[dense.ids]]]
        scores = articles if len(articles) else dense.scores
        return sureness(float(scores[0]), self.tuning) if len(scores) else 0.0

    def _plain_pool(self, fused: Fused, dense: Candidates, lexical: Candidates) -> Pool:
        relevance = sigmoid(self.tuning.plain_scale * fused.plain.astype(np.float64) + self.tuning.plain_bias)
        return Pool(dense, lexical, fused, None, fused.scores, relevance)

    def _reranked(self, text: str, pool: Pool, count: int) -> tuple[Pool, str | None]:
        if self.reranker is None:
            return pool, f"reranker unavailable: {self.unavailable}"
        reranker, tokens = self.reranker, self.index.passage_tokens(pool.ids, self.reranker)
        owners = self.index.passages.documents[pool.ids]
        decisions, keys = self._vouching.decisions[owners], self.folder.keys(owners)

        def read(positions: Longs) -> Floats:
            return reranker.score_tokens(text, [tokens[position] for position in positions])

        try:
            logits, final = second_stage(read, pool.fused, reranker.blends, decisions, keys, count)
        except torch.OutOfMemoryError:
            return pool, "reranker unavailable: out of memory; ask for a smaller depth"
        return replace(pool, logits=logits, final=final, relevance=sigmoid(final)), None

    def _filled(self, pool: Pool, fused: Fused, count: int) -> Pool:
        """The pool, and where it has fewer than `count` documents, what the second stage did not read behind it: in
        the first stage's order, each below what stands before it."""
        read = len(pool.ids)
        owners = self.index.passages.documents[pool.ids].tolist()
        if read == len(fused.ids) or len({self.folder.key(row) for row in owners}) >= count:
            return pool
        whole = replace(self._plain_pool(fused, pool.dense, pool.lexical), votes=pool.votes, questions=pool.questions)
        if pool.logits is None or self.reranker is None:
            return whole
        blend = self.reranker.blends.statute
        step = np.float32(blend.scale * (blend.weight or 1.0))
        final = np.append(pool.final, pool.final.min() + step * (fused.scores[read:] - fused.scores[read - 1]))
        logits = np.append(pool.logits, np.full(len(final) - read, np.nan, dtype=np.float32))
        return replace(whole, logits=logits, final=final, relevance=sigmoid(final))

    def _confident(self, results: Sequence[Result], pool: Pool) -> bool:
        """Whether the first result is as relevant as those of its kind that are right often enough."""
        if not results:
            return False
        if pool.logits is None or self.reranker is None:
            return results[0].relevance >= self.tuning.plain_confident
        return results[0].relevance >= self.reranker.blends.of(results[0].kind).confident

    def _pinned(self, understood: Understood, allowed: Mask | None) -> list[int]:
        """The rows that citations lead to, in their order, each once, as far as the filters allow them."""
        ids = [found.doc_id for found in understood.citations if found.status in PINNED]
        rows = dict.fromkeys(self.index.documents.row(doc_id) for doc_id in ids if doc_id)
        return [row for row in rows if row is not None and (allowed is None or allowed[row])]

    def _beside(self, understood: Understood, count: int, allowed: Mask | None) -> list[int]:
        """What follows the pinned documents where the query is nothing but citations: found without a model."""
        wide = count if allowed is None else WIDE
        rows = neighbours(understood.citations, self.index, self.citations, wide)
        return [row for row in rows if allowed is None or allowed[row]][: count + len(understood.citations)]

    def _results(
        self,
        request: SearchRequest,
        pinned: list[int],
        pool: Pool,
        taken: frozenset[int] | set[int] = frozenset(),
        beside: Sequence[int] = (),
    ) -> tuple[Result, ...]:
        """Pinned documents, then the ranked ones that are relevant enough, or those beside a citation; `k` in all."""
        groups = self.folder.fold(pool.ids, pool.final)
        seen = taken | {self.folder.key(row) for row in pinned}
        positions = {group.document: group.positions for group in groups}
        first = [Group(row, positions.get(row, NO_POSITIONS)) for row in pinned]
        ranked = (
            group
            for group in groups
            if self.folder.key(group.document) not in seen
            and pool.relevance[group.positions[0]] >= (request.min_relevance or 0.0)
        )
        chosen: list[tuple[Group, Match]] = [(group, "citation") for group in first]
        chosen += [(group, "ranked") for group in ranked]
        if not request.min_relevance:
            chosen += [(Group(row, NO_POSITIONS), "ranked") for row in beside if self.folder.key(row) not in seen]
        return tuple(self._result(rank, *one, request, pool) for rank, one in enumerate(chosen[: request.k], 1))

    def _result(self, rank: int, group: Group, match: Match, request: SearchRequest, pool: Pool) -> Result:
        document, facts = self.shown(self.index.documents[group.document], request.as_of)
        text = shown_text(document)
        best = int(group.positions[0]) if len(group.positions) else None
        return Result(
            rank=rank,
            doc_id=document.doc_id,
            kind=document.kind,
            citation=document.citation,
            title=document.title,
            text=text,
            highlights=highlights(text, request.query),
            evidence=tuple(self._evidence(position, pool) for position in pool.shown(group.positions)[:EVIDENCE]),
            relevance=1.0 if match == "citation" else 0.0 if best is None else float(pool.relevance[best]),
            match=match,
            metadata={**facts, "cited_by": int(self.index.graph.cited_by_count[group.document])},
            stages=pool.stages(best) if request.explain and best is not None else None,
        )

    def _evidence(self, position: int, pool: Pool) -> Evidence:
        passage, relevance = int(pool.ids[position]), float(pool.relevance[position])
        return Evidence(self.index.passages.passage_id(passage), self.index.passages.text(passage), relevance)


def _best_of(lists: Sequence[Candidates]) -> Candidates:
    """Each passage once with its best score, best first, ties by id."""
    ids = np.concatenate([one.ids for one in lists])
    scores = np.concatenate([one.scores for one in lists])
    order = np.lexsort((ids, -scores))
    _, first = np.unique(ids[order], return_index=True)
    kept = order[np.sort(first)]
    return Candidates(ids[kept], scores[kept])
