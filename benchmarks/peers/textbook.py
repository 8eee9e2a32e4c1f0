"""The peer: what most people write. SentenceTransformer.encode + IndexFlatIP + CrossEncoder.predict."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import torch
from sentence_transformers import CrossEncoder, SentenceTransformer

from app.retrieval.device import model_settings
from app.retrieval.index import Index
from app.retrieval.reranker import blends
from benchmarks.peers.service import MAX_TOKENS


class Textbook:
    """Dense recall of `depth` passages over the same vectors, reranked as text; folded to documents by best passage.

    It ranks by the same sum as our articles, logit + weight × cosine, so that the top ten can be compared.
    """

    def __init__(self, index: Index, encoder: Path, reranker: Path) -> None:
        self.index = index
        full = {"dtype": torch.float32}
        self.encoder = SentenceTransformer(str(encoder), model_kwargs=full, local_files_only=True)
        self.reranker = CrossEncoder(str(reranker), model_kwargs=full, local_files_only=True, max_length=MAX_TOKENS)
        self.weight = blends(model_settings(reranker)).statute.weight
        self.flat = faiss.IndexFlatIP(index.dense.dim)
        self.flat.add(np.ascontiguousarray(index.dense.rows(range(len(index.dense)))))

    def search(self, query: str, k: int, depth: int) -> list[str]:
        """The doc_ids of the best `k` documents."""
        vector = self.encoder.encode([query], prompt_name="query", show_progress_bar=False)
        cosines, found = self.flat.search(vector, min(depth, len(self.index.passages)))
        passages = found[0].tolist()
        pairs = [(query, text) for text in self.index.passages.texts(passages)]
        scores = self.reranker.predict(pairs, show_progress_bar=False)
        final = np.asarray(scores) + self.weight * cosines[0]
        order = np.argsort(-final, kind="stable")
        owners = (int(self.index.passages.documents[passages[i]]) for i in order)
        return [self.index.documents[row].doc_id for row in dict.fromkeys(owners)][:k]
