"""What changed in a checkout since a commit, told by git itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import RecordError
from training.sources import legalize_kr
from training.sources.records import Gone, Record


class GitError(RecordError):
    """Why git cannot tell what changed: it is not installed, the folder is no repository, the commit is not there."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Paths in the checkout: files to read again, and files that are there no more (a renamed file is in both)."""

    changed: list[Path]
    removed: list[Path]


def head(checkout: Path) -> str:
    """The commit that is checked out. Raises GitError where there is none."""
    if not (checkout / ".git").exists():
        raise GitError("it is no git repository")
    return _git(checkout, "rev-parse", "--verify", "HEAD").decode().strip()


def changes(checkout: Path, commit: str) -> Changes:
    """Files of records that differ from `commit` today, edits that are not committed included. Raises GitError."""
    try:
        _git(checkout, "cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        raise GitError(f"commit {commit[:12]} is not in it: its history is shallow, or was written anew") from None
    told = _git(checkout, "diff", "--no-ext-diff", "--name-status", "--no-renames", "-z", commit, "--")
    words = told.decode().split("\0")[:-1]
    named = [(status, Path(name)) for status, name in zip(words[::2], words[1::2], strict=True)]
    records = [(status, path) for status, path in named if legalize_kr.is_record(path)]
    return Changes(
        [path for status, path in records if status != "D"], [path for status, path in records if status == "D"]
    )


def read_changes(checkout: Path, commit: str, found: Changes) -> Iterator[Record | Gone]:
    """The records of the files that changed since a commit, and what is gone with those that were removed."""
    for path in found.removed:
        gone = legalize_kr.identity(_git(checkout, "show", f"{commit}:{path.as_posix()}"))
        if gone is not None:
            yield gone
    yield from legalize_kr.read_files((checkout / path for path in sorted(found.changed)), checkout)


def _git(checkout: Path, *arguments: str) -> bytes:
    # No program that the repository names is to run: it was written by others.
    command = ["git", "-C", str(checkout), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise GitError("git is not installed") from None
    if done.returncode:
        raise GitError(f"git says: {done.stderr.decode('utf-8', 'replace').strip()[:300]}")
    return done.stdout
