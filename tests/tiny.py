"""Tiny random models and a made-up corpus, for tests that train for a few steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import orjson
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from app.law.documents import Document, passages, precedent_citation, statute_doc_id
from app.retrieval.store import write_documents, write_passages
from training.recipe import Recipe

TOPICS = (
    ("임대차", "차임을 이 회 연체하면 임대인은 계약을 해지할 수 있다"),
    ("보증금", "임차인은 보증금을 돌려받을 때까지 건물을 점유할 수 있다"),
    ("해고", "사용자는 정당한 이유 없이 근로자를 해고하지 못한다"),
    ("임금", "임금은 매월 한 번 이상 일정한 날에 지급하여야 한다"),
    ("상속", "상속은 사망으로 개시되고 배우자와 자녀가 공동으로 받는다"),
    ("이혼", "부부는 협의하여 이혼할 수 있고 재산의 분할을 청구할 수 있다"),
    ("절도", "타인의 재물을 절취한 자는 징역에 처한다"),
    ("사기", "사람을 속여 재물을 받은 자는 처벌한다"),
    ("음주", "술에 취한 상태에서 자동차를 운전하여서는 아니 된다"),
    ("과세", "세무서장은 신고가 없으면 세액을 결정하여 고지한다"),
    ("등기", "부동산의 물권은 등기하여야 효력이 생긴다"),
    ("불법행위", "고의 또는 과실로 손해를 가한 자는 배상할 책임이 있다"),
)
SPECIAL = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
HIDDEN = 32


def tokenizer(window: int = 64) -> PreTrainedTokenizerFast:
    """WordPiece of the words and characters of TOPICS, with [CLS] … [SEP] … [SEP] around pairs. Not trained: a trainer
    numbers pieces that are equally frequent as it happens to meet them."""
    text = " ".join(" ".join(topic) for topic in TOPICS) + " 0 1 2 3 4 5 6 7 8 9 제 조 법 query passage : # [ ] Q D"
    signs = sorted(set(text.replace(" ", "")))
    pieces = [*SPECIAL.values(), *signs, *(f"##{sign}" for sign in signs), *sorted(set(text.split()) - set(signs))]
    bare = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    bare.normalizer = normalizers.NFC()
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ids: Any = {piece: bare.token_to_id(piece) for piece in ("[SEP]", "[CLS]")}
    bare.post_processor = processors.BertProcessing(*ids.items())
    made: Any = PreTrainedTokenizerFast
    return cast(PreTrainedTokenizerFast, made(tokenizer_object=bare, model_max_length=window, **SPECIAL))


def sizes(words: PreTrainedTokenizerFast, spread: float = 0.02) -> dict[str, Any]:
    return {
        "initializer_range": spread,
        "vocab_size": len(words),
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 72,
        "pad_token_id": words.pad_token_id,
    }


def body(architecture: str, words: PreTrainedTokenizerFast, spread: float = 0.02) -> Any:
    """A random transformer: modernbert, bert, xlm-roberta, albert-cross or xlm-roberta-cross.

    `spread` is the deviation of its weights. At that of a fresh model every text gets nearly the same answer.
    """
    torch.manual_seed(3)
    size, ends = sizes(words, spread), {"cls_token_id": words.cls_token_id, "sep_token_id": words.sep_token_id}
    one_label: dict[str, Any] = {"num_labels": 1}
    if architecture == "modernbert":
        return ModernBertModel(ModernBertConfig(**size, **ends, bos_token_id=2, eos_token_id=3))
    if architecture == "bert":
        return BertModel(BertConfig(**size))
    if architecture == "xlm-roberta":
        return XLMRobertaModel(XLMRobertaConfig(**size))
    if architecture == "xlm-roberta-cross":
        return XLMRobertaForSequenceClassification(XLMRobertaConfig(**size, **one_label))
    return AlbertForSequenceClassification(AlbertConfig(**size, **one_label, embedding_size=16))


def save_body(folder: Path, architecture: str, spread: float = 0.02) -> Path:
    """A bare transformers folder, as the hub has many."""
    words = tokenizer()
    body(architecture, words, spread).save_pretrained(str(folder))
    words.save_pretrained(str(folder))
    return folder


def save_encoder(folder: Path, architecture: str = "modernbert", prompts: bool = True, pooling: str = "mean") -> Path:
    """A sentence-transformers folder with the prompts [Q] and [D], as the pretrain step makes one."""
    transformer = Transformer(str(save_body(folder.with_name(folder.name + "-body"), architecture)))
    model = SentenceTransformer(
        modules=[transformer, Pooling(HIDDEN, pooling_mode=pooling), Normalize()],
        device="cpu",
        prompts={"query": "[Q] ", "document": "[D] "} if prompts else None,
    )
    model.save_pretrained(str(folder), create_model_card=False)
    if prompts:
        (folder / "beopgil.json").write_text(json.dumps({"query_tokens": 24, "passage_tokens": 48}))
    return folder


def documents() -> list[Document]:
    """Two laws with an article on each topic, and a decision of 2015 and one of 2022 on each."""
    made = []
    for law_id, law in (("000001", "모래법"), ("000002", "바람법")):
        for number, (topic, text) in enumerate(TOPICS, 1):
            article, doc_id = f"제{number}조", statute_doc_id(law_id, number)
            body = f"{text} {number} {law_id[-1]}"
            fields: Any = [
                doc_id,
                "statute",
                f"{law} {article}",
                topic,
                body,
                "2001-01-01",
                law_id,
                law,
                "법률",
                article,
            ]
            made.append(Document(*fields))
    for number, (topic, text) in enumerate(TOPICS, 1):
        for year in (2015, 2022):
            date, case_no = f"{year}-03-0{number % 9 + 1}", f"{year}다{number}"
            made.append(
                Document(
                    f"p{year}{number:02d}",
                    "precedent",
                    precedent_citation("대법원", date, case_no),
                    topic,
                    "",
                    date,
                    court="대법원",
                    case_no=case_no,
                    issues=f"{text} 하는지 여부 {year}",
                    sample=True,
                )
            )
    return made


def write_corpus(recipe: Recipe) -> None:
    """documents, passages, train pairs (issue → both laws' articles on the topic) and dev queries."""
    made = documents()
    write_documents(recipe.documents, made)
    write_passages(
        recipe.passages,
        ((p.passage_id, row, p.text) for row, document in enumerate(made) for p in passages(document, 200)),
    )
    recipe.train_pairs.parent.mkdir(parents=True, exist_ok=True)
    recipe.train_pairs.write_bytes(
        b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in train_rows())
    )
    recipe.dev.mkdir(parents=True, exist_ok=True)
    queries, qrels = [], []
    for number, (_, text) in enumerate(TOPICS, 1):
        query_id = f"2022{number:02d}#0"
        date = f"2022-03-0{number % 9 + 1}"
        queries.append({"query_id": query_id, "text": f"{text} 하는지", "date": date})
        qrels += [f"{query_id}\t0\t{law} 제{number}조\t1\n" for law in ("모래법", "바람법")]
    (recipe.dev / "queries.jsonl").write_text("".join(json.dumps(q, ensure_ascii=False) + "\n" for q in queries))
    (recipe.dev / "qrels.articles.tsv").write_text("".join(qrels))
    (recipe.dev / "qrels.precedents.tsv").write_text("")


def train_rows() -> list[dict[str, Any]]:
    """Each 2015 decision's issue with the article of the first law; the second law's is cited too (`exclude`)."""
    return [
        {
            "query_id": f"p2015{number:02d}#0",
            "query_text": f"{text} 하는지 여부 2015",
            "positive_passages": [f"000001-{number:04d}#0"],
            "hard_negatives": [],
            "source": "issue_article",
            "date": "2015-03-01",
            "exclude": [f"000001-{number:04d}", f"000002-{number:04d}"],
        }
        for number, (_, text) in enumerate(TOPICS, 1)
    ]


def recipe(work: Path, **sections: dict[str, Any]) -> Recipe:
    """A recipe whose steps take seconds on the made-up corpus."""
    small = {
        "batch": 4,
        "eval_steps": 2,
        "logging_steps": 1,
        "max_steps": 4,
        "lr": 1e-3,
        "precision": "fp32",
        "patience": 0,
    }
    limits: dict[str, dict[str, Any]] = {
        "mine": {"depth": 12, "lexical": 4, "negatives": 4},
        "bi_encoder": {
            **small,
            "negatives": 2,
            "query_tokens": 24,
            "passage_tokens": 48,
            "lora_rank": 4,
            "lora_alpha": 8,
        },
        "cross_encoder": {**small, "negatives": 3, "query_tokens": 24, "max_tokens": 64, "depth": 6, "eval_queries": 6},
    }
    merged = {name: {**limits.get(name, {}), **sections.get(name, {})} for name in {*limits, *sections}}
    return Recipe.model_validate({"name": "tiny", "work": str(work), **merged})
