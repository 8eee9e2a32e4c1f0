"""Models that need no weights, and a searcher over a handful of documents: deterministic, in milliseconds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.law.documents import Document, article_number, passages, statute_doc_id
from app.law.text import match_key
from app.retrieval.index import Index
from app.retrieval.publish import publish
from app.retrieval.searcher import Searcher
from app.retrieval.store import write_documents, write_passages
from app.retrieval.types import Blend, Blends, Floats, PairScorer, SearchResponse, TextEncoder, Tokens
from app.retrieval.versions import FILE as VERSIONS
from app.retrieval.versions import Version, write_versions

TODAY = date(2026, 11, 1)
"""What the fake searchers take for today."""


def bigrams(text: str) -> set[str]:
    key = match_key(text)
    return {key[i : i + 2] for i in range(len(key) - 1)} or {key}


class FakeEncoder:
    """Texts to sums of pseudo-random directions, one per character bigram: texts sharing bigrams are close."""

    def __init__(self, dim: int = 32, weights: str = "fake-encoder") -> None:
        self.name = "fake-encoder"
        self.dim = dim
        self.weights_sha256 = hashlib.sha256(weights.encode()).hexdigest()
        self.prompts = {"query": "query: ", "document": "passage: "}
        self.query_tokens, self.passage_tokens = 64, 256
        self.sure_cosine, self.sure_width = -1.0, 0.02
        self.court_cosine, self.court_width = -1.0, 0.02
        self.device, self.format = "cpu", "fp32"

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        return np.array([self._vector(text) for text in texts], dtype=np.float32).reshape(-1, self.dim)

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        return self.encode_queries(texts)

    def iter_encode_passages(self, texts: Iterable[str]) -> Iterator[Floats]:
        for text in texts:
            yield self.encode_passages([text])

    def _vector(self, text: str) -> Floats:
        total = np.zeros(self.dim, dtype=np.float32)
        for gram in sorted(bigrams(text)):
            seed = int.from_bytes(hashlib.sha256(gram.encode()).digest()[:8], "little")
            total += np.random.default_rng(seed).standard_normal(self.dim).astype(np.float32)
        return total / max(float(np.linalg.norm(total)), 1e-9)


class FakeReranker:
    """Logit 8 × (share of the query's bigrams that the passage holds) − 4; tokens are code points."""

    def __init__(self, weights: str = "fake-reranker", confident: float = 0.5) -> None:
        self.name = "fake-reranker"
        self.weights_sha256 = hashlib.sha256(weights.encode()).hexdigest()
        self.max_tokens, self.query_tokens = 512, 96
        self.blends = Blends(Blend(confident=confident))
        self.device, self.format = "cpu", "fp32"

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        return [np.array([ord(c) for c in text], dtype=np.int32) for text in texts]

    def score(self, query: str, passages: Sequence[str]) -> Floats:
        wanted = bigrams(query)
        shares = [len(wanted & bigrams(passage)) / len(wanted) for passage in passages]
        return np.array([8 * share - 4 for share in shares], dtype=np.float32)

    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        return self.score(query, ["".join(map(chr, passage)) for passage in passages])

    def relevance(self, logits: Floats) -> Floats:
        return (1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -60, 60)))).astype(np.float32)


def statute(law_id: str, law: str, article: str, title: str, text: str, **fields: Any) -> Document:
    """An article in force since 2020, unless `fields` says otherwise."""
    values = {"date": "2020-01-01", "law_kind": "법률", **fields}
    doc_id = values.pop("doc_id", statute_doc_id(law_id, *article_number(article)))
    return Document(
        doc_id, "statute", f"{law} {article}", title, text, law_id=law_id, law=law, article=article, **values
    )


def precedent(number: int, title: str, issues: str, holdings: str = "", **fields: Any) -> Document:
    """A civil decision of the Supreme Court in 2020, unless `fields` says otherwise."""
    values = {
        "date": "2020-05-14", "court": "대법원", "court_level": "대법원", "case_type": "민사",
        "case_no": f"2019다{number}", **fields,
    }  # fmt: skip
    citation = f"{values['court']} 2020. 5. 14. 선고 {values['case_no']} 판결"
    return Document(f"p{number}", "precedent", citation, title, "", issues=issues, holdings=holdings, **values)


DOCUMENTS = (
    statute(
        "001706", "민법", "제750조", "불법행위의 내용",
        "고의 또는 과실로 인한 위법행위로 타인에게 손해를 가한 자는 그 손해를 배상할 책임이 있다.",
    ),
    statute(
        "001706", "민법", "제839조의2", "재산분할청구권",
        "협의상 이혼한 자의 일방은 다른 일방에 대하여 재산분할을 청구할 수 있다.",
    ),
    statute("001692", "형법", "제307조", "명예훼손", "공연히 사실을 적시하여 사람의 명예를 훼손한 자는 처벌한다."),
    statute(
        "001872", "근로기준법", "제23조", "해고 등의 제한",
        "사용자는 근로자에게 정당한 이유 없이 해고하지 못한다.", date="2027-01-01",
    ),
    precedent(
        101, "손해배상(기)", "[1] 위법행위로 인한 손해배상책임의 요건\n[2] 과실상계의 방법",
        "[1] 손해를 가한 자는 배상책임이 있다.\n[2] 피해자의 과실을 참작한다.",
    ),
    precedent(
        102, "해고무효확인", "정당한 이유 없는 해고의 효력(소극)", "정당한 이유 없는 해고는 무효이다.",
        date="2021-03-02",
    ),
)  # fmt: skip


def build_index(
    folder: Path,
    documents: Sequence[Document] = DOCUMENTS,
    encoder: TextEncoder | None = None,
    reranker: PairScorer | None = None,
    versions: Sequence[Version] = (),
    **options: Any,
) -> Searcher:
    """Publish an index `fake` of the documents, and versions of them, under `folder`/indexes; open a searcher on it.

    The models default to the fakes; `options` go to Searcher.
    """
    encoder, reranker = encoder or FakeEncoder(), reranker or FakeReranker()
    write_corpus(folder / "corpus", documents)
    if versions:
        write_versions(folder / "corpus" / VERSIONS, versions)
    path = publish(folder / "indexes", "fake", folder / "corpus", encoder, reranker)
    index = Index.open(path, encoder, reranker)
    return Searcher(index, encoder, reranker, **{"today": lambda: TODAY, **options})


def write_corpus(folder: Path, documents: Sequence[Document], limit: int = 600) -> None:
    """documents.arrow and passages.arrow, as the corpus step writes them."""
    write_documents(folder / "documents.arrow", documents)
    rows = ((p.passage_id, row, p.text) for row, d in enumerate(documents) for p in passages(d, limit))
    write_passages(folder / "passages.arrow", rows)


class Exhausted(FakeReranker):
    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats:
        raise torch.OutOfMemoryError("no memory left")


def other(searcher: Searcher, **options: object) -> Searcher:
    """The same index, searched otherwise."""
    given = {"encoder": searcher.encoder, "reranker": searcher.reranker, "today": lambda: TODAY, **options}
    return Searcher(searcher.index, **given)  # type: ignore[arg-type]  # each option is of its own type


def ids(response: SearchResponse) -> list[str]:
    return [result.doc_id for result in response.results]
