"""The raw folder: every body as it was fetched, and what a crawl must know to go on where it was.

law/<mst>.xml  prec/<id>.xml  admrul/<id>.xml     bodies (.json where JSON was asked)
.crawl/state.json                                 days of the last finished and the running crawl, per target
.crawl/missing.tsv                                ids whose body does not exist: never asked for again
.crawl/lists/<target>/<list>-<page>.xml           list pages of the running crawl
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.errors import RecordError
from training import atomic
from training.sources.law_go_kr import BODIES


@dataclass(frozen=True, slots=True)
class Span:
    """What a crawl asks for: records dated `since` … `until` (ISO; `since` "" for all), of the laws named, if any."""

    since: str
    until: str
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class RawFolder:
    path: Path
    _missing: dict[tuple[str, str], str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self._missing_file.exists():
            for line in self._missing_file.read_text(encoding="utf-8").splitlines():
                target, identity, reason = (*line.split("\t"), "", "")[:3]
                self._missing[target, identity] = reason

    @property
    def _state_file(self) -> Path:
        return self.path / ".crawl" / "state.json"

    @property
    def _missing_file(self) -> Path:
        return self.path / ".crawl" / "missing.tsv"

    def _state(self) -> dict[str, Any]:
        if not self._state_file.exists():
            return {"finished": {}, "running": {}}
        try:
            state = json.loads(self._state_file.read_bytes())
            return {"finished": dict(state["finished"]), "running": dict(state["running"])}
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{self._state_file} is damaged ({type(error).__name__}); remove it: the next crawl lists everything "
                "again, and fetches only the bodies that are not here"
            ) from None

    def _keep(self, state: dict[str, Any]) -> None:
        atomic.write(self._state_file, json.dumps(state, ensure_ascii=False, indent=1).encode())

    def finished(self, target: str) -> str:
        """The last day that a finished crawl of this target covers, "" if there was none."""
        return str(self._state()["finished"].get(target, ""))

    def running(self, target: str) -> Span | None:
        """What a crawl that was stopped asked for."""
        kept = self._state()["running"].get(target)
        return Span(kept["since"], kept["until"], tuple(kept["names"])) if kept else None

    def start(self, target: str, span: Span) -> None:
        """Go on with the running crawl of this span, or forget the lists of another."""
        if self.running(target) != span:
            shutil.rmtree(self._lists(target), ignore_errors=True)
            state = self._state()
            state["running"][target] = asdict(span)
            self._keep(state)

    def finish(self, target: str) -> None:
        """What was running is done. A crawl of some laws only does not count as one of all."""
        span, state = self.running(target), self._state()
        if span is not None:
            if not span.names:
                state["finished"][target] = span.until
            del state["running"][target]
            self._keep(state)
        shutil.rmtree(self._lists(target), ignore_errors=True)

    def _lists(self, target: str) -> Path:
        return self.path / ".crawl" / "lists" / target

    def list_page(self, target: str, number: int, page: int) -> Path:
        return self._lists(target) / f"{number}-{page}"

    def body(self, target: str, identity: str) -> Path | None:
        """The body that is here already, in whatever form."""
        paths = (self.path / target / f"{identity}{suffix}" for suffix in BODIES)
        return next((path for path in paths if path.exists()), None)

    def add(self, target: str, identity: str, form: str, body: bytes) -> Path:
        path = self.path / target / f"{identity}.{form.lower()}"
        atomic.write(path, body)
        return path

    def why_missing(self, target: str, identity: str) -> str:
        return self._missing.get((target, identity), "")

    def add_missing(self, target: str, identity: str, reason: str) -> None:
        self._missing_file.parent.mkdir(parents=True, exist_ok=True)
        self._missing[target, identity] = reason
        with self._missing_file.open("a", encoding="utf-8") as file:
            file.write(f"{target}\t{identity}\t{' '.join(reason.split())}\n")
