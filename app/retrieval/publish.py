"""Models + corpus → a published index: built in a temporary folder, flushed, verified by opening it, renamed.

`CURRENT` is replaced last, so a reader sees the old index or the new one and never half of one. Whatever goes wrong
before that leaves the old index in use and no temporary folder behind. What the version in use has made of the same
passages is taken over (reuse.py). That version stays, for who has it open and for going back; older ones are removed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from app.errors import BadRequest, BeopgilError, IndexCorrupt, IndexMissing, NotReady
from app.retrieval import lexical, manifest
from app.retrieval.beside import graph_beside
from app.retrieval.dense import CODED, SPARE, DenseIndex
from app.retrieval.device import file_sha256
from app.retrieval.fusion import RECALL
from app.retrieval.index import CURRENT, Index, current
from app.retrieval.lexical import LexicalIndex
from app.retrieval.manifest import Manifest
from app.retrieval.reuse import Progress, Say, earlier
from app.retrieval.store import DocumentStore, PassageStore
from app.retrieval.types import PairScorer, TextEncoder, Tuning
from app.retrieval.versions import FILE as VERSIONS

PREFIX = ".building-"
MARGIN = 1 << 20
"""Bytes below which a disk counts as full."""
CORPUS = ("documents.arrow", "passages.arrow", VERSIONS)
"""What the corpus step has made; an index holds the same files. The last is there only with the history of laws."""

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
    say: Say = lambda _: None,
    extend: Extend = lambda _: None,
) -> Path:
    """Build `root/name/<version>` from `corpus` (documents.arrow, passages.arrow), put it in use, return its folder.

    `say` is told what is taken over from the version in use, and at the end how long each stage took.

    Raises DiskFull, NotReady while another build of this index runs, IndexCorrupt where the corpus cannot be read,
    BadRequest for a name that is none.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise BadRequest(f"{name!r} cannot name an index: use a word without slashes that starts with no dot")
    home = root / name
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home), _temporary(home, _needed(corpus, encoder)) as folder:
        built, clock = datetime.now(UTC), _Clock()
        _build(folder, corpus, encoder, reranker, progress, say, clock)
        extend(folder)
        version = _free_version(home, f"{built:%Y%m%d-%H%M%S}")
        with clock("checksums"):
            _describe(folder, name, version, built, encoder, reranker, tuning or Tuning())
        with clock("disk"):
            _flush(folder)
        with clock("opening"):
            # Not verify=True: the checksums were made of these files a moment ago.
            Index.open(folder, encoder, reranker)
        folder.rename(home / version)
        _retire(home, version)
        say(str(clock))
    return home / version


class _Clock:
    """Seconds per stage of one build."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def __str__(self) -> str:
        return "seconds: " + ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in self.seconds.items())


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
    """Bytes an index will take, estimated: the corpus, vectors with codes, and about twice the texts for tokens and
    postings."""
    texts = corpus / "passages.arrow"
    passages = len(PassageStore(texts))
    return 5 * passages * encoder.dim + 3 * texts.stat().st_size + (corpus / "documents.arrow").stat().st_size


def _build(
    folder: Path,
    corpus: Path,
    encoder: TextEncoder,
    reranker: PairScorer | None,
    progress: Progress,
    say: Say,
    clock: _Clock,
) -> None:
    """documents, passages, [versions], dense, lexical, tokens, graph: each part from those before it."""
    for file in CORPUS:
        if file != VERSIONS or (corpus / file).is_file():
            _link(corpus / file, folder / file)
    passages = PassageStore(folder / "passages.arrow")
    if not len(passages):
        raise IndexCorrupt(f"{corpus} holds no passages, an index needs at least 1; run the corpus step again")
    with clock("these and the graph"), graph_beside(folder):
        with clock("comparison"):
            taken = earlier(folder.parent, passages, encoder, reranker, say)
        with clock("dense"):
            _dense(taken.encode(passages, encoder, progress)).save(folder / "dense.faiss")
        with clock("lexical"):
            LexicalIndex.build(map(lexical.weighted, passages.iter_texts())).save(folder / "lexical")
        if reranker is not None:
            with clock("tokens"):
                taken.tokenize(passages, reranker, progress).save(folder / "tokens")


def _dense(index: DenseIndex) -> DenseIndex:
    return index.coded() if len(index) >= CODED else index


def _link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where the disk is another one. The corpus step replaces its files
    whole and never writes into them."""
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)


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
    files = {path.relative_to(folder).as_posix(): _file_entry(path) for path in paths}
    Manifest(
        format=manifest.FORMAT,
        name=name,
        version=version,
        built_at=built.isoformat(timespec="seconds"),
        corpus=_corpus_entry(folder, built, files),
        encoder=manifest.EncoderEntry.of(encoder),
        reranker=None if reranker is None else manifest.RerankerEntry.of(reranker),
        dense=_dense_entry(folder),
        lexical=manifest.LexicalEntry(kind="bm25", parameters=lexical.parameters()),
        tuning=tuning,
        files=files,
    ).write(folder)


def _corpus_entry(folder: Path, built: datetime, files: dict[str, manifest.FileEntry]) -> manifest.CorpusEntry:
    documents, passages = DocumentStore(folder / "documents.arrow"), PassageStore(folder / "passages.arrow")
    today = built.date().isoformat()
    days = [p or d for p, d in zip(documents.column("promulgated"), documents.column("date"), strict=True)]
    sums = "".join(files[file].sha256 for file in CORPUS if file in files)
    return manifest.CorpusEntry(
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        documents=len(documents),
        passages=len(passages),
        as_of=max((day for day in days if day <= today), default=""),
    )


def _dense_entry(folder: Path) -> manifest.DenseEntry:
    index = DenseIndex.load(folder / "dense.faiss")
    kind, parameters = ("flat", {}) if index.codes is None else ("sq8, flat", {"depth": RECALL, "spare": 1 / SPARE})
    return manifest.DenseEntry(kind=kind, metric="inner_product", parameters=parameters, recall=index.recall(RECALL))


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


def _retire(home: Path, version: str) -> None:
    """Put a version in use; keep the one that was in use, and remove those before it.

    Who still has a removed version open goes on reading it: its files are mapped, and leave the disk with the last map.
    """
    try:
        kept = {version, current(home.parent, home.name).name}
    except IndexMissing:
        kept = {version}
    _point(home, version)
    for folder in home.iterdir():
        if folder.name not in kept and (folder / manifest.NAME).is_file():
            shutil.rmtree(folder, ignore_errors=True)


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
