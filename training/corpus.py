"""records → documents.arrow, passages.arrow, report.json; and versions.arrow where a source holds the history of laws

Reads every source, keeps deleted articles without passages, names and counts what is broken, and ends with a table of
what became of each record. Nothing is lost in silence; `strict` stops at the first broken record.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from app.errors import RecordError
from app.law.documents import Document, article_number, format_article, passages, precedent_citation, statute_doc_id
from app.law.text import display_text, nfc
from app.retrieval.store import DocumentStore, write_documents, write_passages
from app.retrieval.versions import FILE, Version, write_versions
from training import sources
from training.mending import mend
from training.recipe import Recipe
from training.sources import versions
from training.sources.records import ArticleVersion, Broken, Decision, Record, StatuteArticle

NAMED = 20
"""Broken records named in the report; all are counted."""


@dataclass
class Report:
    """What became of the records, per source file: read = kept + deleted + duplicate + never in force + broken."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    documents: int = 0
    passages: int = 0
    versions: int = 0

    def lose(self, broken: Broken, name: str, strict: bool) -> None:
        """Count and name a broken record of a file. Raises RecordError where `strict`."""
        self.counts[name]["broken"] += 1
        self.broken.append(broken)
        if strict:
            raise RecordError(f"broken record {broken.where}: {broken.reason}; mend it or set corpus.strict = false")

    def table(self) -> Table:
        columns = ("read", "kept", "deleted", "duplicate", "never in force", "broken")
        title = f"{self.documents} documents, {self.passages} passages, {self.versions} versions"
        table = Table("source", *columns, title=title)
        for name, counts in self.counts.items():
            table.add_row(name, *(f"{counts[column]:,}" for column in columns))
        return table

    def write(self, path: Path) -> None:
        broken = [f"{b.where}: {b.reason}" for b in self.broken]
        body = {
            "counts": self.counts, "broken": broken, "documents": self.documents, "passages": self.passages,
            "versions": self.versions,
        }  # fmt: skip
        path.write_text(json.dumps(body, ensure_ascii=False, indent=1), encoding="utf-8")


def run(recipe: Recipe) -> None:
    build(recipe.corpus.sources, recipe.folder("corpus"), recipe.corpus.passage_chars, recipe.corpus.strict)


def build(paths: Sequence[str], folder: Path, passage_chars: int, strict: bool = False) -> Report:
    """Write the corpus of `paths` into `folder`.

    Raises RecordError where nothing is left, and where `strict` at the first broken record.
    """
    report = Report()
    report.documents = write_documents(folder / "documents.arrow", _documents(paths, report, strict))
    if not sum(counts["kept"] for counts in report.counts.values()):
        raise RecordError(f"no usable record in {', '.join(paths)}: {_first(report.broken)}")
    store = DocumentStore(folder / "documents.arrow")
    report.passages = write_passages(folder / "passages.arrow", _passages(store, passage_chars))
    report.versions = write_history(paths, folder / FILE, store, report, strict)
    report.write(folder / "report.json")
    Console().print(report.table(), *(f"broken: {b.where}: {b.reason}" for b in report.broken[:NAMED]), sep="\n")
    return report


def _documents(paths: Sequence[str], report: Report, strict: bool) -> Iterator[Document]:
    seen: set[str] = set()
    for path in (file for source in paths for file in sources.find(source)):
        counts = report.counts.setdefault(path.name, Counter())
        for record in track(sources.read(path), description=f"reading {path.name}"):
            counts["read"] += 1
            document = to_document(record)
            if isinstance(document, Broken):
                report.lose(document, path.name, strict)
            elif document.doc_id in seen:
                counts["duplicate"] += 1
            else:
                seen.add(document.doc_id)
                counts["deleted" if document.deleted else "kept"] += 1
                yield document


def to_document(record: Record) -> Document | Broken:
    if isinstance(record, Broken):
        return record
    return _precedent(record) if isinstance(record, Decision) else _article(record)


def _article(record: StatuteArticle) -> Document | Broken:
    law = nfc(record.law).strip()
    try:
        jo, ga = article_number(record.article)
    except ValueError as error:
        return Broken(f"{law} {record.article}", str(error))
    article = format_article(jo, ga)
    return Document(
        doc_id=statute_doc_id(record.law_id, jo, ga), kind="statute", citation=f"{law} {article}",
        title=nfc(record.title), text=display_text(record.text), date=record.effective_date, law_id=record.law_id,
        law=law, law_kind=record.kind, article=article, promulgated=record.promulgated_date, mst=record.mst,
        sample=record.sample, deleted=record.deleted,
    )  # fmt: skip


def _precedent(record: Decision) -> Document:
    issues, holdings = display_text(record.issues), display_text(record.holdings)
    court, case_no = nfc(record.court).strip(), nfc(record.case_no).strip()
    return Document(
        doc_id=f"p{record.precedent_id}", kind="precedent",
        citation=precedent_citation(court, record.decision_date, case_no), title=nfc(record.case_name).strip(),
        text="\n\n".join(filter(None, (issues, holdings))), date=record.decision_date, court=court,
        court_level=record.court_level, case_type=record.case_type, case_no=case_no, issues=issues, holdings=holdings,
        cited_statutes=display_text(record.cited_statutes), cited_precedents=display_text(record.cited_precedents),
        sample=record.sample,
    )  # fmt: skip


def write_history(paths: Sequence[str], path: Path, documents: DocumentStore, report: Report, strict: bool) -> int:
    """How many versions the corpus has, after mending. Without any, none of an earlier run are left."""
    files = [file for source in paths for file in versions.find(source)]
    if not files:
        path.unlink(missing_ok=True)
        return 0
    today = date.today()

    def mended(listed: list[Version]) -> list[Version]:
        row = documents.row(listed[0].doc_id)
        return mend(listed, today, None if row is None else documents[row])

    return write_versions(path, _versions(files, report, strict), mended)


def _versions(files: Sequence[Path], report: Report, strict: bool) -> Iterator[Version]:
    seen: set[tuple[str, str]] = set()
    for path in files:
        counts = report.counts.setdefault(path.name, Counter())
        for record in track(versions.read(path), description=f"reading {path.name}"):
            counts["read"] += 1
            version = to_version(record)
            if isinstance(version, Broken):
                report.lose(version, path.name, strict)
            elif version is None:
                counts["never in force"] += 1
            elif (key := (version.doc_id, version.effective_from)) in seen:
                counts["duplicate"] += 1
            else:
                seen.add(key)
                counts["kept"] += 1
                yield version


def to_version(record: ArticleVersion | Broken) -> Version | Broken | None:
    """The version of a record; None for one that was replaced before it took effect."""
    if isinstance(record, Broken):
        return record
    law = nfc(record.law).strip()
    try:
        jo, ga = article_number(record.article)
    except ValueError as error:
        return Broken(f"{law} {record.article}", str(error))
    if not record.ever_in_force:
        return None
    return Version(
        doc_id=statute_doc_id(record.law_id, jo, ga), citation=f"{law} {format_article(jo, ga)}",
        effective_from=record.effective_from, effective_to=record.effective_to, title=nfc(record.title),
        text=display_text(record.text), deleted=record.deleted,
    )  # fmt: skip


def _passages(store: DocumentStore, limit: int) -> Iterator[tuple[str, int, str]]:
    for row, document in enumerate(track(store, total=len(store), description="cutting passages")):
        for passage in passages(document, limit):
            yield passage.passage_id, row, passage.text


def _first(broken: list[Broken]) -> str:
    return f"{broken[0].where}: {broken[0].reason}" if broken else "every record was deleted, or there was none"
