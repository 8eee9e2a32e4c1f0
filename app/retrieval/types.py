"""The values of a search: what is asked, what is answered, and the two models as the searcher sees them.

The fields mirror the HTTP contract one by one; the HTTP layer turns bodies into these and back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from app.law.documents import Kind
from app.law.query import Understood as Understood
from app.law.resolve import FoundCitation as FoundCitation

Mode = Literal["hybrid", "dense", "lexical"]
Match = Literal["citation", "ranked"]
Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty tuples and None filter nothing; several values of one field are alternatives, the fields are all met."""

    kind: tuple[Kind, ...] = ()
    law: tuple[str, ...] = ()
    """Names (spaces and middots do not matter) or law ids."""
    law_kind: tuple[str, ...] = ()
    court: tuple[str, ...] = ()
    court_level: tuple[str, ...] = ()
    case_type: tuple[str, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    """Both included. A document without a date is outside any range."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. The HTTP layer has checked the ranges: query 1..2000 characters, k 1..100, depth k..1000."""

    query: str
    k: int = 10
    depth: int = 100
    """Passages that the second stage reads, the best of both sides of the first, which recall more."""
    mode: Mode = "hybrid"
    rerank: bool = True
    filters: Filters = Filters()
    as_of: date | None = None
    """Statutes as they stood on this day, decisions up to it; None: as they stand today."""
    min_relevance: float | None = None
    explain: bool = False
    exclude_docs: frozenset[str] = frozenset()
    """Never returned, not even pinned, and their citations speak for nothing. For evaluation; not part of the HTTP
    contract."""
    decided_to: date | None = None
    """Decisions after this day speak for no article; `as_of` says the same. For evaluation, as `exclude_docs`."""


Router = Callable[[str], Understood]
"""What finds citations and aliases in a query."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One of the best passages of a document."""

    passage_id: str
    text: str
    relevance: float


@dataclass(frozen=True, slots=True)
class StageScore:
    """Rank (1-based, among passages) and score of a document's best passage in one stage."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class RerankScore:
    rank: int
    logit: float


@dataclass(frozen=True, slots=True)
class Stages:
    """None where a stage did not see the document."""

    dense: StageScore | None = None
    lexical: StageScore | None = None
    fused: StageScore | None = None
    rerank: RerankScore | None = None
    links: float | None = None
    """How much the decisions that cite the document count, each 1 at most: the twenty nearest to the query for an
    article, the ten best for a decision. They move it up."""
    asked: str | None = None
    """The question most like the query of those that the article is known to answer. It moves it up."""


@dataclass(frozen=True, slots=True)
class Result:
    rank: int
    """1-based."""
    doc_id: str
    kind: Kind
    citation: str
    title: str
    text: str
    highlights: tuple[tuple[int, int], ...]
    """Spans [a, b) in `text`, ascending, disjoint."""
    evidence: tuple[Evidence, ...]
    """Best first."""
    relevance: float
    """0..1, calibrated: means the same across requests. 1.0 for a pinned citation, 0.0 for what stands beside it where
    no model was asked."""
    match: Match
    metadata: dict[str, Any]
    stages: Stages | None = None
    """Only where the request asks to explain."""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds per stage; `queue` is set by the HTTP layer. An answer that was computed for an equal search has
    `total` alone, and `queue` where it was waited for."""

    queue: float = 0.0
    route: float = 0.0
    embed: float = 0.0
    dense: float = 0.0
    lexical: float = 0.0
    fuse: float = 0.0
    rerank: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class IndexName:
    name: str
    version: str
    corpus_as_of: str
    """ISO date of the newest document, "" if unknown."""


@dataclass(frozen=True, slots=True)
class SearchResponse:
    query: str
    understood: Understood
    results: tuple[Result, ...]
    confident: bool
    degraded: str | None
    took_ms: Took
    index: IndexName
    notes: tuple[str, ...] = ()
    """What the asker should know of the results: where a text is not that of the day asked for."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """Scores of any texts for a query, in the order given; both float32 of shape (n,)."""

    logits: Floats
    relevance: Floats


class Candidates(NamedTuple):
    """First-stage passages of one query, best first, ties by id; ids int64 and scores float32, one length ≤ depth."""

    ids: Ids
    scores: Floats


@dataclass(frozen=True, slots=True)
class FusionWeights:
    """fused = dense × cosine + lexical × scaled BM25; a passage that one side did not find takes that side's lowest."""

    dense: float = 0.9
    lexical: float = 0.1


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the stages are mixed; kept in the index manifest."""

    weights: FusionWeights = FusionWeights()
    """Where the encoder is sure of what it finds."""
    unsure_weights: FusionWeights = FusionWeights(0.8, 0.2)
    """Where it is not."""
    worded_weights: FusionWeights = FusionWeights(0.5, 0.5)
    """Where it is not and an article has the words of the query: what was not learnt is better found by its words."""
    worded_share: float = 0.15
    """Share of the attainable BM25 that the best article reaches, at which those two meet half-way."""
    worded_width: float = 0.03
    """Of the sigmoid that leads from one to the other."""
    sure_cosine: float = -1.0
    """Best cosine of an article at which the two meet half-way, the encoder's own; −1: it is always sure."""
    sure_width: float = 0.02
    """Of the sigmoid that leads from one to the other."""
    court_cosine: float = -1.0
    """The same of a decision, which is asked in place of the article where the corpus has decisions and the encoder
    knows the level: questions that no court has dealt with in such words are those that it knows least of."""
    court_width: float = 0.02
    family_weight: float = 0.1
    """Added to a passage's fused score: what the best passages of its law, decree and rule found beside it."""
    delegated_weight: float = 0.3
    """Where the encoder is unsure, for articles of an Act and of its decree that were found together
    (app.retrieval.vouching)."""
    lexical_scale: Literal["best", "attainable"] = "best"
    """BM25 is divided by the query's best score, or by the most that a passage could reach for this query."""
    plain_scale: float = 10.0
    plain_bias: float = -5.0
    """Without a reranker: relevance = sigmoid(plain_scale × fused + plain_bias), BM25 scaled by the attainable there,
    so that it means the same in every request."""
    plain_confident: float = 0.5
    """The threshold of `confident` where no reranker took part."""
    precedent_weights: FusionWeights = FusionWeights(0.5, 0.5)
    """Of decisions among themselves: their digests are written in the words of the questions that courts ask."""
    asked_weight: float = 0.2
    """For articles that answer questions like the query (app.retrieval.asked)."""
    cited_weight: float = 0.16
    """For articles that the decisions nearest to the query cite (app.retrieval.vouching)."""
    link_weight: float = 0.1
    """For decisions that the best ones cite (app.retrieval.vouching). Chosen on track B dev."""


@dataclass(frozen=True, slots=True)
class Blend:
    """How a search orders documents of one kind that the second stage has read, and what that order means:

    log-odds = scale × (logit + weight × first-stage score) + bias, relevance = sigmoid(log-odds)
    """

    weight: float = 0.0
    scale: float = 1.0
    bias: float = 0.0
    confident: float = 0.5
    """Relevance of the first result from which a search is `confident`."""
    most: float | None = None
    """The logit that 999 of 1,000 passages do not exceed; None where nobody measured it."""

    @property
    def bound(self) -> float:
        return np.inf if self.most is None else self.most

    def log_odds(self, logits: Floats, scores: Floats) -> Floats:
        """All three float32 (n,)."""
        blended = logits.astype(np.float64) + self.weight * scores
        return (self.scale * blended + self.bias).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Blends:
    """Articles and decisions have scores of their own: with a blend for each kind, their log-odds compare."""

    statute: Blend = Blend()
    precedent: Blend | None = None
    """None: decisions are blended as articles are, by the scores of the places that the first stage gave them."""

    def of(self, kind: Kind) -> Blend:
        return self.precedent if kind == "precedent" and self.precedent else self.statute


class TextEncoder(Protocol):
    """The bi-encoder as index and searcher see it. Vectors are float32 (n, dim), L2-normalised."""

    name: str
    dim: int
    weights_sha256: str
    prompts: dict[str, str]
    query_tokens: int
    passage_tokens: int
    sure_cosine: float
    """Best cosine below which it is likely not to know what a query is about: the level that 19 of 20 queries of the
    kind that it was trained for exceed. −1 where nobody measured it."""
    sure_width: float
    court_cosine: float
    """The same among decisions."""
    court_width: float
    device: str
    format: str
    """Of the numbers it computes with: fp32, bf16, fp16."""

    def encode_queries(self, texts: Sequence[str]) -> Floats: ...

    def encode_passages(self, texts: Sequence[str]) -> Floats: ...

    def iter_encode_passages(self, texts: Iterable[str]) -> Iterator[Floats]: ...


class PairScorer(Protocol):
    """The cross-encoder as index and searcher see it. Logits are float32 (n,)."""

    name: str
    weights_sha256: str
    max_tokens: int
    query_tokens: int
    blends: Blends
    device: str
    format: str
    """Of the numbers it multiplies: fp32, bf16, fp16, int8."""

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]: ...

    def score(self, query: str, passages: Sequence[str]) -> Floats: ...

    def score_tokens(self, query: str, passages: Sequence[Tokens]) -> Floats: ...

    def relevance(self, logits: Floats) -> Floats: ...


class Sure(Protocol):
    """What an encoder knows of its own limits."""

    @property
    def sure_cosine(self) -> float: ...

    @property
    def sure_width(self) -> float: ...

    @property
    def court_cosine(self) -> float: ...

    @property
    def court_width(self) -> float: ...


def tuning_of(encoder: Sure) -> Tuning:
    """The tuning of an index of this encoder."""
    return Tuning(
        sure_cosine=encoder.sure_cosine,
        sure_width=encoder.sure_width,
        court_cosine=encoder.court_cosine,
        court_width=encoder.court_width,
    )


def sigmoid(log_odds: npt.NDArray[np.floating[Any]]) -> Floats:
    return (1 / (1 + np.exp(-np.clip(log_odds.astype(np.float64), -60, 60)))).astype(np.float32)
