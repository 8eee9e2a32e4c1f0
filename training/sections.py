"""The sections of a recipe, one per step: strict and frozen, an unknown key is an error."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Corpus(Section):
    """Records → documents and passages."""

    sources: tuple[str, ...] = ("samples",)
    """Folders or files: *.jsonl[.zst] records, law.go.kr bodies (folder or .tar.zst)."""
    strict: bool = False
    """Stop at the first broken record instead of counting it."""
    passage_chars: int = Field(default=600, ge=100)


class Pretrain(Section):
    """A tokenizer and a small encoder from nothing, on weak pairs."""

    enabled: bool = True
    """Off where the bi-encoder starts from a ready-made base."""
    tokenizer: Literal["wordpiece", "unigram"] = "wordpiece"
    vocab: int = 32000
    dim: int = 384
    layers: int = 2
    heads: int = 6
    intermediate: int = 768
    token_epochs: float = 3.0
    """Epochs over the weak pairs with no transformer block: token vectors only."""
    token_batch: int = 1024
    token_lr: float = 3e-3
    epochs: float = 1.0
    """Epochs over the weak pairs with the blocks."""
    masked_steps: int = Field(default=0, ge=0)
    """Steps of masked language modelling before that."""
    masked_batch: int = 128
    block_shares: dict[str, float] = {}
    """Part of each pair source that one epoch of the blocks sees; 1 where a source is not named."""
    batch: int = 512
    lr: float = 1e-3
    embedding_lr: float = 3e-4
    temperature: float = 0.05
    query_tokens: int = 96
    passage_tokens: int = 112
    max_tokens: int = 320
    """Window of the finished encoder."""
    save_steps: int = 100


class Pairs(Section):
    """Corpus → pairs, dev queries and qrels."""

    train_before: str = "2022-01-01"
    dev: str = ""
    """Folder with queries.jsonl and qrels.*.tsv; "" makes dev queries from decisions on or after `train_before`."""
    max_positives: int = 8
    max_per_document: int = 400
    """Rows kept of one much-cited article, 0 for all: 민법 제750조 alone is 4 % of all citations."""
    held_out: float = Field(default=0.0, ge=0, lt=1)
    """Share of articles that lose the pairs that courts gave them: what is then measured on them is generality."""
    sentences: int = Field(default=2, ge=1)
    """Sentences of one article that become queries for the rest of it, at most."""
    plain_share: float = Field(default=0.3, ge=0, le=1)
    """Share of titles and sentences put in everyday words and as questions."""
    judgments: tuple[str, ...] = ()
    """Files of whole judgments, JSON lines with precedent_id, decision_date and text."""
    max_per_article_in_judgments: int = 60
    questions: str = ""
    """Folder of questions as people ask them (app/law/asked is one); "" for none."""
    question_copies: int = Field(default=10, ge=1)
    """How often each of them stands among the weak pairs: they are few."""


class Mine(Section):
    """Pairs → triples."""

    depth: int = 50
    """Dense neighbours of a query that can become negatives."""
    lexical: int = 10
    """Lexical neighbours added to them."""
    skip_top: int = 0
    negatives: int = 8
    margin: float = 0.95
    """A candidate scoring above `margin` × the positive's score is taken for a false negative."""
    random_share: float = 0.2
    max_queries: int = 0
    """Rows of each of `query_sources`, 0 for all."""
    query_sources: tuple[str, ...] = ("issue_article",)
    """Sources of train.jsonl."""
    weak: dict[str, int] = {}
    """Sources of weak.jsonl and how many of their rows, 0 for all."""
    beside: int = Field(default=0, ge=0)
    """Articles before and after a positive in its law that are candidates too."""
    duplicate: float = 0.98
    """Cosine above which a candidate is taken for the positive's own rule under another number."""
    teacher: str = ""
    """Hub name or folder of a cross-encoder that reads every positive and negative; "" for none."""
    teacher_margin: float | None = None
    """A negative whose logit is not this far below the best positive's is dropped; None drops none."""

    @model_validator(mode="after")
    def _margin_has_a_teacher(self) -> Self:
        if self.teacher_margin is not None and not self.teacher:
            raise ValueError("teacher_margin needs a teacher: name a cross-encoder")
        return self


class Trainer(Section):
    """What both fine-tuning steps share: optimisation, memory measures, evaluation, checkpoints."""

    base: str = ""
    """Hub name or local folder; "" takes the model of the step before."""
    epochs: float = 1.0
    max_steps: int = -1
    batch: int = 64
    accumulation: int = 1
    lr: float = 2e-5
    weight_decay: float = 0.01
    warmup_steps: int = 0
    warmup_ratio: float = 0.1
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 where the CPU or GPU computes it, else fp32. fp16 needs a GPU and falls back to auto without one."""
    gradient_checkpointing: bool = False
    freeze_layers: int = 0
    """Lowest transformer blocks kept as they are, with the embeddings."""
    lora_rank: int = 0
    """0 is a full fine-tune."""
    lora_alpha: int = 32
    lora_dropout: float = 0.05
    lora_targets: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    stored: Literal["auto", "fp32", "fp16"] = "auto"
    """Number format of the finished weights on disk; auto is fp16 where `base` is ""."""
    eval_steps: int = 200
    patience: int = 3
    """Evaluations without improvement before stopping; 0 never stops early."""
    best_by: str = "nDCG@10"
    """nDCG@10 over real first-stage candidates, or loss; for a cross-encoder also `blended`, with the first stage."""
    eval_queries: int = 200
    logging_steps: int = 20
    report_to: Literal["none", "tensorboard", "wandb"] = "none"
    seed: int = 7


class BiEncoder(Trainer):
    """Triples → LoRA adapter → merged bi-encoder."""

    lora_rank: int = 16
    temperature: float = Field(default=0.05, gt=0)
    symmetric: float = Field(default=0.0, ge=0, le=1)
    """Part of the loss in which the positives choose among the queries."""
    frequency: float = Field(default=0.0, ge=0)
    """Correction for documents that are often a positive: 0 none, 1 the whole logarithm of their training rows."""
    guide: bool = False
    """Mask in-batch negatives that the base prefers to the positive."""
    dimensions: tuple[int, ...] = ()
    """Shorter vectors that are trained too (Matryoshka)."""
    distillation: float = Field(default=0.0, ge=0)
    """Weight of the distance to what mine.teacher says of a query's own positive and negatives; 0 is none."""
    negatives: int = 4
    query_prompt: str = "query: "
    passage_prompt: str = "passage: "
    query_tokens: int = 64
    passage_tokens: int = 256
    pooling: Literal["mean", "cls", "lasttoken"] = "mean"


class CrossEncoder(Trainer):
    """Triples → cross-encoder, calibration."""

    loss: Literal["binary", "listwise", "margin"] = "listwise"
    negatives: int = 7
    max_tokens: int = 256
    query_tokens: int = 96
    depth: int = 50
    """First-stage candidates that the evaluation reranks."""
    classifier_pooling: Literal["mean", "cls"] = "mean"
    """Pooling under a fresh head, where the architecture lets choose."""
    positive_weight: float = Field(default=1.0, gt=0)
    """Weight of the positives in the binary loss."""
    margin: float = 1.0
    """By which a positive's logit must exceed a negative's in the margin loss."""
    remine: bool = True
    """Negatives by the trained bi-encoder instead of those of the mine step."""
    mined: float = Field(default=1.0, gt=0, le=1)
    """Share of the mine step's queries that are mined anew."""
    mined_margin: float | None = Field(default=None, gt=0)
    """`mine.margin` of what is mined anew, None for the same. A first stage's errors are what scores above a positive:
    below 1 the model never sees them."""
    graft: bool = False
    """Start with the trained bi-encoder's token vectors in place of the base's."""
    target_precision: float = Field(default=0.8, gt=0, le=1)
    """Precision of the first result at and above the `confident` threshold."""


class Index(Section):
    """Models + corpus → indexes/<name>/<version>/."""

    name: str = "samples"
    root: str = "indexes"
    batch_tokens: int = Field(default=0, ge=0)
    """Padded tokens of one forward pass; 0 is what was measured best for the device."""


class Calibrate(Section):
    """Index + dev queries → blend, calibration and threshold of the cross-encoder."""

    queries: int = Field(default=400, ge=1)
    beside: tuple[str, ...] = ()
    """Folders of questions of other kinds (queries.jsonl, qrels.articles.tsv), which the blend must not lose."""
    part: str = ""
    """The `part` of them that may be tuned on; "" is all."""
    precedent_precision: float = Field(default=0.5, gt=0, le=1)
    """`cross_encoder.target_precision` of decisions: a court cites one of several that say the same."""


class Evaluate(Section):
    """Index + qrels → run files and measures."""

    systems: tuple[str, ...] = ("bm25-unread", "bm25", "dense", "hybrid", "hybrid+rerank")
    """Of training/systems.py."""
    depth: int = 100
    """Passages that each first stage recalls and the reranker reads."""
    first_depth: int = 200
    """Passages that a system without the reranker recalls: for its recall at k."""
    k: int = 200
    """Documents kept of a ranking."""
    max_queries: int = 0
    """Of each track, drawn by a fixed seed; 0 is all."""
    citizens: str = "benchmarks/citizen"
    """Folder with lay questions: queries.jsonl and qrels.articles.tsv. "" leaves the track out."""


class Range(Section):
    """Numbers from `low` to `high`, both included: evenly, or evenly in their logarithm."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None
    """Distance of neighbours; without it any number between."""

    @model_validator(mode="after")
    def _has_width(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with log = true, low must be above 0 and step left out")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"step {self.step} is not above 0")
        return self


Choices = Annotated[tuple[Any, ...], Tag("choices"), Field(min_length=1)]
Dimension = Annotated[
    Choices | Annotated[Range, Tag("range")],
    Discriminator(lambda given: "range" if isinstance(given, dict | Range) else "choices"),
]
"""The values that one key takes in a sweep: a list of them, or a range."""


class Sweep(Section):
    """Trials of one step with other values: python -m training.sweep. No step of the pipeline reads this section."""

    step: Literal["pretrain", "bi_encoder", "cross_encoder"] = "bi_encoder"
    measure: str = "nDCG@10"
    """Of the dev measures that the step's evaluator sees, the one to raise: nDCG@10, RR@10, R@10 or R@100."""
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    trials: int = Field(default=20, ge=1)
    """In all: a sweep that is started again runs what is missing of them."""
    prune: bool = True
    """Stop a trial whose best evaluation so far is below the median of earlier trials at that point."""
    seed: int = 7
    space: dict[str, Dimension] = {}
    """"section.key" → its choices, or {low, high, log, step}."""
