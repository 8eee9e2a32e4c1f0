"""sources → statutes.jsonl.zst, precedents.jsonl.zst, statute_versions.jsonl.zst: a corpus made, or brought up to date

    python -m training.records --source law.go.kr --out FOLDER [--since 2026-11-01]
    python -m training.records --source CHECKOUT_OR_FOLDER --out FOLDER

A corpus that is there is merged with what comes: a law's newer version takes the place of all its articles, a decision
that of the same id. What the run must know the next time is kept in FOLDER/sources.json and in the raw folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import track

from app.errors import BeopgilError, RecordError
from training import atomic, record_files, sources
from training.fetch.api import BASE, Api
from training.fetch.crawl import ABBREVIATIONS, TARGETS, Crawled, abbreviations, crawl, span
from training.fetch.key import Key
from training.fetch.pace import Pace
from training.fetch.raw import RawFolder
from training.fetch.transport import transport
from training.merging import Corpus
from training.sources import git, law_go_kr, legalize_kr, versions
from training.sources.records import Gone, Record

API = "law.go.kr"
"""The --source that is no folder."""
FASTEST = 20
"""Requests a second that we let anybody ask for; others were seen to use as many."""
NAMED = 20
"""Broken records that are named; all are counted."""


class Seen:
    """sources.json: the commit of each checkout, by its folder's name, that the corpus was last made from."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sources.json"
        try:
            kept = json.loads(self.path.read_bytes()) if self.path.exists() else {}
            self.commits: dict[str, str] = {str(name): str(commit) for name, commit in kept.items()}
        except (ValueError, AttributeError):
            raise RecordError(f"{self.path} is damaged; remove it, and checkouts are read as a whole again") from None

    def write(self) -> None:
        body = json.dumps(self.commits, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
        if self.commits and (not self.path.exists() or self.path.read_bytes() != body):
            atomic.write(self.path, body)


def build(paths: Sequence[str], folder: Path, console: Console) -> Corpus:
    """Bring the corpus in `folder` up to date with folders and files of records."""
    corpus, seen = Corpus(folder), Seen(folder)
    if not corpus.laws and not corpus.precedents:
        # The files were taken away: changes alone would not bring them back.
        seen.commits.clear()
    for path in [file for source in paths for file in sources.find(source)]:
        corpus.add(track(_records(path, seen, console), description=f"reading {path.name}", console=console))
    for source in paths:
        for path in versions.find(source):
            corpus.add_versions(versions.read(path))
    corpus.merge()
    corpus.write()
    seen.write()
    return corpus


def _records(path: Path, seen: Seen, console: Console) -> Iterator[Record | Gone]:
    """The records of a file or folder; of a checkout that was read before, only what changed since."""
    if not legalize_kr.is_checkout(path):
        return sources.read(path)
    name = path.resolve().name
    known = seen.commits.pop(name, "")
    try:
        seen.commits[name] = git.head(path)
        if known:
            changes = git.changes(path, known)
            console.print(f"{name}: {len(changes.changed) + len(changes.removed)} files changed since {known[:12]}")
            return git.read_changes(path, known, changes)
    except git.GitError as error:
        console.print(f"{name}: read as a whole, without removing anything: {error}")
    return legalize_kr.read(path)


def build_from_api(
    api: Api, raw: RawFolder, folder: Path, targets: Sequence[str], since: str, names: Sequence[str], console: Console
) -> tuple[Corpus, list[str]]:
    """Crawl, then bring the corpus up to date with all that was listed; also what failed and is left for next time."""
    corpus, failed = Corpus(folder), list[str]()
    for target in targets:
        if target == ABBREVIATIONS:
            corpus.put(record_files.ABBREVIATIONS, abbreviations(api))
            continue
        anew = not (corpus.precedents if target == "prec" else corpus.laws)
        crawled = crawl(api, raw, target, span(raw, target, since, date.today(), names, anew))
        console.print(_sentence(target, crawled))
        files = track(crawled.files, description=f"reading {target}", console=console)
        corpus.add(law_go_kr.read_files(files, raw.path))
        failed += crawled.failed
    corpus.merge()
    corpus.write()
    for target in TARGETS.keys() & set(targets):
        if not failed:
            raw.finish(target)
    return corpus, failed


def _sentence(target: str, crawled: Crawled) -> str:
    return (
        f"{target}: {len(crawled.files):,} listed with a body, of which {crawled.fetched:,} were fetched now; "
        f"{crawled.missing:,} without a body; {len(crawled.failed):,} failed"
    )


def _api(options: argparse.Namespace) -> Api:
    key = Key.from_environment()
    return Api(key, options.base_url, options.form, pace=Pace(options.rate), get=transport(options.timeout))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.records", description="Make or update a corpus.")
    parser.add_argument("--source", nargs="+", required=True, help=f"{API}, or folders and files of records")
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--since", type=_day, default="", help="YYYY-MM-DD: what is dated since then (law.go.kr)")
    parser.add_argument(
        "--targets", nargs="+", choices=[*TARGETS, ABBREVIATIONS], default=["law", "prec"], help="what to fetch"
    )
    parser.add_argument("--law", nargs="+", default=[], metavar="NAME", help="fetch these statutes, and nothing else")
    parser.add_argument("--raw", type=Path, help="folder for bodies as fetched (OUT/raw)")
    parser.add_argument("--rate", type=_rate, default=5.0, help="requests a second, at most (5)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for an answer (30)")
    parser.add_argument("--form", choices=("XML", "JSON"), default="XML", help="the form of bodies (XML)")
    parser.add_argument("--base-url", default=BASE, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if API in options.source and len(options.source) > 1:
        parser.error(f"{API} is a source of its own: run once for it, and once for the others")
    if options.since and (options.source != [API] or options.law):
        parser.error("--since is for law.go.kr without --law; a checkout knows what changed by itself")
    return options


def _day(text: str) -> str:
    """ISO; "" stays, for `make corpus` without SINCE."""
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2026-11-01") from None


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text} requests a second; from above 0 to {FASTEST} are allowed")
    return rate


def main(arguments: Sequence[str] | None = None) -> int:
    options, console = _options(arguments), Console()
    try:
        if options.source == [API]:
            targets = ["law"] if options.law else options.targets
            raw = RawFolder(options.raw or options.out / "raw")
            corpus, failed = build_from_api(
                _api(options), raw, options.out, targets, options.since, options.law, console
            )
        else:
            corpus, failed = build(options.source, options.out, console), []
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    console.print(corpus.table(), f"broken: {len(corpus.broken):,}", sep="\n")
    for broken in corpus.broken[:NAMED]:
        console.print(f"broken: {broken.where}: {broken.reason}", markup=False)
    for failure in failed:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
