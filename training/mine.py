"""train.jsonl + base encoder → triples.jsonl (rows with hard negatives), dev_pool.jsonl (candidates of dev queries)

Rows come from train.jsonl (positives by id) and, where the recipe asks, from the other sources of weak.jsonl (positives
as text). The candidates of a query are its dense and lexical neighbours among the passages of its positives' kind, and
the articles beside a positive in its law. Dropped are: a positive's document (or its namesake), what the same decision
cites, the decision itself, passages with a positive's text or all but its vector, and whatever scores above `margin` ×
the best positive: likely relevant, only not cited. A teacher (training/teaching.py) may read what was chosen.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from rich.progress import track

from app.law.text import match_key
from app.retrieval import device as devices
from app.retrieval.encoder import Encoder
from app.retrieval.filters import FilterColumns
from app.retrieval.lexical import LexicalIndex, weighted
from app.retrieval.reranker import Reranker
from app.retrieval.store import DocumentStore, PassageStore
from app.retrieval.types import Candidates
from training import sections
from training.base import base_folder
from training.dev import Keys, dev_queries, document_keys
from training.pairs import Row, read_json, write_rows
from training.recipe import Recipe, RecipeError
from training.teaching import Teacher
from training.vectors import Floats, Ids, TextEncoder, nearest, passage_vectors

CHUNK = 512
"""Queries encoded and searched at a time."""


class Lexical(Protocol):
    """The lexical index over a pool: its positions, best first."""

    def search(self, query: str, depth: int) -> Candidates: ...

    def attainable(self, query: str) -> float: ...


@dataclass(frozen=True)
class Pool:
    """The passages of one kind: what candidates are drawn from. All arrays have one entry per passage of the pool."""

    passages: Ids
    documents: npt.NDArray[np.int32]
    keys: Keys
    families: Ids
    bodies: npt.NDArray[np.uint64]
    vectors: Floats
    lexical: Lexical

    def positions(self, passages: Ids) -> Ids:
        """Of those passages that are in the pool."""
        found = np.searchsorted(self.passages, passages).astype(np.int64)
        inside = found < len(self.passages)
        found, passages = found[inside], passages[inside]
        own: Ids = found[self.passages[found] == passages]
        return own


def run(recipe: Recipe) -> None:
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    encoder = Encoder.load(base_folder(recipe, recipe.bi_encoder))
    pools = Pools(documents, passages, encoder, recipe.folder("mine"))
    mine(recipe, pools, recipe.triples)
    write_dev_pool(recipe, pools)


def mine(recipe: Recipe, pools: Pools, target: Path) -> Counter[str]:
    """Write the triples; returns (and prints) how many candidates were dropped, and why."""
    miner = Miner(recipe.mine, recipe.seed, pools)
    chosen = [
        (path, kind, numbers)
        for path, wanted in ((recipe.train_pairs, trained_sources(recipe.mine)), (recipe.weak_pairs, recipe.mine.weak))
        for kind, numbers in (chosen_rows(path, wanted, recipe.seed, miner.kind) if wanted else {}).items()
    ]
    if not chosen:
        raise RecipeError(
            f"{recipe.train_pairs} has no rows of mine.query_sources {list(recipe.mine.query_sources)}: name others"
        )
    triples: Iterator[Row] = (
        row
        for path, kind, numbers in chosen
        for row in miner.triples(read_rows(path, numbers), pools[kind], len(numbers))
    )
    if recipe.mine.teacher:
        reranker = Reranker.load(recipe.mine.teacher)
        triples = Teacher(reranker, pools.passages, recipe.mine.teacher_margin, miner.counts).taught(triples)
    write_rows(target, triples)
    print("  ".join(f"{reason} {count:,}" for reason, count in miner.counts.most_common()), flush=True)
    return miner.counts


def write_dev_pool(recipe: Recipe, pools: Pools) -> None:
    """Candidates of the dev queries that the bi-encoder is watched with."""
    queries = dev_queries(recipe.dev, recipe.bi_encoder.eval_queries, recipe.seed)
    miner = Miner(recipe.mine, recipe.seed, pools)
    texts = [(query.query_id, query.text) for query in queries]
    write_rows(recipe.dev_pool, miner.candidates(texts, pools[queries[0].kind]) if queries else ())


class Pools:
    """A pool per kind of document, made when first asked for; vectors are kept in `folder`."""

    def __init__(self, documents: DocumentStore, passages: PassageStore, encoder: TextEncoder, folder: Path) -> None:
        self.documents, self.passages, self.encoder, self.folder = documents, passages, encoder, folder
        self._made: dict[str, Pool] = {}

    def __getitem__(self, kind: str) -> Pool:
        """RecipeError where the corpus has no document of the kind."""
        if kind not in self._made:
            self._made[kind] = self._make(kind)
        return self._made[kind]

    def _make(self, kind: str) -> Pool:
        indices = np.flatnonzero(self.documents.column("kind")[self.passages.documents] == kind).astype(np.int64)
        if not len(indices):
            raise RecipeError(f"the corpus has no passages of the kind {kind}; take in records that have")
        rows = self.passages.documents[indices]
        texts = [self.passages.text(int(i)) for i in indices]
        return Pool(
            passages=indices,
            documents=rows,
            keys=document_keys(self.documents)[rows],
            families=FilterColumns(self.documents).families()[rows],
            bodies=np.array([body_hash(text) for text in texts], dtype=np.uint64),
            vectors=passage_vectors(self.encoder, self.passages, indices, self.folder / f"{kind}.npy"),
            lexical=LexicalIndex.build(map(weighted, texts)),
        )


def body_hash(text: str) -> int:
    """Equal for passages whose text below the heading is the same but for spaces and middots."""
    body = text.partition("\n")[2] or text
    return int.from_bytes(hashlib.blake2b(match_key(body).encode(), digest_size=8).digest(), "big")


def trained_sources(section: sections.Mine) -> dict[str, int]:
    """How many rows of train.jsonl to mine of each source: `max_queries`, 0 for all."""
    return dict.fromkeys(section.query_sources, section.max_queries)


def chosen_rows(path: Path, wanted: Mapping[str, int], seed: int, kind: Any) -> dict[str, Ids]:
    """Line numbers (ascending) of the rows to mine, by the kind of their positives; of each source as many as `wanted`
    says, drawn by seed, 0 for all."""
    numbers: dict[str, list[tuple[int, str]]] = {}
    for number, row in enumerate(read_json(path)):
        if row.get("source", "") in wanted:
            numbers.setdefault(row["source"], []).append((number, kind(row)))
    drawn: list[tuple[int, str]] = []
    for source, listed in numbers.items():
        most = wanted[source]
        if most and len(listed) > most:
            kept = np.random.default_rng(seed).choice(len(listed), most, replace=False)
            listed = [listed[i] for i in np.sort(kept)]
        drawn += listed
    kinds = sorted({kind for _, kind in drawn})
    return {kind: np.array(sorted(n for n, k in drawn if k == kind), dtype=np.int64) for kind in kinds}


def read_rows(path: Path, numbers: Ids) -> Iterator[Row]:
    wanted = set(numbers.tolist())
    return (row for number, row in enumerate(read_json(path)) if number in wanted) if wanted else iter(())


class Miner:
    """Picks negatives; `counts` says what was dropped why."""

    def __init__(self, section: sections.Mine, seed: int, pools: Pools) -> None:
        self.section, self.seed = section, seed
        self.documents, self.passages, self.encoder = pools.documents, pools.passages, pools.encoder
        self.counts: Counter[str] = Counter()
        self._keys = document_keys(pools.documents)
        self._device = devices.resolve("auto")

    def kind(self, row: Row) -> str:
        """statute or precedent, from the first positive. RecipeError where the corpus does not have it."""
        return str(self.documents.column("kind")[self._document(row)])

    def _document(self, row: Row) -> int:
        """The document of the first positive: by the passage's id, or by the key of a row with texts."""
        if "pos" not in row:
            return int(self.passages.documents[self._passage(row["positive_passages"][0])])
        document = self.documents.row(str(row.get("key", "")).partition("#")[0])
        if document is None:
            raise RecipeError(
                f"document {row.get('key')} is not in this corpus; make the pairs again with --from pairs"
            )
        return document

    def _passage(self, passage_id: str) -> int:
        index = self.passages.rows.get(passage_id)
        if index is None:
            raise RecipeError(f"passage {passage_id} is not in this corpus; make the pairs again with --from pairs")
        return index

    def triples(self, rows: Iterator[Row], pool: Pool, total: int) -> Iterator[Row]:
        """Each row with its hard negatives, in order. A row that is left with none is counted and not given."""
        steps = range(0, total, CHUNK)
        for _ in track(steps, description=f"mining {total:,} queries"):
            chunk = list(islice(rows, CHUNK))
            found = self._search([row["query"] if "pos" in row else row["query_text"] for row in chunk], pool)
            positives = self._positives(chunk, pool)
            for row, own, (vector, ids, scores) in zip(chunk, positives, found, strict=True):
                negatives = self._negatives(row, own, pool, vector, ids, scores)
                self.counts["queries"] += 1
                if negatives:
                    yield {
                        **row,
                        "hard_negatives": [self.passages.passage_id(int(pool.passages[n])) for n in negatives],
                    }
                else:
                    self.counts["queries without negatives"] += 1

    def candidates(self, queries: Sequence[tuple[str, str]], pool: Pool) -> Iterator[Row]:
        """Undropped candidates of queries, for the evaluation while training."""
        for start in range(0, len(queries), CHUNK):
            chunk = queries[start : start + CHUNK]
            found = self._search([text for _, text in chunk], pool)
            for (query_id, _), (_, ids, _) in zip(chunk, found, strict=True):
                yield {"query_id": query_id, "candidates": pool.passages[ids].tolist()}

    def _search(self, texts: list[str], pool: Pool) -> Iterator[tuple[Floats, Ids, Floats]]:
        """Per query: its vector, and dense ∪ lexical positions in the pool with cosines, dense first."""
        if not texts:
            return
        vectors = self.encoder.encode_queries(texts)
        scores, ids = nearest(vectors, pool.vectors, self.section.depth + self.section.skip_top, self._device)
        for text, vector, own, own_scores in zip(texts, vectors, ids, scores, strict=True):
            more = pool.lexical.search(text, self.section.lexical).ids if self.section.lexical else own[:0]
            more = np.setdiff1d(more, own)
            yield vector, np.concatenate([own, more]), np.concatenate([own_scores, pool.vectors[more] @ vector])

    def _positives(self, rows: list[Row], pool: Pool) -> list[Floats]:
        """The vectors of each row's positives."""
        texts = [text for row in rows for text in row.get("pos", ())]
        encoded = iter(self.encoder.encode_passages(texts) if texts else ())
        return [
            np.stack([next(encoded) for _ in row["pos"]])
            if "pos" in row
            else np.asarray(pool.vectors[self._places(row, pool)])
            for row in rows
        ]

    def _places(self, row: Row, pool: Pool) -> Ids:
        passages = [self._passage(p) for p in row["positive_passages"]]
        return pool.positions(np.array(passages, dtype=np.int64))

    def _negatives(
        self, row: Row, positives: Floats, pool: Pool, vector: Floats, ids: Ids, scores: Floats
    ) -> list[int]:
        barred = self._barred(row, pool)
        if self.section.beside and pool.documents.size:
            more = np.setdiff1d(self._beside(row, pool), ids)
            ids, scores = np.concatenate([ids, more]), np.concatenate([scores, pool.vectors[more] @ vector])
        best = float((positives @ vector).max())
        kept = self._kept(ids, scores, pool, barred, best - (1 - self.section.margin) * abs(best))
        kept = self._distinct(kept[self.section.skip_top :], positives, pool)
        rng = np.random.default_rng([self.seed, zlib.crc32(str(row.get("query_id") or row["query"]).encode())])
        hard = self.section.negatives - round(self.section.random_share * self.section.negatives)
        chosen = sorted(rng.choice(len(kept), min(hard, len(kept)), replace=False).tolist()) if kept else []
        drawn = (int(n) for n in rng.integers(len(pool.passages), size=4 * self.section.negatives))
        spare = dict.fromkeys(n for n in drawn if not barred.holds(n, pool) and n not in kept)
        return [*(kept[i] for i in chosen), *list(spare)[: self.section.negatives - len(chosen)]]

    def _beside(self, row: Row, pool: Pool) -> Ids:
        """The passages of the articles up to `beside` places before and after the first positive in its law."""
        document, reach = self._document(row), self.section.beside
        law = self.documents.column("law_id")
        near = range(max(0, document - reach), min(len(self.documents), document + reach + 1))
        rows = [other for other in near if other != document and law[other] == law[document] and law[document]]
        low, high = np.searchsorted(pool.documents, rows), np.searchsorted(pool.documents, rows, side="right")
        return np.array([n for a, b in zip(low, high, strict=True) for n in range(a, b)], dtype=np.int64)

    def _distinct(self, kept: list[int], positives: Floats, pool: Pool) -> list[int]:
        """Without those whose vector is nearly a positive's: the same rule under another number."""
        if not kept or self.section.duplicate >= 1:
            return kept
        like = (pool.vectors[kept] @ positives.T).max(axis=1) > self.section.duplicate
        self.counts["nearly a positive"] += int(like.sum())
        return [position for position, drop in zip(kept, like, strict=True) if not drop]

    def _barred(self, row: Row, pool: Pool) -> Barred:
        cited = [self.documents.row(doc_id) for doc_id in row.get("exclude", ())]
        document, own = self._document(row), self.documents.row(str(row.get("query_id", "")).partition("#")[0])
        if "pos" in row:
            keys, bodies = {str(self._keys[document])}, {body_hash(text) for text in row["pos"]}
        else:
            places = self._places(row, pool)
            keys, bodies = set(pool.keys[places]), set(pool.bodies[places].tolist())
        return Barred(
            keys=frozenset(keys),
            cited=frozenset(document for document in cited if document is not None),
            own=-1 if own is None else own,
            bodies=frozenset(bodies),
        )

    def _kept(self, ids: Ids, scores: Floats, pool: Pool, barred: Barred, ceiling: float) -> list[int]:
        kept: list[int] = []
        for position, score in zip(ids.tolist(), scores.tolist(), strict=True):
            reason = barred.reason(position, pool) or ("above the margin" if score > ceiling else "")
            self.counts[reason or "kept"] += 1
            if not reason:
                kept.append(position)
        return kept


@dataclass(frozen=True, slots=True)
class Barred:
    """What no negative of one query may be."""

    keys: frozenset[str]
    cited: frozenset[int]
    own: int
    bodies: frozenset[int]

    def reason(self, position: int, pool: Pool) -> str:
        """Why a passage of the pool is barred, "" if it is not."""
        if pool.keys[position] in self.keys:
            return "of a positive's document"
        if int(pool.documents[position]) in self.cited:
            return "cited by the same decision"
        if int(pool.documents[position]) == self.own:
            return "the query's own decision"
        return "same text as a positive" if int(pool.bodies[position]) in self.bodies else ""

    def holds(self, position: int, pool: Pool) -> bool:
        return bool(self.reason(position, pool))
