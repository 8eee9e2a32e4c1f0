from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import CrossEncoder
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from app.errors import ModelError
from app.retrieval.encoder import Encoder
from app.retrieval.reranker import PairLayout, Reranker, blends, pair_layout
from app.retrieval.short_model import ShortModel
from app.retrieval.types import Blend, Blends
from tests.tiny import TOPICS, sizes
from tests.tiny import tokenizer as bert_tokenizer

QUERY = "임차인은 보증금을 돌려받을 수 있는지"
PASSAGES = [text for _, text in TOPICS] + ["해고", "임대차 " * 5]
LONG = "고의 또는 과실로 손해를 가한 자는 배상할 책임이 있다 " * 12


def segmented_tokenizer() -> PreTrainedTokenizerFast:
    """WordPiece in BERT's layout: [CLS] query [SEP] passage [SEP], the passage in segment 1."""
    words = bert_tokenizer()
    words.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    return words


def roberta_tokenizer() -> PreTrainedTokenizerFast:
    """Unigram pieces in XLM-R's layout: <s> query </s></s> passage </s>, without segments."""
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    bare = Tokenizer(models.Unigram())
    bare.normalizer = normalizers.NFC()
    bare.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=list(special.values()), unk_token="<unk>", show_progress=False
    )
    bare.train_from_iterator([" ".join(topic) for topic in TOPICS], trainer)
    ids = [(token, bare.token_to_id(token)) for token in ("<s>", "</s>")]
    bare.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", ids)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        tokenizer_object=bare,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        cls_token="<s>",
        sep_token="</s>",
        **special,
    )


def cross_encoder(kind: str, words: PreTrainedTokenizerFast) -> Any:
    size = {**sizes(words), "num_labels": 1}
    if kind == "bert":
        return BertForSequenceClassification(BertConfig(**size))
    if kind == "xlm-roberta":
        return XLMRobertaForSequenceClassification(XLMRobertaConfig(**size, type_vocab_size=1))
    ends = {"cls_token_id": words.cls_token_id, "sep_token_id": words.sep_token_id}
    return ModernBertForSequenceClassification(ModernBertConfig(**size, **ends, bos_token_id=2, eos_token_id=3))


def save_reranker(folder: Path, kind: str = "bert", **settings: Any) -> Path:
    """A CrossEncoder folder as training writes it, with large random weights so that scores spread."""
    torch.manual_seed(5)
    words = roberta_tokenizer() if kind == "xlm-roberta" else segmented_tokenizer()
    model = cross_encoder(kind, words)
    for parameter in model.parameters():
        parameter.data.mul_(4)
    model.save_pretrained(str(folder.with_name(folder.name + "-body")))
    words.save_pretrained(str(folder.with_name(folder.name + "-body")))
    peer = CrossEncoder(str(folder.with_name(folder.name + "-body")), device="cpu", activation_fn=torch.nn.Identity())
    peer.save_pretrained(str(folder), create_model_card=False)
    (folder / "beopgil.json").write_text(json.dumps({"query_tokens": 24, "max_tokens": 64, **settings}))
    return folder


@pytest.fixture(scope="module", params=["bert", "xlm-roberta", "modernbert"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_reranker(tmp_path_factory.mktemp("models") / "tiny", request.param)


@pytest.fixture(scope="module")
def reranker(folder: Path) -> Reranker:
    return Reranker.load(folder, device="cpu", precision="fp32")


def test_logits_are_those_of_cross_encoder(folder: Path, reranker: Reranker) -> None:
    peer = CrossEncoder(str(folder), device="cpu")
    expected = peer.predict([(QUERY, passage) for passage in PASSAGES], activation_fn=torch.nn.Identity())
    found = reranker.score_tokens(QUERY, reranker.tokenize(PASSAGES))
    assert found.dtype == np.float32
    assert expected.std() > 1e-3, "scores that do not differ compare nothing"
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(reranker.score(QUERY, PASSAGES), expected, atol=1e-4)


def test_pairs_are_those_of_the_tokenizer_also_when_the_passage_is_cut(reranker: Reranker) -> None:
    for passage in (*PASSAGES, LONG):
        expected = reranker.tokenizer(QUERY, passage, truncation="only_second", max_length=64)
        head, body = reranker.tokenize([QUERY])[0], reranker.tokenize([passage])[0]
        ids, segments = reranker.layout.assemble(head, body[: 64 - len(head) - reranker.layout.specials])
        assert ids.tolist() == expected["input_ids"]
        assert segments.tolist() == expected.get("token_type_ids", [0] * len(ids))


def test_a_long_query_leaves_room_for_the_passage(reranker: Reranker) -> None:
    one, other = reranker.score(LONG, [PASSAGES[0], PASSAGES[1]])
    assert one != other
    cut = reranker.score(LONG + "그 밖의 사정", [PASSAGES[0]])
    np.testing.assert_allclose(cut, one, atol=1e-5)


def test_batched_equals_one_by_one(reranker: Reranker) -> None:
    one_by_one = np.concatenate([reranker.score(QUERY, [passage]) for passage in PASSAGES])
    np.testing.assert_allclose(reranker.score(QUERY, PASSAGES), one_by_one, atol=1e-4)


def test_no_passages_give_no_scores(reranker: Reranker) -> None:
    assert reranker.score(QUERY, []).shape == (0,)
    assert reranker.tokenize([]) == []


def test_an_empty_passage_is_scored(reranker: Reranker) -> None:
    assert np.isfinite(reranker.score(QUERY, ["", "해고"])).all()


def test_threads_get_the_same_logits(reranker: Reranker) -> None:
    expected = reranker.score(QUERY, PASSAGES)
    with ThreadPoolExecutor(4) as pool:
        for logits in pool.map(lambda _: reranker.score(QUERY, PASSAGES), range(8)):
            np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_tokens_are_int32_without_specials_and_cut(reranker: Reranker) -> None:
    short, long = reranker.tokenize(["해고", LONG])
    assert short.dtype == np.int32
    assert not {*short.tolist()} & {*reranker.layout.prefix.tolist(), *reranker.layout.suffix.tolist()}
    assert len(long) == reranker.max_tokens


def test_layouts_of_the_three_kinds() -> None:
    bert, roberta = pair_layout(segmented_tokenizer()), pair_layout(roberta_tokenizer())
    assert (len(bert.prefix), len(bert.middle), len(bert.suffix), bert.segments) == (1, 1, 1, (0, 0, 0, 1, 1))
    assert (len(roberta.prefix), len(roberta.middle), len(roberta.suffix)) == (1, 2, 1)
    assert roberta.segments is None


@given(st.lists(st.integers(9, 99), max_size=5), st.lists(st.integers(9, 99), max_size=5))
def test_assembled_pairs_hold_both_texts_in_order(query: list[int], passage: list[int]) -> None:
    part = np.array([1], dtype=np.int32)
    layout = PairLayout(part, np.array([2, 2], dtype=np.int32), part, (0, 0, 0, 1, 1))
    ids, segments = layout.assemble(np.array(query, dtype=np.int32), np.array(passage, dtype=np.int32))
    assert ids.tolist() == [1, *query, 2, 2, *passage, 1]
    assert segments.tolist() == [0] * (3 + len(query)) + [1] * (1 + len(passage))


def test_relevance_is_the_calibrated_sigmoid(tmp_path: Path) -> None:
    folder = save_reranker(tmp_path / "tiny", calibration={"scale": 2.0, "bias": -1.0})
    calibrated = Reranker.load(folder, device="cpu", precision="fp32")
    logits = np.array([-1e9, 0, 0.5, 1e9], dtype=np.float32)
    expected = [0, 1 / (1 + np.e), 0.5, 1]
    np.testing.assert_allclose(calibrated.relevance(logits), expected, atol=1e-6)


def test_each_kind_has_the_blend_of_the_model(tmp_path: Path) -> None:
    calibration = {"scale": 2.0, "bias": -1.0}
    articles = {"weight": 48.0, "scale": 0.3, "bias": -7.0, "confident": 0.1}
    decisions = {"weight": 256.0, "scale": 0.1, "bias": -9.0, "confident": 1.0}
    assert blends({"calibration": calibration}) == Blends(Blend(0.0, 2.0, -1.0))
    assert blends({}) == Blends()
    alone = blends({"calibration": calibration, "blends": {"statute": articles}})
    assert alone == Blends(Blend(48.0, 0.3, -7.0, 0.1))
    assert alone.of("precedent") == alone.statute
    folder = save_reranker(tmp_path / "tiny", blends={"statute": articles, "precedent": decisions})
    found = Reranker.load(folder, device="cpu", precision="fp32").blends
    assert (found.of("statute"), found.of("precedent")) == (alone.statute, Blend(256.0, 0.1, -9.0, 1.0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blend": 48.0}, "one blend of the older kind; make it anew"),
        ({"blends": {"statute": {"wieght": 1.0}}}, "unexpected keyword argument 'wieght'"),
        ({"blends": [1.0]}, "blends of beopgil.json"),
    ],
)
def test_blends_that_cannot_be_read_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Reranker.load(save_reranker(tmp_path / "tiny", **settings), device="cpu", precision="fp32")


def test_other_weights_are_another_model(tmp_path: Path, folder: Path, reranker: Reranker) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert Reranker.load(copy, device="cpu", precision="fp32").weights_sha256 == reranker.weights_sha256
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\0\0\1\0")
    assert Reranker.load(copy, device="cpu", precision="fp32").weights_sha256 != reranker.weights_sha256


def test_limits_that_leave_no_room_are_refused(tmp_path: Path) -> None:
    folder = save_reranker(tmp_path / "tiny", query_tokens=62)
    with pytest.raises(ModelError, match=r"max_tokens 64 leaves -1 tokens to the passage after query_tokens 62"):
        Reranker.load(folder, device="cpu")


def test_two_scores_per_pair_are_refused(tmp_path: Path) -> None:
    words = bert_tokenizer()
    BertForSequenceClassification(BertConfig(**{**sizes(words), "num_labels": 2})).save_pretrained(
        str(tmp_path / "two")
    )
    words.save_pretrained(str(tmp_path / "two"))
    with pytest.raises(ModelError, match="gives 2 scores per pair, expected 1"):
        Reranker.load(tmp_path / "two", device="cpu")


@pytest.mark.parametrize("load", [Reranker.load, Encoder.load])
@pytest.mark.parametrize(
    ("name", "content"), [("model.safetensors", b"cut"), ("config.json", b"{"), ("config.json", b"[]")]
)
def test_a_shipped_model_with_a_broken_file_is_refused(tmp_path: Path, load: Any, name: str, content: bytes) -> None:
    shipped = "beopgil-mini-cross" if load == Reranker.load else "beopgil-mini-bi"
    copy = Path(shutil.copytree(Path("models") / shipped, tmp_path / "copy"))
    (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match="train it again"):
        load(copy, device="cpu")


def test_int8_of_another_model_is_refused(tmp_path: Path, folder: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    settings = json.loads((other / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps({**settings, "id2label": {}}), encoding="utf-8")
    with pytest.raises(ModelError, match=r"int8 is for a BERT, RoBERTa, ELECTRA or ModernBERT on a CPU; use auto"):
        Reranker.load(other, device="cpu", precision="int8")


def test_segments_that_the_model_has_no_table_for_are_not_given(tmp_path: Path) -> None:
    """klue/roberta-base has the tokenizer of a BERT, which gives a passage segment 1, and one segment."""
    words = segmented_tokenizer()
    settings = {**sizes(words), "num_labels": 1, "type_vocab_size": 1, "pad_token_id": words.pad_token_id}
    model = RobertaForSequenceClassification(RobertaConfig(**settings)).train(False)
    model.save_pretrained(str(tmp_path))
    words.save_pretrained(str(tmp_path))
    reranker = Reranker.load(tmp_path, device="cpu", precision="fp32")
    assert isinstance(reranker.model, ShortModel)
    ids = torch.tensor(words(QUERY, PASSAGES[0])["input_ids"])[None]
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy()
    np.testing.assert_allclose(reranker.score(QUERY, PASSAGES[:1]), expected, atol=1e-5)
    whole = Reranker(model, words, tmp_path)
    np.testing.assert_allclose(whole.score(QUERY, PASSAGES[:1]), expected, atol=1e-5)


def test_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no usable cross-encoder"):
        Reranker.load(tmp_path, device="cpu")
