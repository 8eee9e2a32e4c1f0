from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.law.citation import Reference
from app.law.documents import Document
from app.law.provisions import Provision
from app.law.text import model_text
from app.retrieval.store import DocumentStore, PassageStore
from tests.fakes import precedent, statute, write_corpus
from training.pairs import (
    CorpusView,
    FrequencyCap,
    PairsError,
    Row,
    copy_dev,
    dev_texts,
    names_statute,
    nearest,
    read_json,
    run,
    squeeze,
    write_rows,
)
from training.recipe import Recipe

LEASE = "임대인이 보증금을 돌려주지 않는 경우 임차인이 점유를 계속할 수 있는지 여부"
DAMAGE = "고의 또는 과실로 손해를 가한 자의 배상책임이 성립하기 위한 요건"
TRADE = "명의대여자가 상법 제24조의 책임을 지는 범위"
SHARED = "동일한 쟁점이 두 시기의 판결에 똑같은 글로 나타난 경우의 처리 방법"
OWN = "개발용 질의를 낸 바로 그 판결의 쟁점이 학습에 쓰일 수 없는지 여부"
LATE = "보증금을 받지 못하고 이사하는 임차인을 보호할 방법이 있는지 여부"
UNDATED = "날짜를 알 수 없는 판결의 쟁점이 학습에 쓰이는지 여부"
LONG = " ".join(
    f"{mark} 임대인은 이를 임차인에게 {n}일 전까지 서면으로 알려야 한다. "
    f"임차인은 {n}일 안에 그 뜻을 임대인에게 알릴 수 있다."
    for n, mark in enumerate("①②③④⑤⑥", 3)
)

DAMAGES = "고의 또는 과실로 손해를 가한 자는 그 손해를 배상할 책임이 있다. 이는 과실상계를 막지 않는다."
REVISED = "구 상법(2000. 1. 1. 법률 제1호로 전부 개정되기 전의 것) 제24조"
FORMER = "구 민법(2010. 1. 1. 법률 제2호로 개정되기 전의 것) 제750조"
DOCUMENTS = (
    statute("001706", "민법", "제750조", "불법행위의 내용", DAMAGES),
    statute("001706", "민법", "제536조", "동시이행의 항변권", "당사자는 상대방이 이행할 때까지 이행을 거절할 수 있다."),
    statute("001702", "상법", "제24조", "명의대여자의 책임", "타인에게 자기의 명의를 빌려준 자는 변제할 책임이 있다."),
    statute("001248", "주택임대차보호법", "제6조의3", "계약갱신 요구", LONG),
    precedent(
        10, "건물명도", f"[1] {LEASE}\n[2] {DAMAGE}",
        "[1] 점유를 계속할 수 있다고 본다.\n[2] 위법성과 인과관계가 있어야 한다고 본다.",
        date="2015-03-05", case_no="2014다10, 11",
        cited_statutes=f"[1] 민법 제536조, 주택임대차보호법 제6조의3 제4항 / [2] 민법 제750조, {REVISED}",
    ),
    precedent(
        20, "대여금", f"{TRADE}", "명의를 빌려준 사람도 책임을 진다고 본다.", date="2019-06-07", case_no="2018다20",
        cited_statutes="상법 제24조, 상법 부칙 제24조, 민법 제9999조",
        cited_precedents="대법원 2015. 3. 5. 선고 2014다11 판결, 대법원 2022. 5. 1. 선고 2021다50 판결",
    ),
    precedent(
        30, "사해행위취소", SHARED, "똑같이 처리하여야 한다고 본다.", date="2018-01-01", case_no="2017다30",
        cited_statutes="민법 제750조",
    ),
    precedent(
        40, "손해배상(기)", OWN, "쓰일 수 없다고 보아야 한다.", date="2020-01-01", case_no="2019다40",
        cited_statutes="민법 제750조",
    ),
    precedent(
        50, "보증금반환", f"[1] {SHARED}\n[2] {LATE}", "", date="2022-05-01", case_no="2021다50",
        cited_statutes=f"[1] 민법 제750조 / [2] 민법 제536조, {FORMER}",
    ),
    precedent(60, "날짜 없음", UNDATED, "", date="", case_no="2016다60", cited_statutes="민법 제750조"),
)  # fmt: skip


def recipe(work: Path, **section: Any) -> Recipe:
    return Recipe.model_validate({"name": "p", "work": str(work), "pairs": section})


def corpus_view(made: Recipe, documents: tuple[Document, ...] = DOCUMENTS) -> CorpusView:
    write_corpus(made.folder("corpus"), documents, limit=120)
    return CorpusView(DocumentStore(made.documents), PassageStore(made.passages))


def dev_folder(folder: Path, *queries: tuple[str, str]) -> Path:
    folder.mkdir(parents=True)
    write_rows(folder / "queries.jsonl", [{"query_id": query_id, "text": text} for query_id, text in queries])
    (folder / "qrels.articles.tsv").write_text("".join(f"{query_id}\t0\t민법 제750조\t1\n" for query_id, _ in queries))
    (folder / "qrels.precedents.tsv").write_text("")
    return folder


def made(work: Path, **section: Any) -> tuple[list[Row], list[Row]]:
    """train.jsonl and weak.jsonl of DOCUMENTS."""
    settings = recipe(work, **section)
    corpus_view(settings)
    run(settings)
    return list(read_json(settings.train_pairs)), list(read_json(settings.weak_pairs))


# what is made


def test_issues_meet_the_articles_cited_for_them(tmp_path: Path) -> None:
    train, _ = made(tmp_path)
    by_id = {row["query_id"]: row for row in train}
    assert by_id["p10#1"]["query_text"] == LEASE
    assert [one.split("#")[0] for one in by_id["p10#1"]["positive_passages"]] == ["001706-0536", "001248-0006-03"]
    assert by_id["p10#2"]["positive_passages"] == ["001706-0750#0"]
    assert by_id["p10#2"]["source"] == "issue_article"
    assert by_id["p10#2"]["date"] == "2015-03-05"
    assert by_id["p10#2"]["hard_negatives"] == []


def test_a_long_article_is_met_at_the_paragraph_cited(tmp_path: Path) -> None:
    settings = recipe(tmp_path)
    corpus = corpus_view(settings)
    train, _ = made(tmp_path)
    (passage,) = [one for row in train for one in row["positive_passages"] if one.startswith("001248")]
    assert "④" in corpus.passages.text(corpus.passages.rows[passage])


def test_every_article_that_a_decision_cites_is_excluded_from_negatives(tmp_path: Path) -> None:
    train, _ = made(tmp_path)
    for row in train:
        assert row["exclude"] == sorted(row["exclude"])
        assert {one.split("#")[0] for one in row["positive_passages"]} <= set(row["exclude"])
    assert next(row for row in train if row["query_id"] == "p10#1")["exclude"] == [
        "001248-0006-03",
        "001706-0536",
        "001706-0750",
    ]


@pytest.mark.parametrize(
    ("reference", "doc_id"),
    [
        (Reference((), "민법", Provision(750)), "001706-0750"),
        (Reference((), "민법", Provision(750), former=True, revision="partial"), "001706-0750"),
        (Reference((), "민법", Provision(750), former=True, revision="full"), None),
        (Reference((), "민법", Provision(750, supplementary=True)), None),
        (Reference((), "민법", Provision(751)), None),
        (Reference((), "없는 법", Provision(1)), None),
        (Reference((), "주임법", Provision(6, 3)), "001248-0006-03"),
    ],
)
def test_references_mean_articles_of_today(tmp_path: Path, reference: Reference, doc_id: str | None) -> None:
    """Never by number across a full revision, and never from a 부칙."""
    corpus = corpus_view(recipe(tmp_path))
    row = corpus.article(reference)
    assert (None if row is None else corpus.documents[row].doc_id) == doc_id


def test_weak_pairs_come_from_every_source(tmp_path: Path) -> None:
    train, weak = made(tmp_path)
    counts = Counter(row["source"] for row in weak)
    assert counts["issue_article"] == sum(len(row["positive_passages"]) for row in train)
    assert counts["issue_holding"] == 4  # [1] and [2] of p10, and one each of p20 and p40: p30 words a dev query
    assert counts["issue_precedent"] == 1  # 2014다11 of 2015; 2021다50 is later than the decision that cites it
    assert counts["title_article"] == 4
    assert counts["sentence_article"] >= 1
    assert orjson.loads((tmp_path / "p" / "pairs" / "counts.json").read_bytes())["issue_holding"] == 4
    for row in weak:
        assert len(row["pos"]) == 1
        assert row["key"]
        assert row["neg"] == []


def test_an_issue_meets_its_holding_and_the_nearest_issue_cited(tmp_path: Path) -> None:
    _, weak = made(tmp_path)
    holding = next(row for row in weak if row["source"] == "issue_holding" and row["query"] == DAMAGE)
    assert holding["pos"] == ["건물명도\n위법성과 인과관계가 있어야 한다고 본다."]
    assert holding["key"] == "p10#2"
    cited = next(row for row in weak if row["source"] == "issue_precedent")
    assert cited["query"] == TRADE
    assert cited["key"].startswith("p10#")
    assert cited["query_id"] == "p20#0"
    assert cited["exclude"] == ["p10", "p50"], "all that the decision cites, also what is too late to be trained on"


def test_a_sentence_is_not_in_the_article_it_is_to_find(tmp_path: Path) -> None:
    _, weak = made(tmp_path)
    rows = [row for row in weak if row["source"] == "sentence_article"]
    assert rows
    for row in rows:
        assert row["query"] not in row["pos"][0]
        assert row["pos"][0].startswith("주택임대차보호법 제6조의3(계약갱신 요구)\n")


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    assert made(tmp_path / "a") == made(tmp_path / "b")


def test_at_most_so_many_positives(tmp_path: Path) -> None:
    train, _ = made(tmp_path, max_positives=1)
    assert all(len(row["positive_passages"]) == 1 for row in train)


# leaks


def test_decisions_from_the_split_on_are_never_trained_on(tmp_path: Path) -> None:
    train, weak = made(tmp_path)
    assert {row["query_id"].split("#")[0] for row in train} == {"p10", "p20", "p40"}
    assert all("" < row["date"] < "2022-01-01" for row in train)
    earlier, _ = made(tmp_path / "earlier", train_before="2016-01-01")
    assert {row["query_id"].split("#")[0] for row in earlier} == {"p10"}
    for row in weak:
        assert LATE not in row["query"] + row["pos"][0]
        assert not row["key"].startswith(("p50", "p60"))


def test_dev_texts_are_in_no_training_query(tmp_path: Path) -> None:
    """The dev decision p50 words an issue as p30 did; spaces do not hide it."""
    train, weak = made(tmp_path)
    queries = [row["query_text"] for row in train] + [row["query"] for row in weak]
    assert SHARED not in queries
    assert not {squeeze(query) for query in queries} & dev_texts(tmp_path / "p" / "pairs" / "dev")
    spaced = dev_folder(
        tmp_path / "spaced", ("s1", SHARED.replace(" ", "  ").replace("경우의", "경우의 <개정 2020. 1. 1.>"))
    )
    train, weak = made(tmp_path / "second", dev=str(spaced))
    assert all(SHARED not in (row.get("query_text"), row.get("query")) for row in train + weak)


def test_nothing_of_a_dev_querys_own_decision_is_trained_on(tmp_path: Path) -> None:
    """Neither as query nor as the decision that another one cites, even where it is dated before the split."""
    dev = dev_folder(
        tmp_path / "dev", ("10#1", "다른 글로 된 개발용 질의입니다"), ("40#0", "또 다른 개발용 질의입니다")
    )
    train, weak = made(tmp_path, dev=str(dev))
    assert {row["query_id"].split("#")[0] for row in train} == {"p20", "p30"}
    texts = [model_text(text) for text in (LEASE, DAMAGE, OWN)]
    for row in weak:
        assert not row["key"].startswith(("p10#", "p40#"))
        assert all(text not in row["query"] + row["pos"][0] for text in texts)


# dev


def test_dev_queries_come_from_later_decisions(tmp_path: Path) -> None:
    made(tmp_path)
    dev = tmp_path / "p" / "pairs" / "dev"
    assert [(row["query_id"], row["date"], row["names_statute"]) for row in read_json(dev / "queries.jsonl")] == [
        ("50#1", "2022-05-01", False), ("50#2", "2022-05-01", False),
    ]  # fmt: skip
    # a citation to a former version is no gold
    assert (dev / "qrels.articles.tsv").read_text() == "50#1\t0\t민법 제750조\t1\n50#2\t0\t민법 제536조\t1\n"
    assert (dev / "qrels.precedents.tsv").read_text() == ""


def test_a_query_that_names_a_statute_says_so(tmp_path: Path) -> None:
    made(tmp_path, train_before="2019-01-01")
    rows = {
        row["query_id"]: row["names_statute"] for row in read_json(tmp_path / "p" / "pairs" / "dev" / "queries.jsonl")
    }
    assert rows["20#0"] is True  # 상법 제24조
    assert rows["50#1"] is False


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("민법상 손해배상책임의 요건", True),
        ("구 상법 소정의 명의대여자", True),
        ("주임법에 따른 계약갱신", True),
        ("같은 조 제2항, 제3조의 해석", True),
        ("집합건물의 소유 및 관리에 관한 법률의 적용 범위", True),
        ("위법한 처분을 다투는 방법과 불법행위를 이유로 한 법률상 이익", False),
        ("법원이 직권으로 조사할 사항", False),
        ("", False),
    ],
)
def test_queries_that_name_a_statute_are_told_from_the_strict(tmp_path: Path, text: str, named: bool) -> None:
    assert names_statute(text, corpus_view(recipe(tmp_path)).names) is named


def test_a_benchmark_folder_is_copied(tmp_path: Path) -> None:
    source = dev_folder(tmp_path / "benchmark", ("s1", LEASE))
    copy_dev(source, tmp_path / "work" / "dev")
    for name in ("queries.jsonl", "qrels.articles.tsv", "qrels.precedents.tsv"):
        assert (tmp_path / "work" / "dev" / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.parametrize("missing", ["queries.jsonl", "qrels.articles.tsv", "qrels.precedents.tsv"])
def test_a_benchmark_folder_without_a_file_is_refused(tmp_path: Path, missing: str) -> None:
    source = dev_folder(tmp_path / "[bench]mark", ("s1", LEASE))
    (source / missing).unlink()
    with pytest.raises(PairsError) as caught:
        copy_dev(source, tmp_path / "dev")
    assert f"pairs.dev {source} has no {missing}; it needs queries.jsonl and qrels.*.tsv" in caught.value.message


# pieces


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_under_the_cap_every_row_is_kept(limit: int, seed: int) -> None:
    cap = FrequencyCap(limit, np.random.default_rng(seed))
    assert all(cap.keeps(row) for _ in range(limit) for row in range(3))


def test_the_cap_keeps_about_limit_times_the_logarithm() -> None:
    """Row c stays with probability limit / c: of n rows, limit × (1 + ln(n / limit)) are expected."""
    limit, n = 50, 5000
    cap = FrequencyCap(limit, np.random.default_rng(7))
    kept = sum(cap.keeps(0) for _ in range(n))
    expected = limit * (1 + np.log(n / limit))
    assert abs(kept - expected) < 4 * np.sqrt(expected)
    assert cap.keeps(1)


def test_no_cap_keeps_all() -> None:
    cap = FrequencyCap(0, np.random.default_rng(7))
    assert all(cap.keeps(0) for _ in range(1000))


def test_the_nearest_shares_the_most_bigrams() -> None:
    texts = ["해고의 정당한 이유", "보증금의 반환과 점유", "보증금의 반환과 점유", "보증금"]
    assert nearest("보증금 반환을 위한 점유", range(4), texts.__getitem__) == 1
    assert nearest("전혀 다른 말", range(4), texts.__getitem__) == 0
    assert nearest("보증금", [3, 1], texts.__getitem__) == 1  # the first of equals by number
