from __future__ import annotations

import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import RecordError
from app.retrieval.store import DocumentStore, PassageStore
from app.retrieval.versions import VersionStore
from tests.test_jsonl import ARTICLE, DECISION, article, decision, line, rows
from training.corpus import Report, build, run, to_document
from training.recipe import Recipe
from training.sources.records import Broken

DELETED = {**ARTICLE, "article": "제751조", "text": "삭제 <2010. 5. 14.>"}
SAMPLES = Path(__file__).parent.parent / "samples"


def source(folder: Path, *records: Any, name: str = "statutes.jsonl") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"".join(one if isinstance(one, bytes) else line(one) for one in records))
    return str(folder)


def total(report: Report) -> dict[str, int]:
    names = ("read", "kept", "deleted", "duplicate", "broken")
    return {name: sum(counts[name] for counts in report.counts.values()) for name in names}


def test_every_record_is_accounted_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """read = kept + deleted + duplicate + broken, in the report, in report.json and on the screen."""
    records = source(tmp_path / "in", ARTICLE, DELETED, ARTICLE, b"{\n", {**ARTICLE, "article": "제1장"}, b"\n")
    source(tmp_path / "in", DECISION, DECISION, {**DECISION, "precedent_id": "2"}, name="precedents.jsonl")
    report = build([records], tmp_path / "out", 600)
    assert total(report) == {"read": 8, "kept": 3, "deleted": 1, "duplicate": 2, "broken": 2}
    for counts in report.counts.values():
        assert counts["read"] == counts["kept"] + counts["deleted"] + counts["duplicate"] + counts["broken"]
    assert report.documents == 4 == len(DocumentStore(tmp_path / "out" / "documents.arrow"))
    assert report.passages == len(PassageStore(tmp_path / "out" / "passages.arrow"))
    kept = json.loads((tmp_path / "out" / "report.json").read_text())
    assert kept["counts"] == {
        "statutes.jsonl": {"read": 5, "kept": 1, "deleted": 1, "duplicate": 1, "broken": 2},
        "precedents.jsonl": {"read": 3, "kept": 2, "duplicate": 1},
    }
    assert [one.split(": ")[0] for one in kept["broken"]] == ["statutes.jsonl:4", "민법 제1장"]
    shown = capsys.readouterr().out
    assert "4 documents, 3 passages, 0 versions" in shown
    assert "statutes.jsonl:4: not JSON" in shown
    assert "'제1장' is no article number" in shown


def test_the_first_of_a_duplicate_is_kept(tmp_path: Path) -> None:
    build([source(tmp_path, ARTICLE, {**ARTICLE, "text": "다른 글"})], tmp_path, 600)
    (document,) = DocumentStore(tmp_path / "documents.arrow")
    assert document.text == ARTICLE["text"]


def test_the_same_source_twice_is_all_duplicates(tmp_path: Path) -> None:
    records = source(tmp_path / "in", ARTICLE, DECISION)
    report = build([records, records], tmp_path, 600)
    assert total(report) == {"read": 4, "kept": 2, "deleted": 0, "duplicate": 2, "broken": 0}


def test_strict_stops_at_the_first_broken_record(tmp_path: Path) -> None:
    records = source(tmp_path / "in", ARTICLE, b"{\n", {**ARTICLE, "law_id": 5})
    with pytest.raises(RecordError, match=r"statutes\.jsonl:2: not JSON.*mend it or set corpus\.strict"):
        build([records], tmp_path / "out", 600, strict=True)
    assert not (tmp_path / "out" / "documents.arrow").exists()


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        ([], "every record was deleted, or there was none"),
        ([DELETED], "every record was deleted"),
        ([b"{\n"], "not JSON"),
    ],
)
def test_a_corpus_of_nothing_is_an_error(tmp_path: Path, records: list[Any], reason: str) -> None:
    with pytest.raises(RecordError, match=f"no usable record in .*{reason}"):
        build([source(tmp_path / "in", *records)], tmp_path / "out", 600)


def test_a_cut_file_costs_only_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = zstandard.ZstdCompressor().compress(rows(1, 5000))
    report = build([source(tmp_path / "in", whole[: len(whole) // 2], name="statutes.jsonl.zst")], tmp_path, 600)
    counts = report.counts["statutes.jsonl.zst"]
    assert counts["broken"] == 1
    assert counts["kept"] == report.documents == counts["read"] - 1 > 0
    assert "the file ends in the middle" in " ".join(capsys.readouterr().out.split())


def test_only_the_first_broken_records_are_named_on_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = build([source(tmp_path / "in", ARTICLE, *[b"{\n"] * 50)], tmp_path, 600)
    assert len(report.broken) == 50
    assert capsys.readouterr().out.count("broken: ") == 20
    assert len(json.loads((tmp_path / "report.json").read_text())["broken"]) == 50


def test_an_article_becomes_a_document() -> None:
    document = to_document(article(article="제839조의 2", law=" 민법 ", title="재산분할"))
    assert not isinstance(document, Broken | None)
    assert (document.doc_id, document.citation) == ("001706-0839-02", "민법 제839조의2")
    assert (document.law, document.article, document.title) == ("민법", "제839조의2", "재산분할")
    assert (document.date, document.promulgated, document.law_kind) == ("2024-05-17", "2024-01-01", "법률")


def test_a_decision_becomes_a_document() -> None:
    document = to_document(decision(issues="[1]  요건<br/>[2] 효과", case_no="2019다14110,14127"))
    assert not isinstance(document, Broken | None)
    assert document.doc_id == "p211793"
    assert document.citation == "대법원 2020. 8. 20. 선고 2019다14110, 14127 판결"
    assert document.issues == "[1] 요건\n[2] 효과"
    assert document.text == "[1] 요건\n[2] 효과\n\n[1] 요건이다."
    assert (document.title, document.date, document.cited_statutes) == (
        "손해배상(기)",
        "2020-08-20",
        "[1] 민법 제750조",
    )


def test_documents_are_composed() -> None:
    law = unicodedata.normalize("NFD", "민법")
    document = to_document(article(law=law))
    assert not isinstance(document, Broken | None)
    assert document.citation == "민법 제750조"


VERSION = {
    "law_id": "001706", "law": "민법", "article": "제750조", "title": "(불법행위)", "text": "배상한다.",
    "effective_from": "1960-01-01", "effective_to": "2013-07-01",
}  # fmt: skip
NEXT = {**VERSION, "text": "손해를<br/>배상한다.", "effective_from": "2013-07-01", "effective_to": None}
NEVER = {**VERSION, "effective_from": "2013-07-01", "effective_to": "2013-07-01", "text": "다른 글"}


def test_versions_are_written_beside_the_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = source(tmp_path / "in", ARTICLE)
    source(
        tmp_path / "in", NEXT, VERSION, NEVER, VERSION, b"{\n", {**VERSION, "article": "별표"},
        name="statute_versions.jsonl",
    )  # fmt: skip
    report = build([records], tmp_path / "out", 600)
    assert report.counts["statute_versions.jsonl"] == {
        "read": 6, "kept": 2, "duplicate": 1, "never in force": 1, "broken": 2
    }  # fmt: skip
    assert [one.where for one in report.broken] == ["statute_versions.jsonl:5", "민법 별표"]
    assert report.versions == 2
    assert "1 documents, 1 passages, 2 versions" in capsys.readouterr().out
    old, new = VersionStore(tmp_path / "out" / "versions.arrow").of("001706-0750")
    assert (old.citation, old.title, old.effective_to, new.effective_from) == (
        "민법 제750조", "불법행위", "2013-07-01", "2013-07-01"
    )  # fmt: skip
    assert (new.text, new.effective_to) == ("손해를\n배상한다.", "")


def test_versions_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    records = source(tmp_path / "in", ARTICLE)
    history = source(tmp_path / "in", VERSION, name="statute_versions.jsonl")
    build([history], tmp_path / "out", 600)
    assert (tmp_path / "out" / "versions.arrow").exists()
    (tmp_path / "in" / "statute_versions.jsonl").unlink()
    assert build([records], tmp_path / "out", 600).versions == 0
    assert not (tmp_path / "out" / "versions.arrow").exists()


def test_a_broken_version_stops_a_strict_run(tmp_path: Path) -> None:
    source(tmp_path / "in", ARTICLE)
    history = source(tmp_path / "in", {**VERSION, "effective_from": "1960-02-30"}, name="statute_versions.jsonl")
    with pytest.raises(RecordError, match=r"statute_versions\.jsonl:1: date '1960-02-30' is not YYYY-MM-DD"):
        build([history], tmp_path / "out", 600, strict=True)
    assert not (tmp_path / "out" / "versions.arrow").exists()


def test_the_samples_show_every_status(tmp_path: Path) -> None:
    build([str(SAMPLES)], tmp_path, 600)
    store = VersionStore(tmp_path / "versions.arrow")
    statuses = {one.status(date(2026, 11, 1)) for doc_id in ("001872-0060", "001706-0915") for one in store.of(doc_id)}
    assert statuses == {"former", "in_force", "not_yet", "deleted"}
    assert store.at("001248-0006-03", date(2015, 1, 1)) is None
    assert store.covers("001248", date(2015, 1, 1))


def test_passages_follow_their_documents(tmp_path: Path) -> None:
    build([str(SAMPLES)], tmp_path, 100)
    documents, passages = DocumentStore(tmp_path / "documents.arrow"), PassageStore(tmp_path / "passages.arrow")
    owners = passages.documents.tolist()
    assert owners == sorted(owners)
    assert set(owners) == set(range(len(documents)))
    ids = documents.column("doc_id")
    assert all(passages.passage_id(i).split("#")[0] == ids[owner] for i, owner in enumerate(owners))


def test_the_step_takes_its_section(tmp_path: Path) -> None:
    records = source(tmp_path / "in", {**ARTICLE, "text": "손해를 배상한다. " * 30})
    sections = {"sources": [records], "passage_chars": 100}
    recipe = Recipe.model_validate({"name": "one", "work": str(tmp_path / "work"), "corpus": sections})
    run(recipe)
    assert len(DocumentStore(recipe.documents)) == 1
    assert len(PassageStore(recipe.passages)) > 1


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["article", "other", "deleted", "decision", "broken", "badly numbered"]), max_size=20))
def test_the_counts_always_add_up(tmp_path_factory: pytest.TempPathFactory, kinds: list[str]) -> None:
    records: dict[str, Any] = {
        "article": ARTICLE,
        "other": {**ARTICLE, "article": "제1조의2"},
        "deleted": DELETED,
        "decision": DECISION,
        "broken": b"{\n",
        "badly numbered": {**ARTICLE, "article": "별표 1"},
    }
    folder = tmp_path_factory.getbasetemp() / "counts"
    path = source(folder, *(records[kind] for kind in kinds))
    kept = len(set(kinds) & {"article", "other", "decision"})
    if not kept:
        with pytest.raises(RecordError):
            build([path], folder / "out", 600)
        return
    found = total(build([path], folder / "out", 600))
    assert found["read"] == len(kinds)
    assert found["kept"] == kept
    assert found["deleted"] == ("deleted" in kinds)
    assert found["broken"] == kinds.count("broken") + kinds.count("badly numbered")
    assert found["read"] == sum(found.values()) - found["read"]
