"""The files of a corpus of records, *.jsonl.zst: statutes, precedents, and versions of articles where known.

A row is a dict of strings in the order of its FIELDS; "" stands for what is not known. On disk a title or an
`effective_to` that is not known is null. The same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson
import zstandard

from app.errors import RecordError
from app.law.documents import article_number
from training import atomic
from training.sources.jsonl import lines
from training.sources.records import ArticleVersion, Broken, Decision, StatuteArticle

Row = dict[str, str]
STATUTES, PRECEDENTS, VERSIONS = "statutes", "precedents", "statute_versions"
ABBREVIATIONS = "law_abbreviations"
SAMPLE = "sample"
FIELDS = {
    STATUTES: (
        "law_id", "law", "kind", "article", "title", "text", "effective_date", "promulgated_date", "mst",
    ),
    PRECEDENTS: (
        "precedent_id", "case_no", "case_name", "court", "court_level", "case_type", "decision_date", "issues",
        "holdings", "cited_statutes", "cited_precedents",
    ),
    VERSIONS: ("law_id", "law", "article", "title", "text", "effective_from", "effective_to"),
    ABBREVIATIONS: ("law_id", "law", "abbreviation"),
}  # fmt: skip
_NULL = frozenset({"title", "effective_to"})
_LEVEL = 6


def statute_row(article: StatuteArticle) -> Row:
    return {name: getattr(article, name) for name in FIELDS[STATUTES]} | _sample(article)


def precedent_row(decision: Decision) -> Row:
    return {name: getattr(decision, name) for name in FIELDS[PRECEDENTS]} | _sample(decision)


def _sample(record: StatuteArticle | Decision) -> Row:
    """The mark of text that was written as a sample and is no law, for rows that have it."""
    return {SAMPLE: "yes"} if record.sample else {}


def version_row(version: ArticleVersion) -> Row:
    return {name: getattr(version, name) for name in FIELDS[VERSIONS]}


def read_rows(folder: Path, name: str) -> Iterator[Row]:
    """The rows of a file, none where there is no such file. Raises RecordError at a line that cannot be used."""
    if (folder / f"{name}.jsonl").exists():
        raise RecordError(
            f"{folder / name}.jsonl would stand beside the {name}.jsonl.zst that is written here: name another folder "
            "as --out, and this one as --source"
        )
    path = folder / f"{name}.jsonl.zst"
    if path.exists():
        for number, line in lines(path):
            yield _row(line, name, f"{path}:{number}")


def _row(line: bytes | Broken, name: str, where: str) -> Row:
    if isinstance(line, Broken):
        raise RecordError(f"{where}: {line.reason}; nothing was changed")
    try:
        row = orjson.loads(line)
        known = {field: str(row.get(field) or "") for field in FIELDS[name]}
        return known | {SAMPLE: "yes"} if row.get(SAMPLE) else known
    except (orjson.JSONDecodeError, AttributeError) as error:
        raise RecordError(
            f"{where} cannot be read ({error}); nothing was changed: mend the line, or move the file away"
        ) from None


def write_rows(folder: Path, name: str, rows: Iterable[Row]) -> None:
    """Replace a file as a whole, its rows sorted by what they are."""
    with (
        atomic.replacing(folder / f"{name}.jsonl.zst") as file,
        zstandard.ZstdCompressor(level=_LEVEL).stream_writer(file, closefd=False) as packed,
    ):
        for row in sorted(rows, key=_ORDERS[name]):
            shown: dict[str, str | bool | None] = {field: row[field] for field in FIELDS[name]}
            shown |= {field: None for field in _NULL & shown.keys() if not row[field]}
            shown |= {SAMPLE: True} if SAMPLE in row else {}
            packed.write(orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE))


def article_order(article: str) -> tuple[int, int, str]:
    """Articles by number; what has none comes last."""
    try:
        return (*article_number(article), "")
    except ValueError:
        return 1 << 30, 0, article


_ORDERS = {
    STATUTES: lambda row: (row["law_id"], article_order(row["article"])),
    PRECEDENTS: lambda row: (len(row["precedent_id"]), row["precedent_id"]),
    VERSIONS: lambda row: (row["law_id"], article_order(row["article"]), row["effective_from"]),
    ABBREVIATIONS: lambda row: (row["law_id"], row["abbreviation"]),
}
