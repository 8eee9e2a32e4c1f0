from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ModelError
from app.retrieval import device as devices


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 1000))
def test_token_batches_hold_each_position_once_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(devices.token_batches(lengths, budget))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    assert [lengths[i] for batch in batches for i in batch] == sorted(lengths, reverse=True)


def test_precision_that_is_asked_for_is_taken() -> None:
    assert devices.dtype("cpu", "fp32") is torch.float32
    assert devices.dtype("cpu", "bf16") is torch.bfloat16
    fast = torch.bfloat16 if devices.cpu_computes_bf16() else torch.float32
    assert devices.dtype("cpu", "auto") is fast


def test_unknown_device_names_the_choice() -> None:
    assert devices.resolve("cpu") == "cpu"
    with pytest.raises(ModelError, match=r"unknown device 'abacus'.*auto, cpu or cuda"):
        devices.resolve("abacus")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_cuda_without_a_gpu_is_refused() -> None:
    assert devices.resolve("auto") == "cpu"
    with pytest.raises(ModelError, match="sees no GPU"):
        devices.resolve("cuda")


def test_weights_hash_covers_weights_and_tokenizer_but_not_the_folder(tmp_path: Path) -> None:
    def folder(name: str, weights: bytes, tokenizer: bytes) -> str:
        path = tmp_path / name
        path.mkdir()
        (path / "model.safetensors").write_bytes(weights)
        (path / "tokenizer.json").write_bytes(tokenizer)
        (path / "README.md").write_text(name)
        return devices.weights_sha256(path)

    first = folder("a", b"w", b"t")
    assert folder("b", b"w", b"t") == first
    assert folder("c", b"v", b"t") != first
    assert folder("d", b"w", b"u") != first


def test_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no \*\.safetensors"):
        devices.weights_sha256(tmp_path)


def test_missing_model_names_folder_and_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def hub(name: str, **_: object) -> str:
        asked.append(name)
        raise OSError("no network")

    monkeypatch.setattr(devices, "snapshot_download", hub)
    with pytest.raises(ModelError, match=r"no model folder .*nowhere.*fix the path"):
        devices.model_folder(tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelError, match=r"no model folder models/mine; train one"):
        devices.model_folder("models/mine")
    assert asked == [], "a folder of ours is no name on the hub"
    with pytest.raises(ModelError, match=r"no model folder some/model, and the hub gave none \(no network\)"):
        devices.model_folder("some/model")
    assert asked == ["some/model"]


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[1]", "holds a list, expected an object")])
def test_broken_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert devices.model_settings(tmp_path) == {}
    (tmp_path / "beopgil.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        devices.model_settings(tmp_path)


def test_batches_take_arrays() -> None:
    assert [batch.tolist() for batch in devices.token_batches(np.array([1, 3, 2]), 4)] == [[1], [2, 0]]


class Library:
    """Of C, as far as it is asked."""

    def __init__(self) -> None:
        self.told: dict[int, int] = {}

    def mallopt(self, parameter: int, value: int) -> None:
        self.told[parameter] = value


@pytest.mark.skipif(sys.platform != "linux", reason="only there is the C library told anything")
def test_freed_memory_is_held_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    library = Library()
    monkeypatch.setattr("app.retrieval.device.ctypes.CDLL", lambda _: library)
    devices.hold_freed_memory()
    assert library.told == {-1: devices.HELD, -3: devices.LARGEST, -8: devices.ARENAS}
    library.told.clear()
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    devices.hold_freed_memory()
    assert not library.told


@pytest.mark.skipif(sys.platform != "linux", reason="only there is the C library told anything")
def test_another_c_library_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.retrieval.device.ctypes.CDLL", lambda _: object())
    devices.hold_freed_memory()
