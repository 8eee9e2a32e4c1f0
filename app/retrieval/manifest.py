"""The manifest of an index: what it was made of, with the size and checksum of every file."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from app.errors import IndexCorrupt, IndexMismatch, IndexMissing
from app.retrieval.device import file_sha256
from app.retrieval.types import PairScorer, TextEncoder, Tuning

FORMAT = 3
"""Raised when a reader of the older format could misread the files."""
SMALL = 1 << 20
"""Files up to this many bytes are hashed whenever an index is opened; larger ones only on request."""
NAME = "manifest.json"


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CorpusEntry(Entry):
    sha256: str
    """Of documents.arrow and passages.arrow, in this order."""
    documents: int
    passages: int
    as_of: str
    """ISO date of the newest promulgation or decision, "" if unknown."""


class EncoderEntry(Entry):
    name: str
    weights_sha256: str
    dim: int
    prompts: dict[str, str]
    query_tokens: int
    passage_tokens: int

    @classmethod
    def of(cls, encoder: TextEncoder) -> EncoderEntry:
        return cls(
            name=encoder.name,
            weights_sha256=encoder.weights_sha256,
            dim=encoder.dim,
            prompts=encoder.prompts,
            query_tokens=encoder.query_tokens,
            passage_tokens=encoder.passage_tokens,
        )


class RerankerEntry(Entry):
    name: str
    weights_sha256: str
    """Covers the tokenizer too."""
    max_tokens: int
    query_tokens: int

    @classmethod
    def of(cls, reranker: PairScorer) -> RerankerEntry:
        return cls(
            name=reranker.name,
            weights_sha256=reranker.weights_sha256,
            max_tokens=reranker.max_tokens,
            query_tokens=reranker.query_tokens,
        )


class DenseEntry(Entry):
    kind: str
    metric: str
    parameters: dict[str, Any]
    recall: float
    """Share of the exact nearest passages that the index finds; 1.0 for an exact index."""


class LexicalEntry(Entry):
    kind: str
    parameters: dict[str, Any]


class FileEntry(Entry):
    size: int = Field(ge=0)
    sha256: str


class Manifest(Entry):
    format: int
    name: str
    version: str
    built_at: str
    """ISO time, UTC."""
    corpus: CorpusEntry
    encoder: EncoderEntry
    reranker: RerankerEntry | None
    """None where the passages were not tokenised in advance."""
    dense: DenseEntry
    lexical: LexicalEntry
    tuning: Tuning
    files: dict[str, FileEntry]
    """By path, relative to the index folder."""

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        outside = [path for path in files if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts]
        if outside:
            raise ValueError(f"{outside[0]} lies outside the index folder")
        return files

    @property
    def remedy(self) -> str:
        """The command that mends an index which does not fit."""
        return f"build it again: make index SOURCE=… NAME={self.name}"

    def write(self, folder: Path) -> None:
        (folder / NAME).write_text(self.model_dump_json(indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Raises IndexMissing without a manifest, IndexMismatch for another format, IndexCorrupt for a broken one."""
        remedy = f"build it: make index SOURCE=… NAME={folder.parent.name}"
        try:
            values = json.loads((folder / NAME).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise IndexMissing(f"no index in {folder}: it holds no {NAME}; {remedy}") from None
        except ValueError as error:
            raise IndexCorrupt(f"{NAME} of {folder} is not JSON ({error}); {remedy}") from error
        found = values.get("format") if isinstance(values, dict) else None
        if isinstance(found, int) and found != FORMAT:
            raise IndexMismatch(f"{folder} has format {found}, this program reads format {FORMAT}; {remedy}")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "manifest"
            raise IndexCorrupt(f"{NAME} of {folder}: {where}: {first['msg']}; {remedy}") from error

    def check_files(self, folder: Path, verify: bool) -> None:
        """Compare every size, and the checksums of small files (of all if `verify`). Raises IndexCorrupt."""
        for path, entry in self.files.items():
            self.check_file(folder, path, verify or entry.size <= SMALL)

    def check_file(self, folder: Path, path: str, verify: bool = True) -> None:
        """Compare the size of one file, and its checksum if `verify`. Raises IndexCorrupt."""
        file, entry = folder / path, self.files.get(path)
        size = file.stat().st_size if file.is_file() else None
        if entry is None or size is None:
            raise IndexCorrupt(f"{path} of index {self.name} {self.version} is missing; {self.remedy}")
        if size != entry.size:
            raise IndexCorrupt(f"{path} has {size} bytes, the manifest says {entry.size}; {self.remedy}")
        if verify and (found := file_sha256(file)) != entry.sha256:
            raise IndexCorrupt(
                f"{path} has sha256 {found[:12]}…, the manifest says {entry.sha256[:12]}…; {self.remedy}"
            )

    def check_encoder(self, encoder: TextEncoder) -> None:
        """Raises IndexMismatch unless weights, dimensions and prompts are those the index was built with."""
        built, loaded = self.encoder, EncoderEntry.of(encoder)
        self._compare("encoder", f"{built.dim} dimensions", f"{loaded.dim}", built.dim == loaded.dim)
        self._compare("encoder", f"prompts {built.prompts}", f"{loaded.prompts}", built.prompts == loaded.prompts)
        self._compare_weights("encoder", built, loaded)

    def check_reranker(self, reranker: PairScorer) -> None:
        """Raises IndexMismatch where the passages were tokenised for another reranker."""
        if self.reranker is not None:
            self._compare_weights("reranker", self.reranker, RerankerEntry.of(reranker))

    def _compare_weights(
        self, role: str, built: EncoderEntry | RerankerEntry, loaded: EncoderEntry | RerankerEntry
    ) -> None:
        mine, theirs = built.weights_sha256, loaded.weights_sha256
        self._compare(role, f"{built.name} (weights {mine[:12]}…)", f"{loaded.name} ({theirs[:12]}…)", mine == theirs)

    def _compare(self, role: str, built: str, loaded: str, equal: bool) -> None:
        if not equal:
            raise IndexMismatch(
                f"index {self.name} {self.version} was built with {role} {built}, loaded is {loaded}; "
                f"load that {role}, or {self.remedy}"
            )
