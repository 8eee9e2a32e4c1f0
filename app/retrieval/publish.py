"""Models + corpus → a published index: built in a temporary folder, flushed, verified by opening it, renamed.

`CURRENT` is replaced last, so a reader sees the old index or the new one and never half of one. Whatever goes wrong
before that leaves the old index in use and no temporary folder behind.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import faiss

from app.errors import BadRequest, BeopgilError, IndexCorrupt, NotReady
from app.retrieval import lexical, manifest
from app.retrieval.dense import DenseIndex
from app.retrieval.device import file_sha256
from app.retrieval.index import CURRENT, Index, TokenStore
from app.retrieval.lexical import LexicalIndex
from app.retrieval.manifest import Manifest
from app.retrieval.store import DocumentStore, PassageStore
from app.retrieval.types import PairScorer, TextEncoder, Tuning

PREFIX = ".building-"
BLOCK = 4096
"""Passages tokenised at a time."""
MARGIN = 1 << 20
"""Bytes below which a disk counts as full."""

Stage = Literal["encode", "tokenize"]
Progress = Callable[[Stage, int, int], None]
"""Called with (stage, passages done, passages in all)."""
Extend = Callable[[Path], None]
"""Writes further files into the folder of an index before its manifest is made."""


class DiskFull(BeopgilError):  # noqa: N818  # the error tree names what happened
    """The disk cannot hold the new index; the old one stays in use."""

    code, status = "disk_full", 507


def publish(
    root: Path,
    name: str,
    corpus: Path,
    encoder: TextEncoder,
    reranker: PairScorer | None,
    *,
    tuning: Tuning | None = None,
    progress: Progress = lambda *_: None,
    extend: Extend = lambda _: None,
) -> Path:
    """Build `root/name/<version>` from `corpus` (documents.arrow, passages.arrow), put it in use, return its folder.

    Raises DiskFull, NotReady while another build of this index runs, IndexCorrupt where the corpus cannot be read,
    BadRequest for a name that is none.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise BadRequest(f"{name!r} cannot name an index: use a word without slashes that starts with no dot")
    home = root / name
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home), _temporary(home, _needed(corpus, encoder)) as folder:
        built = datetime.now(UTC)
        _build(folder, corpus, encoder, reranker, progress)
        extend(folder)
        version = _free_version(home, f"{built:%Y%m%d-%H%M%S}")
        _describe(folder, name, version, built, encoder, reranker, tuning or Tuning())
        _flush(folder)
        Index.open(folder, encoder, reranker, verify=True)
        folder.rename(home / version)
        _point(home, version)
    return home / version


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One build of an index at a time; the lock goes with the process."""
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotReady(f"another build of index {home.name} is running; wait for it or stop it") from None
        yield


@contextmanager
def _temporary(home: Path, needed: int) -> Iterator[Path]:
    """A folder beside the versions, removed unless renamed. A full disk becomes DiskFull with both numbers."""
    for orphan in home.glob(f"{PREFIX}*"):
        shutil.rmtree(orphan)
    folder = home / f"{PREFIX}{os.getpid()}"
    if shutil.disk_usage(home).free < needed:
        raise _disk_full(home, needed)
    folder.mkdir()
    try:
        yield folder
    except (OSError, RuntimeError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or shutil.disk_usage(home).free < MARGIN:
            raise _disk_full(home, needed) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _disk_full(home: Path, needed: int) -> DiskFull:
    free = shutil.disk_usage(home).free
    return DiskFull(
        f"index {home.name} needs about {needed / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free: free some space or take "
        "another root; the index in use has not been touched",
        needed=needed,
        free=free,
    )


def _needed(corpus: Path, encoder: TextEncoder) -> int:
    """Bytes an index will take, estimated: the corpus, vectors, and about twice the texts for tokens and postings."""
    texts = corpus / "passages.arrow"
    passages = len(PassageStore(texts))
    return 4 * passages * encoder.dim + 3 * texts.stat().st_size + (corpus / "documents.arrow").stat().st_size


def _build(folder: Path, corpus: Path, encoder: TextEncoder, reranker: PairScorer | None, progress: Progress) -> None:
    for file in ("documents.arrow", "passages.arrow"):
        shutil.copyfile(corpus / file, folder / file)
    passages = PassageStore(folder / "passages.arrow")
    if not len(passages):
        raise IndexCorrupt(f"{corpus} holds no passages, an index needs at least 1; run the corpus step again")
    _encode(passages, encoder, progress).save(folder / "dense.faiss")
    LexicalIndex.build(passages.iter_texts()).save(folder / "lexical")
    if reranker is not None:
        _tokenize(passages, reranker, progress).save(folder / "tokens")


def _encode(passages: PassageStore, encoder: TextEncoder, progress: Progress) -> DenseIndex:
    index = faiss.IndexFlatIP(encoder.dim)
    for vectors in encoder.iter_encode_passages(passages.iter_texts()):
        index.add(vectors)
        progress("encode", index.ntotal, len(passages))
    return DenseIndex(index)


def _tokenize(passages: PassageStore, reranker: PairScorer, progress: Progress) -> TokenStore:
    texts, blocks, done = passages.iter_texts(), [], 0
    while block := list(islice(texts, BLOCK)):
        blocks.append(reranker.tokenize(block))
        done += len(block)
        progress("tokenize", done, len(passages))
    return TokenStore.build(blocks)


def _describe(
    folder: Path,
    name: str,
    version: str,
    built: datetime,
    encoder: TextEncoder,
    reranker: PairScorer | None,
    tuning: Tuning,
) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    Manifest(
        format=manifest.FORMAT,
        name=name,
        version=version,
        built_at=built.isoformat(timespec="seconds"),
        corpus=_corpus_entry(folder, built),
        encoder=manifest.EncoderEntry.of(encoder),
        reranker=None if reranker is None else manifest.RerankerEntry.of(reranker),
        dense=manifest.DenseEntry(kind="flat", metric="inner_product", parameters={}, recall=1.0),
        lexical=manifest.LexicalEntry(kind="bm25", parameters=lexical.parameters()),
        tuning=tuning,
        files={path.relative_to(folder).as_posix(): _file_entry(path) for path in paths},
    ).write(folder)


def _corpus_entry(folder: Path, built: datetime) -> manifest.CorpusEntry:
    documents, passages = DocumentStore(folder / "documents.arrow"), PassageStore(folder / "passages.arrow")
    today = built.date().isoformat()
    days = [p or d for p, d in zip(documents.column("promulgated"), documents.column("date"), strict=True)]
    return manifest.CorpusEntry(
        sha256=corpus_sha256(folder),
        documents=len(documents),
        passages=len(passages),
        as_of=max((day for day in days if day <= today), default=""),
    )


def corpus_sha256(folder: Path) -> str:
    """The identity of a corpus: sha256 over the checksums of documents.arrow and passages.arrow."""
    sums = [file_sha256(folder / file) for file in ("documents.arrow", "passages.arrow")]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def _file_entry(path: Path) -> manifest.FileEntry:
    return manifest.FileEntry(size=path.stat().st_size, sha256=file_sha256(path))


def _free_version(home: Path, version: str) -> str:
    taken, number = version, 1
    while (home / taken).exists():
        number += 1
        taken = f"{version}-{number}"
    return taken


def _point(home: Path, version: str) -> None:
    """Replace CURRENT in one step, and flush the folder so that it survives a power cut."""
    following = home / f"{CURRENT}.next"
    following.write_text(f"{version}\n", encoding="utf-8")
    _sync(following)
    following.replace(home / CURRENT)
    _sync(home)


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
