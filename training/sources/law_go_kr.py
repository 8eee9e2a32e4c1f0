"""law.go.kr Open API bodies, raw XML or JSON (a file, a folder of them, or a .tar or .tar.zst) → records.

The archive is streamed, never unpacked. What cannot be used comes as Broken: an error that the API answered as a body,
HTML in place of a body, a file cut in the middle. After it the reading goes on; only a damaged archive ends there,
and says so.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import IO, cast

import zstandard

from training.sources.law_go_kr_body import BodyError, complaint, parse_body
from training.sources.law_go_kr_precedent import ID_KEYS, read_precedent
from training.sources.law_go_kr_statute import Heading, read_law, read_rule
from training.sources.records import Broken, Record

ARCHIVES = (".tar", ".tar.zst")
LAW = "law"
"""The folder of statutes in a crawl's raw folder."""
BODIES = (".xml", ".json")
RECORDS = (".jsonl", ".jsonl.zst")
_BLOCK = 512
"""A tar's unit: its end is marked with blocks of zeros."""


def is_folder_of_bodies(path: Path) -> bool:
    """Whether `path` is a folder that holds bodies (at any depth), and no records of another kind."""
    if not path.is_dir() or any(child.name.endswith(RECORDS) for child in path.iterdir()):
        return False
    return next(_files(path), None) is not None


def _files(folder: Path) -> Iterator[Path]:
    """The bodies below a folder. What begins with a dot is something else: the state of a crawl."""
    found = (file for file in folder.rglob("*") if file.suffix in BODIES)
    return (file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def read(path: Path) -> Iterator[Record]:
    """The records of every body, in name order (in an archive: in its order)."""
    return (found for found in scan(path) if not isinstance(found, Heading))


def read_files(files: Iterable[Path], folder: Path) -> Iterator[Record]:
    """The records of some bodies of a folder, in the order given."""
    for file in files:
        found = _records(file.read_bytes(), str(file.relative_to(folder)))
        yield from (record for record in found if not isinstance(record, Heading))


def scan(path: Path) -> Iterator[Record | Heading]:
    """As `read`, with the chapter headings, for those who count."""
    for where, body in _bodies(path):
        if isinstance(body, Broken):
            yield body
        else:
            yield from _records(body, where)


def _bodies(path: Path) -> Iterator[tuple[str, bytes | Broken]]:
    if path.is_dir():
        for file in sorted(_files(path)):
            yield str(file.relative_to(path)), file.read_bytes()
    elif path.name.endswith(ARCHIVES):
        yield from _archived(path)
    elif path.suffix in BODIES:
        yield path.name, path.read_bytes()
    else:
        known = ", ".join((*BODIES, *ARCHIVES, *RECORDS))
        yield path.name, Broken(path.name, f"unknown kind of file; expected a folder or one of {known}")


def _records(body: bytes, where: str) -> Iterator[Record | Heading]:
    try:
        root = parse_body(body)
    except BodyError as error:
        yield Broken(where, f"{error}; fetch it again")
        return
    if isinstance(law := root.get("법령"), dict):
        yield from read_law(law, where, _mst(where))
    elif isinstance(rule := root.get("AdmRulService"), dict):
        yield from read_rule(rule, where)
    elif isinstance(decision := root.get("PrecService"), dict):
        yield read_precedent(decision, where)
    elif any(key in root for key in ID_KEYS):
        yield read_precedent(root, where)
    elif said := complaint(root):
        yield Broken(where, f"the API answered an error: {said}")
    else:
        found = ", ".join(root)[:100] or "nothing"
        yield Broken(where, f"none of 법령, AdmRulService, PrecService at the root; found {found}")


def _mst(where: str) -> str:
    """The 법령일련번호, which a statute's body does not hold: a crawl names the file by it, law/<mst>.xml."""
    path = PurePath(where)
    return path.stem if path.parent.name == LAW and path.stem.isdecimal() else ""


class _Watched:
    """A stream that knows how much was read, where the last byte that is not zero ended, and why it stopped."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.total, self.filled, self.damage = stream, 0, 0, ""

    def read(self, size: int) -> bytes:
        try:
            block = self.stream.read(size)
        except zstandard.ZstdError as error:
            self.damage = f" ({error})"
            return b""
        if kept := block.rstrip(b"\0"):
            self.filled = self.total + len(kept)
        self.total += len(block)
        return block

    def complete(self, offset: int) -> bool:
        """Whether the tar's end mark stands at `offset`, and nothing after it. Reads to the end."""
        while self.read(1 << 20):
            pass
        return self.filled <= offset <= self.total - _BLOCK


def _archived(path: Path) -> Iterator[tuple[str, bytes | Broken]]:
    """(where, body) of each body. A cut or damaged archive ends in a Broken that names the byte of the tar."""
    with path.open("rb") as raw:
        stream = (
            zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) if path.suffix == ".zst" else raw
        )
        watched, offset = _Watched(cast("IO[bytes]", stream)), 0
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r|") as archive:
                for member in archive:
                    offset = member.offset
                    file = archive.extractfile(member) if member.name.endswith(BODIES) else None
                    if file is not None:
                        yield f"{path.name}:{member.name}", file.read()
                offset = archive.offset
        except tarfile.ReadError as error:
            watched.damage = watched.damage or f" ({error})"
        if watched.damage or not watched.complete(offset):
            yield path.name, _cut(path, offset, watched)


def _cut(path: Path, offset: int, watched: _Watched) -> Broken:
    reason = f"archive is cut or damaged{watched.damage}: what follows was not read; fetch it again"
    return Broken(f"{path.name} at byte {offset} of the tar", reason)
