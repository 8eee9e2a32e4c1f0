"""corpus → train.jsonl (issue → article, by ids), weak.jsonl (every weak pair, texts inline), dev/ (queries, qrels)

Pairs come from decisions before `train_before` only; an issue whose text, spaces removed, equals a dev query's is
dropped, and so is every issue of a dev query's own decision.

Two row formats are read and written: texts inline, `{"query", "pos": […], "neg": […]}`, and ids,
`{"query_id", "query_text", "positive_passages": […], "hard_negatives": […]}`.
"""

from __future__ import annotations

import json
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.progress import track

from app.errors import BeopgilError, RecordError
from app.law.cases import find_case_numbers
from app.law.citation import Reference, read_references
from app.law.documents import Document, split_issues, statute_doc_id
from app.law.names import LawNames
from app.law.text import match_key, model_text
from app.retrieval.filters import FilterColumns
from app.retrieval.store import DocumentStore, PassageStore
from training.article_pairs import article_pairs, inline
from training.judgment_pairs import judgment_pairs
from training.question_pairs import question_pairs
from training.recipe import Recipe

Row = dict[str, Any]
MINIMUM = 12
"""Characters an issue or a sentence needs to be a query."""


class PairsError(BeopgilError):
    """Rows that cannot be used: neither format, or ids the corpus does not have."""

    code = "pairs_error"


@dataclass(frozen=True, slots=True)
class Pair:
    """A training pair or triple with its texts in hand."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()


def run(recipe: Recipe) -> None:
    corpus = CorpusView(DocumentStore(recipe.documents), PassageStore(recipe.passages))
    folder = recipe.folder("pairs")
    if recipe.pairs.dev:
        copy_dev(Path(recipe.pairs.dev), recipe.dev)
    else:
        write_dev(corpus, recipe)
    forbidden = dev_texts(recipe.dev)
    counts: Counter[str] = Counter()
    rng = np.random.default_rng(recipe.seed)
    capped = FrequencyCap(recipe.pairs.max_per_document, rng)
    write_rows(recipe.train_pairs, _counted(issue_articles(corpus, recipe, forbidden, capped), counts))
    weak = weak_pairs(corpus, recipe, forbidden, rng)
    write_rows(recipe.weak_pairs, _counted(weak, counts))
    (folder / "counts.json").write_text(json.dumps(counts, indent=1))
    print("  ".join(f"{source} {count:,}" for source, count in sorted(counts.items())), flush=True)


class CorpusView:
    """Documents and passages of a corpus with the lookups that pairs need."""

    def __init__(self, documents: DocumentStore, passages: PassageStore) -> None:
        self.documents, self.passages = documents, passages
        self.first = np.searchsorted(passages.documents, np.arange(len(documents) + 1))
        self.names = FilterColumns(documents).names

    def doc_id(self, row: int) -> str:
        return str(self.documents.column("doc_id")[row])

    def passages_of(self, row: int) -> range:
        return range(int(self.first[row]), int(self.first[row + 1]))

    def article(self, reference: Reference) -> int | None:
        """Row of the article that a reference means today; None where number mapping would be wrong."""
        law = self.names.find(reference.law)
        if law is None or not reference.numbered or reference.revision == "full":
            return None
        row = self.documents.row(statute_doc_id(law.law_id, reference.jo, reference.ga))
        return None if row is None or self.documents.column("deleted")[row] else row

    def passage_of(self, row: int, paragraph: int) -> int:
        """The passage of an article that holds a 항, or its first."""
        candidates = self.passages_of(row)
        mark = chr(0x2460 + paragraph - 1) if 1 <= paragraph <= 20 else ""
        for index in candidates if mark and len(candidates) > 1 else ():
            if mark in self.passages.text(index):
                return index
        return candidates[0]

    def nearest_passage(self, query: str, row: int) -> int:
        """Of a document's passages, the one that shares the largest part of the query's character bigrams."""
        indices = self.passages_of(row)
        return indices[0] if len(indices) == 1 else nearest(query, indices, self.passages.text)

    def shared(self, query: str, passage: int) -> float:
        """The part of a query's distinct character bigrams that a passage holds."""
        wanted = _bigrams(query)
        return len(wanted & _bigrams(self.passages.text(passage))) / max(1, len(wanted))


class FrequencyCap:
    """Keeps about `limit` rows of each document: a row with count c so far stays with probability limit / c."""

    def __init__(self, limit: int, rng: np.random.Generator) -> None:
        self._limit, self._rng, self._seen = limit, rng, Counter[int]()

    def keeps(self, row: int) -> bool:
        self._seen[row] += 1
        return not self._limit or self._rng.random() < self._limit / self._seen[row]


def decisions_before(corpus: CorpusView, before: str) -> Iterator[Document]:
    kinds, dates = corpus.documents.column("kind"), corpus.documents.column("date")
    rows = [row for row in range(len(corpus.documents)) if kinds[row] == "precedent" and "" < dates[row] < before]
    for row in track(rows, description=f"decisions before {before}"):
        yield corpus.documents[row]


def issues_of(document: Document, forbidden: frozenset[str]) -> dict[int, str]:
    """Issues fit for training by number: long enough, and not a dev query's text or decision."""
    if document.doc_id in forbidden:
        return {}
    issues = {number: model_text(text) for number, text in split_issues(document.issues).items()}
    return {n: text for n, text in issues.items() if len(text) >= MINIMUM and squeeze(text) not in forbidden}


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def issue_articles(corpus: CorpusView, recipe: Recipe, forbidden: frozenset[str], cap: FrequencyCap) -> Iterator[Row]:
    """issue [n] → the articles cited for [n]; `exclude` holds every article that the decision cites."""
    for document in decisions_before(corpus, recipe.pairs.train_before):
        references = list(read_references(document.cited_statutes))
        if not references:
            continue
        cited = [(reference, corpus.article(reference)) for reference in references]
        exclude = sorted({corpus.documents.column("doc_id")[row] for _, row in cited if row is not None})
        for number, text in issues_of(document, forbidden).items():
            rows = {row: ref.hang for ref, row in cited if row is not None and _applies(ref, number)}
            rows = {row: hang for row, hang in rows.items() if not held_out(corpus.doc_id(row), recipe.pairs.held_out)}
            kept = [row for row in list(rows)[: recipe.pairs.max_positives] if cap.keeps(row)]
            if kept:
                positives = [corpus.passages.passage_id(corpus.passage_of(row, rows[row])) for row in kept]
                yield _id_row(f"{document.doc_id}#{number}", text, positives, "issue_article", document.date, exclude)


def held_out(doc_id: str, share: float) -> bool:
    """Whether an article is among those that lose their courts' pairs: by a hash of its id, the same in every run."""
    return share > 0 and zlib.crc32(f"held out {doc_id}".encode()) < share * 2**32


def _applies(reference: Reference, number: int) -> bool:
    return not reference.issues or number == 0 or number in reference.issues


def _id_row(query_id: str, text: str, positives: list[str], source: str, date: str, exclude: list[str]) -> Row:
    return {
        "query_id": query_id, "query_text": text, "positive_passages": positives, "hard_negatives": [],
        "source": source, "date": date, "exclude": exclude,
    }  # fmt: skip


def weak_pairs(
    corpus: CorpusView, recipe: Recipe, forbidden: frozenset[str], rng: np.random.Generator
) -> Iterator[Row]:
    """Every weak source, inline, `key` naming the positive's document: equal keys are no negatives of each other."""
    for row in read_json(recipe.train_pairs):
        for passage_id in row["positive_passages"]:
            text = corpus.passages.text(corpus.passages.rows[passage_id])
            yield inline(row["query_text"], text, "issue_article", passage_id.split("#")[0])
    yield from _decision_pairs(corpus, recipe.pairs.train_before, forbidden)
    section = recipe.pairs
    yield from article_pairs(corpus, rng, section.sentences, section.plain_share)
    if section.questions:
        asked = question_pairs(corpus, Path(section.questions), section.question_copies)
        yield from (row for row in asked if squeeze(model_text(row["query"])) not in forbidden)
    if section.judgments:
        cap = FrequencyCap(section.max_per_article_in_judgments, rng)
        reader = FilterColumns(corpus.documents).citation_reader()
        rows = judgment_pairs(corpus, reader, section.judgments, section.train_before, forbidden, cap)
        yield from (row for row in rows if not held_out(row["key"], section.held_out))


def _decision_pairs(corpus: CorpusView, before: str, forbidden: frozenset[str]) -> Iterator[Row]:
    """issue [n] → holding [n], and issue [n] → the nearest issue of an earlier decision cited for [n]."""
    by_case = case_numbers(corpus.documents)
    for document in decisions_before(corpus, before):
        holdings = split_issues(document.holdings)
        cited = split_issues(document.cited_precedents)
        found = (row for text in cited.values() for row in _cited_decisions(text, by_case))
        every = sorted({str(corpus.documents.column("doc_id")[row]) for row in found})
        for number, text in issues_of(document, forbidden).items():
            holding = model_text(holdings.get(number, holdings.get(0, "") if number <= 1 else ""))
            if len(holding) >= MINIMUM:
                yield inline(text, f"{document.title}\n{holding}", "issue_holding", f"{document.doc_id}#{number}")
            for row in _cited_decisions(cited.get(number, cited.get(0, "")), by_case):
                own = corpus.documents.column("doc_id")[row] in forbidden
                if not own and corpus.documents.column("date")[row] < document.date:
                    index = nearest(text, corpus.passages_of(row), corpus.passages.text)
                    key = corpus.passages.passage_id(index)
                    row_of = inline(text, corpus.passages.text(index), "issue_precedent", key)
                    yield {**row_of, "query_id": f"{document.doc_id}#{number}", "exclude": every}


def case_numbers(documents: DocumentStore) -> dict[str, int]:
    """Case number → row; each of a decision's merged numbers, the first decision for a number that recurs."""
    rows: dict[str, int] = {}
    for row, text in enumerate(documents.column("case_no")):
        for number in find_case_numbers(text):
            rows.setdefault(number, row)
    return rows


def _cited_decisions(text: str, by_case: Mapping[str, int]) -> list[int]:
    return list(dict.fromkeys(by_case[number] for number in find_case_numbers(text) if number in by_case))[:4]


def nearest(query: str, indices: Iterable[int], text: Callable[[int], str]) -> int:
    """The passage that shares the largest part of the query's character bigrams; the first of equals."""
    wanted = _bigrams(query)
    return max(indices, key=lambda index: (len(wanted & _bigrams(text(index))), -index))


def _bigrams(text: str) -> set[str]:
    text = match_key(text)
    return {text[i : i + 2] for i in range(len(text) - 1)}


def _counted(rows: Iterable[Row], counts: Counter[str]) -> Iterator[Row]:
    for row in rows:
        counts[row["source"]] += 1
        yield row


# dev


def copy_dev(source: Path, target: Path) -> None:
    """Take a benchmark folder as the dev set. Raises PairsError where a file is missing."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("queries.jsonl", "qrels.articles.tsv", "qrels.precedents.tsv"):
        if not (source / name).exists():
            raise PairsError(f"pairs.dev {source} has no {name}; it needs queries.jsonl and qrels.*.tsv")
        shutil.copyfile(source / name, target / name)


def write_dev(corpus: CorpusView, recipe: Recipe) -> None:
    """Dev queries from decisions on or after `train_before`: issue [n] with the articles cited for [n]."""
    recipe.dev.mkdir(parents=True, exist_ok=True)
    queries: list[Row] = []
    qrels: list[str] = []
    for row in range(len(corpus.documents)):
        document = corpus.documents[row]
        if document.kind != "precedent" or document.date < recipe.pairs.train_before:
            continue
        references = list(read_references(document.cited_statutes))
        for number, text in split_issues(document.issues).items():
            found = {corpus.article(ref) for ref in references if _applies(ref, number) and not ref.former} - {None}
            if found and len(text) >= MINIMUM:
                query_id = f"{document.doc_id.removeprefix('p')}#{number}"
                named = names_statute(text, corpus.names)
                queries.append({"query_id": query_id, "text": text, "date": document.date, "names_statute": named})
                citations = sorted(corpus.documents[article].citation for article in found if article is not None)
                qrels += [f"{query_id}\t0\t{citation}\t1\n" for citation in citations]
    write_rows(recipe.dev / "queries.jsonl", queries)
    (recipe.dev / "qrels.articles.tsv").write_text("".join(qrels), encoding="utf-8")
    (recipe.dev / "qrels.precedents.tsv").write_text("", encoding="utf-8")


def names_statute(text: str, names: LawNames) -> bool:
    """Whether a query names an article or a statute: 민법상 does, 위법 and 방법 do not."""
    if re.search(r"제\s*\d+\s*조|관한\s*(?:법률|특[례별](?:조치)?법|규칙)", text):
        return True
    words = re.findall(r"[가-힣ㆍ·]+", text)
    return any(names.find(word[: end.end()]) for word in words for end in re.finditer("[법률령칙]", word))


def dev_texts(dev: Path) -> frozenset[str]:
    """What no training pair may hold: dev queries' texts, spaces removed, and the doc_ids of their decisions."""
    rows = list(read_json(dev / "queries.jsonl"))
    own = {"p" + row["query_id"].split("#")[0] for row in rows}
    return frozenset({squeeze(model_text(row["text"])) for row in rows} | own)


# rows


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write JSON lines under a temporary name, then rename; returns how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary, count = path.with_name(path.name + ".partial"), 0
    with temporary.open("wb") as sink:
        for count, row in enumerate(rows, 1):  # noqa: B007  (the count is returned)
            sink.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    temporary.replace(path)
    return count


def read_json(path: Path) -> Iterator[Row]:
    """JSON lines of a file. Raises RecordError naming the line that is not JSON."""
    with path.open("rb") as source:
        for number, line in enumerate(source, 1):
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise RecordError(f"{path.name}:{number} is not JSON ({error}); was the file cut?") from error


def read_pairs(path: Path, passages: PassageStore | None = None) -> list[Pair]:
    """Pairs in either format, with texts. Raises PairsError with a count where ids are not in `passages`."""
    pairs: list[Pair] = []
    unknown: Counter[str] = Counter()
    for row in read_json(path):
        if "query" in row and "pos" in row:
            pairs.append(Pair(row["query"], tuple(row["pos"]), tuple(row.get("neg", ()))))
        elif "query_text" in row and "positive_passages" in row:
            pairs.append(_by_ids(row, passages, unknown))
        else:
            raise PairsError(
                f"{path.name}: a row has neither query/pos nor query_text/positive_passages: {sorted(row)}"
            )
    if unknown:
        examples = ", ".join(list(unknown)[:3])
        raise PairsError(
            f"{path.name}: {unknown.total()} unknown passage ids ({examples}); make pairs from this corpus"
        )
    return pairs


def _by_ids(row: Row, passages: PassageStore | None, unknown: Counter[str]) -> Pair:
    if passages is None:
        raise PairsError("rows with passage ids need the corpus they were made from")
    ids = [*row["positive_passages"], *row.get("hard_negatives", ())]
    unknown.update(passage_id for passage_id in ids if passage_id not in passages.rows)
    texts = [passages.text(passages.rows[i]) if i in passages.rows else "" for i in ids]
    cut = len(row["positive_passages"])
    return Pair(row["query_text"], tuple(texts[:cut]), tuple(texts[cut:]))
