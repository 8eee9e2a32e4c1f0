"""training passages and queries → a WordPiece or Unigram tokenizer of legal Korean"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from app.retrieval.store import DocumentStore, PassageStore
from training.pairs import read_json
from training.recipe import Recipe
from training.sections import Pretrain

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[Q]", "[D]")


def train_tokenizer(recipe: Recipe) -> Tokenizer:
    """A tokenizer fitted to the passages and queries that training may see; kept in the step's folder.

    Marks of single texts ([CLS], [SEP]) and of pairs are part of it: an export without them ranks in silence by noise.
    """
    path = recipe.folder("pretrain") / "tokenizer.json"
    if path.exists():
        return Tokenizer.from_file(str(path))
    tokenizer, trainer = (
        _unigram(recipe.pretrain) if recipe.pretrain.tokenizer == "unigram" else _wordpiece(recipe.pretrain)
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(_texts(recipe), trainer)
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, ids[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.save(str(path))
    return tokenizer


def _wordpiece(section: Pretrain) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=64))
    tokenizer.pre_tokenizer = _words()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=section.vocab, special_tokens=list(SPECIAL), min_frequency=2, limit_alphabet=4000,
        show_progress=False,
    )  # fmt: skip
    return tokenizer, trainer


def _unigram(section: Pretrain) -> tuple[Tokenizer, Any]:
    """Kudo 2018; blanks are marked in front of words as SentencePiece does."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([_words(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=section.vocab, special_tokens=list(SPECIAL), unk_token="[UNK]", show_progress=False
    )
    return tokenizer, trainer


def _words() -> Any:
    return pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=False)])


def tokens_per_character(recipe: Recipe, tokenizer: Tokenizer, count: int = 2000) -> float:
    """Over some passages that the tokenizer was not fitted to, special tokens left out."""
    texts = [text for n, text in enumerate(PassageStore(recipe.passages).iter_texts()) if n % 2][: 50 * count : 50]
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return sum(len(one.ids) for one in encoded) / max(1, sum(map(len, texts)))


def _texts(recipe: Recipe) -> Iterator[str]:
    """Every second passage, and every training query."""
    yield from (text for index, text in seen_passages(recipe) if index % 2 == 0)
    for row in read_json(recipe.train_pairs):
        yield row["query_text"]


def seen_passages(recipe: Recipe) -> Iterator[tuple[int, str]]:
    """The passages that training may see, with their numbers: none of a decision on or after `train_before`."""
    documents, passages = DocumentStore(recipe.documents), PassageStore(recipe.passages)
    seen = (documents.column("kind") == "statute") | (documents.column("date") < recipe.pairs.train_before)
    for index, text in enumerate(passages.iter_texts()):
        if seen[passages.documents[index]]:
            yield index, text
