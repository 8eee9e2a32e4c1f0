"""Whole judgments → judgment_article: a sentence that cites an article, the citation taken out → that article.

Courts cite in their reasons what no 참조조문 lists, decrees and rules, in sentences about facts. A citation in
an old judgment may mean an article that bears another number today: a sentence that shares too few words with the
article is passed over.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import zstandard
from rich.progress import track

from app.law.resolve import CitationReader, FoundCitation
from app.law.text import model_text
from training.article_pairs import Row, inline

if TYPE_CHECKING:
    from training.pairs import CorpusView, FrequencyCap

REACH = 220
"""Characters before and after a citation within which its sentence is looked for."""
LEAST, MOST = 30, 300
"""Characters of a query."""
SHARED = 0.25
"""Least part of the query's character bigrams that the article's passage must hold."""
_END = re.compile(r"(?<=다)\.\s|\n\s*\n|(?<=\s)(?:\[?\d+\]?|[가-하])[.)]\s")
_HOLLOW = re.compile(r"\(\s*[,ㆍ·및\s]*\)|[「『]\s*[」』]|\s(?:제\s*\d+\s*[항호]\s*)+")


def judgment_pairs(
    corpus: CorpusView, reader: CitationReader, files: Sequence[str], before: str, forbidden: frozenset[str],
    cap: FrequencyCap,
) -> Iterator[Row]:  # fmt: skip
    """Rows of the judgments in `files` ({precedent_id, decision_date, text} a line); none dated on or after `before`,
    none of a `forbidden` decision, and of one article about as many as `cap` keeps."""
    for name in files:
        for judgment in track(_judgments(Path(name)), description=f"citations in {Path(name).name}"):
            day = judgment.get("decision_date", "")
            if "" < day < before and f"p{judgment['precedent_id']}" not in forbidden:
                own = f"p{judgment['precedent_id']}"
                for row in _cited(corpus, reader, judgment["text"], cap):
                    yield {**row, "query_id": own, "date": day}


def _judgments(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else file
        yield from map(orjson.loads, io.BufferedReader(raw))


def _cited(corpus: CorpusView, reader: CitationReader, text: str, cap: FrequencyCap) -> Iterator[Row]:
    found = reader.read(text)
    for place, one in enumerate(found):
        row = corpus.documents.row(one.doc_id) if one.status == "resolved" and one.doc_id else None
        if row is None or one.doc_id is None or one.doc_id.startswith("p") or not len(corpus.passages_of(row)):
            continue
        query = sentence_around(text, one.span, found[max(0, place - 8) : place + 9])
        if LEAST <= len(query) <= MOST and cap.keeps(row):
            index = corpus.nearest_passage(query, row)
            if corpus.shared(query, index) >= SHARED:
                yield inline(query, corpus.passages.text(index), "judgment_article", one.doc_id)


def sentence_around(text: str, span: tuple[int, int], citations: Sequence[FoundCitation]) -> str:
    """The sentence that a citation stands in, without any of the citations in it; at most REACH to either side."""
    low, high = max(0, span[0] - REACH), min(len(text), span[1] + REACH)
    ends = [match.end() for match in _END.finditer(text, low, span[0])]
    start = ends[-1] if ends else low
    stop = next((match.start() for match in _END.finditer(text, span[1], high)), high)
    parts, at = [], start
    for one in citations:
        if start <= one.span[0] and one.span[1] <= stop and one.span[0] >= at:
            parts.append(text[at : one.span[0]])
            at = one.span[1]
    return _HOLLOW.sub(" ", model_text("".join([*parts, text[at:stop]]).replace("\n", " "))).strip()
