"""The settings of the service, from BEOPGIL_* variables (BEOPGIL_INDEX=samples); PORT alone is honoured too."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "BEOPGIL_"
FOREIGN = {"BEOPGIL_DATA", "BEOPGIL_LAW_GO_KR_OC"}
"""Variables with our prefix that other programs read."""


class Settings(BaseSettings):
    """Frozen. Relative paths start at the working directory."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    index_root: Path = Path("indexes")
    index: str = Field(default="samples", min_length=1)
    """Name of a published index under `index_root`."""
    encoder: str = "models/beopgil-mini-bi"
    """Folder or hub name; must be the model that the index was built with."""
    reranker: str = "models/beopgil-mini-cross"
    """Folder or hub name; "" answers with the first stage alone."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535, validation_alias=AliasChoices("BEOPGIL_PORT", "PORT"))
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto"
    threads: int = Field(default=0, ge=0)
    """Threads of one computation on the CPU; 0 leaves it to torch."""
    concurrency: int = Field(default=8, ge=1)
    """Requests computed at the same time; others wait their turn (`took_ms.queue`)."""
    cache: int = Field(default=1024, ge=0)
    """Answers to keep, until the index or the day is another: one for each ten documents of an answer, of about 60 kB.
    0 keeps none, and computes equal searches that are under way at the same time one by one."""
    max_body_bytes: int = Field(default=1 << 20, ge=1024)
    verify_index: bool = False
    """Hash the large files of the index too before serving it (seconds per gigabyte)."""
    admin_token: SecretStr = SecretStr("")
    """What POST /admin/… must carry as `Authorization: Bearer …`; "" lets whoever reaches the port."""
    log_queries: bool = False
    """Write what people ask into the log. Off: a question to a lawyer is private."""


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable with our prefix that is no setting, naming the nearest one."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | FOREIGN
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"{name} is no setting and is ignored{_nearest(name, known)}" for name in unknown]


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
