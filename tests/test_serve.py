"""`python -m app` as a process of its own."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from app.__main__ import main
from app.retrieval.publish import publish
from tests.conftest import wait_for

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_missing_index_ends_the_start_with_one_sentence(tmp_path: Path) -> None:
    ended = run("--index", "nowhere", "--port", str(free_port()), BEOPGIL_INDEX_ROOT=str(tmp_path))
    assert ended.returncode == 1
    assert "beopgil: index_missing: no index 'nowhere'" in ended.stderr
    assert "make index" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_it_serves_a_real_index_until_it_is_stopped(tmp_path: Path) -> None:
    from app.retrieval.encoder import Encoder
    from tests.fakes import DOCUMENTS, write_corpus
    from tests.tiny import save_encoder

    model = save_encoder(tmp_path / "model")
    write_corpus(tmp_path / "corpus", DOCUMENTS)
    publish(tmp_path / "indexes", "tiny", tmp_path / "corpus", Encoder.load(model, "cpu", "fp32"), None)
    variables = {"INDEX_ROOT": tmp_path / "indexes", "ENCODER": model, "RERANKER": "", "DEVICE": "cpu"}
    port = free_port()
    log = tmp_path / "log"
    with log.open("w") as file:
        service = subprocess.Popen(
            [sys.executable, "-m", "app", "--index", "tiny", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | {f"BEOPGIL_{name}": str(value) for name, value in variables.items()},
            stdout=file,
        )
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                wait_for(lambda: service.poll() is not None or answers(client), 120)
                body = client.post("/search", json={"query": "민법 제750조의 손해배상"}).json()
        finally:
            service.terminate()
            service.wait(30)
    assert body["results"][0]["doc_id"] == "001706-0750"
    assert body["degraded"] == "reranker unavailable: none is configured"
    assert "민법" not in log.read_text()
    assert '"route":"/search","status":200' in log.read_text()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx2.ConnectError:
        return False


def test_settings_that_cannot_be_used_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BEOPGIL_DEVICE", "tpu")
    monkeypatch.setenv("BEOPGIL_PROT", "1")
    assert main(["--port", "70000"]) == 2
    written = capsys.readouterr().err
    assert "BEOPGIL_DEVICE is 'tpu'" in written
    assert "BEOPGIL_PORT is 70000" in written
    assert "did you mean BEOPGIL_PORT?" in written


def test_garbage_is_collected_once_all_is_loaded_and_not_in_what_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def run(server: Any) -> None:
        seen.append((gc.isenabled(), gc.get_freeze_count() > 0))
        server.config.app.state.service.on_ready()
        seen.append((gc.isenabled(), gc.get_freeze_count() > 0))

    monkeypatch.setattr(uvicorn.Server, "run", run)
    try:
        assert main([]) == 0
    finally:
        gc.unfreeze()
    assert seen == [(False, False), (True, True)]


def test_garbage_is_collected_after_a_start_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_server: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", run)
    assert main([]) == 0
    assert gc.isenabled()


def test_help_names_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert {"--host", "--port", "--index"} <= set(capsys.readouterr().out.replace("[", " ").split())
