"""Weak pairs that the statute book itself holds: they reach every article, also those that no court has cited.

title_article       an article's title, alone or after its law's name → the article
sentence_article    a sentence of an article → the article without that sentence
decree_article      a paragraph of a decree's article → the article that it carries out, and the other way round
definition_article  what is defined → the article that defines it

Some titles and sentences are put as people put them: legal terms in everyday words, and a question around them. A mean
of token vectors learns from these what to leave out of a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import track

from app.law.delegation import delegations, grants, named
from app.law.everyday_words import EVERYDAY

if TYPE_CHECKING:
    from training.pairs import CorpusView

Row = dict[str, Any]
SENTENCE = 25
"""Characters that a sentence needs to stand for its article."""
_SENTENCES = re.compile(r"(?<=다\.)\s|\n|(?=[①-⑳])")
_LABEL = re.compile(r"^[①-⑳\d.가-하\s]{0,6}(?<=[.①-⑳\s])")
_REFERENCE = re.compile(
    r"(?:법|영|규칙)?\s*제\s*\d+\s*조(?:의\s*\d+)?(?:제\d+항)?(?:제\d+호)?(?:에 따른|에 따라|에서)?"
)
_DEFINED = re.compile(r"[\"“]([^\"“”\n]{2,30})[\"”]\s*(?:이란|란)\s")
ASKING = (
    "{} 어떻게 하나요", "{} 어떻게 되나요?", "{} 가능한가요?", "{} 궁금합니다", "{} 알려주세요", "{} 기준이 뭔가요",
    "{} 해야 하나요?", "{} 신청하려면 뭐가 필요한가요?", "{} 안 되나요", "{} 문의드립니다", "{} 어디에 해야 하나요?",
    "{} 얼마인가요?", "{} 언제까지 해야 하나요?", "{} 받을 수 있나요?", "{} 때문에 문제가 생겼어요",
    "안녕하세요. {} 관련해서 질문 드립니다.", "{} 처벌받나요?", "{} 몇 년인가요?", "제가 {} 해당하는지요?",
    "{} 대상이 되나요", "{} 면제되나요?", "{} 서류는 무엇인가요?", "{} 신고 안 하면 과태료 나오나요?",
    "{} 허가 받아야 하나요?",
)  # fmt: skip


def article_pairs(corpus: CorpusView, rng: np.random.Generator, sentences: int, plain: float) -> Iterator[Row]:
    """Rows of all four sources. `sentences` of each article at most; a share `plain` of the queries as people ask."""
    asked = Plain(rng, plain)
    for row in track(live_articles(corpus), description="titles and sentences of articles"):
        yield from _title(corpus, row, rng, asked)
        yield from _sentences(corpus, row, rng, asked, sentences)
        yield from _definitions(corpus, row)
    yield from _decrees(corpus, rng)


def inline(query: str, positive: str, source: str, key: str) -> Row:
    """A row with its texts in it; rows of one `key` are no negatives of each other."""
    return {"query": query, "pos": [positive], "neg": [], "source": source, "key": key}


def live_articles(corpus: CorpusView) -> list[int]:
    documents = corpus.documents
    live = (documents.column("kind") == "statute") & ~documents.column("deleted").astype(bool)
    return [int(row) for row in np.flatnonzero(live)]


def _title(corpus: CorpusView, row: int, rng: np.random.Generator, asked: Plain) -> Iterator[Row]:
    title, law = (str(corpus.documents.column(name)[row]) for name in ("title", "law"))
    if len(title) < 2 or title == "목적":
        return
    text = corpus.passages.text(corpus.passages_of(row)[0])
    query = f"{law} {title}" if rng.random() < 0.5 else title
    shown = text.replace(f"({title})", "", 1) if rng.random() < 0.5 else text
    yield inline(asked(query), shown, "title_article", str(corpus.documents.column("doc_id")[row]))


def _sentences(corpus: CorpusView, row: int, rng: np.random.Generator, asked: Plain, limit: int) -> Iterator[Row]:
    indices, doc_id = corpus.passages_of(row), str(corpus.documents.column("doc_id")[row])
    for index in rng.permutation(np.array(indices))[:limit]:
        heading, _, body = corpus.passages.text(int(index)).partition("\n")
        found = sentences_of(body)
        for number in rng.permutation(len(found))[: max(1, limit // len(indices))] if len(found) > 1 else ():
            rest = body.replace(found[number], "", 1).strip()
            yield inline(asked(_LABEL.sub("", found[number])), f"{heading}\n{rest}", "sentence_article", doc_id)


def sentences_of(body: str) -> list[str]:
    """Sentences and items long enough to stand for their article."""
    return [part.strip() for part in _SENTENCES.split(body) if len(part.strip()) >= SENTENCE]


def _definitions(corpus: CorpusView, row: int) -> Iterator[Row]:
    law, doc_id = (str(corpus.documents.column(name)[row]) for name in ("law", "doc_id"))
    for index in corpus.passages_of(row):
        text = corpus.passages.text(index)
        for match in list(_DEFINED.finditer(text))[:4]:
            yield inline(f"{law} {match[1]}의 뜻", text, "definition_article", doc_id)


def _decrees(corpus: CorpusView, rng: np.random.Generator) -> Iterator[Row]:
    """The delegating paragraph → the decree's passage; the decree's paragraph → the delegating passage."""
    documents, live = corpus.documents, live_articles(corpus)
    granted = {(documents[row].doc_id, level) for row in live for level in grants(documents[row])}
    for edge in delegations((documents[row] for row in live), granted, corpus.names):
        act, decree = documents.row(edge.source), documents.row(edge.target)
        if act is None or decree is None:
            continue
        down, up = _granting(documents[act].text), _carrying(documents[decree].text)
        if down:
            yield _nearest(corpus, str(rng.choice(down)), decree, edge.target)
        if up:
            yield _nearest(corpus, str(rng.choice(up)), act, edge.source)


def _granting(text: str) -> list[str]:
    parts = [_REFERENCE.sub("", part) for part in sentences_of(text) if re.search(r"(?:령|규칙)으로 정하", part)]
    return [part for part in parts if len(part) >= SENTENCE]


def _carrying(text: str) -> list[str]:
    parts = [_REFERENCE.sub("", part) for part in sentences_of(text) if any(named(part))]
    return [part for part in parts if len(part) >= SENTENCE]


def _nearest(corpus: CorpusView, query: str, row: int, doc_id: str) -> Row:
    index = corpus.nearest_passage(query, row)
    return inline(_LABEL.sub("", query).strip(), corpus.passages.text(index), "decree_article", doc_id)


class Plain:
    """Puts a share of texts as people put them; the others are given back as they are."""

    def __init__(self, rng: np.random.Generator, share: float) -> None:
        self._rng, self._share, self._words = rng, share, spoken(EVERYDAY)
        self._legal = re.compile("|".join(map(re.escape, sorted(self._words, key=len, reverse=True))) or r"(?!)")

    def __call__(self, text: str) -> str:
        if self._rng.random() >= self._share:
            return text
        said = self._legal.sub(self._word, text)
        return str(self._rng.choice(ASKING)).format(said) if self._rng.random() < 0.7 else said

    def _word(self, match: re.Match[str]) -> str:
        choices = self._words[match[0]]
        return choices[int(self._rng.integers(len(choices)))] if self._rng.random() < 0.7 else match[0]


def spoken(everyday: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Legal term → the everyday words for it: the bridge read backwards."""
    words: dict[str, list[str]] = {}
    for word, terms in everyday.items():
        for term in terms:
            words.setdefault(term, []).append(word)
    return words
