"""The peer: a Haystack pipeline, text embedder → FAISS retriever → similarity ranker, behind FastAPI.

The ranking is the textbook's, logit + weight × cosine: the sum is taken outside the pipeline, which has no component
for it. benchmarks.serving runs it with the Python of build/peers/haystack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import torch
from haystack import Document, Pipeline
from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersTextEmbedder
from haystack_integrations.components.rankers.sentence_transformers import SentenceTransformersSimilarityRanker
from haystack_integrations.components.retrievers.faiss import FAISSEmbeddingRetriever
from haystack_integrations.document_stores.faiss import FAISSDocumentStore

from benchmarks.peers.service import MAX_TOKENS, Corpus, options, run, service


def store(corpus: Corpus) -> FAISSDocumentStore:
    """The passages, named by their row. Haystack's lists of floats would take gigabytes: these are rows of an array."""
    flat = corpus.flat
    vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)
    made = FAISSDocumentStore(embedding_dim=flat.d)
    made.write_documents(
        [Document(id=str(row), content=corpus.text(row), embedding=vectors[row]) for row in range(flat.ntotal)]
    )
    return made


def pipeline(passages: FAISSDocumentStore, encoder: Path, reranker: Path) -> Pipeline:
    full: dict[str, Any] = {"model_kwargs": {"dtype": torch.float32}}
    query: dict[str, Any] = {"encode_kwargs": {"prompt_name": "query"}, "progress_bar": False}
    cut: dict[str, Any] = {"tokenizer_kwargs": {"model_max_length": MAX_TOKENS}, "scale_score": False}
    steps = Pipeline()
    steps.add_component("embedder", SentenceTransformersTextEmbedder(model=str(encoder), **query, **full))
    steps.add_component("retriever", FAISSEmbeddingRetriever(document_store=passages))
    steps.add_component("ranker", SentenceTransformersSimilarityRanker(model=str(reranker), **cut, **full))
    steps.connect("embedder.embedding", "retriever.query_embedding")
    steps.connect("retriever.documents", "ranker.documents")
    steps.warm_up()
    return steps


class Searcher:
    """The pipeline may run in several threads at once."""

    def __init__(self, steps: Pipeline, corpus: Corpus, weight: float) -> None:
        self.steps, self.corpus, self.weight = steps, corpus, weight

    def search(self, query: str, k: int, depth: int) -> list[dict[str, str]]:
        wanted = {
            "embedder": {"text": query},
            "retriever": {"top_k": depth},
            "ranker": {"query": query, "top_k": depth},
        }
        done = self.steps.run(wanted, include_outputs_from={"retriever"})
        cosines = {one.id: cosine(one.score) for one in done["retriever"]["documents"]}
        final = {int(one.id): one.score + self.weight * cosines[one.id] for one in done["ranker"]["documents"]}
        return self.corpus.fold(sorted(final, key=final.__getitem__, reverse=True), k)


def cosine(score: float) -> float:
    """Of unit vectors whose score is 1 / (1 + squared distance), as Haystack gives it; the distance is 2 − 2 cosine."""
    return 1 - (1 / score - 1) / 2


def main() -> None:
    given = options("haystack")
    corpus = Corpus(given.folder)
    searcher = Searcher(pipeline(store(corpus), given.encoder, given.reranker), corpus, given.weight)
    run(service(searcher.search), given.port)


if __name__ == "__main__":
    main()
