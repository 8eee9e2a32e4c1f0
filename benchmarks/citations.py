"""How well and how fast citations are read: precision and recall on the golden strings, coverage and speed on records.

    python -m benchmarks.citations [--golden tests/golden/citations.jsonl] [--source data] [--index full]

With a folder of records: the share of reference segments that are read, reference strings a second on one core (CPU
time), and microseconds a query against the dictionary of all its laws. With an index: milliseconds of a whole search
for an article or a decision by its citation, ten results, in process; models are out of reach while it runs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson

from app.law.aliases import ALIASES
from app.law.cases import case_mentions, read_cases
from app.law.citation import Reference, parse_references, read_references
from app.law.mentions import article_mentions
from app.law.names import Law, LawNames
from app.law.text import match_key, readable
from app.retrieval.opening import open_searcher
from app.retrieval.searcher import Searcher
from app.retrieval.types import SearchRequest, TextEncoder
from training.index import ENCODER
from training.sources import jsonl
from training.sources.records import Broken

GOLDEN = Path("tests/golden/citations.jsonl")
KINDS = ("references", "cases", "text")
UNKNOWN = frozenset({"노동법", "없는법"})
"""Laws that golden texts name and that nobody has made."""
QUERIES = ("민법 750", "형소법 308조의 2", "특가법 5조의11", "민법 제750조 내지 제752조", "동법 시행령 제3조",
"2012다77184, 77191",
           "전세 계약이 끝났는데 집주인이 주택임대차보호법 제3조의2에 따라 보증금을 안 돌려줘요")  # fmt: skip
ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Score:
    """Entries of the expected lists: found, found though not expected, expected but not found."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.citations", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--golden", type=Path, default=GOLDEN)
    parser.add_argument("--source", type=Path, help="a folder of records")
    parser.add_argument("--index", help="name of a published index")
    options = parser.parse_args()
    print("\n".join(report(scores(golden(options.golden)))))
    if options.source:
        print("\n".join(on_records(options.source)))
    if options.index:
        print(looked_up(open_searcher(Path("indexes"), options.index, ENCODER, None)))


def looked_up(searcher: Searcher, count: int = 500) -> str:
    """A search each for `count` documents drawn at random, by their citations."""
    searcher.warm()
    searcher.encoder = cast(TextEncoder, None)
    citations = searcher.index.documents.column("citation")
    rows = np.random.default_rng(7).choice(len(citations), min(count, len(citations)), replace=False)
    took, pinned = [], 0
    for row in rows:
        start = time.perf_counter()
        response = searcher.search(SearchRequest(str(citations[row])))
        took.append(1000 * (time.perf_counter() - start))
        pinned += any(result.match == "citation" and result.citation == citations[row] for result in response.results)
    p50, p99 = np.percentile(took, [50, 99])
    return f"{len(took)} searches by citation: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {pinned} found what they cite"


def golden(path: Path = GOLDEN) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def scores(rows: Sequence[dict[str, Any]]) -> dict[str, Score]:
    """By kind; entries are compared without spaces and middots, each as often as it occurs."""
    names = _names(rows)
    found = dict.fromkeys(KINDS, Score())
    for row in rows:
        ours = Counter(map(match_key, entries(row["kind"], row["text"], names)))
        theirs = Counter(map(match_key, row["expected"]))
        score = Score((ours & theirs).total(), (ours - theirs).total(), (theirs - ours).total())
        found[row["kind"]] += score
    return found


def report(found: dict[str, Score]) -> Iterator[str]:
    every = sum(found.values(), Score())
    for kind, score in (*found.items(), ("all", every)):
        yield f"{kind:10} precision {score.precision:.4f}  recall {score.recall:.4f}  ({score.right} right, " \
              f"{score.wrong} wrong, {score.missed} missed)"  # fmt: skip


def entries(kind: str, text: str, names: LawNames) -> list[str]:
    """What the readers find, in the normal form of the golden strings."""
    if kind == "references":
        return [_reference(one) for one in read_references(text)]
    if kind == "cases":
        return [
            f"{_tags(one.issues)}{one.court or '?'} {one.day or '?'} {number}"
            for one in read_cases(text)
            for number in one.case_nos
        ]
    return list(_in_text(text, names))


def _tags(issues: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, issues))}] " if issues else ""


def _reference(one: Reference) -> str:
    words = [str(one) if one.law else f"? {one.provision}", "{전부}" * (one.revision == "full")]
    words.append("{현행 삭제}" * one.current_deleted)
    words.append(f"{{현행 {'; '.join(map(str, one.current))}}}" if one.current else "")
    return _tags(one.issues) + " ".join(filter(None, words))


def _in_text(text: str, names: LawNames) -> Iterator[str]:
    plain = readable(text)
    for one in article_mentions(plain, names):
        yield " ".join(
            filter(
                None, ("구" * one.former, one.written or "?", str(one.provision), "{전부}" * (one.revision == "full"))
            )
        )
    for case in case_mentions(plain.text):
        yield from (f"{case.court or '?'} {case.day or '?'} {number}" for number in case.numbers)


def _names(rows: Iterable[dict[str, Any]]) -> LawNames:
    """The laws that golden texts name, those left out that nobody has made, and those that aliases stand for."""
    expected = (one for row in rows if row["kind"] == "text" for one in row["expected"])
    written = {one.removeprefix("구 ").split(" 제")[0].split(" 별")[0].split(" 부칙")[0] for one in expected}
    laws = {name for name in written if name.endswith(("법", "법률", "령", "규칙", "규정"))} - UNKNOWN - set(ALIASES)
    return LawNames(Law(str(n), name, "법률", "") for n, name in enumerate(sorted(laws | set(ALIASES.values()))))


# records


def on_records(source: Path) -> Iterator[str]:
    strings = [row["cited_statutes"] for row in _rows(source, "precedents") if row["cited_statutes"].strip()]
    start = time.process_time()
    parsed = [parse_references(text) for text in strings]
    took = time.process_time() - start
    references, unread = sum(len(one.references) for one in parsed), sum(len(one.unread) for one in parsed)
    yield f"{len(strings):,} reference strings: {references:,} references, {unread:,} segments not read, " \
          f"{references / (references + unread):.4%} read"  # fmt: skip
    yield f"{len(strings) / took:,.0f} reference strings a second of CPU time"
    known = {(row["law_id"], row["law"]): row for row in _rows(source, "statutes")}.values()
    names = LawNames(Law(row["law_id"], row["law"], row["kind"], row["promulgated_date"]) for row in known)
    yield f"{_a_query(names):.0f} µs a query against {len(names):,} names"


def _a_query(names: LawNames) -> float:
    start = time.process_time()
    for _ in range(ROUNDS):
        for query in QUERIES:
            list(_in_text(query, names))
    return (time.process_time() - start) / ROUNDS / len(QUERIES) * 1e6


def _rows(source: Path, kind: str) -> Iterator[dict[str, Any]]:
    for file in sorted(source.glob(f"{kind}.jsonl*")):
        for _, line in jsonl.lines(file):
            if not isinstance(line, Broken) and line.strip():
                yield orjson.loads(line)


if __name__ == "__main__":
    main()
