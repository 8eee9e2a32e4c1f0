"""The command, from the fake API and from small checkouts to the files of a corpus."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest

from tests.law_go_kr_server import KEY, FakeLawGoKr, Odd
from tests.legalize_kr_files import (
    ARTICLES,
    DECISION,
    DECREE,
    LAW,
    LOWER,
    commit,
    decision,
    git,
    needs_git,
    repository,
    statute,
    write,
)
from tests.test_law_go_kr_quirks import law, precedent, server
from tests.test_pace import Clock, pace
from training import records
from training.fetch.key import VARIABLE
from training.record_files import ABBREVIATIONS, PRECEDENTS, STATUTES, VERSIONS, read_rows

__all__ = ["server"]
Shown = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv(VARIABLE, KEY)
    monkeypatch.setattr(records, "Pace", lambda rate: pace(Clock(), rate))


def run(source: Path | str, out: Path, *more: str) -> int:
    return records.main(["--source", str(source), "--out", str(out), *more])


def fetch(server: FakeLawGoKr, out: Path, *more: str) -> int:
    return run("law.go.kr", out, "--base-url", server.base, "--rate", "20", *more)


def table(shown: str, name: str) -> list[int]:
    """added, changed, removed, unchanged, older."""
    (row,) = re.findall(rf"│ {name}\s+│(.*)│", shown)
    return [int(number.replace(",", "")) for number in row.split("│")]


def articles(out: Path) -> set[tuple[str, str, str]]:
    return {(row["law_id"], row["article"], row["mst"]) for row in read_rows(out, STATUTES)}


def files(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*.*"))}


class TestFromTheApi:
    def test_a_corpus_and_its_update_a_week_later(self, server: FakeLawGoKr, tmp_path: Path, capsys: Shown) -> None:
        server.laws = {"1001": law(), "1002": law("labels", 법령ID="990002")}
        server.precedents = {"900001": precedent()}
        assert fetch(server, tmp_path) == 0
        shown = capsys.readouterr().out
        assert table(shown, STATUTES) == [6, 0, 0, 0, 0]
        assert table(shown, PRECEDENTS) == [1, 0, 0, 0, 0]
        assert not (tmp_path / "statute_versions.jsonl.zst").exists()
        asked = len(server.requests)
        newer = law(법령ID="990001", 공포일자="20261120", 시행일자="20261121")
        newer["법령"]["조문"]["조문단위"][0]["조문시행일자"] = "20261121"
        newer["법령"]["조문"]["조문단위"][0]["항"][1]["항내용"] = "② 점검은 날마다 한다."
        server.laws["1003"] = newer
        server.precedents["900002"] = precedent(판례정보일련번호="900002", 선고일자="20261119")
        assert fetch(server, tmp_path, "--since", "2026-11-16") == 0
        shown = capsys.readouterr().out
        assert table(shown, STATUTES) == [0, 1, 0, 0, 0]
        assert table(shown, PRECEDENTS) == [1, 0, 0, 0, 0]
        assert len(server.requests) == asked + 3 + 2
        assert ("990001", "제8조", "1003") in articles(tmp_path)
        days = [(row["effective_from"], row["effective_to"]) for row in read_rows(tmp_path, VERSIONS)]
        assert days == [("2024-07-01", "2026-11-21"), ("2026-11-21", "")]

    def test_a_second_run_asks_for_the_last_days_and_changes_no_byte(
        self, server: FakeLawGoKr, tmp_path: Path, capsys: Shown
    ) -> None:
        server.laws = {"1001": law()}
        assert fetch(server, tmp_path, "--targets", "law") == 0
        before = files(tmp_path)
        assert fetch(server, tmp_path, "--targets", "law") == 0
        assert files(tmp_path) == before
        assert "ancYd" in server.requests[-2]
        assert server.asked("lawService") == 1

    def test_what_failed_is_told_and_comes_with_the_next_run(
        self, server: FakeLawGoKr, tmp_path: Path, capsys: Shown
    ) -> None:
        server.laws = {"1001": law(), "1002": law("labels", 법령ID="990002")}

        def fail(parameters: dict[str, str]) -> None:
            if parameters.get("MST") == "1002":
                server.odd.append(Odd(500))

        server.before = fail
        assert fetch(server, tmp_path, "--targets", "law") == 1
        assert "failed: law 1002" in capsys.readouterr().err
        assert {law_id for law_id, _, _ in articles(tmp_path)} == {"990001"}
        server.before = lambda parameters: None
        assert fetch(server, tmp_path, "--targets", "law") == 0
        assert server.asked("lawSearch", target="law") == 1
        assert {law_id for law_id, _, _ in articles(tmp_path)} == {"990001", "990002"}

    def test_the_official_abbreviations(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        name = {"법령ID": "990001", "법령명한글": "등대지기 보호에 관한 법률"}
        server.abbreviations = [
            {**name, "법령약칭명": "등대법"},
            {**name, "법령약칭명": "등대법"},
            {**name, "법령약칭명": ""},
        ]
        assert fetch(server, tmp_path, "--targets", "lsAbrv") == 0
        expected = {"law_id": "990001", "law": "등대지기 보호에 관한 법률", "abbreviation": "등대법"}
        assert list(read_rows(tmp_path, ABBREVIATIONS)) == [expected]
        before = files(tmp_path)
        assert fetch(server, tmp_path, "--targets", "lsAbrv") == 0
        assert files(tmp_path) == before

    def test_some_laws_only(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws = {"1001": law(), "1002": law(법령ID="990002", 법령명_한글="등대법")}
        assert fetch(server, tmp_path, "--law", "등대법") == 0
        assert {law_id for law_id, _, _ in articles(tmp_path)} == {"990002"}

    def test_a_corpus_that_was_taken_away_is_made_again_without_fetching(
        self, server: FakeLawGoKr, tmp_path: Path
    ) -> None:
        server.laws, server.precedents = {"1001": law()}, {"900001": precedent()}
        assert fetch(server, tmp_path) == 0
        before = files(tmp_path)
        for path in tmp_path.glob("*.zst"):
            path.unlink()
        assert fetch(server, tmp_path) == 0
        assert files(tmp_path) == before
        assert server.asked("lawService") == 2

    def test_the_raw_folder_is_a_source_of_its_own(self, server: FakeLawGoKr, tmp_path: Path) -> None:
        server.laws, server.precedents = {"1001": law()}, {"900001": precedent()}
        assert fetch(server, tmp_path / "a", "--raw", str(tmp_path / "raw")) == 0
        assert run(tmp_path / "raw", tmp_path / "b") == 0
        assert files(tmp_path / "a") == files(tmp_path / "b")

    def test_without_a_key_it_says_what_to_set(
        self, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(VARIABLE)
        assert run("law.go.kr", tmp_path / "out") == 1
        assert f"key_missing: {VARIABLE} is not set" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_the_key_is_in_nothing_that_is_left(
        self, server: FakeLawGoKr, tmp_path: Path, capfd: Shown, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server.laws, server.precedents = {"1001": law()}, {"900001": precedent()}
        assert fetch(server, tmp_path) == 0
        monkey = KEY.replace("+", "%2B")
        left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        said = "".join(capfd.readouterr()) + caplog.text
        assert KEY.encode() not in left
        assert monkey.encode() not in left
        assert KEY not in said
        assert monkey not in said

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--source", "law.go.kr", "x", "--out", "o"], ["--source", "x", "--out", "o", "--since", "2026-01-01"],
            ["--source", "law.go.kr", "--out", "o", "--since", "yesterday"],
            ["--source", "law.go.kr", "--out", "o", "--rate", "100"],
            ["--source", "law.go.kr", "--out", "o", "--law", "민법", "--since", "2026-01-01"],
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked(self, arguments: list[str], capsys: Shown) -> None:
        with pytest.raises(SystemExit) as caught:
            records.main(arguments)
        assert caught.value.code == 2


@needs_git
class TestFromCheckouts:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A folder that holds both checkouts."""
        repository(tmp_path / "in" / "legalize-kr", {LAW: statute(ARTICLES), DECREE: statute(ARTICLES, "990002")})
        repository(tmp_path / "in" / "precedent-kr", {DECISION: decision(), LOWER: decision("900002")})
        return tmp_path / "in"

    def test_the_second_time_only_what_changed_is_read(self, folder: Path, tmp_path: Path, capsys: Shown) -> None:
        out = tmp_path / "out"
        assert run(folder, out) == 0
        shown = capsys.readouterr().out
        assert (table(shown, STATUTES), table(shown, PRECEDENTS)) == ([8, 0, 0, 0, 0], [2, 0, 0, 0, 0])
        before = files(out)
        assert run(folder, out) == 0
        assert "legalize-kr: 0 files changed since" in capsys.readouterr().out
        assert files(out) == before
        laws = folder / "legalize-kr"
        git(laws, "rm", "-q", DECREE)
        newer = statute(
            ARTICLES.replace("보호한다", "아낀다"), mst=1002, promulgated="2026-11-20", effective="2026-12-01"
        )
        commit(write(laws, {LAW: newer}))
        git(folder / "precedent-kr", "mv", LOWER, LOWER.replace(".md", "_900002.md"))
        commit(write(folder / "precedent-kr", {DECISION: decision(사건명="등대 사용료")}))
        assert run(folder, out) == 0
        shown = capsys.readouterr().out
        assert table(shown, STATUTES) == [0, 1, 4, 3, 0]
        assert table(shown, PRECEDENTS) == [0, 1, 0, 1, 0]
        assert {law_id for law_id, _, _ in articles(out)} == {"990001"}
        days = {row["article"]: row["effective_to"] for row in read_rows(out, VERSIONS)}
        assert days["제1조"] == ""
        assert len(list(read_rows(out, VERSIONS))) == 5

    def test_a_corpus_that_was_taken_away_is_made_again(self, folder: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert run(folder, out) == 0
        before = files(out)
        for path in out.glob("*.zst"):
            path.unlink()
        assert run(folder, out) == 0
        assert files(out) == before

    def test_a_history_that_was_written_anew_is_read_as_a_whole(
        self, folder: Path, tmp_path: Path, capsys: Shown
    ) -> None:
        out, laws = tmp_path / "out", folder / "legalize-kr"
        assert run(laws, out) == 0
        shutil.rmtree(laws)
        repository(laws, {LAW: statute(ARTICLES), "README.md": "# 글\n"})
        capsys.readouterr()
        assert run(laws, out) == 0
        shown = capsys.readouterr().out
        assert "legalize-kr: read as a whole, without removing anything: commit" in shown
        assert table(shown, STATUTES) == [0, 0, 0, 4, 0]
        assert len(articles(out)) == 8

    def test_a_copy_without_git_is_read_as_a_whole_and_said(self, folder: Path, tmp_path: Path, capsys: Shown) -> None:
        shutil.rmtree(folder / "legalize-kr" / ".git")
        assert run(folder / "legalize-kr", tmp_path / "out") == 0
        assert "it is no git repository" in capsys.readouterr().out
        assert not (tmp_path / "out" / "sources.json").exists()

    def test_what_is_broken_is_named(self, folder: Path, tmp_path: Path, capsys: Shown) -> None:
        commit(write(folder / "legalize-kr", {"kr/무엇/법률.md": "# 글\n"}))
        assert run(folder, tmp_path / "out") == 0
        shown = capsys.readouterr().out
        assert "broken: 1" in shown
        assert "broken: kr/무엇/법률.md: no record of legalize-kr: no front matter at its head" in shown


class TestFromFiles:
    def test_the_samples_and_what_they_give_once_more(self, tmp_path: Path, capsys: Shown) -> None:
        samples = Path(__file__).parent.parent / "samples"
        assert run(samples, tmp_path / "a") == 0
        assert run(tmp_path / "a", tmp_path / "b") == 0
        assert files(tmp_path / "a") == files(tmp_path / "b")
        assert all(row["sample"] for name in (STATUTES, PRECEDENTS) for row in read_rows(tmp_path / "b", name))
        capsys.readouterr()
        assert run(samples, tmp_path / "a") == 0
        added, changed, removed, unchanged, older = table(capsys.readouterr().out, STATUTES)
        assert (added, changed, removed, older) == (0, 0, 0, 0)
        assert unchanged > 100

    def test_a_source_that_is_not_there(self, tmp_path: Path, capsys: Shown) -> None:
        assert run(tmp_path / "nothing", tmp_path / "out") == 1
        assert "does not exist" in capsys.readouterr().err

    def test_a_damaged_list_of_sources(self, tmp_path: Path, capsys: Shown) -> None:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "sources.json").write_text("[1]", encoding="utf-8")
        assert run(Path(__file__).parent.parent / "samples", tmp_path / "out") == 1
        assert "sources.json is damaged" in capsys.readouterr().err
