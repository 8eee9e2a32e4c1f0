"""An index on disk: `indexes/<name>/<version>/`, opened memory-mapped after it has been compared with the models.

    manifest.json  documents.arrow  passages.arrow  [versions.arrow]  tokens/{ids,offsets}.npy  dense.faiss
    [codes.faiss]  lexical/*  graph/*

`indexes/<name>/CURRENT` names the version in use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import IndexCorrupt, IndexMissing
from app.retrieval.dense import Vectors, open_dense
from app.retrieval.graph import FOLDER as GRAPH
from app.retrieval.graph import Graph
from app.retrieval.lexical import LexicalIndex
from app.retrieval.manifest import Manifest
from app.retrieval.store import DocumentStore, PassageStore
from app.retrieval.types import IndexName, PairScorer, TextEncoder, Tokens
from app.retrieval.versions import FILE as VERSIONS
from app.retrieval.versions import VersionStore

CURRENT = "CURRENT"


class TokenStore:
    """Passages in the reranker's tokens: `ids` int32 flat, passage i from `offsets[i]` to `offsets[i + 1]`."""

    def __init__(self, ids: npt.NDArray[np.int32], offsets: npt.NDArray[np.int64]) -> None:
        self.ids, self.offsets = ids, offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, passage: int) -> Tokens:
        tokens: Tokens = self.ids[self.offsets[passage] : self.offsets[passage + 1]]
        return tokens

    @classmethod
    def build(cls, blocks: Iterable[Sequence[Tokens]]) -> TokenStore:
        """From blocks of passages, each taken up and let go before the next."""
        lengths, parts = [np.zeros(1, dtype=np.int64)], [np.empty(0, dtype=np.int32)]
        for block in blocks:
            lengths.append(np.fromiter(map(len, block), dtype=np.int64, count=len(block)))
            parts += [np.concatenate(block, dtype=np.int32)] if len(block) else []
        return cls(np.concatenate(parts), np.cumsum(np.concatenate(lengths)))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "ids.npy", self.ids)
        np.save(folder / "offsets.npy", self.offsets)

    @classmethod
    def load(cls, folder: Path) -> TokenStore:
        """Memory-mapped. Raises IndexCorrupt where a file cannot be read."""
        try:
            # As a plain array: slices of a memmap cost ten times as much.
            return cls(np.asarray(np.load(folder / "ids.npy", mmap_mode="r")), np.load(folder / "offsets.npy"))
        except (OSError, ValueError, EOFError) as error:
            raise IndexCorrupt(f"the tokenised passages cannot be read ({error}); build the index again") from error


@dataclass(frozen=True, slots=True)
class Index:
    """One version of an index, open for reading from any number of threads."""

    path: Path
    manifest: Manifest
    documents: DocumentStore
    passages: PassageStore
    dense: Vectors
    lexical: LexicalIndex
    tokens: TokenStore | None
    """None where the index was built without a reranker."""
    graph: Graph
    versions: VersionStore | None = None
    """None where the corpus holds no history of any law."""

    @classmethod
    def open(cls, path: Path, encoder: TextEncoder, reranker: PairScorer | None, verify: bool = False) -> Index:
        """Compare, then map. `verify` hashes the large files too (seconds per gigabyte).

        Raises IndexMissing, IndexCorrupt or IndexMismatch, with both values and the command that mends it.
        """
        manifest = Manifest.read(path)
        manifest.check_encoder(encoder)
        if reranker is not None:
            manifest.check_reranker(reranker)
        manifest.check_files(path, verify)
        index = cls(
            path,
            manifest,
            DocumentStore(path / "documents.arrow"),
            PassageStore(path / "passages.arrow"),
            open_dense(path / "dense.faiss", encoder.device),
            LexicalIndex.load(path / "lexical"),
            TokenStore.load(path / "tokens") if manifest.reranker else None,
            Graph.load(path / GRAPH),
            VersionStore(path / VERSIONS) if VERSIONS in manifest.files else None,
        )
        index._check_counts()
        return index

    def _check_counts(self) -> None:
        corpus, tokens = self.manifest.corpus, self.tokens
        passages: dict[str, Sized] = {
            "passages.arrow": self.passages,
            "dense.faiss": self.dense,
            "lexical": self.lexical,
        }
        counts = {name: (len(part), corpus.passages) for name, part in passages.items()}
        counts["documents.arrow"] = (len(self.documents), corpus.documents)
        counts["graph"] = (len(self.graph), corpus.documents)
        counts["tokens"] = (corpus.passages if tokens is None else len(tokens), corpus.passages)
        for name, (found, expected) in counts.items():
            if found != expected:
                raise IndexCorrupt(f"{name} holds {found} rows, the manifest says {expected}; {self.manifest.remedy}")

    @property
    def name(self) -> IndexName:
        return IndexName(self.manifest.name, self.manifest.version, self.manifest.corpus.as_of)

    @property
    def seldom_read(self) -> tuple[str, ...]:
        """The mapped files of which a search reads a row here and there."""
        files = ("documents.arrow", "passages.arrow", VERSIONS, "tokens/ids.npy")
        return (*files, "dense.faiss") if "codes.faiss" in self.manifest.files else files

    def passages_of(self, document: int) -> range:
        """The passages of a document row."""
        start, stop = np.searchsorted(self.passages.documents, [document, document + 1])
        return range(int(start), int(stop))

    def passage_tokens(self, passages: npt.NDArray[np.integer[Any]], reranker: PairScorer) -> list[Tokens]:
        """The tokens of passages: from the index, or made now where it was built without a reranker."""
        if self.tokens is None:
            return reranker.tokenize(self.passages.texts(passages))
        return [self.tokens[int(passage)] for passage in passages]


def current(root: Path, name: str) -> Path:
    """The folder of the version in use. Raises IndexMissing naming the indexes that are there."""
    folder = root / name
    try:
        version = (folder / CURRENT).read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        there = sorted(path.parent.name for path in root.glob(f"*/{CURRENT}"))
        raise IndexMissing(
            f"no index {name!r} in {root}, which holds {', '.join(there) or 'none'}; "
            f"build it: make index SOURCE=… NAME={name}"
        ) from None
    if not version or Path(version).name != version or not (folder / version).is_dir():
        raise IndexMissing(
            f"{folder / CURRENT} names version {version!r}, which is not there; "
            f"build it: make index SOURCE=… NAME={name}"
        )
    return folder / version
