"""What a cross-encoder in training is worth: its measures over the first stage's own candidates of dev queries."""

from __future__ import annotations

from typing import Any

from sentence_transformers.base.evaluation import BaseEvaluator

from app.retrieval.store import PassageStore
from training.calibration import Scored
from training.dev import qrels
from training.measures import means
from training.reranking import Judged, Pair, PairTokens, evaluating, forward
from training.vectors import Floats


class RerankEvaluator(BaseEvaluator):
    """nDCG@10, RR@10, R@10 and R@100 by the logit alone, misses counted; `blended` is the best nDCG@10 of any weight of
    the first stage's score beside it, as a search ranks."""

    def __init__(self, judged: list[Judged], passages: PassageStore, tokens: PairTokens, batch_tokens: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the library does not type it
        self.judged, self.tokens, self.batch_tokens = judged, tokens, batch_tokens
        self.pairs = [
            tokens.pairs([one.query.text] * len(one.passages), passages.texts(one.passages)) for one in judged
        ]
        self.primary_metric = "nDCG@10"

    def __call__(
        self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, float]:
        with evaluating(model):
            logits = [self._logits(model, pairs) for pairs in self.pairs]
        blended = max(Scored(self.judged, logits).by_weight().values())
        return {**self._means(logits), "blended": blended}

    def _logits(self, model: Any, pairs: list[Pair]) -> Floats:
        device = next(model.parameters()).device
        tokens = {name: tensor.to(device) for name, tensor in self.tokens.pad(pairs).items()}
        logits: Floats = forward(model, tokens, self.batch_tokens).cpu().numpy()
        return logits

    def first_stage(self) -> dict[str, float]:
        """The measures of the candidates as they came."""
        return self._means([one.scores for one in self.judged])

    def _means(self, scores: list[Floats]) -> dict[str, float]:
        rankings = {j.query.query_id: j.ranking(own) for j, own in zip(self.judged, scores, strict=True)}
        return means(rankings, qrels([one.query for one in self.judged]))
