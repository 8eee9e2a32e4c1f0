"""Where and how the models compute: device, number format, batches, and the identity of a model folder."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError

from app.errors import ModelError

Precision = Literal["auto", "fp32", "bf16", "int8"]
UNREADABLE = (OSError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, SafetensorError)
"""What reading a model folder raises where its files are broken or do not belong together."""
FORMATS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
"""As /info names them."""

# oneDNN, and torch once more, keep what they have compiled for a product of every shape they have seen, 1,024 of them
# unless told otherwise. Of texts padded to any length most shapes never come back: half a gigabyte, and no time saved.
# Of packed ones (packed.py) some hundred do. Read at the first use.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")
os.environ.setdefault("LRU_CACHE_CAPACITY", "32")

HELD, LARGEST = 64 << 20, 32 << 20
"""Bytes."""
ARENAS = 2
"""Heaps. Each thread would have one, with what it holds."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Of malloc.h."""


def hold_freed_memory() -> None:
    """Let the C library (glibc) give freed memory back only from HELD on, and take pieces up to LARGEST, all that it
    allows, from what it holds: states of some megabytes come and go with every product, and the system clears each
    page that it gives. Nothing is done elsewhere than on Linux, or where the environment says otherwise (MALLOC_…)."""
    if sys.platform == "linux" and not any(name.startswith("MALLOC_") for name in os.environ):
        with suppress(AttributeError, OSError):
            c = ctypes.CDLL(None)
            for parameter, value in (
                (M_TRIM_THRESHOLD, HELD), (M_MMAP_THRESHOLD, LARGEST), (M_ARENA_MAX, ARENAS),
            ):  # fmt: skip
                c.mallopt(parameter, value)


hold_freed_memory()

CPU_BATCH_TOKENS = 2048
"""Padded tokens of one forward pass on a CPU: larger ones leave the L2 cache, are no faster per token, and leave more
memory in pieces."""
CUDA_BATCH_TOKENS = 65536


def resolve(device: str) -> str:
    """`auto` is CUDA where torch sees one, else the CPU. Raises ModelError for a device that torch does not know."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        name = torch.device(device).type
    except RuntimeError as error:
        raise ModelError(f"unknown device {device!r} ({error}); use auto, cpu or cuda") from error
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"device {device!r} was asked for, and torch sees no GPU; use auto or cpu")
    return device


@cache
def cpu_flags() -> frozenset[str]:
    """What the CPU says that it can do; nothing elsewhere than on Linux."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return frozenset()


def cpu_computes_bf16() -> bool:
    """Whether the CPU multiplies bf16 itself; elsewhere bf16 is emulated and slower than fp32."""
    return bool(cpu_flags() & {"avx512_bf16", "amx_bf16"})


def cpu_computes_int8() -> bool:
    """Whether the CPU adds up products of bytes in one step, in 32 bits."""
    return bool(cpu_flags() & {"avx512_vnni", "avx_vnni"})


def in_int8(precision: Precision) -> bool:
    """Whether large products on a CPU are to be of bytes: `auto` where it is fast at those and not at bf16."""
    return precision == "int8" or (precision == "auto" and cpu_computes_int8() and not cpu_computes_bf16())


def dtype(device: str, precision: Precision) -> torch.dtype:
    """The format of weights and activations; `auto`, and what is not multiplied in `int8`, is bf16 where the device
    computes it."""
    if precision not in ("auto", "int8"):
        return torch.bfloat16 if precision == "bf16" else torch.float32
    fast = torch.cuda.is_bf16_supported() if device.startswith("cuda") else device == "cpu" and cpu_computes_bf16()
    return torch.bfloat16 if fast else torch.float32


def model_options(device: str, precision: Precision) -> dict[str, Any]:
    """Keywords for from_pretrained. On a CPU eager attention was measured fastest for small windows."""
    attention = "eager" if device == "cpu" else "sdpa"
    return {"dtype": dtype(device, precision), "attn_implementation": attention}


def batch_tokens(device: str) -> int:
    return CUDA_BATCH_TOKENS if device.startswith("cuda") else CPU_BATCH_TOKENS


def token_batches(lengths: Sequence[int] | npt.NDArray[Any], budget: int) -> Iterator[npt.NDArray[np.int64]]:
    """Positions in batches of similar length, longest first; a batch pads to at most `budget` tokens or holds one."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        longest = max(1, int(lengths[order[start]]))
        stop = start + max(1, budget // longest)
        yield order[start:stop]
        start = stop


def model_folder(path: Path | str) -> Path:
    """A local folder as it is, else the hub model of that name. Raises ModelError where there is neither.

    The hub is never asked for a name that starts with a folder which is there: `models/mine` is ours, or missing.
    """
    path = Path(path)
    if path.is_dir():
        return path
    if path.is_absolute() or len(path.parts) != 2 or path.parent.is_dir():
        raise ModelError(f"no model folder {path}; train one or fix the path")
    try:
        return Path(snapshot_download(str(path), ignore_patterns=["*.onnx", "onnx/*", "openvino/*", "*.bin", "*.h5"]))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"no model folder {path}, and the hub gave none ({error}); train one or fix the path"
        ) from error


def weights_sha256(folder: Path) -> str:
    """One hash over every *.safetensors, tokenizer.json and pooling. Raises ModelError where there are no weights."""
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        raise ModelError(f"{folder} holds no *.safetensors; save the model with safe serialisation")
    digest = hashlib.sha256()
    for path in [*weights, *sorted(folder.rglob("tokenizer.json")), *sorted(folder.glob("*_Pooling/config.json"))]:
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_settings(folder: Path) -> dict[str, Any]:
    """beopgil.json of a model folder, {} without one. Raises ModelError where it is no JSON object."""
    path = folder / "beopgil.json"
    if not path.exists():
        return {}
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON ({error}); train the model again or remove the file") from error
    if not isinstance(settings, dict):
        raise ModelError(f"{path} holds a {type(settings).__name__}, expected an object; remove the file")
    return settings
