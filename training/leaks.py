"""train.jsonl, weak.jsonl, dev queries → nothing, or LeakError: whether a dev decision's text is in training

    python -m training.leaks [--pairs FOLDER] [--dev FOLDER …] [--before DATE]

An error is a training row

- whose query is a dev query's text, spaces and (漢字) glosses removed;
- whose query or positive comes from the decision of a dev query;
- that is dated on or after the day at which training ends.

Only reported is the part of rows that share a long stretch of text with a dev query, by source. Courts repeat a
proposition word for word for decades, and editors repeat it in the issues: such a row is of an earlier decision, was
public on the day of the dev decision, and a searcher would have it. But a source whose share is out of line with that
of the others (issue_article 0.2 %) has read a dev decision's text under another name. Rows of judgments name no
decision: of them the share is all that can be seen.

A stretch of STRETCH characters is always found: windows of dev queries begin at every character, those looked up of a
training query at every STEP-th. Linear in the text, and a query of any length is looked at once.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.errors import BeopgilError
from app.law.text import model_text
from training.pairs import read_json
from training.sections import Pairs

WINDOW, STEP = 60, 20
STRETCH = WINDOW + STEP - 1
EXAMPLES = 5

Row = dict[str, Any]


class LeakError(BeopgilError):
    """A training row holds what a dev query asks, or what its decision says."""

    code = "leak_error"


@dataclass
class Overlap:
    """Rows by source: all of them, those that share a stretch with a dev query, and those that hold one whole."""

    rows: Counter[str] = field(default_factory=Counter)
    shared: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)

    def lines(self) -> Iterator[str]:
        for source, count in self.rows.most_common():
            shared, whole = self.shared[source], self.whole[source]
            share = f"{shared:,} ({shared / count:.2%}) share {WINDOW} characters or more with a dev query"
            yield f"{source}: {count:,} rows, {share}" + (f", {whole:,} hold one whole" if whole else "")


class DevText:
    """Dev queries as training rows are held against them."""

    def __init__(self, folders: Iterable[Path]) -> None:
        rows = [row for folder in folders for row in read_json(folder / "queries.jsonl")]
        self.decisions = frozenset("p" + row["query_id"].split("#")[0] for row in rows)
        self.texts = {form: row["query_id"] for row in rows for form in forms(row["text"])}
        self._windows: dict[str, list[str]] = defaultdict(list)
        for text in self.texts:
            for start in range(len(text) - WINDOW + 1):
                self._windows[text[start : start + WINDOW]].append(text)

    def near(self, text: str) -> list[str]:
        """Dev texts that share a window with a squeezed text, those of its first shared window."""
        windows = (text[start : start + WINDOW] for start in range(0, len(text) - WINDOW + 1, STEP))
        return next((self._windows[window] for window in windows if window in self._windows), [])


def squeezed(text: str) -> str:
    return "".join(text.split())


def forms(text: str) -> set[str]:
    """A dev text as it is and as training texts are tidied, without spaces."""
    return {squeezed(text), squeezed(model_text(text))}


def check(
    train_pairs: Path, weak_pairs: Path, dev: Sequence[Path], before: str = Pairs().train_before, say: bool = True
) -> Overlap:
    """Read both files once, those of them that are there. Raises LeakError with the number of leaks and the first few.

    Rows of either format; `dev` are folders with queries.jsonl.
    """
    texts, overlap = DevText(dev), Overlap()
    found: list[str] = []
    for path in (train_pairs, weak_pairs):
        for number, row in enumerate(read_json(path) if path.exists() else (), 1):
            query = squeezed(row.get("query_text") or row.get("query", ""))
            reason = leak(row, query, texts, before)
            if reason:
                found.append(f"{path.name}:{number} {reason}")
            count(overlap, row.get("source", path.stem), query, texts)
    if say:
        print("\n".join(overlap.lines()), flush=True)
    if found:
        raise LeakError(f"{len(found)} training rows leak: {'; '.join(found[:EXAMPLES])}; make the pairs again")
    return overlap


def leak(row: Row, query: str, dev: DevText, before: str) -> str:
    """Why a row must not be trained on, "" where it may."""
    if query in dev.texts:
        return f"asks what dev query {dev.texts[query]} asks"
    origins = [row.get("query_id", ""), row.get("key", ""), *row.get("positive_passages", ())]
    own = dev.decisions.intersection(origin.split("#")[0] for origin in origins)
    if own:
        return f"is of the dev decision {', '.join(sorted(own))}"
    return f"is dated {row['date']}, training ends before {before}" if row.get("date", "") >= before else ""


def count(overlap: Overlap, source: str, query: str, dev: DevText) -> None:
    near = dev.near(query)
    overlap.rows[source] += 1
    overlap.shared[source] += bool(near)
    overlap.whole[source] += any(text in query for text in near)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.leaks", description="Is dev text in training?")
    parser.add_argument("--pairs", type=Path, default=Path("work/mini/pairs"), help="train.jsonl and weak.jsonl")
    parser.add_argument("--dev", type=Path, nargs="+", default=[Path("data/benchmark/dev")])
    parser.add_argument("--before", default=Pairs().train_before, help="the day at which training ends")
    options = parser.parse_args(arguments)
    files = (options.pairs / "train.jsonl", options.pairs / "weak.jsonl")
    missing = [file for file in (*files, *(folder / "queries.jsonl" for folder in options.dev)) if not file.exists()]
    if missing:
        parser.error(f"no {', '.join(map(str, missing))}; python -m training.run RECIPE --to pairs makes the pairs")
    try:
        check(*files, options.dev, options.before)
    except BeopgilError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print("no dev text in training")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
