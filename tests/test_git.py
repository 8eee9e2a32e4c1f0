"""What changed in a checkout, in small repositories made here."""

from __future__ import annotations

from pathlib import Path

import pytest

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
from training.sources.git import GitError, changes, head, read_changes
from training.sources.records import Gone

pytestmark = needs_git


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = {LAW: statute(ARTICLES), DECISION: decision(), LOWER: decision("900002"), "README.md": "# 글\n"}
    return repository(tmp_path / "legalize-kr", files)


def paths(found: list[Path]) -> list[str]:
    return [path.as_posix() for path in found]


def test_nothing_changed(checkout: Path) -> None:
    found = changes(checkout, head(checkout))
    assert (found.changed, found.removed) == ([], [])


def test_changed_added_removed_and_renamed_files(checkout: Path) -> None:
    before = head(checkout)
    renamed = DECISION.replace(".md", "_900001.md")
    git(checkout, "mv", DECISION, renamed)
    git(checkout, "rm", "-q", LOWER)
    write(checkout, {LAW: statute(ARTICLES, mst=1002), DECREE: statute(ARTICLES, "990002"), "README.md": "# 새 글\n"})
    commit(checkout)
    found = changes(checkout, before)
    assert paths(found.changed) == sorted([LAW, DECREE, renamed])
    assert paths(found.removed) == sorted([DECISION, LOWER])
    records = list(read_changes(checkout, before, found))
    assert {record for record in records if isinstance(record, Gone)} == {
        Gone(precedent_id="900001"), Gone(precedent_id="900002"),
    }  # fmt: skip
    assert len(records) == 2 + 4 + 4 + 1


def test_edits_that_are_not_committed_count(checkout: Path) -> None:
    write(checkout, {LAW: statute(ARTICLES, mst=1002)})
    assert paths(changes(checkout, head(checkout)).changed) == [LAW]


def test_a_folder_without_git(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="no git repository"):
        head(tmp_path)


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(GitError, match="git says: fatal"):
        head(tmp_path)


@pytest.mark.parametrize("known", ["0" * 40, "--help", ""])
def test_a_commit_that_is_not_there(checkout: Path, known: str) -> None:
    with pytest.raises(GitError, match="shallow, or was written anew"):
        changes(checkout, known)


def test_a_shallow_clone_does_not_know_older_commits(checkout: Path, tmp_path: Path) -> None:
    before = head(checkout)
    write(checkout, {LAW: statute(ARTICLES, mst=1002)})
    commit(checkout)
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.as_uri(), "shallow")
    with pytest.raises(GitError, match="shallow"):
        changes(tmp_path / "shallow", before)
    assert changes(tmp_path / "shallow", head(checkout)).changed == []


def test_without_git_it_is_said(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GitError, match="git is not installed"):
        head(checkout)


def test_no_program_of_the_repository_is_run(checkout: Path, tmp_path: Path) -> None:
    """A checkout comes from others; its configuration is theirs too where it was copied as a folder."""
    trace = tmp_path / "ran"
    script = tmp_path / "hook.sh"
    script.write_text(f"#!/bin/sh\ntouch {trace}\n", encoding="utf-8")
    script.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external"):
        git(checkout, "config", name, str(script))
    write(checkout, {LAW: statute(ARTICLES, mst=1002)})
    assert paths(changes(checkout, head(checkout)).changed) == [LAW]
    assert not trace.exists()
