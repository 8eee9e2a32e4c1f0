from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_record_files import ARTICLE, DECISION
from training.merging import Corpus
from training.record_files import STATUTES, VERSIONS, read_rows
from training.sources.records import ArticleVersion, Broken, Gone, Record, StatuteArticle

SECOND = replace(ARTICLE, article="제2조", text="둘째 글")
NEWER = replace(ARTICLE, mst="1002", promulgated_date="2025-01-02", effective_date="2025-07-01")


def merged(folder: Path, *records: Record | Gone) -> Corpus:
    corpus = Corpus(folder)
    corpus.add(records)
    corpus.merge()
    corpus.write()
    return corpus


def counts(corpus: Corpus, name: str = STATUTES) -> dict[str, int]:
    return {key: value for key, value in corpus.counts[name].items() if value}


def texts(folder: Path) -> dict[str, str]:
    return {row["article"]: row["text"] for row in read_rows(folder, STATUTES)}


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.iterdir())}


def test_the_first_time_everything_is_added(tmp_path: Path) -> None:
    corpus = merged(tmp_path, ARTICLE, SECOND, DECISION, Broken("x", "why"))
    assert (counts(corpus), counts(corpus, "precedents")) == ({"added": 2}, {"added": 1})
    assert corpus.broken == [Broken("x", "why")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precedents.jsonl.zst", "statutes.jsonl.zst"]


def test_the_same_again_touches_no_file(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE, SECOND, DECISION)
    before = contents(tmp_path)
    corpus = merged(tmp_path, DECISION, SECOND, ARTICLE)
    assert (counts(corpus), counts(corpus, "precedents")) == ({"unchanged": 2}, {"unchanged": 1})
    assert contents(tmp_path) == before


def test_only_the_file_that_changed_is_written(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE, DECISION)
    before = contents(tmp_path)["statutes.jsonl.zst"]
    corpus = merged(tmp_path, replace(DECISION, issues="다른 쟁점"))
    assert counts(corpus, "precedents") == {"changed": 1}
    assert contents(tmp_path)["statutes.jsonl.zst"] == before


def test_a_newer_version_takes_the_place_of_all_articles(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE, SECOND)
    third = replace(NEWER, article="제3조", text="셋째 글")
    corpus = merged(tmp_path, replace(NEWER, text="새 글"), third)
    assert counts(corpus) == {"changed": 1, "added": 1, "removed": 1}
    assert texts(tmp_path) == {"제1조": "새 글", "제3조": "셋째 글"}
    versions = [(row["article"], row["effective_from"], row["effective_to"]) for row in read_rows(tmp_path, VERSIONS)]
    assert versions == [
        ("제1조", "2024-07-01", "2025-07-01"), ("제1조", "2025-07-01", ""), ("제2조", "2024-07-01", "2025-07-01"),
        ("제3조", "2025-07-01", ""),
    ]  # fmt: skip


def test_an_article_of_which_only_the_version_changed_is_unchanged_but_kept_up(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE)
    assert counts(merged(tmp_path, NEWER)) == {"unchanged": 1}
    assert [row["mst"] for row in read_rows(tmp_path, STATUTES)] == ["1002"]


def test_an_older_version_changes_nothing(tmp_path: Path) -> None:
    merged(tmp_path, NEWER)
    before = contents(tmp_path)
    assert counts(merged(tmp_path, ARTICLE, SECOND)) == {"older": 2}
    assert contents(tmp_path) == before


def test_versions_go_by_promulgation_then_by_number(tmp_path: Path) -> None:
    merged(tmp_path, replace(ARTICLE, mst="999", text="먼저"))
    assert counts(merged(tmp_path, replace(ARTICLE, mst="1000", text="나중"))) == {"changed": 1}
    assert texts(tmp_path) == {"제1조": "나중"}


def test_several_versions_at_once_in_any_order_end_in_the_newest(tmp_path: Path) -> None:
    merged(tmp_path, replace(NEWER, text="새 글"), ARTICLE, SECOND)
    assert texts(tmp_path) == {"제1조": "새 글"}
    assert len(list(read_rows(tmp_path, VERSIONS))) == 3


def test_single_articles_of_the_same_version_take_their_place(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE, SECOND)
    corpus = merged(tmp_path, replace(SECOND, text="고친 글"), replace(ARTICLE, article="제3조"))
    assert counts(corpus) == {"changed": 1, "added": 1}
    assert len(texts(tmp_path)) == 3


def test_articles_without_a_version_take_their_place(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE, SECOND)
    merged(tmp_path, replace(SECOND, text="고친 글", mst="", promulgated_date=""))
    assert texts(tmp_path) == {"제1조": "글", "제2조": "고친 글"}


def test_a_renamed_law_keeps_one_set_of_articles(tmp_path: Path) -> None:
    merged(tmp_path, ARTICLE)
    assert counts(merged(tmp_path, replace(NEWER, law="등대지기법"))) == {"changed": 1}
    assert [row["law"] for row in read_rows(tmp_path, STATUTES)] == ["등대지기법"]


def test_what_is_gone_goes_unless_it_came_again(tmp_path: Path) -> None:
    other = replace(ARTICLE, law_id="990002")
    merged(tmp_path, ARTICLE, other, DECISION, replace(DECISION, precedent_id="900002"))
    moved = replace(DECISION, precedent_id="900002")
    laws = [Gone(law_id="990001"), Gone(law_id="990002")]
    decisions = [Gone(precedent_id=identity) for identity in ("900001", "900002", "999999")]
    corpus = merged(tmp_path, *laws, *decisions, other, moved)
    assert counts(corpus) == counts(corpus, "precedents") == {"removed": 1, "unchanged": 1}
    assert {row["law_id"] for row in read_rows(tmp_path, STATUTES)} == {"990002"}


def test_an_article_that_stands_twice_is_named(tmp_path: Path) -> None:
    corpus = merged(tmp_path, ARTICLE, replace(ARTICLE, text="다른 글"), ARTICLE)
    assert [one.where for one in corpus.broken] == ["등대법 제1조"]
    assert texts(tmp_path) == {"제1조": "글"}


def test_versions_of_a_source_are_taken_where_none_are_known(tmp_path: Path) -> None:
    version = ArticleVersion("990001", "등대법", "제1조", "목적", "옛 글", "2010-01-01", "2024-07-01")
    merged(tmp_path, ARTICLE)
    for found in (version, replace(version, text="다른 옛 글")):
        corpus = Corpus(tmp_path)
        corpus.add_versions([found, Broken("v", "why")])
        corpus.merge()
        corpus.write()
        assert corpus.broken == [Broken("v", "why")]
    assert [row["text"] for row in read_rows(tmp_path, VERSIONS)] == ["옛 글"]


def test_stopped_between_two_files_the_history_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    merged(tmp_path, ARTICLE)
    corpus = Corpus(tmp_path)
    corpus.add([replace(NEWER, text="새 글")])
    corpus.merge()
    with monkeypatch.context() as patch:
        patch.setattr(Corpus, "_articles", lambda self: iter([{}]))
        with pytest.raises(KeyError):
            corpus.write()
    assert texts(tmp_path) == {"제1조": "글"}
    merged(tmp_path, replace(NEWER, text="새 글"))
    assert [row["text"] for row in read_rows(tmp_path, VERSIONS)] == ["글", "새 글"]


def edition(law_id: str, version: int, texts: dict[int, str]) -> list[StatuteArticle]:
    year = 2020 + version
    article = replace(
        ARTICLE, law_id=law_id, mst=str(100 + version), promulgated_date=f"{year}-01-01", effective_date=f"{year}-07-01"
    )
    return [replace(article, article=f"제{number}조", text=text) for number, text in texts.items()]


LAWS = st.builds(
    edition,
    st.sampled_from(["1", "2"]),
    st.integers(0, 5),
    st.dictionaries(st.integers(1, 4), st.sampled_from(["가", "나"]), min_size=1),
)


def by_edition(laws: Iterable[list[StatuteArticle]]) -> list[list[StatuteArticle]]:
    """One set of articles a law and version, as a source gives them."""
    return list({(law[0].law_id, law[0].mst): law for law in laws}.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(LAWS, min_size=1, max_size=6).map(by_edition))
def test_week_by_week_gives_what_all_at_once_gives(
    tmp_path_factory: pytest.TempPathFactory, laws: list[list[StatuteArticle]]
) -> None:
    """Differential: versions that come one after another, against all of them in one run."""
    slow, quick = tmp_path_factory.mktemp("slow"), tmp_path_factory.mktemp("quick")
    for law in sorted(laws, key=lambda law: int(law[0].mst)):
        merged(slow, *law)
    merged(quick, *(article for law in laws for article in law))
    assert {name: body for name, (body, _) in contents(slow).items()} == {
        name: body for name, (body, _) in contents(quick).items()
    }
