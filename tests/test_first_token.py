"""The last block for the first token alone: the same logits and gradients as the whole block, and who may take it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from app.retrieval.first_token import shorten

SIZE: dict[str, Any] = {
    "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_labels": 1,
    "pad_token_id": 0, "num_hidden_layers": 3,
}  # fmt: skip
ENDS = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}


def modern(attention: str = "eager", **more: Any) -> Any:
    torch.manual_seed(11)
    settings: dict[str, Any] = {**SIZE, **ENDS, "local_attention": 8, "attn_implementation": attention, **more}
    model = ModernBertForSequenceClassification(ModernBertConfig(**settings))
    model.train(False)
    for parameter in model.parameters():
        parameter.data.mul_(4)
    return model


def batch(padded: bool) -> dict[str, torch.Tensor]:
    ids = torch.randint(4, 60, (5, 23), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    if padded:
        mask[1, 9:], mask[4, 2:] = 0, 0
    return {"input_ids": ids * mask, "attention_mask": mask}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("more", [{}, {"attention_bias": True}, {"global_attn_every_n_layers": 1}])
def test_logits_and_gradients_are_the_same(attention: str, padded: bool, more: dict[str, Any]) -> None:
    whole, short, features = modern(attention, **more), modern(attention, **more), batch(padded)
    assert shorten(short)
    compare(whole, short, features)


def compare(whole: Any, short: Any, features: dict[str, torch.Tensor]) -> None:
    """Logits and gradients."""
    expected, found = whole(**features).logits, short(**features).logits
    assert expected.std() > 1e-3, "logits that do not differ compare nothing"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    expected.square().sum().backward()
    found.square().sum().backward()
    for (name, one), other in zip(whole.named_parameters(), short.parameters(), strict=True):
        if name.endswith("key.bias"):  # adds the same to all scores: its gradient is rounding
            continue
        assert one.grad is not None
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4 * float(one.grad.abs().max()), msg=name)


BERTS: dict[str, tuple[Any, Any]] = {
    "bert": (BertConfig, BertForSequenceClassification),
    "roberta": (RobertaConfig, RobertaForSequenceClassification),
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaForSequenceClassification),
    "electra": (ElectraConfig, ElectraForSequenceClassification),
}


def bert(kind: str, attention: str = "eager", **more: Any) -> Any:
    torch.manual_seed(11)
    config, model = BERTS[kind]
    made = model(config(**{**SIZE, "attn_implementation": attention, **more}))
    made.train(False)
    for parameter in made.parameters():
        parameter.data.mul_(4).add_(0.01)
    return made


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kind", BERTS)
def test_of_berts_too(kind: str, attention: str, padded: bool) -> None:
    whole, short, features = bert(kind, attention), bert(kind, attention), batch(padded)
    assert shorten(short)
    compare(whole, short, features)


def test_the_last_block_gives_one_token() -> None:
    model = modern()
    shorten(model)
    assert model.model(**batch(padded=True)).last_hidden_state.shape == (5, 1, 32)


def test_others_are_left_as_they_are() -> None:
    decoder = bert("bert", is_decoder=True)
    for model in (decoder, modern(classifier_pooling="mean")):
        assert not shorten(model)
