"""Open API → raw folder: lists of what there is, then each body that is not here yet.

Nothing is fetched twice: a body stays as it came, and a crawl that was stopped goes on from its own list pages. A body
that fails is named and left for the next time; many in a row stop the crawl.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from rich.progress import track

from app.law.text import match_key
from training import atomic
from training.fetch.api import Api, Page, read_page
from training.fetch.errors import AccessRefusedError, FetchError, NoSuchBodyError
from training.fetch.raw import RawFolder, Span
from training.sources.law_go_kr_body import parse_body
from training.sources.law_go_kr_fields import flat

OVERLAP = timedelta(days=7)
"""What was dated in the week before the last crawl is listed again: the API learns of some records late."""
ABBREVIATIONS = "lsAbrv"
IN_A_ROW = 10
"""Bodies that fail one after another before the crawl stops: then it is not about them."""
PAGE_ONLY = "국세"
"""데이터출처명 of decisions whose body exists as a page alone begins so."""


@dataclass(frozen=True, slots=True)
class Target:
    """How the API names a kind of record: in lists, in the row of a list, and where it asks for a body."""

    name: str
    item: str
    identity: str
    parameter: str
    title: str
    days: str
    """The parameter for a range of days: of promulgation, decision or issue."""


TARGETS = {
    target.name: target
    for target in (
        Target("law", "law", "법령일련번호", "MST", "법령명한글", "ancYd"),
        Target("prec", "prec", "판례일련번호", "ID", "사건명", "prncYd"),
        Target("admrul", "admrul", "행정규칙일련번호", "ID", "행정규칙명", "prmlYd"),
    )
}


@dataclass(slots=True)
class Crawled:
    """What came of a crawl; `files` are the bodies of all that was listed, fetched now or before."""

    files: list[Path] = field(default_factory=list)
    fetched: int = 0
    missing: int = 0
    failed: list[str] = field(default_factory=list)


def span(raw: RawFolder, target: str, since: str, today: date, names: Sequence[str] = (), anew: bool = False) -> Span:
    """What to ask for: what a stopped crawl asked for, or `since`, or since the last finished crawl, or everything.

    `anew` is for a corpus that has lost what the last crawl gave it: the bodies are here, and only lists are asked for.
    """
    running = raw.running(target)
    if running and running.names == tuple(names) and since in ("", running.since):
        return running
    last = raw.finished(target)
    if not since and last and not names and not anew:
        since = (date.fromisoformat(last) - OVERLAP).isoformat()
    return Span(since, today.isoformat(), tuple(names))


def crawl(api: Api, raw: RawFolder, name: str, asked: Span) -> Crawled:
    """Bring the raw folder up to date with one target. Raises FetchError where going on is no use."""
    target, crawled = TARGETS[name], Crawled()
    raw.start(name, asked)
    rows = list(_rows(api, raw, target, asked, crawled))
    in_a_row = 0
    for identity, source in track(rows, description=f"fetching {name}"):
        failed = len(crawled.failed)
        _body(api, raw, target, identity, source, crawled)
        in_a_row = in_a_row + 1 if len(crawled.failed) > failed else 0
        if in_a_row == IN_A_ROW:
            raise FetchError(f"{IN_A_ROW} bodies in a row failed, the last: {crawled.failed[-1]}")
    return crawled


def abbreviations(api: Api) -> list[dict[str, str]]:
    """The official 약칭 of statutes: rows of law_id, law and abbreviation. It is one list, without pages."""
    names = {"law_id": "법령ID", "law": "법령명한글", "abbreviation": "법령약칭명"}
    rows = [{key: flat(row.get(name)) for key, name in names.items()} for row in api.page(ABBREVIATIONS, "law").rows]
    return [dict(row) for row in dict.fromkeys(tuple(row.items()) for row in rows if row["abbreviation"])]


def _body(api: Api, raw: RawFolder, target: Target, identity: str, source: str, crawled: Crawled) -> None:
    path = raw.body(target.name, identity)
    if path is None and not raw.why_missing(target.name, identity):
        if source.startswith(PAGE_ONLY):
            raw.add_missing(target.name, identity, f"{source}: a page, not a body")
        else:
            path = _fetch(api, raw, target, identity, crawled)
    if path is not None:
        crawled.files.append(path)
    elif raw.why_missing(target.name, identity):
        crawled.missing += 1


def _fetch(api: Api, raw: RawFolder, target: Target, identity: str, crawled: Crawled) -> Path | None:
    try:
        body = api.body(target.name, **{target.parameter: identity})
    except NoSuchBodyError as error:
        raw.add_missing(target.name, identity, error.message)
    except AccessRefusedError:
        raise
    except FetchError as error:
        crawled.failed.append(f"{target.name} {identity}: {error.message}")
    else:
        crawled.fetched += 1
        return raw.add(target.name, identity, api.form, body)
    return None


def _rows(api: Api, raw: RawFolder, target: Target, asked: Span, crawled: Crawled) -> Iterator[tuple[str, str]]:
    """(id, 데이터출처명) of each record listed, once."""
    seen: set[str] = set()
    for number, (listed, parameters) in enumerate(_lists(target, asked)):
        wanted = parameters.get("query", "")
        names: set[str] = set()
        for page in _pages(api, raw, target, number, listed, parameters, crawled):
            for row in page.rows:
                identity, name = flat(row.get(target.identity)), flat(row.get(target.title))
                names.add(name)
                if wanted and match_key(name) != match_key(wanted):
                    continue
                if not identity.isdecimal():
                    crawled.failed.append(f"{target.name} list: {target.identity} {identity!r} is no number ({name})")
                elif identity not in seen:
                    seen.add(identity)
                    yield identity, flat(row.get("데이터출처명"))
        if wanted and match_key(wanted) not in map(match_key, names):
            raise FetchError(f"no law is called {wanted!r}; the API offers {_nearest(wanted, names)}")


def _lists(target: Target, asked: Span) -> list[tuple[str, dict[str, str]]]:
    """(target, parameters) of the lists that together name every record of the span.

    Statutes are listed by promulgation, and besides by effective date: of what was promulgated long ago and takes
    effect now, and (without `since`) of what is still to take effect.
    """
    if asked.names:
        return [(target.name, {"query": name, "search": "1"}) for name in asked.names]
    if not asked.since:
        return [(target.name, {}), *([("eflaw", {"nw": "2"})] if target.name == "law" else [])]
    days = f"{asked.since}~{asked.until}".replace("-", "")
    return [(target.name, {target.days: days}), *([("eflaw", {"efYd": days})] if target.name == "law" else [])]


def _pages(
    api: Api, raw: RawFolder, target: Target, number: int, listed: str, parameters: dict[str, str], crawled: Crawled
) -> Iterator[Page]:
    """The pages of a list, from the disk where a crawl that was stopped has left them."""
    seen = page_number = 0
    while True:
        page_number += 1
        path = raw.list_page(target.name, number, page_number)
        if path.exists():
            body = path.read_bytes()
            page = read_page(body, parse_body(body), target.item)
        else:
            page = api.page(listed, target.item, page_number, **parameters)
            atomic.write(path, page.raw)
        yield page
        seen += len(page.rows)
        if not page.rows and seen < page.total:
            path.unlink()
            crawled.failed.append(f"{listed} list: {seen} of {page.total} rows came; the rest comes with the next run")
        if not page.rows or seen >= page.total:
            return


def _nearest(wanted: str, names: set[str]) -> str:
    """Names that begin with the one that was asked for, then those that hold it: 민법 is in 난민법 too."""
    key = match_key(wanted)
    near = sorted(names, key=lambda name: (not match_key(name).startswith(key), key not in match_key(name), name))
    return ", ".join(near[:5]) or "none"
